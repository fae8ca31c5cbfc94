"""The command line: what it calls, what it prints, how it fails. What it calls is replaced here."""

import errno
import json
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import CliRunner, Result

from gridsim import __version__, errors, scenario, simulate
from gridsim.cli import main

sys.path.insert(0, str(Path(__file__).parent))
from small_case import report, small_case, write_small


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """`simulate` as a mock that writes a small file and reports its windows."""

    def fake(given: scenario.Scenario, out: Path, *, force: bool, progress: Any, stop: Any) -> dict[str, Any]:
        assert stop() == ""
        for index, window in enumerate(given.windows()):
            progress(report(index, window.first_hour, window.kept, shed_mwh=index * 5.0))
        return write_small(out, force=force)

    mock = Mock(side_effect=fake)
    monkeypatch.setattr(simulate, "simulate", mock)
    return mock


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Mock:
    module = types.ModuleType("gridsim.report")
    module.report = Mock(return_value=[Path("a.png"), Path("b.png")])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gridsim.report", module)
    return module.report  # type: ignore[attr-defined]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Mock:
    module = types.ModuleType("gridsim.page")
    module.write_page = Mock(side_effect=lambda path, output, **_: output)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gridsim.page", module)
    return module.write_page  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "run.h5"
    write_small(path)
    return path


# --- run


def test_run_passes_what_was_asked(simulated, page, tmp_path):
    out = tmp_path / "new" / "x.h5"
    options = ("--start", "2024-07-01", "--hours", "60", "--engine", "highs", "--set", "scale.pv=2", "-o", out)
    result = call("run", "jiangsu-2024", *options)
    assert result.exit_code == 0, result.output
    given, target = simulated.call_args.args
    assert (given.hours, str(given.start), given.solver.engine) == (60, "2024-07-01T00", "highs")
    assert given.scale == {"load": 1.0, "pv": 2.0}
    assert (target, simulated.call_args.kwargs["force"]) == (out, False)
    page.assert_called_once_with(out, out.with_suffix(".html"))
    assert f"results: {out}" in result.stdout
    assert "total cost" in result.stdout


def test_run_says_one_line_per_window_on_stderr(simulated, tmp_path):
    result = call("run", "jiangsu-2024", "--hours", 60, "--no-report", "-o", tmp_path / "x.h5")
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("window 2/3  2024-01-02 00:00 +24 h  cost 1,000  gap 1.1000 %  shed 5.0 MWh")
    assert "window 1/3" not in result.stdout


def test_run_writes_to_results_by_default(simulated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("run", "jiangsu-2024", "--no-report").exit_code == 0
    assert Path("results/jiangsu-2024.h5").is_file()


def test_existing_output_needs_force(simulated, tmp_path):
    out = tmp_path / "x.h5"
    out.write_text("precious")
    result = call("run", "jiangsu-2024", "-o", out, "--no-report")
    assert result.exit_code == 3
    assert "exists already" in result.stderr
    simulated.assert_not_called()
    assert out.read_text() == "precious"
    assert call("run", "jiangsu-2024", "-o", out, "--no-report", "--force").exit_code == 0


def test_unwritable_output(simulated, tmp_path):
    (tmp_path / "file").write_text("")
    result = call("run", "jiangsu-2024", "-o", tmp_path / "file" / "x.h5")
    assert result.exit_code == 8
    assert "cannot write in this folder" in result.stderr
    simulated.assert_not_called()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("jiangsu-20244",), "did you mean jiangsu-2024?"),
        (("jiangsu-2024", "--set", "reserve.up_min=1"), "did you mean up_min_mw?"),
        (("jiangsu-2024", "--start", "yesterday"), "must be a date or a date-time"),
        (("jiangsu-2024", "--start", "2024-12-31", "--hours", "25"), "must be at most 24"),
    ],
)
def test_bad_input_is_3_and_one_message(args, words):
    result = call("run", *args)
    assert result.exit_code == 3
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_usage_is_2():
    assert call("run").exit_code == 2
    assert call("run", "jiangsu-2024", "--hours", "0").exit_code == 2
    assert call("walk").exit_code == 2


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (errors.InputError("x", [errors.Problem("a", "is wrong")]), 3, "x: 1 problem\n  a is wrong"),
        (errors.WindowError("window 3"), 4, "window 3"),
        (errors.IntegrityError("damaged"), 7, "damaged"),
        (errors.ResourceError("disk"), 8, "disk"),
        (MemoryError(), 8, "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device", "a.png"), 8, "a.png: No space left on device"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C"),
        (ZeroDivisionError("division by zero"), 1, "internal error: ZeroDivisionError: division by zero"),
    ],
)
def test_every_failure_has_its_code_and_one_message(monkeypatch, tmp_path, error, code, words):
    monkeypatch.setattr(simulate, "simulate", Mock(side_effect=error))
    result = call("run", "jiangsu-2024", "-o", tmp_path / "x.h5")
    assert result.exit_code == code
    assert f"gridsim: {words}" in result.stderr
    assert "Traceback" not in result.stderr
    loud = call("run", "jiangsu-2024", "-o", tmp_path / "x.h5", "-v")
    assert loud.exit_code == code
    assert "Traceback" in loud.stderr
    assert os.listdir(tmp_path) == []


def test_what_was_done_to_data_is_said_without_the_line_that_did_it(monkeypatch, capsys):
    def load(*_: object) -> None:
        warnings.warn("short gaps were interpolated", UserWarning, stacklevel=1)
        raise errors.InputError("x", [])

    monkeypatch.setattr(scenario, "load", load)
    done = call("validate", "x")
    assert done.exit_code == 3
    assert done.stderr.startswith("gridsim: short gaps were interpolated\ngridsim: x")


# --- show


def test_show_json_has_the_documented_keys(path):
    result = call("show", path, "--json")
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    documented = """hours total_cost lower_bound gap_mean gap_max energy_twh unserved_mwh curtailment_mwh
        cost_by_part load_twh energy_price
        curtailment_rate spill_mwh reserve_short_mwh overload_mwh starts co2_mt peak_load_mw peak_valley_mw
        cpu_s wall_s compile_s
        peak_rss_mb file_mb scenario currency start resolution_min curtailment_mwh_by_tech curtailment_rate_by_tech
        budget_used budget_excess budget_missing budget_price loss_mwh loss_rate
        curtailment_mwh_by_cause curtailing_elements utilisation system_caused_rate utilisation_by_tech
        utilisation_by_zone utilisation_by_month
        regulation_up_gwh regulation_down_gwh peak_valley_less_mw coal_load_rate deep_unit_h compensation
        two_shift_starts shortfall_hours load_twh_by_component load_twh_by_zone flexible_gwh
        money revenue_by_tech reserve_revenue_by_tech cost_by_tech capture_price price_by_zone
        congestion_rent_by_element tou_bill_by_zone local_bill
        co2_mt_by_fuel co2_mt_by_zone co2_origin_mt co2_traced_mt intensity
        intensity_by_zone marginal_intensity_by_zone intensity_by_month co2_mt_by_month coal_mtce coal_mtce_by_month
        non_fossil_share
        non_fossil_share_by_month"""
    assert set(summary) == set(documented.split())
    numbers = {k: v for k, v in summary.items() if not isinstance(v, (dict, str))}
    assert all(isinstance(v, (int, float)) for v in numbers.values())
    assert summary["cpu_s"] == 1.0


def test_show_for_people(path):
    result = call("show", path)
    assert result.exit_code == 0
    assert "geothermal" in result.stdout
    assert "EUR" in result.stdout


def test_not_a_number_is_null_in_json(tmp_path):
    write_small(tmp_path / "x.h5", run={"cpu_s": 1.0})
    assert json.loads(call("show", tmp_path / "x.h5", "--json").stdout)["wall_s"] is None


@pytest.mark.parametrize("command", ["show", "audit", "report", "verify"])
def test_files_that_are_not_results(command, tmp_path):
    assert call(command, tmp_path / "none.h5").exit_code == 3
    (tmp_path / "x.h5").write_text("hello")
    result = call(command, tmp_path / "x.h5")
    assert result.exit_code == 7
    assert "not an HDF5 file" in result.stderr


# --- the others


class Checks:
    def __init__(self, ok: bool):
        self.ok = ok

    def as_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, "worst": float("inf")}

    def as_text(self) -> str:
        return "a table"


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 7)])
def test_audit_and_verify(monkeypatch, path, ok, code):
    for name in ("audit", "verify"):
        module = types.ModuleType(f"gridsim.{name}")
        mock = Mock(return_value=Checks(ok))
        setattr(module, name, mock)
        monkeypatch.setitem(sys.modules, f"gridsim.{name}", module)
        result = call(name, path)
        assert (result.exit_code, result.stdout) == (code, "a table\n")
        assert json.loads(call(name, path, "--json").stdout) == {"ok": ok, "worst": None}
        assert mock.call_args.args[0] == path


def test_verify_takes_a_scenario_too(monkeypatch):
    module = types.ModuleType("gridsim.verify")
    module.verify = Mock(return_value=Checks(True))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gridsim.verify", module)
    assert call("verify", "jiangsu-2024", "--windows", 3).exit_code == 0
    given, windows = module.verify.call_args.args  # type: ignore[attr-defined]
    assert (given.name, windows) == ("jiangsu-2024", 3)


def test_report_names_its_pictures(pictures, path, tmp_path):
    result = call("report", path, "-o", tmp_path, "--svg", "--png")
    assert result.stdout.split() == ["a.png", "b.png"]
    pictures.assert_called_once_with(path, tmp_path, formats=["png", "svg"])


def test_report_writes_the_page_beside_the_file(page, path, tmp_path):
    result = call("report", path, "--lang", "zh")
    assert result.stdout.strip() == str(path.with_suffix(".html"))
    page.assert_called_once_with(path, path.with_suffix(".html"), language="zh")
    assert call("report", path, "-o", tmp_path / "a.html").stdout.strip() == str(tmp_path / "a.html")
    assert call("report", path, "--lang", "de").exit_code == 2


def test_validate_counts_and_lists(monkeypatch):
    monkeypatch.setattr("gridsim.assemble.assemble", Mock(return_value=small_case()))
    result = call("validate", "jiangsu-2024")
    assert result.exit_code == 0
    assert "2 units" in result.stdout
    assert "1 ignored" in result.stdout
    assert "no reactive power here" in call("validate", "jiangsu-2024", "-v").stdout


def test_profiles_check(monkeypatch):
    sites = object()
    monkeypatch.setattr("gridsim.inputs.load_net", Mock(return_value={"profile_site": sites}))
    year = Mock(return_value="the year")
    monkeypatch.setattr("gridsim.profiles.load_year", year)
    rows = [types.SimpleNamespace(ok=True), types.SimpleNamespace(ok=False)]
    check = Mock(return_value=rows)
    monkeypatch.setattr("gridsim.profiles.check", check)
    monkeypatch.setattr("gridsim.profiles.format_table", Mock(return_value="targets"))
    result = call("profiles", "check", "--seed", 7)
    assert result.stdout == "targets\n2 targets, 1 missed\n"
    assert result.exit_code == 7
    year.assert_called_once_with(sites, 2024, 7)
    check.assert_called_once_with("the year", sites)


def test_warmup(monkeypatch):
    compiled = Mock(return_value=1.25)
    monkeypatch.setattr(simulate, "warmup", compiled)
    assert call("warmup").stdout == "kernels ready: 1.2 s\n"
    compiled.assert_called_once_with(everything=True)  # the command is for those who wait now, not later


def test_version_and_help():
    assert call("--version").stdout == f"gridsim, version {__version__}\n"
    assert "SCENARIO" in call("run", "-h").stdout


def test_help_loads_nothing_heavy():
    heavy = "{'numba', 'pandapower', 'matplotlib', 'h5py', 'pandas', 'numpy'}"
    code = f"import sys, gridsim.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_show_does_not_load_numba(path):
    shown = "from gridsim.cli import main; main(['show', sys.argv[1]], standalone_mode=False)"
    code = f"import sys; {shown}; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    assert done.stdout.strip().endswith("False")


def test_python_m_gridsim():
    done = subprocess.run([sys.executable, "-m", "gridsim", "--version"], check=True, capture_output=True, text=True)
    assert __version__ in done.stdout
