"""The journal of a run, ``FILE.journal``: what a killed run goes on from. Append-only, data only, safe at any byte.

A file of records, each made final on the disk before the next window begins. The first says what the run is made
from, every other one holds a window: its report, the datasets of its kept hours as the results file will have them,
and what the window after it needs. A record is ::

    mark, length of head, length of body, CRC-32 of head, CRC-32 of body     (24 bytes)
    CRC-32 of those 24 bytes                                                 (4 bytes)
    head: JSON, with the name, type and shape of every array
    body: the bytes of all arrays that are not constant, zlib

Whatever follows the last record that is whole, the half of a write or a damaged one, is cut off when a run goes on.
"""

import contextlib
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, IntegrityError, Problem
from gridsim.part_file import lock, write_error

MARK = b"\x89gsj"
VERSION = 1  # of this layout
LEVEL = 1  # of zlib: a third of the bytes for half a millisecond more, and level 2 gains nothing
_SIZES, _CHECK = struct.Struct("<4sIQII"), struct.Struct("<I")
_FRAME = _SIZES.size + _CHECK.size
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

Arrays = dict[str, NDArray[Any]]


def journal_of(path: Path) -> Path:
    """The journal of a results file."""
    return path.with_name(path.name + ".journal")


class Frame(NamedTuple):
    """A whole record: what it is about, and where its head, body and end are in the file."""

    about: dict[str, Any]
    head: int
    body: int
    end: int


class Seen(NamedTuple):
    """A journal as it can be read at any moment, beside a run that writes it."""

    about: dict[str, Any]  # what the run is made from
    windows: list[dict[str, Any]]  # reports of the windows
    size: int  # bytes
    whole: bool  # nothing follows the last record


def pack(about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> tuple[bytes, int]:
    """A record, and where its body begins. An array whose entries are the same to the bit takes no room there."""
    listed: list[tuple[str, str, list[int], int | None]] = []
    compressor, parts = zlib.compressobj(LEVEL), []
    for name, values in arrays.items():
        array = np.ascontiguousarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name}: a journal keeps numbers, not {array.dtype}")
        bits = array.reshape(-1).view(_UNSIGNED[array.dtype.itemsize])
        constant = not bits.size or bool((bits == bits[0]).all())
        listed.append(
            (name, array.dtype.str, list(values.shape), (int(bits[0]) if bits.size else 0) if constant else None)
        )
        if not constant:
            parts.append(compressor.compress(bits.data))
    body = b"".join([*parts, compressor.flush()])
    head = json.dumps({"about": about, "arrays": listed}, ensure_ascii=False, separators=(",", ":")).encode()
    sizes = _SIZES.pack(MARK, len(head), len(body), zlib.crc32(head), zlib.crc32(body))
    return b"".join((sizes, _CHECK.pack(zlib.crc32(sizes)), head, body)), _FRAME + len(head)


def unpack(head: bytes, body: bytes) -> Arrays:
    """The arrays of a record, writable."""
    listed = json.loads(head)["arrays"]
    shapes = [(name, np.dtype(kind), tuple(shape), constant) for name, kind, shape, constant in listed]
    if any(dtype.kind not in "biuf" for _, dtype, _, _ in shapes):
        raise ValueError("not a number")
    sizes = [
        0 if constant is not None else dtype.itemsize * int(np.prod(shape)) for _, dtype, shape, constant in shapes
    ]
    raw = zlib.decompressobj().decompress(body, sum(sizes) + 1)
    if len(raw) != sum(sizes):
        raise ValueError("another length than its head says")
    out: Arrays = {}
    at = 0
    for (name, dtype, shape, constant), size in zip(shapes, sizes, strict=True):
        if constant is None:
            bits = np.frombuffer(raw, _UNSIGNED[dtype.itemsize], size // dtype.itemsize, at).copy()
        else:
            bits = np.full(int(np.prod(shape)), constant, _UNSIGNED[dtype.itemsize])
        out[name] = bits.view(dtype).reshape(shape)
        at += size
    return out


def frames(handle: int, *, bodies: bool) -> Iterator[Frame]:
    """The whole records of an open journal, up to the first one that is not; `bodies`: check those too."""
    at, size = 0, os.fstat(handle).st_size
    while at + _FRAME <= size:
        start = os.pread(handle, _FRAME, at)
        if len(start) < _FRAME or _CHECK.unpack_from(start, _SIZES.size) != (zlib.crc32(start[: _SIZES.size]),):
            return
        mark, head_size, body_size, head_crc, body_crc = _SIZES.unpack_from(start)
        body = at + _FRAME + head_size
        end = body + body_size
        if mark != MARK or end > size:
            return
        head = os.pread(handle, head_size, at + _FRAME)
        if zlib.crc32(head) != head_crc or (bodies and zlib.crc32(os.pread(handle, body_size, body)) != body_crc):
            return
        yield Frame(json.loads(head)["about"], at + _FRAME, body, end)
        at = end


def look(path: Path) -> Seen | None:
    """A journal as it is now; None if there is none. Reads only, so that a run that writes it does not notice.

    Raises
    ------
    IntegrityError
        If it is no journal, or its first record is damaged, or another version made it.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(str(path), [Problem("the journal", f"cannot be read: {error.strerror}")]) from None
    try:
        found = list(frames(handle, bodies=False))
        size = os.fstat(handle).st_size
    finally:
        os.close(handle)
    about = _first(path, found)
    return Seen(about, [frame.about for frame in found[1:]], size, found[-1].end == size)


def is_begun_only(path: Path) -> bool:
    """Whether a journal ends before its first record does: its run was killed as it began, and nothing is lost."""
    with path.open("rb") as file:
        start, size = file.read(_FRAME), os.fstat(file.fileno()).st_size
    if size < _FRAME:
        return start[: len(MARK)] == MARK[: len(start)]
    _, head, body, _, _ = _SIZES.unpack_from(start)
    sound = _CHECK.unpack_from(start, _SIZES.size) == (zlib.crc32(start[: _SIZES.size]),)
    return sound and size < _FRAME + head + body


def _first(path: Path, found: list[Frame]) -> dict[str, Any]:
    """What the first record says."""
    if not found:
        raise IntegrityError(f"{path}: not the journal of a run, or damaged in its first record: it cannot be resumed")
    about = found[0].about
    if about.get("journal") != VERSION:
        raise IntegrityError(
            f"{path}: a journal of version {about.get('journal')}; this gridsim goes on from {VERSION}"
        )
    return about


class Journal:
    """The journal of one run, open for its writer alone. `about` is what its first record says."""

    def __init__(self, path: Path, handle: int, about: dict[str, Any], kept: list[Frame]):
        self.path, self.about, self._handle, self._frames = path, about, handle, kept
        self.cut = 0  # bytes cut off when it was opened again

    @classmethod
    def create(cls, path: Path, about: dict[str, Any]) -> Self:
        """Begin one, in place of any other.

        Raises
        ------
        ResourceError
            If it cannot be written, or another run is writing it.
        """
        found = cls(path, lock(path), {"journal": VERSION, **about}, [])
        try:
            os.ftruncate(found._handle, 0)
            found._add(found.about, {})
            sync_folder(path)
        except BaseException:
            found.drop()
            raise
        return found

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Go on with one: whatever follows its last whole record is cut off.

        Raises
        ------
        IntegrityError
            If there is no first record to go by.
        ResourceError
            If it cannot be written, or another run is writing it.
        """
        handle = lock(path, create=False)
        try:
            kept = list(frames(handle, bodies=True))
            found = cls(path, handle, _first(path, kept), kept)
            found.cut = os.fstat(handle).st_size - kept[-1].end
            os.ftruncate(handle, kept[-1].end)
        except OSError as error:
            os.close(handle)
            raise write_error(path, error) from None
        except BaseException:
            os.close(handle)
            raise
        return found

    def append(self, report: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Add a window. When this returns, it is on the disk."""
        self._add(report, arrays)

    def reports(self) -> list[dict[str, Any]]:
        """Of the windows."""
        return [frame.about for frame in self._frames[1:]]

    def windows(self) -> Iterator[Arrays]:
        """Their arrays, one window at a time."""
        for number, frame in enumerate(self._frames[1:], start=1):
            head, body = (
                os.pread(self._handle, end - begin, begin)
                for begin, end in ((frame.head, frame.body), (frame.body, frame.end))
            )
            try:
                yield unpack(head, body)
            except (ValueError, TypeError, KeyError, zlib.error) as error:
                raise IntegrityError(f"{self.path}: window {number} is damaged: {error}") from None

    def close(self) -> None:
        """Leave it to a later run."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def drop(self) -> None:
        """Remove it."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        self.close()

    def _add(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        if self._handle < 0:
            raise ValueError(f"{self.path}: already closed")
        (data, body), start = pack(about, arrays), self._frames[-1].end if self._frames else 0
        try:
            view, done = memoryview(data), 0
            while done < len(view):
                done += os.pwrite(self._handle, view[done:], start + done)
            os.fsync(self._handle)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, start)
            raise write_error(self.path, error) from None
        self._frames.append(Frame(dict(about), start + _FRAME, start + body, start + len(data)))


def sync_folder(path: Path) -> None:
    """Make the name of a file final, as far as the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
