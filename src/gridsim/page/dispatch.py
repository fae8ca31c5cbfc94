"""Charts of the dispatch: who fed the grid, day by day through the run and hour by hour through a week or a day."""

from typing import Any

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import (
    DAY,
    HOUR,
    Chart,
    Option,
    Payload,
    Spec,
    area,
    axis,
    bars,
    figure,
    line,
    named,
    totals,
)
from gridsim.palette import INK, RED, FloatArray, colour_of, energy_unit, power_unit

CURTAILED = "#8a8a8a"


def charts(run: Hours, page: Payload) -> list[Chart]:
    return [_power(run, page), _energy(run, page)]


def _power(run: Hours, page: Payload) -> Chart:
    scale, unit = power_unit(run.load)
    techs = list(dict.fromkeys([*run.feeding, *run.taking]))
    whole: list[Spec] = []
    hours: list[Spec] = []

    def layer(name: str, label: str, power: FloatArray, colour: str, group: str, **more: Any) -> None:
        ours: dict[str, Any] = {"group": group, "unit": unit, **more}
        whole.append(area(label, DAY, page.put(f"{name}.daily", run.daily(power) / scale), colour, **ours))
        hours.append(area(label, HOUR, page.put(name, power / scale), colour, **ours))

    for tech, power in run.feeding.items():
        layer(f"feeding.{tech}", named("tech", tech), power, colour_of(tech, techs), "up", legendgroup=tech)
    for name, power, colour in (("unserved", run.unserved, RED), ("curtailed", run.curtailed, CURTAILED)):
        if power.any():
            pattern = {"shape": "/", "fgcolor": colour, "bgcolor": "#ffffff", "size": 5, "fillmode": "replace"}
            layer(name, f"@{name}", power, colour, "up", fillpattern=pattern)
    for tech, power in run.taking.items():
        again = tech in run.feeding
        layer(f"taking.{tech}", named("tech", tech), -power, colour_of(tech, techs), "down", legendgroup=tech,
              showlegend=not again)  # fmt: skip
    whole.append(line("@load", DAY, page.put("load.daily", run.daily(run.load) / scale), INK, unit=unit))
    hours.append(line("@load", HOUR, page.put("load", run.load / scale), INK, unit=unit))
    hours += _marks(run, page, scale)
    layout = {
        "yaxis": axis(f"@axis.power.{unit}"),
        "hovermode": "x unified",
        "legend": {"traceorder": "reversed"},
    }
    worst = int(run.year.spring_week()[0].start * run.year.dt_h)
    presets = [("@day.peak", int(run.load.argmax())), ("@day.valley", int(run.mean(run.year.net_load).argmin()))]
    if run.curtailed.any():
        presets.append(("@day.curtailed", run.hour_of_day(int(run.day_sums(run.curtailed).argmax()))))
    return Chart(
        "dispatch",
        [Option(figure(whole, **layout), figure(hours, **layout))],
        height=500,
        presets=presets,
        start=("week", worst) if run.number > 7 * 24 else ("week", 0),
    )


def _marks(run: Hours, page: Payload, scale: float) -> list[Spec]:
    """On the load, hour by hour: where something failed, and where supply was short; nothing where nothing failed."""
    failed, short = np.zeros(run.number), np.zeros(run.number, dtype=bool)
    if not run.log.failed:
        return []
    for outage in run.log.failed:
        if outage.what != "branch":
            failed[int(outage.first * run.run.dt_h)] += outage.lost_mw
    for one in run.log.incidents:
        first = one.first * run.run.dt_h
        short[int(first) : int(np.ceil(first + one.recovery_h))] = True
    lost = page.put("mark.failed", failed)
    marks = (
        ("failed", failed > 0.0, {"symbol": "triangle-down", "size": 10, "color": INK}),
        ("mark", short, {"symbol": "circle", "size": 8, "color": RED, "line": {"width": 1, "color": "#ffffff"}}),
    )
    return [
        {
            "type": "scatter", "mode": "markers", "x": HOUR, "name": f"@incident.{name}", "marker": marker,
            "y": page.put(f"mark.{name}.at", np.where(there, run.load / scale, np.nan)),
            **({"customdata": lost, "hovertemplate": "@hover.failed"} if name == "failed" else {"hoverinfo": "name"}),
        }
        for name, there, marker in marks
        if there.any()
    ]  # fmt: skip


def _energy(run: Hours, page: Payload) -> Chart:
    """Net energy by technology and month."""
    index, words, labels = run.periods(page)
    net = {tech: run.feeding.get(tech, 0.0) - run.taking.get(tech, 0.0 * run.load) for tech in run.year.techs}
    load = totals(index, len(labels), run.load)
    scale, unit = energy_unit(load)
    known = list(net)
    data = [
        bars(named("tech", tech), labels, totals(index, len(labels), power) / scale, colour_of(tech, known), unit=unit)
        for tech, power in net.items()
        if abs(power).sum() > 1e-3 * run.number
    ]
    data.append(
        {"type": "scatter", "mode": "markers", "x": labels, "y": (load / scale).round(4).tolist(), "name": "@load",
         "marker": {"symbol": "diamond", "size": 8, "color": "#ffffff", "line": {"color": INK, "width": 1.6}},
         "hovertemplate": f"%{{y:,.2f}} {unit}"}
    )  # fmt: skip
    title = page.say("axis.energy_per", unit=unit, period=f"@period.{words}")
    spec = figure(data, barmode="relative", yaxis=axis(title), hovermode="x unified", legend={"traceorder": "reversed"})
    return Chart("energy", [Option(spec)])
