"""The window problem solved in price space: a primal-dual interior point whose dense algebra is only on prices.

Mehrotra's predictor and corrector with separate steps, a centrality corrector (Gondzio, 1996), a start from the
smoothed merit order or from kindred prices, and honest stopping: relative gap, primal and dual residual. `newton` has
the structure, `flat` the loops, `start` the start, `bound` the certificate.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gridsim.kernels import flat, newton, prices
from gridsim.kernels.bound import lagrangian
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray, kernel
from gridsim.kernels.layout import Layout, Window, lay_out, split
from gridsim.kernels.problem import Problem, Rows, Solution, Stores, used
from gridsim.kernels.start import Prices, box_places, by_device, fill, full_load, merit_order, paths, to_segments

SOLVED, ITERATION_LIMIT, NO_INTERIOR, DEAR = 0, 1, 2, 3
SNAPSHOT_GAP = 1e-2
MU_COLD, MU_WARM = 0.2, 1e-2  # complementarity products at the start
DEAR_SEEN = 0.1  # gap from which an iterate is a guess of what the optimum costs
LONG_ENOUGH = 0.4  # steps that no centrality corrector is worth lengthening: it costs a third direction


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


@kernel
def price_items(win, y, out):
    """Prices of all items at the prices `y` of the rows."""
    prices.price_items(win, y, out)


def solve(
    problem: Problem,
    rows: Rows,
    *,
    start: Prices | None = None,
    tolerance: float = 1e-8,
    loose: float | None = None,
    most: float = np.inf,
    max_iterations: int = 100,
    reg: float = newton.REG,
    mu0: float | None = None,
    correctors: int = 1,
    products: Iterable[int] = (1,),
    budgets: Iterable[int] = (),
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
    most : float
        Stop (`DEAR`) as soon as the bound is above it: what costs more is of no use.
    products : ints
        Reserve products (columns of the needs) whose rows are in from the start. Few are scarce in a window: the rows
        of the others are left out until a solution misses them, and then the window is solved again.
    budgets : ints
        Budget rows likewise; those whose remainder has a value are in anyway.

    Returns
    -------
    Solution, Outcome
        The solution is the last iterate in any case; `Outcome.status` says what it is worth.
    """
    count = problem.need.shape[1]
    wanted = np.zeros(count, dtype=bool)
    wanted[[r for r in products if 0 < r < count]] = True
    binding = problem.budgets.value > 0.0
    binding[[int(b) for b in budgets]] = True
    resting = _may_rest(problem.stores, start)
    iterations = 0
    while True:
        inside = np.flatnonzero(wanted), np.flatnonzero(binding), resting
        solution, outcome = _Solve(problem, rows, *inside, start, reg, mu0).run(
            tolerance, loose, most, max_iterations - iterations, correctors
        )
        iterations += outcome.iterations
        woken = _in_demand(problem.stores, rows, solution, np.flatnonzero(resting))
        if woken.size:
            resting[woken] = False
            continue
        if outcome.status != SOLVED or loose is not None:  # a bound holds as soon as none at rest is in demand
            return solution, outcome._replace(iterations=iterations)
        missed = _missed(problem, solution) & ~wanted
        exceeded = (used(problem, solution) > problem.budgets.limit) & ~binding
        if not missed.any() and not exceeded.any():
            return solution, outcome._replace(iterations=iterations)
        wanted |= missed
        binding |= exceeded


def _may_rest(stores: Stores, start: Prices | None) -> BoolArray:
    """(ns,) stores that only give, at a cost that no hour's price reaches in a kindred problem."""
    if start is None:
        return np.zeros(stores.bus.size, dtype=np.bool_)
    gives: BoolArray = np.all(stores.charge_max <= 0.0, axis=0)
    return gives & (stores.discharge_cost > start.hourly[:, 0].max(initial=0.0))


def _in_demand(stores: Stores, rows: Rows, s: Solution, resting: IntArray) -> IntArray:
    """Those of the stores `resting` that are worth more than they cost in some hour; rest is best for the others."""
    price = np.repeat(s.price[:, :1], resting.size, axis=1)
    np.subtract.at(price, rows.hour, np.minimum(s.price_row, rows.cost)[:, None] * rows.coef[:, stores.bus[resting]])
    return resting[np.any(price > stores.discharge_cost[resting], axis=0)]


def _missed(problem: Problem, s: Solution) -> BoolArray:
    """(R,) reserve products that fall short in some hour."""
    units, boxes, ramps = problem.units, problem.boxes, problem.ramps
    given = s.u @ units.coef + s.q @ units.seg_coef + s.x @ boxes.coef + s.ramp_q @ ramps.seg_coef
    missed: BoolArray = np.any(given < problem.need, axis=0)
    missed[0] = False
    return missed


class _Solve:
    """One window laid out, its iterate, and the work arrays."""

    def __init__(
        self, problem: Problem, rows: Rows, products: IntArray, budgets: IntArray, resting: BoolArray,
        start: Prices | None, reg: float, mu0: float | None,
    ):  # fmt: skip
        self.problem, self.rows, self.reg = problem, rows, reg
        self.lay, self.win, self.maps = lay_out(problem, rows, products, budgets, resting)
        lay, win = self.lay, self.win
        self.w = newton.work(lay, int(win.item_at[-1]))
        self.cost = _cost_vector(lay, win)
        self.constant = self.maps.constant - float(np.sum(win.end_value * win.e_lo[-1]))
        self.s, self.z = np.ones(lay.size), np.ones(lay.size)
        self.paths = paths(lay, win, self.maps)
        with np.errstate(divide="ignore", invalid="ignore"):
            self._start(start, (MU_COLD if start is None else MU_WARM) if mu0 is None else mu0)

    def _start(self, start: Prices | None, mu: float) -> None:
        lay, win, w, s, z = self.lay, self.win, self.w, self.s, self.z
        T, R = lay.T, lay.R
        full = full_load(lay, win)
        if start is None:
            places = box_places(lay, win)
            hour = np.repeat(np.arange(T), np.diff(win.box_at))
            balance = win.effect[win.effect_at[hour] + places - win.item_at[hour]]
            self.lam = merit_order(lay, win, full, mu, self.paths, balance)
            z[lay.res : lay.row] = 1e-3
            z[lay.row :] = np.minimum(mu / 0.3, 0.5 * win.row_cost)
        else:
            self.lam = start.hourly[:, 0].copy()
            z[lay.res : lay.row] = np.maximum(start.hourly[:, self.maps.products], 1e-3).ravel()
            z[lay.row :] = np.minimum(np.maximum(self._of_rows(start), mu / 0.3), 0.99 * win.row_cost)
        y = np.empty(lay.m)
        y[win.row_at[:-1]] = self.lam
        y[win.row_at[:-1, None] + np.arange(1, R)] = z[lay.res : lay.row].reshape(T, R - 1)
        y[self.maps.row] = z[lay.row :] + win.row_value
        price_items(win, y, w.price)
        self.theta = fill(lay, win, full, mu, w.price, self.paths, s, z)
        spare_price = np.maximum(win.row_cost - z[lay.row :], 1e-3)
        s[lay.over : lay.res] = mu / spare_price
        z[lay.over : lay.res] = spare_price
        s[lay.res :] = 0.0
        newton.evaluate(lay, win, s, z, self.lam, self.cost, self.reg, np.empty(lay.size), w)
        spare = np.concatenate((-w.miss[win.row_at[:-1, None] + np.arange(1, R)].ravel(), -w.miss[self.maps.row]))
        least = 0.3 if start is None else np.minimum(0.3, mu / z[lay.res :])
        s[lay.res :] = np.maximum(spare, least)
        if start is None:
            z[lay.res : lay.row] = np.maximum(z[lay.res : lay.row], 1e-6)

    def run(
        self, tolerance: float, loose: float | None, most: float, max_iterations: int, correctors: int
    ) -> tuple[Solution, Outcome]:
        lay, win, w, s, z, lam, theta = self.lay, self.win, self.w, self.s, self.z, self.lam, self.theta
        size = lay.size
        a, e, e_next, none = np.empty(size), np.zeros(size), np.zeros(size), np.zeros(size)
        ds, dz, ds0, dz0 = np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size)
        snapshot: Prices | None = None
        lost = "; ".join(self.paths.lost)
        status, iteration, gap, primal, dual, objective = ITERATION_LIMIT, 0, np.inf, np.inf, np.inf, np.nan
        if lost:
            status, max_iterations = NO_INTERIOR, 0

        for iteration in range(max_iterations + 1):
            products, objective, primal = newton.evaluate(lay, win, s, z, lam, self.cost, self.reg, a, w)
            objective += self.constant
            gap = products / max(1.0, abs(objective))
            if not np.isfinite(products):
                break
            if snapshot is None and gap < SNAPSHOT_GAP:
                snapshot = self._prices()
            if loose is not None and gap < loose and primal < loose:
                status = SOLVED
                break
            if gap <= tolerance and primal <= 1e-6:
                dual = self.dual_residual()
                if dual <= 1e-6:
                    status = SOLVED
                    break
            if iteration == max_iterations:
                break
            if gap < DEAR_SEEN and objective - products > most and self.bound(self._prices()) > most:
                status = DEAR
                break
            newton.factorise(lay, win, a, w)
            long_s, long_z = newton.direction(lay, win, a, none, s, z, theta, w, ds0, dz0)
            sigma_mu = flat.centre(s, z, ds0, dz0, min(1.0, long_s), min(1.0, long_z), products, e)
            long_s, long_z = newton.direction(lay, win, a, e, s, z, theta, w, ds, dz)
            dlam, dtheta = w.dy[win.row_at[:-1]], w.dtheta.copy()
            for _ in range(correctors):
                if min(long_s, long_z) > LONG_ENOUGH:
                    break
                aim_s, aim_z = min(1.0, 1.08 * min(1.0, long_s) + 0.3), min(1.0, 1.08 * min(1.0, long_z) + 0.3)
                flat.recentre(s, z, ds, dz, aim_s, aim_z, sigma_mu, e, e_next)
                e, e_next = e_next, e
                longer_s, longer_z = newton.direction(lay, win, a, e, s, z, theta, w, ds0, dz0)
                if min(1.0, longer_s) + min(1.0, longer_z) < min(1.0, long_s) + min(1.0, long_z) + 0.03:
                    break
                ds, ds0, dz, dz0 = ds0, ds, dz0, dz
                dlam, dtheta, long_s, long_z = w.dy[win.row_at[:-1]], w.dtheta.copy(), longer_s, longer_z
            fraction = min(0.9995, max(0.99, 1.0 - products / size))
            step_s, step_z = min(1.0, fraction * long_s), min(1.0, fraction * long_z)
            flat.advance(s, z, ds, dz, step_s, step_z)
            lam += step_z * dlam
            theta += step_z * dtheta
        solution = self.solution(objective, bounded=not lost)
        return solution, Outcome(status, iteration, gap, primal, dual, lost, snapshot)

    def _prices(self) -> Prices:
        lay, z = self.lay, self.z
        hourly = np.zeros(self.problem.need.shape)
        hourly[:, 0] = self.lam
        hourly[:, self.maps.products] = z[lay.res : lay.row].reshape(lay.T, lay.R - 1)
        of_rows = z[lay.row :] + self.win.row_value
        budget = np.zeros(self.problem.budgets.limit.size)
        budget[self.maps.budgets] = of_rows[lay.nm :]
        return Prices(hourly, of_rows[: lay.nm], budget)

    def _of_rows(self, prices: Prices) -> FloatArray:
        """(nm + nq,) duals of line and budget rows at `prices`; 0 of budgets without a price there."""
        budget = self.problem.budgets.value if prices.budget is None else prices.budget
        return np.concatenate((prices.row, budget[self.maps.budgets])) - self.win.row_value

    def _dual(self, first: int, *shape: int) -> FloatArray:
        return self.z[first : first + int(np.prod(shape))].reshape(shape)

    def dual_residual(self) -> float:
        """Largest residual of the reduced costs at the present iterate, scaled money per energy."""
        lay, win, z, w = self.lay, self.win, self.z, self.w
        T, nu, nk, nr, ng, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns
        places = box_places(lay, win)
        steady = np.delete(w.price, places).reshape(T, lay.fixed_items)
        z_w = self._dual(lay.w, T, nk)

        start = self._dual(lay.c, T, nu)
        push = _of_step(self._dual(lay.pu, T, nr) - self._dual(lay.pd, T, nr))
        charge, net, later = (
            self.theta,
            steady[:, nu + nk + ng :],
            np.vstack((self.theta[1:] * win.keep, win.end_value)),
        )
        residuals = (
            win.seg_cost - steady[:, nu : nu + nk] - self._dual(lay.q, T, nk) + z_w,
            win.unit_cost - steady[:, :nu] - by_device(win.unit_level, win.seg_width * z_w, nu)
            + self._dual(lay.n, T, nu) + _of_step(start),
            win.unit_start - start - self._dual(lay.v, T, nu),
            win.box_cost - w.price[places] - z[lay.bl : lay.bu] + z[lay.bu : lay.gl],
            win.ramp_cost - steady[:, nu + nk : nu + nk + ng] - self._dual(lay.gl, T, ng) + self._dual(lay.gu, T, ng)
            + to_segments(win.ramp_level, push),
            win.charge_cost + net - win.eta_c * charge - self._dual(lay.cl, T, ns) + self._dual(lay.cu, T, ns),
            win.discharge_cost - net + charge / win.eta_d - self._dual(lay.dl, T, ns) + self._dual(lay.du, T, ns),
            charge[:, : lay.ny] - self._dual(lay.yl, T, lay.ny) + self._dual(lay.yu, T, lay.ny),
            charge - later - self._dual(lay.el, T, ns) + self._dual(lay.eu, T, ns),
            win.row_cost - z[lay.row :] - z[lay.over : lay.res],
        )  # fmt: skip
        return max((float(np.max(np.abs(part))) for part in residuals if part.size), default=0.0)

    def solution(self, objective: float, *, bounded: bool) -> Solution:
        """The present iterate in the problem's own order."""
        lay, win, maps, s = self.lay, self.win, self.maps, self.s
        T, nu, nk, ng, ns = lay.T, lay.nu, lay.nk, lay.ng, lay.ns

        def pairs(first: int, count: int) -> FloatArray:
            return s[first : first + T * count].reshape(T, count)

        def of_stores(value: FloatArray, rest: FloatArray) -> FloatArray:
            out = np.array(rest)
            out[:, maps.store[: value.shape[1]]] = value
            return out

        stores, rest = self.problem.stores, maps.rest
        q, head = pairs(lay.q, nk), pairs(lay.w, nk)
        u_out, q_out, ramp_q = np.empty((T, nu)), np.empty((T, nk)), np.empty((T, ng))
        u_out[:, maps.unit] = (q[:, :nu] + head[:, :nu]) / win.seg_width[:nu]
        q_out[:, maps.seg] = q
        ramp_q[:, maps.ramp_seg] = pairs(lay.gl, ng)
        ramp_price = np.empty((T, lay.nr))
        ramp_price[:, maps.ramp] = _of_step(self._dual(lay.pu, T, lay.nr) - self._dual(lay.pd, T, lay.nr))
        prices = self._prices()
        excess = np.zeros(self.problem.budgets.limit.size)
        excess[maps.budgets] = s[lay.over + lay.nm : lay.res]
        return Solution(
            u=u_out,
            q=q_out,
            x=split(maps, win, s[lay.bl : lay.bu]),
            ramp_q=ramp_q,
            charge=of_stores(win.charge_lo + pairs(lay.cl, ns), stores.charge_min),
            discharge=of_stores(win.discharge_lo + pairs(lay.dl, ns), stores.discharge_min),
            spill=of_stores(pairs(lay.yl, lay.ny), rest.spill),
            e=of_stores(win.e_lo + pairs(lay.el, ns), rest.e),
            overload=s[lay.over : lay.over + lay.nm].copy(),
            price=prices.hourly,
            price_row=prices.row,
            ramp_price=ramp_price,
            store_value=of_stores(self.theta, rest.value),
            objective=objective,
            bound=self.bound(prices) if bounded else -np.inf,
            excess=excess,
            price_budget=np.zeros(excess.size) if prices.budget is None else prices.budget,
        )

    def bound(self, prices: Prices) -> float:
        """The Lagrangian at `prices`, strict also for boxes too narrow to be variables."""
        lay, win, boxes = self.lay, self.win, self.problem.boxes
        y = np.empty(lay.m)
        y[win.row_at[:-1, None] + np.arange(lay.R)] = prices.hourly[:, np.concatenate(([0], self.maps.products))]
        y[self.maps.row] = np.minimum(self._of_rows(prices), win.row_cost) + win.row_value
        price = np.empty(int(win.item_at[-1]))
        price_items(win, y, price)
        value = lagrangian(lay, win, y, price, self.theta, self.z, self.maps.constant)
        narrow = np.where(self.maps.box < 0, self.maps.box_width, 0.0)
        if narrow.any():
            most = np.abs(prices.hourly) @ np.abs(boxes.coef).T + np.abs(boxes.line) * prices.row.sum()
            if lay.nq:
                most = most + y[self.maps.row[lay.nm :]] @ np.abs(self.problem.budgets.box[self.maps.budgets])
            value -= float(np.sum(narrow * (np.abs(boxes.cost) + most)))
        return value


def _of_step(value: FloatArray) -> FloatArray:
    """What multipliers on x_t - x_(t-1) come to on x_t."""
    return value - np.vstack((value[1:], np.zeros((1, value.shape[1]))))


def _cost_vector(lay: Layout, win: Window) -> FloatArray:
    """The objective as cost . s, but for a constant."""
    T, cost = lay.T, np.zeros(lay.size)
    per_width = np.zeros(lay.nk)
    per_width[: lay.nu] = win.unit_cost / win.seg_width[: lay.nu]
    cost[lay.q : lay.w] = np.tile(win.seg_cost + per_width, T)
    cost[lay.w : lay.n] = np.tile(per_width, T)
    cost[lay.v : lay.c] = np.tile(win.unit_start, T)
    cost[lay.bl : lay.bu] = win.box_cost
    cost[lay.gl : lay.gu] = win.ramp_cost.ravel()
    cost[lay.cl : lay.cu] = np.tile(win.charge_cost, T)
    cost[lay.dl : lay.du] = np.tile(win.discharge_cost, T)
    cost[lay.eu - lay.ns : lay.eu] = -win.end_value
    cost[lay.over : lay.res] = win.row_cost + win.row_value
    cost[lay.row :] = -win.row_value
    return cost
