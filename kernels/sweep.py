"""Better schedules: one unit after the other re-optimised against the merit order of the others.

The others' committed segments, sorted by slope, serve what an hour asks for. What hour t costs with them is

    hourcost = cost of filling Q along the merit order, Q = max(0, net_lo - sum p_min)
             + price * (Q not served + reserve up not covered by the room left + sum p_min above net_hi)             (1)

with `price` the price of shortage. Unit i on in hour t is worth hourcost(with i) - hourcost(without i), for each of its limits
in the first hours of a run and in the last ones (a ramp taken as a trapezoid):

    q + r <= start_ramp + j ramp_up  in the j-th hour after the start     q <= stop_ramp + j ramp_down  before the stop   (2)

and the chain of runs that is best at these values is found exactly. Minimum times, outages and must-run hold throughout. With
a price of shortage that rises step by step, cheap units fill a hole before dear ones do.

Each hour keeps the others' segments in two binary indexed trees over the merit order, of MW and of money, so that an hour is
valued in a few logarithmic look-ups; and only hours that have changed since the unit was last looked at are valued again.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels import single
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray, kernel

_STEPS = 5  # hours after a start, or before a stop, whose limits are told apart


class Field(NamedTuple):
    """What the sweeps see of the window. n units, nk segments; the slopes may carry prices of lines and of ramps."""

    net_lo: FloatArray  # (T,) demand less all that the band can give
    net_hi: FloatArray  # (T,) demand less the least it must give
    reserve: FloatArray  # (T,) MW of reserve up asked of the units
    on_cost: FloatArray  # (T, n) of an hour on at p_min
    slope: FloatArray  # (T, nk)
    rank: IntArray  # (T, nk) place of each segment in the hour's merit order
    order: IntArray  # (T, nk) segments in merit order


class State(NamedTuple):
    """A schedule and what goes with it."""

    on: BoolArray  # (T, n)
    frozen: BoolArray  # (n,) not to be changed
    mw: FloatArray  # (T, nk + 1) binary indexed tree over ranks: committed MW
    money: FloatArray  # (T, nk + 1) MW x slope
    total: FloatArray  # (T, 4) committed: sum of p_min, of caps of output, of caps with reserve, of reserve responses
    cap: FloatArray  # (T, n) of output above p_min, -1: off
    room: FloatArray  # (T, n) cap of output and reserve
    worth: FloatArray  # (n, T, (_STEPS + 1)^2) value of an hour on, by hours after the start and before the stop
    seen: IntArray  # (n,) count of changes when the unit was last looked at
    changed: IntArray  # (T,) count of changes when the hour last changed
    trial: BoolArray  # (T, n) scratch
    mid: FloatArray  # (3, T + 1) scratch: sums of worth inside a run, at its head, at its tail


def field(
    units: single.SingleUnits,
    net_lo: FloatArray,
    net_hi: FloatArray,
    reserve: FloatArray,
    slope_shift: FloatArray,
    on_shift: FloatArray,
) -> Field:
    """The field of a window; slope_shift (T, n) [money/MWh] and on_shift (T, n) [money/h] are added to the units' cost."""
    owner = np.repeat(np.arange(units.cap.size), np.diff(units.seg_first))
    slope = np.ascontiguousarray(units.seg_cost + slope_shift[:, owner])
    order = np.argsort(slope, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return Field(net_lo, net_hi, reserve, units.cost + on_shift, slope, rank, order)


def state(units: single.SingleUnits) -> State:
    """Buffers for a schedule of `units`; `on` is all off."""
    T, n = units.avail.shape
    nk = units.seg_width.size
    return State(
        np.zeros((T, n), dtype=np.bool_), np.zeros(n, dtype=np.bool_), np.zeros((T, nk + 1)), np.zeros((T, nk + 1)),
        np.zeros((T, 4)), np.zeros((T, n)), np.zeros((T, n)), np.zeros((n, T, (_STEPS + 1) ** 2)),
        np.zeros(n, dtype=np.int64), np.zeros(T, dtype=np.int64), np.zeros((T, n), dtype=np.bool_),
        np.zeros((3, T + 1)),
    )  # fmt: skip


# -- the merit order of an hour ---------------------------------------------------------------------------------------


@kernel
def _put(mw, money, place, q, slope):
    """Add q MW at a place of the merit order."""
    k, size = place + 1, mw.size
    while k < size:
        mw[k] += q
        money[k] += q * slope
        k += k & -k


@kernel
def _sum_before(mw, money, place):
    """MW and money of all segments before a place."""
    q, c, k = 0.0, 0.0, place
    while k > 0:
        q += mw[k]
        c += money[k]
        k -= k & -k
    return q, c


@kernel
def _fill_cost(mw, money, order, slope, need):
    """Money of the first `need` MW of the merit order."""
    size = mw.size
    step = 1
    while 2 * step < size:
        step *= 2
    k, q, c = 0, 0.0, 0.0
    while step > 0:
        if k + step < size and q + mw[k + step] <= need:
            k += step
            q += mw[k]
            c += money[k]
        step //= 2
    if k + 1 < size and need > q:
        c += (need - q) * slope[order[k]]
    return c


@kernel
def _penalty(price, net_lo, net_hi, reserve, p_min, cap, room, response):
    """Need of energy, and the price of what is short or too much, of formula (1)."""
    need = max(0.0, net_lo - p_min)
    short = max(0.0, need - cap) + max(0.0, max(need + reserve - room, reserve - response)) + max(0.0, p_min - net_hi)
    return need, price * short


@kernel
def _steps(one):
    """Hours after a start and before a stop in which the unit is limited; and the hours since its start before the window."""
    up, down, past = 0, 0, _STEPS
    start, stop = min(one.start_ramp, one.ramp_up), min(one.stop_ramp, one.ramp_down)
    while up < _STEPS and start + up * one.ramp_up < one.cap * (1.0 - 1e-9):
        up += 1
    while down < _STEPS and stop + down * one.ramp_down < one.cap * (1.0 - 1e-9):
        down += 1
    if one.on0 and one.q0 == one.q0:
        past = 0
        while past < _STEPS and start + past * one.ramp_up < min(one.q0 + one.ramp_up, one.cap) * (1.0 - 1e-9):
            past += 1
    return up, down, min(past, up)


@kernel
def _limits(j, k, up, down, one):
    """Caps of output, and of output with reserve, j hours after the start and k before the last hour on: formula (2)."""
    head, cap = one.cap, one.cap
    if j < up:
        head = min(one.cap, min(one.start_ramp, one.ramp_up) + j * one.ramp_up)
    if k < down:
        cap = min(one.cap, min(one.stop_ramp, one.ramp_down) + k * one.ramp_down)
    room = min(head, one.stop_ramp) if k == 0 and down > 0 else head
    return min(head, cap), room


@kernel
def _commit(t, i, cap, room, sign, one, units, field, state):
    """Put unit i with these caps into hour t (sign 1), or take it out (-1)."""
    left = cap
    for k in range(one.first, one.end):
        q = min(left, units.seg_width[k])
        if q > 0.0:
            _put(state.mw[t], state.money[t], field.rank[t, k], sign * q, field.slope[t, k])
        left -= q
    state.total[t, 0] += sign * one.p_min
    state.total[t, 1] += sign * cap
    state.total[t, 2] += sign * room
    state.total[t, 3] += sign * min(room, one.up_limit)


@kernel(part=True)
def _value_hour(t, i, price, up, down, one, units, field, state):
    """Fill worth[i, t] for all limits; unit i is not in the merit order."""
    mw, money, total = state.mw[t], state.money[t], state.total[t]
    lo, hi, reserve = field.net_lo[t], field.net_hi[t], field.reserve[t]
    need, without = _penalty(price, lo, hi, reserve, total[0], total[1], total[2], total[3])
    without += _fill_cost(mw, money, field.order[t], field.slope[t], min(need, total[1]))
    for j in range(up + 1):
        for k in range(down + 1):
            cap, room = _limits(j, k, up, down, one)
            at = j * (_STEPS + 1) + k
            if k > 0 and (cap, room) == _limits(j, k - 1, up, down, one):
                state.worth[i, t, at] = state.worth[i, t, at - 1]
                continue
            need, cost = _penalty(
                price, lo, hi, reserve, total[0] + one.p_min, total[1] + cap, total[2] + room,
                total[3] + min(room, one.up_limit),
            )  # fmt: skip
            need = min(need, total[1] + cap)
            own, left, done = 0.0, cap, False
            for m in range(one.first, one.end):  # own segments, each after the others' cheaper ones
                q = min(left, units.seg_width[m])
                before, paid = _sum_before(mw, money, field.rank[t, m])
                if need <= before + own:
                    break
                if need <= before + own + q:
                    cost += paid + (need - before - own) * field.slope[t, m]
                    done = True
                    break
                own += q
                left -= q
                cost += q * field.slope[t, m]
            if not done:
                cost += _fill_cost(mw, money, field.order[t], field.slope[t], need - own)
            state.worth[i, t, at] = cost + field.on_cost[t, i] - without


# -- one unit against the others --------------------------------------------------------------------------------------


@kernel(part=True)
def _run_costs(i, stop, up, down, past, one, worth, mid, next_out, w):
    """Fill w (T + 1, T + 1) from the worth of hours: the sum of a head, of what lies inside, and of a tail."""
    T, side = one.hours, _STEPS + 1
    full = up * side + down
    mid[0, 0] = 0.0
    for t in range(T):
        mid[0, t + 1] = mid[0, t] + worth[i, t, full]
    for s in range(T + 1):
        mid[1, s], mid[2, s] = 0.0, 0.0
        for j in range(up):
            if s + j < T:
                mid[1, s] += worth[i, s + j, j * side + down]
        for k in range(down):
            if s - 1 - k >= 0:
                mid[2, s] += worth[i, s - 1 - k, up * side + k]
    for s in range(-1, T):
        begin, age = max(s, 0), 0 if s >= 0 else past
        until = next_out[begin]
        head = mid[1, begin]
        if s < 0:
            head = 0.0
            for j in range(past, up):
                if j - past < T:
                    head += worth[i, j - past, j * side + down]
        for e in range(begin, T + 1):
            if e > until or e == s or not single.may_end(s, e, stop, one, next_out):
                w[s + 1, e] = np.inf
                continue
            tail = down if e < until else 0
            if e - begin >= up - age + tail:
                value = head + mid[0, e - tail] - mid[0, begin + up - age]
                if tail > 0:
                    value += mid[2, e]
            else:
                value = 0.0
                for t in range(begin, e):
                    k = min(e - 1 - t, down) if tail > 0 else down
                    value += worth[i, t, min(t - begin + age, up) * side + k]
            w[s + 1, e] = value


@kernel
def _chain_cost(i, one, on, w, start_cost, start_cost0):
    """What the present chain of runs of a unit costs at w."""
    T = one.hours
    total, s, off = 0.0, -1, -1  # first hour of the run, of the time off; -1: before the window
    running = one.on0
    for t in range(T + 1):
        if t == T or on[t, i] != running:
            if running:
                total += w[s + 1, t]
                off = t
            elif t < T:
                total += start_cost[i, t - off] if off >= 0 else start_cost0[i, t]
                s = t
            running = not running
    return total


@kernel
def _place(i, sign, next_out, one, units, field, state):
    """Take unit i out of every hour (sign -1), or put its present schedule in (1) and mark the hours that differ."""
    T = one.hours
    if sign < 0.0:
        for t in range(T):
            if state.cap[t, i] >= 0.0:
                _commit(t, i, state.cap[t, i], state.room[t, i], -1.0, one, units, field, state)
        return
    up, down, past = _steps(one)
    now, age, end = state.seen[i], past, 0
    for t in range(T):
        if not state.on[t, i]:
            age = 0
            cap, room = -1.0, 0.0
        else:
            if t >= end:
                end = t
                while end < T and state.on[end, i]:
                    end += 1
            k = end - 1 - t if end < T and next_out[end] > end else down
            cap, room = _limits(min(age, up), min(k, down), up, down, one)
            age += 1
            _commit(t, i, cap, room, 1.0, one, units, field, state)
        if cap != state.cap[t, i] or room != state.room[t, i]:
            state.cap[t, i], state.room[t, i] = cap, room
            state.changed[t] = now


@kernel
def descend(units, field, price, rounds, work, state):
    """Sweep over all units until a round changes nothing, or for so many rounds.

    Parameters
    ----------
    units : SingleUnits, read only
    field : Field, read only
    price : float
        Of shortage. [money/MWh]
    rounds : int
        0: only the cost of the schedule given.
    work : SingleWork, scratch
    state : State, updated
        `on`: the schedule; a chain that is not allowed costs inf, so that any allowed one replaces it.

    Returns
    -------
    float, int
        Cost of the schedule as the sweeps see it, changes made.
    """
    T, n = units.avail.shape
    changes, rounds_done = 0, 0
    for t in range(T):
        state.changed[t] = 0
        for k in range(state.mw.shape[1]):
            state.mw[t, k], state.money[t, k] = 0.0, 0.0
        for k in range(4):
            state.total[t, k] = 0.0
    for i in range(n):
        state.seen[i] = -1
    while True:
        before = changes
        for i in range(n):
            building = rounds_done == 0
            if not building and state.frozen[i]:
                continue
            one = single.one_unit(i, units)
            stop = single.calendar(i, one, units.avail, work.next_out, work.next_must, work.last_out)
            if building:
                for t in range(T):
                    state.cap[t, i] = -1.0
            else:
                stale = False
                for t in range(T):
                    stale = stale or state.changed[t] > state.seen[i]
                if not stale:
                    continue
                _place(i, -1.0, work.next_out, one, units, field, state)
                up, down, past = _steps(one)
                for t in range(T):
                    if state.changed[t] > state.seen[i]:
                        _value_hour(t, i, price, up, down, one, units, field, state)
                _run_costs(i, stop, up, down, past, one, state.worth, state.mid, work.next_out, work.w)
                present = _chain_cost(i, one, state.on, work.w, units.start_cost, units.start_cost0)
                best = single.best_chain(
                    i, one, work.w, units.start_cost, units.start_cost0, work.fon, work.foff, work.from_off,
                    work.from_on, work.next_out, work.next_must, work.last_out, state.trial,
                )  # fmt: skip
                if best < present - 1e-9 * (1.0 + abs(best)):
                    changes += 1
                    for t in range(T):
                        state.on[t, i] = state.trial[t, i]
                state.seen[i] = changes
            _place(i, 1.0, work.next_out, one, units, field, state)
        if rounds_done == 0:
            for t in range(T):
                state.changed[t] = 0
        rounds_done += 1
        if rounds_done > rounds or (rounds_done > 1 and changes == before):
            break
    cost = 0.0
    for t in range(T):
        total = state.total[t]
        need, penalty = _penalty(
            price, field.net_lo[t], field.net_hi[t], field.reserve[t], total[0], total[1], total[2], total[3]
        )
        need = min(need, total[1])
        cost += penalty + _fill_cost(state.mw[t], state.money[t], field.order[t], field.slope[t], need)
    for i in range(n):
        off, running = -1, units.on0[i]
        for t in range(T):
            if state.on[t, i]:
                cost += field.on_cost[t, i]
                if not running:
                    cost += units.start_cost[i, t - off] if off >= 0 else units.start_cost0[i, t]
            elif running:
                off = t
            running = state.on[t, i]
    return cost, changes


@kernel
def project(units, wanted, no_cost, work, on):
    """Nearest allowed schedule of each unit: least sum over hours of |on - wanted|.

    Parameters
    ----------
    wanted : (T, n) float64, read only
    no_cost : (n, T + 1) float64, read only
        Zeros.
    work : SingleWork, scratch
    on : (T, n) bool, written
    """
    T, n = units.avail.shape
    w = work.w
    for i in range(n):
        one = single.one_unit(i, units)
        stop = single.calendar(i, one, units.avail, work.next_out, work.next_must, work.last_out)
        for s in range(-1, T):
            begin = max(s, 0)
            value = 0.0
            for e in range(begin, T + 1):
                allowed = e <= work.next_out[begin] and e != s and single.may_end(s, e, stop, one, work.next_out)
                w[s + 1, e] = value if allowed else np.inf
                if e < T:
                    value += 1.0 - 2.0 * wanted[e, i]
        single.best_chain(
            i, one, w, no_cost, no_cost, work.fon, work.foff, work.from_off, work.from_on, work.next_out,
            work.next_must, work.last_out, on,
        )  # fmt: skip
