"""What windows hand on: the state from one to the next, what a dispatch is given, which line rows are in force."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gridsim import losses
from gridsim.balance import Balance
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray
from gridsim.kernels.start import Prices
from gridsim.pumping import Modes

_NONE = np.zeros(0)
NO_BALANCE = Balance(_NONE, _NONE, _NONE)


@dataclass
class State:
    """Everything that one window hands to the next. MW and MWh.

    Individual units are those of the rows that are not must-run, row by row (`Windows.first_unit`). A part that a
    window has no use for is carried on as it is.
    """

    unit_on: BoolArray  # (individual units,)
    unit_hours: IntArray  # (individual units,) steps in the present state, outages included
    unit_out: BoolArray  # (individual units,) on planned outage
    unit_p_mw: FloatArray  # (rows of units,) output in the step before; NaN: not known
    ramp_p_mw: FloatArray  # (ramped sources,) output of the step before
    e_mwh: FloatArray  # (stores,)
    store_running: IntArray  # (2, stores) units that charge and that discharge in the hour before
    rows: "RowKeys"
    prices: Prices | None = None  # of the relaxed window, moved on to the next, with those of `rows`
    products: tuple[int, ...] = (1,)  # reserve products that had a price in the last dispatch
    budgets: Balance = NO_BALANCE
    tangents: losses.Tangents | None = None  # of the losses, that `rows` names


class Decided(NamedTuple):
    """What a dispatch is given: T hours, nu rows of units."""

    on: IntArray  # (T, nu) units on
    start: IntArray  # (T, nu) units started at the beginning of the hour
    # (T, nu) MW of an hour's ramp that rows set aside for reserve up, and answer with at most; inf: the ramp is free,
    # and only the response limits the answer
    hold_mw: FloatArray | None = None
    modes: Modes | None = None  # of stores with a least power; None: still open
    loss_max_mw: FloatArray | None = None  # (T, islands) most that may be lost, where more than is lost would be

    def as_free_as(self, other: "Decided") -> bool:
        """Whether the same modes and losses are given: only then is the cheaper dispatch the better one."""
        return self.modes is other.modes and self.loss_max_mw is other.loss_max_mw


class RowKeys(NamedTuple):
    """Line rows by what they watch: monitored element, after which outage, hour of the window, direction.

    Behind the elements stand the tangents of the losses (`Windows.tangents`).
    """

    hour: IntArray
    element: IntArray
    outage: IntArray  # number of the outage, -1: the network is whole
    sign: IntArray

    def take(self, which: Any) -> "RowKeys":
        """Some of the rows."""
        return RowKeys(*(part[which] for part in self))


def no_keys() -> RowKeys:
    none = np.zeros(0, dtype=np.int64)
    return RowKeys(none, none, none, none)
