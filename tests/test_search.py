"""The search on small systems: bound <= optimum <= cost, honest bookkeeping, the same answer twice."""

import numpy as np
import pytest
from reference import INTERPRETED
from single_milp import keeps_rules, random_system, solved_system, system_cost

from gridsim import search

pytestmark = pytest.mark.skipif(INTERPRETED, reason="too slow without the compiler")
SEEDS = range(12)


class Judge:
    """The fixed dispatch of a small system, by the MILP with every commitment given."""

    def __init__(self, units, lags, system):
        self.units, self.lags, self.system, self.asked = units, lags, system, []

    def __call__(self, on):
        T, n = on.shape
        cost, short = solved_system(self.units, self.lags, self.system, on)
        self.asked.append((on.copy(), cost, short.max() > 1e-6))
        return search.Dispatch(cost, short, np.zeros((T, self.units.seg_width.size)), np.zeros((T, n)))


def drawn(seed):
    rng = np.random.default_rng(1000 + seed)
    units, lags, system = random_system(rng, int(rng.integers(6, 11)), int(rng.integers(2, 6)))
    return units, lags, system, Judge(units, lags, system)


def searched(units, system, judge, **options):
    flat = np.full(system.demand.size, 30.0)
    return search.improve(units, system, flat, 0.0 * flat, judge, **options)


@pytest.mark.parametrize("seed", SEEDS)
def test_bound_and_cost_enclose_the_optimum(seed):
    units, lags, system, judge = drawn(seed)
    best = system_cost(units, lags, system)
    found = searched(units, system, judge)
    tiny = 1e-6 * abs(best)
    assert found.bound <= best + tiny
    assert found.cost >= best - tiny
    assert found.cost == min((short, cost) for _, cost, short in judge.asked)[1]
    assert found.cost == pytest.approx(solved_system(units, lags, system, found.on)[0])
    assert found.dispatches == len(judge.asked) <= search.EFFORTS["standard"].dispatches
    assert all(keeps_rules(units, i, found.on[:, i]) for i in range(units.cap.size))


def test_it_is_mostly_the_optimum():
    """Of a handful of units each is a large part of the whole: one wrong move is dear, as the worst of these are."""
    off = []
    for seed in SEEDS:
        units, lags, system, judge = drawn(seed)
        best = system_cost(units, lags, system)
        off.append(searched(units, system, judge).cost / best - 1.0)
    assert np.median(off) < 1e-4
    assert np.quantile(off, 0.8) < 0.01


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_more_effort_is_never_worse(seed):
    units, _, system, judge = drawn(seed)
    costs = [searched(units, system, judge, effort=effort).cost for effort in ("fast", "standard", "best")]
    assert costs[1] <= costs[0] * (1 + 1e-9)
    assert costs[2] <= costs[1] * (1 + 1e-9)


def test_same_input_same_answer():
    units, _, system, judge = drawn(1)
    a, b = (searched(units, system, judge) for _ in range(2))
    assert a.on.tobytes() == b.on.tobytes()
    assert (a.cost, a.bound, a.sweeps, a.tries) == (b.cost, b.bound, b.sweeps, b.tries)


def test_it_stops_at_the_target():
    units, _, system, judge = drawn(0)
    found = searched(units, system, judge, target_gap=1.0)
    assert found.short.max() < 1e-6
    assert found.dispatches == 1
    assert found.tries == 0


def test_a_start_is_judged_first_and_never_lost():
    units, _, system, judge = drawn(3)
    start = searched(units, system, judge, effort="best").on
    judge.asked.clear()
    found = searched(units, system, judge, effort="fast", start=start)
    assert (judge.asked[0][0] == start).all()
    assert found.cost <= judge.asked[0][1]


def test_a_schedule_with_nothing_short_wins_over_a_cheaper_one():
    units, lags, system, _ = drawn(4)
    calls = []

    def judge(on):
        T, n = on.shape
        calls.append(on)
        short = np.zeros((2, T))
        short[0, 0] = 1.0 if len(calls) == 1 else 0.0
        cost = 1.0 if len(calls) == 1 else solved_system(units, lags, system, on)[0]
        return search.Dispatch(cost, short, np.zeros((T, units.seg_width.size)), np.zeros((T, n)))

    found = searched(units, system, judge)
    assert len(calls) > 1
    assert found.short.max() == 0.0
    assert found.cost > 1.0
