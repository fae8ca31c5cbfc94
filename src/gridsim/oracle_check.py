"""Are the arrays of a window what they should be? Asked before HiGHS sees them.

Broadcasting forgives much, and HiGHS takes crossed bounds for an infeasible window: every contradiction is named here,
by field.
"""

from typing import Any

import numpy as np

from gridsim.errors import InputError
from gridsim.errors import Problem as Found
from gridsim.kernels.jit import BoolArray
from gridsim.kernels.problem import Problem, Rows

_HOURLY = {
    "units": {"avail"},
    "boxes": {"lo", "hi", "cost"},
    "ramps": {"base", "up", "down", "seg_width", "seg_cost"},
    "stores": {"charge_min", "charge_max", "discharge_min", "discharge_max", "inflow", "spill_max", "e_lo", "e_hi"},
}
_ENDLESS = {"boxes.hi", "ramps.up", "ramps.down"}  # inf: no limit


def check(problem: Problem, rows: Rows) -> None:
    """Refuse arrays that would be broadcast, or solved, into something nobody meant.

    Raises
    ------
    InputError
        With every field whose shape or numbers are wrong; if all have a shape and are finite, with every field that
        contradicts another.
    """
    found = _shapes(problem, rows)
    if not found:
        found = _limits(problem, rows) + _places(problem, rows)
    if found:
        raise InputError("window", found)


def _shapes(problem: Problem, rows: Rows) -> list[Found]:
    """Fields of another shape than the statement's, or with numbers that are not finite."""
    if np.ndim(problem.need) != 2 or not np.shape(problem.need)[1]:
        return [Found("need", f"must have shape (T, R) with R >= 1, has {np.shape(problem.need)}")]
    n_hours, n_prices = problem.need.shape
    wanted: dict[str, tuple[Any, tuple[int, ...]]] = {"need": (problem.need, (n_hours, n_prices))}
    for name, segments in (("units", "seg_unit"), ("boxes", "bus"), ("ramps", "seg_ramp"), ("stores", "bus")):
        part = getattr(problem, name)
        for field, value in part._asdict().items():
            shape: tuple[int, ...] = (np.size(getattr(part, segments if field.startswith("seg_") else "bus")),)
            if field in _HOURLY[name]:
                shape = (n_hours, *shape)
            elif field in ("coef", "seg_coef"):
                shape = (*shape, n_prices)
            wanted[f"{name}.{field}"] = (value, shape)
    counts = {"hours": n_hours, "unit": np.size(problem.units.bus), "seg": np.size(problem.units.seg_unit)}
    counts |= {"box": np.size(problem.boxes.bus), "ramp_seg": np.size(problem.ramps.seg_ramp)}
    nq = np.size(problem.budgets.limit)
    for field, value in problem.budgets._asdict().items() if nq else ():
        wanted[f"budgets.{field}"] = (value, (nq, counts[field]) if field in counts else (nq,))
    nm = np.size(rows.hour)
    wanted |= {f"rows.{field}": (getattr(rows, field), (nm,)) for field in ("hour", "limit", "cost")}
    wanted["rows.coef"] = (rows.coef, (nm, np.shape(rows.coef)[-1]))
    found = []
    for where, (value, shape) in wanted.items():
        if np.shape(value) != shape:
            found.append(Found(where, f"must have shape {shape}, has {np.shape(value)}"))
        elif np.isnan(value).any() or (np.isinf(value).any() and where not in _ENDLESS):
            bad = int((~np.isfinite(value)).sum())
            found.append(Found(where, f"must be finite: {bad} of {value.size} are not"))
    return found


def _limits(problem: Problem, rows: Rows) -> list[Found]:
    """Crossed bounds, and numbers of the wrong sign."""
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    bounds = (
        ("boxes.hi", boxes.lo, boxes.hi),
        ("ramps.up", -ramps.down, ramps.up),
        ("stores.charge_max", stores.charge_min, stores.charge_max),
        ("stores.discharge_max", stores.discharge_min, stores.discharge_max),
        ("stores.e_hi", stores.e_lo, stores.e_hi),
        ("budgets.cost", problem.budgets.value, problem.budgets.cost),
    )
    found = [_some(where, hi < lo, "must not be less than its lower bound") for where, lo, hi in bounds]
    for where, value in (
        ("units.avail", units.avail),
        ("units.on0", units.on0),
        ("units.start_cost", units.start_cost),
        ("ramps.seg_width", ramps.seg_width),
        ("stores.charge_min", stores.charge_min),
        ("stores.discharge_min", stores.discharge_min),
        ("stores.spill_max", stores.spill_max),
        ("rows.cost", rows.cost),
        ("budgets.value", problem.budgets.value),
    ):
        found.append(_some(where, value < 0.0, "must not be negative"))
    for where, value in (
        ("units.seg_width", units.seg_width),
        ("stores.eta_c", stores.eta_c),
        ("stores.eta_d", stores.eta_d),
        ("stores.keep", stores.keep),
    ):
        found.append(_some(where, value <= 0.0, "must be greater than 0"))
    for where, coef in (("units.seg_coef", units.seg_coef), ("ramps.seg_coef", ramps.seg_coef)):
        found.append(_some(where, coef[:, 0] != 1.0, "must be 1 in the balance, column 0"))
    for where, of, cost in (
        ("units.seg_cost", units.seg_unit, units.seg_cost[None]),
        ("ramps.seg_cost", ramps.seg_ramp, ramps.seg_cost),
    ):
        falls = (np.diff(cost, axis=1) < 0.0) & (np.diff(of) == 0)
        found.append(_some(where, falls, "must not fall from a segment to the next"))
    return [one for one in found if one is not None]


def _places(problem: Problem, rows: Rows) -> list[Found]:
    """Positions that are none, or not in their order."""
    n_hours, nm, found = problem.need.shape[0], rows.hour.size, []
    places = [("rows.hour", rows.hour, n_hours)]
    for where, of, bus in (
        ("units.seg_unit", problem.units.seg_unit, problem.units.bus),
        ("ramps.seg_ramp", problem.ramps.seg_ramp, problem.ramps.bus),
    ):
        places.append((where, of, bus.size))
    if nm:
        parts = {name: getattr(problem, name).bus for name in ("units", "boxes", "ramps", "stores")}
        places += [(f"{name}.bus", bus, rows.coef.shape[1]) for name, bus in parts.items()]
    for where, at, count in places:
        if at.size and (at.min() < 0 or at.max() >= count):
            columns = ", columns of H" if where.endswith(".bus") else ""
            found.append(Found(where, f"must lie in 0..{count - 1}{columns}"))
    for where, at, _ in places[:3]:
        if (np.diff(at) < 0).any():
            found.append(Found(where, "must be sorted"))
    bare = np.setdiff1d(np.arange(problem.units.bus.size), problem.units.seg_unit)
    if bare.size:
        found.append(Found("units.seg_unit", f"must name every group: {bare.size} have no segment (first {bare[0]})"))
    return found


def _some(where: str, bad: BoolArray, rule: str) -> Found | None:
    """What to say if some entries break a rule."""
    if not bad.any():
        return None
    first = tuple(map(int, np.argwhere(bad)[0]))
    return Found(where, f"{rule}: broken by {bad.sum()} of {bad.size} (first at {first})")
