"""From a pandapower net to electrical buses and branches: who is connected to whom, through which reactance.

pandapower itself makes the branch list (`gridsim.networks.converted`): reactance, tap ratio, phase shift, merged buses
(closed bus-bus switches) and open ends come from there. Whatever branch pandapower knows, such as three-winding
transformers (a star of three branches and one more bus), impedances or switches with an impedance, is then right by
construction, and flows agree with ``rundcpp``.

Several islands: the window problem has one power balance for all of them. Each island but the largest therefore gets
one more bus without injections as its reference, joined to it by a branch of rating 0 (element "island_balance"). Its
flow is the sum of the island's injections, so the ordinary branch limit keeps every island balanced.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gridsim.case import BRANCH_COLUMNS, BUS_COLUMNS, ElementNote
from gridsim.errors import Problem
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.network import BASE_MVA, label_islands
from gridsim.net_checks import references
from gridsim.nettable import NetTable, unique_names
from gridsim.networks.converted import Converted
from gridsim.networks.stored import converted

# pypower's columns of the branch array, and its type of a bus out of service (pandapower.pypower.idx_brch, idx_bus)
_F_BUS, _T_BUS, _BR_R, _BR_X, _TAP, _SHIFT, _BR_STATUS = 0, 1, 2, 3, 8, 9, 10
_OUT = 4

# pandapower's converters from MATPOWER write such currents and powers for "no limit"
_UNLIMITED_KA, _UNLIMITED_MVA = 9_999.0, 99_999.0
_BALANCE_X_PU = 0.01


@dataclass(frozen=True)
class Topology:
    """Electrical buses and branches, and where each bus of the net went."""

    buses: pd.DataFrame  # BUS_COLUMNS + island, reference
    branches: pd.DataFrame  # BRANCH_COLUMNS
    row_of_bus_id: dict[int, int]  # buses of the net that are in service and supplied
    dead_bus_ids: frozenset[int]  # in service, but with no way to a reference
    references: frozenset[tuple[str, int]]  # ext_grid and gen rows that fix an island's reference
    notes: list[ElementNote]


def build_topology(net: Any, overload_cost: float, balance_cost: float) -> tuple[Topology | None, list[Problem]]:
    """Buses and branches of `net`, which `net_checks.check_tables` has found usable.

    Parameters
    ----------
    net : pandapowerNet or StoredNet, read only
    overload_cost : float
        Price of a branch's overload. [currency/MWh]
    balance_cost : float
        Price of breaking the balance of an island. [currency/MWh]

    Returns
    -------
    (Topology, no problems) or (None, problems).
    """
    try:
        ppc = converted(net)
    except Exception as error:  # pandapower raises whatever it meets: all of it is about the input
        text = " ".join(str(error).split()) or type(error).__name__
        return None, [Problem("network", f"must be one that pandapower can convert for a DC power flow: {text}")]
    return _Reader(net, ppc, overload_cost, balance_cost).read()


class _Reader:
    """Carries what the steps of `build_topology` share."""

    def __init__(self, net: Any, ppc: Converted, overload_cost: float, balance_cost: float):
        self.net = net
        self.overload_cost, self.balance_cost = overload_cost, balance_cost
        self.ppc = ppc
        self.notes: list[ElementNote] = []
        self.problems: list[Problem] = []
        self.buses: list[dict[str, Any]] = []
        self.branches: list[dict[str, Any]] = []
        self.row_of_bus_id: dict[int, int] = {}
        self.row_of_ppc: dict[int, int] = {}
        self.dead: set[int] = set()

    def read(self) -> tuple[Topology | None, list[Problem]]:
        self._read_buses()
        self._read_star_points()
        for element in ("line", "trafo", "impedance"):
            self._read_two_ended(element)
        self._read_trafo3w()
        self._read_switches()
        if not self.buses:
            return None, [Problem("bus", "must have at least one row in service that is connected to a reference")]
        references = self._place_references()
        buses = pd.DataFrame(self.buses)[[*BUS_COLUMNS, "island", "reference"]]
        # columns by hand: a net of one bus has no branch
        branches = pd.DataFrame(self.branches, columns=[*BRANCH_COLUMNS, "overload_cost"])
        kinds = {"from_row": "int64", "to_row": "int64", "element_index": "int64", "circuits": "int64"}
        kinds |= dict.fromkeys(
            ("x_pu", "r_pu", "shift_deg", "rating_mw", "emergency_rating_mw", "overload_cost"), "float64"
        )
        branches = branches.astype(kinds)
        for frame, key in ((buses, "bus_id"), (branches, "element_index")):
            kind = ["bus"] * len(frame) if key == "bus_id" else list(frame["element"])
            frame["name"] = unique_names(list(frame["name"]), kind, list(frame[key]))
        if self.problems:
            return None, self.problems
        topology = Topology(
            buses, branches, self.row_of_bus_id, frozenset(self.dead), frozenset(references), self.notes
        )
        return topology, []

    # --- buses

    def _read_buses(self) -> None:
        bus = NetTable(self.net, "bus")
        on, vn_kv, zone, geo = bus.in_service(), bus.number("vn_kv"), bus.text("zone"), bus.text("geo")
        keeper: dict[int, int] = {}
        for i in range(bus.n):
            if not on[i]:
                self.notes.append(bus.note(i, "ignored", "out of service"))
                continue
            ppc_bus = int(self.ppc.bus_of_id[bus.index[i]])
            if self.ppc.bus_type[ppc_bus] == _OUT:
                self.dead.add(bus.index[i])
                self.notes.append(bus.note(i, "ignored", "no way to a reference through branches in service"))
                continue
            if ppc_bus in keeper:
                self.row_of_bus_id[bus.index[i]] = self.row_of_ppc[ppc_bus]
                self.notes.append(bus.note(i, "merged", f"joined to bus {keeper[ppc_bus]} by a closed bus-bus switch"))
                continue
            keeper[ppc_bus] = bus.index[i]
            row = len(self.buses)
            self.row_of_ppc[ppc_bus] = row
            self.row_of_bus_id[bus.index[i]] = row
            lat_deg, lon_deg = read_geo(geo[i])
            self.buses.append(_bus(bus.names[i], bus.index[i], zone[i], vn_kv[i], lat_deg, lon_deg))
            self.notes.append(bus.note(i, "used", "electrical bus"))

    def _read_star_points(self) -> None:
        """The inner bus of each three-winding transformer; those of xwards carry no active power and are left out."""
        trafo3w = NetTable(self.net, "trafo3w")
        if not trafo3w.n:
            return
        hv = trafo3w.number("hv_bus").astype(np.int64)
        for i, aux in enumerate(self.ppc.star_bus_ids):
            ppc_bus = int(self.ppc.bus_of_id[aux])
            if (
                self.ppc.bus_type[ppc_bus] == _OUT
                or not trafo3w.in_service()[i]
                or int(hv[i]) not in self.row_of_bus_id
            ):
                continue
            at = self.buses[self.row_of_bus_id[int(hv[i])]]
            self.row_of_ppc[ppc_bus] = len(self.buses)
            name = f"{trafo3w.names[i]} star point"
            self.buses.append(_bus(name, -1, at["zone"], at["vn_kv"], at["lat_deg"], at["lon_deg"]))

    # --- branches

    def _append(
        self, name: str, element: str, index: int, ppc_row: int, rating: float, emergency: float, n: int
    ) -> str:
        """Add the branch of one pypower row; the reason if it carries nothing, else ''."""
        values = self.ppc.branch[ppc_row]
        if values[_BR_STATUS] == 0:
            return "out of service, or a bus at its end is"
        begin, end = int(values[_F_BUS]), int(values[_T_BUS])
        if begin == end:
            return "both ends are one electrical bus (closed bus-bus switches)"
        if self.ppc.bus_type[begin] == _OUT or self.ppc.bus_type[end] == _OUT:
            return "no way to a reference"
        if begin not in self.row_of_ppc or end not in self.row_of_ppc:
            return "open at one end (switch, or bus out of service): carries no active power"
        tap = values[_TAP] if values[_TAP] != 0 else 1.0
        r_pu, x_pu = (float(values[part] * tap * BASE_MVA / self.ppc.sn_mva) for part in (_BR_R, _BR_X))
        if not np.isfinite(x_pu) or x_pu == 0:
            self.problems.append(
                Problem(
                    element, f"must have a reactance that is finite and not 0: {element} {index} '{name}' has {x_pu}"
                )
            )
            return "no reactance"
        if not np.isfinite(r_pu):
            self.problems.append(
                Problem(element, f"must have a resistance that is finite: {element} {index} '{name}' has {r_pu}")
            )
            return "no resistance"
        self.branches.append(
            {
                "name": name,
                "element": element,
                "element_index": index,
                "from_row": self.row_of_ppc[begin],
                "to_row": self.row_of_ppc[end],
                "x_pu": x_pu,
                "r_pu": r_pu,
                "shift_deg": values[_SHIFT],
                "rating_mw": rating,
                "emergency_rating_mw": emergency,
                "circuits": n,
                "rating_profile": "",  # see `gridsim.ratings`
                "overload_cost": self.overload_cost,
            }
        )
        return ""

    def _read_two_ended(self, element: str) -> None:
        table = NetTable(self.net, element)
        if not table.n:
            return
        rating, source = self._ratings(table)
        emergency = table.number("emergency_rating_mva", rating)
        low = table.in_service() & (emergency < rating * (1 - 1e-9))
        allowed = "at least the continuous rating"
        said = [f"{e:.6g} MVA, rated {r:.6g} MVA" for e, r in zip(emergency, rating, strict=True)]
        table.complain(self.problems, "emergency_rating_mva", low, allowed, said)
        circuits = table.whole("parallel", 1)
        first = self.ppc.first_branch[element]
        on = table.in_service()
        for i in range(table.n):
            why = "out of service"
            if on[i]:
                why = self._append(
                    table.names[i], element, table.index[i], first + i, rating[i], emergency[i], int(circuits[i])
                )
            fate = "ignored" if why else "used"
            self.notes.append(table.note(i, fate, why or f"branch, {source[i]}"))

    def _ratings(self, table: NetTable) -> tuple[FloatArray, list[str]]:
        """Continuous rating of every row and where it comes from. [MW at 1 p.u. voltage and unit power factor]"""
        loading = table.number("max_loading_percent", 100.0) / 100.0
        if table.element == "line":
            vn_kv = self.net["bus"]["vn_kv"].reindex(table.frame["from_bus"]).to_numpy(dtype=np.float64)
            i_ka = table.number("max_i_ka", np.inf)
            unlimited = ~(i_ka < _UNLIMITED_KA)
            rating = np.sqrt(3.0) * vn_kv * i_ka * table.number("df", 1.0) * table.number("parallel", 1.0) * loading
            said = "rated by max_i_ka"
        elif table.element == "trafo":
            sn_mva = table.number("sn_mva", np.inf)
            unlimited = ~(sn_mva < _UNLIMITED_MVA)
            rating = sn_mva * table.number("df", 1.0) * table.number("parallel", 1.0) * loading
            said = "rated by sn_mva"
        else:  # sn_mva of an impedance is the base of its p.u. values, not a limit
            rating, unlimited, said = np.full(table.n, np.inf), np.ones(table.n, dtype=bool), ""
        rating = np.where(unlimited, np.inf, rating)
        return rating, ["no limit" if u else said for u in unlimited]

    def _read_trafo3w(self) -> None:
        table = NetTable(self.net, "trafo3w")
        if not table.n:
            return
        first = self.ppc.first_branch["trafo3w"]
        loading = table.number("max_loading_percent", 100.0) / 100.0
        on = table.in_service()
        for i in range(table.n):
            whys = []
            for k, side in enumerate(("hv", "mv", "lv")):
                sn_mva = table.number(f"sn_{side}_mva", np.inf)[i]
                rating = np.inf if not sn_mva < _UNLIMITED_MVA else sn_mva * loading[i]
                ppc_row = first + k * table.n + i  # pandapower lists all hv sides, then all mv, then all lv
                name = f"{table.names[i]} {side}"
                if on[i]:
                    whys.append(self._append(name, "trafo3w", table.index[i], ppc_row, rating, rating, 1))
            if not on[i]:
                self.notes.append(table.note(i, "ignored", "out of service"))
            elif all(whys):
                self.notes.append(table.note(i, "ignored", whys[0]))
            else:
                self.notes.append(table.note(i, "used", "three branches from a star point, rated by sn_*_mva"))

    def _read_switches(self) -> None:
        table = NetTable(self.net, "switch")
        closed, et = table.flag("closed", True), table.text("et")
        in_ka = table.number("in_ka", np.inf)
        rank = {int(i): k for k, i in enumerate(self.ppc.impedance_switches)}
        for i in range(table.n):
            if not closed[i]:
                self.notes.append(table.note(i, "merged", "open: what it opens carries no active power"))
            elif et[i] != "b":
                self.notes.append(table.note(i, "merged", "closed: no effect"))
            elif i in rank:
                vn_kv = float(self.net["bus"].at[table.frame["bus"].iloc[i], "vn_kv"])
                rating = np.sqrt(3.0) * vn_kv * in_ka[i] if in_ka[i] > 0 else np.inf
                ppc_row = self.ppc.first_branch["switch"] + rank[i]
                why = self._append(table.names[i], "switch", table.index[i], ppc_row, rating, rating, 1)
                self.notes.append(table.note(i, "ignored" if why else "used", why or "branch with an impedance"))
            else:
                self.notes.append(table.note(i, "merged", "closed: its two buses are one"))

    # --- references

    def _place_references(self) -> set[tuple[str, int]]:
        """Number the islands, give each one reference, and all but the largest a balance branch."""
        begins = np.array([b["from_row"] for b in self.branches], dtype=np.int64)
        ends = np.array([b["to_row"] for b in self.branches], dtype=np.int64)
        island = label_islands(begins, ends, len(self.buses))
        size = np.bincount(island)
        chosen: dict[int, tuple[str, int, int]] = {}
        for element, index, bus_id in references(self.net):
            row = self.row_of_bus_id[bus_id]
            chosen.setdefault(int(island[row]), (element, index, row))
        for row, bus in enumerate(self.buses):
            bus["island"], bus["reference"] = int(island[row]), False
        main = int(np.argmax(size))
        for k in range(size.size):
            if k not in chosen:  # pandapower took the island for supplied, so it has a reference that we do not know
                first = self.buses[int(np.flatnonzero(island == k)[0])]
                self.problems.append(
                    Problem(
                        "bus", f"must be in an island with an ext_grid or a slack gen: bus {first['bus_id']} is not"
                    )
                )
                continue
            _, _, row = chosen[k]
            at = self.buses[row]
            if k == main:
                at["reference"] = True
                continue
            name = f"balance of the island of {at['name']}"
            virtual = _bus(name, -1, at["zone"], at["vn_kv"], at["lat_deg"], at["lon_deg"])
            self.buses.append({**virtual, "island": k, "reference": True})
            self.branches.append(
                {
                    "name": name,
                    "element": "island_balance",
                    "element_index": k,
                    "from_row": row,
                    "to_row": len(self.buses) - 1,
                    "x_pu": _BALANCE_X_PU,
                    "r_pu": 0.0,
                    "shift_deg": 0.0,
                    "rating_mw": 0.0,
                    "emergency_rating_mw": 0.0,
                    "circuits": 1,
                    "rating_profile": "",
                    "overload_cost": self.balance_cost,
                }
            )
        return {(element, index) for element, index, _ in chosen.values()}


def _bus(name: str, bus_id: int, zone: str, vn_kv: float, lat_deg: float, lon_deg: float) -> dict[str, Any]:
    return {"name": name, "bus_id": bus_id, "zone": zone, "vn_kv": vn_kv, "lat_deg": lat_deg, "lon_deg": lon_deg}


def read_geo(text: str) -> tuple[float, float]:
    """Latitude and longitude of a GeoJSON point, (NaN, NaN) for anything else, also for drawing coordinates. [deg]"""
    try:
        lon_deg, lat_deg = (float(v) for v in json.loads(text)["coordinates"][:2])
    except (ValueError, KeyError, TypeError):
        return np.nan, np.nan
    if abs(lat_deg) > 90 or abs(lon_deg) > 180:
        return np.nan, np.nan
    return lat_deg, lon_deg
