"""Targets of load, ties, outages and temperature: the rows of `check` that are not wind or sun."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gridsim.profiles.calendar import calendar
from gridsim.profiles.check_rows import Row, around, within
from gridsim.profiles.fields import CITIES
from gridsim.profiles.load import MINIMUM, SUMMER_PEAK, WINTER_PEAK, month_share
from gridsim.profiles.outages import OUTAGES, expected_need_mw
from gridsim.profiles.schedule import RAMP_PU_PER_H
from gridsim.profiles.year import Profiles

if TYPE_CHECKING:
    import pandas as pd

RECORD_IMPORT_MW = 35_200.0


def load_rows(profiles: Profiles, sites: "pd.DataFrame", month: NDArray[np.int64], year: int) -> Iterator[Row]:
    rows = sites[(sites["kind"] == "load") & sites["profile"].isin(profiles.names)]
    if rows.empty:
        return
    values = np.column_stack([profiles.column(name) for name in rows["profile"]])
    energy = rows["energy_twh"].to_numpy(dtype=float)
    off = values.sum(axis=0) / 1e6 - energy
    yield around(
        "load: energy, city farthest off [TWh]",
        0.0,
        float(off[np.argmax(np.abs(off))]),
        1e-3,
        "profile_site.energy_twh",
    )
    peak = rows["rated_mw"].to_numpy(dtype=float)
    ratio = values.max(axis=0) / peak
    worst = int(np.argmax(np.abs(ratio - 1.0)))
    name = rows["profile"].iloc[worst]
    yield around(
        f"load: peak over expected, farthest off ({name})", 1.0, float(ratio[worst]), 0.10, "profile_site.rated_mw"
    )
    if not {f"load/{city}" for city in CITIES} <= set(rows["profile"]):
        return
    total = values.sum(axis=1)
    mean = float(total.mean())
    winter = np.isin(month, (0, 1, 11))
    hour = np.arange(len(total)) % 24
    summer_at = int(np.argmax(np.where(winter, 0.0, total)))
    winter_at = int(np.argmax(np.where(winter, total, 0.0)))
    state_grid = "State Grid Jiangsu 2025-02-07"
    yield around("load: province, year [TWh]", float(energy.sum()), total.sum() / 1e6, 0.01, state_grid)
    yield within(
        "load: summer peak [GW]", SUMMER_PEAK * mean / 1e3, total[summer_at] / 1e3, 0.01, "155.0 GW in 2025 is +5.99 %"
    )
    yield Row("load: hour of the summer peak", 12.5, hour[summer_at], 11, 13, "2020 13:25, 2022 13:00, 2025 12:35")
    yield Row("load: month of the summer peak", 8, int(month[summer_at]) + 1, 7, 8, "records since 2015")
    yield within(
        "load: winter peak [GW]", WINTER_PEAK * mean / 1e3, total[winter_at] / 1e3, 0.02, "134 GW forecast is +2.07 %"
    )
    yield Row("load: hour of the winter peak", 19, hour[winter_at], 17, 20, "2021-01-07 19:15")
    yield within(
        "load: Spring Festival minimum [GW]", MINIMUM * mean / 1e3, total.min() / 1e3, 0.03, "43.44 GW in 2022, scaled"
    )
    cal = calendar(year)
    free = np.array([not kind for kind in cal.holiday]) & (np.abs(cal.festival_day) > 18)
    ordinary = np.isin(month, (2, 3, 4, 9, 10)) & np.repeat(free, 24)
    yield Row(
        "load: spring and autumn minimum over mean",
        0.735,
        float(total[ordinary].min() / mean),
        0.665,
        0.785,
        "2018 hourly file: 0.72-0.75",
    )
    share = np.bincount(month, total, 12) / total.sum()
    goal = month_share(year)
    worst = int(np.argmax(np.abs(share / goal - 1.0)))
    yield within(
        f"load: share of month {worst + 1}, farthest off",
        float(goal[worst]),
        share[worst],
        0.05,
        "2018 hourly file, hotter summer",
    )
    ramps = np.percentile(np.diff(total) / total.max(), [1, 99])
    for goal_ramp, found, label in zip((-0.06, 0.06), ramps, ("1 %", "99 %"), strict=True):
        yield within(f"load: 1-h ramp over peak, {label}", goal_ramp, found, 0.30, "2018 hourly file")
    for percent, wanted in ((99, 0.935), (75, 0.724), (50, 0.648), (25, 0.590), (1, 0.405)):
        found = float(np.percentile(total, percent) / total.max())
        # The 99 % point hangs on how long the Spring Festival is felt, which differs between calendars.
        tolerance = 0.04 if percent == 1 else 0.03
        yield around(
            f"load: duration curve at {100 - percent} % of hours", wanted, found, tolerance, "2018 hourly file"
        )
    coincidence = float(total.max() / values.max(axis=0).sum())
    yield Row("load: peak over sum of city peaks", 0.97, coincidence, 0.955, 1.0, "0.96-0.98 [K]")


def schedule_rows(profiles: Profiles, sites: "pd.DataFrame", month: NDArray[np.int64]) -> Iterator[Row]:
    ties = sites[sites["kind"].isin(("import", "exchange")) & sites["profile"].isin(profiles.names)]
    if not ties.empty:
        rated = ties["rated_mw"].to_numpy(dtype=float)
        mw = np.column_stack([profiles.column(name) for name in ties["profile"]]) * rated
        energy = ties["energy_twh"].to_numpy(dtype=float)
        off = np.where(np.isfinite(energy), mw.sum(axis=0) / 1e6 - energy, 0.0)
        yield around(
            "ties: energy, farthest off [TWh]", 0.0, float(off[np.argmax(np.abs(off))]), 0.01, "profile_site.energy_twh"
        )
        ramp = float(np.abs(np.diff(mw / rated, axis=0)).max())
        yield Row("ties: fastest change [p.u./h]", 0.15, ramp, 0.0, RAMP_PU_PER_H, "ramp limit of the links [K]")
        if {"import/Jinsu", "import/Jiansu", "import/Xitai", "import/Yanhuai"} <= set(ties["profile"]):
            net = mw.sum(axis=1)
            source = "hnxgsz.com: record on 15 July 2024"
            yield within("ties: largest net import [GW]", RECORD_IMPORT_MW / 1e3, net.max() / 1e3, 0.03, source)
            yield Row("ties: month of the largest net import", 7, int(month[int(np.argmax(net))]) + 1, 7, 7, source)
            if {f"load/{city}" for city in CITIES} <= set(profiles.names):
                yield _need_row(profiles, sites, net, month)
    units = sites[(sites["kind"] == "availability") & sites["profile"].isin(profiles.names)]
    for character in ("coal", "gas", "nuclear"):
        group = units[units["character"] == character]
        if group.empty:
            continue
        mw = (group["rated_mw"] * group["units"]).to_numpy(dtype=float)
        share = (np.column_stack([profiles.column(name) for name in group["profile"]]) * mw).sum(axis=1) / mw.sum()
        if character == "nuclear":
            yield Row("nuclear: availability, year", 0.89, float(share.mean()), 0.86, 0.92, "Tianwan 51-52 TWh a year")
            continue
        yield Row(
            f"{character}: availability, year",
            0.90,
            float(share.mean()),
            0.85,
            0.94,
            "25-30 d planned, 3-4 % forced [K]",
        )
        if mw.sum() > 5000.0:  # few units: chance rules
            summer = float(share[np.isin(month, (6, 7))].mean())
            yield Row(
                f"{character}: availability, July and August", 0.96, summer, 0.93, 0.99, "0.94-0.96 at the summer peak"
            )
    yield from _margin_rows(profiles, units[units["character"].isin(("coal", "gas"))])


def _need_row(
    profiles: Profiles, sites: "pd.DataFrame", net_import_mw: NDArray[np.float64], month: NDArray[np.int64]
) -> Row:
    """Do imports follow what is lacking? Of daily maxima, less the means of their months."""
    lacking = np.sum([profiles.column(f"load/{city}") for city in CITIES], axis=0)
    for row in sites[sites["kind"].isin(("wind_offshore", "wind_onshore", "pv"))].itertuples():
        if profiles.has(str(row.profile)):
            lacking = lacking - profiles.column(str(row.profile)) * float(row.rated_mw)
    days = np.column_stack([values.reshape(-1, 24).max(axis=1) for values in (lacking, net_import_mw)])
    of_day = month[::24]
    for m in range(12):
        days[of_day == m] -= days[of_day == m].mean(axis=0)
    found = float(np.corrcoef(days.T)[0, 1])
    return Row("ties: correlation of import and need, by days inside months", 0.85, found, 0.65, 1.0, "schedules [K]")


def _margin_rows(profiles: Profiles, units: "pd.DataFrame") -> Iterator[Row]:
    """Is maintenance levelled? Only for a fleet about as large as the one that is planned."""
    mw = (units["rated_mw"] * units["units"]).to_numpy(dtype=float)
    if not 95_000.0 < mw.sum() < 105_000.0:
        return
    available = (np.column_stack([profiles.column(name) for name in units["profile"]]) * mw).sum(axis=1)
    daily = available.reshape(-1, 24).mean(axis=1)
    margin = (daily - expected_need_mw(len(daily))) / 1e3
    day = np.arange(len(daily)) - (len(daily) - 365)
    for season, (first, last) in zip(("spring", "autumn"), OUTAGES["coal"].windows, strict=True):
        least = float(margin[(day >= first) & (day < last)].min())
        source = "levelled maintenance; nuclear, biomass and storage come on top [K]"
        yield Row(f"coal and gas: least margin over the expected need, {season} [GW]", 0.0, least, -4.0, 4.0, source)


def temperature_rows(profiles: Profiles, month: NDArray[np.int64]) -> Iterator[Row]:
    names = [f"temperature/{city}" for city in CITIES if profiles.has(f"temperature/{city}")]
    if not names:
        return
    values = np.column_stack([profiles.column(name) for name in names])
    source = "CSWD + 0.7 K"
    means = values.mean(axis=0)
    yield Row("temperature: coldest city, year [degC]", 14.7, float(means.min()), 13.5, 17.0, source)
    yield Row("temperature: warmest city, year [degC]", 16.5, float(means.max()), 14.5, 18.0, source)
    january, july = (values[month == m].mean() for m in (0, 6))
    yield Row("temperature: January, mean of cities [degC]", 2.7, float(january), -1.0, 6.0, source)
    yield Row("temperature: July, mean of cities [degC]", 28.2, float(july), 26.2, 31.0, source)
    spread = values.reshape(-1, 24, len(names))
    daily = float((spread.max(axis=1) - spread.min(axis=1)).mean())
    yield Row("temperature: daily range, mean [K]", 8.0, daily, 5.0, 11.0, "CSWD: 5-11 K")
