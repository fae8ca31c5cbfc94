"""pglib-uc and RTS-GMLC: what a conversion wrote, read back and held against the raw files, and against each other.

The rts_gmlc instances of pglib-uc were made from the same units by other people: the costs must be the same.
"""

import csv
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from gridsim.convert import convert
from gridsim.costs import curve, read_costs
from gridsim.topology import build_topology

FOLDER = Path(os.environ.get("GRIDSIM_CASES", "/nowhere"))
INSTANCES = sorted((FOLDER / "pglib-uc").glob("*.json"))
pytestmark = pytest.mark.skipif(not INSTANCES, reason="GRIDSIM_CASES names no folder with pglib-uc and rts-gmlc")


def costs_at(net: Any, index: int, mw: Any) -> Any:
    """Cost of a gen row on, at some outputs. [currency/h]"""
    row = net.gen.loc[index]
    made = curve(read_costs(net, [])["gen", index], float(row.min_p_mw), float(row.max_p_mw))
    ends = row.min_p_mw + np.concatenate(([0.0], np.cumsum(made.seg_mw)))
    cost = np.concatenate(([0.0], np.cumsum(np.multiply(made.seg_mw, made.seg_cost))))
    return row.no_load_cost + made.min_cost * row.min_p_mw + np.interp(mw, ends, cost)


def starts(row: Any) -> dict[int, float]:
    """Start cost by hours off."""
    text = row.get("start_cost_by_hours_off")
    if isinstance(text, str):
        return {int(a): float(b) for a, b in (part.split(":") for part in text.split())}
    return {0: float(row.start_cost)}


@pytest.mark.parametrize("path", INSTANCES, ids=lambda p: p.stem)
def test_an_instance_read_back(path, tmp_path):
    raw = json.loads(path.read_text())
    convert("pglib-uc", path, tmp_path / "out")
    net = pp.from_json(str(tmp_path / "out" / "net.json"))
    series = pd.read_csv(tmp_path / "out" / "series.csv")
    tree = tomllib.loads((tmp_path / "out" / "scenario.toml").read_text())
    assert path.stem.find(str(tree["horizon"]["start"])) > 0
    assert_allclose(series["load/system [MW]"], raw["demand"])
    assert_allclose(series["reserve/spinning [MW]"], raw["reserves"])
    assert list(net.gen["name"]) == list(raw["thermal_generators"])
    for index, unit in zip(net.gen.index[::7], list(raw["thermal_generators"].values())[::7], strict=True):
        row = net.gen.loc[index]
        points = unit["piecewise_production"]
        found = costs_at(net, index, [p["mw"] for p in points])
        assert_allclose(found, [p["cost"] for p in points], rtol=1e-9)
        want = {p["lag"]: p["cost"] for p in unit["startup"]}
        assert starts(row) == pytest.approx(want if len(want) > 1 else {0: next(iter(want.values()))})
        top = unit["power_output_maximum"]
        for column, key in (("ramp_up_mw_per_h", "ramp_up_limit"), ("start_ramp_mw", "ramp_startup_limit")):
            assert row[column] == unit[key] or (np.isnan(row[column]) and unit[key] >= top)
        assert (row.initial_on, row.initial_p_mw) == (unit["unit_on_t0"], unit["power_output_t0"])
        assert row.initial_hours == unit["time_up_t0"] + unit["time_down_t0"]
    for name, unit in raw["renewable_generators"].items():
        rows = net.sgen[net.sgen["name"].isin([name, f"{name} minimum"])]
        high = sum(series[f"{p} [MW]"] for p in rows["profile"])
        low = sum((series[f"{p} [MW]"] for p in rows["profile"][~rows["curtailable"].astype(bool)]), 0 * high)
        assert_allclose(high, unit["power_output_maximum"], atol=1e-9)
        assert_allclose(low, unit["power_output_minimum"], atol=1e-9)


@pytest.fixture(scope="module")
def rts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rts") / "out"
    convert("rts-gmlc", FOLDER / "rts-gmlc", out)
    return out


def rows_of(name: str) -> list[dict[str, str]]:
    with (FOLDER / "rts-gmlc" / "SourceData" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rts_units_cost_what_pglib_uc_says(rts):
    """Of the units that both have: all of them, to the cent of the instance."""
    net = pp.from_json(str(rts / "net.json"))
    raw = json.loads((FOLDER / "pglib-uc" / "rts_gmlc-2020-07-06.json").read_text())["thermal_generators"]
    index_of = dict(zip(net.gen["name"], net.gen.index, strict=True))
    assert set(index_of) == set(raw)
    for name, unit in raw.items():
        row = net.gen.loc[index_of[name]]
        assert (row.min_p_mw, row.max_p_mw) == (unit["power_output_minimum"], unit["power_output_maximum"])
        assert (row.min_up_h, row.min_down_h) == (max(unit["time_up_minimum"], 1), max(unit["time_down_minimum"], 1))
        points = unit["piecewise_production"]
        found = costs_at(net, index_of[name], [p["mw"] for p in points])
        assert_allclose(found, [p["cost"] for p in points], rtol=2e-3, err_msg=name)  # its points are rounded
        want = {p["lag"]: p["cost"] for p in unit["startup"]}
        got = starts(row)
        hours = sorted({*want, 9999})
        assert_allclose([_at(got, h) for h in hours], [_at(want, h) for h in hours], atol=0.006, err_msg=name)


def _at(costs: dict[int, float], hours: int) -> float:
    """Start cost after so many hours off: of the last lag reached, else of the first."""
    return costs[max((lag for lag in costs if lag <= hours), default=min(costs))]


def test_rts_branches_are_those_of_the_tables(rts):
    topology, problems = build_topology(pp.from_json(str(rts / "net.json")), 1.0, 1.0)
    assert not problems
    assert topology is not None
    branches = topology.branches.set_index("name")
    raw = rows_of("branch")
    assert len(branches) == len(raw) == 120
    for row in raw:
        found = branches.loc[row["UID"]]
        assert_allclose(found.x_pu, float(row["X"]) * (float(row["Tr Ratio"]) or 1.0), rtol=1e-12)
        assert_allclose(found.rating_mw, float(row["Cont Rating"]), rtol=1e-12)
        assert_allclose(found.emergency_rating_mw, float(row["STE Rating"]), rtol=1e-12)


def test_rts_series_and_shares(rts):
    net, series = pp.from_json(str(rts / "net.json")), pd.read_csv(rts / "series.csv")
    assert len(series) == 8784
    total = {
        a: pd.read_csv(FOLDER / "rts-gmlc/timeseries_data_files/Load/DAY_AHEAD_regional_Load.csv")[a] for a in "123"
    }
    for area, values in total.items():
        assert_allclose(series[f"load/{area} [MW]"], values, atol=1e-6)
        assert_allclose(net.load["profile_share"][net.load["profile"] == f"load/{area}"].sum(), 1.0)
    flex = pd.read_csv(FOLDER / "rts-gmlc/timeseries_data_files/Reserves/DAY_AHEAD_regional_Flex_Down.csv")
    assert_allclose(series["reserve/Flex_Down [MW]"], flex.iloc[:, 3:].to_numpy().ravel())
    tree = tomllib.loads((rts / "scenario.toml").read_text())
    products = {p["name"]: p for p in tree["reserve"]["product"]}
    assert len(products) == 7
    assert (products["spin_up_r2"]["zones"], products["spin_up_r2"]["within_min"]) == (["2"], 10.0)
    assert (products["reg_down"]["zones"], products["reg_down"]["direction"]) == ([], "down")
    storage = net.storage.set_index("name")
    assert storage.loc["212_CSP_1", "inflow_profile"] == "inflow/212_CSP_1"
    assert_allclose(storage.loc["313_STORAGE_1", "eta_charge"] ** 2, 0.85)
    assert storage.loc["313_STORAGE_1", "soc_percent"] == pytest.approx(50)
