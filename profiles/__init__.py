"""Hourly series that drive a run: one weather year made or read, checked, cached."""
