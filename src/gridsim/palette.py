"""Colours by technology, names, and units that keep numbers short: one table for pictures and pages.

Colours start from the palette of M. Okabe and K. Ito, "Color Universal Design" (2002), which people with any common
form of colour blindness can tell apart; neighbours in a stack differ in lightness too, so that grey print works.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

INK, MUTED, RED = "#1a1a1a", "#6b6b6b", "#c1121f"

TECH_COLOURS = {
    "nuclear": "#5b3a8e",
    "coal": "#4a4a4a",
    "gas": "#d55e00",
    "oil": "#5b3a29",
    "biomass": "#8a9a2b",
    "hydro": "#0b4f8a",
    "import": "#c9a0b8",
    "exchange": "#808080",
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
    "other": "#a89a4a",
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
    "other": TECH_COLOURS["other"],
    "demand": TECH_COLOURS["ev"],
    "curtailment": "#ffd966",
    "unserved": "#c1121f",
    "losses": "#999999",
}
CAUSE_COLOURS = {  # why a source is curtailed
    "own": "#8a8a8a",
    "section": "#d55e00",
    "n1": "#f2a541",
    "ramp": "#007a5a",
    "reserve": "#7cc4ee",
    "system": "#0b4f8a",
    "economic": "#cc3f8b",
}
# paper white, yellow, red, near black: lightness falls all the way, so it reads in grey and colour-blind
HEAT_COLOURS = ("#f4f4f0", "#f6d55c", "#ed7d31", "#a4243b", "#2b0a3d")

LOADING_COLOURS = ("#b9c7d6", "#5fa8d3", "#f2a541", "#c1121f", "#4a0410")
LINE_COLOURS = ("#0072b2", "#d55e00", "#007a5a", "#cc3f8b", "#5b3a8e", "#8a9a2b", "#7cc4ee", "#4a4a4a")


def colour_of(tech: str, known: Sequence[str] = ()) -> str:
    """Colour of a technology or supplier; one that the palette does not know gets a spare, by its place in `known`."""
    colours = {**TECH_COLOURS, **SUPPLIER_COLOURS}
    if tech in colours:
        return colours[tech]
    strangers = sorted({t for t in known if t not in colours} | {tech})
    return _SPARE[strangers.index(tech) % len(_SPARE)]


def label_of(tech: str) -> str:
    return TECH_LABELS.get(tech, tech.replace("_", " "))


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
