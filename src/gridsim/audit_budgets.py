"""Audit of budgets: use from outputs, balances from use, limits from the table and the calendar, what went beyond."""

from typing import Any

import numpy as np

from gridsim.audit_data import AuditRow, FloatArray, Record, among, at, row_of

SHARE = 1e-6  # of the limit of the period, or of the largest use of an hour
UNITS = {"day": "D", "month": "M", "year": "Y"}


def check_budgets(record: Record) -> list[AuditRow]:
    """Every budget of the run, in shares of its own limit."""
    table = record.tables["budgets"]
    if table.empty:
        return []
    names, s = record.names("budgets"), record.series
    use, (most, least, ends) = recompute_use(record), limits(record)
    scale = np.maximum(np.where(np.isfinite(most), most, least), 1e-9)
    largest = np.maximum(use.max(axis=0), 1e-9)
    used, excess, missing = (np.zeros_like(use) for _ in range(3))
    total = np.zeros(len(names))
    for t in range(record.steps):
        before, total = np.maximum(total - most[t] * (1.0 + SHARE), 0.0), total + use[t]
        used[t], excess[t] = total, np.maximum(total - most[t] * (1.0 + SHARE), 0.0) - before
        missing[t] = np.where(ends[t], np.maximum(least[t] * (1.0 - SHARE) - total, 0.0), 0.0)
        total = np.where(ends[t], 0.0, total)
    stored_most = np.where(s("budget/at_most") < 0.0, np.inf, s("budget/at_most"))
    same = most == stored_most  # no limit, both of them
    off_most = np.abs(np.subtract(stored_most, most, where=~same, out=np.zeros_like(most)))
    off_limit = np.maximum(off_most, np.abs(s("budget/at_least") - least)) / scale
    penalty = table["penalty"].to_numpy(float)
    label = at(record, names)
    over = np.abs(s("budget/price")) / penalty - 1.0
    return [
        weights(record),
        row_of("budgets: limits of periods", off_limit, SHARE, label, "of limit"),
        row_of("budgets: use", np.abs(s("budget/use") - use) / largest, SHARE, label, "of largest"),
        row_of("budgets: running balance", np.abs(s("budget/used") - used) / scale, SHARE, label, "of limit"),
        row_of("budgets: excess", np.abs(s("budget/excess") - excess) / scale, SHARE, label, "of limit"),
        row_of("budgets: missing", np.abs(s("budget/missing") - missing) / scale, SHARE, label, "of limit"),
        row_of("budgets: price within the penalty", over, SHARE, label, "of penalty"),
    ]


def recompute_use(record: Record) -> FloatArray:
    """(time, budget) from units on, outputs and the use of each as the file has it, in the months that count."""
    s, units = record.series, record.tables["units"]
    use = np.zeros((record.steps, len(record.tables["budgets"])))
    if not units.empty:
        on = s("commitment/on")
        above = s("dispatch/unit_p_mw") - on * units["p_min_mw"].to_numpy(float)
        use += on @ s("budgets/unit_on").T + above @ s("budgets/unit_rate").T
    if not record.tables["sources"].empty:
        use += s("dispatch/source_p_mw") @ s("budgets/source_rate").T
    stamps = record.start.astype("datetime64[h]") + np.arange(record.steps)
    return use * np.column_stack([holds(stamps, str(months)) for months in record.tables["budgets"]["months"]])


def limits(record: Record) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(time, budget) at_most (inf: none) and at_least of each hour's period, and whether the hour is its last.

    A period has the share of its limits that its hours in the run have of the whole, of those in months that count; or
    the sum of what a profile allows.
    """
    table, allowed = record.tables["budgets"], record.series("budget/allowed")
    stamps = record.start.astype("datetime64[h]") + np.arange(record.steps)
    shape = record.steps, len(table)
    most, least, ends = np.full(shape, np.inf), np.zeros(shape), np.zeros(shape)
    for k, row in enumerate(table.itertuples()):
        whole = stamps.astype(f"datetime64[{UNITS[str(row.period)]}]")
        for period in np.unique(whole):
            inside = np.flatnonzero(whole == period)
            all_of_it = np.arange(period.astype("datetime64[h]"), (period + 1).astype("datetime64[h]"))
            counted = holds(stamps[inside], str(row.months))
            share = counted.sum() / max(holds(all_of_it, str(row.months)).sum(), 1)
            if row.at_most_profile:
                most[inside, k] = (allowed[inside, k] * counted).sum()
            elif np.isfinite(row.at_most):
                most[inside, k] = row.at_most * share
            least[inside, k] = row.at_least * share
            ends[inside[-1], k] = 1.0
    return most, least, ends


def holds(stamps: Any, months: str) -> FloatArray:
    """1 for each hour in the months, "1 2 12"; "": all."""
    of_year = stamps.astype("datetime64[M]").astype(int) % 12 + 1
    named = [int(month) for month in months.split()] or list(range(1, 13))
    return np.isin(of_year, named).astype(float)


def weights(record: Record) -> AuditRow:
    """What each unit and source uses, against its columns: 1 a MWh, or its CO2; of fuel one ratio to either."""
    off, names = [], []
    table, units, sources = record.tables["budgets"], record.tables["units"], record.tables["sources"]
    on, rate, source = (record.series(f"budgets/{name}") for name in ("unit_on", "unit_rate", "source_rate"))
    for k, row in enumerate(table.itertuples()):
        energy = [np.ones(len(units)), units["p_min_mw"].to_numpy(float), np.ones(len(sources))]
        carbon = units["co2_t_per_mwh"].to_numpy(float)
        idle = units["co2_no_load_t_per_h"].to_numpy(float)
        emitted = [carbon, idle + carbon * energy[1], sources["co2_t_per_mwh"].to_numpy(float)]
        taken = [np.zeros(len(units)), np.zeros(len(units)), -np.ones(len(sources))]
        kinds = {"energy": [energy], "co2": [emitted], "taken": [taken]}.get(str(row.quantity), [energy, emitted])
        found = np.concatenate((rate[k], on[k], source[k]))
        inside = np.concatenate((rate[k] != 0.0, (rate[k] != 0.0) | (on[k] != 0.0), source[k] != 0.0))
        away = []
        for kind in kinds:
            want = np.concatenate(kind)[inside]
            factor = 1.0 if row.quantity != "fuel" else found[inside].sum() / max(want.sum(), 1e-12)
            away.append(float(np.abs(found[inside] - factor * want).max(initial=0.0)))
        off.append(min(away) / max(float(np.abs(found).max()), 1e-12))
        names.append(str(row.name))
    return row_of("budgets: use of units and sources", np.array(off), SHARE, among(names), "of largest")
