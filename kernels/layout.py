"""A window problem laid out flat: which complementarity pair stands where, what every item does to every row.

Every inequality of `problem` is a pair (s, z) of a slack s > 0 and its dual z > 0, all of them in one vector s and
one vector z; whoever does not know the structure (steps, ratios, corrections) just runs over the flat vectors.

What devices do to the rows of an hour (balance, reserve products, line rows: all read "value >= need") is one small
dense matrix per hour, `Window.effect`. Its columns are the items of the hour: on-counts, segments of units, segments
of ramped devices, net output of stores, boxes. Prices of items are its transpose times the prices of the rows.

Boxes that nothing tells apart in an hour - same cost, same coefficients and, in hours with line rows, same bus - are
merged into one and split again pro rata to their width. That is exact, makes the problem smaller, and is how
curtailment comes to be shared pro rata among equals.

Stores that nothing moves in the window are constants, too: those without any power in it, and those that are asked to
rest (`window.solve` asks such as only give, at a cost that no price reaches).
"""

from typing import Any, NamedTuple

import numpy as np

from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.kernels.problem import Problem, Rows, Stores

WIDTH_MIN = 1e-7  # narrower boxes are constants, in scaled power
BY_HOUR = 0.7  # of the multiplications of the dense way: below it hour by hour is faster, in shorter loops
NO_BUDGET_ROWS = np.zeros(0, dtype=np.int64)
AVAIL_MIN = 1e-6  # an hour without available units keeps this many, so that an interior exists


class Layout(NamedTuple):
    """Sizes, and where each kind of pair begins in the flat vectors."""

    T: int
    R: int  # rows per hour that are in: balance and reserve products
    nu: int
    nk: int
    nr: int
    ng: int  # segments of ramped devices
    ns: int
    ny: int  # stores that may spill: the first of them
    nb: int
    nm: int  # line rows
    nq: int  # budget rows that are in
    nd: int  # chains in time: units, ramped devices, stores
    m: int  # rows in all
    deep: int  # most rows of an hour
    fixed_items: int  # items of an hour before its boxes
    by_hour: int  # 1: the price matrix is factored hour by hour, what chains carry from hour to hour apart
    q: int  # (T, nk) output above the minimum
    w: int  # (T, nk) headroom
    n: int  # (T, nu) units not on
    v: int  # (T, nu) starts
    c: int  # (T, nu) starts beyond the rise of u
    bl: int  # (nb,) box above its lower bound
    bu: int  # (nb,) box below its upper bound
    gl: int  # (T, ng) segment of a ramped device, lower and upper bound
    gu: int
    pu: int  # (T, nr) room to rise and to fall
    pd: int
    cl: int  # (T, ns) charge, discharge: lower and upper bounds
    cu: int
    dl: int
    du: int
    yl: int  # (T, ny) spill, likewise
    yu: int
    el: int  # (T, ns) energy, likewise
    eu: int
    over: int  # (nm + nq,) overload, and use beyond budgets; only its lower bound
    res: int  # (T, R - 1) reserve rows and (nm + nq,) line and budget rows: slack, and price above `row_value`
    row: int
    size: int


class Window(NamedTuple):
    """The data of a laid-out window. Units and ramped devices stand in the order of their number of segments.

    Segments stand level by level: the first ones of all devices, the second ones of those that have two, and so on,
    so that every loop over segments runs over neighbours in memory.
    """

    need: FloatArray  # (m,) of the rows, hour by hour, then of budgets, less what is constant
    row_at: IntArray  # (T + 1,) first row of each hour in all vectors over rows
    line_at: IntArray  # (T + 1,) first line row of each hour among line rows
    item_at: IntArray  # (T + 1,) first item of each hour
    effect_at: IntArray  # (T + 1,)
    effect: FloatArray  # hour by hour (rows of the hour, items of the hour)
    budget: FloatArray  # (nq, items of all hours) the same of budget rows, which come after those of all hours
    unit_cost: FloatArray
    unit_start: FloatArray
    unit_on0: FloatArray
    unit_avail: FloatArray  # (T, nu)
    unit_level: IntArray  # (levels + 1,) first segment of each level
    seg_width: FloatArray
    seg_cost: FloatArray
    box_at: IntArray  # (T + 1,) boxes of hour t
    box_lo: FloatArray
    box_width: FloatArray
    box_cost: FloatArray
    ramp_base: FloatArray  # (T, nr)
    ramp_up: FloatArray
    ramp_down: FloatArray
    ramp_p0: FloatArray
    ramp_level: IntArray
    ramp_width: FloatArray  # (T, ng)
    ramp_cost: FloatArray  # (T, ng)
    charge_lo: FloatArray  # (T, ns)
    charge_width: FloatArray
    discharge_lo: FloatArray
    discharge_width: FloatArray
    spill_width: FloatArray  # (T, ny)
    inflow: FloatArray
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
    row_cost: FloatArray  # (nm + nq,) above row_value
    row_value: FloatArray  # (nm + nq,) of slack: 0 of line rows


class AtRest(NamedTuple):
    """What stores at rest do (T, ns), in the problem's order; 0 of the others."""

    spill: FloatArray
    e: FloatArray
    value: FloatArray  # of energy in store


class Maps(NamedTuple):
    """How positions in the layout and in the problem correspond."""

    unit: IntArray  # (nu,) unit of the problem at each position of the layout
    seg: IntArray
    ramp: IntArray
    ramp_seg: IntArray
    store: IntArray  # (ns,) without those at rest
    rest: AtRest
    products: IntArray  # (R - 1,) columns of the problem's needs whose rows are in
    box: IntArray  # (T, nx) merged box, -1 where the box is constant
    box_lo: FloatArray  # (T, nx)
    box_width: FloatArray  # (T, nx)
    row: IntArray  # (nm + nq,) place of each line and budget row among all rows
    budgets: IntArray  # (nq,) budget rows of the problem that are in
    constant: float  # cost of boxes that are constants, bases, minima, stores at rest, budgets whose value is used up


def layout(sizes: dict[str, int]) -> Layout:
    """Place the pairs one kind after the other."""
    T, R, nu, nk, nr, ng = (sizes[k] for k in ("T", "R", "nu", "nk", "nr", "ng"))
    ns, ny, nb, nm, nq = (sizes[k] for k in ("ns", "ny", "nb", "nm", "nq"))
    pairs = [T * nk] * 2 + [T * nu] * 3 + [nb] * 2 + [T * ng] * 2 + [T * nr] * 2
    pairs += [T * ns] * 4 + [T * ny] * 2 + [T * ns] * 2 + [nm + nq, T * (R - 1), nm + nq]
    offsets = np.concatenate(([0], np.cumsum(pairs))).tolist()
    items = nu + nk + ng + ns
    return Layout(
        T, R, nu, nk, nr, ng, ns, ny, nb, nm, nq, nu + nr + ns, R * T + nm + nq, sizes["deep"], items,
        sizes["by_hour"], *offsets,
    )  # fmt: skip


def by_hour(rows: IntArray, chains: int) -> bool:
    """Whether to factor the price matrix hour by hour, which few rows and many chains make the dearer way.

    Multiplications of both ways: the dense matrix takes a cube of all rows; hour by hour the `rows` (T,) of each and
    the `chains` are dense among themselves. Without chains no hour knows of another.
    """
    m, total = rows.astype(float), float(rows.sum())
    dense = total**3 / 3.0 + total**2 / 2.0 * chains
    return not chains or float(np.sum(m**3 / 3.0 + 2.0 * m**2 * chains + 2.5 * m * chains**2)) < BY_HOUR * dense


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


def _levels(owner: IntArray, count: int) -> tuple[IntArray, IntArray, IntArray]:
    """Order of devices, order of segments, and first segment of each level; `owner` is sorted."""
    segments = np.bincount(owner, minlength=count)
    device = np.argsort(-segments, kind="stable").astype(np.int64)
    first = np.cumsum(segments) - segments
    parts = [first[device[segments[device] > j]] + j for j in range(int(segments.max(initial=0)))]
    seg = np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)
    return device, seg, np.concatenate(([0], np.cumsum([part.size for part in parts]))).astype(np.int64)


class _Boxes(NamedTuple):
    """Boxes of all hours, merged; `hour` is sorted."""

    hour: IntArray
    which: IntArray  # a representative of each
    lo: FloatArray
    width: FloatArray
    of: IntArray  # (T, nx)
    fixed: FloatArray  # (T, nx) value where the box is constant, else 0


def _merge(problem: Problem, coef: FloatArray, use: FloatArray, has_rows: Any) -> _Boxes:
    boxes = problem.boxes
    T, nx = boxes.lo.shape
    width = boxes.hi - boxes.lo
    live = width > WIDTH_MIN
    cost = boxes.cost[0] if bool(np.all(boxes.cost == boxes.cost[:1])) else boxes.cost
    by_kind = _same(cost, coef.T, boxes.line, use) if use.size else _same(cost, coef.T, boxes.line)
    by_bus = _same(by_kind.astype(float), boxes.bus.astype(float)) if has_rows.any() else by_kind
    group = np.where(has_rows[:, None], by_bus[None, :], by_kind[None, :])
    groups = int(group.max(initial=-1)) + 1
    key = (np.arange(T)[:, None] * groups + group)[live]
    present = np.zeros(T * groups, dtype=bool)
    present[key] = True
    found = np.flatnonzero(present)
    place = np.cumsum(present) - 1
    inverse = place[key]
    which = np.empty(found.size, dtype=np.int64)
    which[inverse] = np.nonzero(live)[1]
    of = np.full((T, nx), -1, dtype=np.int64)
    of[live] = inverse

    def summed(values: FloatArray) -> FloatArray:
        return np.bincount(inverse, weights=values[live], minlength=found.size).astype(np.float64)

    fixed = np.where(live, 0.0, boxes.lo)
    return _Boxes(found // max(groups, 1), which, summed(boxes.lo), summed(width), of, fixed)


def at_rest(stores: Stores, asked: BoolArray | None) -> tuple[BoolArray, AtRest]:
    """Which stores (ns,) do no more than their least power in the window and keep their bounds so; what they do then.

    Those without room for more, and of the ones `asked` those that their bounds let rest.
    """
    T, ns = stores.e_lo.shape
    rests: BoolArray = np.all(stores.charge_max <= stores.charge_min, axis=0)
    rests &= np.all(stores.discharge_max <= stores.discharge_min, axis=0)
    if asked is not None:
        rests |= asked
    out = AtRest(np.zeros((T, ns)), np.zeros((T, ns)), np.zeros((T, ns)))
    if not rests.any():
        return rests, out
    gain = stores.eta_c * stores.charge_min - stores.discharge_min / stores.eta_d + stores.inflow
    e = stores.e0
    for t in range(T):
        e = stores.keep * e + gain[t]
        out.spill[t] = np.clip(e - stores.e_hi[t], 0.0, stores.spill_max[t])
        e = e - out.spill[t]
        out.e[t] = e
    rests &= np.all((out.e >= stores.e_lo) & (out.e <= stores.e_hi), axis=0)
    out.value[:] = stores.end_value * stores.keep ** np.arange(T - 1, -1, -1)[:, None]
    for part in out:
        part[:, ~rests] = 0.0
    return rests, out


def lay_out(
    problem: Problem,
    rows: Rows,
    products: IntArray,
    budgets: IntArray = NO_BUDGET_ROWS,
    resting: BoolArray | None = None,
) -> tuple[Layout, Window, Maps]:
    """Lay a problem out flat, with its line rows (there may be none) and the rows of some reserve products and budgets.

    Parameters
    ----------
    products : (n,) int64
        Columns (>= 1) of the problem's needs whose rows are in; the others are left out.
    budgets : (n,) int64
        Budget rows that are in.
    resting : (stores,) bool, optional
        Stores that are to rest if their bounds let them.
    """
    T = problem.need.shape[0]
    units, boxes, ramps, every = problem.units, problem.boxes, problem.ramps, problem.stores
    rests, rest = at_rest(every, resting)
    spills = np.any(every.spill_max > 0.0, axis=0) & ~rests
    store = np.argsort(2 * rests - spills, kind="stable")[: int(np.sum(~rests))].astype(np.int64)
    picked: Any = (part[..., store] for part in every)
    stores = Stores(*picked)
    inside = np.concatenate(([0], products)).astype(np.int64)
    nm, R = rows.hour.size, inside.size
    line_at = np.searchsorted(rows.hour, np.arange(T + 1)).astype(np.int64)
    nq, asked = budgets.size, problem.budgets
    use = asked.box[budgets]
    box = _merge(problem, boxes.coef[:, inside], use, np.diff(line_at) > 0)
    unit, seg, unit_level = _levels(units.seg_unit, units.bus.size)
    ramp, ramp_seg, ramp_level = _levels(ramps.seg_ramp, ramps.bus.size)
    nb = box.hour.size
    deep = R + int(np.diff(line_at).max(initial=0))
    sizes = {"T": T, "R": R, "nu": unit.size, "nk": seg.size, "nr": ramp.size, "ng": ramp_seg.size}
    apart = by_hour(R + np.diff(line_at), unit.size + ramp.size + stores.bus.size)
    sizes |= {"ns": store.size, "ny": int(spills.sum())}
    lay = layout(sizes | {"nb": nb, "nm": nm, "nq": nq, "deep": deep, "by_hour": int(apart)})
    box_at = np.searchsorted(box.hour, np.arange(T + 1)).astype(np.int64)
    row_at = R * np.arange(T + 1) + line_at
    row_place = (R * (rows.hour + 1) + np.arange(nm)).astype(np.int64)
    row_place = np.concatenate((row_place, R * T + nm + np.arange(nq))).astype(np.int64)

    # what is there whatever the pairs do: on the rows of each hour, and into the columns of H
    total = box.fixed + _spread(box, T)
    need = np.empty(lay.m)
    hourly = problem.need[:, inside] - total @ boxes.coef[:, inside]
    net = every.discharge_min - every.charge_min
    hourly[:, 0] -= ramps.base.sum(axis=1) + net.sum(axis=1)
    need[row_at[:-1, None] + np.arange(R)] = hourly
    if nm:
        there = np.hstack((total * boxes.line, ramps.base, net))[rows.hour]
        bus = np.concatenate((boxes.bus, ramps.bus, every.bus))
        need[row_place[:nm]] = np.einsum("mc,mc->m", rows.coef[:, bus], there) - rows.limit

    seg_unit = units.seg_unit[seg]
    item_bus = np.concatenate((units.bus[unit], units.bus[seg_unit], ramps.bus[ramps.seg_ramp[ramp_seg]], stores.bus))
    item_line = np.concatenate((units.coef[unit, 0], np.ones(seg.size + ramp_seg.size + stores.bus.size)))
    steady = np.zeros((R, lay.fixed_items))
    ends = np.cumsum([unit.size, seg.size, ramp_seg.size])
    steady[:, : ends[0]] = units.coef[unit][:, inside].T
    steady[:, ends[0] : ends[1]] = units.seg_coef[seg][:, inside].T
    steady[:, ends[1] : ends[2]] = ramps.seg_coef[ramp_seg][:, inside].T
    steady[0, ends[2] :] = 1.0
    item_at = lay.fixed_items * np.arange(T + 1) + box_at
    effect_at = np.concatenate(([0], np.cumsum(np.diff(row_at) * np.diff(item_at)))).astype(np.int64)
    effect = np.empty(effect_at[-1])
    box_coef, box_bus, box_line = boxes.coef[box.which][:, inside].T, boxes.bus[box.which], boxes.line[box.which]
    for t in range(T):
        block = effect[effect_at[t] : effect_at[t + 1]].reshape(row_at[t + 1] - row_at[t], -1)
        of_hour = slice(box_at[t], box_at[t + 1])
        block[:R, : lay.fixed_items] = steady
        block[:R, lay.fixed_items :] = box_coef[:, of_hour]
        if line_at[t + 1] > line_at[t]:
            coef = rows.coef[line_at[t] : line_at[t + 1]]
            block[R:, : lay.fixed_items] = -coef[:, item_bus] * item_line
            block[R:, lay.fixed_items :] = -coef[:, box_bus[of_hour]] * box_line[of_hour]

    budget = np.zeros((nq, int(item_at[-1])))
    if nq:
        of_boxes = np.einsum("qt,qx,tx->q", asked.hours[budgets], use, total)  # what is there of boxes anyway
        need[row_place[nm:]] = of_boxes - asked.limit[budgets]
        none = np.zeros((nq, stores.bus.size))
        steady_use = asked.unit[:, unit], asked.seg[:, seg], asked.ramp_seg[:, ramp_seg]
        of_items = np.hstack((*(part[budgets] for part in steady_use), none))
        for t in range(T):
            counts = asked.hours[budgets, t, None]
            first, last = item_at[t], item_at[t + 1]
            budget[:, first : first + lay.fixed_items] = -counts * of_items
            budget[:, first + lay.fixed_items : last] = -counts * use[:, box.which[box_at[t] : box_at[t + 1]]]

    constant = float(np.sum(boxes.cost * total)) + float(asked.value[budgets] @ asked.limit[budgets])
    constant += float(np.sum(every.charge_min * every.charge_cost + every.discharge_min * every.discharge_cost))
    constant -= float(np.sum(every.end_value * rest.e[-1:]))
    window = Window(
        need=need,
        row_at=row_at.astype(np.int64),
        line_at=line_at,
        item_at=item_at.astype(np.int64),
        effect_at=effect_at,
        effect=effect,
        budget=budget,
        unit_cost=units.cost[unit],
        unit_start=units.start_cost[unit],
        unit_on0=units.on0[unit],
        unit_avail=np.maximum(units.avail[:, unit], AVAIL_MIN),
        unit_level=unit_level,
        seg_width=units.seg_width[seg],
        seg_cost=units.seg_cost[seg],
        box_at=box_at,
        box_lo=box.lo,
        box_width=box.width,
        box_cost=boxes.cost[box.hour, box.which],
        ramp_base=ramps.base[:, ramp],
        ramp_up=ramps.up[:, ramp],
        ramp_down=ramps.down[:, ramp],
        ramp_p0=ramps.p0[ramp],
        ramp_level=ramp_level,
        ramp_width=np.maximum(ramps.seg_width[:, ramp_seg], WIDTH_MIN),
        ramp_cost=ramps.seg_cost[:, ramp_seg],
        charge_lo=stores.charge_min,
        charge_width=np.maximum(stores.charge_max - stores.charge_min, WIDTH_MIN),
        discharge_lo=stores.discharge_min,
        discharge_width=np.maximum(stores.discharge_max - stores.discharge_min, WIDTH_MIN),
        spill_width=np.maximum(stores.spill_max[:, : lay.ny], WIDTH_MIN),
        inflow=stores.inflow,
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
        row_cost=np.concatenate((rows.cost, (asked.cost - asked.value)[budgets])),
        row_value=np.concatenate((np.zeros(nm), asked.value[budgets])),
    )
    width = np.maximum(boxes.hi - boxes.lo, 0.0)
    order = unit, seg, ramp, ramp_seg, store
    maps = Maps(*order, rest, inside[1:], box.of, boxes.lo, width, row_place, budgets, constant)
    return lay, Window(*(_own(value) for value in window)), maps


def _spread(box: _Boxes, T: int) -> FloatArray:
    """(T, nx) lower bounds of merged boxes, each at its representative."""
    out = np.zeros((T, box.of.shape[1]))
    out[box.hour, box.which] = box.lo
    return out


def split(maps: Maps, win: Window, x: FloatArray) -> FloatArray:
    """Merged boxes' values above their lower bounds (nb,) back to the problem's boxes (T, nx), pro rata to width."""
    share = np.divide(x, win.box_width, out=np.zeros_like(x), where=win.box_width > 0)
    at = maps.box >= 0
    out = maps.box_lo.copy()
    out[at] += share[maps.box[at]] * maps.box_width[at]
    return out
