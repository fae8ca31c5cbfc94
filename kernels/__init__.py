"""The numerical core: arrays in, arrays out. Knows hours, units, stores, buses, branches; no files, no pandapower."""
