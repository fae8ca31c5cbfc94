"""Forced outages: how often what can fail does so, from the columns of the net, and histories drawn from that.

Everything that can fail has identical parts (units of a row, circuits, banks, poles), and each part is up or down by
itself, for exponential times of mean `mttf_h` and `mttr_h`::

    for_rate = mttr_h / (mttf_h + mttr_h)                                                              (1)

so two of the three columns say the third; where none is given nothing fails. A part is out in a step if it is down at
the step's beginning: its share of steps out is (1) without an error of the step's length, and a history is the same at
any resolution. It begins with the calendar year, down with probability (1), so the hours of a horizon are those of the
year. Every part draws from a stream of its own, made of the seed, the year, its name and its number: it has the same
history whatever else is in the net, and in whatever order.

Units that are committed are another matter: one that stands by does not fail. A run takes of them what `Draw.chances`
says, and decides with the hour whether it comes (`gridsim.failing`); before the first hour they count as running.
Adequacy has no commitment, and takes (1) of every unit.

Left out: outages that several parts have in common (rows of one `outage_of` are one thing), partial outages of a unit,
failures that follow from a start or from weather, repairs put off while power is short.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gridsim.case import Case, OutageRates, Rates
from gridsim.errors import Problem
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.nettable import BoolArray, NetTable
from gridsim.profiles.fields import stream

ELEMENTS = ("gen", "sgen", "storage", "line", "trafo", "dcline")
_AGREE = 0.01  # relative: three figures given for one row may differ by rounding


class Outages(NamedTuple):
    """Histories of one draw, T steps."""

    units_out: IntArray  # (T, nu) of the units that are not on planned work
    stores_out: IntArray  # (T, nst) units
    source_left: FloatArray  # (T, ns) share of its parts that are not out
    link_left: FloatArray  # (T, nlink)
    circuits: IntArray  # (outages, 4) branch row, first step, steps, circuits; by row, then first step


class _Row(NamedTuple):
    parts: int
    mttf_h: float
    mttr_h: float
    group: str


NEVER = _Row(1, np.inf, 0.0, "")


class Columns:
    """The columns of a net, checked."""

    def __init__(self, net: Any):
        self.problems: list[Problem] = []
        self._rows: dict[tuple[str, int], _Row] = {}
        for element in ELEMENTS:
            table = NetTable(net, element)
            if table.n:
                self._read(table)

    def _read(self, table: NetTable) -> None:
        rate, mttf, mttr = (table.number(name) for name in ("for_rate", "mttf_h", "mttr_h"))
        given = np.isfinite(rate).astype(int) + np.isfinite(mttf) + np.isfinite(mttr)
        never = (given == 0) | ((rate == 0) & ~np.isfinite(mttf)) | np.isposinf(mttf)
        on = table.in_service() & ~never
        said = [f"for_rate {a:.6g}, mttf_h {b:.6g}, mttr_h {c:.6g}" for a, b, c in zip(rate, mttf, mttr, strict=True)]
        table.complain(
            self.problems, "for_rate", on & (given == 1), "given with mttr_h or mttf_h, or none of them", said
        )
        bad = on & ~((rate > 0) & (rate < 1)) & np.isfinite(rate)
        table.complain(self.problems, "for_rate", bad, "at least 0 and less than 1")
        for name, value in (("mttf_h", mttf), ("mttr_h", mttr)):
            table.complain(self.problems, name, on & (value <= 0), "greater than 0 h")
        ok = on & (given > 1) & ~bad & ~(mttf <= 0) & ~(mttr <= 0)
        safe_rate = np.where(ok & np.isfinite(rate), rate, 0.5)
        mttf_said = np.where(np.isnan(mttf), mttr * (1.0 - safe_rate) / safe_rate, mttf)
        mttr_said = np.where(np.isnan(mttr), mttf * safe_rate / (1.0 - safe_rate), mttr)
        off = ok & (given == 3) & ~_close(mttr_said / np.where(ok, mttf_said + mttr_said, 1.0), rate)
        table.complain(self.problems, "for_rate", off, "mttr_h / (mttf_h + mttr_h) where all three are given", said)
        parts, group = self._parts(table), table.text("outage_of")
        for i in np.flatnonzero(ok & ~off):
            self._rows[table.element, table.index[i]] = _Row(
                int(parts[i]), float(mttf_said[i]), float(mttr_said[i]), group[i]
            )
        if table.element == "sgen":
            self._one_of_a_group(table)

    def _parts(self, table: NetTable) -> IntArray:
        if table.element in ("line", "trafo"):
            return table.whole("parallel", 1)
        if table.element in ("gen", "storage"):
            return np.maximum(table.whole("units", 1), 1)
        # a committed row of sgen counts its units: a draw takes them from the case
        return np.maximum(table.whole("outage_parts", 1), 1)

    def _one_of_a_group(self, table: NetTable) -> None:
        first: dict[str, _Row] = {}
        differs = np.zeros(table.n, dtype=bool)
        for i, index in enumerate(table.index):
            row = self._rows.get((table.element, index))
            if row is not None and row.group:
                differs[i] = first.setdefault(row.group, row) != row
        rule = "of rows with the same outage_parts, for_rate, mttf_h and mttr_h"
        table.complain(self.problems, "outage_of", differs, rule)

    def of(self, frame: pd.DataFrame) -> Rates:
        """Rates of the rows of one table of the case."""
        at = list(zip(frame["element"], frame["element_index"].astype(int), strict=True))
        rows = [self._rows.get(key, NEVER) for key in at]
        if "units" in frame:
            units = frame["units"].astype(int)
            rows = [row._replace(parts=int(n)) for row, n in zip(rows, units, strict=True)]
        names = list(frame["name"])
        if "way" in frame:  # a link's way back is out with it
            ahead = dict(zip(reversed(at), reversed(names), strict=True))
            names = [ahead[key] for key in at]
        return _rates(names, rows)


def _close(a: FloatArray, b: FloatArray) -> BoolArray:
    return np.abs(a - b) <= _AGREE * np.maximum(np.abs(a), np.abs(b))


def _rates(names: Sequence[str], rows: Sequence[_Row]) -> Rates:
    keys = tuple(row.group or name for name, row in zip(names, rows, strict=True))
    columns = ([row[k] for row in rows] for k in range(3))
    parts, mttf_h, mttr_h = (np.array(column, dtype=np.float64) for column in columns)
    return Rates(keys, parts.astype(np.int64), mttf_h, mttr_h)


def read_rates(
    columns: Columns,
    units: pd.DataFrame,
    sources: pd.DataFrame,
    stores: pd.DataFrame,
    branches: pd.DataFrame,
    links: pd.DataFrame,
) -> OutageRates:
    return OutageRates(*(columns.of(frame) for frame in (units, sources, stores, branches, links)))


def intervals(mttf_h: float, mttr_h: float, hours: float, rng: np.random.Generator) -> FloatArray:
    """Times of failure and repair of one part from 0 on, (outages, 2), the first from -inf if it begins down. [h]"""
    out: list[tuple[float, float]] = []
    t = 0.0
    if rng.random() < mttr_h / (mttf_h + mttr_h):  # exponential times do not know how long they have lasted
        t = rng.exponential(mttr_h)
        out.append((-np.inf, t))
    t += rng.exponential(mttf_h)
    while t < hours:
        repaired = t + rng.exponential(mttr_h)
        out.append((t, repaired))
        t = repaired + rng.exponential(mttf_h)
    return np.array(out, dtype=np.float64).reshape(-1, 2)


def chances(mttf_h: float, mttr_h: float, begin_h: float, hours: float, rng: np.random.Generator) -> FloatArray:
    """When one unit would fail if it ran, and be repaired, (n, 2), up to `hours`. [h]

    Up to `begin_h` it runs, and what it is out for then comes first, if it is: from -inf. All others are chances.
    """
    back = rng.exponential(mttr_h) if rng.random() < mttr_h / (mttf_h + mttr_h) else 0.0
    out: list[tuple[float, float]] = []
    t = rng.exponential(mttf_h)
    while t < hours:
        repaired = t + rng.exponential(mttr_h)
        if t > begin_h:
            out.append((t, repaired))
        elif t >= back:
            back = repaired
        t += rng.exponential(mttf_h)
    first = [(-np.inf, back)] if back > begin_h else []
    return np.array(first + out, dtype=np.float64).reshape(-1, 2)


def draw(case: Case, seed: int) -> Outages:
    """One history of everything that can fail, for the steps of `case`; see the head of this module."""
    return Draw(case)(seed)


class Draw:
    """`draw` for many seeds."""

    def __init__(self, case: Case):
        self.case = case
        january = case.start.astype("datetime64[Y]")
        self.year = int(january.astype(int)) + 1970
        self.first_h = float((case.start - january.astype("datetime64[h]")) / np.timedelta64(1, "h"))

    def __call__(self, seed: int) -> Outages:
        case, rates = self.case, self.case.outage_rates
        units_out = np.zeros((case.steps, len(case.units)), dtype=np.int64)
        for j in self._failing(rates.units):
            for k, spans in enumerate(self._spans("unit", rates.units, j, seed)):
                for begin, end in spans:  # the first units of a row are those that are not on planned work
                    units_out[begin:end, j] += case.unit_available[begin:end, j] > k
        stores_out = np.zeros((case.steps, len(case.stores)), dtype=np.int64)
        for j in self._failing(rates.stores):
            for spans in self._spans("store", rates.stores, j, seed):
                for begin, end in spans:
                    stores_out[begin:end, j] += 1
        source_left = self._left("source", rates.sources, len(case.sources), seed)
        link_left = self._left("link", rates.links, len(case.links), seed)
        circuits = [
            (j, begin, end - begin, 1)
            for j in self._failing(rates.branches)
            for begin, end in sorted(span for spans in self._spans("branch", rates.branches, j, seed) for span in spans)
        ]
        return Outages(units_out, stores_out, source_left, link_left, np.array(circuits, dtype=np.int64).reshape(-1, 4))

    def chances(self, seed: int) -> tuple[IntArray, IntArray]:
        """Of rows of units that need not run: who is out at first, and the chances of failures; (n, 4) each.

        Columns: row, number in the row, first step, steps.
        """
        case, rates, must = self.case, self.case.outage_rates.units, self.case.units["must_run"].to_numpy(bool)
        first: list[tuple[int, int, int, int]] = []
        later: list[tuple[int, int, int, int]] = []
        for j in self._failing(rates):
            for k in range(0 if must[j] else int(rates.parts[j])):
                rng = stream(seed, self.year, "chances", rates.key[j], str(k))
                times = chances(
                    float(rates.mttf_h[j]), float(rates.mttr_h[j]), self.first_h, self.first_h + case.hours, rng
                )
                for (a, b), begun in zip(self._steps(times), np.isneginf(times[:, 0]), strict=True):
                    (first if begun else later).append((j, k, a, b - a))
        of = (np.array(part, dtype=np.int64).reshape(-1, 4) for part in (first, later))
        at_first, chances_ = (part[part[:, 3] > 0] for part in of)
        return at_first, chances_[np.lexsort(chances_[:, [1, 0, 2]].T)]

    def _steps(self, times: FloatArray) -> list[tuple[int, int]]:
        """Steps of outages: first, and the one after the last."""
        steps = np.ceil((times - self.first_h) * self.case.steps_per_hour).clip(0, self.case.steps).astype(np.int64)
        return [(int(a), int(b)) for a, b in steps]

    @staticmethod
    def _failing(rates: Rates) -> list[int]:
        return [int(j) for j in np.flatnonzero(np.isfinite(rates.mttf_h))]

    def _left(self, what: str, rates: Rates, rows: int, seed: int) -> FloatArray:
        left = np.ones((self.case.steps, rows))
        for j in self._failing(rates):
            for spans in self._spans(what, rates, j, seed):
                for begin, end in spans:
                    left[begin:end, j] -= 1.0 / rates.parts[j]
        return np.maximum(left, 0.0)  # of three thirds a rest of 1e-17 would be left

    def _spans(self, what: str, rates: Rates, j: int, seed: int) -> list[list[tuple[int, int]]]:
        """Steps of the outages of each part of a row: first, and the one after the last."""
        hours = self.first_h + self.case.hours
        out = []
        for k in range(int(rates.parts[j])):
            rng = stream(seed, self.year, "forced", what, rates.key[j], str(k))
            times = intervals(float(rates.mttf_h[j]), float(rates.mttr_h[j]), hours, rng)
            out.append([(a, b) for a, b in self._steps(times) if a < b])
        return out
