"""Audit of balance, units, sources, stores and reserves: every hour, every element, from the file's numbers.

Tolerances. The balance must close within 1e-3 MW with no excuse for rounding: an hour of a province adds some 340
numbers of up to 10^4 MW, and float32 rounds each by up to 5e-4 MW. A file that keeps them so fails here (measured on
two weeks of the Jiangsu case: off by up to 2.8e-3 MW, by more than 1e-3 MW in a third of the hours; in float64 on a
grid of 2**-20 MW: 2e-5 MW). Bounds are checked to 1e-3 MW beyond what the stored type may have rounded.
"""

from collections.abc import Callable

import numpy as np

from gridsim.audit_data import AuditRow, FloatArray, Record, among, as_text, at, outside, row_of, skipped
from gridsim.audit_network import ratings

BALANCE_MW = 1e-3
BOUND_MW = 1e-3
ENERGY_MWH = 1e-3
SPLIT_MW = 1e-6
LINE_MW = 0.5  # curtailment blamed on a line below which it is not looked at
FULL_SHARE = 1e-3  # of its limit that may be left, for the lived flow is a little off the planned one
RAMP_SHARE = 2e-5  # of the capacity on: ramps are kept to a hair


def check_devices(record: Record) -> list[AuditRow]:
    return [
        *balance(record),
        *units(record),
        *min_times(record),
        *unit_ramps(record),
        *sources(record),
        *curtailment(record),
        *stores(record),
        *reserve(record),
        *loads(record),
    ]


def balance(record: Record) -> list[AuditRow]:
    """Sum of units, sources, discharge - charge, unserved - spill equals load and losses, hour by hour."""
    s = record.series
    supply = s("dispatch/unit_p_mw").sum(1) + s("dispatch/source_p_mw").sum(1)
    supply += s("storage/discharge_mw").sum(1) - s("storage/charge_mw").sum(1)
    supply += s("unserved/load_mw").sum(1) - s("spill/bus_mw").sum(1)
    if record.has("flow/loss_mw"):
        supply -= s("flow/loss_mw").sum(1)
    if not record.tables["links"].empty:
        supply -= s("dispatch/link_p_mw") @ record.tables["links"]["loss_share"].to_numpy(float)
    return [row_of("hourly balance", np.abs(supply - s("dispatch/load_mw").sum(1)), BALANCE_MW, at(record))]


def loads(record: Record) -> list[AuditRow]:
    """Unserved load is between 0 and the load; spill is not negative."""
    unserved, load = record.series("unserved/load_mw"), record.series("dispatch/load_mw")
    excess = outside(unserved, 0.0, np.maximum(load, 0.0)) - record.rounding("unserved/load_mw")
    names = record.names("loads")
    return [
        row_of("unserved within the load", excess, BOUND_MW, at(record, names)),
        row_of("spill not negative", -record.series("spill/bus_mw"), SPLIT_MW, at(record, record.names("buses"))),
    ]


def units(record: Record) -> list[AuditRow]:
    """Counts within what is available and as starts and stops make them; output within on * [floor, ceiling]."""
    table, names = record.tables["units"], record.names("units")
    if table.empty:
        return [skipped("units", "the run has no committed units")]
    on, available = record.series("commitment/on"), record.series("commitment/available")
    start, stop = record.series("commitment/start"), record.series("commitment/stop")
    p = record.series("dispatch/unit_p_mw")
    label = at(record, names)
    installed = table["units"].to_numpy(float)
    before = np.vstack([table["initial_on"].to_numpy(float)[None], on[:-1]])
    excess = outside(p, on * record.series("dispatch/unit_floor_mw"), on * record.series("dispatch/unit_ceiling_mw"))
    beyond = outside(
        record.series("dispatch/unit_floor_mw"), *(table[f"p_{end}_mw"].to_numpy(float) for end in ("min", "max"))
    )
    excess = np.maximum(excess, beyond)
    must_run = table["must_run"].to_numpy(bool)
    return [
        row_of("units on within available", outside(on, 0.0, np.minimum(available, installed)), 0.0, label, "units"),
        row_of("unit output within limits", excess - record.rounding("dispatch/unit_p_mw"), BOUND_MW, label),
        row_of("on follows starts and stops", np.abs(on - before - start + stop), 0.0, label, "units"),
        row_of("starts and stops not negative", -np.minimum(start, stop), 0.0, label, "units"),
        row_of("must-run units on", np.where(must_run, available - on, 0.0), 0.0, label, "units"),
    ]


def min_times(record: Record) -> list[AuditRow]:
    """Minimum up and down times of groups of identical units.

    Units of a group are told apart by age only, so the best assignment stops the longest running first and starts the
    longest resting first. Under it a schedule is feasible exactly when, in every hour, the units started within the
    last ``min_up_h`` hours are no more than those on, and those stopped within the last ``min_down_h`` hours no
    more than those off. Where a planned outage takes units that were on (available falls below the count before), the
    stops it forces are excused and counted in a row of their own. A unit that comes back from an outage is rested and
    may start, also one that had stopped before the outage took it: each that came back in the last ``min_down_h`` hours
    excuses a stop. Units on outage all through that time are not among those that stopped, unless others came back, for
    then they may be any. The time before the first hour is not known, and excuses what depends on it.
    """
    table, names = record.tables["units"], record.names("units")
    if table.empty:
        return []
    on, available = record.series("commitment/on"), record.series("commitment/available")
    start, stop = record.series("commitment/start"), record.series("commitment/stop")
    before = np.vstack([table["initial_on"].to_numpy(float)[None], on[:-1]])
    fell = np.maximum(-np.diff(available, axis=0, prepend=available[:1]), 0.0)
    failed = np.minimum(fell, record.series("realtime/lost"))  # one that ran, while others of its row stand by
    forced = np.minimum(np.maximum(before - available, failed), stop)
    min_up, min_down = (table[f"min_{way}_h"].to_numpy(int) * record.per_hour for way in ("up", "down"))  # steps
    early = recent(start, min_up) - on
    out = table["units"].to_numpy(float) - available
    returned = np.maximum(-np.diff(out, axis=0, prepend=out[:1]), 0.0)
    rested = recent(returned, min_down)
    away = np.maximum(least_of_late(out, min_down) - rested, 0.0)
    late = recent(stop - forced, min_down) - rested - (table["units"].to_numpy(float) - on - away)
    excuse = recent(forced, min_up)
    label = at(record, names)
    excused = np.minimum(np.maximum(early, 0.0), excuse)
    count = int((excused > 0).sum())
    place = np.unravel_index(int(np.argmax(excused)), excused.shape)
    where = label((int(place[0]), int(place[1]))) if count else ""
    return [
        row_of("minimum up time", early - excuse, 0.0, label, "units"),
        row_of("minimum down time", late, 0.0, label, "units"),
        AuditRow(
            "minimum up time, cut by planned outages (excused)",
            float(excused.max()),
            f"{count} unit-hours, first worst {where}" if count else "",
            float("inf"),
            0,
            True,
            "units",
        ),
    ]


def unit_ramps(record: Record) -> list[AuditRow]:
    """Ramps of rows of units, and their most in the first and in the last hour on, hour by hour.

    Of a row only the sum is known. u on, v started, w stopped, k = u - v on in both hours, the sum may rise by at most
    ramp_up k + start_ramp v - p_min w, may fall by ramp_down k + stop_ramp w - p_min v, and is at most what the units
    that start in the hour, or stop after it, leave. Rises and falls that the run says had to be wider are allowed.
    """
    names = record.names("units")
    if record.tables["units"].empty:
        return []
    limit, on, start, stop = unit_series(record)
    p, wider = record.series("dispatch/unit_p_mw"), record.series("commitment/ramp_relaxed_mw")
    stay, low = on - start, limit["p_min_mw"]
    hair = BOUND_MW + RAMP_SHARE * limit["p_max_mw"] * np.maximum(on, 1.0)
    before = np.vstack([first_output(record)[None], p[:-1]])
    rise = limit["ramp_up"] * stay + limit["start_ramp_mw"] * start - low * stop
    fall = limit["ramp_down"] * stay + limit["stop_ramp_mw"] * stop - low * start
    step, known = p - before, ~np.isnan(before)  # with the output before the run unknown anything is allowed
    label = at(record, names)
    count = int((wider > 0).sum())
    rows = [
        row_of("ramps of units, up", np.where(known, step - rise - wider - hair, -np.inf), 0.0, label),
        row_of("ramps of units, down", np.where(known, -step - fall - wider - hair, -np.inf), 0.0, label),
        row_of("output in first and last hours", p - most_output(record) - hair, 0.0, label),
    ]
    where = f"{count} unit-hours" if count else ""
    return [*rows, AuditRow("ramps widened (recorded)", float(wider.max()), where, float("inf"), 0, True, "MW")]


def unit_series(record: Record) -> tuple[dict[str, FloatArray], FloatArray, FloatArray, FloatArray]:
    """Limits of one unit of each row, ramps a step, none beyond its range; units on, started, stopped."""
    table = record.tables["units"]
    limit = {name: table[name].to_numpy(float) for name in ("p_min_mw", "p_max_mw")}
    for name in ("ramp_up_mw_per_h", "ramp_down_mw_per_h"):
        per_step = table[name].to_numpy(float) * record.dt_h
        limit[name.removesuffix("_mw_per_h")] = np.minimum(per_step, limit["p_max_mw"] - limit["p_min_mw"])
    for name in ("start_ramp_mw", "stop_ramp_mw"):
        limit[name] = np.minimum(table[name].to_numpy(float), limit["p_max_mw"])
    on, start, stop = (record.series(f"commitment/{name}") for name in ("on", "start", "stop"))
    return limit, on, start, stop


def most_output(record: Record, *, planned: bool = False) -> FloatArray:
    """(time, unit) most that the units on may give: less in the first hour of a unit, and in its last.

    With `planned` as far as the window knew: what the next one stops in its first hour was not known to be in its last.
    """
    limit, on, start, stop = unit_series(record)
    last = np.vstack([stop[1:], np.zeros_like(stop[:1])])
    if planned:
        last[record.series("windows/first_hour").astype(int)[1:] * record.per_hour - 1] = 0.0
    both = np.maximum(start + last - on, 0.0)  # units whose first hour is their last
    slow, late = limit["p_max_mw"] - limit["start_ramp_mw"], limit["p_max_mw"] - limit["stop_ramp_mw"]
    return on * limit["p_max_mw"] - (start - both) * slow - (last - both) * late - both * np.maximum(slow, late)


def least_of_late(values: FloatArray, hours: np.ndarray) -> FloatArray:
    """Least value over the last `hours[i]` hours up to and with each hour, as far as they lie in the run."""
    out = values.copy()
    for i, span in enumerate(hours):
        for back in range(1, min(max(int(span), 1), len(values))):
            out[back:, i] = np.minimum(out[back:, i], values[: len(values) - back, i])
    return out


def recent(events: FloatArray, hours: np.ndarray) -> FloatArray:
    """Sum of events over the last `hours[i]` hours up to and with each hour; 0 where hours[i] <= 1 would not bind."""
    total = np.vstack([np.zeros((1, events.shape[1])), np.cumsum(events, axis=0)])
    n = events.shape[0]
    out = np.empty_like(events)
    for i, span in enumerate(hours):
        first = np.maximum(np.arange(1, n + 1) - max(int(span), 1), 0)
        out[:, i] = total[1:, i] - total[first, i]
    return out


def source_floor(record: Record) -> tuple[FloatArray | None, str]:
    """Lowest output allowed of every source and hour: stored, or worked out from the net's own columns."""
    if record.has("dispatch/source_min_mw"):
        return record.series("dispatch/source_min_mw"), ""
    table, net = record.tables["sources"], record.net
    if net is None:
        return None, "the file has neither dispatch/source_min_mw nor a net"
    available = record.series("dispatch/source_available_mw")
    floor = np.array(available)
    for j, source in enumerate(table.itertuples()):
        row = net[source.element].loc[source.element_index]
        if source.curtailable:
            least = float(row.get("min_p_mw", 0.0))
            floor[:, j] = np.minimum(available[:, j], 0.0 if np.isnan(least) else least)
        else:
            band = float(row.get("band_down", 0.0))
            floor[:, j] = available[:, j] - (0.0 if np.isnan(band) else band) * np.abs(available[:, j])
    return floor, ""


def sources(record: Record) -> list[AuditRow]:
    """Output within [least, available]; the hourly ramp limit across every hour, borders of windows too.

    Where the bounds themselves move by more than the ramp limit (a schedule that steps), the step they force is
    allowed, and any fall in the hour in which an outage takes something of the source.
    """
    table, names = record.tables["sources"], record.names("sources")
    if table.empty:
        return [skipped("sources", "the run has no sources")]
    p, high = record.series("dispatch/source_p_mw"), record.series("dispatch/source_available_mw")
    rounding = record.rounding("dispatch/source_p_mw") + np.asarray(record.rounding("dispatch/source_available_mw"))
    label = at(record, names)
    rows = [row_of("source output within available", p - high - rounding, BOUND_MW, label)]
    low, why = source_floor(record)
    if low is None:
        rows.append(AuditRow("source output above its least", float("inf"), why, BOUND_MW, 1, False, "MW"))
        low = np.minimum(p, high)
    else:
        rows.append(row_of("source output above its least", low - p - rounding, BOUND_MW, label))
    ramp = table["ramp_mw_per_h"].to_numpy(float) * record.dt_h
    ramp = np.where(np.isnan(ramp), np.inf, ramp)
    if not np.isfinite(ramp).any() or len(p) < 2:
        rows.append(skipped("source ramps", "no source has a ramp limit"))
        return rows
    step = np.diff(p, axis=0)
    up = step - np.maximum(ramp, low[1:] - high[:-1])
    down = -step - np.maximum(ramp, low[:-1] - high[1:])
    for event in record.events:  # what is lost is gone at once
        if event.get("kind") == "outage" and event.get("what") == "source" and 0 < event["first"] < len(p):
            down[event["first"] - 1, names.index(event["name"])] = 0.0
    slack = np.broadcast_to(rounding, p.shape)
    excess = np.maximum(up, down) - slack[1:] - slack[:-1]
    rows.append(row_of("source ramps", excess, BOUND_MW, lambda place: label((place[0] + 1, place[1]))))
    return [*rows, *ramps_together(record, ramp)]


def ramps_together(record: Record, ramp: FloatArray) -> list[AuditRow]:
    """A source and the store that stands beside it, both together within the ramp limit of the source (MW a step)."""
    stores = record.tables["stores"]
    beside = stores["beside_source"].to_numpy(int) if "beside_source" in stores else np.zeros(0, dtype=int)
    rows = np.flatnonzero(beside >= 0)
    if not rows.size:
        return []
    given = [("dispatch/source_p_mw", beside[rows], 1.0)]
    given += [("storage/discharge_mw", rows, 1.0), ("storage/charge_mw", rows, -1.0)]
    total, rounding = np.zeros((record.steps, rows.size)), np.zeros((record.steps, rows.size))
    for path, columns, sign in given:
        total += sign * record.series(path)[:, columns]
        rounding += np.broadcast_to(record.rounding(path), record.series(path).shape)[:, columns]
    excess = np.abs(np.diff(total, axis=0)) - ramp[beside[rows]] - rounding[1:] - rounding[:-1]
    label = at(record, [record.names("stores")[j] for j in rows])
    return [row_of("ramps of sources with stores", excess, BOUND_MW, lambda place: label((place[0] + 1, place[1])))]


def curtailment(record: Record) -> list[AuditRow]:
    """Curtailment is available - output of curtailable sources and what their own limits cut; its causes add up to it.

    What is blamed on a line or interface finds it at its limit, and what is blamed on an outage finds an hour in which
    one loads something fully.
    """
    table, names = record.tables["sources"], record.names("sources")
    if table.empty:
        return []
    total, causes = record.series("curtailment/source_mw"), record.series("curtailment/cause_mw")
    cause = {name: causes[:, :, k] for k, name in enumerate(as_text(record.file["cause"][...]))}
    p, high = record.series("dispatch/source_p_mw"), record.series("dispatch/source_available_mw")
    own = record.series("dispatch/source_own_mw")
    want = np.where(table["curtailable"].to_numpy(bool), high - p, 0.0) + own
    rounding = record.rounding("curtailment/source_mw")
    for path in ("dispatch/source_p_mw", "dispatch/source_available_mw"):
        rounding = rounding + record.rounding(path)
    share = record.rounding("curtailment/source_mw") + np.asarray(record.rounding("curtailment/cause_mw")).sum(-1)
    label = at(record, names)
    return [
        row_of("curtailment is available - output", np.abs(total - want) - rounding, BOUND_MW, label),
        row_of("causes add up to curtailment", np.abs(causes.sum(axis=2) - total) - share, SPLIT_MW, label),
        row_of("curtailment by own connections", np.abs(cause["own"] - own), BOUND_MW, label),
        row_of("curtailment by cause not negative", -causes.min(axis=2), BOUND_MW, label),
        *blamed_on_lines(record, cause, label),
    ]


def blamed_on_lines(
    record: Record, cause: dict[str, FloatArray], label: Callable[[tuple[int, ...]], str]
) -> list[AuditRow]:
    """Lines and interfaces that are to blame are full: beside each entry, what is left of their limit.

    The balance of an island that only DC links join to the rest has a limit of 0, and is always full.
    """
    loading = np.zeros((record.steps, 0))
    for table, path in (("branches", "flow/branch_p_mw"), ("interfaces", "flow/interface_p_mw")):
        rows = record.tables[table]
        if not rows.empty:
            if table == "interfaces":
                most, least = (rows[column].to_numpy(float)[None] for column in ("limit_mw", "reverse_limit_mw"))
            else:
                most = least = ratings(record)
            flow = record.series(path)
            used = np.maximum(flow / np.maximum(most, 1e-6), -flow / np.maximum(least, 1e-6))
            loading = np.hstack((loading, np.where(np.minimum(most, least) <= 0.0, 1.0, used)))
    hour, source = np.nonzero(cause["section"] > LINE_MW)
    element = record.series("curtailment/section_element").astype(int)[hour, source]
    left = np.zeros_like(cause["section"])
    left[hour, source] = np.where(element >= 0, 1.0 - loading[hour, element] if element.size else 0.0, 1.0)
    worst = record.series("security/hour_loading")
    after = (cause["n1"] > LINE_MW) * np.where(worst > 0.0, 1.0 - worst, 0.0)[:, None]
    return [
        row_of("sections to blame are full", left, FULL_SHARE, label, "of the limit"),
        row_of("outages to blame fill something", after, FULL_SHARE, label, "of the limit"),
    ]


def reachable(record: Record, column: dict[str, FloatArray], before: FloatArray) -> FloatArray:
    """What nine tenths of full charging bring each store to by the end, from where the last window found it.

    The end target is only asked for as far as that (docs/design.md): a last window of an hour cannot fill a store.
    """
    begins, dt_h = record.series("windows/first_hour"), record.dt_h
    first = int(begins[-1]) * record.per_hour if len(begins) else 0
    keep = (1.0 - column["loss_per_h"]) ** dt_h
    e = before[min(first, len(before) - 1)].copy()
    for t in range(first, len(before)):
        e = keep * e + 0.9 * column["eta_charge"] * record.series("storage/charge_max_mw")[t] * dt_h
        comes = record.series("storage/inflow_mw")[t] - record.series("storage/demand_mw")[t]
        e = np.minimum(e + comes * dt_h, column["e_max_mwh"])
    return np.minimum(e, column["e_max_mwh"] - 1e-3 * (column["e_max_mwh"] - column["e_min_mwh"]))


def stores(record: Record) -> list[AuditRow]:
    """e_t = (1 - loss)^dt e_(t-1) + (eta_c c_t - d_t / eta_d + inflow_t - demand_t - spill_t) dt within limits.

    No step has both.

    While a store charges, or discharges, so many of its units run that each is between its least and its most.
    """
    table, names = record.tables["stores"], record.names("stores")
    if table.empty:
        return [skipped("stores", "the run has no stores")]
    charge, discharge = record.series("storage/charge_mw"), record.series("storage/discharge_mw")
    e = record.series("storage/e_mwh")
    column = {name: table[name].to_numpy(float) for name in table.columns if name in STORE_NUMBERS}
    before = np.vstack([column["e_start_mwh"][None], e[:-1]])
    inflow, spill = record.series("storage/inflow_mw"), record.series("storage/spill_mw")
    flows = column["eta_charge"] * charge - discharge / column["eta_discharge"] + inflow - spill
    flows = flows - record.series("storage/demand_mw")
    want = (1.0 - column["loss_per_h"]) ** record.dt_h * before + flows * record.dt_h
    rounding = column["eta_charge"] * record.rounding("storage/charge_mw")
    rounding = rounding + record.rounding("storage/discharge_mw") / column["eta_discharge"]
    rounding = rounding + record.rounding("storage/e_mwh")
    label = at(record, names)
    may_c, may_d = (
        np.minimum(record.series(f"storage/{way}_max_mw"), column[f"p_{way}_max_mw"]) for way in ("charge", "discharge")
    )
    least = np.maximum(record.series("storage/e_floor_mwh"), column["e_min_mwh"])
    over_c = outside(charge, 0.0, may_c) - record.rounding("storage/charge_mw")
    over_d = outside(discharge, 0.0, may_d) - record.rounding("storage/discharge_mw")
    over_e = outside(e, least, column["e_max_mwh"]) - record.rounding("storage/e_mwh")
    target = np.minimum(column["e_end_mwh"], reachable(record, column, before))
    # a pump with a least power meets a target to within a step at it
    target = target - column["eta_charge"] * column["p_charge_min_mw"] * record.dt_h
    target = target - 1e-6 * column["e_max_mwh"]  # what the solver's tolerance leaves of a large store
    ends = np.where(table["end_rule"].astype(str).isin(["fixed", "cyclic"]), target - e[-1], -np.inf)
    rows = [
        row_of("state of charge recursion", np.abs(e - want) - rounding, ENERGY_MWH, label, "MWh"),
        row_of("state of charge within limits", over_e, ENERGY_MWH, label, "MWh"),
        row_of("charging within limits", over_c, BOUND_MW, label),
        row_of("discharging within limits", over_d, BOUND_MW, label),
        row_of("spill of stores not negative", -spill, SPLIT_MW, label),
        row_of("charging of whole units", between_units(charge, column, "charge"), BOUND_MW, label),
        row_of("discharging of whole units", between_units(discharge, column, "discharge"), BOUND_MW, label),
        row_of("no hour with both", np.minimum(charge, discharge), SPLIT_MW, label),
    ]
    if np.isfinite(ends).any():
        rows.append(row_of("stored at the end of the run", ends, ENERGY_MWH, among(names), "MWh"))
    return rows


def between_units(power: FloatArray, column: dict[str, FloatArray], way: str) -> FloatArray:
    """(time, store) how far a power is from what some number of units can give."""
    units, least = column["units"], column[f"p_{way}_min_mw"]
    most = column[f"p_{way}_max_mw"] / np.maximum(units, 1.0)
    off = np.full(power.shape, np.inf)
    for n in range(int(units.max()) + 1):
        here = np.minimum(n, units)
        off = np.minimum(off, np.maximum(here * least - power, power - here * most))
    return np.where(least > 0, off, 0.0)


STORE_NUMBERS = {
    *("p_charge_min_mw", "p_discharge_min_mw", "units"),
    *("p_charge_max_mw", "p_discharge_max_mw", "e_min_mwh", "e_max_mwh", "e_start_mwh"),
    *("eta_charge", "eta_discharge", "loss_per_h", "e_end_mwh"),
}


def reserve(record: Record) -> list[AuditRow]:
    """Provided + short covers what is needed of every product; what is said to be provided is really there."""
    table = record.tables["products"]
    if table.empty:
        return [skipped("reserve", "the run has no reserve products")]
    need, provided, short = (record.series(f"reserve/{what}_mw") for what in KINDS)
    rounding = sum(np.asarray(record.rounding(f"reserve/{what}_mw")) for what in KINDS)
    label = at(record, record.names("products"))
    rows = [
        row_of("reserve covered or short", need - provided - short - rounding, BOUND_MW, label),
        row_of("reserve short not negative", -short, SPLIT_MW, label),
    ]
    low, _ = source_floor(record)
    if low is not None:
        rows.append(row_of("reserve really there", provided - answers(record, low) - rounding, BOUND_MW, label))
    return rows


KINDS = ("need", "provided", "short")


def answers(record: Record, low: FloatArray) -> FloatArray:
    """(time, product) what answers. Of a row of units at most so many MW for each unit on.

    Up: room below their most (less in first and last steps), no more than the ramp beside the step leaves in an hour,
    and what units off and quick to start could give; down: output above the minimum. Of a source that responds, the
    room to what is available, or to its least output.
    """
    units, sources, products = (record.tables[name] for name in ("units", "sources", "products"))
    room = np.zeros((record.steps, len(products)))
    for k, up in enumerate((products["direction"].astype(str) == "up").to_numpy()):
        if not units.empty:
            limit, on, start, stop = unit_series(record)
            p = record.series("dispatch/unit_p_mw")
            if up:
                before = np.vstack([first_output(record)[None], p[:-1]])
                rise = limit["ramp_up"] * (on - start) + limit["start_ramp_mw"] * start
                rise += record.series("commitment/ramp_relaxed_mw") - limit["p_min_mw"] * stop
                left = np.where(on > start, before + rise - p, np.inf) + RAMP_SHARE * limit["p_max_mw"] * on
                left *= record.per_hour  # the rate that a step leaves, for an hour
                free = limit["ramp_up"] >= (limit["p_max_mw"] - limit["p_min_mw"]) * (1 - 1e-6)
                left = np.where(free | np.isnan(left), np.inf, left)
                each = np.maximum(np.minimum(most_output(record, planned=True) - p, left), 0.0)
                off = record.series("commitment/available") - on
                room[:, k] += off @ record.series("units/offline_mw")[:, k]
            else:
                each = p - on * record.series("dispatch/unit_floor_mw")
            room[:, k] += np.minimum(each, on * record.series("units/response_mw")[:, k]).sum(axis=1)
        if not sources.empty:
            p, high = record.series("dispatch/source_p_mw"), record.series("dispatch/source_available_mw")
            room[:, k] += (high - p if up else p - low) @ record.series("sources/responds")[:, k]
    return room


def first_output(record: Record) -> FloatArray:
    """(unit,) output before the first hour, NaN where it is not known."""
    table = record.tables["units"]
    return np.where(table["initial_on"].to_numpy(float) > 0, table["initial_p_mw"].to_numpy(float), 0.0)
