"""The columns that gridsim reads beside pandapower's own: what they mean, and the check that a net uses them right.

A net without any of them still runs, on the defaults below. A column that looks like one of these but is none of them
and none of pandapower's is an error, so that a typo cannot silently turn a limit off.
"""

import inspect
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from gridsim.errors import Problem
from gridsim.schema import TECH_ORDER, WEATHER_TECHS

NAN = float("nan")
MACHINES = ("gen", "sgen")

END_RULES = ("fixed", "value", "free", "cyclic")
# pandapower's free column `type`, as its own networks and converters fill it, read as a technology
TECH_OF_TYPE = {
    **{"pv": "pv", "wp": "wind_onshore", "wind": "wind_onshore", "chp": "biomass", "biomass": "biomass"},
    **{"hydro": "hydro", "nuclear": "nuclear", "battery": "battery"},
}

_FAIL = ("gen", "sgen", "storage", "line", "trafo", "dcline")  # what may have forced outages


@dataclass(frozen=True)
class Column:
    """One extra column of one pandapower table."""

    element: str
    name: str
    dtype: str  # "str", "int", "float", "bool"
    unit: str
    default: Any  # taken where the column or the value is absent; NaN: absence means something of its own
    meaning: str
    low: float = -np.inf  # allowed range, ends included
    high: float = np.inf
    choices: tuple[str, ...] = ()  # allowed words; empty: any

    @property
    def allowed(self) -> str:
        """The rule in words."""
        if self.choices:
            return f"must be one of {', '.join(self.choices)}"
        unit = f" {self.unit}" if self.unit not in ("", "1") else ""
        if np.isfinite(self.low) and np.isfinite(self.high):
            return f"must be from {self.low:g} to {self.high:g}{unit}"
        return f"must be {self.low:g}{unit} or more"


def _machines(name: str, dtype: str, unit: str, default: Any, meaning: str, **limits: Any) -> tuple[Column, ...]:
    """The same column on gen and sgen; `default` may be a pair (gen, sgen)."""
    pair = default if isinstance(default, tuple) else (default, default)
    return tuple(
        Column(element, name, dtype, unit, d, meaning, **limits) for element, d in zip(MACHINES, pair, strict=True)
    )


def _each(elements: tuple[str, ...], *args: Any, **limits: Any) -> tuple[Column, ...]:
    return tuple(Column(element, *args, **limits) for element in elements)


COLUMNS: tuple[Column, ...] = (
    *_machines("tech", "str", "", "other", "technology; decides how the row is reported and curtailed"),
    *_machines("fuel", "str", "", "", "fuel, for reports"),
    *_machines("units", "int", "1", 1, "identical units in the row; p_mw and its limits are of the row", low=1),
    *_machines("min_up_h", "int", "h", 1, "a started unit stays on at least so long", low=1),
    *_machines("min_down_h", "int", "h", 1, "a stopped unit stays off at least so long", low=1),
    *_machines("start_cost", "float", "currency", 0.0, "one start of one unit, however long it was off", low=0),
    *_machines("start_cost_by_hours_off", "str", "", "", "instead: '2:390 8:460', the cost from so many hours off on"),
    *_machines("no_load_cost", "float", "currency/h", 0.0, "one unit on for one hour, beside its energy", low=0),
    *_machines("ramp_up_mw_per_h", "float", "MW/h", NAN, "largest rise of the row in one hour; NaN: none", low=0),
    *_machines("ramp_down_mw_per_h", "float", "MW/h", NAN, "largest fall of the row in one hour; NaN: none", low=0),
    *_machines("start_ramp_mw", "float", "MW", NAN, "most output of one unit in its first hour on; NaN: any", low=0),
    *_machines("stop_ramp_mw", "float", "MW", NAN, "most output of one unit in its last hour on; NaN: any", low=0),
    *_machines("must_run", "bool", "", False, "every available unit is on"),
    *_machines("reserve_up", "bool", "", (True, False), "headroom counts as spinning reserve"),
    *_machines("reserve_down", "bool", "", (True, False), "output above the minimum counts as down reserve"),
    *_machines("reserve_mw_per_min", "float", "MW/min", NAN, "response of one unit that is on; NaN: no limit", low=0),
    *_machines("quick_start", "bool", "", False, "while off it counts for products that need not spin, with its p_max"),
    *_machines("initial_on", "int", "1", NAN, "units on before the first hour; NaN: chosen to cover the load", low=0),
    *_machines("initial_hours", "int", "h", NAN, "hours they have been on, the others off; NaN: long", low=1),
    *_machines("initial_p_mw", "float", "MW", NAN, "output of the row before the first hour; NaN: not known", low=0),
    *_machines("co2_t_per_mwh", "float", "t/MWh", 0.0, "emissions of each MWh", low=0),
    *_machines("co2_no_load_t_per_h", "float", "t/h", 0.0, "emissions of one unit on, beside its energy", low=0),
    *_machines("curtailable", "bool", "", False, "output below what is available counts as curtailment"),
    *_machines("profile", "str", "", "", "series that drives the row: available power, schedule or units available"),
    *_machines("profile_share", "float", "1", 1.0, "share of a series in MW; 1 for series in p.u.", low=0, high=1),
    *_machines("band_down", "float", "1", NAN, "how far below its schedule it may go; NaN: not at all", low=0, high=1),
    Column(
        "gen", "heat_min_profile", "str", "", "", "series, p.u. of max_p_mw: least output that heat leaves (must_run)"
    ),
    Column(
        "gen", "heat_max_profile", "str", "", "", "series, p.u. of max_p_mw: most output that heat leaves (must_run)"
    ),
    Column("sgen", "origin_co2_t_per_mwh", "float", "t/MWh", 0.0, "emitted where an import comes from", low=0),
    Column("sgen", "clean_share", "float", "1", NAN, "not from fossil fuel; NaN: as its tech", low=0, high=1),
    Column("sgen", "export_limit_mw", "float", "MW", NAN, "most that its own connection takes; NaN: no limit", low=0),
    Column("sgen", "export_profile", "str", "", "", "series, p.u. of export_limit_mw: what the connection takes"),
    Column("sgen", "reverse_limit_mw", "float", "MW", NAN, "most beyond the load at its bus; NaN: no limit", low=0),
    *_each(("load",), "component", "str", "", "", "part of the load, for reports: base, ev, building, ..."),
    *_each(("load",), "profile", "str", "", "", "series of the consumption"),
    *_each(("load",), "profile_share", "float", "1", 1.0, "share of the series this row takes", low=0, high=1),
    Column("storage", "tech", "str", "", "battery", "technology"),
    Column("storage", "units", "int", "1", 1, "identical units in the row", low=1),
    Column("storage", "eta_charge", "float", "1", 0.95, "stored per charged energy", low=0.01, high=1),
    Column("storage", "eta_discharge", "float", "1", 0.95, "delivered per energy taken out", low=0.01, high=1),
    Column("storage", "loss_per_h", "float", "1/h", 0.0, "share of the stored energy lost in an hour", low=0, high=1),
    Column("storage", "charge_cost", "float", "currency/MWh", 0.0, "wear, at the terminals", low=0),
    Column("storage", "discharge_cost", "float", "currency/MWh", 0.0, "wear, at the terminals", low=0),
    Column("storage", "min_charge_mw", "float", "MW", 0.0, "least power of one unit that charges", low=0),
    Column("storage", "min_discharge_mw", "float", "MW", 0.0, "least power of one unit that discharges", low=0),
    Column("storage", "start_cost", "float", "currency", 0.0, "one start of one unit, pumping or generating", low=0),
    Column("storage", "inflow_profile", "str", "", "", "series of the natural inflow into the store, in MW"),
    Column("storage", "profile_share", "float", "1", 1.0, "share of that series this row takes", low=0, high=1),
    Column("storage", "demand_profile", "str", "", "", "series in MW taken out of the store: driving, hydrogen, heat"),
    Column("storage", "demand_share", "float", "1", 1.0, "share of that series this row serves", low=0, high=1),
    Column("storage", "charge_profile", "str", "", "", "series, p.u. of max_p_mw: what may charge in the hour"),
    Column("storage", "discharge_profile", "str", "", "", "series, p.u. of -min_p_mw: what may discharge in the hour"),
    Column("storage", "min_e_profile", "str", "", "", "series, p.u. of max_e_mwh: least energy at the hour's end"),
    Column("storage", "notice_h", "float", "h", 0.0, "discharge is called so long ahead; none in a run's first", low=0),
    Column("storage", "beside", "str", "", "", "name of a source whose ramp limit holds for both together"),
    Column("storage", "end_rule", "str", "", "fixed", "what is asked at the end of a window", choices=END_RULES),
    Column("storage", "e_end_mwh", "float", "MWh", NAN, "end_rule fixed: at least this; NaN: as at the start", low=0),
    Column("storage", "end_value", "float", "currency/MWh", 0.0, "end_rule value: worth of what is left"),
    *_each(("line", "trafo"), "emergency_rating_mva", "float", "MVA", NAN, "short-time rating of the row", low=0),
    *_each(("line", "trafo"), "rating_profile", "str", "", "", "series, p.u.: what is left of its ratings"),
    Column("trafo", "shift_controllable", "bool", "", False, "a phase shifter (not dispatched yet: its shift stays)"),
    Column("trafo", "shift_min_deg", "float", "deg", NAN, "least shift, as shift_degree counts it", low=-360, high=360),
    Column("trafo", "shift_max_deg", "float", "deg", NAN, "largest shift, likewise", low=-360, high=360),
    Column("trafo", "tap_vm_pu", "float", "p.u.", NAN, "AC check: voltage its taps hold at lv_bus; NaN: none", low=0.5),
    Column("shunt", "switched", "bool", "", False, "AC check: switched from 0 to max_step; else step stays"),
    Column("shunt", "vm_low_pu", "float", "p.u.", 0.98, "AC check: voltage below which it is switched", low=0.5),
    Column("shunt", "vm_high_pu", "float", "p.u.", 1.05, "AC check: voltage above which it is switched", low=0.5),
    *_each(_FAIL, "for_rate", "float", "1", NAN, "forced outage rate: share of the time that it is out", low=0, high=1),
    *_each(_FAIL, "mttf_h", "float", "h", NAN, "mean time from a repair to the next forced outage", low=0),
    *_each(_FAIL, "mttr_h", "float", "h", NAN, "mean length of a forced outage", low=0),
    *_each(
        ("sgen", "dcline"), "outage_parts", "int", "1", 1, "parts that fail one by one, as the poles of a DC", low=1
    ),
    Column("sgen", "outage_of", "str", "", "", "rows with the same word fail together; empty: each by itself"),
    Column("dcline", "min_p_mw", "float", "MW", 0.0, "least transfer; negative: both ways"),
    Column("dcline", "controllable", "bool", "", True, "dispatched within its limits; else fixed at p_mw"),
)
ELEMENTS = tuple(dict.fromkeys(column.element for column in COLUMNS))

_UNIT_WORDS = frozenset(
    ("h", "hour", "hours", "mw", "mwh", "mva", "kw", "pu", "percent", "mvar", "per", "eur", "cny", "t", "ton", "tons")
)
_SIMILAR = 0.82  # share of common letters above which a name is taken for a typo
_SHOWN = 3


def columns_of(element: str) -> dict[str, Column]:
    """Our columns of one pandapower table, by name."""
    return {column.name: column for column in COLUMNS if column.element == element}


def check_columns(net: Any) -> list[Problem]:
    """Everything wrong with the extra columns of `net`: typos, wrong types, values out of range."""
    problems = []
    for element in ELEMENTS:
        table = net[element]
        ours = columns_of(element)
        for name in table.columns:
            if name in ours:
                problems += _check_values(ours[name], table[name])
            elif name not in standard_columns(element):
                meant = closest(str(name), list(ours))
                if meant:
                    rule = f"is not a column of pandapower or gridsim: did you mean {meant!r}? Rename or drop it"
                    problems.append(Problem(f"{element}.{name}", rule))
    return problems


def fill_defaults(net: Any) -> None:
    """Add absent columns to `net` and fill absent values, in place. Values that are there stay.

    Two defaults depend on the row: `tech` is read from pandapower's `type` where that names one (PV, WP, CHP), and
    `curtailable` is True for wind and PV.
    """
    for column in COLUMNS:
        table = net[column.element]
        default: Any = pd.Series([column.default] * len(table), index=table.index, dtype=object)
        if column.name == "tech" and column.element in MACHINES and "type" in table:
            known = table["type"].astype("string").str.lower().map(TECH_OF_TYPE)
            default = known.astype(object).where(known.notna(), default)
        elif column.name == "curtailable":
            default = table["tech"].isin(WEATHER_TECHS)
        values = table[column.name].astype(object) if column.name in table else default
        table[column.name] = values.where(values.notna(), default).astype(_numpy_type(column))


ALL_OR_NONE = ("eta_charge", "eta_discharge")
_NUMPY_TYPE: dict[str, Any] = {"str": object, "int": np.int64, "float": np.float64, "bool": np.bool_}


def _numpy_type(column: Column) -> Any:
    """How pandas holds the column; whole numbers that may be absent are floats."""
    return np.float64 if column.default is NAN else _NUMPY_TYPE[column.dtype]


def _check_values(column: Column, values: pd.Series) -> list[Problem]:
    """Wrong type or out of range, one problem per column. Absent values are allowed: the default holds.

    Not of one store's efficiency, where others have theirs: it was forgotten.
    """
    where, present = f"{column.element}.{column.name}", values[values.notna()]
    if column.name in ALL_OR_NONE and 0 < len(present) < len(values):
        without = values.index[values.isna()].tolist()
        ids = ", ".join(f"id {index}" for index in without[:_SHOWN]) + (" ..." if len(without) > _SHOWN else "")
        rule = f"must stand with every store or with none: {len(without)} of {len(values)} without ({ids})"
        return [Problem(where, rule)]
    right = present.map(_IS_TYPE[column.dtype]).astype(bool)
    if not right.all():
        return [Problem(where, f"must be {_TYPE_WORDS[column.dtype]}: {_offenders(present[~right], len(values))}")]
    if column.dtype == "str":
        if column.choices:
            bad = present[~present.isin(column.choices)]
            return [Problem(where, f"{column.allowed}: {_offenders(bad, len(values))}")] if len(bad) else []
        if column.name == "tech":
            return _misspelt_techs(where, present)
        return []
    if column.dtype == "bool":
        return []
    number = present.astype(float)
    bad = present[~((number >= column.low) & (number <= column.high))]
    return [Problem(where, f"{column.allowed}: {_offenders(bad, len(values))}")] if len(bad) else []


def _misspelt_techs(where: str, present: pd.Series) -> list[Problem]:
    """Technologies are free words, but one that is nearly a known one is a typo."""
    problems = []
    for word in present[~present.isin(TECH_ORDER)].unique():
        meant = closest(word, list(TECH_ORDER)) if word else None
        if meant:
            ids = _offenders(present[present == word], len(present))
            problems.append(Problem(where, f"has {word!r}: did you mean {meant!r}? {ids}"))
    return problems


def _offenders(bad: pd.Series, total: int) -> str:
    shown = ", ".join(f"id {index} has {value!r}" for index, value in bad.iloc[:_SHOWN].items())
    more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return f"{len(bad)} of {total} {'is' if len(bad) == 1 else 'are'} not ({shown}{more})"


def closest(name: str, known: list[str]) -> str | None:
    """The known name that `name` was meant to be, or None if it resembles none."""
    word = name.lower().replace("-", "_").replace(" ", "_")
    for candidate in known:
        if candidate == word or _stem(candidate) == _stem(word):
            return candidate
    score, best = max((SequenceMatcher(None, word, candidate).ratio(), candidate) for candidate in known)
    return best if score >= _SIMILAR else None


def _stem(name: str) -> str:
    """The name without the units at its end: min_up_hours and min_up_h are the same word."""
    parts = name.split("_")
    while len(parts) > 1 and parts[-1] in _UNIT_WORDS:
        parts.pop()
    return "_".join(parts)


@cache
def standard_columns(element: str) -> frozenset[str]:
    """What pandapower itself may put on a table: the empty net's columns and the arguments of its create function."""
    import pandapower as pp  # two seconds: not for who has a net from the cache

    create = {
        "gen": pp.create_gen,
        "sgen": pp.create_sgen,
        "load": pp.create_load,
        "storage": pp.create_storage,
        "line": pp.create_line_from_parameters,
        "trafo": pp.create_transformer_from_parameters,
        "dcline": pp.create_dcline,
        "shunt": pp.create_shunt,
    }[element]
    arguments = set(inspect.signature(create).parameters)
    return frozenset(arguments | set(_empty_network()[element].columns))


@cache
def _empty_network() -> Any:
    import pandapower as pp

    return pp.create_empty_network()


def _is_float(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_int(value: Any) -> bool:
    return _is_float(value) and float(value).is_integer()


_IS_TYPE: dict[str, Any] = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool | np.bool_),
    "int": _is_int,
    "float": _is_float,
}
_TYPE_WORDS = {"str": "text", "bool": "True or False", "int": "a whole number", "float": "a number"}
