"""The AC check in the summary: keys of a run that has been through ``gridsim acheck``; none without.

======================== ==========================================================================================
key                      meaning, over the hours that were looked at and converged
======================== ==========================================================================================
ac_hours                 steps looked at
ac_not_converged         of these without a solution
ac_unsettled             solved, but controls did not settle, or no reactive power was left
ac_vm_pu                 {lowest, highest}: voltage of any bus, p.u.
ac_vm_where              {lowest, highest}: bus and time of it
ac_vm_within             share of voltages from 0.95 to 1.05 p.u.: 0..1
ac_loss_mwh, ac_loss_rate  lost, and of what is fed in: 0..1
ac_dispatch_loss_mwh     losses that the dispatch counted on in these hours
ac_overload_h            {branch: hours beyond its rating in AC, and not in the DC flows}
ac_overload_worst        {branch: highest loading of these, of its rating}
ac_overload_when         {branch: time of it}
======================== ==========================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gridsim.results import ResultsReader

FloatArray = NDArray[np.float64]

LOW_PU, HIGH_PU = 0.95, 1.05
OVER = 1e-3  # of its rating, by which a branch has to be beyond it to be counted
SHOWN = 8


def ac_keys(run: ResultsReader) -> dict[str, Any]:
    """All keys of this module's table, as plain numbers, texts and dicts of them."""
    if "ac/status" not in run:
        return {}
    status = run.array("ac/status")
    solved = (status >= 0) & (status < 3)
    found: dict[str, Any] = {
        "ac_hours": int((status >= 0).sum()),
        "ac_not_converged": int((status == 3).sum()),
        "ac_unsettled": int((status == 2).sum()),
        "ac_vm_pu": {},
        "ac_vm_where": {},
        "ac_vm_within": 0.0,
    }
    if solved.any():
        buses = run.names("bus")
        for name, key in (("min", "lowest"), ("max", "highest")):
            vm, at = run.array(f"ac/vm_{name}_pu"), run.array(f"ac/vm_{name}_bus")
            t = int(np.nanargmin(vm) if name == "min" else np.nanargmax(vm))
            found["ac_vm_pu"][key] = float(vm[t])
            found["ac_vm_where"][key] = f"{buses[at[t]]}, {_stamp(run, t)}"
        vm = run.array("ac/vm_pu")
        vm = vm[np.isfinite(vm)]
        found["ac_vm_within"] = float(((vm >= LOW_PU) & (vm <= HIGH_PU)).mean())
    lost, counted = (
        float(run.array(f"ac/{name}")[solved].sum()) * run.dt_h for name in ("loss_mw", "dispatch_loss_mw")
    )
    served = run.array("dispatch/load_mw").sum(axis=1) - run.array("unserved/load_mw").sum(axis=1)
    fed = float(served[solved].sum()) * run.dt_h + lost
    found |= {"ac_loss_mwh": lost, "ac_loss_rate": lost / fed if fed > 0 else 0.0, "ac_dispatch_loss_mwh": counted}
    return found | _overloads(run, solved)


def _overloads(run: ResultsReader, solved: Any) -> dict[str, Any]:
    loading = np.nan_to_num(run.array("ac/branch_loading"), nan=0.0)
    rating = ratings(run)
    only = (loading > 1.0 + OVER) & (np.abs(run.array("flow/branch_p_mw")) <= rating * (1.0 + OVER)) & solved[:, None]
    hours = only.sum(axis=0) * run.dt_h
    names = run.names("branch")
    found: dict[str, Any] = {"ac_overload_h": {}, "ac_overload_worst": {}, "ac_overload_when": {}}
    for k in sorted(np.flatnonzero(hours), key=lambda k: (-hours[k], k)):
        at = np.where(only[:, k], loading[:, k], 0.0)
        found["ac_overload_h"][names[k]] = float(hours[k])
        found["ac_overload_worst"][names[k]] = float(at.max())
        found["ac_overload_when"][names[k]] = _stamp(run, int(at.argmax()))
    return found


def ratings(run: ResultsReader) -> FloatArray:
    """Rating of every branch, (steps, branches), or (1, branches) where none moves. [MW]"""
    table = run.table("branches")
    rating = table["rating_mw"].to_numpy(float)
    rating = np.where(np.isnan(rating), np.inf, rating)[None]
    rows = np.flatnonzero(table["rating_profile"].astype(str) != "")
    if rows.size:
        rating = np.repeat(rating, run.steps, axis=0)
        rating[:, rows] *= run.array("flow/rating_share")
    return rating


def _stamp(run: ResultsReader, t: int) -> str:
    return str(run.time[t])[:16]


def ac_table(summary: dict[str, Any]) -> RenderableType:
    """The AC check for people."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_header=False, title=f"AC check of {summary['ac_hours']:,} steps")
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    table.add_row("did not converge", f"{summary['ac_not_converged']:,}", "")
    table.add_row("controls not settled", f"{summary['ac_unsettled']:,}", "")
    for key, vm in summary["ac_vm_pu"].items():
        table.add_row(f"{key} voltage", f"{vm:.4f} p.u.", summary["ac_vm_where"][key])
    table.add_row("voltages in 0.95 .. 1.05", f"{100 * summary['ac_vm_within']:.2f} %", "")
    counted = f"the dispatch counted on {summary['ac_dispatch_loss_mwh'] / 1e6:,.4f} TWh"
    table.add_row("losses", f"{summary['ac_loss_mwh'] / 1e6:,.4f} TWh", counted)
    table.add_row("", f"{100 * summary['ac_loss_rate']:.3f} %", "of what is fed in")
    over = summary["ac_overload_h"]
    table.add_row("beyond rating in AC only", f"{len(over):,}", "branches" if len(over) != 1 else "branch")
    for name in list(over)[:SHOWN]:
        worst = f"up to {100 * summary['ac_overload_worst'][name]:.1f} %, {summary['ac_overload_when'][name]}"
        table.add_row(f"  {name}", f"{over[name]:,.0f} h", worst)
    if len(over) > SHOWN:
        table.add_row("  others", f"{sum(list(over.values())[SHOWN:]):,.0f} h", f"{len(over) - SHOWN} branches")
    return table
