"""PyPSA networks (CSV folder or netCDF) as scenario folders: the same grid, plants, stores and linear power flow.

Generators that are `committable` become units; others are always between their limits, as in PyPSA: a unit that must
run where its technology is coal, gas or nuclear, a source elsewhere. Capacities are `p_nom`, or `p_nom_opt` where the
network was expanded. Nothing is expanded here.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
from numpy.typing import NDArray

from gridsim.convert import Conversion
from gridsim.convert_net import Branch, add_branch, add_reference, empty_net
from gridsim.errors import InputError, Problem
from gridsim.generators import COMMITTED_TECHS
from gridsim.kernels.network import label_islands
from gridsim.networks.columns import TECHS
from gridsim.pypsa_tables import Tables, read_tables

FloatArray = NDArray[np.float64]
BASE_MVA, ENDLESS_MW = 100.0, 99_999.0
ELECTRIC = ("", "ac", "dc", "electricity", "low voltage", "battery", "home battery")  # carriers of buses
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
    if carrier in TECHS:
        return carrier
    return next((tech for part, tech in TECH_OF_CARRIER if word.startswith(part) or f" {part}" in word), "other")


class _Writer:
    """Carries what the steps of a conversion share."""

    def __init__(self, tables: Tables):
        self.t = tables
        self.problems: list[Problem] = []
        self.net = empty_net(tables.name, BASE_MVA, f_hz=50.0)
        self.out = Conversion(tables.name, self.net, 2024, {})
        self.said: Counter[tuple[str, str, str]] = Counter()
        self.bus: dict[str, int] = {}
        self.ends: list[tuple[int, int]] = []
        self.dearest = 0.0

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

    def say(self, what: str, fate: str, how: str) -> None:
        """One more of a kind, for the report."""
        self.said[what, fate, how] += 1

    # --- time

    def _calendar(self) -> None:
        """Snapshots as hours of a year: longer ones are repeated, shorter ones become means."""
        labels, n = self.t.snapshots, len(self.t.snapshots)
        self.rows = np.arange(n)  # the snapshot of each hour; with `per_hour` more than 1, of each part of it
        self.per_hour = 1
        times = pd.to_datetime(pd.Series([str(v) for v in labels]), errors="coerce", format="ISO8601")
        if times.isna().any():
            if n > 1:
                self.problems.append(Problem("snapshots", f"must be times: {labels[0]!r} is none"))
            self._horizon(np.datetime64("2024-01-01T00", "h"), 1)
            self.say("snapshot without a time", "used", "one hour, called the first of 2024")
            return
        stamps = times.to_numpy().astype("datetime64[s]")
        steps = np.unique(np.diff(stamps).astype(np.int64))
        step_s = int(steps[0]) if len(steps) else 3600
        if len(steps) > 1 or step_s <= 0 or (step_s % 3600 and 3600 % step_s):
            said = "must step evenly by whole hours, or by a whole part of one"
            self.problems.append(Problem("snapshots", said))
            return
        if not np.allclose(self.t.weightings, step_s / 3600, rtol=1e-6):
            rule = f"must have weightings of {step_s / 3600:g} h, their distance: no representative periods"
            self.problems.append(Problem("snapshots", rule))
        if step_s > 3600:
            self.rows = np.repeat(self.rows, step_s // 3600)
            self.say("snapshots", "approximated", f"{n} of {step_s // 3600} h each, their values in every hour")
        elif step_s < 3600:
            self.per_hour = 3600 // step_s
            self.rows = self.rows[: n // self.per_hour * self.per_hour]
            self.say("snapshots", "approximated", f"{n} of {step_s / 60:g} min each, as hourly means")
        else:
            self.say("snapshots", "used", f"{n} hours from {stamps[0]}, as they are written (by convention UTC)")
        hours = len(self.rows) // self.per_hour
        first, last = stamps[0], stamps[0] + np.timedelta64(3600 * hours - 1, "s")
        if first.astype("datetime64[Y]") != last.astype("datetime64[Y]"):
            self.problems.append(Problem("snapshots", f"must lie in one year: {first} to {last}"))
        if (stamps[0].astype(np.int64)) % 3600:
            self.problems.append(Problem("snapshots", f"must begin at a whole hour: the first is {first}"))
        self._horizon(first.astype("datetime64[h]"), hours)

    def _horizon(self, first: np.datetime64, hours: int) -> None:
        out = self.out
        out.first_hour, out.year = first, int(str(first)[:4])
        window = min(hours, 48)
        start = first.astype("datetime64[s]").item()
        out.horizon = {"start": start, "hours": hours, "window_h": window, "step_h": window if hours <= 48 else 24}

    def _hourly(self, component: str, attribute: str, name: str) -> FloatArray | None:
        """A series by the hour."""
        found = self.t.hourly(component, attribute, name)
        if found is None:
            return None
        if not np.isfinite(found).all():
            self.problems.append(Problem(f"{component}-{attribute} {name}", "must be finite numbers in every snapshot"))
            found = np.nan_to_num(found)
        return found[self.rows].reshape(-1, self.per_hour).mean(axis=1)

    def _limit(self, component: str, attribute: str, name: str, static: float) -> FloatArray | float:
        """A p.u. limit: a series if it changes, else a number."""
        found = self._hourly(component, attribute, name)
        if found is None:
            return static
        return float(found[0]) if np.ptp(found) < 1e-9 else found

    def _series(self, name: str, values: FloatArray, unit: str) -> str:
        self.out.series[name], self.out.units[name] = values, unit
        return name

    # --- grid

    def _buses(self) -> None:
        t, names = self.t, [str(v) for v in self.t.table("buses").index]
        carriers = [c.lower() for c in t.text("buses", "carrier")]
        v_nom = t.number("buses", "v_nom", 1.0)
        x, y = t.number("buses", "x", 0.0), t.number("buses", "y", 0.0)
        zones = t.text("buses", "country")
        self.is_dc: set[int] = set()
        for k, name in enumerate(names):
            if carriers[k] not in ELECTRIC:
                self.say(f"buses of {carriers[k]}", "ignored", "not electric, with all that stands at them")
                continue
            vn_kv = float(v_nom[k]) if v_nom[k] > 0 else 1.0
            geo = (float(x[k]), float(y[k]))
            self.bus[name] = int(pp.create_bus(self.net, vn_kv, name=name, zone=zones[k], geodata=geo))
            if carriers[k] == "dc":
                self.is_dc.add(self.bus[name])
            self.say("buses", "used", "buses; zone by country")
        if not self.bus:
            self.problems.append(Problem("buses", f"must have one of carrier {', '.join(filter(None, ELECTRIC))}"))
        if "v_mag_pu_set" in t.table("buses") or "q_set" in t.table("loads"):
            self.say("voltages and reactive power", "ignored", "a DC model has none")

    def _at(self, component: str, column: str = "bus") -> list[int | None]:
        """Bus of every row; None where it is not in the model. Unknown names are problems."""
        known = {str(v) for v in self.t.table("buses").index}
        names = self.t.text(component, column)
        strange = sorted({name for name in names if name not in known})
        if strange:
            rule = f"must name buses: {', '.join(map(repr, strange[:5]))} {'is' if len(strange) == 1 else 'are'} none"
            self.problems.append(Problem(f"{component}.{column}", rule))
        return [self.bus.get(name) for name in names]

    def _nominal(self, component: str, column: str) -> FloatArray:
        """Capacity: what an expansion found, where there was one."""
        given, found = self.t.number(component, column, 0.0), self.t.number(component, f"{column}_opt", 0.0)
        expanded = self.t.flag(component, f"{column}_extendable", False) & (found > 0)
        for _ in range(int(expanded.sum())):
            self.say(f"{component} with {column}_opt", "used", "the capacity that the expansion found")
        return np.where(expanded, found, given)

    def _rows(self, component: str) -> list[tuple[int, str, bool]]:
        on = self.t.flag(component, "active", True)
        return [(k, str(name), bool(on[k])) for k, name in enumerate(self.t.table(component).index)]

    def _ends(self, component: str) -> list[tuple[int, int] | None]:
        pairs = zip(self._at(component, "bus0"), self._at(component, "bus1"), strict=True)
        return [None if a is None or b is None else (a, b) for a, b in pairs]

    def _lines(self) -> None:
        t, ends = self.t, self._ends("lines")
        x, r, b = (t.number("lines", c, 0.0) for c in ("x", "r", "b"))
        rating = self._nominal("lines", "s_nom") * t.number("lines", "s_max_pu", 1.0)
        types = t.text("lines", "type")
        for k, name, on in self._rows("lines"):
            pair = ends[k]
            if pair is None:
                self.say("lines", "ignored", "between buses that are not electric")
                continue
            x_ohm, r_ohm = float(x[k]), float(r[k])
            if types[k] and not x_ohm:
                x_ohm, r_ohm = self._of_type(k, types[k])
            if pair[0] in self.is_dc:
                x_ohm = r_ohm
                self.say("DC lines", "used", "their resistance decides, as in PyPSA")
            z_ohm = self.net.bus.at[pair[0], "vn_kv"] ** 2 / BASE_MVA
            pu = (r_ohm / z_ohm, x_ohm / z_ohm, float(b[k]) * z_ohm)
            self._branch("lines", name, pair, pu, 1.0, 0.0, float(rating[k]), on)
        if ("lines", "s_max_pu") in t.series:
            self.say("lines-s_max_pu", "ignored", "a rating is one number here: s_nom times the static s_max_pu")

    def _of_type(self, k: int, kind: str) -> tuple[float, float]:
        """Reactance and resistance of a line by its type. [ohm]"""
        own = self.t.table("line_types")
        found: Any = own.loc[kind] if kind in own.index else self.net.std_types["line"].get(kind)
        length = self.t.number("lines", "length", 0.0)[k]
        if found is None or not length > 0:
            rule = (
                f"must have x, or a known type and a length: row {self.t.table('lines').index[k]} of {kind!r} has not"
            )
            self.problems.append(Problem("lines.x", rule))
            return 1.0, 1.0
        x = float(found["x_per_length" if kind in own.index else "x_ohm_per_km"])
        r = float(found["r_per_length" if kind in own.index else "r_ohm_per_km"])
        per = length / self.t.number("lines", "num_parallel", 1.0)[k]
        return x * per, r * per

    def _transformers(self) -> None:
        t, ends = self.t, self._ends("transformers")
        x, r = (t.number("transformers", c, 0.0) for c in ("x", "r"))
        nominal = self._nominal("transformers", "s_nom")
        share = t.number("transformers", "s_max_pu", 1.0)
        tap, shift = t.number("transformers", "tap_ratio", 1.0), t.number("transformers", "phase_shift", 0.0)
        for k, name, on in self._rows("transformers"):
            pair = ends[k]
            if pair is None:
                self.say("transformers", "ignored", "between buses that are not electric")
                continue
            if not nominal[k] > 0:
                self.problems.append(
                    Problem("transformers.s_nom", f"must be greater than 0: {name} has {nominal[k]:g}")
                )
                continue
            base = BASE_MVA / float(nominal[k])
            pu = (float(r[k]) * base, float(x[k]) * base, 0.0)
            rating = float(nominal[k] * share[k])
            self._branch("transformers", name, pair, pu, float(tap[k]), float(shift[k]), rating, on)

    def _branch(
        self,
        component: str,
        name: str,
        pair: tuple[int, int],
        pu: tuple[float, float, float],
        tap: float,
        shift: float,
        rating: float,
        on: bool,
    ) -> None:
        r, x, b = pu
        if not (np.isfinite(x) and x != 0):
            rule = f"must be a finite reactance that is not 0: {name} has {x:g} p.u."
            self.problems.append(Problem(f"{component}.x", rule))
            return
        if rating <= 0 and on:
            self.say(component, "approximated", "s_nom of 0: out of service")
            on = False
        endless = rating >= ENDLESS_MW
        limit = np.inf if endless else max(rating, 1e-3)
        add_branch(self.net, Branch(name, *pair, r, x, b, tap, shift, limit, np.nan, on))
        if on:
            self.ends.append(pair)
            self.say(component, "used", "branches; reactance, tap, shift and rating as in PyPSA's linear power flow")

    def _links(self) -> None:
        t, ends = self.t, self._ends("links")
        nominal, efficiency = self._nominal("links", "p_nom"), t.number("links", "efficiency", 1.0)
        low, high = t.number("links", "p_min_pu", 0.0), t.number("links", "p_max_pu", 1.0)
        price = t.number("links", "marginal_cost", 0.0)
        more = [c for c in t.table("links").columns if c.startswith("bus") and c not in ("bus0", "bus1")]
        outputs = [any(t.text("links", c)[k] for c in more) for k in range(len(ends))]
        for k, name, on in self._rows("links"):
            pair, least, most = ends[k], float(low[k] * nominal[k]), float(high[k] * nominal[k])
            if outputs[k]:
                self.say("links with several outputs", "ignored", "a DC link has one")
                continue
            if pair is None:
                self.say("links", "ignored", "from or to a bus that is not electric")
                continue
            if not 0 < efficiency[k] <= 1:
                self.problems.append(
                    Problem("links.efficiency", f"must be above 0 and at most 1: {name} has {efficiency[k]:g}")
                )
                continue
            pp.create_dcline(
                self.net,
                *pair,
                p_mw=0.0,
                loss_percent=100.0 * (1.0 - float(efficiency[k])),
                loss_mw=0.0,
                vm_from_pu=1.0,
                vm_to_pu=1.0,
                max_p_mw=most,
                min_p_mw=least,
                controllable=True,
                name=name,
                in_service=on and most > least,
            )
            lossy = least < 0 and efficiency[k] < 1
            how = "DC links; what flows back loses as much (PyPSA gains energy there)" if lossy else "DC links"
            self.say("links", "approximated" if lossy else "used", how)
            if price[k]:
                self.say("links.marginal_cost", "ignored", "a DC link has no cost")
            if any(t.hourly("links", a, name) is not None for a in ("p_max_pu", "p_min_pu", "efficiency")):
                self.say("series of links", "ignored", "their static values hold")

    # --- what stands at buses

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

    # --- the rest

    def _references(self) -> None:
        """One angle reference in every island of branches."""
        begins, ends = (np.array([pair[k] for pair in self.ends], dtype=np.int64) for k in (0, 1))
        island = label_islands(begins, ends, len(self.net.bus))
        for k in range(int(island.max()) + 1):
            add_reference(self.net, int(np.flatnonzero(island == k)[0]))
        self.out.say("islands", int(island.max()) + 1, "used", "each with one angle reference, its first bus")

    def _rest(self) -> None:
        for name, table in self.t.static.items():
            if name == "global_constraints":
                self.out.say(name, len(table), "ignored", "write a [[budget]] for a limit on CO2 or energy")
            elif name in ("shunt_impedances", "processes"):
                self.out.say(name, len(table), "ignored", "no place in a DC dispatch")


def _series_kind(tech: str) -> str:
    return tech if tech in ("wind_offshore", "wind_onshore", "pv") else "availability"
