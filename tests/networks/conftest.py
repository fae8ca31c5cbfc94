import pytest

from gridsim.networks import jiangsu


@pytest.fixture(scope="session")
def net():
    """The Jiangsu net; tests may run power flows on it but must not change its tables."""
    return jiangsu()
