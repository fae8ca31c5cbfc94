"""What a scenario may choose about the built-in grid: its section ``[jiangsu]``, strict.

Every key changes rows or columns of the net that `gridsim.networks.jiangsu` builds, and so its place in the cache.
The comments give the unit and what an empty value means; ``docs/network.md`` explains the model behind each.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fleet = Literal[2024, 2025, 2030, 2060]
City = Literal[
    "Nanjing",
    "Wuxi",
    "Xuzhou",
    "Changzhou",
    "Suzhou",
    "Nantong",
    "Lianyungang",
    "Huai'an",
    "Yancheng",
    "Yangzhou",
    "Zhenjiang",
    "Taizhou",
    "Suqian",
]
PvFleet = Literal["year_average", "year_end"]


class LocalGrid(BaseModel):
    """A cluster with a load, sources and a battery of its own behind one connection, as [[jiangsu.local_grid]]."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1)]  # of its bus, zone and section
    city: City  # that it is part of
    exchange_limit_mw: Positive  # with the grid, either way; also the rating of each of its two circuits
    load_mw: Positive  # its peak; out of the load of its city
    pv_mw: NotNegative = 0.0  # rated
    wind_mw: NotNegative = 0.0  # onshore
    battery_mw: NotNegative = 0.0  # both ways
    battery_mwh: NotNegative = 0.0  # what it holds
    tariff: str | None = None  # that its load answers to and it pays for what it takes; None: that of its city
    feed_in_cny_per_mwh: NotNegative = 391.0  # for what it feeds in; coal power's base price 燃煤基准价

    @model_validator(mode="after")
    def _battery_is_whole(self) -> "LocalGrid":
        if (self.battery_mw > 0) != (self.battery_mwh > 0):
            text = (
                f"must be greater than 0 if and only if battery_mw is: got {self.battery_mwh:g} and {self.battery_mw:g}"
            )
            raise PydanticCustomError("gridsim", "see ctx", {"found": [(("battery_mwh",), text)]})
        return self


class HydrogenPipeline(BaseModel):
    """Hydrogen carried from the tank of one city to the demand of another, as [[jiangsu.hydrogen_pipeline]]."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    from_city: City  # whose tank gives
    to_city: City  # its demand is served from afar first, up to the limit
    limit_mw: Positive  # of hydrogen, lower heating value


class Options(BaseModel):
    """The choices, each with the value of the grid of 2024 as default.

    Where there is none, that of the fleet in the tables is taken, ``flexibility.csv`` or ``parameters.csv``.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    fleet: Fleet = 2024  # plants, grid, imports and load of the end of that year; the calendar is the scenario's `year`
    pv_fleet: PvFleet = "year_average"  # PV of 2024 grew by half: its mean over the year, or the end of the year
    # share of the MW of condensing coal units whose minimum output is the one
    # after flexibility retrofit (灵活性改造); the largest and youngest units first
    coal_retrofit_share: Share = 1.0
    chp_retrofit_share: Share = 0.0  # likewise, of coal units that run for heat
    coal_price_cny_per_tce: Positive | None = None  # None: of parameters.csv
    gas_price_cny_per_m3: Positive | None = None  # likewise
    co2_price_cny_per_t: NotNegative = 0.0  # on the emissions of coal and gas units, part of their cost
    nuclear_steam_mw: NotNegative | None = None  # electricity that steam costs Tianwan 3-4; None: of parameters.csv
    gas_for_power_mm3_per_day: Positive | None = None  # on a mild day: series gas_left/Nanjing; None: likewise
    nuclear_load_following: bool = False  # reactors may go down to half of their rating
    hydro_import_factor: Annotated[float, Field(gt=0, le=1.5)] = (
        1.0  # on the energy of hydro lines; below 1: a dry year
    )
    pumped_hydro_by_unit: bool = False  # pumps run whole, at their rating, and turbines at half of theirs or more
    storm_derating: Share = 0.0  # of the export of farms at sea, in a typhoon of force 10; from force 8 on
    storm_line_derating: Share = 0.0  # of the ratings of lines where a typhoon is of force 10; from force 8 on
    # air that ratings of lines are made for; in hotter air they carry less. None: what they carry in any
    line_rating_air_c: Annotated[float, Field(ge=0, le=60)] | None = None
    river_crossing_mw: NotNegative = 0.0  # one more DC link across the Yangtze, and as much more in its section
    dc_reverse_share: Share = 0.0  # of their rating, that embedded DC links may carry back

    # ---- demand. None: the figure of the fleet's year in flexibility.csv
    load_components: bool = True  # vehicles, buildings, ships and data centres as loads of their own
    ev_twh: NotNegative | None = None  # energy of the year, out of the load of the province
    building_twh: NotNegative | None = None  # likewise
    shore_power_twh: NotNegative | None = None  # likewise
    data_centre_twh: NotNegative | None = None  # likewise
    ev_smart_share: Share | None = None  # of the vehicles: charging is dispatched
    ev_v2g_share: Share | None = None  # of the smart ones: they can also give back
    dr_interruptible_share: Share | None = None  # of a city's peak: load that may be cut when called
    dr_call_h: Annotated[float, Field(gt=0, le=24)] | None = None  # hours of a call
    dr_calls: NotNegative | None = None  # a year
    dr_notice_h: NotNegative = 0.0  # a call is decided so long ahead; 24: the day before
    dr_compensation_cny_per_mwh: NotNegative | None = None  # what a MWh cut is paid
    dr_shiftable_share: Share | None = None  # of a city's peak: industrial load that may be moved
    dr_shift_h: Annotated[float, Field(gt=0, le=12)] | None = None  # full power that may be owed or done ahead
    dr_shift_rebound: Share | None = None  # extra energy of what is moved
    ac_flexible_share: Share | None = None  # of a city's cooling: rooms as thermal stores
    tariff: str | None = None  # of industry, by its name in tariffs.csv; None: of the scenario's `year`
    city_tariff: dict[City, str] = Field(default_factory=dict)  # other names of tariffs.csv for single cities
    tariff_file: str | None = None  # own one instead: a CSV file with the columns months, hours, price
    # share of industrial load that leaves an hour per unit of relative price; None: 0.035
    tariff_elasticity: Share | None = None

    # ---- heat and hydrogen
    heat_profiles: bool = True  # heat-led units by the hour's heat; false: one minimum for the year
    heat_boiler_share: Share | None = None  # of their heat: from electric boilers with a store
    heat_store_h: Positive | None = None  # mean heat that the store holds
    hydrogen_electrolyser_mw: NotNegative | None = None  # province, by city_shares.csv
    hydrogen_twh: NotNegative | None = None  # demand for hydrogen, lower heating value
    # flat; works by day; more in winter; or any time of the year, without tanks and fuel cells
    hydrogen_pattern: Literal["hour", "day", "season", "year"] = "hour"
    hydrogen_tank_h: Positive | None = None  # of full electrolysis
    hydrogen_fuel_cell_mw: NotNegative | None = None  # that turn it back into electricity

    # ---- DC imports
    dc_flexible_share: Share = 0.0  # of the room beside their schedule: used within the day, contract energy kept

    hydrogen_pipeline: list[HydrogenPipeline] = Field(default_factory=list)  # as [[jiangsu.hydrogen_pipeline]]
    local_grid: list[LocalGrid] = Field(default_factory=list)  # as [[jiangsu.local_grid]]

    @model_validator(mode="after")
    def _choices_fit(self) -> "Options":
        seen: dict[str, int] = {}
        found: list[tuple[tuple[str, ...], str]] = []
        if self.tariff is not None and self.tariff_file is not None:
            found.append((("tariff_file",), f"must not be there beside tariff = {self.tariff}: got {self.tariff_file}"))
        if self.hydrogen_pipeline and self.hydrogen_pattern == "year":
            found.append((("hydrogen_pipeline",), "must not be there with hydrogen_pattern = year: it has no tanks"))
        gives, ends = {line.from_city for line in self.hydrogen_pipeline}, set[str]()
        for number, line in enumerate(self.hydrogen_pipeline, start=1):
            at = ("hydrogen_pipeline", str(number), "to_city")
            if line.to_city in gives:
                found.append((at, f"must be no city that a pipeline begins in: got {line.to_city}"))
            if line.to_city in ends:
                found.append((at, f"must be the end of one pipeline only: {line.to_city} is that of two"))
            ends.add(line.to_city)
        for number, grid in enumerate(self.local_grid, start=1):
            if grid.name in seen:
                text = f"must be there once: local grid {seen[grid.name]} is called {grid.name}, too"
                found.append((("local_grid", str(number), "name"), text))
            seen.setdefault(grid.name, number)
        if found:
            raise PydanticCustomError("gridsim", "see ctx", {"found": found})
        return self
