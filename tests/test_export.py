"""`gridsim export`: what other tools read back is what is in the file, and pandapower finds the same flows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner
from test_links import lived, two_ends
from tiny_grid import run_audited, tiny_grid, write_grid

from gridsim import export_files
from gridsim.cli import main
from gridsim.errors import InputError, MissingPackageError
from gridsim.export import USUAL, export
from gridsim.export_net import dispatched
from gridsim.opened import Results, Selection
from gridsim.results import ResultsReader

ALL = Selection()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    net = tiny_grid(tight=True)
    net.load["q_mvar"] = 0.3 * net.load["p_mw"]
    path = folder / "run.h5"
    _, run = run_audited(write_grid(folder, net), path)
    run.close()
    return path


def raw(path: Path, name: str) -> np.ndarray:
    with ResultsReader(path) as reader:
        return reader.array(name)


def export_cli(*args: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["export", *map(str, args)])
    return done.exit_code, done.output


def test_csv_and_parquet_come_back(path, tmp_path):
    names = ("dispatch/unit_p_mw", "curtailment/cause_mw", "cost/total")
    for form, read in (("csv", lambda f: pd.read_csv(f, index_col=0, parse_dates=True)), ("parquet", pd.read_parquet)):
        made = export(path, form, tmp_path / form, variables=names, selection=ALL)
        assert [f.name for f in made] == ["variables.csv", *(f"{n.replace('/', '.')}.{form}" for n in names)]
        back = [read(f) for f in made[1:]]
        np.testing.assert_allclose(back[0].to_numpy(), raw(path, names[0]), rtol=0, atol=1e-12)
        assert list(back[0].columns) == ["G", "gas", "heat"]
        assert back[0].index[1] == pd.Timestamp("2024-01-01T01")
        cause = raw(path, names[1])
        np.testing.assert_allclose(back[1].to_numpy(), cause.reshape(len(cause), -1), rtol=0, atol=1e-12)
        assert back[1].columns[1] == "W | section"
        np.testing.assert_allclose(back[2]["total"].to_numpy(), raw(path, names[2]), rtol=1e-14)
    meaning = pd.read_csv(tmp_path / "csv" / "variables.csv", index_col=0)
    assert meaning.loc["cost/total", "units"] == "CNY"


def test_a_group_stands_for_all_of_it_and_a_part_is_that_part(path, tmp_path):
    part = Selection(elements=("battery",), start="2024-01-02", end="2024-01-02")
    made = export(path, "csv", tmp_path / "out", variables=("storage",), selection=part)
    assert {f.name for f in made} >= {"storage.charge_mw.csv", "storage.e_mwh.csv"}
    back = pd.read_csv(tmp_path / "out" / "storage.e_mwh.csv", index_col=0)
    np.testing.assert_allclose(back["battery"].to_numpy(), raw(path, "storage/e_mwh")[24:48, 0])


def test_a_city_narrows_what_has_cities_and_leaves_the_rest_of_the_group(path, tmp_path):
    made = export(path, "csv", tmp_path / "city", variables=("dispatch",), selection=Selection(zones=("C",)))
    tables = {f.name: pd.read_csv(f, index_col=0) for f in made[1:]}
    with ResultsReader(path) as reader:
        of_c = (reader.table("loads")["zone"] == "C").to_numpy()
    assert 0 < of_c.sum() < len(of_c)
    np.testing.assert_allclose(tables["dispatch.load_mw.csv"].to_numpy(), raw(path, "dispatch/load_mw")[:, of_c])
    assert tables["dispatch.tech_p_mw.csv"].shape == raw(path, "dispatch/tech_p_mw").shape  # has no cities


def test_netcdf_comes_back_with_labels(path, tmp_path):
    (made,) = export(path, "netcdf", tmp_path / "run.nc", selection=ALL)
    with xr.open_dataset(made, group="dispatch", engine="h5netcdf") as back:
        np.testing.assert_array_equal(back["unit_p_mw"].to_numpy(), raw(path, "dispatch/unit_p_mw"))
        assert back["unit_p_mw"].attrs["units"] == "MW"
        assert list(back["unit_tech"].to_numpy()) == ["coal", "gas", "coal"]
        assert pd.Timestamp(back["time"].to_numpy()[-1]) == pd.Timestamp("2024-01-03T00")
    with xr.open_dataset(made, group="price", engine="h5netcdf") as back:
        np.testing.assert_array_equal(back["zone_price"].to_numpy(), raw(path, "price/zone"))


def test_a_workbook_has_a_sheet_for_each(path, tmp_path):
    (made,) = export(path, "xlsx", tmp_path / "run.xlsx", variables=("price/zone", "flow"), selection=ALL)
    book = pd.read_excel(made, sheet_name=None, index_col=0)
    assert {"variables", "price.zone", "flow.branch_p_mw"} <= set(book)
    np.testing.assert_allclose(book["flow.branch_p_mw"].to_numpy(), raw(path, "flow/branch_p_mw"), atol=1e-9)


@pytest.mark.parametrize("hour", [5, 18, 40])
def test_pandapower_finds_the_flows_of_the_hour(path, hour):
    """Its DC power flow knows nothing of ours; the reference generator finds nothing left to do."""
    with Results(path) as run:
        net = dispatched(run, hour)
        pp.rundcpp(net)
        np.testing.assert_allclose(net.res_line["p_from_mw"], run.reader["flow/branch_p_mw"][hour], atol=1e-5)
        given = run.reader["dispatch/unit_p_mw"][hour]
        np.testing.assert_allclose(net.res_gen["p_mw"].fillna(0.0)[:3], given, atol=1e-3)
        served = run.reader["dispatch/load_mw"][hour] - run.reader["unserved/load_mw"][hour]
        np.testing.assert_allclose(net.load["q_mvar"], 0.3 * served, rtol=1e-9)
        pp.runpp(net)  # it is a net for AC as well
        assert net.converged


def test_a_link_that_loses_either_way_does_so_in_pandapower(tmp_path):
    """4 % of what is sent, by hand: 80 MW there arrive as 76.8 either way; 2 MW more are load."""
    net = two_ends()
    net.dcline["loss_mw"] = 2.0
    pp.create_line_from_parameters(
        net, 0, 1, 1.0, 0.0, 1.0, 0.0, 1e-3, name="thread"
    )  # so that there is a flow to find
    _, run = lived(tmp_path, net)
    run.close()
    with Results(tmp_path / "x.h5") as run:
        for hour, at_a, at_b in ((0, 80.0, -76.8), (3, -76.8, 80.0)):
            solved = dispatched(run, hour)
            pp.rundcpp(solved)
            assert solved.res_dcline.loc[0, "p_from_mw"] == pytest.approx(at_a, abs=2e-3)
            assert solved.res_dcline.loc[0, "p_to_mw"] == pytest.approx(at_b, abs=2e-3)
            assert solved.load["p_mw"].sum() == pytest.approx(202.0)
            np.testing.assert_allclose(solved.res_line["p_from_mw"], run.reader["flow/branch_p_mw"][hour], atol=1e-5)
            assert solved.ext_grid["in_service"].sum() == 1


def test_the_net_of_an_hour_is_a_file(path, tmp_path):
    out = tmp_path / "hour.json"
    code, text = export_cli(path, "--to", "pandapower", "--hour", "2024-01-01T18", "-o", out)
    assert (code, text.strip()) == (0, str(out))
    net = pp.from_json(str(out))
    np.testing.assert_allclose(
        net.storage["p_mw"], raw(path, "storage/charge_mw")[18] - raw(path, "storage/discharge_mw")[18]
    )
    code, text = export_cli(path, "--to", "pandapower", "-o", tmp_path / "b.json")
    assert code == 3
    assert "hour is missing" in text


def test_the_pypsa_folder_holds_the_grid(path, tmp_path):
    """As PyPSA reads it: flows follow from reactances and injections by its own formula."""
    export(path, "pypsa", tmp_path / "out", selection=ALL)

    def read(name: str) -> pd.DataFrame:
        return pd.read_csv(tmp_path / "out" / f"{name}.csv", index_col=0)

    lines, flow, buses = read("lines"), read("lines-p0").to_numpy(), list(read("buses").index)
    injected = np.zeros((len(flow), len(buses)))
    for table, series, sign in (("generators", "p", 1.0), ("loads", "p_set", -1.0), ("storage_units", "p", 1.0)):
        static, values = read(table), read(f"{table}-{series}")
        for name in static.index:
            injected[:, buses.index(static.loc[name, "bus"])] += sign * values[name]
    links, carried = read("links"), read("links-p0").to_numpy()
    for i, name in enumerate(links.index):
        injected[:, buses.index(links.loc[name, "bus0"])] -= carried[:, i]
        injected[:, buses.index(links.loc[name, "bus1"])] += carried[:, i] * links.loc[name, "efficiency"]
    incidence = np.zeros((len(lines), len(buses)))
    for i, name in enumerate(lines.index):
        incidence[i, buses.index(lines.loc[name, "bus0"])] += 1.0
        incidence[i, buses.index(lines.loc[name, "bus1"])] -= 1.0
    y = np.diag(220.0**2 / lines["x"].to_numpy())
    angle = injected @ np.linalg.pinv(incidence.T @ y @ incidence)
    np.testing.assert_allclose(angle @ incidence.T @ y, flow, atol=1e-3)
    assert np.abs(flow).max() > 10.0
    with pytest.raises(InputError, match="element, zone, tech must not be given: PyPSA gets the whole grid"):
        export(path, "pypsa", tmp_path / "b", selection=Selection(zones=("A",)))


def test_stores_of_the_pypsa_folder_begin_and_end_as_those_of_the_run(tmp_path):
    """One store is back where it began at the end of the run, one is not asked to be; a part begins as its hour did."""
    net = tiny_grid()
    assert len(net.storage) >= 2
    net.storage["end_rule"], net.storage["e_end_mwh"] = ["cyclic", *["free"] * (len(net.storage) - 1)], np.nan
    _, run = run_audited(write_grid(tmp_path, net), tmp_path / "run.h5")
    with run:
        start, held, names = run.table("stores")["e_start_mwh"], run["storage/e_mwh"][:], run.names("store")
    part = Selection(start="2024-01-01T05")
    for folder, selection, begin, cyclic in (("all", ALL, start, {names[0]}), ("part", part, held[4], set())):
        export(tmp_path / "run.h5", "pypsa", tmp_path / folder, selection=selection)
        made = pd.read_csv(tmp_path / folder / "storage_units.csv", index_col=0)
        np.testing.assert_allclose(made["state_of_charge_initial"], begin)
        assert set(made.index[made["cyclic_state_of_charge"]]) == cyclic


def test_places_that_are_taken(path, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(InputError, match="is not empty"):
        export(path, "csv", tmp_path / "full", selection=ALL)
    assert export(path, "csv", tmp_path / "full", selection=ALL, force=True)
    (tmp_path / "run.nc").touch()
    with pytest.raises(InputError, match="exists already"):
        export(path, "netcdf", tmp_path / "run.nc", selection=ALL)
    with pytest.raises(InputError, match="the folder is a file"):
        export(path, "csv", tmp_path / "run.nc", selection=ALL, force=True)


def test_what_is_wrong_is_refused_before_anything_is_written(path, tmp_path):
    code, text = export_cli(
        path, "--to", "csv", "-o", tmp_path / "out", "--zone", "B", "--element", "Gas", "--start", "x"
    )
    assert code == 3
    assert "3 problems" in text
    assert not (tmp_path / "out").exists()
    code, text = export_cli(path, "--to", "csv", "-o", tmp_path / "out", "--variable", "dispach", "--variable", "a/b")
    assert code == 3
    assert "2 problems" in text


def test_a_package_that_is_missing_is_named(path, tmp_path, monkeypatch):
    monkeypatch.setattr(export_files, "find_spec", lambda name: None)
    for form, package, extra in (("parquet", "pyarrow", "parquet"), ("xlsx", "openpyxl", "excel")):
        with pytest.raises(MissingPackageError, match=rf"needs {package}: pip install 'gridsim\[{extra}\]'"):
            export(path, form, tmp_path / form, selection=ALL)
        code, _ = export_cli(path, "--to", form, "-o", tmp_path / form)
        assert code == 2


def test_all_usual_variables_are_variables(path):
    with Results(path) as run:
        assert set(USUAL) <= set(run.variables.index)


def test_opening_a_file_needs_no_kernels():
    """A laptop without a compiler reads results at once."""
    code = "import sys, gridsim.opened, gridsim.explain, gridsim.export; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
