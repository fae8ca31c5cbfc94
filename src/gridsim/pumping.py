"""Stores whose machines have a least power, or whose starts cost: how many pump or generate in every hour.

A window is first solved as if every power from 0 were possible. Here its powers become modes: idle, or so many units
pumping or generating, each between its least and its most. What rounding adds or takes is carried on to the next hour
that wants the same way, so that the energy follows the first solution and no turbine runs back what a pump took too
much; a mode that the energy bounds do not allow becomes idle. Then the window is solved again with these modes. Where
starts cost, the window is solved before that with the longer runs of the first solution only, and what is cheapest with
its starts is made into modes.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.kernels.problem import Stores

HAIR_MW = 1e-3  # power that no further unit has to run for
SHARES = (0.25, 0.75, np.inf)  # of the largest run: what a run has to move to stay, in turn


class Modes(NamedTuple):
    """Bounds of powers at the terminals [MW] and of energies [MW steps], (T, ns) each."""

    charge_min: FloatArray
    charge_max: FloatArray
    discharge_min: FloatArray
    discharge_max: FloatArray
    e_lo: FloatArray  # with the end target as far as the modes let it be reached
    e_hi: FloatArray


class _Machine(NamedTuple):
    """One way of a store. [MW of one unit]"""

    least: float
    most: float
    gain: float  # MWh stored per MWh at the terminals; < 0: discharging
    units: int


class _Mode(NamedTuple):
    """Units of a way that run, and the energy that they must and can store."""

    way: int  # 0: charging, 1: discharging
    running: int
    given: float  # MWh stored as wanted
    low: float
    high: float


def have_modes(stores: pd.DataFrame) -> BoolArray:
    """(ns,) stores for which modes have to be decided."""
    columns = ["p_charge_min_mw", "p_discharge_min_mw", "start_cost"]
    return (stores[columns].to_numpy(dtype=float) > 0).any(axis=1)


def netted(charge: FloatArray, discharge: FloatArray, free: Stores) -> tuple[FloatArray, FloatArray]:
    """Charging and discharging (T, ns), one way an hour, with the same change of the energies."""
    net = free.eta_c * charge - discharge / free.eta_d
    return np.maximum(net, 0.0) / free.eta_c, np.maximum(-net, 0.0) * free.eta_d


def running(stores: pd.DataFrame, charge: FloatArray, discharge: FloatArray) -> IntArray:
    """(2, T, ns) units that charge and that discharge: as few as can give the powers (T, ns). [MW]"""
    units = stores["units"].to_numpy(np.int64)
    out = np.empty((2, *charge.shape), dtype=np.int64)
    for way, (name, power) in enumerate((("charge", charge), ("discharge", discharge))):
        each = np.maximum(stores[f"p_{name}_max_mw"].to_numpy(dtype=float) / units, HAIR_MW)
        out[way] = np.clip(np.ceil((power - HAIR_MW) / each), 0, units)
    return out


def start_costs(stores: pd.DataFrame, charge: FloatArray, discharge: FloatArray, before: IntArray) -> FloatArray:
    """(T, ns) cost of the starts; `before` (2, ns) units ran in the hour before. [currency]"""
    count = running(stores, charge, discharge)
    rise = np.diff(count, axis=1, prepend=before[:, None, :])
    started: FloatArray = np.maximum(rise, 0).sum(axis=0) * stores["start_cost"].to_numpy(dtype=float)
    return started


def open_hours(
    stores: pd.DataFrame, powers: tuple[FloatArray, FloatArray], free: Stores, mw: float, share: float
) -> Modes:
    """Bounds that leave stores whose starts cost only their longer runs, all others as in `free`. [MW]

    A run is a stretch of hours of one way; it stays if it moves at least `share` of what the largest of its way moves.

    Parameters
    ----------
    powers : charging and discharging, (T, ns) each
    """
    names = ("charge_min", "charge_max", "discharge_min", "discharge_max", "e_lo", "e_hi")
    out = Modes(*(np.array(getattr(free, name) * mw) for name in names))
    for i in np.flatnonzero(stores["start_cost"].to_numpy(dtype=float) > 0):
        for power, most in zip(powers, (out.charge_max, out.discharge_max), strict=True):
            busy = power[:, i] > HAIR_MW
            run = np.cumsum(np.diff(busy, prepend=False) & busy) * busy  # number of the run, 0: none
            moved = np.bincount(run, weights=power[:, i])
            moved[0] = 0.0
            most[moved[run] < share * max(moved.max(), HAIR_MW), i] = 0.0
    return out


def decide(stores: pd.DataFrame, charge: FloatArray, discharge: FloatArray, free: Stores, power_mw: float) -> Modes:
    """Modes near the powers (T, ns) of a solution without them; stores without minima keep their bounds. [MW]

    Parameters
    ----------
    free : Stores
        Of the window that was solved; its powers and energies times `power_mw` are MW and MW steps.
    """
    names = ("charge_min", "charge_max", "discharge_min", "discharge_max", "e_lo", "e_hi")
    out = Modes(*(np.array(getattr(free, name) * power_mw) for name in names))
    for i in np.flatnonzero(have_modes(stores)):
        row = stores.iloc[int(i)]
        units = int(row["units"])
        gains = float(free.eta_c[i]), -1.0 / float(free.eta_d[i])
        machines = tuple(
            _Machine(float(row[f"p_{way}_min_mw"]), float(row[f"p_{way}_max_mw"]) / units, gain, units)
            for way, gain in zip(("charge", "discharge"), gains, strict=True)
        )
        wanted = gains[0] * charge[:, i] + gains[1] * discharge[:, i]
        comes, goes = free.inflow[:, i] * power_mw, free.spill_max[:, i] * power_mw
        e0, keep, e_lo, e_hi = float(free.e0[i]) * power_mw, float(free.keep[i]), out.e_lo[:, i], out.e_hi[:, i]
        may = np.stack((free.charge_max[:, i], free.discharge_max[:, i])) > 0.0
        modes = _follow(wanted, machines, e0, keep, comes, goes, e_lo, e_hi, may)
        for t, mode in enumerate(modes):
            for way, (lo, hi) in enumerate(((out.charge_min, out.charge_max), (out.discharge_min, out.discharge_max))):
                running = mode.running if mode.way == way else 0
                lo[t, i], hi[t, i] = running * machines[way].least, running * machines[way].most
    return out


def _follow(
    wanted: FloatArray, machines: tuple[_Machine, ...], e0: float, keep: float, comes: FloatArray, goes: FloatArray,
    e_lo: FloatArray, e_hi: FloatArray, may: BoolArray,
) -> list[_Mode]:  # fmt: skip
    """Modes of one store near what is `wanted` (T,) to be stored; moves `e_lo`, `e_hi` where nothing meets them.

    Hours that `may` (2, T) not charge or discharge do so only if the energy must.

    An energy is good if full power can still bring it within the later bounds; of the mode nearest to what is wanted,
    idling and all units one or the other way the first is taken that leads to a good one.
    """
    T = len(wanted)
    hair = 1e-6 * float(e_hi.max())
    good_lo, good_hi = np.array(e_lo), np.array(e_hi)
    everything = [_mode(way, machine, machine.units, np.inf) for way, machine in enumerate(machines)]
    for t in range(T - 2, -1, -1):
        good_lo[t] = max(e_lo[t], (good_lo[t + 1] - everything[0].high - comes[t + 1]) / keep)
        good_hi[t] = min(e_hi[t], (good_hi[t + 1] - everything[1].low - comes[t + 1] + goes[t + 1]) / keep)
    out, owed, low, high = [], 0.0, e0, e0
    for t in range(T):
        owed += wanted[t]
        way = 0 if owed >= 0.0 else 1
        idle = _Mode(way, 0, 0.0, 0.0, 0.0)
        nearest = _nearest(way, machines[way], owed / machines[way].gain)
        floor, ceiling = keep * low + comes[t] - goes[t], keep * high + comes[t]
        asked = may[way, t] and owed * wanted[t] > 0.0  # what is owed waits for an hour of its way
        choices = [nearest if asked else idle, idle, *everything]
        miss = [max(floor + m.low - good_hi[t], good_lo[t] - ceiling - m.high) + hair for m in choices]
        mode = choices[next((k for k, short in enumerate(miss) if short <= 0.0), int(np.argmin(miss)))]
        owed -= mode.given
        low, high = floor + mode.low, ceiling + mode.high
        e_lo[t], e_hi[t] = min(e_lo[t], high - hair), max(e_hi[t], low + hair)
        low, high = max(e_lo[t], low), min(e_hi[t], high)
        out.append(mode)
    return out


def _nearest(way: int, machine: _Machine, power: float) -> _Mode:
    """As many units as come nearest to a power."""
    count = min(int(np.ceil(power / max(machine.most, 1e-9) - 1e-6)), machine.units)
    off = {n: abs(min(max(power, n * machine.least), n * machine.most) - power) for n in (max(count - 1, 0), count)}
    return _mode(way, machine, min(off, key=lambda n: (off[n], -n)), power)


def _mode(way: int, machine: _Machine, count: int, power: float) -> _Mode:
    """`count` units that give as near to a power as they can."""
    least, most = count * machine.least, count * machine.most
    ends = sorted((machine.gain * least, machine.gain * most))
    return _Mode(way, count, machine.gain * min(max(power, least), most), ends[0], ends[1])
