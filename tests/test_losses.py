"""Losses in the dispatch: closed forms on one line, a convex solver, what tangents promise, and whole runs audited."""

import h5py
import numpy as np
import pandapower as pp
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linprog
from tiny_grid import run_audited, tiny_grid, write_grid

from gridsim import oracle
from gridsim import scenario as scenarios
from gridsim.assemble import assemble
from gridsim.audit import audit
from gridsim.errors import InputError
from gridsim.handover import no_keys
from gridsim.losses import shares
from gridsim.plan import LOSS_SEEN, Planner
from gridsim.restate import LOSS_MW
from gridsim.simulate import simulate
from gridsim.verify import verify

QUADRATIC = {"losses": "quadratic"}
R_PU = 0.02


def line(*, dear=500.0, load=100.0, islands=1):
    """A cheap unit at A, a dear one beside the load at B, one line between; the same again for every further island."""
    net = pp.create_empty_network(sn_mva=100, name="line")
    ohm = 220.0**2 / 100.0
    for k in range(islands):
        a, b = (pp.create_bus(net, vn_kv=220, name=f"{name}{k}", zone="Z") for name in "AB")
        pp.create_line_from_parameters(net, a, b, 1.0, R_PU * ohm, 0.1 * ohm, 0.0, 5.0, name=f"L{k}")
        for bus, cost, name in ((a, 100.0, "cheap"), (b, dear, "dear")):
            index = pp.create_gen(net, bus, 0.0, min_p_mw=0.0, max_p_mw=400.0, name=f"{name}{k}", slack=bus == a)
            pp.create_poly_cost(net, index, "gen", cost)
        pp.create_load(net, b, load * (1 + k), name=f"D{k}")
    net.gen["tech"], net.gen["must_run"] = "coal", True
    return net


def scenario_of(tmp_path, net, **sections):
    given = {"horizon": {"hours": 3}, "reserve": {"up_min_mw": 0.0, "up_load_share": 0.0, "down_load_share": 0.0}}
    return write_grid(tmp_path, net, **(given | {"grid": QUADRATIC} | sections))


def lived(tmp_path, net, name="run.h5", **sections):
    return run_audited(scenario_of(tmp_path, net, **sections), tmp_path / name)


def test_a_line_loses_r_times_its_flow_squared(tmp_path):
    """All losses are drawn at B, so the line carries load and losses: f = load + r f^2 / 100."""
    summary, run = lived(tmp_path, line())
    flow = (1.0 - np.sqrt(1.0 - 4.0 * R_PU / 100.0 * 100.0)) / (2.0 * R_PU / 100.0)
    assert_allclose(run.array("flow/branch_p_mw")[:, 0], flow, atol=1e-3)
    assert_allclose(run.array("flow/loss_mw")[:, 0], flow - 100.0, atol=1e-3)
    assert_allclose(run.array("dispatch/unit_p_mw"), [[flow, 0.0]] * 3, atol=1e-3)
    assert summary["loss_mwh"] == pytest.approx(3.0 * (flow - 100.0), rel=1e-4)
    assert summary["loss_rate"] == pytest.approx((flow - 100.0) / flow, rel=1e-4)


def test_prices_differ_by_the_marginal_loss(tmp_path):
    """One MW more at B: the cheap unit gives 1 / (1 - 2 r f / 100) of it."""
    _, run = lived(tmp_path, line())
    flow, price = run.array("flow/branch_p_mw")[:, 0], run.array("price/bus")
    assert_allclose(price[:, 0], 100.0, rtol=1e-4)
    assert_allclose(price[:, 1], 100.0 / (1.0 - 2.0 * R_PU / 100.0 * flow), rtol=LOSS_SEEN)


def test_far_power_is_taken_until_its_losses_eat_its_advantage(tmp_path):
    """The dear unit at 102 starts where the marginal loss makes the cheap one as dear: 1 - 2 r f / 100 = 100 / 102."""
    _, run = lived(tmp_path, line(dear=102.0))
    flow = (1.0 - 100.0 / 102.0) * 100.0 / (2.0 * R_PU)
    assert_allclose(run.array("flow/branch_p_mw")[:, 0], flow, rtol=0.05)  # cost is flat there: to its square root
    cost = run.array("cost/total")
    best = 100.0 * flow + 102.0 * (100.0 - flow + R_PU / 100.0 * flow**2)
    assert_allclose(cost, best, rtol=1e-5)


def test_every_island_bears_its_own_losses(tmp_path):
    _, run = lived(tmp_path, line(islands=2))
    flow = np.array(
        [(1.0 - np.sqrt(1.0 - 4.0 * R_PU * load / 100.0)) / (2.0 * R_PU / 100.0) for load in (100.0, 200.0)]
    )
    assert_allclose(run.array("flow/branch_p_mw")[:, :2], [flow] * 3, atol=1e-3)
    assert_allclose(run.array("flow/loss_mw"), [flow - [100.0, 200.0]] * 3, atol=1e-3)
    assert_allclose(run.array("flow/branch_overload_mw"), 0.0, atol=1e-3)


def meshed():
    net = tiny_grid(sources=False, stores=False)
    net.gen["must_run"] = True
    net.line["r_ohm_per_km"] *= 6.0
    return net


def test_a_window_is_that_of_a_fine_piecewise_linear_one(tmp_path):
    """One hour, all units on: every branch with a loss of its own above tangents half a MW apart, by HiGHS."""
    case = assemble(write_grid(tmp_path, meshed(), horizon={"hours": 1}, reserve={"up_min_mw": 0.0}, grid=QUADRATIC))
    planner = Planner(case, lossy=True)
    problem, injected, _ = planner.problem(0, 1, planner.first_state(), None)
    assert not problem.units.bus.size  # everything is a box
    settled = planner.settle(problem, injected, no_keys(), None)
    boxes, model, sp = problem.boxes, planner.lossy, planner.power_mw
    nx, nbr = boxes.bus.size, model.r_pu.size
    flow_of_x, flow0 = model.H[:, boxes.bus] * boxes.line, model.H @ injected[0] + model.offset_mw / sp
    touch = np.arange(-400.0, 400.5, 0.5) / sp
    rows, limits = [], []
    for k in range(nbr):  # 2 r f0 f - loss <= r f0^2
        r = model.r_pu[k] / 100.0 * sp
        part = np.zeros((touch.size, nx + nbr))
        part[:, :nx] = 2.0 * r * touch[:, None] * flow_of_x[k]
        part[:, nx + k] = -1.0
        rows.append(part)
        limits.append(r * touch**2 - 2.0 * r * touch * flow0[k])
    total = np.zeros((1, nx + nbr))
    total[0, planner.parts(None).loss], total[0, nx:] = -1.0, 1.0  # what is lost is drawn
    reserve = np.hstack((-boxes.coef[:, 1:].T, np.zeros((boxes.coef.shape[1] - 1, nbr))))
    best = linprog(
        np.concatenate((boxes.cost[0], np.zeros(nbr))),
        A_ub=np.vstack((*rows, total, reserve)),
        b_ub=np.concatenate((*limits, [0.0], -problem.need[0, 1:])),
        A_eq=np.concatenate((boxes.coef[:, 0], np.zeros(nbr)))[None],
        b_eq=problem.need[0, :1],
        bounds=[*zip(boxes.lo[0], boxes.hi[0], strict=True), *[(0.0, None)] * nbr],
        method="highs",
    ).fun
    lost = model.at(model.flow_mw(planner.injections(problem, injected, settled.solution) * sp))[0, 0]
    share = lost / case.load_mw[0].sum()
    assert share > 0.002  # losses that matter
    assert settled.solution.bound <= best * (1.0 + 1e-7)  # a relaxation, whatever its tangents
    assert settled.solution.objective == pytest.approx(best, rel=3.0 * LOSS_SEEN * share)
    lossless = Planner(case)
    problem, injected, _ = lossless.problem(0, 1, lossless.first_state(), None)
    free = lossless.settle(problem, injected, no_keys(), None).solution.objective
    assert best - free > 20.0 * abs(settled.solution.objective - best)


def test_tangents_stay_below_and_highs_solves_the_same(tmp_path):
    case = assemble(write_grid(tmp_path, tiny_grid(tight=True), grid=QUADRATIC))
    planner = Planner(case, lossy=True, n1=True)
    state = planner.first_state()
    problem, injected, _ = planner.problem(0, 48, state, None)
    settled = planner.settle(problem, injected, no_keys(), None)
    same = oracle.solve_lp(problem, planner.rows(settled.keys, injected))
    assert settled.solution.objective == pytest.approx(same.objective, rel=1e-6)
    counted, lost, _ = planner.loss_of(planner.injections(problem, injected, settled.solution))
    assert (lost > 0.01).all()
    assert ((lost - counted) <= np.maximum(LOSS_SEEN * lost, LOSS_MW)).all()
    assert planner.is_tangent(settled.keys).any()
    assert (~planner.is_tangent(settled.keys)).any()
    rng = np.random.default_rng(0)
    inside = rng.normal(0.0, 50.0, (40, planner.columns))
    inside[:, planner.loss.first_column :] = -rng.uniform(0.0, 9.0, (40, planner.loss.groups))
    true = planner.lossy.at(planner.lossy.flow_mw(inside))
    line = inside @ planner.tangents.coef.T - planner.tangents.limit_mw + -inside[:, planner.loss.first_column :]
    assert (line <= true + 1e-9).all()


@pytest.mark.parametrize("parts", [{}, {"tight": True}, {"stores": False}, {"lines": False}])
def test_whole_runs(tmp_path, parts):
    net = tiny_grid(**parts)
    summary, run = lived(tmp_path, net, horizon={"hours": 60}, reserve={"up_min_mw": 10.0})
    lost = run.array("flow/loss_mw")
    r = run.table("branches")["r_pu"].to_numpy()
    assert_allclose(lost.sum(axis=1), (r / 100.0 * run.array("flow/branch_p_mw") ** 2).sum(axis=1), atol=1e-3)
    assert bool(summary["loss_mwh"]) == parts.get("lines", True)
    without, _ = lived(tmp_path, net, "none.h5", horizon={"hours": 60}, reserve={"up_min_mw": 10.0}, grid={})
    assert without["loss_mwh"] == 0.0
    if parts.get("lines", True):
        assert 0.0 < summary["loss_rate"] < 0.05
        assert summary["total_cost"] > without["total_cost"]


def test_verify_knows_that_every_solution_has_tangents_of_its_own(tmp_path):
    lived(tmp_path, tiny_grid(), horizon={"hours": 60}, reserve={"up_min_mw": 10.0})
    report = verify(tmp_path / "run.h5", windows=2)
    assert report.ok, report.as_text()
    assert report.prices.wrong == 0
    assert 0.0 < report.row("prices: recorded, other tangents").limit < 0.01


def test_nothing_is_burnt_where_it_would_pay(tmp_path):
    """Must-run energy that nobody needs is spilled at 500 a MWh, and not lost for nothing in the network."""
    net = line()
    net.gen["min_p_mw"] = [150.0, 0.0]
    summary, run = lived(tmp_path, net)
    flow = run.array("flow/branch_p_mw")[:, 0]
    assert_allclose(run.array("flow/loss_mw")[:, 0], R_PU / 100.0 * flow**2, atol=1e-3)
    planned, lost = run.array("flow/loss_planned_mw"), run.array("flow/loss_mw")
    assert_allclose(planned, lost, rtol=0.02)
    assert summary["spill_mwh"] == pytest.approx(3.0 * 50.0 - summary["loss_mwh"], rel=0.02)


def test_the_audit_sees_other_losses(tmp_path):
    path = tmp_path / "run.h5"
    simulate(scenario_of(tmp_path, line()), path)
    with h5py.File(path, "r+") as file:
        file["flow/loss_mw"][1] += 0.05
        file["dispatch/unit_p_mw"][1, 0] += 0.05
        file["flow/loss_planned_mw"][2] += 3.0
    failed = {row.check for row in audit(path).failed}
    assert {"losses of the flows", "losses as planned, beyond 5 %"} <= failed
    assert "hourly balance" not in failed


def test_losses_are_drawn_where_the_load_is(tmp_path):
    case = assemble(write_grid(tmp_path, tiny_grid()))
    share = shares(case)
    assert_allclose(share.sum(axis=1), 1.0)
    assert_allclose(share[0], np.array([0.0, 150.0, 120.0, 50.0]) / 320.0, atol=1e-12)


def test_losses_need_a_network():
    with pytest.raises(InputError, match=r"grid\.losses.*must be none where enforce is copper"):
        scenarios.load("jiangsu-2024", ["grid.losses=quadratic", "grid.enforce=copper"])


def test_jiangsu(tmp_path):
    """Two days with N-1: half a percent is lost, as its AC power flow at the summer peak says (0.4 %)."""
    path = tmp_path / "run.h5"
    scenario = scenarios.load("jiangsu-2024", ["grid.losses=quadratic", "horizon.hours=48"])
    summary = simulate(scenario, path)
    report = audit(path)
    assert report.ok, report.as_text()
    assert 0.003 < summary["loss_rate"] < 0.008
    assert summary["gap_max"] < 2e-3


def test_half_hours_lose_half_the_energy_each(tmp_path):
    summary, run = lived(tmp_path, line(), horizon={"hours": 3, "resolution_min": 30})
    flow = (1.0 - np.sqrt(1.0 - 4.0 * R_PU / 100.0 * 100.0)) / (2.0 * R_PU / 100.0)
    assert_allclose(run.array("flow/loss_mw"), np.full((6, 1), flow - 100.0), atol=1e-3)
    assert summary["loss_mwh"] == pytest.approx(3.0 * (flow - 100.0), rel=1e-4)
