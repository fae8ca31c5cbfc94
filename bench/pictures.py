"""The two pictures of the benchmarks: how often HiGHS's time is the kernel's, and how times grow."""

from pathlib import Path
from typing import Any

import matplotlib

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


def _ratios(ratios: dict[str, list[float]], path: Path) -> None:
    fig, ax = plt.subplots(figsize=(7.5, 1.2 + 0.8 * len(ratios)), layout="constrained")
    names = list(ratios)[::-1]
    for place, name in enumerate(names):
        values = sorted(ratios[name])
        ax.plot(values, [place] * len(values), "|", color=KERNEL, markersize=14, alpha=0.6)
        ax.plot(values[len(values) // 2], place, "o", color=KERNEL)
    ax.axvline(1.0, color="black", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_yticks(range(len(names)), [LABELS[name] for name in names])
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.set_xlabel("CPU time of HiGHS at its best over that of gridsim (left of 1: HiGHS is faster)")
    ax.grid(axis="x", which="both", alpha=0.25)
    fig.savefig(path, dpi=130)
    plt.close(fig)


def _growth(growth: dict[str, Any], path: Path) -> None:
    kinds = (("hours", "hours in the window"), ("units", "groups of units"), ("buses", "buses"))
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    for ax, (kind, label) in zip(axes, kinds, strict=True):
        rows = [row for row in growth[kind] if row.get("kernel_s")]
        ax.plot([row["size"] for row in rows], [row["kernel_s"] for row in rows], "o-", color=KERNEL, label="gridsim")
        solved = [row for row in rows if row["highs_s"]]
        ax.plot(
            [row["size"] for row in solved], [row["highs_s"] for row in solved], "s--", color=HIGHS,
            label="HiGHS, cold, presolve",
        )  # fmt: skip
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(label)
        ax.grid(which="both", alpha=0.25)
    axes[0].set_ylabel("CPU s, relaxed window")
    axes[0].legend()
    fig.savefig(path, dpi=130)
    plt.close(fig)
