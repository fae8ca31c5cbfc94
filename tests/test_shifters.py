"""Phase shifters as controls, and the store columns of the same kind: least powers, inflow, cyclic end."""

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from tiny_grid import HOURS, tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.errors import InputError
from gridsim.shifters import read_shifters

T = np.arange(HOURS)


def note(case, element, index):
    (found,) = [n.why for n in case.notes if (n.element, n.index) == (element, index)]
    return found


def with_transformers(shift=(10.0, 0.0, 0.0)):
    net = tiny_grid()
    for k, degrees in enumerate(shift):
        pp.create_transformer_from_parameters(
            net, 1, 2, sn_mva=300, vn_hv_kv=220, vn_lv_kv=220, vkr_percent=0.3, vk_percent=12, pfe_kw=0, i0_percent=0,
            shift_degree=degrees, name=f"PST{k}",
        )  # fmt: skip
    net.trafo["shift_controllable"] = [True, False, True]
    net.trafo["shift_min_deg"], net.trafo["shift_max_deg"] = [-20.0, np.nan, -5.0], [30.0, np.nan, 5.0]
    return net


def refusals(tmp_path, net):
    with pytest.raises(InputError) as found:
        assemble(write_grid(tmp_path, net))
    return {problem.where: problem.rule for problem in found.value.problems}


def test_phase_shifters(tmp_path):
    c = assemble(write_grid(tmp_path, with_transformers()))
    assert c.shifters.columns.tolist() == ["name", "branch_row", "min_deg", "max_deg"]
    assert c.shifters["name"].tolist() == ["PST0", "PST2"]
    assert c.branches["name"].iloc[c.shifters["branch_row"]].tolist() == ["PST0", "PST2"]
    assert_allclose(c.branches["shift_deg"].iloc[c.shifters["branch_row"]], [10, 0])
    assert_allclose(c.shifters[["min_deg", "max_deg"]], [[-30, 20], [-5, 5]])
    assert c.shifters["branch_row"].dtype == np.int64
    assert note(c, "trafo", 0).endswith("; its shift is dispatched, -30 to +20 deg from the one it has")
    assert "control" not in note(c, "trafo", 1)


def test_limits_count_as_shift_degree_does(tmp_path):
    net = with_transformers()
    c = assemble(write_grid(tmp_path, net))
    net.trafo.loc[0, "shift_degree"] = 25.0  # 15 more than now
    moved = assemble(write_grid(tmp_path, net))
    row = c.shifters["branch_row"].iloc[0]
    assert moved.branches["shift_deg"].iloc[row] == pytest.approx(c.branches["shift_deg"].iloc[row] + 15.0)
    assert_allclose(moved.shifters[["min_deg", "max_deg"]].iloc[0], [-45, 5])


def test_no_shifters(tmp_path):
    c = assemble(write_grid(tmp_path, tiny_grid()))
    assert len(c.shifters) == 0
    assert c.shifters["branch_row"].dtype == np.int64
    frame, problems = read_shifters(with_transformers(), pd.DataFrame())
    assert (len(frame), problems) == (0, [])


def test_a_shifter_out_of_service_is_none(tmp_path):
    net = with_transformers()
    net.trafo.loc[0, ["in_service", "shift_max_deg"]] = [False, np.nan]
    assert assemble(write_grid(tmp_path, net)).shifters["name"].tolist() == ["PST2"]


@pytest.mark.parametrize(
    ("column", "value", "where", "says"),
    [
        ("shift_max_deg", -25.0, "shift_min_deg", "trafo 0 'PST0' has -20 to -25 deg"),
        ("shift_max_deg", np.nan, "shift_min_deg", "given with shift_max_deg on a phase shifter"),
        ("shift_max_deg", 9.0, "shift_degree", "trafo 0 'PST0' has 10 deg with -20 to 9 deg"),
        ("shift_max_deg", 400.0, "shift_max_deg", "must be from -360 to 360 deg"),
        ("shift_controllable", "yes", "shift_controllable", "must be True or False"),
    ],
)
def test_refuses_shifters(tmp_path, column, value, where, says):
    net = with_transformers()
    net.trafo[column] = net.trafo[column].astype(object)
    net.trafo.at[0, column] = value
    found = refusals(tmp_path, net)
    assert says in found[f"trafo.{where}"]


def test_stores_have_least_powers_inflow_and_units(tmp_path):
    net = tiny_grid()  # battery 40 MW, pumped 60 MW
    net.storage["units"] = [1, 4]
    net.storage["min_charge_mw"], net.storage["min_discharge_mw"] = [np.nan, 12.0], [0.0, 5.0]
    net.storage["inflow_profile"], net.storage["profile_share"] = ["", "inflow/A"], [1.0, 0.25]
    scenario = write_grid(tmp_path, net)
    inflow = add_series(tmp_path, "inflow/A [MW]", 20.0 + T)
    c = assemble(scenario)
    assert c.stores["p_charge_min_mw"].tolist() == [0, 12]
    assert c.stores["p_discharge_min_mw"].tolist() == [0, 5]
    assert c.stores["units"].tolist() == [1, 4]
    assert c.store_inflow_mw.shape == (c.hours, 2)
    assert_allclose(c.store_inflow_mw, np.outer(inflow[: c.hours], [0.0, 0.25]))
    said = note(c, "storage", 1)
    assert "a unit that charges does so with at least 12 MW" in said
    assert "inflow by profile 'inflow/A'" in said
    assert "at least" not in note(c, "storage", 0)
    c = assemble(scenario.model_copy(update={"scale": {"pumped_hydro": 2.0}}))
    assert c.stores["p_charge_min_mw"].tolist() == [0, 24]
    assert_allclose(c.store_inflow_mw[:, 1], 0.5 * inflow[: c.hours])


def test_a_cyclic_store_ends_where_it_starts(tmp_path):
    net = tiny_grid()
    net.storage["end_rule"] = ["fixed", "cyclic"]
    net.storage["e_end_mwh"] = [30.0, np.nan]
    c = assemble(write_grid(tmp_path, net))
    assert c.stores["end_rule"].tolist() == ["fixed", "cyclic"]
    assert c.stores["e_end_mwh"].tolist() == [30, 200]
    assert "at the end of the horizon as at its start" in note(c, "storage", 1)


@pytest.mark.parametrize(
    ("columns", "where", "says"),
    [
        ({"min_charge_mw": [0.0, 60.5]}, "min_charge_mw", "storage 1 'pumped' has 60.5 MW with at most 60 MW a unit"),
        (
            {"min_discharge_mw": [0.0, 16.0], "units": [1, 4]},
            "min_discharge_mw",
            "storage 1 'pumped' has 16 MW with at most 15 MW a unit",
        ),
        ({"min_charge_mw": [0.0, -1.0]}, "min_charge_mw", "0 MW or more"),
        (
            {"end_rule": ["cyclic", "free"], "e_end_mwh": [50.0, np.nan]},
            "e_end_mwh",
            "storage 0 'battery' has 50 MWh with a start of 40 MWh",
        ),
        ({"profile_share": [2.0, 1.0]}, "profile_share", "from 0 to 1"),
    ],
)
def test_refuses_stores(tmp_path, columns, where, says):
    net = tiny_grid()
    for name, values in columns.items():
        net.storage[name] = values
    found = refusals(tmp_path, net)
    assert list(found) == [f"storage.{where}"]
    assert says in found[f"storage.{where}"]


@pytest.mark.parametrize(
    ("header", "values", "share", "says"),
    [
        ("exchange/A [MW]", np.where(T == 2, -3.0, 200.0), 0.5, "must not be negative as an inflow (first at"),
        ("exchange/A", np.full(HOURS, 0.5), 0.5, "must be in MW as the inflow of storage 0 'battery'"),
        ("exchange/A [MW]", np.full(HOURS, 200.0), 0.6, "its shares on stores add up to 1.2"),
        ("other [MW]", np.full(HOURS, 200.0), 0.5, "is missing: storage 0 'battery' needs it"),
    ],
)
def test_refuses_inflows(tmp_path, header, values, share, says):
    net = tiny_grid()
    net.storage["inflow_profile"], net.storage["profile_share"] = "exchange/A", share
    scenario = write_grid(tmp_path, net)
    add_series(tmp_path, header, values)
    with pytest.raises(InputError) as found:
        assemble(scenario)
    assert {problem.where for problem in found.value.problems} == {"profile exchange/A"}
    assert says in found.value.problems[0].rule


def add_series(folder, header, values):
    frame = pd.read_csv(folder / "series.csv")
    frame[header] = values
    frame.to_csv(folder / "series.csv", index=False)
    return values
