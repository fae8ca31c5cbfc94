"""The Lagrangian bound: the linear program it stands for, below the optimum at any prices, tight at the best."""

import functools
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import random_problem
from windows import as_solved, with_free_schedules

from gridsim import oracle
from gridsim.kernels.bound import lagrangian
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.layout import lay_out
from gridsim.kernels.start import Prices
from gridsim.kernels.window import price_items
from gridsim.oracle_matrix import build

SEEDS = 24


class Duals(NamedTuple):
    """One price for every row of the window."""

    prices: Prices  # those of line rows within the price of an overload
    theta: FloatArray  # (T, ns) value of stored energy
    ramp_up: FloatArray  # (T, nr) of the limit on rises
    ramp_down: FloatArray


def drawn(seed):
    """A random window; boxes without width cost nothing, as their cost is a constant beside the Lagrangian."""
    problem, rows = random_problem(seed, T=10)
    return as_solved(with_free_schedules(problem)), rows


def bound_at(problem, rows, duals):
    """The kernel's bound, in its own order of rows and devices."""
    lay, win, maps = lay_out(problem, rows, np.arange(1, problem.need.shape[1]))
    z = np.zeros(lay.size)
    for first, value in ((lay.pu, duals.ramp_up), (lay.pd, duals.ramp_down)):
        z[first : first + value.size] = value[:, maps.ramp].ravel()
    y = np.empty(lay.m)
    y[win.row_at[:-1, None] + np.arange(lay.R)] = duals.prices.hourly
    y[maps.row] = duals.prices.row
    price = np.empty(int(win.item_at[-1]))
    price_items(win, y, price)
    return lagrangian(lay, win, y, price, np.ascontiguousarray(duals.theta[:, maps.store]), z, maps.constant)


@functools.cache
def optimum(seed):
    """A window, its optimum and HiGHS's duals."""
    problem, rows = drawn(seed)
    model = build(problem, rows)
    highs = oracle.load(model, whole=False)
    highs.run()
    dual = np.array(highs.getSolution().row_dual)
    of = {name: dual[at] for name, at in model.rows.items()}
    hourly = np.column_stack([of["balance"], of["reserve"].clip(min=0.0)])
    prices = Prices(hourly, (-of["line"]).clip(min=0.0, max=rows.cost))
    duals = Duals(prices, -of["store"], (-of["ramp"]).clip(min=0.0), of["ramp"].clip(min=0.0))
    return problem, rows, highs.getObjectiveValue(), duals


def random_duals(rng, problem, rows):
    def spread(*shape):
        return 10.0 ** rng.uniform(-2.0, 2.0, shape)

    (n, R), nr, ns = problem.need.shape, problem.ramps.bus.size, problem.stores.bus.size
    hourly = spread(n, R)
    hourly[:, 0] *= rng.choice([-1.0, 1.0], n, p=[0.2, 0.8])
    row = np.minimum(spread(rows.hour.size), rows.cost)
    return Duals(Prices(hourly, row), spread(n, ns), spread(n, nr), spread(n, nr))


def noisy(rng, rows, duals, noise):
    """Every price moved by `noise` relative to itself and absolutely; those that must be are kept >= 0."""

    def moved(value, lowest=0.0):
        return np.maximum(value + noise * rng.standard_normal(value.shape) * (0.1 + np.abs(value)), lowest)

    prices = duals.prices
    lowest = np.zeros_like(prices.hourly)
    lowest[:, 0] = -np.inf
    return Duals(
        Prices(moved(prices.hourly, lowest), np.minimum(moved(prices.row), rows.cost)),
        moved(duals.theta, -np.inf),
        moved(duals.ramp_up),
        moved(duals.ramp_down),
    )


def least_by_highs(problem, rows, duals):
    """The Lagrangian's inner problem as a linear program: every row but those inside a unit priced and taken out."""
    model = build(problem, rows)
    y = np.zeros(model.row_lo.size)
    row, prices = model.rows, duals.prices
    for name, value in (("balance", prices.hourly[:, 0]), ("reserve", prices.hourly[:, 1:]), ("line", -prices.row)):
        y[row[name]] = value
    y[row["store"]] = -duals.theta
    held = np.where(np.isfinite(model.row_lo), model.row_lo, model.row_hi)
    constant = float(sum(y[row[name]].ravel() @ held[row[name]].ravel() for name in ("balance", "reserve", "line")))
    constant += float(y[row["store"]].ravel() @ held[row["store"]].ravel())
    # a ramp has two limits, each with its own multiplier
    y[row["ramp"]] = duals.ramp_down - duals.ramp_up
    constant += float((duals.ramp_down * model.row_lo[row["ramp"]]).sum())
    constant -= float((duals.ramp_up * model.row_hi[row["ramp"]]).sum())
    model.cost[:] -= model.matrix.T @ y
    for name in ("balance", "reserve", "line", "store", "ramp"):
        model.row_lo[row[name]], model.row_hi[row[name]] = -np.inf, np.inf
    highs = oracle.load(model, whole=False)
    highs.run()
    assert highs.modelStatusToString(highs.getModelStatus()) == "Optimal"
    return highs.getObjectiveValue() + constant


@pytest.mark.parametrize("seed", range(SEEDS))
def test_is_the_least_cost_of_every_device_by_itself(seed):
    """Each device has a closed form in the kernel; HiGHS solves the same problem without knowing any of them."""
    problem, rows = drawn(seed)
    rng = np.random.default_rng(seed)
    for duals in (random_duals(rng, problem, rows), noisy(rng, rows, optimum(seed)[3], 0.3)):
        want = least_by_highs(problem, rows, duals)
        assert bound_at(problem, rows, duals) == pytest.approx(want, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_is_tight_at_the_best_prices(seed):
    problem, rows, best, duals = optimum(seed)
    assert bound_at(problem, rows, duals) == pytest.approx(best, abs=1e-7 * (1.0 + abs(best)))


@pytest.mark.compiled
@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    seed=st.integers(0, SEEDS - 1),
    noise=st.one_of(st.just(0.0), st.floats(-9.0, 1.0).map(lambda power: 10.0**power)),
    draw=st.integers(0, 2**32 - 1),
)
def test_never_above_the_optimum_near_the_best_prices(seed, noise, draw):
    problem, rows, best, duals = optimum(seed)
    found = bound_at(problem, rows, noisy(np.random.default_rng(draw), rows, duals, noise))
    assert found <= best + 1e-9 * (1.0 + abs(best))


@pytest.mark.compiled
@settings(derandomize=True, deadline=None, max_examples=100)
@given(seed=st.integers(0, SEEDS - 1), draw=st.integers(0, 2**32 - 1))
def test_never_above_the_optimum_at_any_prices(seed, draw):
    problem, rows, best, _ = optimum(seed)
    assert bound_at(problem, rows, random_duals(np.random.default_rng(draw), problem, rows)) <= best
