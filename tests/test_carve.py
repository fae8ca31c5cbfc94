"""A system of one unit: a store stands in for it through the night, which no price says."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandapower as pp
import pytest
from test_curtailment import NO_RESERVE
from tiny_grid import HOURS, run_audited, write_grid

from gridsim import carve
from gridsim.errors import WindowError


def one_unit(*, stores: bool = True) -> Any:
    """A unit of 60 to 200 MW at 50 for the 12 to 28 MW that wind does not meet, and two stores beside it."""
    net = pp.create_empty_network(sn_mva=100, name="one unit")
    pp.create_bus(net, vn_kv=110, name="B")
    pp.create_gen(net, 0, 60.0, name="gas", min_p_mw=60.0, max_p_mw=200.0, slack=True)
    pp.create_poly_cost(net, 0, "gen", 50.0)
    net.gen["tech"], net.gen["min_up_h"], net.gen["min_down_h"], net.gen["start_cost"] = "gas", 3, 1, 100.0
    pp.create_load(net, 0, 40.0, name="D")
    net.load["profile"] = "load/B"
    pp.create_sgen(net, 0, 0.0, name="W", max_p_mw=60.0, min_p_mw=0.0)
    net.sgen["tech"], net.sgen["profile"] = "wind_onshore", "wind/B"
    for power, energy in ((20.0, 120.0), (50.0, 50.0)) if stores else ():
        pp.create_storage(net, 0, 0, energy, soc_percent=50, name=f"S{energy:.0f}", max_p_mw=power, min_p_mw=-power)
    if stores:
        net.storage["tech"], net.storage["end_rule"] = "battery", "cyclic"
        net.storage["eta_charge"] = net.storage["eta_discharge"] = 1.0
    return net


T = np.arange(HOURS)
SERIES = {
    "load/B [MW]": 40.0 + 8.0 * np.sin(T / 4.0),
    "wind/B [1]": np.clip(0.33 + 0.25 * np.sin(T / 9.0), 0.0, 1.0),
}
GIVEN = {"horizon": {"hours": 48, "window_h": 48, "step_h": 48}, "reserve": {**NO_RESERVE, "up_min_mw": 0.0}}


def cost(folder, net, **sections) -> tuple[float, float, Any]:
    summary, run = run_audited(write_grid(folder, net, series=SERIES, **GIVEN, **sections), folder / "x.h5")
    return summary["total_cost"], summary["gap_max"], run


def test_the_unit_rests_while_stores_stand_in(tmp_path, monkeypatch):
    """Branch and bound of HiGHS as witness; what rounding and prices alone leave costs half as much again."""
    (tmp_path / "milp").mkdir()
    best, _, _ = cost(tmp_path / "milp", one_unit(), solver={"engine": "highs-milp"})
    (tmp_path / "carved").mkdir()
    ours, _, run = cost(tmp_path / "carved", one_unit())
    on = run.array("commitment/on")[:, 0]
    assert 0 < on.sum() < 48
    assert best * (1.0 - 1e-6) <= ours <= 1.08 * best
    monkeypatch.setattr(carve, "DISPATCHES", 0)
    (tmp_path / "plain").mkdir()
    plain, _, _ = cost(tmp_path / "plain", one_unit())
    assert plain > 1.3 * ours


def test_a_schedule_that_is_proven_is_left_alone(tmp_path, monkeypatch):
    """Without stores the unit has to run, and the gap says so: nothing is tried."""
    seen = []
    monkeypatch.setattr(carve, "_stretches", lambda *a: seen.append(a) or iter(()))
    net = one_unit(stores=False)
    net.gen["min_p_mw"] = 0.0
    _, gap, run = cost(tmp_path, net)
    assert gap <= carve.WIDE
    assert not seen
    run.close()


def test_a_schedule_that_cannot_be_dispatched_is_passed_over():
    first = SimpleNamespace(on=np.ones((4, 1), dtype=np.int64), cost=10.0)

    def fails(*_: Any) -> Any:
        raise WindowError("not solved")

    best, tally = carve.carve(first, np.array([0]), 1.0, lambda wanted: (wanted, wanted), fails)
    assert best is first
    assert not tally.any()


@pytest.mark.parametrize("hours", [1, 2, 48])
def test_stretches_are_inside_the_window_and_cover_every_hour(hours):
    found = list(carve._stretches(hours, 2))
    assert all(0 <= at.start < at.stop <= hours for at, _ in found)
    assert {row for _, row in found} == {0, 1}
    alone = {at.start for at, _ in found if at.stop - at.start == 1}
    assert alone == set(range(hours))
    assert found[0][0] == slice(0, hours)


def test_runs_are_moved_whole_and_within_the_window():
    on = np.array([[0, 1, 1, 0, 0, 1]]).T
    found = [wanted[:, 0].tolist() for wanted in carve._with_runs_moved(on)]
    assert [1, 1, 0, 0, 0, 1] in found  # the first run an hour earlier
    assert [0, 1, 1, 0, 1, 0] in found  # the second one
    assert [0, 1, 1, 0, 0, 0] in found  # an hour later it is out of the window
    assert len(found) == 2 * len(carve.SHIFTS)
