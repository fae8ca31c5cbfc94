"""What every conversion writes into a pandapower net in the same way: references, branches, cost curves.

A branch becomes a line, or a transformer where it changes the voltage or has a tap or a shift. What a DC power flow
sees is exact by construction: reactance, tap, shift, rating. (pandapower's own converter from pypower's arrays makes
impedances without a rating of branches between two voltages, and magnetising currents that move the reactance.)
"""

import logging
from typing import Any, NamedTuple

import numpy as np
import pandapower as pp

NO_LIMIT_KA, NO_LIMIT_MVA = 99_999.0, 99_999.0  # what pandapower's own converters write for "no limit"


class Branch(NamedTuple):
    """One branch on the base of the net: reactance at the to side, ideal transformer at the from side."""

    name: str
    from_bus: int
    to_bus: int
    r_pu: float
    x_pu: float
    b_pu: float
    tap: float  # 1: none
    shift_deg: float
    rating_mva: float  # inf: no limit
    emergency_mva: float  # NaN: as the rating
    in_service: bool = True


def empty_net(name: str, base_mva: float, f_hz: float = 60.0) -> Any:
    """A net without anything in it."""
    logging.getLogger("pandapower").setLevel(logging.ERROR)
    return pp.create_empty_network(name=name, f_hz=f_hz, sn_mva=base_mva)


def add_reference(net: Any, bus: int) -> None:
    """Make `bus` the angle reference of its island: an ext_grid that gives nothing."""
    pp.create_ext_grid(net, bus, name="reference", min_p_mw=0.0, max_p_mw=0.0)


def add_branch(net: Any, branch: Branch) -> tuple[str, int]:
    """Create the line or transformer; returns its table and index."""
    vn_from, vn_to = (float(net.bus.at[b, "vn_kv"]) for b in (branch.from_bus, branch.to_bus))
    limited = np.isfinite(branch.rating_mva)
    if vn_from == vn_to and branch.tap == 1.0 and branch.shift_deg == 0.0:
        z_ohm = vn_to**2 / net.sn_mva
        index = pp.create_line_from_parameters(
            net,
            branch.from_bus,
            branch.to_bus,
            length_km=1.0,
            r_ohm_per_km=branch.r_pu * z_ohm,
            x_ohm_per_km=branch.x_pu * z_ohm,
            c_nf_per_km=branch.b_pu / z_ohm / (2 * np.pi * net.f_hz) * 1e9,
            max_i_ka=branch.rating_mva / (np.sqrt(3.0) * vn_from) if limited else NO_LIMIT_KA,
            name=branch.name,
            in_service=branch.in_service,
            emergency_rating_mva=branch.emergency_mva,
        )
        return "line", int(index)
    sn_mva = branch.rating_mva if limited else NO_LIMIT_MVA
    percent = 100.0 * sn_mva / net.sn_mva
    index = pp.create_transformer_from_parameters(
        net,
        hv_bus=branch.from_bus,  # the side of the ideal transformer, whatever its voltage
        lv_bus=branch.to_bus,
        sn_mva=sn_mva,
        vn_hv_kv=vn_from * branch.tap,
        vn_lv_kv=vn_to,
        vkr_percent=branch.r_pu * percent,
        vk_percent=float(np.copysign(np.hypot(branch.r_pu, branch.x_pu), branch.x_pu)) * percent,
        pfe_kw=0.0,
        i0_percent=0.0,
        shift_degree=branch.shift_deg,
        name=branch.name,
        in_service=branch.in_service,
        emergency_rating_mva=branch.emergency_mva,
    )
    return "trafo", int(index)


def price_points(
    net: Any, element: str, index: int, points: list[tuple[float, float]], p_min_mw: float, p_max_mw: float
) -> float:
    """Price a row by points (MW, currency/h), convex and rising in MW; exact between p_min_mw and p_max_mw.

    pandapower integrates slopes from 0 MW, so what is left at the minimum is either a cost per hour (returned, the
    row's no_load_cost) or a cheaper first slope up to the minimum. A minimum of 0 MW may leave a negative cost.
    """
    mw, cost = (np.array(v, dtype=np.float64) for v in zip(*points, strict=True))
    slope = np.diff(cost) / np.diff(mw) if len(mw) > 1 else np.zeros(1)
    ends = np.append(mw[1:-1], max(mw[-1], p_max_mw, p_min_mw + 1e-3))  # the last slope holds beyond the last point
    k = int(np.searchsorted(ends[:-1], p_min_mw, side="right"))  # the slope that holds just above the minimum
    at_min = float(cost[k] + slope[k] * (p_min_mw - mw[k]))
    ends, slope = ends[k:], slope[k:]
    rest = at_min - slope[0] * p_min_mw
    rows: list[list[float]] = []
    if rest < 0 and p_min_mw > 0:
        rows, rest = [[0.0, p_min_mw, at_min / p_min_mw]], 0.0
    begin = p_min_mw if rows else 0.0
    for end, value in zip(ends, slope, strict=True):
        rows.append([begin, float(end), float(value)])
        begin = float(end)
    pp.create_pwl_cost(net, index, element, rows)
    return rest


def convex(points: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], bool]:
    """The lower convex hull of points that rise in MW, and whether it left any out."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2:]
            if (y1 - y0) * (x - x1) <= (y - y1) * (x1 - x0) + 1e-9 * max(abs(y), 1.0):
                break
            hull.pop()
        hull.append((x, y))
    return hull, len(hull) < len(points)
