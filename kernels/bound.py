"""A lower bound that holds whatever the solver did: the Lagrangian of the window at any prices.

L(y) = sum lambda D + mu R_up + nu R_down - pi limit + the least each device can cost at these prices. Boxes, stores
(at any value of energy theta) and ramped sources (at any ramp multipliers >= 0) have closed forms; the on-count of a
unit is a chain whose optimum lies on the levels {0, on before, units available in some hour}: dynamic programming.
"""

import numpy as np

from gridsim.kernels.jit import FloatArray, kernel
from gridsim.kernels.layout import Layout, Window
from gridsim.kernels.newton import column_prices
from gridsim.kernels.start import Prices


@kernel(part=True)
def _unit_value(cost, avail, on0, start_cost, level, value, fresh):
    """Least sum cost_t u_t + start_cost (u_t - u_(t-1))^+ over 0 <= u_t <= avail_t, u_(-1) = on0."""
    count = 2
    level[0], level[1] = 0.0, on0
    for t in range(avail.size):
        known = False
        for j in range(count):
            known = known or level[j] == avail[t]
        if not known:
            level[count] = avail[t]
            count += 1
    for j in range(count):
        value[j] = 0.0 if j == 1 else np.inf
    for t in range(cost.size):
        for j in range(count):
            best = np.inf
            if level[j] <= avail[t]:
                for i in range(count):
                    best = min(best, value[i] + start_cost * max(0.0, level[j] - level[i]))
                best += cost[t] * level[j]
            fresh[j] = best
        for j in range(count):
            value[j] = fresh[j]
    best = np.inf
    for j in range(count):
        best = min(best, value[j])
    return best


@kernel
def _least(cost, lo, hi):
    return min(cost * lo, cost * hi)


@kernel
def _devices(lay, win, price, lam, up, down, theta, z):
    """Sum over devices of the least cost at the given prices."""
    T, nr, ns = lay.T, lay.nr, lay.ns
    cost, avail = np.empty(T), np.empty(T)
    level, value, fresh = np.empty(T + 2), np.empty(T + 2), np.empty(T + 2)
    total = 0.0
    for i in range(lay.nu):
        for t in range(T):
            p = price[t, win.unit_col[i]]
            c = win.unit_cost[i] - win.unit_pmin[i] * p - win.unit_up[i] * up[t] * win.unit_width[i]
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                d = win.seg_cost[k] - p + win.unit_up[i] * up[t] - win.unit_down[i] * down[t]
                c += win.seg_width[k] * min(0.0, d)
            cost[t], avail[t] = c, win.unit_avail[t, i]
        total += _unit_value(cost, avail, win.unit_on0[i], win.unit_start[i], level, value, fresh)
    for t in range(T):
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            paid = win.box_bal[j] * lam[t] + win.box_line[j] * (price[t, win.box_col[j]] - lam[t])
            paid += win.box_up[j] * up[t] + win.box_down[j] * down[t]
            total += _least(win.box_cost[j] - paid, win.box_lo[j], win.box_lo[j] + win.box_width[j])
        for r in range(nr):
            at = t * nr + r
            push = z[lay.pu + at] - z[lay.pd + at]
            later = z[lay.pu + at + nr] - z[lay.pd + at + nr] if t + 1 < T else 0.0
            d = win.ramp_cost[t, r] - price[t, win.ramp_col[r]] + push - later
            total += _least(d, win.ramp_lo[t, r], win.ramp_hi[t, r])
            total -= win.ramp_limit[r] * (z[lay.pu + at] + z[lay.pd + at])
            if t == 0:
                total -= win.ramp_p0[r] * push
        for i in range(ns):
            p = price[t, win.store_col[i]]
            total += min(0.0, (win.charge_cost[i] + p - win.eta_c[i] * theta[t, i]) * win.charge_max[t, i])
            total += min(0.0, (win.discharge_cost[i] - p + theta[t, i] / win.eta_d[i]) * win.discharge_max[t, i])
            later = win.keep[i] * theta[t + 1, i] if t + 1 < T else win.end_value[i]
            total += _least(theta[t, i] - later, win.e_lo[t, i], win.e_hi[t, i])
            if t == 0:
                total -= theta[0, i] * win.keep[i] * win.e0[i]
    return total


def lagrangian(lay: Layout, win: Window, prices: Prices, theta: FloatArray, z: FloatArray) -> float:
    """The bound at `prices`, store values `theta` (T, ns) and the ramp multipliers in `z`; money."""
    pi = np.minimum(prices.row, win.row_cost)
    price = np.zeros((lay.T, lay.nc))
    column_prices(lay, win, prices.lam, pi, price)
    total = _devices(lay, win, price, prices.lam, prices.up, prices.down, theta, z)
    total += float(prices.lam @ win.demand + prices.up @ win.reserve_up + prices.down @ win.reserve_down)
    return total - float(pi @ win.row_limit)
