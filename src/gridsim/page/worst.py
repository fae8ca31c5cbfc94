"""The table of the hours that went worst, with what happened in them."""

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import Column, Payload, Row, Table
from gridsim.palette import FloatArray
from gridsim.plots_data import SEEN_MW, without_dust

EACH = 12  # hours of each kind


def table(run: Hours, page: Payload) -> Table:
    curtailed, unserved = run.curtailed, run.unserved
    short = without_dust(run.read("reserve/short_mw").sum(axis=1))
    spilled = without_dust(run.read("spill/bus_mw").sum(axis=1))
    overload = without_dust(
        run.read("flow/branch_overload_mw").sum(axis=1) + run.read("flow/interface_overload_mw").sum(axis=1)
    )
    price = run.mean(run.year.price)
    up, down = (run.read(f"peak_shaving/{way}_margin_mw") for way in ("up", "down"))
    kinds: dict[str, FloatArray] = {  # how bad each hour is, 0: not at all
        "unserved": unserved,
        "short": short,
        "overload": overload,
        "spilled": spilled,
        "curtailed": curtailed,
        "dear": np.maximum(price - np.quantile(price, 0.98), 0.0),
        "cheap": np.maximum(np.quantile(price, 0.02) - price, 0.0),
        "no_up": without_dust(-up),
        "no_down": without_dust(-down),
    }
    worst = {h for bad in kinds.values() for h in np.argsort(-bad, kind="stable")[:EACH] if bad[h] > 0.0}
    shown: dict[str, tuple[FloatArray, int]] = {  # by column: numbers and their decimals
        "load": (run.load / 1e3, 1),
        "net_load": (run.mean(run.year.net_load) / 1e3, 1),
        "curtailed": (curtailed, 0),
        "unserved": (unserved, 0),
        "short": (short, 1),
        "overload": (overload, 0),
        "price": (price, 1),
    }
    rows = []
    for h in sorted(worst):
        happened = [f"@what.{kind}" for kind, bad in kinds.items() if bad[h] > 0.0]
        if curtailed[h] >= SEEN_MW:
            cause = max(run.curtailed_by_cause, key=lambda c: run.curtailed_by_cause[c][h])
            happened[happened.index("@what.curtailed")] = page.say("what.curtailed_by", cause=f"@cause.{cause}")
        rows.append(Row([happened], [round(float(values[h]), 3) for values, _ in shown.values()], int(h)))
    columns = [Column(f"@column.{name}", places) for name, (_, places) in shown.items()]
    return Table("worst", ["@table.what"], columns, rows)
