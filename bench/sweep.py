"""What a sweep costs beside its runs, and what a second worker brings.

    python bench/sweep.py /tmp/sweep
    python bench/sweep.py /tmp/sweep --runs 8 --hours 240 --rounds 3

Workers: the same runs of the built-in grid by one worker and by two, in turn. On a machine with other work, clock time
says little: the efficiency is CPU of a run with one worker over that with two (what they take from each other), times
the share of the time in which the workers have a run in hand (what the sweep makes them wait).

Overhead: CPU of everything, processes begun for the sweep included, of a sweep of few and of many short runs of a small
grid; what a further run adds, less the CPU of the run itself. It is the same for a year.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

JIANGSU = """name = "jiangsu"
base = "jiangsu-2024"
[set]
horizon.start = 2024-04-01
horizon.hours = {hours}
[grid]
scale.load = {factors}
"""
FEW, MANY = 10, 110


class Swept(NamedTuple):
    """One sweep."""

    table: pd.DataFrame
    cpu_s: float  # of all its processes
    span_s: float  # from the first run's begin to the last one's end


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--hours", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    per_hour = workers(options.folder, options.runs, options.hours, options.rounds)
    overhead(options.folder, 8784 * per_hour)
    return 0


def workers(folder: Path, runs: int, hours: int, rounds: int) -> float:
    """One worker and two; CPU of an hour of a run."""
    factors = [round(0.97 + 0.01 * k, 2) for k in range(runs)]
    study = folder / "jiangsu.toml"
    study.write_text(JIANGSU.format(hours=hours, factors=factors), encoding="utf-8")
    found: dict[int, list[Swept]] = {0: [], 1: [], 2: []}
    for number in range(rounds):
        for count, some in found.items():
            some.append(swept(study, folder / f"jiangsu-{number}-{count}", count))
    of_run = pd.DataFrame({count: cpu_of_runs([one.table for one in some]) for count, some in found.items()})
    cpu = of_run.dropna().mean().to_dict()  # of the runs that were nobody's first
    print(f"workers: {runs} runs of {hours} h, {rounds} rounds, load of the machine {os.getloadavg()[0]:.1f}")
    print(f"  without Dask (--task 1/1): CPU of a run {cpu.pop(0):.2f} s")
    for count, some in list(found.items())[1:]:
        busy = statistics.median(float(one.table["seconds"].sum()) / (count * one.span_s) for one in some)
        efficiency = cpu[1] / cpu[count] * busy
        memory = max(float(one.table["peak_rss_mb"].max()) for one in some)
        span = statistics.median(one.span_s for one in some)
        print(
            f"  {count}: CPU of a run {cpu[count]:.2f} s, workers busy {100 * busy:.1f} %, "
            f"efficiency {100 * efficiency:.1f} %, {runs / span * 3600:.0f} runs an hour by the clock, "
            f"memory of a worker {memory:.0f} MB"
        )
    return cpu[1] / hours


def overhead(folder: Path, year_cpu_s: float) -> None:
    """What a run adds to the CPU of a sweep beyond its own."""
    from tiny_study import write_study

    few, many = (
        swept(
            write_study(folder / f"tiny-{n}", f"seeds = {{first = 1, count = {n}}}\n", head=HEAD), folder / f"o{n}", 1
        )
        for n in (FEW, MANY)
    )
    added = (many.cpu_s - few.cpu_s) / (MANY - FEW)
    own = float(many.table["cpu_seconds"].sum() - few.table["cpu_seconds"].sum()) / (MANY - FEW)
    print(f"overhead: a run adds {added:.3f} s of CPU, of which {own:.3f} s are its own: {1e3 * (added - own):.0f} ms")
    print(f"  of a year of the built-in grid ({year_cpu_s:.0f} s of CPU): {100 * (added - own) / year_cpu_s:.3f} %")
    print(f"  1,000 years: {1000 * (added - own) + few.cpu_s:.0f} s beside {1000 * year_cpu_s:.0f} s")


HEAD = 'base = "tiny.toml"\n'


def cpu_of_runs(tables: list[pd.DataFrame]) -> pd.Series:
    """Least CPU of each run in all rounds; the first of each worker, which loads what later ones have, is left out."""
    later = [table.drop(index=table.sort_values("ended").drop_duplicates("worker").index) for table in tables]
    return pd.concat(later).groupby("run")["cpu_seconds"].min()


def swept(study: Path, folder: Path, count: int) -> Swept:
    """A sweep in a process of its own; by no worker as the one task of an array."""
    command = [sys.executable, "-m", "gridsim", "sweep", str(study), "-o", str(folder)]
    command += ["--workers", str(count), "--no-report"] if count else ["--task", "1/1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        text = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}\n{text[-1000:]}")
    from gridsim.sweep.table import make_table

    table = make_table(folder)
    table["ended"] = [(folder / name).with_suffix(".json").stat().st_mtime for name in table["file"]]
    begun = float((table["ended"] - table["seconds"]).min())
    return Swept(table, usage.ru_utime + usage.ru_stime, float(table["ended"].max()) - begun)


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)
