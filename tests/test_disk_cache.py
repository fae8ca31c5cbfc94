"""The cache folder: keys that see every byte, whole files only, a limit."""

import os

import pytest

from gridsim import disk_cache


def test_a_digest_sees_bytes_order_and_borders():
    keys = {
        disk_cache.digest(parts) for parts in ([b"ab", b"c"], [b"a", b"bc"], [b"abc"], [b"c", b"ab"], [b"ab", b"d"])
    }
    assert len(keys) == 5
    assert disk_cache.digest([b"ab", b"c"]) in keys


def test_sources_see_names_and_contents(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = disk_cache.sources(tmp_path, "*.py", "*.csv")
    (tmp_path / "b.csv").write_text("2")
    second = disk_cache.sources(tmp_path, "*.py", "*.csv")
    (tmp_path / "b.csv").rename(tmp_path / "c.csv")
    assert [first, second, disk_cache.sources(tmp_path, "*.py", "*.csv")] == [
        [b"a.py", b"1"],
        [b"a.py", b"1", b"b.csv", b"2"],
        [b"a.py", b"1", b"c.csv", b"2"],
    ]


def test_the_least_recently_used_go_first_and_the_new_one_never(tmp_path):
    for age, name in enumerate(("new", "middle", "old")):
        disk_cache.write(tmp_path / name, b"x" * 100)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    disk_cache.mark_used(tmp_path / "old")
    disk_cache.write(tmp_path / "last", b"y" * 60, b"y" * 40, limit_bytes=250)
    assert {path.name for path in tmp_path.iterdir()} == {"last", "old"}
    disk_cache.write(tmp_path / "huge", b"z" * 1000, limit_bytes=250)
    assert {path.name for path in tmp_path.iterdir()} == {"huge"}


def test_a_failure_leaves_no_file_and_is_said(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.warns(RuntimeWarning, match="cannot be written"):
        disk_cache.write(blocked / "x", b"1")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").touch()
    with pytest.warns(RuntimeWarning, match="cannot be written"):
        disk_cache.write(tmp_path / "taken", b"1")  # a folder cannot be replaced
    assert {path.name for path in tmp_path.iterdir()} == {"file", "taken"}
