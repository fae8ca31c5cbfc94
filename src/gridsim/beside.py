"""Stores that move what a source beside them gives: limits with which both together keep the ramp of the source.

A UHV line brings in its schedule (a source) and departs from it within the day (a store, `storage.beside`); what its
converters see is the sum. In step t the source gives from a_t to b_t and moves by at most R, so that it may rise and
fall into the next step by ::

    r_t = min(R, b_(t+1) - a_t),        f_t = min(R, b_t - a_(t+1))                              (1)

The sum keeps R whatever either of them does, if the most that is discharged, m, and charged, c, meet ::

    m_(t+1) + c_t <= R - r_t,           c_(t+1) + m_t <= R - f_t                                 (2)

Each right side is shared between its two amounts: to what is wished for, half to each where both are or neither is,
and what an amount has no use for goes to the other. Where the net load is above its mean of the day around, more is
wished for, where it is below, less. (2) gives up what only a look at both steps together could use.
"""

import numpy as np
import pandas as pd

from gridsim.case import StoreLimits
from gridsim.element_rows import Elements
from gridsim.errors import Problem
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.series import who

_LEVEL = 1e-9  # of the largest net load: no nearer to its mean than rounding


def beside_rows(elements: Elements) -> tuple[IntArray, list[Problem]]:
    """Row of the source beside every store, (nst,), -1 where there is none; and what does not stand beside one."""
    specs = elements.store_specs
    named = [spec.beside for spec in specs]
    rows, problems = np.full(len(named), -1, dtype=np.int64), []
    for j, (name, store, spec) in enumerate(zip(named, elements.stores, specs, strict=True)):
        if not name:
            continue
        if spec.demand_profile or spec.min_e_profile or store["p_charge_min_mw"] or store["p_discharge_min_mw"]:
            text = "must be empty for a store with a demand, a least energy or a least power: "
            problems.append(Problem("storage.beside", f"{text}{who(store)} has '{name}'"))
            continue
        found = [k for k, source in enumerate(elements.sources) if source["name"] == name]
        ramped = len(found) == 1 and np.isfinite(elements.sources[found[0]]["ramp_mw_per_h"])
        if ramped and named.count(name) == 1:
            rows[j] = found[0]
            continue
        why = f"fits {len(found)}" if len(found) != 1 else "is named twice" if ramped else "has no ramp limit"
        text = "must name one source in service that has a ramp limit, and no other store may: "
        problems.append(Problem("storage.beside", f"{text}{who(store)} has '{name}', which {why}"))
    return rows, problems


def keep_ramps(
    limits: StoreLimits, beside: IntArray, sources: pd.DataFrame, low: FloatArray, high: FloatArray,
    load_mw: FloatArray, per_hour: int,
) -> StoreLimits:  # fmt: skip
    """Charging and discharging of stores beside a source held to (2); `low` and `high` are its bounds, (n, ns). [MW]"""
    if not (beside >= 0).any():
        return limits
    more, less = wishes(load_mw, high[:, sources["curtailable"].to_numpy(bool)].sum(axis=1), 24 * per_hour)
    charge, discharge = limits.charge_max_mw.copy(), limits.discharge_max_mw.copy()
    for j in np.flatnonzero(beside >= 0):
        k = beside[j]
        ramp = float(sources["ramp_mw_per_h"].iloc[k]) / per_hour
        rise, fall = high[1:, k] - low[:-1, k], high[:-1, k] - low[1:, k]
        up, down = (ramp - np.minimum(ramp, step) for step in (rise, fall))
        m, c = limits.discharge_max_mw[:, j], limits.charge_max_mw[:, j]
        pairs = (  # what is shared, of which amounts, the steps and wishes of each
            (up, discharge, more, m, slice(1, None), charge, less, c, slice(None, -1)),
            (down, charge, less, c, slice(1, None), discharge, more, m, slice(None, -1)),
        )
        for room, after, wish_after, most_after, late, before, wish_before, most_before, early in pairs:
            wish_a, wish_b, most_a, most_b = wish_after[late], wish_before[early], most_after[late], most_before[early]
            after[late, j] = np.minimum(after[late, j], _part(room, wish_a, wish_b, most_b))
            before[early, j] = np.minimum(before[early, j], _part(room, wish_b, wish_a, most_a))
    return limits._replace(charge_max_mw=charge, discharge_max_mw=discharge)


def wishes(load_mw: FloatArray, free_mw: FloatArray, day: int) -> tuple[BoolArray, BoolArray]:
    """Where more and where less is wished for: net load above and below its mean of the `day` steps around, (n,)."""
    net, n = load_mw - free_mw, load_mw.size
    first = np.clip(np.arange(n) - day // 2, 0, max(n - day, 0))
    end = np.minimum(first + day, n)
    total = np.concatenate(([0.0], np.cumsum(net)))
    above = net - (total[end] - total[first]) / (end - first)
    least = _LEVEL * float(np.abs(net).max(initial=0.0))
    return above > least, above < -least


def _part(room: FloatArray, wished: BoolArray, other_wished: BoolArray, other_most: FloatArray) -> FloatArray:
    """What an amount gets of `room` beside another. (n,)"""
    share = np.where(wished == other_wished, 0.5, wished)
    return np.maximum(share * room, room - other_most)
