"""Dask does the runs: in local processes, on the workers of a running scheduler, or in jobs of SLURM.

A worker has one process and one thread, and its BLAS has one thread too: a run is as fast as that gets, and gives the
same numbers on any machine. Everything listens on this machine alone unless its workers are elsewhere.
"""

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gridsim import __version__
from gridsim.errors import InputError, MissingPackageError, Problem, ResourceError
from gridsim.process import ONE_THREAD
from gridsim.sweep.folder import FAILED, Record
from gridsim.sweep.study_file import Run
from gridsim.sweep.work import work

DEATHS = 3  # of its workers, after which a run is given up
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
                record = Record(run.name, FAILED, LOST, f"its worker died {DEATHS} times: killed, or out of memory")
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
    settings: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": DEATHS - 1,
        "distributed.comm.timeouts.connect": "60s",  # of workers that are busy compiling
        "distributed.worker.daemon": True,
        # One thread, and nothing that hands memory back early: that costs a run some percent of its time.
        "distributed.nanny.pre-spawn-environ": dict(ONE_THREAD),
        # What looks at a worker, and keeps its data in check, takes from its run: 4 % of a core for each, and 9 % for
        # the scheduler; so it takes 1.5 and 3.5 %. A run has no data in Dask, and a look a second is enough to kill a
        # worker that is beyond its memory.
        "distributed.worker.profile.enabled": False,
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.monitor-interval": "1s",
        "distributed.scheduler.active-memory-manager.start": False,
        "distributed.scheduler.work-stealing": False,
        "distributed.client.scheduler-info-interval": "60s",
        "distributed.admin.system-monitor.gil.enabled": False,
        "distributed.admin.system-monitor.disk": False,
        "distributed.admin.system-monitor.host-cpu": False,
        "distributed.admin.system-monitor.interval": "10s",
        "distributed.admin.tick.interval": "10s",
        "distributed.admin.tick.cycle": "10s",
        "distributed.admin.tick.limit": "60s",  # beyond its interval, or every tick would be told as a late one
        "distributed.admin.log-format": "%(name)s: %(message)s",
    }
    if workers.dashboard is None:  # and no other page either
        settings |= {f"distributed.{who}.http.routes": [] for who in ("scheduler", "worker", "nanny")}
    with dask.config.set(settings):
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
               **workers.slurm_options}
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
