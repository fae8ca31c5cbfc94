"""The AC check: against closed forms, against pandapower's own power flow, and what it refuses."""

import math

import h5py
import numpy as np
import pandapower as pp
import pandapower.networks as pn
import pandas as pd
import pytest
from hour_net import differences
from numpy.testing import assert_allclose
from pages import array, assert_said, payload
from tiny_grid import HOURS, tiny_grid, write_grid

from gridsim.acheck import acheck
from gridsim.acheck.select import steps_of
from gridsim.audit import audit
from gridsim.errors import InputError, MissingPackageError
from gridsim.page import write_page
from gridsim.results import ResultsReader
from gridsim.scenario import Scenario, load
from gridsim.simulate import simulate

VM_PU, LOADING, LOSS_MW = 1e-6, 1e-5, 0.05


def checked(tmp_path, net, name="x.h5", **sections):
    """Summary and results of a run of `net` with an AC check at its end."""
    pp.to_json(net, str(tmp_path / "own.json"))
    given = {"name": "own", "horizon": {"hours": 2}, "grid": {"ac_check": True}, **sections}
    scenario = Scenario.model_validate({**given, "network": {"source": str(tmp_path / "own.json")}})
    return simulate(scenario, tmp_path / name, force=True), ResultsReader(tmp_path / name)


def assert_agrees(run, steps):
    for t in steps:
        off = differences(run, int(t))
        assert off["vm_pu"] < VM_PU, (t, off)
        assert off["va_degree"] < 1e-4, (t, off)
        assert off["loading"] < LOADING, (t, off)
        assert off["loss_mw"] < LOSS_MW, (t, off)


def two_buses(q_mvar=20.0, **gen):
    """A source at 1.02 p.u., a line of x = 0.1 p.u. without resistance, a load of 80 MW."""
    net = pp.create_empty_network(sn_mva=100.0)
    for k in range(2):
        pp.create_bus(net, 100.0, name=f"B{k}")
    pp.create_ext_grid(net, 0, vm_pu=1.02, max_p_mw=200.0, min_p_mw=0.0)
    pp.create_line_from_parameters(net, 0, 1, 10.0, 0.0, 1.0, 0.0, 1.0, name="L")
    pp.create_load(net, 1, 80.0, q_mvar)
    return net


def test_two_buses_in_closed_form(tmp_path):
    """V^2 of the load's bus solves V^4 + (2 x q - E^2) V^2 + x^2 (p^2 + q^2) = 0."""
    summary, run = checked(tmp_path, two_buses())
    p, q, x, e = 0.8, 0.2, 0.1, 1.02
    b, c = 2 * x * q - e**2, x**2 * (p**2 + q**2)
    vm = math.sqrt((-b + math.sqrt(b * b - 4 * c)) / 2)
    assert_allclose(run["ac/vm_pu"][:], [[e, vm]] * 2, atol=1e-7)
    assert_allclose(run["ac/va_degree"][:, 1], -math.degrees(math.asin(p * x / (e * vm))), atol=1e-5)
    assert_allclose(run["ac/loss_mw"][:], 0.0, atol=1e-6)
    rated = math.sqrt(3) * 100.0  # MVA
    assert_allclose(run["ac/branch_loading"][:, 0], 100 * math.hypot(p, q) / vm / rated, rtol=1e-6)
    assert summary["ac_vm_pu"] == {"lowest": pytest.approx(vm, abs=1e-7), "highest": pytest.approx(e, abs=1e-7)}
    assert summary["ac_vm_where"]["lowest"].startswith("B1, ")
    assert audit(run.path).ok


def test_loads_without_reactive_power_take_the_power_factor(tmp_path):
    """80 MW at 0.8 are 60 Mvar; a load that has its own reactive power keeps it."""
    _, given = checked(tmp_path, two_buses(q_mvar=60.0), "given.h5")
    _, run = checked(tmp_path, two_buses(q_mvar=0.0))
    at_one = run["ac/vm_pu"][:]
    run.close()
    for path in ("x.h5", "given.h5"):
        acheck(tmp_path / path, power_factor=0.8)
    given.close()
    with ResultsReader(tmp_path / "x.h5") as run, ResultsReader(tmp_path / "given.h5") as given:
        assert_allclose(run["ac/vm_pu"][:], given["ac/vm_pu"][:], atol=1e-7)
        assert (run["ac/vm_pu"][:, 1] < at_one[:, 1] - 0.05).all()
        assert run.file["ac"].attrs["power_factor"] == 0.8


def test_more_than_a_line_can_carry_is_said_and_not_hidden(tmp_path):
    """The largest p at q = 0 is E^2 / (2 x) = 520 MW: twice the load that the line can carry has no solution."""
    net = two_buses(q_mvar=0.0)
    net.line["max_i_ka"], net.ext_grid["max_p_mw"], net.load["p_mw"] = 10.0, 2000.0, 521.0
    summary, run = checked(tmp_path, net)
    assert summary["ac_not_converged"] == summary["ac_hours"] == 2
    assert run["ac/status"][:].tolist() == [3, 3]
    assert np.isnan(run["ac/vm_pu"][:]).all()
    net.load["p_mw"] = 519.0
    assert checked(tmp_path, net)[0]["ac_not_converged"] == 0


@pytest.mark.parametrize("case", [pn.case118, pn.case39, pn.example_multivoltage])
def test_public_nets_agree_with_pandapower(tmp_path, case):
    """case118 has transformers with charging (a negative i0_percent) and condensers; the last one three windings."""
    net = case()
    for element in ("gen", "ext_grid", "sgen"):
        net[element]["min_p_mw"] = 0.0
    net.ext_grid["max_p_mw"] = 2000.0
    net.line["max_i_ka"] = net.line["max_i_ka"].clip(upper=50.0)
    _, run = checked(tmp_path, net)
    assert run["ac/status"][:].tolist() == [0, 0]
    assert_agrees(run, [0, 1])


def rich(**changes):
    """The tiny grid with reactive loads, a tap and a phase shift, parallel lines, a shunt, a lossy DC link."""
    net = tiny_grid(**changes)
    net.load["q_mvar"] = 0.15 * net.load["p_mw"]
    net.gen["vm_pu"], net.gen["min_q_mvar"], net.gen["max_q_mvar"] = 1.02, -60.0, 80.0
    net.line.loc[1, "parallel"] = 2
    pp.create_transformer_from_parameters(
        net, 1, 3, sn_mva=200, vn_hv_kv=222, vn_lv_kv=220, vkr_percent=0.4, vk_percent=12, pfe_kw=60, i0_percent=0.2,
        shift_degree=10, tap_side="hv", tap_neutral=0, tap_pos=2, tap_min=-4, tap_max=4, tap_step_percent=1.5,
        tap_changer_type="Ratio", parallel=2, name="T",
    )  # fmt: skip
    pp.create_shunt(net, 2, q_mvar=-25.0, p_mw=0.5, name="C")
    net.dcline["loss_percent"], net.dcline["loss_mw"] = 2.0, 0.5
    net.dcline["vm_from_pu"], net.dcline["vm_to_pu"] = 1.02, 1.02
    net.dcline["min_q_from_mvar"], net.dcline["max_q_from_mvar"] = -20.0, 20.0
    net.dcline["min_q_to_mvar"], net.dcline["max_q_to_mvar"] = -20.0, 20.0
    return net


def test_every_kind_of_branch_and_device_agrees_with_pandapower(tmp_path):
    scenario = write_grid(tmp_path, rich(), grid={"ac_check": True})
    summary = simulate(scenario, tmp_path / "rich.h5")
    with ResultsReader(tmp_path / "rich.h5") as run:
        assert (run["ac/status"][:] == 0).all()
        assert run["ac/at_limit"][:].max() > 0  # some hours are at reactive limits, so these are in the comparison
        assert_agrees(run, range(0, run.steps, 6))
        assert summary["ac_loss_mwh"] == pytest.approx(run["ac/loss_mw"][:].sum())
        assert summary["ac_loss_mwh"] > 0


def test_jiangsu_agrees_with_pandapower(tmp_path):
    given = ["horizon.hours=336", "solver.effort=fast"]
    simulate(load("jiangsu-2024", given), tmp_path / "jiangsu.h5")
    summary = acheck(tmp_path / "jiangsu.h5")
    assert (summary["ac_hours"], summary["ac_not_converged"], summary["ac_unsettled"]) == (336, 0, 0)
    with ResultsReader(tmp_path / "jiangsu.h5") as run:
        assert_agrees(run, (0, 19, 100, 203, 335))


@pytest.mark.parametrize(("start", "loaded"), [("2024-08-09", True), ("2024-02-10", False)])
def test_jiangsu_has_credible_voltages(tmp_path, start, loaded):
    """The days of the highest and the lowest load: within 1 to 1.05 p.u., and losses of 0.3 to 0.7 %."""
    given = [f"horizon.start={start!r}", "horizon.hours=24", "solver.effort=fast", "grid.ac_check=true"]
    summary = simulate(load(f"jiangsu-{start[:4]}", given), tmp_path / "day.h5")
    assert (summary["ac_hours"], summary["ac_not_converged"], summary["ac_unsettled"]) == (24, 0, 0)
    assert summary["ac_vm_within"] == 1.0
    assert summary["ac_vm_pu"]["lowest"] > 1.0
    assert 0.003 < summary["ac_loss_rate"] < 0.007
    with ResultsReader(tmp_path / "day.h5") as run:
        steps = run.frame("ac/switched_steps")
        reactors = steps.loc[:, steps.columns.str.startswith("reactors")].sum(axis=1)
        held = np.nansum(run["ac/held_mvar"][:], axis=1)
        assert_agrees(run, [4])
    assert (reactors.max() > 20) != loaded  # lines charge more than light load takes
    assert (held.mean() > 0) == loaded


# --- controls


def test_reactive_limits_hold_and_setpoints_where_there_is_room(tmp_path):
    """At a limit the voltage is on the side of the setpoint that the limit explains; else it is the setpoint."""
    net = rich()
    simulate(write_grid(tmp_path, net, grid={"ac_check": True}), tmp_path / "rich.h5")
    with ResultsReader(tmp_path / "rich.h5") as run:
        units, on = run.table("units"), run["commitment/on"][:]
        vm, held = run["ac/vm_pu"][:], run["ac/held_mvar"][:]
    for index, row in net.gen.iterrows():
        if row["bus"] in (0, 2):
            continue  # the DC link holds these too
        (unit,) = np.flatnonzero(units["element_index"] == index)
        share = on[:, unit] / row["units"]
        most, least = share * row["max_q_mvar"], share * row["min_q_mvar"]
        v, q = vm[:, row["bus"]], held[:, row["bus"]]
        assert (q <= most + 0.02).all()
        assert (q >= least - 0.02).all()
        inside = (share > 0) & (q < most - 0.1) & (q > least + 0.1)
        assert_allclose(v[inside], 1.02, atol=1e-6)
        assert (v[(share > 0) & (q > most - 1e-3)] <= 1.02 + 2e-6).all()


def with_banks(load_mw):
    net = two_buses(q_mvar=0.0)
    net.load["p_mw"], net.ext_grid["vm_pu"] = load_mw, 1.0
    net.load["q_mvar"] = 0.4 * load_mw
    pp.create_shunt(net, 1, q_mvar=-10.0, step=0, max_step=3, name="capacitor")
    pp.create_shunt(net, 1, q_mvar=10.0, step=2, max_step=2, name="reactor")
    net.shunt["switched"], net.shunt["vm_low_pu"], net.shunt["vm_high_pu"] = True, 0.985, 1.015
    return net


def by_the_rule(load_mw):
    """Steps of (capacitor, reactor) that the rule comes to, with the voltage of the two buses in closed form."""
    p, q, x = load_mw / 100.0, 0.4 * load_mw / 100.0, 0.1
    on = [0, 2]
    for _ in range(6):
        b = x * 0.1 * (on[1] - on[0])  # (V^2 (1 + b) + x q)^2 + (x p)^2 = V^2, of the larger root
        half = 1.0 - 2.0 * x * q * (1.0 + b)
        vm = math.sqrt((half + math.sqrt(half**2 - 4 * (1 + b) ** 2 * x**2 * (p**2 + q**2))) / (2 * (1 + b) ** 2))
        if 0.985 <= vm <= 1.015:
            break
        assert vm < 0.985
        on = [on[0], on[1] - 1] if on[1] else [on[0] + 1, 0]
    return on, vm


@pytest.mark.parametrize("load_mw", [5.0, 40.0, 80.0])
def test_shunts_are_switched_into_the_band(tmp_path, load_mw):
    """Reactors go before capacitors come, one step at a time, no further than the band asks for."""
    _, run = checked(tmp_path, with_banks(load_mw))
    on, vm = by_the_rule(load_mw)
    assert run.names("switched_shunt") == ["capacitor", "reactor"]
    assert run["ac/switched_steps"][:].tolist() == [on, on]
    assert_allclose(run["ac/vm_pu"][:, 1], vm, atol=1e-6)
    assert_agrees(run, [0])


def test_taps_hold_the_voltage_behind_the_transformer(tmp_path):
    net = two_buses()
    pp.create_bus(net, 20.0, name="B2")
    pp.create_transformer_from_parameters(
        net, 1, 2, sn_mva=60, vn_hv_kv=100, vn_lv_kv=20, vkr_percent=0.5, vk_percent=14, pfe_kw=20, i0_percent=0.1,
        tap_side="hv", tap_neutral=0, tap_pos=0, tap_min=-9, tap_max=9, tap_step_percent=1.0,
        tap_changer_type="Ratio", name="T",
    )  # fmt: skip
    net.trafo["tap_vm_pu"] = 1.03
    pp.create_load(net, 2, 40.0, 15.0)
    _, run = checked(tmp_path, net)
    assert_allclose(run["ac/vm_pu"][:, 2], 1.03, atol=0.0076)
    assert (run["ac/tap_pos"][:] < 0).all()  # fewer turns on the high side raise the low one
    assert_agrees(run, [0, 1])


def test_loading_is_of_the_rating_that_the_hour_leaves(tmp_path):
    """Nine tenths of a rating that nothing reaches: the same currents are 10/9 of the loading."""
    net, found = rich(), []
    net.line["rating_profile"] = ""
    left = {"left/L": np.where(np.arange(HOURS) < 10, 0.9, 1.0)}
    for profile in ("", "left/L"):
        net.line.loc[0, "rating_profile"] = profile
        simulate(write_grid(tmp_path, net, series=left, grid={"ac_check": True}), tmp_path / "x.h5", force=True)
        with ResultsReader(tmp_path / "x.h5") as run:
            found.append(run["ac/branch_loading"][:, 0])
    assert found[0].max() < 0.9
    assert_allclose(found[1][:10], found[0][:10] / 0.9, rtol=1e-5)
    assert_allclose(found[1][10:], found[0][10:], rtol=1e-5)


# --- in the audit


def test_the_audit_solves_hours_again_and_finds_what_was_changed(tmp_path):
    net = rich()
    net.shunt["p_mw"] = 0.0
    path = tmp_path / "x.h5"
    simulate(write_grid(tmp_path, net, grid={"ac_check": True}), path)
    names = ["extremes of AC voltages", "AC angles of pandapower's runpp", "AC losses of pandapower's runpp"]
    report = audit(path)
    assert all(report.row(name).ok and not report.row(name).where.startswith("skipped") for name in names)
    with h5py.File(path, "r+") as file:
        file["ac/loss_mw"][...] += 1.0
        file["ac/vm_pu"][:, 1] += 0.005
    failed = {row.check for row in audit(path).failed}
    assert {names[1], names[2]} <= failed
    with h5py.File(path, "r+") as file:
        del file["ac"]
    assert not [row for row in audit(path).rows if "AC " in row.check]


# --- in the page


def test_the_page_has_a_section_of_a_checked_run_only(tmp_path):
    path = tmp_path / "x.h5"
    simulate(write_grid(tmp_path, rich()), path)
    page = write_page(path, tmp_path / "x.html")
    assert not [chart for chart in payload(page)["charts"] if chart["key"].startswith("ac_")]
    acheck(path, "0:30")
    content = payload(write_page(path, page))
    assert_said(page)
    with ResultsReader(path) as run:
        vm, loading = run["ac/vm_pu"][:30], run["ac/branch_loading"][:30]
        names = run.names("bus")
    shown = array(content, "ac.lowest")
    assert_allclose(shown[:30], vm.min(axis=1))
    assert np.isnan(shown[30:]).all()
    tables = {table["key"]: table["rows"] for table in content["tables"]}
    first = tables["ac_buses"][0]
    assert first["words"] == [[names[int(vm.min(axis=0).argmin())]]]
    assert first["numbers"][0] == pytest.approx(vm.min(), abs=1e-4)
    assert tables["ac_branches"][0]["numbers"][0] == pytest.approx(100.0 * loading.max(), abs=0.06)


def test_interfaces_are_sums_of_ac_flows_and_dispatched_links(tmp_path):
    """One branch backwards and a DC link, beside the flows in the file; the page shows them where they are highest."""
    net = rich()
    net["interface"] = pd.DataFrame({"name": ["cut"], "limit_mw": [500.0]})
    columns = {"interface": "cut", "element": ["line", "dcline"], "element_index": [1, 0], "weight": [-2.0, 1.0]}
    net["interface_member"] = pd.DataFrame(columns)
    path = tmp_path / "x.h5"
    simulate(write_grid(tmp_path, net), path)
    acheck(path, "0:30")
    with ResultsReader(path) as run:
        branches, links = run.table("branches"), run.table("links")
        line = np.flatnonzero((branches["element"] == "line") & (branches["element_index"] == 1))
        assert (len(line), links["way"].tolist()) == (1, [1, -1])
        flow = -2.0 * run["ac/branch_p_mw"][:, line[0]] + run["dispatch/link_p_mw"][:] @ [1.0, -1.0]
        found = run["ac/interface_p_mw"][:, 0]
        assert_allclose(found[:30], flow[:30], atol=1e-4)
        assert np.abs(found[:30] - run["flow/interface_p_mw"][:30, 0]).max() > 1e-3  # losses of an AC flow
        assert np.isnan(found[30:]).all()
        hour = int(np.abs(flow[:30]).argmax())
        dc = run["flow/interface_p_mw"][:30, 0]
        only = (np.abs(flow[:30]) > 500.5) & (np.abs(dc) <= 500.5)
        assert only.sum() == 7  # hours in which the dispatch goes to the limit
        expected = [flow[hour], dc[hour], abs(flow[hour]) / 5.0, only.sum()]
    tables = {table["key"]: table["rows"] for table in payload(write_page(path, tmp_path / "x.html"))["tables"]}
    (row,) = tables["ac_interfaces"]
    assert (row["words"], row["hour"]) == ([["cut"]], hour)
    assert_allclose(row["numbers"], expected, atol=0.06)


# --- islands, selections, repetition, refusals


def test_islands_are_solved_by_themselves(tmp_path):
    net = two_buses()
    for k in (2, 3):
        pp.create_bus(net, 100.0, name=f"B{k}")
    pp.create_ext_grid(net, 2, vm_pu=0.99, max_p_mw=200.0, min_p_mw=0.0)
    pp.create_line_from_parameters(net, 2, 3, 10.0, 0.0, 1.0, 0.0, 1.0)
    pp.create_load(net, 3, 80.0, 20.0)
    _, run = checked(tmp_path, net)
    table = run.table("buses")
    vm = {i: run["ac/vm_pu"][0, row] for row, i in enumerate(table["bus_id"]) if i >= 0}
    assert (vm[0], vm[2]) == (pytest.approx(1.02), pytest.approx(0.99))
    assert vm[3] < vm[2] - 0.01
    assert_agrees(run, [0])


def test_a_selection_leaves_the_other_hours_not_looked_at(tmp_path):
    path = tmp_path / "x.h5"
    simulate(write_grid(tmp_path, rich()), path)
    assert "ac" not in ResultsReader(path).file
    summary = acheck(path, "3:9:2,40")
    with ResultsReader(path) as run:
        status = run["ac/status"][:]
        assert np.flatnonzero(status >= 0).tolist() == [3, 5, 7, 40]
        assert np.isfinite(run["ac/vm_pu"][:]).all(axis=1).tolist() == (status >= 0).tolist()
        assert run.summary["ac_hours"] == summary["ac_hours"] == 4
        assert run.frame("ac/vm_pu").shape == (49, 4)
    whole = acheck(path)
    assert whole["ac_hours"] == 49  # a second check replaces the first
    assert audit(path).ok


def test_two_checks_give_the_same_bytes(tmp_path):
    found = []
    simulate(write_grid(tmp_path, rich()), tmp_path / "a.h5")
    for name in ("b.h5", "c.h5"):
        (tmp_path / name).write_bytes((tmp_path / "a.h5").read_bytes())
        acheck(tmp_path / name)
        found.append((tmp_path / name).read_bytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("text", ["x", "1:2:3:4", "-3", "900:", ":", "5:5", "1:9:0"])
def test_hours_that_are_none_are_refused(text):
    with pytest.raises(InputError, match="must be hours from 0 to 99, as 12"):
        steps_of(text, 100)


def test_what_has_no_model_is_refused_with_all_that_is_wrong(tmp_path):
    net = rich()
    net.shunt["switched"], net.shunt["max_step"] = True, 0
    net.trafo["tap_vm_pu"], net.trafo["tap_pos"] = 1.0, 9
    path = tmp_path / "x.h5"
    simulate(write_grid(tmp_path, net), path)
    before = path.read_bytes()
    with pytest.raises(InputError) as found:
        acheck(path)
    assert [problem.where for problem in found.value.problems] == ["shunt.max_step", "shunt.step", "trafo.tap_pos"]
    assert path.read_bytes() == before
    assert not path.with_name("x.h5.part").exists()


def test_setpoints_at_one_bus_have_to_agree(tmp_path):
    net = rich()
    net.dcline["vm_from_pu"] = 1.05
    simulate(write_grid(tmp_path, net), tmp_path / "x.h5")
    with pytest.raises(InputError, match="must be one at bus B0"):
        acheck(tmp_path / "x.h5")


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("gridsim.export_files.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"acheck needs lightsim2grid: pip install 'gridsim\[ac\]'"):
        acheck("x.h5")
