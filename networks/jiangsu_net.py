"""The Jiangsu grid of 2024 as a pandapower net, built from the tables in ``networks/jiangsu``.

The 500/1000 kV grid of the province with its fleet, load by city, external supply and ties. The list of substations,
plants, farms and DC links is public; the full list of 500 kV circuits is not, so the topology is *representative*:
every river crossing, the UHV ring and the ties stand in public documents, the rest connects neighbours plausibly
(column ``trust`` of ``branches.csv``). Nothing here comes from the grid operator.

The net at rest is the summer peak at midday: load at 146.2 GW, thermal output scaled to balance it.
"""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandapower as pp
import pandas as pd

from gridsim.errors import InputError, Problem
from gridsim.networks.columns import fill_defaults
from gridsim.networks.tables import read_parameters, read_table
from gridsim.networks.unit_costs import FuelCurve, unit_cost

PvFleet = Literal["year_average", "year_end"]
YEARS = (2024,)
PV_COLUMN = {"year_average": "mw_average_2024", "year_end": "mw_end_2024"}

NOTE = (
    "Jiangsu 2024. The topology of this grid is representative: substations, river crossings, UHV ring, plants, wind "
    "farms and DC links follow public documents, the remaining 500 kV circuits connect neighbours plausibly. It is "
    "not the grid operator's model. Sources and trust of every figure: networks/jiangsu/*.csv."
)
PROFILE_COLUMNS = (
    "profile",
    "kind",
    "zone",
    "lat_deg",
    "lon_deg",
    "rated_mw",
    "energy_twh",
    "full_load_h",
    "units",
    "character",
)
MAX_RENEWABLE_MW_PER_BUS = 1500.0  # a city's PV or onshore wind is split over this many of its substations
# Output at the summer peak at midday, per unit of rating: where the net rests. Assumed.
PEAK_PU = {"pv": 0.50, "wind_offshore": 0.10, "wind_onshore": 0.08, "gas": 0.60}
LINE_NAME = {"pv": "PV", "wind_onshore": "onshore wind", "biomass": "biomass"}


def jiangsu(year: int = 2024, pv_fleet: PvFleet = "year_average") -> pp.pandapowerNet:
    """The Jiangsu grid with the fleet at the end of `year`.

    Parameters
    ----------
    year : int
        Only 2024 is there.
    pv_fleet : "year_average" or "year_end"
        PV grew by half within 2024. The average fleet (53.0 GW) gives the energy of the year, the fleet at the end
        (61.8 GW) suits a look at single days. Everything else is the fleet at the end of the year.

    Raises
    ------
    InputError
        For a year or a fleet that is not there.
    """
    problems = []
    if year not in YEARS:
        problems.append(Problem("year", f"must be one of {', '.join(map(str, YEARS))}: there are no tables for {year}"))
    if pv_fleet not in PV_COLUMN:
        problems.append(Problem("pv_fleet", f"must be one of {', '.join(PV_COLUMN)}: found {pv_fleet!r}"))
    if problems:
        raise InputError("jiangsu()", problems)
    return _Builder(pv_fleet).build()


class _Builder:
    """One pass over the tables. Keeps what several tables share: parameters, bus numbers, profile rows."""

    def __init__(self, pv_fleet: PvFleet):
        self.par = read_parameters()
        self.pv_column = PV_COLUMN[pv_fleet]
        self.net = pp.create_empty_network(name="Jiangsu 2024", f_hz=50.0, sn_mva=100.0)
        self.buses = read_table("buses").set_index("id")
        self.bus: dict[str, int] = {}
        self.profiles: list[dict[str, Any]] = []

    def build(self) -> pp.pandapowerNet:
        self.add_buses()
        self.add_branches()
        self.add_shunts()
        self.add_loads()
        self.add_thermal()
        self.add_wind_farms()
        self.add_renewables()
        self.add_external()
        self.add_storage()
        self.add_dc_links()
        self.add_interfaces()
        net = self.net
        net["profile_site"] = pd.DataFrame(self.profiles, columns=list(PROFILE_COLUMNS)).astype({"units": float})
        net["gridsim_note"] = NOTE
        fill_defaults(net)
        self.balance_at_peak()
        return net

    def add_profile(self, profile: str, kind: str, zone: str, lat: float, lon: float, rated_mw: float, **more: Any):
        row = {"energy_twh": np.nan, "full_load_h": np.nan, "units": np.nan, "character": ""} | more
        place = {"lat_deg": lat, "lon_deg": lon, "rated_mw": rated_mw}
        self.profiles.append({"profile": profile, "kind": kind, "zone": zone} | place | row)

    def substations(self, city: str) -> pd.DataFrame:
        return self.buses[(self.buses["zone"] == city) & (self.buses["kind"] == "substation")]

    # ---- wires

    def add_buses(self) -> None:
        for key, row in self.buses.iterrows():
            self.bus[str(key)] = pp.create_bus(
                self.net,
                vn_kv=float(row["vn_kv"]),
                name=row["name"],
                zone=row["zone"],
                geodata=(row["lon_deg"], row["lat_deg"]),
                min_vm_pu=0.95,
                max_vm_pu=1.10,
            )

    def add_branches(self) -> None:
        types = read_table("branch_types").set_index("type")
        short_time = self.par["emergency_rating_factor"]
        taken: dict[str, int] = {}
        for row in read_table("branches").to_dict("records"):
            kind = types.loc[row["type"]]
            name = f"{self.buses.at[row['from_bus'], 'name']} - {self.buses.at[row['to_bus'], 'name']}"
            taken[name] = taken.get(name, 0) + 1
            if taken[name] > 1:
                name = f"{name} {taken[name]}"
            ends = self.bus[row["from_bus"]], self.bus[row["to_bus"]]
            rating_mva = row["rating_mva"] * row["circuits"]
            if row["kind"] == "trafo":
                pp.create_transformer_from_parameters(
                    self.net,
                    *ends,
                    sn_mva=row["rating_mva"],
                    vn_hv_kv=1000.0,
                    vn_lv_kv=500.0,
                    vk_percent=kind["vk_percent"],
                    vkr_percent=kind["vkr_percent"],
                    pfe_kw=0.0,
                    i0_percent=0.0,
                    parallel=int(row["circuits"]),
                    name=name,
                    emergency_rating_mva=rating_mva * short_time,
                )
            else:
                vn_kv = float(row["vn_kv"])
                pp.create_line_from_parameters(
                    self.net,
                    *ends,
                    length_km=row["length_km"],
                    r_ohm_per_km=kind["r_ohm_per_km"],
                    x_ohm_per_km=kind["x_ohm_per_km"],
                    c_nf_per_km=kind["b_us_per_km"] * 1e3 / (2.0 * math.pi * 50.0),
                    max_i_ka=row["rating_mva"] / (math.sqrt(3.0) * vn_kv),
                    parallel=int(row["circuits"]),
                    name=name,
                    type="ol",
                    emergency_rating_mva=rating_mva * short_time,
                )

    def add_shunts(self) -> None:
        for row in read_table("shunts").to_dict("records"):
            pp.create_shunt(self.net, self.bus[row["bus"]], q_mvar=row["q_mvar"], name=row["name"])

    def add_dc_links(self) -> None:
        for row in read_table("dc_links").to_dict("records"):
            pp.create_dcline(
                self.net,
                self.bus[row["from_bus"]],
                self.bus[row["to_bus"]],
                p_mw=0.8 * row["max_mw"],
                loss_percent=row["loss_percent"],
                loss_mw=0.0,
                vm_from_pu=self.par["vm_setpoint_pu"],
                vm_to_pu=self.par["vm_setpoint_pu"],
                max_p_mw=row["max_mw"],
                min_q_from_mvar=-0.5 * row["max_mw"],
                max_q_from_mvar=0.5 * row["max_mw"],
                min_q_to_mvar=-0.5 * row["max_mw"],
                max_q_to_mvar=0.5 * row["max_mw"],
                name=row["name"],
                min_p_mw=row["min_mw"],
                controllable=True,
            )

    def add_interfaces(self) -> None:
        self.net["interface"] = read_table("interfaces")[["name", "limit_mw", "reverse_limit_mw"]]
        ends_of = {"line": ("from_bus", "to_bus"), "trafo": ("hv_bus", "lv_bus"), "dcline": ("from_bus", "to_bus")}
        rows = []
        for row in read_table("interface_members").to_dict("records"):
            table = self.net[row["element"]]
            start, end = ends_of[row["element"]]
            at = (table[start] == self.bus[row["from_bus"]]) & (table[end] == self.bus[row["to_bus"]])
            rows += [(row["interface"], row["element"], int(index), row["weight"]) for index in table.index[at]]
        self.net["interface_member"] = pd.DataFrame(rows, columns=["interface", "element", "element_index", "weight"])

    # ---- demand

    def add_loads(self) -> None:
        for row in read_table("loads").to_dict("records"):
            city = row["city"]
            stations = self.substations(city)
            share = stations["transformer_mva"] / stations["transformer_mva"].sum()
            city_mw = self.par["load_peak_mw"] * row["peak_share"]
            for key, part in share.items():
                pp.create_load(
                    self.net,
                    self.bus[str(key)],
                    p_mw=city_mw * part,
                    q_mvar=city_mw * part * row["tan_phi"],
                    name=f"load {city} {stations.at[key, 'name']}",
                    profile=f"load/{city}",
                    profile_share=part,
                )
            self.add_profile(
                f"load/{city}",
                "load",
                city,
                row["lat_deg"],
                row["lon_deg"],
                city_mw * self.par["city_peak_factor"],
                energy_twh=self.par["load_energy_twh"] * row["energy_share"],
            )

    # ---- sources

    def fuel(self) -> dict[str, tuple[float, float]]:
        """Price [CNY/MWh fuel] and emissions [t/MWh fuel] by fuel; nuclear: price per MWh of electricity / rate."""
        par = self.par
        return {
            "coal": (par["coal_price_cny_per_tce"] / par["tce_mwh"], par["coal_co2_t_per_tce"] / par["tce_mwh"]),
            "gas": (par["gas_price_cny_per_m3"] / par["gas_mwh_per_m3"], par["gas_co2_t_per_mwh"]),
            "uranium": (par["uranium_cost_cny_per_mwh_th"], 0.0),
        }

    def age_factor(self, tech: str, commissioned: float) -> float:
        """How much more fuel an older coal unit burns than its class; at most 3 % either way."""
        if tech != "coal" or math.isnan(commissioned):
            return 1.0
        return 1.0 + min(max(self.par["age_rate_per_year"] * (2012.0 - commissioned), -0.03), 0.03)

    def add_thermal(self) -> None:
        classes = read_table("unit_classes").set_index("unit_class")
        fuel = self.fuel()
        for row in read_table("units").to_dict("records"):
            kind = classes.loc[row["unit_class"]]
            units, p_max = int(row["units"]), row["unit_mw"]
            p_min = p_max * kind["min_pu"]
            price, co2 = fuel[kind["fuel"]]
            rate = kind["fuel_rate_mwh"] * self.age_factor(row["tech"], row["commissioned"])
            cost = unit_cost(p_max, p_min, rate, price, co2, FuelCurve(kind["f0"], kind["f1"], kind["f2"]))
            name, profile = row["name"], f"availability/{row['name']}"
            gen = pp.create_gen(
                self.net,
                self.bus[row["bus"]],
                p_mw=units * p_max,
                vm_pu=self.par["vm_setpoint_pu"],
                sn_mva=units * p_max / 0.9,
                name=name,
                min_p_mw=units * p_min,
                max_p_mw=units * p_max,
                min_q_mvar=-0.30 * units * p_max,
                max_q_mvar=0.48 * units * p_max,
                controllable=True,
                slack=name == SLACK,
                type=row["unit_class"],
                tech=row["tech"],
                fuel=kind["fuel"],
                units=units,
                min_up_h=int(kind["min_up_h"]),
                min_down_h=int(kind["min_down_h"]),
                start_cost=float(kind["start_cost_cny"]),
                no_load_cost=cost.no_load,
                ramp_mw_per_h=units * p_max * kind["ramp_pu_per_h"],
                must_run=bool(kind["must_run"]),
                reserve_up=bool(kind["reserve"]),
                reserve_down=bool(kind["reserve"]),
                co2_t_per_mwh=cost.co2_t_per_mwh,
                co2_no_load_t_per_h=cost.co2_no_load_t_per_h,
                profile=profile,
            )
            ends = [units * b for b in cost.breakpoints_mw]
            ends[0], ends[-1] = self.net.gen.at[gen, "min_p_mw"], self.net.gen.at[gen, "max_p_mw"]
            points = [[a, b, s] for a, b, s in zip(ends, ends[1:], cost.slopes, strict=False)]
            pp.create_pwl_cost(self.net, gen, "gen", points)
            self.add_profile(
                profile,
                "availability",
                row["zone"],
                row["lat_deg"],
                row["lon_deg"],
                p_max,
                units=units,
                character=row["tech"],
            )

    def add_sgen(self, bus: str, p_mw: float, low: float, high: float, name: str, tech: str, **more: Any) -> int:
        zero = {"q_mvar": 0.0, "min_p_mw": low, "max_p_mw": high, "sn_mva": more.pop("sn_mva", abs(high))}
        return pp.create_sgen(self.net, self.bus[bus], p_mw=p_mw, name=name, tech=tech, **zero, **more)

    def add_wind_farms(self) -> None:
        farms = read_table("wind_farms")
        for row in farms.to_dict("records"):
            self.add_sgen(
                row["bus"],
                row["mw"] * PEAK_PU["wind_offshore"],
                0.0,
                row["mw"],
                f"offshore wind {row['name']}",
                "wind_offshore",
                controllable=True,
                curtailable=True,
                profile=f"wind_offshore/{row['wind_zone']}",
            )
        rated = farms.groupby("wind_zone")["mw"].sum()
        city = farms.groupby("wind_zone")["zone"].first()
        for row in read_table("wind_zones").to_dict("records"):
            zone = row["wind_zone"]
            self.add_profile(
                f"wind_offshore/{zone}",
                "wind_offshore",
                city[zone],
                row["lat_deg"],
                row["lon_deg"],
                rated[zone],
                full_load_h=row["full_load_h"],
            )

    def add_renewables(self) -> None:
        """PV and onshore wind by city, split over its substations; biomass as a constant must-take block.

        Biomass has no series of its own: it delivers its mean output in every hour (`p_mw`, both limits), its
        capacity is `sn_mva`.
        """
        for row in read_table("renewables").to_dict("records"):
            city, tech = row["city"], row["tech"]
            mw = row[self.pv_column] if tech == "pv" else row["mw_end_2024"]
            for key, part in self.split(city, mw):
                name = f"{LINE_NAME[tech]} {city} {self.buses.at[key, 'name']}"
                if tech == "biomass":
                    mean_mw = part * row["full_load_h"] / 8760.0
                    sgen = self.add_sgen(key, mean_mw, mean_mw, mean_mw, name, tech, sn_mva=part, controllable=False)
                    pp.create_poly_cost(self.net, sgen, "sgen", self.par["biomass_cost_cny_per_mwh"])
                    continue
                source = {"controllable": True, "curtailable": True, "profile": f"{tech}/{city}"}
                self.add_sgen(key, part * PEAK_PU[tech], 0.0, part, name, tech, **source)
            if tech != "biomass":
                hours = {"full_load_h": row["full_load_h"]}
                self.add_profile(f"{tech}/{city}", tech, city, row["lat_deg"], row["lon_deg"], mw, **hours)

    def split(self, city: str, mw: float) -> Iterator[tuple[str, float]]:
        """The buses of a city that share `mw`, and the share of each in MW."""
        stations = self.substations(city).index
        n = min(max(math.ceil(mw / MAX_RENEWABLE_MW_PER_BUS), 1), len(stations))
        for key in stations[:n]:
            yield str(key), mw / n

    def add_external(self) -> None:
        """DC infeeds and the Yangcheng plant as imports on a schedule, neighbours as fixed exchanges (export < 0)."""
        table = read_table("external").set_index("id")
        for row in read_table("external_terminals").to_dict("records"):
            line, share = table.loc[row["id"]], row["share"]
            kind = line["kind"]
            capacity = share * line["capacity_mw"]
            alone = share == 1.0
            sgen = self.add_sgen(
                row["bus"],
                share * line["peak_mw"],
                -capacity if kind == "exchange" else 0.0,
                capacity,
                f"{kind} {row['id']}" if alone else f"{kind} {row['id']} {self.buses.at[row['bus'], 'name']}",
                kind,
                sn_mva=share * line["nameplate_mw"],
                controllable=kind == "import",
                profile=f"{kind}/{row['id']}",
                band_down=line["band_down"],
                ramp_mw_per_h=capacity * line["ramp_pu_per_h"],
            )
            if kind == "import":
                pp.create_poly_cost(self.net, sgen, "sgen", line["cost_cny"])
        first = read_table("external_terminals").groupby("id")["bus"].first()
        for key, line in table.iterrows():
            bus = self.buses.loc[first[key]]
            self.add_profile(
                f"{line['kind']}/{key}",
                line["kind"],
                bus["zone"],
                bus["lat_deg"],
                bus["lon_deg"],
                line["capacity_mw"],
                energy_twh=line["energy_twh"],
                character=line["character"],
            )

    def add_storage(self) -> None:
        for row in read_table("storage").to_dict("records"):
            p_mw = row["units"] * row["unit_mw"]
            e_mwh = p_mw * row["hours"]
            eta = math.sqrt(row["round_trip"])
            pp.create_storage(
                self.net,
                self.bus[row["bus"]],
                p_mw=0.0,
                max_e_mwh=e_mwh * (1.0 - row["min_soc"]),
                min_e_mwh=e_mwh * row["min_soc"],
                soc_percent=100.0 * self.par["storage_end_soc"] / (1.0 - row["min_soc"]),
                sn_mva=p_mw,
                max_p_mw=p_mw,
                min_p_mw=-p_mw,
                controllable=True,
                name=row["name"],
                type=row["tech"],
                tech=row["tech"],
                units=int(row["units"]),
                eta_charge=eta,
                eta_discharge=eta,
                loss_per_h=0.0,
                charge_cost=0.0,
                discharge_cost=row["discharge_cost_cny"],
                end_rule="fixed",
                e_end_mwh=self.par["storage_end_soc"] * e_mwh,
                end_value=0.0,
            )

    # ---- at rest

    def balance_at_peak(self) -> None:
        """Set the thermal output so that the net at rest is the summer peak at midday, balanced without losses."""
        net = self.net
        gas, coal = (net.gen["tech"] == tech for tech in ("gas", "coal"))
        net.gen.loc[gas, "p_mw"] = np.maximum(net.gen.loc[gas, "min_p_mw"], PEAK_PU["gas"] * net.gen["max_p_mw"][gas])
        dc_loss = (net.dcline["p_mw"] * net.dcline["loss_percent"] / 100.0).sum()
        rest = net.load["p_mw"].sum() + dc_loss - net.sgen["p_mw"].sum() - net.gen.loc[~coal, "p_mw"].sum()
        net.gen.loc[coal, "p_mw"] = net.gen.loc[coal, "max_p_mw"] * rest / net.gen.loc[coal, "max_p_mw"].sum()


SLACK = "Tianwan nuclear 1-2"
