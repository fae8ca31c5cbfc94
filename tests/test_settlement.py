"""The settlement on grids of two buses, where every payment can be told by hand; whole runs add up by the audit."""

import shutil
from types import SimpleNamespace

import h5py
import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from one_bus import HOUR, NIGHT, one_bus
from one_bus import lived as two_days
from test_curtailment import NO_RESERVE, windy
from test_losses import R_PU, line
from tiny_grid import run_audited, tiny_grid, write_grid

from gridsim.audit import audit
from gridsim.bills import Tariffs, tables_of, tariffs
from gridsim.scenario import Scenario, load
from gridsim.schema import zones_of

RENTS = ("congestion_rent", "link_rent", "shift_rent", "loss_surplus")


def lived(tmp_path, net, **sections):
    given = {"horizon": {"hours": 4}, "reserve": {**NO_RESERVE, "up_min_mw": 0.0}} | sections
    return run_audited(write_grid(tmp_path, net, **given), tmp_path / "x.h5")


def by_tech(run, name):
    return dict(zip(run.names("tech"), run.array(f"money/{name}").T, strict=True))


def test_a_full_line_earns_the_difference_of_prices(tmp_path):
    """Wind behind a line of 114 MW is worth nothing, coal at the load 300: the line earns 300 for each of its MW."""
    summary, run = lived(tmp_path, windy(ka=0.3))
    most = np.sqrt(3.0) * 0.3 * 220.0
    assert_allclose(run.array("price/bus"), [[0.0, 300.0]] * 4, atol=1e-2)
    assert_allclose(run.array("price/zone"), [[0.0, 300.0]] * 4, atol=1e-2)
    assert_allclose(run.array("money/load_payment"), [[0.0, 300.0 * 150.0]] * 4, rtol=1e-4)
    assert_allclose(run.array("money/congestion_rent"), 300.0 * most, rtol=1e-4)
    revenue = by_tech(run, "tech_revenue")
    assert_allclose(revenue["coal"], 300.0 * (150.0 - most), rtol=1e-4)
    assert_allclose(revenue["wind_onshore"], 0.0, atol=2.0)
    for name in RENTS[1:]:
        assert_allclose(run.array(f"money/{name}"), 0.0, atol=1e-3, err_msg=name)
    assert run.array("money/branch_rent")[0] == pytest.approx(4 * 300.0 * most, rel=1e-4)
    assert summary["congestion_rent_by_element"] == pytest.approx({"AB": 4 * 300.0 * most}, rel=1e-4)
    assert summary["capture_price"]["coal"] == pytest.approx(300.0, rel=1e-4)
    assert summary["price_by_zone"] == pytest.approx({"B": 300.0}, rel=1e-4)


def test_reserve_is_paid_at_its_price(tmp_path):
    """Each of the 30 MW that coal answers with downwards makes a MWh of wind give way to one of coal: 300."""
    summary, run = lived(tmp_path, windy(), reserve={**NO_RESERVE, "up_min_mw": 0.0, "down_load_share": 0.2})
    assert_allclose(by_tech(run, "reserve_revenue")["coal"], 300.0 * 30.0, rtol=1e-3)
    assert summary["money"]["reserve_payment"] == pytest.approx(4 * 9000.0, rel=1e-3)


def test_marginal_losses_bring_in_more_than_is_lost(tmp_path):
    """All losses are drawn at the load: f = load + r f^2 / 100, and its price is 100 / (1 - 2 r f / 100)."""
    _, run = lived(tmp_path, line(), grid={"losses": "quadratic"}, horizon={"hours": 3})
    flow = (1.0 - np.sqrt(1.0 - 4.0 * R_PU / 100.0 * 100.0)) / (2.0 * R_PU / 100.0)
    price = 100.0 / (1.0 - 2.0 * R_PU * flow / 100.0)
    assert_allclose(run.array("money/loss_surplus"), price * 100.0 - 100.0 * flow, rtol=5e-2)
    assert_allclose(run.array("money/congestion_rent"), 0.0, atol=1e-3)


def test_a_dc_link_earns_where_it_delivers(tmp_path):
    """40 MW from 100 to 500 a MWh, of which 4 % are lost."""
    net = pp.create_empty_network(sn_mva=100, name="link")
    for name in "AB":
        pp.create_bus(net, vn_kv=220, name=name, zone=name)
    pp.create_gen(net, 0, 0.0, name="cheap", min_p_mw=0.0, max_p_mw=400.0, slack=True)
    net.gen["tech"], net.gen["must_run"] = "coal", True
    pp.create_poly_cost(net, 0, "gen", 100.0)
    pp.create_ext_grid(net, 1, name="dear", min_p_mw=0.0, max_p_mw=400.0)
    pp.create_poly_cost(net, 0, "ext_grid", 500.0)
    pp.create_dcline(net, 0, 1, 0.0, 4.0, 0.0, 1.0, 1.0, max_p_mw=40.0, name="DC")
    net.dcline["min_p_mw"], net.dcline["controllable"] = 0.0, True
    pp.create_load(net, 0, 50.0, name="DA")
    pp.create_load(net, 1, 150.0, name="DB")
    summary, run = lived(tmp_path, net)
    assert_allclose(run.array("money/link_rent"), 40.0 * (0.96 * 500.0 - 100.0), rtol=1e-4)
    assert_allclose(run.array("money/load_payment"), [[5_000.0, 75_000.0]] * 4, rtol=1e-4)
    assert summary["money"]["congestion_rent"] == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("minutes", [60, 15])
def test_tight_lines_outages_losses_and_a_store(tmp_path, minutes):
    """The audit checks payments and that they add up; rents of lines are of those who own them, not of the system."""
    scenario = write_grid(
        tmp_path, tiny_grid(tight=True), horizon={"hours": 25, "resolution_min": minutes},
        grid={"n1": "enforce", "losses": "quadratic"},
    )  # fmt: skip
    summary, run = run_audited(scenario, tmp_path / "x.h5")
    assert summary["money"]["congestion_rent"] > 1e3
    assert run.array("money/congestion_rent").min() > -1.0
    assert run.array("money/link_rent").min() > -1.0
    stores = run.array("money/store_revenue").sum()
    assert stores == pytest.approx(sum(summary["revenue_by_tech"][tech] for tech in ("battery", "pumped_hydro")))


def test_bills_follow_the_tariff_by_month_and_hour(tmp_path):
    """1 July 2025 by hand: the valley to 6 h, the peak from 14 to 22 h; own tables and names come before the year's."""
    table = tables_of(load("jiangsu-2024", ["year=2025"]), ["Wuxi"])["Wuxi"]
    july = table[6] * 739.0
    assert_allclose(july[[0, 8, 11, 15, 22]], np.array([0.35, 1.0, 0.35, 1.8, 1.0]) * 739.0)
    assert_allclose(table[0][[0, 9, 12]], [0.42, 1.7, 1.0])  # the old one until May
    assert (tables_of(load("jiangsu-2024", ["jiangsu.tariff=flat"]), ["Wuxi"])["Wuxi"] == 1.0).all()
    own = tmp_path / "own.csv"
    own.write_text("months,hours,price\n1-12,0-24,1.5\n")
    assert (tables_of(load("jiangsu-2024", [f"jiangsu.tariff_file={own}"]), ["Wuxi"])["Wuxi"] == 1.5).all()
    assert tables_of(Scenario.model_validate({"name": "x", "network": {"source": "net.json"}}), ["A"]) == {}


def test_every_zone_is_billed_at_its_tariff():
    """Suzhou at the flat one, a park in Wuxi at its own, another there and the rest at that of the year."""
    park = {"city": "Wuxi", "exchange_limit_mw": 100.0, "load_mw": 50.0}
    tree = {
        "name": "bills",
        "year": 2025,
        "jiangsu": {
            "city_tariff": {"Suzhou": "flat"},
            "local_grid": [
                park | {"name": "Own", "tariff": "flat", "feed_in_cny_per_mwh": 300.0},
                park | {"name": "Other"},
            ],
        },
    }
    scenario, zones = Scenario.model_validate(tree), ["Nanjing", "Own", "Suzhou", "Other"]
    case = SimpleNamespace(
        time=pd.date_range("2025-07-01T13:30", periods=3, freq="30min"), steps=3, buses=pd.DataFrame({"zone": zones})
    )
    priced = tariffs(scenario, case)
    order = [zones_of(case).index(zone) for zone in zones]
    dear = np.array([1.0, 1.8, 1.8]) * 739.0
    assert_allclose(priced.energy[:, order], np.column_stack((dear, [739.0] * 3, [739.0] * 3, dear)))
    assert priced.local[order].tolist() == [0, 1, 0, 1]
    assert priced.feed_in[order].tolist() == [0, 300, 0, 391]


def test_a_local_grid_pays_for_what_it_takes_and_is_paid_for_what_it_feeds_in(tmp_path, monkeypatch):
    """60 MW of load, 100 MW of sun for 6 h of two days: 36 h at 60 MW bought at 500, 12 h at 40 MW sold at 300."""
    net = one_bus()
    b = pp.create_bus(net, vn_kv=220, name="Park", zone="Park")
    pp.create_line_from_parameters(net, b, 0, 20.0, 0.03, 0.3, 10, 2.0, name="connection")
    pp.create_load(net, b, 60.0, name="park")
    net.load["profile"], net.load["profile_share"] = ["wanted", "park"], 1.0
    k = pp.create_sgen(net, b, 0.0, min_p_mw=0.0, max_p_mw=100.0, name="sun")
    net.sgen.loc[k, ["tech", "profile"]] = ["pv", "sun"]
    monkeypatch.setattr(
        "gridsim.bills.tariffs",
        lambda scenario, case: Tariffs(np.full((case.steps, 2), 500.0), np.array([0.0, 1.0]), np.array([0.0, 300.0])),
    )
    monkeypatch.setattr("gridsim.audit_settlement.feed_in_prices", lambda record: {"Park": 300.0})
    summary, run = two_days(
        tmp_path, net, load=1000.0, series={"park [MW]": np.full(HOUR.size, 60.0), "sun [1]": NIGHT}
    )
    bill = run.array("money/local_bill")
    assert_allclose(bill[:, 0], 0.0)
    assert_allclose(bill[:, 1], np.where(HOUR[:48] < 6, -40.0 * 300.0, 60.0 * 500.0), rtol=1e-5)
    assert summary["local_bill"] == {"Park": pytest.approx(36 * 60 * 500.0 - 12 * 40 * 300.0, rel=1e-5)}
    assert_allclose(run.array("money/tou_bill")[:, 1], 60.0 * 500.0, rtol=1e-6)
    for hour, change in ((0, 50.0), (12, -50.0)):  # sold for too much, bought for too little
        path = tmp_path / f"{hour}.h5"
        shutil.copy(run.path, path)
        with h5py.File(path, "r+") as file:
            file["money/local_bill"][hour, 1] += change
        assert not audit(path).row("money: local_bill").ok
    monkeypatch.setattr("gridsim.audit_settlement.feed_in_prices", lambda record: {"Park": 301.0})
    assert audit(run.path).row("money: local_bill").violations == 12
