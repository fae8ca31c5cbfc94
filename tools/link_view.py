"""Make .view/gridsim, the import tree as links, for static tools that run no import hooks (mypy, pyright, editors)."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VIEW = ROOT / ".view" / "gridsim"

shutil.rmtree(VIEW.parent, ignore_errors=True)
VIEW.mkdir(parents=True)
for source in [*(ROOT / "src/gridsim").iterdir(), *(ROOT / name for name in ("kernels", "networks", "profiles"))]:
    if source.name != "__pycache__":
        (VIEW / source.name).symlink_to(source)
