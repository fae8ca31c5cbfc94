"""Rows of the built-in grid at one bus, beside a load and a dear plant: what they change can be told by hand.

The plant runs at PEAK_COST and makes the balance; a source "cheap" gives what its series says for nearly nothing.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
from tiny_grid import HOURS, run_audited, write_grid

from gridsim.networks.jiangsu_fleet import Grid, thermal
from gridsim.networks.options import Options
from gridsim.profiles import make_year
from gridsim.profiles.year import SITE_COLUMNS
from gridsim.results import ResultsReader

H = 48  # hours of a run: one window sees all of it
HOUR = np.arange(HOURS) % 24
NIGHT = (HOUR < 6).astype(float)
PEAK_COST = 2000.0
NO_RESERVE = {"up_min_mw": 0.0, "up_load_share": 0.0, "up_renewable_share": 0.0, "down_load_share": 0.0,
              "down_renewable_share": 0.0}  # fmt: skip


def one_bus(*, cheap_mw: float = 10_000.0, cheap_cost: float = 1.0, plant_cost: float = PEAK_COST) -> Any:
    net = pp.create_empty_network(sn_mva=100, name="one bus")
    pp.create_bus(net, vn_kv=220, name="A", zone="A")
    pp.create_load(net, 0, 1000.0, name="D")
    net.load["profile"], net.load["profile_share"] = "wanted", 1.0
    pp.create_gen(net, 0, 0.0, min_p_mw=0.0, max_p_mw=100_000.0, name="dear", slack=True)
    net.gen["tech"], net.gen["must_run"] = "gas", True
    pp.create_poly_cost(net, 0, "gen", plant_cost)
    pp.create_sgen(net, 0, 0.0, min_p_mw=0.0, max_p_mw=cheap_mw, name="cheap")
    net.sgen["tech"], net.sgen["profile"] = "pv", "cheap"
    pp.create_poly_cost(net, 0, "sgen", cheap_cost)
    return net


def row_of(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The one row whose name begins with `name`."""
    (found,) = [row for row in rows if row["name"].startswith(name)]
    return found


def add_unit(net: Any, name: str, options: Options, *, units: int = 1) -> dict[str, Any]:
    """The first units of a row of thermal units of the built-in grid, on before the first hour; returns the row."""
    rows, points = thermal(Grid(options))
    (k,) = [i for i, row in enumerate(rows) if row["name"] == name]
    part = units / rows[k]["units"]
    row = rows[k] | {"bus": 0, "slack": False, "units": units, "initial_on": units}
    sums = (
        "p_mw",
        "sn_mva",
        "min_p_mw",
        "max_p_mw",
        "min_q_mvar",
        "max_q_mvar",
        "ramp_up_mw_per_h",
        "ramp_down_mw_per_h",
    )
    row |= {column: part * row[column] for column in sums}
    (index,) = pp.create_gens(net, [0], **{column: [value] for column, value in row.items() if column != "bus"})
    pp.create_pwl_cost(net, index, "gen", [[part * a, part * b, cost] for a, b, cost in points[k]])
    return row


def add_sgen(net: Any, row: dict[str, Any], *, part: float = 1.0) -> dict[str, Any]:
    """A row of sources, or a part of it."""
    row = row | {column: part * row[column] for column in ("p_mw", "min_p_mw", "max_p_mw", "sn_mva")}
    row |= {column: part * row[column] for column in ("ramp_up_mw_per_h", "ramp_down_mw_per_h")}
    (index,) = pp.create_sgens(net, [0], **{c: [value] for c, value in row.items() if c not in ("bus", "cost")})
    if row["cost"]:
        pp.create_poly_cost(net, index, "sgen", row["cost"])
    return row


def add_store(net: Any, row: dict[str, Any]) -> dict[str, Any]:
    pp.create_storages(net, [0], **{column: [value] for column, value in row.items() if column != "bus"})
    return row


def _made(grid: Grid, names: list[str]) -> Any:
    sites = [site for site in grid.profiles if site["profile"] in names]
    return make_year(pd.DataFrame(sites, columns=list(SITE_COLUMNS)))


def year_of(grid: Grid, name: str) -> np.ndarray:
    """One series of the grid's weather year."""
    return _made(grid, [name]).column(name)


def series_of(grid: Grid, names: list[str], *, day: int = 0) -> dict[str, Any]:
    """Series of the grid's weather year from a day of it on, by their name in a file."""
    made, at = _made(grid, names), slice(24 * day, 24 * day + HOURS)
    return {f"{name} [{made.units[made.names.index(name)]}]": made.column(name)[at] for name in names}


def lived(
    folder: Path,
    net: Any,
    *,
    load: Any = 1000.0,
    cheap: Any = 0.0,
    series: dict[str, Any] | None = None,
    **sections: Any,
) -> tuple[dict[str, Any], ResultsReader]:
    """Two days of the net as one window. Units are available where `series` says nothing of them."""
    folder.mkdir(exist_ok=True)
    units = {f"{name} [1]": np.ones(HOURS) for name in net.gen["profile"] if name} if "profile" in net.gen else {}
    given = {"wanted [MW]": np.broadcast_to(load, HOURS), "cheap [1]": np.broadcast_to(cheap, HOURS)}
    horizon = {"hours": H, "window_h": H, "step_h": H}
    scenario = write_grid(
        folder, net, series=units | given | (series or {}), **({"horizon": horizon, "reserve": NO_RESERVE} | sections)
    )
    return run_audited(scenario, folder / "run.h5")


def unit_mw(run: ResultsReader, name: str) -> np.ndarray:
    """Output of a row of units, hour by hour."""
    return run.array("dispatch/unit_p_mw")[:, list(run.table("units")["name"]).index(name)]


def source_mw(run: ResultsReader, name: str) -> np.ndarray:
    return run.array("dispatch/source_p_mw")[:, list(run.table("sources")["name"]).index(name)]
