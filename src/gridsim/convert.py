"""Public case formats as scenario folders: dispatch, what a conversion is, and how it is written.

A folder holds ``net.json`` (pandapower), ``series.csv`` (where the case has hourly data), ``scenario.toml`` for
``gridsim run``, and the report (``conversion.md`` for people, ``conversion.json``): for every kind of input how much of
it was used, approximated (and how) or ignored (and why). Nothing is written unless the whole conversion worked.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gridsim import __version__
from gridsim.errors import InputError, Problem, ResourceError
from gridsim.scenario import suggestion
from gridsim.scenario_text import scenario_text
from gridsim.toml_tree import Key, value_text

KINDS = ("matpower", "pglib-uc", "rts-gmlc", "pandapower", "pypsa", "cgmes", "ucte")
_OPTIONS = {"matpower": ("profile", "hours", "dc"), "pandapower": ("series",)}  # of a kind, beside its source
NET, SERIES, SCENARIO = "net.json", "series.csv", "scenario.toml"
REPORT, REPORT_JSON = "conversion.md", "conversion.json"
FATES = ("used", "approximated", "ignored")


@dataclass(frozen=True)
class Fate:
    """What became of one kind of input."""

    what: str  # "quadratic cost curves"
    count: int
    fate: str  # one of FATES
    how: str  # what was made of it, how it was approximated, why it was ignored


@dataclass
class Conversion:
    """Everything that a scenario folder holds, before it is written."""

    title: str
    net: Any  # pandapowerNet
    year: int
    horizon: dict[str, Any]
    series: dict[str, Any] = field(default_factory=dict)  # name -> hourly values
    series_file: Path | None = None  # instead: a file of the user's that is copied
    units: dict[str, str] = field(default_factory=dict)  # name -> unit, default MW
    first_hour: np.datetime64 = field(default_factory=lambda: np.datetime64("2024-01-01T00", "h"))
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)  # further sections of the scenario
    products: list[dict[str, Any]] = field(default_factory=list)  # [[reserve.product]]
    report: list[Fate] = field(default_factory=list)
    warning: str = ""  # what nobody must overlook: stands in the files, too

    def say(self, what: str, count: int, fate: str, how: str) -> None:
        """Add a row to the report; nothing if there is nothing of the kind."""
        if fate not in FATES:
            raise ValueError(fate)
        if count:
            self.report.append(Fate(what, int(count), fate, how))


def convert(kind: str, source: Path, out: Path, *, force: bool = False, **options: Any) -> Conversion:
    """Read `source` as a case of `kind` and write the scenario folder `out`.

    Parameters
    ----------
    kind : one of KINDS
    options : of the kind; see `convert_matpower.read_matpower`

    Raises
    ------
    InputError
        With every problem of the source, the options and the folder; nothing is written then.
    """
    problems = _folder_problems(out, force)
    readers = _readers()
    if kind not in readers:
        problems.append(Problem("kind", f"must be a known one: got {value_text(kind)} {suggestion(kind, KINDS)}"))
        raise InputError(str(source), problems)
    given = {name: value for name, value in options.items() if value is not None}
    for name in [name for name in given if name not in _OPTIONS.get(kind, ())]:
        (owner,) = [of for of, names in _OPTIONS.items() if name in names]
        problems.append(Problem(f"--{name}", f"is for {owner} cases only, not for {kind}"))
        del given[name]
    try:
        conversion = readers[kind](source, **given)
    except InputError as error:
        raise InputError(str(source), [*problems, *error.problems]) from None
    if problems:
        raise InputError(str(source), problems)
    write_folder(conversion, kind, source, out)
    return conversion


def _readers() -> dict[str, Callable[..., Conversion]]:
    from gridsim.convert_cgmes import read_cgmes
    from gridsim.convert_matpower import read_matpower
    from gridsim.convert_pandapower import read_pandapower, read_ucte
    from gridsim.convert_pglib_uc import read_pglib_uc
    from gridsim.convert_pypsa import read_pypsa
    from gridsim.convert_rts import read_rts

    of_nets = (read_pandapower, read_pypsa, read_cgmes, read_ucte)
    return dict(zip(KINDS, (read_matpower, read_pglib_uc, read_rts, *of_nets), strict=True))


def _folder_problems(out: Path, force: bool) -> list[Problem]:
    where = f"folder {out}"
    if out.is_file():
        return [Problem(where, "must be a folder: there is a file of that name")]
    if not out.is_dir() or not any(out.iterdir()):
        return []
    if not force:
        return [Problem(where, "exists and is not empty: use --force to replace an earlier conversion")]
    if not (out / REPORT_JSON).is_file():
        return [Problem(where, f"is not an earlier conversion (no {REPORT_JSON}): --force does not replace it")]
    return []


def write_folder(conversion: Conversion, kind: str, source: Path, out: Path) -> None:
    """Write all files into a folder beside `out`, then move them in: a failure leaves `out` as it was."""
    import pandapower as pp

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise ResourceError(f"{out}: {error.strerror}") from None
    try:
        pp.to_json(conversion.net, str(made / NET))
        write_series(conversion, made)
        (made / SCENARIO).write_text(text_of(conversion, kind, source), encoding="utf-8")
        (made / REPORT).write_text(report_text(conversion, kind, source), encoding="utf-8")
        tree = {"gridsim": __version__, "kind": kind, "source": source.name, "title": conversion.title}
        tree["inputs"] = [asdict(row) for row in conversion.report]  # type: ignore[assignment]
        (made / REPORT_JSON).write_text(json.dumps(tree, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        out.mkdir(exist_ok=True)
        for path in out.glob(f"{Path(SERIES).stem}.*"):
            path.unlink()  # of the conversion that is replaced
        for path in sorted(made.iterdir()):
            os.replace(path, out / path.name)
    except OSError as error:
        raise ResourceError(f"{out}: {error.strerror}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_series(conversion: Conversion, folder: Path) -> None:
    """The file of hourly series, if there is one."""
    if conversion.series_file is not None:
        shutil.copyfile(conversion.series_file, folder / _series_name(conversion))
    elif conversion.series:
        said = "".join(f"# {line}\n" for line in conversion.warning.splitlines())
        (folder / SERIES).write_text(said + series_frame(conversion).to_csv(index=False), encoding="utf-8")


def series_frame(conversion: Conversion) -> pd.DataFrame:
    """The series with a time column and their units in the names."""
    columns = {f"{name} [{conversion.units.get(name, 'MW')}]": v for name, v in conversion.series.items()}
    frame = pd.DataFrame({name: np.round(np.asarray(v, dtype=np.float64), 9) for name, v in columns.items()})
    frame.insert(0, "time", pd.date_range(conversion.first_hour, periods=len(frame), freq="h"))
    return frame


def text_of(conversion: Conversion, kind: str, source: Path) -> str:
    """The scenario as TOML: what differs from the defaults, and all else behind a #."""
    tree: dict[str, Any] = {"title": conversion.title, "year": conversion.year, "network": {"source": NET}}
    if conversion.series or conversion.series_file:
        tree["profiles"] = {"source": _series_name(conversion)}
    tree["horizon"] = conversion.horizon
    shares = ("up_load_share", "up_renewable_share", "up_min_mw", "down_load_share", "down_renewable_share")
    tree["reserve"] = dict.fromkeys(shares, 0.0)
    for name, values in conversion.sections.items():
        tree[name] = tree.get(name, {}) | values
    head = [
        f"made by gridsim convert {kind} from {source.name}; {REPORT} says what became of the source",
        "A key behind a # has the value that stands there: take the # away to change it.",
    ]
    notes: dict[Key, str] = {("profiles",): conversion.warning} if conversion.warning else {}
    blocks = [
        "\n[[reserve.product]]\n" + "".join(f"{name} = {value_text(value)}\n" for name, value in product.items())
        for product in conversion.products
    ]
    return scenario_text(head, tree, notes=notes) + "".join(blocks)


def _series_name(conversion: Conversion) -> str:
    given = conversion.series_file
    return SERIES if given is None else Path(SERIES).stem + given.suffix.lower()


def report_text(conversion: Conversion, kind: str, source: Path) -> str:
    """The report in Markdown."""
    lines = [f"# {conversion.title}", "", f"Converted from `{source.name}` ({kind}) by gridsim {__version__}.", ""]
    counts = ", ".join(f"{sum(r.fate == fate for r in conversion.report)} kinds {fate}" for fate in FATES)
    lines += [f"Inputs: {counts}.", "", "| input | count | fate | how |", "| --- | ---: | --- | --- |"]
    for fate in ("approximated", "ignored", "used"):  # what a reader must know comes first
        lines += [
            f"| {r.what} | {r.count} | {r.fate} | {r.how.replace('|', '/')} |"
            for r in conversion.report
            if r.fate == fate
        ]
    return "\n".join(lines) + "\n"
