"""Start costs by time off and limits on the output of whole units, added to `gridsim.oracle_commitment`.

Signs and names go on from there: u units on, v starts, w stops by choice, z units on that an outage takes. With C(h)
the cost of a start after h hours off, L the lag of the coldest category and a_kt starts in hour t of units that went
off in hour k < t, h = t - k < L (history included: k < 0; r_ks of those an outage took before their time off was up)::

    sum_k a_kt <= v_t,    sum_t a_kt <= w_k + z_k,    sum_(t < k + min_down) a_kt <= z_k + sum_s r_ks
    cost  C(L) v_t - sum_k (C(L) - C(t - k)) a_kt                                                                  (6)

and with P_t = p_min u_t + sum q_t of a group, p_max of one unit, P_(-1) its output before the window, the ramps ::

    P_t - P_(t-1) <= ramp_up u_(t-1) + start_ramp v_t                                                              (7)
    P_(t-1) - P_t <= ramp_down u_t + stop_ramp w_t + p_max z_t                                                     (8)

and the limits of the first and the last hour on, for hours -1 .. T-1 where their terms are known ::

    P_t <= p_max u_t - (p_max - start_ramp) v_t - (p_max - stop_ramp) w_(t+1)                    if min_up >= 2    (9)
    P_t <= p_max u_t - (p_max - start_ramp) v_t - max(start_ramp - stop_ramp, 0) w_(t+1)         if min_up = 1    (10)
    P_t <= p_max u_t - max(stop_ramp - start_ramp, 0) v_t - (p_max - stop_ramp) w_(t+1)          if min_up = 1    (11)

(6) matches starts with stops, as each stop can be followed by one start only; as costs do not fall with time off, the
cheapest matching is what the best choice of units within a group costs. Units on outage before the window are not in
the history and start from the coldest; which unit of a group an outage takes is left open, hour by hour, so with
outages (6) may be less than single units could do. (7) to (11) are exact for single units and hold for groups, whose
units they do not tell apart: a lower bound there. An outage takes a unit at any output. Reserve is not limited by start
and stop: the statement knows what a unit on offers, not when it started.

(6): B. Knueven, J. Ostrowski, J.-P. Watson, "A novel matching formulation for startup costs in unit commitment",
Mathematical Programming Computation 12 (2020) 225-248. (9) to (11): G. Morales-Espana, J. M. Latorre, A. Ramos, "Tight
and compact MILP formulation for the thermal unit commitment problem", IEEE Transactions on Power Systems 28 (2013)
4897-4908.
"""

from typing import NamedTuple

import numpy as np

from gridsim.errors import InputError
from gridsim.errors import Problem as Found
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Problem
from gridsim.oracle_commitment import Commitment, early, outages
from gridsim.oracle_matrix import Model, Triplets, grown, with_entries


class StartCosts(NamedTuple):
    """Cost of one start by hours off, in S categories; a group with fewer repeats its last one. nu groups."""

    lag_h: (
        IntArray  # (nu, S) hours off from which the cost holds, >= 1, not falling; the first from any shorter time too
    )
    cost: FloatArray  # (nu, S) not falling


class OutputLimits(NamedTuple):
    """Limits on output beyond the statement's. nu groups; inf where there is none."""

    ramp_up: FloatArray  # (nu,) of one unit that stays on, per hour
    ramp_down: FloatArray  # (nu,)
    start_ramp: FloatArray  # (nu,) most output of one unit in its first hour on, >= p_min
    stop_ramp: FloatArray  # (nu,) in its last hour on, >= p_min
    p0: FloatArray  # (nu,) output of the group before the window; NaN: not known (0 if it is off)


def check_starts(problem: Problem, starts: StartCosts) -> None:
    """Refuse start costs of another shape, or that fall with time off."""
    nu, found = problem.units.bus.size, []
    lag, cost = starts
    if np.ndim(lag) != 2 or np.shape(lag) != np.shape(cost) or len(lag) != nu or not np.shape(lag)[1]:
        rule = f"must both have shape ({nu}, S), have {np.shape(lag)} and {np.shape(cost)}"
        raise InputError("window", [Found("starts.lag_h, starts.cost", rule)])
    if (np.diff(lag, axis=1) < 0).any() or (np.asarray(lag) < 1).any():
        found.append(Found("starts.lag_h", "must be at least 1 h and not fall"))
    if not (np.isfinite(cost).all() and (np.asarray(cost) >= 0.0).all() and (np.diff(cost, axis=1) >= 0.0).all()):
        found.append(Found("starts.cost", "must be finite, not negative and not fall"))
    if found:
        raise InputError("window", found)


def check_limits(problem: Problem, limits: OutputLimits) -> None:
    """Refuse limits of another shape, or that no unit could keep."""
    units, found = problem.units, []
    nu, p_min, p_max = units.bus.size, units.coef[:, 0], _p_max(problem)
    for name, value in limits._asdict().items():
        if np.shape(value) != (nu,):
            found.append(Found(f"limits.{name}", f"must have shape {(nu,)}, has {np.shape(value)}"))
    if found:
        raise InputError("window", found)
    slack = 1e-9 * (1.0 + p_max)
    for name, value, least in (
        ("ramp_up", limits.ramp_up, 0.0),
        ("ramp_down", limits.ramp_down, 0.0),
        ("start_ramp", limits.start_ramp, p_min - slack),
        ("stop_ramp", limits.stop_ramp, p_min - slack),
    ):
        if not (value >= least).all():  # NaN neither
            floor = "0" if name.startswith("ramp") else "the minimum output: the unit could never start or stop"
            found.append(Found(f"limits.{name}", f"must not be less than {floor}"))
    known = np.isfinite(limits.p0)
    beyond = (limits.p0 < p_min * units.on0 - slack) | (limits.p0 > p_max * units.on0 + slack)
    if (beyond & known).any() or np.isinf(limits.p0).any():
        found.append(Found("limits.p0", "must lie within what the units on before the window can give, or be NaN"))
    if found:
        raise InputError("window", found)


def add_start_costs(model: Model, problem: Problem, commitment: Commitment, starts: StartCosts) -> Model:
    """The mixed-integer program with (6) in place of one cost of all starts."""
    n_hours, nu = problem.units.avail.shape
    drop = outages(problem, commitment)
    rise = np.diff(np.floor(problem.units.avail + 1e-9), axis=0, prepend=0.0) > 0.0
    group, since, start, saved = [], [], [], []
    for i in range(nu):
        lag, cost = np.asarray(starts.lag_h[i]), np.asarray(starts.cost[i], dtype=float)
        for k in range(1 - int(lag[-1]), n_hours):
            for t in range(max(k + 1, 0), min(k + int(lag[-1]), n_hours)):
                # before its minimum time a unit starts if an outage took it and gave it back
                left = np.flatnonzero(drop[max(k, 0) : t, i]) + max(k, 0)
                may = t - k >= commitment.min_down_h[i] or (left.size and rise[left[0] + 1 : t + 1, i].any())
                if may and (k >= 0 or commitment.off_hours[i, -k - 1]):
                    group.append(i)
                    since.append(k)
                    start.append(t)
                    saved.append(cost[-1] - cost[max(int((lag <= t - k).sum()) - 1, 0)])
    arc = [np.array(part, dtype=np.int64) for part in (group, since, start)]
    pair, of_pair = np.unique(np.stack(arc[:2]), axis=1, return_inverse=True)
    sources = (pair.shape[1],)
    shapes: dict[str, tuple[int, ...]] = {"warm_start": (n_hours, nu), "warm_source": sources, "warm_early": sources}
    larger = grown(model, {"warm": (arc[0].size,)}, shapes)
    col, row, entries = larger.columns, larger.rows, Triplets()

    entries.add(row["warm_start"][arc[2], arc[0]], col["warm"], 1.0)
    entries.add(row["warm_start"], col["v"], -1.0)
    larger.row_hi[row["warm_start"]] = 0.0
    entries.add(row["warm_source"][of_pair.ravel()], col["warm"], 1.0)
    inside = pair[1] >= 0
    for name in ("stop", "taken"):
        entries.add(row["warm_source"][inside], col[name][pair[1, inside], pair[0, inside]], -1.0)
    larger.row_hi[row["warm_source"]] = larger.row_hi[row["warm_early"]] = 0.0
    larger.row_hi[row["warm_source"][~inside]] = commitment.off_hours[pair[0, ~inside], -pair[1, ~inside] - 1]
    too_soon = arc[2] - arc[1] < np.asarray(commitment.min_down_h)[arc[0]]
    entries.add(row["warm_early"][of_pair.ravel()[too_soon]], col["warm"][too_soon], 1.0)
    entries.add(row["warm_early"][inside], col["taken"][pair[1, inside], pair[0, inside]], -1.0)
    resting = early(drop, np.asarray(commitment.min_down_h))
    source, excuse = np.nonzero((pair[:, :, None] == resting[:2, None, :]).all(axis=0))
    entries.add(row["warm_early"][source], col["resting"][excuse], -1.0)
    larger.cost[col["v"]] = np.asarray(starts.cost, dtype=float)[:, -1]
    larger.cost[col["warm"]] = -np.array(saved, dtype=float)
    return with_entries(larger, entries)


def add_limits(model: Model, problem: Problem, commitment: Commitment, limits: OutputLimits) -> Model:
    """The mixed-integer program with (7) to (11)."""
    n_hours, nu = problem.units.avail.shape
    shapes = dict.fromkeys(("rise", "fall", "first", "last"), (n_hours, nu)) | {"first_stop": (nu,)}
    larger = grown(model, {}, shapes)
    col, row, row_hi, entries = larger.columns, larger.rows, larger.row_hi, Triplets()
    p_max = _p_max(problem)
    up, down = (np.where(np.isfinite(ramp), ramp, 0.0) for ramp in (limits.ramp_up, limits.ramp_down))
    start, stop = np.minimum(limits.start_ramp, p_max), np.minimum(limits.stop_ramp, p_max)
    p0 = np.where(problem.units.on0 > 0.0, limits.p0, 0.0)
    known = np.isfinite(p0)
    p0 = np.where(known, p0, 0.0)

    for name, ramp, sign in (("rise", limits.ramp_up, 1.0), ("fall", limits.ramp_down, -1.0)):
        held = np.tile(np.isfinite(ramp), (n_hours, 1))
        held[:1] &= known
        _add_output(problem, col, entries, row[name], sign * held)
        _add_output(problem, col, entries, row[name][1:], -sign * held[1:], hours=slice(-1))
        row_hi[row[name][held]] = 0.0
        first = np.flatnonzero(held[:1].any(axis=0))
        row_hi[row[name][0, first]] = sign * p0[first]
        if name == "rise":
            entries.add(row[name][1:], col["u"][:-1], -up * held[1:])
            row_hi[row[name][0, first]] += (up * problem.units.on0)[first]
            entries.add(row[name], col["v"], -start * held)
        else:
            entries.add(row[name], col["u"], -down * held)
            entries.add(row[name], col["stop"], -stop * held)
            entries.add(row[name], col["taken"], -p_max * held)

    single_hour = np.asarray(commitment.min_up_h) < 2  # a unit may start and stop again an hour later
    for name, of_start, of_stop in (
        ("first", p_max - start, np.where(single_hour, np.maximum(start - stop, 0.0), p_max - stop)),
        ("last", np.maximum(stop - start, 0.0), p_max - stop),
    ):
        needed = np.ones(nu, dtype=bool) if name == "first" else single_hour
        _add_output(problem, col, entries, row[name], np.tile(1.0 * needed, (n_hours, 1)))
        entries.add(row[name], col["u"], -p_max * needed)
        entries.add(row[name], col["v"], of_start * needed)
        entries.add(row[name][:-1], col["stop"][1:], of_stop * needed)
        row_hi[row[name]] = 0.0
    if n_hours:
        entries.add(row["first_stop"], col["stop"][0], (p_max - stop) * known)
        row_hi[row["first_stop"]] = np.where(known, np.maximum(p_max * problem.units.on0 - p0, 0.0), np.inf)
    return with_entries(larger, entries)


def _p_max(problem: Problem) -> FloatArray:
    """(nu,) most output of one unit."""
    units = problem.units
    return units.coef[:, 0] + np.bincount(units.seg_unit, weights=units.seg_width, minlength=units.bus.size)


def _add_output(
    problem: Problem,
    col: dict[str, IntArray],
    entries: Triplets,
    row: IntArray,
    factor: FloatArray,
    hours: slice = slice(None),
) -> None:
    """Add `factor` (hours, nu) times the output of every group in `hours` to rows (hours, nu)."""
    units = problem.units
    entries.add(row, col["u"][hours], factor * units.coef[:, 0])
    entries.add(row[:, units.seg_unit], col["q"][hours], factor[:, units.seg_unit])
