"""The page of a run (`gridsim report`): HTML in, and nothing else of gridsim knows HTML."""

from gridsim.page.page import write_page

__all__ = ["write_page"]
