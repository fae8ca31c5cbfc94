"""PTDF: closed forms on small networks, what holds on every network, and pandapower's rundcpp as the judge."""

import copy

import numpy as np
import pandapower as pp
import pandapower.networks as pn
import pytest
from numpy.testing import assert_allclose

from gridsim.kernels.network import label_islands, ptdf, shift_offset_mw
from gridsim.net_checks import check_tables
from gridsim.topology import build_topology

ONE_REFERENCE = np.array([0])


def rows(*values):
    return np.array(values, dtype=np.int64)


def test_triangle_of_equal_lines_splits_two_to_one():
    h = ptdf(rows(0, 1, 0), rows(1, 2, 2), np.full(3, 0.1), 3, ONE_REFERENCE)
    assert_allclose(h, [[0, -2 / 3, -1 / 3], [0, 1 / 3, -1 / 3], [0, -1 / 3, -2 / 3]], atol=1e-15)


def test_parallel_circuits_share_by_susceptance_and_equal_one_branch():
    two = ptdf(rows(0, 0, 1), rows(1, 1, 2), np.array([0.1, 0.3, 0.2]), 3, ONE_REFERENCE)
    assert_allclose(two[:2, 1], [-0.75, -0.25], atol=1e-15)
    one = ptdf(rows(0, 1), rows(1, 2), np.array([0.075, 0.2]), 3, ONE_REFERENCE)
    assert_allclose(two[:2].sum(axis=0), one[0], atol=1e-15)


def test_islands_do_not_see_each_other():
    h = ptdf(rows(0, 2), rows(1, 3), np.array([0.1, 0.2]), 4, rows(0, 3))
    assert_allclose(h, [[0, -1, 0, 0], [0, 0, 1, 0]], atol=1e-15)


def test_islands_are_numbered_by_their_first_bus():
    assert label_islands(rows(4, 2), rows(1, 3), 6).tolist() == [0, 1, 2, 2, 1, 3]


def test_a_bus_alone_is_an_island():
    assert ptdf(rows(), rows(), np.zeros(0), 1, ONE_REFERENCE).shape == (0, 1)


def test_some_branches_only_are_the_same_rows():
    f, t, x, nb = random_network(seed=1, nb=30, extra=25)
    every = ptdf(f, t, x, nb, ONE_REFERENCE)
    some = rows(7, 3, 50)
    assert_allclose(ptdf(f, t, x, nb, ONE_REFERENCE, some), every[some], atol=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_flows_leave_every_bus_as_injected(seed):
    f, t, x, nb = random_network(seed, nb=40, extra=30)
    h = ptdf(f, t, x, nb, ONE_REFERENCE)
    incidence = np.zeros((f.size, nb))
    incidence[np.arange(f.size), f], incidence[np.arange(f.size), t] = 1, -1
    injection = np.random.default_rng(seed).normal(0, 100, nb)
    injection[0] -= injection.sum()
    assert_allclose(incidence.T @ (h @ injection), injection, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_reference_does_not_matter_for_balanced_injections(seed):
    f, t, x, nb = random_network(seed, nb=25, extra=20)
    injection = np.random.default_rng(seed).normal(0, 100, nb)
    injection[0] -= injection.sum()
    first, other = (ptdf(f, t, x, nb, rows(k)) @ injection for k in (0, 17))
    assert_allclose(first, other, atol=1e-9)


def test_phase_shift_drives_a_loop_flow_and_nothing_on_a_tree():
    f, t, x = rows(0, 1, 0), rows(1, 2, 2), np.full(3, 0.1)
    offset = shift_offset_mw(f, t, x, np.array([3.0, 0, 0]), 3, ONE_REFERENCE)
    around = -100 * np.deg2rad(3.0) / 0.3
    assert_allclose(offset, [around, around, -around], rtol=1e-12)
    tree = shift_offset_mw(f[:2], t[:2], x[:2], np.array([30.0, 150.0]), 3, ONE_REFERENCE)
    assert_allclose(tree, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": np.array([0.1, 0.0])}, "not 0: branch 1"),
        ({"x": np.array([0.1, np.nan])}, "finite"),
        ({"to": rows(1, 7)}, "0..2"),
        ({"reference": rows()}, "one reference"),
        ({"reference": rows(0, 1)}, "one reference"),
    ],
)
def test_refuses(change, says):
    given = {"x": np.array([0.1, 0.1]), "to": rows(1, 2), "reference": ONE_REFERENCE} | change
    with pytest.raises(ValueError, match=says):
        ptdf(rows(0, 1), given["to"], given["x"], 3, given["reference"])


def test_a_branch_that_ends_where_it_begins_carries_nothing() -> None:
    """It stands for one that is out, and leaves the others as they are without it."""
    f, t, x = rows(0, 1, 0, 2), rows(1, 2, 2, 2), np.array([0.1, 0.2, 0.3, 0.1])
    found = ptdf(f, t, x, 3, ONE_REFERENCE)
    assert_allclose(found[:3], ptdf(f[:3], t[:3], x[:3], 3, ONE_REFERENCE), atol=1e-15)
    assert_allclose(found[3], 0.0, atol=1e-15)


def random_network(seed, nb, extra):
    """A random tree with some more branches."""
    rng = np.random.default_rng(seed)
    f = np.concatenate([[rng.integers(0, k) for k in range(1, nb)], rng.integers(0, nb - 1, extra)]).astype(np.int64)
    t = np.concatenate([np.arange(1, nb), np.full(extra, nb - 1)]).astype(np.int64)
    return f, t, rng.uniform(0.01, 0.2, f.size), nb


# --- against pandapower


def assert_flows_as_rundcpp(net, seed=0):
    """Random consumption on every bus: our flows must be those of rundcpp, to 1e-6 MW."""
    net = copy.deepcopy(net)
    assert check_tables(net) == []
    topology, problems = build_topology(net, 1.0, 2.0)
    assert problems == []
    for element in ("load", "sgen", "gen", "storage", "motor", "ward", "xward", "shunt", "dcline"):
        if len(net[element]):
            net[element]["in_service"] = (element == "gen") & net[element]["in_service"]
    if len(net.gen):
        net.gen["p_mw"] = 0.0
    rng = np.random.default_rng(seed)
    injection = np.zeros(len(topology.buses))
    for bus_id, row in topology.row_of_bus_id.items():
        p_mw = rng.normal(0, 50)
        pp.create_load(net, bus_id, p_mw)
        injection[row] -= p_mw
    pp.rundcpp(net)
    b = topology.branches
    f, t, x = b["from_row"].to_numpy(), b["to_row"].to_numpy(), b["x_pu"].to_numpy()
    reference = np.flatnonzero(topology.buses["reference"])
    h = ptdf(f, t, x, len(injection), reference)
    offset = shift_offset_mw(f, t, x, b["shift_deg"].to_numpy(), len(injection), reference)
    flow = h @ injection + offset
    compared = 0
    column = {"line": "p_from_mw", "trafo": "p_hv_mw", "impedance": "p_from_mw"}
    for k, (element, index) in enumerate(zip(b["element"], b["element_index"], strict=True)):
        if element in column:
            assert_allclose(flow[k], net[f"res_{element}"].at[index, column[element]], rtol=0, atol=1e-6)
        elif element == "trafo3w":
            side = b["name"].iloc[k].split()[-1]
            sign = 1 if side == "hv" else -1  # branches run from hv to the star point, from there to mv and lv
            assert_allclose(sign * flow[k], net.res_trafo3w.at[index, f"p_{side}_mw"], rtol=0, atol=1e-6)
        else:
            continue
        compared += 1
    assert compared
    return topology


@pytest.mark.parametrize(
    "make",
    [pn.case9, pn.case14, pn.case30, pn.case39, pn.case118, pn.case300, pn.example_multivoltage, pn.mv_oberrhein],
)
def test_public_networks_as_rundcpp(make):
    assert_flows_as_rundcpp(make())


def meshed():
    """Three levels, two ways between them, one with a tap and a shift; parallel circuits; base of 1 MVA."""
    net = pp.create_empty_network(sn_mva=1)
    b = [pp.create_bus(net, vn_kv=kv) for kv in (110, 110, 20, 20, 20)]
    pp.create_ext_grid(net, b[0])
    pp.create_line_from_parameters(net, b[0], b[1], 10, 0.06, 0.4, 9, 0.5, parallel=2)
    for bus, shift, tap in ((b[0], 0.0, 2), (b[1], 2.0, -3)):
        pp.create_transformer_from_parameters(
            net, bus, b[2], sn_mva=40, vn_hv_kv=110, vn_lv_kv=20, vkr_percent=0.5, vk_percent=12, pfe_kw=0,
            i0_percent=0, shift_degree=shift, tap_side="hv", tap_neutral=0, tap_pos=tap, tap_step_percent=1.5,
        )  # fmt: skip
    pp.create_line_from_parameters(net, b[2], b[3], 3, 0.1, 0.12, 200, 0.3)
    pp.create_line_from_parameters(net, b[2], b[3], 5, 0.1, 0.12, 200, 0.3)
    pp.create_impedance(net, b[3], b[4], 0.01, 0.05, sn_mva=100)
    return net


def test_taps_shifts_parallel_lines_and_impedances_as_rundcpp():
    topology = assert_flows_as_rundcpp(meshed())
    assert topology.branches["shift_deg"].tolist().count(2.0) == 1
    assert topology.branches["circuits"].iloc[0] == 2


def test_closed_bus_bus_switches_merge_and_impedance_switches_are_branches():
    net = meshed()
    extra = pp.create_bus(net, vn_kv=20)
    pp.create_switch(net, 4, extra, et="b")
    far = pp.create_bus(net, vn_kv=20)
    pp.create_switch(net, extra, far, et="b", z_ohm=0.4)
    pp.create_line_from_parameters(net, far, 3, 2, 0.1, 0.12, 200, 0.3)
    topology = assert_flows_as_rundcpp(net)
    assert topology.row_of_bus_id[4] == topology.row_of_bus_id[extra]
    assert "switch" in set(topology.branches["element"])


def test_open_switches_and_elements_out_of_service_carry_nothing():
    net = meshed()
    pp.create_switch(net, 2, 2, et="l", closed=False)
    net.impedance["in_service"] = False
    net.bus.loc[4, "in_service"] = False
    topology = assert_flows_as_rundcpp(net)
    kept = set(zip(topology.branches["element"], topology.branches["element_index"], strict=True))
    assert ("line", 2) not in kept
    assert ("impedance", 0) not in kept
    assert 4 not in topology.row_of_bus_id


def test_two_islands_as_rundcpp_with_a_balance_branch():
    net = meshed()
    a, b = pp.create_bus(net, vn_kv=110), pp.create_bus(net, vn_kv=110)
    pp.create_ext_grid(net, a)
    pp.create_line_from_parameters(net, a, b, 10, 0.06, 0.4, 9, 0.5)
    topology = assert_flows_as_rundcpp(net)
    balance = topology.branches[topology.branches["element"] == "island_balance"]
    assert len(balance) == 1
    assert balance["rating_mw"].tolist() == [0.0]
    assert topology.buses["island"].nunique() == 2
    assert topology.buses.groupby("island")["reference"].sum().tolist() == [1, 1]
    # its flow is what the island injects
    br = topology.branches
    h = ptdf(
        br["from_row"].to_numpy(), br["to_row"].to_numpy(), br["x_pu"].to_numpy(), len(topology.buses),
        np.flatnonzero(topology.buses["reference"]), balance.index.to_numpy(),
    )  # fmt: skip
    second = (topology.buses["island"] == topology.buses["island"].iloc[topology.row_of_bus_id[a]]).to_numpy()
    second &= topology.buses["bus_id"].to_numpy() >= 0
    assert_allclose(h[0, second], 1.0, atol=1e-12)
    assert_allclose(h[0, ~second], 0.0, atol=1e-12)


def test_jiangsu_as_rundcpp():
    from gridsim.networks import jiangsu

    assert_flows_as_rundcpp(jiangsu())
