"""The walk of an adequacy year against linear programs, closed forms and a count of all states."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import rts79
from numpy.testing import assert_allclose
from scipy.optimize import linprog
from scipy.sparse import lil_matrix

from gridsim.kernels.adequacy import Stores, merit_order, walk


def stores(steps: int, *rows: dict[str, Any]) -> Stores:
    """Rows of stores, constant in time unless an array is given."""
    usual = {"area": 0, "eta": 1.0, "keep": 1.0, "e": 0.0, "charge": 0.0, "discharge": 0.0, "gain": 0.0, "floor": 0.0}
    rows = tuple(usual | row for row in rows)
    flat = {k: np.array([row[k] for row in rows], dtype=np.float64) for k in ("eta", "keep", "e")}
    along = {
        k: np.column_stack([np.broadcast_to(np.asarray(row[k], dtype=np.float64), steps) for row in rows])
        if rows
        else np.zeros((steps, 0))
        for k in ("charge", "discharge", "gain", "floor")
    }
    return Stores(
        np.array([row["area"] for row in rows], dtype=np.int64), flat["eta"], flat["eta"], flat["keep"], flat["e"],
        *(np.ascontiguousarray(along[k]) for k in ("charge", "discharge", "gain", "floor")),
    )  # fmt: skip


def walked(margin, load=None, inside=None, limit=None, given=None, start=None, dt_h=1.0):
    """Shed by area, and energies at the end."""
    margin = np.asarray(margin, dtype=np.float64).reshape(len(margin), -1)
    steps, areas = margin.shape
    load = np.full_like(margin, 100.0) if load is None else np.asarray(load, dtype=np.float64)
    inside = np.ones((1, areas), dtype=np.bool_) if inside is None else np.asarray(inside, dtype=np.bool_)
    limit = np.zeros((1, len(inside))) if limit is None else np.asarray(limit, dtype=np.float64)
    given = stores(steps) if given is None else given
    n = given.area.size
    e = np.zeros(n) if start is None else np.array(start, dtype=np.float64)
    shed, moved = np.empty_like(margin), np.empty(steps)
    walk(margin, load, inside, limit, given, dt_h, np.arange(n), np.empty(n), np.empty(areas), shed, moved, e)
    return shed, moved, e


# ---- one bus


def test_all_states_of_a_small_system_count_as_the_convolution_does():
    """Three units, eight states, each for itself: exactly the outage table's hours and energy."""
    units, load = ((100.0, 0.1), (60.0, 0.05), (60.0, 0.2)), np.array([90.0, 130.0, 185.0, 220.0])
    lole = eens = 0.0
    for state in product((0, 1), repeat=3):
        p = np.prod([q if out else 1.0 - q for out, (_, q) in zip(state, units, strict=True)])
        there = sum(mw for out, (mw, _) in zip(state, units, strict=True) if not out)
        shed, _, _ = walked(there - load, load=load[:, None])
        lole += p * (shed > 1e-9).sum()
        eens += p * shed.sum()
    table = {0.0: 1.0}
    for mw, q in units:
        moved: dict[float, float] = {}
        for out, p in table.items():
            moved[out] = moved.get(out, 0.0) + p * (1.0 - q)
            moved[out + mw] = moved.get(out + mw, 0.0) + p * q
        table = moved
    short = {out: np.maximum(load - (220.0 - out), 0.0) for out in table}
    assert lole == pytest.approx(sum(p * (short[out] > 1e-9).sum() for out, p in table.items()), rel=1e-12)
    assert eens == pytest.approx(sum(p * short[out].sum() for out, p in table.items()), rel=1e-12)


def test_the_published_indices_of_the_reliability_test_system():
    """Its figures are right: 9.39418 h, 1.36886 days, 1,176 MWh a year."""
    hours, energy = rts79.indices(rts79.hourly_load())
    assert hours == pytest.approx(9.39418, abs=5e-6)
    assert energy == pytest.approx(1176.0, abs=0.5)
    assert rts79.indices(rts79.daily_peaks())[0] == pytest.approx(1.36886, abs=5e-6)


def test_every_state_of_the_reliability_test_system_walks_to_its_indices():
    """The year once for each capacity on outage that has a probability, weighted by it."""
    load, p = rts79.hourly_load(), rts79.outage_table()
    lole = eens = 0.0
    for out in np.flatnonzero(p > 1e-12):
        shed, _, _ = walked(3405.0 - out - load, load=load[:, None])
        lole += p[out] * (shed > 1e-3).sum()
        eens += p[out] * shed.sum()
    hours, energy = rts79.indices(load)
    assert lole == pytest.approx(hours, rel=1e-6)
    assert eens == pytest.approx(energy, rel=1e-6)


# ---- stores


def test_a_store_bridges_what_it_holds():
    """80 MWh at 90 % give 72 of the 90 MWh that are missing, as late as it can be told: the first hours in full."""
    given = stores(3, {"e": 80.0, "eta": 0.9, "charge": 50.0, "discharge": 40.0})
    shed, moved, e = walked([-30.0, -30.0, -30.0], given=given, start=[80.0])
    assert_allclose(shed[:, 0], [0.0, 0.0, 18.0])
    assert_allclose(moved, [30.0, 30.0, 12.0])
    assert_allclose(e, 0.0, atol=1e-9)


def test_stores_charge_from_surplus_only_and_lose_on_the_way():
    given = stores(4, {"e": 100.0, "eta": 0.8, "charge": 50.0, "discharge": 50.0})
    shed, moved, e = walked([20.0, 30.0, -40.0, -10.0], given=given, start=[0.0])
    assert_allclose(moved, [-20.0, -30.0, 32.0, 0.0])
    assert_allclose(shed[:, 0], [0.0, 0.0, 8.0, 10.0])
    assert_allclose(e, 0.0, atol=1e-9)


def test_those_that_last_longest_give_first():
    """4 h at 10 MW and 1 h at 20 MW: of 20 MW wanted the long one gives 10, and both are left with the same time."""
    rows = {"e": 40.0, "discharge": 10.0}, {"e": 20.0, "discharge": 20.0}
    _, _, e = walked([-20.0], given=stores(1, *rows), start=[40.0, 20.0])
    assert_allclose(e, [30.0, 10.0])
    # equal ones share, whatever their size
    rows = {"e": 40.0, "discharge": 20.0}, {"e": 20.0, "discharge": 10.0}
    _, _, e = walked([-15.0], given=stores(1, *rows), start=[40.0, 20.0])
    assert_allclose(e, [30.0, 15.0])


def test_a_demand_on_a_store_is_load_when_it_cannot_wait():
    """Vehicles leave with 30 MWh in two hours: 10 MW of what is there, the rest when nothing is left."""
    given = stores(2, {"e": 30.0, "charge": 20.0, "floor": [10.0, 30.0]})
    shed, moved, e = walked([-5.0, 0.0], given=given, start=[0.0])
    assert_allclose(moved, [-10.0, -20.0])
    assert_allclose(shed[:, 0], [15.0, 20.0])
    assert_allclose(e, 30.0)


def least_shed(margin, given, start, inside, limit):
    """Least energy not served with all hours known, by HiGHS."""
    steps, areas = margin.shape
    n = given.area.size
    width = areas + 3 * n
    a_eq, b_eq = lil_matrix((steps * n, steps * width)), np.zeros(steps * n)
    a_ub, b_ub = lil_matrix((steps * len(inside), steps * width)), np.zeros(steps * len(inside))
    bounds: list[Any] = []
    for t in range(steps):
        at = t * width
        bounds += [(0.0, None)] * areas + [(0.0, p) for p in given.charge_max_mw[t]]
        bounds += [(0.0, p) for p in given.discharge_max_mw[t]]
        bounds += list(zip(given.floor_mwh[t], given.e_max_mwh, strict=True))
        for s in range(n):
            row = t * n + s
            a_eq[row, at + areas + 2 * n + s] = 1.0
            a_eq[row, at + areas + s] = -given.eta_charge[s]
            a_eq[row, at + areas + n + s] = 1.0 / given.eta_discharge[s]
            if t:
                a_eq[row, at - width + areas + 2 * n + s] = -given.keep[s]
            b_eq[row] = given.gain_mw[t, s] + (0.0 if t else given.keep[s] * start[s])
        for k, members in enumerate(inside):
            row = t * len(inside) + k
            for a in np.flatnonzero(members):
                a_ub[row, at + a] = -1.0
            for s in range(n):
                if members[given.area[s]]:
                    a_ub[row, at + areas + s] = 1.0
                    a_ub[row, at + areas + n + s] = -1.0
            b_ub[row] = margin[t, members].sum() + limit[0, k]
    cost = np.tile(np.concatenate((np.ones(areas), np.zeros(3 * n))), steps)
    found = linprog(cost, a_ub.tocsr(), b_ub, a_eq.tocsr() if n else None, b_eq if n else None, bounds)
    assert found.status == 0, found.message
    return found.fun


@pytest.mark.parametrize("seed", range(8))
def test_one_store_serves_as_much_as_with_all_hours_known(seed):
    """With one store on one bus, to charge whenever there is surplus and give whenever it lacks is the best."""
    rng = np.random.default_rng(seed)
    margin = 30.0 * rng.standard_normal((72, 1)) + 8.0
    given = stores(72, {"e": 120.0, "eta": 0.9, "keep": 1.0, "charge": 25.0, "discharge": 30.0})
    shed, _, _ = walked(margin, given=given, start=[60.0])
    everyone, none = np.ones((1, 1), dtype=bool), np.zeros((1, 1))
    assert shed.sum() == pytest.approx(least_shed(margin, given, [60.0], everyone, none), abs=1e-6)
    assert shed.sum() > 1.0


@pytest.mark.parametrize("seed", range(8))
def test_full_stores_get_through_an_evening_as_well_as_if_it_was_known(seed):
    """Many stores of different lengths, full, and hours of shortage without recharge: time to go is the best rule."""
    rng = np.random.default_rng(100 + seed)
    margin = -np.abs(40.0 * rng.standard_normal((8, 1)))
    rows = [
        {"e": float(e), "discharge": float(p)}
        for e, p in zip(rng.uniform(5, 80, 5), rng.uniform(5, 20, 5), strict=True)
    ]
    given = stores(8, *rows)
    shed, _, _ = walked(margin, given=given, start=given.e_max_mwh)
    everyone, none = np.ones((1, 1), dtype=bool), np.zeros((1, 1))
    assert shed.sum() == pytest.approx(least_shed(margin, given, given.e_max_mwh, everyone, none), abs=1e-6)


# ---- areas

NESTED = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1]], dtype=bool)


@pytest.mark.parametrize("seed", range(6))
def test_nested_cuts_shed_what_a_linear_program_does(seed):
    """One hour at a time, full stores in all areas: least shed as by HiGHS."""
    rng = np.random.default_rng(200 + seed)
    limit = np.array([[20.0, 30.0, 0.0]])
    for _ in range(10):
        margin = 40.0 * rng.standard_normal((1, 3))
        rows = [{"area": a, "e": 50.0, "discharge": float(p)} for a, p in enumerate(rng.uniform(0, 15, 3))]
        given = stores(1, *rows)
        shed, _, _ = walked(margin, inside=NESTED, limit=limit, given=given, start=[50.0] * 3)
        assert shed.sum() == pytest.approx(least_shed(margin, given, [50.0] * 3, NESTED, limit), abs=1e-5)
        left = (
            margin[0] + shed[0] + (50.0 - walked(margin, inside=NESTED, limit=limit, given=given, start=[50.0] * 3)[2])
        )
        assert (NESTED @ left >= -limit[0] - 1e-5).all()


def test_a_shortage_is_shared_by_load_and_stays_behind_its_cut():
    """30 MW are missing behind the cut, of 100 + 300 MW of load there; the third area has plenty."""
    inside = np.array([[1, 1, 0], [1, 1, 1]], dtype=bool)
    load = np.array([[100.0, 300.0, 400.0]])
    shed, _, _ = walked([[-40.0, 0.0, 500.0]], load=load, inside=inside, limit=[[10.0, 0.0]])
    assert_allclose(shed[0], [7.5, 22.5, 0.0], atol=1e-9)
    # and of 80 MW missing in all, the third area takes what makes the shares of load equal
    shed, _, _ = walked([[-40.0, 0.0, -40.0]], load=load, inside=inside, limit=[[10.0, 0.0]])
    assert_allclose(shed[0], [10.0, 30.0, 40.0], atol=1e-9)


def test_a_store_behind_the_cut_is_used_for_the_cut_first():
    """20 MW lack behind the cut, 30 in all: the store there gives 20, and the rest comes from both."""
    inside = np.array([[1, 0], [1, 1]], dtype=bool)
    rows = {"area": 0, "e": 30.0, "discharge": 30.0}, {"area": 1, "e": 30.0, "discharge": 30.0}
    shed, _, e = walked([[-25.0, -5.0]], inside=inside, limit=[[5.0, 0.0]], given=stores(1, *rows), start=[30.0, 30.0])
    assert_allclose(shed, 0.0)
    assert_allclose(e, [10.0, 20.0], atol=1e-9)  # 10 to go against 30: the second gives the other 10


def test_charging_leaves_others_their_power():
    """A store behind a full cut cannot charge, however much there is elsewhere."""
    inside = np.array([[1, 0], [1, 1]], dtype=bool)
    given = stores(1, {"area": 0, "e": 50.0, "charge": 20.0}, {"area": 1, "e": 50.0, "charge": 20.0})
    _, moved, e = walked([[-8.0, 100.0]], inside=inside, limit=[[10.0, 0.0]], given=given, start=[0.0, 0.0])
    assert_allclose(e, [2.0, 20.0])
    assert_allclose(moved, -22.0)


def test_only_read():
    """Inputs are read only: numba refuses to compile a kernel that writes to these."""
    margin = np.full((2, 1), -5.0)
    given = stores(2, {"e": 5.0, "discharge": 5.0})
    for array in (margin, *given):
        array.flags.writeable = False
    shed, _, _ = walked(margin, given=given, start=[5.0])
    assert_allclose(shed[:, 0], [0.0, 5.0])


# ---- cost


def test_blocks_are_filled_in_their_order():
    demand, free = np.array([50.0, 10.0, -5.0, 500.0]), np.array([20.0, 20.0, 20.0, 20.0])
    blocks, price = np.tile([20.0, 30.0], (4, 1)), np.array([100.0, 400.0])
    taken, cost = np.empty(4), np.empty(4)
    merit_order(demand, free, np.full(4, 7.0), blocks, price, 0.5, taken, cost)
    assert_allclose(taken, [20.0, 10.0, 0.0, 20.0])
    assert_allclose(cost, [0.5 * (7 + 2000 + 4000), 3.5, 3.5, 0.5 * (7 + 2000 + 12000)])
