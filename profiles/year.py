"""All series of one case in one year: made from the weather, or taken from the cache.

A cached year is a `.npz` whose name is the sha256 of the sites, year, seed, and every source and data file of this
package; its values carry a digest of their own. What does not fit is made again, with a warning.
"""

import hashlib
import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridsim import disk_cache
from gridsim.errors import InputError, Problem
from gridsim.profiles.calendar import calendar
from gridsim.profiles.demand import DEMAND_KINDS, Kind, Place
from gridsim.profiles.events import Event, Planned
from gridsim.profiles.gas import GAS_KINDS
from gridsim.profiles.heat import HEAT_KINDS
from gridsim.profiles.load import ProvinceLoad, locate
from gridsim.profiles.need import PLANNED, Plan, ProvinceNeed
from gridsim.profiles.outages import availability
from gridsim.profiles.power import WIND_KINDS, pv_power, wind_power
from gridsim.profiles.ratings import RATING_KINDS
from gridsim.profiles.schedule import ROOM_KINDS, import_schedule, room
from gridsim.profiles.storm import STORM_KINDS
from gridsim.profiles.weather import Weather

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

UTC_OFFSET_H = 8.0
# Last digits are rounded away so that they do not depend on a processor's math library.
DECIMALS = {"1": 6, "MW": 3, "degC": 3}
SITE_COLUMNS = (
    "profile",
    "kind",
    "zone",
    "lat_deg",
    "lon_deg",
    "rated_mw",
    "energy_twh",
    "full_load_h",
    "units",
    "character",
)
_MADE: dict[str, Kind] = {**DEMAND_KINDS, **HEAT_KINDS, **GAS_KINDS, **STORM_KINDS, **RATING_KINDS}
_NAMED = ("load", "wind_offshore", "wind_onshore", "pv", "import", "exchange", "availability", "plan")
KINDS = (*_NAMED, *ROOM_KINDS, *_MADE)
_NEEDS = {
    "load": ("lat_deg", "lon_deg", "energy_twh"),
    "wind_offshore": ("lat_deg", "lon_deg", "full_load_h"),
    "wind_onshore": ("lat_deg", "lon_deg", "full_load_h"),
    "pv": ("lat_deg", "lon_deg", "full_load_h"),
    "import": ("rated_mw",),
    "exchange": ("rated_mw",),
    "availability": ("units",),
    "plan": (),  # no series: what imports are scheduled against, see `need.Plan`
    **dict.fromkeys(ROOM_KINDS, ("rated_mw",)),
} | {name: kind.needs for name, kind in _MADE.items()}


@dataclass(frozen=True)
class Profiles:
    """Hourly series of a year. An hour's stamp is the start of its interval, on a fixed UTC offset."""

    start: np.datetime64  # [h], first hour
    utc_offset_h: float
    names: tuple[str, ...]
    units: tuple[str, ...]  # of each series: "1" (p.u. of the element's rated power), "MW" or "degC"
    values: FloatArray  # (steps, series); steps are hours unless `step_min` says otherwise
    events: tuple[Event, ...] = ()
    step_min: int = 60  # of a file that came finer, and was asked for so

    @property
    def hours(self) -> int:
        return self.values.shape[0] * self.step_min // 60

    def has(self, name: str) -> bool:
        return name in self.names

    def column(self, name: str) -> FloatArray:
        """One series by name. Shape (steps,). Raises KeyError if there is none."""
        try:
            return self.values[:, self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def digest(self) -> str:
        """sha256 of the names, units, start and values: two runs are the same if and only if this is."""
        text = json.dumps([str(self.start), self.utc_offset_h, self.names, self.units])
        total = hashlib.sha256(text.encode())
        total.update(np.ascontiguousarray(self.values).data)  # without a copy
        return total.hexdigest()


def check_sites(sites: "pd.DataFrame") -> None:
    """Refuse a site table that `make_year` cannot use, with every problem of it."""
    problems = [
        Problem("profile_site", f"must have a column {name!r}") for name in SITE_COLUMNS if name not in sites.columns
    ]
    if problems:
        raise InputError("profile_site", problems)
    for name in sites["profile"][sites["profile"].duplicated()].unique():
        problems.append(Problem(f"profile_site: {name}", "must be there once"))
    for row in sites.itertuples():
        if row.kind not in KINDS:
            problems.append(Problem(f"{row.profile}: kind", f"must be one of {', '.join(KINDS)}, is {row.kind!r}"))
            continue
        needs = _NEEDS[str(row.kind)]
        if row.kind == "plan":
            what = str(row.profile).removeprefix("plan/")
            if what not in PLANNED:
                names = ", ".join(f"plan/{name}" for name in PLANNED)
                problems.append(Problem(f"{row.profile}: profile", f"must be one of {names} for kind plan"))
            needs = ("energy_twh",) if what == "load" else ("rated_mw", "full_load_h")
        for column in needs:
            value = float(getattr(row, column))
            if not np.isfinite(value):
                problems.append(
                    Problem(f"{row.profile}: {column}", f"must be a number for kind {row.kind}, is {value}")
                )
            elif column in ("rated_mw", "full_load_h", "units") and value <= 0:
                problems.append(Problem(f"{row.profile}: {column}", f"must be greater than 0, is {value:g}"))
        if "energy_twh" in _NEEDS[str(row.kind)] and float(row.energy_twh) < 0:
            problems.append(Problem(f"{row.profile}: energy_twh", f"must not be negative, is {row.energy_twh:g}"))
    if problems:
        raise InputError("profile_site", problems)


def _site_series(
    row: Any, weather: Weather, load: ProvinceLoad, need: ProvinceNeed, forced: bool
) -> tuple[str, FloatArray]:
    """Unit and values of one row of the site table."""
    name, kind, character = str(row.profile), str(row.kind), str(row.character)
    lat, lon, rated = float(row.lat_deg), float(row.lon_deg), float(row.rated_mw)
    if kind == "load":
        return "MW", load.city_mw(name, lat, lon, energy_twh=float(row.energy_twh), peak_mw=rated)
    if kind in WIND_KINDS:
        return "1", wind_power(weather, kind, lat, lon, name, flh_h=float(row.full_load_h))
    if kind == "pv":
        return "1", pv_power(weather, lat, lon, name, flh_h=float(row.full_load_h))
    if kind in _MADE:
        made = _MADE[kind]
        return made.unit, made.make(Place(weather, load, name, lat, lon), row)
    if kind in ROOM_KINDS:
        return "1", room(kind, name, character, need, rated_mw=rated, energy_twh=float(row.energy_twh))
    if kind == "availability":
        return "1", availability(name, character, weather.year, weather.seed, int(float(row.units)), forced)
    return "1", import_schedule(name, character, need, rated_mw=rated, energy_twh=float(row.energy_twh))


def make_year(
    sites: "pd.DataFrame",
    year: int = 2024,
    seed: int = 2024,
    planned: tuple[Planned, ...] = (),
    forced: bool = True,
) -> Profiles:
    """Make every series of `sites` for one year, and the temperature of each city that has a load.

    Parameters
    ----------
    sites : DataFrame
        The `profile_site` table of a network, columns `SITE_COLUMNS`.
    year : int
        2018 to 2035 (the years whose lunar calendar is built in).
    seed : int
        Of the weather year, outages and revisions. Same sites, year and seed: same bytes.
    planned : tuple of Planned
        Events on top of those that the seed draws.
    forced : bool
        Whether units are on forced outage, too, and not on planned work only.

    Returns
    -------
    Profiles
        Columns in the order of `sites`, then ``temperature/<City>``. A series depends on its own row, year and
        seed only, never on which other rows there are; that of an import also on the rows of kind plan.

    Raises
    ------
    InputError
        For a table that cannot be used, or full-load hours and energies out of reach: all of them at once.
    """
    calendar(year)
    check_sites(sites)
    weather = Weather(year, seed, planned)
    load = ProvinceLoad(weather)
    need = ProvinceNeed(weather, load, Plan.of(sites))
    names: list[str] = []
    units: list[str] = []
    columns: list[FloatArray] = []
    problems: list[Problem] = []
    for row in sites[sites["kind"] != "plan"].itertuples():
        try:
            unit, values = _site_series(row, weather, load, need, forced)
        except InputError as error:
            problems.extend(error.problems)
            continue
        names.append(str(row.profile))
        units.append(unit)
        columns.append(values)
    if problems:
        raise InputError("profile_site", problems)
    for row in sites[sites["kind"] == "load"].itertuples():
        city = str(row.profile).split("/")[-1]
        names.append(f"temperature/{city}")
        units.append("degC")
        columns.append(load.temperature_c(city, *locate(city, float(row.lat_deg), float(row.lon_deg))).copy())
    for unit, values in zip(units, columns, strict=True):
        np.round(values, DECIMALS[unit], out=values)
        values += 0.0  # no negative zeros
    start = np.datetime64(f"{year}-01-01T00", "h")
    values = np.column_stack(columns) if columns else np.zeros((weather.hours, 0))
    return Profiles(start, UTC_OFFSET_H, tuple(names), tuple(units), values, weather.episodes.events)


def _cache_path(sites: "pd.DataFrame", year: int, seed: int, planned: tuple[Planned, ...], forced: bool) -> Path:
    used = sites[list(SITE_COLUMNS)].itertuples(index=False)
    # repr of a float is exact; the index does not matter, the order of rows does (it orders the columns).
    rows = (repr([v.item() if hasattr(v, "item") else v for v in row]) for row in used)
    code = disk_cache.sources(Path(__file__).parent, "*.py", "data/*.csv")
    about = f"numpy {np.__version__} year {year} seed {seed} {planned!r} forced {forced}"
    key = disk_cache.digest([*code, about.encode(), *(row.encode() for row in rows)])
    return disk_cache.folder("profiles") / f"{key}.npz"


def load_year(
    sites: "pd.DataFrame",
    year: int = 2024,
    seed: int = 2024,
    cache: bool = True,
    planned: tuple[Planned, ...] = (),
    forced: bool = True,
) -> Profiles:
    """`make_year` through the disk cache, ``$GRIDSIM_CACHE_DIR`` or ``~/.cache/gridsim``."""
    check_sites(sites)
    if not cache:
        return make_year(sites, year, seed, planned, forced)
    path = _cache_path(sites, year, seed, planned, forced)
    if path.exists():
        try:
            found = _read(path)
        except Exception as error:  # a file cut short can fail in many ways; all mean: make it again
            warnings.warn(f"{path}: damaged ({error}); the year is made again", RuntimeWarning, stacklevel=2)
        else:
            disk_cache.mark_used(path)
            return found
    profiles = make_year(sites, year, seed, planned, forced)
    disk_cache.write(path, _packed(profiles))
    return profiles


def _packed(profiles: Profiles) -> memoryview:
    about = {
        "utc_offset_h": profiles.utc_offset_h,
        "names": profiles.names,
        "units": profiles.units,
        "start": str(profiles.start),
        "events": [[e.kind, e.name, str(e.start), e.hours, e.zone, e.detail] for e in profiles.events],
        "digest": profiles.digest(),
    }
    buffer = io.BytesIO()
    np.savez(buffer, values=profiles.values, about=np.array(json.dumps(about)))
    return buffer.getbuffer()


def _read(path: Path) -> Profiles:
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        values = np.ascontiguousarray(file["values"])
    events = tuple(
        Event(kind, name, np.datetime64(start, "h"), hours, zone, detail)
        for kind, name, start, hours, zone, detail in about["events"]
    )
    start = np.datetime64(about["start"], "h")
    profiles = Profiles(start, about["utc_offset_h"], tuple(about["names"]), tuple(about["units"]), values, events)
    if profiles.digest() != about["digest"]:
        raise ValueError("its digest does not fit its values")
    return profiles
