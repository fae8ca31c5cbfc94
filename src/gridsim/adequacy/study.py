"""A study from its first block to its result: draw, stop when enough is known, then capacity credits."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gridsim.adequacy import blocks, kept, statistics
from gridsim.adequacy.blocks import Study, Year
from gridsim.adequacy.check import Check
from gridsim.adequacy.pool import Pool
from gridsim.adequacy.statistics import Estimate
from gridsim.adequacy.years import CREDITED
from gridsim.errors import InputError, Problem
from gridsim.kernels.jit import FloatArray, IntArray
from gridsim.kernels.warmup import warm_up_adequacy
from gridsim.scenario import Scenario

CREDIT_STEPS = 12  # halvings: to a four-thousandth of what is installed
_RESAMPLES = 400
_LEVEL = 0.95


class Credit(NamedTuple):
    """Firm capacity that would leave as much energy unserved as a class does, in its place."""

    what: str
    installed_mw: float
    firm_mw: float
    low_mw: float  # interval of 95 % by resampling of blocks
    high_mw: float
    years: int


@dataclass(frozen=True)
class Result:
    name: str
    zones: tuple[str, ...]
    horizon_h: int
    per_block: int
    relative_error: float
    reached: bool  # whether `relative_error` was
    years: tuple[Year, ...]
    credits: tuple[Credit, ...]
    credit_note: str  # why there are none
    checks: tuple[Check, ...]
    wall_s: float

    def column(self, name: str) -> FloatArray:
        """One value or row for each year."""
        return np.array([getattr(year, name) for year in self.years], dtype=np.float64)

    @property
    def block(self) -> IntArray:
        return np.array([year.block for year in self.years], dtype=np.int64)

    @property
    def blocks(self) -> int:
        return len(set(self.block.tolist()))

    def estimate(self, name: str, part: int | None = None) -> Estimate:
        values = self.column(name)
        return statistics.estimate(values if part is None else values[:, part], self.block)


def adequacy(
    scenarios: Sequence[Scenario],
    *,
    max_years: int = 200,
    relative_error: float = 0.1,
    draws: int = 4,
    workers: int = 1,
    credit_years: int = 0,
    check: int = 0,
    progress: Callable[[int, Result], None] | None = None,
) -> Result:
    """Monte Carlo over weather and outages.

    Parameters
    ----------
    scenarios : sequence of Scenario
        The same one for each calendar year: own series of all of them, or years for synthetic weather in turn.
    max_years : int
        Years drawn at most; whole blocks are.
    relative_error : float
        Half-width of the intervals of LOLE and EENS over their means at which to stop; 0: never before `max_years`.
    draws : int
        Of outages on each year of synthetic weather.
    workers : int
        Processes; the result does not depend on them.
    credit_years : int
        Years on which capacity credits are found; 0: none.
    check : int
        Steps of each year that HiGHS solves again (`adequacy.check`).
    """
    began = time.perf_counter()
    study = Study(tuple(scenarios), draws, 0, check)
    count = max(max_years // study.per_block, 1)
    study = study._replace(kept=min(count, -(-credit_years // study.per_block)))
    warm_up_adequacy()
    found: list[Year] = []
    checks: list[Check] = []
    zones: tuple[str, ...] = ()
    hours, reached = 0, False

    def result(credits: tuple[Credit, ...] = (), note: str = "") -> Result:
        return Result(
            scenarios[0].name, zones, hours, study.per_block, relative_error, reached, tuple(found), credits,
            note, tuple(checks), time.perf_counter() - began,
        )  # fmt: skip

    try:
        with Pool(min(workers, count)) as pool:
            for block in pool.in_order(count, blocks.run_block, study):
                found += block.years
                checks += block.checks
                zones, hours = block.zones, block.hours
                now = result()
                reached = _enough(now)
                if progress is not None:
                    progress(count, now)
                if reached:
                    break
            credits, note = _credits(pool, result(), study) if credit_years else ((), "not asked for")
    finally:
        blocks.forget()
    return result(credits, note)


def _enough(result: Result) -> bool:
    if not result.relative_error or result.blocks < statistics.LEAST_BLOCKS:
        return False
    both = [result.estimate(name) for name in ("lole_h", "eens_mwh")]
    return all(one.mean > 0.0 and one.relative <= result.relative_error for one in both)


def check_years(scenarios: Sequence[Scenario]) -> None:
    """Refuse years of own series that do not count the same hours."""
    hours = {scenario.hours for scenario in scenarios}
    if len(hours) > 1 and max(hours) - min(hours) > 24:
        rule = f"must be about as long in all years: they have {', '.join(str(h) for h in sorted(hours))} h"
        raise InputError(scenarios[0].source, [Problem("horizon.hours", rule)])


# --- capacity credit


def _credits(pool: Pool, result: Result, study: Study) -> tuple[tuple[Credit, ...], str]:
    number = min(study.kept, result.blocks)
    eens = result.column("eens_mwh").reshape(-1, study.per_block)[:number].mean(axis=1)
    if not eens.any():
        return (
            (),
            f"no shortage in {number * study.per_block} years: nothing to compare with; raise the load (scale.load)",
        )
    installed = pool.submit(0, kept.installed, 0).result()
    years = number * study.per_block
    return tuple(_credit(pool, what, installed[what], eens, years) for what in CREDITED if installed[what] > 0.0), ""


def _credit(pool: Pool, what: str, installed_mw: float, eens: FloatArray, years: int) -> Credit:
    """Bisection on the share of what is installed, on the same weather and outages (`kept.without`)."""
    seen: dict[float, FloatArray] = {}

    def at(share: float) -> FloatArray:
        futures = [pool.submit(b, kept.without, b, what, share) for b in range(eens.size)]
        seen[share] = np.array([np.mean(future.result()) for future in futures])
        return seen[share]

    low, high = 0.0, 1.0
    at(low)
    at(high)
    for _ in range(CREDIT_STEPS):
        middle = 0.5 * (low + high)
        if at(middle).mean() > eens.mean():
            low = middle
        else:
            high = middle
    shares = np.array(sorted(seen))
    curves = np.array([seen[share] for share in shares])  # (shares, blocks)
    # numpy's own bits, not a stream by name: the same blocks give the same interval
    rng = np.random.default_rng(eens.size)
    again = [
        _crossing(shares, curves[:, pick].mean(axis=1), float(eens[pick].mean()))
        for pick in (rng.integers(0, eens.size, eens.size) for _ in range(_RESAMPLES))
    ]
    tail = 100.0 * (1.0 - _LEVEL) / 2.0
    bounds = np.percentile(again, [tail, 100.0 - tail]) if eens.size > 1 else (0.0, 1.0)
    here = _crossing(shares, curves.mean(axis=1), float(eens.mean()))
    low_mw, high_mw = (float(bound) * installed_mw for bound in bounds)
    return Credit(what, installed_mw, here * installed_mw, low_mw, high_mw, years)


def _crossing(shares: FloatArray, curve: FloatArray, level: float) -> float:
    """Where a falling curve comes down to a level, linear between its points; its ends where it does not."""
    if curve[0] <= level:
        return float(shares[0])
    below = np.flatnonzero(curve <= level)
    if not below.size:
        return float(shares[-1])
    k = int(below[0])
    part = (curve[k - 1] - level) / (curve[k - 1] - curve[k])
    return float(shares[k - 1] + part * (shares[k] - shares[k - 1]))


# --- for machines


def as_dict(result: Result) -> dict[str, Any]:
    """What the table on the terminal says, and more, as JSON holds it."""
    whole = {name: _said(result.estimate(name)) for name in ("lole_h", "days", "events", "eens_mwh")}
    whole |= {name: _said(result.estimate(name)) for name in ("curtailed_mwh", "available_mwh", "cost")}
    lole = result.estimate("lole_h")
    out: dict[str, Any] = {
        "name": result.name,
        "years": len(result.years),
        "blocks": result.blocks,
        "horizon_h": result.horizon_h,
        "relative_error": result.relative_error,
        "reached": result.reached,
        **whole,
        "lolp": {"mean": lole.mean / result.horizon_h, "half_width": lole.half_width / result.horizon_h},
        "zones": {
            zone: {"lole_h": _said(result.estimate("zone_h", k)), "eens_mwh": _said(result.estimate("zone_mwh", k))}
            for k, zone in enumerate(result.zones)
        },
        "months": {
            "lole_h": result.column("month_h").mean(axis=0).tolist(),
            "eens_mwh": result.column("month_mwh").mean(axis=0).tolist(),
        },
        "hours_of_day": {
            "lole_h": result.column("hour_h").mean(axis=0).tolist(),
            "eens_mwh": result.column("hour_mwh").mean(axis=0).tolist(),
        },
        "percentiles": {
            name: dict(zip(("p5", "p50", "p95", "most"), percentiles(result.column(name)), strict=True))
            for name in ("lole_h", "eens_mwh", "peak_mw", "curtailed_mwh", "cost")
        },
        "capacity_credit": {one.what: one._asdict() for one in result.credits},
        "wall_s": result.wall_s,
    }
    if result.checks:
        out["check"] = check_of(result)
    if result.credit_note:
        out["capacity_credit_note"] = result.credit_note
    if not result.column("eens_mwh").any():
        out["blocks_short_at_most"] = statistics.most_short_years(result.blocks)
    return out


def check_of(result: Result) -> dict[str, float]:
    """How far the walk is from linear programs of the same hours. [MW]"""
    walk, transport, dc = (np.array([one[k] for one in result.checks], dtype=np.float64) for k in (1, 2, 3))
    return {
        "steps": float(walk.size),
        "short": float((walk > 0.0).sum()),
        "walk_mw": float(walk.mean()),
        "transport_mw": float(transport.mean()),
        "dc_mw": float(dc.mean()),
        "transport_off_mw": float(np.abs(walk - transport).max()),
        "dc_off_mw": float(np.abs(walk - dc).max()),
    }


def percentiles(values: FloatArray) -> tuple[float, ...]:
    """5, 50 and 95 %, and the largest."""
    return tuple(float(v) for v in np.percentile(values, [5, 50, 95, 100]))


def _said(one: Estimate) -> dict[str, float]:
    return {"mean": one.mean, "half_width": one.half_width if math.isfinite(one.half_width) else math.nan}
