"""Charts of stores: what they hold, when they charge and discharge, how often they turn over."""

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import (
    DAY,
    HOUR,
    HOURS_AXIS,
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
from gridsim.palette import FloatArray, colour_of, power_unit
from gridsim.schema import ordered_techs


def charts(run: Hours, page: Payload) -> list[Chart]:
    tech = run.run.table("stores")["tech"].astype(str).to_numpy()
    if not len(tech):
        return []

    def by_tech(values: FloatArray) -> dict[str, FloatArray]:
        return {name: values[..., tech == name].sum(axis=-1) for name in ordered_techs(tech)}

    charge, discharge, energy = (
        by_tech(run.read(f"storage/{name}")) for name in ("charge_mw", "discharge_mw", "e_mwh")
    )
    room = by_tech(run.run.table("stores")["e_max_mwh"].to_numpy(dtype=float))
    return [
        _stored(run, page, energy, room),
        _power(run, page, charge, discharge),
        _mean_day(run, charge, discharge),
        _cycles(run, page, discharge, room),
    ]


def _stored(run: Hours, page: Payload, energy: dict[str, FloatArray], room: dict[str, FloatArray]) -> Chart:
    whole: list[Spec] = []
    hours: list[Spec] = []
    for name, stored in energy.items():
        if room[name] <= 0.0:
            continue
        share, colour = 100.0 * stored / room[name], colour_of(name, list(energy))
        text = named("tech", name)
        whole.append(line(text, DAY, page.put(f"stored.{name}.daily", run.daily(share)), colour, unit="%"))
        hours.append(line(text, HOUR, page.put(f"stored.{name}", share), colour, unit="%"))
    layout = {"yaxis": axis("@axis.stored", range=[0, 102]), "hovermode": "x unified"}
    return Chart("stored", [Option(figure(whole, **layout), figure(hours, **layout))], start=_week(run))


def _week(run: Hours) -> tuple[str, int]:
    return "week", int(run.year.spring_week()[0].start * run.year.dt_h)


def _power(run: Hours, page: Payload, charge: dict[str, FloatArray], discharge: dict[str, FloatArray]) -> Chart:
    scale, unit = power_unit(np.concatenate([*charge.values(), *discharge.values()]))
    whole: list[Spec] = []
    hours: list[Spec] = []
    for group, parts, sign in (("up", discharge, 1.0), ("down", charge, -1.0)):
        for name, power in parts.items():
            colour, text = colour_of(name, list(charge)), named("tech", name)
            more: Spec = {"group": group, "unit": unit, "legendgroup": name, "showlegend": group == "up"}
            daily = page.put(f"store.{group}.{name}.daily", sign * run.daily(power) / scale)
            whole.append(area(text, DAY, daily, colour, **more))
            hours.append(area(text, HOUR, page.put(f"store.{group}.{name}", sign * power / scale), colour, **more))
    layout = {"yaxis": axis(f"@axis.power.{unit}"), "hovermode": "x unified"}
    return Chart("store_power", [Option(figure(whole, **layout), figure(hours, **layout))], start=_week(run))


def _mean_day(run: Hours, charge: dict[str, FloatArray], discharge: dict[str, FloatArray]) -> Chart:
    """Discharge less charge by the hour of the day, mean of all days."""
    of_day = run.time.hour.to_numpy()
    hours = sorted(set(of_day.tolist()))  # a short run has not all of them
    net = {name: np.array([(discharge[name] - charge[name])[of_day == h].mean() for h in hours]) for name in charge}
    scale, unit = power_unit(np.concatenate(list(net.values())))
    data = [
        bars(named("tech", name), [h + 0.5 for h in hours], power / scale, colour_of(name, list(net)), unit=unit)
        for name, power in net.items()
    ]
    spec = figure(data, barmode="relative", xaxis=HOURS_AXIS, yaxis=axis(f"@axis.power.{unit}"), hovermode="x unified")
    return Chart("store_day", [Option(spec)], wide=False)


def _cycles(run: Hours, page: Payload, discharge: dict[str, FloatArray], room: dict[str, FloatArray]) -> Chart:
    index, words, labels = run.periods(page)
    data = [
        bars(named("tech", name), labels, totals(index, len(labels), power) / room[name], colour_of(name))
        for name, power in discharge.items()
        if room[name] > 0.0 and power.any()
    ]
    return Chart("cycles", [Option(figure(data, yaxis=axis(f"@axis.cycles.{words}"), barmode="group"))], wide=False)
