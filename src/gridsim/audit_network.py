"""Audit of the network: flows solved again from bus injections, against what is stored, ratings and interfaces.

The DC power flow of the branch table, for every hour at once: with b = 100 MVA / x, angles theta and shifts phi ::

    f_l = b_l (theta_from - theta_to - phi_l),     sum of f leaving a bus = its injection

Each island has its own reference, and its injections must sum to zero by themselves. Besides, pandapower's own
``rundcpp`` solves the stored net for a few hours: that checks the branch table itself, not only what was done with it.

Phase shifters add their hour's angle to phi. Losses are drawn at the buses of their island in proportion to the load
there over the run, and must be ``r f^2`` of the flows solved here, summed over its branches.
"""

import contextlib
import copy
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from gridsim.audit_data import AuditRow, FloatArray, Record, among, at, outside, row_of, skipped

S_BASE_MVA = 100.0
FLOW_MW = 1e-3
NET_FLOW_MW = 1e-3
LOSS_MW = 1e-2  # an hour's flows are off by FLOW_MW at most, on hundreds of branches
PLANNED_SHARE, PLANNED_MW = 0.05, 2.0  # of an hour's losses, by which its window may have counted on others
LIMIT_MW = 2e-3  # an overload below 1e-3 MW need not be recorded
TABLE_SHARE = 1e-6


def check_network(record: Record) -> list[AuditRow]:
    injection = injections(record)
    flow = solve_flows(record, injection)
    return [
        *islands(record, injection),
        *flows(record, flow),
        *shifters(record),
        *losses(record, flow),
        *interfaces(record),
        *links(record),
        *against_net(record, injection, flow),
    ]


def injections(record: Record) -> FloatArray:
    """Net power into every bus, (time, bus)."""
    s = record.series
    nb = len(record.tables["buses"])
    total = np.zeros((record.steps, nb))

    def add(table: str, power: FloatArray, column: str = "bus_row") -> None:
        rows = record.tables[table]
        if not rows.empty:
            to_bus = sparse.csr_array(
                (np.ones(len(rows)), (np.arange(len(rows)), rows[column].to_numpy(int))), shape=(len(rows), nb)
            )
            np.add(total, power @ to_bus, out=total)

    add("units", s("dispatch/unit_p_mw"))
    add("sources", s("dispatch/source_p_mw"))
    add("stores", s("storage/discharge_mw") - s("storage/charge_mw"))
    add("loads", s("unserved/load_mw") - s("dispatch/load_mw"))
    if not record.tables["links"].empty:
        add("links", -s("dispatch/link_p_mw"), "from_row")
        arrives = 1.0 - record.tables["links"]["loss_share"].to_numpy(float)
        add("links", s("dispatch/link_p_mw") * arrives, "to_row")
    total -= s("spill/bus_mw")
    if has_losses(record):
        total -= s("flow/loss_mw") @ loss_shares(record)
    return total


def has_losses(record: Record) -> bool:
    return record.has("flow/loss_mw") and record.file["flow/loss_mw"].shape[1] > 0


def loss_shares(record: Record) -> FloatArray:
    """(island, bus) where losses are drawn: in proportion to the load over the run, at all buses alike without any."""
    buses, loads = record.tables["buses"], record.tables["loads"]
    island = buses["island"].to_numpy(int)
    weight = np.zeros((int(island.max()) + 1, len(buses)))
    mean = np.maximum(record.series("dispatch/load_mw"), 0.0).mean(0)
    for row, mw in zip(loads["bus_row"].to_numpy(int), mean, strict=True):
        weight[island[row], row] += mw
    for k in np.flatnonzero(weight.sum(1) <= 0.0):
        weight[k] = island == k
    return weight / weight.sum(1, keepdims=True)


def shift_deg(record: Record) -> FloatArray:
    """Shift of every branch in every hour, (time, branch) or (1, branch) where nothing steers it."""
    branch, steered = record.tables["branches"], record.tables["shifters"]
    shift = branch["shift_deg"].to_numpy(float)[None]
    if steered.empty or not record.has("flow/shift_deg"):
        return shift
    shift = np.repeat(shift, record.steps, axis=0)
    shift[:, steered["branch_row"].to_numpy(int)] += record.series("flow/shift_deg")
    return shift


def circuits_left(record: Record) -> FloatArray:
    """Share of its circuits that every branch has in every hour, (time, branch), or (1, branch) where none is out."""
    branch = record.tables["branches"]
    out = record.series("realtime/circuits_out") if record.has("realtime/circuits_out") else np.zeros((0, 0))
    if not out.size:
        return np.ones((1, len(branch)))
    return 1.0 - out / np.maximum(branch["circuits"].to_numpy(float), 1.0)


def solve_flows(record: Record, injection: FloatArray) -> FloatArray:
    """Flow on every branch from its `from` side, (time, branch)."""
    if record.tables["branches"].empty:
        return np.zeros((record.steps, 0))
    left, shift = circuits_left(record), np.deg2rad(shift_deg(record))
    networks, of_hour = np.unique(left, axis=0, return_inverse=True)
    if len(networks) == 1:
        return _solve(record, networks[0], injection, shift)
    flow = np.zeros((record.steps, left.shape[1]))
    for k, network in enumerate(networks):
        hours = np.flatnonzero(of_hour.reshape(-1) == k)
        flow[hours] = _solve(record, network, injection[hours], shift if len(shift) == 1 else shift[hours])
    return flow


def _solve(record: Record, left: FloatArray, injection: FloatArray, shift_rad: FloatArray) -> FloatArray:
    """The same for hours in which branches have the share `left` of their circuits."""
    branch, nb = record.tables["branches"], len(record.tables["buses"])
    nbr = len(branch)
    b = S_BASE_MVA / branch["x_pu"].to_numpy(float) * left
    lines = np.arange(nbr)
    incidence = sparse.csr_array(
        (
            np.concatenate([np.ones(nbr), -np.ones(nbr)]),
            (np.concatenate([lines, lines]), np.concatenate(ends(branch))),
        ),
        shape=(nbr, nb),
    )
    _, first = np.unique(island_of(record), return_index=True)
    kept = np.setdiff1d(np.arange(nb), first)
    theta = np.zeros((nb, len(injection)))
    if kept.size:
        matrix = sparse.csc_array(incidence.T @ sparse.diags_array(b) @ incidence)[kept][:, kept]
        right = injection.T + incidence.T @ (b[:, None] * shift_rad.T)
        theta[kept] = splu(sparse.csc_matrix(matrix)).solve(np.ascontiguousarray(right[kept]))
    return (b[:, None] * (incidence @ theta - shift_rad.T)).T


def ends(branch: pd.DataFrame) -> tuple[Any, Any]:
    return branch["from_row"].to_numpy(int), branch["to_row"].to_numpy(int)


def island_of(record: Record, artificial: bool = True) -> Any:
    """Number of the AC island of every bus; without the branches of no element of the net when not `artificial`.

    Such branches join the islands of a net to one, with rating 0, so that each island balances by itself.
    """
    branch, nb = record.tables["branches"], len(record.tables["buses"])
    if not artificial and not branch.empty:
        branch = branch[branch["element"] != "island_balance"]
    if branch.empty:
        return np.arange(nb)
    graph = sparse.coo_array((np.ones(len(branch)), ends(branch)), shape=(nb, nb))
    return connected_components(graph, directed=False)[1]


def islands(record: Record, injection: FloatArray) -> list[AuditRow]:
    """Every AC island balances by itself; links between islands count as injections."""
    if record.tables["branches"].empty:
        return [skipped("balance of every island", "the run has no network (single bus)")]
    label = island_of(record)
    count = int(label.max()) + 1
    names = [f"island of {record.names('buses')[int(np.argmax(label == k))]}" for k in range(count)]
    total = np.stack([injection[:, label == k].sum(1) for k in range(count)], axis=1)
    return [row_of("balance of every island", np.abs(total), 1e-3, at(record, names))]


def flows(record: Record, flow: FloatArray) -> list[AuditRow]:
    """Stored flows are those of the injections, and within the rating plus the overload that was recorded."""
    branch, names = record.tables["branches"], record.names("branches")
    if branch.empty:
        return [skipped("branch flows", "the run has no network (single bus)")]
    stored = record.series("flow/branch_p_mw")
    rating = ratings(record)
    over = recorded(record, "flow/branch_overload_mw")
    label = at(record, names)
    return [
        row_of(
            "branch flows solved again", np.abs(stored - flow) - record.rounding("flow/branch_p_mw"), FLOW_MW, label
        ),
        row_of("branch ratings", np.abs(flow) - rating - over, LIMIT_MW, label),
        row_of("branch overload not negative", -over, 1e-6, label),
    ]


def ratings(record: Record) -> FloatArray:
    """Rating of every branch in every hour, (time, branch), or (1, branch) where none moves. [MW]"""
    branch = record.tables["branches"]
    rating = branch["rating_mw"].to_numpy(float)
    rating = np.where(np.isnan(rating), np.inf, rating)[None]
    profile = branch["rating_profile"].astype(str).to_numpy() if "rating_profile" in branch else np.zeros(0)
    rows = np.flatnonzero(profile != "")
    if rows.size:
        rating = np.repeat(rating, record.steps, axis=0)
        rating[:, rows] *= record.series("flow/rating_share")
    left = circuits_left(record)
    with np.errstate(invalid="ignore"):  # no rating times no circuit
        return np.where(left > 0.0, rating * left, 0.0)


def shifters(record: Record) -> list[AuditRow]:
    """Phase shifters within their limits."""
    table = record.tables["shifters"]
    if table.empty or not record.has("flow/shift_deg"):
        return []
    low, high = table["min_deg"].to_numpy(float), table["max_deg"].to_numpy(float)
    excess = outside(record.series("flow/shift_deg"), low, high)
    return [row_of("phase shifters", excess, SHIFT_DEG, at(record, record.names("shifters")), "degree")]


SHIFT_DEG = 1e-6


def losses(record: Record, flow: FloatArray) -> list[AuditRow]:
    """Losses are those of the flows, and what the windows counted on is near them: none is made up to burn energy."""
    if not has_losses(record):
        return []
    branch, island = record.tables["branches"], record.tables["buses"]["island"].to_numpy(int)
    r_pu = np.maximum(branch["r_pu"].to_numpy(float), 0.0) / np.maximum(circuits_left(record), 1e-9)
    lost = r_pu / S_BASE_MVA * flow**2
    bears = island[branch["from_row"].to_numpy(int)]
    want = np.stack([lost[:, bears == k].sum(1) for k in range(int(island.max()) + 1)], axis=1)
    names = [f"island {k}" for k in range(want.shape[1])]
    planned = np.abs(record.series("flow/loss_planned_mw") - want) - PLANNED_SHARE * want
    label = at(record, names)
    return [
        row_of("losses of the flows", np.abs(record.series("flow/loss_mw") - want), LOSS_MW, label),
        row_of(f"losses as planned, beyond {100 * PLANNED_SHARE:g} %", planned, PLANNED_MW, label),
    ]


def recorded(record: Record, path: str) -> FloatArray:
    return record.series(path) if record.has(path) else np.zeros(1)


def interfaces(record: Record) -> list[AuditRow]:
    """Interface flows are the weighted sums of their members, within their limits plus the recorded overload."""
    table = record.tables["interfaces"]
    if table.empty:
        return [skipped("interfaces", "the run has no interface")]
    names = record.names("interfaces")
    label = at(record, names)
    stored = record.series("flow/interface_p_mw")
    over = recorded(record, "flow/interface_overload_mw")
    low, high = (-table["reverse_limit_mw"].to_numpy(float), table["limit_mw"].to_numpy(float))
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    branch_weight, link_weight, why = weights(record)
    rows = []
    if branch_weight is None or link_weight is None:
        rows.append(AuditRow("interface flows", float("inf"), why, FLOW_MW, 1, False, "MW"))
        flow = stored
    else:
        flow = record.series("flow/branch_p_mw") @ branch_weight.T + record.series("dispatch/link_p_mw") @ link_weight.T
        rounding = np.broadcast_to(record.rounding("flow/branch_p_mw"), (record.steps, len(record.tables["branches"])))
        rounding = rounding @ np.abs(branch_weight).T + record.rounding("flow/interface_p_mw")
        off = np.abs(stored - flow) - rounding
        rows.append(row_of("interface flows", off, FLOW_MW, label))
    rows.append(row_of("interface limits", outside(flow, low - over, high + over), LIMIT_MW, label))
    rows.append(row_of("interface overload not negative", -over, 1e-6, label))
    return rows


def weights(record: Record) -> tuple[FloatArray | None, FloatArray | None, str]:
    """Weight of every branch and link in every interface, from the net's member table; else from the file."""
    names = {name: k for k, name in enumerate(record.names("interfaces"))}
    branch, link = record.tables["branches"], record.tables["links"]
    net = record.net
    if net is not None and "interface_member" in net and isinstance(net["interface_member"], pd.DataFrame):
        on_branch, on_link = np.zeros((len(names), len(branch))), np.zeros((len(names), len(link)))
        places = {"branch": (branch, on_branch), "link": (link, on_link)}
        found: dict[tuple[str, int], list[tuple[str, int, float]]] = {}
        for kind, (frame, _) in places.items():
            for k, row in enumerate(frame.itertuples()):
                way = -1.0 if getattr(row, "way", 1) < 0 else 1.0  # of a link back: against the member's direction
                found.setdefault((str(row.element), int(row.element_index)), []).append((kind, k, way))
        for member in net["interface_member"].itertuples():
            for kind, k, way in found.get((str(member.element), int(member.element_index)), []):
                if member.interface in names:
                    places[kind][1][names[member.interface], k] += way * float(member.weight)
        return on_branch, on_link, ""
    if record.has("interfaces/branch_weight"):
        return record.series("interfaces/branch_weight"), record.series("interfaces/link_weight"), ""
    return None, None, "neither the net nor /interfaces says what its members are"


def links(record: Record) -> list[AuditRow]:
    """DC links within their limits, and never both ways at once."""
    table = record.tables["links"]
    if table.empty:
        return [skipped("DC link limits", "the run has no embedded DC link")]
    p = record.series("dispatch/link_p_mw")
    excess = outside(p, table["p_min_mw"].to_numpy(float), table["p_max_mw"].to_numpy(float))
    excess = excess - record.rounding("dispatch/link_p_mw")
    rows = [row_of("DC link limits", excess, LIMIT_MW, at(record, record.names("links")))]
    back = np.flatnonzero(table["way"].to_numpy(int) < 0) if "way" in table else np.zeros(0, int)
    ahead = {int(k): row for row, k in enumerate(table["element_index"]) if row not in back}
    both = [
        (ahead[int(table["element_index"].iloc[k])], k) for k in back if int(table["element_index"].iloc[k]) in ahead
    ]
    if both:
        less = np.stack([np.minimum(p[:, a], p[:, b]) for a, b in both], axis=1)
        names = [record.names("links")[a] for a, _ in both]
        rows.append(row_of("DC links one way at a time", less, LIMIT_MW, at(record, names)))
    return rows


def against_net(record: Record, injection: FloatArray, flow: FloatArray) -> list[AuditRow]:
    """The tables against the net they were made of: flows by ``rundcpp`` in a few hours; limits no looser."""
    net = record.net
    if net is None:
        return [skipped("the net itself", "the file holds no net")]
    rows = limits_of_net(record, net)
    branch = record.tables["branches"]
    if branch.empty or not branch["element"].isin(["line", "trafo"]).any():
        return [*rows, skipped("flows of pandapower's rundcpp", "the run has no lines or transformers")]
    return [*rows, flows_of_net(record, net, injection, flow)]


def flows_of_net(record: Record, net: Any, injection: FloatArray, flow: FloatArray) -> AuditRow:
    """pandapower solves the hours of highest flow, largest shift, highest load, lowest load and the middle one."""
    import pandapower as pp

    check = "flows of pandapower's rundcpp"
    buses, branch = record.tables["buses"], record.tables["branches"]
    load = record.series("dispatch/load_mw").sum(1)
    shift, steered = shift_deg(record), record.tables["shifters"]
    hours = {int(np.abs(flow).max(1).argmax()), int(load.argmax()), int(load.argmin()), record.steps // 2}
    if len(shift) > 1:
        hours.add(int(np.abs(shift - shift.mean(0)).max(1).argmax()))
    left = circuits_left(record)
    if len(left) > 1:  # the net has all circuits: the nearest hours that have them, too
        intact = np.flatnonzero((left == 1.0).all(axis=1))
        hours = {int(intact[np.abs(intact - t).argmin()]) for t in hours} if intact.size else set()
    bare = bare_net(net)
    ids = buses["bus_id"].to_numpy(int)
    real = np.isin(ids, bare.bus.index)
    label = island_of(record, artificial=False)
    for k in range(int(label.max()) + 1):
        members = np.flatnonzero((label == k) & real)
        if members.size:
            pp.create_ext_grid(bare, int(ids[members[0]]))
    feeds = [pp.create_sgen(bare, int(i), 0.0) for i in ids[real]]
    turned = branch["element_index"].to_numpy(int)[steered["branch_row"].to_numpy(int)] if len(shift) > 1 else []
    at_rest = bare.trafo.loc[turned, "shift_degree"].to_numpy(float)
    picked = {e: (branch["element"] == e).to_numpy() for e in ("line", "trafo")}
    worst, where, violations = 0.0, "", 0
    for t in sorted(hours):
        bare.sgen.loc[feeds, "p_mw"] = injection[t, real]
        if len(shift) > 1:
            bare.trafo.loc[turned, "shift_degree"] = at_rest + record.series("flow/shift_deg")[t]
        try:
            with contextlib.redirect_stdout(None):
                pp.rundcpp(bare)
        except Exception as error:
            return AuditRow(check, float("inf"), f"{record.hour(t)}: {error}", NET_FLOW_MW, 1, False, "MW")
        for element, column in (("line", "p_from_mw"), ("trafo", "p_hv_mw")):
            rows = np.flatnonzero(picked[element])
            if not rows.size:
                continue
            want = bare[f"res_{element}"][column].reindex(branch["element_index"].to_numpy(int)[rows]).to_numpy(float)
            off = np.abs(np.nan_to_num(want, nan=np.inf) - flow[t, rows])
            violations += int((off > NET_FLOW_MW).sum())
            if off.max() > worst:
                worst = float(off.max())
                where = f"{record.hour(t)}, {record.names('branches')[rows[int(off.argmax())]]}"
    return AuditRow(check, worst, where, NET_FLOW_MW, violations, violations == 0, "MW")


def bare_net(net: Any) -> Any:
    """A copy with buses, branches and switches only, without losses in iron or insulation."""
    bare = copy.deepcopy(net)
    for element in list(bare.keys()):
        frame = bare[element]
        if isinstance(frame, pd.DataFrame) and element in INJECTING and len(frame):
            bare[element] = frame.iloc[0:0]
    for element, column in (("trafo", "pfe_kw"), ("trafo3w", "pfe_kw"), ("line", "g_us_per_km")):
        if len(bare[element]) and column in bare[element]:
            bare[element][column] = 0.0
    return bare


INJECTING = {
    *("load", "sgen", "gen", "ext_grid", "storage", "dcline", "shunt", "ward", "xward", "motor"),
    *("asymmetric_load", "asymmetric_sgen", "svc", "ssc", "tcsc", "vsc", "b2b_vsc"),
}


def limits_of_net(record: Record, net: Any) -> list[AuditRow]:
    """Limits of the tables are no looser than those of the net: outputs, stored energy, ratings, interfaces.

    What the scenario makes larger or smaller (capacity by technology, ratings, limits of interfaces) is as large as it
    says.
    """
    excess: list[float] = []
    names: list[str] = []
    scale, grid = (record.scenario.get(name, {}) for name in ("scale", "grid"))

    def compare(what: str, allowed: float, used: float) -> None:
        """`used` may not be above `allowed`; what the net leaves open is no limit."""
        if np.isfinite(allowed):
            excess.append((used - allowed) / max(abs(allowed), 1.0))
            names.append(f"{what}: {used:.6g} in the table, {allowed:.6g} in the net")

    for group, columns in (("units", ("p_min_mw", "p_max_mw")), ("stores", STORE_LIMITS)):
        table = record.tables[group]
        if table.empty:
            continue
        for (element, index), rows in table.groupby(["element", "element_index"]):
            row = net[element].loc[index]
            each = rows["units"].to_numpy(float) if group == "units" else 1.0
            factor = float(scale.get(str(rows["tech"].iloc[0]), 1.0))
            total = {c: float((rows[c].to_numpy(float) * each).sum()) / max(factor, 1e-12) for c in columns}
            name = str(rows["name"].iloc[0])
            if group == "units":
                compare(f"{name} p_max_mw", number(row, "max_p_mw"), total["p_max_mw"])
                compare(f"{name} p_min_mw", -number(row, "min_p_mw"), -total["p_min_mw"])
            else:
                compare(f"{name} p_charge_max_mw", number(row, "max_p_mw"), total["p_charge_max_mw"])
                compare(f"{name} p_discharge_max_mw", -number(row, "min_p_mw"), total["p_discharge_max_mw"])
                compare(f"{name} e_max_mwh", number(row, "max_e_mwh"), total["e_max_mwh"])
    for row in record.tables["links"].itertuples():
        said = net.dcline.loc[row.element_index]
        back = getattr(row, "way", 1) < 0
        allowed = -number(said, "min_p_mw") if back else number(said, "max_p_mw")
        compare(f"{row.name} p_max_mw", allowed, float(row.p_max_mw))
        if back or row.p_min_mw >= 0:
            compare(f"{row.name} arrives", 1.0 - number(said, "loss_percent") / 100.0, 1.0 - float(row.loss_share))
    branch = record.tables["branches"]
    if not branch.empty:
        for row in branch[branch["element"].isin(["line", "trafo"])].itertuples():
            factor = float(grid.get("line_rating_factor", 1.0))
            rating = float(row.rating_mw) / factor
            compare(f"{row.name} rating_mw", rating_of_net(net, row.element, row.element_index), rating)
    if "interface" in net and isinstance(net["interface"], pd.DataFrame):
        limit = net["interface"].set_index("name")
        for row in record.tables["interfaces"].itertuples():
            if row.name in limit.index:
                said = grid.get("interface_limit_mw", {}).get(row.name, limit.loc[row.name, "limit_mw"])
                compare(f"{row.name} limit_mw", float(said), float(row.limit_mw))
    return [row_of("limits no looser than the net's", np.array(excess), TABLE_SHARE, among(names), "share")]


STORE_LIMITS = ("p_charge_max_mw", "p_discharge_max_mw", "e_max_mwh")


def number(row: pd.Series, column: str) -> float:
    value = row.get(column)
    return float("nan") if value is None or pd.isna(value) else float(value)


def rating_of_net(net: Any, element: str, index: int) -> float:
    """Rating in MW at 1 p.u. voltage, of all parallel circuits, times the loading allowed. NaN: none."""
    row = net[element].loc[index]
    share = number(row, "max_loading_percent") / 100.0
    share = 1.0 if np.isnan(share) else share
    derate = number(row, "df")
    share *= (1.0 if np.isnan(derate) else derate) * number(row, "parallel")
    # at and above these, pandapower's converters from MATPOWER mean "no limit"
    if element == "line":
        i_ka = number(row, "max_i_ka")
        vn_kv = float(net.bus.at[row["from_bus"], "vn_kv"])
        return share * np.sqrt(3.0) * i_ka * vn_kv if i_ka < 9_999.0 else float("nan")
    return share * number(row, "sn_mva") if number(row, "sn_mva") < 99_999.0 else float("nan")
