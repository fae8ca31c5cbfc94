"""What holds a unit beside its output limits: ramps, start costs by time off, response, its state at the start.

Columns of gen and sgen (see `networks.columns`). Powers of a row become those of ONE unit here; a contradiction between
two columns is a problem that names the rows and both values.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from gridsim.case import LONG_H
from gridsim.element_rows import UnitSpec
from gridsim.errors import Problem
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.nettable import NetTable

_SLACK = 1e-9  # relative, of comparisons between given numbers
_FORM = "pairs 'hours:cost' such as '2:390 8:460', whole hours from 0 and costs of at least 0"


class UnitLimits:
    """The columns of one table with their defaults; ramps are of the row, everything else of one unit."""

    def __init__(self, table: NetTable, units: IntArray, p_min_mw: FloatArray, p_max_mw: FloatArray):
        self.units, self.p_min_mw, self.p_max_mw = units, p_min_mw, p_max_mw
        self.ramp_up = table.number("ramp_up_mw_per_h", np.inf)
        self.ramp_down = table.number("ramp_down_mw_per_h", np.inf)
        self.start_ramp, self.stop_ramp = table.number("start_ramp_mw", np.inf), table.number("stop_ramp_mw", np.inf)
        self.response = table.number("reserve_mw_per_min", np.inf)
        self.quick_start = table.flag("quick_start", False)
        self.initial_on, self.initial_hours = table.number("initial_on"), table.number("initial_hours")
        self.initial_p = table.number("initial_p_mw")
        self.start_cost, self.by_hours_off = table.number("start_cost", 0.0), table.text("start_cost_by_hours_off")
        given = [parse_start_costs(text) for text in self.by_hours_off]
        self.malformed = np.array([pairs is None for pairs in given], dtype=bool)
        plain = [[(0, float(cost))] for cost in self.start_cost]
        categories = [pairs or one for pairs, one in zip(given, plain, strict=True)]
        self.start_lags = [tuple(lag for lag, _ in pairs) for pairs in categories]
        self.start_costs = [tuple(cost for _, cost in pairs) for pairs in categories]
        # what only a unit that is switched on and off can have
        self.commit = (
            np.array([max(costs) > 0 for costs in self.start_costs], dtype=bool)
            | np.isfinite(self.start_ramp)
            | np.isfinite(self.stop_ramp)
            | np.isfinite(self.initial_on)
            | self.quick_start
        )

    def columns(self, i: int, factor: float) -> dict[str, Any]:
        """Columns of the case for row `i`, its capacity scaled by `factor`."""
        n = float(self.units[i])
        hours = self.initial_hours[i]
        return {
            "initial_hours": int(hours) if np.isfinite(hours) else LONG_H,
            "initial_p_mw": float(self.initial_p[i]) * factor,
            "ramp_up_mw_per_h": float(self.ramp_up[i]) * factor / n,
            "ramp_down_mw_per_h": float(self.ramp_down[i]) * factor / n,
            "start_ramp_mw": float(self.start_ramp[i]) * factor,
            "stop_ramp_mw": float(self.stop_ramp[i]) * factor,
            "quick_start": bool(self.quick_start[i]),
        }

    def of_units_only(self, i: int) -> list[str]:
        """Columns given in row `i` that say nothing about a source."""
        given = {
            "start_cost": self.start_cost[i] > 0,
            "start_cost_by_hours_off": self.by_hours_off[i] != "",
            "start_ramp_mw": np.isfinite(self.start_ramp[i]),
            "stop_ramp_mw": np.isfinite(self.stop_ramp[i]),
            "reserve_mw_per_min": np.isfinite(self.response[i]),
            "quick_start": self.quick_start[i],
            "initial_on": np.isfinite(self.initial_on[i]),
            "initial_hours": np.isfinite(self.initial_hours[i]),
            "initial_p_mw": np.isfinite(self.initial_p[i]),
        }
        return [name for name, there in given.items() if there]

    def check(self, table: NetTable, problems: list[Problem]) -> None:
        """Everything that is wrong with rows in service."""
        on = table.in_service()
        for column, ramp in (("ramp_up_mw_per_h", self.ramp_up), ("ramp_down_mw_per_h", self.ramp_down)):
            table.complain(problems, column, on & ~(ramp > 0), "greater than 0 MW/h, or empty")
        least = self.p_min_mw / self.units
        for column, most in (("start_ramp_mw", self.start_ramp), ("stop_ramp_mw", self.stop_ramp)):
            said = [f"{a:.6g} MW with a minimum of {b:.6g} MW" for a, b in zip(most, least, strict=True)]
            bad = on & ~(most >= least * (1 - _SLACK))
            table.complain(problems, column, bad, "at least the minimum output of one unit, or empty", said)
        table.complain(problems, "reserve_mw_per_min", on & ~(self.response >= 0), "at least 0 MW/min, or empty")
        self._check_start_costs(table, problems)
        self._check_initial(table, problems)

    def _check_start_costs(self, table: NetTable, problems: list[Problem]) -> None:
        on = table.in_service()
        table.complain(problems, "start_cost", on & ~(self.start_cost >= 0), "at least 0")
        column, texts = "start_cost_by_hours_off", [f"'{text}'" for text in self.by_hours_off]
        table.complain(problems, column, on & self.malformed, _FORM, texts)
        rises = np.array([all(a < b for a, b in pairwise(lags)) for lags in self.start_lags], dtype=bool)
        table.complain(problems, column, on & ~rises, "in rising order of hours", texts)
        falls = np.array([any(a > b for a, b in pairwise(costs)) for costs in self.start_costs], dtype=bool)
        table.complain(problems, column, on & rises & falls, "costs that do not fall with the hours off", texts)
        both = on & (self.start_cost > 0) & np.array([text != "" for text in self.by_hours_off], dtype=bool)
        said = [f"{text} and start_cost {cost:.6g}" for text, cost in zip(texts, self.start_cost, strict=True)]
        table.complain(problems, column, both, "empty where start_cost is given", said)

    def _check_initial(self, table: NetTable, problems: list[Problem]) -> None:
        on = table.in_service()
        known = np.isfinite(self.initial_on)
        said = [f"{a:.6g} of {b} units" for a, b in zip(self.initial_on, self.units, strict=True)]
        bad = on & known & ~((self.initial_on >= 0) & (self.initial_on <= self.units))
        table.complain(problems, "initial_on", bad, "at most the row's units", said)
        for column, values in (("initial_hours", self.initial_hours), ("initial_p_mw", self.initial_p)):
            table.complain(problems, column, on & ~np.isnan(values) & ~known, "empty where initial_on is not given")
        table.complain(problems, "initial_hours", on & (self.initial_hours < 1), "at least 1 h, or empty")
        share = np.where(known, self.initial_on, 0.0) / self.units
        low, high = (np.where(np.isfinite(p), p, 0.0) * share for p in (self.p_min_mw, self.p_max_mw))
        said = [
            f"{p:.6g} MW, with {k:.6g} units on {a:.6g} to {b:.6g} MW"
            for p, k, a, b in zip(self.initial_p, self.initial_on, low, high, strict=True)
        ]
        inside = (self.initial_p >= low * (1 - _SLACK)) & (self.initial_p <= high * (1 + _SLACK))
        bad = on & known & ~np.isnan(self.initial_p) & ~inside
        table.complain(problems, "initial_p_mw", bad, "what the units of initial_on can give", said)


def parse_start_costs(text: str) -> list[tuple[int, float]] | None:
    """'2:390 8:460' as [(2, 390.0), (8, 460.0)], [] where it is empty, None where it is malformed."""
    pairs = []
    for word in text.split():
        hours, colon, cost = word.partition(":")
        try:
            pair = int(hours), float(cost)
        except ValueError:
            return None
        if not colon or pair[0] < 0 or not (np.isfinite(pair[1]) and pair[1] >= 0):
            return None
        pairs.append(pair)
    return pairs


def say_limits(row: Mapping[str, Any], spec: UnitSpec) -> list[str]:
    """What of all this binds a unit row, in words for its note."""
    said = []
    width = row["p_max_mw"] - row["p_min_mw"]
    for way, column in (("rises", "ramp_up_mw_per_h"), ("falls", "ramp_down_mw_per_h")):
        if row[column] < width:
            said.append(f"{way} at most {row[column]:.6g} MW/h a unit")
    for hour, column in (("first", "start_ramp_mw"), ("last", "stop_ramp_mw")):
        if row[column] < row["p_max_mw"]:
            said.append(f"at most {row[column]:.6g} MW a unit in its {hour} hour on")
    if len(spec.start_cost) > 1:
        costs = ", ".join(f"{c:.6g} from {h} h" for h, c in zip(spec.start_lag_h, spec.start_cost, strict=True))
        said.append(f"start cost by hours off: {costs}")
    if np.isfinite(spec.response_mw_per_min):
        said.append(f"responds with {spec.response_mw_per_min:.6g} MW/min a unit")
    if row["quick_start"]:
        said.append("counts for reserve that need not spin while off")
    if spec.initial_on is not None:
        hours = "long" if row["initial_hours"] == LONG_H else f"{row['initial_hours']} h"
        power = "" if np.isnan(row["initial_p_mw"]) else f" at {row['initial_p_mw']:.6g} MW"
        said.append(f"before the first hour {spec.initial_on} on{power}, {hours} so")
    return said
