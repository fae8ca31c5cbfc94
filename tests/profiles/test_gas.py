"""Gas left for power plants, by the day's mean temperature."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from gridsim.errors import InputError
from gridsim.profiles import make_year
from gridsim.profiles.year import SITE_COLUMNS


def sites(character=""):
    place = {"zone": "Nanjing", "lat_deg": 32.06, "lon_deg": 118.8, "full_load_h": np.nan, "units": np.nan}
    rows = [
        {"profile": "load/Nanjing", "kind": "load", "rated_mw": 15_000.0, "energy_twh": 75.0, "character": "city"}
        | place,
        {"profile": "gas_left/Nanjing", "kind": "gas_left", "rated_mw": 1000.0, "energy_twh": np.nan} | place,
    ]
    return pd.DataFrame(rows, columns=list(SITE_COLUMNS)).fillna({"character": character})


@pytest.mark.parametrize(("character", "share"), [("", 0.5), ("homes=0.8", 0.8)])
def test_homes_come_first_on_cold_days(character, share):
    year = make_year(sites(character), 2024, 2024)
    left, day_c = year.column("gas_left/Nanjing"), year.column("temperature/Nanjing").reshape(-1, 24).mean(axis=1)
    assert_allclose(left.reshape(-1, 24) - left[::24, None], 0.0)  # a day is one
    mild = day_c > 12.0
    assert_allclose(left[::24][mild], 1000.0)
    cold = ~mild & (day_c > -5.0)
    assert 40 < cold.sum() < 150
    assert_allclose(left[::24][cold], 1000.0 * (1.0 - share * (12.0 - day_c[cold]) / 17.0), atol=1e-2)


def test_a_word_that_is_none_is_refused():
    with pytest.raises(InputError, match="homes"):
        make_year(sites("houses=0.5"), 2024, 2024)
