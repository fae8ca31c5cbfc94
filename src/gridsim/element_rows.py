"""The rows that device readers fill, and the tools they share: where a row stands, fixed consumption, notes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gridsim.case import ElementNote
from gridsim.costs import RawCost
from gridsim.errors import Problem
from gridsim.nettable import NetTable
from gridsim.networks.columns import TECH_OF_TYPE
from gridsim.schema import CLEAN_TECHS
from gridsim.topology import Topology


@dataclass
class SourceSpec:
    """How the hourly bounds of one source come about."""

    kind: str  # range: low..high in every hour | profile: see series.source_bounds
    low_mw: float
    high_mw: float  # range: upper bound, inf: set from the peak load; profile: MW at 1 p.u.
    profile: str = ""
    share: float = 1.0  # of a profile in MW
    factor: float = 1.0  # scenario scale, already in low and high; for profiles in MW
    band_down: float = np.nan
    curtailable: bool = False
    export_limit_mw: float = np.inf  # most that its own connection takes
    export_profile: str = ""  # share of that in each hour; "": all
    reverse_limit_mw: float = np.inf  # most beyond the load at its bus


@dataclass
class LoadSpec:
    """How one load's hourly MW come about."""

    p_mw: float  # constant, or MW at 1 p.u.
    profile: str = ""
    share: float = 1.0  # of a profile in MW
    scaling: float = 1.0


@dataclass
class UnitSpec:
    """What a unit row needs beyond its table row: availability, costs and response of one unit."""

    profile: str
    min_cost: float
    seg_mw: tuple[float, ...]
    seg_cost: tuple[float, ...]
    start_lag_h: tuple[int, ...]
    start_cost: tuple[float, ...]
    response_mw_per_min: float  # inf: no limit
    initial_on: int | None  # None: not given
    heat_min_profile: str = ""
    heat_max_profile: str = ""


@dataclass
class StoreSpec:
    """How the hourly limits of one store come about; "" as a profile: none."""

    inflow_profile: str
    share: float
    factor: float  # scenario scale
    demand_profile: str = ""
    demand_share: float = 1.0
    charge_profile: str = ""
    discharge_profile: str = ""
    min_e_profile: str = ""
    notice_h: float = 0.0
    beside: str = ""  # name of a source


@dataclass
class Elements:
    """Rows of the case tables, with what makes their series."""

    units: list[dict[str, Any]] = field(default_factory=list)
    unit_specs: list[UnitSpec] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    source_specs: list[SourceSpec] = field(default_factory=list)
    stores: list[dict[str, Any]] = field(default_factory=list)
    store_specs: list[StoreSpec] = field(default_factory=list)
    loads: list[dict[str, Any]] = field(default_factory=list)
    load_specs: list[LoadSpec] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    notes: list[ElementNote] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    techs: set[str] = field(default_factory=set)
    factors: dict[str, float] = field(default_factory=dict)  # of the scenario, on each generator by its name


class RowWriter:
    """What every reader of a device table needs; the readers derive from it and share one `Elements`."""

    def __init__(
        self,
        net: Any,
        topology: Topology,
        costs: dict[tuple[str, int], RawCost],
        factor: Callable[[str], float],
        out: Elements,
    ):
        self.net, self.topology, self.costs, self.factor, self.out = net, topology, costs, factor, out
        self.zones = list(topology.buses["zone"])

    def placed(self, table: NetTable, column: str = "bus") -> list[int | None]:
        """Bus row of every row, None (with a note or a problem) where it is out of service or unconnected."""
        bus_ids = table.number(column, -1).astype(np.int64)
        on = table.in_service()
        rows: list[int | None] = []
        dead = np.zeros(table.n, dtype=bool)
        for i, bus_id in enumerate(bus_ids):
            row = self.topology.row_of_bus_id.get(int(bus_id))
            if not on[i]:
                self.note(table, i, "ignored", "out of service")
                row = None
            elif int(bus_id) in self.topology.dead_bus_ids:
                dead[i] = True
            elif row is None:
                self.note(table, i, "ignored", f"its bus {bus_id} is out of service")
            rows.append(row)
        allowed = (
            "a bus that branches in service connect to a reference of its island "
            "(an ext_grid in service, or a gen with slack=True)"
        )
        table.complain(self.out.problems, column, dead, allowed, [f"bus {b}" for b in bus_ids])
        return rows

    def note(self, table: NetTable, i: int, fate: str, why: str) -> None:
        self.out.notes.append(table.note(i, fate, why))

    def row(self, table: NetTable, i: int, bus_row: int) -> dict[str, Any]:
        return {
            "name": table.names[i],
            "element": table.element,
            "element_index": table.index[i],
            "bus_row": bus_row,
            "zone": self.zones[bus_row],
        }

    def placed_quietly(self, table: NetTable, column: str) -> list[int | None]:
        """`placed` for the second bus of a row: problems are kept, notes are left to the caller."""
        before = len(self.out.notes)
        rows = self.placed(table, column)
        del self.out.notes[before:]
        return rows

    def consume(self, table: NetTable, i: int, bus_row: int, p_mw: float, why: str, component: str = "") -> None:
        """A constant consumption: a load, or a source of fixed output where it is negative."""
        row = self.row(table, i, bus_row)
        if p_mw > 0:
            self.out.loads.append(row | {"component": component})
            self.out.load_specs.append(LoadSpec(p_mw))
            self.note(table, i, "used", why)
        elif p_mw < 0:
            self.append_source(row, "other", -p_mw, 0.0, SourceSpec("range", -p_mw, -p_mw))
            self.note(table, i, "used", f"{why}; negative: a source of fixed output")
        else:
            self.note(table, i, "ignored", "no active power")

    def append_source(
        self,
        row: dict[str, Any],
        tech: str,
        p_nom_mw: float,
        cost: float,
        spec: SourceSpec,
        **more: Any,
    ) -> None:
        """Add a source; `more` holds what differs from a fixed injection that is nobody's."""
        row |= {
            "tech": tech,
            "p_nom_mw": p_nom_mw,
            "cost": cost,
            "ramp_mw_per_h": np.inf,
            "ramp_up_mw_per_h": np.inf,
            "ramp_down_mw_per_h": np.inf,
            "curtailable": False,
            "reserve_up": False,
            "reserve_down": False,
            "co2_t_per_mwh": 0.0,
            "origin_co2_t_per_mwh": 0.0,
            "clean_share": float(tech in CLEAN_TECHS),
        }
        self.out.sources.append(row | more)
        self.out.source_specs.append(spec)


def tech_of_type(kind: str) -> str:
    """The tech that pandapower's free column `type` stands for, "" if none."""
    return TECH_OF_TYPE.get(kind.strip().lower(), "")
