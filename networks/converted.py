"""pandapower's own conversion of a net to pypower arrays: the first half of ``pandapower.rundcpp``, without solving.

The arrays are private to pandapower (``net._ppc``, ``net._pd2ppc_lookups``): tests compare what becomes of them with
``rundcpp``, so a change of their layout is noticed.
"""

import copy
import logging
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# pypower's columns of the bus array (pandapower.pypower.idx_bus)
_BUS_TYPE = 1


class Converted(NamedTuple):
    """What gridsim takes from the conversion. A pypower bus is a row of the bus array, a branch of the branch array."""

    branch: NDArray[np.float64]  # real part of the branch array
    bus_type: NDArray[np.int64]  # of each pypower bus
    bus_of_id: NDArray[np.int64]  # pypower bus of each bus id, -1: none
    star_bus_ids: NDArray[np.int64]  # ids given to the inner buses of the three-winding transformers
    first_branch: dict[str, int]  # by element: its first pypower branch
    impedance_switches: NDArray[np.int64]  # rows of the switches that are branches
    sn_mva: float  # base of the p.u. values


def convert(net: Any) -> Converted:
    """Convert a pandapower net, which is not changed. Raises whatever pandapower meets."""
    from pandapower.auxiliary import _init_rundcpp_options
    from pandapower.pd2ppc import _pd2ppc

    work = copy.deepcopy(net)
    logger = logging.getLogger("pandapower")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        _init_rundcpp_options(
            work,
            trafo_model="t",
            trafo_loading="current",
            recycle=None,
            check_connectivity=True,
            switch_rx_ratio=2,
            trafo3w_losses="hv",
        )
        work._options["numba"] = False  # its bus merging in numba is compiled anew in every process: 1 s for nothing
        work._pd2ppc_lookups = {k: np.array([], dtype=np.int64) for k in ("bus", "bus_dc", "ext_grid", "gen")}
        work._pd2ppc_lookups |= {"branch": {}, "branch_dc": {}}
        with warnings.catch_warnings():  # about columns that pandapower itself renamed: nothing the user asked for
            warnings.simplefilter("ignore")
            work._ppc, _ = _pd2ppc(work)
    finally:
        logger.setLevel(level)
    lookups = work._pd2ppc_lookups
    return Converted(
        branch=np.real(work._ppc["branch"]).astype(np.float64),
        bus_type=np.real(work._ppc["bus"][:, _BUS_TYPE]).astype(np.int64),
        bus_of_id=np.asarray(lookups["bus"], dtype=np.int64),
        star_bus_ids=np.asarray(lookups.get("aux", {}).get("trafo3w", ()), dtype=np.int64),
        first_branch={element: int(rows[0]) for element, rows in lookups["branch"].items()},
        impedance_switches=np.flatnonzero(np.asarray(work._impedance_bb_switches).astype(bool)),
        sn_mva=float(work.sn_mva),
    )
