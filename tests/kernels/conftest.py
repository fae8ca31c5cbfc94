"""One marker: tests that would take hours without the compiler are skipped with NUMBA_DISABLE_JIT=1."""

import pytest
from reference import INTERPRETED


def pytest_configure(config):
    config.addinivalue_line("markers", "compiled: too slow interpreted, skipped with NUMBA_DISABLE_JIT=1")


def pytest_runtest_setup(item):
    if INTERPRETED and item.get_closest_marker("compiled"):
        pytest.skip("too slow without the compiler")
