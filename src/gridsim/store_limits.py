"""What stores may do hour by hour: how much they charge and discharge, what is taken out of them, what they must hold.

Flexible demand is a store here: the batteries of electric vehicles are driven empty (demand), charge where they are
plugged in (charge_profile) and are asked to be charged when they leave (min_e_profile); a hydrogen tank feeds a
demand; a heat store feeds a network.

A window sees a day or two, so that it might leave a store unable to meet a demand beyond its end. The least energy of
an hour is therefore raised to what the hours after it need at RESERVED of full charging, back from the end of the
horizon ::

    floor_t = max(min_t, (floor_(t+1) - eta_c RESERVED charge_max_(t+1) - inflow_(t+1) + demand_(t+1)) / keep)      (1)

Where (1) asks for more than the store holds, or more than it starts with, no schedule meets the demand, and the run is
refused.
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from gridsim.case import StoreLimits
from gridsim.element_rows import StoreSpec
from gridsim.errors import Problem
from gridsim.kernels.jit import FloatArray
from gridsim.scenario import Horizon
from gridsim.series import SeriesReader, who

RESERVED = 0.95  # of full charging: a schedule that needs all of it in every hour has no room to be found in
FULLEST = 0.999  # of the energy capacity: the most that may be asked for


def store_limits(
    stores: pd.DataFrame, specs: list[StoreSpec], inflow_mw: FloatArray, reader: SeriesReader
) -> StoreLimits:
    """The limits, and every reason why a demand cannot be met among the problems of `reader`."""
    rows = stores.to_dict("records")
    charge, discharge = (
        np.column_stack([_shared(spec[k], row, reader) for row, spec in zip(rows, _profiles(specs), strict=True)])
        if rows
        else np.zeros((reader.steps, 0))
        for k in range(2)
    )
    out = StoreLimits(
        charge * stores["p_charge_max_mw"].to_numpy(float),
        discharge * stores["p_discharge_max_mw"].to_numpy(float),
        np.zeros_like(inflow_mw),
        np.tile(stores["e_min_mwh"].to_numpy(float), (reader.steps, 1)),
    )
    for j, (row, spec) in enumerate(zip(rows, specs, strict=True)):
        if spec.demand_profile:
            out.demand_mw[:, j] = _demand(spec, row, reader)
        if spec.min_e_profile:
            least = _shared(spec.min_e_profile, row, reader) * row["e_max_mwh"]
            out.e_floor_mwh[:, j] = np.maximum(out.e_floor_mwh[:, j], np.minimum(least, FULLEST * row["e_max_mwh"]))
        if spec.notice_h:  # nobody called before the run began
            out.discharge_max_mw[: math.ceil(spec.notice_h * reader.per_hour), j] = 0.0
    asked = [j for j, spec in enumerate(specs) if spec.demand_profile or spec.min_e_profile]
    if asked:
        _raise_floors(out, asked, stores.iloc[asked], inflow_mw[:, asked], reader)
    return out


def check_notices(stores: pd.DataFrame, specs: list[StoreSpec], horizon: Horizon, hours: int) -> list[Problem]:
    """Notices that are longer than windows see every hour ahead: nobody could have decided such a call in time.

    An hour `o` hours into what a window keeps was first seen by the window so many steps before it as reach it.
    """
    window, step = horizon.window_h, horizon.step_h
    if hours <= step:
        return []
    seen_h = min(o + step * ((window - o - 1) // step) for o in range(step))
    rule = f"must be at most {seen_h} h, which windows of {window} h every {step} h see of every hour: "
    return [
        Problem("storage.notice_h", f"{rule}{who(row)} has {spec.notice_h:g} h")
        for row, spec in zip(stores.to_dict("records"), specs, strict=True)
        if spec.notice_h > seen_h
    ]


def _profiles(specs: list[StoreSpec]) -> list[tuple[str, str]]:
    return [(spec.charge_profile, spec.discharge_profile) for spec in specs]


def _shared(profile: str, row: dict[Any, Any], reader: SeriesReader) -> FloatArray:
    """A series in p.u.; ones without a profile."""
    found = reader.share(profile, who(row)) if profile else None
    return np.ones(reader.steps) if found is None else found


def _demand(spec: StoreSpec, row: dict[Any, Any], reader: SeriesReader) -> FloatArray:
    """(n,) what is taken out of a store. [MW]"""
    none = np.zeros(reader.steps)
    series = reader.get(spec.demand_profile, who(row))
    if series is None:
        return none
    if series.unit != "MW":
        reader.once(spec.demand_profile, f"must be in MW as the demand of {who(row)}: it is in p.u.")
        return none
    if (series.values < 0).any():
        reader.complain(spec.demand_profile, series.values < 0, "must not be negative as a demand", series.values)
    return np.maximum(series.values, 0.0) * (spec.demand_share * spec.factor)


def _raise_floors(
    out: StoreLimits, asked: list[int], stores: pd.DataFrame, inflow_mw: FloatArray, reader: SeriesReader
) -> None:
    """Equation (1) for the stores of which something is asked, and a problem of each where it cannot be kept."""
    dt_h = 1.0 / reader.per_hour
    keep = (1.0 - stores["loss_per_h"].to_numpy(float)) ** dt_h
    charge = RESERVED * stores["eta_charge"].to_numpy(float) * out.charge_max_mw[:, asked]
    filled_mwh = (charge + inflow_mw - out.demand_mw[:, asked]) * dt_h
    floor = out.e_floor_mwh[:, asked]
    for t in range(reader.steps - 2, -1, -1):  # all stores at once
        np.maximum(floor[t], (floor[t + 1] - filled_mwh[t + 1]) / keep, out=floor[t])
    out.e_floor_mwh[:, asked] = floor
    before = (floor[0] - filled_mwh[0]) / keep
    for row, least, start in zip(stores.to_dict("records"), floor.T, before, strict=True):
        _check_floor(row, least, float(start), reader)


def _check_floor(row: dict[Any, Any], floor: FloatArray, before: float, reader: SeriesReader) -> None:
    """`before` is what the hours need of the start. [MWh]"""
    most = FULLEST * row["e_max_mwh"]
    where = f"{row['element']}.demand_profile"
    bad = np.flatnonzero(floor > most * (1 + 1e-9))
    if bad.size:
        t = int(bad[-1])
        text = f"must be one that charging can meet: {who(row)} would have to hold {floor[t]:,.6g} MWh at the end of "
        text += f"{reader.stamp(t)} for what comes after, and holds at most {most:,.6g} MWh"
        reader.problems.append(Problem(where, text))
    elif before > row["e_start_mwh"] * (1 + 1e-9) + 1e-9:
        text = f"must be one that its start can meet: {who(row)} starts with {row['e_start_mwh']:,.6g} MWh and would "
        reader.problems.append(Problem(where, f"{text}need {before:,.6g} MWh for the first hours"))
