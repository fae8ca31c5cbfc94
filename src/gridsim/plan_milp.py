"""The commitment of a window by branch and bound, for the engine ``highs-milp``: a second opinion on the rounding.

It sees the line rows that the relaxed window has found; the dispatch that follows adds what else is overloaded. Groups
of identical units are counts, so what came before the window is a count of units by age.
"""

import numpy as np

from gridsim import oracle
from gridsim.kernels.jit import BoolArray, IntArray
from gridsim.kernels.problem import Problem, Rows

GAP = 1e-3  # relative, at which the search stops


def search(
    problem: Problem,
    rows: Rows,
    *,
    times_h: IntArray,
    unit_on: BoolArray,
    unit_hours: IntArray,
    unit_out: BoolArray,
    first_unit: IntArray,
) -> tuple[IntArray, IntArray, float]:
    """Whole units on and started in every hour of a window.

    Parameters
    ----------
    problem, rows : Problem, Rows
        The relaxed window and its line rows.
    times_h : (nu, 2) int64
        Least steps up and down.
    unit_on, unit_hours, unit_out : (n,) bool, int64, bool
        State of each unit before the window, steps spent in it, and whether it is on planned outage.
    first_unit : (nu + 1,) int64
        Units of group i are first_unit[i] .. first_unit[i + 1] - 1.

    Returns
    -------
    on, start : (T, nu) int64
    bound : float
        No schedule of whole units costs less; scaled money of the problem.
    """
    up_h, down_h = np.maximum(times_h[:, 0], 1), np.maximum(times_h[:, 1], 1)
    ages = int(max(up_h.max(initial=1), down_h.max(initial=1)))
    on_hours, off_hours = histories(unit_on, unit_hours, unit_out, first_unit, ages)
    solution, bound = oracle.solve_milp(
        problem, rows, min_up_h=up_h, min_down_h=down_h, gap=GAP, on_hours=on_hours, off_hours=off_hours
    )
    on = np.rint(solution.u).astype(np.int64)
    before = np.rint(problem.units.on0).astype(np.int64)
    return on, np.maximum(np.diff(on, axis=0, prepend=before[None]), 0), bound


def histories(
    unit_on: BoolArray, unit_hours: IntArray, unit_out: BoolArray, first_unit: IntArray, ages: int
) -> tuple[IntArray, IntArray]:
    """Units of each group by hours on, and by hours off and available: (nu, ages), the last for that many or more."""
    nu = first_unit.size - 1
    on_hours, off_hours = np.zeros((nu, ages), np.int64), np.zeros((nu, ages), np.int64)
    for i in range(nu):
        of_group = slice(first_unit[i], first_unit[i + 1])
        running, out = np.array(unit_on[of_group], dtype=bool), np.array(unit_out[of_group], dtype=bool)
        age = np.clip(unit_hours[of_group], 1, ages) - 1
        np.add.at(on_hours[i], age[running], 1)
        np.add.at(off_hours[i], age[~running & ~out], 1)
    return on_hours, off_hours
