"""Devices of the Jiangsu grid that answer to the hour: vehicles, demand response, air conditioning, heat, hydrogen.

Each is a row of pandapower's storage table, by city (`docs/network.md` has the equations). A store that gives back
less than it took stands for load that moved; what it takes beyond that is the load itself.
"""

from typing import NamedTuple

from gridsim.errors import InputError, Problem
from gridsim.networks import jiangsu_local as local
from gridsim.networks.jiangsu_common import Row, cities, city_shares, split, stores
from gridsim.networks.jiangsu_demand import own_peak_mw
from gridsim.networks.jiangsu_fleet import HOURS_PER_YEAR, PEAK_PU, Grid, sgen_row
from gridsim.networks.jiangsu_heat import boilers
from gridsim.networks.options import Options
from gridsim.profiles.character import sentence

EV_HELD = 0.6  # of the energy of vehicles, at midnight
EV_LEAVE_WITH = 0.7


class Rows(NamedTuple):
    """Rows by pandapower table."""

    load: list[Row]
    sgen: list[Row]
    storage: list[Row]


def flexible(grid: Grid) -> Rows:
    """What the options of `grid` ask for on its substations; its heat-led units stand already.

    Raises InputError for what cannot work.
    """
    chosen = grid.chosen
    problems = [
        *_hydrogen_problems(grid.options, chosen),
        *_pipeline_problems(grid),
        *local.problems(grid.options, grid.par),
    ]
    if problems:
        raise InputError("jiangsu", problems)
    stores: list[Row] = []
    for name, city in cities().items():
        stores += _vehicles(grid, name)
        stores += _interruptible(grid, name, chosen["dr_interruptible_share"] * own_peak_mw(grid, city))
        stores += _shiftable(grid, name, chosen["dr_shiftable_share"] * own_peak_mw(grid, city))
        cooling_mw = chosen["ac_cooling_of_peak"] * own_peak_mw(grid, city)
        stores += _rooms(grid, name, chosen["ac_flexible_share"] * cooling_mw)
        stores += _hydrogen(grid, name)
    sources = [
        sgen_row(
            grid, key, name, tech, (mw * PEAK_PU[tech], 0.0, mw), controllable=True, curtailable=True, profile=series
        )
        for key, name, tech, mw, series in local.sources(grid)
    ]
    sources += [row for name in cities() for row in _electrolysers(grid, name)]
    return Rows(local.loads(grid), sources, [*stores, *boilers(grid), *local.batteries(grid)])


def _vehicles(grid: Grid, city: str) -> list[Row]:
    """Batteries of the smart vehicles of a city: driven empty, charged where they are plugged in."""
    chosen = grid.chosen
    smart, twh = chosen["ev_smart_share"], chosen["ev_twh"] * float(city_shares().at[city, "ev"])
    if smart * twh == 0:
        return []
    vehicles = twh * 1e6 / chosen["ev_mwh_per_vehicle"]
    power_mw = smart * vehicles * chosen["ev_at_once_share"] * chosen["ev_charger_kw"] / 1e3
    energy_mwh = smart * vehicles * chosen["ev_battery_kwh"] / 1e3
    eta = chosen["ev_charger_eta"]
    place = cities()[city]
    drive = grid.need(f"ev_drive/{city}", "ev_drive", city, place, power_mw, energy_twh=smart * twh * eta)
    plug = grid.need(f"ev_plug/{city}", "ev_plug", city, place, 1.0)
    leave = grid.need(f"ev_departure/{city}", "ev_departure", city, place, 1.0, character=sentence(held=EV_LEAVE_WITH))
    return stores(
        grid,
        city,
        f"vehicles {city}",
        "ev",
        charge_mw=power_mw,
        discharge_mw=chosen["ev_v2g_share"] * power_mw,
        e_mwh=energy_mwh,
        held=EV_HELD,
        eta_charge=eta,
        eta_discharge=eta,
        discharge_cost=chosen["ev_v2g_cost_cny_per_mwh"],
        demand_profile=drive,
        charge_profile=plug,
        discharge_profile=plug,
        min_e_profile=leave,
        share="demand_share",
    )


def _interruptible(grid: Grid, city: str, power_mw: float) -> list[Row]:
    """A block that is cut when called: what it holds is one call, and is filled again for the calls of a year."""
    chosen = grid.chosen
    hours, calls = chosen["dr_call_h"], chosen["dr_calls"]
    if power_mw * calls == 0:
        return []
    said = sentence(calls=calls, hours=hours)
    refill = grid.need(f"dr_refill/{city}", "dr_refill", city, cities()[city], power_mw, character=said)
    return stores(
        grid,
        city,
        f"interruptible load {city}",
        "dr_interrupt",
        charge_mw=0.0,
        discharge_mw=power_mw,
        e_mwh=power_mw * hours,
        held=1.0,
        end_rule="free",
        discharge_cost=chosen["dr_compensation_cny_per_mwh"],
        notice_h=grid.options.dr_notice_h,
        inflow_profile=refill,
        share="profile_share",
    )


def _shiftable(grid: Grid, city: str, power_mw: float) -> list[Row]:
    """Industrial load that is put off or done ahead: half full is on time, and midnight finds nothing owed."""
    chosen = grid.chosen
    if power_mw == 0:
        return []
    hours = grid.need(f"dr_hours/{city}", "dr_hours", city, cities()[city], 1.0)
    settled = grid.need(f"dr_settled/{city}", "dr_settled", city, cities()[city], 1.0)
    return stores(
        grid,
        city,
        f"shiftable load {city}",
        "dr_shift",
        charge_mw=power_mw,
        discharge_mw=power_mw,
        e_mwh=2.0 * power_mw * chosen["dr_shift_h"],
        eta_charge=1.0 / (1.0 + chosen["dr_shift_rebound"]),
        discharge_cost=chosen["dr_shift_cost_cny_per_mwh"],
        charge_profile=hours,
        discharge_profile=hours,
        min_e_profile=settled,
    )


def _rooms(grid: Grid, city: str, power_mw: float) -> list[Row]:
    """Cooled rooms: half full is the temperature asked for; the loss and a constant inflow bring them back to it."""
    chosen = grid.chosen
    if power_mw == 0:
        return []
    loss = chosen["ac_loss_per_h"]
    middle_mwh = power_mw * chosen["ac_comfort_h"]
    runs = grid.need(f"ac_hours/{city}", "ac_hours", city, cities()[city], 1.0)
    back = grid.need(f"constant/rooms {city}", "constant", city, cities()[city], loss * middle_mwh)
    return stores(
        grid,
        city,
        f"cooled rooms {city}",
        "ac",
        charge_mw=power_mw,
        discharge_mw=power_mw,
        e_mwh=2.0 * middle_mwh,
        loss_per_h=loss,
        end_rule="free",  # rooms come back to their middle by themselves, but never quite
        discharge_cost=chosen["ac_cost_cny_per_mwh"],
        inflow_profile=back,
        charge_profile=runs,
        discharge_profile=runs,
        share="profile_share",
    )


def _hydrogen_problems(options: Options, chosen: dict[str, float]) -> list[Problem]:
    """Electrolysis that cannot make what is asked for in a year, at nine tenths of its hours; cells without tanks."""
    out = []
    most_twh = 0.9e-6 * HOURS_PER_YEAR * chosen["hydrogen_electrolyser_mw"] * chosen["hydrogen_electrolyser_eta"]
    if chosen["hydrogen_twh"] > most_twh:
        size = f"{chosen['hydrogen_electrolyser_mw']:g} MW of electrolysers"
        rule = f"must be at most {most_twh:.4g} TWh, what {size} make: got {chosen['hydrogen_twh']:g}"
        out.append(Problem("hydrogen_twh", rule))
    if chosen["hydrogen_fuel_cell_mw"] > 0.0 and chosen["hydrogen_electrolyser_mw"] == 0.0:
        rule = "must be 0 without hydrogen_electrolyser_mw, which makes what they burn: "
        out.append(Problem("hydrogen_fuel_cell_mw", f"{rule}got {chosen['hydrogen_fuel_cell_mw']:g}"))
    if options.hydrogen_pattern == "year" and chosen["hydrogen_fuel_cell_mw"] > 0.0:
        rule = "must be 0 with hydrogen_pattern = year, which has no tanks: "
        out.append(Problem("hydrogen_fuel_cell_mw", f"{rule}got {chosen['hydrogen_fuel_cell_mw']:g}"))
    return out


def _pipeline_problems(grid: Grid) -> list[Problem]:
    """Pipelines between cities that have no hydrogen."""
    share = city_shares()["hydrogen"]
    return [
        Problem(f"hydrogen_pipeline.{number}.{key}", f"must be a city with hydrogen (city_shares.csv): got {city}")
        for number, line in enumerate(grid.options.hydrogen_pipeline, start=1)
        for key, city in (("from_city", line.from_city), ("to_city", line.to_city))
        if not float(share[city]) > 0.0
    ]


def _piped(grid: Grid, city: str) -> dict[str, object]:
    """What pipelines bring to a city's demand and take from its tank, as words of its series."""
    lines, twh = grid.options.hydrogen_pipeline, grid.chosen["hydrogen_twh"]
    give = [
        f"{line.limit_mw}:{twh * float(city_shares().at[line.to_city, 'hydrogen'])}"
        for line in lines
        if line.from_city == city
    ]
    take = next((line.limit_mw for line in lines if line.to_city == city), None)
    return {"take": take, "give": ",".join(give)}


def _hydrogen(grid: Grid, city: str) -> list[Row]:
    """Electrolysers charge a tank, a demand takes hydrogen out, fuel cells turn it back."""
    chosen = grid.chosen
    share, place = float(city_shares().at[city, "hydrogen"]), cities()[city]
    power_mw = share * chosen["hydrogen_electrolyser_mw"]
    if power_mw == 0 or grid.options.hydrogen_pattern == "year":
        return []
    said = sentence(pattern=grid.options.hydrogen_pattern, **_piped(grid, city))
    more = {"energy_twh": share * chosen["hydrogen_twh"], "character": said}
    demand = grid.need(f"hydrogen_demand/{city}", "hydrogen_demand", city, place, power_mw, **more)
    eta = chosen["hydrogen_electrolyser_eta"]
    return stores(
        grid,
        city,
        f"hydrogen {city}",
        "hydrogen",
        charge_mw=power_mw,
        discharge_mw=share * chosen["hydrogen_fuel_cell_mw"],
        e_mwh=power_mw * eta * chosen["hydrogen_tank_h"],
        eta_charge=eta,
        eta_discharge=chosen["hydrogen_fuel_cell_eta"],
        demand_profile=demand,
        share="demand_share",
    )


def _electrolysers(grid: Grid, city: str) -> list[Row]:
    """Electrolysers that only owe hydrogen to the year, by a budget (`gridsim.budgets`): sources that take power."""
    power_mw = float(city_shares().at[city, "hydrogen"]) * grid.chosen["hydrogen_electrolyser_mw"]
    if power_mw == 0 or grid.options.hydrogen_pattern != "year":
        return []
    return [
        sgen_row(grid, key, f"hydrogen {city} {grid.name[key]}", "hydrogen", (0.0, -part, 0.0), controllable=True)
        | {"sn_mva": part}
        for key, part in split(grid, city, power_mw)
    ]
