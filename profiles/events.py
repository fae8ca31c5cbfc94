"""Weather events of a year: drawn from the seed, listed, and felt by wind, temperature and cloud.

Kinds: typhoon, cold_wave, plum_rain (Mei-yu), heat_dome, calm (dark doldrums of winter).

A typhoon is a moving vortex with Holland's profile (Mon. Weather Rev. 108, 1980, equation 3, without the Coriolis
term, at most 1 % here)::

    V(r) = V_max sqrt( (R_max / r)^B exp(1 - (R_max / r)^B) ),   B = 1.3                       (1)

The other events are smooth shifts of the province's weather: of the standard-normal wind field, of the daily cloud
field, and of temperature. Rates: 3.1 typhoons a year, May to November, at most 7 (Jiangsu climate centre, through
chinanews.com 2010-09-01); every drawn year has at least one (1 + Poisson(2.1)). All other parameters [K].

Events may also be asked for at a date (`Planned`): they come on top of those drawn and shift the weather alike, at the
middle of the range that is drawn from times `strength`. What is calibrated to a year (energies, peaks) is calibrated
to the weather without them, so that they show.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles.calendar import hours_of
from gridsim.profiles.fields import plane_km, stream

FloatArray = NDArray[np.float64]
HOLLAND_B = 1.3
LAND_FRICTION = 0.62  # sustained wind at hub height over land / over sea in a storm [K]


@dataclass(frozen=True)
class Event:
    """Something that happened in the year made: what, when, where."""

    kind: str
    name: str
    start: np.datetime64  # hour, local time
    hours: int
    zone: str  # "Jiangsu", "coast", ...
    detail: str


@dataclass(frozen=True)
class Typhoon:
    """One storm track: a straight line run through at constant speed."""

    nearest_h: float  # hour of the year at which the eye passes 33 N
    v_max_ms: float
    r_max_km: float
    speed_kmh: float
    east_km: float  # of 120.9 E, the coast line, where it passes 33 N
    heading_deg: float  # from north, clockwise

    def wind_ms(self, lat_deg: float, lon_deg: float, hours: int) -> FloatArray:
        """Vortex wind at a place through the year: equation (1), growing and dying over 30 h each way."""
        t = np.arange(hours) + 0.5 - self.nearest_h
        near = np.abs(t) < 60
        out = np.zeros(hours)
        x, y = plane_km(lat_deg, lon_deg)
        east0 = plane_km(33.0, 120.9)[0] + self.east_km
        angle = np.radians(self.heading_deg)
        dx = x - (east0 + self.speed_kmh * t[near] * np.sin(angle))
        dy = y - self.speed_kmh * t[near] * np.cos(angle)
        r = np.maximum(np.hypot(dx, dy), 5.0)
        ratio = (self.r_max_km / r) ** HOLLAND_B
        life = np.clip((60.0 - np.abs(t[near])) / 30.0, 0.0, 1.0)
        out[near] = self.v_max_ms * life * np.sqrt(ratio * np.exp(1.0 - ratio))
        return out


@dataclass(frozen=True)
class Planned:
    """An event that is asked for."""

    kind: str
    start: np.datetime64  # hour, local time; of a typhoon: when the eye passes 33 N
    days: float | None = None  # None: as long as such events usually are; of a typhoon and a cold wave nothing else
    strength: float = 1.0


# Usual length [d] of what may be planned; those of fixed length have none that could be given.
PLANNED_DAYS = {"typhoon": None, "cold_wave": None, "heat_dome": 12.0, "calm": 3.5, "plum_rain": 24.0}


@dataclass(frozen=True)
class Episodes:
    """The events of a year, as shifts of the province's weather and as storm tracks."""

    events: tuple[Event, ...]
    typhoons: tuple[Typhoon, ...]
    wind_keep: FloatArray  # (hours,), share of the standard-normal wind field that is left
    wind_shift: FloatArray  # (hours,), added to it
    temperature_shift_c: FloatArray  # (hours,)
    cloud_shift: FloatArray  # (days,), added to the standard-normal field of daily clearness
    storm_cloud: FloatArray  # (days,), the same, of typhoons


def _bump(hours: int, start_h: float, length_h: float, edge_h: float) -> FloatArray:
    """1 inside, 0 outside, with raised-cosine edges of `edge_h` inside the span. Shape (hours,)."""
    t = np.arange(hours) + 0.5
    inside = np.minimum(t - start_h, start_h + length_h - t) / edge_h
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(inside, 0.0, 1.0))


class _Shifts:
    """Events of a year as they add up, kind by kind."""

    def __init__(self, year: int):
        self.year, self.hours = year, hours_of(year)
        self.days = self.hours // 24
        self.keep, self.wind, self.temp = np.ones(self.hours), np.zeros(self.hours), np.zeros(self.hours)
        self.cloud, self.storm = np.zeros(self.days), np.zeros(self.days)
        self.events: list[Event] = []
        self.typhoons: list[Typhoon] = []

    def daily(self, series: FloatArray) -> FloatArray:
        return series.reshape(self.days, 24).mean(axis=1)

    def log(self, kind: str, name: str, start_h: float, length_h: float, zone: str, *, detail: str) -> None:
        first = max(0, round(start_h))
        at = np.datetime64(f"{self.year}-01-01T00", "h") + np.timedelta64(first, "h")
        self.events.append(Event(kind, name, at, min(round(length_h), self.hours - first), zone, detail))

    def plum_rain(self, start_h: float, length_h: float, strength: float = 1.0) -> None:
        """Rain, cloud, weak wind, cool."""
        bump = strength * _bump(self.hours, start_h, length_h, 48)
        self.cloud -= 0.55 * self.daily(bump)
        self.wind -= 0.12 * bump
        self.temp -= 1.3 * bump
        detail = f"clearness about x 0.8, weak wind, {1.3 * strength:.1f} K cooler"
        self.log("plum_rain", f"Mei-yu {self.year}", start_h, length_h, "Jiangsu", detail=detail)

    def heat_dome(self, start_h: float, length_h: float, rise_c: float, strength: float = 1.0) -> None:
        """The stress case of the year."""
        bump = strength * _bump(self.hours, start_h, length_h, 60)
        self.cloud += 0.55 * self.daily(bump)
        self.wind -= 0.55 * bump
        self.temp += rise_c * bump
        detail = f"{rise_c * strength:.1f} K above the season, wind about x 0.75"
        self.log("heat_dome", f"heat wave {self.year}", start_h, length_h, "Jiangsu", detail=detail)

    def cold_wave(self, start_h: float, drop_c: float, strength: float = 1.0) -> None:
        """A windy front, then cold for days."""
        t = np.arange(self.hours) + 0.5 - start_h
        fall = np.clip(t / 48.0, 0.0, 1.0) * np.exp(-np.maximum(t - 48.0, 0.0) / 60.0)
        fall[t < 0] = 0.0
        self.temp -= strength * drop_c * fall
        self.wind += 0.9 * strength * _bump(self.hours, start_h - 4, 60, 12)
        self.cloud -= 0.4 * strength * self.daily(_bump(self.hours, start_h - 12, 48, 12))
        detail = f"{drop_c * strength:.1f} K colder in 48 h, north wind"
        self.log("cold_wave", f"cold wave {len(self.events)}", start_h, 120, "Jiangsu", detail=detail)

    def calm(self, start_h: float, length_h: float, strength: float = 1.0) -> None:
        """Little wind under a grey winter sky, whatever the year had planned."""
        bump = _bump(self.hours, start_h, length_h, 18)
        self.wind -= 1.25 * strength * bump
        self.keep -= 0.6 * bump
        self.cloud -= 0.5 * strength * self.daily(bump)
        name = f"dark doldrums {self.year}"
        self.log("calm", name, start_h, length_h, "Jiangsu", detail="little wind and little sun")

    def typhoon(self, track: Typhoon) -> None:
        """A storm track, its cloud and its cool air."""
        self.typhoons.append(track)
        bump = _bump(self.hours, track.nearest_h - 30, 54, 15)
        self.storm -= 1.6 * self.daily(bump)
        self.temp -= 3.5 * bump
        side = "inland" if track.east_km < 0 else "at sea"
        detail = f"up to {track.v_max_ms:.0f} m/s, eye {abs(track.east_km):.0f} km {side} of the coast at 33 N"
        self.log("typhoon", f"typhoon {len(self.typhoons)}", track.nearest_h - 24, 48, "coast", detail=detail)

    def plan(self, wish: Planned) -> None:
        """An event asked for: in the middle of what is drawn, times its strength."""
        start_h = float((wish.start - np.datetime64(f"{self.year}-01-01T00", "h")).astype(float))
        length_h = 24.0 * (wish.days or PLANNED_DAYS[wish.kind] or 0.0)
        if wish.kind == "typhoon":
            v_max_ms = 28.0 * wish.strength
            self.typhoon(Typhoon(start_h, v_max_ms, r_max_km=50.0, speed_kmh=25.0, east_km=20.0, heading_deg=0.0))
        elif wish.kind == "heat_dome":
            self.heat_dome(start_h, length_h, 2.8, wish.strength)
        elif wish.kind == "cold_wave":
            self.cold_wave(start_h, 9.0, wish.strength)
        elif wish.kind == "calm":
            self.calm(start_h, length_h, wish.strength)
        else:
            self.plum_rain(start_h, length_h, wish.strength)

    def done(self) -> Episodes:
        self.events.sort(key=lambda e: (e.start, e.kind, e.name))
        # two calms at once leave no less of the field than one
        keep = np.maximum(self.keep, 0.4)
        return Episodes(tuple(self.events), tuple(self.typhoons), keep, self.wind, self.temp, self.cloud, self.storm)


def planned_problems(year: int, planned: Iterable[Planned]) -> list[Problem]:
    """What is wrong with events asked for."""
    problems = []
    for number, wish in enumerate(planned, start=1):
        where = f"profiles.event {number}"
        if wish.kind not in PLANNED_DAYS:
            rule = f"kind must be one of {', '.join(PLANNED_DAYS)}, is {wish.kind!r}"
            problems.append(Problem(where, rule))
            continue
        if str(wish.start.astype("datetime64[Y]")) != str(year):
            problems.append(Problem(where, f"must start in {year}, starts {wish.start}"))
        if wish.days is not None and PLANNED_DAYS[wish.kind] is None:
            problems.append(Problem(where, f"has no days of its own as a {wish.kind}: got {wish.days:g}"))
        if wish.days is not None and not 0.5 <= wish.days <= 60.0:
            problems.append(Problem(where, f"days must be 0.5 to 60, is {wish.days:g}"))
        if not 0.0 < wish.strength <= 2.0:
            problems.append(Problem(where, f"strength must be above 0 and at most 2, is {wish.strength:g}"))
    return problems


def draw_episodes(year: int, seed: int, planned: Iterable[Planned] = ()) -> Episodes:
    """Draw the events of a year, and add those asked for. Same seed, year and wishes, same events."""
    problems = planned_problems(year, planned)
    if problems:
        raise InputError("profiles", problems)
    leap = hours_of(year) // 24 - 365
    out = _Shifts(year)

    rng = stream(seed, year, "event", "plum_rain")  # about 15 June to 12 July
    out.plum_rain((165 + leap + int(rng.integers(-4, 6))) * 24.0, int(rng.integers(20, 30)) * 24.0)

    rng = stream(seed, year, "event", "heat_dome")  # late July or August
    start = (204 + leap + int(rng.integers(0, 14))) * 24.0
    length = int(rng.integers(10, 16)) * 24.0
    out.heat_dome(start, length, rng.uniform(2.4, 3.2))

    rng = stream(seed, year, "event", "cold_wave")  # three to five in the cold half-year
    spots = [12, 38, 66, 324 + leap, 350 + leap]
    for k in np.sort(rng.permutation(5)[: int(rng.integers(3, 6))]):
        start = (spots[k] + rng.uniform(-7, 7)) * 24
        out.cold_wave(start, rng.uniform(7.0, 11.0))

    rng = stream(seed, year, "event", "calm")  # three to four days in winter
    start = (rng.choice([25, 52, 337 + leap]) + rng.uniform(-2, 2)) * 24  # between the windows of the cold waves
    out.calm(start, rng.uniform(72, 100))

    rng = stream(seed, year, "event", "typhoons")
    for _ in range(min(7, 1 + int(rng.poisson(2.1)))):
        in_season = rng.random() < 0.8
        day = rng.uniform(182, 273) if in_season else rng.choice([rng.uniform(135, 181), rng.uniform(274, 320)])
        track = Typhoon(
            nearest_h=float((day + leap) * 24),
            v_max_ms=float(rng.uniform(20, 36)),
            r_max_km=float(rng.uniform(40, 60)),
            speed_kmh=float(rng.uniform(20, 30)),
            east_km=float(rng.uniform(-120, 220)),
            heading_deg=float(rng.uniform(-15, 20)),
        )
        out.typhoon(track)
    for wish in planned:
        out.plan(wish)
    return out.done()
