"""The oracle against closed forms, an LP written a second time by hand, and every schedule there is."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from problems import cost_of, history, jiangsu_like, random_problem, violation
from scipy.optimize import linprog

from gridsim import oracle
from gridsim.errors import InputError, WindowError
from gridsim.kernels.problem import Boxes, Problem, Ramps, Rows, Stores, Units
from gridsim.oracle_commitment import Commitment, add_whole_units
from gridsim.oracle_matrix import build

ATOL = 1e-8  # HiGHS is asked for 1e-9


def units(n, *groups):
    """Groups with one segment each: (p_min, width, segment cost), further fields by name."""
    base = {"bus": 0, "cost": 0.0, "start_cost": 0.0, "on0": 0.0, "avail": 1.0, "up": 0.0, "down": 0.0}
    full = [base | group for group in groups]

    def of(name):
        return np.array([group[name] for group in full], dtype=float)

    avail = np.array([np.broadcast_to(group["avail"], n) for group in full], dtype=float).reshape(len(full), n).T
    return Units(
        bus=of("bus").astype(np.int64),
        p_min=of("p_min"),
        cost=of("cost"),
        start_cost=of("start_cost"),
        on0=of("on0"),
        avail=avail,
        up=of("up"),
        down=of("down"),
        seg_unit=np.arange(len(full)),
        seg_width=of("width"),
        seg_cost=of("seg_cost"),
    )


def boxes(n, *each):
    base = {"bus": 0, "lo": 0.0, "hi": 10.0, "cost": 0.0, "bal": 1.0, "up": 0.0, "down": 0.0, "line": 1.0}
    full = [base | box for box in each]
    hourly = {
        name: np.array([np.broadcast_to(box[name], n) for box in full], dtype=float).reshape(len(full), n).T
        for name in ("lo", "hi", "cost")
    }
    fixed = {name: np.array([box[name] for box in full], dtype=float) for name in ("bal", "up", "down", "line")}
    return Boxes(bus=np.array([box["bus"] for box in full], dtype=np.int64), **hourly, **fixed)


def window(demand, unit=None, box=None, *, ramp=None, store=None, reserve_up=0.0, reserve_down=0.0):
    demand = np.array(demand, dtype=float)
    n = demand.size
    none, hourly, index = np.zeros(0), np.zeros((n, 0)), np.zeros(0, np.int64)
    return Problem(
        demand,
        np.broadcast_to(float(reserve_up), n).copy(),
        np.broadcast_to(float(reserve_down), n).copy(),
        units(n) if unit is None else unit,
        boxes(n) if box is None else box,
        Ramps(index, hourly, hourly, hourly, none, none) if ramp is None else ramp,
        Stores(index, hourly, hourly, none, none, none, none, none, none, hourly, hourly, none)
        if store is None
        else store,
    )


def one_store(n, *, e0=0.0, end_value=0.0, keep=1.0):
    one, zero, by_hour, eta = np.ones(1), np.zeros(1), np.ones((n, 1)), np.full(1, 0.9)
    powers = (by_hour, by_hour, zero, zero, eta, eta)
    return Stores(np.zeros(1, np.int64), *powers, keep * one, e0 * one, 0 * by_hour, 5 * by_hour, end_value * one)


CHEAP = {"p_min": 0.0, "width": 1.0, "seg_cost": 10.0}
DEAR = {"p_min": 0.0, "width": 1.0, "seg_cost": 30.0}


def test_merit_order_sets_the_price():
    s = oracle.solve_lp(window([0.5, 1.5, 2.5], units(3, CHEAP, DEAR), boxes(3, {"cost": 100.0})))
    assert_allclose(s.price, [10.0, 30.0, 100.0], atol=ATOL)
    assert_allclose(s.q, [[0.5, 0.0], [1.0, 0.5], [1.0, 1.0]], atol=ATOL)
    assert_allclose([s.objective, s.bound], 5.0 + 25.0 + 90.0, atol=ATOL)


def test_spill_makes_the_price_negative():
    wind_in, spill = {"lo": 2.0, "hi": 2.0}, {"bal": -1.0, "line": -1.0, "cost": 3.0}
    s = oracle.solve_lp(window([1.5], box=boxes(1, wind_in, spill)))
    assert_allclose(s.x, [[2.0, 0.5]], atol=ATOL)
    assert_allclose(s.price, -3.0, atol=ATOL)


def test_store_earns_the_spread_less_its_losses():
    s = oracle.solve_lp(window([1.0, 1.0], box=boxes(2, {"cost": [1.0, 10.0]}), store=one_store(2)))
    assert_allclose(s.charge[:, 0], [1.0, 0.0], atol=ATOL)
    assert_allclose(s.discharge[:, 0], [0.0, 0.81], atol=ATOL)
    assert_allclose(s.e[:, 0], [0.9, 0.0], atol=ATOL)
    assert_allclose(s.objective, 2.0 * 1.0 + 0.19 * 10.0, atol=ATOL)


def test_store_keeps_what_the_future_pays_for():
    """A stored unit is worth 20 at the end, 0.9 x 10 now; standing costs it a tenth per hour."""
    dear_end = one_store(2, e0=1.0, end_value=20.0, keep=0.9)
    s = oracle.solve_lp(window([1.0, 1.0], box=boxes(2, {"cost": 30.0}), store=dear_end))
    assert_allclose(s.discharge[:, 0], [0.81, 0.0], atol=ATOL)  # 0.9 x 30 beats 0.9 x 20
    s = oracle.solve_lp(window([1.0, 1.0], box=boxes(2, {"cost": 10.0}), store=dear_end))
    assert_allclose(s.e[:, 0], [0.9 + 0.9, 0.81 + 0.81 + 0.9], atol=ATOL)  # charging 1.0 costs 10, earns 16.2, 18
    assert_allclose(s.objective, 4.0 * 10.0 - 20.0 * 2.52, atol=ATOL)


def test_reserve_has_the_price_of_the_unit_it_holds_back():
    unit = units(1, CHEAP | {"up": 1.0}, DEAR)
    s = oracle.solve_lp(window([0.9], unit, reserve_up=0.3))
    assert_allclose(s.q, [[0.7, 0.2]], atol=ATOL)
    assert_allclose([s.price[0], s.price_up[0], s.price_down[0]], [30.0, 20.0, 0.0], atol=ATOL)
    unit = units(1, CHEAP, DEAR | {"down": 1.0})
    s = oracle.solve_lp(window([0.9], unit, reserve_down=0.3))
    assert_allclose(s.q, [[0.6, 0.3]], atol=ATOL)
    assert_allclose([s.price[0], s.price_up[0], s.price_down[0]], [10.0, 0.0, 20.0], atol=ATOL)


def test_headroom_of_a_box_counts_with_its_constant_moved():
    """Wind 0.8 may be held back to serve a reserve of 0.5: 0.5 - 0.8 stands on the right."""
    box = boxes(1, {"hi": 0.8, "up": -1.0}, {"cost": 10.0}, {"bal": 0.0, "up": 1.0, "line": 0.0, "cost": 4.0})
    s = oracle.solve_lp(window([1.0], box=box, reserve_up=0.5 - 0.8))
    assert_allclose(s.x, [[0.8, 0.2, 0.5]], atol=ATOL)  # a shortfall at 4 is cheaper than energy at 10
    assert_allclose(s.price_up, 4.0, atol=ATOL)


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
    assert_allclose(s.price[0] - s.price_row[0], 10.0, atol=ATOL)  # price at bus 0


def test_ramp_limits_from_the_hour_before():
    by_hour = np.ones((3, 1))
    ramp = Ramps(np.zeros(1, np.int64), 0.0 * by_hour, by_hour, 5.0 * by_hour, np.array([0.2]), np.array([0.0]))
    s = oracle.solve_lp(window([1.0, 1.0, 1.0], box=boxes(3, {"cost": 50.0}), ramp=ramp))
    assert_allclose(s.p[:, 0], [0.2, 0.4, 0.6], atol=ATOL)
    assert_allclose(s.objective, 5.0 * 1.2 + 50.0 * 1.8, atol=ATOL)


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
    assert_allclose(s.price, 100.0)


@pytest.mark.parametrize("seed", range(40))
def test_solution_keeps_every_rule_and_closes_the_gap(seed):
    problem, rows = random_problem(seed)
    s = oracle.solve_lp(problem, rows)
    scale = 1.0 + abs(s.objective)
    assert violation(problem, rows, s) < ATOL
    assert abs(cost_of(problem, rows, s) - s.objective) < ATOL * scale
    assert abs(s.objective - s.bound) < ATOL * scale
    for price in (s.price_up, s.price_down, s.price_row):
        assert price.min(initial=0.0) > -ATOL


@pytest.mark.parametrize("seed", range(8))
def test_prices_are_subgradients(seed):
    """Cost is convex in every right-hand side: it never falls below the line that its price draws."""
    problem, rows = random_problem(seed, T=8, rows=8)
    s = oracle.solve_lp(problem, rows)
    rng = np.random.default_rng(seed)
    sides = {"demand": s.price, "reserve_up": s.price_up, "reserve_down": s.price_down}
    moved = [(name, t, h) for name in sides for t in rng.choice(8, 3, replace=False) for h in (-1e-2, 1e-3, 0.1)]
    for name, t, h in moved:
        side = getattr(problem, name).copy()
        side[t] += h
        try:
            cost = oracle.solve_lp(problem._replace(**{name: side}), rows).objective
        except WindowError:  # beyond the boxes that keep the window feasible: the cost is infinite
            continue
        assert cost >= s.objective + sides[name][t] * h - ATOL * (1.0 + abs(s.objective)), (name, t, h)
    for m, h in itertools.product(range(rows.hour.size), (-0.05, 0.05)):
        limit = rows.limit.copy()
        limit[m] += h
        cost = oracle.solve_lp(problem, rows._replace(limit=limit)).objective
        assert cost >= s.objective - s.price_row[m] * h - ATOL * (1.0 + abs(s.objective)), m


def written_out(problem, rows):
    """Cost of the window by scipy, its constraints written one by one from the statement."""
    unit, box, ramp, store = problem.units, problem.boxes, problem.ramps, problem.stores
    n = problem.demand.size
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
            new(("p", t, r), ramp.cost[t, r], ramp.lo[t, r], ramp.hi[t, r])
        for s in range(store.bus.size):
            new(("c", t, s), store.charge_cost[s], 0.0, store.charge_max[t, s])
            new(("d", t, s), store.discharge_cost[s], 0.0, store.discharge_max[t, s])
            new(("e", t, s), -store.end_value[s] * (t == n - 1), store.e_lo[t, s], store.e_hi[t, s])
    for m in range(rows.hour.size):
        new(("o", m), rows.cost[m], 0.0, None)
    equal, less = [], []  # (terms, right-hand side)
    for t in range(n):
        group = range(unit.bus.size), range(unit.seg_unit.size), range(box.bus.size)
        supply = [(("u", t, i), unit.p_min[i], unit.bus[i], 1.0) for i in group[0]]
        supply += [(("q", t, k), 1.0, unit.bus[unit.seg_unit[k]], 1.0) for k in group[1]]
        supply += [(("p", t, r), 1.0, ramp.bus[r], 1.0) for r in range(ramp.bus.size)]
        supply += [(("d", t, s), 1.0, store.bus[s], 1.0) for s in range(store.bus.size)]
        supply += [(("c", t, s), -1.0, store.bus[s], 1.0) for s in range(store.bus.size)]
        terms = [(name, a) for name, a, _, _ in supply] + [(("x", t, j), box.bal[j]) for j in group[2]]
        equal.append((terms, problem.demand[t]))
        up = [(("x", t, j), -box.up[j]) for j in group[2]]
        down = [(("x", t, j), -box.down[j]) for j in group[2]]
        for k in group[1]:
            i = unit.seg_unit[k]
            up += [(("u", t, i), -unit.up[i] * unit.seg_width[k]), (("q", t, k), unit.up[i])]
            down.append((("q", t, k), -unit.down[i]))
            less.append(([(("q", t, k), 1.0), (("u", t, i), -unit.seg_width[k])], 0.0))
        less += [(up, -problem.reserve_up[t]), (down, -problem.reserve_down[t])]
        for i in group[0]:
            past = [(("u", t - 1, i), -1.0)] if t else []
            less.append(([(("u", t, i), 1.0), (("v", t, i), -1.0), *past], 0.0 if t else unit.on0[i]))
        for r in range(ramp.bus.size):
            past, p0 = ([(("p", t - 1, r), -1.0)], 0.0) if t else ([], ramp.p0[r])
            rise = [(("p", t, r), 1.0), *past]
            less += [(rise, ramp.limit[r] + p0), ([(name, -a) for name, a in rise], ramp.limit[r] - p0)]
        for s in range(store.bus.size):
            past, e0 = ([(("e", t - 1, s), -store.keep[s])], 0.0) if t else ([], store.keep[s] * store.e0[s])
            flows = [(("c", t, s), -store.eta_c[s]), (("d", t, s), 1.0 / store.eta_d[s])]
            equal.append(([(("e", t, s), 1.0), *past, *flows], e0))
        for m in np.flatnonzero(rows.hour == t):
            terms = [(name, a * rows.coef[m, bus]) for name, a, bus, _ in supply]
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


def keeps_minimum_times(on, on0, min_up, min_down):
    """Whether one unit, long in state on0, holds every new state long enough; the window's end cuts the last."""
    changes = np.flatnonzero(np.diff(on, prepend=on0))
    for k, t in enumerate(changes):
        end = changes[k + 1] if k + 1 < changes.size else np.inf
        if end - t < (min_up if on[t] else min_down):
            return False
    return True


def reachable_counts(avail, on_hours, off_hours, min_up, min_down):
    """Every sequence of on-counts that single units with minimum times and planned outages can make.

    A unit is ("on" | "off", hours it owes) or ("out", 0). An outage takes any unit; who returns is free to start.
    """
    before = [("on", max(min_up - k - 1, 0)) for k, many in enumerate(on_hours) for _ in range(many)]
    before += [("off", max(min_down - k - 1, 0)) for k, many in enumerate(off_hours) for _ in range(many)]
    before += [("out", 0)] * (max(*avail, len(before)) - len(before))
    reached = {((), tuple(sorted(before)))}
    for free in avail:
        after = set()
        for counts, state in reached:
            out = [i for i, (kind, _) in enumerate(state) if kind == "out"]
            rest = [i for i in range(len(state)) if i not in out]
            change = len(state) - free - len(out)
            for chosen in itertools.combinations(rest if change > 0 else out, abs(change)):
                choices = []
                for i, (kind, owes) in enumerate(state):
                    left = max(owes - 1, 0)
                    if (kind == "out") != (i in chosen):
                        choices.append([("out", 0)])
                    elif kind == "out":
                        choices.append([("off", 0), ("on", min_up - 1)])
                    elif kind == "on":
                        choices.append([("on", left)] + [("off", min_down - 1)] * (owes == 0))
                    else:
                        choices.append([("off", left)] + [("on", min_up - 1)] * (owes == 0))
                for new in itertools.product(*choices):
                    after.add(((*counts, sum(kind == "on" for kind, _ in new)), tuple(sorted(new))))
        reached = after
    return {counts for counts, _ in reached}


@pytest.mark.parametrize("seed", range(30))
def test_group_rules_allow_what_single_units_can_do(seed):
    """Every count sequence of up to three units over four hours, outages and a young past included."""
    rng = np.random.default_rng(seed)
    n, longest = 4, 3
    avail = rng.integers(1, 4, n)
    min_up, min_down = rng.integers(1, longest + 1, 2)
    on_hours, off_hours = np.zeros((2, 1, longest), np.int64)
    for past in (on_hours, off_hours):
        np.add.at(past[0], rng.integers(0, longest, rng.integers(0, 3)), 1)
    group = {"p_min": 0.0, "width": 1.0, "seg_cost": 1.0, "avail": avail, "on0": on_hours.sum()}
    problem = window(np.zeros(n), units(n, group))
    past = Commitment(np.array([min_up]), np.array([min_down]), on_hours, off_hours)
    model = add_whole_units(build(problem), problem, past)
    highs = oracle.load(model, whole=True)
    at = model.columns["u"].ravel()
    allowed = set()
    for counts in itertools.product(*(range(a + 1) for a in avail)):
        highs.changeColsBounds(n, at.astype(np.int32), np.array(counts, float), np.array(counts, float))
        highs.run()
        if highs.modelStatusToString(highs.getModelStatus()) == "Optimal":
            allowed.add(counts)
    assert allowed == reachable_counts(avail.tolist(), on_hours[0], off_hours[0], int(min_up), int(min_down))


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
    bad = problem._replace(demand=np.append(problem.demand[:-1], np.nan), reserve_up=np.zeros(3))
    with pytest.raises(InputError) as caught:
        oracle.solve_lp(bad, rows)
    assert [found.where for found in caught.value.problems] == ["demand", "reserve_up"]
    crossed = problem._replace(boxes=problem.boxes._replace(hi=problem.boxes.lo - 1.0))
    with pytest.raises(InputError, match=r"boxes.hi must not be less"):
        oracle.solve_lp(crossed, rows)
    with pytest.raises(InputError, match=r"on must lie in 0..avail"):
        oracle.solve_lp(problem, rows, on=problem.units.avail + 1.0)
    with pytest.raises(InputError, match=r"min_up_h must be at least 1 h"):
        oracle.solve_milp(whole(problem), rows, min_up_h=np.zeros(3, int), min_down_h=np.ones(3, int))
