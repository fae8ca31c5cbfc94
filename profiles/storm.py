"""What is left of connections at sea in a typhoon (台风降额): farms are eased off before it is upon them.

    left(t) = 1 - s clip((V(t) - 17.2) / (24.5 - 17.2), 0, 1)                                            (1)

with V the typhoon's own wind at hub height, from gale (force 8) to storm (force 10), and s the share given up then
(`share`). Turbines stop by themselves in stronger wind (`power`); this is what operators take off beforehand, and what
cables and converters may carry with crews ashore. Assumed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.profiles.character import number, words
from gridsim.profiles.demand import Kind, Place

FloatArray = NDArray[np.float64]

GALE_MS, STORM_MS = 17.2, 24.5


def _storm(at: Place, row: Any) -> FloatArray:
    """Equation (1), p.u. Shape (hours,)"""
    share = number(
        at.profile, words(at.profile, str(row.character), {"share": None}), "share", low=0, high=1, default=0
    )
    wind_ms = at.weather.storm_wind_ms(at.lat_deg, at.lon_deg, True)
    return 1.0 - share * np.clip((wind_ms - GALE_MS) / (STORM_MS - GALE_MS), 0.0, 1.0)


STORM_KINDS = {"storm": Kind("1", ("lat_deg", "lon_deg"), _storm)}
