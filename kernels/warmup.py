"""Compile every kernel, or load it from the disk cache, on a made-up grid of two buses and two hours."""

import numpy as np

from gridsim.kernels import commit, security, step, window
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Boxes, Problem, Ramps, Rows, Stores, Units


def warm_up() -> None:
    """Call every compiled function once with the argument types of a real run."""
    problem, rows = _problem()
    solution, _ = window.solve(problem, rows, max_iterations=2)
    one = _whole(1)
    count, begun = np.zeros((2, 1), np.int64), np.zeros((2, 1), np.int64)
    on, hours = np.array([True]), _whole(9)
    first = _whole(0, 1)
    out = np.array([False])
    commit.round_up(solution.u, np.ones((2, 1), np.int64), first, on, hours, out, one, one, 0.3, count, begun)
    commit.age(count[0], begun[0], one, first, on, hours, out)
    step.walk(_fleet(), _hours(), np.array([0.5]))
    factors = security.Factors(_whole(0, 1), np.zeros(1, dtype=np.int32), _real(0.5))
    row = np.ones((1, 1))
    security.screen_n1(factors, row, row, np.ones((2, 1)), security.new_report(1, 1, 1))


def _real(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _whole(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


def _problem() -> tuple[Problem, Rows]:
    one, zero, row = _real(1.0), _whole(0), np.ones((2, 1))
    units = Units(zero, _real(0.3), _real(0.1), one, one, row, one, one, zero, _real(0.7), _real(0.3))
    # wind, shedding, spilling, shortfalls of reserve
    sign, bus = _real(1.0, 1.0, -1.0, 0.0, 0.0), _whole(0, 1, 0, 0, 0)
    up, down = _real(0.0, 0.0, 0.0, 1.0, 0.0), _real(0.0, 0.0, 0.0, 0.0, 1.0)
    cost = np.tile(_real(0.0, 9.0, 1.0, 3.0, 3.0), (2, 1))
    boxes = Boxes(bus, np.zeros((2, 5)), np.ones((2, 5)), cost, sign, up, down, sign)
    ramps = Ramps(zero, 0.1 * row, 0.4 * row, 0.2 * row, one, _real(0.2))
    half = _real(0.5)
    stores = Stores(zero, row, row, 0.01 * one, 0.01 * one, 0.9 * one, 0.9 * one, one, half, 0.0 * row, row, 0.0 * one)
    rows = Rows(zero, np.array([[0.5, -0.5]]), half, _real(5.0))
    return Problem(np.ones(2), 0.1 * np.ones(2), 0.1 * np.ones(2), units, boxes, ramps, stores), rows


def _fleet() -> step.Fleet:
    one, zero = _real(1.0), _whole(0)
    return step.Fleet(
        unit_bus=zero, unit_p_min=_real(0.3), unit_p_max=one, unit_min_cost=one, unit_no_load=one, unit_start=one,
        unit_co2=one, unit_co2_no_load=one, unit_supplier=zero, unit_up=one, unit_down=one, seg_unit=zero,
        seg_mw=_real(0.7), seg_cost=one, source_bus=zero, source_cost=one, source_co2=one, source_supplier=zero,
        source_up=one, source_down=one, store_bus=zero, charge_max=one, discharge_max=one, charge_cost=one,
        discharge_cost=one, eta_c=one, eta_d=one, keep=one, e_min=_real(0.0), e_max=one, store_supplier=zero,
        load_bus=_whole(1), link_from=zero, link_to=_whole(1), ptdf=np.zeros((1, 2)), offset=_real(0.0),
        interface_weight=np.zeros((1, 2)), limit=_real(1.0, 1.0), back_limit=_real(1.0, 1.0),
        overload_cost=_real(1.0, 1.0), penalties=_real(1.0, 1.0, 1.0),
    )  # fmt: skip


def _hours() -> step.Hour:
    def full(columns: int, value: float = 0.0) -> FloatArray:
        return np.full((1, columns), value)

    count = np.ones((1, 1), np.int64)
    return step.Hour(
        on=count, start=count, seg=full(1), source=full(1), source_lo=full(1), source_hi=full(1, 1.0), charge=full(1),
        discharge=full(1), e=full(1), link=full(1), load=full(1, 1.0), shed=full(1), spill=full(2), need_up=_real(0.0),
        need_down=_real(0.0), reference=full(6), unit_p=full(1), flow=full(2), cost=full(8), regulation=full(6),
        reserve=full(4), margin=full(2),
    )  # fmt: skip
