"""What is timed by pytest-benchmark: `pytest bench/test_speed.py --benchmark-enable`; without that, it runs once."""

from gridsim import networks
from gridsim.profiles.year import make_year


def test_year_of_profiles(benchmark):
    """The weather year of the built-in grid."""
    sites = networks.jiangsu()["profile_site"]
    make_year(sites.head(1), 2022, 1)  # imports
    made = benchmark.pedantic(make_year, (sites, 2022, 1), rounds=3)
    assert made.values.shape[0] == 8760
