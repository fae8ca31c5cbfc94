"""Losses of the DC network in a window: what they are at given flows, and tangents that keep the dispatch from less.

An island loses ``sum_l r_l f_l^2`` (`kernels.losses`), which is convex in the injections. In a window one box per
island and hour stands for it: it draws on the balance and, in proportion to the load at each bus over the run, on the
network. A tangent at flows f0 is a line row ::

    factor . injection - loss <= -constant                                    (1)

and holds for all flows, so a window with any set of tangents is a relaxation and its bound a bound. The planner adds
tangents at the flows of a solution until the losses it counts on are those of its flows. What it counts on beyond them,
where a price below zero makes it pay to burn energy, the dispatch is forbidden.

Drawing losses at the loads and not along the branches is an approximation, of the flows and not of the losses; so are
voltages of 1 p.u. and no reactive flows. A negative resistance (a leg of a star) counts as none.
"""

from typing import NamedTuple

import numpy as np

from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.losses import loss_factors
from gridsim.kernels.network import BASE_MVA


class Tangents(NamedTuple):
    """Rows ``coef . injection <= limit`` of a window, in MW; the column of the losses is the injection -loss."""

    coef: FloatArray  # (n, columns of H)
    limit_mw: FloatArray  # (n,)

    def take(self, which: IntArray) -> "Tangents":
        """Some of them."""
        return Tangents(self.coef[which], self.limit_mw[which])

    def with_(self, other: "Tangents") -> "Tangents":
        """Both, the new ones behind."""
        return Tangents(np.vstack((self.coef, other.coef)), np.concatenate((self.limit_mw, other.limit_mw)))


def no_tangents(columns: int) -> Tangents:
    return Tangents(np.zeros((0, columns)), np.zeros(0))


def resistance_pu(case: Case) -> FloatArray:
    """(nbr,) of each branch, at least 0."""
    return np.maximum(case.branches["r_pu"].to_numpy(float), 0.0)


def island_of_branch(case: Case) -> IntArray:
    """(nbr,)"""
    return case.buses["island"].to_numpy(np.int64)[case.branches["from_row"].to_numpy(np.int64)]


def draw(case: Case) -> tuple[IntArray, FloatArray]:
    """Island and weight of every bus (nb,): losses are drawn in proportion to the load there over the run."""
    weight = np.zeros(len(case.buses))
    np.add.at(weight, case.loads["bus_row"].to_numpy(int), np.maximum(case.load_mw, 0.0).mean(axis=0))
    return case.buses["island"].to_numpy(np.int64), weight


def shares(case: Case) -> FloatArray:
    """(islands, nb) of an island's losses drawn at each bus; at all its buses alike where it has no load."""
    island, weight = draw(case)
    of = island == np.arange(island.max(initial=-1) + 1)[:, None]
    loads = of * weight
    some = loads.sum(axis=1, keepdims=True) > 0.0
    loads = np.where(some, loads, of)
    return loads / loads.sum(axis=1, keepdims=True)


class LossModel:
    """Losses of a case as functions of the injections of a window."""

    def __init__(self, branch: IntArray, case: Case, H: FloatArray, offset_mw: FloatArray, first_column: int):
        """`H` (n, columns of the windows) and `offset_mw` (n,) of the branches `branch` (n,) with a resistance."""
        self.H, self.offset_mw, self.first_column = H, offset_mw, first_column
        self.r_pu, self.island = resistance_pu(case)[branch], island_of_branch(case)[branch]
        self.islands = int(case.buses["island"].max()) + 1

    def flow_mw(self, injected_mw: FloatArray) -> FloatArray:
        """(T, n) flows of the injections (T, columns)."""
        return injected_mw @ self.H.T + self.offset_mw

    def at(self, flow_mw: FloatArray) -> FloatArray:
        """(T, islands) losses at those flows. [MW]"""
        branch = flow_mw**2 * (self.r_pu / BASE_MVA)
        return np.stack([branch[:, self.island == k].sum(axis=1) for k in range(self.islands)], axis=1)

    def tangents(self, flow_mw: FloatArray, island: int) -> Tangents:
        """Equation (1) of one island at each of the flows (k, n)."""
        r_pu = np.where(self.island == island, self.r_pu, 0.0)
        found = loss_factors(flow_mw, r_pu, self.H, self.offset_mw)
        coef = found.factor
        coef[:, self.first_column + island] += 1.0
        return Tangents(coef, -found.constant_mw)
