"""Better schedules: one unit after the other re-optimised against the merit order of the others.

The others' committed segments, sorted by slope, serve what an hour asks for. What hour t costs with them is

    hourcost = cost of filling Q along the merit order, Q = max(0, net_lo - sum p_min) + held back
             + price * (Q not served + reserve up not covered by the room left + sum p_min above net_hi
                        + sum over further products of what the units on cannot answer with)                         (1)

with `price` the price of shortage. Of further products (regional ones, other directions) only the responses of units on
are counted, not the room that energy leaves them; but products that are apart, like those of zones, need room together.
Free sources are used as far as the units leave room; what is then idle of them, max(0, sum p_min - net_lo), answers to
reserve up, `spare` at most, and no longer to reserve down. Where units on answer with too little, more of the free
sources is held back and units give its energy. Unit i on in hour t is worth hourcost(with i) - hourcost(without i), for
each of its limits in the first hours of a run and in the last ones (a ramp taken as a trapezoid):

    q + r <= start_ramp + j ramp_up  j hours after the start    q <= stop_ramp + j ramp_down  j before the last one (2)

and the chain of runs that is best at these values is found exactly. Minimum times, outages and must-run always hold.
With a price of shortage that rises step by step, cheap units fill a hole before dear ones do.

Each hour keeps the others' segments in two binary indexed trees over the merit order, of MW and of money, so that an
hour is valued in a few logarithmic look-ups; only hours that have changed since the unit was last looked at are valued
again.
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
    reserve: FloatArray  # (T,) MW of reserve up asked of the units while all free sources are used
    on_cost: FloatArray  # (T, n) of an hour on at p_min
    slope: FloatArray  # (T, nk)
    rank: IntArray  # (T, nk) place of each segment in the hour's merit order
    order: IntArray  # (T, nk) segments in merit order
    others: FloatArray  # (T, K) MW of further reserve products asked of the units, likewise
    answer: FloatArray  # (n, K) of a unit on
    # (T, 1 + K) MW that free sources left idle answer with at most, to reserve up and to the further products; of a
    # product down, which they answer to while they are used, less than 0
    spare: FloatArray
    apart: BoolArray  # (K,) products up that have no unit and no free source in common: of zones


class State(NamedTuple):
    """A schedule and what goes with it."""

    on: BoolArray  # (T, n)
    frozen: BoolArray  # (n,) not to be changed
    mw: FloatArray  # (T, nk + 1) binary indexed tree over ranks: committed MW
    money: FloatArray  # (T, nk + 1) MW x slope
    total: FloatArray  # (T, 4) committed: sum of p_min, of caps of output, of caps with reserve, of reserve responses
    given: FloatArray  # (T, K) committed: sum of answers to further products
    cap: FloatArray  # (T, n) of output above p_min, -1: off
    room: FloatArray  # (T, n) cap of output and reserve
    worth: FloatArray  # (n, T, (_STEPS + 1)^2) value of an hour on, by hours after the start and before the stop
    seen: IntArray  # (n,) count of changes when the unit was last looked at
    changed: IntArray  # (T,) count of changes when the hour last changed
    clock: IntArray  # (1,) count of changes
    trial: BoolArray  # (T, n) scratch
    mid: FloatArray  # (3, T + 1) scratch: sums of worth inside a run, at its head, at its tail


def field(
    units: single.SingleUnits,
    net_lo: FloatArray,
    net_hi: FloatArray,
    reserve: FloatArray,
    slope_shift: FloatArray,
    on_shift: FloatArray,
    others: FloatArray | None = None,
    answer: FloatArray | None = None,
    spare: FloatArray | None = None,
    apart: BoolArray | None = None,
) -> Field:
    """The field of a window; slope_shift (T, nk) [money/MWh] and on_shift (T, n) [money/h] are added to the cost."""
    T, n = units.avail.shape
    if others is None or answer is None:
        others, answer = np.zeros((T, 0)), np.zeros((n, 0))
    spare = np.zeros((T, 1 + others.shape[1])) if spare is None else spare
    apart = np.zeros(others.shape[1], dtype=np.bool_) if apart is None else apart
    slope = np.ascontiguousarray(units.seg_cost + slope_shift)
    order = np.argsort(slope, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return Field(net_lo, net_hi, reserve, units.cost + on_shift, slope, rank, order, others, answer, spare, apart)


def state(units: single.SingleUnits, products: int = 0) -> State:
    """Buffers for a schedule of `units`, with so many further reserve products; `on` is all off."""
    T, n = units.avail.shape
    nk = units.seg_width.size
    return State(
        np.zeros((T, n), dtype=np.bool_), np.zeros(n, dtype=np.bool_), np.zeros((T, nk + 1)), np.zeros((T, nk + 1)),
        np.zeros((T, 4)), np.zeros((T, products)), np.zeros((T, n)), np.zeros((T, n)),
        np.zeros((n, T, (_STEPS + 1) ** 2)),
        np.zeros(n, dtype=np.int64), np.zeros(T, dtype=np.int64), np.zeros(1, dtype=np.int64),
        np.zeros((T, n), dtype=np.bool_),
        np.zeros((3, T + 1)),
    )  # fmt: skip


# -- the merit order of an hour ---------------------------------------------------------------------------------------


@kernel
def _put(t, mw, money, place, q, slope):
    """Add q MW at a place of the merit order of hour t."""
    k, size = place + 1, mw.shape[1]
    while k < size:
        mw[t, k] += q
        money[t, k] += q * slope
        k += k & -k


@kernel
def _sum_before(t, mw, place):
    """MW of all segments before a place."""
    q, k = 0.0, place
    while k > 0:
        q += mw[t, k]
        k -= k & -k
    return q


@kernel
def _fill_cost(t, mw, money, order, slope, need):
    """Money of the first `need` MW of the merit order."""
    size = mw.shape[1]
    step = 1
    while 2 * step < size:
        step *= 2
    k, q, c = 0, 0.0, 0.0
    while step > 0:
        if k + step < size and q + mw[t, k + step] <= need:
            k += step
            q += mw[t, k]
            c += money[t, k]
        step //= 2
    if k + 1 < size and need > q:
        c += (need - q) * slope[t, order[t, k]]
    return c


@kernel
def _answered(idle, most):
    """What free sources answer with to a product, `idle` of them unused, counted from all of them used."""
    return min(idle, most) if most > 0.0 else -min(idle, -most)


@kernel
def _zonal(t, i, field, given, idle):
    """Of products apart: what units have to keep room for, what those on cannot answer with, and how much of it more
    idle free sources would make good. `idle` of them are shared out, first to what is missing."""
    others, spare, answer = field.others, field.spare, field.answer
    asked, missing, back, rest = 0.0, 0.0, 0.0, idle
    for k in range(others.shape[1]):
        if field.apart[k]:
            more = answer[i, k] if i >= 0 else 0.0
            short = max(0.0, max(0.0, others[t, k]) - given[t, k] - more)
            helped = min(rest, spare[t, k + 1], short)
            rest -= helped
            missing += short - helped
            back += min(short, spare[t, k + 1]) - helped
    for k in range(others.shape[1]):
        if field.apart[k]:
            lack = max(0.0, others[t, k])
            more = answer[i, k] if i >= 0 else 0.0
            first = min(idle, spare[t, k + 1], max(0.0, lack - given[t, k] - more))
            idle -= first
            helped = min(rest, spare[t, k + 1] - first, lack - first)
            rest -= helped
            asked += lack - first - helped
    return asked, missing, back


@kernel
def _asked(t, i, price, field, p_min, cap, room, response, given):
    """Energy that units give in hour t, and the price of what is short or too much, of formula (1).

    p_min, cap, room and response are of all units on, `given` (T, K) is without unit i (-1: none).
    """
    need = field.net_lo[t] - p_min
    idle = max(0.0, -need)
    need = max(0.0, need)
    others, answer, spare, reserve = field.others, field.answer, field.spare, field.reserve[t]
    back = max(min(reserve - response, spare[t, 0]) - idle, _zonal(t, i, field, given, idle)[2])
    for k in range(others.shape[1]):
        if spare[t, k + 1] > 0.0 and not field.apart[k]:
            more = answer[i, k] if i >= 0 else 0.0
            back = max(back, min(others[t, k] - given[t, k] - more, spare[t, k + 1]) - idle)
    back = max(0.0, min(back, cap - need))  # held back on top
    idle += back
    need += back
    unused = _answered(idle, spare[t, 0])
    zonal, missing, _ = _zonal(t, i, field, given, idle)
    short = max(0.0, need - cap) + max(0.0, p_min - field.net_hi[t]) + missing
    short += max(0.0, need + reserve - unused - room, need + zonal - room, reserve - response - unused)
    for k in range(others.shape[1]):
        if not field.apart[k]:
            more = answer[i, k] if i >= 0 else 0.0
            short += max(0.0, others[t, k] - given[t, k] - more - _answered(idle, spare[t, k + 1]))
    return need, price * short


@kernel
def _steps(one):
    """Hours after a start and before a stop in which the unit is limited; hours since its start before the window."""
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
    """Caps of output, and of output with reserve, j hours after the start and k before the last one: formula (2)."""
    head, cap = one.cap, one.cap
    if j < up:
        head = min(one.cap, min(one.start_ramp, one.ramp_up) + j * one.ramp_up)
    if k < down:
        cap = min(one.cap, min(one.stop_ramp, one.ramp_down) + k * one.ramp_down)
    room = min(head, one.stop_ramp) if k == 0 and down > 0 else head
    return min(head, cap), room


@kernel(part=True)
def _value_hour(t, i, price, up, down, one, on_cost, seg_width, field, mw, money, total, given, worth):
    """Fill worth[i, t] for all limits; unit i is not in the merit order."""
    without, had = 0.0, -1.0
    for j in range(-1, up + 1):  # -1: without the unit
        for k in range(down + 1 if j >= 0 else 1):
            cap, room, p_min, response = 0.0, 0.0, 0.0, 0.0
            if j >= 0:
                cap, room = _limits(j, k, up, down, one)
                p_min, response = one.p_min, min(room, one.up_limit)
            at = j * (_STEPS + 1) + k
            if k > 0 and cap == had and not (k == 1 and one.stop_ramp < one.cap):
                worth[i, t, at] = worth[i, t, at - 1]
                continue
            had = cap
            need, cost = _asked(
                t, i if j >= 0 else -1, price, field, total[t, 0] + p_min, total[t, 1] + cap, total[t, 2] + room,
                total[t, 3] + response, given,
            )  # fmt: skip
            need = min(need, total[t, 1] + cap)
            own, left, m = 0.0, cap, one.first
            while left > 0.0 and m < one.end:  # own segments, each after the others' cheaper ones
                q, slope = min(left, seg_width[m]), field.slope[t, m]
                before = _sum_before(t, mw, field.rank[t, m])
                q = min(q, need - before - own)
                if q <= 0.0:
                    break
                own += q
                left -= q
                cost += q * slope
                m += 1
            cost += _fill_cost(t, mw, money, field.order, field.slope, need - own)
            if j < 0:
                without = cost
            else:
                worth[i, t, at] = cost + on_cost - without


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


@kernel(part=True)
def _total_cost(price, units, field, state):
    """Cost of the schedule as the sweeps see it."""
    T, n = state.on.shape
    cost = 0.0
    for t in range(T):
        total = state.total
        need, penalty = _asked(t, -1, price, field, total[t, 0], total[t, 1], total[t, 2], total[t, 3], state.given)
        cost += penalty
        cost += _fill_cost(t, state.mw, state.money, field.order, field.slope, min(need, total[t, 1]))
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
    return cost


@kernel
def descend(units, field, price, fresh, rounds, work, state):
    """Sweep over all units until a round changes nothing, or for so many rounds.

    Parameters
    ----------
    units : SingleUnits, read only
    field : Field, read only
    price : float
        Of shortage. [money/MWh]
    fresh : bool
        False: `state` was left by a call with the same field and price, and only `on` and `frozen` were changed since:
        hours in which nothing moved keep their values.
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
    on, frozen, mw, money, total, given, cap, room = state[:8]
    seen, changed = state.seen, state.changed
    if fresh:
        state.clock[0] = 0
        for t in range(T):
            changed[t] = 0
            for k in range(mw.shape[1]):
                mw[t, k], money[t, k] = 0.0, 0.0
            for k in range(4):
                total[t, k] = 0.0
            for k in range(given.shape[1]):
                given[t, k] = 0.0
            for i in range(n):
                cap[t, i] = -1.0
        for i in range(n):
            seen[i] = -1
    changes = 0
    for count in range(rounds + 1):  # the first round only brings the merit orders up to date
        before = changes
        for i in range(n):
            stale, differs = False, False
            for t in range(T):
                stale = stale or changed[t] > seen[i]
                differs = differs or on[t, i] != (cap[t, i] >= 0.0)
            stale = stale and count > 0 and not frozen[i]
            if not stale and not differs:
                continue
            one = single.one_unit(i, units)
            stop = single.calendar(i, one, units.avail, work.next_out, work.next_must, work.last_out)
            up, down, past = _steps(one)
            for sign in (-1.0, 1.0):  # out of the merit orders, and back with the new schedule
                if sign > 0.0 and stale:
                    for t in range(T):
                        if changed[t] > seen[i]:
                            _value_hour(
                                t, i, price, up, down, one, field.on_cost[t, i], units.seg_width, field, mw, money,
                                total, given, state.worth,
                            )  # fmt: skip
                    _run_costs(i, stop, up, down, past, one, state.worth, state.mid, work.next_out, work.w)
                    present = _chain_cost(i, one, on, work.w, units.start_cost, units.start_cost0)
                    best = single.best_chain(
                        i, one, work.w, units.start_cost, units.start_cost0, work.fon, work.foff, work.from_off,
                        work.from_on, work.next_out, work.next_must, work.last_out, state.trial,
                    )  # fmt: skip
                    seen[i] = state.clock[0]
                    if best < present - 1e-9 * (1.0 + abs(best)):
                        changes += 1
                        seen[i] += 1  # its own change is no news to it
                        for t in range(T):
                            on[t, i] = state.trial[t, i]
                age, end, moved = past if one.on0 else 0, 0, False
                for t in range(T):
                    if sign < 0.0:
                        c, r = cap[t, i], room[t, i]
                    elif not on[t, i]:
                        age, c, r = 0, -1.0, 0.0
                    else:
                        if t >= end:
                            end = t
                            while end < T and on[end, i]:
                                end += 1
                        k = end - 1 - t if end < T and work.next_out[end] > end else down
                        c, r = _limits(min(age, up), min(k, down), up, down, one)
                        age += 1
                    if sign > 0.0 and (c != cap[t, i] or r != room[t, i]):
                        cap[t, i], room[t, i], moved = c, r, True
                        changed[t] = state.clock[0] + 1
                    if c < 0.0:
                        continue
                    left = c
                    for k in range(one.first, one.end):
                        q = min(left, units.seg_width[k])
                        if q > 0.0:
                            _put(t, mw, money, field.rank[t, k], sign * q, field.slope[t, k])
                        left -= q
                    total[t, 0] += sign * one.p_min
                    total[t, 1] += sign * c
                    total[t, 2] += sign * r
                    total[t, 3] += sign * min(r, one.up_limit)
                    for k in range(given.shape[1]):
                        given[t, k] += sign * field.answer[i, k]
                if moved:
                    state.clock[0] += 1
        if count > 0 and changes == before:
            break
    return _total_cost(price, units, field, state), changes


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
