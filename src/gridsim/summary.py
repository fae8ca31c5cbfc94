"""The numbers of ``gridsim show --json``, computed from a results file.

Keys, stable from 1.0 on; a new one may be added, none changes its meaning. Money is in the currency of the run.

======================== ==========================================================================================
key                      meaning
======================== ==========================================================================================
scenario, currency       name of the scenario; currency of all money
start, hours             first hour (local time), number of hours simulated
resolution_min           length of a step, minutes
total_cost               cost of the hours as executed: energy, no-load, starts, wear and all penalties
cost_by_part             {energy, no_load, start, wear, shed, spill, reserve_short, overload, budget}: its parts
lower_bound              total_cost - sum over windows of (cost - bound): see below
gap_mean, gap_max        mean and worst of (cost - bound) / cost over the windows
energy_twh               {tech: TWh} fed into the grid; exports negative; stores: discharged - charged, negative
load_twh                 load before shedding
energy_price             price of energy at the reference bus, mean by load, currency/MWh
unserved_mwh             load not served
curtailment_mwh          available and not taken, all causes: see `gridsim.summary_curtailment`
curtailment_rate         of what curtailable sources had available, own limits apart: 0..1
curtailment_mwh_by_tech  {tech: MWh}
curtailment_rate_by_tech {tech: 0..1}
loss_mwh, loss_rate      lost in the AC network, and of the energy fed into it: 0..1; 0 if the run has no losses
spill_mwh                must-run energy thrown away
reserve_short_mwh        reserve missing, all products, MW times hours
overload_mwh             flow beyond ratings and interface limits, MW times hours
starts                   starts of thermal units
co2_mt                   million tonnes of CO2
budget_used              {budget: use}, in its own unit
budget_excess            {budget: use beyond at_most}
budget_missing           {budget: missing of at_least}
budget_price             {budget: mean of its price, weighted by use, currency per unit}
peak_load_mw             highest load of a step
peak_valley_mw           {before, after}: mean over days of highest - lowest net load, before and after regulation
                         by all but coal
load_twh_by_..., ...     load by component, demand that answers: see `gridsim.summary_demand`
regulation_..., ...      the ledger of peak shaving: see `gridsim.summary_ledger`
money, ...               payments, revenues and rents: see `gridsim.summary_money`
forecast_rmse_mw, ...    what came otherwise than planned: see `gridsim.summary_realtime`
ac_hours, ...            the AC check, if the run went through one: see `gridsim.summary_ac`
co2_mt_by_..., ...       carbon and coal by fuel, zone, month; whose it is: see `gridsim.summary_carbon`
cpu_s, wall_s            of the simulation: without installation, reading the network, and compilation
compile_s                compiling or loading the kernels
peak_rss_mb              highest memory of the process
file_mb                  size of the results file
======================== ==========================================================================================

What ``lower_bound`` certifies. Each window is a problem of its own: the state that the window before left (units on,
stored energy), `window_h` hours of look-ahead. Its ``bound`` is proven: no schedule of that window from that state
is cheaper. ``cost - bound`` is therefore the most that solving the window exactly could have saved, and the sum over
windows the most that exact solutions of all of them, each from the state it was given, could have saved; look-ahead
hours that are not kept count in full, twice for 48 h windows that keep 24 h, so the figure is on the safe side.
It is not a bound on the best possible year: a plan that saw the whole year at once could be cheaper than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gridsim.schema import DATASETS
from gridsim.summary_ac import ac_keys, ac_table
from gridsim.summary_carbon import carbon_keys, carbon_table
from gridsim.summary_curtailment import curtailment_keys, curtailment_table
from gridsim.summary_demand import demand_keys, demand_tables
from gridsim.summary_ledger import ledger_keys, ledger_table
from gridsim.summary_money import money_keys, money_table
from gridsim.summary_realtime import realtime_keys, realtime_table
from gridsim.summary_sums import OWN, Sums, ratio, sums_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gridsim.results import ResultsReader

# Keys that differ from one execution to the next: from /meta/run and the file itself, not kept in /summary.
RUN_KEYS = ("cpu_s", "wall_s", "compile_s", "peak_rss_mb", "file_mb")

COST_PARTS = tuple(d.path.split("/")[1] for d in DATASETS if d.group == "cost" and d.path != "cost/total")


def run_keys(run: ResultsReader) -> dict[str, float]:
    """What differs from one execution to the next."""
    measured = {key: float(run.run.get(key, float("nan"))) for key in RUN_KEYS if key != "file_mb"}
    return measured | {"file_mb": run.path.stat().st_size / 1e6}


def summarise(run: ResultsReader, sums: Sums | None = None) -> dict[str, Any]:
    """All keys of this module's table, as plain numbers and dicts of numbers; `sums`: of hours that a file may lack."""
    sums = sums or sums_of(run)

    def total(path: str) -> float:
        return float(sums.total(path).sum(dtype=np.float64))

    def energy_mwh(path: str) -> float:
        return total(path) * run.dt_h

    windows, total_cost, load = run.table("windows"), total("cost/total"), sums.series("load")
    techs = run.names("tech")
    energy = sums.total("dispatch/tech_p_mw") * run.dt_h / 1e6
    curtailed, available = _curtailment_by_tech(run, sums)
    curtailment_mwh, unserved_mwh = energy_mwh("curtailment/source_mw"), energy_mwh("unserved/load_mw")
    lost, served = energy_mwh("flow/loss_mw"), float(load.sum()) * run.dt_h - unserved_mwh
    peak_valley = {k: _mean(run.array(f"peak_shaving/peak_valley_{k}_mw")) for k in ("before", "after")}
    return {
        "scenario": run.meta["scenario_name"],
        "currency": run.currency,
        "start": str(run.start),
        "hours": run.hours,
        "resolution_min": run.resolution_min,
        "total_cost": total_cost,
        "cost_by_part": {part: total(f"cost/{part}") for part in COST_PARTS},
        "lower_bound": total_cost - float((windows["cost"] - windows["bound"]).sum()),
        "gap_mean": _mean(windows["gap"].to_numpy()),
        "gap_max": float(windows["gap"].max()),
        "energy_twh": {tech: float(e) for tech, e in zip(techs, energy, strict=True)},
        "load_twh": float(load.sum()) * run.dt_h / 1e6,
        "energy_price": ratio(float((sums.series("price/energy") * load).sum()), float(load.sum())),
        "unserved_mwh": unserved_mwh,
        "curtailment_mwh": curtailment_mwh,
        "curtailment_rate": ratio(curtailment_mwh, sum(available.values())),
        "curtailment_mwh_by_tech": curtailed,
        "curtailment_rate_by_tech": {tech: ratio(curtailed[tech], available[tech]) for tech in curtailed},
        **curtailment_keys(run, sums),
        "loss_mwh": lost,
        "loss_rate": ratio(lost, served + lost),
        **money_keys(run, sums),
        **carbon_keys(run, sums),
        **realtime_keys(run, sums),
        "spill_mwh": energy_mwh("spill/bus_mw"),
        "reserve_short_mwh": energy_mwh("reserve/short_mw"),
        "overload_mwh": energy_mwh("flow/branch_overload_mw") + energy_mwh("flow/interface_overload_mw"),
        "starts": int(total("commitment/start")),
        "co2_mt": total("carbon/tech_t") / 1e6,
        **_budgets(run, sums),
        "peak_load_mw": float(load.max(initial=0.0)),
        "peak_valley_mw": peak_valley,
        **demand_keys(run, sums),
        **ledger_keys(run, sums),
        **ac_keys(run),
        **run_keys(run),
    }


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _budgets(run: ResultsReader, sums: Sums) -> dict[str, dict[str, float]]:
    """Sums and mean price of every budget."""
    names = run.names("budget_name")
    use, excess, missing, price = (sums.series(f"budget/{name}") for name in ("use", "excess", "missing", "price"))
    paid = (use * price).sum(axis=0) / np.maximum(use.sum(axis=0), 1e-12)
    columns = use.sum(axis=0), excess.sum(axis=0), missing.sum(axis=0), paid
    keys = ("budget_used", "budget_excess", "budget_missing", "budget_price")
    return {
        key: {name: float(value) for name, value in zip(names, values, strict=True)}
        for key, values in zip(keys, columns, strict=True)
    }


def _curtailment_by_tech(run: ResultsReader, sums: Sums) -> tuple[dict[str, float], dict[str, float]]:
    """MWh curtailed and MWh available before own limits, of curtailable sources, by technology."""
    sources = run.table("sources")
    curtailed = sums.total("curtailment/source_mw") * run.dt_h
    available = (sums.total("dispatch/source_available_mw") + sums.total("curtailment/cause_mw")[:, OWN]) * run.dt_h
    ours = sources["curtailable"].to_numpy(dtype=bool)
    tech = sources["tech"].to_numpy()
    names = [t for t in run.names("tech") if (tech[ours] == t).any()]
    by_tech = [{t: float(values[ours & (tech == t)].sum()) for t in names} for values in (curtailed, available)]
    return by_tech[0], by_tech[1]


def _by(summary: dict[str, Any]) -> str:
    return "" if summary["resolution_min"] == 60 else f" by {summary['resolution_min']} min"


def as_text(summary: dict[str, Any]) -> RenderableType:
    """The summary for people: two tables of rich."""
    from rich import box
    from rich.columns import Columns
    from rich.table import Table

    money = summary["currency"]
    facts = Table(
        box=box.SIMPLE, show_header=False, title=f"{summary['scenario']}: {summary['hours']:,} h{_by(summary)}"
    )
    facts.add_column()
    facts.add_column(justify="right")
    facts.add_column()
    cost = summary["total_cost"]
    scale, word = next((s, w) for s, w in ((1e9, "bn "), (1e6, "million "), (1.0, "")) if abs(cost) >= s or s == 1.0)
    rows: list[tuple[str, str, str]] = [
        ("from", summary["start"].replace("T", " ") + ":00", ""),
        ("total cost", f"{cost / scale:,.4f}", f"{word}{money}"),
        ("lower bound, by windows", f"{summary['lower_bound'] / scale:,.4f}", f"{word}{money}"),
        ("gap of a window, mean", f"{100 * summary['gap_mean']:.4f}", "%"),
        ("gap of a window, worst", f"{100 * summary['gap_max']:.4f}", "%"),
        ("highest load", f"{summary['peak_load_mw']:,.0f}", "MW"),
        ("peak-valley, before regulation", f"{summary['peak_valley_mw']['before']:,.0f}", "MW"),
        ("peak-valley, left for coal", f"{summary['peak_valley_mw']['after']:,.0f}", "MW"),
        ("load rate of coal", f"{100 * summary['coal_load_rate']:.1f}", "%"),
        ("deep peaking of coal", f"{sum(summary['deep_unit_h'].values()):,.0f}", "unit-hours"),
        ("paid for it", f"{sum(summary['compensation'].values()) / scale:,.4f}", f"{word}{money}"),
        ("two-shift starts", f"{sum(summary['two_shift_starts'].values()):,}", ""),
        ("hours short of regulation", "{up:,.0f} up, {down:,.0f} down".format(**summary["shortfall_hours"]), ""),
        ("curtailed", f"{summary['curtailment_mwh'] / 1e3:,.1f}", "GWh"),
        ("curtailment rate", f"{100 * summary['curtailment_rate']:.2f}", "%"),
        ("unserved", f"{summary['unserved_mwh']:,.1f}", "MWh"),
        ("spilled", f"{summary['spill_mwh']:,.1f}", "MWh"),
        ("reserve short", f"{summary['reserve_short_mwh']:,.1f}", "MWh"),
        ("overloads", f"{summary['overload_mwh']:,.1f}", "MWh"),
        ("starts", f"{summary['starts']:,}", ""),
        ("CO2", f"{summary['co2_mt']:,.2f}", "Mt"),
        ("simulation, CPU", f"{summary['cpu_s']:,.1f}", "s"),
        ("simulation, clock", f"{summary['wall_s']:,.1f}", "s"),
        ("compilation", f"{summary['compile_s']:,.1f}", "s"),
        ("memory, highest", f"{summary['peak_rss_mb']:,.0f}", "MB"),
        ("file", f"{summary['file_mb']:,.1f}", "MB"),
    ]
    if summary["loss_mwh"] > 0.0:
        lost = f"{summary['loss_mwh'] / 1e3:,.1f}", "GWh"
        rows[10:10] = [("lost in the network", *lost), ("loss rate", f"{100 * summary['loss_rate']:.2f}", "%")]
    for name, used in summary["budget_used"].items():
        beyond, short = summary["budget_excess"][name], summary["budget_missing"][name]
        said = [f"at {summary['budget_price'][name]:,.2f} {money}"]
        said += [f"{beyond:,.1f} too much"] if beyond else []
        said += [f"{short:,.1f} missing"] if short else []
        rows.insert(-5, (f"budget {name}", f"{used:,.1f}", ", ".join(said)))
    for row in rows:
        facts.add_row(*row)
    energy = Table(box=box.SIMPLE, title="energy and curtailment")
    positive = sum(max(e, 0.0) for e in summary["energy_twh"].values())
    per_twh, unit = (1.0, "TWh") if positive >= 0.1 else (1e3, "GWh")
    for name in ("technology", unit, "share", "curtailed"):
        energy.add_column(name, justify="left" if name == "technology" else "right")
    for tech, twh in summary["energy_twh"].items():
        rate = summary["curtailment_rate_by_tech"].get(tech)
        share = f"{100 * twh / positive:.1f} %" if twh > 0.0 else ""
        energy.add_row(tech, f"{twh * per_twh:,.3f}", share, "" if rate is None else f"{100 * rate:.2f} %")
    tables = [facts, energy, *demand_tables(summary), ledger_table(summary), curtailment_table(summary)]
    last: list[RenderableType] = [*realtime_table(summary)]
    last += [ac_table(summary)] if "ac_hours" in summary else []
    return Columns([*tables, money_table(summary), carbon_table(summary), *last], padding=(0, 4))
