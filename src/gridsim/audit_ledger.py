"""Audit of the ledger of peak shaving (调峰): net load and regulation by supplier, worked out from the outputs."""

from itertools import pairwise

import numpy as np

from gridsim.audit_data import AuditRow, FloatArray, Record, as_text, at, row_of

LEDGER_MW = 5e-3  # sums of many float32 stores, should the writer keep them so
SUM_SHARE = 1e-6  # of what all suppliers move in the hour
WIND_AND_PV = ("wind_offshore", "wind_onshore", "pv")
EDGES = (0.5, 0.4, 0.35, 0.3, 0.0)  # load rates of coal between which the depth classes lie
DEEP = ("coal_50_40", "coal_40_35", "coal_35_30", "coal_below_30")
OUTPUT_OF = ("gas", "nuclear", "import", "exchange")  # suppliers that count less their own mean, as all "other" output
DEMAND = ("ev", "ac", "dr_shift", "dr_interrupt")  # stores that are loads
WITH_DEMAND = ("ev", "hydrogen", "heat")  # stores that serve a demand of their own: less their mean, as output is


def check_ledger(record: Record) -> list[AuditRow]:
    """Every series of /peak_shaving but the margins."""
    return [*loads(record), *suppliers(record), *days(record), *deep_peaking(record)]


def names_of(record: Record, dimension: str) -> list[str]:
    return as_text(record.file[dimension][...]).tolist()


def net_load(record: Record) -> FloatArray:
    """Load less available wind and PV."""
    out = record.series("dispatch/load_mw").sum(1)
    sources = record.tables["sources"]
    if not sources.empty:
        ours = sources["tech"].isin(WIND_AND_PV).to_numpy()
        out = out - record.series("dispatch/source_available_mw")[:, ours].sum(1)
    return out


def loads(record: Record) -> list[AuditRow]:
    want = {
        "peak_shaving/load_mw": record.series("dispatch/load_mw").sum(1),
        "peak_shaving/net_load_mw": net_load(record),
    }
    off = np.stack([np.abs(record.series(p) - value) - record.rounding(p) for p, value in want.items()], axis=1)
    return [row_of("load and net load of peak shaving", off, LEDGER_MW, at(record, list(want)))]


def blocks(record: Record) -> list[slice]:
    """Steps that each window keeps: the days whose means are the references."""
    first = [int(hour) * record.per_hour for hour in record.series("windows/first_hour")]
    return [slice(a, b) for a, b in zip(first, [*first[1:], record.steps], strict=True)]


def less_mean(record: Record, values: FloatArray) -> FloatArray:
    return np.concatenate([values[kept] - values[kept].mean() for kept in blocks(record)])


def by_supplier(record: Record) -> dict[str, FloatArray]:
    """What each supplier gives, from outputs and tables."""
    s, n = record.series, record.steps
    units, sources, stores = record.tables["units"], record.tables["sources"], record.tables["stores"]
    out = {name: np.zeros(n) for name in names_of(record, "supplier")}
    net = net_load(record)
    moving = np.zeros(n)  # output that counts by its departure from the mean
    coal = np.zeros(n)
    for table, path in ((units, "dispatch/unit_p_mw"), (sources, "dispatch/source_p_mw")):
        for i, tech in enumerate(() if table.empty else table["tech"]):
            p = s(path)[:, i]
            if tech == "coal":
                coal += p
            elif tech not in WIND_AND_PV:
                # stores' names are for stores; a unit of such a technology counts with them, by its departure
                name = tech if tech in out else "other"
                out[name] += less_mean(record, p)
                moving += p
    for i, tech in enumerate(() if stores.empty else stores["tech"]):
        net_output = s("storage/discharge_mw")[:, i] - s("storage/charge_mw")[:, i]
        name = "demand" if tech in DEMAND else "import" if tech == "dc_shift" else tech if tech in out else "other"
        if tech in WITH_DEMAND:
            out[name] += less_mean(record, net_output)
            moving += net_output
        else:
            out[name] += net_output
    for name, depth in zip(DEEP, layers(record), strict=True):
        out[name] -= depth
    if not sources.empty:
        ours = sources["tech"].isin(WIND_AND_PV).to_numpy()
        out["curtailment"] -= (s("dispatch/source_available_mw") - s("dispatch/source_p_mw"))[:, ours].sum(1)
    out["curtailment"] -= s("spill/bus_mw").sum(1)
    out["unserved"] += s("unserved/load_mw").sum(1)
    if record.has("flow/loss_mw"):
        out["losses"] -= s("flow/loss_mw").sum(1)
    if not record.tables["links"].empty:
        out["losses"] -= s("dispatch/link_p_mw") @ record.tables["links"]["loss_share"].to_numpy(float)
    reference = np.concatenate([np.full(len(net[k]), net[k].mean() - moving[k].mean()) for k in blocks(record)])
    out["coal_basic"] += coal + layers(record).sum(0) - reference
    return out


def layers(record: Record) -> FloatArray:
    """(depth, time) output that coal forgoes between two load rates, of the units of each row that are on."""
    units = record.tables["units"]
    out = np.zeros((len(DEEP), record.steps))
    for i in np.flatnonzero(units["tech"] == "coal") if not units.empty else ():
        most = record.series("commitment/on")[:, i] * float(units["p_max_mw"].iloc[i])
        p = record.series("dispatch/unit_p_mw")[:, i]
        for k, (upper, lower) in enumerate(pairwise(EDGES)):
            out[k] += np.clip(p, lower * most, upper * most) * -1.0 + upper * most
    return out


def suppliers(record: Record) -> list[AuditRow]:
    """Regulation of each, and that all of them give what was needed."""
    want = by_supplier(record)
    stored, names = record.series("peak_shaving/regulation_mw"), list(want)
    off = np.abs(stored - np.stack(list(want.values()), axis=1)) - 2.0**-24 * np.abs(stored)
    need = less_mean(record, net_load(record))
    found = record.series("peak_shaving/need_mw")
    scale = np.maximum(np.abs(stored).sum(1), 1.0)
    return [
        row_of("regulation by supplier", off, LEDGER_MW, at(record, names)),
        row_of("regulation needed", np.abs(found - need), LEDGER_MW, at(record)),
        row_of(
            "regulation adds up to the need",
            np.abs(stored.sum(1) - found) / scale,
            SUM_SHARE,
            at(record),
            "of the hour",
        ),
    ]


def days(record: Record) -> list[AuditRow]:
    """Peak-valley differences of every day, and two-shift starts."""
    s, day = record.series, 24 * record.per_hour
    count = len(s("peak_shaving/peak_valley_before_mw"))
    spans = [slice(day * k, day * k + day) for k in range(count)]
    net, stored = net_load(record), s("peak_shaving/regulation_mw")
    names = names_of(record, "supplier")
    coal = [names.index(name) for name in ("coal_basic", *DEEP)]
    left = net - np.delete(stored, coal, axis=1).sum(1)
    want = {
        "peak_shaving/peak_valley_before_mw": [np.ptp(net[k]) for k in spans],
        "peak_shaving/peak_valley_after_mw": [np.ptp(left[k]) for k in spans],
        "peak_shaving/peak_valley_less_mw": [np.ptp(net[k, None] - stored[k], axis=0) for k in spans],
    }
    off = [np.abs(s(path) - np.array(value)).reshape(count, -1) for path, value in want.items()]
    rows = [
        row_of(
            "peak-valley difference by day",
            np.hstack(off),
            LEDGER_MW,
            lambda i: record.hour(day * i[0])[:10],
        )
    ]
    techs = names_of(record, "tech")
    both = np.zeros((count, len(techs)))
    units = record.tables["units"]
    for i, tech in enumerate(() if units.empty else units["tech"]):
        start, stop = s("commitment/start")[:, i], s("commitment/stop")[:, i]
        both[:, techs.index(tech)] += [min(start[k].sum(), stop[k].sum()) for k in spans]
    off_starts = np.abs(s("peak_shaving/two_shift_starts") - both)
    label = lambda i: f"{record.hour(day * i[0])[:10]}, {techs[i[1]]}"  # noqa: E731
    return [*rows, row_of("two-shift starts", off_starts, 0.0, label, "starts")]


def deep_peaking(record: Record) -> list[AuditRow]:
    """Load rate of coal, units on in each class of it, and what they are paid."""
    s, units = record.series, record.tables["units"]
    on = output = np.zeros((record.steps, 0))
    most = np.zeros(0)
    if not units.empty:
        coal = (units["tech"] == "coal").to_numpy()
        on, output = s("commitment/on")[:, coal], s("dispatch/unit_p_mw")[:, coal]
        most = units["p_max_mw"].to_numpy(float)[coal]
    committed = on * most
    total = committed.sum(1)
    rate = np.divide(output.sum(1), total, out=np.zeros(record.steps), where=total > 0.0)
    each = np.divide(output, committed, out=np.ones_like(output), where=committed > 0.0)
    # a row within a hair of an edge may count to either side of it
    counts = s("peak_shaving/deep_units")
    low, high = np.empty_like(counts), np.empty_like(counts)
    for k, (upper, lower) in enumerate(pairwise(EDGES)):
        low[:, k] = (on * ((each < upper - 1e-4) & (each >= lower + 1e-4))).sum(1)
        high[:, k] = (on * ((each < upper + 1e-4) & (each >= lower - 1e-4))).sum(1)
    rows = [
        row_of("load rate of coal", np.abs(s("peak_shaving/coal_load_rate") - rate), 1e-6, at(record), "share"),
        row_of("units in deep peaking", np.maximum(low - counts, counts - high), 0.0, at(record, DEEP), "units"),
    ]
    if record.scenario:
        prices = record.scenario["ledger"]["compensation_cny_per_mwh"]
        paid = layers(record).T * np.array([prices[name] for name in DEEP]) * record.dt_h
        off = (
            np.abs(s("peak_shaving/compensation") - paid) / np.maximum(paid.sum(1), 1e3)[:, None]
        )  # a hair of a MW is paid, too
        rows.append(row_of("compensation of deep peaking", off, SUM_SHARE, at(record, DEEP), "of the hour"))
    return rows
