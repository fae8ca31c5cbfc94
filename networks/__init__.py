"""The grids: the Jiangsu tables and builder, and the extra columns that gridsim reads on any pandapower net."""

from gridsim.networks.jiangsu_net import jiangsu

__all__ = ["jiangsu"]
