"""Curtailment by cause: a small grid for every cause, in which it is what curtails, and removing it gives that back."""

import numpy as np
import pandapower as pp
import pytest
from numpy.testing import assert_allclose
from tiny_grid import run_audited, tiny_grid, write_grid

from gridsim.curtailment import exactly, heaviest, highest, lowest
from gridsim.schema import CAUSES, GRID

NO_RESERVE = {f"{way}_{share}_share": 0.0 for way in ("up", "down") for share in ("load", "renewable")}
HOURS = 4


def windy(*, wind=200.0, cost=0.0, ka=5.0, circuits=1, least=20.0, load=150.0, ramp=np.inf):
    """Wind at A, coal that must run (20 to 300 MW, 300 a MWh) and the load at B, a line of 220 kV between them."""
    net = pp.create_empty_network(sn_mva=100, name="windy")
    for name in "AB":
        pp.create_bus(net, vn_kv=220, name=name, zone=name)
    pp.create_line_from_parameters(net, 0, 1, 10.0, 0.03, 0.3, 10.0, ka, name="AB", parallel=circuits)
    pp.create_gen(net, 1, 0.0, name="coal", min_p_mw=least, max_p_mw=300.0, slack=True)
    net.gen["tech"], net.gen["must_run"] = "coal", True
    net.gen["ramp_up_mw_per_h"] = net.gen["ramp_down_mw_per_h"] = ramp
    pp.create_poly_cost(net, 0, "gen", 300.0)
    pp.create_sgen(net, 0, wind, name="W", max_p_mw=wind, min_p_mw=0.0)
    net.sgen["tech"] = "wind_onshore"
    pp.create_poly_cost(net, 0, "sgen", cost)
    pp.create_load(net, 1, load, name="D")
    return net


def causes_of(tmp_path, net, name="x.h5", hours=HOURS, **sections):
    """{cause: MW in each hour} of the wind, and the run; audited."""
    given = {"horizon": {"hours": hours}, "reserve": {**NO_RESERVE, "up_min_mw": 0.0}} | sections
    _, run = run_audited(write_grid(tmp_path, net, **given), tmp_path / name)
    by_cause = run.array("curtailment/cause_mw")[:, 0]
    assert_allclose(by_cause.sum(axis=1), run.array("curtailment/source_mw")[:, 0], atol=0.0)
    return {cause: mw for cause, mw in zip(CAUSES, by_cause.T, strict=True) if mw.max() > 1e-3}, run


def assert_only(found, **want):
    assert set(found) == set(want)
    for cause, mw in want.items():
        assert_allclose(found[cause], mw, atol=1e-2, err_msg=cause)


def test_nothing_is_curtailed_where_there_is_room(tmp_path):
    found, run = causes_of(tmp_path, windy(wind=100.0))
    assert found == {}
    assert (run.array("curtailment/section_element") == -1).all()


def test_minimum_output_is_the_systems(tmp_path):
    """150 MW of load less the 20 that coal must give leave 130 of 200 MW of wind."""
    found, run = causes_of(tmp_path, windy())
    assert_only(found, system=70.0)
    assert (run.array("curtailment/section_element") == -1).all()


def test_the_own_connection_comes_first(tmp_path):
    """The farm's cable takes 90 of its 200 MW: no more is the system's to take."""
    net = windy()
    net.sgen["export_limit_mw"] = 90.0
    found, run = causes_of(tmp_path, net)
    assert_only(found, own=110.0)
    assert run.summary["utilisation"]["wind"] == pytest.approx(90.0 / 200.0)
    assert run.summary["system_caused_rate"]["wind"] == 0.0
    wide = windy()
    wide.sgen["export_limit_mw"] = 150.0
    found, _ = causes_of(tmp_path, wide, "wide.h5")
    assert_only(found, own=50.0, system=20.0)


def test_a_line_curtails_what_it_does_not_carry(tmp_path):
    """A line of 114 MW: 16 MW of the 130 that the system could take are its fault, what is more is the system's."""
    most = np.sqrt(3.0) * 0.3 * 220.0
    found, run = causes_of(tmp_path, windy(ka=0.3))
    assert_only(found, section=130.0 - most, system=70.0)
    assert (run.array("curtailment/section_element")[:, 0] == 0).all()
    wide, _ = causes_of(tmp_path, windy(), "wide.h5")
    assert_only(wide, system=70.0)  # the line widened, curtailment is smaller by the part of the line


def test_the_loss_of_a_circuit_curtails(tmp_path):
    """Two circuits of 114 MW carry 114 before one is lost, not 229: of the system's 130 MW, n1 costs 16."""
    one = np.sqrt(3.0) * 0.3 * 220.0
    found, run = causes_of(tmp_path, windy(ka=0.3, circuits=2), grid={"n1": "enforce"})
    assert_only(found, n1=130.0 - one, system=70.0)
    assert (run.array("curtailment/n1_element")[:, 0] == 0).all()
    assert (run.array("curtailment/n1_outage")[:, 0] == 0).all()
    assert (run.array("curtailment/section_element") == -1).all()
    free, _ = causes_of(tmp_path, windy(ka=0.3, circuits=2), "free.h5", grid={"n1": "off"})
    assert_only(free, system=70.0)


def test_reserve_down_keeps_coal_up(tmp_path):
    """A fifth of the load, 30 MW, as reserve down: coal stays 30 MW above its least, and 30 MW of wind make way."""
    reserve = {**NO_RESERVE, "up_min_mw": 0.0, "down_load_share": 0.2}
    found, _ = causes_of(tmp_path, windy(), reserve=reserve)
    assert_only(found, reserve=30.0, system=70.0)


def test_dear_wind_is_curtailed_for_money(tmp_path):
    """Wind at 400 a MWh beside coal at 300, which has the room of all its output above 20 MW."""
    found, _ = causes_of(tmp_path, windy(wind=100.0, cost=400.0))
    assert_only(found, economic=100.0)


def test_a_unit_that_cannot_come_down_in_time(tmp_path):
    """The load falls; coal, 20 MW an hour, follows slowly, and wind makes way for what it cannot yet let go."""
    slow, quick = windy(ramp=10.0), windy()
    for net in (slow, quick):
        net.load["profile"], net.load["profile_share"] = "load/A", 1.0  # 230 to 410 MW
    found, run = causes_of(tmp_path, slow, hours=24)
    free, _ = causes_of(tmp_path, quick, "free.h5", hours=24)
    assert free == {}
    assert set(found) == {"ramp"}
    assert found["ramp"].max() > 30.0
    room = run.array("dispatch/unit_p_mw")[:, 0] - 20.0
    assert (found["ramp"] <= room + 1e-3).all()


def test_causes_add_up_in_a_run_with_everything(tmp_path):
    """Tight lines, N-1, losses, steps of 30 minutes: causes are not negative and add up; the audit sees full lines."""
    scenario = write_grid(
        tmp_path, tiny_grid(tight=True, load=0.5), horizon={"hours": 36, "resolution_min": 30}, load=0.5,
        grid={"n1": "enforce", "losses": "quadratic"},
    )  # fmt: skip
    summary, run = run_audited(scenario, tmp_path / "x.h5")
    by_cause = run.array("curtailment/cause_mw")
    assert by_cause.min() >= 0.0
    sources = run.table("sources")["curtailable"].to_numpy(bool)
    taken = run.array("dispatch/source_available_mw") - run.array("dispatch/source_p_mw")
    assert_allclose(by_cause.sum(axis=2)[:, sources], taken[:, sources], atol=0.0)
    assert summary["curtailment_mwh"] > 10.0
    assert sum(summary["curtailment_mwh_by_cause"].values()) == pytest.approx(summary["curtailment_mwh"])


def test_summary_by_month_zone_and_line(tmp_path):
    found, run = causes_of(tmp_path, windy(ka=0.3))
    summary = run.summary
    lost = 200.0 - np.sqrt(3.0) * 0.3 * 220.0
    assert summary["utilisation"] == pytest.approx({"wind": 1 - lost / 200, "pv": 1.0, "wind_and_pv": 1 - lost / 200})
    assert summary["system_caused_rate"]["wind"] == pytest.approx(lost / 200)
    assert summary["utilisation_by_month"] == pytest.approx({"2024-01": 1 - lost / 200})
    assert summary["utilisation_by_zone"] == pytest.approx({"A": 1 - lost / 200})
    assert summary["curtailing_elements"] == pytest.approx({"AB": found["section"].sum()})


def test_what_ramps_reach():
    p = np.array([[10.0, 50.0], [20.0, 50.0], [60.0, 50.0]])
    rise, fall = np.full((3, 2), 30.0), np.full((3, 2), 5.0)
    low = lowest(p, np.array([np.nan, 48.0]), rise, fall)
    assert low.tolist() == [[-10.0, 43.0], [30.0, 45.0], [15.0, 45.0]]
    most = highest(p, np.array([np.nan, 48.0]), rise[0], fall[0])
    assert most.tolist() == [[25.0, 55.0], [40.0, 55.0], [50.0, 80.0]]


def test_the_heaviest_row():
    push = np.array([[1.0, 0.0], [3.0, 0.0], [5.0, 0.0]])
    label = np.array([7, 8, 9])
    assert heaviest(push, np.array([True, True, False]), label).tolist() == [8, -1]
    assert heaviest(push, np.zeros(3, bool), label).tolist() == [-1, -1]


def test_parts_add_up_exactly():
    rng = np.random.default_rng(1)
    high, low = rng.uniform(50.0, 90.0, (6, 3)), rng.uniform(0.0, 50.0, (6, 3))
    part = np.zeros((6, 3, len(CAUSES)))
    part[:, :, 1:] = rng.dirichlet(np.ones(6), (6, 3)) * (high - low)[:, :, None]
    out = exactly(part, high, low, np.array([True, True, False]))
    taken = np.rint(high / GRID) * GRID - np.rint(low / GRID) * GRID
    assert (out.sum(axis=2)[:, :2] == taken[:, :2]).all()
    assert np.abs(out - part)[:, :2].max() < 1e-5
