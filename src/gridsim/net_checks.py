"""What is wrong with the buses, branches and switches of a net, before pandapower is asked to convert it."""

from typing import Any

import numpy as np
import pandas as pd

from gridsim.errors import Problem
from gridsim.nettable import NetTable


def check_tables(net: Any) -> list[Problem]:
    """What would make the conversion fail or give nonsense: unknown buses, reactances and ratings out of range."""
    problems: list[Problem] = []
    bus = NetTable(net, "bus")
    known = set(bus.index)
    if not known:
        return [Problem("bus", "must have at least one row: the network is empty")]
    bus.complain(problems, "vn_kv", ~(bus.number("vn_kv") > 0), "greater than 0 kV")
    for element, columns in _bus_columns(net).items():
        table = NetTable(net, element)
        for column in columns:
            values = table.number(column, -1)
            bad = np.array([int(v) not in known for v in values], dtype=bool)
            table.complain(problems, column, bad, "a bus of the network")
    _check_lines(net, problems)
    _check_transformers(net, problems)
    impedance = NetTable(net, "impedance")
    x = impedance.number("xft_pu")
    bad = impedance.in_service() & ~(np.isfinite(x) & (x != 0))
    impedance.complain(problems, "xft_pu", bad, "finite and not 0")
    switch = NetTable(net, "switch")
    for code, element in (("l", "line"), ("t", "trafo"), ("t3", "trafo3w"), ("b", "bus")):
        rows_of = set(NetTable(net, element).index)
        bad = np.array(
            [
                et == code and int(e) not in rows_of
                for et, e in zip(switch.text("et"), switch.number("element", -1), strict=True)
            ],
            dtype=bool,
        )
        switch.complain(problems, "element", bad, f"a row of {element} where et is '{code}'")
    if not references(net):
        problems.append(
            Problem(
                "ext_grid", "must have a row in service, or a gen must have slack=True: the network has no reference"
            )
        )
    return problems


def _bus_columns(net: Any) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for element in net:
        frame = net[element]
        if not isinstance(frame, pd.DataFrame) or element.startswith(("_", "res_")) or not len(frame):
            continue
        columns = tuple(c for c in ("bus", "from_bus", "to_bus", "hv_bus", "mv_bus", "lv_bus") if c in frame.columns)
        if columns:
            found[element] = columns
    return found


def _check_lines(net: Any, problems: list[Problem]) -> None:
    line = NetTable(net, "line")
    on = line.in_service()
    line.complain(problems, "length_km", on & ~(line.number("length_km") > 0), "greater than 0 km")
    x = line.number("x_ohm_per_km")
    # below 0 is a series capacitor, as public transmission cases have them
    line.complain(problems, "x_ohm_per_km", on & ~((x != 0) & np.isfinite(x)), "finite and not 0 ohm/km")
    line.complain(problems, "parallel", line.number("parallel", 1) < 1, "at least 1 circuit")
    line.complain(problems, "df", line.number("df", 1.0) < 0, "not negative")
    _check_rating(line, "max_i_ka", "kA", problems)
    _check_rating(line, "max_loading_percent", "%", problems)
    _check_rating(line, "emergency_rating_mva", "MVA", problems)


def _check_transformers(net: Any, problems: list[Problem]) -> None:
    trafo = NetTable(net, "trafo")
    on = trafo.in_service()
    for column, unit in (("sn_mva", "MVA"), ("vn_hv_kv", "kV"), ("vn_lv_kv", "kV")):
        trafo.complain(problems, column, on & ~(trafo.number(column) > 0), f"greater than 0 {unit}")
    vk, vkr = trafo.number("vk_percent"), trafo.number("vkr_percent", 0.0)
    trafo.complain(problems, "vk_percent", on & ~((vk != 0) & np.isfinite(vk)), "finite and not 0 %")
    bad = on & (vk != 0) & (np.abs(vkr) >= np.abs(vk))
    trafo.complain(problems, "vkr_percent", bad, "less than vk_percent (there is no reactance left)")
    trafo.complain(problems, "parallel", trafo.number("parallel", 1) < 1, "at least 1")
    trafo.complain(problems, "df", on & ~(trafo.number("df", 1.0) > 0), "greater than 0")
    _check_rating(trafo, "max_loading_percent", "%", problems)
    _check_rating(trafo, "emergency_rating_mva", "MVA", problems)
    trafo3w = NetTable(net, "trafo3w")
    for side in ("hv", "mv", "lv"):
        for column, unit in ((f"sn_{side}_mva", "MVA"), (f"vn_{side}_kv", "kV"), (f"vk_{side}_percent", "%")):
            bad = trafo3w.in_service() & ~(trafo3w.number(column) > 0)
            trafo3w.complain(problems, column, bad, f"greater than 0 {unit}")
    _check_rating(trafo3w, "max_loading_percent", "%", problems)


def _check_rating(table: NetTable, column: str, unit: str, problems: list[Problem]) -> None:
    values = table.number(column, np.inf)
    table.complain(problems, column, values < 0, f"greater than 0 {unit}, or absent for no limit")
    zero = table.in_service() & (values == 0)
    table.complain(problems, column, zero, f"greater than 0 {unit}, or absent for no limit, on an element in service")


def references(net: Any) -> list[tuple[str, int, int]]:
    """(element, index, bus id) of everything that may be an island's reference, in order of preference."""
    bus = NetTable(net, "bus")
    on = dict(zip(bus.index, bus.in_service(), strict=True))
    out = []
    for element in ("ext_grid", "gen"):
        table = NetTable(net, element)
        fits = table.in_service() & (table.flag("slack", False) if element == "gen" else True)
        bus_ids = table.number("bus", -1).astype(np.int64)
        for i in np.flatnonzero(fits):
            bus_id = int(bus_ids[i])
            if on.get(bus_id, False):
                out.append((element, table.index[i], bus_id))
    return out
