"""Charts of the certificate: how far each window may be from its best schedule, and what it took to solve."""

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import Chart, Option, Payload, axis, figure, line
from gridsim.palette import INK, RED, colour_of

STATUS = {0: "circle", 1: "diamond", 2: "triangle-up", 3: "x"}


def charts(run: Hours, page: Payload) -> list[Chart]:
    windows = run.run.table("windows")
    begins = [f"{t:%Y-%m-%dT%H:00}" for t in run.time[windows["first_hour"].to_numpy()]]
    gap = 100.0 * windows["gap"].to_numpy()
    status = windows["status"].to_numpy()
    marks = {
        "type": "scatter", "mode": "markers", "x": begins, "y": page.put("windows.gap", gap), "name": "@gap",
        "marker": {"size": 5, "color": [RED if s >= 2 else colour_of("wind_offshore") for s in status],
                   "symbol": [STATUS[int(s)] for s in status]},
        "hovertemplate": "%{y:.4f} %",
    }  # fmt: skip
    mean = line("@mean", [begins[0], begins[-1]], [float(gap.mean())] * 2, INK, unit="%", dash="dash")
    seconds = {
        "type": "bar", "x": begins, "y": page.put("windows.cpu_s", np.asarray(run.run.array("timing/window_cpu_s"))),
        "name": "@cpu", "marker": {"color": "#7a8794"}, "hovertemplate": "%{y:.2f} s",
    }  # fmt: skip
    return [
        Chart("gap", [Option(figure([marks, mean], yaxis=axis("@axis.gap", rangemode="tozero")))], wide=False),
        Chart("cpu", [Option(figure([seconds], yaxis=axis("@axis.cpu"), showlegend=False))], wide=False),
    ]
