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
from typing import Any

import numpy as np

from gridsim.costs import RawCost
from gridsim.element_rows import Elements, LoadSpec, RowWriter, StoreSpec, tech_of_type
from gridsim.fixed import FIXED_ELEMENTS, fixed_power_mw
from gridsim.generators import GeneratorReader
from gridsim.kernels.jit import FloatArray
from gridsim.nettable import BoolArray, NetTable
from gridsim.networks.columns import END_RULES, columns_of
from gridsim.topology import Topology


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
    out = Elements()
    reader = _Reader(net, topology, costs, factor, out)
    reader.read_loads()
    for element in FIXED_ELEMENTS:
        reader.read_fixed(element)
    generators = GeneratorReader(net, topology, costs, factor, out)
    for element in ("ext_grid", "gen", "sgen"):
        generators.read(element)
    reader.read_storages()
    reader.read_dclines()
    return out


class _Reader(RowWriter):
    """Loads and what behaves like one, stores, DC lines."""

    def read_loads(self) -> None:
        table = NetTable(self.net, "load")
        placed = self.placed(table)
        p_mw, scaling = table.number("p_mw"), table.number("scaling", 1.0)
        table.complain(self.out.problems, "p_mw", table.in_service() & ~np.isfinite(p_mw), "a finite number of MW")
        table.complain(self.out.problems, "scaling", ~np.isfinite(scaling), "finite")
        profile, share = table.text("profile"), table.number("profile_share", 1.0)
        table.complain(self.out.problems, "profile_share", ~((share >= 0) & (share <= 1)), "between 0 and 1")
        flexible, component = table.flag("controllable", False), table.text("component")
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
                self.out.loads.append(self.row(table, i, bus_row) | {"component": component[i]})
                self.out.load_specs.append(spec)
                self.note(table, i, "used", why)
            else:
                self.consume(table, i, bus_row, float(p_mw[i] * scaling[i]), why, component[i])

    def read_fixed(self, element: str) -> None:
        table = NetTable(self.net, element)
        p_mw, formula = fixed_power_mw(self.net, table)
        for i, bus_row in enumerate(self.placed(table)):
            if bus_row is not None:
                self.consume(table, i, bus_row, float(p_mw[i]), f"constant load of {p_mw[i]:.6g} MW: {formula}")

    # --- stores

    def read_storages(self) -> None:
        table = NetTable(self.net, "storage")
        if not table.n:
            return
        placed = self.placed(table)
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
        table.complain(problems, "end_rule", bad, f"one of {', '.join(END_RULES)}")
        bad = active & np.array([r == "cyclic" for r in rule], dtype=bool) & (np.abs(e_end - e_start) > 1e-6)
        said = [f"{a:.6g} MWh with a start of {b:.6g} MWh" for a, b in zip(e_end, e_start, strict=True)]
        table.complain(problems, "e_end_mwh", bad, "empty, or the start, where end_rule is cyclic", said)
        bad = active & ~((e_end >= e_min - 1e-9) & (e_end <= e_max + 1e-9)) & (e_min <= e_max)
        table.complain(problems, "e_end_mwh", bad, "between min_e_mwh and max_e_mwh", list(e_end))
        for column in ("charge_cost", "discharge_cost", "end_value"):
            bad = active & ~np.isfinite(table.number(column, 0.0))
            table.complain(problems, column, bad, "finite")
        start_cost = table.number("start_cost", 0.0)
        table.complain(problems, "start_cost", active & ~(start_cost >= 0), "at least 0")
        tech, kinds = table.text("tech"), table.text("type")
        charge_cost, discharge_cost = table.number("charge_cost", 0.0), table.number("discharge_cost", 0.0)
        units = np.maximum(table.whole("units", 1), 1)
        least_charge = self._least_power(table, "min_charge_mw", active, charge / units)
        least_discharge = self._least_power(table, "min_discharge_mw", active, discharge / units)
        inflow, share = table.text("inflow_profile"), table.number("profile_share", 1.0)
        for way, least in (("charge", least_charge), ("discharge", least_discharge)):
            both = active & (least > 0) & np.array([bool(name) for name in table.text(f"{way}_profile")], dtype=bool)
            said_empty = f"empty where there is a least power to {way} with: units are counted at their whole power"
            table.complain(problems, f"{way}_profile", both, said_empty)
        of_demand = table.number("demand_share", 1.0)
        for column, part in (("profile_share", share), ("demand_share", of_demand)):
            table.complain(problems, column, active & ~((part >= 0) & (part <= 1)), "between 0 and 1")
        notice = table.number("notice_h", 0.0)
        table.complain(
            problems, "notice_h", active & ~(np.isfinite(notice) & (notice >= 0)), "at least 0 h", list(notice)
        )
        beside = table.text("beside")
        hourly = {name: table.text(f"{name}_profile") for name in ("demand", "charge", "discharge", "min_e")}
        for i, bus_row in enumerate(placed):
            if bus_row is None:
                continue
            if not steered[i]:
                self.consume(table, i, bus_row, float(p_mw[i]), f"constant {p_mw[i]:.6g} MW (controllable is False)")
                continue
            kind = tech[i] or tech_of_type(kinds[i]) or "battery"
            self.out.techs.add(kind)
            factor = float(self.factor(kind)) * self.out.factors.get(beside[i], 1.0)  # what it moves is larger, too
            if factor == 0 or e_max[i] <= 0 or max(charge[i], discharge[i]) <= 0:
                what = f"what it stands beside, {beside[i]}" if self.factor(kind) else f"tech {kind}"
                why = f"scaled to 0 by the scenario ({what})" if factor == 0 else "no energy or power capacity"
                self.note(table, i, "ignored", why)
                continue
            said = [f"store ({kind})"]
            if not table.has("eta_charge") or not table.has("eta_discharge"):
                said.append(f"efficiencies not given: {eta_c[i]:g} in, {eta_d[i]:g} out")
            if ("storage", table.index[i]) in self.costs:
                said.append("its cost entry has no effect: use charge_cost and discharge_cost")
            for power, does in ((least_charge[i], "charges"), (least_discharge[i], "discharges")):
                if power > 0:
                    said.append(f"a unit that {does} does so with at least {power * factor:.6g} MW")
            if start_cost[i] > 0:
                said.append(f"a start of a unit costs {start_cost[i] * factor:.6g}")
            if inflow[i]:
                said.append(f"inflow by profile '{inflow[i]}'")
            said += [f"{name.replace('_', ' ')} by profile '{given[i]}'" for name, given in hourly.items() if given[i]]
            if beside[i]:
                said.append(f"with {beside[i]} together within its ramp limit")
            if rule[i] == "cyclic":
                said.append("at the end of the horizon as at its start")
            row = self.row(table, i, bus_row)
            row |= {
                "tech": kind,
                "p_charge_max_mw": float(charge[i]) * factor,
                "p_discharge_max_mw": float(discharge[i]) * factor,
                "p_charge_min_mw": float(least_charge[i]) * factor,
                "p_discharge_min_mw": float(least_discharge[i]) * factor,
                "units": int(units[i]),
                "start_cost": float(start_cost[i]) * factor,
                "e_min_mwh": float(e_min[i]) * factor,
                "e_max_mwh": float(e_max[i]) * factor,
                "e_start_mwh": float(e_start[i]) * factor,
                "eta_charge": float(eta_c[i]),
                "eta_discharge": float(eta_d[i]),
                "loss_per_h": float(loss[i]),
                "charge_cost": float(charge_cost[i]),
                "discharge_cost": float(discharge_cost[i]),
                "end_rule": rule[i],
                "e_end_mwh": float(e_end[i]) * factor,
                "end_value": float(end_value[i]),
            }
            self.out.stores.append(row)
            self.out.store_specs.append(
                StoreSpec(
                    inflow[i], float(share[i]), factor, hourly["demand"][i], float(of_demand[i]), hourly["charge"][i],
                    hourly["discharge"][i], hourly["min_e"][i], float(notice[i]), beside[i],
                )
            )  # fmt: skip
            self.note(table, i, "used", "; ".join(said))

    def _least_power(self, table: NetTable, column: str, active: BoolArray, most_mw: FloatArray) -> FloatArray:
        """Least power of one unit in one direction, checked against the most. [MW]"""
        least = table.number(column, 0.0)
        said = [f"{a:.6g} MW with at most {b:.6g} MW a unit" for a, b in zip(least, most_mw, strict=True)]
        bad = active & ~((least >= 0) & (least <= most_mw * (1 + 1e-9)))
        table.complain(self.out.problems, column, bad, "from 0 to the power limit of one unit", said)
        return least

    # --- DC lines

    def read_dclines(self) -> None:
        table = NetTable(self.net, "dcline")
        if not table.n:
            return
        begins, ends = self.placed(table, "from_bus"), self.placed_quietly(table, "to_bus")
        p_mw = table.number("p_mw", 0.0)
        steered = table.flag("controllable", columns_of("dcline")["controllable"].default)
        p_max = table.number("max_p_mw", np.abs(p_mw))
        p_min = table.number("min_p_mw", 0.0)
        table.complain(self.out.problems, "max_p_mw", ~(p_max >= 0), "at least 0 MW", list(p_max))
        said_both = [f"{a:.6g} MW with max_p_mw {b:.6g} MW" for a, b in zip(p_min, p_max, strict=True)]
        table.complain(self.out.problems, "min_p_mw", steered & ~(p_min <= p_max), "at most max_p_mw", said_both)
        loss_mw, loss_percent = table.number("loss_mw", 0.0), table.number("loss_percent", 0.0)
        bad = steered & ~((loss_percent >= 0) & (loss_percent < 100))
        table.complain(self.out.problems, "loss_percent", bad, "at least 0 and less than 100 %")
        bad = steered & ~((loss_mw >= 0) & np.isfinite(loss_mw))
        table.complain(self.out.problems, "loss_mw", bad, "at least 0 MW")
        for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            if begin is None:
                continue
            if end is None:
                self.note(table, i, "ignored", "its to_bus is out of service")
                continue
            if steered[i]:
                row = self.row(table, i, begin) | {"to_row": end, "p_min_mw": p_min[i], "p_max_mw": p_max[i]}
                why = self._steer(row, loss_percent[i])
                if loss_mw[i]:
                    self.consume(table, i, end, float(loss_mw[i]), why)
                    self.out.notes.pop()
                    why += f"; a constant loss of {loss_mw[i]:g} MW is load at to_bus"
                self.note(table, i, "used", why)
                continue
            # pandapower: p_mw leaves from_bus; to_bus receives it less the losses; a negative p_mw flows back
            delivered = p_mw[i] - loss_mw[i] - abs(p_mw[i]) * loss_percent[i] / 100.0 if p_mw[i] else 0.0
            why = f"fixed transfer: {p_mw[i]:.6g} MW taken at from_bus, {delivered:.6g} MW delivered at to_bus"
            self.consume(table, i, begin, float(p_mw[i]), why)
            if delivered:
                before = len(self.out.notes)
                self.consume(table, i, end, -float(delivered), why)
                del self.out.notes[before:]  # one note for the pair

    def _steer(self, row: dict[str, Any], loss_percent: float) -> str:
        """Add the rows of a dispatched dcline; in words. `row` has its limits, from `bus_row` to `to_row`."""
        begin, end, least, most = row["bus_row"], row["to_row"], row["p_min_mw"], row["p_max_mw"]
        same = {k: row[k] for k in ("name", "element", "element_index")} | {"loss_share": loss_percent / 100.0}
        ahead = same | {"from_row": begin, "to_row": end, "p_min_mw": least, "p_max_mw": most, "way": 1}
        said = f"DC link dispatched between {least:.6g} and {most:.6g} MW"
        if not loss_percent:
            self.out.links.append(ahead)
            return said
        if least >= 0 or most > 0:
            self.out.links.append(ahead | {"p_min_mw": max(least, 0.0)})
        if least < 0:
            back = {"name": f"{row['name']}, back", "from_row": end, "to_row": begin, "way": -1}
            self.out.links.append(same | back | {"p_min_mw": 0.0, "p_max_mw": -least})
        return f"{said}, {loss_percent:g} % of it lost on the way"
