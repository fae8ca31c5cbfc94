import copy

import pytest

from gridsim.networks import jiangsu


@pytest.fixture(scope="session")
def net():
    """The Jiangsu net; tests must not change its tables, as power flows do (`flowing`)."""
    return jiangsu()


@pytest.fixture
def flowing(net):
    """A copy for power flows: with a dcline they turn bool and int columns of gen into object and float."""
    return copy.deepcopy(net)
