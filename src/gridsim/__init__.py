"""gridsim: dispatch of a power grid, hour by hour through a year, on Numba kernels and a pandapower net."""

__version__ = "0.1.0"

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from gridsim.opened import Results

__all__ = ["__version__", "open_results"]


def open_results(path: "str | Path") -> "Results":
    """Open a results file for reading: labelled arrays with units, and tables of what engineers ask of a year.

    See `gridsim.opened.Results`. What that needs is imported now, not with gridsim.
    """
    from gridsim.opened import Results

    return Results(path)
