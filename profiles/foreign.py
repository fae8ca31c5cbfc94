"""Files of other tools as tables: which format it is, what its stamps mean, and what power its weather would give.

=========== =========================================================================== ===========================
format      recognised by                                                                stamps
=========== =========================================================================== ===========================
ninja       ``#`` lines, then ``time,local_time,electricity`` or ``time,NATIONAL``       UTC, start of the hour
era5        netCDF with ``u100``, ``ssrd`` ...                                           UTC, fluxes end of the hour
atlite      netCDF with ``wnd100m``, ``influx_direct`` ...                               UTC, fluxes end of the hour
pvgis-tmy   ``Latitude (decimal degrees)`` and ``month,year``                            UTC, at the stamp, no year
pvgis       likewise with ``time,[P,]G(i)``                                              UTC, at the stamp (minutes)
epw         ``LOCATION,``                                                                local, end of the hour, no year
pypsa       a file named ``generators-p_max_pu.csv`` ..., with snapshots.csv beside it   UTC, start of the hour
rts-gmlc    ``Year,Month,Day,Period``                                                    local, periods from 1
china-load  ``Time Series,AH,BJ``                                                        local, hours from 1, MW
plain       CSV, HDF5, NetCDF (`readers`), Excel, Parquet                                local, start of the hour
=========== =========================================================================== ===========================

What is measured at a stamp becomes the mean of an hour by the straight line between its neighbours.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles import measured
from gridsim.profiles.measured import Measured
from gridsim.profiles.power import CLIP, PERFORMANCE, TEMPERATURE_COEFFICIENT, WIND_KINDS
from gridsim.profiles.readers import RawTable, decode, parse_csv, read_table

FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.datetime64]

FORMATS = ("ninja", "era5", "atlite", "pvgis-tmy", "pvgis", "epw", "pypsa", "rts-gmlc", "china-load", "plain")
WEATHER = ("era5", "atlite", "pvgis-tmy", "epw")  # hold no power: what is made of them depends on the kind asked for
GRIDS = ("era5", "atlite")
KINDS = (*WIND_KINDS, "pv", "temperature")  # that weather can become
HOUR = np.timedelta64(3600, "s")
_UNREADABLE = (ValueError, KeyError, IndexError, OSError, BadZipFile)  # what readers meet in a damaged file


@dataclass(frozen=True)
class Wanted:
    """A series to be made or named: KIND/PLACE, and where that is."""

    name: str
    lat_deg: float = float("nan")
    lon_deg: float = float("nan")

    @property
    def kind(self) -> str:
        return self.name.split("/", maxsplit=1)[0]


@dataclass
class Foreign:
    """What a file gave: a table whose stamps are interval starts, and what is to be known about it."""

    form: str
    table: RawTable
    utc_offset_h: float | None  # of the stamps; None: local time
    typical: bool = False  # a typical year: months of different years
    notes: list[str] = field(default_factory=list)


def detect(path: Path) -> str:
    """The format of a file. Raises InputError if it cannot be read."""
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError(str(path), [Problem("file", "is missing: there is no such file")])
    if suffix in (".nc", ".nc4", ".netcdf"):
        try:
            names = set(_open([path]).variables)
        except _UNREADABLE as error:
            raise InputError(str(path), [Problem("file", f"cannot be read as netCDF: {error}")]) from error
        if names & {"wnd100m", "influx_direct", "influx_toa"}:
            return "atlite"
        return "era5" if names & {"u100", "ssrd", "t2m", "u10"} else "plain"
    if suffix in (".h5", ".hdf5", ".xlsx", ".parquet"):
        return "plain"
    with path.open("rb") as file:
        head = decode(file.read(20_000))
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    header = next((line for line in lines if not line.startswith("#")), "")
    if first.startswith("LOCATION,"):
        return "epw"
    if first.startswith("Latitude (decimal degrees)"):
        return "pvgis-tmy" if "month,year" in lines else "pvgis"
    if first.startswith("#") and re.match(r"time,(local_time|electricity|NATIONAL)", header):
        return "ninja"
    if re.match(r"Year,Month,Day,Period", header, re.I):
        return "rts-gmlc"
    if re.match(r"Time Series(,[A-Z]{2})+\s*$", header):
        return "china-load"
    if re.fullmatch(r"[a-z_]+-[a-z_]+", path.stem) and (path.parent / "snapshots.csv").is_file():
        return "pypsa"
    return "plain"


def read_foreign(paths: Sequence[Path], form: str, wanted: Sequence[Wanted], columns: Sequence[str] = ()) -> Foreign:
    """Read files of one format, those of a grid of weather together.

    Parameters
    ----------
    paths : of which only grids of weather may be several
    form : one of FORMATS
    wanted : series to make of weather, or one name for what a file has
    columns : to take of a table; all

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    path = paths[0]
    if form in WEATHER:
        _check_wanted(path, form, wanted)
    try:
        found = _READERS[form](paths, wanted)
    except InputError:
        raise
    except _UNREADABLE as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(str(path), [Problem("file", f"cannot be read as {form}: {text}")]) from error
    if form not in WEATHER:
        _select(path, found, wanted, columns)
    return found


def _check_wanted(path: Path, form: str, wanted: Sequence[Wanted]) -> None:
    problems = []
    if not wanted:
        rule = f"must say what to make of weather: one of {', '.join(f'{kind}/PLACE' for kind in KINDS)}"
        problems.append(Problem("--as", rule))
    for one in wanted:
        if one.kind not in KINDS:
            problems.append(Problem("--as", f"must be one of {', '.join(KINDS)} for {form}: got {one.name}"))
        elif form in GRIDS and not (np.isfinite(one.lat_deg) and np.isfinite(one.lon_deg)):
            rule = f"must come with --lat and --lon, or be a site of the built-in grid: got {one.name}"
            problems.append(Problem("--as", rule))
    if problems:
        raise InputError(str(path), problems)


def _select(path: Path, found: Foreign, wanted: Sequence[Wanted], columns: Sequence[str]) -> None:
    """Take the columns asked for, and name them: one as KIND/PLACE, several as KIND/column."""
    have, problems = found.table.columns, []
    missing = [name for name in columns if name not in have and not any(c.startswith(f"{name} [") for c in have)]
    if missing:
        some = ", ".join(list(have)[:12]) + (" ..." if len(have) > 12 else "")
        problems.append(Problem("--column", f"must be one of {some}: got {', '.join(missing)}"))
    if len(wanted) > 1:
        problems.append(Problem("--as", f"must be given once: {found.form} has series by name"))
    chosen = [c for c in have if not columns or c in columns or c.split(" [")[0] in columns]
    name = wanted[0].name if wanted else ""
    if len(chosen) > 1 and "/" in name:
        some = ", ".join(chosen[:12]) + (" ..." if len(chosen) > 12 else "")
        problems.append(Problem("--as", f"must be a kind alone for several series, or choose one by --column: {some}"))
    if problems:
        raise InputError(str(path), problems)
    renamed = {}
    for column in chosen:
        bare, bracket, unit = column.partition(" [")
        new = name if "/" in name else f"{name}/{bare.split('/')[-1]}" if name else bare
        renamed[new + bracket + unit] = have[column]
        if column in found.table.units:
            found.table.units[new + bracket + unit] = found.table.units[column]
    found.table = RawTable(found.table.stamps, found.table.offset_h, renamed, found.table.units)


# --- tables


def _plain(paths: Sequence[Path], _: Sequence[Wanted]) -> Foreign:
    path = paths[0]
    suffix = path.suffix.lower()
    if suffix not in (".xlsx", ".parquet"):
        return Foreign("plain", read_table(path), None)
    import pandas as pd

    frame = pd.read_excel(path) if suffix == ".xlsx" else pd.read_parquet(path)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    return Foreign("plain", _parse(path, frame.to_csv(index=False)), None)


def _parse(path: Path, text: str) -> RawTable:
    problems: list[Problem] = []
    table = parse_csv(text, problems)
    if table is None or problems:
        raise InputError(str(path), problems)
    return table


def _ninja(paths: Sequence[Path], _: Sequence[Wanted]) -> Foreign:
    """renewables.ninja: kW of the capacity asked for, or capacity factors of a country."""
    text = decode(paths[0].read_bytes())
    table = _parse(paths[0], text)
    said = "".join(line for line in text.splitlines() if line.startswith("#"))
    capacity = re.search(r'"?capacity"?\s*[:=]\s*"?([0-9.]+)', said)
    notes = ["renewables.ninja, CC BY-NC 4.0"]
    kw = float(capacity.group(1)) if capacity else 1.0
    if "electricity" in table.columns:
        columns = {"electricity [1]": table.columns["electricity"] / kw}
        notes.append(f"kW of {kw:g} kW" if capacity else "kW of 1 kW, as its default is: it does not say")
    else:
        columns = {f"{name} [1]": values for name, values in table.columns.items()}
    return Foreign("ninja", RawTable(table.stamps, None, columns, {}), 0.0, notes=notes)


def _pypsa(paths: Sequence[Path], _: Sequence[Wanted]) -> Foreign:
    path = paths[0]
    table = _parse(path, decode(path.read_bytes()))
    attribute = path.stem.partition("-")[2]
    unit = "1" if attribute.endswith("_pu") else "MW"
    stamps = table.stamps
    beside = path.parent / "snapshots.csv"
    if stamps is None:
        if not beside.is_file():
            raise InputError(str(path), [Problem("snapshots.csv", "must stand beside it: it only counts its rows")])
        stamps = _snapshots(beside)
        rows = len(next(iter(table.columns.values())))
        if len(stamps) != rows:
            rule = f"must have as many rows as snapshots.csv, {len(stamps)}: it has {rows}"
            raise InputError(str(path), [Problem("file", rule)])
    columns = {f"{name} [{unit}]": values for name, values in table.columns.items()}
    return Foreign("pypsa", RawTable(stamps, None, columns, {}), 0.0)


def _snapshots(path: Path) -> TimeArray:
    import pandas as pd

    frame = pd.read_csv(path)
    column = "snapshot" if "snapshot" in frame else str(frame.columns[0])
    return pd.to_datetime(frame[column]).to_numpy().astype("datetime64[s]")


def _rts(paths: Sequence[Path], _: Sequence[Wanted]) -> Foreign:
    import io

    import pandas as pd

    frame = pd.read_csv(io.StringIO(decode(paths[0].read_bytes())))
    frame.columns = [str(c).strip() for c in frame.columns]
    day = pd.to_datetime(frame[["Year", "Month", "Day"]].rename(columns=str.lower)).to_numpy().astype("datetime64[s]")
    period = frame["Period"].to_numpy(dtype=np.int64)
    of_day = int(period.max())
    if of_day not in (24, 48, 96, 288):
        raise ValueError(f"must have 24, 48, 96 or 288 periods a day, has {of_day}")
    stamps = day + ((period - 1) * (86400 // of_day)).astype("timedelta64[s]")
    columns = {f"{c} [MW]": frame[c].to_numpy(dtype=float) for c in frame.columns[4:]}
    return Foreign("rts-gmlc", RawTable(stamps, None, columns, {}), None)


def _china_load(paths: Sequence[Path], wanted: Sequence[Wanted]) -> Foreign:
    table = _parse(paths[0], decode(paths[0].read_bytes()))
    columns = {f"{name if wanted else f'load/{name}'} [MW]": values for name, values in table.columns.items()}
    return Foreign("china-load", RawTable(table.stamps, None, columns, {}), None)


# --- weather


def _made(
    form: str, weather: Callable[[Wanted], Measured], wanted: Sequence[Wanted], starts: TimeArray, whole: bool
) -> Foreign:
    """The series asked for, of the weather of their places; stamps are the starts of the hours, UTC.

    The last hour lacks what comes after it: of a whole year that is its beginning, else the hour is left out.
    """
    n = len(starts) if whole else len(starts) - 1
    columns, notes, problems = {}, [], []
    for one in wanted:
        at = weather(one)
        needed = {"pv": at.ghi, "temperature": at.temperature_c}.get(one.kind, at.speed_ms)
        if needed is None:
            problems.append(Problem(one.name, "must have its weather in the file: it has none of that kind"))
            continue
        if one.kind == "temperature":
            values, how, unit = needed, "temperature", "degC"
        else:
            values, how = measured.pv(at) if one.kind == "pv" else measured.wind(at, one.kind)
            unit = "1"
        columns[f"{one.name} [{unit}]"] = values[:n]
        notes.append(f"{one.name}: {how}, at {at.lat_deg:.3f} N {at.lon_deg:.3f} E")
    if problems:
        raise InputError(form, problems)
    return Foreign(form, RawTable(starts[:n], None, columns, {}), 0.0, notes=notes)


def _closes(starts: TimeArray) -> bool:
    """Whether hours are whole years, so that the end may go on with the beginning."""
    return len(starts) >= 8760 and str(starts[0])[5:13] == "01-01T00" and str(starts[-1])[5:13] == "12-31T23"


def _to_middle(values: FloatArray | None, minute: float) -> FloatArray | None:
    """Values at a minute of every hour as values at its middle; the last goes on to the first."""
    if values is None or minute == 30.0:
        return values
    return values + (np.roll(values, -1) - values) * (30.0 - minute) / 60.0


def _open(paths: Sequence[Path]) -> Any:
    import xarray as xr

    parts = []
    for path in paths:
        with path.open("rb") as file:
            classic = file.read(3) == b"CDF"
        with xr.open_dataset(path, engine="scipy" if classic else "h5netcdf") as data:
            parts.append(data.load())
    return parts[0] if len(parts) == 1 else xr.merge(parts, compat="no_conflicts", join="outer")


def _grid(paths: Sequence[Path], names: dict[str, str]) -> tuple[Any, TimeArray]:
    """The files as one data set over time, lat and lon (ascending), and its stamps."""
    data = _open(paths)
    renamed = {old: new for old, new in names.items() if old in data.dims or old in data.variables}
    data = data.rename(renamed)
    if "expver" in data.dims:  # preliminary data in a layer of their own
        layers = [data.isel(expver=k) for k in range(data.sizes["expver"])]
        data = layers[0]
        for layer in layers[1:]:
            data = data.combine_first(layer)
    data = data.squeeze([d for d in data.dims if d not in ("time", "lat", "lon") and data.sizes[d] == 1])
    data = data.drop_vars([v for v in ("expver", "number") if v in data.variables]).sortby(["time", "lat", "lon"])
    return data, data["time"].to_numpy().astype("datetime64[s]")


def _point(data: Any, one: Wanted, path: Path) -> Any:
    """The data set at a place, between its grid points."""
    for axis, at in (("lat", one.lat_deg), ("lon", one.lon_deg)):
        low, high = float(data[axis].min()), float(data[axis].max())
        step = float(np.diff(data[axis]).max()) if data.sizes[axis] > 1 else 0.25
        if not low - step / 2 <= at <= high + step / 2:
            rule = f"must lie in the file's {axis} from {low:g} to {high:g}: {at:g} does not"
            raise InputError(str(path), [Problem(one.name, rule)])
    numeric = data[[v for v in data.data_vars if data[v].dtype.kind in "iuf"]]
    lat, lon = (
        float(np.clip(at, float(data[axis].min()), float(data[axis].max())))
        for axis, at in (("lat", one.lat_deg), ("lon", one.lon_deg))
    )
    return (
        numeric.interp(lat=lat, lon=lon)
        if min(data.sizes["lat"], data.sizes["lon"]) > 1
        else numeric.sel(lat=lat, lon=lon, method="nearest")
    )


def _era5(paths: Sequence[Path], wanted: Sequence[Wanted]) -> Foreign:
    """ERA5 of the Climate Data Store: J/m2 of the hour that ends at the stamp, all else at the stamp."""
    data, stamps = _grid(paths, {"valid_time": "time", "latitude": "lat", "longitude": "lon"})

    def weather(one: Wanted) -> Measured:
        at = _point(data, one, paths[0])

        def value(name: str) -> FloatArray | None:
            return at[name].to_numpy().astype(float) if name in at else None

        def speed(height: int) -> FloatArray | None:
            u, v = value(f"u{height}"), value(f"v{height}")
            return None if u is None or v is None else np.hypot(u, v)

        ghi, direct, kelvin = _flux(value("ssrd"), 3600.0), _flux(value("fdir"), 3600.0), value("t2m")
        high, low = speed(100), speed(10)
        return Measured(
            stamps + HOUR // 2, one.lat_deg, one.lon_deg, ghi,
            dhi=None if ghi is None or direct is None else np.maximum(ghi - direct, 0.0),
            temperature_c=_to_middle(None if kelvin is None else kelvin - 273.15, 0.0),
            speed_ms=_to_middle(low if high is None else high, 0.0), height_m=10.0 if high is None else 100.0,
            low_speed_ms=None if high is None else _to_middle(low, 0.0), roughness_m=_to_middle(value("fsr"), 0.0),
        )  # fmt: skip

    return _made("era5", weather, wanted, stamps, _closes(stamps))


def _flux(values: FloatArray | None, per: float) -> FloatArray | None:
    """What belongs to the hour before its stamp, at the start of its hour; the last has what the first stamp says."""
    return None if values is None else np.maximum(np.roll(values, -1), 0.0) / per


def _atlite(paths: Sequence[Path], wanted: Sequence[Wanted]) -> Foreign:
    """An atlite cutout of ERA5: fluxes in W/m2 of the hour that ends at the stamp, all else at the stamp."""
    data, stamps = _grid(paths, {"y": "lat", "x": "lon"} if "y" in _open(paths[:1]).dims else {})

    def weather(one: Wanted) -> Measured:
        at = _point(data, one, paths[0])

        def value(name: str) -> FloatArray | None:
            return at[name].to_numpy().astype(float) if name in at else None

        direct, diffuse = _flux(value("influx_direct"), 1.0), _flux(value("influx_diffuse"), 1.0)
        kelvin, shear = value("temperature"), value("wnd_shear_exp")
        return Measured(
            stamps + HOUR // 2, one.lat_deg, one.lon_deg,
            ghi=None if direct is None or diffuse is None else direct + diffuse, dhi=diffuse,
            temperature_c=_to_middle(None if kelvin is None else kelvin - 273.15, 0.0),
            speed_ms=_to_middle(value("wnd100m"), 0.0), height_m=100.0, shear=_to_middle(shear, 0.0),
            roughness_m=None if shear is not None else _to_middle(value("roughness"), 0.0),
        )  # fmt: skip

    return _made("atlite", weather, wanted, stamps, _closes(stamps))


def _station(
    form: str, frame: Any, place: tuple[float, float], starts: TimeArray, minute: float, wanted: Sequence[Wanted]
) -> Foreign:
    """A table of pvlib's names at one place; `minute` of the hour at which it was measured, 30: means of the hours."""

    def value(name: str) -> FloatArray | None:
        return _to_middle(frame[name].to_numpy(dtype=float), minute) if name in frame else None

    def weather(_: Wanted) -> Measured:
        return Measured(
            starts + HOUR // 2, *place, value("ghi"), value("dni"), value("dhi"), value("temp_air"), value("wind_speed")
        )

    made = _made(form, weather, wanted, starts, whole=True)  # a typical year begins as it ends
    made.typical = True
    return made


def _pvgis_tmy(paths: Sequence[Path], wanted: Sequence[Wanted]) -> Foreign:
    from pvlib.iotools import read_pvgis_tmy

    frame, meta = read_pvgis_tmy(str(paths[0]))
    inputs: Any = meta["inputs"]
    place = (float(inputs["latitude"]), float(inputs["longitude"]))
    starts = frame.index.tz_convert(None).to_numpy().astype("datetime64[s]")
    minute = 60.0 * float(inputs.get("irradiance time offset", 0.0))
    found = _station("pvgis-tmy", frame, place, starts, minute, wanted)
    found.notes.append(f"typical year, measured {minute:.0f} min after the hour")
    return found


def _epw(paths: Sequence[Path], wanted: Sequence[Wanted]) -> Foreign:
    import io

    from pvlib.iotools import read_epw

    frame, meta = read_epw(io.StringIO(paths[0].read_text(encoding="latin-1")))
    for name, missing in (("ghi", 9999), ("dni", 9999), ("dhi", 9999), ("temp_air", 99.9), ("wind_speed", 999)):
        frame.loc[frame[name] >= missing, name] = np.nan
    offset = float(meta["TZ"])
    local = frame.index.tz_localize(None).to_numpy().astype("datetime64[s]")
    utc = local - np.timedelta64(round(3600 * offset), "s")
    found = _station("epw", frame, (float(meta["latitude"]), float(meta["longitude"])), utc, 30.0, wanted)
    found.notes.append(f"typical year of {meta['city']}, UTC{offset:+g}")
    found.table = RawTable(local, None, found.table.columns, {})
    found.utc_offset_h = offset
    return found


def _pvgis(paths: Sequence[Path], _: Sequence[Wanted]) -> Foreign:
    """PVGIS hourly: power of a system, or irradiance on its plane."""
    from pvlib.iotools import read_pvgis_hourly

    frame, meta = read_pvgis_hourly(str(paths[0]), pvgis_format="csv")
    stamps = frame.index.tz_convert(None).to_numpy().astype("datetime64[s]")
    starts = stamps.astype("datetime64[h]").astype("datetime64[s]")
    minute = float((stamps[0] - starts[0]).astype(np.int64)) / 60.0
    notes = [f"measured {minute:.0f} min after the hour"]
    if "P" in frame:
        said = " ".join(f"{k}:{v}" for k, v in meta["inputs"].items())
        rated = re.search(r"Nominal power[^:]*:\s*([0-9.]+)", said)
        kwp = float(rated.group(1)) if rated else 1.0
        power = frame["P"].to_numpy(dtype=float) / (1000.0 * kwp)
        notes.append(f"W of {kwp:g} kWp")
    else:
        plane = frame["poa_global"] if "poa_global" in frame else frame.filter(like="poa_").sum(axis=1)
        kelvin = 0.03 * plane + frame["temp_air"] - 25.0  # a cell is about 30 K above the air at 1000 W/m2
        power = (PERFORMANCE * plane / 1000.0 * (1.0 + TEMPERATURE_COEFFICIENT * kelvin)).to_numpy()
        notes.append("power from the irradiance on its plane")
    n = len(starts) if _closes(starts) else len(starts) - 1
    values = np.clip(np.asarray(_to_middle(power, minute)), 0.0, CLIP)[:n]
    return Foreign("pvgis", RawTable(starts[:n], None, {"power [1]": values}, {}), 0.0, notes=notes)


_READERS: dict[str, Callable[[Sequence[Path], Sequence[Wanted]], Foreign]] = {
    "ninja": _ninja,
    "era5": _era5,
    "atlite": _atlite,
    "pvgis-tmy": _pvgis_tmy,
    "pvgis": _pvgis,
    "epw": _epw,
    "pypsa": _pypsa,
    "rts-gmlc": _rts,
    "china-load": _china_load,
    "plain": _plain,
}
