"""What a run takes is said before it: against the run itself, and against what is there."""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny_grid import tiny_grid, write_grid

from gridsim import estimate, room, trial
from gridsim.cli import main
from gridsim.errors import InputError, ResourceError
from gridsim.scenario import load
from gridsim.simulate import simulate

HORIZON = {"hours": 96, "window_h": 12, "step_h": 6}
MEASURED = trial.Measured(
    places=["2024-07-01T00", "2024-01-01T00"], hours=[96, 96], ready_cpu_s=2.0, first_cpu_s=[0.5, 0.3],
    window_cpu_s=[0.1, 0.2, 0.3], rest_cpu_s=[1.0, 1.2], write_cpu_s_per_step=1e-4, frame_bytes=1e6, step_bytes=2000.0,
    summed_step_bytes=3000.0, record_bytes=50000.0, peak_bytes=300 * 2**20,
)  # fmt: skip


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    return write_grid(folder, tiny_grid(), horizon=HORIZON, solver={"effort": "fast"})


def test_sizes_of_a_run_are_predicted_within_30_percent(scenario, tmp_path):
    """Time and memory depend on what else the machine does: `bench/estimate_check.py` holds them against runs."""
    path, journal = tmp_path / "run.h5", [0]
    made = estimate.estimate(scenario, path)
    simulate(scenario, path, progress=lambda _: journal.append((tmp_path / "run.h5.journal").stat().st_size))
    assert made.file_mb == pytest.approx(path.stat().st_size / 1e6, rel=0.3)
    assert made.journal_mb == pytest.approx(journal[-1] / 1e6, rel=0.3)
    assert (made.hours, made.windows) == (96, 16)
    assert made.cpu_s == pytest.approx(made.start_cpu_s + made.windows_cpu_s + made.file_cpu_s)
    assert min(made.start_cpu_s, made.windows_cpu_s, made.memory_mb) > 0
    assert [p.name for p in tmp_path.iterdir()] == ["run.h5"]  # trials leave nothing


def test_a_prediction_by_hand():
    made = estimate.predict(load("jiangsu-2024"), Path("x.h5"), MEASURED)
    assert made.output == "x.h5"
    assert made.windows_cpu_s == pytest.approx(0.4 + 365 * 0.2)  # one first window, the others as the mean
    assert made.file_cpu_s == pytest.approx(1.1 + (8784 - 96) * 1e-4 * 2)
    assert made.file_mb == pytest.approx(1 + 8784 * 0.002)
    assert made.journal_mb == pytest.approx(366 * 0.05)
    assert made.disk_mb == pytest.approx(made.file_mb + made.journal_mb)
    assert made.memory_mb == pytest.approx(300 + (8784 - 96) * 3000 / 2**20)
    assert made.trials == sorted(MEASURED.places)
    assert "based on   2 short runs of 96 h from 2024-01-01T00, 2024-07-01T00; windows 0.200 s each" in made.as_text()


def test_what_cannot_fit_is_refused():
    made = estimate.predict(load("jiangsu-2024"), Path("x.h5"), MEASURED)
    made = dataclasses.replace(made, free_memory_mb=1e6, free_disk_mb=1e6)
    estimate.refuse(made)
    with pytest.raises(ResourceError, match=r"memory: needs 350 MB, 300 MB are free$"):
        estimate.refuse(dataclasses.replace(made, memory_mb=350.0, free_memory_mb=300.0))
    with pytest.raises(ResourceError, match=r"disk: needs 37 MB, 30 MB are free$"):
        estimate.refuse(dataclasses.replace(made, free_disk_mb=30.0))


def test_the_command_refuses_with_8_and_still_says_why(monkeypatch):
    made = estimate.predict(load("jiangsu-2024"), Path("x.h5"), MEASURED)
    made = dataclasses.replace(made, free_memory_mb=1e6, free_disk_mb=1.0)
    monkeypatch.setattr(estimate, "estimate", lambda *_: made)
    said = CliRunner().invoke(main, ["estimate", "jiangsu-2024", "--json"])
    assert said.exit_code == 8
    assert json.loads(said.stdout)["fits"] is False
    assert "cannot run here: disk: needs 37 MB, 1 MB are free" in said.stderr


def test_bad_input_is_refused_as_by_a_run(tmp_path):
    scenario = write_grid(tmp_path, tiny_grid(), load=-1.0)
    broken = scenario.model_copy(update={"network": scenario.network.model_copy(update={"source": "none.json"})})
    with pytest.raises(InputError, match=r"none\.json"):
        estimate.estimate(broken, tmp_path / "x.h5")


# --- where the trials are


def test_trials_are_spread_over_the_year_in_any_number():
    firsts = trial.firsts(load("jiangsu-2024"))
    assert sorted(firsts) == [0, 1728, 3480, 5208, 6960, 8688]
    assert firsts[0] == 0
    assert max(firsts[:3]) - min(firsts[:3]) > 4000


def test_a_short_run_is_its_own_trial():
    assert trial.firsts(load("jiangsu-2024", ("horizon.hours=30",))) == [0]
    assert trial.trial_hours(load("jiangsu-2024", ("horizon.hours=30",))) == 30


def test_a_trial_is_the_scenario_but_for_its_hours():
    whole = load("jiangsu-2024", ("solver.effort=fast",))
    part = trial.part_of_scenario(whole, 8688)
    assert whole.digest != part.digest
    assert (part.start, part.hours, part.solver) == (np.datetime64("2024-12-28T00", "h"), 96, whole.solver)
    assert [w.hours for w in part.windows()] == [48, 48, 48, 24]


# --- how much is free


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of files: 8 GiB available."""
    monkeypatch.setattr(room, "PROC", tmp_path / "proc")
    monkeypatch.setattr(room, "CGROUP", tmp_path / "cgroup")
    written(tmp_path / "proc/meminfo", f"MemTotal: 1 kB\nMemAvailable:   {8 * 2**20} kB\n")
    return tmp_path


def test_memory_of_the_machine(machine):
    assert room.free_memory_bytes() == 8 * 2**30


def test_nobody_says(machine):
    (machine / "proc/meminfo").unlink()
    assert room.free_memory_bytes() == math.inf


def test_the_tightest_limit_of_a_job_holds(machine):
    """The job's own group has no limit, the one above it has 3 GiB, of which 1 GiB is taken, half of that by files."""
    written(machine / "proc/self/cgroup", "0::/slurm/job_7\n")
    written(machine / "cgroup/slurm/job_7/memory.max", "max\n")
    written(machine / "cgroup/slurm/memory.max", f"{3 * 2**30}\n")
    written(machine / "cgroup/slurm/memory.current", f"{2**30}\n")
    written(machine / "cgroup/slurm/memory.stat", f"anon {2**29}\ninactive_file {2**29}\n")
    assert room.free_memory_bytes() == 2.5 * 2**30


def test_the_first_version_of_cgroups(machine):
    written(machine / "proc/self/cgroup", "4:cpu,memory:/job\n1:cpuset:/\n")
    written(machine / "cgroup/memory/memory.limit_in_bytes", f"{2**63 - 4096}\n")
    written(machine / "cgroup/memory/memory.usage_in_bytes", "5000\n")
    written(machine / "cgroup/memory/job/memory.limit_in_bytes", f"{2**30}\n")
    written(machine / "cgroup/memory/job/memory.usage_in_bytes", f"{2**29}\n")
    assert room.free_memory_bytes() == 2**29


def test_disk_of_the_next_folder_that_exists(tmp_path, monkeypatch):
    asked, there = [], shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: asked.append(place) or there)
    assert room.free_disk_bytes(tmp_path / "a" / "b" / "x.h5") == there.free
    assert asked == [tmp_path]
