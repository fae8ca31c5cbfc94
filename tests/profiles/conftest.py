"""A `profile_site` table like the built-in grid's, so that the profiles are tested without any network."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from gridsim.profiles import Profiles, make_year
from gridsim.profiles.fields import CITIES
from gridsim.profiles.load import CITY_SHARES, PEAK_OVER_SHARE
from gridsim.profiles.year import SITE_COLUMNS

# zone: (lat, lon, MW, full-load hours); 11.8 GW of offshore wind in the zones of public farm lists.
OFFSHORE = {
    "Guanyun": (34.75, 120.05, 303.0, 2420.0),
    "Xiangshui": (34.55, 120.45, 215.0, 2450.0),
    "Binhai North": (34.45, 120.55, 802.0, 2550.0),
    "Binhai South": (34.30, 120.70, 300.0, 2545.0),
    "Sheyang": (33.65, 121.10, 708.0, 2650.0),
    "Dafeng North": (33.45, 121.30, 1415.0, 2750.0),
    "Dafeng South": (33.20, 121.45, 909.0, 2800.0),
    "Dongtai": (32.92, 121.35, 1004.0, 2780.0),
    "Jiangjiasha": (32.70, 121.20, 652.0, 2707.0),
    "Rudong Near": (32.50, 121.30, 1381.0, 2650.0),
    "Rudong Far": (32.75, 121.75, 2300.0, 2850.0),
    "Rudong VSC": (32.65, 121.85, 1100.0, 2950.0),
    "Qidong": (32.00, 122.05, 804.0, 2743.0),
}
ONSHORE_MW = {
    "Nanjing": 72.0,
    "Xuzhou": 692.0,
    "Suzhou": 72.0,
    "Nantong": 1510.0,
    "Lianyungang": 783.0,
    "Huai'an": 1641.0,
    "Yancheng": 5136.0,
    "Yangzhou": 1155.0,
    "Taizhou": 72.0,
    "Suqian": 197.0,
}
PV_MW = {
    "Nanjing": 3500.0,
    "Wuxi": 4300.0,
    "Xuzhou": 6400.0,
    "Changzhou": 4200.0,
    "Suzhou": 6300.0,
    "Nantong": 5300.0,
    "Lianyungang": 3800.0,
    "Huai'an": 4600.0,
    "Yancheng": 7300.0,
    "Yangzhou": 4200.0,
    "Zhenjiang": 3280.0,
    "Taizhou": 3600.0,
    "Suqian": 5000.0,
}
# id: (kind, character, MW, TWh)
TIES = {
    "Jinsu": ("import", "hydro", 7200.0, 33.0),
    "Jiansu": ("import", "hydro", 8000.0, 22.0),
    "Longzheng": ("import", "hydro", 3000.0, 11.5),
    "Xitai": ("import", "coal_wind", 6680.0, 33.5),
    "Yanhuai": ("import", "coal_wind", 8000.0, 42.0),
    "Yangcheng": ("import", "coal", 3300.0, 14.3),
    "Anhui": ("exchange", "transit", 6000.0, 16.0),
    "Shanghai": ("exchange", "transit", 5000.0, -18.0),
    "Zhejiang": ("exchange", "transit", 1500.0, -4.3),
}
UNITS = {
    "Tianwan 1-2": ("nuclear", 1060.0, 2),
    "Tianwan 3-4": ("nuclear", 1126.0, 2),
    "Tianwan 5-6": ("nuclear", 1118.0, 2),
    "Taizhou II": ("coal", 1000.0, 2),
    "Xuzhou small": ("coal", 350.0, 6),
    "Suzhou CCGT": ("gas", 400.0, 4),
}


def build_sites() -> pd.DataFrame:
    """13 loads, 13 sea zones, 10 onshore and 13 PV cities, 9 ties, 6 availability rows."""
    nan = np.nan
    rows: list[tuple[object, ...]] = []
    for city, (lat, lon) in CITIES.items():
        energy, peak = CITY_SHARES[city]
        mw = peak * 146200.0 * PEAK_OVER_SHARE
        rows.append((f"load/{city}", "load", city, lat, lon, mw, energy * 848.7, nan, nan, ""))
    for zone, (lat, lon, mw, flh) in OFFSHORE.items():
        rows.append((f"wind_offshore/{zone}", "wind_offshore", zone, lat, lon, mw, nan, flh, nan, ""))
    for city, mw in ONSHORE_MW.items():
        flh = 2200.0 if city in ("Yancheng", "Nantong", "Lianyungang") else 2080.0
        rows.append((f"wind_onshore/{city}", "wind_onshore", city, *CITIES[city], mw, nan, flh, nan, ""))
    for city, mw in PV_MW.items():
        flh = 1100.0 + 16.0 * (CITIES[city][0] - 32.8)
        rows.append((f"pv/{city}", "pv", city, *CITIES[city], mw, nan, flh, nan, ""))
    for tie, (kind, character, mw, twh) in TIES.items():
        rows.append((f"{kind}/{tie}", kind, "external", nan, nan, mw, twh, nan, nan, character))
    for name, (character, mw, units) in UNITS.items():
        rows.append((f"availability/{name}", "availability", "", nan, nan, mw, nan, nan, units, character))
    return pd.DataFrame(rows, columns=list(SITE_COLUMNS))


@pytest.fixture(scope="session")
def sites() -> pd.DataFrame:
    return build_sites()


@pytest.fixture(scope="session")
def year_of(sites: pd.DataFrame) -> Callable[[int], Profiles]:
    """2024 of a seed, made once per session."""
    made: dict[int, Profiles] = {}

    def year(seed: int) -> Profiles:
        if seed not in made:
            made[seed] = make_year(sites, 2024, seed)
        return made[seed]

    return year
