"""Areas between which power is carried, and the cuts that may hold it back.

An area is a zone of the net (a city), or the part of one that is left in one piece when the branches of interfaces are
taken away: Nanjing north and south of the river are two. An area without load joins the neighbour to which it has the
strongest lines. Inside an area nothing limits power; between areas it is carried like water in pipes (a transport
model: Kirchhoff's second law is left out).

The load of a set S of areas can be served if and only if for S and every set like it ::

    load(S) - available(S) <= L(S)                                                                     (1)

where L(S) is the most that branches, DC links and interfaces carry into S. Without interfaces that is the theorem of
Hoffman (1960), and L(S) the sum of ratings; an interface all of whose members lead into S puts its limit in the place
of  that cannot come near (1) in the
year are left out, so a few dozen of the 2^n sets stay.
"""

from itertools import combinations, product
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
    behind: IntArray  # (nb,) link that is the only way to a bus at sea, whose area is that of the other end; -1: none
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
    ahead: FloatArray  # (R, E) how often each branch or link counts besides, from first to second area
    back: FloatArray


def make_areas(case: Case, *, copper: bool) -> Areas:
    """The areas of a case; all one where the network does not matter. Raises InputError where there are too many."""
    of_bus, behind, zone = _one_area(case) if copper else _split(case)
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
    sides = [np.concatenate((one[b], other[k])) for one, other in zip(ends, of_links, strict=True)]
    areas = Areas(
        zone=tuple(zone),
        of_bus=of_bus,
        behind=behind,
        branch=np.concatenate((b, np.full(k.size, -1))),
        link=np.concatenate((np.full(b.size, -1), k)),
        first=sides[0],
        second=sides[1],
        ahead_mw=np.concatenate((rating[b], most * (1.0 - lost))),
        back_mw=np.concatenate((rating[b], np.maximum(-least, 0.0))),
        bundles=(),
    )
    return _with_interfaces(areas, case)


def _one_area(case: Case) -> tuple[IntArray, IntArray, list[str]]:
    nb = len(case.buses)
    return np.zeros(nb, dtype=np.int64), np.full(nb, -1), ["all"]


def _split(case: Case) -> tuple[IntArray, IntArray, list[str]]:
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
        neighbours = ties[alone[0]]
        best = max((other in loaded, mw, -other) for other, mw in neighbours.items())
        piece[piece == alone[0]] = -best[2]
    behind = np.full(nb, -1)
    landing = (case.links[side].astype(int) for side in ("from_row", "to_row"))
    for k, (sea, land) in enumerate(zip(*landing, strict=True)):
        if piece[sea] not in loaded and int(piece[sea]) not in ties:
            at = piece == piece[sea]
            behind[at] = k
            piece[at] = piece[land]
    number = {int(p): k for k, p in enumerate(dict.fromkeys(piece.tolist()))}
    of_bus = np.array([number[int(p)] for p in piece], dtype=np.int64)
    load = np.zeros((len(number), len(set(zone))))
    names = sorted(set(zone))
    at = case.loads["bus_row"].to_numpy(dtype=np.int64)
    np.add.at(load, (of_bus[at], [names.index(zone[b]) for b in at]), case.load_mw.mean(axis=0) + 1e-9)
    return of_bus, behind, [names[int(k)] for k in load.argmax(axis=1)]


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
    short = (deficit_mw @ inside.T.astype(np.float64)).max(axis=0) - _limits(areas, inside)
    near = [k for k in np.flatnonzero(short > 0).tolist() if k == whole - 1 or _connected(areas, inside[k])]
    near = sorted(near, key=lambda k: -float(short[k]))[:MOST_CUTS]
    kept = sorted({*near, whole - 1}, key=lambda k: (int(inside[k].sum()), k))
    rows = [(row, *sums) for row, k in enumerate(kept) for sums in _rows(areas, inside[k])]
    return Cuts(
        inside[kept],
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.float64),
        np.array([row[2] for row in rows], dtype=np.float64).reshape(len(rows), -1),
        np.array([row[3] for row in rows], dtype=np.float64).reshape(len(rows), -1),
    )


def _ways(areas: Areas, inside: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Of each set and edge: whether it leads into the set from its first area, from its second. (S, E)"""
    first, second = inside[:, areas.first], inside[:, areas.second]
    return (~first & second).astype(np.float64), (first & ~second).astype(np.float64)


def _bound(
    bundle: Bundle, way: float, ahead: FloatArray, back: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What an interface changes in the sums of sets if its limit one way binds: (S,) fixed, (S, m) ahead, back.

    Members that lead into the set that way are bounded together by the limit and what the other members can carry
    against it: these sums take the place of their own.
    """
    counted = ahead if way > 0 else back  # of members with sign 1
    other = back if way > 0 else ahead
    into = np.where(bundle.sign > 0, counted, other)
    against_back = np.where(bundle.sign * way > 0, 1.0 - into, 0.0)  # a member counts against it by its way back
    against_ahead = np.where(bundle.sign * way < 0, 1.0 - into, 0.0)
    taken_ahead = np.where(bundle.sign * way > 0, into, 0.0)
    taken_back = np.where(bundle.sign * way < 0, into, 0.0)
    limit = bundle.limit_mw if way > 0 else bundle.reverse_mw
    fixed = np.where(into.any(axis=1), limit, np.inf)
    return fixed, against_ahead - taken_ahead, against_back - taken_back


def _groups(areas: Areas) -> list[tuple[Bundle, ...]]:
    """Interfaces that share no member, and none."""
    out = []
    for size in range(len(areas.bundles) + 1):
        for group in combinations(areas.bundles, size):
            members = [m for bundle in group for m in bundle.members.tolist()]
            if len(set(members)) == len(members):
                out.append(group)
    return out


def _limits(areas: Areas, inside: BoolArray) -> FloatArray:
    """L of every set with all in service, (S,). [MW]"""
    ahead, back = _ways(areas, inside)
    plain = ahead @ areas.ahead_mw + back @ areas.back_mw
    best = plain.copy()
    for group in _groups(areas):
        total = plain.copy()
        for bundle in group:
            at = bundle.members
            options = []
            for way in (1.0, -1.0):
                fixed, more, less = _bound(bundle, way, ahead[:, at], back[:, at])
                options.append(fixed + more @ areas.ahead_mw[at] + less @ areas.back_mw[at])
            total += np.minimum(0.0, np.minimum(*options))
        best = np.minimum(best, total)
    best[-1] = 0.0
    return best


def _rows(areas: Areas, inside: BoolArray) -> list[tuple[float, FloatArray, FloatArray]]:
    """All sums of one set that may be the least of them: what is fixed, and how often each branch counts each way."""
    ahead, back = _ways(areas, inside[None, :])
    out = []
    for group in _groups(areas):
        for ways in product((1.0, -1.0), repeat=len(group)):
            fixed, more, less = 0.0, ahead[0].copy(), back[0].copy()
            for bundle, way in zip(group, ways, strict=True):
                at = bundle.members
                of_limit, of_ahead, of_back = _bound(bundle, way, ahead[:, at], back[:, at])
                fixed += float(of_limit[0])
                more[at] += of_ahead[0]
                less[at] += of_back[0]
            if np.isfinite(fixed):
                out.append((fixed, more, less))
    return out


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
            changes.append((e, share_left(case, int(b), circuits)))
        elif k >= 0 and outages is not None and (outages.link_left[:, k] < 1.0).any():
            changes.append((e, outages.link_left[:, k]))
    full = cuts.fixed_mw + cuts.ahead @ areas.ahead_mw + cuts.back @ areas.back_mw
    if not changes:
        return _least(cuts, full[None, :])
    out = np.tile(_least(cuts, full[None, :]), (case.steps, 1))
    at = np.flatnonzero(np.any([share < 1.0 for _, share in changes], axis=0))
    rows = np.tile(full, (at.size, 1))
    for e, share in changes:
        rated = float(case.branches["rating_mw"].iloc[int(areas.branch[e])]) if areas.branch[e] >= 0 else np.inf
        for counted, mw in ((cuts.ahead[:, e], areas.ahead_mw[e]), (cuts.back[:, e], areas.back_mw[e])):
            left = np.minimum(mw, rated * share[at]) if areas.branch[e] >= 0 else mw * share[at]
            rows += np.outer(left - mw, counted)
    out[at] = _least(cuts, rows)
    return out


def _least(cuts: Cuts, rows: FloatArray) -> FloatArray:
    """The least sum of each cut, (steps, K)."""
    out = np.full((len(rows), len(cuts.inside)), np.inf)
    for r, cut in enumerate(cuts.cut):
        np.minimum(out[:, cut], rows[:, r], out=out[:, cut])
    out[:, -1] = 0.0
    return out


def share_left(case: Case, b: int, circuits: IntArray) -> FloatArray:
    """What outages and weather leave of a branch in each step, (T,)."""
    n = int(case.branches["circuits"].iloc[b])
    out = np.zeros(case.steps)
    for _, first, steps, count in circuits[circuits[:, 0] == b]:
        out[first : first + steps] += count
    share = np.maximum(n - out, 0.0) / n
    where = np.flatnonzero(case.rated == b)
    return share * case.rating_share[:, where[0]] if where.size else share
