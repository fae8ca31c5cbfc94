"""The folder of a sweep: what is done, what failed and what is missing, so that the same command goes on.

========================= =========================================================================================
file                      content
========================= =========================================================================================
``study.json``            the study's text, its runs with their parameters, digests and files
``runs/NAME-DIGEST.h5``   results of a run, under this name when they are complete
``runs/NAME-DIGEST.json`` how the run ended: exit code, message, seconds, summary
``table.parquet``         one row for each run (``table.csv`` where pyarrow is missing), see `gridsim.sweep.table`
========================= =========================================================================================

Every file is written under another name and renamed, so that any number of tasks may work in one folder.
"""

import contextlib
import errno
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gridsim import __version__
from gridsim.errors import InputError, IntegrityError, Problem, ResourceError
from gridsim.finite import finite
from gridsim.sweep.study_file import Run, StudyFile

MANIFEST = "study.json"
FORMAT = 1
DONE, FAILED, MISSING = "done", "failed", "missing"
FINAL_CODES = (3, 4)  # of failures that the same run ends in again


@dataclass(frozen=True)
class Record:
    """How a run ended."""

    name: str
    status: str  # DONE or FAILED
    exit_code: int = 0
    message: str = ""
    size_bytes: int = 0  # of the results file
    seconds: float = 0.0  # of the worker, everything included
    cpu_seconds: float = 0.0  # likewise
    worker: str = ""  # machine and process
    summary: dict[str, Any] = field(default_factory=dict)


class SweepFolder:
    """The files of one sweep."""

    def __init__(self, path: Path):
        self.path = path

    def results_of(self, run: Run) -> Path:
        """The results file of a run."""
        return self.path / "runs" / f"{run.stem}.h5"

    def write_manifest(self, given: StudyFile) -> None:
        """Write what the study is; a folder that holds another study is refused."""
        at = self.path / MANIFEST
        if at.exists():
            name = read_manifest(self.path)["name"]
            if name != given.study.name:
                rule = f"must be the folder of study {given.study.name}: it has study {name}"
                raise InputError(given.label, [Problem(f"--output {self.path}", rule)])
        runs = [
            {
                "name": run.name,
                "title": run.title,
                "digest": run.digest,
                "file": str(self.results_of(run).relative_to(self.path)),
                "parameters": run.parameters,
            }
            for run in given.runs
        ]
        study = {"name": given.study.name, "title": given.study.title, "base": given.study.base}
        tree = {"format": FORMAT, "version": __version__, **study, "text": given.text, "runs": runs}
        write_text(at, json.dumps(tree, indent=1, ensure_ascii=False))

    def write_record(self, run: Run, record: Record) -> None:
        write_text(self.results_of(run).with_suffix(".json"), json.dumps(finite(asdict(record)), ensure_ascii=False))

    def record_of(self, run: Run) -> Record | None:
        """How a run ended; None if it is missing."""
        return record_at(self.results_of(run))

    def missing(self, runs: Sequence[Run], *, retry: bool = False) -> list[Run]:
        """Runs to do: without a result, or failed for a reason that may be gone; with `retry` all that failed."""
        return [run for run in runs if _is_open(self.record_of(run), retry)]

    @contextlib.contextmanager
    def at_work(self, *, alone: bool) -> Iterator[None]:
        """Keep a second sweep out of the folder; tasks (not `alone`) may work side by side."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ResourceError(f"{self.path}: cannot write in this folder: {error.strerror}") from None
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError as error:  # a file system without locks is trusted
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(handle)
                raise ResourceError(f"{self.path}: another sweep is at work in this folder") from None
        try:
            yield
        finally:
            os.close(handle)


def record_at(results: Path) -> Record | None:
    """How the run of a results file ended; None if it did not, or its results are not the ones recorded."""
    at = results.with_suffix(".json")
    record: Record | None = None
    if at.is_file():
        try:
            record = Record(**json.loads(at.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            record = None  # damaged: as if it were not there
    size = results.stat().st_size if results.is_file() else 0
    if record is not None and record.status == FAILED and not size:
        return record
    if record is not None and record.status == DONE and record.size_bytes == size:
        return record
    return _read(results) if size else None


def _read(results: Path) -> Record | None:
    """The record of a complete results file whose worker did not live to write one."""
    from gridsim.results import ResultsReader

    try:
        with ResultsReader(results) as run:
            summary = dict(run.summary)
    except IntegrityError:
        return None
    return Record(str(summary["scenario"]), DONE, size_bytes=results.stat().st_size, summary=summary)


def _is_open(record: Record | None, retry: bool) -> bool:
    if record is None:
        return True
    return record.status == FAILED and (retry or record.exit_code not in FINAL_CODES)


def read_manifest(folder: Path) -> dict[str, Any]:
    """study.json of a folder. Raises InputError if there is none, IntegrityError if it cannot be read."""
    at = folder / MANIFEST
    if not at.is_file():
        raise InputError(str(folder), [Problem("the folder", f"must be one of a sweep: it has no {MANIFEST}")])
    try:
        tree: dict[str, Any] = json.loads(at.read_text(encoding="utf-8"))
        found = tree["format"]
    except (OSError, ValueError, KeyError) as error:
        raise IntegrityError(f"{at}: cannot be read: {error}") from None
    if found != FORMAT:
        raise IntegrityError(f"{at}: has format {found}; this gridsim reads {FORMAT}")
    return tree


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
