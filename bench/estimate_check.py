"""`gridsim estimate` against the runs it speaks of: ``python bench/estimate_check.py SCENARIO[:HOURS] ...``.

Prints a row of a Markdown table for each: predicted, measured and their ratio, of CPU time of the whole process
(``--no-report``), of its highest memory, of the results file, and of the journal when it was largest.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def run(arguments: list[str], journal: Path) -> tuple[float, float, float]:
    """CPU seconds, MB of memory, and MB of the journal of a gridsim command."""
    with subprocess.Popen([sys.executable, "-m", "gridsim", *arguments], stdout=-3, stderr=-3) as child:
        largest, code, usage = 0, 0, None
        while usage is None:
            done, code, found = os.wait4(child.pid, os.WNOHANG)
            if journal.exists():
                largest = max(largest, journal.stat().st_size)
            if done:
                usage = found
            time.sleep(0.02)
        child.returncode = os.waitstatus_to_exitcode(code)
    assert child.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, largest / 1e6


def row(scenario: str, hours: list[str], folder: Path) -> str:
    asked = [sys.executable, "-m", "gridsim", "estimate", scenario, *hours, "--json"]
    made: dict[str, Any] = json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)
    path = folder / "run.h5"
    cpu_s, memory_mb, journal_mb = run(
        ["run", scenario, *hours, "-o", str(path), "--no-report", "-f"], folder / "run.h5.journal"
    )
    pairs = (
        (made["cpu_s"], cpu_s), (made["memory_mb"], memory_mb), (made["file_mb"], path.stat().st_size / 1e6),
        (made["journal_mb"], journal_mb),
    )  # fmt: skip
    cells = [f"{said:,.1f} / {found:,.1f} ({said / found:.2f})" for said, found in pairs]
    return f"| {Path(scenario).stem}, {made['hours']:,} h | " + " | ".join(cells) + " |"


def main() -> None:
    print("| run | CPU, s | memory, MB | file, MB | journal, MB |\n| --- | --- | --- | --- | --- |", flush=True)
    for given in sys.argv[1:]:
        scenario, _, hours = given.partition(":")
        with tempfile.TemporaryDirectory() as folder:
            print(row(scenario, ["--hours", hours] if hours else [], Path(folder)), flush=True)


if __name__ == "__main__":
    main()
