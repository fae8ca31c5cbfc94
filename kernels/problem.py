"""The window problem as arrays: what `window` solves, what the HiGHS oracle restates, what the tests draw at random.

Each hour has R rows that devices share: row 0 is the balance, rows 1 .. R-1 are reserve products. For hours
t = 0..T-1 and scaled units (power, money), minimise ::

      sum_t,i  unit_cost_i u_ti + start_cost_i v_ti + sum_k seg_cost_k q_tk          committed units, i; segments, k
    + sum_t,j  box_cost_tj x_tj                                                      boxes
    + sum_t,k  ramp seg_cost_tk q_tk                                                 ramped devices, r; segments, k
    + sum_t,s  charge_cost_s c_ts + discharge_cost_s d_ts  - sum_s end_value_s e_(T-1)s   stores
    + sum_m    overload_cost o_m                                                     line rows

subject to ::

    sum coef_0 . (everything) = need_t0          (balance, price lambda_t)
    sum coef_r . (everything) >= need_tr         (reserve product r, price mu_tr)
    sum_c coef_mc injection_(t_m)c - o_m <= limit_m     (line rows, price pi_m >= 0)

    0 <= q_tk <= seg_width_k u_t,i(k)       0 <= u_ti <= avail_ti     v_ti >= u_ti - u_(t-1)i, 0    u_(-1)i = on0_i
    box_lo <= x <= box_hi
    0 <= q_tk <= width_tk,   p_tr = base_tr + sum_k q_tk,   -down_tr <= p_tr - p_(t-1)r <= up_tr,   p_(-1) = p0
    charge_min <= c <= charge_max, discharge_min <= d <= discharge_max, 0 <= y <= spill_max
    e_t = keep e_(t-1) + eta_c c_t - d_t / eta_d + inflow_t - y_t,   e_lo_t <= e_t <= e_hi_t

A unit with output P = p_min u + sum q offers what it could still produce, up to a response limit a per unit on. With
segments cut at that depth this is linear: the topmost segments, a wide together, have coef -1 and the unit coef a, so
the offer is sum (width u - q) over them; convex cost fills them last. Likewise downwards: the lowest segments have
coef +1. A unit off that can start in time offers coef_r (avail - u): the constant is moved to the need.

Injections for line rows: a unit's and a ramped device's output, a box times its factor `line`, d - c of a store, each
into its column of H; demand enters with its own flow, already moved to the row's limit by whoever makes the rows.
"""

from typing import NamedTuple

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


class Problem(NamedTuple):
    """One window."""

    need: FloatArray  # (T, R) constants of headrooms and of units off already moved here
    units: Units
    boxes: Boxes
    ramps: Ramps
    stores: Stores


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
