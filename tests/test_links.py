"""Embedded DC links that lose power both ways: flows, prices, rents and sections that can be told by hand."""

import shutil
from typing import Any

import h5py
import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from test_curtailment import NO_RESERVE
from tiny_grid import HOURS, run_audited, tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.audit import audit
from gridsim.errors import InputError
from gridsim.verify import verify

WINDY = {"wind/B [1]": np.where(np.arange(HOURS) < 2, 0.0, 1.0)}  # nothing for two hours, then all of it


def two_ends(*, link_mw: float = 80.0, wind_mw: float = 250.0, a_cny: float = 300.0) -> Any:
    """A: a plant at 300 and 100 MW of load; B: one at 500, 100 MW of load and wind. A link between them loses 4 %."""
    net = pp.create_empty_network(sn_mva=100, name="two ends")
    for k, (name, cost) in enumerate((("A", a_cny), ("B", 500.0))):
        pp.create_bus(net, vn_kv=220, name=name, zone=name)
        pp.create_ext_grid(net, k, name=f"plant {name}", min_p_mw=0.0, max_p_mw=400.0)
        pp.create_poly_cost(net, k, "ext_grid", cost)
        pp.create_load(net, k, 100.0, name=f"D{name}")
    pp.create_sgen(net, 1, 0.0, name="wind", max_p_mw=wind_mw, min_p_mw=0.0)
    net.sgen["tech"], net.sgen["profile"] = "wind_offshore", "wind/B"
    pp.create_dcline(net, 0, 1, 0.0, 4.0, 0.0, 1.0, 1.0, max_p_mw=link_mw, name="DC")
    net.dcline["min_p_mw"], net.dcline["controllable"] = -link_mw, True
    return net


def lived(tmp_path, net, series=WINDY, **sections):
    given = {"horizon": {"hours": 4}, "reserve": {**NO_RESERVE, "up_min_mw": 0.0}, "series": series} | sections
    return run_audited(write_grid(tmp_path, net, **given), tmp_path / "x.h5")


def test_each_way_loses_where_it_arrives(tmp_path):
    """Without wind B takes 80 MW from A and gets 76.8; with wind it is the other way round."""
    summary, run = lived(tmp_path, two_ends())
    assert run.table("links")["name"].tolist() == ["DC", "DC, back"]
    assert run.table("links")["way"].tolist() == [1, -1]
    assert_allclose(run.array("dispatch/link_p_mw"), [[80.0, 0.0]] * 2 + [[0.0, 80.0]] * 2, atol=1e-3)
    plants = dict(zip(run.names("source"), run.array("dispatch/source_p_mw").T, strict=True))
    assert_allclose(plants["plant A"], [180.0, 180.0, 23.2, 23.2], atol=1e-3)
    assert_allclose(plants["plant B"], [23.2, 23.2, 0.0, 0.0], atol=1e-3)
    assert_allclose(plants["wind"], [0.0, 0.0, 180.0, 180.0], atol=1e-3)
    assert_allclose(run.array("price/bus")[:, :2], [[300.0, 500.0]] * 2 + [[300.0, 0.0]] * 2, atol=1e-2)
    worth = [80.0 * (0.96 * 500.0 - 300.0), 80.0 * 0.96 * 300.0]
    assert_allclose(run.array("money/link_rent"), np.repeat(worth, 2), rtol=1e-4)
    assert summary["money"]["link_rent"] == pytest.approx(2.0 * sum(worth), rel=1e-4)
    report = verify(tmp_path / "x.h5", windows=1)
    assert report.ok, report.as_text()
    shutil.copy(tmp_path / "x.h5", tmp_path / "burning.h5")
    with h5py.File(tmp_path / "burning.h5", "r+") as file:
        file["dispatch/link_p_mw"][1] = [80.0, 5.0]
    assert not audit(tmp_path / "burning.h5").row("DC links one way at a time").ok


def test_where_nothing_is_full_prices_differ_by_the_loss(tmp_path):
    """All of B's load comes over the link: 100 MW there are 104.17 at A, and cost as much more."""
    _, run = lived(tmp_path, two_ends(link_mw=200.0, wind_mw=500.0))
    assert_allclose(run.array("dispatch/link_p_mw"), [[100.0 / 0.96, 0.0]] * 2 + [[0.0, 100.0 / 0.96]] * 2, atol=1e-3)
    assert_allclose(run.array("price/bus")[:2, :2], [[300.0, 300.0 / 0.96]] * 2, rtol=1e-3)
    assert_allclose(run.array("price/bus")[2:, :2], 0.0, atol=0.2)


def test_an_idle_link_stays_idle_where_energy_is_worth_nothing(tmp_path):
    """Wind is left over at either end: to burn it on the link would cost nothing."""
    net = two_ends()
    pp.create_sgen(net, 0, 0.0, name="wind A", max_p_mw=250.0, min_p_mw=0.0)
    net.sgen["tech"], net.sgen["profile"] = "wind_offshore", "wind/B"
    _, run = lived(tmp_path, net)
    assert_allclose(run.array("dispatch/link_p_mw")[2:], 0.0, atol=1e-2)
    assert_allclose(run.array("price/bus")[2:, :2], 0.0, atol=0.2)
    assert_allclose(run.array("spill/bus_mw"), 0.0, atol=1e-6)


def test_energy_that_nobody_wants_is_not_burnt_on_the_way(tmp_path):
    """Both ends must run at 150 MW for a load of 100: 80 MW each way would burn 6.4 of the 100 MW to be spilled."""
    net = two_ends()
    for k in (0, 1):
        pp.create_gen(net, k, 150.0, name=f"must {k}", min_p_mw=150.0, max_p_mw=150.0)
    net.gen["tech"], net.gen["must_run"] = "coal", True
    _, run = lived(tmp_path, net, {"wind/B [1]": np.zeros(HOURS)})
    assert_allclose(run.array("dispatch/link_p_mw"), 0.0, atol=1e-3)
    assert_allclose(run.array("spill/bus_mw").sum(axis=1), 100.0, atol=1e-3)
    assert_allclose(run.array("price/bus")[:, :2], -500.0, atol=1e-2)  # the price of spilling


def test_a_section_counts_what_is_sent_either_way(tmp_path):
    """50 MW from A to B and 30 MW back; the link itself could carry 80."""
    net = two_ends()
    net["interface"] = pd.DataFrame({"name": ["AB"], "limit_mw": [50.0], "reverse_limit_mw": [30.0]})
    net["interface_member"] = pd.DataFrame(
        {"interface": ["AB"], "element": ["dcline"], "element_index": [0], "weight": [1.0]}
    )
    _, run = lived(tmp_path, net)
    assert_allclose(run.array("dispatch/link_p_mw"), [[50.0, 0.0]] * 2 + [[0.0, 30.0]] * 2, atol=1e-3)
    assert_allclose(run.array("flow/interface_p_mw")[:, 0], [50.0, 50.0, -30.0, -30.0], atol=1e-3)


def test_either_way_may_be_lost(tmp_path):
    """A line of 20 MW beside the link takes 50 after its loss: of what arrives 30 more, and A makes up for losses."""
    net = two_ends()
    net.ext_grid.loc[1, "in_service"] = False  # one reference, A
    pp.create_gen(net, 1, 0.0, name="dear", min_p_mw=0.0, max_p_mw=400.0)
    net.gen["tech"], net.gen["must_run"] = "gas", True
    pp.create_poly_cost(net, 0, "gen", 500.0)
    ka = 20.0 / (np.sqrt(3.0) * 220.0)
    pp.create_line_from_parameters(net, 0, 1, 30, 0.0, 0.3, 10, ka, name="AB")
    net.line["emergency_rating_mva"] = 50.0
    _, run = lived(tmp_path, net, grid={"n1": "enforce"})
    assert_allclose(run.array("flow/branch_p_mw")[:, 0], [20.0, 20.0, -20.0, -20.0], atol=1e-3)
    assert_allclose(run.array("dispatch/link_p_mw"), [[30.0 / 0.96, 0.0]] * 2 + [[0.0, 30.0]] * 2, atol=1e-3)
    assert_allclose(run.array("security/outage_loading")[1:], 1.0, atol=1e-4)


def test_a_constant_loss_is_drawn_where_power_arrives(tmp_path):
    """2 MW at B: a plant there gives 25.2 MW beside what arrives, and a loss below 0 is none."""
    net = two_ends()
    net.dcline["loss_mw"] = 2.0
    scenario = write_grid(tmp_path, net, series=WINDY)
    assert any("constant loss of 2 MW is load at to_bus" in note.why for note in assemble(scenario).notes)
    _, run = lived(tmp_path, net)
    plants = dict(zip(run.names("source"), run.array("dispatch/source_p_mw").T, strict=True))
    assert_allclose(plants["plant B"][:2], 25.2, atol=1e-3)
    net.dcline["loss_mw"] = -2.0
    with pytest.raises(InputError, match=r"dcline\.loss_mw must be at least 0 MW"):
        assemble(write_grid(tmp_path, net, series=WINDY))


@pytest.mark.parametrize("minutes", [60, 30])
def test_with_everything_else(tmp_path, minutes):
    """Tight lines, outages, losses, stores and commitment: audited, and every window checked with HiGHS."""
    net = tiny_grid(tight=True)
    net.dcline["loss_percent"] = 4.0
    scenario = write_grid(
        tmp_path, net, horizon={"hours": 49, "resolution_min": minutes},
        grid={"n1": "enforce", "losses": "quadratic"},
    )  # fmt: skip
    _, run = run_audited(scenario, tmp_path / "x.h5")
    ahead, back = run.array("dispatch/link_p_mw").T
    assert (ahead.max() > 1.0) or (back.max() > 1.0)
    assert (np.minimum(ahead, back) <= 1e-3).all()
