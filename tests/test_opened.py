"""`gridsim.open_results`: labels and units are those of the file, and every table is a sum of what is in it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_grid import run_audited, tiny_grid, write_grid

import gridsim
from gridsim.errors import InputError
from gridsim.opened import Results, Selection
from gridsim.results import ResultsReader


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opened")
    path = folder / "run.h5"
    net = tiny_grid(tight=True)
    net.sgen.loc[0, "max_p_mw"] = 320.0  # more wind than narrow lines take
    _, run = run_audited(write_grid(folder, net, load=0.7), path)
    run.close()
    return path


@pytest.fixture
def run(path):
    with gridsim.open_results(path) as run:
        yield run


def raw(path: Path, name: str) -> np.ndarray:
    with ResultsReader(path) as reader:
        return reader.array(name)


def test_arrays_carry_names_units_and_labels(run, path):
    array = run["dispatch/unit_p_mw"]
    assert array.dims == ("time", "unit")
    assert list(array["unit"].to_numpy()) == ["G", "gas", "heat"]
    assert list(array["tech"].to_numpy()) == ["coal", "gas", "coal"]
    assert list(array["zone"].to_numpy()) == ["A", "C", "C"]
    assert array.attrs["units"] == "MW"
    assert pd.Timestamp(array["time"].to_numpy()[25]) == pd.Timestamp("2024-01-02T01")
    np.testing.assert_array_equal(array.to_numpy(), raw(path, "dispatch/unit_p_mw"))
    coal = array.groupby("tech").sum().sel(tech="coal")
    np.testing.assert_allclose(coal.to_numpy(), raw(path, "dispatch/unit_p_mw")[:, [0, 2]].sum(axis=1))


def test_every_variable_opens_and_has_the_unit_of_the_list(run):
    for name, row in run.variables.iterrows():
        array = run[name]
        assert " x ".join(array.dims) == row["dims"], name
        assert array.attrs["units"] == row["units"], name
    assert run.variables.loc["cost/total", "units"] == "CNY"


def test_nothing_is_read_before_it_is_asked_for(run):
    array = run["dispatch/load_mw"]
    assert not array._in_memory
    assert array[:3].to_numpy().shape == (3, 3)


def test_a_part_is_that_part(run, path):
    part = run.select(
        "dispatch/unit_p_mw", Selection(zones=("C",), techs=("coal",), start="2024-01-02T03", end="2024-01-02T05")
    )
    np.testing.assert_array_equal(part.to_numpy(), raw(path, "dispatch/unit_p_mw")[27:30, [2]])
    day = run.select("price/zone", Selection(start="2024-01-02", end="2024-01-02", elements=("A",)))
    np.testing.assert_array_equal(day.to_numpy(), raw(path, "price/zone")[24:48, [0]])
    moment = pd.Timestamp("2024-01-02T03")
    hour = run.select("price/energy", Selection(start=moment, end=moment.to_datetime64()))
    np.testing.assert_array_equal(hour.to_numpy(), raw(path, "price/energy")[27:28])


def test_all_that_is_wrong_with_a_selection_is_said_at_once(run):
    with pytest.raises(InputError) as error:
        run.select("dispatch/unit_p_mw", Selection(("gass",), ("D",), ("gas",), "2024-13", "2023-01"))
    text = str(error.value)
    assert "3 problems" in text
    assert "element 'gass' is in none of the variables; close to it: gas" in text
    assert "zone 'D'" in text
    assert "start must be a time such as" in text
    with pytest.raises(InputError, match="hold no step of the run, which goes from 2024-01-01"):
        run.select("price/zone", Selection(end="2023-12-31"))
    with pytest.raises(InputError, match=r"variable dispatch/unit_p is not in the file; .*dispatch/unit_p_mw"):
        _ = run["dispatch/unit_p"]


def test_tables_are_sums_of_what_is_in_the_file(run, path):
    tech = raw(path, "dispatch/tech_p_mw")
    np.testing.assert_allclose(run.energy().to_numpy(), tech.sum(axis=0) / 1e6)
    assert run.energy().attrs["units"] == "TWh"
    by_day = run.energy("D")
    assert len(by_day) == 3
    np.testing.assert_allclose(by_day.to_numpy()[2], tech[48:].sum(axis=0) / 1e6)
    lost = raw(path, "curtailment/cause_mw")
    np.testing.assert_allclose(run.curtailment().to_numpy(), lost.sum(axis=(0, 1)))
    for by in ("tech", "zone", "source"):
        assert run.curtailment(by).sum() == pytest.approx(lost.sum())
    assert lost.sum() > 1.0
    both = run.regulation(None)
    net = both["up"] + both["down"]
    np.testing.assert_allclose(net.to_numpy(), raw(path, "peak_shaving/regulation_mw").sum(axis=0), atol=1e-6)
    np.testing.assert_allclose(run.prices().to_numpy(), raw(path, "price/zone").mean(axis=0))
    assert run.starts().sum() == raw(path, "commitment/start").sum()
    np.testing.assert_allclose(run.carbon().to_numpy(), raw(path, "carbon/zone_load_t").sum(axis=0))
    costs = run.costs()
    assert costs.drop("total").sum() == pytest.approx(costs["total"])
    assert costs["total"] == pytest.approx(run.summary["total_cost"])


def test_loading_counts_the_hours_near_the_rating(run, path):
    flow, found = raw(path, "flow/branch_p_mw"), run.loading(0.5)
    with ResultsReader(path) as reader:
        rating = reader.table("branches")["rating_mw"].to_numpy()
    share = np.abs(flow) / rating
    for i, name in enumerate(("L0", "L1", "L2", "L3", "L4")):
        assert found.loc[name, "hours"] == (share[:, i] >= 0.5 - 1e-9).sum()
        assert found.loc[name, "worst"] == pytest.approx(share[:, i].max())
    assert found["hours"].is_monotonic_decreasing


def test_the_balance_of_an_hour_adds_up(run, path):
    hour = run.balance("2024-01-01T18", "2024-01-01T18").iloc[0]
    link = raw(path, "dispatch/link_p_mw")
    assert link.any()  # it carries and loses nothing
    given = hour.drop(["load", "unserved", "curtailed", "price"]).sum()
    assert given == pytest.approx(hour["load"] - hour["unserved"], abs=1e-3)


def test_cycles_of_a_store_by_hand(run, path):
    found = run.stores().loc["battery"]
    given = raw(path, "storage/discharge_mw")[:, 0].sum()
    assert found["discharged_mwh"] == pytest.approx(given)
    assert found["cycles"] == pytest.approx(given / 0.95 / (80.0 - 8.0))


def test_another_quantity_is_refused(run):
    with pytest.raises(InputError, match="by must be cause, tech, zone or source: 'city'"):
        run.curtailment("city")
    with pytest.raises(InputError, match="table plants is none of buses"):
        run.table("plants")


def test_it_says_what_it_is(path):
    with Results(path) as run:
        assert repr(run) == f"<gridsim results tiny: 49 steps from 2024-01-01 00:00:00, {path}>"
