"""Audit of the settlement: payments and revenues worked out from prices and outputs, and that they add up."""

import numpy as np

from gridsim.audit_data import AuditRow, FloatArray, Record, as_text, at, row_of
from gridsim.audit_money import unit_starts
from gridsim.audit_network import injections

SHARE = 1e-6  # of what changes hands in the step, at a price of at least LEAST_PRICE
LEAST_PRICE = 1.0  # currency/MWh: stored prices are rounded
RENTS = ("congestion_rent", "link_rent", "shift_rent", "loss_surplus")


def check_settlement(record: Record) -> list[AuditRow]:
    """Every series of /money, in shares of all payments of the step."""
    s, dt_h = record.series, record.dt_h
    price = s("price/bus")
    paid = energy_worth(record, price)
    moved = energy_worth(record, np.full_like(price, LEAST_PRICE))
    scale = sum(np.maximum(np.abs(paid[name]), np.abs(moved[name])).sum(1) for name in paid)
    # so are MW: a MW of reserve at its price is seen to a millionth
    scale += (s("reserve/need_mw") * LEAST_PRICE + s("price/reserve")).sum(1) * dt_h
    scale = np.maximum(scale, 1.0)
    spill = (price * s("spill/bus_mw")).sum(1) * dt_h
    techs, zones = names(record, "tech"), names(record, "zone")
    revenue, cost = np.zeros((record.steps, len(techs))), np.zeros((record.steps, len(techs)))
    for table in ("units", "sources", "stores"):
        for i, tech in enumerate(() if record.tables[table].empty else record.tables[table]["tech"]):
            revenue[:, techs.index(tech)] += paid[table][:, i]
    by_zone = np.zeros((record.steps, len(zones)))
    loads = record.tables["loads"]
    zone_of = record.tables["buses"]["zone"].astype(str).to_numpy()
    for i, bus in enumerate(() if loads.empty else loads["bus_row"]):
        by_zone[:, zones.index(zone_of[bus])] += paid["loads"][:, i]
    want = {"load_payment": by_zone, "tech_revenue": revenue}
    off = {name: np.abs(s(f"money/{name}") - values).sum(1) for name, values in want.items()}
    off["local_bill"] = local_bills(record, zones)
    off["spill_payment"] = np.abs(s("money/spill_payment") - spill)
    cost = s("money/tech_cost").sum(1)
    parts = sum(s(f"cost/{part}") for part in ("energy", "no_load", "start", "wear"))
    left = by_zone.sum(1) + spill - revenue.sum(1)
    rents = sum(s(f"money/{name}") for name in RENTS)
    reserve = (s("price/reserve") * np.minimum(s("reserve/provided_mw"), s("reserve/need_mw"))).sum(1) * dt_h
    label = at(record)
    of = "of payments"
    total = s("money/branch_rent").sum() + s("money/interface_rent").sum() - s("money/congestion_rent").sum()
    return [
        *(row_of(f"money: {name}", values / scale, SHARE, label, of) for name, values in off.items()),
        row_of("money: costs by technology", np.abs(cost - parts) / np.maximum(parts, 1.0), SHARE, label, "of costs"),
        row_of("money: stores", stores(record, paid["stores"]) / scale.sum(), SHARE, lambda _: "the run", of),
        row_of("money: reserve", np.abs(s("money/reserve_revenue").sum(1) - reserve) / scale, SHARE, label, of),
        row_of("settlement adds up", np.abs(left - rents) / scale, SHARE, label, of),
        row_of("congestion rent by line", np.array([abs(total) / scale.sum()]), SHARE, lambda _: "the run", of),
    ]


def names(record: Record, dimension: str) -> list[str]:
    return as_text(record.file[dimension][...]).tolist()


def energy_worth(record: Record, price: FloatArray) -> dict[str, FloatArray]:
    """(time, row) of every table: what its energy is worth at its bus, loads as far as they are served."""
    s = record.series
    power = {
        "loads": s("dispatch/load_mw") - s("unserved/load_mw"),
        "units": s("dispatch/unit_p_mw"),
        "sources": s("dispatch/source_p_mw"),
        "stores": s("storage/discharge_mw") - s("storage/charge_mw"),
    }
    bus = {name: record.tables[name] for name in power}
    return {
        name: price[:, bus[name]["bus_row"].to_numpy(int)] * p * record.dt_h if len(bus[name]) else np.zeros_like(p)
        for name, p in power.items()
    }


def local_bills(record: Record, zones: list[str]) -> FloatArray:
    """(time,) how far the bills of local grids are from what their connections carried; of other zones, from nothing.

    What a MWh taken costs follows from the bill of the zone's load at the same tariff. Where no load is billed, what is
    taken may cost anything that is not negative.
    """
    s, bill, prices = record.series, record.series("money/local_bill"), feed_in_prices(record)
    if not prices:
        return np.abs(bill).sum(1)
    zone_of = record.tables["buses"]["zone"].astype(str).to_numpy()
    loads, fed_by_bus = record.tables["loads"], injections(record)
    served_by_load, off = s("dispatch/load_mw") - s("unserved/load_mw"), np.zeros(record.steps)
    for k, zone in enumerate(zones):
        want = np.zeros(record.steps)
        if zone in prices:
            served = served_by_load[:, zone_of[loads["bus_row"].to_numpy(int)] == zone].sum(1)
            fed = fed_by_bus[:, zone_of == zone].sum(1) * record.dt_h
            billed = served > 0.0
            price = np.where(billed, s("money/tou_bill")[:, k] / np.where(billed, served * record.dt_h, 1.0), 0.0)
            want = np.where(fed > 0.0, -fed * prices[zone], -fed * price)
            want = np.where((fed < 0.0) & ~billed, np.maximum(bill[:, k], 0.0), want)
        off += np.abs(bill[:, k] - want)
    return off


def feed_in_prices(record: Record) -> dict[str, float]:
    """What each local grid of the scenario is paid for a MWh that it feeds in. [currency/MWh]"""
    given = record.scenario.get("jiangsu", {}).get("local_grid", [])
    return {str(grid["name"]): float(grid["feed_in_cny_per_mwh"]) for grid in given}


def stores(record: Record, paid: FloatArray) -> FloatArray:
    """How far revenue and cost of every store are from its energy's worth `paid`, its wear and its starts."""
    s, table = record.series, record.tables["stores"]
    if table.empty:
        return np.zeros(0)
    cost = s("storage/charge_mw") * table["charge_cost"].to_numpy(float) * record.dt_h
    cost = cost + s("storage/discharge_mw") * table["discharge_cost"].to_numpy(float) * record.dt_h
    for way in ("charge", "discharge"):
        cost = cost + unit_starts(record, way) * table["start_cost"].to_numpy(float)
    want = {"revenue": paid.sum(0), "cost": cost.sum(0)}
    return np.concatenate([np.abs(s(f"money/store_{name}") - value) for name, value in want.items()])
