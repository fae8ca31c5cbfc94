"""tools/findings.py: its tables say what the results files say."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_grid import run_audited, tiny_grid, write_grid

from gridsim.errors import InputError
from gridsim.results import ResultsReader

TOOL = Path(__file__).resolve().parents[1] / "tools" / "findings.py"


@pytest.fixture(scope="module")
def findings():
    spec = importlib.util.spec_from_file_location("findings", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A base, and the same with a tenth more load."""
    out = []
    for name, load in (("base", 1.0), ("more", 1.1)):
        folder = tmp_path_factory.mktemp(name)
        scenario = write_grid(folder, tiny_grid(), load=load, name=name)
        out.append((folder / "run.h5", run_audited(scenario, folder / "run.h5")[0]))
    return out


def cells(page, name):
    """The numbers of the line of a table that begins with `name`."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
    return [float(cell.replace(",", "")) for cell in line.split("|")[3:-1]]


def weighted_price(path):
    with ResultsReader(path) as run:
        return float(np.average(run.array("price/energy"), weights=run.array("dispatch/load_mw").sum(axis=1)))


def test_tables_hold_what_the_files_say(findings, runs, tmp_path):
    page = tmp_path / "findings.md"
    page.write_text(findings.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    paths = [str(path) for path, _ in runs]
    command = ["--page", str(page), "--runs", *paths, "--base", paths[0], "--overlays", paths[1]]
    assert findings.main(command) == 0
    text = page.read_text(encoding="utf-8")
    assert cells(text, "highest load") == [round(s["peak_load_mw"] / 1e3, 1) for _, s in runs]
    assert cells(text, "gap of a window, worst") == [round(100 * s["gap_max"], 3) for _, s in runs]
    assert cells(text, "curtailed") == [round(s["curtailment_mwh"] / 1e3) for _, s in runs]
    change = next(line for line in text.splitlines() if line.startswith("| more |"))
    prices = [weighted_price(path) for path, _ in runs]
    assert prices[1] > prices[0] + 0.1
    assert float(change.split("|")[-2]) == round(prices[1] - prices[0], 1)
    before = text
    assert findings.main(command) == 0
    assert page.read_text(encoding="utf-8") == before  # written again, the same


def test_a_page_without_its_markers_is_left_alone(findings):
    with pytest.raises(InputError, match="markers"):
        findings.rewritten("no markers", "energy", "x")
