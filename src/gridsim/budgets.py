"""Budgets of energy, CO2 or fuel: who counts towards each, how much, and what every day, month or year allows.

``[[budget]]`` selects units and sources as ``[[reserve.product]]`` does. Use of a unit is linear: so much for an hour
on at its minimum, so much for each MWh above; with fuel told from CO2, the no-load part of its fuel curve counts.

Months and years are longer than a window, so what a window leaves of them is valued by an outlook: a merit order of the
horizon, hour by hour, in which members are dearer by a price times their use. `BudgetTerms.outlook` is what it uses in
every hour at each of some prices; `balance` corrects it by what was used and reads prices off it.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from gridsim.case import BUDGET_COLUMNS, BudgetTerms
from gridsim.errors import Problem
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.outlook import Fleet, MeritOrder, Outlook, no_outlook, prices_of_use
from gridsim.scenario import HYDROGEN_BUDGET, Budget, Scenario, check_names
from gridsim.series import SeriesReader

ROUNDING = 1e-9  # relative
_UNIT = {"energy": "MWh", "co2": "t", "taken": "MWh"}
HYDROGEN_PENALTY = 3000.0  # a MWh of electrolysis that the year lacks; as reserve that is short. Assumed


def all_budgets(scenario: Scenario) -> list[Budget]:
    """Those of the scenario, and the hydrogen of the year where the built-in grid asks for it."""
    options = scenario.jiangsu
    if scenario.network.source != "jiangsu" or options.hydrogen_pattern != "year":
        return scenario.budget
    from gridsim.networks.jiangsu_common import choices  # reads tables

    chosen = choices(options)
    if not chosen["hydrogen_twh"] > 0.0:
        return scenario.budget
    least_mwh = 1e6 * chosen["hydrogen_twh"] / chosen["hydrogen_electrolyser_eta"]
    asked = Budget(
        name=HYDROGEN_BUDGET, techs=["hydrogen"], quantity="taken", period="year", at_least=least_mwh,
        penalty=HYDROGEN_PENALTY,
    )  # fmt: skip
    return [*scenario.budget, asked]


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
        (b.name, b.quantity, _UNIT.get(b.quantity, b.fuel_unit), b.period, " ".join(map(str, b.months)),
         np.inf if b.at_most is None else b.at_most, b.at_most_profile, b.at_least or 0.0, b.penalty)
        for b in budgets
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(BUDGET_COLUMNS))
    n = len(fleet.load_mw)
    on, rate, source = _uses(budgets, fleet)
    period, counts, share = _periods(budgets, start, n)
    most, least = (table[name].to_numpy(dtype=np.float64) * share for name in ("at_most", "at_least"))
    most = np.where(np.isfinite(table["at_most"].to_numpy(dtype=np.float64)), most, np.inf)
    allowed = np.zeros((n, len(budgets)))
    for k, budget in enumerate(budgets):
        if budget.at_most_profile:
            allowed[:, k] = counts[:, k] * _not_negative(budget.at_most_profile, budget, "as a limit", n, reader)
            most[:, k] = np.bincount(period[:, k], weights=allowed[:, k])[period[:, k]]
    terms = BudgetTerms(on, rate, source, period, counts, most, least, allowed, np.zeros_like(most), ())
    low, high = bounds_of_use(
        terms, fleet.units, fleet.available, fleet.floor_mw, fleet.ceiling_mw, fleet.source_lo, fleet.source_hi
    )
    outlooks: list[Outlook] = []
    for k, budget in enumerate(budgets):
        where = f"scenario: budget.{k + 1}"
        if not (on[k].any() or rate[k].any() or source[k].any()):
            used = (
                "selects no unit or source" if not _members(budget, fleet.units).any() else "selects none that uses it"
            )
            problems.append(Problem(f"{where}.name", f"must have members: {budget.name} {used}"))
            continue
        if not counts[:, k].any():
            months = ", ".join(map(str, budget.months))
            problems.append(Problem(f"{where}.months", f"must have hours in the horizon: {months} have none"))
            continue
        found = _impossible(budget, where, table["unit"].iloc[k], terms, k, low[:, k], high[:, k], start, fleet)
        problems += found
        if not found:
            outlook, terms.pace[:, k] = _look_ahead(budget, terms, k, fleet, reader)
            outlooks.append(outlook)
    return table, terms._replace(outlook=tuple(outlooks)), problems


def bounds_of_use(
    terms: BudgetTerms, units: pd.DataFrame, available: IntArray, floor_mw: FloatArray, ceiling_mw: FloatArray,
    source_lo: FloatArray, source_hi: FloatArray,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """(n, nb) each: what members must use in an hour that counts (must-run units, schedules) and what they can."""
    p_min, must = units["p_min_mw"].to_numpy(dtype=np.float64), units["must_run"].to_numpy(dtype=bool)
    on = available * must
    gives, takes = np.maximum(terms.source_rate, 0.0).T, np.minimum(terms.source_rate, 0.0).T
    low = on @ terms.unit_on.T + (on * (floor_mw - p_min)) @ terms.unit_rate.T + source_lo @ gives + source_hi @ takes
    high = available @ terms.unit_on.T + (available * (ceiling_mw - p_min)) @ terms.unit_rate.T
    return low * terms.counts, (high + source_hi @ gives + source_lo @ takes) * terms.counts


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
        elif budget.quantity == "taken":
            of_unit, of_source = 0.0 * of_unit, -of_source
        elif budget.fuel_per_mwh is not None:
            of_unit, of_source = of_unit * budget.fuel_per_mwh, of_source * budget.fuel_per_mwh
        inside = _members(budget, units)
        rate[k] = np.where(inside, of_unit, 0.0)
        on[k] = np.where(inside, idle + of_unit * units["p_min_mw"].to_numpy(dtype=np.float64), 0.0)
        source[k] = np.where(_members(budget, sources), of_source, 0.0)
    return on, rate, source


def _periods(budgets: Sequence[Budget], start: np.datetime64, n: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """(n, nb) each: number of each hour's period, whether the hour counts, the share of the period in the horizon."""
    stamps = start.astype("datetime64[h]") + np.arange(n)
    shape = n, len(budgets)
    number, counts, share = np.zeros(shape, dtype=np.int64), np.ones(shape), np.ones(shape)
    for k, budget in enumerate(budgets):
        unit = {"day": "D", "month": "M", "year": "Y"}[budget.period]
        first, number[:, k] = np.unique(stamps.astype(f"datetime64[{unit}]"), return_inverse=True)
        counts[:, k] = _in_months(stamps, budget.months)
        for p, begin in enumerate(first):
            whole = np.arange(begin.astype("datetime64[h]"), (begin + 1).astype("datetime64[h]"))
            inside = number[:, k] == p
            share[inside, k] = counts[inside, k].sum() / max(float(_in_months(whole, budget.months).sum()), 1.0)
    return number, counts, share


def _in_months(stamps: Any, months: Sequence[int]) -> FloatArray:
    """1 for hours in these months, 0 for others; 1 where no month is named."""
    of_year = stamps.astype("datetime64[M]").astype(np.int64) % 12 + 1
    return np.isin(of_year, months or np.arange(1, 13)).astype(np.float64)


def _impossible(
    budget: Budget, where: str, unit: str, terms: BudgetTerms, k: int, low: FloatArray, high: FloatArray,
    start: np.datetime64, fleet: Fleet,
) -> list[Problem]:  # fmt: skip
    """Limits that no schedule keeps, each with its first period."""
    problems, period = [], terms.period[:, k]
    first = np.searchsorted(period, np.arange(period[-1] + 1))
    must, can = (np.bincount(period, weights=values) for values in (low, high))
    most, least = terms.at_most[first, k], terms.at_least[first, k]
    key_most = "at_most_profile" if budget.at_most_profile else "at_most"
    cases = (
        (key_most, must > most * (1 + ROUNDING), must, most, "at least what its members must use"),
        ("at_least", can < least * (1 - ROUNDING), can, least, "at most what its members can use"),
    )
    for key, bad, bound, limit, rule in cases:
        if bad.any():
            p = int(np.flatnonzero(bad)[0])
            stamp = str(start + np.timedelta64(int(first[p]), "h"))
            by = f" ({_who_must(terms, k, fleet, period == p)})" if key == key_most else ""
            text = (
                f"must be {rule} in each {budget.period}: from {stamp} that is {_said(bound[p])} {unit}{by}, "
                f"and the limit there {_said(limit[p])} {unit} ({int(bad.sum())} of {bad.size} periods)"
            )
            problems.append(Problem(f"{where}.{key}", text))
    return problems


def _said(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 1e6 else f"{amount:,.6g}"


def _who_must(terms: BudgetTerms, k: int, fleet: Fleet, at: BoolArray) -> str:
    """The members that must use the most in some hours, as words."""
    must = fleet.units["must_run"].to_numpy(dtype=bool)
    above = fleet.floor_mw[at] - fleet.units["p_min_mw"].to_numpy(dtype=np.float64)
    of_units = (fleet.available[at] * must * (terms.unit_on[k] + terms.unit_rate[k] * above)).sum(axis=0)
    rate = terms.source_rate[k]
    use = np.concatenate((of_units, rate * np.where(rate > 0.0, fleet.source_lo[at], fleet.source_hi[at]).sum(axis=0)))
    names = [*fleet.units["name"].astype(str), *(fleet.sources["name"].astype(str) if len(fleet.sources) else ())]
    order = [int(i) for i in np.argsort(-use, kind="stable") if use[i] > 0.0]
    more = f" and {len(order) - 3} more" if len(order) > 3 else ""
    return f"most of it by {', '.join(names[i] for i in order[:3])}{more}"


# -- the outlook


def _look_ahead(
    budget: Budget, terms: BudgetTerms, k: int, fleet: Fleet, reader: SeriesReader
) -> tuple[Outlook, FloatArray]:
    """Outlook of a budget, and its pace: shares of each period as the outlook's merit order would use the limit."""
    period, counts = terms.period[:, k], terms.counts[:, k]
    if budget.period == "day":
        return no_outlook(period.size), _shares(counts, counts, period)
    most = budget.at_least is None or budget.limited
    limit = terms.at_most[:, k] if most else terms.at_least[:, k]
    counted = np.bincount(period, weights=counts)
    even = counts * limit / np.maximum(counted[period], 1.0)
    order = MeritOrder.of(fleet, terms, k)
    prices = prices_of_use(budget.penalty, order.worth, most=budget.limited, least=budget.at_least is not None)
    outlook = order.outlook(prices, counts, even)
    if budget.pacing != "estimate":
        whole = np.stack([np.bincount(period, weights=column) for column in outlook.use.T], axis=1)
        weight = _weight(budget, fleet, reader)
        outlook = outlook._replace(use=whole[period] * _shares(weight, counts, period)[:, None])
    if budget.first_price is not None:
        first = period == period[0]
        amount, price = float(limit[0]), budget.first_price if most else -budget.first_price
        outlook = outlook._replace(off=outlook.off_at(first, price, amount))
    paced = np.empty(period.size)
    for p in range(int(period[-1]) + 1):
        at = period == p
        paced[at] = outlook.used_at(at, float(outlook.price(at, limit[at][:1], outlook.off)[0]))
    return outlook, _shares(paced, counts, period)


def _weight(budget: Budget, fleet: Fleet, reader: SeriesReader) -> FloatArray:
    """What a pace that is not the outlook's own gives to the hours."""
    if budget.pacing in ("even", "load"):
        return fleet.load_mw if budget.pacing == "load" else np.ones(fleet.load_mw.size)
    return _not_negative(budget.pacing, budget, "as a pace", fleet.load_mw.size, reader)


def _not_negative(name: str, budget: Budget, use: str, n: int, reader: SeriesReader) -> FloatArray:
    """A series of a budget; ones, and a problem, where it is missing or negative."""
    series = reader.get(name, f"budget {budget.name}")
    if series is None:
        return np.ones(n)
    if (series.values < 0).any():
        reader.complain(name, series.values < 0, f"must not be negative {use}", series.values)
    return np.maximum(series.values, 0.0)


def _shares(weight: FloatArray, counts: FloatArray, period: IntArray) -> FloatArray:
    """The weights of the hours that count as shares of their periods; even where a period has none."""
    weight = weight * counts
    total, size = np.bincount(period, weights=weight), np.bincount(period, weights=counts)
    even = counts / np.maximum(size[period], 1.0)
    shares: FloatArray = np.where(total[period] > 0, weight / np.maximum(total[period], 1e-300), even)
    return shares
