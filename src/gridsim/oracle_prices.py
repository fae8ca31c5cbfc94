"""Are these prices right? What HiGHS says of the prices of a window, whoever found them.

The optimum f(d) of a linear program is convex in its right-hand side d, and the prices of a row are the slopes that f
may have there: one slope if f is smooth at d, an interval if it has a kink. `PriceProbe.slopes` measures the slopes
to the left and to the right of a row; `PriceProbe.dual_value` the bound that a whole set of prices proves, which equals
the optimum exactly when all of them together are right. Theory: D. Bertsimas, J. N. Tsitsiklis, "Introduction to Linear
Optimization", Athena Scientific, 1997, sections 5.2 and 11.4.
"""

from dataclasses import replace

import highspy
import numpy as np

from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Problem, Rows
from gridsim.oracle import demand_optimal, load
from gridsim.oracle_matrix import build

STEP = 1e-4  # change of a right-hand side, scaled power
_NO_BOUND = 1e30  # HiGHS's infinity


class PriceProbe:
    """One window's linear program, kept loaded in HiGHS to be asked again with another right-hand side."""

    def __init__(self, problem: Problem, rows: Rows | None):
        self.model = build(problem, rows)
        self.highs = load(self.model, whole=False)
        self.optimum = self._solve()

    @property
    def _hourly(self) -> IntArray:
        """(T, R) where the rows of the hours stand: balance, then reserve products."""
        return np.column_stack([self.model.rows["balance"], self.model.rows["reserve"]])

    def _solve(self, *, may_fail: bool = False) -> float:
        self.highs.run()
        if may_fail and self.highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            return np.inf
        demand_optimal(self.highs, self.model)
        return float(self.highs.getInfo().objective_function_value)

    def slopes(self, product: int, hours: IntArray) -> tuple[FloatArray, FloatArray]:
        """Slopes of the optimum to the left and to the right of the balance (`product` 0) or a reserve product.

        A kink within `STEP` of the right-hand side widens the interval: each slope is the mean over `STEP`. It is
        endless where nothing satisfies the changed row, such as a reserve that is short of all it may be short of.
        """
        out = np.empty((2, len(hours)))
        for place, row in enumerate(self._hourly[hours, product]):
            lo, hi = self.model.row_lo[row], self.model.row_hi[row]
            for side, change in enumerate((-STEP, STEP)):
                # an endless bound stays endless
                self.highs.changeRowBounds(int(row), max(lo + change, -_NO_BOUND), min(hi + change, _NO_BOUND))
                out[side, place] = (self._solve(may_fail=True) - self.optimum) / change
            self.highs.changeRowBounds(int(row), max(lo, -_NO_BOUND), min(hi, _NO_BOUND))
        return out[0], out[1]

    def dual_value(self, price: FloatArray, line: FloatArray) -> float:
        """The bound that prices (T, R) of the hours and (nm,) of line rows prove: the Lagrangian, minimised by HiGHS.

        Never above the optimum; equal to it if the prices are right, all of them.
        """
        model = self.model
        at = np.concatenate([self._hourly.ravel(), model.rows["line"]])
        # an overload costs at most its penalty, and a scarcity never less than nothing
        overload = np.minimum(np.maximum(line, 0.0), model.cost[model.columns["overload"]])
        hourly = np.column_stack([price[:, 0], np.maximum(price[:, 1:], 0.0)])
        y = np.concatenate([hourly.ravel(), -overload])
        row_dual = np.zeros(model.matrix.shape[0])
        row_dual[at] = y
        cost = model.cost - model.matrix.T @ row_dual
        cost[model.columns["overload"]] = np.maximum(cost[model.columns["overload"]], 0.0)  # its dust is unbounded
        row_lo, row_hi = model.row_lo.copy(), model.row_hi.copy()
        row_lo[at], row_hi[at] = -np.inf, np.inf
        alone = replace(model, cost=cost, row_lo=row_lo, row_hi=row_hi)
        highs = load(alone, whole=False)
        highs.run()
        demand_optimal(highs, alone)
        held = np.where(y >= 0.0, model.row_lo[at], model.row_hi[at])
        return float(highs.getInfo().objective_function_value + y[y != 0.0] @ held[y != 0.0])
