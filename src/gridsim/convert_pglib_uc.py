"""Unit commitment instances of pglib-uc (``.json``): thermal units and renewables at one bus, one window of all hours.

The instance's hours become one window; its date is read from the file name where that has one.
"""

import datetime as dt
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp

from gridsim.convert import Conversion
from gridsim.convert_net import add_reference, convex, empty_net, price_points
from gridsim.errors import InputError, Problem

_THERMAL = (
    "must_run",
    "power_output_minimum",
    "power_output_maximum",
    "ramp_up_limit",
    "ramp_down_limit",
    "ramp_startup_limit",
    "ramp_shutdown_limit",
    "time_up_minimum",
    "time_down_minimum",
    "power_output_t0",
    "unit_on_t0",
    "time_up_t0",
    "time_down_t0",
)
_TECH_OF_WORD = {"RTPV": "pv", "PV": "pv", "WIND": "wind_onshore", "HYDRO": "hydro", "CSP": "csp"}
_MOST_HOURS = 336


def read_pglib_uc(source: Path) -> Conversion:
    """The instance in the file `source`. Raises InputError with every problem of the file."""
    problems: list[Problem] = []
    tree = _load(source, problems)
    if tree is not None:
        _check(tree, problems)
    if tree is None or problems:
        raise InputError(str(source), problems)
    return _write(source.stem, tree)


def _load(source: Path, problems: list[Problem]) -> dict[str, Any] | None:
    if not source.is_file():
        problems.append(Problem("the file", "is missing: an instance is one .json file"))
        return None
    try:
        tree = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem("the file", f"cannot be read as text: {error}"))
        return None
    except json.JSONDecodeError as error:
        problems.append(Problem("the file", f"is not JSON: {error}"))
        return None
    keys = ("time_periods", "demand", "reserves", "thermal_generators", "renewable_generators")
    missing = [key for key in keys if not isinstance(tree, dict) or key not in tree]
    problems += [Problem(key, "is missing: not an instance of pglib-uc") for key in missing]
    return None if missing else tree


# --- checking


def _check(tree: dict[str, Any], problems: list[Problem]) -> None:
    n = tree["time_periods"]
    if not isinstance(n, int) or not 1 <= n <= _MOST_HOURS:
        problems.append(Problem("time_periods", f"must be a whole number from 1 to {_MOST_HOURS}: got {n!r}"))
        return
    for key in ("demand", "reserves"):
        _check_series(key, tree[key], n, problems)
    for key in ("thermal_generators", "renewable_generators"):
        if not isinstance(tree[key], dict):
            problems.append(Problem(key, "must be a table of generators by name"))
            return
    for name, unit in tree["thermal_generators"].items():
        _check_unit(f"thermal_generators {name}", unit, problems)
    for name, unit in tree["renewable_generators"].items():
        where = f"renewable_generators {name}"
        ends = [unit.get(f"power_output_{end}") for end in ("minimum", "maximum")]
        before = len(problems)
        for end, values in zip(("minimum", "maximum"), ends, strict=True):
            _check_series(f"{where}: power_output_{end}", values, n, problems)
        if len(problems) == before and any(a > b for a, b in zip(*ends, strict=True)):
            problems.append(Problem(where, "must have its minimum at most at its maximum in every hour"))


def _check_series(where: str, values: Any, n: int, problems: list[Problem]) -> None:
    if not isinstance(values, list) or len(values) != n or not all(_is_number(v) and v >= 0 for v in values):
        problems.append(Problem(where, f"must be a list of {n} numbers of 0 or more"))


def _check_unit(where: str, unit: dict[str, Any], problems: list[Problem]) -> None:
    bad = [key for key in _THERMAL if not _is_number(unit.get(key)) or unit[key] < 0]
    if bad:
        problems.append(Problem(where, f"must have a number of 0 or more for {', '.join(bad)}"))
        return
    low, high = unit["power_output_minimum"], unit["power_output_maximum"]
    if not low <= high:
        problems.append(Problem(where, f"must have power_output_minimum at most power_output_maximum: {low} > {high}"))
    if unit["unit_on_t0"] not in (0, 1):
        problems.append(Problem(where, "must have unit_on_t0 of 0 or 1"))
    for key, parts, axis in (("piecewise_production", ("mw", "cost"), "mw"), ("startup", ("lag", "cost"), "lag")):
        points = unit.get(key)
        if (
            not isinstance(points, list)
            or not points
            or not all(isinstance(p, dict) and all(_is_number(p.get(a)) for a in parts) for p in points)
            or any(b[axis] <= a[axis] for a, b in pairwise(points))
        ):
            problems.append(Problem(f"{where}: {key}", f"must be a list of points with {parts}, of rising {axis}"))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(value))


# --- writing


def _date(stem: str) -> tuple[dt.date, bool]:
    """The date in a file name such as rts_gmlc-2020-01-27; else 1 January 2024, and False."""
    for found in re.finditer(r"(\d{4})-(\d{2})-(\d{2})", stem):
        try:
            return dt.date(*map(int, found.groups())), True
        except ValueError:
            continue
    return dt.date(2024, 1, 1), False


def _write(stem: str, tree: dict[str, Any]) -> Conversion:
    n = tree["time_periods"]
    day, dated = _date(stem)
    how = "the calendar begins there"
    if (dt.datetime(day.year, 12, 31, 23) - dt.datetime(day.year, day.month, day.day)) < dt.timedelta(hours=n - 1):
        day, how = dt.date(day.year, 1, 1), f"1 January of {day.year} instead: a run may not pass the end of its year"
    net = empty_net(stem, 100.0)
    bus = int(pp.create_bus(net, 230.0, name="system", zone="system"))
    add_reference(net, bus)
    out = Conversion(f"pglib-uc {stem}", net, day.year, {"start": day, "hours": n, "window_h": n, "step_h": n})
    out.first_hour = np.datetime64(day, "h")
    out.sections["grid"] = {"enforce": "copper"}
    out.say("date in the file name", int(dated), "used" if how.startswith("the") else "approximated", how)
    out.say("date in the file name", int(not dated), "approximated", "there is none: 1 January 2024")
    _write_demand(out, tree, bus)
    units = [_write_unit(net, bus, name, unit) for name, unit in tree["thermal_generators"].items()]
    _say_units(out, list(tree["thermal_generators"].values()), units)
    _write_renewables(out, bus, tree["renewable_generators"])
    known = {"time_periods", "demand", "reserves", "thermal_generators", "renewable_generators"}
    others = [key for key in tree if key not in known]
    out.say(f"other keys ({', '.join(others)})", len(others), "ignored", "not part of the format")
    return out


def _write_demand(out: Conversion, tree: dict[str, Any], bus: int) -> None:
    out.series["load/system"] = tree["demand"]
    pp.create_load(out.net, bus, float(max(tree["demand"])), name="demand", profile="load/system", profile_share=1.0)
    out.say("demand", tree["time_periods"], "used", "one load; one bus without a network")
    if not any(tree["reserves"]):
        return
    out.series["reserve/spinning"] = tree["reserves"]
    product = {"name": "spinning", "direction": "up", "within_min": 60.0, "spinning": True}
    out.products.append(product | {"series": "reserve/spinning"})
    out.say("spinning reserve", tree["time_periods"], "used", "one product up, from committed thermal units")
    how = (
        "here output and reserve of a unit together rise within its ramp limit, and within its limits at start and "
        "stop; the product asks for room below the maximum only"
    )
    out.say("reserve inside ramps", 1, "approximated", how)


def _write_unit(net: Any, bus: int, name: str, unit: dict[str, Any]) -> set[str]:
    """One gen row; returns what had to be approximated."""
    said: set[str] = set()
    low, high = float(unit["power_output_minimum"]), float(unit["power_output_maximum"])
    lags, costs = ([p[key] for p in unit["startup"]] for key in ("lag", "cost"))
    rising = list(np.maximum.accumulate(costs))
    if rising != costs:
        said.add("startup")
    row: dict[str, Any] = {
        "must_run": bool(unit["must_run"]),
        "min_up_h": max(int(np.ceil(unit["time_up_minimum"])), 1),
        "min_down_h": max(int(np.ceil(unit["time_down_minimum"])), 1),
        "ramp_up_mw_per_h": _limit(unit["ramp_up_limit"], high),
        "ramp_down_mw_per_h": _limit(unit["ramp_down_limit"], high),
        "start_ramp_mw": _limit(max(unit["ramp_startup_limit"], low), high),
        "stop_ramp_mw": _limit(max(unit["ramp_shutdown_limit"], low), high),
        "initial_on": int(unit["unit_on_t0"]),
        "initial_hours": max(int(unit["time_up_t0" if unit["unit_on_t0"] else "time_down_t0"]), 1),
        "initial_p_mw": float(unit["power_output_t0"]),
    }
    if min(unit["ramp_startup_limit"], unit["ramp_shutdown_limit"]) < low:
        said.add("start_ramp")
    if len(set(rising)) == 1:
        row["start_cost"] = float(rising[0])
    else:
        text = " ".join(f"{int(lag)}:{cost:.12g}" for lag, cost in zip(lags, rising, strict=True))
        row["start_cost_by_hours_off"] = text
    index = pp.create_gen(
        net, bus, low, name=name, min_p_mw=low, max_p_mw=high, tech="thermal", reserve_up=True, reserve_down=False
    )
    for column, value in row.items():
        net.gen.loc[index, column] = value
    points, left = convex([(float(p["mw"]), float(p["cost"])) for p in unit["piecewise_production"]])
    if left:
        said.add("convex")
    rest = price_points(net, "gen", int(index), points, low, high)
    if rest < 0:
        said.add("negative")
    net.gen.loc[index, "no_load_cost"] = max(rest, 0.0)
    return said


def _limit(value: float, high: float) -> float:
    """A limit in MW, NaN where it does not limit a unit of `high` MW."""
    return float(value) if value < high else np.nan


def _say_units(out: Conversion, units: list[dict[str, Any]], said: list[set[str]]) -> None:
    gen = out.net.gen
    for column, kind in (("must_run", bool), ("min_up_h", int), ("min_down_h", int)):
        if column in gen:
            gen[column] = gen[column].astype(kind)
    out.say("thermal units", len(units), "used", "gen rows of one unit each: limits, must-run, minimum times")
    out.say("production cost curves", len(units), "used", "piecewise linear from the minimum on, exact")
    out.say("production cost curves", sum("convex" in s for s in said), "approximated", "their lower convex hull")
    how = "a negative cost at a minimum of 0 MW: taken as 0 there"
    out.say("production cost curves", sum("negative" in s for s in said), "approximated", how)
    many = sum(len(u["startup"]) > 1 for u in units)
    out.say("start costs of one category", len(units) - many, "used", "start_cost")
    out.say("start costs by hours off", many, "used", "start_cost_by_hours_off")
    how = "cheaper after more hours off: the highest cost so far"
    out.say("start costs", sum("startup" in s for s in said), "approximated", how)
    out.say("ramp limits", len(units), "used", "up and down; left out where they exceed the maximum output")
    out.say("start-up and shut-down limits", len(units), "used", "most output in the first and the last hour on")
    how = "below the minimum output: the minimum output"
    out.say("start-up and shut-down limits", sum("start_ramp" in s for s in said), "approximated", how)
    out.say("states before the first hour", len(units), "used", "on or off, hours in that state, output")


def _write_renewables(out: Conversion, bus: int, units: dict[str, Any]) -> None:
    """A part that must be taken (its minimum) and a part that may be curtailed (what is above), as they are there."""
    counts = {"fixed": 0, "free": 0, "both": 0, "none": 0}
    for name, unit in units.items():
        low, high = (np.array(unit[f"power_output_{end}"], dtype=np.float64) for end in ("minimum", "maximum"))
        parts = {"": (high, bool((low < high).any()))}
        kind = "fixed" if not (low < high).any() else "free"
        if low.any() and (low < high).any():
            parts, kind = {" minimum": (low, False), "": (high - low, True)}, "both"
        counts[kind if high.any() else "none"] += 1
        word = next((w for w in re.split(r"[_\W]+", name.upper()) if w in _TECH_OF_WORD), "")
        for suffix, (values, curtailable) in parts.items():
            series = f"renewable/{name}{suffix}"
            out.series[series] = values
            index = pp.create_sgen(
                out.net,
                bus,
                0.0,
                name=name + suffix,
                min_p_mw=0.0,
                max_p_mw=float(values.max()),
                tech=_TECH_OF_WORD.get(word, "renewable"),
                profile=series,
                profile_share=1.0,
                curtailable=curtailable,
            )
            pp.create_poly_cost(out.net, index, "sgen", 0.0)
    out.say("renewables with minimum = maximum", counts["fixed"], "used", "schedules that must be taken")
    out.say("renewables with a minimum of 0", counts["free"], "used", "available power, may be curtailed")
    out.say("renewables with a minimum between", counts["both"], "used", "two rows: the minimum, and what is above it")
    out.say("renewables that are always 0", counts["none"], "used", "without capacity")
