"""Sweeps on a local Dask cluster and as tasks of a job array: what is done, what fails, what goes on."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from same_file import everything
from tiny_study import HEAD, write_study

from gridsim.cli import main
from gridsim.errors import InputError, ResourceError, StoppedError
from gridsim.simulate import simulate
from gridsim.sweep import load_study, sweep, sweep_task
from gridsim.sweep.folder import Record, SweepFolder
from gridsim.sweep.pool import Workers
from gridsim.sweep.run import stopping
from gridsim.sweep.table import flat, read_table

cloudpickle = pytest.importorskip("cloudpickle")
pytest.importorskip("distributed")
GRID = "[grid]\nscale.wind_onshore = [0.5, 1.0, 2.0]\nscale.battery = [1.0, 3.0]\n"


def call(*args: object):
    return CliRunner().invoke(main, [str(a) for a in args])


def silent(_):
    pass


def deadly(run, folder):
    """Dies after two windows in its first attempt at half the wind, and always at twice the wind."""
    import gridsim.simulate as module
    from gridsim.sweep.work import work

    simulated = module.simulate

    def watched(scenario, out, **how):
        def note(window):
            with (folder / f"{run.name}.windows").open("a") as file:
                file.write(f"{window.index} ")
            if "onshore-2.0" in run.name or ("onshore-0.5" in run.name and window.index == 1 and "resume" not in how):
                os.kill(os.getpid(), signal.SIGKILL)

        return simulated(scenario, out, progress=note, **how)

    module.simulate = watched
    try:
        return work(run, folder)
    finally:
        module.simulate = simulated


@pytest.fixture(scope="module", autouse=True)
def _by_value():
    """The functions above go to workers, which cannot import this file."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of six runs by two workers, from the command line."""
    folder = tmp_path_factory.mktemp("swept")
    path = write_study(folder, GRID)
    result = call("sweep", path, "-o", folder / "out", "--workers", 2)
    assert result.exit_code == 0, result.output
    return path, folder / "out", result


def test_the_table_has_every_run_with_what_it_says_itself(swept, tmp_path):
    path, out, result = swept
    table = read_table(out)
    assert "6 done, 0 failed, 0 missing" in result.output
    assert list(table["status"]) == ["done"] * 6
    run = load_study(str(path)).runs[3]
    summary = simulate(run.scenario, tmp_path / "alone.h5")
    row = table.loc[3]
    assert (row["run"], row["set.scale.wind_onshore"], row["set.scale.battery"]) == (run.name, 1.0, 3.0)
    changing = ("cpu_s", "wall_s", "compile_s", "peak_rss_mb", "file_mb")
    for key, value in flat(summary):
        if key not in changing:
            assert row[key] == value or (pd.isna(row[key]) and np.isnan(value)), key
    with h5py.File(out / row["file"]) as ours, h5py.File(tmp_path / "alone.h5") as alone:
        assert np.array_equal(ours["dispatch/unit_p_mw"], alone["dispatch/unit_p_mw"])


def test_the_same_command_does_nothing_again_and_what_is_missing_only(swept):
    path, out, _ = swept
    before = {file: file.stat().st_mtime_ns for file in out.glob("runs/*")}
    assert call("sweep", path, "-o", out).exit_code == 0
    assert {file: file.stat().st_mtime_ns for file in out.glob("runs/*")} == before
    lost, record_lost, cut = sorted(out.glob("runs/*.h5"))[:3]
    content = {file: file.read_bytes() for file in (lost, cut)}
    lost.unlink()
    record_lost.with_suffix(".json").unlink()  # the results are there: nothing to do
    cut.write_bytes(content[cut][:-100])
    result = call("sweep", path, "-o", out, "--workers", 1)
    assert result.exit_code == 0
    assert "run 2/2" in result.output
    assert "run 1/3" not in result.output
    changed = {file for file, at in before.items() if file.suffix == ".h5" and file.stat().st_mtime_ns != at}
    assert changed == {lost, cut}
    assert list(read_table(out)["status"]) == ["done"] * 6


def test_more_values_on_an_axis_leave_what_is_done(swept):
    path, out, _ = swept
    longer = path.with_name("longer.toml")
    longer.write_text('name = "study"\n' + path.read_text().replace("[1.0, 3.0]", "[1.0, 3.0, 4.0]"))
    given = load_study(str(longer))
    missing = SweepFolder(out).missing(given.runs)
    assert [run.name for run in missing] == [f"wind_onshore-{k}_battery-4.0" for k in (0.5, 1.0, 2.0)]


def test_a_folder_is_of_one_study(swept, tmp_path):
    _, out, _ = swept
    other = write_study(tmp_path, GRID, name="other")
    result = call("sweep", other, "-o", out)
    assert result.exit_code == 3
    assert "must be the folder of study other: it has study study" in result.output


def test_runs_whose_worker_is_killed_are_gone_on_with_by_another_or_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr("gridsim.sweep.pool.work", deadly)
    head = HEAD.replace("hours = 24", "hours = 96")
    given = load_study(str(write_study(tmp_path, GRID.replace("[1.0, 3.0]", "[1.0]"), head=head)))
    outcome = sweep(given, tmp_path / "out", Workers(2), report=silent)
    assert outcome.counts == {"done": 2, "failed": 1, "missing": 0}
    table = read_table(tmp_path / "out").set_index("set.scale.wind_onshore")
    assert list(table["status"]) == ["done", "done", "failed"]
    assert table.loc[2.0, "exit_code"] == 8
    assert "its worker died 3 times" in table.loc[2.0, "message"]
    half = given.runs[0]
    assert (tmp_path / "out" / f"{half.name}.windows").read_text() == "0 1 2 3 "  # none was solved twice
    simulate(half.scenario, tmp_path / "alone.h5")
    assert everything(tmp_path / "out" / table.loc[0.5, "file"]) == everything(tmp_path / "alone.h5")
    monkeypatch.undo()
    assert sweep(given, tmp_path / "out", Workers(1), report=silent).ok  # what killed them may be gone


def test_a_failing_run_is_recorded_and_the_others_go_on(tmp_path):
    text = "[grid]\nhorizon.start = ['2024-01-01', '2024-01-09']\nseed = [1, 2]\n"
    path = write_study(tmp_path, text)
    result = call("sweep", path, "-o", tmp_path / "out", "--workers", 1)
    assert result.exit_code == 9
    assert "2 done, 2 failed, 0 missing" in result.output
    table = read_table(tmp_path / "out").set_index("run")
    failed = table[table["status"] == "failed"]
    assert set(failed["exit_code"]) == {3}
    assert all("must cover 2024-01-09T00" in message for message in failed["message"])
    again = call("sweep", path, "-o", tmp_path / "out", "--workers", 1)
    assert (again.exit_code, "run 1/" in again.output) == (9, False)  # refused input is refused again
    again = call("sweep", path, "-o", tmp_path / "out", "--workers", 1, "--retry")
    assert (again.exit_code, "run 2/2" in again.output) == (9, True)


def test_names_that_the_network_does_not_have_are_found_before_any_run(tmp_path):
    path = write_study(tmp_path, "[[run]]\nname = 'a'\n[[run]]\nname = 'b'\nset.scale.wind_onshor = 2.0\n")
    for options in (["--workers", 1], ["--list"]):
        result = call("sweep", path, "-o", tmp_path / "out", *options)
        assert result.exit_code == 3
        assert "scale.wind_onshor is not a tech of the network (did you mean wind_onshore?) (in run b)" in result.output
    assert not list((tmp_path / "out").glob("runs/*"))


def test_the_list_tells_every_run(tmp_path):
    path = write_study(tmp_path, GRID)
    result = call("sweep", path, "--list")
    assert result.exit_code == 0
    first, *_, last = result.output.splitlines()
    assert first.startswith("wind_onshore-0.5_battery-1.0-")
    assert first.endswith("scale.wind_onshore = 0.5, scale.battery = 1.0")
    assert last.endswith("fine. 6 runs of 24 hours")


def test_tasks_of_a_job_array_share_the_runs(tmp_path, swept):
    path = write_study(tmp_path, GRID)
    out = tmp_path / "out"
    for task in (2, 1):
        result = call("sweep", path, "-o", out, "--task", f"{task}/2")
        assert result.exit_code == 0, result.output
        assert "3 done, 0 failed, 0 missing" in result.output
    assert not list(out.glob("table.*"))
    result = call("sweep", path, "-o", out, "--collect")
    assert result.exit_code == 0
    assert "6 done" in result.output
    ours, theirs = read_table(out), read_table(swept[1])
    same = [
        c
        for c in ours
        if c not in ("worker", "seconds", "cpu_seconds", "cpu_s", "wall_s", "compile_s", "peak_rss_mb", "file_mb")
    ]
    pd.testing.assert_frame_equal(ours[same], theirs[same])  # nor does it matter who did what


def test_collecting_what_is_not_complete_says_so(tmp_path):
    path = write_study(tmp_path, GRID)
    assert call("sweep", path, "-o", tmp_path / "out", "--task", "1/3").exit_code == 0
    result = call("sweep", path, "-o", tmp_path / "out", "--collect")
    assert result.exit_code == 0
    assert "2 done, 0 failed, 4 missing" in result.output
    assert list(read_table(tmp_path / "out")["status"]).count("missing") == 4


def test_two_sweeps_in_one_folder_are_refused(tmp_path):
    given = load_study(str(write_study(tmp_path, GRID)))
    with SweepFolder(tmp_path / "out").at_work(alone=False), pytest.raises(ResourceError, match="another sweep"):
        sweep(given, tmp_path / "out", Workers(1), report=silent)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "options"),
    [
        (signal.SIGINT, 130, ["--workers", "1"]),
        (signal.SIGTERM, 6, ["--workers", "1"]),
        (signal.SIGUSR1, 6, ["--task", "1/1"]),
    ],
)
def test_what_is_stopped_goes_on_with_the_same_command(tmp_path, number, code, options):
    path = write_study(tmp_path, GRID.replace("[1.0, 3.0]", "[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]"))
    command = [sys.executable, "-m", "gridsim", "sweep", str(path), "-o", str(tmp_path / "out"), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("run 2/18"):
                break
        os.kill(process.pid, number)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == code, rest
    assert "Traceback" not in rest
    done = len(list((tmp_path / "out").glob("runs/*.json")))
    assert 2 <= done < 18
    result = call("sweep", path, "-o", tmp_path / "out", *options)
    assert result.exit_code == 0
    assert f"/{18 - done}  " in result.output
    assert "18 done, 0 failed, 0 missing" in result.output


def test_a_budget_of_time_ends_a_task_between_windows(tmp_path):
    given = load_study(str(write_study(tmp_path, "seeds = [1]\n", head='base = "tiny.toml"\n')))
    with pytest.raises(StoppedError, match="stopped by its time budget after"):
        sweep_task(given, tmp_path / "out", 1, 1, budget_s=1e-3, report=silent)
    assert sweep_task(given, tmp_path / "out", 1, 1, report=silent).ok
    with pytest.raises(StoppedError, match="its time budget; the same command goes on"), stopping(0.05):
        time.sleep(10.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--task", "3/2"], "--task must be i/N"),
        (["--task", "0/2"], "--task must be i/N"),
        (["--task", "1/2", "--collect"], "--task and --collect do not go together"),
        (["--slurm", "--scheduler", "tcp://x:1"], "--scheduler and --slurm do not go together"),
        (["--slurm-option", "queue=a"], "--slurm-option is for --slurm"),
        (["--slurm", "--slurm-option", "queue"], "--slurm-option must be KEY=VALUE"),
        (["--memory", "much"], "--memory"),
    ],
)
def test_usage(tmp_path, options, words):
    result = call("sweep", write_study(tmp_path, GRID), "-o", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "out").exists()


def test_a_scheduler_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("gridsim.sweep.pool.PATIENCE", "1s")
    given = load_study(str(write_study(tmp_path, GRID)))
    with pytest.raises(InputError, match="must be the address of a Dask scheduler that runs"):
        sweep(given, tmp_path / "out", Workers(scheduler="tcp://127.0.0.1:9"), report=silent)


def test_workers_of_a_scheduler_that_is_there(tmp_path, monkeypatch):
    from distributed import LocalCluster

    given = load_study(str(write_study(tmp_path, "[grid]\nscale.load = [1.0, 1.1]\n")))
    with LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        workers = Workers(scheduler=cluster.scheduler_address)
        assert sweep(given, tmp_path / "out", workers, report=silent).ok
        monkeypatch.setattr("gridsim.sweep.pool.__version__", "9.9")
        with pytest.raises(InputError, match=r"must have workers with gridsim 9\.9: they have"):
            sweep(given, tmp_path / "other", workers, report=silent)


def test_workers_listen_on_this_machine_alone():
    psutil = pytest.importorskip("psutil")
    from gridsim.sweep.pool import _client

    with _client(Workers(1)) as client:
        pids = {os.getpid(), *client.run(os.getpid).values()}
        found = [c.laddr.ip for pid in pids for c in psutil.Process(pid).net_connections() if c.status == "LISTEN"]
        threads = set(client.run(lambda: os.environ["OPENBLAS_NUM_THREADS"]).values())
        address = client.scheduler.address
    assert found
    assert set(found) == {"127.0.0.1"}
    assert threads == {"1"}
    assert address.startswith("tls://")


def told(key_of: str, env: dict[str, str], *before: str) -> dict[str, object]:
    """What Dask of another process has of the keys of our settings, after some lines of shell."""
    code = f"import distributed, json, dask; print(json.dumps({{k: dask.config.get(k) for k in {key_of}}}))"
    script = "\n".join(["set -eu", *before, f"exec {shlex.quote(sys.executable)} -c {shlex.quote(code)}"])
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DASK_")}
    done = subprocess.run(["bash", "-c", script], env=clean | env, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_workers_in_jobs_and_ones_own_are_given_the_settings_of_ours(monkeypatch, tmp_path):
    jobqueue = pytest.importorskip("dask_jobqueue")
    import dask

    from gridsim.sweep.pool import _cluster, _settings

    monkeypatch.chdir(tmp_path)  # dask-jobqueue puts keys there
    scripts: list[str] = []
    monkeypatch.setattr(jobqueue.SLURMCluster, "adapt", lambda cluster, **_: scripts.append(cluster.job_script()))
    everyone = {"jobqueue.slurm.job-script-prologue": ["module load site"]}
    for options, theirs in (
        ({}, "module load site"),
        ({"job_script_prologue": "module load mine"}, "module load mine"),
    ):
        workers = Workers(1, slurm=True, slurm_options=options)
        settings = _settings(workers)
        with dask.config.set({**settings, **everyone}), _cluster(workers):
            lines = scripts.pop().splitlines()
        exports = [line for line in lines if line.startswith("export ")]
        assert 0 < lines.index(exports[-1]) < lines.index(theirs)
        whole = {k: v for k, v in settings.items() if not isinstance(v, dict)}
        assert told(repr(list(whole)), {}, *exports) == whole
        assert "export OMP_NUM_THREADS=1" in exports
    path = files("gridsim") / "templates" / "sweep" / "dask.yaml"
    assert settings["distributed.worker.memory.monitor-interval"] == "1s"
    others = ("http.routes", "daemon", "log-format")  # of processes of our own alone
    in_file = {key: value for key, value in whole.items() if not key.endswith(others)}
    assert told(repr(list(in_file)), {"DASK_CONFIG": str(path)}) == in_file


def test_a_record_says_how_it_was(tmp_path):
    given = load_study(str(write_study(tmp_path, GRID)))
    at = SweepFolder(tmp_path / "out")
    run = given.runs[0]
    at.write_record(run, Record(run.name, "failed", 4, "window 1", summary={"a": float("nan")}))
    record = at.record_of(run)
    assert record is not None
    assert (record.exit_code, record.message, record.summary) == (4, "window 1", {"a": None})
    at.results_of(run).with_suffix(".json").write_text("{")
    assert at.record_of(run) is None


def test_a_task_does_its_share_only(tmp_path):
    given = load_study(str(write_study(tmp_path, GRID)))
    seen: list[str] = []
    sweep_task(given, tmp_path / "out", 2, 4, report=lambda progress: seen.append(progress.run.name))
    assert seen == [given.runs[1].name, given.runs[5].name]
    manifest = json.loads((tmp_path / "out" / "study.json").read_text())
    assert [run["name"] for run in manifest["runs"]] == [run.name for run in given.runs]
    assert Path(tmp_path / "out" / manifest["runs"][1]["file"]).is_file()
