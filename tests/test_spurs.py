"""Farms at sea that one DC link takes ashore: flows, prices and causes that can be told by hand."""

from typing import Any

import numpy as np
import pandapower as pp
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from one_bus import NO_RESERVE
from tiny_grid import HOURS, run_audited, tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.spurs import spurs_of
from gridsim.verify import verify

WIND = {"wind/sea [1]": np.array([0.0, 0.5, 1.0, 1.0] * (HOURS // 4))}
LOSS = 0.04


def at_sea(*, link_mw: float = 100.0, line_mw: float = 1000.0, load_mw: float = 300.0, other: bool = False) -> Any:
    """Two farms of 60 and 40 MW, a link that loses 4 %, a line from where it lands to a plant at 400 and the load.

    With `other` a load of next to nothing stands at sea: then it is an island like any other.
    """
    net = pp.create_empty_network(sn_mva=100, name="at sea")
    for name in ("town", "landing", "sea"):
        pp.create_bus(net, vn_kv=220, name=name, zone=name)
    pp.create_gen(net, 0, 0.0, min_p_mw=0.0, max_p_mw=400.0, name="plant", slack=True)
    net.gen["tech"], net.gen["must_run"] = "gas", True
    pp.create_poly_cost(net, 0, "gen", 400.0)
    pp.create_load(net, 0, load_mw, name="D")
    ka = line_mw / (np.sqrt(3.0) * 220.0)
    pp.create_line_from_parameters(net, 1, 0, 30, 0.0, 0.3, 10, ka, name="ashore", parallel=2)
    net.line["max_i_ka"] /= 2.0
    pp.create_ext_grid(net, 2, name="converter", min_p_mw=0.0, max_p_mw=0.0)
    for name, mw in (("big", 60.0), ("small", 40.0)):
        pp.create_sgen(net, 2, 0.0, name=name, min_p_mw=0.0, max_p_mw=mw)
    net.sgen["tech"], net.sgen["profile"] = "wind_offshore", "wind/sea"
    pp.create_dcline(net, 2, 1, 0.0, 100.0 * LOSS, 0.0, 1.0, 1.0, max_p_mw=link_mw, name="DC")
    net.dcline["min_p_mw"], net.dcline["controllable"] = 0.0, True
    if other:
        pp.create_load(net, 2, 1e-6, name="nothing")
    return net


def lived(tmp_path, net, **sections):
    given = {"horizon": {"hours": 4}, "reserve": NO_RESERVE, "series": WIND} | sections
    return run_audited(write_grid(tmp_path, net, **given), tmp_path / "x.h5")


def of_sources(run: Any, path: str) -> dict[str, np.ndarray]:
    return dict(zip(run.names("source"), np.moveaxis(run.array(path), 1, 0), strict=True))


def test_all_that_farms_give_comes_ashore_less_the_loss(tmp_path):
    """50 and 100 MW of wind are 48 and 96 in town; a MW at sea is worth 96 % of one ashore."""
    summary, run = lived(tmp_path, at_sea())
    assert_allclose(run.array("dispatch/link_p_mw")[:, 0], [0.0, 50.0, 100.0, 100.0], atol=1e-6)
    assert_allclose(run.array("dispatch/unit_p_mw")[:, 0], [300.0, 252.0, 204.0, 204.0], atol=1e-3)
    assert_allclose(run.array("price/bus")[:, :3], [[400.0, 400.0, 384.0]] * 4, rtol=1e-6)
    assert_allclose(run.array("money/link_rent"), 0.0, atol=1e-6)
    assert summary["curtailment_mwh"] == 0.0
    report = verify(tmp_path / "x.h5", windows=1)
    assert report.ok, report.as_text()


def test_what_the_link_cannot_carry_is_lost_to_the_farms_own_connection(tmp_path):
    """A link of 70 MW: of 100 MW of wind 30 are cut, 18 of the farm of 60 MW and 12 of the other."""
    _, run = lived(tmp_path, at_sea(link_mw=70.0))
    assert_allclose(run.array("dispatch/link_p_mw")[:, 0], [0.0, 50.0, 70.0, 70.0], atol=1e-6)
    cause = of_sources(run, "curtailment/cause_mw")
    for name, mw in (("big", 18.0), ("small", 12.0)):
        assert_allclose(cause[name][:, 0], [0.0, 0.0, mw, mw], atol=1e-5)
        assert_allclose(cause[name][:, 1:], 0.0, atol=1e-9)


def test_a_full_line_ashore_is_to_blame_for_what_stays_at_sea(tmp_path):
    """48 MW pass: 50 at sea. What is beyond is lost to the section, and a MW more at sea is worth nothing."""
    _, run = lived(tmp_path, at_sea(line_mw=47.999))
    assert_allclose(run.array("dispatch/link_p_mw")[2:, 0], 47.999 / (1 - LOSS), atol=2e-3)
    cause = sum(of_sources(run, "curtailment/cause_mw")[name] for name in ("big", "small"))
    assert_allclose(cause[2:, 1], 100.0 - 47.999 / (1 - LOSS), atol=2e-3)
    assert_allclose(cause[:, [0, 2, 3, 4, 5, 6]], 0.0, atol=1e-9)
    assert_allclose(run.array("price/bus")[2:, :3], [[400.0, 0.0, 0.0]] * 2, atol=1e-2)


def test_more_wind_than_the_town_takes_is_the_systems(tmp_path):
    """A plant of at least 30 MW and a load of 80: 50 MW are taken, 52.08 at sea."""
    net = at_sea(load_mw=80.0)
    net.gen["min_p_mw"] = 30.0
    _, run = lived(tmp_path, net)
    assert_allclose(run.array("dispatch/link_p_mw")[2:, 0], 50.0 / (1 - LOSS), atol=1e-3)
    cause = sum(of_sources(run, "curtailment/cause_mw")[name] for name in ("big", "small"))
    assert_allclose(cause[2:, 5], 100.0 - 50.0 / (1 - LOSS), atol=1e-3)


@pytest.mark.parametrize("line_mw", [1000.0, 45.0])
def test_an_island_told_in_full_comes_to_the_same(tmp_path, line_mw):
    """With the balance of the island and the link decided in the window: the same dispatch, prices and causes."""
    runs = []
    for other in (False, True):
        (tmp_path / str(other)).mkdir()
        summary, run = lived(tmp_path / str(other), at_sea(line_mw=line_mw, other=other))
        assert len(spurs_of(assemble(write_grid(tmp_path / str(other), at_sea(other=other), series=WIND))).bus) == (
            not other
        )
        runs.append((summary["total_cost"], summary["lower_bound"], run))
    (cost, bound, one), (cost_full, bound_full, full) = runs
    assert cost == pytest.approx(cost_full, rel=1e-6)
    assert bound == pytest.approx(bound_full, rel=1e-6)
    for path in ("dispatch/link_p_mw", "dispatch/unit_p_mw", "flow/branch_p_mw"):
        assert_allclose(one.array(path), full.array(path), atol=5e-3, err_msg=path)
    # told in full the sea has any price where it gives nothing or all that there is
    assert_allclose(one.array("price/bus")[:, :2], full.array("price/bus")[:, :2], atol=0.1)
    assert one.array("windows/rows").sum() < full.array("windows/rows").sum()


def test_with_everything_else(tmp_path):
    """Tight lines, outages, losses, stores and commitment: audited, and every window checked with HiGHS."""
    net = tiny_grid(tight=True)
    sea = pp.create_bus(net, vn_kv=220, name="sea", zone="sea")
    pp.create_ext_grid(net, sea, name="converter", min_p_mw=0.0, max_p_mw=0.0)
    farm = pp.create_sgen(net, sea, 0.0, name="farm", min_p_mw=0.0, max_p_mw=60.0)
    net.sgen.loc[farm, ["tech", "profile"]] = ["wind_offshore", "wind/sea"]
    dc = pp.create_dcline(net, sea, 1, 0.0, 100.0 * LOSS, 0.0, 1.0, 1.0, max_p_mw=45.0, name="from sea")
    net.dcline.loc[dc, ["min_p_mw", "controllable"]] = [0.0, True]
    scenario = write_grid(
        tmp_path, net, horizon={"hours": 49}, grid={"n1": "enforce", "losses": "quadratic"}, series=WIND
    )
    _, run = run_audited(scenario, tmp_path / "x.h5")
    sent = run.array("dispatch/link_p_mw")[:, run.names("link").index("from sea")]
    assert_array_equal(sent, of_sources(run, "dispatch/source_p_mw")["farm"])
    assert 30.0 < sent.max() <= 45.0
    report = verify(tmp_path / "x.h5", windows=1)
    assert report.ok, report.as_text()


@pytest.mark.parametrize("what", ["store", "load", "floor", "ramp", "both ways", "two links"])
def test_what_is_no_spur(tmp_path, what):
    net = at_sea()
    if what == "store":
        pp.create_storage(net, 2, 0.0, 10.0, max_p_mw=5.0, min_p_mw=-5.0)
    elif what == "load":
        pp.create_load(net, 2, 1.0)
    elif what == "floor":
        net.sgen["tech"], net.sgen["profile"], net.sgen["controllable"], net.sgen["min_p_mw"] = "tide", "", True, 1.0
    elif what == "ramp":
        net.sgen["tech"], net.sgen["profile"], net.sgen["controllable"] = "tide", "", True
        net.sgen["ramp_up_mw_per_h"] = 5.0
    elif what == "both ways":
        net.dcline["min_p_mw"] = -10.0
    else:
        pp.create_dcline(net, 2, 0, 0.0, 0.0, 0.0, 1.0, 1.0, max_p_mw=10.0, name="second")
        net.dcline["controllable"] = True
        net.dcline["min_p_mw"] = 0.0
    assert not spurs_of(assemble(write_grid(tmp_path, net, series=WIND))).bus.size
