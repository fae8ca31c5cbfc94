"""Curtailment by cause and utilisation (利用率) in the summary, of wind and PV as they are reported in China.

============================= ====================================================================================
key                           meaning
============================= ====================================================================================
curtailment_mwh_by_cause      {cause: MWh}, of all curtailable sources: see `gridsim.curtailment`
curtailing_elements           {line or interface: MWh}: the ten that are to blame for most of causes section and n1
utilisation                   {wind, pv, wind_and_pv: taken of what was available, 0..1}; 弃风率 and 弃光率 are the rest
system_caused_rate            {wind, pv, wind_and_pv: curtailed for any cause but own, of what was available}
utilisation_by_tech           {tech: 0..1}, of all curtailable sources
utilisation_by_zone           {zone: 0..1}, of wind and PV
utilisation_by_month          {YYYY-MM: 0..1}, of wind and PV
============================= ====================================================================================

Available is what wind and sun could have given before the limits of the source's own connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridsim.schema import CAUSES, WEATHER_TECHS
from gridsim.summary_sums import OWN, ratio

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader
    from gridsim.summary_sums import Sums

SHOWN_ELEMENTS = 10


def curtailment_keys(run: ResultsReader, sums: Sums) -> dict[str, Any]:
    """All keys of this module's table."""
    sources, by_cause = run.table("sources"), sums.total("curtailment/cause_mw") * run.dt_h
    curtailed = sums.total("curtailment/source_mw") * run.dt_h
    available = sums.total("dispatch/source_available_mw") * run.dt_h + by_cause[:, OWN]
    system = curtailed - by_cause[:, OWN]
    tech, ours = sources["tech"].astype(str).to_numpy(), sources["curtailable"].to_numpy(dtype=bool)
    wind = ours & np.isin(tech, WEATHER_TECHS[:2])
    pv = ours & (tech == "pv")
    groups = {"wind": wind, "pv": pv, "wind_and_pv": wind | pv}
    both = groups["wind_and_pv"]
    by_step = sums.series("weather_curtailed"), sums.series("weather_offered")
    month = month_of(run)
    zone = sources["zone"].astype(str).to_numpy()

    def used(which: Any) -> float:
        return 1.0 - ratio(curtailed[which].sum(), available[which].sum())

    by_month = {m: 1.0 - ratio(*(values[month == m].sum() for values in by_step)) for m in dict.fromkeys(month)}
    return {
        "curtailment_mwh_by_cause": dict(zip(CAUSES, by_cause.sum(axis=0).tolist(), strict=True)),
        "curtailing_elements": _elements(run, sums.total("blamed") * run.dt_h),
        "utilisation": {name: used(which) for name, which in groups.items()},
        "system_caused_rate": {
            name: ratio(system[which].sum(), available[which].sum()) for name, which in groups.items()
        },
        "utilisation_by_tech": {t: used(ours & (tech == t)) for t in run.names("tech") if t in tech[ours]},
        "utilisation_by_zone": {z: used(both & (zone == z)) for z in sorted(set(zone[both]))},
        "utilisation_by_month": by_month if both.any() else {},
    }


def month_of(run: ResultsReader) -> Any:
    """(time,) YYYY-MM of every step."""
    return run.time.to_numpy().astype("datetime64[M]").astype(str)


def _elements(run: ResultsReader, total: NDArray[np.float64]) -> dict[str, float]:
    """Energy curtailed by the line or interface that weighs most."""
    names = [*run.names("branch"), *run.names("interface")]
    most = [k for k in np.argsort(-total, kind="stable")[:SHOWN_ELEMENTS] if total[k] > 0.0]
    return {names[k]: float(total[k]) for k in most}


def curtailment_table(summary: dict[str, Any]) -> Table:
    """Curtailment by cause, and utilisation by month and zone, for people."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title="curtailment by cause, utilisation 利用率", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for cause, mwh in summary["curtailment_mwh_by_cause"].items():
        if mwh >= 1.0:
            table.add_row(f"curtailed, {cause}", f"{mwh / 1e3:,.2f} GWh")
    for name, mwh in summary["curtailing_elements"].items():
        table.add_row(f"  by {name}", f"{mwh / 1e3:,.2f} GWh")
    for name in ("wind", "pv"):
        said = f"curtailed of {name} {'弃风率' if name == 'wind' else '弃光率'}"
        table.add_row(said, f"{100 * (1.0 - summary['utilisation'][name]):.2f} %")
    table.add_row("wind and PV for the system", f"{100 * summary['system_caused_rate']['wind_and_pv']:.2f} %")
    for key in ("month", "zone"):
        for name, rate in summary[f"utilisation_by_{key}"].items():
            if rate < 0.9995:
                table.add_row(f"utilised, {name}", f"{100 * rate:.2f} %")
    return table
