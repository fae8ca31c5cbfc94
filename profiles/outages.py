"""Units that are not on outage: a yearly maintenance plan, refuelling, and chance.

Planned work of coal and gas lies in spring and autumn. The plan is made for the built-in fleet as a whole, the way
dispatchers make it: the largest unit first, each where the least margin of its weeks is greatest::

    margin(d) = capacity - on planned work(d) - expected need(d)                             (1)

so the margin is levelled over both seasons, and coal and gas make room for each other. Units of a plant take turns.
The fleet is `data/thermal_fleet.csv`, whatever rows are asked for: a row reads its units' weeks from the plan, and so
does not depend on other rows. Units that are not in it are spread evenly over the seasons.

Forced outages are drawn for every unit by itself. Left out: partial outages, and repairs put off when power is short.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles.calendar import hours_of
from gridsim.profiles.fields import stream

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class OutageRule:
    """When and how long a kind of unit is out."""

    windows: tuple[tuple[int, int], ...]  # days of a common year in which planned work fits
    days: tuple[int, int]  # length of the planned outage, drawn evenly
    forced_rate: float  # share of the hours, on top of planned work
    forced_days: float  # mean length of a forced outage


# Planned work from March to mid-June and from mid-September to November: none in the peaks of summer and winter or at
# the Spring Festival. Coal and gas: 25-30 and 20-28 days a unit and year; forced rates by class [K]. Nuclear: one
# unit at a time, see `_NUCLEAR_SLOTS`.
_SEASONS = ((60, 166), (258, 334))
OUTAGES = {
    "coal": OutageRule(_SEASONS, (25, 30), 0.035, 5.0),
    "gas": OutageRule(_SEASONS, (20, 28), 0.030, 3.0),
    "nuclear": OutageRule(((52, 160), (246, 354)), (36, 36), 0.008, 4.0),
}
_NUCLEAR_SLOTS = (52, 246, 88, 282, 124, 318)  # first days of six refuelling slots of 36 days that never overlap

# What units inside the province may have to give on a tight day, GW at 848.7 TWh a year, by half-month from early
# January: the highest hour of load less import, wind and sun that one day in ten exceeds, mean of 20 synthetic years.
EXPECTED_NEED_GW = np.array(
    [
        *(95.6, 95.2, 74.4, 76.0, 79.3, 78.8, 75.6, 76.3, 82.6, 82.6, 82.7, 84.5),
        *(98.5, 102.9, 104.2, 98.6, 86.3, 82.8, 73.2, 74.1, 78.9, 81.2, 87.6, 88.8),
    ]
)


@dataclass(frozen=True)
class PlannedWork:
    """One unit's planned outage."""

    first_day: int  # of the year, from 0
    days: int


@lru_cache(maxsize=1)
def _fleet() -> tuple[tuple[str, str, int, float], ...]:
    """Profile, character, units and MW of a unit of the rows that are planned together."""
    text = (files("gridsim.profiles") / "data" / "thermal_fleet.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple((r["profile"], r["character"], int(r["units"]), float(r["unit_mw"])) for r in rows)


def expected_need_mw(days: int) -> FloatArray:
    """EXPECTED_NEED_GW day by day, linear between the middles of half-months. [MW], shape (days,)"""
    middle = (np.arange(-1, 25) + 0.5) * days / 24.0
    around = np.concatenate([EXPECTED_NEED_GW[-1:], EXPECTED_NEED_GW, EXPECTED_NEED_GW[:1]])
    return 1e3 * np.interp(np.arange(days) + 0.5, middle, around)


@lru_cache(maxsize=8)
def maintenance_plan(year: int, seed: int) -> Mapping[tuple[str, int], PlannedWork]:
    """Planned work of every unit of the built-in fleet, by profile and number in its row.

    The seed draws how long each takes; where it goes is greedy: equation (1).
    """
    days = hours_of(year) // 24
    margin = -expected_need_mw(days)  # the capacity is the same on every day: it can be left out
    units = [(mw, row, k) for row, (_, _, count, mw) in enumerate(_fleet()) for k in range(count)]
    units.sort(key=lambda unit: (-unit[0], unit[2], unit[1]))  # first the first units of all plants
    at_work = {row: np.zeros(days, dtype=np.int64) for row in range(len(_fleet()))}
    plan: dict[tuple[str, int], PlannedWork] = {}
    for mw, row, k in units:
        profile, character, count, _ = _fleet()[row]
        length = _length(profile, character, year, seed, k=k)
        starts = _starts(character, days, length)
        weeks = np.lib.stride_tricks.sliding_window_view(margin, length)[starts]
        together = np.lib.stride_tricks.sliding_window_view(at_work[row], length)[starts].max(axis=1)
        usual = -(-count * length // 150) - 1  # so many others at the same time; a large plant has no other choice
        least = np.where(together > max(usual, int(together.min())), -np.inf, weeks.min(axis=1))
        # Where the least margin is equal, the weeks with the greater mean; else the earlier ones.
        best = least >= least.max() - 1e-6
        start = int(starts[np.argmax(np.where(best, weeks.mean(axis=1), -np.inf))])
        margin[start : start + length] -= mw
        at_work[row][start : start + length] += 1
        plan[profile, k] = PlannedWork(start, length)
    return MappingProxyType(plan)


def _length(profile: str, character: str, year: int, seed: int, *, k: int) -> int:
    shortest, longest = OUTAGES[character].days
    return int(stream(seed, year, "outage-length", profile, str(k)).integers(shortest, longest + 1))


def _starts(character: str, days: int, length: int) -> NDArray[np.int64]:
    """Days on which work of `length` days can begin."""
    leap = days - 365
    return np.concatenate([np.arange(a, b - length + 1) for a, b in OUTAGES[character].windows]) + leap


def availability(profile: str, character: str, year: int, seed: int, units: int, forced: bool = True) -> FloatArray:
    """Share of a row's identical units that are not on planned or (if `forced`) forced outage: k / units.

    Shape (hours,)
    """
    if character not in OUTAGES:
        rule = f"must be one of {', '.join(OUTAGES)}, is {character!r}"
        raise InputError("profile_site", [Problem(f"{profile}: character", rule)])
    if units < 1:
        raise InputError("profile_site", [Problem(f"{profile}: units", f"must be at least 1, is {units}")])
    hours = hours_of(year)
    out = np.zeros(hours, dtype=np.int64)
    for k, work in enumerate(_planned(profile, character, year, seed, units)):
        down = _forced(profile, character, year, seed, k=k) if forced else np.zeros(hours, dtype=bool)
        down[work.first_day * 24 : (work.first_day + work.days) * 24] = True
        out += down
    return (units - out) / units


def _planned(profile: str, character: str, year: int, seed: int, units: int) -> list[PlannedWork]:
    """Planned work of each unit of a row."""
    days = hours_of(year) // 24
    if character == "nuclear":
        slots = [_NUCLEAR_SLOTS[number % len(_NUCLEAR_SLOTS)] for number in _unit_numbers(profile, units)]
        return [PlannedWork(slot + days - 365, OUTAGES["nuclear"].days[0]) for slot in slots]
    plan = maintenance_plan(year, seed) if any(row[:2] == (profile, character) for row in _fleet()) else {}
    phase = stream(seed, year, "outage-phase", profile).random()
    out = []
    for k in range(units):
        if (profile, k) in plan:
            out.append(plan[profile, k])
            continue
        # Golden-ratio spacing spreads the units of a row over the seasons; a random phase spreads the rows.
        length = _length(profile, character, year, seed, k=k)
        starts = _starts(character, days, length)
        out.append(PlannedWork(int(starts[int((phase + 0.618034 * k) % 1.0 * len(starts))]), length))
    return out


def _forced(profile: str, character: str, year: int, seed: int, *, k: int) -> NDArray[np.bool_]:
    """Hours of one unit's forced outages: exponential times between them and to repair. Shape (hours,)"""
    rule = OUTAGES[character]
    rng = stream(seed, year, "outage", profile, str(k))
    down = np.zeros(hours_of(year), dtype=bool)
    between = rule.forced_days * 24.0 / rule.forced_rate
    t = rng.exponential(between)
    while t < len(down):
        repair = max(6.0, rng.exponential(rule.forced_days * 24.0))
        down[int(t) : int(t + repair)] = True
        t += repair + rng.exponential(between)
    return down


def _unit_numbers(profile: str, units: int) -> list[int]:
    """Zero-based numbers of a nuclear row's units in its plant: "Tianwan 3-4" gives 2, 3; no digits: a hash."""
    digits = "".join(ch if ch.isdigit() else " " for ch in profile).split()
    if digits:
        first = int(digits[0]) - 1
    else:
        first = int(stream(0, 0, "nuclear", profile).integers(0, len(_NUCLEAR_SLOTS)))
    return [first + k for k in range(units)]
