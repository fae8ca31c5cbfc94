"""Part `growth`: how CPU time grows with hours, units, buses, and with N-1.

Hours and units: the relaxation of one window of the built-in year, solved once with the line rows that its plan ended
with, by the kernel and by HiGHS from nothing. Buses: public cases of pandapower under a made-up day; both sides find
the line rows of the relaxation by themselves, HiGHS going on from its last basis. Where a side reaches its limit of
time, the row says so.
"""

import dataclasses
import inspect
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandapower.networks as pn
from highs_live import LiveModel, cold
from opponents import SAME, settle
from sample import STEP_H, Recorder, Solved, Year, solve

from gridsim.assemble import assemble_net
from gridsim.case import Case
from gridsim.errors import GridsimError, WindowError
from gridsim.handover import no_keys
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.problem import Problem
from gridsim.plan import Planner
from gridsim.scenario import Scenario
from gridsim.verify_window import fresh_state

HOURS = (24, 48, 72, 96, 120, 168)
UNITS = (50, 100, 200, 400, 700, 1000)
CASES = ("case24_ieee_rts", "case39", "case118", "case300", "case1354pegase", "case2869pegase")
LIMIT_S = 200.0  # CPU seconds of a side; HiGHS, which counts wall time, has twice as many
DAY = 200  # of the built-in year


def measure(
    year: Year,
    say: Callable[[str], None],
    *,
    hours: tuple[int, ...] = HOURS,
    units: tuple[int, ...] = UNITS,
    cases: tuple[str, ...] = CASES,
) -> dict[str, Any]:
    """All of it: one list of rows for each thing that grows."""
    return {
        "hours": [_said(say, "hours", of_hours(year, count)) for count in hours],
        "units": [_said(say, "units", of_units(year, count)) for count in units],
        "buses": [_said(say, "buses", of_case(name)) for name in cases],
        "n1": [_said(say, "N-1", row) for row in of_n1(year)],
    }


def _said(say: Callable[[str], None], what: str, row: dict[str, Any]) -> dict[str, Any]:
    size = row.get("size")
    say(f"growth, {what} {size}: kernel {row['kernel_s']:.3f} s" if row.get("kernel_s") else f"growth, {what}: {row}")
    return row


def duel(planner: Planner, one: Solved) -> dict[str, Any]:
    """The kernel twice, with HiGHS from nothing in between."""
    rows = planner.rows(one.settled.keys, one.fixed)
    first, ours = solve(planner, one, rows)
    try:
        theirs_s, theirs = cold(one.problem, rows, time_limit=2.0 * LIMIT_S)
    except WindowError as error:
        theirs_s, theirs, why = None, ours, str(error)
    else:
        why = ""
    again, _ = solve(planner, one, rows)
    apart = abs(ours - theirs) / max(1.0, abs(theirs))
    kernel_s = float(np.mean((first, again)))
    return {
        "rows": int(one.settled.keys.hour.size), "kernel_s": kernel_s, "highs_s": theirs_s, "highs_ended": why,
        "ratio": None if theirs_s is None else theirs_s / kernel_s, "apart": apart, "agree": apart <= SAME,
    }  # fmt: skip


def of_hours(year: Year, hours: int) -> dict[str, Any]:
    """A window of so many hours."""
    planner = year.planner
    state = fresh_state(planner, DAY * STEP_H)
    planner.solved.clear()
    planner.plan(DAY * STEP_H, hours, state)
    relaxed = [one for one in planner.solved if one.problem.units.bus.size][-1]
    return {"size": hours, **duel(planner, relaxed)}


def of_units(year: Year, count: int) -> dict[str, Any]:
    """The window with so many groups of units."""
    planner = year.planner
    planner.solved.clear()
    planner.plan(DAY * STEP_H, 48, fresh_state(planner, DAY * STEP_H))
    relaxed = [one for one in planner.solved if one.problem.units.bus.size][-1]
    return {"size": count, **duel(planner, relaxed._replace(problem=with_units(relaxed.problem, count)))}


def with_units(problem: Problem, count: int, seed: int = 0) -> Problem:
    """The problem with `count` groups drawn from its own, of the same capacity together, costs spread by 5 %."""
    units, rng = problem.units, np.random.default_rng(seed)
    n = units.bus.size
    drawn = np.sort(np.concatenate([rng.permutation(n) for _ in range(-(-count // n))])[:count])
    seg = np.concatenate([np.flatnonzero(units.seg_unit == i) for i in drawn])
    owner = np.concatenate([np.full((units.seg_unit == i).sum(), k) for k, i in enumerate(drawn)]).astype(np.int64)
    size = units.coef[:, 0] + np.bincount(units.seg_unit, units.seg_width, n)
    share = float((units.avail[0] * size).sum() / (units.avail[0] * size)[drawn].sum())
    spread = rng.uniform(0.95, 1.05, count)
    return problem._replace(
        units=units._replace(
            bus=units.bus[drawn],
            coef=share * units.coef[drawn],
            cost=share * spread * units.cost[drawn],
            start_cost=share * spread * units.start_cost[drawn],
            on0=units.on0[drawn],
            avail=np.ascontiguousarray(units.avail[:, drawn]),
            seg_unit=owner,
            seg_width=share * units.seg_width[seg],
            seg_cost=spread[owner] * units.seg_cost[seg],
            seg_coef=units.seg_coef[seg],
        )
    )


def of_case(name: str, hours: int = 24) -> dict[str, Any]:
    """A public case under a made-up day: its relaxation with no line row known, by both; then the whole plan."""
    try:
        case = public_case(name, hours)
    except GridsimError as error:
        return {"size": None, "case": name, "kernel_s": None, "why": " ".join(str(error).split())[:300]}
    planner = Recorder(case, step_h=STEP_H)
    problem, fixed, _ = planner.problem(0, hours, planner.first_state(), None)
    settled, kernel_s = limited(lambda: planner.settle(problem, fixed, no_keys(), None))
    theirs, why = None, ""
    try:
        theirs = settle(LiveModel(time_limit=2.0 * LIMIT_S), planner, problem, fixed, no_keys())
    except WindowError as error:
        why = str(error)
    planned, plan_s = limited(lambda: planner.plan(0, hours, planner.first_state()))
    out: dict[str, Any] = {
        "size": len(case.buses), "case": name, "branches": len(case.branches), "units": len(case.units),
        "rows": None if settled is None else int(settled.keys.hour.size),
        "kernel_s": kernel_s, "kernel_done": settled is not None,
        "plan_s": plan_s, "plan_done": planned is not None,
        "highs_s": None if theirs is None else theirs.cpu_s, "highs_ended": why,
        "highs_rows": None if theirs is None else int(theirs.solution.overload.size),
        "ratio": None, "apart": None, "agree": True,
    }  # fmt: skip
    if theirs is not None:
        out["ratio"] = theirs.cpu_s / kernel_s  # where the kernel was stopped, at most this
    if theirs is not None and settled is not None:
        out["apart"] = abs(settled.solution.objective - theirs.objective) / max(1.0, abs(theirs.objective))
        out["agree"] = out["apart"] <= SAME
    return out


def limited(call: Callable[[], Any], limit_s: float | None = None) -> tuple[Any, float]:
    """What `call` returns, and its CPU seconds; None if it was stopped at the limit (between two kernels)."""

    def stop(*_: Any) -> None:
        raise _OverLimit

    before = signal.signal(signal.SIGPROF, stop)
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S if limit_s is None else limit_s)
    try:
        return call(), time.process_time() - began
    except _OverLimit:
        return None, time.process_time() - began
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


class _OverLimit(Exception):
    """The limit of CPU time is reached."""


def public_case(name: str, hours: int) -> Case:
    """A case of pandapower with `hours` of load: its own times a day's shape, between 0.6 and 1.0."""
    scenario = Scenario.model_validate({"name": name, "horizon": {"hours": hours}, "reserve": {"up_min_mw": 0.0}})
    case = assemble_net(scenario, getattr(pn, name)())
    return dataclasses.replace(case, load_mw=case.load_mw * made_up_day(hours)[:, None])


def made_up_day(hours: int) -> FloatArray:
    """(hours,) share of the highest load: low at night, high in the morning and in the evening."""
    t = np.arange(hours)
    shape = 0.8 + 0.13 * np.sin(2 * np.pi * (t - 8.0) / 24.0) + 0.07 * np.sin(4 * np.pi * (t - 6.0) / 24.0)
    return shape / shape.max()


def of_n1(year: Year) -> list[dict[str, Any]]:
    """A window planned without and with N-1, once the planner takes it (`n1`, as `grid.n1` in a scenario)."""
    if "n1" not in inspect.signature(Planner.__init__).parameters:
        return [{"size": None, "kernel_s": None, "why": "the planner of this version does not enforce N-1"}]
    out = []
    for size, n1 in (("off", False), ("enforce", True)):
        planner = Recorder(year.case, step_h=STEP_H, n1=n1)
        state = fresh_state(planner, DAY * STEP_H)
        began = time.process_time()
        plan = planner.plan(DAY * STEP_H, 48, state)
        spent = time.process_time() - began
        out.append({"size": size, "kernel_s": spent, "rows": plan.rows, "rounds": plan.rounds, "cost": plan.cost})
    return out
