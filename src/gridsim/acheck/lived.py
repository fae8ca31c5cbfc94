"""The lived hours of a run as powers at nodes, and who holds which voltage with how much reactive power.

Active power is that of the results file: units, sources, stores, loads less what was shed, DC links, spilled energy.
Reactive power of a row that holds no voltage follows its active power as ``q_mvar`` follows ``p_mw`` in the net.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gridsim.acheck.net import FloatArray, Grid, IntArray
from gridsim.errors import InputError, Problem
from gridsim.fixed import FIXED_ELEMENTS
from gridsim.nettable import NetTable
from gridsim.results import ResultsReader

SETPOINT_PU = 1e-6  # by which setpoints at one node may differ


@dataclass(frozen=True)
class Holder:
    """One row of the net that holds the voltage of its node."""

    name: str
    node: int
    vm_pu: float
    q_min_mvar: float
    q_max_mvar: float
    units: IntArray  # rows of /units that it stands for; none: it always holds
    share: FloatArray  # of its reactive range that each of their units on brings


@dataclass(frozen=True)
class Hours:
    """Some hours at the nodes of a grid, (hours, nodes). MW and Mvar, > 0 injects."""

    p_mw: FloatArray
    q_mvar: FloatArray
    holds: Any  # bool
    vm_pu: FloatArray  # (nodes,)
    q_min_mvar: FloatArray
    q_max_mvar: FloatArray
    capacity_mw: FloatArray  # of units on: what takes up losses in proportion to it
    shift_deg: FloatArray  # (hours, shifters)
    loss_mw: FloatArray  # (hours,): that the dispatch counted on


class Lived:
    """Reads the hours of one run. Everything that is the same in all of them is made once."""

    def __init__(self, run: ResultsReader, net: Any, grid: Grid, power_factor: float = 1.0):
        self.run, self.net, self.grid = run, net, grid
        self.tables = {name: run.table(name) for name in ("units", "sources", "stores", "loads", "links", "shifters")}
        self.q_per_p = {name: self._reactive(self.tables[name]) for name in ("sources", "stores", "loads")}
        bare = (self.tables["loads"]["element"] == "load").to_numpy() & (self.q_per_p["loads"] == 0.0)
        self.q_per_p["loads"][bare] = math.tan(math.acos(power_factor))
        self.fixed = self.tables["loads"]["element"].isin(FIXED_ELEMENTS).to_numpy()
        self.fixed_source = self.tables["sources"]["element"].isin(FIXED_ELEMENTS).to_numpy()
        self.holders = _holders(run, net, grid, self.tables)
        self.vm_pu = _setpoints(self.holders, grid, str(run.path))

    def hours(self, steps: IntArray) -> Hours:
        """Powers of the steps given, which are in order."""
        grid, tables = self.grid, self.tables
        p, q = (np.zeros((len(steps), grid.nodes)) for _ in range(2))
        unit_on = self._read("commitment/on", steps)
        unit_mw = self._read("dispatch/unit_p_mw", steps)
        source_mw = self._read("dispatch/source_p_mw", steps)
        store_mw = self._read("storage/discharge_mw", steps) - self._read("storage/charge_mw", steps)
        load_mw = self._read("dispatch/load_mw", steps) - self._read("unserved/load_mw", steps)
        self._add(p, tables["units"], unit_mw)
        self._add(p, tables["sources"], source_mw)
        self._add(p, tables["stores"], store_mw)
        self._add(p, tables["loads"], -load_mw)
        for name, mw, fixed in (("sources", source_mw, self.fixed_source), ("loads", -load_mw, self.fixed)):
            self._add(q, tables[name][~fixed], (mw * self.q_per_p[name])[:, ~fixed])
        self._add(q, tables["stores"], store_mw * self.q_per_p["stores"])
        links = tables["links"]
        if len(links):
            link_mw = self._read("dispatch/link_p_mw", steps)
            self._add(p, links, -link_mw, "from_row")
            self._add(p, links, link_mw * (1.0 - links["loss_share"].to_numpy(float)), "to_row")
        spilled = self._read("spill/bus_mw", steps)
        self._add(p, pd.DataFrame({"bus_row": np.arange(spilled.shape[1])}), -spilled)
        p += self._fixed_at_rest()  # the admittances and powers of the net hold it already
        p -= grid.fixed_mva.real
        q -= grid.fixed_mva.imag
        capacity = np.zeros_like(p)
        self._add(capacity, tables["units"], unit_on * tables["units"]["p_max_mw"].to_numpy(float))
        holds, q_min, q_max = self._ranges(unit_on)
        shift = self._read("flow/shift_deg", steps) if len(tables["shifters"]) else np.zeros((len(steps), 0))
        loss = self._read("flow/loss_mw", steps).sum(axis=1) if "flow/loss_mw" in self.run else np.zeros(len(steps))
        return Hours(p, q, holds, self.vm_pu, q_min, q_max, capacity, shift, loss)

    def _read(self, path: str, steps: IntArray) -> FloatArray:
        first, last = int(steps[0]), int(steps[-1]) + 1
        return np.asarray(self.run[path][first:last], dtype=np.float64)[steps - first]

    def _add(self, total: FloatArray, table: pd.DataFrame, values: FloatArray, column: str = "bus_row") -> None:
        node = self.grid.node_of_row[table[column].to_numpy(int)] if len(table) else np.zeros(0, dtype=np.int64)
        for k in np.flatnonzero(node >= 0):
            total[:, node[k]] += values[:, k]

    def _reactive(self, table: pd.DataFrame) -> FloatArray:
        """Mvar of each MW of every row of a table: as the net has it at rest, 0 where that says nothing."""
        out = np.zeros(len(table))
        for k, (element, index) in enumerate(zip(table["element"], table["element_index"], strict=True)):
            frame = self.net[element]
            if "q_mvar" in frame and "p_mw" in frame and element not in ("gen", "ext_grid", "dcline"):
                p_mw, q_mvar = float(frame.at[index, "p_mw"]), float(frame.at[index, "q_mvar"])
                out[k] = q_mvar / p_mw if p_mw != 0 and np.isfinite(q_mvar) else 0.0
        return out

    def _fixed_at_rest(self) -> FloatArray:
        """What motors, wards and shunts take of active power at 1 p.u., which the conversion of the net holds too."""
        from gridsim.fixed import fixed_power_mw

        total = np.zeros(self.grid.nodes)
        for element in FIXED_ELEMENTS:
            table = NetTable(self.net, element)
            mw, _ = fixed_power_mw(self.net, table)
            bus_ids = table.number("bus", -1).astype(int)
            for i in np.flatnonzero(table.in_service()):
                node = self.grid.node_of_bus_id.get(int(bus_ids[i]), -1)
                if node >= 0:
                    total[node] += mw[i]
        return total

    def _ranges(self, unit_on: FloatArray) -> tuple[Any, FloatArray, FloatArray]:
        """Whether each node's voltage is held, and between which reactive powers."""
        shape = (len(unit_on), self.grid.nodes)
        holds, q_min, q_max = np.zeros(shape, dtype=bool), np.zeros(shape), np.zeros(shape)
        for holder in self.holders:
            part = unit_on[:, holder.units] @ holder.share if holder.units.size else np.ones(len(unit_on))
            on = part > 0
            holds[:, holder.node] |= on
            for total, limit in ((q_min, holder.q_min_mvar), (q_max, holder.q_max_mvar)):
                total[on, holder.node] += part[on] * limit
        return holds, q_min, q_max


def _holders(run: ResultsReader, net: Any, grid: Grid, tables: dict[str, pd.DataFrame]) -> list[Holder]:
    """Rows of ext_grid, gen and dcline in service, and the inner sources of xwards.

    A gen whose row is committed holds while units are on, with their part of its reactive range; one that the scenario
    scales away does not; all others always do, also those without active power, which are condensers.
    """
    fate = {(n["element"], int(n["index"])): str(n["why"]) for n in run.notes}
    units = tables["units"]
    none, full = np.zeros(0, dtype=np.int64), np.zeros(0)
    out = []
    for element in ("ext_grid", "gen"):
        table = NetTable(net, element)
        q_min = table.number("min_q_mvar", -np.inf) if element == "gen" else np.full(table.n, -np.inf)
        q_max = table.number("max_q_mvar", np.inf) if element == "gen" else np.full(table.n, np.inf)
        p_max = table.number("max_p_mw", 0.0)
        bus_ids, vm_pu = table.number("bus", -1).astype(int), table.number("vm_pu", 1.0)
        for i in np.flatnonzero(table.in_service()):
            node = grid.node_of_bus_id.get(int(bus_ids[i]), -1)
            if node < 0 or fate.get((element, table.index[i]), "").startswith("scaled to 0"):
                continue
            mine = np.flatnonzero((units["element"] == element) & (units["element_index"] == table.index[i]))
            each = units["p_max_mw"].to_numpy(float)[mine]
            whole = p_max[i] if p_max[i] > 0 else float((each * units["units"].to_numpy(float)[mine]).sum())
            share = each / whole if mine.size else full
            out.append(Holder(table.names[i], node, vm_pu[i], q_min[i], q_max[i], mine, share))
    out += [Holder(name, node, vm_pu, -np.inf, np.inf, none, full) for name, node, vm_pu in grid.inner]
    table = NetTable(net, "dcline")
    for side in ("from", "to"):
        bus_ids = table.number(f"{side}_bus", -1).astype(int)
        vm_pu = table.number(f"vm_{side}_pu", 1.0)
        q_min, q_max = table.number(f"min_q_{side}_mvar", -np.inf), table.number(f"max_q_{side}_mvar", np.inf)
        for i in np.flatnonzero(table.in_service()):
            node = grid.node_of_bus_id.get(int(bus_ids[i]), -1)
            if node >= 0:
                out.append(Holder(f"{table.names[i]} ({side})", node, vm_pu[i], q_min[i], q_max[i], none, full))
    return out


def _setpoints(holders: list[Holder], grid: Grid, source: str) -> FloatArray:
    """Voltage to hold at each node; holders at one node have to agree."""
    vm_pu = np.ones(grid.nodes)
    first: dict[int, Holder] = {}
    problems = []
    for holder in holders:
        other = first.setdefault(holder.node, holder)
        vm_pu[holder.node] = other.vm_pu
        if abs(other.vm_pu - holder.vm_pu) > SETPOINT_PU:
            said = f"{other.name} {other.vm_pu:g} p.u., {holder.name} {holder.vm_pu:g} p.u."
            problems.append(Problem("vm_pu", f"must be one at bus {grid.node_name[holder.node]}: {said}"))
    if problems:
        raise InputError(source, problems)
    return vm_pu
