"""Budgets from the scenario to the results file: prices worked out by hand, borders of windows, refusals."""

import h5py
import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from budget_grid import budget_grid, write_budget_grid
from numpy.testing import assert_allclose
from reference import INTERPRETED

from gridsim.assemble import assemble
from gridsim.audit import audit
from gridsim.errors import InputError
from gridsim.plan import Planner
from gridsim.results import ResultsReader
from gridsim.scenario import Scenario, load
from gridsim.simulate import simulate
from gridsim.verify import verify


def gas_day(**more):
    return {"name": "gas day", "fuels": ["gas"], "quantity": "energy", "period": "day", "penalty": 5000.0} | more


@pytest.fixture
def run(tmp_path):
    """A function: budgets and keys of the grid to an opened results file, audited."""

    def make(*budgets, **more):
        scenario, out = write_budget_grid(tmp_path, *budgets, **more), tmp_path / "run.h5"
        simulate(scenario, out, force=True)
        report = audit(out)
        assert report.ok, report.as_text()
        return ResultsReader(out)

    return make


def unit(results, name):
    return results.array("dispatch/unit_p_mw")[:, results.names("unit").index(name)]


def price(results):
    return results.array("budget/price")


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_gas_day_limit_is_worth_the_spread_to_the_next_plant(run):
    """150 MW: coal 100, gas 50, so 1200 MWh a day. Of 900 allowed all burn, the import (600) comes in for the rest."""
    r = run(gas_day(at_most=900.0), hours=96)
    assert_allclose(unit(r, "gas").reshape(4, 24).sum(axis=1), 900.0, rtol=1e-6)
    assert_allclose(unit(r, "coal"), 100.0, atol=1e-3)
    assert_allclose(price(r), 200.0, rtol=1e-4)
    assert_allclose(r.array("price/energy"), 600.0, rtol=1e-4)
    assert_allclose(r.array("budget/used")[23::24, 0], 900.0, rtol=1e-6)
    assert r.summary["budget_used"]["gas day"] == pytest.approx(3600.0, rel=1e-6)
    assert r.summary["budget_price"]["gas day"] == pytest.approx(200.0, rel=1e-4)
    assert r.summary["total_cost"] == pytest.approx(4 * (2400 * 300 + 900 * 400 + 300 * 600), rel=1e-6)


def test_beyond_a_limit_the_penalty_is_paid(run):
    """Burning 300 MWh too much at 150 is cheaper than 200 more for the import."""
    r = run(gas_day(at_most=900.0, penalty=150.0))
    assert_allclose(r.array("budget/excess").sum(), 600.0, rtol=1e-3)
    assert_allclose(r.array("cost/budget").sum(), 600.0 * 150.0, rtol=1e-3)
    assert_allclose(price(r), 150.0, rtol=1e-4)
    assert r.summary["budget_excess"]["gas day"] == pytest.approx(600.0, rel=1e-3)


def test_contract_energy_is_taken_and_paid_for(run):
    """The import (600) replaces gas (400) for 240 MWh a day: a MWh of it must be paid 200."""
    r = run({"name": "contract", "names": ["contr*"], "quantity": "energy", "period": "day", "at_least": 240.0,
             "penalty": 1000.0})  # fmt: skip
    assert_allclose(r.array("dispatch/source_p_mw").reshape(2, 24).sum(axis=1), 240.0, rtol=1e-5)
    assert_allclose(price(r), -200.0, rtol=1e-4)
    assert r.summary["budget_missing"]["contract"] == 0.0


def test_what_a_contract_misses_is_paid_where_that_is_cheaper(run):
    r = run({"name": "contract", "techs": ["import"], "quantity": "energy", "period": "day", "at_least": 240.0,
             "penalty": 150.0})  # fmt: skip
    assert_allclose(r.array("budget/missing")[23::24, 0], 240.0, rtol=1e-3)
    assert r.summary["budget_missing"]["contract"] == pytest.approx(480.0, rel=1e-3)


def test_co2_budget_counts_the_emissions_of_its_members(run):
    """96 + 20 t an hour allowed: coal 0.9 gives way to gas 0.4, a tonne is worth 100 / 0.5."""
    r = run({"name": "CO2", "quantity": "co2", "period": "day", "at_most": 24 * 100.0, "penalty": 5000.0})
    assert_allclose(price(r), 200.0, rtol=1e-4)
    assert_allclose(r.array("carbon/tech_t").sum(axis=1).reshape(2, 24).sum(axis=1), 2400.0, rtol=1e-6)


def test_fuel_follows_a_factor_or_the_co2_curve(tmp_path):
    net = budget_grid()
    net.gen["co2_no_load_t_per_h"], net.gen["min_p_mw"] = [9.0, 0.0, 0.0], [40.0, 0.0, 0.0]
    common = {
        "techs": ["coal"],
        "period": "day",
        "penalty": 1.0,
        "quantity": "fuel",
        "fuel_unit": "tce",
        "at_most": 9e9,
    }
    case = assemble(write_budget_grid(
        tmp_path, {"name": "curve", "co2_t_per_fuel": 2.5, **common}, {"name": "factor", "fuel_per_mwh": 0.3, **common},
        net=net,
    ))  # fmt: skip
    assert_allclose(case.budget_terms.unit_on, [[(9.0 + 36.0) / 2.5, 0, 0], [12.0, 0, 0]])
    assert_allclose(case.budget_terms.unit_rate, [[0.36, 0, 0], [0.3, 0, 0]])
    assert case.budgets["unit"].tolist() == ["tce", "tce"]


# -- borders ----------------------------------------------------------------------------------------------------------


def test_days_that_begin_inside_windows_are_kept(run):
    """From 06:00 on: the first day has 18 of its 24 hours; every window sees a day that it does not end."""
    r = run(gas_day(at_most=900.0), hours=24 * 5, start="2024-03-05 06:00")
    gas = unit(r, "gas")
    days = [gas[:18], *(gas[18 + 24 * k : 42 + 24 * k] for k in range(4)), gas[114:]]
    limits = [675.0, 900.0, 900.0, 900.0, 900.0, 225.0]
    for day, limit in zip(days, limits, strict=True):
        assert day.sum() <= limit * (1 + 1e-5)
        assert day.sum() >= limit * (1 - 1e-4)
    assert_allclose(price(r), 200.0, rtol=1e-4)


@pytest.mark.parametrize("window", [{"window_h": 24, "step_h": 24}, {"window_h": 30, "step_h": 18}])
def test_what_a_day_has_used_goes_over_the_border_of_a_window(run, window):
    r = run(gas_day(at_most=900.0), hours=96, start="2024-03-05 13:00", horizon=window)
    day = pd.Series(unit(r, "gas"), index=r.time).resample("D").sum()
    assert_allclose(day.to_numpy(), [900.0 * 11 / 24, 900, 900, 900, 900 * 13 / 24], rtol=1e-4)


def test_month_ends_inside_a_window(run):
    """The last hours of January use what is left to the last, February begins afresh."""
    budget = gas_day(name="month", period="month", at_most=900.0 * 31, pacing="even")
    r = run(budget, hours=24 * 8, start="2024-01-28")
    january = r.array("budget/period")[:, 0] == 0
    assert_allclose(unit(r, "gas")[january].sum(), 900.0 * 4, rtol=1e-3)
    assert r.array("budget/used")[96, 0] < 51.0
    assert_allclose(r.array("budget/at_most")[[0, -1], 0], [3600.0, 900.0 * 31 * 4 / 29], rtol=1e-12)
    assert_allclose(unit(r, "gas")[~january].sum(), 900.0 * 31 * 4 / 29, rtol=1e-3)


# -- months and hourly limits --------------------------------------------------------------------------------------


def test_a_day_limit_holds_in_its_months_only(run):
    """Gas limited in January: 900 of 1200 MWh burn on its last two days, all 1200 in February."""
    r = run(gas_day(at_most=900.0, months=[1, 12]), hours=96, start="2024-01-30")
    assert_allclose(unit(r, "gas").reshape(4, 24).sum(axis=1), [900.0, 900.0, 1200.0, 1200.0], rtol=1e-5)
    assert_allclose(price(r)[:, 0], np.repeat([200.0, 0.0], 48), atol=0.02)
    assert_allclose(r.array("budget/use")[48:], 0.0, atol=0.0)
    assert r.summary["budget_used"]["gas day"] == pytest.approx(1800.0, rel=1e-5)


def test_a_year_limit_counts_its_months_only(run):
    """A sixth of the hours of January and December are in the horizon, so a sixth of the limit is; none of February."""
    budget = gas_day(name="winter", period="year", months=[1, 12], at_most=45.0 * 24 * 62)
    r = run(budget, hours=24 * 14, start="2024-01-22")
    january = slice(0, 240)
    assert r.array("budget/at_most")[0, 0] == pytest.approx(45.0 * 240, rel=1e-12)
    assert unit(r, "gas")[january].sum() == pytest.approx(45.0 * 240, rel=1e-6)
    assert_allclose(price(r)[january, 0], 200.0, rtol=1e-3)
    assert_allclose(unit(r, "gas")[240:], 50.0, atol=1e-3)
    assert r.array("budget/used")[-1, 0] == pytest.approx(45.0 * 240, rel=1e-6)


def test_a_profile_is_what_each_hour_adds_to_the_limit(run):
    """Gas that households leave: 30 MWh an hour on the first day, 45 on the second, more than is burnt on the third."""
    left = np.repeat([30.0, 45.0, 80.0], 24)
    r = run(gas_day(at_most_profile="budget/gas"), hours=72, series={"budget/gas": left})
    assert_allclose(unit(r, "gas").reshape(3, 24).sum(axis=1), [720.0, 1080.0, 1200.0], rtol=1e-5)
    assert_allclose(r.array("budget/at_most")[[0, 24, 48], 0], [720.0, 1080.0, 1920.0], rtol=1e-12)
    assert_allclose(price(r)[:, 0], np.repeat([200.0, 200.0, 0.0], 24), atol=0.02)


# -- the running price ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [0.005, 0.01, 0.03, 0.1])
def test_a_cap_a_little_below_free_use_is_met_at_the_price_of_the_alternative(run, cut):
    """Four weeks of 50 MW of gas; the import costs 200 more, so that is the price from the first day to the last."""
    r = run(gas_day(name="gas", period="year", at_most=50.0 * 8784 * (1.0 - cut)), hours=24 * 28)
    limit = 50.0 * 24 * 28 * (1.0 - cut)
    assert r.array("budget/used")[-1, 0] == pytest.approx(limit, rel=1e-6)
    assert_allclose(price(r), 200.0, rtol=1e-3)
    days = unit(r, "gas").reshape(28, 24).sum(axis=1)
    assert_allclose(days, limit / 28, rtol=0.06)  # though no day is worth more than another
    assert_allclose(days[-7:], limit / 28, rtol=0.01)


def test_a_cap_above_free_use_costs_nothing(run):
    r = run(gas_day(name="gas", period="year", at_most=50.0 * 8784 * 1.01), hours=24 * 28)
    assert_allclose(unit(r, "gas"), 50.0, atol=1e-3)
    assert not price(r).any()
    assert not r.array("budget/running_most").any()


@pytest.mark.parametrize(("worth", "first"), [(120.0, None), (120.0, 50.0), (120.0, 140.0)])
def test_the_price_finds_its_way_to_where_it_has_to_be(run, worth, first):
    """Costs that rise with output: 3 % less gas is worth 120 in every hour. From any price the first days end there."""
    t = np.arange(24 * 28)
    first = {} if first is None else {"first_price": first}
    budget = gas_day(name="gas", period="year", at_most=48.5 * 8784, **first)
    r = run(budget, net=budget_grid(bent=True), load=150 + 30 * np.sin(2 * np.pi * (t - 9) / 24), hours=24 * 28)
    assert r.array("budget/used")[-1, 0] == pytest.approx(48.5 * 24 * 28, rel=1e-6)
    daily = price(r).reshape(28, 24).mean(axis=1)
    assert_allclose(daily[14:-3], worth, rtol=1e-3)
    assert_allclose(daily[-3:], worth, rtol=0.15)  # a step of the costs
    assert np.abs(np.diff(daily[1:-3])).max() < 0.06 * worth


def test_a_least_use_of_the_year_is_paid_the_same_all_along(run):
    """Of an import at 600 instead of gas at 400, 10 MWh an hour: 200 a MWh."""
    r = run({"name": "take", "techs": ["import"], "quantity": "energy", "period": "year", "at_least": 10.0 * 8784,
             "penalty": 1000.0}, hours=24 * 28)  # fmt: skip
    assert r.array("budget/used")[-1, 0] == pytest.approx(10.0 * 24 * 28, rel=1e-6)
    assert_allclose(price(r), -200.0, rtol=2e-3)
    assert not r.array("budget/missing").any()


def test_the_balance_is_that_of_the_hours_in_the_file(tmp_path, run):
    """What a run knows before a window follows from use and prices of the hours before it, to the last digit."""
    t = np.arange(24 * 8)
    budgets = gas_day(name="gas", period="month", at_most=45.0 * 744), gas_day(at_most=1300.0)
    load = 150 + 30 * np.sin(2 * np.pi * (t - 9) / 24)
    with run(*budgets, net=budget_grid(bent=True), load=load, hours=24 * 8, start="2024-01-27") as r:
        use, paid, running = r.array("budget/use"), price(r), r.array("budget/running_most")
    net = budget_grid(bent=True)
    case = assemble(write_budget_grid(tmp_path, *budgets, net=net, load=load, hours=24 * 8, start="2024-01-27"))
    budgeting = Planner(case).budgeting
    for window in range(8):
        balance = budgeting.recorded(use[: 24 * window], paid[: 24 * window])
        assert budgeting.running(24 * window, balance)[0] == running[window, 0]


def test_the_outlook_is_a_merit_order_with_straight_lines_between_its_prices(tmp_path):
    """Load 150, coal 100, gas 50: at 100 a MWh gas stays, at 300 the import has taken its 40 MW."""
    budget = gas_day(name="gas", period="year", at_most=30.0 * 8784)
    outlook = assemble(write_budget_grid(tmp_path, budget)).budget_terms.outlook[0]
    hours = np.arange(48)
    assert_allclose(outlook.used_at(hours, 0.0), 50.0)
    yields = [0.01 * 50.0 * np.log1p(price / 500.0) for price in (100.0, 300.0)]  # 500: the middle of all costs
    assert_allclose(outlook.used_at(hours, 100.0), 50.0 - yields[0], atol=0.02)
    assert_allclose(outlook.used_at(hours, 300.0), 10.0 - yields[1], atol=0.02)
    assert outlook.price(hours, np.array([30.0 * 48]), 0.0)[0] == pytest.approx(200.0, abs=20.0)
    low, high = (outlook.price(hours, np.array([30.0 * 48]), off)[0] for off in (-0.5, 0.5))
    assert low == 0.0  # it is known to use so much less that nothing needs a price
    assert high > 220.0  # or so much more that even without the import's 40 MW it is too much


def test_stores_level_the_load_of_the_outlook(tmp_path):
    """A store of 40 MWh at 10 MW moves 10 MW from each of four hours of a peak into four of the valley."""
    from gridsim.outlook import levelled

    stores = pd.DataFrame({
        "tech": ["battery"], "eta_charge": [1.0], "eta_discharge": [1.0], "e_min_mwh": [0.0], "e_max_mwh": [40.0],
        "p_discharge_max_mw": [10.0],
    })  # fmt: skip
    net = np.full(24, 100.0)
    net[:4], net[18:22] = 50.0, 200.0
    want = net.copy()
    want[:4], want[18:22] = 60.0, 190.0
    assert_allclose(levelled(net, stores), want, atol=1.0)
    assert levelled(net, stores).sum() == pytest.approx(net.sum())
    assert_allclose(levelled(np.full(24, 100.0), stores), 100.0)


def coal_of_a_fortnight(path, at_most):
    """Coal that is used, and its price day by day, under a cap of the year."""
    of_coal = {
        "name": "coal", "techs": ["coal"], "quantity": "fuel", "fuel_unit": "tce", "co2_t_per_fuel": 2.7,
        "period": "year", "penalty": 5000.0,
    }  # fmt: skip
    hours = 24 * 14
    tree = {"name": "cap", "year": 2024, "horizon": {"start": "2024-07-01", "hours": hours},
            "grid": {"n1": "off"}, "budget": [of_coal | {"at_most": at_most * 8784 / hours}]}  # fmt: skip
    simulate(Scenario.model_validate(tree), path)
    with ResultsReader(path) as r:
        return r.array("budget/used")[-1, 0], price(r).reshape(14, 24).mean(axis=1)


@pytest.fixture(scope="module")
def free_use(tmp_path_factory):
    used, none = coal_of_a_fortnight(tmp_path_factory.mktemp("free") / "run.h5", 1e12)
    assert not none.any()
    return used


@pytest.mark.skipif(INTERPRETED, reason="too slow without the compiler")
@pytest.mark.parametrize("cut", [0.01, 0.03])
def test_coal_of_jiangsu_keeps_to_a_cap_a_little_below_its_free_use(tmp_path, free_use, cut):
    """Two weeks; in the merit order that the price is read off, coal use is some percent off."""
    limit = (1.0 - cut) * free_use
    kept, daily = coal_of_a_fortnight(tmp_path / "run.h5", limit)
    assert 0.999 * limit <= kept <= limit * (1 + 1e-6)
    assert daily.max() < 600.0
    assert abs(daily[-2:].mean() - daily[-5:-2].mean()) < 200.0  # no cliff: the penalty is 5000


# -- a year -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="too slow without the compiler")
def test_a_cap_of_the_year_is_met_by_a_steady_price(run):
    """Load with a winter, a week and a noise; the cap is 8 % below what would be emitted without it."""
    t = np.arange(8784)
    noise = np.random.default_rng(4).normal(0.0, 1.0, 8784 // 24).repeat(24)
    demand = 150 + 18 * np.cos(2 * np.pi * t / 8784) + 22 * np.sin(2 * np.pi * (t - 9) / 24) + 4 * noise
    demand -= 12 * (t // 24 % 7 > 4)
    cap = 10 * 0.92 * assemble_free(demand)
    r = run(
        {"name": "cap", "quantity": "co2", "period": "year", "at_most": cap, "penalty": 5000.0},
        net=budget_grid(bent=True, size=10.0), load=10 * demand, hours=8784,
    )  # fmt: skip
    used = r.array("budget/used")[-1, 0]
    assert used <= cap * (1 + 1e-6)
    assert used >= cap * (1 - 1e-6)
    assert not r.array("budget/excess").any()
    months = pd.Series(r.array("budget/running_most")[:, 0], index=r.time[::24]).resample("MS").mean()
    assert months.std() / months.mean() < 0.05
    assert months.min() > 50.0


def assemble_free(demand):
    """Tonnes of a merit order of the bent grid without any cap."""
    steps = [(c * (1 + 0.04 * i), m / 8, e) for m, c, e in ((100, 300, 0.9), (100, 400, 0.4), (200, 700, 0.7))
             for i in range(8)]  # fmt: skip
    steps.append((600.0, 40.0, 0.0))
    left, total = demand.copy(), 0.0
    for _, width, co2 in sorted(steps):
        taken = np.clip(left, 0.0, width)
        total, left = total + co2 * taken.sum(), left - taken
    return total


def with_electrolysers(net, most_mw):
    """Takes up to so much from the grid, for nothing."""
    k = pp.create_sgen(net, 0, 0.0, name="electrolysers", max_p_mw=0.0, min_p_mw=-most_mw, controllable=True)
    net.sgen.loc[k, ["tech", "profile", "curtailable"]] = ["hydrogen", "", False]
    net.sgen.loc[k, "band_down"] = np.nan
    return net


HYDROGEN = {"name": "hydrogen", "techs": ["hydrogen"], "quantity": "taken", "penalty": 3000.0}


def test_hydrogen_of_a_day_is_made_in_its_cheap_hours(run):
    """100 MW of coal, 60 of load: 240 MWh of 300 a day at 300 by night, the rest with gas at 400, and not at 600."""
    load = np.where(np.arange(48) % 24 < 6, 60.0, np.where(np.arange(48) % 24 < 12, 160.0, 230.0))
    r = run(HYDROGEN | {"period": "day", "at_least": 300.0}, net=with_electrolysers(budget_grid(), 50.0), load=load)
    taken = -r.array("dispatch/source_p_mw")[:, 1].reshape(2, 24)
    assert (taken[:, :6] > 40.0 - 1e-3).all()
    assert_allclose(taken[:, :12].sum(axis=1), 300.0, atol=0.1)
    assert_allclose(taken[:, 12:], 0.0, atol=1e-3)
    assert_allclose(r.array("budget/used")[[23, 47], 0], 300.0, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="too slow without the compiler")
def test_hydrogen_of_a_year_is_made_at_one_price(run):
    """A fifth of the electrolysers' year at a steady price, met to a thousandth in its cheapest hours."""
    t = np.arange(8784)
    noise = np.random.default_rng(5).normal(0.0, 1.0, 8784 // 24).repeat(24)
    load = 120 + 25 * np.cos(2 * np.pi * t / 8784) + 22 * np.sin(2 * np.pi * (t - 9) / 24) + 6 * noise
    most, least = 20.0, 0.2 * 20.0 * 8784
    r = run(
        HYDROGEN | {"period": "year", "at_least": 10 * least},
        net=with_electrolysers(budget_grid(bent=True, size=10.0), 10 * most), load=10 * load, hours=8784,
    )  # fmt: skip
    used = r.array("budget/used")[:, 0]
    assert used[-1] == pytest.approx(10 * least, rel=1e-3)
    assert not r.array("budget/missing").any()
    running = r.array("budget/running_least")[:300, 0]
    assert running.std() < 0.01 * running.mean()
    best, free = cheapest_cost(load, most, least), cheapest_cost(load, 0.0, 0.0)
    paid = r.array("cost/total").sum() / 10
    assert 0.0 <= paid - best < 0.002 * (best - free)


def cheapest_cost(load, most, least):
    """Cost of a year of the bent grid that also makes `least` MWh at up to `most` MW, each at the cheapest hours."""
    steps = [(c * (1 + 0.04 * i), m / 8) for m, c in ((100, 300), (100, 400), (200, 700)) for i in range(8)]
    steps = sorted([*steps, (600.0, 40.0)])
    total, offers = 0.0, []  # what a MWh more would cost, hour by hour
    for mw in load:
        left, more = mw, most
        for price, width in steps:
            used = min(left, width)
            total, left = total + price * used, left - used
            spare = min(width - used, more)
            if spare > 0:
                offers.append((price, spare))
                more -= spare
    for price, mwh in sorted(offers):
        taken = min(mwh, least)
        total, least = total + price * taken, least - taken
    return total


# -- certificate and second opinion -----------------------------------------------------------------------------------


@pytest.mark.skipif(INTERPRETED, reason="too slow without the compiler")
def test_highs_agrees_on_windows_with_budgets(tmp_path):
    budgets = (
        gas_day(at_most=900.0),
        {"name": "cap", "quantity": "co2", "period": "year", "at_most": 95.0 * 8784, "penalty": 3000.0},
        {"name": "take", "techs": ["import"], "quantity": "energy", "period": "month", "at_least": 400.0 * 31,
         "penalty": 900.0},
    )  # fmt: skip
    t = np.arange(24 * 6)
    demand, net = 150 + 30 * np.sin(2 * np.pi * (t - 9) / 24), budget_grid(bent=True)
    net.gen["no_load_cost"] = 50.0  # else a unit on at nothing is as good as one off
    scenario = write_budget_grid(tmp_path, *budgets, net=net, load=demand, hours=24 * 6)
    simulate(scenario, tmp_path / "run.h5")
    report = verify(tmp_path / "run.h5", 4)
    assert report.ok, report.as_text()
    assert verify(scenario, 2).ok
    report = audit(tmp_path / "run.h5")
    assert report.ok, report.as_text()


def test_a_budget_that_does_not_bind_changes_nothing(run):
    t = np.arange(72)
    demand = 150 + 30 * np.sin(2 * np.pi * (t - 9) / 24)
    wide = [gas_day(at_most=2400.0), gas_day(name="year", period="year", at_most=1e6, at_least=1e-3)]
    names = "dispatch/unit_p_mw", "price/energy", "cost/total", "windows/iterations"
    with run(load=demand, hours=72) as r:
        free = {name: r.array(name) for name in names}
    with run(*wide, load=demand, hours=72) as r:
        for name, values in free.items():
            assert values.tobytes() == r.array(name).tobytes(), name
        assert not price(r).any()


@pytest.mark.parametrize(
    "budget",
    [
        gas_day(at_most=700.0),
        gas_day(name="year", period="year", at_most=700.0 / 24 * 8784),
        {"name": "take", "techs": ["import"], "quantity": "energy", "period": "year", "at_least": 10.0 * 8784,
         "penalty": 900.0},
    ],
    ids=["day", "year", "least"],
)  # fmt: skip
def test_windows_with_a_price_of_use_are_searched(tmp_path, budget):
    """Units at what their use is worth: no worse a schedule or a bound, and both hold against branch and bound."""
    net = budget_grid(bent=True)
    net.gen["min_p_mw"], net.gen["start_cost"], net.gen["no_load_cost"] = [60.0, 50.0, 80.0], 9000.0, 900.0
    net.gen["min_up_h"] = 5
    t = np.arange(96)
    scenario = write_budget_grid(
        tmp_path, budget, net=net, load=150 + 50 * np.sin(2 * np.pi * (t - 9) / 24), hours=96,
        reserve={"up_min_mw": 5.0, "up_load_share": 0.0},
    )  # fmt: skip
    case = assemble(scenario)
    best = Planner(case, engine="highs-milp").plan(0, 24, Planner(case).first_state())
    fast, searched = (
        Planner(case, effort=effort, target_gap=1e-6).plan(0, 24, Planner(case).first_state())
        for effort in ("fast", "best")
    )
    assert searched.price_budget.any()
    for plan in (fast, searched):
        assert plan.bound <= best.cost * (1 + 1e-9)
        assert plan.cost >= best.bound * (1 - 1e-9)
    assert searched.cost <= fast.cost
    assert searched.bound >= fast.bound
    if budget["period"] == "day":  # the others' gap is that of a price that stays as it is
        assert searched.cost - searched.bound < 0.7 * (fast.cost - fast.bound)


def test_a_window_in_which_a_budget_ends_is_not_searched(tmp_path):
    """A price in some hours only is none that a unit could be searched at."""
    case = assemble(write_budget_grid(tmp_path, gas_day(at_most=700.0), hours=48))
    planner = Planner(case)
    state = planner.first_state()
    problem, *_ = planner.problem(0, 48, state, None)
    keys = planner.budgeting.keys(0, 48, state.budgets)
    assert planner.budgeting.priced(problem, keys, np.array([1.0, 0.0])) is None
    free = planner.budgeting.priced(problem, keys, np.zeros(2))  # rows without a price are left out
    assert free.constant == 0.0
    assert not free.of_on.any()
    assert not free.problem.budgets.limit.size


@pytest.mark.parametrize("must_run", [False, True])
def test_bound_counts_the_running_price_of_units_at_their_minimum(tmp_path, must_run):
    """Relaxed and given units pay the same price for use: the gap is small, and never below nothing."""
    net = budget_grid()
    net.gen["min_p_mw"], net.gen["must_run"] = [80.0, 20.0, 0.0], [must_run, False, False]
    cap = {"name": "cap", "quantity": "co2", "period": "year", "at_most": 100.0 * 8784, "penalty": 3000.0}
    planner = Planner(assemble(write_budget_grid(tmp_path, cap, net=net, hours=96)))
    state = planner.first_state()
    assert planner.budgeting.running(0, state.budgets)[0] > 100.0
    plan = planner.plan(0, 48, state)
    assert plan.bound <= plan.cost * (1 + 1e-8)
    assert plan.bound >= plan.cost * (1 - 2e-3)


BREAKS = {
    "budgets: use of units and sources": ("budgets/unit_rate", (0, 1), 1.1),
    "budgets: limits of periods": ("budget/at_most", (5, 0), 901.0),
    "budgets: use": ("budget/use", (5, 0), 60.0),
    "budgets: running balance": ("budget/used", (30, 0), 1.0),
    "budgets: excess": ("budget/excess", (5, 0), 5.0),
    "budgets: missing": ("budget/missing", (23, 0), 5.0),
    "budgets: price within the penalty": ("budget/price", (5, 0), 151.0),
}


def test_audit_finds_what_is_wrong_with_budgets(run):
    with run(gas_day(at_most=900.0, penalty=150.0)) as r:
        path = r.path
    for check, (dataset, place, value) in BREAKS.items():
        with h5py.File(path, "r+") as file:
            before = file[dataset][place]
            file[dataset][place] = value
        assert not audit(path).row(check).ok, check
        with h5py.File(path, "r+") as file:
            file[dataset][place] = before


# -- what is refused --------------------------------------------------------------------------------------------------


def refused(tmp_path, *budgets, **more):
    with pytest.raises(InputError) as error:
        assemble(write_budget_grid(tmp_path, *budgets, **more))
    return str(error.value)


def test_all_that_is_wrong_with_budgets_is_said_at_once(tmp_path):
    net, day = budget_grid(), {"period": "day", "penalty": 1.0}
    net.gen["min_p_mw"], net.gen["must_run"] = [60.0, 0.0, 0.0], [True, False, False]
    text = refused(
        tmp_path,
        day | {"name": "coal", "techs": ["coal"], "quantity": "energy", "at_most": 1000.0},
        day | {"name": "take", "techs": ["import"], "quantity": "energy", "at_least": 1000.0},
        day | {"name": "none", "techs": ["import"], "quantity": "co2", "at_most": 1.0},
        net=net,
    )
    must, can = "at least what its members must use", "at most what its members can use"
    assert "3 problems" in text
    assert f"budget.1.at_most must be {must} in each day: from 2024-01-01T00 that is 1,440 MWh" in text
    assert f"budget.2.at_least must be {can} in each day: from 2024-01-01T00 that is 960 MWh" in text
    assert "budget.3.name must have members" in text


def test_limits_by_month_and_profile_that_cannot_be(tmp_path):
    net, day = budget_grid(), {"period": "day", "penalty": 1.0}
    net.gen["min_p_mw"], net.gen["must_run"] = [60.0, 0.0, 0.0], [True, False, False]
    coal = day | {"techs": ["coal"], "quantity": "energy"}
    left = np.r_[np.full(24, 70.0), np.full(24, 50.0)]
    text = refused(
        tmp_path, coal | {"name": "coal", "at_most_profile": "budget/coal"},
        coal | {"name": "summer", "months": [7], "at_most": 1.0}, net=net, series={"budget/coal": left},
    )  # fmt: skip
    assert "2 problems" in text
    must = "at_most_profile must be at least what its members must use in each day: from 2024-01-02T00 that is 1,440"
    assert must in text
    assert "most of it by coal" in text
    assert "budget.2.months must have hours in the horizon: 7 have none" in text
    text = refused(tmp_path, gas_day(at_most_profile="budget/gas"), series={"budget/gas": -left})
    assert "budget/gas must not be negative" in text


def test_names_that_are_not_there(tmp_path):
    text = refused(tmp_path, gas_day(techs=["gass"], zones=["Z"], names=["x*"], at_most=1.0))
    hint = "techs.gass is not a tech of the network (did you mean gas?)"
    for part in (hint, "zones.Z", "names.x* must fit the name"):
        assert part in text


def test_pacing_by_a_series_that_is_not_there(tmp_path):
    text = refused(tmp_path, gas_day(period="year", at_most=1e6, pacing="load/B"))
    assert "profile load/B is missing: budget gas day needs it" in text


def test_scenario_keys_are_checked(tmp_path):
    (tmp_path / "s.toml").write_text("""
base = "jiangsu-2024"
[[budget]]
name = "a"
quantity = "energy"
period = "day"
at_most = 1.0
at_least = 2.0
penalty = 1.0
pacing = "load"
[[budget]]
name = "b"
quantity = "fuel"
period = "week"
penalty = 1.0
months = [0, 13]
[[budget]]
name = "c"
quantity = "fuel"
period = "year"
penalty = -1.0
[[budget]]
name = "d"
quantity = "energy"
period = "day"
months = [1, 1]
at_most = 1.0
at_most_profile = "x"
penalty = 1.0
""")
    with pytest.raises(InputError) as error:
        load(tmp_path / "s.toml")
    text = str(error.value)
    assert "must be at most at_most = 1: got 2" in text
    assert "is for a month or a year" in text
    assert 'must be "day" or "month" or "year"' in text
    assert "penalty" in text
    assert "budget.2.months" in text
    assert "at_most_profile must not be there beside at_most: got x" in text
    assert "months must name each month once" in text


def test_two_budgets_of_one_name(tmp_path):
    with pytest.raises(ValueError, match="see ctx"):
        write_budget_grid(tmp_path, gas_day(at_most=1.0), gas_day(at_most=2.0))


def test_the_scenario_in_the_file_is_the_same(tmp_path):
    scenario = write_budget_grid(tmp_path, gas_day(at_most=900.0))
    (tmp_path / "again.toml").write_text(scenario.text)
    assert load(tmp_path / "again.toml").digest == scenario.digest
