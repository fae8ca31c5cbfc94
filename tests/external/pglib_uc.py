"""Instances of power-grid-lib/pglib-uc: a reader, a relaxation for starting prices and the dispatch, both in HiGHS."""

import itertools
import json
from typing import Any, NamedTuple

import highspy
import numpy as np
from scipy import sparse

from gridsim import search
from gridsim.kernels import bundle, single

INF = highspy.kHighsInf


class Instance(NamedTuple):
    units: single.SingleUnits
    system: bundle.Demand


def read(path: Any) -> Instance:
    with open(path) as file:
        data = json.load(file)
    T = int(data["time_periods"])
    rows = list(data["thermal_generators"].values())
    n = len(rows)

    def column(key: str) -> np.ndarray:
        return np.array([float(g[key]) for g in rows])

    p_min = column("power_output_minimum")
    on0 = column("unit_on_t0") > 0.5
    hours0 = np.where(on0, column("time_up_t0"), column("time_down_t0")).astype(np.int64)
    width, cost, first, base = [], [], [0], []
    for g in rows:
        points = g["piecewise_production"]
        base.append(points[0]["cost"])
        for a, b in itertools.pairwise(points):
            if b["mw"] > a["mw"]:
                width.append(b["mw"] - a["mw"])
                cost.append((b["cost"] - a["cost"]) / (b["mw"] - a["mw"]))
        first.append(len(width))
    start, start0 = single.start_tables([[(s["lag"], s["cost"]) for s in g["startup"]] for g in rows], on0, hours0, T)
    seg_first = np.array(first, dtype=np.int64)
    cap = np.array([sum(width[a:b]) for a, b in itertools.pairwise(first)])
    units = single.SingleUnits(
        p_min=p_min, cost=np.array(base), seg_first=seg_first, seg_width=np.array(width), seg_cost=np.array(cost),
        cap=cap, ramp_up=column("ramp_up_limit"), ramp_down=column("ramp_down_limit"),
        start_ramp=np.maximum(column("ramp_startup_limit") - p_min, 0.0),
        stop_ramp=np.maximum(column("ramp_shutdown_limit") - p_min, 0.0), up_limit=np.full(n, np.inf),
        down_limit=np.zeros(n), in_ramp=np.ones(n, dtype=bool), must_run=column("must_run") > 0.5,
        min_up=np.maximum(column("time_up_minimum"), 1).astype(np.int64),
        min_down=np.maximum(column("time_down_minimum"), 1).astype(np.int64), on0=on0, hours0=np.maximum(hours0, 1),
        q0=np.where(on0, column("power_output_t0") - p_min, 0.0), avail=np.ones((T, n), dtype=bool),
        start_cost=start, start_cost0=start0, same=np.arange(n),
    )  # fmt: skip
    units = units._replace(same=single.twins(units, np.zeros(n, dtype=np.int64)))
    lo, hi = np.zeros((2, T))
    for g in data["renewable_generators"].values():
        lo += np.array(g["power_output_minimum"])
        hi += np.array(g["power_output_maximum"])
    none = np.zeros((T, n))
    return Instance(units, bundle.Demand(np.array(data["demand"]), np.array(data["reserves"]), lo, hi, none, none))


def crude_prices(case: Instance) -> tuple[np.ndarray, np.ndarray]:
    """Energy at the average full-load cost of the unit that net load and reserve reach; reserve for nothing."""
    units, system = case
    full = np.add.reduceat(units.seg_width * units.seg_cost, units.seg_first[:-1])
    average = (units.cost + full) / (units.p_min + units.cap)
    order = np.argsort(average)
    reach = np.cumsum((units.p_min + units.cap)[order])
    at = np.searchsorted(reach, system.demand - system.band_hi + system.reserve)
    return average[order][np.minimum(at, order.size - 1)], np.zeros(system.demand.size)


class FixedDispatch:
    """The dispatch of a schedule: segments, reserve of units with ramps, ramps, slacks; rules stated on its own."""

    def __init__(self, case: Instance, shortage_price: float):
        self.case, self.price = case, shortage_price
        units = case.units
        self.ramped = np.minimum(units.ramp_up, units.ramp_down) < units.cap
        self.highs = highspy.Highs()
        self.highs.setOptionValue("threads", 1)  # HiGHS keeps the number of its first run in a process
        self.highs.setOptionValue("output_flag", False)
        self.owner = np.repeat(np.arange(units.cap.size), np.diff(units.seg_first))

    def caps(self, on: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cap of output with reserve, and of output."""
        units = self.case.units
        before = np.vstack((units.on0, on[:-1]))
        after = np.vstack((on[1:], on[-1:]))
        room = np.where(on, units.cap, 0.0)
        room = np.where(on & ~before, np.minimum(room, units.start_ramp), room)
        room = np.where(on & ~after, np.minimum(room, units.stop_ramp), room)
        return room, np.where(on & ~after, np.minimum(room, units.ramp_down), room)

    def fixed_cost(self, on: np.ndarray) -> float:
        units = self.case.units
        total = float((on * units.cost).sum())
        for i in range(on.shape[1]):
            off, running = -1, bool(units.on0[i])
            for t in range(on.shape[0]):
                if on[t, i] and not running:
                    total += units.start_cost[i, t - off] if off >= 0 else units.start_cost0[i, t]
                if running and not on[t, i]:
                    off = t
                running = bool(on[t, i])
        return total

    def __call__(self, on: np.ndarray) -> search.Dispatch:
        units, system = self.case
        T, n = on.shape
        room, most = self.caps(on)
        nk = self.owner.size
        hour, seg = (a.ravel() for a in np.meshgrid(np.arange(T), np.arange(nk), indexing="ij"))
        keep = on[hour, self.owner[seg]]
        hour, seg = hour[keep], seg[keep]
        unit = self.owner[seg]
        slow = np.flatnonzero(self.ramped)
        r_hour, r_unit = (a.ravel() for a in np.meshgrid(np.arange(T), slow, indexing="ij"))
        keep = on[r_hour, r_unit]
        r_hour, r_unit = r_hour[keep], r_unit[keep]
        # columns: segments, reserves of slow units, band, energy short, energy in excess, reserve short
        sizes = [seg.size, r_unit.size, T, T, T, T]
        first = np.concatenate(([0], np.cumsum(sizes)))
        cost = np.concatenate((units.seg_cost[seg], np.zeros(r_unit.size + T), np.full(3 * T, self.price)))
        fixed_output = (on * units.p_min).sum(axis=1)
        # rows: balance, reserve, then per on-hour: cap of output (fast) or of both (slow), ramps up and down (slow)
        rows, cols, values, lo, hi = [], [], [], [], []

        def add(r: np.ndarray, c: np.ndarray, v: Any) -> None:
            rows.append(r)
            cols.append(c)
            values.append(np.broadcast_to(v, r.shape))

        ts = np.arange(T)
        add(hour, np.arange(seg.size), 1.0)
        add(ts, first[2] + ts, 1.0)
        add(ts, first[3] + ts, 1.0)
        add(ts, first[4] + ts, -1.0)
        lo += [system.demand - fixed_output]
        hi += [system.demand - fixed_output]
        fast = ~self.ramped[unit]
        add(T + hour[fast], np.flatnonzero(fast), -1.0)
        add(T + r_hour, first[1] + np.arange(r_unit.size), 1.0)
        add(T + ts, first[5] + ts, 1.0)
        lo += [system.reserve - (room * ~self.ramped).sum(axis=1)]
        hi += [np.full(T, INF)]
        # caps of output: rows for every (hour, unit) whose cap is below the sum of widths
        count = 2 * T
        number = np.full((T, n), -1)
        limited = on & (np.where(self.ramped, room, most) < units.cap - 1e-9) & ~self.ramped
        number[limited] = count + np.arange(limited.sum())
        count += int(limited.sum())
        inside = number[hour, unit] >= 0
        add(number[hour, unit][inside], np.flatnonzero(inside), 1.0)
        lo += [np.full(int(limited.sum()), -INF)]
        hi += [most[limited]]
        both = on & self.ramped
        up = np.full((T, n), -1)
        down = np.full((T, n), -1)
        out = np.full((T, n), -1)
        known = ~np.isnan(units.q0)
        start = np.where(units.on0 & known, np.nan_to_num(units.q0), 0.0)
        for table, limit in ((number, room), (out, most)):
            table[both] = count + np.arange(both.sum())
            count += int(both.sum())
            lo += [np.full(int(both.sum()), -INF)]
            hi += [limit[both]]
            at = table[hour, unit]
            inside = self.ramped[unit]
            add(at[inside], np.flatnonzero(inside), 1.0)
        add(number[r_hour, r_unit], first[1] + np.arange(r_unit.size), 1.0)
        for table in (up, down):
            table[:, slow] = count + np.arange(T * slow.size).reshape(T, slow.size)
            count += T * slow.size
        first_hour = np.zeros((T, n))
        first_hour[0] = start
        lo += [np.full(2 * T * slow.size, -INF)]
        hi += [(units.ramp_up + first_hour)[:, slow].ravel(), (units.ramp_down - first_hour)[:, slow].ravel()]
        mine = np.flatnonzero(self.ramped[unit])
        add(up[hour[mine], unit[mine]], mine, 1.0)
        add(down[hour[mine], unit[mine]], mine, -1.0)
        add(up[r_hour, r_unit], first[1] + np.arange(r_unit.size), 1.0)
        later = mine[hour[mine] + 1 < T]
        add(up[hour[later] + 1, unit[later]], later, -1.0)
        add(down[hour[later] + 1, unit[later]], later, 1.0)
        matrix = sparse.csc_matrix(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape=(count, first[-1])
        )
        upper = np.concatenate((units.seg_width[seg], np.full(r_unit.size, INF), system.band_hi, np.full(3 * T, INF)))
        lower = np.concatenate((np.zeros(first[2]), system.band_lo, np.zeros(3 * T)))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = int(first[-1]), count
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, lower, upper
        lp.row_lower_, lp.row_upper_ = np.concatenate(lo), np.concatenate(hi)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        self.highs.passModel(lp)
        self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return search.Dispatch(np.inf, np.ones((2, T)), np.zeros((T, nk)), np.zeros((T, n)))
        solution = self.highs.getSolution()
        x, y = np.array(solution.col_value), np.array(solution.row_dual)
        shift = np.zeros((T, n))
        y_up, y_down = (np.where(table >= 0, y[np.maximum(table, 0)], 0.0) for table in (up, down))
        shift -= y_up - y_down
        shift[:-1] += y_up[1:] - y_down[1:]
        short = np.stack((x[first[3] : first[4]] + x[first[4] : first[5]], x[first[5] :]))
        total = self.highs.getInfo().objective_function_value + self.fixed_cost(on)
        return search.Dispatch(total, short, shift[:, self.owner], np.zeros((T, n)))
