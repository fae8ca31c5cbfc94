"""Devices eliminated along their chains in time: what each answers to prices, in closed form.

An item's price is its column of `Window.effect` times the prices of the rows. With a = z / s + reg the curvature of
each pair, and e = (second order - sigma mu) / s its centring term, a device answers a step of its items' prices:

* segment k of a unit: dq = h (side + dprice) + phi du, with h = 1 / (a_q + a_w), phi = width a_w h              (1)
* chain of a unit in u: excess x = sum width^2 a_q a_w h + a_N, link l = a_c a_v / (a_c + a_v)                   (2)
* box: dx = h (side + dprice), h = 1 / (a_lo + a_hi)                                                            (3)
* ramped device: its segments share one multiplier rho of p = base + sum q: dq = h (side + dprice - rho), so that
  with H = sum h the chain in p has excess 1 / H, link a_up + a_down, and earns the h-weighted mean price         (4)
* store: h1, h2, h3 of charge, discharge, spill, Q = eta_c^2 h1 + h2 / eta_d^2 + h3; chain in e, excess
  a_lo + a_hi, link 1 / Q, both scaled by keep^t so that every chain is a plain ladder of conductances            (5)

Chains are factored without a subtraction: X_t = x_t + m_t X_(t-1), m_t = l_t / (X_(t-1) + l_t).
"""

from gridsim.kernels.jit import kernel


@kernel(fastmath=True, part=True)
def curvature(lay, win, a, w):
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
        for i in range(lay.ny):
            w.h3[t, i] = 1.0 / (a[lay.yl + t * lay.ny + i] + a[lay.yu + t * lay.ny + i])
        for i in range(ns):
            at, eta_c, eta_d, h3 = t * ns + i, win.eta_c[i], win.eta_d[i], w.h3[t, i]
            h1, h2 = 1.0 / (a[lay.cl + at] + a[lay.cu + at]), 1.0 / (a[lay.dl + at] + a[lay.du + at])
            w.h1[t, i], w.h2[t, i] = h1, h2
            scale = win.keep_power[t, i] * win.keep_power[t, i]
            total, spread = eta_c * eta_c * h1 + h2 / (eta_d * eta_d) + h3, 1.0 / eta_d - eta_c
            h[nu + nk + ng + i] = (h1 * h2 * spread * spread + (h1 + h2) * h3) / total
            x[nu + nr + i] = (a[lay.el + at] + a[lay.eu + at]) * scale
            link[nu + nr + i] = scale / total
        first, base = win.box_at[t], lay.fixed_items
        for j in range(win.box_at[t + 1] - first):
            h[base + j] = 1.0 / (a[lay.bl + first + j] + a[lay.bu + first + j])


@kernel(fastmath=True, part=True)
def factor_chains(lay, win, w):
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
def push_chains(lay, win, w, price):
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
def respond(lay, win, w, price):
    """Answer of every item to a step `price` of the items' prices, by itself; into `w.item`. Overwrites `w.du`."""
    T, nu, nk, nr, ng, ns = lay.T, lay.nu, lay.nk, lay.nr, lay.ng, lay.ns
    base, rho = nu + nr, w.buffer[0]
    w.du[:] = 0.0
    push_chains(lay, win, w, price)
    solve_chains(w)
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


@kernel(fastmath=True, inner=True)
def solve_chains(w):
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


@kernel(fastmath=True, inner=True)
def ramp_rho(lay, win, w, priced):
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
