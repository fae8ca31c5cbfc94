"""What a run is made from - scenario, input files, code, packages - and whether that is still so when it goes on.

The same code on the same inputs gives the same bytes; anything else would join two halves of different runs.
"""

import hashlib
import platform
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gridsim import __version__, disk_cache
from gridsim.errors import InputError, IntegrityError, Problem
from gridsim.scenario import Scenario
from gridsim.schema import FORMAT_VERSION

# What the numbers of a run go through, or its file.
PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "pandas", "pandapower", "pvlib", "h5py", "highspy")
_ROOT = Path(__file__).parent
_HINT = "gridsim run --force starts again"


@cache
def code_digest() -> str:
    """Of all code and tables that make numbers; pages and views do not."""
    return disk_cache.digest(_sources())


def _sources() -> list[bytes]:
    """Names and contents of its files."""
    import gridsim.kernels
    import gridsim.networks
    import gridsim.profiles

    parts = disk_cache.sources(_ROOT, "*.py")
    for package in (gridsim.kernels, gridsim.networks, gridsim.profiles):
        parts += disk_cache.sources(Path(package.__path__[0]), "**/*.py", "**/*.csv")
    return parts


def origin(scenario: Scenario) -> dict[str, Any]:
    """As the first record of a journal says it."""
    return {
        "scenario": scenario.text,
        "digest": scenario.digest,
        "source": scenario.source,
        "folder": str(scenario.resolve("").resolve()),
        "inputs": scenario.input_digests(),
        "windows": len(scenario.windows()),
        "hours": scenario.hours,
        "start": str(scenario.start.astype("datetime64[h]")),
        "format": ".".join(map(str, FORMAT_VERSION)),
        "gridsim": __version__,
        "code": code_digest(),
        "python": platform.python_version(),
        "packages": disk_cache.versions(*PACKAGES).decode(),
    }


def scenario_of(journal: Path, about: dict[str, Any]) -> Scenario:
    """The scenario of a journal, its paths counted from where they were.

    Raises
    ------
    InputError
        If anything that the run is made from has changed: every reason.
    IntegrityError
        If it holds no scenario.
    """
    problems = _of_code(about)
    try:
        scenario = Scenario.model_validate(tomllib.loads(about["scenario"]))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        if problems:
            raise InputError(str(journal), problems) from None
        raise IntegrityError(f"{journal}: its scenario is not one of this version: {error}") from None
    scenario._folder, scenario._source = Path(about["folder"]), about["source"]
    problems += _of_inputs(about["inputs"], scenario)
    if problems:
        raise InputError(str(journal), problems)
    return scenario


def _of_code(about: dict[str, Any]) -> list[Problem]:
    now = {
        "gridsim": __version__,
        "format": ".".join(map(str, FORMAT_VERSION)),
        "python": platform.python_version(),
        "packages": disk_cache.versions(*PACKAGES).decode(),
    }
    problems = [
        Problem(name, f"must be as the run has begun: {about.get(name)}, now {value}; {_HINT}")
        for name, value in now.items()
        if about.get(name) != value
    ]
    if not problems and about.get("code") != code_digest():
        problems = [Problem("the code of gridsim", f"must be as the run has begun: it has changed since; {_HINT}")]
    return problems


def _of_inputs(wanted: dict[str, str], scenario: Scenario) -> list[Problem]:
    problems = []
    for key, path in scenario.input_files().items():
        if not path.is_file():
            problems.append(Problem(key, f"must be there, as the run has read it: {path} is not"))
        elif hashlib.sha256(path.read_bytes()).hexdigest() != wanted.get(key):
            problems.append(Problem(key, f"must be as the run has read it: {path} has changed; {_HINT}"))
    return problems
