"""What the audit reads: tables and series of a results file, by h5py and numpy alone, and rows of its report.

Nothing here comes from the simulator: the point of an audit is that it shares no code with what it checks.
"""

import gzip
import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.errors import IntegrityError
from gridsim.networks.safe import net_of_text
from gridsim.seal import is_sealed

FloatArray = NDArray[np.float64]

FORMAT = "gridsim"
FORMAT_MAJOR = 1

TABLES = (
    *("buses", "units", "sources", "stores", "loads", "branches", "links", "interfaces", "products", "budgets"),
    "shifters",
)


@dataclass(frozen=True)
class AuditRow:
    """One check: the worst deviation found, where it is, and how many entries are beyond the limit."""

    check: str
    worst: float  # largest deviation, >= 0; inf where something is not a number
    where: str  # hour and element of the worst; or why the check does not apply
    limit: float
    violations: int
    ok: bool
    unit: str = ""


@dataclass(frozen=True)
class Record:
    """A results file, opened. Series come as float64 (or int64 for counts), read when asked for and kept."""

    file: h5py.File
    tables: dict[str, pd.DataFrame]
    start: np.datetime64
    hours: int
    step_min: int = 60
    _kept: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def per_hour(self) -> int:
        return 60 // self.step_min

    @property
    def steps(self) -> int:
        """Entries of every series."""
        return self.hours * self.per_hour

    @property
    def dt_h(self) -> float:
        return self.step_min / 60.0

    def has(self, path: str) -> bool:
        return path in self.file

    @cached_property
    def scenario(self) -> dict[str, Any]:
        """The scenario as recorded, every default written out; nothing where the file does not say."""
        if "meta/scenario_text" not in self.file:
            return {}
        return tomllib.loads(self.file["meta/scenario_text"].asstr()[()])

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """What happened in the weather, and outages."""
        text = self.file["meta/events"].asstr()[()] if "meta/events" in self.file else "[]"
        found: list[dict[str, Any]] = json.loads(text)
        return found

    def series(self, path: str) -> FloatArray:
        """A dataset as float64, C order. A missing one is a damaged file."""
        if path not in self._kept:
            if path not in self.file:
                raise IntegrityError(f"{self.file.filename}: has no dataset {path}")
            self._kept[path] = np.ascontiguousarray(self.file[path][...], dtype=np.float64)
        return self._kept[path]

    def rounding(self, path: str) -> FloatArray | float:
        """Half a unit in the last place of each stored value: what storing as float32 may have moved it by."""
        dtype = self.file[path].dtype
        if dtype == np.float32:
            return np.abs(self.series(path)) * 2.0**-24
        return 0.0

    def hour(self, t: int) -> str:
        stamp = self.start.astype("datetime64[m]") + np.timedelta64(int(t) * self.step_min, "m")
        return str(stamp).replace("T", " ")

    def names(self, table: str) -> list[str]:
        return self.tables[table]["name"].astype(str).tolist()

    @cached_property
    def meta(self) -> dict[str, Any]:
        return dict(self.file["meta"].attrs)

    @cached_property
    def net(self) -> Any:
        """The pandapower net of the run, or None when the run had none."""
        if "meta/net_json" not in self.file:
            return None
        raw = self.file["meta/net_json"]
        text = _text_of(raw)
        if not text:
            return None
        try:
            return _net_of(text)
        except Exception as error:  # whatever pandapower's reader meets in a damaged text
            raise IntegrityError(f"{self.file.filename}: /meta/net_json is not a pandapower net ({error})") from error

    @cached_property
    def notes(self) -> list[dict[str, Any]]:
        if "meta/notes" not in self.file:
            return []
        return json.loads(_text_of(self.file["meta/notes"]) or "[]")


@lru_cache(maxsize=1)
def _net_of(text: str) -> Any:
    """The net of a JSON text; kept, for it is only read and takes longer than all checks of a short run."""
    return net_of_text(text)


def _text_of(dataset: h5py.Dataset) -> str:
    """A text kept as a string, as bytes, or as gzip'd bytes."""
    value = dataset[()]
    if isinstance(value, np.ndarray):
        value = value.tobytes()
    if isinstance(value, str):
        return value
    value = bytes(value)
    if value[:2] == b"\x1f\x8b":
        value = gzip.decompress(value)
    return value.decode("utf-8")


def open_record(path: Path) -> h5py.File:
    """Open a results file for reading, or say in one line why that cannot be done."""
    try:
        is_sealed(path)
        file = h5py.File(path, "r")
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be opened as HDF5 ({error})") from error
    meta = file["meta"].attrs if "meta" in file else {}
    found = meta.get("format", file.attrs.get("format"))
    if found != FORMAT:
        file.close()
        raise IntegrityError(f"{path}: not a gridsim run (format is {found!r})")
    version = str(meta.get("format_version", file.attrs.get("format_version", "1")))
    if int(float(version.split(".", maxsplit=1)[0])) > FORMAT_MAJOR:
        file.close()
        raise IntegrityError(f"{path}: has format {version}; this gridsim reads {FORMAT_MAJOR}.x")
    return file


def read_record(file: h5py.File) -> Record:
    """The index tables and the clock; series are read later."""
    tables = {name: read_table(file, name) for name in TABLES}
    meta = file["meta"].attrs
    start = np.datetime64(str(meta["start"]).replace(" ", "T"), "h")
    step_min = int(meta.get("resolution_min", 60))  # an attribute that older files do not have
    if step_min not in (60, 30, 15):
        raise IntegrityError(f"{file.filename}: has steps of {step_min} min; this gridsim reads 60, 30 and 15")
    return Record(file, tables, start, int(meta["hours"]), step_min)


def read_table(file: h5py.File, name: str) -> pd.DataFrame:
    """One index table: its one-dimensional columns. Empty (no ``name`` column) when the group is missing."""
    if name not in file:
        return pd.DataFrame({"name": pd.Series([], dtype=str)})
    columns: dict[str, Any] = {}
    for key, dataset in file[name].items():
        if isinstance(dataset, h5py.Dataset) and dataset.ndim == 1:
            columns[key] = as_text(dataset[...]) if dataset.dtype.kind in "SOU" else dataset[...]
    return pd.DataFrame(columns)


def as_text(values: NDArray[Any]) -> NDArray[Any]:
    return np.array([v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values], dtype=object)


SERIES_GROUPS = {
    *("dispatch", "commitment", "storage", "flow", "price", "curtailment"),
    *("unserved", "spill", "reserve", "peak_shaving", "carbon", "cost", "budget", "money"),
}
COLUMNS_OF = {  # table whose rows are the columns of a series
    "dispatch/unit_p_mw": "units",
    "dispatch/source_p_mw": "sources",
    "dispatch/source_available_mw": "sources",
    "dispatch/unit_floor_mw": "units",
    "dispatch/unit_ceiling_mw": "units",
    "dispatch/source_own_mw": "sources",
    "dispatch/load_mw": "loads",
    "dispatch/link_p_mw": "links",
    "commitment/on": "units",
    "commitment/start": "units",
    "commitment/stop": "units",
    "commitment/available": "units",
    "commitment/start_cost": "units",
    "commitment/ramp_relaxed_mw": "units",
    "storage/inflow_mw": "stores",
    "storage/demand_mw": "stores",
    "storage/charge_max_mw": "stores",
    "storage/discharge_max_mw": "stores",
    "storage/e_floor_mwh": "stores",
    "storage/spill_mw": "stores",
    "storage/charge_mw": "stores",
    "storage/discharge_mw": "stores",
    "storage/e_mwh": "stores",
    "flow/branch_p_mw": "branches",
    "flow/interface_p_mw": "interfaces",
    "curtailment/source_mw": "sources",
    "curtailment/cause_mw": "sources",
    "unserved/load_mw": "loads",
    "spill/bus_mw": "buses",
    "reserve/need_mw": "products",
    "reserve/provided_mw": "products",
    "reserve/short_mw": "products",
}


def check_whole(record: Record) -> list[AuditRow]:
    """Every series is there, has every hour and a column for every row of its table, and holds numbers only."""
    rows = []
    if "complete" in record.meta:
        done = bool(record.meta["complete"])
        where = "" if done else "the run was stopped before its end"
        rows.append(AuditRow("the run is complete", float(not done), where, 0.0, int(not done), done, "runs"))
    paths: list[str] = []

    def visit(path: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset) or not item.ndim or "/" not in path or item.dtype.kind not in "fiu":
            return
        group, name = path.rsplit("/", maxsplit=1)
        # differences of peak and valley and two-shift starts are by day, running prices by window, rents of lines,
        # accounts of stores and emissions by row of the whole run; dimension scales may be linked too
        by_hour = not name.startswith(
            (
                "peak_valley",
                "two_shift",
                "running_",
                "branch_rent",
                "interface_rent",
                "store_revenue",
                "store_cost",
                "unit_t",
                "source_t",
            )
        )
        if group in SERIES_GROUPS and by_hour and name not in record.file:
            paths.append(path)

    record.file.visititems(visit)
    wrong = [f"{path} is missing" for path in COLUMNS_OF if path not in paths]
    for path in paths:
        shape = record.file[path].shape
        if shape[0] != record.steps:
            wrong.append(f"{path} has {shape[0]} of {record.steps} steps")
        elif path in COLUMNS_OF and shape[1:2] != (len(record.tables[COLUMNS_OF[path]]),):
            wrong.append(f"{path} has shape {shape}, /{COLUMNS_OF[path]} {len(record.tables[COLUMNS_OF[path]])} rows")
    where = wrong[0] if wrong else ""
    rows.append(AuditRow("every series is whole", float(len(wrong)), where, 0.0, len(wrong), not wrong, "series"))
    rows.append(check_pointers(record))
    holes = {path: int((~np.isfinite(record.series(path))).sum()) for path in paths}
    count, worst = sum(holes.values()), max(holes, key=lambda path: holes[path], default="")
    where = f"{worst}: {holes[worst]} are not" if count else ""
    return [*rows, AuditRow("every number is finite", float(count), where, 0.0, count, count == 0, "values")]


def check_pointers(record: Record) -> AuditRow:
    """Every ``*_row`` of a table is a row of the bus table, a ``branch_row`` one of the branch table."""
    wrong = [
        f"{name}.{column}: {int(bad.sum())} rows are not {target}"
        for name, table in record.tables.items()
        for column in table.columns
        if column.endswith("_row")
        for target in ["branches" if column == "branch_row" else "buses"]
        if (bad := ~table[column].between(0, len(record.tables[target]) - 1)).any()
    ]
    where = wrong[0] if wrong else ""
    return AuditRow("tables point to rows", float(len(wrong)), where, 0.0, len(wrong), not wrong, "columns")


def row_of(
    check: str,
    deviation: NDArray[Any],
    limit: float,
    label: Callable[[tuple[int, ...]], str],
    unit: str = "MW",
) -> AuditRow:
    """The report's row for an array of deviations (> limit is a violation; what is not a number is one too)."""
    deviation = np.asarray(deviation, dtype=np.float64)
    if deviation.size == 0:
        return skipped(check, "nothing of the kind in this run", limit, unit)
    bad = ~(deviation <= limit)
    ranked = np.where(np.isnan(deviation), np.inf, deviation)
    place = np.unravel_index(int(np.argmax(ranked)), deviation.shape)
    worst = max(0.0, float(ranked[place]))
    count = int(bad.sum())
    where = label(tuple(int(i) for i in place)) if worst > 0.0 else ""
    return AuditRow(check, worst, where, limit, count, count == 0, unit)


def skipped(check: str, why: str, limit: float = 0.0, unit: str = "") -> AuditRow:
    """A check with nothing to check: passes, and says why."""
    return AuditRow(check, 0.0, f"skipped: {why}", limit, 0, True, unit)


def at(record: Record, names: Sequence[str] | None = None) -> Callable[[tuple[int, ...]], str]:
    """Labels for deviations of shape (time,) or (time, element)."""

    def label(place: tuple[int, ...]) -> str:
        hour = record.hour(place[0])
        return hour if names is None or len(place) < 2 else f"{hour}, {names[place[1]]}"

    return label


def among(names: Sequence[str]) -> Callable[[tuple[int, ...]], str]:
    """Labels for deviations of shape (element,)."""
    return lambda place: names[place[0]]


def outside(x: NDArray[Any], low: NDArray[Any] | float, high: NDArray[Any] | float) -> FloatArray:
    """How far x is outside [low, high]; negative inside."""
    return np.maximum(low - x, x - high)
