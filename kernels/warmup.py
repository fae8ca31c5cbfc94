"""Compile every kernel, or load it from the disk cache, on a made-up grid of two buses and two hours."""

import numpy as np

from gridsim.kernels import adequacy, bundle, commit, redispatch, security, single, step, sweep, window
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Boxes, Budgets, Problem, Ramps, Rows, Stores, Units


def warm_up() -> None:
    """Call every compiled function that every run needs once, with the argument types of a real run."""
    problem, rows = _problem()
    solution, _ = window.solve(problem, rows, max_iterations=2)
    one = _whole(1)
    count, begun = np.zeros((2, 1), np.int64), np.zeros((2, 1), np.int64)
    on, hours = np.array([True]), _whole(9)
    first = _whole(0, 1)
    out = np.array([False])
    counts = np.ones((2, 1), np.int64)
    commit.round_up(solution.u, counts, first, on, hours, out, one, one, _whole(0), 0.3, count, begun)
    commit.age(count[0], begun[0], one, first, on, hours, out)
    lag, cost = np.zeros((1, 1), np.int64), np.ones((1, 1))
    scratch = np.zeros(1, dtype=np.bool_), _whole(0), np.zeros((2, 1))
    commit.start_costs(count, begun, counts, first, on, hours, out, lag, cost, *scratch)
    step.walk(_fleet(), _hours(), np.array([0.5]))
    factors = security.Factors(_whole(0, 1), np.zeros(1, dtype=np.int32), _real(0.5))
    row = np.ones((1, 1))
    security.screen_n1(factors, row, row, np.ones((2, 1)), security.new_report(1, 1, 1))


def warm_up_rest() -> None:
    """Likewise those that few windows need, which wait for them: a search, many line rows, budgets, hours that come."""
    problem, rows = _problem()
    window.solve(_boxes_alone(problem), rows, max_iterations=1, budgets=(0,))
    units = _single()
    flat, apart = _real(1.0, 1.0), np.zeros((2, 1))
    demand = bundle.Demand(flat, 0.1 * flat, 0.0 * flat, 0.0 * flat, apart, apart, 9.0, 9.0)
    prices = bundle.improve_prices(units, demand, flat.copy(), 0.1 * flat, block=_whole(0), evaluations=2, target=1.0)
    work, state = single.workspace(units), sweep.state(units)
    sweep.project(units, np.ascontiguousarray(prices.relaxed), np.zeros((1, 3)), work, state.on)
    field = sweep.field(units, 0.9 * flat, flat, 0.1 * flat, np.zeros((2, 1)), apart)
    sweep.descend(units, field, 9.0, True, 1, work, state)
    block = _block()
    redispatch.walk(block, redispatch.work(block), redispatch.result(block), _real(0.2), _real(0.5), 0)


def warm_up_adequacy() -> None:
    """Likewise those of a study of adequacy."""
    flat = _real(1.0, 1.0)
    row, one = np.ones((2, 1)), _real(1.0)
    stores = adequacy.Stores(_whole(0), one, one, one, one, row, row, row, row)
    whole, limit, seen = np.ones((1, 1), dtype=np.bool_), np.zeros((1, 1)), np.zeros((2, 1))
    adequacy.walk(-row, row, whole, limit, stores, 1.0, _whole(0), one.copy(), one.copy(), seen, flat.copy(), one)
    adequacy.merit_order(flat, flat, flat, row, one, 1.0, flat.copy(), flat.copy())


def _real(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _whole(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


def _problem() -> tuple[Problem, Rows]:
    one, zero, row = _real(1.0), _whole(0), np.ones((2, 1))
    units = Units(
        bus=zero, coef=np.array([[0.3, 0.7, 0.0]]), cost=_real(0.1), start_cost=one, on0=one, avail=row, seg_unit=zero,
        seg_width=_real(0.7), seg_cost=_real(0.3), seg_coef=np.array([[1.0, -1.0, 1.0]]),
    )  # fmt: skip
    # wind, shedding, spilling, shortfalls of reserve
    effect = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    cost = np.tile(_real(0.0, 9.0, 1.0, 3.0, 3.0), (2, 1))
    line = _real(1.0, 1.0, -1.0, 0.0, 0.0)
    boxes = Boxes(_whole(0, 1, 0, 0, 0), np.zeros((2, 5)), np.ones((2, 5)), cost, effect, line)
    ramps = Ramps(zero, 0.1 * row, row, row, _real(0.2), zero, 0.3 * row, 0.2 * row, np.array([[1.0, 0.0, 0.0]]))
    none, small = 0.0 * row, 0.01 * one
    stores = Stores(
        bus=zero, charge_min=none, charge_max=row, discharge_min=none, discharge_max=row, charge_cost=small,
        discharge_cost=small, eta_c=0.9 * one, eta_d=0.9 * one, keep=one, inflow=none, spill_max=none, e0=_real(0.5),
        e_lo=none, e_hi=row, end_value=0.0 * one,
    )  # fmt: skip
    rows = Rows(zero, np.array([[0.5, -0.5]]), _real(0.5), _real(5.0))
    return Problem(np.tile(_real(1.0, 0.1, 0.1), (2, 1)), units, boxes, ramps, stores), rows


def _block() -> redispatch.Block:
    """The hours of `_problem` to be dispatched again, all units of a row on."""
    problem, rows = _problem()
    boxes, ramps, stores = problem.boxes, problem.ramps, problem.stores
    hourly = np.zeros((2, 1))
    return redispatch.Block(
        problem.need, boxes.bus, boxes.lo, boxes.hi, boxes.cost, boxes.coef, boxes.line, ramps.bus, ramps.base,
        ramps.up, ramps.down, hourly, np.ones((2, 1)), ramps.seg_ramp, ramps.seg_width, ramps.seg_cost, ramps.seg_coef,
        stores.bus, stores.charge_min, stores.charge_max, stores.discharge_min, stores.discharge_max,
        stores.charge_cost, stores.discharge_cost, stores.eta_c, stores.eta_d, stores.keep, stores.inflow, stores.e_lo,
        stores.e_hi, 0.5 * stores.e_hi, hourly, hourly, _whole(0, 1, 1), rows.coef, rows.limit, rows.cost,
    )  # fmt: skip


def _boxes_alone(problem: Problem) -> Problem:
    """Without chains, so that hours know nothing of each other, and with a budget on the wind."""
    none, few, hourly = _real(), _whole(), np.zeros((2, 0))
    powers, numbers = (hourly, hourly, hourly, hourly), (none, none, none, none, none)
    coef = np.zeros((0, problem.need.shape[1]))
    return problem._replace(
        units=Units(few, coef, none, none, none, hourly, few, none, none, coef),
        ramps=Ramps(few, hourly, hourly, hourly, none, few, hourly, hourly, coef),
        stores=Stores(few, *powers, *numbers, hourly, hourly, none, hourly, hourly, none),
        budgets=Budgets(
            np.ones((1, 2)), np.zeros((1, 0)), np.zeros((1, 0)), np.eye(1, problem.boxes.bus.size), np.zeros((1, 0)),
            limit=_real(0.5), value=_real(0.1), cost=_real(5.0),
        ),
    )  # fmt: skip


def _single() -> single.SingleUnits:
    one, cap, flag, hour = _real(1.0), _real(0.7), np.array([False]), _whole(1)
    start, start0 = single.start_tables([[(1, 1.0)]], np.array([True]), _whole(9), 2)
    return single.SingleUnits(
        p_min=_real(0.3), cost=_real(0.1), seg_first=_whole(0, 1), seg_width=cap, seg_cost=_real(0.3), cap=cap,
        ramp_up=_real(0.2), ramp_down=_real(0.2), start_ramp=_real(0.1), stop_ramp=_real(0.1), up_limit=one,
        down_limit=_real(0.0), in_ramp=flag, must_run=flag, min_up=hour, min_down=hour, on0=np.array([True]),
        hours0=_whole(9), q0=_real(0.1), avail=np.ones((2, 1), dtype=np.bool_), start_cost=start, start_cost0=start0,
        same=_whole(0),
    )  # fmt: skip


def _fleet() -> step.Fleet:
    one, zero, two = _real(1.0), _whole(0), np.ones((1, 2))
    return step.Fleet(
        unit_bus=zero, unit_p_min=_real(0.3), unit_min_cost=one, unit_no_load=one, unit_co2=one,
        unit_co2_no_load=one, unit_held=zero, unit_response=two, unit_offline=two, seg_unit=zero, seg_cost=one,
        source_bus=zero, source_cost=one, source_co2=one, source_firm=zero, source_lowers=zero,
        source_responds=two, store_bus=zero, charge_cost=one, discharge_cost=one, eta_c=one, eta_d=one, keep=one,
        e_min=_real(0.0), e_max=one,
        reservoir=one, load_bus=_whole(1), link_from=zero, link_to=_whole(1), link_arrives=one, ptdf=np.zeros((1, 2)),
        loss_per_mw2=_real(0.0),
        loss_island=zero, bus_island=_whole(0, 0), loss_share=np.zeros((1, 2)), interface_weight=np.zeros((1, 2)),
        overload_cost=_real(1.0, 1.0), product_up=_whole(1, 0),
        penalties=_real(1.0, 1.0, 1.0), answer_hours=1.0,
    )  # fmt: skip


def _hours() -> step.Hour:
    def full(columns: int, value: float = 0.0) -> FloatArray:
        return np.full((1, columns), value)

    count = np.ones((1, 1), np.int64)
    return step.Hour(
        on=count, start=count, start_cost=full(1), store_start_cost=full(1), available=count, cap=full(1, 1.0),
        rise=full(1, 1.0), fall=full(1, 1.0), unit_before=_real(0.5), floor=full(1, 0.3), ceiling=full(1, 1.0),
        seg=full(1), seg_lo=full(1), seg_hi=full(1, 0.7), source=full(1), source_lo=full(1),
        source_hi=full(1, 1.0), charge_max=full(1, 1.0), discharge_max=full(1, 1.0),
        charge=full(1), discharge=full(1), e=full(1), inflow=full(1), let_go=full(1),
        link=full(1), offset=full(1), loss=full(1), load=full(1, 1.0), shed=full(1), spill=full(2), need=full(2),
        limit=full(2, 1.0), back_limit=full(2, 1.0),
        unit_p=full(1), flow=full(2), cost=full(8), provided=full(2),
        short=full(2), margin=full(2),
    )  # fmt: skip
