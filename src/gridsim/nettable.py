"""Reading a pandapower table: columns with defaults, names, and complaints that name the rows.

pandapower leaves a cell empty in many ways (no column, NaN, None, pd.NA). Here they are one: the default.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.case import ElementNote
from gridsim.errors import Problem
from gridsim.kernels.jit import FloatArray, IntArray

_SHOWN = 12  # rows named in one problem; the count is always complete
BoolArray = NDArray[np.bool_]


class NetTable:
    """One element table of a net. Arrays have one entry per row of the table, in its order."""

    def __init__(self, net: Any, element: str):
        frame = net.get(element)
        self.frame: pd.DataFrame = frame if isinstance(frame, pd.DataFrame) else pd.DataFrame()
        self.element = element
        self.n = len(self.frame)
        self.index: list[int] = [int(i) for i in self.frame.index]
        self.given_names = self.text("name")
        self.names = [name or f"{element} {i}" for name, i in zip(self.given_names, self.index, strict=True)]

    def has(self, column: str) -> bool:
        return column in self.frame.columns

    def number(self, column: str, default: float | FloatArray = np.nan) -> FloatArray:
        """(n,) float64; what is empty (or absent) is `default`."""
        if not self.has(column):
            return np.broadcast_to(np.asarray(default, dtype=np.float64), (self.n,)).copy()
        values = pd.to_numeric(self.frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isnan(values), default, values)

    def whole(self, column: str, default: int) -> IntArray:
        """(n,) int64, rounded."""
        return np.rint(self.number(column, float(default))).astype(np.int64)

    def flag(self, column: str, default: bool | BoolArray) -> BoolArray:
        """(n,) bool; empty cells are `default`."""
        if not self.has(column):
            return np.broadcast_to(np.asarray(default, dtype=bool), (self.n,)).copy()
        values = self.frame[column]
        empty = values.isna().to_numpy()
        given = np.array([bool(v) if not e else False for v, e in zip(values, empty, strict=True)], dtype=bool)
        return np.where(empty, default, given)

    def text(self, column: str, default: str = "") -> list[str]:
        if not self.has(column):
            return [default] * self.n
        return [default if _is_empty(v) else _text(v) for v in self.frame[column]]

    def in_service(self) -> BoolArray:
        return self.flag("in_service", True)

    def label(self, i: int) -> str:
        """Row `i` in words: its index, and its name if it has one."""
        name = self.given_names[i]
        return f"{self.index[i]} '{name}'" if name else f"{self.index[i]}"

    def complain(
        self, problems: list[Problem], column: str, bad: BoolArray, rule: str, said: Sequence[Any] | None = None
    ) -> None:
        """Add one problem that names the rows where `bad` holds; nothing if there is none.

        `said` is what each row has, default the column: numbers, or ready text.
        """
        where = np.flatnonzero(bad)
        if not where.size:
            return
        if said is None:
            said = [say(v) for v in self.frame[column]] if self.has(column) else ["nothing"] * self.n
        rows = [
            f"{self.element} {self.label(int(i))} has {said[i] if isinstance(said[i], str) else say(said[i])}"
            for i in where[:_SHOWN]
        ]
        more = f" and {where.size - _SHOWN} more" if where.size > _SHOWN else ""
        verb = "is" if where.size == 1 else "are"
        counted = f"{where.size} of {self.n} {verb} not" if self.n > 1 else "it is not"
        problems.append(Problem(f"{self.element}.{column}", f"must be {rule}: {counted} ({', '.join(rows)}{more})"))

    def note(self, i: int, fate: str, why: str) -> ElementNote:
        return ElementNote(self.element, self.index[i], self.given_names[i], fate, why)


def _text(value: Any) -> str:
    """Numbers that pandas made floats of, because some cell of the column is empty, as they were: 1, not 1.0."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _is_empty(value: Any) -> bool:
    return value is None or (np.isscalar(value) and bool(pd.isna(value))) or value is pd.NA


def say(value: Any) -> str:
    """A value in a message: short numbers, quoted text."""
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    return str(value)


def unique_names(names: list[str], element: list[str], index: list[int]) -> list[str]:
    """Names made unique by adding table and index to those that occur more than once, in a table of the case."""
    count: dict[str, int] = {}
    for name in names:
        count[name] = count.get(name, 0) + 1
    out = [
        name if count[name] == 1 else f"{name} ({kind} {i})"
        for name, kind, i in zip(names, element, index, strict=True)
    ]
    seen: set[str] = set()
    for k in range(len(out)):  # a name given by hand may look like a made one
        while out[k] in seen:
            out[k] += "'"
        seen.add(out[k])
    return out
