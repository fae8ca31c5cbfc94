"""Typhoon derating of connections at sea."""

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from gridsim.profiles import make_year
from gridsim.profiles.storm import GALE_MS, STORM_MS
from gridsim.profiles.weather import Weather
from gridsim.profiles.year import SITE_COLUMNS

PLACE = (33.6, 121.2)


def test_farms_are_eased_off_from_gale_to_storm():
    row = {"profile": "storm/D", "kind": "storm", "zone": "Yancheng", "lat_deg": PLACE[0], "lon_deg": PLACE[1]}
    sites = pd.DataFrame([row | {"character": "share=0.7"}], columns=list(SITE_COLUMNS))
    left = make_year(sites, 2024, 2024).column("storm/D")
    wind_ms = Weather(2024, 2024).storm_wind_ms(*PLACE, True)
    assert wind_ms.max() > GALE_MS  # there is a typhoon in this year
    assert_allclose(left[wind_ms <= GALE_MS], 1.0)
    assert_allclose(left[wind_ms >= STORM_MS], 0.3)
    between = (wind_ms > GALE_MS) & (wind_ms < STORM_MS)
    assert 0 < between.sum() < 200
    assert_allclose(left[between], 1.0 - 0.7 * (wind_ms[between] - GALE_MS) / (STORM_MS - GALE_MS), atol=1e-6)
    assert np.unique(left).size > 2
