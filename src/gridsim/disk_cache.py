"""Files that only save time: what the cache folder holds may be deleted at any moment, and is then made again.

The folder is ``$GRIDSIM_CACHE_DIR``, or ``~/.cache/gridsim``. A file's name is a digest of everything that its content
depends on, so that a file is never out of date, only unused. Each kind of file keeps to its share of the disk: the
files that were used least recently go first.
"""

import functools
import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

LIMIT_BYTES = 2_000_000_000  # of each kind; the year of one seed takes 14 MB


def folder(kind: str) -> Path:
    """Where the files of one kind are."""
    return Path(os.environ.get("GRIDSIM_CACHE_DIR", Path.home() / ".cache" / "gridsim")) / kind


def digest(parts: Iterable[bytes]) -> str:
    """A file name for what depends on `parts`, in their order."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())  # of each, so that moving a byte to the next part is seen
    return total.hexdigest()[:32]


def sources(where: Path, *patterns: str) -> list[bytes]:
    """Names and contents of the files in `where`, for `digest`."""
    found = sorted(path for pattern in patterns for path in where.glob(pattern))
    return [part for path in found for part in (path.name.encode(), path.read_bytes())]


@functools.cache
def versions(*packages: str) -> bytes:
    """The installed versions, for `digest`; nothing is imported."""
    return " ".join(f"{name} {version(name)}" for name in packages).encode()


def mark_used(path: Path) -> None:
    """Keep a file that has just been read from being taken for an old one."""
    try:
        os.utime(path)
    except OSError:  # a folder that may only be read, or another process has removed the file
        return


def write(path: Path, *chunks: bytes | memoryview, limit_bytes: int = LIMIT_BYTES) -> None:
    """Write a file under a temporary name, then rename it: readers see the whole of it or nothing.

    A warning if that fails. Older files of the folder are removed where it has grown beyond `limit_bytes`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(chunks)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _prune(path, limit_bytes)
    except OSError as error:
        warnings.warn(f"{path}: cannot be written ({error}), and is not cached", RuntimeWarning, stacklevel=2)


def _prune(newest: Path, limit_bytes: int) -> None:
    """Remove the files used least recently, never `newest`, until the folder keeps its limit."""
    used = []
    for path in newest.parent.iterdir():
        try:
            about = path.stat()
        except FileNotFoundError:  # another process prunes too
            continue
        used.append((path == newest, about.st_mtime, about.st_size, path))
    total = sum(size for *_, size, _ in used)
    for is_newest, _, size, path in sorted(used):
        if total <= limit_bytes or is_newest:
            return
        path.unlink(missing_ok=True)
        total -= size
