"""Weather events of a year: drawn from the seed, listed, and felt by wind, temperature and cloud.

Kinds: typhoon, cold_wave, plum_rain (Mei-yu), heat_dome, calm (dark doldrums of winter).

A typhoon is a moving vortex with Holland's profile (Mon. Weather Rev. 108, 1980, equation 3, without the Coriolis
term, at most 1 % here)::

    V(r) = V_max sqrt( (R_max / r)^B exp(1 - (R_max / r)^B) ),   B = 1.3                       (1)

The other events are smooth shifts of the province's weather: of the standard-normal wind field, of the daily cloud
field, and of temperature. Rates: 3.1 typhoons a year, May to November, at most 7 (Jiangsu climate centre, through
chinanews.com 2010-09-01); every drawn year has at least one (1 + Poisson(2.1)). All other parameters [K].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def draw_episodes(year: int, seed: int) -> Episodes:
    """Draw the events of a year. Same seed and year, same events."""
    hours = hours_of(year)
    days = hours // 24
    first = np.datetime64(f"{year}-01-01T00", "h")
    leap = days - 365
    keep, wind, temp = np.ones(hours), np.zeros(hours), np.zeros(hours)
    cloud, storm = np.zeros(days), np.zeros(days)
    events: list[Event] = []

    def daily(series: FloatArray) -> FloatArray:
        return series.reshape(days, 24).mean(axis=1)

    def log(kind: str, name: str, start_h: float, length_h: float, zone: str, *, detail: str) -> None:
        at = first + np.timedelta64(max(0, round(start_h)), "h")
        events.append(Event(kind, name, at, min(round(length_h), hours - max(0, round(start_h))), zone, detail))

    # Plum rain: about 15 June to 12 July; rain, cloud, weak wind, cool.
    rng = stream(seed, year, "event", "plum_rain")
    start = (165 + leap + int(rng.integers(-4, 6))) * 24.0
    length = int(rng.integers(20, 30)) * 24.0
    bump = _bump(hours, start, length, 48)
    cloud -= 0.55 * daily(bump)
    wind -= 0.12 * bump
    temp -= 1.3 * bump
    log(
        "plum_rain", f"Mei-yu {year}", start, length, "Jiangsu", detail="clearness about x 0.8, weak wind, 1.3 K cooler"
    )

    # Heat dome: late July or August; the stress case of the year.
    rng = stream(seed, year, "event", "heat_dome")
    start = (204 + leap + int(rng.integers(0, 14))) * 24.0
    length = int(rng.integers(10, 16)) * 24.0
    bump = _bump(hours, start, length, 60)
    rise = rng.uniform(2.4, 3.2)
    cloud += 0.55 * daily(bump)
    wind -= 0.55 * bump
    temp += rise * bump
    log(
        "heat_dome",
        f"heat wave {year}",
        start,
        length,
        "Jiangsu",
        detail=f"{rise:.1f} K above the season, wind about x 0.75",
    )

    # Cold waves: three to five in the cold half-year: a windy front, then cold for days.
    rng = stream(seed, year, "event", "cold_wave")
    spots = [12, 38, 66, 324 + leap, 350 + leap]
    for k in np.sort(rng.permutation(5)[: int(rng.integers(3, 6))]):
        start = (spots[k] + rng.uniform(-7, 7)) * 24
        drop = rng.uniform(7.0, 11.0)
        t = np.arange(hours) + 0.5 - start
        fall = np.clip(t / 48.0, 0.0, 1.0) * np.exp(-np.maximum(t - 48.0, 0.0) / 60.0)
        fall[t < 0] = 0.0
        temp -= drop * fall
        wind += 0.9 * _bump(hours, start - 4, 60, 12)
        cloud -= 0.4 * daily(_bump(hours, start - 12, 48, 12))
        log(
            "cold_wave",
            f"cold wave {len(events)}",
            start,
            120,
            "Jiangsu",
            detail=f"{drop:.1f} K colder in 48 h, north wind",
        )

    # Calm: three to four days of little wind under a grey winter sky.
    rng = stream(seed, year, "event", "calm")
    start = (rng.choice([25, 52, 337 + leap]) + rng.uniform(-2, 2)) * 24  # between the windows of the cold waves
    length = rng.uniform(72, 100)
    bump = _bump(hours, start, length, 18)
    wind -= 1.25 * bump
    keep -= 0.6 * bump  # whatever the year had planned: it is calm
    cloud -= 0.5 * daily(bump)
    log("calm", f"dark doldrums {year}", start, length, "Jiangsu", detail="little wind and little sun")

    rng = stream(seed, year, "event", "typhoons")
    typhoons = []
    for k in range(min(7, 1 + int(rng.poisson(2.1)))):
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
        typhoons.append(track)
        bump = _bump(hours, track.nearest_h - 30, 54, 15)
        storm -= 1.6 * daily(bump)
        temp -= 3.5 * bump
        side = "inland" if track.east_km < 0 else "at sea"
        detail = f"up to {track.v_max_ms:.0f} m/s, eye {abs(track.east_km):.0f} km {side} of the coast at 33 N"
        log("typhoon", f"typhoon {k + 1}", track.nearest_h - 24, 48, "coast", detail=detail)

    events.sort(key=lambda e: (e.start, e.kind, e.name))
    return Episodes(tuple(events), tuple(typhoons), keep, wind, temp, cloud, storm)
