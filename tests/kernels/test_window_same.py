"""What must not change the answer of the interior point, and small windows whose answer is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from windows import RTOL, drawn, only_boxes, scale_of, scaled, solved

from gridsim.kernels import layout, window
from gridsim.kernels.problem import Boxes, Rows, Stores, Units

# -- small windows made by hand ---------------------------------------------------------------------------------------


def test_a_schedule_costs_what_it_costs():
    """A box without width is no decision, but its energy is paid for."""
    problem = only_boxes([2.0, 3.0], {"lo": [0.5, 1.0], "hi": [0.5, 1.0], "cost": 4.0}, {"cost": 10.0})
    solution = solved(problem, window.no_rows())
    assert_allclose([solution.objective, solution.bound], 4.0 * 1.5 + 10.0 * 3.5, rtol=1e-7)


def test_equals_are_curtailed_pro_rata():
    """Three wind farms of one price share what demand leaves, each in the same part of what it has."""
    wind = {"cost": 0.1}
    problem = only_boxes(
        [3.0, 1.0],
        wind | {"hi": [2.0, 0.5]},
        wind | {"hi": [1.0, 2.0], "bus": 1},
        wind | {"hi": [3.0, 0.0], "lo": [1.0, 0.0], "bus": 1},
        {"cost": 0.5},
    )
    x = solved(problem, window.no_rows()).x
    assert_allclose(x, [[0.8, 0.4, 1.8, 0.0], [0.2, 0.8, 0.0, 0.0]], atol=1e-6)
    share = (x - problem.boxes.lo)[:, :3] / np.maximum((problem.boxes.hi - problem.boxes.lo)[:, :3], 1e-9)
    assert share[0, 0] == pytest.approx(share[0, 1], rel=1e-13)
    assert share[0, 0] == pytest.approx(share[0, 2], rel=1e-13)
    assert share[1, 0] == pytest.approx(share[1, 1], rel=1e-13)


def test_equals_at_the_two_ends_of_a_line_are_not_equal():
    """Where a line binds in hour 0, the farm behind it is curtailed and its twin is not; hour 1 has no row."""
    farm = {"hi": 2.0, "cost": 0.1}
    problem = only_boxes([3.0, 3.0], farm, farm | {"bus": 1}, {"cost": 5.0, "bus": 1})
    rows = Rows(np.zeros(1, np.int64), np.array([[1.0, 0.0]]), np.array([0.7]), np.array([50.0]))
    solution = solved(problem, rows)
    assert_allclose(solution.x, [[0.7, 2.0, 0.3], [1.5, 1.5, 0.0]], atol=1e-6)
    assert_allclose(solution.price_row, 5.0 - 0.1, atol=1e-6)
    assert_allclose(solution.price[:, 0], [5.0, 0.1], atol=1e-6)


def test_laying_out_loses_nothing():
    """Merged boxes split again are what they were: at both bounds, and in between in the same share of the width."""
    for seed in range(30):
        problem, rows = drawn(seed)
        _, win, maps = layout.lay_out(problem, rows, np.arange(1, problem.need.shape[1]))
        lo, width = problem.boxes.lo, problem.boxes.hi - problem.boxes.lo
        for share in (0.0, 0.3, 1.0):
            x = layout.split(maps, win, share * win.box_width)
            wide = width > layout.WIDTH_MIN
            assert_allclose(x, lo + np.where(wide, share * width, 0.0), rtol=1e-12, atol=1e-12)


# -- what must not change the answer ----------------------------------------------------------------------------------

INVARIANT = range(300, 310)


@pytest.mark.compiled
@pytest.mark.parametrize(("power", "price"), [(0.25, 1.0), (8.0, 1.0), (1.0, 0.125), (1.0, 4.0), (3.0, 0.5)])
def test_units_of_power_and_money_do_not_matter(power, price):
    for seed in INVARIANT:
        problem, rows = drawn(seed, T=12)
        here = solved(problem, rows)
        there = solved(*scaled(problem, rows, power=power, price=price))
        atol = 2.0 * RTOL * scale_of(here.objective) / min(power, 1.0)  # residuals are measured in scaled power
        assert there.objective / (power * price) == pytest.approx(here.objective, abs=atol)
        assert there.bound / (power * price) == pytest.approx(here.bound, abs=atol)


def permuted(problem, order):
    """Units, boxes, ramped devices and stores in another order."""

    def moved(part, by, hourly):
        return {name: a[:, by] if name in hourly else a[by] for name, a in part._asdict().items()}

    def with_segments(part, of, hourly):
        by = order.permutation(part.bus.size)
        new_place = np.argsort(by)[getattr(part, of)]
        segments = np.argsort(new_place, kind="stable")
        own = {name: a for name, a in part._asdict().items() if not name.startswith("seg_")}
        fields = {name: a[:, by] if name in hourly else a[by] for name, a in own.items()}
        for name in (name for name in part._fields if name.startswith("seg_")):
            value = new_place if name == of else getattr(part, name)
            fields[name] = value[:, segments] if name in hourly else value[segments]
        return type(part)(**fields)

    boxes, stores = problem.boxes, problem.stores
    hourly = {name for name, a in stores._asdict().items() if a.ndim == 2}
    return problem._replace(
        units=with_segments(problem.units, "seg_unit", {"avail"}),
        boxes=Boxes(**moved(boxes, order.permutation(boxes.bus.size), {"lo", "hi", "cost"})),
        ramps=with_segments(problem.ramps, "seg_ramp", {"base", "up", "down", "seg_width", "seg_cost"}),
        stores=Stores(**moved(stores, order.permutation(stores.bus.size), hourly)),
    )


@pytest.mark.compiled
def test_the_order_of_devices_does_not_matter():
    for seed in INVARIANT:
        problem, rows = drawn(seed, T=12, units=5, boxes=6, ramps=2, stores=3)
        here = solved(problem, rows)
        there = solved(permuted(problem, np.random.default_rng(seed)), rows)
        scale = scale_of(here.objective)
        assert there.objective == pytest.approx(here.objective, abs=RTOL * scale)
        assert there.bound == pytest.approx(here.bound, abs=RTOL * scale)


@pytest.mark.compiled
def test_a_row_that_never_binds_changes_nothing():
    for seed in INVARIANT:
        problem, rows = drawn(seed, T=12, rows=5)
        rng = np.random.default_rng(seed)
        hour = np.sort(np.append(rows.hour, rng.integers(0, 12, 3)))
        old = np.searchsorted(hour, rows.hour) + np.array([np.sum(rows.hour[:m] == t) for m, t in enumerate(rows.hour)])
        coef = rng.uniform(-1, 1, (8, rows.coef.shape[1]))
        limit, cost = np.full(8, 1e3), np.full(8, 40.0)
        coef[old], limit[old], cost[old] = rows.coef, rows.limit, rows.cost
        here, there = solved(problem, rows), solved(problem, Rows(hour, coef, limit, cost))
        assert there.objective == pytest.approx(here.objective, abs=RTOL * scale_of(here.objective))
        assert np.delete(there.price_row, old).max() < 1e-6
        assert_allclose(there.overload[old], here.overload, atol=1e-4)


@pytest.mark.compiled
def test_a_group_of_two_is_two_groups_of_one():
    """Filling the first unit before the second turns any path of the group into two, with the same starts."""
    for seed in INVARIANT:
        problem, rows = drawn(seed, T=12)
        units = problem.units
        two = np.minimum(units.avail, 2.0)
        on0 = np.minimum(units.on0, 2.0)
        group = problem._replace(units=units._replace(avail=two, on0=on0))
        nu = units.bus.size
        parts = {
            "avail": np.hstack((np.minimum(two, 1.0), np.maximum(two - 1.0, layout.AVAIL_MIN))),
            "on0": np.append(np.minimum(on0, 1.0), np.maximum(on0 - 1.0, 0.0)),
            "seg_unit": np.append(units.seg_unit, units.seg_unit + nu),
        }
        rest = {name: value for name, value in units._asdict().items() if name not in parts}
        twice = {name: np.concatenate([value, value]) for name, value in rest.items()}
        here, there = solved(group, rows), solved(problem._replace(units=Units(**twice, **parts)), rows)
        assert there.objective == pytest.approx(
            here.objective, abs=1e-5 * scale_of(here.objective)
        )  # AVAIL_MIN of shed


@pytest.mark.parametrize("size", [{}, {"units": 0, "ramps": 0, "stores": 0, "boxes": 6}, {"T": 24, "rows": 120}])
@pytest.mark.parametrize("seed", range(4))
def test_hour_by_hour_is_the_same_factor(monkeypatch, seed, size):
    problem, rows = drawn(seed, **size)
    found = []
    for apart in (True, False):
        monkeypatch.setattr(layout, "by_hour", lambda rows, chains, apart=apart: apart)
        solution, outcome = window.solve(problem, rows)
        assert outcome.status == window.SOLVED
        found.append((solution, outcome.iterations))
    (hourly, steps), (dense, as_many) = found
    assert abs(steps - as_many) <= 1
    assert_allclose(hourly.objective, dense.objective, rtol=1e-7)
    assert_allclose(hourly.bound, dense.bound, rtol=1e-7)


def test_many_rows_are_factored_hour_by_hour():
    few, many = np.full(48, 5), np.full(48, 60)
    assert not layout.by_hour(few, 150)
    assert layout.by_hour(many, 150)
    assert layout.by_hour(few, 0)


def test_a_solution_is_the_same_to_the_byte():
    problem, rows = drawn(11, T=6, rows=4)
    first, second = window.solve(problem, rows), window.solve(problem, rows)
    for a, b in zip(first[0], second[0], strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert first[1][:-1] == second[1][:-1]


def test_the_window_is_only_read():
    problem, rows = drawn(5, T=6, rows=4)
    arrays = [problem.need, *rows]
    arrays += [*problem.units, *problem.boxes, *problem.ramps, *problem.stores]
    free = solved(problem, rows)
    for array in arrays:
        array.flags.writeable = False
    again = solved(problem, rows)
    assert again.x.tobytes() == free.x.tobytes()
