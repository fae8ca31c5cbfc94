"""A run by the hour, which is how the page shows it: shorter steps become means of their hours."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gridsim.incidents import Log, log
from gridsim.page.parts import Payload
from gridsim.palette import FloatArray
from gridsim.plots_data import Year, periods, without_dust
from gridsim.results import ResultsReader
from gridsim.schema import CAUSES


@dataclass(frozen=True)
class Hours:
    """Power in MW, arrays (hours,) or (hours, n)."""

    run: ResultsReader

    @cached_property
    def year(self) -> Year:
        return Year(self.run)

    @property
    def number(self) -> int:
        return self.run.hours

    @cached_property
    def time(self) -> pd.DatetimeIndex:
        return pd.date_range(self.run.start, periods=self.number, freq="h")

    def mean(self, values: NDArray[Any]) -> FloatArray:
        """Of the steps of every hour."""
        per_hour = len(values) // self.number
        wide = np.asarray(values, dtype=np.float64)
        return wide if per_hour == 1 else wide.reshape(self.number, per_hour, *values.shape[1:]).mean(axis=1)

    def read(self, path: str) -> FloatArray:
        return self.mean(self.run.array(path))

    @property
    def first(self) -> int:
        """Hour of the day at which the run begins."""
        return int(self.time[0].hour)

    @property
    def days(self) -> int:
        """Calendar days, whole or not."""
        return -(-(self.first + self.number) // 24)

    def by_day(self, values: FloatArray) -> FloatArray:
        """(days, 24) of the calendar, NaN where the run has no hour."""
        grid = np.full(self.days * 24, np.nan)
        grid[self.first : self.first + self.number] = values
        return grid.reshape(-1, 24)

    def daily(self, values: FloatArray) -> FloatArray:
        """Mean of the hours that each day has."""
        return np.nanmean(self.by_day(values), axis=1)

    def day_sums(self, values: FloatArray) -> FloatArray:
        return np.nansum(self.by_day(values), axis=1)

    def hour_of_day(self, day: int) -> int:
        """First hour of the run in a calendar day."""
        return max(24 * day - self.first, 0)

    def periods(self, page: Payload) -> tuple[NDArray[np.int64], str, list[str]]:
        """Number of every hour's month (week or day, of a short run), what such a period is called, their labels."""
        index, words, labels = periods(self.time)
        return np.asarray(index, dtype=np.int64), words, [_date(label, page) for label in labels]

    @cached_property
    def load(self) -> FloatArray:
        return self.mean(self.year.load)

    @cached_property
    def feeding(self) -> dict[str, FloatArray]:
        return {tech: self.mean(power) for tech, power in self.year.feeding.items()}

    @cached_property
    def taking(self) -> dict[str, FloatArray]:
        return {tech: self.mean(power) for tech, power in self.year.taking.items()}

    @cached_property
    def curtailed(self) -> FloatArray:
        return self.mean(self.year.curtailed)

    @cached_property
    def unserved(self) -> FloatArray:
        return self.mean(self.year.unserved)

    @cached_property
    def curtailed_by_cause(self) -> dict[str, FloatArray]:
        """Of the causes that occur."""
        power = self.run.array("curtailment/cause_mw").sum(axis=1)
        found = {cause: self.mean(without_dust(power[:, k])) for k, cause in enumerate(CAUSES)}
        return {cause: values for cause, values in found.items() if values.any()}

    @cached_property
    def log(self) -> Log:
        """Outages and incidents."""
        return log(self.run)

    @cached_property
    def zones(self) -> list[str]:
        return self.run.names("zone")

    def by_zone(self, table: str, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Sums over the elements of each zone that has any; `values` has the elements in its last dimension."""
        zone = self.run.table(table)["zone"].astype(str).to_numpy()
        return {z: values[..., zone == z].sum(axis=-1) for z in self.zones if (zone == z).any()}


def _date(label: str, page: Payload) -> str:
    """ "Jul" or "10 Jul" as texts."""
    *day, month = label.split()
    return page.say("date", day=day[0], month=f"@month.{month}") if day else f"@month.{month}"
