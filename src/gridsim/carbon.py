"""Carbon: who emits, and whose consumption it is, traced along the flows of every step.

Proportional sharing: whatever leaves a bus, to its loads, its charging stores, lines, links and neighbours, carries the
mix of what comes in. With f the flows into bus b, E what is emitted there and P all that comes in::

    c_b P_b = E_b + sum over inflows f c_from + sum over discharging stores sigma d / eta_d            (1)

c is the intensity at the bus [t/MWh]. E counts what units and sources emit, and of imports what was emitted at their
origin. A store keeps the carbon of what it charged; over a block of steps (those that a window keeps) it is well mixed,
and what leaves it or stays in it carries the same::

    sigma = (carbon before + sum c charge) / (energy taken out + energy left at the end)               (2)

so its losses make what is left dirtier, and demand on a store (driving, heat, hydrogen) is a load with that intensity.
Before the first step stores hold the mean of the first block's supply. In every step ::

    own emissions + origin of imports = loads + exports + losses and spill + change in stores          (3)

Flows without a loop settle (1) in as many sweeps as the longest way has lines; loops, which phase shifters and links
can drive, converge. The losses of a DC link are consumed where it takes its power, those of lines where they are drawn.
"""

from typing import NamedTuple

import numpy as np

from gridsim.carry import Carried
from gridsim.case import Case
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.step import Fleet, Hour
from gridsim.schema import zones_of
from gridsim.settlement import standing

SETTLED = 1e-11  # t/MWh: change of the last sweep
SWEEPS = 2000
NOTHING_MW = 1e-6  # comes in at a bus whose emissions cannot be traced


class Traced(NamedTuple):
    """Intensities of a block of T steps."""

    bus: FloatArray  # (T, nb) t/MWh
    store: FloatArray  # (nst,) of what leaves each store, t/MWh


class Ways(NamedTuple):
    """Flows of a block as pairs of places, ``step * buses + bus``."""

    sender: IntArray
    receiver: IntArray
    mw: FloatArray


class Carbon(Carried):
    """Traces lived steps, block by block; carbon in stores is carried on, and emissions by row add up."""

    carried = ("stock", "unit_t", "source_t")

    def __init__(self, case: Case, f: Fleet):
        self.case, self.f = case, f
        self.nb = len(case.buses)
        zones = zones_of(case)
        zone = np.array([zones.index(str(name)) for name in case.buses["zone"]], dtype=np.int64)
        self.zone_of = np.eye(len(zones))[zone]  # (nb, zones)
        self.ends = (case.branches["from_row"].to_numpy(dtype=np.int64), case.branches["to_row"].to_numpy(np.int64))
        self.origin = case.sources["origin_co2_t_per_mwh"].to_numpy(dtype=np.float64) * case.dt_h
        buses = (f.unit_bus, f.source_bus, f.store_bus, f.load_bus)
        self.at_unit, self.at_source, self.at_store, self.at_load = (standing(bus, self.nb) for bus in buses)
        self.stock: FloatArray | None = None  # (nst,) t
        self.unit_t, self.source_t = np.zeros(len(case.units)), np.zeros(len(case.sources))

    def live(self, h: Hour, t0: int) -> dict[str, FloatArray]:
        """Datasets of a block of lived steps from step `t0`."""
        case, f, dt_h = self.case, self.f, self.case.dt_h
        unit = h.unit_p * f.unit_co2 + h.on * f.unit_co2_no_load  # t
        source = h.source * f.source_co2
        abroad = np.maximum(h.source, 0.0) * self.origin
        self.unit_t += unit.sum(axis=0)
        self.source_t += source.sum(axis=0)
        own = unit @ self.at_unit + source @ self.at_source
        emitted = own + abroad @ self.at_source
        demand = case.store_limits.demand_mw[t0 : t0 + len(h.load)]
        taken = h.discharge / f.eta_d + demand + h.let_go  # (T, nst) out of the store, MW
        ways = self._ways(h)
        fed = h.unit_p @ self.at_unit + np.maximum(h.source, 0.0) @ self.at_source
        fed += h.discharge @ self.at_store
        if self.stock is None:
            mean = emitted.sum() / max(fed.sum() * dt_h, 1e-9)
            self.stock = case.stores["e_start_mwh"].to_numpy(dtype=np.float64) * mean
        traced, lost = self._trace(h, ways, fed, emitted / dt_h, taken)
        c, sigma = traced
        load = (h.load - h.shed) @ self.at_load
        of_demand = demand @ self.at_store
        consumed = (c * load + (sigma * demand) @ self.at_store) @ self.zone_of * dt_h
        energy = (load + of_demand) @ self.zone_of * dt_h
        change = (c[:, f.store_bus] * h.charge - sigma * taken) * dt_h
        self.stock = self.stock + change.sum(axis=0)
        exported = (c[:, f.source_bus] * np.maximum(-h.source, 0.0)).sum(axis=1)
        lost += (c * (h.spill + h.loss @ f.loss_share)).sum(axis=1) + (sigma * h.let_go).sum(axis=1)
        return {
            "carbon/origin_t": abroad.sum(axis=1),
            "carbon/zone_emission_t": own @ self.zone_of,
            "carbon/zone_load_t": consumed,
            "carbon/zone_intensity": np.divide(consumed, energy, out=np.zeros_like(energy), where=energy > 1e-6),
            "carbon/export_t": exported * dt_h,
            "carbon/lost_t": lost * dt_h,
            "carbon/store_change_t": change.sum(axis=1),
        }

    def datasets(self) -> dict[str, FloatArray]:
        """Emissions of the run by row of units and sources. [t]"""
        return {"carbon/unit_t": self.unit_t, "carbon/source_t": self.source_t}

    def _ways(self, h: Hour) -> Ways:
        """All flows of branches, then of links as they arrive."""
        f, nbr = self.f, len(self.ends[0])
        begin, end = (np.concatenate(pair) for pair in zip(self.ends, (f.link_from, f.link_to), strict=True))
        flow = np.hstack((h.flow[:, :nbr], h.link))
        # a link that runs backwards is taken where it would arrive
        arrives = np.hstack((np.abs(h.flow[:, :nbr]), np.where(h.link >= 0.0, f.link_arrives * h.link, -h.link)))
        step = (np.arange(len(flow)) * self.nb)[:, None]
        forward = flow >= 0.0
        sender, receiver = np.where(forward, begin, end) + step, np.where(forward, end, begin) + step
        return Ways(sender.ravel(), receiver.ravel(), arrives.ravel())

    def _trace(
        self, h: Hour, ways: Ways, fed: FloatArray, rate: FloatArray, taken: FloatArray
    ) -> tuple[Traced, FloatArray]:
        """Intensities (1) and (2), and what is emitted (T,) where nothing comes in, or is lost on links. [t/h]"""
        f, dt_h, kept, nb = self.f, self.case.dt_h, len(h.load), self.nb
        assert self.stock is not None
        through = fed.ravel() + np.bincount(ways.receiver, ways.mw, kept * nb)
        live = through > NOTHING_MW
        per_mw = np.where(live, 1.0 / np.maximum(through, NOTHING_MW), 0.0)
        base = rate.ravel() * per_mw
        share = ways.mw * per_mw[ways.receiver]
        held = taken.sum(axis=0) * dt_h + h.e[-1] * dt_h
        per_mwh = np.where(held > NOTHING_MW, 1.0 / np.maximum(held, NOTHING_MW), 0.0)
        place = (f.store_bus + (np.arange(kept) * nb)[:, None]).ravel()
        given = (h.discharge / f.eta_d).ravel() * per_mw[place]
        charge, stores = h.charge * dt_h, len(f.store_bus)
        c, sigma = base, self.stock * per_mwh
        for _ in range(SWEEPS):
            after = base + np.bincount(ways.receiver, share * c[ways.sender], c.size)
            mixed = sigma
            if stores:
                after += np.bincount(place, given * np.tile(sigma, kept), c.size)
                mixed = (self.stock + (charge * after[place].reshape(kept, stores)).sum(axis=0)) * per_mwh
            moved = max(np.abs(after - c).max(initial=0.0), np.abs(mixed - sigma).max(initial=0.0))
            c, sigma = after, mixed
            if moved <= SETTLED:
                break
        untraced = (rate.ravel() * ~live).reshape(kept, nb).sum(axis=1)
        bus = c.reshape(kept, nb)
        sent = np.where(h.link >= 0.0, bus[:, f.link_from], bus[:, f.link_to])
        return Traced(bus, sigma), untraced + (sent * (1.0 - f.link_arrives) * h.link).sum(axis=1)
