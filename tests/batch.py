"""sbatch, scancel, srun and qsub for tests: what a batch system does with a script, on this machine and at once.

    with batch(folder, tasks=2) as jobs:  # the four programs are in folder/bin
        ...
        jobs.settle()                     # every job has ended, and none failed

A stand-in, not a batch system: no queue, nodes or limits. What it does hold a script to: its directives, and options of
the command line, must be ones that SLURM or PBS has, with values of the form that they take; a job runs in a process
group of its own, in the folder, with the variables and into the log that its system gives it, after the jobs that it
depends on. Of an array, the first `tasks` run, one after the other. `bench/slurm.py` has a real SLURM.
"""

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

FOLDER, TASKS = "BATCH_FOLDER", "BATCH_TASKS"  # variables: the place of the jobs, how many of an array run
PROGRAMS = ("sbatch", "scancel", "srun", "qsub")
COUNT, SPAN, WORD, MEMORY = r"[1-9]\d*", r"\d+-\d+", r"\S+", r"[1-9]\d*[KMGT]?"
TIME = r"(\d+-)?\d\d:\d\d:\d\d"


def matching(pattern: str) -> Callable[[str], str]:
    def value(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise argparse.ArgumentTypeError(f"must be of the form {pattern}: got {text}")
        return text

    return value


def slurm_options() -> argparse.ArgumentParser:
    """Options of sbatch that templates, pages and dask-jobqueue make use of; any other is an error."""
    parser = argparse.ArgumentParser("sbatch", allow_abbrev=False)
    for names, pattern in {
        ("--array", "-a"): SPAN,
        ("--cpus-per-task", "-c"): COUNT,
        ("--dependency", "-d"): r"afterany:\d+",
        ("--error", "-e"): WORD,
        ("--job-name", "-J"): WORD,
        ("--mem",): MEMORY,
        ("--mem-per-cpu",): MEMORY,
        ("--nodes", "-N"): COUNT,
        ("--ntasks", "-n"): COUNT,
        ("--ntasks-per-node",): COUNT,
        ("--output", "-o"): WORD,
        ("--partition", "-p"): WORD,
        ("--time", "-t"): TIME,
        ("--wrap",): r".+",
    }.items():
        parser.add_argument(*names, type=matching(pattern))
    parser.add_argument("--parsable", action="store_true")
    return parser


def pbs_options() -> argparse.ArgumentParser:
    """The same of qsub."""
    parser = argparse.ArgumentParser("qsub", allow_abbrev=False)
    parser.add_argument("-N", type=matching(WORD))
    parser.add_argument("-J", type=matching(SPAN))
    resource = rf"select={COUNT}(:ncpus={COUNT}|:mem={COUNT}[kmgt]b)*|walltime={TIME}"
    parser.add_argument("-l", type=matching(resource), action="append")
    parser.add_argument("-j", choices=("oe", "eo", "n"))
    parser.add_argument("-v", type=matching(r"\w+=[^,]*(,\w+=[^,]*)*"))
    return parser


def directives(script: str, mark: str) -> list[str]:
    """Options in the head of a script: from its second line to the first that is no comment."""
    first, *lines = script.splitlines()
    if not first.startswith("#!"):
        sys.exit(f"a script must begin with #!, not with {first!r}")
    found: list[str] = []
    for line in lines:
        if line and not line.startswith("#"):
            break
        if line.startswith(mark):
            found += shlex.split(line.removeprefix(mark), comments=True)
    return found


def submitted(
    options_of: Callable[[], argparse.ArgumentParser], mark: str, given: Sequence[str]
) -> tuple[Any, str, list[str]]:
    """Options of the script's head and of the command line, which count for more; the script; its arguments."""
    parser = options_of()
    parser.add_argument("script", nargs="?")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(given)
    if getattr(options, "wrap", None):
        return options, f"#!/bin/sh\n{options.wrap}\n", []
    text = Path(options.script).read_text(encoding="utf-8")
    head = options_of().parse_args(directives(text, mark))
    return parser.parse_args(given, namespace=head), text, options.arguments


def sbatch(given: list[str]) -> None:
    options, script, arguments = submitted(slurm_options, "#SBATCH", given)
    job = new_job(script)
    log = options.output or ("slurm-%A_%a.out" if options.array else "slurm-%j.out")
    shared = {"SLURM_JOB_ID": job, "SLURM_SUBMIT_DIR": os.getcwd(), "SLURM_CPUS_PER_TASK": options.cpus_per_task}
    tasks = []
    for task in of_array(options.array):
        own = {"SLURM_ARRAY_JOB_ID": job, "SLURM_ARRAY_TASK_ID": task} if options.array else {}
        to = log.replace("%A", job).replace("%a", str(task)).replace("%j", job)
        tasks.append({"variables": {k: str(v) for k, v in (shared | own).items() if v}, "log": os.path.abspath(to)})
    after = options.dependency.partition(":")[2] if options.dependency else ""
    start(job, {"arguments": arguments, "tasks": tasks, "after": after, "cwd": os.getcwd()})
    print(job if options.parsable else f"Submitted batch job {job}")


def qsub(given: list[str]) -> None:
    options, script, arguments = submitted(pbs_options, "#PBS", given)
    job = new_job(script)
    named = f"{job}[]" if options.J else job
    tasks = []
    for task in of_array(options.J):
        own = {"PBS_ARRAY_INDEX": str(task)} if options.J else {}
        passed = dict(pair.split("=", 1) for pair in (options.v or "").split(",") if pair)
        log = f"{options.N or 'job'}.o{job}{f'.{task}' if options.J else ''}"
        variables = {"PBS_JOBID": named, "PBS_O_WORKDIR": os.getcwd(), **own, **passed}
        tasks.append({"variables": variables, "log": os.path.abspath(log)})
    elsewhere = str(jobs_folder())  # not where it was sent
    start(job, {"arguments": arguments, "tasks": tasks, "after": "", "cwd": elsewhere})
    print(f"{named}.here")


def srun(given: list[str]) -> None:
    """One task of a job's step: the command."""
    if "SLURM_JOB_ID" not in os.environ:
        sys.exit("srun is for the script of a job")
    os.execvp(given[0], given)


def scancel(given: list[str]) -> None:
    for job in given:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int((jobs_folder() / f"{job}.pid").read_text()), signal.SIGTERM)
        end(job, 0)


def of_array(span: str | None) -> list[int]:
    if not span:
        return [0]
    first, last = map(int, span.split("-"))
    return list(range(first, last + 1))[: int(os.environ[TASKS])]


def jobs_folder() -> Path:
    return Path(os.environ[FOLDER])


def new_job(script: str) -> str:
    """A number, and a copy of the script under it: the script itself may go."""
    job = str(1 + len(list(jobs_folder().glob("*.sh"))))
    (jobs_folder() / f"{job}.sh").write_text(script, encoding="utf-8")
    return job


def start(job: str, told: dict[str, Any]) -> None:
    (jobs_folder() / f"{job}.json").write_text(json.dumps(told), encoding="utf-8")
    nothing = subprocess.DEVNULL
    command = [sys.executable, __file__, "job", job]
    process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
    (jobs_folder() / f"{job}.pid").write_text(str(process.pid))


def job(given: list[str]) -> None:
    """A job from its start to its end."""
    (number,) = given
    told = json.loads((jobs_folder() / f"{number}.json").read_text(encoding="utf-8"))
    while told["after"] and not (jobs_folder() / f"{told['after']}.code").exists():
        time.sleep(0.05)
    script, worst = jobs_folder() / f"{number}.sh", 0
    for task in told["tasks"]:
        with open(task["log"], "w", encoding="utf-8") as log:
            interpreter = script.read_text(encoding="utf-8").splitlines()[0].removeprefix("#!").split()
            command = [*interpreter, str(script), *told["arguments"]]
            environment = {**os.environ, **task["variables"]}
            done = subprocess.run(command, cwd=told["cwd"], env=environment, stdout=log, stderr=log, check=False)
        worst = max(worst, abs(done.returncode))
    end(number, worst)


def end(number: str, code: int) -> None:
    """Say how a job has ended, unless that is said."""
    told = jobs_folder() / f"{number}.code"
    if not told.exists():
        part = told.with_suffix(".part")
        part.write_text(str(code))
        part.rename(told)


class Jobs:
    """Jobs of a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def settle(self, seconds: float = 300.0) -> None:
        """Wait until every job has ended; AssertionError with the logs of one that failed, or has not ended by then."""
        until = time.monotonic() + seconds
        for told in self.folder.glob("*.json"):
            code = told.with_suffix(".code")
            while not code.exists() and time.monotonic() < until:
                time.sleep(0.05)
            logs = [Path(task["log"]) for task in json.loads(told.read_text(encoding="utf-8"))["tasks"]]
            text = "\n".join(log.read_text(encoding="utf-8")[-1000:] for log in logs if log.exists())
            assert code.exists(), f"job {told.stem} has not ended\n{text}"
            assert code.read_text() == "0", f"job {told.stem} ended with {code.read_text()}\n{text}"

    def __len__(self) -> int:
        return len(list(self.folder.glob("*.json")))


@contextlib.contextmanager
def batch(folder: Path, tasks: int) -> Iterator[Jobs]:
    """The programs in folder/bin, first on the path; whatever still runs at the end is killed."""
    jobs = Jobs(folder / "jobs")
    programs = folder / "bin"
    for made in (jobs.folder, programs):
        made.mkdir(parents=True)
    for name in PROGRAMS:
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-S", __file__, name])} "$@"\n')
        script.chmod(0o755)
    before = dict(os.environ)
    os.environ[FOLDER], os.environ[TASKS] = str(jobs.folder), str(tasks)
    os.environ["PATH"] = f"{programs}:{before['PATH']}"
    try:
        yield jobs
    finally:
        for pid in jobs.folder.glob("*.pid"):
            if not pid.with_suffix(".code").exists():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(int(pid.read_text()), signal.SIGKILL)
        os.environ["PATH"] = before["PATH"]
        del os.environ[FOLDER], os.environ[TASKS]
        shutil.rmtree(jobs.folder, ignore_errors=True)


if __name__ == "__main__":
    programs = {"sbatch": sbatch, "qsub": qsub, "srun": srun, "scancel": scancel, "job": job}
    programs[sys.argv[1]](sys.argv[2:])
