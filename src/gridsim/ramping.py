"""Units whose output is held by ramps and by limits in their first and last hour, once it is given which are on.

For a row of identical units, u on, v started, w stopped at the beginning of the hour, k = u - v on in both hours, the
outputs of the units add up to ::

    p_min u_t <= p_t <= p_max u_t - (what starting units and those in their last hour may not give)
    -(ramp_down k + stop_ramp w - p_min v)  <=  p_t - p_(t-1)  <=  ramp_up k + start_ramp v - p_min w

which is exact for one unit, and for several what every split of p over them has to keep. A limit that the state before
the window makes impossible (a unit forced off from full output) is widened by what is missing, and that is recorded.

Reserve up of such a row is what lies between its output and its highest, up to its response, and no more than its ramp
from the hour before leaves. Where steps are shorter, the rate that the ramp leaves beside the step counts for an hour:
what a product without a time limit gets does not depend on the step, and a faster one has the response as its limit.
The cost segments of the row are therefore cut anew in every step: the topmost A MW of [base, cap] answer for products
of response A, the lowest D MW for products down.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from gridsim.kernels.jit import BoolArray, FloatArray, IntArray

MARGIN = 1e-5  # of a row's capacity, by which ramp limits are wider than said: an interior point needs room
NO_WIDTH = 1e-9  # of a row's capacity


class UnitLimits(NamedTuple):
    """Limits of ONE unit of each row, (n,) each. [MW], ramps [MW a step]; never infinite."""

    p_min: FloatArray
    p_max: FloatArray
    up: FloatArray
    down: FloatArray
    start: FloatArray
    stop: FloatArray

    def of(self, rows: IntArray) -> "UnitLimits":
        return UnitLimits(*(part[rows] for part in self))


class Bounds(NamedTuple):
    """What the rows may do, (T, n) each. [MW]"""

    base: FloatArray
    cap: FloatArray
    up: FloatArray  # largest rise into the hour
    down: FloatArray  # largest fall into the hour
    hair: FloatArray  # by which the two are wider than said
    widened: FloatArray  # how much of a rise or fall stands above the limits of the units


def limits_of(units: pd.DataFrame, dt_h: float = 1.0) -> UnitLimits:
    """The limits of the case's units in steps of `dt_h` hours; a ramp beyond the whole range is the range.

    Ramps hold for output above the minimum, which counts as 0 while a unit is off: they limit its first and last step
    too. `start_ramp_mw` and `stop_ramp_mw` are outputs, whatever the step: where a unit begins, and where it may end.
    """
    p_min, p_max, up, down, start, stop = (
        units[name].to_numpy(dtype=float)
        for name in ("p_min_mw", "p_max_mw", "ramp_up_mw_per_h", "ramp_down_mw_per_h", "start_ramp_mw", "stop_ramp_mw")
    )
    up, down = np.minimum(up * dt_h, p_max - p_min), np.minimum(down * dt_h, p_max - p_min)
    return UnitLimits(p_min, p_max, up, down, np.minimum(start, p_min + up), np.minimum(stop, p_min + down))


def can_bind(limits: UnitLimits) -> BoolArray:
    """(n,) rows with a limit that is ever in force."""
    hair = 1e-6 * limits.p_max  # rounding of a range given as a difference
    slow = np.minimum(limits.up, limits.down) < limits.p_max - limits.p_min - hair
    return slow | (np.minimum(limits.start, limits.stop) < limits.p_max - hair)


def bounds(limits: UnitLimits, on: IntArray, start: IntArray, before: IntArray, p_before: FloatArray) -> Bounds:
    """Bounds of rows whose commitment is given.

    Parameters
    ----------
    on, start : (T, n) int64
    before : (n,) int64
        Units on before the first hour.
    p_before : (n,) float64
        Output before the first hour; NaN: not known, and then nothing limits the first hour. [MW]
    """
    p_min, p_max = limits.p_min, limits.p_max
    stop = np.vstack((before[None], on[:-1])) + start - on
    last = np.vstack((stop[1:], np.zeros_like(stop[:1])))  # units in their last hour, as far as the window sees
    only = np.maximum(start + last - on, 0)  # units for which it is the first and the last
    first_cut, last_cut = p_max - limits.start, p_max - limits.stop
    cap = on * p_max - (start - only) * first_cut - (last - only) * last_cut - only * np.maximum(first_cut, last_cut)
    base = on * p_min
    cap = np.maximum(cap, base)
    stay = on - start
    hair = MARGIN * p_max * np.maximum(on, 1)
    up = limits.up * stay + limits.start * start - p_min * stop + hair
    down = limits.down * stay + limits.stop * stop - p_min * start + hair
    known = np.isfinite(p_before)
    low = high = np.where(known, p_before, 0.0)
    anything = cap.max(axis=0) + p_max + low
    widened = np.zeros_like(cap)
    for t in range(len(on)):
        if t == 0:
            up[0], down[0] = (np.where(known, limit[0], anything) for limit in (up, down))
        fall, rise = low - down[t] - cap[t], base[t] - high - up[t]
        extra = np.maximum(np.maximum(fall, rise), 0.0)
        down[t] += np.where(fall > 0, extra + hair[t], 0.0)
        up[t] += np.where(rise > 0, extra + hair[t], 0.0)
        widened[t] = extra
        low, high = np.maximum(base[t], low - down[t]), np.minimum(cap[t], high + up[t])
        # where no unit is on in both hours, the bounds of the two hours say it all
        none = stay[t] == 0
        up[t], down[t] = (np.where(none, anything, limit) for limit in (up[t], down[t]))
    return Bounds(base, cap, up, down, hair, widened)


def hours_to_stop(limits: UnitLimits, p_mw: FloatArray) -> IntArray:
    """(n,) steps that ONE unit at output `p_mw` (NaN: not known) must stay on until it is slow enough to stop."""
    above = np.where(np.isfinite(p_mw), p_mw, 0.0) - limits.stop - 1e-4 * limits.p_max
    return np.where(above > 0, np.ceil(above / np.maximum(limits.down, 1e-9)), 0).astype(np.int64)


def left_to_rise(
    held: BoolArray, bounds: Bounds, p_mw: FloatArray, p_before: FloatArray, per_hour: int = 1
) -> FloatArray:
    """(T, n) what ramps leave in an hour beside the outputs (T, n) given; endless where nothing holds a row. [MW]"""
    before = np.vstack((p_before[None], p_mw[:-1]))
    left = np.maximum(bounds.up - (p_mw - before), 0.0) * per_hour
    return np.where(held & ~np.isnan(before), left, np.inf)


def answers_up(on: IntArray, room: FloatArray, left: FloatArray, response: FloatArray) -> FloatArray:
    """(T, n, np) what each row answers with upwards; of products down it means nothing. [MW]"""
    most = np.maximum(np.minimum(room, left), 0.0)[:, :, None]
    return np.minimum(on[:, :, None] * response[None], most)


def could_hold(bounds: Bounds, response: FloatArray, p_before: FloatArray, per_hour: int = 1) -> FloatArray:
    """(T, n) most of its rise in an hour that a row can set aside and still reach its minimum in every step. [MW]"""
    before = np.where(np.isnan(p_before), bounds.base[0], p_before)
    forced = np.maximum(np.diff(bounds.base, axis=0, prepend=before[None]), 0.0)
    spare = np.minimum(bounds.cap - bounds.base, (bounds.up - bounds.hair - forced) * per_hour)
    return np.maximum(np.minimum(spare, response), 0.0)


class Segments(NamedTuple):
    """Cost segments of rows hour by hour; n segments sorted by row."""

    row: IntArray  # (n,) place among the rows
    width: FloatArray  # (T, n) [MW]
    cost: FloatArray  # (T, n) not falling within a row
    coef: FloatArray  # (n, np) what a MW on the segment does to the offer of each product: -1 up, +1 down


def cut(
    on: IntArray, bounds: Bounds, seg_mw: FloatArray, seg_cost: FloatArray, response: FloatArray, is_up: BoolArray,
    hold: FloatArray,
) -> Segments:  # fmt: skip
    """Cut the cost segments of rows at what they can answer with in every hour.

    Parameters
    ----------
    on : (T, n) int64
    seg_mw, seg_cost : (n, K) of ONE unit; 0 pads
    response : (n, np) of ONE unit on
    is_up : (np,) bool
    hold : (T, n)
        Most that the row answers with upwards, whatever its response; inf: no such limit. [MW]
    """
    T, n = on.shape
    room = bounds.cap - bounds.base
    edges = np.concatenate((np.zeros((n, 1)), np.cumsum(seg_mw, axis=1)), axis=1)[None] * on[:, :, None]
    edges[:, :, -1] = np.maximum(edges[:, :, -1], room)  # rounding of sums leaves nothing above the last segment
    ups, downs = np.flatnonzero(is_up), np.flatnonzero(~is_up)
    order_up = ups[np.argsort(-response[:, ups], axis=1, kind="stable")]  # (n, up products), largest first
    order_down = downs[np.argsort(response[:, downs], axis=1, kind="stable")]
    rows = np.arange(n)[:, None]
    answer_up = np.minimum(response[rows, order_up][None] * on[:, :, None], np.minimum(hold, room)[:, :, None])
    answer_down = np.minimum(response[rows, order_down][None] * on[:, :, None], room[:, :, None])
    zero = np.zeros((T, n, 1))
    up_at = np.concatenate((zero, room[:, :, None] - answer_up, room[:, :, None]), axis=2)
    down_at = np.concatenate((zero, answer_down, room[:, :, None]), axis=2)
    parts = []
    for at, axis in ((down_at, 2), (up_at, 3), (edges, 4)):
        shape = [T, n, 1, 1, 1]
        shape[axis] = at.shape[2] - 1
        parts.append((at[:, :, :-1].reshape(shape), at[:, :, 1:].reshape(shape)))
    lower = np.maximum(np.maximum(parts[0][0], parts[1][0]), parts[2][0])
    upper = np.minimum(np.minimum(parts[0][1], parts[1][1]), parts[2][1])
    width = np.maximum(upper - lower, 0.0)  # (T, n, down blocks, up blocks, K)
    capacity = np.maximum(room.max(axis=0), 1.0)
    there = (width > NO_WIDTH * capacity[:, None, None, None]).any(axis=0)
    there.reshape(n, -1)[~there.reshape(n, -1).any(axis=1), 0] = True
    row, d, u, k = np.nonzero(there)
    width = np.ascontiguousarray(width[:, row, d, u, k])
    cost = np.where(width > 0, seg_cost[row, k], -np.inf)
    for a in range(1, row.size):  # a segment without width costs what the one before costs
        if row[a] == row[a - 1]:
            cost[:, a] = np.maximum(cost[:, a], cost[:, a - 1])
    cost = np.where(np.isfinite(cost), cost, seg_cost[row, 0])
    coef = np.zeros((row.size, is_up.size))
    for place in range(ups.size):
        coef[np.flatnonzero(u > place), order_up[row[u > place], place]] = -1.0
    for place in range(downs.size):
        coef[np.flatnonzero(d <= place), order_down[row[d <= place], place]] = 1.0
    return Segments(row.astype(np.int64), width, cost, coef)
