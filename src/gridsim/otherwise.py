"""What came otherwise than planned, by the step: what was believed and what came, and who made up for the difference.

Load less available wind and sun that came beyond what was believed is what has to be made up for; with d for lived less
planned ::

    d(net load) = sum over technologies but wind and sun of d(output) - d(curtailment) + d(load shed) + rest       (1)

The rest is losses of lines and stores' links, and energy spilled.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridsim.schema import BELIEVED, CAUSES, SUPPLIER_OF_STORE, WEATHER_TECHS, WIND_TECHS

if TYPE_CHECKING:
    from gridsim.results import ResultsReader
    from gridsim.summary_sums import Sums

FloatArray = NDArray[np.float64]
KINDS = {"wind": WIND_TECHS, "pv": ("pv",)}


def relived(run: "ResultsReader") -> bool:
    """Whether hours of the run were dispatched again on what came."""
    return "believed" in run and bool(run.names("believed"))


def costs_are_planned(run: "ResultsReader") -> bool:
    """Whether a run that was `relived` says what its windows expected to pay: older files do not."""
    return "expected" in run


@dataclass(frozen=True)
class Otherwise:
    """A run whose hours were dispatched again. MW, arrays (steps,)."""

    run: "ResultsReader"
    sums: "Sums | None" = None  # of a file that may lack the hours themselves

    def _array(self, path: str) -> NDArray[Any]:
        return self.run.array(path) if self.sums is None else self.sums.series(path)

    def _by_step(self, name: str, path: str) -> NDArray[Any]:
        return self.run.array(path).sum(axis=1) if self.sums is None else self.sums.series(name)

    @cached_property
    def believed(self) -> dict[str, FloatArray]:
        """{load, wind, pv}: what the window believed."""
        return dict(zip(BELIEVED, self._array("realtime/forecast_mw").T, strict=True))

    @cached_property
    def came(self) -> dict[str, FloatArray]:
        """{load, wind, pv}: what came; of wind and sun what was available."""
        if self.sums is not None:
            return {kind: self.sums.series(kind) for kind in BELIEVED}
        tech = self.run.table("sources")["tech"].astype(str).to_numpy()
        curtailed = self.run.array("curtailment/cause_mw")
        own = curtailed[:, :, CAUSES.index("own")]
        there = self.run.array("dispatch/source_p_mw") + curtailed.sum(axis=2) - own
        weather = {kind: there[:, np.isin(tech, techs)].sum(axis=1) for kind, techs in KINDS.items()}
        return {"load": self._by_step("load", "dispatch/load_mw"), **weather}

    @cached_property
    def beyond(self) -> FloatArray:
        """Net load that came beyond what was believed: what reserve up is for, and below zero reserve down."""
        more = {kind: self.came[kind] - self.believed[kind] for kind in BELIEVED}
        return more["load"] - more["wind"] - more["pv"]

    @cached_property
    def curtailed(self) -> tuple[FloatArray, FloatArray]:
        """Wind and sun not taken, own connections apart: as planned, and as it came."""
        techs = np.isin(self.run.names("tech"), WEATHER_TECHS)
        planned, lived = (
            self._array(path)[:, techs].sum(axis=1) for path in ("realtime/planned_tech_p_mw", "dispatch/tech_p_mw")
        )
        there = (what["wind"] + what["pv"] for what in (self.believed, self.came))
        before, after = (np.maximum(mw - taken, 0.0) for mw, taken in zip(there, (planned, lived), strict=True))
        return before, after

    @cached_property
    def shed(self) -> tuple[FloatArray, FloatArray]:
        """Load not served: as planned, and as it came."""
        at = self.run.names("expected").index("shed")
        of_a_mw = float(self.run.meta["penalty_shed"]) * self.run.dt_h
        planned = self._array("realtime/planned_cost")[:, at] / of_a_mw if of_a_mw > 0.0 else np.zeros(self.run.steps)
        return planned, self._by_step("unserved", "unserved/load_mw")

    @cached_property
    def moved(self) -> dict[str, FloatArray]:
        """{who: more (> 0) or less than planned}: technologies but wind and sun, `demand`, `curtailment`, `unserved`.

        Less of load that answers, or less curtailment, is more for the grid. No `unserved` where the file does not say
        what of it was planned.
        """
        more = self._array("dispatch/tech_p_mw") - self._array("realtime/planned_tech_p_mw")
        out: dict[str, FloatArray] = {}
        for k, tech in enumerate(self.run.names("tech")):
            if tech not in WEATHER_TECHS:
                name = SUPPLIER_OF_STORE.get(tech, tech)
                out[name] = out[name] + more[:, k] if name in out else more[:, k]
        cut, cuts = self.curtailed
        out["curtailment"] = cut - cuts
        if costs_are_planned(self.run):
            shed, sheds = self.shed
            out["unserved"] = sheds - shed
        return out

    def asked(self, way: str) -> FloatArray:
        """Reserve that the window planned for: of a direction the largest product."""
        direction = self.run.table("products")["direction"].astype(str).to_numpy()
        out: FloatArray = self._array("realtime/planned_need_mw")[:, direction == way].max(axis=1, initial=0.0)
        return out

    def short(self, way: str) -> FloatArray:
        """Reserve missing in the hour itself, of `realtime.reserve_kept` of what was planned."""
        direction = self.run.table("products")["direction"].astype(str).to_numpy()
        out: FloatArray = self._array("reserve/short_mw")[:, direction == way].max(axis=1, initial=0.0)
        return out

    @property
    def used(self) -> dict[str, FloatArray]:
        """{up, down}: reserve that what came has used."""
        return {"up": np.maximum(self.beyond, 0.0), "down": np.maximum(-self.beyond, 0.0)}

    def stores(self) -> set[str]:
        """Names in `moved` of what stores, load that answers and imports apart."""
        return {str(tech) for tech in self.run.table("stores")["tech"]} - SUPPLIER_OF_STORE.keys()
