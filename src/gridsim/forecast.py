"""What is believed about the hours ahead: forecasts of load, wind and sun whose errors grow with the time ahead.

A forecast of hour t made at the end of hour s is off by ::

    e(s, t) = sum over u = s+1 .. t of  w(t - u) x_u,      w(l)^2 = v(l + 1) - v(l)                       (1)

where x_u is what becomes known in hour u: a standard normal of each zone, independent from hour to hour, correlated
from zone to zone by ``exp(-distance / correlation_km)``; v(l) is the variance of a forecast l hours ahead, v(0) = 0 ::

    v(l) = near^2 + (far^2 - near^2) (1 - exp(-(l - 1) / TAU_H)) / (1 - exp(-23 / TAU_H)),     l >= 1     (2)

with the errors `near` one hour ahead and `far` 24 hours ahead. So a forecast made later keeps of an earlier one what is
still not known, errors of neighbouring hours are alike, and v is exact (a martingale of forecasts; Heath and Jackson,
IIE Transactions 26, 1994). What is known in an hour depends on the seed, the hour and the zones only.

Wind: e times the installed capacity, larger in the middle of the power curve than at its ends. Sun: likewise, times the
most that the sun gave at that hour of the day in the days around. Load: e times the load. The errors of wind and sun
are scaled so that those of the whole year, 24 hours ahead, have the root mean square that is asked for.

What a window should be able to make up for, at a quantile q of the standard normal z (`Forecasts.short_mw`) ::

    m(t)^2 = sum over kinds of  m_k' C_k m_k,     m_kz = z sqrt(v(l)) times the MW of an error of 1 in zone z     (3)

of every source at most what is believed of it: no more can be missing. Where on the power curve farms are is taken from
what is believed less what may be missing: nothing is known that a forecast would not know.
"""

from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.schema import WEATHER_TECHS

TAU_H = 9.0  # how fast a forecast becomes worse
EARTH_KM = 6371.0
MIDDLE = 0.35  # error of a wind farm at rest or at its rating, of the one in the middle
AROUND_DAYS = 7  # before and after: the most that the sun gives at an hour of the day
TURNS = 6  # of scaling: what is cut off at nothing and at the capacity has to be made up for
KINDS = ("wind", "pv", "load")


class Error(NamedTuple):
    """Root mean square of the errors of one kind: of wind and sun over the capacity, of load over the load."""

    near: float  # one hour ahead
    far: float  # 24 hours ahead
    correlation_km: float  # distance at which zones are still correlated by 1/e


def variance(error: Error, ahead_h: FloatArray) -> FloatArray:
    """Equation (2)."""
    grown = (1.0 - np.exp(-(ahead_h - 1.0) / TAU_H)) / (1.0 - np.exp(-23.0 / TAU_H))
    v: FloatArray = np.where(ahead_h >= 1.0, error.near**2 + (error.far**2 - error.near**2) * grown, 0.0)
    return v


def weights(error: Error, hours: int) -> FloatArray:
    """w(0) .. w(hours - 1) of equation (1)."""
    w: FloatArray = np.sqrt(np.diff(variance(error, np.arange(hours + 1.0))))
    return w


def correlation(lat_deg: FloatArray, lon_deg: FloatArray, km: float) -> FloatArray:
    """(zones, zones) by great-circle distance; a zone without a place is correlated with no other."""
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    half = np.sin(0.5 * (lat[:, None] - lat)) ** 2
    half = half + np.cos(lat[:, None]) * np.cos(lat) * np.sin(0.5 * (lon[:, None] - lon)) ** 2
    distance = 2.0 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
    out = np.exp(-distance / km)
    out = np.where(np.isfinite(out), out, 0.0)
    np.fill_diagonal(out, 1.0)
    return out


class _Kind:
    """Errors of one kind, in every zone that has some of it."""

    def __init__(self, case: Case, error: Error, zones: list[str], seed: int, number: int, lead_h: int, hours: int):
        self.error, self.zones, self.lead_h = error, zones, lead_h
        of_zone = case.buses.groupby(case.buses["zone"].astype(str))[["lat_deg", "lon_deg"]].mean().reindex(zones)
        at = of_zone["lat_deg"].to_numpy(float), of_zone["lon_deg"].to_numpy(float)
        self.like = correlation(*at, error.correlation_km)
        # one stream a zone: what is known of a zone does not depend on which others there are
        of_hour = [
            np.random.default_rng([seed, number, *zone.encode()]).standard_normal(hours + lead_h + 1) for zone in zones
        ]
        known = np.array(of_hour).reshape(len(zones), -1).T
        self.known = known @ _root(self.like).T  # (lead_h + 1 + hours, zones); row lead_h + 1 + u is hour u
        self.w = weights(error, hours + lead_h + 1)

    def ahead(self, t0: int, hours: int) -> FloatArray:
        """(hours, zones) errors of a forecast of the hours from `t0`, made `lead_h` hours before."""
        first = t0 - self.lead_h  # the first hour of which nothing is known
        seen = self.known[first + self.lead_h + 1 : t0 + hours + self.lead_h + 1]
        t = np.arange(hours)[:, None] + self.lead_h
        u = np.arange(hours + self.lead_h)[None, :]
        lower = np.where(t >= u, self.w[np.maximum(t - u, 0)], 0.0)
        out: FloatArray = lower @ seen
        return out

    def always(self, ahead_h: int, hours: int) -> FloatArray:
        """(hours, zones) errors of every hour, each forecast `ahead_h` hours ahead."""
        out = np.zeros((hours, len(self.zones)))
        for back in range(min(ahead_h, self.lead_h + 1)):
            out += self.w[back] * self.known[self.lead_h + 1 - back : self.lead_h + 1 - back + hours]
        return out


def _root(like: FloatArray) -> FloatArray:
    """A square root of a correlation matrix that may have lost a hair of its definiteness; symmetric: no zone leads."""
    value, vector = np.linalg.eigh(like)
    out: FloatArray = (vector * np.sqrt(np.maximum(value, 0.0))) @ vector.T
    return out


def _on_curve(share: FloatArray) -> FloatArray:
    """Error of a wind farm that gives this share of its rating, over that in the middle of the power curve."""
    at = np.clip(share, 0.0, 1.0)
    out: FloatArray = MIDDLE + (1.0 - MIDDLE) * 4.0 * at * (1.0 - at)
    return out


class Forecasts:
    """The case as it is believed to be: `issue` writes what is believed of a window into `case`."""

    def __init__(self, case: Case, errors: dict[str, Error], seed: int, lead_h: int):
        self.actual = case
        self.case = replace(
            case,
            load_mw=case.load_mw.copy(),
            source_max_mw=case.source_max_mw.copy(),
            source_min_mw=case.source_min_mw.copy(),
        )
        self.per_hour = case.steps_per_hour
        hours = case.steps // self.per_hour
        tech = case.sources["tech"].astype(str).to_numpy()
        weather = np.isin(tech, WEATHER_TECHS)
        self.rows: dict[str, IntArray] = {
            "wind": np.flatnonzero(weather & (tech != "pv")),
            "pv": np.flatnonzero(weather & (tech == "pv")),
            "load": np.arange(len(case.loads)),
        }
        self.kinds: dict[str, _Kind] = {}
        self.zone_of: dict[str, IntArray] = {}
        self.scale: dict[str, FloatArray] = {}  # (steps, rows) MW of an error of 1
        self.wind_mw = np.zeros(self.rows["wind"].size)  # that in the middle of the power curve
        reach = max(lead_h, 24)  # errors 24 hours ahead are scaled, whatever the time ahead of the plan
        for number, kind in enumerate(KINDS):
            table = case.loads if kind == "load" else case.sources.iloc[self.rows[kind]]
            zone = table["zone"].astype(str).to_numpy()
            zones = sorted(set(zone.tolist()))
            if not zones or errors[kind].far <= 0.0:
                continue
            self.kinds[kind] = _Kind(case, errors[kind], zones, seed, number, lead_h, hours)
            self.zone_of[kind] = np.searchsorted(zones, zone).astype(np.int64)
            self.scale[kind] = self._scale(kind, _Kind(case, errors[kind], zones, seed, number, reach, hours))

    @classmethod
    def of_series(cls, actual: Case, believed: Case) -> "Forecasts":
        """Forecasts that are series of their own, whatever the time ahead: what `believed` has."""
        out = cls(actual, dict.fromkeys(KINDS, Error(0.0, 0.0, 1.0)), 0, 0)
        out.case = believed
        return out

    def _scale(self, kind: str, reach: _Kind) -> FloatArray:
        case, rows = self.actual, self.rows[kind]
        if kind == "load":
            return case.load_mw
        most = case.source_max_mw[:, rows]
        size = np.maximum(case.sources["p_nom_mw"].to_numpy(float)[rows], 1e-9)
        if kind == "wind":
            shape = _on_curve(most / size)
        else:
            shape = self._sun(most / size)
        error = reach.always(24, case.steps // self.per_hour)
        error = np.repeat(error, self.per_hour, axis=0)[:, self.zone_of[kind]]
        counts = shape > 0.02  # night is no forecast
        factor = np.ones(rows.size)
        for _ in range(TURNS):
            off = np.clip(most + error * shape * factor * size, 0.0, np.maximum(size, most)) - most
            got = np.sqrt((np.where(counts, off / size, 0.0) ** 2).sum(axis=0) / np.maximum(counts.sum(axis=0), 1))
            factor *= np.clip(self.kinds[kind].error.far / np.maximum(got, 1e-12), 0.5, 2.0)
        if kind == "wind":
            self.wind_mw = factor * size
        out: FloatArray = shape * factor * size
        return out

    def _sun(self, share: FloatArray) -> FloatArray:
        """(steps, rows) most that the sun gave at the hour of the day in the days around."""
        day = 24 * self.per_hour
        days = -(-len(share) // day)
        padded = np.zeros((days * day, share.shape[1]))
        padded[: len(share)] = share
        by_day = padded.reshape(days, day, -1)
        out = np.stack(
            [by_day[max(0, d - AROUND_DAYS) : d + AROUND_DAYS + 1].max(axis=0) for d in range(days)]
        ).reshape(days * day, -1)
        return out[: len(share)]

    def short_mw(self, t0: int, steps: int, quantile: float) -> FloatArray:
        """(steps,) by how much net load may exceed what was issued for the steps from `t0`: equation (3). [MW]"""
        case, z = self.case, NormalDist().inv_cdf(quantile)
        first, last = t0 // self.per_hour, -(-(t0 + steps) // self.per_hour)
        hours, ahead = np.arange(first, last), np.arange(last - first, dtype=np.float64)
        square = np.zeros(hours.size)
        for kind, errors in self.kinds.items():
            off = z * np.sqrt(variance(errors.error, ahead + (errors.lead_h + 1.0)))[:, None]
            at = hours * self.per_hour
            if kind == "load":
                missing = off * case.load_mw[at]
            else:
                believed = case.source_max_mw[np.ix_(at, self.rows[kind])]
                missing = self._less_wind(believed, off) if kind == "wind" else off * self.scale[kind][at]
                missing = np.minimum(missing, believed)
            of_zone = missing @ np.eye(len(errors.zones))[self.zone_of[kind]]
            square += ((of_zone @ errors.like) * of_zone).sum(axis=1)
        out: FloatArray = np.repeat(np.sqrt(square), self.per_hour)[t0 - first * self.per_hour :][:steps]
        return out

    def _less_wind(self, believed: FloatArray, off: FloatArray) -> FloatArray:
        """(hours, rows) what may be missing of farms at an error of `off`, whose size is that of what comes. [MW]"""
        size = np.maximum(self.case.sources["p_nom_mw"].to_numpy(float)[self.rows["wind"]], 1e-9)
        missing = np.zeros_like(believed)
        for _ in range(TURNS):
            missing = np.maximum(missing, off * self.wind_mw * _on_curve((believed - missing) / size))
        return missing

    def issue(self, t0: int, steps: int) -> None:
        """Write into `case` what is believed of the steps from `t0` when their window is planned."""
        case, actual, at = self.case, self.actual, slice(t0, t0 + steps)
        first, last = t0 // self.per_hour, -(-(t0 + steps) // self.per_hour)
        for kind, errors in self.kinds.items():
            error = np.repeat(errors.ahead(first, last - first), self.per_hour, axis=0)
            error = error[t0 - first * self.per_hour :][:steps][:, self.zone_of[kind]]
            off = error * self.scale[kind][at]
            if kind == "load":
                case.load_mw[at] = np.where(actual.load_mw[at] > 0.0, np.maximum(actual.load_mw[at] + off, 0.0),
                                            actual.load_mw[at])  # fmt: skip
                continue
            rows = self.rows[kind]
            size = case.sources["p_nom_mw"].to_numpy(float)[rows]
            most = actual.source_max_mw[at][:, rows]
            believed = np.clip(most + off, 0.0, np.maximum(size, most))
            case.source_max_mw[at, rows] = believed
            case.source_min_mw[at, rows] = np.minimum(actual.source_min_mw[at][:, rows], believed)
