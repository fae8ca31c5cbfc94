"""HiGHS as an expert would use it on a rolling horizon: one model kept alive, only numbers changed, warm dual simplex.

The base of a window (all but its line rows) has the same matrix every day: bounds, costs and right-hand sides are
changed in place. A line row that was there the day before (same hour of the window, element, direction) stays with its
new limit; others are added, and rows that are no longer wanted are dropped. With `shift_h` the basis moves along with
time: an hour begins in the state that the same hour of the calendar ended in, which saves HiGHS up to half its pivots.
What is timed is `run` alone: not the making of arrays, not the changes, not the reading of the answer.
"""

import time
from typing import Any

import highspy
import numpy as np

from gridsim import oracle
from gridsim.errors import WindowError
from gridsim.handover import RowKeys
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.problem import Problem, Rows, Solution
from gridsim.oracle_matrix import Model, build

Key = tuple[int, ...]  # the hour first


def quiet(**options: Any) -> Any:
    """HiGHS on one thread with its own defaults (tolerances of 1e-7), without output."""
    highs = highspy.Highs()
    for name, value in {"output_flag": False, "threads": 1, "random_seed": 0, **options}.items():
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(f"HiGHS does not take {name} = {value!r}")
    return highs


def pass_model(highs: Any, model: Model, *, whole: bool = False) -> None:
    """Hand over all of a model."""
    matrix = model.matrix
    m, n = matrix.shape
    kinds = model.whole.astype(np.int32) if whole else np.zeros(n, np.int32)
    arrays = (model.cost, model.col_lo, model.col_hi, model.row_lo, model.row_hi)
    highs.passModel(
        n, m, matrix.nnz, 1, 1, 0.0, *arrays, matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32),
        matrix.data, kinds,
    )  # fmt: skip


def timed_run(highs: Any) -> float:
    """CPU seconds of `run`. Raises WindowError, in the words of HiGHS, if it proves no optimum."""
    began = time.process_time()
    highs.run()
    spent = time.process_time() - began
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise WindowError(f"HiGHS ended with: {highs.modelStatusToString(status)}")
    return spent


def cold(problem: Problem, rows: Rows, **options: Any) -> tuple[float, float]:
    """A window from nothing, presolve on: CPU seconds of the solve, and the objective."""
    highs = quiet(**options)
    pass_model(highs, build(problem, rows))
    return timed_run(highs), highs.getInfo().objective_function_value


class LiveModel:
    """One HiGHS model through many windows of the same length.

    Rows and columns of the base come first, in the order of `oracle_matrix.build`; then one row and one overload column
    for each of `keys`. `shift_h` is how far a window lies behind the one before, 0 to keep the basis where it is.
    """

    def __init__(self, shift_h: int = 0, **options: Any) -> None:
        self.shift_h = shift_h
        self.highs = quiet(**options)
        self.keys: list[Key] = []
        self.base: Any = None

    def become(self, problem: Problem, keys: RowKeys, rows: Rows, *, shift: bool = True) -> None:
        """Change the model into that of a window; `keys` name its line rows, in the same order.

        `shift` is False for the same window with other line rows.
        """
        shift_h = self.shift_h if shift else 0
        model = build(problem, rows)
        extra = rows.hour.size
        m, n = model.matrix.shape[0] - extra, model.matrix.shape[1] - extra
        base, lines = model.matrix[:m, :n], model.matrix.tocsr()[m:, :n]
        wanted: list[Key] = [tuple(map(int, key)) for key in zip(*keys, strict=True)]
        if self.base is None:
            self._begin(model, base)
            basis = None
        elif (base != self.base).nnz:
            raise WindowError("the matrix of this window is not that of the one before: it needs a model of its own")
        else:
            at = np.arange(n, dtype=np.int32)
            self.highs.changeColsBounds(n, at, model.col_lo[:n], model.col_hi[:n])
            self.highs.changeColsCost(n, at, model.cost[:n])
            self.highs.changeRowsBounds(m, np.arange(m, dtype=np.int32), model.row_lo[:m], model.row_hi[:m])
            stale = not set(self.keys) <= set(wanted)
            basis = self._statuses() if stale or shift_h else None
        self.model = model
        self._drop(set(wanted))
        self._add(wanted, lines)
        order = {key: i for i, key in enumerate(wanted)}
        self.order = np.array([order[key] for key in self.keys], dtype=np.int64)  # of our rows in the window's
        if extra:
            at = np.arange(extra, dtype=np.int32)
            limit, cost = model.row_hi[m:][self.order], model.cost[n:][self.order]
            self.highs.changeRowsBounds(extra, at + np.int32(m), np.full(extra, -np.inf), limit)
            self.highs.changeColsCost(extra, at + np.int32(n), cost)
        if basis is not None:
            self._set_basis(*basis, shift_h)

    def _statuses(self) -> Any:
        """Rows, columns and line rows (by key, with their overloads) of the basis; None if there is none."""
        basis = self.highs.getBasis()
        if not basis.valid:
            return None
        m, n = self.base.shape
        row, col = np.array(basis.row_status, dtype=object), np.array(basis.col_status, dtype=object)
        return row[:m], col[:n], dict(zip(self.keys, zip(row[m:], col[n:], strict=True), strict=True))

    def _set_basis(self, row: Any, col: Any, lines: dict[Key, Any], shift_h: int) -> None:
        """Hand a basis back after rows were dropped, moved along by `shift_h` hours."""
        if shift_h:
            for status, blocks in ((row, self.model.rows), (col, self.model.columns)):
                for name, at in blocks.items():
                    if name not in ("line", "overload"):
                        status[at[:-shift_h]] = status[at[shift_h:]]
        fresh = (highspy.HighsBasisStatus.kBasic, highspy.HighsBasisStatus.kLower)
        of_line = [lines.get((hour + shift_h, *rest), lines.get((hour, *rest), fresh)) for hour, *rest in self.keys]
        basis = highspy.HighsBasis()
        basis.row_status = [*row, *(one[0] for one in of_line)]
        basis.col_status = [*col, *(one[1] for one in of_line)]
        basis.alien = True  # a row that was binding leaves one basic variable too many: HiGHS sorts that out
        basis.valid = True
        if self.highs.setBasis(basis) != highspy.HighsStatus.kOk:
            raise WindowError("HiGHS does not take the basis of the day before")

    def _begin(self, model: Model, base: Any) -> None:
        m, n = base.shape
        self.base = base.copy()
        first = Model(
            model.cost[:n], base.tocsc(), model.col_lo[:n], model.col_hi[:n], model.row_lo[:m], model.row_hi[:m],
            model.whole[:n], model.columns, model.rows,
        )  # fmt: skip
        pass_model(self.highs, first)

    def _drop(self, wanted: set[Key]) -> None:
        """Delete the line rows that are not wanted."""
        gone = [i for i, key in enumerate(self.keys) if key not in wanted]
        if not gone:
            return
        m, n = self.base.shape
        row_at, col_at = (np.array(gone, dtype=np.int32) + np.int32(first) for first in (m, n))
        self.highs.deleteRows(row_at.size, row_at)
        self.highs.deleteCols(col_at.size, col_at)
        self.keys = [key for key in self.keys if key in wanted]

    def _add(self, wanted: list[Key], lines: Any) -> None:
        """Add the rows that are wanted and not there yet, each with its overload column."""
        known = set(self.keys)
        new = np.array([i for i, key in enumerate(wanted) if key not in known], dtype=np.int64)
        if not new.size:
            return
        some, m = lines[new], self.base.shape[0]
        starts, index = some.indptr[:-1].astype(np.int32), some.indices.astype(np.int32)
        free = np.full(new.size, np.inf)
        self.highs.addRows(new.size, -free, free, some.nnz, starts, index, some.data)
        row_at = m + len(self.keys) + np.arange(new.size, dtype=np.int32)
        self.highs.addCols(
            new.size, np.zeros(new.size), np.zeros(new.size), free, new.size, np.arange(new.size, dtype=np.int32),
            row_at, np.full(new.size, -1.0),
        )  # fmt: skip
        self.keys += [wanted[i] for i in new]

    def run(self) -> float:
        """Solve, from the basis of the run before if there was one. CPU seconds."""
        return timed_run(self.highs)

    @property
    def objective(self) -> float:
        return float(self.highs.getInfo().objective_function_value)

    @property
    def pivots(self) -> int:
        """Simplex iterations of the last run."""
        return int(self.highs.getInfo().simplex_iteration_count)

    def solution(self) -> Solution:
        """The answer in the window's own order, prices and bound included."""
        found, (m, n) = self.highs.getSolution(), self.base.shape

        def in_order(values: Any, first: int) -> FloatArray:
            out = np.array(values)
            out[first + self.order] = out[first:].copy()
            return out

        return oracle._solution(self.model, in_order(found.col_value, n), in_order(found.row_dual, m))
