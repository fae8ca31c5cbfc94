"""Part `results`: what writing the results file of a run costs, and how large it is."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from sample import SCENARIO

import gridsim.simulate as simulation
from gridsim.results_writer import ResultsWriter
from gridsim.scenario import load

STEPS = ("open", "append", "write", "finish")


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
    """Simulate `days` days (None: the whole year) and write them; the year is extrapolated from fewer."""
    scenario = load(SCENARIO, [] if days is None else [f"horizon.hours={24 * days}"])
    _Watched.spent = {}
    plain, simulation.ResultsWriter = simulation.ResultsWriter, _Watched
    try:
        with tempfile.TemporaryDirectory(prefix="gridsim-bench-") as folder:
            path = Path(folder) / "run.h5"
            summary = simulation.simulate(scenario, path)
            size_mb = path.stat().st_size / 1e6
    finally:
        simulation.ResultsWriter = plain
    write_s = sum(_Watched.spent.values())
    year = scenario.year_hours / scenario.hours
    say(f"results: {size_mb:.1f} MB, {write_s:.2f} s of CPU to write {scenario.hours} hours")
    return {
        "hours": scenario.hours, "size_mb": size_mb, "write_s": write_s, "steps_s": dict(_Watched.spent),
        "run_cpu_s": float(summary["cpu_s"]), "extrapolated": days is not None,
        "year_size_mb": size_mb * year, "year_write_s": write_s * year,
        "year_run_cpu_s": float(summary["cpu_s"]) * year,
    }  # fmt: skip
