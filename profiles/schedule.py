"""Contracted power over the border: imports and exchanges, hour by hour.

A link has its energy of the year and of each month; inside a month the days share it by the need of the province
(`need`), as day-ahead schedules do. The level of day d, p.u. of rated::

    L(d) = low + (high(d) - low) sigma(a_month + s(z(d)) + 0.12 r(d)),   sigma(x) = 1 / (1 + exp(-x))    (1)
    z(d) = (D(d) - <D>_month) / 8 GW, kept within -2 and 2.5;   s = s_up z above 0, s_down z below              (2)

with D the day's highest net load, r a seeded daily revision and a_month found so that the month has its energy.
Coal and wind bases answer strongly (s_up), water less: reservoirs move it by days, not by seasons. What goes out to
neighbours does not answer: their weather is ours. Within a day: 1 from 06 to 22 h, 0.8 at night (flat in the flood
season), and in spring down to 0.75 around noon, the less the greyer the day; where the plan has more than 85 GW of PV,
that step is there all year and deeper with it, down to 0.55 at 200 GW, on days whose noon lies below their most by more
than 15 % of the PV. Levels change overnight, hour by hour, so
that no schedule moves faster than `RAMP_PU_PER_H`. Half a bipole is out for 7-10 days a year.

Monthly means of five UHV DC links, October 2022 to August 2023, are from the public project zdc207/ElecForeDaChuang
(MW from sums of 96 points, unit inferred [M]); 2022/23 was dry, so hydro May to October is taken times 1.3 for 2024.
September, which the record lacks, is between August and October [K]. For the summer peaks of 2024 Yanhuai and Xitai
were secured in full (hnxgsz.com 1692230) [S]; the numbers of (1) and (2) are [K].
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles.calendar import calendar, hours_of
from gridsim.profiles.fields import FieldSpec, filtered_noise, stream
from gridsim.profiles.need import ProvinceNeed
from gridsim.profiles.weather import months_of_days, months_of_hours

FloatArray = NDArray[np.float64]

ROOM_KINDS = ("import_less", "import_more")
LEAST_PU = 0.1  # least power of a DC pole, of its rating. Usual for line-commutated converters [K]
RAMP_PU_PER_H = 0.25  # no schedule is faster, at any hour
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


class Character(NamedTuple):
    """How a kind of link is scheduled."""

    monthly: FloatArray  # load factor by month, where the link itself is not measured
    low: float  # least level of a day, p.u.
    up: float  # s_up of equation (2)
    down: float  # s_down
    record: float  # level of the record days in July, p.u.


# Net import reached 35.2 GW on 15 July 2024 (hnxgsz.com 1692230): the record levels add up to it.
_CHARACTERS = {
    "hydro": Character(
        np.array([0.32, 0.34, 0.34, 0.27, 0.30, 0.52, 0.72, 0.85, 0.75, 0.50, 0.32, 0.28]), 0.05, 0.9, 0.4, 0.86
    ),
    "coal_wind": Character(
        np.array([0.46, 0.45, 0.47, 0.45, 0.36, 0.46, 0.56, 0.58, 0.49, 0.45, 0.50, 0.56]), 0.15, 1.6, 0.6, 0.98
    ),
    "coal": Character(
        np.array([0.52, 0.42, 0.46, 0.44, 0.44, 0.50, 0.60, 0.62, 0.50, 0.44, 0.48, 0.56]), 0.20, 1.6, 0.6, 0.93
    ),
    "transit": Character(
        np.array([0.60, 0.50, 0.52, 0.50, 0.50, 0.56, 0.66, 0.68, 0.58, 0.50, 0.54, 0.62]), 0.10, 1.2, 0.5, 0.85
    ),
    "flexible": Character(
        np.array([0.50, 0.40, 0.40, 0.40, 0.40, 0.50, 0.65, 0.65, 0.50, 0.40, 0.45, 0.55]), 0.0, 2.0, 1.0, 0.90
    ),
}
RECORD_DAYS = ("07-12", "07-18")
FLOOD_MONTHS = (5, 6, 7, 8)  # June to September: other days stay a little below the record days


def _character(character: str, profile: str) -> Character:
    if character in _CHARACTERS:
        return _CHARACTERS[character]
    allowed = ", ".join(_CHARACTERS)
    raise InputError("profile_site", [Problem(f"{profile}: character", f"must be one of {allowed}, is {character!r}")])


def _monthly(profile: str, kind: Character) -> FloatArray:
    key = "".join(ch for ch in profile.lower() if ch.isalpha())
    return next((shape for link, shape in _LINKS.items() if link in key), kind.monthly)


def import_schedule(
    profile: str, character: str, need: ProvinceNeed, *, rated_mw: float, energy_twh: float
) -> FloatArray:
    """Signed schedule of an import or exchange, p.u. of rated; negative sends power out. Shape (hours,)

    `energy_twh` is met exactly; not finite: what the character gives. Raises InputError when it cannot be met.
    """
    kind = _character(character, profile)
    year, seed = need.weather.year, need.weather.seed
    days = hours_of(year) // 24
    month = months_of_days(year)
    noise = filtered_noise(stream(seed, year, "schedule", profile), FieldSpec("revision", 1, 1, 2.0, 1), days)
    if energy_twh == 0.0:
        return _swing(year, noise)

    top = _outage(profile, year, seed)
    goal_h = abs(energy_twh) * 1e6 / rated_mw  # full-load hours
    most_h = 0.97 * 24.0 * float(top.sum())
    if goal_h > most_h:
        rule = f"must be at most {most_h * rated_mw / 1e6:.1f} TWh for {rated_mw:g} MW, is {abs(energy_twh):g}"
        raise InputError("profile_site", [Problem(f"{profile}: energy_twh", rule)])
    cal = calendar(year)
    first, last = (np.datetime64(f"{year}-{day}") for day in RECORD_DAYS)
    record = (cal.days >= first) & (cal.days <= last)
    sends = energy_twh < 0
    shape = _DayShape.of(character, need, record & (not sends))
    limit = np.where(np.isin(month, FLOOD_MONTHS), np.minimum(top, 0.97 * kind.record), top)
    fixed = record & (not sends)
    if not np.isfinite(energy_twh) or goal_h < 0.9 * float(shape.weight_h @ limit):
        top = np.where(fixed, kind.record, limit)
    else:  # so much is contracted that there is no choice
        fixed = np.zeros(days, dtype=bool)
        shape = shape.flattened(top, goal_h / 0.985)

    usual = _monthly(profile, kind)[month]
    festival = (cal.festival_day >= -4) & (cal.festival_day <= 8)
    usual = usual * np.where(festival, 0.75, 1.0)  # the receiving end has no need
    if sends:
        usual = usual * np.where(record, 0.9, 1.0)  # on those days the province needs its power itself
    urge = 0.12 * noise + (0.0 if sends else 1.0) * _urge(need.day_mw, month, kind)
    days_wanted = np.where(fixed, top, np.minimum(usual, top))
    if np.isfinite(energy_twh):
        days_wanted = _scaled_to(goal_h, usual, np.where(fixed, kind.record, 0.985 * top), fixed, shape.weight_h)
    level = _levels(days_wanted, urge, top, fixed, shape.weight_h, month=month, low=kind.low)
    return (-1.0 if sends else 1.0) * shape.hourly(level)


def room(
    kind: str, profile: str, character: str, need: ProvinceNeed, *, rated_mw: float, energy_twh: float
) -> FloatArray:
    """How far an import may depart from its schedule, p.u. of rated, >= 0. Shape (hours,)

    `import_less`: down to LEAST_PU, where the converters still run; `import_more`: up to the poles in service. The
    schedule is that of the series ``import/<name>``; the other arguments are those of `import_schedule`.
    """
    name = profile.replace(f"{kind}/", "import/", 1)
    schedule = import_schedule(name, character, need, rated_mw=rated_mw, energy_twh=energy_twh)
    if kind == "import_less":
        return np.maximum(schedule - LEAST_PU, 0.0)
    poles = np.repeat(_outage(name, need.weather.year, need.weather.seed), 24)
    return np.maximum(poles - schedule, 0.0)


def _outage(profile: str, year: int, seed: int) -> FloatArray:
    """1, and 0.5 while half of the poles is out, once in spring or autumn. Shape (days,)"""
    top = np.ones(hours_of(year) // 24)
    rng = stream(seed, year, "schedule-outage", profile)
    spring = rng.random() < 0.5
    start = int(rng.integers(75, 130) if spring else rng.integers(290, 325))
    top[start : start + int(rng.integers(7, 11))] = 0.5
    return top


def _urge(day_mw: FloatArray, month: NDArray[np.int64], kind: Character) -> FloatArray:
    """s(z) of equation (2). Shape (days,)"""
    mean = np.bincount(month, day_mw, 12) / np.bincount(month, minlength=12)
    z = np.clip((day_mw - mean[month]) / 8000.0, -2.0, 2.5)
    return np.where(z > 0.0, kind.up * z, kind.down * z)


def _scaled_to(
    goal_h: float, usual: FloatArray, top: FloatArray, fixed: NDArray[np.bool_], weight_h: FloatArray
) -> FloatArray:
    """Days by the month's usual level, all scaled by one number so that the year has `goal_h`. Shape (days,)

    What does not fit below `top` goes to the other days; `fixed` days are at `top`.
    """
    day = np.where(fixed, top, 0.0)
    scale = 0.0
    for _ in range(100):
        missing = goal_h - float(weight_h @ day)
        if abs(missing) < 1e-10 * goal_h:
            break
        free = ~fixed & (scale * usual < top)
        scale += missing / max(float(weight_h[free] @ usual[free]), 1e-9)
        day = np.where(fixed, top, np.minimum(scale * usual, top))
    return day


def _levels(
    wanted: FloatArray,
    urge: FloatArray,
    top: FloatArray,
    fixed: NDArray[np.bool_],
    weight_h: FloatArray,
    *,
    month: NDArray[np.int64],
    low: float,
) -> FloatArray:
    """L of equation (1): the energy that `wanted` has in each month, shared out by `urge`. Shape (days,)"""
    free_h = np.where(fixed, 0.0, weight_h)
    energy = np.bincount(month, free_h * wanted, 12)
    room = np.maximum(np.bincount(month, free_h, 12), 1e-9)
    floor = np.minimum(low, 0.6 * energy / room)[month]
    floor = np.minimum(floor, 0.5 * top)
    below, above = np.full(12, -30.0), np.full(12, 30.0)
    for _ in range(60):  # bisection, twelve months at once
        middle = 0.5 * (below + above)
        level = floor + (top - floor) / (1.0 + np.exp(-(middle[month] + urge)))
        enough = np.bincount(month, free_h * level, 12) > energy
        above, below = np.where(enough, middle, above), np.where(enough, below, middle)
    return np.where(fixed, top, level)


class _DayShape(NamedTuple):
    """Steps through the day, and how a day's level passes over to the next one's."""

    pu: FloatArray  # (hours,), of the level
    weight_h: FloatArray  # (days,), full-load hours that a level of 1 on this day is worth

    @classmethod
    def of(cls, character: str, need: ProvinceNeed, record: NDArray[np.bool_]) -> "_DayShape":
        """Night 0.8, day 1, and in spring a step down at noon to make room for the sun. [K]"""
        year = need.weather.year
        month, hour = months_of_hours(year), np.arange(hours_of(year)) % 24
        night = np.where(np.isin(month, FLOOD_MONTHS) & (character == "hydro"), 0.96, 0.80)
        night = np.where(np.repeat(record, 24), 0.94, night)
        # 1 where noon lies 15 GW or more below the day's most, 0 where it is within 5 GW of it: a grey day.
        sunny = np.repeat(np.clip((need.day_mw - need.noon_mw - 5000.0) / 10_000.0, 0.0, 1.0), 24)
        pv_mw = need.plan.pv.mw
        always = 0.45 * np.clip((pv_mw - 85_000.0) / 115_000.0, 0.0, 1.0)
        surplus = np.repeat(np.clip((need.day_mw - need.noon_mw - 0.15 * pv_mw) / (0.25 * pv_mw), 0.0, 1.0), 24)
        step = np.maximum(0.25 * sunny * np.isin(month, (1, 2, 3, 4)), always * surplus)
        pu = np.ones(len(hour))
        pu = np.where((hour > 22) | (hour < 5), night, pu)
        pu = np.where((hour == 22) | (hour == 5), 0.5 + 0.5 * night, pu)
        pu = np.where((hour >= 11) & (hour < 14), 1.0 - step, pu)
        pu = np.where((hour == 10) | (hour == 14), 1.0 - 0.5 * step, pu)
        return cls(pu, _worth(pu))

    def flattened(self, top: FloatArray, goal_h: float) -> "_DayShape":
        """As much nearer to 1 at all hours as `goal_h` needs below `top`."""
        have, could = float(self.weight_h @ top), 24.0 * float(top.sum())
        share = float(np.clip((goal_h - have) / max(could - have, 1e-9), 0.0, 1.0))
        pu = 1.0 - (1.0 - share) * (1.0 - self.pu)
        return _DayShape(pu, _worth(pu))

    def hourly(self, level: FloatArray) -> FloatArray:
        """The schedule. Shape (hours,)"""
        own, last, following = _parts_of_a_day()
        by_hour = np.repeat(level, 24).reshape(-1, 24) * own
        by_hour += np.concatenate([level[:1], level[:-1]])[:, None] * last
        by_hour += np.concatenate([level[1:], level[-1:]])[:, None] * following
        return self.pu * by_hour.ravel()


def _parts_of_a_day() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Share of each hour's level that is of its own day, of the day before and of the next. Three (24,)

    From 22 to 06 h one level passes into the other in nine equal steps.
    """
    hour = np.arange(24)
    following = np.clip((hour - 21) / 9.0, 0.0, None)
    last = np.where(hour < 6, 1.0 - (hour + 3) / 9.0, 0.0)
    return 1.0 - last - following, last, following


def _worth(pu: FloatArray) -> FloatArray:
    """Full-load hours of a level of 1 on one day, `hourly` being linear in the levels. Shape (days,)"""
    own, last, following = _parts_of_a_day()
    by_hour = pu.reshape(-1, 24)
    out = by_hour @ own
    before, after = by_hour @ last, by_hour @ following
    out[:-1] += before[1:]
    out[1:] += after[:-1]
    out[0] += before[0]  # at the ends of the year a day stands for its missing neighbour
    out[-1] += after[-1]
    return out


def _swing(year: int, noise: FloatArray) -> FloatArray:
    """A tie that trades evenly: out at noon and at night, in over the evening peak. Its year adds up to about 0."""
    hours = hours_of(year)
    month, hour = months_of_hours(year), np.arange(hours) % 24
    shape = np.where((hour >= 17) & (hour < 22), 0.30, np.where((hour >= 10) & (hour < 14), -0.20, 0.0))
    shape = shape - np.where((hour >= 0) & (hour < 5), 0.14, 0.0)
    shape = shape * np.where(np.isin(month, (6, 7, 11, 0)), 1.2, 1.0)
    series = shape * np.repeat(np.clip(1.0 + 0.2 * noise, 0.5, 1.5), 24)
    wide = np.concatenate([series[:2], series, series[-2:]])
    return np.convolve(wide, np.array([0.125, 0.25, 0.25, 0.25, 0.125]), mode="valid")
