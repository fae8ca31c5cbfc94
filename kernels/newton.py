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
    """Everything a Newton step writes, allocated once per window.

    Prices are interleaved: R t + (balance, reserve up, reserve down), the last if R = 3.
    """

    h: FloatArray  # (T, nk)
    phi: FloatArray  # (T, nk)
    g: FloatArray  # (nu, R T) answer of a unit's supply, headroom and room down to its on-count
    x: FloatArray  # (T, chains)
    link: FloatArray  # (T, chains)
    m: FloatArray  # (T, chains)
    piv: FloatArray  # (T, chains)
    m_rows: FloatArray  # (chains, T) the same, chain by chain, for the assembly
    kinv: FloatArray  # (chains, T) diagonal of the inverse chain matrix
    h_box: FloatArray  # (nb,)
    h1: FloatArray  # (T, ns)
    h2: FloatArray  # (T, ns)
    line: FloatArray  # (T, 4, nc) hour-local answers per column: line-line, line-balance, line-up, line-down
    store: FloatArray  # (T, T) scratch, one store
    store_rows: FloatArray  # (4, T) likewise
    buffer: FloatArray  # (2, R T) scratch, two units
    matrix: FloatArray  # (m, m) lower triangle
    factor: FloatArray  # (m, m)
    k: FloatArray  # (T, chains) right-hand side of the chains before prices
    du: FloatArray  # (T, chains) step of the chains
    t_seg: FloatArray  # (T, nk)
    t_box: FloatArray  # (nb,)
    t_c: FloatArray  # (T, ns)
    t_d: FloatArray  # (T, ns)
    n_e: FloatArray  # (T, ns) net energy of the step before prices
    dtheta: FloatArray  # (T, ns)
    price: FloatArray  # (T, nc) lambda - sum pi coef
    dprice: FloatArray  # (T, nc)
    inj: FloatArray  # (T, nc)
    y: FloatArray  # (m,) right-hand side, then step of the prices
    values: FloatArray  # (m,)


def work(lay: Layout) -> Work:
    """Allocate what `lay` needs."""
    T, R, nch, m = lay.T, lay.R, lay.nu + lay.nr + lay.ns, lay.R * lay.T + lay.nm

    def z(*shape: int) -> FloatArray:
        return np.zeros(shape)

    return Work(
        h=z(T, lay.nk), phi=z(T, lay.nk), g=z(lay.nu, R * T), x=z(T, nch), link=z(T, nch), m=z(T, nch), piv=z(T, nch),
        m_rows=z(nch, T), kinv=z(nch, T), h_box=z(lay.nb), h1=z(T, lay.ns), h2=z(T, lay.ns), line=z(T, 4, lay.nc),
        store=z(T, T), store_rows=z(4, T), buffer=z(2, R * T), matrix=z(m, m), factor=z(m, m), k=z(T, nch),
        du=z(T, nch),
        t_seg=z(T, lay.nk), t_box=z(lay.nb), t_c=z(T, lay.ns), t_d=z(T, lay.ns), n_e=z(T, lay.ns), dtheta=z(T, lay.ns),
        price=z(T, lay.nc), dprice=z(T, lay.nc), inj=z(T, lay.nc), y=z(m), values=z(m),
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
            w.g[i, lay.R * t] = gb
            w.g[i, lay.R * t + 1] = win.unit_up[i] * gu
            if lay.R == 3:
                w.g[i, lay.R * t + 2] = win.unit_down[i] * (gb - win.unit_pmin[i])
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


@kernel(fastmath=True, part=True)
def _hour_terms(lay, win, a, w):
    """What is local to an hour: boxes and segments into the 3 x 3 diagonal blocks and `w.line`, slacks of reserves."""
    w.line[:] = 0.0
    for t in range(lay.T):
        line, at = w.line[t], lay.R * t
        bb = ub = db = uu = du = dd = 0.0
        for i in range(lay.nu):
            h = 0.0
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                h += w.h[t, k]
            up, down, col = -win.unit_up[i], win.unit_down[i], win.unit_col[i]
            bb += h
            ub += h * up
            db += h * down
            uu += h * up * up
            du += h * up * down
            dd += h * down * down
            line[0, col] += h
            line[1, col] += h
            line[2, col] += h * up
            line[3, col] += h * down
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            h, bal, up, down = w.h_box[j], win.box_bal[j], win.box_up[j], win.box_down[j]
            by, col = win.box_line[j], win.box_col[j]
            bb += h * bal * bal
            ub += h * bal * up
            db += h * bal * down
            uu += h * up * up
            du += h * up * down
            dd += h * down * down
            line[0, col] += h * by * by
            line[1, col] += h * by * bal
            line[2, col] += h * by * up
            line[3, col] += h * by * down
        w.matrix[at, at] += bb
        w.matrix[at + 1, at] += ub
        w.matrix[at + 1, at + 1] += uu + 1.0 / a[lay.up + t]
        if lay.R == 3:
            w.matrix[at + 2, at] += db
            w.matrix[at + 2, at + 1] += du
            w.matrix[at + 2, at + 2] += dd + 1.0 / a[lay.down + t]


@kernel(fastmath=True, part=True)
def _row_terms(lay, win, a, w):
    """What is local to an hour for the line rows."""
    base = lay.R * lay.T
    for r in range(lay.nm):
        t, row, mine = win.row_hour[r], w.matrix[base + r], win.row_coef[r]
        line = w.line[t]
        for b in range(lay.R):
            total, answers = 0.0, line[1 + b]
            for c in range(lay.nc):
                total += mine[c] * answers[c]
            row[lay.R * t + b] -= total
        for q in range(win.row_ptr[t], r + 1):
            total, other, answers = 0.0, win.row_coef[q], line[0]
            for c in range(lay.nc):
                total += mine[c] * other[c] * answers[c]
            row[base + q] += total
        row[base + r] += 1.0 / a[lay.row + r] + 1.0 / a[lay.over + r]


@kernel(fastmath=True, part=True)
def _add_units(w, i, j, R, matrix):
    """Add the chains of units i and j, g K^-1 g', to the hours' part of the matrix; j = i adds i alone.

    K^-1 of a ladder is semiseparable: row q is row q - 1 scaled by m_q, with a new diagonal entry. Two units share
    one pass over the matrix, which is larger than the fastest cache.
    """
    g0, g1, m0, m1, first, second = w.g[i], w.g[j], w.m_rows[i], w.m_rows[j], w.buffer[0], w.buffer[1]
    for q in range(m0.size):
        for t in range(R * q):
            first[t] *= m0[q]
            second[t] *= m1[q]
        for b in range(R * q, R * q + R):
            first[b] = g0[b]
            second[b] = g1[b]
        for b in range(R * q, R * q + R):
            x, y, row = w.kinv[i, q] * g0[b], w.kinv[j, q] * g1[b], matrix[b]
            if i == j:
                y = 0.0
            for t in range(R * q + R):
                row[t] += x * first[t] + y * second[t]


@kernel(fastmath=True, part=True)
def _chain_column(m, kinv, hour, out):
    """Row `hour` of K^-1."""
    value = kinv[hour]
    for t in range(hour, -1, -1):
        out[t] = value
        value *= m[t]
    value = 1.0
    for t in range(hour + 1, m.size):
        value *= m[t]
        out[t] = value * kinv[t]


@kernel(fastmath=True, part=True)
def _add_to_rows(lay, win, matrix, coef, hour, answer, values):
    """Add one device's part of the line rows of one hour.

    `values` (R T + nm,): what the device's answer in `hour` puts on every price, written for the hours, completed here
    for the line rows, which take the opposite sign; `answer`: of its supply to its chain; `coef` (nm,): its column.
    """
    base = lay.R * lay.T
    for q in range(win.row_ptr[hour + 1]):
        values[base + q] = -coef[q] * values[lay.R * win.row_hour[q]]
    for r in range(win.row_ptr[hour], win.row_ptr[hour + 1]):
        scale, row = answer * coef[r], matrix[base + r]
        for t in range(base + r + 1):
            row[t] -= scale * values[t]


@kernel(fastmath=True, part=True)
def _store_matrix(win, w, s, chain, out):
    """Lower triangle of one store's answer to prices: (b g) B K^-1 B' (b g) and the loss term on the diagonal.

    M = B K^-1 B' of a ladder has closed form: with XL, XR the conductances to ground left and right of a link g,
    M_tt = (XL + XR) / (XL XR + g (XL + XR)), and off the diagonal one sign only.
    """
    T = w.x.shape[0]
    answer, passed, drawn = w.store_rows[0], w.store_rows[1], w.store_rows[2]
    right = 0.0
    for t in range(T - 1, -1, -1):  # right: conductance to ground at node t, beyond link t
        right = w.x[t, chain] + right
        g, scale = w.link[t, chain], win.keep_power[t, s]
        answer[t] = (win.eta_c[s] * w.h1[t, s] + w.h2[t, s] / win.eta_d[s]) * g / scale
        share = 1.0 / (g + right)
        passed[t] = g * share  # of a potential before link t, what is left behind it
        drawn[t] = answer[t] * right * share
        w.store_rows[3, t] = right
        right = g * right * share
    left = np.inf
    for t in range(T):
        g, xr = w.link[t, chain], w.store_rows[3, t]
        h1, h2, scale = w.h1[t, s], w.h2[t, s], win.keep_power[t, s]
        spread = 1.0 / win.eta_d[s] - win.eta_c[s]
        if t == 0:
            diagonal, share = 1.0 / (xr + g), 1.0
        else:
            diagonal, share = (left + xr) / (left * xr + g * (left + xr)), left / (left + xr)
        out[t, t] = h1 * h2 * spread * spread * g / (scale * scale) + answer[t] * answer[t] * diagonal
        potential = answer[t] * diagonal * share
        for q in range(t + 1, T):
            out[q, t] = -drawn[q] * potential
            potential *= passed[q]
        left = w.x[t, chain] + (g if t == 0 else g * left / (g + left))


@kernel(fastmath=True)
def assemble(lay, win, a, w):
    """The lower triangle of the price matrix, into `w.matrix`: T x (balance, up, down), then the line rows."""
    T, R, nu, nr = lay.T, lay.R, lay.nu, lay.nr
    matrix = w.matrix
    matrix[:] = 0.0
    _hour_terms(lay, win, a, w)
    if lay.nm > 0:
        _row_terms(lay, win, a, w)
    column, spread, coef = np.empty(T), np.empty(R * T + lay.nm), np.empty(lay.nm)
    for i in range(0, nu, 2):
        _add_units(w, i, min(i + 1, nu - 1), R, matrix)
    for i in range(nu + nr + lay.ns):
        if i < nu:
            col = win.unit_col[i]
        elif i < nu + nr:
            col = win.ramp_col[i - nu]
        else:
            _store_matrix(win, w, i - nu - nr, i, w.store)
            col = win.store_col[i - nu - nr]
            for q in range(T):
                for t in range(q + 1):
                    matrix[R * q, R * t] += w.store[q, t]
        for r in range(lay.nm):
            coef[r] = win.row_coef[r, col]
        for hour in range(T):
            has_rows = win.row_ptr[hour + 1] > win.row_ptr[hour]
            if not has_rows and (i < nu or i >= nu + nr):
                continue
            if i < nu + nr:
                _chain_column(w.m_rows[i], w.kinv[i], hour, column)
            else:
                for t in range(T):
                    column[t] = w.store[hour, t] if t <= hour else w.store[t, hour]
            answer = 1.0
            for t in range(T):
                if i < nu:
                    spread[R * t] = column[t] * w.g[i, R * t]
                    spread[R * t + 1] = column[t] * w.g[i, R * t + 1]
                    if R == 3:
                        spread[R * t + 2] = column[t] * w.g[i, R * t + 2]
                else:
                    spread[R * t] = column[t]
                    spread[R * t + 1] = 0.0
                    if R == 3:
                        spread[R * t + 2] = 0.0
            if i < nu:
                answer = w.g[i, R * hour]
            elif i < nu + nr:
                for t in range(hour + 1):
                    matrix[R * hour, R * t] += column[t]
            _add_to_rows(lay, win, matrix, coef, hour, answer, spread)


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


@kernel(fastmath=True, part=True)
def _to_rows(lay, win, over, w):
    """Line rows' values from the injections `w.inj`."""
    for r in range(lay.nm):
        t, flow = win.row_hour[r], 0.0
        for c in range(lay.nc):
            flow += win.row_coef[r, c] * w.inj[t, c]
        w.values[lay.R * lay.T + r] = over[r] - flow


@kernel(fastmath=True)
def row_values(lay, win, ds, w):
    """What the pairs' values (or steps) `ds` put on each row, into `w.values`."""
    nu, nk, nr, ns = lay.nu, lay.nk, lay.nr, lay.ns
    w.inj[:] = 0.0
    for t in range(lay.T):
        inj, total, up, down = w.inj[t], 0.0, 0.0, 0.0
        for i in range(nu):
            first = win.seg_first[i]
            u = (ds[lay.q + t * nk + first] + ds[lay.w + t * nk + first]) / win.seg_width[first]
            above = room = 0.0
            for k in range(first, win.seg_first[i + 1]):
                above += ds[lay.q + t * nk + k]
                room += ds[lay.w + t * nk + k]
            out = win.unit_pmin[i] * u + above
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
        w.values[lay.R * t] = total
        w.values[lay.R * t + 1] = up
        if lay.R == 3:
            w.values[lay.R * t + 2] = down
    _to_rows(lay, win, ds[lay.over : lay.up], w)


@kernel(fastmath=True, part=True)
def local_sides(lay, win, a, e, z, lam, theta, w):
    """Right-hand sides of every device at the present prices: `w.t_*`, `w.n_e`, `w.k`."""
    T, nu, nk, nr, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ns
    base = nu + nr
    w.k[:] = 0.0
    for t in range(T):
        mu, nv = z[lay.up + t], z[lay.down + t] if lay.R == 3 else 0.0
        for i in range(nu):
            price, up, down = w.price[t, win.unit_col[i]], win.unit_up[i] * mu, win.unit_down[i] * nv
            k_u = -win.unit_cost[i] + win.unit_pmin[i] * price + up * win.unit_width[i] + e[lay.n + t * nu + i]
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                ew = e[lay.w + t * nk + k]
                side = price - win.seg_cost[k] - up + down - e[lay.q + t * nk + k] + ew
                w.t_seg[t, k] = side
                k_u += w.phi[t, k] * side - win.seg_width[k] * ew
            at = t * nu + i
            av, ac = a[lay.v + at], a[lay.c + at]
            push = e[lay.c + at] + ac * (-win.unit_start[i] - e[lay.v + at] - e[lay.c + at]) / (ac + av)
            w.k[t, i] += k_u + push
            if t > 0:
                w.k[t - 1, i] -= push
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            price = win.box_bal[j] * lam[t] + win.box_line[j] * (w.price[t, win.box_col[j]] - lam[t])
            price += win.box_up[j] * mu + win.box_down[j] * nv
            w.t_box[j] = price - win.box_cost[j] - e[lay.bl + j] + e[lay.bu + j]
        for r in range(nr):
            at = t * nr + r
            push = e[lay.pu + at] - e[lay.pd + at]
            w.k[t, nu + r] += w.price[t, win.ramp_col[r]] - win.ramp_cost[t, r] - e[lay.pl + at] + e[lay.ph + at] + push
            if t > 0:
                w.k[t - 1, nu + r] -= push
        for i in range(ns):
            at, price = t * ns + i, w.price[t, win.store_col[i]]
            w.t_c[t, i] = win.eta_c[i] * theta[t, i] - price - win.charge_cost[i] - e[lay.cl + at] + e[lay.cu + at]
            w.t_d[t, i] = price - theta[t, i] / win.eta_d[i] - win.discharge_cost[i] - e[lay.dl + at] + e[lay.du + at]
            w.n_e[t, i] = win.eta_c[i] * w.h1[t, i] * w.t_c[t, i] - w.h2[t, i] * w.t_d[t, i] / win.eta_d[i]
            later = win.keep[i] * theta[t + 1, i] if t + 1 < T else win.end_value[i]
            scale = win.keep_power[t, i]
            push = w.link[t, base + i] / scale * w.n_e[t, i]
            w.k[t, base + i] += scale * (later - theta[t, i] - e[lay.el + at] + e[lay.eu + at]) + push
            if t > 0:  # keep * keep^(t-1) = keep^t
                w.k[t - 1, base + i] -= push


@kernel(fastmath=True)
def solve_chains(lay, w):
    """Solve K du = du in place, every chain."""
    T, nch = lay.T, lay.nu + lay.nr + lay.ns
    for t in range(1, T):
        for i in range(nch):
            w.du[t, i] += w.m[t, i] * w.du[t - 1, i]
    for i in range(nch):
        w.du[T - 1, i] /= w.piv[T - 1, i]
    for t in range(T - 2, -1, -1):
        for i in range(nch):
            w.du[t, i] = w.du[t, i] / w.piv[t, i] + w.m[t + 1, i] * w.du[t + 1, i]


@kernel(fastmath=True)
def right_side(lay, win, a, e, s, z, lam, theta, need, w):
    """Right-hand side of the price system into `w.y`: what the rows need less what devices do by themselves.

    Parameters
    ----------
    e : (size,) float64, read only
        Centring terms.
    need : (m,) float64, read only
        Residuals of the rows.
    """
    T, nu, nr, ns = lay.T, lay.nu, lay.nr, lay.ns
    base, R = nu + nr, lay.R
    local_sides(lay, win, a, e, z, lam, theta, w)
    for t in range(T):
        for i in range(base + ns):
            w.du[t, i] = w.k[t, i]
    solve_chains(lay, w)
    w.inj[:] = 0.0
    for t in range(T):
        inj, total, up, down = w.inj[t], 0.0, 0.0, 0.0
        for i in range(nu):
            answer, du = 0.0, w.du[t, i]
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                answer += w.h[t, k] * w.t_seg[t, k]
            out = w.g[i, R * t] * du + answer
            inj[win.unit_col[i]] += out
            total += out
            up += w.g[i, R * t + 1] * du - win.unit_up[i] * answer
            if R == 3:
                down += w.g[i, R * t + 2] * du + win.unit_down[i] * answer
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            x = w.h_box[j] * w.t_box[j]
            inj[win.box_col[j]] += win.box_line[j] * x
            total += win.box_bal[j] * x
            up += win.box_up[j] * x
            down += win.box_down[j] * x
        for r in range(nr):
            inj[win.ramp_col[r]] += w.du[t, nu + r]
            total += w.du[t, nu + r]
        for i in range(ns):
            scale = win.keep_power[t, i]
            g = w.link[t, base + i] / (scale * scale)
            b = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            rise = scale * (w.du[t, base + i] - (w.du[t - 1, base + i] if t > 0 else 0.0))
            x = w.h2[t, i] * w.t_d[t, i] - w.h1[t, i] * w.t_c[t, i] - b * g * (rise - w.n_e[t, i])
            inj[win.store_col[i]] += x
            total += x
        slack_up = s[lay.up + t] + e[lay.up + t] / a[lay.up + t]
        w.y[R * t] = need[R * t] - total
        w.y[R * t + 1] = need[R * t + 1] - up - slack_up
        if R == 3:
            slack_down = s[lay.down + t] + e[lay.down + t] / a[lay.down + t]
            w.y[R * t + 2] = need[R * t + 2] - down - slack_down
    for r in range(lay.nm):
        t, at, flow = win.row_hour[r], R * T + r, 0.0
        for c in range(lay.nc):
            flow += win.row_coef[r, c] * w.inj[t, c]
        over = (-win.row_cost[r] + z[lay.row + r] - e[lay.over + r]) / a[lay.over + r]
        w.y[at] = need[at] - over + flow - s[lay.row + r] - e[lay.row + r] / a[lay.row + r]


@kernel(fastmath=True)
def step(lay, win, a, e, s, z, need, w, ds, dz):
    """Step of every pair for the price step `w.y`; also `w.dtheta`.

    Row slacks take their step from the row where they are large, from complementarity where they are small.

    Parameters
    ----------
    ds, dz : (size,) float64, written
    """
    T, nu, nk, nr, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ns
    base, R = nu + nr, lay.R
    for t in range(T):
        for c in range(lay.nc):
            w.dprice[t, c] = w.y[R * t]
        for r in range(win.row_ptr[t], win.row_ptr[t + 1]):
            for c in range(lay.nc):
                w.dprice[t, c] -= w.y[R * T + r] * win.row_coef[r, c]
    for t in range(T):
        dmu, dnu = w.y[R * t + 1], w.y[R * t + 2] if R == 3 else 0.0
        for i in range(base + ns):
            w.du[t, i] = w.k[t, i]
        for i in range(nu):
            g = w.g[i]
            w.du[t, i] += g[R * t] * w.dprice[t, win.unit_col[i]] + g[R * t + 1] * dmu
            if R == 3:
                w.du[t, i] += g[R * t + 2] * dnu
        for r in range(nr):
            w.du[t, nu + r] += w.dprice[t, win.ramp_col[r]]
        for i in range(ns):
            b = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            push = w.link[t, base + i] / win.keep_power[t, i] * b * w.dprice[t, win.store_col[i]]
            w.du[t, base + i] -= push
            if t > 0:
                w.du[t - 1, base + i] += push
    solve_chains(lay, w)
    for t in range(T):
        dlam, dmu, dnu = w.y[R * t], w.y[R * t + 1], w.y[R * t + 2] if R == 3 else 0.0
        for i in range(nu):
            at, du = t * nu + i, w.du[t, i]
            price = w.dprice[t, win.unit_col[i]] - win.unit_up[i] * dmu + win.unit_down[i] * dnu
            for k in range(win.seg_first[i], win.seg_first[i + 1]):
                answer = w.h[t, k] * (w.t_seg[t, k] + price)
                ds[lay.q + t * nk + k] = answer + w.phi[t, k] * du
                ds[lay.w + t * nk + k] = win.seg_width[k] * a[lay.q + t * nk + k] * w.h[t, k] * du - answer
            ds[lay.n + at] = -du
            av, ac = a[lay.v + at], a[lay.c + at]
            rise = du - (w.du[t - 1, i] if t > 0 else 0.0)
            side = -win.unit_start[i] - e[lay.v + at] - e[lay.c + at]
            ds[lay.v + at] = (side + ac * rise) / (ac + av)
            ds[lay.c + at] = (side - av * rise) / (ac + av)
        for j in range(win.box_ptr[t], win.box_ptr[t + 1]):
            price = win.box_bal[j] * dlam + win.box_line[j] * (w.dprice[t, win.box_col[j]] - dlam)
            price += win.box_up[j] * dmu + win.box_down[j] * dnu
            dx = w.h_box[j] * (w.t_box[j] + price)
            ds[lay.bl + j] = dx
            ds[lay.bu + j] = -dx
        for r in range(nr):
            at, dp = t * nr + r, w.du[t, nu + r]
            rise = dp - (w.du[t - 1, nu + r] if t > 0 else 0.0)
            ds[lay.pl + at] = dp
            ds[lay.ph + at] = -dp
            ds[lay.pu + at] = -rise
            ds[lay.pd + at] = rise
        for i in range(ns):
            at, scale, price = t * ns + i, win.keep_power[t, i], w.dprice[t, win.store_col[i]]
            before = w.du[t - 1, base + i] if t > 0 else 0.0
            b = win.eta_c[i] * w.h1[t, i] + w.h2[t, i] / win.eta_d[i]
            g = w.link[t, base + i] / (scale * scale)
            dtheta = g * (scale * (w.du[t, base + i] - before) - w.n_e[t, i] + b * price)
            w.dtheta[t, i] = dtheta
            dc = w.h1[t, i] * (w.t_c[t, i] - price + win.eta_c[i] * dtheta)
            dd = w.h2[t, i] * (w.t_d[t, i] + price - dtheta / win.eta_d[i])
            de = scale * w.du[t, base + i]
            ds[lay.cl + at] = dc
            ds[lay.cu + at] = -dc
            ds[lay.dl + at] = dd
            ds[lay.du + at] = -dd
            ds[lay.el + at] = de
            ds[lay.eu + at] = -de
    for r in range(lay.nm):
        side = -win.row_cost[r] + z[lay.row + r] - e[lay.over + r]
        ds[lay.over + r] = (side + w.y[R * T + r]) / a[lay.over + r]
    for i in range(lay.up):
        dz[i] = -z[i] - e[i] - z[i] / s[i] * ds[i]
    row_values(lay, win, ds, w)
    for i in range((R - 1) * T + lay.nm):
        if i < T:
            at = R * i + 1
        elif i < (R - 1) * T:
            at = R * (i - T) + 2
        else:
            at = T + i
        j = lay.up + i
        dz[j] = w.y[at]
        if s[j] > z[j]:
            ds[j] = w.values[at] - need[at]
        else:
            ds[j] = -s[j] - (e[j] + dz[j]) / a[j]


def dual_residual(lay: Layout, win: Window, z: FloatArray, lam: FloatArray, theta: FloatArray, w: Work) -> float:
    """Largest residual of the reduced costs (those of a unit's chain combined), scaled money per energy."""
    right_side(lay, win, np.ones_like(z), -z, z, z, lam, theta, np.zeros_like(w.y), w)
    # a store's chain carries a term of its charging sides beside its own: they are looked at by themselves
    sides = (w.t_seg, w.t_box, w.t_c, w.t_d, w.k[:, : lay.nu + lay.nr])
    return max((float(np.max(np.abs(side))) for side in sides if side.size), default=0.0)
