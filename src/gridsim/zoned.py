"""Slacks in lumps: shedding and spilling by zone, losses by island, each shared out over its buses."""

from typing import NamedTuple

import numpy as np

from gridsim import losses
from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray


class Zoned(NamedTuple):
    """Shedding or spilling zone by zone: a column of H of its own for each zone, a fixed share for each bus in it.

    A window then needs a dozen slacks an hour instead of one per bus. Where a zone sheds, its buses shed together.
    """

    bus: IntArray  # (n,)
    group: IntArray  # (n,)
    share: FloatArray  # (n,) sums to 1 in each group
    groups: int
    first_column: int

    def columns(self, H: FloatArray) -> FloatArray:
        """(rows of H, groups) what one MW shared out over a group does."""
        out = np.zeros((self.groups, H.shape[0]))
        np.add.at(out, self.group, (H[:, self.bus] * self.share).T)
        return np.ascontiguousarray(out.T)

    def sum(self, values: FloatArray) -> FloatArray:
        """(T, n) to (T, groups)."""
        out = np.zeros((self.groups, len(values)))
        np.add.at(out, self.group, values.T)
        return np.ascontiguousarray(out.T)

    def split(self, values: FloatArray) -> FloatArray:
        """(T, groups) to (T, n)."""
        return values[:, self.group] * self.share

    def within(self, values: FloatArray, most: FloatArray) -> FloatArray:
        """`values` (T, n) held to `most`; what is cut goes to others of the group, in proportion to their room."""
        kept = np.minimum(values, most)
        over, room = self.sum(values - kept), self.sum(most - kept)
        part = np.minimum(1.0, over / np.maximum(room, 1e-12))
        return kept + (most - kept) * part[:, self.group]


def by_zone(case: Case, bus: IntArray, weight: FloatArray, first_column: int) -> Zoned:
    """Slacks at `bus` in one lump per zone, shared out by `weight`; a bus without zone is its own."""
    zone = case.buses["zone"].astype(str).to_numpy()[bus]
    label = np.where(zone == "", np.char.add("bus ", bus.astype(str)), zone)
    names, group = np.unique(label, return_inverse=True)
    total = np.bincount(group, weights=weight, minlength=names.size)
    size = np.bincount(group, minlength=names.size)
    share = np.where(total[group] > 0.0, weight / np.maximum(total[group], 1e-12), 1.0 / np.maximum(size[group], 1))
    return Zoned(bus, group.astype(np.int64), share, names.size, first_column)


def by_island(case: Case, lossy: bool, first_column: int) -> Zoned:
    """Losses, in one lump per island; none where nothing is lost."""
    if not lossy:
        none = np.zeros(0, dtype=np.int64)
        return Zoned(none, none, np.zeros(0), 0, first_column)
    share = losses.shares(case)
    island, bus = np.nonzero(share)
    return Zoned(bus, island, share[island, bus], len(share), first_column)
