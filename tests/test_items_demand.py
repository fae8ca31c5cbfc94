"""What load, stores and the parts of the grid that belong to them change in a dispatch, by amounts told by hand."""

from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from one_bus import (
    HOUR,
    NIGHT,
    H,
    add_store,
    lived,
    one_bus,
    row_of,
    series_of,
    source_mw,
    unit_mw,
)  # fmt: skip

from gridsim.networks import jiangsu
from gridsim.networks import jiangsu_local as local
from gridsim.networks.jiangsu_demand import loads
from gridsim.networks.jiangsu_fleet import Grid
from gridsim.networks.jiangsu_flexible import flexible
from gridsim.networks.jiangsu_supply import CROSSING, dc_links, storage
from gridsim.networks.options import Options

AT_NIGHT = HOUR[:H] < 6
DAY = 71  # a working day in March


def with_loads(folder: Path, city: str, options: Options, *, day: int = DAY):
    """Two days of the components of a city's load at one bus; its own load there is 1000 MW beside them."""
    grid, net = Grid(options), one_bus()
    rows = [row for row in loads(grid) if row["name"].split(" ")[-2] == city or f" {city} " in row["name"]]
    pp.create_loads(net, [0] * len(rows), **{c: [row[c] for row in rows] for c in rows[0] if c != "bus"})
    net.load["component"] = net.load["component"].fillna("rest")
    return lived(folder, net, series=series_of(grid, list(dict.fromkeys(row["profile"] for row in rows)), day=day))


def parts(run) -> dict[str, np.ndarray]:
    """Load by component, hour by hour."""
    component = run.table("loads")["component"].astype(str).to_numpy()
    return {name: run.array("dispatch/load_mw")[:, component == name].sum(axis=1) for name in sorted(set(component))}


def test_every_component_of_load_is_served(tmp_path):
    """Twice the data centres: their load doubles in every hour, out of the rest, and the plant gives the sum of all."""
    runs = [with_loads(tmp_path / f"{twh:g}", "Wuxi", Options(data_centre_twh=twh)) for twh in (12.0, 24.0)]
    one, two = (parts(run) for _, run in runs)
    assert set(one) == {"base", "weather", "ev", "building", "shore_power", "data_centre", "rest"}
    assert_allclose(two["data_centre"], 2.0 * one["data_centre"], rtol=1e-6)
    for name in ("ev", "building", "shore_power", "rest"):
        assert_allclose(two[name], one[name], rtol=1e-9)
    assert (two["base"] < one["base"]).all()
    for (summary, run), of_run in zip(runs, (one, two), strict=True):
        assert_allclose(unit_mw(run, "dear"), sum(of_run.values()), atol=1e-3)
        twh = summary["load_twh_by_component"]["data_centre"]
        assert twh == pytest.approx(of_run["data_centre"].sum() / 1e6)


def test_smart_vehicles_are_load_no_longer(tmp_path):
    """Four tenths of the charging leave the load of every hour."""
    plants = []
    for share in (0.0, 0.4):
        _, run = with_loads(tmp_path / f"{share:g}", "Wuxi", Options(ev_smart_share=share))
        plants.append(unit_mw(run, "dear"))
        if not share:
            charging = parts(run)["ev"]
    assert_allclose(plants[0] - plants[1], 0.4 * charging, atol=1e-3)


def test_industry_answers_to_its_tariff(tmp_path):
    """What leaves the dear hours comes in the cheap ones of the same day, twice as much at twice the elasticity."""
    table = tmp_path / "tariff.csv"
    table.write_text("months,hours,price\n1-12,0-8,0.4\n1-12,8-16,1.0\n1-12,16-24,1.6\n")
    out = []
    for elasticity in (0.0, 0.1, 0.2):
        options = Options(tariff_file=str(table), tariff_elasticity=elasticity)
        _, run = with_loads(tmp_path / f"{elasticity:g}", "Suzhou", options)
        out.append(unit_mw(run, "dear"))
    moved = [later - out[0] for later in out[1:]]
    cheap, dear = HOUR[:H] < 8, HOUR[:H] >= 16
    for mw in moved:
        assert (mw[cheap] > 0).all()
        assert (mw[dear] < 0).all()
        assert_allclose(mw.reshape(2, 24).sum(axis=1), 0.0, atol=1e-3 * np.abs(mw).sum())
    assert_allclose(moved[1][dear], 2.0 * moved[0][dear], rtol=0.02)


def test_vehicles_give_back_at_the_peak_and_still_leave_charged(tmp_path):
    """Half may give back, at 300 CNY: they do in the evening that lacks power, and at 7 h they hold what they must."""
    options = Options(ev_smart_share=0.4, ev_v2g_share=0.5)
    grid, net = Grid(options), one_bus(plant_cost=250.0)
    row = add_store(net, row_of(flexible(grid).storage, "vehicles Wuxi"))
    net.gen["max_p_mw"] = 950.0
    evening = (HOUR >= 18) & (HOUR < 20)
    names = [row[f"{kind}_profile"] for kind in ("demand", "charge", "min_e")]
    load = np.where(evening, 950.0 + 0.25 * row["max_p_mw"], 900.0)
    summary, run = lived(tmp_path, net, load=load, cheap=NIGHT, series=series_of(grid, names, day=DAY))
    plugged = next(iter(series_of(grid, [row["charge_profile"]], day=DAY).values()))[:H]
    given = run.array("storage/discharge_mw")[:, 0]
    most = np.minimum(0.5 * row["max_p_mw"] * plugged, load[:H] - 950.0)
    assert_allclose(given[evening[:H]], most[evening[:H]], atol=0.01)
    assert_allclose(given[~evening[:H]], 0.0, atol=0.01)
    e = run.array("storage/e_mwh")[:, 0]
    assert (e[[6, 30]] >= 0.7 * row["max_e_mwh"] - 1e-3).all()
    assert summary["unserved_mwh"] == pytest.approx((load[:H] - 950.0 - given).clip(min=0.0).sum(), abs=0.1)


def stored(folder: Path, name: str, options: Options | None = None, **more):
    """Two days of a store of the built-in grid; power is free by night."""
    grid, net = Grid(options or Options()), one_bus()
    row = add_store(net, row_of(storage(grid), name))
    summary, run = lived(folder, net, **({"load": 3000.0, "cheap": NIGHT} | more))
    return row, summary, run


@pytest.mark.parametrize("by_unit", [False, True])
def test_pumps_run_whole(tmp_path, by_unit):
    """600 MW are left over for six pumps of 250 MW: two or three of them, where the plant is one of units."""
    _, _, run = stored(tmp_path, "Liyang PSH", Options(pumped_hydro_by_unit=by_unit), load=9400.0)
    charge = run.array("storage/charge_mw")[:5, 0]
    if by_unit:
        assert_allclose(charge, 250.0 * np.round(charge / 250.0), atol=0.01)
        assert charge.sum() == pytest.approx(5 * 600.0, abs=250.0)
    else:
        assert_allclose(charge, 600.0, atol=0.01)


@pytest.mark.parametrize(
    ("name", "owner"), [("Nanjing batteries, grid-side", "grid"), ("Nanjing batteries, user-side", "user")]
)
def test_batteries_of_each_owner_move_their_energy(tmp_path, name, owner):
    """From half to full in the first night and from 5 % to full in the second, at their own losses and wear."""
    row, summary, run = stored(tmp_path, name)
    mwh, eta = row["max_e_mwh"] / 0.95, row["eta_charge"]
    assert eta**2 == pytest.approx({"grid": 0.865, "user": 0.85}[owner])
    charge, given = (run.array(f"storage/{way}_mw")[:, 0] for way in ("charge", "discharge"))
    assert_allclose(charge.reshape(2, 24).sum(axis=1), [0.45 * mwh / eta, 0.9 * mwh / eta], rtol=1e-4)
    assert_allclose(given.reshape(2, 24).sum(axis=1), [0.9 * mwh * eta, 0.45 * mwh * eta], rtol=1e-4)
    assert_allclose(run.array("money/store_cost")[0], 60.0 * given.sum(), rtol=1e-6)
    assert_allclose(summary["unserved_mwh"], 0.0)


def test_shared_batteries_are_rows_of_their_own():
    owners = {str(row["name"]).rsplit(", ", 1)[-1] for row in storage(Grid()) if row["tech"] == "battery"}
    assert owners == {"grid-side", "shared", "user-side"}


def test_compressed_air_gives_back_three_fifths(tmp_path):
    """60 MW, 5 h: the first night fills half of it, the second has six hours; 61 % of what went in comes back."""
    _, _, run = stored(tmp_path, "Jintan CAES")
    charge, given = (run.array(f"storage/{way}_mw")[:, 0] for way in ("charge", "discharge"))
    eta = np.sqrt(0.61)
    assert_allclose(charge.reshape(2, 24).sum(axis=1), [150.0 / eta, 6 * 60.0], rtol=1e-4)
    assert_allclose(given.sum(), 0.61 * charge.sum(), rtol=1e-4)


def test_fuel_cells_turn_hydrogen_back_at_a_peak(tmp_path):
    """50 MW of fuel cells at 50 % take 200 MWh in two hours out of a tank that electrolysers fill by night."""
    options = Options(hydrogen_electrolyser_mw=1000.0, hydrogen_twh=0.0, hydrogen_fuel_cell_mw=200.0)
    grid, net = Grid(options), one_bus(plant_cost=400.0)
    row = add_store(net, row_of(flexible(grid).storage, "hydrogen Yancheng"))
    assert row["min_p_mw"] == pytest.approx(-50.0)
    net.gen["max_p_mw"] = 1000.0
    load = np.where((HOUR == 18) | (HOUR == 19), 1100.0, 900.0)
    series = {f"{row['demand_profile']} [MW]": np.zeros(HOUR.size)}
    summary, run = lived(tmp_path, net, load=load, cheap=NIGHT, series=series)
    given, e = run.array("storage/discharge_mw")[:, 0], run.array("storage/e_mwh")[:, 0]
    peak = (HOUR[:H] == 18) | (HOUR[:H] == 19)
    assert_allclose(given[peak], 50.0, atol=1e-3)
    assert_allclose(e[17] - e[19], 2 * 50.0 / 0.5, atol=0.1)
    assert summary["unserved_mwh"] == pytest.approx(4 * 50.0, abs=0.1)


@pytest.mark.parametrize(("worth", "held"), [(100.0, 0.0), (900.0, 100.0)])
def test_a_store_is_not_emptied_at_a_border_for_no_reason(tmp_path, worth, held):
    """Windows of a day end full where what is left is worth more than the 400 it saves, and empty where less."""
    net = one_bus(plant_cost=400.0)
    pp.create_storage(net, 0, 0.0, 100.0, soc_percent=50.0, min_e_mwh=0.0, name="S", max_p_mw=50.0, min_p_mw=-50.0)
    for column, value in (("tech", "battery"), ("end_rule", "value"), ("end_value", worth), ("eta_charge", 1.0)):
        net.storage[column] = value
    net.storage["eta_discharge"] = 1.0
    horizon = {"hours": H, "window_h": 24, "step_h": 24}
    _, run = lived(tmp_path, net, cheap=NIGHT, horizon=horizon)
    assert_allclose(run.array("storage/e_mwh")[[23, 47], 0], held, atol=1e-2)


def test_a_local_grid_lives_on_what_its_connection_carries_and_its_own(tmp_path):
    """150 MW behind a connection of 100: for three hours its battery gives the 50 that are missing."""
    options = Options(
        local_grid=[{"name": "Park", "city": "Wuxi", "exchange_limit_mw": 100.0, "load_mw": 150.0, "battery_mw": 60.0,
                     "battery_mwh": 300.0}]
    )  # fmt: skip
    grid, net = Grid(options), one_bus()
    b = pp.create_bus(net, vn_kv=220, name="Park", zone="Park")
    pp.create_line_from_parameters(net, b, 0, 20.0, 0.03, 0.3, 10, 2.0, name="connection")
    row = local.batteries(grid)[0]
    pp.create_storages(net, [b], **{column: [value] for column, value in row.items() if column != "bus"})
    park = local.loads(grid)[0]
    pp.create_load(net, b, park["p_mw"], name=park["name"])
    net.load["profile"], net.load["profile_share"] = ["wanted", "park"], 1.0
    net["interface"] = local.interfaces(options)
    net["interface_member"] = pd.DataFrame(
        [("Park", "line", 0, 1.0)], columns=["interface", "element", "element_index", "weight"]
    )
    evening = (HOUR >= 18) & (HOUR < 21)
    summary, run = lived(tmp_path, net, series={"park [MW]": np.where(evening, 150.0, 60.0)})
    flow = run.array("flow/interface_p_mw")[:, 0]
    assert_allclose(flow[evening[:H]], -100.0, atol=0.01)
    assert_allclose(run.array("storage/discharge_mw")[evening[:H], 0], 50.0, atol=0.01)
    assert summary["unserved_mwh"] == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(
    ("fleet", "name", "more_mw", "want"),
    [
        (2024, CROSSING, 0.0, 16_200.0),
        (2030, CROSSING, 0.0, 22_000.0),
        (2024, CROSSING, 1000.0, 17_200.0),
        (2030, "Su-bei out", 0.0, 38_000.0),
        (2024, "Su-zhong out", 0.0, 25_000.0),
        (2024, "Su-nan out", 0.0, 30_000.0),
    ],
)
def test_a_section_carries_what_its_year_has(tmp_path, fleet, name, more_mw, want):
    """90 GW of cheap power on one side, 60 GW of load on the other: what crosses is the limit."""
    sections = jiangsu(Options(fleet=fleet, river_crossing_mw=more_mw))["interface"].set_index("name")
    net = one_bus(cheap_mw=90_000.0)
    b = pp.create_bus(net, vn_kv=220, name="B", zone="B")
    net.sgen["bus"] = b
    pp.create_line_from_parameters(net, b, 0, 20.0, 0.03, 0.3, 10, 300.0, name="across")
    members = [(name, "line", 0, 1.0)]
    if more_mw:
        link = row_of(dc_links(Grid(Options(river_crossing_mw=more_mw))), "Yangtze crossing")
        pp.create_dcline(net, b, 0, 0.0, link["loss_percent"], 0.0, 1.0, 1.0, max_p_mw=link["max_mw"], name="DC")
        members.append((name, "dcline", 0, 1.0))
    net["interface"] = sections.loc[[name], ["limit_mw", "reverse_limit_mw"]].reset_index()
    net["interface_member"] = pd.DataFrame(members, columns=["interface", "element", "element_index", "weight"])
    _, run = lived(tmp_path, net, load=60_000.0, cheap=1.0)
    assert_allclose(run.array("flow/interface_p_mw")[:, 0], want, rtol=1e-6)
    assert_allclose(source_mw(run, "cheap"), want, rtol=1e-6)
