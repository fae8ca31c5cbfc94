"""The hour dispatched again: against HiGHS, which is given the hour in other words, and by hand."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from gridsim.kernels import redispatch
from gridsim.kernels.redispatch import SOLVED, Block

SEEDS = range(60)


def draw(rng: np.random.Generator, T: int = 3, boxes: int = 30, ramps: int = 4, stores: int = 4, lines: int = 6) -> Any:
    """Random hours of five buses, and outputs and energies before them; shedding, spilling, shortfalls of reserve."""
    buses, R = 5, 3
    seg_ramp = np.sort(np.concatenate((np.arange(ramps), rng.integers(0, ramps, 2 * ramps)))) if ramps else np.zeros(0)
    segs = seg_ramp.size
    hi = rng.uniform(0.0, 3.0, (T, boxes))
    lo = np.where(rng.random((T, boxes)) < 0.2, hi * rng.random((T, boxes)), 0.0)
    coef = np.zeros((boxes + 4, R))
    coef[:boxes, 0] = 1.0
    coef[:boxes, 1] = np.where(rng.random(boxes) < 0.4, -1.0, 0.0)
    coef[:boxes, 2] = np.where(rng.random(boxes) < 0.4, 1.0, 0.0)
    coef[boxes:] = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, 1]]
    cost = np.concatenate((rng.uniform(0.1, 1.0, boxes).round(1), [30.0, 5.0, 8.0, 8.0]))
    hour = np.sort(rng.integers(0, T, lines))
    last = np.append(seg_ramp[1:] != seg_ramp[:-1], True)[:segs]
    first = np.append(True, seg_ramp[1:] != seg_ramp[:-1])[:segs]
    base = rng.uniform(0.0, 1.0, (T, ramps))
    worth = rng.uniform(0.0, 0.8, (T, stores))
    block = Block(
        need=np.hstack((rng.uniform(20.0, 50.0, (T, 1)), rng.uniform(-20.0, 6.0, (T, R - 1)))),
        box_bus=np.concatenate((rng.integers(0, buses, boxes), [0, 0, 0, 0])).astype(np.int64),
        box_lo=np.hstack((lo, np.zeros((T, 4)))),
        box_hi=np.hstack((hi, np.full((T, 4), 1e3))),
        box_cost=np.tile(cost, (T, 1)),
        box_coef=coef,
        box_line=np.concatenate((np.ones(boxes), [1.0, -1.0, 0.0, 0.0])),
        ramp_bus=rng.integers(0, buses, ramps).astype(np.int64),
        ramp_base=base,
        ramp_up=rng.uniform(0.5, 2.0, (T, ramps)),
        ramp_down=rng.uniform(0.5, 2.0, (T, ramps)),
        ramp_least=np.zeros((T, ramps)),
        ramp_most=np.full((T, ramps), 9.0),
        seg_ramp=seg_ramp.astype(np.int64),
        seg_width=rng.uniform(0.0, 1.0, (T, segs)),
        seg_cost=np.sort(rng.uniform(0.1, 1.0, (T, segs)), axis=1),
        seg_coef=np.column_stack((np.ones(segs), np.where(last, -1.0, 0.0), np.where(first, 1.0, 0.0))),
        store_bus=rng.integers(0, buses, stores).astype(np.int64),
        charge_lo=np.zeros((T, stores)),
        charge_hi=rng.uniform(0.0, 2.0, (T, stores)),
        discharge_lo=np.zeros((T, stores)),
        discharge_hi=rng.uniform(0.0, 2.0, (T, stores)),
        charge_cost=np.full(stores, 0.01),
        discharge_cost=np.full(stores, 0.02),
        eta_c=np.full(stores, 0.9),
        eta_d=np.full(stores, 0.85),
        keep=np.full(stores, 0.99),
        inflow=np.zeros((T, stores)),
        e_lo=np.zeros((T, stores)),
        e_hi=np.full((T, stores), 4.0),
        e_plan=rng.uniform(0.0, 4.0, (T, stores)),
        worth_below=1.1 * worth,
        worth_above=0.9 * worth,
        line_at=np.searchsorted(hour, np.arange(T + 1)).astype(np.int64),
        line_coef=rng.uniform(-1.0, 1.0, (lines, buses)),
        line_limit=rng.uniform(-3.0, 6.0, lines),
        line_cost=np.full(lines, 10.0),
    )
    return block, rng.uniform(0.5, 1.5, ramps) + base[0], rng.uniform(0.0, 4.0, stores)


def by_highs(b: Block, t: int, before: Any, e: Any, *, one_way: Any) -> Any:
    """Hour t as a linear program with outputs of ramped devices and energies of stores as rows, and its costs.

    `one_way` (ns,): 1 where a store only charges, -1 where it only discharges.
    """
    nx, nkr, ns = b.box_bus.size, b.seg_ramp.size, b.store_bus.size
    rows = slice(int(b.line_at[t]), int(b.line_at[t + 1]))
    lines = rows.stop - rows.start
    X, Q, C, D, B, A, V = np.split(np.arange(nx + nkr + 4 * ns + lines), np.cumsum((nx, nkr, ns, ns, ns, ns)))
    cost = np.concatenate((
        b.box_cost[t], b.seg_cost[t], b.charge_cost, b.discharge_cost, b.worth_below[t], -b.worth_above[t],
        b.line_cost[rows],
    ))  # fmt: skip
    n = cost.size

    def row(*parts: tuple[Any, Any]) -> Any:
        out = np.zeros(n)
        for where, value in parts:
            out[where] = value
        return out

    there = b.keep * e + b.inflow[t]
    stored = [row((C[i], b.eta_c[i]), (D[i], -1.0 / b.eta_d[i])) for i in range(ns)]
    equal = [row((X, b.box_coef[:, 0]), (Q, 1.0), (C, -1.0), (D, 1.0))]
    equal += [stored[i] + row((B[i], 1.0), (A[i], -1.0)) for i in range(ns)]
    equal_to = [b.need[t, 0] - b.ramp_base[t].sum(), *(b.e_plan[t] - there)]
    upper, most = [], []
    for r in range(1, b.need.shape[1]):
        upper.append(row((X, -b.box_coef[:, r]), (Q, -b.seg_coef[:, r])))
        most.append(-b.need[t, r])
    for k in range(lines):
        coef = b.line_coef[rows.start + k]
        of_segs = coef[b.ramp_bus[b.seg_ramp]]
        upper.append(row((X, coef[b.box_bus] * b.box_line), (Q, of_segs), (C, -coef[b.store_bus]),
                         (D, coef[b.store_bus]), (V[k], -1.0)))  # fmt: skip
        most.append(b.line_limit[rows.start + k] - coef[b.ramp_bus] @ b.ramp_base[t])
    for i in range(ns):
        upper += [stored[i], -stored[i]]
        most += [b.e_hi[t, i] - there[i], there[i] - b.e_lo[t, i]]
    for i in range(b.ramp_bus.size):
        output = row((Q, (b.seg_ramp == i).astype(float)))
        upper += [output, -output]
        rest = before[i] - b.ramp_base[t, i]
        most += [rest + b.ramp_up[t, i], b.ramp_down[t, i] - rest]
    charge = np.where(one_way < 0, 0.0, b.charge_hi[t])
    discharge = np.where(one_way > 0, 0.0, b.discharge_hi[t])
    bounds = [
        *zip(b.box_lo[t], b.box_hi[t], strict=True), *((0.0, w) for w in b.seg_width[t]), *((0.0, w) for w in charge),
        *((0.0, w) for w in discharge), *[(0.0, None)] * (2 * ns + lines),
    ]  # fmt: skip
    found = linprog(cost, np.array(upper), most, np.array(equal), equal_to, bounds, method="highs")
    return found, cost


@pytest.mark.parametrize("seed", SEEDS)
def test_every_hour_is_as_good_as_highs(seed: int) -> None:
    block, before, e = draw(np.random.default_rng(seed))
    out = redispatch.result(block)
    now, energy = before.copy(), e.copy()
    status, hour = redispatch.walk(block, redispatch.work(block), out, now, energy, 0)
    assert (status, hour) == (SOLVED, len(block.need))
    for t in range(len(block.need)):
        # burning energy in both ways at once may pay behind a full line: HiGHS may go the way that the kernel went
        ways = np.sign(out.charge[t] - out.discharge[t])
        found, cost = by_highs(block, t, before, e, one_way=ways)
        if found.status != 0:  # an output before the hours that no ramp brings into its range
            return
        apart = out.e[t] - block.e_plan[t]
        lines = slice(block.line_at[t], block.line_at[t + 1])
        parts = (out.x[t], out.ramp_q[t], out.charge[t], out.discharge[t], np.maximum(-apart, 0), np.maximum(apart, 0))
        ours = float(cost @ np.concatenate((*parts, out.overload[lines])))
        assert ours <= found.fun + 1e-6 * max(1.0, abs(found.fun))
        if not (np.minimum(out.charge[t], out.discharge[t]) > 1e-9).any():
            assert ours == pytest.approx(found.fun, rel=1e-6, abs=1e-6)
        supply = out.x[t] @ block.box_coef[:, 0] + out.ramp_q[t].sum() + block.ramp_base[t].sum()
        assert supply + (out.discharge[t] - out.charge[t]).sum() == pytest.approx(block.need[t, 0], abs=1e-7)
        before = block.ramp_base[t] + np.bincount(block.seg_ramp, out.ramp_q[t], minlength=before.size)
        e = out.e[t]
    np.testing.assert_allclose(now, before)
    np.testing.assert_allclose(energy, e)


@pytest.mark.parametrize("seed", range(20))
def test_prices_prove_the_optimum(seed: int) -> None:
    """Without stores and ramps the dual objective at the prices is the cost."""
    block, before, e = draw(np.random.default_rng(seed), stores=0, ramps=0)
    out = redispatch.result(block)
    assert redispatch.walk(block, redispatch.work(block), out, before, e, 0)[0] == SOLVED
    assert (out.price[:, 1:] > -1e-9).all()
    assert (out.price_row > -1e-9).all()
    for t in range(len(block.need)):
        lines = slice(block.line_at[t], block.line_at[t + 1])
        pi, coef = out.price_row[lines], block.line_coef[lines]
        reduced = block.box_cost[t] - block.box_coef @ out.price[t] + (pi @ coef)[block.box_bus] * block.box_line
        dual = out.price[t] @ block.need[t] - pi @ block.line_limit[lines]
        dual += np.where(reduced > 0, reduced * block.box_lo[t], reduced * block.box_hi[t]).sum()
        cost = block.box_cost[t] @ out.x[t] + block.line_cost[lines] @ out.overload[lines]
        assert dual == pytest.approx(cost, rel=1e-5, abs=1e-5)


def one_store(worth: float, band: float, price: float) -> float:
    """Discharge of one hour of a store with 2 MWh, 1 MW and a plan to stay; a unit of 5 MW at `price` feeds 3 MW."""
    one, none = np.ones((1, 1)), np.zeros((1, 1))
    block = Block(
        need=3.0 * one, box_bus=np.zeros(1, np.int64), box_lo=none, box_hi=5.0 * one, box_cost=price * one,
        box_coef=one, box_line=np.ones(1), ramp_bus=np.zeros(0, np.int64), ramp_base=np.zeros((1, 0)),
        ramp_up=np.zeros((1, 0)), ramp_down=np.zeros((1, 0)), ramp_least=np.zeros((1, 0)),
        ramp_most=np.zeros((1, 0)), seg_ramp=np.zeros(0, np.int64),
        seg_width=np.zeros((1, 0)), seg_cost=np.zeros((1, 0)), seg_coef=np.zeros((0, 1)),
        store_bus=np.zeros(1, np.int64), charge_lo=none, charge_hi=one, discharge_lo=none, discharge_hi=one,
        charge_cost=np.zeros(1), discharge_cost=np.zeros(1), eta_c=np.full(1, 0.8), eta_d=np.ones(1), keep=np.ones(1),
        inflow=none, e_lo=none, e_hi=4.0 * one, e_plan=2.0 * one, worth_below=worth * (1 + band) * one,
        worth_above=worth * (1 - band) * one, line_at=np.zeros(2, np.int64), line_coef=np.zeros((0, 1)),
        line_limit=np.zeros(0), line_cost=np.zeros(0),
    )  # fmt: skip
    out = redispatch.result(block)
    assert redispatch.walk(block, redispatch.work(block), out, np.zeros(0), np.full(1, 2.0), 0)[0] == SOLVED
    return float(out.discharge[0, 0] - out.charge[0, 0])


def test_a_store_leaves_its_plan_beyond_the_band() -> None:
    """Worth 0.4 with a band of a quarter: it gives above 0.5, takes below 0.8 * 0.3, and rests between."""
    prices = {0.51: 1.0, 0.49: 0.0, 0.25: 0.0, 0.23: -1.0}
    for price, wanted in prices.items():
        assert one_store(0.4, 0.25, price) == pytest.approx(wanted, abs=1e-9), price
