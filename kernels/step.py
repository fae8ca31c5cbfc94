"""The time step: one step lived through after another - settle the plan, advance the state, account for it.

Steps are hours here; where they are shorter, the caller gives the money of one step for each MW, energies in MW steps
and the share kept over a step, and nothing else changes.

An hour takes the planned outputs, removes what an interior point leaves behind (outputs a hair off their bounds, a
store with both directions a hair above zero), closes the balance to rounding, moves the state of charge, and adds up
flows, costs, reserves and margins. With perfect forecasts nothing else may change: the
largest move against the plan is returned, for the caller to check.

Losses are what the flows make them: an hour is balanced, its flows are computed and its losses with them, and what has
changed of the losses is balanced again, until nothing changes that would be seen.

Balance left over by the tidying goes where it costs least thought: into dispatchable output with room, then into
sources (up to what is available), then into rows that ramps hold, as far as they leave room, then into stores that
charge less, then into shedding or spilling.
"""

from typing import NamedTuple

import numpy as np

from gridsim.kernels.jit import FloatArray, IntArray, kernel

DUST_MW = 1e-3
DUST_STORE_MW = 1e-6  # less, because it adds up in the state of charge
LOSS_MW = 1e-5  # change of an island's losses for which an hour is balanced again
LOSS_TURNS = 30  # times at most; each leaves a few hundredths, the marginal losses, of the change before
COST_PARTS = ("energy", "no_load", "start", "wear", "shed", "spill", "reserve_short", "overload")


class Fleet(NamedTuple):
    """What does not change during a run. nu unit rows, nk segments, ns sources, nst stores, nlk links, np products."""

    unit_bus: IntArray
    unit_p_min: FloatArray  # of one unit
    unit_min_cost: FloatArray  # currency/MWh up to p_min
    unit_no_load: FloatArray
    unit_co2: FloatArray  # t/MWh
    unit_co2_no_load: FloatArray  # t/h
    unit_held: IntArray  # 1: ramps or limits in the first or last hour
    unit_response: FloatArray  # (nu, np) most that one unit on answers with
    unit_offline: FloatArray  # (nu, np) what one unit off and available answers with
    seg_unit: IntArray
    seg_cost: FloatArray
    source_bus: IntArray
    source_cost: FloatArray
    source_co2: FloatArray
    source_firm: IntArray  # (ns,) 1: a link carries just what it gives, which may not be moved
    source_lowers: IntArray  # 1: its room down counts as margin; 0: wind and sun, which it would curtail
    source_responds: FloatArray  # (ns, np) 1: its headroom (room) answers
    store_bus: IntArray
    charge_cost: FloatArray
    discharge_cost: FloatArray
    eta_c: FloatArray
    eta_d: FloatArray
    keep: FloatArray
    e_min: FloatArray
    e_max: FloatArray
    reservoir: FloatArray  # most that flows in in an hour; 0: nothing can be let go
    load_bus: IntArray
    link_from: IntArray
    link_to: IntArray
    link_arrives: FloatArray  # (nlk,) share of what is taken that is delivered
    ptdf: FloatArray  # (nbr, nb)
    loss_per_mw2: FloatArray  # (nbr,) loss of a branch over the square of its flow, 1/MW
    loss_island: IntArray  # (nbr,) island that bears it
    bus_island: IntArray  # (nb,)
    loss_share: FloatArray  # (ni, nb) where an island's losses are drawn; ni: 0 where nothing is lost
    interface_weight: FloatArray  # (nif, nbr + nlk)
    overload_cost: FloatArray  # (nbr + nif,) currency/MWh
    product_up: IntArray  # (np,) 1: up, 0: down
    penalties: FloatArray  # shed, spill, reserve_short
    answer_hours: float  # hours of the ramp left that reserve up may take: 1, or the shorter hours of an hour


class Hour(NamedTuple):
    """The block of hours being lived: planned values in, settled values out. T hours; MW."""

    on: IntArray  # (T, nu)
    start: IntArray
    start_cost: FloatArray  # (T, nu) currency
    store_start_cost: FloatArray  # (T, nst) currency
    available: IntArray  # (T, nu)
    cap: FloatArray  # (T, nu) most output of the units on
    rise: FloatArray  # (T, nu) largest rise into the hour; endless where nothing holds a row
    fall: FloatArray  # (T, nu)
    unit_before: FloatArray  # (nu,) output in the hour before the block; NaN: not known
    floor: FloatArray  # (T, nu) least output of the units on
    ceiling: FloatArray  # (T, nu) most of them, whatever their ramps
    seg: FloatArray  # (T, nk) updated
    seg_lo: FloatArray  # (T, nk)
    seg_hi: FloatArray  # (T, nk)
    source: FloatArray  # (T, ns) updated
    source_lo: FloatArray
    source_hi: FloatArray
    charge_max: FloatArray  # (T, nst)
    discharge_max: FloatArray  # (T, nst)
    charge: FloatArray  # (T, nst) updated
    discharge: FloatArray  # updated
    e: FloatArray  # (T, nst) updated, end of the hour
    inflow: FloatArray  # (T, nst) what is taken out deducted
    let_go: FloatArray  # (T, nst) energy spilled, updated
    link: FloatArray  # (T, nlk)
    offset: FloatArray  # (T, nbr) flow that phase shifts drive
    loss: FloatArray  # (T, ni) updated
    load: FloatArray  # (T, nl)
    shed: FloatArray  # (T, nl) updated
    spill: FloatArray  # (T, nb) updated
    need: FloatArray  # (T, np)
    limit: FloatArray  # (T, nbr + nif) forward; inf where not limited
    back_limit: FloatArray
    unit_p: FloatArray  # (T, nu) written; of the hour ahead first what is planned
    flow: FloatArray  # (T, nbr + nif) written
    cost: FloatArray  # (T, 8) written, COST_PARTS
    provided: FloatArray  # (T, np) written
    short: FloatArray  # (T, np) written
    margin: FloatArray  # (T, 2) written: up, down


@kernel(inner=True)
def _snap(value, lo, hi):
    """A value a hair off a bound is that bound."""
    if value <= lo + DUST_MW:
        return lo
    if value >= hi - DUST_MW:
        return hi
    return value


@kernel(part=True)
def tidy_stores(f, h, t):
    """One direction per store and hour, with the same change of its energy.

    A store in both directions burns energy, which pays where a price is negative or 0. What it no longer burns is taken
    off sources at its bus, and spilled there if they cannot give way: it must not travel through the network.
    """
    for i in range(f.store_bus.size):
        charge, discharge = max(0.0, h.charge[t, i]), max(0.0, h.discharge[t, i])
        before = discharge - charge
        net = f.eta_c[i] * charge - discharge / f.eta_d[i]
        if net >= 0.0:
            charge, discharge = net / f.eta_c[i], 0.0
        else:
            charge, discharge = 0.0, -net * f.eta_d[i]
        charge = min(charge if charge > DUST_STORE_MW else 0.0, h.charge_max[t, i])
        discharge = min(discharge if discharge > DUST_STORE_MW else 0.0, h.discharge_max[t, i])
        h.charge[t, i], h.discharge[t, i] = charge, discharge
        surplus = discharge - charge - before
        if surplus > DUST_MW:
            for j in range(f.source_bus.size):
                if f.source_bus[j] == f.store_bus[i]:
                    part = min(surplus, max(0.0, h.source[t, j] - h.source_lo[t, j]))
                    h.source[t, j] -= part
                    surplus -= part
            h.spill[t, f.store_bus[i]] += surplus


@kernel(part=True)
def advance_stores(f, h, t, e):
    """Move the state of charge `e` through hour t; what rounding makes run over is let go, or not charged."""
    for i in range(e.size):
        if f.reservoir[i] > 0.0:
            if h.let_go[t, i] < DUST_STORE_MW:
                h.let_go[t, i] = 0.0
            after = f.keep[i] * e[i] + h.inflow[t, i] + f.eta_c[i] * h.charge[t, i] - h.discharge[t, i] / f.eta_d[i]
            h.let_go[t, i] = max(min(h.let_go[t, i], after - f.e_min[i]), after - f.e_max[i], 0.0)
        else:
            h.let_go[t, i] = 0.0
        held = f.keep[i] * e[i] + h.inflow[t, i] - h.let_go[t, i]
        room, left = f.e_max[i] - held, held - f.e_min[i]
        if f.reservoir[i] == 0.0 and h.charge[t, i] * f.eta_c[i] > room:
            h.charge[t, i] = max(0.0, room) / f.eta_c[i]
        if h.discharge[t, i] > left * f.eta_d[i]:
            h.discharge[t, i] = max(0.0, left) * f.eta_d[i]
        e[i] = held + f.eta_c[i] * h.charge[t, i] - h.discharge[t, i] / f.eta_d[i]
        h.e[t, i] = e[i]


@kernel(inner=True)
def _take(want, room):
    """What of `want` fits into `room`; both of either sign, room >= 0."""
    if want >= 0.0:
        return min(want, room)
    return max(want, -room)


@kernel(inner=True)
def _before(unit_p, unit_before, t, i):
    """Output of a row of units in the hour before; NaN: not known."""
    return unit_p[t - 1, i] if t > 0 else unit_before[i]


@kernel(inner=True)
def _elsewhere(bus_island, bus, island):
    """Not in the island; -1 is everywhere."""
    return island >= 0 and bus_island[bus] != island


@kernel(part=True)
def look_ahead(f, h, t):
    """Planned outputs of hour t: a row that ramps hold may not be moved so far that it cannot reach them."""
    for i in range(f.unit_bus.size):
        h.unit_p[t, i] = h.on[t, i] * f.unit_p_min[i]
    for k in range(f.seg_unit.size):
        h.unit_p[t, f.seg_unit[k]] += h.seg[t, k]


@kernel(part=True)
def charge_less(f, h, t, island, short, e):
    """Lower the charging of hour t by up to `short`, as far as stores do not need it; what that made, MW."""
    made = 0.0
    for i in range(f.store_bus.size):
        if _elsewhere(f.bus_island, f.store_bus[i], island):
            continue
        needed = max(0.0, f.e_min[i] - e[i] + f.eta_c[i] * h.charge[t, i]) / f.eta_c[i]
        part = min(short - made, max(0.0, h.charge[t, i] - needed))
        h.charge[t, i] -= part
        e[i] -= f.eta_c[i] * part
        h.e[t, i] = e[i]
        made += part
    return made


@kernel(part=True)
def close_balance(f, h, t, island, more, e):
    """Make supply equal load in hour t to rounding; or, within one island (not -1), as much larger as `more`.

    `e` is what stores hold at the end of the hour, updated where one has to charge less. Returns what had to be
    moved, MW.
    """
    short = more
    if island < 0:
        for i in range(f.load_bus.size):
            short += h.load[t, i] - h.shed[t, i]
        for i in range(h.loss.shape[1]):
            short += h.loss[t, i]
        for i in range(f.unit_bus.size):
            h.unit_p[t, i] = h.on[t, i] * f.unit_p_min[i]
            short -= h.unit_p[t, i]
        for k in range(f.seg_unit.size):
            h.unit_p[t, f.seg_unit[k]] += h.seg[t, k]
            short -= h.seg[t, k]
        for i in range(f.source_bus.size):
            short -= h.source[t, i]
        for i in range(f.store_bus.size):
            short -= h.discharge[t, i] - h.charge[t, i]
        for i in range(f.link_to.size):
            short += (1.0 - f.link_arrives[i]) * h.link[t, i]
        for b in range(h.spill.shape[1]):
            short += h.spill[t, b]
    moved = short
    ahead = t + 1 if t + 1 < h.load.shape[0] else -1
    for inside_only in (True, False):  # first into what the plan left between its bounds: nobody's bound is touched
        for k in range(f.seg_unit.size):
            i = f.seg_unit[k]
            low, top = h.seg_lo[t, k], h.seg_hi[t, k]
            if f.unit_held[i] or (inside_only and not low < h.seg[t, k] < top):
                continue
            if _elsewhere(f.bus_island, f.unit_bus[i], island):
                continue
            part = _take(short, top - h.seg[t, k] if short > 0.0 else h.seg[t, k] - low)
            h.seg[t, k] += part
            h.unit_p[t, i] += part
            short -= part
        for i in range(f.source_bus.size):
            if f.source_firm[i]:
                continue
            low, top = h.source_lo[t, i], h.source_hi[t, i]
            if (inside_only and not low < h.source[t, i] < top) or _elsewhere(f.bus_island, f.source_bus[i], island):
                continue
            part = _take(short, top - h.source[t, i] if short > 0.0 else h.source[t, i] - low)
            h.source[t, i] += part
            short -= part
    for k in range(f.seg_unit.size):
        i = f.seg_unit[k]
        if f.unit_held[i] and not _elsewhere(f.bus_island, f.unit_bus[i], island):
            before, p = _before(h.unit_p, h.unit_before, t, i), h.unit_p[t, i]
            if short > 0.0:
                room = min(h.seg_hi[t, k] - h.seg[t, k], h.cap[t, i] - p)
                if not np.isnan(before):
                    room = min(room, before + h.rise[t, i] - p)
                if ahead >= 0:
                    room = min(room, h.unit_p[ahead, i] + h.fall[ahead, i] - p)
            else:
                room = h.seg[t, k] - h.seg_lo[t, k]
                if not np.isnan(before):
                    room = min(room, p - before + h.fall[t, i])
                if ahead >= 0:
                    room = min(room, p - h.unit_p[ahead, i] + h.rise[ahead, i])
            part = _take(short, max(0.0, room))
            h.seg[t, k] += part
            h.unit_p[t, i] += part
            short -= part
    if short > 0.0:
        short -= charge_less(f, h, t, island, short, e)
        for i in range(f.load_bus.size):
            part = min(short, max(0.0, h.load[t, i] - h.shed[t, i]))
            if _elsewhere(f.bus_island, f.load_bus[i], island):
                continue
            h.shed[t, i] += part
            short -= part
    elif short < 0.0:
        at = f.unit_bus[0] if f.unit_bus.size else 0
        for i in range(f.unit_bus.size):
            if _elsewhere(f.bus_island, at, island):
                at = f.unit_bus[i]
        h.spill[t, at] -= short
    return abs(moved)


@kernel(part=True)
def injections(f, h, t, inj):
    """Net injection of every bus in hour t."""
    inj[:] = 0.0
    for i in range(f.unit_bus.size):
        inj[f.unit_bus[i]] += h.unit_p[t, i]
    for i in range(f.source_bus.size):
        inj[f.source_bus[i]] += h.source[t, i]
    for i in range(f.store_bus.size):
        inj[f.store_bus[i]] += h.discharge[t, i] - h.charge[t, i]
    for i in range(f.load_bus.size):
        inj[f.load_bus[i]] -= h.load[t, i] - h.shed[t, i]
    for i in range(f.link_from.size):
        inj[f.link_from[i]] -= h.link[t, i]
        inj[f.link_to[i]] += f.link_arrives[i] * h.link[t, i]
    for b in range(inj.size):
        inj[b] -= h.spill[t, b]
    for i in range(h.loss.shape[1]):
        for b in range(inj.size):
            inj[b] -= h.loss[t, i] * f.loss_share[i, b]


@kernel(fastmath=True, part=True)
def flows(f, h, t, inj):
    """Branch flows f = H inj + offset, and interfaces as weighted sums of branches and links."""
    nbr = h.offset.shape[1]
    for j in range(nbr):
        total = h.offset[t, j]
        row = f.ptdf[j]
        for b in range(inj.size):
            total += row[b] * inj[b]
        h.flow[t, j] = total
    for j in range(f.interface_weight.shape[0]):
        total = 0.0
        for k in range(nbr):
            total += f.interface_weight[j, k] * h.flow[t, k]
        for k in range(f.link_from.size):
            total += f.interface_weight[j, nbr + k] * h.link[t, k]
        h.flow[t, nbr + j] = total


@kernel(part=True)
def lose(f, h, t, more):
    """Losses of hour t at its flows, and how much `more` each island loses than before.

    Returns the largest change; where none is seen, none is made.
    """
    more[:] = 0.0
    for j in range(f.loss_per_mw2.size):
        more[f.loss_island[j]] += f.loss_per_mw2[j] * h.flow[t, j] * h.flow[t, j]
    change = 0.0
    for i in range(h.loss.shape[1]):
        more[i] -= h.loss[t, i]
        change = max(change, abs(more[i]))
    if change > LOSS_MW:
        for i in range(h.loss.shape[1]):
            h.loss[t, i] += more[i]
    return change


@kernel(part=True)
def answers(f, h, t):
    """What is there of every reserve product in hour t, and what is missing.

    Up: of a row of units its headroom, up to its response and to what its ramp from the hour before leaves, at that
    rate for `answer_hours`, and what is off and quick to start; down: its output above the minimum, up to its
    response. Of a source that responds all.
    """
    for k in range(f.product_up.size):
        total = 0.0
        for i in range(f.unit_bus.size):
            p = h.unit_p[t, i]
            most = h.on[t, i] * f.unit_response[i, k]
            if f.product_up[k]:
                room = h.cap[t, i] - p
                if f.unit_held[i]:
                    before = _before(h.unit_p, h.unit_before, t, i)
                    if not np.isnan(before):
                        room = min(room, f.answer_hours * (before + h.rise[t, i] - p))
                total += min(most, max(0.0, room)) + (h.available[t, i] - h.on[t, i]) * f.unit_offline[i, k]
            else:
                total += min(most, p - h.floor[t, i])
        for i in range(f.source_bus.size):
            p = h.source[t, i]
            total += f.source_responds[i, k] * (h.source_hi[t, i] - p if f.product_up[k] else p - h.source_lo[t, i])
        h.provided[t, k] = total
        h.short[t, k] = max(0.0, h.need[t, k] - total)


@kernel(part=True)
def account(f, h, t, e_before):
    """Costs, reserves and margins of hour t."""
    cost, margin = h.cost[t], h.margin[t]
    cost[:] = 0.0
    margin[:] = 0.0
    for k in range(f.seg_unit.size):
        cost[0] += f.seg_cost[k] * h.seg[t, k]
    for i in range(f.unit_bus.size):
        on, p = h.on[t, i], h.unit_p[t, i]
        cost[0] += f.unit_min_cost[i] * on * f.unit_p_min[i]
        cost[1] += f.unit_no_load[i] * on
        cost[2] += h.start_cost[t, i]
        head, room = h.ceiling[t, i] - p, p - h.floor[t, i]
        margin[0] += head
        margin[1] += room
    for i in range(f.source_bus.size):
        p = h.source[t, i]
        cost[0] += f.source_cost[i] * p
        head, room = h.source_hi[t, i] - p, p - h.source_lo[t, i]
        margin[0] += head
        margin[1] += f.source_lowers[i] * room
    for i in range(f.store_bus.size):
        charge, discharge = h.charge[t, i], h.discharge[t, i]
        cost[2] += h.store_start_cost[t, i]
        cost[3] += f.charge_cost[i] * charge + f.discharge_cost[i] * discharge
        held = f.keep[i] * e_before[i] + h.inflow[t, i]
        can_give = min(h.discharge_max[t, i], max(0.0, held - f.e_min[i]) * f.eta_d[i])
        can_take = min(h.charge_max[t, i], max(0.0, f.e_max[i] - held) / f.eta_c[i])
        margin[0] += max(0.0, can_give - discharge + charge)
        margin[1] += max(0.0, can_take - charge + discharge)
    for i in range(f.load_bus.size):
        cost[4] += f.penalties[0] * h.shed[t, i]
    for b in range(h.spill.shape[1]):
        cost[5] += f.penalties[1] * h.spill[t, b]
    answers(f, h, t)
    cost[6] = 0.0
    for k in range(f.product_up.size):
        cost[6] += f.penalties[2] * h.short[t, k]
    for j in range(h.limit.shape[1]):
        over = max(h.flow[t, j] - h.limit[t, j], -h.flow[t, j] - h.back_limit[t, j])
        if over > DUST_MW:
            cost[7] += f.overload_cost[j] * over


def walk(f: Fleet, h: Hour, e: FloatArray) -> float:
    """Live through the hours of the block one by one.

    Parameters
    ----------
    f : Fleet, read only
    h : Hour, updated
    e : (nst,) float64, updated
        State of charge before the first hour; on return, after the last. [MWh]

    Returns
    -------
    float
        Largest move of any hour's supply against the plan, at the losses of the plan. [MW]
    """
    inj = np.zeros(f.ptdf.shape[1])
    more = np.zeros(inj.size)  # losses of each island; there are no more than buses
    return float(_walk(f, h, e, inj, more, np.empty(e.size)))


@kernel
def _walk(f, h, e, inj, more, e_before):
    worst = 0.0
    for t in range(h.load.shape[0]):
        for k in range(f.seg_unit.size):
            low, top = h.seg_lo[t, k], h.seg_hi[t, k]
            if f.unit_held[f.seg_unit[k]]:  # a hair would count against its ramps
                h.seg[t, k] = min(max(h.seg[t, k], low), top)
            else:
                h.seg[t, k] = _snap(h.seg[t, k], low, top)
        for i in range(f.source_bus.size):
            h.source[t, i] = _snap(h.source[t, i], h.source_lo[t, i], h.source_hi[t, i])
        for i in range(f.load_bus.size):
            h.shed[t, i] = min(_snap(h.shed[t, i], 0.0, h.load[t, i]), h.load[t, i])
        for b in range(h.spill.shape[1]):
            h.spill[t, b] = h.spill[t, b] if h.spill[t, b] > DUST_MW else 0.0
        for i in range(e.size):
            e_before[i] = e[i]
        if t + 1 < h.load.shape[0]:
            look_ahead(f, h, t + 1)
        tidy_stores(f, h, t)
        advance_stores(f, h, t, e)
        for turn in range(LOSS_TURNS):
            for i in range(1 if turn == 0 else h.loss.shape[1]):
                moved = close_balance(f, h, t, i if turn > 0 else -1, more[i] if turn > 0 else 0.0, e)
                if turn == 0:
                    worst = max(worst, moved)
            injections(f, h, t, inj)
            flows(f, h, t, inj)
            if h.loss.shape[1] == 0 or lose(f, h, t, more) <= LOSS_MW:
                break
        account(f, h, t, e_before)
    return worst
