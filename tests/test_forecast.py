"""Forecasts: their errors are as large, as alike and as lasting as asked for, and known by seed, hour and zone only."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_grid import tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.case import Case
from gridsim.forecast import Error, Forecasts, correlation, variance, weights
from gridsim.scenario import load

WIND, SUN, LOAD = Error(0.03, 0.10, 200.0), Error(0.03, 0.08, 300.0), Error(0.005, 0.015, 500.0)
ERRORS = {"wind": WIND, "pv": SUN, "load": LOAD}


@pytest.fixture(scope="module")
def year() -> Case:
    return assemble(load("jiangsu-2024"))


def errors_of(case: Case, forecasts: Forecasts, lead_h: int, ahead: int) -> dict[str, np.ndarray]:
    """Errors of every hour in the middle of a window, `ahead` hours after its forecast was made, in p.u."""
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in ERRORS}
    size = case.sources["p_nom_mw"].to_numpy(float)
    hour = ahead - lead_h - 1
    for t0 in range(0, case.steps - hour - 1, 5):
        forecasts.issue(t0, hour + 1)
        at = t0 + hour
        off = (forecasts.case.source_max_mw[at] - case.source_max_mw[at]) / np.maximum(size, 1e-9)
        found["wind"].append(off[forecasts.rows["wind"]])
        found["pv"].append(off[forecasts.rows["pv"]])
        there = np.maximum(case.load_mw[at], 1e-9)
        found["load"].append((forecasts.case.load_mw[at] - case.load_mw[at]) / there)
    return {kind: np.array(values) for kind, values in found.items()}


def test_weights_add_up_to_the_variance() -> None:
    w = weights(WIND, 48)
    ahead = np.arange(1.0, 49.0)
    np.testing.assert_allclose(np.cumsum(w**2), variance(WIND, ahead), rtol=1e-12)
    assert np.sqrt(variance(WIND, np.array([1.0, 24.0]))) == pytest.approx([0.03, 0.10])


def test_errors_of_a_year_are_as_large_as_asked(year: Case) -> None:
    """Of wind, sun and load, a day ahead and an hour ahead."""
    day = errors_of(year, Forecasts(year, ERRORS, 1, 12), 12, 24)
    wind, load_ = (np.sqrt((day[kind] ** 2).mean()) for kind in ("wind", "load"))
    assert wind == pytest.approx(WIND.far, rel=0.06)
    assert load_ == pytest.approx(LOAD.far, rel=0.06)
    shining = np.abs(day["pv"]) > 0
    assert np.sqrt((day["pv"][shining] ** 2).mean()) == pytest.approx(SUN.far, rel=0.25)
    soon = errors_of(year, Forecasts(year, ERRORS, 1, 0), 0, 1)
    assert np.sqrt((soon["load"] ** 2).mean()) == pytest.approx(LOAD.near, rel=0.06)
    assert np.sqrt((soon["wind"] ** 2).mean()) < 0.5 * wind


@pytest.mark.parametrize("quantile", [0.9, 0.99])
def test_net_load_exceeds_its_quantile_as_often_as_asked(year: Case, quantile: float) -> None:
    """Over a year of windows of a day, about 1 - q of the hours."""
    forecasts = Forecasts(year, ERRORS, 1, 12)
    beyond, hours = 0, 0
    for t0 in range(0, year.steps - 24, 24):
        at = slice(t0, t0 + 24)
        forecasts.issue(t0, 24)
        case = forecasts.case
        off = (year.load_mw[at] - case.load_mw[at]).sum(axis=1)
        off -= (year.source_max_mw[at] - case.source_max_mw[at]).sum(axis=1)
        short = forecasts.short_mw(t0, 24, quantile)
        assert (short >= 0).all()
        beyond += int((off > short).sum())
        hours += 24
    assert 0.5 * (1 - quantile) < beyond / hours < 2.0 * (1 - quantile)  # what errs is alike for hours


def test_the_quantile_of_one_zone_by_hand(tmp_path: Path) -> None:
    """Load alone: 1.2816 times the standard deviation of so many hours ahead, of what is believed."""
    case = assemble(write_grid(tmp_path, tiny_grid(), horizon={"hours": 48}))
    case.buses["zone"] = case.loads["zone"] = "one"
    none = Error(0.0, 0.0, 1.0)
    forecasts = Forecasts(case, {"wind": none, "pv": none, "load": LOAD}, 3, 5)
    forecasts.issue(24, 12)
    deviation = np.sqrt(variance(LOAD, np.arange(6.0, 18.0)))
    believed = forecasts.case.load_mw[24:36].sum(axis=1)
    np.testing.assert_allclose(forecasts.short_mw(24, 12, 0.9), 1.2815516 * deviation * believed, rtol=1e-6)


def test_no_sun_is_believed_at_night(year: Case) -> None:
    forecasts = Forecasts(year, ERRORS, 1, 12)
    forecasts.issue(0, 48)
    rows = forecasts.rows["pv"]
    night = np.isin(np.arange(48) % 24, (0, 1, 2, 3, 22, 23))
    assert not forecasts.case.source_max_mw[:48][night][:, rows].any()
    assert (forecasts.case.source_max_mw[:48][:, rows] >= 0.0).all()


def test_a_later_forecast_keeps_what_is_still_unknown(year: Case) -> None:
    """A martingale: what changes from one forecast to the next has nothing to do with what stays."""
    forecasts = Forecasts(year, {**ERRORS, "wind": Error(0.0, 0.0, 1.0), "pv": Error(0.0, 0.0, 1.0)}, 1, 0)
    early, late = [], []
    for t0 in range(0, 8000, 7):
        forecasts.issue(t0, 30)
        early.append(forecasts.case.load_mw[t0 + 29, 0] / year.load_mw[t0 + 29, 0] - 1.0)
        forecasts.issue(t0 + 24, 6)
        late.append(forecasts.case.load_mw[t0 + 29, 0] / year.load_mw[t0 + 29, 0] - 1.0)
    update, left = np.array(early) - np.array(late), np.array(late)
    assert abs(np.corrcoef(update, left)[0, 1]) < 0.08
    assert np.var(early) == pytest.approx(np.var(update) + np.var(left), rel=0.1)
    assert np.var(left) < 0.8 * np.var(early)


def test_near_zones_err_alike(year: Case) -> None:
    day = errors_of(year, Forecasts(year, ERRORS, 1, 12), 12, 24)["load"]
    zone = year.loads["zone"].astype(str).to_numpy()
    first = {name: int(np.flatnonzero(zone == name)[0]) for name in ("Suzhou", "Wuxi", "Lianyungang")}
    near = np.corrcoef(day[:, first["Suzhou"]], day[:, first["Wuxi"]])[0, 1]
    far = np.corrcoef(day[:, first["Suzhou"]], day[:, first["Lianyungang"]])[0, 1]
    assert near > far + 0.1
    assert near > 0.7


def test_correlation_by_distance() -> None:
    """A degree of latitude is 111.2 km; a place that is not known goes with nothing."""
    like = correlation(np.array([32.0, 33.0, np.nan]), np.array([120.0, 120.0, 120.0]), 111.2)
    assert like[0, 1] == pytest.approx(np.exp(-1.0), rel=1e-3)
    np.testing.assert_array_equal(like[2], [0.0, 0.0, 1.0])


def test_only_seed_hour_and_zone_count(tmp_path: Path) -> None:
    case = assemble(write_grid(tmp_path, tiny_grid(), horizon={"hours": 96}))
    several = [Forecasts(case, ERRORS, seed, 6) for seed in (3, 3, 4)]
    for one in several:
        one.issue(24, 48)
    np.testing.assert_array_equal(several[0].case.load_mw, several[1].case.load_mw)
    assert np.abs(several[0].case.load_mw - several[2].case.load_mw).max() > 1.0
    again = Forecasts(case, ERRORS, 3, 6)
    again.issue(0, 48)  # another window was issued before: nothing of it is left
    again.issue(24, 48)
    np.testing.assert_array_equal(several[0].case.load_mw[24:72], again.case.load_mw[24:72])
    turned = replace(case, loads=case.loads[::-1].reset_index(drop=True), load_mw=case.load_mw[:, ::-1].copy())
    other = Forecasts(turned, ERRORS, 3, 6)
    other.issue(24, 48)
    # what is not known of a zone depends on where it is, not on the order of its loads
    np.testing.assert_allclose(other.case.load_mw[24:72, ::-1], again.case.load_mw[24:72], rtol=1e-12)
