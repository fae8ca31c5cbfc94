"""N-1: what the loss of one circuit or one DC link does to every flow, and the screen of all losses in all hours.

A branch row k may stand for n parallel circuits. Losing some of them takes the share ``s`` (1/n for one) of its
susceptance. With ``phi_lk`` the flow on l per MW sent from k's first to its second bus and ``h = phi_kk``, the rank-one
update of the inverse in `kernels.network` gives, exactly and with phase shifts included ::

    f_l' = f_l + L_lk f_k,   L_lk = s (phi_lk - w_lk) / (1 - s h)             (1)

``w_lk`` is 1 for l = k, 0 for another branch, and for an interface the weight with which it counts k. So the circuits
that stay carry ``f_k' = f_k (1 - s) / (1 - s h)``, and their limit is (1 - s) of the corridor's. For s = 1 this is the
line outage distribution factor (J. Guo, Y. Fu, Z. Li, M. Shahidehpour, "Direct Calculation of Line Outage Distribution
Factors", IEEE Trans. Power Syst. 24(3), 2009, doi:10.1109/TPWRS.2009.2023273). ``1 - s h`` is 0 only where the loss
splits the grid, which one circuit of several never does. A DC link that is lost no longer takes power at one end nor
delivers it at the other: ``L = -H[:, column of the link]`` with its own flow for f_k.

There never is an array over outages x rows x hours: `screen_n1` walks through the factors outage by outage and looks
at the hours of a pair only if the extremes of its two flows can matter.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim.kernels.jit import FloatArray, IntArray, kernel
from gridsim.kernels.network import (
    branch_sensitivities,
    label_islands,
    loop_factors,
    monitored_branches,
    phase_shifter_columns,
    sensitivities,
)

if TYPE_CHECKING:  # only its columns are read: kernels import nothing of the house
    from gridsim.case import Case

OUTAGE_ELEMENTS = ("line", "trafo", "impedance")  # one leg of a three-winding transformer is not lost on its own
SINGULAR = 1e-9  # of 1 - s h: below it there is no factor
LEAST = 1e-10  # factors below it are rounding
LIMIT_MIN_MW = 1e-6  # loading of a limit below it is measured against it
_BLOCK = 256  # outages of one dense block


class Outages(NamedTuple):
    """What may be lost, one row at a time: some circuits of a branch, or a DC link (the other number is -1)."""

    branch: IntArray  # (no,) row of the branch
    link: IntArray  # (no,) number of the DC link
    begin: IntArray  # (no,) its buses, in the direction in which its flow counts
    end: IntArray  # (no,)
    share: FloatArray  # (no,) lost share of the branch's susceptance, 0 < share <= 1


class Bridges(NamedTuple):
    """Branches whose loss splits the grid, and the buses of the smaller side of each as lists."""

    branch: IntArray  # (n,)
    first: IntArray  # (n + 1,)
    bus: IntArray  # (sum of sides,)

    def buses(self, i: int) -> IntArray:
        """Buses that the loss of bridge `i` would island."""
        return self.bus[self.first[i] : self.first[i + 1]]

    def islanded(self, bus_mw: FloatArray) -> FloatArray:
        """(n, ...) sums of `bus_mw` (nb, ...), such as load or generation, over what each bridge would island."""
        out = np.zeros((self.branch.size, *bus_mw.shape[1:]))
        for i in range(self.branch.size):
            out[i] = bus_mw[self.buses(i)].sum(axis=0)
        return out


class Factors(NamedTuple):
    """The factors of equation (1) as lists, outage by outage; a corridor's own row: see `list_factors`."""

    first: IntArray  # (no + 1,)
    row: NDArray[np.int32]  # (n,) monitored row, rising within an outage
    factor: FloatArray  # (n,)


class Security(NamedTuple):
    """All that N-1 needs of a grid. Rows are monitored branches, then interfaces, as in `network.sensitivities`."""

    H: FloatArray  # (nm, columns) buses (nb), DC links, then any columns of the caller's
    offset: FloatArray  # (nm,) MW
    # (2, 1, nm) or, where ratings move, (2, T, nm) after an outage, forward and backward; inf: not looked at. MW
    limit: FloatArray
    own: IntArray  # (nm - interfaces,) branch of each row before the interfaces
    sections: FloatArray  # (interfaces, nbr) weights of branch flows
    nb: int
    outages: Outages
    lost_H: FloatArray  # (no, columns) flow on what is lost, before it is lost
    lost_offset: FloatArray  # (no,) MW
    factors: Factors
    bridges: Bridges  # they would split the grid: reported, not among the outages


class Keys(NamedTuple):
    """N-1 rows by what they watch: a row of `Security`, after an outage, in an hour and a direction."""

    hour: IntArray
    row: IntArray
    outage: IntArray
    sign: IntArray


class Found(NamedTuple):
    """What a screen has found."""

    keys: Keys  # sorted by hour, row and direction, then worst first
    loading: FloatArray  # (n,) of the limit after the outage
    worst: float  # highest loading that is not known; 0: none beyond the threshold
    beyond: int  # (hour, row, outage) beyond the threshold, known ones included


class Report(NamedTuple):
    """Worst loading after any outage, of the limit then, and where; numbers are -1 before anything was seen."""

    row_loading: FloatArray  # (nm,)
    row_outage: IntArray
    row_hour: IntArray
    outage_loading: FloatArray  # (no,)
    outage_row: IntArray
    outage_hour: IntArray
    hour_loading: FloatArray  # (hours of the run,)
    hour_row: IntArray
    hour_outage: IntArray


# -- what may be lost --------------------------------------------------------------------------------------------------


def find_bridges(from_row: IntArray, to_row: IntArray, nb: int) -> Bridges:
    """Branches that are the only way between two parts of the grid (R. Tarjan, Inf. Process. Lett. 2(6), 1974).

    Depth first without recursion: a branch is a bridge if nothing behind it reaches back before it. The buses visited
    from there until the search came back are one side of it.
    """
    ways: list[list[tuple[int, int]]] = [[] for _ in range(nb)]
    for k, (i, j) in enumerate(zip(from_row.tolist(), to_row.tolist(), strict=True)):
        ways[i].append((j, k))
        ways[j].append((i, k))
    place, low, order = [-1] * nb, [0] * nb, np.empty(nb, dtype=np.int64)
    sides: dict[int, IntArray] = {}
    visited = 0
    for root in range(nb):
        if place[root] >= 0:
            continue
        start, cuts = visited, []
        place[root] = low[root] = visited
        order[visited] = root
        visited += 1
        stack = [(root, -1, iter(ways[root]))]
        while stack:
            bus, came, rest = stack[-1]
            for other, k in rest:
                if place[other] < 0:
                    place[other] = low[other] = visited
                    order[visited] = other
                    visited += 1
                    stack.append((other, k, iter(ways[other])))
                    break
                if k != came:
                    low[bus] = min(low[bus], place[other])
            else:
                stack.pop()
                if stack:
                    before = stack[-1][0]
                    low[before] = min(low[before], low[bus])
                    if low[bus] > place[before]:
                        cuts.append((came, place[bus], visited))
        for k, first, last in cuts:
            small = 2 * (last - first) <= visited - start
            side = order[first:last] if small else np.concatenate((order[start:first], order[last:visited]))
            sides[k] = np.sort(side)
    branch = sorted(sides)
    size = [sides[k].size for k in branch]
    return Bridges(
        np.array(branch, dtype=np.int64),
        np.concatenate(([0], np.cumsum(size))).astype(np.int64),
        np.concatenate([*(sides[k] for k in branch), np.zeros(0, dtype=np.int64)]),
    )


def bridges_of(case: "Case") -> Bridges:
    """Bridges of the case; the branches that balance an island are none, each island stands for itself."""
    real = np.flatnonzero((case.branches["element"] != "island_balance").to_numpy(dtype=bool))
    begin, end = (case.branches[name].to_numpy(dtype=np.int64)[real] for name in ("from_row", "to_row"))
    found = find_bridges(begin, end, len(case.buses))
    return found._replace(branch=real[found.branch])


def outages_of(case: "Case", bridges: Bridges, elements: tuple[str, ...] = OUTAGE_ELEMENTS) -> Outages:
    """One circuit of every branch of `elements` unless that splits the grid, then every DC link inside an island.

    What a link between two islands carries is, once it is lost, for the reserve of each to make up, not for its lines.
    """
    kept = case.branches["element"].isin(elements).to_numpy(dtype=bool)
    circuits = case.branches["circuits"].to_numpy(dtype=np.int64)
    kept[bridges.branch[circuits[bridges.branch] == 1]] = False
    first, second = (case.branches[name].to_numpy(dtype=np.int64) for name in ("from_row", "to_row"))
    island = label_islands(first, second, len(case.buses))
    first, second = (island[case.links[name].to_numpy(dtype=np.int64)] for name in ("from_row", "to_row"))
    branch, link = np.flatnonzero(kept), np.flatnonzero(first == second)
    begin, end = (
        np.concatenate(
            (case.branches[name].to_numpy(dtype=np.int64)[branch], case.links[name].to_numpy(dtype=np.int64)[link])
        )
        for name in ("from_row", "to_row")
    )
    return Outages(
        branch=np.concatenate((branch, np.full(link.size, -1))),
        link=np.concatenate((np.full(branch.size, -1), link)),
        begin=begin,
        end=end,
        share=np.concatenate((1.0 / circuits[branch], np.ones(link.size))),
    )


# -- factors -----------------------------------------------------------------------------------------------------------


def remaining(outages: Outages, lost_H: FloatArray) -> FloatArray:
    """1 - s h of every outage, (no,): 0 where the loss splits the grid; 1 for a DC link."""
    rows = np.arange(outages.branch.size)
    h = lost_H[rows, outages.begin] - lost_H[rows, outages.end]
    return np.where(outages.branch >= 0, 1.0 - outages.share * h, 1.0)


def pair_factors(
    H: FloatArray,
    own: IntArray,
    sections: FloatArray,
    outages: Outages,
    left: FloatArray,
    nb: int,
    row: IntArray,
    outage: IntArray,
) -> FloatArray:
    """The factor L of equation (1) of some pairs, (n,): rows `row` (n,) after `outage` (n,).

    Parameters
    ----------
    H : (nm, columns) float64, read only
        Buses first (nb), then DC links. Rows: branches, then interfaces. [MW/MW]
    own : (nm - interfaces,) int64, read only
        Branch of each row before the interfaces.
    sections : (interfaces, nbr) float64, read only
        Weights of branch flows in each interface.
    outages, left : read only
        `left` (no,) as `remaining` gives it.
    """
    out = np.empty(row.size)
    branch, link = outages.branch[outage], outages.link[outage]
    by_link = branch < 0
    out[by_link] = -H[row[by_link], nb + link[by_link]]
    r, k, lost = row[~by_link], outage[~by_link], branch[~by_link]
    counts = np.zeros(r.size)
    section = r >= own.size
    counts[section] = sections[r[section] - own.size, lost[section]]
    counts[~section] = own[r[~section]] == lost[~section]
    out[~by_link] = (H[r, outages.begin[k]] - H[r, outages.end[k]] - counts) * outages.share[k] / left[k]
    return out


def lodf(
    H: FloatArray,
    own: IntArray,
    sections: FloatArray,
    outages: Outages,
    left: FloatArray,
    nb: int,
    which: IntArray,
) -> FloatArray:
    """The factors L of equation (1), dense, (n, nm): of all rows after the outages `which` (n,). See `pair_factors`."""
    out = np.empty((which.size, H.shape[0]))
    by_link = outages.branch[which] < 0
    out[by_link] = -H[:, nb + outages.link[which[by_link]]].T
    k = which[~by_link]
    loop = loop_factors(H, own, sections, outages.begin[k], outages.end[k], outages.branch[k])
    out[~by_link] = (loop * (outages.share[k] / left[k])).T
    return out


def list_factors(
    H: FloatArray,
    own: IntArray,
    sections: FloatArray,
    outages: Outages,
    left: FloatArray,
    nb: int,
    rows: IntArray,
    least: float = LEAST,
) -> Factors:
    """All factors above `least`, made block by block.

    A corridor's own row holds ``(1 + L) / (1 - s) - 1``: with it ``f + L f_k`` over the limit of all circuits is the
    loading of those that stay. Where none stays it holds -1: no flow.

    Parameters
    ----------
    H, own, sections, outages, left, nb
        As for `pair_factors`.
    rows : (n,) int64, read only
        Rows to look at, rising.
    least : float
        A pair with a smaller factor is left out: the outage changes its flow by less than `least` of the flow lost. At
        the default nothing but rounding is; 1e-3 makes the lists of a grid of some thousand branches short. [MW/MW]
    """
    count, columns, values = [np.zeros(1, dtype=np.int64)], [np.zeros(0, dtype=np.int32)], [np.zeros(0)]
    for begin in range(0, outages.branch.size, _BLOCK):
        which = np.arange(begin, min(begin + _BLOCK, outages.branch.size))
        block = lodf(H, own, sections, outages, left, nb, which)
        row, i = np.nonzero(own[:, None] == outages.branch[which])
        stays = 1.0 - outages.share[which[i]]
        some = stays > 0.0
        block[i, row] = np.where(some, (1.0 + block[i, row]) / np.where(some, stays, 1.0), 0.0) - 1.0
        block = block[:, rows]
        outage, column = np.nonzero(np.abs(block) > least)
        count.append(np.bincount(outage, minlength=which.size))
        columns.append(rows[column].astype(np.int32))
        values.append(block[outage, column])
    return Factors(np.cumsum(np.concatenate(count)), np.concatenate(columns), np.concatenate(values))


def build(
    case: "Case", *, outages: Outages | None = None, least: float = LEAST, interface_factor: float = np.inf
) -> Security:
    """N-1 of a case: the loss of any circuit that does not split the grid, and of any DC link.

    Parameters
    ----------
    case : Case, read only
    outages : Outages, optional
        Others than `outages_of` gives, such as all circuits of a corridor at once (share 1).
    least : float
        See `list_factors`.
    interface_factor : float
        Limit of an interface after an outage over its limit before. By default there is none: limits of sections are
        as a rule set so that they hold through one outage. [1]

    Raises
    ------
    ValueError
        If an outage splits the grid.
    """
    bridges = bridges_of(case)
    outages = outages_of(case, bridges) if outages is None else outages
    H, offset = sensitivities(case)
    nb, nlink, nbr = len(case.buses), len(case.links), len(case.branches)
    own, sections = monitored_branches(case), np.ascontiguousarray(case.interface_weight[:, :nbr])
    lost_H, lost_offset = np.zeros((outages.branch.size, nb + nlink)), np.zeros(outages.branch.size)
    link, watched = np.flatnonzero(outages.branch < 0), np.flatnonzero(np.isin(outages.branch, own))
    others = np.flatnonzero((outages.branch >= 0) & ~np.isin(outages.branch, own))
    row = np.searchsorted(own, outages.branch[watched])
    lost_H[watched], lost_offset[watched] = H[row], offset[row]
    lost_H[others], lost_offset[others] = branch_sensitivities(case, outages.branch[others])
    lost_H[link, nb + outages.link[link]] = 1.0
    left = remaining(outages, lost_H)
    if np.any(np.abs(left) < SINGULAR):
        k = outages.branch[int(np.argmin(np.abs(left)))]
        raise ValueError(f"the loss of branch {k} '{case.branches['name'].iloc[k]}' splits the grid")
    emergency = case.branches["emergency_rating_mw"].to_numpy(dtype=np.float64)[own]
    emergency = np.where(case.branches["element"].iloc[own] == "island_balance", np.inf, emergency)
    after = [interface_factor * case.interfaces[c].to_numpy(dtype=np.float64) for c in ("limit_mw", "reverse_limit_mw")]
    limit = np.stack([np.concatenate((emergency, section)) for section in after])
    rows = np.flatnonzero(np.isfinite(limit).any(axis=0))
    factors = list_factors(H, own, sections, outages, left, nb, rows, least)
    return Security(H, offset, limit[:, None], own, sections, nb, outages, lost_H, lost_offset, factors, bridges)


def rated(security: Security, left: FloatArray) -> Security:
    """The same with what is `left` (T, nbr) of the ratings of branches in some hours, or (1, nbr) in all. [p.u.]"""
    sections = np.ones((len(left), len(security.sections)))
    return security._replace(limit=security.limit * np.hstack((left[:, security.own], sections)))


def shifter_columns(case: "Case", security: Security, branch: IntArray) -> tuple[FloatArray, FloatArray]:
    """Columns for H (nm, n) and lost_H (no, n) that make the shifts of the branches `branch` (n,) controls. [MW/degree]

    Rows of N-1 are then right in these columns too, also after the loss of a circuit of the shifter.
    """
    begin, end = (case.branches[name].to_numpy(dtype=np.int64)[branch] for name in ("from_row", "to_row"))
    x_pu = case.branches["x_pu"].to_numpy(dtype=np.float64)[branch]
    none, by_branch = np.zeros((0, len(case.branches))), security.outages.branch >= 0
    lost = np.zeros((by_branch.size, branch.size))
    lost[by_branch] = phase_shifter_columns(
        security.lost_H[by_branch], security.outages.branch[by_branch], none, begin, end, branch, x_pu
    )
    return phase_shifter_columns(security.H, security.own, security.sections, begin, end, branch, x_pu), lost


# -- the screen --------------------------------------------------------------------------------------------------------


def no_keys() -> Keys:
    none = np.zeros(0, dtype=np.int64)
    return Keys(none, none, none, none)


def new_report(rows: int, outages: int, hours: int) -> Report:
    """A report on nothing yet."""

    def unset(size: int) -> IntArray:
        return np.full(size, -1, dtype=np.int64)

    return Report(
        np.zeros(rows), unset(rows), unset(rows), np.zeros(outages), unset(outages), unset(outages), np.zeros(hours),
        unset(hours), unset(hours),
    )  # fmt: skip


def screen_n1(
    factors: Factors,
    flow_mw: FloatArray,
    lost_mw: FloatArray,
    limit_mw: FloatArray,
    report: Report,
    *,
    t0: int = 0,
    at: float = 1.0,
    near: float | None = None,
    keep: int = 3,
    known: Keys | None = None,
) -> Found:
    """Every outage against every monitored row in every hour.

    Parameters
    ----------
    factors : Factors, read only
    flow_mw : (T, nm) float64, read only
        Flow of every row before an outage: ``injection @ H.T + offset``. [MW]
    lost_mw : (T, no) float64, read only
        Flow of what is lost: ``injection @ lost_H.T + lost_offset``. [MW]
    limit_mw : (2, nm), (2, 1, nm) or (2, T, nm) float64, read only
        Forward and backward limit after an outage, inf: none; of each hour, or the same in all. [MW]
    report : Report, written
        Kept up to date; its hours are those of the run, and these begin at `t0`.
    t0 : int
        First hour.
    at : float
        Threshold: pairs of row and outage beyond it in some hour are found. [1]
    near : float, optional
        At most `at`, and so by default: hours in which such a pair is beyond `near` are found with it. [1]
    keep : int
        Worst outages kept for each hour, row and direction.
    known : Keys, optional
        Not to be found again: their overloads are paid for. Hours of the window.

    Returns
    -------
    Found
    """
    hours, nm = flow_mw.shape
    no = lost_mw.shape[1]
    known = no_keys() if known is None else known
    taken = np.unique(((known.row * no + known.outage) * hours + known.hour) * 2 + (known.sign < 0))
    inverse = 1.0 / np.maximum(limit_mw.reshape(2, -1, nm), LIMIT_MIN_MW)
    loading, outage = np.zeros((nm, hours, 2, keep)), np.full((nm, hours, 2, keep), -1, dtype=np.int32)
    bounds = np.empty((nm, 4))
    forward, backward = (np.array(part.T, order="C") for part in inverse)
    beyond = _screen(
        factors.first, factors.row, factors.factor, np.array(flow_mw.T, order="C"), np.array(lost_mw.T, order="C"),
        forward, backward, at, at if near is None else near, taken, t0, bounds, loading, outage, *report,
    )  # fmt: skip
    row, hour, backward, place = np.nonzero(outage >= 0)
    order = np.lexsort((place, backward, row, hour))
    row, hour, backward, place = (part[order] for part in (row, hour, backward, place))
    found = loading[row, hour, backward, place]
    keys = Keys(hour, row, outage[row, hour, backward, place].astype(np.int64), 1 - 2 * backward)
    return Found(keys, found, float(found.max(initial=0.0)), beyond)


@kernel
def _screen(
    first, row, factor, flow, lost, forward, backward, at, near, taken, t0, bounds, loading, outage,
    row_loading, row_outage, row_hour, outage_loading, outage_row, outage_hour, hour_loading, hour_row, hour_outage,
):  # fmt: skip
    """See `screen_n1`; flow (nm, T), lost (no, T), forward and backward 1 / limit, (nm, 1) or (nm, T).

    Returns the count of what is beyond `at`.

    A pair is passed over if what the extremes of its two flows would add up to is neither beyond the threshold nor
    worse than what the row, the outage and the easiest of the hours have seen.
    """
    nm, hours = flow.shape
    no = lost.shape[0]
    keep = loading.shape[3]
    beyond = 0
    moves = 1 if forward.shape[1] > 1 else 0  # limits that differ from hour to hour
    for r in range(nm):
        top, bottom = flow[r, 0], flow[r, 0]
        for t in range(1, hours):
            top = max(top, flow[r, t])
            bottom = min(bottom, flow[r, t])
        bounds[r, 0], bounds[r, 1] = top, bottom
        top, bottom = forward[r, 0], backward[r, 0]
        for t in range(1, forward.shape[1]):
            top = max(top, forward[r, t])
            bottom = max(bottom, backward[r, t])
        bounds[r, 2], bounds[r, 3] = top, bottom
    for k in range(no):
        top, bottom, easiest = lost[k, 0], lost[k, 0], hour_loading[t0]
        for t in range(1, hours):
            top = max(top, lost[k, t])
            bottom = min(bottom, lost[k, t])
            easiest = min(easiest, hour_loading[t0 + t])
        easiest = min(easiest, at)
        for i in range(first[k], first[k + 1]):
            r, gain = row[i], factor[i]
            up, down = gain * top, gain * bottom
            if up < down:
                up, down = down, up
            bar = min(easiest, row_loading[r], outage_loading[k])
            if (bounds[r, 0] + up) * bounds[r, 2] <= bar and -(bounds[r, 1] + down) * bounds[r, 3] <= bar:
                continue
            high, low = -np.inf, np.inf
            for t in range(hours):
                after = flow[r, t] + gain * lost[k, t]
                high = max(high, after)
                low = min(low, after)
            worst = max(high * bounds[r, 2], -low * bounds[r, 3])
            if worst <= bar:
                continue
            if moves:
                worst = 0.0
                for t in range(hours):
                    after = flow[r, t] + gain * lost[k, t]
                    worst = max(worst, after * forward[r, t], -after * backward[r, t])
            found = worst > at
            for t in range(hours):
                after = flow[r, t] + gain * lost[k, t]
                side = 1 if after < 0.0 else 0
                value = -after * backward[r, t * moves] if after < 0.0 else after * forward[r, t * moves]
                if value > row_loading[r]:
                    row_loading[r], row_outage[r], row_hour[r] = value, k, t0 + t
                if value > outage_loading[k]:
                    outage_loading[k], outage_row[k], outage_hour[k] = value, r, t0 + t
                if value > hour_loading[t0 + t]:
                    hour_loading[t0 + t], hour_row[t0 + t], hour_outage[t0 + t] = value, r, k
                if not found or value <= near:
                    continue
                if value > at:
                    beyond += 1
                if value <= loading[r, t, side, keep - 1]:
                    continue
                code = ((r * no + k) * hours + t) * 2 + side
                a, b = 0, taken.size
                while a < b:
                    middle = (a + b) // 2
                    if taken[middle] < code:
                        a = middle + 1
                    else:
                        b = middle
                if a < taken.size and taken[a] == code:
                    continue
                n = keep - 1
                while n > 0 and loading[r, t, side, n - 1] < value:
                    loading[r, t, side, n] = loading[r, t, side, n - 1]
                    outage[r, t, side, n] = outage[r, t, side, n - 1]
                    n -= 1
                loading[r, t, side, n], outage[r, t, side, n] = value, k
    return beyond


def n1_coefficients(security: Security, keys: Keys) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows ``coef @ injection + offset <= limit`` of what a screen has found, in the direction of their sign.

    Parameters
    ----------
    security : Security, read only
        Its H and lost_H may have further columns of the caller's, the same in both.
    keys : Keys, read only

    Returns
    -------
    coef : (n, columns) float64
        ``sign * (H_l + L_lk lost_H_k)``. [MW/MW]
    offset : (n,) float64
        Flow after the outage at no injection, in that direction. [MW]
    limit : (n,) float64
        In a corridor that loses circuits: of those that stay. [MW]
    """
    s, outages = security, security.outages
    left = remaining(outages, s.lost_H)
    gain = pair_factors(s.H, s.own, s.sections, outages, left, s.nb, keys.row, keys.outage)
    sign = keys.sign.astype(np.float64)
    coef = s.H[keys.row] + gain[:, None] * s.lost_H[keys.outage]
    coef *= sign[:, None]
    offset = sign * (s.offset[keys.row] + gain * s.lost_offset[keys.outage])
    branch_of = np.concatenate((s.own, np.full(len(s.sections), -2)))  # -2: no branch, nor a DC link's -1
    same = branch_of[keys.row] == outages.branch[keys.outage]
    stays = np.where(same, 1.0 - outages.share[keys.outage], 1.0)
    hour = keys.hour if s.limit.shape[1] > 1 else 0
    return coef, offset, stays * s.limit[(keys.sign < 0).astype(np.int64), hour, keys.row]
