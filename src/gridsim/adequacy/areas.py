"""Areas between which power is carried, and the cuts that may hold it back.

An area is a zone of the net (a city), or the part of one that is left in one piece when the branches of interfaces are
taken away: Nanjing north and south of the river are two. An area without load joins the neighbour to which it has the
strongest lines. Inside an area nothing limits power; between areas it is carried like water in pipes (a transport
model: Kirchhoff's second law is left out).

The load of a set S of areas can be served if and only if for S and every set like it ::

    load(S) - available(S) <= L(S)                                                                     (1)

where L(S) is the most that branches, DC links and interfaces carry into S. Without interfaces that is the theorem of
Hoffman (1960), and L(S) the sum of ratings; an interface all of whose members lead into S puts its limit in the place of
their sum. An interface that crosses S in part only does not count for S. Sets that cannot come near (1) in the
year are left out, so a few dozen of the 2^n sets stay.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from gridsim.case import Case
from gridsim.errors import InputError, Problem
from gridsim.forced import Outages
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray

MOST_AREAS = 16
MOST_CUTS = 64
_MOST_BUNDLES = 6  # interfaces of several branches that may bind together


class Bundle(NamedTuple):
    """Branches and links whose sum is limited, and the way in which each counts."""

    members: IntArray  # columns of `Areas.first`
    sign: FloatArray  # 1: counts from first to second area
    limit_mw: float
    reverse_mw: float


class Areas(NamedTuple):
    """A areas; E branches and links between different ones."""

    zone: tuple[str, ...]  # of each area
    of_bus: IntArray  # (nb,)
    branch: IntArray  # (E,) row in the branches of the case; -1: a link
    link: IntArray  # (E,) row in the links; -1: a branch
    first: IntArray  # (E,) area at from_row
    second: IntArray
    ahead_mw: FloatArray  # (E,) most from first to second, all parts in service
    back_mw: FloatArray
    bundles: tuple[Bundle, ...]

    @property
    def n(self) -> int:
        return len(self.zone)


class Cuts(NamedTuple):
    """Sets of areas that may be short, smaller ones first; the last is all of them."""

    inside: BoolArray  # (K, A)
    # R sums of what leads into a set, several of one set where interfaces bind: the least of them is its L
    cut: IntArray  # (R,) row of `inside`
    fixed_mw: FloatArray  # (R,) limits of the interfaces in the sum
    ahead: BoolArray  # (R, E) branches and links that count besides, from first to second area
    back: BoolArray


def make_areas(case: Case, *, copper: bool) -> Areas:
    """The areas of a case; all one where the network does not matter. Raises InputError where there are too many."""
    of_bus, zone = _one_area(case) if copper else _split(case)
    if len(zone) > MOST_AREAS:
        rule = (
            f"must have at most {MOST_AREAS} zones with load, or be one area (grid.enforce=copper): it has {len(zone)}"
        )
        raise InputError(case.name, [Problem("bus.zone", rule)])
    ends = [of_bus[case.branches[side].to_numpy(dtype=np.int64)] for side in ("from_row", "to_row")]
    of_links = [of_bus[case.links[side].to_numpy(dtype=np.int64)] for side in ("from_row", "to_row")]
    rating = case.branches["rating_mw"].to_numpy(dtype=np.float64)
    b, k = (np.flatnonzero(first != second) for first, second in (ends, of_links))
    least, most, lost = (case.links[c].to_numpy(dtype=np.float64)[k] for c in ("p_min_mw", "p_max_mw", "loss_share"))
    none = np.full
    areas = Areas(
        tuple(zone), of_bus, np.concatenate((b, none(k.size, -1))), np.concatenate((none(b.size, -1), k)),
        *(np.concatenate((one[b], other[k])) for one, other in zip(ends, of_links, strict=True)),
        np.concatenate((rating[b], most * (1.0 - lost))), np.concatenate((rating[b], np.maximum(-least, 0.0))), (),
    )  # fmt: skip
    return _with_interfaces(areas, case)


def _one_area(case: Case) -> tuple[IntArray, list[str]]:
    return np.zeros(len(case.buses), dtype=np.int64), ["all"]


def _split(case: Case) -> tuple[IntArray, list[str]]:
    """Pieces of zones, those without load merged into neighbours."""
    nb, nbr = len(case.buses), len(case.branches)
    zone = [str(name) for name in case.buses["zone"]]
    begin, end = (case.branches[side].to_numpy(dtype=np.int64) for side in ("from_row", "to_row"))
    rating = np.minimum(case.branches["rating_mw"].to_numpy(dtype=np.float64), 1e6)
    counted = (case.interface_weight[:, :nbr] != 0).any(axis=0)
    piece = _pieces(nb, [(a, b) for a, b, c in zip(begin, end, counted, strict=True) if zone[a] == zone[b] and not c])
    loaded = set(piece[case.loads["bus_row"].to_numpy(dtype=np.int64)].tolist())
    while True:  # an area outside may hang on another one outside
        ties: dict[int, dict[int, float]] = {}
        for a, b, mw in zip(piece[begin], piece[end], rating, strict=True):
            if a != b:
                for one, other in ((int(a), int(b)), (int(b), int(a))):
                    ties.setdefault(one, {}).setdefault(other, 0.0)
                    ties[one][other] += float(mw)
        alone = [p for p in sorted(ties) if p not in loaded]
        if not alone:
            break
        best = max(sorted(ties[alone[0]]), key=lambda other, p=alone[0]: (other in loaded, ties[p][other]))
        piece[piece == alone[0]] = best
    number = {int(p): k for k, p in enumerate(dict.fromkeys(piece.tolist()))}
    of_bus = np.array([number[int(p)] for p in piece], dtype=np.int64)
    load = np.zeros((len(number), len(set(zone))))
    names = sorted(set(zone))
    at = case.loads["bus_row"].to_numpy(dtype=np.int64)
    np.add.at(load, (of_bus[at], [names.index(zone[b]) for b in at]), case.load_mw.mean(axis=0) + 1e-9)
    return of_bus, [names[int(k)] for k in load.argmax(axis=1)]


def _pieces(n: int, pairs: list[tuple[int, int]]) -> IntArray:
    """The smallest member of each one's connected piece."""
    root = list(range(n))

    def find(a: int) -> int:
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        return a

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        root[high] = low
    return np.array([find(a) for a in range(n)], dtype=np.int64)


def _with_interfaces(areas: Areas, case: Case) -> Areas:
    """Interfaces of one branch narrow it; those of several are bundles. Weights other than 1 and -1 have no part."""
    nbr = len(case.branches)
    column = np.where(areas.branch >= 0, areas.branch, nbr + areas.link)
    ahead, back, bundles = areas.ahead_mw.copy(), areas.back_mw.copy(), []
    limits = case.interfaces[["limit_mw", "reverse_limit_mw"]].to_numpy(dtype=np.float64)
    for weight, (limit, reverse) in zip(case.interface_weight, limits, strict=True):
        members = np.flatnonzero(weight[column])
        if not members.size or np.count_nonzero(weight) > members.size or (np.abs(weight[weight != 0]) != 1).any():
            continue
        sign = weight[column[members]]
        if members.size == 1:
            e, (to, fro) = members[0], (limit, reverse) if sign[0] > 0 else (reverse, limit)
            ahead[e], back[e] = min(ahead[e], to), min(back[e], fro)
        else:
            bundles.append(Bundle(members, sign, float(limit), float(reverse)))
    return areas._replace(ahead_mw=ahead, back_mw=back, bundles=tuple(bundles[:_MOST_BUNDLES]))


def make_cuts(areas: Areas, deficit_mw: FloatArray) -> Cuts:
    """The sets that could be short.

    Parameters
    ----------
    areas : Areas
    deficit_mw : (steps, A)
        Load less what is there at the worst, for the worst steps of the year.
    """
    n = areas.n
    whole = (1 << n) - 1
    masks = np.arange(1, whole + 1, dtype=np.int64)
    inside = ((masks[:, None] >> np.arange(n)) & 1).astype(bool)
    sums = _sums(areas, inside)
    limit = np.min([into for into, _ in sums], axis=0)
    limit[-1] = 0.0
    short = (deficit_mw @ inside.T.astype(np.float64)).max(axis=0) - limit
    near = [k for k in np.flatnonzero(short > 0) if k == whole - 1 or _connected(areas, inside[k])]
    near = sorted(near, key=lambda k: -short[k])[:MOST_CUTS]
    kept = sorted({*near, whole - 1}, key=lambda k: (inside[k].sum(), k))
    rows: list[tuple[int, float, BoolArray, BoolArray]] = []
    for row, k in enumerate(kept):
        ahead = ~inside[k][areas.first] & inside[k][areas.second]
        back = inside[k][areas.first] & ~inside[k][areas.second]
        seen = set()
        for _, group in sums:
            fixed, left = _fixed(areas, group, inside[k])
            if fixed is None or left.tobytes() in seen:
                continue
            seen.add(left.tobytes())
            rows.append((row, fixed, ahead & left, back & left))
    return Cuts(
        inside[kept],
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.float64),
        np.array([row[2] for row in rows], dtype=bool).reshape(len(rows), -1),
        np.array([row[3] for row in rows], dtype=bool).reshape(len(rows), -1),
    )


def _sums(areas: Areas, inside: BoolArray) -> list[tuple[FloatArray, tuple[int, ...]]]:
    """What leads into each set if the interfaces of a group bind, for every group of disjoint ones; inf: they cannot."""
    enters = ~inside[:, areas.first] & inside[:, areas.second]
    leaves = inside[:, areas.first] & ~inside[:, areas.second]
    each = np.where(enters, areas.ahead_mw, 0.0) + np.where(leaves, areas.back_mw, 0.0)
    total = each.sum(axis=1)
    of_bundle = []
    for bundle in areas.bundles:
        way = (enters[:, bundle.members].astype(float) - leaves[:, bundle.members]) * bundle.sign
        most = np.where((way == 1).all(axis=1), bundle.limit_mw, np.inf)
        most = np.where((way == -1).all(axis=1), bundle.reverse_mw, most)
        of_bundle.append((most, each[:, bundle.members].sum(axis=1)))
    out = []
    for size in range(len(areas.bundles) + 1):
        for group in combinations(range(len(areas.bundles)), size):
            members = [m for k in group for m in areas.bundles[k].members]
            if len(set(members)) < len(members):
                continue
            into = total.copy()
            for k in group:
                into += of_bundle[k][0] - of_bundle[k][1]
            out.append((np.where(np.isnan(into), np.inf, into), group))
    return out


def _fixed(areas: Areas, group: tuple[int, ...], inside: BoolArray) -> tuple[float | None, BoolArray]:
    """Limits of a group of interfaces into one set, None where they do not lead into it; what counts besides."""
    fixed, left = 0.0, np.ones(areas.first.size, dtype=bool)
    for k in group:
        bundle = areas.bundles[k]
        first, second = inside[areas.first[bundle.members]], inside[areas.second[bundle.members]]
        way = (second.astype(float) - first) * bundle.sign
        if not ((way == 1).all() or (way == -1).all()):
            return None, left
        fixed += bundle.limit_mw if way[0] == 1 else bundle.reverse_mw
        left[bundle.members] = False
    return fixed, left


def _connected(areas: Areas, inside: BoolArray) -> bool:
    """Whether a set hangs together: the shortage of one that does not is that of its parts."""
    pairs = [(a, b) for a, b in zip(areas.first, areas.second, strict=True) if inside[a] and inside[b]]
    return len(set(_pieces(areas.n, pairs)[inside].tolist())) == 1


def cut_limits(areas: Areas, cuts: Cuts, case: Case, outages: Outages | None) -> FloatArray:
    """L of every cut in every step, (T, K); (1, K) where nothing is out and no rating moves. [MW]"""
    moving = set(case.rated.tolist())
    circuits = outages.circuits if outages is not None else np.zeros((0, 4), dtype=np.int64)
    out_of = {int(b) for b in circuits[:, 0]}
    changes: list[tuple[int, FloatArray]] = []  # edge, share left
    for e, (b, k) in enumerate(zip(areas.branch, areas.link, strict=True)):
        if b >= 0 and (int(b) in moving or int(b) in out_of):
            changes.append((e, _share_left(case, int(b), circuits)))
        elif k >= 0 and outages is not None and (outages.link_left[:, k] < 1.0).any():
            changes.append((e, outages.link_left[:, k]))
    steps = case.steps if changes else 1
    rows = np.tile(cuts.fixed_mw + _counted(cuts.ahead, areas.ahead_mw) + _counted(cuts.back, areas.back_mw), (steps, 1))
    for e, share in changes:
        b = int(areas.branch[e])
        full = float(case.branches["rating_mw"].iloc[b]) if b >= 0 else np.inf
        for counted, mw in ((cuts.ahead[:, e], areas.ahead_mw[e]), (cuts.back[:, e], areas.back_mw[e])):
            left = np.minimum(mw, full * share) if b >= 0 else mw * share
            rows[:, counted] += (left - mw)[:, None]
    out = np.full((steps, len(cuts.inside)), np.inf)
    for r, cut in enumerate(cuts.cut):
        np.minimum(out[:, cut], rows[:, r], out=out[:, cut])
    out[:, -1] = 0.0
    return out


def _counted(rows: BoolArray, mw: FloatArray) -> FloatArray:
    return np.where(rows, mw, 0.0).sum(axis=1)


def _share_left(case: Case, b: int, circuits: IntArray) -> FloatArray:
    n = int(case.branches["circuits"].iloc[b])
    out = np.zeros(case.steps)
    for _, first, steps, count in circuits[circuits[:, 0] == b]:
        out[first : first + steps] += count
    share = np.maximum(n - out, 0.0) / n
    where = np.flatnonzero(case.rated == b)
    return share * case.rating_share[:, where[0]] if where.size else share
