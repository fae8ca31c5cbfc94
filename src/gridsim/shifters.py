"""Phase shifters: transformers whose shift may be changed between two angles, hour by hour.

In a window each is two boxes, one up and one down from the shift that the net has, with a column of H (and of what
N-1 needs) of their own. They are counted in MW: of the source in series with the branch that drives what the shift
drives. Such a MW costs a hair, so that a shift which relieves nothing stays where it is.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from gridsim.case import SHIFTER_COLUMNS, Case, ElementNote
from gridsim.errors import Problem
from gridsim.kernels import security
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.network import BASE_MVA, monitored_branches, phase_shifter_columns
from gridsim.nettable import NetTable

_SLACK_DEG = 1e-6


def read_shifters(net: Any, branches: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Rows of `Case.shifters`: every branch of a trafo in service with shift_controllable.

    The columns shift_min_deg and shift_max_deg count as pandapower's shift_degree does (hv against lv side, a tap of
    the phase included); the control adds to the branch's present shift, which must lie between them.

    Parameters
    ----------
    net : pandapowerNet, read only
    branches : Case.branches
    """
    table, problems = NetTable(net, "trafo"), list[Problem]()
    steered = table.flag("shift_controllable", False) & table.in_service()
    least, most = table.number("shift_min_deg"), table.number("shift_max_deg")
    both = np.isfinite(least) & np.isfinite(most)
    said = [f"{a:.6g} to {b:.6g} deg" for a, b in zip(least, most, strict=True)]
    table.complain(problems, "shift_min_deg", steered & ~both, "given with shift_max_deg on a phase shifter", said)
    table.complain(problems, "shift_min_deg", steered & both & (least > most), "at most shift_max_deg", said)

    of_trafo = branches[branches["element"] == "trafo"] if len(branches) else branches
    row_of = dict(zip(of_trafo["element_index"], of_trafo.index, strict=True)) if len(of_trafo) else {}
    rows, outside, shifts = [], np.zeros(table.n, dtype=bool), [""] * table.n
    for i in np.flatnonzero(steered & both & (least <= most)):
        row = row_of.get(table.index[i])
        if row is None:  # carries nothing: its note says why
            continue
        now = float(branches.at[row, "shift_deg"])
        outside[i] = not least[i] - _SLACK_DEG <= now <= most[i] + _SLACK_DEG
        shifts[i] = f"{now:.6g} deg with {least[i]:.6g} to {most[i]:.6g} deg"
        rows.append((branches.at[row, "name"], row, min(least[i] - now, 0.0), max(most[i] - now, 0.0)))
    table.complain(problems, "shift_degree", outside, "a shift between shift_min_deg and shift_max_deg", shifts)
    kinds = {"branch_row": "int64", "min_deg": "float64", "max_deg": "float64"}
    return pd.DataFrame(rows, columns=list(SHIFTER_COLUMNS)).astype(kinds), problems


def say_shifters(notes: list[ElementNote], shifters: pd.DataFrame, branches: pd.DataFrame) -> list[ElementNote]:
    """The notes of the branches, with what those of the phase shifters may do."""
    span = {}
    for _, row, low, high in shifters.itertuples(index=False):
        may = f"; its shift is dispatched, {low:+.6g} to {high:+.6g} deg from the one it has"
        span[int(branches.at[row, "element_index"])] = may
    return [
        replace(note, why=note.why + span[note.index]) if note.element == "trafo" and note.index in span else note
        for note in notes
    ]


def mw_per_degree(case: Case) -> FloatArray:
    """(n,) what a degree of each shifter drives through its branch if all else stood still. [MW/degree]"""
    x_pu = case.branches["x_pu"].to_numpy(float)[case.shifters["branch_row"].to_numpy(int)]
    return np.deg2rad(1.0) * BASE_MVA / np.abs(x_pu)


def flow_columns(case: Case, H: FloatArray, own: Any, sections: FloatArray) -> FloatArray:
    """(rows of H, n) what one degree of each shifter does to every row; see `phase_shifter_columns`. [MW/degree]"""
    branch = case.shifters["branch_row"].to_numpy(np.int64)
    begin, end = (case.branches[name].to_numpy(np.int64)[branch] for name in ("from_row", "to_row"))
    x_pu = case.branches["x_pu"].to_numpy(float)[branch]
    return phase_shifter_columns(H, own, sections, begin, end, branch, x_pu)


def control_columns(
    case: Case, H: FloatArray, secure: security.Security | None
) -> tuple[FloatArray, FloatArray | None]:
    """Columns that make the shifters controls: of the monitored rows H and of what may be lost. [MW/MW]"""
    per_degree = mw_per_degree(case)
    if secure is None:
        sections = np.ascontiguousarray(case.interface_weight[:, : len(case.branches)])
        return flow_columns(case, H, monitored_branches(case), sections) / per_degree, None
    rows, lost = security.shifter_columns(case, secure, case.shifters["branch_row"].to_numpy(np.int64))
    return rows / per_degree, lost / per_degree
