"""Who made up for what came otherwise: the parts add up to the net load that nobody had foreseen."""

from pathlib import Path

import numpy as np
import pytest
from tiny_grid import HOURS, run_audited, tiny_grid, write_grid

from gridsim.otherwise import Otherwise


def test_moves_make_up_for_the_errors(tmp_path: Path) -> None:
    """Errors and an outage at one bus: all moves, less curtailment and load shed add up to the net load beyond."""
    outage = {"start": "2024-01-02T16:00", "hours": 8, "names": ["G"], "share": 0.6}
    scenario = write_grid(
        tmp_path, tiny_grid(lines=False), load=1.2, horizon={"hours": HOURS}, outage=[outage],
        realtime={"forecast": "errors"}, grid={"enforce": "copper"},
    )  # fmt: skip
    summary, run = run_audited(scenario, tmp_path / "run.h5")
    what = Otherwise(run)
    np.testing.assert_allclose(what.came["load"], run.array("dispatch/load_mw").sum(axis=1))
    tech, there = run.table("sources")["tech"].to_numpy(), run.array("dispatch/source_available_mw")
    for kind, name in (("wind", "wind_onshore"), ("pv", "pv")):
        np.testing.assert_allclose(what.came[kind], there[:, tech == name].sum(axis=1), atol=1e-5)
    spilled = run.array("spill/bus_mw").sum(axis=1)
    assert what.shed[1].max() > 1.0
    np.testing.assert_allclose(np.sum(list(what.moved.values()), axis=0) - spilled, what.beyond, atol=0.02)
    lost = slice(40, 48)
    assert what.moved["coal"][lost].min() < -100.0
    assert summary["redispatch_mwh"]["coal"] == pytest.approx(np.abs(what.moved["coal"]).sum())
    parts = summary["redispatch_mwh"]
    share = (parts["battery"] + parts["pumped_hydro"]) / sum(parts.values())
    assert summary["redispatch_store_share"] == pytest.approx(share)
    assert share > 0.01
    planned, lived = what.curtailed
    assert summary["curtailment_extra_mwh"] == pytest.approx((lived - planned).sum())
    assert lived.sum() == pytest.approx(summary["curtailment_mwh"], abs=1.0)


def test_reserve_used_and_short(tmp_path: Path) -> None:
    scenario = write_grid(tmp_path, tiny_grid(), horizon={"hours": HOURS}, realtime={"forecast": "errors"})
    summary, run = run_audited(scenario, tmp_path / "run.h5")
    what = Otherwise(run)
    np.testing.assert_allclose(what.used["up"] - what.used["down"], what.beyond)
    assert what.asked("up").min() >= 10.0
    assert summary["reserve_exceeded_h"]["up"] == (what.beyond > what.asked("up")).sum()
    assert what.short("up").sum() == pytest.approx(run.array("reserve/short_mw")[:, 0].sum())
