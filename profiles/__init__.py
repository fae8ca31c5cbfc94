"""Hourly series that drive a run: one weather year made or read, checked, cached."""

from gridsim.profiles.check import Row, check, format_table
from gridsim.profiles.events import Event, Planned
from gridsim.profiles.readers import read_series
from gridsim.profiles.year import SITE_COLUMNS, Profiles, load_year, make_year

__all__ = [
    "SITE_COLUMNS",
    "Event",
    "Planned",
    "Profiles",
    "Row",
    "check",
    "format_table",
    "load_year",
    "make_year",
    "read_series",
]
