"""Targets of the plan against what a run has: hand-made numbers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from gridsim.errors import InputError
from gridsim.indicators import as_table, indicators, level_of

HOURS = 8760
SCENARIO = '[network]\nsource = "{source}"\n[jiangsu]\nfleet = {fleet}\n'


class Text:
    def __init__(self, text):
        self.text = text

    def asstr(self):
        return {(): self.text}


def run(*, fleet=2025, source="jiangsu", hours=HOURS):
    """10 GW of PV, 8 GW at sea, a clean line and one that is clean by 40 %, 2.5 GW of batteries; a load of 10 GW."""
    sources = pd.DataFrame(
        {
            "tech": ["pv", "wind_offshore", "import", "import"],
            "p_nom_mw": [10_000.0, 8000.0, 3000.0, 3000.0],
            "clean_share": [0.0, 0.0, 1.0, 0.4],
        }
    )
    units = pd.DataFrame({"tech": ["coal", "nuclear"], "units": [10, 2], "p_max_mw": [600.0, 1000.0]})
    stores = pd.DataFrame({"tech": ["battery", "ev"], "p_discharge_max_mw": [2500.0, 900.0]})
    summary = {
        "energy_twh": {"pv": 10.0, "wind_offshore": 20.0},
        "utilisation": {"wind_and_pv": 0.94},
        "non_fossil_share": 0.5,
        "coal_mtce": 149.0,
        "co2_mt": 430.0,
        "unserved_mwh": 0.0,
    }
    arrays = {
        "dispatch/source_p_mw": np.tile([0.0, 0.0, 1000.0, 2000.0], (hours, 1)),
        "dispatch/load_mw": np.full((hours, 2), 5000.0),
    }
    tables = {"units": units, "sources": sources, "stores": stores}
    text = Text(SCENARIO.format(source=source, fleet=fleet))
    return SimpleNamespace(
        path="run.h5", hours=hours, dt_h=1.0, summary=summary, table=tables.get, array=arrays.get,
        file={"meta/scenario_text": text},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "sense", "level"),
    [
        (100.0, "at_least", "met"), (96.0, "at_least", "watch"), (94.0, "at_least", "missed"),
        (100.0, "at_most", "met"), (104.0, "at_most", "watch"), (106.0, "at_most", "missed"),
    ],
)  # fmt: skip
def test_levels(value, sense, level):
    assert level_of(value, 100.0, sense, 0.05) == level


def test_what_a_run_has():
    found = {row.key: row for row in indicators(run())}
    assert {row.year for row in found.values()} == {2025}
    assert found["pv_gw"].value == 10.0
    assert found["wind_gw"].value == 8.0
    assert found["new_storage_gw"].value == 2.5  # vehicles are none
    assert (found["new_storage_gw"].level, found["pv_gw"].level) == ("watch", "missed")
    # 30 TWh of its own, 40 % of 17.52 TWh, and 8.76 TWh of water, in 87.6 TWh
    assert found["non_hydro_weight"].value == pytest.approx(100.0 * (30.0 + 0.4 * 17.52) / 87.6)
    assert found["renewable_weight"].value == pytest.approx(100.0 * (30.0 + 0.4 * 17.52 + 8.76) / 87.6)
    assert found["utilisation"].level == "watch"
    assert as_table(list(found.values())).row_count == len(found)


@pytest.mark.parametrize(("fleet", "year"), [(2024, 2025), (2030, 2030), (2060, 2060)])
def test_a_fleet_is_held_to_the_next_targets(fleet, year):
    found = indicators(run(fleet=fleet))
    assert {row.year for row in found} == {year}
    if fleet == 2030:
        assert {row.key: row.level for row in found}["co2_mt"] == "watch"  # 430 of 420


def test_other_grids_and_parts_of_a_year_are_refused():
    with pytest.raises(InputError) as caught:
        indicators(run(source="grid.json", hours=48))
    assert [problem.where for problem in caught.value.problems] == ["network.source", "hours"]
