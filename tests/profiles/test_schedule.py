"""Imports and exchanges: energy, the record of July, how they follow need, how fast they move."""

import numpy as np
import pandas as pd
import pytest

from gridsim.errors import InputError
from gridsim.profiles.load import ProvinceLoad
from gridsim.profiles.need import ProvinceNeed
from gridsim.profiles.schedule import RAMP_PU_PER_H, import_schedule
from gridsim.profiles.weather import Weather, months_of_days, months_of_hours
from gridsim.profiles.year import make_year

SEEDS = (2024, 7, 42)
MONTH, HOUR = months_of_hours(2024), np.arange(8784) % 24


@pytest.fixture(scope="module")
def need():
    weather = Weather(2024, 7)
    return ProvinceNeed(weather, ProvinceLoad(weather))


@pytest.mark.parametrize("seed", SEEDS)
def test_energy_and_the_record_of_july(seed, year_of, sites):
    profiles = year_of(seed)
    ties = sites[sites["kind"].isin(("import", "exchange"))]
    net = np.zeros(profiles.hours)
    for row in ties.itertuples():
        series = profiles.column(row.profile)
        assert series.sum() * row.rated_mw / 1e6 == pytest.approx(row.energy_twh, rel=1e-5)
        assert np.abs(series).max() <= 1.0
        assert (series <= 0).all() if row.energy_twh < 0 else (series >= 0).all()
        net += series * row.rated_mw
    assert net.max() == pytest.approx(35_200, rel=0.01)
    assert 12 <= int(np.argmax(net)) // 24 - 181 <= 18  # day of July


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_moves_faster_than_the_ramp(seed, year_of, sites):
    """At every hour: midnight, ends of months, of outages and of the record week."""
    for name in sites.loc[sites["kind"].isin(("import", "exchange")), "profile"]:
        assert np.abs(np.diff(year_of(seed).column(name))).max() < RAMP_PU_PER_H, name


@pytest.mark.parametrize("character", ["hydro", "coal_wind", "coal", "transit", "flexible"])
@pytest.mark.parametrize("twh", [np.nan, 8.4, 6.0, 3.0, 0.3, -0.5, -6.0, -8.4, 0.0])
def test_any_contract_keeps_ramp_bounds_and_energy(character, twh, need):
    """1000 MW: from hardly used to full all year."""
    series = import_schedule("import/Any", character, need, rated_mw=1000.0, energy_twh=twh)
    assert np.abs(np.diff(series)).max() < RAMP_PU_PER_H
    assert np.abs(series).max() <= 1.0
    assert series.shape == (8784,)
    if twh:
        assert (series * np.sign(twh) >= 0).all() or np.isnan(twh)
    if np.isfinite(twh) and twh:
        assert series.sum() / 1000 == pytest.approx(twh, rel=1e-8)


def test_coal_and_wind_bases_run_full_when_it_is_tight(year_of, need):
    """On the five tightest evenings of January and of July (record week apart) and on the five slackest."""
    month, level = months_of_days(2024), year_of(7).column("import/Yanhuai").reshape(-1, 24)[:, 19]
    for m, full in ((0, 0.90), (6, 0.90)):
        days = np.flatnonzero((month == m) & ((np.arange(366) < 193) | (np.arange(366) > 199)))
        order = days[np.argsort(need.day_mw[days])]
        assert level[order[-5:]].mean() > full
        assert level[order[:5]].mean() < 0.75
    z = need.day_mw - (np.bincount(month, need.day_mw) / np.bincount(month))[month]
    assert np.corrcoef(z, level - (np.bincount(month, level) / np.bincount(month))[month])[0, 1] > 0.6


def test_need_moves_energy_inside_months_only():
    """Another weather, the same months: nothing is moved from spring into summer."""

    def months(seed):
        weather = Weather(2024, 7)
        other = Weather(2024, seed)
        mixed = ProvinceNeed(weather, ProvinceLoad(other))
        series = import_schedule("import/Xitai", "coal_wind", mixed, rated_mw=6680.0, energy_twh=33.5)
        return np.bincount(MONTH, series, 12)

    np.testing.assert_allclose(months(7), months(8), rtol=0.02)


def test_what_goes_out_does_not_follow_our_need(need):
    out = import_schedule("exchange/Shanghai", "transit", need, rated_mw=5000.0, energy_twh=-18.0)
    day = -out.reshape(-1, 24)[:, 12]
    month = months_of_days(2024)
    january, spread = day[month == 0], need.day_mw[month == 0]
    assert january.std() / january.mean() < 0.1
    assert abs(np.corrcoef(january, spread)[0, 1]) < 0.5


def test_hydro_follows_the_flood_season(year_of):
    jinsu = year_of(2024).column("import/Jinsu")
    assert jinsu[np.isin(MONTH, (7, 8, 9))].mean() > 2 * jinsu[np.isin(MONTH, (4,))].mean()


def test_steps_at_night_and_at_noon_of_sunny_spring_days(year_of, need):
    series = year_of(7).column("import/Yanhuai").reshape(-1, 24)
    month = months_of_days(2024)
    night = (series[:, 2] / (0.5 * series[:, 18] + 0.5 * np.roll(series[:, 18], 1)))[1:]  # between two days' levels
    assert np.median(night) == pytest.approx(0.80, abs=0.03)
    noon = series[:, 12] / series[:, 18]
    depth = need.day_mw - need.noon_mw
    spring = np.isin(month, (1, 2, 3, 4))
    assert noon[spring & (depth > 15_000)] == pytest.approx(0.75, abs=1e-3)
    assert noon[spring & (depth < 5_000)] == pytest.approx(1.0, abs=1e-3)
    assert noon[~spring] == pytest.approx(1.0, abs=1e-3)


def test_half_a_bipole_is_out_once_a_year(need):
    series = import_schedule("import/Full", "coal", need, rated_mw=1000.0, energy_twh=8.3)
    low = series.reshape(-1, 24)[:, 12] < 0.52
    assert 7 <= low.sum() <= 10
    assert np.diff(low.astype(int)).clip(0).sum() == 1


def test_an_even_exchange_and_one_without_energy(need):
    even = import_schedule("exchange/Zhejiang", "transit", need, rated_mw=1500.0, energy_twh=0.0)
    assert abs(even.sum() * 1500 / 1e6) < 0.5
    assert even.min() < 0 < even.max()
    free = import_schedule("import/New", "hydro", need, rated_mw=8000.0, energy_twh=np.nan)
    assert 3000 < free.sum() < 6500


@pytest.mark.parametrize(
    ("character", "energy", "message"),
    [("coal", 9.0, "at most"), ("magic", 1.0, "must be one of hydro")],
)
def test_what_a_tie_cannot_do(character, energy, message, need):
    with pytest.raises(InputError, match=message):
        import_schedule("import/X", character, need, rated_mw=1000.0, energy_twh=energy)


def test_need_is_that_of_the_built_in_province(need, year_of, sites):
    """Made from a few points; the whole fleet says much the same."""
    profiles = year_of(7)
    lacking = np.sum([profiles.column(f"load/{city}") for city in sites.loc[sites["kind"] == "load", "zone"]], axis=0)
    for row in sites[sites["kind"].isin(("wind_offshore", "wind_onshore", "pv"))].itertuples():
        lacking -= profiles.column(row.profile) * row.rated_mw
    daily = lacking.reshape(-1, 24)[:, 7:22].max(axis=1)
    assert np.corrcoef(daily, need.day_mw)[0, 1] > 0.97
    assert abs(daily.mean() / need.day_mw.mean() - 1.0) < 0.03


def test_imports_follow_the_fleet_that_they_are_planned_against():
    """With 230 GW of PV a schedule leaves room at noon in any month; its energy stays."""
    rows = [
        ("import/Xitai", "import", 6680.0, 33.5, np.nan, "coal_wind"),
        ("plan/pv", "plan", 230e3, np.nan, 1100.0, ""),
    ]
    columns = ["profile", "kind", "rated_mw", "energy_twh", "full_load_h", "character"]
    sites = pd.DataFrame(rows, columns=columns).assign(zone="", lat_deg=32.0, lon_deg=120.0, units=np.nan)
    own, later = (make_year(part, 2024, 5) for part in (sites[:1], sites))
    assert later.names == ("import/Xitai",)
    days = [year.column("import/Xitai").reshape(-1, 24) for year in (own, later)]
    assert days[1].sum() == pytest.approx(days[0].sum(), rel=1e-4) == pytest.approx(33.5e6 / 6680, rel=1e-4)
    july = slice(182, 190)
    noon = [day[july, 11:14].mean() / day[july, 16:20].mean() for day in days]
    assert noon[0] > 0.98
    assert noon[1] < 0.9
    assert np.abs(np.diff(days[1].ravel())).max() < RAMP_PU_PER_H


def test_a_plan_for_something_else_is_refused():
    row = {"profile": "plan/tides", "kind": "plan", "rated_mw": 1.0, "full_load_h": np.nan}
    sites = pd.DataFrame([row]).assign(
        zone="", lat_deg=np.nan, lon_deg=np.nan, energy_twh=np.nan, units=np.nan, character=""
    )
    with pytest.raises(InputError) as caught:
        make_year(sites, 2024, 5)
    assert "must be one of plan/load, plan/wind_offshore, plan/wind_onshore, plan/pv" in str(caught.value)
    assert "plan/tides: full_load_h must be a number" in str(caught.value)
