"""Sweeps on a real SLURM of one node: an array, Dask's own jobs, a job that is cancelled, and workers in one job.

    python bench/slurm.py /tmp/slurm

SLURM comes from Debian's packages (slurmctld, slurmd, slurm-client, munge); where they are missing and this runs as
root, they are installed with apt-get, else it says what to install. Everything else needs no root: the daemons run as
whoever starts this, with a key and ports of their own, and end with it. What it prints are the figures.
"""

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scancel", "squeue", "munged")
CONF = """ClusterName=bench
SlurmctldHost={host}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={port}
SlurmdPort={slurmd_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MinJobAge=300
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
STUDY = """name = "{name}"
base = "jiangsu-2024"
[set]
horizon.hours = {hours}
[grid]
scale.load = [0.95, 0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03]
"""


def main() -> int:
    """Start SLURM, sweep on it in three ways, say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for logs and results; made anew")
    parser.add_argument("--hours", type=int, default=48, help="of each of the eight runs")
    options = parser.parse_args()
    folder = options.folder.absolute()
    if not have_programs():
        return 3
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with slurm(folder) as environment:
        bench = Bench(folder, environment, options.hours)
        parts = (bench.array, bench.dask, bench.cancelled, bench.nodes)
        return 0 if sum(part() for part in parts) == len(parts) else 1


def have_programs() -> bool:
    """SLURM on the path, installed if this is root."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if not missing:
        return True
    command = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"missing: {', '.join(missing)}; on Debian and Ubuntu: sudo {' '.join(command)}", file=sys.stderr)
        return False
    for step in (["apt-get", "update"], command):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{' '.join(step)}: exit code {done.returncode}\n{done.stderr[-500:]}", file=sys.stderr)
            return False
    return True


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """munged, slurmctld and slurmd of our own; yields the environment in which sbatch finds them."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    port, slurmd_port = free_port(), free_port()
    conf = folder / "slurm.conf"
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) // 1024
    values: dict[str, Any] = {"host": socket.gethostname(), "user": user(), "folder": folder, "port": port}
    values |= {"slurmd_port": slurmd_port, "cpus": os.cpu_count(), "memory": memory}
    conf.write_text(CONF.format(**values), encoding="utf-8")
    tools = folder / "bin"
    tools.mkdir()
    script = tools / "gridsim"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m gridsim "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "SLURM_CONF": str(conf), "PATH": path}
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    options = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge]
    daemons = []
    try:
        with (folder / "daemons.log").open("w") as log:
            for command in (options, ["slurmctld", "-D", "-f", str(conf)], ["slurmd", "-D", "-f", str(conf)]):
                daemons.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
                time.sleep(1.0)
        wait_for(lambda: "idle" in said(["sinfo", "-h", "-o", "%t"], environment), 30.0, "the node to be idle")
        print(f"SLURM {said(['sinfo', '--version'], environment).split()[-1]}, {os.cpu_count()} cores, as {user()}")
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in reversed(daemons):
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10)


class Bench:
    """Sweeps of eight runs each."""

    def __init__(self, folder: Path, environment: dict[str, str], hours: int):
        self.folder, self.environment, self.hours = folder, environment, hours
        subprocess.run(["gridsim", "init", "scripts", "--template", "sweep"], cwd=folder, env=environment, check=True,
                       capture_output=True)  # fmt: skip
        shutil.copy(folder / "scripts" / "dask.yaml", folder)  # beside the studies

    def array(self) -> bool:
        """An array of four tasks, and the table afterwards."""
        study = self.study("array")
        began = time.monotonic()
        self.submit("--array=1-4", "scripts/slurm-array.sh", study, "4")
        return self.told("array of 4 tasks", study, began)

    def dask(self) -> bool:
        """Dask's workers as jobs of their own."""
        study = self.study("dask")
        began = time.monotonic()
        self.run("gridsim", "sweep", study, "--slurm", "--workers", "2", "--no-report", *self.options)
        return self.told("Dask, 2 jobs", study, began)

    def cancelled(self) -> bool:
        """The same, and a job of it cancelled as soon as a run is done."""
        study = self.study("cancelled")
        began = time.monotonic()
        command = ["gridsim", "sweep", study, "--slurm", "--workers", "2", "--no-report", *self.options]
        with (self.folder / "cancelled.log").open("w") as log:
            sweep = subprocess.Popen(command, cwd=self.folder, env=self.environment, stderr=log, stdout=log)
            wait_for(lambda: any(self.folder.glob("results/cancelled/runs/*.json")), 300.0, "a first run")
            first = said(["squeue", "-h", "-t", "R", "-o", "%i"], self.environment).split()[0]
            subprocess.run(["scancel", "--signal=KILL", "--full", first], env=self.environment, check=True)
            sweep.wait(600)
        return self.told(f"Dask, 2 jobs, job {first} killed", study, began)

    def nodes(self) -> bool:
        """Scheduler and two workers in one job."""
        study = self.study("nodes")
        began = time.monotonic()
        self.submit("--nodes=1", "--ntasks-per-node=2", "scripts/slurm-nodes.sh", study)
        return self.told("one job, 2 workers", study, began)

    options = ("--slurm-option", "walltime=00:30:00")

    def study(self, name: str) -> str:
        path = self.folder / f"{name}.toml"
        path.write_text(STUDY.format(name=name, hours=self.hours), encoding="utf-8")
        return path.name

    def submit(self, *arguments: str) -> None:
        self.run("sbatch", "--wait", "--time=00:30:00", *arguments)

    def run(self, *command: str) -> None:
        done = subprocess.run(
            list(command), cwd=self.folder, env=self.environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            print(f"{' '.join(command)}: exit code {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")

    def told(self, what: str, study: str, began: float) -> bool:
        """Whether all runs are done, in a line."""
        took = time.monotonic() - began
        text = said(["gridsim", "sweep", study, "--collect", "--no-report"], self.environment, self.folder)
        outcome = next((line for line in text.splitlines() if " done, " in line), text[-300:])
        print(f"{what:32s} {outcome:36s} {took:6.1f} s", flush=True)
        return outcome == "8 done, 0 failed, 0 missing"


def said(command: list[str], environment: dict[str, str], folder: Path | None = None) -> str:
    return subprocess.run(
        command, env=environment, cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


def wait_for(condition: Any, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


if __name__ == "__main__":
    sys.exit(main())
