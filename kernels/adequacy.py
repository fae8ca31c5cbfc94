"""A year of a power system for its adequacy: who is short, hour by hour, with stores that help as late as they can.

There is no commitment and no cost in it. `walk` goes through the steps of one year. Stores first take what demands on
them ask for (1): charging that cannot wait is load. A cut k is a set of areas into which L_k can be carried ::

    need_k = -sum of margin(a) over a in k - L_k                                                       (2)

and a positive need has to be met inside the set. Cuts are taken in their order, smaller sets first, so a set's own
shortage is settled before that of a larger one around it: in nested sets the sum is the least possible. A need is
met by stores, those first that last longest at full power ("time to go"), so far that all have the same left ::

    d_s = min(d_max_s, max(e_s eta_s / dt - z d_max_s / dt, 0)),   z such that sum d_s = need            (3)

which leaves the least energy not served on one bus if nothing is known of what comes (Evans, Tindemans, Angeli 2019,
doi 10.1109/TPWRS.2019.2913530); what stores cannot meet is shed, so that the shed shares of load in the set are as
equal as they can be made: the least are raised together. In a step without any need stores charge from what all cuts
around them leave, those first that last shortest.

Energies of a store move as in the dispatch: e' = keep e + eta_c c - d / eta_d + inflow - demand, spilled above e_max.
"""

from typing import NamedTuple

from gridsim.kernels.jit import FloatArray, IntArray, kernel

_EPS_MW = 1e-6
_HALVINGS = 60


class Stores(NamedTuple):
    """n stores. Powers in MW at the terminals, energies in MWh."""

    area: IntArray  # (n,)
    eta_charge: FloatArray  # (n,)
    eta_discharge: FloatArray
    keep: FloatArray  # share of the energy left after a step
    e_max_mwh: FloatArray
    charge_max_mw: FloatArray  # (T, n)
    discharge_max_mw: FloatArray  # (T, n)
    gain_mw: FloatArray  # (T, n) inflow less demand
    floor_mwh: FloatArray  # (T, n) least energy at the end of the step


@kernel
def walk(margin_mw, load_mw, inside, limit_mw, stores, dt_h, order, used, ahead, shed_mw, store_mw, e_mwh):
    """Walk through T steps: equations (1) to (3) of this module.

    Parameters
    ----------
    margin_mw : (T, A) float64, read only
        What is available less load, before stores, of each area. [MW]
    load_mw : (T, A) float64, read only
        Shortage is shared in proportion to it. [MW]
    inside : (K, A) bool, read only
        Areas of each cut; the last holds all of them.
    limit_mw : (T or 1, K) float64, read only
        What can be carried into each. [MW]
    stores : Stores, read only
    dt_h : float
        Length of a step. [h]
    order : (n,) int64, updated
        Stores by time to go, shortest first; any order at the start.
    used, ahead : (n,) and (A,) float64, written
        Room to work in: what each store gives (less what it takes), margins as stores and shedding leave them.
    shed_mw : (T, A) float64, written
    store_mw : (T,) float64, written
        What stores give less what they take. [MW]
    e_mwh : (n,) float64, updated
        Energy in store at the start; on return, at the end. [MWh]
    """
    steps, areas = margin_mw.shape
    cuts, n = inside.shape[0], e_mwh.size
    moving = limit_mw.shape[0] > 1
    for t in range(steps):
        row = t if moving else 0
        for a in range(areas):
            ahead[a] = margin_mw[t, a]
            shed_mw[t, a] = 0.0
        for s in range(n):
            used[s] = 0.0
            e = stores.keep[s] * e_mwh[s] + stores.gain_mw[t, s] * dt_h
            lacking = (stores.floor_mwh[t, s] - e) / (stores.eta_charge[s] * dt_h)
            if lacking > 0.0:  # a demand on the store that cannot wait
                taken = min(lacking, stores.charge_max_mw[t, s])
                used[s] = -taken
                ahead[stores.area[s]] -= taken
                e += stores.eta_charge[s] * taken * dt_h
            e_mwh[s] = min(e, stores.e_max_mwh[s])
        short = False
        for k in range(cuts):
            need = -limit_mw[row, k]
            for a in range(areas):
                if inside[k, a]:
                    need -= ahead[a]
            if need > _EPS_MW:
                short = True
                need = discharge(t, need, k, inside, stores, dt_h, used, ahead, e_mwh)
                if need > _EPS_MW:
                    shed(t, need, k, inside, load_mw, ahead, shed_mw)
        if not short:
            charge(t, row, inside, limit_mw, stores, dt_h, order, used, ahead, e_mwh)
        total = 0.0
        for s in range(n):
            total += used[s]
        store_mw[t] = total


@kernel(inner=True)
def discharge(t, need_mw, k, inside, stores, dt_h, used, ahead, e_mwh):
    """Meet a need from stores in the areas of cut `k`: equation (3). Returns what is left of it."""
    n = e_mwh.size
    most, longest = 0.0, 0.0
    for s in range(n):
        if inside[k, stores.area[s]] and used[s] >= 0.0:
            room = room_mw(t, s, stores, dt_h, used, e_mwh)
            if room > 0.0:
                most += room
                longest = max(longest, to_go(t, s, stores, e_mwh))
    if most <= 0.0:
        return need_mw
    low, high = 0.0, longest
    if most <= need_mw:
        high = 0.0
    for _ in range(_HALVINGS):
        if high - low <= 1e-12 * longest:
            break
        z, given = 0.5 * (low + high), 0.0
        for s in range(n):
            if inside[k, stores.area[s]] and used[s] >= 0.0:
                given += given_mw(t, s, z, stores, dt_h, used, e_mwh)
        if given > need_mw:
            low = z
        else:
            high = z
    given = 0.0
    for s in range(n):
        if inside[k, stores.area[s]] and used[s] >= 0.0:
            given += given_mw(t, s, low, stores, dt_h, used, e_mwh)
    share = min(1.0, need_mw / given) if given > 0.0 else 0.0  # equals at one level have it by halves
    for s in range(n):
        if inside[k, stores.area[s]] and used[s] >= 0.0:
            p = share * given_mw(t, s, low, stores, dt_h, used, e_mwh)
            used[s] += p
            ahead[stores.area[s]] += p
            e_mwh[s] -= p * dt_h / stores.eta_discharge[s]
    return need_mw - share * given


@kernel(inner=True)
def room_mw(t, s, stores, dt_h, used, e_mwh):
    """What a store can still give in the step."""
    left = (e_mwh[s] - max(stores.floor_mwh[t, s], 0.0)) * stores.eta_discharge[s] / dt_h
    return max(min(stores.discharge_max_mw[t, s] - used[s], left), 0.0)


@kernel(inner=True)
def to_go(t, s, stores, e_mwh):
    """Hours that a store lasts at full power."""
    left = max(e_mwh[s] - max(stores.floor_mwh[t, s], 0.0), 0.0)
    return left * stores.eta_discharge[s] / max(stores.discharge_max_mw[t, s], 1e-9)


@kernel(inner=True)
def given_mw(t, s, z_h, stores, dt_h, used, e_mwh):
    """What a store gives if all come down to `z_h` to go."""
    above = (to_go(t, s, stores, e_mwh) - z_h) * stores.discharge_max_mw[t, s] / dt_h
    return max(min(room_mw(t, s, stores, dt_h, used, e_mwh), above), 0.0)


@kernel(inner=True)
def shed(t, need_mw, k, inside, load_mw, ahead, shed_mw):
    """Share a shortage among the areas of cut `k`: the least shed shares of load are raised together."""
    areas = ahead.size
    total = 0.0
    for a in range(areas):
        if inside[k, a]:
            total += load_mw[t, a]
    low, high = 0.0, 1.0
    for a in range(areas):
        if inside[k, a] and load_mw[t, a] > 0.0:
            high = max(high, shed_mw[t, a] / load_mw[t, a])
    high += need_mw / max(total, 1e-9)
    for _ in range(_HALVINGS):
        z, given = 0.5 * (low + high), 0.0
        for a in range(areas):
            if inside[k, a]:
                given += max(z * load_mw[t, a] - shed_mw[t, a], 0.0)
        if given > need_mw:
            high = z
        else:
            low = z
    given = 0.0
    for a in range(areas):
        if inside[k, a]:
            given += max(high * load_mw[t, a] - shed_mw[t, a], 0.0)
    if given <= 0.0:
        return
    for a in range(areas):
        if inside[k, a]:
            p = max(high * load_mw[t, a] - shed_mw[t, a], 0.0) * need_mw / given
            shed_mw[t, a] += p
            ahead[a] += p


@kernel(inner=True)
def charge(t, row, inside, limit_mw, stores, dt_h, order, used, ahead, e_mwh):
    """Charge stores, those first that last shortest, from what every cut around them leaves."""
    cuts, areas = inside.shape
    n = e_mwh.size
    full = True
    for s in range(n):
        if e_mwh[s] < stores.e_max_mwh[s] * (1.0 - 1e-12) and stores.charge_max_mw[t, s] > 0.0:
            full = False
            break
    if full:
        return
    for i in range(1, n):  # nearly sorted from the step before
        s = order[i]
        key = to_go(t, s, stores, e_mwh)
        j = i
        while j > 0 and to_go(t, order[j - 1], stores, e_mwh) > key:
            order[j] = order[j - 1]
            j -= 1
        order[j] = s
    for i in range(n):
        s = order[i]
        p = min(
            stores.charge_max_mw[t, s] + min(used[s], 0.0),
            (stores.e_max_mwh[s] - e_mwh[s]) / (stores.eta_charge[s] * dt_h),
        )
        if p <= 0.0:
            continue
        for k in range(cuts):
            if inside[k, stores.area[s]]:
                slack = limit_mw[row, k]
                for a in range(areas):
                    if inside[k, a]:
                        slack += ahead[a]
                p = min(p, slack)
        if p > 0.0:
            used[s] -= p
            ahead[stores.area[s]] -= p
            e_mwh[s] += stores.eta_charge[s] * p * dt_h


@kernel
def merit_order(demand_mw, free_mw, fixed_cost, block_mw, block_cost, dt_h, taken_mw, cost):
    """Serve each step's demand by blocks in the order given, without commitment or network.

    Parameters
    ----------
    demand_mw : (T,) float64, read only
        What is left to serve after all that runs anyway; below 0: that is too much. [MW]
    free_mw : (T,) float64, read only
        Wind and sun that may be taken or not; taken first. [MW]
    fixed_cost : (T,) float64, read only
        Of what runs anyway. [currency/h]
    block_mw : (T, B) float64, read only
        The blocks, cheapest first. [MW]
    block_cost : (B,) float64, read only
        [currency/MWh]
    dt_h : float
    taken_mw : (T,) float64, written
        Of `free_mw`.
    cost : (T,) float64, written
        Of each step. [currency]
    """
    blocks = block_cost.size
    for t in range(demand_mw.size):
        taken_mw[t] = min(max(demand_mw[t], 0.0), free_mw[t])
        left = demand_mw[t] - taken_mw[t]
        total = fixed_cost[t]
        for b in range(blocks):
            if left <= 0.0:
                break
            p = min(left, block_mw[t, b])
            total += p * block_cost[b]
            left -= p
        cost[t] = total * dt_h
