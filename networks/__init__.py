"""The grids: the Jiangsu tables and builder, and the extra columns that gridsim reads on any pandapower net."""

from typing import Any

from gridsim.networks.options import Options


def jiangsu(options: Options | None = None) -> Any:
    """`gridsim.networks.jiangsu_net.jiangsu`; pandapower loads with the first call."""
    from gridsim.networks import jiangsu_net

    return jiangsu_net.jiangsu(options or Options())


__all__ = ["Options", "jiangsu"]
