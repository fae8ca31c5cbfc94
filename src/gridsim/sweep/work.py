"""One run of a sweep, wherever it happens: simulated, or gone on with, and how it ended written down."""

import errno
import gc
import os
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gridsim.errors import GridsimError, InputError, IntegrityError, ResourceError, StoppedError
from gridsim.journal import journal_of
from gridsim.process import prepare
from gridsim.resume import scenario_to_resume
from gridsim.scenario import Scenario
from gridsim.sweep.folder import DONE, FAILED, Record, SweepFolder
from gridsim.sweep.study_file import Run

_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def work(run: Run, folder: Path, stop: Callable[[], str] | None = None) -> Record:
    """Do a run of the sweep in `folder`, or go on with it; its record, which stands in the folder, too.

    Raises
    ------
    StoppedError
        If `stop` said so after a window: the run goes on from there the next time.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    prepare()
    at = SweepFolder(folder)
    record = _ended(run, at, stop)
    _clear()
    record = replace(
        record,
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )
    try:
        at.write_record(run, record)
    except ResourceError as error:  # what the run was about to say is worth more than where it could not be said
        return replace(record, status=FAILED, exit_code=error.exit_code, message=record.message or str(error))
    return record


def _clear() -> None:
    """A worker does many runs: the arrays of one must not wait for the next.

    What the first leaves are modules and kernels, a million objects that need not be looked through after every run.
    """
    gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()


def _ended(run: Run, at: SweepFolder, stop: Callable[[], str] | None) -> Record:
    from gridsim.simulate import simulate

    results = at.results_of(run)
    try:
        begun = _begun(results)
        if begun is None:
            summary = simulate(run.scenario, results, force=True, stop=stop)
        else:
            summary = simulate(begun, results, resume=True, stop=stop)
    except StoppedError:
        raise
    except Exception as error:
        code, message = _said(error)
        return Record(run.name, FAILED, code, message)
    return Record(run.name, DONE, size_bytes=results.stat().st_size, summary=summary)


def _begun(results: Path) -> Scenario | None:
    """The scenario of a run that was stopped, if it can be resumed as it has begun."""
    if not journal_of(results).exists():
        return None
    try:
        return scenario_to_resume(results)
    except (InputError, IntegrityError):  # of another code, or damaged: begun anew
        return None


def _said(error: Exception) -> tuple[int, str]:
    """Exit code and message, as the command line has them."""
    if isinstance(error, GridsimError):
        return error.exit_code, str(error)
    if isinstance(error, MemoryError):
        return ResourceError.exit_code, "out of memory"
    if isinstance(error, OSError) and error.errno in _NO_PLACE:
        return ResourceError.exit_code, f"{error.filename or 'output'}: {error.strerror}"
    return GridsimError.exit_code, "internal error: " + "".join(traceback.format_exception(error)).strip()
