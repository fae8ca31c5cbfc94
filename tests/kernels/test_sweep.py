"""Sweeps: their cost against a plain twin, the best move of one unit against every pattern, rules, invariances."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import INTERPRETED
from single_milp import keeps_rules, random_system

from gridsim.kernels import single, sweep

SEEDS = range(2 if INTERPRETED else 30)
PRICE = 900.0


class Case:
    """A random system, its field and buffers."""

    def __init__(self, seed, *, hours=None, n=None, shifts=True):
        rng = np.random.default_rng(seed)
        hours = int(rng.integers(6, 13)) if hours is None else hours
        self.units, self.lags, self.system = random_system(rng, hours, int(rng.integers(2, 7)) if n is None else n)
        shape = self.units.avail.shape
        scale = 1.0 if shifts else 0.0
        owner = np.repeat(np.arange(shape[1]), np.diff(self.units.seg_first))
        self.slope_shift = scale * rng.uniform(-5, 5, shape)[:, owner]
        self.on_shift = scale * rng.uniform(-50, 50, shape)
        s = self.system
        self.field = sweep.field(
            self.units, s.demand - s.band_hi, s.demand - s.band_lo, s.reserve, self.slope_shift, self.on_shift
        )
        self.state, self.work = sweep.state(self.units), single.workspace(self.units)
        self.wanted = rng.random(shape)

    def project(self, wanted=None):
        T, n = self.units.avail.shape
        wanted = self.wanted if wanted is None else wanted
        sweep.project(self.units, wanted, np.zeros((n, T + 1)), self.work, self.state.on)
        return self.state.on.copy()

    def descend(self, rounds, *, price=PRICE, fresh=True, on=None):
        if on is not None:
            self.state.on[:] = on
        return sweep.descend(self.units, self.field, price, fresh, rounds, self.work, self.state)


def limits(units, i, t, on, past):
    """Cap of output and cap of output with reserve in hour t of a schedule: start and stop ramps as trapezoids."""
    cap = units.cap[i]
    start = min(cap, units.start_ramp[i], units.ramp_up[i])
    stop = min(cap, units.stop_ramp[i], units.ramp_down[i])
    age = 0
    while t - age - 1 >= 0 and on[t - age - 1]:
        age += 1
    if t - age == 0 and units.on0[i]:
        age += past
    left = 0
    while t + left + 1 < on.size and on[t + left + 1]:
        left += 1
    ends = t + left + 1 < on.size and units.avail[t + left + 1, i]
    head = min(cap, start + age * units.ramp_up[i]) if age < 5 and units.ramp_up[i] < np.inf else cap
    if age == 0:
        head = start
    tail = min(cap, stop + left * units.ramp_down[i]) if ends and left < 5 and units.ramp_down[i] < np.inf else cap
    if ends and left == 0:
        tail = stop
    room = min(head, units.stop_ramp[i]) if ends and left == 0 else head
    return min(head, tail), room


def hours_past(units, i):
    """Hours since its start that a unit on before the window counts as, from its output then."""
    cap, start = units.cap[i], min(units.cap[i], units.start_ramp[i], units.ramp_up[i])
    if np.isnan(units.q0[i]):
        return 5
    ramp = min(units.ramp_up[i], cap)
    past = 0
    while past < 5 and start + past * ramp < min(units.q0[i] + ramp, cap) * (1 - 1e-9):
        past += 1
    return past


def plain_cost(case, on, price):
    """What the sweeps should see, hour by hour with sorted lists."""
    units, s = case.units, case.system
    T, n = on.shape
    total = 0.0
    for t in range(T):
        offers, p_min, caps, rooms, response = [], 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            if not on[t, i]:
                continue
            cap, room = limits(units, i, t, on[:, i], hours_past(units, i))
            p_min += units.p_min[i]
            caps, rooms = caps + cap, rooms + room
            response += min(room, units.up_limit[i])
            total += units.cost[i] + case.on_shift[t, i]
            for k in range(units.seg_first[i], units.seg_first[i + 1]):
                q = min(cap, units.seg_width[k])
                offers.append((units.seg_cost[k] + case.slope_shift[t, k], q))
                cap -= q
        need = max(0.0, s.demand[t] - s.band_hi[t] - p_min)
        short = max(0.0, need - caps) + max(0.0, need + s.reserve[t] - rooms, s.reserve[t] - response)
        total += price * (short + max(0.0, p_min - (s.demand[t] - s.band_lo[t])))
        left = min(need, caps)
        for slope, q in sorted(offers):
            total += slope * min(q, left)
            left -= min(q, left)
    for i in range(n):
        was, clock = bool(units.on0[i]), int(units.hours0[i])
        for t in range(T):
            if on[t, i] and not was:
                paid = [cost for lag, cost in case.lags[i] if lag <= clock]
                total += paid[-1] if paid else case.lags[i][0][1]
            clock = clock + 1 if on[t, i] == was else 1
            was = bool(on[t, i])
    return total


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cost_is_that_of_the_merit_order(seed):
    case = Case(seed)
    for wanted in (case.wanted, 1.0 - case.wanted, np.ones_like(case.wanted)):
        on = case.project(wanted)
        assert case.descend(0)[0] == pytest.approx(plain_cost(case, on, PRICE), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_unit_takes_its_best_pattern(seed):
    """The others frozen, no pattern that keeps the rules is cheaper. (Stops that the ramp down forbids cost inf.)"""
    case = Case(seed, hours=7, n=3)
    on = case.project()
    case.state.frozen[1:] = True
    found, _ = case.descend(1, on=on)
    assert (case.state.on[:, 1:] == on[:, 1:]).all()
    after = case.state.on[:, 0].copy()
    costs = {}
    for pattern in itertools.product([False, True], repeat=7):
        if keeps_rules(case.units, 0, pattern):
            trial = on.copy()
            trial[:, 0] = pattern
            costs[pattern] = plain_cost(case, trial, PRICE)
    assert found == pytest.approx(costs[tuple(after.tolist())], rel=1e-9)
    q0 = case.units.q0[0]
    stuck = case.units.on0[0] and q0 > min(case.units.stop_ramp[0], case.units.ramp_down[0])
    if not stuck:
        assert found == pytest.approx(min(costs.values()), rel=1e-9)


def test_a_unit_at_high_output_cannot_stop_at_once():
    case = Case(0, hours=6, n=1)
    cap = case.units.cap[0]
    case.units = case.units._replace(
        on0=np.array([True]), hours0=np.array([50]), q0=np.array([cap]), ramp_down=np.array([0.3 * cap]),
        stop_ramp=np.array([0.5 * cap]), avail=np.ones((6, 1), dtype=bool), must_run=np.array([False]),
        min_down=np.array([1]),
    )  # fmt: skip
    on = case.project(np.zeros((6, 1)))
    assert on[:, 0].tolist() == [True, True, True, False, False, False]  # 0.7, 0.4, then 0.1: 0.4 is above 0.3
    case.system = case.system._replace(demand=np.zeros(6))
    case.field = sweep.field(case.units, np.zeros(6), np.zeros(6), np.zeros(6), case.slope_shift * 0.0, 0.0 * on)
    case.descend(3, on=np.ones_like(on))
    assert case.state.on[:, 0].tolist() == on[:, 0].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_sweeps_never_make_it_worse_and_keep_the_rules(seed):
    case = Case(seed)
    start, _ = case.descend(0, on=case.project())
    costs = [start]
    for _ in range(4):
        cost, changes = case.descend(1, on=case.state.on.copy())
        assert cost <= costs[-1] + 1e-9 * abs(cost)
        assert (cost < costs[-1] - 1e-12 * abs(cost)) == (changes > 0)
        costs.append(cost)
        assert all(keeps_rules(case.units, i, case.state.on[:, i]) for i in range(case.units.cap.size))
    assert case.descend(0)[0] == pytest.approx(costs[-1], rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_hours_that_kept_their_values_had_the_right_ones(seed):
    """Sweeps that go on from a state against sweeps that begin afresh."""
    one, other = Case(seed), Case(seed)
    rng = np.random.default_rng(seed)
    on = one.project()
    one.descend(2, on=on)
    other.descend(2, on=on)
    for _ in range(4):
        i = int(rng.integers(0, on.shape[1]))
        trial = one.state.on.copy()
        trial[:, i] = one.project(rng.random(on.shape))[:, i]
        one.state.frozen[:] = other.state.frozen[:] = False
        one.state.frozen[i] = other.state.frozen[i] = True
        a = one.descend(2, on=trial, fresh=False)
        b = other.descend(2, on=trial, fresh=True)
        assert a[0] == pytest.approx(b[0], rel=1e-9)
        assert (one.state.on == other.state.on).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_projection_is_the_nearest_allowed_pattern(seed):
    case = Case(seed, hours=7, n=2)
    on = case.project()
    for i in range(2):
        units = case.units
        if units.on0[i] and units.q0[i] > min(units.stop_ramp[i], units.ramp_down[i]):
            continue  # a ramp may forbid some of the patterns below
        distance = [
            np.abs(np.array(p) - case.wanted[:, i]).sum()
            for p in itertools.product([False, True], repeat=7)
            if keeps_rules(units, i, p)
        ]
        assert keeps_rules(units, i, on[:, i])
        assert np.abs(on[:, i] - case.wanted[:, i]).sum() == pytest.approx(min(distance))


def test_a_rising_price_of_shortage_fills_a_hole_with_the_cheapest():
    """At the full price the first unit looked at would fill it, whatever it costs."""
    hours, n = 4, 3
    one = np.ones(n)
    units = single.SingleUnits(
        p_min=50.0 * one, cost=np.array([9000.0, 3000.0, 1000.0]), seg_first=np.arange(n + 1), seg_width=50.0 * one,
        seg_cost=20.0 * one, cap=50.0 * one, ramp_up=np.inf * one, ramp_down=np.inf * one, start_ramp=np.inf * one,
        stop_ramp=np.inf * one, up_limit=np.inf * one, down_limit=0.0 * one, in_ramp=one > 2, must_run=one > 2,
        min_up=np.ones(n, np.int64), min_down=np.ones(n, np.int64), on0=one > 2, hours0=np.full(n, 9), q0=0.0 * one,
        avail=np.ones((hours, n), dtype=bool), start_cost=np.zeros((n, hours + 1)),
        start_cost0=np.zeros((n, hours + 1)), same=np.arange(n),
    )  # fmt: skip
    demand, none = np.full(hours, 80.0), np.zeros((hours, n))
    field = sweep.field(units, demand, demand, np.zeros(hours), np.zeros((hours, units.seg_width.size)), none)
    state, work = sweep.state(units), single.workspace(units)
    for price in (15.0, 80.0, 1000.0):
        cost, _ = sweep.descend(units, field, price, True, 2, work, state)
    assert state.on.tolist() == [[False, False, True]] * hours
    assert cost == pytest.approx(hours * (1000.0 + 30 * 20.0))
    state.on[:] = False
    sweep.descend(units, field, 1000.0, True, 1, work, state)
    assert state.on[:, 0].all()


def test_a_unit_that_alone_can_answer_runs_for_it():
    """A further product counts in the cost as it is stated, and makes the dearest unit run where it is asked for."""
    case = Case(5, shifts=False)
    T, n = case.units.avail.shape
    free = np.flatnonzero(case.units.avail.all(axis=0) & ~case.units.must_run & ~case.units.on0)[:1]
    none = np.zeros(T)
    need, answer = np.full((T, 1), 7.0), np.zeros((n, 1))
    answer[free] = 10.0
    case.state = sweep.state(case.units, 1)
    case.field = sweep.field(
        case.units, none, none + 1e6, none, np.zeros_like(case.slope_shift), np.zeros((T, n)), need, answer
    )
    on = case.project(np.zeros((T, n)))
    missing = 7.0 * (~on[:, free]).sum()
    without = sweep.field(case.units, none, none + 1e6, none, np.zeros_like(case.slope_shift), np.zeros((T, n)))
    plain = sweep.descend(case.units, without, PRICE, True, 0, case.work, _state_of(case.units, on))[0]
    assert case.descend(0, on=on)[0] == pytest.approx(plain + PRICE * missing, rel=1e-12)
    case.descend(3, on=on)
    ready = int(max(0, case.units.min_down[free[0]] - case.units.hours0[free[0]]))
    assert case.state.on[ready:, free].all()


def _price_of(short_of, *, cap=100.0, net_lo=80.0, p_min=100.0, reserve=0.0, others, answer, spare, apart):
    """Energy asked of one unit that is on, and MW short, in an hour with 100 MW of room above p_min."""
    field = sweep.Field(
        np.array([net_lo]), np.array([net_lo + 200.0]), np.array([reserve]), np.zeros((1, 1)), np.zeros((1, 1)),
        np.zeros((1, 1), np.int64), np.zeros((1, 1), np.int64), np.array([others], float), np.array([answer], float),
        np.array([spare], float), np.array(apart),
    )  # fmt: skip
    given = np.array([answer], float)
    return sweep._asked(0, -1, 1.0, field, p_min, cap, 100.0, short_of, given)


def test_idle_sources_answer_and_more_is_held_back_where_units_cannot():
    """Sources of 200 MW, 20 of them idle at p_min. Amounts by hand."""
    zones = {"others": [30.0, 15.0], "spare": [200.0, 60.0, 140.0], "apart": [True, True]}
    # units answer with nothing: 45 MW of sources have to be idle, so units give 25 MW above p_min
    assert _price_of(0.0, answer=[0.0, 0.0], **zones) == pytest.approx((25.0, 0.0))
    # the second zone needs the idle 20 MW for itself, units serve the first and keep room
    assert _price_of(0.0, answer=[30.0, 5.0], **zones) == pytest.approx((0.0, 0.0))
    # one zone has sources for 10 MW only
    poor = zones | {"spare": [200.0, 10.0, 140.0]}
    assert _price_of(0.0, answer=[0.0, 0.0], **poor) == pytest.approx((5.0, 20.0))
    # products that are not apart share what is idle: 30 MW serve both
    both = zones | {"apart": [False, False]}
    assert _price_of(0.0, answer=[0.0, 0.0], **both) == pytest.approx((10.0, 0.0))
    # reserve up of the units themselves likewise; without sources it is short
    assert _price_of(10.0, reserve=50.0, answer=[30.0, 15.0], **zones) == pytest.approx((20.0, 0.0))
    assert _price_of(10.0, reserve=50.0, answer=[30.0, 15.0], **(zones | {"spare": [0.0] * 3})) == (0.0, 40.0)


def test_idle_sources_no_longer_answer_down_and_zones_need_room_together():
    down = {"others": [-60.0], "spare": [0.0, -200.0], "apart": [False], "answer": [0.0]}
    assert _price_of(0.0, p_min=130.0, **down) == pytest.approx((0.0, 0.0))  # 50 of 60 MW too many are idle
    assert _price_of(0.0, p_min=150.0, **down) == pytest.approx((0.0, 10.0))
    zones = {"others": [30.0, 15.0], "answer": [100.0, 100.0], "spare": [0.0] * 3, "net_lo": 170.0}
    assert _price_of(0.0, apart=[False, False], **zones) == pytest.approx((70.0, 0.0))
    assert _price_of(0.0, apart=[True, True], **zones) == pytest.approx((70.0, 15.0))  # 70 + 45 MW in 100


def _state_of(units, on):
    state = sweep.state(units)
    state.on[:] = on
    return state


@pytest.mark.parametrize(("power", "money"), [(1e-3, 1.0), (5.0, 100.0)])
def test_units_of_measure_do_not_matter(power, money):
    case = Case(2, shifts=False)
    on = case.project()
    want, _ = case.descend(5, on=on)
    schedule = case.state.on.copy()
    u, s = case.units, case.system
    mw = ("p_min", "seg_width", "cap", "ramp_up", "ramp_down", "start_ramp", "stop_ramp", "up_limit", "q0")
    case.units = u._replace(
        **{name: getattr(u, name) * power for name in mw},
        **{name: getattr(u, name) * money for name in ("cost", "start_cost", "start_cost0")},
        seg_cost=u.seg_cost * money / power,
    )  # fmt: skip
    none = np.zeros(on.shape)
    case.field = sweep.field(
        case.units,
        (s.demand - s.band_hi) * power,
        (s.demand - s.band_lo) * power,
        s.reserve * power,
        np.zeros_like(case.slope_shift),
        none,
    )
    got, _ = case.descend(5, on=on, price=PRICE * money / power)
    assert got == pytest.approx(want * money, rel=1e-9)
    assert (case.state.on == schedule).all()


def test_the_order_of_units_does_not_matter_to_the_cost():
    case = Case(3, shifts=False)
    on = case.project()
    want, _ = case.descend(0, on=on)
    order = np.arange(on.shape[1])[::-1]
    u, s = case.units, case.system
    cells = [np.arange(u.seg_first[i], u.seg_first[i + 1]) for i in order]
    keep = {"seg_first", "seg_width", "seg_cost", "avail", "same"}
    units = u._replace(
        seg_first=np.concatenate(([0], np.cumsum([c.size for c in cells]))),
        seg_width=u.seg_width[np.concatenate(cells)], seg_cost=u.seg_cost[np.concatenate(cells)],
        avail=np.ascontiguousarray(u.avail[:, order]),
        **{name: np.ascontiguousarray(getattr(u, name)[order]) for name in u._fields if name not in keep},
    )  # fmt: skip
    none = np.zeros(on.shape)
    field = sweep.field(
        units, s.demand - s.band_hi, s.demand - s.band_lo, s.reserve, np.zeros_like(case.slope_shift), none
    )
    state = sweep.state(units)
    state.on[:] = on[:, order]
    cost, _ = sweep.descend(units, field, PRICE, True, 0, single.workspace(units), state)
    assert_allclose(cost, want, rtol=1e-10)
