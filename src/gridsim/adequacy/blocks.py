"""Blocks of years, which are alike and independent: what is drawn, counted and averaged.

With synthetic series a block is one year of weather of its own and some draws of outages on it; with own series, of
which there are so many years and no more, a block is every year of them once, each with a draw. Either way blocks are
draws from one distribution and do not depend on each other, though years inside one do: means and intervals are those
of blocks. What block number b holds depends on the scenario, its seed and b alone, not on who computes it, or when.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gridsim.adequacy import kept, years
from gridsim.adequacy.check import Check, check_steps
from gridsim.assemble import assemble
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.scenario import Scenario

SHORT_MW = 1e-3  # of the system or a zone, from which on a step counts as short


class Study(NamedTuple):
    """What is asked."""

    scenarios: tuple[Scenario, ...]  # one for each calendar year
    draws: int  # of outages on each year of weather
    kept: int  # blocks that stay in memory for capacity credits
    checked: int = 0  # steps of each year that HiGHS solves again

    @property
    def own_series(self) -> bool:
        return bool(self.scenarios[0].profiles.paths)

    @property
    def per_block(self) -> int:
        """Years in a block."""
        return len(self.scenarios) if self.own_series else self.draws


class Year(NamedTuple):
    """What is counted in one year. Sums over the horizon, MWh and h."""

    block: int
    calendar_year: int
    weather_seed: int
    outage_seed: int
    lole_h: float
    days: float  # with a step or more that is short
    events: float  # unbroken stretches of such steps
    eens_mwh: float
    peak_mw: float  # largest shortage
    zone_h: FloatArray  # (Z,)
    zone_mwh: FloatArray
    month_h: FloatArray  # (12,)
    month_mwh: FloatArray
    hour_h: FloatArray  # (24,) by hour of the day
    hour_mwh: FloatArray
    curtailed_mwh: float
    available_mwh: float  # wind and sun
    cost: float  # without commitment and network


_OWN: dict[str, years.Weather] = {}  # of this process, by scenario: own series are the same in every block


class Block(NamedTuple):
    years: list[Year]
    zones: tuple[str, ...]  # of `zone_h` and `zone_mwh`
    hours: int  # of the horizon
    checks: list[Check]


def run_block(study: Study, number: int) -> Block:
    """The years of one block."""
    out: list[Year] = []
    checks: list[Check] = []
    for scenario, outage_seed, weather in _members(study, number):
        draws = years.draw_year(weather, outage_seed)
        walk = years.walk_year(weather, draws)
        out.append(_count(number, scenario, outage_seed, weather, draws, walk))
        if number < study.kept:
            kept.keep(number, weather, draws)
        checks += check_steps(weather, draws, walk, study.checked)
    return Block(out, zone_names(weather), weather.case.hours, checks)


def forget() -> None:
    """Drop what this process keeps from block to block."""
    kept.forget()
    _OWN.clear()


def _members(study: Study, number: int) -> Iterator[tuple[Scenario, int, years.Weather]]:
    first = study.scenarios[0].seed
    if study.own_series:
        for scenario in study.scenarios:
            if scenario.digest not in _OWN:
                _OWN[scenario.digest] = _weather(scenario)
            yield scenario, first + number, _OWN[scenario.digest]
        return
    scenario = study.scenarios[number % len(study.scenarios)]
    scenario = scenario.model_copy(update={"seed": first + number})
    weather = _weather(scenario)
    for k in range(study.draws):
        yield scenario, first + number * study.draws + k, weather


def _weather(scenario: Scenario) -> years.Weather:
    profiles = scenario.profiles.model_copy(update={"forced_outages": False})
    scenario = scenario.model_copy(update={"profiles": profiles})
    return years.make_weather(assemble(scenario), scenario)


def zone_names(weather: years.Weather) -> tuple[str, ...]:
    """Zones of the areas, in their order."""
    return tuple(dict.fromkeys(weather.areas.zone))


def _count(
    block: int, scenario: Scenario, outage_seed: int, weather: years.Weather, draws: years.Draws, walk: years.Walk
) -> Year:
    case, dt_h = weather.case, weather.case.dt_h
    names = zone_names(weather)
    by_zone = np.zeros((case.steps, len(names)))
    for a, zone in enumerate(weather.areas.zone):
        by_zone[:, names.index(zone)] += walk.shed_mw[:, a]
    total = by_zone.sum(axis=1)
    short = total > SHORT_MW
    begins = short & ~np.concatenate(([False], short[:-1]))
    time = case.time
    day = ((time - time[0].normalize()) // np.timedelta64(1, "D")).to_numpy()
    curtailed, available, cost = years.merit_order(weather, draws, walk)
    month, hour = time.month.to_numpy() - 1, time.hour.to_numpy()
    return Year(
        block=block,
        calendar_year=scenario.year,
        weather_seed=scenario.seed,
        outage_seed=outage_seed,
        lole_h=float(short.sum() * dt_h),
        days=float(np.unique(day[short]).size),
        events=float(begins.sum()),
        eens_mwh=float(total.sum() * dt_h),
        peak_mw=float(total.max(initial=0.0)),
        zone_h=(by_zone > SHORT_MW).sum(axis=0) * dt_h,
        zone_mwh=by_zone.sum(axis=0) * dt_h,
        month_h=_summed(month, short, 12) * dt_h,
        month_mwh=_summed(month, total, 12) * dt_h,
        hour_h=_summed(hour, short, 24) * dt_h,
        hour_mwh=_summed(hour, total, 24) * dt_h,
        curtailed_mwh=float(curtailed.sum() * dt_h),
        available_mwh=float(available.sum() * dt_h),
        cost=float(cost.sum()),
    )


def _summed(number: IntArray, values: Any, count: int) -> FloatArray:
    """Values of steps added up by a number that each step has."""
    return np.asarray(np.bincount(number, weights=np.asarray(values, dtype=np.float64), minlength=count))
