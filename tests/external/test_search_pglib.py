"""Public unit-commitment instances: cost against the best known, and the search's own bound and gap.

Best known costs: UnitCommitment.jl's reference runs of power-grid-lib/pglib-uc with a commercial MILP solver.
"""

import os
from pathlib import Path

import pytest
from external import pglib_uc

from gridsim import search

CASES = os.environ.get("GRIDSIM_CASES")
pytestmark = pytest.mark.skipif(CASES is None, reason="GRIDSIM_CASES does not name a folder of public cases")

# instance: best known cost, its bound, price of shortage, effort, most (cost / best known - 1), most gap
INSTANCES = {
    "rts_gmlc-2020-01-27": (1_227_311.93, 1_226_601.53, 1e4, "standard", 0.01, 0.02),
    "rts_gmlc-2020-07-06": (3_729_149.54, 3_726_919.61, 1e4, "standard", 0.002, 0.005),
    "rts_gmlc-2020-10-27": (1_789_100.59, 1_787_570.19, 1e4, "standard", 0.01, 0.02),
    "ca-2014-09-01_reserves_3": (48_408.90, 48_402.14, 1e3, "fast", 0.0005, 0.001),
}


@pytest.mark.parametrize("name", INSTANCES)
def test_cost_and_gap(name, record_property):
    best, best_bound, shortage, effort, most_cost, most_gap = INSTANCES[name]
    case = pglib_uc.read(Path(str(CASES)) / "pglib-uc" / f"{name}.json")
    dispatch = pglib_uc.FixedDispatch(case, shortage)
    found = search.improve(*case, *pglib_uc.crude_prices(case), dispatch, effort=effort)
    gap = (found.cost - found.bound) / found.cost
    for key, value in (("cost", found.cost), ("bound", found.bound), ("gap", gap), ("lps", found.dispatches)):
        record_property(key, float(value))
    assert found.short.max() < 1e-6
    assert found.cost == pytest.approx(dispatch(found.on).cost, rel=1e-9)
    assert found.bound <= best
    assert found.cost >= best_bound
    assert found.cost <= best * (1.0 + most_cost)
    assert gap <= most_gap
