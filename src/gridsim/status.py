"""How far a run is: running, stopped or finished, read beside it without disturbing it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from gridsim.errors import InputError, Problem
from gridsim.journal import Seen, journal_of, look
from gridsim.part_file import is_held, part_of

RECENT = 20  # windows that tell how long those to come take


class Status(NamedTuple):
    """One run. Its JSON is this, key by key."""

    file: str
    state: str  # "running", "stopped" or "finished"
    scenario: str  # where it came from
    windows_done: int
    windows: int
    hours_done: int
    hours: int
    last_hour: str  # last simulated hour, local time; "" before the first window
    gap_mean: float  # of the windows done
    cpu_s: float  # of the windows done; of a finished run of all
    left_s: float  # wall time that the windows to come should take; NaN: not known yet
    size_mb: float  # of what stands on the disk
    damaged: bool  # the journal ends in something that is not whole: a window in hand, or half of one

    def as_text(self) -> str:
        share = 100.0 * self.windows_done / max(self.windows, 1)
        lines = [
            f"{self.file}: {self.state}",
            f"windows    {self.windows_done} of {self.windows} ({share:.0f} %)",
            f"hours      {self.hours_done:,} of {self.hours:,}" + (f", to {self.last_hour}" if self.last_hour else ""),
        ]
        if self.windows_done:
            lines.append(f"mean gap   {100.0 * self.gap_mean:.4f} %")
            lines.append(f"CPU        {self.cpu_s:,.1f} s")
        if self.state != "finished" and np.isfinite(self.left_s):
            lines.append(f"left       about {clock(self.left_s)}")
        if self.state == "stopped":
            lines.append(f"go on with gridsim resume {self.file}")
        return "\n".join(lines)


def clock(duration_s: float) -> str:
    """A duration as h:mm:ss."""
    whole = int(duration_s)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def status(path: Path) -> Status:
    """How far the run is that makes, or has made, the results file `path`.

    Raises
    ------
    InputError
        If there is no such run.
    IntegrityError
        If its journal is damaged from its beginning, or the file is no complete run.
    """
    journal = journal_of(path)
    held = is_held(journal)
    seen = look(journal)
    if seen is not None:
        return _unfinished(path, seen, held)
    if not path.is_file():
        raise InputError(str(path), [Problem("the run", f"must have begun: there is neither this file nor {journal}")])
    return _finished(path)


def _unfinished(path: Path, seen: Seen, held: bool) -> Status:
    about, reports = seen.about, seen.windows
    done_h = sum(report["kept"] for report in reports)
    recent = [float(report["wall_s"]) for report in reports[-RECENT:]]
    left = (int(about["windows"]) - len(reports)) * sum(recent) / len(recent) if recent else float("nan")
    part = part_of(path)
    return Status(
        file=str(path),
        state="running" if held else "stopped",
        scenario=str(about["source"]),
        windows_done=len(reports),
        windows=int(about["windows"]),
        hours_done=done_h,
        hours=int(about["hours"]),
        last_hour=_hour(np.datetime64(about["start"], "h"), done_h),
        gap_mean=float(np.mean([report["gap"] for report in reports])) if reports else float("nan"),
        cpu_s=float(sum(report["cpu_s"] for report in reports)),
        left_s=left,
        size_mb=(seen.size + (part.stat().st_size if part.exists() else 0)) / 1e6,
        damaged=not seen.whole,
    )


def _finished(path: Path) -> Status:
    from gridsim.results import ResultsReader

    with ResultsReader(path) as run:
        windows = run.table("windows")
        return Status(
            file=str(path),
            state="finished",
            scenario=str(run.meta["scenario_name"]),
            windows_done=len(windows),
            windows=len(windows),
            hours_done=run.hours,
            hours=run.hours,
            last_hour=_hour(run.start, run.hours),
            gap_mean=float(windows["gap"].mean()),
            cpu_s=float(run.run.get("cpu_s", float("nan"))),
            left_s=0.0,
            size_mb=path.stat().st_size / 1e6,
            damaged=False,
        )


def _hour(start: np.datetime64, done_h: int) -> str:
    """The last of the hours that are done."""
    return str(start + np.timedelta64(done_h - 1, "h")).replace("T", " ") + ":00" if done_h else ""
