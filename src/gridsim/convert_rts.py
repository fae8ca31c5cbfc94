"""RTS-GMLC: the folder with ``SourceData`` and ``timeseries_data_files`` as a year of day-ahead unit commitment.

The year, its hours and the look-ahead come from the source. Series are taken as the pointers of the source say, in MW
(their scaling factors are those of normalised files and are not applied).
"""

import csv
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandapower as pp
from numpy.typing import NDArray

from gridsim.convert import Conversion
from gridsim.convert_net import Branch, add_branch, add_reference, convex, empty_net, price_points
from gridsim.errors import InputError, Problem

FloatArray = NDArray[np.float64]
Row = dict[str, str]
BASE_MVA = 100.0
LB_T = 0.45359237e-3
RUN = "DAY_AHEAD"
_TABLES = {
    "bus": ("Bus ID", "Bus Name", "BaseKV", "Bus Type", "MW Load", "MW Shunt G", "Area", "lat", "lng"),
    "branch": ("UID", "From Bus", "To Bus", "R", "X", "B", "Cont Rating", "LTE Rating", "STE Rating", "Tr Ratio"),
    "gen": (
        *("GEN UID", "Bus ID", "Unit Type", "Category", "Fuel", "PMax MW", "PMin MW", "Min Down Time Hr"),
        *("Min Up Time Hr", "Ramp Rate MW/Min", "Start Time Cold Hr", "Start Time Warm Hr", "Start Time Hot Hr"),
        *("Start Heat Cold MBTU", "Start Heat Warm MBTU", "Start Heat Hot MBTU", "Non Fuel Start Cost $"),
        *("Fuel Price $/MMBTU", "Output_pct_0", "HR_avg_0", "VOM", "Emissions CO2 Lbs/MMBTU"),
        *("Pump Load MW", "Storage Roundtrip Efficiency"),
    ),
    "dc_branch": ("UID", "From Bus", "To Bus", "MW Load"),
    "storage": ("GEN UID", "Storage", "Max Volume GWh", "Initial Volume GWh", "position"),
    "reserves": (
        *("Reserve Product", "Timeframe (sec)", "Eligible Regions", "Eligible Device SubCategories", "Direction"),
    ),
    "timeseries_pointers": ("Simulation", "Category", "Object", "Parameter", "Data File"),
}
_THERMAL_TECH = {"Coal": "coal", "NG": "gas", "Oil": "oil", "Nuclear": "nuclear"}
_SOURCE_TECH = {"HYDRO": "hydro", "ROR": "hydro", "PV": "pv", "RTPV": "pv", "WIND": "wind_onshore"}
_TECH_OF_CATEGORY = {
    "Gas CT": "gas",
    "Gas CC": "gas",
    "Oil CT": "oil",
    "Oil ST": "oil",
    "Coal": "coal",
    "Nuclear": "nuclear",
    "Solar PV": "pv",
    "Wind": "wind_onshore",
    "CSP": "csp",
    "Hydro": "hydro",
}


def read_rts(source: Path) -> Conversion:
    """The case in the folder `source`. Raises InputError with every problem of its files."""
    return _Reader(source).read()


class _Start(NamedTuple):
    """Start cost by hours off."""

    cost: float | None  # one cost whatever the time off
    by_hours: str  # "2:393.28 4:455.37", empty with one cost
    raised: bool  # a cost that falls with the time off was raised


class _Reader:
    """Carries what the steps of a conversion share."""

    def __init__(self, source: Path):
        self.source = source
        self.problems: list[Problem] = []
        self.tables: dict[str, list[Row]] = {}
        self.files: dict[Path, tuple[list[tuple[int, int, int]], dict[str, FloatArray]] | None] = {}
        self.hours = 0

    def read(self) -> Conversion:
        folder = self.source / "SourceData"
        if not folder.is_dir():
            raise InputError(str(self.source), [Problem("folder SourceData", "is missing: not a copy of RTS-GMLC")])
        for name, columns in _TABLES.items():
            self.tables[name] = self._table(folder / f"{name}.csv", columns)
        self._check_numbers()
        self._stop_at_problems()
        self.pointers = {
            (row["Object"], row["Parameter"]): self._find(folder, row["Data File"])
            for row in self.tables["timeseries_pointers"]
            if row["Simulation"] == RUN
        }
        self.net = empty_net("RTS-GMLC", BASE_MVA)
        self.out = Conversion("RTS-GMLC, day-ahead", self.net, 2020, {})
        self.areas: dict[int, str] = {}
        self._buses()
        self._loads()
        self._branches()
        self._generators()
        self._storages()
        self._reserves()
        self._calendar()
        self._stop_at_problems()
        return self.out

    def _stop_at_problems(self) -> None:
        if self.problems:
            raise InputError(str(self.source), self.problems)

    # --- tables and series

    def _table(self, path: Path, columns: tuple[str, ...]) -> list[Row]:
        where = f"SourceData/{path.name}"
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                missing = [c for c in columns if c not in (reader.fieldnames or ())]
                rows = [row for row in reader if any((v or "").strip() for v in row.values() if isinstance(v, str))]
        except FileNotFoundError:
            self.problems.append(Problem(where, "is missing"))
            return []
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            self.problems.append(Problem(where, f"cannot be read: {error}"))
            return []
        if missing:
            self.problems.append(Problem(where, f"must have the columns {', '.join(missing)}"))
            return []
        short = [k for k, row in enumerate(rows, start=2) if any(row[c] is None for c in columns)]
        if short:
            self.problems.append(Problem(where, f"must have a cell for every column: line {short[0]} has not"))
            return []
        return rows

    def _check_numbers(self) -> None:
        """Numbers of all tables but emissions, which may be words; and buses that exist."""
        texts = {"UID", "GEN UID", "Bus Name", "Bus Type", "Unit Type", "Category", "Fuel", "Area", "Storage"}
        texts |= {"position", "Emissions CO2 Lbs/MMBTU"}
        for name in ("bus", "branch", "gen", "dc_branch", "storage"):
            for row in self.tables[name]:
                bad = [c for c in _TABLES[name] if c not in texts and _number(row[c]) is None]
                if bad:
                    who = next(iter(row.values()))
                    self.problems.append(Problem(f"SourceData/{name}.csv", f"{who} must have numbers for {bad}"))
        known = {row["Bus ID"] for row in self.tables["bus"]}
        for name, columns in (
            ("branch", ("From Bus", "To Bus")),
            ("dc_branch", ("From Bus", "To Bus")),
            ("gen", ("Bus ID",)),
        ):
            lost = sorted({row[c] for row in self.tables[name] for c in columns if row[c] not in known})
            if lost and known:
                rule = f"must name buses of bus.csv: {', '.join(lost[:5])} are none"
                self.problems.append(Problem(f"SourceData/{name}.csv", rule))
        wrong = [
            r["UID"] for r in self.tables["branch"] if not _number(r["X"]) or not (_number(r["Cont Rating"]) or 0) > 0
        ]
        if wrong:
            rule = f"must have a reactance that is not 0 and a rating above 0: {', '.join(wrong[:5])}"
            self.problems.append(Problem("SourceData/branch.csv", rule))

    def _find(self, folder: Path, text: str) -> Path:
        """The file of a pointer; folders may differ in case, as in the source itself."""
        path = folder
        for part in Path(text.replace("\\", "/")).parts:
            if part == "..":
                path = path.parent
                continue
            there = [p for p in path.iterdir() if p.name.lower() == part.lower()] if path.is_dir() else []
            path = there[0] if there else path / part
        return path

    def _series(self, thing: str, parameter: str, column: str) -> FloatArray | None:
        """Hourly MW of one object; None and a problem if it is not there."""
        path = self.pointers.get((thing, parameter))
        if path is None:
            self.problems.append(Problem("SourceData/timeseries_pointers.csv", f"must have {RUN} {thing} {parameter}"))
            return None
        if path not in self.files:
            self.files[path] = self._read_series(path, column)
        found = self.files[path]
        if found is None:
            return None
        if column not in found[1]:
            self.problems.append(Problem(path.name, f"must have a column {column}"))
            return None
        return found[1][column]

    def _read_series(self, path: Path, name: str) -> tuple[list[tuple[int, int, int]], dict[str, FloatArray]] | None:
        """Days and columns of a series file: one row per hour, or one row per day with 24 columns (named `name`)."""
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = [row for row in csv.reader(file) if row]
            head, body = rows[0], rows[1:]
            long = head[:4] == ["Year", "Month", "Day", "Period"]
            if not long and (head[:3] != ["Year", "Month", "Day"] or len(head) != 27):
                raise ValueError("must have the columns Year, Month, Day, and Period or the hours 1 to 24")
            values = np.array([[float(c) for c in row] for row in body]).reshape(-1, len(head))
        except FileNotFoundError:
            self.problems.append(Problem(path.name, "is missing: timeseries_pointers.csv names it"))
            return None
        except (OSError, UnicodeDecodeError, ValueError, IndexError, csv.Error) as error:
            self.problems.append(Problem(path.name, f"is not a table of hourly numbers: {error}"))
            return None
        days = [(int(a), int(b), int(c)) for a, b, c in (values[::24, :3] if long else values[:, :3])]
        hours = values[:, 3] if long else None
        dates = np.array([np.datetime64(f"{y:04d}-{m:02d}-{d:02d}", "D") for y, m, d in days])
        gap = dates.size == 0 or bool((np.diff(dates) != np.timedelta64(1, "D")).any())
        if gap or (hours is not None and not np.array_equal(hours, np.tile(np.arange(1, 25), len(days)))):
            self.problems.append(Problem(path.name, "must have every hour of every day, in order"))
            return None
        if not np.isfinite(values).all():
            self.problems.append(Problem(path.name, "must have finite values"))
            return None
        columns = {c: values[:, k] for k, c in enumerate(head) if k > 3} if long else {name: values[:, 3:].ravel()}
        return days, columns

    def _add_series(self, name: str, values: FloatArray | None) -> bool:
        if values is None:
            return False
        self.out.series[name] = values
        return True

    # --- the network

    def _buses(self) -> None:
        rows = self.tables["bus"]
        for row in rows:
            at = int(row["Bus ID"])
            geo = json.dumps({"type": "Point", "coordinates": [float(row["lng"]), float(row["lat"])]})
            area = row["Area"].strip()
            self.areas[at] = area
            pp.create_bus(self.net, float(row["BaseKV"]), index=at, name=row["Bus Name"], zone=area)
            self.net.bus.loc[at, "geo"] = geo
            if float(row["MW Shunt G"]):
                pp.create_shunt(self.net, at, 0.0, p_mw=float(row["MW Shunt G"]), name=f"shunt {at}")
        reference = next((r for r in rows if r["Bus Type"].strip().lower() == "ref"), rows[0])
        add_reference(self.net, int(reference["Bus ID"]))
        self.out.say("buses", len(rows), "used", "zone: their area; coordinates kept")
        self.out.say(
            "sub-areas, zones, voltage set points, reactive power", len(rows), "ignored", "no use in a DC model"
        )
        shunts = sum(float(r["MW Shunt G"]) != 0 for r in rows)
        self.out.say("shunt conductances", shunts, "used", "constant consumption at 1 p.u.")

    def _loads(self) -> None:
        rows = [row for row in self.tables["bus"] if float(row["MW Load"]) > 0]
        total: dict[str, float] = {}
        for row in rows:
            total[self.areas[int(row["Bus ID"])]] = total.get(self.areas[int(row["Bus ID"])], 0.0) + float(
                row["MW Load"]
            )
        for area in total:
            self._add_series(f"load/{area}", self._series(area, "MW Load", area))
        for row in rows:
            at, p_mw = int(row["Bus ID"]), float(row["MW Load"])
            area = self.areas[at]
            index = pp.create_load(self.net, at, p_mw, name=f"load {row['Bus Name']}")
            self.net.load.loc[index, "profile"] = f"load/{area}"
            self.net.load.loc[index, "profile_share"] = p_mw / total[area]
        self.out.say("regional load series", len(total), "used", "MW, shared among the buses of the area by MW Load")
        self.out.say("loads of buses", len(rows), "used", "shares of the regional series")

    def _branches(self) -> None:
        taps = 0
        for row in self.tables["branch"]:
            ratio = float(row["Tr Ratio"])
            taps += ratio != 0
            branch = Branch(
                row["UID"],
                int(row["From Bus"]),
                int(row["To Bus"]),
                float(row["R"]),
                float(row["X"]),
                float(row["B"]),
                ratio or 1.0,
                0.0,
                float(row["Cont Rating"]),
                max(float(row["STE Rating"]), float(row["Cont Rating"])),
            )
            add_branch(self.net, branch)
        n = len(self.tables["branch"])
        out = self.out
        out.say("AC branches", n, "used", f"{taps} of them transformers with a ratio; limit: Cont Rating")
        out.say("STE ratings of branches", n, "used", "emergency rating")
        out.say("LTE ratings of branches", n, "ignored", "one emergency rating per branch: the short-time one")
        out.say("outage rates, lengths of branches", n, "ignored", "no random outages")
        for row in self.tables["dc_branch"]:
            most = float(row["MW Load"])
            index = pp.create_dcline(
                self.net,
                int(row["From Bus"]),
                int(row["To Bus"]),
                0.0,
                0.0,
                0.0,
                1.0,
                1.0,
                max_p_mw=most,
                name=row["UID"],
            )
            self.net.dcline.loc[index, "min_p_mw"] = -most
        n = len(self.tables["dc_branch"])
        how = "lossless, dispatched up to MW Load both ways; its control mode keeps MW Load"
        out.say("DC lines", n, "approximated", how)

    # --- generators

    def _generators(self) -> None:
        out = self.out
        rows = self.tables["gen"]
        thermal = [row for row in rows if row["Fuel"] in _THERMAL_TECH]
        sources = [row for row in rows if row["Unit Type"] in _SOURCE_TECH]
        stores = [row for row in rows if row["Unit Type"] in ("STORAGE", "CSP")]
        condensers = [row for row in rows if row["Unit Type"] == "SYNC_COND"]
        said: list[str] = []
        for row in thermal:
            said += self._thermal(row)
        known = [row["GEN UID"] for row in (*thermal, *sources, *stores, *condensers)]
        strange = [row["GEN UID"] for row in rows if row["GEN UID"] not in known]
        if strange:
            rule = f"must be of a known unit type or fuel: {', '.join(strange[:5])} are not"
            self.problems.append(Problem("SourceData/gen.csv", rule))
        n = len(thermal)
        out.say("thermal units", n, "used", "gen rows of one unit each")
        out.say(
            "heat rate curves",
            n,
            "used",
            "piecewise-linear fuel cost: average rate at the first point, then increments",
        )
        out.say(
            "heat rate curves", said.count("convex"), "approximated", "their lower convex hull: increments that fall"
        )
        how = "increments of 0: the average rate holds"
        out.say("heat rate curves", said.count("flat"), "approximated", how)
        out.say(
            "variable cost (VOM)", sum(float(r["VOM"]) != 0 for r in thermal), "used", "added to the cost of energy"
        )
        out.say(
            "start heat and other start costs", n, "used", "by hours off (hot, warm, cold) as far as they are reached"
        )
        out.say("start heat", said.count("raised"), "approximated", "cheaper after more hours off: the highest so far")
        out.say("minimum times", n, "used", "rounded up to whole hours")
        out.say("ramp rates", n, "used", "60 x MW/min per hour each way, and MW/min for reserve")
        out.say("CO2 of fuel", n, "used", "a straight line through the heat at least and most output")
        out.say("CO2 of fuel", said.count("co2"), "ignored", "not a number in the source")
        out.say("MW Inj", len(rows), "ignored", "a power flow's set point: no state before the first hour is given")
        out.say("forced outage rates, repair times, maintenance weeks", len(rows), "ignored", "no random outages")
        out.say("other emissions, machine reactances, inertia", len(rows), "ignored", "no place in a dispatch")
        out.say("synchronous condensers", len(condensers), "ignored", "no active power")
        self._sources(sources)

    def _thermal(self, row: Row) -> list[str]:
        low, high = float(row["PMin MW"]), float(row["PMax MW"])
        said: list[str] = []
        heat = _heat_points(row)
        hull, left = convex(heat)
        if left:
            said.append("convex")
        if _number(row.get("HR_incr_1")) == 0:
            said.append("flat")
        price, vom = float(row["Fuel Price $/MMBTU"]), float(row["VOM"])
        start = _start_cost(row)
        if start.raised:
            said.append("raised")
        index = int(
            pp.create_gen(
                self.net,
                int(row["Bus ID"]),
                low,
                name=row["GEN UID"],
                min_p_mw=low,
                max_p_mw=high,
                tech=_THERMAL_TECH[row["Fuel"]],
                fuel=row["Fuel"].lower(),
                min_up_h=_whole_hours(row["Min Up Time Hr"]),
                min_down_h=_whole_hours(row["Min Down Time Hr"]),
                ramp_up_mw_per_h=60.0 * float(row["Ramp Rate MW/Min"]),
                ramp_down_mw_per_h=60.0 * float(row["Ramp Rate MW/Min"]),
                reserve_mw_per_min=float(row["Ramp Rate MW/Min"]),
                reserve_up=True,
                reserve_down=True,
            )
        )
        gen = self.net.gen
        if start.cost is not None:
            gen.loc[index, "start_cost"] = start.cost
        else:
            gen.loc[index, "start_cost_by_hours_off"] = start.by_hours
        points = [(p, h * price + vom * p) for p, h in hull]
        gen.loc[index, "no_load_cost"] = max(price_points(self.net, "gen", index, points, low, high), 0.0)
        rate = _number(row["Emissions CO2 Lbs/MMBTU"])
        if rate is None:
            said.append("co2")
            rate = 0.0
        per_mwh, per_h = _line([p for p, _ in hull], [h * rate * LB_T for _, h in hull])
        gen.loc[index, ["co2_t_per_mwh", "co2_no_load_t_per_h"]] = per_mwh, per_h
        return said

    def _sources(self, rows: list[Row]) -> None:
        fixed = 0
        for row in rows:
            uid, kind = row["GEN UID"], row["Unit Type"]
            name = f"renewable/{uid}"
            must_take = (uid, "PMin MW") in self.pointers
            fixed += must_take
            if not self._add_series(name, self._series(uid, "PMax MW", uid)):
                continue
            if must_take:
                least = self._series(uid, "PMin MW", uid)
                if least is not None and not np.array_equal(least, self.out.series[name]):
                    rule = f"must give {uid} a PMin MW equal to its PMax MW, or none"
                    self.problems.append(Problem("SourceData/timeseries_pointers.csv", rule))
            reserve = row["Category"] in ("Solar PV", "Wind")
            index = pp.create_sgen(
                self.net,
                int(row["Bus ID"]),
                0.0,
                name=uid,
                min_p_mw=0.0,
                max_p_mw=float(row["PMax MW"]),
                tech=_SOURCE_TECH[kind],
                profile=name,
                profile_share=1.0,
                curtailable=not must_take,
                reserve_up=reserve,
                reserve_down=reserve,
            )
            pp.create_poly_cost(self.net, index, "sgen", 0.0)
        how = "available power by the hour, may be curtailed, free of cost"
        self.out.say("PV and wind", len(rows) - fixed, "used", how)
        how = "schedules that must be taken: the source gives the same series as least and as most output"
        self.out.say("hydro and rooftop PV", fixed, "used", how)

    # --- stores

    def _storages(self) -> None:
        out, rows = self.out, {row["GEN UID"]: row for row in self.tables["gen"]}
        heads = [r for r in self.tables["storage"] if r["position"].strip() == "head"]
        used = 0
        for head in heads:
            row = rows.get(head["GEN UID"])
            if row is None or row["Unit Type"] not in ("STORAGE", "CSP"):
                continue
            used += 1
            self._storage(head, row)
        out.say("reservoirs of hydro units", len(heads) - used, "ignored", "the series give the output itself")
        tails = len(self.tables["storage"]) - len(heads)
        out.say("tail storage", tails, "ignored", "a closed pair: the head says what is stored")

    def _storage(self, head: Row, row: Row) -> None:
        uid, csp = row["GEN UID"], row["Unit Type"] == "CSP"
        volume, power = 1000.0 * float(head["Max Volume GWh"]), float(row["PMax MW"])
        efficiency = 1.0 if csp else math.sqrt(float(row["Storage Roundtrip Efficiency"]) / 100.0)
        if not 0 < efficiency <= 1 or volume <= 0:
            self.problems.append(Problem("SourceData/gen.csv", f"{uid} must have an efficiency up to 100 and a volume"))
            return
        index = int(
            pp.create_storage(
                self.net,
                int(row["Bus ID"]),
                0.0,
                max_e_mwh=volume,
                min_e_mwh=0.0,
                soc_percent=100_000.0 * float(head["Initial Volume GWh"]) / volume,
                min_p_mw=-power,
                max_p_mw=0.0 if csp else float(row["Pump Load MW"]),
                name=uid,
                tech="csp" if csp else "battery",
                eta_charge=efficiency,
                eta_discharge=efficiency,
                min_charge_mw=0.0,
                min_discharge_mw=float(row["PMin MW"]),
                end_rule="free" if csp else "fixed",
                inflow_profile="",
                profile_share=1.0,
            )
        )
        out = self.out
        if not csp:
            how = "a store: pump load and PMax, efficiency split evenly, at the end of a window as full as at the start"
            out.say("storage units", 1, "used", how)
            return
        name = f"inflow/{uid}"
        if self._add_series(name, self._series(head["Storage"], "Natural_Inflow", uid)):
            self.net.storage.loc[index, "inflow_profile"] = name
        out.say("CSP units", 1, "used", "a store that is filled by its natural inflow only; least output while on")
        how = (
            "heat and power one to one (heat rates of 0.99 to 1.1); no start and stop costs, minimum times, ramp limits"
        )
        out.say("CSP heat rates, start costs and times", 1, "approximated", how)
        out.say("CSP start energy, inflow limit", 1, "ignored", "no place in a store")

    # --- reserves and calendar

    def _reserves(self) -> None:
        out, rows = self.out, self.tables["reserves"]
        everywhere = set(self.areas.values())
        for row in rows:
            name = row["Reserve Product"]
            categories = _list(row["Eligible Device SubCategories"])
            unknown = [c for c in categories if c not in _TECH_OF_CATEGORY]
            direction, seconds = row["Direction"].strip().lower(), _number(row["Timeframe (sec)"])
            zones = _list(row["Eligible Regions"])
            if unknown or direction not in ("up", "down") or not seconds or not set(zones) <= everywhere:
                rule = f"{name} must have known categories and regions, a time frame, and the direction Up or Down"
                self.problems.append(Problem("SourceData/reserves.csv", rule))
                continue
            series = f"reserve/{name}"
            self._add_series(series, self._series(name, "Requirement", name))
            out.products.append(
                {
                    "name": name.lower(),
                    "direction": direction,
                    "within_min": seconds / 60.0,
                    "spinning": True,
                    "series": series,
                    "techs": list(dict.fromkeys(_TECH_OF_CATEGORY[c] for c in categories)),
                    "zones": [] if set(zones) == everywhere else zones,
                }
            )
        out.say("reserve products", len(rows), "used", "products with their hourly series, time frames and regions")
        how = (
            "the categories' technologies; rooftop PV is none of them and gives none; CSP as far as stores give reserve"
        )
        out.say("eligible categories", len(rows), "approximated", how)
        fixed = sum("Requirement (MW)" in row for row in rows)
        out.say("fixed requirements of products", fixed, "ignored", "the series give them by the hour")

    def _calendar(self) -> None:
        """All series must cover the same days; they give the year and its hours."""
        spans = {(f[0][0], f[0][-1], len(f[0])) for f in self.files.values() if f is not None}
        if len(spans) > 1:
            said = ", ".join(f"{a} to {b}" for a, b, _ in sorted(spans))
            self.problems.append(Problem("timeseries_data_files", f"must all cover the same days: they cover {said}"))
        if len(spans) != 1:
            return
        (y, m, d), (last, *_), days = next(iter(spans))
        if last != y:
            self.problems.append(Problem("timeseries_data_files", f"must lie in one year: {y} to {last}"))
        self.out.year = y
        self.out.first_hour = np.datetime64(f"{y:04d}-{m:02d}-{d:02d}T00", "h")
        start = self.out.first_hour.astype("datetime64[D]").item()
        self.out.horizon = {"start": start, "hours": 24 * days, "window_h": min(48, 24 * days), "step_h": 24}
        n = len(self.pointers)
        self.out.say("day-ahead series", n, "used", f"{24 * days} hours; values in MW, scaling factors not applied")
        real = sum(row["Simulation"] != RUN for row in self.tables["timeseries_pointers"])
        self.out.say("real-time series", real, "ignored", "the day-ahead stage is what is simulated")
        self.out.say("look-ahead of the source", 1, "used", "windows of 24 h and 24 h of look-ahead")


def _number(text: str | None) -> float | None:
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.strip().strip("()").split(",") if part.strip()]


def _whole_hours(text: str) -> int:
    return max(math.ceil(float(text) - 1e-9), 1)


def _heat_points(row: Row) -> list[tuple[float, float]]:
    """Heat input at the points of the heat rate curve: (MW, MMBTU/h). BTU/kWh x MW is kBTU/h.

    An increment of 0 says that it is not known (nuclear units have it): the average rate holds, as in pglib-uc.
    """
    high = float(row["PMax MW"])
    at = float(row["Output_pct_0"]) * high
    points = [(at, float(row["HR_avg_0"]) * at / 1000.0)]
    for k in range(1, 10):
        share, rate = _number(row.get(f"Output_pct_{k}")), _number(row.get(f"HR_incr_{k}"))
        if share is None or rate is None or share * high <= points[-1][0] + 1e-9:
            break
        rate = rate or float(row["HR_avg_0"])
        points.append((share * high, points[-1][1] + rate * (share * high - points[-1][0]) / 1000.0))
    return points


def _start_cost(row: Row) -> _Start:
    """Fuel and other cost of a start: hot, warm, cold once the unit has been off for so long.

    A state that the minimum time off leaves behind is never met, and is left out.
    """
    price, other = float(row["Fuel Price $/MMBTU"]), float(row["Non Fuel Start Cost $"])
    down = _whole_hours(row["Min Down Time Hr"])
    costs: dict[int, float] = {}
    for state in ("Hot", "Warm", "Cold"):  # of states with the same time, the coldest stays
        lag = max(math.ceil(float(row[f"Start Time {state} Hr"]) - 1e-9), down)
        costs[lag] = round(float(row[f"Start Heat {state} MBTU"]) * price + other, 6)
    lags = sorted(costs)
    rising = np.maximum.accumulate([costs[lag] for lag in lags])
    raised = any(costs[lag] != high for lag, high in zip(lags, rising, strict=True))
    if len(set(rising)) == 1:
        return _Start(float(rising[0]), "", raised)
    return _Start(None, " ".join(f"{lag}:{c:.12g}" for lag, c in zip(lags, rising, strict=True)), raised)


def _line(p_mw: list[float], y: list[float]) -> tuple[float, float]:
    """Slope and constant of the straight line through the ends of a curve; through 0 if the constant were negative."""
    slope = (y[-1] - y[0]) / (p_mw[-1] - p_mw[0]) if len(y) > 1 else 0.0
    rest = y[0] - slope * p_mw[0]
    if rest < 0 or slope < 0:
        return (y[-1] / p_mw[-1] if p_mw[-1] > 0 else 0.0), 0.0
    return slope, rest
