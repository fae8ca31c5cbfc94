"""Outages and incidents: what was out when, what was shed where, how long until supply was whole again.

Nothing where nothing failed.
"""

from collections import defaultdict

import numpy as np
import pandas as pd

from gridsim.incidents import SAID, Incident, Outage, reserve_missing, worst_of
from gridsim.page.data import Hours
from gridsim.page.parts import (
    DAY,
    HOUR,
    Chart,
    Column,
    Option,
    Payload,
    Row,
    Section,
    Spec,
    Table,
    area,
    axis,
    bars,
    figure,
    line,
    named,
)
from gridsim.palette import INK, LINE_COLOURS, RED, FloatArray, colour_of, energy_unit, power_unit
from gridsim.plots_data import SEEN_MW
from gridsim.schema import ordered_techs

ROWS = 40  # of a table
BARS = 1_500  # of the timeline
LANE_PX, LEAST_PX, MOST_PX = 9, 260, 900  # height of a lane of the timeline, of all of it
HOUR_MS = 3_600_000


def section(run: Hours, page: Payload) -> Section:
    if not run.log.outages:
        return Section("incidents", [])
    kinds = _kinds(run)
    charts = [_timeline(run, page, kinds), _out(run, page, kinds), *_shed(run, page)]
    tables = [_incidents(run, page)] if run.log.incidents else []
    return Section("incidents", charts, [*tables, _outages(run, page, kinds)])


def _kinds(run: Hours) -> dict[str, list[Outage]]:
    """What failed by technology, then links and branches."""
    tables = {what: run.run.table(f"{what}s") for what in ("unit", "source", "store")}
    tech = {
        (what, str(name)): str(kind)
        for what, table in tables.items()
        for name, kind in zip(table["name"], table["tech"], strict=True)
    }
    found: dict[str, list[Outage]] = defaultdict(list)
    for one in run.log.failed:
        found[tech.get((one.what, one.name), one.what)].append(one)
    last = [what for what in ("link", "branch") if what in found]
    return {kind: found[kind] for kind in [*ordered_techs(found.keys() - set(last)), *last]}


def _said(kind: str) -> str:
    return f"@outage.{kind}" if kind in ("link", "branch") else named("tech", kind)


def _colour(kind: str, kinds: list[str]) -> str:
    return {"link": "#0b4f8a", "branch": "#7a8794"}.get(kind) or colour_of(kind, kinds)


def _timeline(run: Hours, page: Payload, kinds: dict[str, list[Outage]]) -> Chart:
    """A bar for every outage, in as few lanes of its kind as overlap; red where supply was short."""
    shown = {one.number for one in sorted(run.log.failed, key=lambda one: (-one.lost_mw, one.number))[:BARS]}
    data: list[Spec] = []
    lane, ticks = 0, []
    for kind, outages in kinds.items():
        ends: list[float] = []  # of the last bar of each lane
        place, own = [], [one for one in outages if one.number in shown]
        for one in own:
            free = next((k for k, end in enumerate(ends) if end <= one.first), len(ends))
            ends[free : free + 1] = [one.first + one.hours / run.run.dt_h]
            place.append(lane + free)
        if own:
            ticks.append((lane + (len(ends) - 1) / 2, _said(kind)))
            lane += len(ends) + 1
            data.append(_bars(run, kind, own, place, _colour(kind, list(kinds))))
    marks = [
        {
            "type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
            "x0": one.start, "x1": _after(one.start, one.recovery_h),
            "fillcolor": "rgba(193,18,31,0.25)", "line": {"width": 1, "color": "rgba(193,18,31,0.35)"},
        }
        for one in worst_of(run.log)[:200]
    ]  # fmt: skip
    rows = axis(
        tickvals=[at for at, _ in ticks],
        ticktext=[text for _, text in ticks],
        range=[lane, -1],
        showgrid=False,
        zeroline=False,
    )
    span = [str(run.time[0]), str(run.time[-1] + pd.Timedelta(hours=1))]
    spec = figure(
        data,
        xaxis={"type": "date", "range": span},
        yaxis=rows,
        barmode="overlay",
        shapes=marks,
        showlegend=False,
        bargap=0,
    )
    return Chart("outage_timeline", [Option(spec)], height=min(max(LANE_PX * lane, LEAST_PX), MOST_PX))


def _bars(run: Hours, kind: str, outages: list[Outage], place: list[int], colour: str) -> Spec:
    return {
        "type": "bar", "orientation": "h", "name": _said(kind), "y": place, "width": 0.8,
        "base": [one.start for one in outages], "x": [one.hours * HOUR_MS for one in outages],
        "marker": {"color": colour},
        "customdata": [
            [one.name, round(one.lost_mw), one.hours, one.start.replace("T", " "), len(one.incidents)]
            for one in outages
        ],
        "hovertemplate": "@hover.outage",
    }  # fmt: skip


def _after(start: str, hours: float) -> str:
    return str(np.datetime64(start, "m") + np.timedelta64(round(60 * hours), "m"))


def _out(run: Hours, page: Payload, kinds: dict[str, list[Outage]]) -> Chart:
    """Capacity out by technology; a branch is no capacity."""
    parts: dict[str, FloatArray] = {}
    for kind, outages in kinds.items():
        if kind != "branch":
            steps = np.zeros(run.run.steps)
            for one in outages:
                steps[one.first : one.first + round(one.hours / run.run.dt_h)] += one.lost_mw
            parts[kind] = run.mean(steps)
    scale, unit = power_unit(np.sum(list(parts.values()), axis=0) if parts else [0.0])
    whole: list[Spec] = []
    hours: list[Spec] = []
    for kind, power in parts.items():
        colour = _colour(kind, list(kinds))
        whole.append(area(_said(kind), DAY, page.put(f"out.{kind}.daily", run.daily(power) / scale), colour, unit=unit))
        hours.append(area(_said(kind), HOUR, page.put(f"out.{kind}", power / scale), colour, unit=unit))
    layout = {"yaxis": axis(f"@axis.power.{unit}"), "hovermode": "x unified", "legend": {"traceorder": "reversed"}}
    return Chart("outage_capacity", [Option(figure(whole, **layout), figure(hours, **layout))], presets=_days(run))


def _days(run: Hours) -> list[tuple[str, int]]:
    worst = worst_of(run.log)
    return [("@day.worst_incident", int(worst[0].first * run.run.dt_h))] if worst else []


def _shed(run: Hours, page: Payload) -> list[Chart]:
    """Where load was shed and when reserve was missing; none where supply was always whole."""
    shed = run.by_zone("loads", run.read("unserved/load_mw"))
    zones = {zone: power for zone, power in shed.items() if power.max() > SEEN_MW}
    missing = run.mean(reserve_missing(run.run))
    if not zones and missing.max(initial=0.0) <= SEEN_MW:
        return []
    scale, unit = power_unit([*(float(p.max()) for p in zones.values()), float(missing.max())])
    sums = [run.day_sums(power) for power in (*zones.values(), missing)]
    day_scale, day_unit = energy_unit(np.concatenate(sums))
    whole: list[Spec] = []
    hours: list[Spec] = []
    for k, (zone, power) in enumerate(sorted(zones.items(), key=lambda item: -float(item[1].sum()))):
        colour, text = LINE_COLOURS[k % len(LINE_COLOURS)], named("zone", zone)
        daily = page.put(f"shed.{zone}.daily", run.day_sums(power) / day_scale)
        whole.append(area(text, DAY, daily, colour, unit=day_unit))
        hours.append(area(text, HOUR, page.put(f"shed.{zone}", power / scale), colour, unit=unit))
    daily = page.put("missing.daily", run.day_sums(missing) / day_scale)
    whole.append(line("@incident.reserve", DAY, daily, INK, unit=day_unit, dash="dot"))
    hours.append(line("@incident.reserve", HOUR, page.put("missing", missing / scale), INK, unit=unit, dash="dot"))
    layout = {"hovermode": "x unified"}
    per_day = page.say("axis.energy_per", unit=day_unit, period="@period.day")
    option = Option(
        figure(whole, yaxis=axis(per_day), **layout), figure(hours, yaxis=axis(f"@axis.power.{unit}"), **layout)
    )
    return [Chart("shed", [option], presets=_days(run)), *_recovery(run)]


def _recovery(run: Hours) -> list[Chart]:
    """How long it took until supply was whole again."""
    incidents = run.log.incidents
    if not incidents:
        return []
    lengths = np.ceil([one.recovery_h for one in incidents]).astype(int)
    some = np.array([one.unserved_mwh > 0.5 for one in incidents])
    x = list(range(1, int(lengths.max()) + 1))
    data = [
        bars(name, x, [int(((lengths == h) & which).sum()) for h in x], colour)
        for name, which, colour in (("@incident.shed", some, RED), ("@incident.only_reserve", ~some, "#f2a541"))
    ]
    layout = {"xaxis": axis("@axis.recovery"), "yaxis": axis("@axis.incidents"), "hovermode": "x unified"}
    return [Chart("recovery", [Option(figure(data, barmode="stack", **layout))], height=320)]


def _incidents(run: Hours, page: Payload) -> Table:
    rows = []
    for one in worst_of(run.log)[:ROWS]:
        numbers = [one.recovery_h, one.unserved_mwh, one.reserve_short_mwh, one.lost_mw]
        words = [_names(run, page, one), _places(page, one), [*one.weather]]
        rows.append(Row(words, [round(v, 2) for v in numbers], int(one.first * run.run.dt_h)))
    columns = [Column(f"@column.incident_{name}", 1 if name == "h" else 0) for name in ("h", "shed", "reserve", "out")]
    return Table("incidents", ["@table.out", "@table.shed_in", "@table.weather"], columns, rows)


def _names(run: Hours, page: Payload, one: Incident) -> list[str]:
    if not one.outages:
        return ["@outage.none"]
    names = [run.log.outages[k].name for k in one.outages[:SAID]]
    more = len(one.outages) - SAID
    return [*names, page.say("outage.more", number=more)] if more > 0 else names


def _places(page: Payload, one: Incident) -> list[str]:
    found = sorted(one.unserved_by_zone.items(), key=lambda item: (-item[1], item[0]))[:SAID]
    return [page.say("shed_in", zone=named("zone", zone), mwh=f"{mwh:,.0f}") for zone, mwh in found if mwh >= 0.5]


def _outages(run: Hours, page: Payload, kinds: dict[str, list[Outage]]) -> Table:
    kind_of = {one.number: kind for kind, outages in kinds.items() for one in outages}
    largest = sorted(run.log.outages, key=lambda one: (one.stays, -one.lost_mw * one.hours, one.number))
    stayed = [one for one in largest if one.stays][:ROWS]
    rows = []
    for one in [*[one for one in largest if not one.stays][:ROWS], *stayed]:
        kind = "@outage.stays" if one.stays else _said(kind_of[one.number])
        numbers = [one.hours, round(one.lost_mw), len(one.incidents)]
        words = [[one.name], [kind], [one.cause if one.cause != "forced" else "@outage.forced"], _zone(one)]
        rows.append(Row(words, numbers, int(one.first * run.run.dt_h)))
    columns = [Column(f"@column.outage_{name}") for name in ("h", "mw", "incidents")]
    return Table("outages", ["@table.element", "@table.kind", "@table.outage_cause", "@table.zone"], columns, rows)


def _zone(one: Outage) -> list[str]:
    return [named("zone", one.zone)] if one.zone else []
