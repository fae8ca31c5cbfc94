"""The log of what went wrong: what was lost, what was shed where, how long recovery took."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny_grid import HOURS, run_audited, tiny_grid, write_grid

from gridsim.cli import main
from gridsim.incidents import incidents, recovered


@pytest.mark.parametrize(
    ("short", "first", "steps", "after"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 0], 2, 3, 2),  # never short
        ([0, 0, 1, 1, 0, 0, 0, 0], 2, 3, 4),  # short at once
        ([0, 0, 0, 0, 1, 0, 0, 0], 2, 3, 5),  # short in its last hour
        ([0, 0, 1, 0, 0, 1, 0, 0], 2, 1, 6),  # two calm hours are not three
        ([0, 0, 1, 0, 0, 0, 1, 0], 2, 1, 3),  # the next shortage is not its own
        ([0, 0, 1, 1, 1, 1, 1, 1], 2, 1, 8),  # to the end of the run
        ([1, 1, 0, 0, 0, 1, 0, 0], 2, 2, 2),  # what comes later is not its own
    ],
)
def test_recovery(short: list[int], first: int, steps: int, after: int) -> None:
    assert recovered(np.array(short, dtype=bool), first, steps, 3) == after


def test_log_of_a_run(tmp_path: Path) -> None:
    """Two units of three lost in the evening: what is shed then is in the log, by zone, and adds up."""
    outage = {"start": "2024-01-01T08:00", "hours": 8, "names": ["G"], "share": 0.6, "kind": "fire"}
    scenario = write_grid(tmp_path, tiny_grid(stores=False), horizon={"hours": HOURS}, load=1.2, outage=[outage])
    _, results = run_audited(scenario, tmp_path / "run.h5")
    (one,) = incidents(results)
    assert (one.start, one.hours, one.cause, one.name, one.lost_mw) == ("2024-01-01T08:00", 8.0, "fire", "G", 200.0)
    shed = results.array("unserved/load_mw")
    assert one.unserved_mwh > 1.0
    hours = slice(8, 8 + int(one.recovery_h))
    assert one.unserved_mwh == pytest.approx(shed[hours].sum())
    assert sum(one.unserved_by_zone.values()) == pytest.approx(one.unserved_mwh)
    results.close()
    said = CliRunner().invoke(main, ["incidents", str(tmp_path / "run.h5")])
    assert said.exit_code == 0
    assert "fire" in said.output
    assert "unit G" in said.output
    as_json = json.loads(CliRunner().invoke(main, ["incidents", str(tmp_path / "run.h5"), "--json"]).output)
    assert as_json[0]["unserved_mwh"] == one.unserved_mwh


def test_nothing_failed(tmp_path: Path) -> None:
    run_audited(write_grid(tmp_path, tiny_grid()), tmp_path / "run.h5")[1].close()
    assert "nothing failed" in CliRunner().invoke(main, ["incidents", str(tmp_path / "run.h5")]).output
