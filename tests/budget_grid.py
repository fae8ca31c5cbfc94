"""One bus, coal, gas, oil and a contract import under a load: what a budget does there can be worked out by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd

from gridsim.scenario import Scenario

NO_RESERVE = {f"{way}_{share}_share": 0.0 for way in ("up", "down") for share in ("load", "renewable")}


def budget_grid(*, bent: bool = False, size: float = 1.0) -> Any:
    """Coal 300, gas 400, oil 700 a MWh, import at 600; 0.9, 0.4, 0.7 t of CO2 a MWh. `bent`: costs rise with output.

    `size` is a factor on every capacity.
    """
    net = pp.create_empty_network(sn_mva=100, name="budgets")
    pp.create_bus(net, vn_kv=220, name="B", zone="A")
    for k, (name, share, cost) in enumerate((("coal", 100.0, 300.0), ("gas", 100.0, 400.0), ("oil", 200.0, 700.0))):
        most = size * share
        pp.create_gen(net, 0, 0.0, name=name, min_p_mw=0.0, max_p_mw=most, slack=k == 0)
        if bent:
            points = [[most * i / 8, most * (i + 1) / 8, cost * (1.0 + 0.04 * i)] for i in range(8)]
            pp.create_pwl_cost(net, k, "gen", points)
        else:
            pp.create_poly_cost(net, k, "gen", cost)
    net.gen["tech"], net.gen["fuel"] = ["coal", "gas", "gas"], ["coal", "gas", "oil"]
    net.gen["co2_t_per_mwh"] = [0.9, 0.4, 0.7]
    for column, value in (("min_up_h", 1), ("min_down_h", 1), ("start_cost", 0.0), ("no_load_cost", 0.0)):
        net.gen[column] = value
    pp.create_sgen(net, 0, 0.0, name="contract", max_p_mw=40.0 * size, min_p_mw=0.0)
    net.sgen["tech"], net.sgen["profile"], net.sgen["band_down"] = "import", "import/X", 1.0
    net.sgen["curtailable"] = False
    pp.create_poly_cost(net, 0, "sgen", 600.0)
    pp.create_load(net, 0, 150.0, name="D")
    net.load["profile"] = "load/A"
    return net


def write_budget_grid(
    folder: Path, *budgets: dict[str, Any], load: Any = 150.0, hours: int = 48, **more: Any
) -> Scenario:
    """The grid as files in `folder`, and a scenario with these budgets; 2024."""
    net = more.pop("net", None)
    pp.to_json(net if net is not None else budget_grid(), str(folder / "net.json"))
    length = max(hours, np.size(load))
    frame = pd.DataFrame({"time": pd.date_range(more.pop("start", "2024-01-01"), periods=length, freq="h")})
    frame["load/A"], frame["import/X"] = np.broadcast_to(load, length), 1.0
    for name, values in more.pop("series", {}).items():
        frame[name] = values
    frame.to_csv(folder / "series.csv", index=False)
    horizon = {"hours": hours, "start": str(frame["time"].iloc[0]), **more.pop("horizon", {})}
    tree = {
        "name": "budgets", "horizon": horizon, "reserve": {**NO_RESERVE, "up_min_mw": 0.0}, "budget": list(budgets),
        "network": {"source": str(folder / "net.json")}, "profiles": {"source": str(folder / "series.csv")}, **more,
    }  # fmt: skip
    return Scenario.model_validate(tree)
