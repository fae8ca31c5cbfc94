"""Hourly series on steps shorter than an hour, by three rules.

An hourly value m is the mean over its hour, a and b are those of the hours before and after; x is the middle of a step,
0 to 1 through the hour.

* `sloped`, for whatever varies by itself (load, wind, PV, inflow, reserve asked for)::

      m + s (x - 1/2),   s = the smallest of |b - a| / 2, 2 |m - a|, 2 |b - m|, with the sign of b - a;
                         0 where m is a peak, a valley or a plateau

  A straight line in each hour that keeps the hour's energy to rounding and never leaves the range of a, m and b: no
  negative PV, nothing above the rating, and a dark hour stays dark. It is the monotonised central slope of B. van Leer,
  "Towards the ultimate conservative difference scheme IV", J. Comput. Phys. 23 (1977) 276-299.
* `held`, for units on planned outage: the hour's value in each step.
* `joined`, for schedules of sources with a ramp limit: straight lines between the middles of the hours. Such a series
  moves no faster than the hourly one: what the ramp limit allows by the hour it allows by the step. The range of
  neighbours is kept, too. The price is that an hour gives up to an eighth of its differences to its neighbours; the
  energy of a whole run moves at its two ends only.

All take an hour more at each end, so that a cut through the year does not change the series.
"""

import numpy as np

from gridsim.kernels.jit import FloatArray


def sloped(hourly: FloatArray, per_hour: int) -> FloatArray:
    """(hours + 2, ...) to (hours * per_hour, ...): energy of each hour kept, no new extremes."""
    a, m, b = hourly[:-2], hourly[1:-1], hourly[2:]
    size = np.minimum(np.minimum(2.0 * np.abs(m - a), 2.0 * np.abs(b - m)), 0.5 * np.abs(b - a))
    slope = np.where((m - a) * (b - m) > 0.0, np.sign(b - a) * size, 0.0)
    return _woven([m + slope * (x - 0.5) for x in _middles(per_hour)])


def held(hourly: FloatArray, per_hour: int) -> FloatArray:
    """(hours + 2, ...) to (hours * per_hour, ...): the hour's value in each of its steps."""
    return np.repeat(hourly[1:-1], per_hour, axis=0)


def joined(hourly: FloatArray, per_hour: int) -> FloatArray:
    """(hours + 2, ...) to (hours * per_hour, ...): through the middles of the hours, no faster than the hours move."""
    a, m, b = hourly[:-2], hourly[1:-1], hourly[2:]
    return _woven([m + (x - 0.5) * (m - a if x < 0.5 else b - m) for x in _middles(per_hour)])


def _middles(per_hour: int) -> list[float]:
    return [(k + 0.5) / per_hour for k in range(per_hour)]


def _woven(parts: list[FloatArray]) -> FloatArray:
    """The k-th steps of all hours, k by k, as one series."""
    return np.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:])
