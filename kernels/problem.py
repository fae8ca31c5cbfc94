"""The window problem as arrays: what `window` solves, what the HiGHS oracle restates, what the tests draw at random.

For hours t = 0..T-1 and scaled units (power, money), minimise ::

      sum_t,i  unit_cost_i u_ti + start_cost_i v_ti + sum_k seg_cost_k q_tk          committed units, i; segments, k
    + sum_t,j  box_cost_tj x_tj                                                      boxes
    + sum_t,r  ramp_cost_tr p_tr                                                     ramped sources
    + sum_t,s  charge_cost_s c_ts + discharge_cost_s d_ts  - sum_s end_value_s e_(T-1)s   stores
    + sum_m    overload_cost o_m                                                     line rows

subject to ::

    supply_t = demand_t                          (balance, price lambda_t)
    sum up headroom + box_up x >= reserve_up_t   (price mu_t)
    sum down room + box_down x >= reserve_down_t (price nu_t)
    sign_m (H_m . injection_(t_m)) - o_m <= limit_m     (line rows, price pi_m >= 0)

    0 <= q_tk <= seg_width_k u_t,i(k)       0 <= u_ti <= avail_ti     v_ti >= u_ti - u_(t-1)i, 0    u_(-1)i = on0_i
    box_lo <= x <= box_hi                   ramp_lo <= p <= ramp_hi,  |p_t - p_(t-1)| <= ramp_limit, p_(-1) = ramp_p0
    0 <= c <= charge_max, 0 <= d <= discharge_max, e_t = keep e_(t-1) + eta_c c_t - d_t / eta_d, e_lo_t <= e_t <= e_hi_t

with supply_t = sum_i p_min_i u_ti + sum_k q_tk + sum_j box_bal_j x_tj + sum_r p_tr + sum_s (d_ts - c_ts).
Headroom up of a unit is sum_k (seg_width_k u - q_k), room down is sum_k q_k, where the unit's flag says it counts.
Injections for line rows: each device times its column of H; a box carries the factor box_line; demand enters with
its own flow, already moved to the row's limit by whoever makes the rows.
"""

from typing import NamedTuple

from gridsim.kernels.jit import FloatArray, IntArray


class Units(NamedTuple):
    """Groups of identical units with a relaxed on-count. nu groups, nk segments sorted by group."""

    bus: IntArray  # (nu,) column of H
    p_min: FloatArray  # (nu,) of one unit
    cost: FloatArray  # (nu,) of one unit on for an hour at p_min
    start_cost: FloatArray  # (nu,) of one start
    on0: FloatArray  # (nu,) units on before the window
    avail: FloatArray  # (T, nu) units available
    up: FloatArray  # (nu,) 1: headroom counts as reserve up
    down: FloatArray  # (nu,) 1: counts as reserve down
    seg_unit: IntArray  # (nk,) group of the segment
    seg_width: FloatArray  # (nk,) of one unit, > 0
    seg_cost: FloatArray  # (nk,) not falling within a group


class Boxes(NamedTuple):
    """Whatever is bounded hour by hour. nx boxes; an hour's width may be 0."""

    bus: IntArray  # (nx,) column of H
    lo: FloatArray  # (T, nx)
    hi: FloatArray  # (T, nx)
    cost: FloatArray  # (T, nx)
    bal: FloatArray  # (nx,) coefficient in the balance rows
    up: FloatArray  # (nx,) coefficient in the reserve-up rows (-1: headroom hi - x counts, the constant hi is moved
    down: FloatArray  # (nx,)   to reserve_up; +1 in down: x - lo counts, likewise; +1 in up and down: shortfall slacks)
    line: FloatArray  # (nx,) factor on the column of H


class Ramps(NamedTuple):
    """Sources with an hourly ramp limit. nr rows."""

    bus: IntArray  # (nr,)
    lo: FloatArray  # (T, nr)
    hi: FloatArray  # (T, nr)
    cost: FloatArray  # (T, nr)
    limit: FloatArray  # (nr,) per hour
    p0: FloatArray  # (nr,) before the window


class Stores(NamedTuple):
    """Stores of energy. nst rows."""

    bus: IntArray  # (nst,)
    charge_max: FloatArray  # (T, nst)
    discharge_max: FloatArray  # (T, nst)
    charge_cost: FloatArray  # (nst,)
    discharge_cost: FloatArray  # (nst,)
    eta_c: FloatArray  # (nst,)
    eta_d: FloatArray  # (nst,)
    keep: FloatArray  # (nst,) 1 - standing loss per hour
    e0: FloatArray  # (nst,) before the window
    e_lo: FloatArray  # (T, nst)
    e_hi: FloatArray  # (T, nst)
    end_value: FloatArray  # (nst,)


class Rows(NamedTuple):
    """Line rows in force, sorted by hour: sign * (H_row . injections of devices) - o <= limit. nm rows."""

    hour: IntArray  # (nm,)
    coef: FloatArray  # (nm, columns of H), sign included
    limit: FloatArray  # (nm,) sign * flow of demand already subtracted
    cost: FloatArray  # (nm,) price of an overload


class Problem(NamedTuple):
    """One window."""

    demand: FloatArray  # (T,)
    reserve_up: FloatArray  # (T,) constants of box headrooms already added
    reserve_down: FloatArray  # (T,)
    units: Units
    boxes: Boxes
    ramps: Ramps
    stores: Stores


class Solution(NamedTuple):
    """Primal and dual of a window. Prices are >= 0 where a scarcity is paid for; lambda is free."""

    u: FloatArray  # (T, nu)
    q: FloatArray  # (T, nk)
    x: FloatArray  # (T, nx)
    p: FloatArray  # (T, nr)
    charge: FloatArray  # (T, nst)
    discharge: FloatArray  # (T, nst)
    e: FloatArray  # (T, nst)
    overload: FloatArray  # (nm,)
    price: FloatArray  # (T,) lambda
    price_up: FloatArray  # (T,) mu
    price_down: FloatArray  # (T,) nu
    price_row: FloatArray  # (nm,) pi
    objective: float
    bound: float  # dual objective: a lower bound on the optimum
