"""Charts of interfaces (断面): flow against limits."""

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import (
    DAY,
    DIVERGING,
    HOUR,
    HOURS_AXIS,
    MISSING,
    Chart,
    Option,
    Payload,
    Spec,
    axis,
    figure,
    heat,
    line,
    named,
)
from gridsim.palette import INK, LINE_COLOURS, RED, FloatArray, colour_of, power_unit

BOUND = 0.999  # of its limit: it binds
POINTS = 400


def charts(run: Hours, page: Payload) -> list[Chart]:
    table = run.run.table("interfaces")
    if not len(table):
        return []
    names = table["name"].astype(str).tolist()
    ahead, back = (table[column].to_numpy(dtype=float) for column in ("limit_mw", "reverse_limit_mw"))
    flow = run.read("flow/interface_p_mw")
    limit = np.where(flow >= 0.0, ahead, back)
    with np.errstate(divide="ignore", invalid="ignore"):
        loading = np.where(np.isfinite(limit) & (limit > 0.0), np.abs(flow) / limit, 0.0)
    flows = [_flow(run, page, k, name, flow[:, k], ahead[k], back[k]) for k, name in enumerate(names)]
    heats = [_heat(page, k, name, flow[:, k], ahead[k], back[k]) for k, name in enumerate(names)]
    return [
        Chart("interface_flow", flows),
        Chart("interface_heat", heats, height=360),
        _duration(run, names, loading),
        _bound(names, loading),
    ]


def _flow(run: Hours, page: Payload, k: int, name: str, flow: FloatArray, ahead: float, back: float) -> Option:
    scale, unit = power_unit([ahead, *flow])
    grid = run.by_day(flow) / scale
    colour = colour_of("wind_offshore")
    whole: list[Spec] = [
        line("@day.highest", DAY, page.put(f"interface.{k}.high", np.nanmax(grid, axis=1)), "#7cc4ee", unit=unit),
        line("@mean", DAY, page.put(f"interface.{k}.mean", np.nanmean(grid, axis=1)), colour, unit=unit),
        line("@day.lowest", DAY, page.put(f"interface.{k}.low", np.nanmin(grid, axis=1)), "#7a8794", unit=unit),
    ]
    hours: list[Spec] = [line("@flow", HOUR, page.put(f"interface.{k}", flow / scale), colour, unit=unit)]
    bounds = [ahead] if np.isfinite(ahead) else []
    if np.isfinite(back) and flow.min() < -0.5 * back:
        bounds.append(-back)
    for number, value in enumerate(bounds):
        more = {"showlegend": number == 0, "legendgroup": "limit"}
        for spec, x, many in ((whole, DAY, run.days), (hours, HOUR, run.number)):
            level = page.put(f"interface.{k}.limit.{number}.{many}", np.full(many, value / scale))
            spec.append(line("@limit", x, level, RED, unit=unit, dash="dash", **more))
    layout = {"yaxis": axis(f"@axis.power.{unit}"), "hovermode": "x unified"}
    return Option(figure(whole, **layout), figure(hours, **layout), label=named("interface", name))


def _heat(page: Payload, k: int, name: str, flow: FloatArray, ahead: float, back: float) -> Option:
    scale, unit = power_unit([ahead, *flow])
    top = ahead if np.isfinite(ahead) else float(np.abs(flow).max())
    matrix = heat({"$": f"interface.{k}"}, top / scale, f"@axis.power.{unit}", DIVERGING, unit, low=-top / scale)
    return Option(figure([matrix], yaxis=HOURS_AXIS, plot_bgcolor=MISSING), label=named("interface", name))


def _duration(run: Hours, names: list[str], loading: FloatArray) -> Chart:
    share = np.linspace(0.0, 100.0, min(POINTS, run.number))
    data = [
        {
            "type": "scatter", "mode": "lines", "x": share.round(3).tolist(),
            "y": np.quantile(100.0 * loading[:, k], 1.0 - share / 100.0).round(2).tolist(),
            "name": named("interface", name), "hovertemplate": "%{y:.1f} %",
            "line": {"width": 1.8, "color": LINE_COLOURS[k % len(LINE_COLOURS)],
                     "dash": ("solid", "dash", "dot")[k // len(LINE_COLOURS) % 3]},
        }
        for k, name in enumerate(names)
    ]  # fmt: skip
    layout = {"xaxis": axis("@axis.share_of_hours"), "yaxis": axis("@axis.of_limit", rangemode="tozero")}
    return Chart("interface_duration", [Option(figure(data, hovermode="x unified", **layout))], wide=False, height=460)


def _bound(names: list[str], loading: FloatArray) -> Chart:
    hours = (loading >= BOUND).sum(axis=0)
    order = sorted(range(len(names)), key=lambda k: int(hours[k]))
    data = [
        {
            "type": "bar", "orientation": "h", "y": [named("interface", names[k]) for k in order],
            "x": [int(hours[k]) for k in order], "marker": {"color": colour_of("gas"), "line": {"color": INK}},
            "text": [f"{hours[k]:,}" for k in order], "textposition": "auto",
            "hovertemplate": "%{y}: %{x:,} h<extra></extra>",
        }
    ]  # fmt: skip
    spec = figure(data, xaxis=axis("@axis.hours_bound"), showlegend=False)
    return Chart("interface_bound", [Option(spec)], wide=False, height=460)
