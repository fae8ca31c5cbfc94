"""The journal: what goes in comes out, whatever is cut off or damaged behind the last whole window."""

import json
import os
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gridsim import carry, journal, part_file
from gridsim.errors import IntegrityError, ResourceError
from gridsim.journal import Journal, look

FRAME = 28  # bytes before the head of a record


def arrays(seed: int) -> dict[str, np.ndarray]:
    r = np.random.default_rng(seed)
    return {
        "a/floats": r.random((5, 3)),
        "a/minus": np.array([0.0, -0.0]),
        "a/same": np.full((4, 2), -1, dtype=np.int32),
        "a/none": np.zeros((0, 3)),
        "nan": np.array([np.nan, 1.0]),
        "flags": r.random(9) > 0.5,
        "scalar": np.array(3.25),
        "counts": r.integers(0, 9, (3, 2)).astype(np.int16),
    }


def written(path: Path, windows: int = 3) -> list[int]:
    """A journal; where its records end."""
    made, ends = Journal.create(path, {"what": "a test"}), []
    ends.append(path.stat().st_size)
    for k in range(windows):
        made.append({"index": k}, arrays(k))
        ends.append(path.stat().st_size)
    made.close()
    return ends


def kept(path: Path) -> list[dict[str, np.ndarray]]:
    made = Journal.reopen(path)
    try:
        found = list(made.windows())
        assert made.reports() == [{"index": k} for k in range(len(found))]
        assert path.stat().st_size == written_size(path)
        return found
    finally:
        made.close()


def written_size(path: Path) -> int:
    seen = look(path)
    assert seen is not None
    assert seen.whole
    return seen.size


def same(found: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> bool:
    return list(found) == list(want) and all(
        (found[name].dtype, found[name].shape, found[name].tobytes()) == (v.dtype, v.shape, v.tobytes())
        for name, v in want.items()
    )


def test_arrays_come_back_to_the_bit(tmp_path):
    written(tmp_path / "j")
    found = kept(tmp_path / "j")
    assert [same(f, arrays(k)) for k, f in enumerate(found)] == [True] * 3
    assert np.signbit(found[0]["a/minus"]).tolist() == [False, True]
    found[0]["counts"] += 1  # a copy, that whoever takes it may change


def test_what_is_constant_takes_no_room(tmp_path):
    made = Journal.create(tmp_path / "j", {})
    before = (tmp_path / "j").stat().st_size
    made.append({}, {"x": np.full((1000, 1000), 7.5)})
    made.close()
    assert (tmp_path / "j").stat().st_size - before < 200
    assert (kept_arrays(tmp_path / "j")[0]["x"] == 7.5).all()


def kept_arrays(path: Path) -> list[dict[str, np.ndarray]]:
    made = Journal.reopen(path)
    try:
        return list(made.windows())
    finally:
        made.close()


def cuts(ends: list[int]) -> list[int]:
    """Sizes to cut the file to: around every boundary of a record, and all through the last one."""
    near = {end + k for end in ends for k in range(-3, FRAME + 3)}
    return sorted(size for size in near | set(range(ends[-2], ends[-1], 7)) | {0, 1} if 0 <= size <= ends[-1])


def test_a_write_cut_off_anywhere_costs_its_window_only(tmp_path):
    ends = written(tmp_path / "whole")
    data = (tmp_path / "whole").read_bytes()
    sizes = cuts(ends)
    assert len(sizes) > 150
    for size in sizes:
        path = tmp_path / "cut"
        path.write_bytes(data[:size])
        windows = sum(end <= size for end in ends) - 1
        if windows < 0:
            with pytest.raises(IntegrityError, match="damaged in its first record"):
                Journal.reopen(path)
            continue
        assert len(kept(path)) == windows, size
        assert path.stat().st_size == ends[windows]


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"\0" * 3, b"\xff" * 100, journal.MARK * 20], ids=repr)
def test_what_a_power_cut_leaves_behind_the_last_window_is_cut_off(tmp_path, tail):
    """Blocks of zeros where data never came, or of something else."""
    ends = written(tmp_path / "j")
    with (tmp_path / "j").open("ab") as file:
        file.write(tail)
    assert not look(tmp_path / "j").whole
    assert len(kept(tmp_path / "j")) == 3
    assert (tmp_path / "j").stat().st_size == ends[-1]


def test_a_flipped_bit_costs_the_windows_from_there(tmp_path):
    """Of mark, lengths, checks, head and body of every record."""
    ends = written(tmp_path / "whole")
    data = bytearray((tmp_path / "whole").read_bytes())
    starts = [0, *ends[:-1]]
    for record, (start, end) in enumerate(zip(starts, ends, strict=True)):
        head = struct.unpack_from("<I", data, start + 4)[0]
        places = [*range(start, start + FRAME), start + FRAME, start + FRAME + head - 1, start + FRAME + head, end - 1]
        for place in places:
            path = tmp_path / "flipped"
            data[place] ^= 0x10
            path.write_bytes(data)
            data[place] ^= 0x10
            if record == 0:
                with pytest.raises(IntegrityError, match="damaged in its first record"):
                    Journal.reopen(path)
            else:
                assert len(kept(path)) == record - 1, (record, place)


def test_a_record_that_lies_about_its_arrays_is_refused(tmp_path):
    """Whole by its checksums, and yet not what this program writes: nothing is run, nothing is made up."""
    for listed in (
        [["x", "<f8", [10], None]],  # longer than the body
        [["x", "<f8", [1], None]],  # shorter
        [["x", "|O", [1], None]],
        [["x", "<f8", [-1], None]],
        [["x"]],
    ):
        made = Journal.create(tmp_path / "j", {})
        made.append({}, {"x": np.arange(3.0)})
        made.close()
        data = (tmp_path / "j").read_bytes()
        first = written_ends(data)[0]
        head_size, body_size = struct.unpack_from("<IQ", data, first + 4)
        body = data[first + FRAME + head_size :][:body_size]
        head = json.dumps({"about": {}, "arrays": listed}).encode()
        (tmp_path / "j").write_bytes(data[:first] + record(head, body))
        with pytest.raises(IntegrityError, match="window 1 is damaged"):
            kept_arrays(tmp_path / "j")


def written_ends(data: bytes) -> list[int]:
    head, body = struct.unpack_from("<IQ", data, 4)
    return [FRAME + head + body]


def record(head: bytes, body: bytes) -> bytes:
    sizes = struct.pack(
        "<4sIQII", journal.MARK, len(head), len(body), journal.zlib.crc32(head), journal.zlib.crc32(body)
    )
    return sizes + struct.pack("<I", journal.zlib.crc32(sizes)) + head + body


def test_a_journal_of_another_version(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(journal, "VERSION", 2)
        written(tmp_path / "j")
    for read in (Journal.reopen, look):
        with pytest.raises(IntegrityError, match="a journal of version 2; this gridsim goes on from 1"):
            read(tmp_path / "j")


def test_something_else_is_no_journal(tmp_path):
    (tmp_path / "j").write_bytes(b"\x89HDF\r\n\x1a\n" * 100)
    for read in (Journal.reopen, look):
        with pytest.raises(IntegrityError, match="not the journal of a run"):
            read(tmp_path / "j")
    assert (tmp_path / "j").stat().st_size == 800
    assert look(tmp_path / "gone") is None
    with pytest.raises(ResourceError, match="No such file"):
        Journal.reopen(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()


def test_short_writes_are_gone_on_with(tmp_path, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(journal.os, "pwrite", lambda handle, data, at: real(handle, data[:13], at))
    written(tmp_path / "j")
    assert [same(f, arrays(k)) for k, f in enumerate(kept(tmp_path / "j"))] == [True] * 3


@pytest.mark.parametrize("taken", [0, 5, FRAME, 200])
def test_a_window_that_does_not_fit_on_the_disk_leaves_no_trace(tmp_path, monkeypatch, taken):
    """The disk takes a part of it. After there is room again, the same journal goes on."""
    made, real = Journal.create(tmp_path / "j", {}), os.pwrite
    made.append({"index": 0}, arrays(0))
    size = (tmp_path / "j").stat().st_size

    def pwrite(handle: int, data: memoryview, at: int) -> int:
        if at > size or not taken:
            raise OSError(28, "No space left on device")
        return real(handle, data[:taken], at)

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "pwrite", pwrite)
        with pytest.raises(ResourceError, match="the disk or quota is full"):
            made.append({"index": 1}, arrays(1))
    assert (tmp_path / "j").stat().st_size == size
    made.append({"index": 1}, arrays(1))
    made.close()
    assert [same(f, arrays(k)) for k, f in enumerate(kept(tmp_path / "j"))] == [True] * 2


def test_one_writer_at_a_time(tmp_path):
    written(tmp_path / "j")
    assert not part_file.is_held(tmp_path / "j")
    made = Journal.reopen(tmp_path / "j")
    assert part_file.is_held(tmp_path / "j")
    for opened in (lambda: Journal.reopen(tmp_path / "j"), lambda: Journal.create(tmp_path / "j", {})):
        with pytest.raises(ResourceError, match="another run is writing this file"):
            opened()
    assert len(look(tmp_path / "j").windows) == 3  # whoever only looks may
    made.drop()
    assert not (tmp_path / "j").exists()


def test_a_journal_that_its_owner_has_just_removed_is_not_gone_on_with(tmp_path, monkeypatch):
    """Between opening and locking it, the run that had it was finished: the handle is that of no file."""
    written(tmp_path / "j")
    real = part_file.fcntl.flock

    def flock(handle: int, how: int) -> None:
        (tmp_path / "j").unlink(missing_ok=True)
        real(handle, how)

    monkeypatch.setattr(part_file.fcntl, "flock", flock)
    with pytest.raises(ResourceError, match="No such file"):
        Journal.reopen(tmp_path / "j")


# --- what is carried


class Inner(NamedTuple):
    row: np.ndarray
    price: np.ndarray | None = None
    names: tuple[int, ...] = ()


class Outer(NamedTuple):
    first: Inner
    second: Inner | None
    share: float
    on: bool


@pytest.mark.parametrize(
    "value",
    [
        Outer(Inner(np.arange(3.0), None, (3, 1)), None, 0.1, True),
        Outer(Inner(np.zeros((0, 2))), Inner(np.ones(2), np.eye(2)), -1e300, False),
    ],
)
def test_named_tuples_become_arrays_and_back(value):
    flat = carry.flatten(value, Outer, "state")
    assert all(isinstance(array, np.ndarray) for array in flat.values())
    back = carry.rebuild(flat, Outer, "state")
    assert (back.second is None) == (value.second is None)
    assert (back.share, back.on, back.first.names) == (value.share, value.on, value.first.names)
    assert_array_equal(back.first.row, value.first.row)
    assert back.first.price is None
    assert carry.flatten(back, Outer, "state").keys() == flat.keys()


class Worse(NamedTuple):
    row: np.ndarray
    notes: Any


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (Worse(np.zeros(1), {"a": 1}), Worse, r"state\.notes: a run carries arrays and numbers"),
        (Inner(np.array(["x"])), Inner, r"state\.row: a run carries arrays"),
        (Inner(np.array([None])), Inner, r"state\.row: a run carries arrays"),
    ],
)
def test_what_is_no_array_is_refused_by_its_name(value, kind, words):
    with pytest.raises(TypeError, match=words):
        carry.flatten(value, kind, "state")


class Account(carry.Carried):
    carried, grown = ("total", "open"), ("blocks",)

    def __init__(self) -> None:
        self.total, self.open, self.blocks = np.zeros(2), None, []

    def live(self, values: np.ndarray) -> None:
        self.total += values
        self.blocks.append(values)


def test_an_account_goes_on_where_it_was():
    """Sums and what is open from the last snapshot, lists from all of them; None stays None."""
    first, kept_so_far = Account(), []
    for k in range(3):
        first.live(np.array([k, 1.0]))
        kept_so_far.append(first.snapshot())
    again = Account()
    again.restore(kept_so_far)
    again.live(np.array([10.0, 1.0]))
    first.live(np.array([10.0, 1.0]))
    assert_array_equal(again.total, [13.0, 4.0])
    assert_array_equal(np.array(again.blocks), np.array(first.blocks))
    assert again.open is None
    assert_array_equal(kept_so_far[-1]["total"], [3.0, 3.0])  # a snapshot stays what it was
