"""A day of 1,354 buses with N-1, against HiGHS finding its line rows by itself."""

import os
from pathlib import Path

import numpy as np
import pytest

from gridsim import oracle
from gridsim.assemble import assemble
from gridsim.convert import convert
from gridsim.handover import no_keys
from gridsim.plan import BINDING, OVERLOAD_SEEN, Planner
from gridsim.scenario import load

FILE = Path(os.environ.get("GRIDSIM_CASES", "/nowhere")) / "pglib-opf" / "pglib_opf_case1354_pegase.m"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="GRIDSIM_CASES names no folder with the case")
HOURS = 12


def test_a_day_with_outages_costs_what_highs_finds(tmp_path):
    convert("matpower", FILE, tmp_path / "case", profile="day")
    case = assemble(load(tmp_path / "case"))
    planner = Planner(case, step_h=HOURS, n1=True)
    plan = planner.plan(0, HOURS, planner.first_state())
    problem, fixed, constant = planner.problem(0, HOURS, planner.first_state(), None)
    assert not problem.units.bus.size  # every unit is on: the window is the dispatch
    keys, worst = no_keys(), np.inf
    while worst > 1.0 + OVERLOAD_SEEN:
        highs = oracle.solve_lp(problem, planner.rows(keys, fixed))
        found, worst = planner.screen(planner.injections(problem, fixed, highs), BINDING, keys)
        keys = planner.join(keys, found)
    assert (highs.price_row > 1e-6).sum() > 10 * HOURS  # a day with many rows that bind
    assert plan.cost == pytest.approx(highs.objective * planner.money + constant, rel=1e-7)
    assert plan.bound <= plan.cost * (1.0 + 1e-9)
    assert plan.bound == pytest.approx(plan.cost, rel=planner.target_gap)
