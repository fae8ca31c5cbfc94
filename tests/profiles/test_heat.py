"""Heat of a city, and the room it leaves a unit: means kept, lines by hand."""

import numpy as np
import pytest

from gridsim.errors import InputError
from gridsim.profiles.calendar import calendar
from gridsim.profiles.weather import months_of_hours

from .test_demand import series

MONTH = months_of_hours(2024)


def test_the_minimum_keeps_its_mean():
    for city, words in (("Suzhou", "least=0.65"), ("Xuzhou", "least=0.65 steam=0.85"), ("Wuxi", "least=0.5 night=0.6")):
        assert series("heat_min", city, character=words).mean() == pytest.approx(
            0.65 if "65" in words else 0.5, abs=1e-5
        )


def test_steam_falls_by_a_quarter_of_its_heat_at_the_festival():
    """p_min = 0.3 + 0.75 q: the part above 0.3 falls by 25 %."""
    low = series("heat_min", character="least=0.65")
    day = calendar(2024).festival_day
    deepest, ordinary = low.reshape(-1, 24)[day == 0][0, 12], low.reshape(-1, 24)[200, 12]
    assert (deepest - 0.3) / (ordinary - 0.3) == pytest.approx(0.75, abs=1e-5)


def test_homes_are_warm_in_winter_only():
    low = series("heat_min", "Xuzhou", character="least=0.65 steam=0.85")
    high = series("heat_max", "Xuzhou", character="least=0.65 steam=0.85")
    winter = np.isin(MONTH, (11, 0, 1, 2))
    assert low[winter].mean() > 0.65 > low[~winter].max()
    assert (high[~winter] == 1.0).all()
    assert high[winter].min() < 0.99


def test_both_lines_by_hand():
    """<q> = 0.35 / 0.75; a hour with h has p_min = 0.3 + 0.35 h and p_max = 1 - 0.15 <q> (h - 1), at most 1."""
    words = "least=0.65 steam=0.85"
    low, high = series("heat_min", "Xuzhou", character=words), series("heat_max", "Xuzhou", character=words)
    h = (low - 0.3) / 0.35
    np.testing.assert_allclose(high, np.minimum(1.0, 1.0 - 0.07 * (h - 1.0)), atol=2e-6)
    assert (high - low > 0.049).all()


def test_a_boiler_takes_its_share_of_the_heat():
    plain, relieved = (series("heat_min", character=f"least=0.65 boiler={b}") for b in (0.0, 0.4))
    np.testing.assert_allclose(relieved - 0.3, 0.6 * (plain - 0.3), atol=2e-6)


def test_demand_for_heat_has_the_mean_asked_for():
    heat = series("heat_demand", "Xuzhou", mw=250.0, character="steam=0.85")
    assert heat.mean() == pytest.approx(250.0, abs=1e-3)
    assert heat[np.isin(MONTH, (5, 6, 7))].max() < heat[np.isin(MONTH, (0, 1))].mean()


def test_less_than_idle_is_refused():
    with pytest.raises(InputError, match="least must be at least idle"):
        series("heat_min", character="least=0.2 idle=0.3")
