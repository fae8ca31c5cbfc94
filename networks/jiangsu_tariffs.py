"""Time-of-use tariffs of the Jiangsu grid: the tables of ``tariffs.csv``, own ones, and what a site row says of them.

A tariff is rows of months (``6-8 12``), hours (``14-22``: from the first up to the last, which is left out) and a price
over the flat one. Every hour of every month has one price.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.networks.options import Options
from gridsim.networks.tables import read_table
from gridsim.profiles.character import sentence
from gridsim.profiles.tariffs import HIGHEST, encode

FloatArray = NDArray[np.float64]

COLUMNS = ("months", "hours", "price")


def tariff_table(name: str, where: str = "jiangsu.tariff") -> FloatArray:
    """Relative prices by month and hour, shape (12, 24). Raises InputError for a name that is not there."""
    table = read_table("tariffs")
    if name not in set(table["tariff"]):
        known = ", ".join(dict.fromkeys(table["tariff"]))
        raise InputError("jiangsu", [Problem(where, f"must be one of {known}: got {name}")])
    return _filled("tariffs.csv", table[table["tariff"] == name])


def own_tariff(path: Path) -> FloatArray:
    """`tariff_table` from a CSV file with the columns months, hours and price. Raises InputError with all problems."""
    try:
        table = pd.read_csv(path, dtype={"months": "string", "hours": "string"})
    except (OSError, ValueError) as error:
        raise InputError(
            str(path), [Problem("tariff", f"must be a CSV file: {' '.join(str(error).split())}")]
        ) from None
    missing = [Problem(column, "is missing") for column in COLUMNS if column not in table]
    if missing:
        raise InputError(str(path), missing)
    return _filled(str(path), table)


def tariff_at(options: Options, city: str, own: str | None = None) -> FloatArray | None:
    """What load in a city answers to and is billed at; `own`: that of a local grid there. None: of the weather year."""
    by_city = {str(name): tariff for name, tariff in options.city_tariff.items()}
    if own is not None:
        return tariff_table(own, "jiangsu.local_grid: tariff")
    if city in by_city:
        return tariff_table(by_city[city], f"jiangsu.city_tariff.{city}")
    if options.tariff_file is not None:
        return own_tariff(Path(options.tariff_file))
    return None if options.tariff is None else tariff_table(options.tariff)


def tariff_words(options: Options, city: str, own: str | None = None) -> str:
    """What a site row says of `tariff_at`, a blank before it; nothing where the options change nothing."""
    prices = tariff_at(options, city, own)
    said = sentence(tariff=None if prices is None else encode(prices), elasticity=options.tariff_elasticity)
    return f" {said}" if said else ""


def tariff_problems(options: Options) -> list[Problem]:
    """Names of tariffs that are not there."""
    known = list(dict.fromkeys(read_table("tariffs")["tariff"]))
    asked = {f"city_tariff.{city}": name for city, name in options.city_tariff.items()}
    asked |= {f"local_grid {k}: tariff": grid.tariff for k, grid in enumerate(options.local_grid, 1) if grid.tariff}
    rule = f"must be one of {', '.join(known)}: got "
    return [Problem(where, f"{rule}{name}") for where, name in asked.items() if name not in known]


def _filled(source: str, table: pd.DataFrame) -> FloatArray:
    out, times = np.full((12, 24), np.nan), np.zeros((12, 24), dtype=int)
    problems = []
    for number, row in enumerate(table.to_dict("records"), start=1):
        months, hours = _spans(row["months"], 1, 12), _spans(row["hours"], 0, 24)
        price = _price(row["price"])
        if months is None:
            problems.append(
                Problem(f"row {number}: months", f"must be such as 6-8 12, from 1 to 12: has {row['months']}")
            )
        if hours is None:
            problems.append(Problem(f"row {number}: hours", f"must be such as 8-11 17-22, 0 to 24: has {row['hours']}"))
        if price is None:
            rule = f"must be a number from 0 to {HIGHEST:g} times the flat price: has {row['price']}"
            problems.append(Problem(f"row {number}: price", rule))
        if months is None or hours is None or price is None:
            continue
        at = np.ix_(
            [m - 1 for first, last in months for m in range(first, last + 1)],
            [h for first, last in hours for h in range(first, last)],
        )
        out[at] = price
        times[at] += 1
    if not problems and (times != 1).any():
        month, hour = (int(k[0]) for k in np.nonzero(times != 1))
        said = f"{hour}-{hour + 1} h of month {month + 1} has {times[month, hour]}"
        problems.append(Problem("hours", f"must have one price each: {said}"))
    if problems:
        raise InputError(source, problems)
    return out


def _price(value: Any) -> float | None:
    try:
        price = float(value)
    except (TypeError, ValueError):
        return None
    return price if 0.0 <= price <= HIGHEST else None


def _spans(text: Any, low: int, high: int) -> list[tuple[int, int]] | None:
    """ "6-8 12" as (6, 8), (12, 12); None for what is not such a text."""
    out = []
    for part in str(text).split():
        first, _, last = part.partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            return None
        out.append((int(first), int(last or first)))
    inside = all(low <= first <= last <= high for first, last in out)
    return out if out and inside else None
