"""Cost segments of units cut at what they can answer with, so that offers of reserve are linear (`kernels.problem`).

A unit that answers with at most A MW offers the headroom of its topmost A MW upwards, the output on its lowest A MW
downwards. Where A is its whole range nothing is cut.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import BoolArray, FloatArray, IntArray

NARROW = 1e-6  # of the unit's capacity: no segment is narrower, and no cut nearer to the end of one


class Segments(NamedTuple):
    """Cost segments of ONE unit of each row; n segments sorted by row."""

    row: IntArray  # (n,)
    mw: FloatArray  # (n,) width
    cost: FloatArray  # (n,) currency/MWh
    coef: FloatArray  # (n, np) what a MW on the segment does to the offer of each product: -1 up, +1 down


def cut_segments(
    seg_mw: FloatArray, seg_cost: FloatArray, p_max: FloatArray, response: FloatArray, is_up: BoolArray
) -> Segments:
    """Cut the segments (nu, K) of units that answer with `response` (nu, np), 0 where they do not."""
    row, mw, cost, coef = [], [], [], []
    for i in range(p_max.size):
        narrow = NARROW * p_max[i]
        at = np.flatnonzero(seg_mw[i] > 1e-9 * p_max[i])
        at = at if at.size else np.array([0])  # every unit keeps one, so that its output can be told from its minimum
        width = np.maximum(seg_mw[i, at], narrow)
        edges = np.concatenate(([0.0], np.cumsum(width)))
        cuts = np.where(is_up, edges[-1] - response[i], response[i])
        for cut in cuts[(response[i] > 0) & (np.abs(cuts[:, None] - edges).min(axis=1) > narrow)]:
            if np.abs(edges - cut).min() > narrow:
                place = int(np.searchsorted(edges, cut))
                edges = np.insert(edges, place, cut)
                width = np.insert(width, place, edges[place + 1] - cut)
                width[place - 1] = cut - edges[place - 1]
                at = np.insert(at, place, at[place - 1])
        above, below = edges[:-1, None] > cuts - 2 * narrow, edges[1:, None] < cuts + 2 * narrow
        row += [i] * at.size
        mw.append(width)
        cost.append(np.maximum.accumulate(seg_cost[i, at]))  # rounding of slopes that are the same
        coef.append(np.where(response[i] > 0, np.where(is_up, -1.0 * above, 1.0 * below), 0.0))
    none = np.zeros(0)
    return Segments(
        np.array(row, dtype=np.int64),
        np.concatenate([none, *mw]),
        np.concatenate([none, *cost]),
        np.concatenate([np.zeros((0, is_up.size)), *coef]),
    )
