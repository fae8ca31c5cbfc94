"""Does gridsim work on this machine? A few checks on two days of the built-in grid, and what to send with a bug report.

>>> tested = selftest()                                            # doctest: +SKIP
>>> print(tested.as_text())                                        # doctest: +SKIP

Each check compares two things that were made in different ways, as the tests of the project do at length; here it is
the installed packages, the compiler and the disk of this machine that are asked.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from gridsim import __version__, audit, simulate, verify
from gridsim.errors import StoppedError
from gridsim.journal import Journal, journal_of
from gridsim.kernels import disk
from gridsim.results import ResultsReader
from gridsim.resume import scenario_to_resume
from gridsim.room import CPUINFO, free_memory_bytes
from gridsim.scenario import Scenario, load
from gridsim.schema import DATASETS

PACKAGES = ("numba", "llvmlite", "numpy", "scipy", "pandas", "pandapower", "pvlib", "h5py", "highspy", "xarray")
SCENARIO, HOURS = "jiangsu-2024", 48


class Check(NamedTuple):
    """One line of the report."""

    check: str
    ok: bool
    text: str
    seconds: float


@dataclass(frozen=True)
class SelfTest:
    """What was found."""

    machine: dict[str, str]
    checks: list[Check] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "checks": [check._asdict() for check in self.checks], "ok": self.ok}

    def as_text(self) -> str:
        width = max(len(name) for name in (*self.machine, *(check.check for check in self.checks)))
        lines = [f"{name:<{width}}  {value}" for name, value in self.machine.items()]
        lines += [
            f"{c.check:<{width}}  {'ok  ' if c.ok else 'FAIL'}  {c.text} ({c.seconds:.1f} s)" for c in self.checks
        ]
        bad = sum(not check.ok for check in self.checks)
        verdict = "all is well" if self.ok else f"{bad} {'check' if bad == 1 else 'checks'} failed"
        return "\n".join([*lines, f"{len(self.checks)} checks: {verdict}"])


def selftest(scenario: Scenario | None = None) -> SelfTest:
    """Run the checks, in a scratch folder; on two days of the built-in grid if no other scenario is given."""
    given = scenario or load(SCENARIO, (f"horizon.hours={HOURS}",))
    with tempfile.TemporaryDirectory(prefix="gridsim-selftest-") as folder:
        whole, stopped = Path(folder) / "whole.h5", Path(folder) / "stopped.h5"
        checks: list[tuple[str, Callable[[], str]]] = [
            ("kernels", kernels),
            ("short run", lambda: short_run(given, whole)),
            ("audit", lambda: audited(whole)),
            ("energy balance", lambda: balance(whole)),
            ("stop and resume", lambda: resumed(given, whole, stopped)),
            ("file format", lambda: file_format(whole)),
            ("HiGHS", lambda: against_highs(given)),
        ]
        return SelfTest(machine(), [_checked(name, what) for name, what in checks])


class _Failed(Exception):
    """A check found what it should not; its text is the finding."""


def _checked(name: str, what: Callable[[], str]) -> Check:
    began = time.perf_counter()
    try:
        ok, text = True, what()
    except _Failed as error:
        ok, text = False, str(error)
    except Exception as error:  # a machine on which a part does not work is what this is for
        ok, text = False, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return Check(name, ok, text, time.perf_counter() - began)


# --- the machine


def machine() -> dict[str, str]:
    """Versions, system and processor."""
    found = {"gridsim": __version__, "python": f"{platform.python_version()} ({platform.python_implementation()})"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["HDF5"] = h5py.version.hdf5_version
    found["system"] = platform.platform()
    found["processor"] = f"{_processor()}, {os.cpu_count()} cores"
    found["free memory"] = f"{free_memory_bytes() / 2**30:,.1f} GiB"
    return found


def _processor() -> str:
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


# --- the checks: each says what it found, or raises


def kernels() -> str:
    """Machine code is there, or can be made, and the folder keeps it."""
    there = any(disk.CACHE_DIR.glob("*.ready"))
    seconds = simulate.warmup()
    how = "loaded" if there else "compiled"
    kept = any(disk.CACHE_DIR.glob("*.nbc"))
    if not kept:
        raise _Failed(f"{how} in {seconds:.1f} s, but {disk.CACHE_DIR} keeps none: every run will compile again")
    return f"{how} in {seconds:.1f} s of CPU, kept in {disk.CACHE_DIR}"


def short_run(scenario: Scenario, path: Path) -> str:
    summary = simulate.simulate(scenario, path)
    if not summary["gap_max"] < 0.05:
        raise _Failed(f"the largest gap is {100 * summary['gap_max']:.2f} %")
    cost = f"{summary['total_cost']:,.0f} {summary['currency']}"
    return f"{summary['hours']} hours of {scenario.name}: {cost}, largest gap {100 * summary['gap_max']:.3f} %"


def audited(path: Path) -> str:
    report = audit.audit(path)
    if not report.ok:
        raise _Failed("; ".join(f"{row.check}: {row.worst:.3g} {row.unit} at {row.where}" for row in report.failed))
    return f"{len(report.rows)} checks, nothing is off"


def balance(path: Path) -> str:
    """What is fed in, less what is taken, spilled and lost, hour by hour: added up here, apart from all else."""
    with ResultsReader(path) as run:
        fed = run.array("dispatch/tech_p_mw").sum(axis=1) + run.array("unserved/load_mw").sum(axis=1)
        taken = run.array("dispatch/load_mw").sum(axis=1) + run.array("spill/bus_mw").sum(axis=1)
        arrives = run.table("links")["loss_share"].to_numpy(dtype=float)
        sent = run.array("dispatch/link_p_mw")
        lost = (np.abs(sent) * arrives).sum(axis=1) + run.array("flow/loss_mw").sum(axis=1)
    off = float(np.abs(fed - taken - lost).max())
    if not off < 1e-3:
        raise _Failed(f"off by {off:.3g} MW")
    return f"{off:.1e} MW off at most, of {float(taken.max()):,.0f} MW"


def resumed(scenario: Scenario, whole: Path, stopped: Path) -> str:
    """Stopped after its first window and gone on with: byte for byte the file of the run that was not."""
    try:
        simulate.simulate(scenario, stopped, stop=lambda: "the self-test")
    except StoppedError:
        pass
    else:
        raise _Failed("a run that was told to stop went on")
    with _reopened(stopped) as journal:
        kept = next(journal.windows())
    going_on = scenario_to_resume(stopped)
    if going_on is None:
        raise _Failed("a stopped run counts as finished")
    simulate.simulate(going_on, stopped, resume=True)
    with h5py.File(stopped) as file:
        apart = [
            name
            for name, values in kept.items()
            if "/" in name and name in file and not np.array_equal(values, file[name][: len(values)])
        ]
    apart += differences(whole, stopped)
    if apart:
        raise _Failed(f"{len(apart)} datasets differ: {', '.join(apart[:5])}")
    return f"the same bytes after a stop, {sum('/' in name for name in kept)} series as the journal had them"


@contextmanager
def _reopened(path: Path) -> Iterator[Journal]:
    journal = Journal.reopen(journal_of(path))
    try:
        yield journal
    finally:
        journal.close()


def differences(a: Path, b: Path) -> list[str]:
    """Datasets that two results files do not have in common to the byte, but for the times of the run."""
    found: dict[str, list[bytes]] = {}
    for path in (a, b):
        with h5py.File(path) as file:

            def visit(name: str, item: object) -> None:
                if isinstance(item, h5py.Dataset) and not name.startswith("timing/"):
                    value = np.asarray(item[()])
                    is_text = value.dtype.kind == "O"
                    found.setdefault(name, []).append(repr(value.tolist()).encode() if is_text else value.tobytes())

            file.visititems(visit)
    return [name for name, values in found.items() if len(values) != 2 or values[0] != values[1]]


def file_format(path: Path) -> str:
    """Every dataset is there, typed and labelled, and its unit is readable; its first and last rows can be sampled."""
    wrong = []
    with ResultsReader(path) as run:
        for d in DATASETS:
            if d.path not in run:
                wrong.append(f"{d.path} is missing")
                continue
            stored = run[d.path]
            if stored.dtype != np.dtype(d.dtype) or "units" not in stored.attrs or "long_name" not in stored.attrs:
                wrong.append(f"{d.path} is {stored.dtype}, or has no unit")
            if stored.size and not np.isfinite(np.asarray(stored[[0, -1]] if len(stored) > 1 else stored[:1])).all():
                wrong.append(f"{d.path} is not finite")
        stamp = run.time[-1]
        text = run.meta["format_version"]
    if wrong:
        raise _Failed("; ".join(wrong[:5]))
    return f"format {text}, {len(DATASETS)} datasets, to {stamp:%Y-%m-%d %H:%M}"


def against_highs(scenario: Scenario) -> str:
    """The first window again by HiGHS: costs, prices, bound."""
    report = verify.verify(scenario, 1)
    bad = [row for row in report.rows if not row.ok]
    if bad:
        raise _Failed("; ".join(f"{row.check}: {row.worst:.2e} {row.unit}, {row.where}" for row in bad))
    worst = max(abs(w.highs_dispatch - w.cost) / max(abs(w.cost), 1.0) for w in report.windows)
    return f"{len(report.rows)} checks of a window agree, costs to {worst:.0e}"
