"""Interior paths: strictly inside their bounds and steps where there is an inside, refused where there is none."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import reachable_width

from gridsim.kernels.jit import FloatArray
from gridsim.kernels.start import interior_path


class Case(NamedTuple):
    """A path to look for: -fall <= x_t - keep x_(t-1) <= rise; a negative fall is a rise that must be."""

    lo: FloatArray
    hi: FloatArray
    x0: float
    keep: float
    fall: FloatArray
    rise: FloatArray


def drawn(seed):
    """Bounds and steps of which about half leave no path."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    middle = rng.uniform(0.0, 3.0) + rng.uniform(0.0, 1.0) * rng.standard_normal(n).cumsum()
    width = rng.uniform(0.0, 2.0, (2, n)) * (rng.random((2, n)) < 0.9) + 1e-6
    lo, hi = middle - width[0], middle + width[1]
    fall, rise = rng.uniform(0.0, 1.0, n) + 0.05, rng.uniform(0.0, 1.0, n) + 0.05
    if rng.random() < 0.3:  # something flows in, whatever is done
        inflow = rng.uniform(0.0, 0.3, n)
        fall, rise = fall - inflow, rise + inflow
    if rng.random() < 0.5:
        lo[0], hi[0] = min(lo[0], middle[0] - 0.1), max(hi[0], middle[0] + 0.1)
    keep = 1.0 if rng.random() < 0.5 else 1.0 - rng.uniform(0.0, 0.05)
    x0 = float(middle[0]) if rng.random() < 0.8 else float(middle[0] + rng.normal())
    return Case(lo, hi, x0, float(keep), fall, rise)


def path_of(case):
    out = np.full(case.lo.size, np.nan)
    centre, half = 0.5 * (case.rise - case.fall), 0.5 * (case.rise + case.fall)
    return interior_path(case.lo, case.hi, case.x0, case.keep, centre, half, out), out


def rests(case, path):
    """What the path leaves to its lower and upper bounds, and to its fall and rise: (4, T)."""
    step = path - case.keep * np.append(case.x0, path[:-1])
    return np.array([path - case.lo, case.hi - path, step + case.fall, case.rise - step])


def test_is_inside_wherever_there_is_an_inside():
    found = lost = 0
    for seed in range(400):
        case = drawn(seed)
        width = reachable_width(case.lo, case.hi, case.x0, keep=case.keep, fall=case.fall, rise=case.rise)
        is_found, path = path_of(case)
        found, lost = found + bool(is_found), lost + (not is_found)
        assert is_found or width < 1e-4, seed  # a path that hardly exists may be missed
        assert not is_found or width > 0.0, seed
        if is_found:
            assert rests(case, path).min() > 0.0, seed
    assert min(found, lost) > 80


def test_keeps_its_distance():
    """Where nothing presses, a tenth of every step and half of every range are left."""
    n = 12
    case = Case(np.zeros(n), np.full(n, 2.0), 1.0, 1.0, np.full(n, 0.2), np.full(n, 0.2))
    is_found, path = path_of(case)
    assert is_found
    assert_allclose(path, 1.0, rtol=1e-14)
    climb = case._replace(lo=np.append(np.zeros(n - 1), 1.9))
    is_found, path = path_of(climb)
    assert is_found
    assert rests(climb, path)[2:].min() > 0.9 * 0.02
    assert 1.9 < path[-1] < 2.0


@pytest.mark.parametrize(("share", "exists"), [(0.95, True), (0.9999, True), (1.0, False), (1.05, False)])
def test_takes_almost_the_full_steps_if_it_must(share, exists):
    """Climbing `share` of what ten full steps reach."""
    n, step = 10, 0.1
    case = Case(
        np.append(np.zeros(n - 1), share * n * step), np.full(n, 5.0), 0.0, 1.0, np.full(n, step), np.full(n, step)
    )
    case = case._replace(lo=case.lo - np.append(np.full(n - 1, 0.01), 0.0))
    is_found, path = path_of(case)
    assert is_found == exists
    if exists:
        assert rests(case, path).min() > 0.0


def test_standing_losses_count():
    """What a tenth per hour leaves of 1.0 cannot be held above 0.95 by charging 0.04."""
    n = 3
    case = Case(np.full(n, 0.95), np.full(n, 2.0), 1.0, 0.9, np.full(n, 0.1), np.full(n, 0.04))
    assert not path_of(case)[0]
    assert path_of(case._replace(rise=np.full(n, 0.2)))[0]
    assert path_of(case._replace(keep=1.0))[0]


@pytest.mark.parametrize("x0", [-1.0, 3.0])
def test_a_start_out_of_reach_is_refused(x0):
    n = 4
    case = Case(np.zeros(n), np.ones(n), x0, 1.0, np.full(n, 0.5), np.full(n, 0.5))
    assert not path_of(case)[0]
    wide = np.append(2.5, np.full(n - 1, 0.5))
    assert path_of(case._replace(fall=wide, rise=wide))[0]  # the first step brings it in
