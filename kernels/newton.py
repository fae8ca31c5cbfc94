"""One Newton step of the interior point, by structure: devices eliminated along their chains, prices solved densely.

The prices y of the rows (lambda_t, mu_tr, pi_m) are the only thing devices share. `chains` has what a device answers
to them, `prices` the matrix of all answers; here are the pairs: residuals, right-hand sides, steps. `reg` is proximal:
in the curvature, not in dz, so it biases nothing.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels import flat, prices
from gridsim.kernels.chains import curvature, factor_chains, push_chains, ramp_rho, solve_chains
from gridsim.kernels.jit import FloatArray, IntArray, kernel
from gridsim.kernels.layout import Layout, Window
from gridsim.kernels.prices import assemble, price_items, row_values, solve_border, solve_prices

REG = 1e-7


class Work(NamedTuple):
    """Everything a Newton step writes, allocated once per solve. Chains: units, ramped devices, stores."""

    phi: FloatArray  # (T, nk)
    h: FloatArray  # (items,) local answers; of a store what its losses and spill leave
    side: FloatArray  # (items,) right-hand sides before the price step
    price: FloatArray  # (items,) prices at the present iterate
    dprice: FloatArray  # (items,)
    item: FloatArray  # (items,) scratch: values or answers of items
    x: FloatArray  # (T, chains)
    link: FloatArray  # (T, chains)
    m: FloatArray  # (T, chains)
    inv: FloatArray  # (T, chains) reciprocals of the pivots
    gain: FloatArray  # (T, chains) A of the march
    decay: FloatArray  # (T, chains) P
    own: FloatArray  # (T, chains) within an hour
    answer: FloatArray  # (rows, chains) C
    reach: FloatArray  # (rows, chains) B C
    share: FloatArray  # (T, nr) sum of h of a ramped device, H
    h1: FloatArray  # (T, ns)
    h2: FloatArray
    h3: FloatArray  # stays 0 of stores that do not spill
    side_c: FloatArray  # (T, ns)
    side_d: FloatArray
    side_y: FloatArray
    net_e: FloatArray  # (T, ns) net energy of the step before prices
    k: FloatArray  # (T, chains) right-hand side of the chains before prices
    du: FloatArray  # (T, chains) step of the chains
    dtheta: FloatArray  # (T, ns)
    buffer: FloatArray  # (deep, most items or chains)
    shrink: FloatArray  # (2, flat.BLOCK) of `flat.pair_steps`
    shrink_bits: IntArray  # the same memory
    y: FloatArray  # (rows,) prices
    dy: FloatArray  # (rows,) right-hand side, then step of the prices
    miss: FloatArray  # (rows,) residuals
    matrix: FloatArray  # (rows, rows) lower triangle; by hour (rows, deep), each row with the columns of its hour
    factor: FloatArray  # likewise
    diagonal: FloatArray  # (rows,) of the matrix
    behind: FloatArray  # (chains, chains) S of `prices`, equation (6), by hour
    bend: FloatArray  # (rows, chains) E', by hour
    carry: FloatArray  # (2, chains)
    border: FloatArray  # (nq, rows) of the matrix, of budgets
    solved: FloatArray  # (nq, rows) the hourly part solved for
    schur: FloatArray  # (nq, nq) factor of what hourly rows leave of the budgets'


def work(lay: Layout, items: int) -> Work:
    """Allocate what `lay` needs; `items` over all hours."""
    T, nd, m, ns = lay.T, lay.nd, lay.m, lay.ns
    widest = max(nd, lay.fixed_items + lay.nb) + 8
    width, carried = (lay.deep, nd) if lay.by_hour else (m, 0)
    shrink = np.zeros((2, flat.BLOCK))

    def z(*shape: int) -> FloatArray:
        return np.zeros(shape)

    return Work(
        phi=z(T, lay.nk), h=z(items), side=z(items), price=z(items), dprice=z(items), item=z(items), x=z(T, nd),
        link=z(T, nd), m=z(T, nd), inv=z(T, nd), gain=z(T, nd), decay=z(T, nd), own=z(T, nd), answer=z(m, nd),
        reach=z(m, nd), share=z(T, lay.nr), h1=z(T, ns), h2=z(T, ns), h3=z(T, ns), side_c=z(T, ns), side_d=z(T, ns),
        side_y=z(T, ns), net_e=z(T, ns), k=z(T, nd), du=z(T, nd), dtheta=z(T, ns), buffer=z(lay.deep, widest),
        shrink=shrink, shrink_bits=shrink.view(np.int64), y=z(m), dy=z(m), miss=z(m), matrix=z(m, width),
        factor=z(m, width), diagonal=z(m), behind=z(carried, carried), bend=z(m, carried), carry=z(2, nd),
        border=z(lay.nq, m), solved=z(lay.nq, m), schur=z(lay.nq, lay.nq),
    )  # fmt: skip


@kernel(fastmath=True)
def evaluate(lay, win, s, z, lam, cost, reg, a, w):
    """Curvatures `a`, prices of rows and items, residuals `w.miss` = need + slack - overload - value of each row.

    Rows carry no reg: their slack is eliminated, not regularised.

    Returns
    -------
    s'z, cost's, largest residual
    """
    T, R, nu, nk, ng, ns = lay.T, lay.R, lay.nu, lay.nk, lay.ng, lay.ns
    products = objective = 0.0
    for i in range(lay.size):  # sums apart from what is written: one machine code, whatever the arrays' addresses
        products += s[i] * z[i]
        objective += cost[i] * s[i]
    for i in range(lay.over):
        a[i] = z[i] / s[i] + reg
    for i in range(lay.over, lay.size):
        a[i] = z[i] / s[i] + (reg if i < lay.res else 0.0)
    for t in range(T):
        at = win.row_at[t]
        w.y[at] = lam[t]
        for r in range(R - 1):
            w.y[at + 1 + r] = z[lay.res + t * (R - 1) + r]
        for j in range(win.line_at[t], win.line_at[t + 1]):
            w.y[at + R + j - win.line_at[t]] = z[lay.row + j]
        item = w.item[win.item_at[t] : win.item_at[t + 1]]
        for i in range(nu):
            item[i] = (s[lay.q + t * nk + i] + s[lay.w + t * nk + i]) / win.seg_width[i]
        for k in range(nk):
            item[nu + k] = s[lay.q + t * nk + k]
        for k in range(ng):
            item[nu + nk + k] = s[lay.gl + t * ng + k]
        for i in range(ns):
            item[nu + nk + ng + i] = s[lay.dl + t * ns + i] - s[lay.cl + t * ns + i]
        first, base = win.box_at[t], lay.fixed_items
        for j in range(win.box_at[t + 1] - first):
            item[base + j] = s[lay.bl + first + j]
    last = win.row_at[T]
    for b in range(lay.nq):
        w.y[last + b] = z[lay.row + lay.nm + b] + win.row_value[lay.nm + b]
    price_items(win, w.y, w.price)
    row_values(win, w.item, w.miss)
    worst = 0.0
    for t in range(T):
        at = win.row_at[t]
        for r in range(win.row_at[t + 1] - at):
            miss = win.need[at + r] - w.miss[at + r]
            if r >= R:
                j = win.line_at[t] + r - R
                miss += s[lay.row + j] - s[lay.over + j]
            elif r > 0:
                miss += s[lay.res + t * (R - 1) + r - 1]
            w.miss[at + r] = miss
            worst = max(worst, abs(miss))
    for b in range(lay.nq):
        j = lay.nm + b
        miss = win.need[last + b] - w.miss[last + b] + s[lay.row + j] - s[lay.over + j]
        w.miss[last + b] = miss
        worst = max(worst, abs(miss))
    return products, objective, worst


@kernel(fastmath=True)
def _fill(lay, win, a, w):
    curvature(lay, win, a, w)
    factor_chains(lay, win, w)
    assemble(lay, win, a, w)


def factorise(lay: Layout, win: Window, a: FloatArray, w: Work) -> int:
    """Everything of a Newton step that depends on the curvatures `a` alone. Returns the number of frozen prices.

    What few windows need is compiled for those that do.
    """
    _fill(lay, win, a, w)
    if lay.by_hour:
        frozen = prices.eliminate_by_hour(lay, win, w)
    else:
        frozen = prices.cholesky(w.matrix, w.factor, w.diagonal, 0, int(win.row_at[-1]))
    return int(frozen + (prices.border(lay, win, a, w) if lay.nq else 0))


@kernel(fastmath=True, part=True)
def _sides(lay, win, a, e, theta, w):
    """Right-hand sides of every device at the present prices."""
    T, nu, nk, nr, ng, ns, ny = lay.T, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns, lay.ny
    base = nu + nr
    w.k[:] = 0.0
    for t in range(T):
        items = win.item_at[t]
        price, side, k_t = w.price[items : win.item_at[t + 1]], w.side[items : win.item_at[t + 1]], w.k[t]
        h = w.h[items : win.item_at[t + 1]]
        for i in range(nu):
            at = t * nu + i
            av, ac = a[lay.v + at], a[lay.c + at]
            push = e[lay.c + at] + ac * (-win.unit_start[i] - e[lay.v + at] - e[lay.c + at]) / (ac + av)
            k_t[i] += price[i] - win.unit_cost[i] + e[lay.n + at] + push
            if t > 0:
                w.k[t - 1, i] -= push
        for level in range(win.unit_level.size - 1):
            first = win.unit_level[level]
            for i in range(win.unit_level[level + 1] - first):
                k = first + i
                ew = e[lay.w + t * nk + k]
                value = price[nu + k] - win.seg_cost[k] - e[lay.q + t * nk + k] + ew
                side[nu + k] = value
                k_t[i] += w.phi[t, k] * value - win.seg_width[k] * ew
        for k in range(ng):
            at = t * ng + k
            side[nu + nk + k] = price[nu + nk + k] - win.ramp_cost[t, k] - e[lay.gl + at] + e[lay.gu + at]
        for level in range(win.ramp_level.size - 1):
            first = win.ramp_level[level]
            for r in range(win.ramp_level[level + 1] - first):
                k_t[nu + r] += h[nu + nk + first + r] * side[nu + nk + first + r] * w.x[t, nu + r]
        for r in range(nr):
            push = e[lay.pu + t * nr + r] - e[lay.pd + t * nr + r]
            k_t[nu + r] += push
            if t > 0:
                w.k[t - 1, nu + r] -= push
        for i in range(ny):
            w.side_y[t, i] = -theta[t, i] - e[lay.yl + t * ny + i] + e[lay.yu + t * ny + i]
        for i in range(ns):
            at, value, held = t * ns + i, price[nu + nk + ng + i], theta[t, i]
            side_c = win.eta_c[i] * held - value - win.charge_cost[i] - e[lay.cl + at] + e[lay.cu + at]
            side_d = value - held / win.eta_d[i] - win.discharge_cost[i] - e[lay.dl + at] + e[lay.du + at]
            net = win.eta_c[i] * w.h1[t, i] * side_c - w.h2[t, i] * side_d / win.eta_d[i] - w.h3[t, i] * w.side_y[t, i]
            w.side_c[t, i], w.side_d[t, i], w.net_e[t, i] = side_c, side_d, net
            later = win.keep[i] * theta[t + 1, i] if t + 1 < T else win.end_value[i]
            scale = win.keep_power[t, i]
            push = w.link[t, base + i] / scale * net
            k_t[base + i] += scale * (later - held - e[lay.el + at] + e[lay.eu + at]) + push
            if t > 0:  # keep * keep^(t-1) = keep^t
                w.k[t - 1, base + i] -= push
        first, items = win.box_at[t], lay.fixed_items
        for j in range(win.box_at[t + 1] - first):
            at = first + j
            side[items + j] = price[items + j] - win.box_cost[at] - e[lay.bl + at] + e[lay.bu + at]


@kernel(fastmath=True, part=True)
def _right_side(lay, win, a, e, s, z, w):
    """What the rows need less what devices do by themselves, into `w.dy`; `w.du` holds the chains' own steps."""
    T, R, nu, nk, nr, ng, ns = lay.T, lay.R, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns
    base = nu + nr
    for t in range(T):
        items = win.item_at[t]
        end = win.item_at[t + 1]
        item, side, h = w.item[items:end], w.side[items:end], w.h[items:end]
        du = w.du[t]
        for i in range(nu):
            item[i] = du[i]
        for level in range(win.unit_level.size - 1):
            first = win.unit_level[level]
            for i in range(win.unit_level[level + 1] - first):
                k = nu + first + i
                item[k] = h[k] * side[k] + w.phi[t, first + i] * du[i]
        for level in range(win.ramp_level.size - 1):
            first = win.ramp_level[level]
            for r in range(win.ramp_level[level + 1] - first):
                k = nu + nk + first + r
                # rho = (sum h side - dp) / H, of which k holds the chain's part: see `ramp_rho`
                item[k] = h[k] * (side[k] - w.dprice[items + k])
        for i in range(ns):
            scale = win.keep_power[t, i]
            g = w.link[t, base + i] / (scale * scale)
            b = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            rise = scale * (du[base + i] - (w.du[t - 1, base + i] if t > 0 else 0.0))
            answer = w.h2[t, i] * w.side_d[t, i] - w.h1[t, i] * w.side_c[t, i] - b * g * (rise - w.net_e[t, i])
            item[nu + nk + ng + i] = answer
        for j in range(lay.fixed_items, win.item_at[t + 1] - items):
            item[j] = h[j] * side[j]
    row_values(win, w.item, w.dy)
    for t in range(T):
        at = win.row_at[t]
        for r in range(win.row_at[t + 1] - at):
            value = w.miss[at + r] - w.dy[at + r]
            if r >= R:
                j = win.line_at[t] + r - R
                over = (-win.row_cost[j] + z[lay.row + j] - e[lay.over + j]) / a[lay.over + j]
                value -= over + s[lay.row + j] + e[lay.row + j] / a[lay.row + j]
            elif r > 0:
                j = lay.res + t * (R - 1) + r - 1
                value -= s[j] + e[j] / a[j]
            w.dy[at + r] = value
    for b in range(lay.nq):
        at, j = win.row_at[T] + b, lay.nm + b
        over = (-win.row_cost[j] + z[lay.row + j] - e[lay.over + j]) / a[lay.over + j]
        w.dy[at] = w.miss[at] - w.dy[at] - over - s[lay.row + j] - e[lay.row + j] / a[lay.row + j]


@kernel(fastmath=True, part=True)
def _device_steps(lay, win, a, e, w, ds):
    """Steps of all pairs but those of rows, from the chains' steps `w.du` and the items' price steps `w.dprice`."""
    T, nu, nk, nr, ng, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns
    base = nu + nr
    for t in range(T):
        items = win.item_at[t]
        end = win.item_at[t + 1]
        side, dprice, h = w.side[items:end], w.dprice[items:end], w.h[items:end]
        du = w.du[t]
        for level in range(win.unit_level.size - 1):
            first = win.unit_level[level]
            for i in range(win.unit_level[level + 1] - first):
                k = first + i
                at = t * nk + k
                answer = h[nu + k] * (side[nu + k] + dprice[nu + k])
                ds[lay.q + at] = answer + w.phi[t, k] * du[i]
                ds[lay.w + at] = win.seg_width[k] * a[lay.q + at] * h[nu + k] * du[i] - answer
        for i in range(nu):
            at = t * nu + i
            av, ac = a[lay.v + at], a[lay.c + at]
            inv = 1.0 / (ac + av)
            rise = du[i] - (w.du[t - 1, i] if t > 0 else 0.0)
            start = -win.unit_start[i] - e[lay.v + at] - e[lay.c + at]
            ds[lay.n + at] = -du[i]
            ds[lay.v + at] = (start + ac * rise) * inv
            ds[lay.c + at] = (start - av * rise) * inv
        for k in range(ng):
            dq = h[nu + nk + k] * (side[nu + nk + k] + dprice[nu + nk + k])
            ds[lay.gl + t * ng + k] = dq
            ds[lay.gu + t * ng + k] = -dq
        for r in range(nr):
            rise = du[nu + r] - (w.du[t - 1, nu + r] if t > 0 else 0.0)
            ds[lay.pu + t * nr + r] = -rise
            ds[lay.pd + t * nr + r] = rise
        for i in range(ns):
            at, scale, price = t * ns + i, win.keep_power[t, i], dprice[nu + nk + ng + i]
            before = w.du[t - 1, base + i] if t > 0 else 0.0
            b = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            g = w.link[t, base + i] / (scale * scale)
            dtheta = g * (scale * (du[base + i] - before) - w.net_e[t, i] + b * price)
            w.dtheta[t, i] = dtheta
            dc = w.h1[t, i] * (w.side_c[t, i] - price + win.eta_c[i] * dtheta)
            dd = w.h2[t, i] * (w.side_d[t, i] + price - dtheta / win.eta_d[i])
            de = scale * du[base + i]
            ds[lay.cl + at] = dc
            ds[lay.cu + at] = -dc
            ds[lay.dl + at] = dd
            ds[lay.du + at] = -dd
            ds[lay.el + at] = de
            ds[lay.eu + at] = -de
        for i in range(lay.ny):
            dy = w.h3[t, i] * (w.side_y[t, i] - w.dtheta[t, i])
            ds[lay.yl + t * lay.ny + i] = dy
            ds[lay.yu + t * lay.ny + i] = -dy
        first = win.box_at[t]
        for j in range(win.box_at[t + 1] - first):
            k = lay.fixed_items + j
            dx = h[k] * (side[k] + dprice[k])
            ds[lay.bl + first + j] = dx
            ds[lay.bu + first + j] = -dx
            w.item[items + k] = dx
        for i in range(nu):
            w.item[items + i] = du[i]
        for k in range(nk):
            w.item[items + nu + k] = ds[lay.q + t * nk + k]
        for k in range(ng):
            w.item[items + nu + nk + k] = ds[lay.gl + t * ng + k]
        for i in range(ns):
            w.item[items + nu + nk + ng + i] = ds[lay.dl + t * ns + i] - ds[lay.cl + t * ns + i]


@kernel(fastmath=True)
def direction(lay, win, a, e, s, z, theta, w, ds, dz):
    """Newton step of every pair for the centring terms `e`; also `w.dy` of the prices and `w.dtheta`.

    Row slacks take their step from the row where they are large, from complementarity where they are small.

    Parameters
    ----------
    ds, dz : (size,) float64, written

    Returns
    -------
    Largest steps in s and in z that keep every pair nonnegative, at most 1e30.
    """
    T, R = lay.T, lay.R
    _sides(lay, win, a, e, theta, w)
    for t in range(T):
        for d in range(lay.nd):
            w.du[t, d] = w.k[t, d]
    solve_chains(w)
    if lay.nr > 0:
        ramp_rho(lay, win, w, False)
    _right_side(lay, win, a, e, s, z, w)
    solve_prices(lay, win, w)
    solve_border(lay, win, w)
    price_items(win, w.dy, w.dprice)
    for t in range(T):
        for d in range(lay.nd):
            w.du[t, d] = w.k[t, d]
    push_chains(lay, win, w, w.dprice)
    solve_chains(w)
    if lay.nr > 0:
        ramp_rho(lay, win, w, True)
    _device_steps(lay, win, a, e, w, ds)
    worst_s, worst_z = 1e-30, 1e-30
    for t in range(T):  # rows: their values' steps, then slacks and overloads
        first, count, at = win.item_at[t], win.item_at[t + 1] - win.item_at[t], win.effect_at[t]
        item = w.item[first : first + count]
        for r in range(win.row_at[t + 1] - win.row_at[t]):
            effect, i, value = win.effect[at : at + count], win.row_at[t] + r, 0.0
            at += count
            if r == 0:
                continue
            for j in range(count):
                value += effect[j] * item[j]
            if r >= R:
                line = win.line_at[t] + r - R
                over, row = lay.over + line, lay.row + line
                push = -win.row_cost[line] + z[row] - e[over]
                ds[over] = (push + w.dy[i]) / a[over]
                dz[over] = -z[over] - e[over] - z[over] / s[over] * ds[over]
                value += ds[over]
                worst_s = max(worst_s, -ds[over] / s[over])
                worst_z = max(worst_z, -dz[over] / z[over])
            else:
                row = lay.res + t * (R - 1) + r - 1
            dz[row] = w.dy[i]
            ds[row] = value - w.miss[i] if s[row] > z[row] else -s[row] - (e[row] + dz[row]) / a[row]
            worst_s = max(worst_s, -ds[row] / s[row])
            worst_z = max(worst_z, -dz[row] / z[row])
    for b in range(lay.nq):
        effect, i, value = win.budget[b], win.row_at[T] + b, 0.0
        for j in range(effect.size):
            value += effect[j] * w.item[j]
        over, row = lay.over + lay.nm + b, lay.row + lay.nm + b
        push = -win.row_cost[lay.nm + b] + z[row] - e[over]
        ds[over] = (push + w.dy[i]) / a[over]
        dz[over] = -z[over] - e[over] - z[over] / s[over] * ds[over]
        value += ds[over]
        dz[row] = w.dy[i]
        ds[row] = value - w.miss[i] if s[row] > z[row] else -s[row] - (e[row] + dz[row]) / a[row]
        worst_s = max(worst_s, -ds[over] / s[over], -ds[row] / s[row])
        worst_z = max(worst_z, -dz[over] / z[over], -dz[row] / z[row])
    pairs_s, pairs_z = flat.pair_steps(s, z, e, ds, lay.over, dz, w.shrink, w.shrink_bits)
    return 1.0 / max(worst_s, pairs_s), 1.0 / max(worst_z, pairs_z)
