"""Machine code on disk: two processes at once with an empty folder are both right, and one of them compiles."""

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from gridsim.kernels.disk import KernelCache, one_compiles

config: Any = numba.config
njit: Any = numba.njit
pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")

SCRIPT = '''
"""Sums of an array in the type that is asked for; prints what came of it, and where it came from."""
import sys, time
from pathlib import Path
import numba, numpy as np
from numba.core.caching import IndexDataCacheFile
from gridsim.kernels.disk import KernelCache

save = IndexDataCacheFile._save_index
def slowly(self, overloads):  # the index has been read, and the other process reads it now, too
    time.sleep(0.5)
    save(self, overloads)
IndexDataCacheFile._save_index = slowly

def halves(x):
    total = x[0] - x[0]
    for one in x:
        total += one // 2
    return total

folder, me, other, *types = sys.argv[1:]
function = numba.njit(halves)
function._cache = KernelCache(halves, Path(folder))
Path(me).touch()
while not Path(other).exists():
    time.sleep(0.01)
for name in types:
    value = function(np.array([3, 5], dtype=name))
    print(name, value, type(value).__name__)
print(sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values()))
'''

TURN = """
import sys, time
from pathlib import Path
from gridsim.kernels.disk import one_compiles
folder, log = map(Path, sys.argv[1:])
with one_compiles("all", folder):
    if not (folder / "code").exists():
        time.sleep(0.5)
        (folder / "code").touch()
        with log.open("a") as file:
            file.write("compiled\\n")
"""


def start(folder: Path, text: str, *arguments: object) -> subprocess.Popen:
    script = folder / "script.py"
    script.write_text(text)
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip


def said(process: subprocess.Popen) -> list[str]:
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 0, text
    return text.splitlines()


def test_two_versions_added_at_once_are_both_there(tmp_path):
    folder, a, b = tmp_path / "cache", tmp_path / "a", tmp_path / "b"
    first = start(tmp_path, SCRIPT, folder, a, b, "float64")
    second = start(tmp_path, SCRIPT, folder, b, a, "int64")
    assert said(first) == ["float64 3.0 float", "0 1"]
    assert said(second) == ["int64 3 int", "0 1"]
    third = said(start(tmp_path, SCRIPT, folder, a, b, "int64", "float64"))
    assert third == ["int64 3 int", "float64 3.0 float", "2 0"]  # each its own code, none compiled again


def test_one_process_compiles_and_the_others_wait_for_it(tmp_path):
    folder, log = tmp_path / "cache", tmp_path / "log"
    processes = [start(tmp_path, TURN, folder, log) for _ in range(3)]
    for process in processes:
        said(process)
    assert log.read_text() == "compiled\n"


def test_a_compiler_that_fails_leaves_the_turn_to_the_next(tmp_path):
    with pytest.raises(MemoryError), one_compiles("all", tmp_path):
        raise MemoryError
    assert not list(tmp_path.glob("*.ready"))
    with one_compiles("all", tmp_path):
        assert not list(tmp_path.glob("*.ready"))
    assert len(list(tmp_path.glob("*.ready"))) == 1


def square(x):
    return x * x


def cached(folder: Path) -> Any:
    function = njit(square)
    function._cache = KernelCache(square, folder)
    return function


def test_damaged_files_are_compiled_again(tmp_path):
    assert cached(tmp_path)(3.0) == 9.0
    for path in [*tmp_path.glob("*.nbc"), *tmp_path.glob("*.nbi")]:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        function = cached(tmp_path)
        assert function(3.0) == 9.0
        assert sum(function.stats.cache_misses.values()) == 1
        again = cached(tmp_path)
        assert again(3.0) == 9.0
        assert sum(again.stats.cache_hits.values()) == 1


def test_a_folder_that_cannot_be_made_costs_a_warning(tmp_path):
    (tmp_path / "file").touch()
    function = cached(tmp_path / "file" / "cache")
    with pytest.warns(RuntimeWarning, match="machine code is not kept"):
        assert function(3.0) == 9.0


def test_the_place_of_the_sources_does_not_matter(tmp_path):
    assert cached(tmp_path)(3.0) == 9.0
    names = {path.name.split(".")[0] for path in tmp_path.iterdir() if path.suffix in (".nbi", ".nbc")}
    assert names == {"test_disk"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isclose(cached(tmp_path)(0.5), 0.25)
