"""Audit of carbon: emissions by zone and row, and that what is traced to consumers is what was emitted."""

import numpy as np

from gridsim.audit_data import AuditRow, Record, as_text, at, row_of

SHARE = 1e-6  # of the step's emissions
LEAST_T = 1.0  # emissions of a step that are no less for this purpose


def check_carbon(record: Record) -> list[AuditRow]:
    """Every series of /carbon but those by technology, which `audit_money` checks."""
    s, dt_h = record.series, record.dt_h
    units, sources = record.tables["units"], record.tables["sources"]
    zones = as_text(record.file["zone"][...]).tolist()
    zone_of = record.tables["buses"]["zone"].astype(str).to_numpy()
    by_zone, origin = np.zeros((record.steps, len(zones))), np.zeros(record.steps)
    sums = {"units": np.zeros(0), "sources": np.zeros(0)}
    if not units.empty:
        t = s("dispatch/unit_p_mw") * units["co2_t_per_mwh"].to_numpy(float)
        t = (t + s("commitment/on") * units["co2_no_load_t_per_h"].to_numpy(float)) * dt_h
        sums["units"] = t.sum(0)
        for i, bus in enumerate(units["bus_row"]):
            by_zone[:, zones.index(zone_of[bus])] += t[:, i]
    if not sources.empty:
        p = s("dispatch/source_p_mw")
        t = p * sources["co2_t_per_mwh"].to_numpy(float) * dt_h
        sums["sources"] = t.sum(0)
        origin += np.maximum(p, 0.0) @ sources["origin_co2_t_per_mwh"].to_numpy(float) * dt_h
        for i, bus in enumerate(sources["bus_row"]):
            by_zone[:, zones.index(zone_of[bus])] += t[:, i]
    scale = np.maximum(np.abs(by_zone).sum(1) + origin, LEAST_T)
    label = at(record)
    used = s("carbon/zone_load_t")
    traced = used.sum(1) + sum(s(f"carbon/{name}") for name in ("export_t", "lost_t", "store_change_t"))
    energy = np.zeros((record.steps, len(zones)))
    loads, stores = record.tables["loads"], record.tables["stores"]
    for i, bus in enumerate(() if loads.empty else loads["bus_row"]):
        energy[:, zones.index(zone_of[bus])] += s("dispatch/load_mw")[:, i] - s("unserved/load_mw")[:, i]
    for i, bus in enumerate(() if stores.empty else stores["bus_row"]):
        energy[:, zones.index(zone_of[bus])] += s("storage/demand_mw")[:, i]
    of = "of the hour"
    off = np.abs(s("carbon/zone_intensity") * energy * dt_h - used).sum(1)
    totals = np.concatenate([np.abs(s(f"carbon/{n}") - sums[f"{n[:-2]}s"]) for n in ("unit_t", "source_t")])
    return [
        row_of("emissions by zone", np.abs(s("carbon/zone_emission_t") - by_zone).sum(1) / scale, SHARE, label, of),
        row_of("emissions at the origin of imports", np.abs(s("carbon/origin_t") - origin) / scale, SHARE, label, of),
        row_of("emissions are traced whole", np.abs(traced - by_zone.sum(1) - origin) / scale, SHARE, label, of),
        row_of("intensity of consumption", off / scale, SHARE, label, of),
        row_of("traced emissions not negative", -used, SHARE, at(record, zones), "t"),
        row_of("emissions by row", totals / scale.sum(), SHARE, lambda _: "the run", "of the run"),
    ]
