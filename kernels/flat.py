"""What the interior point does to all pairs alike: loops over the flat vectors s and z that know no structure."""

from gridsim.kernels.jit import kernel


@kernel(fastmath=True)
def ratios(s, z, cost, reg, rows, a):
    """a = z / s + reg; rows (pairs from `rows` on) carry no reg. Returns s'z and cost's."""
    products = objective = 0.0
    for i in range(s.size):
        a[i] = z[i] / s[i] + (reg if i < rows else 0.0)
        products += s[i] * z[i]
        objective += cost[i] * s[i]
    return products, objective


@kernel(fastmath=True)
def step_lengths(s, z, ds, dz):
    """Largest steps in s and in z that keep every pair nonnegative, at most 1 / 1e-30."""
    worst_s, worst_z = 1e-30, 1e-30
    for i in range(s.size):
        inverse = 1.0 / (s[i] * z[i])
        worst_s = max(worst_s, -ds[i] * z[i] * inverse)
        worst_z = max(worst_z, -dz[i] * s[i] * inverse)
    return 1.0 / worst_s, 1.0 / worst_z


@kernel(fastmath=True)
def gap_after(s, z, ds, dz, alpha_s, alpha_z):
    """s'z after a step."""
    total = 0.0
    for i in range(s.size):
        total += (s[i] + alpha_s * ds[i]) * (z[i] + alpha_z * dz[i])
    return total


@kernel(fastmath=True)
def centre(s, ds, dz, sigma_mu, e):
    """e = (ds dz - sigma mu) / s: Mehrotra's second-order and centring term."""
    for i in range(s.size):
        e[i] = (ds[i] * dz[i] - sigma_mu) / s[i]


@kernel(fastmath=True)
def blend(s, z, ds0, dz0, ds, dz, floor):
    """Mix predictor (ds0, dz0) and corrected direction (ds, dz) with the weight in [floor, 1] that steps farthest.

    Four weights are compared in one pass; the winner is left in (ds, dz) and returned.
    """
    third = (1.0 - floor) / 3.0
    s0, s1, s2, s3 = 1.0, 1.0, 1.0, 1.0  # reciprocals of the step lengths
    z0, z1, z2, z3 = 1.0, 1.0, 1.0, 1.0
    for i in range(s.size):
        inverse = 1.0 / (s[i] * z[i])
        base, slope = -ds0[i] * z[i] * inverse, -(ds[i] - ds0[i]) * z[i] * inverse
        s0 = max(s0, base + floor * slope)
        s1 = max(s1, base + (floor + third) * slope)
        s2 = max(s2, base + (floor + 2.0 * third) * slope)
        s3 = max(s3, base + slope)
        base, slope = -dz0[i] * s[i] * inverse, -(dz[i] - dz0[i]) * s[i] * inverse
        z0 = max(z0, base + floor * slope)
        z1 = max(z1, base + (floor + third) * slope)
        z2 = max(z2, base + (floor + 2.0 * third) * slope)
        z3 = max(z3, base + slope)
    weight, best = 1.0, 1.0 / s3 + 1.0 / z3
    for trial, length in ((0, 1.0 / s0 + 1.0 / z0), (1, 1.0 / s1 + 1.0 / z1), (2, 1.0 / s2 + 1.0 / z2)):
        if length > best + 1e-12:
            weight, best = floor + third * trial, length
    if weight < 1.0:
        for i in range(s.size):
            ds[i] = ds0[i] + weight * (ds[i] - ds0[i])
            dz[i] = dz0[i] + weight * (dz[i] - dz0[i])
    return weight


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
