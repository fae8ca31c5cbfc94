"""The look-ahead: one window of a case planned - relaxed, rounded, fixed - with its network rows and its certificate.

`Planner` solves what `restate.Windows` states: the relaxed window (a lower bound), whole units near it, and the
dispatch with those units. What it returns is in MW and currency again.

Line rows are found lazily: yesterday's binding rows, then whatever the solution loads beyond its rating, until the
full screen of every monitored branch and interface in every hour finds nothing. Once a row is in, it stays in.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gridsim import losses, pumping, ramping
from gridsim.balance import Keys
from gridsim.carve import FEW_UNITS, WIDE, carve
from gridsim.case import Case
from gridsim.errors import WindowError
from gridsim.handover import Decided, RowKeys, State
from gridsim.improve import better
from gridsim.kernels import commit, window
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.kernels.problem import Problem, Rows, Solution
from gridsim.kernels.start import Prices
from gridsim.restate import LOSS_MOST, Windows

SCREEN_AT = 0.97  # loading from which rows are added while the solution is still rough
OVERLOAD_SEEN = 1e-6  # relative overload for which a window is solved again
OVERLOAD_SMALL = 0.5  # the same for a relaxation that only serves as a bound
BINDING = 0.9999  # loading of a row that binds
LOSS_SEEN = 5e-3  # share of an hour's losses that a solution does not count on, for which a window is solved again
LOSS_SMALL = 2e-2  # the same for a relaxation that only serves as a bound
LOSS_LEFT = 5e-2  # what of it may be left after the last round; what is left is made good hour by hour
BURNT_SHARE, BURNT_MW = 1e-2, 0.05  # of losses: counted on beyond what flows lose, for which a dispatch is solved again
RELAXED = 100.0  # times the tolerance: what a relaxation is solved to that only serves for a bound and for rounding
FEASIBLE, NEARLY = 1e-6, 1e-4  # residual of rows and relative gap at which a solve that stalls is taken as it is
ROUGH = 1e-2  # relative gap at which flows are first looked at
ROW_PRICED = 1e-6  # scaled price of a line row that binds
PRICED = 1e-5  # scaled price of a reserve product that is scarce
THRESHOLD, THRESHOLD_UP = 0.3, 0.01  # of rounding: the least share of a unit that starts it; the second rounds up
FEW_SHARE = (
    0.01  # of the highest load: capacity that rounding leaves off in an hour, for which it is first done upwards
)
SHORT_MW = 1.0  # reserve or load missing, for which the hours are rounded up
BY_HIGHS = window.Outcome(window.SOLVED, 0, 0.0, 0.0, 0.0, "", None)  # a vertex, exact: no iterations of ours
FAR_OFF = 0.05  # relative gap of a first rounding that is left to the search: the second is not made
MISSING_MW = 0.1  # reserve up that ramps leave too little for, from which it is given what they leave
SHIFT_MW = 0.01  # phase shift, in MW, that is what an interior point leaves
ANSWER_ROUNDS = 3  # times a dispatch is solved again with what a solution has decided
BEST_OF_TARGET = 0.05  # share of the target gap that the effort `best` searches for


class LineRows(NamedTuple):
    """Line rows that have a price in a plan, the tangents of losses apart; m rows, sorted by hour."""

    hour: IntArray  # (m,)
    element: IntArray  # (m,) branch, or the number of branches plus an interface
    outage: IntArray  # (m,) what is lost: a branch, or the number of branches plus a DC link; -1: nothing
    price: FloatArray  # (m,) of a MW more of its limit, currency/MWh
    # (m, buses + links + phase shifters) what a MW fed into each bus, on each link, of each shift adds to the row
    coef: FloatArray

    def of(self, hour: int) -> "LineRows":
        """Those of one hour."""
        return self.between(hour, hour + 1)

    def before(self, hour: int) -> "LineRows":
        """Those of the hours before."""
        return self.between(0, hour)

    def between(self, begin: int, end: int) -> "LineRows":
        at = slice(*np.searchsorted(self.hour, (begin, end)))
        return LineRows(self.hour[at], self.element[at], self.outage[at], self.price[at], self.coef[at])


class Plan(NamedTuple):
    """A planned window of T steps. MW, MWh, currency; (T, .) unless said otherwise."""

    on: IntArray  # (T, nu) units on
    start: IntArray
    unit_seg_mw: FloatArray  # (T, segments) output of each cost segment of each unit row
    source_mw: FloatArray
    charge_mw: FloatArray
    discharge_mw: FloatArray
    e_mwh: FloatArray
    link_mw: FloatArray
    shift_deg: FloatArray  # (T, shifters) beyond the shift that the net has
    loss_mw: FloatArray  # (T, islands) counted on; none where the dispatch has no losses
    shed_mw: FloatArray  # (T, loads)
    spill_mw: FloatArray  # (T, buses)
    spilled_mw: FloatArray  # (T, stores) what is let go
    short_mw: FloatArray  # (T, products)
    price: FloatArray  # (T,) balance
    price_reserve: FloatArray  # (T, products)
    price_bus: FloatArray  # (T, buses)
    line_rows: LineRows
    cost: float  # of the window as planned
    bound: float  # no schedule of this window costs less
    relaxed: float  # cost with relaxed on-counts
    iterations: int
    rounds: int
    rows: int
    retries: int
    stalled: int  # solves that were taken short of the tolerance
    next_rows: RowKeys
    next_prices: Prices | None  # of the relaxed window, moved on
    next_products: tuple[int, ...]
    next_tangents: losses.Tangents  # that `next_rows` names
    decided: Decided  # what the dispatch was given
    start_cost: FloatArray  # (T, nu) currency
    store_start_cost: FloatArray  # (T, stores) currency
    bounds: ramping.Bounds  # (T, nu) of every row of units: limits in force
    lacking_cost: float  # in `cost`: of reserve that the dispatch counts on and ramps do not leave
    price_budget: FloatArray  # (T, budgets) of use, currency per unit
    next_budgets: tuple[int, ...]  # rows of budgets that had a price
    keys: RowKeys  # line rows of the dispatch
    store_value: FloatArray  # (T, stores) of energy in store at the end of the step, currency/MWh

    def after(self, first: int) -> "Plan":
        """The plan from its step `first` on; what is handed to the next window stays."""
        if first == 0:
            return self
        rows, keys, decided, bounds = self.line_rows, self.keys, self.decided, self.bounds
        later, on_rows = keys.take(keys.hour >= first), rows.between(first, len(self.on))
        cut: dict[str, Any] = {
            name: value[first:]
            for name, value in zip(self._fields, self, strict=True)
            if isinstance(value, np.ndarray) and value.ndim and not name.startswith("next_")
        }
        modes = None if decided.modes is None else type(decided.modes)(*(part[first:] for part in decided.modes))
        of_decided = [None if part is None else part[first:] for part in (decided.hold_mw, decided.loss_max_mw)]
        return self._replace(
            **cut,
            line_rows=on_rows._replace(hour=on_rows.hour - first),
            keys=later._replace(hour=later.hour - first),
            decided=Decided(decided.on[first:], decided.start[first:], of_decided[0], modes, of_decided[1]),
            bounds=type(bounds)(*(part[first:] for part in bounds)),
        )


class Settled(NamedTuple):
    """A window's linear problem solved with all its line rows."""

    solution: Solution
    snapshot: Prices | None  # prices on the way, to start a kindred problem with the rows `near` from
    keys: RowKeys
    near: RowKeys  # those and the ones found near their limit
    found: RowKeys  # rows of binding elements in the hours in which they come near their limit
    tally: IntArray  # iterations, rounds, retries, solves taken short of the tolerance
    open: bool  # some line is overloaded for want of a row


class Fixed(NamedTuple):
    """A whole-unit schedule and its dispatch."""

    cost: float
    settled: Settled
    on: IntArray
    start: IntArray
    problem: Problem
    decided: Decided
    start_cost: FloatArray  # (T, nu) currency
    store_start_cost: FloatArray  # (T, stores) currency
    bounds: ramping.Bounds  # (T, nu)
    lacking_mw: FloatArray  # (T, products) reserve that the dispatch counts on and ramps do not leave
    lacking_cost: float  # of it, in `cost`


def priced(solution: Solution) -> tuple[int, ...]:
    """Reserve products that have a price in some hour."""
    return tuple((np.flatnonzero((solution.price[:, 1:] > PRICED).any(axis=0)) + 1).tolist())


def priced_budgets(solution: Solution) -> tuple[int, ...]:
    """Budget rows of the window that have a price."""
    return tuple(np.flatnonzero(solution.price_budget > PRICED).tolist())


class Planner(Windows):
    """Plans windows of one case."""

    def __init__(
        self,
        case: Case,
        *,
        tolerance: float = 1e-8,
        network: bool = True,
        step_h: int = 24,
        engine: str = "kernel",
        max_rounds: int = 20,
        n1: bool = False,
        effort: str = "standard",
        target_gap: float = 2e-3,
        lossy: bool = False,
    ):
        super().__init__(case, network=network, n1=n1, lossy=lossy)
        self.effort, self.target_gap = effort, target_gap
        self.tolerance, self.step_h, self.engine, self.max_rounds = tolerance, step_h, engine, max_rounds
        self.kept = step_h * case.steps_per_hour  # steps kept of each window

    def _solve(
        self,
        problem: Problem,
        rows: Rows,
        start: Prices | None,
        products: tuple[int, ...],
        budgets: tuple[int, ...],
        tolerance: float,
        loose: float | None,
        most: float,
    ) -> tuple[Solution, window.Outcome, int]:
        """One solve with its retries: another start, then more regularisation. Counts the retries."""
        if self.engine != "kernel":
            from gridsim import oracle  # HiGHS loads for those who ask for it

            return oracle.solve_lp(problem, rows), BY_HIGHS, 0
        ladder: tuple[dict[str, Any], ...] = (
            {"start": start},
            {"start": None},
            {"start": None, "mu0": 2.0, "correctors": 2},
            {"start": None, "mu0": 2.0, "reg": 1e-6, "correctors": 2},
            {"start": None, "reg": 1e-9},  # one huge device: what regularisation leaves of its reduced cost is seen
        )
        best: tuple[Solution, window.Outcome, int] | None = None
        for retry, options in enumerate(ladder):
            if retry == 1 and start is None:
                continue
            solution, outcome = window.solve(
                problem,
                rows,
                tolerance=tolerance,
                loose=loose,
                most=most,
                products=products,
                budgets=budgets,
                **options,
            )
            if outcome.status in (window.SOLVED, window.DEAR):
                return solution, outcome, retry
            if outcome.primal <= FEASIBLE and (best is None or outcome.gap < best[1].gap):
                best = solution, outcome, retry
        # the bound holds wherever a solve stops, and this schedule is feasible: the recorded gap says what it is worth
        if best is not None and best[1].gap <= NEARLY:
            return best
        raise WindowError(
            f"the window's linear problem was not solved: gap {outcome.gap:.1e}, balance {outcome.primal:.1e}, prices "
            f"{outcome.dual:.1e} after {outcome.iterations} iterations and {len(ladder)} starts. {outcome.why}"
        )

    def settle(
        self,
        problem: Problem,
        fixed: FloatArray,
        known: RowKeys,
        start: Prices | None,
        products: tuple[int, ...] = (1,),
        budgets: tuple[int, ...] = (),
        *,
        whole: bool = True,
        most: float = np.inf,
    ) -> "Settled":
        """Solve with every line row that matters: solve, screen all flows, add what is overloaded, solve again.

        `start` are the prices of a kindred problem with the rows `known`. With no row known and no start, flows are
        first looked at when the solution is still rough. With `whole` False small overloads are left as they are
        (`Settled.open`): a relaxation, good for a bound and for rounding. What is bound to cost more than `most`
        (scaled) is not finished: its bound says so.
        """
        keys, counts = known, np.zeros(4, dtype=np.int64)
        rough = self.network and start is None and not known.hour.size
        touched: FloatArray | None = None
        while True:
            tolerance = self.tolerance if whole else RELAXED * self.tolerance
            loose = ROUGH if rough else None
            solution, outcome, retries = self._solve(
                problem, self.rows(keys, fixed), start, products, budgets, tolerance, loose, most
            )
            counts += (outcome.iterations, 1, retries, outcome.status not in (window.SOLVED, window.DEAR))
            if solution.bound > most:
                return Settled(solution, None, keys, keys, keys, counts, open=True)
            products = tuple(sorted({*products, *priced(solution)}))
            budgets = tuple(sorted({*budgets, *priced_budgets(solution)}))
            if not self.network:
                return Settled(solution, outcome.snapshot, keys, keys, keys, counts, open=False)
            injected = self.injections(problem, fixed, solution)
            found, worst = self.screen(injected, SCREEN_AT if rough else BINDING, keys)
            share = LOSS_SEEN if whole and not rough else LOSS_SMALL
            tangents, unseen, touched = self.touch(injected, share, touched)
            joined = self.join(self.join(keys, found), tangents)
            if counts[1] >= self.max_rounds:
                share = LOSS_LEFT
            final = not rough and unseen <= share
            done = worst <= 1.0 + OVERLOAD_SEEN and final
            if done or (not whole and worst <= 1.0 + OVERLOAD_SMALL and final):
                snapshot = None if outcome.snapshot is None else self.extend(outcome.snapshot, keys, joined)
                return Settled(solution, snapshot, keys, joined, found, counts, open=not done)
            if counts[1] >= self.max_rounds:
                raise WindowError(
                    f"line rows were still being found after {self.max_rounds} rounds (solver.max_rounds)"
                )
            start = None if outcome.snapshot is None or rough else self.extend(outcome.snapshot, keys, joined)
            keys, rough = joined, False

    @staticmethod
    def extend(prices: Prices, keys: RowKeys, joined: RowKeys) -> Prices:
        """Prices for the larger set of rows `joined`: the rows of `keys` keep theirs, new ones begin at 0."""
        row = np.zeros(joined.hour.size)
        place = {key: i for i, key in enumerate(zip(*joined, strict=True))}
        for key, price in zip(zip(*keys, strict=True), prices.row, strict=True):
            row[place[key]] = price
        return prices._replace(row=row)

    def plan(self, t0: int, hours: int, state: State) -> Plan:
        """Plan `hours` steps from step `t0`: relax, round, fix; a lower bound on the way.

        The first relaxation may lack line rows that it should have; if the gap asks for it, a second one has them all.
        """
        keys = state.rows.take(state.rows.hour < hours)
        self.tangents = losses.no_tangents(self.columns) if state.tangents is None else state.tangents
        problem, injected, constant = self.problem(t0, hours, state, None)
        # must-run units that return from an outage start whatever is decided
        constant += self._start_cost(
            self._round(np.zeros((hours, self.free.size)), t0, state, 1.0)[1][:, self.must], self.must
        )
        best: Fixed | None = None
        bound, counts, tried = -np.inf, np.zeros(4, dtype=np.int64), set[bytes]()
        prices = self._known_prices(state, hours)
        products = (1,) if prices is None else (1, *np.flatnonzero(prices.hourly[:, 2:].any(axis=0)) + 2)
        known = state.products  # to have a price in a dispatch
        budget_keys = self.budgeting.keys(t0, hours, state.budgets)
        budgets = tuple(np.flatnonzero(np.isin(budget_keys.row, state.budgets.binding)).tolist())

        thresholds: tuple[float, ...] = ()

        def attempt(wanted: FloatArray, threshold: float, kind: float) -> None:
            """Round, fix, and keep it, and what kind it is of, if it is the cheapest so far."""
            nonlocal best, counts, known, thresholds
            on, start = self._round(wanted, t0, state, threshold)
            if on.tobytes() not in tried:
                tried.add(on.tobytes())
                most_cost = np.inf if best is None else best.cost
                found = self._fix(
                    t0, hours, state, on, start, keys, prices, known, budgets, most_cost=most_cost, drop=True
                )
                counts = counts + found.settled.tally
                if best is None or found.cost < best.cost:
                    best, thresholds = found, (kind,)
                    known = tuple({*known, *priced(found.settled.solution)})

        def near(wanted: FloatArray) -> None:
            """Round, up where something is short; the other way if the gap asks for it; once one has won, that way."""
            for threshold in thresholds or self._ways(wanted, t0, state):
                attempt(wanted, threshold, threshold)
                assert best is not None
                if threshold == THRESHOLD and (short := self._short(best)).any():
                    attempt(wanted + np.where(short, THRESHOLD - THRESHOLD_UP, 0.0)[:, None], THRESHOLD, threshold)
                if best.cost - bound <= self.target_gap * abs(best.cost):
                    break

        searched = self.engine == "kernel" and self.effort != "fast"
        for whole in (False, True):
            relaxed = self.settle(problem, injected, keys, prices, products, budgets, whole=whole)
            products = tuple({*products, *priced(relaxed.solution)})
            budgets = tuple(sorted({*budgets, *priced_budgets(relaxed.solution)}))
            counts = counts + relaxed.tally
            known = tuple({*known, *priced(relaxed.solution)})
            keys, prices = relaxed.near, relaxed.snapshot
            bound = max(bound, relaxed.solution.bound * self.money + constant)
            relaxed_cost = relaxed.solution.objective * self.money + constant
            if self.engine == "highs-milp":
                on, start, proven = self._search(problem, self.rows(keys, injected), t0, state)
                best = self._fix(t0, hours, state, on, start, keys, None, known, budgets)
                bound = max(bound, proven * self.money + constant)
                counts = counts + best.settled.tally
                break
            wanted = relaxed.solution.u
            if best is None or not searched or best.cost - bound <= FAR_OFF * abs(best.cost):
                near(wanted)
            assert best is not None
            if not relaxed.open or best.cost - bound <= self.target_gap * abs(best.cost):
                break
        assert best is not None
        target = self.target_gap * (BEST_OF_TARGET if self.effort == "best" else 1.0)
        open_gap = best.cost - bound > target * abs(best.cost)
        if searched and open_gap:
            # units are searched one by one: each at what its use of budgets is worth in the relaxed window
            priced_out = self.budgeting.priced(problem, budget_keys, relaxed.solution.price_budget)
            found = priced_out and better(
                self, t0, state, priced_out, relaxed, self.rows(relaxed.keys, injected), injected,
                self._like(t0, hours, state, best, known, budgets),
                first=best, effort=self.effort, target_gap=target, constant=constant,
            )  # fmt: skip
            if not found:
                near(relaxed.solution.u)
            else:
                bound, counts = max(bound, found.bound), counts + found.tally
                if found.best is not None and found.best.cost < best.cost:
                    best = found.best
            best, counts = self._carved(
                best, bound, counts, t0, state, self._like(t0, hours, state, best, known, budgets, drop=True)
            )
        plan = self.unpack(best, budget_keys, relaxed_cost, bound, counts)
        rows, tangents = self.carried(plan.next_rows)
        prices = self._moved_on(relaxed, plan.next_rows)
        return plan._replace(next_rows=rows, next_prices=prices, next_tangents=tangents)

    def _carved(
        self, best: Fixed, bound: float, counts: IntArray, t0: int, state: State, fix: Any
    ) -> tuple[Fixed, IntArray]:
        """The schedule with units switched off where that pays, in a small system with a wide gap; and the tally."""
        if best.cost - bound <= WIDE * abs(best.cost) or self.first_unit[-1] > FEW_UNITS:
            return best, counts

        def near(wanted: IntArray) -> tuple[IntArray, IntArray]:
            return self._round(wanted.astype(np.float64), t0, state, 0.5)

        best, tally = carve(best, self.free, bound, near, fix)
        return best, counts + tally

    def _like(
        self, t0: int, hours: int, state: State, first: "Fixed", products: tuple[int, ...], budgets: tuple[int, ...],
        *, drop: bool = False,
    ) -> Callable[[IntArray, IntArray, "Fixed | None"], "Fixed"]:  # fmt: skip
        """Dispatches for a search: each starts from the rows and prices of the cheapest one so far; see `_fix`."""

        def fix(on: IntArray, start: IntArray, cheapest: "Fixed | None") -> "Fixed":
            like = first if cheapest is None else cheapest
            known = tuple(sorted({*products, *priced(like.settled.solution)}))
            most = np.inf if cheapest is None else cheapest.cost
            return self._fix(
                t0,
                hours,
                state,
                on,
                start,
                like.settled.near,
                like.settled.snapshot,
                known,
                budgets,
                most_cost=most,
                drop=drop,
            )

        return fix

    @staticmethod
    def _known_prices(state: State, hours: int) -> Prices | None:
        """What the day before left to start from, for the rows of its hours."""
        if state.prices is None or len(state.prices.hourly) < hours:
            return None
        return Prices(state.prices.hourly[:hours], state.prices.row[state.rows.hour < hours])

    def _moved_on(self, relaxed: "Settled", rows: RowKeys) -> Prices | None:
        """Prices of a relaxed window for the next one: hour by hour one step on, the last hours as the day before.

        They are those of a rough solution, in which every product that is in has a price: the ones that end up without
        have none here.
        """
        prices, step = relaxed.snapshot, self.kept
        if prices is None or len(prices.hourly) <= step:
            return None
        hourly = np.vstack((prices.hourly[step:], prices.hourly[-step:]))
        free = np.setdiff1d(np.arange(1, hourly.shape[1]), priced(relaxed.solution))
        hourly[:, free] = 0.0
        known = {key: float(price) for key, price in zip(zip(*relaxed.near, strict=True), prices.row, strict=True)}
        row = np.zeros(rows.hour.size)
        for i, (hour, *what) in enumerate(zip(*rows, strict=True)):
            row[i] = known.get((hour + step, *what), known.get((hour, *what), 0.0))
        return Prices(hourly, row)

    def _ways(self, wanted: FloatArray, t0: int, state: State) -> tuple[float, float]:
        """Thresholds of rounding, the likelier one first: up, where the other leaves an hour without much of its
        capacity on."""
        on = self._round(wanted, t0, state, THRESHOLD)[0][:, self.free]
        p_max = self.case.units["p_max_mw"].to_numpy(float)[self.free]
        lacking = float(((wanted - on) @ p_max).max(initial=0.0))
        few = lacking > FEW_SHARE * 100.0 * self.power_mw
        return (THRESHOLD_UP, THRESHOLD) if few else (THRESHOLD, THRESHOLD_UP)

    def _short(self, fixed: "Fixed") -> BoolArray:
        """Hours (T,) in which the dispatch lacks reserve up or sheds load."""
        parts = self.parts(fixed.decided)
        x = fixed.settled.solution.x * self.power_mw
        short = (x[:, parts.short] + fixed.lacking_mw)[:, self.is_up]
        return (x[:, parts.shed].sum(axis=1) > SHORT_MW) | (short > SHORT_MW).any(axis=1)

    def _fix(
        self, t0: int, hours: int, state: State, on: IntArray, start: IntArray, keys: RowKeys, prices: Prices | None,
        products: tuple[int, ...], budgets: tuple[int, ...] = (), *, most_cost: float = np.inf,
        drop: bool = False,
    ) -> "Fixed":  # fmt: skip
        """The dispatch with whole units given.

        It is solved again where it has decided what was open: how many pumps run, and how much reserve the ramps leave.
        Both only make it dearer, so one that costs more than `most_cost` already is left as it is; with `drop` it is
        not even finished: its cost is a bound, and nothing else of it is of use.
        """
        decided, best = Decided(on, start), None
        bounds = self.bounds(np.arange(len(self.case.units)), t0, state, decided)
        start_cost = self.start_costs(t0, state, on, start)
        counts = np.zeros(4, dtype=np.int64)
        for _ in range(ANSWER_ROUNDS + 1):
            problem, injected, constant = self.problem(t0, hours, state, decided)
            constant += float(start_cost.sum())
            most = (most_cost - constant) / self.money if drop else np.inf
            try:
                settled = self.settle(problem, injected, keys, prices, products, budgets, most=most)
            except WindowError:
                if best is None:
                    raise
                break  # what was decided on top leaves no path: the dispatch before it stands
            counts += settled.tally
            keys, prices = settled.near, settled.snapshot
            products = tuple(sorted({*products, *priced(settled.solution)}))
            budgets = tuple(sorted({*budgets, *priced_budgets(settled.solution)}))
            found = Fixed(
                settled.solution.bound * self.money + constant, settled, on, start, problem, decided, start_cost,
                np.zeros_like(settled.solution.charge), bounds, np.zeros((hours, self.is_up.size)), 0.0,
            )  # fmt: skip
            dear = settled.solution.bound > most
            hold = None
            if not dear:
                found, hold = self._counted(found, constant, t0, state)
            if best is None or not best.decided.as_free_as(decided) or found.cost < best.cost:
                best = found
            if dear or found.cost - found.lacking_cost > most_cost:
                break
            modes, tally = self._modes(found, t0, state)
            counts += tally
            loss_max_mw = self._loss_max(found, injected)
            if hold is None and modes is decided.modes and loss_max_mw is decided.loss_max_mw:
                break
            hold = decided.hold_mw if hold is None else hold
            decided = decided._replace(modes=modes, hold_mw=hold, loss_max_mw=loss_max_mw)
        assert best is not None
        return best._replace(settled=best.settled._replace(tally=counts))

    def _counted(self, fixed: "Fixed", constant: float, t0: int, state: State) -> tuple["Fixed", FloatArray | None]:
        """A dispatch with all it costs, also starts of stores and reserve that ramps lack; what to hold for it."""
        s = fixed.settled.solution
        of_stores = pumping.start_costs(
            self.case.stores, s.charge * self.power_mw, s.discharge * self.power_mw, state.store_running
        )
        lacking, hold = self._lacking(t0, state, fixed)
        lacking_cost = float(lacking.sum()) * self.case.penalties.reserve_short * self.dt_h
        cost = s.objective * self.money + constant + lacking_cost + float(of_stores.sum())
        return fixed._replace(
            cost=cost, store_start_cost=of_stores, lacking_mw=lacking, lacking_cost=lacking_cost
        ), hold

    def _loss_max(self, fixed: "Fixed", injected: FloatArray) -> FloatArray | None:
        """Most that may be lost (T, islands), as it is or with the hours held down that would burn energy. [MW]"""
        before = fixed.decided.loss_max_mw
        if self.lossy is None:
            return before
        counted, lost, _ = self.loss_of(self.injections(fixed.problem, injected, fixed.settled.solution))
        most = (1.0 + 0.5 * BURNT_SHARE) * lost
        burnt = counted > lost + BURNT_SHARE * lost + BURNT_MW
        if not burnt.any():
            return before
        open_mw = np.full(lost.shape, LOSS_MOST * self.power_mw) if before is None else before
        return np.where(burnt, most, open_mw)

    def _modes(self, fixed: "Fixed", t0: int, state: State) -> tuple[pumping.Modes | None, IntArray]:
        """Modes of stores that need them, as they are or as the dispatch suggests; None where there is no such.

        Also the tally of the solves that took.
        """
        stores, sp, tally = self.case.stores, self.power_mw, np.zeros(4, dtype=np.int64)
        if fixed.decided.modes is not None or not pumping.have_modes(stores).any():
            return fixed.decided.modes, tally
        s, free = fixed.settled.solution, fixed.problem.stores
        powers = pumping.netted(s.charge * sp, s.discharge * sp, free)
        starts = pumping.start_costs(stores, *powers, state.store_running)
        if starts.any():
            first, common = powers, fixed.cost - s.objective * self.money - float(fixed.store_start_cost.sum())
            cost = common + s.objective * self.money + float(starts.sum())
            for share in pumping.SHARES:
                modes = pumping.open_hours(stores, first, fixed.problem.stores, sp, share)
                problem, injected, _ = self.problem(t0, len(fixed.on), state, fixed.decided._replace(modes=modes))
                keys, prices = fixed.settled.near, fixed.settled.snapshot
                try:
                    settled = self.settle(problem, injected, keys, prices, priced(s))
                except WindowError:
                    continue  # no path of its energy keeps to these hours
                tally += settled.tally
                found = settled.solution
                tried = pumping.netted(found.charge * sp, found.discharge * sp, free)
                starts = pumping.start_costs(stores, *tried, state.store_running)
                total = common + found.objective * self.money + float(starts.sum())
                if total < cost:
                    powers, cost, free = tried, total, problem.stores
        return pumping.decide(stores, *powers, free, sp), tally

    def _bus_prices(self, settled: "Settled") -> tuple[FloatArray, LineRows]:
        """(T, buses) of energy, scaled money; and the line rows that make them differ, in currency/MWh."""
        s, keys = settled.solution, settled.keys
        out = np.tile(s.price[:, :1], (1, self.nb))
        out[:, self.spurs.bus] *= self.spurs.arrives
        coef = self.rows(keys, np.zeros((len(out), self.columns))).coef
        priced_row = s.price_row > ROW_PRICED
        np.subtract.at(out, keys.hour, (s.price_row * priced_row)[:, None] * coef[:, : self.nb])
        line = np.flatnonzero(priced_row & ~self.is_tangent(keys))
        element, outage = self._in_the_case(keys.take(line))
        price, wide = s.price_row[line] * self.price_scale, self.nb + self.nlink + self.nshift
        apart = self.spurs.apart(coef[line, :wide], self.nb)
        return out, LineRows(keys.hour[line], element, outage, price, apart)

    def _in_the_case(self, keys: RowKeys) -> tuple[IntArray, IntArray]:
        """Element and outage of line rows as rows of the case's tables: see `LineRows`."""
        nbr = len(self.case.branches)
        if not self.network:
            return keys.element, keys.outage
        watched = np.flatnonzero(np.isfinite(self.case.branches.rating_mw.to_numpy(float)))
        element = np.concatenate((watched, nbr + np.arange(len(self.case.interfaces))))[keys.element]
        if self.security is None:
            return element, keys.outage
        lost = self.security.outages
        place = np.append(np.where(lost.branch >= 0, lost.branch, nbr + lost.link), -1)  # outage -1 is the last
        return element, place[keys.outage]

    def _lacking(self, t0: int, state: State, fixed: "Fixed") -> tuple[FloatArray, FloatArray | None]:
        """Reserve up that a dispatch counts on and ramps do not leave (T, np), and what rows should set aside. [MW]

        The second is None where nothing is lacking. Else in the hours concerned every row that ramps hold keeps so much
        of its ramp free, what it left anyway and its share of what is lacking, and answers with that and no more.
        """
        case, decided, s, bounds = self.case, fixed.decided, fixed.settled.solution, fixed.bounds
        at, parts = slice(t0, t0 + len(decided.on)), self.parts(decided)
        lacking = np.zeros((len(decided.on), self.is_up.size))
        if not parts.held.size or not self.is_up.any():
            return lacking, None
        seg_mw, source_mw = self._outputs(decided, fixed.problem, s)
        unit_mw = decided.on * self.limits.p_min
        np.add.at(unit_mw.T, self.seg_unit, seg_mw.T)
        per_hour = case.steps_per_hour
        left = ramping.left_to_rise(self.held, bounds, unit_mw, state.unit_p_mw, per_hour)
        answers = ramping.answers_up(decided.on, bounds.cap - unit_mw, left, case.unit_response_mw)
        idle = (case.unit_available[at] - decided.on) @ case.unit_offline_mw
        there = answers.sum(axis=1) + idle + (case.source_max_mw[at] - source_mw) @ case.source_responds
        missing = case.product_need_mw[at] - there - s.x[:, parts.short] * self.power_mw
        lacking[:, self.is_up] = np.maximum(missing[:, self.is_up], 0.0)
        most = np.argmax(lacking, axis=1)  # the product that lacks most
        amount = lacking.max(axis=1)
        if amount.max() <= MISSING_MW:
            return lacking, None
        answer = np.take_along_axis(answers, most[:, None, None], axis=2)[:, :, 0]
        response = decided.on * case.unit_response_mw[:, most].T
        could = ramping.could_hold(bounds, response, state.unit_p_mw, per_hour)
        more = np.where(self.held, np.maximum(could - answer, 0.0), 0.0)
        share = np.minimum(1.0, amount / np.maximum(more.sum(axis=1), 1e-9))
        before = np.full(left.shape, np.inf) if decided.hold_mw is None else decided.hold_mw
        hold = np.where(np.isfinite(left), np.minimum(answer + more * share[:, None], could), np.inf)
        return lacking, np.where((amount > MISSING_MW)[:, None], hold, before)

    def _outputs(self, decided: Decided, problem: Problem, s: Solution) -> tuple[FloatArray, FloatArray]:
        """Output of the segments of units (T, nk) and of the sources (T, ns). [MW]

        Rows that ramps hold fill their segments from the lowest, whatever they were cut into.
        """
        parts, sp, hours = self.parts(decided), self.power_mw, len(decided.on)
        boxes, ramps = problem.boxes, problem.ramps
        x = np.clip(s.x, boxes.lo, boxes.hi) * sp
        seg, source = np.zeros((hours, self.seg_unit.size)), np.empty((hours, len(self.case.sources)))
        seg[:, parts.segs] = x[:, parts.seg]
        q = np.clip(s.ramp_q, 0.0, ramps.seg_width) * sp
        source[:, self.plain] = x[:, parts.source]
        source[:, self.ramped] = ramps.base[:, : self.ramped.size] * sp + q[:, : self.ramped.size]
        left = np.zeros((hours, len(self.case.units)))
        owner = ramps.seg_ramp[self.ramped.size :] - self.ramped.size
        np.add.at(left.T, parts.held[owner], q[:, self.ramped.size :].T)
        for k in self._segments_of(parts.held):
            i = self.seg_unit[k]
            seg[:, k] = np.minimum(left[:, i], decided.on[:, i] * self.seg_mw[k])
            left[:, i] -= seg[:, k]
        return seg, source

    def _start_cost(self, start: IntArray, rows: Any) -> float:
        """Of starts (T, n) of some rows, each at the least that it may cost."""
        return float((start @ self.case.unit_start_cost[rows, 0]).sum())

    def start_costs(self, t0: int, state: State, on: IntArray, start: IntArray) -> FloatArray:
        """(T, nu) cost of the starts of each row by the hours that the units were off. [currency]"""
        case, free = self.case, self.free
        out = start * case.unit_start_cost[:, 0]
        at = slice(t0, t0 + len(on))
        out[:, self.must] = self.must_start_cost[at]
        if case.unit_start_cost.shape[1] > 1:
            out[:, free] = self.price_starts(
                free, on[:, free], start[:, free], case.unit_available[at][:, free], state.unit_on, state.unit_hours,
                state.unit_out,
            )  # fmt: skip
        return out

    def _round(self, relaxed: FloatArray, t0: int, state: State, threshold: float) -> tuple[IntArray, IntArray]:
        """Whole units (T, nu) on and started; must-run rows are on as far as available."""
        free = self.free
        avail = self.case.unit_available[t0 : t0 + len(relaxed)]
        on, start = avail.copy(), np.zeros_like(avail)
        before = self.case.unit_available[max(t0 - 1, 0)]
        start[:, self.must] = np.maximum(np.diff(avail, axis=0, prepend=before[None]), 0)[:, self.must]
        count, begun = np.zeros((len(avail), free.size), np.int64), np.zeros((len(avail), free.size), np.int64)
        commit.round_up(
            np.array(relaxed, order="C"), np.array(avail[:, free], order="C"), self.first_unit, state.unit_on,
            state.unit_hours, state.unit_out, self.min_up[free], self.min_down[free], self._stay(t0, state), threshold,
            count, begun,
        )  # fmt: skip
        on[:, free], start[:, free] = count, begun
        return on, start

    def _stay(self, t0: int, state: State) -> IntArray:
        """(nu that are not must-run,) steps that units on must stay on until they are slow enough to stop."""
        each = state.unit_p_mw / np.maximum(self.before(t0, state), 1)
        return ramping.hours_to_stop(self.limits, each)[self.free]

    def _search(self, problem: Problem, rows: Rows, t0: int, state: State) -> tuple[IntArray, IntArray, float]:
        """Whole units (T, nu) on and started by branch and bound, with the bound it has proven; scaled money."""
        from gridsim.plan_milp import search

        on, start = self._round(np.zeros((len(problem.need), self.free.size)), t0, state, 1.0)
        free, times = self.free, np.stack((self.min_up, self.min_down), axis=1)[self.free]
        on[:, free], start[:, free], proven = search(
            problem, rows, times_h=times, unit_on=state.unit_on, unit_hours=self._seeming_hours(t0, state, times[:, 0]),
            unit_out=state.unit_out, first_unit=self.first_unit,
        )  # fmt: skip
        return on, start, proven

    def _seeming_hours(self, t0: int, state: State, min_up_h: IntArray) -> IntArray:
        """Hours in their state for a search that knows no ramps: a unit too fast to stop seems to have just started."""
        of_unit = np.repeat(np.arange(self.free.size), np.diff(self.first_unit))
        owing = np.maximum(min_up_h - self._stay(t0, state), 1)[of_unit]
        return np.where(
            state.unit_on & (self._stay(t0, state)[of_unit] > 0), np.minimum(state.unit_hours, owing), state.unit_hours
        )

    def unpack(self, best: "Fixed", budgets: Keys | None, relaxed: float, bound: float, counts: IntArray) -> Plan:
        """A schedule and its dispatch in MW and currency; without `budgets` no use of them has a price."""
        settled, problem, parts = best.settled, best.problem, self.parts(best.decided)
        s, keys = settled.solution, settled.keys
        sp, sc = self.power_mw, self.price_scale
        hours = best.on.shape[0]
        x = np.clip(s.x, problem.boxes.lo, problem.boxes.hi) * sp
        seg, source = self._outputs(best.decided, problem, s)
        spill_bus = np.zeros((hours, self.nb))
        spill_bus[:, self.fed] = self.spill.split(x[:, parts.spill])
        active, of_losses = s.price_row > ROW_PRICED, self.is_tangent(keys)
        price_bus, line_rows = self._bus_prices(settled)
        found = self.join(settled.found, keys.take(of_losses & active))
        last_day = found.take(found.hour >= self.kept)
        shifted = last_day._replace(hour=last_day.hour - self.kept)
        link = x[:, parts.link]
        link[:, self.spurs.link] = self.spurs.sent(source)
        return Plan(
            on=best.on,
            start=best.start,
            unit_seg_mw=seg,
            source_mw=source,
            charge_mw=s.charge * sp,
            discharge_mw=s.discharge * sp,
            e_mwh=s.e * self.energy_mwh,
            link_mw=link,
            shift_deg=self._shift_deg(x[:, parts.shift_up] - x[:, parts.shift_down]),
            loss_mw=x[:, parts.loss],
            shed_mw=self.shed.split(x[:, parts.shed]),
            spill_mw=spill_bus,
            spilled_mw=s.spill * sp,
            short_mw=x[:, parts.short] + best.lacking_mw,
            price=s.price[:, 0] * sc,
            price_reserve=s.price[:, 1:] * sc,
            price_bus=price_bus * sc,
            line_rows=line_rows,
            cost=best.cost,
            bound=bound,
            relaxed=relaxed,
            iterations=int(counts[0]),
            rounds=int(counts[1]),
            rows=keys.hour.size,
            retries=int(counts[2]),
            stalled=int(counts[3]),
            next_rows=self.join(shifted, last_day),
            next_prices=None,
            next_products=priced(s),
            next_tangents=self.tangents,
            decided=best.decided,
            start_cost=best.start_cost,
            store_start_cost=best.store_start_cost,
            bounds=best.bounds,
            lacking_cost=best.lacking_cost,
            price_budget=np.zeros((hours, len(self.case.budgets)))
            if budgets is None or not self.budgeting.size
            else self.budgeting.prices(budgets, s.price_budget),
            next_budgets=() if budgets is None else tuple(np.unique(budgets.row[list(priced_budgets(s))]).tolist()),
            keys=keys,
            store_value=s.store_value * sc,
        )

    def _shift_deg(self, shift_mw: FloatArray) -> FloatArray:
        """(T, shifters of the case); all stay where no network is."""
        if not self.nshift:
            return np.zeros((len(shift_mw), len(self.case.shifters)))
        return np.where(np.abs(shift_mw) > SHIFT_MW, shift_mw, 0.0) / self.shift_mw
