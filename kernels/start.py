"""Where the interior point starts: a smoothed merit order, or the prices of a kindred problem.

Every pair starts strictly positive and every equation local to a device holds exactly, so that only the rows that
devices share begin with a residual. Prices: one bisection per hour until supply on the central path (complementarity
products mu0) meets demand.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, kernel
from gridsim.kernels.layout import Layout, Window

SMOOTH = 0.03  # spread of the on-counts around their full-load cost, in scaled money per energy


class Prices(NamedTuple):
    """Duals to start from."""

    lam: FloatArray  # (T,)
    up: FloatArray  # (T,)
    down: FloatArray  # (T,)
    row: FloatArray  # (nm,)


@kernel
def interior_path(lo, hi, x0, keep, fall, rise, out):
    """A path x_t in (lo_t, hi_t) with -fall_t < x_t - keep x_(t-1) < rise_t, in the middle of what can be reached.

    Steps are first shrunk to nine tenths, so that the middle keeps a margin to its limits. Returns False if no path
    exists even with the full steps.
    """
    T = lo.size
    low, high = np.empty(T), np.empty(T)
    for shrink in (0.9, 0.99, 0.999999):
        x_low, x_high = x0, x0
        for t in range(T):
            x_low = max(lo[t], keep * x_low - shrink * fall[t])
            x_high = min(hi[t], keep * x_high + shrink * rise[t])
            low[t], high[t] = x_low, x_high
        for t in range(T - 2, -1, -1):
            low[t] = max(low[t], (low[t + 1] - shrink * rise[t + 1]) / keep)
            high[t] = min(high[t], (high[t + 1] + shrink * fall[t + 1]) / keep)
        worst = np.inf
        for t in range(T):
            worst = min(worst, high[t] - low[t])
        if worst > 0.0:
            for t in range(T):
                out[t] = 0.5 * (low[t] + high[t])
            return True
    return False


@kernel(fastmath=True)
def _central(width, d, mu):
    """Distance of a box variable from its lower bound on the central path, at reduced cost d."""
    root = np.sqrt(4.0 * mu * mu + d * d * width * width)
    if d >= 0.0:
        return 2.0 * mu * width / (2.0 * mu + d * width + root)
    return width - 2.0 * mu * width / (2.0 * mu - d * width + root)


@kernel(fastmath=True)
def _on_share(price, full_cost):
    return 0.05 + 0.9 / (1.0 + np.exp(min(60.0, max(-60.0, (full_cost - price) / SMOOTH))))


@kernel(fastmath=True)
def _store_power(win, e_path, t, i):
    """Charge and discharge, both inside their bounds, that follow the energy path."""
    net = e_path[t, i] - win.keep[i] * (e_path[t - 1, i] if t > 0 else win.e0[i])
    least = max(0.0, net / win.eta_c[i])
    most = min(win.charge_max[t, i], (net + win.discharge_max[t, i] / win.eta_d[i]) / win.eta_c[i])
    charge = least + 0.35 * (most - least)
    return charge, win.eta_d[i] * (win.eta_c[i] * charge - net)


@kernel(fastmath=True)
def merit_order(lay, win, full_cost, mu, p_path, e_path, lam):
    """One price per hour at which boxes on their central path and smoothly committed units meet demand.

    Ramped sources and stores are taken as `fill` will set them.
    """
    for t in range(lay.T):
        target = win.demand[t]
        for r in range(lay.nr):
            target -= p_path[t, r]
        for i in range(lay.ns):
            charge, discharge = _store_power(win, e_path, t, i)
            target -= discharge - charge
        low, high = -1.0, 1.0
        for i in range(lay.nu):
            high = max(high, full_cost[i])
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            low, high = min(low, win.box_cost[j]), max(high, win.box_cost[j])
        low, high = 2.0 * low - 1.0, 2.0 * high + 1.0
        for _ in range(40):
            price = 0.5 * (low + high)
            supply = 0.0
            for i in range(lay.nu):
                on = win.unit_avail[t, i] * _on_share(price, full_cost[i])
                supply += on * (win.unit_pmin[i] + 0.7 * win.unit_width[i])
            for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
                bal = win.box_bal[j]
                supply += bal * (win.box_lo[j] + _central(win.box_width[j], win.box_cost[j] - bal * price, mu))
            if supply < target:
                low = price
            else:
                high = price
        lam[t] = 0.5 * (low + high)


@kernel(fastmath=True)
def fill(lay, win, full_cost, mu, price, lam, up, down, p_path, e_path, theta, s, z):
    """Primal and dual of every pair but the rows, at the given prices.

    Parameters
    ----------
    price : (T, nc) float64, read only
        Price of supply at each column.
    p_path, e_path : (T, nr), (T, ns) float64, read only
        Interior paths of the ramped sources and of the stores' energy.
    theta : (T, ns) float64, written
        Value of stored energy.
    s, z : (size,) float64, written
    """
    T, nu, nk, nr, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ns
    for t in range(T):
        for i in range(nu):
            at = t * nu + i
            on = win.unit_avail[t, i] * _on_share(price[t, win.unit_col[i]], full_cost[i])
            before = win.unit_on0[i]
            if t > 0:
                before = win.unit_avail[t - 1, i] * _on_share(price[t - 1, win.unit_col[i]], full_cost[i])
            s[lay.n + at] = win.unit_avail[t, i] - on
            v = max(0.0, on - before) + 0.1 * win.unit_avail[t, i]
            s[lay.v + at] = v
            s[lay.c + at] = v - (on - before)
            share = win.unit_start[i] / (v + s[lay.c + at])
            z[lay.v + at] = max(share * s[lay.c + at], mu / v)
            z[lay.c + at] = max(share * v, mu / s[lay.c + at])
            r_u = win.unit_cost[i] - win.unit_pmin[i] * price[t, win.unit_col[i]]
            r_u -= up[t] * win.unit_up[i] * win.unit_width[i]
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                q, w = 0.7 * win.seg_width[k] * on, 0.3 * win.seg_width[k] * on
                d = win.seg_cost[k] - price[t, win.unit_col[i]]
                d += win.unit_up[i] * up[t] - win.unit_down[i] * down[t]
                z_w = max(mu / w, mu / q - d)
                s[lay.q + t * nk + k] = q
                s[lay.w + t * nk + k] = w
                z[lay.w + t * nk + k] = z_w
                z[lay.q + t * nk + k] = z_w + d
                r_u -= win.seg_width[k] * z_w
            z_n = max(mu / s[lay.n + at], -r_u)
            z[lay.n + at] = z_n
            lift = max(0.0, z_n + r_u) / win.unit_width[i]
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                z[lay.w + t * nk + k] += lift
                z[lay.q + t * nk + k] += lift
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            paid = win.box_bal[j] * lam[t] + win.box_line[j] * (price[t, win.box_col[j]] - lam[t])
            paid += win.box_up[j] * up[t] + win.box_down[j] * down[t]
            d, width = win.box_cost[j] - paid, win.box_width[j]
            above, below = _central(width, d, mu), _central(width, -d, mu)
            s[lay.bl + j] = above
            s[lay.bu + j] = below
            z[lay.bl + j] = mu / above
            z[lay.bu + j] = mu / below
        for r in range(nr):
            at, p = t * nr + r, p_path[t, r]
            rise = p - (p_path[t - 1, r] if t > 0 else win.ramp_p0[r])
            s[lay.pl + at] = p - win.ramp_lo[t, r]
            s[lay.ph + at] = win.ramp_hi[t, r] - p
            s[lay.pu + at] = win.ramp_limit[r] - rise
            s[lay.pd + at] = win.ramp_limit[r] + rise
        for i in range(ns):
            at, energy = t * ns + i, e_path[t, i]
            charge, discharge = _store_power(win, e_path, t, i)
            s[lay.cl + at] = charge
            s[lay.cu + at] = win.charge_max[t, i] - charge
            s[lay.dl + at] = discharge
            s[lay.du + at] = win.discharge_max[t, i] - discharge
            s[lay.el + at] = energy - win.e_lo[t, i]
            s[lay.eu + at] = win.e_hi[t, i] - energy
    for i in range(lay.pl, lay.over):
        z[i] = mu / s[i]
    for i in range(ns):
        mean = 0.0
        for t in range(T):
            mean += price[t, win.store_col[i]] / T
        for t in range(T):
            theta[t, i] = mean


def full_load_cost(win: Window) -> FloatArray:
    """Cost per energy of each unit at full load."""
    nu = win.unit_pmin.size
    seg_unit = np.repeat(np.arange(nu), np.diff(win.seg_first))
    above = np.bincount(seg_unit, weights=win.seg_cost * win.seg_width, minlength=nu)
    return (win.unit_cost + above) / (win.unit_pmin + win.unit_width)


def paths(lay: Layout, win: Window) -> tuple[FloatArray, FloatArray, list[str]]:
    """Interior paths of ramped sources (T, nr) and stores (T, ns), and what has none."""
    p, e = np.zeros((lay.T, lay.nr)), np.zeros((lay.T, lay.ns))
    column, lost = np.empty(lay.T), []
    for r in range(lay.nr):
        limit = np.full(lay.T, win.ramp_limit[r])
        lo, hi = np.array(win.ramp_lo[:, r]), np.array(win.ramp_hi[:, r])
        if not interior_path(lo, hi, win.ramp_p0[r], 1.0, limit, limit, column):
            lost.append(f"ramped source {r}: no path between its bounds keeps its ramp limit")
        p[:, r] = column
    for i in range(lay.ns):
        fall, rise = win.discharge_max[:, i] / win.eta_d[i], win.charge_max[:, i] * win.eta_c[i]
        lo, hi = np.array(win.e_lo[:, i]), np.array(win.e_hi[:, i])
        if not interior_path(lo, hi, win.e0[i], win.keep[i], fall, rise, column):
            lost.append(f"store {i}: no path of its energy keeps its bounds")
        e[:, i] = column
    return p, e, lost
