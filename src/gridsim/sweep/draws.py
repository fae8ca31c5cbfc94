"""Values of a random axis: the same for the same seed, whatever other keys are drawn."""

import hashlib
from typing import Any

import numpy as np
from scipy import stats

from gridsim.kernels.jit import FloatArray
from gridsim.sweep.study import Draw, Random


def drawn(random: Random) -> dict[str, list[Any]]:
    """Key -> `count` values."""
    return {draw.key: _values(draw, _shares(random, draw.key)) for draw in random.draw}


def _shares(random: Random, key: str) -> FloatArray:
    """Numbers in [0, 1), of which the distribution takes its quantiles."""
    words = np.frombuffer(hashlib.sha256(key.encode()).digest(), dtype=np.uint32)
    rng = np.random.default_rng([random.seed, *words.tolist()])
    if random.method == "independent":
        return rng.random(random.count)
    return np.asarray(stats.qmc.LatinHypercube(1, rng=rng).random(random.count))[:, 0]


def _values(draw: Draw, shares: FloatArray) -> list[Any]:
    if draw.uniform is not None:
        low, high = draw.uniform
        return (low + (high - low) * shares).tolist()
    if draw.normal is not None:
        mean, deviation = draw.normal
        low, high = ((limit - mean) / deviation for limit in draw.limits)
        return np.asarray(stats.truncnorm.ppf(shares, low, high, mean, deviation)).tolist()
    if draw.integers is not None:
        first, last = draw.integers
        return [int(k) for k in first + np.floor((last - first + 1) * shares)]
    assert draw.choice is not None  # one of the four is there: see Draw
    return [draw.choice[int(k)] for k in np.floor(len(draw.choice) * shares)]
