"""Hourly series that drive a run: one weather year made or read, checked, cached."""

from gridsim.profiles.events import Event
from gridsim.profiles.year import Profiles, load_year, make_year

__all__ = ["Event", "Profiles", "load_year", "make_year"]
