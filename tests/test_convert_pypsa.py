"""PyPSA networks as scenarios: files written by hand in both layouts, and there and back again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner
from numpy.testing import assert_allclose
from scipy.optimize import linprog
from tiny_grid import tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.cli import main
from gridsim.convert import convert
from gridsim.convert_pypsa import tech_of
from gridsim.errors import InputError
from gridsim.results import ResultsReader
from gridsim.scenario import load
from gridsim.simulate import simulate

HOURS = 6
T = np.arange(HOURS)
TIMES = pd.date_range("2023-03-04 05:00", periods=HOURS, freq="h").strftime("%Y-%m-%d %H:%M:%S")
STATIC: dict[str, dict[str, dict[str, Any]]] = {
    "buses": {
        "A": {"v_nom": 220.0, "x": 119.0, "y": 32.0, "carrier": "AC", "country": "CN"},
        "B": {"v_nom": 220.0, "x": 120.0, "y": 32.0, "carrier": "AC", "country": "CN"},
        "C": {"v_nom": 110.0, "x": 120.0, "y": 33.0, "carrier": "AC", "country": "VN"},
        "heat": {"v_nom": 1.0, "x": 0.0, "y": 0.0, "carrier": "urban heat", "country": ""},
    },
    "carriers": {"CCGT": {"co2_emissions": 0.2}, "onwind": {"co2_emissions": 0.0}},
    "lines": {"AB": {"bus0": "A", "bus1": "B", "x": 24.2, "r": 2.42, "s_nom": 50.0, "s_max_pu": 0.8}},
    "transformers": {
        "BC": {"bus0": "B", "bus1": "C", "x": 0.1, "r": 0.0, "s_nom": 200.0, "tap_ratio": 1.05, "phase_shift": 2.0}
    },
    "links": {
        "dc": {"bus0": "A", "bus1": "C", "bus2": "", "p_nom": 30.0, "p_min_pu": -0.5, "efficiency": 1.0},
        "pump": {"bus0": "A", "bus1": "heat", "bus2": "", "p_nom": 9.0, "p_min_pu": 0.0, "efficiency": 3.0},
        "chp": {"bus0": "A", "bus1": "B", "bus2": "heat", "p_nom": 9.0, "p_min_pu": 0.0, "efficiency": 0.4},
    },
    "generators": {
        "wind": {"bus": "A", "carrier": "onwind", "p_nom": 80.0, "marginal_cost": 1.0},
        "gas": {
            "bus": "B", "carrier": "CCGT", "p_nom": 100.0, "marginal_cost": 50.0, "committable": True, "p_min_pu": 0.3,
            "min_up_time": 3.0, "min_down_time": 2.0, "start_up_cost": 90.0, "shut_down_cost": 10.0, "efficiency": 0.5,
            "ramp_limit_up": 0.4, "ramp_limit_down": 0.6,
        },
        "coal": {"bus": "C", "carrier": "hard coal", "p_nom": 60.0, "marginal_cost": 30.0, "p_min_pu": 0.1},
        "peak": {"bus": "C", "carrier": "oil", "p_nom": 500.0, "marginal_cost": 200.0},
        "ror": {"bus": "C", "carrier": "ror", "p_nom": 20.0},
        "none": {"bus": "C", "carrier": "solar", "p_nom": 0.0},
    },
    "loads": {"town": {"bus": "C"}, "works": {"bus": "B", "p_set": 7.0}},
    "storage_units": {
        "lake": {
            "bus": "A", "carrier": "hydro", "p_nom": 10.0, "max_hours": 4.0, "p_min_pu": 0.0,
            "efficiency_dispatch": 0.9, "state_of_charge_initial": 5.0,
        }
    },
    "stores": {"tank": {"bus": "B", "e_nom": 12.0, "e_cyclic": True}},
    "global_constraints": {"CO2": {"type": "primary_energy", "constant": 5.0}},
}  # fmt: skip
SERIES = {
    ("generators", "p_max_pu"): {"wind": 0.1 * T, "ror": 0.2 + 0.1 * T},
    ("generators", "p_min_pu"): {"ror": 0.2 + 0.1 * T},
    ("loads", "p_set"): {"town": 60.0 + 5 * T},
    ("storage_units", "inflow"): {"lake": 2.0 + T},
}


def frame(rows: dict[str, dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index")


def write_csv(folder: Path, layout: str, static: Any = STATIC) -> Path:
    """The network as PyPSA 1.x ("numbers") or 0.x ("times") writes it."""
    folder.mkdir()
    for name, rows in static.items():
        frame(rows).to_csv(folder / f"{name}.csv", index_label="name")
    weights = dict.fromkeys(("objective", "stores", "generators"), 1)
    if layout == "numbers":
        pd.DataFrame({"snapshot": TIMES, **weights}).to_csv(folder / "snapshots.csv")
    else:
        pd.DataFrame({"name": TIMES, "weightings": 1.0}).to_csv(folder / "snapshots.csv", index=False)
    for (component, attribute), columns in SERIES.items():
        table = pd.DataFrame(columns, index=range(HOURS) if layout == "numbers" else pd.Index(TIMES, name="name"))
        table.to_csv(folder / f"{component}-{attribute}.csv")
    return folder


def write_netcdf(path: Path) -> Path:
    data: dict[str, Any] = {"snapshots_snapshot": ("snapshots", pd.DatetimeIndex(TIMES))}
    data["snapshots_objective"] = ("snapshots", np.ones(HOURS))
    coords: dict[str, Any] = {"snapshots": T}
    for name, rows in STATIC.items():
        table = frame(rows)
        coords[f"{name}_i"] = np.array(list(table.index))
        for column in table:
            values = table[column]
            text = values.dtype == object and column != "committable"
            filled = values.fillna("") if text else values.astype(float)
            data[f"{name}_{column}"] = (f"{name}_i", np.array(list(filled), dtype=str if text else float))
    for (component, attribute), columns in SERIES.items():
        label = f"{component}_t_{attribute}"
        coords[f"{label}_i"] = np.array(list(columns))
        data[label] = (("snapshots", f"{label}_i"), np.column_stack(list(columns.values())))
    xr.Dataset(data, coords, {"network_name": "n"}).to_netcdf(path, engine="h5netcdf")
    return path


@pytest.fixture
def made(tmp_path: Path) -> Path:
    convert("pypsa", write_csv(tmp_path / "n", "numbers"), tmp_path / "out")
    return tmp_path / "out"


def test_all_layouts_are_the_same_network(made, tmp_path):
    (tmp_path / "times").mkdir()
    convert("pypsa", write_csv(tmp_path / "times" / "n", "times"), tmp_path / "old")
    convert("pypsa", write_netcdf(tmp_path / "n.nc"), tmp_path / "nc")
    for other in ("old", "nc"):
        for name in ("net.json", "series.csv"):
            assert (tmp_path / other / name).read_text() == (made / name).read_text(), (other, name)


def test_branches_are_those_of_the_linear_power_flow(made):
    case = assemble(load(made))
    branches = case.branches.set_index("name")
    # 24.2 ohm at 220 kV is 0.05 on 100 MVA; 0.1 on 200 MVA is 0.05, times the tap
    assert_allclose(branches.loc[["AB", "BC"], "x_pu"].astype(float), [0.05, 0.05 * 1.05], rtol=1e-9)
    assert_allclose(branches.loc[["AB", "BC"], "rating_mw"].astype(float), [40.0, 200.0], rtol=1e-9)
    assert branches.loc["BC", "shift_deg"] == pytest.approx(2.0)
    (link,) = case.links.to_dict("records")
    assert (link["name"], link["p_min_mw"], link["p_max_mw"]) == ("dc", -15.0, 30.0)
    assert list(case.buses["zone"]) == ["CN", "CN", "VN"]
    assert (case.hours, str(case.start)) == (HOURS, "2023-03-04T05")


def test_plants_keep_their_data(made):
    case = assemble(load(made))
    units = case.units.set_index("name")
    gas = units.loc["gas"]
    columns = ["p_min_mw", "p_max_mw", "min_up_h", "min_down_h", "start_cost", "ramp_up_mw_per_h", "ramp_down_mw_per_h"]
    assert list(gas[columns]) == [30, 100, 3, 2, 100, 40, 60]
    assert gas["co2_t_per_mwh"] == pytest.approx(0.4)
    assert not gas["must_run"]
    coal = units.loc["coal"]
    assert (coal["p_min_mw"], coal["p_max_mw"], bool(coal["must_run"])) == (6, 60, True)
    sources = list(case.sources["name"])
    low, high = (dict(zip(sources, end.T, strict=True)) for end in (case.source_min_mw, case.source_max_mw))
    assert_allclose(high["wind"], 8.0 * T, atol=1e-6)
    assert_allclose(low["wind"], 0, atol=0)
    assert_allclose(high["ror"], 20 * (0.2 + 0.1 * T), atol=1e-6)
    assert_allclose(low["ror"], high["ror"])
    assert (high["peak"].max(), low["peak"].max()) == (500, 0)
    assert "none" not in sources
    stores = case.stores.set_index("name")
    lake, tank = stores.loc["lake"], stores.loc["tank"]
    assert (lake["p_charge_max_mw"], lake["p_discharge_max_mw"], lake["e_max_mwh"], lake["e_start_mwh"]) == (
        0,
        10,
        40,
        5,
    )
    assert (lake["eta_discharge"], lake["end_rule"], tank["end_rule"], tank["e_start_mwh"]) == (
        0.9,
        "free",
        "cyclic",
        6,
    )
    loads = dict(zip(case.loads["name"], case.load_mw.T, strict=True))
    assert_allclose(loads["town"], 60 + 5 * T)
    assert_allclose(loads["works"], 7)


def test_the_report_names_what_is_left_out(made):
    rows = json.loads((made / "conversion.json").read_text())["inputs"]
    ignored = {row["what"]: row["count"] for row in rows if row["fate"] == "ignored"}
    assert ignored["buses of urban heat"] == ignored["links"] == ignored["links with several outputs"] == 1
    assert ignored["global_constraints"] == 1
    assert ignored["generators"] == 1
    approximated = {row["what"] for row in rows if row["fate"] == "approximated"}
    assert approximated == {"stores", "start of cyclic stores"}


@pytest.mark.parametrize(
    ("carrier", "tech"),
    [("offwind-ac", "wind_offshore"), ("onwind", "wind_onshore"), ("solar rooftop", "pv"), ("hard coal", "coal"),
     ("urban central gas CHP", "gas"), ("PHS", "pumped_hydro"), ("ror", "hydro"), ("wind_onshore", "wind_onshore"),
     ("load", "other"), ("Hydrogen", "hydrogen"), ("geothermal", "other"), ("solar thermal", "other")],
)  # fmt: skip
def test_carriers_are_technologies(carrier, tech):
    assert tech_of(carrier) == tech


def test_limits_by_the_hour_of_what_is_always_on_and_loads_that_give(tmp_path):
    folder = write_csv(tmp_path / "n", "numbers")
    most, town = 1.0 - 0.1 * T, 60.0 - 30.0 * T
    for name, column, values in (("generators-p_max_pu", "coal", most), ("loads-p_set", "town", town)):
        table = pd.read_csv(folder / f"{name}.csv", index_col=0)
        table.assign(**{column: values}).to_csv(folder / f"{name}.csv")
    convert("pypsa", folder, tmp_path / "out")
    case = assemble(load(tmp_path / "out"))
    assert_allclose(case.unit_ceiling_mw[:, list(case.units["name"]).index("coal")], 60 * most, atol=1e-6)
    loads = dict(zip(case.loads["name"], case.load_mw.T, strict=True))
    assert_allclose(loads["town"], np.maximum(town, 0), atol=1e-6)
    k = list(case.sources["name"]).index("town given")
    assert_allclose(case.source_min_mw[:, k], np.maximum(-town, 0), atol=1e-6)
    assert_allclose(case.source_max_mw[:, k], np.maximum(-town, 0), atol=1e-6)


def test_a_line_by_its_type_and_a_lossy_link_both_ways(tmp_path):
    kind = "490-AL1/64-ST1A 220.0"
    line = {"x": 0.0, "r": 0.0, "type": kind, "length": 50.0, "num_parallel": 2.0}
    static = changed("lines", "AB", **line) | {"links": changed("links", "dc", efficiency=0.96)["links"]}
    convert("pypsa", write_csv(tmp_path / "n", "numbers", static), tmp_path / "out")
    case = assemble(load(tmp_path / "out"))
    x_ohm = pp.create_empty_network().std_types["line"][kind]["x_ohm_per_km"] * 25.0
    assert case.branches.set_index("name").loc["AB", "x_pu"] == pytest.approx(x_ohm / 484.0)
    assert sorted(case.links["p_max_mw"]) == [15.0, 30.0]
    assert_allclose(case.links["loss_share"], 0.04)
    rows = json.loads((tmp_path / "out" / "conversion.json").read_text())["inputs"]
    assert [row["how"] for row in rows if (row["what"], row["fate"]) == ("links", "approximated")]


def changed(table: str, name: str, **values: Any) -> Any:
    return STATIC | {table: STATIC[table] | {name: STATIC[table][name] | values}}


@pytest.mark.parametrize(
    ("static", "said"),
    [
        (changed("loads", "town", bus="Z"), "loads.bus must name buses: 'Z' is none"),
        (changed("lines", "AB", x=0.0), "lines.x must be a finite reactance that is not 0: AB"),
        (changed("links", "dc", efficiency=1.2), "links.efficiency must be above 0 and at most 1: dc has 1.2"),
        (changed("generators", "coal", p_min_pu=1.5), "generators coal must have p_min_pu at most p_max_pu"),
    ],
)
def test_a_bad_network_is_refused(static, said, tmp_path):
    with pytest.raises(InputError, match=said):
        convert("pypsa", write_csv(tmp_path / "n", "numbers", static), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_snapshots_of_other_lengths(tmp_path):
    folder = write_csv(tmp_path / "n", "numbers")
    times = pd.date_range("2023-03-04", periods=HOURS, freq="3h").astype(str)
    pd.DataFrame({"snapshot": times, "objective": 3.0}).to_csv(folder / "snapshots.csv")
    convert("pypsa", folder, tmp_path / "long")
    case = assemble(load(tmp_path / "long"))
    assert case.hours == 18
    assert_allclose(case.load_mw[:, list(case.loads["name"]).index("town")], np.repeat(60 + 5 * T, 3))
    pd.DataFrame({"snapshot": times, "objective": 1.0}).to_csv(folder / "snapshots.csv")
    with pytest.raises(InputError, match="weightings of 3 h"):
        convert("pypsa", folder, tmp_path / "bad")
    (folder / "loads-p_set.csv").write_text("name,town\n0,1\n")
    with pytest.raises(InputError, match=r"loads-p_set.csv must have 6 rows"):
        convert("pypsa", folder, tmp_path / "bad")


def optimum() -> float:
    """Cost of the wind farm behind a line of 40 MW, with coal (6 to 60 MW) and the peak plant at the load, by HiGHS."""
    wind = [min(8.0 * t, 40.0) for t in range(HOURS)]
    cost, limits = [1.0, 30.0, 200.0], [[(0, w), (6, 60), (0, 500)] for w in wind]
    found = [
        linprog(cost, A_eq=[[1.0, 1.0, 1.0]], b_eq=[67.0 + 5 * t], bounds=limits[t], method="highs").fun
        for t in range(HOURS)
    ]
    return float(sum(found))


def test_a_dispatch_costs_what_a_linear_program_says(tmp_path):
    static = {
        "buses": {name: STATIC["buses"][name] for name in "AB"},
        "lines": STATIC["lines"],
        "generators": {
            name: STATIC["generators"][name] | ({} if name == "wind" else {"bus": "B"})
            for name in ("wind", "coal", "peak")
        },
        "loads": {"town": {"bus": "B"}, "works": {"bus": "B", "p_set": 7.0}},
    }
    folder = write_csv(tmp_path / "n", "numbers", static)
    for path in folder.glob("storage_units-*.csv"):
        path.unlink()
    (folder / "generators-p_min_pu.csv").unlink()
    convert("pypsa", folder, tmp_path / "out")
    summary = simulate(load(tmp_path / "out"), tmp_path / "run.h5")
    assert summary["total_cost"] == pytest.approx(optimum(), rel=1e-6)


def test_there_and_back_again(tmp_path):
    """A run, exported and converted: the same branches, and at the same injections the same flows."""
    scenario = write_grid(tmp_path, tiny_grid(), horizon={"hours": 24, "window_h": 24})
    simulate(scenario, tmp_path / "a.h5")
    result = CliRunner().invoke(main, ["export", str(tmp_path / "a.h5"), "--to", "pypsa", "-o", str(tmp_path / "px")])
    assert result.exit_code == 0, result.output
    folder = tmp_path / "px"
    p_set = pd.read_csv(folder / "generators-p_set.csv", index_col=0)
    table = pd.read_csv(folder / "generators.csv", index_col=0)
    for end in ("min", "max"):  # every generator at what it gave, stores as loads
        (p_set / table["p_nom"]).to_csv(folder / f"generators-p_{end}_pu.csv")
    stored = pd.read_csv(folder / "storage_units-p_set.csv", index_col=0)
    loads = pd.read_csv(folder / "loads.csv", index_col=0)
    units = pd.read_csv(folder / "storage_units.csv", index_col=0)
    links, link_p = pd.read_csv(folder / "links.csv", index_col=0), pd.read_csv(folder / "links-p_set.csv", index_col=0)
    of_load = pd.read_csv(folder / "loads-p_set.csv", index_col=0)
    for name, bus in units["bus"].items():
        loads.loc[f"as load {name}"] = {"bus": bus}
        of_load[f"as load {name}"] = -stored[name]
    for name, row in links.iterrows():
        for end, sign in (("bus0", 1.0), ("bus1", -1.0)):
            loads.loc[f"as load {name} {end}"] = {"bus": row[end]}
            of_load[f"as load {name} {end}"] = sign * link_p[name]
    loads.to_csv(folder / "loads.csv")
    of_load.to_csv(folder / "loads-p_set.csv")
    for path in (*folder.glob("storage_units*"), *folder.glob("links*")):
        path.unlink()
    convert("pypsa", folder, tmp_path / "back")
    simulate(load(tmp_path / "back"), tmp_path / "b.h5")
    with ResultsReader(tmp_path / "a.h5") as a, ResultsReader(tmp_path / "b.h5") as b:
        order = [b.names("branch").index(name) for name in a.names("branch")]
        assert_allclose(b["flow/branch_p_mw"][:][:, order], a["flow/branch_p_mw"][:], atol=2e-3)
        assert np.abs(a["flow/branch_p_mw"][:]).max() > 50
    net = pp.from_json(str(tmp_path / "back" / "net.json"))
    assert set(net.gen["tech"]) == {"coal", "gas"}
