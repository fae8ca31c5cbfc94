"""Fuel of one thermal unit against its output, as the cost and emission columns that the dispatch reads.

The fuel input of a unit at output p (per unit of its rating P) is ::

    F(p) = F0 (f0 + f1 p + f2 p^2),     F0 = rate * P,     f0 + f1 + f2 = 1                   (1)

with `rate` the fuel per MWh at full load. For coal f = (0.06, 0.92, 0.02) gives the part-load penalties usual for
Chinese units (specific fuel +1.5 % at 75 % load, +5 % at 50 %, +8 % at 40 %, +13 % at 30 %) within half a point.

The dispatch wants convex pieces above the minimum output p_min. With breakpoints b_0 = p_min < b_1 < ... < 1 the
slope of a piece is the secant of (1), f1 + f2 (b_k + b_(k+1)), so that cost is exact at every breakpoint. The output
up to p_min is charged at the first slope; the no-load cost takes up the rest ::

    no_load = F0 * price * (f0 - f2 b_0 b_1)                                                  (2)

Emissions have one slope only: the secant between p_min and full load, exact at both ends. A price of CO2 is charged on
them, so that what is paid is the price times what the results count.
"""

from itertools import pairwise
from typing import NamedTuple

SEGMENTS = 2  # above the minimum; between breakpoints the secants are at most 0.1 % too high


class FuelCurve(NamedTuple):
    """Coefficients of equation (1)."""

    f0: float
    f1: float
    f2: float


class UnitCost(NamedTuple):
    """Cost and emissions of ONE unit."""

    breakpoints_mw: list[float]  # SEGMENTS + 1 values, the first is p_min
    slopes: list[float]  # SEGMENTS values, not falling [currency/MWh]
    no_load: float  # [currency/h]
    co2_t_per_mwh: float
    co2_no_load_t_per_h: float


def unit_cost(
    p_max_mw: float,
    p_min_mw: float,
    *,
    rate: float,
    price: float,
    co2: float,
    curve: FuelCurve,
    segments: int = SEGMENTS,
    co2_price: float = 0.0,
) -> UnitCost:
    """Piecewise-linear cost of one unit.

    Parameters
    ----------
    p_max_mw, p_min_mw : float
        Rating and minimum output of the unit, 0 < p_min < p_max. [MW]
    rate : float
        Fuel per unit of electricity at full load. [MWh fuel / MWh]
    price : float
        Price of the fuel. [currency / MWh fuel]
    co2 : float
        Emissions of the fuel. [t / MWh fuel]
    co2_price : float
        Charged on the emissions as they are recorded, with one slope. [currency / t]
    """
    low = p_min_mw / p_max_mw
    points = [low + (1.0 - low) * k / segments for k in range(segments + 1)]
    f0, f1, f2 = curve
    co2_slope = rate * co2 * (f1 + f2 * (1.0 + low))
    co2_no_load = p_max_mw * rate * co2 * (f0 - f2 * low)
    slopes = [rate * price * (f1 + f2 * (a + b)) + co2_price * co2_slope for a, b in pairwise(points)]
    return UnitCost(
        breakpoints_mw=[p_min_mw, *(p * p_max_mw for p in points[1:-1]), p_max_mw],
        slopes=slopes,
        no_load=p_max_mw * rate * price * (f0 - f2 * points[0] * points[1]) + co2_price * co2_no_load,
        co2_t_per_mwh=co2_slope,
        co2_no_load_t_per_h=co2_no_load,
    )
