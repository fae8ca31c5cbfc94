"""The models of the kernels a second time: one device, one hour, plain floats, written to be read.

Nothing here shares code with ``gridsim.kernels`` but the names of the tuples that carry the data.
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gridsim.kernels import step

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")  # the compiler is switched off

# -- paths -------------------------------------------------------------------------------------------------------------


def reachable_width(
    lo: Sequence[float],
    hi: Sequence[float],
    x0: float,
    *,
    keep: float,
    fall: Sequence[float],
    rise: Sequence[float],
) -> float:
    """Narrowest range of x_t that paths from x0 with lo <= x <= hi and -fall <= x_t - keep x_(t-1) <= rise leave.

    Negative: there is no path. (Whatever is reached can be continued, or the range of a later hour is empty.)
    """
    low = high = x0
    narrowest = float("inf")
    for t in range(len(lo)):
        low, high = max(lo[t], keep * low - fall[t]), min(hi[t], keep * high + rise[t])
        narrowest = min(narrowest, high - low)
    return narrowest


# -- commitment -------------------------------------------------------------------------------------------------------


def keeps_minimum_times(
    pattern: Sequence[bool], free: Sequence[bool], on: bool, hours: int, *, min_up: int, min_down: int
) -> bool:
    """Whether one unit, `hours` long in state `on`, may run as `pattern` says.

    In hours that are not free it is on outage: off whatever it owes, and rested when it returns.
    """
    for now, allowed in zip(pattern, free, strict=True):
        if not allowed:
            if now:
                return False
            on, hours = False, min_down
        elif now == on:
            hours += 1
        elif hours < (min_up if on else min_down):
            return False
        else:
            on, hours = now, 1
    return True


def patterns(free: Sequence[bool], on: bool, hours: int, min_up: int, min_down: int) -> Iterator[tuple[bool, ...]]:
    """Every schedule of one unit."""
    for pattern in itertools.product((False, True), repeat=len(free)):
        if keeps_minimum_times(pattern, free, on, hours, min_up=min_up, min_down=min_down):
            yield pattern


class Unit(NamedTuple):
    """One unit of a group between two hours."""

    on: bool
    hours: int  # in that state; `first_unexplained` counts no further than the longest minimum time
    out: bool = False  # on planned outage


def first_unexplained(
    counts: Sequence[int],
    starts: Sequence[int],
    avail: Sequence[int],
    units: Sequence[Unit],
    *,
    min_up: int,
    min_down: int,
) -> int | None:
    """First hour in which no split of the counts over single units keeps the minimum times; None: there is a split.

    An outage takes any unit and keeps it until it ends; who returns is free to start. Every split is followed side by
    side, so keep groups small.
    """
    longest = max(min_up, min_down)
    reached = {tuple(sorted(unit._replace(hours=min(unit.hours, longest)) for unit in units))}
    for t, (count, start, free) in enumerate(zip(counts, starts, avail, strict=True)):
        after = set()
        for state in reached:
            out = [i for i, unit in enumerate(state) if unit.out]
            change = len(state) - free - len(out)
            candidates = [i for i in range(len(state)) if i not in out] if change > 0 else out
            for moved in itertools.combinations(candidates, abs(change)):
                choices = [
                    _next_hour(unit, unit.out != (i in moved), min_up=min_up, min_down=min_down)
                    for i, unit in enumerate(state)
                ]
                for new in itertools.product(*choices):
                    begun = sum(now.on and not before.on for now, before in zip(new, state, strict=True))
                    if sum(unit.on for unit in new) == count and begun == start:
                        after.add(tuple(sorted(new)))
        if not after:
            return t
        reached = after
    return None


def _next_hour(unit: Unit, goes_out: bool, *, min_up: int, min_down: int) -> list[Unit]:
    longest = max(min_up, min_down)
    if goes_out:
        return [Unit(False, longest, True)]
    if unit.out:
        return [Unit(False, longest), Unit(True, 1)]
    same = Unit(unit.on, min(unit.hours + 1, longest))
    owed = min_up if unit.on else min_down
    return [same, Unit(not unit.on, 1)] if unit.hours >= owed else [same]


def aged(units: Sequence[Unit], *, count: int, start: int, avail: int) -> list[Unit]:
    """The units one hour on, sorted.

    Back from an outage comes who was off longest, the longest running stop, the longest rested start, and on outage
    go the longest rested that are left, last of all those that have just stopped.
    """
    running = sorted((unit.hours + 1 for unit in units if unit.on), reverse=True)
    resting = [unit.hours + 1 for unit in units if not unit.on and not unit.out]
    away = sorted((unit.hours + 1 for unit in units if unit.out), reverse=True)
    many_out = len(units) - avail
    back = max(0, len(away) - many_out)
    resting, away = sorted(resting + away[:back], reverse=True), away[back:]
    stop = len(running) + start - count
    off = resting[start:] + [1] * stop
    leave = many_out - len(away)
    return sorted(
        [Unit(True, 1)] * start
        + [Unit(True, hours) for hours in running[stop:]]
        + [Unit(False, hours, True) for hours in away + off[:leave]]
        + [Unit(False, hours) for hours in off[leave:]]
    )


# -- the time step ----------------------------------------------------------------------------------------------------


class Output(NamedTuple):
    """What everything gives and takes in one hour. MW"""

    seg: list[float]
    source: list[float]
    charge: list[float]
    discharge: list[float]
    shed: list[float]
    spill: list[float]
    unit_p: list[float]
    let_go: list[float]  # energy that stores spill

    def net(self) -> list[float]:
        """Net output of each store."""
        return [d - c for d, c in zip(self.discharge, self.charge, strict=True)]


class Lived(NamedTuple):
    """One hour settled. MW, MWh, currency."""

    output: Output
    e: list[float]
    flow: list[float]
    cost: dict[str, float]
    provided: list[float]  # of each product
    short: list[float]
    margin: list[float]  # up, down
    moved: float  # against the plan, what making stores one-way has cost apart


def step_store(
    charge: float,
    discharge: float,
    e: float,
    *,
    charge_max: float,
    discharge_max: float,
    eta_c: float,
    eta_d: float,
    keep: float,
    e_min: float,
    e_max: float,
    inflow: float,
    reservoir: float,
    planned: float,
) -> tuple[float, float, float, float, float]:
    """Charge and discharge in one direction only, the energy after the hour, the supply gained, and what is spilled.

    Both directions at once burn energy; the change of the stored energy is what the plan wanted, and is kept.
    """
    charge, discharge = max(charge, 0.0), max(discharge, 0.0)
    supply = discharge - charge
    into = eta_c * charge - discharge / eta_d
    charge, discharge = (into / eta_c, 0.0) if into >= 0.0 else (0.0, -into * eta_d)
    charge, discharge = (
        min(power, most) if power > step.DUST_STORE_MW else 0.0
        for power, most in ((charge, charge_max), (discharge, discharge_max))
    )
    gained = discharge - charge - supply
    rules = {"eta_c": eta_c, "eta_d": eta_d, "keep": keep, "e_min": e_min, "e_max": e_max}
    spilled = let_go(charge, discharge, planned, e, **rules, inflow=inflow, reservoir=reservoir)
    held = keep * e + inflow - spilled
    charge = charge if reservoir > 0.0 else min(charge, max(0.0, e_max - held) / eta_c)
    discharge = min(discharge, max(0.0, held - e_min) * eta_d)
    return charge, discharge, held + eta_c * charge - discharge / eta_d, gained, spilled


def let_go(
    charge: float, discharge: float, planned: float, e: float,
    *, eta_c: float, eta_d: float, keep: float, e_min: float, e_max: float, inflow: float, reservoir: float,
) -> float:  # fmt: skip
    """Energy of an hour that is spilled: as planned, but no more than is there, and whatever would run over."""
    if reservoir == 0.0:
        return 0.0
    planned = planned if planned >= step.DUST_STORE_MW else 0.0
    after = keep * e + inflow + eta_c * charge - discharge / eta_d
    return max(min(planned, after - e_min), after - e_max, 0.0)


def snap(value: float, lo: float, hi: float) -> float:
    """On the bound if within a kilowatt of it."""
    return lo if value - lo <= step.DUST_MW else hi if hi - value <= step.DUST_MW else value


def absorb(short: float, values: list[float], bounds: list[tuple[float, float]], *, between: bool) -> float:
    """Raise (short > 0) or lower `values` one after the other within bounds; returns what is left.

    With `between` only values strictly between their bounds take part.
    """
    for i, (lo, hi) in enumerate(bounds):
        if not between or lo < values[i] < hi:
            part = min(short, hi - values[i]) if short >= 0.0 else max(short, lo - values[i])
            values[i] += part
            short -= part
    return short


def live_hour(f: step.Fleet, h: step.Hour, t: int, e: Sequence[float], before: Sequence[float]) -> Lived:
    """Hour `t` of the plan `h` lived from stores at `e` and units at `before`; all of these are left alone."""
    on = [int(n) for n in h.on[t]]
    low, top = list(h.seg_lo[t]), list(h.seg_hi[t])
    held = [bool(f.unit_held[i]) for i in f.seg_unit]
    seg = [
        min(max(p, lo), hi) if stiff else snap(p, lo, hi)
        for p, lo, hi, stiff in zip(h.seg[t], low, top, held, strict=True)
    ]
    available = list(zip(h.source_lo[t], h.source_hi[t], strict=True))
    source = [snap(p, lo, hi) for p, (lo, hi) in zip(h.source[t], available, strict=True)]
    shed = [snap(p, 0.0, load) for p, load in zip(h.shed[t], h.load[t], strict=True)]
    spill = [p if p > step.DUST_MW else 0.0 for p in h.spill[t]]
    stores = [
        step_store(
            h.charge[t, i], h.discharge[t, i], e[i],
            charge_max=h.charge_max[t, i], discharge_max=h.discharge_max[t, i], eta_c=f.eta_c[i], eta_d=f.eta_d[i],
            keep=f.keep[i], e_min=f.e_min[i], e_max=f.e_max[i], inflow=h.inflow[t, i], reservoir=f.reservoir[i],
            planned=h.let_go[t, i],
        )
        for i in range(len(e))
    ]  # fmt: skip
    parts = (list(column) for column in zip(*stores, strict=True)) if stores else ([],) * 5
    charge, discharge, after, gained, spilled = parts
    for bus, surplus in zip(f.store_bus, gained, strict=True):  # what is no longer burnt stays at its bus
        if surplus > step.DUST_MW:
            for j, (lo, _) in enumerate(available):
                if f.source_bus[j] == bus:
                    part = min(surplus, max(0.0, source[j] - lo))
                    source[j], surplus = source[j] - part, surplus - part
            spill[bus] += surplus

    minimum = sum(n * p for n, p in zip(on, f.unit_p_min, strict=True))
    short = sum(h.load[t]) - sum(shed) + sum(spill) - minimum - sum(seg) - sum(source) - sum(discharge) + sum(charge)
    short += sum((1.0 - share) * p for share, p in zip(f.link_arrives, h.link[t], strict=True))
    moved = abs(short)
    easy = [k for k, stiff in enumerate(held) if not stiff]
    loose = [j for j, firm in enumerate(f.source_firm) if not firm]  # the others are what a link carries
    devices = [seg[k] for k in easy] + [source[j] for j in loose]
    bounds = [(low[k], top[k]) for k in easy] + [available[j] for j in loose]
    for between in (True, False):
        short = absorb(short, devices, bounds, between=between)
    for k, p in zip(easy, devices, strict=False):
        seg[k] = p
    for j, p in zip(loose, devices[len(easy) :], strict=True):
        source[j] = p
    for k in (k for k, stiff in enumerate(held) if stiff):  # what ramps hold gives way last, as far as they allow
        i = f.seg_unit[k]
        p = on[i] * f.unit_p_min[i] + sum(seg[j] for j in range(len(seg)) if f.seg_unit[j] == i)
        most, least = min(top[k] - seg[k], h.cap[t, i] - p), low[k] - seg[k]
        if before[i] == before[i]:
            most, least = min(most, before[i] + h.rise[t, i] - p), max(least, before[i] - h.fall[t, i] - p)
        if t + 1 < len(h.load):  # and from there to what is planned for the hour ahead
            then = h.on[t + 1, i] * f.unit_p_min[i] + sum(h.seg[t + 1, f.seg_unit == i])
            most, least = min(most, then + h.fall[t + 1, i] - p), max(least, then - h.rise[t + 1, i] - p)
        part = min(short, max(most, 0.0)) if short >= 0.0 else max(short, min(least, 0.0))
        seg[k] += part
        short -= part
    for i in range(len(charge)):  # before anyone is shed, stores charge less, but for what they need
        if short > 0.0:
            kept = min(charge[i], max(0.0, f.e_min[i] - (after[i] - f.eta_c[i] * charge[i])) / f.eta_c[i])
            part = min(short, charge[i] - kept)
            charge[i], after[i], short = charge[i] - part, after[i] - f.eta_c[i] * part, short - part
    if short > 0.0:
        absorb(short, shed, [(0.0, load) for load in h.load[t]], between=False)
    else:
        spill[f.unit_bus[0] if on else 0] -= short

    unit_p = [n * p for n, p in zip(on, f.unit_p_min, strict=True)]
    for i, p in zip(f.seg_unit, seg, strict=True):
        unit_p[i] += p
    out = Output(seg, source, charge, discharge, shed, spill, unit_p, spilled)
    flow = flows(f, h, t, out)
    provided = answers(f, h, t, out, before)
    short = [max(0.0, need - mw) for need, mw in zip(h.need[t], provided, strict=True)]
    cost = costs(f, h, t, out, short) | network_costs(f, h, t, flow)
    return Lived(out, after, flow, cost, provided, short, margins(f, h, t, out, before=e), moved)


def flows(f: step.Fleet, h: step.Hour, t: int, out: Output) -> list[float]:
    """Of every branch, then every interface."""
    injected = [-p for p in out.spill]
    for buses, values in (
        (f.unit_bus, out.unit_p),
        (f.source_bus, out.source),
        (f.store_bus, out.net()),
        (f.load_bus, [s - p for s, p in zip(out.shed, h.load[t], strict=True)]),
        (f.link_from, [-p for p in h.link[t]]),
        (f.link_to, [share * p for share, p in zip(f.link_arrives, h.link[t], strict=True)]),
    ):
        for bus, p in zip(buses, values, strict=True):
            injected[bus] += p
    branch = [offset + dot(row, injected) for row, offset in zip(f.ptdf, h.offset[t], strict=True)]
    return branch + [dot(row, branch + list(h.link[t])) for row in f.interface_weight]


def dot(a: Iterable[float], b: Iterable[float]) -> float:
    return float(sum(x * y for x, y in zip(a, b, strict=True)))


def costs(f: step.Fleet, h: step.Hour, t: int, out: Output, short: list[float]) -> dict[str, float]:
    """Of the hour, by part."""
    minimum = [n * p for n, p in zip(h.on[t], f.unit_p_min, strict=True)]
    return {
        "energy": dot(f.seg_cost, out.seg) + dot(f.unit_min_cost, minimum) + dot(f.source_cost, out.source),
        "no_load": dot(f.unit_no_load, h.on[t]),
        "start": float(sum(h.start_cost[t]) + sum(h.store_start_cost[t])),
        "wear": dot(f.charge_cost, out.charge) + dot(f.discharge_cost, out.discharge),
        "shed": float(f.penalties[0] * sum(out.shed)),
        "spill": float(f.penalties[1] * sum(out.spill)),
        "reserve_short": float(f.penalties[2] * sum(short)),
    }


def network_costs(f: step.Fleet, h: step.Hour, t: int, flow: list[float]) -> dict[str, float]:
    """Overloads of more than a kilowatt."""
    over = [max(p - limit, -p - back) for p, limit, back in zip(flow, h.limit[t], h.back_limit[t], strict=True)]
    return {"overload": dot(f.overload_cost, [mw if mw > step.DUST_MW else 0.0 for mw in over])}


def answers(f: step.Fleet, h: step.Hour, t: int, out: Output, before: Sequence[float]) -> list[float]:
    """What answers to each product; the outputs of units in the hour before limit only rows that ramps hold."""
    total = [0.0] * len(f.product_up)
    for k, up in enumerate(f.product_up):
        for i, p in enumerate(out.unit_p):
            most = h.on[t, i] * f.unit_response[i, k]
            if not up:
                total[k] += min(most, p - h.floor[t, i])
                continue
            rooms = [h.cap[t, i] - p]
            if f.unit_held[i] and before[i] == before[i]:
                rooms.append(f.answer_hours * (before[i] + h.rise[t, i] - p))
            total[k] += min(most, max(0.0, min(rooms)))
            total[k] += (h.available[t, i] - h.on[t, i]) * f.unit_offline[i, k]
        for i, p in enumerate(out.source):
            total[k] += f.source_responds[i, k] * (h.source_hi[t, i] - p if up else p - h.source_lo[t, i])
    return total


def margins(f: step.Fleet, h: step.Hour, t: int, out: Output, *, before: Sequence[float]) -> list[float]:
    """How far the hour could have been regulated further: up with everything, down without curtailing wind and sun.

    `before`: energy of the stores before the hour.
    """
    up = sum(top - p for top, p in zip(h.ceiling[t], out.unit_p, strict=True))
    up += sum(hi - p for hi, p in zip(h.source_hi[t], out.source, strict=True))
    down = sum(p - bottom for bottom, p in zip(h.floor[t], out.unit_p, strict=True))
    down += sum(p - h.source_lo[t, i] for i, p in enumerate(out.source) if f.source_lowers[i])
    for i, (e, net) in enumerate(zip(before, out.net(), strict=True)):
        held = f.keep[i] * e + h.inflow[t, i]
        give = min(h.discharge_max[t, i], max(0.0, held - f.e_min[i]) * f.eta_d[i])
        take = min(h.charge_max[t, i], max(0.0, f.e_max[i] - held) / f.eta_c[i])
        up += max(0.0, give - net)
        down += max(0.0, take + net)
    return [float(up), float(down)]
