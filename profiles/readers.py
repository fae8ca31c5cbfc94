"""Users' own series: CSV, HDF5 and NetCDF files with a time axis and one series per element.

==========  ============================================================================================
CSV         one time column (``time``, ``datetime``, ``timestamp``, ``date``, ``snapshot``, the first column, or bare
            steps from 0 or 1 when the year is given), one column per series; ``#`` lines are skipped; separator
            ``, ;`` or tab, byte-order mark, UTF-8, UTF-16 or GB18030 are detected; decimal comma where the separator
            is ``;``
HDF5        a dataset ``time`` (ISO strings, or numbers with an attribute ``units`` such as "hours since 2024-01-01");
            every other one-dimensional dataset of that length is a series, named by its path ("pv/Suzhou"); or
            ``values`` (time, name) with ``names``
NetCDF      a coordinate ``time`` (or ``valid_time``, ``snapshot``); variables over time alone are series; variables
            over time and a named coordinate give one series per name
==========  ============================================================================================

The unit of a series is, first found: the argument `units`; a bracket in its name, ``load/Wuxi [kW]``; the dataset's
``units``; its kind, from the word before ``/``. Nothing is guessed silently: what does not fit is refused, by
`series_checks`, all problems at once.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles.series_checks import Clock, RawSteps, to_steps, to_unit, unit_of
from gridsim.profiles.year import Profiles

SUFFIXES = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "csv",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".nc": "netcdf",
    ".nc4": "netcdf",
}
TIME_NAMES = ("time", "datetime", "timestamp", "date", "snapshot", "valid_time", "time series", "时间")
TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y%m%d:%H%M",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
)


@dataclass(frozen=True)
class RawTable:
    """A file as it is: stamps (text, numbers or datetimes), and one array per series with NaN for empty cells."""

    stamps: NDArray[np.datetime64] | None  # local time of the file; None: bare steps
    offset_h: float | None  # UTC offset that the stamps themselves carry
    columns: dict[str, NDArray[np.float64]]
    units: dict[str, str]


def read_series(
    path: str | Path,
    *,
    year: int | None = None,
    utc_offset_h: float = 8.0,
    units: str | Mapping[str, str] | None = None,
    stamp: str = "start",
    file_utc_offset_h: float | None = None,
    leap_day: str = "refuse",
    source_year: int | None = None,
    solar_longitude_deg: float | None = 119.9,
    step_min: int = 60,
) -> Profiles:
    """Read a file of hourly (or finer) series into `Profiles`, or refuse it with everything that is wrong.

    Parameters
    ----------
    path : path
        CSV, HDF5 or NetCDF, by its suffix; see the module for the layouts.
    year : int, optional
        The calendar year that the file must cover. Not given: any run of hours.
    utc_offset_h : float
        Of the result; +8 for China.
    units : str or mapping, optional
        Unit of every series, or of series by name: "1", "%", "kW", "MW", "GW", "degC", "K".
    stamp : "start" or "end"
        Whether a stamp names the start of its interval (our convention) or its end (ERA5 fluxes, EPW).
    file_utc_offset_h : float, optional
        UTC offset of the stamps if they carry none; not given: `utc_offset_h`. A whole UTC year is rolled round.
    leap_day : "refuse" or "adjust"
        A year of 8760 hours for a leap year: refuse, or repeat 28 February; 8784 for a common year: or drop 29th.
    source_year : int, optional
        Year of the stamps when they stand for another `year`.
    solar_longitude_deg : float, optional
        Where the ``pv/`` series are: their energy-weighted hour must be solar noon there within 0.5 h. None: no test.
    step_min : 60, 30 or 15
        What a finer file becomes means over. An hourly file stays hourly; one between the two is refused.

    Raises
    ------
    InputError
        Listing all problems, each with the column, the first offending time, the value and what is allowed.
    """
    path = Path(path)
    problems: list[Problem] = []
    for name, value, allowed in (("stamp", stamp, ("start", "end")), ("leap_day", leap_day, ("refuse", "adjust"))):
        if value not in allowed:
            problems.append(Problem(name, f"must be one of {', '.join(allowed)}, is {value!r}"))
    if problems:
        raise InputError(str(path), problems)
    table = read_table(path)
    clock = Clock(
        year=year,
        utc_offset_h=utc_offset_h,
        file_utc_offset_h=file_utc_offset_h,
        hour_ending=stamp == "end",
        adjust_leap_day=leap_day == "adjust",
        source_year=source_year,
        step_min=step_min,
    )
    made, _ = finish(path, table, clock, problems, units)
    if made is not None and solar_longitude_deg is not None:
        noon = 12.0 + utc_offset_h - solar_longitude_deg / 15.0
        hourly = made.values.reshape(-1, 60 // made.step_min, len(made.names)).mean(axis=1)
        pv = {name: hourly[:, k] for k, name in enumerate(made.names) if name.startswith("pv/")}
        _check_noon(pv, noon, int(made.start.astype(np.int64) % 24), problems)
    if problems or made is None:
        raise InputError(str(path), problems)
    return made


def read_table(path: Path) -> RawTable:
    """The table in a CSV, HDF5 or NetCDF file, as it is. Raises InputError with what is wrong with the file."""
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise InputError(str(path), [Problem("file", f"must be of type {', '.join(SUFFIXES)}, is {path.suffix!r}")])
    problems: list[Problem] = []
    try:
        table = {"csv": _read_csv, "hdf5": _read_hdf5, "netcdf": _read_netcdf}[kind](path, problems)
    except FileNotFoundError:
        raise InputError(str(path), [Problem("file", "is missing: there is no such file")]) from None
    except (OSError, UnicodeError, csv.Error) as error:
        raise InputError(str(path), [Problem("file", f"cannot be read as {kind}: {error}")]) from None
    if table is None or problems:
        raise InputError(str(path), problems)
    return table


def finish(
    path: Path,
    table: RawTable,
    clock: Clock,
    problems: list[Problem],
    units: str | Mapping[str, str] | None = None,
) -> tuple[Profiles | None, dict[str, int]]:
    """A table as series in our units on a gapless axis, and how many steps were filled; None with the problems."""
    names: list[str] = []
    kinds: list[str] = []
    factors: list[tuple[float, float]] = []
    for column in table.columns:
        name, said = _bracket(column)
        asked = units if isinstance(units, str) else (units or {}).get(name)
        unit, factor, problem = unit_of(name, asked or said or table.units.get(column, ""), table.columns[column])
        if problem:
            problems.append(problem)
        if name in names:
            problems.append(Problem(name, "must be there once: the file has it more than once"))
        names.append(name)
        kinds.append(unit)
        factors.append(factor)
    if not names:
        raise InputError(str(path), [Problem("file", "must have at least one series besides the time axis")])
    raw = RawSteps(table.stamps, table.offset_h, np.column_stack(list(table.columns.values())), names)
    start, values, step = to_steps(raw, clock, problems)
    if values is None:
        return None, raw.filled
    values = np.column_stack(
        [
            to_unit(name, unit, values[:, k] * factors[k][0] + factors[k][1], start, problems, step)
            for k, (name, unit) in enumerate(zip(names, kinds, strict=True))
        ]
    )
    return Profiles(start, clock.utc_offset_h, tuple(names), tuple(kinds), values, step_min=step), raw.filled


def _bracket(column: str) -> tuple[str, str]:
    """Name and unit of "load/Wuxi [MW]"."""
    found = re.fullmatch(r"(.*?)\s*\[([^\]]*)\]\s*", column)
    return (found.group(1), found.group(2).strip()) if found else (column.strip(), "")


def _check_noon(pv: Mapping[str, NDArray[np.float64]], noon: float, first_hour: int, problems: list[Problem]) -> None:
    """PV must be centred on solar noon: tells UTC from local time, hour-ending from hour-beginning stamps.

    `first_hour` is the hour of the day at which the series start. Runs under four weeks are not judged: clouds move
    their centre as much as an hour's shift would.
    """
    for name, series in pv.items():
        centre = centre_of_day(series, first_hour)
        off = (centre - noon + 12) % 24 - 12
        if abs(off) > 0.5:
            utc = abs(off + 8) < 1
            hint = "as if its stamps were UTC (--tz UTC)" if utc else "see --tz and --stamp of gridsim profiles import"
            rule = f"must be centred on solar noon, {noon:.2f} h within 0.5 h: is at {centre:.2f} h, {hint}"
            problems.append(Problem(name, rule))


def centre_of_day(series: NDArray[np.float64], first_hour: int) -> float:
    """Mean hour of the day of an hourly series, weighted by itself; NaN of less than four weeks, or of nothing."""
    days = len(series) // 24
    by_hour = np.roll(np.nansum(series[: days * 24].reshape(-1, 24), axis=0), first_hour)
    if days < 28 or by_hour.sum() <= 0:
        return float("nan")
    # as an angle, so that a series shifted past midnight has a centre, too
    angle = 2 * np.pi * (np.arange(24) + 0.5) / 24
    return float(np.arctan2((by_hour * np.sin(angle)).sum(), (by_hour * np.cos(angle)).sum())) * 12 / np.pi % 24


# ---- CSV


def decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _read_csv(path: Path, problems: list[Problem]) -> RawTable | None:
    return parse_csv(decode(path.read_bytes()), problems)


def parse_csv(text: str, problems: list[Problem]) -> RawTable | None:
    """The text of a CSV file as a table; None with the problems."""
    import pandas as pd

    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        problems.append(Problem("file", "must have a header line and at least one line of values"))
        return None
    separator = max(";\t,", key=lambda s: min(lines[0].count(s), lines[1].count(s)))
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))
    except csv.Error as error:
        problems.append(Problem("file", f"must be a table of cells: {error}"))
        return None
    if len(rows) < 2:
        problems.append(Problem("file", "must have a line of values after its header: a quote there has no end"))
        return None
    header, body = [cell.strip() for cell in rows[0]], rows[1:]
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            problems.append(Problem(f"row {number}", f"must have {len(header)} cells as the header, has {len(row)}"))
            return None
    lowered = [cell.lower() for cell in header]
    at = next((lowered.index(name) for name in TIME_NAMES if name in lowered), 0)
    drop = {at} | ({0} if header[0] in ("", "Unnamed: 0") else set())
    texts = [row[at].strip() for row in body]
    stamps, offset = _parse_times(texts, header[at] or "the first column", problems)
    columns = {}
    for k, name in enumerate(header):
        if k in drop or (lowered[k] in ("local_time", "utc_time") and k != at):
            continue
        cells = [row[k].strip() for row in body]
        if separator == ";":
            cells = [cell.replace(",", ".") for cell in cells]
        values = pd.to_numeric(
            pd.Series(cells).replace({"": None, "NA": None, "nan": None, "NaN": None}), errors="coerce"
        )
        numbers = values.to_numpy(dtype=float)
        wrong = [
            i for i in np.flatnonzero(np.isnan(numbers)) if cells[i].lower() not in ("", "na", "nan", "n/a", "null")
        ]
        if wrong:
            rule = f"must be numbers: {len(wrong)} are not, first at {texts[wrong[0]]}: {cells[wrong[0]]!r}"
            problems.append(Problem(name, rule))
        if name in columns:
            problems.append(Problem(name, "must be there once: the header has it more than once"))
        columns[name] = numbers
    return RawTable(stamps, offset, columns, {})


def _parse_times(
    texts: list[str], column: str, problems: list[Problem]
) -> tuple[NDArray[np.datetime64] | None, float | None]:
    """Stamps of a text column: bare steps, our formats, ISO with an offset, "24:00" for the end of a day."""
    import pandas as pd

    if texts[0] in ("0", "1") and texts == [str(i) for i in range(int(texts[0]), len(texts) + int(texts[0]))]:
        return None, None
    late = [bool(re.search(r"[ T]24:00(:00)?$", text)) for text in texts]
    plain = pd.Series(
        [re.sub(r"([ T])24:00", r"\g<1>00:00", text) if end else text for text, end in zip(texts, late, strict=True)]
    )
    best: Any = None
    for form in TIME_FORMATS:
        parsed = pd.to_datetime(plain, format=form, errors="coerce")
        if parsed.notna().all():
            best = parsed
            break
        if best is None or parsed.notna().sum() > best.notna().sum():
            best = parsed
    offset = None
    if best.isna().any():
        aware = pd.to_datetime(plain, format="ISO8601", errors="coerce", utc=True)
        if aware.notna().all():
            best, offset = aware.dt.tz_convert(None), 0.0
    bad = np.flatnonzero(best.isna().to_numpy())
    if len(bad):
        rule = (
            f"must be times such as 2024-01-31 13:00: {len(bad)} of {len(texts)} are not, "
            f"first in value row {bad[0] + 1}: {texts[bad[0]]!r}"
        )
        problems.append(Problem(column, rule))
        return None, None
    stamps = best.to_numpy().astype("datetime64[s]") + np.array(late) * np.timedelta64(86400, "s")
    return stamps, offset


# ---- HDF5 and NetCDF


def _times_of(values: Any, units: str, problems: list[Problem]) -> NDArray[np.datetime64] | None:
    """Stamps of a time variable: datetimes, text, numbers since a date, or None for bare steps."""
    import pandas as pd

    values = np.asarray(values)
    if values.dtype.kind == "M":
        return values.astype("datetime64[s]")
    if values.dtype.kind in "SOU":
        return _parse_times([v.decode() if isinstance(v, bytes) else str(v) for v in values], "time", problems)[0]
    found = re.fullmatch(r"\s*(second|minute|hour|day)s? since (.+?)\s*", units or "")
    if not found:
        if np.array_equal(values, np.arange(len(values))):
            return None
        rule = f"must be text, or numbers with units such as 'hours since 2024-01-01 00:00', has units {units!r}"
        problems.append(Problem("time", rule))
        return None
    seconds = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[found.group(1)]
    try:
        base = np.datetime64(pd.Timestamp(found.group(2)).tz_localize(None), "s")
    except ValueError:
        problems.append(Problem("time", f"must have units since a date, has {units!r}"))
        return None
    return base + np.round(values.astype(float) * seconds).astype(np.int64).astype("timedelta64[s]")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _read_hdf5(path: Path, problems: list[Problem]) -> RawTable | None:
    import h5py

    with h5py.File(path, "r") as file:
        if "time" not in file:
            problems.append(Problem("file", "must have a dataset 'time'"))
            return None
        time = file["time"]
        before = len(problems)
        stamps = _times_of(time[()], _text(time.attrs.get("units", "")), problems)
        if len(problems) > before:
            return None
        n = time.shape[0]
        columns: dict[str, NDArray[np.float64]] = {}
        units: dict[str, str] = {}

        def visit(name: str, item: Any) -> None:
            if not isinstance(item, h5py.Dataset) or name in ("time", "names", "values"):
                return
            if item.shape != (n,) or item.dtype.kind not in "iuf":
                problems.append(Problem(name, f"must be {n} numbers as 'time', is {item.dtype} of shape {item.shape}"))
                return
            columns[name] = item[()].astype(float)
            units[name] = _text(item.attrs.get("units", ""))

        file.visititems(visit)
        if "values" in file and "names" in file:
            table, names = file["values"][()], [_text(v) for v in file["names"][()]]
            if table.shape != (n, len(names)):
                problems.append(Problem("values", f"must have shape ({n}, {len(names)}), has {table.shape}"))
            else:
                columns |= {name: table[:, k].astype(float) for k, name in enumerate(names)}
    return RawTable(stamps, None, columns, units)


def _read_netcdf(path: Path, problems: list[Problem]) -> RawTable | None:
    import xarray as xr

    with path.open("rb") as file:
        classic = file.read(3) == b"CDF"
    try:
        data = xr.open_dataset(path, engine="scipy" if classic else "h5netcdf")
    except (ValueError, OSError) as error:
        raise OSError(str(error)) from None
    with data:
        name = next((t for t in ("time", "valid_time", "snapshot") if t in data.variables), None)
        if name is None:
            problems.append(Problem("file", "must have a coordinate 'time', 'valid_time' or 'snapshot'"))
            return None
        before = len(problems)
        stamps = _times_of(data[name].to_numpy(), str(data[name].attrs.get("units", "")), problems)
        if len(problems) > before:
            return None
        axis = data[name].dims[0]
        columns: dict[str, NDArray[np.float64]] = {}
        units: dict[str, str] = {}
        for variable in data.data_vars:
            array = data[variable]
            if axis not in array.dims or array.dtype.kind not in "iuf":
                continue
            others = [d for d in array.dims if d != axis]
            if len(others) > 1:
                rule = f"must be over time and at most one more axis, is over {', '.join(map(str, array.dims))}"
                problems.append(Problem(str(variable), rule))
                continue
            if not others:
                columns[str(variable)] = array.to_numpy().astype(float)
                units[str(variable)] = str(array.attrs.get("units", ""))
                continue
            labels = [_text(v) for v in data[others[0]].to_numpy()] if others[0] in data.coords else None
            if labels is None:
                problems.append(Problem(str(variable), f"must have names for its axis {others[0]!r} as a coordinate"))
                continue
            values = array.transpose(axis, others[0]).to_numpy().astype(float)
            for k, label in enumerate(labels):
                series = label if "/" in label else f"{variable}/{label}"
                columns[series] = values[:, k]
                units[series] = str(array.attrs.get("units", ""))
    return RawTable(stamps, None, columns, units)
