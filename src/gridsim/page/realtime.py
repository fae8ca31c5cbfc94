"""The second clock: what was believed and what came, who made up for it, reserve, curtailment and cost beyond the plan.

Nothing where all was foreseen; no costs of files that do not say what was expected.
"""

import tomllib
from functools import cached_property

import numpy as np

from gridsim.otherwise import Otherwise, costs_are_planned, relived
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
    bars,
    figure,
    heat,
    line,
    named,
    totals,
)
from gridsim.palette import HEAT_COLOURS, INK, RED, FloatArray, colour_of, energy_unit, power_unit, scaled
from gridsim.plots_data import SEEN_MW
from gridsim.schema import EXPECTED

POINTS = 400  # of a duration curve
COLOURS = {"net": INK, "load": "#d55e00", "wind": "#0072b2", "pv": "#e6b000"}
MONEY = ((1.0, ""), (1e6, "million "), (1e9, "bn "))
NO_COST = ("surprise", "stored")  # of what was expected: what is no cost of not knowing
ANSWER = ("energy", "no_load", "start", "wear", *NO_COST)  # the cost of answering in the hour; else penalties


def section(run: Hours, page: Payload) -> Section:
    if not relived(run.run):
        return Section("realtime", [])
    what = Came(run)
    charts = _forecasts(run, page, what)
    if what.moved:
        charts += [_moved(run, page, what), _moved_total(what)]
    charts += [*_curtailed(run, page, what), *_reserve(run, page, what)]
    if not costs_are_planned(run.run):
        return Section("realtime", charts)
    charts.append(_cost(run, page))
    return Section("realtime", charts, [_cost_table(run, page)])


class Came:
    """`Otherwise` by the hour. MW."""

    def __init__(self, run: Hours):
        self.run, self.steps = run, Otherwise(run.run)

    @cached_property
    def believed(self) -> dict[str, FloatArray]:
        """{net, load, wind, pv}"""
        return self._with_net(self.steps.believed)

    @cached_property
    def came(self) -> dict[str, FloatArray]:
        return self._with_net(self.steps.came)

    def _with_net(self, parts: dict[str, FloatArray]) -> dict[str, FloatArray]:
        hourly = {kind: self.run.mean(values) for kind, values in parts.items()}
        return {"net": hourly["load"] - hourly["wind"] - hourly["pv"], **hourly}

    @cached_property
    def beyond(self) -> dict[str, FloatArray]:
        """What came beyond what was believed."""
        return {kind: self.came[kind] - self.believed[kind] for kind in self.came}

    @cached_property
    def moved(self) -> dict[str, FloatArray]:
        """Of those that moved at all."""
        hourly = {who: self.run.mean(mw) for who, mw in self.steps.moved.items()}
        return {who: mw for who, mw in hourly.items() if np.abs(mw).max(initial=0.0) > SEEN_MW}


def _forecasts(run: Hours, page: Payload, what: Came) -> list[Chart]:
    """None where only failures came otherwise."""
    if np.abs(np.stack(list(what.beyond.values()))).max() < SEEN_MW:
        return []
    return [_lines(run, page, what), *_by_hours_ahead(run, what), _duration(run, what)]


def _lines(run: Hours, page: Payload, what: Came) -> Chart:
    scale, unit = power_unit(run.load)
    options = []
    for kind, came in what.came.items():
        whole: list[Spec] = []
        hours: list[Spec] = []
        parts = (("came", came, COLOURS[kind], "solid"), ("believed", what.believed[kind], RED, "dot"))
        for name, power, colour, dash in parts:
            daily = page.put(f"{name}.{kind}.daily", run.daily(power) / scale)
            whole.append(line(f"@forecast.{name}", DAY, daily, colour, unit=unit, dash=dash))
            hourly = page.put(f"{name}.{kind}", power / scale)
            hours.append(line(f"@forecast.{name}", HOUR, hourly, colour, unit=unit, dash=dash))
        layout = {"yaxis": axis(f"@axis.power.{unit}"), "hovermode": "x unified"}
        options.append(Option(figure(whole, **layout), figure(hours, **layout), label=f"@forecast.{kind}"))
    off = what.beyond["net"]
    presets = [("@day.most_beyond", int(off.argmax())), ("@day.most_below", int(off.argmin()))]
    start = ("week", max(run.hour_of_day((presets[0][1] + run.first) // 24) - 72, 0))
    return Chart("forecast", options, presets=presets, start=start)


def _by_hours_ahead(run: Hours, what: Came) -> list[Chart]:
    """Root mean square of errors by the hours between forecast and hour; of series of one's own nobody knows them."""
    clock = tomllib.loads(run.run.scenario_text)["realtime"]
    if clock["forecast"] != "errors":
        return []
    place = np.arange(run.number) % int(run.run.meta["step_h"])
    ahead = np.unique(place)
    rms = {kind: np.array([np.sqrt((off[place == k] ** 2).mean()) for k in ahead]) for kind, off in what.beyond.items()}
    scale, unit = power_unit(np.concatenate(list(rms.values())))
    x = (ahead + int(clock["lead_h"]) + 1).tolist()
    data = [
        {
            "type": "scatter", "mode": "lines+markers", "x": x, "y": (values / scale).round(4).tolist(),
            "name": f"@forecast.{kind}", "line": {"width": 1.8, "color": COLOURS[kind]},
            "hovertemplate": f"%{{y:,.2f}} {unit}",
        }
        for kind, values in rms.items()
    ]  # fmt: skip
    layout = {"xaxis": axis("@axis.hours_ahead"), "yaxis": axis(f"@axis.error.{unit}", rangemode="tozero")}
    return [Chart("forecast_ahead", [Option(figure(data, hovermode="x unified", **layout))], wide=False)]


def _duration(run: Hours, what: Came) -> Chart:
    """Errors from the largest to the smallest, and how much reserve there was on average."""
    scale, unit = power_unit(np.concatenate([np.abs(off) for off in what.beyond.values()]))
    share = np.linspace(0.0, 100.0, min(POINTS, run.number))
    data = []
    for kind, off in what.beyond.items():
        curve = (np.quantile(off, 1.0 - share / 100.0) / scale).round(4).tolist()
        spec = line(f"@forecast.{kind}", share.round(3).tolist(), curve, COLOURS[kind], unit=unit)
        data.append({**spec, "line": {"width": 1.8, "color": COLOURS[kind]}})
    for way, sign in (("up", 1.0), ("down", -1.0)):
        reserve = sign * float(what.steps.asked(way).mean()) / scale
        data.append(line(f"@reserve.{way}", [0.0, 100.0], [round(reserve, 4)] * 2, RED, unit=unit, dash="dash"))
    layout = {"xaxis": axis("@axis.share_of_hours"), "yaxis": axis(f"@axis.beyond.{unit}"), "hovermode": "x unified"}
    return Chart("forecast_duration", [Option(figure(data, **layout))], wide=False)


def _moved(run: Hours, page: Payload, what: Came) -> Chart:
    moved = what.moved
    scale, unit = power_unit(np.concatenate([*moved.values(), what.beyond["net"]]))
    day_scale, day_unit = energy_unit(np.concatenate([run.day_sums(np.abs(mw)) for mw in moved.values()]))
    whole: list[Spec] = []
    hours: list[Spec] = []
    for who, power in moved.items():
        colour, text = colour_of(who, list(moved)), named("supplier", who)
        ways = {"up": np.maximum(power, 0.0), "down": np.minimum(power, 0.0)}
        shown = [way for way, part in ways.items() if part.any()]
        for way in shown:
            more: Spec = {"group": way, "legendgroup": who, "showlegend": way == shown[0]}
            daily = page.put(f"moved.{who}.{way}.daily", run.day_sums(ways[way]) / day_scale)
            hourly = page.put(f"moved.{who}.{way}", ways[way] / scale)
            whole.append(area(text, DAY, daily, colour, unit=day_unit, **more))
            hours.append(area(text, HOUR, hourly, colour, unit=unit, **more))
    hours.append(line("@moved.beyond", HOUR, page.put("beyond", what.beyond["net"] / scale), INK, unit=unit))
    layout = {"hovermode": "x unified", "legend": {"traceorder": "reversed"}}
    per_day = page.say("axis.energy_per", unit=day_unit, period="@period.day")
    option = Option(
        figure(whole, yaxis=axis(per_day), **layout), figure(hours, yaxis=axis(f"@axis.power.{unit}"), **layout)
    )
    return Chart("moved", [option], height=460, presets=_days(run, what))


def _days(run: Hours, what: Came) -> list[tuple[str, int]]:
    off = what.beyond["net"]
    return [("@day.most_beyond", int(off.argmax())), ("@day.most_below", int(off.argmin()))]


def _moved_total(what: Came) -> Chart:
    more = {who: float(np.maximum(mw, 0.0).sum()) for who, mw in what.moved.items()}
    less = {who: float(np.minimum(mw, 0.0).sum()) for who, mw in what.moved.items()}
    scale, unit = energy_unit([*more.values(), *less.values()])
    names = sorted(more, key=lambda who: more[who] - less[who])
    data = [
        {
            "type": "bar", "orientation": "h", "y": [named("supplier", who) for who in names],
            "x": [round(part[who] / scale, 4) for who in names],
            "marker": {"color": [colour_of(who, names) for who in names]}, "name": text,
            "hovertemplate": f"%{{y}}: %{{x:,.1f}} {unit}",
        }
        for part, text in ((more, "@moved.more"), (less, "@moved.less"))
    ]  # fmt: skip
    spec = figure(data, barmode="relative", xaxis=axis(f"@axis.energy.{unit}"), showlegend=False)
    return Chart("moved_total", [Option(spec)], wide=False)


def _curtailed(run: Hours, page: Payload, what: Came) -> list[Chart]:
    """None where nothing was curtailed, neither in plans nor in hours."""
    parts = {name: run.mean(mw) for name, mw in zip(("planned", "lived"), what.steps.curtailed, strict=True)}
    if max(float(mw.max()) for mw in parts.values()) < SEEN_MW:
        return []
    index, words, labels = run.periods(page)
    sums = {name: totals(index, len(labels), mw) for name, mw in parts.items()}
    scale, unit = energy_unit(np.concatenate(list(sums.values())))
    colours = {"planned": "#b9c0c8", "lived": colour_of("curtailment")}
    data = [bars(f"@{name}", labels, mwh / scale, colours[name], unit=unit) for name, mwh in sums.items()]
    title = page.say("axis.energy_per", unit=unit, period=f"@period.{words}")
    spec = figure(data, barmode="group", yaxis=axis(title), hovermode="x unified")
    return [Chart("curtailed_plan", [Option(spec)], wide=False)]


def _reserve(run: Hours, page: Payload, what: Came) -> list[Chart]:
    """Reserve used, of what was planned, and reserve missing in the hour."""
    off = what.beyond["net"]
    asked = {way: run.mean(what.steps.asked(way)) for way in ("up", "down")}
    options = []
    if min(float(mw.max()) for mw in asked.values()) > 0.0 and np.abs(off).max() > SEEN_MW:
        used = 100.0 * np.where(off > 0.0, off / np.maximum(asked["up"], 1e-6), off / np.maximum(asked["down"], 1e-6))
        top = max(float(np.quantile(np.abs(used), 0.99)), 1.0)
        z = page.put("reserve.used", np.clip(used, -1e4, 1e4))
        matrix = heat(z, top, "@axis.of_reserve", DIVERGING, "%", low=-top)
        options.append(Option(figure([matrix], yaxis=HOURS_AXIS, plot_bgcolor=MISSING), label="@reserve.used"))
    for way in ("up", "down"):
        missing = run.mean(what.steps.short(way))
        if missing.max() > SEEN_MW:
            scale, unit = power_unit(missing)
            z = page.put(f"reserve.short.{way}", missing / scale)
            matrix = heat(z, float(missing.max()) / scale, f"@axis.power.{unit}", HEAT_COLOURS, unit)
            spec = figure([matrix], yaxis=HOURS_AXIS, plot_bgcolor=MISSING)
            options.append(Option(spec, label=f"@reserve.short_{way}"))
    return [Chart("reserve_heat", options, height=360)] if options else []


def _hourly_cost(run: Hours) -> dict[str, FloatArray]:
    """{part: lived less planned}; what is no cost of not knowing taken off. Currency of an hour."""
    planned = run.read("realtime/planned_cost") / run.run.dt_h
    more = {}
    for k, part in enumerate(EXPECTED):
        lived = 0.0 if part in NO_COST else run.read(f"cost/{part}") / run.run.dt_h
        more[part] = lived - planned[:, k]
    return more


def _cost(run: Hours, page: Payload) -> Chart:
    """The cost of uncertainty by what it comes from."""
    index, words, labels = run.periods(page)
    more = _hourly_cost(run)
    sums = {"answer": np.sum([more[part] for part in ANSWER], axis=0)}
    sums |= {part: values for part, values in more.items() if part not in ANSWER and np.abs(values).sum() > 1.0}
    by_period = {part: totals(index, len(labels), values) for part, values in sums.items()}
    scale, unit = scaled(np.concatenate(list(by_period.values())), MONEY)
    colours = {"answer": "#0072b2", "shed": RED, "reserve_short": "#f2a541", "overload": "#5b3a8e"}
    unit = f"{unit}{run.run.currency}"
    data = [
        bars(f"@cost.{part}", labels, values / scale, colours.get(part, "#8a8a8a"), unit=unit)
        for part, values in by_period.items()
    ]
    title = page.say("axis.money_per", unit=named("unit", unit), period=f"@period.{words}")
    spec = figure(data, barmode="relative", yaxis=axis(title), hovermode="x unified")
    return Chart("uncertainty", [Option(spec)], wide=False)


def _cost_table(run: Hours, page: Payload) -> Table:
    planned = dict(zip(EXPECTED, run.run.array("realtime/planned_cost").sum(axis=0).tolist(), strict=True))
    lived = {part: float(run.run.array(f"cost/{part}").sum()) for part in EXPECTED if part not in NO_COST}
    scale, unit = scaled([sum(lived.values())], MONEY)
    scale, unit = (1e6, "million ") if unit == "bn " else (scale, unit)

    def row(name: str, *values: float) -> Row:
        return Row([[f"@cost.{name}"]], [round(value / scale, 4) for value in values])

    rows = [row(part, planned[part], cost, cost - planned[part]) for part, cost in lived.items()]
    rows = [one for one in rows if any(one.numbers)]
    before, after = sum(planned[part] for part in lived), sum(lived.values())
    rows.append(row("total", before, after, after - before))
    rows += [row(f"less_{part}", np.nan, np.nan, -planned[part]) for part in NO_COST]
    rows.append(row("uncertainty", np.nan, np.nan, after - before - sum(planned[part] for part in NO_COST)))
    money = named("unit", f"{unit}{run.run.currency}")
    headings = [page.say(f"column.cost_{name}", unit=money) for name in ("planned", "lived", "more")]
    columns = [Column(heading, 2, signed=k == 2) for k, heading in enumerate(headings)]
    return Table("planned_cost", ["@table.cost"], columns, rows)
