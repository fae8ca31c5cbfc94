"""One unit at given prices: its exact least cost and the schedule that has it.

With q = output above p_min and r = reserve up, a unit that is on in hours s .. e-1 has, in each of these hours t ::

    0 <= q_t <= cap,  0 <= r_t <= up_limit,  0 <= d_t <= min(q_t, down_limit)                    (1)
    q_t + r_t <= cap;  <= start_ramp in hour s;  <= stop_ramp in hour e-1                        (2)
    q_t - q_(t-1) <= ramp_up  (with `in_ramp`: q_t + r_t - q_(t-1)),  q_(t-1) - q_t <= ramp_down (3)

where q of an hour off is 0, so that (3) holds for starts and stops too, and q before the first hour is given (NaN:
not known, no limit). Hour t costs cost + sum_k seg_cost_k q_tk - lam_t (p_min + q_t) - up_t r_t - down_t d_t. A planned
outage forces a unit off: at that hour its minimum times, the stop limit and the ramp down do not hold, and it is rested
after it. A unit that must run is on in every hour it can be on.

The least cost W[s, e] of each run comes first, then the best chain of runs by dynamic programming over its ends:

    fon[s]  = min over e of foff[e] + start_cost(s - e)        foff[e] = min over s of fon[s] + W[s, e]

If no ramp can bind, W is a sum of hourly minima. Otherwise F_t(q), the least cost of a run up to hour t that ends at q,
is convex and piecewise linear, and is carried forward exactly: with segments sorted by slope, the ramps of (3) insert a
flat one, reserve in the ramp inserts one of slope up_t as well.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import BoolArray, FloatArray, IntArray, kernel


class SingleUnits(NamedTuple):
    """Single units over T hours. n units, nk cost segments sorted by unit; everything in MW is above p_min."""

    p_min: FloatArray  # (n,)
    cost: FloatArray  # (n,) of an hour on at p_min
    seg_first: IntArray  # (n + 1,) segments of unit i: seg_first[i] .. seg_first[i + 1] - 1
    seg_width: FloatArray  # (nk,) > 0
    seg_cost: FloatArray  # (nk,) not falling within a unit
    cap: FloatArray  # (n,) sum of the unit's widths
    ramp_up: FloatArray  # (n,) per hour; cap or more: none
    ramp_down: FloatArray  # (n,)
    start_ramp: FloatArray  # (n,) most output and reserve in the first hour on
    stop_ramp: FloatArray  # (n,) in the last hour on
    up_limit: FloatArray  # (n,) most reserve up; 0: gives none
    down_limit: FloatArray  # (n,) most reserve down
    in_ramp: BoolArray  # (n,) reserve up counts in the ramp up
    must_run: BoolArray  # (n,)
    min_up: IntArray  # (n,) >= 1 [h]
    min_down: IntArray  # (n,) >= 1 [h]
    on0: BoolArray  # (n,) on before the first hour
    hours0: IntArray  # (n,) hours in that state, >= 1
    q0: FloatArray  # (n,) output before the first hour; NaN: not known
    avail: BoolArray  # (T, n) False: on planned outage
    start_cost: FloatArray  # (n, T + 1) of a start after so many hours off that began in the window
    start_cost0: FloatArray  # (n, T + 1) of a start in hour t of a unit that has been off since before the window
    same: IntArray  # (n,) the first unit with the same parameters, past and place; itself if there is none


class SingleWork(NamedTuple):
    """Scratch of the kernels below; see `workspace`."""

    on_cost: FloatArray  # (T, n) of an hour on at p_min: the unit's, until the caller writes other prices into it
    seg_cost: FloatArray  # (T, nk) likewise; not falling within a unit
    price: FloatArray  # (4, T + 1) of energy, reserve up, reserve down at the unit; cost of an hour on at p_min
    w: FloatArray  # (T + 1, T + 1) least cost of the run from hour s - 1 to e; row 0: on since before the window
    hour: FloatArray  # (4, T + 1) least cost of an hour, or its sum up to hour t: inside, first, last, both
    fon: FloatArray  # (T + 1,)
    foff: FloatArray  # (T + 1,)
    from_off: IntArray  # (T + 1,) where the time off before a start began; -1: before the window
    from_on: IntArray  # (T + 1,) where the run before a stop began; -1: before the window
    next_out: IntArray  # (T + 1,) first hour on outage from here on; T: none
    next_must: IntArray  # (T + 1,) first hour that the unit must be on from here on; T: none
    last_out: IntArray  # (T + 1,) last hour on outage before this one; -1: none
    ln: FloatArray  # (4, B) lengths of the segments of a convex function
    sl: FloatArray  # (4, B) their slopes
    least: FloatArray  # (T,) where F_t is least
    least_up: FloatArray  # (T,) where F_t rises by the next hour's price of reserve


def workspace(units: SingleUnits) -> SingleWork:
    """Scratch for units like these."""
    T = units.avail.shape[0]
    most = int(np.diff(units.seg_first).max(initial=1))
    breaks = (T + 2) * (most + 6)  # every hour adds a flat, a reserve, a kink and the segments of the cost
    whole = np.zeros((5, T + 1), dtype=np.int64)
    return SingleWork(
        np.tile(units.cost, (T, 1)), np.tile(units.seg_cost, (T, 1)), np.zeros((4, T + 1)), np.zeros((T + 1, T + 1)),
        np.zeros((4, T + 1)), np.zeros(T + 1), np.zeros(T + 1),
        whole[0], whole[1], whole[2], whole[3], whole[4], np.zeros((4, breaks)), np.zeros((4, breaks)), np.zeros(T),
        np.zeros(T),
    )  # fmt: skip


def start_tables(
    lags: list[list[tuple[int, float]]], on0: BoolArray, hours0: IntArray, hours: int
) -> tuple[FloatArray, FloatArray]:
    """Start cost by time off, as `SingleUnits` wants it, from each unit's (hours off, cost) pairs in rising order."""
    cost, cost0 = np.zeros((2, len(lags), hours + 1))
    for i, pairs in enumerate(lags):
        since = np.array([off for off, _ in pairs])
        paid = np.array([money for _, money in pairs])

        def after(off: IntArray, since: IntArray = since, paid: FloatArray = paid) -> FloatArray:
            chosen: FloatArray = paid[np.maximum(np.searchsorted(since, off, side="right") - 1, 0)]
            return chosen

        cost[i] = after(np.arange(hours + 1))
        cost0[i] = cost[i] if on0[i] else after(np.arange(hours + 1) + hours0[i])
    return cost, cost0


def twins(units: SingleUnits, place: IntArray) -> IntArray:
    """`same` of units: (n,) the first unit with equal parameters, past, outages and `place` (n,), e.g. its bus."""
    rows: dict[tuple[bytes, ...], int] = {}
    same = np.empty(units.cap.size, dtype=np.int64)
    for i in range(same.size):
        segments = slice(units.seg_first[i], units.seg_first[i + 1])
        key = [units.seg_width[segments].tobytes(), units.seg_cost[segments].tobytes(), units.avail[:, i].tobytes()]
        for name in units._fields:
            if name not in ("seg_first", "seg_width", "seg_cost", "avail", "same"):
                key.append(np.asarray(getattr(units, name)[i]).tobytes())
        same[i] = rows.setdefault((*key, place[i].tobytes()), i)
    return same


class One(NamedTuple):
    """What a kernel wants to know of one unit: numbers only, which cost the compiler little to hand over."""

    hours: int
    p_min: float
    first: int  # segments first .. end - 1
    end: int
    cap: float
    ramp_up: float
    ramp_down: float
    start_ramp: float
    stop_ramp: float
    up_limit: float
    down_limit: float
    in_ramp: bool
    must_run: bool
    min_up: int
    min_down: int
    on0: bool
    hours0: int
    q0: float


@kernel(part=True)
def one_unit(i, units):
    """The numbers of unit i; limits beyond its cap are cut to the cap, where they bind no more."""
    cap = units.cap[i]
    return One(
        units.avail.shape[0],
        units.p_min[i],
        units.seg_first[i],
        units.seg_first[i + 1],
        cap,
        min(units.ramp_up[i], cap),
        min(units.ramp_down[i], cap),
        min(units.start_ramp[i], cap),
        min(units.stop_ramp[i], cap),
        min(units.up_limit[i], cap),
        min(units.down_limit[i], cap),
        units.in_ramp[i],
        units.must_run[i],
        units.min_up[i],
        units.min_down[i],
        units.on0[i],
        units.hours0[i],
        units.q0[i],
    )


# -- chains of runs ---------------------------------------------------------------------------------------------------


@kernel
def calendar(i, one, avail, next_out, next_must, last_out):
    """Fill next_out, next_must and last_out (T + 1,) of unit i; answer the first hour in which ramps let it stop."""
    T = one.hours
    rest = 0 if one.on0 else max(0, one.min_down - one.hours0)
    next_out[T], next_must[T], last_out[0] = T, T, -1
    for t in range(T - 1, -1, -1):
        out = not avail[t, i]
        next_out[t] = t if out else next_out[t + 1]
        next_must[t] = t if one.must_run and not out and t >= rest else next_must[t + 1]
    for t in range(T):
        last_out[t + 1] = last_out[t] if avail[t, i] else t
    stop = 0
    if one.on0 and one.q0 == one.q0:
        end = min(one.stop_ramp, one.ramp_down)
        q = min(one.q0, one.cap)
        while q > end + 1e-9 * one.cap and stop < T:
            if one.ramp_down <= 0.0:
                return T
            q -= one.ramp_down
            stop += 1
    return stop


@kernel
def may_end(s, e, stop, one, next_out):
    """Whether a run from s (-1: since before the window) may end at e: e is its first hour off, T: it goes on."""
    if e == one.hours or e == next_out[max(s, 0)]:
        return True
    if s < 0:
        return e + one.hours0 >= one.min_up and e >= stop
    return e - s >= one.min_up


@kernel
def best_chain(i, one, w, start_cost, start_cost0, fon, foff, from_off, from_on, next_out, next_must, last_out, on):
    """Best chain of runs of unit i, given their least costs and the unit's calendar.

    Parameters
    ----------
    w, start_cost, start_cost0, .. last_out
        As in `SingleWork` and `SingleUnits`; fon, foff, from_off and from_on are scratch.
    on : (T, n) bool, column i written

    Returns
    -------
    float
        The least cost, inf if no chain is allowed (then the unit is left off).
    """
    T = one.hours
    for t in range(T + 1):
        foff[t], from_on[t] = np.inf, -1
        if one.on0:
            foff[t] = w[0, t]
        for s in range(t):
            value = fon[s] + w[s + 1, t]
            if value < foff[t]:
                foff[t], from_on[t] = value, s
        fon[t], from_off[t] = np.inf, -1
        if t == T or next_out[t] == t:
            continue
        if not one.on0 and t <= next_must[0] and (t + one.hours0 >= one.min_down or last_out[t] >= 0):
            fon[t] = start_cost0[i, t]
        for e in range(t):
            if (t - e >= one.min_down or last_out[t] >= e) and t <= next_must[e]:
                value = foff[e] + start_cost[i, t - e]
                if value < fon[t]:
                    fon[t], from_off[t] = value, e
    best, end = foff[T], T
    for e in range(T):
        if foff[e] < best and next_must[e] == T:
            best, end = foff[e], e
    if not one.on0 and next_must[0] == T and best >= 0.0:
        best, end = 0.0, -1
    for t in range(T):
        on[t, i] = False
    while best < np.inf and end >= 0:
        s = from_on[end]
        for t in range(max(s, 0), end):
            on[t, i] = True
        end = from_off[s] if s >= 0 else -1
    return best


# -- runs without ramps -----------------------------------------------------------------------------------------------


@kernel
def _fill(one, t, price, cap, seg_width, seg_cost):
    """Least cost of hour t with q + r <= cap and no ramps, and the q that has it."""
    energy, up, down = price[0, t], price[1, t], price[2, t]
    up_begin = max(0.0, cap - one.up_limit)
    total = price[3, t] - energy * one.p_min - up * min(one.up_limit, cap)
    x, end, k = 0.0, 0.0, one.first - 1
    while x < cap:
        if x >= end:
            k += 1
            if k == one.end:
                break
            end += seg_width[k]
        to, slope = min(end, cap), seg_cost[t, k] - energy
        if x < one.down_limit:
            to, slope = min(to, one.down_limit), slope - down
        if x < up_begin:
            to = min(to, up_begin)
        else:
            slope += up
        if slope >= 0.0:
            break
        total += slope * (to - x)
        x = to
    return total, x


@kernel(part=True)
def _runs_without_ramps(stop, one, price, seg_width, seg_cost, next_out, hour, w):
    """Fill w: hourly minima; the first and the last hour with their own limits."""
    T, full = one.hours, one.cap
    hour[0, 0] = 0.0
    for t in range(T):
        inside = 0.0
        for kind in range(4):
            cap = full if kind in (0, 2) else one.start_ramp
            if kind >= 2:
                cap = min(cap, one.stop_ramp)
            value = inside
            if kind == 0 or cap < full:
                value = _fill(one, t, price, cap, seg_width, seg_cost)[0]
            if kind == 0:
                inside = value
                hour[0, t + 1] = hour[0, t] + inside
            else:
                hour[kind, t] = value - inside  # what the limit costs
    for s in range(-1, T):
        begin = max(s, 0)
        until = next_out[begin]
        for e in range(begin, T + 1):
            if e > until or e == s or not may_end(s, e, stop, one, next_out):
                w[s + 1, e] = np.inf
                continue
            value = hour[0, e] - hour[0, begin]
            tail = e < T and e != until and e > begin
            if s >= 0 and tail and e == s + 1:
                value += hour[3, s]
            else:
                if s >= 0:
                    value += hour[1, s]
                if tail:
                    value += hour[2, e - 1]
            w[s + 1, e] = value


# -- runs with ramps --------------------------------------------------------------------------------------------------


@kernel
def _spread(m, x0, v0, ln, sl, source, kink, kink_slope, rd, flat, toll, toll_slope, lo, hi, at):
    """Infimal convolution of a convex function with a ramp, cut to [lo, hi] and appended to row 3 of (ln, sl).

    Parameters
    ----------
    m, x0, v0, ln, sl, source : int, float, float, (4, B), (4, B), int
        The function: m segments from x0 on, in row `source`; its value at x0 is v0; slopes rise.
    kink, kink_slope : float
        kink_slope * max(0, kink - x) is added to it first.
    rd, flat, toll, toll_slope : float
        The ramp: -rd .. flat - rd for nothing, `toll` more at toll_slope per MW.

    Returns
    -------
    int, float
        Segments now in row 3, value at lo.
    """
    x, v, pos = x0 - rd, v0 + kink_slope * max(0.0, kink - x0), x0
    j, used, value_lo, known = 0, 0.0, v, False
    while x < hi or not known:
        piece, slope = 0.0, np.inf
        if j < m:
            piece, slope = ln[source, j] - used, sl[source, j]
            if kink_slope > 0.0 and pos < kink:
                slope -= kink_slope
                piece = min(piece, kink - pos)
        if flat > 0.0 and slope > 0.0:
            piece, slope, flat = flat, 0.0, 0.0
        elif toll > 0.0 and slope > toll_slope:
            piece, slope, toll = toll, toll_slope, 0.0
        elif j < m:
            used += piece
            pos += piece
            if used >= ln[source, j]:
                j, used = j + 1, 0.0
        else:
            break
        begin, end = max(x, lo), min(x + piece, hi)
        if not known and x + piece >= lo:
            value_lo, known = v + slope * (begin - x), True
        if end > begin:
            if at > 0 and sl[3, at - 1] == slope:
                ln[3, at - 1] += end - begin
            else:
                ln[3, at], sl[3, at] = end - begin, slope
                at += 1
        v += slope * piece
        x += piece
    if not known:
        value_lo = v
    return at, value_lo


@kernel(part=True)
def _add_cost(one, t, price, cap, lo, v, m, target, seg_width, seg_cost, ln, sl):
    """Add the cost of hour t with q + r <= cap to the function on [lo, ..] in row 3, into `target`: m, value at lo."""
    energy, up, down = price[0, t], price[1, t], price[2, t]
    up_begin = max(0.0, cap - one.up_limit)
    v += price[3, t] - energy * one.p_min - up * min(one.up_limit, cap)
    last = one.end - 1
    x, k, j, used, at = 0.0, one.first, 0, 0.0, 0
    end = seg_width[k] if k < last else np.inf
    while j < m or x < lo:
        while x >= end:
            k += 1
            end = end + seg_width[k] if k < last else np.inf
        to, slope = end, seg_cost[t, k] - energy
        if x < one.down_limit:
            to, slope = min(to, one.down_limit), slope - down
        if x < up_begin:
            to = min(to, up_begin)
        else:
            slope += up
        if x < lo:
            to = min(to, lo)
            v += slope * (to - x)
            x = to
            continue
        rest = ln[3, j] - used
        slope += sl[3, j]
        piece = min(rest, to - x)
        x = x + piece if piece < to - x else to
        if piece >= rest:
            j, used = j + 1, 0.0
        else:
            used += piece
        if piece > 0.0:
            if at > 0 and sl[target, at - 1] == slope:
                ln[target, at - 1] += piece
            else:
                ln[target, at], sl[target, at] = piece, slope
                at += 1
    return at, v


@kernel
def _hour_on(one, t, price, cap, most, m, x0, x1, v0, source, target, seg_width, seg_cost, ln, sl):
    """Hour t on: the function in row `source` of (ln, sl) becomes that of the next hour in row `target`.

    Parameters
    ----------
    cap, most : float
        q + r <= cap and q <= most <= cap.
    m, x0, x1, v0 : int, float, float, float
        Segments, domain, value at x0.

    Returns
    -------
    m, x0, x1, v0
        Of the next hour; m = -1: nothing is allowed.
    """
    ru, rd, up = one.ramp_up, one.ramp_down, price[1, t]
    lo, hi = max(0.0, x0 - rd), min(most, x1 + ru)
    if lo > hi + 1e-9 * one.cap:
        return -1, 0.0, 0.0, 0.0
    lo = min(lo, hi)
    at, value = 0, v0
    paid = one.in_ramp and up > 0.0 and ru < one.cap
    turn = max(0.0, cap - one.up_limit)  # below it the response limits reserve, above it the cap
    known = False
    for kind in range(2):
        if kind == 0 and paid and lo < turn:
            r = min(one.up_limit, ru + rd)
            base = v0 + up * (one.up_limit - r)
            kink, kink_slope, flat, toll, begin, end = 0.0, 0.0, ru + rd - r, r, lo, min(hi, turn)
        elif kind == 1 and (not paid or hi >= turn):
            base, flat, toll, begin, end = v0, ru + rd, 0.0, lo, hi
            kink, kink_slope = 0.0, 0.0
            if paid:
                kink, kink_slope, begin = cap - ru, up, max(lo, turn)
        else:
            continue
        at, other = _spread(m, x0, base, ln, sl, source, kink, kink_slope, rd, flat, toll, up, begin, end, at)
        if not known:
            value, known = other, True
    at, value = _add_cost(one, t, price, cap, lo, value, at, target, seg_width, seg_cost, ln, sl)
    return at, lo, hi, value


@kernel
def _minimum(m, x0, v0, ln, sl, row, slope):
    """Least value of a convex function, where it is least, and where its slope passes `slope` >= 0."""
    v, x, j = v0, x0, 0
    while j < m and sl[row, j] < 0.0:
        v += ln[row, j] * sl[row, j]
        x += ln[row, j]
        j += 1
    later = x
    while j < m and sl[row, j] < slope:
        later += ln[row, j]
        j += 1
    return v, x, later


@kernel
def _run(s, until, stop, full, one, price, seg_width, seg_cost, next_out, w, ln, sl, least, least_up):
    """Carry F_t through a run from s to `until`.

    full: fill row s + 1 of w with the least cost of every end on the way. Otherwise the run ends at `until`: fill
    `least` and `least_up`, and answer the bounds of the output before it.
    """
    T, begin = one.hours, max(s, 0)
    m, x0, x1, v0 = 0, 0.0, 0.0, 0.0
    if s < 0 and one.q0 == one.q0:
        x0 = min(max(one.q0, 0.0), one.cap)
        x1 = x0
    elif s < 0 and one.cap > 0.0:
        m, x1 = 1, one.cap
        ln[0, 0], sl[0, 0] = one.cap, 0.0
    low, high = x0, x1
    free_end = until == T or until == next_out[begin]
    source, target = 0, 1
    for t in range(begin, until):
        cap = one.start_ramp if t == s else one.cap
        goes_on = t + 1 < until
        for ends in range(2):
            if ends == 0 and not (full and goes_on and may_end(s, t + 1, stop, one, next_out)):
                continue
            limited = ends == 0 or not (goes_on or free_end)
            end_cap = min(cap, one.stop_ramp) if limited else cap
            most = min(end_cap, one.ramp_down) if limited else cap
            row = 2 if ends == 0 else target
            state = _hour_on(
                one, t, price, end_cap, most, m, x0, x1, v0, source, row, seg_width, seg_cost, ln, sl,
            )  # fmt: skip
            if ends == 1:
                m, x0, x1, v0 = state
            if state[0] >= 0 and (ends == 0 or not (full and goes_on)):
                later = price[1, t + 1] if goes_on else 0.0
                value, x, above = _minimum(state[0], state[1], state[3], ln, sl, row, later)
                if full:
                    w[s + 1, t + 1] = value
                else:
                    least[t], least_up[t] = x, above
        if m < 0:
            break
        source, target = target, source
    return low, high


@kernel
def _back(s, e, first_low, first_high, one, next_out, least, least_up, p, up, i):
    """Output and reserve of the run from s to e, from its last hour back along the stored minima."""
    begin = max(s, 0)
    free_end = e == one.hours or e == next_out[begin]
    ru, rd = one.ramp_up, one.ramp_down
    q = least[e - 1]
    for t in range(e - 1, begin - 1, -1):
        cap = one.start_ramp if t == s else one.cap
        if t + 1 == e and not free_end:
            cap = min(cap, one.stop_ramp)
        low, high = first_low, first_high
        if t > begin:
            low, high = least[t - 1], least_up[t - 1]
        before = low
        if one.in_ramp and t > s:
            before = min(max(min(q + one.up_limit, cap) - ru, low), max(low, high))
        if t > s:
            before = min(max(before, q - ru), q + rd)
        p[t, i] = q
        r = min(one.up_limit, cap - q)
        if one.in_ramp:
            r = min(r, before + ru - q)
        up[t, i] = max(0.0, r)
        q = before


# -- all units --------------------------------------------------------------------------------------------------------


@kernel
def evaluate(units, lam, mu_up, mu_down, work, value, on, p, up, down):
    """Least cost of every unit at the prices, and a schedule that has it.

    Parameters
    ----------
    units : SingleUnits, read only
    lam, mu_up, mu_down : (T, n) float64, read only
        Prices of energy, reserve up and reserve down at each unit; reserve prices >= 0.
    work : SingleWork, scratch
        But for its costs, which are read: whoever prices more than energy and these reserves changes them.
    value : (n,) float64, written
        inf: no schedule is allowed.
    on : (T, n) bool, written
    p, up, down : (T, n) float64, written
        Output (p_min included), reserve up and down.
    """
    T, n = units.avail.shape
    seg_width, seg_cost, price = units.seg_width, work.seg_cost, work.price
    next_out = work.next_out
    for i in range(n):
        twin = units.same[i]
        if twin < i:
            value[i] = value[twin]
            for t in range(T):
                on[t, i], p[t, i], up[t, i], down[t, i] = on[t, twin], p[t, twin], up[t, twin], down[t, twin]
            continue
        one = one_unit(i, units)
        for t in range(T):
            price[0, t], price[1, t], price[2, t] = lam[t, i], mu_up[t, i], mu_down[t, i]
            price[3, t] = work.on_cost[t, i]
            p[t, i], up[t, i], down[t, i] = 0.0, 0.0, 0.0
        stop = calendar(i, one, units.avail, next_out, work.next_must, work.last_out)
        ramped = min(one.ramp_up, one.ramp_down) < one.cap
        if ramped:
            for s in range(-1, T):
                for e in range(T + 1):
                    work.w[s + 1, e] = np.inf
                if (s < 0 and one.on0) or (s >= 0 and next_out[s] > s):
                    if s < 0 and may_end(s, 0, stop, one, next_out):
                        work.w[0, 0] = 0.0
                    _run(
                        s, next_out[max(s, 0)], stop, True, one, price, seg_width, seg_cost, next_out, work.w,
                        work.ln, work.sl, work.least, work.least_up,
                    )  # fmt: skip
        else:
            _runs_without_ramps(stop, one, price, seg_width, seg_cost, next_out, work.hour, work.w)
        value[i] = best_chain(
            i, one, work.w, units.start_cost, units.start_cost0, work.fon, work.foff, work.from_off, work.from_on,
            next_out, work.next_must, work.last_out, on,
        )  # fmt: skip
        begin = -1
        for t in range(T + 1):
            is_on = t < T and on[t, i]
            if is_on and begin < 0:
                begin = t
            if is_on and not ramped:
                cap = one.start_ramp if begin == t and (t > 0 or not one.on0) else one.cap
                if t + 1 < T and not on[t + 1, i] and next_out[t + 1] > t + 1:
                    cap = min(cap, one.stop_ramp)
                q = _fill(one, t, price, cap, seg_width, seg_cost)[1]
                p[t, i], up[t, i] = q, min(one.up_limit, cap - q)
            if not is_on and begin >= 0:
                if ramped:
                    s = -1 if begin == 0 and one.on0 else begin
                    low, high = _run(
                        s, t, stop, False, one, price, seg_width, seg_cost, next_out, work.w, work.ln, work.sl,
                        work.least, work.least_up,
                    )  # fmt: skip
                    _back(s, t, low, high, one, next_out, work.least, work.least_up, p, up, i)
                begin = -1
        for t in range(T):
            if on[t, i]:
                down[t, i] = min(p[t, i], one.down_limit)
                p[t, i] += one.p_min
