"""Better prices: a proximal bundle method on the Lagrangian of a window of single units.

    L(pi) = sum_t lam_t demand_t + mu_t reserve_t + sum_m nu_m need_m + sum_t min over the band of -lam_t y_t
            + sum_i V_i(pi) + rest(pi),    pi = (lam, mu, nu)

with prices nu >= 0 of further rows that read "what units give >= need" (other reserve products, lines) is concave, and
every value of it is a lower bound on the cost of the window. V_i are the unit values of `single`. Every
evaluation gives one cut per block of units: its schedules' cost c and supply a, with V_b(pi) <= c - pi . a. From the
best prices so far, pi, the next ones are pi + d with the d that maximises the least of the cuts, summed over blocks,
less |d|^2 / (2 step). In terms of weights x >= 0 on the cuts, summing to one in each block,

    d = step * s  cut to lowest <= pi + d <= highest,   s = (demand, reserve, need) - (y, 0, 0) - sum_bj x_bj a_bj   (1)

and the weights are improved two at a time, block by block, by exact steps. One block for all units is the classic
aggregated bundle; one block per unit is as strong as column generation, with its prices held near the best. The weights
are also a relaxed commitment: convex combinations of schedules that each unit can really do.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gridsim.kernels import single
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray, kernel

Rest = Callable[[FloatArray], tuple[float, FloatArray]]

# shares of the predicted gain: for a step, for a longer one, for a much longer one; cut after null steps
_SERIOUS, _GROW, _LEAP, _SHRINK = 0.1, 0.5, 0.9, 0.6
_REACH = 4096.0  # times the first step: where nothing is to be gained before the search ends


class UnitRows(NamedTuple):
    """Further rows that units have a part in: what they give in an hour >= need. M rows, sorted by hour or not."""

    hour: IntArray  # (M,)
    need: FloatArray  # (M,)
    on: FloatArray  # (M, n) of a unit on at p_min
    seg: FloatArray  # (M, nk) of a MW on a segment; dearer segments never give more per money: prices must not fall
    highest: FloatArray  # (M,) what a MW not given costs: no price is above it


def no_unit_rows(units: single.SingleUnits) -> UnitRows:
    """None."""
    none = np.zeros(0)
    return UnitRows(
        np.zeros(0, np.int64), none, np.zeros((0, units.cap.size)), np.zeros((0, units.seg_width.size)), none
    )


class Demand(NamedTuple):
    """What the units are asked for. The band is a free source (renewables) between two bounds, anywhere in it."""

    demand: FloatArray  # (T,) MW
    reserve: FloatArray  # (T,) MW of reserve up
    band_lo: FloatArray  # (T,) MW
    band_hi: FloatArray  # (T,) MW
    line_price: FloatArray  # (T, n) added to lam at each unit
    price_down: FloatArray  # (T, n) of reserve down at each unit, >= 0
    shortage_price: float = np.inf  # what energy or reserve not delivered costs: no price is above it
    excess_price: float = np.inf  # what energy too much costs


class Master(NamedTuple):
    """Cuts of every block. nb blocks, M cuts at most, P prices: of energy, of reserve, of further rows."""

    used: IntArray  # (nb,) cuts in use
    cost: FloatArray  # (nb, M)
    supply: FloatArray  # (nb, M, P)
    born: IntArray  # (nb, M) evaluation that gave the cut
    weight: FloatArray  # (nb, M)
    value: FloatArray  # (nb, M) of the cut at the prices in hand
    band: FloatArray  # (T,) y
    slack: FloatArray  # (P,) s of (1)
    move: FloatArray  # (P,) d of (1)
    price: FloatArray  # (P,) pi + d
    lowest: FloatArray  # (P,) bounds of the prices
    highest: FloatArray  # (P,)


class Prices(NamedTuple):
    """What the bundle found."""

    lam: FloatArray  # (T,) best prices
    mu: FloatArray  # (T,)
    nu: FloatArray  # (M,) of further rows
    bound: float  # L at these prices
    value: FloatArray  # (n,) V_i at these prices
    relaxed: FloatArray  # (T, n) on-counts averaged with the weights
    born: IntArray  # (nb, M) evaluation of each cut kept, -1: none
    weight: FloatArray  # (nb, M)
    excess: FloatArray  # (nb, M) cost of the cut's schedules above the block's value at the best prices
    block: IntArray  # (n,) block of each unit
    schedules: BoolArray  # (evaluations, T, n)
    evaluations: int


@kernel
def _paid(price, b, j, supply):
    """price . supply[b, j]; four sums at a time, which need not wait for one another."""
    size = price.size
    a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
    whole = size - size % 4
    for k in range(0, whole, 4):
        a0 += price[k] * supply[b, j, k]
        a1 += price[k + 1] * supply[b, j, k + 1]
        a2 += price[k + 2] * supply[b, j, k + 2]
        a3 += price[k + 3] * supply[b, j, k + 3]
    for k in range(whole, size):
        a0 += price[k] * supply[b, j, k]
    return (a0 + a1) + (a2 + a3)


@kernel
def _insert(pi, block_cost, block_supply, evaluation, tolerance, m):
    """Add the cuts made at prices pi, where they say something new; a full block loses its least useful cut."""
    nb, most = m.cost.shape
    size = pi.size
    for b in range(nb):
        fresh = block_cost[b]
        for k in range(size):
            fresh -= pi[k] * block_supply[b, k]
        least, worst, worst_value = np.inf, -1, -np.inf
        for j in range(m.used[b]):
            v = m.cost[b, j] - _paid(pi, b, j, m.supply)
            least = min(least, v)
            if m.weight[b, j] <= 0.0 and m.value[b, j] > worst_value:
                worst, worst_value = j, m.value[b, j]
        if fresh >= least - tolerance:
            continue
        j = m.used[b]
        if j == most:
            if worst < 0:
                continue
            j = worst
        else:
            m.used[b] += 1
        m.cost[b, j], m.born[b, j], m.weight[b, j] = block_cost[b], evaluation, 0.0
        if m.used[b] == 1:
            m.weight[b, j] = 1.0
        for k in range(size):
            m.supply[b, j, k] = block_supply[b, k]


@kernel(part=True)
def _restart(ask, pi, step, m):
    """s and d of (1) afresh from the weights."""
    T = m.band.size
    for k in range(pi.size):
        s = ask[k] - (m.band[k] if k < T else 0.0)
        for b in range(m.used.size):
            for j in range(m.used[b]):
                if m.weight[b, j] > 0.0:
                    s -= m.weight[b, j] * m.supply[b, j, k]
        m.slack[k] = s
        m.move[k] = min(max(step * s, m.lowest[k] - pi[k]), m.highest[k] - pi[k])
        m.price[k] = pi[k] + m.move[k]


@kernel
def _sweep(pi, step, band_lo, band_hi, m):
    """One round of exact steps over all blocks."""
    T, size = m.band.size, pi.size
    for t in range(T):  # the band: d falls by step per MW of y
        y = m.band[t]
        price = pi[t] + m.move[t]
        to = min(max(y + price / step, band_lo[t]), band_hi[t])
        m.band[t] = to
        m.slack[t] -= to - y
        m.move[t] = min(max(step * m.slack[t], m.lowest[t] - pi[t]), m.highest[t] - pi[t])
        m.price[t] = pi[t] + m.move[t]
    for b in range(m.used.size):
        best, worst = 0, -1
        for j in range(m.used[b]):
            v = m.cost[b, j] - _paid(m.price, b, j, m.supply)
            m.value[b, j] = v
            if v < m.value[b, best]:
                best = j
            if m.weight[b, j] > 0.0 and (worst < 0 or v > m.value[b, worst]):
                worst = j
        gain = m.value[b, worst] - m.value[b, best]
        if gain <= 0.0:
            continue
        square = 0.0
        for k in range(size):
            delta = m.supply[b, best, k] - m.supply[b, worst, k]
            square += delta * delta
        by = m.weight[b, worst]
        if step * square * by > gain:
            by = gain / (step * square)
            m.weight[b, worst] -= by
        else:
            m.weight[b, worst] = 0.0
        m.weight[b, best] += by
        for k in range(size):
            m.slack[k] -= by * (m.supply[b, best, k] - m.supply[b, worst, k])
            m.move[k] = min(max(step * m.slack[k], m.lowest[k] - pi[k]), m.highest[k] - pi[k])
            m.price[k] = pi[k] + m.move[k]


@kernel
def solve_master(ask, band_lo, band_hi, pi, step, least_gain, sweeps, bound, m):
    """Weights and the move d for a step length.

    Parameters
    ----------
    ask : (P,) float64, read only
        Demand, then reserve, then needs.
    pi : (P,) float64, read only
        The best prices, where L is `bound`.
    least_gain : float
        Accuracy below which the weights need not be better.
    m : Master, updated

    Returns
    -------
    float, float
        Gain over `bound` that the cuts predict, and how far the weights are from the best ones: no prices within reach
        of the step can gain more than the sum of the two.
    """
    T = m.band.size
    _restart(ask, pi, step, m)
    gain, far = np.inf, np.inf
    for count in range(sweeps):
        _sweep(pi, step, band_lo, band_hi, m)
        if count % 8 != 7 and count < sweeps - 1:
            continue
        gain, far = -bound, 0.0
        for k in range(pi.size):
            gain += ask[k] * (pi[k] + m.move[k])
        for t in range(T):
            price = pi[t] + m.move[t]
            best = max(price * band_hi[t], price * band_lo[t])
            gain -= best
            far += best - price * m.band[t]
        for b in range(m.used.size):
            least, mean = np.inf, 0.0
            for j in range(m.used[b]):
                v = m.cost[b, j] - _paid(m.price, b, j, m.supply)
                least = min(least, v)
                mean += m.weight[b, j] * v
            gain += least
            far += mean - least
        if far < max(0.05 * gain, least_gain):
            break
    return gain, far


@kernel
def _price_rows(nu, rows, cost, seg_cost, on_out, seg_out):
    """Costs of units (T, n) and of their segments (T, nk) less what rows pay them."""
    T, n = on_out.shape
    nk = seg_cost.size
    for t in range(T):
        for i in range(n):
            on_out[t, i] = cost[i]
        for k in range(nk):
            seg_out[t, k] = seg_cost[k]
    for m in range(nu.size):
        t, price = rows.hour[m], nu[m]
        if price == 0.0:
            continue
        for i in range(n):
            on_out[t, i] -= price * rows.on[m, i]
        for k in range(nk):
            seg_out[t, k] -= price * rows.seg[m, k]


@kernel
def _block_sums(pi, block, value, on, p, up, units, rows, q, cost, supply):
    """Sum of the units' cuts in each block: what they give to each row, and the cost that makes V = cost - pi . supply.

    q : (T, nk) float64, scratch: output of the segments, filled from the lowest
    """
    T, n = p.shape
    for b in range(cost.size):
        cost[b] = 0.0
        for k in range(pi.size):
            supply[b, k] = 0.0
    for i in range(n):
        cost[block[i]] += value[i]
        for t in range(T):
            supply[block[i], t] += p[t, i]
            supply[block[i], T + t] += up[t, i]
            left = p[t, i] - units.p_min[i] if on[t, i] else 0.0
            for k in range(units.seg_first[i], units.seg_first[i + 1]):
                q[t, k] = max(0.0, min(left, units.seg_width[k]))
                left -= q[t, k]
    for m in range(rows.hour.size):
        t = rows.hour[m]
        for i in range(n):
            if on[t, i]:
                given = rows.on[m, i]
                for k in range(units.seg_first[i], units.seg_first[i + 1]):
                    given += rows.seg[m, k] * q[t, k]
                supply[block[i], 2 * T + m] += given
    for b in range(cost.size):
        for k in range(pi.size):
            cost[b] += pi[k] * supply[b, k]


class Bundle:
    """One run: buffers, the cuts, the best prices. It can be taken further.

    Parameters
    ----------
    rows : UnitRows, optional
        Further rows, with prices to start from, nu (M,).
    rest : callable, optional
        (P,) prices -> (value, (P,) what is given) of everything else that the prices reach: its least cost there
        (constants included) and an answer that has it.
    block : (n,) int64, optional
        Units whose cuts are added up, 0 .. nb - 1; twins (`same`) belong in one block. Default: all in one.
    evaluations : int
        Of all units, at most.
    target : float
        Stop when the cuts predict a gain below this share of the bound.
    """

    def __init__(
        self,
        units: single.SingleUnits,
        system: Demand,
        lam: FloatArray,
        mu: FloatArray,
        *,
        rows: UnitRows | None = None,
        nu: FloatArray | None = None,
        rest: Rest | None = None,
        block: IntArray | None = None,
        evaluations: int = 30,
        cuts: int = 60,
        sweeps: int = 100,
        target: float = 1e-5,
    ) -> None:
        T, n = units.avail.shape
        self.block = np.zeros(n, dtype=np.int64) if block is None else block
        self.rows = no_unit_rows(units) if rows is None else rows
        self.units, self.system, self.rest = units, system, rest
        self.sweeps, self.target = sweeps, target
        self.groups = int(self.block.max()) + 1
        nb = self.groups + (rest is not None)
        self.ask = np.concatenate((system.demand, system.reserve, self.rows.need))
        size = self.ask.size
        self.q = np.zeros((T, units.seg_width.size))
        self.work = single.workspace(units)
        self.real = [np.zeros((T, n)) for _ in range(2)]
        self.value, self.on = np.zeros(n), np.zeros((T, n), dtype=np.bool_)
        self.out = [np.zeros((T, n)) for _ in range(3)]
        self.cost, self.supply = np.zeros(nb), np.zeros((nb, size))
        self.schedules = np.zeros((evaluations, T, n), dtype=np.bool_)
        self.count = 0
        one = np.zeros((nb, cuts))
        whole = np.full((nb, cuts), -1, dtype=np.int64)
        self.master = Master(
            np.zeros(nb, dtype=np.int64), one.copy(), np.zeros((nb, cuts, size)), whole, one.copy(), one.copy(),
            0.5 * (system.band_lo + system.band_hi), np.zeros(size), np.zeros(size), np.zeros(size),
            np.repeat([-system.excess_price, 0.0], [T, size - T]),
            np.concatenate((np.full(2 * T, system.shortage_price), self.rows.highest)),
        )  # fmt: skip
        m = self.master
        first = np.zeros(self.rows.hour.size) if nu is None else nu
        self.best = np.clip(np.concatenate((lam, mu, first)), m.lowest, m.highest)
        self.bound = self.evaluate(self.best)
        self.worth = self.value.copy()  # of each unit at the best prices
        slope = self.slope(self.best)
        self.tolerance = 1e-9 * (1.0 + abs(self.bound)) / n
        _insert(self.best, self.cost, self.supply, 0, self.tolerance, m)
        self.step = 0.005 * abs(self.bound) / max(float(slope @ slope), 1e-12)
        self.least_step, self.reach = 1e-3 * self.step, _REACH * self.step
        self.nulls, self.ended = 0, False

    def evaluate(self, pi: FloatArray) -> float:
        """L at pi; the cuts go into `cost` and `supply`."""
        T = self.system.demand.size
        lam, mu = self.real
        np.add(pi[:T, None], self.system.line_price, out=lam)
        mu[:] = pi[T : 2 * T, None]
        nu, work = pi[2 * T :].copy(), self.work
        _price_rows(nu, self.rows, self.units.cost, self.units.seg_cost, work.on_cost, work.seg_cost)
        single.evaluate(self.units, lam, mu, self.system.price_down, work, self.value, self.on, *self.out)
        cost, supply = self.cost[: self.groups], self.supply[: self.groups]
        _block_sums(
            pi, self.block, self.value, self.on, self.out[0], self.out[1], self.units, self.rows, self.q, cost, supply
        )
        self.schedules[self.count] = self.on
        self.count += 1
        total = float(pi @ self.ask + self.value.sum())
        total -= float(np.maximum(pi[:T] * self.system.band_lo, pi[:T] * self.system.band_hi).sum())
        if self.rest is not None:
            value, self.supply[-1] = self.rest(pi)
            self.cost[-1] = value + pi @ self.supply[-1]
            total += value
        return total

    def slope(self, pi: FloatArray) -> FloatArray:
        """A supergradient of L at the prices just evaluated."""
        g: FloatArray = self.ask - self.supply.sum(axis=0)
        T = self.system.demand.size
        g[:T] -= np.where(pi[:T] > 0.0, self.system.band_hi, self.system.band_lo)
        return g

    def improve(self, evaluations: int) -> None:
        """Raise the bound until so many evaluations are done in all, or nothing is to be gained any more."""
        while self.count < evaluations and not self.ended:
            gain = self.look_ahead()
            if not self.ended:
                self.go(gain)

    def look_ahead(self) -> float:
        """The gain that the cuts predict for the move in `master`; with `ended` set if there is none worth a step.

        The step is made longer while nothing is to be gained nearby, and shorter where the weights are not accurate
        enough for it; once made shorter it is not made longer again with the same cuts.
        """
        m, system, longest = self.master, self.system, self.reach
        worthwhile = self.target * abs(self.bound)
        while True:
            gain, far = solve_master(
                self.ask, system.band_lo, system.band_hi, self.best, self.step, 0.1 * worthwhile, self.sweeps,
                self.bound, m,
            )  # fmt: skip
            if gain + far < worthwhile:
                if 4.0 * self.step > longest:
                    break
                self.step *= 4.0
            elif gain < far:
                self.step *= _SHRINK
                longest = self.step
                if self.step < self.least_step:
                    break
            else:
                return float(gain)
        self.ended = True
        return 0.0

    def go(self, gain: float) -> None:
        """Evaluate at the end of the move; go there if the bound rises by enough of what was predicted."""
        m = self.master
        move = m.move.copy()
        trial = np.clip(self.best + move, m.lowest, m.highest)
        fresh = self.evaluate(trial)
        slope = self.slope(trial)
        _insert(trial, self.cost, self.supply, self.count - 1, self.tolerance, m)
        risen = fresh - self.bound
        if risen >= _SERIOUS * gain:
            if risen > _GROW * gain and slope @ move > 0.0:
                self.step *= 4.0 if risen > _LEAP * gain else 2.0
            self.best, self.bound, self.worth, self.nulls = trial, fresh, self.value.copy(), 0
            return
        self.nulls += 1
        far = risen - float(slope @ move)  # the new cut at the best prices, above L there
        if self.nulls >= 2 and far > gain:
            self.step, self.nulls = self.step * _SHRINK, 0

    def prices(self) -> Prices:
        """What it has found so far."""
        T, n = self.on.shape
        m, best = self.master, self.best
        used = np.arange(m.cost.shape[1]) < m.used[:, None]
        born = np.where(used, m.born, -1)
        worth = np.bincount(self.block, weights=self.worth, minlength=self.groups)
        excess = m.cost[: self.groups] - m.supply[: self.groups] @ best - worth[:, None]
        relaxed = np.zeros((T, n))
        for i in range(n):
            b = self.block[i]
            for j in np.flatnonzero(m.weight[b, : m.used[b]] > 0.0):
                relaxed[:, i] += m.weight[b, j] * self.schedules[born[b, j], :, i]
        keep = slice(0, self.groups)
        return Prices(
            best[:T].copy(), best[T : 2 * T].copy(), best[2 * T :].copy(), self.bound, self.worth, relaxed, born[keep],
            m.weight[keep].copy(), np.where(used[keep], excess, np.inf), self.block, self.schedules[: self.count],
            self.count,
        )  # fmt: skip


def improve_prices(
    units: single.SingleUnits,
    system: Demand,
    lam: FloatArray,
    mu: FloatArray,
    *,
    evaluations: int = 30,
    **options: Any,
) -> Prices:
    """Raise the bound from the prices lam, mu (T,) in at most so many evaluations of all units; see `Bundle`."""
    run = Bundle(units, system, lam, mu, evaluations=evaluations, **options)
    run.improve(evaluations)
    return run.prices()
