"""Least times of a row of units, against every way to tell its units apart, and units called by hand."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from tiny_grid import tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.calling import Caller, broken
from gridsim.clocks import planner_of


def can_be(on: list[int], units: list[tuple[bool, int]], up: int, down: int) -> bool:
    """Whether some assignment of the counts to units keeps the least times: all of them tried, hour by hour."""
    states = {tuple(units)}
    for wanted in on:
        after = set()
        for state in states:
            running = [k for k, (is_on, _) in enumerate(state) if is_on]
            resting = [k for k, (is_on, _) in enumerate(state) if not is_on]
            change = wanted - len(running)
            pool = resting if change > 0 else running
            for some in set(permutations(pool, abs(change))):
                if all(state[k][1] >= (down if change > 0 else up) for k in some):
                    after.add(tuple((not a, 1) if k in some else (a, h + 1) for k, (a, h) in enumerate(state)))
        states = after
    return bool(states)


@pytest.mark.parametrize("seed", range(30))
def test_least_times_are_kept_where_some_assignment_keeps_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(20):
        units = [(bool(rng.integers(2)), int(rng.integers(1, 6))) for _ in range(3)]
        up, down = int(rng.integers(1, 5)), int(rng.integers(1, 5))
        on, now = [], sum(a for a, _ in units)
        for _ in range(7):
            now = int(np.clip(now + rng.integers(-1, 2), 0, 3))
            on.append(now)
        is_on, hours = zip(*units, strict=True)
        found = broken(on, [3] * 7, is_on, hours, [False] * 3, up, down)
        assert (found == 0) == can_be(on, units, up, down), (units, on, up, down)


def test_what_comes_back_is_rested_and_what_leaves_takes_those_off() -> None:
    """One of two units is on work for two hours: the one off at first, and then it may start at once."""
    assert broken([1, 1, 2], [1, 1, 2], [True, False], [9, 1], [False, False], 1, 5) == 0
    assert broken([1, 1, 2], [2, 2, 2], [True, False], [9, 1], [False, False], 1, 5) == 1
    assert broken([1, 0, 1], [2, 2, 1], [True, False], [1, 9], [False, False], 3, 9) == 1


def test_what_was_called_stays_on_for_its_least_time(tmp_path: Path) -> None:
    """Gas of two units, two hours at least: one started an hour ago and no longer in the plan stays for another."""
    net = tiny_grid()
    net.gen["quick_start"] = [False, True, False]
    scenario = write_grid(tmp_path, net, horizon={"hours": 24})
    planner = planner_of(assemble(scenario), scenario)
    caller, state = Caller(planner), planner.first_state()
    (gas,) = caller.quick
    row = int(np.flatnonzero(planner.free == gas)[0])
    units = slice(planner.first_unit[row], planner.first_unit[row + 1])
    on_now, hours = state.unit_on.copy(), state.unit_hours.copy()
    on_now[units], hours[units] = [True, False], [1, 9]
    state = replace(state, unit_on=on_now, unit_hours=hours)
    on = np.zeros((4, len(planner.case.units)), dtype=np.int64)
    running = np.zeros(on.shape[1], dtype=np.int64)
    running[gas] = 1
    avail = planner.case.unit_available[:4]
    assert caller.owed(on, avail, running, state)[:, gas].tolist() == [1, 0, 0, 0]
    assert not caller.owed(on, avail, 0 * running, state).any()  # it has failed
    hours[units] = [2, 9]
    assert not caller.owed(on, avail, running, state).any()
    hours[units] = [1, 9]
    short = np.array([0.0, 0.0, 100.0, 0.0])  # more than a unit: both start, the one that stops too early first
    called = caller.call(short, on, avail, state)[:, gas]
    assert called[2] >= 1
