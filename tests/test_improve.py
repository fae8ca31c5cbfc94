"""The search in a window: its bound against branch and bound, what stands beside its units against HiGHS."""

from types import SimpleNamespace

import numpy as np
import pytest
from problems import random_problem
from reference import INTERPRETED
from tiny_grid import tiny_grid, write_grid
from windows import as_solved, with_free_schedules

from gridsim import oracle
from gridsim.assemble import assemble
from gridsim.improve import better, counts, members
from gridsim.kernels.rest import Rest
from gridsim.plan import Planner
from gridsim.plan_milp import histories

HOURS = 24


def drawn(seed, folder):
    """A planner of the tiny grid with single units, whose load, costs and minimum times are drawn."""
    rng = np.random.default_rng(seed)
    net = tiny_grid(tight=seed % 2 == 1)
    net.gen["units"], net.gen["profile"] = 1, ""
    net.gen["min_up_h"], net.gen["min_down_h"] = rng.integers(1, 9, (2, 3))
    net.gen["start_cost"] = rng.uniform(1e3, 2e4, 3)
    net.gen["no_load_cost"] = rng.uniform(0.0, 6e3, 3)
    return Planner(assemble(write_grid(folder, net, load=rng.uniform(0.7, 1.1), horizon={"hours": HOURS})))


def relaxed_window(planner, state):
    """Problem, injections, constant, the relaxed window with all its rows, and these rows."""
    problem, injected, constant = planner.problem(0, HOURS, state, None)
    relaxed = planner.settle(problem, injected, state.rows.take(slice(0)), None)
    return problem, constant, relaxed, planner.rows(relaxed.keys, injected)


@pytest.mark.skipif(INTERPRETED, reason="too slow without the compiler")
@pytest.mark.parametrize("seed", range(6))
def test_bound_and_cost_enclose_the_optimum(seed, tmp_path):
    planner = drawn(seed, tmp_path)
    state = planner.first_state()
    problem, constant, relaxed, rows = relaxed_window(planner, state)
    on = planner.case.unit_available[:HOURS].copy()
    before = on[0].copy()
    before[planner.free] = np.add.reduceat(state.unit_on, planner.first_unit[:-1])
    begun = np.maximum(np.diff(on, axis=0, prepend=before[None]), 0)
    injected = planner.problem(0, HOURS, state, None)[1]

    def fix(on, begun, _cheapest):
        return planner._fix(0, HOURS, state, on, begun, relaxed.near, relaxed.snapshot, state.products)

    priced = planner.budgeting.priced(problem, planner.budgeting.keys(0, HOURS, state.budgets), np.zeros(0))
    found = better(
        planner, 0, state, priced, relaxed, rows, injected, fix, first=fix(on, begun, None), effort="fast",
        target_gap=0.0, constant=constant,
    )  # fmt: skip
    table = planner.case.units.iloc[planner.free]
    up, down = (np.maximum(table[f"min_{way}_h"].to_numpy(np.int64), 1) for way in ("up", "down"))
    past = state.unit_on, state.unit_hours, state.unit_out, planner.first_unit
    on_hours, off_hours = histories(*past, int(max(up.max(), down.max())))
    exact, proven = oracle.solve_milp(
        problem, rows, min_up_h=up, min_down_h=down, gap=1e-7, on_hours=on_hours, off_hours=off_hours
    )
    tiny = 1e-6 * abs(exact.objective)
    bound = (found.bound - constant) / planner.money
    assert bound <= exact.objective + tiny
    assert bound >= relaxed.solution.bound - 0.01 * abs(exact.objective)  # it starts from that window's prices
    assert (found.best.cost - constant) / planner.money >= proven - tiny
    assert found.tally[1] >= 1


def test_no_search_where_a_bound_would_have_to_name_a_unit(tmp_path):
    """Three units of which an outage takes one in the middle of the window: which one is open."""
    planner = Planner(assemble(write_grid(tmp_path, tiny_grid(), horizon={"hours": 48})))
    state = planner.first_state()
    assert members(planner, 0, HOURS, state, 1) is None  # the outage begins in hour 20
    who = members(planner, 0, 12, state, 1)
    assert who.row.tolist() == [0, 0, 0, 1, 1]  # not the must-run plant
    assert all(field.flags.c_contiguous and field.flags.writeable for field in who.units)  # else kernels compile again


def test_a_must_run_unit_that_comes_back_starts():
    """Two searched units and a must-run row of two, one of which is back in the third hour; all four count."""
    who = SimpleNamespace(units=SimpleNamespace(on0=np.array([True, False])), row=np.array([0, 0]))
    on = np.array([[True, False], [True, True], [False, True]])
    avail = np.array([[2, 1], [2, 1], [2, 2]])
    count, started = counts(who, on, avail, np.array([2, 2]), np.array([1]))
    assert count.tolist() == [[1, 1], [2, 1], [1, 2]]
    assert started.tolist() == [[0, 0], [1, 0], [0, 1]]


def without_units(seed):
    """A random window that has no units, two reserve products, and HiGHS's answer to it."""
    problem, rows = random_problem(seed, T=10, R=3, units=0)
    problem = as_solved(with_free_schedules(problem))
    return problem, rows, oracle.solve_lp(problem, rows)


def system_value(rest, prices):
    value, given = rest(prices)
    return value + prices @ rest.need, given


@pytest.mark.parametrize("seed", range(24))
def test_rest_at_the_best_prices_is_the_optimum(seed):
    problem, rows, best = without_units(seed)
    rest = Rest(problem, rows, best, np.array([1, 2]))
    value, _ = system_value(rest, rest.prices(best))
    assert value == pytest.approx(best.objective, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", range(24))
def test_rest_at_other_prices_is_below_it_and_its_answer_is_a_slope(seed):
    problem, rows, best = without_units(seed)
    rest, rng = Rest(problem, rows, best, np.array([2, 1])), np.random.default_rng(seed)
    prices = [rest.prices(best) * rng.uniform(0.5, 1.0, rest.need.size) for _ in range(4)]
    tiny = 1e-6 * max(1.0, abs(best.objective))
    values = [system_value(rest, pi) for pi in prices]
    for pi, (value, given) in zip(prices, values, strict=True):
        assert value <= best.objective + tiny
        for other_pi, (other, _) in zip(prices, values, strict=True):
            slope = (other_pi - pi) @ (rest.need - given)
            assert other <= value + slope + tiny * (1.0 + abs(slope))
