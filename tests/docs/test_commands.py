"""Every command of README.md and docs/ runs, page by page, in the order of the page, in a folder of its own.

What a page has in fenced blocks, and what becomes of it here:

=================================== ================================================================================
``console``, ``bash``, ``sh``       run; in ``console`` the lines that begin with ``$``, the others are output
``python``                          run, in the same folder; later blocks know the names of earlier ones
any block with ``title="NAME"``     written to the file NAME
any other block                     shown only
=================================== ================================================================================

gridsim and Python run inside this process, which has them loaded; lines with anything of the shell go to bash, and a
block in which one line sets what another needs (a variable, something in the background) goes there as a whole. What a
page takes for granted, and what it must have left in the end, is in `docs_given`; sbatch and qsub are those of `batch`.

What takes long is done in a short form. A run is of 48 hours where it is longer, and one of a whole built-in year of
two days from 9 February, so that hours of the Spring Festival can be looked at; a table of a whole year is made of
these two days again and again. Of a sweep one run is made, and the table of it; the study of the templates gets three
runs of two hours, and each of its ways does them anew. ``verify`` solves one window, ``adequacy`` draws two years.
``make run`` is a run of the built-in year and an environment to activate; other targets of make are checked by name,
as CI runs them. A run of a built-in scenario that another page has made in the same session is not made again: its
files are copied.
"""

import contextlib
import glob
import io
import os
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import click
import pytest
from batch import Jobs, batch
from click.testing import CliRunner
from docs_given import GIVEN, LEFT, cache, make_a_year, sweeps_anew
from pydantic import BaseModel

from gridsim.cli import main
from gridsim.scenario import Scenario, builtin_names
from gridsim.scenario_file import overlay_names
from gridsim.sweep.study import OWN_AXES, Study
from gridsim.sweep.study_file import builtin_studies

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?: +title=\"(?P<title>[^\"]+)\")?[^\n]*\n(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
SHELL = re.compile(r"[|<>&;$`(]")  # what only a shell understands
STATE = re.compile(r"^(source|export) |^\w+=|&$")  # a line that others of its block need
PORT = "8786"  # of a page; here a free one
HERE = {"HOST": "127.0.0.1", "--nworkers 16": "--nworkers 1"}
HOURS = 48
FESTIVAL = "02-09"


class Block(NamedTuple):
    """A fenced block of a page."""

    line: int
    language: str
    title: str
    body: str

    @property
    def commands(self) -> list[str]:
        """Lines to run; continued ones as one."""
        if self.language not in ("console", "bash", "sh") or self.title:
            return []
        lines = self.body.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line.strip()[2:] for line in lines if line.strip().startswith("$ ")]
        return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


def blocks(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        indent, line = match["indent"], text.count("\n", 0, match.start()) + 1
        body = "".join(line.removeprefix(indent) for line in match["body"].splitlines(keepends=True))
        found.append(Block(line, match["language"], match["title"] or "", body))
    return found


def words(command: str) -> list[str]:
    return shlex.split(command, comments=True)


def shortened(arguments: list[str]) -> list[str]:
    """Arguments of gridsim as they are run here."""
    if arguments[:1] == ["verify"]:
        arguments = [*arguments, "--windows", "1"]  # the last one counts
    if arguments[:1] == ["sweep"] and "--slurm" in arguments:
        return [*arguments, "--workers", "1"]
    if arguments[:1] == ["sweep"] and not {"--list", "--collect", "--task"} & {*arguments}:
        part = ["--set", "horizon.hours=48"] if arguments[1] in builtin_studies() else []
        return [*arguments, *part, "--task", "1/1000"]
    if arguments[:1] == ["adequacy"] and "--years" in arguments:
        return [*arguments, "--max-years", "6"]  # each of its own years once
    if arguments[:1] == ["adequacy"]:
        credit = ["--credit-years", "2"] if "--credit-years" in arguments else []
        arguments = [*arguments, "--max-years", "2", "--draws", "2", "--workers", "1", *credit]
    if arguments[:1] != ["run"]:
        return arguments
    hours = arguments[arguments.index("--hours") + 1] if "--hours" in arguments else ""
    if hours and int(hours) <= HOURS:
        return arguments
    short = [*arguments, "--hours", str(HOURS)]
    year = arguments[1].removeprefix("jiangsu-")
    if arguments[1] in builtin_names() and "--start" not in arguments and not hours:
        short += ["--start", f"{year}-{FESTIVAL}"]
    return short


def run_make(arguments: list[str], folder: Path, keep: Path) -> str:
    assert arguments[:1] == ["help"] or set(arguments[:1]) <= set(TARGETS), f"the Makefile has no {arguments[0]}"
    if arguments != ["run"]:
        return ""
    venv.create(folder / ".venv", symlinks=True)
    write_program(folder / ".venv" / "bin" / "gridsim", "gridsim")
    return run_gridsim(["run", "jiangsu-2024", "-o", "results/jiangsu-2024.h5", "--force"], keep)


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


MADE: dict[tuple[str, ...], Path] = {}  # what makes a run -> a folder with its files


def run_of(arguments: list[str]) -> tuple[tuple[str, ...], Path] | None:
    """What makes a run of a built-in scenario, and its results file; None of other commands and of files of a page."""
    if arguments[:1] != ["run"] or arguments[1] not in builtin_names():
        return None
    out, said = Path("results") / f"{arguments[1]}.h5", {}
    rest = iter(arguments[2:])
    for option in rest:
        if option in ("-o", "--output"):
            out = Path(next(rest))
        elif option in ("--start", "--hours", "--engine", "--effort", "--n1"):
            said[option] = next(rest)  # the last one counts
        elif option == "--with" and option not in said and (name := next(rest)) in overlay_names():
            said[option] = name
        elif option not in ("-f", "--force"):
            return None  # of two overlays, the order counts; another one may be a file of the page
    return (arguments[1], *(f"{option}={value}" for option, value in sorted(said.items()))), out


def run_gridsim(arguments: list[str], keep: Path) -> str:
    """A command; `keep` is where files of runs stay for later pages. Returns what it says."""
    short = shortened(arguments)
    known = run_of(short)
    if known and known[0] in MADE and not known[1].exists():
        known[1].parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".h5", ".html"):
            shutil.copy(MADE[known[0]] / f"run{suffix}", known[1].with_suffix(suffix))
        return ""
    result = CliRunner().invoke(main, short)
    assert result.exit_code == 0, f"exit code {result.exit_code}\n{result.output[-2000:]}"
    if known:
        MADE[known[0]] = folder = keep / f"run-{len(MADE)}"
        folder.mkdir()
        for suffix in (".h5", ".html"):
            shutil.copy(known[1].with_suffix(suffix), folder / f"run{suffix}")
    if short[:1] == ["sweep"] and short[-2:] == ["--task", "1/1000"]:
        run_gridsim([*short[:-2], "--collect"], keep)
    if short[:1] == ["init"] and "--template" in short:
        shorten_study(Path(short[1], "study.toml"))
    return result.output


def shorten_study(path: Path) -> None:
    """The study of the templates with runs of two hours, and one of its axes only."""
    text = path.read_text(encoding="utf-8")
    for line, short in (
        ("horizon.hours = 48 ", "horizon.hours = 2 "),
        ('overlays = [[], ["more-storage"]]', "overlays = [[]]"),
        ("scale.load = [1.0, 1.05]", "scale.load = [1.0, 1.05, 1.1]"),
        ("count = 3\n", "count = 1\n"),
    ):
        assert text.count(line) == 1, line
        text = text.replace(line, short)
    path.write_text(text, encoding="utf-8")


def run_python(arguments: list[str]) -> str:
    """A script with its arguments."""
    script, *rest = (name for word in arguments for name in (sorted(glob.glob(word)) if "*" in word else [word]))
    said, given = io.StringIO(), sys.argv
    if script == "tools/validation.py":
        make_a_year(Path(rest[0]))
    assert Path(script).is_file(), f"there is no {script}"
    code: object = 0
    try:
        sys.argv = [script, *rest]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv = given
    assert not code, f"exit code {code}\n{said.getvalue()[-2000:]}"
    return said.getvalue()


def write_program(path: Path, module: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


def run_shell(command: str, folder: Path) -> str:
    """Lines for bash, in which `gridsim` and `dask` are those of this Python.

    What the last line leaves in the background is waited for; what earlier ones do, ends with it.
    """
    tools = folder / ".tools"
    tools.mkdir(exist_ok=True)
    write_program(tools / "dask", "dask")
    if "activate" not in command:
        write_program(tools / "gridsim", "gridsim")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for there, here in {**HERE, PORT: port}.items():
        command = command.replace(there, here)
    if command.endswith("&"):
        command += "\nwait $!"
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "GRIDSIM_CACHE_DIR": str(cache())}
    script = f"trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{command}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}"
    return done.stdout


def run_command(command: str, folder: Path, keep: Path) -> str:
    said = ""
    for part in command.split(" && "):
        given = words(part)
        if SHELL.search(re.sub(r"'[^']*'|\s#.*", "", part)) or given[0] not in ("gridsim", "make", "python"):
            said += run_shell(part, folder)
        elif given[0] == "make":
            said += run_make(given[1:], folder, keep)
        elif given[0] == "python":
            said += run_python(given[1:])
        else:
            said += run_gridsim(given[1:], keep)
    return said


def run_page(text: str, name: str, folder: Path, keep: Path, jobs: Jobs) -> dict[str, str]:
    """Everything of a page, in its order, in the current folder. Returns what each command said."""
    names: dict[str, object] = {"__name__": "__main__"}
    said: dict[str, str] = {}
    for block in blocks(text):
        where = f"{name}:{block.line}"
        if block.title:
            Path(block.title).write_text(block.body, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.body, where, "exec"), names)
        else:
            whole = any(map(STATE.search, block.commands))
            with sweeps_anew(block.commands, folder):
                for command in ["\n".join(block.commands)] if whole else block.commands:
                    try:
                        said[command] = run_shell(command, folder) if whole else run_command(command, folder, keep)
                        jobs.settle()
                    except AssertionError as error:
                        pytest.fail(f"{where}: {command}\n{error}", pytrace=False)
    return said


@pytest.fixture
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    with batch(tmp_path_factory.mktemp("batch"), tasks=1) as running:
        yield running


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_runs(page, keep, jobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = page.relative_to(ROOT).as_posix()
    if name in GIVEN:
        GIVEN[name](tmp_path)
    said = run_page(page.read_text(encoding="utf-8"), page.name, tmp_path, keep, jobs)
    if name in LEFT:
        LEFT[name](tmp_path, said)


def test_pages_with_something_given_or_left_are_there():
    assert {*GIVEN, *LEFT} <= {page.relative_to(ROOT).as_posix() for page in PAGES}


def test_a_run_that_another_page_has_made_is_copied(keep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    for suffix in (".h5", ".html"):
        (tmp_path / "made" / f"run{suffix}").write_text(suffix)
    key, out = run_of(["run", "jiangsu-2030", "-o", "x/y.h5", "--hours", "99", "-f", "--hours", "3"])
    assert (key, out) == (("jiangsu-2030", "--hours=3"), Path("x/y.h5"))
    monkeypatch.setitem(MADE, key, tmp_path / "made")
    run_gridsim(["run", "jiangsu-2030", "-o", "x/y.h5", "--hours", "3"], keep)
    assert [Path(f"x/y{suffix}").read_text() for suffix in (".h5", ".html")] == [".h5", ".html"]
    assert run_of(["run", "jiangsu-2024"])[1] == Path("results/jiangsu-2024.h5")
    assert run_of(["run", "jiangsu-2024", "--with", "typhoon"])[0] == ("jiangsu-2024", "--with=typhoon")
    assert run_of(["run", "jiangsu-2024", "--with", "typhoon", "--with", "ev-smart"]) is None
    assert run_of(["run", "jiangsu-2024", "--with", "mine.toml"]) is None
    assert run_of(["run", "own.toml"]) is None


@pytest.mark.parametrize(
    "command",
    ["gridsim show gone.h5", "gridsim scenarios --jso", "make rum", "ls gone", "echo | grep x", "python gone.py"],
)
def test_a_command_that_fails_is_told_with_its_place(command, keep, jobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pytest.fail.Exception, match=f"page.md:3: {re.escape(command)}"):
        run_page(f"Text.\n\n```console\n$ {command}\n```\n", "page.md", tmp_path, keep, jobs)


def test_a_page_may_use_what_it_has_written(keep, jobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (
        '```text title="a.txt"\nx\n```\n```python\nb = open("a.txt").read()\n```\n```python\nassert b == "x\\n"\n```\n'
    )
    run_page(f"{text}```sh\ngrep x a.txt > found\n```\n", "page.md", tmp_path, keep, jobs)
    assert Path("found").read_text(encoding="utf-8") == "x\n"


# ---- names of verbs and options, also where nothing runs


def unknown_names(arguments: list[str]) -> list[str]:
    """Verbs and options of a command line that gridsim does not have."""
    command: click.Command = main
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        if name.isupper():
            return []  # any verb
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    have = {"-h", "--help"} | {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
    if command is main:
        have |= {"--version"}
    given = [word.split("=")[0] for word in arguments if re.fullmatch(r"-[a-z]|--[a-z][a-z0-9-]*(=.*)?", word)]
    return [option for option in given if option not in have]


def every_option(command: click.Command = main) -> set[str]:
    found = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        found |= every_option(inner)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_verbs_and_options_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    commands = [command for block in blocks(text) for line in block.commands for command in line.split(" && ")]
    commands += re.findall(r"`((?:gridsim|make) [^`\n]+)`", FENCE.sub("", text))
    for command in commands:
        first, *rest = words(command.replace("|", " ").replace("...", ""))
        if first == "gridsim":
            assert not unknown_names(rest), command
        elif first == "make":
            assert rest[0] == "help" or rest[0] in TARGETS, command
    for option in re.findall(r"`(--[a-z][a-z0-9-]*)[^`\n]*`", FENCE.sub("", text)):
        if page.name != "benchmarks.md":  # of its own program
            assert option in every_option(), option


# ---- keys of scenarios, also in blocks that are shown only


def model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := model_in(inner))), None)


def unknown_keys(tree: dict[str, Any], model: type[BaseModel] = Scenario) -> list[str]:
    """Keys that a scenario does not have."""
    found = []
    for key, value in tree.items():
        field = model.model_fields.get(key)
        inner = model_in(field.annotation) if field else None
        if field is None:
            found += [key] if (key, model) != ("base", Scenario) else []
        elif inner:
            found += [
                f"{key}.{name}"
                for item in (value if isinstance(value, list) else [value])
                for name in unknown_keys(item, inner)
            ]
    return found


def unknown_keys_of_study(tree: dict[str, Any]) -> list[str]:
    """Keys that a study does not have, nor the scenario that it changes."""
    axes = {key: value for key, value in tree.get("grid", {}).items() if (key,) not in OWN_AXES}
    changes = [tree.get("set", {}), axes, *(run.get("set", {}) for run in tree.get("run", ()))]
    return [*unknown_keys(tree, Study), *(key for change in changes for key in unknown_keys(change))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_keys_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    for block in blocks(text):
        if block.language == "toml":
            unknown = unknown_keys_of_study if block.title.endswith("study.toml") else unknown_keys
            assert not unknown(tomllib.loads(block.body)), f"{page.name}:{block.line}"
    sections = "|".join(key for key, field in Scenario.model_fields.items() if model_in(field.annotation))
    for section, key in re.findall(rf"`(?:--set )?({sections})\.(?!py\b)([a-z0-9_]+)\b[^`\n]*`", FENCE.sub("", text)):
        assert key in model_in(Scenario.model_fields[section].annotation).model_fields, f"{section}.{key}"


def test_keys_that_no_scenario_has_are_told():
    text = 'base = "x"\n[horizon]\nhour = 3\n[[budget]]\nname = "a"\nat_mots = 3\n[scale]\nanything = 2\n[weather]\n'
    assert unknown_keys(tomllib.loads(text)) == ["horizon.hour", "budget.at_mots", "weather"]


def test_keys_that_no_study_has_are_told():
    text = "basis = 'x'\n[set]\nhorizon.hour = 3\n[grid]\noverlays = [[]]\nsolver.engin = ['highs']\nscale.pv = [1]\n"
    assert unknown_keys_of_study(tomllib.loads(text)) == ["basis", "horizon.hour", "solver.engin"]


def test_reading_of_blocks():
    text = (
        'Text\n\n```toml title="a.toml"\nx = 1\n```\n\n```console\n$ gridsim show \\\n  a.h5\nout\n```\n\n'
        "```sh\n# no\nls\n```\n"
    )
    file, shown, listed = blocks(text)
    assert (file.title, file.body, file.line, file.commands) == ("a.toml", "x = 1\n", 3, [])
    assert [words(command) for command in shown.commands] == [["gridsim", "show", "a.h5"]]
    assert listed.commands == ["ls"]


def test_runs_are_shortened():
    year = shortened(["run", "jiangsu-2030", "-o", "x.h5"])
    assert year == ["run", "jiangsu-2030", "-o", "x.h5", "--hours", "48", "--start", "2030-02-09"]
    part = ["run", "jiangsu-2024", "--start", "2024-08-05", "--hours", "168"]
    assert shortened(part) == [*part, "--hours", "48"]
    assert shortened(["sweep", "x.toml"]) == ["sweep", "x.toml", "--task", "1/1000"]
    assert shortened(["run", "own.toml", "--hours", "24"]) == ["run", "own.toml", "--hours", "24"]


def test_what_gridsim_does_not_have_is_told():
    assert unknown_names(["run", "x.toml", "--hour", "3"]) == ["--hour"]
    assert unknown_names(["runs", "x.toml"]) == ["runs"]
    assert not unknown_names(["profiles", "check", "--seed", "1"])
