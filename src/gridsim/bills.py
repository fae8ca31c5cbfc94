"""Bills at time-of-use tariffs: what load would pay at administered prices instead of those of the dispatch.

Tariffs are those of the built-in grid, prices over the flat one by month and hour, the same to which industry answers:
`jiangsu.city_tariff` of a city, `jiangsu.tariff_file`, `jiangsu.tariff`, or that of the weather year. All load of a
city is billed alike, whatever class it is of. A local grid has the tariff of its table or of its city; it pays for what
it takes through its connection, and is paid a price for what it feeds in. Other nets have no tariff.
"""

from typing import NamedTuple

import numpy as np

from gridsim.case import Case
from gridsim.kernels.jit import FloatArray
from gridsim.scenario import Scenario
from gridsim.schema import zones_of


class Tariffs(NamedTuple):
    """Prices of the steps of a run, n steps and the zones of its case."""

    energy: FloatArray  # (n, zones) of a MWh of load; 0 without a tariff [currency/MWh]
    local: FloatArray  # (zones,) 1: a local grid
    feed_in: FloatArray  # (zones,) of a MWh that a local grid feeds in [currency/MWh]


def tables_of(scenario: Scenario, zones: list[str]) -> dict[str, FloatArray]:
    """Relative prices by month and hour, (12, 24), of each zone of the built-in grid; none for another net."""
    if scenario.network.source != "jiangsu":
        return {}
    from gridsim.networks.jiangsu_tariffs import tariff_at  # tables load for runs of this grid only
    from gridsim.profiles.load import tariff

    options = scenario.jiangsu
    if options.tariff_file is not None:
        options = options.model_copy(update={"tariff_file": str(scenario.resolve(options.tariff_file))})
    month, hour = np.divmod(np.arange(12 * 24), 24)
    of_year = tariff(scenario.year, month, hour).reshape(12, 24)
    place = {grid.name: (grid.city, grid.tariff) for grid in options.local_grid}
    found = {zone: tariff_at(options, *place.get(zone, (zone, None))) for zone in zones}
    return {zone: of_year if table is None else table for zone, table in found.items()}


def tariffs(scenario: Scenario, case: Case) -> Tariffs:
    """The prices at which a run is billed."""
    zones, flat = zones_of(case), scenario.ledger.flat_price_cny_per_mwh
    tables = tables_of(scenario, zones)
    month, hour = case.time.month.to_numpy() - 1, case.time.hour.to_numpy()
    energy = np.zeros((case.steps, len(zones)))
    for k, zone in enumerate(zones):
        if zone in tables:
            energy[:, k] = flat * tables[zone][month, hour]
    feed_in = {grid.name: grid.feed_in_cny_per_mwh for grid in scenario.jiangsu.local_grid}
    return Tariffs(
        energy=energy,
        local=np.array([float(zone in feed_in) for zone in zones]),
        feed_in=np.array([feed_in.get(zone, 0.0) for zone in zones]),
    )
