"""The AC check of a run: hours of a results file through the power flow, and what they come to."""

from pathlib import Path
from typing import Any

import numpy as np

from gridsim.acheck.flow import DIVERGED, LEAST, MOST, NOT_ASKED, Hour, Island, Solution
from gridsim.acheck.lived import Hours, Lived
from gridsim.acheck.net import FloatArray, Grid, IntArray, read_grid
from gridsim.acheck.record import AcWriter
from gridsim.acheck.select import steps_of
from gridsim.errors import InputError, Problem
from gridsim.networks.safe import net_of_text
from gridsim.results import ResultsReader
from gridsim.schema import AC_DATASETS, CHUNK_H
from gridsim.summary_ac import OVER, ratings


def check(path: Path, hours: str = "", power_factor: float = 1.0) -> dict[str, Any]:
    """Run the AC power flow of the lived hours of a results file and write ``/ac`` into it.

    Parameters
    ----------
    path : Path
        A finished run. It is replaced by a copy with the new group when that is whole.
    hours : str
        Which ones: "0:168", "0:8760:24", "12,36,60", from 0; all where empty.
    power_factor : float
        Of loads that have no reactive power in the net, inductive.

    Returns
    -------
    dict
        The summary of the run, with the keys of `gridsim.summary_ac`.

    Raises
    ------
    InputError
        If the file holds no net, the net has what has no AC model here, or `hours` is no selection.
    """
    with ResultsReader(path) as run:
        walker = Walker(run, power_factor)
        steps = steps_of(hours, run.steps)
        compensation, taps = walker.grid.compensation, walker.grid.taps
        names = {"switched_shunt": compensation.name, "tap_changer": taps.name}
        with AcWriter(path, names, walker.attrs()) as writer:
            for first in range(0, run.steps, CHUNK_H):
                mine = steps[(steps >= first) & (steps < first + CHUNK_H)]
                if mine.size:
                    writer.write(first, walker.block(first, min(CHUNK_H, run.steps - first), mine))
            writer.write(0, walker.whole())
            return writer.finish()


class Walker:
    """Takes the hours of one run in order through the power flow of every island."""

    def __init__(self, run: ResultsReader, power_factor: float = 1.0):
        if not run.net_json:
            raise InputError(str(run.path), [Problem("the results file", "must hold a network: it has none")])
        self.run = run
        self.buses, self.branches = run.table("buses"), run.table("branches")
        net = net_of_text(run.net_json)
        self.grid: Grid = read_grid(net, self.buses, self.branches, str(run.path))
        self.power_factor = power_factor
        self.lived = Lived(run, net, self.grid, power_factor)
        self.islands = _islands(self.grid, self.buses)
        self.branch_weight, self.link_weight = run["interfaces/branch_weight"][:], run["interfaces/link_weight"][:]
        self.rating = np.broadcast_to(ratings(run), (run.steps, len(self.branches)))
        self.row_of_node = np.full(self.grid.nodes, -1, dtype=np.int64)
        known = np.flatnonzero(self.grid.node_of_row >= 0)
        self.row_of_node[self.grid.node_of_row[known]] = known
        shifters = run.table("shifters")
        self.shifted = self.grid.branch_of_row[shifters["branch_row"].to_numpy(int)]
        self.branch_loss_mwh = np.zeros(len(self.branches))

    def attrs(self) -> dict[str, Any]:
        """What is said of the check as a whole."""
        from importlib.metadata import version

        return {
            "solver": f"lightsim2grid {version('lightsim2grid')}, Newton-Raphson",
            "power_factor": self.power_factor,
            "reference": "angles are relative to the reference bus of each island",
            "status": "0 solved; 1 solved from a new start; 2 solved, but controls did not settle or no reactive power "
            "was left; 3 did not converge; -1 not looked at",
        }

    def whole(self) -> dict[str, Any]:
        """What is of the run and not of its hours."""
        return {"branch_loss_mwh": self.branch_loss_mwh}

    def block(self, first: int, size: int, steps: IntArray) -> dict[str, Any]:
        """The datasets along time of the steps from `first` on; what is not among `steps` stays not looked at."""
        out = self._empty(size)
        hours = self.lived.hours(steps)
        dc_mw = np.abs(self.run["flow/branch_p_mw"][first : first + size])
        for t, step in enumerate(steps):
            self._hour(out, int(step) - first, hours, t, dc_mw[int(step) - first], self.rating[step])
        link_mw = self.run["dispatch/link_p_mw"][first : first + size]  # DC links carry what was dispatched
        out["interface_p_mw"] += link_mw @ self.link_weight.T
        return out

    def _empty(self, size: int) -> dict[str, Any]:
        grid = self.grid
        length = {
            "bus": len(self.buses),
            "branch": len(self.branches),
            "interface": len(self.branch_weight),
            "switched_shunt": len(grid.compensation.name),
            "tap_changer": len(grid.taps.name),
        }
        out = {}
        for d in AC_DATASETS:
            if d.per_hour:
                empty = np.nan if np.dtype(d.dtype).kind == "f" else NOT_ASKED
                out[d.path.split("/")[1]] = np.full((size, *(length[dim] for dim in d.dims[1:])), empty, d.dtype)
        return out

    def _hour(self, out: dict[str, Any], row: int, hours: Hours, t: int, dc_mw: FloatArray, rating: FloatArray) -> None:
        """Solve one hour and write it into `row` of `out`."""
        grid = self.grid
        shift = np.zeros(len(grid.begin))
        shift[self.shifted] = np.deg2rad(hours.shift_deg[t])
        voltage, held = np.full(grid.nodes, np.nan + 0j), np.full(grid.nodes, np.nan)
        flow = np.full((len(grid.begin), 2), np.nan + 0j)  # MVA into each branch at its ends
        current = np.full((len(grid.begin), 2), np.nan)  # p.u.
        status, iterations, rounds, limited, shared = 0, 0, 0, 0, 0.0
        for island in self.islands:
            asked = _part(hours, t, island, shift)
            found = island.solve(asked)
            status, rounds = max(status, found.status), max(rounds, found.rounds)
            iterations += found.iterations
            if found.status == DIVERGED:
                continue
            shared += float(found.p_mw.sum() - asked.p_mw.sum())
            limited += int(((found.mode == MOST) | (found.mode == LEAST)).sum())
            turned = found.voltage * np.exp(-1j * np.angle(found.voltage[island.reference]))
            voltage[island.nodes], held[island.nodes] = turned, found.held_mvar
            _branch_flows(island, found, flow, current, grid.base_mva)
        for island in self.islands:
            out["switched_steps"][row, island.bank] = island.step[island.bank]
            out["tap_pos"][row, island.changer] = island.tap[island.changer]
        out["status"][row], out["iterations"][row], out["rounds"][row] = status, iterations, rounds
        if status == DIVERGED:
            return
        out["at_limit"][row] = limited
        out["loss_mw"][row], out["shared_mw"][row] = flow.real.sum(), shared
        out["dispatch_loss_mw"][row] = hours.loss_mw[t]
        self._buses(out, row, voltage, held)
        self._branches(out, row, flow, current, dc_mw, rating)

    def _buses(self, out: dict[str, Any], row: int, voltage: Any, held: FloatArray) -> None:
        known = np.flatnonzero(self.grid.node_of_row >= 0)
        node = self.grid.node_of_row[known]
        vm = np.abs(voltage[node])
        out["vm_pu"][row, known], out["va_degree"][row, known] = vm, np.degrees(np.angle(voltage[node]))
        out["held_mvar"][row, known] = held[node]
        for name, k in (("min", int(vm.argmin())), ("max", int(vm.argmax()))):
            out[f"vm_{name}_pu"][row], out[f"vm_{name}_bus"][row] = vm[k], known[k]

    def _branches(
        self, out: dict[str, Any], row: int, flow: Any, current: FloatArray, dc_mw: FloatArray, rating: FloatArray
    ) -> None:
        known = np.flatnonzero(self.grid.branch_of_row >= 0)
        at = self.grid.branch_of_row[known]
        out["branch_p_mw"][row, known], out["branch_q_mvar"][row, known] = flow[at, 0].real, flow[at, 0].imag
        out["interface_p_mw"][row] = self.branch_weight[:, known] @ flow[at, 0].real
        self.branch_loss_mwh[known] += flow[at].real.sum(axis=1) * self.run.dt_h
        load = (current[at] * self.grid.scale[known]).max(axis=1) * self.grid.base_mva / rating[known]
        out["branch_loading"][row, known] = load
        if not known.size:
            out["overloaded"][row] = out["overloaded_ac_only"][row] = 0
            return
        k = int(load.argmax())
        out["loading_max"][row], out["loading_max_branch"][row] = load[k], known[k]
        over = load > 1.0 + OVER
        out["overloaded"][row] = over.sum()
        out["overloaded_ac_only"][row] = (over & (dc_mw[known] <= rating[known] * (1.0 + OVER))).sum()


def _islands(grid: Grid, buses: Any) -> list[Island]:
    """One for each island, with the node that the run took as its reference, else its first."""
    chosen = buses["reference"].to_numpy(bool)
    reference: dict[int, int] = {}
    for row in (*np.flatnonzero(chosen), *np.flatnonzero(~chosen)):
        node = int(grid.node_of_row[row])
        if node >= 0:
            reference.setdefault(int(grid.island[node]), node)
    return [Island(grid, number, reference[number]) for number in sorted(reference)]


def _part(hours: Hours, t: int, island: Island, shift: FloatArray) -> Hour:
    at = island.nodes
    return Hour(
        p_mw=hours.p_mw[t, at],
        q_mvar=hours.q_mvar[t, at],
        holds=hours.holds[t, at],
        vm_pu=hours.vm_pu[at],
        q_min_mvar=hours.q_min_mvar[t, at],
        q_max_mvar=hours.q_max_mvar[t, at],
        capacity_mw=hours.capacity_mw[t, at],
        shift_rad=shift,
    )


def _branch_flows(island: Island, found: Solution, flow: Any, current: FloatArray, base_mva: float) -> None:
    v_from, v_to = found.voltage[island.begin], found.voltage[island.end]
    four = island.four
    i_from, i_to = four[:, 0] * v_from + four[:, 1] * v_to, four[:, 2] * v_from + four[:, 3] * v_to
    flow[island.branches, 0] = v_from * np.conj(i_from) * base_mva
    flow[island.branches, 1] = v_to * np.conj(i_to) * base_mva
    current[island.branches, 0], current[island.branches, 1] = np.abs(i_from), np.abs(i_to)
