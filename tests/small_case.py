"""A small case and blocks of random results for it: something to write, not something to simulate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim import case as c
from gridsim.results import ResultsWriter, WindowReport
from gridsim.results_frame import dims_of
from gridsim.scenario import Horizon, Scenario
from gridsim.schema import DATASETS

TEXT = {"zone", "tech", "fuel", "element", "end_rule", "component"}
FLAGS = {"must_run", "curtailable", "reserve_up", "reserve_down", "quick_start"}
FROM_CASE = (  # what the writer takes from the case when the block leaves it out
    "dispatch/source_min_mw",
    "dispatch/source_available_mw",
    "dispatch/load_mw",
    "commitment/available",
    "dispatch/source_own_mw",
    "dispatch/unit_floor_mw",
    "dispatch/unit_ceiling_mw",
    "storage/inflow_mw",
    *(f"storage/{name}" for name in c.StoreLimits._fields),
    "reserve/need_mw",
    "curtailment/source_mw",
)


def table(columns: Sequence[str], names: list[str], tech: Sequence[str] = ()) -> pd.DataFrame:
    n = len(names)
    out: dict[str, Any] = {}
    for column in columns:
        if column == "name":
            out[column] = names
        elif column == "tech":
            out[column] = list(tech)
        elif column in TEXT:
            out[column] = [f"{column} {i % 2}" for i in range(n)]
        elif column in FLAGS:
            out[column] = np.ones(n, dtype=bool)
        elif column.endswith("_row") or column in ("element_index", "bus_id", "units"):
            out[column] = np.arange(n)
        else:
            out[column] = np.linspace(1.0, 2.0, n)
    return pd.DataFrame(out, columns=list(columns))


def small_case(hours: int = 60, seed: int = 0) -> c.Case:
    """Two units, three sources, one store, two loads, two buses called the same, one branch, no link, no interface."""
    r = np.random.default_rng(seed)
    need = r.random((hours, 2))
    return c.Case(
        name="small",
        currency="EUR",
        start=np.datetime64("2024-02-28T00", "h"),
        utc_offset_h=1.0,
        hours=hours,
        buses=table(c.BUS_COLUMNS, ["Nantong 南通", "Nantong 南通"]),
        loads=table(c.LOAD_COLUMNS, ["a", "b"]),
        units=table(c.UNIT_COLUMNS, ["G1", "G2"], ["coal", "geothermal"]),
        sources=table(c.SOURCE_COLUMNS, ["w", "p", "i"], ["wind_offshore", "pv", "import"]).assign(
            curtailable=[True, True, False]
        ),
        stores=table(c.STORE_COLUMNS, ["s"], ["battery"]),
        branches=table(c.BRANCH_COLUMNS, ["l"]),
        links=table(c.LINK_COLUMNS, []),
        interfaces=table(c.INTERFACE_COLUMNS, []),
        shifters=table(c.SHIFTER_COLUMNS, []),
        products=pd.DataFrame(
            [("up", "up", np.inf, True), ("down", "down", np.inf, True)], columns=list(c.PRODUCT_COLUMNS)
        ),
        load_mw=r.random((hours, 2)) * 1000,
        unit_available=np.full((hours, 2), 2),
        unit_floor_mw=np.ones((hours, 2)),
        unit_ceiling_mw=np.ones((hours, 2)),
        unit_seg_mw=np.ones((2, 3)),
        unit_seg_cost=np.ones((2, 3)),
        unit_min_cost=np.ones(2),
        unit_start_lag_h=np.zeros((2, 1), dtype=np.int64),
        unit_start_cost=np.ones((2, 1)),
        source_min_mw=np.zeros((hours, 3)),
        source_max_mw=r.random((hours, 3)) * 1000,
        source_own_mw=np.zeros((hours, 3)),
        store_inflow_mw=np.zeros((hours, 1)),
        store_limits=c.StoreLimits(*np.ones((4, hours, 1))),
        interface_weight=np.zeros((0, 1)),
        reserve_up_mw=need[:, 0],
        reserve_down_mw=need[:, 1],
        product_need_mw=need,
        unit_response_mw=np.ones((2, 2)),
        unit_offline_mw=np.zeros((2, 2)),
        source_responds=np.zeros((3, 2), dtype=bool),
        notes=(c.ElementNote("shunt", 3, "s3", "ignored", "no reactive power here"),),
        net_json='{"a": 1}',
    )


def small_scenario(hours: int = 60) -> Scenario:
    return Scenario(name="small", horizon=Horizon(start="2024-02-28", hours=hours))


def block(case: c.Case, kept: int, seed: int) -> dict[str, NDArray[Any]]:
    """Random values of every dataset that a simulation has to give."""
    r = np.random.default_rng(seed)
    dims = dims_of(case, small_scenario(case.hours))
    out: dict[str, NDArray[Any]] = {}
    for d in DATASETS:
        if d.per_hour and d.path not in FROM_CASE:
            shape = (kept, *(len(dims[x]) for x in d.dims[1:]))
            low, high = (-1, 1) if d.group == "curtailment" else (0, 3)  # rows of the one branch, and none
            out[d.path] = r.integers(low, high, shape) if d.dtype.startswith("int") else r.random(shape) * 1000
    return out


def of_days(case: c.Case, days: int) -> dict[str, NDArray[Any]]:
    """Every dataset by day, counted up."""
    dims = dims_of(case, small_scenario(case.hours))
    shapes = {d.path: (days, *(len(dims[x]) for x in d.dims[1:])) for d in DATASETS if d.dims[0] == "day"}
    return {path: np.broadcast_to(np.arange(days).reshape(-1, *[1] * (len(s) - 1)), s) for path, s in shapes.items()}


def report(index: int, first_hour: int, kept: int, **values: Any) -> WindowReport:
    given = {"cost": 1000.0, "bound": 990.0 - index, "gap": (10.0 + index) / 1000.0, "cpu_s": 0.1} | values
    return WindowReport(index=index, count=3, first_hour=first_hour, hours=48, kept=kept, **given)


def write_small(path: Path, hours: int = 60, seed: int = 0, run: Any = None, **options: Any) -> Any:
    """Write a whole file; returns its summary. `run`: numbers of the execution, or a function that has them."""
    case, scenario = small_case(hours), small_scenario(hours)
    with ResultsWriter.open(path, case, scenario, **options) as writer:
        for index, window in list(enumerate(scenario.windows()))[len(writer.windows) :]:
            data = block(case, window.kept, seed + index)
            writer.append(data, window.first_hour, report(index, window.first_hour, window.kept))
        days = -(-hours // 24)
        for name, values in of_days(case, days).items():
            writer.write(name, values)
        return writer.finish(
            run if callable(run) else lambda: run or {"cpu_s": 1.0, "wall_s": 2.0, "compile_s": 3.0, "peak_rss_mb": 4.0}
        )
