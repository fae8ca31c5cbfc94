"""Conversions of public case formats: small made-up sources, and every way in which a source may be bad."""

import copy
import csv
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose

from gridsim.assemble import assemble
from gridsim.cli import main
from gridsim.convert import convert
from gridsim.convert_matpower import DAY
from gridsim.convert_net import convex, empty_net, price_points
from gridsim.costs import curve, read_costs
from gridsim.errors import InputError
from gridsim.scenario import load

# Two islands of three and two buses: taps, a shift, an angle limit, a negative load, a conductance, all kinds of costs.
CASE = """
function mpc = made_up
%% a comment with mpc.bus = [ in it ...
mpc.version = '2';
mpc.baseMVA = 50;
mpc.areas = [ 1 1; ];
mpc.bus_name = { 'one % not a comment'; 'two'; 'three'; 'four'; 'five'; 'six' };
mpc.bus = [  % id type Pd Qd Gs Bs area Vm Va kV zone Vmax Vmin
  10 3  0  0 0 0 1 1 0 220 7 1.1 0.9;
  20 1 90 10 2 0 1 1 0 220 7 1.1 0.9; 30 1 -15 0 0 0 1 1 0 110 8 1.1 0.9
  40, 2, 30, 0, 0, 0, 1, 1, 0, 110, 8, 1.1, 0.9;
  50 1 10 0 0 0 1 1 0 0 8 1.1 0.9;
  60 4 99 0 0 0 1 1 0 110 8 1.1 0.9;
];
mpc.gen = [
  10 0 0 9 -9 1 100 1 100 10;
  10 0 0 9 -9 1 100 1  60 -20;
  20 0 0 9 -9 1 100 0  60 0;
  40 0 0 9 -9 1 100 1  80 0;
  40 0 0 9 -9 1 100 1  30 5
];
mpc.gencost = [
  2 7 0 3 0.01 12 100 0 0 0;
  2 0 0 3 0.02 8 50 0 0 0;
  2 0 0 2 5 0 0 0 0 0;
  1 0 0 3 0 -40 20 160 80 1000;
  1 0 0 2 5 60 30 ...
    460 0 0
];
mpc.branch = [
  10 20 0.01 0.1 0.02 60 70 80 0    0 1 -360 360;
  10 20 0.01 0.2 0.02 0  0  0  1    0 1 -1 1;
  20 30 0.02 0.3 0    55 0  0  0.95 4 1 -30 20;
  10 30 0.00 0.2 0    45 0  0  0    0 1 -5 30;
  10 30 0.00 0.2 0    45 0  0  0    0 0 -5 30;
  40 50 0.01 0.1 0    25 0  0  0    0 1 0 0;
];
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    path = tmp_path / "made_up.m"
    path.write_text(CASE, encoding="utf-8")
    return path


def fates(folder: Path) -> dict[tuple[str, str], int]:
    tree = json.loads((folder / "conversion.json").read_text(encoding="utf-8"))
    return {(row["what"], row["fate"]): row["count"] for row in tree["inputs"]}


# --- MATPOWER


def test_matpower_branches_are_what_the_format_says(case, tmp_path):
    convert("matpower", case, tmp_path / "out")
    branches = assemble(load(tmp_path / "out")).branches.set_index("name")
    x = {"branch 1": 0.1, "branch 2": 0.2, "branch 3": 0.3 * 0.95, "branch 4": 0.2, "branch 6": 0.1}
    degree = np.pi / 180
    limit = {
        "branch 1": 60.0,
        "branch 2": 50 / 0.2 * degree,
        "branch 3": 55.0,  # of -34 to 16 degrees: the wider side is beyond the rating
        "branch 4": 45.0,
        "branch 6": 25.0,
    }
    found = branches.loc[list(x)]
    assert_allclose(found["x_pu"], np.array(list(x.values())) * 100 / 50, rtol=1e-12)  # on 100 MVA
    assert_allclose(found["rating_mw"], [limit[name] for name in found.index], rtol=1e-12)
    assert_allclose(found["shift_deg"], [0, 0, 4, 0, 0], atol=1e-12)
    assert_allclose(found["emergency_rating_mw"], [80.0, *found["rating_mw"][1:]], rtol=1e-12)
    assert "branch 5" not in branches.index
    interfaces = assemble(load(tmp_path / "out")).interfaces.set_index("name")
    # branch 3: 20 - 4 degrees over x tap one way; branch 4: 5 degrees the other way
    assert_allclose(interfaces.loc["branch 3", "limit_mw"], 50 / (0.3 * 0.95) * 16 * degree, rtol=1e-12)
    assert_allclose(
        interfaces.loc["branch 4", ["limit_mw", "reverse_limit_mw"]].astype(float), [45.0, 50 / 0.2 * 5 * degree]
    )


def test_powermodels_branches_have_no_taps_and_the_susceptance_of_the_admittance(case, tmp_path):
    convert("matpower", case, tmp_path / "out", dc="powermodels")
    branches = assemble(load(tmp_path / "out")).branches.set_index("name")
    assert_allclose(branches.loc["branch 3", "x_pu"], 2 * (0.02**2 + 0.3**2) / 0.3, rtol=1e-12)
    assert branches.loc["branch 3", "shift_deg"] == 0
    assert fates(tmp_path / "out")["phase shifts", "ignored"] == 1


@pytest.mark.parametrize(("name", "model"), [("made_up", "matpower"), ("pglib_opf_made_up", "powermodels")])
def test_the_branch_model_follows_the_name_and_the_report_says_so(case, tmp_path, name, model):
    case.write_text(CASE.replace("made_up", name), encoding="utf-8")
    convert("matpower", case, tmp_path / "out")
    assert f"{model} model (by default for a case called {name})" in (tmp_path / "out" / "conversion.md").read_text()


def test_matpower_costs_are_those_of_the_file_at_every_output(case, tmp_path):
    convert("matpower", case, tmp_path / "out")
    case_ = assemble(load(tmp_path / "out"))
    units = case_.units.set_index("name")

    def cost(name: str, share: float) -> float:
        """Of one row at a share of its range, as gridsim prices it."""
        u = units.index.get_loc(name)
        width = case_.unit_seg_mw[u]
        out = share * width.sum()
        filled = np.clip(out - np.concatenate(([0], np.cumsum(width)[:-1])), 0, width)
        row = units.iloc[u]
        return float(row.no_load_cost + case_.unit_min_cost[u] * row.p_min_mw + filled @ case_.unit_seg_cost[u])

    for share in (0.0, 0.25, 0.5, 1.0):
        p = 10 + 90 * share
        assert_allclose(cost("gen 1", share), 100 + 12 * p + 0.01 * p**2, rtol=1e-5)
        p = -20 + 80 * share  # a load of 20 MW, and 0 to 80 MW
        assert_allclose(cost("gen 2", share), 50 + 8 * p + 0.02 * p**2, rtol=1e-4)
        p = 5 + 25 * share
        assert_allclose(cost("gen 5", share), 60 + 16 * (p - 5), rtol=1e-12)
    # gen 4 costs -40 at 0 MW: two rows, 20 MW at 10 and 60 MW at 14, the payment on the first
    assert_allclose(units.loc[["gen 4", "gen 4 segment 2"], "p_max_mw"].astype(float), [20, 60])
    assert_allclose(cost("gen 4", 1.0) + cost("gen 4 segment 2", 1.0), 1000, rtol=1e-12)
    assert_allclose(cost("gen 4", 0.0) + cost("gen 4 segment 2", 0.0), -40, rtol=1e-12)
    loads = case_.loads.set_index("name")
    assert "gen 2 at its minimum" in loads.index
    assert bool(units["must_run"].all())


def test_matpower_loads_and_injections(case, tmp_path):
    convert("matpower", case, tmp_path / "out")
    made = assemble(load(tmp_path / "out"))
    total = dict(zip(made.loads["name"], made.load_mw[0], strict=True))
    assert total == pytest.approx(
        {"load 20": 90, "load 40": 30, "load 50": 10, "shunt 20": 2, "gen 2 at its minimum": 20}
    )
    source = made.sources.set_index("name")
    assert source.loc["injection 30", "cost"] == 0
    assert_allclose(made.source_min_mw[0, list(source.index).index("injection 30")], 15)
    assert made.buses["island"].nunique() == 2
    assert made.hours == 1
    assert made.reserve_up_mw.max() == made.reserve_down_mw.max() == 0


def test_a_day_multiplies_the_loads_by_its_curve(case, tmp_path):
    convert("matpower", case, tmp_path / "out", profile="day")
    made = assemble(load(tmp_path / "out"))
    at = list(made.loads["name"]).index("load 20")
    assert made.hours == 48
    assert_allclose(made.load_mw[:, at], 90 * np.resize(DAY, 48))
    assert max(DAY) == 1.0


BROKEN = {
    "no gencost": (r"mpc\.gencost = \[.*?\];", "", "mpc.gencost is missing"),
    "a word": ("60 70 80", "60 lots 80", "row 1 has 'lots'"),
    "few columns": ("10 0 0 9 -9 1 100 1 100 10;", "10 0 0;", "mpc.gen must have at least 10 columns: row 1 has 3"),
    "unknown bus": ("10 20 0.01 0.1 ", "10 77 0.01 0.1 ", "mpc.branch must name buses of mpc.bus: 77 are none"),
    "no base": ("mpc.baseMVA = 50", "mpc.baseMVA = 0", "mpc.baseMVA must be a number greater than 0"),
    "Pmin above Pmax": ("100 1 100 10;", "100 1 100 110;", "Pmin at most Pmax: rows 1 do not"),
    "cubic": ("2 7 0 3 0.01 12 100 0", "2 7 0 4 1 0.01 12 100", "must be of degree 2 or less: it is of degree 3"),
    "concave": ("2 7 0 3 0.01 12", "2 7 0 3 -0.01 12", "row 1 must be convex"),
    "concave points": ("0 -40 20 160 80 1000", "0 -40 20 900 80 1000", "row 4 must be convex"),
    "no reactance": ("0.01 0.1 0.02", "0.01 0 0.02", "reactance that is finite and not 0: rows 1 have not"),
}


@pytest.mark.parametrize("change", BROKEN)
def test_a_bad_case_is_refused_with_its_reason(case, tmp_path, change):
    pattern, replacement, said = BROKEN[change]
    text, count = re.subn(pattern if "\\" in pattern else re.escape(pattern), replacement, CASE, count=1, flags=re.S)
    assert count == 1
    case.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(said)):
        convert("matpower", case, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- cost curves


@pytest.mark.parametrize("low", [0.0, 4.0, 10.0, 15.0, 25.0])
@pytest.mark.parametrize("first", [90.0, 400.0])
def test_points_are_priced_exactly_above_the_minimum(low, first):
    net = empty_net("x", 100)
    bus = pp.create_bus(net, 110)
    pp.create_gen(net, bus, 0.0, min_p_mw=low, max_p_mw=40)
    points = [(10.0, first), (20.0, first + 200), (30.0, first + 500)]
    rest = price_points(net, "gen", 0, points, low, 40.0)
    problems: list[Any] = []
    made = curve(read_costs(net, problems)["gen", 0], low, 40.0)
    assert not problems
    ends = low + np.concatenate(([0.0], np.cumsum(made.seg_mw)))
    costs = rest + made.min_cost * low + np.concatenate(([0.0], np.cumsum(np.multiply(made.seg_mw, made.seg_cost))))
    for p in np.linspace(low, 40, 9):
        want = first + 20 * (p - 10) if p < 20 else first + 200 + 30 * (p - 20)
        assert_allclose(np.interp(p, ends, costs), want, rtol=1e-12, atol=1e-9)
    assert rest >= 0 or low == 0


def test_the_hull_of_a_concave_curve():
    assert convex([(0, 0), (1, 5), (2, 6), (3, 9)]) == ([(0, 0), (2, 6), (3, 9)], True)
    assert convex([(0, 0), (1, 1), (2, 3)]) == ([(0, 0), (1, 1), (2, 3)], False)


# --- pglib-uc

UNIT = {
    "must_run": 0,
    "power_output_minimum": 20.0,
    "power_output_maximum": 60.0,
    "ramp_up_limit": 30.0,
    "ramp_down_limit": 25.0,
    "ramp_startup_limit": 20.0,
    "ramp_shutdown_limit": 70.0,
    "time_up_minimum": 4,
    "time_down_minimum": 2,
    "power_output_t0": 0.0,
    "unit_on_t0": 0,
    "time_up_t0": 0,
    "time_down_t0": 7,
    "startup": [{"lag": 2, "cost": 393.28}, {"lag": 4, "cost": 455.37}, {"lag": 12, "cost": 703.76}],
    "piecewise_production": [{"mw": 20.0, "cost": 500.0}, {"mw": 40.0, "cost": 700.0}, {"mw": 60.0, "cost": 1000.0}],
}
INSTANCE: dict[str, Any] = {
    "time_periods": 3,
    "demand": [50.0, 60.0, 70.0],
    "reserves": [5.0, 6.0, 7.0],
    "thermal_generators": {
        "A": UNIT,
        "B": UNIT
        | {"must_run": 1, "unit_on_t0": 1, "time_up_t0": 3, "power_output_t0": 33.0}
        | {
            "startup": [{"lag": 1, "cost": 9.0}],
            "piecewise_production": [{"mw": 20.0, "cost": 100.0}, {"mw": 60.0, "cost": 900.0}],
        },
    },
    "renewable_generators": {
        "1_WIND_1": {"power_output_minimum": [0, 0, 0], "power_output_maximum": [4, 5, 6]},
        "1_HYDRO_1": {"power_output_minimum": [2, 2, 3], "power_output_maximum": [2, 2, 3]},
        "1_X": {"power_output_minimum": [1, 0, 1], "power_output_maximum": [2, 2, 3]},
    },
}


def instance(tmp_path: Path, tree: Any = INSTANCE, name: str = "made-2021-05-06") -> Path:
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def test_an_instance_becomes_units_series_and_a_product(tmp_path):
    out = tmp_path / "out"
    convert("pglib-uc", instance(tmp_path), out)
    gen = pp.from_json(str(out / "net.json")).gen.set_index("name")
    a, b = gen.loc["A"], gen.loc["B"]
    columns = ["min_p_mw", "max_p_mw", "min_up_h", "min_down_h", "ramp_up_mw_per_h", "ramp_down_mw_per_h"]
    assert list(a[columns]) == [20, 60, 4, 2, 30, 25]
    assert a.start_ramp_mw == 20
    assert np.isnan(a.stop_ramp_mw)  # 70 MW do not limit 60
    assert a.start_cost_by_hours_off == "2:393.28 4:455.37 12:703.76"
    assert b.start_cost == 9
    assert [(r.initial_on, r.initial_hours, r.initial_p_mw) for r in (a, b)] == [(0, 7, 0), (1, 3, 33)]
    assert (bool(a.must_run), bool(b.must_run)) == (False, True)
    series = {k.split(" [")[0]: v for k, v in columns_of(out / "series.csv").items()}
    assert series["load/system"] == ["50.0", "60.0", "70.0"]
    assert series["time"][0] == "2021-05-06 00:00:00"
    tree = tomllib.loads((out / "scenario.toml").read_text())
    assert tree["horizon"] | {"start": None} == {"start": None, "hours": 3, "window_h": 3, "step_h": 3}
    (product,) = tree["reserve"]["product"]
    assert (product["series"], product["direction"], product["spinning"]) == ("reserve/spinning", "up", True)
    assert tree["reserve"]["up_min_mw"] == tree["reserve"]["up_load_share"] == 0


def columns_of(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[k] for row in rows[1:]] for k, name in enumerate(rows[0])}


def test_production_costs_of_an_instance(tmp_path):
    convert("pglib-uc", instance(tmp_path), tmp_path / "out")
    net = pp.from_json(str(tmp_path / "out" / "net.json"))
    costs = read_costs(net, [])
    for k, (at_min, at_40, at_max) in enumerate(((500, 700, 1000), (100, 500, 900))):
        made = curve(costs["gen", k], 20.0, 60.0)
        ends = 20 + np.concatenate(([0], np.cumsum(made.seg_mw)))
        cost = np.concatenate(([0], np.cumsum(np.multiply(made.seg_mw, made.seg_cost)))) + made.min_cost * 20
        assert_allclose(
            np.interp([20, 40, 60], ends, cost) + net.gen.no_load_cost[k], [at_min, at_40, at_max], rtol=1e-12
        )


def test_renewables_keep_their_least_output(tmp_path):
    out = tmp_path / "out"
    convert("pglib-uc", instance(tmp_path), out)
    sgen = pp.from_json(str(out / "net.json")).sgen.set_index("name")
    values = {k.split(" [")[0]: [float(v) for v in c] for k, c in columns_of(out / "series.csv").items() if k != "time"}
    assert [(n, bool(sgen.curtailable[n]), values[sgen.profile[n]]) for n in sgen.index] == [
        ("1_WIND_1", True, [4, 5, 6]),
        ("1_HYDRO_1", False, [2, 2, 3]),
        ("1_X minimum", False, [1, 0, 1]),
        ("1_X", True, [1, 2, 2]),
    ]
    assert list(sgen.tech) == ["wind_onshore", "hydro", "renewable", "renewable"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("demand",), [1.0], "demand must be a list of 3 numbers"),
        (("time_periods",), 0, "time_periods must be a whole number"),
        (("thermal_generators", "A", "ramp_up_limit"), None, "must have a number of 0 or more for ramp_up_limit"),
        (("thermal_generators", "A", "startup"), [], "thermal_generators A: startup must be a list of points"),
        (("thermal_generators", "A", "power_output_minimum"), 99, "at most power_output_maximum"),
        (("renewable_generators", "1_X", "power_output_minimum"), [9, 9, 9], "its minimum at most at its maximum"),
    ],
)
def test_a_bad_instance_is_refused_with_its_reason(tmp_path, path, value, said):
    tree = copy.deepcopy(INSTANCE)
    at = tree
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(InputError, match=re.escape(said)):
        convert("pglib-uc", instance(tmp_path, tree), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- the folder and the command


def call(*args: object) -> Any:
    return CliRunner().invoke(main, ["convert", *map(str, args)])


def test_the_command_says_where_things_are(case, tmp_path):
    result = call("matpower", case, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert f"scenario: {tmp_path / 'out'}" in result.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "conversion.json",
        "conversion.md",
        "net.json",
        "scenario.toml",
    ]
    assert fates(tmp_path / "out")["generators", "used"] == 4


def test_all_problems_are_said_at_once(case, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    case.write_text(CASE.replace("mpc.baseMVA = 50", "mpc.baseMVA = x").replace("60 70 80", "60 lots 80"))
    result = call("matpower", case, "-o", out)
    assert result.exit_code == 3
    for said in ("3 problems", "exists and is not empty", "mpc.baseMVA", "'lots'"):
        assert said in result.stderr
    assert [p.name for p in out.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("kind", ["matpower", "pglib-uc", "rts-gmlc"])
def test_a_missing_source(tmp_path, kind):
    result = call(kind, tmp_path / "nothing", "-o", tmp_path / "out")
    assert result.exit_code == 3
    assert "is missing" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == []


def test_an_unknown_kind_and_a_broken_file(tmp_path):
    result = call("matpwer", tmp_path / "x.m", "-o", tmp_path / "out")
    assert result.exit_code == 3
    assert "did you mean matpower?" in result.stderr
    (tmp_path / "x.json").write_text('{"demand": [1,')
    result = call("pglib-uc", tmp_path / "x.json", "-o", tmp_path / "out")
    assert result.exit_code == 3
    assert "is not JSON" in result.stderr
    result = call("pglib-uc", instance(tmp_path), "-o", tmp_path / "out", "--dc", "matpower")
    assert "--dc is for matpower cases only" in result.stderr
    assert not (tmp_path / "out").exists()


def test_force_replaces_a_conversion_and_nothing_else(case, tmp_path):
    out = tmp_path / "out"
    assert call("matpower", case, "-o", out, "--profile", "day").exit_code == 0
    assert (out / "series.csv").exists()
    again = call("matpower", case, "-o", out)
    assert again.exit_code == 3
    assert "--force" in again.stderr
    assert call("matpower", case, "-o", out, "--force").exit_code == 0
    assert not (out / "series.csv").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("keep")
    refused = call("matpower", case, "-o", other, "--force")
    assert refused.exit_code == 3
    assert "not an earlier conversion" in refused.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made_up.m", "other", "out"]  # no leftovers


# --- RTS-GMLC

THERMAL = {
    **{"GEN UID": "1_CT_1", "Bus ID": "1", "Unit Type": "CT", "Category": "Gas CT", "Fuel": "NG"},
    **{"PMax MW": "100", "PMin MW": "40", "Min Down Time Hr": "2.2", "Min Up Time Hr": "4", "Ramp Rate MW/Min": "1.5"},
    **{"Start Time Cold Hr": "12", "Start Time Warm Hr": "6", "Start Time Hot Hr": "2"},
    **{"Start Heat Cold MBTU": "300", "Start Heat Warm MBTU": "200", "Start Heat Hot MBTU": "100"},
    **{"Non Fuel Start Cost $": "7", "Fuel Price $/MMBTU": "2", "VOM": "0.5", "Emissions CO2 Lbs/MMBTU": "200"},
    **{"Output_pct_0": "0.4", "Output_pct_1": "0.7", "Output_pct_2": "1", "Output_pct_3": "NA"},
    **{"HR_avg_0": "12000", "HR_incr_1": "8000", "HR_incr_2": "9000", "HR_incr_3": "NA"},
    **{"Pump Load MW": "0", "Storage Roundtrip Efficiency": "0"},
}
OTHERS = dict.fromkeys(THERMAL, "0")
GENERATORS = [
    THERMAL,
    THERMAL | {"GEN UID": "2_CT_1", "Bus ID": "2", "HR_incr_1": "9500", "Start Time Hot Hr": "0"},
    OTHERS | {"GEN UID": "2_WIND_1", "Bus ID": "2", "Unit Type": "WIND", "Category": "Wind", "PMax MW": "50"},
    OTHERS | {"GEN UID": "2_HYDRO_1", "Bus ID": "2", "Unit Type": "HYDRO", "Category": "Hydro", "PMax MW": "30"},
    OTHERS
    | {"GEN UID": "3_CSP_1", "Bus ID": "3", "Unit Type": "CSP", "Category": "CSP", "PMax MW": "20", "PMin MW": "5"},
    OTHERS | {"GEN UID": "3_SYNC_COND_1", "Bus ID": "3", "Unit Type": "SYNC_COND", "Category": "Sync_Cond"},
]
BUSES = [
    {"Bus ID": str(k), "Bus Name": f"B{k}", "BaseKV": kv, "Bus Type": kind, "MW Load": mw, "MW Shunt G": "0"}
    | {"Area": area, "lat": "33", "lng": "-115"}
    for k, kv, kind, mw, area in (
        *((1, "138", "Ref", "30", "1"), (2, "138", "PV", "10", "1")),
        *((3, "230", "PQ", "50", "2"),),
    )
]
BRANCH = {"R": "0.01", "X": "0.1", "B": "0", "Cont Rating": "100", "LTE Rating": "110", "STE Rating": "120"}
POINTERS = [
    *(("Area", "1", "MW Load", "Load"), ("Area", "2", "MW Load", "Load")),
    *(("Generator", "2_WIND_1", "PMax MW", "wind"), ("Generator", "2_HYDRO_1", "PMax MW", "hydro")),
    *(("Generator", "2_HYDRO_1", "PMin MW", "hydro"), ("Generator", "3_CSP_HEAD", "Natural_Inflow", "csp")),
    ("Reserve", "Reg_Up", "Requirement", "reg"),
]
TABLES: dict[str, list[dict[str, str]]] = {
    "bus": BUSES,
    "gen": GENERATORS,
    "branch": [
        {"UID": "A1", "From Bus": "1", "To Bus": "2", "Tr Ratio": "0"} | BRANCH,
        {"UID": "A2", "From Bus": "2", "To Bus": "3", "Tr Ratio": "1.05"} | BRANCH,
    ],
    "dc_branch": [{"UID": "DC1", "From Bus": "1", "To Bus": "3", "MW Load": "25"}],
    "storage": [
        {"GEN UID": "3_CSP_1", "Storage": "3_CSP_HEAD", "Max Volume GWh": "0.2", "Initial Volume GWh": "0.05"}
        | {"position": "head"}
    ],
    "reserves": [
        {"Reserve Product": "Reg_Up", "Timeframe (sec)": "300", "Eligible Regions": "(1,2)", "Direction": "Up"}
        | {"Eligible Device SubCategories": "(Gas CT,Wind)"}
    ],
    "timeseries_pointers": [
        {"Simulation": "DAY_AHEAD", "Category": a, "Object": b, "Parameter": c, "Data File": f"../timeseries/{d}.csv"}
        for a, b, c, d in POINTERS
    ],
}
HOURLY = {
    "load": {"1": [40.0] * 48, "2": [60.0] * 48},  # the pointers say Load: folders and files differ in case
    "wind": {"2_WIND_1": [float(t % 24) for t in range(48)]},
    "hydro": {"2_HYDRO_1": [5.0] * 48},
    "csp": {"3_CSP_1": [1.0] * 48},
}


def rts(folder: Path, **changes: list[dict[str, str]]) -> Path:
    source = folder / "rts"
    (source / "SourceData").mkdir(parents=True)
    (source / "timeseries").mkdir()
    for name, rows in (TABLES | changes).items():
        with (source / "SourceData" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    for name, columns in HOURLY.items():
        lines = [",".join(("Year", "Month", "Day", "Period", *columns))]
        for t in range(48):
            lines.append(",".join(map(str, (2020, 2, 28 + t // 24, t % 24 + 1, *(c[t] for c in columns.values())))))
        (source / "timeseries" / f"{name}.csv").write_text("\n".join(lines))
    wide = ["Year,Month,Day," + ",".join(map(str, range(1, 25)))]
    wide += [f"2020,2,{d}," + ",".join(str(d + h) for h in range(24)) for d in (28, 29)]
    (source / "timeseries" / "reg.csv").write_text("\n".join(wide))
    return source


def test_rts_units_stores_series(tmp_path):
    out = tmp_path / "out"
    convert("rts-gmlc", rts(tmp_path), out)
    net = pp.from_json(str(out / "net.json"))
    one, two = net.gen.iloc[0], net.gen.iloc[1]
    assert (one.min_up_h, one.min_down_h, one.ramp_up_mw_per_h, one.reserve_mw_per_min) == (4, 3, 90, 1.5)
    assert one.start_cost_by_hours_off == "3:207 6:407 12:607"  # hot is reached before the 3 hours are over
    problems: list[Any] = []
    costs = read_costs(net, problems)
    for k, incr in enumerate((8.0, (9.5 + 9.0) / 2)):  # of the second unit 9.5 is followed by 9: the hull
        made = curve(costs["gen", k], 40.0, 100.0)
        at_min = made.min_cost * 40 + net.gen.no_load_cost[k]
        assert_allclose(at_min, 2 * 12 * 40 + 0.5 * 40)
        assert_allclose(made.seg_cost[0], 2 * incr + 0.5)
    assert not problems
    heat = (12 * 40, 12 * 40 + 8 * 30 + 9 * 30)
    assert_allclose(one.co2_no_load_t_per_h + 40 * one.co2_t_per_mwh, heat[0] * 200 * 0.45359237e-3)
    assert_allclose(one.co2_no_load_t_per_h + 100 * one.co2_t_per_mwh, heat[1] * 200 * 0.45359237e-3)
    assert two.start_cost_by_hours_off == one.start_cost_by_hours_off
    assert list(net.load["profile_share"]) == [0.75, 0.25, 1.0]
    assert list(net.sgen["curtailable"]) == [True, False]
    store = net.storage.iloc[0]
    assert (store.max_p_mw, store.min_p_mw, store.min_discharge_mw, store.soc_percent) == (0, -20, 5, 25)
    assert (len(net.line), len(net.trafo), len(net.dcline)) == (1, 1, 1)
    series = {k.split(" [")[0]: v for k, v in columns_of(out / "series.csv").items()}
    assert series["time"][24] == "2020-02-29 00:00:00"
    assert [float(v) for v in series["reserve/Reg_Up"]] == [d + h for d in (28, 29) for h in range(24)]
    assert [float(v) for v in series["renewable/2_WIND_1"]] == HOURLY["wind"]["2_WIND_1"]
    tree = tomllib.loads((out / "scenario.toml").read_text())
    (product,) = tree["reserve"]["product"]
    assert (product["techs"], product["zones"], product["within_min"]) == (["gas", "wind_onshore"], [], 5.0)
    assert (tree["horizon"]["hours"], tree["horizon"]["window_h"], tree["horizon"]["step_h"]) == (48, 48, 24)
    assert fates(out)["heat rate curves", "approximated"] == 1


def test_every_problem_of_an_rts_folder_is_said(tmp_path):
    branch = [TABLES["branch"][0] | {"To Bus": "9"}, TABLES["branch"][1] | {"X": "none"}]
    source = rts(tmp_path, branch=branch)
    (source / "SourceData" / "reserves.csv").unlink()
    with pytest.raises(InputError) as caught:
        convert("rts-gmlc", source, tmp_path / "out")
    text = str(caught.value)
    for said in ("reserves.csv is missing", "must name buses of bus.csv: 9 are none", "A2 must have numbers for ['X']"):
        assert said in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rts"]


def test_a_series_of_an_rts_folder_that_does_not_fit(tmp_path):
    source = rts(tmp_path)
    (source / "timeseries" / "wind.csv").unlink()
    text = (source / "timeseries" / "hydro.csv").read_text().splitlines()
    (source / "timeseries" / "hydro.csv").write_text("\n".join([*text[:10], *text[11:]]))
    with pytest.raises(InputError) as caught:
        convert("rts-gmlc", source, tmp_path / "out")
    assert "wind.csv is missing" in str(caught.value)
    assert "hydro.csv must have every hour of every day, in order" in str(caught.value)
