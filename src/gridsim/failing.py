"""Failures of committed units in a run: they come while a unit runs, and while it stands by nothing happens to it.

`forced.chances` are moments at which a unit would fail if it ran, with the time that its repair would take. They come
at the rate 1 / mttf_h, whatever the unit does. One counts if the unit ran in the hour before and is not out already;
exponential times do not know how long they have lasted, so what counts is a unit that fails at that rate per hour of
service, and is repaired in mttr_h on average::

    for_rate = forced outage hours / (forced outage hours + service hours)                                      (1)

which is the rate of IEEE Std 762 in its four states (service, reserve shutdown, forced out while needed, forced out
while not needed). Of a row the units that run are its first ones that are there; they are alike.
"""

from collections.abc import Sequence

import numpy as np

from gridsim.carry import Arrays, Carried
from gridsim.case import Case
from gridsim.kernels.jit import IntArray


class Failing(Carried):
    """What fails when, given which units run. `available` and `lost` are written to as failures come."""

    grown = ("struck",)

    def __init__(self, case: Case, chances: IntArray, available: IntArray, lost: IntArray):
        """
        Parameters
        ----------
        case : Case
            As it was planned: its `unit_available` leaves out planned work only.
        chances : (n, 4) int64
            Of `forced.Draw.chances`.
        available : (T, nu) int64, updated
            Units that are there, as they are lived.
        lost : (T, nu) int64, updated
            Units that are lost and that nobody knew of.
        """
        self.planned, self.available, self.lost = case.unit_available, available, lost
        self.of_step: dict[int, list[tuple[int, int, int]]] = {}
        for row, part, first, steps in chances.tolist():
            self.of_step.setdefault(first, []).append((row, part, steps))
        self.struck: list[IntArray] = []  # of each window (failures, 4): row, part, first step, steps
        self.back: dict[tuple[int, int], int] = {}  # step in which a unit that has failed is there again

    def next_window(self) -> None:
        """Begin the list of another window."""
        self.struck.append(np.zeros((0, 4), dtype=np.int64))

    def hour(self, t: int, before: Sequence[int] | IntArray) -> IntArray:
        """(nu,) units of each row that fail as step t begins; `before` are those on in the step before it."""
        failed = np.zeros(self.planned.shape[1], dtype=np.int64)
        for row, part, steps in self.of_step.get(t, ()):
            there = [k for k in range(int(self.planned[t, row])) if self.back.get((row, k), 0) <= t]
            if part in there[: int(before[row])]:
                failed[row] += 1
                self.struck[-1] = np.vstack((self.struck[-1], np.array([row, part, t, steps], dtype=np.int64)))
                self.back[row, part] = t + steps
                self.strike(row, t, steps)
        return failed

    def restore(self, kept: list[Arrays]) -> None:
        super().restore(kept)
        for row, part, first, steps in np.concatenate(self.struck).tolist():
            self.back[row, part] = first + steps
            self.strike(row, first, steps)

    def strike(self, row: int, first: int, steps: int) -> None:
        """One unit of a row is lost."""
        out = slice(first, first + steps)
        self.lost[out, row] += 1
        self.available[out, row] = np.maximum(self.available[out, row] - 1, 0)
