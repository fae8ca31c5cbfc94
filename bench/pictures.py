"""The two pictures of the benchmarks: how often HiGHS's time is the kernel's, and how times grow."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # the backend is chosen first

RATIOS, GROWTH = "benchmarks_ratios.png", "benchmarks_growth.png"
LABELS = {
    "relaxed": "relaxed commitment\n(one solve)",
    "commitment": "whole commitment\n(relax, round, fix)",
    "fixed": "dispatch, units given\n(lazy lines)",
    "lp": "no commitment\n(lazy lines)",
}
KERNEL, HIGHS = "#1b6ca8", "#c8553d"


def draw(found: dict[str, Any], folder: Path) -> list[str]:
    """Draw what there is; names of the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    parts, names = found["parts"], []
    there = [name for name in LABELS if name in parts]
    if there:
        _ratios({name: [row["ratio"] for row in parts[name]["rows"]] for name in there}, folder / RATIOS)
        names.append(RATIOS)
    if "growth" in parts:
        _growth(parts["growth"], folder / GROWTH)
        names.append(GROWTH)
    return names


def _plain(value: float, _: int) -> str:
    return f"{value:g}"


def _ratios(ratios: dict[str, list[float]], path: Path) -> None:
    fig, ax = plt.subplots(figsize=(7.5, 1.2 + 0.8 * len(ratios)), layout="constrained")
    names = list(ratios)[::-1]
    for place, name in enumerate(names):
        values = ratios[name]
        ax.plot(values, [place] * len(values), "|", color=KERNEL, markersize=14, alpha=0.6)
        ax.plot(np.median(values), place, "o", color=KERNEL)
    ax.axvline(1.0, color="black", linewidth=0.8)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(_plain)
    ax.set_yticks(range(len(names)), [LABELS[name] for name in names])
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.set_xlabel("CPU time of HiGHS at its best over that of gridsim (left of 1: HiGHS is faster)")
    ax.grid(axis="x", alpha=0.25)
    fig.savefig(path, dpi=130)
    plt.close(fig)


def _growth(growth: dict[str, Any], path: Path) -> None:
    kinds = (("hours", "hours in the window"), ("units", "groups of units"), ("buses", "buses"))
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    for ax, (kind, label) in zip(axes, kinds, strict=True):
        rows = [row for row in growth[kind] if row.get("kernel_s")]
        ax.plot([row["size"] for row in rows], [row["kernel_s"] for row in rows], "o-", color=KERNEL, label="gridsim")
        stopped = [row for row in rows if not row.get("kernel_done", True)]
        ax.plot(
            [row["size"] for row in stopped], [row["kernel_s"] for row in stopped], "^", color=KERNEL, markersize=12,
            fillstyle="none", label="stopped there" if stopped else None,
        )  # fmt: skip
        solved = [row for row in rows if row["highs_s"]]
        ax.plot(
            [row["size"] for row in solved], [row["highs_s"] for row in solved], "s--", color=HIGHS,
            label="HiGHS",
        )  # fmt: skip
        ax.set_xscale("log")
        ax.set_yscale("log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(_plain)
            axis.set_minor_formatter("")
        sizes = [row["size"] for row in rows]
        ax.set_xticks(sizes, [str(size) for size in sizes], fontsize=8)
        ax.margins(0.15)
        ax.set_xlabel(label)
        ax.grid(which="both", alpha=0.25)
        ax.legend()
    axes[0].set_ylabel("CPU s, relaxed window")
    fig.savefig(path, dpi=130)
    plt.close(fig)
