"""Every part of the benchmarks once, in its smallest form: do they run, agree, and end up on the page?"""

import json
import os
from pathlib import Path

import commitment
import dispatch
import growth
import numpy as np
import page
import pypsa_export
import pytest
import run
import sample
import startup
from highs_live import LiveModel, cold

from gridsim import oracle
from gridsim.handover import RowKeys, no_keys
from gridsim.kernels import window
from gridsim.simulate import warmup

DAY = 200
MEASURED = ("relaxed", "fixed", "lp", "commitment", "growth", "results")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What one small run of the program leaves behind."""
    folder = tmp_path_factory.mktemp("bench")
    arguments = [str(folder), "--date", "2024-02-29", "--windows", "1", "--smallest", "--parts", ",".join(MEASURED)]
    assert run.main(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return json.loads((folder / "benchmarks.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def days():
    """A lead-in day and the day after it."""
    warmup()
    year = sample.Year()
    return year, list(year.days([DAY]))


@pytest.mark.parametrize("name", ["relaxed", "fixed", "lp"])
def test_sides_agree(found, name):
    part = found["parts"][name]
    assert len(part["rows"]) == 1
    row = part["rows"][0]
    assert row["agree"], row
    assert row["rows"] > 0, "a window without line rows tests little"
    assert row["highs_s"] == min(row[f"{hand}_s"] for hand in ("cold", "warm", "shifted"))
    assert row["ratio"] == pytest.approx(row["highs_s"] / row["kernel_s"])


def test_commitment_is_compared_at_equal_cost(found):
    row = found["parts"]["commitment"]["rows"][0]
    assert abs(row["dearer"]) < 1e-3
    assert 0.0 < row["highs_s"] <= row["highs_all_s"] * (1 + 1e-9)


def test_growth_agrees(found):
    part = found["parts"]["growth"]
    for kind in ("hours", "units", "buses"):
        assert [row["agree"] for row in part[kind]] == [True]
    assert part["n1"][0]["kernel_s"] is not None or "N-1" in part["n1"][0]["why"]


def test_file_of_a_year_lies_on_the_line(found):
    part = found["parts"]["results"]
    assert part["extrapolated"]
    assert part["year_size_mb"] > part["size_mb"] * 10
    assert set(part["steps_s"]) == {"open", "append", "write", "finish"}


def test_figures_say_when_and_where(found):
    for part in found["parts"].values():
        assert part["made"]["date"] == "2024-02-29"
        assert len(part["made"]["load_before"]) == 3
        assert part["made"]["versions"]["highspy"]


def test_page_is_written_from_the_file_alone(folder, found, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "measure", None)
    path = tmp_path / "docs" / "benchmarks.md"
    path.parent.mkdir()
    assert run.main([str(folder), "--write-docs", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    for name in MEASURED:
        assert f"## {page.TITLES[name]}\n" in text
    for picture in ("img/benchmarks_ratios.png", "img/benchmarks_growth.png"):
        assert f"]({picture})" in text
        assert (path.parent / picture).stat().st_size > 1000
    tables = [line for line in text.splitlines() if line.startswith("|")]
    widths = [line.count("|") for line in tables]
    rules = [i for i, line in enumerate(tables) if line.startswith("| ---")]
    for i in rules:
        assert widths[i - 1] == widths[i] == widths[i + 1]


def test_losses_are_said():
    row = {"ratio": 0.5, "agree": True}
    other = {"ratio": 2.0, "agree": False}
    found = {"parts": {"fixed": {"rows": [row, other], "summary": {"ratio": 1.25}}}}
    text = page.losses(found)
    assert "slower in 1 of 2" in text
    assert "1 of 2 windows do not agree" in text


def test_unknown_parts_and_missing_figures_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run.main([str(tmp_path), "--date", "x", "--parts", "relaxt"])
    assert "relaxt" in capsys.readouterr().err
    assert run.main([str(tmp_path), "--write-docs", str(tmp_path / "page.md")]) == 3
    assert run.main([str(tmp_path), "--parts", "relaxed"]) == 2


@pytest.mark.parametrize("shift_h", [0, 24])
def test_live_model_is_the_window_it_became(days, shift_h):
    """After a day before, after rows that went and came, the optimum is that of a fresh model."""
    year, (before, day) = days
    planner, live = year.planner, LiveModel(shift_h=shift_h)
    for one, rows in ((before.relaxed, None), (day.relaxed, None), (day.relaxed, no_keys()), (day.relaxed, None)):
        keys = one.settled.keys if rows is None else rows
        rows = planner.rows(keys, one.fixed)
        live.become(one.problem, keys, rows)
        live.run()
        reference = oracle.solve_lp(one.problem, rows)
        assert live.objective == pytest.approx(reference.objective, rel=1e-8)
        assert cold(one.problem, rows)[1] == pytest.approx(reference.objective, rel=1e-8)
    solution = live.solution()
    assert solution.overload == pytest.approx(reference.overload, abs=1e-6)
    assert solution.price.shape == reference.price.shape
    assert solution.price_row @ solution.overload == pytest.approx(rows.cost @ solution.overload, abs=1e-5)


def test_live_model_refuses_another_matrix(days):
    year, (_, day) = days
    problem, fixed, _ = day.relaxed
    rows, live = year.planner.rows(no_keys(), fixed), LiveModel()
    live.become(problem, no_keys(), rows)
    other = problem._replace(stores=problem.stores._replace(keep=0.99 * problem.stores.keep))
    with pytest.raises(Exception, match="matrix"):
        live.become(other, no_keys(), rows)


def test_a_sampled_day_is_the_day_of_a_sequence(days):
    year, (before, day) = days
    assert [one.measured for one in (before, day)] == [False, True]
    assert day.t0 == before.t0 + sample.STEP_H
    assert day.state.e_mwh == pytest.approx(before.plan.e_mwh[sample.STEP_H - 1], abs=1e-3)
    keys = day.fixed.settled.keys
    assert keys.hour.size == day.plan.rows
    assert day.relaxed.problem.units.bus.size == year.planner.free.size


def test_branch_and_bound_proves_the_plan_near(days):
    year, (_, day) = days
    found = commitment.branch_and_bound(year, day, day.cpu_s, gap=5e-2, limit_s=120.0)
    assert found["milp_gap"] <= 5e-2
    assert found["dearer"] <= 2e-3


def test_without_commitment_any_output_costs_what_it_did(days):
    case = days[0].case
    free = dispatch.without_commitment(case)
    p_max = case.units["p_max_mw"].to_numpy(float)
    assert free.unit_seg_mw.sum(axis=1) == pytest.approx(p_max)
    assert (np.diff(free.unit_seg_cost, axis=1) >= 0.0).all()
    at_full = case.unit_min_cost * case.units["p_min_mw"].to_numpy(float) + (case.unit_seg_mw * case.unit_seg_cost).sum(
        axis=1
    )
    assert (free.unit_seg_mw * free.unit_seg_cost).sum(axis=1) == pytest.approx(at_full)


def test_units_drawn_keep_the_capacity(days):
    problem = days[1][1].relaxed.problem
    more = growth.with_units(problem, 300)
    assert more.units.bus.size == 300

    def capacity(units):
        size = units.coef[:, 0] + np.bincount(units.seg_unit, units.seg_width, units.bus.size)
        return (units.avail[0] * size).sum()

    assert capacity(more.units) == pytest.approx(capacity(problem.units))
    assert oracle.solve_lp(more).objective == pytest.approx(window.solve(more, window.no_rows())[0].objective, rel=1e-6)


def test_pypsa_network_holds_the_case(days):
    case = pypsa_export.sayable(dispatch.without_commitment(days[0].case))
    given = pypsa_export.network(case, 2)
    assert int(given["hours"]) == 72
    assert given["gen_max_pu"].shape == (72, given["gen_bus"].size)
    most = (given["gen_max_pu"] * given["gen_p_nom"]).sum(axis=1)
    units = (case.unit_available * case.units["p_max_mw"].to_numpy(float)).sum(axis=1)
    assert most == pytest.approx((units + case.source_max_mw.sum(axis=1))[:72])
    assert given["load_mw"].sum() == pytest.approx(case.load_mw[:72].sum())


@pytest.mark.skipif("GRIDSIM_BENCH_SCRATCH" not in os.environ, reason="needs a folder to install PyPSA in")
def test_pypsa_agrees(days):
    found = pypsa_export.measure(days[0], print, scratch=Path(os.environ["GRIDSIM_BENCH_SCRATCH"]), days=2)
    assert found["agree"], found["apart"]
    assert found["ratio"] > 1.0


def test_startup_reads_the_last_line(tmp_path):
    child = tmp_path / "child.py"
    stamps = {"stamps": {"first window": {"cpu_s": 1.5, "wall_s": 2.0}}, "compiled": []}
    child.write_text(f"print('noise')\nprint('''{json.dumps(stamps)}''')\n", encoding="utf-8")
    found = startup.measure(print, child=child)
    assert found["cold"] == found["warm"] == stamps
    child.write_text("raise SystemExit('no window')\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="no window"):
        startup.run_child(child, tmp_path)


def test_days_are_spread_over_the_year():
    assert sample.chosen_days(8784, windows=None, full=False)[:3] == [1, 21, 41]
    assert sample.chosen_days(8784, windows=1, full=False) == [182]
    every = sample.chosen_days(8784, windows=None, full=True)
    assert every[0] == 1
    assert (every[-1] * 24 + 48) == 8784
    with pytest.raises(ValueError, match="72"):
        sample.chosen_days(48, windows=None, full=True)


def test_rows_within_a_shorter_window():
    keys = RowKeys(*(np.array([0, 30, 47]) for _ in RowKeys._fields))
    assert dispatch.within(keys, 31).hour.tolist() == [0, 30]
