"""The self-test finds what does not work, and says so in words."""

import json

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from tiny_grid import tiny_grid, write_grid

from gridsim import journal, oracle, selftest, simulate, verify
from gridsim.cli import main

HORIZON = {"hours": 36, "window_h": 12, "step_h": 6}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return write_grid(tmp_path_factory.mktemp("grid"), tiny_grid(), horizon=HORIZON, solver={"effort": "fast"})


def failed(tested):
    return {check.check for check in tested.checks if not check.ok}


def test_all_is_well_here(scenario):
    tested = selftest.selftest(scenario)
    assert tested.ok, tested.as_text()
    assert [c.check for c in tested.checks] == [
        "kernels", "short run", "audit", "energy balance", "stop and resume", "file format", "HiGHS",
    ]  # fmt: skip
    assert {"python", "numba", "numpy", "pandapower", "h5py", "HDF5", "highspy", "system", "processor"} <= set(
        tested.machine
    )
    assert tested.as_text().endswith("7 checks: all is well")


def test_a_broken_resume_is_found(scenario, monkeypatch):
    """What a window hands on is lost: the state of stores, of which every later hour knows."""
    real = simulate.carry.unpacked

    def forgets(kept, kind, parts):
        state = real(kept, kind, parts)
        state.e_mwh = state.e_mwh * 0.9
        return state

    monkeypatch.setattr(simulate.carry, "unpacked", forgets)
    tested = selftest.selftest(scenario)
    assert failed(tested) == {"stop and resume"}
    assert "datasets differ: " in tested.as_text()


def test_a_journal_that_keeps_other_numbers_is_found(scenario, monkeypatch):
    real = journal.unpack

    def half(head, body):
        return {k: v / 2 if k == "storage/e_mwh" else v for k, v in real(head, body).items()}

    monkeypatch.setattr(journal, "unpack", half)
    assert "audit" in failed(selftest.selftest(scenario))  # the file is made of the journal


def test_a_file_whose_hours_do_not_balance_is_found(scenario, monkeypatch):
    real = simulate.simulate

    def spoiled(given, path, **options):
        summary = real(given, path, **options)
        if path.name == "whole.h5":
            with h5py.File(path, "r+") as file:
                file["dispatch/tech_p_mw"][3, 0] += 0.5
        return summary

    monkeypatch.setattr(selftest.simulate, "simulate", spoiled)
    assert {"energy balance", "stop and resume"} <= failed(selftest.selftest(scenario))


def test_a_missing_unit_is_found(scenario, monkeypatch):
    real = simulate.simulate

    def spoiled(given, path, **options):
        summary = real(given, path, **options)
        with h5py.File(path, "r+") as file:
            del file["price/energy"].attrs["units"]
        return summary

    monkeypatch.setattr(selftest.simulate, "simulate", spoiled)
    assert failed(selftest.selftest(scenario)) == {"file format"}


def test_a_kernel_that_does_not_agree_with_highs_is_found(scenario, monkeypatch):
    real = verify.compare

    def apart(*arguments, **options):
        found = real(*arguments, **options)
        return found._replace(dispatch_optimum=found.dispatch_optimum * (1 + 1e-4))

    monkeypatch.setattr(verify, "compare", apart)
    assert failed(selftest.selftest(scenario)) == {"HiGHS"}


def test_no_folder_for_machine_code_is_found(scenario, monkeypatch, tmp_path):
    monkeypatch.setattr(selftest.disk, "CACHE_DIR", tmp_path)
    checked = selftest._checked("kernels", selftest.kernels)
    assert not checked.ok
    assert "every run will compile again" in checked.text


def test_whatever_a_check_raises_is_a_line(monkeypatch):
    def bad() -> str:
        raise ImportError("no highspy")

    assert selftest._checked("HiGHS", bad)._replace(seconds=0) == ("HiGHS", False, "ImportError: no highspy", 0)


@pytest.mark.parametrize("ok", [True, False])
def test_the_command_leaves_with_0_or_7(monkeypatch, ok):
    made = selftest.SelfTest({"python": "3"}, [selftest.Check("audit", ok, "88 checks", 1.0)])
    monkeypatch.setattr(selftest, "selftest", lambda: made)
    said = CliRunner().invoke(main, ["selftest", "--json"])
    assert said.exit_code == (0 if ok else 7)
    assert json.loads(said.output)["ok"] is ok
    assert ("all is well" in CliRunner().invoke(main, ["selftest"]).output) is ok


def test_files_differ_in_one_bit(scenario, tmp_path):
    a, b = tmp_path / "a.h5", tmp_path / "b.h5"
    for path, value in ((a, 1.0), (b, np.nextafter(1.0, 2.0))):
        with h5py.File(path, "w") as file:
            file["cost/total"], file["timing/window_cpu_s"] = [value], [value]
    assert selftest.differences(a, b) == ["cost/total"]
    assert selftest.differences(a, a) == []


def test_highs_says_nothing_where_a_command_prints_its_json(capfd):
    """HiGHS 1.16 greets from C++, on the file descriptor."""
    oracle.SilentHighs()
    assert capfd.readouterr().out == ""
