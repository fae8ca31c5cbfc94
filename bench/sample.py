"""Days of the built-in year as the planner meets them: what each begins with, its plan, the programs it solved.

The one place that knows how windows follow each other (plan, live the kept hours, hand the state on). A day of the
sample is reached from the day before it, which begins in a fresh state and is not measured: so every measured window
has units, stores and line rows from a day before, as in a run.
"""

import copy
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gridsim.assemble import assemble
from gridsim.case import Case
from gridsim.handover import Decided, State
from gridsim.kernels import window
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.problem import Problem
from gridsim.lived import fleet, live
from gridsim.plan import Plan, Planner, Settled
from gridsim.scenario import load
from gridsim.verify_window import fresh_state

SCENARIO = "jiangsu-2024"
WINDOW_H, STEP_H = 48, 24


class Solved(NamedTuple):
    """One linear program of a plan, with the line rows it ended with."""

    problem: Problem
    fixed: FloatArray  # (T, columns) injections that are no decision
    settled: Settled


class Recorder(Planner):
    """A planner that keeps what it solves, and the CPU seconds inside the interior point."""

    def __init__(self, case: Case, **options: Any):
        super().__init__(case, **options)
        self.solved: list[Solved] = []
        self.solving_s = 0.0

    def settle(self, problem: Problem, fixed: FloatArray, *args: Any, **options: Any) -> Settled:
        settled = super().settle(problem, fixed, *args, **options)
        self.solved.append(Solved(problem, fixed, settled))
        return settled

    def _solve(self, *args: Any) -> Any:
        began = time.process_time()
        try:
            return super()._solve(*args)
        finally:
            self.solving_s += time.process_time() - began


class Day(NamedTuple):
    """A window, planned."""

    day: int
    t0: int  # first hour
    measured: bool  # False: only leads in to the next
    state: State  # before the window
    plan: Plan
    relaxed: Solved  # the relaxation, with the line rows that the plan ended with
    fixed: Solved  # the dispatch of the plan
    cpu_s: float  # of the plan


class Year:
    """The built-in year and its planner."""

    def __init__(self, case: Case | None = None):
        self.case = assemble(load(SCENARIO)) if case is None else case
        self.planner = Recorder(self.case, step_h=STEP_H)
        self.fleet = fleet(self.case, self.planner)

    def days(self, chosen: Sequence[int], hours: int = WINDOW_H) -> Iterator[Day]:
        """The days `chosen` (rising, from 1), each after its day before."""
        state, next_day = None, -1
        for day in chosen:
            if state is None or day != next_day:
                state = fresh_state(self.planner, (day - 1) * STEP_H)
                yield self._day(day - 1, hours, state, measured=False)
            yield self._day(day, hours, state, measured=True)
            next_day = day + 1

    def _day(self, day: int, hours: int, state: State, *, measured: bool) -> Day:
        planner, t0 = self.planner, day * STEP_H
        before = copy.deepcopy(state)
        planner.solved.clear()
        began = time.process_time()
        plan = planner.plan(t0, hours, state)
        spent = time.process_time() - began
        relaxed, fixed = self._programs(plan)
        live(self.case, self.fleet, planner, plan, t0, STEP_H, state)
        return Day(day, t0, measured, before, plan, relaxed, fixed, spent)

    def _programs(self, plan: Plan) -> tuple[Solved, Solved]:
        """The relaxation and the dispatch that was kept, both with the dispatch's rows."""
        relaxed = [one for one in self.planner.solved if one.problem.units.bus.size]
        dispatched = [one for one in self.planner.solved if not one.problem.units.bus.size]
        kept = min(dispatched, key=lambda one: abs(one.settled.keys.hour.size - plan.rows) + _off(one, plan, self))
        rows = kept.settled.keys
        return relaxed[-1]._replace(settled=relaxed[-1].settled._replace(keys=rows)), kept


def _off(one: Solved, plan: Plan, year: Year) -> float:
    """How far the energy in the stores of a dispatch is from that of the plan: 0 for the one that was kept. [MWh]"""
    return float(np.abs(one.settled.solution.e * year.planner.power_mw - plan.e_mwh).sum())


def chosen_days(hours: int, *, windows: int | None, full: bool, every: int = 20) -> list[int]:
    """Days from 1 whose window is whole: all of them, `windows` of them evenly spread, or every 20th."""
    last = (hours - WINDOW_H) // STEP_H
    if last < 1:
        raise ValueError(f"a sample needs at least {STEP_H + WINDOW_H} hours: there are {hours}")
    if full:
        return list(range(1, last + 1))
    if windows is None:
        return list(range(1, last + 1, every))
    return sorted({int(day) for day in np.linspace(1, last, min(windows, last) + 2)[1:-1].round()})


def solve(planner: Planner, one: Solved, rows: Any) -> tuple[float, float]:
    """The kernel on one program with the rows given: CPU seconds and objective."""
    began = time.process_time()
    solution, outcome = window.solve(one.problem, rows, tolerance=planner.tolerance)
    spent = time.process_time() - began
    if outcome.status != window.SOLVED:
        raise RuntimeError(f"the kernel did not solve it: {outcome}")
    return spent, solution.objective


def all_on(case: Case, t0: int, hours: int) -> Decided:
    """What `Planner.problem` takes for units that are given: here every available one is on."""
    on = case.unit_available[t0 : t0 + hours]
    return Decided(on, np.maximum(np.diff(on, axis=0, prepend=on[:1]), 0))
