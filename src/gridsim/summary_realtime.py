"""What came otherwise than planned in the summary; nothing where all was foreseen.

Of files that do not say what windows expected to pay (older ones) the keys marked * are left out.

======================== ==========================================================================================
key                      meaning
======================== ==========================================================================================
forecast_rmse_mw         {load, wind, pv}: root mean square of what was believed less what came, of the system
redispatch_mwh           {who: MWh}: sum over the hours of what each gave more or less than planned: technologies but
                         wind and sun, demand that answers, curtailment, * unserved load (`gridsim.otherwise`)
redispatch_store_share   * of the sum of all of them, what stores did: 0..1
curtailment_planned_mwh  wind and sun that windows meant to curtail in these hours, own connections apart
curtailment_extra_mwh    what was curtailed beyond that
reserve_used_mwh         {up, down}: net load beyond what was believed, and below it
reserve_exceeded_h       {up, down}: hours in which that was more than the reserve that was planned
planned_cost             * cost of the hours as their windows expected it
uncertainty_cost         * total_cost less planned_cost and less what is no cost of not knowing: see below
uncertainty_cost_by_part * {part: of that}: parts of the cost, lived less planned; surprise, stored: less than
                         nothing where what came, or is stored at the end, was worth more than planned
units_called_h           unit-hours of units called in the hour itself
units_lost_h             unit-hours of units that were planned and not there
outages                  {unit, source, store, link, branch: outages in the run}
======================== ==========================================================================================

``uncertainty_cost`` is what this run knows of itself, window by window from the state that each was given. A day with
more load than believed costs more, but a plan that knew of it would have paid for it, too: what came otherwise counts
at the prices of the plan (`surprise`), and so does energy that stores hold beyond the plan (`stored`); the rest is the
price of answering in the hour (`gridsim.expected`). What the run would have cost with perfect forecasts, with other
units on and no reserve for errors, only such a run can tell (``gridsim compare``).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from gridsim.otherwise import Otherwise, costs_are_planned, relived
from gridsim.palette import label_of
from gridsim.schema import BELIEVED

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader
    from gridsim.summary_sums import Sums


def realtime_keys(run: ResultsReader, sums: Sums) -> dict[str, Any]:
    """All keys of this module's table; none of a run that foresaw everything."""
    if not relived(run):
        return {}
    what, dt_h = Otherwise(run, sums), run.dt_h
    off = {kind: what.believed[kind] - what.came[kind] for kind in BELIEVED}
    moved = {who: float(np.abs(mw).sum()) * dt_h for who, mw in what.moved.items()}
    planned, curtailed = (float(mw.sum()) * dt_h for mw in what.curtailed)
    used = what.used
    failed = (event for event in run.events if event.get("kind") == "outage")
    outages = Counter(event["what"] for event in failed if not event.get("stays"))
    return {
        "forecast_rmse_mw": {kind: float(np.sqrt((values**2).mean())) for kind, values in off.items()},
        "redispatch_mwh": moved,
        "curtailment_planned_mwh": planned,
        "curtailment_extra_mwh": curtailed - planned,
        "reserve_used_mwh": {way: float(values.sum()) * dt_h for way, values in used.items()},
        "reserve_exceeded_h": {way: float((used[way] > what.asked(way)).sum()) * dt_h for way in used},
        **(_of_expected(run, sums, moved, what.stores()) if costs_are_planned(run) else {}),
        "units_called_h": float(sums.total("realtime/called").sum()) * run.dt_h,
        "units_lost_h": float(sums.total("realtime/lost").sum()) * run.dt_h,
        "outages": {what: outages.get(what, 0) for what in ("unit", "source", "store", "link", "branch")},
    }


def _of_expected(run: ResultsReader, sums: Sums, moved: dict[str, float], stores: set[str]) -> dict[str, Any]:
    """What the windows expected to pay, what came on top of it, by part, and stores' share in all that moved."""
    planned = dict(zip(run.names("expected"), sums.total("realtime/planned_cost").tolist(), strict=True))
    beside = {part: -planned.pop(part) for part in ("surprise", "stored")}
    more = {part: float(sums.total(f"cost/{part}")) - cost for part, cost in planned.items()} | beside
    return {
        "redispatch_store_share": sum(moved[name] for name in stores) / max(sum(moved.values()), 1e-9),
        "planned_cost": sum(planned.values()),
        "uncertainty_cost": sum(more.values()),
        "uncertainty_cost_by_part": more,
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
    rows += [(f"made up by {label_of(who)}", value / 1e3, "GWh") for who, value in summary["redispatch_mwh"].items()]
    money, told = f"million {summary['currency']}", "planned_cost" in summary
    rows += [("share of stores in it", 100.0 * summary["redispatch_store_share"], "%")] if told else []
    rows += [
        ("curtailment that was planned", summary["curtailment_planned_mwh"] / 1e3, "GWh"),
        ("curtailment beyond it", summary["curtailment_extra_mwh"] / 1e3, "GWh"),
        *((f"reserve {way} used", value / 1e3, "GWh") for way, value in summary["reserve_used_mwh"].items()),
        *((f"hours beyond reserve {way}", value, "h") for way, value in summary["reserve_exceeded_h"].items()),
    ]
    if told:
        surprise = summary["uncertainty_cost_by_part"]["surprise"]
        rows += [
            ("cost that was planned", summary["planned_cost"] / 1e6, money),
            ("worth of what came otherwise", -surprise / 1e6, money),
            ("cost of uncertainty", summary["uncertainty_cost"] / 1e6, money),
        ]
    rows += [
        ("units called in the hour", summary["units_called_h"], "unit-hours"),
        ("units planned and not there", summary["units_lost_h"], "unit-hours"),
        *((f"outages, {what}", float(count), "") for what, count in summary["outages"].items() if count),
    ]
    for name, value, unit in rows:
        table.add_row(name, f"{value:,.1f}", unit)
    return [table]
