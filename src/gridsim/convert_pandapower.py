"""Any pandapower net (``.json``, ``.xlsx``, ``.sqlite``) as a scenario folder: a copy, and what a run makes of it.

A net seldom has hourly series. Where no load names one, all loads follow a made-up daily curve, `DAY`, so that there
is something to run; the folder and the command line say so in words that nobody can overlook. Where elements do name
series, their file has to come along (``--series``), unless the net has a table of sites to make them from.

UCTE and CGMES models (`gridsim.convert_cgmes`) come the same way, after pandapower's own converters.
"""

import logging
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gridsim.convert import NET, Conversion, text_of, write_series
from gridsim.convert_matpower import DAY
from gridsim.errors import InputError, Problem
from gridsim.inputs import profile_names, read_net
from gridsim.scenario import PROFILE_SUFFIXES

YEAR, YEAR_HOURS, HOURS = 2024, 8784, 168
MADE_UP = (
    "MADE UP: no load of this net has an hourly series, so every load follows the same invented working day,\n"
    "with its p_mw as the peak. The run shows that the net works; it says nothing about your grid.\n"
    "Give loads a column `profile` in the net and put their series into series.csv."
)
_SHOWN = 3


def read_pandapower(source: Path, *, series: Path | None = None) -> Conversion:
    """The net in the file `source`, with the file of hourly series that its elements name.

    Raises
    ------
    InputError
        With every problem of the net, and if series are named that nobody gives.
    """
    return of_net(read_net(source), source.stem, series)


def read_ucte(source: Path) -> Conversion:
    """A UCTE file (.uct), through pandapower's converter."""
    if not source.is_file():
        raise InputError(str(source), [Problem("the file", "is missing: a UCTE case is one .uct file")])
    return of_net(through(lambda: _ucte_net(source), source, "UCTE"), source.stem)


def _ucte_net(source: Path) -> Any:
    """The net with the limits of its generators, which pandapower's converter leaves behind."""
    from pandapower.converter.ucte.from_ucte import from_ucte_dict
    from pandapower.converter.ucte.ucte_parser import UCTEParser

    parser = UCTEParser(str(source))
    parser.parse_file()
    nodes = parser.get_data()["N"].set_index("node")[["min_p_gen", "max_p_gen"]].copy()
    net = from_ucte_dict(parser, clip_small_x_values=False)
    for table in (net.gen, net.sgen):
        p_mw = table["p_mw"].to_numpy(dtype=float)
        for column, of_node, pick in (("min_p_mw", "min_p_gen", np.fmin), ("max_p_mw", "max_p_gen", np.fmax)):
            given = -nodes[of_node].reindex(table["name"]).to_numpy(dtype=float)  # generation is negative there
            table[column] = pick(p_mw, given)
    return net


def through(convert: Callable[[], Any], source: Path, form: str) -> Any:
    """What a converter of pandapower makes of a file; whatever it raises is about the input."""
    logging.getLogger("pandapower").setLevel(logging.ERROR)
    try:
        net = convert()
    except Exception as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        rule = f"must be {form} that pandapower can convert: {type(error).__name__}: {text}"
        raise InputError(str(source), [Problem("the source", rule)]) from error
    if not len(net.bus):
        raise InputError(str(source), [Problem("the source", f"must be {form} with at least one bus")])
    return net


def of_net(net: Any, title: str, series: Path | None = None) -> Conversion:
    """A net as a conversion whose report is what a run makes of each of its tables."""
    out = Conversion(title, net, YEAR, {"hours": HOURS, "window_h": 48, "step_h": 24})
    named = profile_names(net)
    if series is not None:
        _take(series, out)
    elif named and not _can_be_made(net):
        some = ", ".join(f"'{name}'" for name in named[:_SHOWN]) + (" ..." if len(named) > _SHOWN else "")
        raise InputError(title, [Problem("--series", f"must give a file with the series that the net names: {some}")])
    elif not named and len(net.load):
        net.load["profile"] = "day"
        out.series["day"], out.units["day"] = np.resize(DAY, YEAR_HOURS), "1"
        out.warning = MADE_UP
        out.say("loads without a series", len(net.load), "approximated", "p_mw is the peak of a made-up daily curve")
    _judge(out)
    return out


def _can_be_made(net: Any) -> bool:
    sites = net.get("profile_site")
    return isinstance(sites, pd.DataFrame) and len(sites) > 0


def _take(series: Path, out: Conversion) -> None:
    """A user's file: it says the year and the hours."""
    from gridsim.profiles.readers import read_series

    if series.suffix.lower() not in PROFILE_SUFFIXES:
        rule = f"must be a {', '.join(PROFILE_SUFFIXES)} file: got {series.name}; gridsim profiles import makes one"
        raise InputError(str(series), [Problem("--series", rule)])
    found = read_series(series, solar_longitude_deg=None)
    first = found.start.astype("datetime64[s]").item()
    out.series_file, out.year = series, first.year
    out.horizon["hours"] = min(HOURS, found.hours)
    if (first.month, first.day, first.hour) != (1, 1, 0):
        out.horizon = {"start": first} | out.horizon
    out.say("hourly series", len(found.names), "used", f"{found.hours} hours from {found.start}")


def _judge(out: Conversion) -> None:
    """Assemble the case as a run would, and report what became of each table. Raises what a run would refuse."""
    import pandapower as pp

    from gridsim.assemble import assemble
    from gridsim.scenario import load

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / out.title
        folder.mkdir()
        pp.to_json(out.net, str(folder / NET))
        write_series(out, folder)
        (folder / "scenario.toml").write_text(text_of(out, "pandapower", Path(out.title)), encoding="utf-8")
        notes = assemble(load(folder)).notes
    whys: dict[tuple[str, str], Counter[str]] = {}
    for note in notes:
        whys.setdefault((note.element, note.fate), Counter())[note.why] += 1
    for (element, fate), found in whys.items():
        shown = "; ".join(f"{n} x {why or 'as it is'}" for why, n in found.most_common(_SHOWN))
        more = f"; {len(found) - _SHOWN} more kinds, see gridsim validate -v" if len(found) > _SHOWN else ""
        out.say(element, sum(found.values()), "ignored" if fate == "ignored" else "used", shown + more)
