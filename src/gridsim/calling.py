"""Units called in the hour: those with `quick_start` that are kept on, brought forward or started where power is short.

A row of units is given a MW more at a time, in the first of these ways that keeps the least times of its units:

1. one that would stop in the short hour stays on for it;
2. one that starts soon after starts now;
3. one that rests starts, for its least time.

Rows that cost least at their least output come first. What keeps the least times is found by walking the units of the
row through the hours, as `kernels.commit.age` does: the longest rested start, the longest running stop.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from gridsim.handover import State
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.plan import SHORT_MW, Planner

RESTED = 10**6  # steps: longer than any least time


class Caller:
    """Says which units to call."""

    def __init__(self, planner: Planner):
        table = planner.case.units
        cost = planner.unit_cost / np.maximum(table["p_min_mw"].to_numpy(float), 1e-9)
        quick = np.flatnonzero(table["quick_start"].to_numpy(bool) & ~planner.must)
        self.planner = planner
        self.quick: list[int] = quick[np.argsort(cost[quick], kind="stable")].tolist()
        self.size_mw = table["p_max_mw"].to_numpy(float)

    def call(self, short_mw: FloatArray, on: IntArray, avail: IntArray, state: State) -> IntArray:
        """(T, nu) further units for the hours that are short; with (T, nu) units on and there, and the state before."""
        now = on.copy()
        for t in np.flatnonzero(short_mw > SHORT_MW).tolist():
            missing = float(short_mw[t] - (now[t] - on[t]) @ self.size_mw)  # those called before are still on
            for i in self.quick:
                while missing > SHORT_MW and self._one_more(now[:, i], avail[:, i], t, i, state):
                    missing -= self.size_mw[i]
        called: IntArray = now - on
        return called

    def owed(self, on: IntArray, avail: IntArray, running: IntArray, state: State) -> IntArray:
        """(T, nu) units beyond those on that must not stop yet: called shortly before, by hours of the same plan.

        `running` are the units (nu,) that ran and have not failed since.
        """
        out = np.zeros_like(on)
        for i in self.quick:
            if running[i] <= on[0, i]:
                continue
            row, histories = self._row(i, state)
            for end in range(min(int(self.planner.min_up[i]), len(on)) + 1):
                more = on[:, i].copy()
                more[:end] = np.minimum(np.maximum(more[:end], running[i]), avail[:end, i])
                if not broken(more, avail[:, i], *histories, *row):
                    out[:, i] = more - on[:, i]
                    break
        return out

    def _row(self, i: int, state: State) -> tuple[tuple[int, int], tuple[ArrayLike, ArrayLike, ArrayLike]]:
        """Least times of a row of units, and what its units have been doing."""
        p = self.planner
        row = int(np.flatnonzero(p.free == i)[0])
        units = slice(p.first_unit[row], p.first_unit[row + 1])
        least = int(p.min_up[i]), int(p.min_down[i])
        return least, (state.unit_on[units], state.unit_hours[units], state.unit_out[units])

    def _one_more(self, on: IntArray, avail: IntArray, t: int, i: int, state: State) -> bool:
        """Whether the row has one unit more in step t, which then is in `on`."""
        if on[t] >= avail[t]:
            return False
        least, histories = self._row(i, state)
        before = broken(on, avail, *histories, *least)
        for end in self._ends(on, t, int(np.sum(histories[0])), *least):
            more = on.copy()
            more[t:end] = np.minimum(more[t:end] + 1, avail[t:end])
            if broken(more, avail, *histories, *least) <= before:
                on[:] = more
                return True
        return False

    @staticmethod
    def _ends(on: IntArray, t: int, first: int, min_up: int, min_down: int) -> Iterator[int]:
        """Steps before which one more unit may stop again."""
        if on[t] < (on[t - 1] if t else first):
            yield t + 1
        yield from (t + 1 + np.flatnonzero(np.diff(on[t : t + min_up + min_down + 1]) > 0)).tolist()
        yield t + max(min_up, 1)


def broken(
    on: ArrayLike, avail: ArrayLike, unit_on: ArrayLike, unit_hours: ArrayLike, unit_out: ArrayLike,
    min_up: int, min_down: int,
) -> int:  # fmt: skip
    """How often a row of units breaks its least times, those on and there given for every step."""
    units = list(zip(*(np.asarray(part).tolist() for part in (unit_on, unit_hours, unit_out)), strict=True))
    run = [h for is_on, h, _ in units if is_on]
    rest = [h for is_on, h, is_out in units if not is_on and not is_out]
    out, count = len(units) - len(run) - len(rest), 0
    for wanted, there in zip(np.asarray(on).tolist(), np.asarray(avail).tolist(), strict=True):
        leave = len(units) - there - out
        rest += [RESTED] * max(-leave, 0)
        run.sort()
        rest.sort()
        stopped = [run.pop() for _ in range(len(run) - wanted)]
        started = [rest.pop() if rest else 0 for _ in range(wanted - len(run))]
        count += sum(h < min_up for h in stopped) + sum(h < min_down for h in started)
        gone = min(max(leave, 0), len(rest))
        rest = rest[: len(rest) - gone]
        off = len(stopped) - (max(leave, 0) - gone)  # what leaves at once is not off
        out += leave
        run, rest = [h + 1 for h in run] + [1] * len(started), [h + 1 for h in rest] + [1] * max(off, 0)
    return count
