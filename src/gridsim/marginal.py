"""Marginal carbon intensity: what emissions a MWh more of load in a zone would bring, hour by hour.

At the optimum of an hour, what stands strictly between its limits answers to a small change of load; whatever is at a
limit, and the stores, whose energy is spoken for, stay. With x the answers (MW) of units, sources and DC links between
their limits, r their room to move, and H the binding line rows::

    minimise sum x^2 / r   such that   sum x = 1,   H x = H (load of the zone)                          (1)

so the load is served and no full line is loaded further; of several answers that all do, the wider ones take more.
The intensity is the sum of x times emissions per MWh, those of imports at their origin included. Where too little is
free to keep full lines as they are, (1) is met as nearly as possible. Commitment stays: a MWh, not a GWh.
"""

import numpy as np

from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.step import Fleet, Hour
from gridsim.plan import LineRows
from gridsim.spurs import spurs_of

FREE_MW = 0.5  # distance from a limit from which something is between its limits
CUT = 1e-9  # relative, of singular values: full lines that say the same


class Marginal:
    """Answers of lived steps, block by block."""

    def __init__(self, case: Case, f: Fleet, zone_of: FloatArray):
        """`zone_of` (nb, zones): 1 where a bus is in a zone."""
        self.case, self.f, self.zone_of, self.nb = case, f, zone_of, len(case.buses)
        of_unit = case.units["co2_t_per_mwh"].to_numpy(dtype=np.float64)
        names = ["co2_t_per_mwh", "origin_co2_t_per_mwh"]
        of_source = case.sources[names].to_numpy(dtype=np.float64).sum(axis=1)
        links = np.zeros(len(case.links))
        self.co2 = np.concatenate((of_unit, of_source, links))  # t/MWh
        self.column = np.concatenate((f.unit_bus, f.source_bus, self.nb + np.arange(links.size)))  # of line rows
        self.spurs = spurs_of(case)
        self.serves = np.concatenate((np.ones(of_unit.size), self.spurs.serves(), f.link_arrives - 1.0))

    def live(self, h: Hour, rows: LineRows, t0: int) -> FloatArray:
        """(T, zones) t/MWh of the lived steps of a block; 0 in a zone without load."""
        steps = len(h.load)
        room = np.hstack((self._unit_room(h), _room(h.source, h.source_lo, h.source_hi)))
        low, high = self.case.link_range(slice(t0, t0 + steps))
        high[:, self.spurs.link] = 0.0  # their sources say what they carry
        room = np.hstack((room, _room(h.link, low, high)))
        out = np.zeros((steps, self.zone_of.shape[1]))
        for t in range(steps):
            at_bus = np.bincount(self.f.load_bus, weights=h.load[t], minlength=self.nb)
            by_zone = at_bus[:, None] * self.zone_of
            total = by_zone.sum(axis=0)
            share = by_zone / np.maximum(total, 1e-9)  # (nb, zones) where a MWh of a zone is drawn
            coef = self.spurs.through(rows.of(t).coef, self.nb)
            found = answer(room[t], self.column, self.serves, coef, share)
            out[t] = np.where(total > 0.0, self.co2 @ found, 0.0)
        return out

    def _unit_room(self, h: Hour) -> FloatArray:
        """(T, nu) room of rows of units: that of their segments that are neither empty nor full."""
        out = np.zeros(h.unit_p.shape)
        np.add.at(out.T, self.f.seg_unit, _room(h.seg, h.seg_lo, h.seg_hi).T)
        return out


def _room(p: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """How far what stands between its limits may move; 0 for what does not."""
    between = (p > low + FREE_MW) & (p < high - FREE_MW)
    return np.where(between, np.minimum(p - low, high - p), 0.0)


def answer(room: FloatArray, column: IntArray, serves: FloatArray, coef: FloatArray, share: FloatArray) -> FloatArray:
    """Equation (1): what each of n devices gives of a MW drawn in each zone, (n, zones).

    Parameters
    ----------
    room : (n,) MW; 0: stays
    column : (n,) column of `coef` that the device stands in
    serves : (n,) of a MW of it in the balance
    coef : (m, columns) full line rows
    share : (buses, zones) where a MW of each zone is drawn
    """
    lines = coef[:, column]
    a = np.vstack((serves, lines))  # (1 + m, n)
    b = np.vstack((np.ones((1, share.shape[1])), coef[:, : share.shape[0]] @ share))
    spread = a * room
    solved: FloatArray = spread.T @ np.linalg.lstsq(spread @ a.T, b, rcond=CUT)[0]
    return solved
