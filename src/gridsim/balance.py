"""Running balances of budgets: what each has used of its period, what a window may use, what use is worth.

Every limit of a budget is one row, at_least with its signs turned. A window states a row for each period that it
sees (`kernels.problem.Budgets`):

* a period that ends inside the window has what is left of its limit, and nothing of that is worth anything after it;
* a month or year that goes on has all that is left, less what its members cannot but use later. What the window leaves
  is worth the price at which the outlook (`outlook`) uses it up in the hours to come: the more the window uses, the
  dearer the rest. In a window this is a first amount, whose rest has a value, and a few steps beyond it: boxes that do
  nothing but let the row have more, each dearer than the one before;
* a day that goes on has the part of what is left that its hours in the window have of its hours to come.

The outlook is off by as much an hour as use has lately been above what it expects at the prices that were paid: old
hours fade, and none at first counts as `TRUST_H` hours in which it was right. The running price is that at which the
outlook, so corrected, uses up what is left. All this is a function of use and prices of the hours lived.
"""

from typing import NamedTuple

import numpy as np

from gridsim.budgets import bounds_of_use
from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import NO_BUDGETS, Boxes, Budgets, Problem
from gridsim.outlook import NEARLY

MEMORY_H = 336.0  # hours after which an hour counts for 1/e in what the outlook is off by
TRUST_H = 24.0
STEPS = np.array([0.0025, 0.0075, 0.015, 0.03, 0.06, 0.12, 0.25])  # of a window's expected use, to either side of it
# Where members are indifferent at a price, windows should do what is expected of them: a step is dearer by this times
# how far it is beyond that, relative.
PULL = 0.5
DUST = 1e-6  # of a limit: use beyond it counts only above that


RUNNING = {"budget/running_most": 1.0, "budget/running_least": -1.0}  # datasets of running prices, by sign of the row


class Balance(NamedTuple):
    """Before an hour; nb budgets. Amounts in the unit of each budget."""

    used: FloatArray  # (nb,) in the period that the hour belongs to
    above: FloatArray  # (nb,) use above the outlook, fading
    weight: FloatArray  # (nb,) of the outlook in the same hours
    binding: tuple[int, ...] = ()  # rows that had a price in the last dispatch


class Keys(NamedTuple):
    """Rows of a window: nq rows, K steps beyond their limits."""

    row: IntArray  # (nq,)
    hours: FloatArray  # (nq, T)
    limit: FloatArray  # (nq,) signed, in the unit of the budget
    value: FloatArray  # (nq,) of what is left of that, currency per unit
    width: FloatArray  # (nq, K) what more may be used; 0 where there is no such step
    worth: FloatArray  # (nq, K) price of that, currency per unit


class Priced(NamedTuple):
    """A window whose budget rows are prices of use; nu rows of units. Scaled."""

    problem: Problem  # without budgets
    of_on: FloatArray  # (nu,) what one unit on for a step at its minimum costs more
    of_mw: FloatArray  # (nu,) what a MW above it for a step does
    constant: float  # what the window costs on top


class Lived(NamedTuple):
    """Hours as they were lived, (T, nb) each."""

    use: FloatArray
    used: FloatArray  # in the period, at the end of the hour
    excess: FloatArray  # beyond at_most
    missing: FloatArray  # of at_least, in the last hour of the period
    cost: FloatArray  # (T,) of both


class Budgeting:
    """The budgets of a case as rows of its windows."""

    def __init__(self, case: Case, power_mw: float, price_scale: float):
        self.terms, self.case = case.budget_terms, case
        terms, nb = self.terms, len(case.budgets)
        self.penalty_of_budget = case.budgets["penalty"].to_numpy(dtype=np.float64)
        most = np.isfinite(terms.at_most).any(axis=0) if nb else np.zeros(0, dtype=bool)
        least = (terms.at_least > 0).any(axis=0) if nb else np.zeros(0, dtype=bool)
        self.of = np.concatenate((np.flatnonzero(most), np.flatnonzero(least))).astype(np.int64)
        self.sign = np.concatenate((np.ones(most.sum()), -np.ones(least.sum())))
        self.size = self.of.size
        if not self.size:
            return
        of, sign = self.of, self.sign
        upper = sign > 0
        self.limit = np.where(upper, terms.at_most[:, of], -terms.at_least[:, of])  # (n, nr) signed
        self.penalty = self.penalty_of_budget[of]
        self.daily = (case.budgets["period"] == "day").to_numpy(dtype=bool)[of]
        largest = [np.abs(part).max(axis=1, initial=0.0) for part in (terms.unit_rate, terms.source_rate)]
        self.scale = np.maximum(np.maximum(*largest), 1e-12)[of]  # use of a MWh of the thirstiest member
        self.power_mw, self.money_scale = power_mw, self.scale / price_scale  # of prices
        self.amount = self.scale * power_mw  # of use
        self.unit_on = sign[:, None] * terms.unit_on[of] / self.amount[:, None]
        self.unit_rate = sign[:, None] * terms.unit_rate[of] / self.scale[:, None]
        self.source_rate = sign[:, None] * terms.source_rate[of] / self.scale[:, None]
        ends = case.unit_floor_mw, case.unit_ceiling_mw, case.source_min_mw, case.source_max_mw
        low, high = bounds_of_use(terms, case.units, case.unit_available, *ends)
        self.low = np.where(upper, low[:, of], -high[:, of])  # (n, nr) least signed use
        self.high = np.where(upper, high[:, of], -low[:, of])
        self.ends = np.diff(terms.period, axis=0, append=-1) != 0  # (n, nb) last hour of a period
        hours = np.maximum(terms.counts.sum(axis=0), 1.0)
        self.trust = np.array([TRUST_H * o.weight.sum() for o in terms.outlook]) / hours

    def first(self) -> Balance:
        """Before the first hour of the horizon."""
        none = np.zeros(len(self.case.budgets))
        return Balance(none, none, none)

    def before(self, t0: int) -> Balance:
        """Before hour `t0` as if use had kept its pace, for a window that nothing comes before."""
        start = self.first()
        if not self.size:
            return start
        terms, used = self.terms, start.used.copy()
        for k in range(used.size):
            at = np.flatnonzero((terms.period[:, k] == terms.period[t0, k]) & (np.arange(len(terms.period)) < t0))
            limit = terms.at_most[t0, k] if np.isfinite(terms.at_most[t0, k]) else terms.at_least[t0, k]
            used[k] = limit * terms.pace[at, k].sum()
        return start._replace(used=used)

    def recorded(self, use: FloatArray, price: FloatArray) -> Balance:
        """After the first hours of the horizon, as a results file has their use and prices (hours, nb)."""
        return self.live(0, use, price, self.first(), ())[1]

    # -- what is left, and its price

    def running(self, t0: int, balance: Balance) -> FloatArray:
        """(nr,) price at which the outlook uses up what is left of the period of hour `t0`; none of days."""
        prices = np.zeros(self.size)
        for r in range(self.size):
            if self.daily[r]:
                continue
            at = self._counted(r, t0, self.terms.period[t0, self.of[r]])
            left = self.limit[t0, r] - self.sign[r] * balance.used[self.of[r]]
            prices[r] = self._worth(r, at, np.array([left]), balance)[0] if at.size else 0.0
        return prices

    def _counted(self, r: int, t: int, period: int) -> IntArray:
        """Hours of a period from hour `t` on that count."""
        terms, k = self.terms, self.of[r]
        return t + np.flatnonzero((terms.period[t:, k] == period) & (terms.counts[t:, k] > 0.0))

    def _worth(self, r: int, later: IntArray, left: FloatArray, balance: Balance) -> FloatArray:
        """Price at which the outlook uses up a signed amount in some hours; at least nothing."""
        k, sign = self.of[r], self.sign[r]
        prices = self.terms.outlook[k].price(later, sign * left, self._off(k, balance))
        return np.maximum(sign * prices, 0.0)

    def _off(self, k: int, balance: Balance) -> float:
        """What the outlook of a budget is off by, per weight."""
        trust = float(self.trust[k])
        return float((balance.above[k] + self.terms.outlook[k].off * trust) / (balance.weight[k] + trust))

    # -- rows of a window

    def keys(self, t0: int, hours: int, balance: Balance) -> Keys:
        """A row for each limit and each of its periods in the window."""
        found: list[tuple[int, FloatArray, float, FloatArray, FloatArray]] = []
        for r in range(self.size):
            k = self.of[r]
            seen = self.terms.period[t0 : t0 + hours, k]
            for p in range(int(seen[0]), int(seen[-1]) + 1):
                inside = (seen == p) & (self.terms.counts[t0 : t0 + hours, k] > 0.0)
                if not inside.any():
                    continue
                begin = t0 + int(np.argmax(seen == p))
                left = self.limit[begin, r] - (self.sign[r] * balance.used[k] if p == seen[0] else 0.0)
                later = self._counted(r, t0 + hours, p)
                most = float(self.high[t0 : t0 + hours, r][inside].sum())
                width, worth = np.zeros(0), np.zeros(1)
                if later.size and self.daily[r]:
                    left *= self._share(np.flatnonzero(inside) + t0, later, k)
                here = left - (0.0 if self.daily[r] else float(self.low[later, r].sum()))
                # more than all members can use is no limit: smaller numbers are kinder to the solver
                limit = min(here, most + 0.01 * abs(most) + 0.01 * self.amount[r])
                if later.size and not self.daily[r]:
                    limit, width, worth = self._steps(r, t0 + np.flatnonzero(inside), later, left, limit, balance)
                found.append((r, inside.astype(np.float64), limit, width, worth))
        count = max((width.size for _, _, _, width, _ in found), default=0)
        width, worth = np.zeros((len(found), count)), np.zeros((len(found), count))
        for q, (_, _, _, of_row, price) in enumerate(found):
            width[q, : of_row.size], worth[q, : of_row.size] = of_row, price[1:]
        return Keys(
            row=np.array([r for r, *_ in found], dtype=np.int64),
            hours=np.array([inside for _, inside, *_ in found]).reshape(-1, hours),
            limit=np.array([limit for _, _, limit, _, _ in found]),
            value=np.array([price[0] for *_, price in found]),
            width=width,
            worth=worth,
        )

    def _steps(
        self, r: int, inside: IntArray, later: IntArray, left: float, limit: float, balance: Balance
    ) -> tuple[float, FloatArray, FloatArray]:
        """First amount of a row, widths (K,) of the steps beyond it up to `limit`, and worth (K + 1,) of it and them.

        Steps are fine about the use that is expected of the window, and coarse away from it.
        """
        k, sign = self.of[r], self.sign[r]
        outlook, off = self.terms.outlook[k], self._off(k, balance)
        running = sign * self._worth(r, np.concatenate((inside, later)), np.array([left]), balance)[0]
        expected = float(outlook.used_at(inside, running).sum() + off * outlook.weight[inside].sum())
        least = min(float(self.low[inside, r].sum()), limit)
        near = sign * expected * (1.0 + np.concatenate((-STEPS, [0.0], STEPS)))
        edges = np.unique(np.clip(np.concatenate((near, np.linspace(least, limit, 6))), least, limit))
        # where members can use no less than the limit there is one amount, and no step
        edges = edges if edges.size > 1 else np.repeat(edges, 2)
        middle = 0.5 * (edges[1:] + edges[:-1])
        pull = np.clip(PULL * (middle / sign - expected) / max(abs(expected), 1e-12), -PULL, PULL)
        worth = np.minimum(
            self._worth(r, later, left - middle, balance) * (1.0 + sign * pull), NEARLY * self.penalty[r]
        )
        first = int(np.flatnonzero(worth == worth[0])[-1])
        return float(edges[first + 1]), np.diff(edges)[first + 1 :], worth[first:]

    def _share(self, inside: IntArray, later: IntArray, k: int) -> float:
        pace = self.terms.pace[:, k]
        here, rest = float(pace[inside].sum()), float(pace[later].sum())
        return here / (here + rest)

    def rows(
        self, keys: Keys, *, free: IntArray, seg_unit: IntArray, box_unit: IntArray, plain: IntArray, boxes: int,
        ramped: IntArray, ramp_unit: IntArray, given: FloatArray, source_base: FloatArray,
    ) -> tuple[Budgets, float]:  # fmt: skip
        """The rows in the scaled arrays of a window, and what the use that is there anyway costs at their values.

        Parameters
        ----------
        free : rows of units with a relaxed on-count
        seg_unit : row of units of each of their segments
        box_unit, plain : row of units of each of the first boxes, source of each of the next; `boxes` in all, behind
            which come those of `steps`
        ramped, ramp_unit : source of each of the first segments of ramped devices, row of units of each of the others
        given : (T, nu) units on of the other rows
        source_base : (T, ns) least output of ramped sources, scaled
        """
        row = keys.row
        if not row.size:
            return NO_BUDGETS, 0.0
        box = np.zeros((row.size, boxes))
        box[:, : box_unit.size] = self.unit_rate[row][:, box_unit]
        box[:, box_unit.size : box_unit.size + plain.size] = self.source_rate[row][:, plain]
        of_steps = -np.repeat(np.eye(row.size), keys.width.shape[1], axis=1)
        hourly = (given @ self.unit_on[row].T + source_base @ self.source_rate[row].T) * keys.hours.T
        anyway, value = hourly.sum(axis=0), keys.value * self.money_scale[row]
        budgets = Budgets(
            hours=keys.hours,
            unit=self.unit_on[row][:, free],
            seg=self.unit_rate[row][:, seg_unit],
            box=np.hstack((box, of_steps)),
            ramp_seg=np.hstack((self.source_rate[row][:, ramped], self.unit_rate[row][:, ramp_unit])),
            limit=keys.limit / self.amount[row] - anyway,
            value=value,
            cost=self.penalty[row] * self.money_scale[row],
        )
        return budgets, float(value @ anyway)

    def steps(self, keys: Keys, products: int) -> Boxes:
        """The steps of the rows of a window as boxes without output, in the first hour that counts."""
        width, worth = keys.width / self.amount[keys.row, None], keys.worth * self.money_scale[keys.row, None]
        hours, count = keys.hours.shape[1], width.size
        hi = np.zeros((hours, count))
        hi[np.repeat(np.argmax(keys.hours, axis=1), width.shape[1]), np.arange(count)] = width.ravel()
        return Boxes(
            bus=np.zeros(count, dtype=np.int64),
            lo=np.zeros((hours, count)),
            hi=hi,
            cost=np.tile(worth.ravel(), (hours, 1)),
            coef=np.zeros((count, 1 + products)),
            line=np.zeros(count),
        )

    def priced(self, problem: Problem, keys: Keys, price: FloatArray) -> Priced | None:
        """The window with its budget rows relaxed at some prices (nq,): no dearer than the window, whatever they are.

        None if a row that has a price does not hold in every hour: a unit's cost would differ from hour to hour.
        """
        rows, units, boxes, ramps = problem.budgets, problem.units, problem.boxes, problem.ramps
        if not self.size or not keys.row.size:
            none = np.zeros(len(self.case.units))
            return Priced(problem, none, none, 0.0)
        pi = np.clip(price, rows.value, rows.cost)
        if (rows.hours[pi > 0.0] < 1.0).any():
            return None
        return Priced(
            problem._replace(
                units=units._replace(cost=units.cost + pi @ rows.unit, seg_cost=units.seg_cost + pi @ rows.seg),
                boxes=boxes._replace(cost=boxes.cost + pi @ rows.box),
                ramps=ramps._replace(seg_cost=ramps.seg_cost + pi @ rows.ramp_seg),
                budgets=NO_BUDGETS,
            ),
            of_on=pi @ self.unit_on[keys.row],
            of_mw=pi @ self.unit_rate[keys.row],
            constant=float((rows.value - pi) @ rows.limit),
        )

    def prices(self, keys: Keys, price: FloatArray) -> FloatArray:
        """(T, nb) price of use in each hour, currency per unit; negative where use is paid for."""
        hourly = np.zeros((keys.hours.shape[1], len(self.case.budgets)))
        each = self.sign[keys.row] * price / self.money_scale[keys.row]
        np.add.at(hourly.T, self.of[keys.row], each[:, None] * keys.hours)
        return hourly

    # -- results file

    def datasets(self, running: list[FloatArray]) -> dict[str, FloatArray]:
        """Running prices at the start of the windows, each (nr,), as datasets [window, budget]; 0: no such limit."""
        found = {}
        for path, sign in RUNNING.items():
            prices = np.zeros((len(running), len(self.case.budgets)))
            prices[:, self.of[self.sign == sign]] = np.array(running).reshape(len(running), -1)[:, self.sign == sign]
            found[path] = prices
        return found

    # -- hours lived

    def use(self, t0: int, on: IntArray, unit_mw: FloatArray, source_mw: FloatArray) -> FloatArray:
        """(T, nb) use of hours from `t0` on with units on (T, nu) and outputs."""
        terms = self.terms
        if not self.size:
            return np.zeros((len(on), 0))
        above = unit_mw - on * self.case.units["p_min_mw"].to_numpy(dtype=np.float64)
        use: FloatArray = on @ terms.unit_on.T + above @ terms.unit_rate.T + source_mw @ terms.source_rate.T
        return use * terms.counts[t0 : t0 + len(on)]

    def live(
        self, t0: int, use: FloatArray, price: FloatArray, balance: Balance, binding: tuple[int, ...]
    ) -> tuple[Lived, Balance]:
        """Account for the hours from `t0` with their use and its price (T, nb); what they used, the balance after."""
        terms, n = self.terms, len(use)
        used, total = np.zeros_like(use), balance.used.copy()
        excess, missing = np.zeros_like(use), np.zeros_like(use)
        for t in range(n):
            now = t0 + t
            most, least = terms.at_most[now] * (1.0 + DUST), terms.at_least[now] * (1.0 - DUST)
            before = total.copy()
            total = total + use[t]
            used[t] = total
            excess[t] = np.maximum(total - most, 0.0) - np.maximum(before - most, 0.0) if total.size else 0.0
            ends = self.ends[now] if self.size else np.zeros(0, dtype=bool)
            missing[t] = np.where(ends, np.maximum(least - total, 0.0), 0.0)
            if now + 1 < len(terms.period):
                total = np.where(ends, 0.0, total)
        cost = (excess + missing) @ self.penalty_of_budget
        return Lived(use, used, excess, missing, cost), self._learned(t0, use, price, total, balance, binding)

    def _learned(
        self, t0: int, use: FloatArray, price: FloatArray, used: FloatArray, balance: Balance, binding: tuple[int, ...]
    ) -> Balance:
        """The balance after some hours: what their use was above the outlook, added to fading sums."""
        above, weight = balance.above.copy(), balance.weight.copy()
        at, fade = slice(t0, t0 + len(use)), np.exp(-1.0 / MEMORY_H)
        for k, outlook in enumerate(self.terms.outlook):
            beyond, of_hour = use[:, k] - outlook.used(at, price[:, k]), outlook.weight[at]
            for t in range(len(use)):
                above[k] = fade * above[k] + beyond[t]
                weight[k] = fade * weight[k] + of_hour[t]
        return Balance(used, above, weight, binding)
