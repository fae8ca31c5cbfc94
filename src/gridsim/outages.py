"""N-1 of the hours as they were lived: the worst loading after any outage, by branch, by outage, by hour.

Flows are those of the results, so the report says what the grid would have seen, whatever the windows had planned. In
hours in which circuits are out the grid is the one that is left, and so are the losses that may come: one circuit more.
"""

from typing import Any

import numpy as np

from gridsim.carry import Arrays, Carried
from gridsim.case import Case
from gridsim.kernels import security
from gridsim.kernels.jit import FloatArray, IntArray

WORST = ("row_loading", "row_outage", "row_hour", "outage_loading", "outage_row", "outage_hour")  # of a report


class OutageWatch(Carried):
    """Screens lived hours against every loss that does not split the grid, or nothing if it is switched off."""

    def __init__(self, case: Case, *, active: bool):
        self.case = case
        self.security = security.build(case) if active else None
        if self.security is not None:
            self.seen = security.new_report(len(self.security.H), self.security.outages.branch.size, case.steps)
        self._other: tuple[Case, security.Security] | None = None

    def snapshot(self) -> Arrays:
        """The worst of the run so far by row and by outage; hours stand in their blocks."""
        return {} if self.security is None else {name: getattr(self.seen, name).copy() for name in WORST}

    def restore(self, kept: list[Arrays]) -> None:
        if self.security is not None:
            self.seen = self.seen._replace(**{name: kept[-1][name].copy() for name in WORST})

    def live(self, flow_mw: FloatArray, link_mw: FloatArray, t0: int, network: Case) -> dict[str, Any]:
        """Screen hours from `t0`: flows of all branches and interfaces, and of DC links; datasets of these hours.

        `network` is the case as it is in these hours: other than the run's where circuits are out.
        """
        hours = slice(t0, t0 + len(flow_mw))
        if self.security is None:
            none = np.full(len(flow_mw), -1)
            return self._hourly(np.zeros(len(flow_mw)), none, none)
        s, seen = self._security_of(network), self.seen
        nbr = len(self.case.branches)
        rows = np.ascontiguousarray(np.hstack((flow_mw[:, s.own], flow_mw[:, nbr:])))
        is_link = s.outages.branch < 0
        lost = np.empty((len(flow_mw), s.outages.branch.size))
        lost[:, ~is_link] = flow_mw[:, s.outages.branch[~is_link]]
        lost[:, is_link] = link_mw[:, s.outages.link[is_link]]
        limit = security.rated(s, self.case.rating_left(hours)).limit
        if s is self.security:
            security.screen_n1(s.factors, rows, lost, limit, seen, t0=t0)
        else:
            report = security.new_report(len(s.H), s.outages.branch.size, len(flow_mw))
            security.screen_n1(s.factors, rows, lost, limit, report)
            self._add(report, s, t0)
        return self._hourly(
            seen.hour_loading[hours], self._branch(seen.hour_row[hours]), self._lost(seen.hour_outage[hours])
        )

    def _security_of(self, network: Case) -> security.Security:
        """N-1 of a network; the last is kept, for the same circuits are out for many hours."""
        if network is self.case:
            assert self.security is not None
            return self.security
        if self._other is None or self._other[0] is not network:
            self._other = network, security.build(network)
        return self._other[1]

    def _add(self, report: security.Report, s: security.Security, t0: int) -> None:
        """Add the hours of another network: the same rows are watched, and what may be lost is a part of the whole."""
        assert self.security is not None
        whole, seen = self.security, self.seen
        assert np.array_equal(s.own, whole.own)
        place = np.flatnonzero(np.isin(self._key(whole), self._key(s)))
        outage = np.append(place, -1)  # outage -1 is the last
        worse = report.row_loading > seen.row_loading
        seen.row_loading[worse] = report.row_loading[worse]
        seen.row_outage[worse] = outage[report.row_outage[worse]]
        seen.row_hour[worse] = t0 + report.row_hour[worse]
        worse = report.outage_loading > seen.outage_loading[place]
        at = place[worse]
        seen.outage_loading[at] = report.outage_loading[worse]
        seen.outage_row[at] = report.outage_row[worse]
        seen.outage_hour[at] = t0 + report.outage_hour[worse]
        hours = slice(t0, t0 + len(report.hour_loading))
        seen.hour_loading[hours], seen.hour_row[hours] = report.hour_loading, report.hour_row
        seen.hour_outage[hours] = outage[report.hour_outage]

    def _key(self, s: security.Security) -> IntArray:
        """A number for everything that may be lost, as in the datasets."""
        return np.where(s.outages.branch >= 0, s.outages.branch, len(self.case.branches) + s.outages.link)

    def datasets(self) -> dict[str, Any]:
        """The report of the whole run by branch and by what is lost, by path."""
        nbr, nlink = len(self.case.branches), len(self.case.links)
        out: dict[str, Any] = {}
        names = {"branch": nbr, "outage": nbr + nlink}
        for name, size in names.items():
            out[f"{name}_loading"] = np.zeros(size)
            out[f"{name}_{'outage' if name == 'branch' else 'branch'}"] = np.full(size, -1)
            out[f"{name}_hour"] = np.full(size, -1)
        s = self.security
        if s is not None:
            own, seen = s.own.size, self.seen
            out["branch_loading"][s.own] = seen.row_loading[:own]
            out["branch_outage"][s.own] = self._lost(seen.row_outage[:own])
            out["branch_hour"][s.own] = seen.row_hour[:own]
            place = self._lost(np.arange(s.outages.branch.size))
            out["outage_loading"][place] = seen.outage_loading
            out["outage_branch"][place] = self._branch(seen.outage_row)
            out["outage_hour"][place] = seen.outage_hour
        return {f"security/{name}": values for name, values in out.items()}

    @staticmethod
    def _hourly(loading: FloatArray, branch: IntArray, outage: IntArray) -> dict[str, Any]:
        return {
            "security/hour_loading": loading,
            "security/hour_branch": branch,
            "security/hour_outage": outage,
        }

    def _branch(self, row: IntArray) -> IntArray:
        """Monitored rows as branches; -1 where none."""
        assert self.security is not None
        own = np.concatenate((self.security.own, np.full(len(self.security.sections) + 1, -1)))
        return own[row]  # row -1 is the last, also -1

    def _lost(self, outage: IntArray) -> IntArray:
        """Outages as what is lost: a branch, or the number of branches plus a DC link; -1 where none."""
        assert self.security is not None
        return np.concatenate((self._key(self.security), [-1]))[outage]
