"""Part `commitment`: whole windows of unit commitment, and what they cost.

The planner against its own method with HiGHS inside (relax, round, fix: the same rounding kernel, live models, the line
rows of the plan known beforehand, only HiGHS's solves counted), and against HiGHS's branch and bound to a gap of 0.1 %.
"""

import copy
import time
from collections.abc import Callable
from typing import Any

import highspy
import numpy as np
from highs_live import LiveModel, cold, pass_model, quiet
from opponents import summary
from sample import STEP_H, WINDOW_H, Day, Year

from gridsim.errors import WindowError
from gridsim.handover import RowKeys
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.problem import Problem, Rows, Solution
from gridsim.oracle_commitment import add_whole_units, complete
from gridsim.oracle_matrix import build
from gridsim.plan import BY_HIGHS, Planner
from gridsim.plan_milp import histories

NAMES = ("kernel_s", "highs_s", "highs_all_s", "gap")
SAME_COST = 1e-6  # relative: beyond it one schedule is cheaper
MILP_GAP, MILP_LIMIT_S, MILP_WINDOWS = 1e-3, 300.0, 3


class HighsPlanner(Planner):
    """The planner with HiGHS inside: one live model for relaxations, one for dispatches, each shifted by a day."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.live = {kind: LiveModel(shift_h=self.step_h) for kind in ("relaxed", "fixed")}
        self.spent: dict[str, list[float]] = {"relaxed": [], "fixed": []}
        self.keys: RowKeys | None = None

    def rows(self, keys: RowKeys, fixed: FloatArray) -> Rows:
        self.keys = keys
        return super().rows(keys, fixed)

    def _solve(self, problem: Problem, rows: Rows, *_: Any) -> tuple[Solution, Any, int]:
        assert self.keys is not None
        kind = "relaxed" if problem.units.bus.size else "fixed"
        live, before = self.live[kind], self.spent[kind]
        live.become(problem, self.keys, rows, shift=not before)
        spent = live.run()
        if not before:
            spent = min(spent, cold(problem, rows)[0])
        before.append(spent)
        return live.solution(), BY_HIGHS, 0

    def timed(self, day: Day) -> dict[str, Any]:
        """Plan a day with the line rows of the kernel's plan known from the start."""
        for spent in self.spent.values():
            spent.clear()
        state = copy.deepcopy(day.state)
        state.rows, state.prices = day.fixed.settled.keys, None
        plan = self.plan(day.t0, WINDOW_H, state)
        relaxed, fixed = self.spent["relaxed"], self.spent["fixed"]
        return {
            "highs_cost": plan.cost,
            "highs_s": relaxed[0] + min(fixed),  # one relaxation, one dispatch: the least it could be
            "highs_all_s": sum(relaxed) + sum(fixed),
        }


def measure(year: Year, days: list[int], say: Callable[[str], None], *, milp: int = 0) -> dict[str, Any]:
    """The planner on each day against HiGHS in its place; the first `milp` days by branch and bound too."""
    theirs, out, searched = HighsPlanner(year.case, step_h=STEP_H), [], []
    for day in year.days(days):
        record = theirs.timed(day)
        if not day.measured:
            continue
        began = time.process_time()
        year.planner.plan(day.t0, WINDOW_H, copy.deepcopy(day.state))
        kernel_s = float(np.mean((day.cpu_s, time.process_time() - began)))
        dearer = day.plan.cost / record["highs_cost"] - 1.0
        out.append(
            {
                "day": day.day, "kernel_s": kernel_s, "cost": day.plan.cost,
                "gap": (day.plan.cost - day.plan.bound) / abs(day.plan.cost), **record,
                "ratio": record["highs_s"] / kernel_s, "dearer": dearer, "agree": dearer <= SAME_COST,
            }
        )  # fmt: skip
        say(f"commitment, day {day.day}: HiGHS / kernel {out[-1]['ratio']:.2f}, cost {dearer:+.1e}")
        if len(searched) < milp:
            searched.append({"day": day.day, **branch_and_bound(year, day, kernel_s)})
            say(f"commitment, day {day.day}: branch and bound {searched[-1]['milp_s']:.0f} s")
    return {"rows": out, "summary": summary(out, NAMES), "milp": searched}


def branch_and_bound(
    year: Year, day: Day, kernel_s: float, *, gap: float = MILP_GAP, limit_s: float = MILP_LIMIT_S
) -> dict[str, Any]:
    """HiGHS's branch and bound on a day: CPU seconds to the gap (or the limit), and to a schedule as cheap as ours.

    It is told the line rows of the plan; only `run` is counted. Its cost is that of its own model, in which overloads
    of further lines would be free.
    """
    planner, problem = year.planner, day.relaxed.problem
    rows = planner.rows(day.fixed.settled.keys, day.relaxed.fixed)
    times = planner.case.units[["min_up_h", "min_down_h"]].to_numpy(np.int64)[planner.free]
    up, down = np.maximum(times[:, 0], 1), np.maximum(times[:, 1], 1)
    state, ages = day.state, int(np.maximum(times, 1).max())
    past = histories(state.unit_on, state.unit_hours, state.unit_out, planner.first_unit, ages)
    model = add_whole_units(build(problem, rows), problem, complete(problem, up, down, *past))
    highs = quiet(mip_rel_gap=gap, time_limit=limit_s)
    pass_model(highs, model, whole=True)
    # constant costs are the same in both: the planner's bound and cost differ from the model's by them
    relaxed = day.relaxed.settled.solution.objective * planner.money
    ours = (day.plan.cost - (day.plan.relaxed - relaxed)) / planner.money
    seen: list[tuple[float, float]] = []
    began = time.process_time()
    highs.cbMipImprovingSolution.subscribe(
        lambda event: seen.append((time.process_time() - began, event.data_out.objective_function_value))
    )
    highs.run()
    spent = time.process_time() - began
    info, status = highs.getInfo(), highs.getModelStatus()
    if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kTimeLimit):
        raise WindowError(f"HiGHS's branch and bound ended with: {highs.modelStatusToString(status)}")
    as_cheap = [at for at, value in seen if value <= ours + SAME_COST * abs(ours)]
    found = bool(seen)
    return {
        "kernel_s": kernel_s,
        "milp_s": spent,
        "ended": highs.modelStatusToString(status),
        "milp_gap": float(info.mip_gap) if found else None,
        "ratio": spent / kernel_s,
        "as_cheap_s": min(as_cheap) if as_cheap else None,
        "dearer": ours / info.objective_function_value - 1.0 if found else None,
    }
