"""The pages of a run, of differences between runs and of a sweep. Nothing else of gridsim knows HTML."""

from gridsim.page.compare_page import write_comparison
from gridsim.page.page import write_page
from gridsim.page.sweep_page import write_sweep

__all__ = ["write_comparison", "write_page", "write_sweep"]
