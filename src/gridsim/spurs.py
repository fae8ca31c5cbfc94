"""Spurs: a bus at sea with nothing but sources, which one DC link takes ashore.

Nothing else stands in the island of such a bus, so its balance says what the link carries: all that the sources give.
A window therefore has neither the balance of the island nor the link as something to decide. A MW fed in at the bus
counts as what arrives of it, and adds to a line row what the link adds beside it::

    arrives = 1 - loss_share,      H[:, bus] + H[:, link]                                         (1)

What the sources could give beyond the rating of the link is cut pro rata before anyone dispatches them, as the limit
of their own connection. The lived hour has the link again, with its loss, and the island balances as any other.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.step import DUST_MW, Hour


class Spurs(NamedTuple):
    """One row per spur, n in all; ns sources."""

    bus: IntArray  # (n,)
    link: IntArray  # (n,) row of the link
    arrives: FloatArray  # (n,) share of what is fed in that comes ashore
    most_mw: FloatArray  # (n,) rating of the link
    of_source: IntArray  # (ns,) spur of each source, -1 for those elsewhere

    def serves(self) -> FloatArray:
        """(ns,) what a MW of each source adds to the balance of the grid."""
        return np.where(self.of_source >= 0, np.append(self.arrives, 1.0)[self.of_source], 1.0)

    def sent(self, source_mw: FloatArray) -> FloatArray:
        """(T, n) what the sources (T, ns) of each spur give together. [MW]"""
        here = self.of_source[:, None] == np.arange(self.bus.size)
        together: FloatArray = source_mw @ here.astype(np.float64)
        return together

    def through(self, H: FloatArray, nb: int) -> FloatArray:
        """Rows of H, its columns buses (nb,), links and others, with the links in the columns of their buses: (1)."""
        out = H.copy()
        out[:, self.bus] += H[:, nb + self.link]
        return out

    def apart(self, H: FloatArray, nb: int) -> FloatArray:
        """What `through` has joined, apart again."""
        out = H.copy()
        out[:, self.bus] -= H[:, nb + self.link]
        return out

    def cut(self, high: FloatArray, own_mw: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`high` (T, ns) as far as the links carry it, and what own connections cut in all. [MW]"""
        left = np.minimum(1.0, self.most_mw / np.maximum(self.sent(high), 1e-9))
        share = np.hstack((left, np.ones((len(high), 1))))[:, self.of_source]
        return high * share, own_mw + high * (1.0 - share)

    def settle(self, h: Hour) -> None:
        """Take outputs a hair off a bound for that bound, as the step does, and let the links carry what is given."""
        ours = self.of_source >= 0
        low, high = h.source_lo[:, ours], h.source_hi[:, ours]
        given = h.source[:, ours]
        given = np.where(given <= low + DUST_MW, low, np.where(given >= high - DUST_MW, high, given))
        h.source[:, ours] = given
        h.link[:, self.link] = self.sent(h.source)


def find(
    buses: pd.DataFrame, links: pd.DataFrame, source_bus: IntArray, others: IntArray, bound: FloatArray, low: FloatArray
) -> Spurs:
    """The spurs of a grid.

    Parameters
    ----------
    buses, links : rows of BUS_COLUMNS and what stands with them, and of LINK_COLUMNS
    source_bus : (ns,)
    others : buses of units, stores and loads
    bound : (ns,) largest change of each source in an hour; one that has a limit is no source of a spur
    low : (T, ns) least output of each source; a spur gives nothing that it need not
    """
    begins, ends, way = (links[name].to_numpy(dtype=np.int64) for name in ("from_row", "to_row", "way"))
    island, made = buses["island"].to_numpy(dtype=np.int64), (buses["bus_id"] < 0).to_numpy(dtype=bool)
    apart = np.isin(island, island[made & buses["reference"].to_numpy(dtype=bool)])  # from the largest island
    alone = apart & ~made & (np.bincount(island, minlength=1)[island] == 2)  # with the reference made for it
    touched = np.bincount(np.concatenate((begins, ends)), minlength=island.size)
    tied = source_bus[np.isfinite(bound) | (low != 0.0).any(axis=0)]
    fits = alone & (touched == 1)
    fits[np.concatenate((others, tied))] = False
    link = np.flatnonzero(
        fits[begins] & ~fits[ends] & (way == 1) & (links["p_min_mw"].to_numpy(dtype=np.float64) == 0.0)
    )
    bus = begins[link]
    spur_of_bus = np.full(island.size, -1, dtype=np.int64)
    spur_of_bus[bus] = np.arange(bus.size)
    arrives = 1.0 - links["loss_share"].to_numpy(dtype=np.float64)[link]
    return Spurs(bus, link, arrives, links["p_max_mw"].to_numpy(dtype=np.float64)[link], spur_of_bus[source_bus])


def no_spurs(sources: int) -> Spurs:
    """Where no network is."""
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Spurs(none, none, nothing, nothing, np.full(sources, -1, dtype=np.int64))


def spurs_of(case: Case) -> Spurs:
    """The spurs of a case."""
    others = np.concatenate(
        [table["bus_row"].to_numpy(dtype=np.int64) for table in (case.units, case.stores, case.loads)]
    )
    sources = case.sources
    return find(
        case.buses, case.links, sources["bus_row"].to_numpy(dtype=np.int64), others,
        sources["ramp_mw_per_h"].to_numpy(dtype=np.float64), case.source_min_mw,
    )  # fmt: skip
