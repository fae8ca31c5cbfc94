"""Compare a run of the built-in year with published figures, and write the table into docs/validation.md.

    python tools/validation.py results/jiangsu-2024.h5

Published figures stand in ``published.csv`` beside this file, each with source, year and trust; what the model says is
computed here, from the results file alone, by the function of the same key. The table goes between the two markers of
the page; the text around it is not touched.
"""

import argparse
import csv
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gridsim.errors import GridsimError, InputError, Problem
from gridsim.results import ResultsReader

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "validation.md"
PUBLISHED = HERE / "published.csv"
BEGIN, END = "<!-- validation: begin -->", "<!-- validation: end -->"
TRUST = ("sourced", "derived", "background")
ROLES = ("given", "found")
GREEN = ("wind_offshore", "wind_onshore", "pv")


class Figure(NamedTuple):
    """One published figure: a value, or a range."""

    key: str
    group: str
    quantity: str
    unit: str
    low: float
    high: float
    digits: int
    year: str
    role: str  # "given": the model is built or calibrated to it; "found": it is not
    trust: str
    source: str
    why: str

    def published(self) -> str:
        if self.low == self.high:
            return f"{self.low:,.{self.digits}f}"
        return f"{self.low:,.{self.digits}f} to {self.high:,.{self.digits}f}"

    def difference(self, model: float) -> str:
        """Relative to the published value, or to the nearer end of the range."""
        shown = round(model, self.digits)
        if self.low <= shown <= self.high:
            return "none" if self.low == self.high else "within"
        nearest = self.low if shown < self.low else self.high
        if nearest == 0.0:
            return f"{shown - nearest:+,.{self.digits}f} {self.unit}"
        return f"{100.0 * (model / nearest - 1.0):+.1f} %"


def read_published(path: Path = PUBLISHED) -> list[Figure]:
    """The published figures. Raises InputError for rows that are not complete."""
    problems: list[Problem] = []
    out: list[Figure] = []
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            where = f"{path.name}:{line}"
            problems += [Problem(f"{where}: {name}", "must not be empty") for name in Figure._fields if not row[name]]
            if row["trust"] not in TRUST or row["role"] not in ROLES:
                problems.append(Problem(where, f"trust must be one of {TRUST}, role one of {ROLES}"))
            if row["key"] not in MODEL:
                problems.append(Problem(f"{where}: key", f"has no function in {Path(__file__).name}: {row['key']!r}"))
            values: dict[str, Any] = dict(row)
            values |= {"low": float(row["low"]), "high": float(row["high"]), "digits": int(row["digits"])}
            out.append(Figure(**values))
    missing = set(MODEL) - {figure.key for figure in out}
    problems += [Problem(path.name, f"has no row {key!r}") for key in sorted(missing)]
    if problems:
        raise InputError(str(path), problems)
    return out


class Year:
    """What the comparison needs of a results file, read once."""

    def __init__(self, run: ResultsReader):
        self.run = run
        if run.hours not in (8760, 8784):
            raise InputError(str(run.path), [Problem("hours", f"must be a whole year, is {run.hours}")])
        techs = set(run.names("tech"))
        problems = [
            Problem("tech", f"must have {name!r}: this is not a run of the built-in grid")
            for name in ("coal", "gas", "nuclear", "biomass", "import", "exchange", "battery", *GREEN)
            if name not in techs
        ]
        if problems:
            raise InputError(str(run.path), problems)

    @cached_property
    def tech_mw(self) -> pd.DataFrame:
        return self.run.frame("dispatch/tech_p_mw")

    @cached_property
    def load_mw(self) -> pd.Series:
        return self.run.frame("dispatch/load_mw").sum(axis=1)

    @cached_property
    def green_mw(self) -> pd.Series:
        return self.tech_mw[list(GREEN)].sum(axis=1)

    @cached_property
    def net_import_mw(self) -> pd.Series:
        return self.tech_mw["import"] + self.tech_mw["exchange"]

    @cached_property
    def sources(self) -> pd.DataFrame:
        return self.run.table("sources")

    @cached_property
    def tie_mw(self) -> pd.DataFrame:
        """Imports and exchanges row by row, < 0 out."""
        outside = self.sources["tech"].isin(("import", "exchange")).to_numpy()
        return self.run.frame("dispatch/source_p_mw").loc[:, outside]

    @cached_property
    def section_mw(self) -> pd.Series:
        return self.run.frame("flow/interface_p_mw")["Yangtze 500 kV"]

    def twh(self, *techs: str) -> float:
        return float(self.tech_mw[list(techs)].to_numpy().sum()) / 1e6

    def unit_mw(self, tech: str) -> float:
        """Capacity of committed units."""
        units = self.run.table("units")
        return float((units["units"] * units["p_max_mw"])[units["tech"] == tech].sum())

    def source_mw(self, *techs: str) -> float:
        return float(self.sources.loc[self.sources["tech"].isin(techs), "p_nom_mw"].sum())

    def hours(self, tech: str) -> float:
        """Hours at full load of units or sources."""
        return self.twh(tech) * 1e6 / (self.unit_mw(tech) + self.source_mw(tech))

    def between(self, series: pd.Series, first: str, last: str) -> float:
        """Energy from one day to the end of another one. [TWh]"""
        year = self.run.time[0].year
        return float(series[f"{year}-{first}" : f"{year}-{last}"].sum()) / 1e6


def _winter(series: pd.Series) -> pd.Series:
    return series[series.index.month.isin((12, 1, 2))]


def _utilisation(year: Year) -> float:
    ours = year.sources["tech"].isin(GREEN).to_numpy()
    available = year.run.array("dispatch/source_available_mw")[:, ours].sum(dtype=np.float64)
    return 100.0 * (1.0 - float(year.run.array("curtailment/source_mw")[:, ours].sum(dtype=np.float64) / available))


def _battery_hours(year: Year) -> float:
    stores = year.run.table("stores")
    ours = (stores["tech"] == "battery").to_numpy()
    out = year.run.array("storage/discharge_mw")[:, ours].sum(dtype=np.float64)
    return float(out) / float(stores["p_discharge_max_mw"][ours].sum())


def _co2(year: Year) -> float:
    """Own emissions and those of what comes in, over what is consumed and what goes out. [t/MWh]

    What goes out carries the province's own mix: own + in = factor x (load + out).
    """
    emitted = sum(float(year.run.array(f"carbon/{name}").sum(dtype=np.float64)) for name in ("tech_t", "origin_t"))
    out_mwh = -float(year.tie_mw.clip(upper=0.0).to_numpy().sum())
    return emitted / (float(year.load_mw.sum()) + out_mwh)


MODEL: dict[str, Callable[[Year], float]] = {
    "consumption": lambda y: float(y.load_mw.sum()) / 1e6,
    "consumption_h1": lambda y: y.between(y.load_mw, "01-01", "06-30"),
    "summer_peak": lambda y: float(y.load_mw.drop(_winter(y.load_mw).index).max()) / 1e3,
    "winter_peak": lambda y: float(_winter(y.load_mw).max()) / 1e3,
    "festival_minimum": lambda y: float(y.load_mw.min()) / 1e3,
    "shed": lambda y: float(y.run.array("unserved/load_mw").sum(dtype=np.float64)) / 1e3,
    "coal_capacity": lambda y: y.unit_mw("coal") / 1e3,
    "thermal": lambda y: y.twh("coal", "gas", "biomass"),
    "coal_hours": lambda y: y.hours("coal"),
    "coal_max": lambda y: float(y.tech_mw["coal"].max()) / 1e3,
    "gas_hours": lambda y: y.hours("gas"),
    "nuclear": lambda y: y.twh("nuclear"),
    "import_net": lambda y: float(y.net_import_mw.sum()) / 1e6,
    "import_july": lambda y: y.between(y.tie_mw.clip(lower=0.0).sum(axis=1), "01-01", "07-15"),
    "import_record": lambda y: float(y.net_import_mw.max()) / 1e3,
    "offshore_hours": lambda y: y.hours("wind_offshore"),
    "onshore_hours": lambda y: y.hours("wind_onshore"),
    "pv_hours": lambda y: y.hours("pv"),
    "wind_max": lambda y: float(y.tech_mw[list(GREEN[:2])].sum(axis=1).max()) / y.source_mw(*GREEN[:2]),
    "green_max": lambda y: float(y.green_mw.max()) / y.source_mw(*GREEN),
    "utilisation": _utilisation,
    "green_share": lambda y: 100.0 * y.twh(*GREEN, "biomass") * 1e6 / float(y.load_mw.sum()),
    "yangtze_load": lambda y: float(y.section_mw.max()) / 1e3,
    "yangtze_energy": lambda y: float(y.section_mw.clip(lower=0.0).sum()) / 1e6,
    "battery_hours": _battery_hours,
    "co2": _co2,
}


def table(figures: list[Figure], model: dict[str, float]) -> str:
    """The comparison in Markdown."""
    lines = [
        "| | quantity | published | model | difference | why, and from where |",
        "|---|---|---|---|---|---|",
    ]
    group = ""
    for figure in figures:
        link = f"[{figure.trust}]({figure.source})" if figure.source.startswith("http") else figure.trust
        if figure.source not in ("background", "") and not figure.source.startswith("http"):
            link += f": {figure.source}"
        cells = [
            figure.group if figure.group != group else "",
            f"{figure.quantity}{' (g)' if figure.role == 'given' else ''}, {figure.unit}",
            f"{figure.published()} ({figure.year})",
            f"{model[figure.key]:,.{figure.digits}f}",
            figure.difference(model[figure.key]),
            f"{figure.why} [{link}]" if link == figure.trust else f"{figure.why} ({link})",
        ]
        group = figure.group
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def about(run: ResultsReader) -> str:
    """Which run this is."""
    short = run.array("reserve/short_mw")[:, run.names("product").index("up")]
    units = run.table("units")
    spare = (run.array("commitment/available") - run.array("commitment/on")) @ units["p_max_mw"].to_numpy()
    lacking = (short > 1.0) & (spare < 1.0)
    shed_mwh, short_mwh = (a.sum(dtype=np.float64) for a in (run.array("unserved/load_mw"), short))
    return (
        f"Scenario `{run.meta['scenario_name']}`, {run.hours:,} hours, seed {run.meta.get('seed', 'unknown')}. "
        f"Load shed: {shed_mwh:,.0f} MWh. Up reserve short by more than 1 MW in {int((short > 1.0).sum())} hours, "
        f"at most {short.max():,.0f} MW, together {short_mwh:,.0f} MWh; in {int(lacking.sum())} of these hours no "
        f"unit was left to start.\n\nEnergy by source, TWh (stores: what they lose): {energy(run)}."
    )


def energy(run: ResultsReader) -> str:
    """Energy of every technology, in words; exports and losses negative."""
    sums = run.array("dispatch/tech_p_mw").sum(axis=0, dtype=np.float64) / 1e6
    pairs = zip(run.names("tech"), sums.tolist(), strict=True)
    return ", ".join(f"{tech.replace('_', ' ')} {twh:.1f}" for tech, twh in pairs if abs(twh) >= 0.05)


def rewritten(page: str, content: str) -> str:
    """The page with `content` between its markers. Raises InputError when they are not there once each, in order."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise InputError("validation.md", [Problem("markers", f"must be there once each: {BEGIN} ... {END}")])
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n\n{content}\n\n{END}{rest.split(END)[1]}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Write the table of docs/validation.md from a run of the built-in year."
    )
    parser.add_argument("results", type=Path, help="results file of a whole year")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to rewrite")
    options = parser.parse_args(arguments)
    try:
        figures = read_published()
        with ResultsReader(options.results) as run:
            year = Year(run)
            content = f"{about(run)}\n\n{table(figures, {f.key: MODEL[f.key](year) for f in figures})}"
        options.page.write_text(rewritten(options.page.read_text(encoding="utf-8"), content), encoding="utf-8")
    except GridsimError as error:
        print(error, file=sys.stderr)
        return 1
    print(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
