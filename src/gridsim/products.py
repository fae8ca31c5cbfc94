"""Reserve products: what each asks in every hour, and what every unit and source can give to it.

``[reserve]`` makes the products "up" and "down" (spinning, system-wide, without a time limit), ``[[reserve.product]]``
one each. Requirements are stacked: a MW of response serves one system-wide product, so the row of such a product asks
for its own requirement plus those of all faster system-wide products of its direction (smaller `within_min`; of equal
ones, the one listed earlier). A product with zones asks for its own requirement only.

Windows that are planned on forecasts with errors have one more, "forecast", up and without a need to spin, the slowest
of all. What it asks is said when the forecast is (`gridsim.clocks`); in the hour itself it asks for nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from gridsim.case import PRODUCT_COLUMNS
from gridsim.errors import Problem
from gridsim.kernels.jit import BoolArray, FloatArray
from gridsim.scenario import FORECAST_NAME, RESERVE_NAMES, Product, Reserve, check_names
from gridsim.schema import WEATHER_TECHS
from gridsim.series import SeriesReader


class Products(NamedTuple):
    """The fields of `Case` about reserve products; np products."""

    table: pd.DataFrame  # PRODUCT_COLUMNS
    own_mw: FloatArray  # (n, np) requirement of each by itself
    need_mw: FloatArray  # (n, np) what its row asks for
    unit_response_mw: FloatArray  # (nu, np)
    unit_offline_mw: FloatArray  # (nu, np)
    source_responds: BoolArray  # (ns, np)


class _Asked(NamedTuple):
    """One product in the terms of the case."""

    name: str
    direction: str
    within_min: float
    spinning: bool
    techs: tuple[str, ...]
    zones: tuple[str, ...]


def own_requirements(
    reserve: Reserve, load_mw: FloatArray, source_max_mw: FloatArray, source_tech: Sequence[str], reader: SeriesReader
) -> FloatArray:
    """Requirement of every product by itself, (n, 2 + listed products), "up" and "down" first. [MW]

    max(minimum, share of load + share of available wind and PV), plus the product's series.
    """
    renewable = np.array([tech in WEATHER_TECHS for tech in source_tech], dtype=bool)
    load, green = load_mw.sum(axis=1), source_max_mw[:, renewable].sum(axis=1)
    shares = [
        (reserve.up_min_mw, reserve.up_load_share, reserve.up_renewable_share),
        (0.0, reserve.down_load_share, reserve.down_renewable_share),
        *((p.min_mw, p.load_share, p.renewable_share) for p in reserve.product),
    ]
    own = np.stack([np.maximum(least, a * load + b * green) for least, a, b in shares], axis=1)
    for k, product in enumerate(reserve.product, start=2):
        if product.series:
            own[:, k] += _series_mw(product, reader)
    return own


def _series_mw(product: Product, reader: SeriesReader) -> FloatArray:
    """The series of a product, (n,); what is wrong with it goes to the reader's problems. [MW]"""
    series = reader.get(product.series, f"reserve product {product.name}")
    if series is None:
        return np.zeros(reader.steps)
    if series.unit != "MW":
        reader.once(product.series, f"must be in MW as the requirement of reserve product {product.name}")
    if (series.values < 0).any():
        reader.complain(product.series, series.values < 0, "must not be negative as a requirement", series.values)
    return series.values


def check_products(reserve: Reserve, techs: Iterable[str], zones: Iterable[str]) -> list[Problem]:
    """Techs and zones that the network does not have."""
    problems, known, places = [], sorted(techs), sorted({zone for zone in zones if zone})
    for number, product in enumerate(reserve.product, start=1):
        where = f"scenario: reserve.product.{number}"
        problems += check_names(f"{where}.techs", product.techs, known, "a tech of the network")
        problems += check_names(f"{where}.zones", product.zones, places, "a zone of the network")
    return problems


def make_products(
    reserve: Reserve,
    own_mw: FloatArray,
    units: pd.DataFrame,
    response_mw_per_min: FloatArray,
    sources: pd.DataFrame,
    *,
    forecast: Literal["", "spinning", "standing"] = "",
) -> Products:
    """The products that ask for anything, and "up" and "down".

    With `forecast` there is one for its errors at the end, from what spins, or also from what stands ready.

    Parameters
    ----------
    own_mw : (n, 2 + listed products)
        Of `own_requirements`.
    units, sources : tables of the case
    response_mw_per_min : (nu,)
        Of one unit that is on; inf: no limit. [MW/min]
    """
    asked = [_Asked(way, way, np.inf, True, (), ()) for way in RESERVE_NAMES]
    asked += [
        _Asked(p.name, p.direction, p.within_min, p.spinning, tuple(p.techs), tuple(p.zones)) for p in reserve.product
    ]
    kept = [k for k in range(len(asked)) if k < 2 or own_mw[:, k].any()]
    asked, own_mw = [asked[k] for k in kept], own_mw[:, kept]
    if forecast:
        asked.append(_Asked(FORECAST_NAME, "up", np.inf, forecast == "spinning", (), ()))
        own_mw = np.column_stack((own_mw, np.zeros(len(own_mw))))
    p_min, p_max = (units[column].to_numpy(dtype=np.float64) for column in ("p_min_mw", "p_max_mw"))
    quick = units["quick_start"].to_numpy(dtype=bool)
    response, offline = np.zeros((len(units), len(asked))), np.zeros((len(units), len(asked)))
    responds = np.zeros((len(sources), len(asked)), dtype=bool)
    for k, product in enumerate(asked):
        eligible = _eligible(product, units)
        response[eligible, k] = np.minimum(p_max - p_min, response_mw_per_min * product.within_min)[eligible]
        if not product.spinning:
            offline[:, k] = np.where(eligible & quick, p_max, 0.0)
        responds[:, k] = _eligible(product, sources)
    table = pd.DataFrame([product[:4] for product in asked], columns=list(PRODUCT_COLUMNS))
    return Products(table, own_mw, _stacked(asked, own_mw), response, offline, responds)


def _eligible(product: _Asked, rows: pd.DataFrame) -> BoolArray:
    """Rows of units or sources that may serve: those of its techs, without any those whose column says so."""
    by_tech = rows["tech"].isin(product.techs) if product.techs else rows[f"reserve_{product.direction}"]
    inside = by_tech.to_numpy(dtype=bool)
    return inside & rows["zone"].isin(product.zones).to_numpy(dtype=bool) if product.zones else inside


def _stacked(asked: Sequence[_Asked], own_mw: FloatArray) -> FloatArray:
    """What the rows ask for, (n, np). An hour without a requirement of its own has nothing to ask for."""
    order = sorted(range(len(asked)), key=lambda k: asked[k].within_min)  # stable: ties as listed
    need = own_mw.copy()
    for place, k in enumerate(order):
        if not asked[k].zones:
            faster = [j for j in order[:place] if not asked[j].zones and asked[j].direction == asked[k].direction]
            need[:, k] += np.where(own_mw[:, k] > 0, own_mw[:, faster].sum(axis=1), 0.0)
    return need
