"""One row of a table of targets, and the ways to say its band."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One target: what, how much is wanted, how much there is, and the band it must lie in."""

    quantity: str
    target: float
    achieved: float
    low: float
    high: float
    source: str

    @property
    def ok(self) -> bool:
        return bool(self.low <= self.achieved <= self.high)

    @property
    def tolerance(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}"


def around(quantity: str, target: float, achieved: float, tolerance: float, source: str) -> Row:
    """A row whose band is target +- tolerance."""
    return Row(quantity, target, float(achieved), target - tolerance, target + tolerance, source)


def within(quantity: str, target: float, achieved: float, share: float, source: str) -> Row:
    """A row whose band is target +- a share of it."""
    return around(quantity, target, achieved, abs(target) * share, source)


def autocorrelation(series: FloatArray, lag: int) -> float:
    x = series - series.mean()
    return float((x[:-lag] * x[lag:]).mean() / (x * x).mean())
