"""What a process of gridsim sets for itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from gridsim.process import prepare
prepare()
prepare()
import numpy as np
held = [np.ones(100_000) for _ in range(50)]
print(open("/proc/self/smaps").read())
"""


def heap_of(process):
    """Size in KiB and flags of the memory areas of the heap."""
    areas = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", process, flags=re.MULTILINE)
    heap = [area for area in areas if "[heap]" in area.partition("\n")[0]]
    size = [int(re.search(r"^Size: +(\d+) kB", area, re.MULTILINE)[1]) for area in heap]
    return size, [re.search(r"^VmFlags: (.*)$", area, re.MULTILINE)[1].split() for area in heap]


@pytest.mark.skipif(not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="Linux without huge pages")
def test_the_heap_is_one_piece_in_huge_pages():
    """Once: to prepare twice takes no second piece."""
    environment = {k: v for k, v in os.environ.items() if k not in ("GLIBC_TUNABLES", "PYTHONMALLOC")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    size, flags = heap_of(done.stdout)
    huge = [kb for kb, flag in zip(size, flags, strict=True) if "hg" in flag]
    assert len(huge) == 1
    assert 384 * 1024 <= huge[0] < 450 * 1024
