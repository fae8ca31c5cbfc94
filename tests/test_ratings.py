"""Ratings that move by the hour: a line eased off carries its share, before an outage and after one."""

import shutil

import h5py
import numpy as np
import pandapower as pp
import pytest
from numpy.testing import assert_allclose
from test_curtailment import NO_RESERVE, windy
from tiny_grid import HOURS, run_audited, tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.audit import audit
from gridsim.errors import InputError
from gridsim.plan import Planner
from gridsim.verify import verify

FULL_MW = np.sqrt(3.0) * 0.3 * 220.0
LEFT = np.ones(HOURS)
LEFT[1:3] = 0.5, 0.25
EASED = {"left/AB [1]": LEFT}


def eased(**columns):
    """Wind at A behind one line of 114 MW to B: a load of 150 MW, and coal at 300 that gives 20 or more of them."""
    net = windy(ka=0.3)
    net.line["rating_profile"] = "left/AB"
    for name, value in columns.items():
        net.line[name] = value
    return net


def lived(tmp_path, net, series=EASED, **sections):
    given = {"horizon": {"hours": 4}, "reserve": {**NO_RESERVE, "up_min_mw": 0.0}, "series": series} | sections
    return run_audited(write_grid(tmp_path, net, **given), tmp_path / "x.h5")


def test_a_line_carries_what_is_left_of_it(tmp_path):
    _, run = lived(tmp_path, eased())
    assert_allclose(run.array("flow/branch_p_mw")[:, 0], FULL_MW * LEFT[:4], atol=1e-3)
    assert_allclose(run.array("flow/rating_share")[:, 0], LEFT[:4])
    section = list(run.names("cause")).index("section")
    assert_allclose(run.array("curtailment/cause_mw")[:, 0, section], 130.0 - FULL_MW * LEFT[:4], atol=1e-2)
    assert_allclose(run.array("price/bus")[:, :2], [[0.0, 300.0]] * 4, atol=1e-2)
    assert_allclose(run.array("money/congestion_rent"), 300.0 * FULL_MW * LEFT[:4], rtol=1e-4)
    report = verify(tmp_path / "x.h5", windows=1)
    assert report.ok, report.as_text()
    shutil.copy(tmp_path / "x.h5", tmp_path / "tighter.h5")
    with h5py.File(tmp_path / "tighter.h5", "r+") as file:
        file["flow/rating_share"][2] = 0.2
    assert not audit(tmp_path / "tighter.h5").row("branch ratings").ok


def test_what_is_left_after_an_outage_is_eased_as_well(tmp_path):
    """Of two circuits of 114 MW, for a short time 120, one may be lost: 120 MW, and its share."""
    _, run = lived(tmp_path, eased(parallel=2, emergency_rating_mva=240.0), grid={"n1": "enforce"})
    assert_allclose(run.array("flow/branch_p_mw")[:, 0], 120.0 * LEFT[:4], atol=1e-3)
    assert_allclose(run.array("security/hour_loading"), 1.0, atol=1e-4)
    n1 = list(run.names("cause")).index("n1")
    assert_allclose(run.array("curtailment/cause_mw")[:, 0, n1], 130.0 - 120.0 * LEFT[:4], atol=1e-2)


def test_what_exceeds_an_eased_line_is_an_overload_that_costs(tmp_path):
    """No plant at B: what its line cannot carry is dearer to shed than to carry."""
    net = eased()
    net.gen["in_service"] = False
    pp.create_ext_grid(net, 0, min_p_mw=0.0, max_p_mw=400.0, name="A")
    summary, run = lived(tmp_path, net, penalties={"overload": 1000.0})
    assert_allclose(run.array("flow/branch_overload_mw")[:, 0], 150.0 - FULL_MW * LEFT[:4], atol=1e-2)
    assert_allclose(run.array("cost/overload"), 1000.0 * (150.0 - FULL_MW * LEFT[:4]), rtol=1e-4)
    assert summary["unserved_mwh"] == 0.0


def test_nothing_moves_without_a_profile(tmp_path):
    case = assemble(write_grid(tmp_path, tiny_grid()))
    assert case.rating_left(slice(0, 24)).shape == (1, len(case.branches))
    planner = Planner(case)
    planner.problem(0, 24, planner.first_state(), None)
    assert planner.limit.shape[1] == 1
    _, run = lived(tmp_path, windy(ka=0.3), {})
    assert (run.table("branches")["rating_profile"] == "").all()


def test_shares_that_cannot_be_are_refused(tmp_path):
    for net, series, said in (
        (eased(max_i_ka=np.nan), EASED, r"line\.rating_profile must be empty where there is no rating: line 0 'AB'"),
        (eased(), {"left/AB [1]": -LEFT}, r"left/AB must not be negative: 96 hours are"),
        (eased(), {}, r"profile left/AB is missing: line 0 'AB' needs it"),
    ):
        with pytest.raises(InputError, match=said):
            assemble(write_grid(tmp_path, net, series=series))


@pytest.mark.parametrize("minutes", [60, 30])
def test_with_everything_else(tmp_path, minutes):
    """Tight lines that ease off and recover, outages, losses, stores: audited, and checked with HiGHS."""
    net = tiny_grid(tight=True)
    net.line["rating_profile"] = ["left/L", "", "left/L", "", "left/L"]
    series = {"left/L [1]": 0.75 + 0.25 * np.cos(np.arange(HOURS) / 3.0)}
    scenario = write_grid(
        tmp_path, net, series=series, horizon={"hours": 49, "resolution_min": minutes}, grid={"n1": "enforce"}
    )
    _, run = run_audited(scenario, tmp_path / "x.h5")
    share = run.array("flow/rating_share")
    assert share.shape[1] == 3
    assert share.min() < 0.6
    report = verify(tmp_path / "x.h5", windows=1)
    assert report.ok, report.as_text()
