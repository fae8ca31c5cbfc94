"""pandapower nets from text and files that nobody vouches for: data, and nothing that runs.

A pandapower JSON names the classes of what it holds, and pandapower's reader imports the module of each before it looks
whether it may make one: importing runs the module. Here it gets only modules that its own writer names.
"""

import importlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from gridsim.errors import Problem

UNITS = ("_mw", "_mvar", "_mva", "_ka", "_kv", "_pu", "_km", "_percent", "_degree", "_mwh", "_kw")
LARGEST = 2**53  # index of a row: floats hold every whole number to here
PACKAGES = frozenset({"builtins", "numpy", "pandas", "pandapower", "geopandas", "shapely", "networkx"})


class _OnlyData:
    """What stands for `importlib` in pandapower's reader."""

    @staticmethod
    def import_module(name: str) -> Any:
        if str(name).partition(".")[0] not in PACKAGES:
            raise ValueError(f"it names the module {str(name)[:80]!r}, and only data is read")
        return importlib.import_module(name)


@contextmanager
def only_data() -> Iterator[None]:
    """While it lasts, pandapower's readers import nothing but modules of `PACKAGES`."""
    from pandapower import io_utils

    io_utils.importlib = _OnlyData
    try:
        yield
    finally:
        io_utils.importlib = importlib


def net_of_text(text: str) -> Any:
    """The net of a pandapower JSON text, as it stands in a results file."""
    import pandapower as pp

    with only_data():
        return pp.from_json_string(text)


def shape_problems(net: Any) -> list[Problem]:
    """What is no table where pandapower has one, rows without an index of their own, cells of another kind.

    A text where a number belongs would read as an empty cell: a limit that nobody sees is gone.
    """
    import pandapower as pp

    problems = []
    for name, empty in pp.create_empty_network().items():
        if not isinstance(empty, pd.DataFrame) or name not in net:
            continue
        table = net[name]
        if isinstance(table, pd.DataFrame) and not name.startswith("res_"):
            problems += _cell_problems(name, table, empty)
        if not isinstance(table, pd.DataFrame):
            problems.append(Problem(name, f"must be a table: got {str(table)[:60]!r}"))
        elif name.startswith("res_") or not len(table):
            continue
        elif not pd.api.types.is_integer_dtype(table.index):
            odd = next((i for i in table.index if not isinstance(i, int)), table.index[0])
            problems.append(Problem(name, f"must have whole numbers as its index: got {str(odd)[:60]!r}"))
        elif int(table.index.max()) > LARGEST:
            problems.append(Problem(name, f"must have whole numbers up to {LARGEST} as its index: {table.index.max()}"))
        elif table.index.has_duplicates:
            twice = table.index[table.index.duplicated()][0]
            problems.append(Problem(name, f"must have each number of its index once: {twice} stands there twice"))
    return problems


def _cell_problems(name: str, table: pd.DataFrame, empty: pd.DataFrame) -> list[Problem]:
    """Columns of numbers, and of true and false, that hold something else."""
    problems = []
    for column in table.columns:
        values = table[column]
        if not isinstance(values, pd.Series):
            problems.append(Problem(f"{name}.{column}", "must be one column: it is there twice"))
        elif values.dtype.kind not in "fiub":
            kind = empty[column].dtype.kind if column in empty else ""
            if kind in ("f", "i", "u") or (str(column).endswith(UNITS) and kind != "O"):
                bad, rule = [v for v in values if not _is_number(v)], "a number, or empty"
            elif kind == "b" or column == "controllable":
                bad, rule = [v for v in values if not _is_flag(v)], "true or false, or empty"
            else:
                continue
            if bad:
                some = f"{len(bad)} of {len(values)} {'is' if len(bad) == 1 else 'are'} not"
                problems.append(Problem(f"{name}.{column}", f"must be {rule}: {some} ({str(bad[0])[:60]!r})"))
    return problems


def _is_number(value: Any) -> bool:
    if _is_nothing(value):
        return True
    try:
        return not isinstance(value, (list, dict)) and float(value) is not None
    except (TypeError, ValueError, OverflowError):
        return False


def _is_flag(value: Any) -> bool:
    return _is_nothing(value) or (isinstance(value, (bool, int, float, np.bool_)) and value in (0, 1))


def _is_nothing(value: Any) -> bool:
    """An empty cell, in every way that tables have."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) or str(value) == ""
