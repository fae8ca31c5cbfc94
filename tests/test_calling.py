"""Least times of a row of units, against every way to tell its units apart, and units called by hand."""

from itertools import permutations

import numpy as np
import pytest

from gridsim.calling import broken


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
