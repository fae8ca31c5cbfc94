"""What changed between runs: amounts worked out by hand, notes, refusals, the picture."""

import json
import math
import shutil
from pathlib import Path
from unittest.mock import Mock

import h5py
import plotly.graph_objects as go
import pytest
from budget_grid import write_budget_grid
from chromium import opened
from click.testing import CliRunner
from matplotlib.image import imread
from pages import array, assert_said, filled, payload, specs, warning

from gridsim.cli import main
from gridsim.compare import Comparison, Row, compare, said
from gridsim.errors import InputError, IntegrityError
from gridsim.page import write_comparison
from gridsim.plots_compare import draw
from gridsim.simulate import simulate

GAS_DAY = {"name": "gas day", "fuels": ["gas"], "quantity": "energy", "period": "day", "penalty": 5000.0}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two days of 100 MW of coal and 50 of gas: as they are, with 900 MWh of gas a day, and with 840."""
    folder = tmp_path_factory.mktemp("runs")
    files = []
    for name, most in (("free", None), ("capped", 900.0), ("tight", 840.0)):
        budgets = [] if most is None else [GAS_DAY | {"at_most": most}]
        simulate(write_budget_grid(folder, *budgets, name=name), folder / f"{name}.h5")
        files.append(folder / f"{name}.h5")
    return files


def row(comparison: Comparison, section: str, name: str) -> Row:
    return next(r for r in comparison.rows if (r.section, r.name) == (section, name))


def test_changes_are_those_worked_out_by_hand(runs):
    """600 and 720 MWh of gas (400, 0.4 t) give way to the import (600, no CO2), which then sets the price."""
    found = compare(runs)
    assert [run.name for run in found.runs] == ["free", "capped", "tight"]
    assert not found.notes
    wanted = {
        ("energy", "gas"): (2.4, -0.6, -0.72),
        ("energy", "import"): (0.0, 0.6, 0.72),
        ("energy", "coal"): (4.8, 0.0, 0.0),
        ("cost", "total"): (2.4, 0.12, 0.144),
        ("carbon", "CO2"): (4.8 * 0.9 + 2.4 * 0.4, -0.24, -0.288),
        ("carbon by city", "A"): (4.8 * 0.9 + 2.4 * 0.4, -0.24, -0.288),
        ("carbon by month", "2024-01"): (4.8 * 0.9 + 2.4 * 0.4, -0.24, -0.288),
        ("price", "energy, by load"): (400.0, 200.0, 200.0),
        ("security of supply", "unserved"): (0.0, 0.0, 0.0),
    }
    for at, (first, *changes) in wanted.items():
        assert row(found, *at).values[0] == pytest.approx(first, abs=1e-4)
        assert row(found, *at).changes == pytest.approx(tuple(changes), abs=1e-4)
    used = row(found, "budgets", "gas day, used")
    assert math.isnan(used.values[0])  # the first run has no such budget
    assert used.changes == pytest.approx((1800.0, 1680.0), rel=1e-5)
    assert {r.name for r in found.of("energy")} == {"gas", "import"}


def test_parts_of_the_cost_and_of_curtailment_add_up(runs):
    found = compare(runs)
    for k in range(3):
        parts = [
            r.values[k] for r in found.rows if r.section == "cost" and r.name.split()[0] not in ("total", "proven")
        ]
        assert sum(parts) == pytest.approx(row(found, "cost", "total").values[k], rel=1e-9)
        causes = sum(r.values[k] for r in found.rows if r.section == "curtailment by cause")
        assert causes == pytest.approx(row(found, "curtailment", "all").values[k], abs=1e-9)


def test_the_same_run_twice_changes_nothing(runs):
    found = compare([runs[0], runs[0]])
    assert not any(r.changed for r in found.rows)
    assert [run.name for run in found.runs] == [str(runs[0])] * 2
    with pytest.raises(InputError, match="nothing changed"):
        draw(found, runs[0].with_suffix(".png"))


def test_other_hours_are_said(runs, tmp_path: Path):
    simulate(write_budget_grid(tmp_path, name="day", hours=24), tmp_path / "day.h5")
    simulate(write_budget_grid(tmp_path, name="later", start="2024-02-01"), tmp_path / "later.h5")
    found = compare([runs[0], tmp_path / "day.h5", tmp_path / "later.h5"])
    assert found.notes == (
        "hours simulated differ: 48 h in free, 24 h in day",
        "first hours differ: 2024-01-01T00 in free, 2024-02-01T00 in later",
        "not like with like: run all for the same hours (--start, --hours) to see what changes",
    )
    output = CliRunner().invoke(main, ["compare", str(runs[0]), str(tmp_path / "day.h5")]).output
    assert "note: hours simulated differ: 48 h in free, 24 h in day" in output


def test_what_cannot_be_compared_is_refused(runs, tmp_path: Path):
    other = tmp_path / "other.h5"
    shutil.copy(runs[0], other)
    with h5py.File(other, "r+") as file:
        file["meta"].attrs["currency"] = "EUR"
    with pytest.raises(InputError) as error:
        compare([runs[0], other])
    assert f"currency must be the same in all files: got {runs[0]} in CNY, {other} in EUR" in str(error.value)
    with pytest.raises(InputError, match="files must be two at least: got 1"):
        compare([runs[0]])
    (tmp_path / "x.h5").write_bytes(b"no run")
    with pytest.raises(IntegrityError):
        compare([runs[0], tmp_path / "x.h5"])
    assert CliRunner().invoke(main, ["compare", str(runs[0]), str(other)]).exit_code == 3


def test_command_prints_tables_and_json(runs):
    names = [str(path) for path in runs]
    result = CliRunner().invoke(main, ["compare", *names[:2]])
    assert result.exit_code == 0, result.output
    cells = next(line.split() for line in result.output.splitlines() if line.startswith(" gas "))
    assert cells == ["gas", "GWh", "2.400", "1.800", "-0.600"]
    assert "unserved" not in result.output
    assert "are the same in all runs" in result.output
    assert "unserved" in CliRunner().invoke(main, ["compare", *names, "--all"]).output
    tree = json.loads(CliRunner().invoke(main, ["compare", *names, "--json"]).output)
    assert [run["name"] for run in tree["runs"]] == ["free", "capped", "tight"]
    gas = next(r for r in tree["rows"] if (r["section"], r["name"]) == ("energy", "gas"))
    assert gas["unit"] == "GWh"
    assert gas["changes"] == pytest.approx([-0.6, -0.72], rel=1e-4)
    used = next(r for r in tree["rows"] if r["name"] == "gas day, used")
    assert used["values"][0] is None


@pytest.mark.parametrize("count", [2, 3])
def test_picture_is_drawn_the_same_way_every_time(runs, tmp_path, count):
    found = compare(runs[:count])
    first, again = (draw(found, tmp_path / f"{name}.png") for name in ("a", "b"))
    assert first.read_bytes() == again.read_bytes()
    picture = imread(first)
    assert picture.shape[1] > 1000
    assert picture.std() > 0.05
    with pytest.raises(InputError, match=r"ends in \.png"):
        draw(found, tmp_path / "a.pdf")


def test_command_draws_into_the_file_named(runs, monkeypatch):
    drawn = []
    monkeypatch.setattr("gridsim.plots_compare.draw", lambda found, path: drawn.append((len(found.runs), path)) or path)
    result = CliRunner().invoke(main, ["compare", *map(str, runs), "--json", "--png", "p.png"])
    assert drawn == [(3, Path("p.png"))]
    assert json.loads(result.stdout)["notes"] == []


def test_page_of_changes(runs, tmp_path):
    page = write_comparison(runs, tmp_path / "page.html")
    assert_said(page)
    content = payload(page)
    energy = next(c for c in content["charts"] if c["key"] == "by_energy")["options"][0]["whole"]["data"]
    assert [trace["name"] for trace in energy] == ["capped", "tight"]
    assert dict(zip(energy[1]["y"], energy[1]["x"], strict=True)) == pytest.approx(
        {"@tech.gas": -0.72, "@tech.import": 0.72}, rel=1e-4
    )
    # 600 and 720 MWh of gas less in two days, hour by hour
    for k, less in ((0, -600.0), (1, -720.0)):
        scale = 1.0 if array(content, f"change.{k}.gas.down").min() < -1.0 else 1e3
        assert scale * array(content, f"change.{k}.gas.down").sum() == pytest.approx(less, rel=1e-4)
        assert array(content, f"change.{k}.gas.up").sum() == pytest.approx(0.0, abs=1e-4)
    for spec in specs(content):
        go.Figure(filled(spec, content))
    table = content["tables"][0]
    assert len(table["columns"]) == 5
    assert len(table["rows"]) == len(compare(runs).rows)
    own = {row["words"][1][0] for row in table["rows"] if not row["words"][1][0].startswith("@")}
    assert own == {"A", "2024-01"}  # a zone of this grid and its month: all else has a text in Chinese
    assert write_comparison(runs, tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_page_of_changes_in_a_browser(runs, tmp_path):
    page = write_comparison(runs, tmp_path / "page.html", language="zh")
    content = payload(page)
    with opened(page.as_uri()) as (tab, complaints):
        for chart in content["charts"]:
            figure = tab.locator(f"#chart-{chart['key']}")
            figure.scroll_into_view_if_needed()
            figure.locator(".main-svg").first.wait_for()
        names = tab.locator("#table-numbers td:nth-child(2)").all_text_contents()
        assert "合计" in names
        tab.get_by_role("button", name="English").click()
        assert "total" in tab.locator("#table-numbers td:nth-child(2)").all_text_contents()
        tab.get_by_role("button", name="change: tight").click()
        shown = tab.locator("#table-numbers td:nth-child(8)").all_text_contents()
        numbers = [float(text.replace(",", "")) for text in shown if text != "–"]
        assert numbers == sorted(numbers, reverse=True)
        assert complaints == []


def test_page_of_other_hours_says_so_and_compares_sums_only(runs, tmp_path: Path):
    simulate(write_budget_grid(tmp_path, name="day", hours=24), tmp_path / "day.h5")
    page = write_comparison([runs[0], tmp_path / "day.h5"], tmp_path / "page.html")
    assert "not of the same hours" in warning(page)
    assert not {c["key"] for c in payload(page)["charts"]} & {"dispatch_change", "price_change"}


def test_page_of_runs_that_are_the_same_has_numbers_only(runs, tmp_path: Path):
    content = payload(write_comparison([runs[0], runs[0]], tmp_path / "page.html"))
    assert content["charts"] == []
    assert all(row["numbers"][2] == 0.0 for row in content["tables"][0]["rows"])


def test_command_writes_the_page(runs, monkeypatch):
    written = Mock(side_effect=lambda files, output, language: output)
    monkeypatch.setattr("gridsim.page.write_comparison", written)
    result = CliRunner().invoke(main, ["compare", *map(str, runs[:2]), "-o", "c.html", "--lang", "zh"])
    assert result.stdout.splitlines()[-1] == "page: c.html"
    written.assert_called_once_with(tuple(runs[:2]), Path("c.html"), language="zh")


def test_numbers_are_said_shortly():
    wanted = {0.0: "0", 1e-5: "0", 0.1234: "0.123", 12.345: "12.35", 1234.5: "1,234.5", 123456.7: "123,457", 3.0: "3"}
    assert {value: said(value) for value in wanted} == wanted
    assert said(2.5, "+") == "+2.500"
    assert said(math.nan) == "-"
    assert said(-0.5) == "-0.500"
