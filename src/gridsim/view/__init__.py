"""A read-only explorer of a results file in the browser (`gridsim view`), on this machine alone."""

from gridsim.view.server import serve

__all__ = ["serve"]
