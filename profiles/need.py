"""What the province lacks, day by day: the load its own wind and sun do not cover. Imports are scheduled by it.

A control room that plans tomorrow's imports looks at the forecast of its own net load. Here that is::

    N(t) = <P_load(t) - P_wind(t) - P_pv(t)>_3h                                                     (1)
    D(d) = max N over 07..22 h,     M(d) = mean N over 11..14 h                                     (2)

of the built-in province: its 13 cities and a few points that stand for its wind and its sun, whichever series are
asked for. So the forecast is right about the weather but not exact: the points are not the farms. Outages are not
in it; what is planned is levelled by itself (`outages`), what is forced nobody knows the day before.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gridsim.profiles.fields import CITIES, SEA_POINTS
from gridsim.profiles.load import ProvinceLoad
from gridsim.profiles.power import pv_power, wind_power
from gridsim.profiles.weather import Weather

FloatArray = NDArray[np.float64]

YEAR_TWH = 848.7  # consumption of 2024
# MW and full-load hours of the fleet of 2024 (docs/network.md), and the places that stand for it.
OFFSHORE = (11_790.0, 2764.0, (SEA_POINTS[3], SEA_POINTS[6], SEA_POINTS[8], SEA_POINTS[9]))
ONSHORE = (11_330.0, 2182.0, tuple(CITIES[city] for city in ("Yancheng", "Nantong", "Huai'an", "Xuzhou")))
PV = (53_000.0, 1097.0, tuple(CITIES[city] for city in ("Suqian", "Yancheng", "Nanjing", "Suzhou")))


@dataclass(frozen=True)
class ProvinceNeed:
    """Net load of the province in one weather year. [MW]"""

    weather: Weather
    load: ProvinceLoad

    @cached_property
    def hourly_mw(self) -> FloatArray:
        """N of equation (1). Shape (hours,)"""
        need = self.load.province_pu * (YEAR_TWH * 1e6 / self.weather.hours)
        for kind, (mw, flh_h, places) in (("wind_offshore", OFFSHORE), ("wind_onshore", ONSHORE)):
            for k, (lat, lon) in enumerate(places):
                need -= mw / len(places) * wind_power(self.weather, kind, lat, lon, f"need/{kind}/{k}", flh_h=flh_h)
        mw, flh_h, places = PV
        for k, (lat, lon) in enumerate(places):
            need -= mw / len(places) * pv_power(self.weather, lat, lon, f"need/pv/{k}", flh_h=flh_h)
        ends = np.concatenate([need[:1], need, need[-1:]])
        return (ends[:-2] + ends[1:-1] + ends[2:]) / 3.0

    @cached_property
    def day_mw(self) -> FloatArray:
        """D of equation (2): the most of each day, night apart. Shape (days,)"""
        return self.hourly_mw.reshape(-1, 24)[:, 7:22].max(axis=1)

    @cached_property
    def noon_mw(self) -> FloatArray:
        """M of equation (2): when the sun is strongest. Shape (days,)"""
        return self.hourly_mw.reshape(-1, 24)[:, 11:14].mean(axis=1)
