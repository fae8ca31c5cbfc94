"""Bills at the time-of-use tariff: what load would pay at administered prices instead of those of the dispatch.

The tariff is that of the built-in grid, prices over the flat one by month and hour: `jiangsu.tariff_file`,
`jiangsu.tariff`, or that of the weather year, to which industry answers. All load is billed at it, whatever class it is
of, and tariffs of local grids are left out. Other nets have none.
"""

from pathlib import Path

import numpy as np

from gridsim.case import Case
from gridsim.kernels.jit import FloatArray
from gridsim.scenario import Scenario


def tariff_of(scenario: Scenario) -> FloatArray | None:
    """Relative prices by month and hour, (12, 24); None for a net that is not the built-in one."""
    if scenario.network.source != "jiangsu":
        return None
    from gridsim.networks.jiangsu_tariffs import own_tariff, tariff_table  # tables load for runs of this grid only
    from gridsim.profiles.load import tariff

    options = scenario.jiangsu
    if options.tariff_file is not None:
        return own_tariff(Path(scenario.resolve(options.tariff_file)))
    if options.tariff is not None:
        return tariff_table(options.tariff)
    month, hour = np.divmod(np.arange(12 * 24), 24)
    return tariff(scenario.year, month, hour).reshape(12, 24)


def prices(case: Case, table: FloatArray | None, flat: float) -> FloatArray:
    """(n,) price of a MWh in every step; 0 without a tariff. [currency/MWh]"""
    if table is None:
        return np.zeros(case.steps)
    at = case.time
    priced: FloatArray = flat * table[at.month.to_numpy() - 1, at.hour.to_numpy()]
    return priced
