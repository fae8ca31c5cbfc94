"""The two clocks of a run: windows are planned on what is believed, hours are lived on what is there.

Without forecast errors and outages both are the same, and a lived hour is the planned one, checked. Else `Clocks` has
two cases: `actual`, which is lived and written to the results file, and `believed`, into which `issue` writes what is
known when a window is planned.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from gridsim.assemble import assemble
from gridsim.case import Case
from gridsim.disturbances import Disturbances, left_of
from gridsim.expected import Expected, expected
from gridsim.failing import Failing
from gridsim.forecast import KINDS, Error, Forecasts
from gridsim.handover import State
from gridsim.kernels.jit import IntArray
from gridsim.kernels.step import Fleet
from gridsim.lived import fleet
from gridsim.plan import Plan, Planner
from gridsim.realtime import RealTime, Terms
from gridsim.scenario import Scenario
from gridsim.schema import WIND_TECHS, techs_of

NETWORKS = 24  # with circuits out that are kept


def planner_of(case: Case, scenario: Scenario, *, engine: str | None = None, tolerance: float | None = None) -> Planner:
    """The planner of a scenario for a case."""
    solver, grid = scenario.solver, scenario.grid
    return Planner(
        case,
        tolerance=solver.tolerance if tolerance is None else tolerance,
        network=grid.enforce == "dc",
        step_h=scenario.horizon.step_h,
        engine=solver.engine if engine is None else engine,
        max_rounds=solver.max_rounds,
        n1=grid.n1 == "enforce",
        effort=solver.effort,
        target_gap=solver.target_gap,
        lossy=grid.losses == "quadratic",
    )


class Network(NamedTuple):
    """A network that hours are lived on."""

    planner: Planner  # of the lived case, on that network
    fleet: Fleet
    realtime: RealTime | None  # none where what is planned is what comes


class Piece(NamedTuple):
    """Hours of a window that are lived on one network."""

    planner: Planner
    fleet: Fleet
    first: int  # step of the run
    steps: int
    plan: Plan  # of them, as they come
    planned: Plan  # as they were planned
    called: IntArray  # (steps, nu) units called that were not planned
    lost: IntArray  # (steps, nu) units planned that were not there


class Clocks:
    """What is believed, what is there, and how hours are lived."""

    def __init__(self, scenario: Scenario, case: Case):
        """
        Raises
        ------
        InputError
            If series that are believed cannot be read.
        """
        self.scenario, options = scenario, scenario.realtime
        self.wrong = Disturbances(case, scenario)
        self.foresees = not scenario.relives
        self.forecasts = self._forecasts(case)
        self.base = case if self.forecasts is None else self.forecasts.case
        self.failing: Failing | None = None
        self._networks: dict[bytes, Network] = {}
        if self.foresees:
            self.actual = self.believed = case
            self.planner = planner_of(case, scenario)
            return
        actual = self.wrong.lived() if self.wrong.any else case
        self.actual = replace(actual, product_need_mw=options.reserve_kept * case.product_need_mw)
        self.believed = replace(
            case,
            load_mw=case.load_mw.copy(),
            unit_available=case.unit_available.copy(),
            source_max_mw=case.source_max_mw.copy(),
            source_min_mw=case.source_min_mw.copy(),
            store_limits=type(case.store_limits)(*(part.copy() for part in case.store_limits)),
            link_left=np.ones((case.steps, len(case.links))),
            product_need_mw=case.product_need_mw.copy(),
            source_trips=actual.source_trips,
        )
        self.planner = planner_of(self.believed, scenario)
        if self.wrong.forced:
            self.failing = self.wrong.failing(self.actual.unit_available)
        self._believed_fleet = fleet(self.believed, self.planner)

    def expects(self, plan: Plan, t0: int, kept: int, state: State) -> Expected | None:
        """What a plan expects its kept steps to cost; none where that is what they cost."""
        if self.foresees:
            return None
        believed = self.believed
        if self.scenario.reserve_for_errors:  # kept so that it is there, not to be paid for where it is missing
            need = believed.product_need_mw.copy()
            need[:, -1] = 0.0
            believed = replace(believed, product_need_mw=need)
        return expected(believed, self.actual, self._believed_fleet, self.planner, plan, t0, kept, state)

    def _forecasts(self, case: Case) -> Forecasts | None:
        options = self.scenario.realtime
        if options.forecast == "perfect":
            return None
        if options.forecast == "files":
            return Forecasts.of_series(case, assemble(self.scenario.believed()))
        errors = {kind: Error(e.hour, e.day, e.correlation_km) for kind in KINDS for e in (getattr(options, kind),)}
        seed = self.scenario.seed if options.seed is None else options.seed
        return Forecasts(case, errors, seed, options.lead_h)

    def issue(self, t0: int, steps: int) -> bool:
        """Write what is known at step `t0` of the `steps` from it into `believed`; whether other units are there."""
        if self.foresees:
            return False
        at, believed = slice(t0, t0 + steps), self.believed
        if self.forecasts is not None:
            self.forecasts.issue(t0, steps)
            if self.scenario.reserve_for_errors:
                self._keep_for_errors(t0, steps)
        believed.load_mw[at] = self.base.load_mw[at]
        before = np.where(self.wrong.losing, self.actual.source_min_mw[max(t0 - 1, 0)], np.nan)
        left = left_of(self.base, self.wrong.known(t0, steps), at, before)
        there = believed.unit_available.copy()
        for name in ("unit_available", "source_max_mw", "source_min_mw", "link_left"):
            getattr(believed, name)[at] = left[name]
        believed.unit_available[:t0] = self.actual.unit_available[:t0]  # what has been lived is known
        changed = bool((there != believed.unit_available).any())
        for name in ("charge_max_mw", "discharge_max_mw"):
            getattr(believed.store_limits, name)[at] = getattr(left["store_limits"], name)
        return changed

    def _keep_for_errors(self, t0: int, steps: int) -> None:
        """Ask that the window can meet what may come beyond its forecast, and still keep what the hour itself asks."""
        assert self.forecasts is not None
        options, need, at = self.scenario.realtime, self.believed.product_need_mw, slice(t0, t0 + steps)
        up = (self.believed.products["direction"] == "up").to_numpy(bool)
        up[-1] = False  # the last product is the one for errors
        base = need[at][:, up].max(axis=1)
        short = self.forecasts.short_mw(t0, steps, options.reserve_quantile)
        need[at, -1] = np.maximum(base, options.reserve_kept * base + short)

    def events(self) -> list[Any]:
        """What the results file lists as events: those of the weather, and what has failed."""
        return [*self.actual.events, *self.wrong.events(() if self.failing is None else self.failing.struck)]

    def recall(self, events: list[dict[str, Any]]) -> None:
        """Lose the units that failed while they ran, as the events of a results file say."""
        if self.failing is None:
            return
        row = {name: j for j, name in enumerate(self.actual.units["name"].astype(str))}
        known = self.wrong.events()
        for event in events:
            if event.get("kind") == "outage" and event["what"] == "unit" and event not in known:
                self.failing.strike(row[event["name"]], event["first"], event["steps"])

    def pieces(self, t0: int, kept: int) -> Iterator[tuple[int, int]]:
        """First and last step + 1 of the stretches of the kept hours on which the network is the same."""
        out = self.actual.circuits_out[t0 : t0 + kept]
        change = np.flatnonzero(np.diff(out, axis=0).any(axis=1)) + 1 if len(out) else np.zeros(0, dtype=np.int64)
        yield from pairwise([0, *change.tolist(), kept])

    def live(self, plan: Plan, t0: int, first: int, last: int, state: State) -> Piece:
        """The steps `first` to `last` - 1 of a plan from step `t0`, as they come; `state` is the one before them."""
        planner, fleet, realtime = self._network(t0 + first)
        begin, steps, after = t0 + first, last - first, plan.after(first)
        if realtime is None:
            none = np.zeros_like(plan.on[first:last])
            return Piece(planner, fleet, begin, steps, after, after, none, none)
        lives = realtime.live(after, begin, steps, state)
        return Piece(planner, fleet, begin, steps, lives.plan, after, lives.called, lives.lost)

    def datasets(self, piece: Piece) -> dict[str, Any]:
        """What was foreseen of the steps of a piece, by path."""
        at, case, planned = slice(piece.first, piece.first + piece.steps), self.actual, piece.planned
        out: dict[str, Any] = {"realtime/called": piece.called, "realtime/lost": piece.lost}
        if len(case.circuits_out):
            out["realtime/circuits_out"] = case.circuits_out[at]
        if self.foresees:
            return out
        n, techs = piece.steps, techs_of(case)
        unit_mw = planned.on[:n] * case.units["p_min_mw"].to_numpy(float)
        np.add.at(unit_mw.T, self.planner.seg_unit, planned.unit_seg_mw[:n].T)
        parts = (
            (unit_mw, case.units),
            (planned.source_mw[:n], case.sources),
            (planned.discharge_mw[:n] - planned.charge_mw[:n], case.stores),
        )
        of_tech = np.zeros((n, len(techs)))
        for power, table in parts:
            np.add.at(of_tech.T, [techs.index(str(tech)) for tech in table["tech"]], power.T)
        tech = case.sources["tech"].astype(str).to_numpy()
        weather = [np.isin(tech, kinds) for kinds in (WIND_TECHS, ("pv",))]
        believed = self.believed
        return out | {
            "realtime/planned_tech_p_mw": of_tech,
            "realtime/forecast_mw": np.column_stack(
                (
                    believed.load_mw[at].sum(axis=1),
                    *(believed.source_max_mw[at][:, rows].sum(axis=1) for rows in weather),
                )
            ),
            "realtime/planned_need_mw": believed.product_need_mw[at],
        }

    def _network(self, step: int) -> Network:
        """The network of a step; kept, for the same circuits are out for many hours."""
        out = self.actual.circuits_out[step : step + 1]
        key = out.tobytes()
        if key not in self._networks:
            if len(self._networks) >= NETWORKS:
                self._networks.pop(next(iter(self._networks)))
            self._networks[key] = self._make(out)
        return self._networks[key]

    def _make(self, out: IntArray) -> Network:
        if self.foresees:
            return Network(self.planner, fleet(self.actual, self.planner), None)
        case = without(self.actual, out[0]) if out.any() else self.actual
        planner, options = planner_of(case, self.scenario), self.scenario.realtime
        terms = Terms(options.store_band, options.quick_start)
        realtime = RealTime(planner, terms, self.believed, whole=not out.any(), failing=self.failing)
        return Network(planner, fleet(case, planner), realtime)


def without(case: Case, circuits_out: IntArray) -> Case:
    """A case some of whose branches have fewer circuits; one without any ends where it begins, and carries nothing."""
    table, out = case.branches, circuits_out.astype(float)
    circuits = np.maximum(table["circuits"].to_numpy(float), 1.0)
    left = np.maximum(circuits - out, 0.0) / circuits
    share = np.where(left > 0.0, left, 1.0)
    return replace(
        case,
        branches=table.assign(
            to_row=np.where(left > 0.0, table["to_row"], table["from_row"]).astype(np.int64),
            x_pu=table["x_pu"] / share,
            r_pu=table["r_pu"] / share,
            circuits=np.maximum(table["circuits"].to_numpy(np.int64) - circuits_out, 1),
            rating_mw=table["rating_mw"] * share,
            emergency_rating_mw=table["emergency_rating_mw"] * share,
        ),
    )
