"""What a window expected its hours to cost, and what came on top of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from one_bus import NO_RESERVE, PEAK_COST, H, one_bus
from tiny_grid import HOURS, SERIES, run_audited, tiny_grid, write_grid

from gridsim.schema import EXPECTED


def believed(folder: Path, **series: Any) -> dict[str, Any]:
    """The section of a scenario that believes these series."""
    path = folder / "believed.csv"
    pd.DataFrame({"time": pd.date_range("2024-01-01", periods=HOURS, freq="h"), **series}).to_csv(path, index=False)
    return {"forecast": "files", "files": {name: str(path) for name in series}}


def one_plant(folder: Path, wanted: float, forecast: float) -> tuple[dict[str, Any], Any]:
    """Two days at one bus: 200 MW of sun at 1 a megawatt hour, a plant at 2,000, a load and what is believed of it."""
    levels = {"wanted": np.full(HOURS, wanted), "cheap": np.full(HOURS, 0.02)}
    scenario = write_grid(
        folder, one_bus(), horizon={"hours": H}, reserve=NO_RESERVE, grid={"enforce": "copper"}, series=levels,
        realtime=believed(folder, wanted=np.full(HOURS, forecast)),
    )  # fmt: skip
    summary, run = run_audited(scenario, folder / "run.h5")
    assert run.names("expected") == list(EXPECTED)
    return summary, run


def test_load_that_the_last_plant_serves_is_worth_its_cost(tmp_path: Path) -> None:
    """Ten megawatts beyond the forecast in every hour: the plan would have paid 2,000 for each of them, too."""
    summary, run = one_plant(tmp_path, 500.0, 490.0)
    by_part = dict(zip(EXPECTED, run.array("realtime/planned_cost").T, strict=True))
    assert by_part["energy"] == pytest.approx(np.full(H, (490.0 - 200.0) * PEAK_COST + 200.0), rel=1e-9)
    assert by_part["surprise"] == pytest.approx(np.full(H, 10.0 * PEAK_COST), rel=1e-6)
    assert summary["total_cost"] - summary["planned_cost"] == pytest.approx(10.0 * PEAK_COST * H, rel=1e-9)
    assert summary["uncertainty_cost"] == pytest.approx(0.0, abs=1e-6 * summary["total_cost"])


def test_load_that_a_dearer_plant_serves_costs_more_than_it_is_worth(tmp_path: Path) -> None:
    """Of 40 MW beyond the forecast the sun gives ten, at the plan's price of 1, the plant thirty at 2,000."""
    summary, _ = one_plant(tmp_path, 230.0, 190.0)
    more = summary["uncertainty_cost_by_part"]
    assert more["energy"] == pytest.approx((10.0 + 30.0 * PEAK_COST) * H, rel=1e-6)
    assert more["surprise"] == pytest.approx(-40.0 * H, rel=1e-4)
    assert summary["uncertainty_cost"] == pytest.approx((10.0 + 30.0 * PEAK_COST - 40.0) * H, rel=1e-6)


def test_what_was_foreseen_rightly_costs_what_was_planned(tmp_path: Path) -> None:
    """With ramps, units, two stores, lines and N-1."""
    load = np.asarray(SERIES["load/A"])
    scenario = write_grid(
        tmp_path, tiny_grid(tight=True), horizon={"hours": HOURS}, grid={"n1": "enforce"},
        realtime={**believed(tmp_path, **{"load/A": load}), "reserve_kept": 1.0},
    )  # fmt: skip
    summary, run = run_audited(scenario, tmp_path / "run.h5")
    for part in EXPECTED[:-2]:
        lived, planned = run.array(f"cost/{part}"), run.array("realtime/planned_cost")[:, EXPECTED.index(part)]
        assert lived.sum() == pytest.approx(planned.sum(), abs=1e-4 * summary["total_cost"])
    assert summary["uncertainty_cost"] == pytest.approx(0.0, abs=1e-6 * summary["total_cost"])


def test_energy_that_stores_do_not_hold_is_paid_for(tmp_path: Path) -> None:
    """Units are lost in the evening and stores give what was meant for the next day: its value is part of the cost."""
    outage = {"start": "2024-01-01T17:00", "hours": 7, "names": ["G"], "share": 0.3}
    scenario = write_grid(tmp_path, tiny_grid(), horizon={"hours": HOURS}, outage=[outage])
    summary, run = run_audited(scenario, tmp_path / "run.h5")
    stored = run.array("realtime/planned_cost")[:, EXPECTED.index("stored")]
    assert set(np.flatnonzero(stored).tolist()) <= {23, 47, 71, 95}  # the ends of the windows' kept hours
    assert stored[23] < -1000.0
    more = summary["uncertainty_cost_by_part"]
    assert more["stored"] == pytest.approx(-stored.sum())
    assert summary["total_cost"] - summary["planned_cost"] == pytest.approx(
        summary["uncertainty_cost"] - more["stored"]
    )


def test_nothing_is_expected_of_a_run_that_foresaw_everything(tmp_path: Path) -> None:
    summary, run = run_audited(write_grid(tmp_path, tiny_grid()), tmp_path / "run.h5")
    assert run.array("realtime/planned_cost").size == 0
    assert "planned_cost" not in summary
