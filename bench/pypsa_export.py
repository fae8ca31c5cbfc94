"""Part `pypsa`: a rolling year of PyPSA with HiGHS, in an environment of its own, on a case that both can say.

What PyPSA's components cannot say, or what would slow it down, is taken out of the case for both sides: no commitment,
no reserve, no interfaces, no ramps, no rule for what stores hold at the end of a window, lines limited hard there and
at the price of an overload here. The optima of the first window must then agree, unless a line is overloaded. Both
sides roll windows of 48 hours by 24 through the same days; the year is extrapolated from them.
"""

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import process
from dispatch import lp_windows, without_commitment
from sample import STEP_H, WINDOW_H, Recorder, Year

from gridsim.case import Case
from gridsim.kernels.jit import FloatArray

CHILD = Path(__file__).with_name("pypsa_child.py")
PACKAGES = ("pypsa", "highspy")


def measure(year: Year, say: Callable[[str], None], *, scratch: Path, days: int = 14) -> dict[str, Any]:
    """`days` windows by PyPSA in a process of its own, the same windows by the kernel before and after."""
    case = sayable(without_commitment(year.case))
    python = environment(scratch / "pypsa", say)
    path = scratch / "pypsa_case.npz"
    np.savez(path, **network(case, days))
    before = kernel_days(case, days)
    found = _run(python, path)
    after = kernel_days(case, days)
    kernel_s = float(np.median([before["window_s"], after["window_s"]]))
    windows_a_year = -(-case.hours // STEP_H)
    window_s = found["cpu_s"] / found["windows"]
    apart = abs(found["objective"] - before["objective"]) / abs(before["objective"])
    say(f"pypsa: {window_s:.2f} s a window, kernel {kernel_s:.3f} s, optima of the first window {apart:.1e} apart")
    return {
        **found,
        "window_s": window_s,
        "kernel_window_s": kernel_s,
        "ratio": window_s / kernel_s,
        "year_s": window_s * windows_a_year,
        "kernel_year_s": kernel_s * windows_a_year,
        "apart": apart,
        "agree": apart <= 1e-6,
    }


def environment(folder: Path, say: Callable[[str], None]) -> Path:
    """The Python of a virtual environment with PyPSA; made with pip if `folder` has none."""
    python = folder / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import pypsa"], check=False).returncode:
        say(f"pypsa: installing {' and '.join(PACKAGES)}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def _run(python: Path, path: Path) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return process.run(python, CHILD, (str(path), str(WINDOW_H), str(STEP_H)), kept)


def sayable(case: Case) -> Case:
    """The case without what the other side cannot say."""
    zero = np.zeros(case.hours)
    endless = dict.fromkeys(("ramp_mw_per_h", "ramp_up_mw_per_h", "ramp_down_mw_per_h"), np.inf)
    return dataclasses.replace(
        case,
        sources=case.sources.assign(**endless),
        stores=case.stores.assign(end_rule="free"),
        links=case.links.assign(loss_share=0.0),
        interfaces=case.interfaces.iloc[:0],
        interface_weight=case.interface_weight[:0],
        reserve_up_mw=zero,
        reserve_down_mw=zero.copy(),
        product_need_mw=np.zeros_like(case.product_need_mw),
    )


def network(case: Case, days: int) -> dict[str, Any]:
    """Arrays of a PyPSA network with the hours that `days` windows see.

    Raises
    ------
    ValueError
        If the case has what the network below cannot say.
    """
    stores, branches, units = case.stores, case.branches, case.units
    if branches["shift_deg"].any() or case.buses["island"].nunique() > 1:
        raise ValueError("phase shifts and islands are not exported")
    if stores["loss_per_h"].any() or stores["charge_cost"].any() or case.store_inflow_mw.any():
        raise ValueError("standing losses, costs of charging and inflows of stores are not exported")
    hours = (days - 1) * STEP_H + WINDOW_H
    unit, at = np.nonzero(case.unit_seg_mw > 0.0)
    row = case.unit_seg_mw[unit, at] * units["units"].to_numpy(float)[unit]
    share = case.unit_available[:hours, unit] / units["units"].to_numpy(float)[unit]
    p_nom = np.maximum(np.abs(case.source_max_mw[:hours]).max(axis=0), 1e-6)
    link_nom = case.links[["p_min_mw", "p_max_mw"]].abs().max(axis=1).to_numpy(float)
    rating = branches["rating_mw"].to_numpy(float)
    endless = 10.0 * float(case.load_mw.sum(axis=1).max())

    def real(table: Any, name: str) -> FloatArray:
        return np.asarray(table[name].to_numpy(float))

    return {
        "hours": np.array(hours),
        "start": np.array(str(case.start)),
        "buses": np.array(len(case.buses)),
        "gen_bus": np.concatenate((units["bus_row"].to_numpy(int)[unit], case.sources["bus_row"].to_numpy(int))),
        "gen_p_nom": np.concatenate((row, p_nom)),
        "gen_cost": np.concatenate((case.unit_seg_cost[unit, at], real(case.sources, "cost"))),
        "gen_max_pu": np.hstack((share, case.source_max_mw[:hours] / p_nom)),
        "gen_min_pu": np.hstack((0.0 * share, case.source_min_mw[:hours] / p_nom)),
        "shed_cost": np.array(case.penalties.shed),
        "load_bus": case.loads["bus_row"].to_numpy(int),
        "load_mw": case.load_mw[:hours],
        "line_from": branches["from_row"].to_numpy(int),
        "line_to": branches["to_row"].to_numpy(int),
        "line_x": real(branches, "x_pu"),
        "line_s_nom": np.where(np.isfinite(rating), rating, endless),
        "link_from": case.links["from_row"].to_numpy(int),
        "link_to": case.links["to_row"].to_numpy(int),
        "link_p_nom": link_nom,
        "link_min_pu": real(case.links, "p_min_mw") / np.maximum(link_nom, 1e-9),
        "link_max_pu": real(case.links, "p_max_mw") / np.maximum(link_nom, 1e-9),
        "store_bus": stores["bus_row"].to_numpy(int),
        "store_charge": real(stores, "p_charge_max_mw"),
        "store_discharge": real(stores, "p_discharge_max_mw"),
        "store_energy": real(stores, "e_max_mwh") - real(stores, "e_min_mwh"),
        "store_start": real(stores, "e_start_mwh") - real(stores, "e_min_mwh"),
        "store_eta_c": real(stores, "eta_charge"),
        "store_eta_d": real(stores, "eta_discharge"),
        "store_cost": real(stores, "discharge_cost"),
    }


def kernel_days(case: Case, days: int) -> dict[str, float]:
    """CPU seconds of a window, rolling through the days, and the optimum of the first window; currency."""
    planner = Recorder(case, step_h=STEP_H)
    began = time.process_time()
    windows = list(lp_windows(planner, list(range(1, days))))
    window_s = (time.process_time() - began) / len(windows)
    _, _, problem, fixed, known = windows[0]
    first = planner.settle(problem, fixed, known, None).solution.objective * planner.money
    return {"window_s": window_s, "objective": first}
