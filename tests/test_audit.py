"""The audit passes a file that is right, and each of its checks fails when just that thing is broken."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from gridsim.audit import audit
from gridsim.audit_devices import recent
from gridsim.errors import IntegrityError

sys.path.insert(0, str(Path(__file__).parent))
from tiny_grid import run_audited, tiny_grid, write_grid
from tiny_results import series, write_tiny


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("audit") / "good.h5")


@pytest.fixture
def broken(good: Path, tmp_path: Path) -> Callable[[Callable[[h5py.File], None]], Path]:
    def make(change: Callable[[h5py.File], None]) -> Path:
        path = tmp_path / "broken.h5"
        path.write_bytes(good.read_bytes())
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    return make


def add(path: str, place: object, amount: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values = file[path][...]
        values[place] += amount
        file[path][...] = values

    return change


def put(path: str, place: object, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values = file[path][...]
        values[place] = value
        file[path][...] = values

    return change


def remove(group: str, name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[group].attrs[name]

    return change


def both(*changes: Callable[[h5py.File], None]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        for each in changes:
            each(file)

    return change


def attribute(group: str, name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[group].attrs[name] = value

    return change


def test_a_right_file_passes(good: Path):
    report = audit(good)
    assert report.ok, report.as_text()
    assert report.hours == 6
    assert "nothing is off" in report.as_text()
    assert json.loads(json.dumps(report.as_dict(), allow_nan=False))["ok"] is True


def test_the_right_file_uses_every_slack():
    data = series(6)
    for name in ("unserved/load_mw", "spill/bus_mw", "flow/branch_overload_mw", "flow/interface_overload_mw"):
        assert data[name].max() > 0.1, name
    assert data["reserve/short_mw"].max(axis=0).min() > 0.1
    assert data["commitment/start"].sum() == 1


BREAKS = {
    "tables point to rows": put("loads/bus_row", 1, 3),
    "every number is finite": put("price/energy", 2, np.nan),
    "hourly balance": add("dispatch/unit_p_mw", (2, 0), 0.002),
    "units on within available": put("commitment/available", (3, 1), 0),
    "unit output within limits": add("dispatch/unit_p_mw", (2, 1), 60.0),
    "on follows starts and stops": put("commitment/start", (1, 1), 0),
    "starts and stops not negative": both(put("commitment/start", (2, 0), -1), put("commitment/stop", (2, 0), -1)),
    "must-run units on": both(put("commitment/on", (5, 0), 1), put("commitment/stop", (5, 0), 1)),
    "minimum up time": put("units/min_up_h", 1, 5),
    "minimum down time": both(
        put("commitment/on", (2, 1), 0), put("commitment/stop", (2, 1), 1), put("commitment/start", (3, 1), 1)
    ),
    "ramps of units, up": put("units/ramp_up_mw_per_h", 0, 0.5),
    "ramps of units, down": put("units/ramp_down_mw_per_h", 0, 0.5),
    "output in first and last hours": put("units/stop_ramp_mw", 1, 45.0),
    "source output within available": add("dispatch/source_available_mw", (4, 0), -0.1),
    "source output above its least": add("dispatch/source_p_mw", (4, 1), -20.0),
    "source ramps": put("sources/ramp_mw_per_h", 1, 4.0),
    "ramps of sources with stores": put("stores/beside_source", 0, 1),
    "curtailment is available - output": both(
        add("curtailment/source_mw", (1, 0), 0.01), add("curtailment/cause_mw", (1, 0, 5), 0.01)
    ),
    "curtailment by own connections": both(
        add("curtailment/cause_mw", (3, 0, 0), 0.01), add("curtailment/cause_mw", (3, 0, 5), -0.01)
    ),
    "causes add up to curtailment": add("curtailment/cause_mw", (2, 0, 1), 1e-4),
    "sections to blame are full": both(
        put("curtailment/cause_mw", (2, 0, slice(None)), [0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        put("curtailment/section_element", (2, 0), 1),
    ),
    "outages to blame fill something": both(
        put("curtailment/cause_mw", (2, 0, slice(None)), [0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0]),
        put("security/hour_loading", 2, 0.99),
    ),
    "curtailment by cause not negative": both(
        add("curtailment/cause_mw", (1, 0, 1), 0.5), add("curtailment/cause_mw", (1, 0, 5), -0.5)
    ),
    "state of charge recursion": put("stores/eta_charge", 0, 0.94),
    "state of charge within limits": put("stores/e_max_mwh", 0, 55.0),
    "charging within limits": put("stores/p_charge_max_mw", 0, 9.0),
    "discharging within limits": put("stores/p_discharge_max_mw", 0, 11.9),
    "no hour with both": add("storage/discharge_mw", (0, 0), 0.1),
    "stored at the end of the run": both(put("stores/end_rule", 0, b"fixed"), put("stores/e_end_mwh", 0, 90.0)),
    "spill of stores not negative": add("storage/spill_mw", (1, 0), -1.0),
    "charging of whole units": put("stores/p_charge_min_mw", 0, 10.01),
    "discharging of whole units": put("stores/p_discharge_min_mw", 0, 12.1),
    "reserve covered or short": add("reserve/need_mw", (1, 0), 0.1),
    "reserve short not negative": both(
        add("reserve/short_mw", (4, 1), -200.0), add("reserve/provided_mw", (4, 1), 200.0)
    ),
    "reserve really there": add("reserve/provided_mw", slice(None), 0.01),
    "unserved within the load": add("unserved/load_mw", (3, 0), 400.0),
    "spill not negative": add("spill/bus_mw", (2, 0), -1.0),
    "balance of every island": add("dispatch/load_mw", (2, 0), 0.01),
    "branch flows solved again": put("branches/x_pu", 0, 0.0062),
    "branch ratings": put("branches/rating_mw", 2, 100.0),
    "branch overload not negative": add("flow/branch_overload_mw", (1, 1), -1.0),
    "interface flows": add("flow/interface_p_mw", (2, 0), 0.1),
    "interface limits": put("flow/interface_overload_mw", slice(None), 0.0),
    "interface overload not negative": put("flow/interface_overload_mw", (2, 0), -1.0),
    "DC link limits": put("links/p_max_mw", 0, 20.0),
    "limits no looser than the net's": put("branches/rating_mw", 1, 217.0),
    "flows of pandapower's rundcpp": put("branches/shift_deg", 1, 0.1),
    "cost: energy": put("units/seg_cost", (0, 0), 300.5),
    "cost: no_load": put("units/no_load_cost", 1, 2001.0),
    "cost: start": put("units/start_cost_by_lag", (1, 1), 70_001.0),
    "cost: wear": put("stores/charge_cost", 0, 10.1),
    "cost: shed": attribute("meta", "penalty_shed", 19_999.0),
    "cost: spill": attribute("meta", "penalty_spill", 499.0),
    "cost: reserve_short": attribute("meta", "penalty_reserve_short", 2_999.0),
    "cost: budget": add("cost/budget", 3, 1e4),
    "cost: overload": attribute("meta", "penalty_overload", 4_999.0),
    "cost: total": add("cost/total", 2, 1.0),
    "power by technology": add("dispatch/tech_p_mw", (2, 1), 0.01),
    "emissions by technology": add("carbon/tech_t", (2, 1), 0.01),
    "load and net load of peak shaving": add("peak_shaving/net_load_mw", 2, 0.01),
    "peak-valley difference by day": add("peak_shaving/peak_valley_before_mw", 0, 0.01),
    "regulation by supplier": both(
        add("peak_shaving/regulation_mw", (3, 9), 0.01), add("peak_shaving/regulation_mw", (3, 0), -0.01)
    ),
    "regulation needed": add("peak_shaving/need_mw", 3, 0.01),
    "regulation adds up to the need": add("peak_shaving/regulation_mw", (4, 5), 1e-3),
    "money: load_payment": add("money/load_payment", (2, 0), 2.0),
    "money: tech_revenue": add("money/tech_revenue", (2, 1), 2.0),
    "money: local_bill": add("money/local_bill", (2, 1), 2.0),
    "money: spill_payment": add("money/spill_payment", 2, 2.0),
    "money: costs by technology": add("money/tech_cost", (2, 0), 2.0),
    "money: stores": add("money/store_cost", 0, 20.0),
    "money: reserve": add("money/reserve_revenue", (2, 0), 2.0),
    "settlement adds up": add("money/link_rent", 3, 2.0),
    "congestion rent by line": add("money/branch_rent", 1, 20.0),
    "emissions by zone": add("carbon/zone_emission_t", (2, 0), 1e-3),
    "emissions at the origin of imports": add("carbon/origin_t", 2, 1e-3),
    "emissions are traced whole": add("carbon/export_t", 2, 1e-3),
    "intensity of consumption": add("carbon/zone_intensity", (2, 1), 1e-4),
    "traced emissions not negative": both(
        put("carbon/zone_load_t", (2, 1), -1.0), put("carbon/zone_intensity", (2, 1), -1.0 / 200.0)
    ),
    "emissions by row": add("carbon/unit_t", 0, 1.0),
    "two-shift starts": add("peak_shaving/two_shift_starts", (0, 1), 1),
    "load rate of coal": add("peak_shaving/coal_load_rate", 2, 1e-5),
    "units in deep peaking": add("peak_shaving/deep_units", (2, 1), 1),
    "summary agrees with the arrays": attribute("summary", "unserved_mwh", 5.001),
    "summary is whole": remove("summary", "co2_mt"),
}


@pytest.mark.parametrize("check", BREAKS)
def test_each_check_can_fail(check: str, broken: Callable[[Callable[[h5py.File], None]], Path]):
    report = audit(broken(BREAKS[check]))
    row = report.row(check)
    assert not row.ok
    assert row.violations > 0
    assert row.worst > row.limit
    assert row.where
    assert not report.ok
    assert "failed" in report.as_text()


def test_every_check_of_a_right_file_is_broken_once(good: Path):
    always = {"every series is whole", "the run is complete", "minimum up time, cut by planned outages (excused)"}
    always |= {"ramps widened (recorded)"}
    assert {row.check for row in audit(good).rows} - always <= set(BREAKS)


REALLY_THERE = {  # what a file may not count as reserve
    "more than units answer with": put("units/response_mw", (1, 0), 14.9),
    "more than ramps leave": put("units/ramp_up_mw_per_h", 1, 14.9),
    "what does not start in time": put("units/offline_mw", (1, 2), 11.0),
    "what lies above the most of a first hour": put("units/start_ramp_mw", 1, 59.9),
    "what lies above the most of a last hour": put("units/stop_ramp_mw", 1, 54.9),
    "sources that do not answer": put("sources/responds", (0, 0), 0),
}


@pytest.mark.parametrize("what", REALLY_THERE)
def test_reserve_that_is_not_there_is_found(what: str, broken: Callable[[Callable[[h5py.File], None]], Path]):
    assert not audit(broken(REALLY_THERE[what])).row("reserve really there").ok


def test_a_start_is_priced_by_the_hours_off(broken: Callable[[Callable[[h5py.File], None]], Path]):
    """The plant starts in the second hour: off for one more than before the first hour."""
    for hours, ok in ((1, False), (4, False), (5, True), (9, True)):
        assert audit(broken(put("units/initial_hours", 1, hours))).row("cost: start").ok == ok


def test_a_widened_ramp_is_allowed_as_far_as_it_is_recorded(broken: Callable[[Callable[[h5py.File], None]], Path]):
    tight = both(put("units/ramp_up_mw_per_h", 0, 0.5), put("units/ramp_down_mw_per_h", 0, 0.5))
    report = audit(broken(both(tight, put("commitment/ramp_relaxed_mw", (slice(None), 0), 150.0))))
    assert report.row("ramps of units, up").ok
    assert report.row("ramps of units, down").ok
    assert report.row("ramps widened (recorded)").worst == 150.0


def test_where_names_hour_and_element(broken: Callable[[Callable[[h5py.File], None]], Path]):
    row = audit(broken(BREAKS["unit output within limits"])).row("unit output within limits")
    assert row.where == "2024-03-01 02:00, gas plant"
    assert row.worst == pytest.approx(10.0)


def test_a_missing_penalty_is_not_taken_for_zero(broken: Callable[[Callable[[h5py.File], None]], Path]):
    assert not audit(broken(remove("meta", "penalty_shed"))).row("cost: shed").ok


def test_a_run_that_was_stopped_fails(broken: Callable[[Callable[[h5py.File], None]], Path]):
    report = audit(broken(attribute("meta", "complete", False)))
    assert [row.check for row in report.failed] == ["the run is complete"]


def test_least_outputs_from_the_net_when_the_file_has_none(broken: Callable[[Callable[[h5py.File], None]], Path]):
    def change(file: h5py.File) -> None:
        del file["dispatch/source_min_mw"]

    assert audit(broken(change)).ok
    low = audit(broken(both(change, add("dispatch/source_p_mw", (4, 1), -20.0))))
    assert not low.row("source output above its least").ok


def test_a_hole_in_the_file_is_one_row(broken: Callable[[Callable[[h5py.File], None]], Path]):
    def shorten(file: h5py.File) -> None:
        values = file["storage/e_mwh"][:4]
        del file["storage/e_mwh"]
        file["storage/e_mwh"] = values

    report = audit(broken(shorten))
    assert not report.ok
    assert report.row("every series is whole").where == "storage/e_mwh has 4 of 6 steps"


def test_float32_dispatch_of_a_province_does_not_close_the_balance():
    """Why /dispatch is float64: the sum of 250 rounded values is off by more than the audit allows."""
    rng = np.random.default_rng(1)
    p_mw = rng.uniform(0.0, 4_000.0, (2_000, 250))
    off = np.abs(p_mw.astype(np.float32).astype(np.float64).sum(1) - p_mw.sum(1))
    assert off.max() > 1e-3
    grid = np.round(p_mw * 2.0**20) / 2.0**20  # a grid of a millionth of a MW is fine, and compresses
    assert np.abs(grid.sum(1) - p_mw.sum(1)).max() < 2e-4


def test_outages_excuse_early_stops(broken: Callable[[Callable[[h5py.File], None]], Path]):
    """The gas unit started in hour 1 falls out in hour 3: too early for its 3 hours, but not by choice."""
    stop = both(
        put("commitment/on", (slice(3, 6), 1), 0), put("commitment/stop", (3, 1), 1), put("commitment/stop", (5, 1), 0)
    )
    by_choice = audit(broken(stop))
    assert not by_choice.row("minimum up time").ok
    by_outage = audit(broken(both(stop, put("commitment/available", (slice(3, 6), 1), 0))))
    assert by_outage.row("minimum up time").ok
    assert by_outage.row("minimum up time, cut by planned outages (excused)").worst == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_minimum_up_rule_is_that_of_single_units(seed: int):
    """A group's counts pass exactly when units taken one by one, oldest stopped first, keep their minimum."""
    rng = np.random.default_rng(seed)
    for _ in range(40):
        on = np.cumsum(rng.integers(-1, 2, 12)).clip(0, 3)
        step = np.diff(on, prepend=0)
        start, stop = step.clip(min=0), (-step).clip(min=0)
        least = int(rng.integers(1, 5))
        ages: list[int] = []
        keeps = True
        for v, w in zip(start, stop, strict=True):
            ages = [age + 1 for age in ages]
            for _ in range(w):
                keeps &= ages.pop(0) >= least
            ages += [0] * v
        early = recent(start[:, None].astype(float), np.array([least]))[:, 0] - on
        assert keeps == bool((early <= 0).all())


def test_what_is_not_a_run(tmp_path: Path):
    text = tmp_path / "text.h5"
    text.write_text("not HDF5")
    with pytest.raises(IntegrityError, match="cannot be opened"):
        audit(text)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(IntegrityError, match="not a gridsim run"):
        audit(tmp_path / "other.h5")
    with pytest.raises(IntegrityError, match="cannot be opened"):
        audit(tmp_path / "missing.h5")


def test_what_a_scenario_makes_larger_is_no_looser_than_the_net(tmp_path):
    scale = {"coal": 1.2, "battery": 2.0, "wind_onshore": 1.5, "load": 1.1}
    scenario = write_grid(tmp_path, tiny_grid(), scale=scale, grid={"line_rating_factor": 1.3})
    run_audited(scenario, tmp_path / "run.h5")
