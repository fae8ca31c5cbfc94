"""Part `results`: what writing the results file of a run costs, and how large it is."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from sample import SCENARIO

import gridsim.simulate as simulation
from gridsim.results_writer import ResultsWriter
from gridsim.scenario import Scenario, load


class _Watched(ResultsWriter):
    """The writer, with the CPU seconds of each of its steps."""

    spent: ClassVar[dict[str, float]] = {}

    @classmethod
    def timed(cls, name: str, call: Callable[[], Any]) -> Any:
        began = time.process_time()
        try:
            return call()
        finally:
            cls.spent[name] = cls.spent.get(name, 0.0) + time.process_time() - began

    @classmethod
    def open(cls, *args: Any, **options: Any) -> ResultsWriter:
        return cls.timed("open", lambda: super(_Watched, cls).open(*args, **options))

    def append(self, *args: Any) -> None:
        self.timed("append", lambda: super(_Watched, self).append(*args))

    def write(self, *args: Any) -> None:
        self.timed("write", lambda: super(_Watched, self).write(*args))

    def finish(self, *args: Any) -> dict[str, Any]:
        return self.timed("finish", lambda: super(_Watched, self).finish(*args))


def measure(say: Callable[[str], None], *, days: int | None) -> dict[str, Any]:
    """Simulate `days` days (None: the whole year) and write them.

    With fewer days than the year's, half as many are written too, and the year lies on the line through both.
    """
    scenario = load(SCENARIO)
    long = _one(scenario if days is None else load(SCENARIO, [f"horizon.hours={24 * days}"]))
    say(f"results: {long['size_mb']:.1f} MB, {long['write_s']:.2f} s of CPU to write {long['hours']} hours")
    year = {name: long[name] for name in ("size_mb", "write_s", "run_cpu_s")}
    if days is not None:
        short = _one(load(SCENARIO, [f"horizon.hours={24 * (days // 2)}"]))
        further = (scenario.hours - long["hours"]) / (long["hours"] - short["hours"])
        year = {name: value + further * (value - short[name]) for name, value in year.items()}
    return {**long, "extrapolated": days is not None, **{f"year_{name}": value for name, value in year.items()}}


def _one(scenario: Scenario) -> dict[str, Any]:
    """One run: size of its file, CPU seconds to write it and in all."""
    _Watched.spent = {}
    plain, simulation.ResultsWriter = simulation.ResultsWriter, _Watched
    try:
        with tempfile.TemporaryDirectory(prefix="gridsim-bench-") as folder:
            path = Path(folder) / "run.h5"
            summary = simulation.simulate(scenario, path)
            size_mb = path.stat().st_size / 1e6
    finally:
        simulation.ResultsWriter = plain
    spent = dict(_Watched.spent)
    return {
        "hours": scenario.hours, "size_mb": size_mb, "write_s": sum(spent.values()), "steps_s": spent,
        "run_cpu_s": float(summary["cpu_s"]),
    }  # fmt: skip
