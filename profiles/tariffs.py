"""Time-of-use tariffs as tables of relative prices, and as one word in a site row.

A tariff is the price of energy relative to its flat price, by month and hour: shape (12, 24). In a site row it is
written as months and runs of prices, ``1,2,12:0.35*6/1*5/...;3,4:...``, so that a series depends on its own row only.
"""

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem

FloatArray = NDArray[np.float64]

HIGHEST = 10.0  # of the flat price


def encode(prices: FloatArray) -> str:
    """A table as one word. `decode` gives the same numbers back."""
    months: dict[str, list[str]] = {}
    for month, row in enumerate(prices.tolist(), start=1):
        runs = ((price, len(list(run))) for price, run in groupby(row))
        text = "/".join(f"{price!r}*{hours}" for price, hours in runs)
        months.setdefault(text, []).append(str(month))
    return ";".join(f"{','.join(numbers)}:{text}" for text, numbers in months.items())


def decode(profile: str, word: str) -> FloatArray:
    """The table of a word, shape (12, 24). Raises InputError for what is not one."""
    table = np.full((12, 24), np.nan)
    try:
        for group in word.split(";"):
            numbers, _, text = group.partition(":")
            row: list[float] = []
            for run in text.split("/"):
                price, _, hours = run.partition("*")
                row += [float(price)] * int(hours)
            table[[int(n) - 1 for n in numbers.split(",")]] = np.array(row).reshape(24)
    except (ValueError, IndexError):
        table[:] = np.nan
    if not ((table >= 0.0) & (table <= HIGHEST)).all():
        rule = f"tariff must be prices from 0 to {HIGHEST:g} for 24 hours of 12 months, is {word!r}"
        raise InputError("profile_site", [Problem(f"{profile}: character", rule)])
    return table
