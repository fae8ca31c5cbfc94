"""A net from a stranger is data: nothing in it is run."""

import contextlib
import json
import sys

import pandapower as pp
import pytest
from tiny_grid import tiny_grid

from gridsim.costs import read_costs
from gridsim.errors import InputError
from gridsim.inputs import read_net
from gridsim.networks.safe import net_of_text, only_data


def hostile(kind):
    """A JSON whose reading by pandapower alone imports `intruder`."""
    tree = json.loads(pp.to_json(tiny_grid()))
    planted = {"_module": "intruder", "_class": kind, "_object": "{}"}
    inside = {"_module": "numpy", "_class": "array", "_object": [planted]}
    tree["_object"]["extra"] = inside if kind == "nested" else planted
    return json.dumps(tree)


@pytest.fixture
def intruder(tmp_path, monkeypatch):
    """A module beside the user's files that says so when it is run."""
    (tmp_path / "intruder.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass X: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "intruder", raising=False)
    yield tmp_path / "ran"
    sys.modules.pop("intruder", None)


@pytest.mark.parametrize("kind", ["X", "function"])
def test_pandapower_alone_runs_it(intruder, kind):
    """Why `gridsim.networks.safe` is there. Where this fails, pandapower has closed the door itself."""
    with contextlib.suppress(Exception):
        pp.from_json_string(hostile(kind))
    assert intruder.exists()


@pytest.mark.parametrize("kind", ["X", "function", "nested"])
def test_a_net_that_names_other_modules_is_refused(intruder, tmp_path, kind):
    path = tmp_path / "net.json"
    path.write_text(hostile(kind))
    with pytest.raises(InputError, match="it names the module 'intruder', and only data is read"):
        read_net(path)
    with pytest.raises(ValueError, match="only data is read"):
        net_of_text(path.read_text())
    assert not intruder.exists()


def test_the_reader_is_as_before_afterwards():
    from pandapower import io_utils

    before = io_utils.importlib
    with only_data():
        assert io_utils.importlib is not before
    assert io_utils.importlib is before


def put(element, column, value):
    """A cell of the first row."""

    def spoil(net):
        net[element][column] = net[element][column].astype(object)
        net[element].at[0, column] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda net: net.__setitem__("res_trafo", 3.5), "res_trafo must be a table: got '3.5'"),
        (lambda net: net.gen.rename({1: "x"}, inplace=True), "gen must have whole numbers as its index: got 'x'"),
        (lambda net: net.gen.rename({1: 2**63}, inplace=True), "gen must have whole numbers up to"),
        (lambda net: net.bus.rename({1: 0}, inplace=True), "bus must have each number of its index once: 0 stands"),
        (put("line", "max_i_ka", []), r"line.max_i_ka must be a number, or empty: 1 of 5 is not \('\[\]'\)"),
        (put("gen", "max_p_mw", "1,5"), r"gen.max_p_mw must be a number, or empty: 1 of 3 is not \('1,5'\)"),
        (put("sgen", "in_service", "False"), r"sgen.in_service must be true or false, or empty: 1 of 3 is not"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, spoil, said):
    net = tiny_grid()
    spoil(net)
    path = tmp_path / "net.json"
    pp.to_json(net, str(path))
    with pytest.raises(InputError, match=said):
        read_net(path)


@pytest.mark.parametrize("value", ["", None, "120.5", float("nan")])
def test_empty_cells_and_numbers_as_texts_stay_allowed(tmp_path, value):
    net = tiny_grid()
    put("sgen", "max_q_mvar" if "max_q_mvar" in net.sgen else "sn_mva", value)(net)
    path = tmp_path / "net.json"
    pp.to_json(net, str(path))
    assert len(read_net(path).sgen) == 3


def test_a_table_of_costs_without_its_points_is_refused():
    net = tiny_grid()
    net.pwl_cost.drop(columns="points", inplace=True)
    problems = []
    read_costs(net, problems)
    assert len(problems) == len(net.pwl_cost)
    assert "must be a list of [from MW, to MW, cost per MWh]" in problems[0].rule
