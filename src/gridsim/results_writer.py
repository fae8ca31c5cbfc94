"""Writing a results file: window by window into a journal, and from that, when the run is done, the file.

HDF5 does not survive a kill or a power cut in the middle of a write, so while a run goes on there is only its
`journal`. At the end the file is made from it, `CHUNK_H` hours in memory at a time so that each chunk is compressed
once, under the name ``FILE.part``; it is made final on the disk, takes its name, and the journal is removed. What
stands under the final name is always complete, and an older file (``force=True``) stays until then. Whatever stops a
run leaves the journal, and ``gridsim resume FILE`` goes on from its last window.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem, ResourceError, WindowError
from gridsim.journal import Journal, is_begun_only, journal_of, look, sync_folder
from gridsim.origin import origin
from gridsim.part_file import PartFile, check_output, is_held, part_of, write_error
from gridsim.results_frame import dims_of, flat, machine, set_attrs, shape_of, write_frame
from gridsim.scenario import Scenario
from gridsim.schema import BY_PATH, CHUNK_H, DATASETS, GRID, WINDOW_COLUMNS, Dataset, kept, rounding_of

if TYPE_CHECKING:
    from gridsim.case import Case
    from gridsim.summary_sums import Sums

EXPECTED_SHARE = 0.5  # of the raw size: what the disk check asks for; measured 0.2-0.35 on Jiangsu-sized years
JOURNAL_SHARE = 0.3  # likewise of the journal, which is there beside the file for a moment
SPARE_BYTES = 4_000_000  # tables, texts, the net
CAUSES, TOTAL = "curtailment/cause_mw", "curtailment/source_mw"
CAUSES_MW = 1e-5  # how far the causes of curtailment may be from their total before rounding


@dataclasses.dataclass(frozen=True)
class WindowReport:
    """What `simulate` says about one window: a row of /windows and /timing, and a line for people."""

    index: int
    count: int  # windows of the run
    first_hour: int
    hours: int  # that the window looked at
    kept: int  # that it keeps
    cost: float  # currency, all hours of the window
    bound: float  # proven lower bound of `cost`
    gap: float  # (cost - bound) / cost
    status: int = 0  # see /windows/status
    iterations: int = 0
    rounds: int = 0
    rows: int = 0
    retries: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    shed_mwh: float = 0.0  # in the kept hours
    curtailed_mwh: float = 0.0  # in the kept hours


def check_new(path: Path, *, force: bool) -> None:
    """Refuse, before any work, to begin a run in place of a results file, or of a stopped run that can go on."""
    check_output(path, force=force)
    journal = journal_of(path)
    if is_held(journal):
        raise ResourceError(f"{path}: another run is writing this file")
    if force or not journal.exists() or is_begun_only(journal):
        return
    seen = look(journal)
    if seen is not None and seen.windows:
        done = f"{len(seen.windows)} of {seen.about['windows']} windows"
        rule = f"is that of a stopped run, which has {done}: {_go_on(path)}, or --force to start again"
        raise InputError(str(journal), [Problem("the journal", rule)])


def _go_on(path: Path) -> str:
    return f"gridsim resume {shlex.quote(str(path))} goes on"


class ResultsWriter:
    """The results of one run while they are made. Use as a context manager: leaving without `finish` keeps the journal.

    `windows` are the reports of those that are done, to begin with the ones that an earlier process has left.
    """

    def __init__(self, path: Path, case: Case, scenario: Scenario, force: bool, events: Sequence[Any], resume: bool):
        self.path, self.case, self.scenario, self.events = path, case, scenario, events
        self.steps, self.per_hour = case.steps, case.steps_per_hour
        self.windows: list[WindowReport] = []
        self._whole: dict[str, NDArray[Any]] = {}  # datasets that do not run along hours
        self._dims = dims_of(case, scenario)
        self._from_case: dict[str, NDArray[Any]] = {
            "dispatch/source_min_mw": case.source_min_mw,
            "dispatch/source_available_mw": case.source_max_mw,
            "dispatch/load_mw": case.load_mw,
            "commitment/available": case.unit_available,
            "dispatch/source_own_mw": case.source_own_mw,
            "dispatch/unit_floor_mw": case.unit_floor_mw,
            "dispatch/unit_ceiling_mw": case.unit_ceiling_mw,
            "flow/rating_share": case.rating_share,
            "storage/inflow_mw": case.store_inflow_mw,
            **{f"storage/{name}": values for name, values in case.store_limits._asdict().items()},
            "reserve/need_mw": case.product_need_mw,
            "budget/period": case.budget_terms.period,
            "budget/at_most": np.where(np.isfinite(case.budget_terms.at_most), case.budget_terms.at_most, -1.0),
            "budget/at_least": case.budget_terms.at_least,
            "budget/allowed": case.budget_terms.allowed,
            "budget/pace": case.budget_terms.pace,
        }
        self._count, self._finished = len(self._dims["window"]), False
        self._hourly = [d for d in DATASETS if d.per_hour and 0 not in self._shape(d)]
        if resume:
            check_output(path, force=True)
            self._journal = Journal.reopen(journal_of(path))
            if self._journal.about["digest"] != scenario.digest:
                self._journal.close()
                raise ValueError(f"{path}: its journal is of another scenario")
            self.windows = [WindowReport(**report) for report in self._journal.reports()]
        else:
            check_new(path, force=force)
            self._check_space()
            self._journal = Journal.create(journal_of(path), origin(scenario))
        self._next = sum(window.kept for window in self.windows) * self.per_hour  # first step not appended yet

    @classmethod
    def open(
        cls,
        path: str | Path,
        case: Case,
        scenario: Scenario,
        *,
        force: bool = False,
        events: Sequence[Any] = (),
        resume: bool = False,
    ) -> ResultsWriter:
        """Begin a run's results, or go on with those of a stopped one.

        Parameters
        ----------
        path : final name; the run writes to ``path + ".journal"``
        case, scenario : the index tables, dimensions and texts to record
        force : replace an existing file at the end, and a stopped run's journal now
        events : of the profiles (dataclasses or dicts), kept as JSON in /meta/events
        resume : go on with the journal that is there, which must be of the same scenario

        Raises
        ------
        InputError
            If the file or a stopped run's journal exists and `force` is not set.
        IntegrityError
            If the journal to go on with is damaged from its beginning.
        ResourceError
            If the folder cannot be written, another run writes the same file, or the disk has too little space.
        """
        return cls(Path(path), case, scenario, force, events, resume)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the journal of a run that is done, or has nothing to go on from; else keep it, and say so."""
        done = self._finished and error is None
        if done or not self.windows or isinstance(error, WindowError):
            self._journal.drop()
            return
        self._journal.close()
        if error is not None:
            error.add_note(f"{len(self.windows)} of {self._count} windows are kept: {_go_on(self.path)}")

    # --- writing

    def append(
        self,
        block: Mapping[str, NDArray[Any]],
        first_hour: int,
        window: WindowReport,
        carried: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Add the kept hours of one window; they are on the disk when this returns.

        Parameters
        ----------
        block : path of each dataset along time -> (steps of window.kept, ...) array. Datasets with an empty dimension
            may be left out, and so may those the case already has (`dispatch/load_mw`, `dispatch/source_available_mw`,
            `dispatch/source_min_mw`, `commitment/available`, `storage/inflow_mw`, `reserve/need_mw`, limits of units
            and stores, limits, periods and paces of budgets), and
            ``curtailment/source_mw``, which is the sum of its causes.
        first_hour : must follow the hours appended before
        window : its numbers for /windows and /timing
        carried : what the next window needs, for `recall`; no name has a slash
        """
        first, n = first_hour * self.per_hour, window.kept * self.per_hour
        if first != self._next or first + n > self.steps:
            raise ValueError(f"window {window.index}: {n} steps from {first}, expected from {self._next}")
        unknown = set(block) - {d.path for d in DATASETS if d.per_hour}
        if unknown:
            raise ValueError(f"no per-hour datasets: {', '.join(sorted(unknown))}")
        rows = {d.path: self._checked(d, block, n) for d in self._hourly if self._is_given(d, block)}
        if CAUSES in rows and TOTAL in block:
            self._check_causes(block[TOTAL], rows[CAUSES])
        self._journal.append(dataclasses.asdict(window), {**rows, **(carried or {})})
        self._next += n
        self.windows.append(window)

    def recall(self) -> list[dict[str, NDArray[Any]]]:
        """What each of the windows so far has carried on."""
        return [
            {name: values for name, values in arrays.items() if "/" not in name} for arrays in self._journal.windows()
        ]

    def write(self, path: str, values: NDArray[Any]) -> None:
        """Write a dataset that does not run along hours (those of ``day``), whole."""
        d = BY_PATH[path]
        if d.per_hour or d.group in ("windows", "timing"):
            raise ValueError(f"{path} is written by append")
        self._whole[path] = _stored(d, np.asarray(values), self._shape(d))

    def finish(self, run: Callable[[], Mapping[str, Any]], meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Make the file of the journal: hours, windows, /meta and /summary; give it its name. Returns the summary.

        Parameters
        ----------
        run : asked when the hours are written, for /meta/run: cpu_s, wall_s, compile_s, peak_rss_mb, ...
        meta : further attributes of /meta that are the same in every run of the scenario
        """
        self._check_whole()
        with _file_in_the_making(self.path) as (file, sink):
            write_frame(file, self.case, self.scenario, self._dims, self.events)
            file["meta"].attrs["complete"] = True  # when it has its name
            sums = self._write_hours(file, sink)
            for path, values in self._whole.items():
                file[path][...] = values
            for column in WINDOW_COLUMNS:
                d = BY_PATH[f"windows/{column}"]
                file[d.path][...] = np.array([getattr(w, column) for w in self.windows], dtype=d.dtype)
            file["timing/window_cpu_s"][...] = np.array([w.cpu_s for w in self.windows], dtype=np.float64)
            set_attrs(file["meta"], meta or {})
            set_attrs(file["meta/run"], {**machine(), **run()})
            summary = _summarised(file, sink.path, sums)
        self._finished = True
        summary["file_mb"] = self.path.stat().st_size / 1e6
        return summary

    # --- inside

    def _shape(self, d: Dataset) -> tuple[int, ...]:
        return shape_of(d, self._dims)

    def _is_given(self, d: Dataset, block: Mapping[str, NDArray[Any]]) -> bool:
        """Whether a dataset is one of the block, and neither the case's nor the sum of others."""
        return d.path in block if d.path in self._from_case else d.path != TOTAL

    def _checked(self, d: Dataset, block: Mapping[str, NDArray[Any]], n: int) -> NDArray[Any]:
        if d.path not in block:
            raise ValueError(f"the block has no {d.path}")
        return _stored(d, np.asarray(block[d.path]), (n, *self._shape(d)[1:])).astype(d.dtype, copy=False)

    @staticmethod
    def _check_causes(given: NDArray[Any], causes: NDArray[Any]) -> None:
        """All causes make the total, exactly: sums of multiples of GRID are exact. One that is not is a bug."""
        total = causes.sum(axis=2)
        off = np.abs(_stored(BY_PATH[TOTAL], np.asarray(given), total.shape) - total)
        if off.max(initial=0.0) > CAUSES_MW:
            raise ValueError(f"curtailment is not the sum of its causes: {off.max():.3g} MW apart")

    def _write_hours(self, file: h5py.File, sink: PartFile) -> Sums:
        """The datasets along time, in whole chunks except at the end of the run; what the summary needs of them."""
        from gridsim.results import ResultsReader
        from gridsim.summary_sums import Sums

        rows, keep, base, at = min(CHUNK_H, self.steps), self.scenario.output.keep, 0, 0
        buffers = {d.path: np.zeros((rows, *self._shape(d)[1:]), dtype=d.dtype) for d in DATASETS if d.per_hour}
        sums, kept_ones = Sums(ResultsReader(file, sink.path)), {d.path for d in kept(keep)}
        for window, arrays in zip(self.windows, self._journal.windows(), strict=True):
            n = window.kept * self.per_hour
            if CAUSES in arrays:
                arrays[TOTAL] = arrays[CAUSES].sum(axis=2)
            for d in self._hourly:
                if d.path not in arrays:
                    values = self._from_case[d.path][at : at + n]
                    arrays[d.path] = _stored(d, values, (n, *self._shape(d)[1:]))
            done = 0
            while done < n:
                take = min(n - done, CHUNK_H - (at - base))
                for d in self._hourly:
                    buffers[d.path][at - base : at - base + take] = arrays[d.path][done : done + take]
                done, at = done + take, at + take
                if at - base in (CHUNK_H, self.steps - base):
                    chunk = {path: buffer[: at - base] for path, buffer in buffers.items()}
                    sums.add(chunk)
                    for dataset, values in _kept_of(chunk, self._hourly, keep):
                        if dataset in kept_ones and values.any():  # a chunk that is not written reads as zeros
                            file[dataset][base:at] = values
                    file.flush()
                    sink.check()
                    base = at
        return sums

    def _check_whole(self) -> None:
        missing = [d.path for d in DATASETS if "day" in d.dims and d.path not in self._whole]
        if missing:
            raise ValueError(f"never written: {', '.join(missing)}")
        if self._next != self.steps or len(self.windows) != self._count:
            got = f"{self._next} of {self.steps} steps in {len(self.windows)} windows"
            raise ValueError(f"the run is not complete: {got}")

    def _check_space(self) -> None:
        raw = sum(np.dtype(d.dtype).itemsize * int(np.prod(self._shape(d))) for d in kept(self.scenario.output.keep))
        need = (EXPECTED_SHARE + JOURNAL_SHARE) * raw + SPARE_BYTES
        folder = next(f for f in self.path.absolute().parents if f.exists())
        free = shutil.disk_usage(folder).free
        if free < need:
            text = f"the results need up to {need / 1e6:.0f} MB, {free / 1e6:.0f} MB are free"
            raise ResourceError(f"{self.path.parent}: too little disk space: {text}")


@contextlib.contextmanager
def _file_in_the_making(path: Path) -> Iterator[tuple[h5py.File, PartFile]]:
    """A new HDF5 file that takes the name `path` if all goes well, and is gone if not."""
    sink = PartFile(part_of(path))
    try:
        with h5py.File(sink, "w") as file:
            yield file, sink
        sink.check()
        sink.publish(path)
        sync_folder(path)
    except BaseException as error:
        sink.drop()
        failed = sink.error or error  # Ctrl-C while HDF5 was writing is such an error, too
        if isinstance(failed, OSError):
            raise write_error(path, failed) from None
        raise failed from None


def _kept_of(chunk: Mapping[str, NDArray[Any]], hourly: Sequence[Dataset], keep: str) -> Iterator[tuple[str, Any]]:
    """Hours as a file keeps them; the causes of curtailment add up in any rounding."""
    for d in hourly:
        rounding = rounding_of(d, keep)
        if rounding in (0.0, GRID):  # as they are in the journal
            yield d.path, chunk[d.path]
        elif d.path == TOTAL:
            yield d.path, rounded(chunk[CAUSES], rounding).sum(axis=2)
        else:
            yield d.path, rounded(chunk[d.path], rounding)


def _summarised(file: h5py.File, path: Path, sums: Sums) -> dict[str, Any]:
    """The summary of the hours before anything is left out of them or rounded, written into the file."""
    from gridsim.results import ResultsReader
    from gridsim.summary import RUN_KEYS, summarise

    file.flush()
    run = ResultsReader(file, path)
    summary = summarise(run, sums)
    stable = {k: v for k, v in summary.items() if k not in RUN_KEYS}
    set_attrs(file["summary"], flat(stable))
    if run.keep != "full":
        file["meta"].create_dataset("summary", data=json.dumps(stable), dtype=h5py.string_dtype(), track_times=False)
    return summary


def rounded(values: NDArray[Any], step: float) -> NDArray[Any]:
    """To the nearest multiple of `step`, a power of two; no minus zero."""
    return np.rint(values / step) * step + 0.0


def _stored(d: Dataset, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """`values` as the file keeps them. Wrong shape, or anything that is not finite, is a bug and says where."""
    if values.shape != shape:
        raise ValueError(f"{d.path}: shape {values.shape}, expected {shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise ValueError(f"{d.path}: {values[place]} at {place} of the block")
    if d.on_grid:
        return rounded(values, GRID)
    if values.dtype.kind == "f" and np.dtype(d.dtype).kind == "i":
        return np.rint(values).astype(d.dtype)
    return values
