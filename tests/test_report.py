"""The pictures of a run: all of them, not blank, for files of any length and kind; polite where there is nothing."""

import itertools
import logging
import sys
from pathlib import Path

import h5py
import matplotlib.image
import numpy as np
import pytest

from gridsim.errors import InputError, IntegrityError, ResourceError
from gridsim.palette import CAUSE_COLOURS, TECH_COLOURS, amount, colour_of, power_unit
from gridsim.plots_data import Year, span_of
from gridsim.report import draw_pictures, report
from gridsim.results import ResultsReader
from gridsim.schema import CAUSES

sys.path.insert(0, str(Path(__file__).parent))
from tiny_results import series, summary, tables, write_file, write_tiny

NAMES = [
    "week_spring.png",
    "week_peak.png",
    "energy.png",
    "durations.png",
    "curtailment.png",
    "peak_shaving.png",
    "interface_section.png",
    "map.png",
    "gaps.png",
]


def assert_seen(path: Path) -> None:
    """A PNG that shows something: size, several colours, ink in the middle and not only in the title."""
    assert path.stat().st_size > 10_000
    pixels = matplotlib.image.imread(path)[..., :3]
    assert pixels.std() > 0.05
    inner = pixels[pixels.shape[0] // 5 : -pixels.shape[0] // 8, pixels.shape[1] // 10 : -pixels.shape[1] // 5]
    assert inner.std() > 0.02
    assert len(np.unique((inner * 15).astype(int).reshape(-1, 3), axis=0)) >= 5


def test_a_run_of_ten_days_has_every_picture(tmp_path: Path):
    path = write_tiny(tmp_path / "run.h5", hours=240, start="2024-04-20T00")
    made = report(path, tmp_path / "new" / "folder", dpi=80)
    assert [p.name for p in made] == NAMES
    for picture in made:
        assert_seen(picture)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path):
    path = write_tiny(tmp_path / "run.h5", hours=30)
    first, second = (report(path, tmp_path / name, formats=("png", "svg"), dpi=40) for name in ("a", "b"))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert sorted({p.suffix for p in first}) == [".png", ".svg"]
    assert len({p.stem for p in first}) == len(first) / 2


def test_a_short_run_leaves_the_second_week_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="gridsim.report"):
        pictures = draw_pictures(write_tiny(tmp_path / "run.h5", hours=6), tmp_path, dpi=80)
    assert set(pictures.skipped) == {"week_peak"}
    assert "no longer than a week" in caplog.text
    for picture in pictures.made:
        assert_seen(picture)


def test_a_single_bus_without_anything_but_a_unit_and_a_load(tmp_path: Path):
    """No wind, store, line, link, interface, curtailment or regulation; a technology of its own."""
    hours, frames, data = 30, tables(), series(30)
    for name, kept in (("buses", 1), ("units", 1), ("loads", 1)):
        frames[name] = {key: values[:kept] for key, values in frames[name].items()}
    frames["units"]["tech"] = ["tidal"]
    frames["loads"]["bus_row"] = [0]
    frames["buses"]["lat_deg"] = frames["buses"]["lon_deg"] = [np.nan]
    for name in ("sources", "stores", "branches", "links", "interfaces"):
        frames[name] = {key: np.array(values)[:0] for key, values in frames[name].items()}
    width = {
        **{"unit_p_mw": 1, "load_mw": 1, "tech_p_mw": 1, "on": 1, "start": 1, "stop": 1, "available": 1, "bus": 1},
        **{"bus_mw": 1, "tech_t": 1},
    }
    for path, values in data.items():
        if values.ndim == 2 and "regulation" not in path:
            data[path] = np.abs(values[:, : width.get(path.split("/")[1], 0)])
    data["dispatch/tech_p_mw"] = data["dispatch/unit_p_mw"]
    data["peak_shaving/load_mw"] = data["peak_shaving/net_load_mw"] = data["dispatch/load_mw"].sum(1)
    data["peak_shaving/regulation_mw"] *= 0.0
    data["unserved/load_mw"] *= 0.0
    data["price/energy"] *= 0.0
    numbers = {key: value for key, value in summary(series(30)).items() if "." not in key}
    path = tmp_path / "one.h5"
    write_file(
        path, frames=frames, data=data, numbers=numbers, techs=["tidal"], hours=hours, start="2023-12-31T05"
    )  # fmt: skip
    pictures = draw_pictures(path, tmp_path / "out", dpi=60)
    assert set(pictures.skipped) == {"week_peak", "peak_shaving", "interface", "map"}
    assert all(reason for reason in pictures.skipped.values())
    assert [p.name for p in pictures.made] == [
        "week_spring.png", "energy.png", "durations.png", "curtailment.png", "gaps.png"
    ]  # fmt: skip


def test_weeks_and_days_are_the_right_ones(tmp_path: Path):
    path = write_tiny(tmp_path / "run.h5", hours=24 * 80, start="2024-02-01T00")
    with h5py.File(path, "r+") as file:
        values = np.zeros_like(file["curtailment/source_mw"][...])
        values[24 * 40 + 5, 0] = 7.0  # 12 March
        values[24 * 10, 0] = 900.0  # in February: not spring
        file["curtailment/source_mw"][...] = values
        load = file["dispatch/load_mw"][...]
        load[24 * 60 + 12] += 500.0  # 1 April
        file["dispatch/load_mw"][...] = load
    with ResultsReader(path) as run:
        year = Year(run)
        hours, words = year.spring_week()
        assert words == "spring week with the most curtailment"
        assert year.time[hours][0] <= np.datetime64("2024-03-12") <= year.time[hours][-1]
        assert year.time[hours][0] >= np.datetime64("2024-03-01")
        assert len(year.time[hours]) == 168
        assert span_of(year.time[year.peak_week()]) == "29 March to 4 April 2024"
        assert year.day_of(24 * 60 + 12) == slice(24 * 60, 24 * 61)


def test_spans_units_and_colours():
    import pandas as pd

    assert span_of(pd.date_range("2024-04-22", periods=168, freq="h")) == "22 to 28 April 2024"
    assert span_of(pd.date_range("2023-12-31", periods=48, freq="h")) == "31 December 2023 to 1 January 2024"
    assert power_unit([0.0]) == (1.0, "MW")
    assert power_unit([-146_200.0]) == (1e3, "GW")
    assert amount(848.7e6) == "849 TWh"
    assert amount(3.0) == "3 MWh"
    assert len(set(TECH_COLOURS.values())) == len(TECH_COLOURS)
    others = ["geothermal", "tidal"]
    assert len({colour_of(t, others) for t in [*others, *TECH_COLOURS]}) == len(TECH_COLOURS) + 2


@pytest.mark.parametrize(
    ("colours", "order"),
    [
        (
            TECH_COLOURS,
            ["nuclear", "gas", "biomass", "import", "wind_offshore", "wind_onshore", "pumped_hydro", "caes", "battery"],
        ),
        (CAUSE_COLOURS, list(CAUSES)),
    ],
    ids=["technologies", "causes"],
)
def test_neighbours_in_a_stack_differ_in_lightness(colours: dict[str, str], order: list[str]):
    """Relative luminance of colours that touch: at least 0.03 apart, so that grey print and any eye tell them."""
    value = {t: int(c[1:], 16) for t, c in colours.items()}
    weights = np.array([0.2126, 0.7152, 0.0722])
    light = {
        t: float(weights @ (np.array([v >> 16, (v >> 8) & 255, v & 255]) / 255.0) ** 2.2) for t, v in value.items()
    }
    for lower, upper in itertools.pairwise(order):
        assert abs(light[lower] - light[upper]) > 0.03, (lower, upper)


def test_what_cannot_be_drawn_says_so(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        report(tmp_path / "none.h5", tmp_path)
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(IntegrityError):
        report(tmp_path / "text.h5", tmp_path)
    with pytest.raises(ResourceError, match="cannot be made"):
        report(write_tiny(tmp_path / "run.h5"), tmp_path / "text.h5" / "folder")
