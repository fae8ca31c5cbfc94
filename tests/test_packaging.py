"""What is built is what is in the folders: four roots, one package."""

import importlib.util
import re
import runpy
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from unittest.mock import patch

import pytest

import gridsim

ROOT = Path(__file__).resolve().parents[1]
ROOTS = {
    "gridsim": "src/gridsim",
    "gridsim.kernels": "kernels",
    "gridsim.networks": "networks",
    "gridsim.profiles": "profiles",
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def packages() -> set[str]:
    """The package list that setup.py hands to setuptools."""
    pytest.importorskip("setuptools")
    with patch("setuptools.setup") as setup, pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        runpy.run_path("setup.py")
    return set(setup.call_args.kwargs["packages"])


def modules() -> list[str]:
    """The public name of every .py of the four folders."""
    out = []
    for package, folder in ROOTS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            out.append(".".join([package, *(p for p in parts if p != "__init__")]))
    return out


@pytest.mark.parametrize("name", modules())
def test_every_module_is_importable_and_built(name, packages):
    assert importlib.util.find_spec(name), f"{name} is not found by import"
    package = name if name in packages else name.rpartition(".")[0]
    assert package in packages, f"{package} is missing from the package list of setup.py: has it an __init__.py?"


def test_every_data_file_matches_a_pattern():
    data = PROJECT["tool"]["setuptools"]["package-data"]
    for package, folder in ROOTS.items():
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".pyc") or path.is_dir() or "__pycache__" in path.parts:
                continue
            where = path.relative_to(ROOT / folder)
            patterns = data.get(package, [])
            assert any(where.match(pattern) for pattern in patterns), f"{package}: no pattern for {where}"
            assert files(package).joinpath(*where.parts).is_file()


def test_version_is_said_once_and_the_same():
    assert PROJECT["project"]["version"] == gridsim.__version__
    assert f"## [{gridsim.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_license_files_exist():
    for name in (*PROJECT["project"]["license-files"], PROJECT["project"]["readme"]):
        assert (ROOT / name).is_file(), name


def test_dependencies_cover_what_is_imported():
    """Third-party modules imported in the four folders are dependencies or extras, under the same name."""
    extras = [
        line for name, lines in PROJECT["project"]["optional-dependencies"].items() if name != "dev" for line in lines
    ]
    named = {re.split(r"[<>=\[ ]", line)[0].lower() for line in [*PROJECT["project"]["dependencies"], *extras]}
    imported = set()
    for folder in ROOTS.values():
        for path in (ROOT / folder).rglob("*.py"):
            found = re.findall(r"^\s*(?:from|import) ([A-Za-z_0-9]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
            imported |= {name for name in found if importlib.util.find_spec(name)}
    third_party = imported - set(sys.stdlib_module_names) - {"gridsim"}
    comes_with = {"pydantic_core": "pydantic", "flask": "dash", "werkzeug": "dash"}
    comes_with |= {"distributed": "dask", "dask_jobqueue": "dask-jobqueue"}
    assert {comes_with.get(name, name) for name in third_party} <= named


def test_link_view_is_made_from_the_four_folders(tmp_path):
    """tools/link_view.py, on a copy of the tree's outline."""
    for folder in ("tools", *ROOTS.values()):
        (tmp_path / folder).mkdir(parents=True)
    script = tmp_path / "tools" / "link_view.py"
    script.write_text((ROOT / "tools" / "link_view.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "src/gridsim/cli.py").write_text("")
    for _ in range(2):  # repeatable
        subprocess.run([sys.executable, script], check=True)
    assert {p.name for p in (tmp_path / ".view/gridsim").iterdir()} == {"cli.py", "kernels", "networks", "profiles"}


def test_commands_of_the_readme_exist():
    from gridsim.cli import main

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in set(re.findall(r"^\$ gridsim (\w+)|`gridsim (\w+)", text, re.MULTILINE)):
        assert next(filter(None, verb)) in main.commands
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for target in re.findall(r"make (\w+)  ", text):
        assert target in targets
