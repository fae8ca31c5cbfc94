"""One Newton step of the interior point, by structure: devices eliminated along their chains, prices solved densely.

The prices y of the rows (lambda_t, mu_tr, pi_m) are the only thing devices share; an item's price is its column of
`Window.effect` times y. With a = z / s + reg the curvature of each pair, and e = (second order - sigma mu) / s its
centring term, a device answers a step of its items' prices in closed form:

* segment k of a unit: dq = h (side + dprice) + phi du, with h = 1 / (a_q + a_w), phi = width a_w h              (1)
* chain of a unit in u: excess x = sum width^2 a_q a_w h + a_N, link l = a_c a_v / (a_c + a_v)                   (2)
* box: dx = h (side + dprice), h = 1 / (a_lo + a_hi)                                                            (3)
* ramped device: its segments share one multiplier rho of p = base + sum q: dq = h (side + dprice - rho), so that
  with H = sum h the chain in p has excess 1 / H, link a_up + a_down, and earns the h-weighted mean price         (4)
* store: h1, h2, h3 of charge, discharge, spill, Q = eta_c^2 h1 + h2 / eta_d^2 + h3; chain in e, excess
  a_lo + a_hi, link 1 / Q, both scaled by keep^t so that every chain is a plain ladder of conductances            (5)

Chains are factored without a subtraction: X_t = x_t + m_t X_(t-1), m_t = l_t / (X_(t-1) + l_t). Their inverses are
semiseparable: what a device adds to the price matrix between rows of hours q > t is
C_q A_q (P_(q-1) .. P_(t+1)) B_t C_t, so the matrix is filled by marching every hour's rows backwards, all chains side
by side. `reg` is proximal: in the curvature, not in dz, so it biases nothing.

With U_q = C_q A_q, W = P and V_t = C_t B_t that form survives a Cholesky factor: its rows are
U_q W_(q-1) .. W_(t+1) E_t, where only V has become E. What the hours before t have eliminated is one matrix S among
the chains ::

    L_t L_t' = M_t - U_t S U_t',   E_t = (V_t' - W_t S U_t') L_t'^-1,   S <- W_t S W_t + E_t E_t'                   (6)

so that many rows cost the sum over hours, not the cube of them all (`Layout.by_hour`); without chains S is empty.

A budget's row reaches over many hours: its row of the matrix, a border, is what all items answer to its price.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels import flat
from gridsim.kernels.jit import FloatArray, IntArray, kernel
from gridsim.kernels.layout import Layout

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
    h3: FloatArray
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
    behind: FloatArray  # (chains, chains) S of equation (6), by hour
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


@kernel(fastmath=True, part=True)
def price_items(win, y, out):
    """Prices of all items: the transpose of `effect` times the prices of the rows."""
    for t in range(win.row_at.size - 1):
        first, count = win.item_at[t], win.item_at[t + 1] - win.item_at[t]
        mine = out[first : first + count]
        mine[:] = 0.0
        at = win.effect_at[t]
        for r in range(win.row_at[t], win.row_at[t + 1]):
            row, value = win.effect[at : at + count], y[r]
            for j in range(count):
                mine[j] += row[j] * value
            at += count
    for b in range(win.budget.shape[0]):
        row, value = win.budget[b], y[win.row_at[-1] + b]
        for j in range(row.size):
            out[j] += row[j] * value


@kernel(fastmath=True, part=True)
def _row_values(win, item, out):
    """What the items' values put on each row."""
    for t in range(win.row_at.size - 1):
        first, count = win.item_at[t], win.item_at[t + 1] - win.item_at[t]
        mine = item[first : first + count]
        at = win.effect_at[t]
        for r in range(win.row_at[t], win.row_at[t + 1]):
            row, total = win.effect[at : at + count], 0.0
            for j in range(count):
                total += row[j] * mine[j]
            out[r] = total
            at += count
    for b in range(win.budget.shape[0]):
        row, total = win.budget[b], 0.0
        for j in range(row.size):
            total += row[j] * item[j]
        out[win.row_at[-1] + b] = total


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
    _row_values(win, w.item, w.miss)
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


@kernel(fastmath=True, part=True)
def _curvature(lay, win, a, w):
    """Local answers, chain excess and links: equations (1) to (5)."""
    T, nu, nk, nr, ng, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns
    for t in range(T):
        h, x, link = w.h[win.item_at[t] : win.item_at[t + 1]], w.x[t], w.link[t]
        for i in range(nu):
            av, ac = a[lay.v + t * nu + i], a[lay.c + t * nu + i]
            x[i] = a[lay.n + t * nu + i]
            link[i] = ac * av / (ac + av)
        for level in range(win.unit_level.size - 1):
            first = win.unit_level[level]
            for i in range(win.unit_level[level + 1] - first):
                k = first + i
                aq, aw, width = a[lay.q + t * nk + k], a[lay.w + t * nk + k], win.seg_width[k]
                answer = 1.0 / (aq + aw)
                h[nu + k] = answer
                w.phi[t, k] = width * aw * answer
                x[i] += width * width * aq * aw * answer
        for k in range(ng):
            h[nu + nk + k] = 1.0 / (a[lay.gl + t * ng + k] + a[lay.gu + t * ng + k])
        for r in range(nr):
            w.share[t, r] = 0.0
        for level in range(win.ramp_level.size - 1):
            first = win.ramp_level[level]
            for r in range(win.ramp_level[level + 1] - first):
                w.share[t, r] += h[nu + nk + first + r]
        for r in range(nr):
            x[nu + r] = 1.0 / w.share[t, r]
            link[nu + r] = a[lay.pu + t * nr + r] + a[lay.pd + t * nr + r]
        for i in range(ns):
            at, eta_c, eta_d = t * ns + i, win.eta_c[i], win.eta_d[i]
            h1, h2 = 1.0 / (a[lay.cl + at] + a[lay.cu + at]), 1.0 / (a[lay.dl + at] + a[lay.du + at])
            h3 = 1.0 / (a[lay.yl + at] + a[lay.yu + at])
            w.h1[t, i], w.h2[t, i], w.h3[t, i] = h1, h2, h3
            scale = win.keep_power[t, i] * win.keep_power[t, i]
            total, spread = eta_c * eta_c * h1 + h2 / (eta_d * eta_d) + h3, 1.0 / eta_d - eta_c
            h[nu + nk + ng + i] = (h1 * h2 * spread * spread + (h1 + h2) * h3) / total
            x[nu + nr + i] = (a[lay.el + at] + a[lay.eu + at]) * scale
            link[nu + nr + i] = scale / total
        first, base = win.box_at[t], lay.fixed_items
        for j in range(win.box_at[t + 1] - first):
            h[base + j] = 1.0 / (a[lay.bl + first + j] + a[lay.bu + first + j])


@kernel(fastmath=True, part=True)
def _chains(lay, win, w):
    """Factor every chain, and what the march needs: gain, decay, within the hour; `w.answer` and `w.reach`."""
    T, nu, nk, nr, ng, ns, nd = lay.T, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns, lay.nd
    base = nu + nr
    level = w.buffer[0]
    for d in range(nd):
        level[d] = w.x[0, d] + w.link[0, d]
        w.m[0, d] = 0.0
    for t in range(1, T):
        for d in range(nd):
            link = w.link[t, d]
            inv = 1.0 / (level[d] + link)
            w.inv[t - 1, d] = inv
            w.m[t, d] = link * inv
            level[d] = w.x[t, d] + link * inv * level[d]
    for d in range(nd):
        w.inv[T - 1, d] = 1.0 / level[d]
        level[d] = 0.0
    for t in range(T - 1, -1, -1):
        for d in range(base):
            m = w.m[t + 1, d] if t + 1 < T else 0.0
            level[d] = w.inv[t, d] + m * m * level[d]
            w.own[t, d] = level[d]
            w.gain[t, d] = level[d] * w.m[t, d]
            w.decay[t, d] = w.m[t, d]
        for r in range(nr):
            w.own[t, nu + r] -= w.share[t, r]
    right = w.buffer[0]
    for i in range(ns):
        right[i] = 0.0
    # With XL, XR the conductances to ground left and right of a link g, B K^-1 B' of a ladder has closed form
    # (XL + XR) / (XL XR + g (XL + XR)) on the diagonal and one sign off it.
    for t in range(T - 1, -1, -1):
        for i in range(ns):
            d, g = base + i, w.link[t, base + i]
            xr = w.x[t, d] + right[i]
            share = 1.0 / (g + xr)
            answer = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            w.own[t, d] = answer * g / win.keep_power[t, i]
            w.decay[t, d] = g * share
            w.gain[t, d] = -w.own[t, d] * xr * share
            w.dtheta[t, i] = xr  # scratch until the step is made
            right[i] = g * xr * share
    for t in range(T):
        for i in range(ns):
            d, g, xr, left = base + i, w.link[t, base + i], w.dtheta[t, i], right[i]
            answer = w.own[t, d]
            if t == 0:
                diagonal, share = 1.0 / (xr + g), 1.0
                right[i] = w.x[t, d] + g
            else:
                diagonal, share = (left + xr) / (left * xr + g * (left + xr)), left / (left + xr)
                right[i] = w.x[t, d] + g * left / (g + left)
            w.own[t, d] = answer * answer * diagonal
            w.net_e[t, i] = answer * diagonal * share  # B; scratch likewise
    for t in range(T):
        first, count = win.item_at[t], win.item_at[t + 1] - win.item_at[t]
        h, phi, at = w.h[first : first + count], w.phi[t], win.effect_at[t]
        for r in range(win.row_at[t], win.row_at[t + 1]):
            effect, out, reach = win.effect[at : at + count], w.answer[r], w.reach[r]
            for i in range(nu):
                out[i] = effect[i]
            for lv in range(win.unit_level.size - 1):
                k0 = win.unit_level[lv]
                for i in range(win.unit_level[lv + 1] - k0):
                    out[i] += phi[k0 + i] * effect[nu + k0 + i]
            for i in range(nr):
                out[nu + i] = 0.0
            for lv in range(win.ramp_level.size - 1):
                k0 = win.ramp_level[lv]
                for i in range(win.ramp_level[lv + 1] - k0):
                    out[nu + i] += h[nu + nk + k0 + i] * effect[nu + nk + k0 + i] * w.x[t, nu + i]
            for d in range(base):
                reach[d] = out[d]
            for i in range(ns):
                out[base + i] = effect[nu + nk + ng + i]
                reach[base + i] = effect[nu + nk + ng + i] * w.net_e[t, i]
            at += count


@kernel(fastmath=True, inner=True)
def _push_chains(lay, win, w, price):
    """Add what a step `price` of the items' prices does to the right-hand sides of the chains, in `w.du`."""
    T, nu, nk, nr, ng, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns
    base = nu + nr
    for t in range(T):
        du, items = w.du[t], win.item_at[t]
        of_hour, h, phi = price[items : win.item_at[t + 1]], w.h[items : win.item_at[t + 1]], w.phi[t]
        for i in range(nu):
            du[i] += of_hour[i]
        for level in range(win.unit_level.size - 1):
            first = win.unit_level[level]
            for i in range(win.unit_level[level + 1] - first):
                du[i] += phi[first + i] * of_hour[nu + first + i]
        for level in range(win.ramp_level.size - 1):
            first = win.ramp_level[level]
            for i in range(win.ramp_level[level + 1] - first):
                k = nu + nk + first + i
                du[nu + i] += h[k] * of_hour[k] * w.x[t, nu + i]
        for i in range(ns):
            b = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            push = w.link[t, base + i] / win.keep_power[t, i] * b * of_hour[nu + nk + ng + i]
            du[base + i] -= push
            if t > 0:
                w.du[t - 1, base + i] += push


@kernel(fastmath=True, part=True)
def _respond(lay, win, w, price):
    """Answer of every item to a step `price` of the items' prices, by itself; into `w.item`. Overwrites `w.du`."""
    T, nu, nk, nr, ng, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns
    base, rho = nu + nr, w.buffer[0]
    w.du[:] = 0.0
    _push_chains(lay, win, w, price)
    _solve_chains(w)
    for t in range(T):
        items, end = win.item_at[t], win.item_at[t + 1]
        of_hour, item, h, du, phi = price[items:end], w.item[items:end], w.h[items:end], w.du[t], w.phi[t]
        for i in range(nu):
            item[i] = du[i]
        for level in range(win.unit_level.size - 1):
            first = win.unit_level[level]
            for i in range(win.unit_level[level + 1] - first):
                k = nu + first + i
                item[k] = h[k] * of_hour[k] + phi[first + i] * du[i]
        for i in range(nr):
            rho[i] = -du[nu + i]
        for level in range(win.ramp_level.size - 1):
            first = nu + nk + win.ramp_level[level]
            for i in range(win.ramp_level[level + 1] - win.ramp_level[level]):
                rho[i] += h[first + i] * of_hour[first + i]
        for level in range(win.ramp_level.size - 1):
            first = nu + nk + win.ramp_level[level]
            for i in range(win.ramp_level[level + 1] - win.ramp_level[level]):
                item[first + i] = h[first + i] * (of_hour[first + i] - rho[i] * w.x[t, nu + i])
        for i in range(ns):
            k, scale = nu + nk + ng + i, win.keep_power[t, i]
            before = w.du[t - 1, base + i] if t > 0 else 0.0
            b = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            dtheta = w.link[t, base + i] / (scale * scale) * (scale * (du[base + i] - before) + b * of_hour[k])
            charge = w.h1[t, i] * (win.eta_c[i] * dtheta - of_hour[k])
            item[k] = w.h2[t, i] * (of_hour[k] - dtheta / win.eta_d[i]) - charge
        for k in range(lay.fixed_items, end - items):
            item[k] = h[k] * of_hour[k]


@kernel(fastmath=True, part=True)
def _assemble(lay, win, a, w):
    """The lower triangle of the price matrix."""
    T, R, nu, nd = lay.T, lay.R, lay.nu, lay.nd
    matrix, buffer = w.matrix, w.buffer
    for t in range(T):
        begin, end, count = win.row_at[t], win.row_at[t + 1], win.item_at[t + 1] - win.item_at[t]
        h, at = w.h[win.item_at[t] : win.item_at[t + 1]], win.effect_at[t]
        shift = begin if lay.by_hour else 0
        for r in range(begin, end):  # items of the hour that no chain joins, and chains within the hour
            mine, scaled, place = matrix[r], buffer[0], at + (r - begin) * count
            effect = win.effect[place : place + count]
            for j in range(nu, count):
                scaled[j] = h[j] * effect[j]
            for c in range(begin, r + 1):
                place, total = at + (c - begin) * count, 0.0
                other = win.effect[place : place + count]
                for j in range(nu, count):
                    total += scaled[j] * other[j]
                mine[c - shift] = total
            for d in range(nd):
                scaled[d] = w.own[t, d] * w.answer[r, d]
            for c in range(begin, r + 1):
                other, total = w.answer[c], 0.0
                for d in range(nd):
                    total += scaled[d] * other[d]
                mine[c - shift] += total
            place = r - begin
            if place >= R:
                j = win.line_at[t] + place - R
                mine[r - shift] += 1.0 / a[lay.row + j] + 1.0 / a[lay.over + j]
            elif place > 0:
                mine[r - shift] += 1.0 / a[lay.res + t * (R - 1) + place - 1]
            w.diagonal[r] = mine[r - shift]
        if lay.by_hour:
            continue
        for r in range(begin, end):
            out, gain, mine = buffer[r - begin], w.gain[t], w.answer[r]
            for d in range(nd):
                out[d] = mine[d] * gain[d]
        for before in range(t - 1, -1, -1):
            first, last = win.row_at[before], win.row_at[before + 1]
            for r in range(begin, end, 2):  # two by two: each value loaded serves twice
                s_row = min(r + 1, end - 1)
                r0, r1 = buffer[r - begin], buffer[s_row - begin]
                for c in range(first, last, 2):
                    d_row = min(c + 1, last - 1)
                    c0, c1 = w.reach[c], w.reach[d_row]
                    t00 = t01 = t10 = t11 = 0.0
                    for d in range(nd):
                        t00 += r0[d] * c0[d]
                        t01 += r0[d] * c1[d]
                        t10 += r1[d] * c0[d]
                        t11 += r1[d] * c1[d]
                    matrix[r, c], matrix[r, d_row] = t00, t01
                    matrix[s_row, c], matrix[s_row, d_row] = t10, t11
            decay = w.decay[before]
            for r in range(begin, end):
                marched = buffer[r - begin]
                for d in range(nd):
                    marched[d] *= decay[d]


@kernel(fastmath=True, part=True)
def _cholesky(matrix, factor, diagonal, begin, n):
    """Lower Cholesky factor of the `n` rows from `begin`; a pivot that has vanished freezes its price for the step.

    What has vanished is measured by the `diagonal` before any elimination. Returns frozen pivots.
    """
    frozen = 0
    for j in range(0, n, 2):  # two rows against two rows: each value loaded serves twice
        other = min(j + 1, n - 1)
        m0, m1, r0, r1 = matrix[begin + j], matrix[begin + other], factor[begin + j], factor[begin + other]
        for i in range(0, j, 2):
            c0, c1 = factor[begin + i], factor[begin + i + 1]
            t00, t01, t10, t11 = m0[i], m0[i + 1], m1[i], m1[i + 1]
            for k in range(i):
                t00 -= r0[k] * c0[k]
                t01 -= r0[k] * c1[k]
                t10 -= r1[k] * c0[k]
                t11 -= r1[k] * c1[k]
            r0[i], r1[i] = t00 * c0[i], t10 * c0[i]  # the diagonal holds reciprocals
            r0[i + 1], r1[i + 1] = (t01 - r0[i] * c1[i]) * c1[i + 1], (t11 - r1[i] * c1[i]) * c1[i + 1]
        for place in range(j, other + 1):
            given, row = matrix[begin + place], factor[begin + place]
            for i in range(j, place):
                total = given[i]
                for k in range(i):
                    total -= row[k] * r0[k]
                row[i] = total * r0[i]
            total = given[place] * (1.0 + 1e-12)
            for k in range(place):
                total -= row[k] * row[k]
            if total > 1e-13 * diagonal[begin + place]:
                row[place] = 1.0 / np.sqrt(total)
            else:
                row[place] = 0.0
                frozen += 1
    return frozen


@kernel(fastmath=True, part=True)
def _reduce(lay, win, t, w):
    """Take what the hours before have eliminated off the block of hour `t`; (U S)' into its rows of `w.bend`."""
    nd, begin, end = lay.nd, win.row_at[t], win.row_at[t + 1]
    gain = w.gain[t]
    for r in range(begin, end):
        out, mine = w.buffer[r - begin], w.answer[r]
        for d in range(nd):
            out[d] = mine[d] * gain[d]
    for r in range(begin, end, 2):
        other = min(r + 1, end - 1)
        r0, r1, b0, b1 = w.buffer[r - begin], w.buffer[other - begin], w.bend[r], w.bend[other]
        for c in range(0, nd, 2):
            next_c = min(c + 1, nd - 1)
            c0, c1 = w.behind[c], w.behind[next_c]
            t00 = t01 = t10 = t11 = 0.0
            for d in range(nd):
                t00 += r0[d] * c0[d]
                t01 += r0[d] * c1[d]
                t10 += r1[d] * c0[d]
                t11 += r1[d] * c1[d]
            b0[c], b0[next_c], b1[c], b1[next_c] = t00, t01, t10, t11
    for r in range(begin, end):
        matrix, out = w.matrix[r], w.bend[r]
        for c in range(r - begin + 1):
            other, total = w.buffer[c], 0.0
            for d in range(nd):
                total += out[d] * other[d]
            matrix[c] -= total
        matrix[r - begin] += 1e-12 * w.diagonal[r]


@kernel(fastmath=True, part=True)
def _carry_on(lay, win, t, w):
    """E of hour `t`, and S with what this hour has eliminated: equation (6)."""
    nd, begin, end = lay.nd, win.row_at[t], win.row_at[t + 1]
    decay = w.decay[t]
    for r in range(begin, end):
        out, reach, factor = w.bend[r], w.reach[r], w.factor[r]
        for d in range(nd):
            out[d] = reach[d] - decay[d] * out[d]
        for c in range(r - begin):
            other, value = w.bend[begin + c], factor[c]
            for d in range(nd):
                out[d] -= value * other[d]
        value = factor[r - begin]
        for d in range(nd):
            out[d] *= value
    for c in range(nd):
        row, kept = w.behind[c], decay[c]
        for d in range(c + 1):
            row[d] *= kept * decay[d]
        for r in range(begin, end, 2):
            b0, b1 = w.bend[r], w.bend[min(r + 1, end - 1)]
            v0, v1 = b0[c], b1[c] if r + 1 < end else 0.0
            for d in range(c + 1):
                row[d] += v0 * b0[d] + v1 * b1[d]
    for c in range(nd):
        for d in range(c):
            w.behind[d, c] = w.behind[c, d]


@kernel(fastmath=True, part=True)
def _eliminate(lay, win, w):
    """Factor of the price matrix: all of it, or hour by hour. Returns frozen pivots."""
    frozen, blocks, carries = 0, lay.T if lay.by_hour else 1, lay.by_hour > 0 and lay.nd > 0
    if carries:
        w.behind[:] = 0.0
    for t in range(blocks):
        begin, end = win.row_at[t], win.row_at[t + 1] if lay.by_hour else win.row_at[lay.T]
        if carries:
            _reduce(lay, win, t, w)
        frozen += _cholesky(w.matrix, w.factor, w.diagonal, begin, end - begin)
        if carries:
            _carry_on(lay, win, t, w)
    return frozen


@kernel(fastmath=True, part=True)
def _border(lay, win, a, w):
    """Rows of budgets in the price matrix: the values of all rows at the items' answers to a price of one budget.

    They reach over all hours, so they stand apart: `w.solved` is the border solved for, `w.schur` the factor of what
    the hourly rows leave of the budgets' own block. Returns frozen pivots.
    """
    last, frozen = win.row_at[lay.T], 0
    for b in range(lay.nq):
        _respond(lay, win, w, win.budget[b])
        _row_values(win, w.item, w.dy)
        border, solved, schur, j = w.border[b], w.solved[b], w.schur[b], lay.nm + b
        for r in range(lay.m):
            border[r] = w.dy[r]
        border[last + b] += 1.0 / a[lay.row + j] + 1.0 / a[lay.over + j]
        _solve_prices(lay, win, w)
        for r in range(last):
            solved[r] = w.dy[r]
        for c in range(b + 1):
            other, total = w.border[c], border[last + c]
            for r in range(last):
                total -= solved[r] * other[r]
            for k in range(c):
                total -= schur[k] * w.schur[c, k]
            if c < b:
                schur[c] = total * w.schur[c, c]
            elif total > 1e-13 * border[last + b]:
                schur[b] = 1.0 / np.sqrt(total)  # the diagonal holds reciprocals
            else:
                schur[b] = 0.0
                frozen += 1
    return frozen


@kernel(fastmath=True, part=True)
def _solve_border(lay, win, w):
    """From the hourly prices in `w.dy` as if there were no budgets to those of all rows."""
    last = win.row_at[lay.T]
    for b in range(lay.nq):
        border, total = w.border[b], w.dy[last + b]
        for r in range(last):
            total -= border[r] * w.dy[r]
        for k in range(b):
            total -= w.schur[b, k] * w.dy[last + k]
        w.dy[last + b] = total * w.schur[b, b]
    for b in range(lay.nq - 1, -1, -1):
        value = w.dy[last + b] * w.schur[b, b]
        w.dy[last + b] = value
        for k in range(b):
            w.dy[last + k] -= w.schur[b, k] * value
    for b in range(lay.nq):
        solved, value = w.solved[b], w.dy[last + b]
        for r in range(last):
            w.dy[r] -= solved[r] * value


@kernel(fastmath=True)
def factorise(lay, win, a, w):
    """Everything of a Newton step that depends on the curvatures `a` alone. Returns the number of frozen prices."""
    _curvature(lay, win, a, w)
    _chains(lay, win, w)
    _assemble(lay, win, a, w)
    frozen = _eliminate(lay, win, w)
    return frozen + _border(lay, win, a, w)


@kernel(fastmath=True, part=True)
def _sides(lay, win, a, e, theta, w):
    """Right-hand sides of every device at the present prices."""
    T, nu, nk, nr, ng, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns
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
        for i in range(ns):
            at, value, held = t * ns + i, price[nu + nk + ng + i], theta[t, i]
            side_c = win.eta_c[i] * held - value - win.charge_cost[i] - e[lay.cl + at] + e[lay.cu + at]
            side_d = value - held / win.eta_d[i] - win.discharge_cost[i] - e[lay.dl + at] + e[lay.du + at]
            side_y = -held - e[lay.yl + at] + e[lay.yu + at]
            net = win.eta_c[i] * w.h1[t, i] * side_c - w.h2[t, i] * side_d / win.eta_d[i] - w.h3[t, i] * side_y
            w.side_c[t, i], w.side_d[t, i], w.side_y[t, i], w.net_e[t, i] = side_c, side_d, side_y, net
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


@kernel(fastmath=True, inner=True)
def _solve_chains(w):
    """Solve K du = du in place, every chain."""
    T, nd = w.du.shape
    for t in range(1, T):
        m, now, before = w.m[t], w.du[t], w.du[t - 1]
        for d in range(nd):
            now[d] += m[d] * before[d]
    last, inv = w.du[T - 1], w.inv[T - 1]
    for d in range(nd):
        last[d] *= inv[d]
    for t in range(T - 2, -1, -1):
        m, now, after, inv = w.m[t + 1], w.du[t], w.du[t + 1], w.inv[t]
        for d in range(nd):
            now[d] = now[d] * inv[d] + m[d] * after[d]


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
                # rho = (sum h side - dp) / H, of which k holds the chain's part: see `_ramp_rho`
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
    _row_values(win, w.item, w.dy)
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


@kernel(fastmath=True, inner=True)
def _ramp_rho(lay, win, w, priced):
    """Multiplier rho of each ramped device's output for the chain step `w.du`, at its segments in `w.dprice`.

    With `priced`, `w.dprice` holds the segments' price steps, which rho is taken off; without, they count as 0.
    """
    T, nu, nk, nr = lay.T, lay.nu, lay.nk, lay.nr
    rho = w.buffer[0]
    for t in range(T):
        items = win.item_at[t] + nu + nk
        for r in range(nr):
            rho[r] = -w.du[t, nu + r]
        for level in range(win.ramp_level.size - 1):
            first = win.ramp_level[level]
            for r in range(win.ramp_level[level + 1] - first):
                k = items + first + r
                rho[r] += w.h[k] * (w.side[k] + (w.dprice[k] if priced else 0.0))
        for level in range(win.ramp_level.size - 1):
            first = win.ramp_level[level]
            for r in range(win.ramp_level[level + 1] - first):
                k = items + first + r
                if priced:
                    w.dprice[k] -= rho[r] * w.x[t, nu + r]
                else:
                    w.dprice[k] = rho[r] * w.x[t, nu + r]


@kernel(fastmath=True, inner=True)
def _solve_prices(lay, win, w):
    """Solve for `w.dy` in place with the factor of `_eliminate`."""
    nd, blocks, carries = lay.nd, lay.T if lay.by_hour else 1, lay.by_hour > 0 and lay.nd > 0
    carry, scaled, y = w.carry[0], w.carry[1], w.dy
    for d in range(nd):
        carry[d] = 0.0
    for t in range(blocks):
        begin, end = win.row_at[t], win.row_at[t + 1] if lay.by_hour else win.row_at[lay.T]
        mine = y[begin:end]
        if carries:
            for d in range(nd):
                scaled[d] = w.gain[t, d] * carry[d]
                carry[d] *= w.decay[t, d]
        for i in range(begin, end):
            row, total = w.factor[i], y[i]
            for k in range(i - begin):
                total -= row[k] * mine[k]
            if carries:
                answer = w.answer[i]
                for d in range(nd):
                    total -= answer[d] * scaled[d]
            total *= row[i - begin]
            y[i] = total
            if carries:
                bend = w.bend[i]
                for d in range(nd):
                    carry[d] += bend[d] * total
    for d in range(nd):
        carry[d] = 0.0
    for t in range(blocks - 1, -1, -1):
        begin, end = win.row_at[t], win.row_at[t + 1] if lay.by_hour else win.row_at[lay.T]
        mine = y[begin:end]
        if carries:
            for d in range(nd):
                scaled[d] = 0.0
            for i in range(begin, end):
                bend, total = w.bend[i], y[i]
                for d in range(nd):
                    total -= bend[d] * carry[d]
                y[i] = total
        for i in range(end - 1, begin - 1, -1):
            row = w.factor[i]
            value = y[i] * row[i - begin]
            y[i] = value
            for k in range(i - begin):
                mine[k] -= row[k] * value
            if carries:
                answer = w.answer[i]
                for d in range(nd):
                    scaled[d] += answer[d] * value
        if carries:
            for d in range(nd):
                carry[d] = carry[d] * w.decay[t, d] + scaled[d] * w.gain[t, d]


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
            dy = w.h3[t, i] * (w.side_y[t, i] - dtheta)
            de = scale * du[base + i]
            ds[lay.cl + at] = dc
            ds[lay.cu + at] = -dc
            ds[lay.dl + at] = dd
            ds[lay.du + at] = -dd
            ds[lay.yl + at] = dy
            ds[lay.yu + at] = -dy
            ds[lay.el + at] = de
            ds[lay.eu + at] = -de
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
    _solve_chains(w)
    if lay.nr > 0:
        _ramp_rho(lay, win, w, False)
    _right_side(lay, win, a, e, s, z, w)
    _solve_prices(lay, win, w)
    _solve_border(lay, win, w)
    price_items(win, w.dy, w.dprice)
    for t in range(T):
        for d in range(lay.nd):
            w.du[t, d] = w.k[t, d]
    _push_chains(lay, win, w, w.dprice)
    _solve_chains(w)
    if lay.nr > 0:
        _ramp_rho(lay, win, w, True)
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
