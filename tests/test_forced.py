"""Histories of forced outages: rates, lengths, and that nobody's history depends on who else is there."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_grid import tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.case import Case, Rates
from gridsim.errors import InputError
from gridsim.forced import Outages, draw, intervals
from gridsim.networks import jiangsu
from gridsim.networks.tables import read_table
from gridsim.profiles.outages import OUTAGES, availability


def failing(net: Any) -> Any:
    """Everything of the tiny grid fails often."""
    for element in ("gen", "sgen", "storage", "line", "dcline"):
        net[element]["for_rate"], net[element]["mttr_h"] = 0.2, 5.0
    net.sgen["outage_parts"], net.dcline["outage_parts"] = 2, 2
    net.dcline["loss_percent"] = 1.0  # a row each way
    return net


def case_of(tmp_path: Path, net: Any, **sections: Any) -> Case:
    return assemble(write_grid(tmp_path, net, **sections))


def with_rates(case: Case, hours: int, *, mttf_h: float = 95.0, mttr_h: float = 5.0, parts: int = 400) -> Case:
    """The case with one row of many units over a long horizon: only the fields that a draw looks at."""
    rates = Rates(("many",), np.array([parts]), np.array([mttf_h]), np.array([mttr_h]))
    available = np.full((hours * case.steps_per_hour, 1), parts)
    return dataclasses.replace(
        case, hours=hours, outage_rates=case.outage_rates._replace(units=rates), unit_available=available,
        units=case.units.iloc[:1],
    )  # fmt: skip


@pytest.fixture
def case(tmp_path):
    return case_of(tmp_path, failing(tiny_grid()))


def same(a: Outages, b: Outages) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# ---- rates and lengths


def test_the_share_of_the_time_out_is_the_rate(case):
    """400 units for a year: 22 outages of each a year; the mean's standard error is 0.1 % of the time."""
    out = draw(with_rates(case, 8760), 3).units_out
    assert out.mean() / 400 == pytest.approx(0.05, abs=0.002)
    # from the first hour on, and to the last: nobody begins up and wears out
    assert out[:100].mean() / 400 == pytest.approx(0.05, abs=0.02)
    assert out[-100:].mean() / 400 == pytest.approx(0.05, abs=0.02)


def test_mean_lengths():
    spans = [intervals(95.0, 5.0, 1e5, np.random.default_rng(k)) for k in range(20)]
    ups = np.concatenate([s[1:, 0] - s[:-1, 1] for s in spans])
    downs = np.concatenate([s[1:, 1] - s[1:, 0] for s in spans])
    assert len(ups) > 15_000
    assert ups.mean() == pytest.approx(95.0, rel=0.03)
    assert downs.mean() == pytest.approx(5.0, rel=0.03)
    # exponential: as wide as it is long
    assert downs.std() == pytest.approx(5.0, rel=0.04)
    assert ups.std() == pytest.approx(95.0, rel=0.04)


def test_the_first_state_is_as_any():
    first = np.array([intervals(8.0, 2.0, 1.0, np.random.default_rng(k)) for k in range(4000)], dtype=object)
    down = np.mean([len(s) > 0 and np.isneginf(s[0, 0]) for s in first])
    assert down == pytest.approx(0.2, abs=0.02)


def test_a_short_step_sees_the_same_history(tmp_path):
    """An hour's value is that of its first quarter."""
    hourly = case_of(tmp_path, failing(tiny_grid()))
    quarters = dataclasses.replace(hourly, steps_per_hour=4, unit_available=np.repeat(hourly.unit_available, 4, axis=0))
    a, b = draw(hourly, 5), draw(quarters, 5)
    assert np.array_equal(a.units_out, b.units_out[::4])
    assert np.array_equal(a.source_left, b.source_left[::4])


def test_a_later_horizon_sees_the_same_year(tmp_path, case):
    later = dataclasses.replace(
        case, start=case.start + np.timedelta64(10, "h"), hours=case.hours - 10, unit_available=case.unit_available[10:]
    )
    a, b = draw(case, 5), draw(later, 5)
    assert np.array_equal(a.units_out[10:], b.units_out)
    assert np.array_equal(a.link_left[10:], b.link_left)


# ---- determinism, and independence of the order


def test_a_seed_is_a_history(case):
    assert same(draw(case, 7), draw(case, 7))
    assert not same(draw(case, 7), draw(case, 8))
    assert draw(case, 7).units_out.any()


def by_name(case: Case, seed: int) -> dict[str, Any]:
    out = draw(case, seed)
    found: dict[str, Any] = {}
    tables = ((case.units, out.units_out), (case.stores, out.stores_out), (case.sources, out.source_left))
    for table, values in (*tables, (case.links, out.link_left)):
        found |= {name: values[:, j].tolist() for j, name in enumerate(table["name"])}
    for j, name in enumerate(case.branches["name"]):
        found[name] = [tuple(row[1:]) for row in out.circuits.tolist() if row[0] == j]
    return found


def test_order_and_company_do_not_matter(tmp_path):
    whole = case_of(tmp_path, failing(tiny_grid()))
    turned = failing(tiny_grid())
    for element in ("gen", "sgen", "storage", "line"):  # cost rows go by index
        turned[element] = turned[element].iloc[::-1]
    turned.line = turned.line.drop(index=4)
    turned.sgen = turned.sgen.drop(index=0)
    other = case_of(tmp_path, turned)
    assert list(other.units["name"]) == list(whole.units["name"])[::-1]
    a, b = by_name(whole, 11), by_name(other, 11)
    assert set(a) - set(b) == {"L4", "W"}
    assert {name: a[name] for name in b} == b


def test_more_units_leave_the_first_as_they_were(case):
    few, many = (draw(with_rates(case, 500, parts=n), 2).units_out[:, 0] for n in (3, 4))
    assert np.isin(many - few, (0, 1)).all()


# ---- parts


def test_units_on_planned_work_do_not_fail(tmp_path):
    case = with_rates(case_of(tmp_path, tiny_grid()), 2000, mttf_h=5.0, parts=4)
    planned = dataclasses.replace(case, unit_available=np.tile([[4], [2]], (1000, 1)))
    out = draw(planned, 1).units_out[:, 0]
    assert out.max() == 4
    assert out[1::2].max() == 2
    assert out[::2].mean() == pytest.approx(2.0, abs=0.2)
    assert out[1::2].mean() == pytest.approx(1.0, abs=0.15)


def test_poles_and_circuits(case):
    seen: dict[str, set[float]] = {"X": set(), "DC": set()}
    for seed in range(40):
        out = draw(case, seed)
        seen["X"] |= set(out.source_left[:, list(case.sources["name"]).index("X")])
        seen["DC"] |= set(out.link_left[:, 0])
        assert np.array_equal(out.link_left[:, 0], out.link_left[:, 1])  # both ways are one line
        assert (out.circuits[:, 1] + out.circuits[:, 2] <= case.steps).all()
        assert (out.circuits[:, 2:] >= 1).all()
    assert seen["X"] == {0.0, 0.5, 1.0} == seen["DC"]


def test_rows_of_one_line_fail_together(tmp_path):
    net = failing(tiny_grid())
    net.sgen["outage_of"] = ["", "one", "one"]
    case = case_of(tmp_path, net)
    left = np.vstack([draw(case, seed).source_left for seed in range(20)])
    assert np.array_equal(left[:, 1], left[:, 2])
    assert not np.array_equal(left[:, 0], left[:, 1])


def test_nothing_fails_without_rates(tmp_path):
    out = draw(case_of(tmp_path, tiny_grid()), 1)
    assert not out.units_out.any()
    assert not out.stores_out.any()
    assert not len(out.circuits)
    assert (out.source_left == 1.0).all()


# ---- columns


@pytest.mark.parametrize(
    ("given", "mttf_h", "mttr_h"),
    [
        ({"for_rate": 0.1, "mttr_h": 10.0}, 90.0, 10.0),
        ({"for_rate": 0.1, "mttf_h": 90.0}, 90.0, 10.0),
        ({"mttf_h": 90.0, "mttr_h": 10.0}, 90.0, 10.0),
        ({"for_rate": 0.1, "mttf_h": 90.0, "mttr_h": 10.0}, 90.0, 10.0),
        ({"for_rate": 0.0, "mttr_h": 10.0}, np.inf, 0.0),
        ({}, np.inf, 0.0),
    ],
)
def test_two_figures_say_the_third(tmp_path, given, mttf_h, mttr_h):
    net = tiny_grid()
    for name, value in given.items():
        net.gen[name] = value
    rates = case_of(tmp_path, net).outage_rates.units
    np.testing.assert_allclose(rates.mttf_h, mttf_h)
    np.testing.assert_allclose(rates.mttr_h, mttr_h)
    np.testing.assert_allclose(rates.rate, 0.0 if np.isinf(mttf_h) else 0.1)
    assert rates.parts.tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"for_rate": 0.1}, "must be given with mttr_h or mttf_h"),
        ({"mttr_h": 5.0}, "must be given with mttr_h or mttf_h"),
        ({"for_rate": 1.0, "mttr_h": 5.0}, "must be at least 0 and less than 1"),
        ({"mttf_h": 5.0, "mttr_h": 0.0}, "must be greater than 0 h"),
        ({"for_rate": 0.3, "mttf_h": 90.0, "mttr_h": 10.0}, "mttr_h / (mttf_h + mttr_h)"),
    ],
)
def test_what_is_refused(tmp_path, given, said):
    net = tiny_grid()
    for name, value in given.items():
        net.gen[name] = value
    with pytest.raises(InputError) as error:
        case_of(tmp_path, net)
    (text,) = [str(problem) for problem in error.value.problems if said in str(problem)]
    assert "gen 0 'G'" in text


def test_rows_of_one_line_have_one_rate(tmp_path):
    net = failing(tiny_grid())
    net.sgen["outage_of"], net.sgen["mttr_h"] = "one", [5.0, 5.0, 6.0]
    with pytest.raises(InputError, match="outage_of must be of rows with the same"):
        case_of(tmp_path, net)


# ---- the built-in grid


def test_the_table_and_the_profiles_agree():
    """Two places say how often a plant is out: chance in the series of available units, and the draws."""
    table = read_table("outage_rates").set_index(["element", "kind"])
    for tech, rule in OUTAGES.items():
        row = table.loc[("gen", tech)]
        assert row["for_rate"] == rule.forced_rate
        assert row["mttr_h"] == 24.0 * rule.forced_days


def test_every_plant_line_and_pole_of_jiangsu_can_fail():
    net = jiangsu()
    assert (net.gen["for_rate"] > 0).all()
    assert (net.line["mttf_h"] > 1000).all()
    assert (net.trafo["mttr_h"] > 0).all()
    assert (net.dcline["outage_parts"] == 2).all()
    imports = net.sgen[net.sgen["tech"] == "import"]
    assert imports["mttr_h"].notna().all()
    assert set(imports["outage_parts"]) == {2, 8}
    assert net.sgen.loc[net.sgen["tech"] != "import", ["for_rate", "mttf_h", "mttr_h"]].isna().all().all()
    whole = net.storage["tech"].isin(["pumped_hydro", "caes"])
    assert net.storage.loc[whole, "for_rate"].notna().all()
    assert net.storage.loc[~whole, "for_rate"].isna().all()
    long = net.line["length_km"].idxmax()
    km, kv = net.line.at[long, "length_km"], net.bus.at[net.line.at[long, "from_bus"], "vn_kv"]
    per_100km = {500.0: 0.1, 1000.0: 0.06}[kv]
    assert net.line.at[long, "mttf_h"] == pytest.approx(8760.0 / (per_100km * km / 100.0))


def test_planned_work_alone():
    """Without chance a unit is out for its planned work only, and for all of it."""
    with_chance, alone = (availability("availability/X", "coal", 2024, 4, 6, forced) for forced in (True, False))
    assert (alone >= with_chance).all()
    assert 25 <= (1.0 - alone).sum() / 24 <= 30
    assert (alone > with_chance).any()
