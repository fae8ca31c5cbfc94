"""What the Jiangsu grid exchanges with its neighbours, its embedded DC links, and what it stores: rows as in
`jiangsu_fleet`.
"""

import math

import numpy as np

from gridsim.networks.jiangsu_common import cities
from gridsim.networks.jiangsu_fleet import Grid, Row, sgen_row
from gridsim.networks.jiangsu_outages import outage_columns, outage_parts
from gridsim.networks.tables import read_table, standing
from gridsim.profiles.character import sentence
from gridsim.schema import WEATHER_TECHS

CROSSING = "Yangtze 500 kV"  # the section that `river_crossing_mw` widens


def plan(grid: Grid) -> None:
    """Say what imports are scheduled against: load, wind and sun of the fleet, as rows of the profile table."""
    nowhere = {"lat_deg": np.nan, "lon_deg": np.nan}
    grid.need("plan/load", "plan", "", nowhere, np.nan, energy_twh=grid.par["load_energy_twh"])
    for tech in WEATHER_TECHS:
        hours = grid.par[f"plan_{tech}_h"]
        grid.need(f"plan/{tech}", "plan", "", nowhere, grid.par[f"plan_{tech}_mw"], full_load_h=hours)


def gas(grid: Grid) -> None:
    """Ask for the gas that homes leave to power plants: what a [[budget]] may hold them to."""
    fuel_mw = grid.par["gas_for_power_mm3_per_day"] * 1e6 * grid.par["gas_mwh_per_m3"] / 24.0
    grid.need("gas_left/Nanjing", "gas_left", "Nanjing", cities()["Nanjing"], fuel_mw)


def line_ratings(grid: Grid) -> dict[str, str]:
    """The series of what weather leaves of the lines of each city; none where nothing is derated."""
    share, air_c = grid.options.storm_line_derating, grid.options.line_rating_air_c
    if not share and air_c is None:
        return {}
    said = sentence(share=share or None, from_c=air_c)
    return {
        city: grid.need(f"rating/{city}", "rating", city, place, np.nan, character=said)
        for city, place in cities().items()
    }


def external(grid: Grid) -> list[Row]:
    """DC infeeds and the Yangcheng plant as imports on a schedule, neighbours as fixed exchanges (export < 0)."""
    lines = standing(read_table("external"), grid.options.fleet).set_index("id")
    lines.loc[lines["character"] == "hydro", "energy_twh"] *= grid.options.hydro_import_factor
    terminals = read_table("external_terminals")
    terminals = terminals[terminals["id"].isin(lines.index)]
    first = terminals.groupby("id")["bus"].first()
    for key, line in lines.iterrows():
        bus = grid.buses.loc[first[key]]
        more = {"energy_twh": line["energy_twh"], "character": line["character"]}
        grid.need(f"{line['kind']}/{key}", line["kind"], bus["zone"], bus, line["capacity_mw"], **more)
    rows = []
    for end in terminals.to_dict("records"):
        line, share = lines.loc[end["id"]], end["share"]
        kind, capacity = line["kind"], share * line["capacity_mw"]
        name = terminal_name(grid, kind, end)
        low = -capacity if kind == "exchange" else 0.0
        more = {
            "sn_mva": share * line["nameplate_mw"],
            "controllable": kind == "import",
            "cost": line["cost_cny"],
            "profile": f"{kind}/{end['id']}",
            "band_down": line["band_down"],
            "clean_share": line["clean_share"],
            "origin_co2_t_per_mwh": line["origin_co2_t_per_mwh"],
            "ramp_up_mw_per_h": capacity * line["ramp_pu_per_h"],
            "ramp_down_mw_per_h": capacity * line["ramp_pu_per_h"],
        }
        if kind == "import":
            of_line = ("sgen", str(end["id"]), kind)
            more |= outage_columns(*of_line) | {
                "outage_parts": outage_parts(*of_line),
                "outage_of": f"import {end['id']}",
            }
        rows.append(sgen_row(grid, end["bus"], name, kind, (share * line["peak_mw"], low, capacity), **more))
    return rows


def terminal_name(grid: Grid, kind: str, end: Row) -> str:
    """Name of what comes in at a row of ``external_terminals.csv``."""
    name = f"{kind} {end['id']}"
    return name if end["share"] == 1.0 else f"{name} {grid.name[end['bus']]}"


def dc_links(grid: Grid) -> list[Row]:
    """Embedded DC links, with the one that the options add across the Yangtze."""
    rows = grid.table("dc_links")
    if grid.options.river_crossing_mw > 0:
        rows.append(_crossing_ends(grid) | {"name": "Yangtze crossing DC, added", "loss_percent": 1.5, "min_mw": 0.0})
    back = grid.options.dc_reverse_share
    if not back:
        return rows
    return [row if from_sea(grid, row) else row | {"min_mw": -back * row["max_mw"]} for row in rows]


def from_sea(grid: Grid, row: Row) -> bool:
    """Whether a link brings farms ashore whose grid nothing else joins to the land."""
    return str(grid.buses.loc[row["from_bus"], "kind"]) == "offshore_converter"


def crossing_members(grid: Grid) -> list[Row]:
    """The added link as a member of the section across the Yangtze."""
    if grid.options.river_crossing_mw == 0:
        return []
    return [_crossing_ends(grid) | {"interface": CROSSING, "element": "dcline", "weight": 1.0}]


def _crossing_ends(grid: Grid) -> Row:
    """From the coast, where wind and sun are, to where the load is."""
    return {"from_bus": "NT_FUHAI", "to_bus": "SZ_SHIPAI", "max_mw": grid.options.river_crossing_mw}


def storage(grid: Grid) -> list[Row]:
    """Pumped hydro and compressed air by plant, batteries by city and owner (`battery_rows`).

    All start at a share of their energy, and are back there at each window's end. The least powers are those of a unit.
    """
    return [_store(grid, row) for row in [*grid.table("storage"), *battery_rows(grid)]]


def battery_rows(grid: Grid) -> list[Row]:
    """Batteries of the fleet in the columns of ``storage.csv``."""
    year = grid.options.fleet
    same = {"tech": "battery", "units": 1, "min_charge_pu": 0.0, "min_discharge_pu": 0.0}
    return [
        row | same | {"unit_mw": row[f"mw_{year}"], "hours": row[f"hours_{year}"]} for row in grid.table("batteries")
    ]


def _store(grid: Grid, store: Row) -> Row:
    p_mw = store["units"] * store["unit_mw"]
    e_mwh = p_mw * store["hours"]
    e_max = e_mwh * (1.0 - store["min_soc"])
    e_half = grid.par["storage_end_soc"] * e_mwh
    eta = math.sqrt(store["round_trip"])
    least_mw = store["unit_mw"] * (store["tech"] != "pumped_hydro" or grid.options.pumped_hydro_by_unit)
    return {
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
        "min_charge_mw": store["min_charge_pu"] * least_mw,
        "min_discharge_mw": store["min_discharge_pu"] * least_mw,
        "end_rule": "fixed",
        "e_end_mwh": e_half,
        "end_value": 0.0,
        **outage_columns("storage", store["tech"]),
    }
