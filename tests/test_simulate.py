"""Whole runs, from files to a results file that passes its audit: a tiny grid in every shape, three days of Jiangsu.

A run depends on how it is split into windows, on purpose: each window plans with what it sees. So no two window lengths
are compared for equality here; only the same run twice.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

from gridsim import scenario as scenarios
from gridsim.audit import audit
from gridsim.results import ResultsReader
from gridsim.simulate import simulate

sys.path.insert(0, str(Path(__file__).parent))
from tiny_grid import tiny_grid, write_grid

Run = Callable[..., tuple[dict[str, Any], Path]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Simulate a tiny grid: parts of the grid, a factor on the load, sections of the scenario."""

    def make(parts: dict[str, Any] | None = None, name: str = "run.h5", **options: Any) -> tuple[dict[str, Any], Path]:
        scenario = write_grid(tmp_path, tiny_grid(**(parts or {})), **options)
        path = tmp_path / name
        return simulate(scenario, path), path

    return make


def horizon(hours: int, window_h: int = 48, step_h: int = 24) -> dict[str, int]:
    return {"hours": hours, "window_h": window_h, "step_h": step_h}


@pytest.mark.parametrize(
    ("hours", "window_h", "step_h", "windows"),
    [
        (1, 48, 24, [1]),
        (2, 48, 24, [2]),
        (5, 48, 24, [5]),
        (24, 48, 24, [24]),
        (30, 48, 24, [30, 6]),  # the last windows are shorter
        (49, 48, 24, [48, 25, 1]),
        (60, 24, 24, [24, 24, 12]),
        (96, 72, 24, [72, 72, 48, 24]),
        (30, 12, 7, [12, 12, 12, 9, 2]),
        (4, 1, 1, [1, 1, 1, 1]),
    ],
)
def test_any_length_in_any_windows(run: Run, hours, window_h, step_h, windows):
    summary, path = run(horizon=horizon(hours, window_h, step_h))
    report = audit(path)
    assert report.ok, report.as_text()
    assert summary["hours"] == hours
    with ResultsReader(path) as results:
        table = results.table("windows")
        assert table["hours"].tolist() == windows
        assert (table["bound"] <= table["cost"] * (1 + 1e-9)).all()
        assert results.array("dispatch/unit_p_mw").shape == (hours, 3)


PARTS = {
    "all of it": {},
    "no stores": {"stores": False},
    "no units": {"units": False},
    "no sources": {"sources": False},
    "units only": {"sources": False, "stores": False},
    "one bus": {"lines": False},
    "nothing but an external grid": {"units": False, "sources": False, "stores": False},
    "lines that bind": {"tight": True},
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_any_kind_of_grid(run: Run, parts):
    summary, path = run(parts, horizon=horizon(48))
    report = audit(path)
    assert report.ok, report.as_text()
    assert summary["gap_max"] < 0.03
    with ResultsReader(path) as results:
        binds = np.abs(results.array("flow/branch_p_mw")) >= results.table("branches")["rating_mw"].to_numpy() - 1e-3
    assert binds.any() == parts.get("tight", False)


def test_copper_asks_for_no_line(run: Run):
    tight, _ = run({"tight": True}, "dc.h5", load=1.2, horizon=horizon(48))
    copper, path = run({"tight": True}, "copper.h5", load=1.2, horizon=horizon(48), grid={"enforce": "copper"})
    assert copper["total_cost"] - copper["overload_mwh"] * 5000.0 < tight["total_cost"]
    with ResultsReader(path) as results:
        assert not results.array("windows/rows").any()
        price = results.array("price/bus")
        assert_allclose(price, np.tile(results.array("price/energy")[:, None], price.shape[1]))


def test_what_cannot_be_served_is_shed_and_counted(run: Run):
    summary, path = run(load=2.5)
    assert audit(path).ok
    assert summary["unserved_mwh"] > 1000
    with ResultsReader(path) as results:
        worst = results.array("unserved/load_mw").sum(axis=1).argmax()
        assert_allclose(results.array("price/energy")[worst], 20_000.0, rtol=1e-4)


def test_what_nobody_takes_is_curtailed_then_spilled(run: Run):
    summary, path = run(load=0.15)
    assert audit(path).ok
    assert summary["curtailment_mwh"] > 1000
    assert summary["spill_mwh"] > 10


def test_an_overload_is_paid_for_and_ends_the_search_for_rows(run: Run):
    """Rows that are in and still overloaded must not count as missing: the window would never end."""
    summary, path = run({"tight": True}, load=1.8, horizon=horizon(48))
    report = audit(path)
    assert report.ok, report.as_text()
    assert summary["overload_mwh"] > 100
    with ResultsReader(path) as results:
        assert (results.array("windows/rounds") < 20).all()


def test_an_outage_of_all_units(run: Run, monkeypatch):
    import tiny_grid as module

    hour = np.arange(module.HOURS)
    monkeypatch.setitem(module.SERIES, "availability/G", np.where((hour >= 20) & (hour < 40), 0.0, 1.0))
    _, path = run(horizon=horizon(48))
    report = audit(path)
    assert report.ok, report.as_text()
    with ResultsReader(path) as results:
        on = results.frame("commitment/on")["G"].to_numpy()
        assert not on[20:40].any()
        assert on[:20].any()
        assert on[40:].any()


def datasets(path: Path) -> dict[str, bytes]:
    """Every dataset and attribute that must not differ between two runs, as bytes."""
    out: dict[str, bytes] = {}

    def visit(name: str, item: h5py.HLObject) -> None:
        if name.startswith(("timing", "meta/run")):
            return
        if isinstance(item, h5py.Dataset):
            value = item[...]
            out[name] = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
        for key, value in item.attrs.items():
            if key not in ("REFERENCE_LIST", "DIMENSION_LIST"):  # object references: addresses in the file
                out[f"{name}@{key}"] = repr(value).encode()

    with h5py.File(path) as file:
        file.visititems(visit)
    return out


def test_the_same_run_twice_is_the_same_file(run: Run):
    first, second = (datasets(run({"tight": True}, name)[1]) for name in ("a.h5", "b.h5"))
    assert len(first) > 100
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_three_days_of_jiangsu(tmp_path: Path):
    scenario = scenarios.load("jiangsu-2024", ['horizon.start="2024-08-05"', "horizon.hours=72"])
    reports = []
    summary = simulate(scenario, tmp_path / "j.h5", progress=reports.append)
    report = audit(tmp_path / "j.h5")
    assert report.ok, report.as_text()
    assert [r.kept for r in reports] == [24, 24, 24]
    assert summary["gap_max"] < 0.01
    assert summary["unserved_mwh"] == summary["spill_mwh"] == 0
    assert 100_000 < summary["peak_load_mw"] < 160_000
