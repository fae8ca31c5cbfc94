"""One run's grid and year as flat arrays: what `assemble` makes and `simulate` walks through.

Everything here is in MW, MWh, h, currency/MWh, t CO2. Rows of the index tables (pandas frames) are the
positions used by the arrays; ``*_row`` columns point into other tables by position. Time runs along the first
axis of every series, step by step: an hour, or a half or a quarter of one. A step's stamp is the start of its interval,
on a fixed UTC offset. Tables stay in hours whatever the step.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.kernels.jit import FloatArray
from gridsim.outlook import Outlook

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
    "start_cost",  # of one unit's start, currency; the cheapest category, see Case.unit_start_cost
    "no_load_cost",  # of one unit on for one hour, currency/h
    "co2_t_per_mwh",
    "co2_no_load_t_per_h",  # of one unit on, t/h (part of the part-load fuel curve); 0 if unknown
    "must_run",  # bool: every available unit is on
    "reserve_up",  # bool: headroom counts as spinning reserve up
    "reserve_down",  # bool: output above the minimum counts as spinning reserve down
    "initial_on",  # units on before the first hour
    "initial_hours",  # int, hours they have been on and the others off; LONG_H where not known
    "initial_p_mw",  # of the ROW before the first hour; NaN: not known
    "ramp_up_mw_per_h",  # of ONE unit, as the three below; inf: none
    "ramp_down_mw_per_h",
    "start_ramp_mw",  # most output in the first hour on, at least p_min_mw
    "stop_ramp_mw",  # most output in the last hour on
    "quick_start",  # bool: while off it counts for reserve products that need not spin
)
SOURCE_COLUMNS = (
    "name",
    "element",
    "element_index",
    "bus_row",
    "zone",
    "tech",  # wind_offshore, wind_onshore, pv, import, exchange, biomass, ...
    "p_nom_mw",
    "cost",  # currency/MWh
    "ramp_mw_per_h",  # both ways: the smaller of the two below; inf: none
    "ramp_up_mw_per_h",
    "ramp_down_mw_per_h",
    "curtailable",  # bool: output below what is available counts as curtailment
    "reserve_up",
    "reserve_down",
    "co2_t_per_mwh",
    "origin_co2_t_per_mwh",  # emitted where an import comes from, in no account of the grid's own
    "clean_share",  # of its energy that is not from fossil fuel, 0..1
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
    "p_charge_min_mw",  # of ONE unit while it charges; 0: none
    "p_discharge_min_mw",  # of ONE unit while it discharges
    "units",  # identical units in the row
    "start_cost",  # of one unit's start, charging or discharging, currency
    "e_min_mwh",
    "e_max_mwh",
    "e_start_mwh",
    "eta_charge",
    "eta_discharge",
    "loss_per_h",  # share of the stored energy lost in one hour
    "charge_cost",  # currency/MWh at the terminals
    "discharge_cost",
    # fixed: end of each window >= e_end_mwh | value: what is left is worth end_value | free
    # cyclic: as fixed, with e_end_mwh the start, and at the end of the horizon no more than that
    "end_rule",
    "e_end_mwh",
    "end_value",  # currency/MWh stored
    "beside_source",  # source whose ramp limit holds for both together, -1: none
)
LOAD_COLUMNS = ("name", "element", "element_index", "bus_row", "zone", "component")  # component: base, ev, ..., or ""
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
    "rating_profile",  # series of what is left of both ratings, see `Case.rating_share`; "": all, always
)  # further: overload_cost (currency/MWh over the rating: penalties.overload, more for island_balance)
# Embedded DC. What flows is what is taken at from_row; loss_share of it does not arrive. A dcline that loses something
# is a row for each way that is open (p_min_mw >= 0), one behind the other; without losses one row is both ways.
LINK_COLUMNS = (
    "name",
    "element",
    "element_index",
    "from_row",
    "to_row",
    "p_min_mw",
    "p_max_mw",
    "loss_share",
    "way",  # 1: from_row is the dcline's from_bus; -1: the row is its way back
)
INTERFACE_COLUMNS = ("name", "limit_mw", "reverse_limit_mw")  # further: overload_cost

# Reserve products; "up" and "down" of the scenario's [reserve] are always the first two.
PRODUCT_COLUMNS = (
    "name",
    "direction",  # up | down
    "within_min",  # minutes to respond; inf: no limit
    "spinning",  # bool: only what is on counts
)
BUDGET_COLUMNS = (
    "name",
    "quantity",  # energy | co2 | fuel | taken
    "unit",  # MWh | t | tce: of all amounts of the budget
    "period",  # day | month | year
    "months",  # numbers of those in which it holds, "1 2 12"; "": all
    "at_most",  # of a whole period; inf: no limit, or that of the profile
    "at_most_profile",  # series of what each hour adds to the limit; "": none
    "at_least",  # 0: none
    "penalty",  # currency per unit beyond at_most, or missing of at_least
)
SHIFTER_COLUMNS = (
    "name",  # of the branch
    "branch_row",
    "min_deg",  # of the control, which adds to the branch's shift_deg; at most 0
    "max_deg",  # at least 0
)
LONG_H = 10_000  # hours in a state that nobody has counted


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


class StoreLimits(NamedTuple):
    """Of every store and step, (n, nst); made by `gridsim.store_limits`."""

    charge_max_mw: FloatArray
    discharge_max_mw: FloatArray
    demand_mw: FloatArray  # taken out of the store
    e_floor_mwh: FloatArray  # least energy at the end of the step


class BudgetTerms(NamedTuple):
    """What budgets count and allow; nb budgets. Amounts in the unit of each."""

    unit_on: FloatArray  # (nb, nu) use of ONE unit on for an hour at p_min_mw
    unit_rate: FloatArray  # (nb, nu) of a MWh above it
    source_rate: FloatArray  # (nb, ns) of a MWh
    period: NDArray[np.int64]  # (n, nb) number of the period that the hour belongs to, from 0
    counts: FloatArray  # (n, nb) 1: use in the hour counts; 0: it is in a month in which the budget does not hold
    at_most: FloatArray  # (n, nb) limit of that period, of the part of it that is simulated; inf: none
    at_least: FloatArray  # (n, nb)
    allowed: FloatArray  # (n, nb) what a profile adds to at_most in the hour; 0 where there is none
    pace: FloatArray  # (n, nb) share of the period's use that falls into the hour as planned; adds up to 1
    outlook: tuple[Outlook, ...]  # of each budget


def no_budgets() -> BudgetTerms:
    none, whole = np.zeros((0, 0)), np.zeros((0, 0), dtype=np.int64)
    return BudgetTerms(none, none, none, whole, none, none, none, none, none, ())


class Rates(NamedTuple):
    """How often rows of one table are on forced outage; made by `gridsim.forced`. One entry per row."""

    key: tuple[str, ...]  # names the histories: rows with the same one have the same
    parts: NDArray[np.int64]  # units, circuits, poles: each fails by itself
    mttf_h: FloatArray  # inf: never fails
    mttr_h: FloatArray

    @property
    def rate(self) -> FloatArray:
        """Share of the time that a part is out."""
        never = ~np.isfinite(self.mttf_h)
        return np.where(never, 0.0, self.mttr_h / np.where(never, 1.0, self.mttf_h + self.mttr_h))


class OutageRates(NamedTuple):
    """Of all tables whose rows can fail; tables without rows: nothing fails."""

    units: Rates
    sources: Rates
    stores: Rates
    branches: Rates
    links: Rates


def none_fail() -> OutageRates:
    none = Rates((), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    return OutageRates(none, none, none, none, none)


@dataclass(frozen=True)
class Case:
    """A validated grid and year.

    n steps; nu units (rows), ns sources, nst stores, nl loads, nb buses, nbr branches, np reserve products.
    """

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
    shifters: pd.DataFrame  # phase shifters that are controls
    products: pd.DataFrame

    load_mw: FloatArray  # (n, nl)
    unit_available: NDArray[np.int64]  # (n, nu) units of each row that are not on planned outage
    # (n, nu) least and most of ONE unit on, in MW: p_min_mw and p_max_mw, but where heat leaves less (must-run rows)
    unit_floor_mw: FloatArray
    unit_ceiling_mw: FloatArray
    unit_seg_mw: FloatArray  # (nu, K) width of each cost segment above p_min_mw, of ONE unit; 0 pads
    unit_seg_cost: FloatArray  # (nu, K) currency/MWh, not falling along a row
    unit_min_cost: FloatArray  # (nu,) currency/MWh of the output up to p_min_mw
    # One start of ONE unit that was off for at least so many hours; the first category holds from any shorter time.
    # Neither falls along a row; a row with fewer categories repeats its last.
    unit_start_lag_h: NDArray[np.int64]  # (nu, C)
    unit_start_cost: FloatArray  # (nu, C) currency
    source_min_mw: FloatArray  # (n, ns)
    source_max_mw: FloatArray  # (n, ns); what is available
    source_own_mw: FloatArray  # (n, ns); what was available beside it, cut by the row's own connection
    store_inflow_mw: FloatArray  # (n, nst) natural inflow into each row, >= 0
    store_limits: StoreLimits
    interface_weight: FloatArray  # (nif, nbr + nlink) weights of branch and link flows
    reserve_up_mw: FloatArray  # (n,)
    reserve_down_mw: FloatArray  # (n,)
    # What a row asks of the responses of its product: for a product without zones also the requirements of the faster
    # ones of its direction, since a MW serves one of them; 0 in hours without a requirement of its own.
    product_need_mw: FloatArray  # (n, np)
    unit_response_mw: FloatArray  # (nu, np) most that ONE unit on gives; 0: not eligible
    unit_offline_mw: FloatArray  # (nu, np) what ONE unit off gives
    source_responds: NDArray[np.bool_]  # (ns, np)

    penalties: Penalties = field(default_factory=Penalties)
    rating_share: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))  # (n, k) of `rated`, p.u.
    budgets: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(BUDGET_COLUMNS)))
    budget_terms: BudgetTerms = field(default_factory=no_budgets)
    outage_rates: OutageRates = field(default_factory=none_fail)
    # Where the run has outages, else no rows: what is left of DC links, p.u., and circuits of branches that are out
    link_left: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))  # (n, nlink)
    circuits_out: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))  # (n, nbr)
    # (n, ns) steps in which a source has just lost something: its output may fall as fast as that
    source_trips: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.bool_))
    notes: tuple[ElementNote, ...] = ()
    net_json: str = ""  # pandapower JSON of the net, for the results file
    events: tuple[dict[str, Any], ...] = ()  # weather events inside the horizon: kind, name, start, hours, zone, detail
    steps_per_hour: int = 1  # 1, 2 or 4

    @property
    def steps(self) -> int:
        """Rows of every series."""
        return self.hours * self.steps_per_hour

    def link_range(self, at: slice) -> tuple[FloatArray, FloatArray]:
        """(T, nlink) least and most of the DC links in some steps. [MW]"""
        left = self.link_left[at] if len(self.link_left) else np.ones((len(range(*at.indices(self.steps))), 1))
        low, high = (left * self.links[f"p_{end}_mw"].to_numpy(dtype=np.float64) for end in ("min", "max"))
        return low, high

    @property
    def dt_h(self) -> float:
        """Length of a step. [h]"""
        return 1.0 / self.steps_per_hour

    @property
    def rated(self) -> NDArray[np.int64]:
        """(k,) branches whose ratings move."""
        return np.flatnonzero(self.branches["rating_profile"].astype(str) != "")

    def rating_left(self, at: slice) -> FloatArray:
        """(T, nbr) what is left of the ratings in some steps; (1, nbr) where no rating moves. [p.u.]"""
        rows = self.rated
        part = self.rating_share[at] if rows.size else np.ones((1, 0))
        out = np.ones((len(part), len(self.branches)))
        out[:, rows] = part
        return out

    @property
    def time(self) -> pd.DatetimeIndex:
        step = f"{60 // self.steps_per_hour}min" if self.steps_per_hour > 1 else "h"
        return pd.date_range(self.start, periods=self.steps, freq=step, name="time")
