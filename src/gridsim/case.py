"""One run's grid and year as flat arrays: what `assemble` makes and `simulate` walks through.

Everything here is in MW, MWh, h, currency/MWh, t CO2. Rows of the index tables (pandas frames) are the
positions used by the arrays; ``*_row`` columns point into other tables by position. Time runs along the first
axis of every series; an hour's stamp is the start of its interval, on a fixed UTC offset.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.kernels.jit import FloatArray

# Columns every index table has, in this order; further columns may follow (see the field's comment).
UNIT_COLUMNS = (
    "name",  # str, unique
    "element",  # pandapower table ("gen", "sgen", "ext_grid")
    "element_index",  # int, its index there
    "bus_row",
    "zone",
    "tech",  # coal, gas, nuclear, biomass, hydro, ...
    "fuel",
    "units",  # identical units in the row, int >= 1
    "p_min_mw",  # of ONE unit
    "p_max_mw",  # of ONE unit
    "min_up_h",  # int
    "min_down_h",  # int
    "start_cost",  # of one unit's start, currency
    "no_load_cost",  # of one unit on for one hour, currency/h
    "co2_t_per_mwh",
    "co2_no_load_t_per_h",  # of one unit on, t/h (part of the part-load fuel curve); 0 if unknown
    "must_run",  # bool: every available unit is on
    "reserve_up",  # bool: headroom counts as spinning reserve up
    "reserve_down",  # bool: output above the minimum counts as spinning reserve down
    "initial_on",  # units on before the first hour
)  # further: ramp_mw_per_h (of ONE unit, inf: none; kept for later use, not enforced)
SOURCE_COLUMNS = (
    "name",
    "element",
    "element_index",
    "bus_row",
    "zone",
    "tech",  # wind_offshore, wind_onshore, pv, import, exchange, biomass, ...
    "p_nom_mw",
    "cost",  # currency/MWh
    "ramp_mw_per_h",  # inf: none
    "curtailable",  # bool: output below what is available counts as curtailment
    "reserve_up",
    "reserve_down",
    "co2_t_per_mwh",
)
STORE_COLUMNS = (
    "name",
    "element",
    "element_index",
    "bus_row",
    "zone",
    "tech",  # pumped_hydro, battery, caes, ...
    "p_charge_max_mw",
    "p_discharge_max_mw",
    "e_min_mwh",
    "e_max_mwh",
    "e_start_mwh",
    "eta_charge",
    "eta_discharge",
    "loss_per_h",  # share of the stored energy lost in one hour
    "charge_cost",  # currency/MWh at the terminals
    "discharge_cost",
    "end_rule",  # fixed: end of each window >= e_end_mwh | value: what is left is worth end_value | free
    "e_end_mwh",
    "end_value",  # currency/MWh stored
)  # further: units (identical units in the row)
LOAD_COLUMNS = ("name", "element", "element_index", "bus_row", "zone")
# bus_id -1: a bus that is not in the net (star point of a three-winding transformer, reference of a further island).
# Further: island (int, from 0), reference (bool, one per island; its column of the PTDF is 0).
BUS_COLUMNS = ("name", "bus_id", "zone", "vn_kv", "lat_deg", "lon_deg")
BRANCH_COLUMNS = (
    "name",
    "element",  # line, trafo, trafo3w, impedance, switch, island_balance (rating 0, see `gridsim.topology`)
    "element_index",
    "from_row",
    "to_row",
    "x_pu",  # series reactance on s_base_mva = 100, a transformer's times its tap ratio
    "r_pu",  # series resistance, likewise
    "shift_deg",  # phase shift, 0 for lines
    "rating_mw",  # inf: not limited
    "emergency_rating_mw",
    "circuits",
)  # further: overload_cost (currency/MWh over the rating: penalties.overload, more for island_balance)
LINK_COLUMNS = ("name", "element", "element_index", "from_row", "to_row", "p_min_mw", "p_max_mw")  # embedded DC
INTERFACE_COLUMNS = ("name", "limit_mw", "reverse_limit_mw")  # further: overload_cost


@dataclass(frozen=True)
class Penalties:
    """Prices of what must never make a window infeasible. currency/MWh."""

    shed: float = 20_000.0
    spill: float = 500.0
    reserve_short: float = 3_000.0
    overload: float = 5_000.0


@dataclass(frozen=True)
class ElementNote:
    """What became of one element of the net: 'used', 'merged' or 'ignored', and why."""

    element: str
    index: int
    name: str
    fate: str
    why: str


@dataclass(frozen=True)
class Case:
    """A validated grid and year. n hours; nu units (rows), ns sources, nst stores, nl loads, nb buses, nbr branches."""

    name: str
    currency: str
    start: np.datetime64  # first hour, local time of `utc_offset_h`
    utc_offset_h: float
    hours: int

    buses: pd.DataFrame
    loads: pd.DataFrame
    units: pd.DataFrame
    sources: pd.DataFrame
    stores: pd.DataFrame
    branches: pd.DataFrame
    links: pd.DataFrame
    interfaces: pd.DataFrame

    load_mw: FloatArray  # (n, nl)
    unit_available: NDArray[np.int64]  # (n, nu) units of each row that are not on planned outage
    unit_seg_mw: FloatArray  # (nu, K) width of each cost segment above p_min_mw, of ONE unit; 0 pads
    unit_seg_cost: FloatArray  # (nu, K) currency/MWh, not falling along a row
    unit_min_cost: FloatArray  # (nu,) currency/MWh of the output up to p_min_mw
    source_min_mw: FloatArray  # (n, ns)
    source_max_mw: FloatArray  # (n, ns); what is available
    interface_weight: FloatArray  # (nif, nbr + nlink) weights of branch and link flows
    reserve_up_mw: FloatArray  # (n,)
    reserve_down_mw: FloatArray  # (n,)

    penalties: Penalties = field(default_factory=Penalties)
    notes: tuple[ElementNote, ...] = ()
    net_json: str = ""  # pandapower JSON of the net, for the results file
    events: tuple[dict[str, Any], ...] = ()  # weather events inside the horizon: kind, name, start, hours, zone, detail

    @property
    def time(self) -> pd.DatetimeIndex:
        return pd.date_range(self.start, periods=self.hours, freq="h", name="time")
