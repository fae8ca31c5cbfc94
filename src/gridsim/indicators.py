"""The plan's indicators: what a run of the built-in grid says of the province's targets, with warning levels.

Targets stand in ``networks/jiangsu/indicators.csv``, each for a year, with source and trust. A run is held to those of
the first such year that its fleet does not lie behind. Everything else is read from the results file. Levels:

met     on the right side of the target
watch   short of it by no more than the share `watch` of it
missed  further away
"""

import tomllib
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from gridsim.errors import InputError, Problem
from gridsim.networks.tables import read_table
from gridsim.results import ResultsReader
from gridsim.schema import WEATHER_TECHS, WIND_TECHS

MET, WATCH, MISSED = "met", "watch", "missed"
_GREEN = (*WEATHER_TECHS, "biomass")


class Indicator(NamedTuple):
    """One target, and what a run has."""

    key: str
    text: str
    text_zh: str
    unit: str
    year: int  # of the target
    sense: str  # at_least | at_most
    target: float
    value: float
    level: str
    trust: str


def indicators(run: ResultsReader) -> list[Indicator]:
    """All indicators of a run, in the order of the table.

    Raises
    ------
    InputError
        If the run is not of the built-in grid, or has a horizon for which sums of a year mean nothing.
    """
    scenario = tomllib.loads(run.file["meta/scenario_text"].asstr()[()])
    problems = []
    if scenario["network"]["source"] != "jiangsu":
        problems.append(Problem("network.source", "must be jiangsu: targets are of the built-in grid"))
    if run.hours < 8760:
        problems.append(Problem("hours", f"must be a whole year for targets of a year, is {run.hours}"))
    if problems:
        raise InputError(str(run.path), problems)
    table = read_table("indicators")
    years = sorted(set(table["year"].astype(int)))
    year = next((y for y in years if y >= scenario["jiangsu"]["fleet"]), years[-1])
    facts = _Facts(run)
    out = []
    for row in table[table["year"].astype(int) == year].to_dict("records"):
        value, target = _VALUES[row["key"]](facts), float(row["target"])
        level = level_of(value, target, row["sense"], float(row["watch"]))
        key, text, text_zh, unit = (str(row[name]) for name in ("key", "text", "text_zh", "unit"))
        sense, trust = str(row["sense"]), str(row["trust"])
        out.append(Indicator(key, text, text_zh, unit, year, sense, target, value, level, trust))
    return out


def level_of(value: float, target: float, sense: str, watch: float) -> str:
    """The warning level of a value; `watch` is a share of the target."""
    short = (target - value) if sense == "at_least" else (value - target)
    return MET if short <= 0.0 else WATCH if short <= watch * abs(target) else MISSED


class _Facts:
    """What indicators are made of."""

    def __init__(self, run: ResultsReader):
        self.summary: dict[str, Any] = run.summary
        units, sources, stores = (run.table(name) for name in ("units", "sources", "stores"))
        parts = (
            (units["tech"], units["units"] * units["p_max_mw"]),
            (sources["tech"], sources["p_nom_mw"]),  # of biomass its mean output: it has no series
            (stores["tech"], stores["p_discharge_max_mw"]),
        )
        tech, mw = (pd.concat([part[k] for part in parts], ignore_index=True) for k in range(2))
        self.gw: dict[str, float] = (mw.groupby(tech.astype(str)).sum() / 1e3).to_dict()
        fed_in = run.array("dispatch/source_p_mw").sum(axis=0) * run.dt_h / 1e6
        clean, imported = sources["clean_share"].to_numpy(float), (sources["tech"] == "import").to_numpy(bool)
        # a line that is all clean brings water; of the others the clean part is wind and sun
        self.water_twh = float(fed_in[imported & (clean >= 1.0)].sum())
        self.wind_from_afar_twh = float((fed_in * clean)[imported & (clean < 1.0)].sum())
        self.load_twh = float(run.array("dispatch/load_mw").sum()) * run.dt_h / 1e6

    def capacity(self, *techs: str) -> float:
        return sum(self.gw.get(tech, 0.0) for tech in techs)

    def energy(self, *techs: str) -> float:
        return sum(self.summary["energy_twh"].get(tech, 0.0) for tech in techs)

    def weight(self, *, water: bool) -> float:
        """Renewable share of consumption, %."""
        green = self.energy(*_GREEN) + self.wind_from_afar_twh
        green += self.water_twh + self.energy("hydro") if water else 0.0
        return 100.0 * green / max(self.load_twh, 1e-9)


def _capacity(*techs: str) -> Callable[[_Facts], float]:
    return lambda facts: facts.capacity(*techs)


_VALUES: dict[str, Callable[[_Facts], float]] = {
    "renewable_gw": _capacity(*_GREEN, "hydro"),
    "wind_gw": _capacity(*WIND_TECHS),
    "wind_offshore_gw": _capacity("wind_offshore"),
    "pv_gw": _capacity("pv"),
    "pumped_hydro_gw": _capacity("pumped_hydro"),
    "new_storage_gw": _capacity("battery", "caes"),
    "nuclear_gw": _capacity("nuclear"),
    "renewable_weight": lambda facts: facts.weight(water=True),
    "non_hydro_weight": lambda facts: facts.weight(water=False),
    "utilisation": lambda facts: 100.0 * facts.summary["utilisation"]["wind_and_pv"],
    "non_fossil_share": lambda facts: 100.0 * facts.summary["non_fossil_share"],
    "coal_mtce": lambda facts: facts.summary["coal_mtce"],
    "co2_mt": lambda facts: facts.summary["co2_mt"],
    "unserved_share": lambda facts: 100.0 * facts.summary["unserved_mwh"] / max(facts.load_twh * 1e6, 1e-9),
}


def as_table(found: list[Indicator]) -> Any:
    """For a terminal: a line an indicator, its level in colour."""
    from rich.table import Table

    table = Table(title=f"targets of {found[0].year}", title_justify="left")
    for name in ("indicator", "", "value", "target", "unit", "level", "trust"):
        table.add_column(name, justify="right" if name in ("value", "target") else "left")
    colour = {MET: "green", WATCH: "yellow", MISSED: "red"}
    for row in found:
        sign = "≥" if row.sense == "at_least" else "≤"
        level = f"[{colour[row.level]}]{row.level}[/]"
        table.add_row(row.text, row.text_zh, f"{row.value:,.4g}", f"{sign} {row.target:g}", row.unit, level, row.trust)
    return table
