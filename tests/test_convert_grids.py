"""UCTE and CGMES models as scenarios, after pandapower's converters."""

import re
import warnings
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gridsim import export_files
from gridsim.assemble import assemble
from gridsim.convert import convert
from gridsim.convert_matpower import DAY
from gridsim.errors import InputError, MissingPackageError
from gridsim.scenario import load


def row(*cells: tuple[int, object]) -> str:
    """A line with each cell at its column, as the format wants it."""
    out = ""
    for column, cell in cells:
        out = out.ljust(column) + str(cell)
    return out


def node(name: str, kind: int, load: float = 0.0, gen: float = 0.0, most: float = 0.0) -> str:
    cells = [(0, name), (9, name), (22, 0), (24, kind), (26, "220.0"), (33, load), (41, 0), (49, gen), (57, 0)]
    return row(*cells, (65, 0), (73, most), (81, -50), (89, 50))


def line(a: str, b: str, x: float, ampere: int) -> str:
    return row(
        (0, a), (9, b), (18, 1), (20, 0), (22, "1.000"), (29, x), (36, "0.000000"), (45, ampere), (52, f"{a[1]}{b[1]}")
    )


UCTE = "\n".join([
    "##C 2007.05.01", "made up", "##N", "##ZDK",
    node("DA____21", 3, gen=-60, most=-200), node("DB____21", 2, load=20, gen=-30, most=-90),
    node("DC____21", 0, load=80),
    "##L", line("DA____21", "DB____21", 24.2, 500), line("DB____21", "DC____21", 48.4, 400),
    line("DA____21", "DC____21", 24.2, 600),
    "##T", "##R", "##TT", "##E", "",
])  # fmt: skip


def test_a_ucte_file_runs_with_its_lines_and_loads(tmp_path):
    path = tmp_path / "20240101_0030_FO1_DK1.uct"
    path.write_text(UCTE, encoding="utf-8")
    made = convert("ucte", path, tmp_path / "out")
    assert made.warning.startswith("MADE UP")
    case = assemble(load(tmp_path / "out"))
    assert_allclose(sorted(case.branches["x_pu"]), [0.05, 0.05, 0.1], rtol=1e-6)  # of 484 ohm
    amperes = np.array([400.0, 500.0, 600.0])
    assert_allclose(sorted(case.branches["rating_mw"]), np.sqrt(3) * 220 * amperes / 1000, rtol=1e-6)
    assert_allclose(case.load_mw.sum(axis=1), 100 * np.resize(DAY, 168))
    limits = dict(
        zip(case.sources["name"], zip(case.source_min_mw[0], case.source_max_mw[0], strict=True), strict=True)
    )
    assert limits == {"DA____21": (0, 200), "DB____21": (0, 90)}


@pytest.mark.parametrize(("kind", "name"), [("ucte", "x.uct"), ("cgmes", "x.zip")])
def test_what_is_no_model_is_refused(kind, name, tmp_path):
    if kind == "cgmes" and find_spec("lxml") is None:
        pytest.skip("needs lxml")
    with pytest.raises(InputError, match="missing" if kind == "ucte" else r"must be a \.zip file"):
        convert(kind, tmp_path / name, tmp_path / "out")
    (tmp_path / name).write_text("nothing of the kind", encoding="utf-8")
    with pytest.raises(InputError, match="must be"):
        convert(kind, tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cgmes_model_of_another_tool_runs(tmp_path):
    """Three buses that PowSyBl wrote: no reference, limits of 1.8e308; a line of 10 ohm and 600 A, a trafo of 12."""
    pytest.importorskip("lxml")
    path = Path(__file__).parent / "cases" / "cgmes" / "three_bus.zip"
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        made = convert("cgmes", path, tmp_path / "out")
    assert ("reference of angles", "approximated") in [(row.what, row.fate) for row in made.report]
    case = assemble(load(tmp_path / "out"))
    assert_allclose(case.branches["x_pu"], [10.0 / 484.0, 12.0 / 121.0], rtol=1e-3)  # the trafo's: at 110 kV
    assert case.branches["rating_mw"].iloc[0] == pytest.approx(np.sqrt(3) * 220 * 0.6)
    assert_allclose(case.load_mw.sum(axis=1), 150 * np.resize(DAY, 168))
    most = dict(zip(case.sources["name"], case.source_max_mw[0], strict=True))
    assert most == {"G1": 200.0, "G2": 60.0}
    assert dict(zip(case.sources["name"], case.sources["tech"], strict=True))["G2"] == "hydro"


def test_a_cgmes_model_without_its_boundaries_says_so(tmp_path):
    pytest.importorskip("lxml")
    given = Path(__file__).parent / "cases" / "cgmes" / "three_bus.zip"
    with zipfile.ZipFile(given) as old, zipfile.ZipFile(tmp_path / "x.zip", "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            new.writestr(name, re.sub(r"<cim:BaseVoltage .*?</cim:BaseVoltage>", "", text, count=1, flags=re.DOTALL))
    with pytest.raises(InputError, match=r"must come with its boundary files \(EQ_BD, TP_BD\)"):
        convert("cgmes", tmp_path / "x.zip", tmp_path / "out")


def test_cgmes_needs_a_package_and_says_which(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(export_files, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"convert cgmes needs lxml: pip install 'gridsim\[cgmes\]'"):
        convert("cgmes", tmp_path / "x.zip", tmp_path / "out")
