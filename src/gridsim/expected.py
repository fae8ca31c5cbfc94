"""What a window expects its kept hours to cost: its plan lived by the step kernel as if what is believed came.

Costs are those of the lived hours, part by part, so that the difference is what came otherwise. Two more parts tell
what of it is no cost of not knowing:

* `surprise`: what the load that came beyond the forecast, less the wind and sun that did, is worth at the prices of
  the plan. A plan that knew of a little more load would have paid just that. What lived hours cost beyond it is the
  price of answering in the hour, with the units that are on.
* `stored`: what the plan would have paid for the energy that stores hold at the end of the kept hours beyond what it
  meant them to. Hours that use up what was to be kept look cheap until later ones pay for it.
"""

from typing import Any, NamedTuple

import numpy as np

from gridsim.case import Case
from gridsim.handover import State
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.step import Fleet
from gridsim.lived import settled
from gridsim.plan import Plan, Planner
from gridsim.schema import WEATHER_TECHS


class Expected(NamedTuple):
    """Of the kept hours of a window, T steps."""

    cost: FloatArray  # (T, parts of a step's cost, budgets, surprise)
    e_mwh: FloatArray  # (nst,) stored at the end
    value: FloatArray  # (nst,) of it, currency/MWh

    def datasets(self, state: State) -> dict[str, Any]:
        """By path; `state` is the one that the hours have left."""
        stored = np.zeros((len(self.cost), 1))
        stored[-1] = (state.e_mwh - self.e_mwh) @ self.value
        return {"realtime/planned_cost": np.hstack((self.cost, stored))}


def expected(
    believed: Case, actual: Case, f: Fleet, planner: Planner, plan: Plan, t0: int, kept: int, state: State
) -> Expected:
    """The `kept` steps of a plan from step `t0`; `f` and `planner` are of what is believed, `state` the one before."""
    h, e_mwh, _ = settled(believed, f, planner, plan, t0, kept, state)
    use = planner.budgeting.use(t0, h.on, h.unit_p, h.source)
    budgets, _ = planner.budgeting.live(t0, use, plan.price_budget[:kept], state.budgets, plan.next_budgets)
    surprise = _surprise(believed, actual, plan.price_bus[:kept], t0)
    return Expected(np.column_stack((h.cost, budgets.cost, surprise)), e_mwh, plan.store_value[kept - 1])


def _surprise(believed: Case, actual: Case, price_bus: FloatArray, t0: int) -> FloatArray:
    """(T,) worth of what comes otherwise at prices (T, nb) of the plan: of wind and sun as far as they are taken."""
    at, sources = slice(t0, t0 + len(price_bus)), believed.sources
    load = actual.load_mw[at] - believed.load_mw[at]
    rows = np.flatnonzero(sources["tech"].isin(WEATHER_TECHS))
    more = (actual.source_max_mw[at] - believed.source_max_mw[at])[:, rows]
    bus, cost = (sources[column].to_numpy()[rows] for column in ("bus_row", "cost"))
    of_load = (load * price_bus[:, believed.loads["bus_row"].to_numpy()]).sum(axis=1)
    out: FloatArray = (of_load - (more * np.maximum(price_bus[:, bus] - cost, 0.0)).sum(axis=1)) * believed.dt_h
    return out
