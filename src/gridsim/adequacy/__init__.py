"""How often a power system cannot serve its load: Monte Carlo over weather and outages.

`areas` says what may hold power back between cities, `years` makes one year of one draw, `blocks` counts, `pool`
spreads blocks over processes, `study` stops and finds capacity credits, `check` solves single hours again with HiGHS,
`record` and `words` write, `report` is the command. `docs/model.md` has the equations.
"""

from gridsim.adequacy.study import Credit, Result, adequacy

__all__ = ["Credit", "Result", "adequacy"]
