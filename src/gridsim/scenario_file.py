"""From a name or path to a validated `Scenario`: find the files, merge the bases, lay overlays on, word every problem.

An overlay is a small scenario file that changes another one: a name from the package's folder ``overlays``, or a path.
Its tables of a list (budgets, events, ...) are added to those of the scenario; all else is merged as a base's keys are.
"""

import copy
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from gridsim.errors import InputError, Problem
from gridsim.scenario import NETWORK_NAMES, NETWORK_SUFFIXES, PROFILE_SUFFIXES, TARIFF_SUFFIXES, Scenario, suggestion
from gridsim.toml_problems import model_problems
from gridsim.toml_tree import Key, find_lines, join_key, lay_on, leaves, merge, split_key, value_text

FILE_IN_FOLDER = "scenario.toml"
_RULES: dict[Key, str] = {("profiles", "source"): 'must be "synthetic", a path or a list of paths'}
_WITHOUT_YEAR = re.compile(r"\d\d-\d\d(T\d\d(:\d\d)?)?")


@dataclass
class _Tree:
    """Merged keys, and for each the place that wrote it last."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)  # "file.toml: line 12"
    texts: list[str] = field(default_factory=list)  # of the files, bases first

    def lay_over(self, values: dict[str, Any], label: str, lines: dict[Key, int]) -> None:
        self.values = merge(self.values, values)
        self.places |= _places(values, label, lines)

    def lay_on(self, values: dict[str, Any], label: str, lines: dict[Key, int]) -> None:
        """`lay_over` for an overlay, whose tables of a list stand behind those that are there."""
        self.values = lay_on(self.values, values)
        for key, place in _places(values, label, lines).items():
            self.places[_renumbered(key, self.values, values)] = place

    def where(self, key: Key, root: str) -> str:
        place = next((self.places[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.places), root)
        return f"{place}: {join_key(key)}" if key else place


def _places(values: dict[str, Any], label: str, lines: dict[Key, int]) -> dict[Key, str]:
    """Where each key was written."""
    found = {}
    for key, _ in leaves(values):
        for n in range(1, len(key) + 1):
            line = lines.get(key[:n])
            found[key[:n]] = f"{label}: line {line}" if line else label
    return found


def _renumbered(key: Key, after: Any, own: Any) -> Key:
    """The key of an overlay with the numbers that its tables of a list have among those of the scenario."""
    out: list[str] = []
    for part in key:
        if isinstance(own, list):
            shift = len(after) - len(own)
            out.append(str(int(part) + shift))
            after, own = after[int(part) - 1 + shift], own[int(part) - 1]
        else:
            out.append(part)
            after, own = after[part], own[part]
    return tuple(out)


def builtin_names() -> list[str]:
    """Names of the scenarios inside the package, sorted."""
    return _inside("scenarios")


def overlay_names() -> list[str]:
    """Names of the overlays inside the package, sorted."""
    return _inside("overlays")


def _inside(folder: str) -> list[str]:
    entries = (files("gridsim") / folder).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def titles(folder: str) -> dict[str, str]:
    """Name and title of what is in a folder of the package, "scenarios" or "overlays"."""
    found = {}
    for name in _inside(folder):
        text = (files("gridsim") / folder / f"{name}.toml").read_text(encoding="utf-8")
        found[name] = str(tomllib.loads(text).get("title", ""))
    return found


class Layer(NamedTuple):
    """Keys to lay over a scenario, and where they are written."""

    values: dict[str, Any]
    label: str  # of the file
    lines: dict[Key, int]
    folder: Path  # that its paths count from


def load(
    spec: str | Path,
    overrides: Iterable[str] = (),
    overlays: Iterable[str | Path] = (),
    layers: Iterable[Layer] = (),
) -> Scenario:
    """See `gridsim.scenario.load`; `layers` come before the overrides."""
    tree = _Tree()
    root, folder = _read(str(spec), Path.cwd(), tree, [], str(spec))
    tree.values.setdefault("name", root if root in builtin_names() else _name_of(Path(root)))
    set_problems = [problem for overlay in overlays for problem in _lay_overlay(tree, str(overlay), folder)]
    for layer in layers:
        values = copy.deepcopy(layer.values)
        _move_paths(values, layer.folder, folder)
        tree.lay_over(values, layer.label, layer.lines)
    set_problems += _lay_overrides(tree, list(overrides), folder)
    _give_events_a_year(tree.values)
    try:
        scenario = Scenario.model_validate(tree.values)
    except ValidationError as error:
        problems = model_problems(
            error, Scenario, "a scenario", lambda key: tree.where(key, root), others=("base",), rules=_RULES
        )
        raise InputError(root, set_problems + problems) from None
    scenario._folder, scenario._source = folder, root
    problems = set_problems + _file_problems(scenario, tree, root)
    if problems:
        raise InputError(root, problems)
    return scenario


def _name_of(path: Path) -> str:
    """A scenario is called as its file, or as its folder."""
    return path.resolve().parent.name if path.name == FILE_IN_FOLDER else path.stem


def _read(spec: str, near: Path, tree: _Tree, above: list[str], asked_by: str) -> tuple[str, Path]:
    """Lay a scenario and its bases into `tree`; returns its label and the folder its paths count from."""
    if spec in builtin_names():
        label, identity = spec, f"built-in {spec}"
        text = (files("gridsim") / "scenarios" / f"{spec}.toml").read_text(encoding="utf-8")
        folder = near
    else:
        path = _find(spec, near, asked_by)
        label, identity, folder = _shown(path), str(path.resolve()), path.parent
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(label, [Problem("the file", f"cannot be read: {error}")]) from None
    if identity in above:
        chain = " -> ".join([*(_shown(Path(a)) for a in above[above.index(identity) :]), label])
        raise InputError(asked_by, [Problem("base", f"must not lead back to itself: {chain}")])
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(label, [Problem("the text", f"is not TOML: {error}")]) from None

    lines = find_lines(text)
    base = values.pop("base", None)
    if base is not None:
        if not isinstance(base, str):
            rule = f"must be a scenario's name or path, in quotes: got {value_text(base)}"
            raise InputError(label, [Problem(f"{label}: line {lines.get(('base',), 1)}: base", rule)])
        _, base_folder = _read(base, folder, tree, [*above, identity], label)
        _move_paths(tree.values, base_folder, folder)
        tree.values.pop("name", None)  # a scenario is named after its own file, not after its base
    tree.lay_over(values, label, lines)
    tree.texts.append(text)
    return label, folder


def written(spec: str | Path, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Keys that a scenario and its bases set, its paths as they count from `folder`, and their texts, bases first."""
    tree = _Tree()
    _, own = _read(str(spec), Path.cwd(), tree, [], str(spec))
    _move_paths(tree.values, own, folder)
    return tree.values, tree.texts


def _find(spec: str, near: Path, asked_by: str) -> Path:
    path = near / Path(spec).expanduser()
    if path.is_dir():
        path = path / FILE_IN_FOLDER
        if path.is_file():
            return path
        raise InputError(spec, [Problem("the folder", f"has no {FILE_IN_FOLDER}")])
    if path.is_file():
        return path
    names = builtin_names()
    key = "scenario" if asked_by == spec else f"{asked_by}: base"
    close = suggestion(spec, names) if "did you mean" in suggestion(spec, names) else ""
    rule = f"is neither a built-in scenario nor a file {close}".strip() + f"; built-in: {', '.join(names)}"
    raise InputError(asked_by, [Problem(f"{key} {value_text(spec)}", rule)])


def _shown(path: Path) -> str:
    """The path as a person would write it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _paths_in(values: dict[str, Any]) -> list[tuple[dict[str, Any] | list[Any], Any]]:
    """(container, key) of every value that is a path; values of a wrong type are left to validation."""
    out: list[tuple[dict[str, Any] | list[Any], Any]] = []
    network, profiles = values.get("network"), values.get("profiles")
    if isinstance(values.get("jiangsu"), dict) and "tariff_file" in values["jiangsu"]:
        out.append((values["jiangsu"], "tariff_file"))
    if isinstance(network, dict) and network.get("source") not in (None, *NETWORK_NAMES):
        out.append((network, "source"))
    if isinstance(profiles, dict):
        source, named = profiles.get("source"), profiles.get("files")
        if isinstance(source, list):
            out += [(source, i) for i in range(len(source))]
        elif source not in (None, "synthetic"):
            out.append((profiles, "source"))
        if isinstance(named, dict):
            out += [(named, k) for k in named]
    return [(c, k) for c, k in out if isinstance(c[k], str)]


def _move_paths(values: dict[str, Any], old: Path, new: Path) -> None:
    """Rewrite relative paths that count from `old` so that they count from `new`."""
    if old.resolve() == new.resolve():
        return
    for container, key in _paths_in(values):
        if not Path(container[key]).is_absolute():
            container[key] = Path(os.path.relpath(old / container[key], new)).as_posix()


def _lay_overlay(tree: _Tree, spec: str, folder: Path) -> list[Problem]:
    """Lay an overlay on the scenario, which gets its name and title behind its own."""
    if spec in overlay_names():
        label, near = f"overlay {spec}", folder
        text = (files("gridsim") / "overlays" / f"{spec}.toml").read_text(encoding="utf-8")
    else:
        path = Path(spec).expanduser()
        if not path.is_file():
            close = suggestion(spec, overlay_names()) if "did you mean" in suggestion(spec, overlay_names()) else ""
            rule = f"is neither a built-in overlay nor a file {close}".strip()
            return [Problem(f"--with {value_text(spec)}", f"{rule}; built-in: {', '.join(overlay_names())}")]
        label, near = _shown(path), path.parent
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            return [Problem(f"--with {label}", f"cannot be read: {error}")]
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [Problem(f"--with {label}", f"is not TOML: {error}")]
    lines = find_lines(text)
    wrong = [
        Problem(f"{label}: line {lines.get((key,), 1)}: {key}", "must not be in an overlay: it is laid on a scenario")
        for key in ("base", "name")
        if values.pop(key, None) is not None
    ]
    added = {"name": Path(spec).stem, "title": str(values.pop("title", ""))}
    _move_paths(values, near, folder)
    tree.lay_on(values, label, lines)
    for key, joint in (("name", "+"), ("title", "; ")):
        tree.values[key] = joint.join(part for part in (tree.values.get(key, ""), added[key]) if part)
    return wrong


def _give_events_a_year(values: dict[str, Any]) -> None:
    """An event or an outage that starts at "08-05" or "08-05T12" does so in the scenario's year."""
    year = values.get("year", Scenario.model_fields["year"].default)
    for table, name in ((values.get("profiles"), "event"), (values, "outage")):
        if isinstance(table, dict) and isinstance(entries := table.get(name), list):
            table[name] = [
                entry | {"start": f"{year}-{entry['start']}"}
                if isinstance(entry, dict) and _WITHOUT_YEAR.fullmatch(str(entry.get("start")))
                else entry
                for entry in entries
            ]


def _lay_overrides(tree: _Tree, overrides: list[str], folder: Path) -> list[Problem]:
    problems = []
    for text in overrides:
        name, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError("must be key=value")
            key = split_key(name.strip())
            values: Any = parse_value(value.strip())
        except ValueError as error:
            problems.append(Problem(f"--set {text}", str(error)))
            continue
        if key == ("base",):
            problems.append(Problem("--set base", "is for files only: name that scenario instead"))
            continue
        for part in reversed(key):
            values = {part: values}
        _move_paths(values, Path.cwd(), folder)
        tree.lay_over(values, "--set", {})
    return problems


def parse_value(text: str) -> Any:
    """A TOML value; what is not one, and has none of TOML's signs, is a plain word."""
    try:
        tree = tomllib.loads(f"x = {text}")
    except tomllib.TOMLDecodeError:
        if text and not set(text) & set("\"'[]{}=,\n#"):
            return text
        raise ValueError(f"{text!r} is not a TOML value") from None
    if set(tree) != {"x"}:
        raise ValueError("must set one key only")
    return tree["x"]


def _file_problems(scenario: Scenario, tree: _Tree, root: str) -> list[Problem]:
    """Files that a scenario names must exist and have an ending that can be read."""
    problems = []
    for name, path in scenario.input_files().items():
        key_text, _, rest = name.partition(" ")
        section, _, sub = key_text.partition(".")
        key: Key = (section, sub, rest) if sub == "files" else (section, sub)
        suffixes = {"network": NETWORK_SUFFIXES, "profiles": PROFILE_SUFFIXES, "jiangsu": TARIFF_SUFFIXES}[section]
        known = NETWORK_NAMES if section == "network" else ("synthetic",)
        where, shown = tree.where(key, root), value_text(rest or scenario.network.source)
        if section == "jiangsu":
            shown = value_text(str(scenario.jiangsu.tariff_file))
        if sub == "files":
            shown = value_text(scenario.profiles.files[rest])
        if path.suffix.lower() not in suffixes:
            allowed = f"must be {' or '.join(map(value_text, known))} or a path to a {', '.join(suffixes)} file"
            allowed = allowed if sub == "source" else f"must be a path to a {', '.join(suffixes)} file"
            hint = suggestion(shown.strip('"'), known) if sub == "source" else ""
            hint = f" {hint}" if "did you mean" in hint else ""
            problems.append(Problem(where, f"{allowed}: got {shown}{hint}"))
        elif not path.is_file():
            problems.append(Problem(where, f"must be a file that exists: {_shown(path)} does not"))
    return problems
