"""Writing a results file: buffered, one window at a time, under another name until it is whole.

The run writes ``FILE.part`` and renames it to ``FILE`` at the end, so what stands under the final name is always
complete, and an older file (``force=True``) stays until then. Hours are buffered and written `CHUNK_H` at a time,
so that each chunk is compressed once; a killed run loses the buffered windows, fewer than CHUNK_H + one window.
Any failure to write (disk full, quota) ends in one `ResourceError`, and the ``.part`` file is removed.
"""

import contextlib
import dataclasses
import errno
import fcntl
import gzip
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim import __version__
from gridsim.case import Case
from gridsim.errors import InputError, Problem, ResourceError
from gridsim.scenario import Scenario
from gridsim.schema import (
    BY_PATH,
    DATASETS,
    FORMAT,
    FORMAT_VERSION,
    GRID,
    GRID_TEXT,
    SUPPLIERS,
    TABLES,
    WINDOW_COLUMNS,
    Dataset,
    techs_of,
    unique_names,
    zones_of,
)

CHUNK_H = 366  # 24 chunks through a leap year
CHUNK_ELEMENTS = 16
GZIP_LEVEL = 2
EXPECTED_SHARE = 0.5  # of the raw size: what the disk check asks for; measured 0.2-0.35 on Jiangsu-sized years
CAUSES_MW = 1e-5  # how far system + network curtailment may be from their total before rounding
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


def check_output(path: Path, *, force: bool) -> None:
    """Refuse, before any work, an output that exists or a place that cannot hold one."""
    if path.is_dir():
        raise InputError(str(path), [Problem("the output", "must be a file: this is a folder")])
    if path.exists() and not force:
        raise InputError(
            str(path), [Problem("the output", "exists already: choose another name, or --force to replace it")]
        )
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{folder}: cannot make this folder: {error.strerror}") from None
    part = part_of(path)
    existed = part.exists()
    try:
        with part.open("ab"):
            pass
    except OSError as error:
        raise ResourceError(f"{folder}: cannot write in this folder: {error.strerror}") from None
    if not existed:
        part.unlink()


def part_of(path: Path) -> Path:
    """The name a file has until it is complete."""
    return path.with_name(path.name + ".part")


class ResultsWriter:
    """The file of one run while it is made. Use as a context manager: leaving without `finish` removes it."""

    def __init__(self, path: Path, case: Case, scenario: Scenario, force: bool, events: Sequence[Any]):
        check_output(path, force=force)
        self.path, self.part, self.case, self.scenario = path, part_of(path), case, scenario
        self.hours = case.hours
        self._next_hour = 0  # first hour not appended yet
        self._base = 0  # first hour in the buffers
        self._written: set[str] = set()
        self._windows: list[WindowReport] = []
        self._lock = _lock(self.part)
        self._file: h5py.File | None = None
        self._dims = _dims_of(case, scenario)
        self._from_case: dict[str, NDArray[Any]] = {
            "dispatch/source_min_mw": case.source_min_mw,
            "dispatch/source_available_mw": case.source_max_mw,
            "dispatch/load_mw": case.load_mw,
            "commitment/available": case.unit_available,
            "reserve/up_required_mw": case.reserve_up_mw,
            "reserve/down_required_mw": case.reserve_down_mw,
        }
        try:
            self._check_space()
            with self._errors():
                self._file = h5py.File(self.part, "w", locking=False)  # `_lock` is ours; HDF5's would collide with it
                self._write_frame(events)
            rows = min(CHUNK_H, self.hours)
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
    ) -> "ResultsWriter":
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
        block : path of each per-hour dataset -> (window.kept, ...) array. Datasets with an empty dimension may be
            left out, and so may those the case already has (`dispatch/load_mw`, `dispatch/source_available_mw`,
            `dispatch/source_min_mw`, `commitment/available`, `reserve/*_required_mw`), and ``curtailment/source_mw``,
            which is the sum of its causes.
        first_hour : must follow the hours appended before
        window : its numbers for /windows and /timing
        """
        n = window.kept
        if first_hour != self._next_hour or first_hour + n > self.hours:
            raise ValueError(f"window {window.index}: {n} hours from {first_hour}, expected from {self._next_hour}")
        unknown = set(block) - {d.path for d in DATASETS if d.per_hour}
        if unknown:
            raise ValueError(f"no per-hour datasets: {', '.join(sorted(unknown))}")
        rows = {
            path: self._checked(path, block, first_hour, n) for path in self._buffers if path != "curtailment/source_mw"
        }
        if "curtailment/source_mw" in self._buffers:
            rows["curtailment/source_mw"] = self._total_curtailment(block, rows, n)
        done = 0
        while done < n:
            at = self._next_hour - self._base
            take = min(n - done, CHUNK_H - at)
            for path, values in rows.items():
                self._buffers[path][at : at + take] = values[done : done + take]
            done += take
            self._next_hour += take
            if self._next_hour - self._base == CHUNK_H:
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
        from gridsim.summary import STABLE_RUN_KEYS, summarise

        self._check_whole()
        with self._errors():
            self._flush()
            file = self._h5
            for column in WINDOW_COLUMNS:
                d = BY_PATH[f"windows/{column}"]
                file[d.path][...] = np.array([getattr(w, column) for w in self._windows], dtype=d.dtype)
            file["timing/window_cpu_s"][...] = np.array([w.cpu_s for w in self._windows], dtype=np.float64)
            _set_attrs(file["meta"], meta or {})
            _set_attrs(file["meta/run"], {**_machine(), **run})
            file["meta"].attrs["complete"] = True
            file.flush()
            summary = summarise(ResultsReader(file))
            stable = {k: v for k, v in summary.items() if k not in STABLE_RUN_KEYS}
            _set_attrs(file["summary"], _flat(stable))
            file.close()
            self._file = None
            _sync(self.part)
            os.replace(self.part, self.path)
            _sync(self.path.parent)
        self._release()
        summary["file_mb"] = self.path.stat().st_size / 1e6
        return summary

    def abort(self) -> None:
        """Drop the file: nothing stays behind. Does nothing after `finish`."""
        if self._lock is None:
            return
        with contextlib.suppress(OSError):
            # On a full disk HDF5 cannot close what it cannot write. Emptying the file first gives the space back.
            os.truncate(self.part, 0)
        if self._file is not None:
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                self._file.close()
            self._file = None
        with contextlib.suppress(OSError):
            self.part.unlink()
        self._release()

    # --- inside

    @property
    def _h5(self) -> h5py.File:
        if self._file is None:
            raise ValueError(f"{self.path}: already finished or dropped")
        return self._file

    def _shape(self, d: Dataset) -> tuple[int, ...]:
        return tuple(len(self._dims[name]) for name in d.dims)

    def _checked(self, path: str, block: Mapping[str, NDArray[Any]], first_hour: int, n: int) -> NDArray[Any]:
        d = BY_PATH[path]
        values = block.get(path)
        if values is None:
            if path not in self._from_case:
                raise ValueError(f"the block has no {path}")
            values = self._from_case[path][first_hour : first_hour + n]
        return _stored(d, np.asarray(values), (n, *self._shape(d)[1:]))

    def _total_curtailment(
        self, block: Mapping[str, NDArray[Any]], rows: Mapping[str, NDArray[Any]], n: int
    ) -> NDArray[Any]:
        """system + network, exactly: sums of multiples of GRID are exact. A total that says otherwise is a bug."""
        total = rows["curtailment/system_mw"] + rows["curtailment/network_mw"]
        given = block.get("curtailment/source_mw")
        if given is not None:
            off = np.abs(_stored(BY_PATH["curtailment/source_mw"], np.asarray(given), total.shape) - total)
            if off.max(initial=0.0) > CAUSES_MW:
                raise ValueError(f"curtailment is not the sum of its causes: {off.max():.3g} MW apart")
        return total

    def _flush(self) -> None:
        """Write the buffered hours. Whole chunks, except at the end of the run."""
        n = self._next_hour - self._base
        if n == 0:
            return
        with self._errors():
            for path, buffer in self._buffers.items():
                self._h5[path][self._base : self._next_hour] = buffer[:n]
            self._h5.flush()
        self._base = self._next_hour

    def _check_whole(self) -> None:
        missing = [d.path for d in DATASETS if "day" in d.dims and d.path not in self._written]
        if missing:
            raise ValueError(f"never written: {', '.join(missing)}")
        if self._next_hour != self.hours or len(self._windows) != len(self._dims["window"]):
            got = f"{self._next_hour} of {self.hours} hours in {len(self._windows)} windows"
            raise ValueError(f"the run is not complete: {got}")

    def _check_space(self) -> None:
        raw = sum(np.dtype(d.dtype).itemsize * int(np.prod(self._shape(d))) for d in DATASETS)
        need = EXPECTED_SHARE * raw + len(self.case.net_json) + 1e6
        free = shutil.disk_usage(self.path.parent).free
        if free < need:
            text = f"the results need up to {need / 1e6:.0f} MB, {free / 1e6:.0f} MB are free"
            raise ResourceError(f"{self.path.parent}: too little disk space: {text}")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """A failed write becomes one ResourceError, and the file is dropped."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            code = _errno_of(error)
            if code is None and isinstance(error, RuntimeError):
                raise
            self.abort()
            if code in _DISK_FULL:
                raise ResourceError(f"{self.path}: the disk or quota is full; the incomplete file is removed") from None
            reason = os.strerror(code) if code else str(error)
            raise ResourceError(f"{self.path}: cannot be written: {reason}; the incomplete file is removed") from None

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _write_frame(self, events: Sequence[Any]) -> None:
        """Everything that is known before the first hour: scales, index tables, empty datasets, /meta."""
        file, case, scenario = self._h5, self.case, self.scenario
        for name, values in self._dims.items():
            _scale(file, name, values, case)
        for group, dim in TABLES.items():
            self._write_table(group, getattr(case, group), dim)
        units = file["units"]
        self._array(
            units, "seg_mw", case.unit_seg_mw, ("unit", "segment"), "MW", "width of each cost segment, ONE unit"
        )
        self._array(units, "seg_cost", case.unit_seg_cost, ("unit", "segment"), "currency/MWh", "price of each segment")
        self._array(units, "min_cost", case.unit_min_cost, ("unit",), "currency/MWh", "price of output up to p_min_mw")
        weight, nbr = case.interface_weight, len(case.branches)
        for name, dim, part in (("branch", "branch", weight[:, :nbr]), ("link", "link", weight[:, nbr:])):
            long_name = f"weight of each {name}'s flow in the interface"
            self._array(file["interfaces"], f"{name}_weight", part, ("interface", dim), "1", long_name)
        for d in DATASETS:
            self._create(d)
        self._write_meta(events)
        file.create_group("summary")
        file.flush()

    def _create(self, d: Dataset) -> None:
        shape = self._shape(d)
        options: dict[str, Any] = {}
        if d.per_hour and 0 not in shape:
            chunk = (min(CHUNK_H, self.hours), *(min(CHUNK_ELEMENTS, n) for n in shape[1:]))
            options = {"chunks": chunk, "shuffle": True, "compression": "gzip", "compression_opts": GZIP_LEVEL}
        dataset = self._h5.create_dataset(d.path, shape, d.dtype, track_times=False, **options)
        currency = self.case.currency
        attrs = {"units": d.units.replace("currency", currency), "long_name": d.long_name, "sign": d.sign}
        _set_attrs(dataset, {k: v for k, v in attrs.items() if v})
        if d.on_grid:
            dataset.attrs["rounding"] = GRID_TEXT
        self._attach(dataset, d.dims)

    def _attach(self, dataset: h5py.Dataset, dims: tuple[str, ...]) -> None:
        """Name the dimensions, and link their scales into the group: coordinates for whoever opens the group alone."""
        for i, dim in enumerate(dims):
            dataset.dims[i].attach_scale(self._h5[dim])
            if dim not in dataset.parent:
                dataset.parent[dim] = self._h5[dim]

    def _array(
        self, group: h5py.Group, name: str, values: NDArray[Any], dims: tuple[str, ...], units: str, long_name: str
    ) -> None:
        dataset = group.create_dataset(name, data=values, track_times=False)
        _set_attrs(dataset, {"units": units.replace("currency", self.case.currency), "long_name": long_name})
        self._attach(dataset, dims)

    def _write_table(self, group: str, table: pd.DataFrame, dim: str) -> None:
        target = self._h5.create_group(group)
        for column in table.columns:
            values = table[column].to_numpy()
            if values.dtype.kind in "OUS":
                values = np.array(["" if pd.isna(v) else str(v) for v in values], dtype=object)
                dataset = target.create_dataset(column, data=values, dtype=h5py.string_dtype(), track_times=False)
            else:
                dataset = target.create_dataset(column, data=values, track_times=False)
            self._attach(dataset, (dim,))
        target.attrs["columns"] = json.dumps(list(table.columns))

    def _write_meta(self, events: Sequence[Any]) -> None:
        case, scenario = self.case, self.scenario
        group = self._h5.create_group("meta")
        form = {"format": FORMAT, "format_version": ".".join(map(str, FORMAT_VERSION))}
        attrs = {
            **form,
            "gridsim_version": __version__,
            "complete": False,
            "scenario_name": scenario.name,
            "scenario_title": scenario.title,
            "scenario_digest": scenario.digest,
            "case_name": case.name,
            "currency": case.currency,
            "utc_offset_h": float(case.utc_offset_h),
            "start": str(np.datetime64(case.start, "h")),
            "hours": case.hours,
            "window_h": scenario.horizon.window_h,
            "step_h": scenario.horizon.step_h,
            "seed": scenario.seed,
            "year": scenario.year,
            "engine": scenario.solver.engine,
            **{f"penalty_{k}": float(v) for k, v in dataclasses.asdict(case.penalties).items()},
        }
        _set_attrs(group, attrs)
        _set_attrs(self._h5, {**form, "Conventions": "CF-1.10", "title": scenario.title or scenario.name})
        net = np.frombuffer(gzip.compress(case.net_json.encode(), compresslevel=6, mtime=0), dtype=np.uint8)
        group.create_dataset("net_json", data=net, track_times=False)
        group["net_json"].attrs["long_name"] = "pandapower JSON of the net, gzip"
        texts = {
            "scenario_text": scenario.text,
            "notes": _json([dataclasses.asdict(note) for note in case.notes]),
            "events": _json([dataclasses.asdict(e) if dataclasses.is_dataclass(e) else e for e in events]),  # type: ignore[arg-type]
        }
        for name, text in texts.items():
            group.create_dataset(name, data=text, dtype=h5py.string_dtype(), track_times=False)
        _set_attrs(group.create_group("inputs"), scenario.input_digests())
        group.create_group("run")


def _dims_of(case: Case, scenario: Scenario) -> dict[str, Sequence[Any]]:
    return {
        "time": range(case.hours),
        **{dim: unique_names(getattr(case, group)) for group, dim in TABLES.items()},
        "zone": zones_of(case),
        "tech": techs_of(case),
        "supplier": SUPPLIERS,
        "segment": range(case.unit_seg_mw.shape[1]),
        "window": range(-(-case.hours // scenario.horizon.step_h)),
        "day": range(-(-case.hours // 24)),
    }


def _scale(file: h5py.File, name: str, values: Sequence[Any], case: Case) -> None:
    if isinstance(values, range):
        dataset = file.create_dataset(name, data=np.arange(len(values), dtype=np.int32), track_times=False)
    else:
        data = np.array(list(values), dtype=object)
        dataset = file.create_dataset(name, (len(values),), h5py.string_dtype(), data=data, track_times=False)
    dataset.make_scale(name)
    if name == "time":
        stamp = str(np.datetime64(case.start, "s")).replace("T", " ")
        attrs = {
            "units": f"hours since {stamp}",
            "calendar": "proleptic_gregorian",
            "standard_name": "time",
            "long_name": "start of the hour, local time of the network",
            "utc_offset_h": float(case.utc_offset_h),
        }
        _set_attrs(dataset, attrs)


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


def _lock(part: Path) -> int:
    """An exclusive lock on the .part file while it is written; file systems without locks are trusted."""
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ResourceError(f"{part}: cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            os.close(handle)
            raise ResourceError(f"{part}: another run is writing this file") from None
    return handle


def _errno_of(error: BaseException) -> int | None:
    """The error number; HDF5 often has it in its text only ("errno = 28")."""
    code = getattr(error, "errno", None)
    if code:
        return int(code)
    found = re.search(r"errno = (\d+)", str(error))
    return int(found.group(1)) if found else None


def _sync(path: Path) -> None:
    """Make the disk's word final: what delayed allocation could not place is an error here, not later."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems have no fsync of folders
            raise
    finally:
        os.close(handle)


def _set_attrs(target: h5py.HLObject, attrs: Mapping[str, Any]) -> None:
    for key, value in attrs.items():
        target.attrs[key] = value


def _flat(tree: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{at}{key}.")
        else:
            out[f"{at}{key}"] = value
    return out


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _machine() -> dict[str, Any]:
    out: dict[str, Any] = {
        "created_utc": pd.Timestamp.now("UTC").isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count() or 0,
        "hdf5": h5py.version.hdf5_version,
    }
    for package in ("numpy", "scipy", "numba", "pandapower", "pandas", "h5py", "highspy"):
        with contextlib.suppress(PackageNotFoundError):
            out[f"{package}_version"] = version(package)
    return out
