"""Part `startup`: compile time, and what a fresh process needs until its first window is planned.

Two processes one after the other on one empty cache folder: the first compiles everything, the second loads it.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import process

CHILD = Path(__file__).with_name("startup_child.py")


def measure(say: Callable[[str], None], *, child: Path = CHILD) -> dict[str, Any]:
    """Stages of the cold and of the warm process, and every function compiled."""
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="gridsim-cache-") as folder:
        for name in ("cold", "warm"):
            out[name] = run_child(child, Path(folder))
            last = list(out[name]["stamps"].values())[-1]
            say(f"startup, {name}: first window after {last['cpu_s']:.1f} s of CPU")
        out["cache_mb"] = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file()) / 1e6
    return out


def run_child(child: Path, cache: Path, *arguments: str) -> dict[str, Any]:
    """What a process says in its last line, on one thread and with its own cache folder.

    It keeps Python's byte code, as an installed package does.
    """
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "GRIDSIM_CACHE_DIR": str(cache)}
    return process.run(sys.executable, child, arguments, environment)
