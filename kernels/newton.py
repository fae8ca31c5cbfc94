"""One Newton step of the interior point, by structure: devices eliminated along their chains, prices solved densely.

The prices y = (lambda_t, mu_t, nu_t, pi_m) are the only thing devices share. With a = z / s + reg the curvature of each
pair, and e = (second order - sigma mu) / s its centring term, a device answers a price step in closed form:

* segment k of a unit: dq = h (t + dprice) + phi du, with h = 1 / (a_q + a_w), phi = width a_w h         (1)
* chain of a unit in u: excess x = sum width^2 a_q a_w h + a_N, link l = a_c a_v / (a_c + a_v)             (2)
* box: dx = h (t + dprice), h = 1 / (a_lo + a_hi)                                                         (3)
* ramped source: chain in p, excess a_lo + a_hi, link a_up + a_down                                        (4)
* store: h1, h2 of charge and discharge, Q = eta_c^2 h1 + h2 / eta_d^2; chain in e, excess a_lo + a_hi,
  link 1 / Q, both scaled by keep^t so that every chain is a plain ladder of conductances                  (5)

Chains are factored without a subtraction: X_t = x_t + m_t X_(t-1), m_t = l_t / (X_(t-1) + l_t). Every entry of the
price matrix is then a sum of terms of one sign. `reg` is proximal: in the curvature, not in dz, so it biases nothing.
Prices signs: supply earns lambda - sum pi coef; headroom earns mu; room down earns nu.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, kernel
from gridsim.kernels.layout import Layout, Window

REG = 1e-7


class Work(NamedTuple):
    """Everything a Newton step writes, allocated once per window."""

    h: FloatArray  # (T, nk)
    phi: FloatArray  # (T, nk)
    g_bal: FloatArray  # (chains, T) answer of supply to the chain variable; 1 for ramps, unused for stores
    g_up: FloatArray  # (nu, T)
    g_down: FloatArray  # (nu, T)
    x: FloatArray  # (T, chains)
    link: FloatArray  # (T, chains)
    m: FloatArray  # (T, chains)
    piv: FloatArray  # (T, chains)
    m_rows: FloatArray  # (chains, T) the same, chain by chain, for the assembly
    kinv: FloatArray  # (chains, T) diagonal of the inverse chain matrix
    h_box: FloatArray  # (nb,)
    h1: FloatArray  # (T, ns)
    h2: FloatArray  # (T, ns)
    hour: FloatArray  # (T, 6) hour-local price matrix: bal-bal, bal-up, bal-down, up-up, up-down, down-down
    line: FloatArray  # (T, 4, nc) per column: line-line, line-bal, line-up, line-down
    block: FloatArray  # (9, T, T) chains of one column, lower triangles
    total: FloatArray  # (9, T, T) sum over columns
    matrix: FloatArray  # (m, m)
    factor: FloatArray  # (m, m)
    k0: FloatArray  # (T, chains) right-hand side of the chains before prices
    k: FloatArray  # (T, chains) with prices, then the step of the chains
    t_seg: FloatArray  # (T, nk)
    t_box: FloatArray  # (nb,)
    t_c: FloatArray  # (T, ns)
    t_d: FloatArray  # (T, ns)
    n_e: FloatArray  # (T, ns) net energy of the step before prices
    dtheta: FloatArray  # (T, ns)
    price: FloatArray  # (T, nc) lambda - sum pi coef
    dprice: FloatArray  # (T, nc)
    inj: FloatArray  # (T, nc)
    y: FloatArray  # (m,)
    values: FloatArray  # (m,)


def work(lay: Layout) -> Work:
    """Allocate what `lay` needs."""
    T, nch, m = lay.T, lay.nu + lay.nr + lay.ns, 3 * lay.T + lay.nm

    def z(*shape: int) -> FloatArray:
        return np.zeros(shape)

    return Work(
        h=z(T, lay.nk), phi=z(T, lay.nk), g_bal=np.ones((nch, T)), g_up=z(lay.nu, T), g_down=z(lay.nu, T),
        x=z(T, nch), link=z(T, nch), m=z(T, nch), piv=z(T, nch), m_rows=z(nch, T), kinv=z(nch, T), h_box=z(lay.nb),
        h1=z(T, lay.ns), h2=z(T, lay.ns), hour=z(T, 6), line=z(T, 4, lay.nc), block=z(9, T, T), total=z(9, T, T),
        matrix=z(m, m), factor=z(m, m), k0=z(T, nch), k=z(T, nch), t_seg=z(T, lay.nk), t_box=z(lay.nb), t_c=z(T, lay.ns),
        t_d=z(T, lay.ns), n_e=z(T, lay.ns), dtheta=z(T, lay.ns), price=z(T, lay.nc), dprice=z(T, lay.nc),
        inj=z(T, lay.nc), y=z(m), values=z(m),
    )  # fmt: skip


@kernel(fastmath=True)
def curvature(lay, win, a, w):
    """Local curvatures, chain factors and the diagonal of each chain's inverse: equations (1) to (5).

    Parameters
    ----------
    lay : Layout
    win : Window, read only
    a : (size,) float64, read only
        z / s + reg of each pair.
    w : Work, written
    """
    T, nu, nk, nr, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ns
    nch = nu + nr + ns
    for t in range(T):
        for i in range(nu):
            x, gb, gu = a[lay.n + t * nu + i], win.unit_pmin[i], 0.0
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                aq, aw, width = a[lay.q + t * nk + k], a[lay.w + t * nk + k], win.seg_width[k]
                h = 1.0 / (aq + aw)
                w.h[t, k] = h
                w.phi[t, k] = width * aw * h
                gb += width * aw * h
                gu += width * aq * h
                x += width * width * aq * aw * h
            av, ac = a[lay.v + t * nu + i], a[lay.c + t * nu + i]
            w.x[t, i] = x
            w.link[t, i] = ac * av / (ac + av)
            w.g_bal[i, t] = gb
            w.g_up[i, t] = win.unit_up[i] * gu
            w.g_down[i, t] = win.unit_down[i] * (gb - win.unit_pmin[i])
        for r in range(nr):
            at = t * nr + r
            w.x[t, nu + r] = a[lay.pl + at] + a[lay.ph + at]
            w.link[t, nu + r] = a[lay.pu + at] + a[lay.pd + at]
        for s in range(ns):
            at = t * ns + s
            h1, h2 = 1.0 / (a[lay.cl + at] + a[lay.cu + at]), 1.0 / (a[lay.dl + at] + a[lay.du + at])
            w.h1[t, s] = h1
            w.h2[t, s] = h2
            scale = win.keep_power[t, s] * win.keep_power[t, s]
            w.x[t, nu + nr + s] = (a[lay.el + at] + a[lay.eu + at]) * scale
            w.link[t, nu + nr + s] = scale / (win.eta_c[s] * win.eta_c[s] * h1 + h2 / (win.eta_d[s] * win.eta_d[s]))
    for j in range(lay.nb):
        w.h_box[j] = 1.0 / (a[lay.bl + j] + a[lay.bu + j])
    for i in range(nch):
        level = 0.0
        for t in range(T):
            link = w.link[t, i]
            if t == 0:
                level = w.x[0, i] + link
                w.m[0, i] = 0.0
            else:
                w.piv[t - 1, i] = level + link
                m = link / (level + link)
                w.m[t, i] = m
                level = w.x[t, i] + m * level
        w.piv[T - 1, i] = level
        inverse = 0.0
        for t in range(T - 1, -1, -1):
            m = w.m[t + 1, i] if t + 1 < T else 0.0
            inverse = 1.0 / w.piv[t, i] + m * m * inverse
            w.kinv[i, t] = inverse
            w.m_rows[i, t] = w.m[t, i]


@kernel(fastmath=True)
def _unit_block(g_bal, g_up, g_down, m, kinv, buffer, block):
    """Add one unit's chain to `block`: rows at q, columns at t <= q, for each pair of (balance, up, down)."""
    for q in range(m.size):
        for b in range(3):
            for t in range(q):
                buffer[b, t] *= m[q]
        buffer[0, q] = g_bal[q]
        buffer[1, q] = g_up[q]
        buffer[2, q] = g_down[q]
        for a in range(3):
            scale = kinv[q] * buffer[a, q]
            for b in range(3):
                row = block[3 * a + b, q]
                for t in range(q + 1):
                    row[t] += scale * buffer[b, t]


@kernel(fastmath=True)
def _plain_block(m, kinv, buffer, block):
    """Add a ramped source's chain: balance rows only, answer 1."""
    for q in range(m.size):
        for t in range(q):
            buffer[0, t] *= m[q]
        buffer[0, q] = 1.0
        row = block[0, q]
        for t in range(q + 1):
            row[t] += kinv[q] * buffer[0, t]


@kernel(fastmath=True)
def _store_block(win, w, s, chain, block):
    """Add one store: prices act through b g B, so its matrix is (b g) B K^-1 B' (b g) plus the loss term.

    M = B K^-1 B' of a ladder has closed form: with XL, XR the conductances to ground left and right of a link g,
    M_tt = (XL + XR) / (XL XR + g (XL + XR)), and off the diagonal one sign only.
    """
    T = w.x.shape[0]
    right = np.empty(T)
    right[T - 1] = w.x[T - 1, chain]
    for t in range(T - 2, -1, -1):
        g = w.link[t + 1, chain]
        right[t] = w.x[t, chain] + g * right[t + 1] / (g + right[t + 1])
    left = np.inf
    for t in range(T):
        g, xr = w.link[t, chain], right[t]
        h1, h2 = w.h1[t, s], w.h2[t, s]
        scale = win.keep_power[t, s]
        spread = 1.0 / win.eta_d[s] - win.eta_c[s]
        g_true = g / (scale * scale)
        bg = (win.eta_c[s] * h1 + h2 / win.eta_d[s]) * g_true * scale
        share = 1.0
        if t == 0:
            diagonal = 1.0 / (xr + g)
        else:
            diagonal = (left + xr) / (left * xr + g * (left + xr))
            share = left / (left + xr)
        block[0, t, t] += h1 * h2 * spread * spread * g_true + bg * bg * diagonal
        potential = bg * diagonal * share
        for q in range(t + 1, T):
            gq = w.link[q, chain]
            bgq = (
                (win.eta_c[s] * w.h1[q, s] + w.h2[q, s] / win.eta_d[s]) * gq / win.keep_power[q, s]
            )
            drop = potential / (gq + right[q])
            block[0, q, t] -= bgq * drop * right[q]
            potential = drop * gq
        if t == 0:
            left = w.x[0, chain] + g
        else:
            left = w.x[t, chain] + g * left / (g + left)


@kernel(fastmath=True)
def _hour_terms(lay, win, a, w):
    """What is local to an hour: boxes, segments, and the row slacks."""
    w.hour[:] = 0.0
    w.line[:] = 0.0
    for t in range(lay.T):
        hour, line = w.hour[t], w.line[t]
        for i in range(lay.nu):
            h = 0.0
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                h += w.h[t, k]
            up, down, col = -win.unit_up[i], win.unit_down[i], win.unit_col[i]
            hour[0] += h
            hour[1] += h * up
            hour[2] += h * down
            hour[3] += h * up * up
            hour[4] += h * up * down
            hour[5] += h * down * down
            line[0, col] += h
            line[1, col] += h
            line[2, col] += h * up
            line[3, col] += h * down
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            h, bal, up, down, by, col = (
                w.h_box[j], win.box_bal[j], win.box_up[j], win.box_down[j], win.box_line[j], win.box_col[j],
            )  # fmt: skip
            hour[0] += h * bal * bal
            hour[1] += h * bal * up
            hour[2] += h * bal * down
            hour[3] += h * up * up
            hour[4] += h * up * down
            hour[5] += h * down * down
            line[0, col] += h * by * by
            line[1, col] += h * by * bal
            line[2, col] += h * by * up
            line[3, col] += h * by * down
        hour[3] += 1.0 / a[lay.up + t]
        hour[5] += 1.0 / a[lay.down + t]


@kernel(fastmath=True)
def _row_terms(lay, win, a, w, col, block, first):
    """Add one column's chains (and, the first time, all hour terms) to the line rows of the matrix."""
    T = lay.T
    for r in range(lay.nm):
        tr = win.row_hour[r]
        row = w.matrix[3 * T + r]
        if first:
            for c in range(lay.nc):
                coef = win.row_coef[r, c]
                for b in range(3):
                    row[b * T + tr] -= coef * w.line[tr, 1 + b, c]
                for q in range(win.row_ptr[tr], r + 1):
                    row[3 * T + q] += coef * win.row_coef[q, c] * w.line[tr, 0, c]
            row[3 * T + r] += 1.0 / a[lay.row + r] + 1.0 / a[lay.over + r]
        coef = win.row_coef[r, col]
        if coef == 0.0:
            continue
        for t in range(T):
            late, early = max(tr, t), min(tr, t)
            row[t] -= coef * block[0, late, early]
            # (up at t) x (balance at tr): stored with the later hour first
            row[T + t] -= coef * (block[3, t, tr] if t >= tr else block[1, tr, t])
            row[2 * T + t] -= coef * (block[6, t, tr] if t >= tr else block[2, tr, t])
        for q in range(r + 1):
            row[3 * T + q] += coef * win.row_coef[q, col] * block[0, tr, win.row_hour[q]]


@kernel(fastmath=True)
def assemble(lay, win, a, w):
    """The lower triangle of the price matrix, into `w.matrix`.

    Rows: T balance, T reserve up, T reserve down, then the line rows. Line rows are sorted by hour, so that the
    chain block of two rows is always read with the later hour first.
    """
    T, nu, nr = lay.T, lay.nu, lay.nr
    _hour_terms(lay, win, a, w)
    w.matrix[:] = 0.0
    w.total[:] = 0.0
    buffer = np.empty((3, T))
    groups = win.chain_col.size
    block = w.block if lay.nm > 0 else w.total
    for g in range(groups):
        if lay.nm > 0:
            block[:] = 0.0
        for at in range(win.chain_ptr[g], win.chain_ptr[g + 1]):
            i = win.chain[at]
            if i < nu:
                _unit_block(w.g_bal[i], w.g_up[i], w.g_down[i], w.m_rows[i], w.kinv[i], buffer, block)
            elif i < nu + nr:
                _plain_block(w.m_rows[i], w.kinv[i], buffer, block)
            else:
                _store_block(win, w, i - nu - nr, i, block)
        if lay.nm > 0:
            _row_terms(lay, win, a, w, win.chain_col[g], block, g == 0)
            for b in range(9):
                for q in range(T):
                    for t in range(q + 1):
                        w.total[b, q, t] += block[b, q, t]
    if lay.nm > 0 and groups == 0:
        block[:] = 0.0
        _row_terms(lay, win, a, w, 0, block, True)
    for i in range(3):
        for j in range(i + 1):
            for q in range(T):
                row = w.matrix[i * T + q]
                for t in range(T):
                    if i == j:
                        if t <= q:
                            row[j * T + t] = w.total[3 * i + j, q, t]
                    else:
                        row[j * T + t] = w.total[3 * i + j, q, t] if t <= q else w.total[3 * j + i, t, q]
    for t in range(T):
        w.matrix[t, t] += w.hour[t, 0]
        w.matrix[T + t, t] += w.hour[t, 1]
        w.matrix[2 * T + t, t] += w.hour[t, 2]
        w.matrix[T + t, T + t] += w.hour[t, 3]
        w.matrix[2 * T + t, T + t] += w.hour[t, 4]
        w.matrix[2 * T + t, 2 * T + t] += w.hour[t, 5]


@kernel(fastmath=True)
def cholesky(matrix, factor):
    """Lower Cholesky factor; a pivot that has vanished freezes its price for the step. Returns frozen pivots."""
    n, frozen = matrix.shape[0], 0
    for j in range(n):
        row = factor[j]
        for i in range(j):
            other = factor[i]
            total = matrix[j, i]
            for k in range(i):
                total -= row[k] * other[k]
            row[i] = total * other[i]  # the diagonal holds reciprocals
        total = matrix[j, j] * (1.0 + 1e-12)
        floor = 1e-13 * matrix[j, j]
        for k in range(j):
            total -= row[k] * row[k]
        if total > floor:
            row[j] = 1.0 / np.sqrt(total)
        else:
            row[j] = 0.0
            frozen += 1
    return frozen


@kernel(fastmath=True)
def solve_prices(factor, y):
    """Solve in place with the factor of `cholesky`."""
    n = y.size
    for i in range(n):
        row = factor[i]
        total = y[i]
        for k in range(i):
            total -= row[k] * y[k]
        y[i] = total * row[i]
    for i in range(n - 1, -1, -1):
        row = factor[i]
        value = y[i] * row[i]
        y[i] = value
        for k in range(i):
            y[k] -= row[k] * value


@kernel(fastmath=True)
def column_prices(lay, win, lam, pi, out):
    """Price of supply at each column: lambda less what the line rows charge."""
    for t in range(lay.T):
        for c in range(lay.nc):
            out[t, c] = lam[t]
        for r in range(win.row_ptr[t], win.row_ptr[t + 1]):
            for c in range(lay.nc):
                out[t, c] -= pi[r] * win.row_coef[r, c]


@kernel(fastmath=True)
def row_values(lay, win, ds, w):
    """What the pairs' values (or steps) `ds` put on each row, into `w.values`: balance, up, down, line rows."""
    T, nu, nk, nr, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ns
    w.inj[:] = 0.0
    for t in range(T):
        inj, up, down = w.inj[t], 0.0, 0.0
        total = 0.0
        for i in range(nu):
            first = win.seg_first[i]
            u = (ds[lay.q + t * nk + first] + ds[lay.w + t * nk + first]) / win.seg_width[first]
            out, room = win.unit_pmin[i] * u, 0.0
            above = 0.0
            for k in range(first, win.seg_first[i + 1]):
                above += ds[lay.q + t * nk + k]
                room += ds[lay.w + t * nk + k]
            out += above
            inj[win.unit_col[i]] += out
            total += out
            up += win.unit_up[i] * room
            down += win.unit_down[i] * above
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            x = ds[lay.bl + j]
            inj[win.box_col[j]] += win.box_line[j] * x
            total += win.box_bal[j] * x
            up += win.box_up[j] * x
            down += win.box_down[j] * x
        for r in range(nr):
            x = ds[lay.pl + t * nr + r]
            inj[win.ramp_col[r]] += x
            total += x
        for s in range(ns):
            x = ds[lay.dl + t * ns + s] - ds[lay.cl + t * ns + s]
            inj[win.store_col[s]] += x
            total += x
        w.values[t] = total
        w.values[T + t] = up
        w.values[2 * T + t] = down
        for r in range(win.row_ptr[t], win.row_ptr[t + 1]):
            flow = 0.0
            for c in range(lay.nc):
                flow += win.row_coef[r, c] * inj[c]
            w.values[3 * T + r] = ds[lay.over + r] - flow


@kernel(fastmath=True)
def local_sides(lay, win, a, e, z, lam, theta, residual_e, w):
    """Right-hand sides of every device at the present prices, into `w.t_*`, `w.n_e` and `w.k0`."""
    T, nu, nk, nr, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ns
    w.k0[:] = 0.0
    for t in range(T):
        mu, nv = z[lay.up + t], z[lay.down + t]
        for i in range(nu):
            price, up = w.price[t, win.unit_col[i]], win.unit_up[i] * mu
            down = win.unit_down[i] * nv
            k_u = -win.unit_cost[i] + win.unit_pmin[i] * price + up * win.unit_width[i] + e[lay.n + t * nu + i]
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                eq, ew = e[lay.q + t * nk + k], e[lay.w + t * nk + k]
                side = price - win.seg_cost[k] - up + down - eq + ew
                w.t_seg[t, k] = side
                k_u += w.phi[t, k] * side - win.seg_width[k] * ew
            at = t * nu + i
            av, ac = a[lay.v + at], a[lay.c + at]
            push = e[lay.c + at] + ac * (-win.unit_start[i] - e[lay.v + at] - e[lay.c + at]) / (ac + av)
            w.k0[t, i] += k_u + push
            if t > 0:
                w.k0[t - 1, i] -= push
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            price = win.box_bal[j] * lam[t] + win.box_line[j] * (w.price[t, win.box_col[j]] - lam[t])
            price += win.box_up[j] * mu + win.box_down[j] * nv
            w.t_box[j] = price - win.box_cost[j] - e[lay.bl + j] + e[lay.bu + j]
        for r in range(nr):
            at = t * nr + r
            push = e[lay.pu + at] - e[lay.pd + at]
            w.k0[t, nu + r] += w.price[t, win.ramp_col[r]] - win.ramp_cost[t, r] - e[lay.pl + at] + e[lay.ph + at] + push
            if t > 0:
                w.k0[t - 1, nu + r] -= push
        for i in range(ns):
            at, price = t * ns + i, w.price[t, win.store_col[i]]
            w.t_c[t, i] = win.eta_c[i] * theta[t, i] - price - win.charge_cost[i] - e[lay.cl + at] + e[lay.cu + at]
            w.t_d[t, i] = price - theta[t, i] / win.eta_d[i] - win.discharge_cost[i] - e[lay.dl + at] + e[lay.du + at]
            w.n_e[t, i] = (
                residual_e[t, i] + win.eta_c[i] * w.h1[t, i] * w.t_c[t, i] - w.h2[t, i] * w.t_d[t, i] / win.eta_d[i]
            )
            later = win.keep[i] * theta[t + 1, i] if t + 1 < T else win.end_value[i]
            w.k0[t, nu + nr + i] += later - theta[t, i] - e[lay.el + at] + e[lay.eu + at]


@kernel(fastmath=True)
def step(lay, win, a, e, z, dlam, dmu, dnu, dpi, ds, w):
    """Step of every device for the price step (dlam, dmu, dnu, dpi): `ds` of all pairs but the rows, and `w.dtheta`."""
    T, nu, nk, nr, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ns
    nch = nu + nr + ns
    base = nu + nr
    w.k[:] = w.k0
    for t in range(T):
        for i in range(nu):
            w.k[t, i] += (
                w.g_bal[i, t] * w.dprice[t, win.unit_col[i]] + w.g_up[i, t] * dmu[t] + w.g_down[i, t] * dnu[t]
            )
        for r in range(nr):
            w.k[t, nu + r] += w.dprice[t, win.ramp_col[r]]
        for i in range(ns):
            scale = win.keep_power[t, i]
            g = w.link[t, base + i] / (scale * scale)
            b = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            push = g * (w.n_e[t, i] - b * w.dprice[t, win.store_col[i]])
            w.k[t, base + i] = (w.k[t, base + i] + push) * scale
            if t > 0:  # the earlier hour is already scaled by keep^(t-1): keep * keep^(t-1) = keep^t
                w.k[t - 1, base + i] -= push * scale
    for t in range(1, T):
        for i in range(nch):
            w.k[t, i] += w.m[t, i] * w.k[t - 1, i]
    for i in range(nch):
        w.k[T - 1, i] /= w.piv[T - 1, i]
    for t in range(T - 2, -1, -1):
        for i in range(nch):
            w.k[t, i] = w.k[t, i] / w.piv[t, i] + w.m[t + 1, i] * w.k[t + 1, i]
    for t in range(T):
        for i in range(nu):
            at = t * nu + i
            du = w.k[t, i]
            price = w.dprice[t, win.unit_col[i]] - win.unit_up[i] * dmu[t] + win.unit_down[i] * dnu[t]
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                answer = w.h[t, k] * (w.t_seg[t, k] + price)
                ds[lay.q + t * nk + k] = answer + w.phi[t, k] * du
                ds[lay.w + t * nk + k] = win.seg_width[k] * a[lay.q + t * nk + k] * w.h[t, k] * du - answer
            ds[lay.n + at] = -du
            av, ac = a[lay.v + at], a[lay.c + at]
            rise = du - (w.k[t - 1, i] if t > 0 else 0.0)
            side = -win.unit_start[i] - e[lay.v + at] - e[lay.c + at]
            ds[lay.v + at] = (side + ac * rise) / (ac + av)
            ds[lay.c + at] = (side - av * rise) / (ac + av)
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            price = win.box_bal[j] * dlam[t] + win.box_line[j] * (w.dprice[t, win.box_col[j]] - dlam[t])
            price += win.box_up[j] * dmu[t] + win.box_down[j] * dnu[t]
            dx = w.h_box[j] * (w.t_box[j] + price)
            ds[lay.bl + j] = dx
            ds[lay.bu + j] = -dx
        for r in range(nr):
            at = t * nr + r
            dp = w.k[t, nu + r]
            rise = dp - (w.k[t - 1, nu + r] if t > 0 else 0.0)
            ds[lay.pl + at] = dp
            ds[lay.ph + at] = -dp
            ds[lay.pu + at] = -rise
            ds[lay.pd + at] = rise
        for i in range(ns):
            at = t * ns + i
            scale = win.keep_power[t, i]
            price = w.dprice[t, win.store_col[i]]
            before = w.k[t - 1, base + i] if t > 0 else 0.0
            b = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            g = w.link[t, base + i] / (scale * scale)
            dtheta = g * (scale * (w.k[t, base + i] - before) - w.n_e[t, i] + b * price)
            w.dtheta[t, i] = dtheta
            dc = w.h1[t, i] * (w.t_c[t, i] - price + win.eta_c[i] * dtheta)
            dd = w.h2[t, i] * (w.t_d[t, i] + price - dtheta / win.eta_d[i])
            de = scale * w.k[t, base + i]
            ds[lay.cl + at] = dc
            ds[lay.cu + at] = -dc
            ds[lay.dl + at] = dd
            ds[lay.du + at] = -dd
            ds[lay.el + at] = de
            ds[lay.eu + at] = -de
    for r in range(lay.nm):
        side = -win.row_cost[r] + z[lay.row + r] - e[lay.over + r]
        ds[lay.over + r] = (side + dpi[r]) / a[lay.over + r]


def dual_residual(lay: Layout, win: Window, z: FloatArray, lam: FloatArray, theta: FloatArray, w: Work) -> float:
    """Largest residual of the reduced costs (those of a unit's chain combined), scaled money per energy."""
    zero = np.zeros_like(theta)
    local_sides(lay, win, np.ones_like(z), -z, z, lam, theta, zero, w)
    sides = (w.t_seg, w.t_box, w.t_c, w.t_d, w.k0)
    return max((float(np.max(np.abs(side))) for side in sides if side.size), default=0.0)
