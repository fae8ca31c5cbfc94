"""One window solved twice, by the kernel and by HiGHS: what differs, by how much, in which hour and at which element.

`compare` takes the window's problem from the planner, so both solve the same arrays; whether those arrays state the
grid rightly is for the tests of `gridsim.plan` and for `gridsim.audit`, which knows neither.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gridsim import oracle
from gridsim.handover import Decided, RowKeys, State
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.problem import Problem, Rows, Solution
from gridsim.oracle_prices import PriceProbe
from gridsim.plan import Plan, Planner
from gridsim.series import initial_on
from gridsim.zoned import Zoned

SAME_PRICE = 5e-5  # of the price scale: a ten-thousandth of a usual price, what a gap of 1e-8 leaves open


class Deviation(NamedTuple):
    """How far two numbers are apart that should be one."""

    value: float
    where: str


@dataclass
class PriceCount:
    """Prices of a window, hour by hour."""

    equal: int = 0  # to HiGHS's own
    not_unique: int = 0  # not equal, but between the slopes of HiGHS's optimum: as right as HiGHS's
    wrong: int = 0


class Comparison(NamedTuple):
    """A window, compared."""

    deviations: dict[str, Deviation]  # by name of the check
    prices: PriceCount
    relaxed_optimum: float  # HiGHS's, with every line row it needs, constant costs included; currency
    dispatch_optimum: float  # likewise, with the units of the plan, their starts included


def compare(
    kernel: Planner, highs: Planner, t0: int, state: State, plan: Plan, *, recorded: FloatArray | None = None
) -> Comparison:
    """Solve the window of `plan` again, relaxed and with its units given, by both.

    Parameters
    ----------
    kernel, highs : Planner
        Of one case, with the engines of their names.
    t0 : int
        First step of the window.
    state : State
        What the window started in; not changed.
    plan : Plan
    recorded : (kept, R) float64, optional
        Prices of energy and reserve products in a results file, currency/MWh: those are judged in the kept hours, the
        kernel's in the others.
    """
    hours = plan.on.shape[0]
    none = state.rows.take(slice(0))
    found: dict[str, Deviation] = {}
    highs.rate(slice(t0, t0 + hours))

    problem, injected, constant = kernel.problem(t0, hours, state, None)
    ours = kernel.settle(problem, injected, none, None)
    own = highs.settle(problem, injected, none, None)
    same = oracle.solve_lp(problem, kernel.rows(ours.keys, injected))
    must_start = kernel._start_cost(plan.start[:, kernel.must], kernel.must)
    relaxed = own.solution.objective * kernel.money + constant + must_start
    label = _Label(kernel, t0, hours)
    found["relaxed: same line rows"] = label.gap(problem, ours.solution, same, None)
    found["relaxed: own line rows"] = label.gap(problem, ours.solution, own.solution, None)

    problem, injected, constant = kernel.problem(t0, hours, state, plan.decided)
    ours = kernel.settle(problem, injected, none, None)
    own = highs.settle(problem, injected, none, None)
    dispatch = (
        own.solution.objective * kernel.money + constant + float(plan.start_cost.sum() + plan.store_start_cost.sum())
    )
    dispatch += plan.lacking_cost
    rows = kernel.rows(ours.keys, injected)
    probe, same = PriceProbe(problem, rows), oracle.solve_lp(problem, rows)
    found["prices: what they prove"] = _dual(probe, ours.solution, rows)
    found["dispatch: same line rows"] = label.gap(problem, ours.solution, same, plan.decided)
    found["dispatch: own line rows"] = label.gap(problem, ours.solution, own.solution, plan.decided)
    # a row just at its limit may have a price or none: only with all of those do the slopes hold either answer
    wide = _both_ways(kernel, ours.near)
    if wide.hour.size > ours.keys.hour.size:
        rows = kernel.rows(wide, injected)
        probe, same = PriceProbe(problem, rows), oracle.solve_lp(problem, rows)
    lossy = kernel.lossy is not None
    count = _prices(kernel, probe, ours.solution, same, recorded=None if lossy else recorded, label=label, found=found)
    if lossy and recorded is not None:
        found["prices: recorded, other tangents"] = _near(kernel, ours.solution, recorded, label)
    return Comparison(found, count, relaxed, dispatch)


def _both_ways(planner: Planner, keys: RowKeys) -> RowKeys:
    """With the row of the other direction where an element may carry nothing: there both have a price, or neither."""
    if not keys.hour.size:
        return keys
    lines = keys.take(~planner.is_tangent(keys))
    other = lines._replace(sign=-lines.sign)
    closed = planner.limit_of(lines) + planner.limit_of(other) <= 0.0
    return planner.join(keys, other.take(closed))


def _prices(
    planner: Planner,
    probe: PriceProbe,
    ours: Solution,
    theirs: Solution,
    *,
    recorded: FloatArray | None,
    label: "_Label",
    found: dict[str, Deviation],
) -> PriceCount:
    """Every hour's prices against HiGHS's, and where those differ against the slopes of HiGHS's optimum."""
    scale, count = planner.price_scale, PriceCount()
    for place, kind in enumerate(price_kinds(planner)):
        price, other = ours.price[:, place].copy(), theirs.price[:, place]
        if recorded is not None and place < recorded.shape[1]:
            price[: len(recorded)] = recorded[:, place] / scale
        differ = np.flatnonzero(np.abs(price - other) > SAME_PRICE)
        left, right = probe.slopes(place, differ)
        beyond = np.maximum(np.maximum(left - price[differ], price[differ] - right), 0.0)
        wrong = int((beyond > SAME_PRICE).sum())
        count.equal += price.size - differ.size
        count.not_unique += differ.size - wrong
        count.wrong += wrong
        off = np.zeros(price.size)  # where equal, what is left of the difference
        equal = np.setdiff1d(np.arange(price.size), differ)
        off[equal], off[differ] = np.abs(price - other)[equal], beyond
        t = int(np.argmax(off))
        text = (
            f"{label.hour(t)}: {price[t] * scale:,.3f} against {other[t] * scale:,.3f} of HiGHS" if off[t] > 0 else ""
        )
        found[f"prices: {kind}"] = Deviation(float(off[t]) * scale, text)
    return count


def _near(planner: Planner, s: Solution, recorded: FloatArray, label: "_Label") -> Deviation:
    """How far recorded prices are from those of a solution with tangents of its own, of the scale of prices; relative.

    A tangent that leaves a share s of the losses uncounted touches sqrt(s) of the flow away, where the marginal loss
    differs by as much of itself.
    """
    price = s.price[: len(recorded), : recorded.shape[1]] * planner.price_scale
    off = np.abs(recorded - price) / np.maximum(np.abs(price), planner.price_scale)
    t = int(np.argmax(off.max(axis=1)))
    k = int(np.argmax(off[t]))
    return Deviation(float(off[t, k]), f"{label.hour(t)}: {recorded[t, k]:,.3f} against {price[t, k]:,.3f}")


def _dual(probe: PriceProbe, s: Solution, rows: Rows) -> Deviation:
    """How much less than the optimum the kernel's prices prove, line rows included; relative."""
    proven = probe.dual_value(s.price, s.price_row)
    missing = (probe.optimum - proven) / max(1.0, abs(probe.optimum))
    text = f"prices of {s.price.size} hourly rows and {rows.hour.size} line rows"
    return Deviation(abs(float(missing)), text if missing else "")


class _Label:
    """Names for the hours and devices of a window."""

    def __init__(self, planner: Planner, t0: int, hours: int):
        self.planner, self.stamps = planner, planner.case.time[t0 : t0 + hours]

    def hour(self, t: int) -> str:
        return f"{self.stamps[t]:%Y-%m-%d %H:%M}"

    def gap(self, problem: Problem, a: Solution, b: Solution, decided: Decided | None) -> Deviation:
        """Relative difference of the objectives; the hour whose cost differs most, the device that moves most in it.

        Two optima of equal cost may differ in who does what: only with a difference of the objectives does the place
        mean anything.
        """
        away = abs(a.objective - b.objective) / max(1.0, abs(b.objective))
        if not away:
            return Deviation(0.0, "")
        t = int(np.argmax(np.abs(hourly_cost(problem, a) - hourly_cost(problem, b))))
        names, moved = self.outputs(problem, decided, a, b, t)
        if not names:
            return Deviation(float(away), self.hour(t))
        most = int(np.argmax(np.abs(moved)))
        return Deviation(float(away), f"{self.hour(t)}, {names[most]} {moved[most]:+,.3f} MW")

    def outputs(
        self, problem: Problem, decided: Decided | None, a: Solution, b: Solution, t: int
    ) -> tuple[list[str], FloatArray]:
        """Devices by name and how much more power each gives in `a` than in `b` in hour `t`. [MW]"""
        planner, case = self.planner, self.planner.case
        units = case.units["name"].astype(str).tolist()
        sources, parts = case.sources["name"].astype(str).tolist(), planner.parts(decided)
        names = [
            *(units[i] for i in planner.seg_unit[parts.segs]),
            *(sources[i] for i in planner.plain),
            *(f"unserved at {place}" for place in self.places(planner.shed)),
            *(f"spill at {place}" for place in self.places(planner.spill)),
            *(f"reserve {name} short" for name in case.products["name"]),
            *case.links["name"].astype(str),
            *(f"shift of {name} {way}" for way in ("up", "down") for name in case.shifters["name"][: planner.nshift]),
            *(f"losses of island {k}" for k in range(planner.loss.groups)),
        ]
        moved = (a.x[t] - b.x[t])[: len(names)]  # the steps of budgets behind them are no power
        unit = (a.u[t] - b.u[t]) * problem.units.coef[:, 0]
        np.add.at(unit, problem.units.seg_unit, a.q[t] - b.q[t])
        ramped = np.zeros(problem.ramps.bus.size)
        np.add.at(ramped, problem.ramps.seg_ramp, a.ramp_q[t] - b.ramp_q[t])
        names += [units[i] for i in parts.free] + [sources[i] for i in planner.ramped]
        names += [units[i] for i in parts.held]
        names += case.stores["name"].astype(str).tolist()
        store = a.discharge[t] - a.charge[t] - b.discharge[t] + b.charge[t]
        return names, np.concatenate((moved, unit, ramped, store)) * planner.power_mw

    def places(self, slacks: Zoned) -> list[str]:
        """The zone of each group of slacks, or its one bus."""
        buses = self.planner.case.buses
        first = slacks.bus[[int(np.argmax(slacks.group == k)) for k in range(slacks.groups)]]
        return [
            str(zone) or str(name)
            for zone, name in zip(buses["zone"].iloc[first], buses["name"].iloc[first], strict=True)
        ]


def price_kinds(planner: Planner) -> list[str]:
    """What the prices of an hour are called."""
    return ["energy", *(f"reserve {name}" for name in planner.case.products["name"])]


def hourly_cost(problem: Problem, s: Solution) -> FloatArray:
    """What a solution costs in each hour, (T,), but for overloads of lines and the worth of what stores hold last."""
    units, stores = problem.units, problem.stores
    before = np.vstack((units.on0[None], s.u[:-1]))
    cost = s.u @ units.cost + np.maximum(s.u - before, 0.0) @ units.start_cost + s.q @ units.seg_cost
    cost += (s.x * problem.boxes.cost).sum(axis=1) + (s.ramp_q * problem.ramps.seg_cost).sum(axis=1)
    return cost + s.charge @ stores.charge_cost + s.discharge @ stores.discharge_cost


def fresh_state(planner: Planner, t0: int) -> State:
    """The state of a window that nothing comes before: units on as `assemble` would start a run at `t0`, for long."""
    case, state = planner.case, planner.first_state()
    seg_cost = (case.unit_seg_mw * case.unit_seg_cost).sum(axis=1)
    p_max = np.maximum(case.units.p_max_mw.to_numpy(float), 1e-9)
    series = case.load_mw[t0:], case.source_min_mw[t0:], case.source_max_mw[t0:]
    full = (planner.unit_cost / planner.dt_h + seg_cost) / p_max
    on = initial_on(case.units, case.unit_available[t0:], full, *series, case.sources)[planner.free]
    free = case.unit_available[t0, planner.free]
    for first, after, count, avail in zip(planner.first_unit[:-1], planner.first_unit[1:], on, free, strict=True):
        state.unit_on[first:after] = np.arange(after - first) < count
        state.unit_out[first:after] = np.arange(after - first) >= avail
    state.unit_p_mw = np.where(planner.before(t0, state) > 0, np.nan, 0.0)
    state.budgets = planner.budgeting.before(t0)
    state.ramp_p_mw = np.clip(case.source_max_mw[t0], case.source_min_mw[t0], None)[planner.ramped]
    return state
