"""What the interior point does to all pairs alike: loops over the flat vectors s and z that know no structure."""

import numpy as np

from gridsim.kernels.jit import kernel

BLOCK = 1024  # pairs at a time


@kernel(fastmath=True, inner=True)
def pair_steps(s, z, e, ds, count, dz, shrink, bits):
    """Steps `dz` of the first `count` pairs for their `ds`; the largest shares that s and z lose, at least 0.

    Only integers are compared: a largest double makes a chain of compares that no machine runs side by side, and the
    bits of doubles that are not negative are in the doubles' order.

    Parameters
    ----------
    shrink, bits : (2, BLOCK) float64 and int64, the same memory
    """
    worst_s, worst_z = np.int64(0), np.int64(0)
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        last = first + size
        s_b, z_b, e_b, ds_b, dz_b = s[first:last], z[first:last], e[first:last], ds[first:last], dz[first:last]
        shrink_s, shrink_z, bits_s, bits_z = shrink[0], shrink[1], bits[0], bits[1]
        for i in range(size):
            inverse = 1.0 / (s_b[i] * z_b[i])
            change = -z_b[i] - e_b[i] - z_b[i] * z_b[i] * inverse * ds_b[i]
            dz_b[i] = change
            shrink_s[i] = -ds_b[i] * z_b[i] * inverse
            shrink_z[i] = -change * s_b[i] * inverse
        for i in range(size):
            worst_s = max(worst_s, bits_s[i])
        for i in range(size):
            worst_z = max(worst_z, bits_z[i])
    bits[0, 0], bits[1, 0] = worst_s, worst_z
    return shrink[0, 0], shrink[1, 0]


@kernel(fastmath=True)
def centre(s, z, ds, dz, alpha_s, alpha_z, products, e):
    """Mehrotra's second-order and centring term e = (ds dz - sigma mu) / s; returns sigma mu.

    sigma = (share of the products left after the affine step)^3.
    """
    total = 0.0
    for i in range(s.size):
        total += (s[i] + alpha_s * ds[i]) * (z[i] + alpha_z * dz[i])
    sigma_mu = products / s.size * min(1.0, total / products) ** 3
    for i in range(s.size):
        e[i] = (ds[i] * dz[i] - sigma_mu) / s[i]
    return sigma_mu


@kernel(fastmath=True)
def recentre(s, z, ds, dz, alpha_s, alpha_z, mu, e, out):
    """Gondzio's centrality corrector: `out` = `e` less what moves outlying products into [0.1 mu, 10 mu].

    The products are those after a step longer than the present one.
    """
    for i in range(s.size):
        product = (s[i] + alpha_s * ds[i]) * (z[i] + alpha_z * dz[i])
        wanted = min(max(product, 0.1 * mu), 10.0 * mu)
        out[i] = e[i] - max(wanted - product, -10.0 * mu) / s[i]


@kernel(fastmath=True)
def advance(s, z, ds, dz, alpha_s, alpha_z):
    """Take the step."""
    for i in range(s.size):
        s[i] += alpha_s * ds[i]
        z[i] += alpha_z * dz[i]
