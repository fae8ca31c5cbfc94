"""Power from somebody else's weather: speeds and irradiance of one place, as the built-in farms and plants use them.

Wind: the speed at the hub, by the roughness or the shear that the data have, else by a power law with an assumed
exponent; then the curve of the built-in fleet (`power`), with its wakes, availability and storm cut-out.
PV: direct and diffuse irradiance (by Erbs where only the global one is known) on the built-in mix of orientations, with
Hay-Davies, Faiman cell temperature, the losses of `power.PERFORMANCE` and the inverter's clip.

Data of one weather model at one point have no farm-to-farm spread; that is left as it is. Reanalyses are known to be
low on land: compare the full-load hours with `gridsim profiles import --check`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.profiles.power import CLIP, PERFORMANCE, WIND_KINDS, plane_gain, power_of_speed

FloatArray = NDArray[np.float64]

HUB_M = {"wind_offshore": 100.0, "wind_onshore": 140.0}  # what the fleets' mean speeds in `power` are of
SHEAR = {"wind_offshore": 0.11, "wind_onshore": 0.20}  # exponent where the data say nothing [K]
SHEAR_LIMITS = (0.0, 0.5)


@dataclass(frozen=True)
class Measured:
    """Weather of one place. Arrays of one length; `middle` is the middle of each interval."""

    middle: NDArray[np.datetime64]  # UTC
    lat_deg: float
    lon_deg: float
    ghi: FloatArray | None = None  # W/m2
    dni: FloatArray | None = None
    dhi: FloatArray | None = None
    temperature_c: FloatArray | None = None
    speed_ms: FloatArray | None = None
    height_m: float = 10.0  # of speed_ms
    low_speed_ms: FloatArray | None = None  # at 10 m, beside a higher one
    shear: FloatArray | None = None  # exponent of the power law
    roughness_m: FloatArray | None = None


def wind(weather: Measured, kind: str) -> tuple[FloatArray, str]:
    """Available power of a wind farm [p.u.], and in words how its speed came about."""
    assert kind in WIND_KINDS
    assert weather.speed_ms is not None
    hub, at, speed = HUB_M[kind], weather.height_m, weather.speed_ms
    if hub == at:
        return power_of_speed(kind, speed), f"wind at {hub:g} m"
    if weather.roughness_m is not None:
        rough = np.clip(weather.roughness_m, 1e-5, 2.0)
        factor: Any = np.log(hub / rough) / np.log(at / rough)
        how = "by roughness"
    else:
        shear: Any = weather.shear
        how = "by the shear of the data"
        if shear is None and weather.low_speed_ms is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                shear = np.log(speed / weather.low_speed_ms) / np.log(at / 10.0)
            shear, how = np.nan_to_num(shear, nan=SHEAR[kind]), "by the shear between 10 m and there"
        if shear is None:
            shear, how = SHEAR[kind], f"by an assumed exponent of {SHEAR[kind]:g}"
        factor = (hub / at) ** np.clip(shear, *SHEAR_LIMITS)
    return power_of_speed(kind, speed * factor), f"wind at {at:g} m brought to {hub:g} m {how}"


def pv(weather: Measured) -> tuple[FloatArray, str]:
    """Available AC power of the built-in mix of PV [p.u.], and in words from what."""
    import pandas as pd
    import pvlib

    assert weather.ghi is not None
    time = pd.DatetimeIndex(weather.middle).tz_localize("UTC")
    position = pvlib.solarposition.ephemeris(time, weather.lat_deg, weather.lon_deg)
    zenith, azimuth = position["apparent_zenith"].to_numpy(), position["azimuth"].to_numpy()
    day = time.dayofyear.to_numpy()
    known = np.isfinite(weather.ghi)
    ghi = np.where(known, np.maximum(weather.ghi, 0.0), 0.0)
    lit = np.flatnonzero((ghi > 0.0) & (zenith < 89.0))
    z, g = zenith[lit], ghi[lit]
    if weather.dhi is not None:
        dhi = np.clip(np.nan_to_num(weather.dhi[lit], nan=0.0), 0.0, g)
        cosine = np.maximum(np.cos(np.radians(z)), 0.05)
        dni = (g - dhi) / cosine if weather.dni is None else np.maximum(np.nan_to_num(weather.dni[lit]), 0.0)
        how = "direct and diffuse irradiance"
    else:
        split: Any = pvlib.irradiance.erbs(g, z, day[lit])
        dni, dhi = np.asarray(split["dni"]), np.asarray(split["dhi"])
        how = "global irradiance, split after Erbs"
    extra = np.asarray(pvlib.irradiance.get_extra_radiation(day[lit]))
    dni = np.minimum(dni, extra)  # near the horizon a small cosine would make more than there is
    temperature = np.full(len(lit), 20.0) if weather.temperature_c is None else weather.temperature_c[lit]
    out = np.zeros(len(ghi))
    out[lit] = plane_gain(z, azimuth[lit], extra, g, dni, dhi, np.nan_to_num(temperature, nan=20.0), 2.5)
    power = np.clip(PERFORMANCE * out, 0.0, CLIP)
    power[~known] = np.nan  # a gap stays one
    return power, f"PV from {how}"
