"""A source and the store beside it: both together keep the ramp limit of the source."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from one_bus import HOUR, add_sgen, add_store, lived, one_bus, source_mw

from gridsim.audit import audit
from gridsim.beside import keep_ramps
from gridsim.case import StoreLimits
from gridsim.errors import InputError

RAMP, ROOM = 200.0, 100.0
EARLY = (HOUR < 8).astype(float)  # power is free
SCHEDULE = np.where((HOUR < 8) | (HOUR == 23), 0.5, np.where((HOUR == 8) | (HOUR == 22), 0.65, 0.8))


def line(net, *, beside="line", **more):
    """A schedule that steps from 500 to 800 MW in two hours, and 100 MW to depart from it; back from 8 to 16 h."""
    row = {"name": "line", "p_mw": 0.0, "min_p_mw": 0.0, "max_p_mw": 1000.0, "sn_mva": 1000.0, "tech": "import",
           "profile": "plan", "ramp_up_mw_per_h": RAMP, "ramp_down_mw_per_h": RAMP, "cost": 300.0}  # fmt: skip
    add_sgen(net, row | more)
    store = {"name": "shift", "p_mw": 0.0, "max_p_mw": ROOM, "min_p_mw": -ROOM, "max_e_mwh": 4000.0, "min_e_mwh": 0.0,
             "soc_percent": 50.0, "controllable": True, "tech": "dc_shift", "eta_charge": 1.0, "eta_discharge": 1.0,
             "discharge_profile": "back", "beside": beside}  # fmt: skip
    add_store(net, store)


def moved(tmp_path, beside):
    net = one_bus()
    line(net, beside=beside)
    series = {"plan [1]": SCHEDULE, "back [1]": ((HOUR >= 8) & (HOUR < 16)).astype(float)}
    _, run = lived(tmp_path, net, load=1000.0, cheap=EARLY, series=series)
    with run:
        less, more = (run.array(f"storage/{way}_mw")[:, 0] for way in ("charge", "discharge"))
        return less, more, source_mw(run, "line") + more - less


def test_a_line_and_its_departures_step_no_faster_than_the_line(tmp_path):
    """From 500 by 650 to 800 MW there are 50 MW an hour left of 200: shared by the last hour of less and the first of
    more, whole in the second. Without `beside` the line would jump from 400 to 750 MW."""
    _, more, total = moved(tmp_path / "alone", "")
    assert_allclose(more[8:16], ROOM, atol=1e-3)
    assert np.abs(np.diff(total)).max() == pytest.approx(350.0, abs=1e-3)
    less, more, total = moved(tmp_path / "beside", "line")
    assert np.abs(np.diff(total)).max() <= RAMP + 1e-3
    assert_allclose(more.reshape(2, 24)[:, 8:16], [[25.0, 50.0] + [100.0] * 6] * 2, atol=1e-3)
    assert_allclose(less.sum(), more.sum(), atol=1e-3)  # what is contracted comes
    assert (less.reshape(2, 24)[:, 7] <= 25.0 + 1e-3).all()


def test_the_audit_looks_at_the_sum(tmp_path):
    moved(tmp_path, "")
    import h5py

    with h5py.File(tmp_path / "run.h5", "r+") as file:
        file["stores/beside_source"][0] = 1  # "cheap" is row 0
    (row,) = audit(tmp_path / "run.h5").failed
    assert row.check == "ramps of sources with stores"
    assert row.where.endswith(" 08:00, shift")  # both days have it
    assert row.worst == pytest.approx(150.0, abs=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_both_do_the_sum_keeps_the_ramp(seed):
    """Corners of what source and store may do at random, every two steps in a row."""
    rng = np.random.default_rng(seed)
    n, ramp = 60, rng.uniform(50.0, 200.0)
    top = 1000.0 + np.cumsum(rng.uniform(-ramp, ramp, n))
    low = top - rng.uniform(0.0, 80.0, n)
    most = rng.uniform(0.0, 150.0, (2, n, 1))
    free = StoreLimits(most[0], most[1], np.zeros((n, 1)), np.zeros((n, 1)))
    sources = pd.DataFrame({"curtailable": [False], "ramp_mw_per_h": [ramp]})
    bounds = low[:, None], top[:, None]
    held = keep_ramps(free, np.array([0]), sources, *bounds, rng.uniform(0.0, 1000.0, n), 1)
    charge, discharge = held.charge_max_mw[:, 0], held.discharge_max_mw[:, 0]
    assert (charge >= 0.0).all()
    assert (charge <= most[0, :, 0]).all()
    assert (discharge <= most[1, :, 0]).all()
    assert discharge.sum() + charge.sum() > 0.05 * most.sum()
    for t in range(n - 1):
        for before in (low[t], top[t]):
            after = np.clip([low[t + 1], top[t + 1]], before - ramp, before + ramp)
            assert after.max() + discharge[t + 1] - (before - charge[t]) <= ramp + 1e-9
            assert before + discharge[t] - (after.min() - charge[t + 1]) <= ramp + 1e-9


def test_a_store_that_can_use_all_of_it_gets_what_the_other_way_leaves():
    """A flat schedule and 150 MW an hour: 100 MW of less need 50 MW of it where more is not wished for."""
    n = 24
    free = StoreLimits(np.full((n, 1), 80.0), np.full((n, 1), 400.0), np.zeros((n, 1)), np.zeros((n, 1)))
    sources = pd.DataFrame({"curtailable": [False], "ramp_mw_per_h": [150.0]})
    flat = np.full((n, 1), 500.0)
    load = np.where(np.arange(n) < 12, 900.0, 1000.0)
    held = keep_ramps(free, np.array([0]), sources, flat, flat, load, 1)
    charge, discharge = held.charge_max_mw[:, 0], held.discharge_max_mw[:, 0]
    assert_allclose(charge[:11], 80.0)
    assert_allclose(discharge[:11], 0.0 + 150.0 - 80.0)
    assert_allclose([charge[11], discharge[12]], [75.0, 75.0])
    assert_allclose(discharge[13:], 150.0)
    assert_allclose(charge[13:], 0.0)


@pytest.mark.parametrize(
    ("name", "why"), [("lime", "fits 0"), ("cheap", "has no ramp limit"), ("line", "is named twice")]
)
def test_a_store_stands_beside_one_source(tmp_path, name, why):
    net = one_bus()
    line(net, beside=name)
    if name == "line":
        add_store(net, net.storage.iloc[0].to_dict())
    series = {"plan [1]": SCHEDULE, "back [1]": EARLY}
    with pytest.raises(InputError, match=rf"storage\.beside.*'{name}', which {why}"):
        lived(tmp_path, net, series=series)


def test_a_store_with_a_least_power_stands_alone(tmp_path):
    net = one_bus()
    line(net)
    net.storage["min_charge_mw"] = 10.0
    with pytest.raises(InputError, match=r"storage\.beside.*must be empty for a store with"):
        lived(tmp_path, net, series={"plan [1]": SCHEDULE, "back [1]": EARLY})
