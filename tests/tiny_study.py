"""A study of the tiny grid: seconds for all of its runs."""

from pathlib import Path
from typing import Any

from tiny_grid import tiny_grid, write_grid

HEAD = """title = "Wind and batteries"
base = "tiny.toml"

[set]
horizon.hours = 24
"""


def write_study(folder: Path, rest: str, *, name: str = "study", head: str = HEAD, **grid: Any) -> Path:
    """The tiny grid as files, a scenario of it, and a study that starts from it."""
    folder.mkdir(parents=True, exist_ok=True)
    scenario = write_grid(folder, tiny_grid(**grid))
    text = scenario.text.replace(str(folder) + "/", "").replace("hours = 49", "hours = 48")
    (folder / "tiny.toml").write_text(text, encoding="utf-8")
    path = folder / f"{name}.toml"
    path.write_text(head + rest, encoding="utf-8")
    return path
