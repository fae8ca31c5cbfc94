"""Money in the summary: who pays whom at the prices of the plan. Currency of the run; see `gridsim.settlement`.

============================= ====================================================================================
key                           meaning
============================= ====================================================================================
money                         {load_payment, spill_payment, reserve_payment, congestion_rent, link_rent, shift_rent,
                              loss_surplus}: sums of the run
revenue_by_tech               {tech: paid for energy}; stores: discharged less charged
reserve_revenue_by_tech       {tech: paid for reserve}
cost_by_tech                  {tech: energy, no-load, starts and wear}
capture_price                 {tech: revenue of energy over energy fed in, currency/MWh}; stores: none
price_by_zone                 {zone: what its load paid on average, currency/MWh}
congestion_rent_by_element    {line or interface: rent}: the ten largest
tou_bill_by_zone              {zone: bill of its load at the time-of-use tariff}; none without a tariff
local_bill                    {local grid: what it pays for what it takes from the grid at its tariff, less what it is
                              paid for what it feeds in}; none without local grids
============================= ====================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader
    from gridsim.summary_sums import Sums

SHOWN_ELEMENTS = 10
RENTS = ("congestion_rent", "link_rent", "shift_rent", "loss_surplus")


def money_keys(run: ResultsReader, sums: Sums) -> dict[str, Any]:
    """All keys of this module's table."""
    paid = sums.total("money/load_payment")
    revenue, reserve, cost = (sums.total(f"money/{name}") for name in ("tech_revenue", "reserve_revenue", "tech_cost"))
    techs, zones = run.names("tech"), run.names("zone")
    bill = sums.total("money/tou_bill")
    local = sums.total("money/local_bill")
    stores = set(run.table("stores")["tech"])
    energy = sums.total("dispatch/tech_p_mw") * run.dt_h
    money = {
        "load_payment": float(paid.sum()),
        "spill_payment": float(sums.total("money/spill_payment")),
        "reserve_payment": float(reserve.sum()),
        **{name: float(sums.total(f"money/{name}")) for name in RENTS},
    }
    return {
        "money": money,
        "revenue_by_tech": _named(techs, revenue),
        "reserve_revenue_by_tech": _named(techs, reserve),
        "cost_by_tech": _named(techs, cost),
        "capture_price": {
            tech: float(revenue[k] / energy[k])
            for k, tech in enumerate(techs)
            if tech not in stores and energy[k] > 0.0
        },
        "price_by_zone": _zone_prices(run, sums, paid, zones),
        "congestion_rent_by_element": _rents(run),
        "tou_bill_by_zone": _named(zones, bill) if bill.any() else {},
        "local_bill": {zone: paid for zone, paid in _named(zones, local).items() if paid},
    }


def _named(names: list[str], values: Any) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _zone_prices(run: ResultsReader, sums: Sums, paid: Any, zones: list[str]) -> dict[str, float]:
    zone = run.table("buses")["zone"].astype(str).to_numpy()[run.table("loads")["bus_row"].to_numpy(dtype=int)]
    served = (sums.total("dispatch/load_mw") - sums.total("unserved/load_mw")) * run.dt_h
    mwh = np.array([served[zone == name].sum() for name in zones])
    return {name: float(paid[k] / mwh[k]) for k, name in enumerate(zones) if mwh[k] > 0.0}


def _rents(run: ResultsReader) -> dict[str, float]:
    names = [*run.names("branch"), *run.names("interface")]
    rent = np.concatenate((run.array("money/branch_rent"), run.array("money/interface_rent")))
    most = [k for k in np.argsort(-rent, kind="stable")[:SHOWN_ELEMENTS] if rent[k] > 0.0]
    return {names[k]: float(rent[k]) for k in most}


def money_table(summary: dict[str, Any]) -> Table:
    """Payments and rents for people; then prices and revenues by technology."""
    from rich import box
    from rich.table import Table

    money = summary["currency"]
    largest = max(map(abs, summary["money"].values()), default=0.0)
    scale, word = next(
        (s, w) for s, w in ((1e6, "million "), (1e3, "thousand "), (1.0, "")) if largest >= s or s == 1.0
    )
    table = Table(box=box.SIMPLE, title=f"settlement, {word}{money}")
    for name in ("", "revenue", "reserve", "cost", f"{money}/MWh"):
        table.add_column(name, justify="left" if not name else "right")
    for name, value in summary["money"].items():
        if abs(value) >= 1.0:
            table.add_row(name.replace("_", " "), f"{value / scale:,.2f}", "", "", "")
    for tech, revenue in summary["revenue_by_tech"].items():
        price = summary["capture_price"].get(tech)
        cells = revenue, summary["reserve_revenue_by_tech"][tech], summary["cost_by_tech"][tech]
        table.add_row(tech, *(f"{v / scale:,.2f}" for v in cells), "" if price is None else f"{price:,.1f}")
    for zone, price in summary["price_by_zone"].items():
        table.add_row(f"price, {zone}", "", "", "", f"{price:,.1f}")
    if summary["tou_bill_by_zone"]:
        bill = sum(summary["tou_bill_by_zone"].values())
        table.add_row("load, at the time-of-use tariff", f"{bill / scale:,.2f}", "", "", "")
    for zone, paid in summary["local_bill"].items():
        table.add_row(f"local grid {zone}, at its tariff", f"{paid / scale:,.2f}", "", "", "")
    return table
