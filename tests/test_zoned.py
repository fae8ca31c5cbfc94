"""Slacks in lumps, shared out over their buses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tiny_grid import tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.errors import InputError
from gridsim.zoned import Zoned


def test_no_load_sheds_more_than_it_takes():
    """Zone 0 sheds 60 MW in thirds, one of its three loads takes 10 only: the others, with room for 40 and 20, give 10
    more between them, two to one. What a zone cannot give at all is cut."""
    zone = np.array([0, 0, 0, 1])
    zoned = Zoned(np.arange(4), zone, np.array([1 / 3, 1 / 3, 1 / 3, 1.0]), 2, 0)
    most = np.array([[10.0, 60.0, 40.0, 5.0]])
    shed = zoned.within(zoned.split(np.array([[60.0, 7.0]])), most)
    assert_allclose(shed, [[10.0, 20.0 + 20.0 / 3.0, 20.0 + 10.0 / 3.0, 5.0]])


def test_a_system_without_load_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"scale\.load must be greater than 0: without load there is nothing to run"):
        assemble(write_grid(tmp_path, tiny_grid(), scale={"load": 0.0}))
