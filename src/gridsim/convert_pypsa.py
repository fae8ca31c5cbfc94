"""PyPSA networks (CSV folder or netCDF) as scenario folders: the same grid, plants, stores and linear power flow.

Generators that are `committable` become units; others are always between their limits, as in PyPSA: a unit that must
run where its technology is coal, gas or nuclear, a source elsewhere. Capacities are `p_nom`, or `p_nom_opt` where the
network was expanded. Nothing is expanded here.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp

from gridsim.convert import Conversion
from gridsim.errors import InputError, Problem
from gridsim.generators import COMMITTED_TECHS
from gridsim.pypsa_grid import PypsaGrid
from gridsim.pypsa_tables import FloatArray, read_tables
from gridsim.schema import TECH_ORDER, WEATHER_TECHS

# What a carrier's name begins with or has as a later word, the first that fits; our own technologies keep their names
TECH_OF_CARRIER = (
    ("offwind", "wind_offshore"),
    ("offshore", "wind_offshore"),
    ("onwind", "wind_onshore"),
    ("wind", "wind_onshore"),
    ("solar thermal", "other"),
    ("solar", "pv"),
    ("photovoltaic", "pv"),
    ("phs", "pumped_hydro"),
    ("pumped", "pumped_hydro"),
    ("ror", "hydro"),
    ("hydro", "hydro"),
    ("reservoir", "hydro"),
    ("run of river", "hydro"),
    ("nuclear", "nuclear"),
    ("uranium", "nuclear"),
    ("coal", "coal"),
    ("lignite", "coal"),
    ("biomass", "biomass"),
    ("biogas", "biomass"),
    ("ccgt", "gas"),
    ("ocgt", "gas"),
    ("gas", "gas"),
    ("oil", "oil"),
    ("diesel", "oil"),
    ("battery", "battery"),
    ("h2", "hydrogen"),
)


def read_pypsa(source: Path) -> Conversion:
    """The network in the folder or file `source`. Raises InputError with every problem of it."""
    tables = read_tables(source)
    return _Writer(tables).write()


def tech_of(carrier: str) -> str:
    """Our technology of a carrier."""
    word = carrier.lower().replace("hydrogen", "h2").strip()
    if carrier in TECH_ORDER:
        return carrier
    return next((tech for part, tech in TECH_OF_CARRIER if word.startswith(part) or f" {part}" in word), "other")


class _Writer(PypsaGrid):
    """Fills what stands at buses, and puts the whole together."""

    def write(self) -> Conversion:
        self._calendar()
        self._buses()
        if self.problems:
            raise InputError(self.t.name, self.problems)
        self._lines()
        self._transformers()
        self._links()
        self._loads()
        self._generators()
        self._storage_units()
        self._stores()
        if self.problems:
            raise InputError(self.t.name, self.problems)
        self._references()
        self._rest()
        for (what, fate, how), count in self.said.items():
            self.out.say(what, count, fate, how)
        shed = max(20_000.0, 10.0 * self.dearest)
        self.out.sections["penalties"] = {"shed": shed, "spill": shed, "overload": 5.0 * shed}
        return self.out

    def _loads(self) -> None:
        static, at, sign = self.t.number("loads", "p_set", 0.0), self._at("loads"), self.t.number("loads", "sign", -1.0)
        for k, name, on in self._rows("loads"):
            bus = at[k]
            if bus is None:
                self.say("loads", "ignored", "at buses that are not electric")
                continue
            hourly = self._hourly("loads", "p_set", name)
            p_mw = -sign[k] * (np.array([static[k]]) if hourly is None else hourly)
            if hourly is None and p_mw[0] >= 0:
                pp.create_load(self.net, bus, float(p_mw[0]), name=name, in_service=on)
                self.say("loads", "used", "constant")
                continue
            p_mw = np.broadcast_to(p_mw, len(self.rows) // self.per_hour)
            if p_mw.max() > 0:
                index = pp.create_load(self.net, bus, float(p_mw.max()), name=name, in_service=on)
                self.net.load.loc[index, "profile"] = self._series(f"load/{name}", np.maximum(p_mw, 0.0), "MW")
                self.say("loads", "used", "by their series")
            if p_mw.min() < 0:
                given = np.maximum(-p_mw, 0.0)
                profile = self._series(f"availability/{name} given", given / given.max(), "1")
                self._source(f"{name} given", bus, "other", on, 0.0, float(given.max()), 0.0, profile, must_take=True)
                self.say("loads below 0", "used", "what they give, as a source that must be taken")

    def _generators(self) -> None:
        t, at = self.t, self._at("generators")
        nominal = self._nominal("generators", "p_nom")
        low, high = t.number("generators", "p_min_pu", 0.0), t.number("generators", "p_max_pu", 1.0)
        committable = t.flag("generators", "committable", False)
        carriers = t.text("generators", "carrier")
        if (t.number("generators", "sign", 1.0) != 1).any():
            self.problems.append(Problem("generators.sign", "must be 1: make a load of what consumes"))
        for k, name, on in self._rows("generators"):
            bus, p_nom = at[k], float(nominal[k])
            if bus is None:
                self.say("generators", "ignored", "at buses that are not electric")
                continue
            if p_nom <= 0 or not np.isfinite(p_nom):
                how = "no capacity" if p_nom <= 0 else "endless capacity: give p_nom a number"
                self.say("generators", "ignored", how)
                continue
            tech = tech_of(carriers[k])
            least = self._limit("generators", "p_min_pu", name, float(low[k]))
            most = self._limit("generators", "p_max_pu", name, float(high[k]))
            if np.any(np.asarray(least) > np.asarray(most) + 1e-9):
                self.problems.append(Problem(f"generators {name}", "must have p_min_pu at most p_max_pu"))
            elif committable[k] or (tech in COMMITTED_TECHS and np.all(np.asarray(least) >= 0)):
                self._unit(k, name, bus, tech, on, p_nom, least, most, bool(committable[k]))
            else:
                self._box(k, name, bus, tech, on, p_nom, least, most)
        for attribute in ("p_set", "p"):
            if ("generators", attribute) in t.series:
                self.say(f"generators-{attribute}", "ignored", "a dispatch of before: it is made anew")

    def _cost(self, k: int) -> tuple[float, float]:
        """Cost of a MWh, and of its square."""
        name = str(self.t.table("generators").index[k])
        linear = float(self.t.number("generators", "marginal_cost", 0.0)[k])
        hourly = self._hourly("generators", "marginal_cost", name)
        if hourly is not None:
            linear = float(hourly.mean())
            self.say("generators-marginal_cost", "approximated", "their mean: a cost is one number here")
        self.dearest = max(self.dearest, abs(linear))
        return linear, float(self.t.number("generators", "marginal_cost_quadratic", 0.0)[k])

    def _co2(self, k: int) -> float:
        """t of CO2 of a MWh: of the carrier, by the efficiency."""
        carriers, carrier = self.t.table("carriers"), self.t.text("generators", "carrier")[k]
        if carrier not in carriers.index or "co2_emissions" not in carriers:
            return 0.0
        efficiency = float(self.t.number("generators", "efficiency", 1.0)[k])
        hourly = self._hourly("generators", "efficiency", str(self.t.table("generators").index[k]))
        efficiency = efficiency if hourly is None else float(hourly.mean())
        rate = float(self.t.number("carriers", "co2_emissions", 0.0)[carriers.index.get_loc(carrier)])
        return max(rate, 0.0) / efficiency if efficiency > 0 else 0.0

    def _unit(
        self,
        k: int,
        name: str,
        bus: int,
        tech: str,
        on: bool,
        p_nom: float,
        least: FloatArray | float,
        most: FloatArray | float,
        committable: bool,
    ) -> None:
        """A committed unit, or one that is always on between its limits."""

        def given(column: str, default: float) -> float:
            return float(self.t.number("generators", column, default)[k])

        top = float(np.max(most)) * p_nom
        bottom = max(float(np.max(least) if committable else np.min(least)) * p_nom, 0.0)
        index = int(pp.create_gen(self.net, bus, bottom, name=name, min_p_mw=bottom, max_p_mw=top, in_service=on))
        gen = self.net.gen
        row: dict[str, Any] = {
            "tech": tech,
            "fuel": self.t.text("generators", "carrier")[k],
            "must_run": not committable,
            "co2_t_per_mwh": self._co2(k),
            "ramp_up_mw_per_h": given("ramp_limit_up", np.nan) * p_nom,
            "ramp_down_mw_per_h": given("ramp_limit_down", np.nan) * p_nom,
        }
        linear, square = self._cost(k)
        pp.create_poly_cost(self.net, index, "gen", linear, cp2_eur_per_mw2=square)
        if committable:
            row |= {
                "min_up_h": max(int(np.ceil(given("min_up_time", 0.0))), 1),
                "min_down_h": max(int(np.ceil(given("min_down_time", 0.0))), 1),
                "start_cost": given("start_up_cost", 0.0) + given("shut_down_cost", 0.0),
                "no_load_cost": given("stand_by_cost", 0.0),
                "start_ramp_mw": max(given("ramp_limit_start_up", 1.0) * p_nom, bottom),
                "stop_ramp_mw": max(given("ramp_limit_shut_down", 1.0) * p_nom, bottom),
            }
            how = "committed units: minimum times, start cost (with the cost of stopping), ramps"
            self.say("committable generators", "used", how)
            self.say("state before the first snapshot", "ignored", "chosen to cover the load")
            if isinstance(most, np.ndarray):
                available = (most > 0.5 * most.max()).astype(float)
                row["profile"] = self._series(f"availability/{name}", available, "1")
                self.say("generators-p_max_pu of committable ones", "approximated", "available above half of its peak")
            if isinstance(least, np.ndarray):
                self.say("generators-p_min_pu of committable ones", "approximated", "their largest value")
        else:
            for column, limit in (("heat_max_profile", most), ("heat_min_profile", least)):
                if isinstance(limit, np.ndarray):
                    row[column] = self._series(f"availability/{name} {column[5:8]}", limit * p_nom / top, "1")
            self.say("generators of coal, gas and nuclear", "used", "always on between their limits, as in PyPSA")
        for column, value in row.items():
            gen.loc[index, column] = value

    def _box(
        self,
        k: int,
        name: str,
        bus: int,
        tech: str,
        on: bool,
        p_nom: float,
        least: FloatArray | float,
        most: FloatArray | float,
    ) -> None:
        """A source between two limits; where its minimum is a series, a source that must be taken, and the rest."""
        linear, square = self._cost(k)
        co2 = self._co2(k)
        if square:
            self.say("quadratic costs of sources", "approximated", "the marginal cost at half of p_nom")
            linear += square * p_nom
        ways = [self.t.number("generators", f"ramp_limit_{way}", np.inf)[k] for way in ("up", "down")]
        ramp = float(min(ways))
        limits: dict[str, Any] = (
            {"ramp_up_mw_per_h": ramp * p_nom, "ramp_down_mw_per_h": ramp * p_nom} if np.isfinite(ramp) else {}
        )
        limits["co2_t_per_mwh"] = co2
        if isinstance(least, np.ndarray) and least.max() > 0:
            taken = np.maximum(least, 0.0) * p_nom
            profile = self._series(f"availability/{name} least", taken / taken.max(), "1")
            same = isinstance(most, np.ndarray) and bool(np.allclose(least, most, atol=1e-9))
            called = name if same else f"{name} least"
            self._source(called, bus, tech, on, 0.0, float(taken.max()), linear, profile, must_take=True, **limits)
            how = "what must be taken, as a row of its own"
            self.say("generators-p_min_pu", "used", how)
            if same:
                return
            most, least = np.asarray(most) - np.maximum(least, 0.0), 0.0
        if isinstance(least, np.ndarray):
            self.say("generators-p_min_pu below 0", "approximated", "their lowest value in every hour")
            least = float(least.min())
        if isinstance(most, np.ndarray):
            top = max(float(most.max()), 1e-9)
            profile = self._series(f"{_series_kind(tech)}/{name}", np.clip(most / top, 0.0, 1.0), "1")
            self._source(name, bus, tech, on, least * p_nom, top * p_nom, linear, profile, **limits)
            self.say("generators with p_max_pu", "used", "sources by their series; what is not taken is curtailed")
        else:
            self._source(name, bus, tech, on, least * p_nom, most * p_nom, linear, "", **limits)
            self.say("other generators", "used", "sources between constant limits")

    def _source(
        self,
        name: str,
        bus: int,
        tech: str,
        on: bool,
        low: float,
        high: float,
        cost: float,
        profile: str,
        *,
        must_take: bool = False,
        **columns: Any,
    ) -> None:
        index = int(
            pp.create_sgen(
                self.net,
                bus,
                0.0,
                name=name,
                min_p_mw=low,
                max_p_mw=high,
                controllable=True,
                in_service=on,
                tech=tech,
                profile=profile,
                curtailable=bool(profile) and not must_take,
                **columns,
            )
        )
        pp.create_poly_cost(self.net, index, "sgen", cost)

    def _storage_units(self) -> None:
        t, at, component = self.t, self._at("storage_units"), "storage_units"
        nominal = self._nominal(component, "p_nom")
        hours = t.number(component, "max_hours", 1.0)
        low, high = t.number(component, "p_min_pu", -1.0), t.number(component, "p_max_pu", 1.0)
        carriers = t.text(component, "carrier")
        start, inflow = t.number(component, "state_of_charge_initial", 0.0), t.number(component, "inflow", 0.0)
        cyclic = t.flag(component, "cyclic_state_of_charge", False)
        eta = {way: t.number(component, f"efficiency_{way}", 1.0) for way in ("store", "dispatch")}
        loss, cost = t.number(component, "standing_loss", 0.0), t.number(component, "marginal_cost", 0.0)
        for k, name, on in self._rows(component):
            bus, p_nom = at[k], float(nominal[k])
            if bus is None or p_nom <= 0:
                self.say(component, "ignored", "at buses that are not electric" if bus is None else "no capacity")
                continue
            hourly = self._hourly(component, "inflow", name)
            flow = hourly if hourly is not None else np.full(len(self.rows) // self.per_hour, inflow[k])
            profile = self._series(f"inflow/{name}", np.maximum(flow, 0.0), "MW") if flow.max() > 0 else ""
            tech = tech_of(carriers[k])
            self._store(
                name, bus, tech if tech != "other" else "battery", on,
                energy=p_nom * float(hours[k]), charge=-float(low[k]) * p_nom, discharge=float(high[k]) * p_nom,
                start=float(start[k]), cyclic=bool(cyclic[k]), eta_charge=float(eta["store"][k]),
                eta_discharge=float(eta["dispatch"][k]), loss_per_h=float(loss[k]), discharge_cost=float(cost[k]),
                inflow_profile=profile,
            )  # fmt: skip
            self.say(component, "used", "stores: power, energy, efficiencies, standing loss, cost of discharging")
            if profile:
                self.say(f"{component}-inflow", "used", "natural inflow")

    def _stores(self) -> None:
        t, at, component = self.t, self._at("stores"), "stores"
        energy = self._nominal(component, "e_nom")
        low, high = t.number(component, "e_min_pu", 0.0), t.number(component, "e_max_pu", 1.0)
        start, cyclic = t.number(component, "e_initial", 0.0), t.flag(component, "e_cyclic", False)
        loss, carriers = t.number(component, "standing_loss", 0.0), t.text(component, "carrier")
        for k, name, on in self._rows(component):
            bus, e_nom = at[k], float(energy[k] * high[k])
            if bus is None or e_nom <= 0 or not np.isfinite(e_nom):
                self.say(component, "ignored", "at buses that are not electric" if bus is None else "no capacity")
                continue
            tech = tech_of(carriers[k])
            self._store(
                name, bus, tech if tech != "other" else "battery", on, energy=e_nom, charge=e_nom, discharge=e_nom,
                start=float(start[k]), cyclic=bool(cyclic[k]), least=float(low[k] * energy[k]),
                loss_per_h=float(loss[k]), eta_charge=1.0, eta_discharge=1.0, discharge_cost=0.0, inflow_profile="",
            )  # fmt: skip
            self.say(component, "approximated", "stores that fill or empty within an hour: they have no power limit")

    def _store(
        self,
        name: str,
        bus: int,
        tech: str,
        on: bool,
        *,
        energy: float,
        charge: float,
        discharge: float,
        start: float,
        cyclic: bool,
        least: float = 0.0,
        **columns: Any,
    ) -> None:
        if cyclic and start <= 0:
            start = 0.5 * (least + energy)
            self.say("start of cyclic stores", "approximated", "half full: PyPSA chooses it")
        start = min(max(start, least), energy)
        pp.create_storage(
            self.net,
            bus,
            0.0,
            energy,
            soc_percent=100.0 * start / energy if energy > 0 else 0.0,
            min_e_mwh=least,
            name=name,
            max_p_mw=max(charge, 0.0),
            min_p_mw=-max(discharge, 0.0),
            in_service=on,
            controllable=True,
            tech=tech,
            end_rule="cyclic" if cyclic else "free",
            **columns,
        )
        how = "as full at the end of the horizon as at its start" if cyclic else "free at the end"
        self.say("ends of stores", "used", how)

    def _rest(self) -> None:
        for name, table in self.t.static.items():
            if name == "global_constraints":
                self.out.say(name, len(table), "ignored", "write a [[budget]] for a limit on CO2 or energy")
            elif name in ("shunt_impedances", "processes"):
                self.out.say(name, len(table), "ignored", "no place in a DC dispatch")


def _series_kind(tech: str) -> str:
    return tech if tech in WEATHER_TECHS else "availability"
