"""Results in the forms that other tools read: ``gridsim export FILE --to csv|parquet|netcdf|xlsx|pypsa|pandapower``.

csv, parquet   a folder, one file per variable: times down, names across; ``variables.csv`` has units and meaning
netcdf         one netCDF4 file, groups and names as in the results file, labels as coordinates
xlsx           one workbook: a sheet of units and meaning, a sheet per variable
pandapower     the net with what it did in one hour (`gridsim.export_net`)
pypsa          a folder of CSV files that PyPSA imports (`gridsim.export_pypsa`)

All of them take a part of the file: variables, elements, cities, technologies, a span of time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from gridsim.errors import InputError, Problem
from gridsim.export_files import need, new_folder
from gridsim.export_pypsa import write_pypsa
from gridsim.opened import Results, Selection
from gridsim.part_file import check_output
from gridsim.results import not_kept
from gridsim.schema import BY_PATH

# What is written where nothing is named: a year of it is a few dozen MB, and answers most questions.
USUAL = (
    "dispatch/tech_p_mw",
    "dispatch/load_mw",
    "dispatch/unit_p_mw",
    "dispatch/source_p_mw",
    "dispatch/source_available_mw",
    "curtailment/source_mw",
    "commitment/on",
    "storage/charge_mw",
    "storage/discharge_mw",
    "storage/e_mwh",
    "flow/branch_p_mw",
    "flow/interface_p_mw",
    "price/zone",
    "peak_shaving/regulation_mw",
    "unserved/load_mw",
)
SHEET_NAME, SHEET_ROWS, SHEET_COLUMNS = 31, 1_048_576, 16_384  # what a sheet of Excel holds


def export(
    path: Path, form: str, out: Path, *, variables: tuple[str, ...] = (), selection: Selection, force: bool = False
) -> list[Path]:
    """Write tables of a results file; the files made.

    Raises
    ------
    InputError
        If the file, a variable, a name or a time is not there, or the place is taken: every problem at once.
    MissingPackageError
        If the form needs a package that is not installed.
    """
    write = FORMS[form]
    with Results(path) as run:
        wanted = _wanted(run, variables)
        run.check(wanted, selection)
        wanted = [name for name in wanted if 0 not in run.part(name, selection).shape]
        return write(run, wanted, selection, out, force)


def _wanted(run: Results, variables: tuple[str, ...]) -> list[str]:
    """Paths: of a group all of it, and nothing twice."""
    if not variables:
        there = [path for path in USUAL if path in run.reader]
        if not there:
            raise InputError(str(run.reader.path), [not_kept(USUAL[0], run.reader.keep)])
        return [path for path in there if 0 not in run.reader[path].shape]
    found: list[str] = []
    problems = []
    for name in variables:
        inside = [path for path in BY_PATH if path.split("/")[0] == name and path in run.reader]
        if not inside:
            try:
                _ = run[name]
                inside = [name]
            except InputError as error:
                problems += error.problems
        found += inside
    if problems:
        raise InputError(str(run.reader.path), problems)
    return list(dict.fromkeys(found))


def as_frame(run: Results, path: str, selection: Selection) -> pd.DataFrame:
    """A dataset as a table: its first dimension down, the others across."""
    array = run.part(path, selection)
    array = array.drop_vars([c for c in array.coords if c not in array.dims])
    if array.ndim == 1:
        return array.to_series().to_frame(path.split("/")[1])
    if array.ndim == 2:
        return pd.DataFrame(array.to_pandas())
    first, *others = array.dims
    return array.stack(column=others).to_pandas() if first != "column" else array.to_pandas()


def _meaning(run: Results, wanted: list[str]) -> pd.DataFrame:
    return run.variables.loc[wanted]


def _tables(
    run: Results, wanted: list[str], selection: Selection, out: Path, force: bool, ending: str,
    write: Callable[[pd.DataFrame, Path], Any],
) -> list[Path]:  # fmt: skip
    folder = new_folder(out, force)
    made = [folder / "variables.csv"]
    _meaning(run, wanted).to_csv(made[0], lineterminator="\n")
    for path in wanted:
        frame = _with_names(run, path, selection)  # a group is checked as a whole: not all of it has cities
        made.append(folder / f"{path.replace('/', '.')}.{ending}")
        write(frame, made[-1])
    return made


def as_table(run: Results, path: str, selection: Selection) -> pd.DataFrame:
    """As `as_frame`, with one name a column. Refuses names and times that are not there: InputError."""
    run.check((path,), selection)
    return _with_names(run, path, selection)


def _with_names(run: Results, path: str, selection: Selection) -> pd.DataFrame:
    frame = as_frame(run, path, selection)
    frame.columns = _flat(frame.columns)
    return frame


def as_csv(run: Results, path: str, selection: Selection) -> str:
    return to_csv(as_table(run, path, selection))


def to_csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(date_format="%Y-%m-%dT%H:%M", lineterminator="\n")


def _flat(columns: pd.Index) -> pd.Index:
    """Names of three dimensions as one: "source | cause"."""
    if isinstance(columns, pd.MultiIndex):
        return pd.Index([" | ".join(map(str, c)) for c in columns])
    return columns.astype(str)


def _csv(run: Results, wanted: list[str], selection: Selection, out: Path, force: bool) -> list[Path]:
    def write(frame: pd.DataFrame, file: Path) -> None:
        file.write_text(to_csv(frame), encoding="utf-8", newline="")

    return _tables(run, wanted, selection, out, force, "csv", write)


def _parquet(run: Results, wanted: list[str], selection: Selection, out: Path, force: bool) -> list[Path]:
    need("pyarrow", "parquet", "export --to parquet")
    return _tables(run, wanted, selection, out, force, "parquet", lambda frame, file: frame.to_parquet(file))


def _netcdf(run: Results, wanted: list[str], selection: Selection, out: Path, force: bool) -> list[Path]:
    check_output(out, force=force)
    out.unlink(missing_ok=True)
    groups: dict[str, list[str]] = {}
    for path in wanted:
        groups.setdefault(path.split("/")[0], []).append(path)
    title = {"title": str(run.reader.meta["scenario_title"]), "Conventions": "CF-1.10"}
    for group, paths in groups.items():
        arrays: dict[str, xr.DataArray] = {}
        for path in paths:
            array, name = _own_labels(run.part(path, selection)), path.split("/")[1]
            array.encoding = {"zlib": True, "complevel": 4, "shuffle": True} if array.ndim > 1 else {}
            arrays[f"{name}_{group}" if name in array.dims else name] = array  # price/zone: zone is its axis
        mode: Any = "a" if out.exists() else "w"
        xr.Dataset(arrays, attrs=title).to_netcdf(out, mode=mode, group=group, engine="h5netcdf")
    return [out]


def _own_labels(array: xr.DataArray) -> xr.DataArray:
    """Labels named after their axis, unit_zone for zone: several axes share a group."""
    return array.rename({c: f"{array[c].dims[0]}_{c}" for c in array.coords if c not in array.dims})


def _xlsx(run: Results, wanted: list[str], selection: Selection, out: Path, force: bool) -> list[Path]:
    need("openpyxl", "excel", "export --to xlsx")
    check_output(out, force=force)
    frames = {path: as_frame(run, path, selection) for path in wanted}
    holds = f"a sheet holds {SHEET_ROWS - 1:,} and {SHEET_COLUMNS - 1:,}"
    problems = [
        Problem(path, f"has {len(f):,} rows and {f.shape[1]:,} columns: {holds}")
        for path, f in frames.items()
        if len(f) >= SHEET_ROWS or f.shape[1] >= SHEET_COLUMNS
    ]
    if problems:
        raise InputError(str(out), problems)
    with pd.ExcelWriter(out, engine="openpyxl") as book:
        _meaning(run, wanted).to_excel(book, sheet_name="variables")
        for path, frame in frames.items():
            frame.columns = _flat(frame.columns)
            frame.to_excel(book, sheet_name=path.replace("/", ".")[:SHEET_NAME])
    return [out]


def _pypsa(run: Results, _: list[str], selection: Selection, out: Path, force: bool) -> list[Path]:
    if selection.elements or selection.zones or selection.techs:
        rule = "must not be given: PyPSA gets the whole grid; only a span of time is taken"
        raise InputError(str(run.reader.path), [Problem("element, zone, tech", rule)])
    return write_pypsa(run, selection, out, force=force)


Write = Callable[[Results, list[str], Selection, Path, bool], list[Path]]
FORMS: dict[str, Write] = {"csv": _csv, "parquet": _parquet, "netcdf": _netcdf, "xlsx": _xlsx, "pypsa": _pypsa}
