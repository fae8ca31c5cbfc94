"""A run as the folder of CSV files that PyPSA imports: the grid, what was available, and what was dispatched.

``pypsa.Network("FOLDER")`` reads it. Rows of units are generators of the row's capacity at its cost at full load;
commitment, ramps, reserve, interfaces and N-1 have no counterpart there and are left out. Reactances are those of the
dispatch, so that ``network.lpf()`` gives its flows. Stores begin as they did; those of ``end_rule`` cyclic are cyclic
there, too, when the whole run is written.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gridsim.export_files import new_folder
from gridsim.opened import Results, Selection

ENDLESS_MW = 1e6  # for a branch without a rating


def write_pypsa(run: Results, selection: Selection, out: Path, *, force: bool = False) -> list[Path]:
    """Write the folder; the files made."""
    folder = new_folder(out, force)
    made = []
    for name, frame in tables(run, selection).items():
        made.append(folder / f"{name}.csv")
        frame.to_csv(made[-1], lineterminator="\n", date_format="%Y-%m-%d %H:%M:%S")
    return made


def tables(run: Results, selection: Selection) -> dict[str, pd.DataFrame]:
    """Name of each file without its ending, and what is in it."""
    from gridsim.kernels.network import BASE_MVA  # loads numba, which reading a file does not need

    r = run.reader
    first, last = run.span(selection, [])
    at, bus = slice(first, last), np.array(r.names("bus"))
    time = pd.Index(r.time[at], name="snapshot")
    buses, units, sources, stores = (run.table(name) for name in ("buses", "units", "sources", "stores"))
    branches, links, loads = (run.table(name) for name in ("branches", "links", "loads"))
    is_line = (branches["element"] == "line").to_numpy()
    names = {dim: np.array(r.names(dim)) for dim in ("unit", "source", "store", "branch", "link", "load")}

    def static(dim: str, columns: dict[str, Any], which: Any = slice(None)) -> pd.DataFrame:
        return pd.DataFrame(columns, index=pd.Index(names[dim][which], name="name"))

    def series(dim: str, values: Any, which: Any = slice(None)) -> pd.DataFrame:
        return pd.DataFrame(values, index=time, columns=names[dim][which])

    generators, of_generators = _generators(run, at, time, bus)
    rating = np.minimum(branches["rating_mw"].to_numpy(float), ENDLESS_MW)
    v_kv = buses["vn_kv"].to_numpy(float)[branches["from_row"]]
    x_pu, r_pu = branches["x_pu"].to_numpy(float), branches["r_pu"].to_numpy(float)
    ends = {"bus0": bus[branches["from_row"]], "bus1": bus[branches["to_row"]], "s_nom": rating}
    ohm = v_kv**2 / BASE_MVA
    lines = static("branch", {**ends, "x": x_pu * ohm, "r": r_pu * ohm})[is_line]
    trafos = static(
        "branch",
        {
            **ends,
            "x": x_pu * rating / BASE_MVA,
            "r": r_pu * rating / BASE_MVA,
            "phase_shift": branches["shift_deg"].to_numpy(),
        },
    )[~is_line]
    flow = r["flow/branch_p_mw"][at]
    link_p, nominal = r["dispatch/link_p_mw"][at], np.abs(links[["p_min_mw", "p_max_mw"]]).max(axis=1).to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.nan_to_num(links["p_min_mw"].to_numpy(float) / nominal)
        hours = np.nan_to_num(stores["e_max_mwh"].to_numpy(float) / stores["p_discharge_max_mw"].to_numpy(float))
    begin_mwh = stores["e_start_mwh"].to_numpy(float) if first == 0 else r["storage/e_mwh"][first - 1]
    whole = (first, last) == (0, r.steps)  # only then does a store come back to where the first row begins
    served = r["dispatch/load_mw"][at] - r["unserved/load_mw"][at]
    stored = r["storage/discharge_mw"][at] - r["storage/charge_mw"][at]
    techs = sorted({*units["tech"], *sources["tech"], *stores["tech"], "AC"})
    found = {
        "snapshots": pd.DataFrame(dict.fromkeys(("objective", "stores", "generators"), r.dt_h), index=time),
        "carriers": pd.DataFrame(index=pd.Index(techs, name="name")),
        "buses": pd.DataFrame(
            {
                "v_nom": buses["vn_kv"].to_numpy(),
                "x": buses["lon_deg"].to_numpy(),
                "y": buses["lat_deg"].to_numpy(),
                "carrier": "AC",
            },
            index=pd.Index(bus, name="name"),
        ),
        "buses-marginal_price": pd.DataFrame(r["price/bus"][at], index=time, columns=bus),
        "generators": generators,
        **of_generators,
        "loads": static("load", {"bus": bus[loads["bus_row"]]}),
        "loads-p_set": series("load", served),
        "lines": lines,
        "lines-p0": series("branch", flow[:, is_line], is_line),
        "transformers": trafos,
        "transformers-p0": series("branch", flow[:, ~is_line], ~is_line),
        "links": static(
            "link",
            {
                "bus0": bus[links["from_row"]],
                "bus1": bus[links["to_row"]],
                "p_nom": nominal,
                "p_min_pu": least,
                "efficiency": 1.0 - links["loss_share"].to_numpy(float),
            },
        ),
        "links-p_set": series("link", link_p),
        "links-p0": series("link", link_p),
        "storage_units": static(
            "store",
            {
                "bus": bus[stores["bus_row"]],
                "carrier": stores["tech"].to_numpy(),
                "p_nom": np.maximum(stores["p_charge_max_mw"], stores["p_discharge_max_mw"]).to_numpy(float),
                "max_hours": hours,
                "efficiency_store": stores["eta_charge"].to_numpy(),
                "efficiency_dispatch": stores["eta_discharge"].to_numpy(),
                "standing_loss": stores["loss_per_h"].to_numpy(),
                "state_of_charge_initial": begin_mwh,
                "cyclic_state_of_charge": (stores["end_rule"].astype(str) == "cyclic").to_numpy() & whole,
            },
        ),
        "storage_units-p_set": series("store", stored),
        "storage_units-p": series("store", stored),
        "storage_units-state_of_charge": series("store", r["storage/e_mwh"][at]),
    }
    return {name: frame for name, frame in found.items() if len(frame) and (frame.columns.size or name == "carriers")}


def _generators(run: Results, at: slice, time: pd.Index, bus: Any) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Rows of units, then sources."""
    r, units, sources = run.reader, run.table("units"), run.table("sources")
    size = units["units"].to_numpy(float) * units["p_max_mw"].to_numpy(float)
    width, price = r.array("units/seg_mw"), r.array("units/seg_cost")
    at_min = r.array("units/min_cost") * units["p_min_mw"].to_numpy(float) + units["no_load_cost"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.nan_to_num((at_min + (width * price).sum(axis=1)) / units["p_max_mw"].to_numpy(float))
    p, available = r["dispatch/source_p_mw"][at], r["dispatch/source_available_mw"][at]
    least = r["dispatch/source_min_mw"][at]
    peak = np.maximum(np.abs(available).max(axis=0, initial=0.0), np.abs(least).max(axis=0, initial=0.0))
    nominal = np.maximum(np.maximum(sources["p_nom_mw"].to_numpy(float), peak), 1e-6)
    names = [*r.names("unit"), *r.names("source")]
    table = pd.DataFrame(
        {
            "bus": bus[np.concatenate((units["bus_row"], sources["bus_row"])).astype(int)],
            "carrier": [*units["tech"], *sources["tech"]],
            "p_nom": np.concatenate((size, nominal)),
            "marginal_cost": np.concatenate((cost, sources["cost"].to_numpy(float))),
        },
        index=pd.Index(names, name="name"),
    )
    share = r["commitment/available"][at] / np.maximum(units["units"].to_numpy(float), 1.0)
    output = np.hstack((r["dispatch/unit_p_mw"][at], p))
    most = np.hstack((share, available / nominal))
    low = np.hstack((0.0 * share, least / nominal))
    parts = {"p": output, "p_set": output, "p_max_pu": most, "p_min_pu": low}
    return table, {f"generators-{k}": pd.DataFrame(v, index=time, columns=names) for k, v in parts.items()}
