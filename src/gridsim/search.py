"""A good schedule of single units and a bound on the best one: prices, sweeps, dispatch, local search.

1. `bundle` raises the bound; its weights are a relaxed commitment made of schedules that each unit can do.
2. A start (the relaxed commitment, or schedules drawn by their weights) is projected on what is allowed and swept with
   a rising price of shortage.
3. The caller's dispatch, a linear programme with every rule, judges it. Its ramp and line prices correct the slopes of
   the next sweeps, and what it was short of is asked for on top.
4. Schedules from the cuts whose cost above their unit's value is less than the gap are put in, one or several at a
   time; the others are swept around them.

Work is counted, never timed: the same input gives the same answer.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gridsim.kernels import bundle, single, sweep
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray

SHORTAGE_STEPS = (1.05, 1.2, 1.5, 2.0, 4.0, 20.0)  # price of shortage in the sweeps, times the dearest hour's price
_EAGER = 1.3  # price of shortage, times the same, in the first sweep around a schedule put in
_SHORT = 1e-6  # MW that count as none
_NEAR = 0.02  # gap of a dispatch whose ramp and line prices say something about better schedules
_WIDE = 0.01  # gap for which the bound is raised further
_PROMISING = 1e-4  # a dispatch is solved if the estimate is no further above the best cost


class Dispatch(NamedTuple):
    """What the caller's dispatch says of a schedule."""

    cost: float  # start costs and hours on included, shortage priced; inf: no dispatch at all
    short: FloatArray  # (2, T) MW of energy and of reserve up that were short
    slope_shift: FloatArray  # (T, nk) prices of ramps and further rows per MW on a segment, to be added to its cost
    on_shift: FloatArray  # (T, n) prices of lines per hour on
    short_others: FloatArray | float = 0.0  # (T, K) MW of further reserve products and line rows that were short


class Net(NamedTuple):
    """What the sweeps ask of the units, everything else given."""

    lo: FloatArray  # (T,) demand less all that free sources can give
    hi: FloatArray  # (T,) demand less the least they must give
    reserve: FloatArray  # (T,) reserve up, while all free sources are used
    others: FloatArray  # (T, K) further reserve products, likewise, and line rows behind them
    answer: FloatArray  # (n, K) what a unit on answers with at most
    spare: FloatArray  # (T, 1 + K) what idle free sources answer with at most, see `sweep.Field`
    apart: BoolArray  # (K,) of them products up that have nothing in common
    products: int = 0  # of the K that are reserve products


class Effort(NamedTuple):
    """Limits of work."""

    evaluations: int  # of all units by the bundle
    more: int  # of them where the gap is still wide
    accuracy: float  # of the bound, relative, at which it ends
    starts: int  # schedules drawn besides the relaxed commitment
    rounds: int  # dispatches with corrected slopes after each start
    tries: int  # of the local search
    dispatches: int  # in all


EFFORTS = {
    "fast": Effort(evaluations=30, more=0, accuracy=1e-5, starts=0, rounds=2, tries=0, dispatches=3),
    "standard": Effort(evaluations=60, more=60, accuracy=2e-6, starts=4, rounds=3, tries=60, dispatches=40),
    "best": Effort(evaluations=100, more=100, accuracy=1e-6, starts=8, rounds=4, tries=400, dispatches=200),
}


class Found(NamedTuple):
    """Result of a search."""

    on: BoolArray  # (T, n)
    cost: float
    bound: float
    short: FloatArray  # (2, T) of the best schedule
    prices: bundle.Prices
    evaluations: int
    sweeps: int
    dispatches: int
    tries: int


class _Search:
    """The best schedule so far and what it takes to find a better one."""

    def __init__(
        self,
        units: single.SingleUnits,
        prices: bundle.Prices,
        net: Net,
        dispatch: Callable[[BoolArray], Dispatch],
        effort: Effort,
        target_gap: float,
        rows: bundle.UnitRows | None,
    ) -> None:
        T, n = units.avail.shape
        self.units, self.prices, self.net, self.dispatch = units, prices, net, dispatch
        self.effort, self.target_gap = effort, target_gap
        self.work, self.state, self.eager = (
            single.workspace(units),
            *(sweep.state(units, net.others.shape[1]) for _ in range(2)),
        )
        self.more = np.zeros(net.others.shape)  # of further products, asked for on top
        self.no_cost = np.zeros((n, T + 1))
        self.top = max(float(prices.lam.max()), 1e-9)
        slope_shift, on_shift = np.zeros((T, units.seg_width.size)), np.zeros((T, n))
        if rows is not None:
            np.subtract.at(slope_shift, rows.hour, prices.nu[:, None] * rows.seg)
            lines = slice(len(net.others) * net.products, None)  # answers to reserve products are counted, not priced
            np.subtract.at(on_shift, rows.hour[lines], prices.nu[lines, None] * rows.on[lines])
        self.shifts = self.first_shifts = self.good_shifts = slope_shift, on_shift
        self.plain = self.field = self.corrected(slope_shift, on_shift, np.zeros((2, T)))
        self.best: Dispatch | None = None
        self.on = np.zeros((T, n), dtype=np.bool_)
        self.seen: set[bytes] = set()
        self.reference = 0.0  # cost of the best schedule in the sweeps' eyes
        self.extra = np.zeros((2, T))
        self.sweeps = self.dispatches = self.tries = 0

    def corrected(self, slope_shift: FloatArray, on_shift: FloatArray, extra: FloatArray) -> sweep.Field:
        net = self.net
        return sweep.field(
            self.units, net.lo + extra[0], np.maximum(net.hi, net.lo + extra[0]), net.reserve + extra[1], slope_shift,
            on_shift, net.others + self.more, net.answer, net.spare, net.apart,
        )  # fmt: skip

    def descend(self, steps: float, rounds: int, *, fresh: bool = True, state: sweep.State | None = None) -> float:
        """Sweep a schedule (default: that in `state`) at so many times the top price; its cost there."""
        state = self.state if state is None else state
        cost, _ = sweep.descend(self.units, self.field, steps * self.top, fresh, rounds, self.work, state)
        self.sweeps += rounds
        return float(cost)

    @property
    def done(self) -> bool:
        if self.dispatches >= self.effort.dispatches:
            return True
        return self.best is not None and self.gap <= self.target_gap and self.clean(self.best)

    @property
    def gap(self) -> float:
        cost = self.best.cost if self.best is not None else np.inf
        return (cost - self.prices.bound) / abs(cost) if np.isfinite(cost) else np.inf

    @staticmethod
    def clean(answer: Dispatch) -> bool:
        return bool(answer.short.max() <= _SHORT)

    @classmethod
    def lacks_nothing(cls, answer: Dispatch) -> bool:
        return cls.clean(answer) and float(np.max(answer.short_others, initial=0.0)) <= _SHORT

    def judge(self) -> Dispatch | None:
        """Dispatch the schedule in `state`, unless it was seen before, and keep it if it is better."""
        key = np.packbits(self.state.on).tobytes()
        if key in self.seen or self.dispatches >= self.effort.dispatches:
            return None
        self.seen.add(key)
        self.dispatches += 1
        answer = self.dispatch(self.state.on.copy())
        if self.best is None or (not self.clean(answer), answer.cost) < (not self.clean(self.best), self.best.cost):
            self.best, self.on = answer, self.state.on.copy()
            if self.lacks_nothing(answer):
                self.good_shifts = answer.slope_shift, answer.on_shift
        return answer

    def from_relaxed(self, relaxed: FloatArray) -> None:
        """Project, then sweep at rising prices of shortage, with the prices of the best dispatch if it is good."""
        self.extra[:], self.more[:] = 0.0, 0.0
        self.field, self.shifts = self.plain, self.first_shifts
        if self.best is not None and self.clean(self.best) and self.gap <= _NEAR:
            self.shifts = self.good_shifts
            self.field = self.corrected(*self.shifts, self.extra)
        sweep.project(self.units, np.ascontiguousarray(relaxed), self.no_cost, self.work, self.state.on)
        for steps in SHORTAGE_STEPS:
            self.descend(steps, 2)

    def correct(self) -> None:
        """Dispatch and sweep with the prices of its ramps, as long as that gives new schedules."""
        for _ in range(self.effort.rounds):
            if self.done:
                return
            answer = self.judge()
            if answer is None:
                return
            self.follow(answer)

    def follow(self, answer: Dispatch) -> None:
        """Sweep with the prices of a dispatch, and ask for what it was short of."""
        self.extra += 1.2 * answer.short
        short = np.broadcast_to(1.2 * np.asarray(answer.short_others), self.more.shape)
        # what takes off a full line was counted at its best: the units on have to be short by what the dispatch was
        line = (short > 0.0) & (np.arange(short.shape[1]) >= self.net.products)
        counted = np.where(line, self.state.given - self.net.others, -np.inf)
        self.more = np.maximum(self.more, counted) + short
        if np.isfinite(answer.cost) and self.lacks_nothing(answer):
            self.shifts = answer.slope_shift, answer.on_shift
        self.field = self.corrected(*self.shifts, self.extra)  # prices of what is short are penalties
        self.descend(SHORTAGE_STEPS[-1], 4)

    def look_around_best(self) -> None:
        """Slopes from the best dispatch that lacked nothing; the cost there is what estimates start from."""
        assert self.best is not None
        self.field = self.corrected(*self.good_shifts, self.extra)
        self.state.on[:] = self.eager.on[:] = self.on
        self.reference = self.descend(SHORTAGE_STEPS[-1], 0)
        self.descend(_EAGER, 0, state=self.eager)

    def candidates(self) -> list[tuple[int, int]]:
        """(block, evaluation) of schedules that can be in a better solution, the most likely first."""
        assert self.best is not None
        p = self.prices
        members = np.bincount(p.block)
        excess = p.excess / members[:, None]
        rows = np.argwhere((p.born >= 0) & (excess <= self.best.cost - p.bound))
        order = np.argsort([excess[b, j] for b, j in rows], kind="stable")
        return [(int(rows[k][0]), int(p.born[tuple(rows[k])])) for k in order]

    def put(self, block: int, evaluation: int) -> bool:
        """Give the first unit of a block that does something else this schedule, and freeze it."""
        on, frozen = self.eager.on, self.eager.frozen
        for i in np.flatnonzero(self.prices.block == block):
            wanted = self.prices.schedules[evaluation, :, i]
            if not frozen[i] and (on[:, i] != wanted).any():
                on[:, i] = wanted
                frozen[i] = True
                return True
        return False

    def attempt(self, moves: list[tuple[int, int]]) -> bool:
        """Put schedules in, sweep the others around them, dispatch if it looks promising. True: a better schedule."""
        assert self.best is not None
        before = self.best
        self.eager.on[:] = self.on
        self.eager.frozen[:] = False
        self.tries += 1
        if sum(self.put(*move) for move in moves) == 0:
            return False
        self.descend(_EAGER, 1, fresh=False, state=self.eager)
        self.state.on[:] = self.eager.on
        self.state.frozen[:] = self.eager.frozen
        self.descend(SHORTAGE_STEPS[-1], 2, fresh=False)
        self.state.frozen[:] = False
        cost = self.descend(SHORTAGE_STEPS[-1], 1, fresh=False)
        estimate = before.cost + cost - self.reference
        if estimate < before.cost + _PROMISING * abs(before.cost) or not self.clean(before):
            self.judge()  # (what a schedule is short of for its ramps, the sweeps cannot see)
        if self.best is before:
            return False
        self.look_around_best()
        return True

    def local_search(self) -> None:
        """Single schedules by rank, again from the first after a success; then pairs and triples at random."""
        if self.best is None or self.effort.tries == 0:
            return
        self.look_around_best()
        rng = np.random.default_rng(0)
        moves = self.candidates()
        at = 0
        while at < len(moves) and self.tries < self.effort.tries and not self.done:
            self.attempt([moves[at]])
            at += 1
        while moves and self.tries < self.effort.tries and not self.done:
            size = int(rng.integers(2, 4))
            chosen = np.minimum(rng.geometric(3.0 / (3.0 + len(moves)), size), len(moves)) - 1
            if self.attempt([moves[k] for k in chosen]):
                moves = self.candidates()


def drawn(prices: bundle.Prices, rng: np.random.Generator) -> FloatArray:
    """(T, n) schedules of all units, each drawn from the cuts of its block by their weights."""
    out = np.zeros(prices.relaxed.shape)
    for i, b in enumerate(prices.block):
        weight = np.maximum(prices.weight[b], 0.0)
        j = int(np.searchsorted(np.cumsum(weight), rng.random() * weight.sum(), side="right"))
        out[:, i] = prices.schedules[prices.born[b, min(j, int(np.flatnonzero(weight)[-1]))], :, i]
    return out


def improve(
    units: single.SingleUnits,
    system: bundle.Demand,
    lam: FloatArray,
    mu: FloatArray,
    dispatch: Callable[[BoolArray], Dispatch],
    *,
    effort: str = "standard",
    target_gap: float = 0.0,
    net: Net | None = None,
    rows: bundle.UnitRows | None = None,
    nu: FloatArray | None = None,
    rest: bundle.Rest | None = None,
    start: BoolArray | None = None,
    place: IntArray | None = None,
) -> Found:
    """Search for the cheapest schedule of `units` from the prices lam, mu (T,).

    Parameters
    ----------
    dispatch : callable
        on (T, n) bool -> Dispatch.
    effort : {"fast", "standard", "best"}
    target_gap : float
        (cost - bound) / cost at which the search ends.
    net : Net, optional
        Default: demand and reserve of `system` with its band.
    rows, nu, rest : optional
        Further rows (first those of the reserve products of `net`, product by product), their prices, and everything
        else that prices reach, see `bundle.improve_prices`.
    start : (T, n) bool, optional
        A schedule to begin with; it is judged first.
    place : (n,) int64, optional
        Units in different places are no twins: their line prices differ.
    """
    n = units.cap.size
    limits = EFFORTS[effort]
    units = units._replace(same=single.twins(units, np.zeros(n, dtype=np.int64) if place is None else place))
    _, block = np.unique(units.same, return_inverse=True)
    raised = bundle.Bundle(
        units,
        system,
        lam,
        mu,
        rows=rows,
        nu=nu,
        rest=rest,
        block=block.astype(np.int64),
        evaluations=limits.evaluations + limits.more,
        target=limits.accuracy,
    )
    raised.improve(limits.evaluations)
    prices = raised.prices()
    if net is None:
        hours = system.demand.size
        none = np.zeros((hours, 0)), np.zeros((n, 0)), np.zeros((hours, 1)), np.zeros(0, dtype=np.bool_)
        net = Net(system.demand - system.band_hi, system.demand - system.band_lo, system.reserve, *none)
    run = _Search(units, prices, net, dispatch, limits, target_gap, rows)
    if start is not None:
        run.state.on[:] = start
        answer = run.judge()
        if answer is not None and run.gap <= _NEAR:
            run.descend(SHORTAGE_STEPS[-1], 0)
            run.follow(answer)
            run.correct()
    run.from_relaxed(prices.relaxed)
    run.correct()
    if limits.more and not run.done and run.gap > _WIDE:
        raised.improve(limits.evaluations + limits.more)
        run.prices = prices = raised.prices()
        run.from_relaxed(prices.relaxed)
        run.correct()
    rng = np.random.default_rng(0)
    for _ in range(limits.starts):
        if run.done:
            break
        run.from_relaxed(drawn(prices, rng))
        run.correct()
    run.local_search()
    assert run.best is not None
    return Found(
        run.on, run.best.cost, prices.bound, run.best.short, prices, prices.evaluations, run.sweeps, run.dispatches,
        run.tries,
    )  # fmt: skip
