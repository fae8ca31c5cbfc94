"""Scenarios: what is read, what is merged, and every way to get one wrong."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.case import Penalties
from gridsim.errors import InputError
from gridsim.scenario import Horizon, Scenario, builtin_names, check_names, load
from gridsim.toml_tree import dump, find_lines, join_key, split_key


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def problems_of(spec: str, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        load(spec, overrides)
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_builtin_scenario_is_the_whole_year_on_defaults():
    scenario = load("jiangsu-2024")
    assert builtin_names() == ["jiangsu-2024", "jiangsu-2025", "jiangsu-2030", "jiangsu-2060"]
    assert (scenario.name, scenario.hours, scenario.year_hours) == ("jiangsu-2024", 8784, 8784)
    assert scenario.start == np.datetime64("2024-01-01T00")
    plain = Scenario(name="x").model_dump() | {"name": scenario.name, "title": scenario.title, "scale": {"load": 1.0}}
    plain["grid"] |= {"n1": "enforce"}  # a grid with emergency ratings: it is held secure
    plain["reserve"] |= {"up_min_mw": 2500.0}  # Jiangsu's largest single loss
    assert scenario.model_dump() == plain  # the commented file shows the other defaults, and only those


def test_penalties_are_those_of_the_case():
    assert Penalties(**Scenario(name="x").penalties.model_dump()) == Penalties()


@pytest.mark.parametrize("name", ["jiangsu-2024"])
def test_builtin_scenarios_name_no_files(name):
    assert load(name).input_files() == {}  # their paths would count from wherever one stands


def test_windows_roll_and_end_with_the_horizon():
    scenario = Scenario(name="x", horizon=Horizon(hours=60, window_h=48, step_h=24))
    assert scenario.windows() == [(0, 48, 24), (24, 36, 24), (48, 12, 12)]
    assert Scenario(name="x", year=2023).hours == 8760


def test_text_round_trip(tmp_path):
    source = write(
        tmp_path / "mine.toml",
        'base = "jiangsu-2024"\ntitle = "quote \\" and 断面"\n[scale]\nwind_offshore = 2.0\n'
        '[grid.interface_limit_mw]\n"cross-Yangtze a.b" = 15000\n[horizon]\nstart = 2024-07-01\nhours = 48\n',
    )
    first = load(source)
    again = load(write(tmp_path / "again.toml", first.text))
    assert again.text == first.text
    assert again.digest == first.digest
    assert first.scale == {"load": 1.0, "wind_offshore": 2.0}
    assert first.start == np.datetime64("2024-07-01T00")


def test_digest_moves_with_every_change():
    digests = {load("jiangsu-2024", s).digest for s in ([], ["seed=1"], ["scale.load=1.1"], ["grid.enforce=copper"])}
    assert len(digests) == 4


def test_base_merges_tables_and_moves_paths(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "net.json").write_text("{}")
    write(
        tmp_path / "below" / "scenario.toml",
        '[network]\nsource = "net.json"\n[reserve]\nup_min_mw = 1\nup_load_share = 0.1\n',
    )
    top = load(write(tmp_path / "top.toml", 'base = "below"\n[reserve]\nup_min_mw = 2\n'))
    assert (top.reserve.up_min_mw, top.reserve.up_load_share) == (2.0, 0.1)
    assert top.name == "top"
    assert top.network.source == "below/net.json"
    assert top.resolve(top.network.source).read_text() == "{}"
    assert set(top.input_digests()) == {"network.source"}
    assert load(tmp_path / "below").name == "below"


def test_set_paths_count_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "net.json").write_text("{}")
    scenario = load(write(tmp_path / "deep" / "x.toml", ""), ["network.source=net.json"])
    assert scenario.network.source == "../net.json"
    assert scenario.resolve(scenario.network.source).is_file()


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("horizon.hours=24", ("horizon", "hours"), 24),
        ("solver.engine=highs", ("solver", "engine"), "highs"),
        ('solver.engine="highs"', ("solver", "engine"), "highs"),
        ("reserve.up_min_mw = 10", ("reserve", "up_min_mw"), 10.0),
        ('grid.interface_limit_mw."a.b"=5', ("grid", "interface_limit_mw"), {"a.b": 5.0}),
        ("grid.interface_limit_mw={x = 1.5}", ("grid", "interface_limit_mw"), {"x": 1.5}),
        ("scale.pv=0", ("scale",), {"load": 1.0, "pv": 0.0}),
    ],
)
def test_set(text, key, value):
    at = load("jiangsu-2024", [text]).model_dump()
    for part in key:
        at = at[part]
    assert at == value


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("reserve.up_laod_share=0.1", "reserve.up_laod_share is not a key of [reserve] (did you mean up_load_share?)"),
        ("resreve.up_load_share=0.1", "resreve is not a key of a scenario (did you mean reserve?)"),
        ('horizon.hours="many"', 'horizon.hours must be a whole number: got "many"'),
        ("horizon.hours=9000", "horizon.hours must be at most 8784"),
        ("horizon.hours=0", "horizon.hours must be at least 1: got 0"),
        ("horizon.start=2023-12-31", "horizon.start must lie in 2024"),
        ("horizon.start=2024-01-01T00:30:00", "horizon.start must be a whole hour"),
        ("horizon.start=2024-01-01T00:00:00+08:00", "without a UTC offset"),
        ("horizon.start=soon", "must be a date or a date-time such as"),
        ("horizon.step_h=72", "horizon.step_h must not be longer than window_h = 48: got 72"),
        (
            "solver.engine=hihgs",
            'solver.engine must be "kernel" or "highs" or "highs-milp" (did you mean highs?): got "hihgs"',
        ),
        ("solver.effort=fats", 'solver.effort must be "fast" or "standard" or "best" (did you mean fast?): got "fats"'),
        ("solver.target_gap=0.2", "solver.target_gap must be at most 0.1: got 0.2"),
        ("solver.target_gap=-1e-3", "solver.target_gap must be at least 0"),
        ("grid.n1=true", 'grid.n1 must be "off" or "report" or "enforce": got true'),
        ("reserve.product=3", "reserve.product must be a list: got 3"),
        ("reserve.up_load_share=1.5", "reserve.up_load_share must be at most 1"),
        ("penalties.shed=-1", "penalties.shed must be greater than 0"),
        ("penalties.shed=inf", "penalties.shed must be a finite number"),
        ("penalties.shed=true", "penalties.shed must be a number: got true"),
        ("scale.pv=-1", "scale.pv must be at least 0"),
        ("network=3", "network must be a table: got 3"),
        ("network.source=jiangsoo", "(did you mean jiangsu?)"),
        ("network.source=none.json", "network.source must be a file that exists: none.json does not"),
        ("profiles.source=3", 'profiles.source must be "synthetic", a path or a list of paths: got 3'),
        ('profiles.files.pv/Suzhou="x.csv"', 'profiles.files."pv/Suzhou" must be a file that exists'),
        ('profiles.files.pv/Suzhou="x.doc"', "must be a path to a .csv"),
        ("horizon.hours", "must be key=value"),
        ("horizon..hours=1", "is not a dotted key"),
        ("horizon.hours=[1", "is not a TOML value"),
        ("base=x", "is for files only"),
    ],
)
def test_what_is_wrong_is_said(override, words):
    text = problems_of("jiangsu-2024", override)
    assert words in text
    assert text.startswith("jiangsu-2024: 1 problem\n")


def test_every_problem_is_listed_with_file_and_line(tmp_path):
    path = write(
        tmp_path / "bad.toml", '# a comment\n[reserve]\nup_laod_share = 0.1\n\n[horizon]\nhours = "x"\nwindow_h = 0\n'
    )
    text = problems_of(path, "scale.load=-1")
    assert text.splitlines()[0].endswith("bad.toml: 4 problems")
    assert "bad.toml: line 3: reserve.up_laod_share" in text
    assert "bad.toml: line 6: horizon.hours" in text
    assert "bad.toml: line 7: horizon.window_h" in text
    assert "--set: scale.load" in text


def test_a_problem_of_a_base_names_the_base(tmp_path):
    write(tmp_path / "below.toml", "\n[solver]\ntolerance = 1.0\n")
    text = problems_of(write(tmp_path / "top.toml", 'base = "below.toml"\n'))
    assert "below.toml: line 3: solver.tolerance must be at most 0.001: got 1.0" in text


PRODUCTS = """
[reserve]
up_min_mw = 0.0

[[reserve.product]]
name = "reg_up"
direction = "up"
within_min = 5
load_share = 0.01
zones = ["A", "B"]

[[reserve.product]]
name = "standing"
direction = "up"
within_min = 30.0
spinning = false
series = "reserve/standing"
techs = ["gas"]
"""


def test_reserve_products(tmp_path):
    scenario = load(write(tmp_path / "x.toml", PRODUCTS))
    first, second = scenario.reserve.product
    assert (first.name, first.direction, first.within_min, first.spinning, first.series) == (
        "reg_up",
        "up",
        5,
        True,
        "",
    )
    assert (first.min_mw, first.load_share, first.renewable_share) == (0.0, 0.01, 0.0)
    assert (first.techs, first.zones) == ([], ["A", "B"])
    assert (second.spinning, second.series, second.techs) == (False, "reserve/standing", ["gas"])
    again = load(write(tmp_path / "again.toml", scenario.text))
    assert again.reserve == scenario.reserve
    assert again.digest == scenario.digest
    assert load(write(tmp_path / "over.toml", 'base = "x.toml"\nreserve.product = []\n')).reserve.product == []


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        (
            '"standing"',
            '"reg_up"',
            "line 13: reserve.product.2.name must be there once: product 1 is called reg_up, too",
        ),
        (
            '"reg_up"',
            '"up"',
            "line 6: reserve.product.1.name must not be up, down or forecast, which are there",
        ),
        ('"standing"', '"down"', "reserve.product.2.name must not be up, down"),
        ('"reg_up"', '""', "line 6: reserve.product.1.name must not be empty"),
        (
            "within_min = 30.0",
            "within_min = 0",
            "line 15: reserve.product.2.within_min must be greater than 0.0: got 0",
        ),
        ("within_min = 30.0", "", "line 12: reserve.product.2.within_min is missing"),
        ('direction = "up"', 'direction = "upp"', 'product.1.direction must be "up" or "down" (did you mean up?)'),
        ("spinning = false", "spinning = 0", "line 16: reserve.product.2.spinning must be true or false: got 0"),
        ("within_min = 30.0\nspinning", "within_min = 30.0\nspining", "product.2.spining is not a key of"),
        ("within_min = 30.0\nspinning", "within_min = 30.0\nspining", "(did you mean spinning?)"),
        ('techs = ["gas"]', 'techs = "gas"', 'line 18: reserve.product.2.techs must be a list: got "gas"'),
        ("load_share = 0.01", "load_share = 1.2", "line 9: reserve.product.1.load_share must be at most 1.0: got 1.2"),
        (
            'direction = "up"\nwithin_min = 30.0',
            'direction = "down"\nwithin_min = 30.0',
            "line 16: reserve.product.2.spinning must be true where direction is down",
        ),
    ],
)
def test_what_is_wrong_with_a_product_is_said(tmp_path, right, wrong, words):
    assert right in PRODUCTS
    text = problems_of(write(tmp_path / "x.toml", PRODUCTS.replace(right, wrong)))
    assert words in text


def test_all_problems_of_the_products_are_listed(tmp_path):
    text = PRODUCTS.replace('"reg_up"', '"up"').replace('"standing"', '"up"').replace('"up"\nwithin', '"down"\nwithin')
    found = problems_of(write(tmp_path / "x.toml", text))
    assert "3 problems" in found.splitlines()[0]


def test_unknown_scenario_names_the_builtin_ones():
    text = problems_of("jiangsu-20244")
    assert "(did you mean jiangsu-2024?)" in text
    assert "built-in: jiangsu-2024" in text


def test_unknown_base_names_file_and_base(tmp_path):
    assert 'top.toml: base "nowhere"' in problems_of(write(tmp_path / "top.toml", 'base = "nowhere"'))


def test_circular_base(tmp_path):
    write(tmp_path / "a.toml", 'base = "b.toml"')
    write(tmp_path / "b.toml", 'base = "c.toml"')
    write(tmp_path / "c.toml", 'base = "a.toml"')
    text = problems_of(str(tmp_path / "a.toml"))
    assert "must not lead back to itself" in text
    assert text.index("b.toml ->") < text.index("c.toml ->")
    assert "must not lead back" in problems_of(write(tmp_path / "self.toml", 'base = "self.toml"'))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = = 1", "is not TOML"),
        ("base = 3", "line 1: base must be a scenario's name or path"),
        ("\udcff", "cannot be read"),
    ],
)
def test_files_that_are_no_scenarios(tmp_path, text, words):
    path = tmp_path / "x.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert words in problems_of(str(path))


def test_folder_without_scenario(tmp_path):
    assert "has no scenario.toml" in problems_of(str(tmp_path))


def test_check_names_finds_the_close_one():
    (problem,) = check_names("scenario: scale", ["pv", "wind_ofshore"], ["load", "pv", "wind_offshore"], "a tech")
    assert str(problem) == "scenario: scale.wind_ofshore is not a tech (did you mean wind_offshore?)"


def test_profile_paths():
    assert Scenario(name="x").profiles.paths == ()
    made = Scenario.model_validate({"name": "x", "profiles": {"source": ["a.csv", "b.nc"]}})
    assert made.profiles.paths == ("a.csv", "b.nc")


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
values = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    words,
    st.datetimes(),
    st.lists(st.integers(0, 9), max_size=3),
)
trees = st.recursive(
    st.dictionaries(words, values, max_size=4), lambda t: st.dictionaries(words, t, max_size=3), max_leaves=6
)


@given(trees)
def test_dump_is_read_back_by_tomllib(tree):
    assert tomllib.loads(dump(tree)) == tree


@given(st.lists(words, min_size=1, max_size=4))
def test_keys_are_split_as_they_are_joined(parts):
    assert split_key(join_key(tuple(parts))) == tuple(parts)


def test_lines_are_found():
    text = '# c\na = 1\n[t]\nb.c = 2 # x\n"q.r" = { x = 1 }\n[t."u v"]\nd=3\n'
    want = {("a",): 2, ("t",): 3, ("t", "b", "c"): 4, ("t", "q.r"): 5, ("t", "u v"): 6, ("t", "u v", "d"): 7}
    assert find_lines(text) == want
    text = "[[t.l]]\na=1\n\n[[t.l]]\na = 2\n[u]\na = 3\n"
    one, two = ("t", "l", "1"), ("t", "l", "2")
    assert find_lines(text) == {
        ("t", "l"): 1, one: 1, (*one, "a"): 2, two: 4, (*two, "a"): 5, ("u",): 6, ("u", "a"): 7,
    }  # fmt: skip
