"""N-1: factors against grids solved again without the circuit and pandapower, the screen against plain loops."""

import copy
import itertools
import tracemalloc
from collections import defaultdict
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandapower as pp
import pandapower.networks as pn
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gridsim.kernels import security
from gridsim.kernels.security import Factors, Keys, Outages
from gridsim.networks import jiangsu
from gridsim.topology import build_topology

HOURS = 5


# -- grids -------------------------------------------------------------------------------------------------------------


def case_of(branches, nb, reference, links=(), weight=None, limit=1000.0):
    """What `security.build` reads of a case, from arrays."""
    nlink = len(links)
    weight = np.zeros((0, len(branches) + nlink)) if weight is None else weight
    interfaces = pd.DataFrame(
        {"limit_mw": np.full(len(weight), limit), "reverse_limit_mw": np.full(len(weight), limit)}
    )
    links = pd.DataFrame(np.array(links, dtype=np.int64).reshape(nlink, 2), columns=["from_row", "to_row"])
    links["loss_share"] = 0.0
    is_reference = np.isin(np.arange(nb), reference)
    buses = pd.DataFrame({"name": [f"B{i}" for i in range(nb)], "reference": is_reference})
    return SimpleNamespace(branches=branches, buses=buses, links=links, interfaces=interfaces, interface_weight=weight)


def random_case(seed, nb=14, extra=16, links=2, interfaces=2):
    """A random tree (bridges) with further branches between its buses but the last three, two of them parallel rows."""
    rng = np.random.default_rng(seed)
    pairs = [(int(rng.integers(0, k)), k) for k in range(1, nb)]
    pairs += [tuple(map(int, rng.choice(nb - 3, 2, replace=False))) for _ in range(extra)]
    pairs[-1] = pairs[-2]
    nbr = len(pairs)
    branches = pd.DataFrame(
        {
            "name": [f"L{k}" for k in range(nbr)],
            "element": "line",
            "from_row": [i for i, _ in pairs],
            "to_row": [j for _, j in pairs],
            "x_pu": rng.uniform(0.01, 0.2, nbr),
            "shift_deg": np.where(rng.random(nbr) < 0.3, rng.uniform(-5, 5, nbr), 0.0),
            "rating_mw": np.where(rng.random(nbr) < 0.2, np.inf, 100.0),
            "emergency_rating_mw": rng.uniform(100, 130, nbr),
            "circuits": rng.integers(1, 4, nbr),
        }
    )
    weight = np.where(
        rng.random((interfaces, nbr + links)) < 0.3, rng.choice([-1.0, 0.5, 1.0], (interfaces, nbr + links)), 0.0
    )
    ends = [tuple(map(int, rng.choice(nb, 2, replace=False))) for _ in range(links)]
    return case_of(branches, nb, [int(rng.integers(0, nb))], ends, weight)


def solved(case, injection, link, scale=None, extra_shift=None):
    """Flows (nbr,) by angles from a dense pseudo-inverse; `scale` multiplies the susceptance of every branch."""
    b = case.branches
    nbr, nb = len(b), len(case.buses)
    incidence = np.zeros((nbr, nb))
    incidence[np.arange(nbr), b["from_row"]], incidence[np.arange(nbr), b["to_row"]] = 1, -1
    admittance = 100.0 / b["x_pu"].to_numpy() * (1.0 if scale is None else scale)
    shift = np.deg2rad(b["shift_deg"].to_numpy() + (0.0 if extra_shift is None else extra_shift))
    p = injection.copy()
    for (i, j), mw in zip(case.links[["from_row", "to_row"]].to_numpy(), link, strict=True):
        p[i] -= mw
        p[j] += mw
    matrix = incidence.T @ (admittance[:, None] * incidence)
    theta = np.linalg.lstsq(matrix, p + incidence.T @ (admittance * shift), rcond=1e-12)[0]
    return admittance * (incidence @ theta - shift)


def balanced(rng, nb):
    injection = rng.normal(0, 50, nb)
    injection[0] -= injection.sum()
    return injection


def rows_of(case, s, flow, link):
    """Flows of the rows of `s`: monitored branches, then interfaces."""
    return np.concatenate((flow[s.own], case.interface_weight @ np.concatenate((flow, link))))


# -- factors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_flows_after_an_outage_are_those_of_the_grid_without_it(seed):
    """Branches, circuits of corridors, DC links and interfaces; shifts; parallel rows."""
    case = random_case(seed)
    s = security.build(case)
    rng = np.random.default_rng(seed)
    injection, link = balanced(rng, s.nb), rng.normal(0, 30, 2)
    before = solved(case, injection, link)
    mw = np.concatenate((injection, link))
    assert_allclose(s.lost_H @ mw + s.lost_offset, np.concatenate((before[s.outages.branch[:-2]], link)), atol=1e-9)
    left = security.remaining(s.outages, s.lost_H)
    every = np.arange(s.outages.branch.size)
    factor = security.lodf(s.H, s.own, s.sections, s.outages, left, s.nb, every)
    assert s.outages.link.tolist()[-2:] == [0, 1]
    for k in every:
        scale, rest = np.ones(len(case.branches)), link.copy()
        if s.outages.branch[k] >= 0:
            scale[s.outages.branch[k]] -= s.outages.share[k]
            lost = before[s.outages.branch[k]]
        else:
            rest[s.outages.link[k]], lost = 0.0, link[s.outages.link[k]]
        expected = rows_of(case, s, solved(case, injection, rest, scale), rest)
        assert_allclose(rows_of(case, s, before, link) + factor[k] * lost, expected, atol=1e-8)
        row = np.arange(s.H.shape[0])
        pairs = security.pair_factors(s.H, s.own, s.sections, s.outages, left, s.nb, row, np.full(row.size, k))
        assert_allclose(pairs, factor[k], atol=1e-13)


@pytest.mark.parametrize("seed", range(4))
def test_listed_factors_are_the_dense_ones_but_in_the_corridor_itself(seed):
    case = random_case(seed)
    s = security.build(case, interface_factor=1.0)
    left = security.remaining(s.outages, s.lost_H)
    dense = security.lodf(s.H, s.own, s.sections, s.outages, left, s.nb, np.arange(s.outages.branch.size))
    dense[np.abs(dense) <= security.LEAST] = 0.0
    listed = np.zeros_like(dense)
    for k in range(len(dense)):
        at = slice(s.factors.first[k], s.factors.first[k + 1])
        assert np.all(np.diff(s.factors.row[at]) > 0)
        listed[k, s.factors.row[at]] = s.factors.factor[at]
    mine = np.zeros(dense.shape, dtype=bool)
    mine[:, : s.own.size] = s.outages.branch[:, None] == s.own
    assert_allclose(listed[~mine], dense[~mine], atol=1e-15)
    outage, row = np.nonzero(mine)
    assert row.size > 10
    share = s.outages.share[outage]
    # of the flow that was there: what the circuits that stay carry, each
    assert_allclose((1 + listed[outage, row]) * (1 - share), np.where(share < 1, 1 + dense[outage, row], 0), atol=1e-12)


def test_least_leaves_out_small_factors_only():
    case = random_case(1, nb=30, extra=40)
    every, some = security.build(case).factors, security.build(case, least=0.05).factors
    assert 0 < some.row.size < every.row.size
    kept = np.abs(every.factor) > 0.05
    assert_array_equal(some.factor, every.factor[kept])
    assert_array_equal(some.row, every.row[kept])


def public(make):
    net = make()
    topology, problems = build_topology(net, 1.0, 2.0)
    assert problems == []
    b = topology.branches.assign(rating_mw=100.0, emergency_rating_mw=100.0)
    return case_of(b, len(topology.buses), np.flatnonzero(topology.buses["reference"]))


@pytest.mark.parametrize("make", [pn.case118, pn.case300])
def test_public_grids_without_the_branch(make):
    """Transformers with taps and shifts, parallel lines, bridges: every outage of case118, some of case300."""
    case = public(make)
    s = security.build(case)
    injection = balanced(np.random.default_rng(3), s.nb)
    before = solved(case, injection, [])
    left = security.remaining(s.outages, s.lost_H)
    assert s.bridges.branch.size + s.outages.branch.size == len(case.branches)
    chosen = np.arange(0, s.outages.branch.size, 1 if make is pn.case118 else 7)
    factor = security.lodf(s.H, s.own, s.sections, s.outages, left, s.nb, chosen)
    for k, row in zip(chosen, factor, strict=True):
        scale = np.ones(len(case.branches))
        scale[s.outages.branch[k]] -= s.outages.share[k]
        after = solved(case, injection, [], scale)
        assert_allclose(before + row * before[s.outages.branch[k]], after, rtol=0, atol=1e-6)


def dc_flows(net):
    """(branches by element and index) MW of rundcpp."""
    pp.rundcpp(net)
    columns = {"line": "p_from_mw", "trafo": "p_hv_mw"}
    flow = {(e, i): mw for e, c in columns.items() for i, mw in net[f"res_{e}"][c].items()}
    return defaultdict(float, flow)  # nothing on what balances an island


def link_ends(net, topology):
    ends = [
        [topology.row_of_bus_id[net.dcline.at[i, side]] for side in ("from_bus", "to_bus")] for i in net.dcline.index
    ]
    return [tuple(pair) for pair in ends]


@pytest.mark.parametrize(("make", "most"), [(pn.case39, 12), (jiangsu, 8)])
def test_flows_after_an_outage_as_rundcpp(make, most):
    net = make()
    net.dcline["loss_percent"] = 0.0  # of DC links the model knows no losses
    topology, _ = build_topology(net, 1.0, 2.0)
    b = topology.branches.assign(rating_mw=100.0, emergency_rating_mw=100.0)
    reference = np.flatnonzero(topology.buses["reference"])
    s = security.build(case_of(b, len(topology.buses), reference, link_ends(net, topology)))
    before = dc_flows(net)
    keys = list(zip(b["element"], b["element_index"], strict=True))
    flow = np.array([before[key] for key in keys])
    left = security.remaining(s.outages, s.lost_H)
    chosen = np.unique(np.linspace(0, s.outages.branch.size - 1, most).astype(int))
    trafos = np.flatnonzero(b["element"].to_numpy()[s.outages.branch] == "trafo")
    chosen = np.union1d(chosen, trafos[:2])
    factor = security.lodf(s.H, s.own, s.sections, s.outages, left, s.nb, chosen)
    for k, row in zip(chosen, factor, strict=True):
        work = copy.deepcopy(net)
        if s.outages.link[k] >= 0:
            index = net.dcline.index[s.outages.link[k]]
            work.dcline.loc[index, "in_service"], lost = False, net.dcline.at[index, "p_mw"]
        else:
            element, index = keys[s.outages.branch[k]]
            lost = flow[s.outages.branch[k]]
            if work[element].at[index, "parallel"] > 1:
                work[element].loc[index, "parallel"] -= 1
            else:
                work[element].loc[index, "in_service"] = False
        after = dc_flows(work)
        expected = np.array([after[key] for key in keys])
        assert_allclose(flow + row * lost, np.nan_to_num(expected), rtol=0, atol=1e-6)


# -- bridges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_bridges_are_those_whose_loss_leaves_more_parts(seed):
    rng = np.random.default_rng(seed)
    nb = 25
    pairs = [tuple(map(int, rng.choice(nb, 2, replace=False))) for _ in range(28)]
    pairs[-1] = pairs[0][::-1]  # a parallel branch
    begin, end = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    found = security.find_bridges(begin, end, nb)
    expected = {}
    for k in range(len(pairs)):
        graph = nx.Graph()
        graph.add_nodes_from(range(nb))
        graph.add_edges_from(pairs[:k] + pairs[k + 1 :])
        side = [nx.node_connected_component(graph, bus) for bus in pairs[k]]
        if pairs[k][1] not in side[0]:
            expected[k] = side
    assert found.branch.tolist() == sorted(expected)
    assert len(expected) > 2
    values = rng.normal(0, 1, (nb, 2))
    islanded = found.islanded(values)
    for i, k in enumerate(found.branch.tolist()):
        buses = set(found.buses(i).tolist())
        assert buses in expected[k]
        assert len(buses) == min(map(len, expected[k]))
        assert_allclose(islanded[i], values[sorted(buses)].sum(axis=0), atol=1e-12)


def test_bridges_are_no_outages_unless_a_circuit_stays():
    case = random_case(4)
    case.branches["circuits"] = np.arange(len(case.branches)) % 2 + 1
    s = security.build(case)
    circuits = case.branches["circuits"].to_numpy()
    single = s.bridges.branch[circuits[s.bridges.branch] == 1]
    double = s.bridges.branch[circuits[s.bridges.branch] > 1]
    assert single.size
    assert double.size
    assert not np.isin(single, s.outages.branch).any()
    assert np.isin(double, s.outages.branch).all()
    assert_allclose(s.outages.share[:-2], 1.0 / circuits[s.outages.branch[:-2]])
    all_of_it = Outages(
        double[:1],
        np.array([-1]),
        *(case.branches[c].to_numpy()[double[:1]] for c in ("from_row", "to_row")),
        np.ones(1),
    )
    with pytest.raises(ValueError, match=rf"branch {double[0]} 'L{double[0]}' splits the grid"):
        security.build(case, outages=all_of_it)


def test_balance_branches_of_islands_are_neither_lost_nor_watched():
    case = random_case(2, interfaces=0)
    last = len(case.buses)
    case.buses.loc[last] = [f"B{last}", True]
    case.buses.loc[last + 1] = [f"B{last + 1}", False]
    extra = {"x_pu": 0.01, "shift_deg": 0.0, "rating_mw": 0.0, "emergency_rating_mw": 0.0, "circuits": 1}
    extra |= {"name": "balance", "element": "island_balance", "from_row": last + 1, "to_row": last}
    case.branches.loc[len(case.branches)] = extra
    case.interface_weight = np.zeros((0, len(case.branches) + 2))
    s = security.build(case)
    balance = len(case.branches) - 1
    assert balance not in s.outages.branch
    assert balance not in s.bridges.branch
    assert s.own[-1] == balance
    assert np.isinf(s.limit[..., -1]).all()
    assert not np.any(s.factors.row == s.own.size - 1)


# -- the screen --------------------------------------------------------------------------------------------------------


def random_screen(seed, nm=7, no=9):
    """Factors as lists, flows, limits: some rows without a limit, some one way only."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((no, nm)) < 0.7, rng.normal(0, 0.4, (no, nm)), 0.0)
    outage, row = np.nonzero(dense)
    first = np.concatenate(([0], np.cumsum(np.bincount(outage, minlength=no)))).astype(np.int64)
    flow, lost = rng.normal(0, 60, (HOURS, nm)), rng.normal(0, 60, (HOURS, no))
    limit = rng.uniform(60, 120, (2, nm))
    limit[0, 1] = limit[:, 2] = np.inf
    return Factors(first, row.astype(np.int32), dense[outage, row]), dense, flow, lost, limit


def every_loading(dense, flow, lost, limit):
    """{(hour, row, outage, sign): loading} by plain loops."""
    out = {}
    for k, r, t in itertools.product(range(dense.shape[0]), range(dense.shape[1]), range(len(flow))):
        if dense[k, r] != 0.0:
            after = float(flow[t, r]) + float(dense[k, r]) * float(lost[t, k])
            back = int(after < 0)
            out[t, r, k, 1 - 2 * back] = abs(after) / (limit[back, r] if limit.ndim == 2 else limit[back, t, r])
    return out


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("at", "near", "keep"), [(1.0, 1.0, 100), (1.0, 0.8, 2), (0.6, 0.5, 1), (9.0, 9.0, 3)])
def test_screen_as_plain_loops(seed, at, near, keep, moves):
    factors, dense, flow, lost, limit = random_screen(seed)
    if moves:
        limit = limit[:, None] * np.random.default_rng(seed).uniform(0.4, 1.2, (HOURS, 1))
    report = security.new_report(flow.shape[1], lost.shape[1], HOURS)
    found = security.screen_n1(factors, flow, lost, limit, report, at=at, near=near, keep=keep)
    loading = every_loading(dense, flow, lost, limit)
    beyond = {(r, k) for (_, r, k, _), value in loading.items() if value > at}
    groups = {}
    for (t, r, k, sign), value in loading.items():
        if (r, k) in beyond and value > near:
            groups.setdefault((t, r, -sign), []).append((-value, k))
    expected = [(t, r, k, -minus) for (t, r, minus), all_of in sorted(groups.items()) for _, k in sorted(all_of)[:keep]]
    assert list(zip(*(part.tolist() for part in found.keys), strict=True)) == expected
    assert_allclose(found.loading, [loading[key] for key in expected], rtol=1e-14)
    assert found.beyond == sum(value > at for value in loading.values())
    assert found.worst == pytest.approx(max((loading[key] for key in expected), default=0.0))
    assert (len(expected) > 0) == (at < 9.0)

    # the key (hour, row, outage) of each part of the report: what it is sorted by, and the two it tells
    for position, others, part in ((1, (2, 0), report[:3]), (2, (1, 0), report[3:6]), (0, (1, 2), report[6:])):
        best = np.zeros(part[0].size)
        for key, value in loading.items():
            best[key[position]] = max(best[key[position]], value)
        assert_allclose(part[0], best, rtol=1e-14)
        for i in np.flatnonzero(best):
            key = [0, 0, 0]
            key[position], key[others[0]], key[others[1]] = int(i), int(part[1][i]), int(part[2][i])
            assert max(loading.get((*key, sign), 0.0) for sign in (1, -1)) == pytest.approx(best[i], rel=1e-14)
        assert np.all(part[1][best == 0.0] == -1)


@pytest.mark.parametrize("seed", range(3))
def test_known_rows_are_not_found_again_and_make_room_for_others(seed):
    factors, _, flow, lost, limit = random_screen(seed)

    def screen(known=None, keep=2):
        report = security.new_report(flow.shape[1], lost.shape[1], HOURS)
        return security.screen_n1(factors, flow, lost, limit, report, at=0.7, keep=keep, known=known)

    every = screen(keep=100)
    first = screen()
    assert 0 < first.loading.size < every.loading.size
    collected, found = [], first
    while found.loading.size:
        assert found.beyond == every.beyond
        collected += list(zip(*(part.tolist() for part in found.keys), strict=True))
        assert len(set(collected)) == len(collected)
        found = screen(known=Keys(*np.array(collected, dtype=np.int64).T))
    assert found.worst == 0.0
    assert sorted(collected) == sorted(zip(*(part.tolist() for part in every.keys), strict=True))


def test_report_goes_on_over_windows():
    factors, _, flow, lost, limit = random_screen(8)
    whole, parts = (security.new_report(flow.shape[1], lost.shape[1], HOURS) for _ in range(2))
    security.screen_n1(factors, flow, lost, limit, whole)
    for t0, t1 in ((0, 2), (2, HOURS)):
        security.screen_n1(factors, flow[t0:t1], lost[t0:t1], limit, parts, t0=t0)
    for a, b in zip(whole, parts, strict=True):
        assert_array_equal(a, b)
    assert np.all(whole.hour_loading > 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_row_that_never_binds_changes_nothing(seed):
    factors, dense, flow, lost, limit = random_screen(seed)
    wide = np.insert(dense, 3, 0.37, axis=1)
    outage, row = np.nonzero(wide)
    first = np.concatenate(([0], np.cumsum(np.bincount(outage, minlength=len(wide))))).astype(np.int64)
    more = Factors(first, row.astype(np.int32), wide[outage, row])
    reports = [security.new_report(n, lost.shape[1], HOURS) for n in (7, 8)]
    a = security.screen_n1(factors, flow, lost, limit, reports[0], at=0.8)
    flow_more, limit_more = np.insert(flow, 3, flow[:, 0], axis=1), np.insert(limit, 3, 1e6, axis=1)
    b = security.screen_n1(more, flow_more, lost, limit_more, reports[1], at=0.8)
    assert a.loading.size
    shifted = np.where(b.keys.row > 3, b.keys.row - 1, b.keys.row)
    assert 3 not in b.keys.row
    for x, y in zip(a.keys, b.keys._replace(row=shifted), strict=True):
        assert_array_equal(x, y)
    assert_array_equal(a.loading, b.loading)
    assert_array_equal(reports[0].outage_loading, reports[1].outage_loading)
    assert_array_equal(reports[0].hour_loading, reports[1].hour_loading)


@pytest.mark.compiled
def test_no_array_over_outages_rows_and_hours():
    case = public(pn.case300)
    s = security.build(case)
    rng = np.random.default_rng(0)
    injection = np.array([balanced(rng, s.nb) for _ in range(48)])
    flow, lost = injection @ s.H.T + s.offset, injection @ s.lost_H.T + s.lost_offset
    report = security.new_report(flow.shape[1], lost.shape[1], 48)
    security.screen_n1(s.factors, flow, lost, s.limit, report)
    tracemalloc.start()
    found = security.screen_n1(s.factors, flow, lost, s.limit, report)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.loading.size
    cube = flow.shape[1] * lost.shape[1] * 48 * 8
    assert peak < 0.2 * cube


# -- rows --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_the_flows_and_limits_after_the_outage(seed):
    """All pairs: branches, corridors that keep a circuit, DC links, interfaces; a column of zonal shares too."""
    case = random_case(seed)
    s = security.build(case, interface_factor=1.1)
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.ones(4))
    s = s._replace(**{n: np.hstack((m, (m[:, 5:9] @ share)[:, None])) for n, m in (("H", s.H), ("lost_H", s.lost_H))})
    injection, link, lump = balanced(rng, s.nb), rng.normal(0, 30, 2), 17.0
    injection[0] -= lump
    moved = injection.copy()
    moved[5:9] += lump * share
    mw, row = np.concatenate((injection, link, [lump])), np.arange(s.H.shape[0])
    emergency = np.concatenate((case.branches["emergency_rating_mw"].to_numpy()[s.own], [1100.0, 1100.0]))
    for k, branch in enumerate(s.outages.branch):
        scale, rest, limit = np.ones(len(case.branches)), link.copy(), emergency.copy()
        if branch >= 0:
            scale[branch] -= s.outages.share[k]
            limit[np.flatnonzero(s.own == branch)] *= 1 - s.outages.share[k]
        else:
            rest[s.outages.link[k]] = 0.0
        after = rows_of(case, s, solved(case, moved, rest, scale), rest)
        for sign in (1, -1):
            keys = Keys(0 * row, row, np.full(row.size, k), np.full(row.size, sign))
            coef, offset, of_row = security.n1_coefficients(s, keys)
            assert_allclose(coef @ mw + offset, sign * after, atol=1e-8)
            assert_allclose(of_row, limit, atol=1e-12)


# -- phase shifters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_shifts_as_controls_before_and_after_outages(seed):
    """Several shifters at once; one of them may itself lose a circuit."""
    case = random_case(seed)
    s = security.build(case)
    rng = np.random.default_rng(seed)
    shifter = np.sort(rng.choice(s.outages.branch[:-2], 3, replace=False))
    of_row, of_lost = security.shifter_columns(case, s, shifter)
    s = s._replace(H=np.hstack((s.H, of_row)), lost_H=np.hstack((s.lost_H, of_lost)))
    injection, link, degrees = balanced(rng, s.nb), rng.normal(0, 30, 2), rng.uniform(-6, 6, 3)
    extra = np.zeros(len(case.branches))
    extra[shifter] = degrees
    mw = np.concatenate((injection, link, degrees))
    assert_allclose(s.H @ mw + s.offset, rows_of(case, s, solved(case, injection, link, None, extra), link), atol=1e-8)
    row = np.arange(s.H.shape[0])
    for k, branch in enumerate(s.outages.branch[:-2]):
        scale = np.ones(len(case.branches))
        scale[branch] -= s.outages.share[k]
        after = rows_of(case, s, solved(case, injection, link, scale, extra), link)
        keys = Keys(0 * row, row, np.full(row.size, k), np.ones(row.size, np.int64))
        coef, offset, _ = security.n1_coefficients(s, keys)
        assert_allclose(coef @ mw + offset, after, atol=1e-8)


@pytest.mark.parametrize("make", [pn.case39, pn.case118, jiangsu])
def test_a_degree_as_rundcpp(make):
    net = make()
    topology, _ = build_topology(net, 1.0, 2.0)
    b = topology.branches.assign(rating_mw=100.0, emergency_rating_mw=100.0)
    case = case_of(b, len(topology.buses), np.flatnonzero(topology.buses["reference"]), link_ends(net, topology))
    s = security.build(case)
    before = dc_flows(net)
    keys = list(zip(b["element"], b["element_index"], strict=True))
    for index in net.trafo.index[[0, len(net.trafo) // 2, -1]]:
        work = copy.deepcopy(net)
        work.trafo.loc[index, "shift_degree"] += 3.0
        after = dc_flows(work)
        column, _ = security.shifter_columns(case, s, np.array([keys.index(("trafo", index))]))
        change = np.array([after[key] - before[key] for key in keys])
        assert_allclose(3.0 * column[:, 0], np.nan_to_num(change), rtol=0, atol=1e-6)
