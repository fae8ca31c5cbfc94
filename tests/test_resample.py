"""Hours on shorter steps: what each rule promises, for any series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from gridsim.resample import held, joined, sloped

numbers = st.lists(st.floats(-1e4, 1e4, allow_subnormal=False), min_size=3, max_size=30).map(np.array)
parts = st.sampled_from([2, 4])


@given(numbers, parts)
def test_sloped_keeps_energy_and_bounds(hourly, per_hour):
    steps = sloped(hourly, per_hour).reshape(-1, per_hour)
    size = 1e-12 * np.abs(hourly).max(initial=1.0)
    assert_allclose(steps.mean(axis=1), hourly[1:-1], rtol=0, atol=size)
    around = np.stack((hourly[:-2], hourly[1:-1], hourly[2:]))
    assert (steps <= around.max(axis=0)[:, None] + size).all()
    assert (steps >= around.min(axis=0)[:, None] - size).all()


def test_sloped_is_a_line_where_the_hours_are_one():
    assert_allclose(sloped(np.arange(5.0), 4), np.arange(12) / 4 + 0.625, rtol=1e-14)
    assert_array_equal(sloped(np.array([0.0, 0.0, 8.0]), 4), np.zeros(4))  # night before sunrise stays dark
    assert_allclose(sloped(np.array([0.0, 1.0, 8.0]), 4), [0.25, 0.75, 1.25, 1.75])  # no further than 0 at its edge
    assert_array_equal(sloped(np.array([1.0, 3.0, 2.0]), 2), [3.0, 3.0])  # a peak is no higher than it was


@given(numbers, parts)
def test_joined_is_no_faster_than_the_hours(hourly, per_hour):
    steps, size = joined(hourly, per_hour), 1e-12 * np.abs(hourly).max(initial=1.0)
    assert np.abs(np.diff(steps)).max(initial=0.0) <= np.abs(np.diff(hourly)).max() / per_hour + size
    assert steps.min() >= hourly.min() - size
    assert steps.max() <= hourly.max() + size


@given(numbers, parts)
def test_joined_keeps_the_energy_but_for_the_ends(hourly, per_hour):
    whole = np.concatenate(([0.0, 0.0], hourly, [0.0, 0.0]))
    assert joined(whole, per_hour).sum() / per_hour == pytest.approx(hourly.sum(), abs=1e-9 * np.abs(hourly).sum())


@pytest.mark.parametrize("rule", [sloped, held, joined])
def test_a_cut_changes_nothing(rule):
    hourly = np.random.default_rng(1).random((40, 3))
    assert_array_equal(rule(hourly, 4)[20:60], rule(hourly[5:17], 4))


def test_held():
    assert_array_equal(held(np.array([9.0, 1.0, 2.0, 9.0]), 2), [1.0, 1.0, 2.0, 2.0])
