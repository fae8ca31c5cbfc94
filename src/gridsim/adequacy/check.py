"""Single hours solved again with HiGHS, as two linear programs that know nothing of cuts.

Both ask for the least load shed in the hour, with what stores had at its beginning: `transport` lets power flow between
areas within what `areas` says of branches, links and interfaces; `dc` is the whole network: angles of all buses,
ratings of all branches with the circuits that are in service, DC links and interfaces. The first says what the order
of the cuts and the rules of the walk cost, the second what it costs to leave out the network inside areas and the law
of loops. Generation may be held back freely in both.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_matrix, csr_matrix, hstack, identity, vstack

from gridsim.adequacy.areas import share_left
from gridsim.adequacy.years import Draws, Walk, Weather, walk_year
from gridsim.kernels.jit import FloatArray

_BASE_MVA = 100.0


class Check(NamedTuple):
    """Shed in one hour. [MW]"""

    step: int
    walk_mw: float
    transport_mw: float
    dc_mw: float


def check_steps(weather: Weather, draws: Draws, walk: Walk, count: int) -> list[Check]:
    """`count` steps: one half short ones if there are so many, evenly spread, the rest the tightest that are not."""
    shed = walk.shed_mw.sum(axis=1)
    short = np.flatnonzero(shed > 0.0)
    half = min((count + 1) // 2, short.size)
    picked = short[np.linspace(0, short.size - 1, half).astype(np.int64)] if half else short[:0]
    left = draws.margin_mw.sum(axis=1) + np.where(shed > 0.0, np.inf, 0.0)
    tight = np.argsort(left, kind="stable")[: max(count - half, 0)]
    return [check_step(weather, draws, walk, int(t)) for t in [*picked.tolist(), *tight.tolist()]]


def check_step(weather: Weather, draws: Draws, walk: Walk, t: int) -> Check:
    given, taken = _stores(weather, draws, t)
    return Check(
        t,
        float(walk.shed_mw[t].sum()),
        transport_shed(weather, draws, t, given, taken),
        dc_shed(weather, draws, t, given, taken),
    )


def _stores(weather: Weather, draws: Draws, t: int) -> tuple[FloatArray, FloatArray]:
    """What each store can give in a step, and what it has to take. [MW]"""
    s, dt_h = draws.stores, weather.case.dt_h
    e = walk_year(weather, draws, before=t).e_mwh
    e = s.keep * e + s.gain_mw[t] * dt_h
    lacking = (s.floor_mwh[t] - e) / (s.eta_charge * dt_h)
    taken = np.clip(lacking, 0.0, s.charge_max_mw[t])
    e = np.minimum(e + s.eta_charge * taken * dt_h, s.e_max_mwh)
    room = np.maximum(e - np.maximum(s.floor_mwh[t], 0.0), 0.0) * s.eta_discharge / dt_h
    return np.where(taken > 0.0, 0.0, np.minimum(room, s.discharge_max_mw[t])), taken


def transport_shed(weather: Weather, draws: Draws, t: int, given: FloatArray, taken: FloatArray) -> float:
    """Between areas: variables are shed and spilled power of areas, what stores give, flows of branches and links."""
    areas, n = weather.areas, weather.areas.n
    edges, stores = areas.first.size, draws.stores.area.size
    share = np.array([_left(weather, draws, b, k, t) for b, k in zip(areas.branch, areas.link, strict=True)])
    full = np.where(areas.branch >= 0, weather.case.branches["rating_mw"].to_numpy()[areas.branch], np.inf)
    is_link = areas.link >= 0
    ahead, back = (
        np.where(is_link, mw * share, np.minimum(mw, np.nan_to_num(full * share, nan=np.inf)))
        for mw in (areas.ahead_mw, areas.back_mw)
    )
    ends = np.concatenate((areas.first, areas.second)), np.tile(np.arange(edges), 2)
    flow = coo_matrix((np.repeat([-1.0, 1.0], edges), ends), (n, edges))
    give = coo_matrix((np.ones(stores), (draws.stores.area, np.arange(stores))), shape=(n, stores))
    balance = hstack((identity(n), -identity(n), give, flow)).tocsr()
    need = -draws.margin_mw[t].copy()
    np.add.at(need, draws.stores.area, taken)
    rows, most = [], []
    for bundle in areas.bundles:
        row = np.zeros(edges)
        row[bundle.members] = bundle.sign
        rows += [row, -row]
        most += [bundle.limit_mw, bundle.reverse_mw]
    upper = hstack((csr_matrix((len(rows), 2 * n + stores)), csr_matrix(np.array(rows)))) if rows else None
    bounds = [(0.0, None)] * (2 * n) + [(0.0, g) for g in given] + list(zip(-back, ahead, strict=True))
    cost = np.concatenate((np.ones(n), np.zeros(n + stores + edges)))
    return _solve(cost, balance, need, upper, np.array(most), bounds)


def dc_shed(weather: Weather, draws: Draws, t: int, given: FloatArray, taken: FloatArray) -> float:
    """The whole network: variables are shed and spilled power of buses, what stores give, links, and angles."""
    case = weather.case
    nb, stores, links = len(case.buses), len(case.stores), len(case.links)
    want, have = np.zeros(nb), np.zeros(nb)
    sources = draws.sources_mw[t]
    for out, rows, values in (
        (want, case.loads, case.load_mw[t]),
        (want, case.stores, taken),
        (want, case.sources, np.maximum(-sources, 0.0)),
        (have, case.units, draws.units_mw[t]),
        (have, case.sources, np.maximum(sources, 0.0)),
    ):
        np.add.at(out, rows["bus_row"].to_numpy(dtype=np.int64), values)
    left = np.array([share_left(case, b, draws.outages.circuits)[t] for b in range(len(case.branches))])
    live = np.flatnonzero(left > 0.0)
    begin, end = (case.branches[side].to_numpy(dtype=np.int64)[live] for side in ("from_row", "to_row"))
    x = case.branches["x_pu"].to_numpy(dtype=np.float64)[live] / left[live]
    weight = _BASE_MVA / x
    at = np.arange(live.size)
    flow = coo_matrix(
        (np.concatenate((weight, -weight)), (np.tile(at, 2), np.concatenate((begin, end)))), (live.size, nb)
    )
    shift = np.deg2rad(case.branches["shift_deg"].to_numpy(dtype=np.float64)[live]) * weight
    ends = coo_matrix(
        (np.repeat([-1.0, 1.0], live.size), (np.concatenate((begin, end)), np.tile(at, 2))), (nb, live.size)
    )
    bus = case.stores["bus_row"].to_numpy(dtype=np.int64)
    give = coo_matrix((np.ones(stores), (bus, np.arange(stores))), (nb, stores))
    lost = case.links["loss_share"].to_numpy(dtype=np.float64)
    a, b = (case.links[side].to_numpy(dtype=np.int64) for side in ("from_row", "to_row"))
    carry = coo_matrix(
        (np.concatenate((-np.ones(links), 1.0 - lost)), (np.concatenate((a, b)), np.tile(np.arange(links), 2))),
        (nb, links),
    )
    balance = hstack((identity(nb), -identity(nb), give, carry, ends @ flow)).tocsr()
    need = want - have + ends @ shift
    rating = case.branches["rating_mw"].to_numpy(dtype=np.float64)[live] * left[live]
    limited = np.isfinite(rating) & (case.branches["element"].to_numpy()[live] != "island_balance")
    none = csr_matrix((live.size, 2 * nb + stores + links))
    lines = hstack((none, flow)).tocsr()
    interface = csr_matrix(case.interface_weight[:, : len(case.branches)][:, live])
    of_links = csr_matrix(case.interface_weight[:, len(case.branches) :])
    sections = hstack((csr_matrix((len(case.interfaces), 2 * nb + stores)), of_links, interface @ flow)).tocsr()
    limits = case.interfaces[["limit_mw", "reverse_limit_mw"]].to_numpy(dtype=np.float64)
    moved = interface @ shift
    upper = vstack((lines[limited], -lines[limited], sections, -sections)).tocsr()
    most = np.concatenate((
        (rating + shift)[limited], (rating - shift)[limited], limits[:, 0] + moved, limits[:, 1] - moved,
    ))  # fmt: skip
    held = draws.outages.link_left[t]
    least_link, most_link = (case.links[c].to_numpy(dtype=np.float64) * held for c in ("p_min_mw", "p_max_mw"))
    bounds = [(0.0, most_mw) for most_mw in (*want, *have, *given)] + list(zip(least_link, most_link, strict=True))
    bounds += [(0.0, 0.0) if ref else (None, None) for ref in case.buses["reference"]]
    cost = np.concatenate((np.ones(nb), np.zeros(nb + stores + links + nb)))
    return _solve(cost, balance, need, upper, most, bounds)


def _left(weather: Weather, draws: Draws, b: int, k: int, t: int) -> float:
    """Share of a branch or link that is in service."""
    if b >= 0:
        return float(share_left(weather.case, int(b), draws.outages.circuits)[t])
    return float(draws.outages.link_left[t, k])


def _solve(cost: FloatArray, balance: Any, need: FloatArray, upper: Any, most: FloatArray, bounds: Any) -> float:
    found = linprog(cost, A_ub=upper, b_ub=most if upper is not None else None, A_eq=balance, b_eq=need, bounds=bounds)
    if found.status != 0:
        raise RuntimeError(f"HiGHS has no solution of an hour: {found.message}")
    return float(found.fun)
