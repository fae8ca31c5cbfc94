"""A results file for Python: labelled arrays with units, read when looked at, and what engineers ask of a year.

>>> import gridsim                                              # doctest: +SKIP
>>> run = gridsim.open_results("results/jiangsu-2024.h5")
>>> run.energy()                                                # TWh by technology
>>> run["dispatch/source_p_mw"].groupby("tech").sum()           # xarray, lazy, with units
>>> print(run.explain("2024-02-12T12"))                         # why is there wind thrown away in this hour?

`Results` adds labels and sums to what `gridsim.results.ResultsReader` reads; it computes nothing that is not in the
file. Tables carry their unit in ``attrs["units"]``. Times are the starts of steps, local time of the network.
"""

import datetime as dt
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import h5py
import numpy as np
import pandas as pd
import xarray as xr

from gridsim.errors import InputError, Problem
from gridsim.results import ResultsReader, not_kept
from gridsim.schema import AC_DATASETS, BY_PATH, DATASETS, TABLES, ordered_techs

LABELS = ("zone", "tech", "fuel", "component", "element")  # columns of index tables that label an axis
OF_DIM = {dim: group for group, dim in TABLES.items()}

Time = str | dt.datetime | np.datetime64 | None


class Selection(NamedTuple):
    """What part of a dataset: names, cities, technologies, and a span of time. Nothing given is everything."""

    elements: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    techs: tuple[str, ...] = ()
    start: Time = None  # first step, local time
    end: Time = None  # last step; a day or a month means all of it


class Results:
    """An opened results file. A context manager; see the module for examples.

    Raises
    ------
    InputError
        If there is no such file.
    IntegrityError
        If it is not a complete run of a format that this version reads.
    """

    def __init__(self, path: str | Path):
        self.reader = ResultsReader(path)
        self._groups: dict[str, xr.Dataset] = {}

    def close(self) -> None:
        for group in self._groups.values():
            group.close()
        self.reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        r = self.reader
        return f"<gridsim results {r.meta['scenario_name']}: {r.steps} steps from {r.time[0]}, {r.path}>"

    # -- what is there --------------------------------------------------------------------------------------------

    @cached_property
    def variables(self) -> pd.DataFrame:
        """Every dataset: dimensions, unit, meaning, sign. By path."""
        r = self.reader
        rows = {
            d.path: (" x ".join(d.dims), str(r.file[d.path].attrs.get("units", d.units)), d.long_name, d.sign)
            for d in (*DATASETS, *AC_DATASETS)
            if d.path in r.file
        }
        columns = ["dims", "units", "long_name", "sign"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("path")

    @property
    def summary(self) -> dict[str, Any]:
        """The numbers of ``gridsim show``."""
        return self.reader.summary

    def table(self, name: str) -> pd.DataFrame:
        """An index table: units, sources, stores, loads, branches, links, interfaces, buses, products; or windows."""
        if name not in (*TABLES, "windows"):
            raise InputError(str(self.reader.path), [Problem(f"table {name}", f"is none of {', '.join(TABLES)}")])
        return self.reader.table(name)

    def __getitem__(self, path: str) -> xr.DataArray:
        """A dataset with its labels: lazy, nothing is read until it is computed with or looked at."""
        if path not in BY_PATH or path not in self.reader:
            if path in BY_PATH and self.reader.keep != "full":
                raise InputError(str(self.reader.path), [not_kept(path, self.reader.keep)])
            near = get_close_matches(path, BY_PATH, n=3, cutoff=0.4)
            hint = f"; close to it: {', '.join(near)}" if near else ""
            raise InputError(str(self.reader.path), [Problem(f"variable {path}", f"is not in the file{hint}")])
        group, name = path.split("/")
        if group not in self._groups:
            self._groups[group] = xr.open_dataset(
                self.reader.path, engine="h5netcdf", group=group, decode_times=False, phony_dims="access"
            )
        array = self._groups[group][name]
        return array.assign_coords(self._labels(array.dims))

    def _labels(self, dims: Iterable[Any]) -> dict[str, Any]:
        """Names along each dimension, and beside them what the index table says: city, technology, fuel."""
        labels: dict[str, Any] = {}
        several = len([d for d in dims if d in OF_DIM]) > 1  # then a city would not say whose it is
        for dim in map(str, dims):
            if dim == "time":
                labels[dim] = self.reader.time
                continue
            if h5py.check_string_dtype(self.reader.file[dim].dtype):
                labels[dim] = self.reader.names(dim)
            if dim in OF_DIM and not several:
                table = self._tables(OF_DIM[dim])
                columns = [c for c in LABELS if c in table and c != dim]
                labels |= {c: (dim, table[c].astype(str).to_numpy()) for c in columns}
        return labels

    def _tables(self, group: str) -> pd.DataFrame:
        """An index table, read once."""
        kept: dict[str, pd.DataFrame] = self.__dict__.setdefault("_index_tables", {})
        if group not in kept:
            kept[group] = self.reader.table(group)
        return kept[group]

    def select(self, path: str, selection: Selection) -> xr.DataArray:
        """A part of a dataset. What the dataset has no labels for does not narrow it.

        Raises
        ------
        InputError
            With every name that is not there, and what is near it.
        """
        self.check((path,), selection)
        return self.part(path, selection)

    def check(self, paths: Iterable[str], selection: Selection) -> None:
        """Refuse names that none of the datasets has, and times that are not in the run; InputError."""
        have: dict[str, set[str]] = {"zone": set(), "tech": set(), "element": set()}
        for array in map(self.__getitem__, paths):
            for kind in ("zone", "tech"):
                have[kind] |= _values(array, kind)
            for dim in _named(array):
                have["element"] |= _values(array, dim)
        problems: list[Problem] = []
        for kind, wanted in (("zone", selection.zones), ("tech", selection.techs), ("element", selection.elements)):
            problems += _unknown(kind, wanted, have[kind])
        self.span(selection, problems)
        if problems:
            raise InputError(str(self.reader.path), problems)

    def part(self, path: str, selection: Selection) -> xr.DataArray:
        """As `select`, of names that `check` has passed; empty where the dataset has none of the elements."""
        array = self[path]
        for kind, wanted in (("zone", selection.zones), ("tech", selection.techs)):
            if wanted and kind in array.coords:
                array = array.isel({array[kind].dims[0]: np.isin(array[kind].to_numpy().astype(str), wanted)})
        named = [d for d in _named(array) if selection.elements]
        hit = [d for d in named if _values(array, d) & set(selection.elements)]
        for d in hit or named:
            array = array.isel({d: np.isin(array[d].to_numpy().astype(str), selection.elements)})
        if "time" in array.dims:
            first, last = self.span(selection, [])
            array = array.isel(time=slice(first, last))
        return array

    def span(self, selection: Selection, problems: list[Problem]) -> tuple[int, int]:
        """First step and the one behind the last of a span of time; what cannot be read becomes a problem."""
        time = self.reader.time
        ends = [0, len(time)]
        for i, (name, given) in enumerate((("start", selection.start), ("end", selection.end))):
            if given is None:
                continue
            try:
                # a text such as 2024-07 names all of the month, a moment nothing but itself
                period = pd.Period(given) if isinstance(given, str) else pd.Period(pd.Timestamp(given), freq="s")
            except (ValueError, TypeError):
                rule = f"must be a time such as 2024-07-15T14, 2024-07-15 or 2024-07: {given!r}"
                problems.append(Problem(name, rule))
                continue
            moment = period.start_time if i == 0 else period.end_time
            ends[i] = int(np.searchsorted(time, moment, side="left" if i == 0 else "right"))
        if not problems and ends[0] >= ends[1]:
            problems.append(Problem("start, end", f"hold no step of the run, which goes from {time[0]} to {time[-1]}"))
        return ends[0], ends[1]

    # -- what engineers ask ---------------------------------------------------------------------------------------

    def energy(self, freq: str | None = None) -> pd.DataFrame | pd.Series:
        """1. Who gave how much: energy by technology [TWh], in all or by ``freq`` ("MS": month, "D": day)."""
        return self._summed("dispatch/tech_p_mw", 1e-6 * self.reader.dt_h, "TWh", freq)

    def curtailment(self, by: str = "cause", freq: str | None = None) -> pd.DataFrame | pd.Series:
        """2. What wind and sun were lost: by "cause", "tech", "zone", "source" [MWh]."""
        if by == "cause":
            values = self["curtailment/cause_mw"].sum("source").to_pandas()
        elif by in ("tech", "zone", "source"):
            values = self["curtailment/source_mw"].to_pandas()
            if by != "source":
                values = values.T.groupby(self._tables("sources")[by].to_numpy()).sum().T
        else:
            raise InputError("curtailment", [Problem("by", f"must be cause, tech, zone or source: {by!r}")])
        return _resampled(values * self.reader.dt_h, freq, "MWh", "sum")

    def regulation(self, freq: str | None = "D") -> pd.DataFrame | pd.Series:
        """3. Who shaved the peaks and filled the valleys: up (> 0) and down by supplier [MWh], not netted."""
        values = self.reader.frame("peak_shaving/regulation_mw") * self.reader.dt_h
        both = pd.concat({"up": values.clip(lower=0.0), "down": values.clip(upper=0.0)}, axis=1)
        return _resampled(both, freq, "MWh", "sum")

    def prices(self, freq: str | None = None) -> pd.DataFrame | pd.Series:
        """4. What a MWh costs where: mean over time by zone [currency/MWh]."""
        units = f"{self.reader.currency}/MWh"
        return _resampled(self["price/zone"].to_pandas(), freq, units, "mean")

    def loading(self, at: float = 0.9) -> pd.DataFrame:
        """5. Where the grid is full: hours above the share ``at`` of the rating, and the worst loading, by branch."""
        r, rows = self.reader, []
        for table, path, back in (
            ("branches", "flow/branch_p_mw", "rating_mw"),
            ("interfaces", "flow/interface_p_mw", "reverse_limit_mw"),
        ):
            index, flow = self._tables(table), r.array(path)
            forward = index["rating_mw" if table == "branches" else "limit_mw"].to_numpy(float)
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.nan_to_num(np.where(flow >= 0.0, flow / forward, -flow / index[back].to_numpy(float)))
            hours = (share >= at - 1e-9).sum(axis=0) * r.dt_h
            for i, name in enumerate(r.names("branch" if table == "branches" else "interface")):
                rows.append((name, table, hours[i], share[:, i].max(initial=0.0)))
        out = pd.DataFrame(rows, columns=["name", "table", "hours", "worst"]).set_index("name")
        return out.sort_values(["hours", "worst"], ascending=False, kind="stable")

    def balance(self, start: Time = None, end: Time = None) -> pd.DataFrame:
        """6. Hour by hour: output by technology, demand, unserved, curtailed, price [MW, currency/MWh]."""
        span = Selection(start=start, end=end)
        out = self.select("dispatch/tech_p_mw", span).to_pandas()
        for name, path, dim in (
            ("load", "dispatch/load_mw", "load"),
            ("unserved", "unserved/load_mw", "load"),
            ("curtailed", "curtailment/source_mw", "source"),
        ):
            out[name] = self.select(path, span).sum(dim).to_numpy()
        out["price"] = self.select("price/energy", span).to_numpy()
        return out

    def stores(self) -> pd.DataFrame:
        """7. What stores did: charged, discharged [MWh], full cycles, hours in use, paid less cost [currency]."""
        r, index = self.reader, self._tables("stores")
        charge, discharge = (r.array(f"storage/{way}_mw") for way in ("charge", "discharge"))
        size = (index["e_max_mwh"] - index["e_min_mwh"]).to_numpy(float)
        given = discharge.sum(axis=0) * r.dt_h
        with np.errstate(divide="ignore", invalid="ignore"):
            cycles = np.nan_to_num(given / index["eta_discharge"].to_numpy(float) / size)
        return pd.DataFrame(
            {
                "tech": index["tech"].to_numpy(),
                "zone": index["zone"].to_numpy(),
                "charged_mwh": charge.sum(axis=0) * r.dt_h,
                "discharged_mwh": given,
                "cycles": cycles,
                "hours": ((charge > 0.1) | (discharge > 0.1)).sum(axis=0) * r.dt_h,
                "margin": r.array("money/store_revenue") - r.array("money/store_cost"),
            },
            index=pd.Index(r.names("store"), name="store"),
        )

    def starts(self, freq: str | None = None) -> pd.DataFrame | pd.Series:
        """8. How often units were started, by technology [1]."""
        values = self["commitment/start"].to_pandas()
        by_tech = values.T.groupby(self._tables("units")["tech"].to_numpy()).sum().T
        return _resampled(by_tech[ordered_techs(by_tech)], freq, "1", "sum")

    def carbon(self, freq: str | None = None) -> pd.DataFrame | pd.Series:
        """9. CO2 that the load of each zone caused, traced along the flows [t]."""
        return self._summed("carbon/zone_load_t", 1.0, "t", freq)

    def costs(self, freq: str | None = None) -> pd.DataFrame | pd.Series:
        """10. What it cost: fuel, no-load, starts, wear, penalties [currency]."""
        names = [d.path for d in DATASETS if d.group == "cost"]
        values = pd.DataFrame({p.split("/")[1]: self.reader.array(p) for p in names}, index=self.reader.time)
        return _resampled(values, freq, self.reader.currency, "sum")

    def explain(self, hour: str | dt.datetime | np.datetime64) -> str:
        """What happened in an hour, and why: see `gridsim.explain`."""
        from gridsim.explain import explain

        return explain(self, hour)

    def _summed(self, path: str, factor: float, units: str, freq: str | None) -> pd.DataFrame | pd.Series:
        return _resampled(self[path].to_pandas() * factor, freq, units, "sum")


def _resampled(values: pd.DataFrame, freq: str | None, units: str, how: str) -> pd.DataFrame | pd.Series:
    """Sums or means over the whole run, or over each period."""
    found: pd.DataFrame | pd.Series = getattr(values if freq is None else values.resample(freq), how)()
    found.attrs["units"] = units
    return found


def _named(array: xr.DataArray) -> list[Any]:
    """Dimensions with names."""
    return [d for d in array.dims if d != "time" and d in array.coords]


def _values(array: xr.DataArray, label: Any) -> set[str]:
    return set(array[label].to_numpy().astype(str)) if label in array.coords else set()


def _unknown(kind: str, wanted: tuple[str, ...], have: set[str]) -> list[Problem]:
    out = []
    for name in wanted:
        if name not in have:
            near = get_close_matches(name, sorted(have), n=3, cutoff=0.4)
            close = f"close to it: {', '.join(near)}" if near else f"there are {', '.join(sorted(have)[:8])}"
            out.append(
                Problem(f"{kind} {name!r}", f"is in none of the variables; {close if have else 'they have none'}")
            )
    return out
