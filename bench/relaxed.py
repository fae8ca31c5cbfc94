"""Part `relaxed`: windows with on-counts relaxed, with the line rows that each plan ends with, one solve each."""

from collections.abc import Callable
from typing import Any

from opponents import Opponents, summary
from sample import STEP_H, Year, solve

NAMES = ("kernel_s", "cold_s", "warm_s", "shifted_s", "highs_s", "rows")


def measure(year: Year, days: list[int], say: Callable[[str], None]) -> dict[str, Any]:
    """The kernel against HiGHS on the relaxation of each day's window."""
    planner, out = year.planner, []
    theirs = Opponents(planner, STEP_H, lazy=False)
    for day in year.days(days):
        problem, fixed, settled = day.relaxed
        keys = settled.keys
        if not day.measured:
            theirs.lead_in(problem, fixed, keys)
            continue
        rows = planner.rows(keys, fixed)
        record = theirs.race(lambda one=day.relaxed, rows=rows: solve(planner, one, rows), problem, fixed, keys)
        out.append({"day": day.day, "rows": int(keys.hour.size), **record})
        say(f"relaxed, day {day.day}: HiGHS / kernel {record['ratio']:.2f}")
    return {"rows": out, "summary": summary(out, NAMES)}
