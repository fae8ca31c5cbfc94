"""What the parts of the Jiangsu builder share: figures of the fleet's year, shares of the cities, rows of stores."""

import math
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gridsim.networks.options import Options
from gridsim.networks.tables import read_table

if TYPE_CHECKING:
    from gridsim.networks.jiangsu_fleet import Grid

Row = dict[str, Any]

MAX_MW_PER_BUS = 1500.0  # what a city has of a kind is split over so many of its substations
# Columns of stores that only flexible demand fills, with what they are where it does not.
HOURLY = {
    "inflow_profile": "",
    "profile_share": 1.0,
    "demand_profile": "",
    "demand_share": 1.0,
    "charge_profile": "",
    "discharge_profile": "",
    "min_e_profile": "",
    "notice_h": 0.0,
    "beside": "",
    "for_rate": np.nan,
    "mttf_h": np.nan,
    "mttr_h": np.nan,
}


def choices(options: Options) -> dict[str, float]:
    """Every figure of ``flexibility.csv``: of the fleet's year, or as the options say."""
    table = read_table("flexibility").set_index("name")[f"fleet_{options.fleet}"].astype(float).to_dict()
    given = options.model_dump(include={str(name) for name in table}, exclude_none=True)
    return {str(name): float(given.get(str(name), value)) for name, value in table.items()}


@cache
def city_shares() -> pd.DataFrame:
    """What each city has of the province, by city."""
    return read_table("city_shares").set_index("city")


@cache
def cities() -> dict[str, Row]:
    """The rows of ``loads.csv`` by city, in their order."""
    return {row["city"]: row for row in read_table("loads").to_dict("records")}


def split(grid: "Grid", city: str, mw: float) -> Iterator[tuple[str, float]]:
    """The buses of a city that share `mw`, with equal parts."""
    stations = grid.substations(city).index
    n = min(max(math.ceil(mw / MAX_MW_PER_BUS), 1), len(stations))
    for key in stations[:n]:
        yield str(key), mw / n


def stores(
    grid: "Grid",
    city: str,
    name: str,
    tech: str,
    *,
    charge_mw: float,
    discharge_mw: float,
    e_mwh: float,
    share: str = "",
    **more: Any,
) -> list[Row]:
    """Rows of a store of a city on the buses that share it: as `store`, but powers and `e_mwh` are the city's.

    The column `share` of each row, if one is named, is its part of a series of the city.
    """
    parts = list(split(grid, city, charge_mw or discharge_mw))
    n = len(parts)
    more |= {share: 1.0 / n} if share else {}
    powers = {"charge_mw": charge_mw / n, "discharge_mw": discharge_mw / n}
    return [store(grid, key, name, tech, **powers, e_mwh=e_mwh / n, **more) for key, _ in parts]


def store(grid: "Grid", key: str, name: str, tech: str, *, charge_mw: float, discharge_mw: float, **more: Any) -> Row:
    """A row of a store at a bus: half full, back there at a window's end, no losses and no cost where `more` is silent.

    `more` may give any other column; `e_mwh` is its capacity and `held` what it starts and ends with, p.u. of that.
    """
    e_mwh, held = more.pop("e_mwh"), more.pop("held", 0.5)
    row = {
        "name": f"{name} {grid.name[key]}",
        "bus": grid.bus[key],
        "p_mw": 0.0,
        "max_e_mwh": e_mwh,
        "min_e_mwh": 0.0,
        "soc_percent": 100.0 * held,
        "sn_mva": max(charge_mw, discharge_mw),
        "max_p_mw": charge_mw,
        "min_p_mw": -discharge_mw,
        "controllable": True,
        "type": tech,
        "tech": tech,
        "units": 1,
        "eta_charge": 1.0,
        "eta_discharge": 1.0,
        "loss_per_h": 0.0,
        "charge_cost": 0.0,
        "discharge_cost": 0.0,
        "min_charge_mw": 0.0,
        "min_discharge_mw": 0.0,
        "end_rule": "fixed",
        "e_end_mwh": held * e_mwh,
        "end_value": 0.0,
    }
    if more.get("end_rule", "fixed") != "fixed":
        row["e_end_mwh"] = np.nan
    return row | HOURLY | more
