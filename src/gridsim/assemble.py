"""From a scenario to a `Case`: one net and one set of hourly series as flat arrays, or every reason why not.

The order of work: fetch (`inputs`), look at the net's tables (`networks.columns`, `net_checks`, `costs`),
find the electrical network (`topology`), read the devices (`elements`, `interfaces`), make the series (`series`).
Problems are collected all the way, so that a user sees all of them at once; nothing is simulated if there is one.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim import spurs
from gridsim.beside import beside_rows, keep_ramps
from gridsim.budgets import all_budgets, check_budgets, make_budgets
from gridsim.case import (
    BRANCH_COLUMNS,
    LINK_COLUMNS,
    LOAD_COLUMNS,
    SOURCE_COLUMNS,
    STORE_COLUMNS,
    UNIT_COLUMNS,
    Case,
    ElementNote,
    Penalties,
)
from gridsim.costs import read_costs
from gridsim.disturbances import Disturbances
from gridsim.element_rows import Elements
from gridsim.elements import read_elements
from gridsim.errors import InputError, Problem
from gridsim.fixed import left_out
from gridsim.forced import Columns, read_rates
from gridsim.inputs import Inputs, load_net, load_series
from gridsim.interfaces import read_interfaces
from gridsim.kernels.jit import FloatArray
from gridsim.net_checks import check_tables
from gridsim.nettable import NetTable, unique_names
from gridsim.networks.stored import column_problems, json_of
from gridsim.outlook import Fleet
from gridsim.products import check_products, make_products, own_requirements
from gridsim.ratings import name_profiles, rating_share
from gridsim.scenario import RESERVE_NAMES, Scenario, check_names
from gridsim.series import (
    SeriesReader,
    check_initial_on,
    initial_on,
    own_limits,
    source_bounds,
    store_inflow,
    unit_range,
    units_available,
)
from gridsim.series import load_series as load_mw_of
from gridsim.shifters import read_shifters, say_shifters
from gridsim.store_limits import check_notices, store_limits
from gridsim.topology import Topology, build_topology

# Tables that the modules above give a note for every row of; the rest is reported by `fixed.left_out`.
_HANDLED = {
    "bus",
    "line",
    "trafo",
    "trafo3w",
    "impedance",
    "switch",
    "load",
    "gen",
    "sgen",
    "ext_grid",
    "storage",
    "dcline",
    "motor",
    "ward",
    "xward",
    "shunt",
    "asymmetric_load",
    "asymmetric_sgen",
    "interface",
}
# An island's balance may be broken only when even shedding would not help: dearer than the load.
_BALANCE_OVER_SHED = 2.0

_DTYPES: dict[str, str] = {
    **dict.fromkeys(("element_index", "bus_row", "units", "min_up_h", "min_down_h"), "int64"),
    **dict.fromkeys(("initial_on", "initial_hours", "from_row", "to_row", "way", "beside_source"), "int64"),
    **dict.fromkeys(("must_run", "reserve_up", "reserve_down", "curtailable", "quick_start"), "bool"),
}
_TEXTS = frozenset({"name", "element", "zone", "tech", "fuel", "end_rule", "component"})


def assemble(scenario: Scenario) -> Case:
    """The case of a scenario.

    Raises
    ------
    InputError
        With every problem of the net, the series and their fit; exit code 3.
    """
    return assemble_net(scenario, load_net(scenario))


def assemble_net(scenario: Scenario, net: Any) -> Case:
    """`assemble` for a net that is there already, whatever ``scenario.network.source`` says. `net` is not changed."""
    broken = check_tables(net)
    of_columns, problems = column_problems(net), [*broken]
    costs = read_costs(net, problems, scenario.solver.quadratic_segments)
    penalties = Penalties(**scenario.penalties.model_dump())
    topology: Topology | None = None
    if not broken:
        topology, found = build_topology(net, penalties.overload, penalties.shed * _BALANCE_OVER_SHED)
        problems += found
    # Without a network the devices are still looked at, on their own buses: for the rest of the problems.
    elements = read_elements(net, topology or _unconnected(net), costs, scenario.factor)
    problems += elements.problems
    problems += check_names(
        "scenario: scale", scenario.scale, ["load", *sorted(elements.techs)], "a tech of the network"
    )

    inputs, found = load_series(scenario, net)
    problems += found
    reader = SeriesReader(inputs.series, scenario.start, scenario.hours, inputs.complete, scenario.steps_per_hour)
    load_mw = load_mw_of(elements, reader, scenario.factor("load"))
    low, high = source_bounds(elements, reader, float(load_mw.sum(axis=1).max(initial=0.0)))
    high, own_mw = own_limits(elements, low, high, load_mw, reader)
    links = _frame(elements.links, LINK_COLUMNS)
    if topology:
        high, own_mw = _spurs(elements, topology, links, low).cut(high, own_mw)
    floor, ceiling = unit_range(elements, reader)
    available = units_available(elements, reader)
    check_initial_on(elements, reader, available)
    inflow = store_inflow(elements, reader)
    beside, found = beside_rows(elements)
    problems += found
    of_stores = [row | {"beside_source": int(k)} for row, k in zip(elements.stores, beside, strict=True)]
    stores = _frame(of_stores, STORE_COLUMNS)
    limits = store_limits(stores, elements.store_specs, inflow, reader)
    problems += check_notices(stores, elements.store_specs, scenario.horizon, scenario.hours)
    asked_mw = own_requirements(scenario.reserve, load_mw, high, [row["tech"] for row in elements.sources], reader)

    branches = topology.branches if topology else pd.DataFrame(columns=[*BRANCH_COLUMNS])
    branches = name_profiles(net, branches)
    left_of_ratings = rating_share(branches, reader)
    problems += reader.problems
    failures = Columns(net)
    problems += failures.problems
    shifters, found = read_shifters(net, branches)
    problems += found
    if topology:
        problems += check_products(scenario.reserve, elements.techs, topology.buses["zone"])
        interfaces, weight, interface_notes, found = read_interfaces(net, branches, links, penalties.overload)
        problems += found
        allowed = list(interfaces["name"])
        given = scenario.grid.interface_limit_mw
        problems += check_names("scenario: grid.interface_limit_mw", given, allowed, "an interface of the network")
        problems += _check_budgets(scenario, elements, topology)
    if scenario.factor("load") == 0:
        problems.append(Problem("scenario: scale.load", "must be greater than 0: without load there is nothing to run"))
    elif not elements.loads:
        problems.append(Problem("load", "must have at least one row in service that consumes power"))
    if of_columns or problems or topology is None:
        raise InputError(_source(scenario, net), _distinct(of_columns, problems))

    interfaces["limit_mw"] = [
        float(scenario.grid.interface_limit_mw.get(name, limit))
        for name, limit in zip(interfaces["name"], interfaces["limit_mw"], strict=True)
    ]
    factor = scenario.grid.line_rating_factor
    branches = branches.assign(
        rating_mw=branches["rating_mw"] * factor, emergency_rating_mw=branches["emergency_rating_mw"] * factor
    )
    seg_mw, seg_cost, min_cost = _segments(elements)
    start_lag_h, start_cost = _start_categories(elements)
    units, sources = _frame(elements.units, UNIT_COLUMNS), _frame(elements.sources, SOURCE_COLUMNS)
    units["initial_on"] = initial_on(
        units,
        available,
        _full_load_cost(units, seg_mw, seg_cost, min_cost),
        load_mw,
        low,
        high,
        sources,
        [spec.initial_on for spec in elements.unit_specs],
    )
    limits = keep_ramps(limits, beside, sources, low, high, load_mw.sum(axis=1), scenario.steps_per_hour)
    response = np.array([spec.response_mw_per_min for spec in elements.unit_specs], dtype=np.float64)
    products = make_products(scenario.reserve, asked_mw, units, response, sources, forecast=scenario.reserve_for_errors)
    fleet = Fleet(
        units, sources, available, floor, ceiling, low, high, load_mw.sum(axis=1),
        _full_load_cost(units, seg_mw, seg_cost, min_cost), seg_mw, seg_cost, stores,
    )  # fmt: skip
    budgets, terms, found = make_budgets(all_budgets(scenario), fleet, scenario.start, reader)
    if found or reader.problems:
        raise InputError(_source(scenario, net), [*found, *reader.problems])
    of_branches = say_shifters(topology.notes, shifters, branches)
    notes = (*of_branches, *elements.notes, *interface_notes, *left_out(net, _HANDLED))
    case = Case(
        name=scenario.name,
        currency=str(net["currency"]) if "currency" in net else "CNY",
        start=scenario.start,
        utc_offset_h=inputs.utc_offset_h,
        hours=scenario.hours,
        buses=topology.buses,
        loads=_frame(elements.loads, LOAD_COLUMNS),
        units=units,
        sources=sources,
        stores=stores,
        branches=branches,
        links=links,
        interfaces=interfaces,
        shifters=shifters,
        products=products.table,
        load_mw=load_mw,
        unit_available=available,
        unit_floor_mw=floor,
        unit_ceiling_mw=ceiling,
        unit_seg_mw=seg_mw,
        unit_seg_cost=seg_cost,
        unit_min_cost=min_cost,
        unit_start_lag_h=start_lag_h,
        unit_start_cost=start_cost,
        source_min_mw=low,
        source_max_mw=high,
        source_own_mw=own_mw,
        store_inflow_mw=inflow,
        store_limits=limits,
        interface_weight=weight,
        rating_share=left_of_ratings,
        reserve_up_mw=np.ascontiguousarray(products.own_mw[:, 0]),
        reserve_down_mw=np.ascontiguousarray(products.own_mw[:, 1]),
        product_need_mw=products.need_mw,
        unit_response_mw=products.unit_response_mw,
        unit_offline_mw=products.unit_offline_mw,
        source_responds=products.source_responds,
        penalties=penalties,
        budgets=budgets,
        budget_terms=terms,
        outage_rates=read_rates(failures, units, sources, stores, branches, links),
        notes=notes,
        net_json=json_of(net),
        events=_event_records(inputs),
        steps_per_hour=scenario.steps_per_hour,
    )
    if scenario.outage and (found := Disturbances(case, scenario).problems):
        raise InputError(_source(scenario, net), found)
    return case


def _spurs(elements: Elements, topology: Topology, links: pd.DataFrame, low: FloatArray) -> spurs.Spurs:
    """The spurs of what becomes a case."""
    others = [row["bus_row"] for rows in (elements.units, elements.stores, elements.loads) for row in rows]
    source_bus, ramp = ([row[name] for row in elements.sources] for name in ("bus_row", "ramp_mw_per_h"))
    return spurs.find(
        topology.buses, links, np.array(source_bus, dtype=np.int64),
        np.array(others, dtype=np.int64), np.array(ramp, dtype=np.float64), low,
    )  # fmt: skip


def _check_budgets(scenario: Scenario, elements: Elements, topology: Topology) -> list[Problem]:
    """Names in [[budget]] that the network does not have."""
    fuels = [str(row["fuel"]) for row in elements.units]
    names = [str(row["name"]) for row in (*elements.units, *elements.sources)]
    return check_budgets(all_budgets(scenario), elements.techs, fuels, topology.buses["zone"], names)


def _source(scenario: Scenario, net: Any) -> str:
    name = str(net["name"]) if net.get("name") else scenario.network.source
    return f"{scenario.source} (network {name})"


def _distinct(of_columns: list[Problem], others: list[Problem]) -> list[Problem]:
    """All of them, but a column that its own check has found faulty is not complained of again."""
    faulty = {problem.where for problem in of_columns}
    return [*of_columns, *(problem for problem in others if problem.where not in faulty)]


def _unconnected(net: Any) -> Topology:
    """Every bus by itself, where there is no network: only to read devices for their own problems."""
    bus = NetTable(net, "bus")
    rows = {bus_id: row for row, bus_id in enumerate(bus.index)}
    frame = pd.DataFrame({"zone": bus.text("zone")})
    return Topology(frame, pd.DataFrame(), rows, frozenset(), frozenset(), [])


def _frame(rows: Sequence[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """A case table with stable column types, also when it is empty; names are made unique."""
    frame = pd.DataFrame(list(rows), columns=list(columns))
    for column in columns:
        frame[column] = frame[column].astype("object" if column in _TEXTS else _DTYPES.get(column, "float64"))
    frame["name"] = unique_names(list(frame["name"]), list(frame["element"]), list(frame["element_index"]))
    return frame


def _segments(elements: Elements) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cost segments of all units padded to one width, and the mean cost up to the minimum."""
    nu = len(elements.unit_specs)
    depth = max((len(spec.seg_mw) for spec in elements.unit_specs), default=1) or 1
    seg_mw, seg_cost, min_cost = np.zeros((nu, depth)), np.zeros((nu, depth)), np.zeros(nu)
    for i, spec in enumerate(elements.unit_specs):
        k = len(spec.seg_mw)
        seg_mw[i, :k], seg_cost[i, :k], min_cost[i] = spec.seg_mw, spec.seg_cost, spec.min_cost
        if k:
            seg_cost[i, k:] = spec.seg_cost[-1]  # costs must not fall along a row, also where the width is 0
    return seg_mw, seg_cost, min_cost


def _start_categories(elements: Elements) -> tuple[NDArray[np.int64], FloatArray]:
    """Hours off and costs of the start categories of all units, padded by repeating the last."""
    specs = elements.unit_specs
    depth = max((len(spec.start_cost) for spec in specs), default=1)
    lag_h, cost = np.zeros((len(specs), depth), dtype=np.int64), np.zeros((len(specs), depth))
    for i, spec in enumerate(specs):
        more = depth - len(spec.start_cost)
        lag_h[i] = (*spec.start_lag_h, *spec.start_lag_h[-1:] * more)
        cost[i] = (*spec.start_cost, *spec.start_cost[-1:] * more)
    return lag_h, cost


def _full_load_cost(units: pd.DataFrame, seg_mw: FloatArray, seg_cost: FloatArray, min_cost: FloatArray) -> FloatArray:
    """Mean cost of one unit at full load. [currency/MWh]"""
    p_min, p_max = (units[c].to_numpy(dtype=np.float64) for c in ("p_min_mw", "p_max_mw"))
    hourly = units["no_load_cost"].to_numpy(dtype=np.float64) + min_cost * p_min + (seg_mw * seg_cost).sum(axis=1)
    return np.divide(hourly, p_max, out=np.full(len(units), np.inf), where=p_max > 0)


def _event_records(inputs: Inputs) -> tuple[dict[str, Any], ...]:
    return tuple({k: _plain(v) for k, v in dataclasses.asdict(event).items()} for event in inputs.events)


def _plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, np.datetime64):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


# --- in words


def size_of(case: Case, table: str) -> int:
    """Rows of a table of a case; the bus and the branch that balance an island apart are none of the grid's."""
    made = (case.branches["element"] == "island_balance").sum() if table in ("buses", "branches") else 0
    return int(len(getattr(case, table)) - made)


def describe(case: Case) -> str:
    """What a case holds, in a few lines: size, capacity by tech, peaks, and what became of every element of the net."""
    end = case.start + np.timedelta64(case.hours - 1, "h")
    load = case.load_mw.sum(axis=1)
    peak = int(np.argmax(load))
    stamp = case.time[peak].strftime("%Y-%m-%dT%H" if case.steps_per_hour == 1 else "%Y-%m-%dT%H:%M")
    rating = case.branches["rating_mw"].to_numpy(dtype=np.float64)
    limited = int((np.isfinite(rating) & (case.branches["element"] != "island_balance")).sum())
    islands = case.buses["island"].nunique()
    lines = [
        f"{case.name}: {case.hours} hours{_of_steps(case)}, {case.start} to {end} (UTC{case.utc_offset_h:+g} h)",
        f"network   {size_of(case, 'buses')} buses in {islands} island{'s' if islands != 1 else ''}, "
        f"{size_of(case, 'branches')} branches ({limited} with a limit), {len(case.links)} DC links, "
        f"{len(case.interfaces)} interfaces",
        f"load      {len(case.loads)} rows, peak {load[peak]:,.0f} MW at {stamp}, least {load.min():,.0f} MW, "
        f"{load.sum() * case.dt_h / 1e6:,.2f} TWh",
        f"reserve   up {case.reserve_up_mw.min():,.0f} to {case.reserve_up_mw.max():,.0f} MW, "
        f"down {case.reserve_down_mw.min():,.0f} to {case.reserve_down_mw.max():,.0f} MW",
        *_products_in_words(case),
        "capacity  (MW)",
    ]
    units, sources, stores = case.units, case.sources, case.stores
    for tech in dict.fromkeys([*units["tech"], *sources["tech"], *stores["tech"]]):
        u, s, st = (frame[frame["tech"] == tech] for frame in (units, sources, stores))
        parts = []
        if len(u):
            parts.append(
                f"{(u['units'] * u['p_max_mw']).sum():,.0f} in {u['units'].sum()} committed units ({len(u)} rows)"
            )
        if len(s):
            energy = case.source_max_mw[:, s.index].sum() * case.dt_h / 1e6
            parts.append(f"{s['p_nom_mw'].sum():,.0f} in {len(s)} sources ({energy:,.2f} TWh available)")
        if len(st):
            parts.append(
                f"{st['p_discharge_max_mw'].sum():,.0f} and {st['e_max_mwh'].sum():,.0f} MWh in {len(st)} stores"
            )
        lines.append(f"  {tech:<14} {', '.join(parts)}")
    return "\n".join([*lines, *_notes_in_words(case.notes)])


def _of_steps(case: Case) -> str:
    return "" if case.steps_per_hour == 1 else f" in steps of {60 // case.steps_per_hour} min"


def _products_in_words(case: Case) -> list[str]:
    """The reserve products beside up and down."""
    lines = []
    for k, (name, direction, within_min, spinning) in enumerate(case.products.itertuples(index=False)):
        if k >= len(RESERVE_NAMES):
            need, kind = case.product_need_mw[:, k], "spinning" if spinning else "spinning or quick to start"
            span = f"{need.min():,.0f} to {need.max():,.0f} MW with the faster ones"
            lines.append(f"          {name}: {direction} within {within_min:g} min, {kind}, {span}")
    return lines


def _notes_in_words(notes: Sequence[ElementNote]) -> list[str]:
    """Counts by fate and table; for merged and ignored elements also by reason."""
    lines = ["elements of the net"]
    for fate in ("used", "merged", "ignored"):
        chosen = [n for n in notes if n.fate == fate]
        if not chosen:
            continue
        tables = Counter(n.element for n in chosen)
        lines.append(f"  {fate:<8} {len(chosen)}: " + ", ".join(f"{count} {name}" for name, count in tables.items()))
        if fate != "used":
            reasons = Counter((n.element, _generic(n.why)) for n in chosen)
            lines += [f"    {count} {element}: {why}" for (element, why), count in reasons.items()]
    return lines


def _generic(why: str) -> str:
    """A reason without the numbers in it, so that equal reasons are counted together."""
    return " ".join("..." if any(c.isdigit() for c in word) else word for word in why.split())
