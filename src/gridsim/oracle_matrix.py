"""The window problem written as one sparse linear program, for HiGHS.

Numbers, signs and order are those of ``gridsim.kernels.problem``; every block of columns and of rows is found by name.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from gridsim import errors
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Problem, Rows


@dataclass(frozen=True)
class Model:
    """min cost.y with row_lo <= matrix y <= row_hi, col_lo <= y <= col_hi; where each quantity stands in y."""

    cost: FloatArray  # (n,)
    matrix: sp.csc_matrix  # (m, n)
    col_lo: FloatArray  # (n,)
    col_hi: FloatArray  # (n,) inf where only a row bounds the column
    row_lo: FloatArray  # (m,)
    row_hi: FloatArray  # (m,)
    whole: IntArray  # (n,) 1: takes whole numbers only, when solved so
    columns: dict[str, IntArray]  # u v q x p charge discharge e (T, .), overload (nm,)
    rows: dict[str, IntArray]  # balance up down (T,), segment start ramp store (T, .), line (nm,)


@dataclass(frozen=True)
class _Draft:
    """A matrix in the making."""

    row: dict[str, IntArray]
    col: dict[str, IntArray]
    entries: "Triplets"
    row_lo: FloatArray  # (m,) updated
    row_hi: FloatArray  # (m,) updated


class Triplets:
    """Gathers matrix entries block by block; zeros are left out."""

    def __init__(self) -> None:
        self.row: list[IntArray] = []
        self.col: list[IntArray] = []
        self.value: list[FloatArray] = []

    def add(self, row: ArrayLike, col: ArrayLike, value: ArrayLike) -> None:
        r, c, v = np.broadcast_arrays(row, col, np.asarray(value, dtype=float))
        keep = v != 0.0
        self.row.append(r[keep])
        self.col.append(c[keep])
        self.value.append(v[keep])

    def matrix(self, shape: tuple[int, int]) -> sp.csc_matrix:
        entries = (np.concatenate(self.value), (np.concatenate(self.row), np.concatenate(self.col)))
        return sp.coo_matrix(entries, shape=shape).tocsc()


def number(shapes: dict[str, tuple[int, ...]], first: int = 0) -> tuple[dict[str, IntArray], int]:
    """Give every entry of every block its position, block after block; return the first free one too."""
    positions = {}
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        positions[name] = np.arange(first, first + size).reshape(shape)
        first += size
    return positions, first


def no_rows(columns: int = 0) -> Rows:
    """Line rows where none is in force."""
    none = np.zeros(0)
    return Rows(hour=np.zeros(0, np.int64), coef=np.zeros((0, columns)), limit=none, cost=none)


def build(problem: Problem, rows: Rows | None = None) -> Model:
    """Write a window as one sparse linear program; no line rows if `rows` is None.

    Raises
    ------
    InputError
        If shapes disagree, a bound is crossed or a number is not finite, with every such place.
    """
    rows = no_rows() if rows is None else rows
    _check(problem, rows)
    n_hours = problem.demand.size
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    nu, nk, nx, nr, ns = units.bus.size, units.seg_unit.size, boxes.bus.size, ramps.bus.size, stores.bus.size
    shapes: dict[str, tuple[int, ...]] = {"u": (n_hours, nu), "v": (n_hours, nu), "q": (n_hours, nk)}
    shapes |= {"x": (n_hours, nx), "p": (n_hours, nr), "charge": (n_hours, ns), "discharge": (n_hours, ns)}
    shapes |= {"e": (n_hours, ns), "overload": (rows.hour.size,)}
    col, n = number(shapes)
    shapes = dict.fromkeys(("balance", "up", "down"), (n_hours,))
    shapes |= {"segment": (n_hours, nk), "start": (n_hours, nu), "ramp": (n_hours, nr), "store": (n_hours, ns)}
    shapes |= {"line": (rows.hour.size,)}
    row, m = number(shapes)

    draft = _Draft(row, col, Triplets(), row_lo=np.full(m, -np.inf), row_hi=np.full(m, np.inf))
    entries, row_lo, row_hi = draft.entries, draft.row_lo, draft.row_hi
    _couple(problem, rows, draft)

    entries.add(row["segment"], col["q"], 1.0)
    entries.add(row["segment"], col["u"][:, units.seg_unit], -units.seg_width)
    row_hi[row["segment"]] = 0.0

    before = np.zeros((n_hours, nu))  # the constant u_(-1) of the first hour
    if n_hours:
        before[0] = units.on0
    entries.add(row["start"], col["v"], 1.0)
    entries.add(row["start"], col["u"], -1.0)
    entries.add(row["start"][1:], col["u"][:-1], 1.0)
    row_lo[row["start"]] = -before

    entries.add(row["ramp"], col["p"], 1.0)
    entries.add(row["ramp"][1:], col["p"][:-1], -1.0)
    row_lo[row["ramp"]], row_hi[row["ramp"]] = -ramps.limit, ramps.limit
    row_lo[row["ramp"][:1]] += ramps.p0
    row_hi[row["ramp"][:1]] += ramps.p0

    entries.add(row["store"], col["e"], 1.0)
    entries.add(row["store"][1:], col["e"][:-1], -stores.keep)
    entries.add(row["store"], col["charge"], -stores.eta_c)
    entries.add(row["store"], col["discharge"], 1.0 / stores.eta_d)
    row_lo[row["store"]] = row_hi[row["store"]] = 0.0
    row_lo[row["store"][:1]] = row_hi[row["store"][:1]] = stores.keep * stores.e0

    cost, col_lo, col_hi = np.zeros(n), np.zeros(n), np.full(n, np.inf)
    whole = np.zeros(n, np.int64)
    cost[col["u"]], cost[col["v"]], cost[col["q"]] = units.cost, units.start_cost, units.seg_cost
    cost[col["x"]], cost[col["p"]], cost[col["overload"]] = boxes.cost, ramps.cost, rows.cost
    cost[col["charge"]], cost[col["discharge"]] = stores.charge_cost, stores.discharge_cost
    cost[col["e"][-1:]] = -stores.end_value
    col_hi[col["u"]] = units.avail
    col_lo[col["x"]], col_hi[col["x"]] = boxes.lo, boxes.hi
    col_lo[col["p"]], col_hi[col["p"]] = ramps.lo, ramps.hi
    col_hi[col["charge"]], col_hi[col["discharge"]] = stores.charge_max, stores.discharge_max
    col_lo[col["e"]], col_hi[col["e"]] = stores.e_lo, stores.e_hi
    return Model(cost, entries.matrix((m, n)), col_lo, col_hi, row_lo, row_hi, whole, col, row)


def _couple(problem: Problem, rows: Rows, draft: _Draft) -> None:
    """Write the rows that join devices: balance, reserve up and down, lines."""
    row, col, entries, row_lo, row_hi = draft.row, draft.col, draft.entries, draft.row_lo, draft.row_hi
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    balance, up, down, line = row["balance"][:, None], row["up"][:, None], row["down"][:, None], row["line"][:, None]
    seg_up, seg_down = units.up[units.seg_unit], units.down[units.seg_unit]
    p_max = np.bincount(units.seg_unit, weights=units.seg_width, minlength=units.bus.size)  # above p_min, of one unit
    entries.add(balance, col["u"], units.p_min)
    entries.add(balance, col["q"], 1.0)
    entries.add(balance, col["x"], boxes.bal)
    entries.add(balance, col["p"], 1.0)
    entries.add(balance, col["discharge"], 1.0)
    entries.add(balance, col["charge"], -1.0)
    entries.add(up, col["u"], units.up * p_max)
    entries.add(up, col["q"], -seg_up)
    entries.add(up, col["x"], boxes.up)
    entries.add(down, col["q"], seg_down)
    entries.add(down, col["x"], boxes.down)
    row_lo[row["balance"]] = row_hi[row["balance"]] = problem.demand
    row_lo[row["up"]], row_lo[row["down"]] = problem.reserve_up, problem.reserve_down

    hour, coef = rows.hour, rows.coef
    if hour.size:
        entries.add(line, col["u"][hour], coef[:, units.bus] * units.p_min)
        entries.add(line, col["q"][hour], coef[:, units.bus[units.seg_unit]])
        entries.add(line, col["x"][hour], coef[:, boxes.bus] * boxes.line)
        entries.add(line, col["p"][hour], coef[:, ramps.bus])
        entries.add(line, col["discharge"][hour], coef[:, stores.bus])
        entries.add(line, col["charge"][hour], -coef[:, stores.bus])
        entries.add(row["line"], col["overload"], -1.0)
        row_hi[row["line"]] = rows.limit


def dual_objective(model: Model, row_dual: FloatArray) -> float:
    """Lower bound on the optimum that any row prices give: min over the column bounds of the Lagrangian.

    True for prices that are only nearly feasible too: a price of the wrong sign counts as zero, and columns without an
    upper bound of their own get the one that their row implies (q <= seg_width avail, v <= u <= avail, an
    overload its row's largest flow).
    """
    no_lo, no_hi = np.isinf(model.row_lo), np.isinf(model.row_hi)
    y = np.where(no_lo, np.minimum(row_dual, 0.0), np.where(no_hi, np.maximum(row_dual, 0.0), row_dual))
    y[no_lo & no_hi] = 0.0
    reduced = model.cost - model.matrix.T @ y
    col_hi, col, row = model.col_hi.copy(), model.columns, model.rows
    col_hi[col["v"]] = model.col_hi[col["u"]]
    segment = model.matrix[row["segment"].ravel()]
    width = -segment.minimum(0.0)  # the seg_width entries on u
    col_hi[col["q"]] = (width @ np.where(np.isfinite(model.col_hi), model.col_hi, 0.0)).reshape(col["q"].shape)
    line = model.matrix[row["line"]]
    sinks = line.copy()
    sinks.data = np.abs(sinks.data)
    reach = np.maximum(np.abs(model.col_lo), np.abs(np.where(np.isfinite(col_hi), col_hi, 0.0)))
    col_hi[col["overload"]] = sinks @ reach + np.abs(model.row_hi[row["line"]])
    bound = np.where(reduced >= 0.0, model.col_lo, col_hi)
    held = np.where(y >= 0.0, model.row_lo, model.row_hi)
    priced, reducing = y != 0.0, (reduced != 0.0) & np.isfinite(bound)
    return float(y[priced] @ held[priced] + reduced[reducing] @ bound[reducing])


def _check(problem: Problem, rows: Rows) -> None:
    """Refuse arrays that would be broadcast, or solved, into something nobody meant."""
    found: list[errors.Problem] = []
    n_hours = problem.demand.size
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    sizes = {"units": units.bus.size, "boxes": boxes.bus.size, "ramps": ramps.bus.size, "stores": stores.bus.size}
    hourly = {"avail", "charge_max", "discharge_max", "e_lo", "e_hi", "lo", "hi"}
    wanted: dict[str, tuple[Any, tuple[int, ...]]] = {
        "demand": (problem.demand, (n_hours,)),
        "reserve_up": (problem.reserve_up, (n_hours,)),
        "reserve_down": (problem.reserve_down, (n_hours,)),
    }
    for name, part in (("units", units), ("boxes", boxes), ("ramps", ramps), ("stores", stores)):
        for field, value in part._asdict().items():
            by_hour = field in hourly or (field == "cost" and name in ("boxes", "ramps"))
            size = units.seg_unit.size if field.startswith("seg_") else sizes[name]
            wanted[f"{name}.{field}"] = (value, (n_hours, size) if by_hour else (size,))
    nm = rows.hour.size
    wanted |= {f"rows.{field}": (getattr(rows, field), (nm,)) for field in ("hour", "limit", "cost")}
    wanted["rows.coef"] = (rows.coef, (nm, np.shape(rows.coef)[-1]))
    endless = {"boxes.hi", "ramps.hi", "ramps.limit"}  # inf means no limit
    for where, (value, shape) in wanted.items():
        if np.shape(value) != shape:
            found.append(errors.Problem(where, f"must have shape {shape}, has {np.shape(value)}"))
        elif np.isnan(value).any() or (np.isinf(value).any() and where not in endless):
            bad = int((~np.isfinite(value)).sum())
            found.append(errors.Problem(where, f"must be finite: {bad} of {value.size} are not"))
    if found:
        raise errors.InputError("window", found)
    for where, lo, hi in (
        ("boxes.hi", boxes.lo, boxes.hi),
        ("ramps.hi", ramps.lo, ramps.hi),
        ("stores.e_hi", stores.e_lo, stores.e_hi),
        ("units.avail", 0.0, units.avail),
        ("stores.charge_max", 0.0, stores.charge_max),
        ("stores.discharge_max", 0.0, stores.discharge_max),
        ("units.seg_width", 0.0, units.seg_width),
    ):
        if (crossed := np.asarray(hi < lo)).any():
            rule = f"must not be less than its lower bound: {crossed.sum()} of {crossed.size} are"
            found.append(errors.Problem(where, f"{rule} (first at {tuple(map(int, np.argwhere(crossed)[0]))})"))
    if nm and (rows.hour.min() < 0 or rows.hour.max() >= n_hours):
        found.append(errors.Problem("rows.hour", f"must lie in 0..{n_hours - 1}"))
    if units.seg_unit.size and (units.seg_unit.min() < 0 or units.seg_unit.max() >= units.bus.size):
        found.append(errors.Problem("units.seg_unit", f"must lie in 0..{units.bus.size - 1}"))
    if nm:
        for name, bus in (("units", units.bus), ("boxes", boxes.bus), ("ramps", ramps.bus), ("stores", stores.bus)):
            if bus.size and (bus.min() < 0 or bus.max() >= rows.coef.shape[1]):
                found.append(errors.Problem(f"{name}.bus", f"must lie in 0..{rows.coef.shape[1] - 1}, columns of H"))
    if found:
        raise errors.InputError("window", found)
