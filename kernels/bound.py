"""A lower bound that holds whatever the solver did: the Lagrangian of the window at any prices.

L(y) = y . need + the least each device can cost at these prices. Boxes, stores (at any value of energy theta) and
ramped devices (at any ramp multipliers >= 0) have closed forms; the on-count of a unit is a chain whose optimum lies
on the levels {0, on before, units available in some hour}: dynamic programming.
"""

import numpy as np

from gridsim.kernels.jit import FloatArray, kernel
from gridsim.kernels.layout import Layout, Window
from gridsim.kernels.start import box_places, by_device, to_segments


@kernel
def unit_values(cost, avail, on0, start_cost, level, value, fresh, out):
    """Least sum cost_t u_t + start_cost (u_t - u_(t-1))^+ over 0 <= u_t <= avail_t, u_(-1) = on0, of every unit.

    Parameters
    ----------
    cost, avail : (T, nu) float64, read only
    on0, start_cost : (nu,) float64, read only
    level, value, fresh : (T + 2,) float64, scratch
    out : (nu,) float64, written
    """
    T, nu = cost.shape
    for unit in range(nu):
        count = 2
        level[0], level[1] = 0.0, on0[unit]
        for t in range(T):
            known = False
            for j in range(count):
                known = known or level[j] == avail[t, unit]
            if not known:
                level[count] = avail[t, unit]
                count += 1
        for j in range(count):
            value[j] = 0.0 if j == 1 else np.inf
        for t in range(T):
            for j in range(count):
                best = np.inf
                if level[j] <= avail[t, unit]:
                    for i in range(count):
                        best = min(best, value[i] + start_cost[unit] * max(0.0, level[j] - level[i]))
                    best += cost[t, unit] * level[j]
                fresh[j] = best
            for j in range(count):
                value[j] = fresh[j]
        best = np.inf
        for j in range(count):
            best = min(best, value[j])
        out[unit] = best


def lagrangian(
    lay: Layout, win: Window, y: FloatArray, price: FloatArray, theta: FloatArray, z: FloatArray, constant: float
) -> float:
    """The bound at given prices; money.

    Parameters
    ----------
    y, price : (rows,), (items,) float64
        Prices of rows (those of line rows at most their overload cost) and the items' prices that follow from them.
    theta : (T, ns) float64
        Value of stored energy.
    z : (size,) float64
        Of which the ramp multipliers are taken.
    constant : float
        Cost that no pair has a part in.
    """
    T, nu, nk, nr, ng = lay.T, lay.nu, lay.nk, lay.nr, lay.ng
    places = box_places(lay, win)
    steady = np.delete(price, places).reshape(T, lay.fixed_items)
    total = float(y @ win.need) + constant
    total += float(win.box_width @ np.minimum(0.0, win.box_cost - price[places]))
    if nu:
        d = np.minimum(0.0, win.seg_cost - steady[:, nu : nu + nk])
        cost = win.unit_cost - steady[:, :nu] + by_device(win.unit_level, win.seg_width * d, nu)
        scratch, out = np.zeros((3, T + 2)), np.zeros(nu)
        unit_values(cost, win.unit_avail, win.unit_on0, win.unit_start, scratch[0], scratch[1], scratch[2], out)
        total += float(out.sum())
    if nr:
        rise, fall = z[lay.pu : lay.pd].reshape(T, nr), z[lay.pd : lay.cl].reshape(T, nr)
        push = rise - fall
        later = np.vstack((push[1:], np.zeros((1, nr))))
        d = win.ramp_cost - steady[:, nu + nk : nu + nk + ng] + to_segments(win.ramp_level, push - later)
        total += float(np.sum(win.ramp_width * np.minimum(0.0, d)))
        total += float(np.sum((push - later) * win.ramp_base) - push[0] @ win.ramp_p0)
        total -= float(np.sum(rise * win.ramp_up) + np.sum(fall * win.ramp_down))
    if lay.ns:
        p = steady[:, nu + nk + ng :]
        later = np.vstack((win.keep * theta[1:], win.end_value[None, :]))
        hold = theta - later
        total += float(np.sum(win.charge_width * np.minimum(0.0, win.charge_cost + p - win.eta_c * theta)))
        total += float(np.sum(win.discharge_width * np.minimum(0.0, win.discharge_cost - p + theta / win.eta_d)))
        total += float(np.sum(win.spill_width * np.minimum(0.0, theta[:, : lay.ny])))
        total += float(np.sum(np.minimum(hold * win.e_lo, hold * win.e_hi)) - theta[0] @ (win.keep * win.e0))
        total += float(np.sum(theta * (win.discharge_lo / win.eta_d - win.eta_c * win.charge_lo - win.inflow)))
    return total
