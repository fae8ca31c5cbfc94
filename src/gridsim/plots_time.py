"""Pictures along time: stacked dispatch of a week, energy by month, duration curves, the gap of every window."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gridsim.palette import (
    INK,
    MUTED,
    RED,
    FloatArray,
    amount,
    colour_of,
    count,
    energy_unit,
    label_of,
    power_unit,
)
from gridsim.plots_data import NotInThisRunError, Year, periods, span_of
from gridsim.plots_style import date_axis, edges, headline, new_figure, side_legend, stack_steps, steps
from gridsim.schema import WIND_TECHS


def spring_week(year: Year) -> Figure:
    hours, words = year.spring_week()
    return dispatch(year, hours, words)


def peak_week(year: Year) -> Figure:
    if year.hours <= 168:
        raise NotInThisRunError("the run is no longer than a week: see week_spring.png")
    return dispatch(year, year.peak_week(), "week of the highest load")


def dispatch(year: Year, hours: slice, words: str) -> Figure:
    """Who fed the grid hour by hour, with the load; exports and charging below zero; curtailment on top."""
    time = year.time[hours]
    load = year.load[hours]
    scale, unit = power_unit(load)
    known = list(dict.fromkeys([*year.feeding, *year.taking]))
    up = [(tech, p[hours] / scale, colour_of(tech, known)) for tech, p in year.feeding.items() if p[hours].max() > 0]
    down = [(tech, p[hours] / scale, colour_of(tech, known)) for tech, p in year.taking.items() if p[hours].max() > 0]

    figure = new_figure(11.0, 5.2)
    axes = figure.subplots()
    handles, top = stack_steps(axes, time, up)
    labels = [label_of(tech) for tech, _, _ in up]
    for name, power, colour, hatch in (
        ("unserved", year.unserved[hours] / scale, RED, "xxxx"),
        ("curtailed", year.curtailed[hours] / scale, "#8a8a8a", "//////"),
    ):
        if power.max() > 0.0:
            above = top + power
            there = steps(power) > 0.0
            handles.append(
                axes.fill_between(
                    edges(time), steps(top), steps(above), step="post", facecolor="w", edgecolor=colour, hatch=hatch,
                    linewidth=0.6, where=there | np.roll(there, 1),  # the end of a step belongs to it
                )
            )  # fmt: skip
            labels.append(name)
            top = above
    stack_steps(axes, time, down, sign=-1)
    (line,) = axes.step(edges(time), steps(load / scale), where="post", color=INK, linewidth=1.6)
    axes.axhline(0.0, color=INK, linewidth=0.8)
    date_axis(axes, time)
    axes.set_ylabel(f"power [{unit}]")
    axes.margins(y=0.04)
    handles, labels = [line, *reversed(handles)], ["load", *reversed(labels)]
    drawn = {tech for tech, _, _ in up}
    for tech, _, colour in down:
        if tech not in drawn:
            handles.append(Patch(facecolor=colour))
            labels.append(label_of(tech))
    if down:
        handles.append(Patch(facecolor="none"))
        labels.append("below zero:\ncharging, exports")
    side_legend(axes, handles, labels)
    served = year.energy_mwh(load - year.unserved[hours])
    below = f"{year.name}. Load {amount(served)} served, highest {load.max() / scale:,.1f} {unit}"
    cut = year.energy_mwh(year.curtailed[hours])
    if cut > 0.0:
        below += f"; {amount(cut)} of wind, PV and others curtailed"
    headline(figure, f"Dispatch by technology: {words}, {span_of(time)}", below)
    return figure


def energy(year: Year) -> Figure:
    """Net energy by technology and month (week, day for a short run), and the consumption."""
    index, words, labels = periods(year.time)
    number = len(labels)
    known = list(dict.fromkeys([*year.feeding, *year.taking]))

    def total(power: FloatArray) -> FloatArray:
        return np.bincount(index, weights=power * year.dt_h, minlength=number).astype(np.float64)

    net = {
        tech: total(year.feeding.get(tech, np.zeros(year.steps)) - year.taking.get(tech, np.zeros(year.steps)))
        for tech in known
    }
    load = total(year.load)
    scale, unit = energy_unit(load)
    whole_scale, whole_unit = energy_unit([load.sum()])
    figure = new_figure(11.0, 5.0)
    axes = figure.subplots()
    place = np.arange(number)
    high, low = np.zeros(number), np.zeros(number)
    handles: list[Any] = []
    names: list[str] = []
    for tech, amounts in net.items():
        positive = amounts >= 0.0
        base = np.where(positive, high, low)
        colour = colour_of(tech, known)
        bars = axes.bar(place, amounts / scale, 0.78, bottom=base / scale, color=colour, edgecolor="w", linewidth=0.4)
        high += np.where(positive, amounts, 0.0)
        low += np.where(positive, 0.0, amounts)
        handles.append(bars)
        share = float(amounts.sum())
        names.append(f"{label_of(tech)}  {share / whole_scale + 0.0:,.2f}")
    (marks,) = axes.plot(place, load / scale, "D", color=INK, markersize=4.5, markerfacecolor="w")
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_xticks(place, labels)
    if number > 16:
        axes.set_xticks(place[:: -(-number // 12)], labels[:: -(-number // 12)])
    axes.grid(False, axis="x")
    axes.set_ylabel(f"energy [{unit} per {words}]")
    side_legend(
        axes,
        [marks, *reversed(handles)],
        [f"consumption  {load.sum() / whole_scale:,.2f}", *reversed(names)],
        f"whole run [{whole_unit}]",
    )
    headline(figure, f"Energy by technology and {words}, {year.span}", f"{year.name}. Stores: discharged less charged")
    return figure


def durations(year: Year) -> Figure:
    """Load, net load, wind, PV and price, each sorted from its highest hour to its lowest."""
    figure = new_figure(11.0, 4.8)
    left, right = figure.subplots(1, 2)
    curves = [("load", year.load, INK, "-"), ("net load", year.net_load, MUTED, "--")]
    wind, pv = year.of(WIND_TECHS), year.of(("pv",))
    if wind.max() > 0.0:
        curves.append(("wind", wind, colour_of("wind_offshore"), "-"))
    if pv.max() > 0.0:
        curves.append(("PV", pv, colour_of("pv"), "-"))
    scale, unit = power_unit(year.load)
    share = np.linspace(0.0, 100.0, year.steps)
    for name, values, colour, line in curves:
        ranked = np.sort(values)[::-1] / scale
        said = f"{name}: {ranked[0]:,.1f} to {ranked[-1]:,.1f} {unit}"
        left.plot(share, ranked, color=colour, linestyle=line, linewidth=1.9, label=said)
    left.set_title("Power")
    left.set_ylabel(f"power [{unit}]")
    ranked = np.sort(np.nan_to_num(year.price))[::-1]
    said = f"energy: {ranked[0]:,.0f} to {ranked[-1]:,.0f}, mean {ranked.mean():,.0f} {year.run.currency}/MWh"
    right.plot(share, ranked, color=colour_of("gas"), linewidth=1.9, label=said)
    right.set_title("Price of energy")
    right.set_ylabel(f"price [{year.run.currency}/MWh]")
    # a few hours of scarcity would flatten all others: they leave the picture, the legend has the extremes
    low, high = (float(q) for q in np.quantile(ranked, [0.005, 0.995]))
    room = max(0.5 * (high - low), 0.1 * abs(high), 1.0)
    bottom, top = min(max(float(ranked[-1]), low - room), 0.0), min(float(ranked[0]), high + room)
    right.set_ylim(bottom - 0.04 * (top - bottom) if bottom < 0 else 0.0, top + 0.05 * (top - bottom) + 1e-6)
    for axes in (left, right):
        axes.set_xlim(0.0, 100.0)
        axes.set_xlabel("share of hours [%]")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    headline(
        figure, f"Duration curves of load, wind, PV and price, {year.span}", f"{year.name}. {count(year.hours, 'hour')}"
    )
    return figure


def gaps(year: Year) -> Figure:
    """How far each window's schedule is from its proven bound."""
    windows = year.run.table("windows")
    gap = windows["gap"].to_numpy(dtype=float)
    if not len(gap) or not np.isfinite(gap).any():
        raise NotInThisRunError("the run has no gap of windows")
    hour = np.minimum(windows["first_hour"].to_numpy(dtype=int), year.hours - 1)
    when = year.time[hour * (year.steps // year.hours)]
    figure = new_figure(11.0, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=[4, 1], sharey=True)
    retried = windows["retries"].to_numpy(dtype=int) > 0
    left.plot(when, 100 * gap, ".", color=colour_of("wind_offshore"), markersize=4.5, label="window")
    if retried.any():
        left.plot(when[retried], 100 * gap[retried], "o", mfc="none", color=RED, label="solved on a retry")
    mean = 100 * float(np.nanmean(gap))
    left.axhline(mean, color=INK, linewidth=1.0, linestyle="--", label=f"mean {mean:.3g} %")
    left.set_ylabel("gap to the bound [%]")
    left.set_ylim(bottom=min(0.0, 110 * float(np.nanmin(gap))), top=max(112 * float(np.nanmax(gap)), 1e-4))
    date_axis(left, year.time)
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)
    right.hist(100 * gap[np.isfinite(gap)], bins=30, orientation="horizontal", color=colour_of("wind_onshore"))
    right.set_xlabel("windows")
    right.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    below = f"{year.name}. {count(len(gap), 'window')}; worst {100 * float(np.nanmax(gap)):.3g} %"
    headline(figure, f"Gap between cost and proven lower bound of every window, {year.span}", below)
    return figure


__all__ = ["dispatch", "durations", "energy", "gaps", "peak_week", "periods", "spring_week"]
