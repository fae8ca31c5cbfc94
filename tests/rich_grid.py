"""The grid of `tiny_grid` with everything that holds a unit or a store, drawn at random."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tiny_grid import HOURS, tiny_grid, write_grid

from gridsim.scenario import Scenario

PRODUCTS = [
    {"name": "reg_up", "direction": "up", "within_min": 5.0, "min_mw": 8.0},
    {"name": "spin", "direction": "up", "within_min": 10.0, "min_mw": 10.0},
    {"name": "reg_down", "direction": "down", "within_min": 5.0, "min_mw": 8.0},
    {"name": "quick", "direction": "up", "within_min": 30.0, "spinning": False, "load_share": 0.05},
]
NO_SHARES = {"up_min_mw": 0.0, "up_load_share": 0.0, "up_renewable_share": 0.0}
NO_SHARES |= {"down_load_share": 0.0, "down_renewable_share": 0.0}


def rich_grid(seed: int) -> Any:
    """Ramps, first and last hours, start costs by hours off, responses, states at the start, inflow, least powers."""
    rng, net = np.random.default_rng(seed), tiny_grid(tight=bool(seed % 2))
    gen = net.gen
    each = gen[["min_p_mw", "max_p_mw"]].div(gen["units"], axis=0).to_numpy()
    width = each[:, 1] - each[:, 0]

    def some(values: np.ndarray, share: float = 0.7) -> np.ndarray:
        return np.where(rng.random(3) < share, values, np.nan)

    gen["ramp_up_mw_per_h"] = some(gen["units"] * width * rng.uniform(0.1, 1.1, 3))
    gen["ramp_down_mw_per_h"] = some(gen["units"] * width * rng.uniform(0.1, 1.1, 3))
    gen["start_ramp_mw"], gen["stop_ramp_mw"] = (
        some(each[:, 0] + width * rng.choice([0.0, 0.2, 0.6], 3)) for _ in range(2)
    )
    gen["start_cost"] = 0.0
    gen["start_cost_by_hours_off"] = ["2:3000 8:6000 12:9000", "1:500 4:2000", "3:3000"]
    gen["reserve_mw_per_min"] = some(rng.uniform(0.5, 6.0, 3))
    gen["quick_start"] = [False, True, False]
    if rng.random() < 0.5:
        on = np.array([rng.integers(0, 4), rng.integers(0, 3), 1])
        gen["initial_on"], gen["initial_hours"] = on, rng.integers(1, 12, 3)
        gen["initial_p_mw"] = on * (each[:, 0] + width * rng.random(3))
    store = net.storage
    store["inflow_profile"], store["end_rule"] = ["", "inflow/P"], ["fixed", "cyclic"]
    store["min_charge_mw"] = [0.0, rng.choice([0.0, 30.0, 55.0])]
    store["min_discharge_mw"] = [0.0, rng.choice([0.0, 20.0])]
    store["start_cost"] = rng.choice([0.0, 300.0], 2)
    return net


def write_rich(folder: Path, seed: int, **sections: Any) -> Scenario:
    """The grid as files in `folder`, its scenario with four products of reserve."""
    scenario = write_grid(folder, rich_grid(seed), **({"reserve": {**NO_SHARES, "product": PRODUCTS}} | sections))
    frame = pd.read_csv(folder / "series.csv")
    most = np.random.default_rng(seed).choice([10.0, 80.0])
    frame["inflow/P [MW]"] = np.where(np.arange(HOURS) % 24 < 6, most, 0.0)
    frame.to_csv(folder / "series.csv", index=False)
    return scenario
