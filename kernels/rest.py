"""Everything in a window but its committed units, at given prices: the least it can cost and an answer that has it.

The part of the Lagrangian that a search over the units' schedules does not move itself: boxes, ramped devices and
stores, the latter at fixed values of energy and fixed ramp multipliers, line rows at fixed prices. One reserve product
is priced, the others count for nothing: that is a relaxation, so a bound made with it holds.
"""

from typing import Any

import numpy as np

from gridsim.kernels.bound import lagrangian
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.layout import lay_out
from gridsim.kernels.problem import Problem, Rows, Solution, Units
from gridsim.kernels.start import box_places, to_segments
from gridsim.kernels.window import price_items


class Rest:
    """What is left of `problem` without its units, seen from prices of energy and of one reserve product."""

    def __init__(self, problem: Problem, rows: Rows, solution: Solution, product: int):
        fields: Any = (field[..., :0] if field.ndim == 1 else field[:0] for field in problem.units)
        none = Units(*fields)._replace(avail=problem.units.avail[:, :0])
        self.lay, self.win, self.maps = lay_out(problem._replace(units=none), rows, np.array([product]))
        lay, win = self.lay, self.win
        self.first = win.row_at[:-1]  # balance row of each hour; the product's row follows it
        self.demand, self.reserve = win.need[self.first], win.need[self.first + 1]
        self.y, self.price = np.zeros(lay.m), np.empty(int(win.item_at[-1]))
        self.y[self.maps.row] = np.minimum(solution.price_row, win.row_cost)
        self.theta = solution.store_value
        push = np.cumsum(solution.ramp_price[::-1, self.maps.ramp], axis=0)[::-1]  # of p_t - p_(t-1)
        self.push = push - np.vstack((push[1:], np.zeros((1, lay.nr))))
        self.z = np.zeros(lay.size)
        self.z[lay.pu : lay.pd] = np.maximum(push, 0.0).ravel()
        self.z[lay.pd : lay.cl] = np.maximum(-push, 0.0).ravel()
        self.places = box_places(lay, win)
        self.hour = np.repeat(np.arange(lay.T), np.diff(win.box_at))
        at = win.effect_at[self.hour] + self.places - win.item_at[self.hour]
        width = np.diff(win.item_at)[self.hour]
        self.box_effect = win.effect[at], win.effect[at + width]
        apart = int(win.item_at[1] - win.item_at[0])
        self.ramp_effect = win.effect[: lay.ng], win.effect[apart : apart + lay.ng]

    def given_by(self, problem: Problem, solution: Solution) -> tuple[FloatArray, FloatArray]:
        """(T,) each: the energy and reserve that this part of the window gives in a solution, measured likewise."""
        boxes, ramps = problem.boxes, problem.ramps
        given = (solution.x - boxes.lo) @ boxes.coef + solution.ramp_q @ ramps.seg_coef
        stores = problem.stores
        net = solution.discharge - stores.discharge_min - solution.charge + stores.charge_min
        return given[:, 0] + net.sum(axis=1), given[:, self.maps.products[0]]

    def __call__(self, lam: FloatArray, mu: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Least cost at the prices (T,), and the energy and reserve (T,) that an answer of that cost gives; scaled.

        Demand and reserve themselves (`demand`, `reserve`) are left to the caller.
        """
        lay, win = self.lay, self.win
        self.y[self.first], self.y[self.first + 1] = lam, mu
        price_items(win, self.y, self.price)
        value = lagrangian(lay, win, self.y, self.price, self.theta, self.z, self.maps.constant)
        value -= float(lam @ self.demand + mu @ self.reserve)
        x = np.where(win.box_cost < self.price[self.places], win.box_width, 0.0)
        supply, reserve = (
            np.bincount(self.hour, weights=e * x, minlength=lay.T).astype(np.float64) for e in self.box_effect
        )
        steady = np.delete(self.price, self.places).reshape(lay.T, lay.fixed_items)
        if lay.ng:
            d = win.ramp_cost - steady[:, : lay.ng] + to_segments(win.ramp_level, self.push)
            q = np.where(d < 0.0, win.ramp_width, 0.0)
            supply, reserve = supply + q @ self.ramp_effect[0], reserve + q @ self.ramp_effect[1]
        if lay.ns:
            p = steady[:, lay.ng :]
            charge = np.where(win.charge_cost + p < win.eta_c * self.theta, win.charge_width, 0.0)
            discharge = np.where(win.discharge_cost + self.theta / win.eta_d < p, win.discharge_width, 0.0)
            supply = supply + (discharge - charge).sum(axis=1)
        return value, supply, reserve
