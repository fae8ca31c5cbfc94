"""The numerical core. Arrays in, arrays out; knows hours, units, stores, buses and branches; no files, no pandapower."""
