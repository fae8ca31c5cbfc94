"""Write the tables of docs/findings.md from runs of the built-in scenarios, and of overlays on one of them.

    python tools/findings.py --runs 2024.h5 2025.h5 2030.h5 2060.h5 --base 2030.h5 --overlays more-storage.h5 ...

Everything is read from the results files: what ``gridsim show --json`` says of each, and a few sums of its arrays. The
tables go between the markers of the page; the text around them is not touched.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gridsim.errors import GridsimError, InputError, Problem
from gridsim.results import ResultsReader
from gridsim.schema import CAUSES, SUPPLIERS, TECH_ORDER

PAGE = Path(__file__).resolve().parents[1] / "docs" / "findings.md"
MARK = "<!-- findings: {name} {end} -->"
SMALL = 5e-4  # of what is shown, below which a row of zeros is left out


class Run(NamedTuple):
    """One results file in numbers."""

    name: str
    summary: dict[str, Any]
    load_twh: float
    price: float  # of energy at the reference, weighted by load


class Row(NamedTuple):
    """One line of a table: how it is called, its unit and digits, and what it is of a run."""

    text: str
    unit: str
    digits: int
    value: Callable[[Run], float]
    always: bool = True  # false: left out where it is 0 in all runs


def read(path: Path) -> Run:
    with ResultsReader(path) as run:
        load = run.array("dispatch/load_mw").sum(axis=1)
        price = float((run.array("price/energy") * load).sum() / max(load.sum(), 1e-9))
        return Run(str(run.meta["scenario_name"]), run.summary, float(load.sum()) * run.dt_h / 1e6, price)


def _of(*keys: str, scale: float = 1.0) -> Callable[[Run], float]:
    """A number of the summary by its keys, 0 where a run has none of it."""

    def value(run: Run) -> float:
        found: Any = run.summary
        for key in keys:
            found = found.get(key, 0.0) if isinstance(found, dict) else 0.0
        return float(found) * scale

    return value


def _fossil_free(run: Run) -> float:
    """Share of nuclear, biomass, hydro, wind and PV in the load served, %; what imports are made of is not counted."""
    own = ("nuclear", "biomass", "hydro", "wind_offshore", "wind_onshore", "pv")
    return 100.0 * sum(run.summary["energy_twh"].get(tech, 0.0) for tech in own) / max(run.load_twh, 1e-9)


ENERGY = [
    Row("load", "TWh", 1, lambda run: run.load_twh),
    Row("highest load", "GW", 1, _of("peak_load_mw", scale=1e-3)),
    *(Row(tech.replace("_", " "), "TWh", 1, _of("energy_twh", tech), always=False) for tech in TECH_ORDER),
    Row("own non-fossil share of load", "%", 1, _fossil_free),
]
CURTAILED = [
    Row("utilisation of wind 风电利用率", "%", 2, _of("utilisation", "wind", scale=100.0)),
    Row("utilisation of PV 光伏利用率", "%", 2, _of("utilisation", "pv", scale=100.0)),
    Row("curtailed", "GWh", 0, _of("curtailment_mwh", scale=1e-3)),
    *(
        Row(f"... {cause}", "GWh", 0, _of("curtailment_mwh_by_cause", cause, scale=1e-3), always=False)
        for cause in CAUSES
    ),
]
REGULATION = [
    Row("peak-valley of net load", "GW", 1, _of("peak_valley_mw", "before", scale=1e-3)),
    Row("... left for coal", "GW", 1, _of("peak_valley_mw", "after", scale=1e-3)),
    *(
        Row(f"{name.replace('_', ' ')}, {way}", "TWh", 2, _of(f"regulation_{way}_gwh", name, scale=1e-3), always=False)
        for name in SUPPLIERS
        for way in ("up", "down")
    ),
    Row("load rate of coal", "%", 1, _of("coal_load_rate", scale=100.0)),
    Row("two-shift starts of gas", "", 0, _of("two_shift_starts", "gas")),
]
RESULT = [
    Row("cost", "bn CNY", 1, _of("total_cost", scale=1e-9)),
    Row("price of energy, by load", "CNY/MWh", 0, lambda run: run.price),
    Row("CO2", "Mt", 1, _of("co2_mt")),
    Row("CO2 of the load", "kg/MWh", 0, lambda run: run.summary["co2_mt"] / max(run.load_twh, 1e-9) * 1e3),
    Row("unserved", "GWh", 2, _of("unserved_mwh", scale=1e-3)),
    Row("reserve short", "GWh", 2, _of("reserve_short_mwh", scale=1e-3)),
    Row("hours short, up", "h", 0, _of("shortfall_hours", "up")),
    Row("hours short, down", "h", 0, _of("shortfall_hours", "down")),
    Row("gap of a window, mean", "%", 3, _of("gap_mean", scale=100.0)),
    Row("gap of a window, worst", "%", 3, _of("gap_max", scale=100.0)),
]
CHANGES = [
    Row("cost", "bn CNY", 2, _of("total_cost", scale=1e-9)),
    Row("CO2", "Mt", 2, _of("co2_mt")),
    Row("coal", "TWh", 2, _of("energy_twh", "coal")),
    Row("gas", "TWh", 2, _of("energy_twh", "gas")),
    Row("curtailed", "GWh", 0, _of("curtailment_mwh", scale=1e-3)),
    Row("unserved", "GWh", 2, _of("unserved_mwh", scale=1e-3)),
    Row("peak-valley left for coal", "GW", 2, _of("peak_valley_mw", "after", scale=1e-3)),
    Row("price", "CNY/MWh", 1, lambda run: run.price),
]


def table(runs: Sequence[Run], rows: Sequence[Row]) -> str:
    """A Markdown table, a run a column."""
    lines = ["| | unit | " + " | ".join(run.name for run in runs) + " |", "| --- | --- |" + " ---: |" * len(runs)]
    for row in rows:
        values = [row.value(run) for run in runs]
        if row.always or max(map(abs, values)) >= max(SMALL, 0.5 * 10.0**-row.digits):
            lines.append(f"| {row.text} | {row.unit} | " + " | ".join(_said(v, row.digits) for v in values) + " |")
    return "\n".join(lines)


def changes(base: Run, runs: Sequence[Run]) -> str:
    """A Markdown table, an overlay a line: what it changes of `base`."""
    titles = [f"{row.text}, {row.unit}" for row in CHANGES]
    lines = [f"| on {base.name} | " + " | ".join(titles) + " |", "| --- |" + " ---: |" * len(titles)]
    lines.append("| itself | " + " | ".join(_said(row.value(base), row.digits) for row in CHANGES) + " |")
    for run in runs:
        moved = [_said(row.value(run) - row.value(base), row.digits, sign="+") for row in CHANGES]
        lines.append(f"| {run.name} | " + " | ".join(moved) + " |")
    return "\n".join(lines)


def _said(value: float, digits: int, sign: str = "") -> str:
    shown = float(np.round(value, digits)) + 0.0  # no negative zeros
    return f"{shown:{sign if shown else ''},.{digits}f}"


def rewritten(page: str, name: str, content: str) -> str:
    """The page with `content` between the markers of that name. Raises InputError where one is not there once."""
    begin, end = (MARK.format(name=name, end=which) for which in ("begin", "end"))
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise InputError("findings.md", [Problem("markers", f"must be there once each: {begin} ... {end}")])
    head, rest = page.split(begin)
    return f"{head}{begin}\n\n{content}\n\n{end}{rest.split(end)[1]}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the tables of docs/findings.md.")
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="results of the scenarios, whole years")
    parser.add_argument("--base", type=Path, help="the run that the overlays change")
    parser.add_argument("--overlays", type=Path, nargs="+", default=[], help="results with one overlay each")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to rewrite")
    options = parser.parse_args(arguments)
    try:
        page = options.page.read_text(encoding="utf-8")
        if options.runs:
            runs = [read(path) for path in options.runs]
            groups = {"energy": ENERGY, "curtailment": CURTAILED, "regulation": REGULATION, "result": RESULT}
            for name, rows in groups.items():
                page = rewritten(page, name, table(runs, rows))
        if options.base and options.overlays:
            page = rewritten(page, "overlays", changes(read(options.base), [read(path) for path in options.overlays]))
        options.page.write_text(page, encoding="utf-8")
    except GridsimError as error:
        print(error, file=sys.stderr)
        return 1
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
