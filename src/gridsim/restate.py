"""Windows of a case as the scaled arrays of `kernels.problem`, and the line rows that go with them.

Power is scaled so that the highest load is 100, money so that the full-load cost in the middle of the capacity is
0.35: what the interior point likes, whatever the currency and the size of the grid. What may never make a window
infeasible - shedding, spilling, shortfalls of reserve - stands among the boxes.

The kernels know steps, not hours: where a step lasts dt hours, energies are in MW steps (MWh / dt), the money of a step
is its hourly cost times dt, ramps are per step, and times and lags are counted in steps. Prices stay currency/MWh, and
what flows in or is spilled in a step is a power.
"""

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gridsim import losses, ramping, shifters
from gridsim.balance import Budgeting
from gridsim.case import LONG_H, Case
from gridsim.handover import Decided, RowKeys, State, no_keys
from gridsim.kernels import commit, security, window
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.kernels.network import branch_sensitivities, sensitivities
from gridsim.kernels.problem import Boxes, Problem, Ramps, Rows, Solution, Units
from gridsim.links import idle_cost
from gridsim.segments import cut_segments
from gridsim.spurs import no_spurs, spurs_of
from gridsim.store_windows import state_stores
from gridsim.zoned import by_island, by_zone

NEAR = 0.96  # of a binding loading: hours of the element whose rows are added with it
KEEP = 2  # outages whose rows are added for an element, hour and direction at once
HAIR = 1e-4  # scaled price of a MW of a phase shifter, of losses, of a link that may run back: none that does not pay
LOSS_MOST = 25.0  # scaled, a quarter of the highest load: more than an island loses
LOSS_MW = 0.01  # losses that are not counted on and not looked at
ENDLESS = 10.0  # times the most of all sources: no limit to a fall
LIMIT_MIN_MW = 1e-6  # loading of a limit below it is measured against it: a limit of 0 sees no rounding of sums


class Parts(NamedTuple):
    """How a window states the rows of units, and where its boxes stand."""

    given: IntArray  # rows whose units on are given: boxes
    held: IntArray  # the same, with ramps: ramped devices behind the sources
    free: IntArray  # rows with a relaxed on-count
    segs: IntArray  # segments of `given`, the first boxes
    seg: slice
    source: slice
    shed: slice
    spill: slice
    short: slice
    link: slice
    shift_up: slice
    shift_down: slice
    loss: slice


class Windows:
    """Windows of one case as arrays. Everything that does not change from window to window is made once."""

    def __init__(self, case: Case, *, network: bool = True, n1: bool = False, lossy: bool = False):
        self.case = case
        units, sources = case.units, case.sources
        self.power_mw = max(1e-3, float(case.load_mw.sum(axis=1).max(initial=1.0)) / 100.0)  # scale of power
        p_max = np.maximum(units.p_max_mw.to_numpy(float), 1e-9)
        energy = case.unit_min_cost * units.p_min_mw.to_numpy(float) + (case.unit_seg_mw * case.unit_seg_cost).sum(
            axis=1
        )
        full = (energy + units.no_load_cost.to_numpy(float)) / p_max
        # the middle of the capacity sets the scale: a few odd units would dwarf all others
        order = np.argsort(full)
        capacity = np.cumsum((p_max * units.units.to_numpy(float))[order])
        middle = full[order][np.searchsorted(capacity, 0.5 * capacity[-1])] if full.size else 0.0
        if middle <= 0.0:
            middle = float(np.max(np.abs(sources.cost.to_numpy(float)), initial=0.0))
        self.price_scale = middle / 0.35 if middle > 0.0 else 1.0  # currency/MWh
        self.dt_h = case.dt_h
        self.money = self.power_mw * self.price_scale * self.dt_h
        self.energy_mwh = self.power_mw * self.dt_h  # scale of energy

        self.budgeting = Budgeting(case, self.power_mw, self.price_scale)
        self.must = units.must_run.to_numpy(bool)
        self.free = np.flatnonzero(~self.must)
        self.units_in_row = units.units.to_numpy(np.int64)
        self.first_unit = np.concatenate(([0], np.cumsum(self.units_in_row[self.free]))).astype(np.int64)
        self.is_up = (case.products["direction"] == "up").to_numpy(bool)
        segments = cut_segments(
            case.unit_seg_mw, case.unit_seg_cost, p_max, case.unit_response_mw, self.is_up
        )  # of one unit, by row; with what a MW on each does to the offer of each product
        self.seg_unit, self.seg_mw, self.seg_cost, self.seg_offer = segments
        # a unit without a range has a segment only while its on-count is relaxed
        ranges = case.unit_seg_mw.max(axis=1, initial=0.0) > 1e-9 * p_max
        self.given_seg_mw = np.where(ranges[self.seg_unit], self.seg_mw, 0.0)
        begin = np.cumsum(self.seg_mw) - self.seg_mw
        lowest = np.searchsorted(self.seg_unit, self.seg_unit)  # segments stand row by row
        self.seg_begin = begin - begin[lowest] + units.p_min_mw.to_numpy(float)[self.seg_unit]  # output below it
        moved = (case.unit_floor_mw > units.p_min_mw.to_numpy(float)) | (
            case.unit_ceiling_mw < units.p_max_mw.to_numpy(float)
        )
        self.heated = np.flatnonzero(moved.any(axis=0)[self.seg_unit])  # segments of rows whose limits heat moves
        self.limits = ramping.limits_of(units, self.dt_h)
        per_hour = case.steps_per_hour
        self.min_up, self.min_down = (
            units[f"min_{way}_h"].to_numpy(np.int64) * per_hour for way in ("up", "down")
        )  # steps
        self.start_lag = case.unit_start_lag_h * per_hour  # steps
        self.held = ramping.can_bind(self.limits)  # rows with ramps or limits in their first or last hour
        self.offers = np.where(self.is_up, -1.0, 1.0) * case.source_responds  # of a MW of each source
        self.look_at_outages()
        self.reservoir = case.store_inflow_mw.max(axis=0, initial=0.0)  # most that flows in
        hourly = units.no_load_cost.to_numpy(float) + case.unit_min_cost * units.p_min_mw.to_numpy(float)
        self.unit_cost = hourly * self.dt_h  # of one unit on for a step at its minimum

        ramped = np.isfinite(sources.ramp_mw_per_h.to_numpy(float))
        self.ramped, self.plain = np.flatnonzero(ramped), np.flatnonzero(~ramped)
        self.nb, self.nlink = len(case.buses), len(case.links)
        self.network = network and len(case.branches) > 0
        self.spurs = spurs_of(case) if self.network else no_spurs(len(sources))
        if self.network:
            self.security = self.full_security = security.build(case) if n1 else None
            self.H, self.offset = sensitivities(case)
            rating = case.branches.rating_mw.to_numpy(float)
            watched = rating[np.isfinite(rating)]
            forward = np.concatenate((watched, case.interfaces.limit_mw.to_numpy(float)))
            backward = np.concatenate((watched, case.interfaces.reverse_limit_mw.to_numpy(float)))
            # by direction + and -, hour and element; of the window in hand where ratings move. [MW]
            self.limit = self.full_limit = np.stack((forward, backward))[:, None]
            overload = case.branches.overload_cost.to_numpy(float)[np.isfinite(rating)]
            self.overload_cost = np.concatenate((overload, case.interfaces.overload_cost.to_numpy(float)))
        self.load_bus = case.loads.bus_row.to_numpy(np.int64)
        self.fed = np.unique(
            np.concatenate((units.bus_row, sources.bus_row, case.stores.bus_row)).astype(np.int64)
        )  # buses that may have to spill, and the most each can feed in
        self.fed = np.setdiff1d(self.fed, self.spurs.bus)
        self.fed_mw = self._most_fed()
        self.nshift = len(case.shifters) if self.network else 0
        self.shift_mw = shifters.mw_per_degree(case) if self.nshift else np.zeros(0)  # per degree
        first = self.nb + self.nlink + self.nshift
        self.shed = by_zone(case, self.load_bus, case.load_mw.mean(axis=0), first)
        self.spill = by_zone(case, self.fed, self.fed_mw, first + self.shed.groups)
        self.loss = by_island(case, lossy and self.network, first + self.shed.groups + self.spill.groups)
        self.columns = self.loss.first_column + self.loss.groups
        self.tangents = losses.no_tangents(self.columns)  # of the window in hand; `RowKeys` number them
        self.lossy: losses.LossModel | None = None
        self.elements = 0
        if self.network:
            self._widen_all()
            self.elements = len(self.H)

    @cached_property
    def shift_flow(self) -> tuple[FloatArray, FloatArray]:
        """Flow (nbr,) that the shifts of the net drive, and (nbr, shifters) a degree more of each. [MW, MW/degree]"""
        case = self.case
        every = np.arange(len(case.branches))
        if not every.size:
            return np.zeros(0), np.zeros((0, len(case.shifters)))
        H, at_rest = branch_sensitivities(case, every)
        return at_rest, shifters.flow_columns(case, H, every, np.zeros((0, every.size)))

    def _widen_all(self) -> None:
        """The columns of phase shifters, zones and losses, for all that has rows."""
        case = self.case
        if self.loss.groups:
            branch = np.flatnonzero(losses.resistance_pu(case) > 0.0)
            H, offset = branch_sensitivities(case, branch)
            steered = shifters.flow_columns(case, H, branch, np.zeros((0, len(case.branches)))) / self.shift_mw
            wide = self._widen(H, steered)
            self.lossy = losses.LossModel(branch, case, wide, offset, self.loss.first_column)
        steered, lost = shifters.control_columns(case, self.H, self.security)
        self.H = self._widen(self.H, steered)
        if self.security is not None:
            assert lost is not None
            lost_H = self._widen(self.security.lost_H, lost)
            self.security = self.full_security = self.security._replace(H=self.H, lost_H=lost_H)

    def _widen(self, H: FloatArray, steered: FloatArray) -> FloatArray:
        """Rows of H as spurs make them, with the columns of phase shifters, shedding and spilling zones, and losses."""
        H = self.spurs.through(H, self.nb)
        zoned = (part.columns(H) for part in (self.shed, self.spill, self.loss))
        return np.hstack((H, steered, *zoned))

    def first_state(self) -> State:
        """The state before the first hour: units as the case says, stores at their start, no rows.

        A unit on outage has been off for as long as the others.
        """
        on, out = (np.zeros(self.first_unit[-1], dtype=bool) for _ in range(2))
        units = self.case.units
        initial = units.initial_on.to_numpy(np.int64)[self.free]
        for i, count in enumerate(initial):
            on[self.first_unit[i] : self.first_unit[i] + count] = True
            out[self.first_unit[i] + self.case.unit_available[0, self.free[i]] : self.first_unit[i + 1]] = True
        before = np.clip(self.case.source_max_mw[0], self.case.source_min_mw[0], None)[self.ramped]
        p_mw = units.initial_p_mw.to_numpy(float)
        return State(
            unit_on=on,
            unit_hours=np.repeat(
                units.initial_hours.to_numpy(np.int64)[self.free] * self.case.steps_per_hour,
                self.units_in_row[self.free],
            ),
            unit_out=out,
            unit_p_mw=np.where(units.initial_on.to_numpy(np.int64) > 0, p_mw, 0.0),
            ramp_p_mw=before.copy(),
            e_mwh=self.case.stores.e_start_mwh.to_numpy(float).copy(),
            store_running=np.zeros((2, len(self.case.stores)), dtype=np.int64),
            rows=no_keys(),
            budgets=self.budgeting.first(),
        )

    def look_at_outages(self) -> None:
        """Take up which units the case says are there: to be called again where that has changed."""
        self.must_start_cost = self._must_start_cost()

    def _must_start_cost(self) -> FloatArray:
        """(hours, must-run rows) cost of the units that return from outages, by the hours they were off. [currency]"""
        case, rows = self.case, np.flatnonzero(self.must)
        avail = np.array(case.unit_available[:, rows], order="C")
        start = np.maximum(np.diff(avail, axis=0, prepend=avail[:1]), 0)
        if case.unit_start_cost.shape[1] == 1:
            return start * case.unit_start_cost[rows, 0]
        size = self.units_in_row[rows]
        on = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) < np.repeat(avail[0], size)
        long = np.full(on.size, LONG_H * case.steps_per_hour, dtype=np.int64)
        return self.price_starts(rows, avail, start, avail, on, long, ~on)

    def price_starts(
        self, rows: IntArray, on: IntArray, start: IntArray, avail: IntArray, unit_on: BoolArray,
        unit_hours: IntArray, unit_out: BoolArray,
    ) -> FloatArray:  # fmt: skip
        """Cost of the starts (T, n) of some rows, whose units are in the state given. [currency]"""
        first = np.concatenate(([0], np.cumsum(self.units_in_row[rows]))).astype(np.int64)
        lag, cost = (np.array(part[rows], order="C") for part in (self.start_lag, self.case.unit_start_cost))
        counts = (np.array(part, dtype=np.int64, order="C") for part in (on, start, avail))
        out = np.empty(on.shape)
        commit.start_costs(
            *counts, first, unit_on.copy(), unit_hours.copy(), unit_out.copy(), lag, cost, np.empty_like(unit_on),
            np.empty_like(unit_hours), out,
        )  # fmt: skip
        return out

    def _most_fed(self) -> FloatArray:
        """What units, sources and stores can feed into each bus of `fed`. [MW]"""
        case, most = self.case, np.zeros(self.nb)
        units, stores = case.units, case.stores
        np.add.at(most, units.bus_row.to_numpy(int), units.p_max_mw.to_numpy(float) * self.units_in_row)
        np.add.at(
            most, case.sources.bus_row.to_numpy(int), np.maximum(case.source_max_mw, 0.0).max(axis=0, initial=0.0)
        )
        np.add.at(most, stores.bus_row.to_numpy(int), stores.p_discharge_max_mw.to_numpy(float))
        return most[self.fed]

    # -- the problem ----------------------------------------------------------------------------------------------

    def _segments_of(self, rows: IntArray) -> IntArray:
        return np.flatnonzero(np.isin(self.seg_unit, rows))

    def parts(self, decided: Decided | None) -> "Parts":
        """Which rows of units are boxes, ramped devices and committed units in a window, and where boxes stand."""
        none = np.zeros(0, dtype=np.int64)
        if decided is None:
            given, held, free = np.flatnonzero(self.must), none, self.free
        else:
            is_held = self.held & decided.on.any(axis=0)
            given, held, free = np.flatnonzero(~is_held), np.flatnonzero(is_held), none
        segs = self._segments_of(given)
        np_ = self.is_up.size
        steered = (self.nlink, self.nshift, self.nshift, self.loss.groups)
        sizes = (segs.size, self.plain.size, self.shed.groups, self.spill.groups, np_, *steered)
        ends = np.cumsum((0, *sizes))
        return Parts(given, held, free, segs, *(slice(a, b) for a, b in pairwise(ends.tolist())))

    def before(self, t0: int, state: State) -> IntArray:
        """(nu,) units on before hour `t0`; must-run rows as far as they were available."""
        on = self.case.unit_available[max(t0 - 1, 0)].copy()
        on[self.free] = [state.unit_on[a:b].sum() for a, b in pairwise(self.first_unit)]
        return on

    def problem(self, t0: int, hours: int, state: State, decided: Decided | None) -> tuple[Problem, FloatArray, float]:
        """The window of `hours` steps from step `t0`; with `decided` the units on are given, else they are relaxed.

        With relaxed on-counts nothing ramps but sources: a relaxation.

        Returns
        -------
        Problem, (T, columns) fixed injections in scaled power (demand and what given units must produce), constant cost
        """
        case, sp, sc = self.case, self.power_mw, self.price_scale
        at = slice(t0, t0 + hours)
        self.rate(at)
        load = case.load_mw[at] / sp
        units, sources = case.units, case.sources
        parts = self.parts(decided)
        p_min, bus = units.p_min_mw.to_numpy(float), units.bus_row.to_numpy(np.int64)
        avail = case.unit_available[at]
        on = avail if decided is None else decided.on
        running = on[:, parts.given]

        fixed = np.zeros((hours, self.columns))
        np.add.at(fixed.T, self.load_bus, -load.T)
        base = running * (p_min[parts.given] / sp)
        np.add.at(fixed.T, bus[parts.given], base.T)
        constant = float((running @ self.unit_cost[parts.given]).sum())
        constant += float((on[:, parts.held] @ self.unit_cost[parts.held]).sum())

        boxes, need = self._boxes(parts, on, load, at, None if decided is None else decided.loss_max_mw)
        need[:, 0] -= base.sum(axis=1)
        # what is off and can start in time; of relaxed rows the coefficient of a unit on takes it back
        idle = avail - on
        idle[:, parts.free] = avail[:, parts.free]
        need[:, 1:] -= idle @ (case.unit_offline_mw / sp)
        ramps = self._ramps(parts, t0, hours, state, decided)
        need[:, 1:] -= ramps.seg_width @ np.maximum(-ramps.seg_coef[:, 1:], 0.0)
        problem = Problem(
            need=need,
            units=self._units(parts.free, avail, state),
            boxes=boxes,
            ramps=ramps,
            stores=state_stores(
                case,
                t0,
                hours,
                state.e_mwh,
                None if decided is None else decided.modes,
                power_mw=sp,
                price_scale=sc,
                reservoir_mw=self.reservoir,
            ),
        )
        if self.budgeting.size:
            problem, worth = self._budgets(problem, parts, t0, state, on)
            constant += worth * self.money
        src_lo = case.source_min_mw[at] / sp
        cost = sources.cost.to_numpy(float)[self.ramped]
        constant += float((src_lo[:, self.ramped] @ cost).sum()) / sc * self.money
        return problem, fixed, constant

    def rate(self, at: slice) -> None:
        """Let the limits be those of a window, where ratings move."""
        if not self.network or not self.case.rated.size:
            return
        left = self.case.rating_left(at)
        watched = np.flatnonzero(np.isfinite(self.case.branches.rating_mw.to_numpy(float)))
        self.limit = self.full_limit * np.hstack((left[:, watched], np.ones((len(left), len(self.case.interfaces)))))
        if self.full_security is not None:
            self.security = security.rated(self.full_security, left)

    def limit_of(self, keys: RowKeys) -> FloatArray:
        """Limit of what each of some rows watches, before outages. [MW]"""
        hour = keys.hour if self.limit.shape[1] > 1 else 0
        return self.limit[(keys.sign < 0).astype(np.int64), hour, keys.element]

    def _budgets(self, problem: Problem, parts: "Parts", t0: int, state: State, on: IntArray) -> tuple[Problem, float]:
        """The problem with budget rows, what given units and bases of sources use anyway taken off; and its worth."""
        hours, ramps, ns = len(on), problem.ramps, self.ramped.size
        given, base = on.astype(np.float64), np.zeros((hours, len(self.case.sources)))
        given[:, parts.free] = 0
        base[:, self.ramped] = ramps.base[:, :ns]
        of_unit = ramps.seg_ramp >= ns
        keys = self.budgeting.keys(t0, hours, state.budgets)
        budgets, worth = self.budgeting.rows(
            keys, free=parts.free, seg_unit=parts.free[problem.units.seg_unit],
            box_unit=self.seg_unit[parts.segs], plain=self.plain, boxes=problem.boxes.bus.size,
            ramped=self.ramped[ramps.seg_ramp[~of_unit]], ramp_unit=parts.held[ramps.seg_ramp[of_unit] - ns],
            given=given, source_base=base,
        )  # fmt: skip
        steps = self.budgeting.steps(keys, self.is_up.size)
        axis = {"bus": 0, "coef": 0, "line": 0}
        pairs = zip(Boxes._fields, problem.boxes, steps, strict=True)
        boxes = Boxes(*(np.concatenate((a, b), axis=axis.get(name, 1)) for name, a, b in pairs))
        return problem._replace(boxes=boxes, budgets=budgets), worth

    def _units(self, free: IntArray, avail: IntArray, state: State) -> Units:
        """Rows of units with a relaxed on-count."""
        case, sp, sc = self.case, self.power_mw, self.price_scale
        units, segs = case.units, self._segments_of(free)
        owner = np.searchsorted(free, self.seg_unit[segs]).astype(np.int64)
        width = self.seg_mw[segs] / sp
        head = np.zeros((free.size, self.is_up.size))  # of one unit on and at its minimum
        np.add.at(head, owner, width[:, None] * np.maximum(-self.seg_offer[segs], 0.0))
        offline = case.unit_offline_mw[free] / sp
        on0 = [state.unit_on[a:b].sum() for a, b in pairwise(self.first_unit)] if free.size else []
        return Units(
            bus=units.bus_row.to_numpy(np.int64)[free],
            coef=np.column_stack((units.p_min_mw.to_numpy(float)[free] / sp, head - offline)),
            cost=self.unit_cost[free] / self.money,
            start_cost=case.unit_start_cost[free, 0] / self.money,  # the cheapest
            on0=np.array(on0, dtype=float),
            avail=avail[:, free].astype(float),
            seg_unit=owner,
            seg_width=width,
            seg_cost=self.seg_cost[segs] / sc,
            seg_coef=np.column_stack((np.ones(owner.size), self.seg_offer[segs])),
        )

    def _boxes(
        self, parts: "Parts", on: IntArray, load: FloatArray, at: slice, loss_max_mw: FloatArray | None
    ) -> tuple[Boxes, FloatArray]:
        """Segments of given units, plain sources, shedding, spilling, shortfalls, links, shifts, losses; and the needs.

        Headroom hi - x and room x - lo offer reserve: their constants are in the needs (T, R).
        """
        case, sp, sc = self.case, self.power_mw, self.price_scale
        sources, links, penalties = case.sources, case.links, case.penalties
        hours, segs, plain = len(load), parts.segs, self.plain
        nl, nf, np_ = self.shed.groups, self.spill.groups, self.is_up.size
        seg_row = self.seg_unit[segs]
        seg_lo, seg_hi = (end[:, segs] / sp for end in self.seg_range(on, at))
        link_lo, link_hi = (end / sp for end in case.link_range(at))
        link_hi[:, self.spurs.link] = 0.0  # their sources say what they carry
        shift_mw = self._shift_limits() / sp
        loss_hi = np.full((hours, self.loss.groups), LOSS_MOST) if loss_max_mw is None else loss_max_mw / sp
        steered, behind = 2 * self.nshift, self.nlink + 2 * self.nshift + self.loss.groups
        asked = case.product_need_mw[at] / sp
        zero_l, zero_f = np.zeros((hours, nl)), np.zeros((hours, nf))
        spill_hi = self.spill.sum(np.tile(self.fed_mw / sp, (hours, 1)))
        src_lo, src_hi = case.source_min_mw[at][:, plain] / sp, case.source_max_mw[at][:, plain] / sp
        lo = np.hstack((
            seg_lo, src_lo, zero_l, zero_f, np.zeros((hours, np_)), link_lo,
            np.zeros((hours, steered + self.loss.groups)),
        ))  # fmt: skip
        shed_hi = self.shed.sum(np.maximum(load, 0.0))
        hi = np.hstack((
            seg_hi, src_hi, shed_hi, spill_hi, np.maximum(asked, 0.0), link_hi, np.tile(shift_mw, (hours, 1)), loss_hi
        ))  # fmt: skip
        cost = np.concatenate(
            (self.seg_cost[segs], sources.cost.to_numpy(float)[plain], np.full(nl, penalties.shed),
             np.full(nf, penalties.spill), np.full(np_, penalties.reserve_short), idle_cost(case, HAIR * sc),
             np.full(steered + self.loss.groups, HAIR * sc))
        ) / sc  # fmt: skip
        ones, none = np.ones, np.zeros
        first = np.concatenate((ones(segs.size), self.spurs.serves()[plain], ones(nl)))
        offers = np.vstack((self.seg_offer[segs], self.offers[plain], none((nl + nf, np_))))
        shift_bus = self.nb + self.nlink + np.arange(self.nshift)
        bus, source_bus = case.units.bus_row.to_numpy(np.int64), sources.bus_row.to_numpy(np.int64)
        boxes = Boxes(
            bus=np.concatenate(
                (bus[seg_row], source_bus[plain], self.shed.first_column + np.arange(nl),
                 self.spill.first_column + np.arange(nf), np.zeros(np_, dtype=np.int64),
                 self.nb + np.arange(self.nlink), shift_bus, shift_bus,
                 self.loss.first_column + np.arange(self.loss.groups))
            ).astype(np.int64),
            lo=lo,
            hi=hi,
            cost=np.tile(cost, (hours, 1)),
            coef=np.column_stack((
                np.concatenate((
                    first, -ones(nf), none(np_), -links.loss_share.to_numpy(float), none(steered),
                    -ones(self.loss.groups),
                )),
                np.vstack((offers, np.eye(np_), none((behind, np_)))),
            )),
            line=np.concatenate((
                ones(first.size), -ones(nf), none(np_), ones(self.nlink + self.nshift),
                -ones(self.nshift + self.loss.groups),
            )),
        )  # fmt: skip
        counted = np.vstack((offers, none((np_ + behind, np_))))
        head, room = hi @ np.maximum(-counted, 0.0), lo @ np.maximum(counted, 0.0)
        return boxes, np.column_stack((load.sum(axis=1), asked - head + room))

    def seg_range(self, on: IntArray, at: slice) -> tuple[FloatArray, FloatArray]:
        """Least and most on every segment (T, nk) with units `on` (T, nu), as far as heat leaves them. [MW]"""
        seg_hi = on[:, self.seg_unit].astype(np.float64) * self.given_seg_mw
        seg_lo = np.zeros(seg_hi.shape)
        k = self.heated
        row = self.seg_unit[k]
        for out, end in ((seg_lo, self.case.unit_floor_mw), (seg_hi, self.case.unit_ceiling_mw)):
            out[:, k] = on[:, row] * np.clip(end[at][:, row] - self.seg_begin[k], 0.0, self.given_seg_mw[k])
        return seg_lo, seg_hi

    def _shift_limits(self) -> FloatArray:
        """(2 shifters,) most that they may be moved up, then down. [MW]"""
        table = self.case.shifters.iloc[: self.nshift]
        up, down = table["max_deg"].to_numpy(float), -table["min_deg"].to_numpy(float)
        return np.concatenate((up * self.shift_mw, down * self.shift_mw))

    def _ramps(self, parts: "Parts", t0: int, hours: int, state: State, decided: Decided | None) -> Ramps:
        """Ramped sources, then rows of units that ramps hold."""
        case, sp, sc = self.case, self.power_mw, self.price_scale
        sources, ramped, at = case.sources, self.ramped, slice(t0, t0 + hours)
        src_lo, src_hi = case.source_min_mw[at][:, ramped] / sp, case.source_max_mw[at][:, ramped] / sp
        up, down = (
            np.tile(sources[f"ramp_{way}_mw_per_h"].to_numpy(float)[ramped] * (self.dt_h / sp), (hours, 1))
            for way in ("up", "down")
        )
        if len(case.source_trips):
            down = np.where(case.source_trips[at][:, ramped], ENDLESS * np.maximum(src_hi.max(initial=0.0), 1.0), down)
        of_sources = Ramps(
            sources.bus_row.to_numpy(np.int64)[ramped], src_lo, up, down, state.ramp_p_mw / sp, np.arange(ramped.size),
            src_hi - src_lo, np.tile(sources.cost.to_numpy(float)[ramped] / sc, (hours, 1)),
            np.column_stack((np.ones(ramped.size), self.offers[ramped])),
        )  # fmt: skip
        if decided is None or not parts.held.size:
            return of_sources
        held = parts.held
        bounds = self.bounds(held, t0, state, decided)
        hold = np.full(bounds.cap.shape, np.inf) if decided.hold_mw is None else decided.hold_mw[:, held]
        segments = ramping.cut(
            decided.on[:, held], bounds, case.unit_seg_mw[held], case.unit_seg_cost[held],
            case.unit_response_mw[held], self.is_up, hold,
        )  # fmt: skip
        p0 = state.unit_p_mw[held]
        # what is kept for reserve is no room for output
        up = bounds.up - np.where(np.isfinite(hold), hold, 0.0) / case.steps_per_hour
        of_units = Ramps(
            case.units.bus_row.to_numpy(np.int64)[held], bounds.base / sp, up / sp, bounds.down / sp,
            np.where(np.isnan(p0), 0.5 * (bounds.base[0] + bounds.cap[0]), p0) / sp, ramped.size + segments.row,
            segments.width / sp, segments.cost / sc, np.column_stack((np.ones(segments.row.size), segments.coef)),
        )  # fmt: skip
        axis = {"bus": 0, "p0": 0, "seg_ramp": 0, "seg_coef": 0}
        pairs = zip(Ramps._fields, of_sources, of_units, strict=True)
        return Ramps(*(np.concatenate((a, b), axis=axis.get(name, 1)) for name, a, b in pairs))

    def bounds(self, rows: IntArray, t0: int, state: State, decided: Decided) -> ramping.Bounds:
        """What ramps and limits of first and last hours leave to rows of units, (T, n). [MW]"""
        on, start, before = decided.on[:, rows], decided.start[:, rows], self.before(t0, state)[rows]
        return ramping.bounds(self.limits.of(rows), on, start, before, state.unit_p_mw[rows])

    # -- line rows ------------------------------------------------------------------------------------------------

    def rows(self, keys: RowKeys, fixed: FloatArray) -> Rows:
        """The rows of `keys` as arrays, demand already on their limits."""
        if not keys.hour.size:
            return window.no_rows(self.columns)
        line = np.flatnonzero(~self.is_tangent(keys))
        if line.size < keys.hour.size:
            return self._rows_and_tangents(keys, line, fixed)
        sp, sign = self.power_mw, keys.sign.astype(float)
        coef = self.H[keys.element] * sign[:, None]
        limit = self.limit_of(keys) / sp
        offset = sign * self.offset[keys.element] / sp
        after = np.flatnonzero(keys.outage >= 0)
        if after.size:
            assert self.security is not None
            lost = keys.take(after)
            places = security.Keys(lost.hour, lost.element, lost.outage, lost.sign)
            coef[after], offset_mw, limit_mw = security.n1_coefficients(self.security, places)
            offset[after], limit[after] = offset_mw / sp, limit_mw / sp
        flow = np.einsum("mc,mc->m", coef, fixed[keys.hour]) + offset
        return Rows(keys.hour, coef, limit - flow, self.overload_cost[keys.element] / self.price_scale)

    def is_tangent(self, keys: RowKeys) -> BoolArray:
        """Which of the rows are tangents of losses."""
        tangent: BoolArray = keys.element >= self.elements
        return tangent

    def _rows_and_tangents(self, keys: RowKeys, line: IntArray, fixed: FloatArray) -> Rows:
        """`rows` where some are tangents, which are dearer to break than anything is to lose."""
        other = np.flatnonzero(self.is_tangent(keys))
        tangents = self.tangents.take(keys.element[other] - self.elements)
        there = np.einsum("mc,mc->m", tangents.coef, fixed[keys.hour[other]])
        penalties = self.case.penalties
        cost = np.full(other.size, 2.0 * max(penalties.shed, penalties.overload) / self.price_scale)
        parts = Rows(keys.hour[other], tangents.coef, tangents.limit_mw / self.power_mw - there, cost)
        order = np.argsort(np.concatenate((line, other)))
        pairs = zip(self.rows(keys.take(line), fixed), parts, strict=True)
        return Rows(*(np.concatenate(pair)[order] for pair in pairs))

    def loss_of(self, injected: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What injections in scaled power lose: counted on (T, islands), at their flows, and the flows. [MW]"""
        assert self.lossy is not None
        injected_mw = injected * self.power_mw
        flow_mw = self.lossy.flow_mw(injected_mw)
        return -injected_mw[:, self.loss.first_column :], self.lossy.at(flow_mw), flow_mw

    def touch(
        self, injected: FloatArray, share: float, before: FloatArray | None
    ) -> tuple[RowKeys, float, FloatArray | None]:
        """New tangents where a solution counts on too little, by more than a share, and the most that it lacks. [1]

        They touch half way between its flows and `before`, where the last ones would have touched: solutions leap to
        and fro around the optimum. Returns that place too, (T, branches).
        """
        if self.lossy is None:
            return no_keys(), 0.0, None
        counted, lost, flow = self.loss_of(injected)
        flow = flow if before is None else 0.5 * (flow + before)
        lacking = (lost - counted) / np.maximum(lost, LOSS_MW / share)
        hours, elements = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for island in range(self.loss.groups):
            hour = np.flatnonzero(lacking[:, island] > share)
            elements.append(self.elements + self.tangents.limit_mw.size + np.arange(hour.size))
            hours.append(hour)
            self.tangents = self.tangents.with_(self.lossy.tangents(flow[hour], island))
        hour, element = np.concatenate(hours), np.concatenate(elements)
        keys = RowKeys(hour, element, np.full(hour.size, -1), np.ones(hour.size, dtype=np.int64))
        return keys, float(lacking.max(initial=0.0)), flow

    def carried(self, keys: RowKeys) -> tuple[RowKeys, losses.Tangents]:
        """Rows for the next window and the tangents that they name, numbered anew."""
        tangent = self.is_tangent(keys)
        used, number = np.unique(keys.element[tangent], return_inverse=True)
        element = keys.element.copy()
        element[tangent] = self.elements + number
        return keys._replace(element=element), self.tangents.take(used - self.elements)

    def injections(self, problem: Problem, fixed: FloatArray, s: Solution) -> FloatArray:
        """(T, columns) net injections of a solution, scaled power."""
        out = fixed.copy()
        units = problem.units
        np.add.at(out.T, units.bus, (s.u * units.coef[:, 0]).T)
        np.add.at(out.T, units.bus[units.seg_unit], s.q.T)
        np.add.at(out.T, problem.boxes.bus, (s.x * problem.boxes.line).T)
        ramps = problem.ramps
        np.add.at(out.T, ramps.bus, ramps.base.T)
        np.add.at(out.T, ramps.bus[ramps.seg_ramp], s.ramp_q.T)
        np.add.at(out.T, problem.stores.bus, (s.discharge - s.charge).T)
        return out

    def screen(self, injected: FloatArray, at: float, known: RowKeys) -> tuple[RowKeys, float]:
        """Rows of every element and direction loaded beyond `at` in some hour, and the worst loading without a row.

        A row of `known` may well be loaded beyond its limit: then its overload is paid for.

        The next solution will move power to other hours, so the hours in which such an element comes near its limit
        are taken in at once.
        """
        flow = injected @ self.H.T + self.offset / self.power_mw  # (T, monitored)
        whole = known.take((known.outage < 0) & ~self.is_tangent(known))
        keys, worst = [], 0.0
        for sign, limit in ((1, self.limit[0]), (-1, self.limit[1])):
            loading = sign * flow / (np.maximum(limit, LIMIT_MIN_MW) / self.power_mw)
            hour, element = np.nonzero((loading > NEAR * at) & (loading > at).any(axis=0))
            loading[whole.hour[whole.sign == sign], whole.element[whole.sign == sign]] = 0.0
            worst = max(worst, float(loading.max(initial=0.0)))
            keys.append((hour, element, np.full(hour.size, -1), np.full(hour.size, sign)))
        if self.security is not None:
            found = self._after_outages(flow, injected, at, known.take(known.outage >= 0))
            keys.append((found.keys.hour, found.keys.row, found.keys.outage, found.keys.sign))
            worst = max(worst, found.worst)
        return RowKeys(*(np.concatenate(part).astype(np.int64) for part in zip(*keys, strict=True))), worst

    def _after_outages(self, flow: FloatArray, injected: FloatArray, at: float, known: RowKeys) -> security.Found:
        """Rows beyond `at` of their limit after some outage."""
        s = self.security
        assert s is not None
        lost_mw = injected @ s.lost_H.T * self.power_mw + s.lost_offset
        places = security.Keys(known.hour, known.element, known.outage, known.sign)
        scratch = security.new_report(len(self.H), lost_mw.shape[1], len(flow))
        return security.screen_n1(
            s.factors, flow * self.power_mw, lost_mw, s.limit, scratch, at=at, near=NEAR * at, keep=KEEP, known=places
        )

    @staticmethod
    def join(a: RowKeys, b: RowKeys) -> RowKeys:
        """Both sets, each row once, sorted by hour."""
        stacked = np.unique(np.stack([np.concatenate(pair) for pair in zip(a, b, strict=True)]), axis=1)
        return RowKeys(*stacked)
