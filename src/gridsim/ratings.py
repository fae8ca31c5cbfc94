"""Ratings that move by the hour: what weather or works leave of a line or transformer, from `rating_profile`.

The share holds for the continuous and the emergency rating alike.
"""

from typing import Any

import numpy as np
import pandas as pd

from gridsim.errors import Problem
from gridsim.kernels.jit import FloatArray
from gridsim.nettable import NetTable
from gridsim.series import SeriesReader, who


def name_profiles(net: Any, branches: pd.DataFrame) -> pd.DataFrame:
    """`branches` with the series of each, "" where its rating stays."""
    named: dict[tuple[str, int], str] = {}
    for element in ("line", "trafo"):
        table = NetTable(net, element)
        pairs = zip(table.index, table.text("rating_profile"), strict=True) if table.n else ()
        named |= {(element, index): profile for index, profile in pairs}
    keys = zip(branches["element"], branches["element_index"], strict=True)
    return branches.assign(rating_profile=[named.get(key, "") for key in keys])


def rating_share(branches: pd.DataFrame, reader: SeriesReader) -> FloatArray:
    """What is left of the ratings in each step, (n, k): of the k branches that name a series."""
    rows = branches[branches["rating_profile"] != ""].to_dict("records")
    out = np.ones((reader.steps, len(rows)))
    for j, row in enumerate(rows):
        if not np.isfinite(row["rating_mw"]):
            text = f"must be empty where there is no rating: {who(row)} has '{row['rating_profile']}'"
            reader.problems.append(Problem(f"{row['element']}.rating_profile", text))
            continue
        share = reader.share(row["rating_profile"], who(row))
        if share is not None:
            out[:, j] = share
    return out
