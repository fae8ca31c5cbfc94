"""Load by component and everything that answers to the hour: rows and amounts that can be told by hand."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from gridsim.budgets import all_budgets
from gridsim.errors import InputError
from gridsim.inputs import load_net
from gridsim.networks import Options, jiangsu
from gridsim.networks.jiangsu_tariffs import own_tariff, tariff_table
from gridsim.networks.options import LocalGrid
from gridsim.networks.tables import read_table
from gridsim.profiles import make_year
from gridsim.profiles.load import tariff
from gridsim.scenario import Scenario, load

PARTS = ("ev", "building", "shore_power", "data_centre")
SOME = {
    "ev_smart_share": 0.4,
    "ev_v2g_share": 0.25,
    "dr_interruptible_share": 0.03,
    "dr_shiftable_share": 0.02,
    "ac_flexible_share": 0.1,
    "heat_boiler_share": 0.2,
    "hydrogen_electrolyser_mw": 1000.0,
    "hydrogen_twh": 2.0,
    "hydrogen_fuel_cell_mw": 100.0,
}


@pytest.fixture(scope="module")
def all_of_it():
    return jiangsu(Options(**SOME))


@pytest.fixture(scope="module")
def year(all_of_it):
    return make_year(all_of_it["profile_site"])


@pytest.fixture(scope="module")
def plain():
    """The grid of 2024 and its loads."""
    net = jiangsu()
    sites = net["profile_site"]
    return net, make_year(sites[sites["kind"].str.startswith("load")])


def rows(net, tech):
    return net.storage[net.storage["tech"] == tech]


def energy_mwh(year, table, profile="profile", share="profile_share"):
    return sum(year.column(row[profile]).sum() * row[share] for row in table.to_dict("records"))


# ---- tables


def test_city_shares_add_up():
    shares = read_table("city_shares")
    assert len(shares) == 13
    for part in (*PARTS, "hydrogen"):
        assert shares[part].sum() == pytest.approx(1.0, abs=1e-9), part


def test_every_figure_that_an_option_may_replace_is_there():
    names = set(read_table("flexibility")["name"])
    taken = {name for name, field in Options.model_fields.items() if field.default is None}
    supply = {"coal_price_cny_per_tce", "gas_price_cny_per_m3", "gas_for_power_mm3_per_day", "nuclear_steam_mw"}
    off = {"line_rating_air_c"}  # None is the choice of none
    assert taken - supply - off - {"tariff", "tariff_file", "tariff_elasticity"} <= names


@pytest.mark.parametrize("name", read_table("tariffs")["tariff"].unique())
def test_a_tariff_names_each_hour_once(name):
    assert np.isfinite(tariff_table(name)).all()
    table = read_table("tariffs")
    hours = 0
    for row in table[table["tariff"] == name].itertuples():
        months = [part.partition("-") for part in row.months.split()]
        spans = [part.partition("-") for part in row.hours.split()]
        months_n = sum(int(b or a) - int(a) + 1 for a, _, b in months)
        hours += months_n * sum(int(b) - int(a) for a, _, b in spans)
    assert hours == 12 * 24


@pytest.mark.parametrize(("name", "year"), [("jiangsu-2024", 2024), ("jiangsu-2025", 2026)])
def test_the_tables_are_what_the_load_answers_to(name, year):
    of_year = [tariff(year, np.full(24, month), np.arange(24)) for month in range(12)]
    np.testing.assert_array_equal(tariff_table(name), of_year)


# ---- components


def test_the_province_of_2024_is_what_it_was(plain):
    """Rows of base and components add up to the whole load hour by hour."""
    net, year = plain
    whole = sum(year.column(name) for name in year.names if name.startswith("load/"))
    of_rows = sum(row.profile_share * year.column(row.profile) for row in net.load.itertuples())
    np.testing.assert_allclose(of_rows, whole, rtol=1e-9)
    assert of_rows.sum() / 1e6 == pytest.approx(848.7, abs=1e-3)
    assert net.load["p_mw"].sum() == pytest.approx(146_200)


def test_components_have_the_energies_of_the_table(plain):
    table = read_table("flexibility").set_index("name")["fleet_2024"]
    net, year = plain
    assert set(net.load["component"]) == {"base", "weather", *PARTS}
    weather = net.load[net.load["component"] == "weather"]
    assert 60 < energy_mwh(year, weather) / 1e6 < 130  # cooling and heating of the province
    for part in PARTS:
        of_part = net.load[net.load["component"] == part]
        assert energy_mwh(year, of_part) / 1e6 == pytest.approx(table[f"{part}_twh"], rel=1e-4)


def test_more_vehicles_leave_the_energy_of_the_city():
    sites = jiangsu(Options(ev_twh=26.0))["profile_site"].set_index("profile")
    before = jiangsu()["profile_site"].set_index("profile")
    more = (26.0 - 6.5) * 0.22  # Suzhou's share of the vehicles
    assert sites.at["load_ev/Suzhou", "energy_twh"] == pytest.approx(26.0 * 0.22)
    difference = before.at["load_base/Suzhou", "energy_twh"] - sites.at["load_base/Suzhou", "energy_twh"]
    assert difference == pytest.approx(more)
    assert sites.at["load_base/Suzhou", "character"] == before.at["load_base/Suzhou", "character"]


def test_components_of_more_than_a_city_are_refused():
    """Every city says so."""
    with pytest.raises(
        InputError, match=r"must leave Nanjing a load beside them: they have 302\.5 of 82\.58 TWh"
    ) as caught:
        jiangsu(Options(ev_twh=2000.0))
    assert len(caught.value.problems) == 13


def test_without_components_a_city_has_one_series():
    net = jiangsu(Options(load_components=False))
    assert set(net.load["profile"]) == {f"load/{row.city}" for row in read_table("loads").itertuples()}
    assert not net["profile_site"]["kind"].str.startswith("load_").any()


# ---- vehicles


def test_smart_vehicles_charge_what_they_no_longer_do_by_themselves(all_of_it, year):
    """What drives out of the stores, over the charger's 0.92, is the 40 % that the load rows do not have."""
    left = energy_mwh(year, all_of_it.load[all_of_it.load["component"] == "ev"])
    stores = rows(all_of_it, "ev")
    assert left == pytest.approx(0.6 * 6.5e6, rel=1e-4)
    driven = energy_mwh(year, stores, "demand_profile", "demand_share")
    assert (stores["eta_charge"] == 0.92).all()
    assert left + driven / 0.92 == pytest.approx(6.5e6, rel=1e-4)


def test_vehicles_by_number(all_of_it):
    """6.5 TWh of 2.4 MWh each: 2.708 M vehicles, two fifths of them smart; 40 % of 7 kW and 20 kWh each."""
    stores = rows(all_of_it, "ev")
    smart = 0.4 * 6.5e6 / 2.4
    assert stores["max_p_mw"].sum() == pytest.approx(0.4 * 7e-3 * smart)
    assert stores["max_e_mwh"].sum() == pytest.approx(20e-3 * smart)
    assert stores["min_p_mw"].to_numpy() == pytest.approx(-0.25 * stores["max_p_mw"].to_numpy())
    assert stores["name"].is_unique


def test_all_vehicles_smart_leave_no_load_of_theirs():
    net = jiangsu(Options(ev_smart_share=1.0))
    assert "ev" not in set(net.load["component"])
    assert rows(net, "ev")["demand_share"].groupby(net.storage["demand_profile"]).sum().to_numpy() == pytest.approx(1)


# ---- demand response


def test_blocks_and_shifts_are_shares_of_the_peaks(all_of_it):
    """146.2 GW and 3 % for cities that do not peak together."""
    peaks = 146_200 * 1.03
    blocks, shifts = rows(all_of_it, "dr_interrupt"), rows(all_of_it, "dr_shift")
    assert -blocks["min_p_mw"].sum() == pytest.approx(0.03 * peaks)
    assert (blocks["max_p_mw"] == 0).all()
    assert (blocks["max_e_mwh"] / -blocks["min_p_mw"]).to_numpy() == pytest.approx(2.0)  # hours of a call
    assert (blocks["discharge_cost"] == 3500).all()
    assert shifts["max_p_mw"].sum() == pytest.approx(0.02 * peaks)
    assert (shifts["max_e_mwh"] / shifts["max_p_mw"]).to_numpy() == pytest.approx(8.0)  # 4 h owed or done ahead
    assert shifts["eta_charge"].to_numpy() == pytest.approx(1 / 1.05)


def test_a_block_may_be_called_twenty_times(all_of_it, year):
    blocks = rows(all_of_it, "dr_interrupt")
    per_mw = energy_mwh(year, blocks, "inflow_profile") / -blocks["min_p_mw"].sum()
    assert per_mw == pytest.approx(20 * 2.0, rel=1e-3)


def test_rooms_come_back_to_the_middle(all_of_it, year):
    """At half of the store the loss is what flows in."""
    for row in rows(all_of_it, "ac").itertuples():
        inflow = year.column(row.inflow_profile) * row.profile_share
        np.testing.assert_allclose(row.loss_per_h * 0.5 * row.max_e_mwh, inflow, rtol=1e-3)
        assert row.soc_percent == 50.0


# ---- heat and hydrogen


def test_minima_keep_their_mean_and_stay_above_the_row(all_of_it, year):
    for net, share in ((jiangsu(), 0.0), (all_of_it, 0.2)):
        sites = net["profile_site"]
        series = make_year(sites[sites["kind"].isin(["heat_min", "heat_max"])])
        heat = net.gen[net.gen["heat_min_profile"] != ""]
        assert set(heat["tech"]) == {"coal", "gas"}
        assert heat["must_run"].all()
        assert not net.gen["must_run"][(net.gen["heat_min_profile"] == "") & (net.gen["tech"] != "nuclear")].any()
        for row in heat.itertuples():
            low, high = series.column(row.heat_min_profile), series.column(row.heat_max_profile)
            mean = float(row.heat_min_profile.split("/")[1].split()[1])
            assert low.mean() == pytest.approx(mean - share * (mean - 0.3), abs=2e-5)
            assert (low >= row.min_p_mw / row.max_p_mw - 1e-9).all()
            assert (low < high).all()


def test_boilers_serve_the_heat_that_units_no_longer_give(all_of_it, year):
    """(m - 0.3) / 0.75 MW of heat for a MW of a heat-led unit, a fifth of it from boilers, hour by hour."""
    heat = all_of_it.gen[all_of_it.gen["heat_min_profile"] != ""]
    taken = np.zeros(8784)
    for row in heat.itertuples():
        q = (year.column(row.heat_min_profile) - 0.3) / 0.75 * row.max_p_mw
        taken += 0.25 * q  # what is left is four fifths
    boilers = rows(all_of_it, "heat")
    served = sum(row.demand_share * year.column(row.demand_profile) for row in boilers.itertuples())
    np.testing.assert_allclose(served, taken, rtol=2e-4)
    assert (boilers["min_p_mw"] == 0).all()


def test_one_minimum_for_the_year_on_request():
    net = jiangsu(Options(heat_profiles=False))
    assert (net.gen["heat_min_profile"] == "").all()
    heat = (net.gen["tech"] == "coal") & net.gen["must_run"]
    assert (net.gen["min_p_mw"] / net.gen["max_p_mw"])[heat].between(0.55, 0.65 + 1e-9).all()


def test_hydrogen_is_spread_over_its_cities(all_of_it, year):
    tanks = rows(all_of_it, "hydrogen")
    assert tanks["max_p_mw"].sum() == pytest.approx(1000.0)
    assert -tanks["min_p_mw"].sum() == pytest.approx(100.0)
    assert energy_mwh(year, tanks, "demand_profile", "demand_share") == pytest.approx(2e6, rel=1e-4)
    assert tanks["max_e_mwh"].sum() == pytest.approx(1000.0 * 0.65 * 24)


def test_hydrogen_that_cannot_be_made_is_refused():
    with pytest.raises(InputError, match=r"must be at most 5\.139 TWh, what 1000 MW of electrolysers make: got 6"):
        jiangsu(Options(hydrogen_electrolyser_mw=1000.0, hydrogen_twh=6.0))


# ---- tariffs and defaults


def test_a_tariff_reaches_the_series_of_every_city():
    sites = jiangsu(Options(tariff="flat", tariff_elasticity=0.1))["profile_site"]
    base = sites[sites["kind"] == "load_base"]
    assert base["character"].str.endswith("tariff=1,2,3,4,5,6,7,8,9,10,11,12:1.0*24 elasticity=0.1").all()
    with pytest.raises(InputError, match="tariff must be one of jiangsu-2021, jiangsu-2024, jiangsu-2025, flat"):
        jiangsu(Options(tariff="jiangsu-1999"))


def test_a_city_and_a_local_grid_answer_to_the_tariff_they_are_billed_at(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        'base = "jiangsu-2024"\n[jiangsu.city_tariff]\nSuzhou = "flat"\n'
        '[[jiangsu.local_grid]]\nname = "Park"\ncity = "Suzhou"\nexchange_limit_mw = 10\nload_mw = 10\n'
    )
    scenario = load(path)
    sites = jiangsu(scenario.jiangsu)["profile_site"].set_index("profile")["character"]
    flat = "tariff=1,2,3,4,5,6,7,8,9,10,11,12:1.0*24"
    assert flat in sites["load_base/Suzhou"]
    assert flat in sites["load_base/Park"]
    assert "tariff" not in sites["load_base/Wuxi"]
    (tmp_path / "again.toml").write_text(scenario.text)
    assert load(tmp_path / "again.toml").jiangsu == scenario.jiangsu
    with pytest.raises(InputError) as caught:
        jiangsu(Options(city_tariff={"Suzhou": "dear", "Wuxi": "cheap"}))
    assert [problem.where for problem in caught.value.problems] == ["city_tariff.Suzhou", "city_tariff.Wuxi"]


def test_an_own_tariff_comes_from_a_file(tmp_path):
    """The file counts from the scenario's folder, and its prices are part of the cached net."""
    own = tmp_path / "own.csv"
    own.write_text("months,hours,price\n1-12,0-12,0.5\n1-6 7-12,12-24,1.5\n")
    (tmp_path / "s.toml").write_text('base = "jiangsu-2024"\njiangsu.tariff_file = "own.csv"\n')
    scenario = load(tmp_path / "s.toml")
    assert scenario.input_files() == {"jiangsu.tariff_file": own}
    sites = load_net(scenario)["profile_site"]
    said = sites.loc[sites["kind"] == "load_base", "character"]
    assert said.str.endswith("tariff=1,2,3,4,5,6,7,8,9,10,11,12:0.5*12/1.5*12").all()
    own.write_text("months,hours,price\n1-12,0-24,0.5\n")
    sites = load_net(scenario)["profile_site"]
    assert sites.loc[sites["kind"] == "load_base", "character"].str.endswith(":0.5*24").all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("months,hours\n1-12,0-24\n", ["price is missing"]),
        ("months,hours,price\n1-13,0-24,x\n1,20-18,1\n", ["row 1: months", "row 1: price", "row 2: hours"]),
        ("months,hours,price\n1-12,0-23,1\n", ["23-24 h of month 1 has 0"]),
        ("months,hours,price\n1-12,0-24,1\n3,5-6,2\n", ["5-6 h of month 3 has 2"]),
    ],
)
def test_a_tariff_with_gaps_is_refused(tmp_path, text, said):
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        own_tariff(path)
    assert len(caught.value.problems) == len(said)
    for part in said:
        assert part in str(caught.value)


def test_a_tariff_file_must_be_there_and_alone(tmp_path):
    (tmp_path / "s.toml").write_text('base = "jiangsu-2024"\n[jiangsu]\ntariff_file = "no.csv"\n')
    with pytest.raises(InputError, match=r"jiangsu\.tariff_file must be a file that exists"):
        load(tmp_path / "s.toml")
    with pytest.raises(InputError, match="must not be there beside tariff = flat"):
        load("jiangsu-2024", ["jiangsu.tariff=flat", "jiangsu.tariff_file=x.csv"])


def test_nothing_answers_in_2024():
    assert set(jiangsu().storage["tech"]) == {"pumped_hydro", "battery", "caes"}


def test_keys_are_strict(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text('base = "jiangsu-2024"\n[jiangsu]\nev_smart_share = 1.5\nhydrogen_pattern = "week"\nev_smrt = 1\n')
    with pytest.raises(InputError) as caught:
        load(path)
    assert len(caught.value.problems) == 3
    assert 'hydrogen_pattern must be "hour" or "day" or "season"' in str(caught.value)


def test_series_depend_on_their_own_row_only(all_of_it, year):
    sites = all_of_it["profile_site"]
    some = sites[sites["zone"] == "Xuzhou"].sample(frac=0.5, random_state=3)
    alone = make_year(pd.DataFrame(some))
    for name in some["profile"]:
        np.testing.assert_array_equal(alone.column(name), year.column(name), err_msg=name)


# ---- local grids

PARK = {
    "name": "Harbour park",
    "city": "Nantong",
    "exchange_limit_mw": 100.0,
    "load_mw": 150.0,
    "pv_mw": 120.0,
    "wind_mw": 60.0,
    "battery_mw": 40.0,
    "battery_mwh": 80.0,
    "tariff": "jiangsu-2025",
}


@pytest.fixture(scope="module")
def with_park():
    return jiangsu(Options(local_grid=[LocalGrid(**PARK)]))


def test_a_local_grid_hangs_on_one_limited_connection(with_park):
    net = with_park
    bus = int(net.bus.index[net.bus["name"] == "Harbour park"][0])
    assert net.bus.at[bus, "zone"] == "Harbour park"
    lines = net.line[(net.line["from_bus"] == bus) | (net.line["to_bus"] == bus)]
    assert lines["parallel"].tolist() == [2]
    section = net["interface"].set_index("name").loc["Harbour park"]
    assert section.tolist() == [100.0, 100.0]
    members = net["interface_member"]
    assert members[members["interface"] == "Harbour park"]["element_index"].tolist() == lines.index.tolist()
    by_name = {t: net[t][net[t]["bus"] == bus].set_index("name") for t in ("load", "sgen", "storage")}
    assert by_name["load"]["p_mw"].to_dict() == {"load Harbour park": 150.0}
    assert by_name["sgen"]["max_p_mw"].to_dict() == {"PV Harbour park": 120.0, "onshore wind Harbour park": 60.0}
    battery = by_name["storage"].loc["battery Harbour park"]
    assert (battery["max_p_mw"], battery["min_e_mwh"], battery["max_e_mwh"]) == (40.0, 4.0, 76.0)
    assert battery["soc_percent"] / 100 * battery["max_e_mwh"] == pytest.approx(40.0)


def test_the_load_of_a_local_grid_comes_out_of_its_city(with_park):
    sites, before = (net["profile_site"].set_index("profile") for net in (with_park, jiangsu()))
    own = sites.at["load_base/Harbour park", "energy_twh"]
    left = before.at["load_base/Nantong", "energy_twh"] - sites.at["load_base/Nantong", "energy_twh"]
    assert left == pytest.approx(own)
    assert own == pytest.approx(150.0 * 848.7 * 0.08303 / (146_200 * 0.08828 * 1.03))
    assert with_park.load["p_mw"].sum() == pytest.approx(146_200)
    assert sites.at["load_base/Harbour park", "character"].startswith("tariff=1,2,6,7,8,12:0.35*6/1.0*5/0.35*2/1.0*1")
    year = make_year(with_park["profile_site"].query("zone == 'Harbour park'"))
    peak = year.column("load_base/Harbour park").max()
    assert peak == pytest.approx(150.0, rel=0.1)


def test_local_grids_that_make_no_sense_are_refused(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(
        'base = "jiangsu-2024"\n[[jiangsu.local_grid]]\nname = "A"\ncity = "Shanghai"\nexchange_limit_mw = -1\n'
        "load_mw = 10\nbattery_mw = 5\n"
        '[[jiangsu.local_grid]]\nname = "B"\ncity = "Wuxi"\nexchange_limit_mw = 10\nload_mw = 10\nbattery_mw = 5\n'
    )
    with pytest.raises(InputError) as caught:
        load(path)
    said = str(caught.value)
    assert "local_grid.1.city must be" in said
    assert "local_grid.1.exchange_limit_mw must be greater than 0" in said
    assert "battery_mwh must be greater than 0 if and only if battery_mw is: got 0 and 5" in said
    same = LocalGrid(name="A", city="Wuxi", exchange_limit_mw=1.0, load_mw=1.0)
    with pytest.raises(ValueError, match="gridsim"):
        Options(local_grid=[same, same])
    bad = [same.model_copy(update={"name": "Wuxi", "tariff": "dear"}), same.model_copy(update={"load_mw": 1e5})]
    with pytest.raises(InputError) as caught:
        jiangsu(Options(local_grid=bad))
    assert len(caught.value.problems) == 3


def test_hydrogen_of_the_year_is_a_budget_of_electrolysers_without_tanks(tmp_path):
    """1000 MW make 3 TWh at 65 %: 4.615 TWh of power, owed by the province."""
    tree = {
        "name": "hydrogen",
        "jiangsu": {"hydrogen_electrolyser_mw": 1000.0, "hydrogen_twh": 3.0, "hydrogen_pattern": "year"},
    }
    scenario = Scenario.model_validate(tree)
    (budget,) = all_budgets(scenario)
    assert budget.at_least == pytest.approx(3.0e6 / 0.65)
    assert (budget.quantity, budget.period, budget.techs) == ("taken", "year", ["hydrogen"])
    net = jiangsu(scenario.jiangsu)
    taking = net.sgen[net.sgen["tech"] == "hydrogen"]
    assert taking["min_p_mw"].sum() == pytest.approx(-1000.0)
    assert (taking["max_p_mw"] == 0.0).all()
    assert "hydrogen" not in set(net.storage["tech"])


def test_what_hydrogen_of_the_year_cannot_have_is_refused():
    pipe = {"from_city": "Yancheng", "to_city": "Suzhou", "limit_mw": 10.0}
    tree = {
        "name": "hydrogen",
        "horizon": {"resolution_min": 30},
        "jiangsu": {"hydrogen_pattern": "year", "hydrogen_pipeline": [pipe]},
    }
    with pytest.raises(ValidationError) as error:
        Scenario.model_validate(tree)
    assert "hydrogen_pipeline" in str(error.value.errors())
    tree["jiangsu"] = {"hydrogen_pattern": "year"}
    with pytest.raises(ValidationError) as error:
        Scenario.model_validate(tree)
    assert "resolution_min" in str(error.value.errors())
    cells = Options(hydrogen_pattern="year", hydrogen_electrolyser_mw=1000.0, hydrogen_fuel_cell_mw=50.0)
    with pytest.raises(InputError, match="hydrogen_fuel_cell_mw"):
        jiangsu(cells)
