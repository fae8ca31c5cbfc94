"""Results of every format version stay readable: a sample of each, read by all that reads results."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gridsim.cli import main
from gridsim.opened import Results
from gridsim.schema import FORMAT_VERSION

SAMPLES = sorted((Path(__file__).parent / "formats").glob("format-*.h5"))


def test_the_present_version_has_a_sample():
    assert f"format-{'.'.join(map(str, FORMAT_VERSION))}.h5" in [path.name for path in SAMPLES]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_read(sample, tmp_path):
    path = tmp_path / "run.h5"
    shutil.copy(sample, path)
    with Results(path) as run:
        assert run.reader.meta["format_version"] == sample.stem.removeprefix("format-")
        for name in run.variables.index:
            run[name].load()
        assert run.costs()["total"] == pytest.approx(run.summary["total_cost"])
        assert run.curtailment().sum() > 1.0
        assert "load" in run.explain("2024-01-01T12")
    commands = (
        ["show", str(path)],
        ["audit", str(path)],
        ["report", str(path), "-o", str(tmp_path / "page.html")],
        ["export", str(path), "--to", "csv", "-o", str(tmp_path / "csv")],
        ["compare", str(path), str(path)],
    )
    for command in commands:
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, (command, done.output)
