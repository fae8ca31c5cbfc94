"""A grid of four buses and three days of series, as files: everything a run can have, each part of it optional."""

from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd

from gridsim.audit import audit
from gridsim.results import ResultsReader
from gridsim.scenario import Scenario
from gridsim.simulate import simulate

HOURS = 96
_T = np.arange(HOURS)
_DAY = np.sin(2.0 * np.pi * (_T - 9.0) / 24.0)
SERIES = {
    "load/A": 320.0 + 90.0 * _DAY + 15.0 * np.sin(_T / 5.0),  # MW
    "wind_onshore/A": np.clip(0.5 + 0.45 * np.cos(_T / 7.0), 0.0, 1.0),
    "pv/A": np.clip(np.sin(2.0 * np.pi * (_T - 6.0) / 24.0), 0.0, None) * (0.7 + 0.3 * np.cos(_T / 11.0)),
    "import/X": np.clip(0.6 + 0.3 * np.sin(2.0 * np.pi * _T / 48.0), 0.0, 1.0),
    "availability/G": np.where((_T >= 20) & (_T < 40), 2 / 3, 1.0),
}


def tiny_grid(
    *,
    units: bool = True,
    sources: bool = True,
    stores: bool = True,
    lines: bool = True,
    load: float = 1.0,
    tight: bool = False,
) -> Any:
    """Coal (three units, an outage of one), gas, a must-run plant, wind, PV, a ramped import, a battery and a store.

    `tight` halves the ratings, so that lines bind; `load` is a factor on every load. Without `units` an ext_grid feeds
    the load, without `lines` everything stands at one bus.
    """
    net = pp.create_empty_network(sn_mva=100, name="tiny")
    for k in range(4):
        pp.create_bus(net, vn_kv=220, name=f"B{k}", zone="A" if k < 2 else "C")
    at = [0, 1, 2, 3] if lines else [0, 0, 0, 0]
    if lines:
        for k, (a, b) in enumerate(((0, 1), (1, 2), (2, 3), (0, 3), (0, 2))):
            ka = (0.2 if tight else 0.6) + 0.02 * k
            pp.create_line_from_parameters(net, a, b, 30, 0.03, 0.3, 10, ka, name=f"L{k}")
        pp.create_dcline(net, 0, 2, 0.0, 0.0, 0.0, 1.0, 1.0, max_p_mw=40.0, name="DC")
        net.dcline["min_p_mw"], net.dcline["controllable"] = -20.0, True
    else:
        net.bus.loc[1:, "in_service"] = False
    if units:
        _units(net, at)
    else:
        pp.create_ext_grid(net, at[0], max_p_mw=600.0, min_p_mw=0.0, name="outside")
        pp.create_poly_cost(net, 0, "ext_grid", 500.0)
    if sources:
        _sources(net, at)
    for k, (bus, p_mw) in enumerate(((at[1], 150.0), (at[2], 120.0), (at[3], 50.0))):
        pp.create_load(net, bus, p_mw * load, name=f"D{k}")
    net.load["profile"], net.load["profile_share"] = "load/A", net.load["p_mw"] / net.load["p_mw"].sum()
    if stores:
        for name, bus, power, energy in (("battery", at[1], 40.0, 80.0), ("pumped", at[3], 60.0, 400.0)):
            pp.create_storage(
                net, bus, 0, energy, soc_percent=50, min_e_mwh=0.1 * energy, name=name, max_p_mw=power, min_p_mw=-power
            )
        net.storage["tech"] = ["battery", "pumped_hydro"]
        net.storage["eta_charge"], net.storage["eta_discharge"] = [0.95, 0.87], [0.95, 0.88]
    return net


def _units(net: Any, at: list[int]) -> None:
    plants = (  # name, bus, units, least and most of the row, up, down, start, no-load, cost, must run
        ("G", at[0], 3, 120.0, 300.0, 8, 6, 9000.0, 1500.0, (300.0, 330.0), False),
        ("gas", at[2], 2, 40.0, 160.0, 2, 2, 2000.0, 500.0, (620.0, 650.0), False),
        ("heat", at[3], 1, 20.0, 50.0, 4, 4, 3000.0, 300.0, (250.0, 280.0), True),
    )
    for name, bus, _, least, most, *_ in plants:
        index = pp.create_gen(net, bus, least, name=name, min_p_mw=least, max_p_mw=most, slack=name == "G")
        cost = plants[index][9]
        middle = 0.5 * (least + most)
        pp.create_pwl_cost(net, index, "gen", [[least, middle, cost[0]], [middle, most, cost[1]]])
    columns = ("units", "min_up_h", "min_down_h", "start_cost", "no_load_cost")
    for column, position in zip(columns, (2, 5, 6, 7, 8), strict=True):
        net.gen[column] = [plant[position] for plant in plants]
    net.gen["must_run"] = [plant[10] for plant in plants]
    net.gen["tech"], net.gen["co2_t_per_mwh"] = ["coal", "gas", "coal"], [0.85, 0.4, 0.9]
    net.gen["profile"] = ["availability/G", "", ""]


def _sources(net: Any, at: list[int]) -> None:
    for name, bus, most in (("W", at[1], 120.0), ("PV", at[2], 100.0), ("X", at[3], 80.0)):
        pp.create_sgen(net, bus, 0, name=name, max_p_mw=most, min_p_mw=0)
    net.sgen["tech"], net.sgen["profile"] = ["wind_onshore", "pv", "import"], ["wind_onshore/A", "pv/A", "import/X"]
    net.sgen["band_down"] = [np.nan, np.nan, 0.3]
    net.sgen["ramp_up_mw_per_h"] = net.sgen["ramp_down_mw_per_h"] = [np.nan, np.nan, 12.0]
    net.sgen["curtailable"] = [True, True, False]
    pp.create_poly_cost(net, 2, "sgen", 280.0)


def write_grid(
    folder: Path, net: Any, *, load: float = 1.0, series: dict[str, Any] | None = None, **sections: Any
) -> Scenario:
    """The net and its series, and more of them, as files in `folder`, and a scenario that reads them."""
    pp.to_json(net, str(folder / "net.json"))
    frame = pd.DataFrame({**SERIES, "load/A": load * SERIES["load/A"], **(series or {})})
    frame.insert(0, "time", pd.date_range("2024-01-01", periods=HOURS, freq="h"))
    frame.to_csv(folder / "series.csv", index=False)
    given: dict[str, Any] = {"name": "tiny", "horizon": {"hours": 49}, "reserve": {"up_min_mw": 10.0}, **sections}
    paths = {"network": {"source": str(folder / "net.json")}, "profiles": {"source": str(folder / "series.csv")}}
    return Scenario.model_validate({**given, **paths})


def run_audited(scenario: Scenario, path: Path) -> tuple[dict[str, Any], ResultsReader]:
    """Summary and results of a run that the audit finds nothing wrong with."""
    summary = simulate(scenario, path)
    report = audit(path)
    assert report.ok, report.as_text()
    return summary, ResultsReader(path)
