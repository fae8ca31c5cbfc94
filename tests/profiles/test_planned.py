"""Events asked for at a date: on top of the year, felt where and when they are, refused where they make no sense."""

import numpy as np
import pytest

from gridsim.errors import InputError
from gridsim.profiles import Planned, load_year, make_year
from gridsim.profiles.fields import CITIES
from gridsim.profiles.weather import Weather
from gridsim.scenario import load

SOME = ("load/Suzhou", "wind_offshore/Rudong Far", "pv/Suzhou")


@pytest.fixture(scope="module")
def few(sites):
    return sites[sites["profile"].isin(SOME)]


def at(day, hours=24):
    first = int((np.datetime64(f"2024-{day}", "h") - np.datetime64("2024-01-01T00", "h")).astype(int))
    return slice(first, first + hours)


def wish(kind, day, **more):
    return (Planned(kind, np.datetime64(f"2024-{day}T00", "h"), **more),)


def ratio(name, few, year_of, planned, span):
    """Mean of a series in `span` over what it was, and over the rest of the year."""
    was, now = year_of(7).column(name), make_year(few, 2024, 7, planned).column(name)
    away = np.ones(8784, dtype=bool)
    away[max(span.start - 240, 0) : span.stop + 240] = False
    np.testing.assert_array_equal(was[away], now[away])  # nothing is scaled to make up for it
    return now[span].mean() / was[span].mean()


def test_a_heat_dome_is_load_on_top_of_the_year(few, year_of):
    """2.8 K in early September, where the seed has none: some percent more load, less wind, nothing elsewhere."""
    planned = wish("heat_dome", "09-05", days=8.0)
    inside = at("09-08", 48)
    assert 1.04 < ratio("load/Suzhou", few, year_of, planned, inside) < 1.20
    assert ratio("wind_offshore/Rudong Far", few, year_of, planned, inside) < 0.95
    warm = Weather(2024, 7, planned).temperature_c(*CITIES["Suzhou"], "temperature/Suzhou")
    was = Weather(2024, 7).temperature_c(*CITIES["Suzhou"], "temperature/Suzhou")
    assert (warm - was)[inside].mean() == pytest.approx(2.8, abs=0.3)


def test_strength_is_in_proportion(few):
    at_one, at_half = (
        Weather(2024, 7, wish("heat_dome", "09-05", strength=s)).episodes.temperature_shift_c for s in (1.0, 0.5)
    )
    none = Weather(2024, 7).episodes.temperature_shift_c
    np.testing.assert_allclose(at_half - none, 0.5 * (at_one - none), atol=1e-12)


def test_a_calm_takes_the_wind(few, year_of):
    planned = wish("calm", "11-10", days=4.0)
    assert ratio("wind_offshore/Rudong Far", few, year_of, planned, at("11-11", 48)) < 0.45


def test_a_typhoon_blows_and_stops_the_turbines(few, year_of):
    """At its nearest it brings storm to the far sea off Rudong; the output of hours around it is low or none."""
    planned = (Planned("typhoon", np.datetime64("2024-10-20T12", "h"), strength=1.3),)
    weather = Weather(2024, 7, planned)
    storm = weather.storm_wind_ms(32.75, 121.75, at_sea=True) - Weather(2024, 7).storm_wind_ms(32.75, 121.75, True)
    near = at("10-20")
    assert storm[near].max() > 24.0
    assert make_year(few, 2024, 7, planned).column("wind_offshore/Rudong Far")[near].min() < 0.1
    assert [e.kind for e in weather.episodes.events].count("typhoon") == len(weather.episodes.typhoons)
    assert any(e.kind == "typhoon" and str(e.start) == "2024-10-19T12" for e in weather.episodes.events)


def test_the_cache_tells_wishes_apart(few, tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDSIM_CACHE_DIR", str(tmp_path))
    plain = load_year(few, 2024, 7)
    hot = load_year(few, 2024, 7, planned=wish("heat_dome", "09-05"))
    assert plain.digest() != hot.digest()
    assert load_year(few, 2024, 7, planned=wish("heat_dome", "09-05")).digest() == hot.digest()
    assert len(list(tmp_path.rglob("*.npz"))) == 2


@pytest.mark.parametrize(
    ("planned", "said"),
    [
        ((Planned("flood", np.datetime64("2024-07-01T00", "h")),), "kind must be one of typhoon"),
        ((Planned("calm", np.datetime64("2023-07-01T00", "h")),), "must start in 2024"),
        (wish("typhoon", "07-01", days=2.0), "has no days of its own"),
        (wish("calm", "07-01", days=100.0), "days must be 0.5 to 60"),
        (wish("calm", "07-01", strength=5.0), "strength must be"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(few, planned, said):
    with pytest.raises(InputError, match=said):
        make_year(few, 2024, 7, planned)


def test_events_of_a_scenario(tmp_path):
    path = tmp_path / "hot.toml"
    path.write_text('base = "jiangsu-2024"\n[[profiles.event]]\nkind = "heat_dome"\nstart = 2024-08-05\ndays = 9\n')
    scenario = load(path)
    assert 'kind = "heat_dome"' in scenario.text
    assert scenario.digest != load("jiangsu-2024").digest
    path.write_text(
        'base = "jiangsu-2024"\n[[profiles.event]]\nkind = "heat"\nstart = 2024-08-05\n'
        '[[profiles.event]]\nkind = "typhoon"\nstart = 2024-08-05\ndays = 9\n'
    )
    with pytest.raises(InputError) as caught:
        load(path)
    assert len(caught.value.problems) == 2
    path.write_text('base = "jiangsu-2024"\n[[profiles.event]]\nkind = "calm"\nstart = 2023-08-05\n')
    with pytest.raises(InputError, match=r"profiles\.event\.1\.start must be in 2024"):
        load(path)
