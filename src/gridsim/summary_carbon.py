"""Carbon and fuel in the summary; how consumption is traced: `gridsim.carbon`.

============================= ====================================================================================
key                           meaning
============================= ====================================================================================
co2_mt_by_fuel                {fuel: Mt emitted by units}; sources under their technology
co2_mt_by_zone                {zone: Mt emitted there}
co2_origin_mt                 Mt emitted at the origin of imports
co2_traced_mt                 {load, exports, losses, stores}: own emissions and those of imports, by whose they are
intensity                     t/MWh of consumption, traced, the run as a whole
intensity_by_zone             {zone: t/MWh}
intensity_by_month            {YYYY-MM: t/MWh}
marginal_intensity_by_zone    {zone: t/MWh} of one MWh more, mean over the hours by load: `gridsim.marginal`
co2_mt_by_month               {YYYY-MM: Mt emitted}
coal_mtce                     coal burnt, million tonnes of coal equivalent: CO2 of coal over 2.7 t/tce
coal_mtce_by_month            {YYYY-MM: Mtce}
non_fossil_share              of the energy fed in: nuclear, hydro, biomass, wind, PV, clean share of imports
non_fossil_share_by_month     {YYYY-MM: 0..1}
============================= ====================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gridsim.summary_curtailment import month_of
from gridsim.summary_sums import ratio

if TYPE_CHECKING:
    from rich.table import Table

    from gridsim.results import ResultsReader
    from gridsim.summary_sums import Sums

COAL_CO2_T_PER_TCE = 2.7  # networks/jiangsu/parameters.csv


def carbon_keys(run: ResultsReader, sums: Sums) -> dict[str, Any]:
    """All keys of this module's table."""
    month = month_of(run)
    months = list(dict.fromkeys(month))
    techs, zones = run.names("tech"), run.names("zone")
    emitted = sums.series("carbon/tech_t")
    coal = emitted[:, [k for k, tech in enumerate(techs) if tech == "coal"]].sum(axis=1) / COAL_CO2_T_PER_TCE
    used, energy = sums.series("carbon/zone_load_t"), sums.series("consumption") * run.dt_h
    clean, total = sums.series("clean"), sums.series("fed")

    def by_month(part: Any, whole: Any | None = None) -> dict[str, float]:
        sums = {m: float(part[month == m].sum()) for m in months}
        if whole is None:
            return {m: value / 1e6 for m, value in sums.items()}
        return {m: ratio(sums[m], whole[month == m].sum()) for m in months}

    traced = {"load": float(used.sum()) / 1e6} | {
        name: float(sums.total(f"carbon/{path}")) / 1e6
        for name, path in (("exports", "export_t"), ("losses", "lost_t"), ("stores", "store_change_t"))
    }
    return {
        "co2_mt_by_fuel": _by_fuel(run),
        "co2_mt_by_zone": dict(zip(zones, (sums.total("carbon/zone_emission_t") / 1e6).tolist(), strict=True)),
        "co2_origin_mt": float(sums.total("carbon/origin_t")) / 1e6,
        "co2_traced_mt": traced,
        "intensity": ratio(used.sum(), energy.sum()),
        "intensity_by_zone": {z: ratio(used[:, k].sum(), energy[:, k].sum()) for k, z in enumerate(zones)},
        "marginal_intensity_by_zone": {
            z: ratio((sums.series("carbon/zone_marginal")[:, k] * energy[:, k]).sum(), energy[:, k].sum())
            for k, z in enumerate(zones)
        },
        "intensity_by_month": by_month(used.sum(axis=1), energy.sum(axis=1)),
        "co2_mt_by_month": by_month(emitted.sum(axis=1)),
        "coal_mtce": float(coal.sum()) / 1e6,
        "coal_mtce_by_month": by_month(coal),
        "non_fossil_share": ratio(clean.sum(), total.sum()),
        "non_fossil_share_by_month": by_month(clean, total),
    }


def _by_fuel(run: ResultsReader) -> dict[str, float]:
    units, sources = run.table("units"), run.table("sources")
    names = pd.concat((units["fuel"].where(units["fuel"] != "", units["tech"]), sources["tech"]))
    mt = np.concatenate((run.array("carbon/unit_t"), run.array("carbon/source_t"))) / 1e6
    sums = pd.Series(mt, dtype=float).groupby(names.to_numpy()).sum()
    return {str(name): float(value) for name, value in sums.items() if value > 0.0}


def carbon_table(summary: dict[str, Any]) -> Table:
    """By zone and month for people."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title="carbon and coal")
    for name in ("", "emitted, Mt", "consumed, t/MWh", "coal, Mtce", "not fossil"):
        table.add_column(name, justify="left" if not name else "right")
    share = f"{100 * summary['non_fossil_share']:.1f} %"
    table.add_row(
        "all", f"{summary['co2_mt']:,.3f}", f"{summary['intensity']:.4f}", f"{summary['coal_mtce']:,.3f}", share
    )
    table.add_row("at the origin of imports", f"{summary['co2_origin_mt']:,.3f}", "", "", "")
    for month, mt in summary["co2_mt_by_month"].items():
        rate, coal = summary["intensity_by_month"][month], summary["coal_mtce_by_month"][month]
        share = f"{100 * summary['non_fossil_share_by_month'][month]:.1f} %"
        table.add_row(month, f"{mt:,.3f}", f"{rate:.4f}", f"{coal:,.3f}", share)
    for zone, rate in summary["intensity_by_zone"].items():
        if rate > 0.0:
            table.add_row(zone, f"{summary['co2_mt_by_zone'][zone]:,.3f}", f"{rate:.4f}", "", "")
    return table
