"""N-1 of hours with circuits out: against every loss solved again by the pseudo-inverse of what is left."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_grid import HOURS, run_audited, tiny_grid, write_grid
from tiny_results import dense_flows

OUT = slice(30, 40)  # hours with a circuit out


def by_hand(branch: pd.DataFrame, circuits: np.ndarray, injection: np.ndarray, t: int) -> dict[int, float]:
    """Worst loading of any line after the loss of one circuit of each line that may be lost in hour `t`."""
    found = {}
    for lost in range(len(branch)):
        left = circuits.copy()
        left[lost] -= 1
        there = np.flatnonzero(left > 0)
        ways = {frozenset((int(branch["from_row"][k]), int(branch["to_row"][k]))) for k in there}
        if left[lost] < 0 or not in_one_piece(ways, injection.shape[1]):
            continue
        net = branch.iloc[there].reset_index(drop=True)
        share = left[there] / branch["circuits"].to_numpy()[there]
        flow = dense_flows(net.assign(x_pu=net["x_pu"] / share), injection[t : t + 1])[0]
        found[lost] = float((np.abs(flow) / (net["emergency_rating_mw"].to_numpy() * share)).max())
    return found


def in_one_piece(ways: set[frozenset[int]], buses: int) -> bool:
    reached, grown = {0}, True
    while grown:
        more = {bus for way in ways if way & reached for bus in way}
        grown = not more <= reached
        reached |= more
    return len(reached) == buses


@pytest.mark.parametrize(("name", "circuits"), [("L2", 1), ("L4", 2)])
def test_hours_with_circuits_out_are_those_of_the_grid_that_is_left(tmp_path: Path, name: str, circuits: int) -> None:
    net: Any = tiny_grid()
    net.line.loc[net.line.name == name, "parallel"] = circuits
    outage = [{"start": "2024-01-02T06:00", "hours": 10, "names": [name], "share": 1.0 / circuits}]
    scenario = write_grid(tmp_path, net, horizon={"hours": HOURS}, grid={"n1": "report"}, outage=outage)
    run = run_audited(scenario, tmp_path / "run.h5")[1]
    branch, out = run.table("branches"), run.array("realtime/circuits_out")
    assert out[OUT].any(axis=1).all()
    assert out.sum() == 10
    # what stands at a bus follows from the flows that leave it, which the audit has solved again
    flow, link = run.array("flow/branch_p_mw"), run.array("dispatch/link_p_mw")[:, 0]
    injection = np.zeros((HOURS, 4))
    for k, (a, b) in enumerate(zip(branch["from_row"], branch["to_row"], strict=True)):
        injection[:, a] += flow[:, k]
        injection[:, b] -= flow[:, k]
    loading = run.array("security/hour_loading")
    worst: dict[int, float] = {}
    for t in range(HOURS):
        found = by_hand(branch, branch["circuits"].to_numpy() - out[t], injection, t)
        after_link = injection[t : t + 1] + link[t] * np.array([[1.0, 0.0, -1.0, 0.0]])  # the DC link from 0 to 2
        left = branch["circuits"].to_numpy() - out[t]
        there = np.flatnonzero(left > 0)
        share = left[there] / branch["circuits"].to_numpy()[there]
        rest = branch.iloc[there].reset_index(drop=True)
        by_link = dense_flows(rest.assign(x_pu=rest["x_pu"] / share), after_link)[0]
        found[len(branch)] = float((np.abs(by_link) / (rest["emergency_rating_mw"].to_numpy() * share)).max())
        assert loading[t] == pytest.approx(max(found.values()), rel=1e-6), t
        assert found[int(run.array("security/hour_outage")[t])] == pytest.approx(loading[t], rel=1e-6)
        worst = {k: max(found.get(k, 0.0), worst.get(k, 0.0)) for k in found | worst}
    by_outage = run.array("security/outage_loading")
    assert by_outage == pytest.approx([worst.get(k, 0.0) for k in range(len(by_outage))], rel=1e-6)
    hour = run.array("security/outage_hour")
    assert all(loading[t] >= by_outage[k] * (1.0 - 1e-9) for k, t in enumerate(hour) if t >= 0)
    assert run.array("security/branch_loading").max() == pytest.approx(loading.max())
    run.close()
