"""Writing a results file: buffered, one window at a time, under another name until it is whole.

The run writes ``FILE.part`` and renames it to ``FILE`` at the end, so what stands under the final name is always
complete, and an older file (``force=True``) stays until then. Hours are buffered and written `CHUNK_H` at a time,
so that each chunk is compressed once; a killed run loses the buffered windows, fewer than CHUNK_H + one window.
Any failure to write (disk full, quota) ends in one `ResourceError`, and the ``.part`` file is removed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from gridsim.errors import ResourceError
from gridsim.part_file import PartFile, check_output, part_of
from gridsim.results_frame import CHUNK_H, dims_of, flat, machine, set_attrs, shape_of, write_frame
from gridsim.scenario import Scenario
from gridsim.schema import BY_PATH, DATASETS, GRID, WINDOW_COLUMNS, Dataset

if TYPE_CHECKING:
    from gridsim.case import Case

EXPECTED_SHARE = 0.5  # of the raw size: what the disk check asks for; measured 0.2-0.35 on Jiangsu-sized years
SPARE_BYTES = 4_000_000  # tables, texts, the net
CAUSES_MW = 1e-5  # how far the causes of curtailment may be from their total before rounding
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


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
    shed_mwh: float = 0.0  # in the kept hours
    curtailed_mwh: float = 0.0  # in the kept hours


class ResultsWriter:
    """The file of one run while it is made. Use as a context manager: leaving without `finish` removes it."""

    def __init__(self, path: Path, case: Case, scenario: Scenario, force: bool, events: Sequence[Any]):
        check_output(path, force=force)
        self.path, self.part, self.case, self.scenario = path, part_of(path), case, scenario
        self.steps, self.per_hour = case.steps, case.steps_per_hour
        self._next = 0  # first step not appended yet
        self._base = 0  # first step in the buffers
        self._written: set[str] = set()
        self._windows: list[WindowReport] = []
        self._sink: PartFile | None = PartFile(self.part)
        self._file: h5py.File | None = None
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
        try:
            self._check_space()
            with self._errors():
                self._file = h5py.File(self._sink, "w")
                write_frame(self._file, case, scenario, self._dims, events)
            rows = min(CHUNK_H, self.steps)
            self._buffers = {
                d.path: np.zeros((rows, *self._shape(d)[1:]), dtype=d.dtype)
                for d in DATASETS
                if d.per_hour and 0 not in self._shape(d)
            }
        except BaseException:
            self.abort()
            raise

    @classmethod
    def open(
        cls, path: str | Path, case: Case, scenario: Scenario, *, force: bool = False, events: Sequence[Any] = ()
    ) -> ResultsWriter:
        """Begin a file.

        Parameters
        ----------
        path : final name; the run writes to ``path + ".part"``
        case, scenario : the index tables, dimensions and texts to record
        force : replace an existing file at the end
        events : of the profiles (dataclasses or dicts), kept as JSON in /meta/events

        Raises
        ------
        InputError
            If the file exists and `force` is not set.
        ResourceError
            If the folder cannot be written, another run writes the same file, or the disk has too little space.
        """
        return cls(Path(path), case, scenario, force, events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    # --- writing

    def append(self, block: Mapping[str, NDArray[Any]], first_hour: int, window: WindowReport) -> None:
        """Add the kept hours of one window.

        Parameters
        ----------
        block : path of each dataset along time -> (steps of window.kept, ...) array. Datasets with an empty dimension
            may be left out, and so may those the case already has (`dispatch/load_mw`, `dispatch/source_available_mw`,
            `dispatch/source_min_mw`, `commitment/available`, `storage/inflow_mw`, `reserve/need_mw`, limits of units
            and stores, limits, periods and paces of budgets), and
            ``curtailment/source_mw``, which is the sum of its causes.
        first_hour : must follow the hours appended before
        window : its numbers for /windows and /timing
        """
        first, n = first_hour * self.per_hour, window.kept * self.per_hour
        if first != self._next or first + n > self.steps:
            raise ValueError(f"window {window.index}: {n} steps from {first}, expected from {self._next}")
        unknown = set(block) - {d.path for d in DATASETS if d.per_hour}
        if unknown:
            raise ValueError(f"no per-hour datasets: {', '.join(sorted(unknown))}")
        rows = {path: self._checked(path, block, first, n) for path in self._buffers if path != "curtailment/source_mw"}
        if "curtailment/source_mw" in self._buffers:
            rows["curtailment/source_mw"] = self._total_curtailment(block, rows)
        done = 0
        while done < n:
            at = self._next - self._base
            take = min(n - done, CHUNK_H - at)
            for path, values in rows.items():
                self._buffers[path][at : at + take] = values[done : done + take]
            done += take
            self._next += take
            if self._next - self._base == CHUNK_H:
                self._flush()
        self._windows.append(window)

    def write(self, path: str, values: NDArray[Any]) -> None:
        """Write a dataset that does not run along hours (those of ``day``), whole."""
        d = BY_PATH[path]
        if d.per_hour or d.group in ("windows", "timing"):
            raise ValueError(f"{path} is written by append")
        with self._errors():
            self._h5[path][...] = _stored(d, np.asarray(values), self._shape(d))
        self._written.add(path)

    def finish(self, run: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write what is buffered, the windows, /meta and /summary; give the file its name. Returns the summary.

        Parameters
        ----------
        run : numbers of this execution for /meta/run: cpu_s, wall_s, compile_s, peak_rss_mb, ...
        meta : further attributes of /meta that are the same in every run of the scenario
        """
        from gridsim.results import ResultsReader
        from gridsim.summary import RUN_KEYS, summarise

        self._check_whole()
        with self._errors():
            self._flush()
            file = self._h5
            for column in WINDOW_COLUMNS:
                d = BY_PATH[f"windows/{column}"]
                file[d.path][...] = np.array([getattr(w, column) for w in self._windows], dtype=d.dtype)
            file["timing/window_cpu_s"][...] = np.array([w.cpu_s for w in self._windows], dtype=np.float64)
            set_attrs(file["meta"], meta or {})
            set_attrs(file["meta/run"], {**machine(), **run})
            file["meta"].attrs["complete"] = True
            file.flush()
            summary = summarise(ResultsReader(file, self.part))
            stable = {k: v for k, v in summary.items() if k not in RUN_KEYS}
            set_attrs(file["summary"], flat(stable))
            file.close()
            self._file = None
        with self._errors():
            self._sink_open.publish(self.path)
        self._sink = None
        summary["file_mb"] = self.path.stat().st_size / 1e6
        return summary

    def abort(self) -> None:
        """Drop the file: nothing stays behind. Does nothing after `finish`."""
        if self._sink is None:
            return
        if self._file is not None:
            # Whatever ended the run, the file is worthless; what else goes wrong in closing it does not matter.
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                self._file.close()
            self._file = None
        self._sink.drop()
        self._sink = None

    # --- inside

    @property
    def _h5(self) -> h5py.File:
        if self._file is None:
            raise ValueError(f"{self.path}: already finished or dropped")
        return self._file

    @property
    def _sink_open(self) -> PartFile:
        if self._sink is None:
            raise ValueError(f"{self.path}: already finished or dropped")
        return self._sink

    def _shape(self, d: Dataset) -> tuple[int, ...]:
        return shape_of(d, self._dims)

    def _checked(self, path: str, block: Mapping[str, NDArray[Any]], first: int, n: int) -> NDArray[Any]:
        d = BY_PATH[path]
        values = block.get(path)
        if values is None:
            if path not in self._from_case:
                raise ValueError(f"the block has no {path}")
            values = self._from_case[path][first : first + n]
        return _stored(d, np.asarray(values), (n, *self._shape(d)[1:]))

    def _total_curtailment(self, block: Mapping[str, NDArray[Any]], rows: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """All causes, exactly: sums of multiples of GRID are exact. A total that says otherwise is a bug."""
        total = rows["curtailment/cause_mw"].sum(axis=2)
        given = block.get("curtailment/source_mw")
        if given is not None:
            off = np.abs(_stored(BY_PATH["curtailment/source_mw"], np.asarray(given), total.shape) - total)
            if off.max(initial=0.0) > CAUSES_MW:
                raise ValueError(f"curtailment is not the sum of its causes: {off.max():.3g} MW apart")
        return total

    def _flush(self) -> None:
        """Write the buffered hours. Whole chunks, except at the end of the run."""
        n = self._next - self._base
        if n == 0:
            return
        with self._errors():
            for path, buffer in self._buffers.items():
                self._h5[path][self._base : self._next] = buffer[:n]
            self._h5.flush()
        self._base = self._next

    def _check_whole(self) -> None:
        missing = [d.path for d in DATASETS if "day" in d.dims and d.path not in self._written]
        if missing:
            raise ValueError(f"never written: {', '.join(missing)}")
        if self._next != self.steps or len(self._windows) != len(self._dims["window"]):
            got = f"{self._next} of {self.steps} steps in {len(self._windows)} windows"
            raise ValueError(f"the run is not complete: {got}")

    def _check_space(self) -> None:
        raw = sum(np.dtype(d.dtype).itemsize * int(np.prod(self._shape(d))) for d in DATASETS)
        need = EXPECTED_SHARE * raw + SPARE_BYTES
        free = shutil.disk_usage(self.path.parent).free
        if free < need:
            text = f"the results need up to {need / 1e6:.0f} MB, {free / 1e6:.0f} MB are free"
            raise ResourceError(f"{self.path.parent}: too little disk space: {text}")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """A failed write becomes one ResourceError, and the file is dropped."""
        sink = self._sink_open
        try:
            yield
        except Exception as error:
            if sink.error is None and not isinstance(error, OSError):
                raise
            failed: BaseException | None = sink.error or error
        else:
            failed = sink.error
        if failed is None:
            return
        self.abort()
        if not isinstance(failed, OSError):
            raise failed  # Ctrl-C while HDF5 was writing
        if failed.errno in _DISK_FULL:
            raise ResourceError(f"{self.path}: the disk or quota is full; the incomplete file is removed")
        raise ResourceError(
            f"{self.path}: cannot be written: {failed.strerror or failed}; the incomplete file is removed"
        )


def _stored(d: Dataset, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """`values` as the file keeps them. Wrong shape, or anything that is not finite, is a bug and says where."""
    if values.shape != shape:
        raise ValueError(f"{d.path}: shape {values.shape}, expected {shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise ValueError(f"{d.path}: {values[place]} at {place} of the block")
    if d.on_grid:
        return np.rint(values / GRID) * GRID + 0.0  # + 0.0: no minus zero
    if values.dtype.kind == "f" and np.dtype(d.dtype).kind == "i":
        return np.rint(values).astype(d.dtype)
    return values
