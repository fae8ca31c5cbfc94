"""The page about the network names every column and counts the tables right."""

from pathlib import Path

import pytest

from gridsim.networks.columns import COLUMNS
from gridsim.networks.tables import TABLES, read_table

PAGE = (Path(__file__).parents[2] / "docs" / "network.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("column", sorted({column.name for column in COLUMNS}))
def test_column_is_documented(column):
    assert f"| `{column}` |" in PAGE


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
