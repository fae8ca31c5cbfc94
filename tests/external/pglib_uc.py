"""Instances of power-grid-lib/pglib-uc: a reader, a relaxation for starting prices and the dispatch, both in HiGHS."""

import json
from typing import Any, NamedTuple

import highspy
import numpy as np
from scipy import sparse

from gridsim.kernels import bundle, single

INF = highspy.kHighsInf


class Instance(NamedTuple):
    units: single.SingleUnits
    system: bundle.Demand


def read(path: Any) -> Instance:
    with open(path) as file:
        data = json.load(file)
    T = int(data["time_periods"])
    rows = list(data["thermal_generators"].values())
    n = len(rows)

    def column(key: str) -> np.ndarray:
        return np.array([float(g[key]) for g in rows])

    p_min = column("power_output_minimum")
    on0 = column("unit_on_t0") > 0.5
    hours0 = np.where(on0, column("time_up_t0"), column("time_down_t0")).astype(np.int64)
    width, cost, first, base = [], [], [0], []
    for g in rows:
        points = g["piecewise_production"]
        base.append(points[0]["cost"])
        for a, b in zip(points, points[1:], strict=False):
            if b["mw"] > a["mw"]:
                width.append(b["mw"] - a["mw"])
                cost.append((b["cost"] - a["cost"]) / (b["mw"] - a["mw"]))
        first.append(len(width))
    start, start0 = single.start_tables([[(s["lag"], s["cost"]) for s in g["startup"]] for g in rows], on0, hours0, T)
    seg_first = np.array(first, dtype=np.int64)
    cap = np.array([sum(width[a:b]) for a, b in zip(first, first[1:], strict=False)])
    units = single.SingleUnits(
        p_min=p_min, cost=np.array(base), seg_first=seg_first, seg_width=np.array(width), seg_cost=np.array(cost),
        cap=cap, ramp_up=column("ramp_up_limit"), ramp_down=column("ramp_down_limit"),
        start_ramp=np.maximum(column("ramp_startup_limit") - p_min, 0.0),
        stop_ramp=np.maximum(column("ramp_shutdown_limit") - p_min, 0.0), up_limit=np.full(n, np.inf),
        down_limit=np.zeros(n), in_ramp=np.ones(n, dtype=bool), must_run=column("must_run") > 0.5,
        min_up=np.maximum(column("time_up_minimum"), 1).astype(np.int64),
        min_down=np.maximum(column("time_down_minimum"), 1).astype(np.int64), on0=on0, hours0=np.maximum(hours0, 1),
        q0=np.where(on0, column("power_output_t0") - p_min, 0.0), avail=np.ones((T, n), dtype=bool),
        start_cost=start, start_cost0=start0, same=np.arange(n),
    )  # fmt: skip
    units = units._replace(same=single.twins(units, np.zeros(n, dtype=np.int64)))
    lo, hi = np.zeros((2, T))
    for g in data["renewable_generators"].values():
        lo += np.array(g["power_output_minimum"])
        hi += np.array(g["power_output_maximum"])
    none = np.zeros((T, n))
    return Instance(units, bundle.Demand(np.array(data["demand"]), np.array(data["reserves"]), lo, hi, none, none))
