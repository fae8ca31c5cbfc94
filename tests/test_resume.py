"""A run is never lost: stopped at any moment, by anything, it goes on to the file that it would have made."""

import dataclasses
import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich_grid import write_rich
from same_file import everything
from tiny_grid import tiny_grid, write_grid

from gridsim import carry, journal, origin, results_writer, simulate, status, stopping
from gridsim.cli import main
from gridsim.errors import InputError, IntegrityError, ResourceError, StoppedError, WindowError
from gridsim.handover import State
from gridsim.journal import Journal, journal_of, look
from gridsim.plan import Planner
from gridsim.resume import scenario_to_resume
from gridsim.scenario import Scenario

WINDOWS = 16
HORIZON = {"hours": 96, "window_h": 12, "step_h": 6}
FAST = {"effort": "fast"}
BUDGETS = [
    {"name": "coal", "techs": ["coal"], "quantity": "energy", "period": "month", "at_most": 90000.0, "penalty": 500.0},
    {"name": "gas", "techs": ["gas"], "quantity": "energy", "period": "day", "at_most": 500.0, "penalty": 500.0},
]
KILLS = 30


class Whole:
    """A run that nobody stopped, as files in a folder."""

    def __init__(self, scenario: Scenario, folder: Path):
        self.scenario, self.path = scenario, folder / "whole.h5"
        simulate.simulate(scenario, self.path)
        self.everything = everything(self.path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grid")


@pytest.fixture(scope="module")
def whole(folder: Path) -> Iterator[Whole]:
    """Sixteen windows of the tiny grid, whose case is made once."""
    scenario = write_grid(folder, tiny_grid(), horizon=HORIZON, solver=FAST)
    patch, real = pytest.MonkeyPatch(), simulate.assemble
    case = real(scenario)
    patch.setattr(simulate, "assemble", lambda given: case if given.digest == scenario.digest else real(given))
    yield Whole(scenario, folder)
    patch.undo()


def again(path: Path, **options: Any) -> dict[str, Any]:
    """Go on with a stopped run as ``gridsim resume`` does."""
    scenario = scenario_to_resume(path)
    assert scenario is not None
    return simulate.simulate(scenario, path, resume=True, **options)


def after(windows: int) -> Callable[[], str]:
    """A reason to stop after so many windows."""
    asked = iter(range(1, WINDOWS + 1))
    return lambda: "a test" if next(asked) >= windows else ""


def stopped(whole: Whole, path: Path, windows: int) -> Path:
    """A run stopped after some windows; its results file to be."""
    with pytest.raises(StoppedError):
        simulate.simulate(whole.scenario, path, stop=after(windows))
    return path


def done(path: Path) -> int:
    """Windows in a journal; -1 where there is none with a first record."""
    try:
        seen = look(journal_of(path))
    except IntegrityError:
        return -1
    return -1 if seen is None else len(seen.windows)


# --- kills


def in_a_child(run: Callable[[], object], kill_after_s: float) -> bool:
    """Run in a process of its own, which has everything compiled, and kill it; whether it came to its end before."""
    child = os.fork()
    if child == 0:
        try:
            run()
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    began = time.monotonic()
    while time.monotonic() - began < kill_after_s:
        ended, code = os.waitpid(child, os.WNOHANG)
        if ended:
            assert code == 0
            return True
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    _, code = os.waitpid(child, 0)
    assert code in (0, signal.SIGKILL)
    return code == 0


def test_a_run_killed_at_random_moments_is_the_same_to_the_byte(whole, tmp_path):
    """Killed, resumed and killed again, until enough kills have hit; each run in the end as if nothing had been."""
    draw, kills, runs = random.Random(1), 0, 0
    began = time.monotonic()
    assert in_a_child(lambda: simulate.simulate(whole.scenario, tmp_path / "timed.h5"), 600.0)
    usual_s = time.monotonic() - began
    while kills < KILLS:
        path, ended = tmp_path / f"run{runs}.h5", False
        while not ended:
            resumable = done(path) >= 0

            def run(path: Path = path, resumable: bool = resumable) -> object:
                return again(path) if resumable else simulate.simulate(whole.scenario, path, force=True)

            ended = in_a_child(run, draw.uniform(0.0, 0.7 * usual_s) if kills < KILLS else 600.0)
            kills += not ended
        assert everything(path) == whole.everything
        assert sorted(os.listdir(tmp_path)) == sorted(f"{p.stem}.h5" for p in tmp_path.glob("*.h5"))
        runs += 1
    assert kills >= KILLS


class Killed(BaseException):
    """What nothing in the house catches: the process ends where this is raised."""


WRITES = [
    pytest.param(write, marks=[pytest.mark.slow] * (k % 2)) for k, write in enumerate(range(0, 2 + WINDOWS + 40, 3))
]


@pytest.mark.parametrize("write", WRITES)
def test_a_write_cut_off_by_a_kill(whole, tmp_path, monkeypatch, write):
    """Half of each write of the journal and of the file reaches the disk, and the process ends."""
    path, real, count = tmp_path / "x.h5", os.pwrite, 0

    def pwrite(handle: int, data: memoryview, at: int) -> int:
        nonlocal count
        if count == write:
            real(handle, data[: len(data) // 2], at)
            raise Killed
        count += 1
        return real(handle, data, at)

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "drop", journal.Journal.close)  # the dead remove nothing
        patch.setattr(results_writer.PartFile, "drop", results_writer.PartFile._close)
        patch.setattr(journal.os, "pwrite", pwrite)
        with pytest.raises(Killed):
            simulate.simulate(whole.scenario, path)
    assert done(path) == min(write, 1 + WINDOWS) - 1
    if write == 0:
        simulate.simulate(whole.scenario, path)  # nothing to go on from, and nothing in the way
    else:
        again(path)
    assert everything(path) == whole.everything
    assert os.listdir(tmp_path) == ["x.h5"]


def test_a_damaged_window_is_done_again(whole, tmp_path):
    """A bit of the third window flipped on the disk: the run goes on after the second."""
    path = stopped(whole, tmp_path / "x.h5", 5)
    data = bytearray(journal_of(path).read_bytes())
    places = [at for at in range(len(data)) if data.startswith(journal.MARK, at)]
    data[places[3] + 500] ^= 1
    journal_of(path).write_bytes(data)
    assert done(path) in (2, 5)  # whoever only looks does not read everything
    seen: list[int] = []
    again(path, progress=lambda window: seen.append(window.index))
    assert seen == list(range(2, WINDOWS))
    assert everything(path) == whole.everything


COMES = {
    "realtime": {"forecast": "errors"},
    "outage": [{"start": "2024-01-01T09:00", "hours": 12, "names": ["gas", "L1"], "share": 0.5}],
}


@pytest.mark.parametrize("comes", [{}, COMES], ids=["foreseen", "comes otherwise"])
def test_everything_that_a_window_hands_on(tmp_path, comes):
    """Budgets by month and day, losses, N-1, ramps, products, outages, modes of stores: stopped after every window."""
    sections = {"grid": {"n1": "enforce", "losses": "quadratic"}, "budget": BUDGETS, "solver": FAST, **comes}
    scenario = write_rich(tmp_path, 3, horizon={"hours": 42, "window_h": 12, "step_h": 6}, **sections)
    simulate.simulate(scenario, tmp_path / "whole.h5")
    path = tmp_path / "x.h5"
    with pytest.raises(StoppedError, match="after window 1 of 7"):
        simulate.simulate(scenario, path, stop=lambda: "a test")
    for window in range(2, 7):
        with pytest.raises(StoppedError, match=f"after window {window} of 7"):
            again(path, stop=lambda: "a test")
    again(path)
    assert everything(path) == everything(tmp_path / "whole.h5")


def test_hours_dispatched_again_on_what_comes(tmp_path):
    """Forecasts that err and outages that nobody foresaw: what was issued and lived before the stop is known again."""
    sections = {"realtime": {"forecast": "errors"}, "outages": {"forced": True}, "solver": FAST}
    horizon = {"hours": 48, "window_h": 12, "step_h": 6}
    scenario = write_grid(tmp_path, tiny_grid(), horizon=horizon, **sections)
    simulate.simulate(scenario, tmp_path / "whole.h5")
    path = tmp_path / "x.h5"
    with pytest.raises(StoppedError):
        simulate.simulate(scenario, path, stop=lambda: "a test")
    for _ in range(6):
        with pytest.raises(StoppedError):
            again(path, stop=lambda: "a test")
    again(path)
    assert everything(path) == everything(tmp_path / "whole.h5")


# --- full disks


@pytest.mark.parametrize("write", [1, 2, 9, WINDOWS, WINDOWS + 1, WINDOWS + 20])
def test_a_full_disk_keeps_what_was_done(whole, tmp_path, monkeypatch, write):
    """While a window is written, or the file is made at the end; and the run goes on when there is room again."""
    path, real, count = tmp_path / "x.h5", os.pwrite, 0

    def pwrite(handle: int, data: memoryview, at: int) -> int:
        nonlocal count
        count += 1
        if count > write:
            raise OSError(28, "No space left on device")
        return real(handle, data, at)

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "pwrite", pwrite)
        with pytest.raises(ResourceError, match="the disk or quota is full") as caught:
            simulate.simulate(whole.scenario, path)
    windows = min(write - 1, WINDOWS)
    kept = f"{windows} of {WINDOWS} windows are kept: gridsim resume {path} goes on"
    assert getattr(caught.value, "__notes__", []) == ([kept] if windows else [])
    assert os.listdir(tmp_path) == (["x.h5.journal"] if windows else [])
    if windows:
        again(path)
        assert everything(path) == whole.everything


def test_the_command_line_says_what_a_full_disk_leaves(whole, tmp_path, monkeypatch):
    path = stopped(whole, tmp_path / "x.h5", 3)
    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        result = gridsim("resume", path)
    assert result.exit_code == 8
    assert result.stderr.endswith(
        f"gridsim: {path}.journal: the disk or quota is full\n3 of 16 windows are kept: gridsim resume {path} goes on\n"
    )
    assert gridsim("resume", path).exit_code == 0
    assert everything(path) == whole.everything


# --- signals and time


def gridsim(*arguments: object) -> Result:
    options = ["--no-report"] if arguments[0] in ("run", "resume") else []
    return CliRunner().invoke(main, [*map(str, arguments), *options])


def ask(monkeypatch: pytest.MonkeyPatch, number: int, window: int) -> None:
    """Send this process a signal just before it writes down a window."""
    real = Journal.append

    def append(self: Journal, report: Any, arrays: Any) -> None:
        if report["index"] == window - 1:
            os.kill(os.getpid(), number)
        real(self, report, arrays)

    monkeypatch.setattr(results_writer.Journal, "append", append)


@pytest.fixture
def scenario_file(whole, folder: Path) -> Path:
    (folder / "scenario.toml").write_text(whole.scenario.text, encoding="utf-8")
    return folder / "scenario.toml"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signals_of_a_batch_system_finish_the_window(whole, scenario_file, tmp_path, monkeypatch, number):
    path, handlers = tmp_path / "x.h5", [signal.getsignal(n) for n in stopping.SIGNALS]
    with monkeypatch.context() as patch:
        ask(patch, number, 3)
        result = gridsim("run", scenario_file, "-o", path)
    assert result.exit_code == 6
    assert f"gridsim: stopped by {number.name} after window 3 of 16\n3 of 16 windows are kept" in result.stderr
    assert f"gridsim resume {path} goes on" in result.stderr
    assert [signal.getsignal(n) for n in stopping.SIGNALS] == handlers
    assert (done(path), path.exists()) == (3, False)
    with monkeypatch.context() as patch:
        ask(patch, number, 9)
        assert gridsim("resume", path).exit_code == 6
    assert gridsim("resume", path).exit_code == 0
    assert everything(path) == whole.everything


def test_ctrl_c_stops_at_once_and_can_be_resumed(whole, scenario_file, tmp_path, monkeypatch):
    path = tmp_path / "x.h5"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has jobs in the background ignore it
    with monkeypatch.context() as patch:
        ask(patch, signal.SIGINT, 3)
        result = gridsim("run", scenario_file, "-o", path)
    signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    assert result.stderr.endswith(
        f"gridsim: stopped by Ctrl-C\n2 of 16 windows are kept: gridsim resume {path} goes on\n"
    )
    assert gridsim("resume", path).exit_code == 0
    assert everything(path) == whole.everything


def test_a_signal_in_the_last_window_stops_nothing(whole, scenario_file, tmp_path, monkeypatch):
    ask(monkeypatch, signal.SIGTERM, WINDOWS)
    assert gridsim("run", scenario_file, "-o", tmp_path / "x.h5").exit_code == 0
    assert everything(tmp_path / "x.h5") == whole.everything


def test_a_time_budget(whole, scenario_file, tmp_path, monkeypatch):
    """By a clock that moves ten seconds each time it is asked: once at the start, then after every window."""
    clock = iter(np.arange(0.0, 1e6, 10.0).tolist())
    monkeypatch.setattr(stopping, "time", type("clock", (), {"monotonic": staticmethod(lambda: next(clock))}))
    path = tmp_path / "x.h5"
    result = gridsim("run", scenario_file, "-o", path, "--time-budget", "40s")
    assert (result.exit_code, done(path)) == (6, 4)
    assert "gridsim: stopped by its time budget after window 4 of 16\n" in result.stderr
    assert gridsim("resume", path, "--time-budget", "1m10s").exit_code == 6
    assert done(path) == 11
    assert gridsim("resume", path, "--time-budget", "1h").exit_code == 0
    assert everything(path) == whole.everything


@pytest.mark.parametrize(
    ("text", "want"), [("90s", 90.0), ("30m", 1800.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("2D", 172800.0)]
)
def test_durations(text, want):
    assert stopping.seconds(text) == want


@pytest.mark.parametrize("text", ["", "30", "m", "30 m", "-1h", "0s", "1w", "1h30", "nan", "1e3s"])
def test_no_durations(text):
    with pytest.raises(ValueError, match="must be a duration"):
        stopping.seconds(text)


def test_a_time_budget_that_is_none_is_refused_before_anything(tmp_path):
    result = gridsim("run", "jiangsu-2024", "-o", tmp_path / "x.h5", "--time-budget", "30")
    assert result.exit_code == 2
    assert "must be a duration such as 90s, 30m, 1h30m or 2d: got 30" in result.stderr


# --- what may not go on


def test_a_run_does_not_take_the_place_of_a_stopped_one(whole, scenario_file, tmp_path):
    path = stopped(whole, tmp_path / "x.h5", 2)
    result = gridsim("run", scenario_file, "-o", path)
    assert result.exit_code == 3
    rule = f"is that of a stopped run, which has 2 of 16 windows: gridsim resume {path} goes on, or --force to start"
    assert rule in result.stderr
    assert done(path) == 2
    assert gridsim("run", scenario_file, "-o", path, "--force").exit_code == 0
    assert os.listdir(tmp_path) == ["x.h5"]
    assert everything(path) == whole.everything


def test_an_older_file_stays_until_the_new_one_is_whole(whole, tmp_path):
    path = tmp_path / "x.h5"
    path.write_text("precious")
    with pytest.raises(StoppedError):
        simulate.simulate(whole.scenario, path, force=True, stop=after(2))
    assert path.read_text() == "precious"
    again(path)
    assert everything(path) == whole.everything


def test_two_processes_on_one_run(whole, tmp_path):
    path = stopped(whole, tmp_path / "x.h5", 2)
    holds = Journal.reopen(journal_of(path))
    for run in (lambda: again(path), lambda: simulate.simulate(whole.scenario, path, force=True)):
        with pytest.raises(ResourceError, match="another run is writing this file"):
            run()
    holds.close()
    assert done(path) == 2
    again(path)
    assert everything(path) == whole.everything


def test_other_inputs_are_refused_by_their_names(whole, folder, tmp_path):
    path = stopped(whole, tmp_path / "x.h5", 2)
    series, net = folder / "series.csv", folder / "net.json"
    before = series.read_text(), net.read_text()
    try:
        series.write_text(before[0].replace("0.5", "0.6", 1))
        net.unlink()
        with pytest.raises(InputError) as caught:
            scenario_to_resume(path)
    finally:
        series.write_text(before[0])
        net.write_text(before[1])
    text = str(caught.value)
    assert f"{journal_of(path)}: 2 problems" in text
    assert f"network.source must be there, as the run has read it: {net} is not" in text
    assert f"{series} has changed; gridsim run --force starts again" in text
    again(path)
    assert everything(path) == whole.everything


def test_other_code_is_refused(whole, tmp_path, monkeypatch):
    path = stopped(whole, tmp_path / "x.h5", 2)
    for name, value, words in (
        ("code_digest", lambda: "other", "the code of gridsim must be as the run has begun"),
        ("__version__", "99.0", "gridsim must be as the run has begun: .*, now 99.0"),
        ("FORMAT_VERSION", (2, 0), "format must be as the run has begun: 1.0, now 2.0"),
        ("PACKAGES", ("numpy",), "packages must be as the run has begun: numpy "),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(origin, name, value)
            with pytest.raises(InputError, match=words):
                scenario_to_resume(path)
    again(path)
    assert everything(path) == whole.everything


def test_the_code_is_all_that_makes_numbers(tmp_path):
    """One file of each folder, and a table: none may change unseen."""
    names = {name.decode() for name in origin._sources()[::2]}
    assert {"simulate.py", "window.py", "jiangsu_common.py", "weather.py", "carry.py"} <= names
    assert any(name.endswith(".csv") for name in names)


def test_nothing_to_go_on_with(whole, tmp_path):
    for verb in ("resume", "status"):
        result = gridsim(verb, tmp_path / "x.h5")
        assert result.exit_code == 3
        assert f"the run must have begun: there is neither this file nor {tmp_path}/x.h5.journal" in result.stderr
    result = gridsim("resume", whole.path)
    assert (result.exit_code, result.output) == (0, f"{whole.path}: complete, nothing is left to do\n")
    (tmp_path / "y.h5.journal").write_bytes(b"something else")
    for verb in ("resume", "status"):
        result = gridsim(verb, tmp_path / "y.h5")
        assert result.exit_code == 7
        assert "not the journal of a run, or damaged in its first record" in result.stderr


def test_a_window_that_cannot_be_solved_leaves_nothing(whole, tmp_path, monkeypatch):
    """Going on would fail there again."""
    real, calls = Planner.plan, iter(range(WINDOWS))

    def plan(*arguments: Any) -> Any:
        if next(calls) == 3:
            raise WindowError("no")
        return real(*arguments)

    monkeypatch.setattr(Planner, "plan", plan)
    with pytest.raises(WindowError, match="window 4 of 16") as caught:
        simulate.simulate(whole.scenario, tmp_path / "x.h5")
    assert os.listdir(tmp_path) == []
    assert not hasattr(caught.value, "__notes__")


# --- status


def test_status_of_a_running_stopped_and_finished_run(whole, tmp_path):
    path = stopped(whole, tmp_path / "x.h5", 4)
    seen: list[status.Status] = []
    before = journal_of(path).read_bytes()
    found = status.status(path)
    assert journal_of(path).read_bytes() == before
    reports = look(journal_of(path)).windows
    assert found.state == "stopped"
    assert (found.windows_done, found.windows, found.hours_done, found.hours) == (4, 16, 24, 96)
    assert found.last_hour == "2024-01-01 23:00"
    assert found.gap_mean == pytest.approx(sum(r["gap"] for r in reports) / 4)
    assert found.cpu_s == pytest.approx(sum(r["cpu_s"] for r in reports))
    assert found.left_s == pytest.approx(3.0 * sum(r["wall_s"] for r in reports))
    assert not found.damaged
    again(path, progress=lambda _: seen.append(status.status(path)))
    assert [s.state for s in seen] == ["running"] * 12
    assert [s.windows_done for s in seen] == list(range(5, 17))
    found = status.status(path)
    assert (found.state, found.windows_done, found.hours_done, found.left_s) == ("finished", 16, 96, 0.0)
    assert found.gap_mean == pytest.approx(seen[-1].gap_mean)


def test_status_for_people_and_machines(whole, tmp_path):
    path = stopped(whole, tmp_path / "x.h5", 4)
    with journal_of(path).open("ab") as file:
        file.write(b"half a window")
    text = gridsim("status", path).output
    assert f"{path}: stopped\nwindows    4 of 16 (25 %)\nhours      24 of 96, to 2024-01-01 23:00\n" in text
    assert f"go on with gridsim resume {path}\n" in text
    found = json.loads(gridsim("status", path, "--json").output)
    assert (found["state"], found["windows_done"], found["damaged"]) == ("stopped", 4, True)
    assert set(found) == set(status.Status._fields)
    assert f"{whole.path}: finished\n" in gridsim("status", whole.path).output


def test_status_before_the_first_window(whole, tmp_path):
    made = Journal.create(journal_of(tmp_path / "x.h5"), origin.origin(whole.scenario))
    found = json.loads(gridsim("status", tmp_path / "x.h5", "--json").output)
    assert (found["state"], found["windows_done"], found["last_hour"]) == ("running", 0, "")
    assert (found["gap_mean"], found["left_s"]) == (None, None)
    made.close()
    assert status.clock(3 * 3600 + 62) == "3:01:02"


def test_times_of_all_processes_add_up(whole, tmp_path):
    path = stopped(whole, tmp_path / "x.h5", 12)
    before = sum(report["cpu_s"] for report in look(journal_of(path)).windows)
    assert again(path)["cpu_s"] > before > 0.0


# --- nothing is forgotten

# Names in `simulate` that a window makes anew, or that only count.
OF_ONE_WINDOW = {
    *("index", "window", "began", "began_wall", "t0", "steps", "kept", "plan", "h", "budgets", "block", "report"),
    *("progress", "stop", "writer", "lived", "blocks", "piece", "first", "last"),
}
# Attributes that a planner sets at the beginning of each plan.
OF_ONE_PLAN = {"planner.tangents", "planner.limit", "planner.security"}
# Hours of the report of outages, which stand in the blocks.
OF_BLOCKS = {f"watch.seen.hour_{name}" for name in ("loading", "row", "outage")}


def digests(value: Any, name: str, found: dict[str, bytes], skip: set[int], depth: int = 0) -> None:
    """The bits of every array and number that can be reached from a value, by name; but through no object of `skip`."""
    if id(value) in skip or depth > 5:
        return
    if isinstance(value, np.ndarray):
        found[name] = value.tobytes() if value.dtype.kind != "O" else repr(value.tolist()).encode()
    elif value is None or isinstance(value, (bool, int, float, str, bytes)):
        found[name] = repr(value).encode()
    elif isinstance(value, (list, tuple)):
        found[f"{name}.#"] = str(len(value)).encode()
        for key, inner in zip(getattr(value, "_fields", range(len(value))), value, strict=True):
            digests(inner, f"{name}.{key}", found, skip, depth)
    elif isinstance(value, dict):
        for key, inner in value.items():
            digests(inner, f"{name}.{key}", found, skip, depth)
    elif type(value).__module__.startswith("gridsim") and type(value).__name__ not in ("Case", "Scenario"):
        for key, inner in vars(value).items():
            digests(inner, f"{name}.{key}", found, skip, depth + 1)


def changes(scenario: Scenario, path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], set[str]]:
    """What is different after a window of a run, and what its journal keeps."""
    seen: list[dict[str, bytes]] = []
    kept: set[str] = set()
    real = carry.packed

    def packed(state: State, accounts: dict[str, carry.Carried]) -> Any:
        found: dict[str, bytes] = {}
        skip = {id(part) for part in accounts.values()}
        for name, value in sys._getframe(1).f_locals.items():
            digests(value, name, found, skip)
        for name, part in accounts.items():
            for key, value in vars(part).items():
                digests(value, f"{name}.{key}", found, skip)
        seen.append(found)
        given = real(state, accounts)
        kept.update(given)
        return given

    with monkeypatch.context() as patch:
        patch.setattr(simulate.carry, "packed", packed)
        simulate.simulate(scenario, path, force=True)
    return {
        name for a, b in itertools.pairwise(seen) for name in a.keys() | b.keys() if a.get(name) != b.get(name)
    }, kept


def forgotten(changed: set[str], kept: set[str]) -> set[str]:
    """Of what is different, what is neither kept nor made anew."""

    def is_below(name: str, at: str) -> bool:
        return name == at or name.startswith(f"{at}.")

    kept = kept | {f"state.{field.name}" for field in dataclasses.fields(State)}  # `carry.flatten` leaves none out
    known = kept | OF_ONE_PLAN | OF_BLOCKS | {name.replace("watch.", "watch.seen.") for name in kept}
    return {
        name
        for name in changed
        if name.split(".")[0] not in OF_ONE_WINDOW
        and not any(is_below(name[max(name.rfind("planner."), 0) :], at) for at in known)
    }


def test_all_that_changes_from_window_to_window_is_carried(tmp_path, monkeypatch):
    """Whatever in `simulate`, its planner or its accounts is different after a window stands in the journal.

    A failure names what is new. What a window hands to the next belongs into `handover.State`, or into `carried` or
    `grown` of an account that `simulate` gives to `carry.packed`; what it does not, into the lists above.
    """
    sections = {"grid": {"n1": "enforce", "losses": "quadratic"}, "budget": BUDGETS, "solver": FAST}
    scenario = write_rich(tmp_path, 3, horizon={"hours": 18, "window_h": 12, "step_h": 6}, **sections)
    changed, kept = changes(scenario, tmp_path / "x.h5", monkeypatch)
    assert not forgotten(changed, kept)
    assert forgotten({"state.new", "new", "ledger.new"}, kept) == {"state.new", "new", "ledger.new"}
    assert {"state.e_mwh", "state.budgets.used", "settlement.rent", "carbon.stock", "curtailment.before"} <= changed
    assert {"watch.row_loading", "accountant.running", "ledger._net", "state.tangents.coef"} <= kept
    for lost in ("settlement.rent", "carbon.stock", "ledger._net", "accountant.on_before"):
        assert forgotten(changed, kept - {lost})
