"""Audit of the AC check: a few hours solved again by pandapower from powers and voltage magnitudes alone.

With what is fed in at every bus (units with their part of what was shared out) and the magnitudes of the file, angles
and losses follow, whatever reactive power it takes. They must be those of the file. Rows exist only for a file that
has been through ``gridsim acheck``.
"""

import contextlib
import copy
from typing import Any

import numpy as np
import pandas as pd

from gridsim.audit_data import AuditRow, FloatArray, Record, at, row_of, skipped
from gridsim.audit_network import INJECTING, injections, island_of, loss_shares

ANGLE_DEG = 1e-3
LOSS_MW = 0.05
VOLTAGE_PU = 1e-6
SOLVED = (0, 1, 2)
BY_VOLTAGE = ("ward", "xward", "asymmetric_load", "asymmetric_sgen", "motor")  # what they take is not all in the file


def check_ac(record: Record) -> list[AuditRow]:
    if not record.has("ac/status"):
        return []
    status = record.series("ac/status")
    solved = np.flatnonzero(np.isin(status, SOLVED))
    return [_whole(record, solved), *_again(record, solved)]


def _whole(record: Record, solved: Any) -> AuditRow:
    """Solved hours have all their voltages, and the extremes of each hour are those of its buses."""
    real = record.tables["buses"]["bus_id"].to_numpy(int) >= 0
    vm = record.series("ac/vm_pu")[solved][:, real]
    off = [np.abs(record.series(f"ac/vm_{way}_pu")[solved] - getattr(vm, way)(axis=1)) for way in ("min", "max")]
    return row_of("extremes of AC voltages", np.maximum(*off), VOLTAGE_PU, at(record), "p.u.")


def _again(record: Record, solved: Any) -> list[AuditRow]:
    names = "AC angles of pandapower's runpp", "AC losses of pandapower's runpp"
    net = record.net
    why = "no hour has a solution" if not solved.size else "the file holds no net" if net is None else ""
    if not why:
        found = [element for element in BY_VOLTAGE if len(net[element])]
        found += ["shunts with losses"] if len(net.shunt) and (net.shunt["p_mw"] != 0).any() else []
        found += ["units in several islands, and the file their shares in one"] if _islands(record) > 1 else []
        why = f"the net has {', '.join(found)}" if found else ""
    if why:
        return [skipped(name, why) for name in names]
    load = record.series("dispatch/load_mw").sum(axis=1)[solved]
    hours = sorted({int(solved[k]) for k in (load.argmax(), load.argmin(), len(solved) // 2)})
    injected = _with_shares(record, injections(record))
    angle, loss = np.zeros(record.steps), np.zeros(record.steps)
    for t in hours:
        try:
            angle[t], loss[t] = _hour(record, net, injected[t], t)
        except Exception as error:  # pandapower raises whatever it meets, also that it does not converge
            return [AuditRow(n, float("inf"), f"{record.hour(t)}: {error}", ANGLE_DEG, 1, False, "") for n in names]
    return [
        row_of(names[0], angle, ANGLE_DEG, at(record), "degree"),
        row_of(names[1], loss, LOSS_MW, at(record), "MW"),
    ]


def _islands(record: Record) -> int:
    """Number of islands that have units."""
    return len(np.unique(island_of(record, artificial=False)[record.tables["units"]["bus_row"].to_numpy(int)]))


def _with_shares(record: Record, injected: FloatArray) -> FloatArray:
    """What is fed in, with the part of each unit on in what was shared out; losses are the AC flow's own."""
    total = injected.copy()
    if record.has("flow/loss_mw") and record.file["flow/loss_mw"].shape[1] > 0:
        total += record.series("flow/loss_mw") @ loss_shares(record)
    units = record.tables["units"]
    capacity = record.series("commitment/on") * units["p_max_mw"].to_numpy(float)
    share = capacity / np.maximum(capacity.sum(axis=1, keepdims=True), 1e-9)
    for k, row in enumerate(units["bus_row"].to_numpy(int)):
        total[:, row] += share[:, k] * np.nan_to_num(record.series("ac/shared_mw"))
    return total


def _hour(record: Record, net: Any, injected: FloatArray, t: int) -> tuple[float, float]:
    """How far the angles (degree) and the losses (MW) of an hour are from pandapower's."""
    import pandapower as pp

    buses, branch, steered = (record.tables[name] for name in ("buses", "branches", "shifters"))
    bare = copy.deepcopy(net)
    for element in list(bare.keys()):
        frame = bare[element]
        if isinstance(frame, pd.DataFrame) and element in INJECTING and len(frame):
            bare[element] = frame.iloc[0:0]
    if len(steered):
        turned = branch["element_index"].to_numpy(int)[steered["branch_row"].to_numpy(int)]
        bare.trafo.loc[turned, "shift_degree"] += record.series("flow/shift_deg")[t]
    if "tap_vm_pu" in bare.trafo:
        moved = bare.trafo.index[bare.trafo["tap_vm_pu"].notna() & bare.trafo["in_service"].astype(bool)]
        bare.trafo.loc[moved, "tap_pos"] = record.series("ac/tap_pos")[t]
    real = np.flatnonzero(buses["bus_id"].to_numpy(int) >= 0)
    ids, vm = buses["bus_id"].to_numpy(int)[real], record.series("ac/vm_pu")[t][real]
    for k, bus in enumerate(ids):
        pp.create_gen(bare, int(bus), injected[real[k]], vm_pu=vm[k])
    island, reference = island_of(record, artificial=False)[real], buses["reference"].to_numpy(bool)[real]
    members = [np.flatnonzero(island == k) for k in np.unique(island)]
    for of_island in members:
        angle = int(of_island[np.argmax(reference[of_island])])  # it takes what no unit is on for
        pp.create_ext_grid(bare, int(ids[angle]), vm_pu=vm[angle])
    with contextlib.redirect_stdout(None):
        pp.runpp(bare, lightsim2grid=False, numba=False, calculate_voltage_angles=True, init="dc")
    turn = record.series("ac/va_degree")[t][real] - bare.res_bus.loc[ids, "va_degree"].to_numpy()
    turn = (turn + 180.0) % 360.0 - 180.0
    tables = ("line", "trafo", "trafo3w", "impedance")
    lost = sum(float(bare[f"res_{e}"]["pl_mw"].sum()) for e in tables if len(bare[e]))
    return max(float(np.ptp(turn[of_island])) for of_island in members), abs(
        lost - float(record.series("ac/loss_mw")[t])
    )
