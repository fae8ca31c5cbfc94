"""Elements that gridsim does not steer, as fixed consumption and injection; and those that it leaves out, and why."""

from typing import Any

import numpy as np
import pandas as pd

from gridsim.case import ElementNote
from gridsim.kernels.jit import FloatArray
from gridsim.nettable import NetTable

# tables that are not elements of the grid
NOT_ELEMENTS = {"poly_cost", "pwl_cost", "profile_site", "interface_member", "bus_geodata", "line_geodata"}
_LEFT_OUT = {
    "svc": "reactive power only",
    "ssc": "reactive power only",
    "tcsc": "series compensation is left out, as in pandapower's DC power flow",
    "bus_dc": "grids of direct current (bus_dc, line_dc, vsc) have no model here: use dcline",
    "line_dc": "grids of direct current (bus_dc, line_dc, vsc) have no model here: use dcline",
    "load_dc": "grids of direct current (bus_dc, line_dc, vsc) have no model here: use dcline",
    "source_dc": "grids of direct current (bus_dc, line_dc, vsc) have no model here: use dcline",
    "vsc": "grids of direct current (bus_dc, line_dc, vsc) have no model here: use dcline",
    "vsc_stacked": "grids of direct current (bus_dc, line_dc, vsc) have no model here: use dcline",
    "vsc_bipolar": "grids of direct current (bus_dc, line_dc, vsc) have no model here: use dcline",
    "measurement": "a measurement changes nothing in a simulation",
    "controller": "controllers are not run",
    "group": "a group changes nothing in a simulation",
}


def fixed_power_mw(net: Any, table: NetTable) -> tuple[FloatArray, str]:
    """MW that each row of a fixed element consumes at 1 p.u. voltage (as ``rundcpp`` takes it), and the formula."""
    if table.element == "motor":
        electrical = table.number("pn_mech_mw", 0.0) / (table.number("efficiency_percent", 100.0) / 100.0)
        p_mw = electrical * table.number("loading_percent", 100.0) / 100.0 * table.number("scaling", 1.0)
        return p_mw, "pn_mech_mw / efficiency x loading x scaling"
    if table.element in ("ward", "xward"):
        return table.number("ps_mw", 0.0) + table.number("pz_mw", 0.0), "ps_mw + pz_mw at 1 p.u."
    if table.element == "shunt":
        vn_kv = net["bus"]["vn_kv"].reindex(table.frame["bus"]).to_numpy(dtype=np.float64) if table.n else np.zeros(0)
        ratio = vn_kv / table.number("vn_kv", vn_kv)
        return table.number("p_mw", 0.0) * table.number("step", 1.0) * ratio**2, "p_mw x step at 1 p.u."
    if table.element in ("asymmetric_load", "asymmetric_sgen"):
        total = sum((table.number(f"p_{phase}_mw", 0.0) for phase in "abc"), np.zeros(table.n))
        sign = 1.0 if table.element == "asymmetric_load" else -1.0
        return sign * total * table.number("scaling", 1.0), "sum of the phases x scaling"
    raise ValueError(f"{table.element} is not a fixed element")


FIXED_ELEMENTS = ("motor", "ward", "xward", "shunt", "asymmetric_load", "asymmetric_sgen")


def left_out(net: Any, handled: set[str]) -> list[ElementNote]:
    """A note for every row of every element table that nothing else has read."""
    notes = []
    for key in net:
        if key in handled | NOT_ELEMENTS or key.startswith(("_", "res_")) or "characteristic" in key:
            continue
        if not isinstance(net[key], pd.DataFrame):
            continue
        table = NetTable(net, key)
        why = _LEFT_OUT.get(key, f"gridsim has no model of '{key}'")
        notes += [table.note(i, "ignored", why) for i in range(table.n)]
    return notes
