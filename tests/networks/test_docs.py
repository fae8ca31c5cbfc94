"""The page about the network names every column and counts the tables right."""

from pathlib import Path

import pytest

from gridsim.networks.columns import COLUMNS, NAN
from gridsim.networks.tables import TABLES, read_table

PAGE = (Path(__file__).parents[2] / "docs" / "network.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: f"{column.element}.{column.name}")
def test_column_is_documented(column):
    """Its row of the table names the element and says type, unit, default and meaning as the column does."""
    default = "empty" if column.default == "" or column.default is NAN else str(column.default)
    found = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[1] == f"`{column.name}`" and column.element in cells[0].split(", "):
            found.append(cells)
    (cells,) = found
    assert (cells[2], cells[3], cells[5]) == (column.dtype, column.unit, column.meaning)
    defaults = cells[4].split(" / ")  # of the elements in turn where they differ
    assert defaults[cells[0].split(", ").index(column.element) if len(defaults) > 1 else 0] == default


@pytest.mark.parametrize("table", TABLES)
def test_table_is_documented_with_its_rows(table):
    (line,) = [line for line in PAGE.splitlines() if line.startswith("| `") and f"`{table}`" in line.split("|")[1]]
    names, counts = line.split("|")[1].split(","), line.split("|")[2].split(",")
    assert len(read_table(table)) == int(counts[[name.strip() for name in names].index(f"`{table}`")])


def test_the_page_says_how_far_to_trust_the_topology():
    trust = read_table("branches")["trust"].value_counts()
    text = " ".join(PAGE.split())
    assert "The topology is representative" in text
    said = f"Of {trust.sum()} branches {trust['sourced']} are sourced, {trust['background']} background"
    assert said in text
    assert f"{trust['assumed']} assumed" in text
