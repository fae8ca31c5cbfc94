"""Gas that is left for power plants: what comes in by pipeline and ship, less homes that come first (保民生).

    left(d) = G (1 - s max(T_w - T(d), 0) / (T_w - T_c))                                                 (1)

with G what power plants get on a mild day, T(d) the mean temperature of the day, T_w the temperature from which homes
heat, T_c a very cold day, and s the share of G that homes then take. All hours of a day are alike: gas is booked by the
day, and lines hold a day's swing. T_w, T_c and s are assumed [K].
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.profiles.character import number, words
from gridsim.profiles.demand import Kind, Place

FloatArray = NDArray[np.float64]

MILD_C, COLD_C = 12.0, -5.0


def _gas_left(at: Place, row: Any) -> FloatArray:
    """Equation (1), MW of fuel. Shape (hours,)"""
    said = words(at.profile, str(row.character), {"homes": None})
    share = number(at.profile, said, "homes", low=0.0, high=1.0, default=0.5)
    day_c = at.temperature_c.reshape(-1, 24).mean(axis=1)
    left = float(row.rated_mw) * np.clip(1.0 - share * np.maximum(MILD_C - day_c, 0.0) / (MILD_C - COLD_C), 0.0, 1.0)
    return np.repeat(left, 24)


GAS_KINDS = {"gas_left": Kind("MW", ("lat_deg", "lon_deg", "rated_mw"), _gas_left)}
