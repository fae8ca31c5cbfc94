"""Verify passes what is right, on files and on scenarios, and names what is not."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from gridsim import scenario as scenarios
from gridsim.errors import InputError, IntegrityError
from gridsim.kernels.problem import Rows
from gridsim.oracle import solve_lp
from gridsim.oracle_prices import PriceProbe
from gridsim.simulate import simulate
from gridsim.verify import spread, verify

sys.path.insert(0, str(Path(__file__).parent))
from problems import random_problem
from tiny_grid import tiny_grid, write_grid


@pytest.fixture(scope="module")
def jiangsu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verify") / "jiangsu.h5"
    simulate(scenarios.load("jiangsu-2024", ['horizon.start="2024-05-01"', "horizon.hours=96"]), path)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    scenario = write_grid(folder, tiny_grid(tight=True), horizon={"hours": 72})
    simulate(scenario, folder / "tiny.h5")
    return folder / "tiny.h5"


@pytest.fixture
def tampered(tiny: Path, tmp_path: Path) -> Callable[[Callable[[h5py.File], None]], Path]:
    def make(change: Callable[[h5py.File], None]) -> Path:
        for name in ("tiny.h5", "series.csv"):
            shutil.copy(tiny.parent / name, tmp_path / name)
        with h5py.File(tmp_path / "tiny.h5", "r+") as file:
            change(file)
        return tmp_path / "tiny.h5"

    return make


def times(path: str, place: object, factor: float, more: float = 0.0) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values = file[path][...]
        values[place] = values[place] * factor + more
        file[path][...] = values

    return change


def test_four_days_of_jiangsu(jiangsu: Path):
    report = verify(jiangsu, 3)
    assert report.ok, report.as_text()
    assert [w.number for w in report.windows] == [0, 2, 3]
    assert report.prices.equal > 0.9 * 3 * (48 + 48 + 24)
    assert report.row("record: units on").worst == 0
    for name in ("relaxed: own line rows", "dispatch: own line rows", "cost by HiGHS"):
        assert report.row(name).worst <= 1e-6
    assert "kernel and HiGHS agree" in report.as_text()
    tree = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert tree["ok"] is True
    assert len(tree["windows"]) == 3


def test_every_window_of_a_tiny_run(tiny: Path):
    report = verify(tiny, 100)
    assert report.ok, report.as_text()
    assert [w.number for w in report.windows] == [0, 1, 2]
    assert [w.hours for w in report.windows] == [48, 48, 24]


def test_a_scenario_has_no_record(tmp_path: Path):
    report = verify(write_grid(tmp_path, tiny_grid(), horizon={"hours": 72}), 2)
    assert report.ok, report.as_text()
    assert report.state == "as the first of a run"
    assert not any(row.check.startswith("record") for row in report.rows)
    assert report.row("bound above the optimum").ok


@pytest.mark.parametrize("engine", ["highs", "highs-milp"])
def test_a_run_by_highs(tmp_path: Path, engine: str):
    simulate(write_grid(tmp_path, tiny_grid(), horizon={"hours": 48}, solver={"engine": engine}), tmp_path / "h.h5")
    report = verify(tmp_path / "h.h5", 2)
    assert report.ok, report.as_text()


BREAKS = {
    "record: cost": times("windows/cost", 1, 1.00001),
    "cost by HiGHS": times("windows/cost", 2, 0.9999),
    "record: bound": times("windows/bound", 0, 0.9999),
    "bound above the optimum": times("windows/bound", 1, 1.02),
    "record: units on": times("commitment/on", (30, 0), 1, -1),
    "prices: energy": times("price/energy", 40, 1.0, 1.0),
    "prices: reserve up": times("price/reserve", (3, 0), 1.0, 5.0),
    "inputs as recorded": times("dispatch/load_mw", (50, 1), 1.0, 0.01),
}


@pytest.mark.parametrize("check", BREAKS)
def test_what_is_wrong_is_found_and_named(tampered, check: str):
    report = verify(tampered(BREAKS[check]), 3)
    assert not report.ok
    row = report.row(check)
    assert not row.ok, report.as_text()
    assert row.where
    assert "2024-01-0" in row.where
    assert "FAIL" in report.as_text()
    assert "failed" in report.as_text().splitlines()[-1]


def test_other_units_at_another_cost_are_another_schedule_above_the_bound(tampered):
    """As if a window had been rounded otherwise: so far as it keeps to its bound."""

    def otherwise(factor):
        def change(file):
            times("commitment/on", (30, 0), 1, -1)(file)
            times("windows/cost", 1, factor)(file)

        return change

    report = verify(tampered(otherwise(1.0005)), 3)
    assert report.row("record: another schedule").worst == 1.0
    assert report.row("record: units on").ok
    assert report.row("record: cost").ok
    assert not verify(tampered(otherwise(0.98)), 3).row("record: cost").ok


def test_another_schedule_has_a_proof_of_its_own(tampered):
    """A search that went elsewhere may prove less; a bound above what the window costs is none."""

    def otherwise(factor):
        def change(file):
            times("commitment/on", (30, 0), 1, -1)(file)
            times("windows/cost", 1, 1.0005)(file)
            times("windows/bound", 1, factor)(file)

        return change

    report = verify(tampered(otherwise(0.999)), 3)
    assert report.row("record: another schedule").worst == 1.0
    assert report.row("record: bound").ok
    assert not verify(tampered(otherwise(1.02)), 3).row("record: bound").ok


def test_a_moved_store_changes_the_window_after_it(tampered):
    report = verify(tampered(times("storage/e_mwh", (23, 1), 1.0, 20.0)), 3)
    assert not report.row("record: cost").ok


def test_series_are_looked_for_beside_the_file(tiny: Path, tmp_path: Path, monkeypatch):
    """A scenario with relative paths, run from its own folder and verified from elsewhere."""
    scenario = write_grid(tmp_path, tiny_grid(), horizon={"hours": 24})
    given = scenario.model_dump()
    given["network"]["source"], given["profiles"]["source"] = "net.json", "series.csv"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "run.h5"
    simulate(scenarios.Scenario.model_validate(given), path)
    monkeypatch.chdir(tiny.parent.parent)
    assert verify(path, 1).ok
    (tmp_path / "net.json").unlink()  # the net is in the file
    assert verify(path, 1).ok
    with (tmp_path / "series.csv").open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match=r"as the run has read them: profiles.source series.csv"):
        verify(path, 1)


def test_a_scenario_of_another_version_is_refused(tampered):
    def change(file: h5py.File) -> None:
        del file["meta/scenario_text"]
        file["meta"].create_dataset("scenario_text", data="name = 'x'\nbogus = 1\n", dtype=h5py.string_dtype())

    with pytest.raises(IntegrityError, match="not one of this version"):
        verify(tampered(change), 1)


def test_windows_are_spread_evenly():
    assert spread(366, 12) == [0, 33, 66, 100, 133, 166, 199, 232, 265, 299, 332, 365]
    assert spread(3, 12) == [0, 1, 2]
    assert spread(5, 1) == [0]
    with pytest.raises(InputError, match="at least 1"):
        spread(5, 0)


@pytest.mark.parametrize("seed", range(6))
def test_right_prices_prove_the_optimum_and_lie_between_the_slopes(seed: int):
    problem, rows = random_problem(seed, T=12)
    probe, solution = PriceProbe(problem, rows), solve_lp(problem, rows)
    assert probe.optimum == pytest.approx(solution.objective, rel=1e-9)
    proven = probe.dual_value(solution.price, solution.price_row)
    assert proven == pytest.approx(probe.optimum, rel=1e-7, abs=1e-7)
    hours = np.arange(12)
    for product, price in enumerate(solution.price.T):
        left, more = probe.slopes(product, hours)
        assert (left <= price + 1e-4).all()
        assert (price <= more + 1e-4).all()


@pytest.mark.parametrize("seed", range(6))
def test_wrong_prices_prove_less(seed: int):
    problem, rows = random_problem(seed, T=12)
    probe, solution = PriceProbe(problem, rows), solve_lp(problem, rows)
    value = probe.dual_value(solution.price + np.eye(problem.need.shape[1])[0], solution.price_row)
    assert value < probe.optimum - 1e-3
    assert isinstance(rows, Rows)
