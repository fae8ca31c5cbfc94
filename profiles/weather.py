"""One weather year: wind, cloud and temperature of every place from one seeded realisation.

Wind speed at a place, with z the sum of three correlated fields of unit total variance and a local term::

    v = c s(month) g(hour) u(t),   u = (-ln(1 - Phi(z)))^(1/k) / Gamma(1 + 1/k),   k = 2.05        (1)

so that v is Weibull, its mean 1 before c (site), s (season) and g (time of day). `power.py` finds c and s.
Daily clearness (share of clear-sky irradiance) is Beta on [0.08, 1.03] through the same normal scores, first-order
autocorrelated with 0.45 a day; hour by hour it moves between its bounds with two more fields::

    k_h = k_d + 0.45 sqrt((k_d - lo)(hi - k_d)) (0.9 n_1 + 0.44 n_2)                                 (2)

Temperature is the climatology, a correlated daily anomaly, the events and a diurnal wave as wide as the sky is clear.
Left out: wind direction, humidity, snow on modules, sea breeze beyond the mean time-of-day factor.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gridsim.profiles import climate
from gridsim.profiles.calendar import hours_of
from gridsim.profiles.events import LAND_FRICTION, Episodes, Planned, draw_episodes
from gridsim.profiles.fields import Field, FieldSpec, filtered_noise, stream

FloatArray = NDArray[np.float64]

WEIBULL_K = 2.05
# Three scales of wind (variance, field): weather systems, fronts, local. Fitted to lags and distances of ERA5 2020.
WIND_FIELDS = (
    (0.64, FieldSpec("wind-synoptic", 850.0, 1.3, 11.2, 2)),
    (0.34, FieldSpec("wind-front", 450.0, 1.2, 5.0, 2)),
    (0.02, FieldSpec("wind-local", 60.0, 1.0, 2.5, 1)),
)
# Boundary layer over land, which the sea does not feel: brings the sea-land correlation from 0.86 to about 0.78.
WIND_LAND_VARIANCE = 0.18
WIND_LAND = FieldSpec("wind-land", 500.0, 1.2, 6.0, 2)
WIND_OWN_VARIANCE = 0.02  # of z, seen by one site only: a provincial reanalysis hides it
WIND_OWN = FieldSpec("wind-own", 1.0, 1.0, 4.0, 1)
CLEARNESS_LOW, CLEARNESS_HIGH = 0.08, 1.03
CLEARNESS_NU = 1.55  # concentration of the Beta law: below 2, so clear and overcast days are commonest
CLOUD_DAILY = FieldSpec("cloud-daily", 900.0, 1.5, -1.0 / math.log(0.45), 1)
CLOUD_HOURLY = (
    (0.9, FieldSpec("cloud-hours", 320.0, 1.0, 2.5, 1)),
    (0.436, FieldSpec("cloud-local", 40.0, 1.0, 1.0, 1)),
)
TEMPERATURE_DAILY = FieldSpec("temperature", 1000.0, 1.3, -1.0 / math.log(0.62), 1)


@dataclass(frozen=True)
class Weather:
    """The weather of one year and seed. Places are read one by one; none depends on another."""

    year: int
    seed: int
    planned: tuple[Planned, ...] = ()  # events on top of those drawn

    @cached_property
    def quiet(self) -> "Weather":
        """The same year without the events asked for: what energies and peaks are calibrated to."""
        return Weather(self.year, self.seed) if self.planned else self

    @cached_property
    def hours(self) -> int:
        return hours_of(self.year)

    @cached_property
    def episodes(self) -> Episodes:
        return draw_episodes(self.year, self.seed, self.planned)

    def _field(self, spec: FieldSpec, steps: int) -> Field:
        return Field(spec, self.seed, self.year, steps)

    @cached_property
    def _wind(self) -> list[tuple[float, Field]]:
        return [(variance, self._field(spec, self.hours)) for variance, spec in WIND_FIELDS]

    @cached_property
    def _land(self) -> Field:
        return self._field(WIND_LAND, self.hours)

    @cached_property
    def _cloud_hourly(self) -> list[tuple[float, Field]]:
        return [(weight, self._field(spec, self.hours)) for weight, spec in CLOUD_HOURLY]

    @cached_property
    def _cloud_daily(self) -> Field:
        return self._field(CLOUD_DAILY, self.hours // 24)

    @cached_property
    def _temperature(self) -> Field:
        return self._field(TEMPERATURE_DAILY, self.hours // 24)

    def wind_shape(self, lat_deg: float, lon_deg: float, name: str, at_sea: bool) -> FloatArray:
        """u of equation (1), events included but typhoon vortices not. Shape (hours,)"""
        from scipy.special import log_ndtr

        z = np.zeros(self.hours)
        for variance, field in self._wind:
            z += math.sqrt(variance) * field.at(lat_deg, lon_deg, name)
        if not at_sea:
            land = self._land.at(lat_deg, lon_deg, name)
            z = math.sqrt(1.0 - WIND_LAND_VARIANCE) * z + math.sqrt(WIND_LAND_VARIANCE) * land
        own = filtered_noise(stream(self.seed, self.year, "own", name), WIND_OWN, self.hours)
        z = math.sqrt(1.0 - WIND_OWN_VARIANCE) * z + math.sqrt(WIND_OWN_VARIANCE) * own
        z = self.episodes.wind_keep * z + self.episodes.wind_shift
        return (-log_ndtr(-z)) ** (1.0 / WEIBULL_K) / math.gamma(1.0 + 1.0 / WEIBULL_K)

    def storm_wind_ms(self, lat_deg: float, lon_deg: float, at_sea: bool) -> FloatArray:
        """Strongest typhoon vortex at hub height, 0 when there is none. [m/s], shape (hours,)"""
        v = np.zeros(self.hours)
        for track in self.episodes.typhoons:
            v = np.maximum(v, track.wind_ms(lat_deg, lon_deg, self.hours))
        return v if at_sea else LAND_FRICTION * v

    def daily_clearness(self, lat_deg: float, lon_deg: float, name: str, monthly_mean: FloatArray) -> FloatArray:
        """Share of clear-sky irradiance by day, Beta with the given monthly means. Shape (days,)"""
        from scipy.special import betaincinv, ndtr

        z = self._cloud_daily.at(lat_deg, lon_deg, name) + self.episodes.cloud_shift + self.episodes.storm_cloud
        month = months_of_days(self.year)
        mean = np.clip((monthly_mean[month] - CLEARNESS_LOW) / (CLEARNESS_HIGH - CLEARNESS_LOW), 0.05, 0.95)
        share = betaincinv(mean * CLEARNESS_NU, (1.0 - mean) * CLEARNESS_NU, np.clip(ndtr(z), 1e-6, 1 - 1e-6))
        return CLEARNESS_LOW + (CLEARNESS_HIGH - CLEARNESS_LOW) * share

    def cloud_noise(self, lat_deg: float, lon_deg: float, name: str) -> FloatArray:
        """Weighted hourly cloud noise of equation (2), unit variance. Shape (hours,)"""
        total = np.zeros(self.hours)
        for weight, field in self._cloud_hourly:
            total += weight * field.at(lat_deg, lon_deg, name)
        return total

    def temperature_c(self, lat_deg: float, lon_deg: float, name: str) -> FloatArray:
        """Air temperature at 2 m. [degC], shape (hours,)"""
        hour = np.arange(self.hours) + 0.5
        season = 0.5 + 0.5 * np.cos(2 * np.pi * (hour / 24.0 - climate.T_COLDEST_DAY) / 365.25)
        deviation = climate.T_DAILY_SD_C[1] + (climate.T_DAILY_SD_C[0] - climate.T_DAILY_SD_C[1]) * season
        anomaly = self._temperature.at(lat_deg, lon_deg, name)
        noon = np.arange(len(anomaly)) + 0.5
        anomaly_h = np.interp(hour / 24.0, noon, anomaly)
        # Share of a typical year's clearness: mean 0.55 of the bounds, wide enough to tell grey from clear days.
        clear = self.daily_clearness(lat_deg, lon_deg, name, np.full(12, 0.60))
        clear = (clear - CLEARNESS_LOW) / (CLEARNESS_HIGH - CLEARNESS_LOW)
        coast = 0.7 if lon_deg > 119.0 + max(0.0, 34.6 - lat_deg) * 0.55 else 1.0
        low, high = climate.T_DAILY_RANGE_C
        half_range = 0.5 * coast * (low + (high - low) * clear)
        wave = _diurnal_wave()[np.arange(self.hours) % 24]
        mean = climate.annual_temperature_c(lat_deg, hour / 24.0)
        events = self.episodes.temperature_shift_c
        return mean + deviation * anomaly_h + events + np.interp(hour / 24.0, noon, half_range) * wave


def _diurnal_wave() -> FloatArray:
    """Temperature through the day between -1 (05 h) and 1 (14 h), mean close to 0. Shape (24,)"""
    t = np.arange(24) + 0.5
    rise = -np.cos(np.pi * (t - 5.5) / 9.0)
    fall = np.cos(np.pi * ((t - 14.5) % 24) / 15.0)
    wave = np.where((t >= 5.5) & (t < 14.5), rise, fall)
    return wave - wave.mean()


def months_of_days(year: int) -> NDArray[np.int64]:
    """0 January .. 11 December for each day of a year."""
    days = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    return days.astype("datetime64[M]").astype(np.int64) % 12


def months_of_hours(year: int) -> NDArray[np.int64]:
    """0 January .. 11 December for each hour of a year."""
    return np.repeat(months_of_days(year), 24)


def smooth_months(monthly: FloatArray, year: int) -> FloatArray:
    """Monthly values to hours, linear between mid-months, cyclic, so that no step falls at midnight of the first."""
    month = months_of_hours(year)
    hours = len(month)
    centre = np.array([np.flatnonzero(month == m).mean() for m in range(12)])
    at = np.concatenate([[centre[-1] - hours], centre, [centre[0] + hours]])
    return np.interp(np.arange(hours), at, np.concatenate([[monthly[-1]], monthly, [monthly[0]]]))
