"""City loads: province targets, holidays, weather, tariffs."""

import numpy as np
import pandas as pd
import pytest

from gridsim.errors import InputError
from gridsim.profiles import load as load_module
from gridsim.profiles import make_year
from gridsim.profiles.calendar import calendar, hours_of
from gridsim.profiles.fields import CITIES
from gridsim.profiles.load import CITY_SHARES, PEAK_OVER_SHARE, ProvinceLoad, month_share, tariff
from gridsim.profiles.weather import Weather

SEEDS = (2024, 7, 42)


def province(profiles):
    return sum(profiles.column(f"load/{city}") for city in CITIES)


@pytest.mark.parametrize("seed", SEEDS)
def test_province_of_2024(seed, year_of):
    total = province(year_of(seed))
    month = pd.date_range("2024-01-01", periods=8784, freq="h").month.to_numpy()
    hour = np.arange(8784) % 24
    winter = np.isin(month, (1, 2, 12))
    assert total.sum() / 1e6 == pytest.approx(848.7, abs=1e-3)
    peak = int(np.argmax(total))
    assert total[peak] == pytest.approx(146_200, rel=0.002)
    assert month[peak] in (7, 8)
    assert 11 <= hour[peak] <= 13
    cold = int(np.argmax(np.where(winter, total, 0)))
    assert total[cold] == pytest.approx(131_300, rel=0.005)
    assert 17 <= hour[cold] <= 20
    lowest = int(np.argmin(total))
    assert total[lowest] == pytest.approx(50_000, rel=0.01)
    assert abs(pd.Timestamp("2024-01-01") + pd.Timedelta(hours=lowest) - pd.Timestamp("2024-02-10")) < pd.Timedelta(
        days=4
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_months_of_2024(seed, year_of):
    """Within 5 % of the shares of the hourly file of 2018 (its festival was in February, too), summer 2 % higher."""
    month = pd.date_range("2024-01-01", periods=8784, freq="h").month.to_numpy() - 1
    share = np.bincount(month, province(year_of(seed)), 12) / 848.7e6
    of_2018 = np.array([9.266, 6.393, 7.996, 7.442, 7.886, 8.097, 9.93, 10.245, 8.368, 7.637, 7.751, 8.989]) / 100
    np.testing.assert_allclose(share, of_2018, rtol=0.05)
    assert share[6] + share[7] > of_2018[6] + of_2018[7]


def test_a_january_festival_moves_the_dip(sites):
    """2025: new year's day of the moon on 29 January; that month is the low one, and the winter peak stays put."""
    assert month_share(2025)[0] < month_share(2024)[0] - 0.008
    load = ProvinceLoad(Weather(2025, 3))
    total = sum(
        load.city_mw(f"load/{c}", *CITIES[c], energy_twh=848.7 * e, peak_mw=p * 146_200 * PEAK_OVER_SHARE)
        for c, (e, p) in CITY_SHARES.items()
    )
    assert pd.Timestamp("2025-01-01") + pd.Timedelta(hours=int(total.argmin())) < pd.Timestamp("2025-02-02")
    assert total[: 59 * 24].max() / total.mean() == pytest.approx(131.3 / 96.6, rel=0.05)


def test_weekends_and_holidays(year_of):
    total = province(year_of(2024)).reshape(-1, 24).mean(axis=1)
    cal = calendar(2024)
    spring = np.isin(cal.month, (2, 3)) & np.array([not h for h in cal.holiday]) & (np.abs(cal.festival_day) > 22)
    work = total[spring & cal.works].mean()
    assert total[spring & ~cal.works].mean() / work == pytest.approx(0.95, abs=0.02)
    national = np.array([h == "national" for h in cal.holiday])
    october = total[(cal.month == 9) & cal.works].mean()
    assert total[national].mean() / october == pytest.approx(0.83, abs=0.04)


def test_spring_festival_dip(year_of):
    """Daily load of 2022: holiday over mid-January workday 0.58; a week later half recovered."""
    total = province(year_of(2024)).reshape(-1, 24).mean(axis=1)
    day = calendar(2024).festival_day
    before = total[(day >= -28) & (day <= -19) & calendar(2024).works].mean()
    assert total[day == 0][0] / before == pytest.approx(0.55, abs=0.06)
    assert total[day == 8][0] / before == pytest.approx(0.77, abs=0.09)
    assert total[(day >= 18) & (day <= 24)].mean() / before > 0.85


@pytest.mark.parametrize("seed", SEEDS)
def test_heat_and_cold_raise_the_load(seed, year_of):
    """3.5 to 4 GW per K above 28 degC and about 1 below 8 degC are estimated; a plain regression on days, blurred by
    months and holidays of production, finds 1.5 to 4."""
    profiles = year_of(seed)
    total = province(profiles).reshape(-1, 24).mean(axis=1) / 1e3
    t = sum(CITY_SHARES[c][0] * profiles.column(f"temperature/{c}") for c in CITIES).reshape(-1, 24).mean(axis=1)
    t = 0.7 * t + 0.3 * np.roll(t, 1)  # buildings remember yesterday
    works = calendar(2024).works
    summer = works & np.isin(calendar(2024).month, (6, 7)) & (t > 27)
    per_k = np.polyfit(t[summer], total[summer], 1)[0]
    assert 1.4 < per_k < 6.0
    winter = works & np.isin(calendar(2024).month, (0, 11)) & (t < 8)
    assert -2.5 < np.polyfit(t[winter], total[winter], 1)[0] < -0.4


def test_city_energy_and_peak_follow_their_row(sites):
    """Twice the energy at the same peak: a flatter city, its energy still exact."""
    row = sites[sites["profile"] == "load/Nantong"]
    base = make_year(row, 2023, 3).column("load/Nantong")
    grown = make_year(row.assign(energy_twh=row["energy_twh"] * 1.2), 2023, 3).column("load/Nantong")
    assert grown.sum() == pytest.approx(base.sum() * 1.2, rel=1e-6)
    assert grown.max() == pytest.approx(base.max(), rel=0.01)
    assert grown.min() > 0


def test_a_city_outside_the_built_in_ones(sites):
    row = sites[sites["profile"] == "load/Nantong"].assign(profile="load/Hefei", lat_deg=31.8, lon_deg=117.3)
    made = make_year(row, 2023, 3)
    assert made.column("load/Hefei").sum() == pytest.approx(row["energy_twh"].iloc[0] * 1e6, rel=1e-6)
    assert made.has("temperature/Hefei")


def test_new_tariff_moves_load_to_noon(monkeypatch):
    """Summer 2026 under its own tariff and the old one: noon gains 1.5 to 5 % on the afternoon."""

    def summer_day():
        load = ProvinceLoad(Weather(2026, 5))
        series = sum(load.city_mw(f"load/{c}", *CITIES[c], energy_twh=50.0, peak_mw=np.nan) for c in list(CITIES)[:3])
        return series[181 * 24 : 241 * 24].reshape(-1, 24).mean(axis=0)

    new = summer_day()
    monkeypatch.setattr(load_module, "tariff", lambda year, month, hour: tariff(2024, month, hour))
    change = new / summer_day() - 1.0
    assert 0.015 < change[11:13].mean() - change[14:17].mean() < 0.05


def test_tariff_hours():
    hour = np.arange(24)
    old = tariff(2024, np.full(24, 6), hour)
    assert (old[[8, 9, 10, 17, 21]] == 1.7).all()
    assert (old[:8] < 1).all()
    new = tariff(2025, np.full(24, 6), hour)
    assert (new[[11, 12, 0, 5]] == 0.35).all()
    assert (new[14:22] == 1.8).all()
    april = tariff(2025, np.full(24, 3), hour)
    assert (april == tariff(2024, np.full(24, 3), hour)).all()


def test_calendar_of_2024():
    cal = calendar(2024)
    by_day = {str(d): (w, h) for d, w, h in zip(cal.days, cal.works, cal.holiday, strict=True)}
    assert by_day["2024-02-10"] == (False, "spring_festival")
    assert by_day["2024-02-18"] == (True, "")  # a Sunday that works
    assert by_day["2024-04-28"][0]
    assert by_day["2024-05-01"] == (False, "labour")
    assert by_day["2024-09-14"][0]
    assert by_day["2024-10-07"] == (False, "national")
    assert by_day["2024-10-12"][0]
    assert by_day["2024-06-29"] == (False, "")
    assert cal.works.sum() == 251  # the working days of 2024 by the State Council's notice


@pytest.mark.parametrize(("year", "hours"), [(2023, 8760), (2024, 8784), (2028, 8784), (2030, 8760)])
def test_calendar_lengths(year, hours):
    assert hours_of(year) == hours
    assert len(calendar(year).days) == hours // 24


def test_a_year_without_a_calendar_is_refused():
    with pytest.raises(InputError, match="2018 to 2035"):
        calendar(2050)
