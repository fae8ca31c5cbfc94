"""Rows of ext_grid, gen and sgen: which are committed units, which are sources, on which data and defaults."""

from typing import Any

import numpy as np

from gridsim.costs import Curve, RawCost, curve
from gridsim.element_rows import RowWriter, SourceSpec, UnitSpec, tech_of_type
from gridsim.errors import Problem
from gridsim.nettable import BoolArray, NetTable
from gridsim.schema import CLEAN_TECHS, WEATHER_TECHS
from gridsim.unit_limits import UnitLimits, say_limits

COMMITTED_TECHS = frozenset({"coal", "gas", "nuclear"})
# currency/MWh where a net gives no cost. Assumed: they only order the techs (cheap to dear) in a sensible way.
DEFAULT_COST = {
    "wind_offshore": 0.0,
    "wind_onshore": 0.0,
    "pv": 0.0,
    "hydro": 0.0,
    "nuclear": 100.0,
    "import": 300.0,
    "exchange": 0.0,
    "coal": 300.0,
    "biomass": 450.0,
    "gas": 550.0,
    "external": 600.0,
}
_DEFAULT_COST_OTHER = 400.0


class GeneratorReader(RowWriter):
    """Fills units and sources from one table at a time."""

    def read(self, element: str) -> None:
        table = NetTable(self.net, element)
        if not table.n:
            return
        placed = self.placed(table)
        data = GeneratorData(table, self.out.problems)
        for i, bus_row in enumerate(placed):
            if bus_row is None:
                continue
            empty = data.p_max_mw[i] == 0 and not data.p_min_mw[i] < 0
            if empty and element == "ext_grid":
                self.note(table, i, "ignored", "it gives nothing: the reference of its island")
                continue
            self.out.techs.add(data.tech[i])
            factor = float(self.factor(data.tech[i]))
            self.out.factors[table.names[i]] = factor
            said: list[str] = []
            if factor == 0:
                self.note(table, i, "ignored", f"scaled to 0 by the scenario (tech {data.tech[i]})")
                continue
            if element == "sgen" and data.consumes[i]:
                p_mw = -float(data.p_mw[i]) * factor
                self.consume(table, i, bus_row, p_mw, f"constant consumption of {p_mw:.6g} MW (p_mw is negative)")
                continue
            if empty:
                self.note(table, i, "ignored", "its capacity is 0 MW")
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

    def _cost(self, table: NetTable, i: int, data: "GeneratorData", said: list[str]) -> Curve:
        low, high = max(float(data.p_min_mw[i]), 0.0), max(float(data.p_max_mw[i]), 0.0)
        raw = self.costs.get((table.element, table.index[i]))
        if raw is None:
            takes = float(data.p_max_mw[i]) <= 0.0  # and gives nothing: what it takes is paid for by who gives it
            price = 0.0 if takes else DEFAULT_COST.get(data.tech[i], _DEFAULT_COST_OTHER)
            said.append(f"no cost entry: {price:g} per MWh assumed for tech {data.tech[i]}")
            raw = RawCost(0.0, price, 0.0, ())
        elif raw.c0 != 0 and data.no_load_cost[i] != 0:
            where = f"{table.element}.no_load_cost"
            text = f"must be 0 where poly_cost gives cp0_eur: {table.element} {table.label(i)} has both"
            self.out.problems.append(Problem(where, text))
        finite_high = high if np.isfinite(high) else low + 1.0
        return curve(raw, min(low, finite_high), finite_high)

    def _is_unit(self, table: NetTable, i: int, data: "GeneratorData", cost: Curve) -> bool:
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
        data: "GeneratorData",
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
        limits = data.limits
        if not np.isfinite(data.co2[i]):
            said.append("co2_t_per_mwh unknown: 0")
        row = self.row(table, i, bus_row)
        row |= {
            "tech": data.tech[i],
            "fuel": data.fuel[i] or data.tech[i],
            "units": n,
            "p_min_mw": float(data.p_min_mw[i]) * factor / n,
            "p_max_mw": float(data.p_max_mw[i]) * factor / n,
            "min_up_h": int(data.min_up_h[i]),
            "min_down_h": int(data.min_down_h[i]),
            "start_cost": limits.start_costs[i][0] * factor,
            "no_load_cost": (float(data.no_load_cost[i]) + cost.no_load / n) * factor,
            "co2_t_per_mwh": float(np.nan_to_num(data.co2[i])),
            "co2_no_load_t_per_h": float(data.co2_no_load[i]) * factor,
            "must_run": must_run,
            "reserve_up": bool(data.reserve_up_unit[i]),
            "reserve_down": bool(data.reserve_down_unit[i]),
            "initial_on": 0,  # set by `assemble`
            **limits.columns(i, factor),
        }
        ramp = min(row["ramp_up_mw_per_h"], row["ramp_down_mw_per_h"])
        if (data.heat_min[i] or data.heat_max[i]) and np.isfinite(ramp):
            # they are as wide as its range, which shorter steps would cut; heat moves its limits by the hour
            row |= {"ramp_up_mw_per_h": np.inf, "ramp_down_mw_per_h": np.inf}
            said.append("ramps, as wide as its range, not enforced within an hour")
        self.out.units.append(row)
        spec = UnitSpec(
            profile=data.profile[i],
            min_cost=cost.min_cost,
            seg_mw=tuple(w * factor / n for w in cost.seg_mw),
            seg_cost=cost.seg_cost,
            start_lag_h=limits.start_lags[i],
            start_cost=tuple(c * factor for c in limits.start_costs[i]),
            response_mw_per_min=float(limits.response[i]) * factor,
            initial_on=int(limits.initial_on[i]) if np.isfinite(limits.initial_on[i]) else None,
            heat_min_profile=data.heat_min[i],
            heat_max_profile=data.heat_max[i],
        )
        self.out.unit_specs.append(spec)
        said += say_limits(row, spec)
        what = f"committed row of {n} unit{'s' if n > 1 else ''} ({data.tech[i]})"
        if data.profile[i]:
            what += f", available by profile '{data.profile[i]}'"
        for end, given in (("least", data.heat_min[i]), ("most", data.heat_max[i])):
            if given:
                said.append(f"{end} output by heat, profile '{given}'")
        self.note(table, i, "used", "; ".join([what, *said]))

    def _append_generator_source(
        self,
        table: NetTable,
        i: int,
        bus_row: int,
        data: "GeneratorData",
        cost: Curve,
        factor: float,
        said: list[str],
    ) -> None:
        curtailable = bool(data.curtailable[i])
        low, high = float(data.p_min_mw[i]) * factor, float(data.p_max_mw[i]) * factor
        up, down = (float(ramp[i]) * factor for ramp in (data.limits.ramp_up, data.limits.ramp_down))
        ramp = min(up, down)
        price = cost.mean_cost
        if len(set(cost.seg_cost)) > 1:
            said.append(f"cost curve replaced by its mean {price:.6g} per MWh: a source has one price")
        if cost.no_load != 0:
            said.append("its fixed cost per hour is left out: a source has one price")
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
        if curtailable:
            spec.export_limit_mw = float(data.export_limit[i]) * factor  # twice the farm comes with twice the cable
            spec.reverse_limit_mw = float(data.reverse_limit[i])  # what the grid takes stays
            spec.export_profile = data.export_profile[i]
            if np.isfinite(spec.export_limit_mw):
                by = f", by profile '{spec.export_profile}'" if spec.export_profile else ""
                said.append(f"its connection takes at most {spec.export_limit_mw:.6g} MW{by}")
            if np.isfinite(spec.reverse_limit_mw):
                said.append(f"at most {spec.reverse_limit_mw:.6g} MW beyond the load at its bus")
        if curtailable and np.isfinite(ramp):
            said.append("ramp limit not enforced: what is available may change faster")
            ramp = up = down = np.inf
        elif np.isfinite(ramp):
            why = "" if up == down else f", the smaller of {up:.6g} up and {down:.6g} down"
            said.append(f"moves at most {ramp:.6g} MW/h{why}")
        idle = data.limits.of_units_only(i)
        if idle:
            said.append(f"{', '.join(idle)} without effect: it is no committed unit")
        row = self.row(table, i, bus_row)
        self.append_source(
            row,
            data.tech[i],
            high,
            price,
            spec,
            ramp_mw_per_h=ramp,
            ramp_up_mw_per_h=up,
            ramp_down_mw_per_h=down,
            curtailable=curtailable,
            reserve_up=bool(data.reserve_up_source[i]),
            reserve_down=bool(data.reserve_down_source[i]),
            co2_t_per_mwh=float(np.nan_to_num(data.co2[i])),
            origin_co2_t_per_mwh=float(data.origin_co2[i]),
            clean_share=float(data.clean_share[i]),
        )
        self.note(table, i, "used", "; ".join([f"{what} ({data.tech[i]})", *said]))


class GeneratorData:
    """The columns of ext_grid, gen or sgen with their defaults, checked."""

    def __init__(self, table: NetTable, problems: list[Problem]):
        element = table.element
        kinds, given = table.text("type"), table.text("tech")
        fallback = "external" if element == "ext_grid" else "other"
        self.tech = [t or tech_of_type(k) or fallback for t, k in zip(given, kinds, strict=True)]
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
        self.no_load_cost = table.number("no_load_cost", 0.0)
        self.limits = UnitLimits(table, np.maximum(self.units, 1), self.p_min_mw, self.p_max_mw)
        self.must_run = table.flag("must_run", False)
        self.co2, self.co2_no_load = table.number("co2_t_per_mwh"), table.number("co2_no_load_t_per_h", 0.0)
        self.origin_co2 = table.number("origin_co2_t_per_mwh", 0.0)
        by_tech = np.array([float(t in CLEAN_TECHS) for t in self.tech])
        clean = table.number("clean_share")
        self.clean_share = np.where(np.isnan(clean), by_tech, clean)
        renewable = np.array([t in WEATHER_TECHS for t in self.tech], dtype=bool)
        self.curtailable = table.flag("curtailable", renewable)
        self.band = table.number("band_down")
        self.export_limit, self.reverse_limit = (table.number(f"{k}_limit_mw", np.inf) for k in ("export", "reverse"))
        self.export_profile = table.text("export_profile")
        self.heat_min, self.heat_max = (table.text(f"heat_{end}_profile") for end in ("min", "max"))
        self.reserve_up_unit, self.reserve_down_unit = table.flag("reserve_up", True), table.flag("reserve_down", True)
        self.reserve_up_source = table.flag("reserve_up", False)
        self.reserve_down_source = table.flag("reserve_down", False)
        boxes = np.array([t in WEATHER_TECHS or t in ("import", "exchange") for t in self.tech], dtype=bool)
        self.commitment = ~boxes & (
            (self.min_up_h > 1)
            | (self.min_down_h > 1)
            | self.limits.commit
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
        open_ended = on & committed & ~np.isfinite(self.p_max_mw)
        table.complain(problems, "max_p_mw", open_ended, "finite for a committed unit", list(self.p_max_mw))
        table.complain(problems, "units", on & (table.number("units", 1.0) < 1), "at least 1")
        for column in ("min_up_h", "min_down_h"):
            table.complain(problems, column, on & (table.number(column, 1.0) < 1), "at least 1 h")
        table.complain(problems, "no_load_cost", on & ~np.isfinite(self.no_load_cost), "finite")
        self.limits.check(table, problems)
        bad = on & ~(np.isnan(self.band) | ((self.band >= 0) & (self.band <= 1)))
        table.complain(problems, "band_down", bad, "between 0 and 1, or empty")
        for column, limit_mw in (("export_limit_mw", self.export_limit), ("reverse_limit_mw", self.reverse_limit)):
            given = np.isfinite(limit_mw)
            table.complain(problems, column, on & given & ~self.curtailable, "empty, or the row curtailable")
            table.complain(problems, column, on & given & (limit_mw < 0), "at least 0 MW")
        alone = np.array([bool(name) for name in self.export_profile], dtype=bool) & ~np.isfinite(self.export_limit)
        table.complain(problems, "export_profile", on & alone, "empty where there is no export_limit_mw")
        for end, names in (("min", self.heat_min), ("max", self.heat_max)):
            heat = on & np.array([bool(name) for name in names], dtype=bool)
            rule = "empty, or the row must-run: heat keeps its units on"
            table.complain(problems, f"heat_{end}_profile", heat & ~self.must_run, rule)
            bound = np.minimum(self.limits.ramp_up, self.limits.ramp_down) < self.p_max_mw - self.p_min_mw
            rule = "empty, or the ramps of the row as wide as its range: heat moves its limits by the hour"
            table.complain(problems, f"heat_{end}_profile", heat & self.must_run & bound, rule)
        table.complain(problems, "profile_share", on & ~((self.share >= 0) & (self.share <= 1)), "between 0 and 1")
        table.complain(problems, "co2_t_per_mwh", on & (self.co2 < 0), "at least 0 t/MWh")
        table.complain(problems, "origin_co2_t_per_mwh", on & ~(self.origin_co2 >= 0), "at least 0 t/MWh")
        wrong = on & ~((self.clean_share >= 0) & (self.clean_share <= 1))
        table.complain(problems, "clean_share", wrong, "between 0 and 1, or empty")
