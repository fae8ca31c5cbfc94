"""What a scenario may choose about the built-in grid: its section ``[jiangsu]``, strict.

Every key changes rows or columns of the net that `gridsim.networks.jiangsu` builds, and so its place in the cache.
The comments give the unit and what an empty value means; ``docs/network.md`` explains the model behind each.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fleet = Literal[2024, 2025, 2030, 2060]
PvFleet = Literal["year_average", "year_end"]


class Options(BaseModel):
    """The choices, each with the value of the grid of 2024 as default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    fleet: Fleet = 2024  # plants, grid, imports and load of the end of that year; the calendar is the scenario's `year`
    pv_fleet: PvFleet = "year_average"  # PV of 2024 grew by half: its mean over the year, or the end of the year
    # share of the MW of condensing coal units, and of coal units that run for heat, whose minimum output is the one
    # after flexibility retrofit (灵活性改造); the largest and youngest units first
    coal_retrofit_share: Share = 1.0
    chp_retrofit_share: Share = 0.0
    coal_price_cny_per_tce: Positive | None = None  # None: of parameters.csv
    gas_price_cny_per_m3: Positive | None = None  # likewise
    co2_price_cny_per_t: NotNegative = 0.0  # on the emissions of coal and gas units, part of their cost
    nuclear_load_following: bool = False  # reactors may go down to half of their rating
    hydro_import_factor: Annotated[float, Field(gt=0, le=1.5)] = (
        1.0  # on the energy of hydro lines; below 1: a dry year
    )
    river_crossing_mw: NotNegative = 0.0  # one more DC link across the Yangtze, and as much more in its section
