"""Whole units and minimum times, added to the linear program of a window.

For groups of identical units: v starts, w stops by choice, z units on that a planned outage takes, U = min_up_h,
D = min_down_h, drop the fall of ``avail`` into an hour, of which drop - z units are taken while off::

    u_t - u_(t-1) = v_t - w_t - z_t,    0 <= z_t <= drop_t                                       (1)
    sum_(t-U < k <= t) v_k <= u_t + sum_(t-U < k < s <= t) y_ks                                  (2)
    sum_s y_ks <= v_k,    sum_k y_ks <= z_s                                                      (3)
    sum_(t-D < k <= t) w_k <= avail_t - u_t + sum_(t-D < k < s <= t) r_ks                        (4)
    sum_s r_ks <= w_k,    sum_k r_ks <= drop_s - z_s                                             (5)

y_ks counts the units that started in hour k and that the outage of hour s took before their time was up, r_ks the
same for units that stopped; both exist for the few hours with a drop only. Starts and stops before the window are
constants. An outage may take any unit of the group, however young; which one it took is left open, as units of a
group are alike; a unit that returns from an outage is off and may start at once. Keeping every unit as it is satisfies
all of this, so minimum times never make a window infeasible. Without outages (1), (2), (4) are the usual aggregated
form, for one unit the convex hull of its schedules: D. Rajan, S. Takriti, "Minimum up/down polytopes of the unit
commitment problem with start-up costs", IBM Research Report RC23628, 2005.
"""

from dataclasses import dataclass

import numpy as np

from gridsim import errors
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.problem import Problem
from gridsim.oracle_matrix import Model, Triplets, grown, with_entries


@dataclass(frozen=True)
class Commitment:
    """What the MILP knows beyond the problem. nu groups; K hours of history, K >= every minimum time and lag."""

    min_up_h: IntArray  # (nu,) >= 1
    min_down_h: IntArray  # (nu,) >= 1
    on_hours: IntArray  # (nu, K) units on before the window for exactly 1, 2, .. K-1, and for K hours or more
    off_hours: IntArray  # (nu, K) the same for units off and available


def complete(
    problem: Problem,
    min_up_h: IntArray,
    min_down_h: IntArray,
    on_hours: IntArray | None,
    off_hours: IntArray | None,
    *,
    longest_lag_h: int = 1,
) -> Commitment:
    """Fill in a history where none is given, and check it all; it must reach back as far as any time or lag."""
    units, found = problem.units, []
    nu = units.bus.size
    up, down = np.asarray(min_up_h, np.int64), np.asarray(min_down_h, np.int64)
    for name, value in (("min_up_h", up), ("min_down_h", down)):
        if value.shape != (nu,):
            found.append(errors.Problem(name, f"must have shape {(nu,)}, has {value.shape}"))
        elif (value < 1).any():
            found.append(errors.Problem(name, f"must be at least 1 h: {(value < 1).sum()} of {nu} are not"))
    on0 = np.rint(units.on0).astype(np.int64)
    if np.abs(units.on0 - on0).max(initial=0.0) > 1e-9:
        found.append(errors.Problem("units.on0", "must be whole for a search over whole units"))
    if found:
        raise errors.InputError("window", found)
    longest = int(max(up.max(initial=1), down.max(initial=1), longest_lag_h))
    if on_hours is None:
        on_hours = np.zeros((nu, longest), np.int64)
        on_hours[:, -1] = on0
    if off_hours is None:
        off_hours = np.zeros((nu, np.shape(on_hours)[-1]), np.int64)
        off_hours[:, -1] = np.maximum(np.floor(units.avail[0] + 1e-9).astype(np.int64) - on0, 0)
    on, off = np.asarray(on_hours, np.int64), np.asarray(off_hours, np.int64)
    if on.shape != off.shape or on.ndim != 2 or on.shape[0] != nu or on.shape[1] < longest:
        rule = f"must both have shape ({nu}, K) with K >= {longest}, the longest minimum time or lag; have {on.shape}, "
        found.append(errors.Problem("on_hours, off_hours", f"{rule}{off.shape}"))
    elif (on < 0).any() or (off < 0).any() or (on.sum(axis=1) != on0).any():
        found.append(errors.Problem("on_hours, off_hours", "must not be negative, and on_hours must add up to on0"))
    if found:
        raise errors.InputError("window", found)
    return Commitment(up, down, on, off)


def add_whole_units(model: Model, problem: Problem, commitment: Commitment) -> Model:
    """The mixed-integer program: `model` with columns stop, taken, and with (1) to (5)."""
    n_hours, nu = problem.units.avail.shape
    avail, drop = np.floor(problem.units.avail + 1e-9), outages(problem, commitment)
    excused = {
        "young": early(drop, commitment.min_up_h),
        "resting": early(drop, commitment.min_down_h),
    }
    shapes: dict[str, tuple[int, ...]] = {"stop": (n_hours, nu), "taken": (n_hours, nu)}
    shapes |= {name: (found.shape[1],) for name, found in excused.items()}
    pairs = {name: np.unique(found[:2], axis=1, return_inverse=True) for name, found in excused.items()}
    rows: dict[str, tuple[int, ...]] = {"min_up": (n_hours, nu), "min_down": (n_hours, nu)}
    rows |= {f"{name}_moved": (pair.shape[1],) for name, (pair, _) in pairs.items()}
    rows |= {f"{name}_taken": (n_hours, nu) for name in excused}
    larger = grown(model, shapes, rows)
    col, row, row_lo, row_hi = larger.columns, larger.rows, larger.row_lo, larger.row_hi
    for name in rows:
        row_hi[row[name]] = 0.0

    entries = Triplets()
    entries.add(row["start"], col["stop"], -1.0)  # `build` wrote v_t - u_t + u_(t-1) >= -u_(-1)
    entries.add(row["start"], col["taken"], -1.0)
    row_hi[row["start"]] = row_lo[row["start"]]

    hour = np.arange(n_hours)[:, None, None]
    lag = np.arange(n_hours)[None, None, :]
    held = np.arange(1, commitment.on_hours.shape[1] + 1)  # hours on (off) before the window
    for name, young, moved, minimum, past in (
        ("min_up", "young", "v", commitment.min_up_h, commitment.on_hours),
        ("min_down", "resting", "stop", commitment.min_down_h, commitment.off_hours),
    ):
        up = name == "min_up"
        t, i, back = np.nonzero((lag <= hour) & (lag < minimum[None, :, None]))
        entries.add(row[name][t, i], col[moved][t - back, i], 1.0)
        entries.add(row[name], col["u"], -1.0 if up else 1.0)
        owing = (held[None, None, :] + hour < minimum[None, :, None]) * past[None, :, :]
        row_hi[row[name]] = (0.0 if up else avail) - owing.sum(axis=2)

        group, since, taken = excused[young]
        (pair_group, pair_since), of_pair = pairs[young]
        y, t = np.nonzero((taken[:, None] <= hour[:, 0, 0]) & (hour[:, 0, 0] < (since + minimum[group])[:, None]))
        entries.add(row[name][t, group[y]], col[young][y], -1.0)
        entries.add(row[f"{young}_moved"][of_pair.ravel()], col[young], 1.0)
        inside = pair_since >= 0
        entries.add(row[f"{young}_moved"][inside], col[moved][pair_since[inside], pair_group[inside]], -1.0)
        row_hi[row[f"{young}_moved"][~inside]] = past[pair_group[~inside], -1 - pair_since[~inside]]
        entries.add(row[f"{young}_taken"][taken, group], col[young], 1.0)
        entries.add(row[f"{young}_taken"], col["taken"], -1.0 if up else 1.0)
        row_hi[row[f"{young}_taken"]] = 0.0 if up else drop

    larger.col_hi[col["u"]] = avail
    larger.col_hi[col["taken"]] = drop
    for name in ("u", "v", *shapes):
        larger.whole[col[name]] = 1
    return with_entries(larger, entries)


def outages(problem: Problem, commitment: Commitment) -> FloatArray:
    """(T, nu) units that a planned outage takes in each hour."""
    avail = np.floor(problem.units.avail + 1e-9)
    before = (commitment.on_hours.sum(axis=1) + commitment.off_hours.sum(axis=1)).astype(float)
    return np.maximum(-np.diff(avail, axis=0, prepend=before[None, :]), 0.0)


def early(drop: FloatArray, minimum: IntArray) -> IntArray:
    """Rows (group, hour moved, hour taken) of all units an outage may take before their minimum time is up.

    The hour moved is negative before the window. Shape (3, count).
    """
    taken, group = np.nonzero(drop)
    lag = np.arange(1, int(minimum.max(initial=1)))
    event, k = np.nonzero(lag[None, :] < minimum[group][:, None])
    return np.stack([group[event], taken[event] - lag[k], taken[event]])
