"""The Jiangsu tables as data frames: reading, with units in the column names, and the rules every row keeps.

Each table is one CSV in ``networks/jiangsu``. Every row says where its figures come from (``source``: keys of
``sources.csv``, or addresses, separated by blanks), for which ``year`` they hold, and how far to trust them:

==========  ==========================================================================================
trust       meaning
==========  ==========================================================================================
sourced     the row's existence and main figure stand in the source named
background  widely known, or engineering judgement; no document was checked
assumed     chosen so that the model is complete; the note says how
==========  ==========================================================================================
"""

from importlib.resources import files

import pandas as pd

from gridsim.errors import InputError, Problem

TRUST = ("sourced", "background", "assumed")
TABLES = (
    "buses",
    "branches",
    "branch_types",
    "shunts",
    "loads",
    "unit_classes",
    "compensation",
    "units",
    "wind_zones",
    "wind_farms",
    "renewables",
    "storage",
    "batteries",
    "dc_links",
    "external",
    "external_terminals",
    "interfaces",
    "interface_members",
    "parameters",
    "flexibility",
    "city_shares",
    "tariffs",
    "indicators",
    "outage_rates",
)
TEXT_COLUMNS = ("note", "name_zh", "source", "year")
DATE_COLUMNS = ("since", "until", "commissioned", "retired")


def read_table(name: str) -> pd.DataFrame:
    """One table, row by row as written; empty text stays "", empty numbers become NaN.

    Raises
    ------
    InputError
        If the table does not exist or a row lacks its source, year or trust.
    """
    path = files("gridsim.networks") / "jiangsu" / f"{name}.csv"
    if not path.is_file():
        raise InputError(f"jiangsu/{name}.csv", [Problem("table", f"does not exist; there are {', '.join(TABLES)}")])
    with path.open(encoding="utf-8") as file:
        kinds: dict[str, type | str] = dict.fromkeys(TEXT_COLUMNS, "string") | dict.fromkeys(DATE_COLUMNS, float)
        table = pd.read_csv(file, dtype=kinds)
    for column in table.select_dtypes(object).columns:
        table[column] = table[column].fillna("")
    for column in set(TEXT_COLUMNS) & set(table.columns):
        table[column] = table[column].fillna("").astype(object)
    if name != "sources":
        problems = provenance_problems(name, table)
        if problems:
            raise InputError(f"jiangsu/{name}.csv", problems)
    return table


def standing(table: pd.DataFrame, fleet: int) -> pd.DataFrame:
    """The rows that hold for the fleet of a year: there since that year or earlier, until a later one.

    The columns are ``since`` and ``until``, of plants ``commissioned`` and ``retired``; a table may have none of them,
    and an empty cell sets no limit.
    """
    there = pd.Series(True, index=table.index)
    for column in {"since", "commissioned"} & set(table.columns):
        there &= table[column].isna() | (table[column] <= fleet)
    for column in {"until", "retired"} & set(table.columns):
        there &= table[column].isna() | (table[column] > fleet)
    return table[there]


def provenance_problems(name: str, table: pd.DataFrame) -> list[Problem]:
    """What is missing of source, year and trust in a table."""
    problems = []
    for column in ("trust", "source", "year"):
        if column not in table:
            problems.append(Problem(f"{name}.{column}", "is missing"))
            continue
        empty = table.index[table[column].astype(str).str.strip() == ""]
        if len(empty):
            problems.append(Problem(f"{name}.{column}", f"is empty in row {', '.join(map(str, empty[:3]))}"))
    if "trust" in table:
        wrong = sorted(set(table["trust"]) - set(TRUST))
        if wrong:
            problems.append(Problem(f"{name}.trust", f"must be one of {', '.join(TRUST)}: found {', '.join(wrong)}"))
    return problems


def read_parameters(fleet: int = 2024) -> dict[str, float]:
    """The single numbers of ``parameters.csv`` by name; their units are the table's."""
    table = standing(read_table("parameters"), fleet)
    return dict(zip(table["name"], table["value"].astype(float), strict=True))
