"""The section [jiangsu] of a scenario: what each choice does to the net, and what is refused."""

import pytest

from gridsim.errors import InputError
from gridsim.inputs import load_net
from gridsim.networks import Options, jiangsu
from gridsim.scenario import load


def slopes(net, name):
    (row,) = net["gen"].index[net["gen"]["name"] == name]
    return net["pwl_cost"].set_index("element").at[row, "points"]


def test_bad_values_are_refused_with_line_key_and_what_is_allowed(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(
        'base = "jiangsu-2024"\n[jiangsu]\nfleet = 2040\ncoal_retrofit_share = 1.2\nriver_crossing_mw = -5\n'
        'co2_price_cny_per_t = "much"\nnuclear_load_following = 1\nhydro_import_factor = 0\ncoal_retrofit = 0.5\n'
    )
    with pytest.raises(InputError) as caught:
        load(path)
    said = str(caught.value)
    for text in (
        "bad.toml: line 3: jiangsu.fleet must be 2024 or 2025 or 2030 or 2060: got 2040",
        "line 4: jiangsu.coal_retrofit_share must be at most 1.0: got 1.2",
        "line 5: jiangsu.river_crossing_mw must be at least 0.0: got -5",
        'line 6: jiangsu.co2_price_cny_per_t must be a number: got "much"',
        "line 7: jiangsu.nuclear_load_following must be true or false: got 1",
        "line 8: jiangsu.hydro_import_factor must be greater than 0.0: got 0",
        "line 9: jiangsu.coal_retrofit is not a key of [jiangsu] (did you mean coal_retrofit_share?)",
    ):
        assert text in said
    assert len(caught.value.problems) == 7


def test_choices_are_for_the_built_in_grid_only(tmp_path):
    (tmp_path / "net.json").write_text("{}")
    own = f'network.source="{tmp_path / "net.json"}"'
    load("jiangsu-2024", [own])
    with pytest.raises(InputError, match=r"jiangsu\.river_crossing_mw is for network\.source = \"jiangsu\" only"):
        load("jiangsu-2024", [own, "jiangsu.river_crossing_mw=100"])


def test_scenario_to_stored_net(tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDSIM_CACHE_DIR", str(tmp_path))
    plain = load_net(load("jiangsu-2024"))
    dear = load_net(load("jiangsu-2024", ["jiangsu.coal_price_cny_per_tce=2100"]))
    assert len(list((tmp_path / "nets").iterdir())) == 2
    name = "Jinling coal 1030"
    assert slopes(dear, name)[-1][2] == pytest.approx(2.0 * slopes(plain, name)[-1][2])
    text = load("jiangsu-2024", ["jiangsu.coal_price_cny_per_tce=2100"]).text
    assert "coal_price_cny_per_tce = 2100" in text
    assert "gas_price_cny_per_m3" not in text


def test_a_price_of_co2_is_paid_on_recorded_emissions(net):
    dear = jiangsu(Options(co2_price_cny_per_t=100.0))
    for name in ("Jinling coal 1030", "Tianwan nuclear 1-2"):
        for unit in net.gen.index[net.gen["name"] == name]:
            rise = slopes(dear, name)[-1][2] - slopes(net, name)[-1][2]
            assert rise == pytest.approx(100.0 * net.gen.at[unit, "co2_t_per_mwh"])
    rise = dear.gen["no_load_cost"] - net.gen["no_load_cost"]
    assert rise.to_numpy() == pytest.approx(100.0 * net.gen["co2_no_load_t_per_h"].to_numpy())


def test_retrofit_moves_minima():
    net = jiangsu()
    share = net.gen["min_p_mw"] / net.gen["max_p_mw"]
    none = jiangsu(Options(coal_retrofit_share=0.0)).gen
    half = jiangsu(Options(coal_retrofit_share=0.5)).gen
    heat = jiangsu(Options(chp_retrofit_share=1.0)).gen
    condensing = (net.gen["tech"] == "coal") & ~net.gen["must_run"]
    assert ((none["min_p_mw"] / none["max_p_mw"])[condensing] == 0.5).all()
    assert (share[condensing] < 0.5).all()
    moved = half["min_p_mw"] < 0.5 * half["max_p_mw"] - 1e-9
    mw = half["max_p_mw"]
    assert mw[moved & condensing].sum() == pytest.approx(0.5 * mw[condensing].sum(), abs=2_000)
    size = mw / half["units"]
    assert size[moved & condensing].min() >= size[condensing & ~moved].max()  # the largest first
    run_for_heat = (net.gen["tech"] == "coal") & net.gen["must_run"]
    assert (heat["min_p_mw"] < net.gen["min_p_mw"])[run_for_heat & (net.gen["type"] == "chp_350")].all()
    assert (heat["min_p_mw"] == net.gen["min_p_mw"])[condensing].all()


def test_reactors_that_follow_the_load(net):
    following = jiangsu(Options(nuclear_load_following=True)).gen
    reactors = following["tech"] == "nuclear"
    assert (following["min_p_mw"] / following["max_p_mw"])[reactors].to_numpy() == pytest.approx(0.5)
    assert (following["min_p_mw"] == net.gen["min_p_mw"])[~reactors].all()


def test_a_dry_year_takes_energy_from_hydro_lines_only(net):
    dry = jiangsu(Options(hydro_import_factor=0.7))["profile_site"].set_index("profile")["energy_twh"]
    usual = net["profile_site"].set_index("profile")["energy_twh"]
    ratio = (dry / usual).filter(like="import/")
    assert ratio.to_dict() == pytest.approx(
        {f"import/{name}": 0.7 for name in ("Jinsu", "Jiansu", "Longzheng")}
        | {f"import/{name}": 1.0 for name in ("Xitai", "Yanhuai", "Yangcheng")}
    )


def test_one_more_crossing_is_a_link_inside_the_wider_section(net):
    wider = jiangsu(Options(river_crossing_mw=3000.0))
    assert wider.dcline["max_p_mw"].tolist() == [*net.dcline["max_p_mw"], 3000.0]
    limit = wider["interface"].set_index("name")["limit_mw"] - net["interface"].set_index("name")["limit_mw"]
    assert limit[limit != 0].to_dict() == {"Yangtze 500 kV": 3000.0}
    members = wider["interface_member"]
    added = len(net.dcline)
    mine = members[(members["element"] == "dcline") & (members["element_index"] == added)]
    mine = mine.set_index("interface")["weight"]
    assert mine.to_dict() == {"Yangtze 500 kV": 1.0, "Su-zhong out": 1.0, "Su-nan out": -1.0}


def test_links_that_run_back_lose_as_much():
    back = jiangsu(Options(dc_reverse_share=0.5, river_crossing_mw=3000.0)).dcline
    assert back["min_p_mw"].tolist() == [-600.0, 0.0, -1500.0]  # farms at sea take nothing
    assert back["loss_percent"].tolist() == [1.5, 2.0, 1.5]


def test_lines_are_derated_by_the_city_of_their_eastern_end(net):
    assert (net.line["rating_profile"] == "").all()
    eased = jiangsu(Options(storm_line_derating=0.3, line_rating_air_c=35.0))
    sites = eased["profile_site"].set_index("profile").filter(like="rating/", axis=0)
    assert len(sites) == 13
    assert set(sites["character"]) == {"share=0.3 from_c=35.0"}
    zone = eased.bus["zone"]
    for line in eased.line.itertuples():
        ends = {f"rating/{zone[line.from_bus]}", f"rating/{zone[line.to_bus]}"}
        assert line.rating_profile in ends | {""}
    inside = (
        zone[eased.line["from_bus"]].isin(sites["zone"]).to_numpy()
        & zone[eased.line["to_bus"]].isin(sites["zone"]).to_numpy()
    )
    assert (eased.line["rating_profile"] != "")[inside].all()


def test_pumps_of_a_plant_run_whole(net):
    whole = jiangsu(Options(pumped_hydro_by_unit=True)).storage
    pumped = whole["tech"] == "pumped_hydro"
    unit_mw = (whole["max_p_mw"] / whole["units"])[pumped]
    assert (whole["min_charge_mw"][pumped] == unit_mw).all()
    assert (whole["min_discharge_mw"][pumped] == 0.5 * unit_mw).all()
    assert (whole.loc[~pumped, ["min_charge_mw", "min_discharge_mw"]] == 0).all(axis=None)
    assert (net.storage[["min_charge_mw", "min_discharge_mw"]] == 0).all(axis=None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"nuclear_steam_mw": 1127.0},
            "nuclear_steam_mw must be at most 1126 MW, half of Tianwan",
        ),
        ({"hydrogen_fuel_cell_mw": 100.0}, "hydrogen_fuel_cell_mw must be 0 without hydrogen_electrolyser_mw"),
    ],
)
def test_what_cannot_be_is_refused(given, said):
    with pytest.raises(InputError, match=said):
        jiangsu(Options(**given))
