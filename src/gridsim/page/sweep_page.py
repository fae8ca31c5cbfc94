"""The page of a sweep: how cost, curtailment, CO2 and load not served spread over the runs, and what moves them."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gridsim import __version__
from gridsim.page.assemble import assemble, save
from gridsim.page.cards import Card
from gridsim.page.parts import Chart, Column, Option, Payload, Row, Section, Spec, Table, axis, figure, named
from gridsim.palette import HEAT_COLOURS, LINE_COLOURS, MUTED, FloatArray, energy_unit, scaled
from gridsim.sweep.folder import DONE, FAILED, MISSING, read_manifest
from gridsim.sweep.table import parameters_of, read_table

MOST_GROUPS = 8  # values of an axis that are told apart; more numbers than these are cut into thirds
MOST_PAIRS = 6  # of axes, in the chart of two axes
DUST_MWH = 1.0  # slacks of a run that are rounding
MESSAGE = 300  # characters of a failure in the table of runs


class Measure(NamedTuple):
    """A number of every run that is done."""

    key: str
    values: FloatArray
    unit: str

    def text(self, page: Payload) -> str:
        return page.say("axis.measure", measure=f"@measure.{self.key}", unit=self.unit)

    @property
    def varies(self) -> bool:
        return bool(np.ptp(self.values) > 1e-9 * max(float(np.abs(self.values).max()), 1e-12))


class Axis(NamedTuple):
    """What differs between runs, as groups of those that are done."""

    name: str
    values: list[Any]  # of every run
    labels: list[str]  # of the groups, in their order
    group: FloatArray  # number of each run's group

    @property
    def is_number(self) -> bool:
        return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in self.values)


def write_sweep(path: Path, output: Path, *, language: str = "en") -> Path:
    """Write the page of a sweep.

    Parameters
    ----------
    path : folder of ``gridsim sweep``, or the table in it
    output : the HTML file; replaced if it is there
    language : "en" or "zh": what is shown first

    Raises
    ------
    InputError, IntegrityError
        If there is no table, or it is not one of a sweep.
    ResourceError
        If the page cannot be written.
    """
    table, page = read_table(path), Payload()
    done = table[table["status"] == DONE].reset_index(drop=True)
    counts = {status: int((table["status"] == status).sum()) for status in (DONE, FAILED, MISSING)}
    measures, axes = _measures(done), _axes(done)
    sections = [
        Section("spread", _spread(done, measures, page)),
        Section("effects", _effects(done, measures, axes, page)),
        Section("runs", [], [_runs(table, page)]),
    ]
    below = page.say("sweep.below", count=f"{len(table):,}", version=__version__)
    time = {"start": f"{done['start'][0]}:00:00Z" if len(done) else "2000-01-01T00:00:00Z", "hours": 24}
    text = assemble(
        _title(path), below, _cards(table, counts, measures), sections, page, time, language, _note(done, counts, page),
        "overview",
    )  # fmt: skip
    return save(text, output)


def _title(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    if not (folder / "study.json").is_file():
        return folder.resolve().name
    study = read_manifest(folder)
    return str(study["title"] or study["name"])


def _note(done: pd.DataFrame, counts: dict[str, int], page: Payload) -> str:
    if counts[FAILED] or counts[MISSING]:
        return page.say("sweep.failed", failed=counts[FAILED], missing=counts[MISSING])
    return "@sweep.hours" if len(done) and done["hours"].nunique() > 1 else ""


def _measures(done: pd.DataFrame) -> list[Measure]:
    """What the pictures show. Without a run there is nothing to measure."""
    if not len(done):
        return []
    money = " / ".join(sorted(set(done["currency"])))
    cost, co2 = done["total_cost"].to_numpy(float), 1e6 * done["co2_mt"].to_numpy(float)
    of_cost, cost_unit = scaled(cost, ((1.0, money), (1e6, f"million {money}"), (1e9, f"bn {money}")))
    of_co2, co2_unit = scaled(co2, ((1.0, "t"), (1e3, "kt"), (1e6, "Mt")))
    found = [
        Measure("cost", cost / of_cost, cost_unit),
        Measure("curtailment_rate", 100.0 * done["curtailment_rate"].to_numpy(float), "%"),
        Measure("co2", co2 / of_co2, co2_unit),
    ]
    energies = {"unserved": "unserved_mwh", "curtailed": "curtailment_mwh", "reserve_short": "reserve_short_mwh"}
    for key, column in (energies | {"overload": "overload_mwh"}).items():
        values = done[column].to_numpy(float)
        values = np.where(values > DUST_MWH, values, 0.0)
        scale, unit = energy_unit(values)
        found.append(Measure(key, values / scale, unit))
    found.append(Measure("coal_load_rate", 100.0 * done["coal_load_rate"].to_numpy(float), "%"))
    found.append(Measure("gap", 100.0 * done["gap_mean"].to_numpy(float), "%"))
    return found


def _axes(done: pd.DataFrame) -> list[Axis]:
    """Parameters that take more than one value; the number of a draw is none."""
    out = []
    for column in parameters_of(done):
        values = [value.item() if isinstance(value, np.generic) else value for value in done[column]]
        distinct = list(dict.fromkeys(values))
        if len(distinct) < 2 or column == "draw":
            continue
        name = column.removeprefix("set.")
        numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
        if numbers:
            distinct = sorted(distinct)
        if numbers and len(distinct) > MOST_GROUPS:
            edges = np.quantile(values, (1 / 3, 2 / 3))
            group = np.searchsorted(edges, values).astype(float)
            labels = [f"< {edges[0]:.4g}", f"{edges[0]:.4g} to {edges[1]:.4g}", f"> {edges[1]:.4g}"]
        else:
            group = np.array([distinct.index(value) for value in values], dtype=float)
            labels = [f"{value:g}" if numbers else str(value) for value in distinct]
        out.append(Axis(name, values, labels, group))
    return out


def _cards(table: pd.DataFrame, counts: dict[str, int], measures: Sequence[Measure]) -> list[Card]:
    cards = [Card(f"runs_{status}", f"{counts[status]:,}") for status in (DONE, FAILED, MISSING)]
    for measure in measures:
        if measure.key in ("cost", "curtailment_rate", "co2", "unserved", "reserve_short", "overload"):
            low, high = float(measure.values.min()), float(measure.values.max())
            ends = [_three_digits(low), _three_digits(high)]
            text = ends[0] if ends[0] == ends[1] else f"{ends[0]} – {ends[1]}"
            cards.append(Card(measure.key, text, named("unit", measure.unit)))
    seconds = float(table["seconds"].fillna(0.0).sum())
    value, unit = (seconds / 3600.0, "h") if seconds >= 7200.0 else (seconds, "s")
    return [*cards, Card("run_seconds", _digits(value), unit)]


def _digits(value: float) -> str:
    size = abs(value)
    return "0" if size < 0.0005 else f"{value:,.{0 if size >= 1e4 else 1 if size >= 100 else 2 if size >= 1 else 3}f}"


def _three_digits(value: float) -> str:
    """Two numbers have to fit where one usually stands."""
    size = abs(value)
    return "0" if size < 0.0005 else f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2}f}"


# ---- how the results spread


def _spread(done: pd.DataFrame, measures: Sequence[Measure], page: Payload) -> list[Chart]:
    boxes, counts = [], []
    names = done["run"].astype(str).tolist()
    for measure in measures:
        if not measure.varies:
            continue
        values, text = [float(value) for value in measure.values], measure.text(page)
        points: Spec = {
            "type": "box", "x": values, "name": "", "text": names, "boxpoints": "all", "jitter": 0.6, "pointpos": 0,
            "marker": {"color": LINE_COLOURS[0], "size": 6, "opacity": 0.7}, "line": {"color": MUTED, "width": 1.2},
            "fillcolor": "rgba(0,0,0,0)", "hovertemplate": "%{text}: %{x:,.4g}<extra></extra>",
        }  # fmt: skip
        boxes.append(Option(figure([points], xaxis=axis(text), showlegend=False), label=f"@measure.{measure.key}"))
        bins: Spec = {"type": "histogram", "x": values, "marker": {"color": LINE_COLOURS[0]}}
        spec = figure([bins], xaxis=axis(text), yaxis=axis("@axis.runs"), showlegend=False, bargap=0.04)
        counts.append(Option(spec, label=f"@measure.{measure.key}"))
    charts = []
    if boxes:
        charts.append(Chart("distribution", boxes, height=320, wide=False))
        charts.append(Chart("histogram", counts, height=320, wide=False))
    return charts


# ---- what moves them


def _effects(done: pd.DataFrame, measures: Sequence[Measure], axes: Sequence[Axis], page: Payload) -> list[Chart]:
    varying = [measure for measure in measures if measure.varies]
    if not varying or not axes:
        return []
    charts = [
        Chart(
            "tornado", [_tornado(measure, axes, page) for measure in varying], height=140 + 44 * len(axes), wide=False
        ),
    ]
    pairs = [(x, y) for x, y in itertools.combinations(axes, 2) if _is_crossed(x, y)][:MOST_PAIRS]
    if pairs:
        options = [_grid(measure, *pair, page) for measure in varying for pair in pairs]
        charts.append(Chart("grid", options, height=max(140 + 44 * len(axes), 320), wide=False))
    charts.append(Chart("parallel", [Option(_parallel(varying, axes, page))], height=440))
    if len(varying) > 1:
        options = [_against(done, x, y, axes[0], page) for x, y in itertools.combinations(varying, 2)]
        charts.append(Chart("tradeoff", options, height=440))
    return charts


def _means(measure: Measure, one: Axis) -> FloatArray:
    """Mean of the runs of each group; none is empty."""
    group = one.group.astype(np.int64)
    sums = np.bincount(group, weights=measure.values, minlength=len(one.labels))
    return sums / np.maximum(np.bincount(group, minlength=len(one.labels)), 1)


def effects(measure: Measure, axes: Sequence[Axis]) -> list[tuple[Axis, FloatArray]]:
    """Axes with the means of their groups against the mean of all runs, the one that moves most last."""
    whole = float(measure.values.mean())
    found = [(one, _means(measure, one) - whole) for one in axes]
    return sorted(found, key=lambda pair: float(np.ptp(pair[1])))


def _tornado(measure: Measure, axes: Sequence[Axis], page: Payload) -> Option:
    ordered = effects(measure, axes)
    names = [one.name for one, _ in ordered]
    data: list[Spec] = []
    for which, pick, colour in (("low", np.argmin, LINE_COLOURS[0]), ("high", np.argmax, LINE_COLOURS[1])):
        at = [int(pick(change)) for _, change in ordered]
        data.append(
            {
                "type": "bar", "orientation": "h", "y": names, "name": f"@effect.{which}",
                "x": [float(change[k]) for k, (_, change) in zip(at, ordered, strict=True)],
                "text": [one.labels[k] for k, (one, _) in zip(at, ordered, strict=True)], "textposition": "auto",
                "marker": {"color": colour}, "hovertemplate": "%{y} = %{text}: %{x:+,.4g}<extra></extra>",
            }
        )  # fmt: skip
    title = page.say("axis.change", unit=measure.unit)
    return Option(figure(data, barmode="overlay", xaxis=axis(title)), label=f"@measure.{measure.key}")


def _is_crossed(x: Axis, y: Axis) -> bool:
    """Whether most combinations of two axes have a run."""
    seen = {(a, b) for a, b in zip(x.group, y.group, strict=True)}
    return 2 * len(seen) > len(x.labels) * len(y.labels)


def _grid(measure: Measure, x: Axis, y: Axis, page: Payload) -> Option:
    z = np.full((len(y.labels), len(x.labels)), np.nan)
    for row, column in itertools.product(range(len(y.labels)), range(len(x.labels))):
        ours = (x.group == column) & (y.group == row)
        if ours.any():
            z[row, column] = float(measure.values[ours].mean())
    shown = [[None if np.isnan(value) else float(value) for value in row] for row in z]
    colours = list(HEAT_COLOURS)
    title = page.say("axis.mean_of", measure=f"@measure.{measure.key}", unit=measure.unit)
    matrix: Spec = {
        "type": "heatmap", "x": x.labels, "y": y.labels, "z": shown,
        "text": [["" if value is None else _digits(value) for value in row] for row in shown],
        "texttemplate": "%{text}", "colorscale": [[k / (len(colours) - 1), c] for k, c in enumerate(colours)],
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 14},
        "hovertemplate": f"{x.name} = %{{x}}, {y.name} = %{{y}}: %{{z:,.4g}}<extra></extra>",
    }  # fmt: skip
    spec = figure([matrix], xaxis=axis(x.name, type="category"), yaxis=axis(y.name, type="category"))
    return Option(spec, label=page.say("heat.option", measure=f"@measure.{measure.key}", x=x.name, y=y.name))


def _parallel(measures: Sequence[Measure], axes: Sequence[Axis], page: Payload) -> Spec:
    dimensions: list[Spec] = []
    for one in axes:
        if one.is_number:
            dimensions.append({"label": one.name, "values": [float(value) for value in one.values]})
        else:
            ticks = list(range(len(one.labels)))
            dimensions.append(
                {"label": one.name, "values": one.group.tolist(), "tickvals": ticks, "ticktext": one.labels}
            )
    dimensions += [{"label": measure.text(page), "values": measure.values.tolist()} for measure in measures]
    first = measures[0]
    colours = list(HEAT_COLOURS[1:])
    scale = [[k / (len(colours) - 1), c] for k, c in enumerate(colours)]
    line = {"color": first.values.tolist(), "colorscale": scale, "showscale": True}
    line["colorbar"] = {"title": {"text": first.text(page), "side": "right"}, "thickness": 14}
    longest = max((len(label) for one in axes[:1] for label in one.labels if not one.is_number), default=0)
    return figure(
        [{"type": "parcoords", "line": line, "dimensions": dimensions}],
        margin={"l": 60 + 6 * longest, "r": 20, "t": 70, "b": 20},
    )


def _against(done: pd.DataFrame, x: Measure, y: Measure, by: Axis, page: Payload) -> Option:
    names = done["run"].astype(str).to_numpy()
    data: list[Spec] = []
    for k, label in enumerate(by.labels):
        ours = by.group == k
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": f"{by.name} = {label}", "x": x.values[ours].tolist(),
                "y": y.values[ours].tolist(), "text": names[ours].tolist(),
                "marker": {"size": 9, "opacity": 0.8, "color": LINE_COLOURS[k % len(LINE_COLOURS)]},
                "hovertemplate": "%{text}<br>%{x:,.4g}, %{y:,.4g}<extra></extra>",
            }
        )  # fmt: skip
    spec = figure(data, xaxis=axis(x.text(page)), yaxis=axis(y.text(page)))
    return Option(spec, label=page.say("axis.against", x=f"@measure.{x.key}", y=f"@measure.{y.key}"))


# ---- the runs one by one


def _runs(table: pd.DataFrame, page: Payload) -> Table:
    parameters = parameters_of(table)
    columns = {
        "total_cost": ("@measure.cost", 1e-6, "million"),
        "curtailment_rate": ("@measure.curtailment_rate", 100.0, "%"),
        "co2_mt": ("@measure.co2", 1e3, "kt"),
        "unserved_mwh": ("@measure.unserved", 1.0, "MWh"),
        "gap_mean": ("@measure.gap", 100.0, "%"),
    }
    numbers = [Column(page.say("axis.measure", measure=text, unit=unit)) for text, _, unit in columns.values()]
    rows = []
    order = {FAILED: 0, MISSING: 1, DONE: 2}
    for _, run in table.sort_values("status", key=lambda status: status.map(order), kind="stable").iterrows():
        state = f"@status.{run['status']}"
        if run["status"] == FAILED:
            message = str(run["message"])
            short = message if len(message) <= MESSAGE else message[: MESSAGE - 3] + "..."
            state = page.say("sweep.exit", code=int(run["exit_code"]), message=short)
        words = [[str(run["run"])], *([_said(run[name])] for name in parameters), [state]]
        values = [
            float(run[c]) * scale if c in table and pd.notna(run[c]) else np.nan for c, (_, scale, _) in columns.items()
        ]
        rows.append(Row(words, [*values, float(run["seconds"]) if pd.notna(run["seconds"]) else np.nan]))
    heads = ["@table.run", *(name.removeprefix("set.") for name in parameters), "@table.status"]
    return Table("run_table", heads, [*numbers, Column("@table.seconds")], rows)


def _said(value: Any) -> str:
    return (
        ""
        if value is None or (isinstance(value, float) and np.isnan(value))
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
