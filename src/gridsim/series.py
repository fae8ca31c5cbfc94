"""The series of a case, step by step: loads, bounds of sources, available units, inflows; the units on at the start."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.element_rows import Elements, SourceSpec
from gridsim.errors import Problem
from gridsim.kernels.jit import FloatArray
from gridsim.nettable import say
from gridsim.resample import held, joined

_SHARE_TOLERANCE = 1e-4  # shares written with four digits still add up
_PU_LIMIT = 1.5  # a p.u. series above this is in percent, kW or MW
_EXTERNAL_MARGIN = 1.5  # bound of an ext_grid without max_p_mw, times the peak load
_INITIAL_MARGIN = 1.05  # capacity on before the first hour, times its net load
# loads that do not follow the scenario's [scale] load: they are not consumption of the area
_NOT_SCALED = frozenset({"dcline", "storage", "sgen"})


class Series(NamedTuple):
    """One series over the horizon, and its unit ("1": of the element's rated power; "MW")."""

    values: FloatArray  # (n,) on the steps of the run; made from hours by `resample.sloped`
    unit: str
    hourly: FloatArray | None = None  # (hours + 2,) what it was made from; None: it came on the steps of the run
    per_hour: int = 1

    def by(self, rule: Callable[[FloatArray, int], FloatArray]) -> "Series":
        """The same hours on the steps of the run by another rule of `gridsim.resample`."""
        return self if self.hourly is None else self._replace(values=rule(self.hourly, self.per_hour))


class SeriesReader:
    """Looks series up, and collects what is wrong with those that elements use."""

    def __init__(
        self, series: Mapping[str, Series], start: np.datetime64, hours: int, complete: bool = True, per_hour: int = 1
    ):
        self.series, self.start, self.complete = series, start, complete
        self.steps, self.per_hour = hours * per_hour, per_hour
        self.problems: list[Problem] = []
        self._reported: set[tuple[str, str]] = set()

    def get(self, name: str, element: str) -> Series | None:
        """The series that `element` names, None (and a problem) if it is missing or has gaps."""
        found = self.series.get(name)
        if found is None and not self.complete:
            return None
        if found is None:
            close = get_close_matches(name, self.series, n=1, cutoff=0.8)
            hint = f" (did you mean '{close[0]}'?)" if close else ""
            self.problems.append(Problem(f"profile {name}", f"is missing: {element} needs it{hint}"))
            return None
        bad = ~np.isfinite(found.values)
        if bad.any():
            count = int(bad.sum())
            self.complain(name, bad, f"must be finite: {count} of {self.steps} {self.called} are not", found.values)
            return None
        if found.unit not in ("1", "MW"):
            self.once(name, f"must be in MW or p.u. ('1') to drive {element}: it is in '{found.unit}'")
            return None
        return found

    def share(self, name: str, element: str) -> FloatArray | None:
        """A series in p.u. from 0 to 1 that `element` names, (n,); None as for `get`."""
        series = self.get(name, element)
        if series is None:
            return None
        bad = (series.values < -1e-9) | (series.values > 1 + 1e-9)
        if series.unit != "1":
            self.once(name, f"must be p.u. ('1') for {element}: it is in '{series.unit}'")
        elif bad.any():
            self.complain(name, bad, f"must be from 0 to 1 for {element}", series.values)
        return np.clip(series.values, 0.0, 1.0)

    def complain(self, name: str, bad: NDArray[np.bool_], rule: str, values: FloatArray) -> None:
        """One problem naming the first step where `bad` holds."""
        t = int(np.flatnonzero(bad)[0])
        self.once(name, f"{rule} (first at {self.stamp(t)}: {say(float(values[t]))})")

    def once(self, name: str, rule: str) -> None:
        if (name, rule) not in self._reported:  # several elements may share one series
            self._reported.add((name, rule))
            self.problems.append(Problem(f"profile {name}", rule))

    @property
    def called(self) -> str:
        return "hours" if self.per_hour == 1 else "steps"

    def stamp(self, t: int) -> str:
        if self.per_hour == 1:
            return str(self.start + np.timedelta64(t, "h"))
        return str(self.start.astype("datetime64[m]") + np.timedelta64(t * 60 // self.per_hour, "m"))


def who(row: Mapping[Any, Any]) -> str:
    """An element in a message."""
    return f"{row['element']} {row['element_index']} '{row['name']}'"


def load_series(elements: Elements, reader: SeriesReader, factor: float) -> FloatArray:
    """Consumption of every load, (n, nl), >= 0. [MW]"""
    out = np.zeros((reader.steps, len(elements.loads)))
    shares: dict[str, float] = {}
    for j, (row, spec) in enumerate(zip(elements.loads, elements.load_specs, strict=True)):
        scale = 1.0 if row["element"] in _NOT_SCALED else factor
        if not spec.profile:
            out[:, j] = spec.p_mw * scale
            continue
        series = reader.get(spec.profile, who(row))
        if series is None:
            continue
        if (series.values < 0).any():
            reader.complain(spec.profile, series.values < 0, "must not be negative as a load", series.values)
        if series.unit == "MW":
            shares[spec.profile] = shares.get(spec.profile, 0.0) + spec.share
            out[:, j] = series.values * (spec.share * spec.scaling * scale)
        else:
            _check_pu(reader, spec.profile, series)
            out[:, j] = series.values * (spec.p_mw * spec.scaling * scale)
    for name, total in shares.items():
        if abs(total - 1.0) > _SHARE_TOLERANCE:
            reader.problems.append(
                Problem(
                    "load.profile_share", f"must add up to 1 for every profile: '{name}' has {total:.6g} in service"
                )
            )
    _check_loads(elements, reader, out)
    return out


def _check_loads(elements: Elements, reader: SeriesReader, load_mw: FloatArray) -> None:
    for j in np.flatnonzero((load_mw < 0).any(axis=0)):
        row, spec = elements.loads[j], elements.load_specs[j]
        if spec.profile and spec.p_mw < 0:
            text = f"must not be negative with a profile: {who(row)} has {say(spec.p_mw)} MW (use an sgen)"
            reader.problems.append(Problem("load.p_mw", text))


def _check_pu(reader: SeriesReader, name: str, series: Series) -> None:
    big = np.abs(series.values) > _PU_LIMIT
    if big.any():
        rule = f"must be p.u. of the rated power, within -{_PU_LIMIT} to {_PU_LIMIT} (is it in percent, kW or MW?)"
        reader.complain(name, big, rule, series.values)


def source_bounds(elements: Elements, reader: SeriesReader, peak_load_mw: float) -> tuple[FloatArray, FloatArray]:
    """Least and most of every source, two (n, ns). [MW]

    With a series s (p.u. x max_p_mw, or MW x profile_share), the upper bound is s, and the lower bound

    * with band_down b: s (1 - b) where s > 0, s where it is not (an export is not cut);
    * if curtailable: the smaller of min_p_mw and s;
    * else s: a schedule.
    """
    n, ns = reader.steps, len(elements.sources)
    low, high = np.zeros((n, ns)), np.zeros((n, ns))
    shares: dict[str, float] = {}
    for j, (row, spec) in enumerate(zip(elements.sources, elements.source_specs, strict=True)):
        if spec.kind == "range":
            top = spec.high_mw if np.isfinite(spec.high_mw) else _EXTERNAL_MARGIN * peak_load_mw
            low[:, j], high[:, j] = min(spec.low_mw, top), top
            row["p_nom_mw"] = top if not np.isfinite(row["p_nom_mw"]) else row["p_nom_mw"]
            continue
        series = reader.get(spec.profile, who(row))
        if series is None:
            continue
        if np.isfinite(row["ramp_mw_per_h"]):
            series = series.by(joined)
        if series.unit == "MW":
            shares[spec.profile] = shares.get(spec.profile, 0.0) + spec.share
            schedule = series.values * (spec.share * spec.factor)
        else:
            _check_pu(reader, spec.profile, series)
            schedule = series.values * spec.high_mw
        _check_sign(reader, row, spec, schedule)
        high[:, j] = schedule
        low[:, j] = _lower_bound(spec, schedule)
        if np.isfinite(row["ramp_mw_per_h"]):
            _check_ramp(reader, row, spec, low[:, j], high[:, j])
    for name, total in shares.items():
        if total > 1.0 + _SHARE_TOLERANCE:
            reader.once(name, _shared(total, "sources"))
    return low, high


def _shared(total: float, what: str) -> str:
    rule = f"must not be shared out more than once: it is in MW, and its shares on {what} add up to {total:.6g}"
    return f"{rule}; give it in p.u., or the elements a profile_share"


def own_limits(
    elements: Elements, low: FloatArray, high: FloatArray, load_mw: FloatArray, reader: SeriesReader
) -> tuple[FloatArray, FloatArray]:
    """What the rows' own connections leave of `high` (n, ns), and what they cut. [MW]

    A row with `reverse_limit_mw` gives at most so much beyond its part of the load at its bus, which rows with such a
    limit share by their capacity.
    """
    left, rows, specs = high.copy(), elements.sources, elements.source_specs
    hosted = [j for j, spec in enumerate(specs) if np.isfinite(spec.reverse_limit_mw)]
    capacity: dict[int, float] = {}
    for j in hosted:
        bus = int(rows[j]["bus_row"])
        capacity[bus] = capacity.get(bus, 0.0) + max(float(rows[j]["p_nom_mw"]), 1e-9)
    load_bus = np.array([row["bus_row"] for row in elements.loads], dtype=np.int64)
    for j in hosted:
        bus = int(rows[j]["bus_row"])
        share = max(float(rows[j]["p_nom_mw"]), 1e-9) / capacity[bus]
        local = load_mw[:, load_bus == bus].sum(axis=1) * share
        left[:, j] = np.minimum(left[:, j], local + specs[j].reverse_limit_mw)
    for j, spec in enumerate(specs):
        export_mw = _export_limit(rows[j], spec, reader)
        left[:, j] = np.maximum(np.minimum(left[:, j], export_mw), np.minimum(low[:, j], high[:, j]))
    return left, high - left


def _export_limit(row: Mapping[Any, Any], spec: SourceSpec, reader: SeriesReader) -> FloatArray | float:
    """What a row's own connection takes, in each step where a series says. [MW]"""
    limited = spec.export_profile and np.isfinite(spec.export_limit_mw)
    share = reader.share(spec.export_profile, who(row)) if limited else None
    return spec.export_limit_mw if share is None else share * spec.export_limit_mw


def unit_range(elements: Elements, reader: SeriesReader) -> tuple[FloatArray, FloatArray]:
    """Least and most of ONE unit on, two (n, nu): its limits, and those that heat leaves. [MW]"""
    ends = np.array([[row["p_min_mw"], row["p_max_mw"]] for row in elements.units], dtype=np.float64).reshape(-1, 2)
    floor, ceiling = (np.tile(end, (reader.steps, 1)) for end in ends.T)
    for j, (row, spec) in enumerate(zip(elements.units, elements.unit_specs, strict=True)):
        for profile, out in ((spec.heat_min_profile, floor), (spec.heat_max_profile, ceiling)):
            share = reader.share(profile, who(row)) if profile else None
            if share is not None:
                out[:, j] = np.clip(share * row["p_max_mw"], row["p_min_mw"], row["p_max_mw"])
        crossed = floor[:, j] > ceiling[:, j] * (1 + 1e-9)
        if crossed.any():
            rule = f"must not be above heat_max_profile for {who(row)}"
            reader.complain(spec.heat_min_profile or spec.heat_max_profile, crossed, rule, floor[:, j])
    return floor, np.maximum(floor, ceiling)


def _lower_bound(spec: SourceSpec, schedule: FloatArray) -> FloatArray:
    if np.isfinite(spec.band_down):
        return np.where(schedule > 0, schedule * (1.0 - spec.band_down), schedule)
    if spec.curtailable:
        return np.minimum(spec.low_mw, schedule)
    return schedule


def _check_sign(reader: SeriesReader, row: Mapping[str, object], spec: SourceSpec, schedule: FloatArray) -> None:
    if row["tech"] != "exchange" and spec.low_mw >= 0 and (schedule < 0).any():
        rule = f"must not be negative for {who(row)} (only an exchange, or a row with min_p_mw below 0, takes power)"
        reader.complain(spec.profile, schedule < 0, rule, schedule)


def _check_ramp(
    reader: SeriesReader, row: Mapping[str, object], spec: SourceSpec, low: FloatArray, high: FloatArray
) -> None:
    """Both bounds must move no faster than the ramp limit: then every output between them can be continued."""
    limit = float(row["ramp_mw_per_h"])  # type: ignore[arg-type]
    for bound in (high, low):
        step = np.diff(bound)
        bad = np.abs(step) > limit / reader.per_hour * (1 + 1e-9) + 1e-9
        if bad.any():
            t = int(np.flatnonzero(bad)[0])
            rule = (
                f"must not step faster than the ramp limit of {limit:.6g} MW/h of {who(row)}: {int(bad.sum())} "
                f"{reader.called} do (first at {reader.stamp(t + 1)}: {bound[t]:.6g} to {bound[t + 1]:.6g} MW)"
            )
            reader.once(spec.profile, rule)
            return


def units_available(elements: Elements, reader: SeriesReader) -> NDArray[np.int64]:
    """Units of every row that are not on planned outage, (n, nu): the share of the series x units, rounded."""
    out = np.zeros((reader.steps, len(elements.units)), dtype=np.int64)
    for j, (row, spec) in enumerate(zip(elements.units, elements.unit_specs, strict=True)):
        out[:, j] = row["units"]
        if not spec.profile:
            continue
        series = reader.get(spec.profile, who(row))
        if series is None:
            continue
        series = series.by(held)
        bad = (series.values < -1e-9) | (series.values > 1 + 1e-9)
        if series.unit != "1" or bad.any():
            if bad.any():
                rule = f"must be the share of available units, 0 to 1, for {who(row)}"
                reader.complain(spec.profile, bad, rule, series.values)
            else:
                reader.once(spec.profile, f"must be p.u. ('1') as the availability of {who(row)}")
            continue
        out[:, j] = np.floor(series.values * row["units"] + 0.5).astype(np.int64)
    return out


def check_initial_on(elements: Elements, reader: SeriesReader, available: NDArray[np.int64]) -> None:
    """Units on before the first hour must be available in it: an outage that begins then is in the state already."""
    for j, (row, spec) in enumerate(zip(elements.units, elements.unit_specs, strict=True)):
        if spec.initial_on is not None and available[0, j] < spec.initial_on <= row["units"]:
            text = f"must be at most the units available in the first hour: {who(row)} has {spec.initial_on} of "
            reader.problems.append(Problem(f"{row['element']}.initial_on", f"{text}{available[0, j]}"))


def store_inflow(elements: Elements, reader: SeriesReader) -> FloatArray:
    """Natural inflow into every store, (n, nst), >= 0. [MW]"""
    out = np.zeros((reader.steps, len(elements.stores)))
    shares: dict[str, float] = {}
    for j, (row, spec) in enumerate(zip(elements.stores, elements.store_specs, strict=True)):
        if not spec.inflow_profile:
            continue
        series = reader.get(spec.inflow_profile, who(row))
        if series is None:
            continue
        if series.unit != "MW":
            reader.once(spec.inflow_profile, f"must be in MW as the inflow of {who(row)}: it is in p.u.")
            continue
        if (series.values < 0).any():
            reader.complain(spec.inflow_profile, series.values < 0, "must not be negative as an inflow", series.values)
        shares[spec.inflow_profile] = shares.get(spec.inflow_profile, 0.0) + spec.share
        out[:, j] = series.values * (spec.share * spec.factor)
    for name, total in shares.items():
        if total > 1.0 + _SHARE_TOLERANCE:
            reader.once(name, _shared(total, "stores"))
    return out


def initial_on(
    units: pd.DataFrame,
    available: NDArray[np.int64],
    full_load_cost: FloatArray,
    load_mw: FloatArray,
    low: FloatArray,
    high: FloatArray,
    sources: pd.DataFrame,
    given: Sequence[int | None] = (),
) -> NDArray[np.int64]:
    """Units on before the first hour, (nu,): as `given`, and where that is None (or empty) a plausible start.

    All available must-run units are on. Then, cheapest first (mean cost at full load), as many units as it takes until
    the capacity that is on covers 1.05 times the first hour's load less the sources: what is available of curtailable
    sources and schedules, the least output of dispatched ones.
    """
    given = given or [None] * len(units)
    known = np.array([count is not None for count in given], dtype=bool)
    on = np.where(units["must_run"].to_numpy(dtype=bool), available[0], 0)
    on[known] = [count for count in given if count is not None]
    taken = sources["curtailable"].to_numpy(dtype=bool) | (low[0] > 0)
    needed = _INITIAL_MARGIN * (load_mw[0].sum() - np.where(taken, high[0], low[0]).sum())
    p_max_mw = units["p_max_mw"].to_numpy(dtype=np.float64)
    missing = needed - float(on @ p_max_mw)
    for i in np.argsort(full_load_cost, kind="stable"):
        if missing <= 0:
            break
        if not known[i] and on[i] < available[0, i] and p_max_mw[i] > 0:
            more = min(int(available[0, i] - on[i]), int(np.ceil(missing / p_max_mw[i])))
            on[i] += more
            missing -= more * p_max_mw[i]
    return on.astype(np.int64)
