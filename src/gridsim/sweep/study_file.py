"""From the name or path of a study to its runs: every scenario is made and validated before any work starts."""

import hashlib
import itertools
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from gridsim import __version__
from gridsim.errors import InputError, Problem
from gridsim.scenario import Scenario, builtin_names, suggestion
from gridsim.scenario_file import Layer, overlay_names
from gridsim.scenario_file import load as load_scenario
from gridsim.schema import FORMAT_VERSION
from gridsim.sweep.study import Study
from gridsim.toml_problems import model_problems
from gridsim.toml_tree import Key, find_lines, join_key, leaves, split_key, value_text

LONGEST_NAME = 120  # characters; a longer one is cut and numbered
_UNFIT = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class Run:
    """One run of a study."""

    name: str
    title: str
    parameters: dict[str, Any]  # of the axes: {"set.scale.load": 1.1, "variant": "no-retrofit"}
    scenario: Scenario
    digest: str  # of all that the result depends on

    @property
    def stem(self) -> str:
        """Of its files."""
        return f"{self.name}-{self.digest[:8]}"


class _Point(NamedTuple):
    """One value of one axis."""

    text: str  # its part of a run's name
    parameters: dict[str, Any]
    layer: Layer
    base: str = ""
    overlays: tuple[str, ...] = ()
    title: str = ""


@dataclass
class StudyFile:
    """A study, where it was read, and its runs."""

    study: Study
    label: str
    text: str
    runs: list[Run] = field(default_factory=list)


def builtin_studies() -> dict[str, str]:
    """Name and path of the studies inside the package."""
    found = sorted(Path(str(files("gridsim") / "studies")).glob("*.toml"))
    return {path.stem: str(path) for path in found}


def load_study(spec: str, overrides: Sequence[str] = ()) -> StudyFile:
    """Read a study: a path, or a name of `builtin_studies`; `overrides` ("key=value") are laid over every run.

    Raises
    ------
    InputError
        With every problem of the study and of the scenarios of its runs.
    """
    path = Path(builtin_studies().get(spec, spec))
    label = spec if spec in builtin_studies() else _shown(path)
    if not path.is_file():
        close = suggestion(spec, builtin_studies()) if "did you mean" in suggestion(spec, builtin_studies()) else ""
        rule = f"is neither a built-in study nor a file {close}".strip() + f"; built-in: {', '.join(builtin_studies())}"
        raise InputError(spec, [Problem(f"study {value_text(spec)}", rule)])
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(label, [Problem("the file", f"cannot be read: {error}")]) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(label, [Problem("the text", f"is not TOML: {error}")]) from None
    lines = find_lines(text)
    values.setdefault("name", path.stem)
    try:
        study = Study.model_validate(values)
    except ValidationError as error:
        rules: dict[Key, str] = {("seeds",): "must be a list of whole numbers, or {first = 1, count = 100}"}
        found = model_problems(error, Study, "a study", lambda key: _where(label, lines, key), rules=rules)
        raise InputError(label, found) from None
    made = StudyFile(study, label, text)
    made.runs = _runs(study, label, lines, path.parent, overrides)
    return made


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _where(label: str, lines: dict[Key, int], key: Key) -> str:
    """The place of a key; a key of a table inside a line has the line of what is around it."""
    line = next((lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in lines), None)
    return f"{label}: line {line}: {join_key(key)}" if line else f"{label}: {join_key(key)}"


def _runs(
    study: Study, label: str, lines: dict[Key, int], folder: Path, overrides: Sequence[str]
) -> list[Run]:  # fmt: skip
    axes = list(_axes(study, label, lines, folder))
    common = Layer(study.set, label, _lines_below(lines, ("set",)), folder)
    of_file = cache(_file_digest)  # for this study only: files change
    runs: list[Run] = []
    problems: dict[Problem, list[str]] = {}
    for number, points in enumerate(itertools.product(*axes), start=1):
        name = "_".join(point.text for point in points) or "run"
        if len(name) > LONGEST_NAME:
            name = f"{name[:LONGEST_NAME]}-{number}"
        base = next((point.base for point in points if point.base), study.base)
        overlays = [*study.overlays, *(overlay for point in points for overlay in point.overlays)]
        parameters = {key: value for point in points for key, value in point.parameters.items()}
        layers = [common, *(point.layer for point in points)]
        try:
            scenario = load_scenario(
                _near(base, builtin_names(), folder),
                overrides,
                overlays=[_near(overlay, overlay_names(), folder) for overlay in overlays],
                layers=[*layers, Layer({"name": name}, label, {}, folder)],
            )
        except InputError as error:
            for problem in error.problems:
                problems.setdefault(problem, []).append(name)
            continue
        title = next((point.title for point in points if point.title), "")
        runs.append(Run(name, title, parameters, scenario, _digest(scenario, of_file)))
    total = len(runs) + len({name for names in problems.values() for name in names})
    found = [Problem(problem.where, f"{problem.rule}{in_runs(names, total)}") for problem, names in problems.items()]
    found += [] if found else _same(runs, label)
    if found:
        raise InputError(label, found)
    return runs


def in_runs(names: list[str], total: int) -> str:
    """Which runs have a problem: nothing if all have."""
    if len(names) == total:
        return ""
    return f" (in run {names[0]})" if len(names) == 1 else f" (in {len(names)} of {total} runs, such as {names[0]})"


def _same(runs: list[Run], label: str) -> list[Problem]:
    """Runs that are called alike, or that would do the same."""
    out = []
    for what, key in (("name", lambda run: run.name), ("scenario", lambda run: run.digest)):
        seen: dict[str, Run] = {}
        for run in runs:
            other = seen.setdefault(key(run), run)
            if other is not run:
                rule = f"must differ from run {other.name}: has the same {what}"
                out.append(Problem(f"{label}: run {run.name} {run.parameters}", rule))
    return out


def _near(spec: str, builtin: list[str], folder: Path) -> str:
    return spec if spec in builtin else str(folder / Path(spec).expanduser())


def _axes(study: Study, label: str, lines: dict[Key, int], folder: Path) -> Iterator[list[_Point]]:
    none = Layer({}, label, {}, folder)
    if study.run:
        yield [
            _Point(
                _slug(variant.name),
                {"variant": variant.name},
                Layer(variant.set, label, _lines_below(lines, ("run", str(number), "set")), folder),
                variant.base,
                tuple(variant.overlays),
                variant.title,
            )
            for number, variant in enumerate(study.run, start=1)
        ]
    keys = [key for key, _ in leaves(study.grid)]
    for key, values in leaves(study.grid):
        if key == ("base",):
            texts = _texts([Path(value).stem for value in values])
            yield [_Point(text, {"base": value}, none, base=value) for text, value in zip(texts, values, strict=True)]
        elif key == ("overlays",):
            joined = ["+".join(Path(one).stem for one in value) or "plain" for value in values]
            yield [
                _Point(text, {"overlays": text}, none, overlays=tuple(value))
                for text, value in zip(_texts(joined), values, strict=True)
            ]
        else:
            short = sum(other[-1] == key[-1] for other in keys) == 1
            yield _key_axis(key, values, _at(label, lines, ("grid", *key), key, folder), short)
    if study.random is not None:
        from gridsim.sweep.draws import drawn  # SciPy's statistics take most of a second, and few studies draw

        columns = {split_key(key): values for key, values in drawn(study.random).items()}
        at = {split_key(draw.key): ("random", "draw", str(n)) for n, draw in enumerate(study.random.draw, start=1)}
        found = {key: lines.get(at[key]) for key in columns}
        places = {key: line for key, line in found.items() if line}
        yield [
            _Point(
                f"draw-{k + 1:04d}",
                {"draw": k + 1} | {f"set.{join_key(key)}": _plain(values[k]) for key, values in columns.items()},
                Layer(_tree((key, values[k]) for key, values in columns.items()), label, places, folder),
            )
            for k in range(study.random.count)
        ]
    for name, key, values in (("years", ("year",), study.years), ("seeds", ("seed",), study.seed_list)):
        if values:
            yield _key_axis(key, values, _at(label, lines, (name,), key, folder), True)


def _at(label: str, lines: dict[Key, int], place: Key, key: Key, folder: Path) -> Layer:
    line = lines.get(place)
    return Layer({}, label, {key: line} if line else {}, folder)


def _key_axis(key: Key, values: list[Any], at: Layer, short: bool) -> list[_Point]:
    head = key[-1] if short else join_key(key)
    texts = _texts([str(value) if _plain(value) is value else "" for value in values])
    return [
        _Point(
            f"{_slug(head)}-{text}",
            {f"set.{join_key(key)}": _plain(value)},
            at._replace(values=_tree([(key, value)])),
        )
        for text, value in zip(texts, values, strict=True)
    ]


def _texts(values: list[str]) -> list[str]:
    """Parts of names; numbers instead where they would be long or the same."""
    slugs = [_slug(value) for value in values]
    fit = len(set(slugs)) == len(slugs) and all(0 < len(slug) <= 40 for slug in slugs)
    return slugs if fit else [str(k) for k in range(1, len(values) + 1)]


def _slug(text: str) -> str:
    return _UNFIT.sub("-", text)


def _plain(value: Any) -> Any:
    """A value for a table: a number, a text, a truth; else as TOML."""
    return value if isinstance(value, (bool, int, float, str)) else value_text(value)


def _tree(pairs: Iterable[tuple[Key, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in pairs:
        at = tree
        for part in key[:-1]:
            at = at.setdefault(part, {})
        at[key[-1]] = value
    return tree


def _lines_below(lines: dict[Key, int], at: Key) -> dict[Key, int]:
    return {key[len(at) :]: line for key, line in lines.items() if key[: len(at)] == at and len(key) > len(at)}


def _digest(scenario: Scenario, of_file: Callable[[Path], str]) -> str:
    """Of the scenario without its name, its input files, the version and the format of results."""
    parts = [scenario.text.removeprefix(f"name = {value_text(scenario.name)}\n"), __version__, str(FORMAT_VERSION)]
    parts += [f"{key} {of_file(path)}" for key, path in scenario.input_files().items()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
