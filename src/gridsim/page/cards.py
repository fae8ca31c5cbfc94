"""The figures at the top of the page."""

from typing import Any, NamedTuple

from gridsim.page.parts import named
from gridsim.palette import energy_unit, power_unit


class Card(NamedTuple):
    key: str  # its text is ``card.<key>``
    value: str
    unit: str = ""


def cards(summary: dict[str, Any]) -> list[Card]:
    """From the numbers of ``gridsim show``; what a good run has none of is shown all the same: 0 is an answer."""
    load = 1e6 * sum(summary["load_twh_by_component"].values())
    before, after = (summary["peak_valley_mw"][key] for key in ("before", "after"))
    return [
        _energy("load", load - summary["unserved_mwh"]),
        _power("peak", summary["peak_load_mw"]),
        _percent("clean", summary["non_fossil_share"], 1),
        _energy("curtailed", summary["curtailment_mwh"]),
        _percent("curtailment_rate", summary["curtailment_rate"], 2),
        _power("peak_valley", before),
        _power("peak_valley_after", after),
        _percent("coal_load_rate", summary["coal_load_rate"], 1),
        _scaled("co2", 1e6 * summary["co2_mt"], ((1.0, "t"), (1e3, "kt"), (1e6, "Mt"))),
        _money("cost", summary["total_cost"], summary["currency"]),
        _percent("gap", summary["gap_mean"], 3),
        _energy("unserved", summary["unserved_mwh"]),
        _energy("reserve_short", summary["reserve_short_mwh"]),
        _energy("overload", summary["overload_mwh"]),
        *_otherwise(summary),
    ]


def _otherwise(summary: dict[str, Any]) -> list[Card]:
    """Of a run whose hours came otherwise than planned."""
    if "curtailment_extra_mwh" not in summary:
        return []
    extra = _energy("curtailed_extra", summary["curtailment_extra_mwh"])
    if "uncertainty_cost" not in summary:
        return [extra]
    uncertainty = _money("uncertainty", summary["uncertainty_cost"], summary["currency"])
    return [uncertainty, extra, _percent("store_share", summary["redispatch_store_share"], 1)]


def _energy(key: str, mwh: float) -> Card:
    scale, unit = energy_unit([mwh])
    return Card(key, _digits(mwh / scale), unit)


def _power(key: str, mw: float) -> Card:
    scale, unit = power_unit([mw])
    return Card(key, _digits(mw / scale), unit)


def _percent(key: str, share: float, places: int) -> Card:
    return Card(key, f"{100.0 * share:.{places}f}", "%")


def _money(key: str, value: float, currency: str) -> Card:
    return _scaled(key, value, ((1.0, currency), (1e6, f"million {currency}"), (1e9, f"bn {currency}")))


def _scaled(key: str, value: float, units: tuple[tuple[float, str], ...]) -> Card:
    scale, unit = next((u for u in reversed(units) if abs(value) >= 2.0 * u[0]), units[0])
    return Card(key, _digits(value / scale), named("unit", unit))


def _digits(value: float) -> str:
    size = abs(value)
    return "0" if size < 0.005 else f"{value:,.{0 if size >= 1e4 else 1 if size >= 100 else 2}f}"
