"""A sweep: find what is missing, have it done, make the table."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from gridsim.errors import StoppedError
from gridsim.stopping import SIGNALS, asked_to_stop
from gridsim.sweep.check import check_networks
from gridsim.sweep.folder import DONE, FAILED, MISSING, Record, SweepFolder
from gridsim.sweep.pool import Workers, run_all
from gridsim.sweep.study_file import Run, StudyFile
from gridsim.sweep.table import write_table
from gridsim.sweep.work import work


@dataclass(frozen=True)
class Progress:
    """A run has ended."""

    run: Run
    record: Record
    done: int  # of those to do, this one included
    count: int  # to do
    seconds: float  # since the first began


@dataclass(frozen=True)
class Outcome:
    """What a sweep has come to."""

    counts: dict[str, int]  # of runs by status, all of the study
    failed: tuple[tuple[str, Record], ...]
    table: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether all runs are done."""
        return not self.counts[FAILED] and not self.counts[MISSING]


Report = Callable[[Progress], None]


def sweep(
    given: StudyFile, folder: Path, workers: Workers, *, retry: bool = False, budget_s: float | None = None,
    report: Report,
) -> Outcome:  # fmt: skip
    """Do all missing runs of a study with Dask, and make the table.

    Raises
    ------
    StoppedError
        After `budget_s` seconds, or by a signal of a batch system: the same call goes on.
    """
    at = SweepFolder(folder)
    with at.at_work(alone=True):
        at.write_manifest(given)
        todo = at.missing(given.runs, retry=retry)
        if todo:
            check_networks(given)
            compile_once()
            counter = _Counter(len(todo), report)

            def done(run: Run, record: Record) -> None:
                if at.record_of(run) is None and record.status == FAILED:
                    at.write_record(run, record)  # its worker could not
                counter(run, record)

            with stopping(budget_s):
                run_all(todo, folder, workers, done)
        return collect(given, folder)


def sweep_task(
    given: StudyFile, folder: Path, task: int, tasks: int, *, retry: bool = False, budget_s: float | None = None,
    report: Report,
) -> Outcome:  # fmt: skip
    """Do the missing runs of one of `tasks` equal shares in this process, the first being 1; makes no table.

    Raises
    ------
    StoppedError
        After `budget_s` seconds, or by a signal of a batch system, at the end of a window: the same call goes on.
    """
    at = SweepFolder(folder)
    share = given.runs[task - 1 :: tasks]
    with at.at_work(alone=False):
        at.write_manifest(given)
        todo = at.missing(share, retry=retry)
        counter = _Counter(len(todo), report)
        with asked_to_stop(budget_s) as stop:
            for run in todo:
                if why := stop():
                    raise StoppedError(f"stopped by {why} after {counter.done} of {len(todo)} runs")
                counter(run, work(run, folder, stop))
    return _outcome(at, share)


def collect(given: StudyFile, folder: Path) -> Outcome:
    """Make the table of what is there."""
    at = SweepFolder(folder)
    return _outcome(at, given.runs, write_table(folder))


def _outcome(at: SweepFolder, runs: Sequence[Run], table: Path | None = None) -> Outcome:
    records = [(run, at.record_of(run)) for run in runs]
    counts = Counter(MISSING if record is None else record.status for _, record in records)
    failed = tuple((run.name, record) for run, record in records if record is not None and record.status == FAILED)
    return Outcome({status: counts[status] for status in (DONE, FAILED, MISSING)}, failed, table)


@contextmanager
def stopping(budget_s: float | None) -> Iterator[None]:
    """Raise StoppedError here on a signal to stop, or when a budget of time is over. In the main thread only.

    What the workers have in hand is lost but for its journal: they end with the process that they work for.
    """

    def stop(number: int, _: FrameType | None) -> None:
        why = "its time budget" if number == signal.SIGALRM else signal.Signals(number).name
        raise StoppedError(f"stopped by {why}; the same command goes on")

    before = {number: signal.signal(number, stop) for number in (*SIGNALS, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_REAL, budget_s or 0.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)


def compile_once() -> None:
    """Fill the cache of machine code, so that no two workers compile the same."""
    from gridsim.simulate import warmup

    warmup(everything=True)


class _Counter:
    """Counts runs as they end."""

    def __init__(self, count: int, report: Report):
        self.count, self.report, self.done, self.began = count, report, 0, time.monotonic()

    def __call__(self, run: Run, record: Record) -> None:
        self.done += 1
        self.report(Progress(run, record, self.done, self.count, time.monotonic() - self.began))
