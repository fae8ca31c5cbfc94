"""From the device tables of a net to the rows of a case: units, sources, stores, loads, DC links.

Which row becomes what:

* gen, sgen and ext_grid rows are **units** (committed: on or off, with a minimum output) if their tech is coal, gas or
  nuclear, or if they carry commitment data (min_up_h, min_down_h, start_cost, no_load_cost, must_run, several units).
  A row without commitment data whose cost is a curve is a unit that is always on, as in pandapower's OPF.
* All others are **sources**: a box between two hourly bounds, at one price.
* storage is a **store**; with ``controllable`` False it is a fixed load or injection.
* dcline is a **link**; with ``controllable`` False it is a fixed pair of load and injection.
* Everything that consumes a fixed power (load, motor, ward, shunt ...) is a **load**; where that is negative, a source.

Every default that is used is said in the element's note. Costs by tech are assumed round figures, for nets without any.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gridsim.case import ElementNote
from gridsim.costs import Curve, RawCost, curve
from gridsim.errors import Problem
from gridsim.fixed import FIXED_ELEMENTS, fixed_power_mw
from gridsim.nettable import BoolArray, NetTable
from gridsim.networks.columns import CURTAILABLE_TECHS, END_RULES, TECH_OF_TYPE, columns_of
from gridsim.topology import Topology

COMMITTED_TECHS = frozenset({"coal", "gas", "nuclear"})
# currency/MWh where a net gives no cost. Assumed: they only order the techs (cheap to dear) in a sensible way.
DEFAULT_COST = {
    "wind_offshore": 0.0,
    "wind_onshore": 0.0,
    "pv": 0.0,
    "hydro": 0.0,
    "nuclear": 100.0,
    "import": 300.0,
    "exchange": 300.0,
    "coal": 300.0,
    "biomass": 450.0,
    "gas": 550.0,
    "external": 600.0,
}
_DEFAULT_COST_OTHER = 400.0


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


@dataclass
class LoadSpec:
    """How one load's hourly MW come about."""

    p_mw: float  # constant, or MW at 1 p.u.
    profile: str = ""
    share: float = 1.0  # of a profile in MW
    scaling: float = 1.0


@dataclass
class UnitSpec:
    """What a unit row needs beyond its table row: availability and cost of one unit."""

    profile: str
    min_cost: float
    seg_mw: tuple[float, ...]
    seg_cost: tuple[float, ...]


@dataclass
class Elements:
    """Rows of the case tables, with what makes their series."""

    units: list[dict[str, Any]] = field(default_factory=list)
    unit_specs: list[UnitSpec] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    source_specs: list[SourceSpec] = field(default_factory=list)
    stores: list[dict[str, Any]] = field(default_factory=list)
    loads: list[dict[str, Any]] = field(default_factory=list)
    load_specs: list[LoadSpec] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    notes: list[ElementNote] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    techs: set[str] = field(default_factory=set)


def read_elements(
    net: Any, topology: Topology, costs: dict[tuple[str, int], RawCost], factor: Callable[[str], float]
) -> Elements:
    """All devices of the net.

    Parameters
    ----------
    net : pandapowerNet, read only
    topology : Topology
    costs : from `gridsim.costs.read_costs`
    factor : tech -> scenario factor on its capacity ("load" is applied to the series)
    """
    return _Reader(net, topology, costs, factor).read()


class _Reader:
    def __init__(self, net: Any, topology: Topology, costs: dict[tuple[str, int], RawCost], factor: Any):
        self.net, self.topology, self.costs, self.factor = net, topology, costs, factor
        self.zones = list(topology.buses["zone"])
        self.out = Elements()

    def read(self) -> Elements:
        self._loads()
        for element in FIXED_ELEMENTS:
            self._fixed(element)
        for element in ("ext_grid", "gen", "sgen"):
            self._generators(element)
        self._storages()
        self._dclines()
        return self.out

    # --- where a row stands

    def _placed(self, table: NetTable, column: str = "bus") -> list[int | None]:
        """Bus row of every row, None (with a note or a problem) where it is out of service or unconnected."""
        bus_ids = table.number(column, -1).astype(np.int64)
        on = table.in_service()
        rows: list[int | None] = []
        dead = np.zeros(table.n, dtype=bool)
        for i, bus_id in enumerate(bus_ids):
            row = self.topology.row_of_bus_id.get(int(bus_id))
            if not on[i]:
                self._note(table, i, "ignored", "out of service")
                row = None
            elif int(bus_id) in self.topology.dead_bus_ids:
                dead[i] = True
            elif row is None:
                self._note(table, i, "ignored", f"its bus {bus_id} is out of service")
            rows.append(row)
        allowed = (
            "a bus that branches in service connect to a reference of its island "
            "(an ext_grid in service, or a gen with slack=True)"
        )
        table.complain(self.out.problems, column, dead, allowed, [f"bus {b}" for b in bus_ids])
        return rows

    def _note(self, table: NetTable, i: int, fate: str, why: str) -> None:
        self.out.notes.append(table.note(i, fate, why))

    def _row(self, table: NetTable, i: int, bus_row: int) -> dict[str, Any]:
        return {
            "name": table.names[i],
            "element": table.element,
            "element_index": table.index[i],
            "bus_row": bus_row,
            "zone": self.zones[bus_row],
        }

    # --- loads and what behaves like one

    def _loads(self) -> None:
        table = NetTable(self.net, "load")
        placed = self._placed(table)
        p_mw, scaling = table.number("p_mw"), table.number("scaling", 1.0)
        table.complain(self.out.problems, "p_mw", table.in_service() & ~np.isfinite(p_mw), "a finite number of MW")
        table.complain(self.out.problems, "scaling", ~np.isfinite(scaling), "finite")
        profile, share = table.text("profile"), table.number("profile_share", 1.0)
        table.complain(self.out.problems, "profile_share", ~((share >= 0) & (share <= 1)), "between 0 and 1")
        flexible = table.flag("controllable", False)
        for i, bus_row in enumerate(placed):
            if bus_row is None:
                continue
            why = f"load by profile '{profile[i]}'" if profile[i] else f"constant load of {p_mw[i] * scaling[i]:.6g} MW"
            if flexible[i]:
                why += "; fixed although controllable: flexible loads have no model here"
            if ("load", table.index[i]) in self.costs:
                why += "; its cost entry has no effect"
            if not np.isfinite(p_mw[i]):
                continue
            if profile[i]:
                spec = LoadSpec(float(p_mw[i]), profile[i], float(share[i]), float(scaling[i]))
                self.out.loads.append(self._row(table, i, bus_row))
                self.out.load_specs.append(spec)
                self._note(table, i, "used", why)
            else:
                self._consume(table, i, bus_row, float(p_mw[i] * scaling[i]), why)

    def _consume(self, table: NetTable, i: int, bus_row: int, p_mw: float, why: str) -> None:
        """A constant consumption: a load, or a source of fixed output where it is negative."""
        row = self._row(table, i, bus_row)
        if p_mw > 0:
            self.out.loads.append(row)
            self.out.load_specs.append(LoadSpec(p_mw))
            self._note(table, i, "used", why)
        elif p_mw < 0:
            self._append_source(row, "other", -p_mw, 0.0, SourceSpec("range", -p_mw, -p_mw))
            self._note(table, i, "used", f"{why}; negative: a source of fixed output")
        else:
            self._note(table, i, "ignored", "no active power")

    def _fixed(self, element: str) -> None:
        table = NetTable(self.net, element)
        p_mw, formula = fixed_power_mw(self.net, table)
        for i, bus_row in enumerate(self._placed(table)):
            if bus_row is not None:
                self._consume(table, i, bus_row, float(p_mw[i]), f"constant load of {p_mw[i]:.6g} MW: {formula}")

    # --- generators

    def _generators(self, element: str) -> None:
        table = NetTable(self.net, element)
        if not table.n:
            return
        placed = self._placed(table)
        data = _GeneratorData(table, self.out.problems)
        for i, bus_row in enumerate(placed):
            if bus_row is None:
                continue
            self.out.techs.add(data.tech[i])
            factor = float(self.factor(data.tech[i]))
            said: list[str] = []
            if factor == 0:
                self._note(table, i, "ignored", f"scaled to 0 by the scenario (tech {data.tech[i]})")
                continue
            if element == "sgen" and data.consumes[i]:
                p_mw = -float(data.p_mw[i]) * factor
                self._consume(table, i, bus_row, p_mw, f"constant consumption of {p_mw:.6g} MW (p_mw is negative)")
                continue
            if data.p_max_mw[i] == 0 and not data.p_min_mw[i] < 0:
                self._note(table, i, "ignored", "its capacity is 0 MW")
                continue
            cost = self._cost(table, i, data, said)
            if factor != 1:
                said.append(f"capacity x {factor:.6g} by the scenario")
            reference = (element, table.index[i]) in self.topology.references
            if reference:
                said.append("reference bus of its island")
            if self._is_unit(table, i, data, cost):
                self._append_unit(table, i, bus_row, data, cost, factor, said)
            else:
                self._append_generator_source(table, i, bus_row, data, cost, factor, said)

    def _cost(self, table: NetTable, i: int, data: "_GeneratorData", said: list[str]) -> Curve:
        low, high = max(float(data.p_min_mw[i]), 0.0), max(float(data.p_max_mw[i]), 0.0)
        raw = self.costs.get((table.element, table.index[i]))
        if raw is None:
            price = DEFAULT_COST.get(data.tech[i], _DEFAULT_COST_OTHER)
            said.append(f"no cost entry: {price:g} per MWh assumed for tech {data.tech[i]}")
            raw = RawCost(0.0, price, 0.0, ())
        elif raw.c0 != 0 and data.no_load_cost[i] != 0:
            where = f"{table.element}.no_load_cost"
            text = f"must be 0 where poly_cost gives cp0_eur: {table.element} {table.label(i)} has both"
            self.out.problems.append(Problem(where, text))
        finite_high = high if np.isfinite(high) else low + 1.0
        return curve(raw, min(low, finite_high), finite_high)

    def _is_unit(self, table: NetTable, i: int, data: "_GeneratorData", cost: Curve) -> bool:
        if data.tech[i] in COMMITTED_TECHS or data.commitment[i]:
            return True
        bent = len({round(c, 9) for c in cost.seg_cost}) > 1 or (
            data.p_min_mw[i] > 0 and abs(cost.min_cost - cost.mean_cost) > 1e-9
        )
        free = not data.profile[i] and data.controllable[i] and np.isfinite(data.p_max_mw[i]) and data.p_min_mw[i] >= 0
        return bool(free and (bent or cost.no_load != 0))

    def _append_unit(
        self,
        table: NetTable,
        i: int,
        bus_row: int,
        data: "_GeneratorData",
        cost: Curve,
        factor: float,
        said: list[str],
    ) -> None:
        n = max(int(data.units[i]), 1)
        must_run = bool(data.must_run[i])
        if not (data.commitment[i] or data.tech[i] in COMMITTED_TECHS):
            must_run = True
            said.append("no commitment data: always on")
        if data.tech[i] in COMMITTED_TECHS and not data.commitment[i]:
            said.append("no commitment data: min_up_h = min_down_h = 1, start_cost = no_load_cost = 0")
        if not np.isfinite(data.co2[i]):
            said.append("co2_t_per_mwh unknown: 0")
        ramp = data.ramp_mw_per_h[i] * factor
        if ramp < (data.p_max_mw[i] - data.p_min_mw[i]) * factor:
            said.append(f"ramp limit of {ramp:.6g} MW/h is not enforced on committed units")
        row = self._row(table, i, bus_row)
        row |= {
            "tech": data.tech[i],
            "fuel": data.fuel[i] or data.tech[i],
            "units": n,
            "p_min_mw": float(data.p_min_mw[i]) * factor / n,
            "p_max_mw": float(data.p_max_mw[i]) * factor / n,
            "min_up_h": int(data.min_up_h[i]),
            "min_down_h": int(data.min_down_h[i]),
            "start_cost": float(data.start_cost[i]) * factor,
            "no_load_cost": (float(data.no_load_cost[i]) + cost.no_load / n) * factor,
            "co2_t_per_mwh": float(np.nan_to_num(data.co2[i])),
            "co2_no_load_t_per_h": float(data.co2_no_load[i]) * factor,
            "must_run": must_run,
            "reserve_up": bool(data.reserve_up_unit[i]),
            "reserve_down": bool(data.reserve_down_unit[i]),
            "initial_on": 0,
            "ramp_mw_per_h": ramp / n,
        }
        self.out.units.append(row)
        widths = tuple(w * factor / n for w in cost.seg_mw)
        self.out.unit_specs.append(UnitSpec(data.profile[i], cost.min_cost, widths, cost.seg_cost))
        what = f"committed row of {n} unit{'s' if n > 1 else ''} ({data.tech[i]})"
        if data.profile[i]:
            what += f", available by profile '{data.profile[i]}'"
        self._note(table, i, "used", "; ".join([what, *said]))

    def _append_generator_source(
        self,
        table: NetTable,
        i: int,
        bus_row: int,
        data: "_GeneratorData",
        cost: Curve,
        factor: float,
        said: list[str],
    ) -> None:
        curtailable = bool(data.curtailable[i])
        low, high = float(data.p_min_mw[i]) * factor, float(data.p_max_mw[i]) * factor
        ramp = float(data.ramp_mw_per_h[i]) * factor
        price = cost.mean_cost
        if len(set(cost.seg_cost)) > 1:
            said.append(f"cost curve replaced by its mean {price:.6g} per MWh: a source has one price")
        if data.profile[i]:
            spec = SourceSpec(
                "profile", low, high, data.profile[i], float(data.share[i]), factor, float(data.band[i]), curtailable
            )
            what = f"source by profile '{data.profile[i]}'"
        elif data.controllable[i]:
            spec = SourceSpec("range", low, high)
            top = f"{high:.6g} MW" if np.isfinite(high) else "1.5 x the peak load (no max_p_mw given)"
            what = f"source dispatched between {low:.6g} MW and {top}"
        else:
            p_mw = float(data.p_mw[i]) * factor
            spec = SourceSpec("range", min(0.0, p_mw) if curtailable else p_mw, p_mw)
            what = f"source of constant {p_mw:.6g} MW" + (" at most" if curtailable else "")
        if curtailable and np.isfinite(ramp):
            said.append("ramp limit not enforced: what is available may change faster")
            ramp = np.inf
        row = self._row(table, i, bus_row)
        self._append_source(row, data.tech[i], high, price, spec, ramp, data, i)
        self._note(table, i, "used", "; ".join([f"{what} ({data.tech[i]})", *said]))

    def _append_source(
        self,
        row: dict[str, Any],
        tech: str,
        p_nom_mw: float,
        cost: float,
        spec: SourceSpec,
        ramp_mw_per_h: float = np.inf,
        data: "_GeneratorData | None" = None,
        i: int = 0,
    ) -> None:
        row |= {
            "tech": tech,
            "p_nom_mw": p_nom_mw,
            "cost": cost,
            "ramp_mw_per_h": ramp_mw_per_h,
            "curtailable": bool(data.curtailable[i]) if data else False,
            "reserve_up": bool(data.reserve_up_source[i]) if data else False,
            "reserve_down": bool(data.reserve_down_source[i]) if data else False,
            "co2_t_per_mwh": float(np.nan_to_num(data.co2[i])) if data else 0.0,
        }
        self.out.sources.append(row)
        self.out.source_specs.append(spec)

    # --- stores

    def _storages(self) -> None:
        table = NetTable(self.net, "storage")
        if not table.n:
            return
        placed = self._placed(table)
        steered = table.flag("controllable", True)
        p_mw = table.number("p_mw", 0.0) * table.number("scaling", 1.0)
        rated = np.where(p_mw != 0, np.abs(p_mw), table.number("sn_mva", 0.0))
        problems = self.out.problems
        active = np.array([row is not None for row in placed], dtype=bool) & steered
        charge, discharge = table.number("max_p_mw", rated), -table.number("min_p_mw", -rated)
        e_max, e_min = table.number("max_e_mwh", 0.0), table.number("min_e_mwh", 0.0)
        soc = table.number("soc_percent", 50.0)
        e_start = soc / 100.0 * e_max
        ours = columns_of("storage")
        eta_c, eta_d = (table.number(c, ours[c].default) for c in ("eta_charge", "eta_discharge"))
        loss = table.number("loss_per_h", 0.0)
        rule, e_end = table.text("end_rule", "fixed"), table.number("e_end_mwh", e_start)
        end_value = table.number("end_value", 0.0)
        table.complain(problems, "max_p_mw", active & ~(charge >= 0), "at least 0 MW (charging)")
        table.complain(problems, "min_p_mw", active & ~(discharge >= 0), "at most 0 MW (discharging)", list(-discharge))
        table.complain(problems, "max_e_mwh", active & ~(e_max >= 0), "at least 0 MWh")
        bad = active & ~((e_min >= 0) & (e_min <= e_max))
        said = [f"{a:.6g} MWh with max_e_mwh {b:.6g}" for a, b in zip(e_min, e_max, strict=True)]
        table.complain(problems, "min_e_mwh", bad, "between 0 and max_e_mwh", said)
        bad = active & ~((e_start >= e_min - 1e-9) & (e_start <= e_max + 1e-9)) & (e_min <= e_max)
        said = [
            f"{s:.6g} % = {e:.6g} MWh, range {a:.6g}..{b:.6g} MWh"
            for s, e, a, b in zip(soc, e_start, e_min, e_max, strict=True)
        ]
        table.complain(problems, "soc_percent", bad, "a start between min_e_mwh and max_e_mwh", said)
        for column, eta in (("eta_charge", eta_c), ("eta_discharge", eta_d)):
            table.complain(
                problems, column, active & ~((eta > 0) & (eta <= 1)), "greater than 0 and at most 1", list(eta)
            )
        table.complain(problems, "loss_per_h", active & ~((loss >= 0) & (loss < 1)), "at least 0 and less than 1")
        bad = active & np.array([r not in END_RULES for r in rule], dtype=bool)
        table.complain(problems, "end_rule", bad, "'fixed', 'value' or 'free'", rule)
        bad = active & ~((e_end >= e_min - 1e-9) & (e_end <= e_max + 1e-9)) & (e_min <= e_max)
        table.complain(problems, "e_end_mwh", bad, "between min_e_mwh and max_e_mwh", list(e_end))
        for column in ("charge_cost", "discharge_cost", "end_value"):
            bad = active & ~np.isfinite(table.number(column, 0.0))
            table.complain(problems, column, bad, "finite")
        tech = table.text("tech")
        for i, bus_row in enumerate(placed):
            if bus_row is None:
                continue
            if not steered[i]:
                self._consume(table, i, bus_row, float(p_mw[i]), f"constant {p_mw[i]:.6g} MW (controllable is False)")
                continue
            kind = tech[i] or _tech_of_type(table.text("type")[i]) or "battery"
            self.out.techs.add(kind)
            factor = float(self.factor(kind))
            if factor == 0 or e_max[i] <= 0 or max(charge[i], discharge[i]) <= 0:
                why = f"scaled to 0 by the scenario (tech {kind})" if factor == 0 else "no energy or power capacity"
                self._note(table, i, "ignored", why)
                continue
            said = [f"store ({kind})"]
            if not table.has("eta_charge") or not table.has("eta_discharge"):
                said.append(f"efficiencies not given: {eta_c[i]:g} in, {eta_d[i]:g} out")
            if ("storage", table.index[i]) in self.costs:
                said.append("its cost entry has no effect: use charge_cost and discharge_cost")
            row = self._row(table, i, bus_row)
            row |= {
                "tech": kind,
                "p_charge_max_mw": float(charge[i]) * factor,
                "p_discharge_max_mw": float(discharge[i]) * factor,
                "e_min_mwh": float(e_min[i]) * factor,
                "e_max_mwh": float(e_max[i]) * factor,
                "e_start_mwh": float(e_start[i]) * factor,
                "eta_charge": float(eta_c[i]),
                "eta_discharge": float(eta_d[i]),
                "loss_per_h": float(loss[i]),
                "charge_cost": float(table.number("charge_cost", 0.0)[i]),
                "discharge_cost": float(table.number("discharge_cost", 0.0)[i]),
                "end_rule": rule[i],
                "e_end_mwh": float(e_end[i]) * factor,
                "end_value": float(end_value[i]),
                "units": int(table.whole("units", 1)[i]),
            }
            self.out.stores.append(row)
            self._note(table, i, "used", "; ".join(said))

    # --- DC lines

    def _dclines(self) -> None:
        table = NetTable(self.net, "dcline")
        if not table.n:
            return
        begins, ends = self._placed(table, "from_bus"), self._placed_quietly(table, "to_bus")
        p_mw = table.number("p_mw", 0.0)
        steered = table.flag("controllable", columns_of("dcline")["controllable"].default)
        p_max = table.number("max_p_mw", np.abs(p_mw))
        p_min = table.number("min_p_mw", 0.0)
        table.complain(self.out.problems, "max_p_mw", ~(p_max >= 0), "at least 0 MW", list(p_max))
        said_both = [f"{a:.6g} MW with max_p_mw {b:.6g} MW" for a, b in zip(p_min, p_max, strict=True)]
        table.complain(self.out.problems, "min_p_mw", steered & ~(p_min <= p_max), "at most max_p_mw", said_both)
        loss_mw, loss_percent = table.number("loss_mw", 0.0), table.number("loss_percent", 0.0)
        for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            if begin is None:
                continue
            if end is None:
                self._note(table, i, "ignored", "its to_bus is out of service")
                continue
            row = self._row(table, i, begin)
            if steered[i]:
                link = {k: row[k] for k in ("name", "element", "element_index")}
                link |= {"from_row": begin, "to_row": end, "p_min_mw": p_min[i], "p_max_mw": p_max[i]}
                self.out.links.append(link)
                why = f"DC link dispatched between {p_min[i]:.6g} and {p_max[i]:.6g} MW"
                if loss_mw[i] or loss_percent[i]:
                    why += f"; losses ({loss_percent[i]:g} % + {loss_mw[i]:g} MW) are left out, as on all branches"
                self._note(table, i, "used", why)
                continue
            # pandapower: p_mw leaves from_bus; to_bus receives it less the losses; a negative p_mw flows back
            delivered = p_mw[i] - loss_mw[i] - abs(p_mw[i]) * loss_percent[i] / 100.0 if p_mw[i] else 0.0
            why = f"fixed transfer: {p_mw[i]:.6g} MW taken at from_bus, {delivered:.6g} MW delivered at to_bus"
            self._consume(table, i, begin, float(p_mw[i]), why)
            if delivered:
                before = len(self.out.notes)
                self._consume(table, i, end, -float(delivered), why)
                del self.out.notes[before:]  # one note for the pair

    def _placed_quietly(self, table: NetTable, column: str) -> list[int | None]:
        """`_placed` for the second bus of a row: problems are kept, notes are left to the caller."""
        before = len(self.out.notes)
        rows = self._placed(table, column)
        del self.out.notes[before:]
        return rows


class _GeneratorData:
    """The columns of ext_grid, gen or sgen with their defaults, checked."""

    def __init__(self, table: NetTable, problems: list[Problem]):
        element = table.element
        kinds, given = table.text("type"), table.text("tech")
        fallback = "external" if element == "ext_grid" else "other"
        self.tech = [t or _tech_of_type(k) or fallback for t, k in zip(given, kinds, strict=True)]
        self.fuel = table.text("fuel")
        self.profile = table.text("profile")
        self.share = table.number("profile_share", 1.0)
        self.p_mw = table.number("p_mw", 0.0) * table.number("scaling", 1.0)
        limit = table.number("max_p_mw")
        floor = table.number("min_p_mw")
        bounded = np.isfinite(limit) | np.isfinite(floor)
        slack = table.flag("slack", False)
        default_on: bool | BoolArray = True if element != "sgen" else bounded
        self.controllable = table.flag("controllable", default_on) | slack | (element == "ext_grid")
        top = np.full(table.n, np.inf) if element == "ext_grid" else np.maximum(self.p_mw, 0.0)
        self.p_max_mw = np.where(np.isfinite(limit), limit, top)
        self.p_min_mw = np.where(np.isfinite(floor), floor, 0.0)
        self.consumes = (self.p_mw < 0) & ~bounded & np.array([not p for p in self.profile], dtype=bool)
        self.units = table.whole("units", 1)
        self.min_up_h, self.min_down_h = table.whole("min_up_h", 1), table.whole("min_down_h", 1)
        self.start_cost, self.no_load_cost = table.number("start_cost", 0.0), table.number("no_load_cost", 0.0)
        self.must_run = table.flag("must_run", False)
        self.co2, self.co2_no_load = table.number("co2_t_per_mwh"), table.number("co2_no_load_t_per_h", 0.0)
        self.ramp_mw_per_h = table.number("ramp_mw_per_h", np.inf)
        renewable = np.array([t in CURTAILABLE_TECHS for t in self.tech], dtype=bool)
        self.curtailable = table.flag("curtailable", renewable)
        self.band = table.number("band_down")
        self.reserve_up_unit, self.reserve_down_unit = table.flag("reserve_up", True), table.flag("reserve_down", True)
        self.reserve_up_source = table.flag("reserve_up", False)
        self.reserve_down_source = table.flag("reserve_down", False)
        boxes = np.array([t in CURTAILABLE_TECHS or t in ("import", "exchange") for t in self.tech], dtype=bool)
        self.commitment = ~boxes & (
            (self.min_up_h > 1)
            | (self.min_down_h > 1)
            | (self.start_cost > 0)
            | (self.no_load_cost != 0)
            | self.must_run
            | (self.units > 1)
        )
        committed = self.commitment | np.array([t in COMMITTED_TECHS for t in self.tech], dtype=bool)
        self._check(table, problems, limit, floor, committed)

    def _check(self, table: NetTable, problems: list[Problem], limit: Any, floor: Any, committed: BoolArray) -> None:
        on = table.in_service()
        table.complain(problems, "max_p_mw", on & (limit < 0), "at least 0 MW")
        said = [f"{a:.6g} MW with max_p_mw {b:.6g} MW" for a, b in zip(self.p_min_mw, self.p_max_mw, strict=True)]
        table.complain(problems, "min_p_mw", on & (self.p_min_mw > self.p_max_mw), "at most max_p_mw", said)
        table.complain(problems, "min_p_mw", on & committed & (self.p_min_mw < 0), "at least 0 MW for a committed unit")
        table.complain(problems, "p_mw", on & ~np.isfinite(self.p_mw), "finite")
        table.complain(problems, "units", on & (table.number("units", 1.0) < 1), "at least 1")
        for column in ("min_up_h", "min_down_h"):
            table.complain(problems, column, on & (table.number(column, 1.0) < 1), "at least 1 h")
        table.complain(problems, "start_cost", on & ~(self.start_cost >= 0), "at least 0")
        table.complain(problems, "no_load_cost", on & ~np.isfinite(self.no_load_cost), "finite")
        table.complain(problems, "ramp_mw_per_h", on & ~(self.ramp_mw_per_h > 0), "greater than 0 MW/h, or empty")
        bad = on & ~(np.isnan(self.band) | ((self.band >= 0) & (self.band <= 1)))
        table.complain(problems, "band_down", bad, "between 0 and 1, or empty")
        table.complain(problems, "profile_share", on & ~((self.share >= 0) & (self.share <= 1)), "between 0 and 1")
        table.complain(problems, "co2_t_per_mwh", on & (self.co2 < 0), "at least 0 t/MWh")


def _tech_of_type(kind: str) -> str:
    return TECH_OF_TYPE.get(kind.strip().lower(), "")
