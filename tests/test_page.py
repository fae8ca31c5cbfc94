"""The page of a run: specifications that plotly accepts, arrays of the file, two languages, no network."""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import plotly.graph_objects as go
import pytest
from chromium import opened
from pages import array, assert_said, filled, payload, specs
from tiny_results import write_tiny

from gridsim.errors import InputError, ResourceError
from gridsim.page import write_page
from gridsim.page.cards import cards
from gridsim.page.parts import named
from gridsim.page.words import WORDS
from gridsim.results import ResultsReader
from gridsim.scenario import builtin_names, load

HOURS = 240


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("page") / "run.h5", hours=HOURS, start="2024-04-20T05")


@pytest.fixture(scope="module")
def made(run: Path) -> Path:
    return write_page(run, run.with_suffix(".html"))


def test_every_text_is_said_in_both_languages(made: Path):
    for key, texts in WORDS.items():
        assert len(texts) == 2, key
        assert all(text.strip() for text in texts), key
        fields = [sorted(re.findall(r"\{(\w+)\}", text)) for text in texts]
        assert fields[0] == fields[1], key
    assert_said(made)


def test_plotly_accepts_every_specification(made: Path):
    content = payload(made)
    assert len(specs(content)) > 5
    for spec in specs(content):
        if "lines" in spec:  # the map: drawn by code of its own
            continue
        go.Figure(filled(spec, content))  # refuses unknown names and values


def test_arrays_are_those_of_the_file(run: Path, made: Path):
    content = payload(made)
    with h5py.File(run) as file:
        load = file["dispatch/load_mw"][...].sum(axis=1)
        curtailed = file["curtailment/source_mw"][...].sum(axis=1)
    np.testing.assert_allclose(array(content, "load"), load, rtol=1e-6)
    np.testing.assert_allclose(array(content, "curtailed"), np.where(curtailed < 0.1, 0.0, curtailed), rtol=1e-6)
    days = array(content, "load.daily")  # the run begins at 5 o'clock
    assert len(days) == 11
    np.testing.assert_allclose([days[0], days[1], days[-1]], [load[:19].mean(), load[19:43].mean(), load[-5:].mean()])
    assert content["time"] == {"start": "2024-04-20T05:00:00Z", "hours": HOURS}


def test_map_is_that_of_the_flows(run: Path, made: Path):
    content = payload(made)
    spec = next(chart for chart in content["charts"] if chart["key"] == "map")["options"][0]["whole"]
    with ResultsReader(run) as results:
        flow, link = results.array("flow/branch_p_mw"), results.array("dispatch/link_p_mw")
        rating = np.append(results.table("branches")["rating_mw"], 40.0)
    assert [line["name"] for line in spec["lines"]] == ["line 0", "line 1", "line 2", "link"]
    loading = array(content, "map.loading").reshape(HOURS, 4)
    percent = 100.0 * np.hstack([flow, link]) / rating
    np.testing.assert_allclose(loading, np.clip(percent, -127.0, 127.0), atol=0.5)
    # buses 0 and 1 are north, bus 2 is south: lines 1 and 2 and the link lead from north to south
    balance = array(content, "map.balance").reshape(HOURS, 2)
    np.testing.assert_allclose(balance[:, 0], flow[:, 1] + flow[:, 2] + link[:, 0], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(balance[:, 1], -balance[:, 0])


def test_a_large_network_is_shown_in_fewer_hours(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gridsim.page.network.MOST_BYTES", 4 * HOURS // 3)
    content = payload(write_page(run, tmp_path / "large.html"))
    assert next(c for c in content["charts"] if c["key"] == "map")["options"][0]["whole"]["every"] == 3
    assert len(array(content, "map.loading")) == 4 * HOURS // 3


def test_the_page_needs_no_network_and_is_the_same_every_time(run: Path, made: Path, tmp_path: Path):
    text = made.read_text("utf-8")
    own = re.sub(r"<script>.*?plotly\.js v.*?</script>", "", text, flags=re.S)
    assert len(text) - len(own) > 1e6
    assert not re.search(r"https?://|src=|@import|url\(", own)
    assert write_page(run, tmp_path / "again.html").read_bytes() == made.read_bytes()


def test_cards_say_the_summary(run: Path):
    with ResultsReader(run) as results:
        summary = results.summary
    shown = {card.key: card for card in cards(summary | {"peak_load_mw": 123_456.0, "total_cost": 2.5e9})}
    assert shown["peak"][1:] == ("123.5", "GW")
    assert shown["cost"][1:] == ("2.50", "@unit.bn CNY")
    assert shown["curtailed"].value != "0"


def test_names_of_a_run_cannot_break_out_of_the_page(run: Path, tmp_path: Path):
    path = tmp_path / "odd.h5"
    path.write_bytes(run.read_bytes())
    with h5py.File(path, "r+") as file:
        file["meta"].attrs["scenario_title"] = "</script><b>&"
    text = write_page(path, tmp_path / "odd.html").read_text("utf-8")
    assert "</script><b>" not in text
    assert "<h1>&lt;/script&gt;&lt;b&gt;&amp;</h1>" in text


@pytest.mark.parametrize("name", builtin_names())
def test_titles_of_built_in_scenarios_have_both_languages(name: str):
    said = WORDS[named("title", load(name).title)[1:]]
    assert said[0] == load(name).title
    assert said[1].startswith("江苏 20")


def test_what_cannot_be_written_says_so(run: Path, tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        write_page(tmp_path / "none.h5", tmp_path / "a.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        write_page(run, tmp_path / "file" / "a.html")


def test_a_run_of_an_hour_and_one_without_curtailment(run: Path, tmp_path: Path):
    short = write_page(write_tiny(tmp_path / "hour.h5", hours=1), tmp_path / "hour.html")
    assert {c["key"] for c in payload(short)["charts"]} >= {"dispatch", "energy", "gap"}
    path = tmp_path / "none.h5"
    path.write_bytes(run.read_bytes())
    with h5py.File(path, "r+") as file:
        for name in ("curtailment/source_mw", "curtailment/cause_mw"):
            file[name][...] = 0.0
    text = write_page(path, tmp_path / "none.html").read_text("utf-8")
    assert 'id="curtailment"' not in text
    assert 'href="#curtailment"' not in text


# --- in a browser


def y_of(page: Any, key: str) -> list[list[float]]:
    """The y of every trace of a chart, as drawn."""
    script = "key => document.querySelector(`#chart-${key} .plot`).data.map(t => Array.from(t.y ?? []))"
    return page.evaluate(script, key)


def test_charts_are_drawn_and_answer(made: Path):
    content = payload(made)
    with opened(made.as_uri()) as (page, complaints):
        for chart in content["charts"]:
            figure = page.locator(f"#chart-{chart['key']}")
            figure.scroll_into_view_if_needed()
            figure.locator(".main-svg").first.wait_for()
        load = array(content, "load")
        dispatch = page.locator("#chart-dispatch")
        assert len(y_of(page, "dispatch")[-1]) == 169  # a week, and the end of its last hour
        dispatch.get_by_role("button", name="day", exact=True).click()
        assert len(y_of(page, "dispatch")[-1]) == 25
        dispatch.get_by_role("button", name="later").click()
        after = y_of(page, "dispatch")[-1]
        begin = page.evaluate("states.get('dispatch').hour")
        np.testing.assert_allclose(after[:24], load[begin : begin + 24])
        script = "Array.from(document.querySelector('#chart-dispatch .plot').data[0].x)"
        first = page.evaluate("begin") + begin * 3_600_000
        assert page.evaluate(script)[:2] == [first, first + 3_600_000]
        assert begin >= 24
        dispatch.get_by_role("button", name="whole run").click()
        np.testing.assert_allclose(y_of(page, "dispatch")[-1][:-1], array(content, "load.daily"))
        assert complaints == []


def test_slider_moves_the_map_and_hours_of_the_table_are_shown(made: Path):
    content = payload(made)
    lines = next(chart for chart in content["charts"] if chart["key"] == "map")["options"][0]["whole"]["lines"]
    with opened(made.as_uri()) as (page, complaints):
        figure = page.locator("#chart-map")
        figure.scroll_into_view_if_needed()
        figure.locator(".main-svg").first.wait_for()
        texts = "document.querySelector('#chart-map .plot').data.filter(t => t.text).map(t => t.text).flat()"
        slider = figure.locator("input[type=range]")
        seen = []
        for hour in (3, 15):
            slider.evaluate("(node, h) => { node.value = h; node.dispatchEvent(new Event('input')); }", hour)
            seen.append(page.evaluate(texts))
            said = array(content, "map.loading").reshape(HOURS, len(lines))[hour]
            for line, percent in zip(lines, said, strict=True):
                assert any(text.startswith(f"<b>{line['name']}</b><br>{abs(percent)} %") for text in seen[-1])
        assert seen[0] != seen[1]
        assert figure.locator("output").text_content() == "2024-04-20 20:00"

        table = page.locator("#table-worst")
        hours = table.locator("td:first-child").all_text_contents()
        assert hours == sorted(hours)
        table.get_by_role("button", name="hour", exact=True).click()
        table.get_by_role("button", name="hour ▲").click()
        assert table.locator("td:first-child").all_text_contents() == hours[::-1]
        table.get_by_role("button", name="curtailed, MW").click()
        column = [float(v.replace(",", "")) for v in table.locator("td:nth-child(5)").all_text_contents()]
        assert column == sorted(column, reverse=True)
        assert column[0] > column[-1]
        first = table.locator("td:first-child button").first
        when = first.text_content()
        first.click()
        assert figure.locator("output").text_content() == when
        assert page.locator("#chart-dispatch input[type=date]").input_value() == when[:10]
        assert complaints == []


def test_language_switches_every_text(made: Path):
    with opened(made.as_uri()) as (page, complaints):
        titles = page.locator("h2, h3, .what, nav a").all_text_contents()
        page.locator("#chart-dispatch .main-svg").first.wait_for()
        assert "load" in page.locator("#chart-dispatch .legendtext").all_text_contents()
        page.get_by_role("button", name="中文").click()
        assert page.evaluate("document.documentElement.lang") == "zh"
        other = page.locator("h2, h3, .what, nav a").all_text_contents()
        assert len(titles) == len(other)
        assert not set(titles) & set(other) - {"CO2"}
        page.locator("#chart-dispatch .main-svg").first.wait_for()
        assert "负荷" in page.locator("#chart-dispatch .legendtext").all_text_contents()
        page.get_by_role("button", name="English").click()
        assert page.locator("h2, h3, .what, nav a").all_text_contents() == titles
        assert complaints == []
