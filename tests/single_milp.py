"""Random single units, and schedules of one or of several as a MILP in HiGHS: shares no code with what it judges."""

import highspy
import numpy as np

from gridsim.kernels import bundle, single

INF = highspy.kHighsInf


def random_units(rng, hours, n, *, outages=True, reserve=True):
    """`n` random units over `hours`: ramps that bind and that do not, reserves, categories, any past."""
    widths = [rng.uniform(2.0, 40.0, rng.integers(1, 4)) for _ in range(n)]
    slopes = [np.sort(rng.uniform(5.0, 60.0, w.size)) for w in widths]
    cap = np.array([w.sum() for w in widths])

    def limit(free, lo=0.15):
        return np.where(rng.random(n) < free, np.inf, cap * rng.uniform(lo, 1.2, n))

    on0, hours0 = rng.random(n) < 0.5, rng.integers(1, 8, n)
    q0 = np.where(on0, cap * np.clip(rng.uniform(-0.2, 1.2, n), 0.0, 1.0), 0.0)
    q0 = np.where(on0 & (rng.random(n) < 0.2), np.nan, q0)
    avail = np.ones((hours, n), dtype=bool)
    for i in range(n if outages else 0):
        if rng.random() < 0.3:
            begin = rng.integers(0, hours)
            avail[begin : begin + rng.integers(1, 4), i] = False
    lags = []
    for _ in range(n):
        count = int(rng.integers(1, 4))
        off = np.sort(rng.choice(np.arange(1, 9), count, replace=False))
        lags.append(list(zip(off.tolist(), np.sort(rng.uniform(0.0, 900.0, count)).tolist(), strict=True)))
    start, start0 = single.start_tables(lags, on0, hours0, hours)
    first = np.concatenate(([0], np.cumsum([w.size for w in widths])))
    units = single.SingleUnits(
        p_min=rng.uniform(0.0, 30.0, n), cost=rng.uniform(0.0, 900.0, n), seg_first=first.astype(np.int64),
        seg_width=np.concatenate(widths), seg_cost=np.concatenate(slopes), cap=cap, ramp_up=limit(0.3),
        ramp_down=limit(0.3), start_ramp=limit(0.4, 0.0), stop_ramp=limit(0.4, 0.0),
        up_limit=np.where(rng.random(n) < 0.1, 0.0, limit(0.4)),
        down_limit=np.where(rng.random(n) < 0.3, 0.0, limit(0.3)), in_ramp=rng.random(n) < 0.5,
        must_run=rng.random(n) < 0.15, min_up=rng.integers(1, 6, n), min_down=rng.integers(1, 6, n), on0=on0,
        hours0=hours0, q0=q0, avail=avail, start_cost=start, start_cost0=start0, same=np.arange(n),
    )  # fmt: skip
    if not reserve:
        units = units._replace(up_limit=np.zeros(n), down_limit=np.zeros(n))
    return units, lags


class Model:
    """A MILP made column by column and row by row."""

    def __init__(self):
        self.h = highspy.Highs()
        self.h.setOptionValue("threads", 1)  # HiGHS keeps the number of its first run in a process
        self.h.setOptionValue("output_flag", False)
        self.h.setOptionValue("mip_rel_gap", 0.0)
        self.h.setOptionValue("mip_abs_gap", 1e-9)
        self.h.setOptionValue("mip_feasibility_tolerance", 1e-9)
        self.h.setOptionValue("primal_feasibility_tolerance", 1e-9)
        self.n = 0

    def column(self, cost, lo, hi, *, whole=False):
        self.h.addCol(float(cost), float(lo), float(hi), 0, np.zeros(0, np.int32), np.zeros(0))
        if whole:
            self.h.changeColIntegrality(self.n, highspy.HighsVarType.kInteger)
        self.n += 1
        return self.n - 1

    def row(self, lo, hi, terms):
        """lo <= sum coefficient * column <= hi; terms = [(column, coefficient)], a column may be None (0)."""
        merged = {}
        for column, value in terms:
            if column is not None:
                merged[column] = merged.get(column, 0.0) + value
        index = np.array(list(merged), dtype=np.int32)
        self.h.addRow(float(lo), float(hi), index.size, index, np.array(list(merged.values())))

    def solve(self):
        self.h.run()
        status = self.h.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return np.inf
        assert status == highspy.HighsModelStatus.kOptimal, status
        return self.h.getInfo().objective_function_value


def add_unit(model, units, lags, i, lam, up, down):
    """One unit: columns u, q, r, d for every hour, with every rule of `kernels.single` written as rows."""
    T = units.avail.shape[0]
    free = units.avail[:, i]
    cap, p_min = units.cap[i], units.p_min[i]
    on0, since, q0 = bool(units.on0[i]), int(units.hours0[i]), units.q0[i]
    min_up, min_down = int(units.min_up[i]), int(units.min_down[i])
    u = [model.column(units.cost[i] - lam[t] * p_min, 0, free[t], whole=True) for t in range(T)]
    q = [model.column(-lam[t], 0, cap) for t in range(T)]
    r = [model.column(-up[t], 0, min(units.up_limit[i], cap)) for t in range(T)]
    d = [model.column(-down[t], 0, min(units.down_limit[i], cap)) for t in range(T)]
    v = [model.column(0.0, 0, 1, whole=True) for _ in range(T)]
    w = [model.column(0.0, 0, 1, whole=True) for _ in range(T)]
    rest = 0 if on0 else max(0, min_down - since)
    for t in range(T):
        before = u[t - 1] if t else None
        was = float(on0) if t == 0 else 0.0
        model.row(was, was, [(u[t], 1), (before, -1), (v[t], -1), (w[t], 1)])
        model.row(-INF, 1, [(v[t], 1), (w[t], 1)])
        segments = range(units.seg_first[i], units.seg_first[i + 1])
        parts = [model.column(units.seg_cost[k], 0, units.seg_width[k]) for k in segments]
        model.row(0, 0, [(q[t], 1), *((part, -1) for part in parts)])
        model.row(-INF, 0, [(q[t], 1), (r[t], 1), (u[t], -cap)])
        model.row(-INF, 0, [(d[t], 1), (q[t], -1)])
        if units.start_ramp[i] < cap:
            model.row(-INF, cap, [(q[t], 1), (r[t], 1), (v[t], cap - units.start_ramp[i])])
        if t + 1 < T and free[t + 1] and units.stop_ramp[i] < cap:
            model.row(-INF, cap, [(q[t], 1), (r[t], 1), (w[t + 1], cap - units.stop_ramp[i])])
        known = t > 0 or not np.isnan(q0)
        start = q0 if t == 0 else 0.0
        earlier = q[t - 1] if t else None
        if known and units.ramp_up[i] < INF:
            # a known first hour of a unit off before starts from 0; reserve counts if the flag says so
            reserve = 1.0 if units.in_ramp[i] else 0.0
            model.row(-INF, units.ramp_up[i] + start, [(q[t], 1), (r[t], reserve), (earlier, -1)])
        if known and free[t] and units.ramp_down[i] < INF:
            model.row(-INF, units.ramp_down[i] - start, [(earlier, 1), (q[t], -1)])
        if t == 0 and on0 and known and free[0] and q0 > units.stop_ramp[i]:
            model.row(0, 0, [(w[0], 1)])
        if t == 0 and np.isnan(q0):
            # some output before that the ramps allow
            h = model.column(0.0, 0, cap)
            if units.ramp_up[i] < INF:
                model.row(-INF, units.ramp_up[i], [(q[0], 1), (r[0], float(units.in_ramp[i])), (h, -1)])
            if free[0] and units.ramp_down[i] < INF:
                model.row(-INF, units.ramp_down[i], [(h, 1), (q[0], -1)])
        # minimum times: a stop needs all of the last min_up hours on, unless an outage makes it
        if free[t]:
            for k in range(t - min_up, t):
                if k >= 0:
                    model.row(-INF, 0, [(w[t], 1), (u[k], -1)])
                elif not on0 or -k > since:
                    model.row(0, 0, [(w[t], 1)])
        # a start needs all of the last min_down hours off, as far as the last outage
        for k in range(t - 1, t - min_down - 1, -1):
            if k >= 0 and not free[k]:
                break
            if k >= 0:
                model.row(-INF, 1, [(v[t], 1), (u[k], 1)])
            elif on0 or -k > since:
                model.row(0, 0, [(v[t], 1)])
        if units.must_run[i] and free[t] and t >= rest:
            model.row(1, 1, [(u[t], 1)])
        # start cost: at least that of every category whose lag has passed
        pays = model.column(1.0, 0, INF)
        for number, (lag, money) in enumerate(lags[i]):
            span = 1 if number == 0 else lag
            # off for `span` hours or more: v_t = 1 and none of u_(t-1) .. u_(t-span) is on
            hours_off = [t - j for j in range(1, span + 1)]
            in_window = [u[k] for k in hours_off if k >= 0]
            earlier_off = [k for k in hours_off if k < 0]
            if earlier_off and (on0 or max(-k for k in earlier_off) > since):
                continue
            model.row(0, INF, [(pays, 1), (v[t], -money), *((col, money) for col in in_window)])
    return u, q, r, d


def single_cost(units, lags, i, lam, up, down):
    """Least cost of unit i at prices (T,)."""
    model = Model()
    add_unit(model, units, lags, i, lam, up, down)
    return model.solve()


def system_cost(units, lags, system):
    """Least cost of a window of all units."""
    return solved_system(units, lags, system)[0]


def solved_system(units, lags, system, on=None):
    """Least cost of a window, with `on` (T, n) given or with the best one, and (2, T) what energy and reserve lack."""
    model = Model()
    T, n = units.avail.shape
    none = np.zeros(T)
    columns = [add_unit(model, units, lags, i, none, none, none) for i in range(n)]
    slacks = np.zeros((3, T), dtype=int)
    for t in range(T):
        band = model.column(0.0, system.band_lo[t], system.band_hi[t])
        short, excess = model.column(system.shortage_price, 0, INF), model.column(system.excess_price, 0, INF)
        terms = [(u[t], p_min) for (u, _, _, _), p_min in zip(columns, units.p_min, strict=True)]
        terms += [(q[t], 1.0) for _, q, _, _ in columns]
        model.row(system.demand[t], system.demand[t], [*terms, (band, 1.0), (short, 1.0), (excess, -1.0)])
        missing = model.column(system.shortage_price, 0, INF)
        slacks[:, t] = short, missing, excess
        model.row(system.reserve[t], INF, [*((r[t], 1.0) for _, _, r, _ in columns), (missing, 1.0)])
    for i, (u, _, _, _) in enumerate(columns):
        for t in range(T) if on is not None else ():
            model.h.changeColBounds(u[t], float(on[t, i]), float(on[t, i]))
    cost = model.solve()
    lacking = np.array(model.h.getSolution().col_value)[slacks] if np.isfinite(cost) else np.zeros((3, T))
    return cost, lacking[:2]


def random_system(rng, hours, n, *, outages=True):
    """Units, their start categories, and a demand that about two thirds of them can serve."""
    units, lags = random_units(rng, hours, n, outages=outages)
    size = (units.p_min + units.cap).sum()
    demand = size * rng.uniform(0.2, 0.75) * (1.0 + 0.3 * np.sin(np.arange(hours) / 2.0 + rng.uniform(0, 6)))
    band = demand * rng.uniform(0.0, 0.3, hours)
    none = np.zeros((hours, n))
    return (
        units,
        lags,
        bundle.Demand(demand, 0.05 * demand, band * rng.uniform(0.0, 1.0, hours), band, none, none, 3000.0, 500.0),
    )


def keeps_rules(units, i, on):
    """Whether a pattern (T,) of unit i keeps outages, minimum times and must-run: hour by hour, with a clock."""
    was, clock = bool(units.on0[i]), int(units.hours0[i])
    rest = 0 if was else max(0, int(units.min_down[i]) - clock)
    for t, now in enumerate(on):
        out = not units.avail[t, i]
        if out:
            if now:
                return False
            was, clock = False, 10**6  # rested
            continue
        if units.must_run[i] and not now and t >= rest:
            return False
        if now != was:
            if clock < (units.min_up[i] if was else units.min_down[i]):
                return False
            clock = 0
        was, clock = bool(now), clock + 1
    return True
