"""Parts of the load and what flexible demand may do: energies, days kept, hand-checkable numbers."""

import numpy as np
import pandas as pd
import pytest

from gridsim.errors import InputError
from gridsim.profiles import make_year
from gridsim.profiles.calendar import calendar
from gridsim.profiles.fields import CITIES
from gridsim.profiles.load import COMPONENTS, tariff
from gridsim.profiles.tariffs import decode, encode
from gridsim.profiles.weather import months_of_hours
from gridsim.profiles.year import SITE_COLUMNS

TWH = {"ev": 1.5, "building": 0.7, "shore_power": 0.03, "data_centre": 2.5}
WHOLE = {"mw": 31_500.0, "twh": 205.1}
HOURS = np.arange(8784) % 24


def site(profile, kind, city="Suzhou", *, mw=np.nan, twh=np.nan, character=""):
    return (profile, kind, city, *CITIES[city], mw, twh, np.nan, np.nan, character)


def made(*rows, year=2024, seed=7):
    return make_year(pd.DataFrame(rows, columns=list(SITE_COLUMNS)), year, seed)


def series(kind, city="Suzhou", year=2024, **more):
    return made(site(f"{kind}/{city}", kind, city, **more), year=year).column(f"{kind}/{city}")


def says(**numbers):
    return " ".join(f"{name}={value}" for name, value in numbers.items())


@pytest.fixture(scope="module")
def parts():
    rows = [site(f"load_{kind}/Suzhou", f"load_{kind}", twh=twh) for kind, twh in TWH.items()]
    base = site("load_base/Suzhou", "load_base", **WHOLE, character=says(**TWH))
    return made(site("load/Suzhou", "load", **WHOLE), base, *rows)


def test_components_and_base_add_up_to_the_load_as_it_was(parts):
    total = sum(parts.column(f"load_{kind}/Suzhou") for kind in ("base", *COMPONENTS))
    np.testing.assert_allclose(total, parts.column("load/Suzhou"), rtol=0, atol=1e-9)


def test_components_have_their_energy(parts):
    for kind, twh in TWH.items():
        mwh = parts.column(f"load_{kind}/Suzhou").sum()
        assert mwh == pytest.approx(1e6 * twh, abs=8784 * 5e-4), kind  # MW are kept to three decimals


def test_vehicles_charge_in_the_evening_and_more_in_the_cold(parts):
    ev = parts.column("load_ev/Suzhou").reshape(-1, 24)
    assert 20 <= ev.mean(axis=0).argmax() <= 23
    assert 4 <= ev.mean(axis=0).argmin() <= 7
    assert ev[:20].mean() > ev[110:130].mean()


def test_ports_close_in_a_storm():
    """Every year has a typhoon; on the coast it stops the ships' power, inland it does not reach 17 m/s for long."""
    coast = series("load_shore_power", "Nantong", twh=0.1)
    assert 0 < (coast == 0.0).sum() < 200


def test_a_base_of_less_than_nothing_is_refused():
    with pytest.raises(InputError, match="more than the whole load"):
        series("load_base", **WHOLE, character="data_centre=150")


@pytest.mark.parametrize(
    ("character", "said"),
    [
        ("ev=much", "ev must be a number"),
        ("evs=1", "must be words such as"),
        ("ev=1 ev=2", "must have ev once"),
        ("elasticity=5", "elasticity must be a number from 0 to 1"),
        ("tariff=cheap", "tariff must be prices"),
    ],
)
def test_words_that_are_not_understood_are_refused(character, said):
    with pytest.raises(InputError, match=said):
        series("load_base", **WHOLE, character=character)


def test_the_part_that_follows_the_weather(parts):
    both = series("load_ac", **WHOLE)
    cooling = series("load_ac", **WHOLE, character="of=cooling")
    heating = series("load_ac", **WHOLE, character="of=heating")
    np.testing.assert_allclose(cooling + heating, both, atol=2e-3)
    month, load = months_of_hours(2024), parts.column("load/Suzhou")
    assert (both < load).all()
    assert cooling[month == 0].max() < 0.02 * cooling.max()
    peak = int(load.argmax())
    assert 0.2 < cooling[peak] / load[peak] < 0.45  # 35-40 % is the estimate, 26-39 % of the province on four seeds


# ---- vehicles that answer


def test_vehicles_drive_each_day_what_they_charge():
    charged, driven = series("load_ev", twh=1.0), series("ev_drive", twh=0.92)
    daily = driven.reshape(-1, 24).sum(axis=1) / charged.reshape(-1, 24).sum(axis=1)
    np.testing.assert_allclose(daily, 0.92, rtol=1e-4)


def test_vehicles_are_charged_when_they_leave():
    held, plugged = series("ev_departure", character="held=0.8"), series("ev_plug")
    works = calendar(2024).works
    by_day = held.reshape(-1, 24)
    assert (by_day[works, 6] == 0.8).all()
    assert (by_day[~works, 8] == 0.8).all()
    assert (np.sort(by_day, axis=1)[:, :-1] == 0.25).all()
    assert plugged.max() == 0.52
    assert plugged.reshape(-1, 24)[:, 10].max() < plugged.reshape(-1, 24)[:, 3].min()


# ---- demand response


def test_a_block_is_filled_for_its_calls_in_the_months_of_calls():
    refill = series("dr_refill", mw=100.0, character="calls=20 hours=2")
    assert refill.sum() == pytest.approx(100.0 * 20 * 2, abs=8784 * 5e-4)
    season = np.isin(months_of_hours(2024), (6, 7, 11, 0))
    assert (refill[~season] == 0.0).all()
    assert (refill[season] == refill[0]).all()


def test_moved_load_is_settled_by_midnight_and_only_works_can_move():
    settled, hours = series("dr_settled"), series("dr_hours")
    np.testing.assert_array_equal(np.flatnonzero(settled), np.flatnonzero(HOURS == 23))
    assert set(settled) == {0.0, 0.5}
    days = hours.reshape(-1, 24).mean(axis=1)
    cal = calendar(2024)
    ordinary = np.abs(cal.festival_day) > 22
    assert days[ordinary & ~cal.works] == pytest.approx(0.6 * days[ordinary & cal.works][0])
    assert days[cal.festival_day == 0] < 0.3 * days[ordinary & cal.works][0]


def test_air_conditioning_that_can_answer_is_what_runs():
    share, cooling = series("ac_hours"), series("load_ac", twh=1.0, character="of=cooling")
    assert share.max() == 1.0
    runs = share > 0.0
    assert share[runs].min() >= 0.01
    assert (cooling / cooling.max())[~runs].max() < 0.01 + 2e-3  # what is left out is small
    np.testing.assert_allclose(share[runs], (cooling / cooling.max())[runs], atol=2e-3)


def test_patterns_of_hydrogen_have_the_energy_asked_for():
    flat, day, season = (series("hydrogen_demand", twh=0.8784, character=f"pattern={p}") for p in _PATTERNS)
    np.testing.assert_array_equal(flat, 100.0)
    for shape in (day, season):
        assert shape.mean() == pytest.approx(100.0, abs=1e-3)
    assert (day.reshape(-1, 24)[200, 7:21] / day.reshape(-1, 24)[200, 0]).round(3).tolist() == [4.0] * 14
    assert season[15 * 24] == pytest.approx(130.0, rel=0.01)


_PATTERNS = ("hour", "day", "season")


# ---- tariffs


def prices(year, month):
    return tariff(year, np.full(24, month), np.arange(24))


TABLE_2024 = np.array([prices(2024, m) for m in range(12)])
TABLE_2026 = np.array([prices(2026, m) for m in range(12)])


def test_a_tariff_is_one_word_and_back():
    for table in (TABLE_2024, TABLE_2026):
        assert " " not in encode(table)
        np.testing.assert_array_equal(decode("x", encode(table)), table)
    assert encode(TABLE_2024) == "1,2,3,4,5,6,7,8,9,10,11,12:0.42*8/1.7*3/1.0*6/1.7*5/1.0*2"


def test_the_tariff_of_the_year_moves_nothing():
    plain = series("load_base", **WHOLE)
    for word in (f"tariff={encode(TABLE_2024)}", "elasticity=0.035"):
        np.testing.assert_allclose(series("load_base", **WHOLE, character=word), plain, atol=2e-3)


@pytest.mark.parametrize("elasticity", [0.0, 0.035, 0.2])
def test_load_moves_within_its_day(elasticity):
    plain = series("load_base", **WHOLE).reshape(-1, 24)
    word = f"tariff={encode(TABLE_2026)} elasticity={elasticity}"
    moved = series("load_base", **WHOLE, character=word).reshape(-1, 24)
    np.testing.assert_allclose(moved.sum(axis=1), plain.sum(axis=1), atol=0.03)
    change = (moved - plain)[180:240].mean(axis=0)
    if elasticity:  # from 11 to 13 h prices fall from flat to valley, from 14 to 17 h they rise to peak
        assert change[11:13].min() > 0.0 > change[14:17].max()
    else:  # nobody answers: what moved for the tariff of 2024 goes back
        assert change[8:11].min() > 0.0 > change[:8].max()


def test_more_elasticity_moves_in_proportion():
    """To first order in e w (p - 1): twice the answer, about twice the MW."""
    flat = f"tariff={encode(np.ones((12, 24)))}"
    none = series("load_base", **WHOLE, character=f"{flat} elasticity=0.0")
    moved = [
        series("load_base", **WHOLE, character=f"tariff={encode(TABLE_2026)} elasticity={e}") - none
        for e in (0.01, 0.02)
    ]
    big = np.abs(moved[0]) > 50.0
    np.testing.assert_allclose(moved[1][big] / moved[0][big], 2.0, rtol=0.02)


def test_an_answer_that_leaves_no_load_is_refused():
    table = np.ones((12, 24))
    table[:, 12] = 3.0
    with pytest.raises(InputError, match="at least 10 %"):
        series("load_base", **WHOLE, character=f"tariff={encode(table)} elasticity=0.9")
