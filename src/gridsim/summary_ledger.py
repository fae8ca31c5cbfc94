"""The ledger of peak shaving (调峰) in the summary: who regulated, how deep coal went, how often it was not enough.

============================= ====================================================================================
key                           meaning
============================= ====================================================================================
regulation_up_gwh             {supplier: GWh above its reference}, in the order of `gridsim.schema.SUPPLIERS`
regulation_down_gwh           {supplier: GWh below it}, >= 0
peak_valley_less_mw           {supplier: mean over days of highest - lowest net load after its regulation alone}
coal_load_rate                output of coal units over the capacity on: 0..1
deep_unit_h                   {class of load rate: hours of units in it}
compensation                  {class: paid to coal for output not given}, a transfer and no cost
two_shift_starts              {tech: units stopped and started within a day}
shortfall_hours               {up, down}: hours with load or reserve up missing; with must-run energy spilled, wind or
                              PV curtailed for the system (causes system, reserve, ramp), or reserve down missing.
                              More than 1 MW each
============================= ====================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gridsim.schema import CAUSES

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader

SHORT_MW = 1.0


def ledger_keys(run: ResultsReader, cause_mw: Any) -> dict[str, Any]:
    """All keys of this module's table; `cause_mw` is curtailment by cause."""
    regulation = run.array("peak_shaving/regulation_mw") * run.dt_h / 1e3
    less = run.array("peak_shaving/peak_valley_less_mw")
    return {
        "regulation_up_gwh": _named(run, "supplier", np.maximum(regulation, 0.0).sum(axis=0)),
        "regulation_down_gwh": _named(run, "supplier", np.maximum(-regulation, 0.0).sum(axis=0)),
        "peak_valley_less_mw": _named(run, "supplier", less.mean(axis=0)),
        "coal_load_rate": _load_rate(run),
        "deep_unit_h": _named(run, "depth", run.array("peak_shaving/deep_units").sum(axis=0) * run.dt_h),
        "compensation": _named(run, "depth", run.array("peak_shaving/compensation").sum(axis=0)),
        "two_shift_starts": _two_shifts(run),
        "shortfall_hours": _shortfalls(run, cause_mw),
    }


def _named(run: ResultsReader, dim: str, values: Any) -> dict[str, float]:
    return {name: float(value) for name, value in zip(run.names(dim), values, strict=True)}


def _load_rate(run: ResultsReader) -> float:
    units = run.table("units")
    coal = (units["tech"] == "coal").to_numpy()
    committed = float((run.array("commitment/on")[:, coal] @ units["p_max_mw"].to_numpy(dtype=float)[coal]).sum())
    return float(run.array("dispatch/unit_p_mw")[:, coal].sum()) / committed if committed > 0.0 else 0.0


def _two_shifts(run: ResultsReader) -> dict[str, int]:
    """Of the technologies that have units."""
    counts = run.array("peak_shaving/two_shift_starts").sum(axis=0)
    of_units = set(run.table("units")["tech"])
    return {tech: int(n) for tech, n in zip(run.names("tech"), counts, strict=True) if tech in of_units}


def _shortfalls(run: ResultsReader, cause_mw: Any) -> dict[str, float]:
    up_product = (run.table("products")["direction"] == "up").to_numpy()
    short = run.array("reserve/short_mw")
    up = (run.array("unserved/load_mw").sum(axis=1) > SHORT_MW) | (short[:, up_product] > SHORT_MW).any(axis=1)
    of_system = [CAUSES.index(name) for name in ("ramp", "reserve", "system")]
    lost = cause_mw[:, :, of_system].sum(axis=(1, 2)) + run.array("spill/bus_mw").sum(axis=1)
    down = (lost > SHORT_MW) | (short[:, ~up_product] > SHORT_MW).any(axis=1)
    return {"up": float(up.sum() * run.dt_h), "down": float(down.sum() * run.dt_h)}


def ledger_table(summary: dict[str, Any]) -> Table:
    """Regulation by supplier for people: those that move."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title="regulation by supplier")
    for name in ("supplier", "up, GWh", "down, GWh", "peak-valley after it alone, MW"):
        table.add_column(name, justify="left" if name == "supplier" else "right")
    for name, up in summary["regulation_up_gwh"].items():
        down, less = summary["regulation_down_gwh"][name], summary["peak_valley_less_mw"][name]
        if max(up, down) >= 1e-3:
            table.add_row(name, f"{up:,.1f}", f"{down:,.1f}", f"{less:,.0f}")
    return table
