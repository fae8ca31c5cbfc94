"""Correlated random fields on fixed anchor points, and what one place reads from them.

The fields live on `ANCHORS`, points of this module that never change: the 13 cities and 14 points of the Yellow Sea.
A place x reads the simple-kriging mean of the anchors and adds a term of its own::

    z(x, t) = sum_i w_i(x) a_i(t) + sqrt(1 - w.c) e_x(t),    w = C^-1 c(x)                (1)
    C_ij = exp(-(d_ij / L)^p),  c_i(x) = exp(-(|x - x_i| / L)^p)                          (2)

where e_x has the time filter of the field and a seed made of the place's NAME. So z(x) has mean 0 and variance 1,
the right correlation with every anchor, and the same bytes whatever other places are asked for, in whatever order.
What is left out: the residuals of two places are independent of each other, so neighbours closer than the anchor
spacing (about 60 km) correlate a little less than (2) says; that stands for local variability (tests measure it).

Sums over anchors are written as loops over rows: no BLAS, whose rounding depends on the shape of the matrix.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Latitude and longitude in degrees, the prefecture's urban centre. [K, any atlas]
CITIES: dict[str, tuple[float, float]] = {
    "Nanjing": (32.06, 118.80),
    "Wuxi": (31.57, 120.30),
    "Xuzhou": (34.26, 117.19),
    "Changzhou": (31.81, 119.97),
    "Suzhou": (31.30, 120.62),
    "Nantong": (32.01, 120.86),
    "Lianyungang": (34.60, 119.22),
    "Huai'an": (33.60, 119.02),
    "Yancheng": (33.35, 120.16),
    "Yangzhou": (32.39, 119.42),
    "Zhenjiang": (32.20, 119.45),
    "Taizhou": (32.46, 119.92),
    "Suqian": (33.96, 118.28),
}
SEA_POINTS = (
    (35.10, 119.90),
    (34.70, 120.50),
    (34.40, 121.30),
    (34.30, 120.50),
    (33.90, 120.90),
    (33.60, 121.70),
    (33.30, 121.15),
    (33.10, 122.20),
    (32.90, 121.50),
    (32.60, 122.00),
    (32.40, 121.60),
    (32.20, 122.50),
    (31.95, 122.15),
    (31.60, 122.70),
)
ANCHORS = (*CITIES.values(), *SEA_POINTS)
SPIN_UP_H = 480  # steps thrown away before each series, so that the filters start in their steady state


def stream(seed: int, year: int, *names: str) -> np.random.Generator:
    """A random generator of its own for each (seed, year, name): sha256, so the same on every run and machine."""
    digest = hashlib.sha256("\x1f".join((str(int(seed)), str(int(year)), *names)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def plane_km(lat_deg: float, lon_deg: float) -> tuple[float, float]:
    """East and north of (33 N, 120 E) on a local plane; better than 0.5 % inside Jiangsu. [km]"""
    return (lon_deg - 120.0) * 111.32 * float(np.cos(np.radians(33.0))), (lat_deg - 33.0) * 110.9


_ANCHOR_KM = np.array([plane_km(*p) for p in ANCHORS])


def distances_km(lat_deg: float, lon_deg: float) -> FloatArray:
    """Distance from a place to every anchor. [km], shape (anchors,)"""
    x, y = plane_km(lat_deg, lon_deg)
    return np.hypot(_ANCHOR_KM[:, 0] - x, _ANCHOR_KM[:, 1] - y)


def _cholesky(matrix: FloatArray) -> FloatArray:
    """Lower Cholesky factor by rows, in plain sums (the same rounding everywhere)."""
    n = len(matrix)
    low = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j] - sum(low[i, k] * low[j, k] for k in range(j))
            low[i, j] = np.sqrt(rest) if i == j else rest / low[j, j]
    return low


@dataclass(frozen=True)
class FieldSpec:
    """One field: how far it reaches in space and how long it remembers."""

    name: str
    reach_km: float  # L of (2)
    power: float  # p of (2)
    memory_steps: float  # time constant of each first-order filter, in steps (hours or days)
    order: int  # how often the first-order filter runs: 2 gives the smooth short-lag decay of wind

    def correlation(self, d_km: FloatArray) -> FloatArray:
        return np.exp(-((d_km / self.reach_km) ** self.power))


def filtered_noise(rng: np.random.Generator, spec: FieldSpec, steps: int) -> FloatArray:
    """One series of unit variance: white noise through `order` first-order filters. Shape (steps,)."""
    from scipy.signal import lfilter

    phi = float(np.exp(-1.0 / spec.memory_steps))
    noise = rng.standard_normal(steps + SPIN_UP_H)
    gain = (1 - phi**2) if spec.order == 1 else (1 - phi**2) ** 3 / (1 + phi**2)
    denominator = [1.0, -phi] if spec.order == 1 else [1.0, -2 * phi, phi**2]
    return lfilter([np.sqrt(gain)], denominator, noise)[SPIN_UP_H:]


class Field:
    """One realisation of a field on the anchors."""

    def __init__(self, spec: FieldSpec, seed: int, year: int, steps: int):
        self.spec, self.seed, self.year, self.steps = spec, seed, year, steps
        rows = [
            filtered_noise(stream(seed, year, "field", spec.name, str(i)), spec, steps) for i in range(len(ANCHORS))
        ]
        d_km = np.hypot(*(_ANCHOR_KM[:, None, k] - _ANCHOR_KM[None, :, k] for k in (0, 1)))
        self._low = _cholesky(spec.correlation(d_km) + 1e-9 * np.eye(len(ANCHORS)))
        # The filter is linear and the same everywhere: mixing filtered rows equals filtering mixed noise.
        self.anchor_rows = [_weighted(self._low[i, : i + 1], rows[: i + 1]) for i in range(len(ANCHORS))]

    def _weights(self, lat_deg: float, lon_deg: float) -> tuple[FloatArray, float]:
        """Kriging weights of the anchors at a place, and the variance they leave to the local term."""
        c = self.spec.correlation(distances_km(lat_deg, lon_deg))
        n = len(c)
        forward, w = np.zeros(n), np.zeros(n)
        for i in range(n):
            forward[i] = (c[i] - sum(self._low[i, k] * forward[k] for k in range(i))) / self._low[i, i]
        for i in reversed(range(n)):
            w[i] = (forward[i] - sum(self._low[k, i] * w[k] for k in range(i + 1, n))) / self._low[i, i]
        return w, max(0.0, 1.0 - float(sum(forward * forward)))

    def at(self, lat_deg: float, lon_deg: float, name: str) -> FloatArray:
        """The field at a place: equation (1). Shape (steps,), mean 0 and variance 1 over many seeds."""
        w, left = self._weights(lat_deg, lon_deg)
        local = filtered_noise(stream(self.seed, self.year, "local", self.spec.name, name), self.spec, self.steps)
        return _weighted(w, self.anchor_rows) + np.sqrt(left) * local


def _weighted(weights: FloatArray, rows: Sequence[FloatArray]) -> FloatArray:
    total = np.zeros_like(rows[0])
    for weight, row in zip(weights, rows, strict=True):
        total += weight * row
    return total
