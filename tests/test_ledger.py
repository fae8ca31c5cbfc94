"""The ledger of peak shaving: a day that can be worked out by hand, whole runs in steps of any length, its prices."""

from types import SimpleNamespace

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from tiny_grid import run_audited, tiny_grid, write_grid

from gridsim.errors import InputError
from gridsim.ledger import Ledger, depth_layers, depth_units
from gridsim.networks.tables import read_table
from gridsim.scenario import Compensation, Scenario, load
from gridsim.schema import DEPTHS, SUPPLIERS

LEAST = {name: 0.0 for way in ("up", "down") for name in (f"{way}_load_share", f"{way}_renewable_share")}


def test_depth_of_three_units_of_100():
    """At 50, 45, 38, 32 and 20 % of 300 MW: what is missing to half, by class."""
    output = np.array([[150.0], [135.0], [114.0], [96.0], [60.0]])
    on, each = np.full((5, 1), 3), np.array([100.0])
    want = [[0, 0, 0, 0], [15, 0, 0, 0], [30, 6, 0, 0], [30, 15, 9, 0], [30, 15, 15, 30]]
    assert_allclose(depth_layers(on, output, each)[:, :, 0], want, atol=1e-9)
    units = [[0, 0, 0, 0], [3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0], [0, 0, 0, 3]]
    assert depth_units(on, output, each).tolist() == units
    assert depth_units(on, np.full((5, 1), 120.0), each)[0].tolist() == [3, 0, 0, 0]  # at 40 %: not below it


def blank(hours, **values):
    """An hour block of one coal row, one gas row, wind, an import, a biomass plant, a store, a battery of cars."""
    given = {
        "on": np.tile([2, 1], (hours, 1)), "start": np.zeros((hours, 2), int), "unit_p": np.zeros((hours, 2)),
        "source": np.zeros((hours, 3)), "source_hi": np.zeros((hours, 3)), "load": np.zeros((hours, 1)),
        "shed": np.zeros((hours, 1)), "spill": np.zeros((hours, 1)), "loss": np.zeros((hours, 0)),
        "discharge": np.zeros((hours, 2)), "charge": np.zeros((hours, 2)), "link": np.zeros((hours, 1)),
    }  # fmt: skip
    return SimpleNamespace(**(given | {name: np.asarray(value, float) for name, value in values.items()}))


def case_of(per_hour=1):
    tables = {
        "units": pd.DataFrame({"tech": ["coal", "gas"], "p_max_mw": [100.0, 80.0]}),
        "sources": pd.DataFrame({"tech": ["wind_onshore", "import", "biomass"]}),
        "stores": pd.DataFrame({"tech": ["battery", "ev"]}),
        "links": pd.DataFrame({"loss_share": [0.05]}),
    }
    return SimpleNamespace(**tables, steps_per_hour=per_hour, dt_h=1.0 / per_hour)


def test_a_day_by_hand():
    """Two hours: the load falls from 300 to 120 while the wind rises from 20 to 80.

    N = 280 and 40, its mean 160: 120 up, 120 down. Gas gives 50 and 10, the import 60 and 35, biomass 10, the battery
    5 and -20, cars charge 0 and 15; 5 MW are shed, then 20 MW curtailed and 40 spilled. Coal, two units of 100, gives
    the rest: 150 and 80, which is 20 MW less than half of what is on.
    """
    case = case_of()
    h = blank(
        2, load=[[300.0], [120.0]], unit_p=[[150.0, 50.0], [80.0, 10.0]], source=[[20, 60, 10], [60, 35, 10]],
        source_hi=[[20, 60, 10], [80, 35, 10]], discharge=[[5, 0], [0, 0]], charge=[[0, 0], [20, 15]],
        shed=[[5.0], [0.0]], spill=[[0.0], [40.0]],
    )  # fmt: skip
    ledger = Ledger(case, Compensation())
    block = ledger.live(h, np.array([[0, 0], [0, 0]]))
    assert_allclose(block["peak_shaving/need_mw"], [120.0, -120.0])
    got = dict(zip(SUPPLIERS, block["peak_shaving/regulation_mw"].T, strict=True))
    want = {
        "gas": [20, -20], "import": [12.5, -12.5], "other": [0, 0], "battery": [5, -20], "demand": [7.5, -7.5],
        "curtailment": [0, -60], "unserved": [5, 0], "coal_50_40": [0, -20], "coal_40_35": [0, 0],
        # mean N 160 less the means of gas 30, import 47.5, biomass 10 and cars -7.5: coal's reference is 80
        "coal_basic": [70.0, 20.0],
    }  # fmt: skip
    for name, values in want.items():
        assert_allclose(got[name], values, atol=1e-9, err_msg=name)
    assert_allclose(block["peak_shaving/regulation_mw"].sum(axis=1), [120.0, -120.0])
    assert_allclose(block["peak_shaving/coal_load_rate"], [0.75, 0.4])
    assert block["peak_shaving/deep_units"].tolist() == [[0, 0, 0, 0], [2, 0, 0, 0]]
    assert_allclose(block["peak_shaving/compensation"], [[0, 0, 0, 0], [20 * 150.0, 0, 0, 0]])
    days = ledger.days()
    assert days["peak_shaving/peak_valley_before_mw"].tolist() == [240.0]
    # coal gives 150 and 80
    assert_allclose(days["peak_shaving/peak_valley_after_mw"], [70.0])
    less = dict(zip(SUPPLIERS, days["peak_shaving/peak_valley_less_mw"][0], strict=True))
    assert less["gas"] == pytest.approx(240.0 - 40.0)
    assert less["battery"] == pytest.approx(240.0 - 25.0)


def test_two_shifts_are_a_stop_and_a_start_of_one_day():
    """Gas stops at hour 2 and starts at 20; coal stops in the first day and starts in the second: no two-shift."""
    ledger = Ledger(case_of(), Compensation())
    start, stop = np.zeros((48, 2), int), np.zeros((48, 2), int)
    stop[2, 1] = start[20, 1] = stop[3, 0] = start[30, 0] = 1
    ledger.live(SimpleNamespace(**{**vars(blank(48)), "start": start}), stop)
    assert ledger.days()["peak_shaving/two_shift_starts"][:, :2].tolist() == [[0, 1], [0, 0]]  # coal, gas


@pytest.mark.parametrize(
    ("sections", "tight"),
    [
        ({"horizon": {"hours": 49}}, False),
        ({"horizon": {"hours": 30, "resolution_min": 15}}, False),
        ({"horizon": {"hours": 40, "window_h": 24, "step_h": 10}, "grid": {"losses": "quadratic"}}, True),
    ],
    ids=["hours", "quarters", "short blocks with losses"],
)
def test_suppliers_give_what_is_needed_in_every_step(tmp_path, sections, tight):
    scenario = write_grid(tmp_path, tiny_grid(tight=tight), **sections)
    _, run = run_audited(scenario, tmp_path / "x.h5")
    regulation, need = run.array("peak_shaving/regulation_mw"), run.array("peak_shaving/need_mw")
    assert need.size == run.steps
    assert np.abs(need).max() > 50.0
    assert (np.abs(regulation.sum(axis=1) - need) <= 1e-6 * np.abs(regulation).sum(axis=1)).all()


def deep_grid(least=20.0):
    """100 MW of coal that must run, beside wind: the load of 30 MW lies below half of it."""
    net = pp.create_empty_network(sn_mva=100)
    pp.create_bus(net, vn_kv=220, name="B", zone="A")
    pp.create_gen(net, 0, 0.0, name="coal", min_p_mw=least, max_p_mw=100.0, slack=True)
    net.gen["tech"], net.gen["must_run"] = "coal", True
    pp.create_poly_cost(net, 0, "gen", 300.0)
    pp.create_load(net, 0, 30.0, name="D")
    return net


def test_deep_coal_is_paid_by_its_depth(tmp_path):
    """At 30 of 100 MW: 10 MW at 7, 5 at the default of 300, 5 at 450, none below 30 %."""
    scenario = write_grid(
        tmp_path, deep_grid(), horizon={"hours": 4}, reserve={**LEAST, "up_min_mw": 0.0},
        ledger={"compensation_cny_per_mwh": {"coal_50_40": 7.0}},
    )  # fmt: skip
    summary, run = run_audited(scenario, tmp_path / "x.h5")
    assert_allclose(run.array("peak_shaving/compensation"), [[70.0, 1500.0, 2250.0, 0.0]] * 4, atol=1e-3)
    assert summary["total_cost"] == pytest.approx(4 * 30.0 * 300.0)  # a transfer is no cost


def test_prices_are_checked():
    with pytest.raises(InputError) as error:
        load(
            "jiangsu-2024", ["ledger.compensation_cny_per_mwh.coal_50_40=-1", "ledger.compensation_cny_per_mwh.coal=2"]
        )
    assert len(error.value.problems) == 2
    assert isinstance(load("jiangsu-2024"), Scenario)
    assert set(Compensation.model_fields) == set(DEPTHS)


def test_default_prices_are_those_of_the_table():
    table = read_table("compensation")
    assert {f"coal_{k}": v for k, v in zip(table["depth_class"], table["cny_per_mwh"], strict=True)} == dict(
        Compensation()
    )
