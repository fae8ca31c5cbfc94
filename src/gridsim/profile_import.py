"""Hourly series out of other tools' files, in the form that a scenario reads, checked before they are written.

What is written is local time of UTC+8, starts of hours, p.u. for what has a rating, MW for load, degC for temperature;
with each series its unit, and with the file where it came from: format, sources and their SHA-256, what was done.
"""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gridsim import __version__
from gridsim.errors import InputError, Problem, ResourceError
from gridsim.export_files import need
from gridsim.profiles import Profiles
from gridsim.profiles.fields import CITIES
from gridsim.profiles.foreign import FORMATS, GRIDS, Foreign, Wanted, detect, read_foreign
from gridsim.profiles.readers import RawTable, centre_of_day, finish
from gridsim.profiles.series_checks import Clock

UTC_OFFSET_H, LONGITUDE_DEG = 8.0, 119.9  # of what is written; where a series is taken to be if nobody says
CENTRE_H = 0.25  # how far the centre of PV may be from solar noon
CAPACITY_FACTOR = {"pv": (0.05, 0.30), "wind_onshore": (0.08, 0.60), "wind_offshore": (0.10, 0.65)}
JUDGED_DAYS = 300  # of which a capacity factor is judged
OUTPUTS = (".csv", ".h5")


@dataclass(frozen=True)
class Options:
    """What the command line says about the files."""

    names: tuple[str, ...] = ()  # KIND/PLACE
    form: str = "auto"
    columns: tuple[str, ...] = ()
    utc_offset_h: float | None = None  # of the stamps
    stamp: str = "start"
    unit: str | None = None
    rated: float | None = None  # divides the values, which are then p.u.
    year: int | None = None
    adjust_leap_day: bool = False
    lat_deg: float = float("nan")
    lon_deg: float = float("nan")


@dataclass(frozen=True)
class Row:
    """One series, held to what its kind should be."""

    name: str
    unit: str
    mean: float
    capacity_factor: float  # NaN: it is not in p.u.
    most: float
    centre_h: float  # of PV, NaN: none
    gaps: int  # steps that were interpolated
    wrong: str  # what is wrong, "" if nothing


@dataclass
class Imported:
    """Series with their checks, and where they came from."""

    profiles: Profiles
    rows: list[Row]
    form: str
    sources: dict[str, str]  # file name -> SHA-256
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not any(row.wrong for row in self.rows)

    def problems(self) -> list[Problem]:
        return [Problem(row.name, row.wrong) for row in self.rows if row.wrong]

    def as_text(self) -> str:
        """The checks as a table."""
        header = ("series", "unit", "mean", "CF", "max", "centroid", "gaps", "")
        lines = [
            (
                row.name,
                row.unit,
                f"{row.mean:.4g}",
                _or_dash(row.capacity_factor, ".3f"),
                f"{row.most:.4g}",
                _or_dash(row.centre_h, ".2f"),
                str(row.gaps),
                row.wrong or "ok",
            )
            for row in self.rows
        ]
        width = [max(len(line[k]) for line in (header, *lines)) for k in range(len(header))]
        return "\n".join(
            "  ".join(c.ljust(w) for c, w in zip(line, width, strict=True)).rstrip() for line in (header, *lines)
        )


def _or_dash(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else "-"


def import_series(paths: Sequence[Path], options: Options) -> Imported:
    """Read files of one format, and check what came out.

    Raises
    ------
    InputError
        With everything that is wrong with the options or the files; a check that fails is only noted in its row.
    """
    source = str(paths[0])
    if options.form not in ("auto", *FORMATS):
        raise InputError(source, [Problem("--format", f"must be auto, {', '.join(FORMATS)}: got {options.form}")])
    form = detect(paths[0]) if options.form == "auto" else options.form
    for path in paths:
        if path.suffix.lower() in (".xlsx", ".parquet"):
            need(*{".xlsx": ("openpyxl", "excel"), ".parquet": ("pyarrow", "parquet")}[path.suffix.lower()], path.name)
    wanted = [_placed(name, options, form) for name in options.names]
    together = [list(paths)] if form in GRIDS else [[path] for path in paths]
    notes: list[str] = []
    parts: list[Profiles] = []
    filled: dict[str, int] = {}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        for group in together:
            part, gaps = _series(group, read_foreign(group, form, wanted, options.columns), options, notes)
            parts.append(part)
            filled |= gaps
    notes += [str(w.message) for w in said if w.category is UserWarning]
    profiles = _joined(parts, paths)
    notes += [
        f"{name} is in MW, of which an element takes its profile_share: --rated POWER makes p.u. of it"
        for name, unit in zip(profiles.names, profiles.units, strict=True)
        if unit == "MW" and name.split("/", maxsplit=1)[0] in CAPACITY_FACTOR
    ]
    longitude = {one.name: one.lon_deg for one in wanted if np.isfinite(one.lon_deg)}
    elsewhere = options.lon_deg if np.isfinite(options.lon_deg) else LONGITUDE_DEG
    rows = [_judge(profiles, name, longitude.get(name, elsewhere), filled.get(name, 0)) for name in profiles.names]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return Imported(profiles, rows, form, digests, list(dict.fromkeys(notes)))


def _placed(name: str, options: Options, form: str) -> Wanted:
    """A series asked for, and where it is: as said, or a city or a site of the built-in grid."""
    if np.isfinite(options.lat_deg) and np.isfinite(options.lon_deg):
        return Wanted(name, options.lat_deg, options.lon_deg)
    place = name.rsplit("/", maxsplit=1)[-1]
    if place in CITIES and not name.startswith("wind_offshore/"):
        return Wanted(name, *CITIES[place])
    if form not in GRIDS:
        return Wanted(name)
    from gridsim.inputs import load_net
    from gridsim.scenario import load

    sites = load_net(load("jiangsu-2024"))["profile_site"]
    row = sites[sites["profile"] == name]
    return Wanted(name, float(row["lat_deg"].iloc[0]), float(row["lon_deg"].iloc[0])) if len(row) else Wanted(name)


def _series(
    paths: Sequence[Path], found: Foreign, options: Options, notes: list[str]
) -> tuple[Profiles, dict[str, int]]:
    """One file, or files of one grid, on local hours."""
    problems: list[Problem] = []
    table, year = found.table, options.year
    notes += found.notes
    source_year = None if table.stamps is None else _calendar_year(table.stamps)
    if found.typical:
        if year is None:
            rule = "must say for which year: the months of a typical year are of different ones"
            raise InputError(str(paths[0]), [Problem("--year", rule)])
        assert table.stamps is not None
        table = RawTable(_of_year(table.stamps, year), None, table.columns, table.units)
        source_year = None
    elif year is None:
        year, source_year = source_year, None
    elif source_year is not None and source_year != year:
        notes.append(f"moved from {source_year} to the same days of {year}")
    if options.rated is not None:
        columns = {name.split(" [")[0] + " [1]": values / options.rated for name, values in table.columns.items()}
        table = RawTable(table.stamps, table.offset_h, columns, {})
        notes.append(f"divided by {options.rated:g}")
    clock = Clock(
        year=year,
        utc_offset_h=UTC_OFFSET_H,
        file_utc_offset_h=found.utc_offset_h if options.utc_offset_h is None else options.utc_offset_h,
        hour_ending=options.stamp == "end",
        adjust_leap_day=options.adjust_leap_day or found.typical,
        source_year=source_year,
    )
    made, filled = finish(paths[0], table, clock, problems, options.unit)
    if problems or made is None:
        raise InputError(str(paths[0]), problems)
    return made, filled


def _calendar_year(stamps: Any) -> int | None:
    """The year that stamps cover from its first hour to its last; None if they do not."""
    first, last = stamps[0].astype("datetime64[h]"), stamps[-1].astype("datetime64[h]")
    year = int(str(first)[:4])
    whole = first == np.datetime64(f"{year}-01-01T00", "h") and last == np.datetime64(f"{year}-12-31T23", "h")
    return year if whole else None


def _of_year(stamps: Any, year: int) -> Any:
    """The same days of another year, sorted as they are: a typical year has no leap day."""
    months = stamps.astype("datetime64[M]")
    month = (months.astype(np.int64) % 12).astype("timedelta64[M]")
    return (np.datetime64(f"{year}-01", "M") + month).astype("datetime64[s]") + (
        stamps - months.astype("datetime64[s]")
    )


def _joined(parts: list[Profiles], paths: Sequence[Path]) -> Profiles:
    """Series of several files side by side; they must cover the same hours."""
    first = parts[0]
    problems = [
        Problem(
            str(path),
            f"must have {first.hours} hours from {first.start}, as {paths[0]}: it has {p.hours} from {p.start}",
        )
        for p, path in zip(parts, paths, strict=False)
        if (p.start, p.hours) != (first.start, first.hours)
    ]
    names = [name for part in parts for name in part.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [Problem(name, "must be there once: several files have it") for name in twice]
    if problems:
        raise InputError(str(paths[0]), problems)
    units = tuple(unit for part in parts for unit in part.units)
    values = np.column_stack([part.values for part in parts])
    return Profiles(first.start, first.utc_offset_h, tuple(names), units, values)


def _judge(profiles: Profiles, name: str, lon_deg: float, gaps: int) -> Row:
    values, unit = profiles.column(name), profiles.units[profiles.names.index(name)]
    kind, wrong = name.split("/", maxsplit=1)[0], []
    centre = float("nan")
    if kind == "pv":
        centre = centre_of_day(values, int(profiles.start.astype(np.int64) % 24))
        noon = 12.0 + UTC_OFFSET_H - lon_deg / 15.0
        if abs((centre - noon + 12.0) % 24.0 - 12.0) > CENTRE_H:
            wrong.append(f"must be centred on solar noon, {noon:.2f} h within {CENTRE_H:g} h: check --tz and --stamp")
    mean = float(values.mean())
    low, high = CAPACITY_FACTOR.get(kind, (0.0, 1.0))
    if unit == "1" and len(values) >= 24 * JUDGED_DAYS and not low <= mean <= high:
        wrong.append(f"must have a mean from {low:g} to {high:g} p.u.: check the unit, or --rated")
    if not values.any():
        wrong.append("must not be 0 throughout")
    share = mean if unit == "1" else float("nan")
    return Row(name, unit, mean, share, float(values.max()), centre, gaps, "; ".join(wrong))


def write(found: Imported, out: Path, force: bool = False) -> None:
    """The series as a CSV or HDF5 file that `gridsim.profiles.read_series` reads. Raises InputError if it may not."""
    check_output(out, force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = out.with_name(f".{out.name}.part")
        (_write_csv if out.suffix.lower() == ".csv" else _write_hdf5)(found, made)
        made.replace(out)
    except OSError as error:
        raise ResourceError(f"{out}: {error.strerror or error}") from None


def check_output(out: Path, force: bool) -> None:
    """Refuse a file that is there, or an ending that nothing writes."""
    if out.suffix.lower() not in OUTPUTS:
        raise InputError(str(out), [Problem("-o", f"must be a {' or '.join(OUTPUTS)} file: got {out.name}")])
    if out.exists() and not force:
        raise InputError(str(out), [Problem("-o", "must be a new file: use --force to replace it")])


def _origin(found: Imported) -> dict[str, str]:
    sources = "; ".join(f"{name} sha256 {digest}" for name, digest in found.sources.items())
    stamps = "starts of hours, UTC+8"
    by = f"gridsim profiles import {__version__}"
    return {"made_by": by, "format": found.form, "sources": sources, "stamps": stamps, "notes": "; ".join(found.notes)}


def _times(profiles: Profiles) -> list[str]:
    steps = profiles.start + np.arange(profiles.hours).astype("timedelta64[h]")
    return [f"{str(t).replace('T', ' ')}:00:00" for t in steps]


def _write_csv(found: Imported, path: Path) -> None:
    import pandas as pd

    p = found.profiles
    columns = {f"{n} [{u}]": np.round(p.values[:, k], 6) for k, (n, u) in enumerate(zip(p.names, p.units, strict=True))}
    frame = pd.DataFrame({"time": _times(p), **columns})
    head = "".join(f"# {key}: {text}\n" for key, text in _origin(found).items() if text)
    path.write_text(head + frame.to_csv(index=False, lineterminator="\n"), encoding="utf-8")


def _write_hdf5(found: Imported, path: Path) -> None:
    import h5py

    p = found.profiles
    with h5py.File(path, "w") as file:
        file.attrs.update(_origin(found))
        file["time"] = _times(p)
        for k, (name, unit) in enumerate(zip(p.names, p.units, strict=True)):
            made = file.create_dataset(name, data=np.round(p.values[:, k], 6), compression="gzip", shuffle=True)
            made.attrs["units"] = unit


def parse_offset(text: str) -> float:
    """Hours of "+08:00", "8", "-3.5" or "UTC". Raises ValueError."""
    if text.upper() in ("UTC", "Z"):
        return 0.0
    hours, colon, minutes = text.partition(":")
    value = float(hours)
    if colon:
        value += float(minutes) / 60.0 * (-1.0 if hours.startswith("-") else 1.0)
    if not -12.0 <= value <= 14.0:
        raise ValueError(text)
    return value
