"""Budgets of energy, CO2 or fuel: who counts towards each, how much, and what every day, month or year allows.

``[[budget]]`` selects units and sources as ``[[reserve.product]]`` does. Use of a unit is linear: so much for an hour
on at its minimum, so much for each MWh above; with fuel told from CO2, the no-load part of its fuel curve counts.

Months and years are longer than a window, so they are steered by a running price. It starts from a merit order of the
whole horizon, hour by hour, dearer by one price times the use: the price at which that merit order keeps to the limit,
and the use that it has in each hour then (the pace), are what the run begins with and is held against.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np
import pandas as pd

from gridsim.case import BUDGET_COLUMNS, BudgetTerms
from gridsim.errors import Problem
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.scenario import Budget, check_names
from gridsim.series import SeriesReader

BISECTIONS = 24
NEARLY = 0.999  # of the penalty: no running price is above it
SWING = 0.05  # of a limit, by which the merit order is asked for the slope of its price
ROUNDING = 1e-9  # relative
MANY_H, STRIDE = (
    2000,
    5,
)  # of a longer period only each fifth hour is looked at for its price: all hours of days come up
_UNIT = {"energy": "MWh", "co2": "t"}


class Fleet(NamedTuple):
    """Everything that budgets are told about a case."""

    units: pd.DataFrame
    sources: pd.DataFrame
    available: IntArray  # (n, nu)
    source_lo: FloatArray  # (n, ns)
    source_hi: FloatArray
    load_mw: FloatArray  # (n,)
    full_load_cost: FloatArray  # (nu,) currency/MWh
    seg_mw: FloatArray  # (nu, K) of ONE unit
    seg_cost: FloatArray  # (nu, K)


def check_budgets(
    budgets: Sequence[Budget], techs: Iterable[str], fuels: Iterable[str], zones: Iterable[str], names: Iterable[str]
) -> list[Problem]:
    """Techs, fuels, zones and patterns of names that the network does not have."""
    problems, members = [], list(names)
    lists = (
        ("techs", sorted(set(techs)), "a tech of the network"),
        ("fuels", sorted({fuel for fuel in fuels if fuel}), "a fuel of the network"),
        ("zones", sorted({zone for zone in zones if zone}), "a zone of the network"),
    )
    for number, budget in enumerate(budgets, start=1):
        where = f"scenario: budget.{number}"
        for key, known, what in lists:
            problems += check_names(f"{where}.{key}", getattr(budget, key), known, what)
        problems += [
            Problem(f"{where}.names.{pattern}", "must fit the name of a unit or source: it fits none")
            for pattern in budget.names
            if not any(fnmatchcase(name, pattern) for name in members)
        ]
    return problems


def make_budgets(
    budgets: Sequence[Budget], fleet: Fleet, start: np.datetime64, reader: SeriesReader
) -> tuple[pd.DataFrame, BudgetTerms, list[Problem]]:
    """The budgets as a table and as terms, and every reason why one of them cannot be met."""
    problems: list[Problem] = []
    rows = [
        (b.name, b.quantity, _UNIT.get(b.quantity, b.fuel_unit), b.period,
         np.inf if b.at_most is None else b.at_most, b.at_least or 0.0, b.penalty)
        for b in budgets
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(BUDGET_COLUMNS))
    n, nb = len(fleet.load_mw), len(budgets)
    on, rate, source = _uses(budgets, fleet)
    period, share = _periods(budgets, start, n)
    most, least = (table[name].to_numpy(dtype=np.float64) * share for name in ("at_most", "at_least"))
    most = np.where(np.isfinite(table["at_most"].to_numpy(dtype=np.float64)), most, np.inf)
    none = np.zeros((n, nb))
    terms = BudgetTerms(on, rate, source, period, most, least, none.copy(), none.copy(), none.copy(), np.zeros(nb))
    low, high = bounds_of_use(terms, fleet.units, fleet.available, fleet.source_lo, fleet.source_hi)
    for k, budget in enumerate(budgets):
        where = f"scenario: budget.{k + 1}"
        if not (on[k].any() or rate[k].any() or source[k].any()):
            used = (
                "selects no unit or source" if not _members(budget, fleet.units).any() else "selects none that uses it"
            )
            problems.append(Problem(f"{where}.name", f"must have members: {budget.name} {used}"))
            continue
        found = _impossible(budget, where, table["unit"].iloc[k], terms, k, low[:, k], high[:, k], start)
        problems += found
        if not found:
            _steer(budget, where, terms, k, fleet, reader)
    return table, terms, problems


def bounds_of_use(
    terms: BudgetTerms, units: pd.DataFrame, available: IntArray, source_lo: FloatArray, source_hi: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(n, nb) each: what members must use in an hour (must-run units, schedules) and what they can."""
    must = units["must_run"].to_numpy(dtype=bool)
    width = (units["p_max_mw"] - units["p_min_mw"]).to_numpy(dtype=np.float64)
    least, full = np.where(must, terms.unit_on, 0.0), terms.unit_on + terms.unit_rate * width
    low = available @ least.T + source_lo @ terms.source_rate.T
    return low, available @ full.T + source_hi @ terms.source_rate.T


def _members(budget: Budget, rows: pd.DataFrame) -> BoolArray:
    inside = np.ones(len(rows), dtype=bool)
    for key, column in (("techs", "tech"), ("fuels", "fuel"), ("zones", "zone")):
        if getattr(budget, key):
            inside &= rows[column].isin(getattr(budget, key)).to_numpy(bool) if column in rows else False
    if budget.names:
        inside &= np.array([any(fnmatchcase(str(n), p) for p in budget.names) for n in rows["name"]], dtype=bool)
    return inside


def _uses(budgets: Sequence[Budget], fleet: Fleet) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Use of units on (nb, nu) and of their MWh, and of the MWh of sources (nb, ns)."""
    units, sources, nb = fleet.units, fleet.sources, len(budgets)
    on, rate, source = np.zeros((nb, len(units))), np.zeros((nb, len(units))), np.zeros((nb, len(sources)))
    for k, budget in enumerate(budgets):
        idle, of_unit, of_source = np.zeros(len(units)), np.ones(len(units)), np.ones(len(sources))
        if budget.quantity == "co2" or budget.co2_t_per_fuel is not None:
            per = 1.0 / (budget.co2_t_per_fuel or 1.0)
            idle = units["co2_no_load_t_per_h"].to_numpy(dtype=np.float64) * per
            of_unit, of_source = (rows["co2_t_per_mwh"].to_numpy(dtype=np.float64) * per for rows in (units, sources))
        elif budget.fuel_per_mwh is not None:
            of_unit, of_source = of_unit * budget.fuel_per_mwh, of_source * budget.fuel_per_mwh
        inside = _members(budget, units)
        rate[k] = np.where(inside, of_unit, 0.0)
        on[k] = np.where(inside, idle + of_unit * units["p_min_mw"].to_numpy(dtype=np.float64), 0.0)
        source[k] = np.where(_members(budget, sources), of_source, 0.0)
    return on, rate, source


def _periods(budgets: Sequence[Budget], start: np.datetime64, n: int) -> tuple[IntArray, FloatArray]:
    """(n, nb) number of each hour's period, and the share of the period that is inside the horizon."""
    stamps = start.astype("datetime64[h]") + np.arange(n)
    number, share = np.zeros((n, len(budgets)), dtype=np.int64), np.ones((n, len(budgets)))
    for k, budget in enumerate(budgets):
        unit = {"day": "D", "month": "M", "year": "Y"}[budget.period]
        whole = stamps.astype(f"datetime64[{unit}]")
        first, number[:, k], count = np.unique(whole, return_inverse=True, return_counts=True)
        length = ((first + 1).astype("datetime64[h]") - first.astype("datetime64[h]")).astype(np.int64)
        share[:, k] = (count / length)[number[:, k]]
    return number, share


def _impossible(
    budget: Budget, where: str, unit: str, terms: BudgetTerms, k: int, low: FloatArray, high: FloatArray,
    start: np.datetime64,
) -> list[Problem]:  # fmt: skip
    """Limits that no schedule keeps, each with its first period."""
    problems, period = [], terms.period[:, k]
    first = np.searchsorted(period, np.arange(period[-1] + 1))
    must, can = (np.bincount(period, weights=values) for values in (low, high))
    most, least = terms.at_most[first, k], terms.at_least[first, k]
    cases = (
        ("at_most", must > most * (1 + ROUNDING), must, most, "at least what its members must use"),
        ("at_least", can < least * (1 - ROUNDING), can, least, "at most what its members can use"),
    )
    for key, bad, bound, limit, rule in cases:
        if bad.any():
            p = int(np.flatnonzero(bad)[0])
            stamp = str(start + np.timedelta64(int(first[p]), "h"))
            text = (
                f"must be {rule} in each {budget.period}: from {stamp} that is {bound[p]:,.6g} {unit}, "
                f"and the limit there {limit[p]:,.6g} {unit} ({int(bad.sum())} of {bad.size} periods)"
            )
            problems.append(Problem(f"{where}.{key}", text))
    return problems


# -- running prices: where they start, and the pace they are held to


def _steer(budget: Budget, where: str, terms: BudgetTerms, k: int, fleet: Fleet, reader: SeriesReader) -> None:
    """Pace, first prices and slope of a budget, written into `terms`."""
    period = terms.period[:, k]
    if budget.period == "day":
        terms.pace[:, k] = _shares(np.ones(period.size), period)
        return
    stack = _Stack.of(fleet, terms, k)
    ceiling, sides = NEARLY * budget.penalty, []
    if budget.at_most is not None:
        sides.append((1.0, terms.at_most[:, k], terms.price_most))
    if budget.at_least is not None:
        sides.append((-1.0, terms.at_least[:, k], terms.price_least))
    weight = np.zeros(period.size)
    spread = 0.0
    for p in range(int(period[-1]) + 1):
        at = np.flatnonzero(period == p)
        part = stack.take(at)
        some = part.take(np.arange(0, at.size, STRIDE if at.size > MANY_H else 1))
        signed, share = 0.0, some.need.size / at.size
        for sign, limit, price in sides:
            of_some = share * float(limit[at[0]])
            found = some.price(sign, of_some, ceiling)
            swing = [some.price(sign, (1.0 + way * SWING) * of_some, ceiling) for way in (-1.0, 1.0)]
            spread = max(spread, abs(swing[0] - swing[1]) / (2.0 * SWING))
            price[at, k] = found if budget.first_price is None or p else budget.first_price
            signed += sign * price[at[0], k]
        weight[at] = part.use(signed)
    if budget.pacing in ("even", "load"):
        weight = np.ones(period.size) if budget.pacing == "even" else fleet.load_mw
    elif budget.pacing != "estimate":
        series = reader.get(budget.pacing, f"budget {budget.name}")
        if series is not None and (series.values < 0).any():
            reader.complain(budget.pacing, series.values < 0, "must not be negative as a pace", series.values)
        weight = weight if series is None else np.maximum(series.values, 0.0)
    terms.pace[:, k] = _shares(weight, period)
    # where the merit order keeps to the limit at no price it says nothing of slopes
    terms.slope[k] = float(np.clip(spread, 0.1 * stack.worth, stack.worth)) if spread > 0.0 else stack.worth


def _shares(weight: FloatArray, period: IntArray) -> FloatArray:
    """The weights as shares of their periods; even where a period has none."""
    total, size = np.bincount(period, weights=weight), np.bincount(period)
    shares: FloatArray = np.where(total[period] > 0, weight / np.maximum(total[period], 1e-300), 1.0 / size[period])
    return shares


class _Stack(NamedTuple):
    """A merit order of sources and of segments of units, hour by hour.

    What a unit costs whatever its output is spread over all of it, so that its segments come to its cost at full load.
    """

    need: FloatArray  # (n,) load above what runs anyway
    room: FloatArray  # (n, members of the order)
    cost: FloatArray  # (members,)
    rate: FloatArray  # (members,) use of a MWh
    base: FloatArray  # (n,) use of what runs anyway
    worth: float  # price at which use is as dear as energy

    @classmethod
    def of(cls, fleet: Fleet, terms: BudgetTerms, k: int) -> "_Stack":
        units, sources = fleet.units, fleet.sources
        p_min, p_max = (units[c].to_numpy(dtype=np.float64) for c in ("p_min_mw", "p_max_mw"))
        must = units["must_run"].to_numpy(dtype=bool)
        floor = fleet.available * np.where(must, p_min, 0.0)
        width = np.column_stack((np.where(must, 0.0, p_min), fleet.seg_mw))
        step = np.column_stack((fleet.seg_cost[:, :1], fleet.seg_cost))
        over = p_max * fleet.full_load_cost - step[:, 0] * p_min - (fleet.seg_mw * fleet.seg_cost).sum(axis=1)
        step = step + np.where(p_max > 0, over / np.maximum(p_max, 1e-9), 0.0)[:, None]
        unit, segment = np.nonzero(width > 0)
        room = fleet.available[:, unit] * width[unit, segment]
        room = np.hstack((room, np.maximum(fleet.source_hi - fleet.source_lo, 0.0)))
        full = (terms.unit_on[k] + terms.unit_rate[k] * (p_max - p_min)) / np.maximum(p_max, 1e-9)
        rate = np.concatenate((full[unit], terms.source_rate[k]))
        cost = np.concatenate((step[unit, segment], sources["cost"].to_numpy(dtype=np.float64)))
        base = floor @ full + fleet.source_lo @ terms.source_rate[k]
        need = np.maximum(fleet.load_mw - floor.sum(axis=1) - fleet.source_lo.sum(axis=1), 0.0)
        users = rate > 0
        typical = float(np.median(cost[np.isfinite(cost) & (cost > 0)])) if (cost > 0).any() else 1.0
        return cls(need, room, np.where(np.isfinite(cost), cost, 0.0), rate, base, typical / float(rate[users].mean()))

    def take(self, at: IntArray) -> "_Stack":
        return self._replace(need=self.need[at], room=self.room[at], base=self.base[at])

    def use(self, price: float) -> FloatArray:
        """(n,) use in each hour where a unit of it costs `price` more."""
        order = np.argsort(self.cost + price * self.rate, kind="stable")
        room = self.room[:, order]
        before = np.cumsum(room, axis=1) - room
        given = np.clip(self.need[:, None] - before, 0.0, room)
        use: FloatArray = self.base + given @ self.rate[order]
        return use

    def price(self, sign: float, limit: float, ceiling: float) -> float:
        """The least price, of use or (sign -1) paid for it, at which the limit is kept; at most `ceiling`."""
        if sign * (self.use(0.0).sum() - limit) <= 0.0:
            return 0.0
        low, high = 0.0, min(ceiling, 4.0 * self.worth)
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            kept = sign * (self.use(sign * middle).sum() - limit) <= 0.0
            low, high = (low, middle) if kept else (middle, high)
        return high
