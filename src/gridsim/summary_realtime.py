"""What came otherwise than planned in the summary; nothing where all was foreseen.

======================= ==========================================================================================
key                     meaning
======================= ==========================================================================================
forecast_rmse_mw        {load, wind, pv}: root mean square of what was believed less what came, of the system
redispatch_mwh          {tech: MWh}: sum over the hours of what each technology gave more or less than planned
redispatch_store_share  of the sum of all of them, what stores did: 0..1
reserve_used_mwh        {up, down}: net load beyond what was believed, and below it
reserve_exceeded_h      {up, down}: hours in which that was more than the reserve that was planned
units_called_h          unit-hours of units called in the hour itself
units_lost_h            unit-hours of units that were planned and not there
outages                 {unit, source, store, link, branch: outages in the run}
======================= ==========================================================================================
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from gridsim.schema import BELIEVED

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader


def realtime_keys(run: ResultsReader) -> dict[str, Any]:
    """All keys of this module's table; none of a run that foresaw everything."""
    believed = run.array("realtime/forecast_mw")
    if not believed.size:
        return {}
    sources = run.table("sources")
    tech = sources["tech"].astype(str).to_numpy()
    available = run.array("dispatch/source_available_mw")
    came = np.column_stack(
        [
            run.array("dispatch/load_mw").sum(axis=1),
            available[:, np.isin(tech, ("wind_offshore", "wind_onshore"))].sum(axis=1),
            available[:, tech == "pv"].sum(axis=1),
        ]
    )
    off = believed - came
    moved = np.abs(run.array("dispatch/tech_p_mw") - run.array("realtime/planned_tech_p_mw")).sum(axis=0) * run.dt_h
    by_tech = dict(zip(run.names("tech"), moved.tolist(), strict=True))
    stores = {str(name) for name in run.table("stores")["tech"]}
    beyond = off[:, 1] + off[:, 2] - off[:, 0]  # net load that came less that which was believed
    need = run.array("realtime/planned_need_mw")
    direction = run.table("products")["direction"].astype(str).tolist()
    used = {"up": np.maximum(beyond, 0.0), "down": np.maximum(-beyond, 0.0)}
    exceeded = {way: float((used[way] > need[:, direction.index(way)]).sum()) * run.dt_h for way in used}
    outages = Counter(event["what"] for event in run.events if event.get("kind") == "outage")
    return {
        "forecast_rmse_mw": dict(zip(BELIEVED, np.sqrt((off**2).mean(axis=0)).tolist(), strict=True)),
        "redispatch_mwh": by_tech,
        "redispatch_store_share": sum(by_tech[name] for name in stores) / max(sum(by_tech.values()), 1e-9),
        "reserve_used_mwh": {way: float(values.sum()) * run.dt_h for way, values in used.items()},
        "reserve_exceeded_h": exceeded,
        "units_called_h": float(run.array("realtime/called").sum()) * run.dt_h,
        "units_lost_h": float(run.array("realtime/lost").sum()) * run.dt_h,
        "outages": {what: outages.get(what, 0) for what in ("unit", "source", "store", "link", "branch")},
    }


def realtime_table(summary: dict[str, Any]) -> list[Table]:
    """For people; none where all was foreseen."""
    if "forecast_rmse_mw" not in summary:
        return []
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title="what came otherwise than planned")
    for name in ("", "value", "unit"):
        table.add_column(name, justify="right" if name == "value" else "left")
    rows = [(f"error of the forecast, {name}, rms", value, "MW") for name, value in summary["forecast_rmse_mw"].items()]
    rows += [(f"dispatched again, {tech}", value / 1e3, "GWh") for tech, value in summary["redispatch_mwh"].items()]
    rows += [
        ("share of stores in it", 100.0 * summary["redispatch_store_share"], "%"),
        *((f"reserve {way} used", value / 1e3, "GWh") for way, value in summary["reserve_used_mwh"].items()),
        *((f"hours beyond reserve {way}", value, "h") for way, value in summary["reserve_exceeded_h"].items()),
        ("units called in the hour", summary["units_called_h"], "unit-hours"),
        ("units planned and not there", summary["units_lost_h"], "unit-hours"),
        *((f"outages, {what}", float(count), "") for what, count in summary["outages"].items() if count),
    ]
    for name, value, unit in rows:
        table.add_row(name, f"{value:,.1f}", unit)
    return [table]
