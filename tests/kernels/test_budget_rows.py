"""Budget rows of a window: against HiGHS, by hand, left out until they bind, their bound at any prices."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from problems import jiangsu_like, with_budgets
from windows import agrees, drawn, only_boxes, solved

from gridsim import oracle
from gridsim.kernels import layout, window
from gridsim.kernels.problem import Budgets, used


def limited(seed, **size):
    problem, rows = drawn(seed, **size)
    return with_budgets(seed, problem, oracle.solve_lp(problem, rows)), rows


def gas_and_oil(*, limit, cost=50.0, value=0.0, hours=(1.0, 1.0, 1.0, 0.0)):
    """Four hours of 3 MW from gas at 10 and oil at 16, 2 MW each; gas burns 2 a MWh under a budget."""
    problem = only_boxes([3.0] * 4, {"cost": 10.0, "hi": 2.0}, {"cost": 16.0, "hi": 3.0})
    none = np.zeros((1, 0))
    box = np.array([[2.0, 0.0]])
    each = (np.array([limit]), np.array([value]), np.array([cost]))
    return problem._replace(budgets=Budgets(np.array([hours]), none, none, box, none, *each))


def same_as_highs(problem, rows, **options):
    ours, outcome = window.solve(problem, rows, **options)
    if outcome.status != window.SOLVED:  # the start that a run would try next
        ours, outcome = window.solve(problem, rows, mu0=2.0, correctors=2)
    highs = oracle.solve_lp(problem, rows)
    agrees(problem, rows, ours, outcome, highs, breach=1.1e-6)  # one window of 52 iterations leaves 1.01e-6 of a ramp
    assert (ours.price_budget >= problem.budgets.value - 1e-9).all()
    assert (ours.price_budget <= problem.budgets.cost + 1e-9).all()
    return ours, highs


@pytest.mark.compiled
def test_agrees_with_highs():
    binding = valued = exceeded = 0
    for seed in range(120):
        problem, rows = limited(seed)
        ours, _ = same_as_highs(problem, rows)
        binding += int((ours.price_budget > problem.budgets.value + 1e-4).sum())
        valued += int((problem.budgets.value > 0).sum())
        exceeded += int((ours.excess > 1e-4).sum())
    assert min(binding, valued, exceeded) > 30


@pytest.mark.parametrize("seed", [5, 7, 11])
def test_a_short_window_agrees_with_highs(seed):
    """Small enough to run interpreted too."""
    same_as_highs(*limited(seed, T=6, rows=4))


@pytest.mark.compiled
@pytest.mark.parametrize(("seed", "rows"), [(1, 0), (3, 40)])
def test_agrees_with_highs_on_a_province(seed, rows):
    problem, rows = jiangsu_like(seed, T=48, rows=rows)
    problem = with_budgets(seed, problem, oracle.solve_lp(problem, rows))
    ours, outcome = window.solve(problem, rows)
    agrees(problem, rows, ours, outcome, oracle.solve_lp(problem, rows))
    assert outcome.iterations <= 80  # of two solves: the budgets were found to bind by the first
    again, known = window.solve(problem, rows, budgets=range(problem.budgets.limit.size))
    assert known.iterations <= 45
    assert again.objective == pytest.approx(ours.objective, rel=1e-6)


def test_price_is_the_spread_over_the_use():
    """6 MWh of gas want 12 of 9: 4.5 MWh burn, oil takes over, a unit of gas is worth (16 - 10) / 2."""
    ours = solved(gas_and_oil(limit=9.0), window.no_rows())
    assert_allclose(ours.price_budget, 3.0, rtol=1e-5)
    assert_allclose(used(gas_and_oil(limit=9.0), ours), 9.0, rtol=1e-6)
    assert ours.x[:3, 0].sum() == pytest.approx(4.5, rel=1e-6)
    assert ours.x[3, 0] == pytest.approx(2.0, rel=1e-6)  # the hour that does not count
    assert ours.objective == pytest.approx(10 * 6.5 + 16 * 5.5, rel=1e-7)


def test_exceeding_is_paid_where_it_is_cheaper():
    ours = solved(gas_and_oil(limit=9.0, cost=2.0), window.no_rows())
    assert_allclose([ours.excess[0], ours.price_budget[0]], [3.0, 2.0], rtol=1e-5)


@pytest.mark.parametrize(("value", "gas"), [(2.9, 6.0), (3.1, 3.0)])
def test_what_is_left_is_kept_if_it_is_worth_more(value, gas):
    """Oil costs 6 more and saves 2 of the budget: worth it from a value of 3 on. At least 1 MW of gas is needed."""
    problem = gas_and_oil(limit=100.0, value=value)
    problem.boxes.hi[:, 1] = 2.0
    ours, _ = same_as_highs(problem, window.no_rows())
    assert ours.x[:3, 0].sum() == pytest.approx(gas, rel=1e-5)
    assert_allclose(ours.price_budget, value, rtol=1e-6)
    assert ours.objective == pytest.approx(10 * (gas + 2) + 16 * (10 - gas) + value * 2 * gas, rel=1e-7)


@pytest.mark.compiled
def test_a_budget_that_does_not_bind_is_left_out():
    """To the byte: not one row more is solved."""
    for seed in range(10):
        problem, rows = drawn(seed)
        free, _ = window.solve(problem, rows)
        budgets = with_budgets(seed, problem, free).budgets
        wide = problem._replace(budgets=budgets._replace(limit=np.abs(budgets.limit) + 1e3, value=0.0 * budgets.value))
        ours, outcome = window.solve(wide, rows)
        for name in ("u", "q", "x", "ramp_q", "charge", "e", "price"):
            assert getattr(ours, name).tobytes() == getattr(free, name).tobytes()
        assert not ours.price_budget.any()
        assert not ours.excess.any()
        assert outcome.status == window.SOLVED


def test_boxes_of_different_use_are_not_merged():
    problem = only_boxes([2.0] * 2, {"cost": 10.0, "hi": 2.0}, {"cost": 10.0, "hi": 2.0}, {"cost": 30.0})
    none, limit = np.zeros((1, 0)), np.array([1.0])
    budgets = Budgets(np.ones((1, 2)), none, none, np.array([[1.0, 0.0, 0.0]]), none, limit, 0.0 * limit, 9.0 * limit)
    ours = solved(problem._replace(budgets=budgets), window.no_rows())
    assert ours.x[:, 0].sum() <= 1.0 + 1e-6
    assert ours.objective == pytest.approx(40.0, rel=1e-7)
    lay, _, _ = layout.lay_out(
        problem._replace(budgets=budgets), window.no_rows(), np.zeros(0, np.int64), np.zeros(1, np.int64)
    )
    assert (lay.nq, lay.m) == (1, 3)


@pytest.mark.compiled
def test_warm_prices_give_the_same_answer():
    for seed in range(8):
        problem, rows = limited(seed)
        first, outcome = window.solve(problem, rows)
        binding = np.flatnonzero(first.price_budget > 0)
        again, warm = window.solve(problem, rows, start=outcome.snapshot, budgets=binding)
        assert warm.status == window.SOLVED
        assert again.objective == pytest.approx(first.objective, rel=1e-6)
