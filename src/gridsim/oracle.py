"""The window problem restated for HiGHS: the reference of the tests, and the engine ``highs`` for a second opinion.

`solve_lp` solves a window with on-counts relaxed (or fixed), `solve_milp` with whole units and minimum up and down
times as ``gridsim.oracle_commitment`` states them, and with start costs by time off, ramps and limits of the first and
last hour on as ``gridsim.oracle_limits`` does. Nothing here is shared with the interior point of
``gridsim.kernels.window``. HiGHS runs on one thread with a fixed seed: the same arrays give the same answer, unless a
time limit ends the search.
"""

from dataclasses import replace
from typing import Any

import highspy
import numpy as np

from gridsim import errors
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Problem, Rows, Solution
from gridsim.oracle_commitment import add_whole_units, complete
from gridsim.oracle_limits import (
    OutputLimits,
    StartCosts,
    add_limits,
    add_start_costs,
    check_limits,
    check_starts,
)
from gridsim.oracle_matrix import Model, build, dual_objective

TOLERANCE = 1e-9  # primal and dual feasibility asked of HiGHS, in the scaled units of the problem
SEED = 0


def solve_lp(problem: Problem, rows: Rows | None = None, *, on: FloatArray | None = None) -> Solution:
    """Solve a window with on-counts relaxed to real numbers, or fixed.

    Parameters
    ----------
    problem, rows : the window; no line rows if `rows` is None
    on : (T, nu) float64, optional
        Units on, when they are decided already; prices are then those of the dispatch alone.

    Raises
    ------
    InputError
        If the arrays contradict each other.
    WindowError
        If HiGHS does not prove an optimum, in its own words.
    """
    model = build(problem, rows)
    if on is not None:
        if np.shape(on) != problem.units.avail.shape:
            rule = f"must have shape {problem.units.avail.shape}, has {np.shape(on)}"
            raise errors.InputError("window", [errors.Problem("on", rule)])
        if (beyond := (on < 0.0) | (on > problem.units.avail + 1e-9)).any():
            rule = f"must lie in 0..avail: {beyond.sum()} of {beyond.size} do not"
            raise errors.InputError("window", [errors.Problem("on", rule)])
        model.col_lo[model.columns["u"]] = on
        model.col_hi[model.columns["u"]] = on
    highs = load(model, whole=False)
    highs.run()
    demand_optimal(highs, model)
    found = highs.getSolution()
    return _solution(model, np.array(found.col_value), np.array(found.row_dual))


def solve_milp(
    problem: Problem,
    rows: Rows | None = None,
    *,
    min_up_h: IntArray,
    min_down_h: IntArray,
    gap: float = 1e-4,
    time_limit_s: float | None = None,
    on_hours: IntArray | None = None,
    off_hours: IntArray | None = None,
    starts: StartCosts | None = None,
    limits: OutputLimits | None = None,
) -> tuple[Solution, float]:
    """Solve a window with whole units and minimum up and down times; prices are those of the commitment found.

    Parameters
    ----------
    problem, rows : the window; no line rows if `rows` is None. ``on0`` must be whole.
    min_up_h, min_down_h : (nu,) int64, >= 1
    gap : float
        Relative gap at which the search may stop.
    time_limit_s : float, optional
        Stop the search then, and return the best schedule found with the bound proven. Not repeatable to the byte.
    on_hours, off_hours : (nu, K) int64, optional
        Units of each group that have been on (off and available) before the window for exactly 1, 2, .. K-1 hours,
        and in the last column for K or more; K is not less than any minimum time or lag of a start cost. Without them
        every unit has been as it is for long.
    starts : StartCosts, optional
        Cost of a start by hours off, in place of ``start_cost``.
    limits : OutputLimits, optional
        Ramps of units on, and their most output in the first and the last hour on.

    Returns
    -------
    solution, bound
        The solution's objective and prices come from the linear program with whole numbers fixed as found; its `bound`
        is the one that branch and bound has proven for the whole window, and is returned a second time by itself.

    Raises
    ------
    InputError
        If the arrays contradict each other.
    WindowError
        If HiGHS finds no schedule, or ends without an optimum for another reason than `time_limit_s`.
    """
    model = build(problem, rows)
    if starts is not None:
        check_starts(problem, starts)
    lag = 1 if starts is None else int(np.max(starts.lag_h, initial=1))
    commitment = complete(problem, min_up_h, min_down_h, on_hours, off_hours, longest_lag_h=lag)
    model = add_whole_units(model, problem, commitment)
    if starts is not None:
        model = add_start_costs(model, problem, commitment, starts)
    if limits is not None:
        check_limits(problem, limits)
        model = add_limits(model, problem, commitment, limits)
    highs = load(model, whole=True)
    highs.setOptionValue("mip_rel_gap", float(gap))
    highs.setOptionValue("mip_feasibility_tolerance", TOLERANCE)
    if time_limit_s is not None:
        highs.setOptionValue("time_limit", float(time_limit_s))
    highs.run()
    out_of_time = highs.getModelStatus() == highspy.HighsModelStatus.kTimeLimit
    has_schedule = highs.getInfo().primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
    if not (out_of_time and has_schedule):
        demand_optimal(highs, model)
    bound = float(highs.getInfo().mip_dual_bound)
    found = np.array(highs.getSolution().col_value)
    if starts is None and limits is None:
        return solve_lp(problem, rows, on=np.rint(found[model.columns["u"]]))._replace(bound=bound), bound
    held, whole = model.whole == 1, np.rint(found)
    fixed = replace(model, col_lo=np.where(held, whole, model.col_lo), col_hi=np.where(held, whole, model.col_hi))
    highs = load(fixed, whole=False)
    highs.run()
    demand_optimal(highs, fixed)
    solution = highs.getSolution()
    return _solution(fixed, np.array(solution.col_value), np.array(solution.row_dual), bound=bound), bound


class SilentHighs(highspy.Highs):
    """Silent from its start: HiGHS 1.16 greets on stdout, where a command prints its JSON, before it has options."""

    def enableCallbacks(self) -> None:
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()


def load(model: Model, *, whole: bool) -> Any:
    """Hand a model to a silent HiGHS on one thread, as whole numbers where `whole` and the model say so."""
    highs = SilentHighs()
    highs.setOptionValue("output_flag", False)
    for option, value in (("threads", 1), ("random_seed", SEED)):
        highs.setOptionValue(option, value)
    for option in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
        highs.setOptionValue(option, TOLERANCE)
    matrix = model.matrix
    m, n = matrix.shape
    start, index = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    columnwise, minimise = 1, 1  # HiGHS's MatrixFormat and ObjSense
    arrays = (model.cost, model.col_lo, model.col_hi, model.row_lo, model.row_hi, start, index, matrix.data)
    kinds = model.whole.astype(np.int32) if whole else np.zeros(n, np.int32)
    status = highs.passModel(n, m, matrix.nnz, columnwise, minimise, model.constant, *arrays, kinds)
    if status == highspy.HighsStatus.kError:
        raise errors.WindowError(f"HiGHS does not take the window ({n} columns, {m} rows): numbers out of its range?")
    return highs


def demand_optimal(highs: Any, model: Model) -> None:
    """Raise WindowError, in the words of HiGHS, if it has not proven an optimum."""
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        m, n = model.matrix.shape
        hours = model.rows["balance"].size
        words = highs.modelStatusToString(status)
        raise errors.WindowError(f"HiGHS on a window of {hours} h ({n} columns, {m} rows) ended with: {words}")


def _solution(model: Model, y: FloatArray, row_dual: FloatArray, *, bound: float | None = None) -> Solution:
    """Read the primal and the prices; HiGHS's row dual is d cost / d right-hand side. No `bound`: that of the duals."""
    parts = {name: y[at] for name, at in model.columns.items()}
    hourly = np.column_stack([model.rows["balance"], model.rows["reserve"]])
    return Solution(
        **{name: parts[name] for name in ("u", "q", "x", "ramp_q", "charge", "discharge", "spill", "e", "overload")},
        excess=parts["excess"],
        price_budget=0.0 - row_dual[model.rows["budget"]],
        price=row_dual[hourly],
        price_row=0.0 - row_dual[model.rows["line"]],
        ramp_price=_of_step(0.0 - row_dual[model.rows["ramp"]]),
        store_value=0.0 - row_dual[model.rows["store"]],
        objective=float(model.cost @ y) + model.constant,
        bound=dual_objective(model, row_dual) if bound is None else bound,
    )


def _of_step(value: FloatArray) -> FloatArray:
    """What multipliers on x_t - x_(t-1) come to on x_t."""
    return value - np.vstack((value[1:], np.zeros((1, value.shape[1]))))
