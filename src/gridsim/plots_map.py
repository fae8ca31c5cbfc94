"""The network on its map: buses, lines coloured by mean loading and as wide as their rating, names of the zones."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from gridsim.palette import INK, LOADING_COLOURS, FloatArray, colour_of, count, power_unit
from gridsim.plots_data import EXTERNAL, NotInThisRunError, Year, frame
from gridsim.plots_style import headline, new_figure

LOADING = LinearSegmentedColormap.from_list("loading", LOADING_COLOURS)


def network_map(year: Year) -> Figure:
    """Mean loading of every branch over the run, on a plain map (plate carrée, true at its middle latitude)."""
    buses, branches = year.run.table("buses"), year.run.table("branches")
    lat, lon = buses["lat_deg"].to_numpy(dtype=float), buses["lon_deg"].to_numpy(dtype=float)
    known = np.isfinite(lat) & np.isfinite(lon)
    if known.sum() < 2:
        raise NotInThisRunError("the buses have no coordinates")
    begin, end = branches["from_row"].to_numpy(dtype=int), branches["to_row"].to_numpy(dtype=int)
    rating = branches["rating_mw"].to_numpy(dtype=float)
    drawn = known[begin] & known[end] & np.isfinite(rating) & (rating > 0.0)
    drawn &= np.hypot(lat[begin] - lat[end], lon[begin] - lon[end]) > 0.0
    if not drawn.any():
        raise NotInThisRunError("no branch with a rating joins two places")
    begin, end, rating = begin[drawn], end[drawn], rating[drawn]
    flow = np.abs(year.run.array("flow/branch_p_mw")[:, drawn]).mean(axis=0)
    loading = 100.0 * flow / rating

    outside = (buses["zone"].astype(str) == EXTERNAL).to_numpy()
    inside = known & ~outside
    inside = inside if inside.sum() >= 2 else known
    box = frame(lat[inside], lon[inside])
    height = (box[3] - box[2]) / ((box[1] - box[0]) * np.cos(np.deg2rad(0.5 * (box[2] + box[3]))))
    width_in = 8.6
    figure = new_figure(width_in, float(np.clip(0.84 * width_in * height + 1.0, 4.0, 11.0)))
    axes = figure.subplots()
    axes.set_xlim(box[0], box[1])
    axes.set_ylim(box[2], box[3])
    axes.set_aspect(1.0 / np.cos(np.deg2rad(0.5 * (box[2] + box[3]))))

    order = np.argsort(loading, kind="stable")
    top = max(10.0 * np.ceil(loading.max() / 10.0), 10.0)
    ends = [[(lon[i], lat[i]), (lon[j], lat[j])] for i, j in zip(begin[order], end[order], strict=True)]
    lines = LineCollection(
        ends, linewidths=thickness(rating[order], rating.max()), cmap=LOADING, norm=Normalize(0.0, top),
        capstyle="round", zorder=2,
    )  # fmt: skip
    lines.set_array(loading[order])
    axes.add_collection(lines)
    handles = draw_links(axes, year.run.table("links"), lat, lon, known)
    handles += draw_buses(axes, buses, known & ~outside, known & outside)
    scale, unit = power_unit(rating)
    steps = sorted({float(f"{q:.1g}") for q in np.quantile(rating, [0.05, 0.5, 1.0]) / scale})
    handles += [
        Line2D([], [], color="#7a8794", linewidth=float(thickness(np.array([s * scale]), rating.max())[0]),
               label=f"rated {s:g} {unit}")
        for s in steps
    ]  # fmt: skip
    place_names(axes, buses, lat, lon, known & ~outside)
    bar = figure.colorbar(lines, ax=axes, pad=0.02, shrink=0.7, aspect=30)
    bar.set_label("mean loading of the branch [% of its rating]")
    axes.set_xlabel("longitude [deg E]")
    axes.set_ylabel("latitude [deg N]")
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=4, handlelength=2.2)
    worst = int(np.argmax(loading))
    name = branches["name"].to_numpy()[drawn][worst]
    many = count(len(loading), "branch", "branches")
    below = f"{year.name}. {many}; highest mean loading {loading[worst]:.0f} % ({name})"
    headline(figure, f"Mean loading of the network, {year.span}", below)
    return figure


def thickness(rating: FloatArray, top: float) -> FloatArray:
    """Points of line width, from the rating."""
    return 0.7 + 5.0 * np.sqrt(rating / top) ** 1.5


def draw_links(axes: Axes, links: pd.DataFrame, lat: FloatArray, lon: FloatArray, known: Any) -> list[Any]:
    handle = None
    for row in links.itertuples():
        i, j = int(row.from_row), int(row.to_row)
        if known[i] and known[j]:
            (handle,) = axes.plot(
                [lon[i], lon[j]], [lat[i], lat[j]], color=colour_of("battery"), linestyle=(0, (2.5, 1.5)),
                linewidth=2.4, zorder=3, label="embedded DC link",
            )  # fmt: skip
    return [handle] if handle is not None else []


def draw_buses(axes: Axes, buses: pd.DataFrame, inside: Any, outside: Any) -> list[Any]:
    """One marker a voltage level, the highest largest; buses outside as triangles. Legend handles."""
    lat, lon = buses["lat_deg"].to_numpy(dtype=float), buses["lon_deg"].to_numpy(dtype=float)
    vn_kv = np.round(buses["vn_kv"].to_numpy(dtype=float))
    levels = sorted({float(v) for v in vn_kv[inside]}, reverse=True)
    handles = []
    for k, level in enumerate(levels[:4]):
        rest = k == 3 and len(levels) > 4
        ours = inside & (vn_kv <= level if rest else vn_kv == level)
        size, marker = (6.5, "s") if k == 0 and len(levels) > 1 else (3.6, "o")
        label = f"bus {level:,.0f} kV" + (" and below" if rest else "")
        handles += axes.plot(
            lon[ours], lat[ours], marker, color="w", markeredgecolor=INK, markeredgewidth=0.9, markersize=size,
            linestyle="none", zorder=4, label=label,
        )  # fmt: skip
    if outside.any():
        handles += axes.plot(
            lon[outside],
            lat[outside],
            "^",
            color="#8a8a8a",
            markersize=5.5,
            linestyle="none",
            zorder=4,
            label="outside",
        )
    return handles


def place_names(axes: Axes, buses: pd.DataFrame, lat: FloatArray, lon: FloatArray, shown: Any) -> None:
    """Write each zone's name near the middle of its buses, where it covers fewest buses and no other name."""
    zones = buses["zone"].astype(str).to_numpy()
    names = [z for z in sorted(set(zones[shown])) if z not in ("", "nan", "None")]
    if not 1 < len(names) <= 40:
        return
    west, east, south, north = (*axes.get_xlim(), *axes.get_ylim())
    # size of a character in degrees, for a map about 6.5 in wide
    wide, high = 0.0115 * (east - west), 0.024 * (east - west) * np.cos(np.deg2rad(0.5 * (south + north)))
    taken: list[tuple[float, float, float, float]] = []
    for name in names:
        ours = shown & (zones == name)
        x0, y0 = float(lon[ours].mean()), float(lat[ours].mean())
        half = (0.5 * wide * (len(name) + 1), 0.5 * high)
        best: tuple[float, float, float] | None = None
        for dx in np.linspace(-3.0, 3.0, 13):
            for dy in np.linspace(-6.0, 6.0, 25):
                x, y = x0 + dx * half[0] * 0.6, y0 + dy * half[1]
                if not (west + half[0] < x < east - half[0] and south + half[1] < y < north - half[1]):
                    continue
                covered = np.sum((np.abs(lon[shown] - x) < 1.1 * half[0]) & (np.abs(lat[shown] - y) < 1.3 * half[1]))
                clash = sum(abs(x - a) < half[0] + c and abs(y - b) < half[1] + d for a, b, c, d in taken)
                price = 3.0 * covered + 50.0 * clash + 0.35 * (dx**2 + 0.5 * dy**2)
                if best is None or price < best[0]:
                    best = (float(price), float(x), float(y))
        if best is None:
            continue
        taken.append((best[1], best[2], *half))
        axes.text(
            best[1], best[2], name, ha="center", va="center", fontsize=9.5, fontweight="bold", color=INK, zorder=6,
            path_effects=[withStroke(linewidth=2.8, foreground="w", alpha=0.9)],
        )  # fmt: skip
