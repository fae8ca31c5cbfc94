"""New scenario folders: what they show holds without them, and they run at once."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose
from pandapower.io_utils import to_dict_of_dfs

from gridsim.assemble import assemble
from gridsim.cli import main
from gridsim.convert_matpower import DAY
from gridsim.results import ResultsReader
from gridsim.scenario import builtin_names, load

LAST_KEY = "quadratic_segments"


def call(*args: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in args])
    return result.exit_code, result.output


def without_signs(path: Path) -> str:
    """The text with every key that stands behind a # set."""
    return re.sub(r"^#(?=[\w\"])", "", path.read_text(encoding="utf-8"), flags=re.M)


def small_net(path: Path) -> Path:
    net = pp.create_empty_network()
    for name in ("A", "B"):
        pp.create_bus(net, 110, name=name)
    pp.create_line_from_parameters(net, 0, 1, 10, 0.06, 0.4, 9, 0.5, name="L")
    pp.create_gen(net, 0, 0.0, min_p_mw=0, max_p_mw=90, name="plant", slack=True)
    pp.create_poly_cost(net, 0, "gen", 300.0)
    pp.create_load(net, 1, 50.0, name="town")
    pp.create_load(net, 0, 10.0, name="works")
    pp.to_json(net, str(path))
    return path


@pytest.mark.parametrize("base", builtin_names())
def test_a_new_scenario_shows_every_key_of_its_base_and_is_it(base, tmp_path):
    code, said = call("init", tmp_path / "mine", "--from", base)
    assert code == 0, said
    path = tmp_path / "mine" / "scenario.toml"
    of_base = load(base).model_dump(exclude={"name"})
    assert load(path).model_dump(exclude={"name"}) == of_base
    assert load(path).name == "mine"
    text = without_signs(path)
    path.write_text(text.replace(f'base = "{base}"\n', ""), encoding="utf-8")
    assert load(path).model_dump(exclude={"name"}) == of_base  # all that differs from the defaults is shown
    assert f"\n{LAST_KEY} = " in text


def test_one_sign_taken_away_changes_one_key(tmp_path):
    assert call("init", tmp_path / "mine")[0] == 0
    path = tmp_path / "mine" / "scenario.toml"
    text = path.read_text(encoding="utf-8")
    assert "#up_min_mw = 2500               # in Jiangsu about the largest single loss" in text
    path.write_text(text.replace("#up_min_mw = 2500", "up_min_mw = 17"), encoding="utf-8")
    assert load(path).reserve.up_min_mw == 17
    assert load(path).reserve.up_load_share == load("jiangsu-2024").reserve.up_load_share


def test_paths_of_an_own_base_count_from_the_new_folder(tmp_path):
    net = small_net(tmp_path / "net.json")
    below = tmp_path / "below.toml"
    text = '[network]\nsource = "net.json"\n[horizon]\nhours = 5  # few\n[grid.interface_limit_mw]\n"a b" = 5.0\n'
    below.write_text(text + '[[budget]]\nname = "q"\nquantity = "co2"\nperiod = "day"\nat_most = 1\npenalty = 2\n')
    assert call("init", tmp_path / "sub" / "mine", "--from", below)[0] == 0
    path = tmp_path / "sub" / "mine" / "scenario.toml"
    text = path.read_text(encoding="utf-8")
    assert 'base = "../../below.toml"' in text
    assert "[jiangsu]" not in text
    assert "#hours = 5                      # few\n" in text
    assert load(path).input_files()["network.source"].resolve() == net
    path.write_text(without_signs(path).replace('base = "../../below.toml"\n', ""), encoding="utf-8")
    same = {"name", "network"}
    assert load(path).model_dump(exclude=same) == load(below).model_dump(exclude=same)
    assert load(path).input_files()["network.source"].resolve() == net


def test_a_net_without_series_gets_a_curve_and_says_so(tmp_path):
    small_net(tmp_path / "grid.json")
    out = tmp_path / "mine"
    code, said = call("init", out, "--from", tmp_path / "grid.json")
    assert code == 0, said
    assert "MADE UP: no load of this net has an hourly series" in said
    for name in ("scenario.toml", "series.csv"):
        assert "# MADE UP" in (out / name).read_text(encoding="utf-8")
    case = assemble(load(out))
    assert case.hours == 168
    loads = dict(zip(case.loads["name"], case.load_mw.T, strict=True))
    assert_allclose(loads["town"], 50 * np.resize(DAY, 168))
    assert case.reserve_up_mw.max() == 0
    assert "1 x source dispatched between 0 MW and 90 MW" in (out / "conversion.md").read_text()
    code, said = call("run", out, "--hours", "24", "-o", tmp_path / "run.h5", "--no-report")
    assert code == 0, said
    with ResultsReader(tmp_path / "run.h5") as run:
        assert_allclose(run["dispatch/source_p_mw"][:].sum(axis=1), 60 * np.resize(DAY, 24), atol=1e-6)
    before = (out / "scenario.toml").read_text()
    (out / "scenario.toml").write_text(without_signs(out / "scenario.toml"))
    want = load(out)
    (out / "scenario.toml").write_text(before)
    assert load(out).model_dump() == want.model_dump()


def test_a_small_grid_with_numbered_zones_is_shown_in_units_of_its_size(tmp_path):
    """60 MW of peak for two hours at 300 a MWh: tens of thousands, and hundredths of a GWh."""
    net = pp.from_json(str(small_net(tmp_path / "grid.json")))
    net.bus["zone"] = [1, None]  # None makes 1.0 of the 1
    pp.to_json(net, str(tmp_path / "grid.json"))
    assert call("init", tmp_path / "ours", "--from", tmp_path / "grid.json")[0] == 0
    out = tmp_path / "r.h5"
    code, said = call("run", tmp_path / "ours", "-o", out, "--hours", "2", "--no-report")
    assert code == 0, said
    with ResultsReader(out) as run:
        assert set(run.names("zone")) == {"1", ""}
        paid, energy = run.summary["money"]["load_payment"], run.summary["energy_twh"]["other"]
    assert "settlement, thousand CNY" in said
    assert re.search(rf"load payment +{paid / 1e3:,.2f}", said)
    assert re.search(rf"other +{1e3 * energy:,.3f} +100.0 %", said)
    assert "GWh" in said


@pytest.mark.parametrize("suffix", [".xlsx", ".sqlite"])
def test_nets_of_other_files_are_the_same(suffix, tmp_path):
    net = pp.from_json(str(small_net(tmp_path / "grid.json")))
    if suffix == ".sqlite":
        pp.to_sqlite(net, str(tmp_path / "grid.sqlite"))
    else:  # pandapower's own writer needs one more package
        with pd.ExcelWriter(tmp_path / "grid.xlsx", engine="openpyxl") as book:
            for name, table in to_dict_of_dfs(net, include_results=False).items():
                table.to_excel(book, sheet_name=name)
    for name in ("grid.json", f"grid{suffix}"):
        assert call("init", tmp_path / name.replace(".", "_"), "--from", tmp_path / name)[0] == 0
    one, other = (assemble(load(tmp_path / f"grid_{end}")) for end in ("json", suffix[1:]))
    assert_allclose(other.load_mw, one.load_mw)
    assert_allclose(other.branches["x_pu"], one.branches["x_pu"])
    assert list(other.sources["name"]) == list(one.sources["name"])


def test_series_of_a_net_come_along(tmp_path):
    path = small_net(tmp_path / "grid.json")
    net = pp.from_json(str(path))
    net.load["profile"], net.load["profile_share"] = ["load/town", ""], [1.0, 0.0]
    pp.to_json(net, str(path))
    code, said = call("init", tmp_path / "none", "--from", path)
    assert code == 3
    assert "--series must give a file with the series that the net names: 'load/town'" in said
    assert not (tmp_path / "none").exists()
    time = pd.date_range("2023-05-02", periods=30, freq="h")
    pd.DataFrame({"time": time, "load/town": np.linspace(30, 50, 30)}).to_csv(tmp_path / "town.csv", index=False)
    code, said = call("init", tmp_path / "mine", "--from", path, "--series", tmp_path / "town.csv")
    assert code == 0, said
    assert "MADE UP" not in said
    case = assemble(load(tmp_path / "mine"))
    assert (case.hours, str(case.start)) == (30, "2023-05-02T00")
    loads = dict(zip(case.loads["name"], case.load_mw.T, strict=True))
    assert_allclose(loads["town"], np.linspace(30, 50, 30))
    assert_allclose(loads["works"], 10)


def test_what_cannot_begin_says_why(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    for args, code, said in (
        ((tmp_path / "full",), 3, "must be a new folder: "),
        ((tmp_path / "new", "--from", "jiangsu-2204"), 3, "did you mean jiangsu-2024?"),
        ((tmp_path / "new", "--from", tmp_path / "no.json"), 3, "there is no such file"),
        ((tmp_path / "new", "--series", "x.csv"), 2, "--series is for a net"),
    ):
        assert call("init", *args)[0] == code
        assert said in call("init", *args)[1]
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "full" / "thesis.txt").read_text() == "x"


def test_templates_are_copied_and_their_study_is_fine(tmp_path):
    from gridsim.sweep import load_study

    result = CliRunner().invoke(main, ["init", str(tmp_path / "my"), "--template", "sweep"])
    assert result.exit_code == 0, result.output
    assert len(load_study(str(tmp_path / "my" / "study.toml")).runs) == 12
    again = CliRunner().invoke(main, ["init", str(tmp_path / "my"), "--template", "sweep"])
    assert again.exit_code == 3
    assert CliRunner().invoke(main, ["init", str(tmp_path / "new"), "--template", "x"]).exit_code == 2
    for script in (tmp_path / "my").glob("*.sh"):
        assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
