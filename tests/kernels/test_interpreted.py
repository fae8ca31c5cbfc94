"""The same tests with the compiler switched off: bounds are checked there, and read-only arrays are enforced."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from reference import INTERPRETED

HERE = Path(__file__).parent
MODULES = (
    "test_window.py",
    "test_window_same.py",
    "test_bound.py",
    "test_commit.py",
    "test_step.py",
    "test_start.py",
    "test_security.py",
    "test_adequacy.py",
)
CHOSEN = " or ".join(
    (
        "short_window", "same_to_the_byte", "only_read", "lives_as_the_twin_does", "tight", "one_unit_has_the_best",
        "ageing", "inside_wherever", "schedule_costs", "no_inside", "best_prices", "across_windows", "plain_loops",
        "known_rows", "goes_on_over_windows", "nested_cuts",
    )
)  # fmt: skip


@pytest.mark.skipif(INTERPRETED, reason="runs interpreted as it is")
def test_a_handful_passes_without_the_compiler():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", CHOSEN]
    run = subprocess.run(
        [*command, *(str(HERE / name) for name in MODULES)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parents[1],
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    assert int(passed.group(1)) >= 60, run.stdout[-500:]
