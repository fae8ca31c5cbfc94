"""What the steps of a conversion from PyPSA share: its hours, its columns with their defaults, and the report."""

from collections import Counter

import numpy as np
import pandas as pd

from gridsim.convert import Conversion
from gridsim.convert_net import empty_net
from gridsim.errors import Problem
from gridsim.pypsa_tables import FloatArray, Tables

BASE_MVA = 100.0


class PypsaSteps:
    """The network, the net that is made of it, and what was said about it."""

    def __init__(self, tables: Tables):
        self.t = tables
        self.problems: list[Problem] = []
        self.net = empty_net(tables.name, BASE_MVA, f_hz=50.0)
        self.out = Conversion(tables.name, self.net, 2024, {})
        self.said: Counter[tuple[str, str, str]] = Counter()
        self.bus: dict[str, int] = {}
        self.ends: list[tuple[int, int]] = []
        self.dearest = 0.0

    def say(self, what: str, fate: str, how: str) -> None:
        """One more of a kind, for the report."""
        self.said[what, fate, how] += 1

    # --- time

    def _calendar(self) -> None:
        """Snapshots as hours of a year: longer ones are repeated, shorter ones become means."""
        labels, n = self.t.snapshots, len(self.t.snapshots)
        self.rows = np.arange(n)  # the snapshot of each hour; with `per_hour` more than 1, of each part of it
        self.per_hour = 1
        times = pd.to_datetime(pd.Series([str(v) for v in labels]), errors="coerce", format="ISO8601")
        if times.isna().any():
            if n > 1:
                self.problems.append(Problem("snapshots", f"must be times: {labels[0]!r} is none"))
            self._horizon(np.datetime64("2024-01-01T00", "h"), 1)
            self.say("snapshot without a time", "used", "one hour, called the first of 2024")
            return
        stamps = times.to_numpy().astype("datetime64[s]")
        steps = np.unique(np.diff(stamps).astype(np.int64))
        step_s = int(steps[0]) if len(steps) else 3600
        if len(steps) > 1 or step_s <= 0 or (step_s % 3600 and 3600 % step_s):
            said = "must step evenly by whole hours, or by a whole part of one"
            self.problems.append(Problem("snapshots", said))
            return
        if not np.allclose(self.t.weightings, step_s / 3600, rtol=1e-6):
            rule = f"must have weightings of {step_s / 3600:g} h, their distance: no representative periods"
            self.problems.append(Problem("snapshots", rule))
        if step_s > 3600:
            self.rows = np.repeat(self.rows, step_s // 3600)
            self.say("snapshots", "approximated", f"{n} of {step_s // 3600} h each, their values in every hour")
        elif step_s < 3600:
            self.per_hour = 3600 // step_s
            self.rows = self.rows[: n // self.per_hour * self.per_hour]
            self.say("snapshots", "approximated", f"{n} of {step_s / 60:g} min each, as hourly means")
        else:
            self.say("snapshots", "used", f"{n} hours from {stamps[0]}, as they are written (by convention UTC)")
        hours = len(self.rows) // self.per_hour
        first, last = stamps[0], stamps[0] + np.timedelta64(3600 * hours - 1, "s")
        if first.astype("datetime64[Y]") != last.astype("datetime64[Y]"):
            self.problems.append(Problem("snapshots", f"must lie in one year: {first} to {last}"))
        if (stamps[0].astype(np.int64)) % 3600:
            self.problems.append(Problem("snapshots", f"must begin at a whole hour: the first is {first}"))
        self._horizon(first.astype("datetime64[h]"), hours)

    def _horizon(self, first: np.datetime64, hours: int) -> None:
        out = self.out
        out.first_hour, out.year = first, int(str(first)[:4])
        window = min(hours, 48)
        start = first.astype("datetime64[s]").item()
        out.horizon = {"start": start, "hours": hours, "window_h": window, "step_h": window if hours <= 48 else 24}

    def _hourly(self, component: str, attribute: str, name: str) -> FloatArray | None:
        """A series by the hour."""
        found = self.t.hourly(component, attribute, name)
        if found is None:
            return None
        if not np.isfinite(found).all():
            self.problems.append(Problem(f"{component}-{attribute} {name}", "must be finite numbers in every snapshot"))
            found = np.nan_to_num(found)
        return found[self.rows].reshape(-1, self.per_hour).mean(axis=1)

    def _limit(self, component: str, attribute: str, name: str, static: float) -> FloatArray | float:
        """A p.u. limit: a series if it changes, else a number."""
        found = self._hourly(component, attribute, name)
        if found is None:
            return static
        return float(found[0]) if np.ptp(found) < 1e-9 else found

    def _series(self, name: str, values: FloatArray, unit: str) -> str:
        self.out.series[name], self.out.units[name] = values, unit
        return name

    # --- columns

    def _at(self, component: str, column: str = "bus") -> list[int | None]:
        """Bus of every row; None where it is not in the model. Unknown names are problems."""
        known = {str(v) for v in self.t.table("buses").index}
        names = self.t.text(component, column)
        strange = sorted({name for name in names if name not in known})
        if strange:
            rule = f"must name buses: {', '.join(map(repr, strange[:5]))} {'is' if len(strange) == 1 else 'are'} none"
            self.problems.append(Problem(f"{component}.{column}", rule))
        return [self.bus.get(name) for name in names]

    def _nominal(self, component: str, column: str) -> FloatArray:
        """Capacity: what an expansion found, where there was one."""
        given, found = self.t.number(component, column, 0.0), self.t.number(component, f"{column}_opt", 0.0)
        expanded = self.t.flag(component, f"{column}_extendable", False) & (found > 0)
        for _ in range(int(expanded.sum())):
            self.say(f"{component} with {column}_opt", "used", "the capacity that the expansion found")
        return np.where(expanded, found, given)

    def _rows(self, component: str) -> list[tuple[int, str, bool]]:
        on = self.t.flag(component, "active", True)
        return [(k, str(name), bool(on[k])) for k, name in enumerate(self.t.table(component).index)]
