"""The page of a run: one HTML file with everything in it, which opens from disk and needs no network."""

from pathlib import Path

from gridsim import __version__
from gridsim.page import (
    ac,
    carbon,
    certificate,
    curtailment,
    dispatch,
    incidents,
    interfaces,
    network,
    prices,
    realtime,
    regulation,
    storage,
    worst,
)
from gridsim.page.assemble import assemble, save
from gridsim.page.cards import cards
from gridsim.page.data import Hours
from gridsim.page.parts import Payload, Section, named
from gridsim.results import ResultsReader

GROUPS = {
    "dispatch": dispatch.charts,
    "map": network.charts,
    "curtailment": curtailment.charts,
    "regulation": regulation.charts,
    "storage": storage.charts,
    "prices": prices.charts,
    "interfaces": interfaces.charts,
    "carbon": carbon.charts,
    "certificate": certificate.charts,
}


def write_page(path: Path, output: Path, *, language: str = "en") -> Path:
    """Write the page of a run.

    Parameters
    ----------
    path : Path
        Results file of ``gridsim run``.
    output : Path
        The HTML file; replaced if it is there.
    language : str
        "en" or "zh": what is shown first. The page has both.

    Raises
    ------
    InputError, IntegrityError
        If there is no such file, or it is not a complete run.
    ResourceError
        If the page cannot be written.
    """
    with ResultsReader(path) as run, run.keeping():
        text = page_of(run, language)
    return save(text, output)


def page_of(run: ResultsReader, language: str) -> str:
    hours, payload = Hours(run), Payload()
    sections = [Section(key, make(hours, payload)) for key, make in GROUPS.items()]
    for section in (realtime.section, incidents.section, ac.section):
        sections.insert(-1, section(hours, payload))  # the certificate stays behind what it certifies
    sections.append(Section("worst", [], [worst.table(hours, payload)]))
    below = payload.say(
        "made_by", hours=f"{run.hours:,}", start=str(run.start).replace("T", " ") + ":00", version=__version__
    )
    title = named("title", str(run.meta.get("scenario_title") or hours.year.name))
    time = {"start": str(run.start) + ":00:00Z", "hours": run.hours}
    return assemble(title, below, cards(run.summary), sections, payload, time, language)
