"""Stores whose machines have a least power: how many pump or generate in every hour.

A window is first solved as if every power from 0 were possible. Here its powers become modes: idle, or so many units
pumping or generating, each between its least and its most. What rounding adds or takes is carried on to the next hour,
so that the energy follows the first solution; a mode that the energy bounds do not allow becomes idle. Then the
window is solved again with these modes.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from gridsim.kernels.jit import BoolArray, FloatArray
from gridsim.kernels.problem import Stores


class Modes(NamedTuple):
    """Bounds of powers at the terminals, (T, ns) each. [MW]"""

    charge_min: FloatArray
    charge_max: FloatArray
    discharge_min: FloatArray
    discharge_max: FloatArray
    e_lo: FloatArray  # least energy: the end target as far as the modes let it be reached. [MWh]


def have_minima(stores: pd.DataFrame) -> BoolArray:
    """(ns,) stores for which modes have to be decided."""
    least = stores[["p_charge_min_mw", "p_discharge_min_mw"]].to_numpy(dtype=float)
    return (least > 0).any(axis=1)


def decide(stores: pd.DataFrame, charge: FloatArray, discharge: FloatArray, free: Stores, power_mw: float) -> Modes:
    """Modes near the powers (T, ns) of a solution without them; stores without minima keep their bounds. [MW]

    Parameters
    ----------
    free : Stores
        Of the window that was solved; its powers and energies times `power_mw` are MW and MWh.
    """
    out = Modes(*(part * power_mw for part in (
        free.charge_min, free.charge_max, free.discharge_min, free.discharge_max, free.e_lo,
    )))  # fmt: skip
    out = Modes(*(np.array(part) for part in out))
    inflow, spill, e_hi = (part * power_mw for part in (free.inflow, free.spill_max, free.e_hi))
    for i in np.flatnonzero(have_minima(stores)):
        units = float(stores["units"].iloc[i])
        eta_c, eta_d, keep = float(free.eta_c[i]), float(free.eta_d[i]), float(free.keep[i])
        ways = [
            (float(stores[f"p_{way}_min_mw"].iloc[i]), float(stores[f"p_{way}_max_mw"].iloc[i]) / units, gain)
            for way, gain in (("charge", eta_c), ("discharge", -1.0 / eta_d))
        ]
        low = high = float(free.e0[i]) * power_mw
        owed = 0.0  # energy that the first solution has stored and the modes have not
        hair = 1e-6 * float(e_hi[:, i].max())
        for t in range(len(charge)):
            owed += eta_c * charge[t, i] - discharge[t, i] / eta_d
            least, most, gain = ways[0 if owed >= 0 else 1]
            count, power = _machines(owed / gain, least, most, units)
            held = keep * low + inflow[t, i] - spill[t, i], keep * high + inflow[t, i]
            change = sorted((gain * count * least, gain * count * most))
            if held[0] + change[0] > e_hi[t, i] - hair or held[1] + change[1] < free.e_lo[0, i] * power_mw + hair:
                count, power, change = 0, 0.0, [0.0, 0.0]
            owed -= gain * power
            charges = gain > 0
            for lo, hi, here in (
                (out.charge_min, out.charge_max, charges),
                (out.discharge_min, out.discharge_max, not charges),
            ):
                lo[t, i], hi[t, i] = (count * least, count * most) if here else (0.0, 0.0)
            low = max(float(free.e_lo[0, i]) * power_mw, held[0] + change[0])
            high = min(float(e_hi[t, i]), held[1] + change[1])
        out.e_lo[-1, i] = min(out.e_lo[-1, i], high - hair)
    return out


def _machines(power: float, least: float, most: float, units: float) -> tuple[int, float]:
    """Units that run to give about `power`, and what they give. [MW]"""
    power = max(power, 0.0)
    count = min(int(np.ceil(power / max(most, 1e-9) - 1e-6)), int(units))
    best, given = 0, 0.0
    for n in {count, max(count - 1, 0)}:
        reached = min(max(power, n * least), n * most)
        if abs(reached - power) < abs(given - power) - 1e-9:
            best, given = n, reached
    return best, given
