"""The oracle against closed forms, an LP written a second time by hand, and every schedule there is."""

import contextlib
import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from problems import cost_of, history, jiangsu_like, ramp_output, random_problem, violation
from scipy.optimize import linprog

from gridsim import oracle
from gridsim.errors import InputError, WindowError
from gridsim.kernels.problem import Boxes, Problem, Ramps, Rows, Stores, Units
from gridsim.oracle_commitment import Commitment, add_whole_units, complete
from gridsim.oracle_limits import OutputLimits, StartCosts, add_limits, add_start_costs
from gridsim.oracle_matrix import build

ATOL = 1e-8  # HiGHS is asked for 1e-9
LONG = 99  # hours off


def units(n, *groups):
    """Groups with one segment each: (p_min, width, segment cost), further fields by name; products up and down."""
    base = {"bus": 0, "cost": 0.0, "start_cost": 0.0, "on0": 0.0, "avail": 1.0, "up": 0.0, "down": 0.0}
    full = [base | group for group in groups]

    def of(name):
        return np.array([group[name] for group in full], dtype=float)

    avail = np.array([np.broadcast_to(group["avail"], n) for group in full], dtype=float).reshape(len(full), n).T
    p_min, width, up, down = (of(name) for name in ("p_min", "width", "up", "down")) if full else np.zeros((4, 0))
    return Units(
        bus=of("bus").astype(np.int64),
        coef=np.column_stack([p_min, up * width, 0.0 * width]),
        cost=of("cost"),
        start_cost=of("start_cost"),
        on0=of("on0"),
        avail=avail,
        seg_unit=np.arange(len(full)),
        seg_width=width,
        seg_cost=of("seg_cost"),
        seg_coef=np.column_stack([np.ones(len(full)), -up, down]),
    )


def boxes(n, *each):
    base = {"bus": 0, "lo": 0.0, "hi": 10.0, "cost": 0.0, "bal": 1.0, "up": 0.0, "down": 0.0, "line": 1.0}
    full = [base | box for box in each]
    hourly = {
        name: np.array([np.broadcast_to(box[name], n) for box in full], dtype=float).reshape(len(full), n).T
        for name in ("lo", "hi", "cost")
    }
    coef = np.array([[box[name] for name in ("bal", "up", "down")] for box in full], dtype=float).reshape(-1, 3)
    line = np.array([box["line"] for box in full], dtype=float)
    return Boxes(bus=np.array([box["bus"] for box in full], dtype=np.int64), **hourly, coef=coef, line=line)


def ramps(n, *each):
    """Ramped devices; `width` and `seg_cost` are lists of their segments."""
    base = {"bus": 0, "base": 0.0, "up": 10.0, "down": 10.0, "p0": 0.0}
    full = [base | one for one in each]

    def hourly(values):
        return np.array([np.broadcast_to(v, n) for v in values], dtype=float).reshape(-1, n).T

    segments = [len(one["width"]) for one in full]
    return Ramps(
        bus=np.array([one["bus"] for one in full], dtype=np.int64),
        **{name: hourly([one[name] for one in full]) for name in ("base", "up", "down")},
        p0=np.array([one["p0"] for one in full], dtype=float),
        seg_ramp=np.repeat(np.arange(len(full)), segments),
        seg_width=hourly([w for one in full for w in one["width"]]),
        seg_cost=hourly([c for one in full for c in one["seg_cost"]]),
        seg_coef=np.tile([1.0, 0.0, 0.0], (sum(segments), 1)),
    )


def stores(n, *each):
    """Stores of power 1 and energy 0..5 with efficiencies 0.9, unless said otherwise."""
    base = {"bus": 0, "charge_min": 0.0, "charge_max": 1.0, "discharge_min": 0.0, "discharge_max": 1.0}
    base |= {"charge_cost": 0.0, "discharge_cost": 0.0, "eta_c": 0.9, "eta_d": 0.9, "keep": 1.0, "inflow": 0.0}
    base |= {"spill_max": 0.0, "e0": 0.0, "e_lo": 0.0, "e_hi": 5.0, "end_value": 0.0}
    full = [base | one for one in each]
    hourly = {"charge_min", "charge_max", "discharge_min", "discharge_max", "inflow", "spill_max", "e_lo", "e_hi"}
    fields = {
        name: np.array([np.broadcast_to(one[name], n) if name in hourly else one[name] for one in full], dtype=float)
        for name in Stores._fields
    }
    for name in hourly:
        fields[name] = fields[name].reshape(len(full), n).T
    return Stores(**fields | {"bus": fields["bus"].astype(np.int64)})


def window(demand, unit=None, box=None, *, ramp=None, store=None, reserve_up=0.0, reserve_down=0.0):
    demand = np.array(demand, dtype=float)
    n = demand.size
    return Problem(
        np.column_stack([demand, np.full(n, reserve_up), np.full(n, reserve_down)]),
        units(n) if unit is None else unit,
        boxes(n) if box is None else box,
        ramps(n) if ramp is None else ramp,
        stores(n) if store is None else store,
    )


CHEAP = {"p_min": 0.0, "width": 1.0, "seg_cost": 10.0}
DEAR = {"p_min": 0.0, "width": 1.0, "seg_cost": 30.0}


def test_merit_order_sets_the_price():
    s = oracle.solve_lp(window([0.5, 1.5, 2.5], units(3, CHEAP, DEAR), boxes(3, {"cost": 100.0})))
    assert_allclose(s.price[:, 0], [10.0, 30.0, 100.0], atol=ATOL)
    assert_allclose(s.q, [[0.5, 0.0], [1.0, 0.5], [1.0, 1.0]], atol=ATOL)
    assert_allclose([s.objective, s.bound], 5.0 + 25.0 + 90.0, atol=ATOL)


def test_spill_makes_the_price_negative():
    wind_in, spill = {"lo": 2.0, "hi": 2.0}, {"bal": -1.0, "line": -1.0, "cost": 3.0}
    s = oracle.solve_lp(window([1.5], box=boxes(1, wind_in, spill)))
    assert_allclose(s.x, [[2.0, 0.5]], atol=ATOL)
    assert_allclose(s.price[:, 0], -3.0, atol=ATOL)


def test_store_earns_the_spread_less_its_losses():
    s = oracle.solve_lp(window([1.0, 1.0], box=boxes(2, {"cost": [1.0, 10.0]}), store=stores(2, {})))
    assert_allclose(s.charge[:, 0], [1.0, 0.0], atol=ATOL)
    assert_allclose(s.discharge[:, 0], [0.0, 0.81], atol=ATOL)
    assert_allclose(s.e[:, 0], [0.9, 0.0], atol=ATOL)
    assert_allclose(s.objective, 2.0 * 1.0 + 0.19 * 10.0, atol=ATOL)


def test_store_keeps_what_the_future_pays_for():
    """A stored unit is worth 20 at the end, 0.9 x 10 now; standing costs it a tenth per hour."""
    dear_end = stores(2, {"e0": 1.0, "end_value": 20.0, "keep": 0.9})
    s = oracle.solve_lp(window([1.0, 1.0], box=boxes(2, {"cost": 30.0}), store=dear_end))
    assert_allclose(s.discharge[:, 0], [0.81, 0.0], atol=ATOL)  # 0.9 x 30 beats 0.9 x 20
    s = oracle.solve_lp(window([1.0, 1.0], box=boxes(2, {"cost": 10.0}), store=dear_end))
    assert_allclose(s.e[:, 0], [0.9 + 0.9, 0.81 + 0.81 + 0.9], atol=ATOL)  # charging 1.0 costs 10, earns 16.2, 18
    assert_allclose(s.objective, 4.0 * 10.0 - 20.0 * 2.52, atol=ATOL)


def test_reserve_has_the_price_of_the_unit_it_holds_back():
    unit = units(1, CHEAP | {"up": 1.0}, DEAR)
    s = oracle.solve_lp(window([0.9], unit, reserve_up=0.3))
    assert_allclose(s.q, [[0.7, 0.2]], atol=ATOL)
    assert_allclose(s.price[0], [30.0, 20.0, 0.0], atol=ATOL)
    unit = units(1, CHEAP, DEAR | {"down": 1.0})
    s = oracle.solve_lp(window([0.9], unit, reserve_down=0.3))
    assert_allclose(s.q, [[0.6, 0.3]], atol=ATOL)
    assert_allclose(s.price[0], [10.0, 0.0, 20.0], atol=ATOL)


def test_headroom_of_a_box_counts_with_its_constant_moved():
    """Wind 0.8 may be held back to serve a reserve of 0.5: 0.5 - 0.8 stands on the right."""
    box = boxes(1, {"hi": 0.8, "up": -1.0}, {"cost": 10.0}, {"bal": 0.0, "up": 1.0, "line": 0.0, "cost": 4.0})
    s = oracle.solve_lp(window([1.0], box=box, reserve_up=0.5 - 0.8))
    assert_allclose(s.x, [[0.8, 0.2, 0.5]], atol=ATOL)  # a shortfall at 4 is cheaper than energy at 10
    assert_allclose(s.price[:, 1], 4.0, atol=ATOL)


@pytest.mark.parametrize(
    ("overload_cost", "flow", "objective", "pi"), [(50.0, 0.4, 0.4 * 10 + 0.6 * 30, 20.0), (15.0, 1.0, 19.0, 15.0)]
)
def test_congestion_splits_the_price_until_an_overload_is_cheaper(overload_cost, flow, objective, pi):
    """Cheap at bus 0, dear at bus 1 with all demand; the line's flow is the injection at bus 0."""
    rows = Rows(np.array([0]), np.array([[1.0, 0.0]]), np.array([0.4]), np.array([overload_cost]))
    s = oracle.solve_lp(window([1.0], units(1, CHEAP, DEAR | {"bus": 1})), rows)
    assert_allclose(s.q, [[flow, 1.0 - flow]], atol=ATOL)
    assert_allclose(s.overload, [flow - 0.4], atol=ATOL)
    assert_allclose(s.objective, objective, atol=ATOL)
    assert_allclose(s.price_row, [pi], atol=ATOL)
    assert_allclose(s.price[0, 0] - s.price_row[0], 10.0, atol=ATOL)  # price at bus 0


def test_a_response_limit_is_a_segment_cut_in_two():
    """A unit of 0 to 1 at 10 gives 0.2 of reserve at most; above 0.8 of output it gives less."""
    one = units(1, {"p_min": 0.0, "width": 0.8, "seg_cost": 10.0})
    coef, seg_coef = np.array([[0.0, 0.2, 0.0]]), np.array([[1.0, 0.0, 0.0], [1.0, -1.0, 0.0]])
    cut = {"seg_unit": np.zeros(2, np.int64), "seg_width": np.array([0.8, 0.2]), "seg_cost": np.array([10.0, 10.0])}
    unit = one._replace(coef=coef, seg_coef=seg_coef, **cut)
    box = boxes(1, {"cost": 50.0}, {"bal": 0.0, "up": 1.0, "line": 0.0, "cost": 25.0})  # other supply; shortfall
    for demand, energy, short, price in ((0.3, 0.3, 0.0, 10.0), (0.9, 0.9, 0.1, 35.0), (1.2, 1.0, 0.2, 50.0)):
        s = oracle.solve_lp(window([demand], unit, box, reserve_up=0.2))
        assert_allclose([s.q.sum(), s.x[0, 1]], [energy, short], atol=ATOL)
        assert_allclose(s.price[0, 0], price, atol=ATOL)


def test_a_quick_starter_gives_its_reserve_while_off():
    """Off it offers 1.0; on it offers 0.6 less what it makes above its minimum of 0.4."""
    unit = units(1, {"p_min": 0.4, "width": 0.6, "seg_cost": 10.0, "cost": 4.0})
    coef = unit.coef.copy()
    coef[0, 1] = 0.6 - 1.0
    quick = unit._replace(coef=coef, seg_coef=np.array([[1.0, -1.0, 0.0]]))
    box = boxes(1, {"cost": 50.0}, {"bal": 0.0, "up": 1.0, "line": 0.0, "cost": 30.0})
    off = window([0.5], quick, box, reserve_up=0.8 - 1.0)  # the constant of the offer while off is moved
    for on, short, cost in ((0.0, 0.0, 25.0), (1.0, 0.3, 5.0 + 9.0)):
        s = oracle.solve_lp(off, on=np.array([[on]]))
        assert_allclose([s.x[0, 1], s.objective], [short, cost], atol=ATOL)


def test_ramp_limits_from_the_hour_before():
    ramp = ramps(3, {"width": [1.0], "seg_cost": [5.0], "up": 0.2, "down": 0.2})
    s = oracle.solve_lp(window([1.0, 1.0, 1.0], box=boxes(3, {"cost": 50.0}), ramp=ramp))
    assert_allclose(s.ramp_q[:, 0], [0.2, 0.4, 0.6], atol=ATOL)
    assert_allclose(s.objective, 5.0 * 1.2 + 50.0 * 1.8, atol=ATOL)


def test_segments_of_a_ramped_device_move_together_and_its_base_is_output():
    """Base 0.5, segments of 0.4 at 5 and 0.6 at 20; it may rise by 0.3, 0.5, 0.1 and need not fall at all."""
    one = {"base": 0.5, "p0": 0.5, "width": [0.4, 0.6], "seg_cost": [5.0, 20.0], "up": [0.3, 0.5, 0.1], "down": 0.0}
    problem = window([1.5, 1.5, 1.5], box=boxes(3, {"cost": 50.0}), ramp=ramps(3, one))
    s = oracle.solve_lp(problem)
    assert_allclose(ramp_output(problem, s)[:, 0], [0.8, 1.3, 1.4], atol=ATOL)
    assert_allclose(s.ramp_q, [[0.3, 0.0], [0.4, 0.4], [0.4, 0.5]], atol=ATOL)
    assert_allclose(s.objective, 5.0 * 1.1 + 20.0 * 0.9 + 50.0 * (0.7 + 0.2 + 0.1), atol=ATOL)
    rows = Rows(np.array([1]), np.array([[1.0]]), np.array([1.6]), np.array([7.0]))  # the flow of 0.5 + 0.8 fits ...
    assert_allclose(oracle.solve_lp(problem._replace(boxes=boxes(3, {"cost": 50.0, "line": 0.0})), rows).overload, 0.0)
    tight = rows._replace(limit=np.array([1.2]))  # ... and exceeds this, for less than the 50 - 20 of other supply
    s = oracle.solve_lp(problem._replace(boxes=boxes(3, {"cost": 50.0, "line": 0.0})), tight)
    assert_allclose(s.overload, 0.1, atol=ATOL)
    assert_allclose(s.price_row, 7.0, atol=ATOL)


def test_inflow_is_kept_as_long_as_there_is_room_then_let_go():
    """0.6 flows in each hour; discharging is worth 0.9 x 10, and 1.0 fits in."""
    one = {"inflow": 0.6, "spill_max": 0.6, "e_hi": 1.0, "charge_max": 0.0, "discharge_max": [0.0, 0.0, 0.0, 0.9]}
    problem = window([1.0] * 4, box=boxes(4, {"cost": 10.0}), store=stores(4, one))
    s = oracle.solve_lp(problem)
    assert_allclose(s.discharge[:, 0], [0.0, 0.0, 0.0, 0.9], atol=ATOL)
    assert_allclose(s.spill.sum(), 2.4 - 1.0 - s.e[-1, 0], atol=ATOL)
    assert_allclose(s.objective, 10.0 * 3.1, atol=ATOL)
    with pytest.raises(WindowError, match="Infeasible"):
        oracle.solve_lp(problem._replace(stores=stores(4, one | {"spill_max": 0.1})))


def test_a_pump_that_runs_takes_its_minimum():
    """Charging pays nothing here, but the mode is decided: 0.4 at least in hour 1, 0.3 of discharge in hour 2."""
    one = {"e0": 2.0, "charge_min": [0.0, 0.4, 0.0], "discharge_min": [0.0, 0.0, 0.3], "end_value": 20.0}
    s = oracle.solve_lp(window([1.0] * 3, box=boxes(3, {"cost": 19.0}), store=stores(3, one)))
    assert_allclose(s.charge[:, 0], [0.0, 0.4, 0.0], atol=ATOL)
    assert_allclose(s.discharge[:, 0], [0.0, 0.0, 0.3], atol=ATOL)


@pytest.mark.parametrize(("start_cost", "on", "cost"), [(30.0, 1.0, 30.0 + 4 * 10.0), (100.0, 0.0, 4 * 30.0)])
def test_a_start_must_pay_for_itself(start_cost, on, cost):
    unit = units(4, CHEAP | {"start_cost": start_cost})
    problem = window([1.0] * 4, unit, boxes(4, {"cost": 30.0}))
    one = np.ones(1, np.int64)
    s, bound = oracle.solve_milp(problem, min_up_h=one, min_down_h=one)
    assert_allclose(s.u, on, atol=ATOL)
    assert_allclose([s.objective, bound, s.bound], cost, rtol=1e-4)


def test_whole_units_cost_more_than_parts_of_units():
    """A minimum of 0.6 does not fit a demand of 0.3: half a unit would."""
    unit = units(2, {"p_min": 0.6, "width": 0.4, "seg_cost": 10.0, "cost": 6.0})
    problem = window([0.3, 0.3], unit, boxes(2, {"cost": 100.0}))
    one = np.ones(1, np.int64)
    assert_allclose(oracle.solve_lp(problem).objective, 6.0, rtol=1e-9)  # u = 0.5 in both hours
    s, _ = oracle.solve_milp(problem, min_up_h=one, min_down_h=one)
    assert_allclose(s.objective, 60.0, rtol=1e-9)
    assert_allclose(s.price[:, 0], 100.0)


@pytest.mark.parametrize("seed", range(40))
def test_solution_keeps_every_rule_and_closes_the_gap(seed):
    problem, rows = random_problem(seed)
    s = oracle.solve_lp(problem, rows)
    scale = 1.0 + abs(s.objective)
    assert violation(problem, rows, s) < ATOL
    assert abs(cost_of(problem, rows, s) - s.objective) < ATOL * scale
    assert abs(s.objective - s.bound) < ATOL * scale
    for price in (s.price[:, 1:], s.price_row):
        assert price.min(initial=0.0) > -ATOL


@pytest.mark.parametrize("seed", range(8))
def test_prices_are_subgradients(seed):
    """Cost is convex in every right-hand side: it never falls below the line that its price draws."""
    problem, rows = random_problem(seed, T=8, rows=8)
    s = oracle.solve_lp(problem, rows)
    rng = np.random.default_rng(seed)
    products = range(problem.need.shape[1])
    moved = [(t, r, h) for r in products for t in rng.choice(8, 3, replace=False) for h in (-1e-2, 1e-3, 0.1)]
    for t, r, h in moved:
        need = problem.need.copy()
        need[t, r] += h
        try:
            cost = oracle.solve_lp(problem._replace(need=need), rows).objective
        except WindowError:  # beyond the boxes that keep the window feasible: the cost is infinite
            continue
        assert cost >= s.objective + s.price[t, r] * h - ATOL * (1.0 + abs(s.objective)), (t, r, h)
    for m, h in itertools.product(range(rows.hour.size), (-0.05, 0.05)):
        limit = rows.limit.copy()
        limit[m] += h
        cost = oracle.solve_lp(problem, rows._replace(limit=limit)).objective
        assert cost >= s.objective - s.price_row[m] * h - ATOL * (1.0 + abs(s.objective)), m


def written_out(problem, rows):
    """Cost of the window by scipy, its constraints written one by one from the statement."""
    unit, box, ramp, store = problem.units, problem.boxes, problem.ramps, problem.stores
    n, products = problem.need.shape
    at, cost, bounds = {}, [], []

    def new(name, c, lo, hi):
        at[name] = len(cost)
        cost.append(c)
        bounds.append((lo, hi))

    for t in range(n):
        for i in range(unit.bus.size):
            new(("u", t, i), unit.cost[i], 0.0, unit.avail[t, i])
            new(("v", t, i), unit.start_cost[i], 0.0, None)
        for k in range(unit.seg_unit.size):
            new(("q", t, k), unit.seg_cost[k], 0.0, None)
        for j in range(box.bus.size):
            new(("x", t, j), box.cost[t, j], box.lo[t, j], box.hi[t, j])
        for r in range(ramp.bus.size):
            new(("p", t, r), 0.0, None, None)
        for k in range(ramp.seg_ramp.size):
            new(("g", t, k), ramp.seg_cost[t, k], 0.0, ramp.seg_width[t, k])
        for s in range(store.bus.size):
            new(("c", t, s), store.charge_cost[s], store.charge_min[t, s], store.charge_max[t, s])
            new(("d", t, s), store.discharge_cost[s], store.discharge_min[t, s], store.discharge_max[t, s])
            new(("y", t, s), 0.0, 0.0, store.spill_max[t, s])
            new(("e", t, s), -store.end_value[s] * (t == n - 1), store.e_lo[t, s], store.e_hi[t, s])
    for m in range(rows.hour.size):
        new(("o", m), rows.cost[m], 0.0, None)
    equal, less = [], []  # (terms, right-hand side)
    for t in range(n):
        group = range(unit.bus.size), range(unit.seg_unit.size), range(box.bus.size)
        supply = [(("u", t, i), unit.coef[i, 0], unit.bus[i]) for i in group[0]]
        supply += [(("q", t, k), 1.0, unit.bus[unit.seg_unit[k]]) for k in group[1]]
        supply += [(("p", t, r), 1.0, ramp.bus[r]) for r in range(ramp.bus.size)]
        supply += [(("d", t, s), 1.0, store.bus[s]) for s in range(store.bus.size)]
        supply += [(("c", t, s), -1.0, store.bus[s]) for s in range(store.bus.size)]
        terms = [(name, a) for name, a, _ in supply] + [(("x", t, j), box.coef[j, 0]) for j in group[2]]
        equal.append((terms, problem.need[t, 0]))
        for product in range(1, products):
            offers = [(("u", t, i), unit.coef[i, product]) for i in group[0]]
            offers += [(("q", t, k), unit.seg_coef[k, product]) for k in group[1]]
            offers += [(("x", t, j), box.coef[j, product]) for j in group[2]]
            offers += [(("g", t, k), ramp.seg_coef[k, product]) for k in range(ramp.seg_ramp.size)]
            less.append(([(name, -a) for name, a in offers], -problem.need[t, product]))
        for k in group[1]:
            less.append(([(("q", t, k), 1.0), (("u", t, unit.seg_unit[k]), -unit.seg_width[k])], 0.0))
        for i in group[0]:
            past = [(("u", t - 1, i), -1.0)] if t else []
            less.append(([(("u", t, i), 1.0), (("v", t, i), -1.0), *past], 0.0 if t else unit.on0[i]))
        for r in range(ramp.bus.size):
            segments = [(("g", t, k), -1.0) for k in np.flatnonzero(ramp.seg_ramp == r)]
            equal.append(([(("p", t, r), 1.0), *segments], ramp.base[t, r]))
            past, p0 = ([(("p", t - 1, r), -1.0)], 0.0) if t else ([], ramp.p0[r])
            rise = [(("p", t, r), 1.0), *past]
            less += [(rise, ramp.up[t, r] + p0), ([(name, -a) for name, a in rise], ramp.down[t, r] - p0)]
        for s in range(store.bus.size):
            past, e0 = ([(("e", t - 1, s), -store.keep[s])], 0.0) if t else ([], store.keep[s] * store.e0[s])
            flows = [(("c", t, s), -store.eta_c[s]), (("d", t, s), 1.0 / store.eta_d[s]), (("y", t, s), 1.0)]
            equal.append(([(("e", t, s), 1.0), *past, *flows], e0 + store.inflow[t, s]))
        for m in np.flatnonzero(rows.hour == t):
            terms = [(name, a * rows.coef[m, bus]) for name, a, bus in supply]
            terms += [(("x", t, j), box.line[j] * rows.coef[m, box.bus[j]]) for j in group[2]]
            less.append(([*terms, (("o", m), -1.0)], rows.limit[m]))

    def dense(lines):
        matrix = np.zeros((len(lines), len(cost)))
        for row, (terms, _) in enumerate(lines):
            for name, a in terms:
                matrix[row, at[name]] += a
        return matrix, [side for _, side in lines]

    (a_ub, b_ub), (a_eq, b_eq) = dense(less), dense(equal)
    found = linprog(cost, A_ub=a_ub, b_ub=b_ub, A_eq=a_eq, b_eq=b_eq, bounds=bounds, method="highs-ds")
    assert found.status == 0, found.message
    return found.fun


@pytest.mark.parametrize("seed", range(100, 115))
def test_agrees_with_the_statement_written_out(seed):
    problem, rows = random_problem(seed, T=7)
    assert_allclose(oracle.solve_lp(problem, rows).objective, written_out(problem, rows), rtol=1e-7, atol=1e-7)


def whole(problem):
    return problem._replace(units=problem.units._replace(on0=np.rint(problem.units.on0)))


@pytest.mark.parametrize("seed", range(12))
def test_whole_units_are_never_cheaper(seed):
    drawn, rows = random_problem(seed, T=10, rows=5)
    problem = whole(drawn)
    past = history(seed, problem)
    s, bound = oracle.solve_milp(problem, rows, **past._asdict())
    relaxed = oracle.solve_lp(problem, rows)
    scale = 1.0 + abs(s.objective)
    assert violation(problem, rows, s) < 1e-7
    assert relaxed.objective <= bound + 1e-7 * scale
    assert bound <= s.objective + 1e-7 * scale
    assert s.objective - bound <= 1.1e-4 * scale
    assert_allclose(s.u, np.rint(s.u), atol=0)


def test_best_of_all_schedules():
    """Two single units, four hours: 256 on/off patterns, each priced by its own LP."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        n, min_up, min_down = 4, rng.integers(1, 4, 2), rng.integers(1, 4, 2)
        groups = [
            {"p_min": 0.4, "width": 0.4, "seg_cost": c, "cost": 0.4 * c, "start_cost": rng.uniform(1, 10), "on0": on0}
            for c, on0 in zip(rng.uniform(5, 30, 2), (0.0, 1.0), strict=True)
        ]
        shed, spill = {"cost": 60.0}, {"bal": -1.0, "line": -1.0, "cost": 5.0}
        problem = window(rng.uniform(0.2, 1.5, n), units(n, *groups), boxes(n, shed, spill))
        best = np.inf
        for pattern in itertools.product((0, 1), repeat=2 * n):
            on = np.array(pattern, dtype=float).reshape(n, 2)
            if all(keeps_minimum_times(on[:, i], groups[i]["on0"], min_up[i], min_down[i]) for i in range(2)):
                best = min(best, oracle.solve_lp(problem, on=on).objective)
        s, bound = oracle.solve_milp(problem, min_up_h=min_up, min_down_h=min_down, gap=1e-9)
        assert_allclose([s.objective, bound], best, rtol=1e-7)


def given_units(n, on, groups, limits):
    """Single units whose schedule is given, as ramped devices: what they may do in each hour is plain to see."""
    each = []
    for i, group in enumerate(groups):
        runs, before = on[:, i] > 0, np.append(group["on0"], on[:-1, i]) > 0
        up = np.where(before, limits.ramp_up[i], limits.start_ramp[i])
        down = np.where(runs, limits.ramp_down[i], limits.stop_ramp[i])
        up[~runs], down[~before] = 0.0, 0.0  # it falls, or is and stays off
        p0 = limits.p0[i] if group["on0"] else 0.0
        if np.isnan(p0):  # not known: any change into the first hour
            p0, up[0], down[0] = 0.0, np.inf, np.inf
        width, cost = [group["width"] * runs], [group["seg_cost"]]
        each.append({"base": group["p_min"] * runs, "up": up, "down": down, "p0": p0})
        each[-1] |= {"width": width, "seg_cost": cost}
    return ramps(n, *each)


def cost_of_starts(on, groups, starts):
    """Units' costs while on at their minimum, and starts by the hours they were off; off for long before the window."""
    total = 0.0
    for i, group in enumerate(groups):
        off = 0 if group["on0"] else 1000
        for runs in on[:, i] > 0:
            if runs and off:
                fits = [c for lag, c in zip(starts.lag_h[i], starts.cost[i], strict=True) if lag <= off]
                total += fits[-1] if fits else starts.cost[i][0]
            off = 0 if runs else off + 1
            total += group["cost"] * runs
    return total


def limits_drawn(rng, p_min, width, on0):
    """Limits of single units, none in some places; their output before the window."""
    count = p_min.size
    ramp = width * rng.uniform(0.2, 0.9, (2, count))
    edge = p_min + width * rng.uniform(0.0, 0.7, (2, count))
    p0 = on0 * (p_min + width * rng.uniform(0.0, 1.0, count))
    drawn = OutputLimits(*np.where(rng.random((4, count)) < 0.3, np.inf, np.vstack([ramp, edge])), p0)
    return drawn._replace(p0=np.where(rng.random(count) < 0.2, np.nan, p0))


@pytest.mark.parametrize("seed", range(40))
def test_every_schedule_of_a_unit_costs_what_its_limits_leave(seed):
    """One unit, five hours of random prices: all 32 schedules, of which limits of output may forbid some."""
    rng = np.random.default_rng(seed)
    n, (min_up, min_down) = 5, rng.integers(1, 3, 2)
    group = {"p_min": 0.4, "width": 0.6, "seg_cost": 10.0, "cost": 4.0, "on0": float(rng.integers(2))}
    on0 = np.array([group["on0"]])
    limits = limits_drawn(rng, np.array([0.4]), np.array([0.6]), on0)
    starts = StartCosts(np.array([[1, 2, 4]]), np.sort(rng.uniform(0.5, 12.0, (1, 3)), axis=1))
    market = boxes(n, {"lo": -10.0, "cost": rng.uniform(-20.0, 40.0, n)})
    problem = window(np.zeros(n), units(n, group), market)
    past = complete(problem, np.array([min_up]), np.array([min_down]), None, None, longest_lag_h=4)
    model = add_start_costs(add_whole_units(build(problem), problem, past), problem, past, starts)
    found = allowed_counts(add_limits(model, problem, past, limits), [1] * n)
    for pattern in itertools.product((0, 1), repeat=n):
        on = np.array(pattern, dtype=float)[:, None]
        want = np.inf
        if keeps_minimum_times(on[:, 0], on0[0], min_up, min_down):
            with contextlib.suppress(WindowError):  # no output keeps the limits of this schedule
                given = window(np.zeros(n), box=market, ramp=given_units(n, on, [group], limits))
                want = oracle.solve_lp(given).objective + cost_of_starts(on, [group], starts)
        assert found.get(pattern, np.inf) == pytest.approx(want, abs=1e-7), pattern


@pytest.mark.parametrize("seed", range(4))
def test_best_of_all_schedules_with_start_costs_by_time_off_and_limits(seed):
    """Two single units, five hours: every schedule priced by its own LP, its units written as ramped devices."""
    rng = np.random.default_rng(seed)
    n, min_up, min_down = 5, rng.integers(1, 4, 2), rng.integers(1, 3, 2)
    p_min, width = rng.uniform(0.2, 0.5, 2), rng.uniform(0.3, 0.8, 2)
    groups = [
        {"p_min": p_min[i], "width": width[i], "seg_cost": c, "cost": p_min[i] * c, "on0": float(rng.integers(2))}
        for i, c in enumerate(rng.uniform(5, 20, 2))
    ]
    on0 = np.array([group["on0"] for group in groups])
    limits = limits_drawn(rng, p_min, width, on0)
    starts = StartCosts(np.array([[1, 3, 4], [2, 3, 3]]), np.sort(rng.uniform(0.5, 12.0, (2, 3)), axis=1))
    starts.cost[1, 2] = starts.cost[1, 1]
    slacks = boxes(n, {"cost": 60.0}, {"bal": -1.0, "line": -1.0, "cost": 5.0})
    demand = rng.uniform(0.0, 1.6, n)
    best = np.inf
    for pattern in itertools.product((0, 1), repeat=2 * n):
        on = np.array(pattern, dtype=float).reshape(n, 2)
        if all(keeps_minimum_times(on[:, i], on0[i], min_up[i], min_down[i]) for i in range(2)):
            given = window(demand, box=slacks, ramp=given_units(n, on, groups, limits))
            fixed = cost_of_starts(on, groups, starts)
            if fixed < best:  # what is left to pay is not negative
                with contextlib.suppress(WindowError):  # no output keeps the limits of this schedule
                    best = min(best, fixed + oracle.solve_lp(given).objective)
    problem = window(demand, units(n, *groups), slacks)
    s, bound = oracle.solve_milp(problem, min_up_h=min_up, min_down_h=min_down, gap=1e-9, starts=starts, limits=limits)
    assert_allclose([s.objective, bound], best, rtol=1e-7)
    assert violation(problem, Rows(np.zeros(0, int), np.zeros((0, 1)), np.zeros(0), np.zeros(0)), s) < 1e-7


def keeps_minimum_times(on, on0, min_up, min_down):
    """Whether one unit, long in state on0, holds every new state long enough; the window's end cuts the last."""
    changes = np.flatnonzero(np.diff(on, prepend=on0))
    for k, t in enumerate(changes):
        end = changes[k + 1] if k + 1 < changes.size else np.inf
        if end - t < (min_up if on[t] else min_down):
            return False
    return True


def reachable_counts(avail, on_hours, off_hours, min_up, min_down, start_cost=lambda hours: 0.0):
    """Every sequence of on-counts that single units with minimum times and planned outages can make; its least cost.

    A unit is ("on" | "off" | "out", hours it owes, hours off). An outage takes any unit; who returns is free to start.
    """
    last = len(on_hours) - 1
    before = [("on", max(min_up - k - 1, 0), 0) for k, many in enumerate(on_hours) for _ in range(many)]
    for k, many in enumerate(off_hours):
        before += [("off", max(min_down - k - 1, 0), k + 1 if k < last else LONG)] * many
    before += [("out", 0, LONG)] * (max(*avail, len(before)) - len(before))
    reached = {((), tuple(sorted(before))): 0.0}
    for free in avail:
        after = {}
        for (counts, state), paid in reached.items():
            out = [i for i, (kind, _, _) in enumerate(state) if kind == "out"]
            rest = [i for i in range(len(state)) if i not in out]
            change = len(state) - free - len(out)
            for chosen in itertools.combinations(rest if change > 0 else out, abs(change)):
                choices = []
                for i, (kind, owes, off) in enumerate(state):
                    left, longer = max(owes - 1, 0), min(off + 1, LONG)
                    if (kind == "out") != (i in chosen):
                        choices.append([("out", 0, longer)])
                    elif kind == "out":
                        choices.append([("off", 0, longer), ("on", min_up - 1, 0)])
                    elif kind == "on":
                        choices.append([("on", left, 0)] + [("off", min_down - 1, 1)] * (owes == 0))
                    else:
                        choices.append([("off", left, longer)] + [("on", min_up - 1, 0)] * (owes == 0))
                for new in itertools.product(*choices):
                    key = (*counts, sum(kind == "on" for kind, _, _ in new)), tuple(sorted(new))
                    started = [off for (kind, _, off), now in zip(state, new, strict=True) if kind != now[0] == "on"]
                    cost = paid + sum(start_cost(off) for off in started)
                    after[key] = min(cost, after.get(key, np.inf))
        reached = after
    least = {}
    for (counts, _), cost in reached.items():
        least[counts] = min(cost, least.get(counts, np.inf))
    return least


def group_drawn(rng, n, longest, *, steady):
    """One group of up to three units with minimum times and a past; `steady`: no outage takes any."""
    min_up, min_down = rng.integers(1, longest + 1, 2)
    on_hours, off_hours = np.zeros((2, 1, longest), np.int64)
    for past in (on_hours, off_hours):
        np.add.at(past[0], rng.integers(0, longest, rng.integers(0, 3)), 1)
    avail = np.full(n, max(on_hours.sum() + off_hours.sum(), 1)) if steady else rng.integers(1, 4, n)
    group = {"p_min": 0.0, "width": 1.0, "seg_cost": 1.0, "avail": avail, "on0": on_hours.sum()}
    past = Commitment(np.array([min_up]), np.array([min_down]), on_hours, off_hours)
    return avail, window(np.zeros(n), units(n, group), boxes(n, {"lo": -10.0})), past


def allowed_counts(model, avail):
    """Every sequence of on-counts that a mixed-integer program allows, with its least cost."""
    highs = oracle.load(model, whole=True)
    at, least = model.columns["u"].ravel().astype(np.int32), {}
    for counts in itertools.product(*(range(a + 1) for a in avail)):
        highs.changeColsBounds(at.size, at, np.array(counts, float), np.array(counts, float))
        highs.run()
        if highs.modelStatusToString(highs.getModelStatus()) == "Optimal":
            least[counts] = highs.getObjectiveValue()
    return least


@pytest.mark.parametrize("seed", range(30))
def test_group_rules_allow_what_single_units_can_do(seed):
    """Every count sequence of up to three units over four hours, outages and a young past included."""
    avail, problem, past = group_drawn(np.random.default_rng(seed), 4, 3, steady=False)
    model = add_whole_units(build(problem), problem, past)
    times = int(past.min_up_h[0]), int(past.min_down_h[0])
    reachable = reachable_counts(avail.tolist(), past.on_hours[0], past.off_hours[0], *times)
    assert set(allowed_counts(model, avail)) == set(reachable)


def costs_of_counts(seed, *, steady):
    """Least start costs of every count sequence of a group: of the program, and of single units."""
    rng = np.random.default_rng(seed)
    avail, problem, past = group_drawn(rng, 4, 4, steady=steady)
    starts = StartCosts(np.sort(rng.integers(1, 5, (1, 3)), axis=1), np.sort(rng.uniform(1.0, 9.0, (1, 3)), axis=1))

    def start_cost(hours):
        fits = starts.cost[0][starts.lag_h[0] <= hours]
        return fits[-1] if fits.size else starts.cost[0, 0]

    model = add_start_costs(add_whole_units(build(problem), problem, past), problem, past, starts)
    times = int(past.min_up_h[0]), int(past.min_down_h[0])
    want = reachable_counts(avail.tolist(), past.on_hours[0], past.off_hours[0], *times, start_cost)
    found = allowed_counts(model, avail)
    assert set(found) == set(want)
    return np.array([found[counts] for counts in want]), np.array(list(want.values()))


@pytest.mark.parametrize("seed", range(12))
def test_starts_cost_what_the_best_choice_of_units_costs(seed):
    """Which of the units off starts is not written in the counts."""
    found, want = costs_of_counts(seed, steady=True)
    assert_allclose(found, want, atol=1e-7)


def test_with_outages_starts_seldom_cost_less_than_single_units_could_do():
    """Which unit is out is left open hour by hour: never dearer, and the same in 98 of 100 sequences."""
    both = [costs_of_counts(seed, steady=False) for seed in range(60)]
    found, want = (np.concatenate(part) for part in zip(*both, strict=True))
    assert (found <= want + 1e-7).all()
    assert (found >= want - 1e-7).mean() > 0.98


@pytest.mark.parametrize("seed", range(8))
def test_a_group_is_never_dearer_than_its_single_units(seed):
    """Limits of output hold for the sum of units of a group: what single units can do, the group can."""
    rng = np.random.default_rng(seed)
    n, count, p_min, width = 8, 3, 0.3, 0.5
    one = {"p_min": p_min, "width": width, "seg_cost": 10.0, "cost": 3.0}
    slacks = boxes(n, {"cost": 40.0}, {"bal": -1.0, "line": -1.0, "cost": 5.0})
    demand = rng.uniform(0.0, 2.4, n)
    on0, ramp = int(rng.integers(0, count + 1)), width * rng.uniform(0.2, 0.6)
    edge, times = p_min + width * rng.uniform(0.0, 0.5), rng.integers(1, 4, 2)
    each = np.array([1.0] * on0 + [0.0] * (count - on0))
    p0 = each * (p_min + width * rng.uniform(0.0, 1.0))
    cost = np.sort(rng.uniform(1.0, 6.0, (1, 3)), axis=1)

    def solved(groups, before):
        many = np.ones(len(groups))
        limits = OutputLimits(ramp * many, 0.8 * ramp * many, edge * many, edge * many, before)
        starts = StartCosts(np.tile([1, 3, 5], (len(groups), 1)), np.tile(cost, (len(groups), 1)))
        up, down = (np.full(len(groups), time) for time in times)
        problem = window(demand, units(n, *groups), slacks)
        return oracle.solve_milp(problem, min_up_h=up, min_down_h=down, gap=1e-9, starts=starts, limits=limits)

    apart, _ = solved([one | {"on0": on} for on in each], p0)
    s, bound = solved([one | {"on0": float(on0), "avail": float(count)}], np.array([p0.sum()]))
    assert bound <= apart.objective + 1e-6
    assert s.objective <= apart.objective + 1e-6


def test_same_arrays_same_bytes():
    problem, rows = random_problem(5, T=24, rows=10)
    first, second = oracle.solve_lp(problem, rows), oracle.solve_lp(problem, rows)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_province_is_solved():
    problem, rows = jiangsu_like(1, T=12, rows=40)
    s = oracle.solve_lp(problem, rows)
    assert violation(problem, rows, s) < ATOL
    assert abs(s.objective - s.bound) < ATOL * s.objective
    assert (s.price_row > 1e-6).any()


def test_says_when_there_is_no_solution():
    with pytest.raises(WindowError, match=r"window of 1 h .* Infeasible"):
        oracle.solve_lp(window([3.0], units(1, CHEAP)))


def test_refuses_arrays_that_contradict_each_other():
    problem, rows = random_problem(0, T=6, rows=4)
    need = problem.need.copy()
    need[-1, 0] = np.nan
    bad = problem._replace(need=need, stores=problem.stores._replace(inflow=np.zeros(3)))
    with pytest.raises(InputError) as caught:
        oracle.solve_lp(bad, rows)
    assert [found.where for found in caught.value.problems] == ["need", "stores.inflow"]
    crossed = problem._replace(boxes=problem.boxes._replace(hi=problem.boxes.lo - 1.0))
    with pytest.raises(InputError, match=r"boxes.hi must not be less"):
        oracle.solve_lp(crossed, rows)
    with pytest.raises(InputError, match=r"on must lie in 0..avail"):
        oracle.solve_lp(problem, rows, on=problem.units.avail + 1.0)
    with pytest.raises(InputError, match=r"min_up_h must be at least 1 h"):
        oracle.solve_milp(whole(problem), rows, min_up_h=np.zeros(3, int), min_down_h=np.ones(3, int))
