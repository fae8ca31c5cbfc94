"""The interior point against HiGHS on random windows: optimum, prices, starts and stops."""

import functools
import re

import numpy as np
import pytest
from problems import jiangsu_like, random_problem, violation
from windows import RTOL, agrees, drawn, scale_of, solved

from gridsim import oracle
from gridsim.errors import WindowError
from gridsim.kernels import window
from gridsim.kernels.problem import Solution

SEEDS = range(160)
RTOL_MOST = 1e-8  # what nine in ten windows reach
PROVINCES = [(1, 24, 0), (2, 24, 60), (3, 48, 40)]


@functools.cache
def both(seed):
    """A window, our solution and its outcome, and HiGHS's."""
    problem, rows = drawn(seed)
    return problem, rows, *window.solve(problem, rows), oracle.solve_lp(problem, rows)


@pytest.mark.compiled
@pytest.mark.parametrize("seed", SEEDS)
def test_agrees_with_highs(seed):
    agrees(*both(seed))


@pytest.mark.compiled
def test_most_windows_agree_much_closer():
    """`RTOL` is for the worst: a wrong term in an hour of a few windows would hide behind it."""
    away = []
    for seed in SEEDS:
        _, _, ours, _, highs = both(seed)
        away.append(abs(ours.objective - highs.objective) / scale_of(highs.objective))
    assert np.quantile(away, 0.9) < RTOL_MOST


@pytest.mark.compiled
@pytest.mark.parametrize(("seed", "hours", "rows"), PROVINCES)
def test_agrees_with_highs_on_a_province(seed, hours, rows):
    problem, rows = jiangsu_like(seed, T=hours, rows=rows)
    ours, outcome = window.solve(problem, rows)
    agrees(problem, rows, ours, outcome, oracle.solve_lp(problem, rows))
    assert outcome.iterations <= 40


@pytest.mark.parametrize("seed", [5, 7])
def test_a_short_window_agrees_with_highs(seed):
    """Small enough to run interpreted too."""
    problem, rows = drawn(seed, T=6, rows=4)
    agrees(problem, rows, *window.solve(problem, rows), oracle.solve_lp(problem, rows))


SHAPES = [
    {"units": 0, "ramps": 0, "stores": 0},
    {"R": 1},
    {"R": 5, "units": 0, "boxes": 0, "ramps": 3, "stores": 0},
    {"units": 0, "boxes": 6, "ramps": 2, "stores": 3},
    {"units": 4, "boxes": 0, "ramps": 0, "stores": 0},
    {"units": 1, "boxes": 2, "ramps": 0, "stores": 1, "buses": 1},
    {"units": 2, "boxes": 2, "ramps": 3, "stores": 0},
    {"units": 6, "boxes": 10, "ramps": 2, "stores": 5, "buses": 8},
]


@pytest.mark.compiled
@pytest.mark.parametrize("size", SHAPES, ids=lambda size: "-".join(f"{n}{name}" for name, n in size.items()))
@pytest.mark.parametrize("hours", [1, 2, 13])
def test_any_kind_of_device_may_be_missing(size, hours):
    for seed in range(3):
        problem, rows = drawn(seed, T=hours, **size)
        agrees(problem, rows, *window.solve(problem, rows), oracle.solve_lp(problem, rows))


def test_widening_by_a_hair_is_all_that_is_lost():
    """Hours without units keep 1e-6 of one; the bound is still one for the window as it was drawn."""
    for seed in range(12):
        problem, rows = random_problem(seed, T=6)
        solution, highs = solved(problem, rows), oracle.solve_lp(problem, rows)
        scale = scale_of(highs.objective)
        assert violation(problem, rows, solution) < 2.1e-6
        assert solution.bound <= highs.objective + 1e-9 * scale
        assert solution.objective == pytest.approx(highs.objective, abs=1e-4 * scale)


# -- prices -----------------------------------------------------------------------------------------------------------


def slopes(problem, rows, highs, *, at, h=1e-5):
    """Slope of HiGHS's optimum to the left and to the right, in one need (hour, row of the hour) of the problem."""
    found = []
    for move in (-h, h):
        need = problem.need.copy()
        need[at] += move
        try:
            found.append((oracle.solve_lp(problem._replace(need=need), rows).objective - highs.objective) / move)
        except WindowError:  # beyond what is feasible: no price there
            found.append(np.inf if move > 0 else -np.inf)
    return found


@pytest.mark.compiled
def test_prices_are_the_slopes_of_the_optimum():
    """Where the optimum has one slope the price is that slope, else it lies between the two."""
    R = 5
    unique, paid = np.zeros(R, dtype=int), np.zeros(R, dtype=int)
    for seed in range(200, 210):
        problem, rows = drawn(seed, T=8, R=R, rows=6)
        ours, highs = solved(problem, rows), oracle.solve_lp(problem, rows)
        for r in range(R):
            for t in range(0, 8, 3):
                left, right = slopes(problem, rows, highs, at=(t, r))
                atol = 1e-4 * (1.0 + abs(right if np.isfinite(right) else left))
                assert left - atol <= ours.price[t, r] <= right + atol, (seed, t, r)
                unique[r] += abs(right - left) <= atol
                paid[r] += abs(right - left) <= atol < left
    assert (unique >= 10).all(), unique
    assert (paid >= 3).all(), paid


@pytest.mark.compiled
def test_row_prices_are_the_slopes_of_the_optimum():
    unique = 0
    for seed in range(210, 222):
        problem, rows = drawn(seed, T=8, rows=6)
        ours, highs = solved(problem, rows), oracle.solve_lp(problem, rows)
        for m in np.argsort(-ours.price_row)[:3]:
            found = []
            for move in (-1e-5, 1e-5):
                limit = rows.limit.copy()
                limit[m] += move
                found.append((highs.objective - oracle.solve_lp(problem, rows._replace(limit=limit)).objective) / move)
            atol = 1e-4 * (1.0 + abs(found[0]))
            assert found[1] - atol <= ours.price_row[m] <= found[0] + atol, (seed, m)
            unique += abs(found[0] - found[1]) <= atol and found[0] > 1.0
    assert unique >= 5  # of rows that bind


# -- starts and stops -------------------------------------------------------------------------------------------------


@pytest.mark.compiled
@pytest.mark.parametrize("seed", range(320, 340))
def test_a_start_from_kindred_prices_ends_at_the_same_optimum(seed):
    problem, rows = drawn(seed)
    _, outcome = window.solve(problem, rows)
    assert outcome.snapshot is not None
    more = np.zeros_like(problem.need)
    more[:, 0] = 0.002 * np.abs(problem.need[:, 0])
    kindred = problem._replace(need=problem.need + more)
    try:
        highs = oracle.solve_lp(kindred, rows)
    except WindowError:
        pytest.skip("a little more demand makes this window infeasible")
    agrees(kindred, rows, *window.solve(kindred, rows, start=outcome.snapshot), highs)


@pytest.mark.compiled
def test_stopping_early_is_sooner_and_says_so():
    for seed in range(340, 350):
        problem, rows = drawn(seed)
        rough, early = window.solve(problem, rows, loose=1e-2)
        full, outcome = window.solve(problem, rows)
        assert early.status == window.SOLVED
        assert early.gap < 1e-2
        assert early.primal < 1e-2
        assert early.iterations < outcome.iterations
        assert rough.bound <= full.objective + RTOL * scale_of(full.objective)


@pytest.mark.compiled
def test_the_bound_holds_wherever_the_solver_stops():
    for seed in range(350, 358):
        problem, rows = drawn(seed)
        highs = oracle.solve_lp(problem, rows)
        scale = scale_of(highs.objective)
        bounds = []
        for most in (0, 1, 2, 4, 7, 11):
            solution, outcome = window.solve(problem, rows, max_iterations=most)
            assert outcome.status == window.ITERATION_LIMIT
            # each time a reserve product comes in, the window is solved again
            assert most <= outcome.iterations <= most * problem.need.shape[1]
            bounds.append(solution.bound)
        assert max(bounds) <= highs.objective + 1e-9 * scale
        assert bounds[-1] > bounds[0]


# -- stores at rest ---------------------------------------------------------------------------------------------------


def beside(stores, **one):
    """The stores and one more, which gives and takes nothing but for what is said of it."""
    hours = len(stores.e_lo)
    fresh = {"bus": 0, "eta_c": 0.9, "eta_d": 0.9, "keep": 1.0, "e_hi": 5.0, "e0": 2.0} | one
    parts = {}
    for name, value in stores._asdict().items():
        new = np.broadcast_to(np.asarray(fresh.get(name, 0.0), value.dtype), (hours, 1) if value.ndim == 2 else 1)
        parts[name] = np.concatenate((value, new), axis=-1)
    return stores._replace(**parts)


@pytest.mark.compiled
@pytest.mark.parametrize("seed", range(360, 366))
def test_a_store_that_can_do_nothing_is_a_constant(seed):
    """It loses, gains and spills on its own: its energy is worth what is left of it."""
    problem, rows = drawn(seed, T=4)
    moved = beside(problem.stores, keep=0.5, inflow=2.0, spill_max=1.0, e_hi=3.5, e0=4.0, end_value=0.25)
    ours = solved(problem._replace(stores=moved), rows)
    alone = solved(problem, rows)
    assert ours.e[:, -1].tolist() == [3.5, 3.5, 3.5, 3.5]  # 4/2 + 2 = 4, less 0.5; then 3.5/2 + 2 = 3.75, less 0.25
    assert ours.spill[:, -1].tolist() == [0.5, 0.25, 0.25, 0.25]
    assert ours.store_value[:, -1].tolist() == [0.25 / 8, 0.25 / 4, 0.25 / 2, 0.25]
    scale = scale_of(alone.objective)
    assert ours.objective == pytest.approx(alone.objective - 0.25 * 3.5, abs=RTOL * scale)
    assert ours.bound == pytest.approx(alone.bound - 0.25 * 3.5, abs=RTOL * scale)


@pytest.mark.compiled
def test_a_dear_store_that_only_gives_rests_until_a_price_reaches_it():
    """Above every price it is left out and nothing changes; where a price is above its cost it is asked after all."""
    used = rested = 0
    for seed in range(366, 378):
        problem, rows = drawn(seed)
        _, outcome = window.solve(problem, rows)
        highest = float(outcome.snapshot.hourly[:, 0].max())
        for cost in (1.2 * highest, 0.5 * highest):
            with_one = problem._replace(stores=beside(problem.stores, discharge_max=0.3, discharge_cost=cost))
            highs = oracle.solve_lp(with_one, rows)
            ours, again = window.solve(with_one, rows, start=outcome.snapshot)
            agrees(with_one, rows, ours, again, highs)
            used += bool(ours.discharge[:, -1].max() > 1e-3)
            rested += bool((ours.discharge[:, -1] == 0.0).all())
        # an hour of need that the kindred prices know nothing of
        need = problem.need.copy()
        need[len(need) // 2, 0] += 0.2
        steep = with_one._replace(
            need=need, stores=beside(problem.stores, discharge_max=0.3, discharge_cost=highest + 1e-6)
        )
        try:
            highs = oracle.solve_lp(steep, rows)
        except WindowError:
            continue
        agrees(steep, rows, *window.solve(steep, rows, start=outcome.snapshot), highs)
        # what is dear only as long as it rests is finished
        most = highs.objective + 1e-6 * scale_of(highs.objective)
        assert window.solve(steep, rows, start=outcome.snapshot, most=most)[1].status == window.SOLVED
    assert used >= 6
    assert rested >= 6


def test_says_which_device_has_no_inside():
    drawn_problem, rows = drawn(5, T=6, rows=4)
    stores, ramps = drawn_problem.stores, drawn_problem.ramps
    e_lo = stores.e_lo.copy()
    e_lo[2, 1] = stores.e0[1] + 100.0
    jump = ramps.base.copy()
    jump[3:] += 50.0
    problem = drawn_problem._replace(
        stores=stores._replace(e_lo=e_lo, e_hi=np.maximum(stores.e_hi, e_lo + 1.0)),
        ramps=ramps._replace(base=jump),
    )
    solution, outcome = window.solve(problem, rows)
    assert outcome.status == window.NO_INTERIOR
    assert "store 1" in outcome.why
    assert re.search(r"ramped \w+ 0", outcome.why)
    assert "store 0" not in outcome.why
    assert solution.bound == -np.inf
    assert isinstance(solution, Solution)
    with pytest.raises(WindowError):
        oracle.solve_lp(problem, rows)


@pytest.mark.compiled
@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_what_is_bound_to_cost_too_much_is_not_finished(seed):
    """Its bound is the proof; a limit that the optimum keeps to changes nothing."""
    problem, rows, ours, outcome, highs = both(seed)
    space = 1e-3 * scale_of(highs.objective)
    dear, stopped = window.solve(problem, rows, most=highs.objective - space)
    assert stopped.status == window.DEAR
    assert highs.objective - space < dear.bound <= highs.objective + RTOL * scale_of(highs.objective)
    assert stopped.iterations < outcome.iterations
    same, finished = window.solve(problem, rows, most=highs.objective + space)
    assert finished.status == window.SOLVED
    assert same.objective == ours.objective
    assert same.x.tobytes() == ours.x.tobytes()
