"""Flexible DC (灵活直流): what UHV lines may depart from their day schedule, with the contract energy kept.

Beside each import over DC stands a store without losses: charging is importing less than scheduled, discharging is
importing more. Its power is `dc_flexible_share` of the room that the schedule leaves in the hour, down to the least
power of the converters or up to what the poles in service carry (`gridsim.profiles.schedule.room`); its energy is
HOURS of that share, half of it at the start and again at each window's end. What is taken in one hour is given back
in others, and the contract is fulfilled. With the schedule together it keeps the hourly ramp of the line (`beside`).
"""

from gridsim.networks.jiangsu_common import Row, store
from gridsim.networks.jiangsu_fleet import Grid
from gridsim.networks.jiangsu_supply import terminal_name
from gridsim.networks.tables import read_table

HOURS = 8.0  # of the flexible power, from the most that may be owed to the most that may be ahead. Assumed
EFFORT_CNY_PER_MWH = 1.0  # of moving a schedule. Assumed: none is moved for nothing
OVER_AC = ("coal",)  # character of imports that come over AC


def flexible_dc(grid: Grid) -> list[Row]:
    """A store beside each terminal of each DC import of `grid`, whose imports stand already; none with a share of 0."""
    share = grid.options.dc_flexible_share
    imports = {row["profile"]: row for row in grid.profiles if row["kind"] == "import"} if share else {}
    imports = {name: row for name, row in imports.items() if row["character"] not in OVER_AC}
    grid.profiles += [
        row | {"profile": name.replace("import/", f"import_{way}/"), "kind": f"import_{way}"}
        for name, row in imports.items()
        for way in ("less", "more")
    ]
    rows = []
    for end in read_table("external_terminals").to_dict("records"):
        line = imports.get(f"import/{end['id']}")
        if line is not None:
            p_mw = share * end["share"] * line["rated_mw"]
            rows.append(
                store(
                    grid,
                    end["bus"],
                    f"flexible DC {end['id']}",
                    "dc_shift",
                    charge_mw=p_mw,
                    discharge_mw=p_mw,
                    e_mwh=HOURS * p_mw,
                    charge_cost=EFFORT_CNY_PER_MWH,
                    discharge_cost=EFFORT_CNY_PER_MWH,
                    charge_profile=f"import_less/{end['id']}",
                    discharge_profile=f"import_more/{end['id']}",
                    beside=terminal_name(grid, "import", end),
                )
            )
    return rows
