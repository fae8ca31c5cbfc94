"""What a series must be before a run may use it, and the few repairs that are safe to make.

Problems name the way out as an option of ``gridsim profiles import``; `read_series` has a parameter for each.
Repairs, each said in a warning: gaps of at most 3 h are interpolated; a whole UTC year is rolled to local time; values
finer than the steps asked for become means over them; p.u. between 1 and 1.02 becomes 1. All else is refused.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import Problem
from gridsim.profiles.calendar import hours_of
from gridsim.profiles.demand import DEMAND_KINDS
from gridsim.profiles.heat import HEAT_KINDS

FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.datetime64]

MAX_GAP_H = 3
PU_CLIP = 1.02  # measured output can pass its rating a little (renewables.ninja, overloaded turbines)
# spelling: (unit of ours, factor, offset)
UNITS: dict[str, tuple[str, float, float]] = {
    "1": ("1", 1.0, 0.0),
    "p.u.": ("1", 1.0, 0.0),
    "pu": ("1", 1.0, 0.0),
    "%": ("1", 0.01, 0.0),
    "percent": ("1", 0.01, 0.0),
    "W": ("MW", 1e-6, 0.0),
    "kW": ("MW", 1e-3, 0.0),
    "MW": ("MW", 1.0, 0.0),
    "GW": ("MW", 1e3, 0.0),
    "degC": ("degC", 1.0, 0.0),
    "C": ("degC", 1.0, 0.0),
    "K": ("degC", 1.0, -273.15),
}
# Of a budget, the amount of an hour in whatever the budget counts: MWh, t, tce; its size says nothing of the unit.
KIND_UNITS = {"load": "MW", "demand": "MW", "temperature": "degC", "budget": "MW"}
PU_KINDS = ("wind", "wind_offshore", "wind_onshore", "pv", "solar", "import", "exchange", "availability", "hydro")
SIGNED_KINDS = ("import", "exchange", "temperature")
MOST_MW = 400_000.0  # above the peak of any provincial grid: such a "MW" is kW


@dataclass(frozen=True)
class Clock:
    """How the stamps of a file are to be read."""

    year: int | None
    utc_offset_h: float
    file_utc_offset_h: float | None
    hour_ending: bool
    adjust_leap_day: bool
    source_year: int | None
    step_min: int = 60  # steps asked for


def unit_of(name: str, said: str, values: FloatArray) -> tuple[str, tuple[float, float], Problem | None]:
    """Our unit of a series, factor and offset to it, and what is wrong if it cannot be known."""
    if said and said not in UNITS:
        return "1", (1.0, 0.0), Problem(name, f"must have a unit of {', '.join(UNITS)}, has {said!r}")
    if said:
        unit, factor, offset = UNITS[said]
        return unit, (factor, offset), None
    kind = name.split("/", maxsplit=1)[0].lower()
    made = DEMAND_KINDS.get(kind) or HEAT_KINDS.get(kind)
    if made:
        return made.unit, (1.0, 0.0), None
    unit = KIND_UNITS.get(kind, "1" if kind in PU_KINDS else "")
    if unit:
        return unit, (1.0, 0.0), None
    top = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 0.0
    if top <= 1.5:
        return "1", (1.0, 0.0), None
    if top > 150.0:
        return "MW", (1.0, 0.0), None
    rule = f"must say its unit: with a maximum of {top:g} it could be % or MW{_say('MW')}"
    return "1", (1.0, 0.0), Problem(name, rule)


def _say(unit: str) -> str:
    return f" (say it: a name that ends with [{unit}], or gridsim profiles import --unit {unit})"


def _at(start: np.datetime64, step: int, step_min: int) -> str:
    return str(start.astype("datetime64[m]") + np.timedelta64(int(step) * step_min, "m")).replace("T", " ")


def to_unit(
    name: str, unit: str, values: FloatArray, start: np.datetime64, problems: list[Problem], step_min: int = 60
) -> FloatArray:
    """A series in its unit with its range checked; the problems go to the list."""
    kind = name.split("/", maxsplit=1)[0].lower()
    if not np.isfinite(values).all():
        return values  # said already, as a gap
    signed = unit == "degC" or kind in SIGNED_KINDS
    if not signed:
        values = np.where((values < 0) & (values > -1e-6), 0.0, values)
        bad = np.flatnonzero(values < 0)
        if len(bad):
            what = "hour" if step_min == 60 else "step"
            many = f"1 {what} is" if len(bad) == 1 else f"{len(bad)} {what}s are"
            shown = "p.u." if unit == "1" else unit
            rule = f"must not be negative: {many}, first at {_at(start, bad[0], step_min)} ({values[bad[0]]:g} {shown})"
            problems.append(Problem(name, rule))
    size = np.abs(values)
    top, when = float(size.max()), _at(start, int(np.argmax(size)), step_min)
    if unit == "1":
        if 1.5 < top <= 150.0:
            rule = (
                f"must be p.u. of the rated power, at most 1: is {top:g} at {when}, which looks like percent{_say('%')}"
            )
            problems.append(Problem(name, rule))
        elif top > 150.0:
            rule = f"must be p.u. of the rated power, at most 1: is {top:g} at {when}, which looks like MW or kW"
            rule += " (gridsim profiles import --rated POWER divides by it)"
            problems.append(Problem(name, rule))
        elif top > PU_CLIP:
            first = int(np.argmax(size > PU_CLIP))
            at = _at(start, first, step_min)
            rule = f"must be at most 1: first at {at} it is {values[first]:g} (largest {top:g} at {when})"
            problems.append(Problem(name, rule))
        else:
            values = np.clip(values, -1.0, 1.0)
    elif unit == "MW":
        if top > MOST_MW:
            rule = f"must be MW: is {top:g} at {when}, which looks like kW{_say('kW')}"
            problems.append(Problem(name, rule))
        elif kind in ("load", "demand") and 0.0 < top <= 1.5:
            rule = f"must be MW: its maximum is {top:g}, which looks like p.u. of a peak"
            problems.append(Problem(name, rule))
    elif top > 70.0:
        rule = f"must be degC: is {top:g} at {when}, which looks like K{_say('K')}"
        problems.append(Problem(name, rule))
    return values


class _Refused(Exception):
    """The time axis cannot be used: nothing more can be checked."""

    def __init__(self, rule: str):
        super().__init__(rule)
        self.problem = Problem("time", rule)


@dataclass(frozen=True)
class RawSteps:
    """What a file gave: its stamps (None: bare steps), their own UTC offset if any, values (steps, series), names."""

    stamps: TimeArray | None
    offset_h: float | None
    values: FloatArray
    names: list[str]
    filled: dict[str, int] = field(default_factory=dict)  # steps that were interpolated, by name


def to_steps(steps: RawSteps, clock: Clock, problems: list[Problem]) -> tuple[np.datetime64, FloatArray | None, int]:
    """Values on a gapless axis of local time: first hour, (steps, series), or None with the problems said, and minutes.

    A step is as long as the clock asks for, or an hour if the file has hours.
    """
    try:
        return _to_steps(steps, clock, problems)
    except _Refused as refused:
        problems.append(refused.problem)
        return np.datetime64("1970-01-01T00", "h"), None, 60


def _to_steps(steps: RawSteps, clock: Clock, problems: list[Problem]) -> tuple[np.datetime64, FloatArray, int]:
    stated = steps.offset_h if steps.offset_h is not None else clock.file_utc_offset_h
    shift_h = 0.0 if stated is None else clock.utc_offset_h - stated
    if shift_h != int(shift_h):
        raise _Refused(f"must be a whole number of hours from UTC{clock.utc_offset_h:+g}, is {shift_h:g} h off")
    stamps = _place_steps(len(steps.values), clock) if steps.stamps is None else steps.stamps
    stamps = stamps.astype("datetime64[s]")
    values = steps.values
    step_s = _step_of(stamps)
    step_min = 60 if step_s == 3600 else clock.step_min
    if step_min * 60 % step_s:
        raise _Refused(f"must step by 60 min, or by {step_min} min or a whole part of it: steps by {step_s / 60:g} min")
    if clock.hour_ending:
        stamps = stamps - np.timedelta64(step_s, "s")
    if clock.source_year is not None and clock.year is not None and clock.source_year != clock.year:
        stamps, values = _move_year(stamps, values, clock)
    stamps, values = _fit_leap_day(stamps, values, clock)
    off_grid = np.flatnonzero((stamps - stamps[0]).astype(np.int64) % step_s)
    if len(off_grid):
        raise _Refused(f"must step evenly by {step_s // 60} min: {stamps[off_grid[0]]} does not fit")

    first, count = _span(stamps, clock, step_s, shift_h)
    where = ((stamps - first).astype(np.int64)) // step_s
    inside = (where >= 0) & (where < count)
    grid = np.full((count, values.shape[1]), np.nan)
    grid[where[inside]] = values[inside]
    steps.filled.update(_fill(grid, steps.names, first, step_s, problems))
    means = grid.reshape(-1, step_min * 60 // step_s, grid.shape[1]).mean(axis=1)
    start = first.astype("datetime64[h]")
    if shift_h and clock.year is not None and first == np.datetime64(f"{clock.year}-01-01", "s"):
        means = np.roll(means, int(shift_h) * 60 // step_min, axis=0)
        said = f"a year of UTC{stated:+g} stamps was rolled by {shift_h:+g} h: its edge hours come from its other end"
        warnings.warn(said, UserWarning, stacklevel=4)
    else:
        start = start + np.timedelta64(int(shift_h), "h")
    return start, means, step_min


def _step_of(stamps: TimeArray) -> int:
    """Length of a step in seconds; stamps that do not rise, or steps that do not fit an hour, are refused."""
    if len(stamps) < 2:
        raise _Refused(f"must have at least 2 steps, has {len(stamps)}")
    steps = np.diff(stamps).astype(np.int64)
    backwards, repeated = np.flatnonzero(steps < 0), np.flatnonzero(steps == 0)
    if len(repeated):
        at = stamps[repeated[0]]
        many = "1 stamp does" if len(repeated) == 1 else f"{len(repeated)} stamps do"
        rule = f"must not repeat: {many}, first {at} (value row {repeated[0] + 2})"
        raise _Refused(f"{rule}; where clocks change in autumn, give stamps of one UTC offset")
    if len(backwards):
        i = int(backwards[0])
        raise _Refused(f"must rise: {stamps[i + 1]} comes after {stamps[i]} (value row {i + 2})")
    step_s = int(np.median(steps))
    if step_s > 3600 or 3600 % step_s:
        raise _Refused(f"must step by 60 min or a whole part of it, steps by {step_s / 60:g} min")
    return step_s


def _place_steps(rows: int, clock: Clock) -> TimeArray:
    """Stamps for a file that counts its steps from 0."""
    year = clock.source_year or clock.year
    if year is None:
        raise _Refused("must be times: the file counts steps, and no year was given")
    for per_hour in (1, 2, 4):
        for hours in (8760, 8784):
            if rows == hours * per_hour:
                start = np.datetime64(f"{year}-01-01", "s")
                if hours == 8760 and hours_of(year) == 8784:
                    # A leap year without its leap day: leave the day out here; the check of the span says so.
                    index = np.arange(rows) * (3600 // per_hour)
                    index = index + np.where(index >= 59 * 86400, 86400, 0)
                    return start + index.astype("timedelta64[s]")
                return start + (np.arange(rows) * (3600 // per_hour)).astype("timedelta64[s]")
    raise _Refused(f"must be 8760 or 8784 hours, or 2 or 4 values each, has {rows} steps")


def _move_year(stamps: TimeArray, raw: FloatArray, clock: Clock) -> tuple[TimeArray, FloatArray]:
    """Stamps of `source_year` on the same days of `year`; 29 February goes where there is none."""
    months = stamps.astype("datetime64[M]")
    years = months.astype(np.int64) // 12 + 1970
    other = np.flatnonzero(years != clock.source_year)
    if len(other):
        raise _Refused(f"must be of the year {clock.source_year}: {stamps[other[0]]} is not")
    leap_day = stamps.astype("datetime64[D]") == np.datetime64(f"{clock.source_year}-03-01") - 1
    leap_day &= hours_of(int(clock.source_year or 0)) == 8784
    keep = ~leap_day if clock.year is not None and hours_of(clock.year) == 8760 else np.ones(len(stamps), dtype=bool)
    stamps, raw, months = stamps[keep], raw[keep], months[keep]
    month = months.astype(np.int64) % 12
    new = (np.datetime64(f"{clock.year}-01", "M") + month.astype("timedelta64[M]")).astype("datetime64[s]")
    return new + (stamps - months.astype("datetime64[s]")), raw


def _fit_leap_day(stamps: TimeArray, raw: FloatArray, clock: Clock) -> tuple[TimeArray, FloatArray]:
    """Repeat 28 February as the 29th when that was asked for and a leap year lacks it."""
    if clock.year is None or not clock.adjust_leap_day or hours_of(clock.year) == 8760:
        return stamps, raw
    leap = np.datetime64(f"{clock.year}-02-29")
    day = stamps.astype("datetime64[D]")
    if (day == leap).any() or not (day == leap - 1).any():
        return stamps, raw
    before = day == leap - 1
    at = int(np.flatnonzero(before)[-1]) + 1
    stamps = np.insert(stamps, at, stamps[before] + np.timedelta64(86400, "s"))
    return stamps, np.insert(raw, at, raw[before], axis=0)


def _span(stamps: TimeArray, clock: Clock, step_s: int, shift_h: float) -> tuple[np.datetime64, int]:
    """First stamp and number of steps of the result, in the file's own time."""
    if clock.year is None:
        first = stamps[0].astype("datetime64[h]").astype("datetime64[s]")
        last = stamps[-1].astype("datetime64[h]").astype("datetime64[s]")
        return first, int((last - first).astype(np.int64) // 3600 + 1) * (3600 // step_s)
    year, hours = clock.year, hours_of(clock.year)
    begin, length = np.datetime64(f"{year}-01-01", "s"), np.timedelta64(hours * 3600, "s")
    step = np.timedelta64(step_s, "s")
    local = begin - np.timedelta64(int(shift_h * 3600), "s")  # where the local year starts, in the file's time
    first = local if stamps[0] <= local and stamps[-1] >= local + length - step else begin
    inside = (stamps >= first) & (stamps < first + length)
    if not inside.any():
        rule = f"must be in {year}: the file has {stamps[0]} to {stamps[-1]}"
        raise _Refused(f"{rule} (gridsim profiles import --year {year} moves a whole year)")
    got_h = float(inside.sum()) * step_s / 3600
    if not inside.all() and first == begin:
        extra = int((~inside).sum())
        raise _Refused(f"must be in {year}: {extra} of {len(stamps)} steps are not, first {stamps[~inside][0]}")
    if hours == 8784 and not (stamps.astype("datetime64[D]") == np.datetime64(f"{year}-02-29")).any():
        rule = f"must have 8784 hours: {year} is a leap year, and the file has {got_h:g} without 29 February"
        raise _Refused(rule + " (gridsim profiles import --leap-day adjust repeats the 28th)")
    late, early = stamps[inside][0] - first, first + length - step - stamps[inside][-1]
    if late > np.timedelta64(0, "s"):
        raise _Refused(f"must cover {year}, {hours} hours: it has {got_h:g} and starts at {stamps[inside][0]}")
    if early > np.timedelta64(0, "s"):
        raise _Refused(f"must cover {year}, {hours} hours: it has {got_h:g} and ends at {stamps[inside][-1]}")
    return first, hours * (3600 // step_s)


def _fill(
    grid: FloatArray, names: list[str], first: np.datetime64, step_s: int, problems: list[Problem]
) -> dict[str, int]:
    """Interpolate runs of missing values up to `MAX_GAP_H`, and count them; longer ones and open ends are problems."""
    index = np.arange(len(grid))
    longest = MAX_GAP_H * 3600 // step_s
    filled: dict[str, int] = {}
    for k, name in enumerate(names):
        missing = np.isnan(grid[:, k])
        if not missing.any():
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(np.int8), [0]])))
        starts, ends = edges[::2], edges[1::2]
        too_long = (ends - starts > longest) | (starts == 0) | (ends == len(grid))
        if too_long.any():
            i = int(np.flatnonzero(too_long)[0])
            when = first + np.timedelta64(int(starts[i]) * step_s, "s")
            hours = (ends[i] - starts[i]) * step_s / 3600
            rule = (
                f"must have no gap longer than {MAX_GAP_H} h, and none at its ends: {int(too_long.sum())} such, "
                f"first at {str(when).replace('T', ' ')} for {hours:g} h"
            )
            problems.append(Problem(name, rule))
            continue
        grid[missing, k] = np.interp(index[missing], index[~missing], grid[~missing, k])
        filled[name] = int(missing.sum())
    if filled:
        more = " ..." if len(filled) > 5 else ""
        said = ", ".join(f"{name}: {count} steps" for name, count in list(filled.items())[:5])
        warnings.warn(f"short gaps were interpolated: {said}{more}", UserWarning, stacklevel=4)
    return filled
