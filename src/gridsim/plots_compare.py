"""One picture of what changed between runs: energy, curtailment, regulation and cost as bars."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from gridsim.compare import Comparison, Row, said
from gridsim.errors import InputError, Problem, ResourceError
from gridsim.palette import INK, LINE_COLOURS, MUTED, SUPPLIER_COLOURS, TECH_COLOURS, label_of
from gridsim.plots_style import headline, new_figure, save
from gridsim.report import look

PANELS = (
    ("energy", "energy"),
    ("curtailment by cause", "curtailment by cause"),
    ("regulation up", "regulation up, by supplier"),
    ("regulation down", "regulation down, by supplier"),
    ("cost", "cost"),
)
MOST_BARS = 14  # of a panel, the largest changes


def draw(comparison: Comparison, path: Path, *, dpi: int = 130) -> Path:
    """Draw the changes into a PNG.

    Raises
    ------
    InputError
        If nothing of what is drawn changed, or the name does not end in .png.
    ResourceError
        If the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise InputError("compare", [Problem("--png", f"must be a name that ends in .png: got {path}")])
    panels = [(title, _largest(comparison.of(section))) for section, title in PANELS]
    panels = [(title, rows) for title, rows in panels if rows]
    if not panels:
        raise InputError("compare", [Problem("--png", "must have something to draw: nothing changed")])
    first, *others = (run.name for run in comparison.runs)
    with matplotlib.rc_context(look()):
        columns = min(3, len(panels))
        lines = -(-len(panels) // columns)
        deepest = max(len(rows) for _, rows in panels)
        figure = new_figure(4.2 * columns, 1.4 + lines * (1.0 + deepest * (0.16 + 0.08 * len(others))))
        headline(figure, f"What changes from {first}", "; ".join([_result(comparison), *comparison.notes]))
        for number, (title, rows) in enumerate(panels, start=1):
            axes = figure.add_subplot(lines, columns, number)
            _bars(axes, title, rows, others)
        if len(others) > 1:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left")
        try:
            return save(figure, path, dpi)
        except OSError as error:
            raise ResourceError(f"{path}: cannot be written ({error.strerror or error})") from error


def _largest(rows: Sequence[Row]) -> list[Row]:
    """The rows that change most, in their order; sums of others are left out."""
    kept = [row for row in rows if row.name not in ("total", "proven bound of the windows")]
    size = {row.name: max(map(abs, row.changes)) for row in kept}
    most = sorted(kept, key=lambda row: -size[row.name])[:MOST_BARS]
    worth = [row for row in kept if row in most and size[row.name] > 1e-3 * max(size.values())]
    return worth


def _bars(axes: Axes, title: str, rows: Sequence[Row], names: Sequence[str]) -> None:
    changes = np.array([row.changes for row in rows])
    place, height = np.arange(len(rows)), 0.8 / len(names)
    keys = [row.name.replace(" ", "_") for row in rows]
    known = SUPPLIER_COLOURS | TECH_COLOURS
    for k, name in enumerate(names):
        colours = [known.get(key, MUTED) for key in keys] if len(names) == 1 else LINE_COLOURS[k % len(LINE_COLOURS)]
        at = place + (k - 0.5 * (len(names) - 1)) * height
        axes.barh(at, changes[:, k], height=0.92 * height, color=colours, label=name)
        for y, value in zip(at, changes[:, k], strict=True):
            if len(names) == 1:
                axes.annotate(
                    said(value, sign="+"), (value, y), xytext=(4 if value >= 0 else -4, 0), textcoords="offset points",
                    ha="left" if value >= 0 else "right", va="center", fontsize=8, color=INK,
                )  # fmt: skip
    axes.axvline(0.0, color=INK, lw=0.8)
    axes.margins(x=0.3 if len(names) == 1 else 0.1)
    axes.set_yticks(place, [label_of(key) for key in keys])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_title(title)
    axes.set_xlabel(f"change, {rows[0].unit}")


def _result(comparison: Comparison) -> str:
    """Cost and CO2 of the runs in a line."""
    cost = next(row for row in comparison.rows if (row.section, row.name) == ("cost", "total"))
    carbon = next(row for row in comparison.rows if row.section == "carbon")
    return "; ".join(
        f"{run.name}: cost {said(cost.changes[k], '+')} {cost.unit}, CO2 {said(carbon.changes[k], '+')} {carbon.unit}"
        for k, run in enumerate(comparison.runs[1:])
    )
