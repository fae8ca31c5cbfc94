"""A CGMES 2.4.15 model as a scenario folder, through pandapower's converter, with what real exports need mended.

* "No limit" is the largest number of the exporting tool (1.8e308, 3.4e38): here no number at all.
* A machine without reference priority is no slack. Where no element of the net is one, the largest gen in service
  becomes the reference of angles; the report says which.
* Base voltages of lines that cross borders stand in boundary files; without these the model is refused.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from gridsim.convert import Conversion
from gridsim.convert_pandapower import of_net, through
from gridsim.errors import InputError, Problem
from gridsim.export_files import need

ENDLESS = 1e30  # larger than any limit that somebody meant


def read_cgmes(source: Path) -> Conversion:
    """A CGMES model: one zip file, or a folder of zip or xml files.

    Raises
    ------
    InputError
        If there is no such model, pandapower cannot convert it, boundary files are missing, or a run would refuse it.
    """
    need("lxml", "cgmes", "convert cgmes")
    paths = sorted(p for p in source.iterdir() if p.suffix.lower() in (".zip", ".xml")) if source.is_dir() else [source]
    if not paths or not all(path.is_file() for path in paths):
        raise InputError(str(source), [Problem("the source", "must be a .zip file, or a folder of .zip or .xml files")])
    net = through(lambda: _net_of(paths), source, "CGMES 2.4.15")
    unknown = net.bus.index[net.bus["vn_kv"].isna()]
    if len(unknown):
        some = ", ".join(str(net.bus.at[i, "name"]) for i in unknown[:3])
        rule = "must come with its boundary files (EQ_BD, TP_BD) in the folder or zip"
        many = f"{len(unknown)} of {len(net.bus)} buses have no base voltage without them ({some} ...)"
        raise InputError(str(source), [Problem("the source", f"{rule}: {many}")])
    _unlimited(net)
    chosen = _reference(net)
    out = of_net(net, source.stem)
    if chosen:
        out.say("reference of angles", 1, "approximated", f"the model has none: gen {chosen}, the largest, is it")
    return out


def _net_of(paths: list[Path]) -> Any:
    from pandapower.converter.cim.cim2pp.from_cim import from_cim

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about the converter's own code
        return from_cim(file_list=[str(path) for path in paths])


def _unlimited(net: Any) -> None:
    for element in ("gen", "sgen", "ext_grid", "load", "line", "trafo", "trafo3w", "storage"):
        table = net[element]
        for column in table.select_dtypes("number"):
            beyond = table[column].abs() > ENDLESS
            if beyond.any():
                table[column] = table[column].where(~beyond, np.nan)


def _reference(net: Any) -> str:
    """Make the largest gen in service the slack where nothing is one; its name, or "" if nothing had to be chosen."""
    on = net.gen["in_service"].astype(bool)
    if net.ext_grid["in_service"].astype(bool).any() or (on & net.gen["slack"].astype(bool)).any() or not on.any():
        return ""
    largest = net.gen.loc[on, "max_p_mw"].fillna(net.gen["p_mw"]).idxmax()
    net.gen.loc[largest, "slack"] = True
    return str(net.gen.at[largest, "name"])
