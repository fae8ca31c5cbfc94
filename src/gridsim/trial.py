"""Short runs of a scenario, spread over its horizon, in a process of their own: what `gridsim.estimate` goes by.

A trial is a real run of a few windows with a results file in a scratch folder, so whatever a run does is in it. Its
first window starts from nothing and is dearer than those that follow; its last ones look ahead less than the others
and are left out.
"""

import io
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from gridsim.journal import journal_of
from gridsim.results_frame import dims_of
from gridsim.results_writer import WindowReport
from gridsim.scenario import Horizon, Scenario
from gridsim.schema import CHUNK_H
from gridsim.summary_sums import step_bytes

WARM = 2  # windows of a trial that count, after the first
PLACES = 6
ENOUGH_CPU_S, LEAST_PLACES = 15.0, 3  # no further trial once they have taken so long


class Measured(NamedTuple):
    """What the trials have shown. CPU in seconds, sizes in bytes."""

    places: list[str]  # first hour of each trial
    hours: list[int]  # of each trial
    ready_cpu_s: float  # process, packages, case of the whole horizon, kernels
    first_cpu_s: list[float]  # first windows
    window_cpu_s: list[float]  # windows after them
    rest_cpu_s: list[float]  # of each trial, beside its windows
    write_cpu_s_per_step: float  # to compress hours into a file
    frame_bytes: float  # of a results file, without what runs along time
    step_bytes: float  # of a results file, for each step
    summed_step_bytes: float  # for each step, what the summary needs at once
    record_bytes: float  # of the journal, for each window
    peak_bytes: float  # memory of the process


def trial_hours(scenario: Scenario) -> int:
    """Of one trial: its first window, those that count, and what the last of these looks ahead to."""
    h = scenario.horizon
    return min(scenario.hours, h.step_h * WARM + max(h.window_h, h.step_h))


def firsts(scenario: Scenario) -> list[int]:
    """First hours of the trials, from 0: spread evenly, in an order in which any number of them is spread."""
    step, length = scenario.horizon.step_h, trial_hours(scenario)
    last = (scenario.hours - length) // step
    wanted = max(1, min(PLACES, scenario.hours // length))
    spread = [round(k) for k in np.linspace(0, last, wanted)] if wanted > 1 else [0]
    order = sorted(range(wanted), key=lambda k: (int(f"{k:03b}"[::-1], 2), k))
    return list(dict.fromkeys(spread[k] * step for k in order))


def part_of_scenario(scenario: Scenario, first: int) -> Scenario:
    """The same, of the hours of one trial."""
    start = scenario.start + np.timedelta64(first, "h")
    horizon = scenario.horizon.model_dump() | {
        "start": start.astype("datetime64[s]").item(),
        "hours": trial_hours(scenario),
    }
    part = scenario.model_copy(update={"horizon": Horizon.model_validate(horizon)})
    for cached in ("text", "digest"):  # of the whole
        part.__dict__.pop(cached, None)
    return part


def measure(scenario: Scenario) -> Measured:
    """Make the trials. Meant for a process of its own: its memory and its time from the start count."""
    from gridsim import simulate

    case = simulate.assemble(scenario)
    simulate.warmup()
    ready = time.process_time()
    trials: list[_Trial] = []
    stacked = _Stacked()
    for begin in firsts(scenario):
        if len(trials) >= LEAST_PLACES and time.process_time() - ready > ENOUGH_CPU_S:
            break
        with tempfile.TemporaryDirectory(prefix="gridsim-trial-") as folder:
            trials.append(_try(part_of_scenario(scenario, begin), Path(folder) / "trial.h5"))
            stacked.add(Path(folder) / "trial.h5")
    frame, file_step_bytes, write_s = stacked.compressed()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measured(
        places=[str(trial.start) for trial in trials],
        hours=[trial.hours for trial in trials],
        ready_cpu_s=ready,
        first_cpu_s=[trial.reports[0].cpu_s for trial in trials],
        window_cpu_s=[cpu_s for trial in trials for cpu_s in trial.window_cpu_s(scenario.horizon.window_h)],
        rest_cpu_s=[trial.rest_cpu_s for trial in trials],
        write_cpu_s_per_step=write_s,
        frame_bytes=frame,
        step_bytes=file_step_bytes,
        summed_step_bytes=step_bytes(dims_of(case, scenario)),
        record_bytes=float(np.mean([size for trial in trials for size in trial.record_bytes])),
        peak_bytes=float(peak),
    )


class _Trial(NamedTuple):
    """One short run."""

    start: np.datetime64
    hours: int
    reports: list[WindowReport]
    rest_cpu_s: float  # beside its windows
    record_bytes: list[float]  # of the journal, window by window

    def window_cpu_s(self, window_h: int) -> list[float]:
        """Of windows that look as far ahead as those of the whole, but for the first; of others where none does."""
        full = [r for r in self.reports if r.hours == window_h][1:]
        return [r.cpu_s for r in full or self.reports[1:] or self.reports]


def _try(part: Scenario, path: Path) -> _Trial:
    from gridsim import simulate

    reports: list[WindowReport] = []
    sizes: list[int] = []

    def seen(report: WindowReport) -> None:
        reports.append(report)
        sizes.append(journal_of(path).stat().st_size)

    began = time.process_time()
    simulate.simulate(part, path, progress=seen)
    rest = time.process_time() - began - sum(r.cpu_s for r in reports)
    records = [float(size) for size in np.diff(sizes)] or [float(sizes[0])]
    return _Trial(part.start, part.hours, reports, rest, records)


def measure_alone(scenario: Scenario) -> Measured:
    """`measure` as the first thing of a new process, without a word on its terminal."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stderr = nowhere
        return measure(scenario)


class _Stacked:
    """The hours of all trials one after the other, as a file of a longer run has them in its chunks."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Any]] = {}
        self.layout: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}
        self.frames: list[int] = []

    def add(self, path: Path) -> None:
        frame = path.stat().st_size
        with h5py.File(path, "r") as file:
            steps = len(file["time"])

            def visit(name: str, item: object) -> None:
                nonlocal frame
                if isinstance(item, h5py.Dataset) and item.chunks is not None and item.shape[0] == steps:
                    self.rows.setdefault(name, []).append(item[...])
                    options = {"compression": item.compression, "compression_opts": item.compression_opts}
                    self.layout[name] = (item.chunks, {**options, "shuffle": item.shuffle})
                    frame -= item.id.get_storage_size()

            file.visititems(visit)
        self.frames.append(frame)

    def compressed(self) -> tuple[float, float, float]:
        """Bytes of the frame; for each step, bytes in a file, and seconds of CPU to write them."""
        began, stored, steps = time.process_time(), 0, 1
        with h5py.File(io.BytesIO(), "w") as file:
            for name, parts in self.rows.items():
                values = np.concatenate(parts)[:CHUNK_H]
                steps = len(values)
                chunk = (len(values), *self.layout[name][0][1:])
                dataset = file.create_dataset(name, values.shape, values.dtype, chunks=chunk, **self.layout[name][1])
                if values.any():  # as `ResultsWriter` does
                    dataset[...] = values
                stored += dataset.id.get_storage_size()
        seconds = (time.process_time() - began) / steps
        return float(np.mean(self.frames)), stored / steps, seconds
