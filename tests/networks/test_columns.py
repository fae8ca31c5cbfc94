"""The check of extra columns finds typos, wrong types and values out of range, and names what would be right."""

import copy

import numpy as np
import pandapower as pp
import pandapower.networks as nw
import pytest

from gridsim.networks.columns import (
    COLUMNS,
    ELEMENTS,
    check_columns,
    closest,
    columns_of,
    fill_defaults,
    standard_columns,
)


def texts(net):
    return [str(problem) for problem in check_columns(net)]


@pytest.fixture
def small(net):
    return copy.deepcopy(net)


def test_jiangsu_has_no_problem(net):
    assert check_columns(net) == []


@pytest.mark.parametrize("make", [nw.case9, nw.case118, nw.create_cigre_network_mv, nw.example_multivoltage])
def test_nets_of_pandapower_have_no_problem(make):
    assert check_columns(make()) == []


@pytest.mark.parametrize(
    ("element", "typo", "right"),
    [
        ("gen", "min_up_hours", "min_up_h"),
        ("gen", "min_up", "min_up_h"),
        ("gen", "Tech", "tech"),
        ("gen", "ramp_mw_per_h", "ramp_up_mw_per_h"),
        ("gen", "start_costs", "start_cost"),
        ("gen", "unit", "units"),
        ("sgen", "profil", "profile"),
        ("sgen", "curtailible", "curtailable"),
        ("storage", "eta_discharging", "eta_discharge"),
        ("storage", "e_end", "e_end_mwh"),
        ("line", "emergency_rating", "emergency_rating_mva"),
        ("load", "profile-share", "profile_share"),
    ],
)
def test_a_typo_is_named(small, element, typo, right):
    small[element][typo] = 1.0
    (text,) = texts(small)
    assert text.startswith(f"{element}.{typo} is not a column")
    assert f"did you mean {right!r}?" in text


@pytest.mark.parametrize("name", ["owner", "voltLvl", "subnet", "x", "substation_id", "origin_class", "price_zone"])
def test_other_columns_are_the_users_own(small, name):
    for element in ELEMENTS:
        small[element][name] = 1.0
    assert check_columns(small) == []


def test_wrong_type(small):
    small.gen["min_up_h"] = "eight"
    small.gen["must_run"] = 0.5
    small.sgen["tech"] = 7
    found = texts(small)
    assert len(found) == 3
    assert any("gen.min_up_h must be a whole number: 121 of 121 are not (id 0 has 'eight'" in text for text in found)
    assert any("gen.must_run must be True or False" in text and "and 118 more" in text for text in found)
    assert any("sgen.tech must be text" in text for text in found)


def test_out_of_range(small):
    small.gen.loc[9, "start_cost"] = -0.4
    small.storage.loc[2, "eta_charge"] = 1.2
    small.storage["end_rule"] = "cycle"
    small.gen.loc[3, "units"] = 0
    small.line.loc[4, "emergency_rating_mva"] = -5.0
    found = "\n".join(texts(small))
    assert "gen.start_cost must be 0 currency or more: 1 of 121 is not (id 9 has -0.4)" in found
    assert "storage.eta_charge must be from 0.01 to 1: 1 of 29 is not (id 2 has 1.2)" in found
    assert "storage.end_rule must be one of fixed, value, free, cyclic: 29 of 29 are not" in found
    assert "gen.units must be 1 or more: 1 of 121 is not (id 3 has 0)" in found
    assert "line.emergency_rating_mva must be 0 MVA or more" in found


def test_a_store_whose_efficiency_was_forgotten(small):
    """Where none has any, as in a net of pandapower's own, the default holds."""
    small.storage.loc[[2, 5], "eta_charge"] = np.nan
    small.storage.loc[7, "eta_discharge"] = np.nan
    rule = "must stand with every store or with none:"
    assert texts(small) == [
        f"storage.eta_charge {rule} 2 of 29 without (id 2, id 5)",
        f"storage.eta_discharge {rule} 1 of 29 without (id 7)",
    ]
    small.storage = small.storage.drop(columns=["eta_charge", "eta_discharge"])
    assert check_columns(small) == []


def test_whole_numbers_may_be_floats(small):
    small.gen["min_up_h"] = small.gen["min_up_h"].astype(float)
    assert check_columns(small) == []
    small.gen.loc[5, "min_up_h"] = 2.5
    assert "gen.min_up_h must be a whole number: 1 of 121 is not (id 5 has 2.5)" in texts(small)[0]
    small.gen.loc[5, "min_up_h"] = np.inf
    assert "id 5 has inf" in texts(small)[0]


def test_misspelt_technology(small):
    small.gen.loc[0, "tech"] = "nucler"
    small.sgen.loc[1, "tech"] = "geothermal"  # unknown, but no typo of a known one
    (text,) = texts(small)
    assert "gen.tech has 'nucler': did you mean 'nuclear'?" in text


def test_defaults_on_a_net_without_our_columns():
    net = nw.create_cigre_network_mv(with_der="pv_wind")
    fill_defaults(net)
    assert check_columns(net) == []
    for column in COLUMNS:
        assert column.name in net[column.element]
    assert set(net.sgen["tech"]) == {"pv", "wind_onshore"}  # from pandapower's type: PV, WP
    assert net.sgen["curtailable"].all()
    assert net.sgen["units"].dtype == np.int64
    assert net.sgen["must_run"].dtype == np.bool_
    assert not net.sgen["reserve_up"].any()


def test_defaults_keep_what_is_there_and_fill_gaps():
    net = nw.case9()
    net.gen["units"] = [3.0, np.nan]
    net.gen["tech"] = ["gas", None]
    fill_defaults(net)
    assert list(net.gen["units"]) == [3, 1]
    assert list(net.gen["tech"]) == ["gas", "other"]
    assert net.gen["reserve_up"].all()


def test_filling_twice_changes_nothing(net):
    again = copy.deepcopy(net)
    fill_defaults(again)
    for element in ELEMENTS:
        assert pp.toolbox.dataframes_equal(again[element], net[element])


def test_names_are_ours_alone():
    """No extra column shadows one of pandapower's."""
    for element in ELEMENTS:
        own = set(columns_of(element)) & standard_columns(element)
        assert own - {"controllable"} == set()


def test_closest():
    assert closest("min_down_hours", ["min_up_h", "min_down_h"]) == "min_down_h"
    assert closest("colour", ["min_up_h", "tech"]) is None
