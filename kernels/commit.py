"""From relaxed on-counts to whole units that keep their minimum up and down times.

Units of a group are alike, but each has its own past. They are scheduled one after the other against what the group's
relaxed count still asks for: the newest unit on first (it must stay longest), the longest rested unit last. One unit's
schedule is a small dynamic programme over (on or off, hours in that state): it minimises

    sum over hours on of (threshold - wanted_t),    wanted_t = what is left of the count, cut to [0, 1]

so a low threshold rounds up. Planned outages take the units last in line, whatever their minimum times.
"""

import numpy as np

from gridsim.kernels.jit import kernel


@kernel(part=True)
def _schedule(wanted, free, full, on, hours, min_up, min_down, stay, threshold, value, come, out):
    """Best schedule of one unit.

    Parameters
    ----------
    wanted : (T,) float64, read only
    free : (T,) bool, read only
        False: on planned outage, off whatever the minimum times say.
    full : (T,) bool, read only
        Every unit that is not on outage is on: the outage takes a running one.
    on, hours : bool, int
        State before the window and hours spent in it.
    min_up, min_down : int
        >= 1. [h]
    stay : int
        Hours that a unit on before the window stays on, however long it has been: it cannot be shut down faster.
    value, come : (2, K) float64, (T, K) int64, scratch; K = min_up + min_down
        States 0 .. min_up-1: on for 1 .. min_up or more hours; min_up .. K-1: off likewise.
    out : (T,) bool, written
    """
    T, K = wanted.size, min_up + min_down
    old, new = value[0], value[1]
    for k in range(K):
        old[k] = np.inf
    if on:
        old[min(hours, min_up) - 1] = 0.0
    else:
        old[min_up + min(hours, min_down) - 1] = 0.0
    for t in range(T):
        for k in range(K):
            new[k] = np.inf
        cost = threshold - wanted[t]
        for k in range(K):
            if old[k] == np.inf:
                continue
            is_on = k < min_up
            if free[t]:
                if is_on or k == K - 1:  # may be on
                    to = min(k + 1, min_up - 1) if is_on else 0
                    if old[k] + cost < new[to]:
                        new[to] = old[k] + cost
                        come[t, to] = k
                if not is_on or (k == min_up - 1 and t >= stay):  # may be off
                    to = min_up if is_on else min(k + 1, K - 1)
                    if old[k] < new[to]:
                        new[to] = old[k]
                        come[t, to] = k
            elif not is_on or k >= min_up - 1 or k + 1 > t or full[t]:
                # an outage takes an idle unit if there is one: it is no way out of a run begun in the window
                to = K - 1
                if old[k] < new[to]:
                    new[to] = old[k]
                    come[t, to] = k
        old, new = new, old
    best = 0
    for k in range(K):
        if old[k] < old[best]:
            best = k
    for t in range(T - 1, -1, -1):
        out[t] = best < min_up
        best = come[t, best]


@kernel(part=True)
def _next_in_line(begin, on, hours, out, placed):
    """The newest unit on that is not placed yet; then, of those off, the longest rested; units on outage last."""
    best = -1
    for j in range(placed.size):
        unit = begin + j
        if placed[j]:
            continue
        if best < 0 or (out[best] and not out[unit]):
            best = unit
        elif out[unit] == out[best]:
            if on[unit] and not on[best]:
                best = unit
            elif on[unit] == on[best]:
                sooner = hours[unit] < hours[best] if on[unit] else hours[unit] > hours[best]
                if sooner:
                    best = unit
    placed[best - begin] = True
    return best


@kernel(allocates=True)
def round_up(relaxed, avail, first, on, hours, out, min_up, min_down, stay, threshold, count, start):
    """Whole units on, and started, in every hour.

    Parameters
    ----------
    relaxed : (T, nu) float64, read only
        Relaxed on-count of each group.
    avail : (T, nu) int64, read only
        Units of each group not on planned outage.
    first : (nu + 1,) int64, read only
        Units of group i are first[i] .. first[i + 1] - 1.
    on : (n,) bool, read only
    hours : (n,) int64, read only
        State of each unit before the window, and hours spent in it.
    out : (n,) bool, read only
        The unit is on planned outage before the window.
    min_up, min_down : (nu,) int64, read only
    stay : (nu,) int64, read only
        Hours that units on must stay on before they can stop, by group.
    threshold : float
        Least wanted share of a unit that starts it.
    count, start : (T, nu) int64, written
    """
    T, nu = relaxed.shape
    wanted, left = np.empty(T), np.empty(T)
    free, runs = np.empty(T, dtype=np.bool_), np.empty(T, dtype=np.bool_)
    full = np.empty(T, dtype=np.bool_)
    for i in range(nu):
        K = min_up[i] + min_down[i]
        value, come = np.empty((2, K)), np.zeros((T, K), dtype=np.int64)
        n = first[i + 1] - first[i]
        placed = np.zeros(n, dtype=np.bool_)
        for t in range(T):
            left[t] = relaxed[t, i]
            count[t, i] = 0
            start[t, i] = 0
        for place in range(n):
            unit = _next_in_line(first[i], on, hours, out, placed)
            for t in range(T):
                wanted[t] = min(1.0, max(0.0, left[t]))
                free[t] = place < avail[t, i]
                full[t] = count[t, i] >= avail[t, i]
            _schedule(
                wanted, free, full, on[unit], hours[unit], min_up[i], min_down[i], stay[i], threshold, value, come, runs
            )
            before = on[unit]
            for t in range(T):
                if runs[t]:
                    count[t, i] += 1
                    left[t] -= 1.0
                    if not before:
                        start[t, i] += 1
                before = runs[t]


@kernel(part=True)
def _pick(begin, end, on, hours, out, wanted_on, wanted_out):
    """The unit longest in its state among those (not) on and (not) out that have not changed in this hour; or -1."""
    best = -1
    for unit in range(begin, end):
        fits = on[unit] == wanted_on and out[unit] == wanted_out and hours[unit] > 0
        if fits and (best < 0 or hours[unit] > hours[best]):
            best = unit
    return best


@kernel
def age(count, start, avail, first, on, hours, out):
    """Carry the units of each group one hour on: which of them start and stop, and for how long they have been so.

    Units back from an outage are free again; the longest rested units start, the longest running ones stop, and the
    longest rested of those off go on outage. Units of a group are alike, so a count that some split over the units
    keeps within the minimum times is kept by this split too (exchange the units' futures).

    Parameters
    ----------
    count, start, avail : (nu,) int64, read only
        Units on in the hour, started in it, and not on planned outage.
    first : (nu + 1,) int64, read only
    on, out : (n,) bool, updated
    hours : (n,) int64, updated
        Hours in the present state at the end of the hour.
    """
    for i in range(count.size):
        begin, end = first[i], first[i + 1]
        running, away = 0, 0
        for unit in range(begin, end):
            hours[unit] += 1
            running += on[unit]
            away += out[unit]
        leave = end - begin - avail[i] - away  # > 0: so many more go on outage
        changes = (max(0, -leave), running + start[i] - count[i], start[i], max(0, leave))
        for kind in range(4):  # return, stop, start, leave
            for _ in range(changes[kind]):
                unit = _pick(begin, end, on, hours, out, kind == 1, kind == 0)
                if unit < 0:  # none but those that stopped in this hour: they leave at once
                    for other in range(begin, end):
                        if not on[other] and not out[other]:
                            unit = other
                if kind in (1, 2):
                    on[unit] = kind == 2
                    hours[unit] = -1  # changed in this hour: no second change
                else:
                    out[unit] = kind == 3
        for unit in range(begin, end):
            if hours[unit] < 0:
                hours[unit] = 1


@kernel
def start_costs(count, start, avail, first, on, hours, out, lag, cost, was_on, was_hours, total):
    """Cost of the starts of every hour, by the hours that the units which start were off.

    Parameters
    ----------
    count, start, avail : (T, nu) int64, read only
    first : (nu + 1,) int64, read only
    on, out, hours : (n,) updated, as by `age`
    lag : (nu, C) int64, read only
        Hours off from which each category holds; the first holds from any shorter time.
    cost : (nu, C) float64, read only
        Of one start.
    was_on, was_hours : (n,) bool, int64, scratch
    total : (T, nu) float64, written
    """
    for t in range(count.shape[0]):
        for unit in range(on.size):
            was_on[unit], was_hours[unit] = on[unit], hours[unit]
        age(count[t], start[t], avail[t], first, on, hours, out)
        for i in range(lag.shape[0]):
            total[t, i] = 0.0
            for unit in range(first[i], first[i + 1]):
                if on[unit] and not was_on[unit]:
                    category = 0
                    for k in range(1, lag.shape[1]):
                        if was_hours[unit] >= lag[i, k]:
                            category = k
                    total[t, i] += cost[i, category]
