"""The window problem restated for HiGHS: the reference of the tests, and the engine ``highs`` for a second opinion.

`build` writes the problem of ``gridsim.kernels.problem`` as one sparse matrix, `solve_lp` solves it with on-counts
relaxed (or fixed), `solve_milp` with whole units and minimum up and down times. Nothing here is shared with the
interior point of ``gridsim.kernels.window``. HiGHS runs on one thread with a fixed seed: the same arrays give the
same answer, unless a time limit ends the search.

Minimum times, for groups of identical units. With v starts, w stops by choice, z units on that a planned outage takes
(0 <= z_t <= drop_t, the fall of ``avail`` into hour t; drop - z are taken while off), U = min_up_h, D = min_down_h::

    u_t - u_(t-1) = v_t - w_t - z_t                                                                        (1)
    sum_(t-U < k <= t) v_k + young_t     <= u_t + sum_(t-U+1 < k <= t) z_k                                 (2)
    sum_(t-D < k <= t) w_k + resting_t   <= avail_t - u_t + sum_(t-D+1 < k <= t) (drop_k - z_k)            (3)

young_t counts the units that started before the window and still owe hours in t, resting_t those that stopped. An
outage may take any unit of the group, however young, and a unit that returns from one may start at once; which unit
it took is left open, as units of a group are alike. Keeping every unit as it is satisfies (1) to (3), so minimum
times never make a window infeasible. Without outages this is the usual aggregated form, the convex hull of one unit's
schedules: D. Rajan, S. Takriti, "Minimum up/down polytopes of the unit commitment problem with start-up costs",
IBM Research Report RC23628, 2005.
"""

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from gridsim import errors
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Problem, Rows, Solution

TOLERANCE = 1e-9  # primal and dual feasibility asked of HiGHS, in the scaled units of the problem
SEED = 0


@dataclass(frozen=True)
class Commitment:
    """What the MILP knows beyond the problem. nu groups; K hours of history, K >= every minimum time."""

    min_up_h: IntArray  # (nu,) >= 1
    min_down_h: IntArray  # (nu,) >= 1
    on_hours: IntArray  # (nu, K) units on before the window for exactly 1, 2, .. K-1, and for K hours or more
    off_hours: IntArray  # (nu, K) the same for units off and available


@dataclass(frozen=True)
class Model:
    """min cost.y with row_lo <= matrix y <= row_hi, col_lo <= y <= col_hi; where each quantity stands in y."""

    cost: FloatArray  # (n,)
    matrix: sp.csc_matrix  # (m, n)
    col_lo: FloatArray  # (n,)
    col_hi: FloatArray  # (n,) inf where only a row bounds the column
    row_lo: FloatArray  # (m,)
    row_hi: FloatArray  # (m,)
    whole: IntArray  # (n,) 1: takes whole numbers only (relaxed by solve_lp)
    columns: dict[str, IntArray]  # u v q x p charge discharge e (T, .), overload (nm,); the MILP adds stop, taken
    rows: dict[str, IntArray]  # balance up down segment start ramp store line; the MILP adds min_up, min_down


@dataclass(frozen=True)
class _Draft:
    """A matrix in the making."""

    row: dict[str, IntArray]
    col: dict[str, IntArray]
    entries: "_Triplets"
    row_lo: FloatArray  # (m,) updated
    row_hi: FloatArray  # (m,) updated


class _Triplets:
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


def _number(shapes: dict[str, tuple[int, ...]]) -> tuple[dict[str, IntArray], int]:
    """Give every entry of every block its position, block after block."""
    positions, first = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        positions[name] = np.arange(first, first + size).reshape(shape)
        first += size
    return positions, first


def no_rows(columns: int = 0) -> Rows:
    """Line rows where none is in force."""
    none = np.zeros(0)
    return Rows(hour=np.zeros(0, np.int64), coef=np.zeros((0, columns)), limit=none, cost=none)


def build(problem: Problem, rows: Rows | None = None, commitment: Commitment | None = None) -> Model:
    """Write a window as one sparse linear program; with `commitment`, as a mixed-integer one.

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
    if commitment is not None:
        shapes |= {"stop": (n_hours, nu), "taken": (n_hours, nu)}
    col, n = _number(shapes)
    shapes = dict.fromkeys(("balance", "up", "down"), (n_hours,))
    shapes |= {"segment": (n_hours, nk), "start": (n_hours, nu), "ramp": (n_hours, nr), "store": (n_hours, ns)}
    shapes |= {"line": (rows.hour.size,)}
    if commitment is not None:
        shapes |= {"min_up": (n_hours, nu), "min_down": (n_hours, nu)}
    row, m = _number(shapes)

    draft = _Draft(row, col, _Triplets(), row_lo=np.full(m, -np.inf), row_hi=np.full(m, np.inf))
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
    whole[col["u"]] = 1
    col_hi[col["u"]] = units.avail
    col_lo[col["x"]], col_hi[col["x"]] = boxes.lo, boxes.hi
    col_lo[col["p"]], col_hi[col["p"]] = ramps.lo, ramps.hi
    col_hi[col["charge"]], col_hi[col["discharge"]] = stores.charge_max, stores.discharge_max
    col_lo[col["e"]], col_hi[col["e"]] = stores.e_lo, stores.e_hi
    if commitment is not None:
        drop = _commit(problem, commitment, draft)
        whole[col["v"]] = whole[col["stop"]] = whole[col["taken"]] = 1
        col_hi[col["u"]] = np.floor(units.avail + 1e-9)
        col_hi[col["taken"]] = drop
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


def _commit(problem: Problem, commitment: Commitment, draft: _Draft) -> FloatArray:
    """Turn the start rows into (1), write (2) and (3); return drop, (T, nu)."""
    row, col, entries, row_lo, row_hi = draft.row, draft.col, draft.entries, draft.row_lo, draft.row_hi
    n_hours, nu = problem.units.avail.shape
    avail = np.floor(problem.units.avail + 1e-9)
    units_before = commitment.on_hours.sum(axis=1) + commitment.off_hours.sum(axis=1)
    drop = np.maximum(-np.diff(avail, axis=0, prepend=units_before[None, :].astype(float)), 0.0)

    entries.add(row["start"], col["stop"], -1.0)  # build wrote v - u_t + u_(t-1) >= -u_(-1)
    entries.add(row["start"], col["taken"], -1.0)
    row_hi[row["start"]] = row_lo[row["start"]]

    hour = np.arange(n_hours)[:, None, None]
    lag = np.arange(n_hours)[None, None, :]
    owed = np.arange(1, commitment.on_hours.shape[1] + 1)  # hours on (off) before the window
    for name, moved, minimum, past in (
        ("min_up", "v", commitment.min_up_h, commitment.on_hours),
        ("min_down", "stop", commitment.min_down_h, commitment.off_hours),
    ):
        within = (lag <= hour) & (lag < minimum[None, :, None])
        t, i, back = np.nonzero(within)
        entries.add(row[name][t, i], col[moved][t - back, i], 1.0)
        inner = back < minimum[i] - 1  # the hour it moved in is not an hour in which an outage can take it
        t, i, back = t[inner], i[inner], back[inner]
        sign = -1.0 if name == "min_up" else 1.0
        entries.add(row[name], col["u"], sign)
        entries.add(row[name][t, i], col["taken"][t - back, i], sign)
        still = (owed[None, None, :] + hour <= minimum[None, :, None] - 1) * past[None, :, :]
        row_hi[row[name]] = -still.sum(axis=2)
        if name == "min_down":
            recent = np.zeros((n_hours, nu))
            np.add.at(recent, (t, i), drop[t - back, i])
            row_hi[row[name]] += avail + recent
    return drop


def solve_lp(problem: Problem, rows: Rows | None = None, *, on: FloatArray | None = None) -> Solution:
    """Solve a window with on-counts relaxed to real numbers, or fixed.

    Parameters
    ----------
    problem, rows : the window; no line rows if `rows` is None
    on : (T, nu) float64, optional
        Units on, when they are decided already; prices are then those of the dispatch alone.

    Raises
    ------
    InputError
        If the arrays contradict each other.
    WindowError
        If HiGHS does not prove an optimum, in its own words.
    """
    model = build(problem, rows)
    if on is not None:
        if np.shape(on) != problem.units.avail.shape:
            rule = f"must have shape {problem.units.avail.shape}, has {np.shape(on)}"
            raise errors.InputError("window", [errors.Problem("on", rule)])
        model.col_lo[model.columns["u"]] = on
        model.col_hi[model.columns["u"]] = on
    highs = _load(model, whole=False)
    highs.run()
    _demand_optimal(highs, model)
    found = highs.getSolution()
    return _solution(model, np.array(found.col_value), np.array(found.row_dual))


def solve_milp(
    problem: Problem,
    rows: Rows | None = None,
    *,
    min_up_h: IntArray,
    min_down_h: IntArray,
    gap: float = 1e-4,
    time_limit_s: float | None = None,
    on_hours: IntArray | None = None,
    off_hours: IntArray | None = None,
) -> tuple[Solution, float]:
    """Solve a window with whole units and minimum up and down times; prices are those of the commitment found.

    Parameters
    ----------
    problem, rows : the window; no line rows if `rows` is None. ``on0`` must be whole.
    min_up_h, min_down_h : (nu,) int64, >= 1
    gap : float
        Relative gap at which the search may stop.
    time_limit_s : float, optional
        Stop the search then, and return the best schedule found with the bound proven. Not repeatable to the byte.
    on_hours, off_hours : (nu, K) int64, optional
        Units of each group that have been on (off and available) before the window for exactly 1, 2, .. K-1 hours,
        and in the last column for K or more; K is not less than any minimum time. Without them every unit has been
        as it is for long.

    Returns
    -------
    solution, bound
        The solution's objective and prices come from the linear program with on-counts fixed as found; its `bound`
        is the one that branch and bound has proven for the whole window, and is returned a second time by itself.

    Raises
    ------
    InputError
        If the arrays contradict each other.
    WindowError
        If HiGHS finds no schedule, or ends without an optimum for another reason than `time_limit_s`.
    """
    commitment = _commitment(problem, min_up_h, min_down_h, on_hours, off_hours)
    model = build(problem, rows, commitment)
    highs = _load(model, whole=True)
    highs.setOptionValue("mip_rel_gap", float(gap))
    highs.setOptionValue("mip_feasibility_tolerance", TOLERANCE)
    if time_limit_s is not None:
        highs.setOptionValue("time_limit", float(time_limit_s))
    highs.run()
    out_of_time = highs.getModelStatus() == highspy.HighsModelStatus.kTimeLimit
    has_schedule = highs.getInfo().primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
    if not (out_of_time and has_schedule):
        _demand_optimal(highs, model)
    bound = float(highs.getInfo().mip_dual_bound)
    u = np.array(highs.getSolution().col_value)[model.columns["u"]]
    fixed = solve_lp(problem, rows, on=np.rint(u))
    return fixed._replace(bound=bound), bound


def _commitment(
    problem: Problem, min_up_h: IntArray, min_down_h: IntArray, on_hours: IntArray | None, off_hours: IntArray | None
) -> Commitment:
    """Fill in a history where none is given, and check it all."""
    units, found = problem.units, []
    nu = units.bus.size
    up, down = np.asarray(min_up_h, np.int64), np.asarray(min_down_h, np.int64)
    for name, value in (("min_up_h", up), ("min_down_h", down)):
        if value.shape != (nu,):
            found.append(errors.Problem(name, f"must have shape {(nu,)}, has {value.shape}"))
        elif (value < 1).any():
            found.append(errors.Problem(name, f"must be at least 1 h: {(value < 1).sum()} of {nu} are not"))
    on0 = np.rint(units.on0).astype(np.int64)
    if np.abs(units.on0 - on0).max(initial=0.0) > 1e-9:
        found.append(errors.Problem("units.on0", "must be whole for a search over whole units"))
    if found:
        raise errors.InputError("window", found)
    longest = int(max(up.max(initial=1), down.max(initial=1)))
    if on_hours is None:
        on_hours = np.zeros((nu, longest), np.int64)
        on_hours[:, -1] = on0
    if off_hours is None:
        off_hours = np.zeros((nu, np.shape(on_hours)[-1]), np.int64)
        off_hours[:, -1] = np.maximum(np.floor(units.avail[0] + 1e-9).astype(np.int64) - on0, 0)
    on, off = np.asarray(on_hours, np.int64), np.asarray(off_hours, np.int64)
    if on.shape != off.shape or on.ndim != 2 or on.shape[0] != nu or on.shape[1] < longest:
        rule = f"must both have shape ({nu}, K) with K >= {longest}, the longest minimum time; have {on.shape}, "
        found.append(errors.Problem("on_hours, off_hours", f"{rule}{off.shape}"))
    elif (on < 0).any() or (off < 0).any() or (on.sum(axis=1) != on0).any():
        found.append(errors.Problem("on_hours, off_hours", "must not be negative, and on_hours must add up to on0"))
    if found:
        raise errors.InputError("window", found)
    return Commitment(up, down, on, off)


def _load(model: Model, *, whole: bool) -> Any:
    """Hand a model to a silent HiGHS on one thread."""
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    for option, value in (("threads", 1), ("random_seed", SEED)):
        highs.setOptionValue(option, value)
    for option in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
        highs.setOptionValue(option, TOLERANCE)
    matrix = model.matrix
    m, n = matrix.shape
    start, index = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    columnwise, minimise = 1, 1  # HiGHS's MatrixFormat and ObjSense
    arrays = (model.cost, model.col_lo, model.col_hi, model.row_lo, model.row_hi, start, index, matrix.data)
    kinds = model.whole.astype(np.int32) if whole else np.zeros(n, np.int32)
    status = highs.passModel(n, m, matrix.nnz, columnwise, minimise, 0.0, *arrays, kinds)
    if status == highspy.HighsStatus.kError:
        raise errors.WindowError(f"HiGHS does not take the window ({n} columns, {m} rows): numbers out of its range?")
    return highs


def _demand_optimal(highs: Any, model: Model) -> None:
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        m, n = model.matrix.shape
        hours = model.rows["balance"].size
        words = highs.modelStatusToString(status)
        raise errors.WindowError(f"HiGHS on a window of {hours} h ({n} columns, {m} rows) ended with: {words}")


def _solution(model: Model, y: FloatArray, row_dual: FloatArray) -> Solution:
    """Read the primal and the prices; HiGHS's row dual is d cost / d right-hand side."""
    parts = {name: y[at] for name, at in model.columns.items()}
    price = {name: row_dual[model.rows[name]] for name in ("balance", "up", "down", "line")}
    return Solution(
        *(parts[name] for name in ("u", "q", "x", "p", "charge", "discharge", "e", "overload")),
        price=price["balance"],
        price_up=price["up"],
        price_down=price["down"],
        price_row=0.0 - price["line"],
        objective=float(model.cost @ y),
        bound=dual_objective(model, row_dual),
    )


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
