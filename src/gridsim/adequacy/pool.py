"""Blocks over processes: one process for each worker, each block always with the same one.

Results come in the order of blocks, whoever is first, and the order alone decides when enough is known: so the number
of workers changes nothing but the time.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Self

from gridsim.process import prepare

_AHEAD = 2  # blocks that each worker has before it


class Pool:
    """Workers of one study. With one worker everything happens in this process."""

    def __init__(self, workers: int):
        context = get_context("spawn")
        count = workers if workers > 1 else 0
        self._executors = [ProcessPoolExecutor(1, mp_context=context, initializer=prepare) for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for executor in self._executors:
            executor.shutdown(wait=kind is None, cancel_futures=True)

    def submit(self, number: int, function: Callable[..., Any], *args: Any) -> "Future[Any]":
        """Call a function with the worker of block `number`."""
        if self._executors:
            return self._executors[number % len(self._executors)].submit(function, *args)
        done: Future[Any] = Future()
        done.set_result(function(*args))
        return done

    def in_order(self, count: int, function: Callable[..., Any], *args: Any) -> Iterator[Any]:
        """``function(*args, number)`` for the numbers below `count`, in order; a few are computed ahead."""
        waiting: list[Future[Any]] = []
        for number in range(count):
            waiting.append(self.submit(number, function, *args, number))
            if len(waiting) > _AHEAD * len(self._executors):
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
