"""The file of a study: one HDF5 file, data only.

| dataset | along | what |
| --- | --- | --- |
| `/years/*` | year | one value for each year drawn, with the numbers of its block, weather and outages |
| `/zones/name`, `lole_h`, `eens_mwh` | year, zone | hours short and energy not served by zone |
| `/time/month_*`, `hour_*` | year, month or hour of the day | the same by when |
| `/credit/*` | class | capacity credits with their intervals |

Attributes of the file: `format`, `format_version`, the scenario as text, `gridsim`, and the summary as JSON.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gridsim import __version__
from gridsim.adequacy.study import Result, as_dict
from gridsim.errors import ResourceError
from gridsim.finite import finite
from gridsim.part_file import PartFile, part_of
from gridsim.scenario import Scenario

FORMAT, VERSION = "gridsim-adequacy", "1.0"
_YEARS = {
    "block": "1",
    "calendar_year": "1",
    "weather_seed": "1",
    "outage_seed": "1",
    "lole_h": "h",
    "days": "1",
    "events": "1",
    "eens_mwh": "MWh",
    "peak_mw": "MW",
    "curtailed_mwh": "MWh",
    "available_mwh": "MWh",
    "cost": "currency",
}
_NUMBERS = frozenset({"block", "calendar_year", "weather_seed", "outage_seed"})


def write(path: Path, result: Result, scenarios: Sequence[Scenario]) -> None:
    """The file, under its name only when it is whole."""
    sink = PartFile(part_of(path))
    try:
        with h5py.File(sink, "w", libver=("v110", "v110"), track_order=True) as file:
            _fill(file, result, scenarios)
        if sink.error is not None:
            raise ResourceError(f"{path}: cannot be written: {sink.error}")
        sink.publish(path)
    except BaseException:
        sink.drop()
        raise


def _fill(file: h5py.File, result: Result, scenarios: Sequence[Scenario]) -> None:
    file.attrs["format"], file.attrs["format_version"], file.attrs["gridsim"] = FORMAT, VERSION, __version__
    file.attrs["scenario"] = "\n".join(scenario.text for scenario in scenarios[:1])
    file.attrs["calendar_years"] = [scenario.year for scenario in scenarios]
    summary = {key: value for key, value in as_dict(result).items() if key != "wall_s"}
    file.attrs["summary"] = json.dumps(finite(summary), ensure_ascii=False)
    for name, unit in _YEARS.items():
        values = [getattr(year, name) for year in result.years]
        kind = np.int64 if name in _NUMBERS else np.float64
        _put(file, f"years/{name}", np.array(values, dtype=kind), unit)
    names = file.create_group("zones")
    names.create_dataset("name", data=list(result.zones), dtype=h5py.string_dtype())
    for group, prefix in (("zones", "zone"), ("time", "month"), ("time", "hour")):
        for column, unit in (("h", "h"), ("mwh", "MWh")):
            label = {"h": "lole_h", "mwh": "eens_mwh"}[column]
            name = label if group == "zones" else f"{prefix}_{label}"
            _put(file, f"{group}/{name}", result.column(f"{prefix}_{column}"), unit)
    credit = file.create_group("credit")
    credit.create_dataset("class", data=[one.what for one in result.credits], dtype=h5py.string_dtype())
    for name in ("installed_mw", "firm_mw", "low_mw", "high_mw"):
        _put(file, f"credit/{name}", np.array([getattr(one, name) for one in result.credits], dtype=np.float64), "MW")


def _put(file: h5py.File, name: str, values: Any, unit: str) -> None:
    dataset = file.create_dataset(name, data=values, track_times=False)
    dataset.attrs["units"] = unit
