"""What each kind of plant and import of the built-in grid changes in a dispatch at one bus, by amounts told by hand."""

import numpy as np
import pandapower as pp
import pytest
from numpy.testing import assert_allclose
from one_bus import (
    HOUR,
    NIGHT,
    PEAK_COST,
    H,
    add_sgen,
    add_store,
    add_unit,
    lived,
    one_bus,
    row_of,
    series_of,
    source_mw,
    unit_mw,
    year_of,
)  # fmt: skip

from gridsim.networks.jiangsu_dc import flexible_dc
from gridsim.networks.jiangsu_fleet import Grid, renewables, thermal, wind_farms
from gridsim.networks.jiangsu_heat import boilers
from gridsim.networks.jiangsu_supply import dc_links, external
from gridsim.networks.options import Options

AT_NIGHT = HOUR[:H] < 6
BIG, SMALL = "Xinhai coal 1000", "Huaiyin coal 330"  # usc_1000 and sub_300
CHP = "Nanjing Huarun coal 330"
NEW = "Changzhou II coal 1000"
REACTORS = "Tianwan nuclear 1-2"
COAL_MWH = 1050.0 / 8.141  # CNY per MWh of fuel


def test_the_better_class_of_coal_is_full_before_the_other_rises(tmp_path):
    """1000 MW of 600-degree coal and 330 MW of subcritical coal, down to 148.5 MW: the load decides by merit."""
    net = one_bus()
    add_unit(net, BIG, Options())
    add_unit(net, SMALL, Options())
    load = np.where((HOUR >= 2) & (HOUR < 5), 1000.0, np.where(HOUR < 12, 1165.0, 1330.0))
    summary, run = lived(tmp_path, net, load=load)
    assert_allclose(unit_mw(run, BIG), np.minimum(1000.0, load[:H] - 148.5), atol=1e-3)
    assert_allclose(unit_mw(run, SMALL), load[:H] - np.minimum(1000.0, load[:H] - 148.5), atol=1e-3)
    assert summary["unserved_mwh"] == 0.0


def test_half_load_burns_five_percent_more_a_megawatt_hour(tmp_path):
    """F(p) = 0.06 + 0.92 p + 0.02 p^2: a unit at half load costs 0.525 of what it costs at full load."""
    cost = []
    for mw in (1000.0, 500.0):
        net = one_bus()
        add_unit(net, BIG, Options())
        _, run = lived(tmp_path / f"{mw:g}", net, load=mw)
        assert_allclose(unit_mw(run, BIG), mw, atol=1e-3)
        cost.append((run.array("cost/energy") + run.array("cost/no_load"))[-1])
    age = 1.0 + 0.0015 * (2012 - 2014)
    assert_allclose(cost[0], age * 2.2632 * COAL_MWH * 1000.0, rtol=1e-6)
    assert_allclose(cost[1], 0.525 * cost[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "key", "before", "after"),
    [(BIG, "coal_retrofit_share", 500.0, 350.0), (CHP, "chp_retrofit_share", 198.0, 132.0)],
)
def test_retrofit_makes_room_for_wind_at_night(tmp_path, name, key, before, after):
    """A unit that has to be there by day is at its least at night; what it gives up, wind takes."""
    curtailed = []
    for share, least in ((0.0, before), (1.0, after)):
        net = one_bus()
        row = add_unit(net, name, Options(**{key: share, "heat_profiles": False}))
        _, run = lived(tmp_path / f"{share:g}", net, load=row["max_p_mw"], cheap=NIGHT)
        assert_allclose(unit_mw(run, name)[AT_NIGHT], least, atol=1e-3)
        assert_allclose(unit_mw(run, name)[~AT_NIGHT], row["max_p_mw"], atol=1e-3)
        curtailed.append((run.array("dispatch/source_available_mw") - run.array("dispatch/source_p_mw")).sum())
    assert_allclose(curtailed[0] - curtailed[1], 12 * (before - after), atol=0.1)


@pytest.mark.parametrize(("price", "depth"), [(1.0, 0.30), (95.0, 0.35), (170.0, 0.40), (260.0, 0.50), (300.0, 1.0)])
def test_each_depth_of_coal_has_its_price(tmp_path, price, depth):
    """Fuel of a MWh is 265 CNY; wear and oil take 10, 100, 180 and 350 CNY of it back in the classes from 50 % down."""
    net = one_bus(cheap_cost=price)
    add_unit(net, NEW, Options(fleet=2030))
    _, run = lived(tmp_path, net, cheap=NIGHT)
    assert_allclose(unit_mw(run, NEW)[AT_NIGHT], 1000.0 * depth, atol=1e-3)


def test_oil_below_thirty_percent_is_burnt_only_for_want_of_load(tmp_path):
    """It could run at 200 MW, but below 300 oil costs more than fuel saves; a load of 250 MW leaves no choice."""
    net = one_bus()
    add_unit(net, NEW, Options(fleet=2030))
    load = np.where(HOUR < 3, 250.0, 1000.0)
    _, run = lived(tmp_path, net, load=load, cheap=NIGHT)
    assert_allclose(unit_mw(run, NEW)[:6], [250.0] * 3 + [300.0] * 3, atol=1e-3)
    assert run.array("peak_shaving/deep_units")[:3, -1].tolist() == [1, 1, 1]


def test_boilers_let_a_heat_led_unit_go_lower_and_eat_at_night(tmp_path):
    """A fifth of the heat from boilers: the unit is a fifth nearer to idle, and the store is filled in the night."""
    lows, idle = [], 0.3 * 330.0
    for share in (0.0, 0.2):
        options = Options(heat_boiler_share=share)
        net, grid = one_bus(), Grid(options)
        thermal(grid)
        row = add_unit(net, CHP, options)
        names = [row["heat_min_profile"], row["heat_max_profile"]]
        if share:
            boiler = next(row for row in boilers(grid) if row["name"].startswith("electric boilers Nanjing"))
            names.append(add_store(net, boiler)["demand_profile"])
        _, run = lived(tmp_path / f"{share:g}", net, load=2000.0, cheap=NIGHT, series=series_of(grid, names, day=20))
        lows.append(unit_mw(run, CHP)[AT_NIGHT])
    assert_allclose(lows[1] - idle, 0.8 * (lows[0] - idle), rtol=1e-4)
    charge, lost, most = run.array("storage/charge_mw")[:, 0], 0.005, boiler["max_e_mwh"]
    e = np.concatenate(([0.5 * most], run.array("storage/e_mwh")[:, 0]))
    used = run.array("storage/demand_mw")[:, 0]
    assert_allclose(e[6], most, rtol=1e-3)  # full after the night
    assert e[24] < 0.05 * most
    by_day = slice(6, 24)
    needed = used[by_day].sum() + lost * e[by_day].sum() - (e[6] - e[24])
    assert_allclose(0.98 * charge[by_day].sum(), needed, atol=0.5)  # dear power for what the store does not hold
    assert_allclose(0.98 * charge.sum(), used.sum() + lost * e[:-1].sum(), atol=0.5)  # as full in the end


def test_gas_stops_between_two_peaks(tmp_path):
    """Eight hours at least output cost far more than the 0.3 M CNY of a start: two starts a day."""
    name = "Huaneng Nantong gas 745"
    net = one_bus(cheap_mw=600.0, cheap_cost=300.0)
    add_unit(net, name, Options())
    peak = np.isin(HOUR, (6, 7, 8, 9, 18, 19, 20, 21))
    _, run = lived(tmp_path, net, load=np.where(peak, 1100.0, 600.0), cheap=1.0)
    assert_allclose(unit_mw(run, name), np.where(peak[:H], 500.0, 0.0), atol=1e-3)
    gas = run.names("tech").index("gas")
    assert run.array("commitment/start").sum() == 4
    assert run.array("peak_shaving/two_shift_starts")[:, gas].tolist() == [2, 2]


def test_a_reactor_that_refuels_is_replaced(tmp_path):
    """Of two reactors of 1060 MW one is out from the hour on that the plan of the year says."""
    net, grid = one_bus(), Grid()
    thermal(grid)
    row = add_unit(net, REACTORS, Options(), units=2)
    name = row["profile"]
    first = int(np.flatnonzero(year_of(grid, name) < 1.0)[0])
    _, run = lived(tmp_path, net, load=2500.0, series=series_of(grid, [name], day=first // 24 - 1))
    out = np.arange(H) >= 24 + first % 24
    assert out.any()
    assert_allclose(unit_mw(run, REACTORS), np.where(out, 1060.0, 2120.0), atol=1e-3)
    assert_allclose(unit_mw(run, "dear"), np.where(out, 1440.0, 380.0), atol=1e-3)


@pytest.mark.parametrize(("follows", "least"), [(False, 0.9), (True, 0.5)])
def test_a_reactor_follows_the_load_by_a_tenth_an_hour(tmp_path, follows, least):
    """Free power for 12 h: down to nine tenths, or step by step to half, and back in time."""
    net = one_bus()
    add_unit(net, REACTORS, Options(nuclear_load_following=follows))
    _, run = lived(tmp_path, net, load=1060.0, cheap=(HOUR < 12).astype(float))
    steps = np.minimum(np.arange(1, 13), np.arange(12, 0, -1))
    want = np.ones(24)
    want[:12] = np.maximum(1.0 - 0.1 * steps, least)
    assert_allclose(unit_mw(run, REACTORS)[24:], 1060.0 * want, atol=0.1)


def test_steam_costs_a_reactor_its_power(tmp_path):
    """300 MW of power for steam are missing at Tianwan 3-4, and the other plant gives them."""
    name, given = "Tianwan nuclear 3-4", []
    for mw in (0.0, 300.0):
        net = one_bus()
        add_unit(net, name, Options(nuclear_steam_mw=mw), units=2)
        _, run = lived(tmp_path / f"{mw:g}", net, load=3000.0)
        assert_allclose(unit_mw(run, name), 2252.0 - mw, atol=1e-3)
        given.append(unit_mw(run, "dear"))
    assert_allclose(given[1] - given[0], 300.0, atol=1e-3)


def test_a_dc_import_follows_its_schedule_down_to_its_band(tmp_path):
    """Three steps of a day. Where free power is left over, a tenth of the schedule gives way, and no more."""
    net, grid = one_bus(), Grid()
    row = add_sgen(net, row_of(external(grid), "import Jinsu"))
    schedule = np.where(HOUR < 8, 0.4, np.where(HOUR < 17, 0.6, 0.8))
    schedule[[7, 16, 23]] = 0.5, 0.7, 0.6  # within its ramp of a quarter an hour
    series = {f"{row['profile']} [1]": schedule}
    _, run = lived(tmp_path, net, load=8000.0, cheap=NIGHT, series=series)
    want = 7200.0 * schedule[:H] * np.where(AT_NIGHT, 0.9, 1.0)
    assert_allclose(source_mw(run, row["name"]), want, atol=0.01)
    assert_allclose(unit_mw(run, "dear")[~AT_NIGHT], 8000.0 - want[~AT_NIGHT], atol=0.01)


def test_a_flexible_dc_line_moves_energy_within_its_contract(tmp_path):
    """P MW either way of 0.25 p.u., 8 h of it from owed to ahead: 4 h of it in each night, all given back by day.

    The ramp is 0.25 p.u. an hour, of which the band of the schedule takes 0.05: 0.2 p.u. to either side, and half of
    that where night and day meet."""
    net, grid = one_bus(), Grid(Options(dc_flexible_share=0.25))
    source = row_of(external(grid), "import Jinsu")
    row = next(row for row in flexible_dc(grid) if row["name"].startswith("flexible DC Jinsu"))
    add_sgen(net, source), add_store(net, row)
    p_mw = row["max_p_mw"]
    assert p_mw == pytest.approx(0.25 * 7200.0 * (source["max_p_mw"] / 7200.0))
    series = {f"{source['profile']} [1]": np.full(HOUR.size, 0.5)}
    series |= {f"{row[f'{way}_profile']} [1]": np.ones(HOUR.size) for way in ("charge", "discharge")}
    _, run = lived(tmp_path, net, load=9000.0, cheap=NIGHT, series=series)
    less, more = (run.array(f"storage/{way}_mw")[:, 0] for way in ("charge", "discharge"))
    assert_allclose(less[~AT_NIGHT], 0.0, atol=0.01)
    assert_allclose(less.reshape(2, 24).sum(axis=1), [4 * p_mw, 4 * p_mw], rtol=1e-5)
    assert_allclose(less[24:30], np.array([0.4, 0.8, 0.8, 0.8, 0.8, 0.4]) * p_mw, rtol=1e-5)
    assert_allclose(more[AT_NIGHT], 0.0, atol=0.01)
    assert 4 * p_mw - 0.1 <= more[:24].sum() <= 8 * p_mw + 0.1  # room for the second night
    assert_allclose(more.sum(), 8 * p_mw, rtol=1e-5)


def test_the_rudong_farms_come_ashore_over_their_link(tmp_path):
    """1,100 MW at sea are 1,078 ashore; in a gale of 1,210 MW, as if the farms had grown, 110 MW stay at sea."""
    net, grid = one_bus(), Grid()
    (link,) = [row for row in dc_links(grid) if row["name"] == "Rudong offshore DC"]
    farms = [row for row in wind_farms(grid) if row["bus"] == grid.bus[link["from_bus"]]]
    assert sum(row["max_p_mw"] for row in farms) == link["max_mw"] == 1100.0
    sea = pp.create_bus(net, vn_kv=220, name="sea", zone="sea")
    pp.create_bus(net, vn_kv=500, name="landing", zone="A")
    pp.create_line_from_parameters(net, 2, 0, 10.0, 0.0, 0.3, 0.0, 10.0, name="ashore")
    pp.create_ext_grid(net, sea, name="converter", min_p_mw=0.0, max_p_mw=0.0)
    for row in farms:
        add_sgen(net, row | {"max_p_mw": 1.1 * row["max_p_mw"], "export_limit_mw": np.nan})
        net.sgen.loc[net.sgen.index[-1], "bus"] = sea
    pp.create_dcline(net, sea, 2, 0.0, link["loss_percent"], 0.0, 1.0, 1.0, max_p_mw=link["max_mw"], name=link["name"])
    net.dcline["min_p_mw"], net.dcline["controllable"] = link["min_mw"], True
    wind = np.where(HOUR < 6, 0.5, np.where(HOUR < 12, 1.0 / 1.1, 1.0))
    series = {f"{farms[0]['profile']} [1]": wind}
    summary, run = lived(tmp_path, net, load=2000.0, series=series)
    sent = np.minimum(1.1 * wind[:H] * 1100.0, 1100.0)
    assert_allclose(run.array("dispatch/link_p_mw")[:, 0], sent, atol=1e-3)
    assert_allclose(unit_mw(run, "dear"), 2000.0 - 0.98 * sent, atol=1e-2)
    own = run.array("curtailment/cause_mw")[:, :, 0].sum(axis=1)
    assert_allclose(own, np.where(HOUR[:H] < 12, 0.0, 110.0), atol=1e-2)
    assert summary["curtailment_mwh"] == pytest.approx(24 * 110.0, rel=1e-4)


def test_what_neighbours_take_is_made_here(tmp_path):
    """Shanghai takes 30 % of 5000 MW, whatever it costs."""
    net, grid = one_bus(), Grid()
    rows = [row for row in external(grid) if row["name"].startswith("exchange Shanghai")]
    for row in rows:
        add_sgen(net, row)
    whole = sum(row["max_p_mw"] for row in rows)
    assert whole == pytest.approx(5000.0)
    _, run = lived(tmp_path, net, load=1000.0, series={f"{rows[0]['profile']} [1]": np.full(HOUR.size, -0.3)})
    assert_allclose(unit_mw(run, "dear"), 1000.0 + 1500.0, atol=0.01)


def test_the_clean_share_of_an_import_counts_as_not_fossil(tmp_path):
    """Half of the energy by a line that is clean to 45 %, half by gas: 22.5 %."""
    net, grid = one_bus(), Grid()
    row = add_sgen(net, next(row for row in external(grid) if row["profile"] == "import/Xitai"))
    mw = 0.5 * row["max_p_mw"]
    summary, _ = lived(tmp_path, net, load=2 * mw, series={f"{row['profile']} [1]": np.full(HOUR.size, 0.5)})
    assert summary["non_fossil_share"] == pytest.approx(0.225, abs=1e-6)


def test_biomass_is_taken_at_its_mean(tmp_path):
    net, grid = one_bus(), Grid()
    row = add_sgen(net, next(row for row in renewables(grid) if row["tech"] == "biomass"))
    _, run = lived(tmp_path, net, cheap=NIGHT)
    mean_mw = row["p_mw"]
    assert 0.0 < mean_mw < row["sn_mva"]
    assert_allclose(source_mw(run, row["name"]), mean_mw, atol=1e-6)
    assert_allclose(unit_mw(run, "dear")[~AT_NIGHT], 1000.0 - mean_mw, atol=1e-3)
    assert PEAK_COST > row["cost"] > 0.0
