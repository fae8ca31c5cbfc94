"""The time step: against its plain twin, and what every lived hour must keep."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import INTERPRETED, live_hour

from gridsim.kernels import step

READ = (
    *(
        "on",
        "start",
        "start_cost",
        "store_start_cost",
        "available",
        "cap",
        "rise",
        "fall",
        "unit_before",
        "source_lo",
        "source_hi",
    ),
    *("inflow", "link", "load", "need"),
)
SIZES = {"units": 4, "sources": 6, "stores": 4, "loads": 4, "links": 2, "buses": 6, "branches": 7, "interfaces": 2}


def fleet(rng):
    """A random fleet; what counts as reserve and as margin is drawn too."""
    nu, ns, nst, nl, nlk, nb, nbr, nif = SIZES.values()
    p_max = rng.uniform(100.0, 600.0, nu)
    p_min = p_max * rng.uniform(0.2, 0.6, nu)
    segments = rng.integers(1, 4, nu)
    seg_unit = np.repeat(np.arange(nu), segments)
    energy = rng.uniform(100.0, 800.0, nst)

    def bus(n):
        return rng.integers(0, nb, n)

    def price(n):
        return rng.uniform(1.0, 500.0, n)

    def flag(n):
        return rng.integers(0, 2, n).astype(float)

    return step.Fleet(
        unit_bus=bus(nu),
        unit_p_min=p_min,
        unit_min_cost=price(nu),
        unit_no_load=price(nu),
        unit_co2=price(nu),
        unit_co2_no_load=price(nu),
        unit_held=rng.integers(0, 2, nu),
        unit_response=flag((nu, 3)) * rng.uniform(10.0, 300.0, (nu, 3)),
        unit_offline=flag((nu, 3)) * p_max[:, None],
        seg_unit=seg_unit,
        seg_cost=price(seg_unit.size),
        source_bus=bus(ns),
        source_cost=price(ns),
        source_co2=price(ns),
        source_firm=(np.arange(ns) == 1).astype(np.int64),
        source_lowers=flag(ns),
        source_responds=flag((ns, 3)),
        store_bus=bus(nst),
        charge_cost=price(nst),
        discharge_cost=price(nst),
        eta_c=rng.uniform(0.7, 1.0, nst),
        eta_d=rng.uniform(0.7, 1.0, nst),
        keep=np.where(rng.random(nst) < 0.5, 1.0, 1.0 - rng.uniform(1e-4, 1e-2, nst)),
        e_min=energy * rng.uniform(0.0, 0.2, nst),
        e_max=energy,
        reservoir=rng.choice([0.0, 30.0], nst),
        load_bus=bus(nl),
        link_from=bus(nlk),
        link_to=bus(nlk),
        link_arrives=rng.choice([1.0, 0.97], nlk),
        ptdf=rng.uniform(-0.6, 0.6, (nbr, nb)),
        loss_per_mw2=np.zeros(nbr),
        loss_island=np.zeros(nbr, dtype=np.int64),
        bus_island=np.zeros(nb, dtype=np.int64),
        loss_share=np.zeros((0, nb)),
        interface_weight=rng.choice([-1.0, 0.0, 1.0], (nif, nbr + nlk)),
        overload_cost=price(nbr + nif),
        product_up=np.array([1, 0, 1]),
        penalties=np.array([9000.0, 300.0, 2000.0]),
        answer_hours=1.0,
    )


def plan(rng, f, hours):
    """An exact plan from stores at `e`: balanced, inside every bound and not within dust of one. Returns it and `e`."""
    nu, ns, nst, nl, nlk, nb, nbr, nif = SIZES.values()

    def between(lo, hi):
        """On a bound, or well inside."""
        where = rng.choice([0.0, 0.25, 0.5, 0.9, 1.0], np.shape(hi))
        return lo + where * (hi - lo)

    limit, back = rng.uniform(50.0, 900.0, (2, hours, nbr + nif))
    limit[:, 0] = back[:, 0] = np.inf
    on = rng.integers(1, 4, (hours, nu))
    width = rng.choice([60.0, 150.0, 220.0], f.seg_unit.size)
    seg_hi = np.ascontiguousarray(on[:, f.seg_unit] * width)  # another layout compiles anew
    # heat lifts the least of a row, or lowers its most; never of one that ramps hold
    heated = (f.unit_held[f.seg_unit] == 0) & (rng.random(width.size) < 0.3)
    seg_lo = np.where(heated, 0.2, 0.0) * seg_hi
    seg_hi = np.where(heated, 0.9, 1.0) * seg_hi
    charge_max, discharge_max = rng.uniform(40.0, 200.0, (2, hours, nst))
    seg = between(seg_lo, seg_hi)
    source_lo = rng.choice([-60.0, 0.0, 80.0], (hours, ns))
    source_hi = source_lo + rng.choice([0.0, 40.0, 300.0], (hours, ns))
    charge, discharge, e = np.zeros((hours, nst)), np.zeros((hours, nst)), np.zeros((hours, nst))
    inflow, gone = np.zeros((hours, nst)), np.zeros((hours, nst))
    first = rng.uniform(f.e_min + 0.2 * (f.e_max - f.e_min), f.e_max)
    before = first
    for t in range(hours):
        inflow[t] = np.where(f.reservoir > 0, rng.choice([0.0, 5.0, 30.0], nst), 0.0)
        gone[t] = np.where(rng.random(nst) < 0.5, inflow[t], 0.0)
        gone[t] = np.minimum(gone[t], np.maximum(f.keep * before + inflow[t] - f.e_min, 0.0))
        gone[t] = np.maximum(gone[t], f.keep * before + inflow[t] - f.e_max)  # a full reservoir runs over
        gone[t] = np.where(f.reservoir > 0, gone[t], 0.0)
        held = f.keep * before + inflow[t] - gone[t]
        most = np.minimum(charge_max[t], (f.e_max - held) / f.eta_c)
        least = np.minimum(discharge_max[t], (held - f.e_min) * f.eta_d)
        way = rng.integers(-1, 2, nst)
        charge[t] = np.where((way > 0) & (most > 1.0), rng.choice([0.3, 0.7, 1.0], nst) * most, 0.0)
        discharge[t] = np.where((way < 0) & (least > 1.0), rng.choice([0.3, 0.7, 1.0], nst) * least, 0.0)
        before = held + f.eta_c * charge[t] - discharge[t] / f.eta_d
        e[t] = before
    h = step.Hour(
        on=on,
        start=rng.integers(0, 2, (hours, nu)),
        start_cost=rng.uniform(0.0, 1e6, (hours, nu)),
        store_start_cost=rng.uniform(0.0, 1e5, (hours, nst)),
        available=on + rng.integers(0, 3, (hours, nu)),
        cap=np.full((hours, nu), np.nan),
        rise=np.full((hours, nu), np.nan),
        fall=np.full((hours, nu), np.nan),
        unit_before=np.full(nu, np.nan),
        floor=np.full((hours, nu), np.nan),
        ceiling=np.full((hours, nu), np.nan),
        seg=seg,
        seg_lo=seg_lo,
        seg_hi=seg_hi,
        source=between(source_lo, source_hi),
        source_lo=source_lo,
        source_hi=source_hi,
        charge_max=np.ascontiguousarray(charge_max),
        discharge_max=np.ascontiguousarray(discharge_max),
        charge=charge,
        discharge=discharge,
        e=e,
        inflow=inflow,
        let_go=gone,
        link=rng.uniform(-100.0, 100.0, (hours, nlk)),
        offset=rng.uniform(-5.0, 5.0, (hours, nbr)),
        loss=np.zeros((hours, 0)),
        load=np.zeros((hours, nl)),
        shed=np.zeros((hours, nl)),
        spill=np.where(rng.random((hours, nb)) < 0.1, 7.0, 0.0),
        need=rng.uniform(0.0, 1500.0, (hours, 3)),
        limit=limit,
        back_limit=back,
        unit_p=np.full((hours, nu), np.nan),
        flow=np.full((hours, nbr + nif), np.nan),
        cost=np.full((hours, len(step.COST_PARTS)), np.nan),
        provided=np.full((hours, 3), np.nan),
        short=np.full((hours, 3), np.nan),
        margin=np.full((hours, 2), np.nan),
    )
    p = on * f.unit_p_min
    np.add.at(p.T, f.seg_unit, seg.T)
    h.floor[:] = h.ceiling[:] = on * f.unit_p_min
    np.add.at(h.floor.T, f.seg_unit, seg_lo.T)
    np.add.at(h.ceiling.T, f.seg_unit, seg_hi.T)
    h.cap[:] = p + rng.choice([0.0, 40.0, 400.0], p.shape)
    h.unit_before[:] = np.where(rng.random(nu) < 0.3, np.nan, p[0] + rng.uniform(-50.0, 50.0, nu))
    move = np.diff(p, axis=0, prepend=np.nan_to_num(h.unit_before, nan=0.0)[None])
    h.rise[:], h.fall[:] = (np.maximum(sign * move, 0.0) + rng.choice([0.0, 60.0], p.shape) for sign in (1.0, -1.0))
    h.load[:] = supply(f, h)[:, None] * rng.dirichlet(np.full(nl, 3.0), hours)
    h.shed[:, 0] = np.where(rng.random(hours) < 0.2, 0.5 * h.load[:, 0], 0.0)
    h.load[:, 1] += h.shed[:, 0]
    return h, first


def supply(f, h):
    """What units, sources and stores give, less what is spilled. (T,) MW"""
    given = (h.on * f.unit_p_min).sum(axis=1) + h.seg.sum(axis=1) + h.source.sum(axis=1)
    return given + (h.discharge - h.charge).sum(axis=1) - h.spill.sum(axis=1) - h.link @ (1.0 - f.link_arrives)


def unbalanced(f, h):
    """Worst difference of supply and load. MW"""
    return np.max(np.abs(supply(f, h) - (h.load - h.shed).sum(axis=1)))


def dusty(rng, f, h, size):
    """The plan as an interior point leaves it: a hair inside its bounds, stores a hair in both directions."""

    def off(values, lo, hi):
        return np.ascontiguousarray(np.clip(values + size * rng.uniform(-1.0, 1.0, values.shape), lo, hi))

    both = size * rng.random(h.charge.shape)
    return h._replace(
        seg=off(h.seg, h.seg_lo, h.seg_hi),
        source=off(h.source, h.source_lo, h.source_hi),
        charge=h.charge + both,
        discharge=h.discharge + both,
        shed=off(h.shed, 0.0, h.load),
        spill=h.spill + size * rng.random(h.spill.shape),
    )


def copied(h):
    return step.Hour(*(array.copy() for array in h))


def hours_of(h, begin, end):
    """Some hours of a block; the ones before must have been lived."""
    before = h.unit_before if begin == 0 else h.unit_p[begin - 1].copy()
    parts = {name: array[begin:end] for name, array in h._asdict().items() if name != "unit_before"}
    return step.Hour(unit_before=before, **parts)


def drawn(seed, hours=8):
    rng = np.random.default_rng(seed)
    f = fleet(rng)
    h, e = plan(rng, f, hours)
    return rng, f, h, e


def upset(rng, f, h, kind):
    """The plan spoiled: nothing, dust, loads that differ a little or by far, stores asked for more than they hold."""
    if kind == "dust":
        return dusty(rng, f, h, 2e-4)
    if kind == "loads":
        return h._replace(load=h.load * rng.uniform(0.97, 1.03, h.load.shape))
    if kind == "flood":
        return h._replace(load=h.load * rng.choice([0.05, 3.0], (len(h.load), 1)))
    if kind == "stores":
        return h._replace(charge=h.charge * 5.0, discharge=h.discharge + rng.uniform(0.0, 90.0, h.discharge.shape))
    return h


KINDS = ("exact", "dust", "loads", "flood", "stores")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_lives_as_the_twin_does(seed, kind):
    rng, f, h, e = drawn(seed)
    f = f._replace(answer_hours=(1.0, 4.0)[seed % 2])
    h = upset(rng, f, h, kind)
    planned, state, moves, before = copied(h), e.copy(), [0.0], h.unit_before
    moved = step.walk(f, h, state)
    for t in range(len(h.load)):
        want = live_hour(f, planned, t, e, before)
        e, before = np.array(want.e), want.output.unit_p
        moves.append(want.moved)
        values = want.output._asdict() | {
            name: getattr(want, name) for name in ("e", "flow", "provided", "short", "margin")
        }
        for name, value in values.items():
            assert_allclose(getattr(h, name)[t], value, rtol=1e-11, atol=1e-8, err_msg=f"{name}, hour {t}")
        parts = [want.cost[name] for name in step.COST_PARTS]
        assert_allclose(h.cost[t], parts, rtol=1e-10, atol=1e-4, err_msg=f"cost, hour {t}")  # 1e-8 MW at 1e4
    assert_allclose(state, e, rtol=1e-12, atol=1e-9)
    assert moved == pytest.approx(max(moves), abs=1e-8)


@pytest.mark.parametrize("seed", range(20))
def test_an_exact_plan_is_not_moved(seed):
    _, f, h, e = drawn(seed)
    planned = copied(h)
    assert step.walk(f, h, e) < 1e-8
    for name in ("seg", "source", "charge", "discharge", "e", "let_go", "shed", "spill"):
        assert_allclose(getattr(h, name), getattr(planned, name), rtol=0.0, atol=1e-8, err_msg=name)
    assert e.tolist() == h.e[-1].tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(20, 28))
def test_what_every_lived_hour_keeps(seed, kind):
    """Balance to rounding, one direction per store, and every bound."""
    rng, f, h, e = drawn(seed, hours=24)
    h = upset(rng, f, h, kind)
    loads, first = h.load.copy(), e.copy()
    step.walk(f, h, e)
    # a store at its minimum may still lose what stands
    held = f.keep * np.vstack((first, h.e[:-1])) + h.inflow - h.let_go
    assert unbalanced(f, h) < 1e-9 * max(1.0, loads.sum(axis=1).max())
    assert not ((h.charge > 0.0) & (h.discharge > 0.0)).any()
    for value, lo, hi in (
        (h.seg, h.seg_lo, h.seg_hi),
        (h.source, h.source_lo, h.source_hi),
        (h.charge, 0.0, h.charge_max),
        (h.discharge, 0.0, h.discharge_max),
        (h.shed, 0.0, loads),
        (h.spill, 0.0, np.inf),
        (h.e, np.minimum(f.e_min, held), f.e_max),
    ):
        assert (value >= np.asarray(lo) - 1e-9).all()
        assert (value <= np.asarray(hi) + 1e-9).all()
    endless = ("unit_before", "limit", "back_limit")
    assert all(np.isfinite(array).all() for name, array in h._asdict().items() if name not in endless)


def test_stores_charge_less_before_anyone_is_shed():
    """10 MW of supply is missing: two stores that charge 8 MW give up 6, what one of them needs to be full enough, 2
    MW, stays; the load loses the other 4. In the second hour what is missing is all of the charging and no load."""
    f, h, e = drawn(0, hours=2)[1:]
    h.charge[:], h.discharge[:], h.inflow[:], h.let_go[:], h.shed[:] = 0.0, 0.0, 0.0, 0.0, 0.0
    h.seg[:], h.source[:], h.spill[:] = h.seg_hi, h.source_hi, 0.0
    f = f._replace(unit_held=np.zeros_like(f.unit_held), eta_c=np.full(e.size, 0.8), keep=np.ones(e.size))
    e[:] = f.e_min + 50.0
    f.e_max[:] = f.e_min + 200.0
    h.charge_max[:], h.charge[0, :2], h.charge[1, 0] = 100.0, 4.0, 30.0
    h.inflow[0, 1] = -(50.0 + 0.8 * 2.0)  # it needs 2 MW to end at its least
    h.load[:] = 0.0
    h.load[0, 0] = supply(f, h)[0] + 10.0
    h.load[1, 0] = max(supply(f, h)[1] + 30.0, 0.0)
    step.walk(f, h, e)
    assert_allclose(h.charge[:, :2], [[0.0, 2.0], [0.0, 0.0]], atol=1e-9)
    assert_allclose(h.e[0, :2], f.e_min[:2] + np.array([50.0, 0.0]), atol=1e-9)
    assert_allclose(h.shed.sum(axis=1), [4.0, 0.0], atol=1e-9)
    assert_allclose(h.e[1], h.e[0], atol=1e-9)
    assert unbalanced(f, h) < 1e-9 * h.load.max()


@pytest.mark.parametrize("seed", range(4))
def test_dust_stays_dust(seed):
    """What an interior point leaves behind moves an hour by no more than its sum."""
    rng, f, exact, e = drawn(seed, hours=24)
    h, state = dusty(rng, f, exact, 2e-4), e.copy()
    devices = sum(array.shape[1] for array in (h.seg, h.source, h.shed, h.spill, h.charge, h.discharge))
    assert 0.0 <= step.walk(f, h, state) < 2e-4 * devices
    assert_allclose(h.e, exact.e, atol=24 * 2e-3)
    on_bound = (exact.source == exact.source_lo) | (exact.source == exact.source_hi)
    moved = np.abs(h.source - exact.source)[on_bound]
    assert (moved == 0.0).mean() > 0.9  # back on their bounds, but where the balance was closed


@pytest.mark.compiled
def test_energy_is_conserved_over_a_year():
    """A year of hours: what went in less losses is what is in, to rounding; a walk in parts is the whole walk."""
    rng, f, h, e = drawn(3, hours=8760)
    h = upset(rng, f, h, "stores")
    parts, state, first = copied(h), e.copy(), e.copy()
    step.walk(f, h, e)
    before = np.vstack((first, h.e[:-1]))
    lost = (1.0 - f.keep) * before
    into = f.eta_c * h.charge - h.discharge / f.eta_d - lost + h.inflow - h.let_go
    assert_allclose(e - first, into.sum(axis=0), rtol=0.0, atol=1e-7)
    assert (np.abs(h.charge).sum(axis=0) > 1000.0).all()
    for begin, end in ((0, 1), (1, 25), (25, 8760)):
        block = hours_of(parts, begin, end)
        step.walk(f, block, state)
    assert state.tobytes() == e.tobytes()
    assert parts.cost.tobytes() == h.cost.tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_flows_are_the_sensitivities_times_the_injections(seed):
    rng, f, h, e = drawn(seed)
    h = upset(rng, f, h, "flood")
    step.walk(f, h, e)
    injected = -h.spill
    for bus, p in (
        (f.unit_bus, h.unit_p),
        (f.source_bus, h.source),
        (f.store_bus, h.discharge - h.charge),
        (f.load_bus, h.shed - h.load),
        (f.link_from, -h.link),
        (f.link_to, f.link_arrives * h.link),
    ):
        np.add.at(injected.T, bus, p.T)
    branch = injected @ f.ptdf.T + h.offset
    assert_allclose(h.flow[:, : len(f.ptdf)], branch, rtol=1e-11, atol=1e-8)
    assert_allclose(h.flow[:, len(f.ptdf) :], np.hstack((branch, h.link)) @ f.interface_weight.T, rtol=1e-11, atol=1e-8)


# -- single rules -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [5.0, -5.0])
def test_says_how_far_an_hour_moved(extra):
    _, f, h, e = drawn(2)
    h.load[3, 2] += extra
    assert step.walk(f, h, e) == pytest.approx(5.0, abs=1e-8)


def test_load_is_shed_only_when_everything_runs_at_its_limit():
    _, f, h, e = drawn(4)
    f.unit_held[:] = 0
    h.load[2] *= 4.0
    step.walk(f, h, e)
    assert_allclose(h.seg[2], h.seg_hi[2], rtol=1e-12)
    loose = f.source_firm == 0  # the other is what its link carries
    assert_allclose(h.source[2, loose], h.source_hi[2, loose], rtol=1e-12)
    assert_allclose(h.charge[2], 0.0, atol=1e-12)
    assert h.shed[2].sum() > 100.0
    assert h.cost[2, step.COST_PARTS.index("shed")] == pytest.approx(9000.0 * h.shed[2].sum(), rel=1e-12)


def test_surplus_is_spilled_only_when_everything_runs_at_its_minimum():
    _, f, h, e = drawn(4)
    f.unit_held[:] = 0
    spilled = h.spill[2].sum()
    h.load[2] *= 0.02
    h.shed[2] = 0.0
    step.walk(f, h, e)
    assert_allclose(h.seg[2], h.seg_lo[2], atol=1e-12)
    assert_allclose(h.source[2], h.source_lo[2], rtol=1e-12)
    assert h.spill[2].sum() > spilled + 100.0


@pytest.mark.parametrize(
    ("charge", "discharge", "want", "gained"),
    [
        (100.0, 36.0, (50.0, 0.0), 14.0),  # 80 in, 40 out: 40 into the store, which 50 do alone
        (50.0, 81.0, (0.0, 45.0), 14.0),  # 40 in, 90 out: 50 out of the store
        (50.0, 36.0, (0.0, 0.0), 14.0),  # 40 in, 40 out
        (-1e-7, 36.0, (0.0, 36.0), 0.0),
    ],
)
def test_a_store_runs_one_way_and_changes_its_energy_as_planned(charge, discharge, want, gained):
    _, f, h, _ = drawn(1)
    for values, value in ((f.eta_c, 0.8), (f.eta_d, 0.9), (f.keep, 1.0), (f.e_min, 0.0), (f.e_max, 900.0)):
        values[:] = value
    h.charge_max[:] = h.discharge_max[:] = 200.0
    h.inflow[0], h.let_go[0] = 0.0, 0.0
    e = np.full(SIZES["stores"], 300.0)
    before = supply(f, h)[0] - (h.discharge - h.charge)[0].sum()
    h.charge[0], h.discharge[0] = 0.0, 0.0
    h.charge[0, 2], h.discharge[0, 2] = charge, discharge
    h.load[0], h.shed[0] = 0.0, 0.0
    h.load[0, 0] = before + discharge - max(charge, 0.0)
    hour = hours_of(h, 0, 1)
    moved = step.walk(f, hour, e)
    assert_allclose((hour.charge[0, 2], hour.discharge[0, 2]), want, atol=1e-9)
    assert e[2] == pytest.approx(300.0 + 0.8 * max(charge, 0.0) - discharge / 0.9, abs=1e-9)
    assert e[[0, 1, 3]].tolist() == [300.0] * 3
    assert moved == pytest.approx(0.0, abs=1e-6)  # what one direction saves is no disagreement with the plan
    assert unbalanced(f, hour) < 1e-9
    assert -want[0] + want[1] - (discharge - max(charge, 0.0)) == pytest.approx(gained, abs=1e-6)


def test_what_ramps_hold_moves_no_further_than_they_let_it():
    """Asked for ever more, rows rise by their ramps and up to their most; the rest of the load is shed."""
    _, f, h, e = drawn(12)
    f.unit_held[:] = 1
    h.rise[3], h.fall[3] = 12.0, 7.0
    h.cap[3] = h.ceiling[3]
    h.seg_lo[3] = 0.0
    h.source[3], h.shed[3] = h.source_hi[3], 0.0
    h.seg[3] = 0.5 * h.seg_hi[3]
    planned = h.on[3] * f.unit_p_min
    np.add.at(planned, f.seg_unit, h.seg[3])
    h.unit_before[:] = planned
    block = hours_of(h, 3, 4)._replace(unit_before=planned)
    block.load[0] *= 3.0
    step.walk(f, block, e)
    assert_allclose(block.unit_p[0], np.minimum(planned + 12.0, h.cap[3]), rtol=1e-12)
    assert block.shed.sum() > 100.0


def test_reserve_of_every_kind_by_hand():
    """Two units on of 100 to 200 MW at 260 MW in all, one off; wind at 30 of 50 MW."""
    _, f, h, e = drawn(13)
    f.unit_p_min[:] = 100.0
    h.floor[:], h.ceiling[:], h.seg_lo[:] = 200.0, 400.0, 0.0
    h.seg_hi[:] = (200.0 / np.bincount(f.seg_unit))[f.seg_unit]
    f.unit_held[:], f.source_responds[:] = 0, 0.0
    f.unit_held[0] = 1
    f.unit_response[:], f.unit_offline[:] = 0.0, 0.0
    f.unit_response[0] = (30.0, 45.0, 90.0)  # up, down, up
    f.unit_offline[0, 2], f.source_responds[0] = 200.0, 1.0
    h.on[:], h.available[:], h.cap[:], h.rise[:], h.shed[:] = 2, 3, 400.0, 1e3, 0.0
    h.seg[:] = (120.0 / np.bincount(f.seg_unit))[f.seg_unit] / 2.0  # 2 x 100 + 60
    h.source_lo[:, 0], h.source_hi[:, 0], h.source[:, 0] = 10.0, 50.0, 30.0
    h.cap[1, 0], h.rise[2, 0] = 300.0, 15.0
    h.need[:] = (70.0, 90.0, 500.0)
    h.load[:] = supply(f, h)[:, None] / SIZES["loads"]
    h.unit_before[:] = 260.0
    step.walk(f, h, e)
    assert_allclose(h.unit_p[:3], 260.0, rtol=1e-12)
    assert_allclose(h.provided[0], (60.0 + 20.0, 60.0 + 20.0, 140.0 + 200.0 + 20.0))  # the second at its output
    assert_allclose(h.provided[1], (40.0 + 20.0, 80.0, 40.0 + 200.0 + 20.0))  # at most 300 MW
    assert_allclose(h.provided[2], (15.0 + 20.0, 80.0, 15.0 + 200.0 + 20.0))  # 15 MW of ramp left
    assert_allclose(h.short[2], (35.0, 10.0, 265.0))
    h.need[:] = (70.0, 90.0, 500.0)
    step.walk(f._replace(answer_hours=2.0), h, e)  # steps of half an hour: the rate that is left, for an hour
    assert_allclose(h.provided[2], (30.0 + 20.0, 80.0, 30.0 + 200.0 + 20.0))


def test_a_full_reservoir_runs_over_and_a_store_without_inflow_does_not():
    _, f, h, _ = drawn(1)
    for values, value in ((f.eta_c, 0.8), (f.eta_d, 0.9), (f.keep, 1.0), (f.e_min, 0.0), (f.e_max, 300.0)):
        values[:] = value
    h.charge_max[:] = h.discharge_max[:] = 200.0
    f.reservoir[:] = (40.0, 40.0, 0.0, 40.0)
    e = np.array([290.0, 100.0, 290.0, 300.0])
    hour = hours_of(h, 0, 1)
    hour.charge[:], hour.discharge[:], hour.let_go[:] = 0.0, 0.0, 0.0
    hour.inflow[0], hour.let_go[0, 1] = (40.0, 40.0, 0.0, 40.0), 25.0
    hour.charge[0, 2] = 50.0
    step.walk(f, hour, e)
    assert_allclose(hour.let_go[0], (30.0, 25.0, 0.0, 40.0), atol=1e-9)
    assert_allclose(e, (300.0, 115.0, 300.0, 300.0), atol=1e-9)
    assert hour.charge[0, 2] == pytest.approx(12.5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_given_is_only_read(kind):
    """Interpreted, writing to a read-only array raises; compiled, the bytes are compared."""
    rng, f, h, e = drawn(9)
    h = upset(rng, f, h, kind)
    given = [*(part for part in f if isinstance(part, np.ndarray)), *(getattr(h, name) for name in READ)]
    before = [array.tobytes() for array in given]
    for array in given if INTERPRETED else ():
        array.flags.writeable = False
    step.walk(f, h, e)
    assert [array.tobytes() for array in given] == before


def test_the_same_hours_the_same_bytes():
    rng, f, h, e = drawn(10)
    h = upset(rng, f, h, "dust")
    again, state = copied(h), e.copy()
    assert step.walk(f, h, e) == step.walk(f, again, state)
    for first, second in zip((*h, e), (*again, state), strict=True):
        assert first.tobytes() == second.tobytes()


def test_a_row_is_moved_no_further_than_it_can_come_back_from():
    """What an hour lacks may not be taken from rows that ramps hold if they then cannot reach their next hour."""
    _, f, h, e = drawn(12)
    f.unit_held[:] = 1
    h.rise[:], h.fall[:], h.unit_before[:] = 1e3, 1e3, np.nan
    h.cap[:] = h.ceiling + 1e3
    h.source[3], h.shed[3] = h.source_hi[3], 0.0
    block = hours_of(h, 3, 5)._replace(unit_before=h.unit_before)
    planned = block.on * f.unit_p_min
    np.add.at(planned.T, f.seg_unit, block.seg.T)
    block.fall[1] = np.maximum(planned[0] - planned[1], 0.0) + 5.0
    block.load[0] *= 3.0
    then = planned[1].copy()
    step.walk(f, block, e)
    assert (block.unit_p[0] <= then + block.fall[1] + 1e-9).all()
    assert (block.unit_p[0] > planned[0] + 1.0).any()


def test_losses_are_those_of_the_flows_and_the_balance_holds_with_them():
    """Two islands: each hour's losses are a fixed point, and their change is borne by the island that has it."""
    rng, f, h, e = drawn(11)
    nbr, nb = f.ptdf.shape
    island = np.arange(nb) % 2
    share = np.zeros((2, nb))
    for k in range(2):
        share[k, island == k] = rng.dirichlet(np.full(int((island == k).sum()), 2.0))
    f = f._replace(
        loss_per_mw2=rng.uniform(0.0, 2e-6, nbr),
        loss_island=np.arange(nbr) % 2,
        bus_island=island,
        loss_share=share,
        unit_held=np.zeros_like(f.unit_held),
    )
    h = h._replace(loss=np.zeros((len(h.load), 2)))
    lossless = copied(h)
    step.walk(f._replace(loss_per_mw2=np.zeros(nbr)), lossless, e.copy())
    step.walk(f, h, e.copy())
    by_branch = f.loss_per_mw2 * h.flow[:, :nbr] ** 2
    want = np.stack([by_branch[:, f.loss_island == k].sum(axis=1) for k in range(2)], axis=1)
    assert want.min() > 1e-3
    assert_allclose(h.loss, want, atol=2 * step.LOSS_MW)
    given = (
        h.unit_p.sum(axis=1)
        + h.source.sum(axis=1)
        + (h.discharge - h.charge).sum(axis=1)
        - h.spill.sum(axis=1)
        - h.link @ (1.0 - f.link_arrives)
    )
    assert_allclose(given, (h.load - h.shed).sum(axis=1) + h.loss.sum(axis=1), atol=1e-8)
    change = np.zeros((len(h.load), nb))
    for buses, new, old in (
        (f.unit_bus, h.unit_p, lossless.unit_p),
        (f.source_bus, h.source, lossless.source),
        (f.load_bus, h.shed, lossless.shed),
    ):
        np.add.at(change.T, buses, (new - old).T)
    change -= h.spill - lossless.spill
    for k in range(2):
        assert_allclose(change[:, island == k].sum(axis=1), h.loss[:, k], atol=1e-8)
