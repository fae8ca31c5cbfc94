"""Rows of flexible demand as the built-in grid has them, dispatched at one bus: amounts that can be told by hand."""

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from tiny_grid import HOURS, run_audited, write_grid

from gridsim.element_rows import StoreSpec
from gridsim.networks.jiangsu_fleet import Grid
from gridsim.networks.jiangsu_flexible import flexible
from gridsim.networks.options import Options
from gridsim.profiles import make_year
from gridsim.profiles.year import SITE_COLUMNS
from gridsim.scenario import Horizon
from gridsim.store_limits import check_notices
from gridsim.summary_demand import demand_tables

H = 48  # hours of a run: one window sees all of it
HOUR = np.arange(HOURS) % 24
NIGHT = (HOUR < 6).astype(float)
WUXI_MW = 146_200 * 0.12415 * 1.03  # the peak that shares are of
NO_RESERVE = {"up_min_mw": 0.0, "up_load_share": 0.0, "up_renewable_share": 0.0, "down_load_share": 0.0,
              "down_renewable_share": 0.0}  # fmt: skip


def one_bus(*, load_mw, plant_mw, plant_cost):
    """A load, a plant, and power for 10 from 0 to 6 h."""
    net = pp.create_empty_network(sn_mva=100, name="demand")
    a = pp.create_bus(net, vn_kv=220, name="A", zone="A")
    pp.create_load(net, a, load_mw, name="D")
    net.load["profile"], net.load["profile_share"] = "wanted", 1.0
    pp.create_gen(net, a, 0.0, min_p_mw=0.0, max_p_mw=plant_mw, name="plant", slack=True)
    net.gen["tech"], net.gen["must_run"] = "gas", True
    pp.create_poly_cost(net, 0, "gen", plant_cost)
    pp.create_sgen(net, a, 0.0, min_p_mw=0.0, max_p_mw=10_000.0, name="cheap")
    net.sgen["tech"], net.sgen["profile"] = "pv", "cheap"
    pp.create_poly_cost(net, 0, "sgen", 10.0)
    return net


def lived(tmp_path, city, day, *, load_mw, plant_mw=10_000.0, plant_cost=400.0, cheap=NIGHT, **options):
    """Two days from `day` of the year on, with what `options` put on the substations of a city, one row of it."""
    grid = Grid(Options(**options))
    (row,) = (row for row in flexible(grid).storage if f" {city} " in row["name"])
    net = one_bus(load_mw=float(np.max(load_mw)), plant_mw=plant_mw, plant_cost=plant_cost)
    pp.create_storages(net, [0], **{name: [value] for name, value in row.items() if name != "bus"})
    used = [row[name] for name in row if name.endswith("_profile") and row[name]]
    sites = pd.DataFrame([site for site in grid.profiles if site["profile"] in used], columns=list(SITE_COLUMNS))
    made = make_year(sites)
    series = {
        f"{name} [{made.units[made.names.index(name)]}]": made.column(name)[24 * day : 24 * day + HOURS]
        for name in used
    }
    series |= {"wanted [MW]": np.broadcast_to(load_mw, HOURS), "cheap [1]": cheap}
    sections = {"horizon": {"hours": H, "window_h": H, "step_h": H}, "reserve": NO_RESERVE}
    summary, run = run_audited(write_grid(tmp_path, net, series=series, **sections), tmp_path / "run.h5")
    return summary, run, row, {name: made.column(name)[24 * day : 24 * day + H] for name in used}


def test_a_call_lasts_its_hours_and_what_is_longer_is_shed(tmp_path):
    """150 MW are lacking from 18 to 21 h. The block has 2 h of 187 MW and what flows in while it is called."""
    load = np.where((HOUR >= 18) & (HOUR < 21) & (np.arange(HOURS) < 24), 1150.0, 900.0)
    summary, run, _, series = lived(
        tmp_path, "Wuxi", 9, load_mw=load, plant_mw=1000.0, cheap=np.zeros(HOURS), dr_interruptible_share=0.01
    )
    mw = 0.01 * WUXI_MW
    refill = series["dr_refill/Wuxi"][0]
    assert refill == pytest.approx(20 * 2 * mw / (124 * 24), abs=1e-3)
    given = run.array("storage/discharge_mw")[:, 0]
    assert_allclose(given[:18], 0.0, atol=1e-3)
    assert_allclose(given.sum(), 2 * mw + 3 * refill, atol=0.1)
    assert summary["unserved_mwh"] == pytest.approx(450.0 - given.sum(), abs=0.1)


def test_nobody_is_called_before_notice_could_be_given(tmp_path):
    """150 MW are lacking from 18 to 21 h. With 20 h of notice only the last hour is called: 300 MWh are shed."""
    load = np.where((HOUR >= 18) & (HOUR < 21) & (np.arange(HOURS) < 24), 1150.0, 900.0)
    summary, run, _, _ = lived(
        tmp_path, "Wuxi", 9, load_mw=load, plant_mw=1000.0, cheap=np.zeros(HOURS), dr_interruptible_share=0.01,
        dr_notice_h=20.0,
    )  # fmt: skip
    given = run.array("storage/discharge_mw")[:, 0]
    assert_allclose(given, np.where(np.arange(H) == 20, 150.0, 0.0), atol=1e-3)
    assert summary["unserved_mwh"] == pytest.approx(300.0, abs=0.1)


@pytest.mark.parametrize(
    ("window_h", "step_h", "hours", "seen_h"),
    [(48, 24, 96, 24), (24, 24, 96, 0), (36, 24, 96, 12), (72, 24, 96, 48), (30, 18, 96, 12), (48, 48, 48, None)],
)
def test_a_notice_beyond_what_windows_see_is_refused(window_h, step_h, hours, seen_h):
    """Against every hour of many windows, by hand: the first window that sees it, before the one that keeps it."""
    horizon, table = (
        Horizon(window_h=window_h, step_h=step_h),
        pd.DataFrame([{"element": "storage", "element_index": 0, "name": "S"}]),
    )
    starts = np.arange(0, 50 * step_h, step_h)
    kept = range(20 * step_h, 21 * step_h)  # of a window in the middle of a run
    if seen_h is not None:
        assert min(t - starts[(starts <= t) & (t < starts + window_h)].min() for t in kept) == seen_h
    for notice_h, refused in (
        (seen_h, False),
        (None if seen_h is None else seen_h + 1, True),
        (500, seen_h is not None),
    ):
        if notice_h is not None:
            found = check_notices(table, [StoreSpec("", 1.0, 1.0, notice_h=float(notice_h))], horizon, hours)
            assert bool(found) == refused


def test_a_shift_is_done_ahead_where_power_is_cheap(tmp_path):
    """A working week: 6 h at 0.7 P and 1 / 1.05 fill the 4 h of P that may be ahead; by day they are taken back."""
    _, run, _, _ = lived(tmp_path, "Wuxi", 71, load_mw=2000.0, dr_shiftable_share=0.02)
    mw = 0.02 * WUXI_MW
    charge, given = run.array("storage/charge_mw")[:, 0], run.array("storage/discharge_mw")[:, 0]
    night = HOUR[:H] < 6
    assert_allclose(charge[night], 0.7 * mw, atol=0.01)
    assert_allclose(given.reshape(2, 24).sum(axis=1), 4.0 * mw, atol=0.1)
    assert_allclose(charge.sum(), 1.05 * given.sum(), atol=0.1)
    e = run.array("storage/e_mwh")[:, 0]
    assert (e[23::24] >= 4.0 * mw - 1e-3).all()  # nothing is owed at midnight


def test_a_shift_is_put_off_and_settled_on_the_same_day(tmp_path):
    """Cheap power from 21 h on: what is put off before is done by midnight, 5 % more of it.

    What is owed is at most what 95 % of charging can settle; the first evening also does 5 % ahead for the next day.
    """
    late = (HOUR >= 21).astype(float)
    _, run, _, series = lived(tmp_path, "Wuxi", 71, load_mw=2000.0, cheap=late, dr_shiftable_share=0.02)
    mw = 0.02 * WUXI_MW
    charge, given = run.array("storage/charge_mw")[:, 0], run.array("storage/discharge_mw")[:, 0]
    assert_allclose(charge[~late[:H].astype(bool)], 0.0, atol=0.01)
    evening = mw * series["dr_hours/Wuxi"][21:24].sum()
    assert_allclose(charge.reshape(2, 24).sum(axis=1), [evening, 0.95 * evening], atol=0.1)
    assert_allclose(given.sum(), 1.95 * evening / 1.05, atol=0.1)


def test_rooms_are_left_alone_while_power_is_cheap_enough(tmp_path):
    """400 is less than the 500 of discomfort: nothing is left out and nothing cooled ahead."""
    _, run, row, _ = lived(tmp_path, "Wuxi", 200, load_mw=2000.0, cheap=np.zeros(HOURS), ac_flexible_share=0.1)
    mw = 0.1 * 0.35 * WUXI_MW
    assert_allclose(row["max_e_mwh"], 2 * mw)
    for way in ("charge", "discharge"):
        assert_allclose(run.array(f"storage/{way}_mw")[:, 0], 0.0, atol=1e-2)


def test_rooms_give_at_a_peak_what_comfort_leaves(tmp_path):
    """Two hours lack power. Cooled down before, a room gives at most the loss of its range more than it holds."""
    load = np.where((HOUR >= 13) & (HOUR < 15) & (np.arange(HOURS) < 24), 1200.0, 900.0)
    summary, run, _, series = lived(
        tmp_path, "Wuxi", 200, load_mw=load, plant_mw=1000.0, cheap=np.zeros(HOURS), ac_flexible_share=0.1
    )
    mw = 0.1 * 0.35 * WUXI_MW
    given, charge = run.array("storage/discharge_mw")[:, 0], run.array("storage/charge_mw")[:, 0]
    peak = slice(13, 15)
    assert_allclose(given[peak], 200.0, atol=0.01)
    assert summary["unserved_mwh"] == 0.0
    assert (given <= mw * series["ac_hours/Wuxi"] + 1e-3).all()
    assert (charge[:13].sum() > 0) == (run.array("storage/e_mwh")[12, 0] > mw + 1.0)  # cooled ahead, if at all


def test_a_tank_is_filled_while_power_is_cheap(tmp_path):
    """Yancheng has a quarter: 250 MW at 65 %, and its demand of 0.25 x 1.3 TWh is served from 6 h of the night."""
    flat = {"hydrogen_electrolyser_mw": 1000.0, "hydrogen_twh": 0.25 * 1e-6 * 8784 * 650.0}
    summary, run, row, series = lived(tmp_path, "Yancheng", 71, load_mw=2000.0, **flat)
    charge = run.array("storage/charge_mw")[:, 0]
    taken = series["hydrogen_demand/Yancheng"]
    assert_allclose(taken, 0.25 * 0.25 * 650.0, atol=1e-3)
    assert_allclose(charge.sum() * 0.65, taken.sum(), atol=0.1)
    assert_allclose(charge[HOUR[:H] < 6], 250.0, atol=0.01)
    assert_allclose(charge[HOUR[:H] >= 6], 0.0, atol=0.01)
    assert row["max_e_mwh"] == pytest.approx(250.0 * 0.65 * 24)
    told = summary["flexible_gwh"]["hydrogen"]["A"]
    assert told["charged"] == pytest.approx(charge.sum() / 1e3)
    assert told["used"] == pytest.approx(taken.sum() / 1e3)
    assert summary["load_twh_by_zone"] == {"A": {"load": pytest.approx(2000.0 * H / 1e6)}}
    assert "hydrogen" in str([c.header for table in demand_tables(summary) for c in table.columns])
