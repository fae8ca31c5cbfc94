"""The Jiangsu net: totals against public figures, connection, power flow at the summer peak, series asked for."""

import json

import networkx
import numpy as np
import pandapower as pp
import pandapower.topology
import pytest

from gridsim.kernels.security import find_bridges
from gridsim.networks import Options, jiangsu
from gridsim.networks.columns import check_columns
from gridsim.networks.jiangsu_net import PROFILE_COLUMNS
from gridsim.topology import build_topology

NORTH = ("Xuzhou", "Lianyungang", "Huai'an", "Yancheng", "Suqian")
CENTRE = ("Nantong", "Yangzhou", "Taizhou")
SOUTH = ("Nanjing", "Wuxi", "Changzhou", "Suzhou", "Zhenjiang")
CITIES = NORTH + CENTRE + SOUTH


def capacity(net, tech):
    """MW installed; biomass carries its capacity in sn_mva, because it runs at a constant mean output."""
    gen, sgen, storage = (net[t][net[t]["tech"] == tech] for t in ("gen", "sgen", "storage"))
    static = sgen["sn_mva"] if tech == "biomass" else sgen["max_p_mw"]
    return gen["max_p_mw"].sum() + static.sum() + storage["max_p_mw"].sum()


# ---- totals


@pytest.mark.parametrize(
    ("tech", "low_gw", "high_gw", "why"),
    [
        ("coal", 77.0, 78.5, "75.6 GW operating in GEM July 2023 + Sheyanggang 2 x 1000 MW"),
        ("gas", 21.0, 22.5, "19.4 GW operating in GEM February 2023 + 2.5 GW then under construction"),
        ("nuclear", 6.6, 6.62, "Tianwan 1-6, 6608 MW"),
        ("wind_offshore", 11.7, 11.9, "11.83 GW, official from end of 2022 to mid-2025"),
        ("wind_onshore", 11.2, 11.4, "23.16 GW of wind at the end of 2024 less offshore"),
        ("pv", 52.0, 54.0, "average of 2024, between 39.3 and 61.8 GW"),
        ("biomass", 3.1, 3.3, "101 GW of new energy less 74.41 PV less 23.3 wind, May 2025"),
        ("pumped_hydro", 2.6, 3.1, "Yixing, Liyang, Shahe 2.6 GW + first unit of Jurong"),
        ("battery", 6.1, 6.3, "5.6 GW in September 2024 + 0.6 GW"),
        ("caes", 0.06, 0.06, "Jintan, first phase"),
        ("import", 35.0, 40.0, "five DC lines and Yangcheng, less the Xitai sources still to come"),
    ],
)
def test_capacity_by_technology(net, tech, low_gw, high_gw, why):
    assert low_gw - 1e-9 <= capacity(net, tech) / 1e3 <= high_gw + 1e-9, why


def test_total_installed_capacity():
    """204.09 GW at the end of 2024 (https://cjshg.ruizhancq.com/post/2058.html), storage included."""
    net = jiangsu(Options(pv_fleet="year_end"))
    inside = ("coal", "gas", "nuclear", "wind_offshore", "wind_onshore", "pv", "biomass", "pumped_hydro", "battery")
    assert sum(capacity(net, tech) for tech in inside) / 1e3 == pytest.approx(204.1, rel=0.01)


def test_energy_of_the_year(net):
    sites = net["profile_site"].set_index("kind")
    assert sites.loc["load", "energy_twh"].sum() == pytest.approx(848.7, abs=0.01)
    net_import = sites.loc["import", "energy_twh"].sum() + sites.loc["exchange", "energy_twh"].sum()
    assert net_import == pytest.approx(150.0, abs=1.0)
    for kind, low, high in (("pv", 0.12, 0.13), ("wind_offshore", 0.310, 0.325), ("wind_onshore", 0.24, 0.26)):
        rows = sites.loc[kind]
        factor = (rows["rated_mw"] * rows["full_load_h"]).sum() / rows["rated_mw"].sum() / 8784
        assert low <= factor <= high, kind


def test_summer_peak(net):
    assert net.load["p_mw"].sum() == pytest.approx(146_200, rel=1e-6)
    zone = net.bus["zone"].reindex(net.load["bus"]).to_numpy()
    south = net.load["p_mw"][np.isin(zone, SOUTH)].sum() / net.load["p_mw"].sum()
    assert south == pytest.approx(0.56, abs=0.02)  # 57.2 % in 2020, falling since


def test_record_net_import_is_feasible(net):
    """35.2 GW on 15 July 2024."""
    outside = net.sgen[net.sgen["tech"].isin(["import", "exchange"])]
    assert outside["p_mw"].sum() == pytest.approx(35_200, rel=0.01)
    assert outside["max_p_mw"][outside["tech"] == "import"].sum() >= 35_200


def test_capacity_is_adequate_on_a_summer_evening(net):
    """138 GW without sun, 3 % reserve, 95 % of the thermal fleet, 10 % of the wind: batteries stay a margin."""
    thermal = 0.95 * (capacity(net, "coal") + capacity(net, "gas")) + capacity(net, "nuclear")
    wind = 0.10 * (capacity(net, "wind_offshore") + capacity(net, "wind_onshore"))
    biomass = net.sgen["p_mw"][net.sgen["tech"] == "biomass"].sum()
    stores = capacity(net, "pumped_hydro") + capacity(net, "caes")
    supply = thermal + wind + biomass + stores + 35_200
    assert supply >= 1.03 * 138_000
    assert supply + capacity(net, "battery") >= 1.03 * 138_000 + 6_000


def test_storage(net):
    battery = net.storage[net.storage["tech"] == "battery"]
    assert (battery["max_e_mwh"] - battery["min_e_mwh"]).sum() == pytest.approx(0.9 * 12_400)
    caes = net.storage[net.storage["tech"] == "caes"].iloc[0]
    assert (caes["max_p_mw"], caes["max_e_mwh"]) == (60.0, 300.0)
    pumped = net.storage[net.storage["tech"] == "pumped_hydro"]
    assert (pumped["eta_charge"] * pumped["eta_discharge"]).to_numpy() == pytest.approx(0.75)
    start = net.storage["soc_percent"] / 100 * net.storage["max_e_mwh"]
    assert start.to_numpy() == pytest.approx(net.storage["e_end_mwh"].to_numpy())
    assert ((net.storage["e_end_mwh"] >= net.storage["min_e_mwh"]) & (start <= net.storage["max_e_mwh"])).all()


# ---- units and costs


def test_unit_data(net):
    gen = net.gen
    assert gen["name"].is_unique
    assert net.sgen["name"].is_unique
    assert ((gen["min_p_mw"] > 0) & (gen["min_p_mw"] < gen["max_p_mw"])).all()
    assert gen["slack"].sum() == 1
    assert net.ext_grid["name"].tolist() == ["Rudong offshore converter, voltage"]
    assert (net.ext_grid[["min_p_mw", "max_p_mw"]] == 0.0).all(axis=None)
    assert not gen["reserve_up"][gen["tech"] == "nuclear"].any()
    large_coal = (gen["tech"] == "coal") & (gen["max_p_mw"] / gen["units"] >= 600) & ~gen["must_run"]
    share = gen["min_p_mw"] / gen["max_p_mw"]
    assert (share[large_coal] <= 0.40 + 1e-12).all()  # after retrofit
    heat = (gen["tech"] == "coal") & gen["must_run"]
    assert share[heat].between(0.37, 0.70).all()  # below all hours of heat: the mean minimum is 0.55 to 0.65
    assert 9_000 <= gen["max_p_mw"][heat].sum() <= 15_000


def test_cost_points_start_at_the_minimum_and_rise(net):
    assert net.pwl_cost["element"].is_unique
    for row in net.pwl_cost.itertuples():
        gen = net.gen.loc[row.element]
        points = np.array(row.points)
        assert points[0, 0] == gen["min_p_mw"]
        assert points[-1, 1] == gen["max_p_mw"]
        assert (points[1:, 0] == points[:-1, 1]).all()
        assert (np.diff(points[:, 2]) >= 0).all()


def test_merit_order(net):
    """Imports before coal above 40 %, large new coal before small old coal, coal before gas; ages tell plants apart."""
    last = {row.element: row.points[-1][2] for row in net.pwl_cost.itertuples()}
    kind = net.gen["type"]
    mean = {name: np.mean([last[i] for i in kind.index[kind == name]]) for name in kind.unique()}
    assert mean["usc_1000"] < mean["usc_660"] < mean["sc_600"] < mean["sub_300"] < mean["chp_135"] < mean["ccgt_f"]
    imports = net.poly_cost.set_index("element")["cp1_eur_per_mw"]
    imports = imports[net.sgen["tech"].reindex(imports.index) == "import"]
    coal = net.gen.index[net.gen["tech"] == "coal"]
    above = [
        b for row in net.pwl_cost.itertuples() for a, _, b in row.points if a > 0.399 * net.gen.max_p_mw[row.element]
    ]
    assert imports.max() < min(slope for slope in above if slope > 61)  # reactors: 60
    assert len({round(last[i], 3) for i in coal}) > 20


def test_cost_at_full_load(net):
    """Coal 0.28-0.42, gas 0.48-0.58 CNY/kWh."""
    total = {}
    for row in net.pwl_cost.itertuples():
        gen, points = net.gen.loc[row.element], np.array(row.points)
        energy = points[0, 0] * points[0, 2] + ((points[:, 1] - points[:, 0]) * points[:, 2]).sum()
        total[row.element] = (energy + gen["no_load_cost"] * gen["units"]) / gen["max_p_mw"]
    for tech, low, high in (("coal", 280, 420), ("gas", 480, 580), ("nuclear", 60, 60)):
        cost = [total[i] for i in net.gen.index[net.gen["tech"] == tech]]
        assert low - 1e-6 <= min(cost)
        assert max(cost) <= high + 1e-6


def test_emissions(net):
    full = net.gen["co2_t_per_mwh"] + net.gen["co2_no_load_t_per_h"] * net.gen["units"] / net.gen["max_p_mw"]
    for kind, t_per_mwh in (("usc_1000", 0.76), ("sc_600", 0.82), ("sub_300", 0.87), ("ccgt_f", 0.35)):
        assert full[net.gen["type"] == kind].mean() == pytest.approx(t_per_mwh, rel=0.04)
    assert (full[net.gen["tech"] == "nuclear"] == 0).all()


# ---- the wires


def test_size(net):
    assert 95 <= len(net.bus) <= 120
    assert len(net.line) + len(net.trafo) >= 160
    assert set(net.bus["zone"]) == {*CITIES, "external"}
    assert (net.line["emergency_rating_mva"] > 0).all()
    for text in net.bus["geo"]:
        lon, lat = json.loads(text)["coordinates"]
        assert 112 < lon < 123
        assert 30 < lat < 36


def test_emergency_ratings_lie_between_the_continuous_and_the_hot_conductor(net):
    rating = np.sqrt(3) * net.line["max_i_ka"] * net.line["parallel"]
    rating *= net.bus["vn_kv"].reindex(net.line["from_bus"]).to_numpy()
    for factor in (
        net.line["emergency_rating_mva"] / rating,
        net.trafo["emergency_rating_mva"] / net.trafo["sn_mva"] / 2,
    ):
        assert factor.between(1.0, 2700 / 2100).all()


def test_what_feeds_in_behind_a_double_circuit_survives_the_loss_of_one():
    """Every part of the grid with one corridor only: all its plants at once on the circuits that stay."""
    net = jiangsu(Options(pv_fleet="year_end"))
    topology, _ = build_topology(net, 1.0, 2.0)
    b = topology.branches
    b = b[b["element"] != "island_balance"]
    bridges = find_bridges(b["from_row"].to_numpy(), b["to_row"].to_numpy(), len(topology.buses))
    fed_mw = np.zeros(len(topology.buses))
    for table in ("gen", "sgen", "storage"):
        for bus, p_mw in zip(net[table]["bus"], net[table]["max_p_mw"], strict=True):
            fed_mw[topology.row_of_bus_id[bus]] += max(p_mw, 0.0)
    corridor = b.iloc[bridges.branch]
    stay_mw = corridor["emergency_rating_mw"] * (1.0 - 1.0 / corridor["circuits"])
    several = (corridor["circuits"] > 1).to_numpy()
    assert several.sum() == 28
    assert corridor["name"][~several].tolist() == ["Wunan - Pingyao (Zhejiang)", "Wunan - Zhi (Zhejiang)"]
    fed = bridges.islanded(fed_mw)
    assert fed.max() > 3_900
    assert np.all(fed[several] <= stay_mw.to_numpy()[several])


def test_no_bus_is_isolated(net):
    assert pandapower.topology.unsupplied_buses(net) == set()


def test_interfaces_cut_north_from_south(net):
    """The two Yangtze sections are a complete cut: without their members no path crosses the river."""
    graph = pandapower.topology.create_nxgraph(net, multi=True)
    for member in net["interface_member"].itertuples():
        table = net[member.element]
        if member.interface.startswith("Yangtze"):
            graph.remove_edge(table.at[member.element_index, "from_bus"], table.at[member.element_index, "to_bus"])
    side = {bus: i for i, part in enumerate(networkx.connected_components(graph)) for bus in part}
    number = {name: index for index, name in net.bus["name"].items()}
    assert len(set(side.values())) == 2
    assert side[number["Sanchawan"]] == side[number["Tianwan NPP"]] == side[number["Tonghai"]]
    assert side[number["Longwangshan"]] == side[number["Shipai"]] == side[number["Dagang"]]
    assert side[number["Sanchawan"]] != side[number["Longwangshan"]]


def test_interface_members_exist_and_point_south(net):
    members, interfaces = net["interface_member"], net["interface"]
    assert set(members["interface"]) == set(interfaces["name"])
    assert interfaces["name"].is_unique
    lat = [json.loads(text)["coordinates"][1] for text in net.bus["geo"]]
    for member in members[~members["interface"].str.startswith("Su-")].itertuples():
        row = net[member.element].loc[member.element_index]
        assert member.weight == 1.0
        assert lat[row["from_bus"]] > lat[row["to_bus"]]
    limit = interfaces.set_index("name")["limit_mw"]
    assert limit["Yangtze 500 kV"] == 16_200


def test_diagnostic_finds_nothing_serious(flowing):
    """Two findings are meant: one line of 461 km (Dongming-Shanghe), and exports as sgen with negative power."""
    found = pp.diagnostic(flowing, report_style=None)
    assert set(found) <= {"implausible_impedance_values", "wrong_reference_system"}
    (lines,) = found.get("implausible_impedance_values", [{"line": []}])
    assert all(flowing.line.at[i, "length_km"] > 400 for i in lines["line"])
    exports = found.get("wrong_reference_system", {"sgens": []})["sgens"]
    assert set(flowing.sgen.loc[exports, "tech"]) <= {"exchange"}


def test_dc_flow_at_the_summer_peak(flowing):
    pp.rundcpp(flowing)
    assert flowing.converged
    vn_kv = flowing.bus["vn_kv"].reindex(flowing.line["from_bus"]).to_numpy()
    rating = np.sqrt(3) * flowing.line["max_i_ka"] * flowing.line["parallel"] * vn_kv
    loading = flowing.res_line["p_from_mw"].abs() / rating
    assert loading.max() < 0.90
    assert flowing.res_trafo["loading_percent"].max() < 90
    slack = flowing.gen["slack"]
    assert flowing.res_gen["p_mw"][slack].to_numpy() == pytest.approx(flowing.gen["p_mw"][slack].to_numpy(), abs=1.0)


@pytest.mark.parametrize("q_limits", [False, True])
def test_ac_flow_at_the_summer_peak(flowing, q_limits):
    pp.runpp(flowing, init="dc", calculate_voltage_angles=True, enforce_q_lims=q_limits)
    assert flowing.converged
    assert flowing.res_bus["vm_pu"].between(0.98, 1.06).all()
    assert flowing.res_line["loading_percent"].max() < 90
    loss_mw = flowing.res_line["pl_mw"].sum() + flowing.res_trafo["pl_mw"].sum()
    assert 0.002 < loss_mw / flowing.load["p_mw"].sum() < 0.01


# ---- series


def test_profile_site(net):
    sites = net["profile_site"]
    assert tuple(sites.columns) == PROFILE_COLUMNS
    assert sites["profile"].is_unique
    used = {name for t in ("load", "gen", "sgen") for name in net[t]["profile"] if name}
    used |= {name for end in ("min", "max") for name in net.gen[f"heat_{end}_profile"] if name}
    whole = {f"load/{city}" for city in CITIES}  # of each city, to compare: rows take its parts
    assert used | whole | {"gas_left/Nanjing"} == set(sites.loc[sites["kind"] != "plan", "profile"])
    assert (sites["profile"].str.split("/").str[0] == sites["kind"]).all()
    sites = sites[sites["kind"] != "plan"]  # what imports are planned against has no place
    assert (sites["rated_mw"] > 0).all()
    assert sites[["lat_deg", "lon_deg"]].notna().to_numpy().all()
    assert set(sites["zone"]) <= {*CITIES, "external"}
    assert set(sites.loc[sites["kind"] == "load", "zone"]) == set(CITIES)


def test_rows_add_up_to_their_series(net):
    sites = net["profile_site"].set_index("profile")
    share = net.load.groupby("profile")["profile_share"].sum()
    assert share.to_numpy() == pytest.approx(1.0)
    assert (net.sgen["profile_share"] == 1.0).all()  # series in p.u. of each row's own rating
    mw = net.sgen[net.sgen["profile"] != ""].groupby("profile")["max_p_mw"].sum()
    assert mw.to_numpy() == pytest.approx(sites.loc[mw.index, "rated_mw"].to_numpy())
    gen = net.gen.set_index("profile")
    assert (sites.loc[gen.index, "units"] == gen["units"]).all()
    assert (sites.loc[gen.index, "rated_mw"] * gen["units"]).to_numpy() == pytest.approx(gen["max_p_mw"].to_numpy())


def test_targets_are_within_reach(net):
    sites = net["profile_site"]
    hours = sites["energy_twh"].abs() * 1e6 / sites["rated_mw"]
    assert hours.max() < 8000
    assert sites.loc[sites["kind"] == "pv", "full_load_h"].between(1000, 1200).all()
    assert sites.loc[sites["kind"] == "wind_offshore", "full_load_h"].between(2400, 3100).all()


def test_schedules_keep_the_ramp_limit_of_the_imports(net):
    """Both ends of the band must be able to follow the schedule, at every hour."""
    profiles = pytest.importorskip("gridsim.profiles")
    imports = net.sgen[net.sgen["tech"] == "import"]
    for column in ("ramp_up_mw_per_h", "ramp_down_mw_per_h"):
        assert imports[column].to_numpy() == pytest.approx(0.25 * imports["max_p_mw"].to_numpy())
        assert net.sgen.loc[net.sgen["tech"] != "import", column].isna().all()
    sites = net["profile_site"]
    year = profiles.make_year(sites[sites["kind"] == "import"], 2024, 3)
    for row in imports.itertuples():
        assert np.abs(np.diff(year.column(row.profile))).max() * row.max_p_mw < row.ramp_up_mw_per_h


# ---- the function


def test_two_nets_are_the_same():
    one, other = jiangsu(), jiangsu()
    for table in ("bus", "line", "trafo", "gen", "sgen", "load", "storage", "dcline", "profile_site"):
        assert one[table].equals(other[table]), table


def test_a_power_flow_leaves_the_columns_valid():
    """With a dcline, pandapower's power flow turns bool and int columns of gen into object and float."""
    one = jiangsu()
    pp.runpp(one, init="dc")
    assert check_columns(one) == []
    want = jiangsu().gen
    for column in ("must_run", "units", "reserve_up", "min_up_h"):
        assert (one.gen[column] == want[column]).all()


def test_json_round_trip(net):
    """Through pandapower's own file format: extra tables, extra columns and the note survive."""
    back = pp.from_json_string(pp.to_json(net))
    assert check_columns(back) == []
    assert back["gridsim_note"] == net["gridsim_note"]
    assert "representative" in back["gridsim_note"]
    for table in ("interface", "interface_member", "profile_site", "gen", "sgen", "storage", "load", "line", "dcline"):
        assert list(back[table].columns) == list(net[table].columns), table
        assert len(back[table]) == len(net[table])
        numbers = net[table].select_dtypes("number").columns
        got, want = (n[table][numbers].to_numpy(dtype=float) for n in (back, net))
        np.testing.assert_allclose(got, want, rtol=1e-12, equal_nan=True)
        words = [
            name for name in ("name", "tech", "fuel", "profile", "kind", "zone", "character") if name in net[table]
        ]
        assert (back[table][words] == net[table][words]).to_numpy().all(), table
    assert back.pwl_cost["points"].tolist() == net.pwl_cost["points"].tolist()
