"""Every built-in scenario: a spring holiday lived, audited, and its sums."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tiny_grid import run_audited

from gridsim.scenario import builtin_names, load

SPRING = ("horizon.start=2024-05-01T00:00", "horizon.hours=24")  # Labour Day: little load, much sun


@pytest.mark.parametrize("name", builtin_names())
def test_every_hour_adds_up(name, tmp_path):
    """Regulation by supplier to what the net load needs, curtailment by cause to what was not taken."""
    year = load(name).year
    _, run = run_audited(load(name, [text.replace("2024", str(year)) for text in SPRING]), tmp_path / "run.h5")
    need, given = run.array("peak_shaving/need_mw"), run.array("peak_shaving/regulation_mw")
    assert_allclose(given.sum(axis=1), need, atol=1e-6 * np.abs(need).max())
    taken, available = run.array("dispatch/source_p_mw"), run.array("dispatch/source_available_mw")
    curtailable = run.table("sources")["curtailable"].to_numpy(bool)
    lost = (available + run.array("dispatch/source_own_mw") - taken)[:, curtailable]
    causes = run.array("curtailment/cause_mw")[:, curtailable].sum(axis=2)
    assert_allclose(causes, lost, atol=1e-6 * available.max())
    demand = run.array("dispatch/load_mw").sum()
    assert run.array("unserved/load_mw").sum() <= 1e-4 * demand  # no fleet lacks power on such a day
