"""Buses, branches and what is refused, on nets small enough to check by hand."""

import numpy as np
import pandapower as pp
import pytest

from gridsim.net_checks import check_tables
from gridsim.topology import build_topology, read_geo


def small():
    """Two buses, a line of 2 circuits rated 0.5 kA at 110 kV, a reference at the first."""
    net = pp.create_empty_network(sn_mva=100)
    for k in range(2):
        pp.create_bus(net, vn_kv=110, name=f"B{k}", zone="Z", geodata=(119.5 + k, 32.0))
    pp.create_ext_grid(net, 0)
    pp.create_line_from_parameters(net, 0, 1, 10, 0.06, 0.4, 9, 0.5, name="L", parallel=2)
    return net


def topology_of(net):
    assert check_tables(net) == []
    topology, problems = build_topology(net, overload_cost=5.0, balance_cost=9.0)
    assert problems == []
    return topology


def fate_of(topology, element, index):
    found = [n for n in topology.notes if (n.element, n.index) == (element, index)]
    assert len(found) == 1
    return found[0].fate, found[0].why


def test_line_as_rows():
    t = topology_of(small())
    assert t.buses["name"].tolist() == ["B0", "B1"]
    assert t.buses["zone"].tolist() == ["Z", "Z"]
    assert t.buses["reference"].tolist() == [True, False]
    np.testing.assert_allclose(t.buses[["lat_deg", "lon_deg"]], [[32, 119.5], [32, 120.5]])
    branch = t.branches.iloc[0]
    assert branch["x_pu"] == pytest.approx(0.4 * 10 / 2 / (110**2 / 100))
    assert branch["r_pu"] == pytest.approx(0.06 * 10 / 2 / (110**2 / 100))
    assert branch["rating_mw"] == pytest.approx(np.sqrt(3) * 110 * 0.5 * 2)
    assert branch["emergency_rating_mw"] == branch["rating_mw"]
    assert (branch["circuits"], branch["overload_cost"]) == (2, 5.0)


def test_base_power_of_the_net_does_not_matter():
    net = small()
    net.sn_mva = 1.0
    assert topology_of(net).branches["x_pu"].iloc[0] == pytest.approx(0.4 * 10 / 2 / (110**2 / 100))


def test_ratings_use_derating_and_loading_and_emergency():
    net = small()
    net.line["df"], net.line["max_loading_percent"], net.line["emergency_rating_mva"] = 0.5, 80.0, 150.0
    branch = topology_of(net).branches.iloc[0]
    assert branch["rating_mw"] == pytest.approx(np.sqrt(3) * 110 * 0.5 * 2 * 0.4)
    assert branch["emergency_rating_mw"] == 150.0


@pytest.mark.parametrize("value", [np.nan, 99_999.0])
def test_no_current_limit_is_no_limit(value):
    net = small()
    net.line["max_i_ka"] = value
    t = topology_of(net)
    assert np.isinf(t.branches["rating_mw"].iloc[0])
    assert fate_of(t, "line", 0) == ("used", "branch, no limit")


def test_equal_names_are_told_apart():
    net = small()
    pp.create_line_from_parameters(net, 0, 1, 10, 0.06, 0.4, 9, 0.5, name="L")
    assert topology_of(net).branches["name"].tolist() == ["L (line 0)", "L (line 1)"]


def test_merged_bus_is_reported_and_found():
    net = small()
    extra = pp.create_bus(net, vn_kv=110)
    pp.create_switch(net, 1, extra, et="b")
    t = topology_of(net)
    assert len(t.buses) == 2
    assert t.row_of_bus_id == {0: 0, 1: 1, extra: 1}
    assert fate_of(t, "bus", extra) == ("merged", "joined to bus 1 by a closed bus-bus switch")
    assert fate_of(t, "switch", 0) == ("merged", "closed: its two buses are one")


def test_unconnected_bus_is_dead_and_reported():
    net = small()
    lonely = pp.create_bus(net, vn_kv=110)
    t = topology_of(net)
    assert t.dead_bus_ids == {lonely}
    assert fate_of(t, "bus", lonely)[0] == "ignored"


def test_three_winding_transformer_is_a_star():
    net = small()
    mv, lv = pp.create_bus(net, vn_kv=20), pp.create_bus(net, vn_kv=10)
    pp.create_transformer3w_from_parameters(
        net, 1, mv, lv, 110, 20, 10, 40, 25, 15, 10, 10, 10, 0.3, 0.3, 0.3, 0, 0, name="T"
    )
    t = topology_of(net)
    assert t.branches["name"].tolist() == ["L", "T hv", "T mv", "T lv"]
    assert t.buses["bus_id"].tolist() == [0, 1, mv, lv, -1]
    assert t.branches["rating_mw"].tolist()[1:] == [40, 25, 15]


@pytest.mark.parametrize(
    ("element", "column", "value", "where", "says"),
    [
        ("line", "max_i_ka", 0.0, "line.max_i_ka", "must be greater than 0 kA, or absent for no limit, on an element"),
        ("line", "max_i_ka", -1.0, "line.max_i_ka", "line 0 'L' has -1"),
        ("line", "x_ohm_per_km", 0.0, "line.x_ohm_per_km", "finite and not 0"),
        ("line", "x_ohm_per_km", np.nan, "line.x_ohm_per_km", "has nan"),
        ("line", "length_km", 0.0, "line.length_km", "greater than 0 km"),
        ("line", "to_bus", 77, "line.to_bus", "line 0 'L' has 77"),
        ("line", "max_loading_percent", 0.0, "line.max_loading_percent", "greater than 0 %"),
        ("line", "emergency_rating_mva", -5.0, "line.emergency_rating_mva", "has -5"),
        ("line", "parallel", 0, "line.parallel", "at least 1 circuit"),
        ("bus", "vn_kv", 0.0, "bus.vn_kv", "greater than 0 kV"),
        ("ext_grid", "in_service", False, "ext_grid", "no reference"),
    ],
)
def test_refuses(element, column, value, where, says):
    net = small()
    net[element][column] = value
    found = {p.where: p.rule for p in check_tables(net)}
    assert where in found
    assert says in found[where]


def test_zero_rating_out_of_service_is_fine():
    net = small()
    pp.create_line_from_parameters(net, 0, 1, 10, 0.06, 0.4, 9, 0.0, in_service=False)
    t = topology_of(net)
    assert fate_of(t, "line", 1) == ("ignored", "out of service")


def test_emergency_rating_below_rating_is_refused():
    net = small()
    net.line["emergency_rating_mva"] = 10.0
    topology, problems = build_topology(net, 1.0, 2.0)
    assert topology is None
    assert "at least the continuous rating" in str(problems[0])


def test_all_problems_at_once():
    net = small()
    net.line["max_i_ka"], net.line["length_km"], net.bus["vn_kv"] = -1.0, -1.0, 0.0
    assert {p.where for p in check_tables(net)} == {"line.max_i_ka", "line.length_km", "bus.vn_kv"}


def test_empty_network():
    assert "empty" in str(check_tables(pp.create_empty_network())[0])


def test_slack_generator_is_a_reference():
    net = small()
    net.ext_grid["in_service"] = False
    pp.create_gen(net, 1, 10, slack=True)
    t = topology_of(net)
    assert t.buses["reference"].tolist() == [False, True]
    assert t.references == {("gen", 0)}


def test_second_island_balances_by_itself():
    net = small()
    for _ in range(2):
        pp.create_bus(net, vn_kv=110)
    pp.create_line_from_parameters(net, 2, 3, 10, 0.06, 0.4, 9, 0.5)
    pp.create_ext_grid(net, 3)
    t = topology_of(net)
    assert t.branches["element"].tolist() == ["line", "line", "island_balance"]
    balance = t.branches.iloc[2]
    assert (balance["from_row"], balance["to_row"], balance["rating_mw"]) == (3, 4, 0.0)
    assert balance["overload_cost"] == 9.0
    assert t.buses["reference"].tolist() == [True, False, False, False, True]


@pytest.mark.parametrize("text", ["", "nonsense", '{"coordinates": [3000, 2000]}', '{"coordinates": [1]}', "[]"])
def test_no_position_is_nan(text):
    assert np.isnan(read_geo(text)).all()
