"""What a run will take before it begins: CPU time, peak memory, disk; from short runs of the same scenario.

>>> made = estimate(load("jiangsu-2024"), Path("results/jiangsu-2024.h5"))     # doctest: +SKIP
>>> print(made.as_text())                                                      # doctest: +SKIP

`gridsim.trial` makes the short runs, in a process of its own. A run is one thread, so on a core of its own it takes as
long as its CPU time. Left out: the page (``--no-report``), and compiling kernels on a machine that has not done so.
"""

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from gridsim.errors import ResourceError
from gridsim.room import free_disk_bytes, free_memory_bytes
from gridsim.scenario import Scenario
from gridsim.status import clock
from gridsim.trial import Measured, measure_alone, trial_hours

READ_CPU = 1.0  # to read hours from the journal and sum them up, of the CPU that it takes to compress them
MEGA, MEBI = 1e6, 2.0**20  # of disk and of memory, as `gridsim show` has them


@dataclass(frozen=True)
class Estimate:
    """What a run should take, and what there is."""

    scenario: str
    output: str
    hours: int
    windows: int
    cpu_s: float  # start, windows and file
    start_cpu_s: float  # process, packages, case, kernels
    windows_cpu_s: float
    file_cpu_s: float  # making the file and the summary, and what else is neither start nor windows
    memory_mb: float  # highest, of the process
    file_mb: float
    journal_mb: float  # beside the file, until that is whole
    free_memory_mb: float
    free_disk_mb: float
    trials: list[str]  # first hour of each
    trial_hours: int
    trial_windows: int  # that count
    window_cpu_s: float  # their mean
    window_cpu_spread_s: float  # their standard deviation

    @property
    def disk_mb(self) -> float:
        """File and journal are there together for a moment."""
        return self.file_mb + self.journal_mb

    @property
    def problems(self) -> list[str]:
        """Why it cannot fit."""
        rows = (("memory", self.memory_mb, self.free_memory_mb), ("disk", self.disk_mb, self.free_disk_mb))
        return [f"{what}: needs {need:,.0f} MB, {free:,.0f} MB are free" for what, need, free in rows if need > free]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "disk_mb": self.disk_mb, "fits": not self.problems}

    def as_text(self) -> str:
        whole = f"{self.cpu_s:,.1f} s" + (f" ({clock(self.cpu_s)})" if self.cpu_s >= 60 else "")
        parts = f"start {self.start_cpu_s:,.1f}, windows {self.windows_cpu_s:,.1f}, file {self.file_cpu_s:,.1f}"
        spread = f"{self.window_cpu_s:.3f} s each, standard deviation {self.window_cpu_spread_s:.3f} s"
        some = f"{len(self.trials)} short {'run' if len(self.trials) == 1 else 'runs'} of {self.trial_hours} h"
        return "\n".join(
            (
                f"{self.scenario}: {self.hours:,} hours, {self.windows} windows",
                f"CPU time   {whole}: {parts}",
                f"memory     {self.memory_mb:,.0f} MB at most; {self.free_memory_mb:,.0f} MB are free",
                f"disk       {self.disk_mb:,.1f} MB: file {self.file_mb:,.1f}, its journal until then"
                f" {self.journal_mb:,.1f}; {self.free_disk_mb:,.0f} MB are free",
                f"based on   {some} from {', '.join(self.trials)}; windows {spread}",
            )
        )


def estimate(scenario: Scenario, output: Path) -> Estimate:
    """Predict a run of `scenario` that writes `output`. Takes some seconds of CPU; writes to a scratch folder only.

    Raises
    ------
    InputError, WindowError
        As a run would.
    ResourceError
        If a short run does not even fit into memory.
    """
    from gridsim.simulate import assemble, warmup

    assemble(scenario)  # problems of the input are said here; afterwards the caches are as a run will find them
    warmup()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        try:
            measured = alone.submit(measure_alone, scenario).result()
        except BrokenProcessPool:
            raise ResourceError(f"{scenario.source}: a short run of it was killed: memory is too small") from None
    return predict(scenario, output, measured)


def predict(scenario: Scenario, output: Path, m: Measured) -> Estimate:
    """From what trials have shown to the whole horizon."""
    windows, steps = len(scenario.windows()), scenario.hours * scenario.steps_per_hour
    whole = trial_hours(scenario) == scenario.hours  # the one trial was the run itself
    warm = float(np.mean(m.window_cpu_s))
    windows_cpu = float(np.mean(m.first_cpu_s)) + (windows - 1) * warm
    trial_steps = float(np.mean(m.hours)) * scenario.steps_per_hour
    more = steps - trial_steps
    rest = float(np.mean(m.rest_cpu_s))
    if scenario.grid.ac_check:  # which takes nearly all of the rest, hour by hour
        rest *= steps / trial_steps
    file_cpu = rest + more * m.write_cpu_s_per_step * (1.0 + READ_CPU)
    memory = m.peak_bytes + more * m.summed_step_bytes
    return Estimate(
        scenario=scenario.source,
        output=str(output),
        hours=scenario.hours,
        windows=windows,
        cpu_s=m.ready_cpu_s + windows_cpu + file_cpu,
        start_cpu_s=m.ready_cpu_s,
        windows_cpu_s=windows_cpu,
        file_cpu_s=file_cpu,
        memory_mb=memory / MEBI,
        file_mb=(m.frame_bytes + steps * m.step_bytes) / MEGA,
        journal_mb=windows * m.record_bytes / MEGA,
        free_memory_mb=free_memory_bytes() / MEBI,
        free_disk_mb=free_disk_bytes(output) / MEGA,
        trials=sorted(m.places),
        trial_hours=round(float(np.mean(m.hours))),
        trial_windows=len(m.window_cpu_s),
        window_cpu_s=warm,
        window_cpu_spread_s=float(np.std(m.window_cpu_s)) if not whole else 0.0,
    )


def refuse(made: Estimate) -> None:
    """Raise ResourceError if the run cannot fit."""
    if made.problems:
        raise ResourceError(f"{made.scenario} cannot run here: " + "; ".join(made.problems))
