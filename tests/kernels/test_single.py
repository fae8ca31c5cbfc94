"""One unit at prices: its value against a MILP, its schedule against the rules hour by hour."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from reference import INTERPRETED
from single_milp import keeps_rules, random_units, single_cost

from gridsim.kernels import single

FEW = 8 if INTERPRETED else 120


def evaluated(units, lam, up, down):
    """value (n,), on (T, n), p, up, down (T, n)."""
    T, n = units.avail.shape
    value, on = np.full(n, np.nan), np.ones((T, n), dtype=bool)
    p, r, d = np.full((3, T, n), np.nan)
    single.evaluate(units, lam, up, down, single.workspace(units), value, on, p, r, d)
    return value, on, p, r, d


def random_prices(rng, hours, n):
    """Prices around the units' costs; reserve is often worth nothing."""
    lam = rng.uniform(0.0, 80.0, (hours, n))
    up = rng.uniform(0.0, 30.0, (hours, n)) * (rng.random((hours, n)) < 0.8)
    return lam, up, rng.uniform(0.0, 10.0, (hours, n)) * (rng.random((hours, n)) < 0.7)


def drawn(seed, n=2):
    rng = np.random.default_rng(seed)
    hours = int(rng.integers(3, 13))
    units, lags = random_units(rng, hours, n)
    return units, lags, random_prices(rng, hours, n)


def least_energy_cost(units, i, q):
    """Cost above p_min of an output, segment by segment."""
    total = 0.0
    for k in range(units.seg_first[i], units.seg_first[i + 1]):
        part = min(q, units.seg_width[k])
        total += part * units.seg_cost[k]
        q -= part
    assert q < 1e-6
    return total


def priced(units, lags, i, prices, schedule):
    """What a schedule costs at the prices, with every rule of the module checked on the way."""
    lam, mu, nu = (a[:, i] for a in prices)
    on, p, r, d = (a[:, i] for a in schedule)
    total, tiny = 0.0, 1e-7
    was, clock = bool(units.on0[i]), int(units.hours0[i])
    before = units.q0[i]
    for t in range(on.size):
        q = p[t] - units.p_min[i] if on[t] else 0.0
        if not on[t]:
            assert (p[t], r[t], d[t]) == (0.0, 0.0, 0.0)
        else:
            assert -tiny <= q <= units.cap[i] + tiny
            assert -tiny <= r[t] <= min(units.up_limit[i], units.cap[i] - q) + tiny
            assert -tiny <= d[t] <= min(units.down_limit[i], q) + tiny
            total += units.cost[i] + least_energy_cost(units, i, q) - lam[t] * p[t] - mu[t] * r[t] - nu[t] * d[t]
            if not was:
                assert q + r[t] <= units.start_ramp[i] + tiny
                paid = [cost for lag, cost in lags[i] if lag <= clock]
                total += paid[-1] if paid else lags[i][0][1]
            stops = t + 1 < on.size and not on[t + 1] and units.avail[t + 1, i]
            if stops:
                assert q + r[t] <= units.stop_ramp[i] + tiny
        if not np.isnan(before):
            assert q + (r[t] if units.in_ramp[i] else 0.0) - before <= units.ramp_up[i] + tiny
            if units.avail[t, i]:
                assert before - q <= units.ramp_down[i] + tiny
        clock = clock + 1 if on[t] == was else 1
        was, before = bool(on[t]), q
    return total


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=FEW, deadline=None, derandomize=True)
def test_the_value_is_the_optimum_and_the_schedule_has_it(seed):
    units, lags, prices = drawn(seed)
    value, *schedule = evaluated(units, *prices)
    for i in range(value.size):
        best = single_cost(units, lags, i, *(a[:, i] for a in prices))
        assert value[i] == pytest.approx(best, rel=1e-6, abs=1e-5)
        if np.isfinite(best):
            assert keeps_rules(units, i, schedule[0][:, i])
            assert priced(units, lags, i, prices, schedule) == pytest.approx(value[i], rel=1e-9, abs=1e-6)


def test_the_examples_are_not_all_of_one_kind():
    """Ramps that bind, starts, stops, outages, must-run and reserve in the ramp all stand among the draws above."""
    seen = {"ramped": 0, "in_ramp": 0, "starts": 0, "off": 0, "outage": 0, "must": 0, "unknown": 0}
    for seed in range(60):
        units, _, prices = drawn(seed)
        value, on, *_ = evaluated(units, *prices)
        assert np.isfinite(value).all()
        ramped = np.minimum(units.ramp_up, units.ramp_down) < units.cap
        seen["ramped"] += int((ramped & on.any(axis=0)).sum())
        seen["in_ramp"] += int((ramped & units.in_ramp & on.any(axis=0)).sum())
        seen["starts"] += int((np.diff(on.astype(int), axis=0) > 0).sum())
        seen["off"] += int((~on).sum())
        seen["outage"] += int((~units.avail).any(axis=0).sum())
        seen["must"] += int(units.must_run.sum())
        seen["unknown"] += int(np.isnan(units.q0).sum())
    assert min(seen.values()) > 5, seen


def one_unit(**changes):
    """100 MW, p_min 40, marginal cost 20 and 30, 10 hours of rest behind it; `changes` to its fields."""
    hours = 6
    units = single.SingleUnits(
        p_min=np.array([40.0]), cost=np.array([1000.0]), seg_first=np.array([0, 2]), seg_width=np.array([30.0, 30.0]),
        seg_cost=np.array([20.0, 30.0]), cap=np.array([60.0]), ramp_up=np.array([np.inf]),
        ramp_down=np.array([np.inf]), start_ramp=np.array([np.inf]), stop_ramp=np.array([np.inf]),
        up_limit=np.array([0.0]), down_limit=np.array([0.0]), in_ramp=np.array([False]), must_run=np.array([False]),
        min_up=np.array([1]), min_down=np.array([1]), on0=np.array([False]), hours0=np.array([10]),
        q0=np.array([0.0]), avail=np.ones((hours, 1), dtype=bool), start_cost=np.full((1, hours + 1), 500.0),
        start_cost0=np.full((1, hours + 1), 500.0), same=np.array([0]),
    )  # fmt: skip
    return units._replace(**{name: np.array(value) for name, value in changes.items()})


def at_price(units, *lam):
    none = np.zeros((len(lam), 1))
    return evaluated(units, np.array(lam, dtype=float).reshape(-1, 1), none, none)


def test_by_hand():
    """At 40 an hour on earns 40 x 100 - 1000 - 600 - 900 = 1500, a start costs 500, an hour at 5 loses 800."""
    value, on, p, *_ = at_price(one_unit(), 40, 40, 5, 40, 5, 5)
    assert value[0] == pytest.approx(-(3 * 1500 - 2 * 500))
    assert on[:, 0].tolist() == [True, True, False, True, False, False]
    assert p[:, 0].tolist() == [100, 100, 0, 100, 0, 0]
    value, on, p, *_ = at_price(one_unit(min_down=[2]), 40, 40, 5, 40, 5, 5)
    assert on[:, 0].tolist() == [True, True, True, True, False, False]
    assert p[2, 0] == 40
    assert value[0] == pytest.approx(-(3 * 1500 - 800 - 500))


def test_a_ramp_keeps_the_output_low():
    """20 MW per hour up from p_min: 60, 80, 100."""
    value, _, p, *_ = at_price(one_unit(ramp_up=[20.0], ramp_down=[90.0]), 40, 40, 40, 5, 5, 5)
    assert p[:, 0].tolist() == [60, 80, 100, 0, 0, 0]
    assert value[0] == pytest.approx(500 + 3000 - 40 * 240 + 20 * 20 + (30 * 20 + 10 * 30) + (30 * 20 + 30 * 30))


def test_an_outage_ends_what_minimum_times_and_ramps_forbid():
    out = np.array([[True], [True], [False], [True], [True], [True]])
    units = one_unit(min_up=[5], min_down=[5], stop_ramp=[0.0], ramp_down=[10.0], ramp_up=[55.0], avail=out)
    _, on, p, *_ = at_price(units, 90, 90, 90, 90, 90, 90)
    assert on[:, 0].tolist() == [True, True, False, True, True, True]
    assert p[1, 0] == 100


def test_must_run_is_on_whatever_it_loses():
    value, on, p, *_ = at_price(one_unit(must_run=[True], min_down=[12]), 0, 0, 0, 0, 0, 0)
    assert on[:, 0].tolist() == [False, False, True, True, True, True]  # two more hours of rest first
    assert value[0] == pytest.approx(500 + 4 * 1000)
    assert p[:, 0].tolist() == [0, 0, 40, 40, 40, 40]


def test_start_tables_choose_the_category_that_has_passed():
    on0, hours0 = np.array([True, False]), np.array([4, 3])
    cost, cost0 = single.start_tables([[(2, 10.0), (5, 20.0)]] * 2, on0, hours0, 6)
    assert cost[0].tolist() == [10, 10, 10, 10, 10, 20, 20]
    assert cost0[1].tolist() == [10, 10, 20, 20, 20, 20, 20]  # three hours off before the first


def test_twins_are_computed_once_and_are_equal():
    units, _, (lam, up, down) = drawn(5, n=1)
    pair = single.SingleUnits(*(np.repeat(a, 2, axis=-1) if a.ndim == 1 else a for a in units))
    rows = {name: np.repeat(getattr(units, name), 2, axis=0) for name in ("start_cost", "start_cost0")}
    size = units.seg_width.size
    pair = pair._replace(
        **rows, avail=np.repeat(units.avail, 2, axis=1), seg_first=np.array([0, size, 2 * size]),
        seg_width=np.tile(units.seg_width, 2), seg_cost=np.tile(units.seg_cost, 2),
    )  # fmt: skip
    here = np.zeros(2, dtype=np.int64)
    assert single.twins(pair, here).tolist() == [0, 0]
    assert single.twins(pair, np.array([0, 1])).tolist() == [0, 1]
    assert single.twins(pair._replace(hours0=np.array([1, 2])), here).tolist() == [0, 1]
    pair = pair._replace(same=single.twins(pair, here))
    lam2, up2, down2 = (np.repeat(a, 2, axis=1) for a in (lam, up, down))
    both, alone = evaluated(pair, lam2, up2, down2), evaluated(units, lam, up, down)
    for a, b in zip(both, alone, strict=True):
        assert_allclose(a[..., 0], b[..., 0], rtol=0, atol=0)
        assert_allclose(a[..., 1], b[..., 0], rtol=0, atol=0)


def permuted(units, order):
    """The units in another order."""
    cells = [np.arange(units.seg_first[i], units.seg_first[i + 1]) for i in order]
    out = units._replace(
        seg_first=np.concatenate(([0], np.cumsum([c.size for c in cells]))),
        seg_width=units.seg_width[np.concatenate(cells)], seg_cost=units.seg_cost[np.concatenate(cells)],
        avail=np.ascontiguousarray(units.avail[:, order]), same=np.arange(len(order)),
    )  # fmt: skip
    skip = {"seg_first", "seg_width", "seg_cost", "avail", "same"}
    return out._replace(**{name: getattr(out, name)[order] for name in out._fields if name not in skip})


def test_order_does_not_matter():
    units, _, prices = drawn(11, n=5)
    order = [3, 0, 4, 2, 1]
    a = evaluated(units, *prices)
    b = evaluated(permuted(units, order), *(np.ascontiguousarray(x[:, order]) for x in prices))
    for x, y in zip(a, b, strict=True):
        assert_allclose(x[..., order], y, rtol=0, atol=0)


@pytest.mark.parametrize(("power", "money"), [(1e-3, 1.0), (1.0, 1e3), (7.0, 0.1)])
def test_units_of_measure_do_not_matter(power, money):
    units, _, prices = drawn(12, n=5)
    big = units._replace(
        **{name: getattr(units, name) * money for name in ("cost", "start_cost", "start_cost0")},
        seg_cost=units.seg_cost * money / power,
        **{
            name: getattr(units, name) * power
            for name in ("p_min", "seg_width", "cap", "ramp_up", "ramp_down", "start_ramp", "stop_ramp", "up_limit",
                         "down_limit", "q0")
        },
    )  # fmt: skip
    a, b = evaluated(units, *prices), evaluated(big, *(x * money / power for x in prices))
    assert_allclose(b[0], a[0] * money, rtol=1e-9)
    assert (a[1] == b[1]).all()


def test_inputs_are_only_read():
    """Interpreted, writing to a read-only array raises; compiled, the bytes are compared."""
    units, _, prices = drawn(13)
    inputs = (*units, *prices)
    before = [a.tobytes() for a in inputs]
    for array in inputs if INTERPRETED else ():
        array.flags.writeable = False
    evaluated(units, *prices)
    assert [a.tobytes() for a in inputs] == before
