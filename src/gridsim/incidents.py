"""The log of a run in which something went wrong: what happened, what was shed where, and how long recovery took.

An incident has its effect from its first step until supply is whole again: no load shed and no reserve up missing,
beyond `SHORT_MW`, for `CALM_H` hours on end. What is shed in that time counts for every incident that is going on: they
are not told apart where several meet.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader

SHORT_MW = 1.0  # of load or reserve: less is rounding
CALM_H = 3  # hours without shortage after which supply is whole again


@dataclass(frozen=True)
class Incident:
    """An outage of the run and what came of it."""

    start: str
    hours: float  # that the outage lasts
    cause: str  # forced, or what the scenario calls it
    what: str  # unit, source, store, link, branch
    name: str
    zone: str
    lost_mw: float
    announced: bool
    unserved_mwh: float
    reserve_short_mwh: float  # up
    recovery_h: float  # from its first step until supply is whole again; 0: it was never short
    unserved_by_zone: dict[str, float]  # MWh


def incidents(run: "ResultsReader") -> list[Incident]:
    """All outages of a run in the order of their beginning."""
    events = [event for event in run.events if event.get("kind") == "outage"]
    if not events:
        return []
    dt_h = run.dt_h
    shed, zone = run.array("unserved/load_mw"), run.table("loads")["zone"].astype(str).to_numpy()
    up = (run.table("products")["direction"] == "up").to_numpy(bool)
    missing = run.array("reserve/short_mw")[:, up].max(axis=1, initial=0.0)
    short = (shed.sum(axis=1) > SHORT_MW) | (missing > SHORT_MW)
    calm = round(CALM_H / dt_h)
    out = []
    for event in events:
        first = int(event["first"])
        last = recovered(short, first, int(event["steps"]), calm)
        part = shed[first:last]
        of_zone = {str(name): float(part[:, zone == name].sum()) * dt_h for name in np.unique(zone)}
        out.append(
            Incident(
                start=str(event["start"]),
                hours=float(event["hours"]),
                cause=str(event["cause"]),
                what=str(event["what"]),
                name=str(event["name"]),
                zone=str(event["zone"]),
                lost_mw=float(event["lost_mw"]),
                announced=bool(event["announced"]),
                unserved_mwh=float(part.sum()) * dt_h,
                reserve_short_mwh=float(missing[first:last].sum()) * dt_h,
                recovery_h=(last - first) * dt_h if short[first:last].any() else 0.0,
                unserved_by_zone={name: mwh for name, mwh in of_zone.items() if mwh > 0.0},
            )
        )
    return out


def recovered(short: NDArray[np.bool_], first: int, steps: int, calm: int) -> int:
    """Step from which supply is whole again after an outage at `first` that lasts `steps`.

    Shortage that begins while it lasts is its own, and lasts until there is none for `calm` steps.
    """
    after = first
    for t in range(first, len(short)):
        if short[t] and (t < first + steps or t - after < calm):
            after = t + 1
        elif t >= first + steps and t - after >= calm:
            break
    return after


def as_dicts(found: list[Incident]) -> list[dict[str, Any]]:
    """For machines."""
    return [asdict(one) for one in found]


def table_of(found: list[Incident], most: int) -> "Table":
    """The worst for people: by load not served, then by reserve missing, then by what was lost."""
    from rich import box
    from rich.table import Table

    worst = sorted(found, key=lambda one: (-one.unserved_mwh, -one.reserve_short_mwh, -one.lost_mw, one.start))[:most]
    table = Table(box=box.SIMPLE, title=f"{len(found)} outages, the worst {len(worst)}")
    right = {"h", "MW", "shed, MWh", "reserve, MWh", "recovery, h"}
    for name in ("from", "h", "cause", "element", "MW", "shed, MWh", "reserve, MWh", "recovery, h", "shed in"):
        table.add_column(name, justify="right" if name in right else "left")
    for one in worst:
        zones = sorted(one.unserved_by_zone.items(), key=lambda item: (-item[1], item[0]))[:3]
        said = ", ".join(f"{zone} {mwh:,.0f}" for zone, mwh in zones)
        numbers = (f"{one.lost_mw:,.0f}", f"{one.unserved_mwh:,.1f}", f"{one.reserve_short_mwh:,.1f}")
        table.add_row(
            one.start.replace("T", " "), f"{one.hours:g}", one.cause, f"{one.what} {one.name}", *numbers,
            f"{one.recovery_h:g}", said,
        )  # fmt: skip
    return table
