"""Parts `fixed` and `lp`: linear programs without commitment, line rows found on the way, as a run solves them.

``fixed`` are the dispatches that plans of the year end with. ``lp`` is a year without any commitment: every available
unit anywhere between 0 and its capacity. Both sides begin with the line rows of the day before and add what they find
overloaded. The kernel's time is all of `Planner.settle` - arrays of the rows, solves, screening of every line in every
hour; HiGHS's is its solves.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from opponents import Opponents, summary
from sample import STEP_H, WINDOW_H, Recorder, Year, all_on

from gridsim.case import Case
from gridsim.handover import RowKeys, State
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.problem import Problem
from gridsim.plan import Settled

NAMES = ("kernel_s", "solves_s", "cold_s", "warm_s", "shifted_s", "highs_s", "rows")


class _Kernel:
    """The planner's way with one linear program, timed."""

    def __init__(self, planner: Recorder, problem: Problem, fixed: FloatArray, known: RowKeys):
        self.planner, self.given = planner, (problem, fixed, known, None)
        self.solves_s: list[float] = []
        self.settled: Settled | None = None

    def __call__(self) -> tuple[float, float]:
        inside, began = self.planner.solving_s, time.process_time()
        self.settled = self.planner.settle(*self.given)
        spent = time.process_time() - began
        self.solves_s.append(self.planner.solving_s - inside)
        return spent, self.settled.solution.objective


def within(keys: RowKeys, hours: int) -> RowKeys:
    """Rows of the first hours of a window."""
    return RowKeys(*(part[keys.hour < hours] for part in keys))


def measure_fixed(year: Year, days: list[int], say: Callable[[str], None]) -> dict[str, Any]:
    """The dispatch of each day's plan, its units given."""
    theirs, out = Opponents(year.planner, STEP_H, lazy=True), []
    for day in year.days(days):
        problem, fixed, _ = day.fixed
        known = within(day.state.rows, WINDOW_H)
        if not day.measured:
            theirs.lead_in(problem, fixed, known)
            continue
        out.append({"day": day.day, **_race(theirs, year.planner, problem, fixed, known)})
        say(f"fixed, day {day.day}: HiGHS / kernel {out[-1]['ratio']:.2f}")
    return {"rows": out, "summary": summary(out, NAMES)}


def measure_lp(year: Year, days: list[int], say: Callable[[str], None]) -> dict[str, Any]:
    """Each day's window without any commitment."""
    case = without_commitment(year.case)
    planner = Recorder(case, step_h=STEP_H)
    theirs, out = Opponents(planner, STEP_H, lazy=True), []
    for day, measured, problem, fixed, known in lp_windows(planner, days):
        if not measured:
            theirs.lead_in(problem, fixed, known)
            continue
        out.append({"day": day, **_race(theirs, planner, problem, fixed, known)})
        say(f"lp, day {day}: HiGHS / kernel {out[-1]['ratio']:.2f}")
    return {"rows": out, "summary": summary(out, NAMES)}


def _race(theirs: Opponents, planner: Recorder, problem: Problem, fixed: FloatArray, known: RowKeys) -> dict[str, Any]:
    kernel = _Kernel(planner, problem, fixed, known)
    record = theirs.race(kernel, problem, fixed, known)
    assert kernel.settled is not None
    rounds = int(kernel.settled.tally[1])
    size = {"rows": int(kernel.settled.keys.hour.size), "rounds": rounds}
    return {**size, **record, "solves_s": float(np.median(kernel.solves_s))}


def without_commitment(case: Case) -> Case:
    """The case with every unit free from 0 to its capacity: no minimum, no ramps, nothing for starting.

    What a unit burns at its minimum becomes its first segment, at the mean cost up to there; segments are put in the
    order of their cost, so that the program stays linear.
    """
    limits = dict.fromkeys(("ramp_up_mw_per_h", "ramp_down_mw_per_h", "start_ramp_mw", "stop_ramp_mw"), np.inf)
    units = case.units.assign(
        p_min_mw=0.0, no_load_cost=0.0, start_cost=0.0, must_run=False, min_up_h=1, min_down_h=1, **limits
    )
    width = np.column_stack((case.units["p_min_mw"].to_numpy(float), case.unit_seg_mw))
    cost = np.column_stack((case.unit_min_cost, case.unit_seg_cost))
    cost = np.where(width > 0.0, cost, cost.max(axis=1, keepdims=True))  # padding stays last
    order = np.argsort(cost, axis=1, kind="stable")
    return dataclasses.replace(
        case,
        units=units,
        unit_seg_mw=np.take_along_axis(width, order, axis=1),
        unit_seg_cost=np.take_along_axis(cost, order, axis=1),
        unit_min_cost=np.zeros(len(units)),
        unit_start_cost=np.zeros_like(case.unit_start_cost),
        unit_floor_mw=np.zeros_like(case.unit_floor_mw),
        unit_ceiling_mw=np.zeros_like(case.unit_ceiling_mw) + units["p_max_mw"].to_numpy(float),
    )


def lp_windows(
    planner: Recorder, days: list[int], hours: int = WINDOW_H
) -> Iterator[tuple[int, bool, Problem, FloatArray, RowKeys]]:
    """(day, measured, problem, fixed injections, rows known) of the days, each after its day before."""
    state, next_day = planner.first_state(), -1
    for day in days:
        for at in (day,) if day == next_day else (day - 1, day):
            t0 = at * STEP_H
            if at != day:
                state = planner.first_state()
                state.ramp_p_mw = np.clip(planner.case.source_max_mw[t0], planner.case.source_min_mw[t0], None)
                state.ramp_p_mw = state.ramp_p_mw[planner.ramped]
            problem, fixed, _ = planner.problem(t0, hours, state, all_on(planner.case, t0, hours))
            known = within(state.rows, hours)
            yield at, at == day, problem, fixed, known
            _advance(planner, state, problem, planner.settle(problem, fixed, known, None))
        next_day = day + 1


def _advance(planner: Recorder, state: State, problem: Problem, settled: Settled) -> None:
    """Carry a state through the kept hours of a linear program."""
    s, last = settled.solution, STEP_H - 1
    state.e_mwh = s.e[last] * planner.power_mw
    state.ramp_p_mw = problem.ramps.base[last] * planner.power_mw
    np.add.at(state.ramp_p_mw, problem.ramps.seg_ramp, s.ramp_q[last] * planner.power_mw)
    later = RowKeys(*(part[settled.found.hour >= STEP_H] for part in settled.found))
    state.rows = planner.join(later._replace(hour=later.hour - STEP_H), later)
