"""Reading a results file. The format is described in `gridsim.schema`; `ResultsWriter` makes it.

>>> from gridsim.results import ResultsReader            # doctest: +SKIP
>>> with ResultsReader("results/jiangsu-2024.h5") as run:
...     run.frame("dispatch/tech_p_mw").resample("D").mean()
...     run.table("units"), run.summary["total_cost"]
"""

import contextlib
import gzip
import json
import shlex
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.errors import InputError, IntegrityError, Problem
from gridsim.journal import journal_of
from gridsim.part_file import check_output
from gridsim.results_writer import ResultsWriter, WindowReport
from gridsim.schema import BY_PATH, DATASETS, FORMAT, FORMAT_VERSION, KEEP, TABLES, kept
from gridsim.seal import is_sealed

__all__ = ["ResultsReader", "ResultsWriter", "WindowReport", "check_format", "check_output"]


def check_format(file: h5py.File, path: Path) -> None:
    """Refuse what is not a run, is newer than this reader, or was never finished. Version 1.x only ever adds."""
    attrs = file["meta"].attrs if isinstance(file.get("meta"), h5py.Group) else {}
    found = attrs.get("format")
    if found != FORMAT:
        raise IntegrityError(f"{path}: not a gridsim run (format is {found!r})")
    text = str(attrs.get("format_version"))
    try:
        major = int(text.partition(".")[0])
    except ValueError:
        raise IntegrityError(f"{path}: has no readable format version ({text!r})") from None
    if major > FORMAT_VERSION[0]:
        newest = f"this gridsim reads up to {FORMAT_VERSION[0]}.x; read it with a newer one"
        raise IntegrityError(f"{path}: has format {text}; {newest}")
    if not attrs.get("complete", False):
        raise IntegrityError(f"{path}: the run was stopped before its end")
    keep = str(attrs.get("keep", "full"))
    if keep not in KEEP:
        raise IntegrityError(f"{path}: keeps {keep!r}, which this gridsim does not know")
    # what is added along a dimension of its own is not asked of older files, which have no such dimension
    there = _names(file)
    asked = [d.path for d in kept(keep) if there.issuperset(d.dims)]
    missing = [path for path in (*asked, *TABLES) if path not in there]
    if missing:
        raise IntegrityError(f"{path}: damaged: has no {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}")


def _names(file: h5py.File) -> set[str]:
    """Of all that stands in the file or in one of its groups: asked for one by one, they take a while."""
    groups = {name: item for name, item in file.items() if isinstance(item, h5py.Group)}
    return {*file, *(f"{name}/{key}" for name, group in groups.items() for key in group)}


def not_kept(path: str, keep: str) -> Problem:
    """A dataset that a run was told not to keep."""
    return Problem(path, f'is not in the file, whose run kept "{keep}" only: output.keep = "full" keeps everything')


class ResultsReader:
    """A run, opened: cheap to open, arrays are read when asked for. A context manager.

    Raises
    ------
    InputError
        If there is no such file.
    IntegrityError
        If it is not a complete run of a format that this version reads.
    """

    def __init__(self, file: str | Path | h5py.File, path: Path | None = None):
        self._owns = not isinstance(file, h5py.File)  # an open one stays its owner's, and `path` says where it is
        self.file: h5py.File = file if isinstance(file, h5py.File) else _open(Path(file))
        self.path = path or Path(self.file.filename)
        self._tables: dict[str, pd.DataFrame] = {}  # read so far
        self._kept: dict[str, NDArray[Any]] | None = None  # arrays read so far, see `keeping`
        try:
            check_format(self.file, self.path)
        except IntegrityError:
            self.close()
            raise

    def close(self) -> None:
        if self._owns:
            self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, path: str) -> bool:
        return path in self.file

    @property
    def keep(self) -> str:
        """Which datasets the file has: output.keep of its scenario."""
        return str(self.meta.get("keep", "full"))

    def __getitem__(self, path: str) -> h5py.Dataset:
        """The dataset itself: ``run["flow/branch_p_mw"][:24]`` reads one day."""
        try:
            return self.file[path]
        except KeyError:
            if path in BY_PATH and self.keep != "full":
                raise InputError(str(self.path), [not_kept(path, self.keep)]) from None
            raise IntegrityError(f"{self.path}: has no dataset {path}") from None

    def array(self, path: str) -> NDArray[Any]:
        """The whole dataset."""
        if self._kept is not None and path in self._kept:
            return self._kept[path]
        values = self.rows(path, slice(None))
        if self._kept is not None:
            self._kept[path] = values
        return values

    def rows(self, path: str, rows: slice) -> NDArray[Any]:
        """Some steps of a dataset."""
        try:
            return self[path][rows]
        except OSError as error:
            raise IntegrityError(f"{self.path}: damaged at {path}: {error}") from None

    @contextlib.contextmanager
    def keeping(self) -> Iterator[None]:
        """While it lasts, arrays are read once and shared: whoever changes one copies it first."""
        self._kept = {}
        try:
            yield
        finally:
            self._kept = None

    def names(self, dim: str) -> list[str]:
        """Names along a dimension (unit, source, tech, supplier ...)."""
        return self.file[dim].asstr()[...].tolist()

    def frame(self, path: str) -> pd.DataFrame:
        """A dataset [time, x] as a table: times down, names across."""
        _, dim = BY_PATH[path].dims
        return pd.DataFrame(self.array(path), index=self.time, columns=pd.Index(self.names(dim), name=dim))

    def series(self, path: str) -> pd.Series:
        """A dataset [time] with its times."""
        return pd.Series(self.array(path), index=self.time, name=path.split("/")[1])

    def table(self, group: str) -> pd.DataFrame:
        """An index table ("units", "sources", ...), or "windows", in the column order of `gridsim.case`."""
        if group not in self._tables:
            self._tables[group] = self._table(group)
        return self._tables[group].copy()

    def _table(self, group: str) -> pd.DataFrame:
        if group == "windows":
            columns = [d.path.split("/")[1] for d in DATASETS if d.group == "windows"]
        else:
            columns = json.loads(self.file[group].attrs["columns"])
        data = {}
        for column in columns:
            dataset = self[f"{group}/{column}"]
            data[column] = dataset.asstr()[...] if h5py.check_string_dtype(dataset.dtype) else dataset[...]
        return pd.DataFrame(data)

    @cached_property
    def meta(self) -> dict[str, Any]:
        """Attributes of /meta."""
        return _plain(self.file["meta"].attrs)

    @cached_property
    def run(self) -> dict[str, Any]:
        """Attributes of /meta/run: times, memory, versions of this execution."""
        return _plain(self.file["meta/run"].attrs)

    @cached_property
    def time(self) -> pd.DatetimeIndex:
        """Start of every step, local time."""
        return pd.date_range(
            self.start, periods=self.steps, freq=pd.Timedelta(minutes=self.resolution_min), name="time"
        )

    @property
    def start(self) -> np.datetime64:
        return np.datetime64(self.meta["start"], "h")

    @property
    def hours(self) -> int:
        return int(self.meta["hours"])

    @property
    def resolution_min(self) -> int:
        """Length of a step: of files older than this attribute, an hour. [min]"""
        return int(self.meta.get("resolution_min", 60))

    @property
    def steps(self) -> int:
        """Rows of every series."""
        return self.hours * 60 // self.resolution_min

    @property
    def dt_h(self) -> float:
        """Length of a step: what turns a sum of powers into an energy. [h]"""
        return self.resolution_min / 60.0

    @property
    def currency(self) -> str:
        return str(self.meta["currency"])

    @property
    def scenario_text(self) -> str:
        """TOML of the scenario, every default written out."""
        return self.file["meta/scenario_text"].asstr()[()]

    @property
    def net_json(self) -> str:
        """pandapower JSON of the net ("" if the run had none)."""
        return gzip.decompress(self.file["meta/net_json"][...].tobytes()).decode()

    @property
    def notes(self) -> list[dict[str, Any]]:
        """What became of every element of the net: see `gridsim.case.ElementNote`."""
        return json.loads(self.file["meta/notes"].asstr()[()])

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events of the profiles: heat waves, typhoons, holidays ..."""
        return json.loads(self.file["meta/events"].asstr()[()])

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The numbers of ``gridsim show --json``: see `gridsim.summary`."""
        from gridsim.summary import run_keys, summarise
        from gridsim.summary_ac import ac_keys

        if self.keep == "full":
            return summarise(self)
        stored: dict[str, Any] = json.loads(self["meta/summary"].asstr()[()])
        return stored | ac_keys(self) | run_keys(self)


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        rule = "does not exist"
        if journal_of(path).is_file():
            rule = f"is not whole yet: gridsim status {shlex.quote(str(path))} says how far its run is"
        raise InputError(str(path), [Problem("the results file", rule)])
    try:
        is_sealed(path)
        return h5py.File(path, "r")
    except OSError as error:
        if isinstance(error, PermissionError):
            raise InputError(str(path), [Problem("the results file", "cannot be read: no permission")]) from None
        raise IntegrityError(f"{path}: not an HDF5 file, or damaged: {error}") from None


def _plain(attrs: h5py.AttributeManager) -> dict[str, Any]:
    """Attributes as plain Python values."""
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in attrs.items()}
