"""What capacity credits need of years that are walked again and again: as little as will do, where they were drawn.

A block of the built-in grid takes some 25 MB: series by area, stores once for all draws of a weather, and of each draw
only the stores that were out.
"""

from typing import NamedTuple

import numpy as np

from gridsim.adequacy.years import CREDITED, Draws, Weather, capacity_mw, contribution, run_walk, stores_left
from gridsim.kernels import adequacy as kernel
from gridsim.kernels.jit import BoolArray, FloatArray, IntArray


class Part(NamedTuple):
    """A class of `CREDITED` in one year."""

    gives_mw: FloatArray  # (T, A) what it adds to the margin, stores aside
    installed_mw: FloatArray  # (A,)
    stores: BoolArray  # (nst,) its own


class Kept(NamedTuple):
    """One year."""

    load_mw: FloatArray
    inside: BoolArray
    dt_h: float
    stores: kernel.Stores  # all in service
    start_mwh: FloatArray
    margin_mw: FloatArray
    limit_mw: FloatArray  # (1, K) of the cuts in most steps
    narrow: IntArray  # steps in which something is out
    narrow_mw: FloatArray  # (narrow, K)
    moving: IntArray  # stores that were out at times
    left: FloatArray  # (T, moving) what was left of them, p.u.
    parts: dict[str, Part]


_KEPT: dict[int, list[Kept]] = {}  # of this process, by block


def keep(number: int, weather: Weather, draws: Draws) -> None:
    """Remember a year of a block, the years in their order."""
    before = _KEPT.setdefault(number, [])
    same = before[-1] if before and before[-1].load_mw is weather.load_mw else None
    usual = draws.limit_mw.max(axis=0, keepdims=True)  # outages only narrow it
    narrow = np.flatnonzero((draws.limit_mw < usual).any(axis=1))
    moving = np.flatnonzero((draws.left < 1.0).any(axis=0))
    before.append(
        Kept(
            load_mw=weather.load_mw,
            inside=weather.cuts.inside,
            dt_h=weather.case.dt_h,
            stores=weather.stores,
            start_mwh=weather.start_mwh,
            margin_mw=draws.margin_mw,
            limit_mw=usual,
            narrow=narrow,
            narrow_mw=draws.limit_mw[narrow],
            moving=moving,
            left=np.ascontiguousarray(draws.left[:, moving]),
            parts={what: _part(weather, draws, what, same) for what in CREDITED},
        )
    )


def forget() -> None:
    _KEPT.clear()


def _part(weather: Weather, draws: Draws, what: str, same: Kept | None) -> Part:
    mine = weather.case.sources["tech"].isin(CREDITED[what]).to_numpy()
    stores = weather.case.stores["tech"].isin(CREDITED[what]).to_numpy()
    if same is not None and not (mine & weather.failing).any():
        return same.parts[what]
    return Part(contribution(weather, draws, what), capacity_mw(weather, what), stores)


def without(number: int, what: str, firm_share: float) -> list[float]:
    """EENS of the years of a block with `firm_share` of a class as firm capacity in its place. [MWh]

    Firm capacity stands where the class does, in proportion to what is installed there.
    """
    out = []
    for year in _KEPT[number]:
        part = year.parts[what]
        left = np.ones((len(year.margin_mw), year.start_mwh.size))
        left[:, year.moving] = year.left
        there = np.flatnonzero(~part.stores)
        stores = _some(stores_left(year.stores, left), there)
        margin = year.margin_mw - part.gives_mw + firm_share * part.installed_mw
        limit = np.repeat(year.limit_mw, len(margin), axis=0)
        limit[year.narrow] = year.narrow_mw
        walk = run_walk(margin, year.load_mw, year.inside, limit, stores, year.start_mwh[there], year.dt_h)
        out.append(float(walk.shed_mw.sum(axis=1).sum() * year.dt_h))
    return out


def installed(number: int) -> dict[str, float]:
    """Capacity of every class, as in the first year of a block. [MW]"""
    return {what: float(part.installed_mw.sum()) for what, part in _KEPT[number][0].parts.items()}


def _some(stores: kernel.Stores, there: IntArray) -> kernel.Stores:
    return kernel.Stores(*[np.ascontiguousarray(field[..., there]) for field in stores])  # type: ignore[arg-type]
