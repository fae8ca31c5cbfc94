"""Window problems drawn at random, and what they must satisfy, restated hour by hour.

`random_problem` draws small windows full of awkward cases, `jiangsu_like` one of a province's size. Both are feasible
by construction: all units off, ramped devices on the path they were drawn around, stores on theirs (idle, but where a
mode is decided; or charging up to a level they must end with), shed or spill at each bus, reserve shortfalls, priced
overloads. Power is scaled to about 1, energy costs to 0.1-20. `violation` and `cost_of` read a solution against the
statement in ``gridsim.kernels.problem`` and share no code with any solver.

Reserve products are drawn among four: "up" asks for what a unit could still produce, "fast" for what it could within a
response limit (its segments are cut there, the topmost count), "quick" is not spinning: a quick starter that is off
offers its p_max, which makes the coefficient of a unit on negative; "down" asks for output that can be taken back.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Boxes, Budgets, Problem, Ramps, Rows, Solution, Stores, Units

PRODUCTS = ("up", "fast", "quick", "down")


class History(NamedTuple):
    """What `solve_milp` wants to know beyond the problem."""

    min_up_h: IntArray  # (nu,)
    min_down_h: IntArray  # (nu,)
    on_hours: IntArray  # (nu, K)
    off_hours: IntArray  # (nu, K)


class _Prices:
    """Energy prices of one problem: spread evenly on a log scale, or from a list of three so that many are equal."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.low, self.high = (1e-3, 50.0) if rng.random() < 0.15 else (0.1, 20.0)
        self.few = rng.random() < 0.25
        self.shed = 10.0 ** rng.uniform(1.5, 3.0)  # above everything else

    def draw(self, *shape: int) -> FloatArray:
        if self.few:
            return self.rng.choice([0.5, 1.0, 2.0], size=shape)
        return 10.0 ** self.rng.uniform(np.log10(self.low), np.log10(self.high), size=shape)

    def rising(self, n: int) -> FloatArray:
        """Costs of n segments of one device, none below the one before."""
        factor = np.sort(self.rng.uniform(1.0, 1.6, n)) if self.rng.random() < 0.8 else np.ones(n)
        return self.draw(1) * factor


def random_problem(
    seed: int,
    *,
    T: int | None = None,
    R: int | None = None,
    units: int = 3,
    boxes: int = 4,
    ramps: int = 1,
    stores: int = 2,
    buses: int = 3,
    rows: int | None = None,
) -> tuple[Problem, Rows]:
    """Draw a small window.

    `boxes` counts the sources; shed and spill at each bus and the shortfalls of the reserve products come after them.
    T is 6..48, R is 2..5 and `rows`, the line rows asked for, 0..T if not given. One bus has no lines, hence no rows.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 49)) if T is None else T
    R = int(rng.integers(2, 6)) if R is None else R
    products = [str(name) for name in rng.permutation(PRODUCTS)[: R - 1]]
    prices = _Prices(rng)
    demand = _demand(rng, n, buses, level=max(0.3 * units + 0.2 * boxes, 0.5))
    unit, resting = _units(rng, n, units, buses, prices, products)
    network = _network(rng, buses)
    link = int(boxes > 1 and buses > 1 and rng.random() < 0.3)  # an embedded DC link: moves power, makes none
    source = _sources(rng, n, boxes - link, buses, prices, products)
    ramp = _ramps(rng, n, ramps, buses, prices, products)
    store, charging = _stores(rng, n, stores, buses, prices)
    parts = [source]
    if link:
        ends = rng.choice(buses, 2, replace=False)
        network = np.column_stack([network, network[:, ends[0]] - network[:, ends[1]]])
        parts.append(_link(rng, n, network.shape[1] - 1, R))
    parts.append(_shed(demand, source, ramp, store, charging=charging, cost=prices.shed, R=R))
    parts.append(_spill(unit, source, ramp, store, buses=buses, cost=rng.choice([0.0, 0.5, 5.0])))
    asked = demand.sum(axis=1)[:, None] * rng.uniform(0.02, 0.3, R - 1)
    asked *= (rng.random((n, R - 1)) < 0.9) & (rng.random(R - 1) < 0.8)
    offered = [np.abs(coef).max(axis=0, initial=0.0) for coef in (unit.seg_coef, source.coef, ramp.seg_coef)]
    lonely = np.maximum.reduce(offered)[1:] == 0.0  # nobody offers it: no row 0 >= 0 without any room
    parts.append(_shortfalls(1.05 * asked + 0.01 * lonely, prices.shed * rng.uniform(0.1, 0.5, R - 1)))
    need = np.column_stack([demand.sum(axis=1), asked]) + _offers(source, ramp) - resting
    problem = Problem(need, unit, _join(parts), ramp, store)
    if buses < 2 or rows == 0 or (rows is None and rng.random() < 0.15):
        return problem, _no_rows(network.shape[1])
    count = int(rng.integers(1, n + 1)) if rows is None else rows
    return problem, _line_rows(rng, count, network, demand, cost=prices.shed * rng.uniform(0.1, 0.6))


def history(seed: int, problem: Problem, longest_h: int = 6) -> History:
    """Draw minimum times and a past for the units of `problem`, whose on0 must be whole."""
    rng = np.random.default_rng([seed, 1])
    nu = problem.units.bus.size
    on_hours, off_hours = np.zeros((nu, longest_h), np.int64), np.zeros((nu, longest_h), np.int64)
    off0 = np.maximum(problem.units.avail[0] - problem.units.on0, 0.0)
    for i in range(nu):
        for past, count in ((on_hours, problem.units.on0[i]), (off_hours, off0[i])):
            np.add.at(past[i], rng.integers(0, longest_h, int(count)), 1)
    return History(rng.integers(1, longest_h + 1, nu), rng.integers(1, longest_h + 1, nu), on_hours, off_hours)


def _demand(rng: np.random.Generator, n: int, buses: int, level: float) -> FloatArray:
    share = rng.dirichlet(np.full(buses, 2.0))
    if buses > 1 and rng.random() < 0.3:
        share[rng.integers(buses)] = 0.0
    hour = np.arange(n)[:, None]
    day = 1.0 + rng.uniform(0.0, 0.5) * np.sin(2.0 * np.pi * (hour - rng.uniform(0, 24)) / 24.0)
    demand = level * share * day * rng.uniform(0.8, 1.2, (n, buses))
    if rng.random() < 0.2:
        demand[rng.integers(n)] = 0.0
    return demand


def _units(
    rng: np.random.Generator, n: int, nu: int, buses: int, prices: _Prices, products: list[str]
) -> tuple[Units, FloatArray]:
    """Also returns, (T, R), what units offer that are all off: not theirs to give as soon as they are on."""
    count = rng.integers(1, 6, nu)
    avail = np.tile(count.astype(float), (n, 1))
    for i in range(nu):
        if rng.random() < 0.3:  # a planned outage: of one unit, or of all
            first = int(rng.integers(0, n))
            lost = count[i] if rng.random() < 0.5 else 1
            avail[first : first + int(rng.integers(1, n + 1)), i] -= lost
    p_max = rng.uniform(0.2, 1.2, nu) / count
    p_min = p_max * rng.uniform(0.1, 0.6, nu) * (rng.random(nu) < 0.85)
    fixed = rng.random(nu) < 0.06  # runs at one power only: a sliver of a segment
    p_min[fixed] = (1.0 - 1e-6) * p_max[fixed]
    segments = np.where(fixed, 1, rng.integers(1, 6, nu))
    seg_unit = np.repeat(np.arange(nu), segments)
    width, seg_cost = np.zeros(seg_unit.size), np.zeros(seg_unit.size)
    coef, seg_coef = np.zeros((nu, len(products) + 1)), np.zeros((seg_unit.size, len(products) + 1))
    coef[:, 0], seg_coef[:, 0] = p_min, 1.0
    no_load, resting = np.zeros(nu), np.zeros((n, len(products) + 1))
    for i in range(nu):
        mine = np.flatnonzero(seg_unit == i)
        share = rng.dirichlet(np.full(mine.size, 3.0)) + 0.02
        width[mine] = (p_max[i] - p_min[i]) * share / share.sum()
        seg_cost[mine] = prices.rising(mine.size)
        if mine.size > 1 and rng.random() < 0.5:  # a cost segment cut in two at a response limit
            cut = int(rng.integers(1, mine.size))
            seg_cost[mine[cut]] = seg_cost[mine[cut - 1]]
        no_load[i] = p_min[i] * seg_cost[mine[0]] * rng.uniform(0.9, 1.8)
        starts_fast = rng.random() < 0.5
        for r, product in enumerate(products, start=1):
            if rng.random() < 0.2:
                continue  # not eligible
            depth = mine.size if product == "up" else int(rng.integers(1, mine.size + 1))
            if product == "down":
                seg_coef[mine[:depth], r] = 1.0
                continue
            seg_coef[mine[mine.size - depth :], r] = -1.0
            coef[i, r] = width[mine[mine.size - depth :]].sum()
            if product == "quick" and starts_fast:
                coef[i, r] -= p_max[i]
                resting[:, r] += p_max[i] * avail[:, i]
    on0 = rng.integers(0, count + 1).astype(float)
    if rng.random() < 0.3:
        on0 *= rng.uniform(0.0, 1.0, nu)  # the window before was relaxed
    unit = Units(
        bus=rng.integers(0, buses, nu),
        coef=coef,
        cost=no_load * (rng.random(nu) < 0.85),
        start_cost=p_max * prices.draw(nu) * rng.uniform(0.5, 10.0, nu) * (rng.random(nu) < 0.85),
        on0=on0,
        avail=avail,
        seg_unit=seg_unit,
        seg_width=width,
        seg_cost=seg_cost,
        seg_coef=seg_coef,
    )
    return unit, resting


def _sources(rng: np.random.Generator, n: int, nx: int, buses: int, prices: _Prices, products: list[str]) -> Boxes:
    size = rng.uniform(0.05, 0.8, nx)
    hi = size * rng.uniform(0.0, 1.0, (n, nx))
    lo = np.zeros((n, nx))
    cost = np.tile(prices.draw(nx) * (rng.random(nx) < 0.6), (n, 1))  # wind and sun cost nothing
    for j in range(nx):
        kind = rng.random()
        if kind < 0.15:
            lo[:, j] = hi[:, j]  # a schedule
        elif kind < 0.3:
            lo[:, j] = 0.9 * hi[:, j]  # an import with a band
        elif kind < 0.4:
            lo[:, j], hi[:, j] = -hi[:, j], -0.5 * hi[:, j]  # an export
        elif kind < 0.5:
            lo[:, j] = -0.5 * hi[:, j]  # an exchange
        elif kind < 0.6:
            closed = rng.random(n) < 0.5  # no sun at night
            hi[closed, j] = 0.0
        if rng.random() < 0.2:
            cost[:, j] = prices.draw(n)  # a price that moves
        if rng.random() < 0.1:
            cost[:, j] = -prices.low
    helps = rng.random((nx, 1)) < 0.4
    sign = np.array([1.0 if product == "down" else -1.0 for product in products])
    coef = np.column_stack([np.ones(nx), sign * (helps & (rng.random((nx, sign.size)) < 0.7))])
    return Boxes(rng.integers(0, buses, nx), lo, hi, cost, coef, np.ones(nx))


def _link(rng: np.random.Generator, n: int, column: int, R: int) -> Boxes:
    size = rng.uniform(0.05, 0.4)
    cost = np.full((n, 1), 0.0 if rng.random() < 0.5 else 1e-3)
    lo, hi = np.full((n, 1), -size), np.full((n, 1), size)
    return Boxes(np.array([column]), lo, hi, cost, np.zeros((1, R)), np.ones(1))


def _ramps(rng: np.random.Generator, n: int, nr: int, buses: int, prices: _Prices, products: list[str]) -> Ramps:
    size = rng.uniform(0.1, 0.6, nr)
    up, down = size * rng.uniform(0.02, 0.4, (2, 1, nr)) * rng.uniform(0.5, 1.0, (2, n, nr))
    step = -down + (down + up) * rng.uniform(0.0, 1.0, (n, nr))
    p0 = size * rng.uniform(0.3, 0.7, nr)
    path = p0 + step.cumsum(axis=0)
    below, above = size * rng.uniform(0.0, 0.6, (n, nr)), size * rng.uniform(0.0, 0.6, (n, nr))
    for r in range(nr):
        kind = rng.random()
        if kind < 0.15:
            below[:, r] = above[:, r] = 0.0  # a schedule that moves as fast as it may
        elif kind < 0.4:  # a unit with a given schedule: some hours off, into and out of which it may jump
            off = rng.random(n) < 0.3
            path[off, r] = below[off, r] = above[off, r] = 0.0
            jumps = np.abs(np.diff(path[:, r], prepend=p0[r])) + size[r]
            changes = off | np.append(False, off[:-1])
            up[changes, r], down[changes, r] = jumps[changes], jumps[changes]
    segments = rng.integers(1, 4, nr)
    seg_ramp = np.repeat(np.arange(nr), segments)
    width, cost = np.zeros((n, seg_ramp.size)), np.zeros((n, seg_ramp.size))
    coef = np.zeros((seg_ramp.size, len(products) + 1))
    coef[:, 0] = 1.0
    for r in range(nr):
        mine = np.flatnonzero(seg_ramp == r)
        share = rng.dirichlet(np.full(mine.size, 3.0)) + 0.02
        width[:, mine] = (below + above)[:, [r]] * share / share.sum()
        cost[:, mine] = prices.rising(mine.size)
        if rng.random() < 0.2:
            cost[:, mine] *= rng.uniform(0.5, 1.5, (n, 1))
        helps = rng.random() < 0.6
        for at, product in enumerate(products, start=1):
            depth = int(rng.integers(0, mine.size + 1)) * helps
            if product == "down":
                coef[mine[:depth], at] = 1.0
            else:
                coef[mine[mine.size - depth :], at] = -1.0
    return Ramps(rng.integers(0, buses, nr), path - below, up, down, p0, seg_ramp, width, cost, coef)


def _stores(rng: np.random.Generator, n: int, ns: int, buses: int, prices: _Prices) -> tuple[Stores, FloatArray]:
    """Also returns, (T, ns), power that may have to be found for charging: for a mode, or for an end level."""
    power, hours = rng.uniform(0.05, 0.5, ns), rng.uniform(1.0, 8.0, ns)
    charge_max = np.tile(power * rng.uniform(0.7, 1.0, ns), (n, 1))
    discharge_max = np.tile(power, (n, 1))
    charge_min, discharge_min, inflow, spill_max, charging = np.zeros((5, n, ns))
    keep = np.where(rng.random(ns) < 0.4, 1.0 - rng.uniform(1e-4, 0.02, ns), 1.0)
    eta_c, eta_d = rng.uniform(0.8, 1.0, (2, ns))
    e_max = power * hours
    e_min = np.where(rng.random(ns) < 0.5, rng.uniform(0.0, 0.3, ns), 0.0) * e_max
    e0 = e_min + (e_max - e_min) * rng.uniform(0.0, 1.0, ns)
    e_lo, e_hi = np.tile(e_min, (n, 1)), np.tile(e_max, (n, 1))
    for s in range(ns):
        extreme = rng.random()
        e0[s] = e_min[s] if extreme < 0.15 else e_max[s] if extreme < 0.3 else e0[s]
        if rng.random() < 0.15:
            eta_c[s] = eta_d[s] = 1.0
        if rng.random() < 0.15:  # the store stands still for a while
            first = int(rng.integers(0, n))
            charge_max[first : first + 6, s] = discharge_max[first : first + 6, s] = 0.0
        if rng.random() < 0.3:  # a reservoir
            inflow[:, s] = power[s] * rng.uniform(0.0, 0.4, n) * (rng.random(n) < 0.8)
        pump = rng.random() < 0.3  # whose mode is decided in some hours
        level = full = e0[s]
        for t in range(n):
            mode, least = rng.integers(3) * pump, rng.uniform(0.1, 0.7)
            gain = keep[s] * level - level + inflow[t, s]
            charged, discharged = eta_c[s] * charge_max[t, s] * least, discharge_max[t, s] * least / eta_d[s]
            margin = 0.02 * (e_max[s] - e_min[s])
            if mode == 1 and charged > 0.0 and level + gain + 1.1 * charged < e_max[s] - margin:
                charge_min[t, s], discharge_max[t, s], gain = least * charge_max[t, s], 0.0, gain + 1.1 * charged
            elif mode == 2 and discharged > 0.0 and level + gain - 1.1 * discharged > e_min[s] + margin:
                discharge_min[t, s], charge_max[t, s], gain = least * discharge_max[t, s], 0.0, gain - 1.1 * discharged
            excess = max(0.0, level + gain - e_max[s])
            if inflow[t, s] > 0.0:
                spill_max[t, s] = 1.2 * excess + inflow[t, s] * rng.choice([0.1, 2.0])
            level = min(level + gain, e_max[s])
            e_lo[t, s] = min(e_lo[t, s], level)
            most = inflow[t, s] + eta_c[s] * charge_max[t, s] - discharge_min[t, s] / eta_d[s]
            full = min(keep[s] * full + most, e_max[s])
        charging[:, s] = np.where(charge_min[:, s] > 0.0, charge_max[:, s], 0.0)
        rule = rng.random()
        if rule < 0.3:
            e_lo[-1, s] = level
        elif rule < 0.45 and full > level:
            e_lo[-1, s] = level + rng.uniform(0.1, 0.95) * (full - level)
            charging[:, s] = charge_max[:, s]
    worth = np.where(rng.random(ns) < 0.4, prices.draw(ns), 0.0)
    wear = np.where(rng.random((2, ns)) < 0.6, 0.1 * prices.draw(2, ns), 0.0)
    store = Stores(
        bus=rng.integers(0, buses, ns),
        charge_min=charge_min,
        charge_max=charge_max,
        discharge_min=discharge_min,
        discharge_max=discharge_max,
        charge_cost=wear[0],
        discharge_cost=wear[1],
        eta_c=eta_c,
        eta_d=eta_d,
        keep=keep,
        inflow=inflow,
        spill_max=spill_max,
        e0=e0,
        e_lo=e_lo,
        e_hi=e_hi,
        end_value=worth,
    )
    return store, charging


def _per_bus(bus: IntArray, value: FloatArray, buses: int) -> FloatArray:
    """Sum (T, n) values of devices into (T, buses)."""
    total = np.zeros((value.shape[0], buses))
    np.add.at(total.T, bus, value.T)
    return total


def _slack(bus: IntArray, hi: FloatArray, cost: FloatArray, coef: FloatArray, line: float) -> Boxes:
    """Boxes from 0 up, at one price each."""
    return Boxes(bus, np.zeros_like(hi), hi, np.tile(cost, (len(hi), 1)), coef, np.full(bus.size, line))


def _shed(
    demand: FloatArray, source: Boxes, ramp: Ramps, store: Stores, *, charging: FloatArray, cost: float, R: int
) -> Boxes:
    """Unserved demand, and what else may have to be left undone: exports, and charging that must be."""
    buses = demand.shape[1]
    hi = demand + _per_bus(source.bus, np.maximum(-source.hi, 0.0), buses)
    hi += _per_bus(ramp.bus, np.maximum(-ramp.base, 0.0), buses)
    hi += _per_bus(store.bus, charging, buses)
    return _slack(np.arange(buses), hi, np.full(buses, cost), np.tile(np.eye(R)[0], (buses, 1)), 1.0)


def _spill(unit: Units, source: Boxes, ramp: Ramps, store: Stores, *, buses: int, cost: float) -> Boxes:
    """Room for all that could be made at each bus."""
    p_max = unit.coef[:, 0] + np.bincount(unit.seg_unit, weights=unit.seg_width, minlength=unit.bus.size)
    hi = _per_bus(unit.bus, unit.avail * p_max, buses) + _per_bus(source.bus, np.maximum(source.hi, 0.0), buses)
    hi += _per_bus(ramp.bus, np.maximum(_highest(ramp), 0.0), buses) + _per_bus(store.bus, store.discharge_max, buses)
    coef = np.tile(-np.eye(unit.coef.shape[1])[0], (buses, 1))
    return _slack(np.arange(buses), hi, np.full(buses, cost), coef, -1.0)


def _highest(ramp: Ramps) -> FloatArray:
    """(T, nr) most output of ramped devices, ramps apart."""
    total = ramp.base.copy()
    np.add.at(total.T, ramp.seg_ramp, ramp.seg_width.T)
    return total


def _shortfalls(most: FloatArray, cost: FloatArray) -> Boxes:
    """Up to `most` (T, R - 1) of each reserve product may be missing."""
    count = most.shape[1]
    return _slack(np.zeros(count, np.int64), most, cost, np.eye(count + 1)[1:], 0.0)


def _join(parts: list[Boxes]) -> Boxes:
    hourly = ("lo", "hi", "cost")
    return Boxes(
        **{
            name: np.concatenate([getattr(part, name) for part in parts], axis=1 if name in hourly else 0)
            for name in Boxes._fields
        }
    )


def _offers(source: Boxes, ramp: Ramps) -> FloatArray:
    """(T, R) constants of what sources and ramped devices offer: headrooms hi - x and width - q, rooms x - lo."""
    up, down = np.minimum(source.coef, 0.0), np.maximum(source.coef, 0.0)
    constants = source.lo @ down + source.hi @ up + ramp.seg_width @ np.minimum(ramp.seg_coef, 0.0)
    constants[:, 0] = 0.0
    return constants


def _network(rng: np.random.Generator, buses: int) -> FloatArray:
    """PTDF (lines, buses) of a ring with chords, power leaving at bus 0."""
    if buses < 2:
        return np.zeros((0, buses))
    ends = [(b, (b + 1) % buses) for b in range(buses if buses > 2 else 1)]
    ends += [(int(a), int(b)) for a, b in rng.integers(0, buses, (buses // 2, 2)) if a != b]
    incidence = np.zeros((len(ends), buses))
    for line, (a, b) in enumerate(ends):
        incidence[line, a], incidence[line, b] = 1.0, -1.0
    flow = incidence / rng.uniform(0.2, 1.0, len(ends))[:, None]
    ptdf = np.zeros_like(incidence)
    ptdf[:, 1:] = flow[:, 1:] @ np.linalg.inv((incidence.T @ flow)[1:, 1:])
    return ptdf


def _no_rows(columns: int) -> Rows:
    return Rows(np.zeros(0, np.int64), np.zeros((0, columns)), np.zeros(0), np.zeros(0))


def _line_rows(rng: np.random.Generator, count: int, network: FloatArray, demand: FloatArray, *, cost: float) -> Rows:
    """Draw (hour, line, direction) without repeats: some lines so weak that they bind, some that never do."""
    n, lines = demand.shape[0], network.shape[0]
    rating = demand.sum(axis=1).mean() * np.where(rng.random(lines) < 0.3, 20.0, rng.uniform(0.02, 0.3, lines))
    count = min(count, n * lines * 2)
    drawn = np.sort(rng.choice(n * lines * 2, count, replace=False))
    if rng.random() < 0.3:
        drawn = np.arange(count)  # everything in the first hours, both directions of every line
    hour, line, sign = drawn // (2 * lines), drawn // 2 % lines, 1.0 - 2.0 * (drawn % 2)
    return _rows(hour, sign[:, None] * network[line], rating[line], demand, cost)


def _heavy_rows(
    rng: np.random.Generator, count: int, network: FloatArray, demand: FloatArray, *, capacity: FloatArray, cost: float
) -> Rows:
    """The line-hours loaded most if every device served its share, and ratings about those flows."""
    total = demand.sum(axis=1, keepdims=True)
    flow = (capacity * total / capacity.sum(axis=1, keepdims=True) - demand) @ network.T
    rating = np.abs(flow).max(axis=0) * rng.uniform(0.5, 1.5, network.shape[0])
    chosen = np.sort(np.argsort(-(np.abs(flow) / rating).ravel(), kind="stable")[:count])
    hour, line = np.unravel_index(chosen, flow.shape)
    return _rows(hour.astype(np.int64), np.sign(flow[hour, line])[:, None] * network[line], rating[line], demand, cost)


def _rows(hour: IntArray, coef: FloatArray, rating: FloatArray, demand: FloatArray, cost: float) -> Rows:
    """Move the flow of demand to the right-hand side."""
    limit = rating + (coef[:, : demand.shape[1]] * demand[hour]).sum(axis=1)
    return Rows(hour, np.ascontiguousarray(coef), limit, np.full(hour.size, cost))


def jiangsu_like(seed: int, T: int = 48, rows: int = 0) -> tuple[Problem, Rows]:
    """Draw a window of a province's size: 125 groups, 250 segments, 170 boxes, 6 ramps, 25 stores, 100 buses, R = 3.

    Power in GW (peak about 110), money in 300 currency/MWh: coal costs about 1, shedding 67, an overload 17.
    """
    rng = np.random.default_rng([seed, 2])
    n, nu, nst, buses = T, 125, 25, 100
    hour = np.arange(n)
    shape = 0.85 + 0.1 * np.sin(2 * np.pi * (hour - 9.0) / 24.0) + 0.06 * np.sin(4 * np.pi * (hour - 7.0) / 24.0)
    load_bus = np.sort(rng.choice(buses, 60, replace=False))
    demand = np.zeros((n, buses))
    demand[:, load_bus] = 116.0 * rng.dirichlet(np.full(60, 3.0)) * shape[:, None] * rng.uniform(0.97, 1.03, (n, 60))

    gas = np.arange(nu) >= 90
    count = np.where(gas, rng.integers(1, 7, nu), rng.integers(1, 3, nu))
    p_max = np.where(gas, rng.choice([0.18, 0.25, 0.4, 0.47], nu), rng.choice([0.33, 0.35, 0.6, 0.66, 1.0], nu))
    p_min = p_max * np.where(gas, 0.5, rng.uniform(0.3, 0.4, nu))
    avail = np.tile(count.astype(float), (n, 1))
    for i in np.flatnonzero(rng.random(nu) < 0.1):
        avail[int(rng.integers(0, n)) :, i] -= 1.0
    marginal = np.where(gas, rng.uniform(1.6, 2.3, nu), rng.uniform(0.85, 1.25, nu))
    unit = Units(
        bus=rng.integers(0, buses, nu),
        coef=np.column_stack([p_min, p_max - p_min, np.zeros(nu)]),
        cost=p_min * marginal * rng.uniform(1.0, 1.15, nu),
        start_cost=p_max * np.where(gas, rng.uniform(0.3, 0.8, nu), rng.uniform(1.5, 4.0, nu)),
        on0=np.minimum(np.where(gas, rng.integers(0, 2, nu), count), avail[0]),
        avail=avail,
        seg_unit=np.repeat(np.arange(nu), 2),
        seg_width=np.repeat((p_max - p_min) / 2, 2),
        seg_cost=(marginal[:, None] * np.array([0.98, 1.06])).ravel(),
        seg_coef=np.tile([1.0, -1.0, 1.0], (2 * nu, 1)),
    )

    ns = 72
    sun = np.maximum(np.sin(np.pi * (hour % 24 - 6.0) / 12.0), 0.0)[:, None]
    size = rng.uniform(0.1, 1.2, ns)
    wind = rng.uniform(0.1, 0.9, ns) * np.exp(0.15 * rng.standard_normal((n, ns)).cumsum(axis=0))
    hi = size * np.clip(wind, 0.0, 1.0)
    pv, band = np.arange(ns) >= 40, np.arange(ns) >= 64
    hi[:, pv] = (size * sun)[:, pv] * rng.uniform(0.6, 1.0, (n, int(pv.sum())))
    hi[:, band] = 2.0 * size[band] * rng.uniform(0.7, 1.0, (n, int(band.sum())))
    lo = np.where(band, 0.9 * hi, 0.0)
    cost = np.tile(np.where(band, 0.9, 1e-3), (n, 1))
    one = np.ones(ns)
    coef = np.column_stack([one, -1.0 * ~band, 1.0 * ~band])
    source = Boxes(rng.integers(0, buses, ns), lo, hi, cost, coef, one)

    ramp_size = rng.uniform(1.0, 6.0, 6)
    limit = np.tile(0.15 * ramp_size, (n, 1))
    path = ramp_size * (0.6 + 0.2 * np.sin(2 * np.pi * (hour[:, None] - 8.0) / 24.0))
    ramp_cost = np.repeat(rng.uniform(0.9, 1.1, 6), 2) * np.tile([1.0, 1.05], 6)
    ramp = Ramps(
        bus=rng.integers(0, buses, 6),
        base=0.9 * path,
        up=limit,
        down=limit.copy(),
        p0=0.95 * path[0],
        seg_ramp=np.repeat(np.arange(6), 2),
        seg_width=np.repeat(0.05 * path, 2, axis=1),
        seg_cost=np.tile(ramp_cost, (n, 1)),
        seg_coef=np.tile([1.0, 0.0, 0.0], (12, 1)),
    )

    power, length = rng.uniform(0.1, 1.2, nst), np.where(np.arange(nst) < 8, 6.0, 2.0)
    e_max = power * length
    e_lo, e0 = np.zeros((n, nst)), 0.5 * e_max
    e_lo[-1] = e0
    wear = np.where(np.arange(nst) < 8, 0.01, 0.1)
    eta = np.where(np.arange(nst) < 8, 0.87, 0.94)
    peak, e_hi, zero = np.tile(power, (n, 1)), np.tile(e_max, (n, 1)), np.zeros(nst)
    bus = rng.integers(0, buses, nst)
    none = np.zeros((n, nst))
    reservoir = np.arange(nst) < 2
    inflow = np.where(reservoir, 0.05 * power, none)
    store = Stores(
        bus=bus,
        charge_min=none,
        charge_max=peak,
        discharge_min=none.copy(),
        discharge_max=peak.copy(),
        charge_cost=wear,
        discharge_cost=wear.copy(),
        eta_c=eta,
        eta_d=eta.copy(),
        keep=zero + 1.0,
        inflow=inflow,
        spill_max=2.0 * inflow,
        e0=e0,
        e_lo=e_lo,
        e_hi=e_hi,
        end_value=zero,
    )

    shed = _shed(demand, source, ramp, store, charging=none, cost=67.0, R=3)
    spill = _spill(unit, source, ramp, store, buses=buses, cost=1.7)
    capacity = spill.hi
    shed = _pick(shed, load_bus)
    spill = _pick(spill, np.sort(np.argsort(-spill.hi.sum(axis=0))[:36]))
    total = demand.sum(axis=1)
    asked = np.column_stack([0.03 * total + 1.0, 0.02 * total])
    box = _join([source, shed, spill, _shortfalls(asked, np.full(2, 10.0))])
    problem = Problem(np.column_stack([total, asked]) + _offers(source, ramp), unit, box, ramp, store)
    network = _network(rng, buses)
    if not rows:
        return problem, _no_rows(buses)
    return problem, _heavy_rows(rng, rows, network, demand, capacity=capacity, cost=17.0)


def _pick(box: Boxes, which: IntArray) -> Boxes:
    hourly = ("lo", "hi", "cost")
    return Boxes(*(a[:, which] if name in hourly else a[which] for name, a in box._asdict().items()))


def ramp_output(problem: Problem, solution: Solution) -> FloatArray:
    """Output of ramped devices, (T, nr)."""
    total = problem.ramps.base.copy()
    for k, r in enumerate(problem.ramps.seg_ramp):
        total[:, r] += solution.ramp_q[:, k]
    return total


def violation(problem: Problem, rows: Rows, solution: Solution) -> float:
    """Worst breach of any constraint of the statement, prices apart, in the problem's own scaled units."""
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    s, p = solution, ramp_output(problem, solution)
    worst = [0.0]
    energy, before = stores.e0, ramps.p0
    for t in range(problem.need.shape[0]):
        on = s.u[t, units.seg_unit]
        given = units.coef.T @ s.u[t] + units.seg_coef.T @ s.q[t] + boxes.coef.T @ s.x[t]
        given += ramps.seg_coef.T @ s.ramp_q[t]
        given[0] += ramps.base[t].sum() + (s.discharge[t] - s.charge[t]).sum()
        worst.append(abs(given[0] - problem.need[t, 0]))
        worst += [*(problem.need[t] - given)[1:]]
        for value, lo, hi in (
            (s.u[t], 0.0, units.avail[t]),
            (s.q[t], 0.0, units.seg_width * on),
            (s.x[t], boxes.lo[t], boxes.hi[t]),
            (s.ramp_q[t], 0.0, ramps.seg_width[t]),
            (p[t] - before, -ramps.down[t], ramps.up[t]),
            (s.charge[t], stores.charge_min[t], stores.charge_max[t]),
            (s.discharge[t], stores.discharge_min[t], stores.discharge_max[t]),
            (s.spill[t], 0.0, stores.spill_max[t]),
            (s.e[t], stores.e_lo[t], stores.e_hi[t]),
        ):
            worst += [*(lo - value), *(value - hi)]
        energy = stores.keep * energy + stores.eta_c * s.charge[t] - s.discharge[t] / stores.eta_d
        energy += stores.inflow[t] - s.spill[t]
        worst += [*np.abs(s.e[t] - energy)]
        energy, before = s.e[t], p[t]
    for m in range(rows.hour.size):
        flow = rows.coef[m] @ injections(problem, solution, int(rows.hour[m]), rows.coef.shape[1])
        worst += [flow - s.overload[m] - rows.limit[m], -s.overload[m]]
    for use, limit, excess in zip(use_of(problem, s), problem.budgets.limit, s.excess, strict=True):
        worst += [use - excess - limit, -excess]
    return float(max(worst))


def use_of(problem: Problem, solution: Solution) -> list[float]:
    """What the members of each budget row use, hour by hour and one after the other."""
    b, s, found = problem.budgets, solution, []
    for q in range(b.limit.size):
        each = (b.unit[q] @ s.u[t] + b.seg[q] @ s.q[t] + b.box[q] @ s.x[t] + b.ramp_seg[q] @ s.ramp_q[t] for t in
                range(len(problem.need)) if b.hours[q, t])  # fmt: skip
        found.append(float(sum(each)))
    return found


def injections(problem: Problem, solution: Solution, hour: int, columns: int) -> FloatArray:
    """What the devices put into each column of H in one hour, (columns,)."""
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    total = np.zeros(columns)
    np.add.at(total, units.bus, units.coef[:, 0] * solution.u[hour])
    np.add.at(total, units.bus[units.seg_unit], solution.q[hour])
    np.add.at(total, boxes.bus, boxes.line * solution.x[hour])
    np.add.at(total, ramps.bus, ramp_output(problem, solution)[hour])
    np.add.at(total, stores.bus, solution.discharge[hour] - solution.charge[hour])
    return total


def cost_of(problem: Problem, rows: Rows, solution: Solution) -> float:
    """The objective of the statement at a solution; starts are the rises of u."""
    units, stores, s = problem.units, problem.stores, solution
    starts = np.maximum(np.diff(s.u, axis=0, prepend=units.on0[None, :]), 0.0)
    cost = (units.cost * s.u).sum() + (units.start_cost * starts).sum() + (units.seg_cost * s.q).sum()
    cost += (problem.boxes.cost * s.x).sum() + (problem.ramps.seg_cost * s.ramp_q).sum()
    cost += (rows.cost * s.overload).sum()
    cost += (stores.charge_cost * s.charge).sum() + (stores.discharge_cost * s.discharge).sum()
    for use, value, price, excess in zip(
        use_of(problem, s), problem.budgets.value, problem.budgets.cost, s.excess, strict=True
    ):
        cost += value * (use - excess) + price * excess
    return float(cost - stores.end_value @ s.e[-1])


def with_budgets(seed: int, problem: Problem, unlimited: Solution) -> Problem:
    """The window with one to three budget rows, drawn around what an optimum without them uses."""
    rng = np.random.default_rng([seed, 7])
    n, nq = len(problem.need), int(rng.integers(1, 4))
    hours = np.zeros((nq, n))
    for q in range(nq):
        first = int(rng.integers(0, n))
        hours[q, first : int(rng.integers(first + 1, n + 1))] = 1.0

    def use(count: int) -> FloatArray:
        return np.where(rng.random((nq, count)) < 0.6, rng.uniform(0.2, 1.5, (nq, count)), 0.0)

    units, sign = problem.units, np.where(rng.random(nq) < 0.35, -1.0, 1.0)  # -1: a least use
    of_unit = use(units.bus.size)
    budgets = Budgets(
        hours, *(sign[:, None] * part for part in (
            of_unit, of_unit[:, units.seg_unit] * 1.1, use(problem.boxes.bus.size), use(problem.ramps.seg_ramp.size)
        )), np.zeros(nq), np.where(rng.random(nq) < 0.5, rng.uniform(0.0, 2.0, nq), 0.0), np.zeros(nq),
    )  # fmt: skip
    drawn = np.array(use_of(problem._replace(budgets=budgets), unlimited))
    return problem._replace(
        budgets=budgets._replace(
            limit=drawn * np.where(sign > 0, rng.uniform(0.5, 1.2, nq), rng.uniform(0.8, 1.5, nq)),
            cost=budgets.value + 10.0 ** rng.uniform(-1.0, 1.5, nq),
        )
    )
