"""The window problem solved in price space: a primal-dual interior point whose dense algebra is only on prices.

Mehrotra's predictor and corrector with separate steps, a centrality corrector (Gondzio, 1996), a start
from the smoothed merit order, and honest stopping: relative gap, primal and dual residual. `newton` has the structure,
`flat` the loops, `start` the start, `bound` the certificate.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gridsim.kernels import flat, newton
from gridsim.kernels.bound import lagrangian
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.layout import Layout, Merge, Window, lay_out, split
from gridsim.kernels.problem import Problem, Rows, Solution
from gridsim.kernels.start import Prices, fill, full_load_cost, merit_order, paths

SOLVED, ITERATION_LIMIT, NO_INTERIOR = 0, 1, 2
SNAPSHOT_GAP = 1e-2
DOWN_PRICED = 1e-5  # price of reserve down, scaled, from which its rows are in from the start
MU_COLD, MU_WARM = 0.2, 2e-2  # complementarity products at the start


class Outcome(NamedTuple):
    """How a solve ended."""

    status: int
    iterations: int
    gap: float  # relative complementarity gap
    primal: float  # largest residual of a row, scaled power
    dual: float  # largest residual of a reduced cost, scaled money
    why: str
    snapshot: Prices | None  # prices at the first iterate with a gap below SNAPSHOT_GAP


def no_rows(columns: int = 1) -> Rows:
    """A window without line rows."""
    return Rows(np.zeros(0, dtype=np.int64), np.zeros((0, columns)), np.zeros(0), np.zeros(0))


def _cost_vector(lay: Layout, win: Window) -> tuple[FloatArray, float]:
    """The objective as cost . s + constant."""
    T, cost = lay.T, np.zeros(lay.size)
    first = win.seg_first[:-1]
    per_width = np.zeros(lay.nk)
    per_width[first] = win.unit_cost / win.seg_width[first]
    cost[lay.q : lay.w] = np.tile(win.seg_cost + per_width, T)
    cost[lay.w : lay.n] = np.tile(per_width, T)
    cost[lay.v : lay.c] = np.tile(win.unit_start, T)
    cost[lay.bl : lay.bu] = win.box_cost
    cost[lay.pl : lay.ph] = win.ramp_cost.ravel()
    cost[lay.cl : lay.cu] = np.tile(win.charge_cost, T)
    cost[lay.dl : lay.du] = np.tile(win.discharge_cost, T)
    cost[lay.eu - lay.ns : lay.eu] = -win.end_value
    cost[lay.over : lay.up] = win.row_cost
    constant = float(win.box_cost @ win.box_lo + np.sum(win.ramp_cost * win.ramp_lo))
    if lay.ns:
        constant -= float(win.end_value @ win.e_lo[-1])
    return cost, constant


def _constant_boxes(problem: Problem, merge: Merge) -> tuple[float, Callable[[Prices], float]]:
    """Cost of the boxes too narrow to be variables, at their lower bounds, and what their width could be worth.

    The second is a function of the prices, at most WIDTH_MIN of each such box: what makes the bound strict.
    """
    boxes, fixed = problem.boxes, merge.box < 0
    width = np.where(fixed, merge.width, 0.0)

    def worth(prices: Prices) -> float:
        if not width.any():
            return 0.0
        reach = np.abs(boxes.bal) + np.abs(boxes.line)
        most = np.outer(np.abs(prices.lam) + prices.row.sum(), reach)
        most += np.outer(prices.up, np.abs(boxes.up)) + np.outer(prices.down, np.abs(boxes.down))
        return float(np.sum(width * (np.abs(boxes.cost) + most)))

    return float(np.sum(np.where(fixed, boxes.cost * merge.lo, 0.0))), worth


def _row_constants(lay: Layout, win: Window) -> FloatArray:
    """Right-hand sides of all rows, (R T + nm,), for pairs measured from their lower bounds."""
    T = lay.T
    hour = np.repeat(np.arange(T), np.diff(win.box_ptr))
    inj = np.zeros((T, lay.nc))
    np.add.at(inj, (hour, win.box_col), win.box_line * win.box_lo)
    for r in range(lay.nr):
        inj[:, win.ramp_col[r]] += win.ramp_lo[:, r]

    def given(coef: FloatArray) -> FloatArray:
        return np.bincount(hour, weights=coef * win.box_lo, minlength=T).astype(np.float64)

    right = np.empty(lay.R * T + lay.nm)
    hourly = right[: lay.R * T].reshape(T, lay.R)
    hourly[:, 0] = win.demand - given(win.box_bal) - win.ramp_lo.sum(axis=1)
    hourly[:, 1] = win.reserve_up - given(win.box_up)
    if lay.R == 3:
        hourly[:, 2] = win.reserve_down - given(win.box_down)
    if lay.nm:
        right[lay.R * T :] = np.einsum("mc,mc->m", win.row_coef, inj[win.row_hour]) - win.row_limit
    return right


def _slack_rows(lay: Layout, rows: FloatArray) -> FloatArray:
    """Of a vector over all rows, those with a slack, in the order of their pairs: up, down, line rows."""
    hours = lay.R * lay.T
    return np.concatenate((rows[:hours].reshape(lay.T, lay.R)[:, 1:].T.ravel(), rows[hours:]))


def solve(
    problem: Problem,
    rows: Rows,
    *,
    start: Prices | None = None,
    tolerance: float = 1e-8,
    loose: float | None = None,
    max_iterations: int = 100,
    reg: float = newton.REG,
    mu0: float | None = None,
    correctors: int = 1,
) -> tuple[Solution, Outcome]:
    """Solve one window.

    Parameters
    ----------
    problem, rows : Problem, Rows
        Scaled so that power and money are of order 1 to 1000; see `problem`.
    start : Prices, optional
        Prices of a kindred problem with the same rows; otherwise the smoothed merit order.
    tolerance : float
        On the gap relative to the objective.
    loose : float, optional
        Stop as soon as the relative gap and residuals are below it (to look at line flows early).

    Returns
    -------
    Solution, Outcome
        The solution is the last iterate in any case; `Outcome.status` says what it is worth.

    Reserve down is seldom scarce, and its rows are a third of the prices: they are left out at first, unless `start`
    has a price for them, and the window is solved again with them if they turn out to be missed.
    """
    options = (start, tolerance, loose, max_iterations, reg, mu0, correctors)
    if start is None or not np.any(start.down > DOWN_PRICED):
        solution, outcome = _solve(problem, rows, False, *options)
        if outcome.status != SOLVED or loose is not None or _room_down(problem, solution) >= 0.0:
            return solution, outcome
        again, last = _solve(problem, rows, True, *options)
        return again, last._replace(iterations=last.iterations + outcome.iterations)
    return _solve(problem, rows, True, *options)


def _room_down(problem: Problem, s: Solution) -> float:
    """Least reserve down beyond what is asked for, over the hours; scaled power."""
    units = problem.units
    room = s.q @ units.down[units.seg_unit] + s.x @ problem.boxes.down - problem.reserve_down
    return float(room.min(initial=np.inf))


def _down_prices(lay: Layout, z: FloatArray) -> FloatArray:
    """(T,) prices of reserve down; 0 without its rows."""
    return z[lay.down : lay.row].copy() if lay.R == 3 else np.zeros(lay.T)


def _solve(
    problem: Problem,
    rows: Rows,
    down: bool,
    start: Prices | None,
    tolerance: float,
    loose: float | None,
    max_iterations: int,
    reg: float,
    mu0: float | None,
    correctors: int,
) -> tuple[Solution, Outcome]:
    """`solve` with or without the rows of reserve down."""
    if mu0 is None:
        mu0 = MU_COLD if start is None else MU_WARM
    lay, win, merge = lay_out(problem, rows, down=down)
    T, size, first_row = lay.T, lay.size, lay.up
    p_path, e_path, lost = paths(lay, win)
    full_cost = full_load_cost(win)
    cost, constant = _cost_vector(lay, win)
    given, sure = _constant_boxes(problem, merge)
    constant += given
    right = _row_constants(lay, win)
    w = newton.work(lay)
    s, z = np.ones(size), np.ones(size)
    lam, theta = np.zeros(T), np.zeros((T, lay.ns))

    if start is None:
        merit_order(lay, win, full_cost, mu0, p_path, e_path, lam)
        z[first_row : lay.row] = 1e-3
        z[lay.row :] = mu0 / 0.3
    else:
        lam[:] = start.lam
        z[lay.up : lay.down] = np.maximum(start.up, 1e-3)
        if lay.R == 3:
            z[lay.down : lay.row] = np.maximum(start.down, 1e-3)
        z[lay.row :] = np.minimum(np.maximum(start.row, mu0 / 0.3), 0.99 * win.row_cost)
    newton.column_prices(lay, win, lam, z[lay.row :], w.price)
    fill(
        lay, win, full_cost, mu0, w.price, lam, z[lay.up : lay.down], _down_prices(lay, z), p_path, e_path, theta, s, z
    )
    s[lay.over : lay.up] = mu0 / np.maximum(win.row_cost - z[lay.row :], 1e-3)
    z[lay.over : lay.up] = np.maximum(win.row_cost - z[lay.row :], 1e-3)
    newton.row_values(lay, win, s, w)
    spare = _slack_rows(lay, w.values - right)
    s[first_row:] = np.maximum(spare, 0.3 if start is None else np.minimum(0.3, mu0 / z[first_row:]))
    if start is None:
        z[first_row : lay.row] = np.maximum(z[first_row : lay.row], 1e-6)

    a, e, ds, dz = np.empty(size), np.zeros(size), np.zeros(size), np.zeros(size)
    ds0, dz0, e_next = np.zeros(size), np.zeros(size), np.zeros(size)
    snapshot: Prices | None = None
    status, iteration, gap, primal, dual = ITERATION_LIMIT, 0, np.inf, np.inf, np.inf
    if lost:
        status, max_iterations = NO_INTERIOR, 0

    def direction(out_s: FloatArray, out_z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Newton step for the centring terms `e`; returns the steps of lambda and theta."""
        newton.right_side(lay, win, a, e, s, z, lam, theta, need, w)
        newton.solve_prices(w.factor, w.y)
        newton.step(lay, win, a, e, s, z, need, w, out_s, out_z)
        return w.y[0 : lay.R * T : lay.R].copy(), w.dtheta.copy()

    for iteration in range(max_iterations + 1):
        newton.column_prices(lay, win, lam, z[lay.row :], w.price)
        newton.row_values(lay, win, s, w)
        need = right - w.values
        need[1 : lay.R * T : lay.R] += s[lay.up : lay.down]
        if lay.R == 3:
            need[2 : 3 * T : 3] += s[lay.down : lay.row]
        need[lay.R * T :] += s[lay.row :]
        products, objective = flat.ratios(s, z, cost, reg, first_row, a)
        objective += constant
        gap = products / max(1.0, abs(objective))
        primal = float(np.max(np.abs(need)))
        dual = newton.dual_residual(lay, win, z, lam, theta, w) if gap <= 1e-4 else np.inf
        if not np.isfinite(products):
            break
        if snapshot is None and gap < SNAPSHOT_GAP:
            snapshot = Prices(lam.copy(), z[lay.up : lay.down].copy(), _down_prices(lay, z), z[lay.row :].copy())
        if loose is not None and gap < loose and primal < loose:
            status = SOLVED
            break
        if gap <= tolerance and primal <= 1e-6 and dual <= 1e-6:
            status = SOLVED
            break
        if iteration == max_iterations:
            break
        newton.curvature(lay, win, a, w)
        newton.assemble(lay, win, a, w)
        newton.cholesky(w.matrix, w.factor)
        e[:] = 0.0
        direction(ds0, dz0)
        alpha_s, alpha_z = flat.step_lengths(s, z, ds0, dz0)
        alpha_s, alpha_z = min(1.0, alpha_s), min(1.0, alpha_z)
        mu = products / size
        after = flat.gap_after(s, z, ds0, dz0, alpha_s, alpha_z)
        sigma_mu = mu * min(1.0, after / products) ** 3
        flat.centre(s, ds0, dz0, sigma_mu, e)
        dlam, dtheta = direction(ds, dz)
        alpha_s, alpha_z = flat.step_lengths(s, z, ds, dz)
        for _ in range(correctors):
            if min(alpha_s, alpha_z) > 0.95:
                break
            aim_s, aim_z = min(1.0, 1.08 * min(1.0, alpha_s) + 0.3), min(1.0, 1.08 * min(1.0, alpha_z) + 0.3)
            flat.recentre(s, z, ds, dz, aim_s, aim_z, sigma_mu, e, e_next)
            e, e_next = e_next, e
            longer = direction(ds0, dz0)
            longer_s, longer_z = flat.step_lengths(s, z, ds0, dz0)
            if min(1.0, longer_s) + min(1.0, longer_z) < min(1.0, alpha_s) + min(1.0, alpha_z) + 0.03:
                break
            ds, ds0, dz, dz0 = ds0, ds, dz0, dz
            (dlam, dtheta), alpha_s, alpha_z = longer, longer_s, longer_z
        fraction = min(0.9995, max(0.99, 1.0 - mu))
        alpha_s, alpha_z = min(1.0, fraction * alpha_s), min(1.0, fraction * alpha_z)
        flat.advance(s, z, ds, dz, alpha_s, alpha_z)
        lam += alpha_z * dlam
        theta += alpha_z * dtheta

    x = win.box_lo + s[lay.bl : lay.bu]
    first = win.seg_first[:-1]
    q = s[lay.q : lay.w].reshape(T, lay.nk)
    head = s[lay.w : lay.n].reshape(T, lay.nk)
    prices = Prices(lam, z[lay.up : lay.down].copy(), _down_prices(lay, z), z[lay.row :].copy())
    solution = Solution(
        u=(q[:, first] + head[:, first]) / win.seg_width[first],
        q=q.copy(),
        x=split(merge, win, x),
        p=win.ramp_lo + s[lay.pl : lay.ph].reshape(T, lay.nr),
        charge=s[lay.cl : lay.cu].reshape(T, lay.ns).copy(),
        discharge=s[lay.dl : lay.du].reshape(T, lay.ns).copy(),
        e=win.e_lo + s[lay.el : lay.eu].reshape(T, lay.ns),
        overload=s[lay.over : lay.up].copy(),
        price=prices.lam,
        price_up=prices.up,
        price_down=prices.down,
        price_row=prices.row,
        objective=objective if not lost else np.nan,
        bound=lagrangian(lay, win, prices, theta, z) + given - sure(prices) if not lost else -np.inf,
    )
    return solution, Outcome(status, iteration, gap, primal, dual, "; ".join(lost), snapshot)
