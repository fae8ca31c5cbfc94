"""The second clock: hours lived on what is really there, within the commitment that was planned on forecasts.

A window is planned on what was believed when it was made. Each of its kept hours is then dispatched again on the actual
load, wind, sun and outages by `kernels.redispatch`: units on are those of the plan that are still there, everything
else may move - outputs within ramps, stores, flexible load, DC links, curtailment - and units that start quickly are
called where load or reserve would be short. Lines and N-1 hold as in the plan: rows are found until the full screen of
every hour finds nothing.

A store keeps to the plan's energy as long as the price of the hour is near the plan's value of it (`Held.band`). What
comes out is a plan of the kept hours that happened to be right, so everything behind - settling, prices, causes of
curtailment, the ledger - works as if it had been foreseen.
"""

from typing import Any, NamedTuple

import numpy as np

from gridsim import pumping
from gridsim.calling import Caller
from gridsim.case import Case
from gridsim.errors import WindowError
from gridsim.failing import Failing
from gridsim.handover import Decided, RowKeys, State
from gridsim.kernels import redispatch
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Solution
from gridsim.plan import BINDING, OVERLOAD_SEEN, SHORT_MW, Fixed, Plan, Planner, Settled

WORTH_LEAST = 0.02  # of the scale of prices: what `band` is a share of, where energy is worth less
LOSS_MW = 0.02  # of an island in an hour, by which what is counted on may be off
ROUNDS = 25  # of adding line rows, or of calling units, to a block at most

OF_THE_WINDOW = (  # of a plan: what stays as the window found it, whatever its hours come to
    *("cost", "bound", "relaxed", "iterations", "rounds", "rows", "retries", "stalled", "lacking_cost"),
    *("next_rows", "next_prices", "next_products", "next_tangents", "next_budgets", "price_budget"),
)


class Terms(NamedTuple):
    """How the hours are lived."""

    band: float  # share of the value of energy by which a price may differ before a store leaves its plan
    quick_start: bool  # units that start quickly may be called


class Lives(NamedTuple):
    """A block of hours lived."""

    plan: Plan  # of the kept hours, as they came out
    called: IntArray  # (T, nu) units that were not in the plan
    lost: IntArray  # (T, nu) units of the plan that were not there


class RealTime:
    """Dispatches the kept hours of plans again on the actual case."""

    def __init__(self, planner: Planner, terms: Terms, believed: Case, *, whole: bool, failing: Failing | None = None):
        """`planner` is one of the actual case, with the network options of the one that plans on what is `believed`.

        Unless the network is `whole`, outages have other numbers than in the plan, and their rows are found anew.
        """
        self.planner, self.terms, self.believed, self.whole = planner, terms, believed, whole
        self.failing = failing
        self.case = planner.case
        self.caller = Caller(planner)

    def live(self, plan: Plan, t0: int, kept: int, state: State) -> Lives:
        """The first `kept` steps of a plan, from step `t0`, as they really come. `state` is the one before them.

        Raises
        ------
        WindowError
            If line rows are still found after many rounds, or an hour has no solution.
        """
        planned, avail = plan.on[:kept], self.case.unit_available[t0 : t0 + kept]
        on, last = np.zeros_like(planned), self.planner.before(t0, state)
        for t in range(kept):  # nothing starts but what the plan starts then
            failed = self.failing.hour(t0 + t, last) if self.failing is not None else 0
            if t == 0:
                running = last - failed
            left = np.minimum(planned[t], np.maximum(last + plan.start[t] - failed, 0))
            on[t] = last = np.minimum(left, avail[t])
        on[:, self.planner.must] = avail[:, self.planner.must]
        keys = self._first_rows(plan, kept)
        called, short = self.caller.owed(on, avail, running, state), np.zeros(kept)
        helped, asked = np.ones(kept, dtype=np.bool_), np.zeros(kept, dtype=np.bool_)
        for turn in range(ROUNDS):
            start = self._starts(on + called, t0, state)
            block = _Lived(self, plan, t0, on + called, start, state)
            keys = block.settle(keys)
            before, short = short, block.short_mw()
            helped &= ~asked | (short < before - SHORT_MW)  # more units do not help where lines are what is short
            if not self.terms.quick_start or turn == ROUNDS - 1:
                break
            more = self.caller.call(np.where(helped, short, 0.0), on + called, avail, state)
            if not more.any():
                break
            called, asked = called + more, helped & (short > SHORT_MW) & more.any(axis=1)
        return Lives(block.plan(), called, np.maximum(planned - on, 0))

    def _first_rows(self, plan: Plan, kept: int) -> RowKeys:
        keys = plan.keys
        return keys.take((keys.hour < kept) & ~self.planner.is_tangent(keys) & (self.whole | (keys.outage < 0)))

    def _starts(self, on: IntArray, t0: int, state: State) -> IntArray:
        """Units started at the beginning of each hour, as few as the units on ask for."""
        before = np.minimum(self.planner.before(t0, state), self.case.unit_available[t0])
        rise: IntArray = np.maximum(np.diff(on, axis=0, prepend=before[None]), 0)
        return rise


class _Lived:
    """One block of hours with units given: its arrays, its solution."""

    def __init__(self, clock: RealTime, plan: Plan, t0: int, on: IntArray, start: IntArray, state: State):
        self.clock, self.planner, self.of, self.t0, self.state = clock, clock.planner, plan, t0, state
        p, kept = self.planner, len(on)
        hold = None if plan.decided.hold_mw is None else plan.decided.hold_mw[:kept]
        modes = (
            None if plan.decided.modes is None else type(plan.decided.modes)(*(m[:kept] for m in plan.decided.modes))
        )
        self.decided = Decided(on, start, hold, modes, None)
        self.problem, self.injected, _ = p.problem(t0, kept, state, self.decided)
        self.parts = p.parts(self.decided)
        self._hold_steered()

    def _hold_steered(self) -> None:
        """Phase shifters stay as planned, and so do the losses that are counted on."""
        p, plan, boxes, kept = self.planner, self.of, self.problem.boxes, len(self.decided.on)
        lo, hi, parts = boxes.lo.copy(), boxes.hi.copy(), self.parts
        lo[:, parts.loss] = hi[:, parts.loss] = plan.loss_mw[:kept] / p.power_mw
        if p.nshift:
            shift = plan.shift_deg[:kept] * p.shift_mw / p.power_mw
            lo[:, parts.shift_up] = hi[:, parts.shift_up] = np.maximum(shift, 0.0)
            lo[:, parts.shift_down] = hi[:, parts.shift_down] = np.maximum(-shift, 0.0)
        self.problem = self.problem._replace(boxes=boxes._replace(lo=lo, hi=hi))

    def settle(self, keys: RowKeys) -> RowKeys:
        """Solve with every line row that matters; the rows that there are then."""
        p = self.planner
        for _ in range(ROUNDS):
            self._solve(keys)
            self.keys = keys
            if not p.network:
                return keys
            injected = p.injections(self.problem, self.injected, self.solution)
            found, worst = p.screen(injected, BINDING, keys)
            if worst <= 1.0 + OVERLOAD_SEEN and not self._lose(injected):
                return keys
            keys = p.join(keys, found)
        raise WindowError(f"line rows were still being found after {ROUNDS} rounds of the hours lived")

    def _lose(self, injected: FloatArray) -> bool:
        """Count on the losses of the flows; whether that makes a difference."""
        p = self.planner
        if p.lossy is None:
            return False
        counted, lost, _ = p.loss_of(injected)
        if np.abs(lost - counted).max(initial=0.0) <= LOSS_MW:
            return False
        boxes, at = self.problem.boxes, self.parts.loss
        lo, hi = boxes.lo.copy(), boxes.hi.copy()
        lo[:, at] = hi[:, at] = lost / p.power_mw
        self.problem = self.problem._replace(boxes=boxes._replace(lo=lo, hi=hi))
        return True

    def _reach(self) -> tuple[FloatArray, FloatArray]:
        """(T, nr) least and most outputs of ramped devices from which the hours after can be as the window has them."""
        p, plan, ramps, T = self.planner, self.of, self.problem.ramps, len(self.problem.need)
        held, ns, hours = self.parts.held, p.ramped.size, len(plan.on)
        at, believed = slice(self.t0, self.t0 + hours), self.clock.believed
        sources = p.case.sources
        up, down = (
            np.tile(sources[f"ramp_{way}_mw_per_h"].to_numpy(float)[p.ramped] * p.dt_h, (hours, 1))
            for way in ("up", "down")
        )
        bounds = plan.bounds
        lo = np.hstack((believed.source_min_mw[at][:, p.ramped], bounds.base[:, held])) / p.power_mw
        hi = np.hstack((believed.source_max_mw[at][:, p.ramped], bounds.cap[:, held])) / p.power_mw
        rise = np.hstack((up, bounds.up[:, held])) / p.power_mw
        fall = np.hstack((down, bounds.down[:, held])) / p.power_mw
        for t in range(hours - 2, -1, -1):
            lo[t] = np.maximum(lo[t], np.minimum(lo[t + 1] - rise[t + 1], hi[t]))
            hi[t] = np.minimum(hi[t], np.maximum(hi[t + 1] + fall[t + 1], lo[t]))
        assert ns + held.size == ramps.bus.size
        return lo[:T], hi[:T]

    def _solve(self, keys: RowKeys) -> None:
        p = self.planner
        block = self._block(keys)
        out = redispatch.result(block)
        before, e = np.array(self.problem.ramps.p0), np.array(self.problem.stores.e0)
        status, hour = redispatch.walk(block, redispatch.work(block), out, before, e, 0)
        if status != redispatch.SOLVED:
            why = "has no solution" if status == redispatch.NO_ROOM else "was not solved in many pivots"
            raise WindowError(f"the hour {p.case.time[self.t0 + hour]:%Y-%m-%d %H:%M}, lived on what was there, {why}")
        none = np.zeros((len(out.x), 0))
        self.solution = Solution(
            u=none, q=none, x=out.x, ramp_q=out.ramp_q, charge=out.charge, discharge=out.discharge,
            spill=np.zeros_like(out.e), e=out.e, overload=out.overload, price=out.price,
            price_row=np.maximum(out.price_row, 0.0), ramp_price=np.zeros((len(out.x), before.size)),
            store_value=np.zeros_like(out.e), objective=0.0, bound=-np.inf,
        )  # fmt: skip

    def _block(self, keys: RowKeys) -> redispatch.Block:
        p, plan, problem = self.planner, self.of, self.problem
        boxes, ramps, stores, T = problem.boxes, problem.ramps, problem.stores, len(problem.need)
        rows = p.rows(keys, self.injected)
        e_lo, e_hi = self._energy_range()
        least, most = self._reach()
        worth = plan.store_value[:T] / p.price_scale
        margin = self.clock.terms.band * np.maximum(np.abs(worth), WORTH_LEAST)
        of_box, of_seg = self._budget_costs()
        stated: Any = redispatch.Block(
            need=problem.need,
            box_bus=boxes.bus, box_lo=boxes.lo, box_hi=boxes.hi, box_cost=boxes.cost + of_box, box_coef=boxes.coef,
            box_line=boxes.line,
            ramp_bus=ramps.bus, ramp_base=ramps.base, ramp_up=ramps.up, ramp_down=ramps.down,
            ramp_least=least, ramp_most=most, seg_ramp=ramps.seg_ramp,
            seg_width=np.maximum(ramps.seg_width, 0.0), seg_cost=ramps.seg_cost + of_seg, seg_coef=ramps.seg_coef,
            store_bus=stores.bus, charge_lo=stores.charge_min, charge_hi=stores.charge_max,
            discharge_lo=stores.discharge_min, discharge_hi=stores.discharge_max, charge_cost=stores.charge_cost,
            discharge_cost=stores.discharge_cost, eta_c=stores.eta_c, eta_d=stores.eta_d, keep=stores.keep,
            inflow=stores.inflow, e_lo=e_lo, e_hi=e_hi, e_plan=plan.e_mwh[:T] / p.energy_mwh,
            worth_below=worth + margin, worth_above=worth - margin,
            line_at=np.searchsorted(rows.hour, np.arange(T + 1)).astype(np.int64), line_coef=rows.coef,
            line_limit=rows.limit, line_cost=rows.cost,
        )  # fmt: skip
        return redispatch.Block(*(np.array(part, order="C") for part in stated))

    def _energy_range(self) -> tuple[FloatArray, FloatArray]:
        """(T, ns) energies at the end of each hour from which the hours after it can keep to their own limits."""
        p, stores = self.planner, self.problem.stores
        case, T, se = p.case, len(self.problem.need), p.energy_mwh
        limits, until = case.store_limits, min(self.t0 + len(self.of.on), case.steps)
        table = case.stores
        lo = np.maximum(table["e_min_mwh"].to_numpy(float), limits.e_floor_mwh[self.t0 : until]) / se
        hi = np.tile(table["e_max_mwh"].to_numpy(float) / se, (len(lo), 1))
        if until == case.steps:  # the end of the run is as the stores' rules have it
            rule, end = table["end_rule"].to_numpy(str), table["e_end_mwh"].to_numpy(float) / se
            lo[-1] = np.where(np.isin(rule, ("fixed", "cyclic")), np.clip(end, lo[-1], hi[-1]), lo[-1])
            hi[-1] = np.where(rule == "cyclic", np.maximum(lo[-1], end), hi[-1])
        at = slice(self.t0, until)
        gain = stores.eta_c * limits.charge_max_mw[at] / p.power_mw
        drain = limits.discharge_max_mw[at] / stores.eta_d / p.power_mw
        comes = (case.store_inflow_mw[at] - limits.demand_mw[at]) / p.power_mw
        keep = np.maximum(stores.keep, 1e-9)
        for t in range(len(lo) - 2, -1, -1):
            lo[t] = np.minimum(np.maximum(lo[t], (lo[t + 1] - comes[t + 1] - gain[t + 1]) / keep), hi[t])
            can_go = (hi[t + 1] - comes[t + 1] + drain[t + 1] + p.reservoir / p.power_mw) / keep
            hi[t] = np.maximum(np.minimum(hi[t], can_go), lo[t])
        return lo[:T], hi[:T]

    def _budget_costs(self) -> tuple[FloatArray, FloatArray]:
        """What use of budgets adds to the costs of boxes (T, nx) and of segments of ramped devices (T, nkr). Scaled."""
        p, problem = self.planner, self.problem
        boxes, ramps, T = problem.boxes, problem.ramps, len(problem.need)
        of_box, of_seg = np.zeros(boxes.lo.shape), np.zeros(ramps.seg_width.shape)
        if p.budgeting.size:
            terms, price = p.case.budget_terms, self.of.price_budget[:T] / p.price_scale
            unit, source = price @ terms.unit_rate, price @ terms.source_rate
            segs, ns = self.parts.segs, p.ramped.size
            of_box[:, : segs.size] = unit[:, p.seg_unit[segs]]
            of_box[:, self.parts.source] = source[:, p.plain]
            held = ramps.seg_ramp >= ns
            of_seg[:, ~held] = source[:, p.ramped[ramps.seg_ramp[~held]]]
            of_seg[:, held] = unit[:, self.parts.held[ramps.seg_ramp[held] - ns]]
        return of_box, of_seg

    def short_mw(self) -> FloatArray:
        """(T,) load that is shed, or else the most reserve up that is missing. [MW]"""
        x = self.solution.x * self.planner.power_mw
        short = x[:, self.parts.short][:, self.planner.is_up]
        out: FloatArray = x[:, self.parts.shed].sum(axis=1) + short.max(axis=1, initial=0.0)
        return out

    def plan(self) -> Plan:
        """The hours as a plan; what is handed to the next window is what the window's own plan found."""
        p, of, on = self.planner, self.of, self.decided.on
        T = len(on)
        settled = Settled(self.solution, None, self.keys, self.keys, self.keys, np.zeros(4, dtype=np.int64), open=False)
        start_cost = p.start_costs(self.t0, self.state, on, self.decided.start)
        powers = self.solution.charge * p.power_mw, self.solution.discharge * p.power_mw
        of_stores = pumping.start_costs(p.case.stores, *powers, self.state.store_running)
        bounds = p.bounds(np.arange(len(p.case.units)), self.t0, self.state, self.decided)
        fixed = Fixed(
            of.cost, settled, on, self.decided.start, self.problem, self.decided, start_cost,
            of_stores, bounds, np.zeros((T, p.is_up.size)), 0.0,
        )  # fmt: skip
        lived = p.unpack(fixed, None, of.relaxed, of.bound, np.zeros(4, dtype=np.int64))
        kept = {name: getattr(of, name) for name in OF_THE_WINDOW}
        return lived._replace(**kept)
