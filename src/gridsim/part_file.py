"""A file under another name until it is whole: ``FILE.part``, locked while it is written.

HDF5 does not survive a full disk: it keeps retrying, floods stderr and in the end crashes the process (HDF5 2.0 on a
full tmpfs). So HDF5 never writes to the disk itself here. It writes to a `PartFile`, which takes every byte: after
the first write that fails, it keeps the rest in memory, remembers the error, and lets HDF5 close in peace.
"""

import contextlib
import errno
import fcntl
import os
import tempfile
import time
from pathlib import Path

from gridsim.errors import InputError, Problem, ResourceError
from gridsim.seal import put_seal

LOCK_TRIES, LOCK_WAIT_S = 4, 0.05
_HELD = (errno.EWOULDBLOCK, errno.EACCES)


def check_output(path: Path, *, force: bool) -> None:
    """Refuse, before any work, an output that exists or a place that cannot hold one."""
    if path.is_dir():
        raise InputError(str(path), [Problem("the output", "must be a file: this is a folder")])
    if path.exists() and not force:
        raise InputError(
            str(path), [Problem("the output", "exists already: choose another name, or --force to replace it")]
        )
    folder = next(f for f in path.absolute().parents if f.exists())  # what is missing below it is made later
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ResourceError(f"{folder}: cannot write in this folder: {error.strerror}") from None


def part_of(path: Path) -> Path:
    """The name a file has until it is complete."""
    return path.with_name(path.name + ".part")


def lock(path: Path, *, create: bool = True) -> int:
    """Open a file to write, for this process alone until the handle is closed; `create` it if it is missing.

    Raises
    ------
    ResourceError
        If it cannot be opened, or another process has it.
    """
    for _ in range(LOCK_TRIES):
        try:
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o666)
        except OSError as error:
            raise ResourceError(f"{path}: cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # a file system without locks is trusted
            if error.errno in _HELD:
                os.close(handle)
                time.sleep(LOCK_WAIT_S)  # whoever asks `is_held` has it for an instant
                continue
        if _is_at(handle, path):
            return handle
        os.close(handle)  # whoever had it has removed it meanwhile
    raise ResourceError(f"{path}: another run is writing this file")


def is_held(path: Path) -> bool:
    """Whether some process has it by `lock`."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _HELD
    finally:
        os.close(handle)
    return False


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def write_error(path: Path, error: OSError) -> ResourceError:
    """A failed write in words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"{path}: the disk or quota is full")
    return ResourceError(f"{path}: cannot be written: {error.strerror or error}")


class PartFile:
    """A file object for h5py (driver "fileobj") that never fails: see the module. Exclusive while it is open.

    `error` is the first failure, None while all is well; whoever writes asks for it after every step.
    """

    def __init__(self, path: Path):
        self.path = path
        self.error: BaseException | None = None
        self._late: list[tuple[int, bytes]] = []  # (offset, data) of every write after the failure
        self._at = 0
        self._handle = lock(path)
        os.ftruncate(self._handle, 0)
        self._size = 0

    # what h5py asks of a file object

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def write(self, data: memoryview) -> int:
        view = memoryview(data).cast("B")
        try:
            if self.error is None:
                done = 0
                while done < len(view):
                    done += os.pwrite(self._handle, view[done:], self._at + done)
        except BaseException as error:  # Ctrl-C too: an exception inside HDF5 would leave it half-way
            self.error = error
        if self.error is not None:
            self._late.append((self._at, bytes(view)))
        self._at += len(view)
        self._size = max(self._size, self._at)
        return len(view)

    def readinto(self, buffer: memoryview) -> int:
        view = memoryview(buffer).cast("B")
        n = max(0, min(len(view), self._size - self._at))
        try:
            data = os.pread(self._handle, n, self._at).ljust(n, b"\0")
        except BaseException as error:
            self.error = self.error or error
            data = bytes(n)
        view[:n] = data
        for offset, late in self._late:
            first, last = max(offset, self._at), min(offset + len(late), self._at + n)
            if first < last:
                view[first - self._at : last - self._at] = late[first - offset : last - offset]
        self._at += n
        return n

    def read(self, size: int) -> bytes:
        out = bytearray(size)
        return bytes(out[: self.readinto(memoryview(out))])

    def truncate(self, size: int) -> int:
        try:
            if self.error is None:
                os.ftruncate(self._handle, size)
        except BaseException as error:
            self.error = error
        self._size = size
        return size

    def flush(self) -> None:
        """Nothing is buffered here."""

    # what the writer asks

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self.error is not None:
            raise self.error

    def publish(self, path: Path) -> None:
        """Seal it, make it final on the disk and give it its name.

        What delayed allocation could not place is an error here.
        """
        put_seal(self._handle, os.fstat(self._handle).st_size)
        os.fsync(self._handle)
        os.replace(self.path, path)
        self._close()

    def drop(self) -> None:
        """Remove it."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        self._close()

    def _close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
