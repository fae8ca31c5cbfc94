"""Steps of 15 and 30 minutes, from the scenario to the audit: what they must share with hours, and what by hand."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rich_grid import write_rich
from tiny_grid import HOURS, SERIES, tiny_grid, write_grid

from gridsim import scenario as scenarios
from gridsim.assemble import assemble, describe
from gridsim.audit import audit
from gridsim.errors import InputError
from gridsim.plan import Planner
from gridsim.report import draw_pictures
from gridsim.results import ResultsReader
from gridsim.scenario import Scenario
from gridsim.simulate import simulate
from gridsim.verify import verify


def by_step(scenario: Scenario, minutes: int, **horizon: Any) -> Scenario:
    """The scenario in other steps."""
    tree = scenario.model_dump()
    tree["horizon"] |= {"resolution_min": minutes, **horizon}
    return Scenario.model_validate(tree)


def fine_series(folder: Path, minutes: int, frame: pd.DataFrame | None = None) -> None:
    """The hourly file of `write_grid` by `minutes`, constant in each hour."""
    frame = pd.read_csv(folder / "series.csv") if frame is None else frame
    per_hour = 60 // minutes
    fine = frame.loc[frame.index.repeat(per_hour)].reset_index(drop=True)
    fine["time"] = pd.date_range("2024-01-01", periods=len(fine), freq=f"{minutes}min")
    fine.to_csv(folder / "series.csv", index=False)


# -- the scenario and its series ------------------------------------------------------------------------------------


def test_only_whole_parts_of_an_hour(tmp_path: Path):
    with pytest.raises(InputError, match=r"horizon.resolution_min must be 60 or 30 or 15: got 20"):
        scenarios.load("jiangsu-2024", ["horizon.resolution_min=20"])
    assert scenarios.load("jiangsu-2024", ["horizon.resolution_min=15"]).steps_per_hour == 4
    assert "resolution_min = 60" in scenarios.load("jiangsu-2024").text


def test_hours_become_steps_by_the_rule_of_what_they_drive(tmp_path: Path):
    scenario = write_grid(tmp_path, tiny_grid(), horizon={"hours": 30, "start": "2024-01-01T18:00"})
    hour, quarter = assemble(scenario), assemble(by_step(scenario, 15))
    assert (quarter.hours, quarter.steps, quarter.dt_h, len(quarter.time)) == (30, 120, 0.25, 120)
    assert str(quarter.time[1]) == "2024-01-01 18:15:00"
    assert "30 hours in steps of 15 min" in describe(quarter)

    def mean(values: np.ndarray) -> np.ndarray:
        return values.reshape(30, 4, -1).mean(axis=1)

    free = [0, 1]  # wind and PV; the import has a ramp limit
    assert_allclose(mean(quarter.load_mw), hour.load_mw, rtol=1e-12)
    assert_allclose(mean(quarter.source_max_mw)[:, free], hour.source_max_mw[:, free], atol=1e-9)
    assert (np.ptp(quarter.load_mw.reshape(30, 4, -1), axis=1) > 0).any()
    assert_array_equal(quarter.unit_available, np.repeat(hour.unit_available, 4, axis=0))
    imports = quarter.source_max_mw[:, 2]
    assert 0 < np.abs(np.diff(imports)).max() <= np.abs(np.diff(80.0 * SERIES["import/X"])).max() / 4 + 1e-9
    assert_allclose(imports[2], 0.5 * (0.875 + 1.125) * 80 * SERIES["import/X"][18], rtol=0.02)


@pytest.mark.parametrize("minutes", [15, 30])
def test_own_series_by_the_step_are_taken_as_they_are(tmp_path: Path, minutes: int):
    scenario = write_grid(tmp_path, tiny_grid(sources=False, stores=False), horizon={"hours": 30})
    per_hour = 60 // minutes
    load = np.random.default_rng(2).uniform(200.0, 300.0, HOURS * per_hour)
    stamps = pd.date_range("2024-01-01", periods=load.size, freq=f"{minutes}min")
    share = np.ones(load.size)
    frame = pd.DataFrame({"time": stamps, "load/A": load, "availability/G": share})
    frame.to_csv(tmp_path / "series.csv", index=False)
    case = assemble(by_step(scenario, minutes))
    assert_allclose(case.load_mw.sum(axis=1), load[: 30 * per_hour], rtol=1e-12)
    # a finer file becomes means, over the step or over the hour
    hourly = assemble(scenario)
    assert_allclose(hourly.load_mw.sum(axis=1), load[: 30 * per_hour].reshape(30, -1).mean(axis=1), rtol=1e-12)


def test_series_of_a_length_between_are_refused(tmp_path: Path):
    scenario = write_grid(tmp_path, tiny_grid(), horizon={"hours": 30})
    fine_series(tmp_path, 30)
    with pytest.raises(InputError, match=r"must step by 60 min, or by 15 min or a whole part of it: steps by 30 min"):
        assemble(by_step(scenario, 15))
    assemble(by_step(scenario, 30))
    short = pd.read_csv(tmp_path / "series.csv").iloc[:50]
    short.to_csv(tmp_path / "series.csv", index=False)
    with pytest.raises(InputError, match=r"must cover 2024-01-01T00 to 2024-01-02T05 \(30 hours\): it has 25 hours"):
        assemble(by_step(scenario, 30))


def test_a_schedule_by_the_step_must_keep_the_ramp_of_the_step(tmp_path: Path):
    scenario = write_grid(tmp_path, tiny_grid(), horizon={"hours": 30})
    fine_series(tmp_path, 15)  # constant in the hour: its jumps are those of a quarter
    with pytest.raises(InputError, match=r"ramp limit of 12 MW/h .* steps do \(first at 2024-01-01T01:00"):
        assemble(by_step(scenario, 15))


# -- the same as in hours -------------------------------------------------------------------------------------------


def plain_grid(**parts: Any) -> Any:
    """Nothing that a quarter of an hour can do better: no ramp, no loss, and constant series."""
    net = tiny_grid(**parts)
    net.sgen["ramp_up_mw_per_h"] = net.sgen["ramp_down_mw_per_h"] = np.nan
    net.storage["eta_charge"] = net.storage["eta_discharge"] = 1.0
    net.gen["min_up_h"] = net.gen["min_down_h"] = 1
    net.storage["end_rule"] = ["fixed", "value"]
    net.storage["end_value"] = [0.0, 290.0]
    net.storage["charge_cost"] = [1.0, 0.0]
    return net


@pytest.mark.parametrize("minutes", [30, 15])
def test_constant_hours_cost_what_they_cost_by_the_hour(tmp_path: Path, minutes: int):
    """A convex window: the mean over each hour of what the quarters do is a solution by the hour, and back."""
    net = plain_grid(tight=True)
    net.gen["must_run"] = True
    shared: dict[str, Any] = {"horizon": {"hours": 60, "window_h": 48, "step_h": 24}}
    hour, fine = (tmp_path / name for name in ("hour", "fine"))
    summaries = []
    for folder, step in ((hour, 60), (fine, minutes)):
        folder.mkdir()
        scenario = write_grid(folder, net, load=1.15, **shared)
        if step < 60:
            fine_series(folder, step)
        summaries.append(simulate(by_step(scenario, step), folder / "r.h5"))
        report = audit(folder / "r.h5")
        assert report.ok, report.as_text()
    want, got = summaries
    for key in ("total_cost", "lower_bound", "peak_load_mw"):
        assert got[key] == pytest.approx(want[key], rel=1e-5), key
    assert got["co2_mt"] == pytest.approx(want["co2_mt"], rel=1e-3)  # plants of one price may share as they like
    for key in ("unserved_mwh", "curtailment_mwh", "reserve_short_mwh", "overload_mwh", "spill_mwh"):
        assert got[key] == pytest.approx(want[key], abs=0.5), key
    assert sum(got["energy_twh"].values()) == pytest.approx(sum(want["energy_twh"].values()), rel=1e-6)
    assert (got["hours"], got["resolution_min"], want["resolution_min"]) == (60, minutes, 60)
    with ResultsReader(hour / "r.h5") as a, ResultsReader(fine / "r.h5") as b:
        mine, theirs = b.table("windows")["cost"], a.table("windows")["cost"]
        assert mine[0] == pytest.approx(theirs[0], rel=1e-7)
        # of several optima each may leave another energy in the stores: the next windows begin elsewhere
        assert_allclose(mine, theirs, rtol=1e-4)
        assert b.table("windows")[["first_hour", "hours"]].equals(a.table("windows")[["first_hour", "hours"]])
        for path in ("cost/total", "cost/no_load", "carbon/tech_t"):
            total = b.array(path).reshape(60, 60 // minutes, -1).sum(axis=(0, 1))
            assert_allclose(total, a.array(path).reshape(60, -1).sum(axis=0), rtol=1e-4, atol=1.0)
        equal = np.isclose(
            np.median(b.array("price/energy").reshape(60, -1), axis=1), a.array("price/energy"), atol=0.1
        )
        assert equal.mean() > 0.7  # prices are not unique in every hour, but nobody is paid by the quarter


def test_the_relaxed_window_costs_the_same_with_starts_and_reserve(tmp_path: Path):
    """Starts in quarters average to starts in hours: the relaxed optimum is one number."""
    scenario = write_grid(tmp_path, plain_grid(), horizon={"hours": 36}, reserve={"up_load_share": 0.06})
    optima = []
    for minutes in (60, 30, 15):
        if minutes < 60:
            write_grid(tmp_path, plain_grid())
            fine_series(tmp_path, minutes)
        planner = Planner(assemble(by_step(scenario, minutes)))
        state = planner.first_state()
        problem, injected, constant = planner.problem(0, planner.case.steps, state, None)
        found = planner.settle(problem, injected, state.rows, None)
        assert found.solution.u.shape[1] > 0
        optima.append(found.solution.objective * planner.money + constant)
    assert_allclose(optima[1:], optima[0], rtol=1e-6)


# -- everything at once: the audit, HiGHS, the pictures -------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "minutes", "hours", "window_h", "step_h"), [(1, 15, 31, 24, 10), (4, 30, 40, 24, 12), (9, 15, 9, 5, 2)]
)
def test_rich_grids_keep_every_limit(tmp_path: Path, seed: int, minutes: int, hours: int, window_h: int, step_h: int):
    horizon = {"hours": hours, "window_h": window_h, "step_h": step_h, "resolution_min": minutes}
    simulate(write_rich(tmp_path, seed, horizon=horizon), tmp_path / "r.h5")
    report = audit(tmp_path / "r.h5")
    assert report.ok, report.as_text()
    assert report.hours == hours


@pytest.fixture(scope="module")
def quarters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quarters")
    net = tiny_grid(tight=True)
    net.storage["loss_per_h"] = [0.01, 0.002]
    horizon = {"hours": 48, "window_h": 24, "step_h": 24, "resolution_min": 15, "start": "2024-01-01T06:00"}
    simulate(write_grid(folder, net, horizon=horizon), folder / "r.h5")
    return folder / "r.h5"


def test_highs_agrees_on_the_windows(quarters: Path):
    report = verify(quarters, 2)
    assert report.ok, report.as_text()
    assert report.windows[1].start == "2024-01-02 06:00"


def test_time_of_the_file(quarters: Path):
    with ResultsReader(quarters) as run:
        assert (run.hours, run.steps, run.resolution_min, run.dt_h) == (48, 192, 15, 0.25)
        assert str(run.time[0]) == "2024-01-01 06:00:00"
        assert str(run.time[-1]) == "2024-01-03 05:45:00"
        assert run.file["time"].attrs["units"] == "minutes since 2024-01-01 06:00:00"
        assert_array_equal(run.file["time"][...], 15 * np.arange(192))
        assert len(run.array("peak_shaving/peak_valley_before_mw")) == 2


@pytest.mark.parametrize(
    ("path", "place", "more", "check"),
    [
        ("cost/energy", 17, 40.0, "cost: energy"),
        ("carbon/tech_t", (33, 0), 1.0, "emissions by technology"),
        ("storage/e_mwh", (50, 1), 0.1, "state of charge recursion"),
        ("dispatch/source_p_mw", (40, 2), 5.0, "source ramps"),
    ],
)
def test_the_audit_sees_what_is_wrong_by_the_quarter(quarters: Path, tmp_path: Path, path, place, more, check):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(quarters.read_bytes())
    assert audit(copy).row(check).ok
    with h5py.File(copy, "r+") as file:
        file[path][place] = file[path][place] + more
    report = audit(copy)
    assert not report.row(check).ok
    quarter = 6 * 60 + 15 * (place[0] if isinstance(place, tuple) else place)
    stamps = [pd.Timestamp("2024-01-01") + pd.Timedelta(minutes=quarter + more) for more in (0, 15)]
    assert any(f"{stamp:%Y-%m-%d %H:%M}" in report.row(check).where for stamp in stamps)  # into the step or out of it


def test_pictures(quarters: Path, tmp_path: Path):
    pictures = draw_pictures(quarters, tmp_path, dpi=40)
    made = {path.name for path in pictures.made}
    assert {"week_spring.png", "energy.png", "durations.png", "peak_shaving.png", "curtailment.png"} <= made


# -- by hand --------------------------------------------------------------------------------------------------------


def hand(
    folder: Path,
    load: list[float],
    *,
    store: dict[str, Any] | None = None,
    out: list[float] | None = None,
    **plant: Any,
) -> tuple[dict[str, Any], Path]:
    """A cheap plant of 100 to 300 MW and a dear one of 0 to 400 MW at one bus, in quarters; load by the quarter."""
    net = pp.create_empty_network(sn_mva=100)
    bus = pp.create_bus(net, 220.0)
    pp.create_gen(net, bus, 100.0, name="plant", min_p_mw=100.0, max_p_mw=300.0, slack=True)
    pp.create_gen(net, bus, 0.0, name="gas", min_p_mw=0.0, max_p_mw=400.0)
    for k, cost in enumerate((10.0, 50.0)):
        pp.create_poly_cost(net, k, "gen", cost)
    base = {"tech": "coal", "units": 1, "min_up_h": 1, "min_down_h": 1, "no_load_cost": 0.0, "must_run": False}
    for name, value in (base | plant).items():
        blank = np.nan if isinstance(value, float) and name != "no_load_cost" else base.get(name, "")
        net.gen[name] = [value, blank]
    net.gen["tech"], net.gen["profile"] = ["coal", "gas"], ["out" if out else "", ""]
    pp.create_load(net, bus, max(load), name="load")
    net.load["profile"] = "load"
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=len(load), freq="15min"), "load [MW]": load})
    if out:
        frame["out [1]"] = out
    if store:
        pp.create_storage(net, bus, 0.0, name="store", tech="battery", **store)
    pp.to_json(net, str(folder / "net.json"))
    frame.to_csv(folder / "series.csv", index=False)
    scenario = Scenario.model_validate({
        "name": "hand", "horizon": {"hours": len(load) // 4, "resolution_min": 15},
        "network": {"source": str(folder / "net.json")}, "profiles": {"source": str(folder / "series.csv")},
        "reserve": {"up_min_mw": 0.0, "up_load_share": 0.0, "down_load_share": 0.0},
    })  # fmt: skip
    summary = simulate(scenario, folder / "r.h5")
    report = audit(folder / "r.h5")
    assert report.ok, report.as_text()
    return summary, folder / "r.h5"


def test_a_ramp_of_the_hour_binds_by_the_quarter(tmp_path: Path):
    """40 MW/h from 150 MW: 10 MW a quarter, and the gas gives the rest, a quarter of each MW's price a quarter."""
    summary, path = hand(
        tmp_path, [150.0] + [300.0] * 7, ramp_up_mw_per_h=40.0, ramp_down_mw_per_h=40.0, initial_on=1.0,
        initial_hours=5.0, initial_p_mw=150.0,
    )  # fmt: skip
    plant = np.concatenate(([150.0], 150.0 + 10.0 * np.arange(1, 8)))
    with ResultsReader(path) as run:
        p_mw = run.array("dispatch/unit_p_mw")
        assert_allclose(p_mw[:, 0], plant, atol=0.1)
    gas = np.array([150.0] + [300.0] * 7) - plant
    assert summary["total_cost"] == pytest.approx((10 * plant.sum() + 50 * gas.sum()) / 4, rel=1e-3)
    assert summary["energy_twh"]["coal"] == pytest.approx(plant.sum() / 4e6, rel=1e-3)


@pytest.mark.parametrize(("hours_out", "cost"), [(2, 100.0), (3, 400.0)])
def test_a_start_costs_by_the_hours_off(tmp_path: Path, hours_out: int, cost: float):
    """Out for 8 or 12 quarters: the dearer category begins at 3 hours."""
    share = [1.0] * 4 + [0.0] * (4 * hours_out) + [1.0] * 8
    _, path = hand(
        tmp_path, [200.0] * len(share), out=share, must_run=True, start_cost_by_hours_off="0:100 3:400", initial_on=1.0,
    )  # fmt: skip
    with ResultsReader(path) as run:
        assert_array_equal(np.flatnonzero(run.array("commitment/start")[:, 0]), [4 + 4 * hours_out])
        assert run.array("cost/start").sum() == pytest.approx(cost)


def test_minimum_times_are_hours(tmp_path: Path):
    """A plant that pays for two quarters has to pay for three hours, counted from what it had before."""
    load = [50.0] * 4 + [300.0] * 2 + [110.0] * 26
    _, path = hand(
        tmp_path, load, min_up_h=3, min_down_h=2, start_cost=10.0, initial_on=0.0, initial_hours=1.0,
        no_load_cost=5000.0,
    )  # fmt: skip
    with ResultsReader(path) as run:
        on = run.array("commitment/on")[:, 0]
    begin = np.flatnonzero(np.diff(np.concatenate(([0], on))) == 1)
    assert (begin >= 4).all()  # off for an hour before, and two are the least
    ends = np.flatnonzero(np.diff(np.concatenate((on, [0]))) == -1)
    assert all(end - first + 1 >= 12 or end == len(on) - 1 for first, end in zip(begin, ends, strict=True))


def test_an_idle_store_loses_by_the_hour_what_it_says(tmp_path: Path):
    store = {"max_e_mwh": 1000.0, "min_e_mwh": 0.0, "max_p_mw": 100.0, "min_p_mw": -100.0, "soc_percent": 80.0}
    store |= {"loss_per_h": 0.1, "end_rule": "free", "eta_charge": 0.9, "eta_discharge": 0.9, "discharge_cost": 1000.0}
    _, path = hand(tmp_path, [200.0] * 16, store=store, initial_on=1.0)
    with ResultsReader(path) as run:
        assert_allclose(run.array("storage/e_mwh")[3::4, 0], 800.0 * 0.9 ** np.arange(1, 5), rtol=1e-6)


def test_a_store_fills_at_its_power(tmp_path: Path):
    """100 MW for a quarter at 80 % are 20 MWh."""
    store = {"max_e_mwh": 100.0, "min_e_mwh": 0.0, "max_p_mw": 100.0, "min_p_mw": -100.0, "soc_percent": 0.0}
    store |= {"end_rule": "value", "end_value": 10_000.0, "eta_charge": 0.8, "eta_discharge": 0.8}
    _, path = hand(tmp_path, [150.0] * 8, store=store, initial_on=1.0)
    with ResultsReader(path) as run:
        assert_allclose(run.array("storage/e_mwh")[:, 0].max(), 100.0, atol=0.2)
        assert run.array("storage/charge_mw").sum() / 4 == pytest.approx(125.0, rel=1e-2)
        assert run.array("storage/charge_mw").max() <= 100.0 + 1e-6


def test_a_day_of_jiangsu(tmp_path: Path):
    given = ['horizon.start="2024-08-05"', "horizon.hours=24", "horizon.window_h=24", "horizon.resolution_min=15"]
    scenario = scenarios.load("jiangsu-2024", given)
    summary = simulate(scenario, tmp_path / "j.h5")
    report = audit(tmp_path / "j.h5")
    assert report.ok, report.as_text()
    assert summary["gap_max"] < 0.01
    assert summary["unserved_mwh"] == summary["spill_mwh"] == 0


def test_budgets_ask_for_hours():
    budget = {"name": "gas", "techs": ["gas"], "quantity": "energy", "period": "day", "at_most": 1.0, "penalty": 1.0}
    assert Scenario.model_validate({"name": "x", "budget": [budget]}).steps_per_hour == 1
    with pytest.raises(ValueError, match=r"resolution_min"):
        Scenario.model_validate({"name": "x", "budget": [budget], "horizon": {"resolution_min": 15}})
