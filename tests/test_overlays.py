"""Overlays: small files laid on a scenario, those of the package and one's own."""

import json

import pytest
from click.testing import CliRunner

from gridsim.assemble import assemble
from gridsim.cli import main
from gridsim.errors import InputError
from gridsim.scenario import load
from gridsim.scenario_file import builtin_names, overlay_names, titles
from gridsim.toml_tree import lay_on

BUDGET = '[[budget]]\nname = "{}"\nquantity = "co2"\nperiod = "year"\nat_most = {}\npenalty = 1.0\n'


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(spec, *overlays, overrides=()):
    with pytest.raises(InputError) as caught:
        load(spec, overrides, overlays)
    return str(caught.value)


def test_tables_of_a_list_are_added_and_those_of_a_name_replaced():
    below = {"a": 1, "t": {"x": 1, "y": 2}, "budget": [{"name": "p", "v": 1}, {"name": "q"}], "l": [1]}
    above = {"t": {"y": 3}, "budget": [{"name": "p", "v": 2}, {"name": "r"}], "event": [{"k": 1}], "l": [2]}
    assert lay_on(below, above) == {
        "a": 1, "t": {"x": 1, "y": 3}, "budget": [{"name": "q"}, {"name": "p", "v": 2}, {"name": "r"}],
        "event": [{"k": 1}], "l": [2],
    }  # fmt: skip
    assert lay_on({"event": [{"k": 1}]}, {"event": [{"k": 1}]}) == {"event": [{"k": 1}, {"k": 1}]}  # they have no names


@pytest.mark.parametrize("scenario", builtin_names())
@pytest.mark.parametrize("overlay", overlay_names())
def test_every_overlay_fits_every_scenario_and_changes_it(scenario, overlay):
    plain, changed = load(scenario), load(scenario, (), (overlay,))
    assert changed.name == f"{scenario}+{overlay}"
    assert changed.title == f"{plain.title}; {titles('overlays')[overlay]}"
    same = {"name": changed.name, "title": changed.title}
    assert plain.model_dump() | same != changed.model_dump()
    assert plain.digest != changed.digest


def pairs():
    """Every overlay on every scenario; of the built-in years but the first, one each in `make test`, in turn."""
    first, *others = builtin_names()
    for k, overlay in enumerate(overlay_names()):
        for scenario in (first, *others):
            slow = scenario not in (first, others[k % len(others)])
            yield pytest.param(scenario, overlay, marks=[pytest.mark.slow] * slow)


@pytest.mark.parametrize(("scenario", "overlay"), [*pairs()])
def test_every_overlay_can_be_run_on_every_scenario(scenario, overlay):
    """Its keys fit the grid, and what it asks for can be had all year long."""
    assert assemble(load(scenario, (), (overlay,))).hours >= 8760


def test_overlays_in_order_then_set(tmp_path):
    first = write(tmp_path / "a.toml", "[scale]\nload = 1.1\npv = 2.0\n" + BUDGET.format("cap", 10.0))
    second = write(tmp_path / "b.toml", "[scale]\npv = 3.0\n" + BUDGET.format("cap", 9.0) + BUDGET.format("more", 5.0))
    third = write(tmp_path / "c.toml", "[reserve]\nup_min_mw = 1.0\n")
    scenario = load("jiangsu-2024", ["scale.wind_onshore=4.0", "scale.load=1.2"], (first, second, third))
    assert scenario.scale == {"load": 1.2, "pv": 3.0, "wind_onshore": 4.0}
    assert [(b.name, b.at_most) for b in scenario.budget] == [("cap", 9.0), ("more", 5.0)]
    assert scenario.reserve.up_min_mw == 1.0
    assert scenario.name == "jiangsu-2024+a+b+c"
    assert load("jiangsu-2024", ["name=mine"], (first,)).name == "mine"


def test_the_text_of_the_scenario_has_it_all(tmp_path):
    merged = load("jiangsu-2024", (), ("more-storage", "typhoon"))
    again = load(write(tmp_path / "again.toml", merged.text))
    assert again.digest == merged.digest
    assert again.scale["battery"] == 2.0
    assert [event.kind for event in again.profiles.event] == ["typhoon"]


def test_events_without_a_year_are_of_the_scenarios(tmp_path):
    path = write(tmp_path / "s.toml", 'base = "jiangsu-2024"\nyear = 2030\n')
    events = load(path, (), ("heat-dome", "winter-calm")).profiles.event
    assert [str(event.start) for event in events] == [
        "2030-08-05 00:00:00", "2030-01-12 00:00:00", "2030-01-15 00:00:00",
    ]  # fmt: skip
    assert str(load(path, (), ("typhoon",)).profiles.event[0].start) == "2030-07-28 12:00:00"


def test_paths_of_an_overlay_count_from_its_own_folder(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "pv.csv").write_text("time,x\n")
    overlay = write(tmp_path / "below" / "o.toml", '[profiles.files]\n"pv/Suzhou" = "pv.csv"\n')
    scenario = load(write(tmp_path / "s.toml", 'base = "jiangsu-2024"\n'), (), (overlay,))
    assert scenario.input_files()["profiles.files pv/Suzhou"].read_text() == "time,x\n"


def test_every_problem_of_overlays_is_said_with_its_place(tmp_path):
    lines = 'base = "jiangsu-2024"\nname = "x"\n[scale]\nload = -1.0\n[jiangsuu]\n' + BUDGET.format("b", -3.0)
    path = write(tmp_path / "o.toml", lines)
    scenario = write(tmp_path / "s.toml", 'base = "jiangsu-2024"\n' + BUDGET.format("a", 1.0))
    text = refused(scenario, "more-storrage", path)
    assert '--with "more-storrage" is neither a built-in overlay nor a file (did you mean more-storage?)' in text
    for line, key in ((1, "base"), (2, "name")):
        assert f"o.toml: line {line}: {key} must not be in an overlay" in text
    assert "o.toml: line 4: scale.load must be at least 0" in text
    assert "o.toml: line 5: jiangsuu is not a key of a scenario (did you mean jiangsu?)" in text
    assert "o.toml: line 10: budget.2.at_most must be at least 0" in text
    broken = write(tmp_path / "broken.toml", "[scale\n")
    assert "broken.toml is not TOML" in refused(scenario, broken)


def test_an_overlay_of_the_grid_of_jiangsu_is_none_for_another(tmp_path):
    (tmp_path / "net.json").write_text("{}")
    (tmp_path / "year.csv").write_text("time\n")
    other = write(tmp_path / "s.toml", '[network]\nsource = "net.json"\n[profiles]\nsource = "year.csv"\n')
    assert "overlay no-retrofit: line " in refused(other, "no-retrofit")


def test_scenarios_and_overlays_are_listed():
    result = CliRunner().invoke(main, ["scenarios"])
    assert result.exit_code == 0
    for name in (*builtin_names(), *overlay_names()):
        assert f"  {name}" in result.output
    found = json.loads(CliRunner().invoke(main, ["scenarios", "--json"]).output)
    assert list(found["overlays"]) == overlay_names()
    assert all(found["overlays"].values())


def test_commands_take_overlays(monkeypatch):
    seen = []

    def stop(spec, overrides=(), overlays=()):
        seen.append((spec, tuple(overrides), tuple(overlays)))
        raise InputError("stop", [])

    monkeypatch.setattr("gridsim.scenario.load", stop)
    for command in ("run", "validate", "verify"):
        words = [command, "s", "--with", "a", "--with", "b.toml", "--set", "x=1"]
        assert CliRunner().invoke(main, words).exit_code == 3
    assert CliRunner().invoke(main, ["profiles", "check", "s", "--with", "a"]).exit_code == 3
    assert seen == [("s", ("x=1",), ("a", "b.toml"))] * 3 + [("s", (), ("a",))]
    assert CliRunner().invoke(main, ["verify", "run.h5", "--with", "a"]).exit_code == 2
