"""The grid of a PyPSA network: buses, lines, transformers and links, as its linear power flow sees them."""

from typing import Any

import numpy as np
import pandapower as pp

from gridsim.convert_net import Branch, add_branch, add_reference
from gridsim.errors import Problem
from gridsim.kernels.network import label_islands
from gridsim.pypsa_steps import BASE_MVA, PypsaSteps

ENDLESS_MW = 99_999.0
ELECTRIC = ("", "ac", "dc", "electricity", "low voltage", "battery", "home battery")  # carriers of buses


class PypsaGrid(PypsaSteps):
    """Fills buses and branches of the net."""

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

    def _references(self) -> None:
        """One angle reference in every island of branches."""
        begins, ends = (np.array([pair[k] for pair in self.ends], dtype=np.int64) for k in (0, 1))
        island = label_islands(begins, ends, len(self.net.bus))
        for k in range(int(island.max()) + 1):
            add_reference(self.net, int(np.flatnonzero(island == k)[0]))
        self.out.say("islands", int(island.max()) + 1, "used", "each with one angle reference, its first bus")
