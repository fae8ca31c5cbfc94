"""The DC network as matrices: what one MW at a bus does to the flow on every branch.

With voltages at 1 p.u. and small angles (B. Stott, J. Jardim, O. Alsac, "DC Power Flow Revisited", IEEE Trans. Power
Syst. 24(3), 2009, doi:10.1109/TPWRS.2009.2021235), for branch l from bus i to bus j ::

    f_l = b_l (theta_i - theta_j - shift_l),   b_l = 1 / x_l                  (1)
    A' f = injection,   theta_reference = 0, one reference in each island     (2)

``x_l`` already holds a transformer's tap ratio (x * tap, as pandapower's and MATPOWER's DC power flow take it).
Eliminating the angles ::

    f = H injection + offset                                                  (3)
    H = diag(b) A (A' diag(b) A)^-1,   offset = (H A' - I) diag(b) shift      (4)

with the rows and columns of the references taken out of the inverse (their columns of H are zero). Left out: losses
(1 to 3 % of the load of a transmission grid) and voltages other than 1 p.u.

This is plain numpy and scipy: it runs once per case, not once per window.
"""

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

from gridsim.kernels.jit import FloatArray, IntArray

if TYPE_CHECKING:  # only its columns are read: kernels import nothing of the house
    from gridsim.case import Case

BASE_MVA = 100.0
_BLOCK = 256  # right-hand sides of one solve: bounds the dense work array to 256 columns


def label_islands(from_row: IntArray, to_row: IntArray, nb: int) -> IntArray:
    """Number of the island of every bus, (nb,); islands are numbered by their first bus, from 0."""
    graph = sparse.coo_array((np.ones(from_row.size), (from_row, to_row)), shape=(nb, nb))
    _, label = connected_components(graph, directed=False)
    _, first = np.unique(label, return_index=True)
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[label]


class _Angles:
    """The factored matrix A' diag(b) A without the references."""

    def __init__(self, from_row: IntArray, to_row: IntArray, x_pu: FloatArray, nb: int, reference_row: IntArray):
        _check(from_row, to_row, x_pu, nb, reference_row)
        nbr = from_row.size
        rows = np.concatenate([np.arange(nbr), np.arange(nbr)])
        signs = np.concatenate([np.ones(nbr), -np.ones(nbr)])
        incidence = sparse.csr_array((signs, (rows, np.concatenate([from_row, to_row]))), shape=(nbr, nb))
        kept = np.ones(nb, dtype=bool)
        kept[reference_row] = False
        self.kept = np.flatnonzero(kept)
        self.incidence = incidence
        self.flow = sparse.csr_array(sparse.diags_array(1.0 / x_pu) @ incidence)  # diag(b) A
        self.lu: SuperLU | None = None
        if self.kept.size:
            matrix = (incidence.T @ self.flow).tocsr()[self.kept][:, self.kept]
            # symmetric pattern and, for x > 0, positive definite: a symmetric ordering keeps the factors sparse
            self.lu = splu(sparse.csc_matrix(matrix), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})


def _check(from_row: IntArray, to_row: IntArray, x_pu: FloatArray, nb: int, reference_row: IntArray) -> None:
    if not (from_row.size == to_row.size == x_pu.size):
        raise ValueError("from_row, to_row and x_pu must have one entry per branch")
    if not np.all(np.isfinite(x_pu)) or np.any(x_pu == 0.0):
        bad = int(np.flatnonzero(~np.isfinite(x_pu) | (x_pu == 0.0))[0])
        raise ValueError(f"x_pu must be finite and not 0: branch {bad} has {x_pu[bad]}")
    if from_row.size and (min(from_row.min(), to_row.min()) < 0 or max(from_row.max(), to_row.max()) >= nb):
        raise ValueError(f"from_row and to_row must be in 0..{nb - 1}")
    island = label_islands(from_row, to_row, nb)
    count = np.bincount(island[reference_row], minlength=int(island.max(initial=-1)) + 1)
    if np.any(count != 1):
        bad = int(np.flatnonzero(count != 1)[0])
        raise ValueError(f"every island needs one reference bus: island {bad} has {count[bad]}")


def ptdf(
    from_row: IntArray,
    to_row: IntArray,
    x_pu: FloatArray,
    nb: int,
    reference_row: IntArray,
    branches: IntArray | None = None,
) -> FloatArray:
    """Power transfer distribution factors, equation (4): MW on a branch per MW injected at a bus.

    Parameters
    ----------
    from_row, to_row : (nbr,) int64, read only
        Buses of each branch. Parallel circuits may be one branch (x / circuits) or several: the sum is the same.
    x_pu : (nbr,) float64, read only
        Series reactance, > 0 for lines; a winding of a three-winding transformer may be below 0, none may be 0. [p.u.]
    nb : int
        Number of buses.
    reference_row : (n_islands,) int64, read only
        One bus of every island: it takes up what the others inject. A bus without a branch is an island too.
    branches : (nm,) int64, optional, read only
        Branches wanted, default all.

    Returns
    -------
    (nm, nb) float64, C order; 0 between islands and at the references.
    """
    return _ptdf(_Angles(from_row, to_row, x_pu, nb, reference_row), nb, branches)


def _ptdf(angles: _Angles, nb: int, branches: IntArray | None) -> FloatArray:
    # The matrix is symmetric, so rows of H are solutions for rows of diag(b) A: one solve per branch, not per bus.
    wanted = np.arange(angles.flow.shape[0]) if branches is None else branches
    out = np.zeros((wanted.size, nb))
    if angles.lu is None:
        return out
    for first in range(0, wanted.size, _BLOCK):
        block = wanted[first : first + _BLOCK]
        right = angles.flow[block][:, angles.kept].toarray().T
        out[first : first + block.size, angles.kept] = angles.lu.solve(np.ascontiguousarray(right)).T
    return out


def shift_offset_mw(
    from_row: IntArray,
    to_row: IntArray,
    x_pu: FloatArray,
    shift_deg: FloatArray,
    nb: int,
    reference_row: IntArray,
    base_mva: float = BASE_MVA,
) -> FloatArray:
    """Flow that phase shifts drive around the loops with no injection anywhere, (nbr,), equation (4). [MW]

    A shift that is the same on every way between two buses (vector groups of parallel transformers) drives none.
    """
    return _offset_mw(_Angles(from_row, to_row, x_pu, nb, reference_row), x_pu, shift_deg, nb, base_mva)


def _offset_mw(
    angles: _Angles, x_pu: FloatArray, shift_deg: FloatArray, nb: int, base_mva: float = BASE_MVA
) -> FloatArray:
    driven = -np.deg2rad(shift_deg) / x_pu
    if angles.lu is None or not driven.any():
        return np.zeros(x_pu.size)
    theta = np.zeros(nb)
    theta[angles.kept] = -angles.lu.solve((angles.incidence.T @ driven)[angles.kept])
    return base_mva * (angles.flow @ theta + driven)


def monitored_branches(case: "Case") -> IntArray:
    """Rows of ``case.branches`` whose rating is finite: the first rows of `sensitivities`."""
    return np.flatnonzero(np.isfinite(case.branches["rating_mw"].to_numpy(dtype=np.float64)))


def sensitivities(case: "Case") -> tuple[FloatArray, FloatArray]:
    """What buses and DC links do to everything that has a limit: ``flow = H @ [injection, link flow] + offset``.

    Returns
    -------
    H : (n_monitored, nb + nlink) float64
        Rows: branches of finite rating (`monitored_branches`), then interfaces. Columns: one MW injected at each bus,
        then one MW on each DC link (taken at its from bus, delivered at its to bus but for its loss; in an interface,
        with its own weight besides). [MW/MW]
    offset : (n_monitored,) float64
        Flow at no injection, from phase shifts. [MW]
    """
    nb, nlink, nbr = len(case.buses), len(case.links), len(case.branches)
    monitored = monitored_branches(case)
    weight = case.interface_weight
    needed = np.union1d(monitored, np.flatnonzero(weight[:, :nbr].any(axis=0)))
    h_needed, offset_needed = branch_sensitivities(case, needed)

    position = np.searchsorted(needed, monitored)
    out = np.zeros((monitored.size + weight.shape[0], nb + nlink))
    out[: monitored.size] = h_needed[position]
    out[monitored.size :] = weight[:, needed] @ h_needed
    out[monitored.size :, nb:] += weight[:, nbr:]
    return out, np.concatenate([offset_needed[position], weight[:, needed] @ offset_needed])


def branch_sensitivities(case: "Case", branches: IntArray) -> tuple[FloatArray, FloatArray]:
    """What buses and DC links do to the flows on `branches` (n,): H (n, nb + nlink), offset (n,) as `sensitivities`."""
    nb, nlink = len(case.buses), len(case.links)
    x_pu = case.branches["x_pu"].to_numpy(dtype=np.float64)
    angles = _Angles(
        case.branches["from_row"].to_numpy(dtype=np.int64),
        case.branches["to_row"].to_numpy(dtype=np.int64),
        x_pu,
        nb,
        np.flatnonzero(case.buses["reference"].to_numpy(dtype=bool)),
    )
    out = np.empty((branches.size, nb + nlink))
    out[:, :nb] = _ptdf(angles, nb, branches)
    begins, ends = (case.links[name].to_numpy(dtype=np.int64) for name in ("from_row", "to_row"))
    out[:, nb:] = out[:, ends] * (1.0 - case.links["loss_share"].to_numpy(dtype=np.float64)) - out[:, begins]
    return out, _offset_mw(angles, x_pu, case.branches["shift_deg"].to_numpy(dtype=np.float64), nb)[branches]


def loop_factors(
    H: FloatArray, own: IntArray, sections: FloatArray, begin: IntArray, end: IntArray, branch: IntArray
) -> FloatArray:
    """What a source of 1 MW in series with a branch would do to every flow, less the MW itself: ``phi - w``.

    A MW is sent from the branch's first to its second bus (``phi``), and does not count on the branch itself (``w``).
    The loss of a branch and a phase shift are both multiples of it.

    Parameters
    ----------
    H : (nm, columns) float64, read only
        Buses first. Rows: branches, then interfaces. [MW/MW]
    own : (nm - interfaces,) int64, read only
        Branch of each row before the interfaces.
    sections : (interfaces, nbr) float64, read only
        Weights of branch flows in each interface.
    begin, end, branch : (n,) int64, read only
        Buses and numbers of the branches.

    Returns
    -------
    (nm, n) float64. [MW/MW]
    """
    out = H[:, begin] - H[:, end]
    out[: own.size][own[:, None] == branch] -= 1.0
    out[own.size :] -= sections[:, branch]
    return out


def phase_shifter_columns(
    H: FloatArray,
    own: IntArray,
    sections: FloatArray,
    begin: IntArray,
    end: IntArray,
    branch: IntArray,
    x_pu: FloatArray,
    base_mva: float = BASE_MVA,
) -> FloatArray:
    """Change of every flow per degree added to the shift of some branches, equation (4): columns to go with H.

    Parameters
    ----------
    x_pu : (n,) float64, read only
        Reactances of the branches. The rest as for `loop_factors`. [p.u.]

    Returns
    -------
    (nm, n) float64. [MW/degree]
    """
    return loop_factors(H, own, sections, begin, end, branch) * (np.deg2rad(1.0) * base_mva / x_pu)
