"""Stores as a window states them: scaled limits, end rules as far as they can be reached, room everywhere."""

import numpy as np

from gridsim.case import Case
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.problem import Stores
from gridsim.pumping import Modes

EMPTY_HAIR = 1e-5  # of scaled energy, about a ten-millionth of the highest load for an hour


def state_stores(
    case: Case, t0: int, hours: int, e_mwh: FloatArray, modes: Modes | None, *, power_mw: float, price_scale: float,
    reservoir_mw: FloatArray,
) -> Stores:  # fmt: skip
    """Stores of the window of `hours` steps from step `t0`, with `e_mwh` (stores,) in them before it.

    `reservoir_mw` (stores,) is the most that may be let go in a step; the scales are those of `Windows`.
    """
    stores, sp, sc, se = case.stores, power_mw, price_scale, power_mw * case.dt_h

    def column(name: str) -> FloatArray:
        return stores[name].to_numpy(float)

    keep = (1.0 - column("loss_per_h")) ** case.dt_h
    at, given = slice(t0, t0 + hours), case.store_limits
    e_min = column("e_min_mwh") / se
    e_lo = given.e_floor_mwh[at] / se
    e_hi = np.tile(column("e_max_mwh") / se, (hours, 1))
    inflow = (case.store_inflow_mw[at] - given.demand_mw[at]) / sp
    spill = np.tile(reservoir_mw / sp, (hours, 1))
    # a store above or below its bounds at the start (rounding of a long run) is taken as it is
    e0 = np.clip(e_mwh / se, e_min, e_hi[0]) if hours else e_mwh / se
    # the end target, as far as nine tenths of full power can bring the store by then
    most, least = e0.copy(), e0.copy()
    filled = 0.9 * column("eta_charge") * given.charge_max_mw[at] / sp
    emptied = 0.9 * given.discharge_max_mw[at] / column("eta_discharge") / sp
    for t in range(hours):
        most = np.minimum(e_hi[0], keep * most + filled[t] + inflow[t])
        least = np.maximum(e_lo[t], keep * least - emptied[t] + inflow[t] - 0.9 * spill[t])
    rule = stores.end_rule.to_numpy(str)
    hair = 1e-3 * (e_hi[0] - e_min)
    target = np.minimum(column("e_end_mwh") / se, np.minimum(most, e_hi[0] - hair))
    e_lo[-1] = np.where(np.isin(rule, ("fixed", "cyclic")), np.maximum(e_lo[-1], target), e_lo[-1])
    # an empty store that nothing can fill keeps a hair of room below, so that its energy has an interior
    high = e0.copy()
    for t in range(hours):
        high = np.minimum(e_hi[t], keep * high + filled[t] / 0.9 + inflow[t])
        e_lo[t] = np.minimum(e_lo[t], high - EMPTY_HAIR)
    if t0 + hours == case.steps:
        back = np.maximum(e_lo[-1], np.maximum(column("e_end_mwh") / se, least + hair))
        e_hi[-1] = np.where(rule == "cyclic", np.minimum(e_hi[-1], back), e_hi[-1])
    if modes is None:
        none = np.zeros((hours, len(stores)))
        modes = Modes(none, given.charge_max_mw[at], none, given.discharge_max_mw[at], e_lo * sp, e_hi * sp)
    return Stores(
        bus=stores.bus_row.to_numpy(np.int64),
        charge_min=modes.charge_min / sp,
        charge_max=modes.charge_max / sp,
        discharge_min=modes.discharge_min / sp,
        discharge_max=modes.discharge_max / sp,
        charge_cost=column("charge_cost") / sc,
        discharge_cost=column("discharge_cost") / sc,
        eta_c=column("eta_charge"),
        eta_d=column("eta_discharge"),
        keep=keep,
        inflow=inflow,
        spill_max=spill,
        e0=e0,
        e_lo=np.minimum(e_lo, modes.e_lo / sp),
        e_hi=np.maximum(e_hi, modes.e_hi / sp),
        end_value=np.where(rule == "value", column("end_value") / sc, 0.0),
    )
