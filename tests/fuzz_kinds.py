"""What is spoiled and what must come of it: `Ground` has one of each that is sound, a kind spoils one of them."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import fuzz
import pytest
from same_file import everything
from tiny_grid import tiny_grid, write_grid

from gridsim import simulate
from gridsim.errors import StoppedError
from gridsim.journal import journal_of

RUNDCPP = "flows of pandapower's rundcpp"  # fails by itself on nets that lack what only pandapower asks for
HORIZON = {"hours": 24, "window_h": 12, "step_h": 6}


class Found(NamedTuple):
    """Of one spoiled input: how the command left, and what is wrong with that; nothing where it is as it should be."""

    code: int
    wrong: str = ""


class Ground:
    """A folder with a scenario, its net and series, a results file and the journal of a stopped run, all sound."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.scenario = write_grid(folder, tiny_grid(), horizon=HORIZON, solver={"effort": "fast"})
        text = self.scenario.text.replace(str(folder / "net.json"), "net.json")
        (folder / "scenario.toml").write_text(text.replace(str(folder / "series.csv"), "series.csv"), encoding="utf-8")
        self.results, self.stopped = folder / "whole.h5", folder / "stopped.h5"
        simulate.simulate(self.scenario, self.results)
        asked = iter(("", "", "test"))
        with pytest.raises(StoppedError):
            simulate.simulate(self.scenario, self.stopped, stop=lambda: next(asked))
        self.everything = everything(self.results)
        self.said = folder / "said.txt"

    def command(self, *arguments: str) -> fuzz.Outcome:
        return fuzz.apart(list(arguments), self.said)


def judged(outcome: fuzz.Outcome) -> Found:
    fine = outcome.fine and fuzz.no_traceback(outcome.said)
    return Found(outcome.code, "" if fine else outcome.said[-600:] or "crashed")


def _spoiled(ground: Ground, seed: int, name: str, spoil: Callable[[str, random.Random], str]) -> Found:
    """Validate a scenario with one spoiled file; if nothing is found wrong, run it, and audit what it made."""
    draw = random.Random(seed)
    work = ground.folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for file in ("scenario.toml", "net.json", "series.csv"):
        shutil.copy(ground.folder / file, work / file)
    path = work / name
    if draw.random() < 0.4:
        path.write_bytes(fuzz.bent(path.read_bytes(), draw))
    else:
        path.write_text(spoil(path.read_text(encoding="utf-8"), draw), encoding="utf-8", errors="surrogatepass")
    scenario = str(work / "scenario.toml")
    found = judged(ground.command("validate", scenario))
    if found.code or found.wrong:
        return found
    made = str(work / "made.h5")
    found = judged(ground.command("run", scenario, "--hours", "12", "-o", made, "--no-report"))
    if found.code or found.wrong:
        return found
    audited = ground.command("audit", made)
    failed = [line for line in audited.said.splitlines() if "FAIL" in line and RUNDCPP not in line]
    if audited.code == 7:
        return Found(7, "\n".join(failed))
    return Found(audited.code, audited.said if audited.code else "")


def scenario(ground: Ground, seed: int) -> Found:
    return _spoiled(ground, seed, "scenario.toml", fuzz.toml)


def series(ground: Ground, seed: int) -> Found:
    return _spoiled(ground, seed, "series.csv", fuzz.csv)


def net(ground: Ground, seed: int) -> Found:
    return _spoiled(ground, seed, "net.json", fuzz.net)


READ = (["show"], ["status"], ["explain", "2024-01-01T03"], ["export", "--to", "csv", "-f"], ["report"], ["verify"])


def results(ground: Ground, seed: int) -> Found:
    """A spoiled results file is refused or fails its audit, unless it says what the sound one does."""
    draw = random.Random(seed)
    path = ground.folder / "spoiled.h5"
    data = ground.results.read_bytes()
    path.write_bytes(fuzz.flipped(data, draw) if draw.random() < 0.7 else fuzz.bent(data, draw))
    found = judged(ground.command("audit", str(path)))
    if found.wrong:
        return found
    if found.code == 0 and not _same(ground, path):
        return Found(0, "its audit finds nothing, and it says something else than the sound one")
    if seed % 4 == 0:
        verb, *rest = READ[seed // 4 % len(READ)]
        looked = judged(ground.command(verb, str(path), *rest))
        if looked.wrong:
            return Found(looked.code, f"{verb}: {looked.wrong}")
    return found


def _same(ground: Ground, path: Path) -> bool:
    try:
        return everything(path) == ground.everything
    except Exception:
        return False


def journal(ground: Ground, seed: int) -> Found:
    """A run whose journal is spoiled goes on to the sound file, from an earlier window if need be, or is refused."""
    draw = random.Random(seed)
    path = ground.folder / "again.h5"
    path.unlink(missing_ok=True)
    data = journal_of(ground.stopped).read_bytes()
    journal_of(path).write_bytes(fuzz.flipped(data, draw) if draw.random() < 0.5 else fuzz.bent(data, draw))
    looked = judged(ground.command("status", str(path)))
    if looked.wrong:
        return Found(looked.code, f"status: {looked.wrong}")
    found = judged(ground.command("resume", str(path), "--no-report"))
    if not found.code and not found.wrong and everything(path) != ground.everything:
        return Found(0, "went on to another file")
    return found


KINDS: dict[str, Callable[[Ground, int], Found]] = {
    "scenario": scenario,
    "series": series,
    "net": net,
    "results": results,
    "journal": journal,
}
