"""What the synthetic weather must look like: monthly climatology and its sources, in one place.

Trust marks as in the data tables: [M] measured on published data, [S] stated by the source, [K] general knowledge.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def _shape(*monthly: float) -> FloatArray:
    """Monthly values over their mean, so that a year of months of equal length has mean 1."""
    values = np.array(monthly)
    return values / values.mean()


# Offshore capacity factor by month, relative to the year. Mean of two estimates [K]: a winter-spring maximum and a
# September minimum, both bounded by ERA5 2020 (one odd year, [M]: .29 .32 .35 .27 .40 .27 .22 .29 .13 .16 .23 .23).
OFFSHORE_MONTHLY = 0.5 * (
    _shape(0.30, 0.31, 0.34, 0.33, 0.33, 0.27, 0.27, 0.27, 0.25, 0.26, 0.30, 0.31)
    + _shape(0.33, 0.34, 0.36, 0.36, 0.33, 0.29, 0.28, 0.26, 0.27, 0.30, 0.35, 0.37)
)
# Onshore [K]: maximum in March and April, minimum in September.
ONSHORE_MONTHLY = _shape(0.24, 0.25, 0.29, 0.29, 0.26, 0.22, 0.22, 0.20, 0.19, 0.21, 0.25, 0.27)

# Global horizontal irradiation, kWh/m2 per month, mean of Jiangsu: 1342 a year. Mean of six CSWD stations and
# 0.87 x MERRA-2 [M]; the north has some 5 % more than the south.
GHI_MONTHLY_KWH = np.array([72, 78, 116, 137, 153, 142, 140, 136, 123, 104, 74, 68], dtype=float)
MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=float)
GHI_PER_DEG_LAT = 0.016  # relative, from 32.9 N


def ghi_target_kwh(lat_deg: float) -> FloatArray:
    """Monthly global horizontal irradiation at a latitude of Jiangsu. [kWh/m2], shape (12,)"""
    return GHI_MONTHLY_KWH * (1.0 + GHI_PER_DEG_LAT * (np.clip(lat_deg, 30.5, 35.5) - 32.9))


# Air temperature: mean 14.0 (Ganyu) to 15.8 (Nanjing), January -0.1 to 4.0, July 26.4 to 28.6, CSWD [M];
# +0.7 K for the warming from its years to the 2020s [K]. At 34.6 N and 31.3 N, linear in latitude between.
T_MEAN_C = (14.9, 16.9)
T_HALF_RANGE_C = (13.5, 12.4)  # half of July minus January
T_COLDEST_DAY = 19.0  # day of the year, from 0
T_SECOND_HARMONIC_C = 0.5
T_DAILY_SD_C = (3.0, 1.8)  # of the daily anomaly: winter, summer
T_DAILY_RANGE_C = (5.5, 10.5)  # of an overcast and a clear day inland; the coast has 0.7 of it


def annual_temperature_c(lat_deg: float, day: NDArray[np.floating]) -> FloatArray:
    """Climatological daily mean. `day` is the day of the year from 0, with fractions. [degC]"""
    north = float(np.clip((lat_deg - 31.3) / 3.3, -0.5, 1.5))
    mean = T_MEAN_C[1] + (T_MEAN_C[0] - T_MEAN_C[1]) * north
    half = T_HALF_RANGE_C[1] + (T_HALF_RANGE_C[0] - T_HALF_RANGE_C[1]) * north
    phase = 2 * np.pi * (day - T_COLDEST_DAY) / 365.25
    return mean - half * np.cos(phase) + T_SECOND_HARMONIC_C * np.cos(2 * phase + 0.6)


# Capacity factor of PV by month, relative to the year: GHI_MONTHLY_KWH a day, times what our mix of orientations and
# cell temperatures makes of it (measured on 20 synthetic years: more in winter, when the low sun meets the tilt).
PV_MONTHLY = _shape(0.0941, 0.1058, 0.1332, 0.1512, 0.1539, 0.1410, 0.1359, 0.1392, 0.1364, 0.1229, 0.0972, 0.0904)
