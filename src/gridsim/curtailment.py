"""Curtailment by cause: for every source and step, parts that add up exactly to what was there and not taken.

A source is curtailed for one or more of these reasons, found in this order:

1. **own**: what its own connection or hosting limit cuts, before anyone dispatches it.
2. **ramp** and **reserve** of its own: output beyond what its ramps reach; output that it keeps back because reserve up
   pays more (its own bus would pay for the energy).
3. **section** and **n1**: the network, where prices say so. With pi_m the prices of line rows and H_mb what a MW fed in
   at bus b adds to row m, the price at the bus falls short of the price that load pays on average by ::

       sum_m pi_m (H_mb - mean over load of H_m)                                 (1)

   Where that is positive, load would pay more for the energy than it costs, and the bus would not. The rows with
   positive terms share in it in proportion to them; rows of the network as it is are sections (a line, a transformer,
   an interface), rows after an outage are n1. All sources together are curtailed for the network by no more than the
   system has room for: see 4.
4. The rest is system-wide. What else could have given way, the room of the units on and of sources that may not be
   curtailed above their least output, is counted: room that ramps hold (the output of the step before or after could
   not be reached from lower down), room that reserve down needs, and room that was left though nothing holds it.
   Curtailment is laid against the last first, then against reserve, then against ramps: **economic**, **reserve**,
   **ramp**. What is more than all room is **system**: must-run output, minimum output, contracts of imports.

Removing a cause of 3 and 4 makes the curtailment smaller by its part as long as commitment and stores stay as they are.
"""

from typing import Any

import numpy as np

from gridsim.carry import Carried
from gridsim.case import Case
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.kernels.step import Fleet, Hour
from gridsim.plan import LineRows, Plan
from gridsim.schema import CAUSES, GRID
from gridsim.spurs import spurs_of

OWN, SECTION, N1, RAMP, RESERVE, SYSTEM, ECONOMIC = range(len(CAUSES))
SEEN_MW = 0.5  # of the whole system: room below it is what an interior point leaves
PRICED = 1e-2  # currency/MWh between two prices that are not the same


class Curtailment(Carried):
    """Finds the causes of lived steps, block by block."""

    carried = ("before",)

    def __init__(self, case: Case, f: Fleet):
        self.case, self.f = case, f
        sources = case.sources
        self.curtailable = sources["curtailable"].to_numpy(dtype=bool)
        self.cost = sources["cost"].to_numpy(dtype=np.float64)
        self.rise, self.fall = (
            sources[f"ramp_{way}_mw_per_h"].to_numpy(dtype=np.float64) * case.dt_h for way in ("up", "down")
        )
        self.bus = sources["bus_row"].to_numpy(dtype=np.int64)
        self.spurs = spurs_of(case)
        self.responds = case.source_responds.astype(np.float64)
        self.is_up = f.product_up == 1
        self.before = np.full(len(sources), np.nan)  # output in the step before

    def live(self, h: Hour, plan: Plan, own_mw: FloatArray) -> dict[str, Any]:
        """Datasets of a block of lived steps; `own_mw` (T, ns) is what their own limits take off what is available."""
        part = np.zeros((*h.source.shape, len(CAUSES)))
        element, n1_element, n1_outage = (np.full(h.source.shape, -1) for _ in range(3))
        part[:, :, OWN] = own_mw
        lost = np.where(self.curtailable, h.source_hi - h.source, 0.0)
        if lost.max(initial=0.0) > 0.0:
            room, usable, held_by_ramps = self._room(h, lost)
            self._own_reasons(h, plan, lost, part)
            rest = lost - part[:, :, RAMP] - part[:, :, RESERVE]
            rows = plan.line_rows
            for t in np.unique(rows.hour[rows.hour < len(lost)]):
                if rest[t].any():
                    found = self._network(rows.of(t), h.load[t], float(plan.price[t]), rest[t])
                    blamed, element[t], n1_element[t], n1_outage[t] = found
                    total = blamed.sum()
                    part[t, :, SECTION : N1 + 1] = blamed * min(1.0, usable[t] / max(total, 1e-9))
            self._system(rest - part[:, :, SECTION] - part[:, :, N1], room, usable, held_by_ramps, part)
        self.before = h.source[-1].copy()
        return {
            "curtailment/cause_mw": exactly(part, h.source_hi, h.source, self.curtailable),
            "curtailment/section_element": element,
            "curtailment/n1_element": n1_element,
            "curtailment/n1_outage": n1_outage,
        }

    def _room(self, h: Hour, lost: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(T,) room of all that is on to give less; of it what nothing holds, and what ramps hold. [MW]"""
        f, firm = self.f, ~self.curtailable
        of_units = np.maximum(h.unit_p - h.floor, 0.0)
        low = lowest(h.unit_p, h.unit_before, h.rise, h.fall)
        free = np.where(f.unit_held == 1, np.clip(h.unit_p - low, 0.0, of_units), of_units)
        of_sources = np.maximum(h.source - h.source_lo, 0.0)[:, firm]
        rise, fall = (np.broadcast_to(limit[firm], of_sources.shape) for limit in (self.rise, self.fall))
        low = lowest(h.source[:, firm], self.before[firm], rise, fall)
        free_sources = np.clip(h.source[:, firm] - low, 0.0, of_sources)
        room = of_units.sum(axis=1) + of_sources.sum(axis=1)
        unheld = free.sum(axis=1) + free_sources.sum(axis=1)
        usable = unheld
        for k in np.flatnonzero(~self.is_up):
            # a MW of room beyond the answer of its row, and a MW more of a source that answers, cost no reserve
            answer = h.on * f.unit_response[:, k]
            spare = h.provided[:, k] - h.need[:, k] + np.maximum(of_units - answer, 0.0).sum(axis=1)
            spare += of_sources @ (1.0 - self.responds[firm, k]) + lost @ self.responds[:, k]
            usable = np.minimum(usable, np.maximum(spare, 0.0))
        usable = np.where(usable < SEEN_MW, 0.0, usable)
        return room, usable, room - unheld

    def _own_reasons(self, h: Hour, plan: Plan, lost: FloatArray, part: FloatArray) -> None:
        """What a source's own ramps keep it from, and what it keeps back for reserve up."""
        kept = len(lost)
        if np.isfinite(self.rise[self.curtailable]).any() or np.isfinite(self.fall[self.curtailable]).any():
            most = highest(h.source, self.before, self.rise, self.fall)
            part[:, :, RAMP] = np.minimum(lost, np.maximum(h.source_hi - np.maximum(most, h.source), 0.0))
        paid = plan.price_reserve[:kept, self.is_up] @ self.responds[:, self.is_up].T
        if paid.max(initial=0.0) > PRICED:
            worth = plan.price_bus[:kept, self.bus] - self.cost
            kept_back = (paid > PRICED) & (worth > PRICED)
            part[:, :, RESERVE] = np.where(kept_back, lost - part[:, :, RAMP], 0.0)

    def _network(
        self, rows: LineRows, load: FloatArray, price: float, rest: FloatArray
    ) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
        """Of one step: what the network is to blame for at most, (ns, section and n1), and the rows that weigh most."""
        case = self.case
        at_load = np.bincount(self.f.load_bus, weights=load, minlength=len(case.buses))
        share = at_load / max(at_load.sum(), 1e-9)
        by_bus = self.spurs.through(rows.coef, len(case.buses))[:, : len(case.buses)]
        mean = by_bus @ share
        weight = rows.price[:, None] * (by_bus[:, self.bus] - mean[:, None])  # (m, ns), equation (1)
        load_pays = price - float(rows.price @ mean)
        behind = weight.sum(axis=0)
        paid = load_pays - behind - (1.0 - self.spurs.serves()) * price  # at the source's own bus
        blamed = (rest > 0.0) & (behind > PRICED) & (load_pays - self.cost > PRICED)
        blamed &= paid - self.cost <= PRICED  # else its own bus would pay, too
        push = np.maximum(weight, 0.0) * blamed
        after = rows.outage >= 0
        total = np.maximum(push.sum(axis=0), 1e-12)
        parts = np.stack((push[~after].sum(axis=0), push[after].sum(axis=0)), axis=1) / total[:, None]
        labels = ((~after, rows.element), (after, rows.element), (after, rows.outage))
        section, n1_element, n1_outage = (heaviest(push, which, label) for which, label in labels)
        return parts * (rest * blamed)[:, None], section, n1_element, n1_outage

    @staticmethod
    def _system(rest: FloatArray, room: FloatArray, usable: FloatArray, by_ramps: FloatArray, part: FloatArray) -> None:
        """Lay what is left against room that nothing holds, that reserve holds, that ramps hold; pro rata."""
        rest = np.maximum(rest, 0.0)
        total = rest.sum(axis=1)
        share = rest / np.maximum(total, 1e-12)[:, None]
        left_usable = np.maximum(usable - part[:, :, SECTION : N1 + 1].sum(axis=(1, 2)), 0.0)
        left = total
        for cause, most in ((ECONOMIC, left_usable), (RESERVE, room - by_ramps - usable), (RAMP, by_ramps)):
            took = np.minimum(left, np.maximum(most, 0.0))
            part[:, :, cause] += share * took[:, None]
            left = left - took
        part[:, :, SYSTEM] += share * left[:, None]


def lowest(p: FloatArray, before: FloatArray, rise: FloatArray, fall: FloatArray) -> FloatArray:
    """(T, n) least output from which ramps reach the step before and the one after; of what is not known, none."""
    ahead = np.vstack((p[1:] - rise[1:], np.full((1, p.shape[1]), -np.inf)))
    back = np.vstack((before[None], p[:-1])) - fall
    low: FloatArray = np.fmax(ahead, back)
    return low


def highest(p: FloatArray, before: FloatArray, rise: FloatArray, fall: FloatArray) -> FloatArray:
    """(T, n) most output that ramps (n,) leave between the step before and the one after."""
    ahead = np.vstack((p[1:] + fall, np.full((1, p.shape[1]), np.inf)))
    most: FloatArray = np.fmin(ahead, np.vstack((before[None], p[:-1])) + rise)
    return most


def heaviest(push: FloatArray, which: BoolArray, label: IntArray) -> IntArray:
    """(ns,) label of the row among `which` that pushes a source most; -1 where none does."""
    if not which.any():
        return np.full(push.shape[1], -1)
    ours = push[which]
    return np.where(ours.max(axis=0) > 0.0, label[which][ours.argmax(axis=0)], -1)


def exactly(part: FloatArray, available: FloatArray, taken: FloatArray, curtailable: BoolArray) -> FloatArray:
    """The parts on the grid of the file, the largest one changed so that they add up to what was not taken, exactly."""

    def on_grid(values: FloatArray) -> FloatArray:
        rounded: FloatArray = np.rint(values / GRID) * GRID
        return rounded

    out = on_grid(part)
    missing = np.where(curtailable, on_grid(available) - on_grid(taken), 0.0) - out[:, :, 1:].sum(axis=2)
    hour, source = np.nonzero(missing)
    cause = 1 + out[hour, source, 1:].argmax(axis=1)
    out[hour, source, cause] += missing[hour, source]
    return out
