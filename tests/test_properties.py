"""What every run must keep, whatever the grid: cuts through its time, the order of its rows, its units of measure."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import INTERPRETED
from rich_grid import NO_SHARES, PRODUCTS, rich_grid, write_rich
from tiny_grid import tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.audit import audit
from gridsim.handover import RowKeys, State
from gridsim.lived import fleet, live
from gridsim.plan import Planner
from gridsim.results import ResultsReader
from gridsim.scenario import Scenario
from gridsim.simulate import simulate

FEW = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.skipif(INTERPRETED, reason="too slow without the compiler")


def run(scenario: Scenario, path: Path) -> dict[str, Any]:
    """Simulate, with a clean audit."""
    summary = simulate(scenario, path)
    report = audit(path)
    assert report.ok, report.as_text()
    return summary


# -- cuts through time ----------------------------------------------------------------------------------------------


def walked(scenario: Scenario, between: Callable[[State, Planner], tuple[State, Planner]]) -> dict[str, np.ndarray]:
    """Outputs of a run whose windows are joined by `between`: what a window hands on, and who plans the next."""
    case = assemble(scenario)
    planner = new_planner(scenario, case)
    state, parts = planner.first_state(), []
    for window in scenario.windows():
        t0, steps, kept = (case.steps_per_hour * hours for hours in window)
        plan = planner.plan(t0, steps, state)
        h, _ = live(case, fleet(case, planner), planner, plan, t0, kept, state)
        parts.append({"unit": h.unit_p, "source": h.source, "e": h.e, "cost": h.cost, "on": h.on, "shed": h.shed})
        state, planner = between(state, planner)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def new_planner(scenario: Scenario, case: Any) -> Planner:
    return Planner(case, step_h=scenario.horizon.step_h, n1=scenario.grid.n1 == "enforce", effort="fast")


@pytest.mark.parametrize(("seed", "minutes"), [(1, 60), (4, 60), (4, 30)])
def test_a_window_hands_on_everything_in_its_state(tmp_path: Path, seed: int, minutes: int):
    """The record alone, written down and read by a planner that has seen nothing, gives the same year bit by bit."""
    horizon = {"hours": 50, "window_h": 24, "step_h": 9, "resolution_min": minutes}
    scenario = write_rich(tmp_path, seed, horizon=horizon)

    def through_a_file(state: State, planner: Planner) -> tuple[State, Planner]:
        return pickle.loads(pickle.dumps(state)), new_planner(scenario, planner.case)

    whole, cut = walked(scenario, lambda state, planner: (state, planner)), walked(scenario, through_a_file)
    for name, values in whole.items():
        assert_array_equal(cut[name], values, err_msg=name)


def test_a_state_that_forgets_is_found_out(tmp_path: Path):
    """The test above can fail: without the clocks of the units, or what a store holds, the year is another."""
    scenario = write_rich(tmp_path, 4, horizon={"hours": 50, "window_h": 24, "step_h": 9})
    whole = walked(scenario, lambda state, planner: (state, planner))

    def without(part: str) -> Callable[[State, Planner], tuple[State, Planner]]:
        def forget(state: State, planner: Planner) -> tuple[State, Planner]:
            setattr(state, part, getattr(planner.first_state(), part))
            return state, planner

        return forget

    for part in ("unit_on", "e_mwh", "unit_p_mw"):
        cut = walked(scenario, without(part))
        assert any((cut[name] != values).any() for name, values in whole.items()), part


@FEW
@given(seed=st.integers(0, 40), first=st.integers(1, 30), rest=st.integers(1, 30), more=st.integers(0, 12))
def test_a_cut_anywhere_keeps_every_limit_and_sheds_no_more(tmp_path_factory, seed, first, rest, more):
    """Hours 0 to a, then a to b from the state at a: no limit breaks at the seam, nobody is shed who need not be."""
    hours = first + rest
    folder = tmp_path_factory.mktemp("cut")
    at_once = {"hours": hours, "window_h": hours, "step_h": hours}
    in_two = {"hours": hours, "window_h": min(max(first, rest) + more, hours), "step_h": max(first, rest)}
    whole = run(write_rich(folder, seed, horizon=at_once), folder / "whole.h5")
    cut = run(write_rich(folder, seed, horizon=in_two), folder / "cut.h5")
    assert cut["unserved_mwh"] <= whole["unserved_mwh"] + 0.1
    # the whole saw more: what it found may be beaten by its own gap at most
    assert cut["total_cost"] >= whole["lower_bound"] * (1 - 1e-6) - end_worth(folder)


def end_worth(folder: Path) -> float:
    """What stores may hold less at the end of one run than of the other: an end rule is met as far as a window can."""
    with ResultsReader(folder / "whole.h5") as whole, ResultsReader(folder / "cut.h5") as cut:
        missing = whole.array("storage/e_mwh")[-1] - cut.array("storage/e_mwh")[-1]
    return float(np.maximum(missing, 0.0).sum()) * 20_000.0


# -- the order of rows ----------------------------------------------------------------------------------------------

TABLES = ("gen", "sgen", "storage", "load", "line")


def shuffled(net: Any, seed: int) -> Any:
    """The net with the rows of every table, buses too, in another order and under other numbers; names stay."""
    rng, out = np.random.default_rng(seed), copy.deepcopy(net)
    for table in ("bus", *TABLES):
        frame = out[table]
        numbers = rng.permutation(len(frame)) + (7 if table == "bus" else 3)
        new = dict(zip(frame.index, numbers, strict=True))
        out[table] = frame.rename(index=new).iloc[rng.permutation(len(frame))]
        if table == "bus":
            for element, column in (
                ("line", "from_bus"),
                ("line", "to_bus"),
                ("dcline", "from_bus"),
                ("dcline", "to_bus"),
            ):
                out[element][column] = out[element][column].map(new)
            for element in ("gen", "sgen", "storage", "load"):
                out[element]["bus"] = out[element]["bus"].map(new)
        for costs in ("poly_cost", "pwl_cost"):
            mine = out[costs]["et"] == table
            out[costs].loc[mine, "element"] = out[costs].loc[mine, "element"].map(new)
    return out


DISPATCH = {"units": "dispatch/unit_p_mw", "sources": "dispatch/source_p_mw", "stores": "storage/e_mwh"}
DISPATCH |= {"branches": "flow/branch_p_mw", "loads": "dispatch/load_mw"}


def by_name(path: Path) -> dict[str, pd.DataFrame]:
    with ResultsReader(path) as results:
        return {group: results.frame(dataset).sort_index(axis=1) for group, dataset in DISPATCH.items()}


def one_answer(net: Any) -> Any:
    """No two things of one price: then the cheapest dispatch is one, but for stores in hours of equal price."""
    net.storage["charge_cost"], net.storage["discharge_cost"] = [1.3, 0.4], [0.9, 2.1]
    for k, name in enumerate(("W", "PV")):
        row = net.sgen.index[net.sgen["name"] == name][0]
        pp.create_poly_cost(net, row, "sgen", 0.5 + k)
    return net


@pytest.mark.parametrize(("seed", "tight"), [(0, False), (1, True), (2, True)])
def test_the_order_of_rows_means_nothing(tmp_path: Path, seed: int, tight: bool):
    net, paths = one_answer(tiny_grid(tight=tight)), []
    summaries = []
    for name, given_net in (("a", net), ("b", shuffled(net, seed))):
        (tmp_path / name).mkdir()
        scenario = write_grid(tmp_path / name, given_net, horizon={"hours": 48}, solver={"tolerance": 1e-10})
        summaries.append(run(scenario, tmp_path / name / "r.h5"))
        paths.append(tmp_path / name / "r.h5")
    assert summaries[1]["total_cost"] == pytest.approx(summaries[0]["total_cost"], rel=1e-7)
    assert summaries[1]["lower_bound"] == pytest.approx(summaries[0]["lower_bound"], rel=1e-5)
    first, second = (by_name(path) for path in paths)
    for group, frame in first.items():
        assert list(frame.columns) == list(second[group].columns)
        apart = (frame - second[group]).abs()
        if group == "branches":  # a line that is drawn the other way round has the other sign
            apart = (frame.abs() - second[group].abs()).abs()
        assert apart.to_numpy().max() < 0.5, (group, apart.max())


@pytest.mark.parametrize("seed", [pytest.param(3, marks=pytest.mark.slow), 6])
def test_the_order_of_rows_costs_nothing_in_rich_grids(tmp_path: Path, seed: int):
    net, costs = rich_grid(seed), []
    for name, given_net in (("a", net), ("b", shuffled(net, seed))):
        (tmp_path / name).mkdir()
        write_rich(tmp_path / name, seed)  # its series
        pp.to_json(given_net, str(tmp_path / name / "net.json"))
        sections = {"horizon": {"hours": 30}, "reserve": {**NO_SHARES, "product": PRODUCTS}}
        paths = {"network": {"source": str(tmp_path / name / "net.json")}}
        paths["profiles"] = {"source": str(tmp_path / name / "series.csv")}
        scenario = Scenario.model_validate({"name": "rich", **sections, **paths})
        costs.append(run(scenario, tmp_path / name / "r.h5"))
    # pumps are counted from one optimum of several, and the search, which ends at a gap of 2e-3, tries rows in order
    assert costs[1]["total_cost"] == pytest.approx(costs[0]["total_cost"], rel=2e-4)
    # the search raises the bound in steps that begin at the first rows: each bound holds for the other order, too
    assert costs[1]["lower_bound"] == pytest.approx(costs[0]["lower_bound"], rel=2e-3)
    for one, other in (costs, costs[::-1]):
        assert one["lower_bound"] <= other["total_cost"] * (1 + 1e-6)


# -- units of measure -----------------------------------------------------------------------------------------------

PENALTIES = {"shed": 20_000.0, "spill": 500.0, "reserve_short": 3_000.0, "overload": 5_000.0}


def larger(net: Any, power: float, money: float) -> Any:
    """Every MW times `power`, every price times `money`."""
    out = copy.deepcopy(net)
    for table in ("gen", "sgen", "load", "storage", "dcline"):
        for column in out[table].columns:
            if column in ("co2_t_per_mwh", "co2_no_load_t_per_h"):
                continue
            if column.endswith(("_mw", "_mwh")) or column in ("ramp_up_mw_per_h", "ramp_down_mw_per_h"):
                out[table][column] = out[table][column].astype(float) * power
    out.gen[["start_cost", "no_load_cost"]] *= power * money
    out.line["max_i_ka"] *= power
    out.poly_cost["cp1_eur_per_mw"] *= money
    out.pwl_cost["points"] = [
        [[a * power, b * power, cost * money] for a, b, cost in points] for points in out.pwl_cost["points"]
    ]
    return out


@pytest.mark.parametrize(("power", "money"), [(25.0, 1.0), (1.0, 0.13), (0.2, 7.5)])
def test_another_unit_of_power_or_money_scales_the_result(tmp_path: Path, power: float, money: float):
    summaries = []
    for name, p, m in (("a", 1.0, 1.0), ("b", power, money)):
        (tmp_path / name).mkdir()
        scenario = write_grid(
            tmp_path / name, larger(tiny_grid(tight=True), p, m), load=p, horizon={"hours": 48},
            reserve={"up_min_mw": 10.0 * p}, penalties={key: value * m for key, value in PENALTIES.items()},
            solver={"tolerance": 1e-10},
        )  # fmt: skip
        summaries.append(run(scenario, tmp_path / name / "r.h5"))
    one, other = summaries
    assert one["curtailment_mwh"] + one["starts"] > 0
    for key in ("total_cost", "lower_bound"):
        assert other[key] == pytest.approx(one[key] * power * money, rel=2e-6), key
    for key in ("peak_load_mw", "co2_mt"):
        assert other[key] == pytest.approx(one[key] * power, rel=1e-3), key
    assert other["starts"] == one["starts"]
    assert other["curtailment_rate"] == pytest.approx(one["curtailment_rate"], abs=1e-4)
    with ResultsReader(tmp_path / "a" / "r.h5") as a, ResultsReader(tmp_path / "b" / "r.h5") as b:
        assert_array_equal(a.array("commitment/on"), b.array("commitment/on"))
        price, price_b = a.array("price/energy"), b.array("price/energy") / money
        assert np.isclose(price, price_b, rtol=1e-3, atol=0.1).mean() > 0.9  # where it is not unique, they may differ


# -- limits that never bind -----------------------------------------------------------------------------------------


def with_interface(net: Any, lines: list[int], limit_mw: float) -> Any:
    out = copy.deepcopy(net)
    out["interface"] = pd.DataFrame({"name": ["S"], "limit_mw": [limit_mw], "reverse_limit_mw": [limit_mw]})
    member = {"interface": "S", "element": "line", "element_index": lines, "weight": 1.0}
    out["interface_member"] = pd.DataFrame(member)
    return out


def test_a_limit_that_never_binds_changes_nothing(tmp_path: Path):
    """The search for rows never meets it; what is left is the rounding of sums. Just below the highest flow it does."""
    net, sections = one_answer(tiny_grid(tight=True)), {"horizon": {"hours": 48}, "solver": {"tolerance": 1e-10}}
    before = run(write_grid(tmp_path, net, **sections), tmp_path / "a.h5")
    with ResultsReader(tmp_path / "a.h5") as results:
        flow = results.array("flow/branch_p_mw")
    section = float(np.abs(flow[:, [0, 3]].sum(axis=1)).max())
    rich = with_interface(net, [0, 3], 1.2 * section)
    free = int(np.argmax(rating(net) - np.abs(flow).max(axis=0)))  # the line with most room
    rich.line.loc[free, "max_i_ka"] *= 3.0
    after = run(write_grid(tmp_path, rich, **sections), tmp_path / "b.h5")
    assert after["total_cost"] == pytest.approx(before["total_cost"], rel=1e-9)
    # a store may move power between hours of one price: the dispatch is compared by what everything gives in all
    for tech, twh in before["energy_twh"].items():
        assert after["energy_twh"][tech] == pytest.approx(twh, abs=1e-6), tech
    with ResultsReader(tmp_path / "a.h5") as a, ResultsReader(tmp_path / "b.h5") as b:
        assert_allclose(b.array("windows/bound"), a.array("windows/bound"), rtol=1e-8)
        assert a.array("windows/rows").max() > 0
    bound = run(write_grid(tmp_path, with_interface(net, [0, 3], 0.9 * section), **sections), tmp_path / "c.h5")
    assert bound["total_cost"] > before["total_cost"] * (1 + 1e-6)
    with ResultsReader(tmp_path / "c.h5") as c:
        assert np.abs(c.array("flow/interface_p_mw")).max() <= 0.9 * section + 1e-2


def rating(net: Any) -> np.ndarray:
    return np.sqrt(3.0) * net.line["max_i_ka"].to_numpy() * 220.0


@pytest.mark.parametrize("seed", [2, 5])
def test_rows_that_never_bind_change_no_optimum(tmp_path: Path, seed: int):
    """A row known beforehand, of a line far from its limit, costs nothing and gets no price."""
    planner = Planner(assemble(write_rich(tmp_path, seed, horizon={"hours": 24})))
    state = planner.first_state()
    problem, injected, _ = planner.problem(0, 24, state, None)
    plain = planner.settle(problem, injected, state.rows, None)
    load = np.abs(
        planner.injections(problem, injected, plain.solution) @ planner.H.T + planner.offset / planner.power_mw
    )
    room = 1.0 - load / (planner.limit.min(axis=(0, 1)) / planner.power_mw)
    hour, element = np.nonzero(room > 0.3)
    assert hour.size > 20
    keys = RowKeys(hour, element, np.full(hour.size, -1), np.where(element % 2 == 0, 1, -1))
    known = planner.join(plain.keys, RowKeys(*(part.astype(np.int64) for part in keys)))
    more = planner.settle(problem, injected, known, None)
    assert more.solution.objective == pytest.approx(plain.solution.objective, rel=1e-7)
    spare = ~np.isin(np.arange(known.hour.size), matches(known, plain.keys))
    assert more.solution.price_row[spare].max() < 1e-3 * max(1.0, float(more.solution.price.max()))


def matches(known: RowKeys, some: RowKeys) -> list[int]:
    of = set(zip(*(part.tolist() for part in some), strict=True))
    return [i for i, key in enumerate(zip(*(part.tolist() for part in known), strict=True)) if key in of]
