"""The grids: the Jiangsu tables and builder, and the extra columns that gridsim reads on any pandapower net."""

from typing import Any


def jiangsu(year: int = 2024, pv_fleet: str = "year_average") -> Any:
    """`gridsim.networks.jiangsu_net.jiangsu`; pandapower loads with the first call."""
    from gridsim.networks import jiangsu_net

    return jiangsu_net.jiangsu(year, pv_fleet)  # type: ignore[arg-type]  # other words are refused by name


__all__ = ["jiangsu"]
