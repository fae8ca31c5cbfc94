"""How much memory this process may still take and how much a folder may hold, as far as the system says."""

import math
import shutil
from pathlib import Path

PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
CPUINFO = PROC / "cpuinfo"
_UNLIMITED = 2**60  # what the first version of cgroups writes for "no limit" is about 2**63
_V1 = {"limit": "memory.limit_in_bytes", "usage": "memory.usage_in_bytes", "stat": "total_inactive_file"}
_V2 = {"limit": "memory.max", "usage": "memory.current", "stat": "inactive_file"}


def free_memory_bytes() -> float:
    """What can be taken before the system swaps or a limit of a job (cgroup) kills; infinite where nobody says."""
    return min([_free_of_machine(), *(_free_in(folder, names) for folder, names in _cgroups())])


def free_disk_bytes(path: Path) -> float:
    """Free in the folder that is to hold `path`, or in the next one above it that exists."""
    folder = next(f for f in path.absolute().parents if f.exists())
    return float(shutil.disk_usage(folder).free)


def _free_of_machine() -> float:
    for line in _text(PROC / "meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return float(value.split()[0]) * 1024.0
    return math.inf


def _cgroups() -> list[tuple[Path, dict[str, str]]]:
    """The groups this process is in, and all above them: the tightest limit holds."""
    found = []
    for line in _text(PROC / "self" / "cgroup").splitlines():
        _, controllers, inside = line.split(":", maxsplit=2)
        if controllers == "":
            root, names = CGROUP, _V2
        elif "memory" in controllers.split(","):
            root, names = CGROUP / "memory", _V1
        else:
            continue
        here = root / inside.strip("/")  # inside a container only the root of them is there to be read
        found += [(folder, names) for folder in (here, *here.parents) if folder == root or root in folder.parents]
    return found


def _free_in(folder: Path, names: dict[str, str]) -> float:
    """Limit less use; files that the kernel only keeps because there is room do not count."""
    limit, used = _text(folder / names["limit"]).strip(), _text(folder / names["usage"]).strip()
    if not (limit.isdigit() and used.isdigit()) or int(limit) > _UNLIMITED:
        return math.inf
    stat = dict(line.split()[:2] for line in _text(folder / "memory.stat").splitlines() if " " in line)
    return max(0.0, float(limit) - float(used) + float(stat.get(names["stat"], 0)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
