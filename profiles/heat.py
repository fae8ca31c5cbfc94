"""Heat from power plants: steam for works, homes in the north, and what it leaves a unit to choose.

Heat of a city over its mean of the year, with s the share of steam and dip the depth of the Spring Festival::

    h(t) = s < n(hour) (1 - 0.25 dip(d)) > + (1 - s) < (0.5 + 0.5 max(18 - <T>_24h, 0) / 18) in season >         (1)

<.> over its mean; n is 1 from 06 to 22 h and `night` else; the season is December to March. An extraction unit that
gives the heat q, p.u. of its rating, runs between the back-pressure line and the line of constant fuel::

    p_min = p_0 + c_m q,     p_max = min(1, 1 - c_v (q - <q>)),     c_m <q> = m - p_0                             (2)

so that the mean of its minimum over the year is `m`, the single number that stands for heat otherwise, and its rating
is what it gives beside its mean heat. p_0 is the minimum without any heat. What boilers take over, a share b of the
heat, lowers q by it. A unit gives no more heat than leaves it ROOM between the two lines.

Jiangsu has no general district heating: industrial steam all year, a quarter less at Spring Festival, homes in Xuzhou
and Lianyungang. [K] c_m, c_v and p_0 are usual for extraction turbines. [K]
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles.character import number, words
from gridsim.profiles.demand import Kind, Place
from gridsim.profiles.load import festival_dip, running_mean
from gridsim.profiles.weather import months_of_hours

FloatArray = NDArray[np.float64]

C_M = 0.75  # MW of electricity that a MW of heat asks for, back pressure
C_V = 0.15  # MW of electricity that a MW of heat costs at the same fuel
ROOM = 0.05  # p.u., least distance of p_min and p_max
SEASON = (11, 0, 1, 2)  # December to March
_ALLOWED = dict.fromkeys(("steam", "night", "least", "idle", "boiler"))


def _share(at: Place, said: dict[str, str], name: str, default: float) -> float:
    return number(at.profile, said, name, low=0.0, high=1.0, default=default)


def heat_pu(at: Place, said: dict[str, str]) -> FloatArray:
    """h of equation (1). Shape (hours,), mean 1"""
    steam, night = _share(at, said, "steam", 1.0), _share(at, said, "night", 1.0)
    works = np.where((at.hour >= 6) & (at.hour < 22), 1.0, night)
    works = works * np.repeat(1.0 - 0.25 * festival_dip(at.calendar), 24)
    out = steam * works / works.mean()
    if steam < 1.0:
        cold = np.maximum(18.0 - running_mean(at.temperature_c, 24), 0.0) / 18.0
        homes = (0.5 + 0.5 * cold) * np.isin(months_of_hours(at.weather.year), SEASON)
        out = out + (1.0 - steam) * homes / homes.mean()
    return out


def mean_heat_pu(least: float, idle: float) -> float:
    """<q> of equation (2): mean heat of a unit, MW of heat per MW of its rating."""
    return (least - idle) / C_M


def _region(at: Place, row: Any) -> tuple[FloatArray, FloatArray]:
    """p_min and p_max of equation (2). Shapes (hours,)"""
    said = words(at.profile, str(row.character), _ALLOWED)
    least, idle = _share(at, said, "least", 0.65), _share(at, said, "idle", 0.3)
    if idle > least:
        rule = f"least must be at least idle = {idle:g}, is {least:g}"
        raise InputError("profile_site", [Problem(f"{at.profile}: character", rule)])
    mean = mean_heat_pu(least, idle)
    q = mean * (1.0 - _share(at, said, "boiler", 0.0)) * heat_pu(at, said)
    most = (1.0 + C_V * mean - ROOM - idle) / (C_M + C_V)  # where the lines are ROOM apart
    q = np.minimum(q, most)
    return idle + C_M * q, np.minimum(1.0, 1.0 - C_V * (q - mean))


def _heat_min(at: Place, row: Any) -> FloatArray:
    return _region(at, row)[0]


def _heat_max(at: Place, row: Any) -> FloatArray:
    return _region(at, row)[1]


def _heat_demand(at: Place, row: Any) -> FloatArray:
    """Heat that a network takes, `rated_mw` on average. [MW]"""
    said = words(at.profile, str(row.character), dict.fromkeys(("steam", "night")))
    return float(row.rated_mw) * heat_pu(at, said)


_SPOT = ("lat_deg", "lon_deg")
HEAT_KINDS: dict[str, Kind] = {
    "heat_min": Kind("1", _SPOT, _heat_min),
    "heat_max": Kind("1", _SPOT, _heat_max),
    "heat_demand": Kind("MW", (*_SPOT, "rated_mw"), _heat_demand),
}
