"""The map: loading of every line and balance of every city, hour by hour."""

from typing import Any

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import Chart, Option, Payload, named
from gridsim.palette import FloatArray
from gridsim.plots_data import EXTERNAL, frame

MOST_BYTES = 6_000_000  # of loadings: a larger network is shown every second, third ... hour
MOST_PERCENT = 127  # a byte's worth, in either direction


def charts(run: Hours, page: Payload) -> list[Chart]:
    """None where fewer than two places are known."""
    buses = run.run.table("buses")
    lat, lon = (buses[c].to_numpy(dtype=float) for c in ("lat_deg", "lon_deg"))
    known = np.isfinite(lat) & np.isfinite(lon)
    zone = buses["zone"].astype(str).to_numpy()
    branches, links = run.run.table("branches"), run.run.table("links")
    begin, end = (
        np.concatenate([branches[c].to_numpy(dtype=int), links[c].to_numpy(dtype=int)]) for c in ("from_row", "to_row")
    )
    most = np.maximum(np.abs(links["p_min_mw"].to_numpy(dtype=float)), links["p_max_mw"].to_numpy(dtype=float))
    rating = np.concatenate([branches["rating_mw"].to_numpy(dtype=float), most])
    flow = np.hstack([run.read("flow/branch_p_mw"), run.read("dispatch/link_p_mw")])
    drawn = known[begin] & known[end] & np.isfinite(rating) & (rating > 0.0)
    drawn &= np.hypot(lat[begin] - lat[end], lon[begin] - lon[end]) > 0.0
    if not drawn.any():
        return []
    every = -(-run.number * int(drawn.sum()) // MOST_BYTES)
    loading = np.clip(np.rint(100.0 * flow[::every, drawn] / rating[drawn]), -MOST_PERCENT, MOST_PERCENT)
    page.put("map.loading", loading, "i1")
    inside = known & (zone != EXTERNAL)
    cities = [z for z in run.zones if (inside & (zone == z)).any()] if inside.any() else []
    balance = np.stack([_export(flow, zone[begin] == z, zone[end] == z) for z in cities], axis=1) if cities else None
    if balance is not None:
        page.put("map.balance", balance[::every])
    box = frame(lat[inside if inside.sum() >= 2 else known], lon[inside if inside.sum() >= 2 else known])
    names = [*branches["name"].astype(str), *links["name"].astype(str)]
    spec = {
        "every": every,
        "box": list(box),
        "lines": [
            {"name": names[k], "rating": round(float(rating[k]), 1), "from": str(buses["name"][begin[k]]),
             "to": str(buses["name"][end[k]]), "x": [lon[begin[k]], lon[end[k]]], "y": [lat[begin[k]], lat[end[k]]]}
            for k in np.flatnonzero(drawn)
        ],
        "buses": {"x": lon[known].tolist(), "y": lat[known].tolist(), "name": buses["name"][known].astype(str).tolist(),
                  "kv": buses["vn_kv"][known].astype(float).tolist()},
        "cities": _cities(cities, zone[inside], lon[inside], lat[inside], box),
    }  # fmt: skip
    hours = [("@day.loading", int(np.abs(flow[:, drawn] / rating[drawn]).mean(axis=1).argmax()))]
    hours += [("@day.peak_hour", int(run.load.argmax()))]
    if run.curtailed.any():
        hours.append(("@day.curtailed_hour", int(run.curtailed.argmax())))
    return [Chart("map", [Option(spec)], height=760, presets=hours, kind="map", start=("hour", hours[0][1]))]


def _export(flow: FloatArray, begins: np.ndarray, ends: np.ndarray) -> FloatArray:
    """What flows out of a city less what flows in."""
    return flow[:, begins].sum(axis=1) - flow[:, ends].sum(axis=1)


def _cities(
    names: list[str], zone: np.ndarray, lon: FloatArray, lat: FloatArray, box: tuple[float, float, float, float]
) -> list[dict[str, Any]]:
    """Middles of the cities, and the side of it on which a city's text meets fewest of those placed before."""
    wide, high = 0.07 * (box[1] - box[0]), 0.02 * (box[3] - box[2])  # half of a text
    sides = {"top center": (0, 1.6), "bottom center": (0, -1.6), "middle right": (1.3, 0), "middle left": (-1.3, 0)}
    middles = {name: (float(lon[zone == name].mean()), float(lat[zone == name].mean())) for name in names}
    placed = list(middles.values())  # texts stay clear of all circles
    found = []
    for name, (x, y) in middles.items():
        spots = {side: (x + dx * wide, y + dy * high) for side, (dx, dy) in sides.items()}
        met = {
            side: sum(abs(a - c) < 2.0 * wide and abs(b - d) < 2.0 * high for c, d in placed)
            for side, (a, b) in spots.items()
        }
        side = min(met, key=met.__getitem__)
        placed.append(spots[side])
        found.append({"name": named("zone", name), "x": round(x, 4), "y": round(y, 4), "at": side})
    return found
