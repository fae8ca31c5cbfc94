"""Ramps, start costs by time off and the state before the first hour: one unit's numbers, notes, contradictions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tiny_grid import tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.case import LONG_H
from gridsim.errors import InputError
from gridsim.unit_limits import parse_start_costs

NAN = np.nan


def case_of(tmp_path, net, **sections):
    return assemble(write_grid(tmp_path, net, **sections))


def refusals(tmp_path, net):
    with pytest.raises(InputError) as found:
        assemble(write_grid(tmp_path, net))
    return {problem.where: problem.rule for problem in found.value.problems}


def note(case, name):
    (found,) = [n.why for n in case.notes if n.name == name]
    return found


def test_a_net_without_these_columns_has_no_limits(tmp_path):
    c = case_of(tmp_path, tiny_grid())
    for name in ("ramp_up_mw_per_h", "ramp_down_mw_per_h", "start_ramp_mw", "stop_ramp_mw"):
        assert (c.units[name] == np.inf).all()
    assert c.units["initial_hours"].tolist() == [LONG_H] * 3
    assert c.units["initial_hours"].dtype == np.int64
    assert c.units["initial_p_mw"].isna().all()
    assert not c.units["quick_start"].any()
    assert c.unit_start_lag_h.tolist() == [[0], [0], [0]]
    assert c.unit_start_lag_h.dtype == np.int64
    assert c.unit_start_cost.tolist() == [[9000], [2000], [3000]]
    assert c.units["start_cost"].tolist() == [9000, 2000, 3000]


def test_limits_of_rows_become_those_of_one_unit(tmp_path):
    net = tiny_grid()  # coal 3 x 40..100 MW, gas 2 x 20..80 MW, heat 20..50 MW
    net.gen["ramp_up_mw_per_h"], net.gen["ramp_down_mw_per_h"] = [90.0, NAN, 10.0], [120.0, 50.0, NAN]
    net.gen["start_ramp_mw"], net.gen["stop_ramp_mw"] = [45.0, 20.0, NAN], [NAN, 30.0, 25.0]
    c = case_of(tmp_path, net)
    assert c.units["ramp_up_mw_per_h"].tolist() == [30, np.inf, 10]
    assert c.units["ramp_down_mw_per_h"].tolist() == [40, 25, np.inf]
    assert c.units["start_ramp_mw"].tolist() == [45, 20, np.inf]
    assert c.units["stop_ramp_mw"].tolist() == [np.inf, 30, 25]
    said = note(c, "G")
    assert "rises at most 30 MW/h a unit" in said
    assert "falls at most 40 MW/h a unit" in said
    assert "at most 45 MW a unit in its first hour on" in said
    assert "not enforced" not in said
    assert "rises" not in note(c, "gas")
    c = case_of(tmp_path, net, scale={"coal": 2.0})
    assert c.units["ramp_up_mw_per_h"].tolist() == [60, np.inf, 20]
    assert c.units["start_ramp_mw"].tolist() == [90, 20, np.inf]


def test_limits_that_cannot_bind_are_not_said(tmp_path):
    net = tiny_grid()
    net.gen["ramp_up_mw_per_h"], net.gen["start_ramp_mw"] = [180.0, NAN, NAN], [100.0, NAN, NAN]
    assert "at most" not in note(case_of(tmp_path, net), "G")


def test_start_categories_are_padded_with_their_last(tmp_path):
    net = tiny_grid()
    net.gen["start_cost"] = [0.0, 2000.0, 0.0]
    net.gen["start_cost_by_hours_off"] = ["2:393.28 8:455.37  16:665.11", "", "4:10 6:10"]
    c = case_of(tmp_path, net)
    assert c.unit_start_lag_h.tolist() == [[2, 8, 16], [0, 0, 0], [4, 6, 6]]
    assert_allclose(c.unit_start_cost, [[393.28, 455.37, 665.11], [2000] * 3, [10] * 3])
    assert c.units["start_cost"].tolist() == [393.28, 2000, 10]
    assert "start cost by hours off: 393.28 from 2 h, 455.37 from 8 h, 665.11 from 16 h" in note(c, "G")
    c = case_of(tmp_path, net, scale={"coal": 2.0})
    assert_allclose(c.unit_start_cost[0], [786.56, 910.74, 1330.22])


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("0:1", [(0, 1.0)]),
        ("2:3.5 10:1e3", [(2, 3.5), (10, 1000.0)]),
        ("2", None),
        ("2:", None),
        ("2:3,4:5", None),
        ("1.5:3", None),
        ("-1:3", None),
        ("1:-3", None),
        ("1:nan", None),
        ("1:inf", None),
    ],
)
def test_start_costs_are_parsed(text, pairs):
    assert parse_start_costs(text) == pairs


def test_the_state_before_the_first_hour_is_taken(tmp_path):
    net = tiny_grid()
    net.gen["initial_on"] = [2, NAN, 0]
    net.gen["initial_hours"] = [5, NAN, NAN]
    net.gen["initial_p_mw"] = [150.0, NAN, 0.0]
    c = case_of(tmp_path, net)
    assert c.units["initial_on"].tolist()[::2] == [2, 0]  # a must-run unit may have been off
    assert c.units["initial_on"].dtype == np.int64
    assert c.units["initial_hours"].tolist() == [5, LONG_H, LONG_H]
    assert_allclose(c.units["initial_p_mw"], [150.0, NAN, 0.0])
    assert "before the first hour 2 on at 150 MW, 5 h so" in note(c, "G")


def test_units_whose_state_is_not_given_cover_the_rest(tmp_path):
    net = tiny_grid(sources=False, stores=False)
    free = case_of(tmp_path, net).units["initial_on"].tolist()
    net.gen["initial_on"] = [0, NAN, NAN]
    held = case_of(tmp_path, net).units["initial_on"].tolist()
    assert free[0] > 0
    assert held[0] == 0
    assert held[1] > free[1]


@pytest.mark.parametrize(
    ("columns", "where", "says"),
    [
        ({"start_ramp_mw": [39.0, NAN, NAN]}, "start_ramp_mw", "gen 0 'G' has 39 MW with a minimum of 40 MW"),
        ({"stop_ramp_mw": [NAN, 19.0, NAN]}, "stop_ramp_mw", "gen 1 'gas' has 19 MW with a minimum of 20 MW"),
        ({"ramp_down_mw_per_h": [0.0, NAN, NAN]}, "ramp_down_mw_per_h", "greater than 0 MW/h, or empty"),
        ({"reserve_mw_per_min": [-1.0, NAN, NAN]}, "reserve_mw_per_min", "0 MW/min or more"),
        ({"initial_on": [4, NAN, NAN]}, "initial_on", "gen 0 'G' has 4 of 3 units"),
        ({"initial_on": [1.5, NAN, NAN]}, "initial_on", "must be a whole number"),
        ({"initial_hours": [3, NAN, NAN]}, "initial_hours", "empty where initial_on is not given"),
        ({"initial_p_mw": [NAN, 30.0, NAN]}, "initial_p_mw", "empty where initial_on is not given"),
        ({"initial_on": [1, 1, 1], "initial_hours": [0, 1, 1]}, "initial_hours", "1 h or more"),
        (
            {"initial_on": [2, 1, 1], "initial_p_mw": [201.0, 20.0, 50.0]},
            "initial_p_mw",
            "1 of 3 is not (gen 0 'G' has 201 MW, with 2 units on 80 to 200 MW)",
        ),
        (
            {"initial_on": [2, 1, 0], "initial_p_mw": [80.0, 20.0, 1.0]},
            "initial_p_mw",
            "gen 2 'heat' has 1 MW, with 0 units on 0 to 0 MW",
        ),
    ],
)
def test_refuses_contradictions(tmp_path, columns, where, says):
    net = tiny_grid()
    for name, values in columns.items():
        net.gen[name] = values
    found = refusals(tmp_path, net)
    assert list(found) == [f"gen.{where}"]
    assert says in found[f"gen.{where}"]


@pytest.mark.parametrize(
    ("text", "start_cost", "says"),
    [
        ("2-390", 0.0, "pairs 'hours:cost' such as '2:390 8:460'"),
        ("8:390 2:460", 0.0, "in rising order of hours: 1 of 3 is not (gen 0 'G' has '8:390 2:460')"),
        ("8:390 8:460", 0.0, "in rising order of hours"),
        ("2:390 8:380", 0.0, "costs that do not fall with the hours off: 1 of 3 is not (gen 0 'G' has '2:390 8:380')"),
        ("2:390", 5.0, "empty where start_cost is given: 1 of 3 is not (gen 0 'G' has '2:390' and start_cost 5)"),
    ],
)
def test_refuses_start_costs(tmp_path, text, start_cost, says):
    net = tiny_grid()
    net.gen.loc[0, "start_cost"] = start_cost
    net.gen["start_cost_by_hours_off"] = [text, "", ""]
    found = refusals(tmp_path, net)
    assert list(found) == ["gen.start_cost_by_hours_off"]
    assert says in found["gen.start_cost_by_hours_off"]


def test_refuses_more_units_on_than_are_available(tmp_path):
    net = tiny_grid()
    net.gen["initial_on"] = [3, NAN, NAN]
    scenario = write_grid(tmp_path, net, horizon={"start": "2024-01-01T20:00", "hours": 24})  # one of three is out
    with pytest.raises(InputError, match=r"gen.initial_on must be at most the units available .* gen 0 'G' has 3 of 2"):
        assemble(scenario)


def test_contradictions_are_listed_at_once(tmp_path):
    net = tiny_grid()
    net.gen["start_ramp_mw"], net.gen["initial_on"] = [1.0, NAN, NAN], [9, NAN, NAN]
    net.gen["start_cost_by_hours_off"] = ["2:390", "", ""]  # beside start_cost
    net.storage["min_charge_mw"] = [41.0, 0.0]
    assert set(refusals(tmp_path, net)) == {
        "gen.start_ramp_mw", "gen.initial_on", "gen.start_cost_by_hours_off", "storage.min_charge_mw",
    }  # fmt: skip


def test_rows_out_of_service_are_not_judged(tmp_path):
    net = tiny_grid()
    net.gen["initial_on"], net.gen.loc[1, "in_service"] = [NAN, 9, NAN], False
    assert case_of(tmp_path, net).units["name"].tolist() == ["G", "heat"]


@pytest.mark.parametrize(
    ("column", "value"),
    [("start_ramp_mw", 30.0), ("stop_ramp_mw", 30.0), ("initial_on", 1), ("quick_start", True),
     ("start_cost_by_hours_off", "1:5")],
)  # fmt: skip
def test_each_of_these_makes_a_row_a_committed_unit(tmp_path, column, value):
    net = tiny_grid()
    net.gen.loc[2, ["tech", "units", "min_up_h", "min_down_h", "start_cost", "no_load_cost", "must_run"]] = [
        "biomass", 1, 1, 1, 0.0, 0.0, False,
    ]  # fmt: skip
    net.pwl_cost.drop(net.pwl_cost.index[2], inplace=True)
    assert "heat" in case_of(tmp_path, net).sources["name"].tolist()
    net.gen[column] = [value if i == 2 else ("" if isinstance(value, str) else NAN) for i in range(3)]
    if isinstance(value, bool):
        net.gen[column] = [False, False, True]
    c = case_of(tmp_path, net)
    assert "heat" in c.units["name"].tolist()
    assert not c.units["must_run"].any()


def test_a_source_keeps_the_smaller_ramp_and_says_what_has_no_effect(tmp_path):
    net = tiny_grid()
    net.sgen["ramp_up_mw_per_h"], net.sgen["ramp_down_mw_per_h"] = [NAN, NAN, 15.0], [5.0, NAN, 12.0]
    net.sgen["initial_p_mw"], net.sgen["initial_on"] = [NAN, NAN, 30.0], [NAN, NAN, 1]
    net.sgen["reserve_mw_per_min"] = [NAN, NAN, 3.0]
    c = case_of(tmp_path, net)
    assert c.sources["ramp_mw_per_h"].tolist() == [np.inf, np.inf, 12]
    assert c.sources["ramp_up_mw_per_h"].tolist() == [np.inf, np.inf, 15]
    assert c.sources["ramp_down_mw_per_h"].tolist() == [np.inf, np.inf, 12]
    assert "moves at most 12 MW/h, the smaller of 15 up and 12 down" in note(c, "X")
    assert "reserve_mw_per_min, initial_on, initial_p_mw without effect: it is no committed unit" in note(c, "X")
    assert "ramp limit not enforced" in note(c, "W")
