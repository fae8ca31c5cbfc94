"""From a net and its series to a case: the numbers on a tiny net, every refusal, and public nets on defaults."""

import json

import numpy as np
import pandapower as pp
import pandapower.networks as pn
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from gridsim.assemble import assemble, assemble_net, describe
from gridsim.case import (
    BRANCH_COLUMNS,
    BUS_COLUMNS,
    INTERFACE_COLUMNS,
    LINK_COLUMNS,
    LOAD_COLUMNS,
    SOURCE_COLUMNS,
    STORE_COLUMNS,
    UNIT_COLUMNS,
)
from gridsim.errors import InputError
from gridsim.kernels.network import monitored_branches, sensitivities
from gridsim.scenario import Scenario

HOURS = 24
T = np.arange(HOURS)
SERIES = {
    "load/A": 300 + 50 * np.sin(T / 4),  # MW
    "wind_onshore/A": 0.5 + 0.4 * np.cos(T / 5),
    "import/X": np.linspace(0.2, 0.8, HOURS),
    "exchange/Y": np.linspace(-0.5, 0.5, HOURS),
    "availability/G": np.where(T < 12, 1.0, 2 / 3),
}


def tiny():
    """Three buses in a ring, a DC line, coal, wind, a banded import, a signed exchange, a battery, two loads."""
    net = pp.create_empty_network(sn_mva=100, name="tiny")
    for k in range(3):
        pp.create_bus(net, vn_kv=220, name=f"B{k}", zone="A" if k < 2 else "C")
    for k, (a, b) in enumerate(((0, 1), (1, 2), (0, 2))):
        pp.create_line_from_parameters(net, a, b, 20, 0.03, 0.3, 10, 1.0, name=f"L{k}")
    pp.create_dcline(net, 0, 2, 0.0, 0.0, 0.0, 1.0, 1.0, max_p_mw=80.0, name="DC")
    net.dcline["min_p_mw"], net.dcline["controllable"] = -40.0, True

    pp.create_gen(net, 0, 200, name="G", min_p_mw=120, max_p_mw=300, slack=True)
    more = {
        "tech": "coal", "units": 3, "min_up_h": 8, "min_down_h": 6, "start_cost": 90.0, "no_load_cost": 10.0,
        "must_run": False, "co2_t_per_mwh": 0.8, "profile": "availability/G",
    }  # fmt: skip
    for column, value in more.items():
        net.gen[column] = value
    pp.create_pwl_cost(net, 0, "gen", [[120, 200, 300.0], [200, 300, 330.0]])

    pp.create_sgen(net, 1, 0, name="W", max_p_mw=100, min_p_mw=0)
    pp.create_sgen(net, 2, 0, name="X", max_p_mw=50, min_p_mw=0)
    pp.create_sgen(net, 2, 0, name="Y", max_p_mw=60, min_p_mw=-60)
    net.sgen["tech"] = ["wind_onshore", "import", "exchange"]
    net.sgen["profile"] = ["wind_onshore/A", "import/X", "exchange/Y"]
    net.sgen["band_down"] = [np.nan, 0.1, 0.2]
    net.sgen["ramp_up_mw_per_h"] = net.sgen["ramp_down_mw_per_h"] = [np.nan, 10.0, np.nan]
    net.sgen["curtailable"] = [True, False, False]
    pp.create_poly_cost(net, 1, "sgen", 280.0)

    pp.create_load(net, 1, 250, name="D1")
    pp.create_load(net, 2, 100, name="D2")
    net.load["profile"], net.load["profile_share"] = "load/A", [0.7, 0.3]
    pp.create_storage(net, 1, 0, 200, soc_percent=40, min_e_mwh=20, name="S", max_p_mw=50, min_p_mw=-60)
    net.storage["eta_charge"], net.storage["eta_discharge"] = 0.95, 0.9
    net["interface"] = pd.DataFrame({"name": ["into 2"], "limit_mw": [90.0], "reverse_limit_mw": [np.nan]})
    net["interface_member"] = pd.DataFrame(
        {"interface": ["into 2"] * 3, "element": ["line", "line", "dcline"], "element_index": [1, 2, 0], "weight": 1.0}
    )
    return net


@pytest.fixture
def series_file(tmp_path):
    return write(tmp_path / "series.csv", SERIES)


def write(path, series, start="2024-01-01"):
    frame = pd.DataFrame(series)
    frame.insert(0, "time", pd.date_range(start, periods=len(frame), freq="h"))
    frame.to_csv(path, index=False)
    return path


def scenario(path=None, **sections):
    sections = {"name": "test", "horizon": {"hours": HOURS}, **sections}
    if path is not None:
        sections.setdefault("profiles", {"source": str(path)})
    sections.setdefault("network", {"source": "tiny.json"})  # not looked at
    return Scenario(**sections)


def problems_of(net, path=None, **sections):
    with pytest.raises(InputError) as found:
        assemble_net(scenario(path, **sections), net)
    return {p.where: p.rule for p in found.value.problems}


# --- the numbers


def test_shapes_columns_and_types(series_file):
    c = assemble_net(scenario(series_file), tiny())
    tables = (
        (c.buses, BUS_COLUMNS), (c.units, UNIT_COLUMNS), (c.sources, SOURCE_COLUMNS), (c.stores, STORE_COLUMNS),
        (c.loads, LOAD_COLUMNS), (c.branches, BRANCH_COLUMNS), (c.links, LINK_COLUMNS),
        (c.interfaces, INTERFACE_COLUMNS),
    )  # fmt: skip
    for frame, columns in tables:
        assert tuple(frame.columns[: len(columns)]) == columns
        assert frame["name"].is_unique
    assert c.load_mw.shape == (HOURS, 2)
    assert c.unit_available.shape == (HOURS, 1)
    assert c.unit_available.dtype == np.int64
    assert c.source_min_mw.shape == c.source_max_mw.shape == (HOURS, 3)
    assert c.interface_weight.shape == (1, 3 + 1)
    assert c.hours == HOURS
    assert str(c.start) == "2024-01-01T00"
    assert c.utc_offset_h == 8.0


def test_unit_row_becomes_one_unit(series_file):
    c = assemble_net(scenario(series_file), tiny())
    unit = c.units.iloc[0]
    assert (unit["p_min_mw"], unit["p_max_mw"], unit["units"]) == (40, 100, 3)
    assert (unit["min_up_h"], unit["min_down_h"], unit["start_cost"], unit["no_load_cost"]) == (8, 6, 90, 10)
    assert_allclose(c.unit_min_cost, [300])
    assert_allclose(c.unit_seg_mw, [[80 / 3, 100 / 3]])
    assert_allclose(c.unit_seg_cost, [[300, 330]])
    assert_allclose(c.unit_available[:, 0], np.where(T < 12, 3, 2))


def test_loads_share_the_profile(series_file):
    c = assemble_net(scenario(series_file), tiny())
    assert_allclose(c.load_mw, np.outer(SERIES["load/A"], [0.7, 0.3]), rtol=1e-9)


def test_source_bounds(series_file):
    c = assemble_net(scenario(series_file), tiny())
    wind, imported, exchange = (
        SERIES[n] * p for n, p in (("wind_onshore/A", 100), ("import/X", 50), ("exchange/Y", 60))
    )
    assert_allclose(c.source_max_mw, np.stack([wind, imported, exchange], axis=1), atol=1e-9)
    assert_allclose(c.source_min_mw[:, 0], 0)
    assert_allclose(c.source_min_mw[:, 1], 0.9 * imported)
    assert_allclose(c.source_min_mw[:, 2], np.where(exchange > 0, 0.8 * exchange, exchange))
    assert c.sources["cost"].tolist()[:2] == [0.0, 280.0]
    assert c.sources["ramp_mw_per_h"].tolist() == [np.inf, 10.0, np.inf]


def test_store_link_and_interface(series_file):
    c = assemble_net(scenario(series_file), tiny())
    store = c.stores.iloc[0]
    assert (store["p_charge_max_mw"], store["p_discharge_max_mw"]) == (50, 60)
    assert (store["e_min_mwh"], store["e_max_mwh"], store["e_start_mwh"], store["e_end_mwh"]) == (20, 200, 80, 80)
    assert (store["eta_charge"], store["eta_discharge"], store["end_rule"]) == (0.95, 0.9, "fixed")
    link = c.links.iloc[0]
    assert (link["from_row"], link["to_row"], link["p_min_mw"], link["p_max_mw"]) == (0, 2, -40, 80)
    assert c.interfaces[["limit_mw", "reverse_limit_mw"]].to_numpy().tolist() == [[90, 90]]
    assert c.interface_weight.tolist() == [[0, 1, 1, 1]]


def test_sensitivities_of_branches_interface_and_link(series_file):
    c = assemble_net(scenario(series_file), tiny())
    h, offset = sensitivities(c)
    assert h.shape == (3 + 1, 3 + 1)
    assert_allclose(offset, 0, atol=1e-12)
    assert monitored_branches(c).tolist() == [0, 1, 2]
    assert_allclose(h[:3, 3], h[:3, 2] - h[:3, 0], atol=1e-12)
    assert_allclose(h[3, :3], h[1, :3] + h[2, :3], atol=1e-12)
    # whatever way it takes, a MW for bus 2 crosses the interface: the DC link only moves it from the lines to itself
    assert_allclose(h[3], [0, 0, -1, 0], atol=1e-12)


def test_reserve_and_initial_state(series_file):
    reserve = {"up_load_share": 0.1, "up_renewable_share": 0.2, "up_min_mw": 45.0, "down_load_share": 0.05}
    c = assemble_net(scenario(series_file, reserve={**reserve, "down_renewable_share": 0.1}), tiny())
    load, wind = c.load_mw.sum(axis=1), c.source_max_mw[:, 0]
    assert_allclose(c.reserve_up_mw, np.maximum(45, 0.1 * load + 0.2 * wind))
    assert_allclose(c.reserve_down_mw, 0.05 * load + 0.1 * wind)
    # 1.05 x (300 - 90 wind - 10 import + 30 export) = 241.5 MW: three units of 100 MW
    assert c.units["initial_on"].tolist() == [3]


def test_must_run_units_are_units_and_on(series_file):
    net = tiny()
    net.gen["must_run"] = True
    c = assemble_net(scenario(series_file), net)
    assert c.units["must_run"].tolist() == [True]
    assert c.units["initial_on"].tolist() == [3]


def test_horizon_cuts_the_series(series_file):
    c = assemble_net(scenario(series_file, horizon={"start": "2024-01-01T06:00", "hours": 5}), tiny())
    assert_allclose(c.load_mw.sum(axis=1), SERIES["load/A"][6:11], rtol=1e-9)
    assert (str(c.start), c.hours, len(c.time)) == ("2024-01-01T06", 5, 5)


def test_scales_factors_and_limits(series_file):
    c = assemble_net(
        scenario(
            series_file,
            scale={"load": 0.5, "wind_onshore": 2.0, "coal": 1.5, "battery": 3.0},
            grid={"line_rating_factor": 0.8, "interface_limit_mw": {"into 2": 70.0}},
            penalties={"shed": 9000.0},
        ),
        tiny(),
    )
    assert_allclose(c.load_mw.sum(axis=1), 0.5 * SERIES["load/A"], rtol=1e-9)
    assert_allclose(c.source_max_mw[:, 0], 200 * SERIES["wind_onshore/A"], atol=1e-9)
    assert c.units["p_max_mw"].tolist() == [150]
    assert_allclose(c.unit_seg_mw.sum(), 90)
    assert c.stores["e_max_mwh"].tolist() == [600]
    assert_allclose(c.branches["rating_mw"], 0.8 * np.sqrt(3) * 220)
    assert c.interfaces[["limit_mw", "reverse_limit_mw"]].to_numpy().tolist() == [[70, 90]]
    assert c.penalties.shed == 9000


def test_tech_scaled_to_nothing_is_ignored(series_file):
    c = assemble_net(scenario(series_file, scale={"wind_onshore": 0}), tiny())
    assert len(c.sources) == 2
    assert [n.why for n in c.notes if n.name == "W"] == ["scaled to 0 by the scenario (tech wind_onshore)"]


def test_quadratic_cost_is_cut_in_three(series_file):
    net = tiny()
    net.pwl_cost.drop(net.pwl_cost.index, inplace=True)
    net.gen["no_load_cost"] = 0.0
    pp.create_poly_cost(net, 0, "gen", cp0_eur=60.0, cp1_eur_per_mw=200.0, cp2_eur_per_mw2=0.5)
    c = assemble_net(scenario(series_file), net)
    assert_allclose(c.unit_min_cost, [200 + 0.5 * 120])
    assert_allclose(c.unit_seg_mw, [[20, 20, 20]])
    assert_allclose(c.unit_seg_cost, [[200 + p for p in (150, 210, 270)]])
    assert c.units["no_load_cost"].tolist() == [20.0]
    at_full = c.units["no_load_cost"] + c.unit_min_cost * 40 + (c.unit_seg_mw * c.unit_seg_cost).sum(axis=1)
    assert_allclose(3 * at_full, 60 + 200 * 300 + 0.5 * 300**2)


def test_identical_rows_stay_apart(series_file):
    net = tiny()
    pp.create_sgen(net, 1, 0, name="W", max_p_mw=100, min_p_mw=0)
    for column in ("tech", "profile", "curtailable"):
        net.sgen.loc[3, column] = net.sgen.loc[0, column]
    c = assemble_net(scenario(series_file), net)
    assert c.sources["name"].tolist() == ["W (sgen 0)", "X", "Y", "W (sgen 3)"]


def test_the_net_is_not_changed_and_is_kept(series_file):
    net = tiny()
    before = pp.to_json(net)
    c = assemble_net(scenario(series_file), net)
    assert pp.to_json(net) == before
    assert json.loads(c.net_json)
    assert pp.toolbox.nets_equal(pp.from_json_string(c.net_json), net)


def test_series_of_single_files_come_first(series_file, tmp_path):
    write(tmp_path / "wind.csv", {"wind_onshore/A": np.full(HOURS, 0.25)})
    profiles = {"source": str(series_file), "files": {"wind_onshore/A": str(tmp_path / "wind.csv")}}
    c = assemble_net(scenario(profiles=profiles), tiny())
    assert_allclose(c.source_max_mw[:, 0], 25)


# --- what else may be in a net


def note(case, element, index):
    found = [n for n in case.notes if (n.element, n.index) == (element, index)]
    assert len(found) == 1
    return found[0]


def plain():
    """Two buses, an ext_grid, a load of 100 MW: no extra column anywhere."""
    net = pp.create_empty_network(sn_mva=100)
    pp.create_buses(net, 2, vn_kv=110)
    pp.create_ext_grid(net, 0)
    pp.create_line_from_parameters(net, 0, 1, 10, 0.06, 0.4, 9, 0.9)
    pp.create_load(net, 1, 100)
    return net


def test_plain_net_runs_on_stated_defaults():
    c = assemble_net(scenario(), plain())
    assert_allclose(c.load_mw, 100)
    assert c.sources["tech"].tolist() == ["external"]
    assert_allclose(c.source_max_mw, 150)
    assert_allclose(c.source_min_mw, 0)
    said = note(c, "ext_grid", 0).why
    assert "1.5 x the peak load" in said
    assert "600 per MWh assumed" in said


def test_fixed_elements_are_loads_and_negative_ones_sources():
    net = plain()
    pp.create_motor(net, 1, 9.0, 0.9, efficiency_percent=90, loading_percent=50)
    pp.create_ward(net, 1, 3, 0, 1, 0)
    pp.create_shunt(net, 1, q_mvar=5, p_mw=2)
    pp.create_asymmetric_load(net, 1, 1, 2, 3)
    pp.create_sgen(net, 1, 7)
    pp.create_sgen(net, 1, -8)
    pp.create_load(net, 1, -6)
    pp.create_load(net, 1, 0)
    pp.create_storage(net, 1, 4, 10, controllable=False)
    c = assemble_net(scenario(), net)
    consumed = dict(zip(zip(c.loads["element"], c.loads["element_index"], strict=True), c.load_mw[0], strict=True))
    assert consumed == pytest.approx(
        {("load", 0): 100, ("motor", 0): 5, ("ward", 0): 4, ("shunt", 0): 2, ("asymmetric_load", 0): 6,
         ("sgen", 1): 8, ("storage", 0): 4}
    )  # fmt: skip
    given = dict(
        zip(zip(c.sources["element"], c.sources["element_index"], strict=True), c.source_max_mw[0], strict=True)
    )
    assert given[("sgen", 0)] == 7
    assert given[("load", 1)] == 6
    assert note(c, "load", 2).fate == "ignored"


def test_fixed_dcline_takes_and_delivers():
    net = plain()
    pp.create_dcline(net, 0, 1, 50.0, 2.0, 1.0, 1.0, 1.0)
    net.dcline["controllable"] = False
    c = assemble_net(scenario(), net)
    assert_allclose(c.load_mw[0], [100, 50])
    assert c.sources["element"].tolist() == ["ext_grid", "dcline"]
    assert_allclose(c.source_max_mw[0, 1], 48)
    assert len(c.links) == 0
    assert "48 MW delivered" in note(c, "dcline", 0).why


def test_static_generator_curtails_only_wind_and_sun():
    net = plain()
    pp.create_sgen(net, 1, 10, type="PV")
    pp.create_sgen(net, 1, 10, type="CHP")
    c = assemble_net(scenario(), net)
    assert_allclose(c.source_max_mw[0, 1:], 10)
    assert_allclose(c.source_min_mw[0, 1:], [0, 10])
    assert c.sources["curtailable"].tolist() == [False, True, False]


def test_generator_with_a_curve_but_no_commitment_data_is_always_on():
    net = plain()
    pp.create_gen(net, 1, 30, min_p_mw=10, max_p_mw=60)
    pp.create_poly_cost(net, 0, "gen", 10, cp2_eur_per_mw2=0.1)
    c = assemble_net(scenario(), net)
    assert c.units["must_run"].tolist() == [True]
    assert "always on" in note(c, "gen", 0).why


@pytest.mark.parametrize(
    "make",
    [pn.case4gs, pn.case9, pn.case14, pn.case30, pn.case39, pn.case57, pn.case118, pn.case24_ieee_rts,
     pn.example_simple, pn.example_multivoltage, pn.mv_oberrhein, pn.create_cigre_network_mv, pn.GBreducednetwork],
)  # fmt: skip
def test_public_nets_run_and_every_element_is_reported(make):
    net = make()
    c = assemble_net(scenario(), net)
    noted = [(n.element, n.index) for n in c.notes]
    assert len(noted) == len(set(noted))
    elements = set(pp.pp_elements(other_elements=False)) | {"switch"}
    for element in elements & set(net.keys()):
        for index in net[element].index:
            assert (element, int(index)) in set(noted)
    assert {n.fate for n in c.notes} <= {"used", "merged", "ignored"}
    assert all(n.why for n in c.notes)
    assert (c.load_mw >= 0).all()
    assert (c.source_min_mw <= c.source_max_mw).all()
    assert (np.diff(c.unit_seg_cost, axis=1) >= 0).all()
    h, offset = sensitivities(c)
    assert h.shape == (len(monitored_branches(c)), len(c.buses) + len(c.links))
    assert np.isfinite(h).all()
    assert np.isfinite(offset).all()


def test_consumption_of_a_public_net_is_that_of_rundcpp():
    net = pn.example_multivoltage()
    c = assemble_net(scenario(), net)
    pp.rundcpp(net)
    given = net.res_sgen["p_mw"].sum() + net.res_ext_grid["p_mw"].sum() + net.res_gen["p_mw"].sum()
    assert c.load_mw[0].sum() == pytest.approx(given, abs=1e-6)


def test_describe_says_what_there_is(series_file):
    text = describe(assemble_net(scenario(series_file), tiny()))
    for words in ("24 hours", "3 buses in 1 island", "1 DC links", "coal", "300 in 3 committed units", "peak 350 MW"):
        assert words in text
    text = describe(assemble_net(scenario(), pn.example_multivoltage()))
    assert "30 bus: joined to bus" in text
    assert "1 line: open at one end" in text


# --- refusals


@pytest.mark.parametrize(
    ("element", "column", "value", "where", "says"),
    [
        ("gen", "min_p_mw", 400.0, "gen.min_p_mw", "400 MW with max_p_mw 300"),
        ("gen", "max_p_mw", -5.0, "gen.max_p_mw", "gen 0 'G' has -5"),
        ("gen", "min_p_mw", -5.0, "gen.min_p_mw", "at least 0 MW for a committed unit"),
        ("gen", "min_up_h", 0, "gen.min_up_h", "1 h or more"),
        ("gen", "min_down_h", 0, "gen.min_down_h", "1 h or more"),
        ("gen", "units", 0, "gen.units", "1 or more"),
        ("gen", "start_cost", -1.0, "gen.start_cost", "0 currency or more"),
        ("gen", "min_up_hours", 8, "gen.min_up_hours", "did you mean 'min_up_h'"),
        ("gen", "bus", 55, "gen.bus", "a bus of the network"),
        ("sgen", "band_down", 1.5, "sgen.band_down", "from 0 to 1"),
        ("sgen", "ramp_up_mw_per_h", 0.0, "sgen.ramp_up_mw_per_h", "greater than 0 MW/h"),
        ("sgen", "max_p_mw", -1.0, "sgen.max_p_mw", "3 of 3 are not"),
        ("load", "p_mw", np.nan, "load.p_mw", "load 0 'D1' has nan"),
        ("load", "profile_share", 0.7, "load.profile_share", "'load/A' has 1.4"),
        ("load", "profile", "load/B", "profile load/B", "did you mean 'load/A'?"),
        ("storage", "min_e_mwh", 500.0, "storage.min_e_mwh", "500 MWh with max_e_mwh 200"),
        ("storage", "max_e_mwh", -1.0, "storage.max_e_mwh", "at least 0 MWh"),
        ("storage", "max_p_mw", -1.0, "storage.max_p_mw", "at least 0 MW"),
        ("storage", "min_p_mw", 1.0, "storage.min_p_mw", "at most 0 MW"),
        ("storage", "soc_percent", 120.0, "storage.soc_percent", "120 % = 240 MWh"),
        ("storage", "eta_charge", 0.0, "storage.eta_charge", "0.01 to 1"),
        ("storage", "eta_discharge", 1.2, "storage.eta_discharge", "0.01 to 1"),
        ("storage", "end_rule", "cycle", "storage.end_rule", "fixed, value, free, cyclic"),
        ("storage", "e_end_mwh", 999.0, "storage.e_end_mwh", "storage 0 'S' has 999"),
        ("line", "max_i_ka", 0.0, "line.max_i_ka", "absent for no limit"),
        ("dcline", "min_p_mw", 90.0, "dcline.min_p_mw", "90 MW with max_p_mw 80"),
        ("interface", "limit_mw", 0.0, "interface.limit_mw", "greater than 0 MW"),
        ("interface_member", "interface", "elsewhere", "interface_member.interface", "(into 2)"),
        ("interface_member", "element_index", 9, "interface_member.element_index", "line 9"),
        ("interface_member", "element", "bus", "interface_member.element", "must be one of line"),
        ("poly_cost", "element", 8, "poly_cost/pwl_cost", "sgen 8 is none"),
        ("poly_cost", "cp2_eur_per_mw2", -1.0, "poly_cost.cp2_eur_per_mw2", "not convex"),
    ],
)
def test_refuses(series_file, element, column, value, where, says):
    net = tiny()
    net[element][column] = value
    found = problems_of(net, series_file)
    assert where in found
    assert says in found[where]


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([[120, 200, 330.0], [200, 300, 300.0]], "not convex"),
        ([[120, 200, 300.0], [210, 300, 330.0]], "follow each other"),
        ([[120, 200, np.nan]], "all finite"),
        ([[120, 200]], "[from MW, to MW, cost per MWh]"),
        ([], "one or more points"),
    ],
)
def test_refuses_bad_cost_points(series_file, points, says):
    net = tiny()
    net.pwl_cost.at[0, "points"] = points
    found = problems_of(net, series_file)
    assert says in found["pwl_cost 0"]


def test_refuses_a_row_priced_twice(series_file):
    net = tiny()
    pp.create_poly_cost(net, 0, "gen", 5.0, check=False)
    assert "gen 0 is priced again" in problems_of(net, series_file)["pwl_cost"]


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("wind_onshore/A", lambda v: 100 * v, "wind_onshore/A"),  # percent
        ("availability/G", lambda v: v * 1.1, "availability/G"),
        ("load/A", lambda v: -v, "load/A"),
        ("import/X", lambda v: np.where(T == 7, 0.9, v), "2024-01-01T07"),  # a jump, faster than the ramp limit
        ("import/X", lambda v: -v, "must not be negative"),
        ("wind_onshore/A", lambda v: np.where((T > 7) & (T < 13), np.nan, v), "wind_onshore/A"),
    ],
)
def test_refuses_series_that_do_not_fit(tmp_path, name, change, says):
    path = write(tmp_path / "series.csv", {**SERIES, name: change(SERIES[name])})
    with pytest.raises(InputError) as found:
        assemble_net(scenario(path), tiny())
    assert says in str(found.value)


def test_gaps_in_a_series_are_named(series_file, monkeypatch):
    from gridsim.series import Series, SeriesReader

    reader = SeriesReader({"pv/A": Series(np.where(T == 5, np.nan, 0.2), "1")}, np.datetime64("2024-01-01T00"), HOURS)
    assert reader.get("pv/A", "sgen 1 'P'") is None
    assert str(reader.problems[0]) == "profile pv/A must be finite: 1 of 24 hours are not (first at 2024-01-01T05: nan)"


def test_refuses_8760_hours_for_8784(tmp_path):
    series = {name: np.resize(values, 8760) for name, values in SERIES.items()}
    path = write(tmp_path / "series.csv", series)
    with pytest.raises(InputError, match="8784"):
        assemble_net(scenario(path, horizon={}), tiny())


def test_refuses_a_file_that_ends_before_the_horizon(series_file):
    with pytest.raises(InputError, match="must cover 2024-01-01T06 to 2024-01-02T05"):
        assemble_net(scenario(series_file, horizon={"start": "2024-01-01T06:00", "hours": 24}), tiny())


def test_refuses_what_hangs_in_the_air(series_file):
    net = tiny()
    lonely = pp.create_bus(net, vn_kv=220)
    pp.create_load(net, lonely, 5, name="far")
    pp.create_gen(net, lonely, 5, name="far too")
    found = problems_of(net, series_file)
    assert f"load 2 'far' has bus {lonely}" in found["load.bus"]
    assert f"gen 1 'far too' has bus {lonely}" in found["gen.bus"]
    assert "reference" in found["gen.bus"]


def test_refuses_an_island_without_reference(series_file):
    net = tiny()
    a, b = pp.create_bus(net, vn_kv=220), pp.create_bus(net, vn_kv=220)
    pp.create_line_from_parameters(net, a, b, 10, 0.03, 0.3, 10, 1.0)
    pp.create_sgen(net, a, 5, name="far")
    pp.create_load(net, b, 5)
    found = problems_of(net, series_file)
    assert f"sgen 3 'far' has bus {a}" in found["sgen.bus"]
    assert f"has bus {b}" in found["load.bus"]


def test_refuses_a_net_without_reference(series_file):
    net = tiny()
    net.gen["slack"] = False
    assert "no reference" in problems_of(net, series_file)["ext_grid"]


def test_lists_problems_of_all_rooms_at_once(series_file):
    net = tiny()
    net.gen["min_p_mw"], net.storage["min_e_mwh"], net.line["max_i_ka"] = 400.0, 500.0, -1.0
    net.sgen.loc[0, "profile"] = "wind_onshore/Z"
    net.gen.rename(columns={"must_run": "mustrun"}, inplace=True)
    found = problems_of(net, series_file, scale={"cole": 2.0}, grid={"interface_limit_mw": {"into 3": 5.0}})
    assert {"gen.min_p_mw", "storage.min_e_mwh", "line.max_i_ka", "profile wind_onshore/Z", "gen.mustrun"} <= set(found)
    assert "did you mean coal?" in found["scenario: scale.cole"]


def test_refuses_unknown_interface(series_file):
    found = problems_of(tiny(), series_file, grid={"interface_limit_mw": {"into 3": 5.0}})
    assert "did you mean into 2?" in found["scenario: grid.interface_limit_mw.into 3"]


def test_refuses_a_net_without_load():
    net = plain()
    net.load["in_service"] = False
    assert "at least one row" in problems_of(net)["load"]


def test_refuses_named_series_without_any_source(series_file):
    assert "profile_site" in problems_of(tiny())["scenario: profiles.source"]


# --- files


def test_net_from_a_file(tmp_path, series_file):
    pp.to_json(tiny(), str(tmp_path / "net.json"))
    c = assemble(scenario(series_file, network={"source": str(tmp_path / "net.json")}))
    assert c.units["name"].tolist() == ["G"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("net.json", None, "is missing"),
        ("net.json", "{broken", "pandapower can read"),
        ("net.json", '{"a": 1}', "pandapower can read"),
        ("net.xlsx", "not a workbook", "pandapower can read"),
        ("net.m", "mpc", "must be a file of type .json"),
    ],
)
def test_refuses_files_that_are_no_net(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=says):
        assemble(scenario(network={"source": str(tmp_path / name)}))


@pytest.mark.parametrize(("name", "says"), [("none.csv", "is missing"), ("series.mat", "must be of type")])
def test_refuses_files_that_are_no_series(tmp_path, name, says):
    with pytest.raises(InputError, match=says):
        assemble_net(scenario(tmp_path / name), tiny())
