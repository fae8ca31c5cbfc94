"""Charts of what wind, PV and others could have given and did not: when, why and where."""

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import (
    HOURS_AXIS,
    MISSING,
    Chart,
    Option,
    Payload,
    axis,
    bars,
    figure,
    heat,
    named,
    totals,
)
from gridsim.palette import CAUSE_COLOURS, HEAT_COLOURS, energy_unit, power_unit
from gridsim.schema import CAUSES


def charts(run: Hours, page: Payload) -> list[Chart]:
    """None where nothing was curtailed."""
    if not run.curtailed_by_cause:
        return []
    return [_heat(run, page), _by_period(run, page), _by_zone(run, page)]


def _heat(run: Hours, page: Payload) -> Chart:
    scale, unit = power_unit(run.curtailed)
    top = float(np.quantile(run.curtailed[run.curtailed > 0.0], 0.99)) / scale

    def option(name: str, label: str, power: np.ndarray) -> Option:
        z = page.put(f"curtailed.{name}", power / scale)
        matrix = heat(z, top, f"@axis.power.{unit}", HEAT_COLOURS, unit)
        return Option(figure([matrix], yaxis=HOURS_AXIS, plot_bgcolor=MISSING), label=label)

    causes = [option(c, f"@cause.{c}", power) for c, power in run.curtailed_by_cause.items()]
    return Chart("curtailed_heat", [option("all", "@cause.all", run.curtailed), *causes], height=360)


def _by_period(run: Hours, page: Payload) -> Chart:
    index, words, labels = run.periods(page)
    parts = {c: totals(index, len(labels), power) for c, power in run.curtailed_by_cause.items()}
    scale, unit = energy_unit(np.sum(list(parts.values()), axis=0))
    data = [bars(f"@cause.{c}", labels, mwh / scale, CAUSE_COLOURS[c], unit=unit) for c, mwh in parts.items()]
    title = page.say("axis.energy_per", unit=unit, period=f"@period.{words}")
    return Chart(
        "curtailed_period", [Option(figure(data, barmode="stack", yaxis=axis(title), hovermode="x unified"))],
        wide=False,
    )  # fmt: skip


def _by_zone(run: Hours, page: Payload) -> Chart:
    by_source = run.run.array("curtailment/cause_mw").sum(axis=0).T * run.run.dt_h  # (cause, source)
    zones = run.by_zone("sources", by_source)
    total = {z: float(mwh.sum()) for z, mwh in zones.items()}
    shown = [z for z in sorted(zones, key=lambda z: -total[z]) if total[z] > 1e-6 * sum(total.values())]
    scale, unit = energy_unit(total.values())
    names = [named("zone", z) for z in shown]
    data = [
        bars(f"@cause.{c}", names, [zones[z][k] / scale for z in shown], CAUSE_COLOURS[c], unit=unit)
        for k, c in enumerate(CAUSES)
        if c in run.curtailed_by_cause
    ]
    spec = figure(data, barmode="stack", yaxis=axis(f"@axis.energy.{unit}"), hovermode="x unified")
    return Chart("curtailed_zone", [Option(spec)], wide=False)
