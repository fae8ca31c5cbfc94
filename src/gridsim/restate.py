"""Windows of a case as the scaled arrays of `kernels.problem`, and the line rows that go with them.

Power is scaled so that the highest load is 100, money so that the dearest full-load cost is 0.6: what the interior
point likes, whatever the currency and the size of the grid. What may never make a window infeasible - shedding,
spilling, shortfalls of reserve - stands among the boxes.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from gridsim.case import Case
from gridsim.kernels import security, window
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.kernels.network import sensitivities
from gridsim.kernels.problem import Boxes, Problem, Ramps, Rows, Solution, Stores, Units
from gridsim.kernels.start import Prices

NEAR = 0.96  # of a binding loading: hours of the element whose rows are added with it
KEEP = 2  # outages whose rows are added for an element, hour and direction at once
LIMIT_MIN_MW = 1e-6  # loading of a limit below it is measured against it: a limit of 0 sees no rounding of sums


@dataclass
class State:
    """What one window hands to the next. MW and MWh."""

    unit_on: BoolArray  # (individual units,)
    unit_hours: IntArray  # (individual units,) hours in the present state
    unit_out: BoolArray  # (individual units,) on planned outage
    ramp_p_mw: FloatArray  # (ramped sources,) output of the hour before
    e_mwh: FloatArray  # (stores,)
    rows: "RowKeys"
    prices: Prices | None = None  # of the relaxed window, moved on to the next, with those of `rows`
    products: tuple[int, ...] = (1,)  # reserve products that had a price in the last dispatch


class RowKeys(NamedTuple):
    """Line rows by what they watch: monitored element, after which outage, hour of the window, direction."""

    hour: IntArray
    element: IntArray
    outage: IntArray  # number of the outage, -1: the network is whole
    sign: IntArray

    def take(self, which: Any) -> "RowKeys":
        """Some of the rows."""
        return RowKeys(*(part[which] for part in self))


class Zoned(NamedTuple):
    """Shedding or spilling zone by zone: a column of H of its own for each zone, a fixed share for each bus in it.

    A window then needs a dozen slacks an hour instead of one per bus. Where a zone sheds, its buses shed together.
    """

    bus: IntArray  # (n,)
    group: IntArray  # (n,)
    share: FloatArray  # (n,) sums to 1 in each group
    groups: int
    first_column: int

    def columns(self, H: FloatArray) -> FloatArray:
        """(rows of H, groups) what one MW shared out over a group does."""
        out = np.zeros((self.groups, H.shape[0]))
        np.add.at(out, self.group, (H[:, self.bus] * self.share).T)
        return np.ascontiguousarray(out.T)

    def sum(self, values: FloatArray) -> FloatArray:
        """(T, n) to (T, groups)."""
        out = np.zeros((self.groups, len(values)))
        np.add.at(out, self.group, values.T)
        return np.ascontiguousarray(out.T)

    def split(self, values: FloatArray) -> FloatArray:
        """(T, groups) to (T, n)."""
        return values[:, self.group] * self.share


def no_keys() -> RowKeys:
    none = np.zeros(0, dtype=np.int64)
    return RowKeys(none, none, none, none)


class Windows:
    """Windows of one case as arrays. Everything that does not change from window to window is made once."""

    def __init__(self, case: Case, *, network: bool = True, n1: bool = False):
        self.case = case
        units, sources = case.units, case.sources
        self.power_mw = max(1e-3, float(case.load_mw.sum(axis=1).max(initial=1.0)) / 100.0)  # scale of power
        p_max = np.maximum(units.p_max_mw.to_numpy(float), 1e-9)
        energy = case.unit_min_cost * units.p_min_mw.to_numpy(float) + (case.unit_seg_mw * case.unit_seg_cost).sum(
            axis=1
        )
        full = (energy + units.no_load_cost.to_numpy(float)) / p_max
        dearest = max(
            float(np.max(full, initial=0.0)), float(np.max(np.abs(sources.cost.to_numpy(float)), initial=0.0))
        )
        self.price_scale = dearest / 0.6 if dearest > 0 else 1.0  # currency/MWh
        self.money = self.power_mw * self.price_scale

        self.must = units.must_run.to_numpy(bool)
        self.free = np.flatnonzero(~self.must)
        self.units_in_row = units.units.to_numpy(np.int64)
        self.first_unit = np.concatenate(([0], np.cumsum(self.units_in_row[self.free]))).astype(np.int64)
        # every unit keeps at least one segment, so that its output can be told from its minimum
        has_seg = case.unit_seg_mw > 1e-9 * p_max[:, None]
        has_seg[~has_seg.any(axis=1), 0] = True
        self.seg_unit, self.seg_at = (part.astype(np.int64) for part in np.nonzero(has_seg))
        width = np.maximum(case.unit_seg_mw[self.seg_unit, self.seg_at], 1e-6 * p_max[self.seg_unit])
        self.seg_mw = width
        self.seg_cost = case.unit_seg_cost[self.seg_unit, self.seg_at]
        self.unit_cost = units.no_load_cost.to_numpy(float) + case.unit_min_cost * units.p_min_mw.to_numpy(float)

        ramped = np.isfinite(sources.ramp_mw_per_h.to_numpy(float))
        self.ramped, self.plain = np.flatnonzero(ramped), np.flatnonzero(~ramped)
        self.nb, self.nlink = len(case.buses), len(case.links)
        self.network = network and len(case.branches) > 0
        if self.network:
            self.security = security.build(case) if n1 else None
            self.H, self.offset = sensitivities(case)
            rating = case.branches.rating_mw.to_numpy(float)
            watched = rating[np.isfinite(rating)]
            forward = np.concatenate((watched, case.interfaces.limit_mw.to_numpy(float)))
            backward = np.concatenate((watched, case.interfaces.reverse_limit_mw.to_numpy(float)))
            self.limit = np.stack((forward, backward))  # by direction + and -
            overload = case.branches.overload_cost.to_numpy(float)[np.isfinite(rating)]
            self.overload_cost = np.concatenate((overload, case.interfaces.overload_cost.to_numpy(float)))
        self.load_bus = case.loads.bus_row.to_numpy(np.int64)
        self.fed = np.unique(
            np.concatenate((units.bus_row, sources.bus_row, case.stores.bus_row)).astype(np.int64)
        )  # buses that may have to spill, and the most each can feed in
        self.fed_mw = self._most_fed()
        self.shed = self._by_zone(self.load_bus, case.load_mw.mean(axis=0), self.nb + self.nlink)
        self.spill = self._by_zone(self.fed, self.fed_mw, self.nb + self.nlink + self.shed.groups)
        self.columns = self.nb + self.nlink + self.shed.groups + self.spill.groups
        if self.network:
            self.H = self._widen(self.H)
            if self.security is not None:
                wide = self.security._replace(H=self.H, lost_H=self._widen(self.security.lost_H))
                self.security = wide
                self.seen = security.new_report(len(self.H), wide.outages.branch.size, case.hours)

    def _widen(self, H: FloatArray) -> FloatArray:
        """Rows of H with the columns of shedding and spilling zones."""
        return np.hstack((H, self.shed.columns(H), self.spill.columns(H)))

    def first_state(self) -> State:
        """The state before the first hour: units as the case says and long so, stores at their start, no rows."""
        on, out = (np.zeros(self.first_unit[-1], dtype=bool) for _ in range(2))
        initial = self.case.units.initial_on.to_numpy(np.int64)[self.free]
        for i, count in enumerate(initial):
            on[self.first_unit[i] : self.first_unit[i] + count] = True
            out[self.first_unit[i] + self.case.unit_available[0, self.free[i]] : self.first_unit[i + 1]] = True
        before = np.clip(self.case.source_max_mw[0], self.case.source_min_mw[0], None)[self.ramped]
        return State(
            unit_on=on,
            unit_hours=np.full(on.size, 10_000, dtype=np.int64),
            unit_out=out,
            ramp_p_mw=before.copy(),
            e_mwh=self.case.stores.e_start_mwh.to_numpy(float).copy(),
            rows=no_keys(),
        )

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

    def _by_zone(self, bus: IntArray, weight: FloatArray, first_column: int) -> "Zoned":
        """Slacks at `bus` in one lump per zone, shared out by `weight`; a bus without zone is its own."""
        zone = self.case.buses["zone"].astype(str).to_numpy()[bus]
        label = np.where(zone == "", np.char.add("bus ", bus.astype(str)), zone)
        names, group = np.unique(label, return_inverse=True)
        total = np.bincount(group, weights=weight, minlength=names.size)
        size = np.bincount(group, minlength=names.size)
        share = np.where(total[group] > 0.0, weight / np.maximum(total[group], 1e-12), 1.0 / np.maximum(size[group], 1))
        return Zoned(bus, group.astype(np.int64), share, names.size, first_column)

    # -- the problem ----------------------------------------------------------------------------------------------

    def _segments_of(self, rows: IntArray) -> IntArray:
        return np.flatnonzero(np.isin(self.seg_unit, rows))

    def problem(self, t0: int, hours: int, state: State, on: IntArray | None) -> tuple[Problem, FloatArray, float]:
        """The window of `hours` from hour `t0`; with `on` (T, nu) the units on are given, else they are relaxed.

        Returns
        -------
        Problem, (T, columns) fixed injections in scaled power (demand and what given units must produce), constant cost
        """
        case, sp, sc = self.case, self.power_mw, self.price_scale
        at = slice(t0, t0 + hours)
        load = case.load_mw[at] / sp
        units, sources, links = case.units, case.sources, case.links
        given = np.arange(len(units)) if on is not None else np.flatnonzero(self.must)
        running = case.unit_available[at][:, given] if on is None else on[:, given]
        p_min = units.p_min_mw.to_numpy(float)
        bus = units.bus_row.to_numpy(np.int64)

        fixed = np.zeros((hours, self.columns))
        np.add.at(fixed.T, self.load_bus, -load.T)
        base = running * (p_min[given] / sp)
        np.add.at(fixed.T, bus[given], base.T)
        constant = (
            float(running @ self.unit_cost[given])
            if running.ndim == 1
            else float((running @ self.unit_cost[given]).sum())
        )

        # boxes: segments of given units, plain sources, shedding, spilling, shortfalls, links
        segs = self._segments_of(given)
        place = np.searchsorted(given, self.seg_unit[segs])
        seg_hi = running[:, place] * (self.seg_mw[segs] / sp)
        up_ok, down_ok = units.reserve_up.to_numpy(float), units.reserve_down.to_numpy(float)
        src_lo, src_hi = case.source_min_mw[at] / sp, case.source_max_mw[at] / sp
        src_up, src_down = sources.reserve_up.to_numpy(float), sources.reserve_down.to_numpy(float)
        plain, nl, nf = self.plain, self.shed.groups, self.spill.groups
        link_lo = np.tile(links.p_min_mw.to_numpy(float) / sp, (hours, 1)).reshape(hours, self.nlink)
        link_hi = np.tile(links.p_max_mw.to_numpy(float) / sp, (hours, 1)).reshape(hours, self.nlink)
        need_up, need_down = case.reserve_up_mw[at] / sp, case.reserve_down_mw[at] / sp
        penalties = case.penalties
        zero_l, zero_f = np.zeros((hours, nl)), np.zeros((hours, nf))
        spill_hi = self.spill.sum(np.tile(self.fed_mw / sp, (hours, 1)))
        lo = np.hstack((0.0 * seg_hi, src_lo[:, plain], zero_l, zero_f, np.zeros((hours, 2)), link_lo))
        hi = np.hstack(
            (seg_hi, src_hi[:, plain], self.shed.sum(np.maximum(load, 0.0)), spill_hi,
             np.maximum(need_up, 0.0)[:, None], np.maximum(need_down, 0.0)[:, None], link_hi)
        )  # fmt: skip
        cost = np.concatenate(
            (self.seg_cost[segs], sources.cost.to_numpy(float)[plain], np.full(nl, penalties.shed),
             np.full(nf, penalties.spill), np.full(2, penalties.reserve_short), np.zeros(self.nlink))
        ) / sc  # fmt: skip
        seg_row = self.seg_unit[segs]
        ones, none = np.ones, np.zeros
        boxes = Boxes(
            bus=np.concatenate(
                (bus[seg_row], sources.bus_row.to_numpy(np.int64)[plain], self.shed.first_column + np.arange(nl),
                 self.spill.first_column + np.arange(nf), np.zeros(2, dtype=np.int64), self.nb + np.arange(self.nlink))
            ).astype(np.int64),
            lo=lo,
            hi=hi,
            cost=np.tile(cost, (hours, 1)),
            coef=np.column_stack((
                np.concatenate((ones(segs.size + plain.size + nl), -ones(nf), none(2 + self.nlink))),
                np.concatenate((-up_ok[seg_row], -src_up[plain], none(nl + nf), [1.0, 0.0], none(self.nlink))),
                np.concatenate((down_ok[seg_row], src_down[plain], none(nl + nf), [0.0, 1.0], none(self.nlink))),
            )),
            line=np.concatenate((ones(segs.size + plain.size + nl), -ones(nf), none(2), ones(self.nlink))),
        )  # fmt: skip
        # headroom hi - x and room x - lo: their constants go to the needs
        shortfall = segs.size + plain.size + nl + nf + np.arange(2)
        counts = boxes.coef.copy()
        counts[shortfall] = 0.0
        head, room = hi @ np.maximum(-counts[:, 1], 0.0), lo @ np.maximum(counts[:, 2], 0.0)

        free = self.free if on is None else np.zeros(0, dtype=np.int64)
        free_seg = self._segments_of(free)
        first = self.first_unit
        width = np.bincount(np.searchsorted(free, self.seg_unit[free_seg]), self.seg_mw[free_seg] / sp, free.size)
        owner = np.searchsorted(free, self.seg_unit[free_seg]).astype(np.int64)
        ramped, ramp_mw = self.ramped, np.tile(sources.ramp_mw_per_h.to_numpy(float)[self.ramped] / sp, (hours, 1))
        problem = Problem(
            need=np.column_stack((load.sum(axis=1) - base.sum(axis=1), need_up - head, need_down + room)),
            units=Units(
                bus=bus[free],
                coef=np.column_stack((p_min[free] / sp, up_ok[free] * width, np.zeros(free.size))),
                cost=self.unit_cost[free] / self.money,
                start_cost=units.start_cost.to_numpy(float)[free] / self.money,
                on0=np.array([state.unit_on[a:b].sum() for a, b in pairwise(first)], dtype=float)
                if free.size
                else np.zeros(0),
                avail=case.unit_available[at][:, free].astype(float),
                seg_unit=owner,
                seg_width=self.seg_mw[free_seg] / sp,
                seg_cost=self.seg_cost[free_seg] / sc,
                seg_coef=np.column_stack((np.ones(owner.size), -up_ok[free][owner], down_ok[free][owner])),
            ),
            boxes=boxes,
            ramps=Ramps(
                bus=sources.bus_row.to_numpy(np.int64)[ramped],
                base=src_lo[:, ramped],
                up=ramp_mw,
                down=ramp_mw,
                p0=state.ramp_p_mw / sp,
                seg_ramp=np.arange(ramped.size),
                seg_width=src_hi[:, ramped] - src_lo[:, ramped],
                seg_cost=np.tile(sources.cost.to_numpy(float)[ramped] / sc, (hours, 1)),
                seg_coef=np.tile([1.0, 0.0, 0.0], (ramped.size, 1)),
            ),
            stores=self._stores(hours, state),
        )
        constant += float((src_lo[:, ramped] @ sources.cost.to_numpy(float)[ramped]).sum()) / sc * self.money
        return problem, fixed, constant

    def _stores(self, hours: int, state: State) -> Stores:
        stores, sp, sc = self.case.stores, self.power_mw, self.price_scale

        def column(name: str) -> FloatArray:
            return stores[name].to_numpy(float)

        keep = 1.0 - column("loss_per_h")
        e_lo = np.tile(column("e_min_mwh") / sp, (hours, 1))
        e_hi = np.tile(column("e_max_mwh") / sp, (hours, 1))
        # a store above or below its bounds at the start (rounding of a long run) is taken as it is
        e0 = np.clip(state.e_mwh / sp, e_lo[0], e_hi[0]) if hours else state.e_mwh / sp
        # the end target, as far as nine tenths of full charging can bring the store by then
        reach = e0.copy()
        filled = 0.9 * column("eta_charge") * column("p_charge_max_mw") / sp
        for _ in range(hours):
            reach = np.minimum(e_hi[0], keep * reach + filled)
        rule = stores.end_rule.to_numpy(str)
        target = np.minimum(column("e_end_mwh") / sp, np.minimum(reach, e_hi[0] - 1e-3 * (e_hi[0] - e_lo[0])))
        e_lo[-1] = np.where(rule == "fixed", np.maximum(e_lo[-1], target), e_lo[-1])
        return Stores(
            bus=stores.bus_row.to_numpy(np.int64),
            charge_min=np.zeros((hours, len(stores))),
            charge_max=np.tile(column("p_charge_max_mw") / sp, (hours, 1)),
            discharge_min=np.zeros((hours, len(stores))),
            discharge_max=np.tile(column("p_discharge_max_mw") / sp, (hours, 1)),
            charge_cost=column("charge_cost") / sc,
            discharge_cost=column("discharge_cost") / sc,
            eta_c=column("eta_charge"),
            eta_d=column("eta_discharge"),
            keep=keep,
            inflow=np.zeros((hours, len(stores))),
            spill_max=np.zeros((hours, len(stores))),
            e0=e0,
            e_lo=e_lo,
            e_hi=e_hi,
            end_value=np.where(rule == "value", column("end_value") / sc, 0.0),
        )

    # -- line rows ------------------------------------------------------------------------------------------------

    def rows(self, keys: RowKeys, fixed: FloatArray) -> Rows:
        """The rows of `keys` as arrays, demand already on their limits."""
        if not keys.hour.size:
            return window.no_rows(self.columns)
        sp, sign = self.power_mw, keys.sign.astype(float)
        coef = self.H[keys.element] * sign[:, None]
        limit = self.limit[(keys.sign < 0).astype(np.int64), keys.element] / sp
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
        whole = known.take(known.outage < 0)
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
