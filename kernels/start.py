"""Where the interior point starts: a smoothed merit order, or the prices of a kindred problem.

Every pair starts strictly positive and every equation local to a device holds exactly, so that only the rows that
devices share begin with a residual. This runs once per solve and is plain numpy.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, IntArray, kernel
from gridsim.kernels.layout import Layout, Maps, Window

SMOOTH = 0.03  # spread of the on-counts around their full-load cost, in scaled money per energy
BISECTIONS = 24
DEAREST = 10.0  # dual of a bound at the start, scaled: a path squeezed between its bounds must not drown all prices


class Prices(NamedTuple):
    """Duals to start from."""

    hourly: FloatArray  # (T, R) lambda, then every reserve product of the problem
    row: FloatArray  # (nm,)
    budget: FloatArray | None = None  # (nq,) of every budget row of the problem


@kernel(allocates=True)
def interior_path(lo, hi, x0, keep, centre, half, out):
    """A path x_t in (lo_t, hi_t), amid what can be reached; x_t - keep x_(t-1) lies within half_t of centre_t.

    Steps are first shrunk to nine tenths, so that the middle keeps a margin to its limits. Returns False if no path
    exists even with the full steps.
    """
    T = lo.size
    low, high = np.empty(T), np.empty(T)
    for shrink in (0.9, 0.99, 0.999999, 0.9999999999):
        x_low, x_high = x0, x0
        for t in range(T):
            x_low = max(lo[t], keep * x_low + centre[t] - shrink * half[t])
            x_high = min(hi[t], keep * x_high + centre[t] + shrink * half[t])
            low[t], high[t] = x_low, x_high
        for t in range(T - 2, -1, -1):
            low[t] = max(low[t], (low[t + 1] - centre[t + 1] - shrink * half[t + 1]) / keep)
            high[t] = min(high[t], (high[t + 1] - centre[t + 1] + shrink * half[t + 1]) / keep)
        worst = np.inf
        for t in range(T):
            worst = min(worst, high[t] - low[t])
        if worst > 0.0:
            for t in range(T):
                out[t] = 0.5 * (low[t] + high[t])
            return True
    return False


class Paths(NamedTuple):
    """Interior paths, and what has none."""

    p: FloatArray  # (T, nr) of ramped devices
    charge: FloatArray  # (T, ns) above the minimum, likewise the next
    discharge: FloatArray
    spill: FloatArray  # (T, ny)
    e: FloatArray
    lost: list[str]


def paths(lay: Layout, win: Window, maps: Maps) -> Paths:
    """Paths of ramped devices and stores inside all of their own limits."""
    T, nr, ns, ny = lay.T, lay.nr, lay.ns, lay.ny
    p, e, lost, column = np.zeros((T, nr)), np.zeros((T, ns)), [], np.empty(T)
    most = win.ramp_base + by_device(win.ramp_level, win.ramp_width, nr)
    for r in range(nr):
        up, down = win.ramp_up[:, r], win.ramp_down[:, r]
        lo, hi = np.array(win.ramp_base[:, r]), np.array(most[:, r])
        if not interior_path(lo, hi, win.ramp_p0[r], 1.0, 0.5 * (up - down), 0.5 * (up + down), column):
            lost.append(f"ramped device {maps.ramp[r]}: no path between its bounds keeps its ramp limits")
        p[:, r] = column
    charge_hi, discharge_hi = win.charge_lo + win.charge_width, win.discharge_lo + win.discharge_width
    least = win.eta_c * win.charge_lo - discharge_hi / win.eta_d  # of the net energy that charging and discharging give
    greatest = win.eta_c * charge_hi - win.discharge_lo / win.eta_d
    fall, rise = least + win.inflow, greatest + win.inflow
    fall[:, :ny] -= win.spill_width
    for i in range(ns):
        lo, hi = np.array(win.e_lo[:, i]), np.array(win.e_hi[:, i])
        centre, half = 0.5 * (rise[:, i] + fall[:, i]), 0.5 * (rise[:, i] - fall[:, i])
        if not interior_path(lo, hi, win.e0[i], win.keep[i], centre, half, column):
            lost.append(f"store {maps.store[i]}: no path of its energy keeps its bounds")
        e[:, i] = column
    before = np.vstack((win.e0[None, :], e[:-1])) if T else e
    change = e - win.keep * before - win.inflow  # what charging, discharging and spilling come to
    low = np.maximum(0.0, (least - change)[:, :ny])
    spill = low + 0.5 * (np.minimum(win.spill_width, (greatest - change)[:, :ny]) - low)
    net = change
    net[:, :ny] += spill
    low = np.maximum(win.charge_lo, (net + win.discharge_lo / win.eta_d) / win.eta_c)
    high = np.minimum(charge_hi, (net + discharge_hi / win.eta_d) / win.eta_c)
    charge = low + 0.35 * (high - low)
    discharge = win.eta_d * (win.eta_c * charge - net)
    return Paths(p, charge - win.charge_lo, discharge - win.discharge_lo, spill, e, lost)


def by_device(level: IntArray, of_segment: FloatArray, count: int) -> FloatArray:
    """(T, segments) or (segments,) summed to devices along the last axis, in the layout's order of levels."""
    out = np.zeros((*of_segment.shape[:-1], count))
    for first, last in pairwise(level):
        out[..., : last - first] += of_segment[..., first:last]
    return out


def to_segments(level: IntArray, of_device: FloatArray) -> FloatArray:
    """(..., devices) repeated for each segment, in the layout's order of levels."""
    parts = [of_device[..., : last - first] for first, last in pairwise(level)]
    return np.concatenate(parts, axis=-1) if parts else of_device[..., :0]


def _central(width: FloatArray, d: FloatArray, mu: float) -> FloatArray:
    """Distance of box variables from their lower bounds on the central path, at reduced costs d."""
    pull = d * width
    root = np.sqrt(4.0 * mu * mu + pull * pull)
    near = 2.0 * mu * width / (2.0 * mu + np.abs(pull) + root)
    return np.where(pull >= 0.0, near, width - near)


def _on_share(price: FloatArray, full_cost: FloatArray) -> FloatArray:
    return 0.05 + 0.9 / (1.0 + np.exp(np.clip((full_cost - price) / SMOOTH, -60.0, 60.0)))


class FullLoad(NamedTuple):
    """Units at full load, in the layout's order."""

    p_max: FloatArray  # (nu,)
    cost: FloatArray  # (nu,) per energy


def full_load(lay: Layout, win: Window) -> FullLoad:
    """Full load of each unit; the first row of the first hour holds their minimum outputs."""
    p_max = win.effect[: lay.nu] + by_device(win.unit_level, win.seg_width, lay.nu)
    hourly = win.unit_cost + by_device(win.unit_level, win.seg_cost * win.seg_width, lay.nu)
    return FullLoad(p_max, hourly / p_max)


def merit_order(lay: Layout, win: Window, full: FullLoad, mu: float, paths: Paths, box_bal: FloatArray) -> FloatArray:
    """(T,) one price per hour at which boxes on their central path and smoothly committed units meet demand.

    Ramped devices and stores are taken as `fill` will set them. `box_bal` (nb,): effect of boxes on the balance.
    """
    T, hour = lay.T, np.repeat(np.arange(lay.T), np.diff(win.box_at))
    target = win.need[win.row_at[:-1]] - (paths.p - win.ramp_base).sum(axis=1)
    target = target - (paths.discharge - paths.charge).sum(axis=1)
    p_mean = win.effect[: lay.nu] + 0.7 * (full.p_max - win.effect[: lay.nu])
    reach = [full.cost, win.box_cost] if lay.nu else [win.box_cost]
    highest = max([1.0, *(float(np.max(v, initial=0.0)) for v in reach)])
    lowest = min([-1.0, float(np.min(win.box_cost, initial=0.0))])
    low, high = np.full(T, 2.0 * lowest - 1.0), np.full(T, 2.0 * highest + 1.0)
    for _ in range(BISECTIONS):
        price = 0.5 * (low + high)
        supply = (win.unit_avail * _on_share(price[:, None], full.cost)) @ p_mean
        x = _central(win.box_width, win.box_cost - box_bal * price[hour], mu)
        supply = supply + np.bincount(hour, weights=box_bal * x, minlength=T)
        low, high = np.where(supply < target, price, low), np.where(supply < target, high, price)
    return 0.5 * (low + high)


def fill(
    lay: Layout, win: Window, full: FullLoad, mu: float, price: FloatArray, paths: Paths, s: FloatArray, z: FloatArray
) -> FloatArray:
    """Primal and dual of every pair but the rows, at the given prices of all items; returns theta.

    Parameters
    ----------
    price : (items,) float64, read only
    s, z : (size,) float64, written

    Returns
    -------
    (T, ns) float64, value of stored energy
    """
    T, nu, nk = lay.T, lay.nu, lay.nk
    of_hour = price if lay.nb == 0 else np.delete(price, box_places(lay, win))
    steady = of_hour.reshape(T, lay.fixed_items)
    p_unit, p_seg = steady[:, :nu], steady[:, nu : nu + nk]
    p_net = steady[:, nu + nk + lay.ng :]

    def put(first: int, slack: FloatArray, dual: FloatArray) -> None:
        s[first : first + slack.size] = slack.ravel()
        z[first : first + slack.size] = dual.ravel()

    worth = (p_unit + by_device(win.unit_level, p_seg * win.seg_width, nu)) / full.p_max
    on = win.unit_avail * _on_share(worth, full.cost)
    rise = np.diff(on, axis=0, prepend=win.unit_on0[None, :])
    v = np.maximum(rise, 0.0) + 0.1 * win.unit_avail
    c = v - rise
    each = win.unit_start / (v + c)
    put(lay.v, v, np.maximum(each * c, mu / v))
    put(lay.c, c, np.maximum(each * v, mu / c))
    width = win.seg_width * to_segments(win.unit_level, on)
    q, head = 0.7 * width, 0.3 * width
    d = win.seg_cost - p_seg
    z_w = np.maximum(mu / head, mu / q - d)
    r_u = win.unit_cost - p_unit - by_device(win.unit_level, win.seg_width * z_w, nu)
    idle = win.unit_avail - on
    z_n = np.maximum(mu / idle, -r_u)
    lift = np.maximum(0.0, z_n + r_u) / by_device(win.unit_level, win.seg_width, nu)
    z_w = z_w + to_segments(win.unit_level, lift)
    put(lay.n, idle, z_n)
    put(lay.q, q, z_w + d)
    put(lay.w, head, z_w)

    if lay.nb:
        d = win.box_cost - price[box_places(lay, win)]
        above, below = _central(win.box_width, d, mu), _central(win.box_width, -d, mu)
        put(lay.bl, above, mu / above)
        put(lay.bu, below, mu / below)

    total = by_device(win.ramp_level, win.ramp_width, lay.nr)
    share = np.clip((paths.p - win.ramp_base) / total, 1e-6, 1.0 - 1e-6)
    q = win.ramp_width * to_segments(win.ramp_level, share)
    p = win.ramp_base + by_device(win.ramp_level, q, lay.nr)
    rise = np.diff(p, axis=0, prepend=win.ramp_p0[None, :])
    pairs = (
        (lay.gl, q), (lay.gu, win.ramp_width - q), (lay.pu, win.ramp_up - rise), (lay.pd, win.ramp_down + rise),
        (lay.cl, paths.charge), (lay.cu, win.charge_width - paths.charge), (lay.dl, paths.discharge),
        (lay.du, win.discharge_width - paths.discharge), (lay.yl, paths.spill), (lay.yu, win.spill_width - paths.spill),
        (lay.el, paths.e - win.e_lo), (lay.eu, win.e_hi - paths.e),
    )  # fmt: skip
    for first, slack in pairs:
        put(first, slack, np.minimum(mu / slack, DEAREST))
    return np.tile(p_net.mean(axis=0), (T, 1)) if T else np.zeros((0, lay.ns))


def box_places(lay: Layout, win: Window) -> IntArray:
    """Places of all boxes among the items."""
    hour = np.repeat(np.arange(lay.T), np.diff(win.box_at))
    return np.arange(lay.nb) + lay.fixed_items * (hour + 1)
