"""HiGHS in the kernel's place: the engines agree where they must, and branch and bound proves what rounding found."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim import scenario as scenarios
from gridsim.assemble import assemble
from gridsim.audit import audit
from gridsim.case import Case
from gridsim.plan import Planner
from gridsim.plan_milp import histories
from gridsim.results import ResultsReader
from gridsim.simulate import simulate

sys.path.insert(0, str(Path(__file__).parent))
from tiny_grid import tiny_grid, write_grid


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return assemble(write_grid(tmp_path_factory.mktemp("tiny"), tiny_grid(tight=True)))


@pytest.fixture(scope="module")
def jiangsu() -> Case:
    return assemble(scenarios.load("jiangsu-2024", ['horizon.start="2024-07-01"', "horizon.hours=48"]))


@pytest.mark.parametrize("name", ["tiny", "jiangsu"])
def test_both_find_the_same_optima(name: str, request: pytest.FixtureRequest):
    """The relaxed window, and the dispatch with given units, each with the line rows that it found itself."""
    case = request.getfixturevalue(name)
    kernel, highs = Planner(case), Planner(case, engine="highs")
    state = kernel.first_state()
    plan = kernel.plan(0, 48, state)
    for decided in (None, plan.decided):
        problem, injected, _ = kernel.problem(0, 48, state, decided)
        ours, theirs = (planner.settle(problem, injected, state.rows, None) for planner in (kernel, highs))
        assert ours.solution.objective == pytest.approx(theirs.solution.objective, rel=1e-6)
        assert ours.solution.bound <= theirs.solution.objective * (1 + 1e-9)
        assert ours.solution.bound == pytest.approx(theirs.solution.objective, rel=1e-6)


@pytest.mark.parametrize("name", ["tiny", "jiangsu"])
def test_both_engines_plan_within_their_gaps(name: str, request: pytest.FixtureRequest):
    """Their relaxed optima may differ in who does what, and so may the rounding; neither may pass the other's bound."""
    case = request.getfixturevalue(name)
    plans = [Planner(case, engine=engine).plan(0, 48, Planner(case).first_state()) for engine in ("kernel", "highs")]
    for plan in plans:
        assert plan.cost >= max(p.bound for p in plans) * (1 - 1e-9)
        assert (plan.cost - plan.bound) / plan.cost < 0.01
    assert plans[1].iterations == plans[1].retries == 0


def test_branch_and_bound_is_not_beaten(tiny: Case):
    state = Planner(tiny).first_state()
    rounded = Planner(tiny).plan(0, 48, state)
    searched = Planner(tiny, engine="highs-milp").plan(0, 48, state)
    assert searched.bound <= rounded.cost * (1 + 1e-9)
    assert searched.cost <= rounded.cost * (1 + 1.1e-3)  # its own gap
    assert searched.bound >= rounded.bound * (1 - 1e-9)
    assert (searched.cost - searched.bound) / searched.cost < 1.5e-3


@pytest.mark.parametrize("engine", ["highs", "highs-milp"])
@pytest.mark.parametrize("parts", [{}, {"tight": True}, {"units": False}, {"stores": False}, {"lines": False}], ids=str)
def test_a_whole_run_passes_its_audit(engine: str, parts: dict[str, Any], tmp_path: Path):
    """Minimum times across windows and the outage of a unit included."""
    path = tmp_path / "run.h5"
    simulate(write_grid(tmp_path, tiny_grid(**parts), horizon={"hours": 72}, solver={"engine": engine}), path)
    report = audit(path)
    assert report.ok, report.as_text()
    with ResultsReader(path) as results:
        assert results.meta["engine"] == engine
        table = results.table("windows")
    assert (table["bound"] <= table["cost"] * (1 + 1e-9)).all()


def test_histories_count_units_by_age():
    first = np.array([0, 3, 5])
    on = np.array([True, False, False, True, True])
    hours, out = np.array([2, 9, 1, 10_000, 3]), np.array([False, False, True, False, False])
    on_hours, off_hours = histories(on, hours, out, first, 4)
    assert on_hours.tolist() == [[0, 1, 0, 0], [0, 0, 1, 1]]
    assert off_hours.tolist() == [[0, 0, 0, 1], [0, 0, 0, 0]]  # the one on outage is not counted
