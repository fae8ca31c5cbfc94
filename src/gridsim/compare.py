"""What changed from one run to others: rows of numbers, for people, for machines and for a picture.

Everything comes from the summaries of the results files, whatever else these keep (`output.keep`). The first run is
what the others are held against. Sums are of the hours simulated: where these differ, notes say so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gridsim.errors import InputError, Problem
from gridsim.results import ResultsReader

if TYPE_CHECKING:
    from rich.console import RenderableType

SAME, SMALL = 1e-5, 5e-4  # relative and absolute difference of numbers that are taken as the same


class Run(NamedTuple):
    """One results file."""

    name: str
    path: str
    summary: dict[str, Any]
    keep: str  # what its file keeps


class Row(NamedTuple):
    """One quantity of all runs; NaN where a run has none of it."""

    section: str
    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def changes(self) -> tuple[float, ...]:
        """Of the runs but the first; what a run does not have counts as nothing there."""
        first, *others = (0.0 if math.isnan(value) else value for value in self.values)
        return tuple(value - first for value in others)

    @property
    def changed(self) -> bool:
        largest = max((abs(value) for value in self.values if not math.isnan(value)), default=0.0)
        return any(abs(change) > max(SAME * largest, SMALL) for change in self.changes)


class Comparison(NamedTuple):
    """Runs side by side."""

    runs: tuple[Run, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]  # why sums are not those of the same time

    def of(self, section: str) -> tuple[Row, ...]:
        """Its rows that changed."""
        return tuple(row for row in self.rows if row.section == section and row.changed)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        keys = ("start", "hours", "resolution_min", "currency")
        return {
            "runs": [{"name": r.name, "file": r.path} | {key: r.summary[key] for key in keys} for r in self.runs],
            "notes": list(self.notes),
            "rows": [row._asdict() | {"changes": row.changes} for row in self.rows],
        }

    def as_text(self, *, everything: bool = False) -> RenderableType:
        """Tables of what changed, or of everything."""
        from rich.console import Group

        shown = [row for row in self.rows if everything or row.changed]
        parts: list[Any] = [f"note: {note}" for note in self.notes]
        for section in dict.fromkeys(row.section for row in shown):
            parts.append(_table(self.runs, section, [row for row in shown if row.section == section]))
        hidden = len(self.rows) - len(shown)
        if hidden:
            parts.append(f"{hidden} of {len(self.rows)} numbers are the same in all runs; --all shows them")
        return Group(*parts)


def compare(paths: Sequence[Path]) -> Comparison:
    """Hold runs against the first of them.

    Raises
    ------
    InputError
        If there are fewer than two, or their money is not of one currency.
    InputError, IntegrityError
        If a file is no complete run.
    """
    if len(paths) < 2:
        raise InputError("compare", [Problem("files", f"must be two at least: got {len(paths)}")])
    runs = _named([_read(path) for path in paths])
    currencies = {run.summary["currency"] for run in runs}
    if len(currencies) > 1:
        said = ", ".join(f"{run.path} in {run.summary['currency']}" for run in runs)
        raise InputError("compare", [Problem("currency", f"must be the same in all files: got {said}")])
    return Comparison(tuple(runs), tuple(_rows(runs)), tuple(_notes(runs)))


def _read(path: Path) -> Run:
    with ResultsReader(path) as run:
        return Run(str(run.meta["scenario_name"]), str(path), run.summary, run.keep)


def _named(runs: list[Run]) -> list[Run]:
    """With names that tell them apart: those of the scenarios, else of the files."""
    for name in (lambda run: run.name, lambda run: Path(run.path).stem):
        if len({name(run) for run in runs}) == len(runs):
            return [run._replace(name=name(run)) for run in runs]
    return [run._replace(name=run.path) for run in runs]


def _notes(runs: Sequence[Run]) -> list[str]:
    """What of time differs between the first run and others."""
    first, notes = runs[0].summary, []
    for run in runs[1:]:
        for key, unit in (("hours", " h"), ("start", ""), ("resolution_min", " min")):
            if run.summary[key] != first[key]:
                what = {"hours": "hours simulated", "start": "first hours", "resolution_min": "steps"}[key]
                pair = f"{first[key]}{unit} in {runs[0].name}, {run.summary[key]}{unit} in {run.name}"
                notes.append(f"{what} differ: {pair}")
    if notes:
        notes.append("not like with like: run all for the same hours (--start, --hours) to see what changes")
    return notes


def _rows(runs: Sequence[Run]) -> list[Row]:
    money = runs[0].summary["currency"]
    rows: list[Row] = []

    def number(section: str, name: str, unit: str, *keys: str, scale: float = 1.0) -> None:
        rows.append(Row(section, name, unit, tuple(_of(run.summary, keys) * scale for run in runs)))

    def each(section: str, unit: str, key: str, form: str = "{}", scale: float = 1.0) -> None:
        for name in dict.fromkeys(name for run in runs for name in run.summary.get(key, {})):
            number(section, form.format(name.replace("_", " ")), unit, key, name, scale=scale)

    million = f"million {money}"
    each("cost", million, "cost_by_part", scale=1e-6)
    number("cost", "total", million, "total_cost", scale=1e-6)
    number("cost", "proven bound of the windows", million, "lower_bound", scale=1e-6)
    each("money", million, "money", scale=1e-6)
    number("price", "energy, by load", f"{money}/MWh", "energy_price")
    each("price", f"{money}/MWh", "price_by_zone")
    number("energy", "load", "GWh", "load_twh", scale=1e3)
    each("energy", "GWh", "energy_twh", scale=1e3)
    number("energy", "lost in the network", "GWh", "loss_mwh", scale=1e-3)
    number("carbon", "CO2", "kt", "co2_mt", scale=1e3)
    each("carbon by city", "kt", "co2_mt_by_zone", scale=1e3)
    each("carbon by month", "kt", "co2_mt_by_month", scale=1e3)
    each("budgets", "of its unit", "budget_used", "{}, used")
    each("budgets", "of its unit", "budget_excess", "{}, beyond its limit")
    each("budgets", "of its unit", "budget_missing", "{}, missing")
    each("budgets", f"{money} per unit", "budget_price", "{}, price")
    number("curtailment", "all", "GWh", "curtailment_mwh", scale=1e-3)
    each("curtailment", "GWh", "curtailment_mwh_by_tech", "of {}", scale=1e-3)
    each("curtailment by cause", "GWh", "curtailment_mwh_by_cause", scale=1e-3)
    each("utilisation", "%", "utilisation", scale=100.0)
    for way in ("up", "down"):
        each(f"regulation {way}", "GWh", f"regulation_{way}_gwh")
    each("peak and valley", "MW", "peak_valley_mw", "mean of days, {} regulation")
    number("peak and valley", "highest load", "MW", "peak_load_mw")
    number("operation", "load rate of coal", "%", "coal_load_rate", scale=100.0)
    each("operation", "unit hours", "deep_unit_h", "units in deep peaking, {}")
    number("operation", "starts", "", "starts")
    each("operation", "", "two_shift_starts", "two-shift starts of {}")
    number("security of supply", "unserved", "MWh", "unserved_mwh")
    number("security of supply", "reserve short", "MWh", "reserve_short_mwh")
    each("security of supply", "h", "shortfall_hours", "hours short, {}")
    number("security of supply", "must-run energy spilled", "MWh", "spill_mwh")
    number("security of supply", "overloads", "MWh", "overload_mwh")
    for which in ("mean", "max"):
        name = {"mean": "gap of a window, mean", "max": "gap of a window, worst"}[which]
        number("solution", name, "%", f"gap_{which}", scale=100.0)
    return rows


def _of(summary: dict[str, Any], keys: tuple[str, ...]) -> float:
    """A number by its keys; NaN if the run has none."""
    found: Any = summary
    for key in keys:
        found = found.get(key, math.nan) if isinstance(found, dict) else math.nan
    return float(found)


def _table(runs: Sequence[Run], section: str, rows: Sequence[Row]) -> RenderableType:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title=section, title_justify="left", pad_edge=False)
    table.add_column("")
    table.add_column("unit")
    table.add_column(runs[0].name, justify="right", overflow="fold")
    for run in runs[1:]:
        table.add_column(run.name, justify="right", overflow="fold")
        table.add_column("change", justify="right")
    for row in rows:
        first, *others = row.values
        cells = [said(first)]
        for value, change in zip(others, row.changes, strict=True):
            cells += [said(value), said(change, sign="+")]
        table.add_row(row.name, row.unit, *cells)
    return table


def said(value: float, sign: str = "") -> str:
    """A number with five digits or so; a dash for none."""
    if math.isnan(value):
        return "-"
    size = abs(value)
    whole = size >= 1.0 and float(value).is_integer()
    places = 0 if size >= 1e4 or whole else 1 if size >= 1e3 else 2 if size >= 10 else 3
    text = f"{value:{sign},.{places}f}"
    return text if text.strip("+-0.,") else "0"
