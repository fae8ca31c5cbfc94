"""The run: a scenario walked window by window - plan, live the kept hours, write them down.

Data flows one way: scenario -> case -> plan (look-ahead) -> step (hour by hour) -> results file. What a window hands to
the next is one `plan.State`.
"""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gridsim import acheck, bills, carry
from gridsim.assemble import assemble
from gridsim.balance import Lived
from gridsim.carbon import Carbon
from gridsim.carry import Carried
from gridsim.case import Case
from gridsim.clocks import Clocks
from gridsim.curtailment import Curtailment
from gridsim.errors import StoppedError, WindowError
from gridsim.handover import State
from gridsim.kernels import step
from gridsim.kernels.disk import one_compiles
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.warmup import warm_up, warm_up_rest
from gridsim.ledger import Ledger
from gridsim.lived import fleet, joined, live
from gridsim.marginal import Marginal
from gridsim.outages import OutageWatch
from gridsim.plan import Plan
from gridsim.results_writer import ResultsWriter, WindowReport, check_new
from gridsim.scenario import Scenario
from gridsim.schema import WEATHER_TECHS, techs_of
from gridsim.settlement import Settlement


class Accountant(Carried):
    """Turns lived hours into the datasets of the results file."""

    carried, grown = ("on_before",), ("running",)

    def __init__(self, case: Case, f: step.Fleet, ledger: Ledger, shift_mw: FloatArray, tariffs: bills.Tariffs):
        self.case, self.f, self.ledger = case, f, ledger
        techs = techs_of(case)
        tables = (case.units, case.sources, case.stores)
        self.of_unit, self.of_source, self.of_store = (
            (table["tech"].astype(str).to_numpy()[:, None] == np.array(techs)[None, :]).astype(float)
            for table in tables
        )
        tech = case.sources["tech"].astype(str).to_numpy()
        self.curtailment = Curtailment(case, f)
        self.settlement = Settlement(case, f, shift_mw, tariffs)
        self.carbon = Carbon(case, f)
        self.marginal = Marginal(case, f, self.carbon.zone_of)
        self.weather = np.isin(tech, WEATHER_TECHS)
        self.running: list[FloatArray] = []  # prices of budgets, window by window
        self.on_before = case.units["initial_on"].to_numpy(dtype=np.int64)
        must = case.units["must_run"].to_numpy(dtype=bool)
        self.on_before = np.where(must, case.unit_available[0], self.on_before)

    def accounts(self) -> dict[str, Carried]:
        """All that adds up or is handed on from block to block, by name."""
        parts = {"ledger": self.ledger, "curtailment": self.curtailment, "settlement": self.settlement}
        return {"accountant": self, **parts, "carbon": self.carbon}

    def block(self, plan: Plan, h: step.Hour, budgets: Lived, t0: int) -> dict[str, Any]:
        """Datasets of the kept steps, by path."""
        case, f, kept = self.case, self.f, h.load.shape[0]
        nbr = len(case.branches)
        before = np.vstack((self.on_before, h.on[:-1]))
        self.on_before = h.on[-1].copy()
        over = np.maximum(h.flow - h.limit, -h.flow - h.back_limit)
        over = np.where(over > step.DUST_MW, over, 0.0)
        p_store = h.discharge - h.charge
        co2_unit = h.unit_p * f.unit_co2 + h.on * f.unit_co2_no_load
        load, weather = h.load.sum(axis=1), h.source_hi[:, self.weather].sum(axis=1)
        stop = before + h.start - h.on
        cost = dict(zip(step.COST_PARTS, h.cost.T, strict=True))
        return {
            "dispatch/unit_p_mw": h.unit_p,
            "dispatch/source_p_mw": h.source,
            "dispatch/link_p_mw": h.link,
            "dispatch/tech_p_mw": h.unit_p @ self.of_unit + h.source @ self.of_source + p_store @ self.of_store,
            "commitment/on": h.on,
            "commitment/start": h.start,
            "commitment/stop": stop,
            "commitment/start_cost": h.start_cost,
            "commitment/ramp_relaxed_mw": plan.bounds.widened[:kept],
            "storage/charge_mw": h.charge,
            "storage/discharge_mw": h.discharge,
            "storage/e_mwh": h.e * case.dt_h,
            "storage/spill_mw": h.let_go,
            "storage/start_cost": h.store_start_cost,
            "flow/branch_p_mw": h.flow[:, :nbr],
            "flow/interface_p_mw": h.flow[:, nbr:],
            "flow/branch_overload_mw": over[:, :nbr],
            "flow/interface_overload_mw": over[:, nbr:],
            "flow/shift_deg": plan.shift_deg[:kept],
            "flow/loss_mw": h.loss,
            "flow/loss_planned_mw": plan.loss_mw[:kept],
            "price/energy": plan.price[:kept],
            "price/reserve": plan.price_reserve[:kept],
            "price/bus": plan.price_bus[:kept],
            **self.settlement.live(h, plan, t0),
            **self.carbon.live(h, t0),
            "carbon/zone_marginal": self.marginal.live(h, plan.line_rows, t0),
            **self.curtailment.live(h, plan, case.source_own_mw[t0 : t0 + kept]),
            "unserved/load_mw": h.shed,
            "spill/bus_mw": h.spill,
            "reserve/provided_mw": h.provided,
            "reserve/short_mw": h.short,
            "peak_shaving/load_mw": load,
            "peak_shaving/net_load_mw": load - weather,
            "peak_shaving/up_margin_mw": h.margin[:, 0],
            "peak_shaving/down_margin_mw": h.margin[:, 1],
            "carbon/tech_t": co2_unit @ self.of_unit + (h.source * f.source_co2) @ self.of_source,
            "budget/use": budgets.use,
            "budget/used": budgets.used,
            "budget/excess": budgets.excess,
            "budget/missing": budgets.missing,
            "budget/price": plan.price_budget[:kept],
            **{f"cost/{part}": values for part, values in cost.items()},
            "cost/budget": budgets.cost,
            "cost/total": h.cost.sum(axis=1) + budgets.cost,
        }


def simulate(
    scenario: Scenario,
    out: Path,
    *,
    force: bool = False,
    progress: Callable[[WindowReport], None] | None = None,
    resume: bool = False,
    stop: Callable[[], str] | None = None,
) -> dict[str, Any]:
    """Run a scenario and write its results file; returns the summary.

    `resume` goes on with the journal of a stopped run of the same scenario (`gridsim.resume` knows whether it is the
    same). `stop` is asked after every window but the last; where it says why, the run stops there and can be resumed.

    Raises
    ------
    StoppedError
        If `stop` said so.
    InputError, WindowError, ResourceError
        As their names say. Windows that were done stay in the journal, but for a window that cannot be solved.
    """
    wall = time.perf_counter()
    if not resume:
        check_new(out, force=force)
    if scenario.grid.ac_check:
        acheck.require()
    case = assemble(scenario)
    compile_s = warmup()
    cpu = time.process_time()
    clocks = Clocks(scenario, case)
    case, planner = clocks.actual, clocks.planner
    f = fleet(case, planner)
    ledger = Ledger(case, scenario.ledger.compensation_cny_per_mwh)
    state, accountant, windows = (
        planner.first_state(),
        Accountant(case, f, ledger, planner.shift_mw, bills.tariffs(scenario, case)),
        scenario.windows(),
    )
    watch = OutageWatch(case, active=scenario.grid.n1 != "off" and len(case.branches) > 0)
    accounts = {**accountant.accounts(), "watch": watch}
    if clocks.failing is not None:
        accounts["failing"] = clocks.failing
    with ResultsWriter.open(out, case, scenario, force=force, resume=resume) as writer:
        earlier = list(writer.windows)
        if earlier:
            state = carry.unpacked(writer.recall(), State, accounts)
        for index, window in list(enumerate(windows))[len(earlier) :]:
            began, began_wall = time.process_time(), time.perf_counter()
            t0, steps, kept = (case.steps_per_hour * hours for hours in window)
            lived: list[step.Hour] = []
            blocks: list[dict[str, Any]] = []
            try:
                if clocks.issue(t0, steps):
                    planner.look_at_outages()
                plan = planner.plan(t0, steps, state)
                if clocks.failing is not None:
                    clocks.failing.next_window()
                accountant.running.append(planner.budgeting.running(t0, state.budgets))
                expects = clocks.expects(plan, t0, kept, state)
                for first, last in clocks.pieces(t0, kept):
                    piece = clocks.live(plan, t0, first, last, state)
                    h, budgets = live(
                        piece.planner.case, piece.fleet, piece.planner, piece.plan, piece.first, piece.steps, state
                    )
                    lived.append(h)
                    blocks.append(
                        accountant.block(piece.plan, h, budgets, piece.first)
                        | watch.live(h.flow, h.link, piece.first, piece.planner.case)
                        | clocks.datasets(piece)
                    )
            except WindowError as error:
                stamp = case.time[t0]
                raise WindowError(
                    f"window {index + 1} of {len(windows)}, from {stamp:%Y-%m-%d %H:%M}: {error}"
                ) from None
            block = {path: np.concatenate([part[path] for part in blocks]) for path in blocks[0]}
            block |= ledger.live(joined(lived), block["commitment/stop"])
            block |= expects.datasets(state) if expects else {}
            report = WindowReport(
                index=index,
                count=len(windows),
                first_hour=window.first_hour,
                hours=window.hours,
                kept=window.kept,
                cost=plan.cost,
                bound=plan.bound,
                gap=(plan.cost - plan.bound) / max(abs(plan.cost), 1e-9),
                status=2 if plan.stalled else int(plan.retries > 0),
                iterations=plan.iterations,
                rounds=plan.rounds,
                rows=plan.rows,
                retries=plan.retries,
                cpu_s=time.process_time() - began,
                wall_s=time.perf_counter() - began_wall,
                shed_mwh=float(sum(h.shed.sum() for h in lived)) * case.dt_h,
                curtailed_mwh=float(block["curtailment/cause_mw"].sum()) * case.dt_h,
            )
            writer.append(block, window.first_hour, report, carry.packed(state, accounts))
            if progress is not None:
                progress(report)
            if stop is not None and index + 1 < len(windows) and (why := stop()):
                raise StoppedError(f"stopped by {why} after window {index + 1} of {len(windows)}")
        whole = {
            **ledger.days(),
            **accountant.settlement.datasets(),
            **accountant.carbon.datasets(),
            **watch.datasets(),
            **planner.budgeting.datasets(accountant.running),
        }
        for path, values in whole.items():
            writer.write(path, values)
        writer.events = clocks.events()
        summary = writer.finish(
            lambda: {
                "cpu_s": time.process_time() - cpu + sum(w.cpu_s for w in earlier),
                "wall_s": time.perf_counter() - wall + sum(w.wall_s for w in earlier),
                "compile_s": compile_s,
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
            }
        )
        return acheck.acheck(out) if scenario.grid.ac_check else summary


def warmup(*, everything: bool = False) -> float:
    """Compile the kernels, or load them from the disk cache. Returns the seconds of CPU it took.

    Those that few windows need (`warm_up_rest`) are left to the first of them unless `everything` says otherwise.
    """
    began = time.process_time()
    with one_compiles("first"):
        warm_up()
    if everything:
        with one_compiles("rest"):
            warm_up_rest()
    return time.process_time() - began
