"""The table of a sweep: a row for each run with its parameters, how it ended and every number of its summary.

Parquet is the form: columns keep their types, a thousand runs of some hundred columns are one small file, and pandas,
polars, DuckDB, R and MATLAB read it. Where pyarrow is missing the same table is a CSV file.

================== ================================================================================================
column             meaning
================== ================================================================================================
run, title         name of the run, and what the study calls it
status             done, failed or missing
exit_code, message of a run that failed
file               results, from the folder of the sweep
seconds, ...       what the run took by the clock, cpu_seconds, and the worker: machine and process
variant, draw, ... the axes of the study: ``variant``, ``base``, ``overlays``, ``draw``, and ``set.KEY`` for each key
all others         keys of the summary; those of its tables joined by dots: ``energy_twh.coal``
================== ================================================================================================
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gridsim.errors import InputError, IntegrityError, MissingPackageError, Problem, ResourceError
from gridsim.sweep.folder import MISSING, read_manifest, record_at

PARQUET, CSV = "table.parquet", "table.csv"
OWN = ("run", "title", "status", "exit_code", "message", "file", "seconds", "cpu_seconds", "worker")
AXES = ("variant", "base", "overlays", "draw")  # beside set.KEY


def make_table(folder: Path) -> pd.DataFrame:
    """The table of the sweep in `folder`, from its manifest and the records of its runs."""
    rows = []
    for run in read_manifest(folder)["runs"]:
        record = record_at(folder / run["file"])
        row: dict[str, Any] = {"run": run["name"], "title": run["title"], "status": MISSING}
        row |= {
            "exit_code": None,
            "message": "",
            "file": run["file"],
            "seconds": None,
            "cpu_seconds": None,
            "worker": "",
        }
        if record is not None:
            row |= {"status": record.status, "exit_code": record.exit_code, "message": record.message}
            row |= {"seconds": record.seconds, "cpu_seconds": record.cpu_seconds, "worker": record.worker}
        row |= run["parameters"]
        row |= dict(flat(record.summary)) if record is not None else {}
        rows.append(row)
    table = pd.DataFrame(rows)
    table["exit_code"] = table["exit_code"].astype("Int64")
    for name in table.columns:  # a column of texts and numbers is one of texts: files of columns have one type each
        if table[name].dtype == object and len({type(value) for value in table[name].dropna()}) > 1:
            table[name] = table[name].map(lambda value: value if pd.isna(value) else str(value))
    return table


def flat(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers and texts of a summary by their dotted keys."""
    for key, value in tree.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            yield from flat(value, f"{name}.")
        elif not isinstance(value, (list, tuple)):
            yield name, value


def write_table(folder: Path) -> Path:
    """Make the table of a sweep and write it; the file."""
    table = make_table(folder)
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        path, other = folder / CSV, folder / PARQUET
    else:
        path, other = folder / PARQUET, folder / CSV
    part = path.with_name(f".{path.name}.tmp")
    try:
        if path.name == PARQUET:
            table.to_parquet(part, index=False)
        else:
            table.to_csv(part, index=False)
        part.replace(path)
        other.unlink(missing_ok=True)  # an older one would contradict this
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def read_table(where: str | Path) -> pd.DataFrame:
    """The table of a sweep's folder, or of a file that `write_table` made."""
    path = Path(where)
    if path.is_dir():
        found = next((path / name for name in (PARQUET, CSV) if (path / name).is_file()), None)
        if found is None:
            rule = f"has no {PARQUET} and no {CSV}: `gridsim sweep STUDY --collect` makes it"
            raise InputError(str(path), [Problem("the folder", rule)])
        path = found
    if not path.is_file():
        raise InputError(str(path), [Problem("the table", "does not exist")])
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except ImportError:
        raise MissingPackageError(f"{path}: reading Parquet needs pyarrow: pip install 'gridsim[sweep]'") from None
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from None
    missing = [name for name in OWN if name not in table]
    if missing:
        raise IntegrityError(f"{path}: not the table of a sweep: has no column {', '.join(missing)}")
    return table


def parameters_of(table: pd.DataFrame) -> list[str]:
    """Columns of the axes."""
    return [name for name in table.columns if name in AXES or name.startswith("set.")]
