"""Hours that come otherwise than planned: dispatched again within the commitment, audited, verified, and by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from one_bus import NO_RESERVE, H, one_bus
from rich_grid import write_rich
from tiny_grid import HOURS, SERIES, run_audited, tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.clocks import Clocks, planner_of
from gridsim.disturbances import Disturbances
from gridsim.errors import InputError
from gridsim.lived import fleet, live
from gridsim.realtime import RealTime, Terms
from gridsim.scenario import Scenario, load
from gridsim.simulate import simulate
from gridsim.verify import verify

DAY = {"horizon": {"hours": HOURS}}


def run(tmp_path: Path, **sections: Any) -> tuple[dict[str, Any], Any]:
    net = sections.pop("net", None) or tiny_grid()
    scenario = write_grid(tmp_path, net, **{**DAY, **sections})
    return run_audited(scenario, tmp_path / "run.h5")


def again(scenario: Scenario, *, band: float = 0.5) -> tuple[float, float]:
    """Cost of all hours as planned, and dispatched again on what was foreseen rightly."""
    case = assemble(scenario)
    costs = []
    for twice in (False, True):
        planner = planner_of(case, scenario)
        realtime = RealTime(planner_of(case, scenario), Terms(band, quick_start=True), case, whole=True)
        f, state, total = fleet(case, planner), planner.first_state(), 0.0
        for window in scenario.windows():
            t0, steps, kept_steps = (case.steps_per_hour * hours for hours in window)
            plan = planner.plan(t0, steps, state)
            if twice:
                plan = realtime.live(plan, t0, kept_steps, state).plan
            h, budgets = live(case, f, planner, plan, t0, kept_steps, state)
            total += float(h.cost.sum() + budgets.cost.sum())
        costs.append(total)
    return costs[0], costs[1]


@pytest.mark.parametrize("n1", ["off", "enforce"])
def test_what_was_foreseen_rightly_is_dispatched_as_planned(tmp_path: Path, n1: str) -> None:
    """The hour-by-hour optimum with stored energy at the plan's value is the plan: nothing is gained or lost."""
    scenario = write_grid(tmp_path, tiny_grid(tight=True), grid={"n1": n1}, **DAY)
    planned, lived = again(scenario)
    assert lived == pytest.approx(planned, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_on_grids_with_everything(tmp_path: Path, seed: int) -> None:
    planned, lived = again(write_rich(tmp_path, seed, horizon={"hours": 48}))
    assert lived == pytest.approx(planned, rel=5e-3)  # stores end elsewhere, phase shifters stay as planned


def test_jiangsu_foreseen_rightly() -> None:
    scenario = load("jiangsu-2024", ["horizon.start=2024-03-20", "horizon.hours=72", "grid.n1=enforce"])
    planned, lived = again(scenario)
    assert lived == pytest.approx(planned, rel=1e-7)


def test_perfect_forecasts_are_the_plan(tmp_path: Path) -> None:
    """Nothing is dispatched again, and nothing is recorded as moved."""
    _, results = run(tmp_path)
    assert not results.array("realtime/called").any()
    assert not results.array("realtime/lost").any()
    assert results.array("realtime/forecast_mw").size == 0


def test_errors_cost(tmp_path: Path) -> None:
    """Errors of wind and load cost something, keep every law, and are what the file says they are."""
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    perfect, _ = run(tmp_path / "a")
    summary, results = run(tmp_path / "b", realtime={"forecast": "errors"})
    assert summary["total_cost"] > perfect["total_cost"]
    forecast, planned = results.array("realtime/forecast_mw"), results.array("realtime/planned_tech_p_mw")
    load_mw = results.array("dispatch/load_mw").sum(axis=1)
    off = (forecast[:, 0] - load_mw) / load_mw
    assert 0.004 < np.sqrt((off**2).mean()) < 0.03
    # what was planned met the load that was believed, losses of the link apart
    lost = results.array("dispatch/link_p_mw")[:, 0]
    assert np.abs(planned.sum(axis=1) - forecast[:, 0]).max() < 0.011 * (np.abs(lost).max() + 40.0)
    moved = results.array("dispatch/tech_p_mw") - planned
    assert np.abs(moved).max() > 1.0


def test_windows_of_a_run_with_errors_are_verified(tmp_path: Path) -> None:
    scenario = write_grid(
        tmp_path, tiny_grid(), realtime={"forecast": "errors"}, outages={"forced": True},
        outage=[{"start": "2024-01-02T05:00", "hours": 9, "names": ["gas"], "share": 0.5}], **DAY,
    )  # fmt: skip
    simulate(scenario, tmp_path / "run.h5")
    report = verify(tmp_path / "run.h5", 4)
    assert report.ok, report.as_text()


def test_own_series_are_believed(tmp_path: Path) -> None:
    """A forecast of half the wind: coal is planned for the rest, and gives way to the wind that comes."""
    wind = np.asarray(SERIES["wind_onshore/A"])
    path = tmp_path / "believed.csv"
    times = pd.date_range("2024-01-01", periods=HOURS, freq="h")
    pd.DataFrame({"time": times, "wind_onshore/A": 0.5 * wind}).to_csv(path, index=False)
    _, results = run(
        tmp_path, realtime={"forecast": "files", "files": {"wind_onshore/A": str(path)}, "reserve_kept": 1.0}
    )
    forecast = results.array("realtime/forecast_mw")
    np.testing.assert_allclose(forecast[:, 1], 60.0 * wind[:HOURS], atol=1e-3)
    np.testing.assert_allclose(forecast[:, 0], results.array("dispatch/load_mw").sum(axis=1), atol=1e-6)
    techs = results.names("tech")
    moved = (results.array("dispatch/tech_p_mw") - results.array("realtime/planned_tech_p_mw")).sum(axis=0)
    assert moved[techs.index("wind_onshore")] > 0.0 > moved[techs.index("coal")]


def test_a_unit_that_is_lost(tmp_path: Path) -> None:
    """Nobody knew: the plan has it, the hour has not; the next window knows until it is back."""
    outage = {"start": "2024-01-01T10:00", "hours": 30, "names": ["heat"], "kind": "trip"}
    _, results = run(tmp_path, outage=[outage])
    names = results.names("unit")
    heat = names.index("heat")
    on, lost = results.array("commitment/on")[:, heat], results.array("realtime/lost")[:, heat]
    assert not on[10:40].any()
    assert on[:10].all()
    assert on[40:].all()
    assert lost[10:24].all()
    assert not lost[24:].any()
    (tmp_path / "known").mkdir()
    _, announced = run(tmp_path / "known", outage=[{**outage, "announced": True}])
    assert not announced.array("realtime/lost").any()
    np.testing.assert_array_equal(announced.array("commitment/on")[:, heat], on)


def test_quick_units_are_called_where_load_would_be_shed(tmp_path: Path) -> None:
    """An import of 80 MW is lost in the evening: gas that was off runs for its least time, and less load is shed."""
    net = tiny_grid(stores=False)
    net.gen["quick_start"] = [False, True, False]
    outage = [{"start": "2024-01-01T08:00", "hours": 14, "names": ["X"]}, {"start": "2024-01-01T08:00", "hours": 14,
              "names": ["G"], "share": 0.3}]  # fmt: skip
    shed = []
    for quick in (True, False):
        folder = tmp_path / str(quick)
        folder.mkdir()
        summary, results = run(folder, net=net, load=1.15, outage=outage, realtime={"quick_start": quick})
        shed.append(summary["unserved_mwh"] + summary["reserve_short_mwh"])
        called = results.array("realtime/called")[:, results.names("unit").index("gas")]
        assert called.any() == quick
        if quick:
            first = int(np.flatnonzero(called)[0])
            assert called[first : first + 2].all()
    assert shed[0] < shed[1]


def test_every_short_hour_calls(tmp_path: Path) -> None:
    """Units on work in a first short hour cannot help there; they are called in the next one all the same."""
    net = tiny_grid(stores=False)
    net.gen["quick_start"] = [False, True, False]
    gone = {"hours": 3, "names": ["gas"], "announced": True}
    outage = [
        {"start": "2024-01-01T08:00", **gone},
        {"start": "2024-01-01T08:00", "hours": 14, "names": ["X"]},
        {"start": "2024-01-01T08:00", "hours": 14, "names": ["G"], "share": 0.3},
    ]
    _, results = run(tmp_path, net=net, load=1.15, outage=outage)
    called = results.array("realtime/called")[:, results.names("unit").index("gas")]
    on = results.array("commitment/on")[:, results.names("unit").index("gas")]
    shed = results.array("unserved/load_mw").sum(axis=1) + results.array("reserve/short_mw")[:, 0]
    assert shed[8:11].max() > 1.0
    assert not on[8:11].any()
    assert called[11:22].any()


def test_windows_keep_a_reserve_for_errors(tmp_path: Path) -> None:
    """Beyond that of the hour, in the plan only, and none where it is not asked for."""
    for name, keys in (("a", {}), ("b", {"quick_start": False}), ("c", {"reserve_quantile": 0.5})):
        (tmp_path / name).mkdir()
        _, results = run(tmp_path / name, realtime={"forecast": "errors", **keys})
        products = results.names("product")
        if name == "c":
            assert products == ["up", "down"]
            continue
        assert products == ["up", "down", "forecast"]
        spinning = results.table("products")["spinning"].astype(bool).tolist()
        assert spinning == [True, True, name == "b"]  # what is not called must spin
        planned, need = results.array("realtime/planned_need_mw"), results.array("reserve/need_mw")
        assert (planned[:, 2] >= planned[:, 0]).all()
        assert (planned[:, 2] > planned[:, 0] + 1.0).any()
        assert not need[:, 2].any()
        np.testing.assert_allclose(need[:, 0], 0.5 * planned[:, 0])


@pytest.mark.parametrize("n1", ["off", "enforce"])
def test_a_line_that_is_lost_carries_nothing(tmp_path: Path, n1: str) -> None:
    """Its flow goes elsewhere, in the lived hours and in windows planned while it is out; the audit solves them too."""
    outage = [{"start": "2024-01-01T10:00", "hours": 20, "names": ["L4"]}]
    _, results = run(tmp_path, net=tiny_grid(), outage=outage, grid={"n1": n1})
    line = results.names("branch").index("L4")
    flow, out = results.array("flow/branch_p_mw")[:, line], results.array("realtime/circuits_out")[:, line]
    assert out[10:30].all()
    assert out.sum() == 20
    assert np.abs(flow[10:30]).max() < 1e-5 < np.abs(flow[:10]).max()


def test_a_link_that_is_lost(tmp_path: Path) -> None:
    _, results = run(tmp_path, outage=[{"start": "2024-01-01T10:00", "hours": 20, "names": ["DC"]}])
    flow = np.abs(results.array("dispatch/link_p_mw")[:, 0])
    assert flow[10:30].max() == 0.0


def test_a_grid_that_would_fall_apart_is_refused(tmp_path: Path) -> None:
    net = tiny_grid()
    net.line.drop(index=[3, 4], inplace=True)  # a chain of three
    outages = [
        {"start": "2024-01-01T10:00", "hours": 2, "names": ["L1"]},
        {"start": "2024-01-01T10:00", "hours": 2, "names": ["nowhere"], "techs": ["coal"]},
    ]
    with pytest.raises(InputError) as caught:
        run(tmp_path, net=net, outage=outages)
    assert "L1" in str(caught.value)
    assert "fits none" in str(caught.value)


def test_lines_lost_together_leave_the_grid_in_one_piece(tmp_path: Path) -> None:
    """Bus 1 hangs on L0 and L1: neither is a bridge, both at once would cut it off; L1, the last row, is put back."""
    outage = [{"start": "2024-01-01T10:00", "hours": 6, "names": ["L0", "L1"]}]
    _, results = run(tmp_path, outage=outage)
    out, names = results.array("realtime/circuits_out"), results.names("branch")
    assert out[10:16, names.index("L0")].all()
    assert not out[:, names.index("L1")].any()
    said = {event["name"]: event["detail"] for event in results.events if event["kind"] == "outage"}
    assert said["L0"].startswith("listed: ")
    assert said["L1"] == "listed: L1 stays in service: its loss would split the grid"


def corridor() -> Any:
    """Sun behind two circuits of 100 MW, the only way to the load and the dear plant."""
    net = one_bus()
    pp.create_bus(net, vn_kv=220, name="B", zone="A")
    net.sgen["bus"] = 1
    ka = 100.0 / (np.sqrt(3.0) * 220.0)
    pp.create_line_from_parameters(net, 1, 0, 30, 0.0, 0.3, 0, ka, parallel=2, name="corridor")
    return net


def served(folder: Path, net: Any, **sections: Any) -> tuple[dict[str, Any], Any]:
    """Two days of 1,000 MW of load and 300 MW of sun."""
    series = {"wanted": np.full(HOURS, 1000.0), "cheap": np.full(HOURS, 0.03)}
    scenario = write_grid(folder, net, horizon={"hours": H}, reserve=NO_RESERVE, series=series, **sections)
    return run_audited(scenario, folder / "run.h5")


def outages_of(results: Any) -> list[dict[str, Any]]:
    return [event for event in results.events if event["kind"] == "outage"]


def test_one_of_two_circuits_is_drawn_though_both_would_split_the_grid(tmp_path: Path) -> None:
    """With one out 100 MW come through instead of 200; where both are drawn at once, the one lost later stays."""
    net = corridor()
    net.line["for_rate"], net.line["mttr_h"] = 0.4, 6.0
    summary, results = served(tmp_path, net, outages={"forced": True}, seed=3)
    drawn = np.zeros(H)
    out = results.array("realtime/circuits_out")[:, 0]
    log = outages_of(results)
    for event in log:
        drawn[event["first"] : event["first"] + event["steps"]] += 1
    assert set(drawn) == {0.0, 1.0, 2.0}
    np.testing.assert_array_equal(out, np.minimum(drawn, 1.0))
    np.testing.assert_allclose(np.abs(results.array("flow/branch_p_mw")[:, 0]), 200.0 - 100.0 * out, atol=1e-4)
    np.testing.assert_allclose(results.array("dispatch/unit_p_mw")[:, 0], 800.0 + 100.0 * out, atol=1e-4)
    assert summary["unserved_mwh"] == pytest.approx(0.0, abs=1e-6)
    lost = sum(event["parts"] * event["steps"] for event in log)
    assert lost == out.sum()
    assert sum(event["steps"] for event in log if event["stays"]) == (drawn == 2.0).sum()
    assert {round(event["lost_mw"], 6) for event in log} == {100.0, 0.0}


def test_two_outages_of_a_corridor_leave_the_circuit_that_was_to_go_last(tmp_path: Path) -> None:
    outage = [
        {"start": "2024-01-01T08:00", "hours": 12, "names": ["corridor"], "share": 0.5, "kind": "works"},
        {"start": "2024-01-01T12:00", "hours": 12, "names": ["corridor"], "share": 0.5, "kind": "storm"},
    ]
    _, results = served(tmp_path, corridor(), outage=outage)
    log = [(event["cause"], event["first"], event["steps"], event["parts"]) for event in outages_of(results)]
    assert log == [("works", 8, 12, 1), ("storm", 12, 8, 0), ("storm", 20, 4, 1)]
    out = results.array("realtime/circuits_out")[:, 0]
    np.testing.assert_array_equal(np.flatnonzero(out), np.arange(8, 24))
    assert set(out) == {0, 1}


def test_a_single_circuit_without_which_the_grid_falls_apart_is_not_drawn(tmp_path: Path) -> None:
    net = corridor()
    net.line["parallel"], net.line["for_rate"], net.line["mttr_h"] = 1, 0.4, 6.0
    _, results = served(tmp_path, net, outages={"forced": True}, seed=3)
    assert not results.array("realtime/circuits_out").any()
    assert outages_of(results) == []


def test_the_log_tells_when_a_line_was_out_and_when_it_stayed(tmp_path: Path) -> None:
    """L1 is lost from hour 8 to 20; from 12 to 16 L0 is out, and without both bus 1 would be cut off."""
    outage = [
        {"start": "2024-01-01T08:00", "hours": 12, "names": ["L1"], "kind": "fog"},
        {"start": "2024-01-01T12:00", "hours": 4, "names": ["L0"], "kind": "storm"},
    ]
    _, results = run(tmp_path, outage=outage)
    log = [
        (event["cause"], event["first"], event["steps"], event["stays"], event["parts"], event["lost_mw"] > 0.0)
        for event in results.events
        if event["kind"] == "outage"
    ]
    assert log == [
        ("fog", 8, 4, False, 1, True),
        ("storm", 12, 4, False, 1, True),
        ("fog", 12, 4, True, 0, False),
        ("fog", 16, 4, False, 1, True),
    ]
    out, names = results.array("realtime/circuits_out"), results.names("branch")
    assert np.flatnonzero(out[:, names.index("L1")]).tolist() == [*range(8, 12), *range(16, 20)]


def test_what_is_known_when(tmp_path: Path) -> None:
    """Begun: until it ends. Not begun: only if announced."""
    outage = {"start": "2024-01-01T10:00", "hours": 30, "names": ["gas"], "share": 0.5}
    scenario = write_grid(tmp_path, tiny_grid(), outage=[outage], **DAY)
    case = assemble(scenario)
    gas = case.units["name"].tolist().index("gas")
    wrong = Disturbances(case, scenario)
    assert wrong.lived().unit_available[:, gas].tolist() == [2] * 10 + [1] * 30 + [2] * (HOURS - 40)
    assert not wrong.known(0, 48).units.any()
    assert not wrong.known(10, 48).units.any()  # it begins with this hour
    assert wrong.known(24, 48).units[:, gas].tolist() == [1] * 16 + [0] * 32
    told = Disturbances(case, replace_outage(scenario, announced=True))
    assert told.known(0, 48).units[:, gas].tolist() == [0] * 10 + [1] * 30 + [0] * 8
    (one,) = told.incidents
    assert (one.name, one.first, one.steps, one.parts, one.lost_mw) == ("gas", 10, 30, 1, pytest.approx(80.0))


def replace_outage(scenario: Scenario, **changes: Any) -> Scenario:
    return scenario.model_copy(update={"outage": [one.model_copy(update=changes) for one in scenario.outage]})


def test_believed_hours_become_lived_ones(tmp_path: Path) -> None:
    scenario = write_grid(
        tmp_path, tiny_grid(), outage=[{"start": "2024-01-01T10:00", "hours": 20, "names": ["gas"]}], **DAY
    )
    clocks = Clocks(scenario, assemble(scenario))
    clocks.issue(0, 48)
    assert (clocks.believed.unit_available[10:30] != clocks.actual.unit_available[10:30]).any()
    clocks.issue(24, 48)
    np.testing.assert_array_equal(clocks.believed.unit_available[:24], clocks.actual.unit_available[:24])
    np.testing.assert_array_equal(clocks.believed.unit_available[24:], clocks.actual.unit_available[24:])


def test_a_plan_from_a_later_step(tmp_path: Path) -> None:
    scenario = write_grid(tmp_path, tiny_grid(tight=True), grid={"n1": "enforce"}, **DAY)
    planner = planner_of(assemble(scenario), scenario)
    plan = planner.plan(0, 48, planner.first_state())
    later = plan.after(7)
    np.testing.assert_array_equal(later.on, plan.on[7:])
    np.testing.assert_array_equal(later.line_rows.hour, plan.line_rows.hour[plan.line_rows.hour >= 7] - 7)
    assert later.keys.hour.min(initial=0) >= 0
    assert len(later.bounds.cap) == 41
    assert later.next_rows is plan.next_rows
    assert plan.after(0) is plan


@pytest.mark.slow
@pytest.mark.parametrize("losses", ["none", "quadratic"])
def test_rich_grids_with_errors_and_outages(tmp_path: Path, losses: str) -> None:
    """Shifters, products, ramps, starts by lag, hydro, modes of pumps: all of it, with everything going wrong."""
    scenario = write_rich(
        tmp_path, 5, horizon={"hours": 48}, grid={"losses": losses, "n1": "off"}, realtime={"forecast": "errors"},
        outages={"forced": True},
    )  # fmt: skip
    run_audited(scenario, tmp_path / "run.h5")
