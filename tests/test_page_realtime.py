"""The page of a run whose hours came otherwise than planned, and in which something failed."""

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import plotly.graph_objects as go
import pytest
from chromium import opened
from click.testing import CliRunner
from pages import array, assert_said, filled, payload, specs
from tiny_grid import HOURS, run_audited, tiny_grid, write_grid

from gridsim.cli import main
from gridsim.incidents import log
from gridsim.otherwise import Otherwise
from gridsim.page import write_page
from gridsim.page.cards import cards
from gridsim.results import ResultsReader
from gridsim.simulate import simulate

OUTAGES = [
    {"start": "2024-01-01T16:00", "hours": 8, "names": ["G"], "share": 0.6, "kind": "fire"},
    {"start": "2024-01-01T18:00", "hours": 20, "names": ["L0", "L1"], "kind": "storm"},
    {"start": "2024-01-03T06:00", "hours": 3, "names": ["DC"]},
    {"start": "2024-01-03T07:00", "hours": 6, "names": ["battery"]},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    scenario = write_grid(
        folder, tiny_grid(), load=1.25, horizon={"hours": HOURS}, outage=OUTAGES,
        realtime={"forecast": "errors", "lead_h": 6},
    )  # fmt: skip
    run_audited(scenario, folder / "run.h5")[1].close()
    return folder / "run.h5"


@pytest.fixture(scope="module")
def made(run: Path) -> Path:
    return write_page(run, run.with_suffix(".html"))


def chart(content: dict[str, Any], key: str) -> dict[str, Any]:
    return next(one for one in content["charts"] if one["key"] == key)


def table(content: dict[str, Any], key: str) -> dict[str, Any]:
    return next(one for one in content["tables"] if one["key"] == key)


def test_all_is_said_and_plotly_accepts_it(made: Path) -> None:
    content = payload(made)
    keys = {one["key"] for one in content["charts"]}
    assert keys >= {"forecast", "forecast_ahead", "forecast_duration", "moved", "moved_total", "reserve_heat"}
    assert keys >= {"uncertainty", "outage_timeline", "outage_capacity", "shed", "recovery"}
    assert_said(made)
    for spec in specs(content):
        if "lines" not in spec:
            go.Figure(filled(spec, content))


def test_numbers_are_those_of_the_file(run: Path, made: Path) -> None:
    content = payload(made)
    with ResultsReader(run) as results:
        what, summary, found = Otherwise(results), results.summary, log(results)
        believed, came, beyond, coal_moved = what.believed["load"], what.came["load"], what.beyond, what.moved["coal"]
    np.testing.assert_allclose(array(content, "believed.load"), believed, rtol=1e-6)
    np.testing.assert_allclose(array(content, "came.net") - array(content, "believed.net"), beyond, atol=1e-3)
    ways = [array(content, f"moved.coal.{way}") for way in ("up", "down")]
    np.testing.assert_allclose(ways[0] + ways[1], coal_moved, atol=1e-3)
    ahead = chart(content, "forecast_ahead")["options"][0]["whole"]["data"][1]
    off = came - believed
    assert ahead["x"] == list(range(7, 31))  # made six hours before, for the 24 hours of a day
    assert ahead["y"] == pytest.approx(np.sqrt((off.reshape(-1, 24) ** 2).mean(axis=0)), abs=1e-3)
    rows = {row["words"][0][0]: row["numbers"] for row in table(content, "planned_cost")["rows"]}
    scale = 1.0 if summary["total_cost"] < 2e6 else 1e6
    assert rows["@cost.total"][:2] == pytest.approx(
        [summary["planned_cost"] / scale, summary["total_cost"] / scale], rel=1e-4
    )
    assert rows["@cost.uncertainty"][2] == pytest.approx(summary["uncertainty_cost"] / scale, rel=1e-3)
    worst = table(content, "incidents")["rows"][0]
    assert worst["numbers"][1] == pytest.approx(max(one.unserved_mwh for one in found.incidents), abs=0.01)
    assert worst["words"][0][:2] == ["G", "L0"]
    bars = chart(content, "outage_timeline")["options"][0]["whole"]["data"]
    assert sorted(name for trace in bars for name, *_ in trace["customdata"]) == ["DC", "G", "L0", "battery"]
    coal = array(content, "out.coal")
    assert np.flatnonzero(coal).tolist() == list(range(16, 24))
    assert set(coal[16:24]) == {200.0}
    stayed = [row["words"][0] for row in table(content, "outages")["rows"] if row["words"][1] == ["@outage.stays"]]
    assert stayed == [["L1"]]
    assert {card.key for card in cards(summary)} >= {"uncertainty", "store_share", "curtailed_extra"}


def test_a_run_that_foresaw_everything_has_neither_section(tmp_path: Path) -> None:
    run_audited(write_grid(tmp_path, tiny_grid()), tmp_path / "run.h5")[1].close()
    text = write_page(tmp_path / "run.h5", tmp_path / "run.html").read_text("utf-8")
    assert 'id="realtime"' not in text
    assert 'id="incidents"' not in text
    assert 'id="card-uncertainty"' not in text


def test_failures_alone_have_no_forecast_to_show(tmp_path: Path) -> None:
    """Of half hours, in a file that keeps what cannot be recomputed."""
    scenario = write_grid(
        tmp_path, tiny_grid(), horizon={"hours": 30, "resolution_min": 30}, outage=OUTAGES[:1],
        output={"keep": "standard"},
    )  # fmt: skip
    simulate(scenario, tmp_path / "run.h5")
    keys = {one["key"] for one in payload(write_page(tmp_path / "run.h5", tmp_path / "run.html"))["charts"]}
    assert keys >= {"moved", "uncertainty", "outage_timeline"}
    assert not keys & {"forecast", "forecast_ahead", "forecast_duration"}


def test_a_file_that_does_not_say_what_was_expected_is_shown_without_it(run: Path, tmp_path: Path) -> None:
    """Files of before `realtime/planned_cost`: all else is what it was."""
    path = tmp_path / "run.h5"
    shutil.copy(run, path)
    with h5py.File(path, "r+") as file:
        del file["realtime/planned_cost"], file["expected"]
    with ResultsReader(run) as whole, ResultsReader(path) as results:
        before, summary = whole.summary, results.summary
    told = {"planned_cost", "uncertainty_cost", "uncertainty_cost_by_part", "redispatch_store_share"}
    assert before.keys() - summary.keys() == told
    moved = before["redispatch_mwh"]
    assert summary["redispatch_mwh"] == {who: mwh for who, mwh in moved.items() if who != "unserved"}
    assert moved["unserved"] > 1.0
    kept = before.keys() - told - {"redispatch_mwh", "file_mb"}
    assert {key: summary[key] for key in kept} == {key: before[key] for key in kept}
    for command in (["show"], ["audit"], ["report", "-o", str(tmp_path / "run.html")]):
        done = CliRunner().invoke(main, [command[0], str(path), *command[1:]])
        assert done.exit_code == 0, done.output
        assert ("curtailment beyond it" in done.output) == (command == ["show"])
        assert "uncertainty" not in done.output
    content = payload(tmp_path / "run.html")
    assert_said(tmp_path / "run.html")
    keys = {one["key"] for one in content["charts"]}
    assert keys >= {"forecast", "moved", "moved_total", "reserve_heat", "shed"}
    assert "uncertainty" not in keys
    assert "planned_cost" not in {one["key"] for one in content["tables"]}
    shown = {card.key for card in cards(summary)}
    assert "curtailed_extra" in shown
    assert not shown & {"uncertainty", "store_share"}


def test_sections_are_drawn_in_both_languages(run: Path, made: Path) -> None:
    content = payload(made)
    with ResultsReader(run) as results:
        found = log(results)
    hours = {h for one in found.incidents for h in range(one.first, one.first + round(one.recovery_h))}
    drawn = "key => document.querySelector(`#chart-${key} .plot`).data.map(t => [t.name, Array.from(t.y ?? [])])"
    with opened(made.as_uri()) as (page, complaints):
        for key in ("dispatch", "forecast", "moved", "reserve_heat", "uncertainty", "outage_timeline", "shed"):
            figure = page.locator(f"#chart-{key}")
            figure.scroll_into_view_if_needed()
            figure.locator(".main-svg").first.wait_for()
        marks = dict(page.evaluate(drawn, "dispatch"))
        assert len(marks["load"]) == HOURS + 1
        assert len(marks["supply short"]) == HOURS  # a mark stands for its hour
        assert {h for h, y in enumerate(marks["supply short"]) if y is not None and np.isfinite(y)} == hours
        forecast = page.locator("#chart-forecast")
        forecast.locator("select").select_option(label="wind")
        forecast.get_by_role("button", name="day", exact=True).click()
        assert len(dict(page.evaluate(drawn, "forecast"))["forecast"]) == 25
        titles = page.locator("#realtime h3, #incidents h3, #table-incidents th").all_text_contents()
        page.locator("#table-incidents").get_by_role("button", name="shed, MWh").click()
        column = [
            float(text.replace(",", ""))
            for text in page.locator("#table-incidents td:nth-child(6)").all_text_contents()
        ]
        assert column == sorted(column, reverse=True)
        page.get_by_role("button", name="中文").click()
        other = page.locator("#realtime h3, #incidents h3, #table-incidents th").all_text_contents()
        assert len(titles) == len(other)
        assert not set(titles) & set(other)
        assert "供电不足" in dict(page.evaluate(drawn, "dispatch"))
        assert complaints == []
    assert {one["key"] for one in content["tables"]} >= {"planned_cost", "incidents", "outages"}
