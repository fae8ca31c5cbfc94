"""Every row of the Jiangsu tables says where it comes from, and refers only to what exists."""

import pytest

from gridsim.errors import InputError
from gridsim.networks.tables import TABLES, TRUST, provenance_problems, read_parameters, read_table


@pytest.mark.parametrize("name", TABLES)
def test_rows_have_source_year_and_trust(name):
    table = read_table(name)
    assert len(table)
    assert provenance_problems(name, table) == []
    assert set(table["trust"]) <= set(TRUST)
    assert table["year"].str.contains(r"\d{4}").all()


@pytest.mark.parametrize("name", TABLES)
def test_sources_are_addresses_or_keys(name):
    keys = set(read_table("sources")["key"])
    tokens = {token for cell in read_table(name)["source"] for token in cell.split()}
    assert {t for t in tokens if not t.startswith(("http://", "https://")) and t not in keys} == set()


@pytest.mark.parametrize("name", TABLES)
def test_a_sourced_row_names_more_than_judgement(name):
    table = read_table(name)
    sourced = table[table["trust"] == "sourced"]["source"]
    assert not sourced.isin(["background", "assumed", "derived"]).any()


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("branches", ["from_bus", "to_bus"]),
        ("shunts", ["bus"]),
        ("units", ["bus"]),
        ("wind_farms", ["bus"]),
        ("storage", ["bus"]),
        ("batteries", ["bus"]),
        ("dc_links", ["from_bus", "to_bus"]),
        ("external_terminals", ["bus"]),
        ("interface_members", ["from_bus", "to_bus"]),
    ],
)
def test_buses_exist(name, columns):
    known = set(read_table("buses")["id"])
    for column in columns:
        assert set(read_table(name)[column]) <= known


def test_references_between_tables():
    assert set(read_table("units")["unit_class"]) == set(read_table("unit_classes")["unit_class"])
    assert set(read_table("wind_farms")["wind_zone"]) == set(read_table("wind_zones")["wind_zone"])
    assert set(read_table("branches")["type"]) == set(read_table("branch_types")["type"])
    interfaces = read_table("interfaces")
    assert set(read_table("interface_members")["interface"]) == set(interfaces.loc[interfaces["region"] == "", "name"])
    assert set(interfaces["region"]) - {""} == set(read_table("loads")["region"])
    shares = read_table("external_terminals").groupby("id")["share"].sum()
    assert set(shares.index) == set(read_table("external")["id"])
    assert shares.to_numpy() == pytest.approx(1.0)


def test_shares_of_the_cities():
    loads = read_table("loads")
    assert len(loads) == 13
    assert loads["energy_share"].sum() == pytest.approx(1.0, abs=1e-9)
    assert loads["peak_share"].sum() == pytest.approx(1.0, abs=1e-9)


def test_parameters_are_positive():
    found = read_parameters()
    assert found.pop("nuclear_steam_mw") == 0.0  # begins in 2025
    assert min(found.values()) > 0


def test_a_missing_table_is_an_input_error():
    with pytest.raises(InputError, match="does not exist; there are buses"):
        read_table("busses")


def test_missing_provenance_is_found():
    table = read_table("dc_links").assign(trust="sure", source=" ")
    rules = [str(problem) for problem in provenance_problems("dc_links", table.drop(columns="year"))]
    assert len(rules) == 3
    assert any("is missing" in rule for rule in rules)
    assert any("is empty in row 0" in rule for rule in rules)
    assert any("found sure" in rule for rule in rules)
