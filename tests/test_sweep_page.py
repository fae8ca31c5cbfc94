"""The page of a sweep: means over groups, what it says and draws, and sweeps without much in them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from chromium import opened
from click.testing import CliRunner
from pages import assert_said, payload, specs

from gridsim.cli import main
from gridsim.errors import InputError, IntegrityError
from gridsim.page.sweep_page import Measure, _axes, effects, write_sweep

KEYS = {"currency": "CNY", "start": "2024-01-01T00", "hours": 24, "coal_load_rate": 0.6, "gap_mean": 1e-4}


def table(runs: int = 6, **more) -> pd.DataFrame:
    """Cost 100 + 10 x wind + load: wind matters most."""
    wind, load = np.divmod(np.arange(runs), 3)
    frame = pd.DataFrame({"run": [f"r{k}" for k in range(runs)], "title": "", "status": "done", "exit_code": 0})
    frame["message"], frame["file"], frame["seconds"], frame["worker"] = "", "runs/x.h5", 2.0, "a:1"
    frame["cpu_seconds"] = 1.5
    frame["set.scale.wind"], frame["set.scale.load"], frame["base"] = wind.astype(float), load.astype(float), "one"
    for key, value in KEYS.items():
        frame[key] = value
    frame["total_cost"] = 1e6 * (100.0 + 10.0 * wind + load)
    frame["curtailment_rate"], frame["co2_mt"], frame["curtailment_mwh"] = 0.01 * wind, 0.1 * (load + 1), 1e4 * wind
    frame["unserved_mwh"], frame["reserve_short_mwh"], frame["overload_mwh"] = 0.0, 1e-3 * load, 0.0
    for name, values in more.items():
        frame[name] = values
    return frame


def written(folder: Path, frame: pd.DataFrame, *, name: str = "table.parquet") -> Path:
    frame["exit_code"] = frame["exit_code"].astype("Int64")
    frame.to_parquet(folder / name, index=False)
    return folder


def test_effects_are_means_against_the_mean_of_all():
    frame = table()
    axes = _axes(frame)
    assert [one.name for one in axes] == ["scale.wind", "scale.load"]  # not the base, which is one
    ordered = effects(Measure("cost", frame["total_cost"].to_numpy() / 1e6, "million CNY"), axes)
    assert [one.name for one, _ in ordered] == ["scale.load", "scale.wind"]
    assert np.allclose(ordered[0][1], [-1.0, 0.0, 1.0])
    assert np.allclose(ordered[1][1], [-5.0, 5.0])


def test_numbers_with_many_values_are_cut_into_thirds():
    frame = table(30)
    frame["set.scale.load"] = np.linspace(0.9, 1.1, 30)
    (load,) = (one for one in _axes(frame) if one.name == "scale.load")
    assert [int((load.group == k).sum()) for k in range(3)] == [10, 10, 10]
    assert (load.labels[0], load.labels[2]) == ("< 0.9667", "> 1.033")
    cost = Measure("cost", np.arange(30.0), "")
    ((_, change),) = effects(cost, [load])
    assert np.allclose(change, [-10.0, 0.0, 10.0])


def test_page_of_a_grid(tmp_path):
    page = write_sweep(written(tmp_path, table()), tmp_path / "page.html")
    assert_said(page)
    content = payload(page)
    for spec in specs(content):
        go.Figure(data=spec["data"], layout=spec["layout"])  # plotly checks every key
    charts = {chart["key"]: chart for chart in content["charts"]}
    assert list(charts) == ["distribution", "histogram", "tornado", "grid", "parallel", "tradeoff"]
    measures = [option["label"] for option in charts["tornado"]["options"]]
    assert measures == ["@measure.cost", "@measure.curtailment_rate", "@measure.co2", "@measure.curtailed"]  # no dust
    heat = charts["grid"]["options"][0]["whole"]["data"][0]
    assert (heat["x"], heat["y"]) == (["0", "1"], ["0", "1", "2"])
    assert np.allclose(heat["z"], [[100.0, 110.0], [101.0, 111.0], [102.0, 112.0]])
    low, high = charts["tornado"]["options"][0]["whole"]["data"]
    assert (low["y"], low["x"], high["x"]) == (["scale.load", "scale.wind"], [-1.0, -5.0], [1.0, 5.0])
    assert [row["words"][0] for row in content["tables"][0]["rows"]] == [[f"r{k}"] for k in range(6)]


def test_failures_stand_first_and_say_why(tmp_path):
    frame = table()
    frame["exit_code"] = frame["exit_code"].astype("Int64")
    frame.loc[4, ["status", "exit_code", "message"]] = ["failed", 4, "window 3 <b>was</b> not solved"]
    frame.loc[2, "status"] = "missing"
    numbers = [*KEYS, "total_cost", "co2_mt"]
    for row in (2, 4):
        frame.loc[row, [key for key in numbers if frame[key].dtype == float]] = np.nan
    page = write_sweep(written(tmp_path, frame), tmp_path / "page.html")
    assert_said(page)
    content = payload(page)
    rows = content["tables"][0]["rows"]
    assert [row["words"][0][0] for row in rows[:3]] == ["r4", "r2", "r0"]
    state = rows[0]["words"][-1][0]
    assert content["words"][state[1:]][0] == "exit code 4: window 3 <b>was</b> not solved"
    assert "1 runs failed and 1 are missing" in page.read_text(encoding="utf-8")
    assert "<b>was" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("status", ["failed", "missing"])
def test_a_sweep_without_results(tmp_path, status):
    frame = table()[
        ["run", "title", "status", "exit_code", "message", "file", "seconds", "cpu_seconds", "worker", "set.scale.wind"]
    ]
    page = write_sweep(written(tmp_path, frame.assign(status=status)), tmp_path / "page.html")
    assert not payload(page)["charts"]


def test_one_run(tmp_path):
    page = write_sweep(written(tmp_path, table(1)), tmp_path / "page.html", language="zh")
    assert not payload(page)["charts"]
    assert "批量仿真概览" in page.read_text(encoding="utf-8")


def test_report_takes_a_folder_and_a_table(tmp_path):
    written(tmp_path, table())
    (tmp_path / "study.json").write_text(json.dumps({"format": 1, "name": "s", "title": "My study", "runs": []}))
    for given, options in ((tmp_path, []), (tmp_path / "table.parquet", ["-o", str(tmp_path / "x.html")])):
        result = CliRunner().invoke(main, ["report", str(given), *options])
        assert result.exit_code == 0, result.output
        assert "<title>My study</title>" in Path(result.output.strip()).read_text(encoding="utf-8")
    assert CliRunner().invoke(main, ["report", str(tmp_path), "--png"]).exit_code == 2


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="--collect"):
        write_sweep(tmp_path, tmp_path / "page.html")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(IntegrityError, match="not the table of a sweep"):
        write_sweep(tmp_path, tmp_path / "page.html")
    (tmp_path / "table.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(IntegrityError, match="cannot be read"):
        write_sweep(tmp_path, tmp_path / "page.html")


def test_charts_are_drawn_and_answer(tmp_path):
    page_file = write_sweep(written(tmp_path, table()), tmp_path / "page.html")
    with opened(page_file.as_uri()) as (page, complaints):
        for key in ("distribution", "tornado", "grid", "parallel", "tradeoff"):
            page.locator(f"#chart-{key}").scroll_into_view_if_needed()
            page.wait_for_selector(f"#chart-{key} .main-svg")
        page.select_option("#chart-tornado select", "1")
        labels = page.evaluate("document.querySelector('#chart-tornado .plot').data.map((trace) => trace.x)")
        assert labels == [[0.0, -0.5], [0.0, 0.5]]
        page.get_by_role("button", name="中文").click()
        assert "敏感性" in page.inner_text("#chart-tornado")
        assert len(page.query_selector_all("#table-run_table tr")) == 7
        assert not [text for text in complaints if "GPU stall" not in text]  # of reading a canvas back, to pick lines
