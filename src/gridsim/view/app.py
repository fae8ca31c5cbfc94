"""The explorer: pick a variable, elements and hours; see them, and take them home as CSV.

A Dash app. It reads the file through `gridsim.opened.Results` and writes nothing. Its CSV is that of
``gridsim export --to csv`` for the same selection.
"""

import threading
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html, no_update

from gridsim.errors import InputError
from gridsim.export import as_csv, as_table
from gridsim.opened import Results, Selection
from gridsim.palette import LINE_COLOURS, SUPPLIER_COLOURS, TECH_COLOURS

FIRST = "dispatch/tech_p_mw"  # what is shown at the start
LONG, OPENED = pd.Timedelta(days=31), pd.Timedelta(days=7)  # a run longer than that opens on its first week
MOST_LINES = 16  # drawn; the CSV has all
DASHES = ("solid", "dash")
FONT = '"Segoe UI", "Helvetica Neue", Arial, "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif'
PAGE = {"fontFamily": FONT, "color": "#1a1a1a", "margin": "0 auto", "maxWidth": "1500px", "padding": "0.6rem 1.4rem"}
ROW = {"display": "flex", "flexWrap": "wrap", "gap": "0.7rem", "margin": "0.6rem 0", "alignItems": "flex-end"}
CELL = {"textAlign": "right", "padding": "0.15rem 0.9rem", "fontVariantNumeric": "tabular-nums"}


def make_app(run: Results) -> Dash:
    """The app of an opened file; it keeps reading from it."""
    title = f"{run.reader.path.name} - gridsim"
    app = Dash("gridsim view", title=title, update_title="", include_assets_files=False)  # nor what lies in the folder
    app.layout = _layout(run)
    lock = threading.Lock()  # requests come side by side, the file is read by one of them

    @app.callback(
        *[Output(f"{kind}", part) for kind in ("zones", "techs", "elements") for part in ("options", "value")],
        Input("variable", "value"),
    )
    def offer(variable: str) -> tuple[Any, ...]:
        """What may be picked of a variable; nothing picked is everything."""
        with lock:
            choices = offered(run, variable)
        return tuple(part for kind in ("zones", "techs", "elements") for part in (choices[kind], []))

    picked = [Input(name, "value") for name in ("variable", "elements", "zones", "techs", "start", "end")]

    @app.callback(Output("chart", "figure"), Output("table", "children"), Output("said", "children"), *picked)
    def show(variable: str, *choice: Any) -> tuple[Any, Any, str]:
        try:
            with lock:
                frame = as_table(run, variable, selection_of(*choice))
        except InputError as error:
            return no_update, no_update, "; ".join(map(str, error.problems))
        units = str(run.variables.loc[variable, "units"])
        return figure_of(frame, units), _numbers(frame), said_of(run, variable, frame)

    @app.callback(
        Output("download", "data"),
        Input("csv", "n_clicks"),
        *[State(p.component_id, "value") for p in picked],
        prevent_initial_call=True,
    )
    def download(_: int, variable: str, *choice: Any) -> Any:
        try:
            with lock:
                text = as_csv(run, variable, selection_of(*choice))
        except InputError:
            return no_update  # `show` says why
        return {"content": text, "filename": f"{run.reader.path.stem}.{variable.replace('/', '.')}.csv"}

    return app


def selection_of(elements: Any, zones: Any, techs: Any, start: str | None, end: str | None) -> Selection:
    return Selection(
        elements=tuple(elements or ()),
        zones=tuple(zones or ()),
        techs=tuple(techs or ()),
        start=(start or "").strip() or None,
        end=(end or "").strip() or None,
    )


def offered(run: Results, variable: str) -> dict[str, list[str]]:
    """Cities, technologies and names along the dimensions of a variable, in the order of the file."""
    array = run[variable]
    found: dict[str, list[str]] = {"zones": [], "techs": [], "elements": []}
    for kind, coordinate in (("zones", "zone"), ("techs", "tech")):
        if coordinate in array.coords and coordinate not in array.dims:
            found[kind] = sorted({str(v) for v in array[coordinate].to_numpy()})
    for dim in array.dims:
        if dim in array.coords and array[dim].dtype.kind in "OUT":
            found["elements"] += [str(v) for v in array[dim].to_numpy()]
    return found | {"elements": list(dict.fromkeys(found["elements"]))}


def figure_of(frame: pd.DataFrame, units: str) -> go.Figure:
    """Lines along time, days or windows; bars where there is one number an element."""
    figure = go.Figure()
    over_time = isinstance(frame.index, pd.DatetimeIndex)
    for k, name in enumerate(_largest(frame)):
        colour = _KNOWN.get(name, LINE_COLOURS[k % len(LINE_COLOURS)])
        if frame.index.dtype.kind in "OUT":
            figure.add_bar(x=frame.index, y=frame[name], name=name, marker_color=colour)
        else:
            dash = "solid" if name in _KNOWN else DASHES[k // len(LINE_COLOURS) % 2]
            shape = {"color": colour, "width": 1.5, "shape": "hv", "dash": dash}
            figure.add_scatter(x=frame.index, y=frame[name].to_numpy(), name=name, mode="lines", line=shape)
    figure.update_layout(
        template="none", height=520, margin={"l": 70, "r": 20, "t": 20, "b": 40}, hovermode="x unified",
        font={"family": FONT, "size": 13, "color": "#1a1a1a"}, showlegend=True,
        yaxis={"title": {"text": units}, "gridcolor": "#e3e6ea"},
        xaxis={"title": {"text": "" if over_time else str(frame.index.name or "")}, "gridcolor": "#e3e6ea"},
    )  # fmt: skip
    return figure


_KNOWN = SUPPLIER_COLOURS | TECH_COLOURS


def _largest(frame: pd.DataFrame) -> list[str]:
    """Columns that are drawn, in their order."""
    size = frame.abs().mean().to_numpy()
    kept = sorted(sorted(range(len(size)), key=lambda k: -size[k])[:MOST_LINES])
    return [str(frame.columns[k]) for k in kept]


def said_of(run: Results, variable: str, frame: pd.DataFrame) -> str:
    meaning = run.variables.loc[variable]
    sign = f"; {meaning['sign']}" if meaning["sign"] else ""
    shape = f"{len(frame):,} x {len(frame.columns):,} values"
    drawn = f"; the {MOST_LINES} largest are drawn, the CSV has all" if len(frame.columns) > MOST_LINES else ""
    return f"{meaning['long_name']} [{meaning['units']}]{sign}. {shape}{drawn}"


def _numbers(frame: pd.DataFrame) -> Any:
    """Least, mean and most of what is drawn."""
    head = html.Tr([html.Th(""), *(html.Th(name, style=CELL) for name in ("min", "mean", "max", "sum"))])
    rows = [
        html.Tr([html.Td(name), *(html.Td(f"{float(f(frame[name])):,.3f}", style=CELL) for f in _STATISTICS)])
        for name in _largest(frame)
    ]
    return [html.Thead(head), html.Tbody(rows)]


_STATISTICS = (pd.Series.min, pd.Series.mean, pd.Series.max, pd.Series.sum)


def first_week(time: pd.DatetimeIndex) -> tuple[str, str]:
    """From and to as the page opens: the first seven days of a long run, whose lines a screen can tell apart."""
    if time[-1] - time[0] < LONG:
        return "", ""
    return f"{time[0]:%Y-%m-%dT%H}", f"{time[0] + OPENED - pd.Timedelta(hours=1):%Y-%m-%dT%H}"


def _layout(run: Results) -> Any:
    usable = [path for path in run.variables.index if 0 not in run.reader[path].shape]
    options = [
        {"value": path, "label": f"{path}: {row['long_name']} [{row['units']}]"}
        for path, row in run.variables.loc[usable].iterrows()
    ]
    time = run.reader.time
    opened = first_week(time)

    def pick(name: str, text: str, width: str) -> Any:
        box = dcc.Dropdown([], [], id=name, multi=True, placeholder="all")
        return html.Div([html.Label(text, htmlFor=name), box], style={"flex": f"1 1 {width}", "minWidth": "12rem"})

    def moment(name: str, text: str, hint: str, value: str) -> Any:
        box = dcc.Input(value, id=name, type="text", debounce=True, placeholder=hint, style={"width": "11rem"})
        return html.Div([html.Label(text, htmlFor=name, style={"display": "block"}), box])

    return html.Main(
        [
            html.H1(str(run.reader.meta["scenario_name"]), style={"fontSize": "1.3rem", "margin": "0.3rem 0"}),
            html.Div(f"{run.reader.path}: {run.reader.steps:,} steps from {time[0]} to {time[-1]}; read only"),
            html.Div(
                [
                    html.Label("variable", htmlFor="variable"),
                    dcc.Dropdown(options, FIRST, id="variable", clearable=False),
                ],
                style={"margin": "0.6rem 0"},
            ),
            html.Div(
                [
                    pick("elements", "elements", "30rem"),
                    pick("zones", "cities", "14rem"),
                    pick("techs", "technologies", "14rem"),
                ],
                style=ROW,
            ),
            html.Div(
                [
                    moment("start", "from (a month, day or hour)", f"{time[0]:%Y-%m-%dT%H}", opened[0]),
                    moment("end", "to, all of it", f"{time[-1]:%Y-%m-%dT%H}", opened[1]),
                    html.Button("Download CSV", id="csv", n_clicks=0),
                    dcc.Download(id="download"),
                ],
                style=ROW,
            ),
            html.Div(id="said", role="status", style={"color": "#5d5d5d"}),
            dcc.Graph(id="chart", config={"displaylogo": False}),
            html.Table(id="table", style={"borderCollapse": "collapse"}),
        ],
        style=PAGE,
    )  # fmt: skip
