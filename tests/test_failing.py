"""Failures of committed units against closed forms, by hand, and in runs: audited, verified, taken up again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_grid import HOURS, run_audited, tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.carry import Arrays
from gridsim.case import Case
from gridsim.failing import Failing
from gridsim.forced import Draw, Rates, chances
from gridsim.kernels.jit import IntArray
from gridsim.simulate import simulate
from gridsim.verify import verify

MTTF_H, MTTR_H = 40.0, 10.0
DAY = {"horizon": {"hours": HOURS}}


def failing_of(case: Case, of: IntArray) -> tuple[Failing, IntArray]:
    available = case.unit_available.copy()
    return Failing(case, of, available, np.zeros_like(available)), available


def of_rows(hours: int, units: list[int]) -> Any:
    """All that `Failing` reads of a case."""
    return type("Case", (), {"unit_available": np.tile(np.array(units), (hours, 1))})()


def walk(failing: Failing, available: IntArray, wanted: IntArray) -> IntArray:
    """Units on (T, nu): as many as wanted and there; a window of a day."""
    on, before = np.zeros_like(available), wanted[0]
    for t in range(len(available)):
        if t % 24 == 0:
            failing.next_window()
        failing.hour(t, before)
        on[t] = before = np.minimum(wanted[t], available[t])
    return on


def drawn(seed: int, parts: int, hours: int) -> IntArray:
    """Chances of one row."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(parts):
        times = np.ceil(chances(MTTF_H, MTTR_H, 0.0, hours, rng)[:, :])
        rows += [(0, k, int(a), int(b - a)) for a, b in times if np.isfinite(a) and b > a and a < hours]
    return np.array(sorted(rows, key=lambda row: (row[2], row[1])), dtype=np.int64).reshape(-1, 4)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.25, 0.0])
def test_the_share_out_is_that_of_four_states(share: float) -> None:
    """Units that are asked for in a share s of the hours, by chance: out for s r / (m + s r) of the time.

    m and r are the mean times to failure and repair. With s = 1 that is the rate of two states, with 0 nothing fails.
    Forced outage hours over these and the hours of service are r / (m + r) whatever s is, as in IEEE Std 762.
    """
    parts, hours = 400, 2000
    rng = np.random.default_rng(7)
    out, served = 0, 0
    for seed in range(parts // 4):
        failing, available = failing_of(of_rows(hours, [1]), drawn(seed, 1, hours))
        wanted = (rng.random((hours, 1)) < share).astype(np.int64)
        on = walk(failing, available, wanted)
        out += int((available == 0).sum())
        served += int(on.sum())
    expected = share * MTTR_H / (MTTF_H + share * MTTR_H)
    assert out / (hours * parts / 4) == pytest.approx(expected, rel=0.05)
    if share:
        assert out / (out + served) == pytest.approx(MTTR_H / (MTTF_H + MTTR_H), rel=0.05)


def test_of_a_row_those_that_run_fail() -> None:
    """Two of four units run: they fail half as often as four would, and others stand ready."""
    hours = 20_000
    failing, available = failing_of(of_rows(hours, [4]), drawn(3, 4, hours))
    on = walk(failing, available, np.full((hours, 1), 2))
    failures = sum(len(part) for part in failing.struck)
    assert failures / on.sum() == pytest.approx(1.0 / MTTF_H, rel=0.1)


def test_by_hand() -> None:
    """A chance while off, one while out and one of a unit on planned work come to nothing."""
    case = of_rows(12, [2])
    case.unit_available[8:] = 1
    of = np.array([[0, 0, 1, 3], [0, 0, 2, 9], [0, 1, 3, 2], [0, 0, 5, 2], [0, 1, 9, 1]])
    failing, available = failing_of(case, of)
    wanted = np.array([1] * 5 + [0] * 3 + [2] * 4)[:, None]
    walk(failing, available, wanted)
    # 1: unit 0 runs, out until 4. 2: it is out. 3: unit 1 runs in its place, out until 5. 5: unit 0 runs. 9: planned
    assert np.concatenate(failing.struck).tolist() == [[0, 0, 1, 3], [0, 1, 3, 2], [0, 0, 5, 2]]
    assert available[:, 0].tolist() == [2, 1, 1, 0, 1, 1, 1, 2, 1, 1, 1, 1]


def test_what_was_struck_is_carried_on() -> None:
    hours = 240
    of = drawn(5, 3, hours)
    whole, available = failing_of(of_rows(hours, [3]), of)
    wanted = np.full((hours, 1), 2)
    walk(whole, available, wanted)
    assert len(np.concatenate(whole.struck)) > 3
    kept: list[Arrays] = [{"struck": part} for part in whole.struck]
    again, there = failing_of(of_rows(hours, [3]), of)
    again.restore(kept)
    np.testing.assert_array_equal(there, available)
    np.testing.assert_array_equal(again.lost, whole.lost)
    assert again.back == whole.back


def test_before_the_first_hour_units_ran(tmp_path: Path) -> None:
    """Who is out at first: the share of two states, until the repair that began before."""
    case = assemble(write_grid(tmp_path, tiny_grid(), horizon={"start": "2024-01-02", "hours": 48}))
    gas = case.units["name"].tolist().index("gas")
    n = len(case.units)
    mttf, mttr = np.full(n, np.inf), np.zeros(n)
    mttf[gas], mttr[gas] = MTTF_H, MTTR_H
    parts = np.ones(n, dtype=np.int64)
    parts[gas] = 1000
    keys = case.outage_rates.units.key
    rates = case.outage_rates._replace(units=Rates(keys, parts, mttf, mttr))
    first, later = Draw(replace(case, outage_rates=rates)).chances(3)
    assert len(first) / 1000 == pytest.approx(0.2, abs=0.03)
    assert first[:, 3].mean() == pytest.approx(MTTR_H, rel=0.2)
    assert (later[:, 2] > 0).all()
    assert (np.diff(later[:, 2]) >= 0).all()
    assert len(later) / 1000 == pytest.approx(48 / MTTF_H, rel=0.1)


def with_failures() -> Any:
    net = tiny_grid()
    net.gen["for_rate"], net.gen["mttr_h"] = 0.3, 4.0
    return net


def test_runs_are_audited_verified_and_logged(tmp_path: Path) -> None:
    """What stands by does not fail: every failure in the log is of a row that ran in the hour before."""
    scenario = write_grid(tmp_path, with_failures(), outages={"forced": True}, **DAY)
    summary, results = run_audited(scenario, tmp_path / "run.h5")
    names, on = results.names("unit"), results.array("commitment/on")
    available = results.array("commitment/available")
    failed = [event for event in results.events if event.get("what") == "unit"]
    standing = dict(zip(names, ~results.table("units")["must_run"].to_numpy(bool), strict=True))
    free = [event for event in failed if standing[event["name"]] and event["first"] > 0]
    assert summary["outages"]["unit"] == len(failed) > 1
    assert free
    for event in free:
        first, row = event["first"], names.index(event["name"])
        assert on[first - 1, row] > 0
        assert available[first, row] < results.table("units")["units"].iloc[row]
    report = verify(tmp_path / "run.h5", 4)
    assert report.ok, report.as_text()


def test_the_same_seed_is_the_same_run(tmp_path: Path) -> None:
    there = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        scenario = write_grid(tmp_path / name, with_failures(), outages={"forced": True}, **DAY)
        simulate(scenario, tmp_path / name / "run.h5")
        _, results = run_audited(scenario, tmp_path / name / "again.h5")
        there.append(results.array("commitment/available"))
    np.testing.assert_array_equal(there[0], there[1])
