"""Scenarios: what a run simulates, read from TOML with strict keys.

A scenario is a TOML file, or the name of a built-in one (`builtin_names`). ``base = "..."`` takes every key from
another scenario first (a built-in name, or a path from the file's own folder); tables are merged key by key, other
values are replaced. ``--with overlay`` lays small files on it, whose tables of a list (``[[budget]]``) are added to
those that are there, and ``--set key.sub=value`` is laid over all. A path inside a scenario counts from the folder of
the file that says it, a path in ``--set`` from the current folder.

The models below are the reference of the keys; each field's comment gives its unit and who consumes it.
Every key that is accepted has an effect on the run or on what the results file says about it.

========== ============================== =======================================================================
section    consumed by                    keys
========== ============================== =======================================================================
(top)      results (/meta), assemble      name, title; year, seed -> profiles
network    assemble                       source
jiangsu    networks.jiangsu               see `gridsim.networks.options`
profiles   assemble                       source, files, forced_outages; event: kind, start, days,
                                          strength
horizon    assemble: start, hours,        start, hours, window_h, step_h, resolution_min
           resolution_min
           simulate: window_h, step_h
reserve    assemble (Case.reserve_*_mw)   up_load_share, up_renewable_share, up_min_mw, down_load_share,
           assemble (Case.products)       down_renewable_share; product: name, direction, within_min, spinning,
                                          series, min_mw, load_share, renewable_share, techs, zones
penalties  assemble (Case.penalties)      shed, spill, reserve_short, overload
grid       assemble: ratings, limits      enforce, n1, losses, line_rating_factor, interface_limit_mw
           simulate: enforce, n1, losses
scale      assemble                       load, and any tech of the network
budget     assemble (Case.budgets)        name, techs, fuels, zones, names, quantity, fuel_unit, fuel_per_mwh,
                                          co2_t_per_fuel, period, months, at_most, at_most_profile, at_least,
                                          penalty, pacing, first_price
realtime   clocks                         forecast, files, lead_h, seed, wind, pv, load, reserve_quantile,
                                          reserve_kept, store_band, quick_start
           assemble (Case.products)       reserve_quantile
outages    disturbances                   forced, seed
outage     disturbances                   kind, start, hours, names, techs, zones, share, announced
ledger     simulate                       compensation_cny_per_mwh, flat_price_cny_per_mwh
output     simulate                       keep
solver     simulate                       engine, effort, target_gap, tolerance, max_rounds
           assemble                       quadratic_segments
========== ============================== =======================================================================
"""

import datetime as dt
import hashlib
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from gridsim.errors import Problem
from gridsim.networks.options import Options
from gridsim.toml_tree import Key, dump

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Month = Annotated[int, Field(ge=1, le=12)]

HYDROGEN_BUDGET = "hydrogen of the year"  # of jiangsu.hydrogen_pattern = "year"
NETWORK_NAMES = ("jiangsu",)
RESERVE_NAMES = ("up", "down")  # the products that the keys of [reserve] make
FORECAST_NAME = "forecast"  # the one that realtime.reserve_quantile makes
NETWORK_SUFFIXES = (".json", ".xlsx", ".sqlite")
PROFILE_SUFFIXES = (".csv", ".h5", ".hdf5", ".nc")
TARIFF_SUFFIXES = (".csv",)


def _whole_hour(value: Any) -> Any:
    """A TOML date, date-time or ISO string as a naive date-time on a whole hour."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("start", "must be a date or a date-time such as 2024-07-01T00:00") from None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            raise PydanticCustomError("start", "must be local time of the network, without a UTC offset")
        if (value.minute, value.second, value.microsecond) != (0, 0, 0):
            raise PydanticCustomError("start", "must be a whole hour")
    return value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Network(_Section):
    """Which grid. assemble: ``networks.jiangsu(options)`` for "jiangsu", else the pandapower file at the path."""

    source: str = "jiangsu"  # "jiangsu", or the path of a pandapower net: .json, .xlsx, .sqlite


class ProfileEvent(_Section):
    """Weather that happens at a date of the synthetic year, on top of what the seed draws. assemble.

    It comes in the middle of the strengths that are drawn, times `strength`; energies and peaks of the year are
    calibrated without it, so that its load, wind and sun are more or less than those.
    """

    kind: Literal["typhoon", "heat_dome", "cold_wave", "calm", "plum_rain"]  # what happens
    # local time; of a typhoon when the eye passes 33 N. In a file also "08-05" or "08-05T12": of the scenario's year
    start: Annotated[dt.datetime, BeforeValidator(_whole_hour)]
    days: Annotated[float | None, Field(ge=0.5, le=60)] = None  # of a heat_dome, calm or plum_rain; default: as usual
    strength: Annotated[float, Field(gt=0, le=2)] = 1.0  # over the middle of those drawn

    @model_validator(mode="after")
    def _days_fit(self) -> "ProfileEvent":
        if self.days is not None and self.kind in ("typhoon", "cold_wave"):
            raise error_of(
                [(("days",), f"must not be there for a {self.kind}, which takes its time: got {self.days:g}")]
            )
        return self


class Profiles(_Section):
    """Where hourly series come from. assemble."""

    # "synthetic": profiles.load_year(net.profile_site, year, seed); else one path or a list of paths for
    # profiles.read_series; the first file that has a series wins.
    source: str | list[str] = "synthetic"
    # one series each, by name, over whatever `source` gives: {"pv/Suzhou" = "suzhou.csv"}
    files: dict[str, str] = Field(default_factory=dict)
    event: list[ProfileEvent] = Field(default_factory=list)  # as [[profiles.event]]
    # whether synthetic series of available units hold forced outages, beside planned work
    forced_outages: bool = True

    @model_validator(mode="after")
    def _events_are_synthetic(self) -> "Profiles":
        if self.event and self.paths:
            raise error_of([(("event",), f'is for source = "synthetic" only: got {self.source}')])
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths in `source`, in order; () if the series are synthetic."""
        if self.source == "synthetic":
            return ()
        return (self.source,) if isinstance(self.source, str) else tuple(self.source)


class Horizon(_Section):
    """Which hours, and how the windows roll over them."""

    # local time of the first hour; default 1 January of `year`. Use Scenario.start.  assemble
    start: Annotated[dt.datetime | None, BeforeValidator(_whole_hour)] = None
    # hours to simulate; default: to the end of the year. Use Scenario.hours.  assemble
    hours: Annotated[int | None, Field(ge=1)] = None
    window_h: Annotated[int, Field(ge=1, le=336)] = 48  # look-ahead of one window, h.  simulate
    step_h: Annotated[int, Field(ge=1)] = 24  # hours kept of each window, h.  simulate
    # length of a step of the simulation, minutes; everything else here stays in hours.  assemble, simulate
    resolution_min: Literal[60, 30, 15] = 60

    @model_validator(mode="after")
    def _step_fits(self) -> "Horizon":
        if self.step_h > self.window_h:
            text = f"must not be longer than window_h = {self.window_h}: got {self.step_h}"
            raise error_of([(("step_h",), text)])
        return self


class Product(_Section):
    """One reserve product beside "up" and "down". assemble.

    Its requirement in an hour is max(min_mw, load_share x load + renewable_share x available wind and PV), plus the
    series. Without zones it is system-wide, and its row asks for the faster products of its direction too: a MW of
    response serves one of them. With zones it asks for its own requirement, of what stands there.
    """

    name: Annotated[str, Field(min_length=1)]  # in the results; not "up" or "down"
    direction: Literal["up", "down"]  # more output, or less
    within_min: Positive  # minutes to respond
    spinning: bool = True  # false: units with quick_start count while they are off; up only
    series: str = ""  # hourly requirement in MW, from the profiles
    min_mw: NotNegative = 0.0  # least requirement
    load_share: Share = 0.0  # of the load of the hour
    renewable_share: Share = 0.0  # of the wind and PV available in the hour
    techs: list[str] = Field(default_factory=list)  # that respond; empty: all rows with reserve_up / reserve_down
    zones: list[str] = Field(default_factory=list)  # where what responds stands; empty: everywhere


class Reserve(_Section):
    """Spinning reserve of each hour: max(min, share of load + share of available wind and PV). assemble.

    These keys make the products "up" and "down": spinning, system-wide, without a time limit.
    """

    up_load_share: Share = 0.03  # of the load of the hour
    up_renewable_share: Share = 0.05  # of the wind and PV available in the hour
    up_min_mw: NotNegative = 0.0  # least requirement
    down_load_share: Share = 0.02  # as up_load_share
    down_renewable_share: Share = 0.05  # as up_renewable_share
    product: list[Product] = Field(default_factory=list)  # further ones, as [[reserve.product]]

    @model_validator(mode="after")
    def _products_fit(self) -> "Reserve":
        found: list[tuple[Key, str]] = []
        seen: dict[str, int] = {}
        for number, product in enumerate(self.product, start=1):
            at = ("product", str(number))
            if product.name in (*RESERVE_NAMES, FORECAST_NAME):
                text = f"must not be {', '.join(RESERVE_NAMES)} or {FORECAST_NAME}, which are there: got {product.name}"
                found.append(((*at, "name"), text))
            elif product.name in seen:
                text = f"must be there once: product {seen[product.name]} is called {product.name}, too"
                found.append(((*at, "name"), text))
            seen.setdefault(product.name, number)
            if not product.spinning and product.direction == "down":
                found.append(((*at, "spinning"), "must be true where direction is down: what is off cannot give less"))
        if found:
            raise error_of(found)
        return self


class Budget(_Section):
    """What some units and sources use together in every day, month or year, as a table of [[budget]]. assemble.

    Members are the units and sources that fit every list that is not empty; `names` are patterns such as "Nantong*".
    Use counts in all months, or in `months` only. A period that the horizon cuts has the share of its limits that its
    hours that count have of the whole. In a month or a year use is steered by a running price, paced as `pacing` says:
    "estimate" (as a merit order of the horizon at one price would use it), "even", "load" (as the system load), or the
    name of an hourly series.
    """

    name: Annotated[str, Field(min_length=1)]  # in the results
    techs: list[str] = Field(default_factory=list)  # of the members; as the lists below, empty: any
    fuels: list[str] = Field(default_factory=list)  # likewise
    zones: list[str] = Field(default_factory=list)  # likewise
    names: list[str] = Field(default_factory=list)  # patterns of their names
    # MWh of output, t, fuel in `fuel_unit`, or MWh that sources take from the grid
    quantity: Literal["energy", "co2", "fuel", "taken"]
    fuel_unit: Literal["MWh", "tce", "t"] = "MWh"  # of all amounts, where quantity is fuel
    fuel_per_mwh: Positive | None = None  # fuel of a MWh of output; or
    co2_t_per_fuel: Positive | None = (
        None  # t of CO2 of a unit of fuel: use follows the emissions, no-load part included
    )
    period: Literal["day", "month", "year"]  # each has the limits for itself
    months: list[Month] = Field(default_factory=list)  # in which it holds: 1 to 12; empty: all
    at_most: NotNegative | None = None  # most use of a period, MWh, t or fuel
    at_most_profile: str = ""  # instead: hourly series of what each hour adds to the limit of its period
    at_least: Positive | None = None  # least use of a period
    penalty: Positive  # price of every unit beyond at_most or missing of at_least, currency per MWh, t, ...
    pacing: Annotated[str, Field(min_length=1)] = "estimate"  # "even", "load", or a series: see above
    first_price: NotNegative | None = None  # running price to begin with; default: that of the merit order

    @model_validator(mode="after")
    def _fits(self) -> "Budget":
        found: list[tuple[Key, str]] = []
        if self.at_most is not None and self.at_most_profile:
            found.append((("at_most_profile",), f"must not be there beside at_most: got {self.at_most_profile}"))
        if not self.limited and self.at_least is None:
            found.append((("at_most",), "must be there, or at_most_profile, or at_least"))
        elif self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            found.append((("at_least",), f"must be at most at_most = {self.at_most:g}: got {self.at_least:g}"))
        factors = [key for key in ("fuel_per_mwh", "co2_t_per_fuel") if getattr(self, key) is not None]
        if self.quantity == "fuel" and len(factors) != 1:
            found.append((("fuel_per_mwh",), "must be there, or co2_t_per_fuel, but not both, where quantity is fuel"))
        if self.quantity != "fuel":
            found += [((key,), f"is for quantity fuel only: this is {self.quantity}") for key in factors]
        if self.period == "day":
            for key in ("pacing", "first_price"):
                if key in self.model_fields_set and getattr(self, key) not in (None, "estimate"):
                    found.append(((key,), "is for a month or a year: windows see whole days"))
        if len(set(self.months)) < len(self.months):
            found.append((("months",), f"must name each month once: got {self.months}"))
        if found:
            raise error_of(found)
        return self

    @property
    def limited(self) -> bool:
        """Whether there is a limit to use, and not only a least use."""
        return self.at_most is not None or bool(self.at_most_profile)


class Penalties(_Section):
    """Prices of the slacks, currency/MWh (see `gridsim.case.Penalties`). assemble."""

    shed: Positive = 20_000.0  # load that is not served
    spill: Positive = 500.0  # must-run energy thrown away
    reserve_short: Positive = 3_000.0  # reserve that is missing
    overload: Positive = 5_000.0  # flow beyond a rating or the limit of an interface


class Grid(_Section):
    """Limits of the network."""

    enforce: Literal["dc", "copper"] = "dc"  # "copper": no line or interface limit is enforced.  simulate
    n1: Literal["off", "report", "enforce"] = "off"  # the loss of any one branch.  simulate
    # "quadratic": resistance times current squared, drawn at the loads; "none": a lossless network.  simulate
    losses: Literal["none", "quadratic"] = "none"
    ac_check: bool = False  # an AC power flow of every lived hour at the end, as `gridsim acheck`.  simulate
    line_rating_factor: Positive = 1.0  # on rating_mw and emergency_rating_mw of every branch.  assemble
    # limit_mw of the interface of that name, MW; its reverse limit stays as it is.  assemble
    interface_limit_mw: dict[str, Positive] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _losses_need_flows(self) -> "Grid":
        if self.losses != "none" and self.enforce == "copper":
            raise error_of([(("losses",), f"must be none where enforce is copper: got {self.losses}")])
        return self


class ForecastError(_Section):
    """Root mean square of forecast errors: of wind and sun over their capacity, of load over the load. simulate."""

    hour: Share  # one hour ahead
    day: Share  # 24 hours ahead
    # distance at which what is not foreseen of two cities is still correlated by 1/e
    correlation_km: Positive

    @model_validator(mode="after")
    def _grows(self) -> "ForecastError":
        if self.hour > self.day:
            raise error_of([(("hour",), f"must be at most day = {self.day:g}: got {self.hour:g}")])
        return self


class RealTime(_Section):
    """The hours as they come, dispatched again within what was planned for them. simulate."""

    # "perfect": what is planned is what comes; "errors": of weather and load, drawn; "files": series of `files`
    forecast: Literal["perfect", "errors", "files"] = "perfect"
    files: dict[str, str] = Field(default_factory=dict)  # series that are believed, by name: paths as in profiles.files
    lead_h: Annotated[int, Field(ge=0, le=72)] = 12  # hours before its first that a window's forecast is made
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None  # of the errors; default: that of the scenario
    wind: ForecastError = Field(default_factory=lambda: ForecastError(hour=0.04, day=0.12, correlation_km=200.0))
    pv: ForecastError = Field(default_factory=lambda: ForecastError(hour=0.03, day=0.08, correlation_km=300.0))
    load: ForecastError = Field(default_factory=lambda: ForecastError(hour=0.006, day=0.025, correlation_km=500.0))
    # with errors, a further reserve up of every window: what net load exceeds the forecast by in all but so many
    # hours, from units on and from those with quick_start; 0.5: none
    reserve_quantile: Annotated[float, Field(ge=0.5, lt=1)] = 0.99
    reserve_kept: Share = 0.5  # of the reserve of [reserve], what is still held in the hour itself
    # share of the value of stored energy by which a price has to differ before a store leaves its plan
    store_band: Annotated[float, Field(ge=0, le=10)] = 0.5
    quick_start: bool = True  # units with quick_start are called where load or reserve would be short

    @model_validator(mode="after")
    def _files_fit(self) -> "RealTime":
        if self.files and self.forecast != "files":
            raise error_of([(("files",), f'is for forecast = "files" only: got {self.forecast}')])
        if not self.files and self.forecast == "files":
            raise error_of([(("files",), 'must name at least one series where forecast is "files"')])
        return self


class Outages(_Section):
    """Outages that nobody planned. simulate."""

    forced: bool = False  # drawn from the failure rates of the network: units, stores, lines, DC poles
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None  # of the draw; default: that of the scenario


class ListedOutage(_Section):
    """An outage at a date, as a table of [[outage]], of what fits every list that is not empty. simulate.

    Units, stores and branches lose the share of their units or circuits, rounded up; sources and DC links that of their
    power. Windows that are planned before it begins do not know of it, unless it is announced.
    """

    kind: Annotated[str, Field(min_length=1)] = "listed"  # what the log calls it: "DC block", "gas shortage"
    start: Annotated[dt.datetime, BeforeValidator(_whole_hour)]  # local time; in a file also "01-15T18"
    hours: Annotated[int, Field(ge=1, le=8784)]  # how long it lasts
    names: list[str] = Field(default_factory=list)  # patterns of names: "Jinsuo*"
    techs: list[str] = Field(default_factory=list)  # technologies of units, sources and stores
    zones: list[str] = Field(default_factory=list)  # zones of units, sources and stores
    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # that is lost
    announced: bool = False  # known to every window that sees it

    @model_validator(mode="after")
    def _names_something(self) -> "ListedOutage":
        if not (self.names or self.techs or self.zones):
            raise error_of([(("names",), "must be there, or techs, or zones")])
        return self


class Compensation(_Section):
    """What coal is paid for a MWh that it does not give, by the load rate at which it would have. simulate.

    Assumed: see networks/jiangsu/compensation.csv.
    """

    coal_50_40: NotNegative = 150.0  # between 50 and 40 % of the units on
    coal_40_35: NotNegative = 300.0  # between 40 and 35 %
    coal_35_30: NotNegative = 450.0  # between 35 and 30 %
    coal_below_30: NotNegative = 600.0  # below 30 %


class Ledger(_Section):
    """Prices of payments between parties, which are in no cost. simulate."""

    compensation_cny_per_mwh: Compensation = Field(default_factory=Compensation)
    # flat price that the time-of-use tariff is relative to; example of Nanjing in the notice of 2025
    flat_price_cny_per_mwh: NotNegative = 739.0


class Output(_Section):
    """What the results file keeps. simulate.

    Whatever it keeps, /summary is that of the whole run.
    """

    # "full": everything; "standard": without series that the scenario gives or that follow from others, which only an
    # audit needs; "summary": without all that runs along the hours
    keep: Literal["full", "standard", "summary"] = "full"


class Solver(_Section):
    """How windows are solved. simulate."""

    # "highs": the linear programs by HiGHS, the same rounding; "highs-milp": the commitment by branch and bound too
    engine: Literal["kernel", "highs", "highs-milp"] = "kernel"
    effort: Literal["fast", "standard", "best"] = "standard"  # time spent on a better commitment
    target_gap: Annotated[float, Field(ge=0, le=0.1)] = 2e-3  # relative; a window at or below it is good enough
    tolerance: Annotated[float, Field(ge=1e-12, le=1e-3)] = 1e-8  # relative, on primal, dual and gap residuals
    max_rounds: Annotated[int, Field(ge=1, le=200)] = 20  # rounds of adding violated line rows to one window
    # equal segments that a quadratic cost (poly_cost) is run as; see `gridsim.costs`.  assemble
    quadratic_segments: Annotated[int, Field(ge=1, le=1000)] = 3


class Window(NamedTuple):
    """One window of the rolling horizon: it sees `hours` hours from `first_hour` and keeps the first `kept`."""

    first_hour: int
    hours: int
    kept: int


class Scenario(_Section):
    """One run, validated. Made by `gridsim.scenario.load`, or directly from sections."""

    name: Annotated[str, Field(min_length=1)]
    title: str = ""  # for pages and pictures
    year: Annotated[int, Field(ge=1980, le=2100)] = 2024  # calendar and weather year
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 2024  # of the synthetic profiles
    network: Network = Field(default_factory=Network)
    jiangsu: Options = Field(default_factory=Options)  # choices about the built-in grid
    profiles: Profiles = Field(default_factory=Profiles)
    horizon: Horizon = Field(default_factory=Horizon)
    reserve: Reserve = Field(default_factory=Reserve)
    penalties: Penalties = Field(default_factory=Penalties)
    grid: Grid = Field(default_factory=Grid)
    # factor on the load ("load") or on the installed capacity of a tech ("wind_offshore"); 1 where not named.
    # For stores the energy capacity is scaled too, for farms what their own cables take. Keys must be techs of the
    # network: see `check_names`.  assemble
    scale: dict[str, NotNegative] = Field(default_factory=dict)
    budget: list[Budget] = Field(default_factory=list)  # as [[budget]]
    realtime: RealTime = Field(default_factory=RealTime)
    outages: Outages = Field(default_factory=Outages)
    outage: list[ListedOutage] = Field(default_factory=list)  # as [[outage]]
    ledger: Ledger = Field(default_factory=Ledger)
    output: Output = Field(default_factory=Output)
    solver: Solver = Field(default_factory=Solver)

    _folder: Path = PrivateAttr(default_factory=Path)
    _source: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _inside_the_year(self) -> "Scenario":
        start, end = self.start, np.datetime64(f"{self.year + 1}-01-01T00", "h")
        rest = int((end - start) // np.timedelta64(1, "h"))
        if not 0 < rest <= self.year_hours:
            raise error_of([(("horizon", "start"), f"must lie in {self.year}: got {start}")])
        if self.horizon.hours is not None and self.horizon.hours > rest:
            text = f"must be at most {rest}, from {start} to the end of {self.year}: got {self.horizon.hours}"
            raise error_of([(("horizon", "hours"), text)])
        return self

    @model_validator(mode="after")
    def _events_are_in_the_year(self) -> "Scenario":
        found: list[tuple[Key, str]] = [
            (("profiles", "event", str(number), "start"), f"must be in {self.year}: got {event.start}")
            for number, event in enumerate(self.profiles.event, start=1)
            if event.start.year != self.year
        ]
        if found:
            raise error_of(found)
        return self

    @model_validator(mode="after")
    def _outages_are_in_the_year(self) -> "Scenario":
        found: list[tuple[Key, str]] = [
            (("outage", str(number), "start"), f"must be in {self.year}: got {outage.start}")
            for number, outage in enumerate(self.outage, start=1)
            if outage.start.year != self.year
        ]
        if found:
            raise error_of(found)
        return self

    @model_validator(mode="after")
    def _options_have_their_grid(self) -> "Scenario":
        if self.network.source not in NETWORK_NAMES:
            text = f'is for network.source = "jiangsu" only: got {self.network.source}'
            changed = [key for key, value in self.jiangsu if value != getattr(Options(), key)]
            if changed:
                raise error_of([(("jiangsu", key), text) for key in changed])
        return self

    @model_validator(mode="after")
    def _ac_check_has_its_hours(self) -> "Scenario":
        if self.grid.ac_check and self.output.keep != "full":
            text = f'must be "full" where grid.ac_check is on, which reads all hours: got "{self.output.keep}"'
            raise error_of([(("output", "keep"), text)])
        return self

    @model_validator(mode="after")
    def _budgets_differ(self) -> "Scenario":
        seen: dict[str, int] = {}
        found: list[tuple[Key, str]] = []
        yearly = self.jiangsu.hydrogen_pattern == "year"
        if (self.budget or yearly) and self.horizon.resolution_min != 60:
            why = (
                "[[budget]], which counts hours" if self.budget else "hydrogen of the year, which is a budget of hours"
            )
            text = f"must be 60 where there is a {why}: got {self.horizon.resolution_min}"
            found.append((("horizon", "resolution_min"), text))
        for number, budget in enumerate(self.budget, start=1):
            if yearly and budget.name == HYDROGEN_BUDGET:
                text = f"must be another: the hydrogen of jiangsu.hydrogen_pattern is called {budget.name}"
                found.append((("budget", str(number), "name"), text))
            if budget.name in seen:
                text = f"must be there once: budget {seen[budget.name]} is called {budget.name}, too"
                found.append((("budget", str(number), "name"), text))
            seen.setdefault(budget.name, number)
        if found:
            raise error_of(found)
        return self

    @property
    def year_hours(self) -> int:
        """Hours of the calendar year: 8760 or 8784."""
        first, after = (np.datetime64(f"{y}-01-01T00", "h") for y in (self.year, self.year + 1))
        return int((after - first) // np.timedelta64(1, "h"))

    @property
    def start(self) -> np.datetime64:
        """First hour, local time, as datetime64[h]."""
        return np.datetime64(self.horizon.start or f"{self.year}-01-01T00", "h")

    @property
    def hours(self) -> int:
        """Hours to simulate."""
        if self.horizon.hours is not None:
            return self.horizon.hours
        end = np.datetime64(f"{self.year + 1}-01-01T00", "h")
        return int((end - self.start) // np.timedelta64(1, "h"))

    @property
    def steps_per_hour(self) -> int:
        """Steps of the simulation in an hour: 1, 2 or 4."""
        return 60 // self.horizon.resolution_min

    def windows(self) -> list[Window]:
        """The rolling windows, in order. The last ones are shorter where the horizon ends."""
        h, n = self.horizon, self.hours
        firsts = range(0, n, h.step_h)
        return [Window(t, min(h.window_h, n - t), min(h.step_h, n - t)) for t in firsts]

    @property
    def source(self) -> str:
        """Where the scenario came from, for messages: a path or a built-in name."""
        return self._source or self.name

    def resolve(self, path: str) -> Path:
        """A path written in this scenario as one that can be opened; ``{year}`` in it is the scenario's year."""
        return self._folder / path.replace("{year}", str(self.year))

    def input_files(self) -> dict[str, Path]:
        """Every file that the scenario names: key -> path."""
        out = {}
        if self.network.source not in NETWORK_NAMES:
            out["network.source"] = self.resolve(self.network.source)
        if self.jiangsu.tariff_file is not None:
            out["jiangsu.tariff_file"] = self.resolve(self.jiangsu.tariff_file)
        for path in self.profiles.paths:
            out[f"profiles.source {path}"] = self.resolve(path)
        for series, path in self.profiles.files.items():
            out[f"profiles.files {series}"] = self.resolve(path)
        for series, path in self.realtime.files.items():
            out[f"realtime.files {series}"] = self.resolve(path)
        return out

    def input_digests(self) -> dict[str, str]:
        """SHA-256 of every file of `input_files`, by the same keys."""
        return {key: hashlib.sha256(path.read_bytes()).hexdigest() for key, path in self.input_files().items()}

    @property
    def relives(self) -> bool:
        """Whether hours may come otherwise than planned, and are dispatched again."""
        return self.realtime.forecast != "perfect" or self.outages.forced or bool(self.outage)

    @property
    def reserve_for_errors(self) -> Literal["", "spinning", "standing"]:
        """What windows keep for errors of their forecasts: what spins, or also what can be called in the hour."""
        if self.realtime.forecast != "errors" or self.realtime.reserve_quantile == 0.5:
            return ""
        return "standing" if self.realtime.quick_start else "spinning"

    def believed(self) -> "Scenario":
        """The scenario of what is believed: with the series of `realtime.files` over the others."""
        profiles = self.profiles.model_copy(update={"files": self.profiles.files | self.realtime.files})
        other = self.model_copy(update={"profiles": profiles, "realtime": RealTime()})
        other._folder, other._source = self._folder, self._source
        return other

    def factor(self, tech: str) -> float:
        """[scale] of a tech (or "load"); 1 if it is not named."""
        return self.scale.get(tech, 1.0)

    @cached_property
    def text(self) -> str:
        """The scenario as TOML with every default written out and every base merged: same run, same text."""
        tree = self.model_dump()
        tree["horizon"]["start"] = self.start.astype("datetime64[s]").item()
        tree["horizon"]["hours"] = self.hours
        tree["profiles"]["event"] = [event.model_dump(exclude_none=True) for event in self.profiles.event]
        tree["jiangsu"] = self.jiangsu.model_dump(exclude_none=True)
        tree["realtime"] = self.realtime.model_dump(exclude_none=True)
        tree["outages"] = self.outages.model_dump(exclude_none=True)
        tree["budget"] = [{k: v for k, v in budget.items() if v is not None} for budget in tree["budget"]]
        return dump(tree)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `text`, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def error_of(problems: list[tuple[Key, str]]) -> PydanticCustomError:
    """An error that carries our own words: `gridsim.toml_problems` unpacks it."""
    return PydanticCustomError("gridsim", "see ctx", {"found": problems})


def suggestion(given: str, allowed: Iterable[str]) -> str:
    """``(did you mean x?)``, or the list of what is allowed."""
    allowed = list(allowed)
    close = get_close_matches(given, allowed, n=1, cutoff=0.6) or get_close_matches(
        given.lower(), [a for a in allowed if a.lower() == given.lower() or given.lower() in a.lower()], n=1, cutoff=0.0
    )
    return f"(did you mean {close[0]}?)" if close else f"(allowed: {', '.join(allowed) or 'none'})"


def check_names(where: str, given: Iterable[str], allowed: Iterable[str], what: str) -> list[Problem]:
    """A Problem for every name that is not allowed, with the closest one that is.

    For keys that only the network can judge: ``check_names("scenario: scale", scenario.scale, {"load", *techs},
    "a tech of the network")``, likewise ``grid.interface_limit_mw`` and ``profiles.files``.
    """
    allowed = list(allowed)
    return [
        Problem(f"{where}.{name}", f"is not {what} {suggestion(name, allowed)}")
        for name in given
        if name not in allowed
    ]


def load(spec: str | Path, overrides: Iterable[str] = (), overlays: Iterable[str | Path] = ()) -> Scenario:
    """Read a scenario: a built-in name, a path to a .toml, or a folder with scenario.toml.

    Parameters
    ----------
    spec : str or Path
    overrides : iterable of "key.sub=value"
        Laid over the file, in order; the value in TOML syntax (a plain word may stay unquoted).
    overlays : iterable of str or Path
        Names of built-in overlays or paths of TOML files, laid on the file in order before the overrides.

    Raises
    ------
    InputError
        With every problem found: file, line, key, value, what is allowed.
    """
    from gridsim.scenario_file import load as load_file

    return load_file(spec, overrides, overlays)


def builtin_names() -> list[str]:
    """Names of the scenarios inside the package, sorted."""
    from gridsim.scenario_file import builtin_names as names

    return names()
