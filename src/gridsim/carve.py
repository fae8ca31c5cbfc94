"""Small systems: units off for a stretch of hours, or their runs earlier or later, the dispatch judging, while it pays.

Where one unit is a large share of the load, whether stores can stand in for it is no question of prices: at the prices
of the relaxed window it is worth nothing to have a unit off, and rounding leaves it on for good.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from gridsim.errors import WindowError
from gridsim.kernels.jit import IntArray

if TYPE_CHECKING:
    from gridsim.plan import Fixed

WIDE = 0.01  # relative gap from which a window is carved
FEW_UNITS = 12  # units that are not must-run, up to which it is
DISPATCHES = 300  # that may be tried in a window
SHIFTS = (-1, 1, -2, 2, -4, 4, -8, 8)
PAYS = 1e-5  # relative: a cheaper schedule by less is none

Round = Callable[[IntArray], tuple[IntArray, IntArray]]
Fix = Callable[[IntArray, IntArray, "Fixed | None"], "Fixed"]


def carve(best: "Fixed", rows: IntArray, bound: float, round_near: Round, fix: Fix) -> tuple["Fixed", IntArray]:
    """The cheapest schedule found from `best`, and what its dispatches took (4,): iterations, rounds, retries, stalls.

    Parameters
    ----------
    rows : (n,) int64
        Rows of units that may be switched.
    bound : float
        No schedule costs less.
    round_near : callable
        Units on in those rows (T, n) -> the nearest units on and started (T, nu) that times up and down allow.
    fix : callable
        (on, started, cheapest so far) -> dispatch.
    """
    tally, tried = np.zeros(4, dtype=np.int64), {best.on.tobytes()}

    def pays(wanted: IntArray) -> bool:
        """Whether the dispatch of a schedule near `wanted` is cheaper than the best one, and then takes its place."""
        nonlocal best, tally
        on, start = round_near(wanted)
        if on.tobytes() in tried or len(tried) > DISPATCHES:
            return False
        tried.add(on.tobytes())
        try:
            found = fix(on, start, best)
        except WindowError:  # a schedule whose dispatch cannot be solved is no schedule
            return False
        tally = tally + found.settled.tally
        if found.cost >= best.cost - PAYS * abs(best.cost):
            return False
        best = found
        return True

    going = True
    while going and best.cost - bound > WIDE * abs(best.cost):
        going = False
        for at in _stretches(best.on.shape[0], rows.size):
            wanted = best.on[:, rows].copy()
            if wanted[at].all():
                wanted[at] -= 1
                going |= pays(wanted)
        going |= any(map(pays, _with_runs_moved(best.on[:, rows])))
    return best, tally


def _stretches(hours: int, rows: int) -> Iterator[tuple[slice, int]]:
    """Hours of a row: long stretches first, each moved by half of its length."""
    length = hours
    while length >= 1:
        for row in range(rows):
            for begin in range(0, hours - length + 1, max(1, length // 2)):
                yield slice(begin, begin + length), row
        length //= 2


def _with_runs_moved(on: IntArray) -> Iterator[IntArray]:
    """A run of a row, from where units come on to where they go off, an hour or a few earlier or later."""
    hours = len(on)
    for row in range(on.shape[1]):
        step = np.diff(on[:, row], prepend=0, append=0)
        for begin in np.flatnonzero(step > 0):
            end = begin + int(np.argmax(step[begin + 1 :] < 0)) + 1
            for later in SHIFTS:
                wanted = on.copy()
                wanted[begin:end, row] -= 1
                wanted[max(0, begin + later) : min(hours, end + later), row] += 1
                yield wanted
