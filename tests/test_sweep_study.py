"""Studies: which runs they make, what they are called, and every problem at once."""

import numpy as np
import pytest
from scipy import stats
from tiny_study import HEAD, write_study

from gridsim.errors import InputError
from gridsim.scenario import load
from gridsim.sweep.draws import drawn
from gridsim.sweep.study import Random
from gridsim.sweep.study_file import builtin_studies, load_study


def names(path):
    return [run.name for run in load_study(str(path)).runs]


def test_all_combinations_of_a_grid(tmp_path):
    path = write_study(tmp_path, "[grid]\nscale.wind_onshore = [1, 2.0]\nscale.load = [0.9, 1.0, 1.1]\n")
    runs = load_study(str(path)).runs
    assert [run.name for run in runs[:4]] == [
        "wind_onshore-1_load-0.9", "wind_onshore-1_load-1.0", "wind_onshore-1_load-1.1", "wind_onshore-2.0_load-0.9",
    ]  # fmt: skip
    assert len(runs) == 6
    assert {(run.scenario.scale["wind_onshore"], run.scenario.scale["load"]) for run in runs} == {
        (wind, load) for wind in (1.0, 2.0) for load in (0.9, 1.0, 1.1)
    }
    assert runs[-1].parameters == {"set.scale.wind_onshore": 2.0, "set.scale.load": 1.1}
    assert {run.scenario.hours for run in runs} == {24}


def test_a_run_is_the_scenario_that_with_and_set_make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = '[[run]]\nname = "a b"\noverlays = ["more.toml"]\nset.scale.load = 1.1\n'
    path = write_study(tmp_path / "below", text)
    (tmp_path / "below" / "more.toml").write_text("[penalties]\nshed = 7000.0\n[horizon]\nhours = 30\n")
    (run,) = load_study(str(path)).runs
    same = load("below/tiny.toml", ["horizon.hours=24", "scale.load=1.1", "name=a-b"], ["below/more.toml"])
    assert run.name == "a-b"
    assert run.scenario.penalties.shed == 7000.0
    text = same.text.replace('title = "more"\n', 'title = ""\n')
    assert run.scenario.text == text
    assert run.scenario.input_digests() == same.input_digests()


def test_axes_multiply(tmp_path):
    text = """years = [2024]
seeds = {first = 5, count = 2}
[[run]]
name = "base"
[[run]]
name = "dear"
set.penalties.shed = 30_000.0
[random]
count = 3
[[random.draw]]
key = "scale.load"
uniform = [0.9, 1.1]
[grid]
overlays = [[], ["typhoon"]]
"""
    path = write_study(tmp_path, "", head=text.replace("years", 'base = "jiangsu-2024"\nyears'))
    runs = load_study(str(path)).runs
    assert len(runs) == 2 * 2 * 3 * 1 * 2
    assert runs[0].name == "base_plain_draw-0001_year-2024_seed-5"
    assert runs[-1].name == "dear_typhoon_draw-0003_year-2024_seed-6"
    assert runs[-1].parameters.keys() == {"variant", "overlays", "draw", "set.scale.load", "set.year", "set.seed"}
    assert runs[-1].scenario.scale["load"] == runs[-1].parameters["set.scale.load"]
    assert len({run.digest for run in runs}) == len(runs)


def test_digests_are_of_what_the_result_depends_on(tmp_path):
    path = write_study(tmp_path, "seeds = [1, 2]\n", head='base = "tiny.toml"\n')
    before = {run.name: run.digest for run in load_study(str(path)).runs}
    assert {run.name: run.digest for run in load_study(str(path)).runs} == before
    path.write_text('base = "tiny.toml"\nseeds = [2, 1, 3]\ntitle = "more"\n')
    after = {run.name: run.digest for run in load_study(str(path)).runs}
    assert {name: after[name] for name in before} == before  # more runs change none that are there
    series = tmp_path / "series.csv"
    series.write_text(series.read_text().replace("2024-01-01 00:00:00,", "2024-01-01 00:00:00,1"))
    assert not set(before.values()) & {run.digest for run in load_study(str(path)).runs}


def test_overrides_are_laid_over_every_run(tmp_path):
    path = write_study(tmp_path, "[grid]\nscale.load = [1.0, 1.1]\n")
    runs = load_study(str(path), ["horizon.hours=30"]).runs
    assert [run.scenario.hours for run in runs] == [30, 30]
    assert not {run.digest for run in runs} & {run.digest for run in load_study(str(path)).runs}
    with pytest.raises(InputError, match=r"--set: horizon\.hour is not a key"):
        load_study(str(path), ["horizon.hour=30"])
    with pytest.raises(InputError, match="has the same scenario"):
        load_study(str(path), ["scale.load=1.0"])


def test_names_that_would_be_long_or_alike_are_numbers(tmp_path):
    path = write_study(tmp_path, "[grid]\nreserve.product = [[], [{name = 'x', direction = 'up', within_min = 5.0}]]\n")
    assert names(path) == ["product-1", "product-2"]
    path.write_text(HEAD + "[grid]\ntitle = ['a b', 'a-b']\n")
    assert names(path) == ["title-1", "title-2"]


def test_runs_that_would_do_the_same_are_refused(tmp_path):
    path = write_study(tmp_path, "[[run]]\nname = 'a'\n[[run]]\nname = 'b'\nset.horizon.window_h = 48\n")
    with pytest.raises(InputError, match=r"run b .* must differ from run a: has the same scenario"):
        load_study(str(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[grid]\nscale.wind_onshore = 2\n", "line 7: grid.scale.wind_onshore must be a list of values"),
        ("[grid]\nscale.pv = [1, 1.0]\n", "line 7: grid.scale.pv must have each value once"),
        ("[gird]\nscale.pv = [1]\n", "line 6: gird is not a key of a study (did you mean grid?)"),
        ("[grid]\nhorizon.hour = [24]\n", "line 7: horizon.hour is not a key of [horizon] (did you mean hours?)"),
        ("[grid]\nhorizon.hours = [24, 0]\n", "line 7: horizon.hours must be at least 1: got 0 (in run hours-0)"),
        ("[grid]\noverlays = [['typhon']]\n", "typhon"),
        ("[grid]\noverlays = ['typhoon']\n", "line 7: grid.overlays must be a list of lists of overlays"),
        ("[grid]\nbase = ['gone']\n", "gone"),
        ("[[run]]\nname = 'a'\n[[run]]\nname = 'a'\n", "line 7: run.1.name must be there once: got a 2 times"),
        ("[random]\ncount = 2\n", "line 6: random.draw is missing"),
        ("[random]\ncount = 2\n[[random.draw]]\nkey = 'seed'\n", "random.draw.1 must have one of uniform, normal"),
        (
            "[random]\ncount = 2\n[[random.draw]]\nkey = 'scale.load'\nuniform = [1.0, 1.0]\n",
            "line 10: random.draw.1.uniform must go from a number to a larger one",
        ),
        (
            "[grid]\nscale.load = [1.0]\n[random]\ncount = 2\n[[random.draw]]\nkey = 'scale.load'\nnormal = [1, 0.1]\n",
            "random.draw.1.key varies scale.load, which grid.scale.load does, too",
        ),
        ("[set]\n", "is not TOML"),
    ],
)
def test_problems_name_their_place(tmp_path, text, words):
    path = write_study(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_study(str(path))
    assert words in str(caught.value)
    assert caught.value.exit_code == 3


def test_all_problems_of_all_runs_at_once(tmp_path):
    path = write_study(tmp_path, "[grid]\nhorizon.hours = [24, -1]\nhorizon.step_h = [24, 99]\nseed = [1, 2]\n")
    with pytest.raises(InputError) as caught:
        load_study(str(path))
    assert [str(problem).removeprefix(str(path)).strip(": ") for problem in caught.value.problems] == [
        "line 8: horizon.step_h must not be longer than window_h = 48: got 99 (in 2 of 8 runs, such as "
        "hours-24_step_h-99_seed-1)",
        "line 7: horizon.hours must be at least 1: got -1 (in 4 of 8 runs, such as hours--1_step_h-24_seed-1)",
    ]  # fmt: skip


def test_a_study_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(InputError, match=r"did you mean jiangsu-levers\?.*built-in: jiangsu-levers"):
        load_study("jiangsu-lever")


@pytest.mark.parametrize("name", builtin_studies())
def test_built_in_studies_are_fine(name):
    assert len(load_study(name).runs) >= 2


def random(method="independent", count=400, **more):
    draw = [
        {"key": "a", "uniform": [2.0, 4.0]},
        {"key": "b", "normal": [1.0, 0.5], "at_least": 0.5},
        {"key": "c", "integers": [1, 6]},
        {"key": "d", "choice": ["x", "y"]},
    ]
    return Random(count=count, method=method, draw=draw, **more)


@pytest.mark.parametrize("method", ["independent", "latin"])
def test_draws_follow_their_distributions(method):
    a, b, c, d = (np.array(values) for values in drawn(random(method)).values())
    assert stats.kstest(a, stats.uniform(2.0, 2.0).cdf).pvalue > 1e-3
    assert b.min() >= 0.5
    assert stats.kstest(b, stats.truncnorm(-1.0, np.inf, 1.0, 0.5).cdf).pvalue > 1e-3
    assert set(c.tolist()) == {1, 2, 3, 4, 5, 6}
    assert set(d.tolist()) == {"x", "y"}
    if method == "latin":  # one draw in each of the equal parts
        assert np.array_equal(np.sort(np.floor((a - 2.0) / 2.0 * 400)), np.arange(400))


def test_draws_are_the_same_for_the_same_seed_and_independent_of_other_keys():
    full = drawn(random())
    alone = Random(count=10, draw=[{"key": "c", "integers": [1, 6]}])
    assert drawn(alone)["c"] == full["c"][:10]  # nor of how many there are
    assert drawn(random(seed=2))["a"] != full["a"]
    assert abs(np.corrcoef(full["a"], full["b"])[0, 1]) < 0.15
