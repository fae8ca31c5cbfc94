"""Charts of peak shaving (调峰): who raised and lowered power against the mean of the day, and what was left to do."""

import numpy as np
import pandas as pd

from gridsim.page.data import Hours
from gridsim.page.parts import DAY, HOUR, Chart, Option, Payload, Spec, area, axis, figure, line, named
from gridsim.palette import INK, RED, FloatArray, colour_of, energy_unit, power_unit
from gridsim.schema import DEPTHS


def charts(run: Hours, page: Payload) -> list[Chart]:
    suppliers = run.run.names("supplier")
    regulation = run.read("peak_shaving/regulation_mw")
    used = {name: regulation[:, k] for k, name in enumerate(suppliers) if np.abs(regulation[:, k]).sum() > 1e-3}
    if not used:
        return []
    found = [_suppliers(run, page, used), _totals(run, used), _peak_valley(run, page)]
    if run.run.array("peak_shaving/deep_units").any():
        found.append(_depths(run, page))
    return [*found, _margins(run, page)]


def _suppliers(run: Hours, page: Payload, used: dict[str, FloatArray]) -> Chart:
    scale, unit = power_unit(run.load)
    day_scale, day_unit = energy_unit(run.day_sums(run.load) * 0.1)
    whole: list[Spec] = []
    hours: list[Spec] = []
    for name, power in used.items():
        colour, text = colour_of(name, list(used)), named("supplier", name)
        ways = {"up": np.maximum(power, 0.0), "down": np.minimum(power, 0.0)}
        shown = [way for way, part in ways.items() if part.any()]
        for way in shown:
            more: Spec = {"group": way, "legendgroup": name, "showlegend": way == shown[0]}
            daily = page.put(f"regulation.{name}.{way}.daily", run.day_sums(ways[way]) / day_scale)
            hourly = page.put(f"regulation.{name}.{way}", ways[way] / scale)
            whole.append(area(text, DAY, daily, colour, unit=day_unit, **more))
            hours.append(area(text, HOUR, hourly, colour, unit=unit, **more))
    need = page.put("regulation.need", run.read("peak_shaving/need_mw") / scale)
    hours.append(line("@regulation.need", HOUR, need, INK, unit=unit))
    layout = {"hovermode": "x unified", "legend": {"traceorder": "reversed"}}
    per_day = page.say("axis.energy_per", unit=day_unit, period="@period.day")
    return Chart(
        "regulation",
        [
            Option(
                figure(whole, yaxis=axis(per_day), **layout),
                figure(hours, yaxis=axis(f"@axis.power.{unit}"), **layout),
            )
        ],
        height=460,
        presets=_days(run),
    )


def _days(run: Hours) -> list[tuple[str, int]]:
    """Days on which regulation mattered most, each named once."""
    net = run.mean(run.year.net_load)
    with np.errstate(invalid="ignore"):
        spread = np.ptp(np.nan_to_num(run.by_day(net), nan=float(net.mean())), axis=1)
    up, down = (run.read(f"peak_shaving/{way}_margin_mw") for way in ("up", "down"))
    found = [
        ("@day.spread", run.hour_of_day(int(spread.argmax()))),
        ("@day.peak", int(run.load.argmax())),
        ("@day.valley", int(net.argmin())),
        ("@day.up_margin", int(up.argmin())),
        ("@day.down_margin", int(down.argmin())),
    ]
    return found


def _totals(run: Hours, used: dict[str, FloatArray]) -> Chart:
    up = {name: float(np.maximum(power, 0.0).sum()) for name, power in used.items()}
    down = {name: float(np.minimum(power, 0.0).sum()) for name, power in used.items()}
    scale, unit = energy_unit([*up.values(), *down.values()])
    names = sorted(used, key=lambda name: up[name] - down[name])
    texts = [named("supplier", name) for name in names]
    colours = [colour_of(name, names) for name in names]
    data = [
        {
            "type": "bar", "orientation": "h", "y": texts, "x": [round(part[n] / scale, 4) for n in names],
            "marker": {"color": colours}, "name": text, "hovertemplate": f"%{{y}}: %{{x:,.1f}} {unit}",
        }
        for part, text in ((up, "@regulation.up"), (down, "@regulation.down"))
    ]  # fmt: skip
    spec = figure(data, barmode="relative", xaxis=axis(f"@axis.energy.{unit}"), showlegend=False)
    return Chart("regulation_total", [Option(spec)], wide=False)


def _peak_valley(run: Hours, page: Payload) -> Chart:
    """Of days that begin with the first hour of the run, as the file has them."""
    scale, unit = power_unit(run.load)
    before = run.run.array("peak_shaving/peak_valley_before_mw") / scale
    after = run.run.array("peak_shaving/peak_valley_after_mw") / scale
    ends = [*(run.time[0] + pd.Timedelta(days=k) for k in range(len(before))), run.time[-1] + pd.Timedelta(hours=1)]
    days = [f"{t:%Y-%m-%dT%H:00}" for t in ends]  # and the end of the last, so that it is as wide as the others
    before, after = (np.append(values, values[-1]) for values in (before, after))
    data = [
        line(f"@peak_valley.{name}", days, page.put(f"peak_valley.{name}", values), colour_of(tech), unit=unit)
        for name, values, tech in (("before", before, "wind_offshore"), ("after", after, "gas"))
    ]
    spec = figure(data, yaxis=axis(f"@axis.power.{unit}", rangemode="tozero"), hovermode="x unified")
    return Chart("peak_valley", [Option(spec)], wide=False)


def _depths(run: Hours, page: Payload) -> Chart:
    units = run.read("peak_shaving/deep_units")
    data = [
        area(named("supplier", name), DAY, page.put(f"deep.{name}", run.day_sums(units[:, k])), colour_of(name))
        for k, name in enumerate(DEPTHS)
        if units[:, k].any()
    ]
    return Chart("depths", [Option(figure(data, yaxis=axis("@axis.unit_hours"), hovermode="x unified"))], wide=False)


def _margins(run: Hours, page: Payload) -> Chart:
    scale, unit = power_unit(run.load)
    colours = {"up": colour_of("wind_offshore"), "down": colour_of("gas")}
    data: list[Spec] = []
    for way, colour in colours.items():
        least = np.nanmin(run.by_day(run.read(f"peak_shaving/{way}_margin_mw")), axis=1) / scale
        data.append(line(f"@margin.{way}", DAY, page.put(f"margin.{way}", least), colour, unit=unit))
    data.append(line("@margin.none", DAY, page.put("margin.none", np.zeros(run.days)), RED, dash="dot"))
    return Chart(
        "margins", [Option(figure(data, yaxis=axis(f"@axis.power.{unit}"), hovermode="x unified"))], wide=False
    )
