"""A study as tables on a terminal."""

import math

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gridsim.adequacy import statistics
from gridsim.adequacy.statistics import Estimate
from gridsim.adequacy.study import Result, check_of, percentiles

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLASS = {"wind": "wind", "pv": "PV", "storage": "storage", "dc": "DC imports"}


def as_text(result: Result) -> Group:
    """Everything that a person asks first."""
    parts: list[RenderableType] = [_whole(result)]
    if result.column("eens_mwh").any():
        parts += [_by_zone(result), _by_time(result)]
    parts.append(_spread(result))
    if result.credits:
        parts.append(_credit(result))
    else:
        parts.append(Text(f"capacity credit: {result.credit_note}"))
    if result.checks:
        seen = check_of(result)
        parts.append(
            Text(
                f"check: {seen['steps']:.0f} steps again with HiGHS ({seen['short']:.0f} of them short): on average "
                f"{seen['walk_mw']:,.1f} MW shed, {seen['transport_mw']:,.1f} by transport between areas, "
                f"{seen['dc_mw']:,.1f} in the whole network; furthest apart {seen['transport_off_mw']:,.3f} and "
                f"{seen['dc_off_mw']:,.3f} MW"
            )
        )
    return Group(*parts)


def _whole(result: Result) -> Table:
    n, span = len(result.years), "year" if result.horizon_h >= 8700 else f"{result.horizon_h} h"
    title = f"{result.name}: {n} years drawn in {result.blocks} independent blocks"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("adequacy")
    for head in ("mean", "interval, 95 %", "relative", "unit"):
        table.add_column(head, justify="right")
    lole = result.estimate("lole_h")
    lolp = Estimate(lole.mean / result.horizon_h, lole.half_width / result.horizon_h)
    for label, one, unit in (
        ("LOLE", lole, f"h/{span}"),
        ("LOLE, days", result.estimate("days"), f"d/{span}"),
        ("LOLP", lolp, "1"),
        ("shortages", result.estimate("events"), f"1/{span}"),
        ("EENS", result.estimate("eens_mwh"), f"MWh/{span}"),
    ):
        table.add_row(label, _number(one.mean), _interval(one), _relative(one), unit)
    if not result.column("eens_mwh").any():
        most = statistics.most_short_years(result.blocks)
        table.add_row(f"no shortage in {n} years: at 95 % at most {100 * most:.2g} % of the blocks have any")
    elif result.relative_error and not result.reached:
        table.add_row(f"the relative error asked for, {result.relative_error:g}, was not reached")
    return table


def _by_zone(result: Result) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("zone")
    for head in ("LOLE, h", "EENS, MWh", "interval, 95 %", "share"):
        table.add_column(head, justify="right")
    whole = max(result.estimate("eens_mwh").mean, 1e-300)
    for k, zone in enumerate(result.zones):
        hours, energy = result.estimate("zone_h", k), result.estimate("zone_mwh", k)
        share = f"{100 * energy.mean / whole:.1f} %"
        table.add_row(zone, _number(hours.mean), _number(energy.mean), _interval(energy), share)
    return table


def _by_time(result: Result) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("when it is short, share of EENS")
    month, hour = result.column("month_mwh").mean(axis=0), result.column("hour_mwh").mean(axis=0)
    for values, labels in ((month, _MONTHS), (hour, tuple(f"{h:02d} h" for h in range(24)))):
        order = [k for k in np.argsort(-values, kind="stable")[:6] if values[k] > 0]
        table.add_row(", ".join(f"{labels[k]} {100 * values[k] / values.sum():.0f} %" for k in order))
    return table


def _spread(result: Result) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("from year to year")
    for head in ("5 %", "median", "95 %", "most", "unit"):
        table.add_column(head, justify="right")
    rows = (
        ("LOLE", "lole_h", 1.0, "h"),
        ("energy not served", "eens_mwh", 1.0, "MWh"),
        ("largest shortage", "peak_mw", 1.0, "MW"),
        ("curtailed wind and PV", "curtailed_mwh", 1e-6, "TWh"),
        ("cost, without commitment", "cost", 1e-9, "bn"),
    )
    for label, name, factor, unit in rows:
        table.add_row(label, *(_number(factor * v) for v in percentiles(result.column(name))), unit)
    return table


def _credit(result: Result) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(f"capacity credit, {result.credits[0].years} years")
    for head in ("installed, MW", "worth, MW firm", "interval, 95 %", "of installed"):
        table.add_column(head, justify="right")
    for one in result.credits:
        table.add_row(
            _CLASS[one.what], f"{one.installed_mw:,.0f}", f"{one.firm_mw:,.0f}",
            f"{one.low_mw:,.0f} to {one.high_mw:,.0f}", f"{100 * one.firm_mw / one.installed_mw:.1f} %",
        )  # fmt: skip
    return table


def _number(value: float) -> str:
    """Three digits, whole numbers in full."""
    if value == 0.0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 6)}f}" if digits <= 6 else f"{value:.2e}"


def _interval(one: Estimate) -> str:
    if not math.isfinite(one.half_width):
        return "unknown"
    return f"{_number(max(one.low, 0.0))} to {_number(one.high)}"


def _relative(one: Estimate) -> str:
    return f"{100 * one.relative:.1f} %" if math.isfinite(one.relative) and one.mean else "-"
