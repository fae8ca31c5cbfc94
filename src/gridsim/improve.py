"""The search for a better schedule of a window, where rounding leaves too large a gap.

Units of the rows that are not must-run are looked at one by one (`gridsim.search`); everything else of the window
answers through its prices (`kernels.rest`), the fixed-commitment dispatch judges. The bound that the search proves is
one of the same window. Every row is priced: energy and the largest reserve up, which counts in the ramps of units, hour
by hour; other reserve products and line rows as further rows of the bundle (`bundle.UnitRows`). Stores and ramps of
sources enter with fixed multipliers.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gridsim import search
from gridsim.balance import Priced
from gridsim.errors import WindowError
from gridsim.handover import RowKeys, State
from gridsim.kernels import bundle, single
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.kernels.problem import Problem, Rows, Solution
from gridsim.kernels.rest import Rest
from gridsim.ramping import MARGIN
from gridsim.restate import Windows

if TYPE_CHECKING:
    from gridsim.plan import Fixed, Settled


SHORT_MW = 0.05  # what a dispatch may be short of: rounding and what ramps leave open
WATCHED = 12  # line rows, by element and outage, that the sweeps count
PRICED = 1e-6  # scaled price that is one
CHEAP = 1e-3  # cost of sources that the sweeps may use as they like, relative to the dearest segment


class Members(NamedTuple):
    """Single units of a window, scaled, and the row of units each belongs to."""

    units: single.SingleUnits
    row: IntArray  # (n,) row of the case's units
    seg: IntArray  # (nk,) segment of the case's units
    head: FloatArray  # (n, np) what a unit on at its minimum gives to each reserve product
    answer: FloatArray  # (n, np) what one on gives at most, wherever its output is


def members(
    windows: Windows, t0: int, hours: int, state: State, product: int, priced: Priced | None = None
) -> Members | None:
    """The units of all rows that are not must-run, one by one; dearer by what their use of budgets is worth.

    None if a row of several units has a planned outage that begins or ends in the window: which unit it takes is then
    open, and a bound that names one would not hold. None, too, if ramps hold a row of several units: the dispatch knows
    only the sum of their limits, which is looser than the limits of each.
    """
    case, free, sp, sc = windows.case, windows.free, windows.power_mw, windows.price_scale
    table = case.units.iloc[free]
    count = table["units"].to_numpy(np.int64)
    at = slice(t0, t0 + hours)
    several = count > 1
    if (several & windows.held[free]).any():
        return None
    if np.ptp(case.unit_available[at][:, free[several]], axis=0).any():
        return None
    of = np.repeat(np.arange(free.size), count)
    row = free[of]
    avail = np.where(several[of], ~state.unit_out, case.unit_available[at][:, row] > 0)
    if (avail.sum(axis=0)[several[of]] // max(hours, 1)).sum() != case.unit_available[t0, free[several]].sum():
        return None

    def column(name: str) -> FloatArray:
        return table[name].to_numpy(float)[of]

    segs = [np.flatnonzero((windows.seg_unit == i) & (windows.given_seg_mw > 0.0)) for i in row]
    seg = np.concatenate(segs) if segs else np.zeros(0, dtype=np.int64)
    cap = np.array([windows.seg_mw[part].sum() / sp for part in segs])
    hair = (
        2.0 * MARGIN * column("p_max_mw") / sp
    )  # the dispatch's limits are so much wider, hour after hour: the bound's too
    p_min, on0 = column("p_min_mw") / sp, np.array(state.unit_on)
    running = np.bincount(of, weights=on0, minlength=free.size)[of]
    each = state.unit_p_mw[row] / sp / np.maximum(running, 1.0) - p_min
    lags = [
        [(int(lag), float(cost) / windows.money) for lag, cost in dict(zip(lag_h, cost, strict=True)).items()]
        for lag_h, cost in zip(windows.start_lag[row], case.unit_start_cost[row], strict=True)
    ]
    hours0 = np.maximum(state.unit_hours, 1)
    start_cost, start_cost0 = single.start_tables(lags, on0, hours0, hours)
    name = case.products["name"].iloc[product - 1]
    up = case.products["direction"].iloc[product - 1] == "up"
    assert up, name
    units = single.SingleUnits(
        p_min=p_min,
        cost=windows.unit_cost[row] / windows.money + (0.0 if priced is None else priced.of_on[row]),
        seg_first=np.concatenate(([0], np.cumsum([part.size for part in segs]))).astype(np.int64),
        seg_width=windows.seg_mw[seg] / sp,
        seg_cost=windows.seg_cost[seg] / sc + (0.0 if priced is None else priced.of_mw[windows.seg_unit[seg]]),
        cap=cap,
        ramp_up=np.minimum(column("ramp_up_mw_per_h") * (windows.dt_h / sp) + hair, cap),
        ramp_down=np.minimum(column("ramp_down_mw_per_h") * (windows.dt_h / sp) + hair, cap),
        start_ramp=np.clip(column("start_ramp_mw") / sp - p_min + hair, 0.0, cap),
        stop_ramp=np.clip(column("stop_ramp_mw") / sp - p_min + hair, 0.0, cap),
        up_limit=np.minimum(case.unit_response_mw[row, product - 1] / sp, cap),
        down_limit=np.zeros(row.size),
        # as the dispatch asks of rows that ramps hold; in shorter steps it lets them answer with more than the ramp of
        # a step, so the bound leaves the ramp out of it
        in_ramp=np.full(row.size, case.steps_per_hour == 1, dtype=np.bool_),
        must_run=np.zeros(row.size, dtype=np.bool_),
        min_up=windows.min_up[row],
        min_down=windows.min_down[row],
        on0=on0,
        hours0=hours0,
        q0=np.where(on0, np.where(np.isfinite(each), np.clip(each, 0.0, cap), np.nan), 0.0),
        avail=np.ascontiguousarray(avail, dtype=np.bool_),  # columns were picked: another layout, another compilation
        start_cost=start_cost,
        start_cost0=start_cost0,
        same=np.arange(row.size),
    )
    head = np.zeros((row.size, windows.is_up.size))
    owner = np.repeat(np.arange(row.size), np.diff(units.seg_first))
    np.add.at(head, owner, units.seg_width[:, None] * np.maximum(-windows.seg_offer[seg], 0.0))
    most = np.minimum(case.unit_response_mw[row] / sp, cap[:, None])
    offline = case.unit_offline_mw[row] / sp
    return Members(units, row, seg, head - offline, most - offline)


def asked(windows: Windows, t0: int, hours: int) -> BoolArray:
    """(np,) reserve products that something is asked of in the window."""
    wanted: BoolArray = np.any(windows.case.product_need_mw[t0 : t0 + hours] > 0.0, axis=0)
    return wanted


def leading_up(windows: Windows, t0: int, hours: int) -> int:
    """Column of the up product that asks for the most.

    The sweeps hold it against the room that energy leaves, so a product of the whole system is a better choice than one
    of a region. Products of quick starters that are off are left out.
    """
    needed = windows.case.product_need_mw[t0 : t0 + hours].sum(axis=0)
    usable = windows.is_up & windows.case.products["spinning"].to_numpy(bool)
    return int(np.argmax(np.where(usable, needed, -1.0))) + 1


def unit_rows(windows: Windows, problem: Problem, rows: Rows, rest: Rest, who: Members) -> bundle.UnitRows:
    """What the units give to the further rows: reserve products but the first of `rest`, and line rows."""
    T, bus = len(problem.need), windows.case.units["bus_row"].to_numpy(np.int64)
    others, offer = rest.maps.products[1:], windows.seg_offer[who.seg]
    at_seg = bus[windows.seg_unit[who.seg]]
    penalty = windows.case.penalties.reserve_short / windows.price_scale
    return bundle.UnitRows(
        hour=np.concatenate((np.tile(np.arange(T), others.size), rows.hour)).astype(np.int64),
        need=rest.need[2 * T :].copy(),
        on=stacked(np.repeat(who.head[:, others - 1].T, T, axis=0), -rows.coef[:, bus[who.row]] * who.units.p_min),
        seg=stacked(np.repeat(offer[:, others - 1].T, T, axis=0), -rows.coef[:, at_seg]),
        highest=np.concatenate((np.full(T * others.size, penalty), rest.win.row_cost)),
    )


def stacked(above: FloatArray, below: FloatArray) -> FloatArray:
    """One above the other, row after row in memory: another layout would be another compilation."""
    return np.ascontiguousarray(np.vstack((above, below)))


def system(windows: Windows, rest: Rest, who: Members) -> bundle.Demand:
    """What the units are asked for."""
    T, n = who.units.avail.shape
    none, apart = np.zeros(T), np.zeros((T, n))
    penalties, sc = windows.case.penalties, windows.price_scale
    return bundle.Demand(
        rest.need[:T].copy(), rest.need[T : 2 * T].copy(), none, none, apart, apart, penalties.shed / sc,
        penalties.spill / sc,
    )  # fmt: skip


def line_price(rows: Rows, solution: Solution, hours: int) -> FloatArray:
    """(T, columns of H) what line rows add to the price of energy."""
    out = np.zeros((hours, rows.coef.shape[1]))
    np.subtract.at(out, rows.hour, solution.price_row[:, None] * rows.coef)
    return out


def counts(who: Members, on: BoolArray, avail: IntArray, past: IntArray, must: IntArray) -> tuple[IntArray, IntArray]:
    """Units on and started (T, rows of units) of a schedule (T, n).

    Must-run rows are on as far as available, and start as they come back; before the first hour they had `past` on.
    """
    before = np.vstack((who.units.on0[None, :], on[:-1]))
    out = []
    for each in (on, on & ~before):
        total = np.zeros(avail.shape, dtype=np.int64)
        np.add.at(total.T, who.row, each.T.astype(np.int64))
        out.append(total)
    out[0][:, must] = avail[:, must]
    out[1][:, must] = np.maximum(np.diff(avail, axis=0, prepend=past[None]), 0)[:, must]
    return out[0], out[1]


class Better(NamedTuple):
    """What the search found."""

    best: "Fixed | None"  # the cheapest dispatch that it has tried
    bound: float  # in the plan's money
    tally: IntArray  # iterations, rounds, retries, stalls of its dispatches


def better(
    windows: Windows,
    t0: int,
    state: State,
    priced: Priced,
    relaxed: "Settled",
    rows: Rows,
    injected: FloatArray,
    fix: Callable[[IntArray, IntArray, "Fixed | None"], "Fixed"],
    *,
    first: "Fixed",
    effort: str,
    target_gap: float,
    constant: float,
) -> Better | None:
    """Search from a relaxed window's prices; None if the window is of a kind that it cannot search.

    Parameters
    ----------
    priced : Priced
        The window, its budgets as prices.
    rows : Rows
        Line rows of the relaxed window, whose prices are in its solution.
    injected : (T, columns) float64
        What is fed in whatever the window decides.
    fix : callable
        (units on, started, the cheapest dispatch so far) -> dispatch, in the plan's money. One that is bound to be
        dearer need not be finished.
    first : Fixed
        A dispatch to begin with.
    constant : float
        Cost of the plan that is not in the window's problem.
    """
    problem, solution = priced.problem, relaxed.solution
    hours, constant = len(problem.need), constant + priced.constant * windows.money
    if not windows.is_up.any() or not windows.free.size:
        return None
    product = leading_up(windows, t0, hours)
    who = members(windows, t0, hours, state, product, priced)
    if who is None:
        return None
    others = [r for r in np.flatnonzero(asked(windows, t0, hours)) + 1 if r != product]
    rest = Rest(problem, rows, solution, np.array([product, *others], dtype=np.int64))
    demand = system(windows, rest, who)
    further = unit_rows(windows, problem, rows, rest, who)
    avail, past = windows.case.unit_available[t0 : t0 + hours], windows.case.unit_available[max(t0 - 1, 0)]
    must = np.flatnonzero(windows.must)
    tried: list[Fixed] = []
    tally = np.zeros(4, dtype=np.int64)

    def dispatch(on: BoolArray) -> search.Dispatch:
        nonlocal tally
        units_on, started = counts(who, on, avail, past, must)
        found = first
        if not (np.array_equal(units_on, first.on) and np.array_equal(started, first.start)):
            try:
                found = fix(units_on, started, min(tried, key=lambda one: one.cost, default=None))
            except WindowError:  # a schedule whose dispatch cannot be solved is no schedule
                return search.Dispatch(np.inf, np.zeros((2, hours)), np.zeros(on.shape), np.zeros(on.shape))
            tally = tally + found.settled.tally
        tried.append(found)
        return _verdict(windows, who, found, product, np.array(others, dtype=np.int64), lines, constant)

    dearest = CHEAP * who.units.seg_cost.max()
    cheap = (problem.boxes.coef[:, 0] > 0.0) & (problem.boxes.cost.max(axis=0) <= dearest)
    lines = watched(windows, problem, injected, relaxed, who, cheap)
    net = _net(problem, rows, rest, solution, who, np.array([product, *others], dtype=np.int64), cheap, lines)
    prices = rest.prices(solution)
    result = search.improve(
        who.units, demand, prices[:hours].copy(), prices[hours : 2 * hours].copy(), dispatch, effort=effort,
        target_gap=target_gap, net=net, rows=further, nu=prices[2 * hours :].copy(), rest=rest,
        start=_one_by_one(who, first.on, state), place=_places(windows, who),
    )  # fmt: skip
    best = min(tried, key=lambda found: found.cost, default=None)
    return Better(best, result.bound * windows.money + constant, tally)


class Watched(NamedTuple):
    """Line rows as the sweeps count them: L elements, whatever the hour."""

    element: IntArray  # (L, 3) element, outage, sign
    need: FloatArray  # (T, L) MW that units on have to take off the element, everything else at its best for it
    answer: FloatArray  # (n, L) what one on takes off at best

    def of(self, keys: RowKeys, overload: FloatArray, hours: int) -> FloatArray:
        """(T, L) overloads of rows."""
        out = np.zeros((hours, len(self.element)))
        for column, element in enumerate(self.element):
            row = np.flatnonzero((np.column_stack((keys.element, keys.outage, keys.sign)) == element).all(axis=1))
            out[keys.hour[row], column] = overload[row]
        return out


def watched(
    windows: Windows, problem: Problem, injected: FloatArray, relaxed: "Settled", who: Members, cheap: BoolArray
) -> Watched:
    """The elements that are full in some hour, the dearest first.

    A row asks of the units on that their outputs can be such that it holds. Injections add up to nothing, so a constant
    on all of a row's factors changes no flow: it is taken so that half of the units' capacity has factors above it.
    """
    solution, keys, T = relaxed.solution, relaxed.keys, len(problem.need)
    line = ~windows.is_tangent(keys)
    places = np.column_stack((keys.element, keys.outage, keys.sign))[line]
    element, which = np.unique(places, axis=0, return_inverse=True)
    price = np.bincount(which.reshape(-1), weights=solution.price_row[line], minlength=len(element))
    element = element[np.argsort(-price, kind="stable")[:WATCHED]]
    size = len(element)
    hour = np.repeat(np.arange(T), size)
    rows = windows.rows(RowKeys(hour, *(np.tile(part, T) for part in element.T)), injected)
    coef, limit = rows.coef[:size], rows.limit.reshape(T, size)
    bus = windows.case.units["bus_row"].to_numpy(np.int64)[who.row]
    at_unit = coef[:, bus]
    order = np.argsort(at_unit, axis=1, kind="stable")
    part = np.cumsum((who.units.p_min + who.units.cap)[order], axis=1)
    middle = (part < 0.5 * part[:, -1:]).sum(axis=1)
    common = np.take_along_axis(at_unit, order[np.arange(size), middle][:, None], axis=1)
    boxes, ramps, stores = problem.boxes, problem.ramps, problem.stores
    of_box = coef[:, boxes.bus] * boxes.line - common * boxes.coef[:, 0]
    of_ramp, of_store = coef[:, ramps.bus] - common, coef[:, stores.bus] - common
    lo, hi = (np.where(cheap, end, solution.x) for end in (boxes.lo, boxes.hi))
    need = lo @ np.maximum(of_box, 0.0).T + hi @ np.minimum(of_box, 0.0).T
    need += ramps.base @ of_ramp.T + solution.ramp_q @ of_ramp[:, ramps.seg_ramp].T
    need += (solution.discharge - solution.charge) @ of_store.T
    need += problem.need[:, :1] * common.T - limit
    taken = common - at_unit
    most = who.units.p_min + who.units.cap
    return Watched(element, need, np.maximum(taken * who.units.p_min, taken * most).T)


def _net(
    problem: Problem, rows: Rows, rest: Rest, solution: Solution, who: Members, products: IntArray, cheap: BoolArray,
    lines: Watched,
) -> search.Net:  # fmt: skip
    """What the sweeps ask of the units: stores, dear sources and those behind a full line as the relaxed window uses
    them; the others give what the units leave, and answer to reserve up with what is not used of them."""
    hours, boxes = len(problem.need), problem.boxes
    shape = 1 + products.size, hours
    asked = (rest.need[: shape[0] * hours].reshape(shape) - rest.given_by(problem, solution)[: shape[0]]).T
    behind = line_price(rows, solution, hours)[:, boxes.bus] * boxes.line
    paid = solution.price[:, :1] + behind
    shut = (solution.price[:, :1] > PRICED) & (paid < boxes.cost + PRICED) & (behind < -PRICED)
    free = cheap & ~shut
    idle = np.where(free, boxes.hi - solution.x, 0.0)
    whole = np.where(free, boxes.hi - boxes.lo, 0.0)
    # as if all free sources were used: what they are idle now answers to products up by -coef a MW
    asked = asked - np.column_stack((idle.sum(axis=1), idle @ boxes.coef[:, products]))
    spare = np.hstack((whole @ -boxes.coef[:, products], np.zeros_like(lines.need)))
    return search.Net(
        asked[:, 0].copy(),
        asked[:, 0] + whole.sum(axis=1),
        asked[:, 1].copy(),
        np.hstack((asked[:, 2:], lines.need)),
        np.hstack((who.answer[:, products[1:] - 1], lines.answer)),
        spare,
        np.concatenate((_apart(problem, who, products[1:]), np.zeros(lines.need.shape[1], dtype=np.bool_))),
        products.size - 1,
    )


def _apart(problem: Problem, who: Members, products: IntArray) -> BoolArray:
    """Which products up have no unit and no box in common; those with few of them first."""
    serves = np.vstack((who.answer[:, products - 1] > 0.0, problem.boxes.coef[:, products] < 0.0))
    up: BoolArray = np.any(who.head[:, products - 1] > 0.0, axis=0)
    taken, apart = np.zeros(len(serves), dtype=np.bool_), np.zeros(products.size, dtype=np.bool_)
    for k in np.argsort(serves.sum(axis=0), kind="stable"):
        if up[k] and not (taken & serves[:, k]).any():
            apart[k] = True
            taken |= serves[:, k]
    return apart


def _places(windows: Windows, who: Members) -> IntArray:
    """(n,) units in the same place see the same prices: same bus, same offers of reserve."""
    bus = windows.case.units["bus_row"].to_numpy(np.int64)[who.row]
    seen = np.column_stack((bus, who.head))
    _, place = np.unique(seen, axis=0, return_inverse=True)
    return place.reshape(-1).astype(np.int64)


def _one_by_one(who: Members, on: IntArray, state: State) -> BoolArray:
    """A schedule of single units (T, n) with the given counts (T, rows): those that have been on longest stay on."""
    out = np.zeros(who.units.avail.shape, dtype=np.bool_)
    for row in np.unique(who.row):
        mine = np.flatnonzero(who.row == row)
        age = np.where(who.units.on0[mine], state.unit_hours[mine], -state.unit_hours[mine])
        order = mine[np.lexsort((-age, ~who.units.avail[0, mine]))]
        out[:, order] = np.arange(mine.size)[None, :] < on[:, row][:, None]
    return out


def _verdict(
    windows: Windows, who: Members, found: "Fixed", product: int, others: IntArray, lines: Watched, constant: float
) -> search.Dispatch:
    """A dispatch in the words of the search: scaled cost, what was short, prices at each unit but those of energy and
    of the product that the search prices itself."""
    s, parts, units = found.settled.solution, windows.parts(found.decided), who.units
    T = len(s.price)
    at_bus = line_price(windows.rows(found.settled.keys, np.zeros((T, windows.columns))), s, T)
    bus = windows.case.units["bus_row"].to_numpy(np.int64)
    slope = -at_bus[:, bus]
    for place, row in enumerate(parts.held):
        slope[:, row] += s.ramp_price[:, windows.ramped.size + place]
    reserve = s.price[:, 1:].copy()
    reserve[:, product - 1] = 0.0
    shift = slope[:, windows.seg_unit[who.seg]] - reserve @ windows.seg_offer[who.seg].T
    x = s.x
    missing = x[:, parts.short] + found.lacking_mw / windows.power_mw
    short = np.vstack((x[:, parts.shed].sum(axis=1), missing[:, product - 1]))
    further = np.hstack((missing[:, others - 1], lines.of(found.settled.keys, s.overload, T)))
    short, more = (np.where(part * windows.power_mw > SHORT_MW, part, 0.0) for part in (short, further))
    on_shift = -at_bus[:, bus[who.row]] * units.p_min
    return search.Dispatch(
        (found.cost - constant) / windows.money, short, np.ascontiguousarray(shift), np.ascontiguousarray(on_shift),
        np.ascontiguousarray(more),
    )  # fmt: skip
