"""What the pictures show, taken from a results file once: power by technology, series, spans worth a look."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.palette import FloatArray
from gridsim.results import ResultsReader
from gridsim.schema import ordered_techs

SPRING_MONTHS = (3, 4, 5)
WEEK_H = 168
EXTERNAL = "external"  # zone of buses beyond the border
SEEN_MW = 0.1  # curtailed or unserved power of the whole system below this is not worth ink


class NotInThisRunError(Exception):
    """A picture has nothing to show: the message says why."""


@dataclass(frozen=True)
class Year:
    """A run, whole or short. Power in MW, (steps,) arrays."""

    run: ResultsReader

    @cached_property
    def time(self) -> pd.DatetimeIndex:
        return self.run.time

    @property
    def hours(self) -> int:
        return self.run.hours

    @property
    def steps(self) -> int:
        return self.run.steps

    @property
    def dt_h(self) -> float:
        """Length of a step: what turns a sum of powers into an energy."""
        return self.run.dt_h

    @property
    def day_steps(self) -> int:
        return round(24 / self.dt_h)

    def energy_mwh(self, power_mw: FloatArray) -> float:
        """Of a power through its steps."""
        return float(power_mw.sum()) * self.dt_h

    @cached_property
    def span(self) -> str:
        """The year, or the days of a run that is not one."""
        first = self.time[0]
        if self.hours >= 8_760 and first.dayofyear == 1:
            return str(first.year)
        return span_of(self.time)

    @cached_property
    def name(self) -> str:
        return str(self.run.meta.get("scenario_name", self.run.path.stem))

    @cached_property
    def techs(self) -> list[str]:
        return ordered_techs(self.run.names("tech"))

    @cached_property
    def load(self) -> FloatArray:
        return self.run.array("dispatch/load_mw").sum(axis=1)

    @cached_property
    def net_load(self) -> FloatArray:
        """Load less available wind and PV."""
        return self.run.array("peak_shaving/net_load_mw").astype(float)

    @cached_property
    def price(self) -> FloatArray:
        return self.run.array("price/energy").astype(float)

    @cached_property
    def unserved(self) -> FloatArray:
        return without_dust(self.run.array("unserved/load_mw").sum(axis=1))

    @cached_property
    def curtailed(self) -> FloatArray:
        """All causes; what is less than the solver's dust is 0."""
        return without_dust(self.run.array("curtailment/source_mw").sum(axis=1))

    @cached_property
    def feeding(self) -> dict[str, FloatArray]:
        """Output by technology as far as it feeds the grid; of stores what they discharge."""
        return self._flows[0]

    @cached_property
    def taking(self) -> dict[str, FloatArray]:
        """What exports and charging stores take, by technology, >= 0."""
        return self._flows[1]

    @cached_property
    def _flows(self) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
        feeding: dict[str, FloatArray] = {}
        taking: dict[str, FloatArray] = {}

        def add(group: dict[str, FloatArray], table: str, power: FloatArray) -> None:
            tech = self.run.table(table)["tech"].to_numpy()
            for name in sorted(set(tech)):
                group[name] = group.get(name, 0.0) + power[:, tech == name].sum(axis=1)

        units, sources = self.run.array("dispatch/unit_p_mw"), self.run.array("dispatch/source_p_mw")
        for table, power in (("units", units), ("sources", sources)):
            add(feeding, table, np.maximum(power, 0.0))
            add(taking, table, np.maximum(-power, 0.0))
        add(feeding, "stores", self.run.array("storage/discharge_mw"))
        add(taking, "stores", self.run.array("storage/charge_mw"))
        # under a kilowatt on average is rounding, not a technology
        least = 1e-3 * self.steps
        feeding, taking = ({k: v for k, v in group.items() if v.sum() > least} for group in (feeding, taking))
        order = {tech: k for k, tech in enumerate(ordered_techs([*feeding, *taking]))}
        return (
            dict(sorted(feeding.items(), key=lambda item: order[item[0]])),
            dict(sorted(taking.items(), key=lambda item: order[item[0]])),
        )

    def of(self, techs: tuple[str, ...]) -> FloatArray:
        """Output of some technologies together."""
        return sum((self.feeding[t] for t in techs if t in self.feeding), np.zeros(self.steps))

    @cached_property
    def curtailed_from(self) -> FloatArray:
        """Total curtailment of the seven days that start with each day, MWh."""
        by_day = self.by_day(self.curtailed).sum(axis=1) * self.dt_h
        return np.convolve(by_day, np.ones(7), mode="valid") if len(by_day) >= 7 else by_day

    def by_day(self, values: FloatArray) -> FloatArray:
        """(days, steps of a day) of the calendar; steps that the run does not have count as 0."""
        return np.nan_to_num(self.day_by_hour(values))

    def day_by_hour(self, values: FloatArray) -> FloatArray:
        """(days, steps of a day) of the calendar; NaN where the run has no step."""
        first = self._first
        grid = np.full(len(self.days) * self.day_steps, np.nan)
        grid[first : first + self.steps] = values
        return grid.reshape(-1, self.day_steps)

    @property
    def _first(self) -> int:
        """Place of the run's first step in its day."""
        return self.time[0].hour * self.day_steps // 24

    @cached_property
    def days(self) -> pd.DatetimeIndex:
        """Midnight of every calendar day of the run."""
        first = self.time[0].hour
        return pd.date_range(self.time[0].normalize(), periods=-(-(first + self.hours) // 24), freq="D")

    def spring_week(self) -> tuple[slice, str]:
        """The week in March to May with the most curtailment; failing that, with the lowest net load."""
        spring = np.isin(self.days.month, SPRING_MONTHS)
        whole = spring & np.roll(spring, -6)  # first and last day
        return self._week(whole, "spring week")

    def _week(self, allowed: NDArray[np.bool_], words: str) -> tuple[slice, str]:
        if self.hours <= WEEK_H:
            return slice(0, self.steps), "whole run"
        full = np.flatnonzero(allowed[: max(len(self.days) - 6, 1)])
        if not full.size:
            full, words = np.arange(max(len(self.days) - 6, 1)), "week"
        cut = self.curtailed_from[full]
        if cut.max() > 0.0:
            return self.week_from(int(full[int(cut.argmax())])), f"{words} with the most curtailment"
        # a week around the day, not from it, where there is room
        lowest = np.nanmin(self.day_by_hour(self.net_load), axis=1)
        middle = int(full[int(lowest[full].argmin())]) - 3
        return self.week_from(middle), f"{words} with the lowest net load"

    def week_from(self, day: int) -> slice:
        """Seven days from a calendar day, moved so that they lie within the run."""
        week = 7 * self.day_steps
        begin = min(max(self.day_steps * day - self._first, 0), max(self.steps - week, 0))
        return slice(begin, min(begin + week, self.steps))

    def peak_week(self) -> slice:
        """Seven days around the highest load."""
        return self.week_from((int(self.load.argmax()) + self._first) // self.day_steps - 3)

    def day_of(self, step: int) -> slice:
        """The steps of the calendar day around a step, as far as the run has them."""
        begin = (step + self._first) // self.day_steps * self.day_steps - self._first
        return slice(max(begin, 0), min(begin + self.day_steps, self.steps))


def without_dust(power_mw: FloatArray) -> FloatArray:
    return np.where(power_mw >= SEEN_MW, power_mw, 0.0)


def span_of(time: pd.DatetimeIndex) -> str:
    """'22 to 28 April 2024', '29 April to 5 May 2024', '3 August 2024'."""
    first, last = time[0], time[-1]
    end = f"{last.day} {last:%B} {last.year}"
    if first.date() == last.date():
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {end}"
    begin = f"{first.day} {first:%B}"
    return f"{begin} to {end}" if first.year == last.year else f"{begin} {first.year} to {end}"


def periods(time: pd.DatetimeIndex) -> tuple[Any, str, list[str]]:
    """Number of the period of every hour, what a period is called, and its label."""
    step = pd.Timedelta(hours=1) if time.freq is None else pd.Timedelta(time.freq)
    days = (time[-1] + step - time[0]) / pd.Timedelta(days=1)
    if days >= 60:
        codes = (time.year - time[0].year) * 12 + time.month - time[0].month
        months = pd.date_range(time[0].to_period("M").to_timestamp(), periods=int(codes[-1]) + 1, freq="MS")
        return codes.to_numpy(), "month", [f"{m:%b}" for m in months]
    size = 7 if days > 14 else 1
    codes = (time.normalize() - time[0].normalize()).days.to_numpy() // size
    begins = [time[0].normalize() + pd.Timedelta(days=size * k) for k in range(int(codes[-1]) + 1)]
    return codes, "week" if size == 7 else "day", [f"{d.day} {d:%b}" for d in begins]


def frame(lat: FloatArray, lon: FloatArray) -> tuple[float, float, float, float]:
    """West, east, south, north with a margin."""
    margin = 0.06 * max(float(np.ptp(lat)), float(np.ptp(lon)), 0.2)
    return lon.min() - margin, lon.max() + margin, lat.min() - margin, lat.max() + margin
