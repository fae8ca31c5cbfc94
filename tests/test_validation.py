"""The page that compares the built-in year with published figures, and the tool that writes its table."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from gridsim.errors import InputError
from gridsim.results import ResultsReader

sys.path.insert(0, str(Path(__file__).parent))
from tiny_results import write_tiny

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")


def load_tool():
    """`tools/` is no package: load the file by its path."""
    spec = importlib.util.spec_from_file_location("validation", ROOT / "tools" / "validation.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["validation"] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()
FIGURES = tool.read_published()


def figure(**changes):
    return FIGURES[0]._replace(**changes)


def test_every_figure_has_source_year_and_trust():
    assert [f.key for f in FIGURES] == list(tool.MODEL)
    for f in FIGURES:
        assert f.low <= f.high, f.key
        assert f.source.startswith("http") or f.trust != "sourced", f.key


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.key)
def test_the_page_shows_the_figures_of_the_table(figure):
    """As written by the tool: same published value, same explanation."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith("|") and f"| {figure.quantity}" in line]
    assert f"| {figure.published()} ({figure.year}) |" in line
    assert figure.why in line
    assert figure.source in line or figure.source == "background"


@pytest.mark.parametrize(
    ("low", "high", "digits", "model", "published", "difference"),
    [
        (848.7, 848.7, 1, 848.74, "848.7", "none"),
        (35.2, 35.2, 1, 33.44, "35.2", "-5.0 %"),
        (2000.0, 2500.0, 0, 2600.0, "2,000 to 2,500", "+4.0 %"),
        (2000.0, 2500.0, 0, 2500.4, "2,000 to 2,500", "within"),
        (0.0, 0.0, 2, 46.7, "0.00", "+46.70 GWh"),
    ],
)
def test_differences(low, high, digits, model, published, difference):
    one = figure(low=low, high=high, digits=digits, unit="GWh")
    assert one.published() == published
    assert one.difference(model) == difference


def test_only_what_is_between_the_markers_changes():
    page = f"before\n{tool.BEGIN}\nold\n{tool.END}\nafter"
    assert tool.rewritten(page, "new") == f"before\n{tool.BEGIN}\n\nnew\n\n{tool.END}\nafter"
    assert tool.rewritten(tool.rewritten(page, "new"), "new") == tool.rewritten(page, "new")
    for bad in ("no markers", page + tool.BEGIN, f"{tool.END}{tool.BEGIN}"):
        with pytest.raises(InputError, match="markers"):
            tool.rewritten(bad, "new")


def test_incomplete_rows_are_refused(tmp_path):
    lines = tool.PUBLISHED.read_text(encoding="utf-8").splitlines()
    path = tmp_path / "published.csv"
    path.write_text("\n".join([lines[0], *(line.replace("sourced", "rumour") for line in lines[2:])]), encoding="utf-8")
    with pytest.raises(InputError) as error:
        tool.read_published(path)
    assert any("consumption'" in str(problem) for problem in error.value.problems)
    assert any("trust must be" in str(problem) for problem in error.value.problems)


def test_a_run_that_is_no_year_is_refused(tmp_path, capsys):
    path = write_tiny(tmp_path / "tiny.h5")
    with ResultsReader(path) as run, pytest.raises(InputError, match="whole year"):
        tool.Year(run)
    assert tool.main([str(path)]) == 1
    assert "whole year" in capsys.readouterr().err


def test_carbon_counts_what_comes_in_and_not_what_goes_out():
    """Two hours by hand: (own 60 t + 10 t at the origin of what came in) / (load 100 + out 10)."""
    year = tool.Year.__new__(tool.Year)
    given = {"carbon/tech_t": np.array([[40.0], [20.0]]), "carbon/origin_t": np.array([7.0, 3.0])}
    year.run = SimpleNamespace(path="x.h5", array=given.__getitem__)
    year.load_mw = pd.Series([60.0, 40.0])
    year.tie_mw = pd.DataFrame({"import Yanhuai": [10.0, 0.0], "exchange Shanghai": [-10.0, 0.0]})
    assert tool._co2(year) == pytest.approx(70.0 / 110.0)
