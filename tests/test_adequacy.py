"""Studies of adequacy: against convolution, a published case, linear programs, and themselves in other processes."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandapower as pp
import pandas as pd
import pytest
import rts79
from click.testing import CliRunner
from tiny_grid import tiny_grid, write_grid

from gridsim.adequacy import adequacy, blocks, years
from gridsim.adequacy.areas import cut_limits, make_areas, make_cuts
from gridsim.adequacy.check import check_steps, dc_shed, transport_shed
from gridsim.adequacy.statistics import estimate, most_short_years
from gridsim.assemble import assemble
from gridsim.cli import main
from gridsim.errors import InputError
from gridsim.scenario import Scenario, load


def single_bus(folder: Path, units: Any, load_mw: np.ndarray, **sections: Any) -> Scenario:
    """Rows of (number, MW, mean time to failure, to repair) at one bus."""
    folder.mkdir(exist_ok=True)
    net = pp.create_empty_network(sn_mva=100, name="one bus")
    pp.create_bus(net, vn_kv=220, name="A", zone="A")
    pp.create_load(net, 0, 1000.0, name="D")
    net.load["profile"], net.load["profile_share"] = "load/A", 1.0
    for k, (n, mw, _, _) in enumerate(units):
        pp.create_gen(net, 0, 0.0, min_p_mw=0.0, max_p_mw=n * mw, name=f"G{k}", slack=k == 0)
        pp.create_poly_cost(net, k, "gen", 10.0 + k)
    net.gen["tech"], net.gen["units"] = "coal", [n for n, *_ in units]
    net.gen["mttf_h"], net.gen["mttr_h"] = [u[2] for u in units], [u[3] for u in units]
    pp.to_json(net, str(folder / "net.json"))
    times = pd.date_range("2023-01-01", periods=len(load_mw), freq="h")
    pd.DataFrame({"time": times, "load/A [MW]": load_mw}).to_csv(folder / "series.csv", index=False)
    given = {"name": "single", "year": 2023, "horizon": {"hours": len(load_mw)}, **sections}
    paths = {"network": {"source": str(folder / "net.json")}, "profiles": {"source": str(folder / "series.csv")}}
    return Scenario.model_validate(given | paths)


# ---- one bus


def test_the_reliability_test_system_by_chance(tmp_path):
    """300 years drawn: the published 9.39 h and 1,176 MWh lie in the intervals, which say something."""
    scenario = single_bus(tmp_path, rts79.UNITS, rts79.hourly_load())
    found = adequacy([scenario], max_years=300, relative_error=0.0)
    lole, eens = found.estimate("lole_h"), found.estimate("eens_mwh")
    assert lole.low < 9.39418 < lole.high
    assert eens.low < 1176.3 < eens.high
    assert lole.half_width < 2.5
    assert len(found.years) == 300 == found.blocks
    # by when: parts add up
    for part in ("zone", "month", "hour"):
        assert found.column(f"{part}_mwh").sum() == pytest.approx(found.column("eens_mwh").sum())
        assert found.column(f"{part}_h").sum() == found.column("lole_h").sum()


def test_short_outages_of_a_small_system_come_to_its_table(tmp_path):
    """Units that fail and are repaired within hours see all their states in a year: convolution to a few percent."""
    units, load_mw = ((2, 100.0, 18.0, 2.0), (1, 60.0, 9.0, 3.0)), np.tile([120.0, 180.0, 240.0], 240)
    found = adequacy([single_bus(tmp_path, units, load_mw)], max_years=60, relative_error=0.0)
    table: dict[float, float] = {0.0: 1.0}
    for n, mw, up, down in units:
        q = down / (up + down)
        for _ in range(n):
            moved: dict[float, float] = {}
            for out, p in table.items():
                moved[out] = moved.get(out, 0.0) + p * (1 - q)
                moved[out + mw] = moved.get(out + mw, 0.0) + p * q
            table = moved
    short = {out: np.maximum(load_mw - (260.0 - out), 0.0) for out in table}
    lole = sum(p * (short[out] > 0).sum() for out, p in table.items())
    eens = sum(p * short[out].sum() for out, p in table.items())
    assert found.estimate("lole_h").low < lole < found.estimate("lole_h").high
    assert found.estimate("eens_mwh").low < eens < found.estimate("eens_mwh").high
    assert found.estimate("eens_mwh").relative < 0.05


def test_it_stops_when_enough_is_known(tmp_path):
    units = ((3, 100.0, 18.0, 2.0),)
    scenario = single_bus(tmp_path, units, np.full(200, 250.0))
    found = adequacy([scenario], max_years=500, relative_error=0.2)
    assert found.reached
    assert found.estimate("eens_mwh").relative <= 0.2
    assert 10 <= found.blocks < 200
    # the years are those of a longer study
    more = adequacy([scenario], max_years=found.blocks + 5, relative_error=0.0)
    assert more.column("eens_mwh")[: found.blocks].tolist() == found.column("eens_mwh").tolist()
    assert not more.reached


# ---- statistics


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        values = rng.exponential(3.0, 120)
        one = estimate(values, np.repeat(np.arange(30), 4))
        hits += one.low < 3.0 < one.high
    assert 0.91 < hits / 400 < 0.98


def test_years_of_one_block_do_not_count_as_many():
    """Four times the same year is one: the interval is that of the blocks."""
    values = np.array([1.0, 2.0, 4.0, 9.0])
    alone, four = estimate(values, np.arange(4)), estimate(np.repeat(values, 4), np.repeat(np.arange(4), 4))
    assert alone == four
    assert alone.half_width == pytest.approx(3.182446 * values.std(ddof=1) / 2)


def test_no_shortage_says_how_rare_it_may_be():
    assert most_short_years(59) == pytest.approx(0.05, abs=0.001)


# ---- areas


def grid_of(tmp_path: Path, edges: Any, *, zones: int = 4, interface: Any = None, load_mw: Any = None) -> Scenario:
    """One bus for each zone, lines with ratings in MW between them."""
    net = pp.create_empty_network(sn_mva=100, name="areas")
    for k in range(zones):
        pp.create_bus(net, vn_kv=220, name=f"B{k}", zone=f"Z{k}")
        pp.create_load(net, k, 100.0 if load_mw is None else load_mw[k], name=f"D{k}")
        pp.create_gen(net, k, 0.0, min_p_mw=0.0, max_p_mw=150.0, name=f"G{k}", slack=k == 0)
    net.gen["tech"], net.gen["for_rate"], net.gen["mttr_h"] = "gas", 0.3, 5.0
    net.gen["units"] = 3
    for a, b, mw in edges:
        pp.create_line_from_parameters(net, a, b, 30, 0.03, 0.3, 10, mw / (np.sqrt(3) * 220), name=f"L{a}{b}")
    net.line["mttf_h"], net.line["mttr_h"] = 50.0, 10.0
    if interface:
        members, limit, reverse = interface
        net["interface"] = pd.DataFrame({"name": ["S"], "limit_mw": [limit], "reverse_limit_mw": [reverse]})
        rows = [("S", "line", line, weight) for line, weight in members]
        net["interface_member"] = pd.DataFrame(rows, columns=["interface", "element", "element_index", "weight"])
    return write_grid(tmp_path, net, horizon={"hours": 48})


RING = ((0, 1, 30.0), (1, 2, 25.0), (2, 3, 35.0), (0, 3, 20.0), (0, 2, 15.0))


@pytest.mark.parametrize(
    "interface", [None, (((0, 1.0), (3, 1.0), (4, 1.0)), 40.0, 25.0), (((2, -1.0), (3, -1.0)), 30.0, 20.0)]
)
def test_cuts_shed_what_flows_between_areas_do(tmp_path, interface):
    """With all sets of areas at hand, and lines on outage: the same sum as HiGHS over flows, hour by hour."""
    scenario = grid_of(tmp_path, RING, interface=interface, load_mw=[140.0, 60.0, 150.0, 30.0])
    weather = years.make_weather(assemble(scenario), scenario)
    every = make_cuts(weather.areas, np.full((1, 4), 1e6))
    assert len(every.inside) == 14  # all sets of the four areas but the one that does not hang together
    weather = dataclasses.replace(weather, cuts=every)
    seen = 0
    for seed in range(6):
        draws = years.draw_year(weather, seed)
        walk = years.walk_year(weather, draws)
        assert len(draws.outages.circuits)
        for t in range(48):
            least = transport_shed(weather, draws, t, np.zeros(0), np.zeros(0))
            assert walk.shed_mw[t].sum() == pytest.approx(least, abs=1e-4)
            seen += least > 1.0
    assert seen > 50


def test_the_network_inside_may_ask_for_more(tmp_path):
    """A ring of lines obeys Kirchhoff: the transport model is a lower bound of what the whole network sheds."""
    scenario = grid_of(tmp_path, RING, load_mw=[140.0, 60.0, 150.0, 30.0])
    weather = years.make_weather(assemble(scenario), scenario)
    draws = years.draw_year(weather, 1)
    none = np.zeros(0)
    both = [(transport_shed(weather, draws, t, none, none), dc_shed(weather, draws, t, none, none)) for t in range(48)]
    assert all(dc >= transport - 1e-6 for transport, dc in both)
    assert any(dc > transport + 1.0 for transport, dc in both)


def test_a_cut_knows_what_is_in_service(tmp_path):
    """Into area 0 lead lines of 30, 20 and 15 MW; the interface of the first two holds 40."""
    scenario = grid_of(tmp_path, RING, interface=(((0, -1.0), (3, -1.0)), 40.0, 25.0))
    case = assemble(scenario)
    areas = make_areas(case, copper=False)
    cuts = make_cuts(areas, np.full((1, 4), 1e6))
    (alone,) = np.flatnonzero((cuts.inside == [True, False, False, False]).all(axis=1))
    (others,) = np.flatnonzero((cuts.inside == [False, True, True, True]).all(axis=1))
    whole = cut_limits(areas, cuts, case, None)
    assert whole[0, alone] == pytest.approx(40.0 + 15.0)
    assert whole[0, others] == pytest.approx(25.0 + 15.0)
    none_out = years.make_weather(case, scenario).draw(0)
    out = none_out._replace(circuits=np.array([[3, 5, 2, 1], [4, 6, 3, 1]]))
    limit = cut_limits(areas, cuts, case, out)[:, alone]
    assert limit[4] == pytest.approx(55.0)
    assert limit[5] == pytest.approx(30.0 + 15.0)  # the line of 20 is out: the interface no longer binds
    assert limit[6] == pytest.approx(30.0)
    assert limit[7] == pytest.approx(40.0)
    assert limit[9] == pytest.approx(55.0)


def test_one_area_where_the_network_does_not_matter(tmp_path):
    scenario = grid_of(tmp_path, RING)
    copper = scenario.model_copy(update={"grid": scenario.grid.model_copy(update={"enforce": "copper"})})
    weather = years.make_weather(assemble(copper), copper)
    assert weather.areas.zone == ("all",)
    assert weather.cuts.inside.tolist() == [[True]]


def test_too_many_zones_are_refused(tmp_path):
    edges = [(k, k + 1, 50.0) for k in range(16)]
    scenario = grid_of(tmp_path, edges, zones=17)
    with pytest.raises(InputError, match="at most 16 zones with load, or be one area"):
        years.make_weather(assemble(scenario), scenario)


def test_the_river_is_a_cut_of_jiangsu():
    """Nanjing is two areas, and the river carries what its two sections do: 16.2 + 5 GW and 10 + 5 back."""
    scenario = load("jiangsu-2024", ["horizon.hours=24"])
    case = assemble(scenario)
    areas = make_areas(case, copper=False)
    assert len(areas.zone) == 14
    assert areas.zone.count("Nanjing") == 2
    bus = {name: k for k, name in enumerate(case.buses["name"])}
    north = {areas.of_bus[row] for name, row in bus.items() if name in ("Sanchawan", "Qiuteng")}
    south = {areas.of_bus[row] for name, row in bus.items() if name in ("Longwangshan", "Qinhuai")}
    assert len(north) == len(south) == 1
    assert north != south
    cities = ("Suzhou", "Wuxi", "Changzhou", "Zhenjiang")
    inside = np.array([zone in cities for zone in areas.zone])
    inside[list(south)] = True
    deficit = np.where(inside, 1e5, -1e5)[None, :]
    for side, limit in ((inside, 21_200.0), (~inside, 15_000.0)):
        cuts = make_cuts(areas, deficit if side is inside else -deficit)
        (k,) = np.flatnonzero((cuts.inside == side).all(axis=1))
        assert cut_limits(areas, cuts, case, None)[0, k] == pytest.approx(limit)


def test_a_farm_at_sea_gives_what_the_poles_of_its_link_carry():
    """With one pole of two, half of the rating arrives, less the loss; with none, nothing."""
    scenario = load("jiangsu-2024", ["horizon.hours=24"])
    case = assemble(scenario)
    weather = years.make_weather(case, scenario)
    (k,) = np.unique(weather.behind[weather.behind >= 0])
    assert case.links["name"].iloc[k] == "Rudong offshore DC"
    at = weather.behind == k
    whole = weather.draw(1)._replace(
        source_left=np.ones((24, len(case.sources))), link_left=np.ones((24, len(case.links)))
    )
    left = whole.link_left.copy()
    left[6:, k], left[12:, k] = 0.5, 0.0
    sums = []
    for outages in (whole, whole._replace(link_left=left)):
        draws = years.draw_year(dataclasses.replace(weather, draw=lambda seed, given=outages: given), 0)
        sums.append((draws.sources_mw[:, at].sum(axis=1), draws.margin_mw.sum(axis=1)))
    (full, before), (less, after) = sums
    assert full.max() > 100.0
    most = case.links["p_max_mw"].iloc[k]
    np.testing.assert_allclose(less, np.minimum(full, most * left[:, k]), atol=1e-9)
    loss = case.links["loss_share"].iloc[k]
    np.testing.assert_allclose(before - after, (full - less) * (1.0 - loss), atol=1e-6)


# ---- studies


def failing(net: Any) -> Any:
    for element in ("gen", "sgen", "storage", "line"):
        net[element]["for_rate"], net[element]["mttr_h"] = 0.15, 6.0
    return net


def study_of(tmp_path: Path, **options: Any) -> Any:
    tmp_path.mkdir(exist_ok=True)
    scenario = write_grid(tmp_path, failing(tiny_grid()), load=1.3)
    return adequacy([scenario], **({"max_years": 12, "relative_error": 0.0} | options))


def test_workers_change_nothing(tmp_path):
    """Every number is the same with one process and with two, capacity credits too."""
    one, two = (study_of(tmp_path / str(n), workers=n, credit_years=6, check=2) for n in (1, 2))
    assert one.column("eens_mwh").any()
    for name in ("lole_h", "eens_mwh", "zone_mwh", "hour_mwh", "curtailed_mwh", "cost", "outage_seed"):
        assert one.column(name).tolist() == two.column(name).tolist(), name
    assert one.credits == two.credits
    assert one.checks == two.checks
    assert len(one.checks) == 12 * 2


def test_what_is_wrong_is_said_by_workers_too(tmp_path):
    scenario = write_grid(tmp_path, failing(tiny_grid()))
    (tmp_path / "series.csv").write_text("time,load/A [MW]\n2024-01-01T00:00,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="time must have at least 2 steps"):
        adequacy([scenario], max_years=4, workers=2)


def test_a_seed_is_a_study(tmp_path):
    a, b = study_of(tmp_path / "a"), study_of(tmp_path / "b")
    assert a.column("eens_mwh").tolist() == b.column("eens_mwh").tolist()
    scenario = write_grid(tmp_path, failing(tiny_grid()), load=1.3, seed=5)
    other = adequacy([scenario], max_years=12, relative_error=0.0)
    assert other.column("eens_mwh").tolist() != a.column("eens_mwh").tolist()


def test_cost_and_curtailment_of_a_plain_hour(tmp_path):
    """Load of 100 MW, wind of 30 at nothing, coal of 60 at 10 and 150 at 11: the rest is shed."""
    scenario = single_bus(tmp_path, ((1, 60.0, 1e9, 1.0), (1, 150.0, 1e9, 1.0)), np.array([100.0, 300.0, 10.0]))
    net = pp.from_json(str(tmp_path / "net.json"))
    pp.create_sgen(net, 0, 30.0, min_p_mw=0.0, max_p_mw=30.0, name="W", controllable=False)
    net.sgen["tech"], net.sgen["curtailable"] = "wind_onshore", True
    pp.to_json(net, str(tmp_path / "net.json"))
    (year,) = adequacy([scenario], max_years=1).years
    assert year.eens_mwh == pytest.approx(60.0)
    assert year.curtailed_mwh == pytest.approx(20.0)
    assert year.available_mwh == pytest.approx(90.0)
    assert year.cost == pytest.approx((600.0 + 110.0) + (600.0 + 1650.0))
    assert (year.lole_h, year.days, year.events, year.peak_mw) == (1.0, 1.0, 1.0, pytest.approx(60.0))


def test_two_rows_of_a_day_are_one_day_and_two_shortages(tmp_path):
    load_mw = np.full(48, 50.0)
    load_mw[[3, 4, 9, 30]] = 170.0
    (year,) = adequacy([single_bus(tmp_path, ((1, 150.0, 1e9, 1.0),), load_mw)], max_years=1).years
    assert (year.lole_h, year.days, year.events) == (4.0, 2.0, 3.0)
    assert year.month_h.tolist() == [4.0] + [0.0] * 11
    assert np.flatnonzero(year.hour_mwh).tolist() == [3, 4, 6, 9]


# ---- capacity credit


def credited(folder: Path, series: np.ndarray, **more: Any) -> Any:
    """A small system with 60 MW of imports that follow a series."""
    rng = np.random.default_rng(3)
    load_mw = 200.0 + 40.0 * np.sin(np.arange(336) * 2 * np.pi / 24) + rng.uniform(0, 20, 336)
    scenario = single_bus(folder, ((4, 60.0, 40.0, 5.0),), load_mw)
    net = pp.from_json(str(folder / "net.json"))
    pp.create_sgen(net, 0, 60.0, min_p_mw=0.0, max_p_mw=60.0, name="X")
    net.sgen["tech"], net.sgen["profile"] = "import", "import/X"
    for column, value in more.items():
        net.sgen[column] = value
    pp.to_json(net, str(folder / "net.json"))
    frame = pd.read_csv(folder / "series.csv")
    frame["import/X [1]"] = series
    frame.to_csv(folder / "series.csv", index=False)
    (credit,) = adequacy([scenario], max_years=20, relative_error=0.0, credit_years=20).credits
    return credit


def test_what_is_always_there_is_firm(tmp_path):
    credit = credited(tmp_path, np.ones(336))
    assert credit.what == "dc"
    assert credit.installed_mw == 60.0
    assert credit.firm_mw == pytest.approx(60.0, abs=0.02)
    assert credit.high_mw - credit.low_mw < 0.1


def test_what_is_there_to_a_half_and_what_fails_is_worth_less(tmp_path):
    half = credited(tmp_path / "half", np.full(336, 0.5))
    assert half.firm_mw == pytest.approx(30.0, abs=0.02)
    at_night = credited(tmp_path / "night", (np.arange(336) % 24 >= 12).astype(float))  # load is high in the morning
    assert at_night.firm_mw < 15.0
    fails = credited(tmp_path / "fails", np.ones(336), for_rate=0.2, mttr_h=10.0)
    assert 30.0 < fails.firm_mw < 55.0
    assert fails.low_mw < fails.firm_mw < fails.high_mw


def test_no_credit_without_a_shortage(tmp_path):
    scenario = single_bus(tmp_path, ((1, 500.0, 1e9, 1.0),), np.full(48, 100.0))
    found = adequacy([scenario], max_years=3, credit_years=3)
    assert found.credits == ()
    assert "no shortage in 3 years" in found.credit_note


# ---- weather, own years


def test_weather_and_outages_of_a_block(tmp_path):
    """Synthetic weather: a seed of its own for each block, outages of their own for each year."""
    scenario = load("jiangsu-2024", ["horizon.hours=48"])
    study = blocks.Study((scenario,), 2, 0)
    first, second = (blocks.run_block(study, number).years for number in (0, 1))
    assert [(y.weather_seed, y.outage_seed) for y in (*first, *second)] == [
        (2024, 2024),
        (2024, 2025),
        (2025, 2026),
        (2025, 2027),
    ]
    assert first[0].available_mwh == first[1].available_mwh != second[0].available_mwh
    assert first[0].cost != first[1].cost
    blocks.forget()


def test_all_years_of_own_series(tmp_path):
    """``{year}`` in a path is the scenario's year; every block has each year once."""
    units = ((2, 100.0, 18.0, 2.0),)
    base = single_bus(tmp_path, units, np.full(48, 150.0))
    for year, mw in ((2022, 150.0), (2023, 250.0)):
        times = pd.date_range(f"{year}-01-01", periods=48, freq="h")
        pd.DataFrame({"time": times, "load/A [MW]": mw}).to_csv(tmp_path / f"own-{year}.csv", index=False)
    text = 'name = "own"\nyear = 2023\n[horizon]\nhours = 48\n[network]\nsource = "net.json"\n'
    (tmp_path / "own.toml").write_text(text + '[profiles]\nsource = "own-{year}.csv"\n', encoding="utf-8")
    assert base.year == 2023
    runner = CliRunner()
    out = tmp_path / "own.h5"
    ran = runner.invoke(
        main,
        ["adequacy", str(tmp_path / "own.toml"), "--years", "2022-2023", "--max-years", "6", "--json", "-o", str(out)],
    )
    assert ran.exit_code == 0, ran.output
    with h5py.File(out) as file:
        assert file["years/calendar_year"][:].tolist() == [2022, 2023] * 3
        eens = file["years/eens_mwh"][:]
        assert (eens[1::2] >= 48 * 50.0).all()
        assert (eens[::2] < eens[1::2]).all()
        assert file["years/block"][:].tolist() == [0, 0, 1, 1, 2, 2]


# ---- the command


def test_the_command_writes_tables_and_a_file(tmp_path):
    scenario = write_grid(tmp_path, failing(tiny_grid()), load=1.3)
    (tmp_path / "tiny.toml").write_text(scenario.text, encoding="utf-8")
    out = tmp_path / "a.h5"
    given = [
        "adequacy",
        str(tmp_path / "tiny.toml"),
        "--max-years",
        "8",
        "-o",
        str(out),
        "--credit-years",
        "4",
        "--check",
        "2",
    ]
    ran = CliRunner().invoke(main, given)
    assert ran.exit_code == 0, ran.output
    for word in ("LOLE", "EENS", "zone", "capacity credit, 4 years", "check: 16 steps", "8 years"):
        assert word in ran.stdout
    assert "block 8 of at most 8" in ran.stderr
    with h5py.File(out) as file:
        assert file.attrs["format"] == "gridsim-adequacy"
        said = json.loads(file.attrs["summary"])
        eens = file["years/eens_mwh"][:]
        assert said["eens_mwh"]["mean"] == pytest.approx(eens.mean())
        assert file["zones/eens_mwh"][:].sum() == pytest.approx(eens.sum())
        assert file["zones/name"].asstr()[:].tolist() == ["A", "C"]
        assert file["time/hour_lole_h"].shape == (8, 24)
        assert file["years/cost"].attrs["units"] == "currency"
    again = CliRunner().invoke(main, given)
    assert again.exit_code == 3
    assert "exists already" in again.output


def test_the_command_as_json(tmp_path):
    scenario = single_bus(tmp_path, ((1, 500.0, 1e9, 1.0),), np.full(48, 100.0))
    (tmp_path / "s.toml").write_text(scenario.text, encoding="utf-8")
    given = ["adequacy", str(tmp_path / "s.toml"), "--max-years", "3", "--json", "-o", str(tmp_path / "s.h5")]
    ran = CliRunner().invoke(main, given)
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout)
    assert said["lole_h"] == {"mean": 0.0, "half_width": 0.0}
    assert said["blocks_short_at_most"] == pytest.approx(1 - 0.05 ** (1 / 3))


@pytest.mark.parametrize("text", ["2023-2020", "20x", "a-b", ""])
def test_a_span_of_years_in_other_words_is_refused(tmp_path, text):
    ran = CliRunner().invoke(main, ["adequacy", "jiangsu-2024", "--years", text])
    assert ran.exit_code == 2
    assert "must be a year or a span such as 2018-2023" in ran.output


def test_checked_hours_agree_in_a_net_whose_lines_are_wide(tmp_path):
    scenario = write_grid(tmp_path, failing(tiny_grid()), load=1.3)
    weather = years.make_weather(assemble(scenario), scenario)
    draws = years.draw_year(weather, 3)
    walk = years.walk_year(weather, draws)
    found = check_steps(weather, draws, walk, 10)
    assert len(found) == 10
    assert sum(one.walk_mw > 0 for one in found) == min(5, int((walk.shed_mw.sum(axis=1) > 0).sum()))
    for one in found:
        assert one.walk_mw == pytest.approx(one.transport_mw, abs=1e-4)
