"""What a budget is expected to use hour by hour at a price of its use: a merit order of the horizon, made once.

Its use at some prices, and straight lines between them, which round the edges of the order. Two things are added that a
merit order does not know. Members answer to any price a little (`YIELDING`), so that the outlook always falls with it.
And it is off, by an amount per hour that `balance` learns from what was used.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from gridsim.kernels.jit import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from gridsim.case import BudgetTerms

NEARLY = 0.999  # of the penalty: no price is above it
EVEN, BEYOND = 80, 8  # prices: so many up to STEEP times that at which use is as dear as energy, so many above it
STEEP = 4.0
LEVELLING, LEVELS = ("pumped_hydro", "battery", "caes"), 48  # techs of stores of electricity; parts of their energy
YIELDING = 0.01  # share of use that goes for each log(1 + price / worth)


class Fleet(NamedTuple):
    """Everything that budgets are told about a case."""

    units: pd.DataFrame
    sources: pd.DataFrame
    available: IntArray  # (n, nu)
    floor_mw: FloatArray  # (n, nu) of ONE unit on
    ceiling_mw: FloatArray  # (n, nu)
    source_lo: FloatArray  # (n, ns)
    source_hi: FloatArray
    load_mw: FloatArray  # (n,)
    full_load_cost: FloatArray  # (nu,) currency/MWh
    seg_mw: FloatArray  # (nu, K) of ONE unit
    seg_cost: FloatArray  # (nu, K)
    stores: pd.DataFrame


class Outlook(NamedTuple):
    """Of one budget; n hours, G prices."""

    prices: FloatArray  # (G,) of a unit of use, rising; below zero use is paid for
    use: FloatArray  # (n, G) in each hour at each of them, falling with the price
    weight: FloatArray  # (n,) how the hours share what the outlook is off by
    off: float  # that to begin with, per weight

    def price(self, at: IntArray | BoolArray, amount: FloatArray, off: float) -> FloatArray:
        """At which some hours together use an amount, where the outlook is off by so much; within the prices."""
        total = np.maximum(self.use[at].sum(axis=0) + off * self.weight[at].sum(), 0.0)
        prices: FloatArray = np.interp(amount, total[::-1], self.prices[::-1])
        return prices

    def used_at(self, at: IntArray | BoolArray, price: float) -> FloatArray:
        """In each of some hours, as far as the outlook is right."""
        return self.used(at, np.full(self.weight[at].size, price))

    def used(self, at: IntArray | BoolArray | slice, prices: FloatArray) -> FloatArray:
        """In each of some hours at its own price, as far as the outlook is right."""
        use = self.use[at]
        right = np.clip(np.searchsorted(self.prices, prices), 1, self.prices.size - 1)
        left, hours = right - 1, np.arange(len(use))
        share = np.clip((prices - self.prices[left]) / (self.prices[right] - self.prices[left]), 0.0, 1.0)
        between: FloatArray = (1.0 - share) * use[hours, left] + share * use[hours, right]
        return between

    def off_at(self, at: IntArray | BoolArray, price: float, amount: float) -> float:
        """By how much the outlook must be off for some hours to use an amount at a price."""
        return (amount - float(self.used_at(at, price).sum())) / max(float(self.weight[at].sum()), 1e-12)


def no_outlook(hours: int) -> Outlook:
    """Of a budget by the day, which needs none."""
    return Outlook(np.array([0.0, 1.0]), np.zeros((hours, 2)), np.zeros(hours), 0.0)


def prices_of_use(penalty: float, worth: float, *, most: bool, least: bool) -> FloatArray:
    """The prices that an outlook is made for, up to (nearly) the penalty; below zero for a least use."""
    ceiling = NEARLY * penalty
    even = np.linspace(0.0, min(ceiling, STEEP * worth), EVEN + 1)
    beyond = np.geomspace(even[-1], ceiling, BEYOND + 1)[1:] if ceiling > even[-1] else np.zeros(0)
    one_way = np.concatenate((even, beyond))
    return np.concatenate((-one_way[:0:-1] if least else np.zeros(0), one_way if most else one_way[:1]))


class MeritOrder(NamedTuple):
    """A merit order of sources and of segments of units, hour by hour.

    What a unit costs whatever its output is spread over all of it, so that its segments come to its cost at full load.
    """

    need: FloatArray  # (n,) load above what runs anyway
    room: FloatArray  # (members of the order, n)
    cost: FloatArray  # (members,)
    rate: FloatArray  # (members,) use of a MWh
    base: FloatArray  # (n,) use of what runs anyway
    worth: float  # price at which use is as dear as energy

    @classmethod
    def of(cls, fleet: Fleet, terms: "BudgetTerms", k: int) -> "MeritOrder":
        units, sources = fleet.units, fleet.sources
        p_min, p_max = (units[c].to_numpy(dtype=np.float64) for c in ("p_min_mw", "p_max_mw"))
        must = units["must_run"].to_numpy(dtype=bool)
        floor = fleet.available * np.where(must, fleet.floor_mw, 0.0)
        width = np.column_stack((np.where(must, 0.0, p_min), fleet.seg_mw))
        step = np.column_stack((fleet.seg_cost[:, :1], fleet.seg_cost))
        over = p_max * fleet.full_load_cost - step[:, 0] * p_min - (fleet.seg_mw * fleet.seg_cost).sum(axis=1)
        step = step + np.where(p_max > 0, over / np.maximum(p_max, 1e-9), 0.0)[:, None]
        unit, segment = np.nonzero(width > 0)
        begin = np.column_stack((np.zeros(len(p_min)), p_min[:, None] + np.cumsum(fleet.seg_mw, axis=1) - fleet.seg_mw))
        low, high = begin[unit, segment], (begin + width)[unit, segment]
        low = np.maximum(low, np.where(must[unit], fleet.floor_mw[:, unit], 0.0))
        room = fleet.available[:, unit] * np.maximum(np.minimum(high, fleet.ceiling_mw[:, unit]) - low, 0.0)
        room = np.hstack((room, np.maximum(fleet.source_hi - fleet.source_lo, 0.0)))
        full = (terms.unit_on[k] + terms.unit_rate[k] * (p_max - p_min)) / np.maximum(p_max, 1e-9)
        rate = np.concatenate((full[unit], terms.source_rate[k]))
        cost = np.concatenate((step[unit, segment], sources["cost"].to_numpy(dtype=np.float64)))
        base = floor @ full + fleet.source_lo @ terms.source_rate[k]
        need = fleet.load_mw - floor.sum(axis=1) - fleet.source_lo.sum(axis=1)
        free = np.maximum(fleet.source_hi - fleet.source_lo, 0.0)[:, sources["cost"].to_numpy() <= 0.0].sum(axis=1)
        need = np.maximum(levelled(need - free, fleet.stores) + free, 0.0)
        users = rate != 0
        typical = float(np.median(cost[np.isfinite(cost) & (cost > 0)])) if (cost > 0).any() else 1.0
        merit = np.where(np.isfinite(cost), cost, 0.0)
        return cls(need, np.ascontiguousarray(room.T), merit, rate, base, typical / float(np.abs(rate[users]).mean()))

    def use(self, price: float) -> FloatArray:
        """(n,) use in each hour where a unit of it costs `price` more."""
        use, left = self.base.copy(), self.need.copy()
        for j in np.argsort(self.cost + price * self.rate, kind="stable"):
            given = np.minimum(left, self.room[j])
            use += self.rate[j] * given
            left -= given
        return use

    def outlook(self, prices: FloatArray, counts: FloatArray, even: FloatArray) -> Outlook:
        """The outlook at some prices: of the hours that count, `even` (n,) being the limit spread evenly over them."""
        use = np.column_stack([self.use(price) for price in prices]) * counts[:, None]
        free = use[:, int(np.argmin(np.abs(prices)))]
        size = np.maximum(even, counts * free.sum() / max(float(counts.sum()), 1.0))
        yielding = YIELDING * np.sign(prices) * np.log1p(np.abs(prices) / self.worth)
        return Outlook(prices, np.maximum(use - size[:, None] * yielding, 0.0), 0.5 * (size + free), 0.0)


def levelled(net: FloatArray, stores: pd.DataFrame) -> FloatArray:
    """Net load with the peaks of each whole day moved into its valleys, as far as stores of electricity can. [MW]"""
    table = stores[stores["tech"].isin(LEVELLING) & (stores["eta_discharge"] > 0.0)]
    energy = float(((table["e_max_mwh"] - table["e_min_mwh"]) * table["eta_discharge"]).sum())
    power = float(table["p_discharge_max_mw"].sum())
    days = net.size // 24
    if not energy > 0.0 or not days:
        return net
    losing = energy / float((table["e_max_mwh"] - table["e_min_mwh"]).div(table["eta_charge"]).sum())
    before, row, part = net[: 24 * days].reshape(days, 24), np.arange(days), energy / LEVELS
    level = before.copy()
    for _ in range(LEVELS):
        top = np.argmax(np.where(before - level < power - part, level, -np.inf), axis=1)
        low = np.argmin(np.where(level - before < power - part, level, np.inf), axis=1)
        moved = part * (level[row, top] - level[row, low] > part * (1.0 + 1.0 / losing))
        level[row, top] -= moved
        level[row, low] += moved / losing
    return np.concatenate((level.ravel(), net[24 * days :]))
