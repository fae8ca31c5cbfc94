"""The kernel and HiGHS on the same window, in turn, in one process: who needs how much CPU time, and do they agree.

HiGHS plays three hands, and its best one counts: from nothing with presolve (``cold``), warm from the basis of the
window before (``warm``), and warm from that basis moved along by a day (``shifted``).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from highs_live import LiveModel

from gridsim.handover import RowKeys
from gridsim.kernels.jit import FloatArray
from gridsim.kernels.problem import Problem, Solution
from gridsim.plan import BINDING, OVERLOAD_SEEN
from gridsim.restate import Windows

SAME = 1e-6  # relative difference of two objectives that are one
HANDS = ("cold", "warm", "shifted")


class Found(NamedTuple):
    """A linear program solved by HiGHS until no line lacks a row."""

    cpu_s: float  # inside HiGHS
    objective: float
    rounds: int
    solution: Solution


def settle(
    live: LiveModel, windows: Windows, problem: Problem, fixed: FloatArray, known: RowKeys, *, lazy: bool = True
) -> Found:
    """Solve with the line rows `known`; if `lazy`, add what is overloaded and solve on from there until nothing is."""
    keys, spent, rounds = known, 0.0, 0
    while True:
        live.become(problem, keys, windows.rows(keys, fixed), shift=rounds == 0)
        spent += live.run()
        rounds += 1
        solution = live.solution()
        if not lazy or not windows.network:
            return Found(spent, live.objective, rounds, solution)
        found, worst = windows.screen(windows.injections(problem, fixed, solution), BINDING, keys)
        if worst <= 1.0 + OVERLOAD_SEEN:
            return Found(spent, live.objective, rounds, solution)
        keys = windows.join(keys, found)


class Opponents:
    """HiGHS through a sequence of windows of one kind."""

    def __init__(self, windows: Windows, step_h: int, *, lazy: bool):
        self.windows, self.lazy = windows, lazy
        self.live = {"warm": LiveModel(), "shifted": LiveModel(shift_h=step_h)}

    def lead_in(self, problem: Problem, fixed: FloatArray, known: RowKeys) -> None:
        """The window before a measured one."""
        for live in self.live.values():
            settle(live, self.windows, problem, fixed, known, lazy=self.lazy)

    def race(
        self, kernel: Callable[[], tuple[float, float]], problem: Problem, fixed: FloatArray, known: RowKeys
    ) -> dict[str, Any]:
        """The kernel and each hand of HiGHS in turn. `kernel` returns its CPU seconds and its objective."""
        ours, record = [], {}
        apart = 0.0
        for hand in HANDS:
            ours.append(kernel())
            live = self.live.get(hand) or LiveModel()
            theirs = settle(live, self.windows, problem, fixed, known, lazy=self.lazy)
            record[f"{hand}_s"] = theirs.cpu_s
            apart = max(apart, abs(ours[-1][1] - theirs.objective) / max(1.0, abs(theirs.objective)))
        best = min(HANDS, key=lambda hand: record[f"{hand}_s"])
        kernel_s = float(np.median([spent for spent, _ in ours]))
        return {
            "kernel_s": kernel_s,
            **record,
            "best": best,
            "highs_s": record[f"{best}_s"],
            "ratio": record[f"{best}_s"] / kernel_s,
            "apart": apart,
            "agree": apart <= SAME,
        }


def summary(rows: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """Medians over windows, and the spread of the ratios."""
    ratios = [row["ratio"] for row in rows]
    return {
        "windows": len(rows),
        **{name: float(np.median([row[name] for row in rows])) for name in names},
        "ratio": float(np.median(ratios)),
        "ratio_low": float(min(ratios)),
        "ratio_high": float(max(ratios)),
    }
