"""The Jiangsu grid as a pandapower net, built from the tables in ``networks/jiangsu``.

The 500/1000 kV grid of the province with its fleet, load by city, external supply and ties. The list of substations,
plants, farms and DC links is public; the full list of 500 kV circuits is not, so the topology is *representative*:
every river crossing, the UHV ring and the ties stand in public documents, the rest connects neighbours plausibly
(column ``trust`` of ``branches.csv``). Nothing here comes from the grid operator.

The net at rest is the summer peak at midday: load at 146.2 GW, thermal output scaled to balance it.
"""

import math
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd

from gridsim.networks import jiangsu_fleet as fleet
from gridsim.networks import jiangsu_local as local
from gridsim.networks import jiangsu_supply as supply
from gridsim.networks.columns import fill_defaults
from gridsim.networks.jiangsu_common import HOURLY
from gridsim.networks.jiangsu_dc import flexible_dc
from gridsim.networks.jiangsu_demand import loads as demand_loads
from gridsim.networks.jiangsu_fleet import Grid, Row
from gridsim.networks.jiangsu_flexible import flexible
from gridsim.networks.jiangsu_outages import outage_columns, outage_parts
from gridsim.networks.options import Options
from gridsim.networks.tables import read_table

NOTE = (
    "Jiangsu {fleet}. The topology of this grid is representative: substations, river crossings, UHV ring, plants, "
    "wind farms and DC links follow public documents, the remaining 500 kV circuits connect neighbours plausibly. It "
    "is not the grid operator's model. Sources and trust of every figure: networks/jiangsu/*.csv."
)
PROFILE_COLUMNS = (
    "profile",
    "kind",
    "zone",
    "lat_deg",
    "lon_deg",
    "rated_mw",
    "energy_twh",
    "full_load_h",
    "units",
    "character",
)
ENDS = {"line": ("from_bus", "to_bus"), "trafo": ("hv_bus", "lv_bus"), "dcline": ("from_bus", "to_bus")}


def jiangsu(options: Options) -> pp.pandapowerNet:
    """The Jiangsu grid as `options` choose it.

    Returns
    -------
    pandapowerNet
        Besides pandapower's tables (with the columns of `gridsim.networks.columns`): ``interface``,
        ``interface_member``, ``profile_site`` and the text ``gridsim_note``.

    Raises
    ------
    InputError
        For a fleet that there are no tables for.
    """
    grid = Grid(options)
    net = pp.create_empty_network(name=f"Jiangsu {options.fleet}", f_hz=50.0, sn_mva=100.0)
    _buses(net, grid)
    _branches(net, grid)
    _devices(net, grid)
    _dc_links(net, grid)
    _references_at_sea(net, grid)
    _interfaces(net, grid)
    net["profile_site"] = pd.DataFrame(grid.profiles, columns=list(PROFILE_COLUMNS)).astype({"units": float})
    net["gridsim_note"] = NOTE.format(fleet=options.fleet)
    fill_defaults(net)
    _balance_at_peak(net, grid)
    return net


def _columns(rows: list[Row], *without: str) -> dict[str, list[Any]]:
    """Rows as one list per column, for pandapower's functions that create many elements at once."""
    return {name: [row[name] for row in rows] for name in rows[0] if name not in without}


def _buses(net: pp.pandapowerNet, grid: Grid) -> None:
    table = grid.buses
    pp.create_buses(
        net,
        len(table),
        vn_kv=table["vn_kv"].astype(float).tolist(),
        name=table["name"].tolist(),
        zone=table["zone"].tolist(),
        geodata=list(zip(table["lon_deg"], table["lat_deg"], strict=True)),
        min_vm_pu=0.95,
        max_vm_pu=1.10,
    )


def _branches(net: pp.pandapowerNet, grid: Grid) -> None:
    """Lines by length and type, transformers as banks. Ratings are per circuit or bank, emergency ratings per row."""
    types = read_table("branch_types").set_index("type")
    taken: dict[str, int] = {}
    lines, left = [], supply.line_ratings(grid)
    for row in [*grid.table("branches"), *local.connections(grid)]:
        kind, vn_kv = types.loc[row["type"]], float(row["vn_kv"])
        circuits = math.ceil(row["circuits"] * grid.par["circuit_factor"])
        name = f"{grid.name[row['from_bus']]} - {grid.name[row['to_bus']]}"
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            name = f"{name} {taken[name]}"
        emergency_mva = row["rating_mva"] * circuits * grid.par["emergency_rating_factor"]
        if row["kind"] == "trafo":
            pp.create_transformer_from_parameters(
                net,
                grid.bus[row["from_bus"]],
                grid.bus[row["to_bus"]],
                sn_mva=row["rating_mva"],
                vn_hv_kv=1000.0,
                vn_lv_kv=500.0,
                vk_percent=kind["vk_percent"],
                vkr_percent=kind["vkr_percent"],
                pfe_kw=0.0,
                i0_percent=0.0,
                parallel=circuits,
                name=name,
                emergency_rating_mva=emergency_mva,
                **outage_columns("trafo", "1000"),
            )
            continue
        lines.append(
            {
                "from_buses": grid.bus[row["from_bus"]],
                "to_buses": grid.bus[row["to_bus"]],
                "length_km": row["length_km"],
                "r_ohm_per_km": kind["r_ohm_per_km"],
                "x_ohm_per_km": kind["x_ohm_per_km"],
                "c_nf_per_km": kind["b_us_per_km"] * 1e3 / (2.0 * math.pi * 50.0),
                "max_i_ka": row["rating_mva"] / (math.sqrt(3.0) * vn_kv),
                "parallel": circuits,
                "name": name,
                "emergency_rating_mva": emergency_mva,
                "rating_profile": left.get(_eastern_city(grid, row), ""),
                **outage_columns("line", f"{vn_kv:g}", length_km=row["length_km"]),
            }
        )
    pp.create_lines_from_parameters(net, type="ol", **_columns(lines))
    for row in read_table("shunts").to_dict("records"):
        pp.create_shunt(net, grid.bus[row["bus"]], q_mvar=row["q_mvar"], name=row["name"])
    net.shunt["switched"] = False
    _banks(net, grid)


def _banks(net: pp.pandapowerNet, grid: Grid) -> None:
    """Switched shunts, all off, which the AC check switches by the voltage: capacitors of the 500 kV stations, and
    reactors for what lines charge at every bus beyond its fixed ones."""
    line, step_mvar = net.line, grid.par["compensation_step_mvar"]
    b_us = 2e-3 * math.pi * 50.0 * line["c_nf_per_km"] * line["length_km"] * line["parallel"]
    half_mvar = 0.5e-6 * b_us * net.bus.loc[line["from_bus"], "vn_kv"].to_numpy() ** 2
    charged = half_mvar.groupby(line["from_bus"]).sum().add(half_mvar.groupby(line["to_bus"]).sum(), fill_value=0.0)
    left = (grid.par["reactor_share"] * charged).sub(net.shunt.groupby("bus")["q_mvar"].sum(), fill_value=0.0)
    stations = grid.buses[grid.buses["kind"] == "substation"]
    rows = [
        (
            grid.bus[str(key)],
            -step_mvar,
            grid.par["capacitor_share"] * row["transformer_mva"],
            f"capacitors {row['name']}",
        )
        for key, row in stations.iterrows()
    ]
    rows += [(bus, step_mvar, mvar, f"reactors {net.bus.at[bus, 'name']}") for bus, mvar in left.items()]
    for bus, q_mvar, whole_mvar, name in rows:
        each = q_mvar * (net.bus.at[bus, "vn_kv"] / 500.0) ** 2
        steps = math.ceil(whole_mvar / abs(each))
        if steps > 0:
            at = pp.create_shunt(net, bus, q_mvar=each, step=0, max_step=steps, name=name)
            net.shunt.loc[at, "switched"] = True
    net.shunt["vm_low_pu"], net.shunt["vm_high_pu"] = (
        grid.par[f"compensation_vm_{side}_pu"] for side in ("low", "high")
    )


def _eastern_city(grid: Grid, row: Row) -> str:
    """Of a line: storms come from the sea."""
    ends = [grid.buses.loc[row[end]] for end in ("from_bus", "to_bus")]
    return str(max(ends, key=lambda bus: float(bus["lon_deg"]))["zone"])


def _devices(net: pp.pandapowerNet, grid: Grid) -> None:
    units, points = fleet.thermal(grid)
    more = flexible(grid)
    loads = [*demand_loads(grid), *more.load]
    pp.create_loads(net, [row["bus"] for row in loads], **_columns(loads, "bus"))
    pp.create_gens(net, [row["bus"] for row in units], **_columns(units, "bus"))
    pp.create_pwl_costs(net, net.gen.index, "gen", points)
    supply.plan(grid)
    supply.gas(grid)
    sources = [*fleet.wind_farms(grid), *fleet.renewables(grid), *supply.external(grid), *more.sgen]
    index = pp.create_sgens(net, [row["bus"] for row in sources], **_columns(sources, "bus", "cost"))
    priced = [(number, row["cost"]) for number, row in zip(index, sources, strict=True) if row["cost"] > 0]
    pp.create_poly_costs(net, [number for number, _ in priced], "sgen", [cost for _, cost in priced])
    stores = [*(HOURLY | row for row in supply.storage(grid)), *more.storage, *flexible_dc(grid)]
    pp.create_storages(net, [row["bus"] for row in stores], **_columns(stores, "bus"))


def _dc_links(net: pp.pandapowerNet, grid: Grid) -> None:
    for row in supply.dc_links(grid):
        q_mvar = 0.5 * row["max_mw"]
        pp.create_dcline(
            net,
            grid.bus[row["from_bus"]],
            grid.bus[row["to_bus"]],
            p_mw=_sent_at_rest(net, grid, row),
            loss_percent=row["loss_percent"],
            loss_mw=0.0,
            vm_from_pu=grid.par["vm_setpoint_pu"],
            vm_to_pu=grid.par["vm_setpoint_pu"],
            max_p_mw=row["max_mw"],
            min_q_from_mvar=-q_mvar,
            max_q_from_mvar=q_mvar,
            min_q_to_mvar=-q_mvar,
            max_q_to_mvar=q_mvar,
            name=row["name"],
            min_p_mw=row["min_mw"],
            controllable=True,
            outage_parts=outage_parts("dcline", "embedded"),
            **outage_columns("dcline", "embedded"),
        )


def _sent_at_rest(net: pp.pandapowerNet, grid: Grid, row: Row) -> float:
    """What a link takes while the net is at rest: from the sea all that there is, else four fifths. [MW]"""
    if not supply.from_sea(grid, row):
        return float(0.8 * row["max_mw"])
    return float(net.sgen.loc[net.sgen["bus"] == grid.bus[row["from_bus"]], "p_mw"].sum())


def _references_at_sea(net: pp.pandapowerNet, grid: Grid) -> None:
    """The converters at sea hold voltage and frequency of their farms' grids, and give nothing themselves."""
    for row in supply.dc_links(grid):
        if supply.from_sea(grid, row):
            vm_pu, name = grid.par["vm_setpoint_pu"], f"{grid.name[row['from_bus']]}, voltage"
            pp.create_ext_grid(net, grid.bus[row["from_bus"]], vm_pu, name=name, min_p_mw=0.0, max_p_mw=0.0)


def _interfaces(net: pp.pandapowerNet, grid: Grid) -> None:
    """Sections: named sums of branch flows with a limit each way. A member counts from its first to its second bus."""
    table = pd.DataFrame(grid.table("interfaces"))
    limits = table[["name", "limit_mw", "reverse_limit_mw"]].reset_index(drop=True)
    net["interface"] = limits.astype({"limit_mw": float, "reverse_limit_mw": float})
    if grid.options.local_grid:
        net["interface"] = pd.concat([net["interface"], local.interfaces(grid.options)], ignore_index=True)
    net["interface"].loc[net["interface"]["name"] == supply.CROSSING, "limit_mw"] += grid.options.river_crossing_mw
    rows = []
    for member in [*grid.table("interface_members"), *supply.crossing_members(grid), *local.members(grid)]:
        branches = net[member["element"]]
        start, end = ENDS[member["element"]]
        at = (branches[start] == grid.bus[member["from_bus"]]) & (branches[end] == grid.bus[member["to_bus"]])
        rows += [(member["interface"], member["element"], int(i), float(member["weight"])) for i in branches.index[at]]
    for section in table[table["region"] != ""].to_dict("records"):
        rows += _boundary(net, section["name"], section["region"])
    net["interface_member"] = pd.DataFrame(rows, columns=["interface", "element", "element_index", "weight"])


def _boundary(net: pp.pandapowerNet, name: str, region: str) -> list[tuple[str, str, int, float]]:
    """Every branch from a city group to the rest of the province as a member: what the group sends out."""
    group = read_table("loads").set_index("city")["region"]
    inside = net.bus["zone"].map(group)
    rows = []
    for element, (start, end) in ENDS.items():
        first, second = (net[element][side].map(inside) for side in (start, end))
        crosses = first.notna() & second.notna() & ((first == region) != (second == region))
        rows += [(name, element, int(i), 1.0 if first[i] == region else -1.0) for i in net[element].index[crosses]]
    return rows


def _balance_at_peak(net: pp.pandapowerNet, grid: Grid) -> None:
    """Set the thermal output so that the net at rest is the summer peak at midday, balanced without AC losses.

    Where wind and sun leave less than the coal fleet's minimum, they are held back, and links from the sea with them.
    """
    gen, sgen, dc = net.gen, net.sgen, net.dcline
    gas, coal, free = gen["tech"] == "gas", gen["tech"] == "coal", sgen["curtailable"].astype(bool)
    gen.loc[gas, "p_mw"] = np.maximum(gen.loc[gas, "min_p_mw"], fleet.PEAK_PU["gas"] * gen.loc[gas, "max_p_mw"])
    at_sea = np.array([supply.from_sea(grid, row) for row in supply.dc_links(grid)], dtype=bool)
    loss_mw = dc["p_mw"] * dc["loss_percent"] / 100.0
    rest = net.load["p_mw"].sum() + loss_mw.sum() - sgen["p_mw"].sum() - gen.loc[~coal, "p_mw"].sum()
    low, high = gen.loc[coal, "min_p_mw"], gen.loc[coal, "max_p_mw"]
    surplus = max(low.sum() - rest, 0.0)
    held = surplus / (sgen.loc[free, "p_mw"].sum() - loss_mw[at_sea].sum())
    sgen.loc[free, "p_mw"] *= 1.0 - held
    dc.loc[at_sea, "p_mw"] *= 1.0 - held
    gen.loc[coal, "p_mw"] = low + (high - low) * (rest + surplus - low.sum()) / (high - low).sum()
