"""A results file made by hand: three buses, a wind farm, an import, two groups of units, a store, a DC link.

Everything is worked out here in plain numpy, by formulas of its own, so that the audit and the pictures have a
file that is right and can be broken on purpose. Each slack (shed, spill, short, overload) is used at least once.
"""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandapower as pp
import pandas as pd

from gridsim.schema import DATASETS

TECHS = ("coal", "gas", "wind_onshore", "import", "battery")
SUPPLIERS = (
    *("coal_basic", "coal_50_40", "coal_40_35", "coal_35_30", "coal_below_30", "gas", "nuclear", "other"),
    *("pumped_hydro", "battery", "caes", "hydrogen", "heat", "import", "exchange", "demand"),
    *("curtailment", "unserved", "losses"),
)
CAUSES = ("own", "section", "n1", "ramp", "reserve", "system", "economic")
PENALTY = {"shed": 20_000.0, "spill": 500.0, "reserve_short": 3_000.0, "overload": 5_000.0}
VN_KV, LENGTH_KM, X_OHM_PER_KM = 500.0, (50.0, 70.0, 60.0), 0.3


def tiny_net() -> Any:
    """The pandapower net of the file."""
    net = pp.create_empty_network(name="tiny", sn_mva=100.0)
    for k in range(3):
        pp.create_bus(net, VN_KV, name=f"bus {k}", zone=f"zone {k}")
    for k, (i, j) in enumerate(((0, 1), (1, 2), (0, 2))):
        pp.create_line_from_parameters(
            net, i, j, LENGTH_KM[k], 0.02, X_OHM_PER_KM, 10.0, 0.25, name=f"line {k}", parallel=1
        )
    pp.create_gen(net, 0, 300.0, min_p_mw=160.0, max_p_mw=400.0, name="coal plant", slack=True)
    pp.create_gen(net, 1, 50.0, min_p_mw=30.0, max_p_mw=100.0, name="gas plant")
    pp.create_sgen(net, 0, 100.0, min_p_mw=0.0, max_p_mw=150.0, name="wind farm")
    pp.create_sgen(net, 2, 100.0, name="import")
    net.sgen["band_down"] = [np.nan, 0.1]
    pp.create_storage(net, 2, 0.0, 100.0, name="battery", max_p_mw=20.0, min_p_mw=-20.0)
    for bus, p_mw in ((1, 300.0), (2, 200.0)):
        pp.create_load(net, bus, p_mw, name=f"load {bus}")
    pp.create_dcline(net, 0, 2, 0.0, 0.0, 0.0, 1.0, 1.0, name="link", max_p_mw=40.0)
    net["interface"] = pd.DataFrame({"name": ["section"], "limit_mw": [150.0], "reverse_limit_mw": [150.0]})
    net["interface_member"] = pd.DataFrame(
        {
            "interface": ["section", "section"],
            "element": ["line", "dcline"],
            "element_index": [2, 0],
            "weight": [1.0, 1.0],
        }
    )
    return net


def tables() -> dict[str, dict[str, Any]]:
    return {
        "buses": {
            "name": ["bus 0", "bus 1", "bus 2"],
            "bus_id": [0, 1, 2],
            "zone": ["north", "north", "south"],
            "vn_kv": [VN_KV] * 3,
            "lat_deg": [33.0, 32.5, 31.9],
            "lon_deg": [119.0, 120.0, 119.5],
        },
        "units": {
            "name": ["coal plant", "gas plant"],
            "element": ["gen", "gen"],
            "element_index": [0, 1],
            "bus_row": [0, 1],
            "zone": ["north", "north"],
            "tech": ["coal", "gas"],
            "fuel": ["coal", "gas"],
            "units": [2, 1],
            "p_min_mw": [80.0, 30.0],
            "p_max_mw": [200.0, 100.0],
            "min_up_h": [4, 3],
            "min_down_h": [4, 2],
            "start_cost": [400_000.0, 50_000.0],
            "no_load_cost": [5_000.0, 2_000.0],
            "co2_t_per_mwh": [0.8, 0.36],
            "co2_no_load_t_per_h": [4.0, 1.0],
            "must_run": [True, False],
            "reserve_up": [True, True],
            "reserve_down": [True, False],
            "initial_on": [2, 0],
            "initial_hours": [10_000, 9],
            "initial_p_mw": [np.nan, 0.0],
            "ramp_up_mw_per_h": [np.inf, 20.0],
            "ramp_down_mw_per_h": [np.inf, 20.0],
            "start_ramp_mw": [np.inf, 60.0],
            "stop_ramp_mw": [np.inf, 55.0],
            "quick_start": [False, True],
            "min_cost": [310.0, 620.0],
        },
        "sources": {
            "name": ["wind farm", "import"],
            "element": ["sgen", "sgen"],
            "element_index": [0, 1],
            "bus_row": [0, 2],
            "zone": ["north", "south"],
            "tech": ["wind_onshore", "import"],
            "p_nom_mw": [150.0, 120.0],
            "cost": [0.0, 280.0],
            "ramp_mw_per_h": [np.inf, 12.0],
            "curtailable": [True, False],
            "reserve_up": [True, False],
            "reserve_down": [False, False],
            "co2_t_per_mwh": [0.0, 0.1],
            "origin_co2_t_per_mwh": [0.0, 0.2],
            "clean_share": [1.0, 0.5],
        },
        "stores": {
            "name": ["battery"],
            "element": ["storage"],
            "element_index": [0],
            "bus_row": [2],
            "zone": ["south"],
            "tech": ["battery"],
            "p_charge_max_mw": [20.0],
            "p_discharge_max_mw": [20.0],
            "p_charge_min_mw": [6.0],
            "p_discharge_min_mw": [0.0],
            "units": [2],
            "start_cost": [0.0],
            "e_min_mwh": [5.0],
            "e_max_mwh": [100.0],
            "e_start_mwh": [50.0],
            "eta_charge": [0.95],
            "eta_discharge": [0.93],
            "loss_per_h": [0.001],
            "charge_cost": [10.0],
            "discharge_cost": [20.0],
            "end_rule": ["value"],
            "e_end_mwh": [0.0],
            "end_value": [300.0],
            "beside_source": [-1],
        },
        "loads": {
            "name": ["load 1", "load 2"],
            "element": ["load", "load"],
            "element_index": [0, 1],
            "bus_row": [1, 2],
            "zone": ["north", "south"],
            "component": ["base", "base"],
        },
        "branches": {
            "name": ["line 0", "line 1", "line 2"],
            "element": ["line"] * 3,
            "element_index": [0, 1, 2],
            "from_row": [0, 1, 0],
            "to_row": [1, 2, 2],
            "x_pu": [X_OHM_PER_KM * km * 100.0 / VN_KV**2 for km in LENGTH_KM],
            "shift_deg": [0.0] * 3,
            "rating_mw": [190.0, np.sqrt(3.0) * 0.25 * VN_KV, np.sqrt(3.0) * 0.25 * VN_KV],
            "emergency_rating_mw": [240.0] * 3,
            "circuits": [1, 1, 1],
        },
        "links": {
            "name": ["link"],
            "element": ["dcline"],
            "element_index": [0],
            "from_row": [0],
            "to_row": [2],
            "p_min_mw": [0.0],
            "p_max_mw": [40.0],
            "loss_share": [0.0],
        },
        "interfaces": {"name": ["section"], "limit_mw": [150.0], "reverse_limit_mw": [150.0]},
        "products": {
            "name": ["up", "down", "quick"],
            "direction": ["up", "down", "up"],
            "within_min": [np.inf, np.inf, 15.0],
            "spinning": [True, True, False],
        },
    }


def series(hours: int) -> dict[str, np.ndarray]:
    """Every dataset of the file by its path."""
    t = np.arange(hours)
    day = 2.0 * np.pi * t / 24.0
    frame = {name: pd.DataFrame(columns) for name, columns in tables().items()}
    unit, branch = frame["units"], frame["branches"]
    load = np.stack([300.0 + 40.0 * np.sin(day - 1.0), 200.0 + 20.0 * np.sin(day)], axis=1)
    unserved = np.zeros_like(load)
    unserved[3::24, 0] = 5.0
    spill = np.zeros((hours, 3))
    spill[4::24, 0] = 2.0
    gas_on = ((t % 6 >= 1) & (t % 6 <= 4)).astype(int)
    on = np.stack([np.full(hours, 2), gas_on], axis=1)
    before = np.vstack([[2, 0], on[:-1]])
    available = np.tile([2, 1], (hours, 1))
    wind_available = 75.0 + 60.0 * np.sin(day * 2.3 + 0.4)
    cut = np.where(t % 5 == 2, np.minimum(10.0, wind_available), 0.0)
    schedule = 100.0 + 20.0 * np.sin(day)
    source_available = np.stack([wind_available, schedule], axis=1)
    source_p = np.stack([wind_available - cut, schedule - 3.0], axis=1)
    charge = np.where(t % 6 < 2, 10.0, 0.0)
    discharge = np.where(t % 6 == 3, 12.0, 0.0)
    inflow, let_go = np.where(t % 6 == 4, 3.0, 0.0), np.where(t % 6 == 4, 1.0, 0.0)
    e, stored = np.empty(hours), 50.0
    for k in range(hours):
        stored = 0.999 * stored + 0.95 * charge[k] - discharge[k] / 0.93 + inflow[k] - let_go[k]
        e[k] = stored
    link = 15.0 + 10.0 * np.cos(day)
    gas = 50.0 * gas_on
    others = source_p.sum(1) + gas + discharge - charge + unserved.sum(1) - spill.sum(1)
    unit_p = np.stack([load.sum(1) - others, gas], axis=1)

    injection = -spill.copy()
    injection[:, 0] += unit_p[:, 0] + source_p[:, 0] - link
    injection[:, 1] += unit_p[:, 1] - load[:, 0] + unserved[:, 0]
    injection[:, 2] += source_p[:, 1] - load[:, 1] + unserved[:, 1] + discharge - charge + link
    flow = dense_flows(branch, injection)
    section = flow[:, 2] + link
    branch_over = np.maximum(np.abs(flow) - branch["rating_mw"].to_numpy(), 0.0)
    section_over = np.maximum(np.abs(section) - 150.0, 0.0)

    room_up = on @ unit["p_max_mw"].to_numpy() - unit_p.sum(1) + cut
    room_down = unit_p[:, 0] - 160.0
    # gas answers with 15 MW, in its first hour with what is left to 60 MW, in its last with what is left to 55 MW;
    # off it answers to the quick product only; the second product is of coal, the last of gas
    gas_up = gas_on * np.select([t % 6 == 1, t % 6 == 4], [10.0, 5.0], 15.0)
    room = np.stack([400.0 - unit_p[:, 0] + gas_up + cut, room_down, gas_up + 100.0 * (1 - gas_on)], axis=1)
    need = np.tile([400.0, 90.0, 12.0], (hours, 1))
    provided = np.minimum(room, need)
    short = need - provided

    coal_left = unit_p[:, 0] - 160.0
    energy = 160.0 * 310.0 + np.minimum(coal_left, 160.0) * 300.0 + np.maximum(coal_left - 160.0, 0.0) * 350.0
    energy = energy + gas_on * (30.0 * 620.0 + 20.0 * 600.0) + 280.0 * source_p[:, 1]
    starts, stops = np.maximum(on - before, 0), np.maximum(before - on, 0)
    cold = np.where(t == 1, 20_000.0, 0.0)  # off for ten hours then, for two hours before every later start
    cost = {
        "energy": energy,
        "no_load": on @ unit["no_load_cost"].to_numpy(),
        "start": starts @ unit["start_cost"].to_numpy() + cold,
        "wear": 10.0 * charge + 20.0 * discharge,
        "shed": PENALTY["shed"] * unserved.sum(1),
        "spill": PENALTY["spill"] * spill.sum(1),
        "reserve_short": PENALTY["reserve_short"] * short.sum(1),
        "overload": PENALTY["overload"] * (branch_over.sum(1) + section_over),
    }
    cost["budget"] = np.zeros(len(cost["energy"]))
    cost["total"] = np.sum(list(cost.values()), axis=0)
    tech_p = np.stack([unit_p[:, 0], gas, source_p[:, 0], source_p[:, 1], discharge - charge], axis=1)
    tech_t = np.zeros_like(tech_p)
    tech_t[:, 0], tech_t[:, 1] = 0.8 * unit_p[:, 0] + 8.0, 0.36 * gas + gas_on
    tech_t[:, 3] = 0.1 * source_p[:, 1]
    curtailed = np.stack([cut, np.zeros(hours)], axis=1)
    causes = np.zeros((hours, 2, len(CAUSES)))
    system = 0.75 * (t % 2 == 0)  # the rest for line 0, which is full then
    causes[:, 0, 1], causes[:, 0, 5] = cut * (1.0 - system), cut * system
    causes[:, 0, 0] = np.where(t % 4 == 3, 2.0, 0.0)  # cut before by its own connection
    curtailed = curtailed + causes[:, :, 0]
    net_load = load.sum(1) - wind_available
    days = -(-hours // 24)
    # 400 MW of coal are on: 40 MW lie between 50 and 40 % of them, 20 MW in the next two classes
    coal = unit_p[:, 0]
    deep = -np.stack([np.clip(200.0 - coal, 0, 40), np.clip(160.0 - coal, 0, 20), np.clip(140.0 - coal, 0, 20)], axis=1)
    by_name = {
        "coal_basic": np.maximum(coal, 200.0) - of_days(net_load - gas - source_p[:, 1], days),
        **dict(zip(SUPPLIERS[1:4], deep.T, strict=True)),
        "gas": gas - of_days(gas, days),
        "import": source_p[:, 1] - of_days(source_p[:, 1], days),
        "battery": discharge - charge,
        "curtailment": -cut - spill.sum(1),
        "unserved": unserved.sum(1),
    }
    regulation = np.stack([by_name.get(name, np.zeros(hours)) for name in SUPPLIERS], axis=1)
    depth = np.digitize(coal / 400.0, [0.3, 0.35, 0.4, 0.5])  # 4: half and more
    two_shift = np.zeros((days, len(TECHS)), int)
    for k in range(days):  # gas starts and stops every six hours
        two_shift[k, 1] = min(starts[24 * k : 24 * k + 24, 1].sum(), stops[24 * k : 24 * k + 24, 1].sum())
    return {
        "dispatch/unit_p_mw": unit_p,
        "dispatch/source_p_mw": source_p,
        "dispatch/source_available_mw": source_available,
        "dispatch/source_min_mw": np.stack([np.zeros(hours), 0.9 * schedule], axis=1),
        "dispatch/load_mw": load,
        "dispatch/link_p_mw": link[:, None],
        "dispatch/tech_p_mw": tech_p,
        "commitment/on": on.astype(np.int16),
        "commitment/start": starts.astype(np.int16),
        "commitment/stop": stops.astype(np.int16),
        "commitment/available": available.astype(np.int16),
        "realtime/called": np.zeros_like(on),
        "realtime/lost": np.zeros_like(on),
        "commitment/start_cost": starts * unit["start_cost"].to_numpy() + np.stack([0.0 * cold, cold], axis=1),
        "commitment/ramp_relaxed_mw": np.zeros((hours, 2)),
        "dispatch/unit_floor_mw": np.tile(unit["p_min_mw"].to_numpy(float), (hours, 1)),
        "dispatch/unit_ceiling_mw": np.tile(unit["p_max_mw"].to_numpy(float), (hours, 1)),
        "dispatch/source_own_mw": causes[:, :, 0],
        "storage/inflow_mw": inflow[:, None],
        "storage/demand_mw": np.zeros((hours, 1)),
        "storage/charge_max_mw": np.full((hours, 1), 20.0),
        "storage/discharge_max_mw": np.full((hours, 1), 20.0),
        "storage/e_floor_mwh": np.full((hours, 1), 5.0),
        "storage/spill_mw": let_go[:, None],
        "storage/start_cost": np.zeros((hours, 1)),
        "storage/charge_mw": charge[:, None].astype(np.float32),
        "storage/discharge_mw": discharge[:, None].astype(np.float32),
        "storage/e_mwh": e[:, None],
        "flow/branch_p_mw": flow.astype(np.float32),
        "flow/interface_p_mw": section[:, None].astype(np.float32),
        "flow/branch_overload_mw": branch_over,
        "flow/interface_overload_mw": section_over[:, None],
        "flow/rating_share": np.zeros((hours, 0)),
        "price/energy": (350.0 + 50.0 * np.sin(day)).astype(np.float32),
        "price/reserve": np.zeros((hours, 3), np.float32),
        "price/bus": np.tile((350.0 + 50.0 * np.sin(day))[:, None], (1, 3)).astype(np.float32),
        **settled(load - unserved, unit_p, source_p, discharge - charge, spill, cost),
        "curtailment/source_mw": curtailed,
        "curtailment/cause_mw": causes,
        "curtailment/section_element": np.where(causes[:, :, 1] > 0.0, 0, -1),
        "curtailment/n1_element": np.full((hours, 2), -1),
        "curtailment/n1_outage": np.full((hours, 2), -1),
        "unserved/load_mw": unserved,
        "spill/bus_mw": spill,
        "reserve/need_mw": need,
        "reserve/provided_mw": provided,
        "reserve/short_mw": short,
        "peak_shaving/load_mw": load.sum(1),
        "peak_shaving/net_load_mw": net_load,
        "peak_shaving/need_mw": net_load - of_days(net_load, days),
        "peak_shaving/regulation_mw": regulation,
        "peak_shaving/coal_load_rate": coal / 400.0,
        "peak_shaving/deep_units": 2 * (depth[:, None] == np.array([3, 2, 1, 0])),
        "peak_shaving/compensation": -np.hstack((deep, np.zeros((hours, 1)))) * np.array([150.0, 300.0, 450.0, 600.0]),
        "peak_shaving/up_margin_mw": room_up,
        "peak_shaving/down_margin_mw": room_down,
        "peak_shaving/peak_valley_before_mw": by_day(net_load, days),
        "peak_shaving/peak_valley_after_mw": by_day(net_load - regulation[:, 5:].sum(1), days),
        "peak_shaving/peak_valley_less_mw": np.stack([by_day(net_load - r, days) for r in regulation.T], axis=1),
        "peak_shaving/two_shift_starts": two_shift,
        "security/hour_loading": np.zeros(hours),
        "security/hour_branch": np.full(hours, -1, np.int32),
        "security/hour_outage": np.full(hours, -1, np.int32),
        **{
            f"security/{dim}_{name}": np.zeros(size) if name == "loading" else np.full(size, -1, np.int32)
            for dim, size, other in (("branch", flow.shape[1], "outage"), ("outage", flow.shape[1] + 1, "branch"))
            for name in ("loading", other, "hour")
        },
        "carbon/tech_t": tech_t,
        **consumed(load - unserved, tech_t, 0.2 * source_p[:, 1]),
        **{f"cost/{part}": value for part, value in cost.items()},
        "windows/first_hour": np.arange(0, hours, 24),
        "windows/hours": np.minimum(48, hours - np.arange(0, hours, 24)),
        **{f"windows/{name}": np.ones(days, int) for name in ("status", "iterations", "rounds", "rows", "retries")},
        "timing/window_cpu_s": np.full(days, 0.01),
        "windows/cost": np.full(days, 1e6),
        "windows/bound": np.full(days, 0.999e6),
        "windows/gap": np.linspace(0.0005, 0.0015, days),
        "interfaces/branch_weight": np.array([[0.0, 0.0, 1.0]]),
        "interfaces/link_weight": np.array([[1.0]]),
        "units/seg_mw": np.array([[80.0, 40.0], [70.0, 0.0]]),
        "units/start_lag_h": np.array([[0, 0], [2, 6]]),
        "units/start_cost_by_lag": np.array([[400_000.0, 400_000.0], [50_000.0, 70_000.0]]),
        "units/response_mw": np.array([[120.0, 120.0, 0.0], [15.0, 0.0, 15.0]]),
        "units/offline_mw": np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 100.0]]),
        "sources/responds": np.array([[1, 0, 0], [0, 0, 0]]),
        "units/seg_cost": np.array([[300.0, 350.0], [600.0, 0.0]]),
    }


def settled(
    served: np.ndarray, unit_p: np.ndarray, source_p: np.ndarray, store: np.ndarray, spill: np.ndarray, cost: Any
) -> dict[str, np.ndarray]:
    """Money at one price for all buses: the network earns nothing. Costs are made up but for their sum."""
    hours = len(store)
    price = (350.0 + 50.0 * np.sin(2.0 * np.pi * np.arange(hours) / 24.0)).astype(np.float32).astype(float)[:, None]
    spent = cost["energy"] + cost["no_load"] + cost["start"]
    none, wear = np.zeros(hours), cost["wear"]
    return {
        "price/zone": np.hstack((price, price)),
        "money/load_payment": price * served,
        "money/tou_bill": np.zeros((hours, 2)),
        "money/local_bill": np.zeros((hours, 2)),
        "money/spill_payment": price[:, 0] * spill.sum(1),
        "money/tech_revenue": price * np.column_stack((unit_p, source_p, store)),
        "money/tech_cost": np.stack((spent, none, none, none, wear), axis=1),
        "money/store_revenue": (price * store[:, None]).sum(0),
        "money/store_cost": wear.sum(keepdims=True),
        "money/reserve_revenue": np.zeros((hours, len(TECHS))),
        **{f"money/{name}": none for name in ("congestion_rent", "link_rent", "shift_rent", "loss_surplus")},
        "money/branch_rent": np.zeros(3),
        "money/interface_rent": np.zeros(1),
    }


def consumed(served: np.ndarray, tech_t: np.ndarray, origin: np.ndarray) -> dict[str, np.ndarray]:
    """Carbon shared out over all load alike; the import stands in the south."""
    none = np.zeros(len(served))
    rate = (tech_t.sum(1) + origin) / served.sum(1)
    return {
        "carbon/origin_t": origin,
        "carbon/zone_emission_t": np.stack((tech_t[:, :3].sum(1), tech_t[:, 3]), axis=1),
        "carbon/zone_load_t": rate[:, None] * served,
        "carbon/zone_intensity": np.tile(rate[:, None], (1, 2)),
        "carbon/zone_marginal": np.full((len(rate), 2), 0.8),
        **{f"carbon/{name}": none for name in ("export_t", "lost_t", "store_change_t")},
        "carbon/unit_t": tech_t[:, :2].sum(0),
        "carbon/source_t": np.array([0.0, tech_t[:, 3].sum()]),
    }


def dense_flows(branch: pd.DataFrame, injection: np.ndarray) -> np.ndarray:
    """DC flows by the pseudo-inverse of the whole susceptance matrix."""
    n, nbr = injection.shape[1], len(branch)
    incidence = np.zeros((nbr, n))
    incidence[np.arange(nbr), branch["from_row"]] = 1.0
    incidence[np.arange(nbr), branch["to_row"]] = -1.0
    b = 1.0 / branch["x_pu"].to_numpy()
    return injection @ (b[:, None] * incidence @ np.linalg.pinv(incidence.T @ (b[:, None] * incidence))).T


def by_day(x: np.ndarray, days: int) -> np.ndarray:
    return np.array([np.ptp(x[24 * k : 24 * k + 24]) for k in range(days)])


def of_days(x: np.ndarray, days: int) -> np.ndarray:
    """The mean of its day in every hour."""
    return np.concatenate([np.full(len(part), part.mean()) for part in np.split(x, range(24, 24 * days, 24))])


def summary(data: dict[str, np.ndarray]) -> dict[str, Any]:
    hours = len(data["cost/total"])
    own = data["curtailment/cause_mw"][:, 0, 0].sum()
    wind = data["dispatch/source_available_mw"][:, 0].sum() + own
    energy = data["dispatch/tech_p_mw"].sum(0) / 1e6
    return {
        "hours": hours,
        "loss_mwh": 0.0,
        "loss_rate": 0.0,
        "total_cost": data["cost/total"].sum(),
        "lower_bound": data["cost/total"].sum() - 1e3 * len(data["windows/gap"]),
        "gap_mean": data["windows/gap"].mean(),
        "gap_max": data["windows/gap"].max(),
        **{f"energy_twh.{tech}": twh for tech, twh in zip(TECHS, energy.tolist(), strict=True)},
        "curtailment_mwh_by_tech.wind_onshore": data["curtailment/source_mw"].sum(),
        "curtailment_rate_by_tech.wind_onshore": data["curtailment/source_mw"].sum() / wind,
        **{f"curtailment_mwh_by_cause.{n}": data["curtailment/cause_mw"][:, :, k].sum() for k, n in enumerate(CAUSES)},
        **{f"peak_valley_mw.{k}": data[f"peak_shaving/peak_valley_{k}_mw"].mean() for k in ("before", "after")},
        "unserved_mwh": data["unserved/load_mw"].sum(),
        "curtailment_mwh": data["curtailment/source_mw"].sum(),
        "curtailment_rate": data["curtailment/source_mw"].sum() / wind,
        "spill_mwh": data["spill/bus_mw"].sum(),
        "reserve_short_mwh": data["reserve/short_mw"].sum(),
        "overload_mwh": data["flow/branch_overload_mw"].sum() + data["flow/interface_overload_mw"].sum(),
        "starts": int(data["commitment/start"].sum()),
        "co2_mt": data["carbon/tech_t"].sum() / 1e6,
        "peak_load_mw": data["dispatch/load_mw"].sum(1).max(),
    }


DIMENSIONS = {
    "unit": "units",
    "source": "sources",
    "store": "stores",
    "load": "loads",
    "bus": "buses",
    "branch": "branches",
    "link": "links",
    "interface": "interfaces",
    "product": "products",
}


ABSENT = ("budgets", "shifters")  # tables that this run leaves empty
EMPTY_DIMS = ("budget_name", "shifter", "island", "failing", "foreseen", "believed", "believed_need", "expected")


def write_tiny(path: Path, hours: int = 6, start: str = "2024-03-01T00") -> Path:
    """Write the file and return its path."""
    data = series(hours)
    write_file(
        path,
        frames=tables(),
        data=data,
        numbers=summary(data),
        techs=TECHS,
        hours=hours,
        start=start,
        net_json=pp.to_json(tiny_net()),
    )
    return path


def write_file(
    path: Path,
    *,
    frames: dict[str, dict[str, Any]],
    data: dict[str, np.ndarray],
    numbers: dict[str, Any],
    techs: Sequence[str],
    hours: int,
    start: str,
    net_json: str = "",
    scenario_name: str = "tiny",
) -> None:
    """A results file: tables, series by path, summary."""
    with h5py.File(path, "w") as file:
        meta = file.create_group("meta")
        meta.attrs.update(
            {
                "format": "gridsim",
                "format_version": "1.0",
                "complete": True,
                "scenario_name": scenario_name,
                "scenario_title": "",
                "currency": "CNY",
                "utc_offset_h": 8.0,
                "start": start,
                "hours": hours,
                "year": int(start[:4]),
                "window_h": 48,
                "step_h": 24,
                **{f"penalty_{name}": value for name, value in PENALTY.items()},
            }
        )
        meta["net_json"] = np.frombuffer(gzip.compress(net_json.encode()), dtype=np.uint8)
        meta.create_dataset("events", data="[]", dtype=h5py.string_dtype())
        meta.create_group("run")
        for name, columns in frames.items():
            group = file.create_group(name)
            group.attrs["columns"] = json.dumps(list(columns))
            for key, values in columns.items():
                put_strings_or_numbers(group, key, values)
        for name in ABSENT:
            group = file.create_group(name)
            group.attrs["columns"] = json.dumps(["name"])
            put_strings_or_numbers(group, "name", [])
        for name in ("budget_name", "shifter", "failing", "foreseen", "believed", "believed_need", "expected"):
            put_strings_or_numbers(file, name, np.array([], dtype=object))
        of_absent = {d.path: d for d in DATASETS if d.dims[-1] in EMPTY_DIMS}
        rows = {"time": hours, "window": len(data["windows/hours"])}
        for name, dataset in of_absent.items():
            file.create_dataset(name, data=np.zeros((rows[dataset.dims[0]], 0), dataset.dtype))
        for name, values in data.items():
            big = values.size > 1e5
            file.create_dataset(
                name, data=values, compression="gzip" if big else None, compression_opts=1 if big else None
            )
        for name, group in DIMENSIONS.items():
            put_strings_or_numbers(file, name, frames[group]["name"])
        put_strings_or_numbers(file, "tech", techs)
        put_strings_or_numbers(file, "zone", sorted(set(frames["buses"]["zone"])))
        put_strings_or_numbers(file, "supplier", SUPPLIERS)
        put_strings_or_numbers(file, "depth", SUPPLIERS[1:5])
        put_strings_or_numbers(file, "cause", CAUSES)
        put_strings_or_numbers(file, "outage", [f"loss {i}" for i in range(data["flow/branch_p_mw"].shape[1] + 1)])
        file.create_group("summary").attrs.update(numbers)


def put_strings_or_numbers(group: h5py.Group, key: str, values: Any) -> None:
    array = np.asarray(values)
    if array.dtype.kind in "UO":
        group.create_dataset(key, data=array.astype(object), dtype=h5py.string_dtype())
    else:
        group[key] = array
