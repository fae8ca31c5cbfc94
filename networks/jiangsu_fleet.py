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

from gridsim.networks.jiangsu_common import Row, choices, split
from gridsim.networks.jiangsu_heat import heat_of
from gridsim.networks.jiangsu_local import buses as local_buses
from gridsim.networks.options import Options
from gridsim.networks.tables import read_parameters, read_table
from gridsim.networks.unit_costs import FuelCurve, depth_pieces, equal_pieces, unit_cost

SLACK = "Tianwan nuclear 1-2"
# Output at the summer peak at midday, per unit of rating. Assumed.
PEAK_PU = {"pv": 0.50, "wind_offshore": 0.10, "wind_onshore": 0.08, "gas": 0.60}
LABEL = {"pv": "PV", "wind_onshore": "onshore wind", "biomass": "biomass"}
HOURS_PER_YEAR = 8784.0  # of 2024
DEEP_COST = ("deep_50_40_cny", "deep_40_35_cny", "deep_35_30_cny", "deep_below_30_cny")  # by depth class
CROSSING = "Yangtze 500 kV"  # the section that `river_crossing_mw` widens


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
        self.par, self.chosen = read_parameters(), choices(self.options)
        prices = self.options.model_dump(include={"coal_price_cny_per_tce", "gas_price_cny_per_m3"})
        self.par |= {name: price for name, price in prices.items() if price is not None}
        local = local_buses(self.options)
        if len(local):
            self.buses = pd.concat([self.buses, local])
        self.bus = {str(key): number for number, key in enumerate(self.buses.index)}
        self.name = {str(key): str(name) for key, name in self.buses["name"].items()}

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


def thermal(grid: Grid) -> tuple[list[Row], list[list[list[float]]]]:
    """Coal, gas and nuclear units, and the cost points of each row."""
    classes = read_table("unit_classes").set_index("unit_class")
    fuel = fuels(grid.par)
    rows, points = [], []
    units = read_table("units")
    for unit, low in zip(units.to_dict("records"), minimum_pu(grid, units, classes), strict=True):
        kind = classes.loc[unit["unit_class"]]
        n, p_max = int(unit["units"]), unit["unit_mw"]
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
            co2=co2,
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
                "co2_t_per_mwh": cost.co2_t_per_mwh,
                "co2_no_load_t_per_h": cost.co2_no_load_t_per_h,
                "profile": grid.need(f"availability/{unit['name']}", "availability", unit["zone"], unit, p_max, **more),
            }
            | heat
        )
        ends = [n * p_min, *(n * b for b in cost.breakpoints_mw[1:-1]), row_mw]
        points.append([[a, b, s] for (a, b), s in zip(pairwise(ends), cost.slopes, strict=True)])
    return rows, points


def sgen_row(grid: Grid, bus: str, name: str, tech: str, p_mw: tuple[float, float, float], **more: Any) -> Row:
    """One static generator; `p_mw` is its output, least and largest output."""
    now, low, high = p_mw
    limits = {"min_p_mw": low, "max_p_mw": high, "sn_mva": high}
    row = {"name": name, "bus": grid.bus[bus], "p_mw": now, "q_mvar": 0.0, "tech": tech, "cost": 0.0, "profile": ""}
    row |= limits | {"curtailable": False, "band_down": np.nan}
    return row | {"ramp_up_mw_per_h": np.nan, "ramp_down_mw_per_h": np.nan} | more


def wind_farms(grid: Grid) -> list[Row]:
    """Offshore farms one by one; those of a wind zone follow one series."""
    farms = read_table("wind_farms")
    rated, city = farms.groupby("wind_zone")["mw"].sum(), farms.groupby("wind_zone")["zone"].first()
    for zone in read_table("wind_zones").to_dict("records"):
        key = zone["wind_zone"]
        hours = {"full_load_h": zone["full_load_h"]}
        grid.need(f"wind_offshore/{key}", "wind_offshore", city[key], zone, rated[key], **hours)
    rows = []
    for farm in farms.to_dict("records"):
        p_mw, name = farm["mw"] * PEAK_PU["wind_offshore"], f"offshore wind {farm['name']}"
        free = {"controllable": True, "curtailable": True, "profile": f"wind_offshore/{farm['wind_zone']}"}
        rows.append(sgen_row(grid, farm["bus"], name, "wind_offshore", (p_mw, 0.0, farm["mw"]), **free))
    return rows


def renewables(grid: Grid, pv_column: str) -> list[Row]:
    """PV and onshore wind by city, split over its substations; biomass as a constant must-take block.

    Biomass has no series of its own: it delivers its mean output in every hour (`p_mw`, both limits); its capacity is
    `sn_mva`.
    """
    rows = []
    for table in read_table("renewables").to_dict("records"):
        city, tech, hours = table["city"], table["tech"], table["full_load_h"]
        mw = table[pv_column] if tech == "pv" else table["mw_end_2024"]
        if tech != "biomass":
            grid.need(f"{tech}/{city}", tech, city, table, mw, full_load_h=hours)
        for key, part in split(grid, city, mw):
            name = f"{LABEL[tech]} {city} {grid.name[key]}"
            if tech == "biomass":
                mean_mw = part * hours / HOURS_PER_YEAR
                fixed = {"sn_mva": part, "controllable": False, "cost": grid.par["biomass_cost_cny_per_mwh"]}
                rows.append(sgen_row(grid, key, name, tech, (mean_mw, mean_mw, mean_mw), **fixed))
            else:
                free = {"controllable": True, "curtailable": True, "profile": f"{tech}/{city}"}
                rows.append(sgen_row(grid, key, name, tech, (part * PEAK_PU[tech], 0.0, part), **free))
    return rows


def external(grid: Grid) -> list[Row]:
    """DC infeeds and the Yangcheng plant as imports on a schedule, neighbours as fixed exchanges (export < 0)."""
    lines = read_table("external").set_index("id")
    lines.loc[lines["character"] == "hydro", "energy_twh"] *= grid.options.hydro_import_factor
    terminals = read_table("external_terminals")
    first = terminals.groupby("id")["bus"].first()
    for key, line in lines.iterrows():
        bus = grid.buses.loc[first[key]]
        more = {"energy_twh": line["energy_twh"], "character": line["character"]}
        grid.need(f"{line['kind']}/{key}", line["kind"], bus["zone"], bus, line["capacity_mw"], **more)
    rows = []
    for end in terminals.to_dict("records"):
        line, share = lines.loc[end["id"]], end["share"]
        kind, capacity = line["kind"], share * line["capacity_mw"]
        name = f"{kind} {end['id']}" if share == 1.0 else f"{kind} {end['id']} {grid.name[end['bus']]}"
        low = -capacity if kind == "exchange" else 0.0
        more = {
            "sn_mva": share * line["nameplate_mw"],
            "controllable": kind == "import",
            "cost": line["cost_cny"],
            "profile": f"{kind}/{end['id']}",
            "band_down": line["band_down"],
            "ramp_up_mw_per_h": capacity * line["ramp_pu_per_h"],
            "ramp_down_mw_per_h": capacity * line["ramp_pu_per_h"],
        }
        rows.append(sgen_row(grid, end["bus"], name, kind, (share * line["peak_mw"], low, capacity), **more))
    return rows


def dc_links(grid: Grid) -> list[Row]:
    """Embedded DC links, with the one that the options add across the Yangtze."""
    rows = read_table("dc_links").to_dict("records")
    if grid.options.river_crossing_mw > 0:
        rows.append(_crossing_ends(grid) | {"name": "Yangtze crossing DC, added", "loss_percent": 1.5, "min_mw": 0.0})
    return rows


def crossing_members(grid: Grid) -> list[Row]:
    """The added link as a member of the section across the Yangtze."""
    if grid.options.river_crossing_mw == 0:
        return []
    return [_crossing_ends(grid) | {"interface": CROSSING, "element": "dcline", "weight": 1.0}]


def _crossing_ends(grid: Grid) -> Row:
    """From the coast, where wind and sun are, to where the load is."""
    return {"from_bus": "NT_FUHAI", "to_bus": "SZ_SHIPAI", "max_mw": grid.options.river_crossing_mw}


def storage(grid: Grid) -> list[Row]:
    """Pumped hydro, compressed air, batteries by city: at half of their energy, and back there at each window's end."""
    rows = []
    for store in read_table("storage").to_dict("records"):
        p_mw = store["units"] * store["unit_mw"]
        e_mwh = p_mw * store["hours"]
        e_max = e_mwh * (1.0 - store["min_soc"])
        e_half = grid.par["storage_end_soc"] * e_mwh
        eta = math.sqrt(store["round_trip"])
        rows.append(
            {
                "name": store["name"],
                "bus": grid.bus[store["bus"]],
                "p_mw": 0.0,
                "max_e_mwh": e_max,
                "min_e_mwh": e_mwh * store["min_soc"],
                "soc_percent": 100.0 * e_half / e_max,
                "sn_mva": p_mw,
                "max_p_mw": p_mw,
                "min_p_mw": -p_mw,
                "controllable": True,
                "type": store["tech"],
                "tech": store["tech"],
                "units": int(store["units"]),
                "eta_charge": eta,
                "eta_discharge": eta,
                "loss_per_h": 0.0,
                "charge_cost": 0.0,
                "discharge_cost": store["discharge_cost_cny"],
                "end_rule": "fixed",
                "e_end_mwh": e_half,
                "end_value": 0.0,
            }
        )
    return rows
