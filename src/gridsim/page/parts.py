"""What a page is made of: charts as plotly specifications, and the arrays they refer to.

A specification is what plotly takes (``data``, ``layout``), with two kinds of placeholders that `page.js` fills in:

* ``"@key"``: a text of `gridsim.page.words`, in the language shown;
* ``{"$": name}``: an array of the page, stored once however often it is used. With ``"grid": True`` it is laid out as a
  matrix of hours by days. ``{"$": "hour"}``, ``{"$": "day"}`` and ``{"$": "noon"}`` are times, which need no storage.

A chart that can be zoomed has a second specification, `Option.hours`, whose arrays are hourly and cut to the week or
day that is shown.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.page.words import WORDS
from gridsim.palette import label_of

Spec = dict[str, Any]
HOUR: Spec = {"$": "hour"}
DAY: Spec = {"$": "day"}
NOON: Spec = {"$": "noon"}  # the middles of days
DIVERGING = ("#08306b", "#4393c3", "#f7f7f7", "#ed7d31", "#7f1d1d")  # below zero, zero, above
MISSING = "#cfcfcf"  # hours that were not simulated


@dataclass(frozen=True)
class Option:
    """One of the things that a chart can show."""

    whole: Spec  # the run as a whole
    hours: Spec | None = None  # a week or a day of it, hour by hour
    label: str = ""


@dataclass(frozen=True)
class Chart:
    """A picture of the page. Its title and note are the texts ``chart.<key>`` and ``chart.<key>.note``."""

    key: str
    options: list[Option]
    height: int = 400
    wide: bool = True  # the whole width; two others stand side by side on a wide screen
    presets: list[tuple[str, int]] = field(default_factory=list)  # text and hour: days worth a look
    start: tuple[str, int] = ("year", 0)  # what is shown first: year, week or day, and an hour of it
    kind: str = "plot"  # "map": drawn by code of its own


@dataclass(frozen=True)
class Column:
    """Numbers of a table under a heading."""

    heading: str
    places: int = -1  # decimals; -1: as many as the number needs
    signed: bool = False


@dataclass(frozen=True)
class Row:
    words: list[list[str]]  # of every column of words
    numbers: list[float]
    hour: int | None = None  # of the run: may be looked at in the charts


@dataclass(frozen=True)
class Table:
    """Rows that a click on a heading sorts. Title and note as of a chart: ``chart.<key>``."""

    key: str
    words: list[str]  # headings of the columns of words
    columns: list[Column]
    rows: list[Row]


@dataclass(frozen=True)
class Section:
    """Charts and tables under a heading, the text ``section.<key>``."""

    key: str
    charts: list[Chart]
    tables: list[Table] = field(default_factory=list)


@dataclass
class Payload:
    """Arrays of a page, and texts that hold numbers of the run."""

    arrays: dict[str, dict[str, str]] = field(default_factory=dict)
    texts: dict[str, tuple[str, str]] = field(default_factory=dict)

    def put(self, name: str, values: NDArray[Any], kind: str = "f4", **how: Any) -> Spec:
        """Store an array as little-endian `kind` and return what refers to it."""
        data = np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<"))
        self.arrays[name] = {"type": kind, "data": base64.b64encode(data.tobytes()).decode("ascii")}
        return {"$": name, **how}

    def say(self, key: str, **values: Any) -> str:
        """The text `key` with numbers in it. A value that is itself the name of a text is said in each language."""
        words = {**WORDS, **self.texts}

        def in_language(value: Any, k: int) -> Any:
            return words[value[1:]][k] if isinstance(value, str) and value.startswith("@") else value

        said = [
            text.format(**{name: in_language(value, k) for name, value in values.items()})
            for k, text in enumerate(WORDS[key])
        ]
        name = f"said.{len(self.texts)}"
        self.texts[name] = (said[0], said[1])
        return f"@{name}"


def named(kind: str, name: str) -> str:
    """The text for a name of the run (a technology, a city, a section), or the name where the table has none."""
    key = f"{kind}.{name}"
    return f"@{key}" if key in WORDS else label_of(name) if kind in ("tech", "supplier") else name


def area(name: str, x: Spec, y: Spec, colour: str, *, group: str = "up", unit: str = "", **more: Any) -> Spec:
    """A layer of a stack, in steps."""
    return {
        "type": "scatter", "mode": "lines", "stackgroup": group, "x": x, "y": y, "name": name, "fillcolor": colour,
        "line": {"width": 0, "shape": "hv", "color": colour}, "hovertemplate": f"%{{y:,.2f}} {unit}", **more,
    }  # fmt: skip


def line(name: str, x: Any, y: Any, colour: str, *, unit: str = "", dash: str = "solid", **more: Any) -> Spec:
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "name": name,
        "line": {"width": 1.8, "color": colour, "dash": dash, "shape": "hv"}, "hovertemplate": f"%{{y:,.2f}} {unit}",
        **more,
    }  # fmt: skip


def bars(name: str, x: Any, y: Iterable[float], colour: Any, *, unit: str = "", **more: Any) -> Spec:
    return {
        "type": "bar", "x": x, "y": [round(float(v), 6) for v in y], "name": name, "marker": {"color": colour},
        "hovertemplate": f"%{{y:,.2f}} {unit}", **more,
    }  # fmt: skip


def heat(z: Spec, top: float, title: str, colours: Iterable[str], unit: str, low: float = 0.0) -> Spec:
    """A matrix of hours by days; `z` is an hourly array of the page."""
    scale = list(colours)
    return {
        "type": "heatmap", "z": {**z, "grid": True}, "x": NOON, "y": [h + 0.5 for h in range(24)],
        "zmin": low, "zmax": top, "colorscale": [[k / (len(scale) - 1), c] for k, c in enumerate(scale)],
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 14},
        "hovertemplate": f"%{{x|%Y-%m-%d}}, %{{y}}: %{{z:,.1f}} {unit}<extra></extra>",
    }  # fmt: skip


def axis(title: str = "", **more: Any) -> Spec:
    return {"title": {"text": title}, **more} if title else dict(more)


TIME_AXIS: Spec = {"type": "date"}
HOURS_AXIS = axis("@axis.hour_of_day", tickvals=[0, 6, 12, 18, 24], range=[0, 24])


def figure(data: list[Spec], **layout: Any) -> Spec:
    if any(trace.get("x") in (HOUR, DAY, NOON) for trace in data):
        layout = {"xaxis": TIME_AXIS, **layout}
    return {"data": data, "layout": layout}


def totals(index: NDArray[np.int64], number: int, values: NDArray[Any]) -> NDArray[np.float64]:
    """Sums of hourly values over the periods they belong to."""
    return np.bincount(index, weights=values, minlength=number).astype(np.float64)
