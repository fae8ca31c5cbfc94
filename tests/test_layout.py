"""Kernels are compiled for arrays that lie row after row: another layout would be compiled for again, for seconds."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_grid import tiny_grid, write_grid

from gridsim.improve import stacked
from gridsim.kernels import step
from gridsim.simulate import simulate


def test_hours_to_be_lived_lie_row_after_row(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """Limits of branches and interfaces are joined, segments of units are picked: NumPy lays both out by columns."""
    walk, called, found = step._walk, [], set()

    def watched(fleet: Any, hours: Any, *given: Any) -> Any:
        called.append(len(hours.on))
        found.update(name for name, part in hours._asdict().items() if not part.flags.c_contiguous)
        return walk(fleet, hours, *given)

    monkeypatch.setattr(step, "_walk", watched)
    net = tiny_grid(tight=True)
    net["interface"] = pd.DataFrame({"name": ["cut"], "limit_mw": [150.0]})
    columns = {"interface": "cut", "element": ["line", "line"], "element_index": [1, 3], "weight": [1.0, 1.0]}
    net["interface_member"] = pd.DataFrame(columns)
    simulate(write_grid(tmp_path, net, horizon={"hours": 48}), tmp_path / "run.h5")
    assert called[-2:] == [24, 24]  # before, what the warm-up calls
    assert not found


def test_rows_of_units_lie_row_after_row():
    by_columns = np.arange(6.0).reshape(3, 2).T
    joined = stacked(by_columns, np.zeros((0, 3)))
    assert joined.flags.c_contiguous
    np.testing.assert_array_equal(joined, by_columns)
