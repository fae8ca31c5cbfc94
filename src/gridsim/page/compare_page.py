"""The page of differences: what changes from the first run to others, in sums and hour by hour."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gridsim.compare import Comparison, compare, said
from gridsim.compare import Row as Compared
from gridsim.page.assemble import assemble, save
from gridsim.page.cards import Card
from gridsim.page.data import Hours
from gridsim.page.parts import (
    DAY,
    DIVERGING,
    HOUR,
    HOURS_AXIS,
    MISSING,
    Chart,
    Column,
    Option,
    Payload,
    Row,
    Section,
    Spec,
    Table,
    area,
    axis,
    figure,
    heat,
    named,
)
from gridsim.page.words import WORDS
from gridsim.palette import LINE_COLOURS, MUTED, SUPPLIER_COLOURS, TECH_COLOURS, FloatArray, colour_of, power_unit
from gridsim.results import ResultsReader

KINDS = {  # chart of each section
    "energy": "by_energy",
    "curtailment by cause": "by_cause",
    "regulation up": "by_up",
    "regulation down": "by_down",
    "cost": "by_cost",
    "price": "by_price",
}
CARDS = {  # section and row of the comparison
    "cost": ("cost", "total"),
    "co2": ("carbon", "CO2"),
    "curtailed": ("curtailment", "all"),
    "peak_valley_after": ("peak and valley", "mean of days, after regulation"),
    "coal_load_rate": ("operation", "load rate of coal"),
    "unserved": ("security of supply", "unserved"),
    "reserve_short": ("security of supply", "reserve short"),
    "overload": ("security of supply", "overloads"),
}
SUMS = ("total", "proven bound of the windows")  # not beside their parts
MOST_BARS = 14
FORMS = [key[len("row.") :] for key in WORDS if key.startswith("row.") and "{name}" in key]


def write_comparison(paths: Sequence[Path], output: Path, *, language: str = "en") -> Path:
    """Write the page of what changes from the first results file to the others; raises as `gridsim.compare.compare`."""
    found = compare(paths)
    payload = Payload()
    first, *others = [run.name for run in found.runs]
    sections = [Section("by_kind", _bars(found, payload)), Section("by_hour", _hourly(found, paths, payload))]
    sections.append(Section("numbers", [], [_numbers(found, payload)]))
    below = payload.say("compared", first=first, others=", ".join(others))
    start, hours = found.runs[0].summary["start"], found.runs[0].summary["hours"]
    time = {"start": f"{start}:00:00Z", "hours": hours}
    note = "@compared.times" if found.notes else "" if _has_hours(found) else "@compared.sums"
    text = assemble(
        "@compared.title", below, _cards(found, payload), sections, payload, time, language, note, "changes"
    )
    return save(text, output)


def _has_hours(found: Comparison) -> bool:
    return all(run.keep != "summary" for run in found.runs)


def _cards(found: Comparison, page: Payload) -> list[Card]:
    """Changes of all other runs side by side."""
    cards = []
    for key, (section, name) in CARDS.items():
        row = next(row for row in found.rows if (row.section, row.name) == (section, name))
        changes = " · ".join(said(change, "+") for change in row.changes)
        cards.append(Card(key, changes, _unit(row.unit, page)))
    return cards


def _text(row: Compared, page: Payload) -> str:
    """The name of a row in both languages, as far as the table of texts has it."""
    if f"row.{row.name}" in WORDS:
        return f"@row.{row.name}"
    for form in FORMS:
        match = re.fullmatch(re.escape(form).replace(r"\{name\}", "(.*)"), row.name)
        if match:
            return page.say(f"row.{form}", name=_name(match[1]))
    return _name(row.name)


def _name(name: str) -> str:
    for kind in ("tech", "supplier", "cause", "zone"):
        for key in (name, name.replace(" ", "_")):
            if f"{kind}.{key}" in WORDS:
                return f"@{kind}.{key}"
    return name


def _unit(unit: str, page: Payload) -> str:
    if f"unit.{unit}" in WORDS:
        return f"@unit.{unit}"
    return page.say("unit.million", money=unit.split()[1]) if unit.startswith("million ") else unit


def _bars(found: Comparison, page: Payload) -> list[Chart]:
    """A chart a section: the rows that change most."""
    charts = []
    for section, key in KINDS.items():
        rows = [row for row in found.of(section) if row.name not in SUMS]
        size = {row.name: max(map(abs, row.changes)) for row in rows}
        most = sorted(rows, key=lambda row: -size[row.name])[:MOST_BARS]
        shown = [row for row in rows if row in most and size[row.name] > 1e-3 * max(size.values())][::-1]
        if shown:
            charts.append(Chart(key, [Option(_changes(found, shown, page))], wide=False, height=160 + 26 * len(shown)))
    return charts


def _changes(found: Comparison, rows: list[Compared], page: Payload) -> Spec:
    others = [run.name for run in found.runs[1:]]
    texts = [_text(row, page) for row in rows]
    known = SUPPLIER_COLOURS | TECH_COLOURS
    data: list[Spec] = []
    for k, name in enumerate(others):
        own = [known.get(row.name.replace(" ", "_"), MUTED) for row in rows]
        data.append(
            {
                "type": "bar", "orientation": "h", "y": texts, "x": [round(row.changes[k], 6) for row in rows],
                "name": name, "marker": {"color": own if len(others) == 1 else LINE_COLOURS[k % len(LINE_COLOURS)]},
                "text": [said(row.changes[k], "+") for row in rows], "textposition": "auto", "cliponaxis": False,
                "hovertemplate": "%{y}: %{text}",
            }
        )  # fmt: skip
    title = page.say("axis.change", unit=_unit(rows[0].unit, page))
    return figure(data, barmode="group", xaxis=axis(title), showlegend=len(others) > 1)


def _hourly(found: Comparison, paths: Sequence[Path], page: Payload) -> list[Chart]:
    """Charts by the hour, where all runs are of the same hours and have them."""
    if found.notes or not _has_hours(found):
        return []
    dispatch: list[Option] = []
    prices: list[tuple[str, FloatArray]] = []
    curtailed: list[tuple[str, FloatArray]] = []
    with ResultsReader(paths[0]) as run, run.keeping():
        base = Hours(run)
        net, price, cut = _net(base), base.mean(base.year.price), base.curtailed
        scale, unit = power_unit(base.load)
        for k, path in enumerate(paths[1:]):
            with ResultsReader(path) as run, run.keeping():
                other, name = Hours(run), found.runs[k + 1].name
                dispatch.append(_difference(base, net, _net(other), scale, unit, f"{k}", name, page))
                prices.append((name, other.mean(other.year.price) - price))
                curtailed.append((name, (other.curtailed - cut) / scale))
        charts = []
        if any(option.whole["data"] for option in dispatch):
            charts.append(Chart("dispatch_change", dispatch, height=460))
        for key, parts, title in (
            ("price_change", prices, f"{base.run.currency}/MWh"),
            ("curtailed_change", curtailed, unit),
        ):
            if any(np.abs(values).max() > 1e-6 for _, values in parts):
                charts.append(_matrix(key, parts, title, page))
    return charts


def _net(run: Hours) -> dict[str, FloatArray]:
    """Power fed by each technology, less what it takes; and the load."""
    nothing = np.zeros(run.number)
    techs = dict.fromkeys([*run.feeding, *run.taking])
    return {t: run.feeding.get(t, nothing) - run.taking.get(t, nothing) for t in techs}


def _difference(
    run: Hours, before: dict[str, FloatArray], after: dict[str, FloatArray], scale: float, unit: str, k: str,
    label: str, page: Payload,
) -> Option:  # fmt: skip
    whole: list[Spec] = []
    hours: list[Spec] = []
    nothing = np.zeros(run.number)
    techs = [t for t in run.year.techs if t in before or t in after] + [t for t in after if t not in run.year.techs]
    for tech in techs:
        change = (after.get(tech, nothing) - before.get(tech, nothing)) / scale
        if np.abs(change).max() < 1e-6:
            continue
        daily = run.daily(change)
        for way, hourly_part, daily_part in (
            ("up", np.maximum(change, 0.0), np.maximum(daily, 0.0)),
            ("down", np.minimum(change, 0.0), np.minimum(daily, 0.0)),
        ):
            colour, text = colour_of(tech, techs), named("tech", tech)
            more: Spec = {"group": way, "unit": unit, "legendgroup": tech, "showlegend": way == "up"}
            name = f"change.{k}.{tech}.{way}"
            whole.append(area(text, DAY, page.put(f"{name}.daily", daily_part), colour, **more))
            hours.append(area(text, HOUR, page.put(name, hourly_part), colour, **more))
    title = page.say("axis.change_of", unit=unit)
    layout = {"yaxis": axis(title), "hovermode": "x unified", "legend": {"traceorder": "reversed"}}
    return Option(figure(whole, **layout), figure(hours, **layout), label=label)


def _matrix(key: str, parts: list[tuple[str, FloatArray]], unit: str, page: Payload) -> Chart:
    """Hours by days, one scale for all runs."""
    every = np.abs(np.concatenate([values for _, values in parts]))
    top = float(np.quantile(every, 0.98)) or float(every.max())
    options = []
    for k, (name, values) in enumerate(parts):
        z = page.put(f"{key}.{k}", values)
        matrix = heat(z, top, page.say("axis.change", unit=unit), DIVERGING, unit, low=-top)
        options.append(Option(figure([matrix], yaxis=HOURS_AXIS, plot_bgcolor=MISSING), label=name))
    return Chart(key, options, height=360)


def _numbers(found: Comparison, page: Payload) -> Table:
    columns = [Column(found.runs[0].name)]
    for run in found.runs[1:]:
        columns += [Column(run.name), Column(page.say("table.change", run=run.name), signed=True)]
    rows = []
    for row in sorted(found.rows, key=lambda row: not row.changed):
        first, *others = row.values
        pairs = [v for pair in zip(others, row.changes, strict=True) for v in pair]
        words = [[named("compare", row.section)], [_text(row, page)], [_unit(row.unit, page)]]
        rows.append(Row(words, [first, *pairs]))
    return Table("numbers", ["@table.section", "@table.quantity", "@table.unit"], columns, rows)
