"""Everything in a window but its committed units, at given prices: the least it can cost and an answer that has it.

The part of the Lagrangian that a search over the units' schedules does not move itself: boxes, ramped devices and
stores, the latter at fixed values of energy and fixed ramp multipliers. That they are fixed makes the bound weaker,
never wrong.
"""

from typing import Any

import numpy as np

from gridsim.kernels.bound import lagrangian
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.layout import lay_out
from gridsim.kernels.problem import Problem, Rows, Solution, Units
from gridsim.kernels.start import box_places, to_segments
from gridsim.kernels.window import price_items


class Rest:
    """What is left of `problem` without its units, seen from the prices of its rows.

    The prices are those of energy in every hour, of the first of `products` in every hour, of the other ones, product
    by product, and of the line rows.
    """

    def __init__(self, problem: Problem, rows: Rows, solution: Solution, products: IntArray):
        fields: Any = (field[..., :0] if field.ndim == 1 else field[:0] for field in problem.units)
        none = Units(*fields)._replace(avail=problem.units.avail[:, :0])
        self.lay, self.win, self.maps = lay_out(problem._replace(units=none), rows, products)
        lay, win = self.lay, self.win
        hourly = (win.row_at[:-1] + np.arange(lay.R)[:, None]).ravel()
        self.at = np.concatenate((hourly, self.maps.row)).astype(np.int64)  # rows of the window in the order of prices
        self.need = win.need[self.at]
        self.y, self.price = np.zeros(lay.m), np.empty(int(win.item_at[-1]))
        self.theta = solution.store_value[:, self.maps.store]
        push = np.cumsum(solution.ramp_price[::-1, self.maps.ramp], axis=0)[::-1]  # of p_t - p_(t-1)
        self.push = push - np.vstack((push[1:], np.zeros((1, lay.nr))))
        self.z = np.zeros(lay.size)
        self.z[lay.pu : lay.pd] = np.maximum(push, 0.0).ravel()
        self.z[lay.pd : lay.cl] = np.maximum(-push, 0.0).ravel()
        self.places = box_places(lay, win)

    def prices(self, solution: Solution) -> FloatArray:
        """(P,) prices of a solution in this order, cut to what overloads cost."""
        columns = np.concatenate(([0], self.maps.products))
        lines = np.minimum(solution.price_row, self.win.row_cost)
        return np.concatenate((solution.price[:, columns].T.ravel(), lines))

    def given_by(self, problem: Problem, solution: Solution) -> FloatArray:
        """(R, T) energy and reserves that this part of the window gives in a solution, measured as the needs are."""
        boxes, ramps = problem.boxes, problem.ramps
        given = (solution.x - boxes.lo) @ boxes.coef + solution.ramp_q @ ramps.seg_coef
        stores = problem.stores
        net = solution.discharge - stores.discharge_min - solution.charge + stores.charge_min
        given[:, 0] += net.sum(axis=1)
        return np.ascontiguousarray(given[:, np.concatenate(([0], self.maps.products))].T)

    def __call__(self, pi: FloatArray) -> tuple[float, FloatArray]:
        """Least cost at the prices (P,), and what an answer of that cost gives to each row (P,); scaled.

        The needs themselves are left to the caller. Prices of line rows must not exceed what an overload costs.
        """
        lay, win = self.lay, self.win
        self.y[self.at] = pi
        price_items(win, self.y, self.price)
        value = lagrangian(lay, win, self.y, self.price, self.theta, self.z, self.maps.constant)
        value -= float(pi @ self.need)
        answer = np.empty(self.price.size)
        answer[self.places] = np.where(win.box_cost < self.price[self.places], win.box_width, 0.0)
        steady = np.delete(self.price, self.places).reshape(lay.T, lay.fixed_items)
        d = win.ramp_cost - steady[:, : lay.ng] + to_segments(win.ramp_level, self.push)
        p = steady[:, lay.ng :]
        charge = np.where(win.charge_cost + p < win.eta_c * self.theta, win.charge_width, 0.0)
        discharge = np.where(win.discharge_cost + self.theta / win.eta_d < p, win.discharge_width, 0.0)
        of_hour = np.hstack((np.where(d < 0.0, win.ramp_width, 0.0), discharge - charge))
        given = np.empty(lay.m)
        for t in range(lay.T):
            first, last = win.item_at[t], win.item_at[t + 1]
            answer[first : first + lay.fixed_items] = of_hour[t]
            effect = win.effect[win.effect_at[t] : win.effect_at[t + 1]].reshape(-1, last - first)
            given[win.row_at[t] : win.row_at[t + 1]] = effect @ answer[first:last]
        return value, given[self.at]
