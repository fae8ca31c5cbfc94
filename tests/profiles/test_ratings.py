"""What weather leaves of the ratings of lines."""

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from gridsim.profiles import make_year
from gridsim.profiles.storm import GALE_MS, STORM_MS
from gridsim.profiles.weather import Weather
from gridsim.profiles.year import SITE_COLUMNS

PLACE = (33.6, 120.3)


def left_of(character: str) -> np.ndarray:
    row = {"profile": "rating/X", "kind": "rating", "zone": "Yancheng", "lat_deg": PLACE[0], "lon_deg": PLACE[1]}
    sites = pd.DataFrame([row | {"character": character}], columns=list(SITE_COLUMNS))
    return make_year(sites, 2024, 2024).column("rating/X")


def test_heat_leaves_what_heats_a_conductor_as_much():
    """In air of 34 degC a line for 25 degC carries sqrt(36 / 45) of its rating; in colder air all of it."""
    left, air_c = left_of("from_c=25"), Weather(2024, 2024).temperature_c(*PLACE, "temperature/X")
    assert air_c.max() > 30.0
    assert_allclose(left[air_c <= 25.0], 1.0)
    assert_allclose(left[air_c > 25.0] ** 2 * 45.0, 70.0 - air_c[air_c > 25.0], atol=1e-3)
    assert_allclose(left_of(""), 1.0)


def test_storms_take_their_share_over_land():
    wind_ms = Weather(2024, 2024).storm_wind_ms(*PLACE, False)
    given_up = 0.3 * np.clip((wind_ms - GALE_MS) / (STORM_MS - GALE_MS), 0.0, 1.0)
    assert_allclose(left_of("share=0.3"), 1.0 - given_up, atol=1e-5)
