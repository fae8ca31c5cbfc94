"""What was consumed and what answered in the summary: load by component, flexible demand by zone.

============================= ====================================================================================
key                           meaning
============================= ====================================================================================
load_twh_by_component         {component: TWh before shedding}; "load" where the net names none
load_twh_by_zone              {zone: {component: TWh}}
flexible_gwh                  {tech: {zone: {charged, discharged, used}}}, GWh of stores that stand for demand, heat
                              and hydrogen: load more, load less, and what was taken out of the store for its use;
                              sources that only take power (hydrogen of the year) are charged
============================= ====================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader
    from gridsim.summary_sums import Sums

DEMAND_TECHS = ("hydrogen", "heat", "ev", "ac", "dr_shift", "dr_interrupt")
PARTS = {"charged": "charge_mw", "discharged": "discharge_mw", "used": "demand_mw"}


def demand_keys(run: ResultsReader, sums: Sums) -> dict[str, Any]:
    """All keys of this module's table."""
    loads, stores = run.table("loads"), run.table("stores")
    twh = sums.total("dispatch/load_mw") * run.dt_h / 1e6
    component = [str(name) or "load" for name in loads["component"]]
    gwh = {part: sums.total(f"storage/{name}") * run.dt_h / 1e3 for part, name in PARTS.items()}
    by_component: dict[str, float] = {}
    by_zone: dict[str, dict[str, float]] = {}
    for name, zone, value in zip(component, loads["zone"], twh.tolist(), strict=True):
        by_component[name] = by_component.get(name, 0.0) + value
        of_zone = by_zone.setdefault(str(zone), {})
        of_zone[name] = of_zone.get(name, 0.0) + value
    flexible: dict[str, dict[str, dict[str, float]]] = {}
    for j, (tech, zone) in enumerate(zip(stores["tech"], stores["zone"], strict=True)):
        if str(tech) in DEMAND_TECHS:
            gwh_of = flexible.setdefault(str(tech), {}).setdefault(str(zone), dict.fromkeys(PARTS, 0.0))
            for part in PARTS:
                gwh_of[part] += float(gwh[part][j])
    sources, taken = run.table("sources"), sums.total("taken")
    for j, (tech, zone) in enumerate(zip(sources["tech"], sources["zone"], strict=True)):
        if str(tech) in DEMAND_TECHS:
            gwh_of = flexible.setdefault(str(tech), {}).setdefault(str(zone), dict.fromkeys(PARTS, 0.0))
            gwh_of["charged"] += float(taken[j]) * run.dt_h / 1e3
    return {"load_twh_by_component": by_component, "load_twh_by_zone": by_zone, "flexible_gwh": flexible}


def demand_tables(summary: dict[str, Any]) -> list[Table]:
    """Load by component, and flexible demand by zone, for people; none where there is nothing to tell apart."""
    from rich import box
    from rich.table import Table

    out = []
    whole = sum(summary["load_twh_by_component"].values())
    if len(summary["load_twh_by_component"]) > 1 and whole > 0.0:
        table = Table(box=box.SIMPLE, title="load by component")
        for name in ("component", "TWh", "share"):
            table.add_column(name, justify="left" if name == "component" else "right")
        for name, twh in summary["load_twh_by_component"].items():
            table.add_row(name, f"{twh:,.3f}", f"{100 * twh / whole:.2f} %")
        out.append(table)
    flexible = summary["flexible_gwh"]
    if flexible:
        table = Table(box=box.SIMPLE, title="demand that answers, GWh charged / discharged")
        for name in ("zone", *flexible):
            table.add_column(name, justify="left" if name == "zone" else "right")
        for zone in sorted({zone for zones in flexible.values() for zone in zones}):
            cells = [zones.get(zone) for zones in flexible.values()]
            said = [f"{c['charged']:,.1f} / {c['discharged']:,.1f}" if c else "" for c in cells]
            table.add_row(zone, *said)
        out.append(table)
    return out
