"""What holds units and stores, worked out by hand: one cheap plant and one dear one on a bus, a few hours.

Each window is also solved by HiGHS from the same statement. Costs per MWh: plant 10, gas 50; unserved 20,000, a missing
MW of reserve 3,000. A third plant of 2,000 MW always runs and serves a constant load: the scale of a larger grid.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rich_grid import NO_SHARES, write_rich

from gridsim import oracle, pumping
from gridsim.assemble import assemble
from gridsim.audit import audit
from gridsim.case import Case
from gridsim.plan import Plan, Planner
from gridsim.results import ResultsReader
from gridsim.scenario import Scenario
from gridsim.simulate import simulate

REST_MW = 2000.0
HAIR = 0.01  # MW: ramps are kept to a hair of a hundred-thousandth of the capacity


class Planned(NamedTuple):
    """One window."""

    case: Case
    plan: Plan
    p_mw: np.ndarray  # (T, units): plant, gas
    scenario: Scenario

    def product(self, name: str) -> int:
        return self.case.products["name"].tolist().index(name)


Make = Callable[..., Planned]


@pytest.fixture
def planned(tmp_path: Path) -> Make:
    """Plan one window: load by hour, columns of the plant (100 to 300 MW, on at 150 MW for long), gas and a store."""

    def make(load: list[float], *, store: dict[str, Any] | None = None, series: Any = None, gas: Any = None,
             products: list[dict[str, Any]] | None = None, **plant: Any) -> Planned:  # fmt: skip
        net = pp.create_empty_network(sn_mva=100)
        bus = pp.create_bus(net, 220.0, zone="A")
        for k, (name, least, cost) in enumerate((("plant", 100.0, 10.0), ("gas", 0.0, 50.0))):
            pp.create_gen(net, bus, least, name=name, min_p_mw=least, max_p_mw=300.0, slack=k == 0)
            pp.create_poly_cost(net, k, "gen", cost)
        pp.create_gen(net, bus, REST_MW, name="rest", min_p_mw=REST_MW, max_p_mw=REST_MW)
        pp.create_poly_cost(net, 2, "gen", 0.0)
        columns = {"units": 1, "min_up_h": 1, "min_down_h": 1, "start_cost": 1e-3, "initial_on": 1, "tech": "coal"}
        for name, value in ({**columns, "initial_p_mw": 150.0} | plant).items():
            net.gen[name] = [value, *2 * [np.nan if isinstance(value, float) else value]]
        for name, value in ({"tech": "gas", "initial_p_mw": 0.0} | (gas or {})).items():
            if name not in net.gen:
                net.gen[name] = False if isinstance(value, bool) else np.nan
            net.gen.loc[1, name] = value
        rest = {"tech": "nuclear", "must_run": True, "start_cost_by_hours_off": "", "profile": "", "quick_start": False}
        rest |= {"units": 1, "min_p_mw": REST_MW, "max_p_mw": REST_MW, "initial_on": 1}
        for name, value in rest.items():
            if name == "must_run" and name not in net.gen:
                net.gen[name] = False
            if name in net.gen:
                net.gen.loc[2, name] = value
        pp.create_load(net, bus, REST_MW + max(load), name="load")
        net.load["profile"] = "load"
        if store is not None:
            pp.create_storage(net, bus, 0.0, 1000.0, name="store", **{"tech": "pumped_hydro"} | store)
        pp.to_json(net, str(tmp_path / "net.json"))
        frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=len(load), freq="h"), "load [MW]": load})
        frame["load [MW]"] += REST_MW
        frame.assign(**(series or {})).to_csv(tmp_path / "series.csv", index=False)
        scenario = Scenario.model_validate({
            "name": "hand", "horizon": {"hours": len(load), "window_h": len(load), "step_h": len(load)},
            "network": {"source": str(tmp_path / "net.json")}, "profiles": {"source": str(tmp_path / "series.csv")},
            "reserve": {**NO_SHARES, "product": products or []},
        })  # fmt: skip
        case = assemble(scenario)
        planner = Planner(case)
        state = planner.first_state()
        plan = planner.plan(0, len(load), state)
        problem, _, constant = planner.problem(0, len(load), state, plan.decided)
        by_highs = oracle.solve_lp(problem).objective * planner.money + constant + plan.start_cost.sum()
        by_highs += plan.store_start_cost.sum()
        assert plan.cost == pytest.approx(by_highs + plan.lacking_cost, rel=1e-6)
        assert plan.bound <= plan.cost + 1e-6 * abs(plan.cost)
        p_mw = plan.on * case.units["p_min_mw"].to_numpy()
        np.add.at(p_mw.T, planner.seg_unit, plan.unit_seg_mw.T)
        return Planned(case, plan, p_mw[:, :2], scenario)

    return make


# -- ramps and first and last hours --------------------------------------------------------------------------------


def test_a_ramp_that_binds(planned: Make):
    """From 150 MW at most 30 MW/h up: what the plant cannot follow the gas gives."""
    w = planned([150.0, 300.0, 300.0, 300.0, 150.0], ramp_up_mw_per_h=30.0)
    assert_allclose(w.p_mw[:, 0], [150, 180, 210, 240, 150], atol=4 * HAIR)
    assert_allclose(w.p_mw[:, 1], [0, 120, 90, 60, 0], atol=4 * HAIR)
    assert w.plan.cost == pytest.approx(10 * 930 + 50 * 270, rel=1e-4)
    assert_allclose(w.plan.price[[1, 2, 3]], 50.0, rtol=1e-4)


def test_a_fall_is_prepared(planned: Make):
    """Down by 20 MW/h: the load falls to 100 MW in hour 3, so the plant may be at 140, 120 before it."""
    w = planned([150.0, 150.0, 150.0, 100.0], ramp_down_mw_per_h=20.0, must_run=True)
    assert_allclose(w.p_mw[:, 0], [150, 140, 120, 100], atol=4 * HAIR)
    assert not w.plan.spill_mw.max() > HAIR


def test_first_hour_and_rise_after_it(planned: Make):
    """Off before: 120 MW in the first hour, 50 MW/h more after it."""
    w = planned([250.0] * 4, initial_on=0, initial_p_mw=0.0, start_ramp_mw=120.0, ramp_up_mw_per_h=50.0)
    assert_array_equal(w.plan.on[:, 0], 1)
    assert_allclose(w.p_mw[:, 0], [120, 170, 220, 250], atol=4 * HAIR)


def test_last_hour_before_an_outage(planned: Make):
    """An outage from hour 4 on: 120 MW in hour 3, and down to it by 60 MW/h."""
    series = {"out [p.u.]": [1.0, 1.0, 1.0, 1.0, 0.0]}
    limits = {"stop_ramp_mw": 120.0, "ramp_down_mw_per_h": 60.0, "profile": "out", "initial_p_mw": 300.0}
    w = planned([290.0] * 5, series=series, gas={"profile": ""}, **limits)
    assert_array_equal(w.plan.on[:, 0], [1, 1, 1, 1, 0])
    assert_allclose(w.p_mw[:, 0], [290, 240, 180, 120, 0], atol=4 * HAIR)
    assert not w.plan.bounds.widened.any()


def test_what_an_outage_makes_impossible_is_widened_and_recorded(planned: Make):
    """At 300 MW before the window, and an outage from its second hour on: 40 MW/h down and 120 MW in the last hour

    are 140 MW too fast, in the hour that has to be at 120 MW.
    """
    series = {"out [p.u.]": [1.0, 0.0, 0.0]}
    limits = {"stop_ramp_mw": 120.0, "ramp_down_mw_per_h": 40.0, "profile": "out", "initial_p_mw": 300.0}
    w = planned([250.0] * 3, series=series, gas={"profile": ""}, **limits)
    assert_array_equal(w.plan.on[:, 0], [1, 0, 0])
    assert_allclose(w.p_mw[:, 0], [120, 0, 0], atol=HAIR)
    assert_allclose(w.plan.bounds.widened[:, 0], [140, 0, 0], atol=HAIR)


def test_a_unit_does_not_stop_faster_than_it_can(planned: Make):
    """300 MW, 60 MW/h down to the 120 MW from which it may stop: three hours on, though nobody needs it."""
    limits = {"stop_ramp_mw": 120.0, "ramp_down_mw_per_h": 60.0, "initial_p_mw": 300.0, "no_load_cost": 1e5}
    w = planned([0.0] * 6, gas={"no_load_cost": 0.0}, **limits)
    assert_array_equal(w.plan.on[:, 0], [1, 1, 1, 0, 0, 0])
    assert_allclose(w.p_mw[:3, 0], [240, 180, 120], atol=4 * HAIR)


def test_the_sum_of_units_that_change(planned: Make):
    """Of three units of 100 to 300 MW, two on at 200 MW each: as a row no more than the limits of each add up to."""
    limits = {"units": 3, "ramp_up_mw_per_h": 90.0, "start_ramp_mw": 150.0, "min_p_mw": 300.0, "max_p_mw": 900.0}
    gas = {"units": 1, "min_p_mw": 0.0, "max_p_mw": 900.0, "initial_on": 1}
    w = planned([400.0, 900.0, 900.0], gas=gas, initial_on=2, initial_p_mw=400.0, **limits)
    rise = np.diff(w.p_mw[:, 0], prepend=400.0)
    before = np.concatenate(([2], w.plan.on[:-1, 0]))
    assert (rise <= 30.0 * np.minimum(before, w.plan.on[:, 0]) + 150.0 * w.plan.start[:, 0] + 3 * HAIR).all()
    assert w.plan.start[:, 0].sum() == 1
    # 2 x 30 + 130, as the ramp above the minimum is tighter than start_ramp; then 3 x 30
    assert_allclose(w.p_mw[:, 0], [400, 590, 680], atol=10 * HAIR)


# -- start costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "cost"), [(1, 100.0), (5, 100.0), (6, 400.0), (60, 400.0)])
def test_a_start_costs_by_the_hours_off(planned: Make, hours: int, cost: float):
    columns = {"start_cost": 0.0, "start_cost_by_hours_off": "2:100 6:400", "initial_on": 0, "initial_p_mw": 0.0}
    w = planned([250.0] * 3, initial_hours=hours, gas={"start_cost_by_hours_off": ""}, **columns)
    assert_allclose(w.plan.start_cost[:, 0], [cost, 0, 0])
    assert w.plan.cost == pytest.approx(10 * 750 + cost, rel=1e-5)
    assert w.plan.bound <= w.plan.cost + 1e-3


# -- reserve products -----------------------------------------------------------------------------------------------

FIVE = {"name": "five", "direction": "up", "within_min": 5.0, "min_mw": 10.0, "techs": ["coal"]}
TEN = {"name": "ten", "direction": "up", "within_min": 10.0, "min_mw": 15.0, "techs": ["coal"]}


def test_two_products_with_different_responses(planned: Make):
    """2 MW/min: 10 MW in five minutes, 20 MW in ten, of which ten asks for 10 + 15: 5 MW are short.

    It is worth it to keep the plant at 280 MW although the load is 290 MW.
    """
    w = planned([290.0] * 3, reserve_mw_per_min=2.0, products=[FIVE, TEN])
    assert_allclose(w.p_mw[:, 0], 280.0, atol=HAIR)
    assert_allclose(w.plan.short_mw[:, w.product("five")], 0.0, atol=HAIR)
    assert_allclose(w.plan.short_mw[:, w.product("ten")], 5.0, atol=HAIR)
    assert_allclose(w.plan.price_reserve[:, w.product("ten")], 3000.0, rtol=1e-4)


def test_down_asks_for_output_above_the_minimum(planned: Make):
    """At a load of 105 MW with 2 MW/min down: 10 MW within five minutes need 110 MW; 5 MW are spilled or short."""
    down = {"name": "down5", "direction": "down", "within_min": 5.0, "min_mw": 10.0, "techs": ["coal"]}
    w = planned([130.0, 105.0], reserve_mw_per_min=2.0, products=[down], must_run=True)
    assert_allclose(w.p_mw[:, 0], [130.0, 110.0], atol=HAIR)  # spilling costs 500, a missing MW 3,000
    assert_allclose(w.plan.spill_mw.sum(axis=1), [0.0, 5.0], atol=HAIR)
    assert_allclose(w.plan.short_mw, 0.0, atol=HAIR)


@pytest.mark.parametrize("quick", [True, False])
def test_a_product_that_need_not_spin_counts_what_is_off(planned: Make, quick: bool):
    """Gas of 40 MW, off and quick to start, answers with all of it; 60 MW are asked for at a load of 290 MW."""
    product = {"name": "standing", "direction": "up", "within_min": 30.0, "min_mw": 45.0, "spinning": False}
    gas = {"quick_start": quick, "max_p_mw": 40.0, "initial_on": 0, "start_cost": 1e6}
    w = planned([290.0] * 2, quick_start=False, gas=gas, products=[product])
    assert_array_equal(w.plan.on[:, 1], 0)
    assert_allclose(w.plan.short_mw[:, w.product("standing")], 0.0 if quick else 35.0, atol=HAIR)


def test_reserve_is_only_what_ramps_leave(planned: Make):
    """30 MW/h, of which 20 MW are to be free: the plant rises by 10 MW/h, as gas at 40 more per MWh is cheaper."""
    product = {"name": "spin", "direction": "up", "within_min": 60.0, "min_mw": 20.0, "techs": ["coal"]}
    w = planned([150.0, 200.0, 200.0, 200.0], ramp_up_mw_per_h=30.0, products=[product])
    assert_allclose(w.p_mw[:, 0], [150, 160, 170, 180], atol=0.5)
    assert_allclose(w.plan.short_mw, 0.0, atol=0.1)


def test_without_limits_nothing_is_cut(planned: Make):
    w = planned([200.0] * 2)
    planner = Planner(w.case)
    assert not planner.held.any()
    assert planner.seg_unit.tolist() == [0, 1, 2]
    assert_allclose(planner.seg_mw[:2], [200.0, 300.0])
    assert planner.seg_offer[:2].tolist() == [[-1.0, 1.0]] * 2  # "up", "down"
    problem, _, _ = planner.problem(0, 2, planner.first_state(), w.plan.decided)
    assert problem.ramps.bus.size == 0
    assert problem.need.shape == (2, 3)


# -- stores ---------------------------------------------------------------------------------------------------------

STORE = {"max_p_mw": 50.0, "min_p_mw": -20.0, "min_e_mwh": 0.0, "eta_charge": 1.0, "eta_discharge": 1.0}


FULL = STORE | {"soc_percent": 100.0, "inflow_profile": "river", "end_rule": "value", "end_value": 1.0}


def test_a_full_reservoir_spills_what_it_cannot_use(planned: Make):
    """Full, 50 MW flow in, 20 MW can be used: 30 MW run over in every hour."""
    series, store = {"river [MW]": [50.0] * 3}, FULL
    w = planned([200.0] * 3, store=store, series=series)
    assert_allclose(w.plan.discharge_mw[:, 0], 20.0, atol=HAIR)
    assert w.plan.spilled_mw.sum() == pytest.approx(90.0, abs=1e-2)
    assert w.plan.e_mwh[-1, 0] == pytest.approx(1000.0, abs=1e-2)
    assert w.plan.cost == pytest.approx(10 * 3 * 180 - 1000.0, rel=2e-5)  # what is left is worth 1 per MWh


def test_the_horizon_of_a_cyclic_store_ends_where_it_began(planned: Make):
    """Half full, 5 MW flow in for 4 hours: 20 MWh may be used, no more and no less."""
    series = {"river [MW]": [5.0] * 4}
    store = STORE | {"soc_percent": 50.0, "inflow_profile": "river", "end_rule": "cyclic"}
    w = planned([200.0] * 4, store=store, series=series)
    assert w.plan.e_mwh[-1, 0] == pytest.approx(500.0, abs=1e-3)
    assert w.plan.discharge_mw.sum() - w.plan.charge_mw.sum() + w.plan.spilled_mw.sum() == pytest.approx(20.0, abs=1e-2)


def test_a_pump_has_a_least_power(planned: Make):
    """A plant at its minimum of 100 MW leaves 20 MW for four hours: pumped by a machine of 40 to 50 MW in two of them.

    The 80 MWh save gas at 50 in the evening; 20 MW are bought from the plant where the pump runs.
    """
    store = STORE | {"min_p_mw": -50.0, "min_charge_mw": 40.0, "min_discharge_mw": 30.0, "soc_percent": 0.0}
    store |= {"end_rule": "free"}
    w = planned([80.0, 80.0, 80.0, 80.0, 330.0, 330.0], store=store, must_run=True, gas={"must_run": False})
    charge, discharge = w.plan.charge_mw[:, 0], w.plan.discharge_mw[:, 0]
    assert (np.minimum(charge, np.abs(charge - 45.0) - 5.0) < 1e-3).all()
    assert (np.minimum(discharge, np.abs(discharge - 40.0) - 10.0) < 1e-3).all()
    assert charge.sum() >= 40.0
    assert discharge[4:].sum() >= 30.0
    assert np.minimum(charge, discharge).max() < 1e-4


@pytest.mark.parametrize(("start_cost", "starts"), [(100.0, 2), (1e5, 0)])
def test_starts_of_a_pump_are_worth_their_cost(planned: Make, start_cost: float, starts: int):
    """Pumped at 10 in the night with 0.8, used against gas at 50 in the evening: 2 MW in one hour, 20 MW in another.

    A MWh saves 50 - 10 / 0.8: a start of 100 pays for the second hour alone, one of 100,000 for none.
    """
    store = STORE | {"min_p_mw": -20.0, "soc_percent": 0.0, "end_rule": "free", "eta_charge": 0.8}
    load = [150.0, 150.0, 302.0, 200.0, 320.0]
    w = planned(load, store=store | {"start_cost": start_cost}, must_run=True, gas={"must_run": False})
    count = pumping.running(w.case.stores, w.plan.charge_mw, w.plan.discharge_mw)
    begun = np.maximum(np.diff(count, axis=1, prepend=0), 0)
    assert begun.sum() == starts
    assert_allclose(w.plan.store_start_cost.sum(), start_cost * starts)
    free = 10 * (150 + 150 + 300 + 200 + 300) + 50 * 22
    saved = {2: 20 * 37.5, 0: 0}[starts]
    assert w.plan.cost == pytest.approx(free - saved + start_cost * starts, rel=1e-4)


# -- whole runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "hours", "window_h", "step_h"),
    [
        pytest.param(1, 79, 48, 30, marks=pytest.mark.slow),
        *((7, 7, 1, 1), (9, 59, 24, 4), (11, 8, 3, 1), (12, 13, 24, 8), (76, 30, 12, 5), (85, 48, 12, 11)),
    ],
)
def test_no_horizon_and_no_window_breaks_a_limit(tmp_path: Path, seed: int, hours: int, window_h: int, step_h: int):
    horizon = {"hours": hours, "window_h": window_h, "step_h": step_h}
    simulate(write_rich(tmp_path, seed, horizon=horizon), tmp_path / "r.h5")
    report = audit(tmp_path / "r.h5")
    assert report.ok, report.as_text()
    assert report.row("ramps widened (recorded)").worst == 0.0
    with ResultsReader(tmp_path / "r.h5") as run:
        table = run.table("windows")
        assert (table["bound"] <= table["cost"] * (1 + 1e-9)).all()


def test_a_planned_hand_case_lives_as_planned(planned: Make, tmp_path: Path):
    """The file of a run has the start by its category, the reserve by product and the spill of the reservoir."""
    series = {"river [MW]": [50.0] * 4}
    store = FULL
    columns = {"start_cost": 0.0, "start_cost_by_hours_off": "2:100 6:400", "initial_on": 0, "initial_p_mw": 0.0}
    limits = {"start_ramp_mw": 120.0, "ramp_up_mw_per_h": 50.0, "reserve_mw_per_min": 2.0, "initial_hours": 6}
    gas = {"start_cost_by_hours_off": ""}
    w = planned([250.0] * 4, series=series, store=store, products=[FIVE], gas=gas, **columns, **limits)
    simulate(w.scenario, tmp_path / "r.h5")
    report = audit(tmp_path / "r.h5")
    assert report.ok, report.as_text()
    with ResultsReader(tmp_path / "r.h5") as run:
        assert run.names("product") == ["up", "down", "five"]
        assert_allclose(run.array("commitment/start_cost")[:, 0], [400, 0, 0, 0])
        assert_allclose(run.array("cost/start"), [400, 0, 0, 0])
        assert_allclose(run.array("dispatch/unit_p_mw")[:, :2], w.p_mw, atol=0.1)
        assert run.array("storage/spill_mw").sum() == pytest.approx(120.0, abs=1e-2)
        assert_allclose(run.array("reserve/need_mw")[:, 2], 10.0)
        assert (run.array("reserve/provided_mw")[:, 2] + run.array("reserve/short_mw")[:, 2] >= 10.0 - 1e-3).all()
