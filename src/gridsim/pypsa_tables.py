"""A PyPSA network as tables: a folder of CSV files, or a netCDF file, of old and new versions. No PyPSA is needed.

``generators.csv`` has one row per generator; ``generators-p_max_pu.csv`` one column per generator with a series, its
first column the snapshots (0.x) or their numbers (1.x). netCDF has ``generators_bus`` and ``generators_t_p_max_pu``.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem

FloatArray = NDArray[np.float64]


@dataclass
class Tables:
    """Static tables by component ("generators"), and series by component and attribute, on the snapshots."""

    name: str
    snapshots: pd.Index
    weightings: FloatArray  # hours that each snapshot stands for
    static: dict[str, pd.DataFrame] = field(default_factory=dict)
    series: dict[tuple[str, str], pd.DataFrame] = field(default_factory=dict)

    def table(self, component: str) -> pd.DataFrame:
        """Static columns of a component; empty if there is none."""
        return self.static.get(component, pd.DataFrame())

    def number(self, component: str, column: str, default: float) -> FloatArray:
        """(n,) of a static column, `default` where it says nothing."""
        table = self.table(component)
        if column not in table:
            return np.full(len(table), default)
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float)
        return np.where(np.isnan(values), default, values)

    def flag(self, component: str, column: str, default: bool) -> NDArray[np.bool_]:
        table = self.table(component)
        if column not in table:
            return np.full(len(table), default)
        words = table[column].astype("string").str.lower()
        return np.where(words.isna(), default, words.isin(["true", "1", "1.0"])).astype(bool)

    def text(self, component: str, column: str, default: str = "") -> list[str]:
        table = self.table(component)
        if column not in table:
            return [default] * len(table)
        return [default if pd.isna(v) or str(v) == "nan" else str(v) for v in table[column]]

    def hourly(self, component: str, attribute: str, name: str) -> FloatArray | None:
        """The series of one component, if it has one."""
        frame = self.series.get((component, attribute))
        if frame is None or name not in frame:
            return None
        return frame[name].to_numpy(dtype=float)


def read_tables(source: Path) -> Tables:
    """The network in a folder of CSV files or a netCDF file.

    Raises
    ------
    InputError
        If it is none, or its files do not fit each other.
    """
    if source.is_dir():
        return _read_folder(source)
    if not source.is_file():
        raise InputError(str(source), [Problem("the source", "is missing: a PyPSA network is a folder or a .nc file")])
    if source.suffix.lower() not in (".nc", ".nc4", ".netcdf"):
        rule = f"must be a folder of CSV files or a .nc file: got {source.name}"
        raise InputError(str(source), [Problem("the source", rule)])
    return _read_netcdf(source)


def _read_folder(folder: Path) -> Tables:
    problems: list[Problem] = []
    frames: dict[str, pd.DataFrame] = {}
    for path in sorted(folder.glob("*.csv")):
        try:
            first = pd.read_csv(path, nrows=0).columns
            frames[path.stem] = pd.read_csv(path, index_col=0, dtype={first[0]: str} if len(first) else None)
        except (ValueError, OSError, UnicodeDecodeError) as error:
            problems.append(Problem(path.name, f"cannot be read as CSV: {error}"))
    if "buses" not in frames:
        problems.append(Problem("buses.csv", "is missing: not a PyPSA network"))
    if problems:
        raise InputError(str(folder), problems)
    snapshots, weights = _snapshots(frames.pop("snapshots", None))
    out = Tables(folder.name, snapshots, weights)
    if "network" in frames and len(frames["network"].index):
        out.name = str(frames["network"].index[0]) or folder.name
    for stem, frame in frames.items():
        component, dash, attribute = stem.partition("-")
        if not dash:
            out.static[component] = frame
        elif len(frame) != len(snapshots):
            rule = f"must have {len(snapshots)} rows, as there are snapshots: it has {len(frame)}"
            problems.append(Problem(f"{stem}.csv", rule))
        elif _numbered(frame.index) or _same_times(frame.index, snapshots):
            out.series[component, attribute] = frame.set_axis(frame.columns.astype(str), axis=1)
        else:
            problems.append(Problem(f"{stem}.csv", "must have the times of snapshots.csv, or their numbers from 0"))
    if problems:
        raise InputError(str(folder), problems)
    return out


def _snapshots(frame: pd.DataFrame | None) -> tuple[pd.Index, FloatArray]:
    if frame is None or not len(frame):
        return pd.Index(["now"]), np.ones(1)
    column = next((c for c in ("snapshot", "timestep") if c in frame), None)
    labels = frame.index if column is None else pd.Index(frame[column])
    weights = next((frame[c] for c in ("objective", "weightings", "generators") if c in frame), None)
    return labels, np.ones(len(frame)) if weights is None else weights.to_numpy(dtype=float)


def _numbered(index: pd.Index) -> bool:
    return list(index.astype(str)) == [str(k) for k in range(len(index))]


def _same_times(index: pd.Index, snapshots: pd.Index) -> bool:
    if list(index.astype(str)) == list(snapshots.astype(str)):
        return True
    mine, theirs = (pd.to_datetime(pd.Series(list(v)), errors="coerce") for v in (index, snapshots))
    return bool(mine.notna().all() and (mine.to_numpy() == theirs.to_numpy()).all())


def _read_netcdf(path: Path) -> Tables:
    import xarray as xr

    with path.open("rb") as file:
        classic = file.read(3) == b"CDF"
    try:
        data: Any = xr.open_dataset(path, engine="scipy" if classic else "h5netcdf")
    except (ValueError, OSError) as error:
        raise InputError(str(path), [Problem("the file", f"cannot be read as netCDF: {error}")]) from None
    with data:
        if "buses_i" not in data.coords:
            raise InputError(str(path), [Problem("buses_i", "is missing: not a PyPSA network")])
        label = "snapshots_snapshot" if "snapshots_snapshot" in data else "snapshots"
        labels = pd.Index(data[label].to_numpy()) if label in data.variables else pd.Index(["now"])
        weights = next((data[v] for v in ("snapshots_objective", "snapshots_weightings") if v in data), None)
        out = Tables(
            str(data.attrs.get("network_name", "")) or path.stem,
            labels,
            np.ones(len(labels)) if weights is None else weights.to_numpy().astype(float),
        )
        components = [str(c).removesuffix("_i") for c in data.coords if str(c).endswith("_i") and "_t_" not in str(c)]
        for component in components:
            names = pd.Index([str(v) for v in data[f"{component}_i"].to_numpy()])
            out.static[component] = pd.DataFrame(
                {
                    str(v)[len(component) + 1 :]: data[v].to_numpy()
                    for v in data.data_vars
                    if str(v).startswith(f"{component}_") and data[v].dims == (f"{component}_i",)
                },
                index=names,
            )
            for v in data.data_vars:
                if str(v).startswith(f"{component}_t_"):
                    attribute = str(v)[len(component) + 3 :]
                    columns = [str(n) for n in data[f"{v}_i"].to_numpy()]
                    values = data[v].transpose("snapshots", f"{v}_i").to_numpy()
                    out.series[component, attribute] = pd.DataFrame(values, columns=columns)
    return out
