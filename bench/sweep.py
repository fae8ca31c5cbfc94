"""What many years cost: two workers against one, years of a sweep against single runs, Monte Carlo years likewise.

    python bench/sweep.py /tmp/sweep                             # a quarter of a year a run: eight minutes when quiet
    python bench/sweep.py /tmp/sweep --hours 8784 --runs 4 --rounds 1
    python bench/sweep.py /tmp/sweep --hours 336 --rounds 3      # CPU where the machine has other work

Prints one table in Markdown. Every round does everything once, in turn: single runs (``gridsim run --keep summary``), a
sweep of one run and of all with one worker, the same with two. Medians of the rounds count.

* Efficiency is by the clock: hours that two workers finish, from the first run's begin to the last one's end, over
  twice those that one finishes. On a machine with other work it says nothing; CPU does.
* A year of a sweep costs what a further run adds to the CPU of all its processes - scheduler, workers, nannies - and a
  thousandth of what the sweep itself takes. A single run counts from the start of its process to its end.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

STUDY = """name = "jiangsu"
base = "jiangsu-2024"
[set]
output.keep = "summary"
horizon.start = {start}
horizon.hours = {hours}
[grid]
scale.load = {factors}
"""
FULL_YEAR, STARTS = 8784, ("2024-01-01", "2024-04-01")  # a part of the year begins in spring
MANY = 1000  # years that the table speaks of
ONE_BLAS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class Process(NamedTuple):
    """A command that has ended."""

    cpu_s: float  # its children included
    wall_s: float
    out: str


class Swept(NamedTuple):
    """A sweep that has ended."""

    process: Process
    table: pd.DataFrame
    span_s: float  # from the first run's begin to the last one's end


class Round(NamedTuple):
    """Everything once."""

    single_s: float  # CPU of a single run
    by_one: Swept
    first: Swept  # a sweep of one run, by one worker
    by_two: Swept

    @property
    def efficiency(self) -> float:
        return self.by_one.span_s / (2.0 * self.by_two.span_s)

    @property
    def further_s(self) -> float:
        """CPU that a further run adds to a sweep."""
        return (self.by_one.process.cpu_s - self.first.process.cpu_s) / (len(self.by_one.table) - 1)

    @property
    def own_s(self) -> float:
        """CPU of the sweep beside its runs."""
        return self.first.process.cpu_s - self.further_s


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=int, default=2208, help="of each run")
    parser.add_argument("--runs", type=int, default=6, help="of a sweep, an even number")
    parser.add_argument("--singles", type=int, default=2, help="single runs in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--years", type=int, default=200, help="of gridsim adequacy; 0: leave it out")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    began, load = time.monotonic(), os.getloadavg()[0]
    gridsim("warmup")
    rounds = [a_round(options.folder / f"round-{k}", options) for k in range(options.rounds)]
    print(f"{options.runs} runs of {options.hours} h a sweep, rounds: {options.rounds}, load before: {load:.1f}\n")
    print("| years of jiangsu-2024 | measured | asked |\n| --- | --- | --- |")
    for row in rows_of(rounds, options.hours):
        print("| " + " | ".join(row) + " |")
    if options.years:
        for row in adequacy_rows(options.folder, options.years):
            print("| " + " | ".join(row) + " |")
    print(f"\n{time.monotonic() - began:.0f} s, load after: {os.getloadavg()[0]:.1f}")
    return 0


def a_round(folder: Path, options: argparse.Namespace) -> Round:
    """Single runs and sweeps, one after the other."""
    folder.mkdir()
    factors = [round(1.0 + 0.002 * k, 3) for k in range(options.runs)]
    start = STARTS[options.hours < FULL_YEAR]
    few, all_runs = folder / "few.toml", folder / "all.toml"
    for study, some in ((few, factors[:1]), (all_runs, factors)):
        study.write_text(STUDY.format(start=start, hours=options.hours, factors=some), encoding="utf-8")
    span = ["--start", start, "--hours", str(options.hours)]
    single = [
        gridsim(
            "run", "jiangsu-2024", *span, "--set", f"scale.load={factor}", "--keep", "summary", "--no-report",
            "-o", str(folder / f"single-{factor}.h5"),
        ).cpu_s
        for factor in factors[: options.singles]
    ]  # fmt: skip
    return Round(
        statistics.mean(single),
        swept(all_runs, folder / "one", 1),
        swept(few, folder / "few", 1),
        swept(all_runs, folder / "two", 2),
    )


def rows_of(rounds: list[Round], hours: int) -> list[tuple[str, str, str]]:
    """What the rounds have come to."""

    def median(of: Callable[[Round], float]) -> float:
        return statistics.median(of(one) for one in rounds)

    def speed(of: Callable[[Round], Swept]) -> str:
        years = median(lambda one: len(of(one).table) * hours / FULL_YEAR / of(one).span_s * 3600)
        cpu = median(lambda one: float(of(one).table["cpu_seconds"].mean()))
        memory = max(float(of(one).table["peak_rss_mb"].max()) for one in rounds)
        return f"{years:.1f} years an hour, CPU of a run {cpu:.2f} s, memory of a worker {memory:.0f} MB"

    single, further = median(lambda one: one.single_s), median(lambda one: one.further_s)
    own = median(lambda one: one.own_s)
    share = (further + own / MANY) / single
    by_cpu = median(lambda one: float(one.by_one.table["cpu_seconds"].mean() / one.by_two.table["cpu_seconds"].mean()))
    return [
        ("one worker", speed(lambda one: one.by_one), "below 1 GB"),
        ("two workers", speed(lambda one: one.by_two), "below 1 GB"),
        ("efficiency of two, by the clock", f"{100 * median(lambda one: one.efficiency):.1f} %", "at least 90 %"),
        ("the same by CPU of a run", f"{100 * by_cpu:.1f} %", ""),
        ("a single run, CPU", f"{single:.2f} s", ""),
        ("a further run of a sweep, CPU of all processes", f"{further:.2f} s", ""),
        ("a sweep beside its runs, CPU", f"{own:.1f} s", ""),
        (f"one of {MANY:,} against a single run", f"{100 * share:.1f} %", "at most 110 %"),
    ]


def adequacy_rows(folder: Path, years: int) -> list[tuple[str, str, str]]:
    """Monte Carlo years by one process and by two, in turn; the results are the same."""
    found: dict[int, list[tuple[Process, Any]]] = {1: [], 2: []}
    for _ in range(2):
        for workers, some in found.items():
            done = gridsim(
                "adequacy", "jiangsu-2024", "--max-years", str(years), "--relative-error", "0", "--workers",
                str(workers), "--json", "-f", "-o", str(folder / f"adequacy-{workers}.h5"),
            )  # fmt: skip
            some.append((done, json.loads(done.out)))
    rows = []
    walls = {workers: min(process.wall_s for process, _ in some) for workers, some in found.items()}
    for workers, some in found.items():
        process, _ = min(some, key=lambda pair: pair[0].wall_s)
        speed = f"{years / process.wall_s * 60:.0f} years a minute, {process.wall_s:.1f} s, CPU {process.cpu_s:.1f} s"
        rows.append((f"adequacy, {years} Monte Carlo years, {workers} at work", speed, ""))
    rows.append(("efficiency of two, by the clock", f"{100 * walls[1] / (2 * walls[2]):.1f} %", ""))
    results = [result for some in found.values() for _, result in some]
    said = {lole_of(result) for result in results}
    rows.append(("LOLE, 95 % interval", ", ".join(sorted(said)), "the same with any number"))
    return rows


def lole_of(result: Any) -> str:
    """Hours of a year."""
    lole = result["lole_h"]
    return f"{lole['mean']:.4g} ± {lole['half_width']:.2g} h"


def gridsim(*arguments: str) -> Process:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "gridsim", *arguments]
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **ONE_BLAS}
    ) as process:
        assert process.stdout is not None
        text = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
    return Process(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, text)


def swept(study: Path, folder: Path, workers: int) -> Swept:
    """A sweep in processes of its own."""
    process = gridsim("sweep", str(study), "-o", str(folder), "--workers", str(workers), "--no-report")
    from gridsim.sweep.table import make_table

    table = make_table(folder)
    ended = pd.Series([(folder / name).with_suffix(".json").stat().st_mtime for name in table["file"]])
    return Swept(process, table, float(ended.max() - (ended - table["seconds"]).min()))


if __name__ == "__main__":
    sys.exit(main())
