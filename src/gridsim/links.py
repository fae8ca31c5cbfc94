"""Embedded DC links that lose something and run both ways: a row of `Case.links` for each way, never both at once.

Each way is a flow of its own that loses its share where it arrives, so a window stays linear. Both at once would only
burn energy: of a MW more each way the ends lose ``share`` times the sum of their prices, which cannot pay unless that
sum is negative. Where it is 0, a hair on every MW keeps a link idle. Where it is negative, the lived hour has the one
flow that leaves the network as it is, and what is no longer burnt is taken off sources at its bus or spilled there.
"""

import numpy as np

from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.step import DUST_MW, Fleet, Hour


def pairs(case: Case) -> tuple[IntArray, IntArray]:
    """Rows of links that have a way back, and those of the way back."""
    index, way = (case.links[name].to_numpy(dtype=np.int64) for name in ("element_index", "way"))
    back = np.flatnonzero((way[1:] < 0) & (index[1:] == index[:-1])) + 1
    return back - 1, back


def one_way(case: Case, f: Fleet, h: Hour) -> None:
    """Replace the planned flows of links in both ways at once by the one flow that does the same to the network."""
    ahead, back = pairs(case)
    there, here = h.link[:, ahead].clip(min=0.0), h.link[:, back].clip(min=0.0)
    if not np.minimum(there, here).any():
        return
    arrives = f.link_arrives[ahead]
    h.link[:, ahead] = np.maximum(0.0, there - here / arrives)
    h.link[:, back] = np.maximum(0.0, here - there / arrives)
    for rows, other, before, against in ((ahead, back, there, here), (back, ahead, here, there)):
        surplus = (before - arrives * against) - (h.link[:, rows] - arrives * h.link[:, other])
        for t, k in zip(*np.nonzero(surplus > DUST_MW), strict=True):
            _give_way(case, f, h, int(t), int(f.link_from[rows[k]]), float(surplus[t, k]))


def _give_way(case: Case, f: Fleet, h: Hour, t: int, bus: int, surplus: float) -> None:
    """Take a surplus off sources at a bus that no ramp holds, and spill the rest there."""
    free = ~np.isfinite(case.sources["ramp_mw_per_h"].to_numpy(dtype=np.float64))
    for j in np.flatnonzero((f.source_bus == bus) & free):
        part = min(surplus, max(0.0, float(h.source[t, j] - h.source_lo[t, j])))
        h.source[t, j] -= part
        surplus -= part
    h.spill[t, bus] += surplus


def idle_cost(case: Case, hair: float) -> FloatArray:
    """(links,) cost of a MW that keeps a link idle which nothing is gained by: a hair where both ways are open."""
    out = np.zeros(len(case.links))
    out[np.concatenate(pairs(case))] = hair
    return out
