"""Losses of the DC network: quadratic in the flows, and linear around them.

At 1 p.u. voltage and unit power factor the current of a branch is its flow, so its loss is ``r f^2 / base``, with ``r``
in per unit of `base`. Around flows f0 the total is, to first order in the injections p ::

    loss(p) ~ factor @ p + constant,   factor = H' (2 r f0 / base)           (1)

``factor`` at a bus is its marginal loss factor: the MW of losses that one more MW there adds when the reference bus
takes it up. The quadratic is convex for r >= 0, so equation (1) never overrates the losses of other flows; whoever
dispatches with it solves, takes the new flows and repeats: `gridsim.losses`. Left out are reactive flows and voltages
other than 1 p.u.

This is plain numpy: two matrix products for a window.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray
from gridsim.kernels.network import BASE_MVA


class Losses(NamedTuple):
    """Losses of T hours and their linearisation around the flows of those hours."""

    branch_mw: FloatArray  # (T, nbr)
    total_mw: FloatArray  # (T,)
    factor: FloatArray  # (T, columns) MW/MW
    constant_mw: FloatArray  # (T,)


def loss_factors(
    flow_mw: FloatArray, r_pu: FloatArray, H: FloatArray, offset_mw: FloatArray, base_mva: float = BASE_MVA
) -> Losses:
    """Losses, marginal loss factors and the constant of equation (1).

    Parameters
    ----------
    flow_mw : (T, nbr) float64, read only
        ``p @ H.T + offset`` of every branch with a resistance. [MW]
    r_pu : (nbr,) float64, read only
        Series resistance, tap ratio included as in the reactance. [p.u.]
    H, offset_mw : (nbr, columns), (nbr,) float64, read only
        As `network.branch_sensitivities` gives them; any columns. [MW/MW, MW]
    """
    branch = r_pu / base_mva * flow_mw**2
    slope = 2.0 * r_pu / base_mva * flow_mw
    total = branch.sum(axis=1)
    return Losses(branch, total, slope @ H, total - np.einsum("tl,tl->t", slope, flow_mw - offset_mw))
