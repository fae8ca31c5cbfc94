"""What stands on the buses of the Jiangsu grid: rows for pandapower's tables, and the series that drive them.

Every function reads its tables and returns plain rows (dicts of column -> value); `jiangsu_net` puts them into a
net. The output of each row (`p_mw`) is that of the summer peak at midday, with thermal units at their rating until the
net is balanced.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from gridsim.errors import InputError, Problem
from gridsim.networks.jiangsu_common import Row, choices, split
from gridsim.networks.jiangsu_heat import heat_of
from gridsim.networks.jiangsu_local import buses as local_buses
from gridsim.networks.jiangsu_outages import NEVER, outage_columns
from gridsim.networks.options import Options
from gridsim.networks.tables import read_parameters, read_table, standing
from gridsim.networks.unit_costs import FuelCurve, depth_pieces, equal_pieces, unit_cost
from gridsim.profiles.character import sentence

SLACK = "Tianwan nuclear 1-2"
STEAM = "Tianwan nuclear 3-4"  # gives steam to the works beside it
# Output at the summer peak at midday, per unit of rating. Assumed.
PEAK_PU = {"pv": 0.50, "wind_offshore": 0.10, "wind_onshore": 0.08, "gas": 0.60}
PV_COLUMN = {"year_average": "mw_average_2024", "year_end": "mw_end_2024"}
LABEL = {"pv": "PV", "pv_offshore": "offshore PV", "wind_onshore": "onshore wind", "biomass": "biomass"}
HOURS_PER_YEAR = 8784.0  # of 2024
FREE = {"controllable": True, "curtailable": True}
DEEP_COST = ("deep_50_40_cny", "deep_40_35_cny", "deep_35_30_cny", "deep_below_30_cny")  # by depth class


@dataclass
class Grid:
    """What all tables share: single numbers, substations, bus numbers, and the series asked of the generator."""

    options: Options = field(default_factory=Options)
    buses: pd.DataFrame = field(default_factory=lambda: read_table("buses").set_index("id"))
    profiles: list[Row] = field(default_factory=list)
    heat: list[tuple[str, float, float]] = field(
        default_factory=list
    )  # of units: city, mean MW of heat, level at night
    par: dict[str, float] = field(init=False)
    chosen: dict[str, float] = field(init=False)  # figures of demand, heat and hydrogen

    def __post_init__(self) -> None:
        self.par, self.chosen = read_parameters(self.options.fleet), choices(self.options)
        given = self.options.model_dump(include=set(self.par), exclude_none=True)
        self.par |= {name: float(value) for name, value in given.items()}
        local = local_buses(self.options)
        if len(local):
            self.buses = pd.concat([self.buses, local])
        self.bus = {str(key): number for number, key in enumerate(self.buses.index)}
        self.name = {str(key): str(name) for key, name in self.buses["name"].items()}

    def table(self, name: str) -> list[Row]:
        """Rows of a table that hold for the fleet."""
        return standing(read_table(name), self.options.fleet).to_dict("records")

    def substations(self, city: str) -> pd.DataFrame:
        return self.buses[(self.buses["zone"] == city) & (self.buses["kind"] == "substation")]

    def asked(self, profile: str) -> bool:
        """Whether a series is asked for already."""
        return any(row["profile"] == profile for row in self.profiles)

    def need(self, profile: str, kind: str, zone: str, place: Row | pd.Series, rated_mw: float, **more: Any) -> str:
        """Ask for one series; returns its name. `place` has lat_deg and lon_deg."""
        row = {"energy_twh": np.nan, "full_load_h": np.nan, "units": np.nan, "character": ""} | more
        where = {"lat_deg": place["lat_deg"], "lon_deg": place["lon_deg"], "rated_mw": rated_mw}
        self.profiles.append({"profile": profile, "kind": kind, "zone": zone} | where | row)
        return profile


def fuels(par: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Price [CNY/MWh fuel] and emissions [t/MWh fuel] by fuel."""
    return {
        "coal": (par["coal_price_cny_per_tce"] / par["tce_mwh"], par["coal_co2_t_per_tce"] / par["tce_mwh"]),
        "gas": (par["gas_price_cny_per_m3"] / par["gas_mwh_per_m3"], par["gas_co2_t_per_mwh"]),
        "hydrogen": (par["hydrogen_price_cny_per_kg"] / par["hydrogen_mwh_per_kg"], 0.0),
        "uranium": (par["uranium_cost_cny_per_mwh_th"], 0.0),
    }


def age_factor(rate_per_year: float, reference_year: float, commissioned: float) -> float:
    """Fuel of a unit over that of its class by age, at most 3 % either way; 1 where a year is unknown (NaN)."""
    if math.isnan(reference_year) or math.isnan(commissioned):
        return 1.0
    return 1.0 + min(max(rate_per_year * (reference_year - commissioned), -0.03), 0.03)


def minimum_pu(grid: Grid, units: pd.DataFrame, classes: pd.DataFrame) -> pd.Series:
    """Least output of each row of `units`, per unit of its rating.

    Flexibility retrofit goes by the share of the MW that the options say: the largest units first, of equal ones the
    youngest, then by name. A row is in if the middle of its MW is; reactors are all flexible, or none.
    """
    kind = classes.loc[units["unit_class"]].set_axis(units.index)
    flexible = (units["tech"] == "nuclear") & grid.options.nuclear_load_following
    coal, heat = units["tech"] == "coal", kind["must_run"].astype(bool)
    shares = ((coal & ~heat, grid.options.coal_retrofit_share), (coal & heat, grid.options.chp_retrofit_share))
    for group, share in shares:
        order = units[group].sort_values(["unit_mw", "commissioned", "name"], ascending=[False, False, True])
        mw = order["units"] * order["unit_mw"]
        flexible[order.index] = (mw.cumsum() - 0.5 * mw) < share * mw.sum()
    return kind["min_pu_after"].where(flexible, kind["min_pu_before"])


def _beside_steam(grid: Grid, n: int, p_max: float) -> float:
    """What steam leaves of the rating of each of `n` units, at least half. [MW]"""
    most, steam = 0.5 * n * p_max, grid.par["nuclear_steam_mw"]
    if steam > most:
        rule = f"must be at most {most:g} MW, half of {STEAM}: got {steam:g}"
        raise InputError("jiangsu", [Problem("nuclear_steam_mw", rule)])
    return p_max - steam / n


def thermal(grid: Grid) -> tuple[list[Row], list[list[list[float]]]]:
    """Coal, gas and nuclear units, and the cost points of each row."""
    classes = read_table("unit_classes").set_index("unit_class")
    fuel = fuels(grid.par)
    rows, points = [], []
    units = standing(read_table("units"), grid.options.fleet)
    for unit, low in zip(units.to_dict("records"), minimum_pu(grid, units, classes), strict=True):
        kind = classes.loc[unit["unit_class"]]
        n, p_max = int(unit["units"]), unit["unit_mw"]
        if unit["name"] == STEAM:
            p_max = _beside_steam(grid, n, p_max)
        low, heat = heat_of(grid, unit, low, kind)
        p_min, row_mw = p_max * low, n * p_max
        price, co2 = fuel[kind["fuel"]]
        age = age_factor(grid.par["age_rate_per_year"], kind["reference_year"], unit["commissioned"])
        curve = FuelCurve(kind["f0"], kind["f1"], kind["f2"])
        pieces = 1 if kind["must_run"] else 2  # heat-led units move little and are small
        cost = unit_cost(
            p_max,
            depth_pieces(low) if unit["tech"] == "coal" else equal_pieces(low, pieces),
            rate=age * kind["fuel_rate_mwh"],
            price=price,
            co2=co2 * (1.0 - kind["captured"]),
            curve=curve,
            deep=[float(kind[column]) for column in DEEP_COST],
            co2_price=grid.options.co2_price_cny_per_t,
        )
        more = {"units": n, "character": unit["tech"]}
        rows.append(
            {
                "name": unit["name"],
                "bus": grid.bus[unit["bus"]],
                "p_mw": row_mw,
                "vm_pu": grid.par["vm_setpoint_pu"],
                "sn_mva": row_mw / 0.9,
                "min_p_mw": n * p_min,
                "max_p_mw": row_mw,
                "min_q_mvar": -0.30 * row_mw,
                "max_q_mvar": 0.48 * row_mw,
                "controllable": True,
                "slack": unit["name"] == SLACK,
                "type": unit["unit_class"],
                "tech": unit["tech"],
                "fuel": kind["fuel"],
                "units": n,
                "min_up_h": int(kind["min_up_h"]),
                "min_down_h": int(kind["min_down_h"]),
                "start_cost": float(kind["start_cost_cny"]),
                "no_load_cost": cost.no_load,
                "ramp_up_mw_per_h": row_mw * kind["ramp_pu_per_h"],
                "ramp_down_mw_per_h": row_mw * kind["ramp_pu_per_h"],
                "must_run": bool(kind["must_run"]),
                "reserve_up": bool(kind["reserve"]),
                "reserve_down": bool(kind["reserve"]),
                "quick_start": bool(kind["quick_start"]),
                "co2_t_per_mwh": cost.co2_t_per_mwh,
                "co2_no_load_t_per_h": cost.co2_no_load_t_per_h,
                "profile": grid.need(f"availability/{unit['name']}", "availability", unit["zone"], unit, p_max, **more),
            }
            | heat
            | outage_columns("gen", unit["unit_class"], unit["tech"])
        )
        ends = [n * p_min, *(n * b for b in cost.breakpoints_mw[1:-1]), row_mw]
        points.append([[a, b, s] for (a, b), s in zip(pairwise(ends), cost.slopes, strict=True)])
    return rows, points


def sgen_row(grid: Grid, bus: str, name: str, tech: str, p_mw: tuple[float, float, float], **more: Any) -> Row:
    """One static generator; `p_mw` is its output, least and largest output."""
    now, low, high = p_mw
    limits = {"min_p_mw": low, "max_p_mw": high, "sn_mva": high}
    row = {"name": name, "bus": grid.bus[bus], "p_mw": now, "q_mvar": 0.0, "tech": tech, "cost": 0.0, "profile": ""}
    row |= limits | {"curtailable": False, "band_down": np.nan, "export_limit_mw": np.nan, "reverse_limit_mw": np.nan}
    row |= {"export_profile": "", "clean_share": np.nan, "origin_co2_t_per_mwh": 0.0}
    row |= NEVER | {"outage_parts": 1, "outage_of": ""}
    return row | {"ramp_up_mw_per_h": np.nan, "ramp_down_mw_per_h": np.nan} | more


def wind_farms(grid: Grid) -> list[Row]:
    """Offshore farms one by one; those of a wind zone follow one series, each has its own cable to the shore."""
    farms = standing(read_table("wind_farms"), grid.options.fleet)
    rated, city = farms.groupby("wind_zone")["mw"].sum(), farms.groupby("wind_zone")["zone"].first()
    eased = grid.options.storm_derating
    for zone in grid.table("wind_zones"):
        key = zone["wind_zone"]
        if key in rated.index:
            hours = {"full_load_h": zone["full_load_h"]}
            grid.need(f"wind_offshore/{key}", "wind_offshore", city[key], zone, rated[key], **hours)
            if eased > 0.0:
                grid.need(f"storm/{key}", "storm", city[key], zone, rated[key], character=sentence(share=eased))
    rows = []
    for farm in farms.to_dict("records"):
        p_mw, name = farm["mw"] * PEAK_PU["wind_offshore"], f"offshore wind {farm['name']}"
        free = FREE | {"profile": f"wind_offshore/{farm['wind_zone']}", "export_limit_mw": farm["export_mw"]}
        free["export_profile"] = f"storm/{farm['wind_zone']}" if eased > 0.0 else ""
        rows.append(sgen_row(grid, farm["bus"], name, "wind_offshore", (p_mw, 0.0, farm["mw"]), **free))
    return rows


def renewables(grid: Grid) -> list[Row]:
    """PV and onshore wind by city, split over its substations; biomass as a constant must-take block.

    Distributed PV stands behind the load: on all substations of its city as the load does, and what it sends back
    through the transformers is limited. Biomass has no series of its own: it delivers its mean output in every hour
    (`p_mw`, both limits); its capacity is `sn_mva`.
    """
    rows = []
    for table in grid.table("renewables"):
        city, kind, mw = table["city"], table["tech"], table[_column(grid.options, table["tech"])]
        if mw == 0:
            continue
        if kind == "biomass":
            for key, part in split(grid, city, mw):
                name, mean_mw = f"{LABEL[kind]} {city} {grid.name[key]}", part * table["full_load_h"] / HOURS_PER_YEAR
                fixed = {"sn_mva": part, "controllable": False, "cost": grid.par["biomass_cost_cny_per_mwh"]}
                rows.append(sgen_row(grid, key, name, kind, (mean_mw, mean_mw, mean_mw), **fixed))
            continue
        tech = "pv" if kind == "pv_offshore" else kind
        series = f"{tech}/offshore {city}" if kind == "pv_offshore" else f"{tech}/{city}"
        grid.need(series, tech, city, table, mw, full_load_h=table["full_load_h"])
        behind = mw * table["distributed_share"]
        parts = [(key, part, LABEL[kind], np.nan) for key, part in split(grid, city, mw - behind)]
        stations = grid.substations(city)["transformer_mva"] * (behind > 0)
        for key, mva in stations[stations > 0].items():
            reverse_mw = grid.par["reverse_flow_share"] * grid.par["circuit_factor"] * mva
            parts.append((str(key), behind * mva / stations.sum(), f"distributed {LABEL[kind]}", reverse_mw))
        for key, part, label, reverse_mw in parts:
            name, limits = f"{label} {city} {grid.name[key]}", (part * PEAK_PU[tech], 0.0, part)
            rows.append(sgen_row(grid, key, name, tech, limits, **FREE, profile=series, reverse_limit_mw=reverse_mw))
    return rows


def _column(options: Options, tech: str) -> str:
    """Where ``renewables.csv`` has the MW of the fleet."""
    if options.fleet != 2024:
        return f"mw_{options.fleet}"
    return PV_COLUMN[options.pv_fleet] if tech == "pv" else "mw_end_2024"
