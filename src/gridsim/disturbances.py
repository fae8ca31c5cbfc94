"""What goes wrong in a run: outages drawn from rates (`forced`) and outages that the scenario lists, and who knows.

Lived hours see an outage from its first step to its last. A window that is planned knows of those that have begun
before it, and how long their repair will take; of those that begin later it knows only the announced ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from gridsim.case import Case
from gridsim.errors import Problem
from gridsim.failing import Failing
from gridsim.forced import Draw, Outages
from gridsim.kernels import security
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.scenario import ListedOutage, Scenario
from gridsim.spurs import spurs_of

STAYS = "stays in service: its loss would split the grid"
TABLES = {"unit": "units", "source": "sources", "store": "stores", "link": "links", "branch": "branches"}


@dataclass(frozen=True)
class Incident:
    """One outage of one element, for the log."""

    kind: str  # "forced", or what the scenario calls it
    what: str  # unit, source, store, link, branch
    name: str
    zone: str
    first: int  # step
    steps: int
    parts: int  # units, poles or circuits lost; of a source 0
    lost_mw: float  # capacity
    announced: bool
    row: int  # of its table
    stays: bool = False  # a branch that stays in service: its loss would split the grid


class Lost(NamedTuple):
    """What is lost in every step; shapes as in `Outages`."""

    units: IntArray
    stores: IntArray
    sources: FloatArray  # share lost
    links: FloatArray  # share lost
    circuits: IntArray  # (T, nbr)

    def of(self, what: str) -> Any:
        """That of one kind of element, by the keys of `TABLES`."""
        return dict(zip(("unit", "store", "source", "link", "branch"), self, strict=True))[what]


def none_lost(case: Case) -> Lost:
    n = case.steps
    return Lost(
        np.zeros((n, len(case.units)), dtype=np.int64),
        np.zeros((n, len(case.stores)), dtype=np.int64),
        np.zeros((n, len(case.sources))),
        np.zeros((n, len(case.links))),
        np.zeros((n, len(case.branches)), dtype=np.int64),
    )


class Disturbances:
    """All outages of a run: what is lost, and what of it is known when."""

    def __init__(self, case: Case, scenario: Scenario):
        """`problems` then says what the list names that is not there, or must not be lost."""
        self.case = case
        self.problems: list[Problem] = []
        self.incidents: list[Incident] = []
        self.forced = scenario.outages.forced
        self.chances = np.zeros((0, 4), dtype=np.int64)
        sudden, announced = none_lost(case), none_lost(case)
        if self.forced:
            seed = scenario.seed if scenario.outages.seed is None else scenario.outages.seed
            self._add_drawn(sudden, Draw(case), seed)
        for number, outage in enumerate(scenario.outage, start=1):
            self._add_listed(announced if outage.announced else sudden, number, outage, scenario)
        self.sudden, self.announced = sudden, announced
        self.circuits_out = self._circuits(sudden.circuits + announced.circuits)

    @property
    def any(self) -> bool:
        """Whether anything may be lost at all."""
        return len(self.chances) > 0 or any(part.any() for lost in (self.sudden, self.announced) for part in lost)

    def failing(self, available: IntArray) -> Failing:
        """What fails while it runs; `available`, of the lived case, and what is lost here are written to."""
        return Failing(self.case, self.chances, available, self.sudden.units)

    def events(self, struck: Sequence[IntArray] = ()) -> list[dict[str, Any]]:
        """All incidents as the results file lists them, in order, with the failures that `Failing.struck` has."""
        units = self.case.units
        failed = [
            Incident("forced", "unit", str(units["name"].iloc[row]), str(units["zone"].iloc[row]), first, steps, 1,
                     float(units["p_max_mw"].iloc[row]), announced=False, row=row)
            for part in struck
            for row, _, first, steps in part.tolist()
        ]  # fmt: skip
        every = sorted([*self.incidents, *failed], key=lambda one: (one.first, one.what, one.name, one.kind))
        return [self._event(one) for one in every]

    # -- what is lost

    def _add_drawn(self, lost: Lost, draw: Draw, seed: int) -> None:
        drawn: Outages = draw(seed)
        at_first, self.chances = draw.chances(seed)
        lost.units[:] += np.where(self.case.units["must_run"].to_numpy(bool), drawn.units_out, 0)
        for row, part, _, steps in at_first.tolist():
            lost.units[:steps, row] += self.case.unit_available[:steps, row] > part
        lost.stores[:] += drawn.stores_out
        lost.sources[:] += 1.0 - drawn.source_left
        lost.links[:] += 1.0 - drawn.link_left
        alone = self.bridges & (self._branch_circuits == 1)
        for j, first, steps, count in drawn.circuits:
            if not alone[j]:
                lost.circuits[first : first + steps, j] += count
        for what in TABLES:
            part = lost.of(what)
            for j in np.flatnonzero(part.any(axis=0)):
                self._log(what, int(j), part[:, j], "forced", announced=False)

    def _log(self, what: str, j: int, part: Any, kind: str, *, announced: bool) -> None:
        """An incident for every rise of what is lost."""
        rise = np.diff(part, prepend=0.0)
        for first in np.flatnonzero(rise > 1e-9):
            level = part[first] - 1e-9
            after = np.flatnonzero(part[first:] < level)
            steps = int(after[0]) if after.size else len(part) - int(first)
            size = float(rise[first])
            row = getattr(self.case, TABLES[what]).iloc[j]
            parts, lost_mw = _size(what, row, size)
            zone = str(row["zone"]) if "zone" in row else ""
            self.incidents.append(
                Incident(kind, what, str(row["name"]), zone, int(first), steps, parts, lost_mw, announced, j)
            )

    def _add_listed(self, lost: Lost, number: int, outage: ListedOutage, scenario: Scenario) -> None:
        case, where = self.case, f"scenario: outage.{number}"
        begin = int((np.datetime64(outage.start, "h") - case.start) / np.timedelta64(1, "h"))
        first, last = (
            int(np.clip(hour, 0, case.hours)) * case.steps_per_hour for hour in (begin, begin + outage.hours)
        )
        hit = 0
        for what, table_name in TABLES.items():
            table: pd.DataFrame = getattr(case, table_name)
            for j in _fitting(table, what, outage):
                hit += 1
                parts = int(table["circuits" if what == "branch" else "units"].iloc[j]) if what in (
                    "unit", "store", "branch") else 1  # fmt: skip
                count = int(np.ceil(outage.share * parts - 1e-9))
                if what == "branch" and self.bridges[j] and count >= parts:
                    text = f"must leave the grid in one piece: without {table['name'].iloc[j]} it falls apart"
                    self.problems.append(Problem(f"{where}.names", text))
                    continue
                part: Any = lost.of(what)
                before = part[:, j].copy()
                part[first:last, j] += count if what in ("unit", "store", "branch") else outage.share
                if last > first:
                    self._log(what, j, part[:, j] - before, outage.kind, announced=outage.announced)
        if not hit:
            said = ", ".join(f"{key} {value}" for key, value in (
                ("names", outage.names), ("techs", outage.techs), ("zones", outage.zones)) if value)  # fmt: skip
            text = f"must fit a unit, source, store, DC link or branch of the network: {said} fits none"
            self.problems.append(Problem(where, text))

    @cached_property
    def bridges(self) -> BoolArray:
        """(nbr,) branches without which the grid falls apart."""
        out = np.zeros(len(self.case.branches), dtype=np.bool_)
        out[security.bridges_of(self.case).branch] = True
        return out

    @cached_property
    def _branch_circuits(self) -> IntArray:
        """(nbr,)"""
        return self.case.branches["circuits"].to_numpy(np.int64)

    def _circuits(self, lost: IntArray) -> IntArray:
        """(T, nbr) circuits that are out, as far as the grid stays in one piece; the log is told what stays."""
        wanted = np.minimum(lost, self._branch_circuits)
        if not wanted.any():
            return np.zeros((0, wanted.shape[1]), dtype=np.int64)
        out = self._in_one_piece(wanted)
        self.incidents = list(_as_it_was(self.incidents, wanted, out))
        return out

    def _in_one_piece(self, circuits_out: IntArray) -> IntArray:
        """(T, nbr) with a circuit put back of each branch whose loss would split the grid.

        Of branches that split it only together, the last rows first.
        """
        ends = self.case.branches[["from_row", "to_row"]].to_numpy(np.int64)
        circuits, nb = self._branch_circuits, len(self.case.buses)

        def islands(there: BoolArray) -> int:
            graph = sparse.coo_array((np.ones(int(there.sum())), ends[there].T), shape=(nb, nb))
            return int(connected_components(graph, directed=False)[0])

        whole = islands(np.ones(len(ends), dtype=np.bool_))
        most = np.where(self.bridges, circuits - 1, circuits)
        patterns, of_step = np.unique(np.minimum(circuits_out, most), axis=0, return_inverse=True)
        for pattern in patterns:
            for j in np.flatnonzero(pattern >= circuits)[::-1]:
                if islands(pattern < circuits) == whole:
                    break
                pattern[j] = circuits[j] - 1
        out: IntArray = patterns[of_step.reshape(-1)]
        return out

    @property
    def losing(self) -> BoolArray:
        """(ns,) sources that lose something in the run."""
        return np.asarray((self.sudden.sources > 0.0).any(axis=0) | (self.announced.sources > 0.0).any(axis=0))

    # -- who knows

    def lived(self) -> Case:
        """The case as it is lived."""
        pairs: Any = zip(self.sudden, self.announced, strict=True)
        lost = Lost(*(a + b for a, b in pairs))
        case = self.case
        left = left_of(case, lost, slice(0, case.steps), np.where(self.losing, case.source_min_mw[0], np.nan))
        there = np.minimum(case.units["initial_on"].to_numpy(np.int64), left["unit_available"][0])
        must = case.units["must_run"].to_numpy(bool)  # what always runs ran before the first hour as it does in it
        left["source_trips"] = np.diff(lost.sources, axis=0, prepend=np.zeros((1, len(case.sources)))) > 1e-9
        left["units"] = case.units.assign(initial_on=np.where(must, there, case.units["initial_on"]).astype(np.int64))
        left["circuits_out"] = self.circuits_out
        return replace(case, **left)

    def _event(self, one: Incident) -> dict[str, Any]:
        """An incident as the results file lists it, among what happens in the weather."""
        hours = one.steps / self.case.steps_per_hour
        start = str(self.case.start + np.timedelta64(one.first * 60 // self.case.steps_per_hour, "m"))
        shared = {"kind": "outage", "name": one.name, "zone": one.zone, "start": start, "hours": hours}
        happened = f"{one.name} {STAYS}" if one.stays else f"{one.lost_mw:.0f} MW of {one.name}"
        detail = f"{one.kind}: {happened}"
        own = {"what": one.what, "cause": one.kind, "parts": one.parts, "lost_mw": one.lost_mw, "stays": one.stays}
        return {**shared, "detail": detail, **own, "announced": one.announced, "first": one.first, "steps": one.steps}

    def known(self, t0: int, steps: int) -> Lost:
        """What is known at step `t0` to be lost in the `steps` from it: announced, or begun before it."""
        at = slice(t0, t0 + steps)
        parts: list[Any] = []
        for sudden, announced in zip(self.sudden, self.announced, strict=True):
            before = sudden[max(t0 - 1, 0) : max(t0 - 1, 0) + 1]
            still = np.minimum.accumulate(np.concatenate((before, sudden[at])), axis=0)[1:]
            parts.append(still + announced[at])
        return Lost(*parts)


def _as_it_was(incidents: Sequence[Incident], wanted: IntArray, out: IntArray) -> Iterator[Incident]:
    """Incidents, where fewer circuits were out than `wanted` (T, nbr): what stays in service is what was lost last."""
    left = out.copy()
    for one in sorted(incidents, key=lambda one: one.first):
        if one.what != "branch":
            yield one
            continue
        at = slice(one.first, one.first + one.steps), one.row
        lost = np.where(out[at] < wanted[at], np.minimum(one.parts, left[at]), one.parts)
        left[at] -= np.minimum(lost, left[at])
        yield from _parted(one, lost)


def _parted(one: Incident, lost: IntArray) -> Iterator[Incident]:
    """An incident of a branch in stretches of steps of which each has `lost` as many circuits."""
    cuts = [0, *(np.flatnonzero(np.diff(lost)) + 1).tolist(), one.steps]
    for a, b in pairwise(cuts):
        parts = int(lost[a])
        mw = one.lost_mw * parts / one.parts
        yield replace(one, first=one.first + a, steps=b - a, stays=parts == 0, parts=parts, lost_mw=mw)


def left_of(case: Case, lost: Lost, at: slice, before: FloatArray) -> dict[str, Any]:
    """What outages leave of the arrays of a case in some steps.

    Parameters
    ----------
    lost : Lost
        Of the steps of `at`.
    before : (ns,) float64
        Least output of each source in the step before: what comes back is held to its least only as its ramp allows,
        NaN for those that lose nothing in the run. [MW]
    """
    limits = case.store_limits
    units = np.maximum(case.stores["units"].to_numpy(float), 1.0) if len(case.stores) else np.ones(0)
    stores = np.clip(1.0 - lost.stores / units, 0.0, 1.0)
    sources, links = (np.clip(1.0 - part, 0.0, 1.0) for part in (lost.sources, lost.links))
    high = case.source_max_mw[at] * sources
    spurs = spurs_of(case)
    if spurs.bus.size:  # what a link at sea cannot take ashore is not there
        through = np.minimum(1.0, spurs.most_mw * links[:, spurs.link] / np.maximum(spurs.sent(high), 1e-9))
        high *= np.hstack((through, np.ones((len(high), 1))))[:, spurs.of_source]
    low = case.source_min_mw[at] * sources
    rise = case.sources["ramp_up_mw_per_h"].to_numpy(float) * case.dt_h
    for t in range(len(high)):
        before = np.minimum(low[t], before + rise)  # NaN stays NaN
        low[t] = np.where(np.isnan(before), low[t], before)
    return {
        "unit_available": np.maximum(case.unit_available[at] - lost.units, 0),
        "source_max_mw": high,
        "source_min_mw": low,
        "store_limits": limits._replace(
            charge_max_mw=limits.charge_max_mw[at] * stores, discharge_max_mw=limits.discharge_max_mw[at] * stores
        ),
        "link_left": links,
    }


def _fitting(table: pd.DataFrame, what: str, outage: ListedOutage) -> list[int]:
    """Rows of a table that an outage names. Branches and links have no technology and no zone."""
    names = table["name"].astype(str).tolist()
    out = []
    for j, name in enumerate(names):
        if outage.names and not any(fnmatchcase(name, pattern) for pattern in outage.names):
            continue
        if outage.techs and (what in ("link", "branch") or str(table["tech"].iloc[j]) not in outage.techs):
            continue
        if outage.zones and (what in ("link", "branch") or str(table["zone"].iloc[j]) not in outage.zones):
            continue
        out.append(j)
    return out


def _size(what: str, row: Any, size: float) -> tuple[int, float]:
    """Parts and capacity of what a row lost."""
    if what == "unit":
        return round(size), size * float(row["p_max_mw"])
    if what == "store":
        return round(size), size * float(row["p_discharge_max_mw"]) / max(int(row["units"]), 1)
    if what == "source":
        return 0, size * float(row["p_nom_mw"])
    if what == "link":
        return 0, size * max(abs(float(row["p_min_mw"])), abs(float(row["p_max_mw"])))
    rating = float(row["rating_mw"])
    return round(size), size * rating / max(int(row["circuits"]), 1) if np.isfinite(rating) else 0.0
