"""Fuel of one thermal unit against its output, as the cost and emission columns that the dispatch reads.

The fuel input of a unit at output p (per unit of its rating P) is ::

    F(p) = F0 (f0 + f1 p + f2 p^2),     F0 = rate * P,     f0 + f1 + f2 = 1                   (1)

with `rate` the fuel per MWh at full load. For coal f = (0.06, 0.92, 0.02) gives the part-load penalties usual for
Chinese units (specific fuel +1.5 % at 75 % load, +5 % at 50 %, +8 % at 40 %, +13 % at 30 %) within half a point.

Below half of its rating a coal unit runs in deep peaking (深度调峰): every MWh that it stays below costs wear, and oil
that holds the flame up below 30 %. With d_k the cost of a MWh not generated in depth class k, from u_k down to l_k ::

    D(p) = P sum_k d_k max(0, u_k - max(p, l_k)),     C(p) = price F(p) + D(p)                (2)

The dispatch wants convex pieces above the minimum output p_min. The slope of a piece is the secant of C between its
ends, so that cost is exact at every breakpoint; a depth class starts a piece, where the slope is that of the fuel less
d_k. The output up to p_min is charged at the first slope; the no-load cost takes up the rest ::

    no_load = C(p_min) - slope_1 p_min                                                        (3)

Emissions have one slope only: the secant between p_min and full load, exact at both ends; those of the oil are left
out. A price of CO2 is charged on them, so that what is paid is the price times what the results count.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

DEPTHS = (0.50, 0.40, 0.35, 0.30)  # upper ends of the depth classes, of the rating; each ends where the next begins


class FuelCurve(NamedTuple):
    """Coefficients of equation (1)."""

    f0: float
    f1: float
    f2: float


class UnitCost(NamedTuple):
    """Cost and emissions of ONE unit."""

    breakpoints_mw: list[float]  # the first is p_min, the last p_max
    slopes: list[float]  # one fewer, not falling [currency/MWh]
    no_load: float  # [currency/h]
    co2_t_per_mwh: float
    co2_no_load_t_per_h: float


def equal_pieces(low: float, pieces: int) -> list[float]:
    """Breakpoints from `low` to full load, per unit of the rating; with two, secants are at most 0.1 % too high."""
    return [low + (1.0 - low) * k / pieces for k in range(pieces)] + [1.0]


def depth_pieces(low: float) -> list[float]:
    """Breakpoints of a coal unit: one piece from half load up, and one for every depth class that it reaches."""
    return [low, *(depth for depth in reversed(DEPTHS) if depth > low + 1e-9), 1.0]


def deep_cost(p: float, costs: Sequence[float]) -> float:
    """D of equation (2) for a rating of 1. [currency/h]

    Parameters
    ----------
    p : float
        Output, per unit of the rating.
    costs : sequence
        d_k by class, in the order of `DEPTHS`. [currency/MWh not generated]
    """
    lows = (*DEPTHS[1:], 0.0)
    return sum(d * max(0.0, up - max(p, low)) for d, up, low in zip(costs, DEPTHS, lows, strict=True))


def unit_cost(
    p_max_mw: float,
    points: Sequence[float],
    *,
    rate: float,
    price: float,
    co2: float,
    curve: FuelCurve,
    deep: Sequence[float] = (0.0,) * len(DEPTHS),
    co2_price: float = 0.0,
) -> UnitCost:
    """Piecewise-linear cost of one unit.

    Parameters
    ----------
    p_max_mw : float
        Rating of the unit. [MW]
    points : sequence of float
        Breakpoints per unit of the rating, rising from the minimum output to 1.
    rate : float
        Fuel per unit of electricity at full load. [MWh fuel / MWh]
    price : float
        Price of the fuel. [currency / MWh fuel]
    co2 : float
        Emissions of the fuel. [t / MWh fuel]
    deep : sequence of float
        See `deep_cost`.
    co2_price : float
        Charged on the emissions as they are recorded, with one slope. [currency / t]
    """
    f0, f1, f2 = curve
    low = points[0]
    co2_slope = rate * co2 * (f1 + f2 * (1.0 + low))
    co2_no_load = rate * co2 * (f0 - f2 * low)
    fuel = rate * price
    below = [deep_cost(p, deep) for p in points]
    steps = [
        (after - before) / (b - a) for (a, b), (before, after) in zip(pairwise(points), pairwise(below), strict=True)
    ]
    slopes = [fuel * (f1 + f2 * (a + b)) + step for (a, b), step in zip(pairwise(points), steps, strict=True)]
    no_load = fuel * (f0 - f2 * points[0] * points[1]) + below[0] - steps[0] * low
    return UnitCost(
        breakpoints_mw=[p * p_max_mw for p in points],
        slopes=[slope + co2_price * co2_slope for slope in slopes],
        no_load=p_max_mw * (no_load + co2_price * co2_no_load),
        co2_t_per_mwh=co2_slope,
        co2_no_load_t_per_h=p_max_mw * co2_no_load,
    )
