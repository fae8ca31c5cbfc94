"""A year as a whole: the same bytes, whatever is asked for beside; the cache; what is refused."""

import warnings

import numpy as np
import pytest

from gridsim.errors import InputError
from gridsim.profiles import check, format_table, load_year, make_year
from gridsim.profiles import year as year_module


def test_same_seed_same_bytes(year_of, sites):
    again = make_year(sites, 2024, 7)
    assert again.values.tobytes() == year_of(7).values.tobytes()
    assert again.events == year_of(7).events
    assert again.digest() == year_of(7).digest()
    assert not np.array_equal(year_of(7).values, year_of(42).values)


def test_order_and_company_do_not_matter(year_of, sites):
    """Every third row, shuffled: bit for bit the columns of the whole table."""
    some = sites.sample(frac=0.34, random_state=1)
    made = make_year(some, 2024, 7)
    for name in made.names:
        np.testing.assert_array_equal(made.column(name), year_of(7).column(name), err_msg=name)


def test_one_series_alone(year_of, sites):
    for name in ("pv/Suzhou", "wind_offshore/Qidong", "load/Xuzhou", "import/Jinsu", "availability/Tianwan 3-4"):
        made = make_year(sites[sites["profile"] == name], 2024, 7)
        assert made.column(name).tobytes() == year_of(7).column(name).copy().tobytes()


def test_names_units_and_length(year_of, sites):
    profiles = year_of(7)
    assert profiles.names[: len(sites)] == tuple(sites["profile"])
    assert profiles.values.shape == (8784, len(sites) + 13)
    assert profiles.values.dtype == np.float64
    assert np.isfinite(profiles.values).all()
    unit = dict(zip(profiles.names, profiles.units, strict=True))
    assert (unit["load/Wuxi"], unit["pv/Wuxi"], unit["temperature/Wuxi"]) == ("MW", "1", "degC")
    assert str(profiles.start) == "2024-01-01T00"
    assert profiles.utc_offset_h == 8.0
    with pytest.raises(KeyError):
        profiles.column("pv/Atlantis")


def test_a_common_year(sites):
    made = make_year(sites[sites["kind"] == "pv"].head(2), 2023, 1)
    assert made.values.shape == (8760, 2)
    np.testing.assert_allclose(made.values.sum(axis=0), sites[sites["kind"] == "pv"]["full_load_h"].head(2), rtol=1e-4)


def test_the_built_in_grid():
    """Every row of the Jiangsu table can be made, and it meets every target."""
    networks = pytest.importorskip("gridsim.networks")
    sites = networks.jiangsu()["profile_site"]
    made = make_year(sites, 2024, 2024)
    off = [row.quantity for row in check(made, sites) if not row.ok]
    assert off == []


def test_table_is_text(year_of, sites):
    text = format_table(check(year_of(7), sites))
    assert "load: summer peak [GW]" in text
    assert text.splitlines()[0].split() == ["quantity", "target", "achieved", "allowed", "source"]


# ---- the cache


@pytest.fixture
def few(sites, tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDSIM_CACHE_DIR", str(tmp_path))
    return sites[sites["profile"].isin(["wind_offshore/Qidong", "import/Jinsu"])]


def test_cache_gives_the_same_year(few, tmp_path, monkeypatch):
    first = load_year(few, 2023, 5)
    monkeypatch.setattr(year_module, "make_year", lambda *a: pytest.fail("made again"))
    second = load_year(few, 2023, 5)
    assert second.digest() == first.digest()
    assert second.events == first.events
    assert len(list(tmp_path.rglob("*"))) == 2  # the folder and one file: no temporary is left


def test_cache_key_sees_sites_year_and_seed(few, tmp_path):
    load_year(few, 2023, 5)
    load_year(few, 2023, 6)
    load_year(few.assign(energy_twh=few["energy_twh"] + 0.5), 2023, 5)
    assert len(list(tmp_path.rglob("*.npz"))) == 3


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:3000] + b"\x07" + b[3001:]])
def test_a_damaged_cache_file_is_made_again(few, tmp_path, damage):
    first = load_year(few, 2023, 5)
    path = next(tmp_path.rglob("*.npz"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(RuntimeWarning, match="damaged"):
        second = load_year(few, 2023, 5)
    assert second.digest() == first.digest()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_year(few, 2023, 5)


def test_a_cache_that_cannot_be_written_is_no_error(few, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("GRIDSIM_CACHE_DIR", str(blocked))
    with pytest.warns(RuntimeWarning, match="cannot be written"):
        load_year(few, 2023, 5)


# ---- what is refused


def test_all_problems_of_a_site_table_at_once(sites):
    bad = sites[sites["profile"].isin(["pv/Wuxi", "load/Wuxi", "import/Jinsu"])].copy()
    bad.loc[bad["profile"] == "pv/Wuxi", "full_load_h"] = np.nan
    bad.loc[bad["profile"] == "load/Wuxi", "energy_twh"] = -1.0
    bad.loc[bad["profile"] == "import/Jinsu", "kind"] = "magic"
    with pytest.raises(InputError) as error:
        make_year(bad, 2024, 1)
    assert len(error.value.problems) == 3


def test_out_of_reach_is_refused_together(sites):
    bad = sites[sites["profile"].isin(["pv/Wuxi", "wind_offshore/Qidong", "import/Jinsu"])].copy()
    bad.loc[bad["profile"] == "pv/Wuxi", "full_load_h"] = 2500.0
    bad.loc[bad["profile"] == "wind_offshore/Qidong", "full_load_h"] = 7000.0
    bad.loc[bad["profile"] == "import/Jinsu", "energy_twh"] = 900.0
    with pytest.raises(InputError) as error:
        make_year(bad, 2024, 1)
    assert len(error.value.problems) == 3
    assert "2500" in str(error.value)


def test_missing_columns_and_repeated_rows(sites):
    with pytest.raises(InputError, match="full_load_h"):
        make_year(sites.drop(columns="full_load_h"), 2024, 1)
    with pytest.raises(InputError, match="must be there once"):
        make_year(sites.iloc[[0, 0]], 2024, 1)
