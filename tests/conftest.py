"""Empty tables of pandapower are made, and read, once.

A net has some ninety tables, most of them empty, and pandapower makes each anew, column by column, for every net that
is built or read: half of what tests on small grids take. Here all but the first get a copy of the same empty table.
"""

import gc
import json
from typing import Any

import pandas as pd
from pandapower import io_utils
from pandapower.auxiliary import pandapowerNet

EMPTY = '"index":[],"data":[]}'  # of a table in JSON
_made: dict[str, tuple[dict[str, Any], pd.DataFrame]] = {}
_read: dict[str, pd.DataFrame] = {}
_make, _hook = pandapowerNet.create_dataframes, io_utils.pp_hook


def create_dataframes(tables: dict[str, Any]) -> dict[str, Any]:
    """As pandapower's: a table for each entry that is a dictionary of columns and types."""
    for name, columns in tables.items():
        if isinstance(columns, dict):
            if name not in _made or _made[name][0] != columns:
                _made[name] = (dict(columns), _make({name: dict(columns)})[name])
            tables[name] = _made[name][1].copy()
    return tables


def pp_hook(entry: Any, **how: Any) -> Any:
    """As pandapower's: what an entry of a JSON file stands for."""
    plain = how.get("deserialize_pandas", True) and not how.get("omit_modules")
    if not plain or not isinstance(entry, dict) or entry.get("_class") != "DataFrame":
        return _hook(entry, **how)
    if not isinstance(entry.get("_object"), str) or not entry["_object"].endswith(EMPTY):
        return _hook(entry, **how)
    text = json.dumps(entry)
    if text not in _read:
        found = _hook(entry, **how)
        if not isinstance(found, pd.DataFrame):
            return found
        _read[text] = found
    return _read[text].copy()


pandapowerNet.create_dataframes = create_dataframes
io_utils.pp_hook = pp_hook


def pytest_collection_finish() -> None:
    """What is imported by now stays: the garbage collector need not look at a million objects again and again."""
    gc.collect()
    gc.freeze()
