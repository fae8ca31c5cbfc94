"""Charts of carbon: by technology, city and month, and how clean the power of every hour is."""

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import HOURS_AXIS, MISSING, Chart, Option, Payload, axis, bars, figure, heat, named, totals
from gridsim.palette import HEAT_COLOURS, FloatArray, colour_of, scaled
from gridsim.schema import ordered_techs

TONNES = ((1.0, "t"), (1e3, "kt"), (1e6, "Mt"))


def charts(run: Hours, page: Payload) -> list[Chart]:
    tonnes = hourly_sums(run, "carbon/tech_t")
    if not tonnes.any():
        return []
    return [_by_tech(run, page, tonnes), _by_zone(run, page), _intensity_by_zone(run, page), _intensity(run, page)]


def hourly_sums(run: Hours, path: str) -> FloatArray:
    """Tonnes of every hour: sums of its steps, where the file has steps."""
    return run.read(path) / run.run.dt_h


def _by_tech(run: Hours, page: Payload, tonnes: FloatArray) -> Chart:
    index, words, labels = run.periods(page)
    techs = run.run.names("tech")
    by_tech = {techs[k]: totals(index, len(labels), tonnes[:, k]) for k in range(len(techs)) if tonnes[:, k].any()}
    origin = totals(index, len(labels), hourly_sums(run, "carbon/origin_t"))
    scale, unit = scaled(np.sum(list(by_tech.values()), axis=0), TONNES)
    data = [
        bars(named("tech", tech), labels, by_tech[tech] / scale, colour_of(tech, techs), unit=unit)
        for tech in ordered_techs(by_tech)
    ]
    if origin.any():
        data.append(bars("@carbon.origin", labels, origin / scale, colour_of("import"), unit=unit))
    title = page.say("axis.carbon_per", unit=unit, period=f"@period.{words}")
    return Chart("carbon_tech", [Option(figure(data, barmode="stack", yaxis=axis(title), hovermode="x unified"))])


def _by_zone(run: Hours, page: Payload) -> Chart:
    index, words, labels = run.periods(page)
    tonnes = hourly_sums(run, "carbon/zone_emission_t")
    rows = {z: totals(index, len(labels), tonnes[:, k]) for k, z in enumerate(run.zones) if tonnes[:, k].any()}
    scale, unit = scaled(np.concatenate(list(rows.values())), TONNES)
    title = page.say("axis.carbon_per", unit=unit, period=f"@period.{words}")
    return Chart("carbon_zone", [Option(_table(labels, rows, scale, title, unit))], wide=False, height=460)


def _intensity_by_zone(run: Hours, page: Payload) -> Chart:
    """Tonnes per MWh consumed, traced along the flows."""
    index, _, labels = run.periods(page)
    tonnes = hourly_sums(run, "carbon/zone_load_t")
    load = run.by_zone("loads", run.read("dispatch/load_mw"))
    rows = {}
    for k, z in enumerate(run.zones):
        if z in load and load[z].any():
            energy = totals(index, len(labels), load[z])
            rows[z] = 1e3 * totals(index, len(labels), tonnes[:, k]) / np.maximum(energy, 1e-9)
    return Chart("carbon_intensity", [Option(_table(labels, rows, 1.0, "kg/MWh", "kg/MWh"))], wide=False, height=460)


def _table(labels: list[str], rows: dict[str, FloatArray], scale: float, title: str, unit: str) -> dict[str, object]:
    """Zones by periods, the largest on top, with numbers written into the fields."""
    order = sorted(rows, key=lambda z: float(rows[z].sum()))
    z = np.array([rows[zone] / scale for zone in order])
    places = 0 if z.max() >= 100.0 else 1 if z.max() >= 10.0 else 2
    colours = list(HEAT_COLOURS[:4])
    matrix = {
        "type": "heatmap", "x": labels, "y": [named("zone", zone) for zone in order], "z": z.round(4).tolist(),
        "colorscale": [[k / (len(colours) - 1), c] for k, c in enumerate(colours)],
        "texttemplate": f"%{{z:,.{places}f}}", "xgap": 1, "ygap": 1,
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 14},
        "hovertemplate": f"%{{y}}, %{{x}}: %{{z:,.2f}} {unit}<extra></extra>",
    }  # fmt: skip
    return figure([matrix])


def _intensity(run: Hours, page: Payload) -> Chart:
    """Of all load, hour by hour: on average, and of one MWh more."""
    load = run.by_zone("loads", run.read("dispatch/load_mw"))
    mean = 1e3 * hourly_sums(run, "carbon/zone_load_t").sum(axis=1) / np.maximum(run.load, 1e-9)
    marginal = run.read("carbon/zone_marginal")
    weighted = sum(marginal[:, k] * load[z] for k, z in enumerate(run.zones) if z in load)
    options = []
    for name, values in (("mean", mean), ("marginal", 1e3 * weighted / np.maximum(run.load, 1e-9))):
        low, top = np.quantile(values, [0.005, 0.995])
        top = max(float(top), float(low) + 1.0)
        z = page.put(f"intensity.{name}", values)
        matrix = heat(z, top, "kg/MWh", HEAT_COLOURS, "kg/MWh", low=float(low))
        options.append(Option(figure([matrix], yaxis=HOURS_AXIS, plot_bgcolor=MISSING), label=f"@intensity.{name}"))
    return Chart("intensity", options, height=360)
