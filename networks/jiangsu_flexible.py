"""Devices of the Jiangsu grid that answer to the hour: demand, heat, hydrogen, vehicles, local grids.

`jiangsu_net` puts these rows beside those of `jiangsu_fleet`; they have the same columns.
"""

from typing import Any, NamedTuple

from gridsim.networks.jiangsu_fleet import Grid
from gridsim.networks.options import Options

Row = dict[str, Any]


class Rows(NamedTuple):
    """Rows by pandapower table."""

    load: list[Row]
    sgen: list[Row]
    storage: list[Row]


def flexible(grid: Grid, options: Options) -> Rows:
    """What `options` ask for on the substations of `grid`; none so far."""
    return Rows([], [], [])
