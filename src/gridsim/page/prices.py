"""Charts of prices: when energy is dear, and where."""

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import HOURS_AXIS, MISSING, Chart, Option, Payload, axis, figure, heat, named
from gridsim.palette import HEAT_COLOURS, LINE_COLOURS, FloatArray, colour_of

POINTS = 400  # of a duration curve


def charts(run: Hours, page: Payload) -> list[Chart]:
    price = {z: run.read("price/zone")[:, k] for k, z in enumerate(run.zones)}
    load = run.by_zone("loads", run.read("dispatch/load_mw"))
    shown = {z: values for z, values in price.items() if z in load and load[z].any()}
    mean = {z: float((values * load[z]).sum() / load[z].sum()) for z, values in shown.items()}
    system = run.mean(run.year.price)
    return [_heat(run, page, system, shown), _duration(run, shown, mean), _by_zone(run, mean)]


def _unit(run: Hours) -> str:
    return f"{run.run.currency}/MWh"


def _heat(run: Hours, page: Payload, system: FloatArray, zones: dict[str, FloatArray]) -> Chart:
    low, top = np.quantile(np.concatenate([system, *zones.values()]), [0.01, 0.99])
    if top - low < 1e-6:
        low, top = low - 0.5, top + 0.5
    title = page.say("axis.price", unit=_unit(run))

    def option(name: str, label: str, values: FloatArray) -> Option:
        z = page.put(f"price.{name}", values)
        matrix = heat(z, float(top), title, HEAT_COLOURS, _unit(run), low=float(low))
        return Option(figure([matrix], yaxis=HOURS_AXIS, plot_bgcolor=MISSING), label=label)

    options = [option(f"zone.{z}", named("zone", z), values) for z, values in zones.items()]
    return Chart("price_heat", [option("system", "@price.system", system), *options], height=360)


def _duration(run: Hours, zones: dict[str, FloatArray], mean: dict[str, float]) -> Chart:
    share = np.linspace(0.0, 100.0, min(POINTS, run.number))
    data = []
    for k, z in enumerate(sorted(zones, key=lambda z: -mean[z])):
        curve = np.quantile(zones[z], 1.0 - share / 100.0).round(2)
        data.append(
            {
                "type": "scatter", "mode": "lines", "x": share.round(3).tolist(), "y": curve.tolist(),
                "name": named("zone", z), "hovertemplate": f"%{{y:,.1f}} {_unit(run)}",
                "line": {"width": 1.8, "color": LINE_COLOURS[k % len(LINE_COLOURS)],
                         "dash": ("solid", "dash", "dot")[k // len(LINE_COLOURS) % 3]},
            }
        )  # fmt: skip
    low, top = np.quantile(np.concatenate(list(zones.values())), [0.01, 0.99])
    room = 0.08 * max(float(top - low), 1.0)
    prices = axis(_unit(run), range=[float(low) - room, float(top) + room])
    spec = figure(data, xaxis=axis("@axis.share_of_hours"), yaxis=prices, hovermode="x unified")
    return Chart("price_duration", [Option(spec)], wide=False, height=460)


def _by_zone(run: Hours, mean: dict[str, float]) -> Chart:
    zones = sorted(mean, key=lambda z: mean[z])
    data = [
        {
            "type": "bar", "orientation": "h", "y": [named("zone", z) for z in zones],
            "x": [round(mean[z], 2) for z in zones], "marker": {"color": colour_of("wind_offshore")},
            "text": [f"{mean[z]:,.1f}" for z in zones], "textposition": "inside", "insidetextanchor": "end",
            "hovertemplate": f"%{{y}}: %{{x:,.2f}} {_unit(run)}<extra></extra>",
        }
    ]  # fmt: skip
    return Chart("price_zone", [Option(figure(data, xaxis=axis(_unit(run)), showlegend=False))], wide=False, height=460)
