"""What some pages of the documentation take for granted, made before they run, and what they must have left afterwards.

Where a page begins with something of the reader's - cases from elsewhere, years of series, a batch system, a checkout -
there is something small of the same form here.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandapower as pp
import pandas as pd
from test_convert import CASE, INSTANCE, instance, rts
from test_convert_grids import UCTE
from test_convert_pypsa import write_netcdf
from tiny_grid import SERIES, tiny_grid

from gridsim.results import ResultsReader
from gridsim.schema import BY_PATH

ROOT = Path(__file__).resolve().parents[1]
YEAR_H = 8784


def cache() -> Path:
    """Folder of machine code of these tests."""
    return Path(os.environ.get("GRIDSIM_CACHE_DIR", Path.home() / ".cache" / "gridsim"))


# ---- before a page runs


def give_cases(folder: Path) -> None:
    """Files of other tools: published ones where GRIDSIM_CASES has them, else made up."""
    made = folder / "made"
    made.mkdir()
    (made / "case.m").write_text(CASE, encoding="utf-8")
    instance(made, INSTANCE, "rts_gmlc-2020-07-06")
    published = Path(os.environ.get("GRIDSIM_CASES", made))
    for name, stand_in in (
        ("pglib-opf/pglib_opf_case118_ieee.m", made / "case.m"),
        ("pglib-uc/rts_gmlc-2020-07-06.json", made / "rts_gmlc-2020-07-06.json"),
    ):
        path = published / name
        shutil.copy(path if path.is_file() else stand_in, folder / path.name)
    (folder / "RTS-GMLC").mkdir()
    rts(made).rename(folder / "RTS-GMLC" / "RTS_Data")
    write_netcdf(folder / "network.nc")
    (folder / "20240101_0030_FO1_DK1.uct").write_text(UCTE, encoding="utf-8")
    shutil.copy(ROOT / "tests" / "cases" / "cgmes" / "three_bus.zip", folder / "model.zip")


def give_years(folder: Path) -> None:
    """A grid whose parts may fail, with six files of series of four days."""
    grid = folder / "my-grid"
    grid.mkdir()
    net = tiny_grid(load=1.3)
    for element in ("gen", "sgen", "storage", "line"):
        net[element]["for_rate"], net[element]["mttr_h"] = 0.15, 6.0
    pp.to_json(net, str(grid / "net.json"))
    for year in range(2018, 2024):
        times = pd.date_range(f"{year}-01-01", periods=len(SERIES["load/A"]), freq="h")
        series = {**SERIES, "load/A": SERIES["load/A"] * (1.2 + 0.05 * (year - 2018))}
        pd.DataFrame({"time": times, **series}).to_csv(grid / f"series-{year}.csv", index=False)
    text = (
        'year = 2018\n[horizon]\nhours = 96\n[network]\nsource = "net.json"\n[profiles]\nsource = "series-{year}.csv"\n'
    )
    (grid / "scenario.toml").write_text(text, encoding="utf-8")


def give_checkout(folder: Path) -> None:
    """Tools, and the pages that they write."""
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "docs").mkdir()
    for name in ("findings.md", "validation.md"):
        shutil.copy(ROOT / "docs" / name, folder / "docs" / name)


def give_machine_code(folder: Path) -> None:
    """The folder that the page names has what is compiled already."""
    (folder / "cache").symlink_to(cache(), target_is_directory=True)


GIVEN: dict[str, Callable[[Path], None]] = {
    "docs/convert.md": give_cases,
    "docs/findings.md": give_checkout,
    "docs/howto/adequacy.md": give_years,
    "docs/howto/hpc.md": give_machine_code,
    "docs/validation.md": give_checkout,
}


def make_a_year(path: Path) -> None:
    """Repeat the hours of a run until they are a year: what tools/validation.py reads of them."""
    with h5py.File(path, "r+") as file:
        hours = int(file["meta"].attrs["hours"])
        file["meta"].attrs["hours"], file["meta"].attrs["start"] = YEAR_H, "2024-01-01T00"
        for name in (
            *("dispatch/tech_p_mw", "dispatch/load_mw", "dispatch/source_p_mw", "dispatch/source_available_mw"),
            *("flow/interface_p_mw", "curtailment/source_mw", "storage/discharge_mw", "unserved/load_mw"),
            *("carbon/tech_t", "carbon/origin_t", "reserve/short_mw", "commitment/available", "commitment/on"),
        ):
            values = file[name][...]
            del file[name]
            file[name] = np.tile(values, (YEAR_H // hours, 1))
            assert BY_PATH[name].dims[0] == "time"


# ---- while it runs

# Ways to do a sweep of three runs, and the load of the one that each does anew: of an array, the first task runs.
WAYS = {
    **{"--task 3/20": "1.1", "slurm-array.sh": "1.0", "pbs-array.sh": "1.0"},
    **{"workstation.sh": "", "--slurm ": "1.05", "--scheduler": "1.05"},
}


@contextlib.contextmanager
def sweeps_anew(commands: Sequence[str], folder: Path) -> Iterator[None]:
    """What a block does again in another way, it finds undone, and leaves done."""
    ways = [way for way in WAYS if any(way in command for command in commands)]
    for way in ways:
        assert bool(WAYS[way]) == (folder / "results").exists(), "the first way does all of them"
        for file in folder.glob(f"results/*/runs/*load-{WAYS[way]}_*.h5"):
            file.unlink()
    yield
    for way in ways:
        assert len(list(folder.glob("results/*/runs/*.h5"))) == 3, way


# ---- after it has run: `said` has what every command printed


def left_by_index(folder: Path, said: Mapping[str, str]) -> None:
    (activated,) = (text for command, text in said.items() if "activate" in command)
    assert activated.startswith("Usage: gridsim")


def left_by_convert(folder: Path, _: Mapping[str, str]) -> None:
    for name in ("grid", "expanded", "dk", "cim", "case118", "july", "rts"):
        assert {"net.json", "scenario.toml", "conversion.md"} <= {path.name for path in (folder / name).iterdir()}
    with ResultsReader(folder / "results" / "case118.h5") as run:
        assert run.array("dispatch/load_mw").sum() > 0.0


def numbers_of(page: Path, first: str) -> list[str]:
    """Cells of the line of a table that begins with these words."""
    (line,) = (line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def only_between_markers(page: Path) -> None:
    """What the tool has written stands between its markers, and nothing else has changed."""
    old, new = ((place / "docs" / page.name).read_text(encoding="utf-8") for place in (ROOT, page.parents[1]))
    outside = re.compile(r"(<!-- \w+:[^>]*begin -->).*?(<!-- \w+:[^>]*end -->)", re.DOTALL)
    assert outside.sub(r"\1\2", old) == outside.sub(r"\1\2", new)
    assert old != new


def left_by_validation(folder: Path, _: Mapping[str, str]) -> None:
    page = folder / "docs" / "validation.md"
    only_between_markers(page)
    with ResultsReader(folder / "results" / "jiangsu-2024.h5") as run:
        assert run.hours == YEAR_H
        load = run.array("dispatch/load_mw").sum() / 1e6
    assert f"{load:.1f}" == numbers_of(page, "Load | consumption of the year (g), TWh")[2]


def left_by_findings(folder: Path, _: Mapping[str, str]) -> None:
    page = folder / "docs" / "findings.md"
    only_between_markers(page)
    for name in ("jiangsu-2030", "more-storage"):
        with ResultsReader(folder / "results" / f"{name}.h5") as run:
            cost = run.summary["total_cost"] / 1e9
        if name == "jiangsu-2030":
            base = cost
            assert numbers_of(page, "cost")[-1] == f"{cost:,.1f}"
            assert numbers_of(page, "itself")[0] == f"{cost:,.2f}"
    assert float(numbers_of(page, "jiangsu-2030+more-storage")[0]) == round(cost - base, 2)


def left_by_results(folder: Path, _: Mapping[str, str]) -> None:
    pictures = list((folder / "pictures").glob("*.svg"))
    assert len(pictures) > 5
    assert all("<svg" in path.read_text(encoding="utf-8") for path in pictures)


def left_by_adequacy(folder: Path, said: Mapping[str, str]) -> None:
    with h5py.File(folder / "results" / "my-grid-adequacy.h5") as file:
        years, eens = file["years/calendar_year"][...], file["years/eens_mwh"][...]
    assert years.tolist() == list(range(2018, 2024))
    assert eens[-1] > eens[0]  # load grows from year to year


LEFT: dict[str, Callable[[Path, Mapping[str, str]], None]] = {
    "docs/convert.md": left_by_convert,
    "docs/findings.md": left_by_findings,
    "docs/howto/adequacy.md": left_by_adequacy,
    "docs/howto/results.md": left_by_results,
    "docs/index.md": left_by_index,
    "docs/validation.md": left_by_validation,
}
