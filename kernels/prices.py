"""The price matrix: what all devices together answer to the prices of the rows, filled, factored and solved.

The inverses of the devices' chains are semiseparable: what a device adds between rows of hours q > t is
C_q A_q (P_(q-1) .. P_(t+1)) B_t C_t, so the matrix is filled by marching every hour's rows backwards, all chains side
by side.

With U_q = C_q A_q, W = P and V_t = C_t B_t that form survives a Cholesky factor: its rows are
U_q W_(q-1) .. W_(t+1) E_t, where only V has become E. What the hours before t have eliminated is one matrix S among
the chains ::

    L_t L_t' = M_t - U_t S U_t',   E_t = (V_t' - W_t S U_t') L_t'^-1,   S <- W_t S W_t + E_t E_t'                   (6)

so that many rows cost the sum over hours, not the cube of them all (`Layout.by_hour`); without chains S is empty.

A budget's row reaches over many hours: its row of the matrix, a border, is what all items answer to its price.
"""

import numpy as np

from gridsim.kernels.chains import respond
from gridsim.kernels.jit import kernel


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
def row_values(win, item, out):
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


@kernel(fastmath=True, part=True)
def assemble(lay, win, a, w):
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


@kernel(fastmath=True)
def cholesky(matrix, factor, diagonal, begin, n):
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


@kernel(fastmath=True)
def eliminate_by_hour(lay, win, w):
    """Factor of the price matrix hour by hour. Returns frozen pivots."""
    frozen, carries = 0, lay.nd > 0
    if carries:
        w.behind[:] = 0.0
    for t in range(lay.T):
        begin, end = win.row_at[t], win.row_at[t + 1]
        if carries:
            _reduce(lay, win, t, w)
        frozen += cholesky(w.matrix, w.factor, w.diagonal, begin, end - begin)
        if carries:
            _carry_on(lay, win, t, w)
    return frozen


@kernel(fastmath=True, inner=True)
def solve_prices(lay, win, w):
    """Solve for `w.dy` in place with the factor of `cholesky` or `eliminate_by_hour`."""
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


@kernel(fastmath=True)
def border(lay, win, a, w):
    """Rows of budgets in the price matrix: the values of all rows at the items' answers to a price of one budget.

    They reach over all hours, so they stand apart: `w.solved` is the border solved for, `w.schur` the factor of what
    the hourly rows leave of the budgets' own block. Returns frozen pivots.
    """
    last, frozen = win.row_at[lay.T], 0
    for b in range(lay.nq):
        respond(lay, win, w, win.budget[b])
        row_values(win, w.item, w.dy)
        border, solved, schur, j = w.border[b], w.solved[b], w.schur[b], lay.nm + b
        for r in range(lay.m):
            border[r] = w.dy[r]
        border[last + b] += 1.0 / a[lay.row + j] + 1.0 / a[lay.over + j]
        solve_prices(lay, win, w)
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
def solve_border(lay, win, w):
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
