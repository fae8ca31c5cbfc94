"""The log of a run in which something went wrong: what failed, what was shed where, and how long recovery took.

An incident is a stretch of shortage: from the first step in which load is shed or reserve up is missing, beyond
`SHORT_MW`, until supply is whole again, which is when there has been neither for `CALM_H` hours on end. Outages that
are on at any time of it are its own: those that meet in one shortage are joined in one incident, and one that lasts
through several has a part in each. What is shed and missing belongs to the incident, not to one of its outages: nothing
says which of the things that were out at once is to blame for a megawatt. So each counts once, and all incidents add up
to the run. An incident is named after the outage that was the last to begin before it; shortage while nothing is out,
by errors of the forecast or for want of capacity, is an incident that has no outages.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader

SHORT_MW = 1.0  # of load or reserve: less is rounding
CALM_H = 3  # hours without shortage after which supply is whole again
SAID = 3  # outages and cities that a table names


@dataclass(frozen=True)
class Outage:
    """One element that failed."""

    number: int  # from 0 in the order of their beginning
    start: str
    first: int  # step of the run
    hours: float
    cause: str  # forced, or what the scenario calls it
    what: str  # unit, source, store, link, branch
    name: str
    zone: str
    lost_mw: float  # capacity; of a branch its rating
    announced: bool
    stays: bool  # a branch that stayed in service: its loss would have split the grid
    incidents: tuple[int, ...]  # that it has a part in


@dataclass(frozen=True)
class Incident:
    """A stretch of shortage and what was out in it."""

    number: int  # from 0 in the order of their beginning
    start: str  # first step of shortage
    first: int  # step of the run
    recovery_h: float  # until supply is whole again
    outages: tuple[int, ...]  # out when it begins, the last to fail first; then those that fail while it lasts
    after_h: float | None  # from the beginning of the first of them to that of the shortage; below 0: it failed later
    lost_mw: float  # most capacity that was out at once, branches apart
    weather: tuple[str, ...]  # events of the weather that were going on
    unserved_mwh: float
    unserved_mw: float  # most
    reserve_short_mwh: float  # up
    unserved_by_zone: dict[str, float]  # MWh


@dataclass(frozen=True)
class Log:
    """All outages and all incidents of a run."""

    incidents: list[Incident]
    outages: list[Outage]

    def __bool__(self) -> bool:
        return bool(self.incidents or self.outages)

    @property
    def failed(self) -> list[Outage]:
        """Outages without the branches that stayed in service."""
        return [one for one in self.outages if not one.stays]

    def name_of(self, one: Incident) -> str:
        """What an incident is called; "" where nothing was out."""
        if not one.outages:
            return ""
        last = self.outages[one.outages[0]]
        more = f" and {len(one.outages) - 1} more" if len(one.outages) > 1 else ""
        return f"{last.cause}: {last.name}{more}"

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        of_incidents = [{"name": self.name_of(one), **asdict(one)} for one in self.incidents]
        return {"incidents": of_incidents, "outages": [asdict(one) for one in self.outages]}


def log(run: "ResultsReader") -> Log:
    """What went wrong in a run."""
    events = [event for event in run.events if event.get("kind") == "outage"]
    shed, missing = run.array("unserved/load_mw"), reserve_missing(run)
    short = (shed.sum(axis=1) > SHORT_MW) | (missing > SHORT_MW)
    spans = shortages(short, round(CALM_H / run.dt_h))
    parts = [_out_in(events, first, after) for first, after in spans]
    zone = run.table("loads")["zone"].astype(str).to_numpy()
    incidents = []
    for number, ((first, after), own) in enumerate(zip(spans, parts, strict=True)):
        part = shed[first:after]
        of_zone = {str(name): float(part[:, zone == name].sum()) * run.dt_h for name in np.unique(zone)}
        incidents.append(
            Incident(
                number=number,
                start=f"{run.time[first]:%Y-%m-%dT%H:%M}",
                first=first,
                recovery_h=(after - first) * run.dt_h,
                outages=tuple(own),
                after_h=(first - int(events[own[0]]["first"])) * run.dt_h if own else None,
                lost_mw=_most_out([events[k] for k in own], first, after),
                weather=_weather(run, first, after),
                unserved_mwh=float(part.sum()) * run.dt_h,
                unserved_mw=float(part.sum(axis=1).max()),
                reserve_short_mwh=float(missing[first:after].sum()) * run.dt_h,
                unserved_by_zone={name: mwh for name, mwh in of_zone.items() if mwh > 0.0},
            )
        )
    return Log(incidents, [_outage(k, event, parts) for k, event in enumerate(events)])


def reserve_missing(run: "ResultsReader") -> NDArray[np.float64]:
    """(steps,) most that is missing of any reserve up. [MW]"""
    up = (run.table("products")["direction"] == "up").to_numpy(bool)
    out: NDArray[np.float64] = run.array("reserve/short_mw")[:, up].max(axis=1, initial=0.0)
    return out


def shortages(short: NDArray[np.bool_], calm: int) -> list[tuple[int, int]]:
    """First step of each stretch of shortage and the step after its last; fewer than `calm` whole steps end none."""
    steps = np.flatnonzero(short)
    if not steps.size:
        return []
    cuts = np.flatnonzero(np.diff(steps) > calm) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(steps, cuts)]


def _out_in(events: list[dict[str, Any]], first: int, after: int) -> list[int]:
    """Outages that are on in some of the steps: those that had begun, the last first, then the others in order."""
    own = [
        k
        for k, event in enumerate(events)
        if not event.get("stays") and event["first"] < after and event["first"] + event["steps"] > first
    ]
    begun = sorted(
        (k for k in own if events[k]["first"] <= first), key=lambda k: (-events[k]["first"], -events[k]["lost_mw"], k)
    )
    return begun + [k for k in own if events[k]["first"] > first]


def _most_out(events: list[dict[str, Any]], first: int, after: int) -> float:
    out = np.zeros(after - first)
    for event in events:
        if event["what"] != "branch":
            out[max(event["first"] - first, 0) : event["first"] + event["steps"] - first] += event["lost_mw"]
    return float(out.max())


def _weather(run: "ResultsReader", first: int, after: int) -> tuple[str, ...]:
    """Events of the weather that go on in some of the steps."""
    begin, end = run.time[first], run.time[after - 1]
    found = []
    for event in run.events:
        if event.get("kind") != "outage":
            start = pd.Timestamp(event["start"])
            if start <= end and start + pd.Timedelta(hours=float(event["hours"])) > begin:
                found.append(str(event["name"]))
    return tuple(found)


def _outage(number: int, event: dict[str, Any], parts: list[list[int]]) -> Outage:
    return Outage(
        number=number,
        start=str(event["start"]),
        first=int(event["first"]),
        hours=float(event["hours"]),
        cause=str(event["cause"]),
        what=str(event["what"]),
        name=str(event["name"]),
        zone=str(event["zone"]),
        lost_mw=float(event["lost_mw"]),
        announced=bool(event["announced"]),
        stays=bool(event.get("stays")),
        incidents=tuple(k for k, own in enumerate(parts) if number in own),
    )


# -- for people


def worst_of(found: Log) -> list[Incident]:
    """By load not served, then by reserve missing."""
    return sorted(found.incidents, key=lambda one: (-one.unserved_mwh, -one.reserve_short_mwh, one.number))


def tables_of(found: Log, most: int) -> list["Table"]:
    """The worst incidents and the largest outages."""
    return [_incident_table(found, most), *([_outage_table(found, most)] if found.outages else [])]


def _incident_table(found: Log, most: int) -> "Table":
    worst = worst_of(found)[:most]
    table = _table(f"{len(found.incidents)} incidents, the worst {len(worst)}", {
        "short from": False, "until whole, h": True, "shed, MWh": True, "reserve, MWh": True, "out, MW": True,
        "what was out, the last to fail first": False, "shed in": False, "weather": False,
    })  # fmt: skip
    for one in worst:
        zones = sorted(one.unserved_by_zone.items(), key=lambda item: (-item[1], item[0]))[:SAID]
        table.add_row(
            one.start.replace("T", " "), f"{one.recovery_h:g}", f"{one.unserved_mwh:,.1f}",
            f"{one.reserve_short_mwh:,.1f}", f"{one.lost_mw:,.0f}", _said([found.outages[k] for k in one.outages]),
            ", ".join(f"{zone} {mwh:,.0f}" for zone, mwh in zones), ", ".join(one.weather),
        )  # fmt: skip
    return table


def _said(outages: list[Outage]) -> str:
    """The first of them, a cause said once for those that follow each other."""
    causes = ["", *(one.cause for one in outages)]
    said = [
        one.name if one.cause == before else f"{one.cause}: {one.name}"
        for before, one in zip(causes[:SAID], outages[:SAID], strict=False)
    ]
    more = f" and {len(outages) - SAID} more" if len(outages) > SAID else ""
    return ", ".join(said) + more or "nothing"


def _outage_table(found: Log, most: int) -> "Table":
    largest = sorted(found.outages, key=lambda one: (-one.lost_mw, one.number))[:most]
    table = _table(f"{len(found.outages)} outages, the largest {len(largest)}", {
        "from": False, "h": True, "cause": False, "element": False, "MW": True, "incidents": True,
    })  # fmt: skip
    for one in largest:
        name = f"{one.what} {one.name}" + (" (stayed in service: its loss would split the grid)" if one.stays else "")
        table.add_row(
            one.start.replace("T", " "), f"{one.hours:g}", one.cause, name, f"{one.lost_mw:,.0f}",
            str(len(one.incidents)),
        )  # fmt: skip
    return table


def _table(title: str, columns: dict[str, bool]) -> "Table":
    """`columns`: whether each is of numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title=title)
    for name, right in columns.items():
        table.add_column(name, justify="right" if right else "left")
    return table
