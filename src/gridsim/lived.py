"""The hours of a plan lived with the step kernel: what it needs of the case, and the state that it carries forward."""

from typing import Any

import numpy as np

from gridsim import links, losses, pumping
from gridsim.balance import Lived
from gridsim.case import Case
from gridsim.errors import WindowError
from gridsim.handover import State
from gridsim.kernels import commit, step
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.network import BASE_MVA, ptdf
from gridsim.plan import Plan, Planner

AGREE_MW = 1.0  # how far a settled hour may move from a plan that knew what comes, before it is an error


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


def hours(
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
    stated: Any = step.Hour(
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
        offset=at_rest + plan.shift_deg[:kept] @ per_degree.T,
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
    return step.Hour(*map(np.ascontiguousarray, stated))  # another layout would be another compilation


def settled(
    case: Case, f: step.Fleet, planner: Planner, plan: Plan, t0: int, kept: int, state: State
) -> tuple[step.Hour, FloatArray, float]:
    """The kept steps of a plan from step `t0`, energy stored after them, and the largest move against the plan. [MW]"""
    h = hours(case, f, planner, plan, t0, kept, state.unit_p_mw)
    links.one_way(case, f, h)
    planner.spurs.settle(h)
    e = state.e_mwh / case.dt_h
    moved = step.walk(f, h, e)
    return h, e * case.dt_h, moved


def live(
    case: Case, f: step.Fleet, planner: Planner, plan: Plan, t0: int, kept: int, state: State
) -> tuple[step.Hour, Lived]:
    """Live the `kept` steps of a plan from step `t0` with the step kernel and carry `state` forward; with budgets.

    Raises
    ------
    WindowError
        If the hours cannot be lived as the plan says, whose loads, sources and outages are those that come.
    """
    h, state.e_mwh, moved = settled(case, f, planner, plan, t0, kept, state)
    if moved > AGREE_MW:
        raise WindowError(
            f"the lived hours differ from their plan by {moved:.3g} MW, which knew what came: they must agree"
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


def joined(pieces: list[step.Hour]) -> step.Hour:
    """Hours that follow each other as one block."""
    if len(pieces) == 1:
        return pieces[0]
    first = pieces[0]
    series: Any = (
        np.concatenate(part) if name != "unit_before" else first.unit_before
        for name, part in zip(first._fields, zip(*pieces, strict=True), strict=True)
    )
    return step.Hour(*series)
