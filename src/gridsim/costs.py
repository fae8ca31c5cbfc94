"""Energy cost of a row, from pandapower's `poly_cost` and `pwl_cost`, as rising segments.

pandapower prices the power of the whole row: ``cp0 + cp1 P + cp2 P^2``, or slopes between break points (integrated
from 0; below the first point, its slope holds). Both become: a cost per hour, a mean cost of the output up to the
minimum, and segments above it. A quadratic is cut into segments of equal width (the scenario says how many) with the
slope at their middle: exact at all ends, and at most ``cp2 w^2 / 4`` too high between them (w: width of a segment).
"""

from typing import Any, NamedTuple

import numpy as np

from gridsim.errors import Problem
from gridsim.nettable import NetTable, say

QUADRATIC_SEGMENTS = 3  # where nothing else is said


class RawCost(NamedTuple):
    """One entry of a cost table, checked."""

    c0: float  # currency/h
    c1: float  # currency/MWh
    c2: float  # currency/MWh per MW
    points: tuple[tuple[float, float, float], ...]  # (from MW, to MW, currency/MWh); empty: polynomial
    segments: int = QUADRATIC_SEGMENTS  # that a quadratic is cut into


class Curve(NamedTuple):
    """Cost of one row on [p_min, p_max]."""

    no_load: float  # currency/h, whatever the output
    min_cost: float  # mean of 0..p_min, currency/MWh
    seg_mw: tuple[float, ...]
    seg_cost: tuple[float, ...]  # not falling

    @property
    def mean_cost(self) -> float:
        """Mean cost of the segments, weighted by width: one number for a box. [currency/MWh]"""
        width = sum(self.seg_mw)
        if width <= 0:
            return self.min_cost
        return sum(w * c for w, c in zip(self.seg_mw, self.seg_cost, strict=True)) / width


def read_costs(net: Any, problems: list[Problem], segments: int = QUADRATIC_SEGMENTS) -> dict[tuple[str, int], RawCost]:
    """All active-power costs of the net by (element table, index)."""
    found: dict[tuple[str, int], RawCost] = {}
    poly = NetTable(net, "poly_cost")
    coefficients = [poly.number(f"cp{k}_eur" + ("", "_per_mw", "_per_mw2")[k], 0.0) for k in range(3)]
    for name, values in zip(("cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2"), coefficients, strict=True):
        poly.complain(problems, name, ~np.isfinite(values), "finite")
    poly.complain(
        problems, "cp2_eur_per_mw2", coefficients[2] < 0, "at least 0 (a falling marginal cost is not convex)"
    )
    elements, kinds = poly.number("element", -1).astype(int), poly.text("et")
    for i in range(poly.n):
        c0, c1, c2 = (float(c[i]) for c in coefficients)
        cost = RawCost(c0, c1, c2, (), segments)
        _keep(found, (kinds[i], int(elements[i])), cost, poly.label(i), "poly_cost", problems)
    pwl = NetTable(net, "pwl_cost")
    elements, kinds, power = pwl.number("element", -1).astype(int), pwl.text("et"), pwl.text("power_type", "p")
    for i in range(pwl.n):
        if power[i] != "p":  # reactive power is not part of the model
            continue
        given = pwl.frame["points"].iloc[i] if pwl.has("points") else None
        points = _points(given, f"pwl_cost {pwl.label(i)}", problems)
        if points:
            _keep(found, (kinds[i], int(elements[i])), RawCost(0, 0, 0, points), pwl.label(i), "pwl_cost", problems)
    rows = {element: set(NetTable(net, element).index) for element in {key[0] for key in found}}
    for element, index in found:
        if index not in rows[element]:
            problems.append(
                Problem("poly_cost/pwl_cost", f"must price a row of the network: {element} {index} is none")
            )
    return found


def _keep(
    found: dict[tuple[str, int], RawCost],
    key: tuple[str, int],
    cost: RawCost,
    label: str,
    table: str,
    problems: list[Problem],
) -> None:
    if key in found:
        problems.append(Problem(table, f"must price a row once: {key[0]} {key[1]} is priced again by {table} {label}"))
    found[key] = cost


def _points(given: Any, where: str, problems: list[Problem]) -> tuple[tuple[float, float, float], ...]:
    try:
        points = tuple((float(a), float(b), float(c)) for a, b, c in given)
    except (TypeError, ValueError):
        problems.append(
            Problem(where, f"must be a list of [from MW, to MW, cost per MWh], but its points are {given!r}")
        )
        return ()
    flat = np.array(points)
    if not points or not np.all(np.isfinite(flat)):
        problems.append(Problem(where, f"must have one or more points, all finite, but they are {given!r}"))
        return ()
    if np.any(flat[:, 1] <= flat[:, 0]) or np.any(np.abs(flat[1:, 0] - flat[:-1, 1]) > 1e-6):
        problems.append(Problem(where, f"must have points that rise and follow each other, but they are {given!r}"))
        return ()
    drop = np.flatnonzero(np.diff(flat[:, 2]) < -1e-9)
    if drop.size:
        a, b = flat[drop[0], 2], flat[drop[0] + 1, 2]
        problems.append(
            Problem(where, f"must not get cheaper with output (not convex): {say(a)} is followed by {say(b)}")
        )
        return ()
    return points


def curve(raw: RawCost, p_min_mw: float, p_max_mw: float) -> Curve:
    """The cost of a row between two outputs, 0 <= p_min_mw <= p_max_mw."""
    if raw.points:
        return _piecewise(raw, p_min_mw, p_max_mw)
    min_cost = raw.c1 + raw.c2 * p_min_mw
    width = p_max_mw - p_min_mw
    if width <= 0:
        return Curve(raw.c0, min_cost, (), ())
    n = raw.segments if raw.c2 > 0 else 1
    middles = [p_min_mw + width * (k + 0.5) / n for k in range(n)]
    return Curve(raw.c0, min_cost, (width / n,) * n, tuple(raw.c1 + 2 * raw.c2 * p for p in middles))


def _piecewise(raw: RawCost, p_min_mw: float, p_max_mw: float) -> Curve:
    ends = [b for _, b, _ in raw.points]
    slopes = [c for *_, c in raw.points]
    ends[-1] = np.inf  # beyond the last point its slope holds
    at = 0.0
    below = 0.0
    widths: list[float] = []
    costs: list[float] = []
    for end, slope in zip(ends, slopes, strict=True):
        top = min(end, p_max_mw)
        below += max(0.0, min(top, p_min_mw) - at) * slope
        width = top - max(at, p_min_mw)
        if width > 1e-9:
            widths.append(width)
            costs.append(slope)
        at = max(at, top)
    min_cost = below / p_min_mw if p_min_mw > 0 else slopes[0]
    return Curve(0.0, min_cost, tuple(widths), tuple(costs))
