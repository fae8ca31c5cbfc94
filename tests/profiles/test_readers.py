"""Users' files: what is read, and what is refused with which words."""

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gridsim.errors import InputError
from gridsim.profiles import read_series

HOURS = {2023: 8760, 2024: 8784}


def stamps(year=2023, freq="h"):
    return pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq=freq, inclusive="left")


def sun_like(n, per_hour=1, noon=12.0):
    """A half sine over the day, its centre at `noon`."""
    hour = (np.arange(n) + 0.5) / per_hour % 24
    return np.round(np.maximum(np.cos((hour - noon) / 12 * np.pi), 0.0) * 0.8, 6)


def frame(year=2023, freq="h", per_hour=1):
    time = stamps(year, freq)
    n = len(time)
    wave = 5000 + 1000 * np.sin(np.arange(n) / per_hour * 2 * np.pi / 24)
    return pd.DataFrame({"time": time, "load/Wuxi": np.round(wave, 3), "pv/Wuxi": sun_like(n, per_hour)})


def write(path, table, **options):
    table.to_csv(path, index=False, **options)
    return path


def refused(path, **options):
    with pytest.raises(InputError) as error:
        read_series(path, **options)
    return str(error.value)


# ---- good files


def test_plain_csv(tmp_path):
    table = frame()
    got = read_series(write(tmp_path / "a.csv", table), year=2023)
    assert got.names == ("load/Wuxi", "pv/Wuxi")
    assert got.units == ("MW", "1")
    assert str(got.start) == "2023-01-01T00"
    np.testing.assert_array_equal(got.column("load/Wuxi"), table["load/Wuxi"])


@pytest.mark.parametrize(
    ("options", "encoding"),
    [
        ({"sep": ";"}, "utf-8"),
        ({"sep": ";", "decimal": ","}, "utf-8-sig"),
        ({"sep": "\t"}, "utf-16"),
        ({"date_format": "%d/%m/%Y %H:%M"}, "utf-8"),
        ({"date_format": "%Y%m%d:%H%M"}, "gb18030"),
        ({"date_format": "%Y-%m-%dT%H:%M:%S+08:00"}, "utf-8"),
    ],
)
def test_dialects(tmp_path, options, encoding):
    table = frame()
    got = read_series(write(tmp_path / "a.csv", table, encoding=encoding, **options), year=2023)
    np.testing.assert_allclose(got.column("pv/Wuxi"), table["pv/Wuxi"])
    assert str(got.start) == "2023-01-01T00"


def test_chinese_header_and_comments(tmp_path):
    text = "# from the office\n" + frame().rename(columns={"time": "时间"}).to_csv(index=False)
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("gb18030"))
    assert read_series(path, year=2023).hours == 8760


def test_integer_steps(tmp_path):
    table = frame(2024)
    table["time"] = np.arange(len(table))
    got = read_series(write(tmp_path / "a.csv", table), year=2024)
    assert got.hours == 8784
    assert "no year was given" in refused(tmp_path / "a.csv")


def test_pypsa_snapshots(tmp_path):
    table = frame().rename(columns={"time": "snapshot"})
    table.to_csv(tmp_path / "a.csv", index=True)  # an integer column without a name comes first
    assert read_series(tmp_path / "a.csv", year=2023).names == ("load/Wuxi", "pv/Wuxi")


def test_units_in_the_name_and_by_argument(tmp_path):
    table = frame().rename(columns={"load/Wuxi": "load/Wuxi [kW]", "pv/Wuxi": "pv/Wuxi [%]"})
    table["load/Wuxi [kW]"] *= 1000
    table["pv/Wuxi [%]"] *= 100
    got = read_series(write(tmp_path / "a.csv", table), year=2023)
    np.testing.assert_allclose(got.column("load/Wuxi"), frame()["load/Wuxi"])
    np.testing.assert_allclose(got.column("pv/Wuxi"), frame()["pv/Wuxi"])
    plain = frame()
    plain["load/Wuxi"] /= 1000
    got = read_series(write(tmp_path / "b.csv", plain), year=2023, units={"load/Wuxi": "GW"})
    np.testing.assert_allclose(got.column("load/Wuxi"), frame()["load/Wuxi"])


def test_kelvin(tmp_path):
    table = pd.DataFrame({"time": stamps(), "temperature/Wuxi": 290.0})
    got = read_series(write(tmp_path / "a.csv", table), year=2023, units={"temperature/Wuxi": "K"})
    assert got.column("temperature/Wuxi")[0] == pytest.approx(16.85)
    assert "looks like K" in refused(tmp_path / "a.csv", year=2023)


@pytest.mark.parametrize(("freq", "per_hour"), [("30min", 2), ("15min", 4)])
def test_quarter_hours_become_means(tmp_path, freq, per_hour):
    table = frame(freq=freq, per_hour=per_hour)
    got = read_series(write(tmp_path / "a.csv", table), year=2023)
    assert got.hours == 8760
    want = table["load/Wuxi"].to_numpy().reshape(-1, per_hour).mean(axis=1)
    np.testing.assert_allclose(got.column("load/Wuxi"), want)


def test_hour_ending_stamps(tmp_path):
    table = frame()
    table["time"] += pd.Timedelta(hours=1)
    got = read_series(write(tmp_path / "a.csv", table), year=2023, stamp="end")
    np.testing.assert_array_equal(got.column("pv/Wuxi"), table["pv/Wuxi"])
    assert "starts at" in refused(tmp_path / "a.csv", year=2023) or "steps are not" in refused(
        tmp_path / "a.csv", year=2023
    )


def test_hour_24(tmp_path):
    table = frame()
    ends = table["time"] + pd.Timedelta(hours=1)
    table["time"] = [
        f"{(t - pd.Timedelta(days=1)):%Y-%m-%d} 24:00" if t.hour == 0 else f"{t:%Y-%m-%d %H:%M}" for t in ends
    ]
    assert read_series(write(tmp_path / "a.csv", table), year=2023, stamp="end").hours == 8760


def test_utc_year_is_rolled(tmp_path):
    table = frame()
    table["pv/Wuxi"] = sun_like(8760, noon=4.0)
    path = write(tmp_path / "a.csv", table)
    with pytest.warns(UserWarning, match="rolled"):
        got = read_series(path, year=2023, file_utc_offset_h=0.0)
    np.testing.assert_allclose(got.column("pv/Wuxi"), sun_like(8760), atol=1e-6)
    assert "as if its stamps were UTC" in refused(path, year=2023)


def test_any_run_of_hours_without_a_year(tmp_path):
    table = frame().iloc[100:1100]
    got = read_series(write(tmp_path / "a.csv", table))
    assert got.hours == 1000
    assert str(got.start) == "2023-01-05T04"


def test_short_gaps_are_filled(tmp_path):
    table = frame()
    table["load/Wuxi"] = np.arange(8760.0) + 2000
    table.loc[10:12, "load/Wuxi"] = np.nan
    path = write(tmp_path / "a.csv", table.drop(index=[50, 51]))
    with pytest.warns(UserWarning, match="interpolated"):
        got = read_series(path, year=2023)
    np.testing.assert_allclose(got.column("load/Wuxi"), np.arange(8760.0) + 2000)


def test_leap_day_repeated_on_request(tmp_path):
    table = frame(2024)
    table = table[(table["time"].dt.month != 2) | (table["time"].dt.day != 29)]
    path = write(tmp_path / "a.csv", table)
    assert "without 29 February (gridsim profiles import --leap-day adjust repeats the 28th)" in refused(
        path, year=2024
    )
    got = read_series(path, year=2024, leap_day="adjust").column("load/Wuxi")
    np.testing.assert_array_equal(got[59 * 24 : 60 * 24], got[58 * 24 : 59 * 24])


@pytest.mark.parametrize(("source", "year"), [(2024, 2023), (2023, 2025), (2020, 2024)])
def test_stamps_of_another_year(tmp_path, source, year):
    path = write(tmp_path / "a.csv", frame(source))
    assert read_series(path, year=year, source_year=source).hours == HOURS.get(year, 8760)
    assert f"--year {year} moves a whole year" in refused(path, year=year)


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%dT%H:%M:%S"])
def test_ways_to_write_a_time(tmp_path, form):
    """A day of more than 12 is no month: the 13th of January is where it should be."""
    table = frame()
    path = write(tmp_path / "a.csv", table.assign(time=table["time"].dt.strftime(form)))
    got = read_series(path, year=2023)
    assert str(got.start) == "2023-01-01T00"
    np.testing.assert_allclose(got.column("load/Wuxi"), table["load/Wuxi"])


def test_slightly_above_one_is_clipped(tmp_path):
    table = frame()
    table.loc[12, "pv/Wuxi"] = 1.01
    assert read_series(write(tmp_path / "a.csv", table), year=2023).column("pv/Wuxi").max() == 1.0


def test_hdf5(tmp_path):
    table = frame()
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["time"] = np.arange(8760)
        file["time"].attrs["units"] = "hours since 2023-01-01 00:00:00"
        file["load/Wuxi"] = table["load/Wuxi"].to_numpy() / 1000
        file["load/Wuxi"].attrs["units"] = "GW"
        file["pv/Wuxi"] = table["pv/Wuxi"].to_numpy()
    got = read_series(path, year=2023)
    np.testing.assert_allclose(got.column("load/Wuxi"), table["load/Wuxi"])


def test_hdf5_table(tmp_path):
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["time"] = [str(t) for t in stamps()]
        file["names"] = ["pv/Wuxi", "pv/Suzhou"]
        file["values"] = np.column_stack([sun_like(8760)] * 2)
    assert read_series(path, year=2023).names == ("pv/Wuxi", "pv/Suzhou")


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_netcdf(tmp_path, engine):
    data = xr.Dataset(
        {"pv": (("time", "city"), np.column_stack([sun_like(8760)] * 2)), "demand": ("time", np.full(8760, 900.0))},
        coords={"time": stamps(), "city": ["Wuxi", "Suzhou"]},
    )
    path = tmp_path / "a.nc"
    data.to_netcdf(path, engine=engine)
    got = read_series(path, year=2023)
    assert set(got.names) == {"pv/Wuxi", "pv/Suzhou", "demand"}
    assert dict(zip(got.names, got.units, strict=True))["demand"] == "MW"


# ---- bad files


def change(table, column, row, value):
    table = table.astype({column: object})
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.drop(index=range(100, 110)), ("load/Wuxi", "gap longer than 3 h", "2023-01-05 04:00", "10 h")),
        (
            lambda t: change(t, "load/Wuxi", 77, "broken"),
            ("load/Wuxi", "must be numbers", "2023-01-04 05:00", "broken"),
        ),
        (
            lambda t: change(t, "load/Wuxi", 77, -5.0),
            ("load/Wuxi", "must not be negative", "1 hour is, first at 2023-01-04 05:00 (-5 MW)"),
        ),
        (
            lambda t: change(t, "pv/Wuxi", slice(3, 4), -0.02),
            ("must not be negative", "2 hours are", "03:00 (-0.02 p.u.)"),
        ),
        (lambda t: change(t, "pv/Wuxi", 12, 1.3), ("pv/Wuxi", "at most 1", "2023-01-01 12:00", "1.3")),
        (lambda t: t.assign(**{"pv/Wuxi": t["pv/Wuxi"] * 100}), ("pv/Wuxi", "a name that ends with [%]", "--unit %")),
        (lambda t: t.assign(**{"pv/Wuxi": t["pv/Wuxi"] * 900}), ("pv/Wuxi", "looks like MW or kW", "--rated POWER")),
        (lambda t: t.assign(**{"load/Wuxi": t["load/Wuxi"] * 1000}), ("load/Wuxi", "looks like kW")),
        (lambda t: t.assign(**{"load/Wuxi": t["load/Wuxi"] / 6000}), ("load/Wuxi", "looks like p.u.")),
        (lambda t: pd.concat([t.iloc[:50], t.iloc[49:]]), ("time", "1 stamp does", "2023-01-03T01:00", "UTC")),
        (lambda t: pd.concat([t.iloc[50:60], t.iloc[:50], t.iloc[60:]]), ("time", "must rise")),
        (lambda t: t.iloc[:8000], ("time", "must cover 2023", "8000", "ends at")),
        (lambda t: t.iloc[24:], ("time", "must cover 2023", "starts at")),
        (lambda t: t.iloc[::2], ("time", "steps by 120 min")),
        (lambda t: change(t, "time", 5, "yesterday"), ("time", "must be times", "yesterday")),
        (lambda t: t.assign(**{"pv/Wuxi": np.roll(t["pv/Wuxi"], 1)}), ("pv/Wuxi", "solar noon", "13.0", "--tz")),
        (lambda t: t.assign(**{"pv/Wuxi [lux]": 0.5}), ("pv/Wuxi", "must have a unit of")),
        (lambda t: t.assign(thing=40.0), ("thing", "must say its unit")),
        (lambda t: t[["time"]].assign(time=t["time"]), ("file", "at least one series")),
    ],
)
def test_refused(tmp_path, edit, words):
    said = refused(write(tmp_path / "a.csv", edit(frame())), year=2023)
    for word in ("a.csv", *words):
        assert word in said


def test_8760_hours_for_a_leap_year(tmp_path):
    table = frame(2024).drop(columns="time").iloc[:8760].reset_index(names="step")
    said = refused(write(tmp_path / "a.csv", table), year=2024)
    assert "8784" in said
    assert "8760" in said


def test_every_problem_is_listed(tmp_path):
    table = frame()
    table["pv/Suzhou"] = table["pv/Wuxi"] * 100
    table["load/Suzhou"] = -900.0
    with pytest.raises(InputError) as error:
        read_series(write(tmp_path / "a.csv", table), year=2023)
    assert [p.where for p in error.value.problems] == ["pv/Suzhou", "load/Suzhou"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b""), ("a.csv", b"time,load/X\n"), ("a.h5", b"not hdf5"), ("a.nc", b"CDF\x01broken"), ("a.xlsx", b"x")],
)
def test_not_a_table(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, year=2023)


def test_missing_file_and_bad_options(tmp_path):
    assert "no such file" in refused(tmp_path / "none.csv")
    path = write(tmp_path / "a.csv", frame())
    assert "stamp" in refused(path, stamp="middle")


def test_ragged_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,load/A\n2023-01-01 00:00,1\n2023-01-01 01:00,1,2\n")
    assert "row 3" in refused(path)


def test_hdf5_without_time_or_of_wrong_length(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["pv/Wuxi"] = np.zeros(10)
    assert "dataset 'time'" in refused(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["time"] = [str(t) for t in stamps()]
        file["pv/Wuxi"] = np.zeros(10)
    assert "must be 8760 numbers" in refused(tmp_path / "b.h5")


@pytest.mark.parametrize("cell", ['"', '"' + "x" * 140_000])
def test_a_quote_without_an_end_is_said(tmp_path, cell):
    """It takes all that follows into one cell, which has a limit of its own."""
    path = tmp_path / "x.csv"
    path.write_text(f"time,load/A,{cell}\n2023-01-01 00:00,1,2\n2023-01-01 01:00,1,2\n")
    with pytest.raises(InputError, match=r"a quote there has no end|field larger than field limit"):
        read_series(path)
