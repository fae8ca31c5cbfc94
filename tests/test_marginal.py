"""Marginal intensity: by hand, and by running the same hours with a little more load."""

import numpy as np
import pandapower as pp
import pytest
from numpy.testing import assert_allclose
from tiny_grid import run_audited, write_grid

from gridsim.marginal import answer

ALL_ON = {"reserve": {"up_min_mw": 0.0, "up_load_share": 0.0, "up_renewable_share": 0.0, "down_load_share": 0.0,
                      "down_renewable_share": 0.0}, "horizon": {"hours": 3}}  # fmt: skip


def two_zones(*, rating_mw, more=(0.0, 0.0)):
    """Clean power and coal in A, gas in B, where most load is; one line between them."""
    net = pp.create_empty_network(sn_mva=100, name="two")
    for name in "AB":
        pp.create_bus(net, vn_kv=220, name=name, zone=name)
    pp.create_line_from_parameters(net, 0, 1, 10, 0.03, 0.3, 0, rating_mw / (np.sqrt(3.0) * 220.0), name="AB")
    for bus, cost, most, name, tech in ((0, 100.0, 50.0, "clean", "nuclear"), (0, 300.0, 200.0, "coal", "coal"),
                                        (1, 600.0, 300.0, "gas", "gas")):  # fmt: skip
        k = pp.create_gen(net, bus, 0.0, min_p_mw=0.0, max_p_mw=most, name=name, slack=name == "coal")
        pp.create_poly_cost(net, k, "gen", cost)
        net.gen.loc[k, "tech"] = tech
    net.gen["must_run"], net.gen["co2_t_per_mwh"] = True, [0.0, 0.85, 0.4]
    for bus, mw in ((0, 60.0 + more[0]), (1, 90.0 + more[1])):
        pp.create_load(net, bus, mw, name=f"D{bus}")
    return net


def lived(tmp_path, name, net):
    return run_audited(write_grid(tmp_path, net, **ALL_ON), tmp_path / name)


@pytest.mark.parametrize(("rating_mw", "want"), [(500.0, [0.85, 0.85]), (40.0, [0.85, 0.4])])
def test_who_answers_is_who_is_between_its_limits_on_this_side_of_a_full_line(tmp_path, rating_mw, want):
    summary, run = lived(tmp_path, "run.h5", two_zones(rating_mw=rating_mw))
    assert_allclose(run.array("carbon/zone_marginal"), [want] * 3, atol=1e-6)
    assert summary["marginal_intensity_by_zone"] == pytest.approx(dict(zip("AB", want, strict=True)), abs=1e-6)
    for zone in range(2):  # ten MWh more in each hour
        more = [10.0 * (zone == k) for k in range(2)]
        other, _ = lived(tmp_path, f"more{zone}.h5", two_zones(rating_mw=rating_mw, more=more))
        assert (other["co2_mt"] - summary["co2_mt"]) * 1e6 / 30.0 == pytest.approx(want[zone], abs=1e-5)


def test_of_several_the_wider_one_takes_more():
    room, coef, share = np.array([30.0, 10.0, 0.0]), np.zeros((0, 2)), np.array([[1.0], [0.0]])
    found = answer(room, np.array([0, 1, 1]), np.ones(3), coef, share)
    assert_allclose(found[:, 0], [0.75, 0.25, 0.0])


def test_full_lines_stay_as_they_are():
    """Three buses, one full row with sensitivities 0, 0.5, 1: a MW at the second is split between first and third."""
    coef, share = np.array([[0.0, 0.5, 1.0]]), np.array([[0.0], [1.0], [0.0]])
    found = answer(np.array([20.0, 5.0]), np.array([0, 2]), np.ones(2), coef, share)
    assert_allclose(found[:, 0], [0.5, 0.5])
