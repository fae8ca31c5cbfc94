"""Pictures by day and hour: curtailment with its causes, loading of an interface."""

import re
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from gridsim.palette import HEAT_COLOURS, INK, RED, FloatArray, amount, colour_of, count, duration, power_unit
from gridsim.plots_data import NotInThisRunError, Year, without_dust
from gridsim.plots_style import date_axis, headline, new_figure
from gridsim.schema import CAUSES

HEAT = LinearSegmentedColormap.from_list("heat", HEAT_COLOURS)
MISSING = "#cfcfcf"


def curtailment(year: Year) -> Figure:
    """MW thrown away in every hour of the run: for the system as a whole, for the network, at own connections."""
    causes = {
        "system-wide (too little load, or too little room to go down)": ("system", "reserve", "ramp", "economic"),
        "network (a line or interface, also after an outage)": ("section", "n1"),
        "own connection": ("own",),
    }
    by_cause = dict(zip(CAUSES, year.run.array("curtailment/cause_mw").sum(axis=1).T, strict=True))
    power = {words: without_dust(np.sum([by_cause[name] for name in names], axis=0)) for words, names in causes.items()}
    if not power["own connection"].any():
        del power["own connection"]
    both = np.concatenate(list(power.values()))
    scale, unit = power_unit(both)
    some = both[both > 0.0] / scale
    top = float(np.quantile(some, 0.99)) if some.size else 1.0
    figure = new_figure(11.0, 2.8 * len(power))
    panels = figure.subplots(len(power), 1, sharex=True)
    mesh: Any = None
    for axes, (words, values) in zip(panels, power.items(), strict=True):
        mesh = heat(axes, year, values / scale, top)
        steps = int((values > 0.0).sum())
        said = f"{amount(year.energy_mwh(values))} in {duration(steps * year.dt_h)}" if steps else "none"
        axes.set_title(f"{words}: {said}")
    bar = figure.colorbar(mesh, ax=list(panels), pad=0.015, aspect=30, extend="max" if some.size else "neither")
    bar.set_label(f"curtailed power [{unit}]")
    total = year.energy_mwh(year.curtailed)
    curtailable = year.run.table("sources")["curtailable"].to_numpy(dtype=bool)
    taken = year.energy_mwh(year.run.array("dispatch/source_p_mw")[:, curtailable])
    available = taken + total  # own limits apart or not: what was not taken is curtailed for some cause
    rate = f", {100 * total / available:.2f} % of what wind, PV and others had available" if available > 0 else ""
    said = f"{amount(total)}{rate}" if total > 0 else "nothing was curtailed"
    headline(figure, f"Curtailment by day, hour and cause, {year.span}", f"{year.name}. {said[0].upper()}{said[1:]}")
    return figure


def heat(axes: Axes, year: Year, values: FloatArray, top: float) -> Any:
    """Hours of the day upwards, days across."""
    grid = year.day_by_hour(values)
    colours = HEAT.with_extremes(bad=MISSING)
    days = np.append(year.days.to_numpy(), year.days.to_numpy()[-1] + np.timedelta64(1, "D"))
    hours = np.linspace(0.0, 24.0, year.day_steps + 1)
    mesh = axes.pcolormesh(days, hours, np.ma.masked_invalid(grid).T, cmap=colours, vmin=0.0, vmax=top)
    mesh.set_rasterized(True)
    axes.set_yticks([0, 6, 12, 18, 24])
    axes.set_ylabel("hour of day")
    axes.grid(False)
    date_axis(axes, year.time)
    axes.set_xlim(days[0], days[-1])
    return mesh


def interface_names(year: Year) -> list[str]:
    return year.run.table("interfaces")["name"].astype(str).tolist()


def interface(year: Year, row: int) -> Figure:
    """Flow over an interface sorted by size, against its limits, and its loading by day and hour."""
    table = year.run.table("interfaces")
    name = str(table["name"].iloc[row])
    flow = year.run.array("flow/interface_p_mw")[:, row].astype(float)
    ahead, back = float(table["limit_mw"].iloc[row]), float(table["reverse_limit_mw"].iloc[row])
    limit = np.where(flow >= 0.0, ahead, back)
    if not np.isfinite(limit).all() or (limit <= 0.0).any():
        raise NotInThisRunError(f"interface {name} has no limit to load against")
    loading = 100.0 * np.abs(flow) / limit
    scale, unit = power_unit([*flow, ahead])
    figure = new_figure(11.0, 4.6)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.9])
    left.plot(
        np.linspace(0.0, 100.0, year.steps), np.sort(flow)[::-1] / scale, color=colour_of("wind_offshore"), lw=2.0
    )
    left.axhline(ahead / scale, color=RED, linestyle="--", linewidth=1.4)
    left.annotate(
        f"limit {ahead / scale:,.1f} {unit}", (99.0, ahead / scale), (0, 4), textcoords="offset points", ha="right",
        color=RED,
    )  # fmt: skip
    if flow.min() < 0.0:
        left.axhline(0.0, color=INK, linewidth=0.8)
    if flow.min() < -0.7 * back:
        left.axhline(-back / scale, color=RED, linestyle="--", linewidth=1.4)
    low, high = left.get_ylim()
    left.set_ylim(min(low, 0.0), max(high, 1.12 * ahead / scale))
    left.set_xlim(0.0, 100.0)
    left.set_xlabel("share of hours [%]")
    left.set_ylabel(f"flow [{unit}]")
    left.set_title("Duration")
    mesh = heat(right, year, loading, 100.0)
    right.set_title("Loading by day and hour")
    bar = figure.colorbar(mesh, ax=right, pad=0.02, aspect=30, extend="max" if loading.max() > 100.5 else "neither")
    bar.set_label("share of the limit [%]")
    bound = int((loading >= 99.9).sum())
    words = name.replace("_", " ")
    below = (
        f"{year.name}. Mean {flow.mean() / scale:,.1f} {unit}, highest {np.abs(flow).max() / scale:,.1f} {unit}; "
        f"at its limit in {bound * year.dt_h:,g} of {count(year.hours, 'hour')} ({100 * bound / year.steps:.1f} %)"
    )
    headline(figure, f"Loading of the interface {words}, {year.span}", below)
    return figure


def slug(name: str) -> str:
    """A name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower() or "unnamed"


__all__ = ["HEAT", "curtailment", "heat", "interface", "interface_names", "slug"]
