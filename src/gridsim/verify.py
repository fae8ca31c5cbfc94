"""Solve some windows of a run again, by the kernel and by HiGHS, and say where they differ.

For a results file, each window starts in the very state it had in the run, rebuilt from the file alone: the units'
clocks from the history of starts and stops by the same rule (`kernels.commit.age`), stored energy and outputs of the
hour before from their datasets, line rows and prices to begin with from planning the two windows before. For a
scenario no run is at hand, and walking to a window would mean simulating all that lies before it: each window is taken
as the first of a run of its own, with the units on that `assemble` would start it with, for long, and stores at their
start.

Of every window:

* relaxed, and with the units of the plan: the kernel's optimum against HiGHS's, on the kernel's line rows and on those
  that HiGHS's own flows ask for;
* prices: the same as HiGHS's; where not, they must lie between the slopes of HiGHS's optimum to the left and right
  (`oracle_prices`). All prices together, those of line rows too, must prove the optimum;
* the record: cost and lower bound in the file as planned again, the cost as HiGHS has it, the bound not above HiGHS's
  relaxed optimum; and the inputs of all hours as the scenario gives them now. Where units are nearly as good as each
  other, what rounding left of inputs and state may turn the search to another choice, and with it to another proof: a
  window planned again with other units at another cost is counted as another schedule, and what is asked of the record
  is that both proofs hold for both: no bound above the other's cost. Units that differ at the same cost are a fault of
  the record.

>>> report = verify(Path("results/jiangsu-2024.h5"), 12)           # doctest: +SKIP
>>> print(report.as_text())                                        # doctest: +SKIP
"""

import hashlib
import io
import json
import math
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from gridsim import pumping
from gridsim.assemble import assemble, assemble_net
from gridsim.balance import Balance
from gridsim.case import Case
from gridsim.clocks import Clocks, planner_of
from gridsim.errors import InputError, IntegrityError, Problem
from gridsim.finite import finite
from gridsim.handover import State
from gridsim.kernels import commit
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.networks.safe import net_of_text
from gridsim.plan import Plan, Planner
from gridsim.results import ResultsReader
from gridsim.scenario import Scenario, Window
from gridsim.schema import BY_PATH
from gridsim.verify_window import SAME_PRICE, Comparison, Deviation, PriceCount, compare, fresh_state

RELATIVE = 1e-6  # of objectives and recorded costs
LOSSY = 2e-4  # of objectives with losses: a hundredth, what is lost, of LOSS_SMALL
LOSSY_PRICE = 3e-3  # of recorded prices with losses, of the scale of prices: each solution has tangents of its own
ABOVE = 1e-9  # relative, by which a bound may exceed the optimum: rounding
INPUT_MW = 1e-6  # twice what the file's grid of 2**-20 MW may have rounded
BEFORE = 2  # windows planned before one: they give the line rows and prices to begin with
TIGHT = 1e-8  # relative tolerance of the kernel for this comparison, or the scenario's own if that is tighter
_INPUTS = {
    "dispatch/load_mw": "load_mw",
    "dispatch/unit_floor_mw": "unit_floor_mw",
    "dispatch/unit_ceiling_mw": "unit_ceiling_mw",
    "dispatch/source_available_mw": "source_max_mw",
    "dispatch/source_min_mw": "source_min_mw",
    "commitment/available": "unit_available",
    "reserve/need_mw": "product_need_mw",
    "storage/inflow_mw": "store_inflow_mw",
}


@dataclass(frozen=True)
class VerifyRow:
    """One check over all windows."""

    check: str
    worst: float
    limit: float
    failed: int  # windows beyond the limit
    ok: bool
    unit: str
    where: str  # hour and element of the worst; "" if nothing differs


class WindowRow(NamedTuple):
    """One window: what it cost by whom, and its deviations by check."""

    number: int  # from 0
    start: str
    hours: int
    cost: float  # recorded; planned just now for a scenario. currency
    bound: float
    highs_dispatch: float  # the same units dispatched by HiGHS
    highs_relaxed: float
    deviations: dict[str, Deviation]
    prices: PriceCount


@dataclass(frozen=True)
class VerifyReport:
    """What was compared and found."""

    source: str
    state: str  # where the windows' states come from
    currency: str
    rows: list[VerifyRow]
    windows: list[WindowRow]

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    @property
    def prices(self) -> PriceCount:
        """Over all windows: each hour has a price of energy and one of every reserve product."""
        total = PriceCount()
        for window in self.windows:
            total.equal += window.prices.equal
            total.not_unique += window.prices.not_unique
            total.wrong += window.prices.wrong
        return total

    def row(self, check: str) -> VerifyRow:
        """The row of that name."""
        return next(row for row in self.rows if row.check == check)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: numbers that are not finite become None."""
        windows = []
        for window in self.windows:
            deviations = {name: d._asdict() for name, d in window.deviations.items()}
            windows.append({**window._asdict(), "deviations": deviations, "prices": asdict(window.prices)})
        tree = {
            "source": self.source,
            "ok": self.ok,
            "state": self.state,
            "currency": self.currency,
            "prices": asdict(self.prices),
            "rows": [asdict(row) for row in self.rows],
            "windows": windows,
        }
        return json.loads(json.dumps(finite(tree)))

    def as_text(self) -> str:
        """Tables for people: one line a window, one line a check."""
        from rich.console import Console
        from rich.table import Table

        money = self.currency
        windows = Table(title=f"{len(self.windows)} windows, each {self.state}", title_justify="left")
        for name in ("window", "from", "h", f"cost, {money}", f"bound, {money}", "gap", "HiGHS dispatch", "relaxed"):
            windows.add_column(name, justify="left" if name == "from" else "right")
        for w in self.windows:
            gap = f"{100 * (w.cost - w.bound) / max(abs(w.cost), 1e-9):.4f} %"
            against = [f"{away:+.1e}" for away in (_apart(w.highs_dispatch, w.cost), _apart(w.highs_relaxed, w.bound))]
            windows.add_row(str(w.number), w.start, str(w.hours), f"{w.cost:,.0f}", f"{w.bound:,.0f}", gap, *against)
        checks = Table(title="worst of all windows", title_justify="left")
        for name in ("check", "", "worst", "limit", "failed", "unit", "where"):
            checks.add_column(
                name, justify="right" if name in ("worst", "limit", "failed") else "left", no_wrap=name != "where"
            )
        for row in self.rows:
            mark = "ok" if row.ok else "FAIL"
            numbers = f"{row.worst:.1e}", f"{row.limit:.1e}", str(row.failed)
            checks.add_row(row.check, mark, *numbers, row.unit, row.where)
        console = Console(width=150, record=True, file=io.StringIO(), highlight=False, color_system=None, markup=False)
        console.print(windows)
        console.print(checks)
        p = self.prices
        total = max(p.equal + p.not_unique + p.wrong, 1)
        console.print(
            f"prices: {p.equal:,} of {total:,} equal to HiGHS's, {p.not_unique:,} not unique and as right as HiGHS's, "
            f"{p.wrong:,} wrong"
        )
        bad = sum(not row.ok for row in self.rows)
        verdict = "kernel and HiGHS agree" if self.ok else f"{bad} {'check' if bad == 1 else 'checks'} failed"
        console.print(f"{self.source}: {verdict}")
        return "\n".join(line.rstrip() for line in console.export_text().splitlines())


class _Record(NamedTuple):
    """What a file says of a window."""

    cost: float
    bound: float
    prices: FloatArray | None  # (kept, R) energy, reserve products; None: of hours that came otherwise
    on: IntArray  # (kept, nu)


class _Start(NamedTuple):
    """A window to verify, the state it starts in, and its plan."""

    number: int  # from 0
    window: Window
    state: State
    plan: Plan
    record: _Record | None = None


def verify(target: Path | Scenario, windows: int) -> VerifyReport:
    """Compare evenly spread windows of a run or of a scenario with HiGHS.

    Parameters
    ----------
    target : Path or Scenario
        A results file of ``gridsim run``, which is only read, or a scenario.
    windows : int
        How many, at least 1; all of them if there are not so many.

    Raises
    ------
    InputError
        If the inputs of the scenario are not there or not usable.
    IntegrityError
        If the file is not a complete run.
    WindowError
        If a window cannot be solved by either.
    """
    if isinstance(target, Scenario):
        case = assemble(target)
        state = "as the first of a run"
        clocks = Clocks(target, case)
        planners = _Planners.of(clocks, target)
        return _report(target.source, state, planners, _fresh(target, clocks, planners, windows), found={})
    with ResultsReader(target) as results:
        scenario = scenario_in(results)
        case = _case_in(results, scenario)
        clocks = Clocks(scenario, case)
        planners = _Planners.of(clocks, scenario)
        clocks.recall(results.events)
        found = {"inputs as recorded": _inputs(results, clocks.actual)}
        starts = _recorded(results, scenario, clocks, planners, windows)
        return _report(str(target), "from the state it had in the run", planners, starts, found=found)


class _Planners(NamedTuple):
    """One case, three ways to solve its windows."""

    as_run: Planner  # as the scenario says
    kernel: Planner
    highs: Planner

    @classmethod
    def of(cls, clocks: Clocks, scenario: Scenario) -> "_Planners":
        def planner(engine: str, tolerance: float) -> Planner:
            return planner_of(clocks.believed, scenario, engine=engine, tolerance=tolerance)

        tight, solver = min(TIGHT, scenario.solver.tolerance), scenario.solver
        kernel = planner("kernel", tight)
        same = (solver.engine, solver.tolerance) == ("kernel", tight)
        return cls(kernel if same else planner(solver.engine, solver.tolerance), kernel, planner("highs", tight))

    def issue(self, clocks: Clocks, t0: int, steps: int) -> None:
        """Believe what was believed when the window from `t0` was planned."""
        if clocks.issue(t0, steps):
            for one in self:
                one.look_at_outages()


def _report(
    source: str, state: str, planners: _Planners, starts: Iterator[_Start], *, found: dict[str, Deviation]
) -> VerifyReport:
    rows, case = [], planners.kernel.case
    for start in starts:
        prices = None if start.record is None else start.record.prices
        t0 = start.window.first_hour * case.steps_per_hour
        prices = None if _another(start) else prices
        compared = compare(planners.kernel, planners.highs, t0, start.state, start.plan, recorded=prices)
        rows.append(_window_row(case, start, compared, planners.as_run.engine))
    limits = _limits(planners)
    limits |= {
        name: limits["prices: energy"] for row in rows for name in row.deviations if name.startswith("prices: reserve")
    }
    checks = [_check(name, limits[name], [deviation]) for name, deviation in found.items()]
    names = dict.fromkeys(name for row in rows for name in row.deviations)
    checks += [_check(name, limits[name], [row.deviations[name] for row in rows]) for name in names]
    return VerifyReport(source, state, case.currency, checks, rows)


def _limits(planners: _Planners) -> dict[str, tuple[float, str]]:
    """Limit and unit of every check."""
    price = SAME_PRICE * planners.kernel.price_scale, f"{planners.kernel.case.currency}/MWh"
    exact, record = (RELATIVE, "relative"), (max(RELATIVE, planners.as_run.tolerance), "relative")
    own = exact
    if planners.as_run.lossy is not None:  # each finds tangents of its own, and stops within a share of the losses
        own = record = LOSSY, "relative"
    return {
        "inputs as recorded": (INPUT_MW, "MW"),
        "relaxed: same line rows": exact,
        "relaxed: own line rows": own,
        "dispatch: same line rows": exact,
        "dispatch: own line rows": own,
        "prices: energy": price,
        "prices: what they prove": exact,
        "prices: recorded, other tangents": (LOSSY_PRICE, "relative"),
        "record: units on": (0.0, "unit-hours"),
        "record: another schedule": (math.inf, "windows"),
        "record: cost": record,
        "cost by HiGHS": record,
        "record: bound": record,
        "bound above the optimum": (ABOVE if planners.as_run.lossy is None else LOSSY, "relative"),
    }


def _check(name: str, limit: tuple[float, str], deviations: list[Deviation]) -> VerifyRow:
    worst = max(deviations, key=lambda d: d.value if math.isfinite(d.value) else math.inf)
    failed = sum(not d.value <= limit[0] for d in deviations)  # NaN fails
    return VerifyRow(name, worst.value, limit[0], failed, not failed, limit[1], worst.where)


def _another(start: _Start) -> bool:
    """Whether a window was planned with other units than the record has, at another cost."""
    record, plan = start.record, start.plan
    if record is None or (record.on == plan.on[: len(record.on)]).all():
        return False
    return abs(_apart(record.cost, plan.cost)) > RELATIVE


def _window_row(case: Case, start: _Start, compared: Comparison, engine: str) -> WindowRow:
    """A window's comparison with what the file says of it; of a scenario, with what was planned just now."""
    time, first, plan, record = case.time, start.window.first_hour * case.steps_per_hour, start.plan, start.record
    stamp = f"{time[first]:%Y-%m-%d %H:%M}"
    cost, bound = plan.cost, plan.bound
    deviations = dict(compared.deviations)

    def note(name: str, value: float, text: str) -> None:
        deviations[name] = Deviation(value, "" if value == 0 else f"window from {stamp}: {text}")

    if record is not None:
        cost, bound = record.cost, record.bound
        differ = np.abs(record.on - plan.on[: len(record.on)])
        where = ""
        if differ.any():
            t, unit = np.unravel_index(int(np.argmax(differ)), differ.shape)
            where = f"{time[first + int(t)]:%Y-%m-%d %H:%M}, {case.units['name'].iloc[int(unit)]}"
        another = _another(start)
        deviations["record: units on"] = Deviation(0.0 if another else float(differ.sum()), "" if another else where)
        note("record: another schedule", float(another), f"{int(differ.sum())} unit-hours, first {where}")
        off = max(0.0, _apart(plan.bound, cost)) if another else abs(_apart(cost, plan.cost))
        note("record: cost", off, f"{cost:,.0f}, planned again {plan.cost:,.0f}, bound {plan.bound:,.0f}")
        off = max(0.0, _apart(bound, plan.cost)) if another else abs(_apart(bound, plan.bound))
        note("record: bound", off, f"{bound:,.0f}, planned again {plan.bound:,.0f}, cost {plan.cost:,.0f}")
        cost = plan.cost if another else cost
    highs, relaxed = compared.dispatch_optimum, compared.relaxed_optimum
    note("cost by HiGHS", abs(_apart(cost, highs)), f"{cost:,.0f}, by HiGHS {highs:,.0f}")
    top = relaxed if engine != "highs-milp" else highs  # branch and bound proves more than the relaxed optimum
    note("bound above the optimum", max(0.0, _apart(bound, top)), f"{bound:,.0f}, optimum {top:,.0f}")
    hours = start.window.hours
    return WindowRow(start.number, stamp, hours, cost, bound, highs, relaxed, deviations, compared.prices)


def _apart(a: float, b: float) -> float:
    """How far `a` is above `b`, relative."""
    return (a - b) / max(abs(b), 1e-9)


def spread(total: int, wanted: int) -> list[int]:
    """Positions of `wanted` out of `total` things, evenly from the first to the last."""
    if wanted < 1:
        raise InputError("verify", [Problem("windows", f"must be at least 1: got {wanted}")])
    return sorted({round(k) for k in np.linspace(0, total - 1, min(wanted, total))})


# -- states: of a scenario, of a file


def _fresh(scenario: Scenario, clocks: Clocks, planners: _Planners, wanted: int) -> Iterator[_Start]:
    """Windows of a scenario, each as if it were the first."""
    all_windows, planner = scenario.windows(), planners.as_run
    for index in spread(len(all_windows), wanted):
        window = all_windows[index]
        first, steps, _ = (planner.case.steps_per_hour * hours for hours in window)
        planners.issue(clocks, first, steps)
        state = fresh_state(planner, first)
        yield _Start(index, window, state, planner.plan(first, steps, state))


def _recorded(
    results: ResultsReader, scenario: Scenario, clocks: Clocks, planners: _Planners, wanted: int
) -> Iterator[_Start]:
    """Windows of a file, each in the state it had; the file is walked through once."""
    all_windows, planner = scenario.windows(), planners.as_run
    table = results.table("windows")
    if table["first_hour"].tolist() != [window.first_hour for window in all_windows]:
        raise IntegrityError(f"{results.path}: its windows are not those of its scenario")
    on, begun = (results.array(f"commitment/{name}").astype(np.int64) for name in ("on", "start"))
    lost, called = (results.array(f"realtime/{name}").astype(np.int64) for name in ("lost", "called"))
    planned = on + lost - called
    prices = np.column_stack((results.array("price/energy"), results.array("price/reserve")))
    state, now, last, none = planner.first_state(), 0, -1, planner.first_state().rows
    for index in spread(len(all_windows), wanted):
        begin = max(0, index - BEFORE, last + 1)
        if begin > last + 1:
            state.rows, state.prices, state.products, state.tangents = none, None, (1,), None
            state.budgets = state.budgets._replace(binding=())
        for at in range(begin, index + 1):
            window = all_windows[at]
            first, steps, lived = (planner.case.steps_per_hour * hours for hours in window)
            for t in range(now, first):
                counts = (part[t, planner.free] for part in (on, begun, clocks.actual.unit_available))
                commit.age(*counts, planner.first_unit, state.unit_on, state.unit_hours, state.unit_out)
            now = first
            if first > 0:
                state.e_mwh = results["storage/e_mwh"][first - 1].astype(np.float64)
                powers = (results[f"storage/{way}_mw"][first - 1 : first] for way in ("charge", "discharge"))
                state.store_running = pumping.running(planner.case.stores, *powers)[:, 0]
                state.unit_p_mw = results["dispatch/unit_p_mw"][first - 1].astype(np.float64)
                state.ramp_p_mw = results["dispatch/source_p_mw"][first - 1][planner.ramped].astype(np.float64)
                state.budgets = _balance(results, planner, first, state.budgets.binding)
            planners.issue(clocks, first, steps)
            plan = planner.plan(first, steps, state)
            if at == index:
                kept = slice(first, first + lived)
                cost, bound = (float(table[name].iloc[index]) for name in ("cost", "bound"))
                # prices of hours that came otherwise than planned are theirs, not the window's
                of_window = prices[kept] if clocks.foresees else None
                yield _Start(index, window, state, plan, _Record(cost, bound, of_window, planned[kept]))
            state.rows, state.prices, state.products = plan.next_rows, plan.next_prices, plan.next_products
            state.budgets = state.budgets._replace(binding=plan.next_budgets)
            state.tangents = plan.next_tangents
        last = index


def _balance(results: ResultsReader, planner: Planner, t0: int, binding: tuple[int, ...]) -> Balance:
    """The balance of budgets before hour `t0`, the first of a window, as the file has it."""
    use, price = (results[f"budget/{name}"][:t0].astype(np.float64) for name in ("use", "price"))
    return planner.budgeting.recorded(use, price)._replace(binding=binding)


def scenario_in(results: ResultsReader) -> Scenario:
    """The scenario of a results file, its paths counted from where its input files are.

    The network is in the file; series that came from files are looked for from the current folder, the folder of the
    results file and the one above it.

    Raises
    ------
    InputError
        If they are not found, or are not what the run has read.
    IntegrityError
        If the scenario is not one of this version.
    """
    try:
        scenario = Scenario.model_validate(tomllib.loads(results.scenario_text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise IntegrityError(f"{results.path}: its scenario is not one of this version: {error}") from None
    scenario._source = str(results.path)
    wanted = {name: str(digest) for name, digest in results.file["meta/inputs"].attrs.items()}
    wanted.pop("network.source", None)
    here = results.path.resolve().parent
    folders = dict.fromkeys((Path.cwd(), here, here.parent))
    for folder in folders:
        scenario._folder = folder
        if wanted == {name: _digest(path) for name, path in scenario.input_files().items() if name in wanted}:
            return scenario
    looked = ", ".join(str(folder) for folder in folders)
    rule = f"must be there, as the run has read them: {', '.join(wanted)}; looked in {looked}"
    raise InputError(str(results.path), [Problem("its input files", rule)])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _case_in(results: ResultsReader, scenario: Scenario) -> Case:
    """The case again, from the net in the file."""
    if not results.net_json:
        return assemble(scenario)
    return assemble_net(scenario, net_of_text(results.net_json))


def _inputs(results: ResultsReader, case: Case) -> Deviation:
    """The largest difference between what the file and the case say of loads, sources, outages and reserves. [MW]"""
    worst = Deviation(0.0, "")
    for path, name in _INPUTS.items():
        here, there = np.asarray(getattr(case, name), dtype=float), results.array(path).astype(float)
        if here.shape != there.shape:
            return Deviation(math.inf, f"{path} has shape {there.shape}, the scenario gives {here.shape}")
        away = np.abs(here - there)
        if away.size and (np.isnan(away).any() or away.max() > worst.value):
            hour, *place = np.unravel_index(int(np.argmax(away)), away.shape)
            dim = BY_PATH[path].dims[-1]
            element = f", {results.names(dim)[int(place[0])]}" if place else ""
            worst = Deviation(float(away.max()), f"{case.time[int(hour)]:%Y-%m-%d %H:%M}, {path}{element}")
    return worst
