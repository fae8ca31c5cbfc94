"""The column `character` of a site row as words: ``ev=0.63 pattern=day``, for kinds that need more than one word."""

import math
from collections.abc import Mapping

from gridsim.errors import InputError, Problem


def words(profile: str, character: str, allowed: Mapping[str, tuple[str, ...] | None]) -> dict[str, str]:
    """The words of a site row by name.

    `allowed` names them all; a tuple lists the values that a word may have, None leaves it free. Raises InputError
    for a word that is none of them, is there twice or has no value.
    """
    out: dict[str, str] = {}
    problems = []
    for word in character.split():
        name, equals, value = word.partition("=")
        if name not in allowed or not equals or not value:
            rule = f"must be words such as {' '.join(f'{key}=...' for key in allowed)}, has {word!r}"
            problems.append(Problem(f"{profile}: character", rule))
        elif name in out:
            problems.append(Problem(f"{profile}: character", f"must have {name} once"))
        elif (choices := allowed[name]) and value not in choices:
            problems.append(
                Problem(f"{profile}: character", f"{name} must be one of {', '.join(choices)}, is {value!r}")
            )
        else:
            out[name] = value
    if problems:
        raise InputError("profile_site", problems)
    return out


def number(profile: str, found: Mapping[str, str], name: str, *, low: float, high: float, default: float) -> float:
    """A word as a number from `low` to `high`. Raises InputError for anything else."""
    text = found.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        rule = f"{name} must be a number from {low:g} to {high:g}, is {text!r}"
        raise InputError("profile_site", [Problem(f"{profile}: character", rule)])
    return value


def sentence(**values: object) -> str:
    """Words for the column: numbers as Python writes them exactly; what is None or empty is left out."""
    return " ".join(f"{name}={value}" for name, value in values.items() if value not in (None, ""))
