"""Notebooks of the documentation run from top to bottom, on a small run."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from tiny_grid import run_audited, tiny_grid, write_grid

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    net = tiny_grid(tight=True)
    net.sgen.loc[0, "max_p_mw"] = 320.0
    _, run = run_audited(write_grid(tmp_path, net, load=0.7), tmp_path / "run.h5")
    run.close()
    monkeypatch.setenv("GRIDSIM_RESULTS", str(tmp_path / "run.h5"))
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells[:-1])  # the last one closes the file
    text = "".join(out.get("text", "") for cell in cells for out in cell.outputs)
    assert "curtailed: " in text


def test_notebooks_are_kept_without_outputs():
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        assert not any(cell.get("outputs") for cell in cells), path
