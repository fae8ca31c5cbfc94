"""Pictures of a run: what `gridsim report --png` or `--svg` draws into a folder. The page is made by `gridsim.page`.

=========================== ==========================================================================================
file                        shows
=========================== ==========================================================================================
week_spring             dispatch by technology in the spring week with the most curtailment
week_peak               the same in the week of the highest load
energy                  energy by technology and month
durations               duration curves of load, net load, wind, PV and price
curtailment             curtailment by day, hour and cause
peak_shaving            regulation by supplier on the day of the highest load and of the deepest valley
interface_<name>        flow over each interface against its limit
map                     mean loading of the network
gaps                    gap of every window to its proven bound
=========================== ==========================================================================================

A picture that has nothing to show is left out, and the log (logger ``gridsim.report``, level INFO) and
`Pictures.skipped` say why.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from gridsim import plots_heat, plots_map, plots_peak, plots_time
from gridsim.errors import ResourceError
from gridsim.plots_data import NotInThisRunError, Year
from gridsim.plots_style import STYLE, save
from gridsim.results import ResultsReader

log = logging.getLogger(__name__)

MOST_INTERFACES = 12

Draw = Callable[[Year], Figure]


@dataclass
class Pictures:
    """What was drawn, and why the rest was not."""

    made: list[Path] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # name: reason


def report(path: Path, folder: Path, *, formats: Sequence[str] = ("png",), dpi: int = 130) -> list[Path]:
    """Draw the pictures of a run.

    Parameters
    ----------
    path : Path
        Results file of ``gridsim run``.
    folder : Path
        Where the files go; made if missing, files of the same name are replaced.
    formats : sequence of str
        "png", "svg" or both.
    dpi : int
        Dots per inch; pictures are 8 to 11 inches wide.

    Returns
    -------
    list of Path
        The files, in the order of this module's table.

    Raises
    ------
    InputError, IntegrityError
        If there is no such file, or it is not a complete run.
    ResourceError
        If the folder cannot be written.
    """
    return draw_pictures(path, folder, formats=formats, dpi=dpi).made


def draw_pictures(path: Path, folder: Path, *, formats: Sequence[str] = ("png",), dpi: int = 130) -> Pictures:
    """As `report`, with the pictures that were left out and why."""
    pictures = Pictures()
    with ResultsReader(path) as run, matplotlib.rc_context(look()):
        make_folder(folder)
        year = Year(run)
        for name, draw in gallery(year):
            try:
                figure = draw(year)
            except NotInThisRunError as reason:
                pictures.skipped[name] = str(reason)
                log.info("%s left out: %s", name, reason)
                continue
            for ending in formats:
                file = folder / f"{name}.{ending}"
                try:
                    pictures.made.append(save(figure, file, dpi))
                except OSError as error:
                    raise ResourceError(f"{file}: cannot be written ({error.strerror or error})") from error
    return pictures


def look() -> Any:
    """matplotlib's own defaults and our style, whatever a user's matplotlibrc says."""
    backend = ("backend", "backend_fallback")  # of pyplot, which is not used here
    return {**{k: v for k, v in matplotlib.rcParamsDefault.items() if k not in backend}, **STYLE}


def gallery(year: Year) -> Iterator[tuple[str, Draw]]:
    """Name and drawing function of every picture."""
    yield "week_spring", plots_time.spring_week
    yield "week_peak", plots_time.peak_week
    yield "energy", plots_time.energy
    yield "durations", plots_time.durations
    yield "curtailment", plots_heat.curtailment
    yield "peak_shaving", plots_peak.peak_shaving
    names = plots_heat.interface_names(year)
    if not names:
        yield "interface", no_interface
    for row, name in enumerate(names[:MOST_INTERFACES]):
        yield f"interface_{plots_heat.slug(name)}", partial(plots_heat.interface, row=row)
    yield "map", plots_map.network_map
    yield "gaps", plots_time.gaps


def no_interface(_: Year) -> Figure:
    raise NotInThisRunError("the run has no interface")


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be made ({error.strerror or error})") from error
