"""Folders to start from: a scenario that shows every key of another one behind a #, or the files of a template."""

import os
from importlib.resources import files
from pathlib import Path

from gridsim.convert import SCENARIO
from gridsim.errors import InputError, Problem, ResourceError
from gridsim.scenario import builtin_names, load
from gridsim.scenario_file import written
from gridsim.scenario_text import scenario_text


def init(folder: Path, base: str) -> Path:
    """Make `folder` with a scenario.toml that is `base` and shows all of its keys; the file.

    Raises
    ------
    InputError
        If `base` is not a scenario that can be read, or `folder` is not empty.
    """
    given = load(base)  # says what is wrong with it
    check_new(folder)
    name = base if base in builtin_names() else Path(os.path.relpath(base, folder)).as_posix()
    keys, texts = written(base, folder)
    head = (
        f"Starts from {base}: {given.title or given.name}",
        "",
        "Every key of it stands here with its value, behind a #. To change one, take its # away; all others follow",
        f"the base. `gridsim validate {folder.name}` checks the file, `gridsim run {folder.name}` runs it.",
        "Units are in the key names; money is CNY.",
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / SCENARIO
        path.write_text(scenario_text(head, {"base": name}, keys, texts), encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"{folder}: {error.strerror}") from None
    return path


def templates() -> list[str]:
    """Names of the folders that `copy_template` makes."""
    return sorted(entry.name for entry in (files("gridsim") / "templates").iterdir() if entry.is_dir())


def copy_template(folder: Path, name: str) -> list[Path]:
    """Make `folder` with the files of a template; the files."""
    check_new(folder)
    made = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in sorted((files("gridsim") / "templates" / name).iterdir(), key=lambda entry: entry.name):
            made.append(folder / entry.name)
            made[-1].write_text(entry.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"{folder}: {error.strerror}") from None
    return made


def check_new(folder: Path) -> None:
    """Refuse a folder that holds anything: nobody's work is written over."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        what = "is a file" if folder.is_file() else "exists and is not empty"
        raise InputError(str(folder), [Problem("NAME", f"must be a new folder: {folder} {what}")])
