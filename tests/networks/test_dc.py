"""Flexible DC: stores beside the schedules of imports."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gridsim.assemble import assemble
from gridsim.networks import jiangsu
from gridsim.networks.options import Options
from gridsim.profiles import make_year
from gridsim.scenario import load


def test_a_share_of_the_room_stands_beside_every_dc_import():
    net = jiangsu(Options(dc_flexible_share=0.25))
    stores = net.storage[net.storage["tech"] == "dc_shift"]
    imports = net.sgen[(net.sgen["tech"] == "import") & ~net.sgen["name"].str.contains("Yangcheng")]
    assert sorted(stores["bus"]) == sorted(imports["bus"])
    assert stores["max_p_mw"].sum() == pytest.approx(0.25 * imports["max_p_mw"].sum())
    assert_allclose(stores["max_e_mwh"], 8.0 * stores["max_p_mw"])
    assert (jiangsu().storage["tech"] != "dc_shift").all()


def test_what_is_moved_stays_between_the_converters_least_and_the_poles_in_service():
    net = jiangsu(Options(dc_flexible_share=1.0))
    sites = net.profile_site
    year = make_year(sites[sites["profile"].str.endswith("/Jinsu")], 2024, 2024)
    schedule, less, more = (year.column(f"{name}/Jinsu") for name in ("import", "import_less", "import_more"))
    assert_allclose(schedule - less, np.minimum(schedule, 0.1), atol=2e-6)
    top = schedule + more
    assert set(np.round(np.unique(top), 5)) == {0.5, 1.0}  # half of the poles is out for some days
    assert 7 * 24 <= (top < 0.75).sum() <= 10 * 24


@pytest.mark.parametrize(("factor", "stores"), [(0.0, 0), (0.5, 9)])
def test_what_a_line_moves_is_scaled_with_the_line(factor: float, stores: int):
    whole, part = (
        assemble(load("jiangsu-2024", ["horizon.hours=24", f"scale.import={x}"], overlays=("dc-flexible",))).stores
        for x in (1.0, factor)
    )
    whole, part = (table[table["tech"] == "dc_shift"] for table in (whole, part))
    assert len(part) == stores
    assert_allclose(part["p_charge_max_mw"], factor * whole["p_charge_max_mw"].to_numpy()[:stores])
    assert_allclose(part["e_max_mwh"], factor * whole["e_max_mwh"].to_numpy()[:stores])
