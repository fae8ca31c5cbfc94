"""What the interior point does to all pairs alike: loops over the flat vectors s and z that know no structure."""

from gridsim.kernels.jit import kernel


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
