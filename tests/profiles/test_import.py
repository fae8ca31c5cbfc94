"""Series of other tools: a tiny file of each format as its makers write it, and what comes out."""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner
from numpy.testing import assert_allclose

from gridsim.assemble import assemble
from gridsim.cli import main
from gridsim.profile_import import Options, import_series, parse_offset
from gridsim.profiles import read_series
from gridsim.profiles.foreign import detect
from gridsim.profiles.measured import Measured, pv
from gridsim.profiles.power import power_of_speed
from gridsim.scenario import load

SITE = (33.35, 120.16)  # Yancheng
YEAR = pd.date_range("2023-01-01", "2023-12-31 23:00", freq="h")  # as many hours as stamps of UTC
N = len(YEAR)


def call(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["profiles", "import", *map(str, args)])
    return result.exit_code, result.output


def sun_utc(minute: float = 30.0, times: pd.DatetimeIndex = YEAR) -> np.ndarray:
    """Something like the sun at 120 E, by a stamp in UTC and a minute of its hour."""
    hour = (np.asarray(times.hour) + minute / 60.0 + 8.0) % 24.0
    return np.maximum(np.cos((hour - 12.0) / 12.0 * np.pi), 0.0)


def wave(n: int = N) -> np.ndarray:
    return np.round(0.45 + 0.4 * np.sin(np.arange(n) / 17.0), 4)


# --- tables


def ninja(path: Path, capacity: float | None = 1.0, solar: bool = False) -> Path:
    said = "# Units: time in UTC, local_time in Asia/Shanghai, electricity in kW\n"
    if capacity is not None:
        said += f"# {json.dumps({'params': {'lat': 33.3, 'lon': 120.2, 'capacity': capacity, 'raw': False}})}\n"
    values = (0.8 * sun_utc() if solar else wave()) * (capacity or 1.0)
    local = YEAR + pd.Timedelta(hours=8)
    frame = pd.DataFrame({"time": YEAR.strftime("%Y-%m-%d %H:%M"), "local_time": local.strftime("%Y-%m-%d %H:%M")})
    frame["electricity"] = np.round(values, 4)
    path.write_text(
        "# Renewables.ninja Wind (Point API) - 33.3500, 120.1600 - Version: 1.3\n"
        "# License: https://creativecommons.org/licenses/by-nc/4.0/\n" + said + frame.to_csv(index=False)
    )
    return path


@pytest.mark.parametrize("capacity", [None, 1.0, 2500.0])
def test_ninja_is_utc_and_kw_of_its_capacity(tmp_path, capacity):
    path = ninja(tmp_path / "ninja_wind_33.35_120.16.csv", capacity)
    assert detect(path) == "ninja"
    out = tmp_path / "wind.h5"
    code, said = call(path, "--as", "wind_onshore/Yancheng", "-o", out, "--check")
    assert code == 0, said
    got = read_series(out, year=2023)
    assert got.names == ("wind_onshore/Yancheng",)
    # 00:00 UTC is 08:00 there; the first hours come from the end of the year
    assert_allclose(got.values[:, 0], np.roll(wave(), 8), atol=1e-4)
    assert f"wind_onshore/Yancheng  1     {wave().mean():.4g}" in said
    with h5py.File(out) as file:
        assert "ninja_wind_33.35_120.16.csv sha256 " in file.attrs["sources"]
        assert file["wind_onshore/Yancheng"].attrs["units"] == "1"


def test_a_country_file_of_ninja_keeps_its_columns(tmp_path):
    path = tmp_path / "country.csv"
    frame = pd.DataFrame({"time": YEAR.strftime("%Y-%m-%d %H:%M"), "NATIONAL": wave(), "offshore": wave() / 2})
    path.write_text("# Renewables.ninja\n# Version: 1.1\n# Units: CF\n" + frame.to_csv(index=False))
    found = import_series([path], Options(names=("wind_onshore",)))
    assert found.profiles.names == ("wind_onshore/NATIONAL", "wind_onshore/offshore")
    one = import_series([path], Options(names=("wind_offshore/Rudong",), columns=("offshore",)))
    assert_allclose(one.profiles.values[:, 0], np.roll(wave() / 2, 8))


def test_the_centroid_tells_a_wrong_time_zone(tmp_path):
    path = ninja(tmp_path / "pv.csv", solar=True)
    code, said = call(path, "--as", "pv/Yancheng", "--check")
    assert code == 0, said
    assert " 12.00     0     ok" in said
    code, said = call(path, "--as", "pv/Yancheng", "--check", "--tz", "+08:00", "-o", tmp_path / "x.csv")
    assert code == 7
    assert "must be centred on solar noon, 11.99 h within 0.25 h: check --tz and --stamp" in said
    code, said = call(path, "--as", "pv/Yancheng", "--tz", "+08:00", "-o", tmp_path / "x.csv")
    assert code == 3
    assert not (tmp_path / "x.csv").exists()


def test_half_an_hour_is_seen_by_the_check(tmp_path):
    path = tmp_path / "pv.csv"
    pd.DataFrame({"time": YEAR, "pv": np.round(0.8 * np.roll(sun_utc(0.0), 8), 5)}).to_csv(path, index=False)
    code, said = call(path, "--as", "pv/Yancheng", "--check")
    assert code == 7
    assert "12.50" in said


def pypsa(folder: Path, numbers: bool) -> Path:
    folder.mkdir()
    time = YEAR.strftime("%Y-%m-%d %H:%M:%S")
    if numbers:
        pd.DataFrame({"snapshot": time, "objective": 1, "stores": 1, "generators": 1}).to_csv(folder / "snapshots.csv")
    else:
        pd.DataFrame({"name": time, "weightings": 1.0}).to_csv(folder / "snapshots.csv", index=False)
    frame = pd.DataFrame({"CN0 onwind": wave(), "CN1 onwind": wave() / 2}, index=range(N) if numbers else time)
    frame.index.name = None if numbers else "name"
    frame.to_csv(folder / "generators-p_max_pu.csv")
    return folder / "generators-p_max_pu.csv"


@pytest.mark.parametrize("numbers", [True, False])
def test_both_layouts_of_pypsa(tmp_path, numbers):
    path = pypsa(tmp_path / "n", numbers)
    assert detect(path) == "pypsa"
    found = import_series([path], Options(names=("wind_onshore/Xuzhou",), columns=("CN1 onwind",)))
    assert_allclose(found.profiles.values[:, 0], np.roll(wave() / 2, 8))
    code, said = call(path, "--as", "wind_onshore/Xuzhou", "--check")
    assert code == 3
    assert "choose one by --column: CN0 onwind [1], CN1 onwind [1]" in said


@pytest.mark.parametrize("periods", [24, 288])
def test_rts_gmlc_has_periods_of_a_day(tmp_path, periods):
    days = pd.date_range("2020-01-01", "2020-12-31", freq="D")
    frame = pd.DataFrame({"Year": 2020, "Month": np.repeat(days.month, periods), "Day": np.repeat(days.day, periods)})
    frame["Period"] = np.tile(np.arange(1, periods + 1), len(days))
    hourly = np.round(300 * wave(8784), 3)
    frame["309_WIND_1"] = np.repeat(hourly, periods // 24) + (
        np.tile([-1.0, 1.0], len(frame) // 2) if periods > 24 else 0
    )
    path = tmp_path / "wind.csv"
    frame.to_csv(path, index=False)
    options = Options(names=("wind_onshore/X",), rated=300.0, year=2024)
    found = import_series([path], options)
    assert found.form == "rts-gmlc"
    assert (found.profiles.hours, str(found.profiles.start)) == (8784, "2024-01-01T00")
    assert_allclose(found.profiles.values[:, 0], hourly / 300, atol=1e-9)
    assert any("moved from 2020" in note for note in found.notes)
    whole = import_series([path], Options(names=("load/X",)))
    assert whole.profiles.units == ("MW",)


def test_load_of_the_provinces_of_china(tmp_path):
    path = tmp_path / "load.csv"
    frame = pd.DataFrame({"Time Series": range(1, 8761), "AH": 20_000 + 100 * np.arange(8760) % 7000, "JS": 60_000.5})
    path.write_bytes(b"\xef\xbb\xbf" + frame.to_csv(index=False).encode())
    assert detect(path) == "china-load"
    found = import_series([path], Options(year=2018))
    assert found.profiles.names == ("load/AH", "load/JS")
    assert_allclose(found.profiles.column("load/AH"), frame["AH"])
    leap = import_series([path], Options(names=("load/all",), columns=("JS",), year=2024, adjust_leap_day=True))
    assert leap.profiles.hours == 8784
    code, said = call(path, "--check", "--year", "2024")
    assert code == 3
    assert "--leap-day adjust" in said


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_plain_tables(tmp_path, suffix):
    time = pd.date_range("2024-01-01", periods=48 * 4, freq="15min")
    frame = pd.DataFrame({"time": time, "farm": np.repeat(np.arange(48.0), 4) + np.tile([-3, -1, 1, 3], 48) + 3})
    path = tmp_path / f"t{suffix}"
    {".csv": frame.to_csv, ".xlsx": frame.to_excel, ".parquet": frame.to_parquet}[suffix](path, index=False)
    found = import_series([path], Options(names=("wind_onshore/farm",), unit="%"))
    assert_allclose(found.profiles.values[:, 0], (np.arange(48) + 3) / 100)
    ending = import_series([path], Options(names=("wind_onshore/farm",), rated=100.0, utc_offset_h=0.0))
    assert str(ending.profiles.start) == "2024-01-01T08"


def test_gaps_of_up_to_three_hours_are_filled_and_counted(tmp_path):
    frame = pd.DataFrame({"time": YEAR, "w": wave()})
    path = tmp_path / "a.csv"
    frame.drop(index=range(100, 103)).to_csv(path, index=False)
    code, said = call(path, "--as", "wind_onshore/a", "-o", tmp_path / "o.csv", "--check")
    assert code == 0, said
    assert "  3     ok" in said
    assert "short gaps were interpolated" in said
    frame.drop(index=range(100, 104)).to_csv(path, index=False)
    code, said = call(path, "--as", "wind_onshore/a", "--check")
    assert code == 3
    assert "no gap longer than 3 h" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (100 * wave(), "looks like percent (say it: a name that ends with [%], or gridsim profiles import --unit %)"),
        (3e5 * wave(), "looks like MW or kW"),
        (0.01 * wave(), "mean from 0.08"),
    ],
)
def test_units_that_cannot_be_right(tmp_path, values, said):
    path = tmp_path / "a.csv"
    pd.DataFrame({"time": YEAR, "w": values}).to_csv(path, index=False)
    code, output = call(path, "--as", "wind_onshore/a", "-o", tmp_path / "o.csv")
    assert code == 3
    assert said in output


def test_a_farm_in_mw_is_told_from_one_in_pu(tmp_path):
    path = tmp_path / "a.csv"
    pd.DataFrame({"time": YEAR, "w [MW]": 300.0 * wave()}).to_csv(path, index=False)
    code, said = call(path, "--as", "wind_onshore/a", "--check")
    assert code == 0
    assert "--rated POWER makes p.u. of it" in said
    code, said = call(path, "--as", "wind_onshore/a", "--rated", 300, "--check")
    assert code == 0
    assert "makes p.u. of it" not in said


# --- weather


def era5(path: Path, new: bool) -> Path:
    """A month over four points: constant wind, sun of the hour that ends at the stamp."""
    time = pd.date_range("2023-06-01", periods=30 * 24, freq="h")
    shape = (len(time), 2, 2)
    before = sun_utc(-30.0, time)  # the middle of the hour before the stamp
    ghi = 800.0 * 3600.0 * before[:, None, None] * np.ones(shape)
    fields = {
        "u100": np.full(shape, 8.0), "v100": np.full(shape, 6.0), "u10": np.full(shape, 4.0),
        "v10": np.full(shape, 3.0),
        "t2m": np.full(shape, 293.15), "ssrd": ghi, "fdir": 0.5 * ghi,
    }  # fmt: skip
    name = "valid_time" if new else "time"
    dims = (name, "latitude", "longitude")
    coords = {name: time, "latitude": [33.5, 33.25], "longitude": [120.0, 120.25]}
    data = xr.Dataset({k: (dims, v) for k, v in fields.items()}, coords)
    if new:
        data = data.expand_dims(number=[0]).assign_coords(expver=(name, ["0001"] * len(time)))
    packing = {"dtype": "int16", "scale_factor": 0.001, "add_offset": 5.0, "_FillValue": -32768}
    packed = dict.fromkeys(("u100", "v100"), packing)
    data.to_netcdf(path, engine="h5netcdf", encoding=packed)
    return path


@pytest.mark.parametrize("new", [False, True])
def test_era5_wind_goes_through_the_built_in_curve(tmp_path, new):
    path = era5(tmp_path / "era5.nc", new)
    assert detect(path) == "era5"
    names = ("wind_offshore/a", "wind_onshore/a", "pv/a", "temperature/a")
    found = import_series([path], Options(names=names, lat_deg=SITE[0], lon_deg=SITE[1]))
    p = found.profiles
    assert (p.hours, str(p.start)) == (30 * 24 - 1, "2023-06-01T08")
    assert_allclose(p.column("wind_offshore/a"), power_of_speed("wind_offshore", np.full(719, 10.0)), atol=1e-3)
    # 5 m/s at 10 m and 10 at 100 m: an exponent of log10(2), up to 140 m
    at_hub = 10.0 * 1.4 ** np.log10(2.0)
    assert_allclose(p.column("wind_onshore/a"), power_of_speed("wind_onshore", np.full(719, at_hub)), atol=1e-3)
    assert_allclose(p.column("temperature/a"), 20.0, atol=1e-6)
    sun = p.column("pv/a")
    assert found.ok, found.as_text()
    assert 0.3 < sun.max() < 0.8
    assert sun[(sun_utc(30.0, pd.date_range("2023-06-01", periods=719, freq="h")) == 0)].max() == 0


def test_a_place_outside_the_file_is_refused(tmp_path):
    path = era5(tmp_path / "era5.nc", True)
    code, said = call(path, "--as", "pv/a", "--lat", 31, "--lon", 120.1, "--check")
    assert code == 3
    assert "must lie in the file's lat from 33.25 to 33.5: 31 does not" in said
    code, said = call(path, "--as", "pv/nowhere", "--check")
    assert code == 3
    assert "must come with --lat and --lon, or be a site of the built-in grid" in said
    code, said = call(path, "--check")
    assert code == 3
    assert "must say what to make of weather" in said


def test_an_atlite_cutout(tmp_path):
    time = pd.date_range("2023-06-01", periods=30 * 24, freq="h")
    shape = (len(time), 3, 2)
    sun = 700.0 * sun_utc(-30.0, time)[:, None, None] * np.ones(shape)
    fields = {
        "wnd100m": np.full(shape, 9.0), "wnd_shear_exp": np.full(shape, 0.1), "roughness": np.full(shape, 0.1),
        "influx_direct": 0.6 * sun, "influx_diffuse": 0.4 * sun, "temperature": np.full(shape, 290.0),
        "influx_toa": sun,
    }  # fmt: skip
    coords = {"time": time, "y": [33.0, 33.25, 33.5], "x": [120.0, 120.25]}
    data = xr.Dataset({k: (("time", "y", "x"), v) for k, v in fields.items()}, coords, {"module": "era5", "dx": 0.25})
    path = tmp_path / "cutout.nc"
    data.to_netcdf(path, engine="h5netcdf")
    assert detect(path) == "atlite"
    found = import_series([path], Options(names=("wind_onshore/Yancheng", "pv/Yancheng")))  # a built-in city
    hub = 9.0 * 1.4**0.1
    assert_allclose(found.profiles.column("wind_onshore/Yancheng"), power_of_speed("wind_onshore", np.full(719, hub)))
    assert found.ok, found.as_text()


def test_files_of_months_and_of_variables_make_one(tmp_path):
    path = era5(tmp_path / "all.nc", True)
    with xr.open_dataset(path, engine="h5netcdf") as data:
        data = data.load()
        parts = []
        for k, names in enumerate((["u100", "v100", "u10", "v10", "t2m"], ["ssrd", "fdir"])):
            for half, rows in enumerate((slice(0, 300), slice(300, None))):
                parts.append(tmp_path / f"part{k}{half}.nc")
                data[names].isel(valid_time=rows).drop_encoding().to_netcdf(parts[-1], engine="h5netcdf")
    options = Options(names=("wind_offshore/a", "pv/a"), lat_deg=SITE[0], lon_deg=SITE[1])
    whole, joined = import_series([path], options), import_series(parts, options)
    assert_allclose(joined.profiles.values, whole.profiles.values, atol=1e-12)
    assert len(joined.sources) == 4


def tmy_times() -> list[pd.Timestamp]:
    """A typical year: every month of another year, none with a 29 February."""
    years = [2007, 2010, 2016, 2009, 2013, 2008, 2011, 2012, 2014, 2015, 2006, 2005]
    plain = pd.date_range("2023-01-01", "2023-12-31 23:00", freq="h")
    return [t.replace(year=years[t.month - 1]) for t in plain]


def pvgis_tmy(path: Path, offset: float) -> Path:
    times = tmy_times()
    ghi = np.round(700.0 * sun_utc(60.0 * offset), 2)
    head = f"Latitude (decimal degrees): {SITE[0]}\r\nLongitude (decimal degrees): {SITE[1]}\r\nElevation (m): 3.0\r\n"
    if offset:
        head += f"Irradiance Time Offset (h): {offset:.4f}\r\n"
    head += "month,year\r\n" + "".join(f"{m},{times[int(N * (m - 0.5) / 12)].year}\r\n" for m in range(1, 13))
    head += "time(UTC),T2m,RH,G(h),Gb(n),Gd(h),IR(h),WS10m,WD10m,SP\r\n"
    rows = [
        f"{t:%Y%m%d:%H%M},15.0,80.0,{g},{0.5 * g},{0.6 * g:.2f},300.0,5.0,90.0,101000.0"
        for t, g in zip(times, ghi, strict=True)
    ]
    tail = "\r\n\r\nT2m: 2-m air temperature (degree Celsius)\r\n\r\nPVGIS (c) European Union, 2001-2022\r\n"
    path.write_bytes((head + "\r\n".join(rows) + tail).encode())
    return path


@pytest.mark.parametrize("offset", [0.0, 0.1761])
def test_a_typical_year_of_pvgis(tmp_path, offset):
    path = pvgis_tmy(tmp_path / "tmy.csv", offset)
    assert detect(path) == "pvgis-tmy"
    code, said = call(path, "--as", "pv/Yancheng", "--check")
    assert code == 3
    assert "--year must say for which year" in said
    found = import_series([path], Options(names=("pv/Yancheng", "temperature/Yancheng"), year=2024))
    assert found.ok, found.as_text()
    assert (found.profiles.hours, str(found.profiles.start)) == (8784, "2024-01-01T00")
    assert_allclose(found.profiles.column("temperature/Yancheng"), 15.0)
    assert abs(found.rows[0].centre_h - 12.0) < 0.1
    day = found.profiles.column("pv/Yancheng").reshape(-1, 24)
    assert_allclose(day[59], day[58], atol=1e-3)  # 29 February is the 28th


def test_pvgis_by_the_hour(tmp_path):
    times = pd.date_range("2023-01-01 00:10", periods=N, freq="h")
    power = np.round(2000.0 * 0.8 * sun_utc(10.0), 1)
    head = (
        f"Latitude (decimal degrees):\t{SITE[0]}\r\nLongitude (decimal degrees):\t{SITE[1]}\r\nElevation (m):\t3\r\n"
        "Radiation database:\tPVGIS-ERA5\r\n\r\nSlope: 25 deg. \r\nAzimuth: 0 deg. \r\n"
        "Nominal power of the PV system (c-Si) (kWp):\t2.0\r\nSystem losses (%):\t14.0\r\n\r\n"
        "time,P,G(i),H_sun,T2m,WS10m,Int\r\n"
    )
    rows = [f"{t:%Y%m%d:%H%M},{p},{p / 2},30.0,15.0,3.0,0.0" for t, p in zip(times, power, strict=True)]
    path = tmp_path / "Timeseries.csv"
    path.write_text(
        head + "\r\n".join(rows) + "\r\n\r\nP: PV system power (W)\r\n\r\nPVGIS (c) European Union\r\n", newline=""
    )
    assert detect(path) == "pvgis"
    found = import_series([path], Options(names=("pv/Yancheng",)))
    assert found.ok, found.as_text()
    # between two stamps as a straight line: the cosine at the middle of the hour to a few thousandths
    assert_allclose(found.profiles.values[:, 0], np.roll(0.8 * sun_utc(30.0), 8), atol=0.08)
    assert found.profiles.values.max() == pytest.approx(0.8, abs=0.02)
    assert found.rows[0].centre_h == pytest.approx(12.0, abs=0.05)


def epw(path: Path) -> Path:
    times = tmy_times()
    hour = np.arange(N) % 24
    ghi = np.round(700.0 * np.maximum(np.cos((hour + 0.5 - 12.0) / 12.0 * np.pi), 0.0), 1)  # local, hour-beginning
    lines = [
        f"LOCATION,Yancheng,JS,CHN,CSWD,580270,{SITE[0]},{SITE[1]},8.0,3.0", "DESIGN CONDITIONS,0",
        "TYPICAL/EXTREME PERIODS,0",
        "GROUND TEMPERATURES,0", "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0", "COMMENTS 1,made up", "COMMENTS 2,",
        "DATA PERIODS,1,1,Data,Sunday, 1/ 1,12/31",
    ]  # fmt: skip
    for t, g in zip(times, ghi, strict=True):
        temperature = 99.9 if (t.month, t.day, t.hour) == (3, 3, 5) else 18.0
        cells = [
            t.year,
            t.month,
            t.day,
            t.hour + 1,
            0,
            "?9",
            temperature,
            9,
            60,
            101000,
            0,
            0,
            300,
            g,
            0.5 * g,
            0.6 * g,
        ]
        lines.append(",".join(map(str, [*cells, 0, 0, 0, 0, 90, 3.5, 5, 5, *([0] * 11)])))
    path.write_bytes("\n".join(lines).encode("latin-1"))
    return path


def test_an_epw_file(tmp_path):
    path = epw(tmp_path / "CHN_JS.epw")
    assert detect(path) == "epw"
    names = ("pv/Yancheng", "temperature/Yancheng", "wind_onshore/Yancheng")
    found = import_series([path], Options(names=names, year=2023))
    assert found.ok, found.as_text()
    assert_allclose(found.profiles.column("temperature/Yancheng"), 18.0)
    assert [row.gaps for row in found.rows][1] == 1
    hub = 3.5 * 14.0**0.20  # from 10 m to 140 m by the assumed exponent
    assert_allclose(
        found.profiles.column("wind_onshore/Yancheng")[0], power_of_speed("wind_onshore", np.array([hub]))[0]
    )
    assert any("UTC+8" in note for note in found.notes)


def test_pv_of_a_clear_noon_is_what_its_parts_say():
    """Sun nearly overhead: plane and horizontal see the same, 1000 W/m2 at a cell of 25 degC gives the losses."""
    noon = np.array(["2023-06-21T04:00"], dtype="datetime64[s]")
    one = np.ones(1)
    weather = Measured(
        noon, 23.4, 120.0, 1000.0 * one, 900.0 * one, 100.0 * one, (25.0 - 1000 / (25.0 + 6.84 * 2.5)) * one
    )
    power, _ = pv(weather)
    assert power[0] == pytest.approx(0.80 * 0.97, abs=0.03)


# --- command line and use


def test_offsets():
    assert [parse_offset(t) for t in ("UTC", "8", "+08:00", "-03:30", "0")] == [0, 8, 8, -3.5, 0]
    for bad in ("Asia/Shanghai", "25", ""):
        with pytest.raises(ValueError, match=bad or "could not"):
            parse_offset(bad)


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.nc", "none"), ("a.xlsx", "none"), ("a.parquet", "none"), ("a.h5", "none"), ("a.csv", ""),
     ("a.epw", "LOCATION,x\n"),
     ("a.csv", "Latitude (decimal degrees): 33\nmonth,year\n"), ("a.csv", "Year,Month,Day,Period,x\n2020,13,1,1,5\n")],
)  # fmt: skip
def test_damaged_files_are_refused_in_words(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    code, said = call(path, "--as", "pv/Yancheng", "--year", 2024, "--check")
    assert code == 3, said
    assert "file " in said


def test_wrong_use_says_what_is_right(tmp_path):
    path = ninja(tmp_path / "n.csv")
    there = tmp_path / "there.csv"
    there.write_text("mine")
    for args, code, said in (
        ((path,), 2, "give -o FILE to write, or --check to look"),
        ((path, "--check", "--lat", 3), 2, "--lat and --lon go together"),
        ((path, "--check", "--tz", "CET"), 2, "--tz must be a UTC offset"),
        ((path, "-o", there), 3, "must be a new file"),
        ((path, "-o", tmp_path / "x.nc"), 3, "must be a .csv or .h5 file"),
        ((path, "--check", "--format", "ninjas"), 3, "--format must be auto, ninja"),
        ((tmp_path / "no.csv", "--check"), 3, "there is no such file"),
    ):
        assert call(*args)[0] == code
        assert said in call(*args)[1]
    assert there.read_text() == "mine"


def test_the_guide_imports_and_runs(tmp_path):
    """A wind farm's own year in place of the built-in one, for two days of the built-in grid."""
    path = ninja(tmp_path / "ninja.csv")
    out = tmp_path / "rudong.h5"
    site = "wind_offshore/Rudong near"
    assert call(path, "--as", site, "-o", out, "--year", 2024, "--leap-day", "adjust")[0] == 0
    (tmp_path / "own.toml").write_text(
        f'base = "jiangsu-2024"\n[profiles.files]\n"{site}" = "rudong.h5"\n[horizon]\nhours = 48\n'
        '[grid]\nn1 = "off"\n[solver]\neffort = "fast"\n'
    )
    plain, own = (assemble(load(spec, ("horizon.hours=48",))) for spec in ("jiangsu-2024", tmp_path / "own.toml"))
    names = list(own.sources["name"])
    changed = np.flatnonzero(np.abs(own.source_max_mw - plain.source_max_mw).max(axis=0) > 1e-6)
    assert {names[k][:20] for k in changed} == {"offshore wind Rudong"}
    rated = own.sources["p_nom_mw"].to_numpy(float)
    for k in changed:
        assert_allclose(own.source_max_mw[:, k], rated[k] * np.roll(wave(), 8)[:48], rtol=1e-4)
    code = CliRunner().invoke(main, ["run", str(tmp_path / "own.toml"), "-o", str(tmp_path / "r.h5"), "--no-report"])
    assert code.exit_code == 0, code.output
    assert CliRunner().invoke(main, ["audit", str(tmp_path / "r.h5")]).exit_code == 0
