"""Heat of the Jiangsu grid: hourly limits of heat-led units, and electric boilers that take over part of their heat.

A heat-led row has one minimum output for the whole year in ``unit_classes.csv``. With profiles that is the mean of a
minimum that follows the heat of its city (`gridsim.profiles.heat`, equation (2)), and the row's own minimum is a floor
below all of its hours. Boilers lower the heat of all units of a city in proportion and serve it from a store.
"""

from typing import TYPE_CHECKING

import pandas as pd

from gridsim.networks.jiangsu_common import Row, cities, city_shares, stores
from gridsim.profiles.character import sentence
from gridsim.profiles.heat import mean_heat_pu

if TYPE_CHECKING:
    from gridsim.networks.jiangsu_fleet import Grid

IDLE_PU = 0.3  # least output of a unit that gives no heat, p.u. of its rating
NIGHT = {"coal": 1.0, "gas": 0.6}  # steam between 22 and 06 h: blocks in parks run for it by day
DAY_H = 16.0  # hours from 06 to 22 h
LOWEST = 0.7  # of the mean of steam: what the Spring Festival leaves, with some room
BOILER_ETA = 0.98


def heat_of(grid: "Grid", unit: Row, low_pu: float, kind: pd.Series) -> tuple[float, Row]:
    """Least output of a row of a class, p.u., and its profile columns; where it runs for heat, `low_pu` is its mean."""
    tech, city = unit["tech"], unit["zone"]
    if not (grid.options.heat_profiles and kind["must_run"] and tech in NIGHT):
        return low_pu, {"heat_min_profile": "", "heat_max_profile": ""}
    boiler, steam = grid.chosen["heat_boiler_share"], float(city_shares().at[city, "steam"])
    idle, night = min(IDLE_PU, low_pu), NIGHT[tech]
    said = sentence(least=float(low_pu), idle=float(idle), steam=steam, night=night, boiler=boiler)
    names = {}
    for end in ("min", "max"):
        profile = f"heat_{end}/{tech} {low_pu:g}/{city}"
        names[f"heat_{end}_profile"] = profile
        if not grid.asked(profile):
            grid.need(profile, f"heat_{end}", city, cities()[city], 1.0, character=said)
    grid.heat.append((city, mean_heat_pu(low_pu, idle) * unit["units"] * unit["unit_mw"], night))
    return idle + (low_pu - idle) * (1.0 - boiler) * steam * LOWEST * night, names


def boilers(grid: "Grid") -> list[Row]:
    """Electric boilers with a store by city: what they charge is heat, and a demand for heat takes it out.

    Steam of several units falls at night to the mean of what theirs falls to, by heat.
    """
    chosen = grid.chosen
    share, over = chosen["heat_boiler_share"], chosen["heat_boiler_over"]
    rows = []
    for city in cities() if share > 0 else ():
        units = [(mw, night) for where, mw, night in grid.heat if where == city]
        mean_mw = share * sum(mw for mw, _ in units)
        if mean_mw == 0:
            continue
        by_day = [(mw * 24.0 / (DAY_H + (24.0 - DAY_H) * night), night) for mw, night in units]
        night = sum(mw * n for mw, n in by_day) / sum(mw for mw, _ in by_day)
        said = sentence(steam=float(city_shares().at[city, "steam"]), night=night)
        demand = grid.need(f"heat_demand/{city}", "heat_demand", city, cities()[city], mean_mw, character=said)
        power_mw = over * mean_mw / BOILER_ETA
        rows += stores(
            grid,
            city,
            f"electric boilers {city}",
            "heat",
            charge_mw=power_mw,
            discharge_mw=0.0,
            e_mwh=chosen["heat_store_h"] * mean_mw,
            eta_charge=BOILER_ETA,
            loss_per_h=chosen["heat_loss_per_h"],
            demand_profile=demand,
            share="demand_share",
        )
    return rows
