"""Machine code on disk, for any number of processes, kinds of processor and installations that share one folder.

``$GRIDSIM_CACHE_DIR`` (default ``~/.cache/gridsim``) has a folder for each state of the kernels: it is named after a
digest of all their sources and the version of numba. numba looks only at the file of the function it compiles: without
the digest, an edit to a helper in another file would leave its cached callers running the old code. With it, neither
times nor places of source files matter, so installations of one version share what one of them compiled.

numba keeps an index of each function's versions (argument types, processor) beside the files with their code. It
replaces both whole, but reads and writes the index without a lock: two processes that add a version at once both call
their file number 1, and one version is then found under the name of the other. Here they take turns.
"""

import contextlib
import fcntl
import hashlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator
from numba.core.registry import cpu_target

_SOURCES = sorted(Path(__file__).parent.rglob("*.py"))
_DIGEST = hashlib.sha256(b"".join([*(p.read_bytes() for p in _SOURCES), numba.__version__.encode()])).hexdigest()[:16]
CACHE_DIR = Path(os.environ.get("GRIDSIM_CACHE_DIR", Path.home() / ".cache" / "gridsim")) / _DIGEST


class KernelCache(FunctionCache):
    """The cache of one kernel, in a folder that is named after all that its code depends on."""

    def __init__(self, function: Any, folder: Path = CACHE_DIR):
        class Locator(_CacheLocator):
            def get_cache_path(self) -> str:
                return str(folder)

            def get_source_stamp(self) -> str:
                return ""  # the folder says it

            def get_disambiguator(self) -> str:
                return str(function.__code__.co_firstlineno)

            @classmethod
            def from_function(cls, *_: Any) -> Any:
                return cls()

        impl: Any = type("Impl", (CompileResultCacheImpl,), {"_locator_classes": [Locator]})
        self._impl_class = impl
        super().__init__(function)
        self._cache_file = _TakingTurns(str(folder), self._impl.filename_base, "")

    def save_overload(self, sig: Any, data: Any) -> None:
        """As numba's; a folder that cannot be written costs time and nothing else."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            text = f"{self._cache_path}: cannot be written ({error.strerror}): machine code is not kept"
            warnings.warn(text, RuntimeWarning, stacklevel=2)


class _TakingTurns(IndexDataCacheFile):
    """Index and code of one kernel, read and written as one."""

    def save(self, key: Any, data: Any) -> None:
        with _locked(Path(self._cache_path) / ".index", fcntl.LOCK_EX):
            try:
                super().save(key, data)
            except OSError:
                raise
            except Exception:  # what a damaged index makes of pickle: it is begun anew
                self.flush()
                super().save(key, data)

    def load(self, key: Any) -> Any:
        with _locked(Path(self._cache_path) / ".index", fcntl.LOCK_SH):
            try:
                return super().load(key)
            except Exception:  # not there, or damaged by a power loss: compiled, and written anew
                return None


@contextlib.contextmanager
def one_compiles(what: str, folder: Path = CACHE_DIR) -> Iterator[None]:
    """Let one process at a time do `what` on this kind of processor until one has: the others find its code."""
    kind = repr((cpu_target.target_context.codegen().magic_tuple(), sys.implementation.cache_tag))
    done = folder / f"{what}-{hashlib.sha256(kind.encode()).hexdigest()[:16]}.ready"
    if done.exists():
        yield
        return
    with _locked(folder / ".compile", fcntl.LOCK_EX) as alone:
        if alone and not done.exists():
            yield
            with contextlib.suppress(OSError):
                done.touch()
            return
    yield


@contextlib.contextmanager
def _locked(path: Path, how: int) -> Iterator[bool]:
    """Hold a lock; False where the folder cannot be written or has no locks, and is trusted."""
    handle = -1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(handle, how)
    except OSError:
        held = False
    else:
        held = True
    try:
        yield held
    finally:
        if handle >= 0:
            os.close(handle)
