"""The piecewise cost of a unit against the fuel curve it stands for."""

from itertools import pairwise

import numpy as np
import pytest

from gridsim.networks.jiangsu_fleet import DEEP_COST
from gridsim.networks.tables import read_table
from gridsim.networks.unit_costs import DEPTHS, FuelCurve, deep_cost, depth_pieces, equal_pieces, unit_cost
from gridsim.scenario import Compensation

COAL = FuelCurve(0.06, 0.92, 0.02)
DEEP = (10.0, 100.0, 180.0, 350.0)  # CNY/MWh not generated, by depth class


def fuel_cost(p_mw, p_max, rate, price, curve):
    """Equation (1), written to be read."""
    p = p_mw / p_max
    return p_max * rate * price * (curve.f0 + curve.f1 * p + curve.f2 * p * p)


def cost_at(cost, p_mw):
    """No-load cost, the output up to the minimum at the first slope, then the pieces."""
    ends, total = cost.breakpoints_mw, cost.no_load + cost.breakpoints_mw[0] * cost.slopes[0]
    for (low, high), slope in zip(pairwise(ends), cost.slopes, strict=True):
        total += max(0.0, min(p_mw, high) - low) * slope
    return total


@pytest.mark.parametrize("minimum", [0.3, 0.4, 0.6])
@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_exact_at_every_breakpoint(minimum, pieces):
    cost = unit_cost(1000.0, equal_pieces(minimum, pieces), rate=2.3, price=130.0, co2=0.33, curve=COAL)
    assert cost.breakpoints_mw[0] == 1000.0 * minimum
    assert cost.breakpoints_mw[-1] == 1000.0
    assert len(cost.slopes) == pieces
    for p_mw in cost.breakpoints_mw:
        assert cost_at(cost, p_mw) == pytest.approx(fuel_cost(p_mw, 1000.0, 2.3, 130.0, COAL), rel=1e-12)


@pytest.mark.parametrize("points", [equal_pieces(0.38, 2), depth_pieces(0.38)])
def test_between_breakpoints_within_two_thousandths(points):
    cost = unit_cost(660.0, points, rate=2.4, price=130.0, co2=0.33, curve=COAL)
    for p_mw in (270.0, 333.0, 480.0, 601.0):
        assert cost_at(cost, p_mw) == pytest.approx(fuel_cost(p_mw, 660.0, 2.4, 130.0, COAL), rel=2e-3)


def test_slopes_rise():
    cost = unit_cost(330.0, depth_pieces(0.2), rate=2.6, price=130.0, co2=0.33, curve=COAL, deep=DEEP)
    assert cost.slopes == sorted(cost.slopes)
    assert len(cost.slopes) == len(cost.breakpoints_mw) - 1 == 5


def test_pieces_of_a_coal_unit_are_the_depth_classes_it_reaches():
    assert depth_pieces(0.55) == [0.55, 1.0]
    assert depth_pieces(0.50) == [0.50, 1.0]
    assert depth_pieces(0.38) == [0.38, 0.40, 0.50, 1.0]
    assert depth_pieces(0.35) == [0.35, 0.40, 0.50, 1.0]
    assert depth_pieces(0.25) == [0.25, 0.30, 0.35, 0.40, 0.50, 1.0]


def test_deep_peaking_by_hand():
    """1000 MW at 330 MW: 100 MW below half load at 10, 50 at 100, 20 at 180: 1000 + 5000 + 3600 CNY an hour."""
    assert 1000.0 * deep_cost(0.33, DEEP) == pytest.approx(9600.0)
    assert 1000.0 * deep_cost(0.0, DEEP) == pytest.approx(100 * 10 + 50 * 100 + 50 * 180 + 300 * 350)
    assert deep_cost(0.5, DEEP) == deep_cost(0.9, DEEP) == 0.0


def test_marginal_cost_by_depth():
    """A MWh more in a depth class saves its deep cost: fuel slope less 10, 100, 180, 350 CNY/MWh."""
    plain = unit_cost(1000.0, depth_pieces(0.2), rate=2.3, price=130.0, co2=0.33, curve=COAL)
    deep = unit_cost(1000.0, depth_pieces(0.2), rate=2.3, price=130.0, co2=0.33, curve=COAL, deep=DEEP)
    assert [a - b for a, b in zip(plain.slopes, deep.slopes, strict=True)] == pytest.approx([350, 180, 100, 10, 0])
    assert plain.slopes[-1] == pytest.approx(2.3 * 130.0 * (0.92 + 0.02 * 1.5))
    for p_mw in deep.breakpoints_mw:
        want = fuel_cost(p_mw, 1000.0, 2.3, 130.0, COAL) + 1000.0 * deep_cost(p_mw / 1000.0, DEEP)
        assert cost_at(deep, p_mw) == pytest.approx(want, rel=1e-12)
    assert (deep.co2_t_per_mwh, deep.co2_no_load_t_per_h) == (plain.co2_t_per_mwh, plain.co2_no_load_t_per_h)


def test_emissions_are_exact_at_both_ends():
    cost = unit_cost(1000.0, depth_pieces(0.35), rate=2.3, price=130.0, co2=0.33, curve=COAL)
    for p_mw in (350.0, 1000.0):
        total = cost.co2_no_load_t_per_h + cost.co2_t_per_mwh * p_mw
        assert total == pytest.approx(fuel_cost(p_mw, 1000.0, 2.3, 0.33, COAL), rel=1e-12)


def test_the_tables_have_the_depth_classes():
    """Deep peaking is paid at least what it costs, both rise with depth, and the ledger pays what the table says."""
    paid = read_table("compensation")
    assert list(zip(paid["from_pu"], paid["to_pu"], strict=True)) == list(pairwise((*DEPTHS, 0.0)))
    assert [f"deep_{name}_cny" for name in paid["depth_class"]] == list(DEEP_COST)
    coal = read_table("unit_classes").query("tech == 'coal'")
    cost = coal[list(DEEP_COST)].to_numpy()
    assert (np.diff(cost, axis=1) > 0).all()
    assert (paid["cny_per_mwh"].to_numpy() >= cost).all()
    default = Compensation().model_dump()
    assert dict(zip("coal_" + paid["depth_class"], paid["cny_per_mwh"], strict=True)) == default
    assert paid["cny_per_mwh"].is_monotonic_increasing


def test_the_curve_of_the_coal_classes():
    classes = read_table("unit_classes")
    assert (classes[["f0", "f1", "f2"]].sum(axis=1) - 1.0).abs().max() < 1e-12
    coal = classes[classes["tech"] == "coal"]
    assert {FuelCurve(*row) for row in coal[["f0", "f1", "f2"]].itertuples(index=False)} == {COAL}


def test_part_load_penalty_of_coal():
    """75 % load +1.5 %, 50 % +5 %, 40 % +8 %, 30 % +13 % of specific fuel."""
    for load, penalty in ((0.75, 0.015), (0.5, 0.05), (0.4, 0.08), (0.3, 0.13)):
        specific = (COAL.f0 + COAL.f1 * load + COAL.f2 * load**2) / load
        assert specific - 1.0 == pytest.approx(penalty, abs=0.004)
