"""Available units: the maintenance plan, refuelling, forced outages."""

import numpy as np
import pytest

from gridsim.errors import InputError
from gridsim.profiles import make_year
from gridsim.profiles.outages import OUTAGES, _fleet, availability, expected_need_mw, maintenance_plan
from gridsim.profiles.weather import months_of_hours

SEEDS = (2024, 7, 42)


def planned(seed, units=6):
    return availability("availability/Somewhere coal", "coal", 2024, seed, units)


def out_mw(seed, year=2024):
    """MW on planned work by day, and MW-days in all."""
    days = 366 if year % 4 == 0 else 365
    mw = {(profile, k): unit_mw for profile, _, units, unit_mw in _fleet() for k in range(units)}
    out = np.zeros(days)
    for key, work in maintenance_plan(year, seed).items():
        out[work.first_day : work.first_day + work.days] += mw[key]
    return out


def test_availability_counts_whole_units():
    series = planned(1)
    np.testing.assert_allclose(series * 6, np.round(series * 6), atol=1e-9)
    assert series.max() == 1.0
    assert series.min() >= 0.0


def test_coal_is_not_maintained_in_the_peaks():
    """Pooled over rows: July, August and mid-winter have forced outages only; spring and autumn have the work."""
    month = months_of_hours(2024)
    pool = np.mean([planned(seed) for seed in range(40)], axis=0)
    assert pool[np.isin(month, (6, 7))].mean() == pytest.approx(0.965, abs=0.015)
    assert pool[month == 0].mean() > 0.945
    assert pool[np.isin(month, (3, 4, 9, 10))].mean() < 0.90
    assert pool.mean() == pytest.approx(0.89, abs=0.02)


# ---- the plan of the built-in fleet


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("year", [2024, 2027])
def test_every_unit_once_and_in_season(seed, year):
    plan = maintenance_plan(year, seed)
    leap = 1 if year == 2024 else 0
    assert len(plan) == sum(units for _, _, units, _ in _fleet())
    for profile, character, units, _ in _fleet():
        for k in range(units):
            work, rule = plan[profile, k], OUTAGES[character]
            assert rule.days[0] <= work.days <= rule.days[1]
            first, last = work.first_day - leap, work.first_day + work.days - leap
            assert any(a <= first and last <= b for a, b in rule.windows), profile


@pytest.mark.parametrize("seed", SEEDS)
def test_the_plan_levels_the_margin(seed):
    """What is left after planned work differs by a few GW between any two days of the seasons but their ends."""
    left = -out_mw(seed) - expected_need_mw(366)
    inside = np.concatenate([left[a + 6 : b - 4] for a, b in OUTAGES["coal"].windows])
    assert np.ptp(inside) < 4_500.0
    # Against the same work spread evenly: the tightest day is better by GWs.
    even = np.zeros(366)
    days = np.concatenate([np.arange(a + 1, b + 1) for a, b in OUTAGES["coal"].windows])
    even[days] = out_mw(seed).sum() / len(days)
    assert left[days].min() > (-even - expected_need_mw(366))[days].min() + 3_000.0


def test_units_of_a_plant_take_turns():
    plan = maintenance_plan(2024, 2024)
    for profile, _, units, _ in _fleet():
        if 2 <= units <= 3:
            out = np.zeros(366, dtype=int)
            for k in range(units):
                out[plan[profile, k].first_day : plan[profile, k].first_day + plan[profile, k].days] += 1
            assert out.max() == 1, profile


def test_a_row_of_the_fleet_is_out_as_planned():
    profile, character, units, _ = next(row for row in _fleet() if row[2] == 2)
    series = availability(profile, character, 2024, 2024, units)
    for k in range(units):
        work = maintenance_plan(2024, 2024)[profile, k]
        assert series[work.first_day * 24 : (work.first_day + work.days) * 24].max() <= 1.0 - 1.0 / units
    more = availability(profile, character, 2024, 2024, units + 2)  # a plant that someone made larger
    assert more.min() >= 0.0
    other = availability(profile, "gas" if character == "coal" else "coal", 2024, 2024, units)
    assert not np.array_equal(series, other)


def test_the_fleet_is_that_of_the_built_in_grid():
    """Whoever changes the units of the grid changes profiles/data/thermal_fleet.csv with them."""
    networks = pytest.importorskip("gridsim.networks")
    sites = networks.jiangsu()["profile_site"]
    rows = sites[sites["character"].isin(("coal", "gas")) & (sites["kind"] == "availability")]
    want = {(r.profile, r.character, int(r.units), round(r.rated_mw, 3)) for r in rows.itertuples()}
    assert {(p, c, n, round(mw, 3)) for p, c, n, mw in _fleet()} == want


SOURCES = ("wind_offshore", "wind_onshore", "pv", "import", "exchange")


@pytest.mark.parametrize("seed", [2024, 1, 2])
def test_the_year_is_adequate(seed):
    """Every hour: load and reserve against what is available, with storage at its power. No dispatch, no network."""
    networks = pytest.importorskip("gridsim.networks")
    net = networks.jiangsu()
    sites = net["profile_site"]
    year = make_year(sites, 2024, seed)
    supply, load, green = np.zeros(8784), np.zeros(8784), np.zeros(8784)
    for row in sites[sites["kind"].isin(("load", "availability", *SOURCES))].itertuples():
        series = year.column(row.profile)
        if row.kind == "load":
            load += series
        elif row.kind == "availability":
            supply += series * row.units * row.rated_mw
        else:
            supply += series * row.rated_mw
            green += series * row.rated_mw * (row.kind in ("wind_offshore", "wind_onshore", "pv"))
    supply += net.sgen["p_mw"][net.sgen["tech"] == "biomass"].sum()
    reserve = np.maximum(2500.0, 0.03 * load + 0.05 * green)
    assert (load + reserve - supply).max() < net.storage["max_p_mw"].sum()
    by_day = np.maximum(load - supply, 0.0).reshape(-1, 24).sum(axis=1)
    assert by_day.max() < 0.5 * (net.storage["max_e_mwh"] - net.storage["min_e_mwh"]).sum()


# ---- nuclear, and what is refused


def test_nuclear_refuels_one_unit_at_a_time(year_of):
    """Planned: six slots of 36 days that do not overlap, none in summer; two at once only when one is forced out."""
    rows = [year_of(2024).column(f"availability/Tianwan {k}") for k in ("1-2", "3-4", "5-6")]
    out = 6 - sum(np.round(2 * row) for row in rows)
    assert (out >= 2).mean() < 0.05
    assert (out >= 1).mean() > 0.5
    assert 1 - out.mean() / 6 == pytest.approx(0.895, abs=0.02)


@pytest.mark.parametrize(("character", "units"), [("tidal", 2), ("coal", 0)])
def test_bad_availability_rows(character, units):
    with pytest.raises(InputError):
        availability("availability/X", character, 2024, 1, units)
