"""The group ``/ac`` of a results file: written into a copy that takes the file's place when it is whole."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from gridsim.errors import ResourceError
from gridsim.part_file import PartFile, part_of
from gridsim.results import ResultsReader
from gridsim.results_frame import flat, set_attrs, storage_of
from gridsim.schema import AC_DATASETS, AC_DIMS, Dataset
from gridsim.summary import RUN_KEYS, summarise

BLOCK_BYTES = 1 << 24


class AcWriter:
    """A results file with a new ``/ac`` while it is made. A context manager: leaving without `finish` drops it."""

    def __init__(self, path: Path, names: Mapping[str, Sequence[str]], attrs: Mapping[str, Any]):
        self.path = path
        self.sink = PartFile(part_of(path))
        self.file: h5py.File | None = None
        try:
            self._copy()
            self.file = h5py.File(self.sink, "r+")
            self._frame(self.file, names, attrs)
        except BaseException:
            self._drop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def write(self, first: int, block: Mapping[str, NDArray[Any]]) -> None:
        """Rows of the datasets along time from step `first` on, or whole datasets that do not run along it."""
        assert self.file is not None
        for name, values in block.items():
            dataset = self.file[f"ac/{name}"]
            if name in _PER_HOUR:
                dataset[first : first + len(values)] = values
            else:
                dataset[...] = values
        self._check()

    def finish(self) -> dict[str, Any]:
        """Write the summary anew, give the file its name, and return the summary."""
        assert self.file is not None
        summary = summarise(ResultsReader(self.file, self.path))
        group = self.file["summary"]
        for key in [k for k in group.attrs if k.startswith("ac_")]:
            del group.attrs[key]
        ours = {k: v for k, v in summary.items() if k.startswith("ac_") and k not in RUN_KEYS}
        set_attrs(group, flat(ours))
        self.file.close()
        self.file = None
        self._check()
        self.sink.publish(self.path)
        return summary | {"file_mb": self.path.stat().st_size / 1e6}

    def _copy(self) -> None:
        with self.path.open("rb") as old:
            while data := old.read(BLOCK_BYTES):
                self.sink.write(memoryview(data))
        self._check()

    def _frame(self, file: h5py.File, names: Mapping[str, Sequence[str]], attrs: Mapping[str, Any]) -> None:
        for name in ("ac", *AC_DIMS):
            if name in file:
                del file[name]
        group = file.create_group("ac")
        set_attrs(group, attrs)
        for dim in AC_DIMS:
            data = np.array(list(names[dim]), dtype=object)
            scale = file.create_dataset(dim, (len(data),), h5py.string_dtype(), data=data, track_times=False)
            scale.make_scale(dim)
        for d in AC_DATASETS:
            _create(file, d)

    def _check(self) -> None:
        """The first write that failed, as one error."""
        failed = self.sink.error
        if failed is None:
            return
        if not isinstance(failed, OSError):
            raise failed  # Ctrl-C while HDF5 was writing
        raise ResourceError(f"{self.path}: cannot be written: {failed.strerror}; it stays as it was") from None

    def _drop(self) -> None:
        if self.file is not None:
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                self.file.close()
            self.file = None
        self.sink.drop()


_PER_HOUR = {d.path.split("/")[1] for d in AC_DATASETS if d.per_hour}


def _create(file: h5py.File, d: Dataset) -> None:
    group = file["ac"]
    scales = [file[dim] for dim in d.dims]
    shape = tuple(len(scale) for scale in scales)
    options: dict[str, Any] = {"fillvalue": np.nan if np.dtype(d.dtype).kind == "f" else -1}
    options |= storage_of(d, shape)
    dataset = file.create_dataset(d.path, shape, d.dtype, track_times=False, **options)
    attrs = {"units": d.units, "long_name": d.long_name, "sign": d.sign}
    set_attrs(dataset, {k: v for k, v in attrs.items() if v})
    for i, (dim, scale) in enumerate(zip(d.dims, scales, strict=True)):
        dataset.dims[i].attach_scale(scale)
        if dim not in group:
            group[dim] = file[dim]
