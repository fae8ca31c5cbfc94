"""PGLib-OPF cases: what gridsim makes of a conversion against a DC optimal power flow built from the raw numbers."""

import math
import os
import re
from pathlib import Path

import highspy
import numpy as np
import pytest

from gridsim.convert import convert
from gridsim.scenario import load
from gridsim.simulate import simulate

FOLDER = Path(os.environ.get("GRIDSIM_CASES", "/nowhere")) / "pglib-opf"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="GRIDSIM_CASES names no folder with pglib-opf")

# $/h to five digits, as published with the library
PUBLISHED = {
    "case5_pjm": 17480.0,
    "case14_ieee": 2051.5,
    "case24_ieee_rts": 61001.0,
    "case39_epri": 136890.0,
    "case118_ieee": 93101.0,
    "case300_ieee": 517850.0,
    "case1354_pegase": 1218200.0,
}


def raw(name: str) -> tuple[float, dict[str, list[list[float]]]]:
    """Base and matrices; these files have one row per line."""
    text = (FOLDER / f"pglib_opf_{name}.m").read_text()
    out = {}
    for key in ("bus", "gen", "gencost", "branch"):
        body = re.search(rf"mpc\.{key} = \[\n(.*?)\n\];", text, re.S).group(1)  # type: ignore[union-attr]
        out[key] = [[float(x) for x in line.split("%")[0].replace(";", "").split()] for line in body.split("\n")]
    return float(re.search(r"baseMVA = ([\d.]+)", text).group(1)), out  # type: ignore[union-attr]


def dc_opf(name: str, dc: str) -> float:
    """Cost of the DC optimal power flow in angles, quadratic as it is. [$/h]"""
    base, mpc = raw(name)
    bus, gen, cost, branch = (mpc[k] for k in ("bus", "gen", "gencost", "branch"))
    row = {int(b[0]): i for i, b in enumerate(bus)}
    nb, ng, nl = len(bus), len(gen), len(branch)
    n = ng + nb + nl  # outputs, angles, flows
    low, high = np.full(n, -highspy.kHighsInf), np.full(n, highspy.kHighsInf)
    c, q, offset = np.zeros(n), np.zeros(n), 0.0
    balance: list[list[tuple[int, float]]] = [[] for _ in bus]
    for k, (g, f) in enumerate(zip(gen, cost, strict=True)):
        assert g[7] > 0
        assert (f[0], f[3]) == (2, 3)
        low[k], high[k] = g[9], g[8]
        q[k], c[k], offset = 2 * f[4], f[5], offset + f[6]
        balance[row[int(g[0])]].append((k, 1.0))
    for i, b in enumerate(bus):
        if b[1] == 3:
            low[ng + i] = high[ng + i] = 0.0
    rows, lower, upper = [], [], []
    for e, r in enumerate(branch):
        assert r[10] > 0
        f, t, v = ng + row[int(r[0])], ng + row[int(r[1])], ng + nb + e
        resistance, x, tap, shift = r[2], r[3], r[8] or 1.0, math.radians(r[9])
        y = base * (x / (resistance**2 + x**2) if dc == "powermodels" else 1 / (x * tap))
        shift = 0.0 if dc == "powermodels" else shift
        low[v], high[v] = -r[5], r[5]
        rows += [[(v, 1.0), (f, -y), (t, y)], [(f, 1.0), (t, -1.0)]]
        lower += [-y * shift, math.radians(r[11])]
        upper += [-y * shift, math.radians(r[12])]
        balance[f - ng].append((v, -1.0))
        balance[t - ng].append((v, 1.0))
    rows += balance
    lower += [b[2] + b[4] for b in bus]
    upper += [b[2] + b[4] for b in bus]
    model = highspy.HighsModel()
    lp = model.lp_
    lp.num_col_, lp.num_row_, lp.offset_ = n, len(rows), offset
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = c, low, high
    lp.row_lower_, lp.row_upper_ = np.array(lower), np.array(upper)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    lp.a_matrix_.index_ = np.array([k for r in rows for k, _ in r], dtype=np.int32)
    lp.a_matrix_.value_ = np.array([a for r in rows for _, a in r])
    if q.any():
        at = np.flatnonzero(q)
        model.hessian_.dim_ = n
        model.hessian_.format_ = highspy.HessianFormat.kTriangular
        model.hessian_.start_ = np.concatenate(([0], np.cumsum(q != 0))).astype(np.int32)
        model.hessian_.index_, model.hessian_.value_ = at.astype(np.int32), q[at]
    solver = highspy.Highs()
    solver.setOptionValue("threads", 1)  # HiGHS keeps the number of its first run in a process
    solver.silent()
    solver.passModel(model)
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(solver.getInfo().objective_function_value)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_cost_is_met(name, tmp_path):
    convert("matpower", FOLDER / f"pglib_opf_{name}.m", tmp_path / "out")
    summary = simulate(load(tmp_path / "out"), tmp_path / "run.h5")
    # our own from the raw numbers: 1e-6 for the segments of quadratic costs; published: half of its fifth digit
    assert summary["total_cost"] == pytest.approx(dc_opf(name, "powermodels"), rel=1e-6)
    assert summary["total_cost"] == pytest.approx(PUBLISHED[name], rel=5e-5)
    assert summary["unserved_mwh"] == summary["overload_mwh"] == summary["spill_mwh"] == 0


@pytest.mark.parametrize("name", ["case24_ieee_rts", "case118_ieee", "case300_ieee"])
def test_the_model_with_taps_and_shifts(name, tmp_path):
    convert("matpower", FOLDER / f"pglib_opf_{name}.m", tmp_path / "out", dc="matpower")
    summary = simulate(load(tmp_path / "out"), tmp_path / "run.h5")
    assert summary["total_cost"] == pytest.approx(dc_opf(name, "matpower"), rel=1e-6)
