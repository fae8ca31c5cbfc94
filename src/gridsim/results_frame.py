"""What a results file holds before its first hour: scales, index tables, empty datasets, /meta."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd

from gridsim import __version__
from gridsim.scenario import Scenario
from gridsim.schema import (
    BELIEVED,
    CASE_ARRAYS,
    CAUSES,
    CHUNK_H,
    DEPTHS,
    EXPECTED,
    FORMAT,
    FORMAT_VERSION,
    SUPPLIERS,
    TABLES,
    Dataset,
    kept,
    rounding_of,
    techs_of,
    unique_names,
    zones_of,
)

if TYPE_CHECKING:
    from gridsim.case import Case

Dims = Mapping[str, Sequence[Any]]  # dimension -> its names or numbers

CHUNK_ELEMENTS = 16
GZIP_LEVELS = {"full": 2, "standard": 6, "summary": 2}  # by output.keep


def shape_of(d: Dataset, dims: Dims) -> tuple[int, ...]:
    return tuple(len(dims[name]) for name in d.dims)


def write_frame(file: h5py.File, case: Case, scenario: Scenario, dims: Dims, events: Sequence[Any]) -> None:
    """Everything that is known before the first hour: scales, index tables, empty datasets, /meta."""
    scales = _Scales(file, {name: _scale(file, name, values, case) for name, values in dims.items()})
    for group, dim in TABLES.items():
        _write_table(file, group, getattr(case, group), dim, scales)
    nbr, nb, terms = len(case.branches), len(case.budgets), case.budget_terms
    arrays = {
        "budgets/unit_on": terms.unit_on.reshape(nb, len(case.units)),
        "budgets/unit_rate": terms.unit_rate.reshape(nb, len(case.units)),
        "budgets/source_rate": terms.source_rate.reshape(nb, len(case.sources)),
        "units/start_lag_h": case.unit_start_lag_h,
        "units/start_cost_by_lag": case.unit_start_cost,
        "units/response_mw": case.unit_response_mw,
        "units/offline_mw": case.unit_offline_mw,
        "sources/responds": case.source_responds,
        "units/seg_mw": case.unit_seg_mw,
        "units/seg_cost": case.unit_seg_cost,
        "units/min_cost": case.unit_min_cost,
        "interfaces/branch_weight": case.interface_weight[:, :nbr],
        "interfaces/link_weight": case.interface_weight[:, nbr:],
    }
    for d in CASE_ARRAYS:
        dataset = file.create_dataset(d.path, data=arrays[d.path], track_times=False)
        _describe(dataset, d, case.currency)
        scales.attach(dataset, d.path, d.dims)
    for d in kept(scenario.output.keep):
        scales.attach(_create(file, d, dims, case.currency, scenario.output.keep), d.path, d.dims)
    _write_meta(file, case, scenario, events)
    file.create_group("summary")
    file.flush()


class _Scales:
    """The scales of the dimensions of a file, and which of them are linked into which group.

    They are attached through HDF5 itself: a small run has half a thousand of them, and asking h5py for the group of a
    dataset and for its names each time takes a tenth of it.
    """

    def __init__(self, file: h5py.File, of: Mapping[str, h5py.Dataset]):
        self._file, self._of = file, of
        self._linked: set[tuple[str, str]] = set()

    def attach(self, dataset: h5py.Dataset, path: str, dims: tuple[str, ...]) -> None:
        """Name the dimensions, and link their scales into the group: coordinates for whoever opens the group alone.

        An index table gets its own scale only, so that all its one-dimensional datasets are columns of one length.
        """
        group = path.rpartition("/")[0]
        table_dim = TABLES.get(group)
        for i, dim in enumerate(dims):
            h5py.h5ds.attach_scale(dataset.id, self._of[dim].id, i)
            if table_dim in (None, dim) and (group, dim) not in self._linked:
                self._linked.add((group, dim))
                if dim not in self._file[group]:
                    self._file[group][dim] = self._of[dim]


def _create(file: h5py.File, d: Dataset, dims: Dims, currency: str, keep: str) -> h5py.Dataset:
    shape = shape_of(d, dims)
    dataset = file.create_dataset(d.path, shape, d.dtype, track_times=False, **storage_of(d, shape, keep))
    _describe(dataset, d, currency, rounding_of(d, keep))
    return dataset


def storage_of(d: Dataset, shape: tuple[int, ...], keep: str = "full") -> dict[str, Any]:
    """How h5py is to lay out a dataset: in compressed chunks if it runs along time."""
    if not d.per_hour or 0 in shape:
        return {}
    chunk = (min(CHUNK_H, shape[0]), *(min(CHUNK_ELEMENTS, n) for n in shape[1:]))
    return {"chunks": chunk, "shuffle": True, "compression": "gzip", "compression_opts": GZIP_LEVELS[keep]}


def _describe(dataset: h5py.Dataset, d: Dataset, currency: str, rounding: float = 0.0) -> None:
    attrs = {
        "units": d.units.replace("currency", currency),
        "long_name": d.long_name,
        "sign": d.sign,
        "rounding": f"to the nearest multiple of 2**{math.log2(rounding):.0f}" if rounding else "",
    }
    set_attrs(dataset, {k: v for k, v in attrs.items() if v})


def _write_table(file: h5py.File, group: str, table: pd.DataFrame, dim: str, scales: _Scales) -> None:
    target = file.create_group(group)
    for column in table.columns:
        values = table[column].infer_objects().to_numpy()
        if values.dtype.kind in "OUS":
            values = np.array(["" if pd.isna(v) else str(v) for v in values], dtype=object)
            dataset = target.create_dataset(column, data=values, dtype=h5py.string_dtype(), track_times=False)
        else:
            dataset = target.create_dataset(column, data=values, track_times=False)
        scales.attach(dataset, f"{group}/{column}", (dim,))
    target.attrs["columns"] = json.dumps(list(table.columns))


def _write_meta(file: h5py.File, case: Case, scenario: Scenario, events: Sequence[Any]) -> None:
    group = file.create_group("meta")
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
        "start": str(case.start.astype("datetime64[h]")),
        "hours": case.hours,
        "resolution_min": 60 // case.steps_per_hour,
        "window_h": scenario.horizon.window_h,
        "step_h": scenario.horizon.step_h,
        "seed": scenario.seed,
        "year": scenario.year,
        "engine": scenario.solver.engine,
        "keep": scenario.output.keep,
        **{f"penalty_{k}": float(v) for k, v in dataclasses.asdict(case.penalties).items()},
    }
    set_attrs(group, attrs)
    set_attrs(file, {**form, "Conventions": "CF-1.10", "title": scenario.title or scenario.name})
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
    set_attrs(group.create_group("inputs"), scenario.input_digests())
    group.create_group("run")


def dims_of(case: Case, scenario: Scenario) -> Dims:
    lossy = scenario.grid.losses != "none" and len(case.branches) > 0
    return {
        "time": range(case.steps),
        **{dim: unique_names(getattr(case, group)) for group, dim in TABLES.items()},
        "zone": zones_of(case),
        "tech": techs_of(case),
        "supplier": SUPPLIERS,
        "cause": CAUSES,
        "depth": DEPTHS,
        "outage": [*unique_names(case.branches), *unique_names(case.links)],
        "rated": [unique_names(case.branches)[k] for k in case.rated],
        "failing": unique_names(case.branches) if len(case.circuits_out) else [],
        "foreseen": techs_of(case) if scenario.relives else [],
        "believed": BELIEVED if scenario.relives else [],
        "believed_need": unique_names(case.products) if scenario.relives else [],
        "expected": EXPECTED if scenario.relives else [],
        "island": range(int(case.buses["island"].max()) + 1 if lossy else 0),
        "segment": range(case.unit_seg_mw.shape[1]),
        "category": range(case.unit_start_cost.shape[1]),
        "window": range(-(-case.hours // scenario.horizon.step_h)),
        "day": range(-(-case.hours // 24)),
    }


def _scale(file: h5py.File, name: str, values: Sequence[Any], case: Case) -> h5py.Dataset:
    if isinstance(values, range):
        of_step = 60 // case.steps_per_hour if name == "time" and case.steps_per_hour > 1 else 1  # minutes, or 1 h
        dataset = file.create_dataset(name, data=np.arange(len(values), dtype=np.int32) * of_step, track_times=False)
    else:
        data = np.array(list(values), dtype=object)
        dataset = file.create_dataset(name, (len(values),), h5py.string_dtype(), data=data, track_times=False)
    dataset.make_scale(name)
    if name == "time":
        stamp = str(case.start.astype("datetime64[s]")).replace("T", " ")
        attrs = {
            "units": f"{'hours' if case.steps_per_hour == 1 else 'minutes'} since {stamp}",
            "calendar": "proleptic_gregorian",
            "standard_name": "time",
            "long_name": f"start of the {'hour' if case.steps_per_hour == 1 else 'step'}, local time of the network",
            "utc_offset_h": float(case.utc_offset_h),
        }
        set_attrs(dataset, attrs)
    return dataset


def set_attrs(target: h5py.HLObject, attrs: Mapping[str, Any]) -> None:
    for key, value in attrs.items():
        target.attrs[key] = value


def flat(tree: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            out |= flat(value, f"{at}{key}.")
        else:
            out[f"{at}{key}"] = value
    return out


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def machine() -> dict[str, Any]:
    out: dict[str, Any] = {
        "created_utc": pd.Timestamp.now("UTC").isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count() or 0,
        "hdf5": h5py.version.hdf5_version,
    }
    return out | {f"{package}_version": number for package, number in _installed().items()}


@functools.cache
def _installed() -> dict[str, str]:
    found = {}
    for package in ("numpy", "scipy", "numba", "pandapower", "pandas", "h5py", "highspy"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
