"""Chinese working calendar: holidays, days moved to a weekend, and where a day stands in the Spring Festival.

Dates of the lunar festivals are those of the Chinese calendar (Purple Mountain Observatory) for 2018-2035. Days off
and compensating workdays of 2023-2025 follow the yearly notices of the General Office of the State Council
(2024: Guo Ban Fa Ming Dian [2023] 7; 2025: [2024] 12); for other years the statutory length of 2025 is taken without
compensating workdays, which the notices fix only a few weeks ahead.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem

# year: (Spring Festival, Qingming, Dragon Boat, Mid-Autumn), month-day.
FESTIVALS: dict[int, tuple[str, str, str, str]] = {
    2018: ("02-16", "04-05", "06-18", "09-24"),
    2019: ("02-05", "04-05", "06-07", "09-13"),
    2020: ("01-25", "04-04", "06-25", "10-01"),
    2021: ("02-12", "04-04", "06-14", "09-21"),
    2022: ("02-01", "04-05", "06-03", "09-10"),
    2023: ("01-22", "04-05", "06-22", "09-29"),
    2024: ("02-10", "04-04", "06-10", "09-17"),
    2025: ("01-29", "04-04", "05-31", "10-06"),
    2026: ("02-17", "04-05", "06-19", "09-25"),
    2027: ("02-06", "04-05", "06-09", "09-15"),
    2028: ("01-26", "04-04", "05-28", "10-03"),
    2029: ("02-13", "04-04", "06-16", "09-22"),
    2030: ("02-03", "04-05", "06-05", "09-12"),
    2031: ("01-23", "04-05", "06-24", "10-01"),
    2032: ("02-11", "04-04", "06-12", "09-19"),
    2033: ("01-31", "04-04", "06-01", "09-08"),
    2034: ("02-19", "04-05", "06-20", "09-27"),
    2035: ("02-08", "04-05", "06-10", "09-16"),
}
# year: (days off as (kind, first, last), compensating workdays)
NOTICES: dict[int, tuple[tuple[tuple[str, str, str], ...], tuple[str, ...]]] = {
    2023: (
        (
            ("new_year", "01-01", "01-02"),
            ("spring_festival", "01-21", "01-27"),
            ("qingming", "04-05", "04-05"),
            ("labour", "04-29", "05-03"),
            ("dragon_boat", "06-22", "06-24"),
            ("national", "09-29", "10-06"),
        ),
        ("01-28", "01-29", "04-23", "05-06", "06-25", "10-07", "10-08"),
    ),
    2024: (
        (
            ("new_year", "01-01", "01-01"),
            ("spring_festival", "02-10", "02-17"),
            ("qingming", "04-04", "04-06"),
            ("labour", "05-01", "05-05"),
            ("dragon_boat", "06-10", "06-10"),
            ("mid_autumn", "09-15", "09-17"),
            ("national", "10-01", "10-07"),
        ),
        ("02-04", "02-18", "04-07", "04-28", "05-11", "09-14", "09-29", "10-12"),
    ),
    2025: (
        (
            ("new_year", "01-01", "01-01"),
            ("spring_festival", "01-28", "02-04"),
            ("qingming", "04-04", "04-06"),
            ("labour", "05-01", "05-05"),
            ("dragon_boat", "05-31", "06-02"),
            ("national", "10-01", "10-08"),
        ),
        ("01-26", "02-08", "04-27", "09-28", "10-11"),
    ),
}


@dataclass(frozen=True)
class Calendar:
    """Day by day through a year. Arrays have shape (days,)."""

    year: int
    days: NDArray[np.datetime64]
    weekday: NDArray[np.int64]  # 0 Monday .. 6 Sunday
    works: NDArray[np.bool_]  # a working day, compensating weekends included
    holiday: tuple[str, ...]  # kind of public holiday, or ""
    festival_day: NDArray[np.int64]  # days since the nearest Spring Festival (lunar new year's day = 0)

    @property
    def month(self) -> NDArray[np.int64]:
        """0 January .. 11 December."""
        return self.days.astype("datetime64[M]").astype(np.int64) % 12


def hours_of(year: int) -> int:
    """8760, or 8784 in a leap year."""
    return int((np.datetime64(f"{year + 1}-01-01") - np.datetime64(f"{year}-01-01")).astype(int)) * 24


def calendar(year: int) -> Calendar:
    """The working calendar of a year from 2018 to 2035."""
    if year not in FESTIVALS:
        raise InputError("profiles", [Problem("year", f"must be {min(FESTIVALS)} to {max(FESTIVALS)}, is {year}")])
    days = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    weekday = (days.astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday
    works = weekday < 5
    kinds = [""] * len(days)
    spans, extra = NOTICES.get(year) or (_statutory(year), ())
    for kind, first, last in spans:
        inside = (days >= np.datetime64(f"{year}-{first}")) & (days <= np.datetime64(f"{year}-{last}"))
        works &= ~inside
        for i in np.flatnonzero(inside):
            kinds[i] = kind
    for day in extra:
        works[days == np.datetime64(f"{year}-{day}")] = True
    # The nearest of this year's and the neighbours' festivals: late December of one year is early in the next's run-up.
    since = np.full(len(days), 10_000, dtype=np.int64)
    for near in (year - 1, year, year + 1):
        if near in FESTIVALS:
            d = (days - np.datetime64(f"{near}-{FESTIVALS[near][0]}")).astype(np.int64)
            since = np.where(np.abs(d) < np.abs(since), d, since)
    return Calendar(year, days, weekday, works, tuple(kinds), since)


def _statutory(year: int) -> tuple[tuple[str, str, str], ...]:
    spring, qingming, dragon, moon = (np.datetime64(f"{year}-{d}") for d in FESTIVALS[year])

    def span(kind: str, first: np.datetime64, length: int) -> tuple[str, str, str]:
        return kind, str(first)[5:], str(first + length - 1)[5:]

    return (
        ("new_year", "01-01", "01-01"),
        span("spring_festival", spring - 1, 8),
        span("qingming", qingming, 1),
        ("labour", "05-01", "05-05"),
        span("dragon_boat", dragon, 1),
        span("mid_autumn", moon, 1),
        ("national", "10-01", "10-07"),
    )
