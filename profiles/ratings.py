"""What weather leaves of the ratings of overhead lines (线路降额). Assumed.

    left(t) = (1 - s clip((V(t) - 17.2) / (24.5 - 17.2), 0, 1)) sqrt((70 - max(T(t), T_0)) / (70 - T_0))      (1)

with V the typhoon's own wind over land, from gale (force 8) to storm (force 10), and s the share given up then
(`share`): what operators take off corridors that may trip. The root is the current that heats a conductor of 70 degC,
in air of T, as much as its rating does in air of T_0 (`from_c`), the air that ratings are made for: losses grow with
the square of the current, cooling with the difference of temperatures. Wind, sun and colder air give nothing back.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.profiles.character import number, words
from gridsim.profiles.demand import Kind, Place
from gridsim.profiles.storm import GALE_MS, STORM_MS

FloatArray = NDArray[np.float64]

CONDUCTOR_C = 70.0  # of steel-reinforced aluminium in steady use


def _rating(at: Place, row: Any) -> FloatArray:
    """Equation (1), p.u. Shape (hours,)"""
    said = words(at.profile, str(row.character), {"share": None, "from_c": None})
    share = number(at.profile, said, "share", low=0, high=1, default=0)
    from_c = number(at.profile, said, "from_c", low=0, high=60, default=60)
    wind_ms = at.weather.storm_wind_ms(at.lat_deg, at.lon_deg, False)
    air_c = at.temperature_c
    calm = 1.0 - share * np.clip((wind_ms - GALE_MS) / (STORM_MS - GALE_MS), 0.0, 1.0)
    left: FloatArray = calm * np.sqrt(np.clip((CONDUCTOR_C - np.maximum(air_c, from_c)) / (CONDUCTOR_C - from_c), 0, 1))
    return left


RATING_KINDS = {"rating": Kind("1", ("lat_deg", "lon_deg"), _rating)}
