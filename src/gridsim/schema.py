"""The results file: every dataset of a run, with dimensions, type, unit, meaning and sign. Format 1.0.

One HDF5 file per run, netCDF4-compatible: each dimension is a dimension scale at the root, and every group holds
links to the scales that it uses, so ``xarray.open_dataset(FILE, engine="h5netcdf", group="dispatch")`` has
coordinates. `DATASETS` below is the reference; ``gridsim.results`` writes and reads it and nothing else does.

Dimensions
    time       start of each step, local time of the network: CF "hours since <start>", or "minutes since <start>" where
               steps are shorter than an hour; attribute utc_offset_h
    unit source store load bus branch link interface product budget_name shifter     names of the index tables
    zone tech supplier depth cause                       names
    outage     branches, then DC links, that may be lost
    window segment category                              0, 1, ...
    island     0, 1, ...: AC islands of /buses/island; none where the dispatch has no losses
    rated      branches whose ratings move by the hour
    failing    branches, where some circuit of any is out in the run; else none
    foreseen   technologies, and
    believed   load, wind, pv, where hours are dispatched again on what comes; else none
    believed_need, expected  products, and parts of the cost that was planned, likewise
    day        0, 1, ...: 24 hours each from the first hour (the last may be shorter)

Series run along `time`, a step an entry; where this text says hour, it means a step of `resolution_min` minutes. MW are
means over the step, t and currency sums over it. /windows counts hours.

Groups
    /meta      attributes: format, format_version, gridsim_version, scenario_name, scenario_title, scenario_digest,
               case_name, currency, utc_offset_h, start, hours, resolution_min, window_h, step_h, seed, year, engine,
               keep (which datasets the file has: `kept`; files without it have all), penalty_shed ...
               (currency/MWh). Datasets: scenario_text (TOML, every default written out), net_json
               (pandapower JSON, gzip'd bytes), notes and events (JSON lists). /meta/inputs: attributes, SHA-256 of each
               input file. Where keep is not "full" also summary, JSON: what ``gridsim show`` cannot compute any more.
               /meta/run: attributes of this execution: times, memory, versions, machine.
    /buses /units /sources /stores /loads /branches /links /interfaces /products /budgets /shifters
               index tables: one dataset per column of `gridsim.case`. Beside them the cost curve of ONE unit,
               /units/seg_mw, seg_cost [unit, segment] and min_cost [unit], its start costs by hours off,
               /units/start_lag_h, start_cost_by_lag [unit, category], what it answers with, /units/response_mw,
               offline_mw [unit, product], /sources/responds [source, product], what it uses of each budget,
               /budgets/unit_on, unit_rate [budget_name, unit], source_rate [budget_name, source], and the members of
               interfaces,
               /interfaces/branch_weight [interface, branch], link_weight [interface, link].
    /summary   attributes: the numbers of ``gridsim show --json`` that do not depend on the machine; tables by
               technology as ``energy_twh.coal``.
    /ac        what ``gridsim acheck`` adds, with the dimensions switched_shunt and tap_changer: see `AC_DATASETS`
    the others as in `DATASETS`

Precision. MW and prices are float64 on a fixed grid: multiples of 2**-20 (about 1e-6 MW, or 1e-6 currency/MWh), said
in the attribute ``rounding``, so that a sum over hundreds of elements still balances to 1e-3 MW, which float32
cannot promise. Energy states, money, carbon and windows are exact float64. Counts are int16. A file that keeps
"standard" has its series on the coarser grid of `COARSE`; its summary is that of the series before.

Determinism. Two runs of one scenario on one version of gridsim differ in /timing and /meta/run only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from gridsim.case import Case  # loads numba, which reading a file does not need

FORMAT = "gridsim"
FORMAT_VERSION = (1, 0)  # 1.x only ever adds

GRID = 2.0**-20  # stored MW and prices are multiples of this
# Steps of a file that keeps "standard", by unit: kW, kWh, kg, a thousandth of a price, six hundredths of currency.
COARSE = {"MW": 2.0**-10, "MWh": 2.0**-10, "t": 2.0**-10, "currency/MWh": 2.0**-10, "currency": 2.0**-4}
CHUNK_H = 366  # steps of a chunk of the file: 24 through a leap year

TABLES = {  # group of an index table -> its dimension
    "buses": "bus",
    "units": "unit",
    "sources": "source",
    "stores": "store",
    "loads": "load",
    "branches": "branch",
    "links": "link",
    "interfaces": "interface",
    "products": "product",
    "budgets": "budget_name",
    "shifters": "shifter",
}
WIND_TECHS = ("wind_offshore", "wind_onshore")
WEATHER_TECHS = (*WIND_TECHS, "pv")  # what is available of them is taken off the load
CLEAN_TECHS = ("nuclear", "hydro", "biomass", *WEATHER_TECHS)  # not from fossil fuel
# Classes of coal's load rate below the half that is unpaid duty, in percent of the units on.
DEPTHS = ("coal_50_40", "coal_40_35", "coal_35_30", "coal_below_30")
# Why a source is curtailed (`gridsim.curtailment`).
CAUSES = ("own", "section", "n1", "ramp", "reserve", "system", "economic")
# Who regulates (`gridsim.ledger`): together they give what the net load of a day asks for.
SUPPLIERS = (
    *("coal_basic", *DEPTHS, "gas", "nuclear", "other", "pumped_hydro", "battery", "caes", "hydrogen", "heat"),
    *("import", "exchange", "demand", "curtailment", "unserved", "losses"),
)

SUPPLIER_OF_STORE = {  # technologies of stores that are no supplier by their own name
    **dict.fromkeys(("ev", "ac", "dr_shift", "dr_interrupt"), "demand"),
    "dc_shift": "import",
}
BELIEVED = ("load", "wind", "pv")  # what forecasts are about
# What a window expects its kept hours to cost (`gridsim.expected`).
EXPECTED = (
    *("energy", "no_load", "start", "wear", "shed", "spill", "reserve_short", "overload", "budget"),
    *("surprise", "stored"),
)

# Technologies that are known, in their order in tables and pictures: base load, what follows the load, stores.
TECH_ORDER = (
    "nuclear",
    "coal",
    "gas",
    "oil",
    "biomass",
    "hydro",
    "import",
    "exchange",
    "wind_offshore",
    "wind_onshore",
    "pv",
    "pumped_hydro",
    "caes",
    "battery",
    "hydrogen",
    "heat",
    "ev",
    "ac",
    "dr_shift",
    "dr_interrupt",
    "dc_shift",
    "other",
)

_WINDOW_STATUS = (
    "0 solved; 1 solved on a retry; 2 stopped short of the tolerance, within its recorded gap; 3 not solved"
)


@dataclass(frozen=True)
class Dataset:
    """One array of the file."""

    path: str  # "group/name"
    dims: tuple[str, ...]
    dtype: str
    units: str
    long_name: str
    sign: str = ""  # what a positive value means, where both signs occur
    on_grid: bool = False  # rounded to GRID

    @property
    def group(self) -> str:
        return self.path.split("/")[0]

    @property
    def per_hour(self) -> bool:
        return self.dims[0] == "time"


def _mw(path: str, dims: str, long_name: str, sign: str = "") -> Dataset:
    return Dataset(path, tuple(dims.split()), "float64", "MW", long_name, sign, on_grid=True)


def _count(path: str, long_name: str) -> Dataset:
    return Dataset(path, ("time", "unit"), "int16", "1", long_name)


def _price(path: str, dims: str, long_name: str, sign: str) -> Dataset:
    return Dataset(path, tuple(dims.split()), "float64", "currency/MWh", long_name, sign, on_grid=True)


def _cost(name: str, long_name: str) -> Dataset:
    return Dataset(f"cost/{name}", ("time",), "float64", "currency", f"{long_name} in the hour")


def _window(name: str, dtype: str, units: str, long_name: str) -> Dataset:
    return Dataset(f"windows/{name}", ("window",), dtype, units, long_name)


def _n1(name: str, dim: str, long_name: str) -> Dataset:
    kind = "float64" if name.endswith("loading") else "int32"
    return Dataset(f"security/{name}", (dim,), kind, "1", long_name)


def _money(name: str, dim: str, long_name: str) -> Dataset:
    return Dataset(f"money/{name}", ("time", *dim.split()), "float64", "currency", long_name)


def _carbon(name: str, dims: str, units: str, long_name: str) -> Dataset:
    return Dataset(f"carbon/{name}", tuple(dims.split()), "float64", units, long_name)


def _row(name: str, long_name: str) -> Dataset:
    return Dataset(f"curtailment/{name}", ("time", "source"), "int32", "1", f"{long_name}; -1: none")


def _budget(name: str, long_name: str, sign: str = "") -> Dataset:
    unit = "1" if name == "pace" else "see budgets/unit"
    return Dataset(f"budget/{name}", ("time", "budget_name"), "float64", unit, long_name, sign)


def _running(name: str, long_name: str) -> Dataset:
    return Dataset(f"budget/{name}", ("window", "budget_name"), "float64", "see budgets/unit", long_name)


_INJECTS = "> 0 feeds the grid"
_FLOW = "> 0 from from_row to to_row"

DATASETS: tuple[Dataset, ...] = (
    _mw("dispatch/unit_p_mw", "time unit", "output of each row of units", _INJECTS),
    _mw("dispatch/source_p_mw", "time source", "output of each source", _INJECTS),
    _mw("dispatch/unit_floor_mw", "time unit", "least output of ONE unit on, as heat leaves it", _INJECTS),
    _mw("dispatch/unit_ceiling_mw", "time unit", "most output of ONE unit on, as heat leaves it", _INJECTS),
    _mw("dispatch/source_own_mw", "time source", "available beside it, cut by the row's own connection", ">= 0"),
    _mw("dispatch/source_available_mw", "time source", "what each source could have given", _INJECTS),
    _mw("dispatch/source_min_mw", "time source", "least output allowed of each source", _INJECTS),
    _mw("dispatch/load_mw", "time load", "demand of each load, before shedding", "> 0 consumes"),
    _mw("dispatch/link_p_mw", "time link", "power of each embedded DC link", _FLOW),
    _mw("dispatch/tech_p_mw", "time tech", "output by technology; stores: discharge - charge", _INJECTS),
    _count("commitment/on", "units on"),
    _count("commitment/start", "units started at the beginning of the hour"),
    _count("commitment/stop", "units stopped at the beginning of the hour"),
    _count("commitment/available", "units not on planned outage"),
    Dataset("commitment/start_cost", ("time", "unit"), "float64", "currency", "cost of the starts, by hours off"),
    _mw("commitment/ramp_relaxed_mw", "time unit", "rise or fall beyond what ramps and first and last hours allow"),
    _mw("storage/charge_mw", "time store", "charging power at the terminals", ">= 0"),
    _mw("storage/discharge_mw", "time store", "discharging power at the terminals", ">= 0"),
    _mw("storage/inflow_mw", "time store", "energy that flows in by itself", ">= 0"),
    _mw("storage/demand_mw", "time store", "energy taken out of the store: driving, hydrogen, heat", ">= 0"),
    _mw("storage/charge_max_mw", "time store", "most that may charge", ">= 0"),
    _mw("storage/discharge_max_mw", "time store", "most that may discharge", ">= 0"),
    Dataset(
        "storage/e_floor_mwh",
        ("time", "store"),
        "float64",
        "MWh",
        "least energy allowed at the END of the hour, raised to what later demand needs",
    ),
    _mw("storage/spill_mw", "time store", "energy let go unused", ">= 0"),
    Dataset("storage/start_cost", ("time", "store"), "float64", "currency", "cost of the starts of pumps and turbines"),
    Dataset("storage/e_mwh", ("time", "store"), "float64", "MWh", "stored energy at the END of the hour"),
    _mw("flow/branch_p_mw", "time branch", "flow of each branch", _FLOW),
    _mw("flow/interface_p_mw", "time interface", "weighted sum of flows of each interface", "> 0 in its direction"),
    _mw("flow/branch_overload_mw", "time branch", "flow beyond the rating, a priced slack", ">= 0"),
    _mw("flow/interface_overload_mw", "time interface", "flow beyond the limit, a priced slack", ">= 0"),
    Dataset(
        "flow/shift_deg",
        ("time", "shifter"),
        "float64",
        "degree",
        "shift of each phase shifter beyond the shift_deg of its branch",
        "as shift_deg",
    ),
    _mw("flow/loss_mw", "time island", "losses: r_pu / 100 x flow squared, summed over branches", ">= 0"),
    Dataset("flow/rating_share", ("time", "rated"), "float64", "1", "what is left of the ratings that move", ">= 0"),
    _mw("flow/loss_planned_mw", "time island", "losses that the window counted on", ">= 0"),
    _price("price/energy", "time", "price of energy at the reference bus", "> 0: one more MWh of load costs this"),
    _price("price/reserve", "time product", "price of each reserve product", ">= 0"),
    _price("price/bus", "time bus", "price of energy at each bus", "> 0: one more MWh of load costs this"),
    _price("price/zone", "time zone", "price that the load of each zone pays on average", "> 0: the load pays"),
    _money("load_payment", "zone", "paid for energy by the load of each zone, at the price of its bus"),
    _money("tou_bill", "zone", "what the load of each zone would pay at its time-of-use tariff; 0 without one"),
    _money("local_bill", "zone", "what each local grid pays for what it takes, less what it is paid for what it gives"),
    _money("spill_payment", "", "paid by the system for energy spilled, at the price of its bus"),
    _money("tech_revenue", "tech", "paid for energy to each technology; stores: discharged less charged"),
    _money("tech_cost", "tech", "energy, no-load, starts and wear of each technology"),
    _money("reserve_revenue", "tech", "paid for reserve, all products, to each technology"),
    _money("congestion_rent", "", "prices of lines and interfaces times what they carry"),
    _money("link_rent", "", "what energy is worth where DC links bring it, less where they take it"),
    _money("shift_rent", "", "what phase shifters take off full lines, negative where they load them"),
    _money("loss_surplus", "", "what marginal losses in prices bring in beyond the energy lost"),
    Dataset("money/store_revenue", ("store",), "float64", "currency", "paid in the run for discharged less charged"),
    Dataset("money/store_cost", ("store",), "float64", "currency", "wear and starts of each store in the run"),
    Dataset("money/branch_rent", ("branch",), "float64", "currency", "congestion rent of each branch in the run"),
    Dataset("money/interface_rent", ("interface",), "float64", "currency", "congestion rent of each interface"),
    _mw("curtailment/source_mw", "time source", "available before own limits and not taken: sum of all causes", ">= 0"),
    _mw("curtailment/cause_mw", "time source cause", "curtailment by cause", ">= 0"),
    _row("section_element", "line or interface that weighs most in cause section: a branch, or branches + interface"),
    _row("n1_element", "the same in cause n1: what would be overloaded"),
    _row("n1_outage", "by the loss of a branch, or of the number of branches plus a DC link"),
    _mw("unserved/load_mw", "time load", "demand not served", ">= 0"),
    _mw("spill/bus_mw", "time bus", "must-run energy thrown away", ">= 0"),
    _mw("reserve/need_mw", "time product", "what is asked of the answers to each reserve product", ">= 0"),
    _mw("reserve/provided_mw", "time product", "what answers to each reserve product", ">= 0"),
    _mw("reserve/short_mw", "time product", "what is missing of each reserve product", ">= 0"),
    _mw("peak_shaving/load_mw", "time", "total demand"),
    _mw("peak_shaving/net_load_mw", "time", "demand less available wind and PV"),
    _mw(
        "peak_shaving/regulation_mw",
        "time supplier",
        "regulation by supplier; all of them add up to need_mw",
        "> 0 serves the peak (up), < 0 fills the valley (down)",
    ),
    _mw("peak_shaving/need_mw", "time", "net load less its mean of the day (of the hours that a window keeps)"),
    Dataset("peak_shaving/coal_load_rate", ("time",), "float64", "1", "output of coal units over what is on; 0: none"),
    Dataset("peak_shaving/deep_units", ("time", "depth"), "int16", "1", "coal units on in each class of load rate"),
    Dataset(
        "peak_shaving/compensation",
        ("time", "depth"),
        "float64",
        "currency",
        "paid to coal for output not given in each class: a transfer, in no cost",
    ),
    _mw("peak_shaving/up_margin_mw", "time", "room to raise output, all sources"),
    _mw("peak_shaving/down_margin_mw", "time", "room to lower output, all sources"),
    _mw("peak_shaving/peak_valley_before_mw", "day", "highest less lowest net load, before regulation"),
    _mw("peak_shaving/peak_valley_after_mw", "day", "the same after regulation by all but coal: what coal follows"),
    _mw("peak_shaving/peak_valley_less_mw", "day supplier", "the same after regulation by this supplier alone"),
    Dataset(
        "peak_shaving/two_shift_starts",
        ("day", "tech"),
        "int32",
        "1",
        "units stopped and started within the day: the smaller of a row's stops and starts",
    ),
    _n1("hour_loading", "time", "worst loading after any outage, of the emergency rating; 0: not looked at"),
    _n1("hour_branch", "time", "branch that it would hit; -1: none"),
    _n1("hour_outage", "time", "what would be lost: a branch, or the number of branches plus a DC link; -1: none"),
    _n1("branch_loading", "branch", "worst loading of each branch after any outage in the run; 0: not looked at"),
    _n1("branch_outage", "branch", "what would be lost then, as in hour_outage"),
    _n1("branch_hour", "branch", "step of the run, from 0; -1: none"),
    _n1("outage_loading", "outage", "worst loading of any branch after each outage in the run; 0: not looked at"),
    _n1("outage_branch", "outage", "branch that it would hit"),
    _n1("outage_hour", "outage", "step of the run, from 0; -1: none"),
    _budget("use", "used in the hour", ">= 0"),
    _budget("used", "used in the period up to the END of the hour", ">= 0"),
    _budget("at_most", "limit of the hour's period, of its part in the horizon; -1: none"),
    _budget("at_least", "least use of the hour's period, of its part in the horizon; 0: none"),
    _budget("allowed", "what the hour adds to at_most where a profile says so; 0: no profile", ">= 0"),
    _budget("pace", "share of the period's use planned for the hour"),
    _budget("excess", "use beyond at_most, a priced slack", ">= 0"),
    _budget("missing", "what is missing of at_least, in the last hour of the period, a priced slack", ">= 0"),
    _budget(
        "price", "price of use in the plan, currency per unit", "> 0: one more unit is worth this, < 0: is paid for"
    ),
    Dataset("budget/period", ("time", "budget_name"), "int32", "1", "number of the hour's period"),
    _running("running_most", "running price of at_most at the start of each window, currency per unit"),
    _running("running_least", "running price paid for use by at_least, likewise"),
    Dataset("carbon/tech_t", ("time", "tech"), "float64", "t", "CO2 by technology in the hour"),
    _mw(
        "realtime/planned_tech_p_mw",
        "time foreseen",
        "power by technology as the window planned it",
        "injection > 0, charging < 0",
    ),
    _mw("realtime/forecast_mw", "time believed", "system load and available power as the window believed them", ">= 0"),
    _mw("realtime/planned_need_mw", "time believed_need", "reserve requirement that the window planned for", ">= 0"),
    Dataset(
        "realtime/planned_cost",
        ("time", "expected"),
        "float64",
        "currency",
        "cost in the hour as the window expected it, by part; at the plan's prices surprise, load that came beyond "
        "the forecast less wind and sun that did, and stored, energy in stores at the end beyond the plan's",
    ),
    _count("realtime/called", "units called in the hour itself"),
    _count("realtime/lost", "units that the window had on and that were not there"),
    Dataset("realtime/circuits_out", ("time", "failing"), "int16", "1", "circuits of each branch that are out"),
    _carbon("zone_emission_t", "time zone", "t", "CO2 emitted by units and sources of each zone"),
    _carbon("origin_t", "time", "t", "CO2 emitted at the origin of imports"),
    _carbon("zone_load_t", "time zone", "t", "CO2 traced to the load of each zone, demand on stores included"),
    _carbon("zone_intensity", "time zone", "t/MWh", "of that load; 0 where there is none"),
    Dataset(
        "carbon/zone_marginal",
        ("time", "zone"),
        "float64",
        "t/MWh",
        "CO2 of a MWh more of load in each zone, units on and stores as they are",
        on_grid=True,
    ),
    _carbon("export_t", "time", "t", "CO2 traced to exports"),
    _carbon("lost_t", "time", "t", "CO2 traced to losses and spilled energy"),
    _carbon("store_change_t", "time", "t", "CO2 of what stores charge less what leaves them"),
    _carbon("unit_t", "unit", "t", "CO2 of each row of units in the run"),
    _carbon("source_t", "source", "t", "CO2 of each source in the run, origin of imports apart"),
    _cost("energy", "energy cost above no-load"),
    _cost("no_load", "no-load cost"),
    _cost("start", "start-up cost"),
    _cost("wear", "wear of stores"),
    _cost("shed", "penalty of unserved energy"),
    _cost("spill", "penalty of spilled energy"),
    _cost("reserve_short", "penalty of missing reserve"),
    _cost("overload", "penalty of overloads"),
    _cost("budget", "penalty of budgets exceeded or missed"),
    _cost("total", "sum of all costs and penalties"),
    _window("first_hour", "int32", "h", "first hour of the window"),
    _window("hours", "int32", "h", "hours the window looked at"),
    _window("status", "int16", "1", _WINDOW_STATUS),
    _window("cost", "float64", "currency", "cost of the whole window, look-ahead included"),
    _window("bound", "float64", "currency", "proven lower bound of the window's cost, from the state it started in"),
    _window("gap", "float64", "1", "(cost - bound) / cost"),
    _window("iterations", "int32", "1", "iterations of the solver"),
    _window("rounds", "int32", "1", "rounds of adding line rows"),
    _window("rows", "int32", "1", "line rows in force at the end"),
    _window("retries", "int32", "1", "solves repeated with safer settings"),
    Dataset("timing/window_cpu_s", ("window",), "float64", "s", "CPU time of the window"),
)
CASE_ARRAYS: tuple[Dataset, ...] = (  # beside the columns of the index tables
    Dataset("units/seg_mw", ("unit", "segment"), "float64", "MW", "width of each cost segment, of ONE unit"),
    Dataset("units/seg_cost", ("unit", "segment"), "float64", "currency/MWh", "price of each cost segment"),
    Dataset("units/start_lag_h", ("unit", "category"), "int32", "h", "hours off from which a start costs so much"),
    Dataset("units/start_cost_by_lag", ("unit", "category"), "float64", "currency", "cost of ONE start"),
    Dataset("units/response_mw", ("unit", "product"), "float64", "MW", "most that ONE unit on answers with"),
    Dataset("units/offline_mw", ("unit", "product"), "float64", "MW", "what ONE unit off answers with"),
    Dataset("sources/responds", ("source", "product"), "float64", "1", "1: its headroom, or room, answers"),
    Dataset(
        "budgets/unit_on", ("budget_name", "unit"), "float64", "1", "use of ONE unit on for an hour at its minimum"
    ),
    Dataset("budgets/unit_rate", ("budget_name", "unit"), "float64", "1", "use of each MWh above it"),
    Dataset("budgets/source_rate", ("budget_name", "source"), "float64", "1", "use of each MWh"),
    Dataset("units/min_cost", ("unit",), "float64", "currency/MWh", "price of output up to p_min_mw"),
    Dataset("interfaces/branch_weight", ("interface", "branch"), "float64", "1", "weight of each branch's flow"),
    Dataset("interfaces/link_weight", ("interface", "link"), "float64", "1", "weight of each DC link's flow"),
)


def _ac(name: str, dims: str, kind: str, units: str, long_name: str, sign: str = "") -> Dataset:
    return Dataset(f"ac/{name}", tuple(dims.split()), kind, units, long_name, sign)


AC_DIMS = ("switched_shunt", "tap_changer")  # names
# Of a file that has been through the AC check. Steps not looked at and without a solution are nan, or -1 in counts.
AC_DATASETS: tuple[Dataset, ...] = (
    _ac("status", "time", "int16", "1", "0 solved; 1 from a new start; 2 not settled; 3 not converged; -1 not asked"),
    _ac("iterations", "time", "int32", "1", "iterations of Newton-Raphson, all solutions of the step"),
    _ac("rounds", "time", "int16", "1", "solutions until controls and losses settled"),
    _ac("loss_mw", "time", "float64", "MW", "lost in branches"),
    _ac("dispatch_loss_mw", "time", "float64", "MW", "losses that the dispatch counted on"),
    _ac("shared_mw", "time", "float64", "MW", "what units on give beside their dispatch, by capacity, for the rest"),
    _ac("at_limit", "time", "int32", "1", "buses whose reactive power is at a limit"),
    _ac("vm_min_pu", "time", "float32", "1", "lowest voltage"),
    _ac("vm_min_bus", "time", "int32", "1", "its row of /buses"),
    _ac("vm_max_pu", "time", "float32", "1", "highest voltage"),
    _ac("vm_max_bus", "time", "int32", "1", "its row of /buses"),
    _ac("loading_max", "time", "float32", "1", "highest loading of a branch, of its rating"),
    _ac("loading_max_branch", "time", "int32", "1", "its row of /branches"),
    _ac("overloaded", "time", "int32", "1", "branches beyond their rating in AC"),
    _ac("overloaded_ac_only", "time", "int32", "1", "of these, those that the DC flows leave within it"),
    _ac("vm_pu", "time bus", "float32", "1", "voltage"),
    _ac("va_degree", "time bus", "float32", "degree", "angle, beside the reference of the bus's island"),
    _ac("held_mvar", "time bus", "float32", "Mvar", "reactive power of what holds the bus's voltage", _INJECTS),
    _ac("branch_p_mw", "time branch", "float32", "MW", "active power at the from end", _FLOW),
    _ac("branch_q_mvar", "time branch", "float32", "Mvar", "reactive power at the from end", _FLOW),
    _ac("branch_loading", "time branch", "float32", "1", "current at the end with more, of the rating"),
    _ac(
        "interface_p_mw",
        "time interface",
        "float32",
        "MW",
        "weighted sum at from ends",
        "> 0 in its direction",
    ),
    _ac("switched_steps", "time switched_shunt", "int16", "1", "steps on of each switched shunt"),
    _ac("tap_pos", "time tap_changer", "int16", "1", "tap of each transformer that holds a voltage"),
    Dataset("ac/branch_loss_mwh", ("branch",), "float64", "MWh", "lost in each branch in the steps solved"),
)
# What the scenario and its files give, hour by hour, or what follows from other datasets; no page or table needs it.
RECOMPUTABLE = (
    *("dispatch/source_available_mw", "dispatch/source_min_mw", "dispatch/source_own_mw", "dispatch/unit_ceiling_mw"),
    *("storage/demand_mw", "storage/charge_max_mw", "storage/discharge_max_mw", "storage/e_floor_mwh"),
    *("carbon/zone_intensity", "money/tou_bill"),
)
KEEP = ("full", "standard", "summary")  # output.keep


def kept(keep: str) -> tuple[Dataset, ...]:
    """Datasets of a file: all of them, those that cannot be recomputed, or those that do not run along time."""
    if keep == "summary":
        return tuple(d for d in DATASETS if not d.per_hour)
    return tuple(d for d in DATASETS if keep == "full" or d.path not in RECOMPUTABLE)


def rounding_of(d: Dataset, keep: str) -> float:
    """What values in the file are multiples of; 0 where they are exact."""
    if keep == "standard" and d.per_hour and d.units in COARSE:
        return COARSE[d.units]
    return GRID if d.on_grid else 0.0


BY_PATH = {d.path: d for d in (*DATASETS, *AC_DATASETS)}
WINDOW_COLUMNS = tuple(d.path.split("/")[1] for d in DATASETS if d.group == "windows")


def ordered_techs(techs: Iterable[str]) -> list[str]:
    """Technologies in the order of `TECH_ORDER`; others after them by name."""
    found = {str(t) for t in techs}
    return [t for t in TECH_ORDER if t in found] + sorted(found - set(TECH_ORDER))


def techs_of(case: Case) -> list[str]:
    """Names of the dimension ``tech``: every technology of units, sources and stores."""
    return ordered_techs(t for table in (case.units, case.sources, case.stores) for t in table["tech"])


def zones_of(case: Case) -> list[str]:
    """Names of the dimension ``zone``: every zone of a bus, sorted."""
    return sorted({str(z) for z in case.buses["zone"]})


def unique_names(table: pd.DataFrame) -> list[str]:
    """Names of an index table, made unique: a repeated one gets its element and index behind it."""
    names = table["name"].astype(str)
    twice = names.duplicated(keep=False)
    if not twice.any():
        return names.tolist()
    element = table["element"].astype(str) if "element" in table else pd.Series("row", index=table.index)
    index = table["element_index"] if "element_index" in table else pd.Series(range(len(table)), index=table.index)
    suffix = " (" + element + " " + index.astype(str) + ")"
    return names.where(~twice, names + suffix).tolist()
