"""The bundle: its bound holds, both kinds of blocks reach the same, a callback stands for what it replaces."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import INTERPRETED
from single_milp import random_system, system_cost

from gridsim.kernels import bundle, single

SEEDS = range(2 if INTERPRETED else 25)


def drawn(seed):
    rng = np.random.default_rng(seed)
    return random_system(rng, int(rng.integers(6, 13)), int(rng.integers(2, 7)))


def bounded(units, system, **options):
    flat = np.full(system.demand.size, 30.0)
    return bundle.improve_prices(units, system, flat, 0.0 * flat, **options)


def lagrangian(units, system, lam, mu):
    """L at prices, added up from unit values."""
    T, n = units.avail.shape
    out = [np.empty(n), np.empty((T, n), dtype=bool), *np.empty((3, T, n))]
    wide = [np.repeat(a[:, None], n, axis=1) for a in (lam, mu, 0.0 * mu)]
    single.evaluate(units, *wide, single.workspace(units), *out)
    free = np.minimum(-lam * system.band_lo, -lam * system.band_hi).sum()
    return lam @ system.demand + mu @ system.reserve + free + out[0].sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_bound_is_above_the_optimum(seed):
    units, lags, system = drawn(seed)
    best = system_cost(units, lags, system)
    each = np.arange(units.cap.size)
    bounds = [bounded(units, system, evaluations=k, block=each).bound for k in (1, 5, 60)]
    assert bounds == sorted(bounds)
    assert bounds[-1] <= best + 1e-6 * abs(best)
    assert bounds[-1] > 0.5 * best or best < 0.0


@pytest.mark.compiled
def test_the_bound_is_close():
    """The duality gap of a handful of units is wide now and then, not every time."""
    gaps = []
    for seed in SEEDS:
        units, lags, system = drawn(seed)
        best = system_cost(units, lags, system)
        each = np.arange(units.cap.size)
        gaps.append((best - bounded(units, system, evaluations=60, block=each).bound) / best)
    assert np.median(gaps) < 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_the_answer_is_consistent(seed):
    units, _, system = drawn(seed)
    n = units.cap.size
    found = bounded(units, system, evaluations=40, block=np.arange(n))
    assert found.bound == pytest.approx(lagrangian(units, system, found.lam, found.mu), rel=1e-9)
    assert (found.mu >= 0.0).all()
    assert (found.lam <= system.shortage_price).all()
    assert (found.lam >= -system.excess_price).all()
    assert found.evaluations == found.schedules.shape[0] <= 40
    assert_allclose(found.weight.sum(axis=1), 1.0, atol=1e-9)
    assert (found.weight >= 0.0).all()
    assert ((found.relaxed >= -1e-12) & (found.relaxed <= 1 + 1e-9)).all()
    assert (found.relaxed[~units.avail] == 0.0).all()
    assert (found.excess[found.born >= 0] > -1e-6 * abs(found.bound)).all()


@pytest.mark.compiled
@pytest.mark.parametrize("seed", SEEDS)
def test_one_block_reaches_what_many_reach(seed):
    """Both maximise the same function."""
    units, _, system = drawn(seed)
    each = np.arange(units.cap.size)
    many = bounded(units, system, evaluations=80, block=each, target=1e-7)
    one = bounded(units, system, evaluations=300, cuts=100, sweeps=2000, target=1e-6)
    assert one.bound == pytest.approx(many.bound, rel=2e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_callback_stands_for_the_band_and_for_demand(seed):
    """The band told as `rest` gives the same function; part of the demand likewise."""
    units, _, system = drawn(seed)
    lo, hi, gone = system.band_lo, system.band_hi, 0.1 * system.demand

    def rest(pi):
        lam = pi[: lo.size]
        y = np.where(lam > 0.0, hi, lo)
        return float(-lam @ y + lam @ gone), np.concatenate((y - gone, np.zeros(lo.size)))

    without = system._replace(demand=system.demand - gone, band_lo=0.0 * lo, band_hi=0.0 * hi)
    each = np.arange(units.cap.size)
    a = bounded(units, system, evaluations=60, block=each)
    b = bounded(units, without, evaluations=60, block=each, rest=rest)
    assert b.bound == pytest.approx(lagrangian(units, system, b.lam, b.mu), rel=1e-9)
    assert b.bound == pytest.approx(a.bound, rel=1e-2)


def test_line_prices_are_prices():
    """A constant moved from lam to the line price of every unit is the same bound less what demand pays."""
    units, _, system = drawn(3)
    moved = system._replace(line_price=np.full(units.avail.shape, 4.0), band_lo=0.0 * system.band_lo,
                            band_hi=0.0 * system.band_hi)  # fmt: skip
    plain = moved._replace(line_price=np.zeros(units.avail.shape))
    flat, none = np.full(system.demand.size, 30.0), np.zeros(system.demand.size)
    a = bundle.improve_prices(units, plain, flat, none, evaluations=1)
    b = bundle.improve_prices(units, moved, flat - 4.0, none, evaluations=1)
    assert b.bound == pytest.approx(a.bound - 4.0 * system.demand.sum(), rel=1e-12)


def test_a_row_that_repeats_the_balance_shares_its_price():
    """What the units give as energy, asked for a second time: any split of the price between the two is one bound."""
    units, _, system = drawn(3)
    system = system._replace(band_lo=0.0 * system.band_lo, band_hi=0.0 * system.band_hi)
    T = system.demand.size
    flat, none = np.full(T, 30.0), np.zeros(T)
    rows = bundle.UnitRows(
        hour=np.arange(T), need=system.demand, on=np.tile(units.p_min, (T, 1)),
        seg=np.ones((T, units.seg_width.size)), highest=np.full(T, 3000.0),
    )  # fmt: skip
    a = bundle.improve_prices(units, system, flat, none, evaluations=1)
    b = bundle.improve_prices(units, system, 0.4 * flat, none, rows=rows, nu=0.6 * flat, evaluations=1)
    assert b.bound == pytest.approx(a.bound, rel=1e-12)
    c = bundle.improve_prices(units, system, 0.4 * flat, none, rows=rows, nu=0.6 * flat, evaluations=40)
    assert c.bound >= b.bound
    assert c.bound == pytest.approx(lagrangian(units, system, c.lam + c.nu, c.mu), rel=1e-9)


def test_same_input_same_answer():
    units, _, system = drawn(4)
    a, b = (bounded(units, system, evaluations=30, block=np.arange(units.cap.size)) for _ in range(2))
    assert (a.bound, a.lam.tobytes(), a.weight.tobytes()) == (b.bound, b.lam.tobytes(), b.weight.tobytes())
