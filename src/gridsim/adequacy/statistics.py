"""Means of blocks and how well they are known.

An interval is that of Student's t over the means of blocks, 95 %. Shortages are rare and skewed, so with few blocks it
is too narrow more often than one time in twenty; ten are asked for before a study may stop. Where no year was short,
what can be said is that at 95 % at most a share 1 - 0.05^(1/B) of B independent blocks have any shortage.
"""

import math
from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, IntArray

LEAST_BLOCKS = 10  # before a study may stop
_LEVEL = 0.95


class Estimate(NamedTuple):
    mean: float
    half_width: float  # of the interval of 95 %; inf with one block

    @property
    def relative(self) -> float:
        if self.mean == 0.0:
            return 0.0 if self.half_width == 0.0 else math.inf
        return self.half_width / abs(self.mean)

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width


def estimate(values: FloatArray, block: IntArray) -> Estimate:
    """Of one value for each year, with the number of its block; all blocks have the same number of years."""
    means = block_means(values, block)
    if means.size < 2:
        return Estimate(float(means.mean()), math.inf)
    from scipy.stats import t

    spread = float(means.std(ddof=1)) / math.sqrt(means.size)
    return Estimate(float(means.mean()), float(t.ppf(0.5 + _LEVEL / 2.0, means.size - 1)) * spread)


def block_means(values: FloatArray, block: IntArray) -> FloatArray:
    number = np.unique(block)
    return np.array([values[block == b].mean() for b in number])


def most_short_years(blocks: int) -> float:
    """Upper end, at 95 %, of the share of blocks that have a shortage, where none of so many had one."""
    return 1.0 - (1.0 - _LEVEL) ** (1.0 / blocks)
