"""Interfaces (sections): weighted sums of branch and DC link flows with a limit each way.

``net["interface"]``: name, limit_mw, reverse_limit_mw (empty: as limit_mw). ``net["interface_member"]``: interface
(name), element (line, trafo, impedance, switch or dcline), element_index, weight (empty: 1; -1 where the element counts
from its to side to its from side). A DC link counts with what it takes, a way back with the other sign.
"""

from typing import Any

import numpy as np
import pandas as pd

from gridsim.case import INTERFACE_COLUMNS, ElementNote
from gridsim.errors import Problem
from gridsim.kernels.jit import FloatArray
from gridsim.nettable import NetTable, say

_MEMBERS = ("line", "trafo", "impedance", "switch", "dcline")


def read_interfaces(
    net: Any, branches: pd.DataFrame, links: pd.DataFrame, overload_cost: float
) -> tuple[pd.DataFrame, FloatArray, list[ElementNote], list[Problem]]:
    """Table (INTERFACE_COLUMNS, overload_cost), weights (nif, nbr + nlink), notes, problems."""
    problems: list[Problem] = []
    table, member = NetTable(net, "interface"), NetTable(net, "interface_member")
    for given, columns in ((table, ("name", "limit_mw")), (member, ("interface", "element", "element_index"))):
        problems += [
            Problem(f"{given.element}.{c}", "must be a column of the table")
            for c in columns
            if given.n and not given.has(c)
        ]
    limit = table.number("limit_mw")
    reverse = table.number("reverse_limit_mw", limit)
    table.complain(problems, "name", np.array([not n for n in table.given_names], dtype=bool), "not empty")
    table.complain(problems, "limit_mw", ~(limit > 0), "greater than 0 MW", list(limit))
    table.complain(problems, "reverse_limit_mw", ~(reverse > 0), "greater than 0 MW, or empty", list(reverse))
    twice = {name for name in table.given_names if table.given_names.count(name) > 1}
    problems += [Problem("interface.name", f"must be unique: '{name}' is not") for name in sorted(twice)]

    row_of_name = {name: k for k, name in enumerate(table.given_names)}
    columns_of: dict[tuple[str, int], list[tuple[int, float]]] = {}  # and the way in which each counts
    members = pd.concat(
        [branches[["element", "element_index"]].assign(way=1), links[["element", "element_index", "way"]]]
    )
    for k, row in enumerate(members.itertuples()):
        columns_of.setdefault((row.element, int(row.element_index)), []).append((k, float(row.way)))
    weight = np.zeros((table.n, len(branches) + len(links)))
    weights, elements = member.number("weight", 1.0), member.text("element")
    member.complain(problems, "weight", ~np.isfinite(weights), "finite")
    missing: dict[str, list[str]] = {}
    for i, (name, index) in enumerate(zip(member.text("interface"), member.number("element_index", -1), strict=True)):
        what = f"{elements[i]} {int(index)}"
        if name not in row_of_name:
            allowed = ", ".join(row_of_name) or "there are none"
            problems.append(
                Problem("interface_member.interface", f"must be an interface ({allowed}): row {i} has {say(name)}")
            )
        elif elements[i] not in _MEMBERS:
            problems.append(
                Problem(
                    "interface_member.element", f"must be one of {', '.join(_MEMBERS)}: row {i} has {say(elements[i])}"
                )
            )
        elif (elements[i], int(index)) in columns_of:
            for column, way in columns_of[elements[i], int(index)]:
                weight[row_of_name[name], column] += way * weights[i]
        elif int(index) in NetTable(net, elements[i]).index:
            missing.setdefault(name, []).append(what)  # out of service: it carries nothing
        else:
            problems.append(
                Problem("interface_member.element_index", f"must be a row of the network: {name} has {what}")
            )
    notes = []
    for i, name in enumerate(table.given_names):
        count = int(np.count_nonzero(weight[i]))
        why = f"limited sum of {count} flows"
        if name in missing:
            why += f"; carrying nothing: {', '.join(missing[name])}"
        if not count:
            problems.append(
                Problem("interface_member", f"must give every interface a branch in service: {say(name)} has none")
            )
        notes.append(table.note(i, "used", why))
    frame = pd.DataFrame(
        {"name": table.given_names, "limit_mw": limit, "reverse_limit_mw": reverse, "overload_cost": overload_cost},
        columns=[*INTERFACE_COLUMNS, "overload_cost"],
    )
    return frame, weight, notes, problems
