"""Which hours of a run are looked at, in a few characters."""

import numpy as np

from gridsim.acheck.net import IntArray
from gridsim.errors import InputError, Problem


def steps_of(text: str, steps: int) -> IntArray:
    """The steps that `text` names, in order: "0:168" (the last one out), "0:8760:24", "12", several by commas.

    Raises
    ------
    InputError
        If a part is no such range, or names no step of the run.
    """
    if not text.strip():
        return np.arange(steps)
    chosen: set[int] = set()
    problems = []
    for part in text.split(","):
        try:
            bounds = [int(v) if v.strip() else None for v in part.split(":")]
            if len(bounds) == 1:
                bounds = [bounds[0], None if bounds[0] is None else bounds[0] + 1]
            if len(bounds) > 3 or bounds == [None, None] or any(v is not None and v < 0 for v in bounds):
                raise ValueError
            found = range(steps)[slice(*bounds)]
        except ValueError:
            found = range(0)
        if not found:
            rule = f"must be hours from 0 to {steps - 1}, as 12, 0:168 or 0:{steps}:24, several by commas: not '{part}'"
            problems.append(Problem("--hours", rule))
        chosen.update(found)
    if problems:
        raise InputError("acheck", problems)
    return np.array(sorted(chosen), dtype=np.int64)
