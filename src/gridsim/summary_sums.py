"""What the summary needs of the hours, summed block by block: no year of a wide series is ever in memory as a whole.

A block is `CHUNK_H` steps (the last may be shorter) of the datasets in `PATHS`. The blocks of a run are the same when
it is written and when it is read, and so are the sums, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridsim.schema import CAUSES, CHUNK_H, CLEAN_TECHS, DATASETS, WEATHER_TECHS, WIND_TECHS

if TYPE_CHECKING:
    from gridsim.results import ResultsReader

OWN = CAUSES.index("own")
OF_SYSTEM = [CAUSES.index(name) for name in ("ramp", "reserve", "system")]

# Dimensions that are wide: of all other series, and these sums of the wide ones, every step is kept.
_WIDE = {"unit", "source", "store", "load", "bus", "branch", "interface"}
_SUMMED = (
    *("commitment/on", "commitment/start", "dispatch/unit_p_mw", "dispatch/load_mw", "unserved/load_mw"),
    *("dispatch/source_available_mw", "curtailment/source_mw", "curtailment/cause_mw", "spill/bus_mw"),
    *("storage/charge_mw", "storage/discharge_mw", "storage/demand_mw"),
    *("flow/branch_overload_mw", "flow/interface_overload_mw", "realtime/called", "realtime/lost"),
)
_NARROW = tuple(
    d
    for d in DATASETS
    if d.per_hour and not _WIDE & set(d.dims) and d.group not in ("security", "ac") and d.path != "flow/rating_share"
)
_READ = ("dispatch/source_p_mw", "curtailment/section_element", "curtailment/n1_element")
_ONE_WIDE = 9  # sums over elements that are kept by the step, beside consumption by zone
PATHS = (*_SUMMED, *_READ, *(d.path for d in _NARROW))

Block = Mapping[str, NDArray[Any]]


class Sums:
    """Of the blocks added so far. MW stay MW: whoever wants energy multiplies by the length of a step."""

    def __init__(self, run: ResultsReader):
        units, sources = run.table("units"), run.table("sources")
        zone_of_bus = run.table("buses")["zone"].astype(str).to_numpy()
        zones = np.array(run.names("zone"))
        tech = sources["tech"].astype(str).to_numpy()
        weather = sources["curtailable"].to_numpy(dtype=bool) & np.isin(tech, WEATHER_TECHS)
        self._groups = {"weather": weather, "pv": tech == "pv", "wind": np.isin(tech, WIND_TECHS)}
        self._clean_unit = units["tech"].isin(CLEAN_TECHS).to_numpy(dtype=float)
        self._clean_source = sources["clean_share"].to_numpy(dtype=float)
        self._zone_of = {
            table: (zone_of_bus[run.table(table)["bus_row"].to_numpy(dtype=int)][:, None] == zones).astype(float)
            for table in ("loads", "stores")
        }
        self._totals: dict[str, Any] = {"blamed": np.zeros(len(run.names("branch")) + len(run.names("interface")))}
        self._series: dict[str, list[NDArray[Any]]] = {}

    def total(self, name: str) -> Any:
        """Sum over all steps, by element."""
        return self._totals[name] if name in self._totals else self.series(name).sum(axis=0)

    def series(self, name: str) -> NDArray[Any]:
        """All steps of a narrow dataset, or of a sum over elements."""
        return np.concatenate(self._series[name])

    def add(self, block: Block) -> None:
        """The next steps."""
        for path in _SUMMED:
            self._add(path, block[path].sum(axis=0))
        for d in _NARROW:
            if d.path in block:  # older files lack what is new
                self._keep(d.path, block[d.path].copy())
        self._add_sources(block)
        self._add_causes(block)
        load, shed = block["dispatch/load_mw"], block["unserved/load_mw"]
        self._keep("load", load.sum(axis=1))
        self._keep("unserved", shed.sum(axis=1))
        demand = block["storage/demand_mw"] @ self._zone_of["stores"]
        self._keep("consumption", (load - shed) @ self._zone_of["loads"] + demand)

    def _add_sources(self, block: Block) -> None:
        unit, source = block["dispatch/unit_p_mw"], block["dispatch/source_p_mw"]
        fed = np.maximum(source, 0.0)
        self._add("taken", (fed - source).sum(axis=0))
        self._keep("clean", unit @ self._clean_unit + fed @ self._clean_source)
        self._keep("fed", unit.sum(axis=1) + fed.sum(axis=1))

    def _add_causes(self, block: Block) -> None:
        cause_mw, total = block["curtailment/cause_mw"], block["curtailment/source_mw"]
        offered = block["dispatch/source_available_mw"] + cause_mw[:, :, OWN]
        there = block["dispatch/source_p_mw"] + total - cause_mw[:, :, OWN]
        for name in ("wind", "pv"):
            self._keep(name, there[:, self._groups[name]].sum(axis=1))
        weather = self._groups["weather"]
        self._keep("weather_offered", offered[:, weather].sum(axis=1))
        self._keep("weather_curtailed", total[:, weather].sum(axis=1))
        self._keep("turned_down", cause_mw[:, :, OF_SYSTEM].sum(axis=(1, 2)) + block["spill/bus_mw"].sum(axis=1))
        for cause, path in (("section", "section_element"), ("n1", "n1_element")):
            mw, element = cause_mw[:, :, CAUSES.index(cause)], block[f"curtailment/{path}"]
            there = (mw > 0.0) & (element >= 0)
            np.add.at(self._totals["blamed"], element[there], mw[there])

    def _add(self, name: str, values: Any) -> None:
        self._totals[name] = self._totals[name] + values if name in self._totals else values

    def _keep(self, name: str, values: NDArray[Any]) -> None:
        self._series.setdefault(name, []).append(values)


def step_bytes(dims: Mapping[str, Sequence[Any]]) -> float:
    """What `Sums` keeps of each step, of a run with these dimensions."""
    widths = [math.prod(len(dims[name]) for name in d.dims[1:]) * np.dtype(d.dtype).itemsize for d in _NARROW]
    return float(sum(widths) + 8 * (_ONE_WIDE + len(dims["zone"])))


def sums_of(run: ResultsReader) -> Sums:
    """Of a file that has all hours."""
    sums = Sums(run)
    for first in range(0, run.steps, CHUNK_H):
        rows = slice(first, first + CHUNK_H)
        sums.add({path: run.rows(path, rows) for path in PATHS if path in run})
    return sums


def ratio(part: Any, whole: Any) -> float:
    """Share of a whole, 0 of nothing."""
    return float(part) / float(whole) if whole > 0.0 else 0.0
