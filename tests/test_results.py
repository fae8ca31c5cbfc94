"""The results file: what goes in comes out, for h5py, xarray and people; and nothing half-written is ever left."""

import dataclasses
import errno
import fcntl
import itertools
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_array_equal

from gridsim import part_file, results_writer
from gridsim.errors import InputError, IntegrityError, ResourceError
from gridsim.results import ResultsReader, ResultsWriter
from gridsim.results_frame import dims_of
from gridsim.schema import BY_PATH, DATASETS, FORMAT_VERSION, GRID, TABLES, ordered_techs
from gridsim.summary import RUN_KEYS, as_text
from gridsim.summary_sums import step_bytes, sums_of

sys.path.insert(0, str(Path(__file__).parent))
from same_file import everything
from small_case import block, of_days, report, small_case, small_scenario, write_small


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "run.h5"
    write_small(path)
    return path


def blocks() -> list[dict[str, np.ndarray]]:
    return [block(small_case(), w.kept, i) for i, w in enumerate(small_scenario().windows())]


# --- what goes in comes out


def test_arrays_come_back_on_the_grid(path):
    with ResultsReader(path) as run:
        for name in blocks()[0]:
            want = np.concatenate([b[name] for b in blocks()])
            got = run.array(name)
            tolerance = GRID / 2 if BY_PATH[name].on_grid else 0.0
            assert got.dtype == BY_PATH[name].dtype
            assert np.abs(got - want).max(initial=0.0) <= tolerance, name


def test_series_of_the_case_are_written_without_being_given(path):
    case = small_case()
    with ResultsReader(path) as run:
        np.testing.assert_allclose(run.array("dispatch/load_mw"), case.load_mw, rtol=0, atol=GRID)
        assert_array_equal(run.array("commitment/available"), case.unit_available)


def test_a_wide_sum_balances():
    """400 values of a grid, rounded one by one: their sum moves by less than the 1e-3 MW of an audit."""
    values = np.random.default_rng(1).random((1000, 400)) * 5000
    rounded = results_writer._stored(BY_PATH["dispatch/unit_p_mw"], values, values.shape)
    assert np.abs((rounded - values).sum(axis=1)).max() < 4e-4
    assert np.abs((values.astype(np.float32).astype(float) - values).sum(axis=1)).max() > 1e-3  # why not float32


def test_curtailment_is_exactly_the_sum_of_its_causes(path):
    with ResultsReader(path) as run:
        total = run.array("curtailment/cause_mw").sum(axis=2)
        assert_array_equal(run.array("curtailment/source_mw"), total)


def test_every_dataset_says_what_it_is(path):
    with ResultsReader(path) as run:
        for d in DATASETS:
            dataset = run[d.path]
            assert dataset.dtype == d.dtype, d.path
            assert [dataset.dims[i][0].name.split("/")[-1] for i in range(dataset.ndim)] == list(d.dims)
            assert dataset.attrs["units"] == d.units.replace("currency", "EUR")
            assert dataset.attrs["long_name"]
            assert ("rounding" in dataset.attrs) == d.on_grid
            if dataset.ndim == 2 and d.per_hour and d.path.endswith("_mw") and "commitment" not in d.path:
                assert d.sign, d.path


def test_tables_keep_columns_types_and_order(path):
    case = small_case()
    with ResultsReader(path) as run:
        for group in TABLES:
            want = getattr(case, group)
            got = run.table(group)
            assert list(got.columns) == list(want.columns)
            assert len(got) == len(want)
            for column in want:
                assert_array_equal(got[column].to_numpy(), want[column].to_numpy())
        assert run.table("units")["must_run"].dtype == bool
        assert_array_equal(run["units/seg_mw"], case.unit_seg_mw)
        assert list(run.table("windows")["gap"]) == [0.010, 0.011, 0.012]


def test_dimension_names_are_unique_and_ordered(path):
    with ResultsReader(path) as run:
        assert run.names("bus") == ["Nantong 南通 (row 0)", "Nantong 南通 (row 1)"]
        assert run.names("tech") == ["coal", "import", "wind_offshore", "pv", "battery", "geothermal"]
        assert run.frame("dispatch/tech_p_mw").columns.tolist() == run.names("tech")
        assert run.series("price/energy").index[0] == np.datetime64("2024-02-28T00")
    assert ordered_techs(["zeta", "pv", "alpha"]) == ["pv", "alpha", "zeta"]


def test_meta(path):
    with ResultsReader(path) as run:
        assert (run.meta["format"], run.meta["format_version"]) == ("gridsim", ".".join(map(str, FORMAT_VERSION)))
        assert run.meta["penalty_shed"] == 20_000.0
        assert run.scenario_text == small_scenario().text
        assert run.net_json == '{"a": 1}'
        assert run.notes[0]["why"] == "no reactive power here"
        assert run.events == []
        assert run.run["cpu_s"] == 1.0


# --- summary


def test_summary_from_the_arrays(path):
    with ResultsReader(path) as run:
        s = run.summary
        source, own = run.array("curtailment/source_mw"), run.array("curtailment/cause_mw")[:, :, 0]
        available = run.array("dispatch/source_available_mw") + own
        assert s["hours"] == 60
        assert s["total_cost"] == run.array("cost/total").sum()
        assert s["lower_bound"] == pytest.approx(s["total_cost"] - 33.0)  # 10 + 11 + 12
        assert (s["gap_mean"], s["gap_max"]) == pytest.approx((0.011, 0.012))
        assert s["energy_twh"]["geothermal"] == run.array("dispatch/tech_p_mw")[:, 5].sum() / 1e6
        assert s["curtailment_mwh"] == pytest.approx(source.sum())
        assert s["curtailment_rate_by_tech"]["pv"] == pytest.approx(source[:, 1].sum() / available[:, 1].sum())
        assert s["curtailment_rate"] == pytest.approx(source.sum() / available[:, :2].sum())
        assert "import" not in s["curtailment_rate_by_tech"]
        assert s["starts"] == run.array("commitment/start").sum()
        assert s["peak_load_mw"] == run.array("dispatch/load_mw").sum(axis=1).max()
        assert s["peak_valley_mw"] == {"before": 1.0, "after": 1.0}
        assert s["overload_mwh"] == run.array("flow/branch_overload_mw").sum()
        assert s["reserve_short_mwh"] == pytest.approx(run.array("reserve/short_mw").sum())
        assert s["file_mb"] == path.stat().st_size / 1e6
        assert as_text(s) is not None


def test_summary_group_holds_the_same_numbers(path):
    with ResultsReader(path) as run:
        stored = dict(run.file["summary"].attrs)
        assert stored["energy_twh.coal"] == run.summary["energy_twh"]["coal"]
        assert stored["total_cost"] == run.summary["total_cost"]
        assert not set(RUN_KEYS) & set(stored)


# --- other readers


def test_every_group_opens_with_xarray_and_coordinates(path):
    for group in dict.fromkeys(d.group for d in DATASETS):
        with xr.open_dataset(path, engine="h5netcdf", group=group) as data:
            data.load()
            assert set(data.coords) == set(data.sizes), group
    for group, dim in TABLES.items():
        with xr.open_dataset(path, engine="h5netcdf", group=group) as data:
            assert dim in data.load().coords
    with xr.open_dataset(path, engine="h5netcdf", group="dispatch") as data:
        assert data.time.values[0] == np.datetime64("2024-02-28T00")
        assert data.time.values[24] == np.datetime64("2024-02-29T00")  # 2024 is a leap year
        assert data.unit_p_mw.sel(unit="G2", time="2024-02-29T05").shape == ()
        assert data.unit_p_mw.attrs["units"] == "MW"


# --- determinism


def test_two_runs_are_the_same_but_for_times(path, tmp_path):
    write_small(tmp_path / "again.h5", run={"cpu_s": 9.0})
    first, second = everything(path), everything(tmp_path / "again.h5")
    assert first == second
    assert len(first) > len(DATASETS)


def test_the_numbers_of_an_execution_are_asked_when_its_hours_are_written(tmp_path):
    """Memory and time of making the file are in them."""
    target, sizes = tmp_path / "x.h5", []

    def asked() -> dict[str, float]:
        sizes.append((tmp_path / "x.h5.part").stat().st_size)
        return {"peak_rss_mb": 7.0}

    assert write_small(target, run=asked)["peak_rss_mb"] == 7.0
    assert sizes[0] > 0.8 * target.stat().st_size


def test_sums_keep_no_more_of_a_step_than_said(path):
    """And nothing of what is wide: a year of it would be some hundred megabytes."""
    with ResultsReader(path) as run:
        sums, dims = sums_of(run), dims_of(small_case(), small_scenario())
        kept = {name: sums.series(name) for name in sums._series}
        assert sum(values.nbytes for values in kept.values()) == step_bytes(dims) * run.steps
        widest = max(values.shape[-1] for values in kept.values() if values.ndim > 1)
        assert widest == len(dims["supplier"])
        for name, dataset in (("load", "dispatch/load_mw"), ("unserved", "unserved/load_mw")):
            assert kept[name] == pytest.approx(run.array(dataset).sum(axis=1), abs=1e-9)
        for dataset in ("commitment/on", "dispatch/unit_p_mw", "curtailment/cause_mw", "cost/total"):
            assert sums.total(dataset) == pytest.approx(run.array(dataset).sum(axis=0), rel=1e-12)


def test_the_way_windows_are_cut_does_not_change_the_file(path, tmp_path, monkeypatch):
    """Chunks that end inside a window, and a last chunk that is not full."""
    monkeypatch.setattr("gridsim.results_writer.CHUNK_H", 17)
    monkeypatch.setattr("gridsim.results_frame.CHUNK_H", 17)
    write_small(tmp_path / "chunks.h5")
    assert everything(path) == everything(tmp_path / "chunks.h5")


# --- refusals


def test_existing_output_is_kept_unless_forced(tmp_path):
    target = tmp_path / "x.h5"
    target.write_text("precious")
    with pytest.raises(InputError, match=r"exists already.*--force"):
        write_small(target)
    assert target.read_text() == "precious"
    with (
        pytest.raises(ValueError, match="expected from"),
        ResultsWriter.open(target, small_case(), small_scenario(), force=True) as writer,
    ):
        writer.append(block(small_case(), 24, 0), 5, report(0, 5, 24))
    assert target.read_text() == "precious"  # until the new one is whole
    write_small(target, force=True)
    assert ResultsReader(target).hours == 60
    assert os.listdir(tmp_path) == ["x.h5"]


def test_output_that_is_a_folder(tmp_path):
    with pytest.raises(InputError, match="must be a file"):
        write_small(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ResourceError, match="cannot write in this folder"):
        write_small(tmp_path / "x.h5")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_folder_that_takes_no_files():
    """Not even from root."""
    with pytest.raises(ResourceError, match="/proc: cannot write in this folder"):
        write_small(Path("/proc/x.h5"))


def test_output_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot write in this folder: Not a directory"):
        write_small(tmp_path / "file" / "x.h5")


def test_missing_folders_are_made_only_when_writing_begins(tmp_path):
    target = tmp_path / "a" / "b" / "x.h5"
    part_file.check_output(target, force=False)
    assert os.listdir(tmp_path) == []
    write_small(target)
    assert target.is_file()


def test_too_little_space_is_said_before_the_run(tmp_path, monkeypatch):
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(results_writer.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ResourceError, match="too little disk space: the results need up to"):
        write_small(tmp_path / "x.h5")
    assert os.listdir(tmp_path) == []


def test_two_runs_cannot_write_one_file(tmp_path):
    target = tmp_path / "x.h5"
    with ResultsWriter.open(target, small_case(), small_scenario()):
        with pytest.raises(ResourceError, match="another run is writing this file"):
            write_small(target)
        assert os.listdir(tmp_path) == ["x.h5.journal"]
    assert os.listdir(tmp_path) == []


def counted(write: Callable[..., int], fails: Callable[[int], bool], error: BaseException) -> Callable[..., int]:
    """A function that fails at the calls that `fails` names, counted from 0."""
    calls = itertools.count()

    def call(*arguments: Any) -> int:
        if fails(next(calls)):
            raise error
        return write(*arguments)

    return call


@pytest.mark.parametrize(
    ("after", "code"),
    [
        *((after, errno.ENOSPC) for after in (0, 1, 3, 4, 30)),
        (1, errno.EDQUOT),
        (4, errno.EDQUOT),
        (0, errno.EIO),
        (30, errno.EIO),
    ],
)
def test_a_failing_disk_leaves_the_windows_before(path, tmp_path, monkeypatch, code, after):
    """The disk takes some writes and then no more: while the journal is made, or the file of it."""
    target, windows = tmp_path / "x.h5", min(max(after - 1, 0), 3)
    failing = counted(os.pwrite, lambda n: n >= after, OSError(code, os.strerror(code)))
    with monkeypatch.context() as patch:
        patch.setattr(part_file.os, "pwrite", failing)
        with pytest.raises(ResourceError) as caught:
            write_small(target)
    words = "cannot be written: Input/output error" if code == errno.EIO else "the disk or quota is full"
    assert words in str(caught.value)
    notes = getattr(caught.value, "__notes__", [])
    assert notes == ([f"{windows} of 3 windows are kept: gridsim resume {target} goes on"] if windows else [])
    assert os.listdir(tmp_path) == (["x.h5.journal"] if windows else [])
    write_small(target, resume=bool(windows))
    assert everything(target) == everything(path)
    assert os.listdir(tmp_path) == ["x.h5"]


@pytest.mark.parametrize("after", range(6))
def test_a_disk_that_fails_when_it_is_to_be_sure(path, tmp_path, monkeypatch, after):
    """Of the header, its folder, each of the windows, and the file."""
    target, windows = tmp_path / "x.h5", min(max(after - 2, 0), 3)
    with monkeypatch.context() as patch:
        patch.setattr(part_file.os, "fsync", counted(os.fsync, lambda n: n == after, OSError(errno.EDQUOT, "no")))
        if after == 1:  # a file system need not know how to make a folder sure
            write_small(target)
        else:
            with pytest.raises(ResourceError, match="quota is full"):
                write_small(target)
            assert os.listdir(tmp_path) == (["x.h5.journal"] if windows else [])
    write_small(target, resume=bool(windows), force=True)
    assert everything(target) == everything(path)


def test_ctrl_c_inside_hdf5_is_ctrl_c(path, tmp_path, monkeypatch):
    target = tmp_path / "x.h5"
    with monkeypatch.context() as patch:
        patch.setattr(part_file.os, "pwrite", counted(os.pwrite, lambda n: n == 6, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt) as caught:
            write_small(target)
    assert caught.value.__notes__ == [f"3 of 3 windows are kept: gridsim resume {target} goes on"]
    assert os.listdir(tmp_path) == ["x.h5.journal"]
    write_small(target, resume=True)
    assert everything(target) == everything(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_disk_that_is_really_full(tmp_path):
    """In a process of its own: HDF5 left alone with a full disk crashes the interpreter at exit."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from gridsim import results_writer
        from gridsim.errors import ResourceError
        results_writer.EXPECTED_SHARE = results_writer.JOURNAL_SHARE = results_writer.SPARE_BYTES = 0
        from small_case import write_small
        try:
            write_small({str(disk / "x.h5")!r}, hours=2000)
        except ResourceError as error:
            print(error, *error.__notes__)
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True, timeout=120
        )
        left = os.listdir(disk)
    finally:
        subprocess.run(["umount", disk], check=True)
    assert (done.returncode, done.stderr, left) == (0, "", ["x.h5.journal"])
    assert "the disk or quota is full" in done.stdout
    assert "of 84 windows are kept: gridsim resume" in done.stdout


def test_a_killed_run_leaves_its_journal(path, tmp_path):
    """The next run of that name does not throw it away unasked; what reads results says where it is."""
    target = tmp_path / "x.h5"
    code = f"""
        import os, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from small_case import *
        case, scenario = small_case(), small_scenario()
        writer = ResultsWriter.open(__import__("pathlib").Path({str(target)!r}), case, scenario)
        writer.append(block(case, 24, 0), 0, report(0, 0, 24))
        os.kill(os.getpid(), 9)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=120).returncode == -9
    assert os.listdir(tmp_path) == ["x.h5.journal"]
    with pytest.raises(InputError, match=f"is not whole yet: gridsim status {target} says how far its run is"):
        ResultsReader(target)
    with pytest.raises(InputError, match=f"1 of 3 windows: gridsim resume {target} goes on, or --force to start again"):
        write_small(target)
    write_small(target, resume=True)
    assert os.listdir(tmp_path) == ["x.h5"]
    assert everything(target) == everything(path)


# --- bugs of the simulation are found here, not in a picture


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b.pop("price/energy"), "the block has no price/energy"),
        (lambda b: b.update({"price/enrgy": np.zeros(24)}), "no per-hour datasets: price/enrgy"),
        (lambda b: b.update({"price/energy": np.zeros(23)}), r"price/energy: shape \(23,\), expected \(24,\)"),
        (lambda b: b["unserved/load_mw"].__setitem__((3, 1), np.nan), r"unserved/load_mw: nan at \(3, 1\)"),
        (lambda b: b.update({"curtailment/source_mw": np.zeros((24, 3))}), "not the sum of its causes"),
    ],
)
def test_wrong_blocks(tmp_path, change, words):
    data = block(small_case(), 24, 0)
    change(data)
    with (
        ResultsWriter.open(tmp_path / "x.h5", small_case(), small_scenario()) as writer,
        pytest.raises(ValueError, match=words),
    ):
        writer.append(data, 0, report(0, 0, 24))
    assert os.listdir(tmp_path) == []


def test_incomplete_runs_are_not_finished(tmp_path):
    with ResultsWriter.open(tmp_path / "x.h5", small_case(), small_scenario()) as writer:
        with pytest.raises(ValueError, match="never written: peak_shaving/peak_valley_before_mw"):
            writer.finish(dict)
        for path, values in of_days(small_case(), 3).items():
            writer.write(path, values)
        with pytest.raises(ValueError, match="0 of 60 steps in 0 windows"):
            writer.finish(dict)
    with pytest.raises(ValueError, match="already closed"):
        writer.append(block(small_case(), 24, 0), 0, report(0, 0, 24))


# --- files that are not ours


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        ResultsReader(tmp_path / "none.h5")


def test_not_hdf5(tmp_path):
    (tmp_path / "x.h5").write_text("hello")
    with pytest.raises(IntegrityError, match="not an HDF5 file"):
        ResultsReader(tmp_path / "x.h5")


def test_cut_off(path, tmp_path):
    (tmp_path / "x.h5").write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(IntegrityError, match="not an HDF5 file, or damaged"):
        ResultsReader(tmp_path / "x.h5")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.__delitem__("meta"), "not a gridsim run"),
        (lambda f: f["meta"].attrs.__setitem__("format", "other"), "not a gridsim run .format is 'other'"),
        (
            lambda f: f["meta"].attrs.__setitem__("format_version", "2.0"),
            r"has format 2.0; this gridsim reads up to 1.x",
        ),
        (lambda f: f["meta"].attrs.__setitem__("format_version", "new"), "no readable format version"),
        (lambda f: f["meta"].attrs.__setitem__("complete", False), "stopped before its end"),
        (lambda f: f.__delitem__("price/bus"), "damaged: has no price/bus"),
    ],
)
def test_wrong_formats(path, tmp_path, change, words):
    copy = tmp_path / "x.h5"
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        change(file)
    with pytest.raises(IntegrityError, match=words):
        ResultsReader(copy)


def test_a_newer_minor_version_is_read(path, tmp_path):
    copy = tmp_path / "x.h5"
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        file["meta"].attrs["format_version"] = "1.7"
        file["price/something_new"] = 1.0
    assert ResultsReader(copy).hours == 60


# --- the part file itself


def test_part_file_remembers_what_the_disk_refused(tmp_path, monkeypatch):
    sink = part_file.PartFile(tmp_path / "x")
    sink.write(memoryview(b"abcdef"))
    monkeypatch.setattr(part_file.os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    sink.seek(4)
    sink.write(memoryview(b"XYZ"))
    assert isinstance(sink.error, OSError)
    sink.seek(0)
    assert sink.read(7) == b"abcdXYZ"
    assert (sink.tell(), sink.seek(0, os.SEEK_END), sink.truncate(5)) == (7, 7, 5)
    sink.drop()
    assert os.listdir(tmp_path) == []


def test_file_systems_without_locks_are_trusted(tmp_path, monkeypatch):
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    write_small(tmp_path / "x.h5")


def test_events_may_be_dataclasses_or_dicts(tmp_path):
    @dataclasses.dataclass
    class Event:
        name: str
        start: np.datetime64

    write_small(tmp_path / "x.h5", events=[Event("寒潮", np.datetime64("2024-01-20T00")), {"kind": "typhoon"}])
    events = ResultsReader(tmp_path / "x.h5").events
    assert events == [{"name": "寒潮", "start": "2024-01-20T00"}, {"kind": "typhoon"}]
    assert json.dumps(events)
