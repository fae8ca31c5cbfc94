"""gridsim: dispatch of a power grid, hour by hour through a year, on Numba kernels and a pandapower net."""

__version__ = "0.1.0"
