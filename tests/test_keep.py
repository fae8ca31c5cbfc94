"""What a results file keeps (`output.keep`): the same numbers in fewer datasets, and words for what is not there."""

import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result
from pages import payload, warning
from pydantic import ValidationError
from same_file import everything
from test_compare import row
from tiny_grid import tiny_grid, write_grid

from gridsim.cli import main
from gridsim.compare import compare
from gridsim.errors import InputError, IntegrityError, StoppedError
from gridsim.opened import Results
from gridsim.page import write_comparison
from gridsim.results import ResultsReader
from gridsim.resume import scenario_to_resume
from gridsim.scenario import Scenario
from gridsim.schema import BY_PATH, CAUSES, DATASETS, GRID, KEEP, RECOMPUTABLE, TABLES, kept, rounding_of
from gridsim.simulate import simulate
from gridsim.summary import RUN_KEYS


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run, kept in each way."""
    return kept_files(tmp_path_factory.mktemp("keep"))


@pytest.fixture(scope="module")
def dearer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Likewise, of a grid whose energy costs half as much again."""
    return kept_files(tmp_path_factory.mktemp("dearer"), 1.5)


def kept_files(folder: Path, dear: float = 1.0) -> dict[str, Path]:
    found = {}
    net = tiny_grid(tight=True)
    net.sgen.loc[0, "max_p_mw"] = 320.0  # something is curtailed
    net.poly_cost["cp1_eur_per_mw"] *= dear
    for keep in KEEP:
        scenario = write_grid(folder, net, load=0.7, grid={"n1": "report"}, output={"keep": keep})
        found[keep] = folder / f"{keep}.h5"
        simulate(scenario, found[keep])
    return found


def gridsim(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize("keep", KEEP)
def test_a_file_has_what_it_keeps_and_no_more(files, keep):
    with h5py.File(files[keep]) as file:
        assert {d.path for d in DATASETS if d.path in file} == {d.path for d in kept(keep)}
        assert file["meta"].attrs["keep"] == keep
        assert ("meta/summary" in file) == (keep != "full")


def test_what_is_kept():
    assert kept("full") == DATASETS
    assert not [d.path for d in kept("summary") if d.per_hour]
    assert {d.path for d in kept("full")} - {d.path for d in kept("standard")} == set(RECOMPUTABLE) <= set(BY_PATH)


def test_what_is_kept_is_the_same(files):
    """To the byte but for what is rounded, index tables too; and files grow from summary to full."""
    whole = everything(files["full"])
    for keep in ("standard", "summary"):
        found = everything(files[keep])
        tables = [name for name in found if name.split("/")[0] in TABLES and "/" in name]
        assert len(tables) > 100
        exact = [d.path for d in kept(keep) if rounding_of(d, keep) in (0.0, GRID) and d.group != "timing"]
        assert len(exact) > 20
        for name in (*tables, *exact, *(f"{path}@" for path in exact)):
            assert found[name] == whole[name], name
    sizes = [files[keep].stat().st_size for keep in ("summary", "standard", "full")]
    assert sizes == sorted(sizes)


def test_a_standard_file_is_rounded_as_it_says(files):
    """Every value to the nearest step, which stands beside it; causes of curtailment still add up."""
    steps = {"MW": 2.0**-10, "MWh": 2.0**-10, "t": 2.0**-10, "currency/MWh": 2.0**-10, "currency": 2.0**-4}
    with h5py.File(files["full"]) as full, h5py.File(files["standard"]) as standard:
        coarse = [d for d in kept("standard") if d.per_hour and d.units in steps]
        assert len(coarse) > 60
        for d in coarse:
            exact, found, step = full[d.path][...], standard[d.path][...], steps[d.units]
            assert found.dtype == exact.dtype
            assert standard[d.path].attrs["rounding"] == f"to the nearest multiple of 2**{int(np.log2(step))}"
            assert (found % step == 0.0).all(), d.path
            terms = len(CAUSES) if d.path == "curtailment/source_mw" else 1
            assert np.abs(found - exact).max(initial=0.0) <= terms * step / 2, d.path
        causes, total = (standard[f"curtailment/{name}"][...] for name in ("cause_mw", "source_mw"))
        assert total.max() > 1.0
        assert (causes.sum(axis=2) == total).all()


@pytest.mark.parametrize("keep", ["standard", "summary"])
def test_the_summary_is_that_of_everything(files, keep):
    with ResultsReader(files["full"]) as whole, ResultsReader(files[keep]) as run:
        want, found = dict(whole.summary), dict(run.summary)
        assert list(found) == list(want)
        assert found["curtailment_mwh"] > 0.0
        for key in RUN_KEYS:
            want.pop(key), found.pop(key)
        assert found == want
        assert run.run["cpu_s"] == run.summary["cpu_s"]


def test_pages_and_tables_of_a_standard_file(files, tmp_path):
    path = files["standard"]
    for command in (
        ["show", path],
        ["report", path, "-o", tmp_path / "page.html"],
        ["report", path, "--svg", "-o", tmp_path / "pictures"],
        ["compare", path, files["full"]],
        ["explain", path, "2024-01-01T12"],
        ["export", path, "--to", "csv", "-o", tmp_path / "csv"],
        ["status", path],
    ):
        done = gridsim(*command)
        assert done.exit_code == 0, (command, done.output)
    said = [gridsim("explain", files[keep], "2024-01-01T12").output for keep in ("full", "standard")]
    assert said[0] == said[1]
    assert not (tmp_path / "csv" / "dispatch.source_available_mw.csv").exists()
    assert (tmp_path / "csv" / "dispatch.load_mw.csv").exists()


NEEDS = {
    "audit": ["audit"],
    "verify": ["verify", "--windows", 1],
    "pypsa": ["export", "--to", "pypsa"],
    "variable": ["export", "--to", "csv", "--variable", "carbon/zone_intensity"],
}
NEEDS_HOURS = {
    "report": ["report"],
    "pictures": ["report", "--png"],
    "explain": ["explain"],
    "csv": ["export", "--to", "csv"],
    "pandapower": ["export", "--to", "pandapower", "--hour", "2024-01-01T05"],
}


@pytest.mark.parametrize(
    ("keep", "command"),
    [(keep, command) for keep in ("standard", "summary") for command in NEEDS]
    + [("summary", command) for command in NEEDS_HOURS],
)
def test_a_command_says_what_is_not_in_the_file(files, tmp_path, keep, command):
    verb, *options = (NEEDS | NEEDS_HOURS)[command]
    out = ["-o", tmp_path / "out"] if verb in ("report", "export") else []
    hour = ["2024-01-01T12"] if verb == "explain" else []
    done = gridsim(verb, files[keep], *hour, *options, *out)
    assert done.exit_code == 3, done.output
    words = (f'this run kept "{keep}"', f'whose run kept "{keep}" only: output.keep = "full" keeps everything')
    assert any(text in done.stderr for text in words)
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_sums_compare_whatever_files_keep(files, dearer, tmp_path):
    """Every number of a comparison is the same from files that keep less; a page of sums says that it has no hours."""
    whole = compare([files["full"], dearer["full"]])
    assert row(whole, "cost", "total").changed
    assert not row(whole, "energy", "load").changed
    for keep, other in (("summary", "summary"), ("full", "summary"), ("summary", "standard")):
        found = compare([files[keep], dearer[other]])
        assert found.rows == whole.rows
        assert not found.notes
    pages = {
        keep: write_comparison([files["full"], dearer[keep]], tmp_path / f"{keep}.html") for keep in ("full", "summary")
    }
    charts = {keep: {chart["key"] for chart in payload(page)["charts"]} for keep, page in pages.items()}
    assert charts["full"] - charts["summary"] == {"dispatch_change", "price_change", "curtailed_change"}
    numbers = [[line["numbers"] for line in payload(page)["tables"][0]["rows"]] for page in pages.values()]
    assert numbers[0] == numbers[1]
    said = {
        keep: warning(page) == "A file keeps sums only (output.keep): nothing is compared hour by hour."
        for keep, page in pages.items()
    }
    assert said == {"full": False, "summary": True}
    assert gridsim("compare", files["summary"], dearer["summary"], "--png", tmp_path / "x.png").exit_code == 0


def test_labelled_arrays(files):
    with Results(files["summary"]) as run:
        assert "windows/gap" in run.variables.index
        assert "price/energy" not in run.variables.index
        with pytest.raises(InputError, match='price/energy is not in the file, whose run kept "summary" only'):
            _ = run["price/energy"]
        with pytest.raises(InputError, match="variable price/enrgy is not in the file; close to it"):
            _ = run["price/enrgy"]


def test_a_damaged_file_is_still_damaged(files, tmp_path):
    """What the file should keep and does not have is no choice of its run."""
    for keep, path in (("standard", "price/energy"), ("summary", "windows/gap")):
        at = tmp_path / f"{keep}.h5"
        at.write_bytes(files[keep].read_bytes())
        with h5py.File(at, "r+") as file:
            del file[path]
        with pytest.raises(IntegrityError, match=f"damaged: has no {path}"):
            ResultsReader(at)
        with h5py.File(at, "r+") as file:
            file["meta"].attrs["keep"] = "everything"
        with pytest.raises(IntegrityError, match="keeps 'everything', which this gridsim does not know"):
            ResultsReader(at)


def test_a_stopped_run_keeps_the_same(files, tmp_path):
    path = tmp_path / "x.h5"
    with ResultsReader(files["summary"]) as run:
        text = run.scenario_text
    scenario = Scenario.model_validate(tomllib.loads(text))
    with pytest.raises(StoppedError):
        simulate(scenario, path, stop=lambda: "a test")
    simulate(scenario_to_resume(path), path, resume=True)
    assert everything(path) == everything(files["summary"])


def test_an_ac_check_needs_its_hours():
    with pytest.raises(ValidationError) as caught:
        Scenario.model_validate({"name": "x", "grid": {"ac_check": True}, "output": {"keep": "summary"}})
    assert 'must be "full" where grid.ac_check is on' in str(caught.value.errors()[0]["ctx"])


def test_run_says_why_there_is_no_page(tmp_path):
    net = tiny_grid()
    scenario = write_grid(tmp_path, net, horizon={"hours": 24})
    (tmp_path / "scenario.toml").write_text(scenario.text, encoding="utf-8")
    done = gridsim("run", tmp_path, "-o", tmp_path / "x.h5", "--keep", "summary")
    assert done.exit_code == 0, done.output
    assert 'page: none, as the file keeps no hours (output.keep = "summary")' in done.stdout
    assert not (tmp_path / "x.html").exists()
