"""The log of what went wrong: what was lost, what was shed where, how long until supply was whole again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pytest
from click.testing import CliRunner
from one_bus import NO_RESERVE
from tiny_grid import HOURS, run_audited, tiny_grid, write_grid

from gridsim.cli import main
from gridsim.incidents import log, shortages
from gridsim.results import ResultsReader


@pytest.mark.parametrize(
    ("short", "spans"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 0], []),
        ([0, 0, 1, 1, 0, 0, 0, 0], [(2, 4)]),
        ([0, 0, 1, 0, 0, 1, 0, 0], [(2, 6)]),  # two calm hours are not three
        ([0, 0, 1, 0, 0, 0, 1, 0], [(2, 3), (6, 7)]),  # three are
        ([1, 1, 0, 0, 0, 1, 1, 1], [(0, 2), (5, 8)]),  # from the beginning, to the end of the run
    ],
)
def test_supply_is_whole_again_after_three_calm_hours(short: list[int], spans: list[tuple[int, int]]) -> None:
    assert shortages(np.array(short, dtype=bool), 3) == spans


def two_plants() -> Any:
    """800 MW of two units and 300 MW of one for 1,000 MW of load, and 50 MW that nobody needs."""
    net = pp.create_empty_network(sn_mva=100, name="two plants")
    pp.create_bus(net, vn_kv=220, name="A", zone="A")
    pp.create_load(net, 0, 1000.0, name="D")
    for name, most in (("base", 800.0), ("peak", 300.0), ("spare", 50.0)):
        index = pp.create_gen(net, 0, 0.0, min_p_mw=0.0, max_p_mw=most, name=name, slack=name == "base")
        pp.create_poly_cost(net, index, "gen", 300.0)
    net.gen["units"], net.gen["must_run"], net.gen["tech"] = [2, 1, 1], True, "coal"
    return net


def outage(kind: str, start: str, hours: int, name: str, share: float = 1.0) -> dict[str, Any]:
    return {"kind": kind, "start": f"2024-01-{start}", "hours": hours, "names": [name], "share": share}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two outages that overlap on the first day, two apart on the second, and one that does no harm."""
    folder = tmp_path_factory.mktemp("incidents")
    outages = [
        outage("spare out", "01T00:00", 96, "spare"),
        outage("A", "01T10:00", 4, "peak"),
        outage("B", "01T12:00", 6, "base", 0.5),
        outage("C", "02T00:00", 2, "peak"),
        outage("D", "02T16:00", 1, "peak"),
        outage("harmless", "03T00:00", 5, "spare"),
    ]
    scenario = write_grid(
        folder, two_plants(), horizon={"hours": HOURS}, reserve=NO_RESERVE, grid={"enforce": "copper"}, outage=outages
    )
    run_audited(scenario, folder / "run.h5")[1].close()
    return folder / "run.h5"


def test_outages_that_overlap_are_one_incident_and_those_apart_are_two(run: Path) -> None:
    """A leaves 800 MW of 1,000, B 700 with the peak plant, both 400; C and D are A again, hours apart."""
    with ResultsReader(run) as results:
        found = log(results)
        shed = results.array("unserved/load_mw").sum(axis=1)
    first, second, third = found.incidents
    kinds = [[found.outages[k].cause for k in one.outages] for one in found.incidents]
    assert kinds == [["A", "spare out", "B"], ["C", "spare out"], ["D", "spare out"]]
    assert first.unserved_mwh == pytest.approx(2 * 200.0 + 2 * 600.0 + 4 * 300.0, abs=1e-3)
    assert (first.start, first.recovery_h, first.after_h) == ("2024-01-01T10:00", 8.0, 0.0)
    assert first.unserved_mw == pytest.approx(600.0, abs=1e-3)
    assert first.lost_mw == pytest.approx(300.0 + 400.0 + 50.0)
    assert first.unserved_by_zone == {"A": pytest.approx(2800.0, abs=1e-3)}
    assert (second.unserved_mwh, third.unserved_mwh) == (pytest.approx(400.0, abs=1e-3), pytest.approx(200.0, abs=1e-3))
    assert (second.recovery_h, third.recovery_h) == (2.0, 1.0)
    # each megawatt hour counts once
    assert sum(one.unserved_mwh for one in found.incidents) == pytest.approx(shed.sum(), abs=1e-2)
    parts = {one.cause: one.incidents for one in found.outages}
    assert parts == {"spare out": (0, 1, 2), "A": (0,), "B": (0,), "C": (1,), "D": (2,), "harmless": ()}
    assert found.name_of(first) == "A: peak and 2 more"


def test_the_log_is_printed_and_is_json(run: Path) -> None:
    said = CliRunner().invoke(main, ["incidents", str(run)])
    assert said.exit_code == 0
    for text in ("3 incidents, the worst 3", "2,800.0", "A: peak, spare out: spare, B: base", "6 outages"):
        assert text in said.output
    assert said.output.index("2,800.0") < said.output.index("400.0")
    tree = json.loads(CliRunner().invoke(main, ["incidents", str(run), "--json"]).output)
    assert [one["name"] for one in tree["incidents"]] == [
        "A: peak and 2 more", "C: peak and 1 more", "D: peak and 1 more"
    ]  # fmt: skip
    assert len(tree["outages"]) == 6


def test_what_stayed_in_service_has_no_part(tmp_path: Path) -> None:
    """L1 would cut bus 1 off while L0 is out: it stays, and is no cause of what is shed for want of units."""
    outages = [outage("storm", "01T08:00", 8, name) for name in ("L0", "L1")] + [
        outage("fire", "01T08:00", 8, "G", 0.6)
    ]
    scenario = write_grid(tmp_path, tiny_grid(stores=False), horizon={"hours": HOURS}, load=1.2, outage=outages)
    _, results = run_audited(scenario, tmp_path / "run.h5")
    found = log(results)
    one = found.incidents[0]
    assert {found.outages[k].name for k in one.outages} == {"G", "L0"}
    assert one.lost_mw == 200.0
    stayed = [outage for outage in found.outages if outage.stays]
    assert [(outage.name, outage.lost_mw, outage.incidents) for outage in stayed] == [("L1", 0.0, ())]
    assert len(found.failed) == 2
    assert "stayed in service" in CliRunner().invoke(main, ["incidents", str(tmp_path / "run.h5")]).output


def test_shortage_with_nothing_out_is_an_incident_of_no_outages(tmp_path: Path) -> None:
    scenario = write_grid(tmp_path, tiny_grid(stores=False), horizon={"hours": HOURS}, load=1.9)
    summary, results = run_audited(scenario, tmp_path / "run.h5")
    found = log(results)
    assert summary["unserved_mwh"] > 100.0
    assert found.incidents
    assert not found.outages
    assert all(one.after_h is None and not one.outages for one in found.incidents)
    assert "nothing" in CliRunner().invoke(main, ["incidents", str(tmp_path / "run.h5")]).output


def test_nothing_failed(tmp_path: Path) -> None:
    run_audited(write_grid(tmp_path, tiny_grid()), tmp_path / "run.h5")[1].close()
    assert "nothing failed" in CliRunner().invoke(main, ["incidents", str(tmp_path / "run.h5")]).output
