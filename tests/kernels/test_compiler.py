"""Fields of tuples taken out once mean what they meant; one machine code whatever is written out in a call."""

from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from gridsim.kernels.compiler import Compiler, one_for_all_values
from gridsim.kernels.jit import FloatArray

config: Any = numba.config
njit: Any = numba.njit
pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")


class Pair(NamedTuple):
    x: FloatArray
    y: FloatArray


def compiled(function: Any) -> Any:
    return njit(function, pipeline_class=Compiler, _nrt=False)


def test_fields_by_any_name_and_in_any_branch():
    @compiled
    def total(pair, turns):
        other, value = pair, 0.0
        for i in range(turns):
            value += pair.x[i] * other.y[i] if i > 0 else other.x[i]
        return value

    assert total(Pair(np.array([1.0, 2.0, 3.0]), np.array([9.0, 10.0, 100.0])), 3) == 1.0 + 20.0 + 300.0


def test_a_name_that_is_given_another_tuple():
    @compiled
    def swapped(pair, turns):
        for _ in range(turns):
            pair = Pair(pair.y, pair.x)
        return pair.x[0]

    pair = Pair(np.array([1.0]), np.array([2.0]))
    assert [swapped(pair, turns) for turns in (0, 1, 2)] == [1.0, 2.0, 1.0]


def test_one_version_for_written_out_values():
    @compiled
    def scaled(value, double):
        return 2.0 * value if double else value

    one_for_all_values(scaled)

    @compiled
    def both(value):
        return scaled(value, True) - scaled(value, False)

    assert both(3.0) == 3.0
    assert len(scaled.signatures) == 1
