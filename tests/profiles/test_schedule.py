"""Imports, exchanges and outages."""

import numpy as np
import pytest

from gridsim.errors import InputError
from gridsim.profiles.schedule import availability, import_schedule
from gridsim.profiles.weather import months_of_hours

SEEDS = (2024, 7, 42)


@pytest.mark.parametrize("seed", SEEDS)
def test_energy_and_the_record_of_july(seed, year_of, sites):
    profiles = year_of(seed)
    ties = sites[sites["kind"].isin(("import", "exchange"))]
    net = np.zeros(profiles.hours)
    for row in ties.itertuples():
        series = profiles.column(row.profile)
        assert series.sum() * row.rated_mw / 1e6 == pytest.approx(row.energy_twh, rel=1e-3)
        assert np.abs(series).max() <= 1.0
        assert (series <= 0).all() if row.energy_twh < 0 else (series >= 0).all()
        net += series * row.rated_mw
    assert net.max() == pytest.approx(35_200, rel=0.03)
    assert months_of_hours(2024)[int(np.argmax(net))] == 6


def test_hydro_follows_the_flood_season(year_of):
    jinsu = year_of(2024).column("import/Jinsu")
    month = months_of_hours(2024)
    assert jinsu[np.isin(month, (7, 8, 9))].mean() > 2 * jinsu[np.isin(month, (4,))].mean()


def test_coal_links_step_down_at_night_and_at_noon_in_spring(year_of):
    series = year_of(2024).column("import/Yanhuai")
    month, hour = months_of_hours(2024), np.arange(8784) % 24
    day = series[(month == 11) & (hour == 18)].mean()
    assert series[(month == 11) & (hour == 2)].mean() / day == pytest.approx(0.80, abs=0.03)
    april = series[(month == 3) & (hour == 18)].mean()
    assert series[(month == 3) & (hour == 12)].mean() / april == pytest.approx(0.75, abs=0.03)


def test_an_even_exchange_and_one_without_energy():
    even = import_schedule("exchange/Zhejiang", "transit", 2024, 1, rated_mw=1500.0, energy_twh=0.0)
    assert abs(even.sum() * 1500 / 1e6) < 0.5
    assert even.min() < 0 < even.max()
    free = import_schedule("import/New", "hydro", 2024, 1, rated_mw=8000.0, energy_twh=np.nan)
    assert 3000 < free.sum() < 6500


def test_a_very_full_contract_is_met():
    series = import_schedule("import/Full", "coal", 2024, 1, rated_mw=1000.0, energy_twh=8.3)
    assert series.sum() / 1000 == pytest.approx(8.3, rel=1e-6)
    assert series.max() <= 1.0


@pytest.mark.parametrize(
    ("character", "energy", "message"),
    [("coal", 9.0, "at most"), ("magic", 1.0, "must be one of hydro")],
)
def test_what_a_tie_cannot_do(character, energy, message):
    with pytest.raises(InputError, match=message):
        import_schedule("import/X", character, 2024, 1, rated_mw=1000.0, energy_twh=energy)


def planned(seed, units=6):
    return availability("availability/Somewhere coal", "coal", 2024, seed, units)


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
