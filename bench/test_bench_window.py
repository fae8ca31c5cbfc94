"""One 48-hour window of the Jiangsu case: the interior point against HiGHS on the same arrays, and a whole plan.

Interleaved in one process, CPU seconds: compare the ratios, not the absolute figures of a shared machine.
``pytest bench --benchmark-enable`` times; without the flag each runs once as a smoke test.
"""

import time

import numpy as np
import pytest

from gridsim import oracle
from gridsim.assemble import assemble
from gridsim.kernels import window
from gridsim.plan import Planner
from gridsim.scenario import load
from gridsim.simulate import warmup

FIRST_HOURS = (24, 2400, 4800, 7200)  # winter, spring, summer, autumn


@pytest.fixture(scope="module")
def planner():
    warmup()
    return Planner(assemble(load("jiangsu-2024")))


def relaxed_window(planner, first_hour):
    """The relaxed window with the line rows that its plan ended with."""
    state = planner.first_state()
    state.rows = planner.plan(first_hour, 48, state).next_rows
    problem, fixed, _ = planner.problem(first_hour, 48, state, None)
    return problem, planner.rows(state.rows, fixed)


@pytest.mark.parametrize("first_hour", FIRST_HOURS)
def test_relaxed_window(benchmark, planner, first_hour):
    problem, rows = relaxed_window(planner, first_hour)
    benchmark.extra_info["rows"] = int(rows.hour.size)
    _, outcome = benchmark(window.solve, problem, rows)
    assert outcome.status == window.SOLVED


@pytest.mark.parametrize("first_hour", FIRST_HOURS)
def test_against_highs(benchmark, planner, first_hour):
    """CPU time of HiGHS over that of the kernel, three times in turn; objectives agree."""
    problem, rows = relaxed_window(planner, first_hour)
    ratios = []

    def both():
        began = time.process_time()
        ours, _ = window.solve(problem, rows)
        middle = time.process_time()
        theirs = oracle.solve_lp(problem, rows)
        ratios.append((time.process_time() - middle) / (middle - began))
        assert abs(ours.objective - theirs.objective) <= 1e-6 * abs(theirs.objective)

    benchmark.pedantic(both, rounds=3)
    benchmark.extra_info["highs_over_kernel_cpu"] = float(np.median(ratios))


@pytest.mark.parametrize("first_hour", FIRST_HOURS)
def test_plan(benchmark, planner, first_hour):
    """A whole window: relax, round, fix, with the rows of the day before."""
    state = planner.first_state()
    state.rows = planner.plan(first_hour, 48, state).next_rows
    plan = benchmark(planner.plan, first_hour + 24, 48, state)
    assert plan.bound <= plan.cost
