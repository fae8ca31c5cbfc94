"""Contracted power over the border, and the units that are not on outage.

Imports and exchanges follow a schedule: month by character, steps in the day, small daily revisions, one planned
outage of half a bipole, and the year's energy. Availability is an integer count of units, hour by hour.
Nothing here is weather; every row is seeded by its own name.

Monthly means of five UHV DC links, October 2022 to August 2023, are from the public project zdc207/ElecForeDaChuang
(MW from sums of 96 points, unit inferred [M]); 2022/23 was dry, so hydro May to October is taken times 1.3 for 2024.
September, which the record lacks, is between August and October [K].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles.calendar import calendar, hours_of
from gridsim.profiles.fields import FieldSpec, filtered_noise, stream
from gridsim.profiles.weather import months_of_hours

FloatArray = NDArray[np.float64]

_WET_2024 = np.array([1, 1, 1, 1, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1, 1])
# Load factor by month, January first: measured links by name, then by character.
_LINKS = {
    "jinsu": np.array([0.410, 0.462, 0.519, 0.474, 0.125, 0.193, 0.385, 0.672, 0.67, 0.669, 0.549, 0.381]) * _WET_2024,
    "jiansu": np.array([0.264, 0.267, 0.158, 0.100, 0.094, 0.328, 0.372, 0.612, 0.40, 0.085, 0.044, 0.238]) * _WET_2024,
    "longzheng": np.array([0.249, 0.234, 0.305, 0.173, 0.357, 0.642, 0.498, 0.807, 0.55, 0.298, 0.290, 0.116])
    * _WET_2024,
    "xitai": np.array([0.356, 0.318, 0.404, 0.422, 0.227, 0.281, 0.413, 0.449, 0.38, 0.381, 0.484, 0.407]),
    "yanhuai": np.array([0.570, 0.588, 0.544, 0.490, 0.501, 0.646, 0.705, 0.705, 0.60, 0.510, 0.513, 0.708]),
}
_CHARACTERS = {
    "hydro": np.array([0.32, 0.34, 0.34, 0.27, 0.30, 0.52, 0.72, 0.85, 0.75, 0.50, 0.32, 0.28]),
    "coal_wind": np.array([0.46, 0.45, 0.47, 0.45, 0.36, 0.46, 0.56, 0.58, 0.49, 0.45, 0.50, 0.56]),
    "coal": np.array([0.52, 0.42, 0.46, 0.44, 0.44, 0.50, 0.60, 0.62, 0.50, 0.44, 0.48, 0.56]),
    "transit": np.array([0.60, 0.50, 0.52, 0.50, 0.50, 0.56, 0.66, 0.68, 0.58, 0.50, 0.54, 0.62]),
    "flexible": np.array([0.50, 0.40, 0.40, 0.40, 0.40, 0.50, 0.65, 0.65, 0.50, 0.40, 0.45, 0.55]),
}
# Level of the record days in mid-July, p.u. of rated: net import reached 35.2 GW on 15 July (hnxgsz.com 1692230).
_RECORD_LEVEL = {"hydro": 0.90, "coal_wind": 0.91, "coal": 0.93, "transit": 0.85, "flexible": 0.90}
RECORD_DAYS = ("07-12", "07-18")


def _kind(character: str, profile: str) -> str:
    if character in _CHARACTERS:
        return character
    allowed = ", ".join(_CHARACTERS)
    raise InputError("profile_site", [Problem(f"{profile}: character", f"must be one of {allowed}, is {character!r}")])


def _monthly(profile: str, character: str) -> FloatArray:
    key = "".join(ch for ch in profile.lower() if ch.isalpha())
    return next((shape for link, shape in _LINKS.items() if link in key), _CHARACTERS[character])


def _day_shape(character: str, month: NDArray[np.int64], hour: NDArray[np.int64]) -> FloatArray:
    """Steps through the day: night 0.8, day 1, and in spring a step down at noon to make room for the sun. [K]"""
    night = (hour >= 22) | (hour < 6)
    noon = (hour >= 11) & (hour < 14) & np.isin(month, (1, 2, 3, 4))
    flood = np.isin(month, (6, 7, 8)) & (character == "hydro")
    shape = np.where(night, 0.80, 1.0)
    shape = np.where(noon, 0.75, shape)
    return np.where(flood, np.where(night, 0.96, 1.0), shape)


def import_schedule(
    profile: str, character: str, year: int, seed: int, *, rated_mw: float, energy_twh: float
) -> FloatArray:
    """Signed schedule of an import or exchange, p.u. of rated; negative sends power out. Shape (hours,)

    `energy_twh` is met exactly; not finite: what the character gives. Raises InputError when it cannot be met.
    """
    character = _kind(character, profile)
    hours = hours_of(year)
    month = months_of_hours(year)
    hour = np.arange(hours) % 24
    monthly = _monthly(profile, character)
    shape = monthly[month] * _day_shape(character, month, hour)
    days = hours // 24
    revision = filtered_noise(stream(seed, year, "schedule", profile), FieldSpec("revision", 1, 1, 2.0, 1), days)
    shape = shape * np.repeat(np.round(np.clip(1.0 + 0.05 * revision, 0.85, 1.15), 2), 24)
    cal = calendar(year)
    festival = (cal.festival_day >= -4) & (cal.festival_day <= 8)
    shape = shape * np.repeat(np.where(festival, 0.75, 1.0), 24)  # the receiving end has no need

    outage = np.ones(days)
    rng = stream(seed, year, "schedule-outage", profile)
    spring = rng.random() < 0.5
    start = int(rng.integers(75, 130) if spring else rng.integers(290, 325))
    outage[start : start + int(rng.integers(7, 11))] = 0.5
    top = np.repeat(outage, 24)  # half of the poles

    record = np.repeat(
        (cal.days >= np.datetime64(f"{year}-{RECORD_DAYS[0]}"))
        & (cal.days <= np.datetime64(f"{year}-{RECORD_DAYS[1]}")),
        24,
    )
    level = _RECORD_LEVEL[character]
    if not np.isfinite(energy_twh):
        return np.where(record, level, np.minimum(shape, top))
    target = abs(energy_twh) * 1e6 / rated_mw  # full-load hours
    if target == 0.0:
        return _swing(month, hour) * np.repeat(np.clip(1.0 + 0.2 * revision, 0.5, 1.5), 24)
    if target > 0.97 * float(top.sum()):
        most = 0.97 * float(top.sum()) * rated_mw / 1e6
        rule = f"must be at most {most:.1f} TWh for {rated_mw:g} MW, is {abs(energy_twh):g}"
        raise InputError("profile_site", [Problem(f"{profile}: energy_twh", rule)])
    fixed = np.zeros(hours)
    if energy_twh > 0:
        # Other days stay a little below the record days, unless so much is contracted that there is no choice.
        limit = np.minimum(top, 0.97 * level)
        if target < 0.9 * float(limit.sum()):
            top, fixed = limit, np.where(record, level * np.where((hour >= 8) & (hour < 22), 1.0, 0.94), 0.0)
    else:
        shape = np.where(record, 0.9 * shape, shape)  # on those days the province needs its power itself
    free = fixed == 0.0
    scale = max(target - float(fixed.sum()), 0.0) / float(shape[free].sum())
    for _ in range(60):
        series = np.where(free, np.minimum(scale * shape, top), fixed)
        missing = target - float(series.sum())
        if abs(missing) < 1e-9 * target:
            break
        scale += missing / max(float(shape[free & (series < top)].sum()), 1e-9)
    return np.sign(energy_twh) * series


def _swing(month: NDArray[np.int64], hour: NDArray[np.int64]) -> FloatArray:
    """A tie that trades evenly: out at noon and at night, in over the evening peak. Its year adds up to about 0."""
    shape = np.where((hour >= 17) & (hour < 22), 0.30, np.where((hour >= 10) & (hour < 14), -0.20, 0.0))
    shape = shape - np.where((hour >= 0) & (hour < 5), 0.14, 0.0)
    return shape * np.where(np.isin(month, (6, 7, 11, 0)), 1.2, 1.0)


@dataclass(frozen=True)
class OutageRule:
    """When and how long a kind of unit is out."""

    windows: tuple[tuple[int, int], ...]  # days of a common year in which planned work fits
    days: tuple[int, int]  # length of the planned outage, drawn evenly
    forced_rate: float  # share of the hours, on top of planned work
    forced_days: float  # mean length of a forced outage


# Planned work in spring and autumn only: none in July, August, the winter peak or the Spring Festival. Coal and gas:
# 25-30 days a unit and year; forced rates by class [K]. Nuclear: one unit at a time, see `_NUCLEAR_SLOTS`.
OUTAGES = {
    "coal": OutageRule(((60, 160), (262, 333)), (25, 30), 0.035, 5.0),
    "gas": OutageRule(((60, 155), (262, 330)), (20, 28), 0.030, 3.0),
    "nuclear": OutageRule(((52, 160), (246, 354)), (36, 36), 0.008, 4.0),
}
_NUCLEAR_SLOTS = (52, 246, 88, 282, 124, 318)  # first days of six refuelling slots of 36 days that never overlap


def availability(profile: str, character: str, year: int, seed: int, units: int) -> FloatArray:
    """Share of a row's identical units that are not on planned or forced outage: k / units. Shape (hours,)"""
    if character not in OUTAGES:
        rule = f"must be one of {', '.join(OUTAGES)}, is {character!r}"
        raise InputError("profile_site", [Problem(f"{profile}: character", rule)])
    if units < 1:
        raise InputError("profile_site", [Problem(f"{profile}: units", f"must be at least 1, is {units}")])
    rule_of = OUTAGES[character]
    hours = hours_of(year)
    leap = hours // 24 - 365
    out = np.zeros(hours, dtype=np.int64)
    phase = stream(seed, year, "outage-phase", profile).random()
    numbers = _unit_numbers(profile, units)
    for k in range(units):
        rng = stream(seed, year, "outage", profile, str(k))
        down = np.zeros(hours, dtype=bool)
        if character == "nuclear":
            start = _NUCLEAR_SLOTS[numbers[k] % len(_NUCLEAR_SLOTS)] + leap
            length = rule_of.days[0]
        else:
            # Golden-ratio spacing spreads the units of a row over the windows; a random phase spreads the rows.
            length = int(rng.integers(rule_of.days[0], rule_of.days[1] + 1))
            room = [last - first - length for first, last in rule_of.windows]
            at = (phase + 0.618034 * k) % 1.0 * sum(room)
            start = int(rule_of.windows[0][0] + at if at < room[0] else rule_of.windows[1][0] + at - room[0]) + leap
        down[start * 24 : (start + length) * 24] = True
        t = rng.exponential(1.0 / rule_of.forced_rate) * rule_of.forced_days * 24.0
        while t < hours:
            repair = max(6.0, rng.exponential(rule_of.forced_days * 24.0))
            down[int(t) : int(t + repair)] = True
            t += repair + rng.exponential(1.0 / rule_of.forced_rate) * rule_of.forced_days * 24.0
        out += down
    return (units - out) / units


def _unit_numbers(profile: str, units: int) -> list[int]:
    """Zero-based numbers of a nuclear row's units in its plant: "Tianwan 3-4" gives 2, 3; no digits: a hash."""
    digits = "".join(ch if ch.isdigit() else " " for ch in profile).split()
    if digits:
        first = int(digits[0]) - 1
    else:
        first = int(stream(0, 0, "nuclear", profile).integers(0, len(_NUCLEAR_SLOTS)))
    return [first + k for k in range(units)]
