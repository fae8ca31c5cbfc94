"""The explorer of a results file: what it offers, the CSV it gives, and that it serves this machine alone."""

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from chromium import opened
from click.testing import CliRunner
from tiny_grid import HOURS, tiny_grid, write_grid

from gridsim.cli import main
from gridsim.errors import InputError, MissingPackageError
from gridsim.export import as_csv, as_table
from gridsim.opened import Results, Selection
from gridsim.simulate import simulate

pytest.importorskip("dash")
from gridsim.view.app import MOST_LINES, figure_of, first_week, make_app, offered, said_of, selection_of
from gridsim.view.server import make_server, serve


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("view")
    simulate(write_grid(folder, tiny_grid(), horizon={"hours": HOURS}), folder / "run.h5")
    return folder / "run.h5"


@pytest.fixture
def run(path: Path) -> Iterator[Results]:
    with Results(path) as results:
        yield results


@pytest.fixture
def port(run: Results) -> Iterator[int]:
    server = make_server(run, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_offered_is_what_the_variable_has(run: Results):
    assert offered(run, "dispatch/unit_p_mw") == {
        "zones": ["A", "C"], "techs": ["coal", "gas"], "elements": ["G", "gas", "heat"]
    }  # fmt: skip
    both = offered(run, "curtailment/cause_mw")["elements"]
    assert both[:3] == ["W", "PV", "X"]
    assert both[-1] == "economic"
    assert offered(run, "price/energy") == {"zones": [], "techs": [], "elements": []}


def test_a_year_opens_on_its_first_week():
    year = pd.date_range("2024-01-01", periods=8784, freq="h")
    assert first_week(year) == ("2024-01-01T00", "2024-01-07T23")
    assert first_week(year[:168]) == ("", "")


def test_every_variable_can_be_shown(run: Results):
    make_app(run)
    for variable in run.variables.index:
        if 0 not in run.reader[variable].shape:
            frame = as_table(run, variable, Selection())
            figure = figure_of(frame, "MW")
            assert 1 <= len(figure.data) <= MOST_LINES, variable
            assert said_of(run, variable, frame).startswith(run.variables.loc[variable, "long_name"])


def test_the_largest_lines_are_drawn_in_their_order():
    frame = pd.DataFrame(np.arange(40.0)[None, :] * [[1.0], [1.0]], columns=[f"c{k}" for k in range(40)])
    assert [trace.name for trace in figure_of(frame, "MW").data] == [f"c{k}" for k in range(40 - MOST_LINES, 40)]


def test_csv_is_that_of_the_file(path: Path, run: Results):
    selection = selection_of(["gas"], [], None, "2024-01-02", " 2024-01-02T05 ")
    frame = pd.read_csv(
        io.StringIO(as_csv(run, "dispatch/unit_p_mw", selection)), index_col=0, float_precision="round_trip"
    )
    with h5py.File(path) as file:
        np.testing.assert_array_equal(frame["gas"], file["dispatch/unit_p_mw"][24:30, 1])
    assert list(frame.columns) == ["gas"]
    assert list(frame.index[[0, -1]]) == ["2024-01-02T00:00", "2024-01-02T05:00"]


def test_strangers_get_nothing(port: int):
    for host, status in ((f"127.0.0.1:{port}", 200), (f"localhost:{port}", 200), ("example.org", 403)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/", headers={"Host": host})
        assert connection.getresponse().status == status
        connection.close()


def test_it_listens_on_this_machine_alone(run: Results):
    server = make_server(run, 0)
    assert server.socket.getsockname()[0] == "127.0.0.1"
    server.server_close()


def test_a_port_that_is_taken_and_a_package_that_is_missing(run: Results, path: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="--port must be one that is free"):
            make_server(run, taken.getsockname()[1])
    monkeypatch.setattr("gridsim.export_files.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"view needs dash: pip install 'gridsim\[view\]'"):
        serve(path)
    assert CliRunner().invoke(main, ["view", str(path)]).exit_code == 2


def test_in_a_browser(path: Path, port: int):
    before = path.read_bytes()
    with opened(f"http://127.0.0.1:{port}/") as (page, complaints):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        lines = "document.querySelector('#chart .js-plotly-plot')?.data.map(t => t.name)"
        page.wait_for_function(f"{lines}?.includes('coal')")

        page.locator("#variable").click()
        page.locator(".dash-dropdown-search").fill("source_available_mw")
        # a click on a list that is still being cut down may be lost
        page.wait_for_function("document.querySelectorAll('.dash-options-list-option').length === 1")
        page.locator(".dash-options-list-option").click()
        page.wait_for_function(f"{lines}.includes('W')")
        page.locator("#start").fill("2024-01-03")
        page.locator("#start").press("Enter")
        page.locator("#end").fill("2024-01-04T11")
        page.locator("#end").press("Enter")
        page.get_by_text("36 x 3 values").wait_for()
        with page.expect_download() as download:
            page.locator("#csv").click()
        assert download.value.suggested_filename == "run.dispatch.source_available_mw.csv"
        frame = pd.read_csv(download.value.path(), index_col=0, float_precision="round_trip")
        with h5py.File(path) as file:
            np.testing.assert_array_equal(frame, file["dispatch/source_available_mw"][48:84])

        page.locator("#end").fill("soon")
        page.locator("#end").press("Enter")
        page.get_by_text("end must be a time such as").wait_for()
        assert all(url.startswith((f"http://127.0.0.1:{port}/", "data:", "blob:")) for url in asked)
        assert complaints == []
    assert path.read_bytes() == before
