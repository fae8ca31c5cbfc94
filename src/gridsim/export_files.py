"""What every form of export needs: a place to write to, and the package that writes it."""

from importlib.util import find_spec
from pathlib import Path

from gridsim.errors import InputError, MissingPackageError, Problem


def new_folder(out: Path, force: bool) -> Path:
    """An empty folder, made if missing; with `force` it may hold files.

    Raises
    ------
    InputError
        If the place is a file, or a folder that is not empty.
    """
    if out.exists() and not out.is_dir():
        raise InputError(str(out), [Problem("the folder", "is a file")])
    if out.is_dir() and any(out.iterdir()) and not force:
        raise InputError(
            str(out), [Problem("the folder", "is not empty: choose another one, or --force to write into it")]
        )
    out.mkdir(parents=True, exist_ok=True)
    return out


def need(package: str, extra: str, verb: str) -> None:
    """Refuse early where a package of an extra is missing.

    Raises
    ------
    MissingPackageError
    """
    if find_spec(package) is None:
        raise MissingPackageError(f"{verb} needs {package}: pip install 'gridsim[{extra}]'")
