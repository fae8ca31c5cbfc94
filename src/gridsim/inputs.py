"""Fetching what a scenario names: the net, built or from a pandapower file, and the hourly series of the horizon."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from gridsim.errors import InputError, Problem
from gridsim.nettable import NetTable
from gridsim.networks.safe import only_data, shape_problems
from gridsim.networks.stored import builtin_key, file_key, through_cache
from gridsim.resample import sloped
from gridsim.scenario import NETWORK_SUFFIXES, PROFILE_SUFFIXES, Scenario, check_names
from gridsim.series import Series

if TYPE_CHECKING:  # pvlib and pandapower load when a run needs them
    from gridsim.profiles import Event, Profiles

_WITH_PROFILES = (
    *((element, "profile") for element in ("load", "gen", "sgen")),
    *(("gen", f"heat_{end}_profile") for end in ("min", "max")),
    ("sgen", "export_profile"),
    *((element, "rating_profile") for element in ("line", "trafo")),
    *(("storage", f"{what}_profile") for what in ("inflow", "demand", "charge", "discharge", "min_e")),
)
_DEFAULT_UTC_OFFSET_H = 8.0  # of a run without any hourly series: where Jiangsu is


class Inputs(NamedTuple):
    """Series over the horizon, on the steps of the run."""

    series: dict[str, Series]
    complete: bool  # False if a source failed: what is missing then is no problem of its own
    utc_offset_h: float
    events: "tuple[Event, ...]"


def load_net(scenario: Scenario) -> Any:
    """The tables of a scenario's net, through the disk cache. Raises InputError if there is none to be had."""
    source = scenario.network.source
    if source == "jiangsu":
        from gridsim.networks import jiangsu

        options = scenario.jiangsu
        if options.tariff_file is not None:
            options = options.model_copy(update={"tariff_file": str(scenario.resolve(options.tariff_file))})
        return through_cache(lambda: builtin_key(options), lambda: jiangsu(options))
    path = scenario.resolve(source)
    if not path.is_file():
        return read_net(path)  # says so
    return through_cache(lambda: file_key(path), lambda: read_net(path))


def read_net(path: Path) -> Any:
    """A pandapower file (.json, .xlsx or .sqlite). Raises InputError if it is missing or not one."""
    if path.suffix.lower() not in NETWORK_SUFFIXES:
        raise InputError(str(path), [Problem("network", f"must be a file of type {', '.join(NETWORK_SUFFIXES)}")])
    if not path.is_file():
        raise InputError(str(path), [Problem("network", "is missing: there is no such file")])
    import pandapower as pp

    reader = {".json": pp.from_json, ".xlsx": pp.from_excel, ".sqlite": pp.from_sqlite}[path.suffix.lower()]
    try:
        with only_data():
            net = reader(str(path))
    except Exception as error:  # whatever pandapower's readers meet in a damaged file
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(str(path), [Problem("network", f"must be a file that pandapower can read: {text}")]) from error
    if not isinstance(net, pp.pandapowerNet) or "bus" not in net:
        raise InputError(str(path), [Problem("network", "must hold a pandapower network")])
    if problems := shape_problems(net):
        raise InputError(str(path), problems)
    return net


def profile_names(net: Any) -> list[str]:
    """Series that elements of the net name, in the order of the tables."""
    names: dict[str, None] = {}
    for element, column in _WITH_PROFILES:
        table = NetTable(net, element)
        names |= {name: None for name, on in zip(table.text(column), table.in_service(), strict=True) if name and on}
    return list(names)


def load_series(scenario: Scenario, net: Any) -> tuple[Inputs, list[Problem]]:
    """Every series of the scenario's sources, cut to its horizon."""
    problems: list[Problem] = []
    found: dict[str, Series] = {}
    needed = profile_names(net)
    offsets: dict[float, str] = {}
    events: tuple[Event, ...] = ()
    complete = True
    known = [*needed, *(product.series for product in scenario.reserve.product if product.series)]
    what = "a series that an element or a reserve product names"
    problems += check_names("scenario: profiles.files", scenario.profiles.files, known, what)
    for name, path in scenario.profiles.files.items():
        read = _read(scenario.resolve(path), scenario, problems)
        if read is None:
            complete = False
            continue
        given = _cut(read, path, scenario, problems)
        if name in given:
            found[name] = given[name]
        elif len(given) == 1:
            found[name] = next(iter(given.values()))
        elif given:
            problems.append(
                Problem(f"profile file {path}", f"must have one series, or one named '{name}': it has {_some(given)}")
            )
        offsets.setdefault(read.utc_offset_h, path)
    rest = [name for name in needed if name not in found]
    for path in scenario.profiles.paths:
        read = _read(scenario.resolve(path), scenario, problems)
        if read is not None:
            for name, series in _cut(read, path, scenario, problems).items():
                found.setdefault(name, series)
            offsets.setdefault(read.utc_offset_h, path)
        else:
            complete = False
    if not scenario.profiles.paths and rest:
        made = _synthetic(scenario, net, rest, problems)
        if made is not None:
            for name, series in _cut(made, "synthetic year", scenario, problems).items():
                found.setdefault(name, series)
            offsets.setdefault(made.utc_offset_h, "synthetic year")
            events = made.events
        else:
            complete = False
    if len(offsets) > 1:
        said = ", ".join(f"{source} has UTC{offset:+g} h" for offset, source in offsets.items())
        problems.append(Problem("profiles", f"must all be in one time zone: {said}"))
    offset_h = next(iter(offsets), _DEFAULT_UTC_OFFSET_H)
    return Inputs(found, complete, offset_h, _within(events, scenario)), problems


def _synthetic(scenario: Scenario, net: Any, needed: list[str], problems: list[Problem]) -> "Profiles | None":
    sites = net.get("profile_site")
    if not isinstance(sites, pd.DataFrame) or not len(sites):
        some = ", ".join(f"'{name}'" for name in needed[:5]) + (" ..." if len(needed) > 5 else "")
        rule = (
            f"must name files: the network has no profile_site table to make series from, and its elements need {some}"
        )
        problems.append(Problem("scenario: profiles.source", rule))
        return None
    from gridsim.profiles import Planned, load_year

    planned = tuple(
        Planned(event.kind, np.datetime64(event.start, "h"), event.days, event.strength)
        for event in scenario.profiles.event
    )
    try:
        forced = scenario.profiles.forced_outages and not scenario.outages.forced  # either in the series, or as events
        return load_year(sites, scenario.year, scenario.seed, planned=planned, forced=forced)
    except InputError as error:
        problems += error.problems
        return None


def _read(path: Path, scenario: Scenario, problems: list[Problem]) -> "Profiles | None":
    where = f"profile file {path}"
    if path.suffix.lower() not in PROFILE_SUFFIXES:
        problems.append(Problem(where, f"must be of type {', '.join(PROFILE_SUFFIXES)}"))
        return None
    if not path.is_file():
        problems.append(Problem(where, "is missing: there is no such file"))
        return None
    from gridsim.profiles.readers import read_series

    # The test for solar noon in pv series needs a place: only the built-in network has a known one.
    place: dict[str, Any] = {} if scenario.network.source == "jiangsu" else {"solar_longitude_deg": None}
    place["step_min"] = scenario.horizon.resolution_min
    try:
        return read_series(path, year=scenario.year, **place)  # a file of the year, also one of bare steps
    except InputError as error:
        found = error
    if scenario.hours < scenario.year_hours:
        try:
            return read_series(path, **place)  # a shorter horizon may come with a shorter file
        except InputError as error:
            found = error
    problems += [Problem(f"{path}: {p.where}", p.rule) for p in found.problems]
    return None


def _cut(given: "Profiles", source: str, scenario: Scenario, problems: list[Problem]) -> dict[str, Series]:
    """The horizon out of every series, hourly ones on the steps of the run; a problem if it is not covered."""
    start, n = scenario.start, scenario.hours
    first = int((start - given.start) // np.timedelta64(1, "h"))
    if first < 0 or first + n > given.hours:
        last = given.start + np.timedelta64(given.hours - 1, "h")
        end = start + np.timedelta64(n - 1, "h")
        rule = f"must cover {start} to {end} ({n} hours): it has {given.hours} hours, {given.start} to {last}"
        problems.append(Problem(f"profile file {source}", rule))
        # as missing hours, so that no element is called without a series besides
        none = np.zeros(n * scenario.steps_per_hour)
        return {name: Series(none, unit) for name, unit in zip(given.names, given.units, strict=True)}
    per_hour, units = scenario.steps_per_hour, dict(zip(given.names, given.units, strict=True))
    if 60 // given.step_min == per_hour:
        cut = np.ascontiguousarray(given.values[first * per_hour : (first + n) * per_hour].T)
        return {name: Series(cut[k], unit) for k, (name, unit) in enumerate(units.items())}
    # an hour more at each end: the neighbours of the first and the last
    around = np.clip(np.arange(first - 1, first + n + 1), 0, given.hours - 1)
    hourly = np.ascontiguousarray(given.values[around].T)
    return {
        name: Series(sloped(hourly[k], per_hour), unit, hourly[k], per_hour)
        for k, (name, unit) in enumerate(units.items())
    }


def _within(events: "tuple[Event, ...]", scenario: Scenario) -> "tuple[Event, ...]":
    start = scenario.start
    end = start + np.timedelta64(scenario.hours, "h")
    return tuple(e for e in events if e.start < end and e.start + np.timedelta64(int(e.hours), "h") > start)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(f"'{n}'" for n in names[:5]) + (" ..." if len(names) > 5 else "")
