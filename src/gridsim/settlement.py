"""Money: who pays whom at the prices of the plan, for what was lived.

With p_b the price at bus b, every load pays it, every unit, source and store is paid it (a store pays while it
charges), spilled energy is paid for by the system. What is left over is the network's::

    sum p_b (load - unserved + spill - units - sources - stores)
        = congestion rent + rent of DC links + rent of phase shifters + surplus of losses                    (1)

With pi_m the price of line row m, H_m its entries, x what buses, links and shifters feed in, losses drawn included:

* congestion rent: ``sum_m pi_m H_m x``, the price of every full line or interface times what it carries (less what
  fixed phase shifts of the net drive through it);
* rent of a link: what its energy is worth where it arrives less where it is taken, less what its flow pays to
  interfaces that count it;
* rent of a phase shifter: less what it takes from lines, ``- sum_m pi_m H_ms s``;
* surplus of losses: what marginal losses in the prices bring in beyond the energy lost.

(1) holds because the energy of every step balances. Reserve is paid by the system: every product its price times what
is answered, up to what is asked, and all that answers alike.
"""

import numpy as np

from gridsim.bills import Tariffs
from gridsim.carry import Carried
from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.step import Fleet, Hour
from gridsim.plan import Plan
from gridsim.schema import techs_of, zones_of


def standing(bus: IntArray, buses: int) -> FloatArray:
    """(n, buses) 1 where a row stands: ``values @ standing(...)`` are sums by bus."""
    out = np.zeros((bus.size, buses))
    out[np.arange(bus.size), bus] = 1.0
    return out


class Settlement(Carried):
    """Settles lived steps, block by block; rents of lines and accounts of stores add up through the run."""

    carried = ("store_revenue", "store_cost", "rent")

    def __init__(self, case: Case, f: Fleet, shift_mw: FloatArray, tariffs: Tariffs):
        """`shift_mw`: what a degree of each phase shifter drives."""
        self.case, self.f, self.shift_mw, self.tariffs = case, f, shift_mw, tariffs
        techs = np.array(techs_of(case))
        tables = (case.units, case.sources, case.stores)
        self.of_unit, self.of_source, self.of_store = (
            (table["tech"].astype(str).to_numpy()[:, None] == techs[None, :]).astype(float) for table in tables
        )
        self.unit_of_seg = standing(f.seg_unit, len(case.units))
        zones = zones_of(case)
        self.bus_zone = np.array([zones.index(str(zone)) for zone in case.buses["zone"]], dtype=np.int64)
        self.zone_of = np.eye(len(zones))[self.bus_zone]  # (nb, zones)
        nb = len(case.buses)
        buses = (f.unit_bus, f.source_bus, f.store_bus, f.load_bus)
        self.at_unit, self.at_source, self.at_store, self.at_load = (standing(bus, nb) for bus in buses)
        self.at_link = standing(f.link_to, nb) * f.link_arrives[:, None] - standing(f.link_from, nb)
        self.store_revenue, self.store_cost = np.zeros(len(case.stores)), np.zeros(len(case.stores))
        self.rent = np.zeros(len(case.branches) + len(case.interfaces))

    def live(self, h: Hour, plan: Plan, t0: int) -> dict[str, FloatArray]:
        """Datasets of a block of lived steps from step `t0`."""
        f, dt_h, kept = self.f, self.case.dt_h, len(h.load)
        price = plan.price_bus[:kept]
        bus_of = (f.unit_bus, f.source_bus, f.store_bus)
        unit, source, store = (
            price[:, bus] * p * dt_h
            for bus, p in zip(bus_of, (h.unit_p, h.source, h.discharge - h.charge), strict=True)
        )
        served = h.load - h.shed
        paid = price[:, f.load_bus] * served * dt_h
        spent = price * h.spill * dt_h
        reserve = self._reserve(h, plan.price_reserve[:kept])
        cost_unit, cost_source, cost_store = self._costs(h)
        self.store_revenue += store.sum(axis=0)
        self.store_cost += cost_store.sum(axis=0)
        return {
            "price/zone": self._zone_prices(served, price),
            "money/load_payment": paid @ self.zone_of[f.load_bus],
            "money/tou_bill": served @ self.zone_of[f.load_bus] * self.tariffs.energy[t0 : t0 + kept] * dt_h,
            "money/local_bill": self._local_bills(h, t0),
            "money/spill_payment": spent.sum(axis=1),
            "money/tech_revenue": unit @ self.of_unit + source @ self.of_source + store @ self.of_store,
            "money/tech_cost": cost_unit @ self.of_unit + cost_source @ self.of_source + cost_store @ self.of_store,
            "money/reserve_revenue": reserve,
            **self._rents(h, plan),
        }

    def datasets(self) -> dict[str, FloatArray]:
        """Of the run: congestion rent by line and interface, revenue and cost by store. [currency]"""
        nbr = len(self.case.branches)
        return {
            "money/branch_rent": self.rent[:nbr],
            "money/interface_rent": self.rent[nbr:],
            "money/store_revenue": self.store_revenue,
            "money/store_cost": self.store_cost,
        }

    def _local_bills(self, h: Hour, t0: int) -> FloatArray:
        """(T, zones) what local grids pay for what they take from the grid, less what they are paid for the rest."""
        tariffs = self.tariffs
        if not tariffs.local.any():
            return np.zeros((len(h.load), tariffs.local.size))
        fed = self._injections(h) @ self.zone_of
        paid = np.maximum(-fed, 0.0) * tariffs.energy[t0 : t0 + len(h.load)] - np.maximum(fed, 0.0) * tariffs.feed_in
        bills: FloatArray = paid * tariffs.local * self.case.dt_h
        return bills

    def _zone_prices(self, served: FloatArray, price: FloatArray) -> FloatArray:
        """(T, zones) mean over its load; where there is none, over its buses."""
        load = served @ self.zone_of[self.f.load_bus]
        paid = (price[:, self.f.load_bus] * served) @ self.zone_of[self.f.load_bus]
        buses = price @ self.zone_of / np.maximum(self.zone_of.sum(axis=0), 1.0)
        return np.where(load > 0.0, paid / np.maximum(load, 1e-9), buses)

    def _rents(self, h: Hour, plan: Plan) -> dict[str, FloatArray]:
        """Rents of lines, links and phase shifters, and the surplus of losses, (T,) each. [currency]"""
        f, dt_h, kept = self.f, self.case.dt_h, len(h.load)
        price = plan.price_bus[:kept]
        worth = f.link_arrives * price[:, f.link_to] - price[:, f.link_from]
        link = (worth * h.link).sum(axis=1)
        lines, shift = np.zeros(kept), np.zeros(kept)
        rows, fed, lost = plan.line_rows.before(kept), self._injections(h), h.loss @ f.loss_share
        of_losses = plan.price[:kept, None] - price  # what is left of it below is what prices hold of marginal losses
        if rows.hour.size:
            nb, nlk = len(self.case.buses), f.link_from.size
            by_bus, by_link, by_shift = np.split(rows.coef, [nb, nb + nlk], axis=1)
            np.subtract.at(of_losses, rows.hour, rows.price[:, None] * by_bus)
            own_weight = by_link - (by_bus[:, f.link_to] * f.link_arrives - by_bus[:, f.link_from])
            of_link = (own_weight * h.link[rows.hour]).sum(axis=1)
            of_shift = (by_shift * (plan.shift_deg[rows.hour] * self.shift_mw)).sum(axis=1) if by_shift.size else 0.0
            carried = (by_bus * fed[rows.hour]).sum(axis=1) + of_link + of_shift
            np.add.at(lines, rows.hour, rows.price * carried)
            np.subtract.at(link, rows.hour, rows.price * of_link)
            np.subtract.at(shift, rows.hour, rows.price * of_shift)
            np.add.at(self.rent, rows.element, rows.price * carried * dt_h)
        return {
            "money/congestion_rent": lines * dt_h,
            "money/link_rent": link * dt_h,
            "money/shift_rent": shift * dt_h,
            "money/loss_surplus": (of_losses * fed - price * lost).sum(axis=1) * dt_h,
        }

    def _injections(self, h: Hour) -> FloatArray:
        """(T, nb) net injections as the step kernel balances them. [MW]"""
        f = self.f
        fed = h.unit_p @ self.at_unit + h.source @ self.at_source + (h.discharge - h.charge) @ self.at_store
        fed += h.link @ self.at_link - (h.load - h.shed) @ self.at_load
        injected: FloatArray = fed - h.spill - h.loss @ f.loss_share
        return injected

    def _costs(self, h: Hour) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Of every row of units, source and store, (T, n): energy, no-load, starts and wear. [currency]"""
        f = self.f
        unit = h.on * (f.unit_min_cost * f.unit_p_min + f.unit_no_load) + h.start_cost
        unit += (h.seg * f.seg_cost) @ self.unit_of_seg
        store = f.charge_cost * h.charge + f.discharge_cost * h.discharge + h.store_start_cost
        return unit, h.source * f.source_cost, store

    def answers(self, h: Hour) -> tuple[FloatArray, FloatArray]:
        """What answers to each product, of units (T, nu, np) and sources (T, ns, np), as the step counts it. [MW]"""
        f = self.f
        before = np.vstack((h.unit_before[None], h.unit_p[:-1]))
        rise = np.where((f.unit_held == 1) & ~np.isnan(before), f.answer_hours * (before + h.rise - h.unit_p), np.inf)
        head = np.maximum(np.minimum(h.cap - h.unit_p, rise), 0.0)
        up = f.product_up == 1
        most = h.on[:, :, None] * f.unit_response[None]
        room = np.where(up, head[:, :, None], (h.unit_p - h.floor)[:, :, None])
        idle = (h.available - h.on)[:, :, None] * f.unit_offline[None] * up
        unit = np.minimum(most, room) + idle
        left = np.where(up, (h.source_hi - h.source)[:, :, None], (h.source - h.source_lo)[:, :, None])
        return unit, left * f.source_responds[None]

    def _reserve(self, h: Hour, price: FloatArray) -> FloatArray:
        """(T, techs) paid for reserve: all that answers alike, together for no more than is asked. [currency]"""
        if not price.any():
            return np.zeros((len(price), self.of_unit.shape[1]))
        unit, source = self.answers(h)
        total = np.maximum(unit.sum(axis=1) + source.sum(axis=1), 1e-9)
        rate = price * np.minimum(1.0, h.need / total) * self.case.dt_h  # (T, np) of a MW
        out: FloatArray = (unit * rate[:, None]).sum(axis=2) @ self.of_unit
        return out + (source * rate[:, None]).sum(axis=2) @ self.of_source
