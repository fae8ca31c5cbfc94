"""The window problem as arrays: what `window` solves, what the HiGHS oracle restates, what the tests draw at random.

An hour is one step of the window: where steps are shorter, powers stay MW, energies count in MW steps, costs, ramps and
losses are those of a step. Each hour has R rows that devices share: row 0 is the balance, rows 1 .. R-1 are reserve
products. For hours t = 0..T-1 and scaled units (power, money), minimise ::

      sum_t,i  unit_cost_i u_ti + start_cost_i v_ti + sum_k seg_cost_k q_tk          committed units, i; segments, k
    + sum_t,j  box_cost_tj x_tj                                                      boxes
    + sum_t,k  ramp seg_cost_tk q_tk                                                 ramped devices, r; segments, k
    + sum_t,s  charge_cost_s c_ts + discharge_cost_s d_ts  - sum_s end_value_s e_(T-1)s   stores
    + sum_m    overload_cost o_m                                                     line rows
    + sum_b    cost_b o_b + value_b (limit_b - left_b)                               budget rows

subject to ::

    sum coef_0 . (everything) = need_t0          (balance, price lambda_t)
    sum coef_r . (everything) >= need_tr         (reserve product r, price mu_tr)
    sum_c coef_mc injection_(t_m)c - o_m <= limit_m     (line rows, price pi_m >= 0)
    sum_t hours_bt (use of u_t, q_t, x_t, ramp q_t) + left_b - o_b = limit_b   (budget rows, value_b <= price <= cost_b)

    0 <= q_tk <= seg_width_k u_t,i(k)       0 <= u_ti <= avail_ti     v_ti >= u_ti - u_(t-1)i, 0    u_(-1)i = on0_i
    box_lo <= x <= box_hi
    0 <= q_tk <= width_tk,   p_tr = base_tr + sum_k q_tk,   -down_tr <= p_tr - p_(t-1)r <= up_tr,   p_(-1) = p0
    charge_min <= c <= charge_max, discharge_min <= d <= discharge_max, 0 <= y <= spill_max
    e_t = keep e_(t-1) + eta_c c_t - d_t / eta_d + inflow_t - y_t,   e_lo_t <= e_t <= e_hi_t

A unit with output P = p_min u + sum q offers what it could still produce, up to a response limit a per unit on. With
segments cut at that depth this is linear: the topmost segments, a wide together, have coef -1 and the unit coef a, so
the offer is sum (width u - q) over them; convex cost fills them last. Likewise downwards: the lowest segments have
coef +1. A unit off that can start in time offers coef_r (avail - u): the constant is moved to the need.

A budget row counts what its members use in some hours of the window together. What is left of its limit keeps a value
for the hours beyond the window, so its price is at least that; a budget that ends inside has none.

Injections for line rows: a unit's and a ramped device's output, a box times its factor `line`, d - c of a store, each
into its column of H; demand enters with its own flow, already moved to the row's limit by whoever makes the rows.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, IntArray


class Units(NamedTuple):
    """Groups of identical units with a relaxed on-count. nu groups, nk segments sorted by group, one at least each."""

    bus: IntArray  # (nu,) column of H
    coef: FloatArray  # (nu, R) of one unit on, on the hour's rows; column 0 is p_min
    cost: FloatArray  # (nu,) of one unit on for an hour at p_min
    start_cost: FloatArray  # (nu,) of one start
    on0: FloatArray  # (nu,) units on before the window
    avail: FloatArray  # (T, nu) units available
    seg_unit: IntArray  # (nk,) group of the segment
    seg_width: FloatArray  # (nk,) of one unit, > 0
    seg_cost: FloatArray  # (nk,) not falling within a group
    seg_coef: FloatArray  # (nk, R) column 0 is 1


class Boxes(NamedTuple):
    """Whatever is bounded hour by hour. nx boxes; an hour's width may be 0."""

    bus: IntArray  # (nx,) column of H
    lo: FloatArray  # (T, nx)
    hi: FloatArray  # (T, nx)
    cost: FloatArray  # (T, nx)
    coef: FloatArray  # (nx, R) on the hour's rows. Constants (headroom hi - x: coef -1) are moved to the needs
    line: FloatArray  # (nx,) factor on the column of H


class Ramps(NamedTuple):
    """Devices with ramp limits: sources, and units whose commitment is given. nr devices, nkr segments sorted by it."""

    bus: IntArray  # (nr,)
    base: FloatArray  # (T, nr) output that is there whatever the segments do
    up: FloatArray  # (T, nr) largest rise into the hour
    down: FloatArray  # (T, nr) largest fall into the hour
    p0: FloatArray  # (nr,) output before the window
    seg_ramp: IntArray  # (nkr,) device of the segment
    seg_width: FloatArray  # (T, nkr) may be 0 in an hour
    seg_cost: FloatArray  # (T, nkr) not falling within a device
    seg_coef: FloatArray  # (nkr, R) column 0 is 1


class Stores(NamedTuple):
    """Stores of energy. ns rows."""

    bus: IntArray  # (ns,)
    charge_min: FloatArray  # (T, ns) 0 but where a pump's mode is decided
    charge_max: FloatArray  # (T, ns)
    discharge_min: FloatArray  # (T, ns)
    discharge_max: FloatArray  # (T, ns)
    charge_cost: FloatArray  # (ns,)
    discharge_cost: FloatArray  # (ns,)
    eta_c: FloatArray  # (ns,)
    eta_d: FloatArray  # (ns,)
    keep: FloatArray  # (ns,) 1 - standing loss per hour
    inflow: FloatArray  # (T, ns) energy that comes by itself
    spill_max: FloatArray  # (T, ns) energy that may be let go
    e0: FloatArray  # (ns,) before the window
    e_lo: FloatArray  # (T, ns)
    e_hi: FloatArray  # (T, ns)
    end_value: FloatArray  # (ns,)


class Rows(NamedTuple):
    """Line rows in force, sorted by hour. nm rows."""

    hour: IntArray  # (nm,)
    coef: FloatArray  # (nm, columns of H), sign included
    limit: FloatArray  # (nm,) sign * flow of demand already subtracted
    cost: FloatArray  # (nm,) price of an overload


class Budgets(NamedTuple):
    """Rows over several hours. nq rows. A budget that asks for least use is one with signs turned."""

    hours: FloatArray  # (nq, T) 1 where the hour counts, else 0
    unit: FloatArray  # (nq, nu) use of one unit on for an hour at p_min
    seg: FloatArray  # (nq, nk) of output on the segment
    box: FloatArray  # (nq, nx)
    ramp_seg: FloatArray  # (nq, nkr)
    limit: FloatArray  # (nq,) what bases of ramped devices use already subtracted
    value: FloatArray  # (nq,) of what is left, >= 0
    cost: FloatArray  # (nq,) of use beyond the limit, > value


_NONE, _NO_ROWS = np.zeros(0), np.zeros((0, 0))
NO_BUDGETS = Budgets(*[_NO_ROWS] * 5, *[_NONE] * 3)


class Problem(NamedTuple):
    """One window."""

    need: FloatArray  # (T, R) constants of headrooms and of units off already moved here
    units: Units
    boxes: Boxes
    ramps: Ramps
    stores: Stores
    budgets: Budgets = NO_BUDGETS


class Solution(NamedTuple):
    """Primal and dual of a window. Prices are >= 0 where a scarcity is paid for; lambda is free."""

    u: FloatArray  # (T, nu)
    q: FloatArray  # (T, nk)
    x: FloatArray  # (T, nx)
    ramp_q: FloatArray  # (T, nkr)
    charge: FloatArray  # (T, ns)
    discharge: FloatArray  # (T, ns)
    spill: FloatArray  # (T, ns)
    e: FloatArray  # (T, ns)
    overload: FloatArray  # (nm,)
    price: FloatArray  # (T, R) lambda, then the reserve products
    price_row: FloatArray  # (nm,) pi
    ramp_price: FloatArray  # (T, nr) what its ramp limits add to the cost of one more unit of output in the hour
    store_value: FloatArray  # (T, ns) theta, of energy in store at the end of the hour
    objective: float
    bound: float  # dual objective: a lower bound on the optimum
    excess: FloatArray = _NONE  # (nq,) use beyond the limits of budgets
    price_budget: FloatArray = _NONE  # (nq,) of use


def used(problem: Problem, s: Solution) -> FloatArray:
    """(nq,) what the members of each budget row use in a solution."""
    b = problem.budgets
    if not b.limit.size:
        return _NONE
    hourly = s.u @ b.unit.T + s.q @ b.seg.T + s.x @ b.box.T + s.ramp_q @ b.ramp_seg.T
    total: FloatArray = (hourly * b.hours.T).sum(axis=0)
    return total
