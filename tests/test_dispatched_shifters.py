"""Phase shifters in the dispatch: closed forms on a triangle, HiGHS on the same window, N-1, and what is recorded."""

import h5py
import numpy as np
import pandapower as pp
import pytest
from numpy.testing import assert_allclose
from tiny_grid import run_audited, tiny_grid, write_grid

from gridsim import oracle
from gridsim.assemble import assemble
from gridsim.audit import audit
from gridsim.handover import no_keys
from gridsim.plan import Planner
from gridsim.simulate import simulate

LOAD_MW, X_PU = 90.0, 0.1


def triangle(rating_mw: float, *, span_deg: float = 20.0, n1: bool = False):
    """Cheap power at A, dear power and the load at B; A-B directly, and A-C-B with a phase shifter in A-C.

    All three branches have the same reactance: the direct line carries two thirds of what A sends.
    """
    net = pp.create_empty_network(sn_mva=100, name="triangle")
    a, b, c, d = (pp.create_bus(net, vn_kv=220, name=name, zone="Z") for name in "ABCD")
    x_ohm = X_PU * 220.0**2 / 100.0
    lines = [(a, b), (c, b)] + ([(a, b)] if n1 else [])
    for k, (i, j) in enumerate(lines):
        ka = (rating_mw if (i, j) == (a, b) else 500.0) / (np.sqrt(3.0) * 220.0)
        pp.create_line_from_parameters(net, i, j, 1.0, 0.0, x_ohm, 0.0, ka, name=f"L{k}")
    pp.create_line_from_parameters(net, b, d, 1.0, 0.0, x_ohm, 0.0, 5.0, name="to D")
    pp.create_transformer_from_parameters(
        net, a, c, sn_mva=500, vn_hv_kv=220, vn_lv_kv=220, vkr_percent=0.0, vk_percent=50.0, pfe_kw=0, i0_percent=0,
        shift_degree=0.0, name="PST",
    )  # fmt: skip
    net.trafo["shift_controllable"] = True
    net.trafo["shift_min_deg"], net.trafo["shift_max_deg"] = -span_deg, span_deg
    for bus, cost, name in ((a, 100.0, "cheap"), (b, 500.0, "dear")):
        k = pp.create_gen(net, bus, 0.0, min_p_mw=0.0, max_p_mw=400.0, name=name, slack=bus == a)
        pp.create_poly_cost(net, k, "gen", cost)
    net.gen["tech"], net.gen["must_run"] = "coal", True
    pp.create_load(net, d, LOAD_MW, name="D")
    return net


def scenario_of(tmp_path, net, **sections):
    given = {"horizon": {"hours": 3}, "reserve": {"up_min_mw": 0.0, "up_load_share": 0.0, "down_load_share": 0.0}}
    return write_grid(tmp_path, net, **(given | sections))


def lived(tmp_path, net, name="run.h5", **sections):
    return run_audited(scenario_of(tmp_path, net, **sections), tmp_path / name)


def test_a_shift_relieves_a_line_by_what_it_takes(tmp_path):
    """Flow on A-B: 2/3 of 90, less a third of what b = 1 / x drives through the loop per radian."""
    _, run = lived(tmp_path, triangle(50.0))
    want_deg = np.rad2deg((60.0 - 50.0) / 100.0 * 3.0 * X_PU)
    deg = run.array("flow/shift_deg")
    flow = run.array("flow/branch_p_mw")
    assert_allclose(np.abs(deg), want_deg, rtol=1e-4)
    assert_allclose(flow[:, 0], 50.0, atol=1e-3)
    assert_allclose(run.array("dispatch/unit_p_mw"), [[90.0, 0.0]] * 3, atol=1e-3)
    assert_allclose(run.array("flow/branch_overload_mw"), 0.0, atol=1e-3)


def test_at_its_limit_it_gives_what_it_can(tmp_path):
    """One degree gives 100 deg2rad(1) / (3 x) MW; the dear unit gives the rest, which helps by two thirds."""
    _, run = lived(tmp_path, triangle(50.0, span_deg=1.0))
    helped = 100.0 * np.deg2rad(1.0) / (3.0 * X_PU)
    dear = (60.0 - 50.0 - helped) / (2.0 / 3.0)
    assert_allclose(np.abs(run.array("flow/shift_deg")), 1.0, atol=1e-6)
    assert_allclose(run.array("dispatch/unit_p_mw")[:, 1], dear, atol=1e-3)
    assert_allclose(run.array("flow/branch_p_mw")[:, 0], 50.0, atol=1e-3)


def test_the_audit_sees_another_angle(tmp_path):
    path = tmp_path / "run.h5"
    simulate(scenario_of(tmp_path, triangle(50.0)), path)
    for deg, checks in ((0.5, {"branch flows solved again"}), (50.0, {"branch flows solved again", "phase shifters"})):
        with h5py.File(path, "r+") as file:
            file["flow/shift_deg"][1] = deg
        assert checks <= {row.check for row in audit(path).failed}


def test_where_nothing_binds_it_stays(tmp_path):
    with_shifter, run = lived(tmp_path, triangle(80.0))
    assert not run.array("flow/shift_deg").any()
    fixed = triangle(80.0)
    fixed.trafo["shift_controllable"] = False
    without, other = lived(tmp_path, fixed, "fixed.h5")
    assert with_shifter["total_cost"] == pytest.approx(without["total_cost"], rel=1e-9)
    assert_allclose(run.array("flow/branch_p_mw"), other.array("flow/branch_p_mw"), atol=1e-6)


def test_a_preventive_shift_holds_after_an_outage(tmp_path):
    """Two lines A-B: after the loss of one the other may carry no more than its emergency rating."""
    net = triangle(50.0, n1=True)
    _, run = lived(tmp_path, net, grid={"n1": "enforce"})
    b, deg = 1.0 / X_PU, run.array("flow/shift_deg")[:, 0]
    # one line A-B and the way over C are left: x / 2x share the load, the shift drives the rest around
    after = 2.0 / 3.0 * LOAD_MW - 100.0 * np.abs(np.deg2rad(deg)) * b / 3.0
    rating = run.table("branches")["emergency_rating_mw"].to_numpy()[0]
    cheap = run.array("dispatch/unit_p_mw")[:, 0]
    assert_allclose(cheap, LOAD_MW, atol=1e-2)
    assert_allclose(after, rating, atol=1e-2)
    assert run.array("security/hour_loading").max() <= 1.0 + 1e-4


def test_the_window_is_that_of_highs(tmp_path):
    net = tiny_grid(tight=True)
    pp.create_transformer_from_parameters(
        net, 1, 2, sn_mva=300, vn_hv_kv=220, vn_lv_kv=220, vkr_percent=0.3, vk_percent=12, pfe_kw=0, i0_percent=0,
        shift_degree=3.0, name="PST",
    )  # fmt: skip
    net.trafo["shift_controllable"], net.trafo["shift_min_deg"], net.trafo["shift_max_deg"] = True, -8.0, 12.0
    case = assemble(write_grid(tmp_path, net, load=1.2))
    planner = Planner(case, n1=True)
    highs = Planner(case, n1=True, engine="highs")
    state = planner.first_state()
    problem, injected, _ = planner.problem(0, 48, state, None)
    ours = planner.settle(problem, injected, no_keys(), None)
    theirs = highs.settle(problem, injected, no_keys(), None)
    assert ours.solution.objective == pytest.approx(theirs.solution.objective, rel=1e-6)
    same = oracle.solve_lp(problem, planner.rows(ours.keys, injected))
    assert ours.solution.objective == pytest.approx(same.objective, rel=1e-6)
    shifts = planner.parts(None)
    moved = ours.solution.x[:, shifts.shift_up] - ours.solution.x[:, shifts.shift_down]
    assert np.abs(moved).max() > 0.01
    stiff = Planner(assemble(write_grid(tmp_path, _fixed(net), load=1.2)), n1=True)
    problem, injected, _ = stiff.problem(0, 48, state, None)
    assert stiff.settle(problem, injected, no_keys(), None).solution.objective > ours.solution.objective * (1 + 1e-6)


def _fixed(net):
    net.trafo["shift_controllable"] = False
    return net
