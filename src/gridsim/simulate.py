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

from gridsim import acheck, bills, carry, links, losses, pumping
from gridsim.assemble import assemble
from gridsim.balance import Lived
from gridsim.carbon import Carbon
from gridsim.carry import Carried
from gridsim.case import Case
from gridsim.curtailment import Curtailment
from gridsim.errors import StoppedError, WindowError
from gridsim.handover import State
from gridsim.kernels import commit, step
from gridsim.kernels.disk import one_compiles
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.network import BASE_MVA, ptdf
from gridsim.kernels.warmup import warm_up, warm_up_rest
from gridsim.ledger import Ledger
from gridsim.marginal import Marginal
from gridsim.outages import OutageWatch
from gridsim.plan import Plan, Planner
from gridsim.results_writer import ResultsWriter, WindowReport, check_new
from gridsim.scenario import Scenario
from gridsim.schema import WEATHER_TECHS, techs_of
from gridsim.settlement import Settlement

AGREE_MW = 1.0  # how far a settled hour may move from its plan with perfect forecasts, before it is an error


def fleet(case: Case, planner: Planner) -> step.Fleet:
    """The case as the step kernel wants it: money of one step for each MW, energies in MW steps."""
    units, sources, stores, branches = case.units, case.sources, case.stores, case.branches
    dt_h = case.dt_h

    def real(table: Any, name: str) -> FloatArray:
        return np.array(table[name], dtype=np.float64)  # our own copy: read-only arrays compile kernels anew

    def whole(table: Any, name: str) -> IntArray:
        return np.array(table[name], dtype=np.int64)

    begin, end, x_pu = whole(branches, "from_row"), whole(branches, "to_row"), real(branches, "x_pu")
    reference = np.flatnonzero(case.buses["reference"].to_numpy(dtype=bool))
    return step.Fleet(
        unit_bus=whole(units, "bus_row"),
        unit_p_min=real(units, "p_min_mw"),
        unit_min_cost=case.unit_min_cost * dt_h,
        unit_no_load=real(units, "no_load_cost") * dt_h,
        unit_co2=real(units, "co2_t_per_mwh") * dt_h,
        unit_co2_no_load=real(units, "co2_no_load_t_per_h") * dt_h,
        unit_held=planner.held.astype(np.int64),
        unit_response=np.array(case.unit_response_mw),
        unit_offline=np.array(case.unit_offline_mw),
        seg_unit=planner.seg_unit,
        seg_cost=planner.seg_cost * dt_h,
        source_bus=whole(sources, "bus_row"),
        source_cost=real(sources, "cost") * dt_h,
        source_co2=real(sources, "co2_t_per_mwh") * dt_h,
        source_firm=(planner.spurs.of_source >= 0).astype(np.int64),
        source_lowers=(~sources["curtailable"].to_numpy(dtype=bool)).astype(np.int64),
        source_responds=np.array(case.source_responds, dtype=np.float64),
        store_bus=whole(stores, "bus_row"),
        charge_cost=real(stores, "charge_cost") * dt_h,
        discharge_cost=real(stores, "discharge_cost") * dt_h,
        eta_c=real(stores, "eta_charge"),
        eta_d=real(stores, "eta_discharge"),
        keep=(1.0 - real(stores, "loss_per_h")) ** dt_h,
        e_min=real(stores, "e_min_mwh") / dt_h,
        e_max=real(stores, "e_max_mwh") / dt_h,
        reservoir=planner.reservoir,
        load_bus=planner.load_bus,
        link_from=whole(case.links, "from_row"),
        link_to=whole(case.links, "to_row"),
        link_arrives=1.0 - real(case.links, "loss_share"),
        ptdf=ptdf(begin, end, x_pu, len(case.buses), reference),
        loss_per_mw2=losses.resistance_pu(case) / BASE_MVA,
        loss_island=losses.island_of_branch(case),
        bus_island=whole(case.buses, "island"),
        loss_share=losses.shares(case) if planner.loss.groups else np.zeros((0, len(case.buses))),
        interface_weight=np.array(case.interface_weight),
        overload_cost=np.concatenate((real(branches, "overload_cost"), real(case.interfaces, "overload_cost"))) * dt_h,
        product_up=planner.is_up.astype(np.int64),
        penalties=np.array([case.penalties.shed, case.penalties.spill, case.penalties.reserve_short]) * dt_h,
        answer_hours=float(case.steps_per_hour),
    )


def _hours(
    case: Case, f: step.Fleet, planner: Planner, plan: Plan, t0: int, kept: int, unit_before_mw: FloatArray
) -> step.Hour:
    """The kept steps of a plan, ready to be lived."""
    np_ = len(case.products)

    def head(values: Any) -> Any:
        return np.array(values[:kept], order="C")

    at, size = slice(t0, t0 + kept), len(case.branches) + len(case.interfaces)
    on = head(plan.on)
    floor, ceiling = on * case.unit_floor_mw[at], on * case.unit_ceiling_mw[at]
    seg_lo, seg_hi = planner.seg_range(on, at)
    limits, (at_rest, per_degree) = case.store_limits, planner.shift_flow
    rating = np.broadcast_to(
        case.branches["rating_mw"].to_numpy(float) * case.rating_left(at), (kept, len(case.branches))
    )
    limit, back_limit = (
        np.hstack((rating, np.tile(case.interfaces[column].to_numpy(float), (kept, 1))))
        for column in ("limit_mw", "reverse_limit_mw")
    )
    return step.Hour(
        on=on,
        start=head(plan.start),
        start_cost=head(plan.start_cost),
        store_start_cost=head(plan.store_start_cost),
        available=np.array(case.unit_available[at], order="C"),
        cap=np.minimum(plan.bounds.cap[:kept], ceiling),
        rise=head(plan.bounds.up),
        fall=head(plan.bounds.down),
        unit_before=unit_before_mw.copy(),
        floor=floor,
        ceiling=ceiling,
        seg=head(plan.unit_seg_mw),
        seg_lo=seg_lo,
        seg_hi=seg_hi,
        source=head(plan.source_mw),
        source_lo=np.array(case.source_min_mw[at], order="C"),
        source_hi=np.array(case.source_max_mw[at], order="C"),
        charge_max=np.array(limits.charge_max_mw[at], order="C"),
        discharge_max=np.array(limits.discharge_max_mw[at], order="C"),
        charge=head(plan.charge_mw),
        discharge=head(plan.discharge_mw),
        e=head(plan.e_mwh) / case.dt_h,
        inflow=case.store_inflow_mw[at] - limits.demand_mw[at],
        let_go=head(plan.spilled_mw),
        link=head(plan.link_mw),
        offset=np.ascontiguousarray(at_rest + plan.shift_deg[:kept] @ per_degree.T),
        loss=head(plan.loss_mw),
        load=np.array(case.load_mw[at], order="C"),
        shed=planner.shed.within(head(plan.shed_mw), np.maximum(case.load_mw[at], 0.0)),
        spill=head(plan.spill_mw),
        need=np.array(case.product_need_mw[at], order="C"),
        limit=limit,
        back_limit=back_limit,
        unit_p=np.zeros((kept, len(case.units))),
        flow=np.zeros((kept, size)),
        cost=np.zeros((kept, len(step.COST_PARTS))),
        provided=np.zeros((kept, np_)),
        short=np.zeros((kept, np_)),
        margin=np.zeros((kept, 2)),
    )


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
            "carbon/zone_marginal": self.marginal.live(h, plan.line_rows),
            **self.curtailment.live(h, plan, case.source_own_mw[t0 : t0 + kept]),
            "unserved/load_mw": h.shed,
            "spill/bus_mw": h.spill,
            "reserve/provided_mw": h.provided,
            "reserve/short_mw": h.short,
            "peak_shaving/load_mw": load,
            "peak_shaving/net_load_mw": load - weather,
            **self.ledger.live(h, stop),
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
    planner = Planner(
        case,
        tolerance=scenario.solver.tolerance,
        network=scenario.grid.enforce == "dc",
        step_h=scenario.horizon.step_h,
        engine=scenario.solver.engine,
        max_rounds=scenario.solver.max_rounds,
        n1=scenario.grid.n1 == "enforce",
        effort=scenario.solver.effort,
        target_gap=scenario.solver.target_gap,
        lossy=scenario.grid.losses == "quadratic",
    )
    f = fleet(case, planner)
    ledger = Ledger(case, scenario.ledger.compensation_cny_per_mwh)
    state, accountant, windows = (
        planner.first_state(),
        Accountant(case, f, ledger, planner.shift_mw, bills.tariffs(scenario, case)),
        scenario.windows(),
    )
    watch = OutageWatch(case, active=scenario.grid.n1 != "off" and len(case.branches) > 0)
    accounts = {**accountant.accounts(), "watch": watch}
    with ResultsWriter.open(out, case, scenario, force=force, events=case.events, resume=resume) as writer:
        earlier = list(writer.windows)
        if earlier:
            state = carry.unpacked(writer.recall(), State, accounts)
        for index, window in list(enumerate(windows))[len(earlier) :]:
            began, began_wall = time.process_time(), time.perf_counter()
            t0, steps, kept = (case.steps_per_hour * hours for hours in window)
            try:
                plan = planner.plan(t0, steps, state)
            except WindowError as error:
                stamp = case.time[t0]
                raise WindowError(
                    f"window {index + 1} of {len(windows)}, from {stamp:%Y-%m-%d %H:%M}: {error}"
                ) from None
            accountant.running.append(planner.budgeting.running(t0, state.budgets))
            h, budgets = live(case, f, planner, plan, t0, kept, state)
            block = accountant.block(plan, h, budgets, t0)
            block |= watch.live(h.flow, h.link, t0)
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
                shed_mwh=float(h.shed.sum()) * case.dt_h,
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
        summary = writer.finish(
            {
                "cpu_s": time.process_time() - cpu + sum(w.cpu_s for w in earlier),
                "wall_s": time.perf_counter() - wall + sum(w.wall_s for w in earlier),
                "compile_s": compile_s,
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
            }
        )
        return acheck.acheck(out) if scenario.grid.ac_check else summary


def live(
    case: Case, f: step.Fleet, planner: Planner, plan: Plan, t0: int, kept: int, state: State
) -> tuple[step.Hour, Lived]:
    """Live the `kept` steps of a plan from step `t0` with the step kernel and carry `state` forward; with budgets."""
    h = _hours(case, f, planner, plan, t0, kept, state.unit_p_mw)
    links.one_way(case, f, h)
    planner.spurs.settle(h)
    e = state.e_mwh / case.dt_h
    moved = step.walk(f, h, e)
    state.e_mwh = e * case.dt_h
    if moved > AGREE_MW:
        raise WindowError(
            f"the lived hours differ from their plan by {moved:.3g} MW; with perfect forecasts they must agree"
        )
    free = planner.free
    for t in range(kept):
        commit.age(
            h.on[t, free], h.start[t, free], case.unit_available[t0 + t, free], planner.first_unit,
            state.unit_on, state.unit_hours, state.unit_out,
        )  # fmt: skip
    state.unit_p_mw = h.unit_p[-1].copy()
    state.store_running = pumping.running(case.stores, h.charge, h.discharge)[:, -1]
    state.ramp_p_mw = h.source[-1, planner.ramped].copy()
    state.rows, state.prices, state.products = plan.next_rows, plan.next_prices, plan.next_products
    state.tangents = plan.next_tangents
    budgeting = planner.budgeting
    use = budgeting.use(t0, h.on, h.unit_p, h.source)
    lived, state.budgets = budgeting.live(t0, use, plan.price_budget[:kept], state.budgets, plan.next_budgets)
    return h, lived


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
