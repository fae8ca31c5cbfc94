"""The ledger of peak shaving (调峰): who gave the regulation that a day's net load asked for, hour by hour.

With N the net load (load less available wind and PV), and the mean that of a day: of the hours that a window keeps::

    need(t) = N(t) - mean N                                                      (1)
    N(t) = sum of units, other sources, stores, unserved
           - curtailment of wind and PV - spill - losses                         (2)
    sum over suppliers of regulation(t) = need(t)                                (3)

(2) is the balance of the hour. It becomes (3) because every part of it is counted once, in one of three ways:

* as it is: stores (discharge - charge) that give back what they take, coal below half of the committed capacity, by
  depth (negative), curtailment and spill (negative), unserved load, losses (negative);
* less its own mean of the day: gas, nuclear, imports, exchanges, other units and sources, and stores that serve a
  demand (vehicles, hydrogen, heat);
* coal_basic: the rest of coal, less what makes the references add up to mean N. In a grid without coal it is a
  constant of the day: the mean of what is counted as it is.

Coal's depth is that of each row of units: output over the capacity of the units that are on.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from gridsim.carry import Carried
from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.step import Hour
from gridsim.scenario import Compensation
from gridsim.schema import DEPTHS, SUPPLIER_OF_STORE, SUPPLIERS, WEATHER_TECHS, techs_of

DEPTH_EDGES = (0.5, 0.4, 0.35, 0.3, 0.0)  # load rates between which each of DEPTHS lies
# Stores that serve a demand of their own are loads that move: like gas, they regulate by what departs from their mean.
_WITH_DEMAND = ("ev", "hydrogen", "heat")


def _column(name: str) -> int:
    return SUPPLIERS.index(name)


def _members(techs: Any, column_of: Mapping[str, str]) -> FloatArray:
    """(rows, suppliers) 1 where the row's technology belongs to the supplier; of coal and weather nowhere."""
    out = np.zeros((len(techs), len(SUPPLIERS)))
    for row, tech in enumerate(map(str, techs)):
        if tech != "coal" and tech not in WEATHER_TECHS:
            name = column_of.get(tech, tech)
            out[row, _column(name if name in SUPPLIERS else "other")] = 1.0
    return out


def depth_layers(on: IntArray, output_mw: FloatArray, p_max_mw: FloatArray) -> FloatArray:
    """(T, depths, rows) output that rows of coal units forgo in each layer below half of what is committed. [MW]"""
    committed = on * p_max_mw
    below = [np.maximum(edge * committed - output_mw, 0.0) for edge in DEPTH_EDGES[:-1]]
    width = [(a - b) * committed for a, b in pairwise(DEPTH_EDGES)]
    return np.stack([np.minimum(*layer) for layer in zip(below, width, strict=True)], axis=1)


def depth_units(on: IntArray, output_mw: FloatArray, p_max_mw: FloatArray) -> IntArray:
    """(T, depths) units on whose row's load rate lies in each class; a rate on the upper edge is not below it."""
    rate = output_mw / np.maximum(on * p_max_mw, 1e-9)
    dust = 1e-6  # of the rate: a row at its minimum of 40 % is not below it
    classes = [
        (on * ((rate < upper - dust) & (rate >= lower - dust))).sum(axis=1) for upper, lower in pairwise(DEPTH_EDGES)
    ]
    return np.stack(classes, axis=1)


class Ledger(Carried):
    """Accounts for blocks of lived steps, and at the end for the days of the run."""

    grown = ("_net", "_regulation", "_start", "_stop")

    def __init__(self, case: Case, compensation: Compensation):
        """`compensation`: of each depth class, currency per MWh not generated in it."""
        self.case = case
        self.paid = np.array([getattr(compensation, name) for name in DEPTHS])
        unit_tech, source_tech = (table["tech"].astype(str).to_numpy() for table in (case.units, case.sources))
        self.coal, self.coal_source = unit_tech == "coal", source_tech == "coal"
        self.weather = np.isin(source_tech, WEATHER_TECHS)
        self.p_max = case.units["p_max_mw"].to_numpy(dtype=np.float64)[self.coal]
        self.link_loss = case.links["loss_share"].to_numpy(dtype=np.float64)
        self.of_unit, self.of_source = _members(unit_tech, {}), _members(source_tech, {})
        of_store = _members(case.stores["tech"], SUPPLIER_OF_STORE)
        moves = case.stores["tech"].isin(_WITH_DEMAND).to_numpy(dtype=bool)[:, None]
        self.of_store, self.of_moving_store = of_store * ~moves, of_store * moves
        self.unit_of_tech = (unit_tech[:, None] == np.array(techs_of(case))[None, :]).astype(np.int64)
        self._net: list[FloatArray] = []
        self._regulation: list[FloatArray] = []
        self._start: list[IntArray] = []
        self._stop: list[IntArray] = []

    def live(self, h: Hour, stop: IntArray) -> dict[str, FloatArray]:
        """Datasets of a block of lived steps; `stop` are the units stopped in them (T, nu)."""
        on, coal_mw = h.on[:, self.coal], h.unit_p[:, self.coal]
        layers = depth_layers(on, coal_mw, self.p_max).sum(axis=2)
        net = h.load.sum(axis=1) - h.source_hi[:, self.weather].sum(axis=1)
        stored = h.discharge - h.charge
        departing = h.unit_p @ self.of_unit + h.source @ self.of_source + stored @ self.of_moving_store
        mean = departing.mean(axis=0)
        regulation = departing - mean + stored @ self.of_store
        coal = coal_mw.sum(axis=1) + h.source[:, self.coal_source].sum(axis=1)
        curtailed = (h.source_hi - h.source)[:, self.weather].sum(axis=1) + h.spill.sum(axis=1)
        for name, values in (
            ("coal_basic", coal + layers.sum(axis=1) - (net.mean() - mean.sum())),
            ("curtailment", -curtailed),
            ("unserved", h.shed.sum(axis=1)),
            ("losses", -h.loss.sum(axis=1) - h.link @ self.link_loss),
        ):
            regulation[:, _column(name)] = values
        regulation[:, [_column(name) for name in DEPTHS]] = -layers
        self._net.append(net)
        self._regulation.append(regulation)
        self._start.append(h.start.astype(np.int16))
        self._stop.append(stop.astype(np.int16))
        return {
            "peak_shaving/need_mw": net - net.mean(),
            "peak_shaving/regulation_mw": regulation,
            "peak_shaving/coal_load_rate": coal_mw.sum(axis=1) / np.maximum(on @ self.p_max, 1e-9),
            "peak_shaving/deep_units": depth_units(on, coal_mw, self.p_max),
            "peak_shaving/compensation": layers * self.paid * self.case.dt_h,
        }

    def days(self) -> dict[str, Any]:
        """Datasets by day of the whole run: 24 hours each from the first."""
        net, regulation = np.concatenate(self._net), np.concatenate(self._regulation)
        coal = [_column(name) for name in ("coal_basic", *DEPTHS)]
        left = net - np.delete(regulation, coal, axis=1).sum(axis=1)
        each = net[:, None] - regulation
        day = 24 * self.case.steps_per_hour
        days = [slice(at, at + day) for at in range(0, net.size, day)]
        start, stop = np.concatenate(self._start), np.concatenate(self._stop)
        both = np.array([np.minimum(start[at].sum(axis=0), stop[at].sum(axis=0)) for at in days])
        return {
            "peak_shaving/peak_valley_before_mw": np.array([np.ptp(net[at]) for at in days]),
            "peak_shaving/peak_valley_after_mw": np.array([np.ptp(left[at]) for at in days]),
            "peak_shaving/peak_valley_less_mw": np.array([np.ptp(each[at], axis=0) for at in days]),
            "peak_shaving/two_shift_starts": both @ self.unit_of_tech,
        }
