"""Kill runs at random moments, resume them, and hold each file to that of a run that nobody stopped.

    python tools/kill_trials.py jiangsu-2024 --hours 336 --trials 10

Every trial is one run: killed by SIGKILL at a moment drawn over the length of a whole run, resumed, killed again, until
it comes to its end before the moment, or has been killed often enough. Prints a line for each; exit code 1 if any file
differs.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from gridsim.journal import journal_of, look


def gridsim(*arguments: str) -> subprocess.Popen[bytes]:
    code = "import sys; from gridsim.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments, "--no-report"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def datasets(path: Path) -> dict[str, bytes]:
    """Bytes of every dataset, and the text of every attribute, but those that tell of times and machines."""
    found: dict[str, bytes] = {}

    def visit(name: str, item: h5py.HLObject) -> None:
        if name.startswith("timing/") or name == "meta/run":
            return
        if isinstance(item, h5py.Dataset):
            values = np.asarray(item[()])
            found[name] = repr(values.tolist()).encode() if values.dtype.kind == "O" else values.tobytes()
        for key, value in item.attrs.items():
            if key not in ("DIMENSION_LIST", "REFERENCE_LIST"):
                found[f"{name}@{key}"] = str(value).encode()

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def trial(
    scenario: list[str], path: Path, whole: dict[str, bytes], length_s: float, draw: random.Random, kills: int
) -> tuple[list[int], float, list[str]]:
    """One run with its kills. Returns windows done at each kill, seconds of the last process, what differs."""
    windows: list[int] = []
    while True:
        resumable = journal_of(path).exists() and bool(journal_of(path).stat().st_size)
        began = time.monotonic()
        process = gridsim("resume", str(path)) if resumable else gridsim("run", *scenario, "-o", str(path), "--force")
        try:
            process.wait(draw.uniform(0.0, length_s) if len(windows) < kills else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            seen = look(journal_of(path)) if journal_of(path).exists() else None
            if seen is not None or not path.exists():  # else the kill came after the end
                windows.append(len(seen.windows) if seen else 0)
                continue
        else:
            if process.returncode:
                raise SystemExit(f"{path}: exit code {process.returncode}")
        found = datasets(path)
        off = [name for name in whole.keys() | found.keys() if whole.get(name) != found.get(name)]
        return windows, time.monotonic() - began, off


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenario", nargs="+", help="what `gridsim run` takes")
    parser.add_argument("--hours", default="336")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--kills", type=int, default=5, help="at most, of one run")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    scenario, draw = [*given.scenario, "--hours", given.hours], random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="gridsim-kill-") as folder:
        reference = Path(folder) / "whole.h5"
        began = time.monotonic()
        if gridsim("run", *scenario, "-o", str(reference)).wait():
            raise SystemExit("the run itself fails")
        length_s, whole = time.monotonic() - began, datasets(reference)
        print(f"whole run: {length_s:.1f} s, {len(whole)} datasets and attributes")
        print("trial  windows done at each kill           last process  differs")
        wrong = total = 0
        for k in range(given.trials):
            windows, last_s, off = trial(
                scenario, Path(folder) / f"trial{k}.h5", whole, length_s, draw, given.kills
            )  # fmt: skip
            total, wrong = total + len(windows), wrong + bool(off)
            said = ", ".join(off[:3]) if off else "nothing"
            print(f"{k + 1:5d}  {', '.join(map(str, windows)) or 'none':35s}  {last_s:10.1f} s  {said}", flush=True)
        print(f"{total} kills in {given.trials} runs, {wrong} files differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
