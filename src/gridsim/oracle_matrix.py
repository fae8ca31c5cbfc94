"""The window problem written as one sparse linear program, for HiGHS.

Numbers, signs and order are those of ``gridsim.kernels.problem``; every block of columns and of rows is found by name.
The output that a ramped device has whatever its segments do, `base`, counts in the balance, on lines and for its ramps;
it is no column, so its share of a row stands on the right-hand side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Problem, Rows
from gridsim.oracle_check import check


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
    columns: dict[str, IntArray]  # u v q x ramp_q charge discharge spill e (T, .), overload (nm,), excess left (nq,)
    # balance (T,), reserve (T, R - 1), segment start ramp store (T, .), line (nm,), budget (nq,)
    rows: dict[str, IntArray]
    constant: float = 0.0  # cost that no column has a part in


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


def number(shapes: Mapping[str, tuple[int, ...]], first: int = 0) -> tuple[dict[str, IntArray], int]:
    """Give every entry of every block its position, block after block; return the first free one too."""
    positions = {}
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        positions[name] = np.arange(first, first + size).reshape(shape)
        first += size
    return positions, first


def grown(model: Model, columns: Mapping[str, tuple[int, ...]], rows: Mapping[str, tuple[int, ...]]) -> Model:
    """A copy with further blocks: columns from 0 up without cost, rows without entries or bounds."""
    m, n = model.matrix.shape
    col, width = number(columns, n)
    row, height = number(rows, m)
    matrix = model.matrix.copy()
    matrix.resize((height, width))

    def longer(values: NDArray[Any], size: int, fill: float) -> NDArray[Any]:
        return np.concatenate([values, np.full(size - values.size, fill, values.dtype)])

    return Model(
        cost=longer(model.cost, width, 0.0),
        matrix=matrix,
        col_lo=longer(model.col_lo, width, 0.0),
        col_hi=longer(model.col_hi, width, np.inf),
        row_lo=longer(model.row_lo, height, -np.inf),
        row_hi=longer(model.row_hi, height, np.inf),
        whole=longer(model.whole, width, 0),
        columns=model.columns | col,
        rows=model.rows | row,
        constant=model.constant,
    )


def with_entries(model: Model, entries: Triplets) -> Model:
    """The model with entries added to its matrix."""
    return replace(model, matrix=(model.matrix + entries.matrix(model.matrix.shape)).tocsc())


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
    check(problem, rows)
    n_hours, n_prices = problem.need.shape
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    nu, nk, nx, ns = units.bus.size, units.seg_unit.size, boxes.bus.size, stores.bus.size
    nr, nkr, nm, nq = ramps.bus.size, ramps.seg_ramp.size, rows.hour.size, problem.budgets.limit.size
    wide = {"u": nu, "v": nu, "q": nk, "x": nx, "ramp_q": nkr, "charge": ns, "discharge": ns, "spill": ns, "e": ns}
    single: dict[str, tuple[int, ...]] = {"overload": (nm,), "excess": (nq,), "left": (nq,)}
    col, n = number({name: (n_hours, width) for name, width in wide.items()} | single)
    wide = {"reserve": n_prices - 1, "segment": nk, "start": nu, "ramp": nr, "store": ns}
    shapes = {"balance": (n_hours,)} | {name: (n_hours, width) for name, width in wide.items()}
    shapes |= {"line": (nm,), "budget": (nq,)}
    row, m = number(shapes)

    draft = _Draft(row, col, Triplets(), row_lo=np.full(m, -np.inf), row_hi=np.full(m, np.inf))
    _couple(problem, draft)
    _watch(problem, rows, draft)
    _commit(problem, draft)
    _ramp(problem, draft)
    _store(problem, draft)
    _budget(problem, draft)

    cost, col_lo, col_hi = np.zeros(n), np.zeros(n), np.full(n, np.inf)
    cost[col["u"]], cost[col["v"]], cost[col["q"]] = units.cost, units.start_cost, units.seg_cost
    cost[col["x"]], cost[col["ramp_q"]], cost[col["overload"]] = boxes.cost, ramps.seg_cost, rows.cost
    cost[col["charge"]], cost[col["discharge"]] = stores.charge_cost, stores.discharge_cost
    cost[col["e"][-1:]] = -stores.end_value
    cost[col["excess"]], cost[col["left"]] = problem.budgets.cost, -problem.budgets.value
    col_hi[col["excess"]] = col_hi[col["left"]] = _budget_reach(problem)
    col_hi[col["u"]] = units.avail
    col_hi[col["ramp_q"]] = ramps.seg_width
    col_hi[col["spill"]] = stores.spill_max
    for name, lo, hi in (
        ("x", boxes.lo, boxes.hi),
        ("charge", stores.charge_min, stores.charge_max),
        ("discharge", stores.discharge_min, stores.discharge_max),
        ("e", stores.e_lo, stores.e_hi),
    ):
        col_lo[col[name]], col_hi[col[name]] = lo, hi
    matrix = draft.entries.matrix((m, n))
    kept = float(problem.budgets.value @ problem.budgets.limit)
    return Model(cost, matrix, col_lo, col_hi, draft.row_lo, draft.row_hi, np.zeros(n, np.int64), col, row, kept)


def _couple(problem: Problem, draft: _Draft) -> None:
    """Write the rows of the hour, which devices share: balance and reserve products."""
    row, col, entries = draft.row, draft.col, draft.entries
    hourly = np.column_stack([row["balance"], row["reserve"]])  # (T, R)
    for r in range(hourly.shape[1]):
        at = hourly[:, r, None]
        entries.add(at, col["u"], problem.units.coef[:, r])
        entries.add(at, col["q"], problem.units.seg_coef[:, r])
        entries.add(at, col["x"], problem.boxes.coef[:, r])
        entries.add(at, col["ramp_q"], problem.ramps.seg_coef[:, r])
    balance = row["balance"]
    entries.add(balance[:, None], col["discharge"], 1.0)
    entries.add(balance[:, None], col["charge"], -1.0)
    draft.row_lo[hourly] = problem.need
    draft.row_lo[balance] -= problem.ramps.base.sum(axis=1)
    draft.row_hi[balance] = draft.row_lo[balance]


def _watch(problem: Problem, rows: Rows, draft: _Draft) -> None:
    """Write the line rows."""
    if not rows.hour.size:
        return
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    col, entries, hour, coef = draft.col, draft.entries, rows.hour, rows.coef
    line = draft.row["line"][:, None]
    entries.add(line, col["u"][hour], coef[:, units.bus] * units.coef[:, 0])
    entries.add(line, col["q"][hour], coef[:, units.bus[units.seg_unit]])
    entries.add(line, col["x"][hour], coef[:, boxes.bus] * boxes.line)
    entries.add(line, col["ramp_q"][hour], coef[:, ramps.bus[ramps.seg_ramp]])
    entries.add(line, col["discharge"][hour], coef[:, stores.bus])
    entries.add(line, col["charge"][hour], -coef[:, stores.bus])
    entries.add(draft.row["line"], col["overload"], -1.0)
    draft.row_hi[draft.row["line"]] = rows.limit - (coef[:, ramps.bus] * ramps.base[hour]).sum(axis=1)


def _commit(problem: Problem, draft: _Draft) -> None:
    """Write the rows of committed units: segments within the units on, starts of the rises."""
    row, col, entries, units = draft.row, draft.col, draft.entries, problem.units
    entries.add(row["segment"], col["q"], 1.0)
    entries.add(row["segment"], col["u"][:, units.seg_unit], -units.seg_width)
    draft.row_hi[row["segment"]] = 0.0

    entries.add(row["start"], col["v"], 1.0)
    entries.add(row["start"], col["u"], -1.0)
    entries.add(row["start"][1:], col["u"][:-1], 1.0)
    draft.row_lo[row["start"]] = 0.0
    draft.row_lo[row["start"][:1]] = -units.on0  # the constant u_(-1)


def _ramp(problem: Problem, draft: _Draft) -> None:
    """Write the rises and falls of ramped devices."""
    row, col, entries, ramps = draft.row, draft.col, draft.entries, problem.ramps
    entries.add(row["ramp"][:, ramps.seg_ramp], col["ramp_q"], 1.0)
    entries.add(row["ramp"][1:, ramps.seg_ramp], col["ramp_q"][:-1], -1.0)
    rise = np.diff(ramps.base, axis=0, prepend=ramps.p0[None])  # what `base` does by itself
    draft.row_lo[row["ramp"]], draft.row_hi[row["ramp"]] = -ramps.down - rise, ramps.up - rise


def _store(problem: Problem, draft: _Draft) -> None:
    """Write the energy of stores from hour to hour."""
    row, col, entries, stores = draft.row, draft.col, draft.entries, problem.stores
    entries.add(row["store"], col["e"], 1.0)
    entries.add(row["store"][1:], col["e"][:-1], -stores.keep)
    entries.add(row["store"], col["charge"], -stores.eta_c)
    entries.add(row["store"], col["discharge"], 1.0 / stores.eta_d)
    entries.add(row["store"], col["spill"], 1.0)
    draft.row_lo[row["store"]] = stores.inflow
    draft.row_lo[row["store"][:1]] += stores.keep * stores.e0
    draft.row_hi[row["store"]] = draft.row_lo[row["store"]]


def _budget(problem: Problem, draft: _Draft) -> None:
    """Write the budget rows."""
    row, col, entries, budgets = draft.row["budget"], draft.col, draft.entries, problem.budgets
    for q, hours in enumerate(budgets.hours):
        for name, use in (("u", budgets.unit), ("q", budgets.seg), ("x", budgets.box), ("ramp_q", budgets.ramp_seg)):
            entries.add(row[q], col[name], hours[:, None] * use[q])
    entries.add(row, col["left"], 1.0)
    entries.add(row, col["excess"], -1.0)
    draft.row_lo[row] = draft.row_hi[row] = budgets.limit


def _budget_reach(problem: Problem) -> FloatArray:
    """(nq,) a bound on what may be left of each budget, or used beyond it: nothing is lost by it."""
    budgets, units, boxes, ramps = problem.budgets, problem.units, problem.boxes, problem.ramps
    if not budgets.limit.size:
        return np.zeros(0)
    most = np.abs(budgets.unit) @ units.avail.T + np.abs(budgets.ramp_seg) @ ramps.seg_width.T
    most += np.abs(budgets.seg) @ (units.seg_width * units.avail[:, units.seg_unit]).T
    most += np.abs(budgets.box) @ np.maximum(np.abs(boxes.lo), np.abs(boxes.hi)).T
    reach: FloatArray = (budgets.hours * most).sum(axis=1) + np.abs(budgets.limit)
    return reach


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
    return float(y[priced] @ held[priced] + reduced[reducing] @ bound[reducing]) + model.constant
