"""When a run is to stop after the window in hand: a signal of a batch system, or a budget of time."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


def seconds(text: str) -> float:
    """A duration such as 90s, 30m, 1h30m or 2d. Raises ValueError if it is none, or no time at all. [s]"""
    parts = _DURATION.findall(text.strip().lower())
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text.strip().lower() or not total > 0.0:
        raise ValueError("must be a duration such as 90s, 30m, 1h30m or 2d")
    return total


@contextmanager
def asked_to_stop(budget_s: float | None = None) -> Iterator[Callable[[], str]]:
    """Why to stop, as a function: "" as long as there is no reason. The budget counts from here. [s]

    In the main thread only: while this lasts, `SIGNALS` do not end the process.
    """
    began, caught = time.monotonic(), []

    def note(number: int, _: FrameType | None) -> None:
        caught.append(signal.Signals(number).name)

    def why() -> str:
        if caught:
            return str(caught[0])
        return "its time budget" if budget_s is not None and time.monotonic() - began >= budget_s else ""

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield why
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
