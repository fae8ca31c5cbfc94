"""One year of weather as arrays by area, and one draw of outages on it: what `kernels.adequacy` walks through.

Available are units that are neither on planned work nor on forced outage, at their rating or what heat leaves of it;
wind, sun and imports as their series say, imports with the poles that are in service; exchanges and other fixed
sources. Costs are those of a merit order: rows of units at their mean cost at full load, what must run at its floor.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gridsim.adequacy.areas import Areas, Cuts, cut_limits, make_areas, make_cuts
from gridsim.case import Case
from gridsim.forced import Draw, Outages
from gridsim.kernels import adequacy as kernel
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.scenario import Scenario
from gridsim.schema import WIND_TECHS

CREDITED: dict[str, tuple[str, ...]] = {  # whose capacity credit is asked, and by which techs
    "wind": WIND_TECHS,
    "pv": ("pv",),
    "storage": ("pumped_hydro", "battery", "caes"),
    "dc": ("import", "dc_shift"),  # and what moves energy beside its schedule
}
_WORST_STEPS = 24  # of the system, and a sixth of it of each area, that say which cuts may bind
_SIGMAS = 5.0  # how far below their mean units are taken to be for that


@dataclass(frozen=True)
class Weather:
    """A case, and what of it does not depend on outages. T steps, A areas."""

    case: Case
    areas: Areas
    cuts: Cuts
    load_mw: FloatArray  # (T, A)
    sources_mw: FloatArray  # (T, A) of sources that never fail
    failing: BoolArray  # (ns,) sources that may, or whose link may
    behind: IntArray  # (ns,) link that is the only way of a source, -1: none
    arrives: FloatArray  # (ns,) what that leaves of it, p.u.
    stores: kernel.Stores  # all in service
    start_mwh: FloatArray  # (nst,)
    unit_cost: FloatArray  # (nu,) currency/MWh at full load
    draw: Draw


class Draws(NamedTuple):
    """What one draw of outages leaves."""

    outages: Outages
    margin_mw: FloatArray  # (T, A) available less load, without stores
    limit_mw: FloatArray  # (T or 1, K) of the cuts
    units_mw: FloatArray  # (T, nu)
    sources_mw: FloatArray  # (T, ns)
    left: FloatArray  # (T, nst) of stores, p.u.
    stores: kernel.Stores


class Walk(NamedTuple):
    shed_mw: FloatArray  # (T, A)
    store_mw: FloatArray  # (T,) given less taken
    e_mwh: FloatArray  # (nst,) in store at the end


def make_weather(case: Case, scenario: Scenario) -> Weather:
    areas = make_areas(case, copper=scenario.grid.enforce == "copper")
    failing = np.isfinite(case.outage_rates.sources.mttf_h) if case.outage_rates.sources.key else _none(case.sources)
    behind = areas.behind[case.sources["bus_row"].to_numpy(dtype=np.int64)]
    failing = failing | (behind >= 0)
    lost = np.append(case.links["loss_share"].to_numpy(dtype=np.float64), 0.0)  # the last one is of no link
    load = _by_area(areas, case.loads, case.load_mw)
    sources = _by_area(areas, case.sources, np.where(failing, 0.0, case.source_max_mw))
    return Weather(
        case, areas, make_cuts(areas, _worst(case, areas, load, failing)), load, sources, failing, behind,
        1.0 - lost[behind], _stores(case, areas), case.stores["e_start_mwh"].to_numpy(dtype=np.float64),
        full_load_cost(case), Draw(case),
    )  # fmt: skip


def _none(frame: Any) -> BoolArray:
    return np.zeros(len(frame), dtype=bool)


def _by_area(areas: Areas, rows: Any, values: FloatArray) -> FloatArray:
    """Columns of rows of a table summed by area, (T, A)."""
    out = np.zeros((len(values), areas.n))
    at = areas.of_bus[rows["bus_row"].to_numpy(dtype=np.int64)]
    for a in range(areas.n):
        out[:, a] = values[:, at == a].sum(axis=1)
    return out


def _worst(case: Case, areas: Areas, load_mw: FloatArray, failing: BoolArray) -> FloatArray:
    """Load and what stores may take, less what is there when much is out, of each area in the worst steps."""
    rates = case.outage_rates
    q = rates.units.rate if rates.units.key else np.zeros(len(case.units))
    each = case.unit_available * case.unit_ceiling_mw
    mean = _by_area(areas, case.units, each * (1.0 - q))
    spread = _by_area(areas, case.units, each * case.unit_ceiling_mw * q * (1.0 - q))
    units = np.maximum(mean - _SIGMAS * np.sqrt(spread), 0.0)
    kept = np.where(failing, 0.5, 1.0)  # one pole of two
    sources = _by_area(areas, case.sources, case.source_max_mw * kept)
    taken = _by_area(areas, case.stores, case.store_limits.charge_max_mw)
    short = load_mw + taken - units - sources
    worst = set(np.argsort(-short.sum(axis=1), kind="stable")[:_WORST_STEPS].tolist())
    for a in range(areas.n):
        worst |= set(np.argsort(-short[:, a], kind="stable")[: _WORST_STEPS // 6].tolist())
    return short[sorted(worst)]


def full_load_cost(case: Case) -> FloatArray:
    """Mean cost of one unit of each row at full load. [currency/MWh]"""
    p_min, p_max, no_load = (case.units[c].to_numpy(dtype=np.float64) for c in ("p_min_mw", "p_max_mw", "no_load_cost"))
    hourly = no_load + case.unit_min_cost * p_min + (case.unit_seg_mw * case.unit_seg_cost).sum(axis=1)
    return np.divide(hourly, p_max, out=np.zeros(len(case.units)), where=p_max > 0)


def draw_year(weather: Weather, seed: int) -> Draws:
    """One draw of outages on a year of weather."""
    case, areas = weather.case, weather.areas
    outages = weather.draw(seed)
    units = (case.unit_available - outages.units_out) * case.unit_ceiling_mw
    # what a pole carries is its share of the schedule: the others do not take over
    sources = case.source_max_mw.copy()
    sources *= outages.source_left
    for k in np.unique(weather.behind[weather.behind >= 0]):  # what a link with fewer poles leaves
        at = weather.behind == k
        most = float(case.links["p_max_mw"].iloc[k]) * outages.link_left[:, k]
        total = sources[:, at].sum(axis=1)
        sources[:, at] *= np.minimum(1.0, most / np.maximum(total, 1e-9))[:, None]
    margin = _by_area(areas, case.units, units) + weather.sources_mw - weather.load_mw
    margin += _by_area(areas, case.sources, np.where(weather.failing, sources * weather.arrives, 0.0))
    limit = cut_limits(areas, weather.cuts, case, outages)
    left = _left(case, outages)
    return Draws(outages, margin, limit, units, sources, left, stores_left(weather.stores, left))


def _stores(case: Case, areas: Areas) -> kernel.Stores:
    table, limits = case.stores, case.store_limits
    number = {
        c: table[c].to_numpy(dtype=np.float64) for c in ("eta_charge", "eta_discharge", "loss_per_h", "e_max_mwh")
    }
    return kernel.Stores(
        area=areas.of_bus[table["bus_row"].to_numpy(dtype=np.int64)],
        eta_charge=number["eta_charge"],
        eta_discharge=number["eta_discharge"],
        keep=(1.0 - number["loss_per_h"]) ** case.dt_h,
        e_max_mwh=number["e_max_mwh"],
        charge_max_mw=np.ascontiguousarray(limits.charge_max_mw),
        discharge_max_mw=np.ascontiguousarray(limits.discharge_max_mw),
        gain_mw=np.ascontiguousarray(case.store_inflow_mw - limits.demand_mw),
        floor_mwh=np.ascontiguousarray(limits.e_floor_mwh),
    )


def _left(case: Case, outages: Outages) -> FloatArray:
    """What outages leave of the power of stores, (T, nst). [p.u.]"""
    left = 1.0 - outages.stores_out / np.maximum(case.stores["units"].to_numpy(dtype=np.float64), 1.0)
    beside = case.stores["beside_source"].to_numpy(dtype=np.int64)
    for j in np.flatnonzero(beside >= 0):  # departures of a DC line need its poles
        left[:, j] *= outages.source_left[:, beside[j]]
    return left


def stores_left(stores: kernel.Stores, left: FloatArray) -> kernel.Stores:
    return stores._replace(charge_max_mw=stores.charge_max_mw * left, discharge_max_mw=stores.discharge_max_mw * left)


def walk_year(weather: Weather, draws: Draws, before: int | None = None) -> Walk:
    """The year hour by hour, or what is before a step: who is short, what stores do."""
    stores, limit = draws.stores, draws.limit_mw
    if before is not None:
        stores = stores._replace(**{name: np.ascontiguousarray(getattr(stores, name)[:before]) for name in _BY_STEP})
        limit = limit[:before] if len(limit) > 1 else limit
    margin, load = draws.margin_mw[:before], weather.load_mw[:before]
    return run_walk(margin, load, weather.cuts.inside, limit, stores, weather.start_mwh, weather.case.dt_h)


_BY_STEP = ("charge_max_mw", "discharge_max_mw", "gain_mw", "floor_mwh")


def run_walk(
    margin_mw: FloatArray,
    load_mw: FloatArray,
    inside: BoolArray,
    limit_mw: FloatArray,
    stores: kernel.Stores,
    start_mwh: FloatArray,
    dt_h: float,
) -> Walk:
    """`kernels.adequacy.walk` with room to work in."""
    steps, n = len(margin_mw), start_mwh.size
    shed, store, e_mwh = np.empty_like(margin_mw), np.empty(steps), start_mwh.copy()
    kernel.walk(
        margin_mw, load_mw, inside, limit_mw, stores, dt_h,
        np.arange(n), np.empty(n), np.empty(margin_mw.shape[1]), shed, store, e_mwh,
    )  # fmt: skip
    return Walk(shed, store, e_mwh)


def merit_order(weather: Weather, draws: Draws, walk: Walk) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Curtailed wind and sun, what there was of it [MW], and cost [currency] of each step."""
    case = weather.case
    units = case.units
    must = units["must_run"].to_numpy(dtype=bool)
    floor = np.where(must, (case.unit_available - draws.outages.units_out) * case.unit_floor_mw, 0.0)
    free = case.sources["curtailable"].to_numpy(dtype=bool)
    least = np.minimum(case.source_min_mw, draws.sources_mw)
    priced = ~free & (case.source_max_mw > case.source_min_mw).any(axis=0)
    price = case.sources["cost"].to_numpy(dtype=np.float64)
    block_cost = np.concatenate((weather.unit_cost, price[priced]))
    order = np.argsort(block_cost, kind="stable")
    blocks = np.hstack((draws.units_mw - floor, (draws.sources_mw - least)[:, priced]))[:, order]
    anyway = least.sum(axis=1) + floor.sum(axis=1)
    fixed_cost = floor @ weather.unit_cost + np.maximum(least, 0.0) @ price
    demand = weather.load_mw.sum(axis=1) - walk.shed_mw.sum(axis=1) - walk.store_mw - anyway
    offered = (draws.sources_mw - least)[:, free].sum(axis=1)
    taken, cost = np.empty(case.steps), np.empty(case.steps)
    kernel.merit_order(
        demand, offered, fixed_cost, np.ascontiguousarray(blocks), block_cost[order], case.dt_h, taken, cost
    )
    available = np.maximum(draws.sources_mw[:, free], 0.0).sum(axis=1)
    return offered - taken, available, cost


def contribution(weather: Weather, draws: Draws, what: str) -> FloatArray:
    """What a class of `CREDITED` adds to the margin of each area, stores aside, (T, A). [MW]"""
    mine = weather.case.sources["tech"].isin(CREDITED[what]).to_numpy()
    return _by_area(weather.areas, weather.case.sources, np.where(mine, draws.sources_mw * weather.arrives, 0.0))


def capacity_mw(weather: Weather, what: str) -> FloatArray:
    """Installed capacity of a class by area, of stores what they discharge, (A,). [MW]"""
    out = np.zeros(weather.areas.n)
    for table, column in ((weather.case.sources, "p_nom_mw"), (weather.case.stores, "p_discharge_max_mw")):
        mine = (table["tech"].isin(CREDITED[what]) & (table["tech"] != "dc_shift")).to_numpy()
        at = weather.areas.of_bus[table["bus_row"].to_numpy(dtype=np.int64)[mine]]
        np.add.at(out, at, table[column].to_numpy(dtype=np.float64)[mine])
    return out
