"""Fleets of other years: capacities against the ladder of targets, what comes and goes, what holds for all of them."""

import numpy as np
import pandapower.topology
import pandas as pd
import pytest

from gridsim.networks import Options, jiangsu
from gridsim.networks.columns import check_columns
from gridsim.networks.tables import TABLES, read_parameters, read_table, standing

FLEETS = (2024, 2025, 2030, 2060)
# GW, by year. Sources: docs/network.md
LADDER = {
    "coal": (77.6, 82, 88, 26),
    "gas": (21.9, 22.3, 27, 30),
    "nuclear": (6.6, 6.6, 9.1, 20),
    "wind_offshore": (11.8, 13.5, 25, 70),
    "wind_onshore": (11.3, 11.9, 12.5, 15),
    "pv": (53, 85, 130, 230),
    "biomass": (3.2, 3.3, 3.75, 6),
    "pumped_hydro": (2.83, 3.95, 5.2, 8),
    "battery": (6.2, 8, 15, 58),
    "caes": (0.06, 0.06, 1.36, 4.2),
    "import": (36.2, 36.2, 45.5, 71.5),
}


@pytest.fixture(scope="module")
def nets():
    return {fleet: jiangsu(Options(fleet=fleet)) for fleet in FLEETS}


def capacity_gw(net, tech):
    """Biomass carries its capacity in sn_mva, because it runs at a constant mean output."""
    tables = [net[name][net[name]["tech"] == tech] for name in ("gen", "sgen", "storage")]
    column = "sn_mva" if tech == "biomass" else "max_p_mw"
    return sum(table[column].sum() for table in tables) / 1e3


@pytest.mark.parametrize("tech", LADDER)
def test_capacities_keep_to_the_ladder(nets, tech):
    got = [capacity_gw(nets[fleet], tech) for fleet in FLEETS]
    assert got == pytest.approx(LADDER[tech], rel=0.045)


def test_load_and_its_peak(nets):
    energy = [nets[fleet]["profile_site"].query("kind == 'load'")["energy_twh"].sum() for fleet in FLEETS]
    assert energy == pytest.approx([848.7, 880, 1020, 1080])
    peak = [read_parameters(fleet)["load_peak_mw"] / 1e3 for fleet in FLEETS]
    assert peak == [146.2, 155, 183, 181]
    at_rest = [nets[fleet].load["p_mw"].sum() / 1e3 for fleet in FLEETS]  # smart vehicles are stores
    assert at_rest == pytest.approx(peak, rel=0.04)


@pytest.mark.parametrize("fleet", FLEETS)
def test_every_fleet_is_a_whole_net(nets, fleet):
    net = nets[fleet]
    assert check_columns(net) == []
    assert pandapower.topology.unsupplied_buses(net) == set()
    for table in ("gen", "sgen", "storage"):
        assert net[table]["name"].is_unique
    for table in ("gen", "sgen"):
        assert (net[table]["p_mw"] <= net[table]["max_p_mw"] + 1e-6).all()
        assert (net[table]["p_mw"] >= net[table]["min_p_mw"] - 1e-6).all()
    dc_loss = (net.dcline["p_mw"] * net.dcline["loss_percent"] / 100).sum()
    supply = net.gen["p_mw"].sum() + net.sgen["p_mw"].sum()
    assert supply == pytest.approx(net.load["p_mw"].sum() + dc_loss)
    series = set(net["profile_site"]["profile"])
    assert {name for t in ("load", "gen", "sgen") for name in net[t]["profile"] if name} <= series


@pytest.mark.parametrize("fleet", FLEETS)
def test_thermal_imports_and_stores_cover_a_winter_evening(nets, fleet):
    """No sun, 10 % of the wind, 92 % of the load's peak, 3 % reserve, 95 % of units and imports."""
    gw = {tech: capacity_gw(nets[fleet], tech) for tech in LADDER}
    firm = 0.95 * (gw["coal"] + gw["gas"] + gw["nuclear"] + gw["import"]) + 0.65 * gw["biomass"]
    stores = gw["pumped_hydro"] + gw["battery"] + gw["caes"]
    wind = 0.1 * (gw["wind_offshore"] + gw["wind_onshore"])
    assert firm + stores + wind >= 1.03 * 0.92 * nets[fleet].load["p_mw"].sum() / 1e3


def test_plants_come_and_go(nets):
    names = {fleet: set(nets[fleet].gen["name"]) for fleet in FLEETS}
    assert names[2025] - names[2024] == {
        "Changzhou II coal 1000",
        "Guoxin Shazhou coal 1000",
        "Guoxin Binhai Port coal 1000",
        "GCL Gaochun gas 100",
        "Huaneng Dainan gas 100",
    }
    assert names[2024] - names[2025] == {"Nanjing coal 320", "Wangting coal 330", "Xuzhou Pengcheng coal 330"}
    assert "Tianwan nuclear 7-8" in names[2030] - names[2025]
    gen = nets[2060].gen
    coal = gen[gen["tech"] == "coal"]
    assert not coal["must_run"].any()
    captured = coal["type"] == "usc_ccs"
    assert coal.loc[captured, "max_p_mw"].sum() == 14_000
    assert coal.loc[captured, "co2_t_per_mwh"].max() < 0.15 < coal.loc[~captured, "co2_t_per_mwh"].min()
    hydrogen = gen[gen["fuel"] == "hydrogen"]
    assert hydrogen["max_p_mw"].sum() == pytest.approx(19 * 745)
    assert (hydrogen["co2_t_per_mwh"] == 0).all()


def test_new_units_go_lower(nets):
    gen = nets[2030].gen
    new = gen[gen["type"] == "usc_new"]
    assert (new["min_p_mw"] / new["max_p_mw"]).to_numpy() == pytest.approx(0.2)
    steps = nets[2030].pwl_cost.set_index("element")["points"]
    assert all(len(steps[i]) == 5 for i in new.index)  # every depth class, and one piece above


def test_what_imports_are_planned_against_is_the_fleet(nets):
    for fleet in FLEETS:
        sites = nets[fleet]["profile_site"].set_index("profile")
        for tech in ("wind_offshore", "wind_onshore", "pv"):
            planned = sites.at[f"plan/{tech}", "rated_mw"] / 1e3
            assert planned == pytest.approx(capacity_gw(nets[fleet], tech), rel=0.01)
        rows = sites[sites["kind"].isin(["wind_offshore", "wind_onshore", "pv"])]
        for tech, part in rows.groupby("kind"):
            hours = np.average(part["full_load_h"], weights=part["rated_mw"])
            assert sites.at[f"plan/{tech}", "full_load_h"] == pytest.approx(hours, rel=0.02), (fleet, tech)
        assert sites.at["plan/load", "energy_twh"] == pytest.approx(sites.query("kind == 'load'")["energy_twh"].sum())


def test_imports_by_fleet(nets):
    sites = {fleet: nets[fleet]["profile_site"].set_index("profile") for fleet in FLEETS}
    energy = {f: s.query("kind in ['import', 'exchange']")["energy_twh"].sum() for f, s in sites.items()}
    assert energy == pytest.approx({2024: 150, 2025: 150, 2030: 197.5, 2060: 346}, abs=1.5)
    assert "import/Mengsu" in sites[2030].index
    assert {"import/Northwest 1", "import/Southwest"} <= set(sites[2060].index)
    clean = {}
    for fleet in FLEETS:
        rows = nets[fleet].sgen.query("tech == 'import'")
        assert rows["clean_share"].between(0, 1).all()
        clean[fleet] = np.average(rows["clean_share"], weights=rows["max_p_mw"])
    assert clean[2024] <= clean[2030] <= clean[2060]
    assert clean[2060] > 0.95


def test_sections_widen_with_their_circuits(nets):
    limit = {fleet: nets[fleet]["interface"].set_index("name")["limit_mw"] for fleet in FLEETS}
    assert limit[2024].equals(limit[2025])
    assert limit[2030]["Yangtze 500 kV"] + limit[2030]["Yangtze 1000 kV"] >= 20_000
    assert (limit[2030] > limit[2025]).all()
    assert (limit[2060] > limit[2030]).all()
    for fleet in FLEETS:
        corridors = [name for name in limit[fleet].index if "-" in name and not name.startswith("Su-")]
        assert len(corridors) == 5
        links = nets[fleet].dcline
        dc = links.loc[links["name"] != "Rudong offshore DC", "max_p_mw"].sum()
        assert limit[fleet]["Yangtze 500 kV"] <= limit[fleet][corridors].sum() + dc
    assert nets[2030].dcline["max_p_mw"].tolist() == [1200.0, 2400.0, 1100.0]
    assert (nets[2030].line["parallel"].iloc[0], nets[2060].line["parallel"].iloc[0]) == (3, 6)


def test_city_groups_exchange_what_they_send_out():
    """What the three groups send to one another adds up to nothing: every branch counts once each way."""
    net = jiangsu()
    members = net["interface_member"]
    groups = members[members["interface"].str.startswith("Su-")]
    each = groups.groupby(["element", "element_index"])["weight"].agg(["sum", "count"])
    assert (each["sum"] == 0).all()
    assert (each["count"] == 2).all()


def test_distributed_pv_stands_behind_the_load():
    net = jiangsu(Options(pv_fleet="year_end"))
    behind = net.sgen[net.sgen["name"].str.startswith("distributed PV")]
    share = behind["max_p_mw"].sum() / net.sgen.loc[net.sgen["tech"] == "pv", "max_p_mw"].sum()
    assert share == pytest.approx(0.70, abs=0.02)  # 58 of 82.26 GW in May 2025
    assert set(behind["bus"]) <= set(net.load["bus"])
    assert behind["bus"].is_unique
    assert (behind["reverse_limit_mw"] == 0.8 * behind["bus"].map(transformers(net))).all()
    assert net.sgen.loc[~net.sgen.index.isin(behind.index), "reverse_limit_mw"].isna().all()


def transformers(net):
    table = read_table("buses").set_index("name")["transformer_mva"]
    return net.bus["name"].map(table)


def test_every_farm_has_its_cable(nets):
    for fleet in FLEETS:
        farms = nets[fleet].sgen.query("tech == 'wind_offshore'")
        share = farms["export_limit_mw"] / farms["max_p_mw"]
        deep = farms["name"].str.contains("Deep")
        assert (share[~deep] == 1.0).all()
        assert share[deep].to_numpy() == pytest.approx(0.95)


def test_batteries_by_city_and_owner(nets):
    table = read_table("batteries")
    assert set(table["owner"]) == {"grid-side", "shared", "user-side"}
    user = table.loc[table["owner"] == "user-side", "mw_2024"].sum() / table["mw_2024"].sum()
    assert user == pytest.approx(0.15, abs=0.02)
    for fleet in FLEETS:
        stores = nets[fleet].storage.query("tech == 'battery'")
        assert len(stores) == len(table) == 24
        hours = (stores["max_e_mwh"] + stores["min_e_mwh"]).sum() / stores["max_p_mw"].sum()
        assert hours == pytest.approx({2024: 2, 2025: 2, 2030: 3, 2060: 5.7}[fleet], abs=0.1)


def test_rows_that_stand():
    table = pd.DataFrame(
        {"name": list("abcd"), "since": [np.nan, 2025, np.nan, 2030], "until": [np.nan, 2030, 2025, np.nan]}
    )
    standing_at = {year: "".join(standing(table, year)["name"]) for year in (2024, 2025, 2029, 2030)}
    assert standing_at == {2024: "ac", 2025: "ab", 2029: "ab", 2030: "ad"}


@pytest.mark.parametrize("name", TABLES)
def test_a_named_row_stands_once_in_every_fleet(name):
    """Rows that follow each other in time neither overlap nor leave a gap."""
    table = read_table(name)
    key = next((column for column in ("id", "name") if column in table), None)
    if key is None or name == "external_terminals":
        return
    for fleet in FLEETS:
        assert standing(table, fleet)[key].is_unique
    always = set(standing(table, 2024)[key])
    gone = always - set(standing(table, 2060)[key])
    assert not gone or name == "units"


def test_parameters_are_the_same_in_every_fleet():
    assert len({frozenset(read_parameters(fleet)) for fleet in FLEETS}) == 1
