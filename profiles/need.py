"""What the province lacks, day by day: the load its own wind and sun do not cover. Imports are scheduled by it.

A control room that plans tomorrow's imports looks at the forecast of its own net load. Here that is::

    N(t) = <P_load(t) - P_wind(t) - P_pv(t)>_3h                                                     (1)
    D(d) = max N over 07..22 h,     M(d) = mean N over 11..14 h                                     (2)

of the built-in province: its 13 cities and a few points that stand for its wind and its sun, whichever series are
asked for. So the forecast is right about the weather but not exact: the points are not the farms. Outages are not
in it; what is planned is levelled by itself (`outages`), what is forced nobody knows the day before.

How much is consumed and how large the fleet is (`Plan`) stands in rows of the site table of kind "plan", which ask for
no series; without them it is the province of 2024.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim.profiles.fields import CITIES, SEA_POINTS
from gridsim.profiles.load import ProvinceLoad
from gridsim.profiles.power import pv_power, wind_power
from gridsim.profiles.weather import Weather

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

# Places that stand for the fleet.
OFFSHORE = (SEA_POINTS[3], SEA_POINTS[6], SEA_POINTS[8], SEA_POINTS[9])
ONSHORE = tuple(CITIES[city] for city in ("Yancheng", "Nantong", "Huai'an", "Xuzhou"))
PV = tuple(CITIES[city] for city in ("Suqian", "Yancheng", "Nanjing", "Suzhou"))


class Site(NamedTuple):
    """A part of the fleet."""

    mw: float
    full_load_h: float


class Plan(NamedTuple):
    """What imports are planned against; the defaults are 2024 (docs/network.md)."""

    load_twh: float = 848.7
    wind_offshore: Site = Site(11_790.0, 2764.0)
    wind_onshore: Site = Site(11_330.0, 2182.0)
    pv: Site = Site(53_000.0, 1097.0)

    @classmethod
    def of(cls, sites: "pd.DataFrame") -> "Plan":
        """From the rows of a site table: ``plan/load`` with its energy, ``plan/pv`` and so on with MW and hours."""
        given: dict[str, float | Site] = {}
        for row in sites[sites["kind"] == "plan"].itertuples():
            name = str(row.profile).removeprefix("plan/")
            if name == "load":
                given["load_twh"] = float(row.energy_twh)
            else:
                given[name] = Site(float(row.rated_mw), float(row.full_load_h))
        return cls(**given)  # type: ignore[arg-type]


PLAN_2024 = Plan()
PLANNED = ("load", *Plan._fields[1:])  # what rows of kind "plan" are named after


@dataclass(frozen=True)
class ProvinceNeed:
    """Net load of the province in one weather year. [MW]"""

    weather: Weather
    load: ProvinceLoad
    plan: Plan = PLAN_2024

    @cached_property
    def hourly_mw(self) -> FloatArray:
        """N of equation (1). Shape (hours,)"""
        need = self.load.province_pu * (self.plan.load_twh * 1e6 / self.weather.hours)
        for kind, site, places in (
            ("wind_offshore", self.plan.wind_offshore, OFFSHORE),
            ("wind_onshore", self.plan.wind_onshore, ONSHORE),
        ):
            for k, (lat, lon) in enumerate(places):
                series = wind_power(self.weather, kind, lat, lon, f"need/{kind}/{k}", flh_h=site.full_load_h)
                need -= site.mw / len(places) * series
        for k, (lat, lon) in enumerate(PV):
            series = pv_power(self.weather, lat, lon, f"need/pv/{k}", flh_h=self.plan.pv.full_load_h)
            need -= self.plan.pv.mw / len(PV) * series
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
