"""AC power flow of the dispatched hours (``gridsim acheck``); this package alone knows lightsim2grid."""

from pathlib import Path
from typing import Any


def require() -> None:
    """Refuse early where lightsim2grid is missing, with what to install."""
    from gridsim.export_files import need

    need("lightsim2grid", "ac", "acheck")


def acheck(path: Path, hours: str = "", power_factor: float = 1.0) -> dict[str, Any]:
    """`walk.check` of a results file; see there."""
    require()
    from gridsim.acheck.walk import check

    return check(path, hours, power_factor)
