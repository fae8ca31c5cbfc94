"""Forced outages of the Jiangsu grid: the columns that ``outage_rates.csv`` gives a row of a pandapower table."""

from functools import cache

import numpy as np

from gridsim.networks.jiangsu_common import Row
from gridsim.networks.tables import read_table

HOURS_A_YEAR = 8760.0
NEVER: Row = {"for_rate": np.nan, "mttf_h": np.nan, "mttr_h": np.nan}


@cache
def _rates() -> dict[tuple[str, str], Row]:
    return {(row["element"], str(row["kind"])): row for row in read_table("outage_rates").to_dict("records")}


def outage_columns(element: str, *kinds: str, length_km: float = np.nan) -> Row:
    """`for_rate`, `mttf_h` and `mttr_h` by the first of `kinds` that the table has; none of them where it has none."""
    row = _row(element, kinds)
    if row is None:
        return NEVER
    per_year = row["per_year"] if np.isnan(row["per_100km_year"]) else row["per_100km_year"] * length_km / 100.0
    mttf_h = HOURS_A_YEAR / per_year if np.isnan(row["for_rate"]) else np.nan
    return {"for_rate": row["for_rate"], "mttf_h": mttf_h, "mttr_h": float(row["mttr_h"])}


def outage_parts(element: str, *kinds: str) -> int:
    """Poles, or units, that fail one by one; 1 where the table says nothing of the row."""
    row = _row(element, kinds)
    return 1 if row is None or np.isnan(row["parts"]) else int(row["parts"])


def _row(element: str, kinds: tuple[str, ...]) -> Row | None:
    return next((_rates()[element, kind] for kind in kinds if (element, kind) in _rates()), None)
