"""The hour lived on what is really there: units on are given, everything else is dispatched again, hour by hour.

One hour is a linear problem of bounded variables with few rows - the balance, the reserve products, the lines that
matter - because with the hour before known, ramps and states of charge are bounds. It is solved by the dual simplex
with bound flips (Koberstein, 2005): at first everything is at its cheaper bound, the long first step climbs the merit
order, and a few pivots settle lines and reserves. The inverse of the basis is dense and small.

What a store holds at the end of the hour is worth what the plan says, a little more below the plan's state of charge
and a little less above it: a store keeps to its plan as long as the hour's price is near the plan's.

Hours follow each other: outputs and states of charge of one are where the next begins. Everything is scaled as in
`problem`.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, IntArray, kernel

SOLVED, NO_ROOM, TOO_LONG = 0, 1, 2
PIVOTS = 2000  # of one hour at most
FEASIBLE, PIVOT_MIN, TIE = 1e-9, 1e-9, 1e-9  # scaled
AT_LO, AT_HI, BASIC = 0, 1, 2


class Block(NamedTuple):
    """Hours to be lived. T hours, R rows of an hour, nx boxes, nr ramped devices, nkr segments, ns stores, nm lines."""

    need: FloatArray  # (T, R)
    box_bus: IntArray  # (nx,)
    box_lo: FloatArray  # (T, nx)
    box_hi: FloatArray  # (T, nx)
    box_cost: FloatArray  # (T, nx)
    box_coef: FloatArray  # (nx, R)
    box_line: FloatArray  # (nx,)
    ramp_bus: IntArray  # (nr,)
    ramp_base: FloatArray  # (T, nr)
    ramp_up: FloatArray  # (T, nr)
    ramp_down: FloatArray  # (T, nr)
    ramp_least: FloatArray  # (T, nr) outputs from which the hours after can be reached, as far as ramps go
    ramp_most: FloatArray  # (T, nr)
    seg_ramp: IntArray  # (nkr,) sorted
    seg_width: FloatArray  # (T, nkr)
    seg_cost: FloatArray  # (T, nkr) not falling within a device
    seg_coef: FloatArray  # (nkr, R)
    store_bus: IntArray  # (ns,)
    charge_lo: FloatArray  # (T, ns)
    charge_hi: FloatArray  # (T, ns)
    discharge_lo: FloatArray  # (T, ns)
    discharge_hi: FloatArray  # (T, ns)
    charge_cost: FloatArray  # (ns,)
    discharge_cost: FloatArray  # (ns,)
    eta_c: FloatArray  # (ns,)
    eta_d: FloatArray  # (ns,)
    keep: FloatArray  # (ns,)
    inflow: FloatArray  # (T, ns)
    e_lo: FloatArray  # (T, ns)
    e_hi: FloatArray  # (T, ns)
    e_plan: FloatArray  # (T, ns) end of the hour
    worth_below: FloatArray  # (T, ns) of energy that is lacking to the plan
    worth_above: FloatArray  # (T, ns) of energy beyond it
    line_at: IntArray  # (T + 1,) first line row of each hour
    line_coef: FloatArray  # (nm, columns of H)
    line_limit: FloatArray  # (nm,)
    line_cost: FloatArray  # (nm,) of an overload


class Result(NamedTuple):
    """What the hours came to."""

    x: FloatArray  # (T, nx)
    ramp_q: FloatArray  # (T, nkr)
    charge: FloatArray  # (T, ns)
    discharge: FloatArray  # (T, ns)
    e: FloatArray  # (T, ns)
    overload: FloatArray  # (nm,)
    price: FloatArray  # (T, R)
    price_row: FloatArray  # (nm,)
    pivots: IntArray  # (T,)


class Work(NamedTuple):
    """One hour's problem. M rows at most; N columns at most, the M slacks of rows behind the others."""

    a: FloatArray  # (M, N)
    rhs: FloatArray  # (M,)
    lo: FloatArray  # (N,)
    hi: FloatArray  # (N,)
    cost: FloatArray  # (N,)
    x: FloatArray  # (N,)
    where: IntArray  # (N,) AT_LO, AT_HI, BASIC
    head: IntArray  # (M,) column that is basic in each row
    inverse: FloatArray  # (M, M)
    left: FloatArray  # (M,) of rhs beside what is not basic
    y: FloatArray  # (M,) prices
    w: FloatArray  # (M,) column that enters
    row: FloatArray  # (N,) row of the tableau
    reduced: FloatArray  # (N,) costs
    ratio: FloatArray  # (N,)


def work(block: Block) -> Work:
    """Room for the largest hour."""
    rows = block.need.shape[1] + int(np.diff(block.line_at).max(initial=0))
    stores = block.store_bus.size
    columns = block.box_bus.size + block.seg_ramp.size + 4 * stores + 2 * rows

    def real(*shape: int) -> FloatArray:
        return np.zeros(shape)

    def whole(size: int) -> IntArray:
        return np.zeros(size, dtype=np.int64)

    return Work(
        a=real(rows, columns), rhs=real(rows), lo=real(columns), hi=real(columns), cost=real(columns), x=real(columns),
        where=whole(columns), head=whole(rows), inverse=real(rows, rows), left=real(rows), y=real(rows), w=real(rows),
        row=real(columns), reduced=real(columns), ratio=real(columns),
    )  # fmt: skip


def result(block: Block) -> Result:
    """Where the hours are written to."""
    T, R = block.need.shape
    ns, nm = block.store_bus.size, block.line_limit.size
    return Result(
        x=np.zeros((T, block.box_bus.size)),
        ramp_q=np.zeros((T, block.seg_ramp.size)),
        charge=np.zeros((T, ns)),
        discharge=np.zeros((T, ns)),
        e=np.zeros((T, ns)),
        overload=np.zeros(nm),
        price=np.zeros((T, R)),
        price_row=np.zeros(nm),
        pivots=np.zeros(T, dtype=np.int64),
    )


@kernel(part=True)
def bound_ramps(b, t, before, w):
    """Bounds of the segments of ramped devices in hour t, which follow outputs `before`."""
    first = b.box_bus.size
    k = 0
    for i in range(b.ramp_bus.size):
        low, high = before[i] - b.ramp_down[t, i], before[i] + b.ramp_up[t, i]
        least = max(low, min(b.ramp_least[t, i], high)) - b.ramp_base[t, i]
        most = min(high, max(b.ramp_most[t, i], low)) - b.ramp_base[t, i]
        while k < b.seg_ramp.size and b.seg_ramp[k] == i:
            width = b.seg_width[t, k]
            w.lo[first + k] = min(max(least, 0.0), width)
            w.hi[first + k] = max(min(most, width), w.lo[first + k])
            least -= width
            most -= width
            k += 1


@kernel(part=True)
def bound_stores(b, t, e, w):
    """Bounds and costs of what stores do in hour t: four parts each, above and below the plan's energy.

    The parts are: discharging down to the plan's energy, and below it; charging up to it, and beyond.
    """
    ns = b.store_bus.size
    first = b.box_bus.size + b.seg_ramp.size
    for i in range(ns):
        there = b.keep[i] * e[i] + b.inflow[t, i]
        most_out = min(b.discharge_hi[t, i], max(0.0, (there - b.e_lo[t, i]) * b.eta_d[i]))
        most_in = min(b.charge_hi[t, i], max(0.0, (b.e_hi[t, i] - there) / b.eta_c[i]))
        if most_out < b.discharge_lo[t, i]:  # units that the energy does not keep at their least stand still
            most_out = 0.0
        if most_in < b.charge_lo[t, i]:
            most_in = 0.0
        least_out = min(b.discharge_lo[t, i], most_out)
        least_in = min(max(b.charge_lo[t, i], (b.e_lo[t, i] - there) / b.eta_c[i], 0.0), most_in)
        out_to_plan = min(max((there - b.e_plan[t, i]) * b.eta_d[i], least_out), most_out)
        in_to_plan = min(max((b.e_plan[t, i] - there) / b.eta_c[i], least_in), most_in)
        j = first + 4 * i
        w.lo[j], w.hi[j] = least_out, out_to_plan
        w.lo[j + 1], w.hi[j + 1] = 0.0, most_out - out_to_plan
        w.lo[j + 2], w.hi[j + 2] = least_in, in_to_plan
        w.lo[j + 3], w.hi[j + 3] = 0.0, most_in - in_to_plan
        above, below = b.worth_above[t, i], b.worth_below[t, i]
        w.cost[j] = b.discharge_cost[i] + above / b.eta_d[i]
        w.cost[j + 1] = b.discharge_cost[i] + below / b.eta_d[i]
        w.cost[j + 2] = b.charge_cost[i] - below * b.eta_c[i]
        w.cost[j + 3] = b.charge_cost[i] - above * b.eta_c[i]


@kernel(part=True)
def state_rows(b, t, w):
    """Rows of hour t: the balance, reserve products, lines; all but the first are at least their right side."""
    R, nx, nkr, ns = b.need.shape[1], b.box_bus.size, b.seg_ramp.size, b.store_bus.size
    lines = b.line_at[t + 1] - b.line_at[t]
    first, stores = nx, nx + nkr
    overload = stores + 4 * ns
    for r in range(R):
        for j in range(nx):
            w.a[r, j] = b.box_coef[j, r]
        for k in range(nkr):
            w.a[r, first + k] = b.seg_coef[k, r]
        for i in range(ns):
            sign = 1.0 if r == 0 else 0.0
            w.a[r, stores + 4 * i] = w.a[r, stores + 4 * i + 1] = sign
            w.a[r, stores + 4 * i + 2] = w.a[r, stores + 4 * i + 3] = -sign
        for m in range(lines):
            w.a[r, overload + m] = 0.0
        w.rhs[r] = b.need[t, r]
    for i in range(b.ramp_bus.size):
        w.rhs[0] -= b.ramp_base[t, i]
    for m in range(lines):
        coef = b.line_coef[b.line_at[t] + m]
        r = R + m
        for j in range(nx):
            w.a[r, j] = -coef[b.box_bus[j]] * b.box_line[j]
        for k in range(nkr):
            w.a[r, first + k] = -coef[b.ramp_bus[b.seg_ramp[k]]]
        for i in range(ns):
            at = coef[b.store_bus[i]]
            w.a[r, stores + 4 * i] = w.a[r, stores + 4 * i + 1] = -at
            w.a[r, stores + 4 * i + 2] = w.a[r, stores + 4 * i + 3] = at
        for n in range(lines):
            w.a[r, overload + n] = 1.0 if n == m else 0.0
        w.rhs[r] = -b.line_limit[b.line_at[t] + m]
        for i in range(b.ramp_bus.size):
            w.rhs[r] += coef[b.ramp_bus[i]] * b.ramp_base[t, i]
        w.lo[overload + m], w.hi[overload + m] = 0.0, np.inf
        w.cost[overload + m] = b.line_cost[b.line_at[t] + m]


@kernel(part=True)
def begin(w, m, n):
    """Every row rests on its slack, every column at its cheaper bound."""
    for i in range(m):
        j = n + i
        w.lo[j], w.hi[j], w.cost[j] = 0.0, 0.0 if i == 0 else np.inf, 0.0
        w.where[j], w.head[i] = BASIC, j
        w.left[i] = w.rhs[i]
        for k in range(m):
            w.inverse[i, k] = -1.0 if k == i else 0.0
            w.a[i, n + k] = -1.0 if k == i else 0.0
    for j in range(n):
        w.cost[j] += TIE * ((37 * j) % 101)  # many units cost the same: which of them runs must not be open
        w.where[j] = AT_HI if w.cost[j] < 0.0 else AT_LO
        w.x[j] = w.hi[j] if w.cost[j] < 0.0 else w.lo[j]
    for i in range(m):
        total = 0.0
        for j in range(n):
            total += w.a[i, j] * w.x[j]
        w.left[i] -= total
        w.x[n + i] = -w.left[i]


@kernel(inner=True)
def _leaving(w, m):
    """Row whose basic column breaks its bounds most, and by how much: below them < 0. -1: none does."""
    worst, row, by = FEASIBLE, -1, 0.0
    for i in range(m):
        j = w.head[i]
        if w.lo[j] - w.x[j] > worst:
            worst = w.lo[j] - w.x[j]
            row, by = i, -worst
        elif w.x[j] - w.hi[j] > worst:
            worst = w.x[j] - w.hi[j]
            row, by = i, worst
    return row, by


@kernel(inner=True)
def _price(w, m, total):
    """Prices of the basis, and reduced costs of all columns."""
    for k in range(m):
        w.y[k] = 0.0
    for i in range(m):
        c = w.cost[w.head[i]]
        if c != 0.0:
            for k in range(m):
                w.y[k] += c * w.inverse[i, k]
    for j in range(total):
        w.reduced[j] = w.cost[j]
    for i in range(m):
        y, a = w.y[i], w.a[i]
        if y != 0.0:
            for j in range(total):
                w.reduced[j] -= y * a[j]


@kernel(inner=True)
def _entering(w, m, total, r, by):
    """Column that enters for row r, which is out of its bounds `by`; those that pay on the way are flipped. -1: none.

    The dual step grows from breakpoint to breakpoint, as long as flipping the columns met leaves the row out of bounds.
    """
    for j in range(total):
        w.row[j] = 0.0
    for i in range(m):
        rho, a = w.inverse[r, i], w.a[i]
        if rho != 0.0:
            for j in range(total):
                w.row[j] += rho * a[j]
    sign = 1.0 if by > 0.0 else -1.0
    for j in range(total):
        alpha = sign * w.row[j]
        free = w.where[j] != BASIC and w.hi[j] > w.lo[j]
        if free and ((w.where[j] == AT_LO and alpha > PIVOT_MIN) or (w.where[j] == AT_HI and alpha < -PIVOT_MIN)):
            w.ratio[j] = max(0.0, w.reduced[j] / alpha)
        else:
            w.ratio[j] = np.inf
    left = abs(by)
    while True:
        q, best, size = -1, np.inf, 0.0
        for j in range(total):
            if w.ratio[j] < best or (w.ratio[j] == best and q >= 0 and abs(w.row[j]) > size):
                q, best, size = j, w.ratio[j], abs(w.row[j])
        if q < 0:
            return -1
        left -= size * (w.hi[q] - w.lo[q])
        if not left > 0.0:
            return q
        w.ratio[q] = np.inf
        to_hi = w.where[q] == AT_LO
        w.where[q] = AT_HI if to_hi else AT_LO
        after = w.hi[q] if to_hi else w.lo[q]
        for i in range(m):
            w.left[i] -= w.a[i, q] * (after - w.x[q])
        w.x[q] = after


@kernel(inner=True)
def _exchange(w, m, r, q, by):
    """Column q becomes basic in row r; what was basic there rests at the bound that it broke."""
    for i in range(m):
        total = 0.0
        for k in range(m):
            total += w.inverse[i, k] * w.a[k, q]
        w.w[i] = total
    gone = w.head[r]
    w.where[gone] = AT_HI if by > 0.0 else AT_LO
    w.x[gone] = w.hi[gone] if by > 0.0 else w.lo[gone]
    for i in range(m):
        w.left[i] += w.a[i, q] * w.x[q] - w.a[i, gone] * w.x[gone]
    w.head[r], w.where[q] = q, BASIC
    pivot = w.w[r]
    for k in range(m):
        w.inverse[r, k] /= pivot
    for i in range(m):
        if i != r and w.w[i] != 0.0:
            for k in range(m):
                w.inverse[i, k] -= w.w[i] * w.inverse[r, k]
    settle(w, m)


@kernel(inner=True)
def settle(w, m):
    """Values of the basic columns."""
    for i in range(m):
        total = 0.0
        for k in range(m):
            total += w.inverse[i, k] * w.left[k]
        w.x[w.head[i]] = total


@kernel(inner=True)
def solve(w, m, n):
    """Solve the hour that `w` holds with m rows and n columns beside slacks. Returns status and pivots."""
    total = n + m
    for pivot in range(PIVOTS):
        r, by = _leaving(w, m)
        _price(w, m, total)
        if r < 0:
            return SOLVED, pivot
        q = _entering(w, m, total, r, by)
        if q < 0:
            return NO_ROOM, pivot
        _exchange(w, m, r, q, by)
    return TOO_LONG, PIVOTS


@kernel
def walk(b, w, out, before, e, first):
    """Live the hours from `first`. `before` (nr,) outputs and `e` (ns,) energies before it become those at the end.

    Returns
    -------
    status, hour it is of
    """
    T, R = b.need.shape
    nx, nkr, ns = b.box_bus.size, b.seg_ramp.size, b.store_bus.size
    stores = nx + nkr
    for t in range(first, T):
        lines = b.line_at[t + 1] - b.line_at[t]
        m, n = R + lines, stores + 4 * ns + lines
        for j in range(nx):
            w.lo[j], w.hi[j], w.cost[j] = b.box_lo[t, j], b.box_hi[t, j], b.box_cost[t, j]
        for k in range(nkr):
            w.cost[nx + k] = b.seg_cost[t, k]
        bound_ramps(b, t, before, w)
        bound_stores(b, t, e, w)
        state_rows(b, t, w)
        begin(w, m, n)
        status, pivots = solve(w, m, n)
        out.pivots[t] = pivots
        if status != SOLVED:
            return status, t
        for j in range(nx):
            out.x[t, j] = w.x[j]
        for i in range(b.ramp_bus.size):
            before[i] = b.ramp_base[t, i]
        for k in range(nkr):
            out.ramp_q[t, k] = w.x[nx + k]
            before[b.seg_ramp[k]] += w.x[nx + k]
        for i in range(ns):
            j = stores + 4 * i
            out.discharge[t, i], out.charge[t, i] = w.x[j] + w.x[j + 1], w.x[j + 2] + w.x[j + 3]
            e[i] = b.keep[i] * e[i] + b.inflow[t, i]
            e[i] = min(e[i] + b.eta_c[i] * out.charge[t, i] - out.discharge[t, i] / b.eta_d[i], b.e_hi[t, i])
            out.e[t, i] = e[i]
        for r in range(R):
            out.price[t, r] = w.y[r]
        for k in range(lines):
            out.price_row[b.line_at[t] + k] = w.y[R + k]
            out.overload[b.line_at[t] + k] = w.x[stores + 4 * ns + k]
    return SOLVED, T
