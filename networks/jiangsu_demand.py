"""Load of the Jiangsu grid by city and component, and the choices about demand that the fleet's year makes.

A city's load of the year holds what there was of each component in 2024. With E the city's energy, e_k that of
component k and e_k(2024) what there was::

    rest(t) = L(t; E - sum_k (e_k - e_k(2024))) - sum_k c_k(t; e_k(2024)),   load(t) = rest(t) + sum_k c_k(t; e_k)   (1)

with L the load as a whole and c_k a component, each scaled to its energy. What cooling and heating are of L is the
component "weather", the remainder of rest(t) is "base". So the energy is E whatever the components
are, and in 2024 the sum is L itself, hour by hour.
"""

from gridsim.errors import InputError, Problem
from gridsim.networks.jiangsu_common import Row, cities, city_shares, split
from gridsim.networks.jiangsu_fleet import HOURS_PER_YEAR, Grid
from gridsim.networks.jiangsu_local import taken_mw, twh_per_peak_mw
from gridsim.networks.jiangsu_tariffs import tariff_words
from gridsim.networks.tables import read_table
from gridsim.profiles.character import sentence
from gridsim.profiles.load import COMPONENTS

WEATHER_AT_PEAK = 0.3  # share of cooling in the load at rest
PEAK_OVER_MEAN = 2.0  # of a component, about: how many substations it takes


def loads(grid: Grid) -> list[Row]:
    """A city's load on its 500 kV substations, by transformer rating; its components on as many as they need."""
    if not grid.options.load_components:
        return [row for city in cities().values() for row in _whole(grid, city)]
    problems = [problem for city in cities().values() for problem in _too_much(grid, city)]
    if problems:
        raise InputError("jiangsu", problems)
    return [row for city in cities().values() for row in _city(grid, city)]


def own_peak_mw(grid: Grid, city: Row) -> float:
    """What a city is expected to reach by itself, less its local grids."""
    whole_mw = grid.par["load_peak_mw"] * city["peak_share"] * grid.par["city_peak_factor"]
    return float(whole_mw - taken_mw(grid.options, city["city"]))


def peak_mw(grid: Grid, city: Row) -> float:
    """What a city has of the peak of the province, less its local grids."""
    return float(grid.par["load_peak_mw"] * city["peak_share"] - taken_mw(grid.options, city["city"]))


def energy_twh(grid: Grid, city: Row) -> float:
    """E of a city, less its local grids."""
    taken_twh = taken_mw(grid.options, city["city"]) * twh_per_peak_mw(grid.par, city)
    return float(grid.par["load_energy_twh"] * city["energy_share"] - taken_twh)


def _need_whole(grid: Grid, city: Row) -> str:
    name = city["city"]
    more = {"energy_twh": energy_twh(grid, city), "character": "city"}
    return grid.need(f"load/{name}", "load", name, city, own_peak_mw(grid, city), **more)


def _whole(grid: Grid, city: Row) -> list[Row]:
    return _on_substations(grid, city, _need_whole(grid, city), peak_mw(grid, city), "")


def _energies(grid: Grid, city: Row) -> tuple[dict[str, float], dict[str, float], float]:
    """Of the components, of what there was of them in 2024, and E less the one plus the other. [TWh]"""
    shares = city_shares().loc[city["city"]]
    own = {part: float(grid.chosen[f"{part}_twh"] * shares[part]) for part in COMPONENTS}
    were = {part: float(twh * shares[part]) for part, twh in inside_2024().items()}
    return own, were, energy_twh(grid, city) - sum(own.values()) + sum(were.values())


def _too_much(grid: Grid, city: Row) -> list[Problem]:
    """Components of more than the whole load of a city."""
    own, were, rest_twh = _energies(grid, city)
    if rest_twh > sum(were.values()):
        return []
    rule = f"must leave {city['city']} a load beside them: they have {sum(own.values()):.4g} of "
    return [Problem("ev_twh, building_twh, ...", f"{rule}{energy_twh(grid, city):.4g} TWh")]


def _city(grid: Grid, city: Row) -> list[Row]:
    """Base and components of equation (1), and the whole load of the city as a series to compare with."""
    name = city["city"]
    own_twh, were_twh, rest_twh = _energies(grid, city)
    _need_whole(grid, city)
    apart = {part: twh for part, twh in were_twh.items() if twh}
    said = sentence(**apart, weather="apart") + tariff_words(grid.options, name)
    rest_mw = own_peak_mw(grid, city) * rest_twh / energy_twh(grid, city)
    more = {"energy_twh": rest_twh}
    base = grid.need(f"load_base/{name}", "load_base", name, city, rest_mw, character=said, **more)
    weather = grid.need(f"load_ac/{name}", "load_ac", name, city, rest_mw, character="of=both", **more)
    at_rest = {part: twh * 1e6 / HOURS_PER_YEAR for part, twh in own_twh.items()}
    weather_mw = WEATHER_AT_PEAK * peak_mw(grid, city)
    base_mw = peak_mw(grid, city) - weather_mw - sum(at_rest.values())
    rows = [
        *_on_substations(grid, city, base, base_mw, "base"),
        *_on_substations(grid, city, weather, weather_mw, "weather"),
    ]
    for part, mean_mw in at_rest.items():
        left = 1.0 - (grid.chosen["ev_smart_share"] if part == "ev" else 0.0)  # what is not dispatched as a store
        if mean_mw * left > 0:
            rows += _component(grid, city, part, mean_mw * left, energy_twh=own_twh[part] * left)
    return rows


def inside_2024() -> dict[str, float]:
    """Energy of each component in the load of 2024, TWh."""
    table = read_table("flexibility").set_index("name")["fleet_2024"]
    return {part: float(table[f"{part}_twh"]) for part in COMPONENTS}


def _on_substations(grid: Grid, city: Row, profile: str, mw: float, component: str) -> list[Row]:
    stations = grid.substations(city["city"])
    return [
        _load(
            grid,
            city,
            str(key),
            f"{'load' if component in ('', 'base') else component} {city['city']}",
            mw * share,
            profile,
            share,
            component,
        )
        for key, share in (stations["transformer_mva"] / stations["transformer_mva"].sum()).items()
    ]


def _component(grid: Grid, city: Row, part: str, mean_mw: float, *, energy_twh: float) -> list[Row]:
    name, most_mw = city["city"], PEAK_OVER_MEAN * mean_mw
    profile = grid.need(f"load_{part}/{name}", f"load_{part}", name, city, most_mw, energy_twh=energy_twh)
    keys = [key for key, _ in split(grid, name, most_mw)]
    each = 1.0 / len(keys)
    return [
        _load(grid, city, key, f"{part.replace('_', ' ')} {name}", mean_mw * each, profile, each, part) for key in keys
    ]


def _load(grid: Grid, city: Row, key: str, name: str, p_mw: float, profile: str, share: float, component: str) -> Row:
    return {
        "name": f"{name} {grid.name[key]}",
        "bus": grid.bus[key],
        "p_mw": p_mw,
        "q_mvar": p_mw * city["tan_phi"],
        "profile": profile,
        "profile_share": share,
        "component": component,
    }
