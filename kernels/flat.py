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
