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

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader
    from gridsim.summary_sums import Sums

SHORT_MW = 1.0


def ledger_keys(run: ResultsReader, sums: Sums) -> dict[str, Any]:
    """All keys of this module's table."""
    regulation = sums.series("peak_shaving/regulation_mw") * run.dt_h / 1e3
    less = run.array("peak_shaving/peak_valley_less_mw")
    return {
        "regulation_up_gwh": _named(run, "supplier", np.maximum(regulation, 0.0).sum(axis=0)),
        "regulation_down_gwh": _named(run, "supplier", np.maximum(-regulation, 0.0).sum(axis=0)),
        "peak_valley_less_mw": _named(run, "supplier", less.mean(axis=0)),
        "coal_load_rate": _load_rate(run, sums),
        "deep_unit_h": _named(run, "depth", sums.total("peak_shaving/deep_units") * run.dt_h),
        "compensation": _named(run, "depth", sums.total("peak_shaving/compensation")),
        "two_shift_starts": _two_shifts(run),
        "shortfall_hours": _shortfalls(run, sums),
    }


def _named(run: ResultsReader, dim: str, values: Any) -> dict[str, float]:
    return {name: float(value) for name, value in zip(run.names(dim), values, strict=True)}


def _load_rate(run: ResultsReader, sums: Sums) -> float:
    units = run.table("units")
    coal = (units["tech"] == "coal").to_numpy()
    committed = float(sums.total("commitment/on")[coal] @ units["p_max_mw"].to_numpy(dtype=float)[coal])
    return float(sums.total("dispatch/unit_p_mw")[coal].sum()) / committed if committed > 0.0 else 0.0


def _two_shifts(run: ResultsReader) -> dict[str, int]:
    """Of the technologies that have units."""
    counts = run.array("peak_shaving/two_shift_starts").sum(axis=0)
    of_units = set(run.table("units")["tech"])
    return {tech: int(n) for tech, n in zip(run.names("tech"), counts, strict=True) if tech in of_units}


def _shortfalls(run: ResultsReader, sums: Sums) -> dict[str, float]:
    up_product = (run.table("products")["direction"] == "up").to_numpy()
    short = sums.series("reserve/short_mw")
    up = (sums.series("unserved") > SHORT_MW) | (short[:, up_product] > SHORT_MW).any(axis=1)
    down = (sums.series("turned_down") > SHORT_MW) | (short[:, ~up_product] > SHORT_MW).any(axis=1)
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
