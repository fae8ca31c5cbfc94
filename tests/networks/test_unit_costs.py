"""The piecewise cost of a unit against the fuel curve it stands for."""

from itertools import pairwise

import pytest

from gridsim.networks.tables import read_table
from gridsim.networks.unit_costs import FuelCurve, unit_cost

COAL = FuelCurve(0.06, 0.92, 0.02)


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


@pytest.mark.parametrize("minimum", [300.0, 400.0, 600.0])
def test_exact_at_every_breakpoint(minimum):
    cost = unit_cost(1000.0, minimum, rate=2.3, price=130.0, co2=0.33, curve=COAL)
    assert cost.breakpoints_mw[0] == minimum
    assert cost.breakpoints_mw[-1] == 1000.0
    for p_mw in cost.breakpoints_mw:
        assert cost_at(cost, p_mw) == pytest.approx(fuel_cost(p_mw, 1000.0, 2.3, 130.0, COAL), rel=1e-12)


def test_between_breakpoints_within_a_thousandth():
    cost = unit_cost(660.0, 250.0, rate=2.4, price=130.0, co2=0.33, curve=COAL)
    for p_mw in (270.0, 333.0, 480.0, 601.0):
        assert cost_at(cost, p_mw) == pytest.approx(fuel_cost(p_mw, 660.0, 2.4, 130.0, COAL), rel=1e-3)


def test_slopes_rise():
    cost = unit_cost(330.0, 150.0, rate=2.6, price=130.0, co2=0.33, curve=COAL)
    assert cost.slopes == sorted(cost.slopes)
    assert len(cost.slopes) == len(cost.breakpoints_mw) - 1


def test_emissions_are_exact_at_both_ends():
    cost = unit_cost(1000.0, 350.0, rate=2.3, price=130.0, co2=0.33, curve=COAL)
    for p_mw in (350.0, 1000.0):
        total = cost.co2_no_load_t_per_h + cost.co2_t_per_mwh * p_mw
        assert total == pytest.approx(fuel_cost(p_mw, 1000.0, 2.3, 0.33, COAL), rel=1e-12)


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
