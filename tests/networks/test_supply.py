"""Steam from reactors, gas for power plants, hydrogen in pipelines."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydantic import ValidationError

from gridsim.errors import InputError
from gridsim.networks import jiangsu
from gridsim.networks.options import HydrogenPipeline, Options
from gridsim.profiles import make_year


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


HYDROGEN = {"hydrogen_electrolyser_mw": 4000.0, "hydrogen_twh": 10.0, "hydrogen_pattern": "day"}


def demands(**options):
    """Series of the demand on the tanks of Yancheng and Suzhou, MW."""
    sites = jiangsu(Options(**HYDROGEN, **options)).profile_site
    year = make_year(sites[sites["kind"] == "hydrogen_demand"], 2024, 2024)
    return tuple(year.column(f"hydrogen_demand/{city}") for city in ("Yancheng", "Suzhou"))


def test_a_pipeline_serves_the_far_demand_from_the_near_tank_up_to_its_limit():
    line = HydrogenPipeline(from_city="Yancheng", to_city="Suzhou", limit_mw=150.0)
    (near, far), (near_with, far_with) = demands(), demands(hydrogen_pipeline=[line])
    carried = np.minimum(far, 150.0)
    assert 0.0 < (far > 150.0).mean() < 1.0  # its limit binds by day
    assert_allclose(far_with, far - carried, atol=2e-3)
    assert_allclose(near_with, near + carried, atol=2e-3)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([("Yancheng", "Suzhou"), ("Nantong", "Suzhou")], "one pipeline only"),
        ([("Yancheng", "Suzhou"), ("Suzhou", "Nanjing")], "no city that a pipeline begins in"),
    ],
)
def test_pipelines_that_cannot_be_told_apart_are_refused(lines, said):
    given = [HydrogenPipeline(from_city=a, to_city=b, limit_mw=10.0) for a, b in lines]
    with pytest.raises(ValidationError) as caught:
        Options(hydrogen_pipeline=given)
    assert any(said in text for _, text in caught.value.errors()[0]["ctx"]["found"])


def test_a_pipeline_without_hydrogen_is_refused():
    line = HydrogenPipeline(from_city="Yancheng", to_city="Wuxi", limit_mw=10.0)
    with pytest.raises(InputError, match="Wuxi"):
        jiangsu(Options(**HYDROGEN, hydrogen_pipeline=[line]))
