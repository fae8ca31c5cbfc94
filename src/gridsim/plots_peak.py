"""Peak shaving (调峰): who served the peak and who filled the valley, on the two days that matter."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from gridsim.palette import INK, MUTED, FloatArray, colour_of, label_of, power_unit
from gridsim.plots_data import NotInThisRunError, Year, span_of
from gridsim.plots_style import headline, new_figure, side_legend


def peak_shaving(year: Year) -> Figure:
    """Load, net load before and after regulation by all but coal, and regulation by supplier.

    Of the day of the peak and that of the deepest valley.
    """
    suppliers = year.run.names("supplier")
    regulation = year.run.array("peak_shaving/regulation_mw").astype(float)
    if not np.abs(regulation).max(initial=0.0) > 1e-3:
        raise NotInThisRunError("nobody regulated: no peak was shaved and no valley filled")
    others = [k for k, name in enumerate(suppliers) if not name.startswith("coal_")]
    peak, valley = year.day_of(int(year.load.argmax())), year.day_of(int(year.net_load.argmin()))
    columns = [("Day of the highest load", peak)]
    if valley != peak:
        columns.append(("Day of the lowest net load", valley))
    used = [k for k in range(len(suppliers)) if any(np.abs(regulation[d, k]).max() > 1e-3 for _, d in columns)]
    scale, unit = power_unit(year.load)
    figure = new_figure(5.6 + 5.0 * (len(columns) - 1), 6.4)
    panels = figure.subplots(2, len(columns), sharex=True, sharey="row", squeeze=False, height_ratios=[1.15, 1])
    lines: list[Any] = []
    bars: list[Any] = []
    for column, (words, day) in enumerate(columns):
        upper, lower = panels[0, column], panels[1, column]
        stamps = year.time[day]
        hour = stamps.hour.to_numpy() + stamps.minute.to_numpy() / 60.0 + 0.5 * year.dt_h
        before = year.net_load[day] / scale
        after = before - regulation[day][:, others].sum(axis=1) / scale
        lines = [
            *upper.plot(hour, year.load[day] / scale, color=INK, linewidth=1.9),
            *upper.plot(hour, before, color=colour_of("wind_offshore"), linewidth=1.9),
            *upper.plot(hour, after, color=colour_of("gas"), linewidth=1.9, linestyle="--"),
        ]
        upper.fill_between(hour, before, after, color=MUTED, alpha=0.15, linewidth=0.0)
        drop = f"range of net load {np.ptp(before):,.1f} {unit} before, {np.ptp(after):,.1f} {unit} after"
        upper.set_title(f"{words}, {span_of(year.time[day])}\n{drop}", fontsize=9.5)
        lower.set_title("> 0 serves the peak, < 0 fills the valley", fontsize=9.5)
        bars = stack_bars(lower, hour, [(suppliers[k], regulation[day, k] / scale) for k in used], year.dt_h)
        lower.axhline(0.0, color=INK, linewidth=0.8)
        lower.set_xlabel("hour of day")
        lower.set_xlim(0.0, 24.0)
        lower.xaxis.set_major_locator(MultipleLocator(3))
    panels[0, 0].set_ylabel(f"power [{unit}]")
    panels[0, 0].set_ylim(bottom=min(0.0, float(panels[0, 0].get_ylim()[0])))
    panels[1, 0].set_ylabel(f"regulation [{unit}]")
    side_legend(panels[0, -1], lines, ["load", "net load (less\nwind and PV)", "what is left\nfor coal"])
    side_legend(panels[1, -1], bars[::-1], [label_of(suppliers[k]) for k in used][::-1])
    headline(figure, f"Peak shaving by supplier, {year.span}", year.name)
    return figure


def stack_bars(axes: Axes, hour: FloatArray, parts: list[tuple[str, FloatArray]], width_h: float) -> list[Any]:
    """Stacked bars of one step each; what is below zero stacks downwards."""
    high, low = np.zeros(len(hour)), np.zeros(len(hour))
    handles = []
    known = [name for name, _ in parts]
    for name, values in parts:
        base = np.where(values >= 0.0, high, low)
        colour = colour_of(name, known)
        handles.append(axes.bar(hour, values, 0.86 * width_h, bottom=base, color=colour, linewidth=0.0))
        high += np.maximum(values, 0.0)
        low += np.minimum(values, 0.0)
    return handles
