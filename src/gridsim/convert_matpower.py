"""MATPOWER cases (``.m``, format version 2): an optimal power flow of one hour, or of two days of a made-up load curve.

Every generator in service is committed. What runs is the DC optimal power flow of the case; its branch model is one of

``matpower``     susceptance ``1 / (x tap)``, phase shifts: MATPOWER's and pandapower's own DC power flow
``powermodels``  susceptance ``x / (r^2 + x^2)``, taps and shifts left out: PowerModels' ``DCPPowerModel``, in which the
                 costs published with PGLib-OPF are made. Written as the reactance ``(r^2 + x^2) / x``, without r.

By default cases whose function is called ``pglib_...`` get the second, all others the first.
Limits on the angle difference become limits on the flow, where they are tighter than the rating.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandapower as pp
import pandas as pd
from numpy.typing import NDArray

from gridsim.convert import Conversion
from gridsim.convert_net import Branch, add_branch, add_reference, convex, empty_net, price_points
from gridsim.errors import InputError, Problem
from gridsim.kernels.network import label_islands

FloatArray = NDArray[np.float64]
MODELS = ("matpower", "powermodels")
SEGMENTS = 100  # of a quadratic cost: published costs are met to 1e-5
# columns of the format
BUS_I, BUS_TYPE, PD, GS, BASE_KV, ZONE = 0, 1, 2, 4, 9, 10
GEN_BUS, GEN_STATUS, PMAX, PMIN = 0, 7, 8, 9
F_BUS, T_BUS, BR_R, BR_X, BR_B, RATE_A, RATE_B, RATE_C, TAP, SHIFT, BR_STATUS, ANGMIN, ANGMAX = range(13)
MODEL, NCOST, COST = 0, 3, 4
_LEAST_COLUMNS = {"bus": 13, "gen": 10, "branch": 11, "gencost": 5}
_ISOLATED, _REFERENCE = 4, 3
_TECH_OF_FUEL = {
    "coal": "coal",
    "ng": "gas",
    "gas": "gas",
    "oil": "oil",
    "nuclear": "nuclear",
    "hydro": "hydro",
    "wind": "wind_onshore",
    "solar": "pv",
    "biomass": "biomass",
}
# Share of the nominal load in each hour of a day: a made-up winter working day, so that ramps and valleys appear.
DAY = (
    *(0.71, 0.68, 0.66, 0.65, 0.66, 0.70, 0.78, 0.87, 0.92, 0.94, 0.95, 0.95),
    *(0.93, 0.92, 0.91, 0.91, 0.93, 0.97, 1.00, 0.99, 0.96, 0.91, 0.83, 0.76),
)
DAY_HOURS = 48


@dataclass
class Case:
    """The matrices of a case file."""

    name: str
    base_mva: float
    bus: FloatArray
    gen: FloatArray
    branch: FloatArray
    gencost: FloatArray
    fuel: list[str]
    bus_names: list[str]
    others: list[str]  # fields that nothing here reads


class _Cost(NamedTuple):
    """Polynomial c0 + c1 p + c2 p^2, or points (MW, currency/h)."""

    c: tuple[float, float, float]
    points: tuple[tuple[float, float], ...]


def read_matpower(
    source: Path, *, profile: str | None = None, hours: int | None = None, dc: str | None = None
) -> Conversion:
    """The case in the file `source`.

    Parameters
    ----------
    profile : "day", optional
        Two days (or `hours`) in which every load follows `DAY`; else constant loads.
    hours : int, optional
        Hours to simulate; default 1, with a profile 48.
    dc : one of MODELS, optional

    Raises
    ------
    InputError
        With every problem of the file.
    """
    problems: list[Problem] = []
    case = _parse(source, problems)
    if profile not in (None, "day"):
        problems.append(Problem("--profile", f'must be "day": got "{profile}"'))
    if dc not in (None, *MODELS):
        problems.append(Problem("--dc", f'must be {" or ".join(MODELS)}: got "{dc}"'))
    if hours is not None and not 1 <= hours <= 8784:
        problems.append(Problem("--hours", f"must be from 1 to 8784: got {hours}"))
    if case is None or problems:
        raise InputError(str(source), problems)
    _check(case, problems)
    costs = _costs(case, problems)
    if problems:
        raise InputError(str(source), problems)
    return _Writer(case, costs, dc, profile, hours).write()


# --- reading the text


def _parse(source: Path, problems: list[Problem]) -> Case | None:
    if not source.is_file():
        problems.append(Problem("the file", "is missing: a MATPOWER case is one .m file"))
        return None
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem("the file", f"cannot be read as text: {error}"))
        return None
    name = re.search(r"function\s+(?:\w+|\[[^\]]*\])\s*=\s*(\w+)", text)
    plain = "\n".join(_without_comment(line) for line in text.splitlines())
    plain = re.sub(r"\.\.\.[^\n]*\n", " ", plain)  # continued lines
    fields = {m.group(1): m.group(2) for m in re.finditer(r"\bmpc\.(\w+)\s*=\s*(\[.*?\]|\{.*?\}|[^;\n]*)", plain, re.S)}
    base = _number(fields.get("baseMVA", ""))
    if base is None or not base > 0:
        problems.append(Problem("mpc.baseMVA", "must be a number greater than 0"))
    version = fields.get("version", "'2'").strip().strip("'\"")
    if version != "2":
        problems.append(Problem("mpc.version", f"must be '2': got {version!r}"))
    matrices = {key: _matrix(key, fields, problems) for key in _LEAST_COLUMNS}
    if problems:
        return None
    known = {*_LEAST_COLUMNS, "baseMVA", "version", "genfuel", "bus_name"}
    others = [key for key in fields if key not in known]
    title = name.group(1) if name else source.stem
    cells = {key: re.findall(r"'([^']*)'", fields.get(key, "")) for key in ("genfuel", "bus_name")}
    return Case(
        title, float(base or 0.0), **matrices, fuel=cells["genfuel"], bus_names=cells["bus_name"], others=others
    )


def _without_comment(line: str) -> str:
    """The line up to a % that is not inside quotes."""
    quoted = False
    for k, c in enumerate(line):
        if c == "'":
            quoted = not quoted
        elif c == "%" and not quoted:
            return line[:k]
    return line


def _number(text: str) -> float | None:
    try:
        return float(text.strip())
    except ValueError:
        return None


def _matrix(key: str, fields: dict[str, str], problems: list[Problem]) -> FloatArray:
    where, least = f"mpc.{key}", _LEAST_COLUMNS[key]
    nothing = np.zeros((0, least))
    if key not in fields or not fields[key].startswith("["):
        problems.append(Problem(where, "is missing: must be a matrix in [ ]"))
        return nothing
    rows = [row.replace(",", " ").split() for row in re.split(r"[;\n]", fields[key].strip("[]"))]
    rows = [row for row in rows if row]
    for k, row in enumerate(rows, start=1):
        bad = [cell for cell in row if _number(cell) is None]
        if bad:
            problems.append(Problem(where, f"must have numbers only: row {k} has {bad[0]!r}"))
            return nothing
        if len(row) < least:
            problems.append(Problem(where, f"must have at least {least} columns: row {k} has {len(row)}"))
            return nothing
    if not rows and key in ("bus", "gen", "gencost"):
        problems.append(Problem(where, "must have at least one row"))
        return nothing
    width = max((len(row) for row in rows), default=least)
    return np.array([[float(c) for c in row] + [0.0] * (width - len(row)) for row in rows]).reshape(-1, width)


# --- checking the numbers


def _check(case: Case, problems: list[Problem]) -> None:
    ids = case.bus[:, BUS_I]
    known = set(ids)
    if len(known) < len(ids):
        problems.append(Problem("mpc.bus", "must number every bus once"))
    for where, rows, columns in (("gen", case.gen, (GEN_BUS,)), ("branch", case.branch, (F_BUS, T_BUS))):
        unknown = sorted({int(row[c]) for row in rows for c in columns if row[c] not in known})
        if unknown:
            problems.append(Problem(f"mpc.{where}", f"must name buses of mpc.bus: {_some(unknown)} are none"))
    on = case.gen[:, GEN_STATUS] > 0
    for what, bad in (
        ("have Pmin at most Pmax", on & (case.gen[:, PMIN] > case.gen[:, PMAX])),
        ("have finite limits", on & ~np.isfinite(case.gen[:, [PMIN, PMAX]]).all(axis=1)),
    ):
        if bad.any():
            problems.append(Problem("mpc.gen", f"must {what}: rows {_some(np.flatnonzero(bad) + 1)} do not"))
    on = case.branch[:, BR_STATUS] > 0
    bad = on & ~(np.isfinite(case.branch[:, BR_X]) & (case.branch[:, BR_X] != 0))
    if bad.any():
        rule = f"must have a reactance that is finite and not 0: rows {_some(np.flatnonzero(bad) + 1)} have not"
        problems.append(Problem("mpc.branch", rule))
    bad = on & ~(case.branch[:, RATE_A] >= 0)
    if bad.any():
        problems.append(Problem("mpc.branch", f"must have rateA of 0 or more: rows {_some(np.flatnonzero(bad) + 1)}"))
    if len(case.gencost) not in (len(case.gen), 2 * len(case.gen)):
        rule = f"must have one row per generator ({len(case.gen)}), or two: it has {len(case.gencost)}"
        problems.append(Problem("mpc.gencost", rule))


def _costs(case: Case, problems: list[Problem]) -> list[_Cost]:
    """Cost of active power of every generator."""
    found = []
    for k, row in enumerate(case.gencost[: len(case.gen)], start=1):
        where, n = f"mpc.gencost row {k}", int(row[NCOST])
        values = row[COST:]
        cost = _Cost((0.0, 0.0, 0.0), ())
        size = n if row[MODEL] == 2 else 2 * n
        if row[MODEL] not in (1, 2) or n < 1 or size > len(values) or not np.isfinite(values[:size]).all():
            problems.append(Problem(where, "must be model 1 or 2 with as many finite values as its number says"))
        elif row[MODEL] == 2:
            c = [*values[:n][::-1], 0.0, 0.0, 0.0]
            if any(v != 0 for v in c[3:]):
                problems.append(Problem(where, f"must be of degree 2 or less: it is of degree {n - 1}"))
            elif c[2] < 0:
                problems.append(Problem(where, "must be convex: its quadratic coefficient is negative"))
            cost = _Cost((float(c[0]), float(c[1]), float(c[2])), ())
        else:
            points = [(float(p), float(f)) for p, f in values[:size].reshape(-1, 2)]
            if n < 2 or any(b[0] <= a[0] for a, b in pairwise(points)):
                problems.append(Problem(where, "must have two or more points, of rising MW"))
            elif not _is_convex(points):
                problems.append(Problem(where, "must be convex: a later segment is cheaper than the one before"))
            cost = _Cost((0.0, 0.0, 0.0), tuple(points))
        found.append(cost)
    return found


def _is_convex(points: list[tuple[float, float]]) -> bool:
    hull, _ = convex(points)
    given, below = np.array(points), np.array(hull)
    at, y = np.interp(given[:, 0], below[:, 0], below[:, 1]), given[:, 1]
    return bool(np.all(np.abs(at - y) <= 1e-6 * np.maximum(1.0, np.abs(y))))


def _some(values: Any) -> str:
    values = list(values)
    return ", ".join(str(v) for v in values[:5]) + (" ..." if len(values) > 5 else "")


# --- writing the net


class _Writer:
    """Carries what the steps of a conversion share."""

    def __init__(self, case: Case, costs: list[_Cost], dc: str | None, profile: str | None, hours: int | None):
        self.case, self.costs, self.profile = case, costs, profile
        self.dc = dc or ("powermodels" if case.name.startswith("pglib_") else "matpower")
        self.why_dc = "as asked" if dc else f"by default for a case called {case.name}"
        self.hours = hours or (DAY_HOURS if profile else 1)
        self.net = empty_net(case.name, case.base_mva)
        self.out = Conversion(case.name, self.net, 2024, {})

    def write(self) -> Conversion:
        self._buses()
        self._loads()
        self._generators()
        self._branches()
        self._references()
        out, n = self.out, self.hours
        window = min(n, DAY_HOURS)
        out.horizon = {"hours": n, "window_h": window, "step_h": window}
        if self.profile:
            out.series["day"] = np.resize(DAY, n)
            out.units["day"] = "1"
        steep = max((self._steepest(k) for k in range(len(self.costs))), default=0.0)
        shed = max(20_000.0, 100.0 * steep)
        out.sections["penalties"] = {"shed": shed, "spill": shed, "overload": 5.0 * shed}
        out.sections["solver"] = {"quadratic_segments": SEGMENTS}
        rest = len(self.case.others)
        out.say(f"other fields ({', '.join(self.case.others)})", rest, "ignored", "no place in a dispatch")
        return out

    def _steepest(self, k: int) -> float:
        """Highest marginal cost of a generator. [currency/MWh]"""
        cost, top = self.costs[k], self.case.gen[k, PMAX]
        if cost.points:
            (x0, y0), (x1, y1) = cost.points[-2:]
            return abs((y1 - y0) / (x1 - x0))
        return abs(cost.c[1]) + 2 * cost.c[2] * abs(top)

    def _buses(self) -> None:
        bus, out = self.case.bus, self.out
        names = self.case.bus_names
        vn_kv = np.where(bus[:, BASE_KV] > 0, bus[:, BASE_KV], 1.0)
        pp.create_buses(
            self.net,
            len(bus),
            vn_kv,
            index=bus[:, BUS_I].astype(np.int64),
            name=names if len(names) == len(bus) else [f"bus {int(i)}" for i in bus[:, BUS_I]],
            zone=[f"{int(z)}" for z in bus[:, ZONE]],
            in_service=bus[:, BUS_TYPE] != _ISOLATED,
        )
        isolated = int((bus[:, BUS_TYPE] == _ISOLATED).sum())
        out.say("buses", len(bus) - isolated, "used", "buses; zone by their zone")
        out.say("isolated buses (type 4)", isolated, "used", "out of service, with all that stands at them")
        out.say("buses without a base voltage", int((vn_kv != bus[:, BASE_KV]).sum()), "approximated", "1 kV")
        out.say("voltage limits, reactive power", len(bus), "ignored", "a DC model has none")

    def _loads(self) -> None:
        bus, out = self.case.bus, self.out
        for row in bus[bus[:, PD] > 0]:
            at = int(row[BUS_I])
            index = pp.create_load(self.net, at, float(row[PD]), name=f"load {at}")
            if self.profile:
                self.net.load.loc[index, "profile"] = "day"
        for row in bus[bus[:, PD] < 0]:
            at = int(row[BUS_I])
            index = pp.create_sgen(self.net, at, -float(row[PD]), name=f"injection {at}", controllable=False)
            pp.create_poly_cost(self.net, index, "sgen", 0.0)
        for row in bus[bus[:, GS] != 0]:
            at = int(row[BUS_I])
            pp.create_shunt(self.net, at, q_mvar=0.0, p_mw=float(row[GS]), name=f"shunt {at}")
        how = f"loads; Pd times the daily curve of {self.hours} hours, 1.00 = Pd" if self.profile else "constant loads"
        out.say("loads (Pd above 0)", int((bus[:, PD] > 0).sum()), "used", how)
        out.say("loads (Pd below 0)", int((bus[:, PD] < 0).sum()), "used", "injections of constant power")
        out.say("shunt conductances (Gs)", int((bus[:, GS] != 0).sum()), "used", "constant consumption at 1 p.u.")

    # --- generators

    def _generators(self) -> None:
        gen, out, net = self.case.gen, self.out, self.net
        fuels = self.case.fuel if len(self.case.fuel) == len(gen) else [""] * len(gen)
        self.left_out = 0.0
        for k, row in enumerate(gen):
            at, low, high = int(row[GEN_BUS]), float(row[PMIN]), float(row[PMAX])
            moved = -low if low < 0 else 0.0
            on = bool(row[GEN_STATUS] > 0)
            fuel = fuels[k].lower()
            index = pp.create_gen(
                net,
                at,
                p_mw=max(low, 0.0),
                min_p_mw=low + moved,
                max_p_mw=high + moved,
                name=f"gen {k + 1}",
                in_service=on,
                must_run=True,
                tech=_TECH_OF_FUEL.get(fuel, "other"),
                fuel=fuel,
                reserve_up=False,
                reserve_down=False,
                no_load_cost=0.0,
            )
            if moved:
                pp.create_load(net, at, moved, name=f"gen {k + 1} at its minimum", in_service=on)
            self._price(int(index), self.costs[k], moved, low + moved, high + moved, on)
        on_rows = gen[:, GEN_STATUS] > 0
        below = on_rows & (gen[:, PMIN] < 0)
        out.say("generators", int(on_rows.sum()), "used", "always on, between Pmin and Pmax")
        out.say("generators out of service", int((~on_rows).sum()), "used", "out of service")
        how = "a constant load of -Pmin and a generator from 0 to Pmax - Pmin: same injections, same cost"
        out.say("generators with Pmin below 0", int(below.sum()), "used", how)
        empty = on_rows & (gen[:, PMAX] == gen[:, PMIN]) & (gen[:, PMAX] <= 0)
        how = f"no capacity; cost of {self.left_out:g} per hour that is left out with them"
        out.say("generators with Pmin = Pmax = 0", int(empty.sum()), "ignored", how)
        self._say_costs(on_rows)

    def _say_costs(self, on: Any) -> None:
        of = [cost for cost, used in zip(self.costs, on, strict=True) if used]
        curved = sum(not c.points and c.c[2] > 0 for c in of)
        self.out.say("cost curves of degree 0 and 1", sum(not c.points and c.c[2] == 0 for c in of), "used", "exact")
        self.out.say("piecewise-linear cost curves", sum(bool(c.points) for c in of), "used", "exact")
        how = (
            f"quadratics in the net; run as {SEGMENTS} segments, at most c2 ((Pmax - Pmin) / {SEGMENTS})^2 / 4 too high"
        )
        self.out.say("quadratic cost curves", curved, "approximated", how)
        rows = self.case.gencost
        self.out.say("start and stop costs", int((rows[:, 1:3] != 0).any(axis=1).sum()), "ignored", "all are always on")
        self.out.say("costs of reactive power", max(0, len(rows) - len(self.costs)), "ignored", "a DC model has none")

    def _price(self, index: int, cost: _Cost, moved: float, low: float, high: float, on: bool) -> None:
        """The cost entry of a generator whose output counts from `moved` MW below 0."""
        if cost.points:
            shifted = [(p + moved, f) for p, f in cost.points]
            rest = price_points(self.net, "gen", index, shifted, low, high)
            if rest >= 0:
                self.net.gen.loc[index, "no_load_cost"] = rest
                return
            # a payment for being on: as a polynomial where the curve is one line, else on a row of its own
            self.net.pwl_cost = self.net.pwl_cost.iloc[:-1]
            self._split(index, shifted, rest, high)
            return
        c0, c1, c2 = cost.c
        at_zero = c0 - c1 * moved + c2 * moved**2
        if high <= 0 and on:
            self.left_out += at_zero
        pp.create_poly_cost(
            self.net,
            index,
            "gen",
            cp0_eur=at_zero,
            cp1_eur_per_mw=c1 - 2 * c2 * moved,
            cp2_eur_per_mw2=c2,
        )

    def _split(self, index: int, points: list[tuple[float, float]], rest: float, high: float) -> None:
        """A curve from 0 MW that begins below 0 currency: one row per segment, the first with the payment."""
        mw = np.array([p for p, _ in points])
        slopes = np.diff([f for _, f in points]) / np.diff(mw)
        ends = np.append(mw[1:-1], max(mw[-1], high))
        ends = np.clip(ends, 0.0, high)
        width = np.diff(ends, prepend=0.0)
        row = self.net.gen.loc[index]
        for k in np.flatnonzero(width > 0):
            at = index
            if k > np.flatnonzero(width > 0)[0]:
                at = int(pp.create_gen(self.net, int(row.bus), 0.0, name=f"{row['name']} segment {k + 1}"))
                self.net.gen.loc[at] = row
                self.net.gen.loc[at, "name"] = f"{row['name']} segment {k + 1}"
            self.net.gen.loc[at, "max_p_mw"] = width[k]
            pp.create_poly_cost(self.net, at, "gen", cp0_eur=rest if at == index else 0.0, cp1_eur_per_mw=slopes[k])

    # --- branches

    def _branches(self) -> None:
        case, out = self.case, self.out
        kinds: list[str] = []
        tighter = aside = emergency = low_emergency = 0
        for k, given in enumerate(case.branch):
            branch = self._branch(k, given)
            low, high = self._angle_limits(given, branch)
            rate = branch.rating_mva
            limit = min(rate, max(-low, high))
            tighter += bool(limit < rate or -low < rate or high < rate) and branch.in_service
            one_sided = min(-low, high) < limit
            if one_sided and min(-low, high) <= 0:
                raise InputError(
                    case.name,
                    [Problem(f"mpc.branch row {k + 1}", "must have angle limits on both sides of the phase shift")],
                )
            wanted = max(float(given[RATE_B]), float(given[RATE_C]))
            fits = np.isfinite(limit) and wanted >= limit
            emergency += fits
            low_emergency += bool(wanted > 0 and not fits)
            branch = branch._replace(rating_mva=limit, emergency_mva=wanted if fits else np.nan)
            element, index = add_branch(self.net, branch)
            kinds.append(element)
            if one_sided and branch.in_service:
                aside += 1
                self._interface(branch.name, element, index, min(high, limit), min(-low, limit))
        on = case.branch[:, BR_STATUS] > 0
        how = {
            "matpower": "susceptance 1 / (x tap), with phase shifts",
            "powermodels": "susceptance x / (r^2 + x^2), without taps and shifts: the model of the published costs",
        }[self.dc]
        out.say("branches", int(on.sum()), "used", f"{self.dc} model ({self.why_dc}): {how}")
        out.say("branches out of service", int((~on).sum()), "used", "out of service")
        if self.dc == "powermodels":
            taps = int((~np.isin(case.branch[:, TAP], (0, 1))).sum())
            out.say("transformer taps", taps, "ignored", "not in this model; --dc matpower has them")
            shifts = int((case.branch[:, SHIFT] != 0).sum())
            out.say("phase shifts", shifts, "ignored", "not in this model; --dc matpower has them")
        out.say("branch limits (rateA)", int((case.branch[:, RATE_A] > 0).sum()), "used", "limit of active power, MW")
        out.say("branches without a limit", int((case.branch[:, RATE_A] == 0).sum()), "used", "no limit")
        how = "emergency rating: the larger of the two"
        out.say("branch ratings rateB, rateC", int(emergency), "used", how)
        out.say("branch ratings rateB, rateC", int(low_emergency), "ignored", "below the continuous limit, or none")
        out.say("angle difference limits tighter than rateA", int(tighter), "used", "limit of active power, angle / x")
        out.say("of these, tighter one way", aside, "used", "an interface with a limit each way")
        out.say("losses, line charging", len(kinds), "ignored", "a DC model has none")

    def _branch(self, k: int, row: FloatArray) -> Branch:
        r, x = float(row[BR_R]), float(row[BR_X])
        tap, shift = float(row[TAP]) or 1.0, float(row[SHIFT])
        b = float(row[BR_B])
        if self.dc == "powermodels":
            r, x, tap, shift = 0.0, (r * r + x * x) / x if x else x, 1.0, 0.0
        rate = float(row[RATE_A]) or np.inf
        name = f"branch {k + 1}"
        on = bool(row[BR_STATUS] > 0)
        return Branch(name, int(row[F_BUS]), int(row[T_BUS]), r, x, b, tap, shift, rate, np.nan, on)

    def _angle_limits(self, row: FloatArray, branch: Branch) -> tuple[float, float]:
        """Least and most flow that the limits on the angle difference leave. [MW]"""
        if len(row) <= ANGMAX or branch.x_pu == 0:
            return -np.inf, np.inf
        low, high = float(row[ANGMIN]), float(row[ANGMAX])
        if low == 0 and high == 0:
            return -np.inf, np.inf
        low, high = (-np.inf if low <= -360 else low), (np.inf if high >= 360 else high)
        per_degree = np.pi / 180.0 * self.case.base_mva / (branch.x_pu * branch.tap)
        ends = ((low - branch.shift_deg) * per_degree, (high - branch.shift_deg) * per_degree)
        return min(ends), max(ends)

    def _interface(self, name: str, element: str, index: int, limit: float, reverse: float) -> None:
        for key, row in (
            ("interface", {"name": name, "limit_mw": limit, "reverse_limit_mw": reverse}),
            ("interface_member", {"interface": name, "element": element, "element_index": index, "weight": 1.0}),
        ):
            before = self.net.get(key)
            self.net[key] = pd.concat([before, pd.DataFrame([row])], ignore_index=True)

    def _references(self) -> None:
        """One angle reference per island: its bus of type 3, else its first bus."""
        bus, out = self.case.bus, self.out
        live = np.flatnonzero(bus[:, BUS_TYPE] != _ISOLATED)
        row_of = {int(bus[i, BUS_I]): k for k, i in enumerate(live)}
        on = [r for r in self.case.branch if r[BR_STATUS] > 0 and int(r[F_BUS]) in row_of and int(r[T_BUS]) in row_of]
        begins, ends = (np.array([row_of[int(r[c])] for r in on], dtype=np.int64) for c in (F_BUS, T_BUS))
        island = label_islands(begins, ends, len(live))
        count = int(island.max(initial=-1)) + 1
        for k in range(count):
            inside = live[island == k]
            marked = [i for i in inside if bus[i, BUS_TYPE] == _REFERENCE]
            add_reference(self.net, int(bus[(marked or list(inside))[0], BUS_I]))
        out.say("islands", count, "used", "each with one angle reference: its bus of type 3, else its first bus")
