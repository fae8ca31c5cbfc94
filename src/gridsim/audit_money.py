"""Audit of costs, emissions, totals by technology and the summary: recomputed from tables, counts and outputs."""

import json
from typing import Any

import h5py
import numpy as np

from gridsim.audit_data import AuditRow, FloatArray, Record, as_text, at, row_of
from gridsim.schema import GRID

COST_SHARE = 1e-6  # of the hour's total cost
ROUNDINGS = 4  # of stored MW, that an hour's cost may be off by whatever its total
TOTAL_SHARE = 1e-6
COST_PARTS = ("energy", "no_load", "start", "wear", "shed", "spill", "reserve_short", "overload", "budget")


def check_money(record: Record) -> list[AuditRow]:
    return [*costs(record), *by_tech(record), *summary(record)]


def costs(record: Record) -> list[AuditRow]:
    """Every part of /cost, in shares of the hour's total."""
    want = recompute_costs(record)
    stored = {part: record.series(f"cost/{part}") for part in COST_PARTS}
    # an hour may cost next to nothing: what the rounding of stored MW is worth at the dearest penalty is not held to it
    dust = ROUNDINGS * GRID * penalty(record, "shed")
    scale = np.maximum(np.abs(sum(stored.values())), dust / COST_SHARE)
    rows = [
        row_of(f"cost: {part}", np.abs(stored[part] - want[part]) / scale, COST_SHARE, at(record), "of the hour")
        for part in COST_PARTS
    ]
    total = record.series("cost/total")
    rows.append(
        row_of("cost: total", np.abs(total - sum(want.values())) / scale, COST_SHARE, at(record), "of the hour")
    )
    return rows


def recompute_costs(record: Record) -> dict[str, FloatArray]:
    """Currency per step by part: what an hour of it would cost times the length of the step, but for starts.

    A group of identical units splits its output in the cheapest way: every unit on gives its minimum, then the
    segments fill in the order of the table (costs do not fall along it), each `on` times as wide as one unit's.
    """
    n, s = record.steps, record.series
    cost = {part: np.zeros(n) for part in COST_PARTS}
    units, sources, stores = record.tables["units"], record.tables["sources"], record.tables["stores"]
    if not units.empty:
        on, start, p = s("commitment/on"), s("commitment/start"), s("dispatch/unit_p_mw")
        width, price = s("units/seg_mw"), s("units/seg_cost")
        floor = on * units["p_min_mw"].to_numpy(float)
        cost["energy"] += floor @ units["min_cost"].to_numpy(float)
        left = p - floor
        for k in range(width.shape[1]):
            # the last segment takes what rounding leaves, so that it is priced and not lost
            room = on * width[:, k]
            fill = np.clip(left, 0.0, room) if k + 1 < width.shape[1] else np.minimum(left, room)
            cost["energy"] += fill @ price[:, k]
            left = left - fill
        cost["no_load"] += on @ units["no_load_cost"].to_numpy(float)
        cost["start"] += start_costs(record, start).sum(1)
    if not sources.empty:
        cost["energy"] += s("dispatch/source_p_mw") @ sources["cost"].to_numpy(float)
    if not stores.empty:
        cost["wear"] += s("storage/charge_mw") @ stores["charge_cost"].to_numpy(float)
        cost["wear"] += s("storage/discharge_mw") @ stores["discharge_cost"].to_numpy(float)
        for way in ("charge", "discharge"):
            cost["start"] += unit_starts(record, way) @ stores["start_cost"].to_numpy(float)
    cost["shed"] += penalty(record, "shed") * s("unserved/load_mw").sum(1)
    cost["spill"] += penalty(record, "spill") * s("spill/bus_mw").sum(1)
    cost["reserve_short"] += penalty(record, "reserve_short") * s("reserve/short_mw").sum(1)
    budgets = record.tables["budgets"]
    if not budgets.empty:
        cost["budget"] += (s("budget/excess") + s("budget/missing")) @ budgets["penalty"].to_numpy(float)
    for table, name in OVERLOADS:
        if record.has(name):
            rows = record.tables[table]
            # a branch or interface may have a price of its own
            own = "overload_cost" in rows.columns
            price = rows["overload_cost"].to_numpy(float) if own else np.full(len(rows), penalty(record, "overload"))
            cost["overload"] += s(name) @ price
    return {part: values if part in LUMPS else values * record.dt_h for part, values in cost.items()}


LUMPS = ("start", "budget")  # money for an event, not for a time


def unit_starts(record: Record, way: str) -> FloatArray:
    """(time, store) units that begin to charge or discharge: as few run as can give the power; none before the run."""
    table = record.tables["stores"]
    units = table["units"].to_numpy(float)
    power = record.series(f"storage/{way}_mw")
    each = np.maximum(table[f"p_{way}_max_mw"].to_numpy(float) / units, 1e-3)
    count = np.minimum(np.maximum(np.ceil((power - 1e-3) / each), 0.0), units)
    return np.maximum(np.diff(count, axis=0, prepend=np.zeros((1, len(units)))), 0.0)


def start_costs(record: Record, start: FloatArray) -> FloatArray:
    """(time, unit) cost of starts, each by the time that the unit was off, counted in steps.

    Units of a row are told apart by those hours alone: of the units off and not on outage, the one off longest starts.
    An outage takes the units that have been off longest, and gives back those that were taken first.
    """
    s, units = record.series, record.tables["units"]
    lag, price, endless = (
        s("units/start_lag_h") * record.per_hour,
        s("units/start_cost_by_lag"),
        LONG_H * record.per_hour,
    )
    stop, available = s("commitment/stop"), s("commitment/available")
    cost = start * price[:, 0]
    for i in np.flatnonzero((price > price[:, :1]).any(axis=1) & (start.sum(axis=0) > 0)):
        must = bool(units["must_run"].iloc[i])
        total, long = int(units["units"].iloc[i]), int(units["initial_hours"].iloc[i]) * record.per_hour
        running = int(available[0, i]) if must else int(units["initial_on"].iloc[i])
        away = [endless if must else long] * (total - int(available[0, i]))  # steps off of the units on outage
        off = [endless if must else long] * (total - running - len(away))
        for t in range(record.steps):
            leave = total - int(available[t, i]) - len(away)
            away.sort(reverse=True)
            off += away[: max(0, -leave)]
            away = away[max(0, -leave) :]
            off.sort(reverse=True)
            begun = off[: int(start[t, i])]
            off = off[len(begun) :]
            cost[t, i] = sum(price[i, max(0, int((lag[i] <= hours).sum()) - 1)] for hours in begun)
            rested = off[: max(0, leave)]
            off, away = off[len(rested) :], away + rested
            fresh = [0] * int(stop[t, i])
            cut = max(0, leave) - len(rested)
            away, off = [h + 1 for h in away + fresh[:cut]], [h + 1 for h in off + fresh[cut:]]
    return cost


LONG_H = 10_000  # hours in a state that nobody has counted

OVERLOADS = (("branches", "flow/branch_overload_mw"), ("interfaces", "flow/interface_overload_mw"))


def overload_mw(record: Record) -> FloatArray:
    return sum((record.series(name).sum(1) for _, name in OVERLOADS if record.has(name)), np.zeros(record.steps))


def penalty(record: Record, name: str) -> float:
    """Price of a slack, an attribute of /meta. NaN when it is missing, which no comparison survives."""
    return float(record.meta.get(f"penalty_{name}", np.nan))


def by_tech(record: Record) -> list[AuditRow]:
    """Power and emissions by technology are sums of their elements. A store's technology counts its net output."""
    s = record.series
    techs = dimension(record, "tech")
    power = np.zeros((record.steps, len(techs)))
    carbon = np.zeros_like(power)
    column = {tech: k for k, tech in enumerate(techs)}
    parts: list[tuple[str, FloatArray, FloatArray]] = []
    units, sources, stores = record.tables["units"], record.tables["sources"], record.tables["stores"]
    if not units.empty:
        p = s("dispatch/unit_p_mw")
        emitted = p * units["co2_t_per_mwh"].to_numpy(float)
        emitted = emitted + s("commitment/on") * units["co2_no_load_t_per_h"].to_numpy(float)
        parts += [(str(tech), p[:, i], emitted[:, i]) for i, tech in enumerate(units["tech"])]
    if not sources.empty:
        p = s("dispatch/source_p_mw")
        emitted = p * sources["co2_t_per_mwh"].to_numpy(float)
        parts += [(str(tech), p[:, i], emitted[:, i]) for i, tech in enumerate(sources["tech"])]
    if not stores.empty:
        p = s("storage/discharge_mw") - s("storage/charge_mw")
        parts += [(str(tech), p[:, i], np.zeros(record.steps)) for i, tech in enumerate(stores["tech"])]
    missing = sorted({tech for tech, _, _ in parts if tech not in column})
    if missing:
        where = f"{missing[0]} is not in the tech dimension"
        return [AuditRow("power by technology", float("inf"), where, BY_TECH_MW, len(missing), False, "MW")]
    for tech, p, t in parts:
        power[:, column[tech]] += p
        carbon[:, column[tech]] += t * record.dt_h
    stored, stored_t = s("dispatch/tech_p_mw"), s("carbon/tech_t")
    off = np.abs(stored - power) - record.rounding("dispatch/tech_p_mw")
    off_t = np.abs(stored_t - carbon) - record.rounding("carbon/tech_t")
    return [
        row_of("power by technology", off, BY_TECH_MW, at(record, techs)),
        row_of("emissions by technology", off_t, BY_TECH_MW, at(record, techs), "t"),
    ]


BY_TECH_MW = 5e-3  # sums of many float32 stores, should the writer keep them so


def dimension(record: Record, name: str) -> list[str]:
    """Names along a dimension of the file."""
    return as_text(record.file[name][...]).tolist()


def summary(record: Record) -> list[AuditRow]:
    """Attributes of /summary against the arrays."""
    if "summary" not in record.file or not len(record.file["summary"].attrs):
        where = "the run was not finished: there is no summary"
        return [AuditRow("summary", float("inf"), where, TOTAL_SHARE, 1, False, "share")]
    stored = dict(flatten(record.file["summary"]))
    want = recompute_summary(record)
    rows = []
    off, names = [], []
    for name, value in want.items():
        if name not in stored:
            continue
        found = float(stored[name])
        off.append(abs(found - value) / max(abs(value), 1e-3))
        names.append(f"{name}: stored {found:.9g}, arrays say {value:.9g}")
    missing = sorted(name for name in want if name not in stored)
    rows.append(row_of("summary agrees with the arrays", np.array(off), TOTAL_SHARE, lambda i: names[i[0]], "share"))
    where = ", ".join(missing)
    rows.append(AuditRow("summary is whole", float(len(missing)), where, 0.0, len(missing), not missing, "keys"))
    return rows


def recompute_summary(record: Record) -> dict[str, float]:
    s, dt_h = record.series, record.dt_h
    sources = record.tables["sources"]
    curtailed = float(s("curtailment/source_mw").sum()) * dt_h
    available = 0.0
    if not sources.empty:
        own = s("curtailment/cause_mw")[:, :, dimension(record, "cause").index("own")]
        before = s("dispatch/source_available_mw") + own
        available = float(before[:, sources["curtailable"].to_numpy(bool)].sum()) * dt_h
    want = {
        "hours": float(record.hours),
        "total_cost": float(s("cost/total").sum()),
        "unserved_mwh": float(s("unserved/load_mw").sum()) * dt_h,
        "curtailment_mwh": curtailed,
        "curtailment_rate": curtailed / available if available > 0.0 else 0.0,
        "spill_mwh": float(s("spill/bus_mw").sum()) * dt_h,
        "reserve_short_mwh": float(s("reserve/short_mw").sum()) * dt_h,
        "overload_mwh": float(overload_mw(record).sum()) * dt_h,
        "starts": float(s("commitment/start").sum()),
        "co2_mt": float(s("carbon/tech_t").sum()) / 1e6,
        "peak_load_mw": float(s("dispatch/load_mw").sum(1).max()),
        "lower_bound": float(s("cost/total").sum() - (s("windows/cost") - s("windows/bound")).sum()),
        "gap_mean": float(s("windows/gap").mean()),
        "gap_max": float(s("windows/gap").max()),
    }
    if "resolution_min" in record.meta:
        want["resolution_min"] = float(record.step_min)
    if record.has("flow/loss_mw"):
        lost = float(s("flow/loss_mw").sum()) * dt_h
        served = float(s("dispatch/load_mw").sum() - s("unserved/load_mw").sum()) * dt_h
        want |= {"loss_mwh": lost, "loss_rate": lost / (served + lost) if served + lost > 0.0 else 0.0}
    for tech, energy in zip(dimension(record, "tech"), s("dispatch/tech_p_mw").sum(0) * dt_h / 1e6, strict=True):
        want[f"energy_twh/{tech}"] = float(energy)
    for name in sorted(set(sources["tech"])) if not sources.empty else ():
        ours = ((sources["tech"] == name) & sources["curtailable"].astype(bool)).to_numpy()
        if ours.any():
            want[f"curtailment_mwh_by_tech/{name}"] = float(s("curtailment/source_mw")[:, ours].sum()) * dt_h
    for k, name in enumerate(dimension(record, "cause")):
        want[f"curtailment_mwh_by_cause/{name}"] = float(s("curtailment/cause_mw")[:, :, k].sum()) * dt_h
    for k, name in enumerate(record.names("budgets")):
        for key in ("use", "excess", "missing"):
            want[f"budget_{'used' if key == 'use' else key}/{name}"] = float(s(f"budget/{key}")[:, k].sum())
    for name in ("before", "after"):
        want[f"peak_valley_mw/{name}"] = float(s(f"peak_shaving/peak_valley_{name}_mw").mean())
    return want


def flatten(group: h5py.Group) -> list[tuple[str, Any]]:
    """Numbers of the summary under their own names; those by technology as ``name/technology``.

    A table by technology may be a JSON text, attributes of a sub-group, or ``name.technology`` / ``name/technology``.
    """
    found: list[tuple[str, Any]] = []
    for key, value in group.attrs.items():
        value = value.decode("utf-8") if isinstance(value, bytes) else value
        if isinstance(value, str) and value.lstrip().startswith("{"):
            found += [(f"{key}/{name}", number) for name, number in json.loads(value).items()]
        elif np.ndim(value) == 0 and not isinstance(value, str):
            found.append((key.replace(".", "/"), value))
    for key, item in group.items():
        if isinstance(item, h5py.Group):
            found += [(f"{key}/{name}", number) for name, number in item.attrs.items()]
    return found
