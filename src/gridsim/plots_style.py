"""One look for all pictures: axes, legends, files that are the same every time. Colours are in `gridsim.palette`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from numpy.typing import NDArray

from gridsim.palette import INK, MUTED, FloatArray

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same picture on every machine
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.edgecolor": "#444444",
    "axes.formatter.use_mathtext": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.7,
    "svg.hashsalt": "gridsim",  # names of clip paths: else drawn by chance
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.titlesize": 13,
    "figure.titleweight": "bold",
}


def new_figure(width_in: float, height_in: float) -> Figure:
    """A figure without pyplot, laid out so that nothing overlaps."""
    return Figure(figsize=(width_in, height_in), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))


def headline(figure: Figure, title: str, below: str = "") -> None:
    """What is seen, top left; a smaller line below says which run and what else one must know."""
    lines = 1 + title.count("\n")
    figure.suptitle(title + ("\n" if below else ""), x=0.012, ha="left", color=INK, linespacing=1.25)
    if below:
        height_pt = figure.get_figheight() * 72.0
        figure.text(0.012, 0.978 - (lines * 13 * 1.25 + 1) / height_pt, below, va="top", color=MUTED, fontsize=9)


def save(figure: Figure, path: Path, dpi: int) -> Path:
    """Write a PNG or SVG without a time or version in it: the same picture has the same bytes."""
    stamps = {".png": ("Software",), ".svg": ("Date", "Creator")}[path.suffix]
    figure.savefig(path, dpi=dpi, metadata=dict.fromkeys(stamps))
    return path


def side_legend(axes: Axes, handles: Sequence[Any], labels: Sequence[str], title: str = "") -> Legend:
    """Legend to the right of the axes, outside."""
    return axes.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        title=title or None,
        alignment="left",
        handlelength=1.6,
    )


def date_axis(axes: Axes, time: pd.DatetimeIndex) -> None:
    """Days of a week, months of a year, or whatever is readable for the span."""
    begin, end = edges(time)[0], edges(time)[-1]
    hours = (end - begin) / np.timedelta64(1, "h")
    if hours > 24 * 200 or 48 < hours <= 24 * 9:
        # labels stand at the start of their month or day and reach into it; none stands at the end
        month = hours > 24 * 200
        ticks = pd.date_range(pd.Timestamp(begin).normalize(), end, freq="MS" if month else "D", inclusive="left")
        ticks = ticks[ticks >= begin]
        labels = [f"{t:%b}" if month else f"{t:%a} {t.day} {t:%b}" for t in ticks]
        axes.set_xticks(ticks, labels, ha="left")
    else:
        locator = AutoDateLocator(minticks=3, maxticks=9)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlim(begin, end)


def edges(time: pd.DatetimeIndex) -> NDArray[Any]:
    """Start of every step and the end of the last, for steps."""
    step = pd.Timedelta(hours=1) if time.freq is None else pd.Timedelta(time.freq)
    return np.append(time.to_numpy(), (time[-1] + step).to_numpy())


def steps(values: FloatArray) -> FloatArray:
    """Values for `edges` with step='post': the last holds to the end."""
    return np.append(values, values[-1])


def stack_steps(
    axes: Axes, time: pd.DatetimeIndex, parts: Sequence[tuple[str, FloatArray, str]], sign: int = 1
) -> tuple[list[Any], FloatArray]:
    """Stack stepwise parts (label, values >= 0, colour) away from zero; (handles, total with sign)."""
    base = np.zeros(len(time))
    handles = []
    for _, values, colour in parts:
        top = base + sign * values
        handles.append(
            axes.fill_between(
                edges(time), steps(base), steps(top), step="post", facecolor=colour, linewidth=0.0, rasterized=True
            )
        )
        base = top
    return handles, base
