"""The AC check: voltages, losses, worst buses and branches. Nothing where a run has not been through one."""

import numpy as np

from gridsim.page.data import Hours
from gridsim.page.parts import (
    DAY,
    HOUR,
    HOURS_AXIS,
    MISSING,
    Chart,
    Column,
    Option,
    Payload,
    Row,
    Section,
    Spec,
    Table,
    axis,
    figure,
    heat,
    line,
    named,
)
from gridsim.palette import RED, FloatArray, colour_of
from gridsim.summary_ac import HIGH_PU, LOW_PU, OVER, ratings

EACH = 10  # buses with the lowest and with the highest voltage
BRANCHES = 15
LOSS_COLOURS = ("#fff7ec", "#fdbb84", "#d7301f", "#7f0000")


def section(run: Hours, page: Payload) -> Section:
    if "ac/status" not in run.run or not np.isfinite(run.run.array("ac/loss_mw")).any():
        return Section("ac", [])
    tables = [_buses(run), _branches(run), *_interfaces(run)]
    return Section("ac", [_voltages(run, page), _losses(run, page)], tables)


def _voltages(run: Hours, page: Payload) -> Chart:
    whole: list[Spec] = []
    hours: list[Spec] = []
    for name, column, colour in (("highest", "max", RED), ("lowest", "min", colour_of("wind_offshore"))):
        vm = run.read(f"ac/vm_{column}_pu")
        grid = run.by_day(vm)
        seen = np.isfinite(grid).any(axis=1)
        days = np.full(len(grid), np.nan)
        days[seen] = (np.nanmax if column == "max" else np.nanmin)(grid[seen], axis=1)
        whole.append(line(f"@ac.{name}", DAY, page.put(f"ac.{name}.daily", days), colour, unit="p.u."))
        hours.append(line(f"@ac.{name}", HOUR, page.put(f"ac.{name}", vm), colour, unit="p.u."))
    for trace in (*whole, *hours):
        trace["hovertemplate"] = "%{y:.4f} p.u."
    layout = {"yaxis": axis("@axis.vm"), "hovermode": "x unified"}
    return Chart("ac_voltage", [Option(figure(whole, **layout), figure(hours, **layout))])


def _losses(run: Hours, page: Payload) -> Chart:
    lost = run.read("ac/loss_mw")
    matrix = heat(page.put("ac.loss", lost), float(np.nanmax(lost)), "@axis.power.MW", LOSS_COLOURS, "MW")
    return Chart("ac_loss", [Option(figure([matrix], yaxis=HOURS_AXIS, plot_bgcolor=MISSING))], height=360)


def _buses(run: Hours) -> Table:
    vm, names = run.read("ac/vm_pu"), run.run.names("bus")
    looked = np.flatnonzero(np.isfinite(vm).any(axis=0))
    low, high = np.nanmin(vm[:, looked], axis=0), np.nanmax(vm[:, looked], axis=0)
    shown = {*np.argsort(low, kind="stable")[:EACH], *np.argsort(-high, kind="stable")[:EACH]}
    rows = []
    for k in sorted(shown, key=lambda k: (low[k], k)):
        at = vm[:, looked[k]]
        hour = int(np.nanargmax(np.abs(at - 1.0)))
        outside = int(((at < LOW_PU) | (at > HIGH_PU)).sum())
        numbers = [round(float(low[k]), 4), round(float(high[k]), 4), float(outside)]
        rows.append(Row([[names[looked[k]]]], numbers, hour))
    columns = [Column("@column.vm_low", 4), Column("@column.vm_high", 4), Column("@column.vm_outside", 0)]
    return Table("ac_buses", ["@table.bus"], columns, rows)


def _branches(run: Hours) -> Table:
    """Loadings at the hour in which each branch carries most."""
    loading, names = np.nan_to_num(run.read("ac/branch_loading"), nan=0.0), run.run.names("branch")
    rating = ratings(run.run)
    rating = run.mean(rating) if len(rating) == run.run.steps else rating
    dc = _share(np.abs(run.read("flow/branch_p_mw")), rating)
    only = ((loading > 1.0 + OVER) & (dc <= 1.0 + OVER)).sum(axis=0)
    most = loading.max(axis=0, initial=0.0)
    rows = []
    for k in np.argsort(-most, kind="stable")[:BRANCHES]:
        if most[k] > 0.0:
            hour = int(loading[:, k].argmax())
            numbers = [round(100.0 * float(v), 1) for v in (most[k], dc[hour, k])]
            rows.append(Row([[names[k]]], [*numbers, float(only[k])], hour))
    columns = [Column("@column.loading_ac", 1), Column("@column.loading_dc", 1), Column("@column.ac_only", 0)]
    return Table("ac_branches", ["@table.branch"], columns, rows)


def _interfaces(run: Hours) -> list[Table]:
    """Flows of every interface in the hour in which it is nearest to its limit, or furthest beyond."""
    names = run.run.names("interface")
    if not names:
        return []
    table = run.run.table("interfaces")
    ahead, back = (table[column].to_numpy(float) for column in ("limit_mw", "reverse_limit_mw"))
    ac, dc = np.nan_to_num(run.read("ac/interface_p_mw"), nan=0.0), run.read("flow/interface_p_mw")
    of_limit = [_share(np.abs(flow), np.where(flow >= 0.0, ahead, back)) for flow in (ac, dc)]
    only = ((of_limit[0] > 1.0 + OVER) & (of_limit[1] <= 1.0 + OVER)).sum(axis=0)
    most = of_limit[0].max(axis=0, initial=0.0)
    rows = []
    for k in np.argsort(-most, kind="stable"):
        hour = int(of_limit[0][:, k].argmax())
        numbers = [round(float(v), 1) for v in (ac[hour, k], dc[hour, k], 100.0 * most[k])]
        rows.append(Row([[named("interface", names[k])]], [*numbers, float(only[k])], hour))
    kinds = (("flow_ac", 1), ("flow_dc", 1), ("of_limit_ac", 1), ("ac_only", 0))
    columns = [Column(f"@column.{key}", places) for key, places in kinds]
    return [Table("ac_interfaces", ["@table.interface"], columns, rows)]


def _share(flow: FloatArray, rating: FloatArray) -> FloatArray:
    """Of ratings; 0 where there is none."""
    limited = np.isfinite(rating) & (rating > 0.0)
    return np.where(limited, flow / np.where(limited, rating, 1.0), 0.0)
