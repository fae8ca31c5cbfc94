"""A window problem laid out flat: which complementarity pair stands where, equal boxes merged.

Every inequality of `problem` is a pair (s, z) of a slack s > 0 and its dual z > 0, all of them in one vector s and
one vector z; whoever does not know the structure (steps, ratios, corrections) just runs over the flat vectors.

Boxes that nothing tells apart in an hour - same cost, same coefficients and, in hours with line rows, same bus - are
merged into one and split again pro rata to their width. That is exact, makes the problem smaller, and is how
curtailment comes to be shared pro rata among equals.
"""

from typing import Any, NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Problem, Rows

WIDTH_MIN = 1e-7  # narrower boxes are constants, in scaled power
AVAIL_MIN = 1e-6  # an hour without available units keeps this many, so that an interior exists


class Layout(NamedTuple):
    """Sizes, and where each kind of pair begins in the flat vectors."""

    T: int
    nu: int
    nk: int
    nr: int
    ns: int
    nb: int
    nm: int
    nc: int  # columns: 1 without line rows
    R: int  # prices per hour: balance, reserve up and, if its rows are in, reserve down
    q: int  # (T, nk) output above the minimum
    w: int  # (T, nk) headroom
    n: int  # (T, nu) units not on
    v: int  # (T, nu) starts
    c: int  # (T, nu) starts beyond the rise of u
    bl: int  # (nb,) box above its lower bound
    bu: int  # (nb,) box below its upper bound
    pl: int  # (T, nr) ramped source, lower and upper bound, ramp up and down
    ph: int
    pu: int
    pd: int
    cl: int  # (T, ns) charge, discharge, energy: lower and upper bounds
    cu: int
    dl: int
    du: int
    el: int
    eu: int
    over: int  # (nm,) overload; only its lower bound
    up: int  # (T,) reserve rows and line rows: slack and price; down is empty without its rows
    down: int
    row: int
    size: int


class Window(NamedTuple):
    """The data of a laid-out window. Columns (`*_col`) are 0 throughout when there are no line rows."""

    demand: FloatArray  # (T,) less what constant boxes give
    reserve_up: FloatArray  # (T,) likewise
    reserve_down: FloatArray  # (T,)
    unit_col: IntArray
    unit_pmin: FloatArray
    unit_cost: FloatArray
    unit_start: FloatArray
    unit_on0: FloatArray
    unit_avail: FloatArray  # (T, nu)
    unit_up: FloatArray
    unit_down: FloatArray
    unit_width: FloatArray  # (nu,) sum of the segments
    seg_first: IntArray  # (nu + 1,) segments of unit i: seg_first[i] .. seg_first[i + 1]
    seg_width: FloatArray
    seg_cost: FloatArray
    box_ptr: IntArray  # (T + 1,) boxes of hour t
    box_col: IntArray
    box_lo: FloatArray
    box_width: FloatArray
    box_cost: FloatArray
    box_bal: FloatArray
    box_up: FloatArray
    box_down: FloatArray
    box_line: FloatArray
    ramp_col: IntArray
    ramp_lo: FloatArray  # (T, nr)
    ramp_hi: FloatArray
    ramp_cost: FloatArray
    ramp_limit: FloatArray
    ramp_p0: FloatArray
    store_col: IntArray
    charge_max: FloatArray  # (T, ns)
    discharge_max: FloatArray
    charge_cost: FloatArray
    discharge_cost: FloatArray
    eta_c: FloatArray
    eta_d: FloatArray
    keep: FloatArray
    keep_power: FloatArray  # (T, ns) keep ** t
    e0: FloatArray
    e_lo: FloatArray  # (T, ns)
    e_hi: FloatArray
    end_value: FloatArray
    row_ptr: IntArray  # (T + 1,)
    row_hour: IntArray
    row_coef: FloatArray  # (nm, nc)
    row_limit: FloatArray  # less what constant boxes put on the row
    row_cost: FloatArray


class Merge(NamedTuple):
    """How the boxes of the problem map to the merged ones."""

    box: IntArray  # (T, nx) merged box, -1 where the box is constant
    lo: FloatArray  # (T, nx)
    width: FloatArray  # (T, nx)


def layout(T: int, nu: int, nk: int, nr: int, ns: int, nb: int, nm: int, nc: int, R: int) -> Layout:
    """Place the pairs one kind after the other."""
    sizes = [T * nk] * 2 + [T * nu] * 3 + [nb] * 2 + [T * nr] * 4 + [T * ns] * 6 + [nm, T, T * (R - 2), nm]
    offsets = np.concatenate(([0], np.cumsum(sizes))).tolist()
    return Layout(T, nu, nk, nr, ns, nb, nm, nc, R, *offsets)


def _own(value: Any) -> Any:
    """A writable C-contiguous copy: a read-only or strided array would compile every kernel a second time."""
    return np.array(value, order="C")


def _same(*keys: FloatArray) -> IntArray:
    """Number the distinct columns of the stacked keys."""
    stacked = np.vstack([np.atleast_2d(k) for k in keys])
    if not stacked.shape[1]:
        return np.zeros(0, dtype=np.int64)
    _, inverse = np.unique(stacked, axis=1, return_inverse=True)
    return inverse.reshape(-1).astype(np.int64)


def lay_out(problem: Problem, rows: Rows, *, down: bool = True) -> tuple[Layout, Window, Merge]:
    """Lay a problem out flat, with its line rows (there may be none); without the rows of reserve down on demand."""
    T = problem.demand.size
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    nu, nk, nr, ns, nx = units.bus.size, units.seg_unit.size, ramps.bus.size, stores.bus.size, boxes.bus.size
    nm = rows.hour.size
    nc = rows.coef.shape[1] if nm else 1
    row_ptr = np.searchsorted(rows.hour, np.arange(T + 1)).astype(np.int64)
    has_rows = np.diff(row_ptr) > 0

    width = boxes.hi - boxes.lo
    live = width > WIDTH_MIN
    steady = bool(np.all(boxes.cost == boxes.cost[:1]))
    cost = boxes.cost[0] if steady else boxes.cost
    by_kind = _same(cost, boxes.bal, boxes.up, boxes.down, boxes.line)
    by_bus = _same(by_kind.astype(float), boxes.bus.astype(float)) if nm else by_kind
    group = np.where(has_rows[:, None], by_bus[None, :], by_kind[None, :])
    key = np.arange(T)[:, None] * (nx + 1) + group
    found, first, inverse = np.unique(key[live], return_index=True, return_inverse=True)
    nb = found.size
    merged = np.full((T, nx), -1, dtype=np.int64)
    merged[live] = inverse.reshape(-1)
    which = np.nonzero(live)[1][first]  # a representative of each merged box
    hour = found // (nx + 1)

    def summed(values: FloatArray) -> FloatArray:
        return np.bincount(inverse.reshape(-1), weights=values[live], minlength=nb).astype(np.float64)

    fixed = np.where(live, 0.0, boxes.lo)
    row_limit = rows.limit.copy()
    if nm and nx:
        injected = np.zeros((T, nc))
        np.add.at(injected.T, boxes.bus, (fixed * boxes.line).T)
        row_limit -= np.einsum("mc,mc->m", rows.coef, injected[rows.hour])

    def col(bus: IntArray) -> IntArray:
        return bus.astype(np.int64) if nm else np.zeros(bus.size, dtype=np.int64)

    hi = np.maximum(ramps.hi, ramps.lo + WIDTH_MIN)
    window = Window(
        demand=problem.demand - fixed @ boxes.bal,
        reserve_up=problem.reserve_up - fixed @ boxes.up,
        reserve_down=problem.reserve_down - fixed @ boxes.down,
        unit_col=col(units.bus),
        unit_pmin=units.p_min,
        unit_cost=units.cost,
        unit_start=units.start_cost,
        unit_on0=units.on0,
        unit_avail=np.maximum(units.avail, AVAIL_MIN),
        unit_up=units.up,
        unit_down=units.down,
        unit_width=np.bincount(units.seg_unit, weights=units.seg_width, minlength=nu).astype(np.float64),
        seg_first=np.searchsorted(units.seg_unit, np.arange(nu + 1)).astype(np.int64),
        seg_width=units.seg_width,
        seg_cost=units.seg_cost,
        box_ptr=np.searchsorted(hour, np.arange(T + 1)).astype(np.int64),
        box_col=col(boxes.bus[which]),
        box_lo=summed(boxes.lo),
        box_width=summed(width),
        box_cost=boxes.cost[hour, which],
        box_bal=boxes.bal[which],
        box_up=boxes.up[which],
        box_down=boxes.down[which],
        box_line=boxes.line[which],
        ramp_col=col(ramps.bus),
        ramp_lo=ramps.lo,
        ramp_hi=hi,
        ramp_cost=ramps.cost,
        ramp_limit=ramps.limit,
        ramp_p0=ramps.p0,
        store_col=col(stores.bus),
        charge_max=np.maximum(stores.charge_max, WIDTH_MIN),
        discharge_max=np.maximum(stores.discharge_max, WIDTH_MIN),
        charge_cost=stores.charge_cost,
        discharge_cost=stores.discharge_cost,
        eta_c=stores.eta_c,
        eta_d=stores.eta_d,
        keep=stores.keep,
        keep_power=stores.keep[None, :] ** np.arange(T)[:, None],
        e0=stores.e0,
        e_lo=stores.e_lo,
        e_hi=np.maximum(stores.e_hi, stores.e_lo + WIDTH_MIN),
        end_value=stores.end_value,
        row_ptr=row_ptr,
        row_hour=rows.hour.astype(np.int64),
        row_coef=np.ascontiguousarray(rows.coef) if nm else np.zeros((0, 1)),
        row_limit=row_limit,
        row_cost=rows.cost,
    )
    window = Window(*(_own(value) for value in window))
    return layout(T, nu, nk, nr, ns, nb, nm, nc, 3 if down else 2), window, Merge(merged, boxes.lo, width)


def split(merge: Merge, window: Window, x: FloatArray) -> FloatArray:
    """Merged boxes' values (nb,) back to the problem's boxes (T, nx), pro rata to their width."""
    share = np.divide(x - window.box_lo, window.box_width, out=np.zeros_like(x), where=window.box_width > 0)
    at = merge.box >= 0
    out = merge.lo.copy()
    out[at] += share[merge.box[at]] * merge.width[at]
    return out
