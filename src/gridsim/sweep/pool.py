"""Dask does the runs: in local processes, on the workers of a running scheduler, or in jobs of SLURM.

A worker has one process and one thread, and its BLAS has one thread too: a run is as fast as that gets, and gives the
same numbers on any machine. Everything listens on this machine alone unless its workers are elsewhere.
"""

import contextlib
import os
import shlex
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from gridsim import __version__
from gridsim.errors import InputError, MissingPackageError, Problem, ResourceError
from gridsim.process import ONE_THREAD
from gridsim.sweep.folder import FAILED, Record
from gridsim.sweep.study_file import Run
from gridsim.sweep.work import work
from gridsim.toml_tree import leaves

PATIENCE = "30s"  # until a scheduler answers
HERE = "127.0.0.1"
LOST = ResourceError.exit_code


@dataclass(frozen=True)
class Workers:
    """Who does the runs."""

    number: int = 1
    memory: str = "2GB"  # of each, beyond which it is killed and its run begun again
    scheduler: str = ""  # address of one that runs already, instead of workers of our own
    slurm: bool = False  # each worker a job
    slurm_options: Mapping[str, Any] = field(default_factory=dict)  # of dask_jobqueue.SLURMCluster
    dashboard: int | None = None  # port on this machine

    def __str__(self) -> str:
        if self.scheduler:
            return f"workers of {self.scheduler}"
        noun = "worker" if self.number == 1 else "workers"
        return f"{self.number} {'SLURM ' if self.slurm else ''}{noun}, one thread and at most {self.memory} each"


def run_all(runs: Sequence[Run], folder: Path, workers: Workers, done: Callable[[Run, Record], None]) -> None:
    """Do runs; `done` is called in this process when one has ended, however it did.

    Raises
    ------
    MissingPackageError
        Without Dask.
    InputError
        If there is no scheduler at the address, or its workers have another version of gridsim.
    """
    with _client(workers) as client:
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        _check_versions(client, workers)
        # Each worker has one run in hand and none in its queue: what kills a worker is not laid to others' charge.
        waiting, futures = deque(runs), as_completed()
        of_key: dict[str, Run] = {}

        def hand_out() -> None:
            while waiting and len(of_key) < max(sum(client.nthreads().values()), 1):
                run = waiting.popleft()
                of_key[run.stem] = run
                futures.add(client.submit(work, run, folder.absolute(), key=run.stem, pure=False))

        hand_out()
        for future in futures:
            run = of_key.pop(future.key)
            error = future.exception() if future.status != "finished" else None
            if error is None:
                record = future.result()
            elif isinstance(error, KilledWorker):
                died = f"its worker died {error.allowed_failures + 1} times: killed, or out of memory"
                record = Record(run.name, FAILED, LOST, died)
            else:
                record = Record(run.name, FAILED, LOST, f"lost: {type(error).__name__}: {error}")
            future.release()
            hand_out()
            done(run, record)


@contextlib.contextmanager
def _client(workers: Workers) -> Iterator[Any]:
    try:
        import dask
        from distributed import Client
    except ImportError:
        raise MissingPackageError("a sweep needs Dask: pip install 'gridsim[sweep]', or use --task i/N") from None
    with dask.config.set(_settings(workers)):
        if workers.scheduler:
            try:
                client = Client(workers.scheduler, timeout=PATIENCE)
            except (OSError, ValueError) as error:
                rule = f"must be the address of a Dask scheduler that runs: {error or type(error).__name__}"
                raise InputError("sweep", [Problem(f"--scheduler {workers.scheduler}", rule)]) from None
            with client:
                yield client
            return
        with _cluster(workers) as cluster, Client(cluster, timeout="60s") as client:
            yield client


def _settings(workers: Workers) -> dict[str, Any]:
    """Of Dask, by key: `templates/sweep/dask.yaml`, and what is only for processes of our own."""
    import dask

    with as_file(files("gridsim") / "templates" / "sweep" / "dask.yaml") as path:
        given = dask.config.collect(paths=[str(path)], env={})
    settings = {".".join(key): value for key, value in leaves(given)}
    settings |= {
        "distributed.worker.daemon": True,
        # One thread, and nothing that hands memory back early: that costs a run some percent of its time.
        "distributed.nanny.pre-spawn-environ": dict(ONE_THREAD),
        "distributed.admin.log-format": "%(name)s: %(message)s",
    }
    if workers.dashboard is None:  # and no other page either
        settings |= {f"distributed.{who}.http.routes": [] for who in ("scheduler", "worker", "nanny")}
    return settings


def _job_script_prologue(workers: Workers) -> list[str]:
    """Lines of a job before its worker begins: our settings, then what the user has for all jobs or gives for these.

    Workers in jobs do not have the settings of this process: they read variables of their environment.
    """
    import dask

    variables = dict(ONE_THREAD)
    for key, value in _settings(workers).items():
        if not isinstance(value, dict):
            variables["DASK_" + key.upper().replace(".", "__").replace("-", "_")] = str(value)
    options, place = workers.slurm_options, f"jobqueue.{workers.slurm_options.get('config_name', 'slurm')}"
    names = ("job_script_prologue", "env_extra")  # the second is the older name of the first
    given = (options.get(name) or dask.config.get(f"{place}.{name}", None) for name in names)
    own: str | list[str] = next((lines for lines in given if lines), [])
    ours = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return ours + ([own] if isinstance(own, str) else list(own))


def _cluster(workers: Workers) -> Any:
    """Scheduler and workers of this sweep alone: nobody else on the machine or the network has their keys."""
    from distributed.security import Security

    common = {"security": Security.temporary(), "protocol": "tls://"}
    address, shown = f"{HERE}:{workers.dashboard or 0}", workers.dashboard is not None
    if workers.slurm:
        try:
            from dask_jobqueue import SLURMCluster
        except ImportError:
            raise MissingPackageError("--slurm needs dask-jobqueue: pip install 'gridsim[sweep]'") from None
        scheduler = {"dashboard_address": address, "dashboard": shown}
        cluster = SLURMCluster(
            **{"cores": 1, "processes": 1, "memory": workers.memory, "scheduler_options": scheduler, **common,
               **workers.slurm_options, "job_script_prologue": _job_script_prologue(workers)}
        )  # fmt: skip
        cluster.adapt(minimum_jobs=workers.number, maximum_jobs=workers.number)  # a job that ends is submitted again
        return cluster
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers.number,
        threads_per_worker=1,
        processes=True,
        host=HERE,
        memory_limit=workers.memory,
        dashboard_address=address,
        scheduler_kwargs={"dashboard": shown},
        silence_logs="CRITICAL",
        **common,
    )


def _check_versions(client: Any, workers: Workers) -> None:
    if not workers.scheduler:
        return
    found = set(client.run(_version).values())
    if found - {__version__}:
        rule = f"must have workers with gridsim {__version__}: they have {', '.join(sorted(map(str, found)))}"
        raise InputError("sweep", [Problem(f"--scheduler {workers.scheduler}", rule)])


def _version() -> str:
    return __version__


def cores() -> int:
    """Of this machine, that this process may use."""
    return len(os.sched_getaffinity(0))
