"""Run by `pypsa_export` in PyPSA's own environment: builds the network, rolls it, prints one line of JSON.

Only `optimize_with_rolling_horizon` is timed, with the model handed to HiGHS in memory; import and building are not.
"""

import json
import logging
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import pypsa

HIGHS = {"solver_name": "highs", "io_api": "direct", "solver_options": {"threads": 1, "output_flag": False}}


def main(path: str, window_h: int, step_h: int) -> None:
    """Solve the first window, then all of them."""
    logging.disable(logging.WARNING)
    given = dict(np.load(path))
    first = build(given)
    first.optimize(first.snapshots[:window_h], **HIGHS)
    net = build(given)
    began = time.process_time()
    net.optimize.optimize_with_rolling_horizon(horizon=window_h, overlap=window_h - step_h, **HIGHS)
    spent = time.process_time() - began
    found = {
        "cpu_s": spent,
        "windows": len(range(0, int(given["hours"]) - (window_h - step_h), step_h)),
        "objective": float(first.objective),
        "shed_mwh": float(net.generators_t.p.filter(like="shed").to_numpy().sum()),
        "versions": {name: version(name) for name in ("pypsa", "linopy", "highspy")},
    }
    print(json.dumps(found))


def build(given: dict[str, Any]) -> Any:
    """The network: segments of units and sources are generators, stores are storage units."""
    net = pypsa.Network()
    hours = int(given["hours"])
    net.set_snapshots(pd.date_range(str(given["start"]), periods=hours, freq="h"))
    net.add("Bus", [f"b{k}" for k in range(int(given["buses"]))], v_nom=1.0)

    def at(name: str) -> list[str]:
        return [f"b{k}" for k in given[name]]

    def names(kind: str, like: str) -> list[str]:
        return [f"{kind}{k}" for k in range(len(given[like]))]

    def series(values: Any, columns: list[str]) -> pd.DataFrame:
        return pd.DataFrame(values, index=net.snapshots, columns=columns)

    gens = names("g", "gen_bus")
    net.add(
        "Generator", gens, bus=at("gen_bus"), p_nom=given["gen_p_nom"], marginal_cost=given["gen_cost"],
        p_max_pu=series(given["gen_max_pu"], gens), p_min_pu=series(given["gen_min_pu"], gens),
    )  # fmt: skip
    loads = names("d", "load_bus")
    net.add("Load", loads, bus=at("load_bus"), p_set=series(given["load_mw"], loads))
    most = np.maximum(given["load_mw"].max(axis=0), 0.0)
    cost = float(given["shed_cost"])
    net.add("Generator", names("shed", "load_bus"), bus=at("load_bus"), p_nom=most, marginal_cost=cost)
    net.add(
        "Line", names("l", "line_from"), bus0=at("line_from"), bus1=at("line_to"), x=given["line_x"], r=0.0,
        s_nom=given["line_s_nom"],
    )  # fmt: skip
    if len(given["link_from"]):
        net.add(
            "Link", names("c", "link_from"), bus0=at("link_from"), bus1=at("link_to"), p_nom=given["link_p_nom"],
            p_min_pu=given["link_min_pu"], p_max_pu=given["link_max_pu"], efficiency=1.0,
        )  # fmt: skip
    power = given["store_discharge"]
    net.add(
        "StorageUnit", names("s", "store_bus"), bus=at("store_bus"), p_nom=power,
        p_min_pu=-given["store_charge"] / power, max_hours=given["store_energy"] / power,
        efficiency_store=given["store_eta_c"], efficiency_dispatch=given["store_eta_d"],
        state_of_charge_initial=given["store_start"], marginal_cost=given["store_cost"],
        cyclic_state_of_charge=False,
    )  # fmt: skip
    return net


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
