"""Window problems drawn at random, and what they must satisfy, restated hour by hour.

`random_problem` draws small windows full of awkward cases, `jiangsu_like` one of a province's size. Both are feasible
by construction: all units off, ramped sources on the path they were drawn around, stores idle (or charging up to a
level they must end with), shed or spill at each bus, reserve shortfalls, priced overloads. Power is scaled to about 1,
energy costs to 0.1-20. `violation` and `cost_of` read a solution against the statement in ``gridsim.kernels.problem``
and share no code with any solver.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Boxes, Problem, Ramps, Rows, Solution, Stores, Units


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


def random_problem(
    seed: int,
    *,
    T: int | None = None,
    units: int = 3,
    boxes: int = 4,
    ramps: int = 1,
    stores: int = 2,
    buses: int = 3,
    rows: int | None = None,
) -> tuple[Problem, Rows]:
    """Draw a small window.

    `boxes` counts the sources; shed and spill at each bus and the two reserve shortfalls come after them. T is 6..48
    and `rows`, the line rows asked for, 0..T if not given. One bus has no lines, hence no rows.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 49)) if T is None else T
    prices = _Prices(rng)
    demand = _demand(rng, n, buses, level=max(0.3 * units + 0.2 * boxes, 0.5))
    unit = _units(rng, n, units, buses, prices)
    network = _network(rng, buses)
    link = int(boxes > 1 and buses > 1 and rng.random() < 0.3)  # an embedded DC link: moves power, makes none
    source = _sources(rng, n, boxes - link, buses, prices)
    ramp = _ramps(rng, n, ramps, buses, prices)
    store, lifted = _stores(rng, n, stores, buses, prices)
    parts = [source]
    if link:
        ends = rng.choice(buses, 2, replace=False)
        network = np.column_stack([network, network[:, ends[0]] - network[:, ends[1]]])
        parts.append(_link(rng, n, network.shape[1] - 1))
    parts.append(_shed(demand, source, ramp, store, lifted=lifted, cost=prices.shed))
    parts.append(_spill(unit, source, ramp, store, buses=buses, cost=rng.choice([0.0, 0.5, 5.0])))
    need_up = demand.sum(axis=1) * rng.uniform(0.02, 0.3) * (rng.random(n) < 0.9)
    need_down = demand.sum(axis=1) * rng.uniform(0.02, 0.3)
    for need in (need_up, need_down):
        if rng.random() < 0.2:
            need[:] = 0.0
    parts.append(_shortfalls(need_up, need_down, prices.shed * rng.uniform(0.1, 0.5, 2)))
    box = _join(parts)
    up, down = _with_headroom(source, need_up, need_down)
    problem = Problem(demand.sum(axis=1), up, down, unit, box, ramp, store)
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


def _units(rng: np.random.Generator, n: int, nu: int, buses: int, prices: _Prices) -> Units:
    count = rng.integers(1, 6, nu)
    avail = np.tile(count.astype(float), (n, 1))
    for i in range(nu):
        if rng.random() < 0.3:  # a planned outage: of one unit, or of all
            first = int(rng.integers(0, n))
            lost = count[i] if rng.random() < 0.5 else 1
            avail[first : first + int(rng.integers(1, n + 1)), i] -= lost
    p_max = rng.uniform(0.2, 1.2, nu) / count
    p_min = p_max * rng.uniform(0.1, 0.6, nu) * (rng.random(nu) < 0.85)
    segments = rng.integers(1, 4, nu)
    fixed = rng.random(nu) < 0.06  # runs at one power only: no segment
    p_min[fixed], segments[fixed] = p_max[fixed], 0
    seg_unit = np.repeat(np.arange(nu), segments)
    width, seg_cost = np.zeros(seg_unit.size), np.zeros(seg_unit.size)
    no_load = np.zeros(nu)
    for i in range(nu):
        mine = seg_unit == i
        k = int(mine.sum())
        share = rng.dirichlet(np.full(k, 3.0)) + 0.02 if k else np.zeros(0)
        width[mine] = (p_max[i] - p_min[i]) * share / share.sum()
        seg_cost[mine] = np.sort(prices.draw(1) * rng.uniform(1.0, 1.6, k)) if k else 0.0
        if k > 1 and rng.random() < 0.2:
            seg_cost[mine] = seg_cost[mine][0]
        no_load[i] = p_min[i] * (seg_cost[mine][0] if k else prices.draw(1)[0]) * rng.uniform(0.9, 1.8)
    on0 = rng.integers(0, count + 1).astype(float)
    if rng.random() < 0.3:
        on0 *= rng.uniform(0.0, 1.0, nu)  # the window before was relaxed
    return Units(
        bus=rng.integers(0, buses, nu),
        p_min=p_min,
        cost=no_load * (rng.random(nu) < 0.85),
        start_cost=p_max * prices.draw(nu) * rng.uniform(0.5, 10.0, nu) * (rng.random(nu) < 0.85),
        on0=on0,
        avail=avail,
        up=(rng.random(nu) < 0.8).astype(float),
        down=(rng.random(nu) < 0.8).astype(float),
        seg_unit=seg_unit,
        seg_width=width,
        seg_cost=seg_cost,
    )


def _sources(rng: np.random.Generator, n: int, nx: int, buses: int, prices: _Prices) -> Boxes:
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
    helps = rng.random(nx) < 0.4
    return Boxes(
        bus=rng.integers(0, buses, nx),
        lo=lo,
        hi=hi,
        cost=cost,
        bal=np.ones(nx),
        up=-1.0 * (helps & (rng.random(nx) < 0.7)),
        down=1.0 * (helps & (rng.random(nx) < 0.7)),
        line=np.ones(nx),
    )


def _link(rng: np.random.Generator, n: int, column: int) -> Boxes:
    size, zero, one = rng.uniform(0.05, 0.4), np.zeros(1), np.ones(1)
    cost = np.full((n, 1), 0.0 if rng.random() < 0.5 else 1e-3)
    return Boxes(np.array([column]), np.full((n, 1), -size), np.full((n, 1), size), cost, zero, zero, zero, one)


def _ramps(rng: np.random.Generator, n: int, nr: int, buses: int, prices: _Prices) -> Ramps:
    size = rng.uniform(0.1, 0.6, nr)
    limit = size * rng.uniform(0.02, 0.4, nr)
    step = limit * rng.uniform(-1.0, 1.0, (n, nr))
    p0 = size * rng.uniform(0.3, 0.7, nr)
    path = p0 + step.cumsum(axis=0)
    below, above = size * rng.uniform(0.0, 0.6, (n, nr)), size * rng.uniform(0.0, 0.6, (n, nr))
    for r in range(nr):
        if rng.random() < 0.15:
            below[:, r] = above[:, r] = 0.0  # a schedule that moves as fast as it may
    return Ramps(rng.integers(0, buses, nr), path - below, path + above, np.tile(prices.draw(nr), (n, 1)), limit, p0)


def _stores(rng: np.random.Generator, n: int, ns: int, buses: int, prices: _Prices) -> tuple[Stores, FloatArray]:
    """Also returns, (ns,), 1 where a store must end above what it would have left if it stood idle."""
    power, hours = rng.uniform(0.05, 0.5, ns), rng.uniform(1.0, 8.0, ns)
    charge_max = np.tile(power * rng.uniform(0.7, 1.0, ns), (n, 1))
    discharge_max = np.tile(power, (n, 1))
    keep = np.where(rng.random(ns) < 0.4, 1.0 - rng.uniform(1e-4, 0.02, ns), 1.0)
    eta_c, eta_d = rng.uniform(0.8, 1.0, (2, ns))
    e_max = power * hours
    e_min = np.where(rng.random(ns) < 0.5, rng.uniform(0.0, 0.3, ns), 0.0) * e_max
    e0 = e_min + (e_max - e_min) * rng.uniform(0.0, 1.0, ns)
    lifted = np.zeros(ns)
    e_lo, e_hi = np.tile(e_min, (n, 1)), np.tile(e_max, (n, 1))
    for s in range(ns):
        extreme = rng.random()
        e0[s] = e_min[s] if extreme < 0.15 else e_max[s] if extreme < 0.3 else e0[s]
        if rng.random() < 0.15:
            eta_c[s] = eta_d[s] = 1.0
        if rng.random() < 0.15:  # the store stands still for a while
            first = int(rng.integers(0, n))
            charge_max[first : first + 6, s] = discharge_max[first : first + 6, s] = 0.0
        idle = e0[s] * keep[s] ** np.arange(1, n + 1)
        e_lo[:, s] = np.minimum(e_lo[:, s], idle)
        full = e0[s]
        for t in range(n):
            full = min(keep[s] * full + eta_c[s] * charge_max[t, s], e_max[s])
        rule = rng.random()
        if rule < 0.3:
            e_lo[-1, s] = idle[-1]
        elif rule < 0.45 and full > idle[-1]:
            e_lo[-1, s] = idle[-1] + rng.uniform(0.1, 0.95) * (full - idle[-1])
            lifted[s] = 1.0
    worth = np.where(rng.random(ns) < 0.4, prices.draw(ns), 0.0)
    wear = np.where(rng.random((2, ns)) < 0.6, 0.1 * prices.draw(2, ns), 0.0)
    bus = rng.integers(0, buses, ns)
    store = Stores(
        bus, charge_max, discharge_max, wear[0], wear[1], eta_c, eta_d, keep, e0, e_lo, e_hi, end_value=worth
    )
    return store, lifted


def _per_bus(bus: IntArray, value: FloatArray, buses: int) -> FloatArray:
    """Sum (T, n) values of devices into (T, buses)."""
    total = np.zeros((value.shape[0], buses))
    np.add.at(total.T, bus, value.T)
    return total


def _shed(demand: FloatArray, source: Boxes, ramp: Ramps, store: Stores, *, lifted: FloatArray, cost: float) -> Boxes:
    """Unserved demand, and what else may have to be left undone: exports, and charging that an end level asks for."""
    n, buses = demand.shape
    hi = demand + _per_bus(source.bus, np.maximum(-source.hi, 0.0), buses)
    hi += _per_bus(ramp.bus, np.maximum(-ramp.lo, 0.0), buses)
    hi += _per_bus(store.bus, store.charge_max * lifted, buses)
    one, zero = np.ones(buses), np.zeros(buses)
    return Boxes(np.arange(buses), np.zeros((n, buses)), hi, np.full((n, buses), cost), one, zero, zero, one)


def _spill(unit: Units, source: Boxes, ramp: Ramps, store: Stores, *, buses: int, cost: float) -> Boxes:
    """Room for all that could be made at each bus."""
    n = unit.avail.shape[0]
    p_max = unit.p_min + np.bincount(unit.seg_unit, weights=unit.seg_width, minlength=unit.bus.size)
    hi = _per_bus(unit.bus, unit.avail * p_max, buses) + _per_bus(source.bus, np.maximum(source.hi, 0.0), buses)
    hi += _per_bus(ramp.bus, np.maximum(ramp.hi, 0.0), buses) + _per_bus(store.bus, store.discharge_max, buses)
    one, zero = np.ones(buses), np.zeros(buses)
    return Boxes(np.arange(buses), np.zeros((n, buses)), hi, np.full((n, buses), cost), -one, zero, zero, -one)


def _shortfalls(need_up: FloatArray, need_down: FloatArray, cost: FloatArray) -> Boxes:
    hi, zero = np.column_stack([need_up, need_down]), np.zeros(2)
    up, down = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    return Boxes(np.zeros(2, np.int64), np.zeros_like(hi), hi, np.tile(cost, (len(hi), 1)), zero, up, down, zero)


def _join(parts: list[Boxes]) -> Boxes:
    return Boxes(*(np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)))


def _with_headroom(source: Boxes, need_up: FloatArray, need_down: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Move the constants of box headrooms, hi - x and x - lo, to the right-hand sides."""
    return need_up + source.hi @ source.up, need_down + source.lo @ source.down


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
    """Draw a window of a province's size: 125 groups, 250 segments, 170 boxes, 6 ramps, 25 stores, 100 buses.

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
        p_min=p_min,
        cost=p_min * marginal * rng.uniform(1.0, 1.15, nu),
        start_cost=p_max * np.where(gas, rng.uniform(0.3, 0.8, nu), rng.uniform(1.5, 4.0, nu)),
        on0=np.minimum(np.where(gas, rng.integers(0, 2, nu), count), avail[0]),
        avail=avail,
        up=np.ones(nu),
        down=np.ones(nu),
        seg_unit=np.repeat(np.arange(nu), 2),
        seg_width=np.repeat((p_max - p_min) / 2, 2),
        seg_cost=(marginal[:, None] * np.array([0.98, 1.06])).ravel(),
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
    source = Boxes(rng.integers(0, buses, ns), lo, hi, cost, one, -1.0 * ~band, 1.0 * ~band, one)

    ramp_size = rng.uniform(1.0, 6.0, 6)
    ramp_limit = 0.15 * ramp_size
    path = ramp_size * (0.6 + 0.2 * np.sin(2 * np.pi * (hour[:, None] - 8.0) / 24.0))
    ramp_cost = np.tile(rng.uniform(0.9, 1.1, 6), (n, 1))
    ramp = Ramps(rng.integers(0, buses, 6), 0.9 * path, path, ramp_cost, ramp_limit, 0.95 * path[0])

    power, length = rng.uniform(0.1, 1.2, nst), np.where(np.arange(nst) < 8, 6.0, 2.0)
    e_max = power * length
    e_lo, e0 = np.zeros((n, nst)), 0.5 * e_max
    e_lo[-1] = e0
    wear = np.where(np.arange(nst) < 8, 0.01, 0.1)
    eta = np.where(np.arange(nst) < 8, 0.87, 0.94)
    peak, e_hi, zero = np.tile(power, (n, 1)), np.tile(e_max, (n, 1)), np.zeros(nst)
    bus = rng.integers(0, buses, nst)
    store = Stores(bus, peak, peak.copy(), wear, wear.copy(), eta, eta.copy(), zero + 1.0, e0, e_lo, e_hi, zero)

    shed = _shed(demand, source, ramp, store, lifted=zero, cost=67.0)
    spill = _spill(unit, source, ramp, store, buses=buses, cost=1.7)
    capacity = spill.hi
    shed = _pick(shed, load_bus)
    spill = _pick(spill, np.sort(np.argsort(-spill.hi.sum(axis=0))[:36]))
    need_up, need_down = 0.03 * demand.sum(axis=1) + 1.0, 0.02 * demand.sum(axis=1)
    box = _join([source, shed, spill, _shortfalls(need_up, need_down, np.full(2, 10.0))])
    up, down = _with_headroom(source, need_up, need_down)
    problem = Problem(demand.sum(axis=1), up, down, unit, box, ramp, store)
    network = _network(rng, buses)
    if not rows:
        return problem, _no_rows(buses)
    return problem, _heavy_rows(rng, rows, network, demand, capacity=capacity, cost=17.0)


def _pick(box: Boxes, which: IntArray) -> Boxes:
    return Boxes(*(array[..., which] for array in box))


def violation(problem: Problem, rows: Rows, solution: Solution) -> float:
    """Worst breach of any constraint of the statement, prices apart, in the problem's own scaled units."""
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    s = solution
    worst = [0.0]
    energy, before = stores.e0, ramps.p0
    for t in range(problem.demand.size):
        on = s.u[t, units.seg_unit]
        supply = units.p_min @ s.u[t] + s.q[t].sum() + boxes.bal @ s.x[t] + s.p[t].sum()
        supply += (s.discharge[t] - s.charge[t]).sum()
        worst.append(abs(supply - problem.demand[t]))
        room = units.up[units.seg_unit] @ (units.seg_width * on - s.q[t]) + boxes.up @ s.x[t]
        worst.append(problem.reserve_up[t] - room)
        room = units.down[units.seg_unit] @ s.q[t] + boxes.down @ s.x[t]
        worst.append(problem.reserve_down[t] - room)
        for value, lo, hi in (
            (s.u[t], 0.0, units.avail[t]),
            (s.q[t], 0.0, units.seg_width * on),
            (s.x[t], boxes.lo[t], boxes.hi[t]),
            (s.p[t], ramps.lo[t], ramps.hi[t]),
            (s.p[t], before - ramps.limit, before + ramps.limit),
            (s.charge[t], 0.0, stores.charge_max[t]),
            (s.discharge[t], 0.0, stores.discharge_max[t]),
            (s.e[t], stores.e_lo[t], stores.e_hi[t]),
        ):
            worst += [*(lo - value), *(value - hi)]
        energy = stores.keep * energy + stores.eta_c * s.charge[t] - s.discharge[t] / stores.eta_d
        worst += [*np.abs(s.e[t] - energy)]
        energy, before = s.e[t], s.p[t]
    for m in range(rows.hour.size):
        flow = rows.coef[m] @ injections(problem, solution, int(rows.hour[m]), rows.coef.shape[1])
        worst += [flow - s.overload[m] - rows.limit[m], -s.overload[m]]
    return float(max(worst))


def injections(problem: Problem, solution: Solution, hour: int, columns: int) -> FloatArray:
    """What the devices put into each column of H in one hour, (columns,)."""
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    total = np.zeros(columns)
    np.add.at(total, units.bus, units.p_min * solution.u[hour])
    np.add.at(total, units.bus[units.seg_unit], solution.q[hour])
    np.add.at(total, boxes.bus, boxes.line * solution.x[hour])
    np.add.at(total, ramps.bus, solution.p[hour])
    np.add.at(total, stores.bus, solution.discharge[hour] - solution.charge[hour])
    return total


def cost_of(problem: Problem, rows: Rows, solution: Solution) -> float:
    """The objective of the statement at a solution; starts are the rises of u."""
    units, stores, s = problem.units, problem.stores, solution
    starts = np.maximum(np.diff(s.u, axis=0, prepend=units.on0[None, :]), 0.0)
    cost = (units.cost * s.u).sum() + (units.start_cost * starts).sum() + (units.seg_cost * s.q).sum()
    cost += (problem.boxes.cost * s.x).sum() + (problem.ramps.cost * s.p).sum() + (rows.cost * s.overload).sum()
    cost += (stores.charge_cost * s.charge).sum() + (stores.discharge_cost * s.discharge).sum()
    return float(cost - stores.end_value @ s.e[-1])
