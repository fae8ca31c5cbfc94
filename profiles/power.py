"""Wind and PV: available AC power per rated MW, from the weather of one place.

Wind. A turbine class gives hub-height power P(v) from its rotor and generator, by our own construction::

    P0(v) = min(1, 0.5 rho c_p v^3 / s),  rho = 1.205 kg/m3, c_p = 0.45, s = rated W per m2 of rotor, v >= 3     (1)
    P(v)  = (P0 * Normal(0, sigma(v))),   sigma = hypot(0.6, 0.13 v)                                         (2)

(2) smooths over turbines and the hour. Wakes take a share of the wind speed; availability falls where it blows hard.
Storm cut-out is a play operator on the share of turbines stopped: up from 25 m/s, back below 21 m/s.
The site's mean speed c and twelve monthly factors are found so that the year has the site's full-load hours exactly
and each month keeps 30 % of its random departure from climatology, at most 6 %.

PV. Ineichen clear sky x clearness, Erbs, Hay-Davies on four orientations, Faiman cell temperature, inverter clip;
the loss factor (soiling, mismatch, wiring, availability) is found so that the year has the site's full-load hours.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles import climate
from gridsim.profiles.fields import FieldSpec, filtered_noise, stream
from gridsim.profiles.weather import (
    CLEARNESS_HIGH,
    CLEARNESS_LOW,
    Weather,
    months_of_hours,
    smooth_months,
)

FloatArray = NDArray[np.float64]

AIR_DENSITY = 1.205  # kg/m3, mean of the Jiangsu coast at hub height, 15 degC
CP = 0.45  # of the converter chain at its best; modern rotors reach 0.44 to 0.47 [K]
KEPT_ANOMALY, ANOMALY_LIMIT = 0.3, 0.06  # how much of a month's departure from climatology stays


@dataclass(frozen=True)
class TurbineClass:
    """A class of turbines by its nameplate: rotor diameter and rating are the makers' published figures."""

    name: str
    rated_kw: float
    rotor_m: float

    @property
    def w_per_m2(self) -> float:
        return self.rated_kw * 1000.0 / (math.pi * self.rotor_m**2 / 4.0)


# (share of the fleet, class). Jiangsu's offshore fleet to 2021: 4 MW class on 130-136 m rotors and 5-6.45 MW on
# 155-171 m (GEM Wind Power Tracker; SEWIND W4000-130, Mingyang MySE6.45-180, Goldwind GW171-6.45) [K].
# Onshore: 2.0-2.5 MW low-wind machines on 115-141 m (Envision EN-115/2.0, EN-141/2.5; Goldwind GW131-2.2). [K]
OFFSHORE_FLEET = ((0.5, TurbineClass("4.0-130", 4000, 130)), (0.5, TurbineClass("6.45-171", 6450, 171)))
ONSHORE_FLEET = ((0.5, TurbineClass("2.0-115", 2000, 115)), (0.5, TurbineClass("2.5-141", 2500, 141)))


@dataclass(frozen=True)
class WindKind:
    """What differs between sea and land."""

    fleet: tuple[tuple[float, TurbineClass], ...]
    at_sea: bool
    start_speed_ms: float  # first guess of c
    wake_deficit: float  # of wind speed
    availability: float  # of turbines, electrical losses included
    availability_storm: float  # the same, lost on top in strong wind
    diurnal: float  # amplitude of wind speed
    diurnal_peak_h: float
    monthly: FloatArray
    flh_limits_h: tuple[float, float]


WIND_KINDS = {
    "wind_offshore": WindKind(
        OFFSHORE_FLEET, True, 7.0, 0.045, 0.95 * 0.965, 0.08, 0.03, 22.0, climate.OFFSHORE_MONTHLY, (1200.0, 4600.0)
    ),
    "wind_onshore": WindKind(
        ONSHORE_FLEET, False, 5.75, 0.03, 0.955 * 0.975, 0.10, 0.10, 1.0, climate.ONSHORE_MONTHLY, (900.0, 4200.0)
    ),
}
CUT_OUT_MS, CUT_IN_AGAIN_MS, CUT_WIDTH_MS = 25.0, 21.0, 1.3
_HEALTH = FieldSpec("wind-health", 1.0, 1.0, 240.0, 1)
_V = np.arange(0.0, 60.0, 0.05)


def farm_curve(kind: WindKind) -> FloatArray:
    """Smoothed power per rated MW on the speed grid `_V`, wakes and availability in, cut-out out: (1) and (2)."""
    speed = np.arange(0.0, 75.0, 0.1)
    single = np.zeros_like(speed)
    for share, turbine in kind.fleet:
        p = np.minimum(1.0, 0.5 * AIR_DENSITY * CP * speed**3 / turbine.w_per_m2)
        single += share * np.where(speed >= 3.0, p, 0.0)
    v = _V * (1.0 - kind.wake_deficit)
    sigma = np.hypot(0.6, 0.13 * v)
    offsets = np.linspace(-3.0, 3.0, 61)
    weights = np.exp(-0.5 * offsets**2)
    smooth = np.zeros_like(v)
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        smooth += weight * np.interp(np.maximum(v + offset * sigma, 0.0), speed, single)
    strong = np.clip((_V - 8.0) / 5.0, 0.0, 1.0)
    return smooth * (kind.availability - kind.availability_storm * strong * strong * (3 - 2 * strong))


_CURVES = {name: farm_curve(kind) for name, kind in WIND_KINDS.items()}


def stopped_share(v_ms: FloatArray) -> FloatArray:
    """Share of turbines stopped by storm: s_t = max(up(v_t), min(s_{t-1}, stay(v_t))). Shape as `v_ms`."""
    from scipy.special import ndtr

    stopped = np.zeros_like(v_ms)
    hot = np.flatnonzero(v_ms > CUT_IN_AGAIN_MS - 4 * CUT_WIDTH_MS)
    up = ndtr((v_ms[hot] - CUT_OUT_MS) / CUT_WIDTH_MS)
    stay = ndtr((v_ms[hot] - CUT_IN_AGAIN_MS) / CUT_WIDTH_MS)
    for k, i in enumerate(hot):  # few hours of a year
        before = stopped[i - 1] if i else 0.0
        stopped[i] = max(up[k], min(before, stay[k]))
    return stopped


def _monthly_mean(series: FloatArray, month: NDArray[np.int64]) -> FloatArray:
    return np.bincount(month, series, 12) / np.bincount(month, minlength=12)


def monthly_targets(shape: FloatArray, month: NDArray[np.int64], total_h: float) -> FloatArray:
    """Monthly capacity factors of a given shape whose hours add up to `total_h`. Shape (12,)"""
    return shape * total_h / float(np.sum(shape[month]))


def damped_targets(target: FloatArray, raw: FloatArray, month: NDArray[np.int64], total_h: float) -> FloatArray:
    """Climatology with part of the year's own departure left in, the yearly total kept."""
    ratio = np.clip((raw / target) ** KEPT_ANOMALY, 1 - ANOMALY_LIMIT, 1 + ANOMALY_LIMIT)
    return monthly_targets(target * ratio, month, total_h)


def wind_power(
    weather: Weather, kind_name: str, lat_deg: float, lon_deg: float, name: str, *, flh_h: float
) -> FloatArray:
    """Available power of a wind zone through the year. p.u. of rated, shape (hours,)

    Raises InputError when the full-load hours asked for are outside what the curves can give.
    """
    kind = WIND_KINDS[kind_name]
    low, high = kind.flh_limits_h
    if not low <= flh_h <= high:
        raise InputError(
            "profile_site", [Problem(f"{name}: full_load_h", f"must be {low:g} to {high:g} h, is {flh_h:g}")]
        )
    month = months_of_hours(weather.year)
    clock = np.arange(weather.hours) % 24 + 0.5
    diurnal = 1.0 + kind.diurnal * np.cos(2 * np.pi * (clock - kind.diurnal_peak_h - 0.5) / 24.0)
    curve = _CURVES[kind_name]
    # Turbines and cables of a zone fail and are mended over weeks: no two windy days reach quite the same output.
    health = filtered_noise(stream(weather.seed, weather.year, "wind-health", name), _HEALTH, weather.hours)
    health = np.clip(0.975 + 0.02 * health, 0.90, 1.0)

    def power(factors: FloatArray, of: Weather = weather.quiet) -> FloatArray:
        u, storm, share = wind[of]
        v = kind.start_speed_ms * smooth_months(factors, weather.year) * u
        v = np.hypot(v * (1.0 - 0.5 * share), storm)  # the vortex takes over from the background wind
        return health * np.interp(v, _V, curve) * (1.0 - stopped_share(v))

    wind = {}
    for of in dict.fromkeys((weather.quiet, weather)):
        storm = of.storm_wind_ms(lat_deg, lon_deg, kind.at_sea)
        u = of.wind_shape(lat_deg, lon_deg, name, kind.at_sea) * diurnal
        wind[of] = u, storm, np.clip(storm / 15.0, 0.0, 1.0)
    climatology = monthly_targets(kind.monthly, month, flh_h)
    factors = np.ones(12)
    for _ in range(5):  # the year alone, to see what this realisation does with its months
        factors = factors * (flh_h / power(factors).sum()) ** 0.45
    target = damped_targets(climatology, _monthly_mean(power(factors), month), month, flh_h)
    for _ in range(10):
        factors = factors * np.clip(target / _monthly_mean(power(factors), month), 0.5, 2.0) ** 0.5
    for _ in range(12):
        p = power(factors)
        if abs(p.sum() / flh_h - 1.0) < 1e-6:
            break
        factors = factors * (flh_h / p.sum()) ** 0.5
    return np.clip(p if weather.quiet is weather else power(factors, weather), 0.0, 1.0)


# (share, tilt, azimuth): rooftops mostly follow the roof, ground plants face south. [K]
ORIENTATIONS = ((0.55, 20.0, 180.0), (0.15, 10.0, 90.0), (0.15, 10.0, 270.0), (0.15, 25.0, 180.0))
TEMPERATURE_COEFFICIENT = -0.0035  # per K of cell above 25 degC
PERFORMANCE = 0.80  # first guess: losses but temperature and clipping
PERFORMANCE_LIMITS = (0.60, 0.97)
CLIP = 0.95  # inverter limit, p.u. of rated DC


def sun(year: int, lat_deg: float, lon_deg: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Sun at the middle of each hour and clear-sky irradiance.

    Returns apparent zenith and azimuth [deg], extraterrestrial normal and clear-sky global irradiance [W/m2].
    """
    import pandas as pd
    import pvlib

    hours = len(months_of_hours(year))
    time = pd.date_range(f"{year}-01-01 00:30", periods=hours, freq="h", tz="Etc/GMT-8")
    position = pvlib.solarposition.ephemeris(time, lat_deg, lon_deg)
    zenith = position["apparent_zenith"].to_numpy()
    turbidity = pvlib.clearsky.lookup_linke_turbidity(time, lat_deg, lon_deg).to_numpy()
    day_of_year = time.dayofyear.to_numpy()
    extra = np.asarray(pvlib.irradiance.get_extra_radiation(day_of_year))
    airmass = np.asarray(pvlib.atmosphere.get_relative_airmass(zenith))
    with np.errstate(all="ignore"):  # sun below the horizon: masked below
        clear: Any = pvlib.clearsky.ineichen(zenith, airmass, turbidity, altitude=5.0, dni_extra=extra)
    ghi = np.where(zenith < 90.0, np.nan_to_num(np.asarray(clear["ghi"])), 0.0)
    return zenith, position["azimuth"].to_numpy(), extra, ghi


def irradiance(weather: Weather, lat_deg: float, lon_deg: float, name: str, clear_ghi: FloatArray) -> FloatArray:
    """Global horizontal irradiance with clouds, its months near the climatology of the latitude. [W/m2]"""
    month = months_of_hours(weather.year)
    target = climate.ghi_target_kwh(lat_deg) * 1000.0 / (climate.MONTH_DAYS * 24.0)  # mean W/m2
    span = CLEARNESS_HIGH - CLEARNESS_LOW
    typical = np.clip(target / _monthly_mean(clear_ghi, month), 0.2, 0.95)
    noise = weather.cloud_noise(lat_deg, lon_deg, name)
    day_month = month[::24]

    def clear_share(of: Weather) -> FloatArray:
        daily = of.daily_clearness(lat_deg, lon_deg, name, typical)
        return np.clip((daily - CLEARNESS_LOW) / span, 0.0, 1.0)

    def ghi(gamma: FloatArray, share: FloatArray) -> FloatArray:
        day = CLEARNESS_LOW + span * share ** gamma[day_month]
        day_h = np.repeat(day, 24)
        spread = 0.45 * np.sqrt(np.maximum((day_h - CLEARNESS_LOW) * (CLEARNESS_HIGH - day_h), 0.0))
        return clear_ghi * np.clip(day_h + spread * noise, CLEARNESS_LOW * 0.5, CLEARNESS_HIGH)

    gamma, quiet = np.ones(12), clear_share(weather.quiet)
    raw = _monthly_mean(ghi(gamma, quiet), month)
    wanted = target * np.clip((raw / target) ** KEPT_ANOMALY, 1 - ANOMALY_LIMIT, 1 + ANOMALY_LIMIT)
    for _ in range(8):
        gamma = np.clip(gamma * (_monthly_mean(ghi(gamma, quiet), month) / wanted) ** 2.0, 0.05, 20.0)
    return ghi(gamma, quiet if weather.quiet is weather else clear_share(weather))


def pv_power(weather: Weather, lat_deg: float, lon_deg: float, name: str, *, flh_h: float) -> FloatArray:
    """Available AC power of a city's PV through the year. p.u. of rated, shape (hours,)

    Raises InputError when the full-load hours asked for would need losses outside `PERFORMANCE_LIMITS`.
    """
    gain = _pv_gain(weather.quiet, lat_deg, lon_deg, name)
    factor = PERFORMANCE
    for _ in range(30):
        dc = factor * gain[gain > 0.0]
        total = float(np.minimum(dc, CLIP).sum())
        if abs(total / flh_h - 1.0) < 1e-9 or factor > 2.0:
            break
        factor *= flh_h / total
    low, high = PERFORMANCE_LIMITS
    if not low <= factor <= high:
        reach = (total * low / factor, total * high / factor)
        rule = f"must be about {reach[0]:.0f} to {reach[1]:.0f} h at {lat_deg:.1f} N, is {flh_h:g}"
        raise InputError("profile_site", [Problem(f"{name}: full_load_h", rule)])
    if weather.quiet is not weather:
        gain = _pv_gain(weather, lat_deg, lon_deg, name)
    return np.minimum(factor * gain, CLIP)


def _pv_gain(weather: Weather, lat_deg: float, lon_deg: float, name: str) -> FloatArray:
    """DC power per rated MW before losses. Shape (hours,)"""
    import pvlib

    zenith, azimuth, extra, clear_ghi = sun(weather.year, lat_deg, lon_deg)
    ghi = irradiance(weather, lat_deg, lon_deg, name, clear_ghi)
    temperature = weather.temperature_c(lat_deg, lon_deg, f"temperature/{name.rsplit('/', maxsplit=1)[-1]}")
    lit = np.flatnonzero(ghi > 0.0)
    z, a, x, g = zenith[lit], azimuth[lit], extra[lit], ghi[lit]
    day_of_year = lit // 24 + 1
    split: Any = pvlib.irradiance.erbs(g, z, day_of_year)
    dni, dhi = np.asarray(split["dni"]), np.asarray(split["dhi"])
    gain = plane_gain(z, a, x, g, dni, dhi, temperature[lit], 2.5)
    out = np.zeros(weather.hours)
    out[lit] = np.maximum(gain, 0.0)
    return out


def plane_gain(
    zenith: FloatArray,
    azimuth: FloatArray,
    extra: FloatArray,
    ghi: FloatArray,
    dni: FloatArray,
    dhi: FloatArray,
    temperature_c: FloatArray,
    wind_ms: FloatArray | float,
) -> FloatArray:
    """DC power per rated MW before losses, on the mix of orientations, while the sun is up. Arrays of one shape."""
    import pvlib

    gain = np.zeros(len(ghi))
    for share, tilt, facing in ORIENTATIONS:
        cosine = np.maximum(np.asarray(pvlib.irradiance.aoi_projection(tilt, facing, zenith, azimuth)), 0.0)
        diffuse = np.asarray(pvlib.irradiance.haydavies(tilt, facing, dhi, dni, extra, zenith, azimuth))
        ground = ghi * 0.2 * (1.0 - math.cos(math.radians(tilt))) / 2.0
        plane = dni * cosine + np.nan_to_num(diffuse) + ground
        cell = np.asarray(pvlib.temperature.faiman(plane, temperature_c, wind_ms))
        gain += share * plane / 1000.0 * (1.0 + TEMPERATURE_COEFFICIENT * (cell - 25.0))
    return gain


def power_of_speed(kind_name: str, hub_ms: FloatArray) -> FloatArray:
    """Available power of a wind farm from hub-height speeds, wakes, availability and storms in. p.u., shape as given"""
    return np.interp(hub_ms, _V, _CURVES[kind_name]) * (1.0 - stopped_share(hub_ms))
