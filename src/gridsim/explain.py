"""One hour in words: what ran, what was full, what was thrown away and for which cause, and what the next MWh costs.

Everything is read from the results file; the causes are those of `gridsim.curtailment`.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gridsim.errors import InputError, Problem
from gridsim.schema import CAUSES

if TYPE_CHECKING:
    from gridsim.opened import Results

SHOWN = 6  # sources, elements, stores in a list
SEEN_MW = 0.5
FULL = 0.999  # loading of what is called full
REASON = {
    "own": "their own connection or hosting limit takes no more",
    "section": "a line or interface is full, and the price at their bus falls short of what load pays",
    "n1": "the loss of a circuit would overload another one",
    "ramp": "the units on cannot get lower fast enough",
    "reserve": "the units on may not go lower: they hold reserve down",
    "system": "nothing else that runs can go lower: minimum output, must-run and contracts of imports",
    "economic": "something else could have gone lower, and giving way was cheaper",
}


def explain(run: "Results", hour: Any) -> str:
    """The hour as a page of text.

    Raises
    ------
    InputError
        If the hour is no time, or not in the run.
    """
    t = step_of(run, hour)
    parts = (_balance, _coal, _curtailment, _full, _security, _stores, _prices)
    lines = [f"{run.reader.meta['scenario_name']}, {run.reader.time[t]:%Y-%m-%d %H:%M}, a {run.reader.time[t]:%A}"]
    for part in parts:
        lines += ["", *part(run, t)]
    return "\n".join(lines)


def step_of(run: "Results", hour: Any) -> int:
    """Row of the step that holds a time."""
    time = run.reader.time
    try:
        at = pd.Timestamp(hour)
    except ValueError:
        at = pd.NaT
    if pd.isna(at) or at.tzinfo is not None:
        raise InputError(
            str(run.reader.path), [Problem("hour", f"must be a local time such as 2024-07-15T14: {hour!r}")]
        )
    t = int(time.searchsorted(at, side="right")) - 1
    if t < 0 or at >= time[-1] + time.freq:
        rule = f"must lie in the run, which goes from {time[0]} to {time[-1]}: is {at}"
        raise InputError(str(run.reader.path), [Problem("hour", rule)])
    return t


def _row(run: "Results", path: str, t: int) -> Any:
    return run.reader[path][t]


def _balance(run: "Results", t: int) -> list[str]:
    load = _row(run, "dispatch/load_mw", t).sum()
    net = float(_row(run, "peak_shaving/net_load_mw", t))
    today = run.reader.time.normalize() == run.reader.time[t].normalize()
    day = run.reader.array("peak_shaving/net_load_mw")[today]
    span = f"between {day.min():,.0f} and {day.max():,.0f}"
    place = "lowest" if net <= day.min() else "highest" if net >= day.max() else span
    out = [f"load {load:,.0f} MW; less available wind and sun {net:,.0f} MW, {place} of the day", "output, MW:"]
    for tech, p in zip(run.reader.names("tech"), _row(run, "dispatch/tech_p_mw", t), strict=True):
        if abs(p) >= SEEN_MW:
            out.append(f"  {tech:14s} {p:10,.0f}")
    unserved, spilled = (_row(run, path, t).sum() for path in ("unserved/load_mw", "spill/bus_mw"))
    if unserved >= SEEN_MW:
        out.append(f"  not served     {unserved:10,.0f}")
    if spilled >= SEEN_MW:
        out.append(f"  spilled        {spilled:10,.0f}")
    return out


def _coal(run: "Results", t: int) -> list[str]:
    units = run.table("units")
    coal = (units["tech"] == "coal").to_numpy()
    on, p = _row(run, "commitment/on", t), _row(run, "dispatch/unit_p_mw", t)
    committed = float((on * units["p_max_mw"].to_numpy(float))[coal].sum())
    up, down = (float(_row(run, f"peak_shaving/{way}_margin_mw", t)) for way in ("up", "down"))
    out = [f"room: {up:,.0f} MW up, {down:,.0f} MW down"]
    if committed > 0.0:
        least = float((on * _row(run, "dispatch/unit_floor_mw", t))[coal].sum())
        out.insert(
            0,
            f"coal: {int(on[coal].sum())} units of {committed:,.0f} MW on at {p[coal].sum() / committed:.0%} of it; "
            f"their least output is {least / committed:.0%}",
        )
    names = run.reader.names("product")
    need, given, short = (_row(run, f"reserve/{what}_mw", t) for what in ("need", "provided", "short"))
    for name, a, b, c in zip(names, need, given, short, strict=True):
        missing = f", {c:,.0f} MW short" if c >= SEEN_MW else ""
        out.append(f"reserve {name}: {a:,.0f} MW asked, {b:,.0f} MW there{missing}")
    return out


def _curtailment(run: "Results", t: int) -> list[str]:
    cause = _row(run, "curtailment/cause_mw", t)
    total = cause.sum()
    if total < SEEN_MW:
        return ["nothing is curtailed"]
    names, elements = run.reader.names("source"), _elements(run)
    outages = run.reader.names("outage")
    out = [f"curtailed: {total:,.0f} MW"]
    for k in np.argsort(-cause.sum(axis=0), kind="stable"):
        of_cause = cause[:, k]
        if of_cause.sum() < SEEN_MW:
            continue
        out.append(f"  {CAUSES[k]} {of_cause.sum():,.0f} MW: {REASON[CAUSES[k]]}")
        largest = np.argsort(-of_cause, kind="stable")[:SHOWN]
        for i in largest[of_cause[largest] >= SEEN_MW]:
            blame = ""
            if CAUSES[k] == "section":
                blame = _named(elements, int(_row(run, "curtailment/section_element", t)[i]), ", behind {}")
            elif CAUSES[k] == "n1":
                hit, lost = (int(_row(run, f"curtailment/n1_{what}", t)[i]) for what in ("element", "outage"))
                blame = _named(elements, hit, ", behind {}") + _lost(outages, lost, hit)
            out.append(f"    {names[i]}: {of_cause[i]:,.0f} MW{blame}")
        left = int((of_cause >= SEEN_MW).sum()) - SHOWN
        if left > 0:
            out.append(f"    and {left} more")
    return out


def _elements(run: "Results") -> list[str]:
    return [*run.reader.names("branch"), *run.reader.names("interface")]


def _named(names: list[str], at: int, text: str) -> str:
    return text.format(names[at]) if 0 <= at < len(names) else ""


def _full(run: "Results", t: int) -> list[str]:
    flow = np.concatenate([_row(run, f"flow/{kind}_p_mw", t) for kind in ("branch", "interface")])
    branches, interfaces = run.table("branches"), run.table("interfaces")
    forward = np.concatenate((branches["rating_mw"].to_numpy(float), interfaces["limit_mw"].to_numpy(float)))
    back = np.concatenate((branches["rating_mw"].to_numpy(float), interfaces["reverse_limit_mw"].to_numpy(float)))
    limit = np.where(flow >= 0.0, forward, back)
    full = np.flatnonzero((np.abs(flow) >= FULL * limit) & np.isfinite(limit) & (limit > 0.0))
    if not full.size:
        return ["no line and no interface is full"]
    names = _elements(run)
    return ["full:", *(f"  {names[i]}: {flow[i]:,.0f} of {limit[i]:,.0f} MW" for i in full)]


def _security(run: "Results", t: int) -> list[str]:
    loading = float(_row(run, "security/hour_loading", t))
    branch, outage = (int(_row(run, f"security/hour_{what}", t)) for what in ("branch", "outage"))
    if loading <= 0.0 or branch < 0:
        return ["the loss of circuits was not looked at"]
    hit, lost = run.reader.names("branch")[branch], _lost(run.reader.names("outage"), outage, branch)
    return [f"worst after one loss: {hit} at {loading:.0%} of its emergency rating{lost}"]


def _lost(names: list[str], outage: int, hit: int) -> str:
    """What is lost; of a corridor of several circuits it may be one of those that it hits."""
    return " after the loss of one of its circuits" if outage == hit else _named(names, outage, " after the loss of {}")


def _stores(run: "Results", t: int) -> list[str]:
    stores = run.table("stores")
    if stores.empty:
        return ["no stores"]
    power = _row(run, "storage/discharge_mw", t) - _row(run, "storage/charge_mw", t)
    energy, size = _row(run, "storage/e_mwh", t), stores["e_max_mwh"].to_numpy(float)
    out = []
    for tech in dict.fromkeys(stores["tech"].astype(str)):
        of = (stores["tech"] == tech).to_numpy()
        share = f", {energy[of].sum() / size[of].sum():.0%} full at its end" if size[of].sum() > 0.0 else ""
        way = "charge" if power[of].sum() < -SEEN_MW else "discharge" if power[of].sum() > SEEN_MW else "rest"
        out.append(f"stores, {tech}: {way} {abs(power[of].sum()):,.0f} MW{share}")
    return out


def _prices(run: "Results", t: int) -> list[str]:
    unit = f"{run.reader.currency}/MWh"
    zones = [zone or "(no zone)" for zone in run.reader.names("zone")]
    price = _row(run, "price/zone", t)
    bus = _row(run, "price/bus", t)
    if f"{bus.min():,.1f}" == f"{bus.max():,.1f}":
        out = [f"price: {bus.min():,.1f} {unit} at every bus"]
    else:
        out = [f"price: {_span(price, zones)} {unit}", f"  at buses {_span(bus, run.reader.names('bus'))}"]
    marginal = _row(run, "carbon/zone_marginal", t)
    out.append(f"  a MWh more of load emits {marginal.min():.2f} to {marginal.max():.2f} t CO2")
    return out


def _span(values: Any, names: list[str]) -> str:
    """Lowest and highest of `values`, and whose they are."""
    low, high = int(values.argmin()), int(values.argmax())
    return f"{values[low]:,.1f} ({names[low]}) to {values[high]:,.1f} ({names[high]})"
