"""`gridsim explain`: the words hold the numbers of the file, and the cause that made the hour."""

import re
from pathlib import Path

import numpy as np
import pytest
from budget_grid import write_budget_grid
from click.testing import CliRunner
from tiny_grid import run_audited, tiny_grid, write_grid

from gridsim.cli import main
from gridsim.errors import InputError
from gridsim.opened import Results
from gridsim.schema import CAUSES
from gridsim.simulate import simulate


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Much wind behind narrow lines: something is lost for more than one cause."""
    folder = tmp_path_factory.mktemp("explain")
    net = tiny_grid(tight=True)
    net.sgen.loc[0, "max_p_mw"], net.line["max_i_ka"] = 300.0, 0.1
    path = folder / "run.h5"
    _, run = run_audited(write_grid(folder, net), path)
    run.close()
    return path


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return float(found.group(1).replace(",", ""))


@pytest.mark.parametrize("cause", ["section", "system"])
def test_the_hour_that_lost_most_says_why(path, cause):
    with Results(path) as run:
        lost = run.reader.array("curtailment/cause_mw")
        of_cause = lost[:, :, CAUSES.index(cause)].sum(axis=1)
        t = int(of_cause.argmax())
        assert of_cause[t] > 1.0
        text = run.explain(str(run.reader.time[t]))
        assert number(r"curtailed: ([\d,]+) MW", text) == round(lost[t].sum())
        assert number(rf"  {cause} ([\d,]+) MW: ", text) == round(of_cause[t])
        if cause == "section":
            hit = run.reader["curtailment/section_element"][t, int(lost[t, :, 1].argmax())]
            name = [*run.reader.names("branch"), *run.reader.names("interface")][hit]
            assert f", behind {name}" in text
            assert f"\n  {name}: " in text.split("full:")[1]


def test_balance_coal_and_prices_are_those_of_the_hour(path):
    with Results(path) as run:
        text = run.explain("2024-01-01T20:30")  # within the hour
        assert text.startswith("tiny, 2024-01-01 20:00, a Monday")
        assert number(r"load ([\d,]+) MW", text) == round(run.reader["dispatch/load_mw"][20].sum())
        on = run.reader["commitment/on"][20]
        assert number(r"coal: (\d+) units", text) == on[0] + on[2]
        price = run.reader["price/zone"][20]
        low, high = f"{price.min():,.1f}", f"{price.max():,.1f}"
        assert re.search(rf"price: {low} \((A|C)\) to {high} \((A|C)\) CNY/MWh", text)
        assert "the loss of circuits was not looked at" in text
        least = np.array(run.reader["peak_shaving/net_load_mw"][:24])
        assert "lowest of the day" in run.explain(f"2024-01-01T{least.argmin():02d}")


def test_one_price_is_said_once(tmp_path):
    """One bus: nowhere is dearer than elsewhere."""
    simulate(write_budget_grid(tmp_path, hours=2), tmp_path / "x.h5")
    with Results(tmp_path / "x.h5") as run:
        price = run.reader["price/bus"][0]
        assert f"price: {price.min():,.1f} CNY/MWh at every bus\n" in run.explain("2024-01-01")


@pytest.mark.parametrize("hour", ["2025-01-01", "2023-12-31T23", "noon", "2024-01-01T05+08:00", "2024-01-03T01"])
def test_an_hour_that_is_not_there(path, hour):
    with Results(path) as run, pytest.raises(InputError, match="hour must"):
        run.explain(hour)


def test_the_command(path):
    done = CliRunner().invoke(main, ["explain", str(path), "2024-01-02T12"])
    assert done.exit_code == 0
    assert "tiny, 2024-01-02 12:00, a Tuesday" in done.output
    missed = CliRunner().invoke(main, ["explain", str(path), "2030-01-02T12"])
    assert missed.exit_code == 3
    assert "which goes from 2024-01-01 00:00:00 to 2024-01-03 00:00:00" in missed.output
