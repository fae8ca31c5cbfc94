"""A measurement in a process of its own: one thread, one line of JSON at the end."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def run(python: str | Path, child: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """What `child` printed last.

    Raises
    ------
    RuntimeError
        It ended with an error.
    """
    done = subprocess.run(
        [str(python), str(child), *arguments],
        env={**environment, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{child.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
