"""Flexible demand as stores, heat-led units, own connections, losses of DC links: amounts that can be told by hand."""

import numpy as np
import pandapower as pp
import pytest
from numpy.testing import assert_allclose
from tiny_grid import HOURS, run_audited, write_grid

from gridsim.errors import InputError
from gridsim.verify import verify

H = 48  # hours of a run: one window sees all of it
HOUR = np.arange(HOURS) % 24
NO_RESERVE = {"up_min_mw": 0.0, "up_load_share": 0.0, "up_renewable_share": 0.0, "down_load_share": 0.0,
              "down_renewable_share": 0.0}  # fmt: skip
NIGHT = (HOUR < 6).astype(float)  # when power is cheap here: PV of the night, for once


def one_bus(*, load_mw: float = 100.0):
    """A load, a dear plant that can carry it, and cheap power from 0 to 6 h, all at A; B hangs on by a DC link."""
    net = pp.create_empty_network(sn_mva=100, name="flexible")
    a = pp.create_bus(net, vn_kv=220, name="A", zone="A")
    pp.create_load(net, a, load_mw, name="D")
    pp.create_gen(net, a, 0.0, min_p_mw=0.0, max_p_mw=500.0, name="dear", slack=True)
    net.gen["tech"], net.gen["must_run"] = "gas", True
    pp.create_poly_cost(net, 0, "gen", 500.0)
    pp.create_sgen(net, a, 0.0, min_p_mw=0.0, max_p_mw=150.0, name="cheap")
    net.sgen["tech"], net.sgen["profile"] = "pv", "cheap"
    pp.create_poly_cost(net, 0, "sgen", 10.0)
    return net


def store(net, *, charge=0.0, discharge=0.0, e_mwh=100.0, start_mwh=50.0, tech="ev", **columns):
    pp.create_storage(
        net, 0, 0.0, e_mwh, soc_percent=100.0 * start_mwh / e_mwh, min_e_mwh=0.0, name=tech, max_p_mw=charge,
        min_p_mw=-discharge,
    )  # fmt: skip
    given = {"tech": tech, "eta_charge": 0.9, "eta_discharge": 0.9, "end_rule": "free"} | columns
    for name, value in given.items():
        net.storage[name] = value
    return net


def across_a_link(net, *, load_mw, least_mw):
    """An island B with a load and little power of its own, at the end of a DC link from A that loses 4 %."""
    b = pp.create_bus(net, vn_kv=220, name="B", zone="B")
    pp.create_load(net, b, load_mw, name="far")
    k = pp.create_ext_grid(net, b, min_p_mw=0.0, max_p_mw=1.0, name="own")
    pp.create_poly_cost(net, k, "ext_grid", 5000.0)
    pp.create_dcline(net, 0, b, 0.0, 4.0, 0.0, 1.0, 1.0, max_p_mw=80.0, name="DC")
    net.dcline["min_p_mw"], net.dcline["controllable"] = least_mw, True
    return net


def lived(tmp_path, net, *, name="run.h5", series=None, **sections):
    given = {"horizon": {"hours": H, "window_h": H, "step_h": H}, "reserve": NO_RESERVE}
    scenario = write_grid(tmp_path, net, series={"cheap [1]": NIGHT} | (series or {}), **(given | sections))
    return run_audited(scenario, tmp_path / name)


def test_vehicles_charge_where_power_is_cheap_and_leave_charged(tmp_path):
    """60 MWh driven a day, 0.9 in: 90 MWh stored at 7 h as asked, and not a MWh of dear power."""
    driven = np.where((HOUR >= 8) & (HOUR < 18), 6.0, 0.0)
    series = {"driven [MW]": driven, "plugged [1]": np.where((HOUR >= 8) & (HOUR < 18), 0.0, 1.0),
              "leave [1]": np.where(HOUR == 7, 0.9, 0.0)}  # fmt: skip
    net = store(one_bus(), charge=30.0, demand_profile="driven", charge_profile="plugged", min_e_profile="leave")
    _, run = lived(tmp_path, net, series=series)
    charge, e = run.array("storage/charge_mw")[:, 0], run.array("storage/e_mwh")[:, 0]
    assert (e[HOUR[:H] == 7] >= 90.0 - 1e-6).all()
    assert_allclose(charge[HOUR[:H] >= 6], 0.0, atol=1e-3)  # only the cheap hours
    # the first day needs 40 MWh more to leave with 90, the second what was driven; never more than that in all
    assert charge[:24].sum() * 0.9 >= 40.0 - 1e-3
    assert_allclose(charge.sum() * 0.9, 100.0, atol=1e-3)
    assert_allclose(run.array("storage/demand_mw")[:, 0], driven[:H], atol=1e-6)


def test_a_window_leaves_what_a_demand_beyond_it_needs(tmp_path):
    """90 MW for the 10 h from 50 h on, 50 MW of charging at 0.9: a window that ends at 48 h must have stored for it."""
    demand = np.where((np.arange(HOURS) >= 50) & (np.arange(HOURS) < 60), 90.0, 0.0)
    net = store(one_bus(), charge=50.0, e_mwh=900.0, tech="hydrogen", demand_profile="demand")
    horizon = {"horizon": {"hours": 72, "window_h": 24, "step_h": 24}}
    _, run = lived(tmp_path, net, series={"demand [MW]": demand}, **horizon)
    e = run.array("storage/e_mwh")[:, 0]
    # 900 MWh less what 95 % of 12 hours of charging bring: 50 to 60 h, and the two before
    want = 900.0 - 12 * 0.95 * 0.9 * 50.0
    assert_allclose(run.array("storage/e_floor_mwh")[47, 0], want, rtol=1e-9)
    assert e[47] >= want - 1e-6
    assert e.min() > -1e-6


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"charge": 10.0}, "would have to hold"),  # 50 MW for ever
        ({"charge": 60.0, "start_mwh": 0.0, "charge_profile": "plugged"}, "starts with 0 MWh"),
    ],
)
def test_a_demand_that_cannot_be_met_is_refused(tmp_path, columns, said):
    series = {"demand [MW]": np.full(HOURS, 50.0), "plugged [1]": (np.arange(HOURS) > 0).astype(float)}
    with pytest.raises(InputError, match=said):
        lived(tmp_path, store(one_bus(), demand_profile="demand", **columns), series=series)


def test_hourly_limits_hold_where_a_store_is_wanted_most(tmp_path):
    """Half of the discharging power is there from 12 h on: the store gives 20 MW before and 10 MW after, never more."""
    half = np.where(HOUR >= 12, 0.5, 1.0)
    net = store(one_bus(), charge=40.0, discharge=20.0, e_mwh=1000.0, start_mwh=1000.0, tech="battery")
    net.storage["discharge_profile"] = "half"
    _, run = lived(tmp_path, net, series={"half [1]": half})
    given = run.array("storage/discharge_mw")[:, 0]
    dear = HOUR[:H] >= 6
    assert_allclose(given[dear], 20.0 * half[:H][dear], atol=1e-3)


def test_heat_holds_a_must_run_unit_between_its_hourly_ends(tmp_path):
    """Heat plant, cheaper than the other: at its most; with power cheaper still in the night, at its least."""
    net = one_bus()
    k = pp.create_gen(net, 0, 40.0, min_p_mw=20.0, max_p_mw=60.0, name="heat")
    net.gen.loc[k, "tech"], net.gen.loc[k, "must_run"] = "coal", True
    pp.create_poly_cost(net, k, "gen", 300.0)
    net.gen["heat_min_profile"], net.gen["heat_max_profile"] = ["", "least"], ["", "most"]
    least, most = np.where(HOUR % 2, 0.5, 0.6), np.where(HOUR % 2, 0.9, 0.8)
    _, run = lived(tmp_path, net, series={"least [1]": least, "most [1]": most})
    p = run.array("dispatch/unit_p_mw")[:, 1]
    night = HOUR[:H] < 6
    assert_allclose(p[night], 60.0 * least[:H][night], atol=1e-3)
    assert_allclose(p[~night], 60.0 * most[:H][~night], atol=1e-3)
    report = verify(tmp_path / "run.h5", windows=1)
    assert report.ok, report.as_text()


def test_heat_wants_a_unit_that_must_run(tmp_path):
    net = one_bus()
    net.gen["must_run"], net.gen["heat_min_profile"] = False, "cheap"
    with pytest.raises(InputError, match="must-run"):
        lived(tmp_path, net)


def test_own_connection_and_hosting_cut_what_is_available(tmp_path):
    """150 MW of PV: 120 MW by its cable; or the 100 MW of load at its bus and 15 MW beyond."""
    for column, value, most in (("export_limit_mw", 120.0, 120.0), ("reverse_limit_mw", 15.0, 115.0)):
        net = one_bus()
        net.sgen[column] = value
        _, run = lived(tmp_path, net, name=f"{column}.h5")
        assert_allclose(run.array("dispatch/source_available_mw")[:, 0], np.minimum(150.0 * NIGHT[:H], most))
        assert_allclose(run.array("dispatch/source_own_mw")[:, 0], (150.0 - most) * NIGHT[:H])


def test_a_farm_that_is_scaled_has_its_cable_scaled_and_not_the_grid(tmp_path):
    """Twice the 150 MW: cables of 2 x 120 MW, or still 15 MW beyond the load of 100."""
    for column, value, most in (("export_limit_mw", 120.0, 240.0), ("reverse_limit_mw", 15.0, 115.0)):
        net = one_bus()
        net.sgen[column] = value
        tech = str(net.sgen["tech"].iloc[0])
        _, run = lived(tmp_path, net, name=f"{column}.h5", scale={tech: 2.0})
        assert_allclose(run.array("dispatch/source_available_mw")[:, 0], np.minimum(300.0 * NIGHT[:H], most))


def test_a_dc_link_delivers_less_than_it_takes(tmp_path):
    """B lives on a link that loses 4 %: 48 MW there are 50 MW at A."""
    net = across_a_link(one_bus(load_mw=100.0), load_mw=48.0, least_mw=0.0)
    summary, run = lived(tmp_path, net)
    assert_allclose(run.array("dispatch/link_p_mw")[:, 0], 50.0, atol=1e-3)
    assert summary["unserved_mwh"] == 0.0
    supply = run.array("dispatch/unit_p_mw").sum(axis=1) + run.array("dispatch/source_p_mw").sum(axis=1)
    assert_allclose(supply, 150.0, atol=1e-3)


def test_a_connection_that_is_eased_off_takes_its_share(tmp_path):
    """120 MW of cable, half of it from 3 h on: of 150 MW of PV 30 are cut before, 90 after."""
    net = one_bus()
    net.sgen["export_limit_mw"], net.sgen["export_profile"] = 120.0, "eased"
    eased = np.where(HOUR >= 3, 0.5, 1.0)
    _, run = lived(tmp_path, net, series={"eased [1]": eased})
    want = np.where(HOUR[:H] >= 3, 90.0, 30.0) * NIGHT[:H]
    assert_allclose(run.array("dispatch/source_own_mw")[:, 0], want)
    own = run.array("curtailment/cause_mw")[:, 0, 0]
    assert_allclose(own, want)


def test_a_share_of_no_limit_is_refused(tmp_path):
    net = one_bus()
    net.sgen["export_profile"] = "cheap"
    with pytest.raises(InputError, match="export_limit_mw"):
        lived(tmp_path, net)
