"""One lived hour written back into its pandapower net, table by table, for ``runpp``: an oracle for the AC check.

Nothing here comes from `gridsim.acheck`: what the check says of the hour (losses, reactive limits, steps, taps) is read
from the file.
"""

from typing import Any

import numpy as np
import pandapower as pp

from gridsim.results import ResultsReader

AT_SETPOINT_PU = 5e-7


def hour_net(run: ResultsReader, t: int) -> Any:
    """The net of step `t`, with one slack in each island, at a bus whose voltage is held."""
    net = pp.from_json_string(run.net_json)
    tables = {
        name: run.table(name) for name in ("units", "sources", "stores", "loads", "links", "shifters", "branches")
    }
    units, on = tables["units"], run["commitment/on"][t]
    unit_p = run["dispatch/unit_p_mw"][t].copy()
    capacity = on * units["p_max_mw"].to_numpy(float)
    if capacity.sum() > 0:
        unit_p += capacity / capacity.sum() * float(run["ac/shared_mw"][t])
    net.gen["slack"] = False
    net.gen["p_mw"] = 0.0
    for row in range(len(units)):
        element, index = units["element"].iloc[row], int(units["element_index"].iloc[row])
        net[element].loc[index, "p_mw"] = unit_p[
            (units["element_index"] == index) & (units["element"] == element)
        ].sum()
        if element == "gen":
            net.gen.loc[index, "in_service"] = on[(units["element_index"] == index).to_numpy()].sum() > 0
    _set(net, tables["sources"], run["dispatch/source_p_mw"][t], 1.0)
    _set(net, tables["loads"], run["dispatch/load_mw"][t] - run["unserved/load_mw"][t], 1.0)
    _set(net, tables["stores"], run["storage/charge_mw"][t] - run["storage/discharge_mw"][t], 1.0)
    for bus, mw in zip(run.table("buses")["bus_id"], run["spill/bus_mw"][t], strict=True):
        if mw > 0:
            pp.create_load(net, int(bus), mw)
    ours = net.shunt.index[net.shunt["switched"].fillna(False).astype(bool)] if "switched" in net.shunt else []
    net.shunt.loc[ours, "step"] = run["ac/switched_steps"][t] if len(ours) else []
    ours = net.trafo.index[net.trafo["tap_vm_pu"].notna()] if "tap_vm_pu" in net.trafo else []
    net.trafo.loc[ours, "tap_pos"] = run["ac/tap_pos"][t] if len(ours) else []
    for row, degree in zip(tables["shifters"]["branch_row"], run["flow/shift_deg"][t], strict=True):
        net.trafo.loc[int(tables["branches"]["element_index"].iloc[row]), "shift_degree"] += degree
    _hold(net, run, t, tables["links"])
    return net


def _set(net: Any, table: Any, values: Any, scaling: float) -> None:
    """Powers of a table, reactive power following them; what was scaled before is not any more."""
    for row in range(len(table)):
        element, index = table["element"].iloc[row], int(table["element_index"].iloc[row])
        frame = net[element]
        if element == "dcline":  # what a link loses whatever it carries
            pp.create_load(net, int(frame.at[index, "to_bus"]), values[row])
        if element not in ("load", "sgen", "storage", "gen", "ext_grid"):
            continue
        if "q_mvar" in frame and element != "gen" and frame.at[index, "p_mw"] != 0:
            frame.loc[index, "q_mvar"] *= values[row] / frame.at[index, "p_mw"]
        if element != "ext_grid":
            frame.loc[index, "p_mw"] = values[row]
            frame.loc[index, "scaling"] = scaling


def _hold(net: Any, run: ResultsReader, t: int, links: Any) -> None:
    """DC lines as pairs of sources; nodes off their setpoint give the reactive power that the file says."""
    vm = dict(zip(run.table("buses")["bus_id"].astype(int), run["ac/vm_pu"][t], strict=True))
    held = dict(zip(run.table("buses")["bus_id"].astype(int), run["ac/held_mvar"][t], strict=True))
    for k in range(len(links)):
        line, mw = net.dcline.loc[int(links["element_index"].iloc[k])], float(run["dispatch/link_p_mw"][t][k])
        ends = ("from", "to") if links["way"].iloc[k] > 0 else ("to", "from")
        for side, p_mw in zip(ends, (-mw, mw * (1.0 - float(links["loss_share"].iloc[k]))), strict=True):
            pp.create_gen(net, int(line[f"{side}_bus"]), p_mw, vm_pu=float(line[f"vm_{side}_pu"]))
    net.dcline = net.dcline.iloc[0:0]
    told: set[int] = set()
    for index, gen in net.gen[net.gen["in_service"]].iterrows():
        bus = int(gen["bus"])
        if abs(vm[bus] - gen["vm_pu"]) > AT_SETPOINT_PU:
            pp.create_sgen(net, bus, gen["p_mw"], q_mvar=0.0 if bus in told else float(held[bus]))
            net.gen.loc[index, "in_service"] = False
            told.add(bus)
    buses = run.table("buses")
    island = dict(zip(buses["bus_id"].astype(int), buses["island"].astype(int), strict=True))
    held_by = {island[int(bus)] for bus in net.ext_grid.loc[net.ext_grid["in_service"], "bus"]}
    for _, gen in net.gen[net.gen["in_service"]].iterrows():
        if island[int(gen["bus"])] not in held_by:
            pp.create_ext_grid(net, int(gen["bus"]), vm_pu=float(gen["vm_pu"]))
            held_by.add(island[int(gen["bus"])])


def run_pandapower(net: Any) -> Any:
    """`net` solved by pandapower's own Newton-Raphson."""
    pp.runpp(net, lightsim2grid=False, calculate_voltage_angles=True, init="dc", tolerance_mva=1e-7, numba=False)
    return net


def differences(run: ResultsReader, t: int) -> dict[str, float]:
    """How far the AC check of step `t` is from ``runpp``: voltages (p.u.), angles (degree), loading, losses (MW)."""
    net = run_pandapower(hour_net(run, t))
    buses = run.table("buses")
    real = buses["bus_id"].to_numpy(int) >= 0
    want = net.res_bus.loc[buses["bus_id"].to_numpy(int)[real]]
    turn = (run["ac/va_degree"][t][real] - want["va_degree"].to_numpy() + 180.0) % 360.0 - 180.0
    island = buses["island"].to_numpy(int)[real]
    found = {
        "vm_pu": float(np.abs(run["ac/vm_pu"][t][real] - want["vm_pu"].to_numpy()).max()),
        "va_degree": max(float(np.ptp(turn[island == k])) for k in np.unique(island)),
        "loading": 0.0,
        "loss_mw": 0.0,
    }
    branches = run.table("branches")
    lost = 0.0
    for element in ("line", "trafo", "trafo3w", "impedance"):
        lost += float(net[f"res_{element}"]["pl_mw"].sum()) if len(net[element]) else 0.0
    for element in ("line", "trafo"):
        rows = np.flatnonzero((branches["element"] == element) & np.isfinite(branches["rating_mw"]))
        if not rows.size:
            continue
        index = branches["element_index"].to_numpy(int)[rows]
        share = net[element].get("max_loading_percent")
        share = 100.0 if share is None else share.loc[index].fillna(100.0).to_numpy()
        loading = net[f"res_{element}"].loc[index, "loading_percent"].to_numpy() / share
        found["loading"] = max(found["loading"], float(np.abs(run["ac/branch_loading"][t][rows] - loading).max()))
    if not len(net.xward):  # pandapower counts what is lost in one as consumed
        found["loss_mw"] = abs(lost - float(run["ac/loss_mw"][t]))
    return found
