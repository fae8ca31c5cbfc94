"""Random windows as the interior point takes them, and the judge of its answers."""

from typing import Any

import numpy as np
import pytest
from problems import cost_of, random_problem, violation

from gridsim.kernels import layout, window
from gridsim.kernels.problem import Boxes, Problem, Ramps, Rows, Solution, Stores, Units

RTOL = 1e-6  # of the objective: `solve` stops at row residuals of 1e-6 and prices reach 1000


def as_solved(problem: Problem) -> Problem:
    """The window that an interior point can solve in place of `problem`: every range opened by a hair.

    Hours without available units keep 1e-6 of one, devices without any room 1e-7 of power or energy. All of it only
    widens what is allowed, so the optimum is not above that of `problem`. Stores that can do nothing stay as they are,
    and what none of the hours lets a store spill.
    """
    units, ramps, stores = problem.units, problem.ramps, problem.stores
    moves = ~layout.at_rest(stores, None)[0]
    hair = layout.WIDTH_MIN * moves
    return problem._replace(
        units=units._replace(avail=np.maximum(units.avail, layout.AVAIL_MIN)),
        ramps=ramps._replace(seg_width=np.maximum(ramps.seg_width, layout.WIDTH_MIN)),
        stores=stores._replace(
            charge_max=np.maximum(stores.charge_max, stores.charge_min + hair),
            discharge_max=np.maximum(stores.discharge_max, stores.discharge_min + hair),
            spill_max=np.maximum(stores.spill_max, hair * (stores.spill_max > 0.0).any(axis=0)),
            e_hi=np.maximum(stores.e_hi, stores.e_lo + hair),
        ),
    )


def with_free_schedules(problem: Problem) -> Problem:
    """The window with the energy of boxes without width for nothing: no decision hangs on them."""
    boxes = problem.boxes
    steady = boxes.hi - boxes.lo <= layout.WIDTH_MIN
    return problem._replace(boxes=boxes._replace(cost=np.where(steady, 0.0, boxes.cost)))


def scaled(problem: Problem, rows: Rows, *, power: float = 1.0, price: float = 1.0) -> tuple[Problem, Rows]:
    """The same window in another unit of power and of price (money per energy): its cost is power x price times."""
    money = power * price
    units, boxes, ramps, stores = problem.units, problem.boxes, problem.ramps, problem.stores
    return Problem(
        power * problem.need,
        units._replace(
            coef=power * units.coef,
            cost=money * units.cost,
            start_cost=money * units.start_cost,
            seg_width=power * units.seg_width,
            seg_cost=price * units.seg_cost,
        ),
        boxes._replace(lo=power * boxes.lo, hi=power * boxes.hi, cost=price * boxes.cost),
        ramps._replace(
            base=power * ramps.base,
            up=power * ramps.up,
            down=power * ramps.down,
            p0=power * ramps.p0,
            seg_width=power * ramps.seg_width,
            seg_cost=price * ramps.seg_cost,
        ),
        stores._replace(
            charge_min=power * stores.charge_min,
            charge_max=power * stores.charge_max,
            discharge_min=power * stores.discharge_min,
            discharge_max=power * stores.discharge_max,
            charge_cost=price * stores.charge_cost,
            discharge_cost=price * stores.discharge_cost,
            inflow=power * stores.inflow,
            spill_max=power * stores.spill_max,
            e0=power * stores.e0,
            e_lo=power * stores.e_lo,
            e_hi=power * stores.e_hi,
            end_value=price * stores.end_value,
        ),
    ), rows._replace(limit=power * rows.limit, cost=price * rows.cost)


def drawn(seed: int, **size: int) -> tuple[Problem, Rows]:
    """A random window with an interior."""
    problem, rows = random_problem(seed, **size)
    return as_solved(problem), rows


def scale_of(objective: float) -> float:
    return max(1.0, abs(objective))


def solved(problem: Problem, rows: Rows, **options: Any) -> Solution:
    """Our solution; it must be one."""
    solution, outcome = window.solve(problem, rows, **options)
    assert outcome.status == window.SOLVED, outcome
    return solution


def agrees(
    problem: Problem, rows: Rows, ours: Solution, outcome: window.Outcome, highs: Solution, *, breach: float = 1e-6
) -> None:
    """Check a solution of ours against HiGHS's and against the statement."""
    scale = scale_of(highs.objective)
    assert outcome.status == window.SOLVED, outcome
    assert ours.objective == pytest.approx(highs.objective, abs=RTOL * scale)
    assert cost_of(problem, rows, ours) == pytest.approx(ours.objective, abs=1e-8 * scale)
    assert violation(problem, rows, ours) < breach
    assert ours.bound <= highs.objective + 1e-9 * scale
    assert ours.bound >= highs.objective - RTOL * scale
    for price in (ours.price[:, 1:], ours.price_row, rows.cost - ours.price_row):
        assert price.min(initial=0.0) > -1e-9


def boxes(hours: int, *each: dict[str, Any]) -> Boxes:
    base = {"bus": 0, "lo": 0.0, "hi": 10.0, "cost": 0.0, "bal": 1.0, "line": 1.0}
    full = [base | box for box in each]
    hourly = {
        name: np.array([np.broadcast_to(box[name], hours) for box in full], dtype=float).T.reshape(hours, len(full))
        for name in ("lo", "hi", "cost")
    }
    coef, line = (np.array([box[name] for box in full], dtype=float) for name in ("bal", "line"))
    return Boxes(bus=np.array([box["bus"] for box in full], dtype=np.int64), **hourly, coef=coef[:, None], line=line)


def only_boxes(demand: Any, *each: dict[str, Any]) -> Problem:
    """A window with a balance and no reserve products."""
    demand = np.array(demand, dtype=float)
    hours, none, index = demand.size, np.zeros(0), np.zeros(0, np.int64)
    hourly, coef = np.zeros((hours, 0)), np.zeros((0, 1))
    return Problem(
        demand[:, None],
        Units(index, coef, none, none, none, hourly, index, none, none, coef),
        boxes(hours, *each),
        Ramps(index, hourly, hourly, hourly, none, index, hourly, hourly, coef),
        Stores(index, *[hourly] * 4, *[none] * 5, hourly, hourly, none, hourly, hourly, none),
    )
