"""A pandapower net as nodes and admittances: pandapower's own AC conversion, with what a dispatch sets taken out.

lightsim2grid has a converter of its own, which drops the charging of a transformer where `i0_percent` is below 0
(so pandapower keeps that of MATPOWER's): case118 is off by 0.0136 p.u. at 18 buses for it. So the admittances are
pandapower's, private to it as those of `gridsim.networks.converted`, and only the solver is lightsim2grid's.
"""

import copy
import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.nettable import NetTable

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]

# pypower's columns (pandapower.pypower.idx_bus, idx_brch)
_PD, _QD, _GS, _BS = 2, 3, 4, 5
_F_BUS, _T_BUS, _BR_X, _TAP, _SHIFT = 0, 1, 3, 8, 9

SET_BY_DISPATCH = ("load", "sgen", "storage", "dcline")
WITHOUT_MODEL = ("svc", "ssc", "tcsc", "vsc", "vsc_stacked", "vsc_bipolar", "bus_dc", "line_dc")


@dataclass(frozen=True)
class Compensation:
    """Shunts that are switched in steps to hold the voltage at their node in a band."""

    name: list[str]
    index: IntArray  # in net.shunt
    node: IntArray
    y_step: ComplexArray  # admittance of one step, p.u.
    at_rest: IntArray  # steps on
    most: IntArray
    vm_low: FloatArray
    vm_high: FloatArray


@dataclass(frozen=True)
class TapChangers:
    """Transformers whose taps are moved to hold the voltage at their low-voltage node."""

    name: list[str]
    index: IntArray  # in net.trafo
    branch: IntArray
    node: IntArray
    at_rest: IntArray
    least: IntArray
    most: IntArray
    raises: IntArray  # +1 or -1: the way of the tap that raises the voltage
    vm_set: FloatArray
    half_band: FloatArray
    y: list[ComplexArray]  # of each: (positions, 4), from `least` on


@dataclass(frozen=True)
class Grid:
    """Nodes and branches in service. Admittances are p.u. on `base_mva`."""

    base_mva: float
    node_of_bus_id: dict[int, int]  # buses of the net that are in service and supplied
    node_of_row: IntArray  # of each row of /buses; -1: no bus of the net
    node_name: list[str]
    begin: IntArray
    end: IntArray
    y: ComplexArray  # (branches, 4): from-from, from-to, to-from, to-to
    y_node: ComplexArray  # what stands at each node, without what is switched
    fixed_mva: ComplexArray  # taken at each node by what no dispatch sets
    b_dc: FloatArray  # 1 / (x tap), for the angles of a first guess
    shift_rad: FloatArray
    branch_of_row: IntArray  # of each row of /branches; -1: none
    scale: FloatArray  # (rows of /branches, 2): from p.u. current at each end to MVA that compare with its rating
    island: IntArray  # of each node
    inner: list[tuple[str, int, float]]  # sources inside xwards: name, node, p.u. that they hold
    compensation: Compensation
    taps: TapChangers

    @property
    def nodes(self) -> int:
        return len(self.y_node)


def read_grid(net: Any, buses: pd.DataFrame, branches: pd.DataFrame, source: str) -> Grid:
    """Nodes and admittances of `net`, and where the rows of a run's index tables are among them.

    Parameters
    ----------
    net : pandapowerNet, read only
    buses, branches : index tables of the run
    source : of the net, for errors

    Raises
    ------
    InputError
        If the net holds what has no AC model here, or switched shunts or taps that are not whole.
    """
    problems = _without_model(net)
    shunts, trafos = _switched(net, problems), _regulated(net, problems)
    if problems:
        raise InputError(source, problems)
    work = copy.deepcopy(net)
    work.shunt.loc[[work.shunt.index[i] for i in shunts], "in_service"] = False
    _take_out(work)
    ppci = _convert(work)
    lookups = work._pd2ppc_lookups
    n = len(ppci["bus"])
    base = float(ppci["baseMVA"])
    node_of_id = {int(i): int(lookups["bus"][int(i)]) for i in work.bus.index}
    live = {i: node for i, node in node_of_id.items() if 0 <= node < n}
    branch = ppci["branch"]
    begin, end = (np.real(branch[:, c]).astype(np.int64) for c in (_F_BUS, _T_BUS))
    in_service = ppci["internal"]["branch_is"]
    place = np.where(in_service, np.cumsum(in_service) - 1, -1)
    tap = np.where(np.real(branch[:, _TAP]) == 0, 1.0, np.real(branch[:, _TAP]))
    bus = np.real(ppci["bus"]).astype(np.float64)
    first = {element: int(rows[0]) for element, rows in lookups["branch"].items()}
    names = dict(zip(buses["bus_id"], buses["name"], strict=True))
    node_name = [f"node {k}" for k in range(n)]
    for i, node in live.items():
        node_name[node] = str(names.get(i, node_name[node]))
    rows = np.array([live.get(int(i), -1) for i in buses["bus_id"]], dtype=np.int64)
    sides = _sides(work, buses, branches)
    return Grid(
        base_mva=base,
        node_of_bus_id=live,
        node_of_row=rows,
        node_name=node_name,
        begin=begin,
        end=end,
        y=_four(branch),
        y_node=(bus[:, _GS] + 1j * bus[:, _BS]) / base,
        fixed_mva=bus[:, _PD] + 1j * bus[:, _QD],
        b_dc=1.0 / (np.real(branch[:, _BR_X]) * tap),
        shift_rad=np.deg2rad(np.real(branch[:, _SHIFT])),
        branch_of_row=_branch_places(work, branches, first, sides, place),
        scale=_scales(work, branches, sides),
        island=_islands(begin, end, n),
        inner=_inner(work, lookups, n),
        compensation=_compensation(net, shunts, live, base),
        taps=_taps(net, work, trafos, live, place, first),
    )


def _convert(work: Any) -> Any:
    """pypower arrays of what is in service in a net, as ``runpp`` makes them."""
    from pandapower.auxiliary import _init_runpp_options
    from pandapower.pd2ppc import _pd2ppc

    logger = logging.getLogger("pandapower")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _init_runpp_options(
                work, algorithm="nr", calculate_voltage_angles=True, init="flat", max_iteration="auto",
                tolerance_mva=1e-8, trafo_model="t", trafo_loading="current", enforce_p_lims=False,
                enforce_q_lims=False, check_connectivity=True, voltage_depend_loads=False, numba=False,
                lightsim2grid=False,
            )  # fmt: skip
            work._pd2ppc_lookups = {k: np.array([], dtype=np.int64) for k in ("bus", "bus_dc", "ext_grid", "gen")}
            work._pd2ppc_lookups |= {"branch": {}, "branch_dc": {}}
            _, ppci = _pd2ppc(work)
    finally:
        logger.setLevel(level)
    return ppci


def _four(branch: Any) -> ComplexArray:
    from pandapower.pypower.makeYbus import branch_vectors

    ytt, yff, yft, ytf = branch_vectors(branch, len(branch))
    return np.stack((yff, yft, ytf, ytt), axis=1).astype(np.complex128)


def _take_out(work: Any) -> None:
    """Remove what the dispatch sets. Rows without active power that give or take reactive power stay."""
    for element in SET_BY_DISPATCH:
        frame = work[element]
        stays = np.zeros(len(frame), dtype=bool)
        if element != "dcline" and len(frame):
            table = NetTable(work, element)
            profile = np.array([bool(name) for name in table.text("profile")], dtype=bool)
            stays = (table.number("p_mw", 0.0) == 0) & (table.number("q_mvar", 0.0) != 0) & ~profile
        work[element] = frame[stays]
    for element in ("gen", "ext_grid"):  # they stay for the islands they hold; `lived` says what they hold them at
        work[element]["vm_pu"] = 1.0
    work.ext_grid["va_degree"] = 0.0


def _without_model(net: Any) -> list[Problem]:
    problems = []
    for element in WITHOUT_MODEL:
        table = NetTable(net, element)
        count = int(table.in_service().sum()) if table.n else 0
        if count:
            rule = "must have no row in service: the AC check has no model of it"
            problems.append(Problem(element, f"{rule} ({count} of {table.n} {'is' if count == 1 else 'are'})"))
    return problems


def _switched(net: Any, problems: list[Problem]) -> IntArray:
    """Positions in net.shunt of what is switched."""
    table = NetTable(net, "shunt")
    ours = table.flag("switched", False) & table.in_service()
    step, most = table.number("step", 1), table.number("max_step", 1)
    table.complain(problems, "max_step", ours & ~(most >= 1), "at least 1 where the shunt is switched")
    table.complain(problems, "step", ours & ~((step >= 0) & (step <= most)), "from 0 to max_step where it is switched")
    table.complain(problems, "q_mvar", ours & ~(np.abs(table.number("q_mvar", 0.0)) > 0), "not 0 where it is switched")
    by_table = ours & table.flag("step_dependency_table", False)
    table.complain(problems, "step_dependency_table", by_table, "False where the shunt is switched")
    low, high = table.number("vm_low_pu", 0.98), table.number("vm_high_pu", 1.05)
    said = [f"{a:g} with vm_high_pu {b:g}" for a, b in zip(low, high, strict=True)]
    table.complain(problems, "vm_low_pu", ours & ~(low < high), "below vm_high_pu", said)
    return np.flatnonzero(ours)


def _regulated(net: Any, problems: list[Problem]) -> IntArray:
    """Positions in net.trafo of what has a voltage to hold."""
    table = NetTable(net, "trafo")
    ours = np.isfinite(table.number("tap_vm_pu")) & table.in_service()
    least, most, at = table.number("tap_min"), table.number("tap_max"), table.number("tap_pos")
    whole = np.isfinite(least) & (least <= at) & (at <= most)
    said = [f"{a:g} in {b:g}..{c:g}" for a, b, c in zip(at, least, most, strict=True)]
    table.complain(problems, "tap_pos", ours & ~whole, "between tap_min and tap_max where tap_vm_pu is given", said)
    step = table.number("tap_step_percent", 0.0)
    table.complain(problems, "tap_step_percent", ours & ~(step != 0), "not 0 where tap_vm_pu is given")
    return np.flatnonzero(ours)


def _compensation(net: Any, rows: IntArray, node_of_id: dict[int, int], base: float) -> Compensation:
    table = NetTable(net, "shunt")
    bus_ids = table.number("bus", -1).astype(np.int64)
    live = np.array([i for i in rows if int(bus_ids[i]) in node_of_id], dtype=np.int64)
    vn_kv = net.bus["vn_kv"].reindex(bus_ids).to_numpy(dtype=np.float64) if table.n else np.zeros(0)
    ratio = (vn_kv / table.number("vn_kv", vn_kv)) ** 2
    y_step = (table.number("p_mw", 0.0) - 1j * table.number("q_mvar", 0.0)) * ratio / base
    return Compensation(
        name=[table.names[i] for i in live],
        index=np.array(table.index, dtype=np.int64)[live],
        node=np.array([node_of_id[int(bus_ids[i])] for i in live], dtype=np.int64),
        y_step=np.asarray(y_step[live], dtype=np.complex128),
        at_rest=table.whole("step", 1)[live],
        most=table.whole("max_step", 1)[live],
        vm_low=table.number("vm_low_pu", 0.98)[live],
        vm_high=table.number("vm_high_pu", 1.05)[live],
    )


def _taps(
    net: Any, work: Any, rows: IntArray, node_of_id: dict[int, int], place: IntArray, first: dict[str, int]
) -> TapChangers:
    table = NetTable(net, "trafo")
    lv = table.number("lv_bus", -1).astype(np.int64)
    branch = np.array([place[first["trafo"] + i] for i in rows], dtype=np.int64)
    rows = rows[[b >= 0 and int(lv[i]) in node_of_id for i, b in zip(rows, branch, strict=True)]]
    branch = np.array([place[first["trafo"] + i] for i in rows], dtype=np.int64)
    least, most = (table.whole(column, 0)[rows] for column in ("tap_min", "tap_max"))
    step = table.number("tap_step_percent", 0.0)[rows] / 100.0
    at_lv = np.array([side == "lv" for side in table.text("tap_side")], dtype=bool)[rows]
    return TapChangers(
        name=[table.names[i] for i in rows],
        index=np.array(table.index, dtype=np.int64)[rows],
        branch=branch,
        node=np.array([node_of_id[int(lv[i])] for i in rows], dtype=np.int64),
        at_rest=table.whole("tap_pos", 0)[rows],
        least=least,
        most=most,
        raises=np.where(at_lv, 1, -1) * np.where(step > 0, 1, -1),
        vm_set=table.number("tap_vm_pu")[rows],
        half_band=0.75 * np.abs(step),
        y=_tap_admittances(work, rows, branch, least, most),
    )


def _tap_admittances(
    work: Any, rows: IntArray, branch: IntArray, least: IntArray, most: IntArray
) -> list[ComplexArray]:
    """Admittances of each transformer at each of its tap positions: the net converted with all of them moved on."""
    found = [np.zeros((int(high - low) + 1, 4), dtype=np.complex128) for low, high in zip(least, most, strict=True)]
    index = [work.trafo.index[i] for i in rows]
    for k in range(max((len(y) for y in found), default=0)):
        moved = copy.deepcopy(work)
        moved.trafo.loc[index, "tap_pos"] = np.minimum(least + k, most)
        y = _four(_convert(moved)["branch"])
        for j, table in enumerate(found):
            if k < len(table):
                table[k] = y[branch[j]]
    return found


def _sides(work: Any, buses: pd.DataFrame, branches: pd.DataFrame) -> IntArray:
    """Of each row of /branches that is one of three of a trafo3w: 0 from hv, 1 to mv, 2 to lv; 0 for all others."""
    bus_id = buses["bus_id"].to_numpy(int)
    out = np.zeros(len(branches), dtype=np.int64)
    taken: set[tuple[int, int]] = set()
    for row in np.flatnonzero((branches["element"] == "trafo3w").to_numpy()):
        index = int(branches["element_index"].iloc[row])
        if bus_id[branches["from_row"].iloc[row]] >= 0:
            continue
        outer = _merged(work, int(bus_id[branches["to_row"].iloc[row]]))
        mv = int(work.trafo3w.at[index, "mv_bus"]) in outer and (index, 1) not in taken
        out[row] = 1 if mv else 2
        taken.add((index, int(out[row])))
    return out


def _merged(work: Any, bus_id: int) -> set[int]:
    """Ids of the buses of a net that are one with a bus."""
    lookup = work._pd2ppc_lookups["bus"]
    return {int(i) for i in work.bus.index if lookup[int(i)] == lookup[bus_id]}


def _branch_places(
    work: Any, branches: pd.DataFrame, first: dict[str, int], sides: IntArray, place: IntArray
) -> IntArray:
    """Branch of each row of /branches, -1 where it is none of the net."""
    elements = ("line", "trafo", "impedance", "trafo3w")
    position = {element: {int(i): k for k, i in enumerate(work[element].index)} for element in elements}
    rank = np.flatnonzero(np.asarray(work._impedance_bb_switches).astype(bool))
    position["switch"] = {int(work.switch.index[row]): k for k, row in enumerate(rank)}
    out = np.full(len(branches), -1, dtype=np.int64)
    for row, (element, index) in enumerate(zip(branches["element"], branches["element_index"], strict=True)):
        if element in position:  # else it joins islands, and is nothing of the net
            # pandapower lists all hv sides of trafo3w, then all mv, then all lv
            out[row] = place[first[element] + position[element][int(index)] + sides[row] * len(work.trafo3w)]
    return out


def _scales(work: Any, branches: pd.DataFrame, sides: IntArray) -> FloatArray:
    """MVA that stand against the rating, per p.u. of current at each end and base, as pandapower counts loading."""
    vn_kv = work.bus["vn_kv"]
    out = np.ones((len(branches), 2))
    for row, (element, index) in enumerate(zip(branches["element"], branches["element_index"], strict=True)):
        if element == "line":
            line = work.line.loc[index]
            out[row, 1] = vn_kv[line["from_bus"]] / vn_kv[line["to_bus"]]
        elif element == "trafo":
            trafo = work.trafo.loc[index]
            out[row] = [trafo[f"vn_{side}_kv"] / vn_kv[trafo[f"{side}_bus"]] for side in ("hv", "lv")]
        elif element == "trafo3w":  # from or to its star point: only the outer end is an end
            side, trafo = ("hv", "mv", "lv")[sides[row]], work.trafo3w.loc[index]
            ratio = trafo[f"vn_{side}_kv"] / vn_kv[trafo[f"{side}_bus"]]
            out[row] = (ratio, 0.0) if side == "hv" else (0.0, ratio)
    return out


def _inner(work: Any, lookups: Any, n: int) -> list[tuple[str, int, float]]:
    table = NetTable(work, "xward")
    if not table.n:
        return []
    node = [int(lookups["bus"][int(i)]) for i in lookups["aux"]["xward"]]
    vm_pu = table.number("vm_pu", 1.0)
    return [(table.names[i], node[i], float(vm_pu[i])) for i in range(table.n) if 0 <= node[i] < n]


def _islands(begin: IntArray, end: IntArray, n: int) -> IntArray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(begin)), (begin, end)), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)
