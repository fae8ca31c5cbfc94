"""City load through a year: what people and plants do by the clock, and what the weather adds.

For city c, hour t, before scaling to the city's energy::

    s_c = A(month) sum_sector m_cs T_s(hour, day type) H_s(day) R_s(tariff) + g_cool k_c C_c(t) + g_heat q_c Q_c(t) (1)
    C_c = 12 tanh(softplus(T_feel - 20.5) / 12) o_cool(hour),  Q_c = softplus(11 - T_feel) o_heat(hour)  (2)
    T_feel = 0.35 T(t) + 0.40 <T>_24h + 0.25 <T>_48h                                                             (3)

with <T> a running mean of the hours past: buildings remember. The gains g, the depth of the Spring Festival and the
twelve activity levels A are provincial: they are found on the 13 built-in cities with their built-in energy shares,
whatever cities are asked for, so that the province of 2024 has its published peak, winter peak, minimum and months.
Then every city is scaled to its own energy; a rated peak that differs from its share of the province's stretches it.

The answer R_s to the tariff of the year is part of (1). A scenario with another tariff or another elasticity e has, of
the load M_s(t) of a sector with the weight w_s, the same energy each day at other hours::

    M_s'(t) = k_s(d) M_s(t) (1 - e w_s (p'(t) - 1)) / (1 - e_0 w_s (p(t) - 1)),   sum_d M_s' = sum_d M_s           (4)

Load is gross (whole-society) load: PV behind the meter is not taken off, it is a source of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles.calendar import Calendar, calendar
from gridsim.profiles.fields import CITIES, FieldSpec, distances_km, filtered_noise, stream
from gridsim.profiles.weather import Weather, months_of_hours, smooth_months

FloatArray = NDArray[np.float64]

# Jiangsu 2024, relative to the year's mean load of 96.6 GW (848.7 TWh, State Grid Jiangsu 2025-02-07).
SUMMER_PEAK = 146.2 / 96.62  # 155.0 GW on 2025-08-20 is 5.99 % above 2024 (laotiantimes.com 2025-08-25)
WINTER_PEAK = 131.3 / 96.62  # 134 GW forecast for 2024/25 is 2.07 % above the winter before
MINIMUM = 50.0 / 96.62  # Spring Festival 2022: 43.44 GW, scaled by energy
PEAK_OVER_SHARE = 1.03  # a city's own peak over its share of the province's: cities do not peak together
# Energy share by month of a leap year without Spring Festival: the hourly Jiangsu load of 2018 that PyPSA-China-PIK
# publishes (CC-BY-4.0), 2 % more in July to September for the hotter summer of 2024, the festival's dip put back (it
# takes 3 % of a month for each day of full depth). With the dip of 2024: .0915 .0660 .0797 .0742 .0783 .0808 .1010
# .1045 .0850 .0762 .0768 .0870. [M, adjusted K]
ORDINARY_SHARE = np.array(
    [0.09052, 0.07926, 0.07831, 0.07312, 0.07719, 0.07954, 0.09934, 0.10283, 0.0838, 0.07508, 0.07559, 0.08541]
)
_LEAP_DAYS = np.array([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
FESTIVAL_LOSS = 0.40  # what the dip takes of a day at full depth, mean of 12 synthetic years (sd 0.06)

# (share of the year's energy, share of the province's peak) of the 13 cities, 2024: six anchored in city statistics,
# others estimates (Suzhou 195.8 TWh and 32.6 GW in 2025, Changzhou 70.3 TWh and 12.5 GW in 2025, ...). [S/K]
CITY_SHARES = {
    "Nanjing": (0.09730, 0.10346),
    "Wuxi": (0.11676, 0.12415),
    "Xuzhou": (0.06227, 0.06621),
    "Changzhou": (0.08822, 0.07836),
    "Suzhou": (0.24170, 0.20918),
    "Nantong": (0.08303, 0.08828),
    "Lianyungang": (0.04411, 0.04690),
    "Huai'an": (0.03568, 0.03793),
    "Yancheng": (0.05838, 0.06207),
    "Yangzhou": (0.04281, 0.04552),
    "Zhenjiang": (0.04152, 0.04414),
    "Taizhou": (0.04930, 0.05242),
    "Suqian": (0.03892, 0.04138),
}
# What has a clock of its own inside the load (`demand` makes it), for reports by component.
COMPONENTS = ("ev", "building", "shore_power", "data_centre")
SECTORS = ("continuous", "three_shift", "two_shift", "services", "residential", "ev")
# Weather-free energy by sector. Industry 68.7 % of use, services 14.5, homes 14 in H1 2024; the split inside
# industry and between cities follows what each city makes (steel and chemicals run on, electronics in shifts). [K]
_COMMON_MIX = (0.38, 0.20, 0.16, 0.11, 0.13, 0.02)
SECTOR_MIX = {
    "Nanjing": (0.34, 0.15, 0.11, 0.18, 0.19, 0.03),
    "Wuxi": (0.36, 0.23, 0.19, 0.10, 0.10, 0.02),
    "Xuzhou": (0.42, 0.15, 0.11, 0.13, 0.17, 0.02),
    "Changzhou": (0.42, 0.21, 0.17, 0.09, 0.09, 0.02),
    "Suzhou": (0.34, 0.26, 0.19, 0.10, 0.09, 0.02),
    "Nantong": (0.33, 0.20, 0.20, 0.11, 0.14, 0.02),
    "Lianyungang": (0.45, 0.15, 0.11, 0.12, 0.15, 0.02),
    "Huai'an": (0.40, 0.15, 0.12, 0.13, 0.18, 0.02),
    "Yancheng": (0.40, 0.16, 0.13, 0.12, 0.17, 0.02),
    "Yangzhou": (0.37, 0.19, 0.15, 0.12, 0.15, 0.02),
    "Zhenjiang": (0.45, 0.18, 0.13, 0.10, 0.12, 0.02),
    "Taizhou": (0.37, 0.20, 0.18, 0.10, 0.13, 0.02),
    "Suqian": (0.37, 0.18, 0.16, 0.11, 0.16, 0.02),
}


def _day(*values: float) -> FloatArray:
    """24 hourly values over their mean."""
    out = np.array(values)
    return out / out.mean()


# Our own templates [K], fitted by eye so that a spring workday of the province follows the 2018 shape above.
TEMPLATES = {
    "continuous": np.ones(24),
    "three_shift": _day(*[0.965] * 7, 0.98, 1.01, *[1.035] * 3, 1.0, *[1.035] * 5, *[1.0] * 3, *[0.985] * 3),
    "two_shift": _day(
        *(0.79, 0.75, 0.72, 0.70, 0.70, 0.71, 0.75, 0.82, 0.99, 1.22, 1.30, 1.30),
        *(1.14, 1.26, 1.28, 1.28, 1.24, 1.15, 1.02, 0.98, 1.00, 1.00, 0.94, 0.86),
    ),
    "services": _day(
        *(0.68, 0.65, 0.63, 0.62, 0.62, 0.64, 0.71, 0.80, 0.96, 1.15, 1.23, 1.27),
        *(1.26, 1.25, 1.24, 1.24, 1.22, 1.18, 1.16, 1.18, 1.16, 1.08, 0.92, 0.78),
    ),
    "residential": _day(
        *(0.98, 0.88, 0.80, 0.76, 0.75, 0.76, 0.84, 0.92, 0.92, 0.92, 0.95, 1.02),
        *(1.04, 0.98, 0.95, 0.96, 1.00, 1.10, 1.22, 1.28, 1.30, 1.28, 1.20, 1.10),
    ),
    # Passenger cars on a workday, after Zhan et al. 2025, scaled to mean 1. [S]
    "ev": _day(
        *(1.53, 1.25, 0.97, 0.73, 0.55, 0.45, 0.43, 0.46, 0.82, 0.97, 0.88, 0.86),
        *(0.93, 0.87, 0.79, 0.89, 0.92, 0.89, 1.04, 1.32, 1.52, 1.66, 1.62, 1.64),
    ),
}
# Level of a Saturday and a Sunday over a workday: province about 0.95 on weekends in the 2018 file. [M for the sum]
WEEKEND = {
    "continuous": (0.985, 0.96),
    "three_shift": (0.95, 0.90),
    "two_shift": (0.84, 0.72),
    "services": (0.97, 0.94),
    "residential": (1.05, 1.06),
    "ev": (1.04, 1.04),
}
# What a public holiday takes off a sector of depth 1; the province as a whole loses about 0.7 of it: National Day 0.83
# of an October workday, the others 0.90 to 0.95. [K] The Spring Festival has a curve of its own.
HOLIDAY_DROP = {
    "new_year": 0.10,
    "qingming": 0.09,
    "labour": 0.13,
    "dragon_boat": 0.09,
    "mid_autumn": 0.10,
    "national": 0.23,
}
SECTOR_DEPTH = {"continuous": 0.62, "three_shift": 1.35, "two_shift": 1.75, "services": 0.8, "residential": -0.15}
SECTOR_DEPTH |= {"ev": 0.4}
# Depth of the Spring Festival dip by day from lunar new year, 1 at its deepest; daily Jiangsu load of January to
# March 2022 from the public project zdc207/ElecForeDaChuang, checked against the published week (9.195 TWh). [M]
FESTIVAL_DAY = np.array([-21, -14, -10, -7, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6, 7, 9, 12, 15, 18])
FESTIVAL_DEPTH = np.array(
    [0, 0.04, 0.18, 0.34, 0.52, 0.72, 0.82, 0.92, 1, 0.97, 0.95, 0.9, 0.8, 0.68, 0.52, 0.34, 0.2, 0.1, 0]
)

# Where cooling and heating happen through the day (offices and shops by noon, homes in the evening). [K]
COOL_HOURS = np.array(
    [
        *(0.90, 0.86, 0.82, 0.80, 0.79, 0.79, 0.81, 0.85, 0.93, 1.01, 1.08, 1.14),
        *(1.18, 1.16, 1.12, 1.09, 1.07, 1.04, 1.01, 1.00, 1.00, 0.99, 0.97, 0.94),
    ]
)
HEAT_HOURS = np.array(
    [
        *(0.88, 0.82, 0.78, 0.76, 0.76, 0.79, 0.90, 1.00, 1.06, 1.06, 1.02, 0.98),
        *(0.96, 0.93, 0.92, 0.94, 1.02, 1.18, 1.34, 1.38, 1.32, 1.22, 1.08, 0.96),
    ]
)
MAX_STEPS = 60
# Machines run out of capacity in great heat. 12 K: cooling is 26-39 % of the summer peak on 4 seeds (35-40 % [K]).
SATURATION_K = 12.0
COOL_FROM_C, HEAT_FROM_C, KNEE_K = 20.5, 11.0, 1.5
TARIFF_RESPONSE = (
    0.035  # of industrial load per unit of relative price; moves 3-4 GW at the 2025 prices (ecns 2025-07-14)
)
TARIFF_WEIGHT = {"continuous": 0.6, "three_shift": 1.0, "two_shift": 0.8}
LEAST_LEFT = 0.1  # of an hour's industrial load, whatever the price


def tariff(year: int, month: NDArray[np.int64], hour: NDArray[np.int64]) -> FloatArray:
    """Price of energy for industry relative to the flat price (peak 1.7 or 1.8, valley 0.4 or 0.35), hour by hour.

    To May 2025: peak 8-11 and 17-22, valley 0-8 (Su Fa Gai Jia Ge Fa [2020] 1183 and its successors, [K] for 2024).
    From June 2025 ([2025] 426): summer and winter peak 14-22, valley 0-6 and 11-13; spring and autumn peak 15-22,
    valley 2-6 and 10-14. `month` counts from 0.
    """
    new = (year > 2025) | ((year == 2025) & (month >= 5))
    old_peak = ((hour >= 8) & (hour < 11)) | ((hour >= 17) & (hour < 22))
    old = np.where(old_peak, 1.7, np.where(hour < 8, 0.42, 1.0))
    hot_or_cold = np.isin(month, (5, 6, 7, 11, 0, 1))
    peak = np.where(hot_or_cold, (hour >= 14) & (hour < 22), (hour >= 15) & (hour < 22))
    noon = np.where(hot_or_cold, (hour >= 11) & (hour < 13), (hour >= 10) & (hour < 14))
    night = np.where(hot_or_cold, hour < 6, (hour >= 2) & (hour < 6))
    return np.where(new, np.where(peak, 1.8, np.where(noon | night, 0.35, 1.0)), old)


def ordinary_share(year: int) -> FloatArray:
    """Energy share by month that a year would have without its Spring Festival. Shape (12,)"""
    share = ORDINARY_SHARE * np.bincount(months_of_hours(year), minlength=12) / 24.0 / _LEAP_DAYS
    return share / share.sum()


def month_share(year: int) -> FloatArray:
    """Energy share by month to expect of a year, its Spring Festival where it falls. Shape (12,)"""
    cal = calendar(year)
    dip = festival_dip(cal)
    mean_dip = np.bincount(cal.month, dip, 12) / np.bincount(cal.month, minlength=12)
    share = ordinary_share(year) * (1.0 - FESTIVAL_LOSS * mean_dip)
    return share / share.sum()


def festival_dip(cal: Calendar) -> FloatArray:
    """Depth of the Spring Festival by day, 1 at its deepest. Shape (days,)"""
    return np.interp(cal.festival_day, FESTIVAL_DAY, FESTIVAL_DEPTH, left=0.0, right=0.0)


def locate(city: str, lat_deg: float, lon_deg: float) -> tuple[float, float]:
    """The built-in centre of a built-in city if the coordinates given are within 40 km of it, else as given."""
    if city in CITIES and distances_km(lat_deg, lon_deg)[list(CITIES).index(city)] < 40.0:
        return CITIES[city]
    return lat_deg, lon_deg


def _softplus(x: FloatArray) -> FloatArray:
    return KNEE_K * np.logaddexp(0.0, x / KNEE_K)


def _sum(arrays: Iterable[FloatArray]) -> FloatArray:
    """Sum of arrays, in their order."""
    return reduce(np.add, arrays)


def running_mean(series: FloatArray, window: int) -> FloatArray:
    """Mean of the `window` hours up to and including each hour; the first hours use what there is."""
    total = np.cumsum(np.concatenate([[0.0], series]))
    end = np.arange(1, len(series) + 1)
    first = np.maximum(end - window, 0)
    return (total[end] - total[first]) / (end - first)


@dataclass(frozen=True)
class _Parts:
    """Equation (1) of one city, before its gains: activity-led load by two depths, cooling, heating, noise."""

    base: FloatArray  # with holidays but without the Spring Festival
    festival: FloatArray  # what the Spring Festival takes off at depth 1
    cooling: FloatArray
    heating: FloatArray
    noise: FloatArray  # multiplies the sum


@dataclass(frozen=True)
class Gains:
    """The provincial numbers of (1) for one weather year."""

    cooling: float
    heating: float
    festival_depth: float
    activity: FloatArray  # (12,)


@dataclass(frozen=True)
class ProvinceLoad:
    """Load of any city in one weather year."""

    weather: Weather

    @cached_property
    def _calendar(self) -> Calendar:
        return calendar(self.weather.year)

    @cached_property
    def _month(self) -> NDArray[np.int64]:
        return months_of_hours(self.weather.year)

    @cached_property
    def _sector_hours(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """By sector: hourly level with weekends and holidays, and what the Spring Festival takes at depth 1."""
        cal, n = self._calendar, self.weather.hours
        hour = np.arange(n) % 24
        price = tariff(self.weather.year, self._month, hour)
        drop = np.array([HOLIDAY_DROP.get(kind, 0.0) for kind in cal.holiday])
        dip = festival_dip(cal)
        day_of_year = np.arange(n) / 24.0
        sunset = 18.1 - 1.05 * np.cos(2 * np.pi * (day_of_year + 10) / 365.25)  # +8 h clock, 33 N, 120 E
        dark = np.clip(hour + 1.0 - sunset, 0.0, 1.0) * (hour < 23) + (hour < 6) * 0.5
        out = {}
        for sector in SECTORS:
            saturday, sunday = WEEKEND[sector]
            level = np.where(cal.works | (drop > 0), 1.0, np.where(cal.weekday == 5, saturday, sunday))
            level = level * (1.0 - SECTOR_DEPTH[sector] * drop)
            series = TEMPLATES[sector][hour] * np.repeat(level, 24)
            if sector in TARIFF_WEIGHT:
                weight = TARIFF_WEIGHT[sector]
                response = 1.0 - TARIFF_RESPONSE * weight * (price - 1.0)
                series = series * response
            if sector in ("services", "residential"):
                series = series * (1.0 + 0.12 * dark)
            out[sector] = series, series * np.repeat(SECTOR_DEPTH[sector] * dip, 24)
        return out

    def temperature_c(self, city: str, lat_deg: float, lon_deg: float) -> FloatArray:
        """Temperature of a city, made once. [degC], shape (hours,), read only"""
        key = (city, lat_deg, lon_deg)
        if key not in self._temperatures:
            made = self.weather.temperature_c(lat_deg, lon_deg, f"temperature/{city}")
            made.flags.writeable = False
            self._temperatures[key] = made
        return self._temperatures[key]

    @cached_property
    def _temperatures(self) -> dict[tuple[str, float, float], FloatArray]:
        return {}

    def _parts(self, profile: str, lat_deg: float, lon_deg: float) -> _Parts:
        city = profile.rsplit("/", maxsplit=1)[-1]
        mix = SECTOR_MIX.get(city, _COMMON_MIX)
        base = _sum(m * self._sector_hours[s][0] for m, s in zip(mix, SECTORS, strict=True))
        festival = _sum(m * self._sector_hours[s][1] for m, s in zip(mix, SECTORS, strict=True))
        t = self.temperature_c(city, *locate(city, lat_deg, lon_deg))
        feel = 0.35 * t + 0.40 * running_mean(t, 24) + 0.25 * running_mean(t, 48)
        hour = np.arange(len(t)) % 24
        soft = (mix[3] + mix[4]) / (_COMMON_MIX[3] + _COMMON_MIX[4])
        dip = np.repeat(festival_dip(self._calendar), 24)
        heat_k = SATURATION_K * np.tanh(_softplus(feel - COOL_FROM_C) / SATURATION_K)
        cooling = (0.45 + 0.55 * soft) * heat_k * COOL_HOURS[hour]
        heating = (0.35 + 0.65 * soft) * _softplus(HEAT_FROM_C - feel) * HEAT_HOURS[hour] * (1.0 - 0.35 * dip)
        return _Parts(base, festival, cooling, heating, self._noise(profile))

    def _noise(self, profile: str) -> FloatArray:
        seed, year, n = self.weather.seed, self.weather.year, self.weather.hours
        slow, fast = FieldSpec("load-slow", 1, 1, 60.0, 1), FieldSpec("load-fast", 1, 1, 2.0, 1)
        common = filtered_noise(stream(seed, year, "load", "province"), slow, n)
        own = filtered_noise(stream(seed, year, "load", "own", profile), slow, n)
        quick = filtered_noise(stream(seed, year, "load", "quick", profile), fast, n)
        return 1.0 + 0.006 * common + 0.016 * own + 0.006 * quick

    def _total(self, parts: _Parts, gains: Gains) -> FloatArray:
        """Equation (1) before it is scaled. Shape (hours,)"""
        activity = smooth_months(gains.activity, self.weather.year)
        total = activity * (parts.base - gains.festival_depth * parts.festival)
        total += gains.cooling * parts.cooling + gains.heating * parts.heating
        total *= parts.noise
        return total

    def _shape(self, parts: _Parts, gains: Gains) -> FloatArray:
        """Equation (1) over its mean. Shape (hours,)"""
        total = self._total(parts, gains)
        return total / total.mean()

    @cached_property
    def _quiet(self) -> "ProvinceLoad":
        """The same without the events asked for: their load comes on top of the year's energy and peaks."""
        return self if self.weather.quiet is self.weather else ProvinceLoad(self.weather.quiet)

    @cached_property
    def _city_parts(self) -> dict[str, _Parts]:
        return {c: self._parts(f"load/{c}", *CITIES[c]) for c in CITY_SHARES}

    def _province(self, gains: Gains) -> FloatArray:
        """Load of the 13 built-in cities with their built-in shares, over its mean. Shape (hours,)"""
        share_sum = sum(energy for energy, _ in CITY_SHARES.values())
        return _sum(
            energy / share_sum * _stretched(self._shape(self._city_parts[c], gains), peak / energy)
            for c, (energy, peak) in CITY_SHARES.items()
        )

    @cached_property
    def province_pu(self) -> FloatArray:
        """Load of the province over its mean: built-in cities, whichever are asked for. Shape (hours,)"""
        return self._province(self.gains)

    @cached_property
    def gains(self) -> Gains:
        """Provincial gains from the 13 built-in cities with their built-in shares: damped fixed-point steps."""
        if self._quiet is not self:
            return self._quiet.gains
        parts = self._city_parts
        share_sum = sum(energy for energy, _ in CITY_SHARES.values())
        weight = {c: energy / share_sum for c, (energy, _) in CITY_SHARES.items()}
        month = self._month
        winter = np.isin(month, (0, 1, 11))
        share = ordinary_share(self.weather.year)
        gains = Gains(0.04, 0.009, 0.45, np.ones(12))
        for _ in range(MAX_STEPS):
            total = self._province(gains)
            summer_at = int(np.argmax(np.where(winter, 0.0, total)))
            winter_at = int(np.argmax(np.where(winter, total, 0.0)))
            ordinary = replace(gains, festival_depth=0.0)
            calm = _sum(w * self._shape(parts[c], ordinary) for c, w in weight.items())
            found = np.bincount(month, calm, 12) / calm.sum()
            errors = (SUMMER_PEAK - total[summer_at], WINTER_PEAK - total[winter_at], total.min() - MINIMUM)
            if max(map(abs, errors)) < 1e-4 and float(np.abs(share / found - 1.0).max()) < 1e-4:
                break
            activity = gains.activity * (share / found) ** 0.8
            cool_there = sum(w * float(parts[c].cooling[summer_at]) for c, w in weight.items())
            heat_there = sum(w * parts[c].heating[winter_at] for c, w in weight.items())
            gains = Gains(
                max(gains.cooling + 0.9 * errors[0] / cool_there, 0.0),
                max(gains.heating + 0.9 * errors[1] / heat_there, 0.0),
                float(np.clip(gains.festival_depth + 1.0 * errors[2], 0.0, 0.8)),
                activity / activity.mean(),
            )
        return gains

    def _parts_of(self, profile: str, lat_deg: float, lon_deg: float) -> _Parts:
        """The parts of a city, those of the built-in ones from the calibration."""
        city = profile.removeprefix("load/")
        built_in = city in self._city_parts and locate(city, lat_deg, lon_deg) == CITIES[city]
        return self._city_parts[city] if built_in else self._parts(profile, lat_deg, lon_deg)

    def weather_mw(
        self, profile: str, lat_deg: float, lon_deg: float, *, energy_twh: float, peak_mw: float, part: str
    ) -> FloatArray:
        """What cooling, heating or both are of `city_mw`, by their share of equation (1). [MW], shape (hours,)"""
        parts, gains = self._parts_of(profile, lat_deg, lon_deg), self.gains
        cooling, heating = gains.cooling * parts.cooling, gains.heating * parts.heating
        asked = {"cooling": cooling, "heating": heating, "both": cooling + heating}[part]
        whole = self.city_mw(profile, lat_deg, lon_deg, energy_twh=energy_twh, peak_mw=peak_mw)
        return whole * asked / (self._active(parts.base, parts.festival) + cooling + heating)

    def _active(self, base: FloatArray, festival: FloatArray) -> FloatArray:
        """The part of equation (1) that activity leads, before noise. Shape (hours,)"""
        return smooth_months(self.gains.activity, self.weather.year) * (base - self.gains.festival_depth * festival)

    def moved_mw(
        self,
        profile: str,
        lat_deg: float,
        lon_deg: float,
        *,
        energy_twh: float,
        peak_mw: float,
        prices: FloatArray | None,
        elasticity: float,
    ) -> FloatArray:
        """What another tariff or another answer to it adds to `city_mw`: equation (4). [MW], shape (hours,)

        `prices` by month and hour, shape (12, 24); None: those of the year.
        """
        parts, gains, n = self._parts_of(profile, lat_deg, lon_deg), self.gains, self.weather.hours
        hour = np.arange(n) % 24
        was = tariff(self.weather.year, self._month, hour)
        price = was if prices is None else prices[self._month, hour]
        whole = self.city_mw(profile, lat_deg, lon_deg, energy_twh=energy_twh, peak_mw=peak_mw)
        whole /= (
            self._active(parts.base, parts.festival) + gains.cooling * parts.cooling + gains.heating * parts.heating
        )
        mix = dict(zip(SECTORS, SECTOR_MIX.get(profile.removeprefix("load/"), _COMMON_MIX), strict=True))
        out = np.zeros(n)
        for sector, weight in TARIFF_WEIGHT.items():
            now = mix[sector] * whole * self._active(*self._sector_hours[sector])
            ratio = (1.0 - elasticity * weight * (price - 1.0)) / (1.0 - TARIFF_RESPONSE * weight * (was - 1.0))
            if float(ratio.min()) < LEAST_LEFT:
                rule = f"elasticity {elasticity:g} leaves {float(ratio.min()):.0%} of an hour's load: at least 10 %"
                raise InputError("profile_site", [Problem(profile, rule)])
            moved = now * ratio
            days = now.reshape(-1, 24).sum(axis=1) / moved.reshape(-1, 24).sum(axis=1)
            out += moved * np.repeat(days, 24) - now
        return out

    def city_mw(self, profile: str, lat_deg: float, lon_deg: float, *, energy_twh: float, peak_mw: float) -> FloatArray:
        """Load of one city through the year, its energy exact but for events asked for. [MW], shape (hours,)

        `peak_mw` is what the city is expected to reach; the weather of the year decides by some percent. Not finite:
        the peak follows from the energy.
        """
        quiet = self._quiet._total(self._quiet._parts_of(profile, lat_deg, lon_deg), self.gains)
        total = quiet if self._quiet is self else self._total(self._parts_of(profile, lat_deg, lon_deg), self.gains)
        shape, like = total / quiet.mean(), quiet / quiet.mean()
        mean_mw = energy_twh * 1e6 / self.weather.hours
        if np.isfinite(peak_mw) and mean_mw > 0.0:
            shape = _stretched(shape, peak_mw / (SUMMER_PEAK * PEAK_OVER_SHARE * mean_mw), like)
        return mean_mw * shape


def _stretched(shape: FloatArray, factor: float, like: FloatArray | None = None) -> FloatArray:
    """The same mean with the maximum times `factor`: what is above the mean grows, what is below gives it back.

    Where `like` is given, it is that one which keeps its mean and has that maximum, and `shape` goes along.
    """
    like = shape if like is None else like
    above, below = np.maximum(like - 1.0, 0.0), np.maximum(1.0 - like, 0.0)
    up = max(float(like.max()) * factor - 1.0, 0.02) / float(above.max())
    down = min(up, 0.95 / float(below.max()))  # never below 5 % of the mean
    kept = 1.0 + up * above - down * below
    out = 1.0 + up * np.maximum(shape - 1.0, 0.0) - down * np.maximum(1.0 - shape, 0.0)
    return out / kept.mean()
