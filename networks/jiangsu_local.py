"""Local grids: a load, sources and a battery behind one connection of limited exchange, as the options describe them.

Each is a bus with a zone of its own name, on the first substation of its city by a double circuit and an interface of
the exchange limit both ways. Its load comes out of the load of its city, with the city's mean over peak; its sources
and its battery come on top of the province's.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gridsim.errors import Problem
from gridsim.networks.jiangsu_common import Row, cities, store
from gridsim.networks.jiangsu_tariffs import tariff_problems, tariff_words
from gridsim.networks.options import LocalGrid, Options
from gridsim.networks.tables import read_table

if TYPE_CHECKING:
    from gridsim.networks.jiangsu_fleet import Grid

VN_KV = 500.0
LENGTH_KM = 20.0
LINE = "500_4x400"
BATTERY_ETA = math.sqrt(0.865)  # as the batteries of storage.csv
BATTERY_COST = 60.0
WIND_HOURS = 2050.0  # full-load hours of a city without onshore wind in the tables


def buses(options: Options) -> pd.DataFrame:
    """Rows beside those of ``buses.csv``, by id."""
    rows = {
        _key(number): {
            "name": local.name,
            "name_zh": "",
            "zone": local.name,
            "lat_deg": cities()[local.city]["lat_deg"] + 0.1,
            "lon_deg": cities()[local.city]["lon_deg"] + 0.1,
            "vn_kv": VN_KV,
            "kind": "local_grid",
            "transformer_mva": np.nan,
        }
        for number, local in enumerate(options.local_grid, start=1)
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _key(number: int) -> str:
    return f"LOCAL_{number}"


def problems(options: Options, par: dict[str, float]) -> list[Problem]:
    """What the shape of the options cannot tell: names that are taken, tariffs that are not there, too much load."""
    out = []
    for city in dict.fromkeys(local.city for local in options.local_grid):
        most_mw = par["load_peak_mw"] * cities()[city]["peak_share"]
        if taken_mw(options, city) > 0.5 * most_mw:
            rule = f"must be at most half of the peak of {city}, {0.5 * most_mw:,.0f} MW, together: "
            out.append(Problem("local_grid: load_mw", f"{rule}got {taken_mw(options, city):g}"))
    taken = {*read_table("buses")["name"], *read_table("interfaces")["name"], *cities()}
    for number, local in enumerate(options.local_grid, start=1):
        where = f"local_grid {number}"
        if local.name in taken:
            out.append(Problem(f"{where}: name", f"must be of its own: there is a bus, city or section {local.name}"))
    return [*out, *tariff_problems(options)]


def connections(grid: "Grid") -> list[Row]:
    """Rows beside those of ``branches.csv``."""
    return [
        {
            "kind": "line",
            "from_bus": _key(number),
            "to_bus": str(grid.substations(local.city).index[0]),
            "vn_kv": VN_KV,
            "type": LINE,
            "circuits": 2,
            "length_km": LENGTH_KM,
            "rating_mva": local.exchange_limit_mw,
        }
        for number, local in enumerate(grid.options.local_grid, start=1)
    ]


def interfaces(options: Options) -> pd.DataFrame:
    """Rows beside those of ``interfaces.csv``: positive is what a local grid gives away."""
    rows = [(local.name, local.exchange_limit_mw, local.exchange_limit_mw) for local in options.local_grid]
    return pd.DataFrame(rows, columns=["name", "limit_mw", "reverse_limit_mw"]).astype(
        {"limit_mw": float, "reverse_limit_mw": float}
    )


def members(grid: "Grid") -> list[Row]:
    """Rows beside those of ``interface_members.csv``."""
    return [
        {"interface": local.name, "element": "line", "weight": 1.0} | {end: row[end] for end in ("from_bus", "to_bus")}
        for local, row in zip(grid.options.local_grid, connections(grid), strict=True)
    ]


def taken_mw(options: Options, city: str) -> float:
    """Peak load that local grids take out of a city."""
    return sum(local.load_mw for local in options.local_grid if local.city == city)


def twh_per_peak_mw(par: dict[str, float], city: Row) -> float:
    """Energy of the year of a city over its own peak."""
    energy_twh = par["load_energy_twh"] * city["energy_share"]
    return float(energy_twh / (par["load_peak_mw"] * city["peak_share"] * par["city_peak_factor"]))


def loads(grid: "Grid") -> list[Row]:
    """Their loads, with the mean over peak of their city."""
    rows = []
    for number, local in enumerate(grid.options.local_grid, start=1):
        city = cities()[local.city]
        said = tariff_words(grid.options, local.city, local.tariff)
        energy_twh = local.load_mw * twh_per_peak_mw(grid.par, city)
        profile = grid.need(
            f"load_base/{local.name}",
            "load_base",
            local.name,
            city,
            local.load_mw,
            energy_twh=energy_twh,
            character=said.strip(),
        )
        rows.append(
            {
                "name": f"load {local.name}",
                "bus": grid.bus[_key(number)],
                "p_mw": local.load_mw,
                "q_mvar": local.load_mw * city["tan_phi"],
                "profile": profile,
                "profile_share": 1.0,
                "component": "local_grid",
            }
        )
    return rows


def sources(grid: "Grid") -> list[tuple[str, str, str, float, str]]:
    """Bus, name, tech, MW and series of their PV and wind."""
    hours = read_table("renewables").set_index(["city", "tech"])["full_load_h"]
    out = []
    for number, local in enumerate(grid.options.local_grid, start=1):
        for tech, label, mw in (("pv", "PV", local.pv_mw), ("wind_onshore", "onshore wind", local.wind_mw)):
            if mw == 0:
                continue
            full_load_h = float(hours.get((local.city, tech), WIND_HOURS))
            place, more = cities()[local.city], {"full_load_h": full_load_h}
            series = grid.need(f"{tech}/{local.name}", tech, local.name, place, mw, **more)
            out.append((_key(number), f"{label} {local.name}", tech, mw, series))
    return out


def batteries(grid: "Grid") -> list[Row]:
    """Their batteries, half full at both ends of a window, between 5 and 95 % as others are."""
    rows = []
    for number, local in enumerate(grid.options.local_grid, start=1):
        if local.battery_mw > 0:
            rows.append(_battery(grid, _key(number), local))
    return rows


def _battery(grid: "Grid", key: str, local: LocalGrid) -> Row:
    more: dict[str, Any] = {"eta_charge": BATTERY_ETA, "eta_discharge": BATTERY_ETA, "discharge_cost": BATTERY_COST}
    row = store(
        grid,
        key,
        "battery",
        "battery",
        charge_mw=local.battery_mw,
        discharge_mw=local.battery_mw,
        e_mwh=local.battery_mwh,
        **more,
    )
    return row | {
        "min_e_mwh": 0.05 * local.battery_mwh,
        "max_e_mwh": 0.95 * local.battery_mwh,
        "soc_percent": 50 / 0.95,
    }
