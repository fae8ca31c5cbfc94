"""Whole units: each schedule against every other, groups against every split of them over single units."""

import numpy as np
import pytest
from reference import INTERPRETED, Unit, aged, first_unexplained, keeps_minimum_times, patterns

from gridsim.kernels import commit


def whole(*values):
    return np.array(values, dtype=np.int64)


def arrays(units):
    """What the kernels want to know of units: on, hours, out."""
    on, hours, out = zip(*units, strict=True)
    return np.array(on, dtype=bool), whole(*hours), np.array(out, dtype=bool)


def rounded(relaxed, avail, units, *, min_up, min_down, threshold=0.3, stay=0):
    """Counts and starts of one group of units."""
    hours = len(relaxed)
    count, start = np.full((2, hours, 1), -1, dtype=np.int64)
    commit.round_up(
        np.array(relaxed, dtype=float).reshape(hours, 1),
        whole(*avail).reshape(hours, 1),
        whole(0, len(units)),
        *arrays(units),
        whole(min_up),
        whole(min_down),
        whole(stay),
        threshold,
        count,
        start,
    )
    return count[:, 0], start[:, 0]


def age(units, *, count, start, avail):
    """`units` one hour on."""
    on, hours, out = arrays(units)
    commit.age(whole(count), whole(start), whole(avail), whole(0, len(units)), on, hours, out)
    return [Unit(bool(o), int(h), bool(away)) for o, h, away in zip(on, hours, out, strict=True)]


# -- one unit ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", range(5))
def test_one_unit_has_the_best_of_all_schedules(block):
    """Least sum over hours on of (threshold - wanted), among every pattern that keeps the rules."""
    rng = np.random.default_rng(block)
    on_at_some_time = 0
    for _ in range(60):
        hours = int(rng.integers(1, 9))
        min_up, min_down = (int(v) for v in rng.integers(1, 6, 2))
        on, since = bool(rng.random() < 0.5), int(rng.integers(1, 8))
        free = rng.random(hours) < rng.choice([1.0, 0.8])
        relaxed, threshold = rng.uniform(-0.2, 1.3, hours), rng.uniform(0.01, 0.9)
        count, start = rounded(
            relaxed, free.astype(int), [Unit(on, since)], min_up=min_up, min_down=min_down, threshold=threshold
        )
        assert keeps_minimum_times(count.astype(bool), free, on, since, min_up=min_up, min_down=min_down)
        price = threshold - np.clip(relaxed, 0.0, 1.0)
        best = min(float(price @ np.array(p)) for p in patterns(free, on, since, min_up, min_down))
        assert price @ count == pytest.approx(best, abs=1e-12)
        assert start.tolist() == np.maximum(np.diff(count, prepend=int(on)), 0).tolist()
        on_at_some_time += count.any()
    assert on_at_some_time > 20


@pytest.mark.parametrize(
    ("unit", "count"),
    [
        ((True, 1), [1, 1, 0, 0, 0]),  # on for one hour, owes two more
        ((True, 3), [0, 0, 0, 0, 0]),
        ((False, 9), [0, 0, 0, 0, 0]),
    ],
)
def test_runs_only_as_long_as_it_owes(unit, count):
    assert rounded(np.zeros(5), [1] * 5, [Unit(*unit)], min_up=3, min_down=2)[0].tolist() == count


@pytest.mark.parametrize(("since", "count"), [(1, [0, 0, 1, 1]), (2, [0, 1, 1, 1]), (3, [1, 1, 1, 1])])
def test_rests_before_it_starts(since, count):
    assert rounded(np.ones(4), [1] * 4, [Unit(False, since)], min_up=1, min_down=3)[0].tolist() == count


def test_an_outage_ends_any_run_and_any_rest():
    count, start = rounded(np.ones(5), [1, 0, 0, 1, 1], [Unit(True, 1)], min_up=4, min_down=4)
    assert count.tolist() == [1, 0, 0, 1, 1]
    assert start.tolist() == [0, 0, 0, 1, 0]


def test_a_low_threshold_rounds_up():
    relaxed, units = [0.2, 0.2, 0.2], [Unit(False, 9)]
    assert rounded(relaxed, [1] * 3, units, min_up=1, min_down=1, threshold=0.1)[0].tolist() == [1, 1, 1]
    assert rounded(relaxed, [1] * 3, units, min_up=1, min_down=1, threshold=0.3)[0].tolist() == [0, 0, 0]


def test_whole_counts_are_kept():
    """A relaxed count that whole units can follow is followed."""
    relaxed = [2, 2, 3, 3, 3, 3, 1, 1, 1, 2, 2, 2]
    units = [Unit(True, 20), Unit(True, 20), Unit(False, 20)]
    for threshold in (0.01, 0.3, 0.9):
        assert rounded(relaxed, [3] * 12, units, min_up=3, min_down=3, threshold=threshold)[0].tolist() == relaxed


def test_a_unit_too_fast_to_stop_stays_on():
    """Whatever it costs and however long it has been on; an outage takes it all the same, and a unit off stays off."""
    rounding = {"min_up": 1, "min_down": 1}
    assert rounded(np.zeros(4), [1] * 4, [Unit(True, 9)], **rounding, stay=3)[0].tolist() == [1, 1, 1, 0]
    assert rounded(np.zeros(4), [1, 0, 0, 1], [Unit(True, 9)], **rounding, stay=3)[0].tolist() == [1, 0, 0, 0]
    assert rounded(np.zeros(4), [1] * 4, [Unit(False, 9)], **rounding, stay=3)[0].tolist() == [0] * 4


# -- what starts cost ------------------------------------------------------------------------------------------------

LAG, COST = [[2, 5, 9]], [[10.0, 20.0, 40.0]]


def priced(units, *, count, start, avail):
    """Cost of the starts of one group in every hour."""
    counts = (whole(*values).reshape(-1, 1) for values in (count, start, avail))
    on, hours, out = arrays(units)
    total = np.full((len(count), 1), np.nan)
    scratch = np.empty_like(on), np.empty_like(hours), total
    commit.start_costs(*counts, whole(0, len(units)), on, hours, out, np.array(LAG), np.array(COST), *scratch)
    return total[:, 0].tolist()


@pytest.mark.parametrize(("off_h", "cost"), [(1, 10.0), (2, 10.0), (4, 10.0), (5, 20.0), (8, 20.0), (9, 40.0)])
def test_a_start_costs_by_the_hours_off_before_it(off_h, cost):
    assert priced([Unit(False, off_h)], count=[1, 1], start=[1, 0], avail=[1, 1]) == [cost, 0.0]


def test_hours_off_are_counted_through_the_window():
    count = [0, 0, 0, 0, 0, 1, 0, 1]
    assert priced([Unit(True, 7)], count=count, start=[0, 0, 0, 0, 0, 1, 0, 1], avail=[1] * 8) == [0.0] * 5 + [
        20.0,  # off from hour 0 on: five hours
        0.0,
        10.0,  # one hour
    ]


def test_the_longest_rested_unit_of_a_group_starts_first():
    units = [Unit(False, 3), Unit(False, 20), Unit(True, 4)]
    assert priced(units, count=[2, 3], start=[1, 1], avail=[3, 3]) == [40.0, 10.0]


def test_an_outage_is_time_off():
    units = [Unit(False, 1, out=True)]
    assert priced(units, count=[0, 0, 0, 0, 1], start=[0, 0, 0, 0, 1], avail=[0, 0, 0, 1, 1])[4] == 20.0


# -- groups -----------------------------------------------------------------------------------------------------------


def group(rng, hours, *, outages):
    """A random group: units before the first hour, minimum times, availability."""
    n = int(rng.integers(1, 5))
    avail = np.full(hours + 1, n)  # the hour before included
    for _ in range(int(rng.integers(1, 4)) if outages else 0):
        first = int(rng.integers(0, hours))
        avail[first : first + int(rng.integers(1, 25))] -= 1
    avail = np.maximum(avail, 0)
    units = [
        Unit(bool(rng.random() < 0.5) and i < avail[0], int(rng.integers(1, 10)), bool(i >= avail[0])) for i in range(n)
    ]
    min_up, min_down = (int(v) for v in rng.integers(1, 9, 2))
    return units, min_up, min_down, avail[1:]


def wish(rng, n, hours):
    """A relaxed count that swings through its range."""
    swing = n * (0.5 + 0.6 * np.sin(np.arange(hours) / rng.uniform(1, 6)))
    return np.clip(swing + rng.normal(0, 0.4, hours), 0, n)


@pytest.mark.parametrize("outages", [False, True])
def test_single_units_can_do_what_a_window_asks(outages):
    rng = np.random.default_rng(7)
    for _ in range(150):
        units, min_up, min_down, avail = group(rng, 14, outages=outages)
        relaxed = np.minimum(wish(rng, len(units), 14), avail)
        threshold = rng.choice([0.01, 0.3, 0.6])
        count, start = rounded(relaxed, avail, units, min_up=min_up, min_down=min_down, threshold=threshold)
        assert (count >= 0).all()
        assert (count <= avail).all()
        assert (start >= np.maximum(np.diff(count, prepend=sum(unit.on for unit in units)), 0)).all()
        assert first_unexplained(count, start, avail, units, min_up=min_up, min_down=min_down) is None


def test_the_checker_sees_a_broken_rule():
    """`first_unexplained` is the judge above: it must not let everything pass."""

    def judged(counts, starts, avail, *, min_up, min_down):
        pair = [Unit(True, 5), Unit(False, 1)]
        return first_unexplained(counts, starts, [avail] * len(counts), pair, min_up=min_up, min_down=min_down)

    assert judged([1, 1, 2], [0, 0, 1], 2, min_up=1, min_down=3) is None
    assert judged([1, 2, 2], [0, 1, 0], 2, min_up=1, min_down=3) == 1  # rested for two hours only
    assert judged([0, 0, 0], [0, 0, 0], 2, min_up=6, min_down=1) == 0  # owes an hour more,
    assert judged([0, 0, 0], [0, 0, 0], 1, min_up=6, min_down=1) is None  # unless an outage takes it
    assert judged([1, 1], [0, 1], 2, min_up=1, min_down=1) is None  # one stops as the other starts
    assert judged([2, 2], [0, 0], 2, min_up=1, min_down=1) == 0  # a start that is not counted


def test_groups_do_not_see_each_other():
    """Two groups in one call are what they are alone."""
    rng = np.random.default_rng(3)
    one, other = (group(rng, 16, outages=True) for _ in range(2))
    relaxed = [np.minimum(wish(rng, len(units), 16), avail) for units, _, _, avail in (one, other)]
    units = one[0] + other[0]
    count, start = np.empty((2, 16, 2), dtype=np.int64)
    commit.round_up(
        np.column_stack(relaxed),
        np.column_stack((one[3], other[3])),
        whole(0, len(one[0]), len(units)),
        *arrays(units),
        whole(one[1], other[1]),
        whole(one[2], other[2]),
        whole(0, 0),
        0.3,
        count,
        start,
    )
    for i, (alone, min_up, min_down, avail) in enumerate((one, other)):
        want = rounded(relaxed[i], avail, alone, min_up=min_up, min_down=min_down)
        assert (count[:, i].tolist(), start[:, i].tolist()) == (want[0].tolist(), want[1].tolist())


# -- windows after windows --------------------------------------------------------------------------------------------

KEPT, AHEAD, WINDOWS = 6, 12, 10


def lived(seed, *, outages):
    """Ten windows rounded and aged; the arguments of `first_unexplained` for all that was lived through."""
    rng = np.random.default_rng(seed)
    total = WINDOWS * KEPT + AHEAD
    first, min_up, min_down, avail = group(rng, total, outages=outages)
    times = {"min_up": min_up, "min_down": min_down}
    relaxed, units, counts, starts = np.minimum(wish(rng, len(first), total), avail), first, [], []
    for begin in range(0, WINDOWS * KEPT, KEPT):
        ahead = slice(begin, begin + AHEAD)
        threshold = rng.choice([0.01, 0.3, 0.6])
        count, start = rounded(relaxed[ahead], avail[ahead], units, threshold=threshold, **times)
        assert first_unexplained(count, start, avail[ahead], units, **times) is None
        for t in range(KEPT):
            hour = {"count": int(count[t]), "start": int(start[t]), "avail": int(avail[begin + t])}
            want = aged(units, **hour)
            units = age(units, **hour)
            assert sorted(units) == want
            assert sum(unit.on for unit in units) == count[t]
            assert sum(unit.out for unit in units) == len(units) - avail[begin + t]
            counts.append(hour["count"])
            starts.append(hour["start"])
    return (counts, starts, avail[: len(counts)].tolist(), first), times


@pytest.mark.parametrize("outages", [False, True])
def test_minimum_times_hold_across_windows(outages):
    """The whole history, not only each window, can be split over single units."""
    changes = 0
    for seed in range(150):
        history, times = lived(seed, outages=outages)
        assert first_unexplained(*history, **times) is None, seed
        changes += sum(history[1])
    assert changes > 300


def test_an_outage_does_not_shorten_the_rest_of_another():
    """One unit is out from hour 1 on; the other stops in hour 2, owes four hours of rest, and is wanted in hour 4."""
    first, times, avail = [Unit(False, 500), Unit(True, 9)], {"min_up": 1, "min_down": 4}, [2, 1, 1, 1, 1, 1, 1, 1]
    units, counts, starts = first, [], []
    for begin, relaxed in ((0, [1, 1, 0, 0]), (4, [1, 1, 1, 1])):
        count, start = rounded(relaxed, avail[begin : begin + 4], units, **times)
        for t in range(4):
            units = age(units, count=count[t], start=start[t], avail=avail[begin + t])
        counts += count.tolist()
        starts += start.tolist()
    assert counts == [1, 1, 0, 0, 0, 0, 1, 1]
    assert first_unexplained(counts, starts, avail, first, **times) is None


def test_an_outage_to_come_is_no_way_round_the_minimum_up_time():
    """One hour of demand does not start a unit for four hours, so it must not start one for the hour before an outage.

    Of the two idle units one goes on outage in hour 2: it can be the one that did not run.
    """
    idle, times = [Unit(False, 99), Unit(False, 99)], {"min_up": 4, "min_down": 1}
    assert rounded([0, 1, 0, 0, 0, 0], [2] * 6, idle, **times)[0].tolist() == [0] * 6
    assert rounded([0, 1, 0, 0, 0, 0], [2, 2, 1, 1, 1, 1], idle, **times)[0].tolist() == [0] * 6


@pytest.mark.parametrize("seed", range(20))
def test_ageing_moves_every_clock(seed):
    """Against the twin, for any counts, starts and outages a group can have."""
    rng = np.random.default_rng(seed)
    units = [Unit(bool(rng.random() < 0.5), int(since)) for since in rng.integers(1, 60, rng.integers(1, 7))]
    for _ in range(60):
        avail = len(units) if rng.random() < 0.5 else int(rng.integers(0, len(units) + 1))
        running, out = sum(unit.on for unit in units), sum(unit.out for unit in units)
        back = max(0, out - (len(units) - avail))
        start = int(rng.integers(0, min(avail, len(units) - out + back - running) + 1))
        count = int(rng.integers(start, min(avail, running + start) + 1))
        hour = {"count": count, "start": start, "avail": avail}
        want = aged(units, **hour)
        units = age(units, **hour)
        assert sorted(units) == want


def test_the_longest_run_stops_and_the_longest_rested_starts():
    units = [Unit(True, 3), Unit(True, 30), Unit(False, 4), Unit(False, 40), Unit(True, 7)]
    after = [Unit(True, 4), Unit(False, 1), Unit(False, 5), Unit(True, 1), Unit(True, 8)]
    assert age(units, count=3, start=1, avail=5) == after


def test_an_outage_takes_the_longest_rested_and_gives_back_whom_it_had_longest():
    units = [Unit(True, 3), Unit(False, 9), Unit(False, 20), Unit(False, 50, True)]
    assert age(units, count=1, start=0, avail=2) == [
        Unit(True, 4), Unit(False, 10), Unit(False, 21, True), Unit(False, 51, True),
    ]  # fmt: skip
    assert age(units, count=1, start=0, avail=4) == [Unit(True, 4), Unit(False, 10), Unit(False, 21), Unit(False, 51)]
    assert age([Unit(True, 3), Unit(True, 5)], count=1, start=0, avail=1) == [Unit(True, 4), Unit(False, 1, True)]


def test_inputs_are_only_read():
    """Interpreted, writing to a read-only array raises; compiled, the bytes are compared."""
    relaxed, avail, first = np.array([[0.4], [1.6], [2.0]]), whole(2, 2, 2).reshape(3, 1), whole(0, 2)
    inputs = (relaxed, avail, first, *arrays([Unit(True, 3), Unit(False, 9)]), whole(2), whole(2), whole(0))
    before = [array.tobytes() for array in inputs]
    for array in inputs if INTERPRETED else ():
        array.flags.writeable = False
    count, start = np.zeros((2, 3, 1), dtype=np.int64)
    commit.round_up(*inputs, 0.3, count, start)
    assert [array.tobytes() for array in inputs] == before
    given = (count[0], start[0], avail[0], first)
    before = [array.tobytes() for array in given]
    commit.age(*given, *(array.copy() for array in inputs[3:6]))
    assert [array.tobytes() for array in given] == before
