"""The pages of a run and of differences between runs. Nothing else of gridsim knows HTML."""

from gridsim.page.compare_page import write_comparison
from gridsim.page.page import write_page

__all__ = ["write_comparison", "write_page"]
