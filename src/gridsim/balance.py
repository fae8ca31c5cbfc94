"""Running balances of budgets: what each has used of its period, what a window may use, what use is worth.

Every limit of a budget is one row, at_least with its signs turned. A window states a row for each period that it
sees (`kernels.problem.Budgets`):

* a period that ends inside the window has what is left of its limit, and nothing of that is worth anything after it;
* a month or year that goes on has all that is left, less what its members cannot but use later, and what the window
  leaves is worth the running price: the window stops using where that is dearer than the alternative;
* a day that goes on has the part of what is left that its hours in the window have of its hours to come.

The running price is steered from window to window: with b the use of the last days over what their pace allows, and n
what is left over what the pace still allows for, it moves by (b - n) times the price that changes use by its whole,
times GAIN a day and more as the end comes near. It is a function of the state alone.
"""

from typing import NamedTuple

import numpy as np

from gridsim.budgets import bounds_of_use
from gridsim.case import Case
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.kernels.problem import NO_BUDGETS, Budgets

GAIN, NEAR_END, MOST_GAIN = 0.05, 3.0, 0.3  # a day: NEAR_END over the days to come, between the other two
MEMORY_H = 72.0  # hours after which past use counts for 1/e
MOST_MOVE = 0.5  # of b - n: near the end of a period what is left says little
NEARLY = 0.999  # of the penalty: no running price is above it
DUST = 1e-6  # of a limit: use beyond it counts only above that


RUNNING = {"budget/running_most": 1.0, "budget/running_least": -1.0}  # datasets of running prices, by sign of the row


class Balance(NamedTuple):
    """Before an hour; nb budgets, nr rows. Amounts in the unit of each budget."""

    used: FloatArray  # (nb,) in the period that the hour belongs to
    price: FloatArray  # (nr,) running price of that period, currency per unit
    recent_use: FloatArray  # (nb,) fading
    recent_pace: FloatArray  # (nr,) what the limits allowed for in the same time, signed
    binding: tuple[int, ...] = ()  # rows that had a price in the last dispatch


class Keys(NamedTuple):
    """Rows of a window: nq rows."""

    row: IntArray  # (nq,)
    hours: FloatArray  # (nq, T)
    limit: FloatArray  # (nq,) signed, in the unit of the budget
    value: FloatArray  # (nq,) currency per unit


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
        self.first_price = np.where(upper, terms.price_most[:, of], terms.price_least[:, of])
        self.penalty = self.penalty_of_budget[of]
        self.daily = (case.budgets["period"] == "day").to_numpy(dtype=bool)[of]
        largest = [np.abs(part).max(axis=1, initial=0.0) for part in (terms.unit_rate, terms.source_rate)]
        self.scale = np.maximum(np.maximum(*largest), 1e-12)[of]  # use of a MWh of the thirstiest member
        self.power_mw, self.money_scale = power_mw, self.scale / price_scale  # of prices
        self.amount = self.scale * power_mw  # of use
        self.unit_on = sign[:, None] * terms.unit_on[of] / self.amount[:, None]
        self.unit_rate = sign[:, None] * terms.unit_rate[of] / self.scale[:, None]
        self.source_rate = sign[:, None] * terms.source_rate[of] / self.scale[:, None]
        series = case.unit_available, case.source_min_mw, case.source_max_mw
        low, high = bounds_of_use(terms, case.units, *series)
        self.low = np.where(upper, low[:, of], -high[:, of])  # (n, nr) least signed use
        self.high = np.where(upper, high[:, of], -low[:, of])
        self.ends = np.diff(terms.period, axis=0, append=-1) != 0  # (n, nb) last hour of a period

    def first(self) -> Balance:
        """Before the first hour of the horizon."""
        none = np.zeros(len(self.case.budgets))
        price = self.first_price[0].copy() if self.size else np.zeros(0)
        return Balance(none, price, none, np.zeros(self.size))

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
        return start._replace(used=used, price=self.first_price[t0].copy())

    def recorded(self, t0: int, used: FloatArray, price: FloatArray) -> Balance:
        """Before hour `t0` as a results file has it: use of the hour before's period, running prices (nr,)."""
        fresh = self.terms.period[t0] != self.terms.period[t0 - 1]
        return self.first()._replace(used=np.where(fresh, 0.0, used), price=price.copy())

    # -- rows of a window

    def keys(self, t0: int, hours: int, balance: Balance) -> Keys:
        """A row for each limit and each of its periods in the window."""
        row, mask, limit, value = [], [], [], []
        for r in range(self.size):
            period = self.terms.period[:, self.of[r]]
            seen = period[t0 : t0 + hours]
            for p in range(int(seen[0]), int(seen[-1]) + 1):
                inside = seen == p
                last = t0 + hours - 1
                goes_on = p == seen[-1] and last + 1 < period.size and period[last + 1] == p
                now = p == seen[0]
                at = t0 + int(np.argmax(inside))
                left = self.limit[at, r] - (self.sign[r] * balance.used[self.of[r]] if now else 0.0)
                worth = 0.0
                if goes_on:
                    later = np.flatnonzero(period == p)
                    later = later[later > last]
                    if self.daily[r]:
                        left *= self._share(np.flatnonzero(inside) + t0, later, self.of[r])
                    else:
                        left -= float(self.low[later, r].sum())
                        worth = float(balance.price[r] if now else self._begin(r, at, balance))
                most = float(self.high[t0 : t0 + hours, r][inside].sum())
                row.append(r)
                mask.append(inside.astype(np.float64))
                # more than all members can use is no limit: smaller numbers are kinder to the solver
                limit.append(min(left, most + 0.01 * abs(most) + 0.01 * self.amount[r]))
                value.append(worth)
        return Keys(np.array(row, dtype=np.int64), np.array(mask).reshape(-1, hours), np.array(limit), np.array(value))

    def _share(self, inside: IntArray, later: IntArray, k: int) -> float:
        pace = self.terms.pace[:, k]
        here, rest = float(pace[inside].sum()), float(pace[later].sum())
        return here / (here + rest)

    def _begin(self, r: int, t: int, balance: Balance) -> float:
        """Running price of a period that begins at hour `t`: its own first one, moved as the one before has moved."""
        own, before = self.first_price[t, r], self.first_price[t - 1, r]
        return self._kept(r, own + balance.price[r] - before) if own > 0.0 else 0.0

    def _kept(self, r: int, price: float) -> float:
        return min(max(price, 0.0), NEARLY * self.penalty[r])

    def rows(
        self, keys: Keys, *, free: IntArray, seg_unit: IntArray, box_unit: IntArray, plain: IntArray, boxes: int,
        ramped: IntArray, ramp_unit: IntArray, given: FloatArray, source_base: FloatArray,
    ) -> tuple[Budgets, float]:  # fmt: skip
        """The rows in the scaled arrays of a window, and what the use that is there anyway costs at their values.

        Parameters
        ----------
        free : rows of units with a relaxed on-count
        seg_unit : row of units of each of their segments
        box_unit, plain : row of units of each of the first boxes, source of each of the next; `boxes` in all
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
        hourly = (given @ self.unit_on[row].T + source_base @ self.source_rate[row].T) * keys.hours.T
        anyway, value = hourly.sum(axis=0), keys.value * self.money_scale[row]
        budgets = Budgets(
            hours=keys.hours,
            unit=self.unit_on[row][:, free],
            seg=self.unit_rate[row][:, seg_unit],
            box=box,
            ramp_seg=np.hstack((self.source_rate[row][:, ramped], self.unit_rate[row][:, ramp_unit])),
            limit=keys.limit / self.amount[row] - anyway,
            value=value,
            cost=self.penalty[row] * self.money_scale[row],
        )
        return budgets, float(value @ anyway)

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

    def row_prices(self, most: FloatArray, least: FloatArray) -> FloatArray:
        """(nr,) of running prices (nb,) as `datasets` has them."""
        return np.where(self.sign > 0, most[self.of], least[self.of])

    # -- hours lived

    def use(self, on: IntArray, unit_mw: FloatArray, source_mw: FloatArray) -> FloatArray:
        """(T, nb) use of hours with units on (T, nu) and outputs."""
        terms = self.terms
        if not self.size:
            return np.zeros((len(on), 0))
        above = unit_mw - on * self.case.units["p_min_mw"].to_numpy(dtype=np.float64)
        return on @ terms.unit_on.T + above @ terms.unit_rate.T + source_mw @ terms.source_rate.T

    def live(self, t0: int, use: FloatArray, balance: Balance, binding: tuple[int, ...]) -> tuple[Lived, Balance]:
        """Account for the hours from `t0` with their use (T, nb); what they used, and the balance after them."""
        terms, n = self.terms, len(use)
        used, total = np.zeros_like(use), balance.used.copy()
        excess, missing = np.zeros_like(use), np.zeros_like(use)
        price = balance.price.copy()
        for t in range(n):
            now = t0 + t
            most, least = terms.at_most[now] * (1.0 + DUST), terms.at_least[now] * (1.0 - DUST)
            before = total.copy()
            total = total + use[t]
            used[t] = total
            excess[t] = np.maximum(total - most, 0.0) - np.maximum(before - most, 0.0) if total.size else 0.0
            ends = self.ends[now] if self.size else np.zeros(0, dtype=bool)
            missing[t] = np.where(ends, np.maximum(least - total, 0.0), 0.0)
            if ends.any() and now + 1 < len(terms.period):
                price = self._turn(now + 1, ends, balance._replace(price=price))
                total = np.where(ends, 0.0, total)
        cost = (excess + missing) @ self.penalty_of_budget
        after = Balance(total, price, balance.recent_use, balance.recent_pace, binding)
        return Lived(use, used, excess, missing, cost), self._steered(t0, use, after) if self.size else after

    def _turn(self, t: int, ends: BoolArray, balance: Balance) -> FloatArray:
        """Running prices (nr,) where the periods of some budgets begin at hour `t`."""
        return np.array(
            [self._begin(r, t, balance) if ends[self.of[r]] else balance.price[r] for r in range(self.size)]
        )

    def _steered(self, t0: int, use: FloatArray, balance: Balance) -> Balance:
        """With the running prices moved for what was used since hour `t0`, and the fading sums carried on."""
        terms, n, of = self.terms, len(use), self.of
        fade = np.exp(-n / MEMORY_H)
        at = slice(t0, t0 + n)
        allowed = (np.where(np.isfinite(self.limit[at]), self.limit[at], 0.0) * terms.pace[at][:, of]).sum(axis=0)
        recent_use = fade * balance.recent_use + use.sum(axis=0)
        recent_pace = fade * balance.recent_pace + allowed
        price, now = balance.price.copy(), t0 + n
        for r in range(self.size):
            k = of[r]
            if self.daily[r] or now >= len(terms.period) or terms.period[now, k] != terms.period[now - 1, k]:
                continue
            later = np.flatnonzero(terms.period[:, k] == terms.period[now, k])
            to_come = self.limit[now, r] * float(terms.pace[later[later >= now], k].sum())
            left = self.limit[now, r] - self.sign[r] * balance.used[k]
            if to_come == 0.0 or recent_pace[r] == 0.0:
                continue
            b, needed = self.sign[r] * recent_use[k] / recent_pace[r], left / to_come
            move = float(np.clip(self.sign[r] * (b - needed), -MOST_MOVE, MOST_MOVE))
            days = (int(later[-1]) + 1 - now) / 24.0
            gain = min(max(NEAR_END / days, GAIN), MOST_GAIN)
            price[r] = self._kept(r, price[r] + gain * n / 24.0 * move * terms.slope[k])
        return balance._replace(price=price, recent_use=recent_use, recent_pace=recent_pace)
