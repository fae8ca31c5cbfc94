"""One look for all pictures: colours by technology, units on axes, figures that are saved the same way every time.

Colours start from the palette of M. Okabe and K. Ito, "Color Universal Design" (2002), which people with any common
form of colour blindness can tell apart; neighbours in a stack differ in lightness too, so that grey print works.
"""

from collections.abc import Iterable, Sequence
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

FloatArray = NDArray[np.float64]

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
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.titlesize": 13,
    "figure.titleweight": "bold",
}

INK, MUTED, RED = "#1a1a1a", "#6b6b6b", "#c1121f"

TECH_COLOURS = {
    "nuclear": "#5b3a8e",
    "coal": "#4a4a4a",
    "gas": "#d55e00",
    "biomass": "#8a9a2b",
    "hydro": "#0b4f8a",
    "import": "#c9a0b8",
    "exchange": "#b3b3b3",
    "wind_offshore": "#0072b2",
    "wind_onshore": "#7cc4ee",
    "pv": "#f2c80f",
    "pumped_hydro": "#007a5a",
    "caes": "#86c5a4",
    "battery": "#cc3f8b",
    "hydrogen": "#4fb3bf",
    "heat": "#e07b7b",
    "ev": "#7d8fd1",
    "ac": "#a6cee3",
    "dr_shift": "#b39ddb",
    "dr_interrupt": "#a3745f",
    "dc_shift": "#e3c9d8",
}
_SPARE = ("#8c564b", "#17becf", "#a6761d", "#7570b3", "#e7969c", "#66a61e", "#9edae5", "#393b79")
TECH_LABELS = {
    "pv": "PV",
    "caes": "compressed air",
    "wind_offshore": "offshore wind",
    "wind_onshore": "onshore wind",
    "exchange": "AC exchange",
    "ev": "vehicles",
    "ac": "cooled rooms",
    "dr_shift": "shiftable load",
    "dr_interrupt": "interruptible load",
    "dc_shift": "flexible DC",
    "coal_basic": "coal, basic",
    "coal_50_40": "coal, 50 to 40 %",
    "coal_40_35": "coal, 40 to 35 %",
    "coal_35_30": "coal, 35 to 30 %",
    "coal_below_30": "coal, below 30 %",
}
SUPPLIER_COLOURS = {
    "coal_basic": TECH_COLOURS["coal"],
    "coal_50_40": "#6e5a4e",
    "coal_40_35": "#8f6b52",
    "coal_35_30": "#b08056",
    "coal_below_30": "#d19a5b",
    "demand": TECH_COLOURS["ev"],
    "curtailment": "#ffd966",
    "unserved": "#c1121f",
    "losses": "#999999",
}


def colour_of(tech: str, known: Sequence[str] = ()) -> str:
    """Colour of a technology or supplier; one that the palette does not know gets a spare, by its place in `known`."""
    colours = {**TECH_COLOURS, **SUPPLIER_COLOURS}
    if tech in colours:
        return colours[tech]
    strangers = sorted({t for t in known if t not in colours} | {tech})
    return _SPARE[strangers.index(tech) % len(_SPARE)]


def label_of(tech: str) -> str:
    return TECH_LABELS.get(tech, tech.replace("_", " "))


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
    """Write the PNG without a time or version in it: the same picture has the same bytes."""
    figure.savefig(path, dpi=dpi, metadata={"Software": None})
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


def power_unit(mw: Iterable[float]) -> tuple[float, str]:
    """(MW in one unit, its name) that keeps axis numbers short."""
    return scaled(mw, ((1.0, "MW"), (1e3, "GW")))


def energy_unit(mwh: Iterable[float]) -> tuple[float, str]:
    return scaled(mwh, ((1.0, "MWh"), (1e3, "GWh"), (1e6, "TWh")))


def scaled(values: Iterable[float], units: Sequence[tuple[float, str]]) -> tuple[float, str]:
    top = float(np.max(np.abs(np.fromiter(values, float)), initial=0.0))
    fitting = [unit for unit in units if top >= 2.0 * unit[0]]
    return fitting[-1] if fitting else units[0]


def amount(mwh: float) -> str:
    """An energy in words: '1,234 GWh'."""
    scale, unit = energy_unit([mwh])
    value = mwh / scale
    places = 0 if value >= 100 or scale == 1.0 else 1 if value >= 10 else 2
    return f"{value:,.{places}f} {unit}"


def count(number: int, one: str, many: str = "") -> str:
    """'1 hour', '8,784 hours'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(hours: float) -> str:
    """'1 hour', '8,784 hours', '2.25 hours'."""
    return count(int(hours), "hour") if hours == int(hours) else f"{hours:,.2f} hours"


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
