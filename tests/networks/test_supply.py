"""Steam from reactors, gas for power plants."""

import pytest

from gridsim.networks import jiangsu
from gridsim.networks.options import Options


def test_steam_lowers_the_rating_of_the_reactors_that_give_it():
    def rated(**options):
        net = jiangsu(Options(**options))
        return net.gen.set_index("name")["max_p_mw"].filter(like="nuclear")

    without, given = rated(nuclear_steam_mw=0.0), rated(nuclear_steam_mw=150.0)
    lost = without - given
    assert lost["Tianwan nuclear 3-4"] == pytest.approx(150.0)
    assert lost.drop("Tianwan nuclear 3-4").abs().max() == 0.0
    assert rated()["Tianwan nuclear 3-4"] == without["Tianwan nuclear 3-4"]  # began in the middle of 2024
    assert rated(fleet=2025)["Tianwan nuclear 3-4"] == pytest.approx(without["Tianwan nuclear 3-4"] - 200.0)


def test_gas_for_power_is_asked_of_the_generator_in_mw_of_fuel():
    sites = jiangsu(Options(gas_for_power_mm3_per_day=24.0)).profile_site.set_index("profile")
    assert sites.at["gas_left/Nanjing", "rated_mw"] == pytest.approx(1e6 * 0.009889)  # a million m3 an hour
