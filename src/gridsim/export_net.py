"""A dispatched hour written back into its pandapower net, ready for ``pandapower.runpp`` or ``rundcpp``.

Every element gets the power that it had: generators (out of service where all their units were off), loads less what
was not served, stores, DC links, shifts of phase shifters. What a load draws of reactive power keeps its power factor.
Energy spilled is a load of its own. One reference is left in each island, as in the dispatch: external grids elsewhere
become generators with the power that they had. All else is the net of the results file: no column is lost.
"""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gridsim.errors import InputError, IntegrityError, Problem
from gridsim.explain import step_of
from gridsim.networks.safe import net_of_text
from gridsim.opened import Results
from gridsim.part_file import check_output

SPILLED_MW = 1e-3


def net_of(run: Results) -> Any:
    """The pandapower net of a run, as it was given.

    Raises
    ------
    IntegrityError
        If the file holds none.
    """
    text = run.reader.net_json
    if not text:
        raise IntegrityError(f"{run.reader.path}: holds no net")
    return net_of_text(text)


def write_net(path: Path, hour: str | None, out: Path, *, force: bool = False) -> Path:
    """Write the net of an hour as pandapower JSON.

    Raises
    ------
    InputError
        If there is no hour, it is not in the run, or the place is taken.
    """
    if hour is None:
        raise InputError(str(path), [Problem("hour", "is missing: a net has the power of one hour")])
    import pandapower as pp

    with Results(path) as run:
        t = step_of(run, hour)
        check_output(out, force=force)
        net = dispatched(run, t)
    out.parent.mkdir(parents=True, exist_ok=True)
    pp.to_json(net, str(out))
    return out


def dispatched(run: Results, t: int, net: Any = None) -> Any:
    """The net with the power of step `t`; of a copy of `net`, where it was read before."""
    net = net_of(run) if net is None else copy.deepcopy(net)
    r = run.reader
    _set_machines(run, net, t)
    _leave_one_reference(run, net, t)
    _set_loads(run, net, t)
    _set(net, run.table("stores"), r["storage/charge_mw"][t] - r["storage/discharge_mw"][t])
    _set_links(run, net, t)
    _set_shifts(run, net, t)
    _add_spilled(run, net, t)
    return net


def _set_machines(run: Results, net: Any, t: int) -> None:
    """Generators and static generators: units and sources may be rows of one table."""
    r, units, sources = run.reader, run.table("units"), run.table("sources")
    _set(net, units, r["dispatch/unit_p_mw"][t])
    _set(net, sources, r["dispatch/source_p_mw"][t])
    off = units[r["commitment/on"][t] == 0]
    for element, rows in off.groupby("element"):
        index = rows["element_index"].to_numpy(int)
        if "slack" in net[element]:
            index = index[~net[element].loc[index, "slack"].to_numpy(bool)]  # the reference stays
        net[element].loc[index, "in_service"] = False


def _leave_one_reference(run: Results, net: Any, t: int) -> None:
    """Two references fix the angle between them, and so a flow that nobody dispatched."""
    import pandapower as pp

    buses, power = run.table("buses"), _of_external(run, t)
    island = dict(zip(buses["bus_id"], buses["island"], strict=True))
    chosen = set(buses["bus_id"][buses["reference"].to_numpy(bool)])
    # of an island whose balance stands apart in the dispatch, the first one
    found: dict[int, int] = {}
    for element, flag in (("ext_grid", "in_service"), ("gen", "slack")):
        if flag not in net[element]:
            continue
        table = net[element][net[element]["in_service"] & net[element][flag]]
        for index, bus in sorted(table["bus"].items(), key=lambda item: item[1] not in chosen):
            if found.setdefault(island.get(bus, -1), bus) == bus:
                continue
            net[element].loc[index, flag] = False
            if element == "ext_grid":
                vm_pu = float(net.ext_grid.at[index, "vm_pu"])
                pp.create_gen(net, int(bus), power.get(index, 0.0), vm_pu=vm_pu, name=net.ext_grid.at[index, "name"])


def _of_external(run: Results, t: int) -> dict[int, float]:
    """What each external grid gave. [MW]"""
    out: dict[int, float] = {}
    for table, path in (("units", "dispatch/unit_p_mw"), ("sources", "dispatch/source_p_mw")):
        rows = run.table(table)
        here = np.flatnonzero(rows["element"] == "ext_grid")
        index = rows["element_index"].to_numpy(int)[here]
        out |= dict(zip(index.tolist(), run.reader[path][t][here].tolist(), strict=True))
    return out


def _set(net: Any, table: pd.DataFrame, p_mw: Any, *, keep_power_factor: bool = False) -> None:
    """Power of the elements of an index table; an external grid takes what is left and is not set."""
    power = pd.Series(np.asarray(p_mw, dtype=float), index=table.index)
    for element, rows in table.groupby("element"):
        if element == "ext_grid":
            continue
        frame = net[element]
        given = power[rows.index].groupby(rows["element_index"].to_numpy(int)).sum()
        if keep_power_factor and "q_mvar" in frame:
            before = frame.loc[given.index, "p_mw"]
            ratio = (frame.loc[given.index, "q_mvar"] / before).where(before != 0.0, 0.0)
            frame.loc[given.index, "q_mvar"] = ratio * given
        frame.loc[given.index, "p_mw"] = given
        if "scaling" in frame:
            frame.loc[given.index, "scaling"] = 1.0


def _set_loads(run: Results, net: Any, t: int) -> None:
    """Loads as served, and constant losses of links at to_bus; what other elements draw is in the net as it is."""
    import pandapower as pp

    r, loads, links, buses = run.reader, run.table("loads"), run.table("links"), run.table("buses")
    bus = buses["bus_id"].to_numpy(int)[loads["bus_row"].to_numpy(int)]
    drawn, unserved = r["dispatch/load_mw"][t], r["unserved/load_mw"][t]
    is_load = (loads["element"] == "load").to_numpy()
    of_link = ((loads["element"] == "dcline") & loads["element_index"].isin(links["element_index"])).to_numpy()
    _set(net, loads[is_load], (drawn - unserved)[is_load], keep_power_factor=True)
    for row in np.flatnonzero(of_link):
        net.dcline.loc[loads["element_index"].iloc[row], "loss_mw"] = 0.0
        pp.create_load(net, int(bus[row]), float(drawn[row]), name=loads["name"].iloc[row])
    for row in np.flatnonzero(~is_load & (unserved > SPILLED_MW)):
        pp.create_sgen(net, int(bus[row]), float(unserved[row]), name=f"not served: {loads['name'].iloc[row]}")


def _set_links(run: Results, net: Any, t: int) -> None:
    """DC links: the power sent, below 0 on the way back."""
    links = run.table("links")
    _set(net, links, run.reader["dispatch/link_p_mw"][t] * links["way"].to_numpy(float))


def _set_shifts(run: Results, net: Any, t: int) -> None:
    shifters, branches = run.table("shifters"), run.table("branches")
    if shifters.empty:
        return
    rows = branches.iloc[shifters["branch_row"].to_numpy(int)]
    net.trafo.loc[rows["element_index"].to_numpy(int), "shift_degree"] += run.reader["flow/shift_deg"][t]


def _add_spilled(run: Results, net: Any, t: int) -> None:
    import pandapower as pp

    spilled, buses = run.reader["spill/bus_mw"][t], run.table("buses")
    for row in np.flatnonzero(spilled > SPILLED_MW):
        bus = int(buses["bus_id"].iloc[row])
        pp.create_load(net, bus, p_mw=float(spilled[row]), name=f"spilled at {buses['name'].iloc[row]}")
