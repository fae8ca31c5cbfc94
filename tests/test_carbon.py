"""Carbon traced along flows: amounts on two buses, a dense solution of a meshed grid, what a store carries."""

import numpy as np
import pandapower as pp
import pytest
from numpy.testing import assert_allclose
from test_curtailment import NO_RESERVE, windy
from test_flexible import NIGHT, lived, one_bus, store
from tiny_grid import run_audited, tiny_grid, write_grid

from gridsim.assemble import assemble
from gridsim.errors import InputError
from gridsim.networks.tables import read_parameters
from gridsim.summary_carbon import COAL_CO2_T_PER_TCE

H = 4
PLAIN = {"horizon": {"hours": H}, "reserve": {**NO_RESERVE, "up_min_mw": 0.0}}
LINE_MW = np.sqrt(3.0) * 0.3 * 220.0  # what the line of `windy(ka=0.3)` carries


def traded(import_mw=30.0, export_mw=20.0):
    """The windy grid with its line full; an import of 0.5 t/MWh at A and a neighbour who takes power at B."""
    net = windy(ka=0.3)
    net.gen["co2_t_per_mwh"] = 0.9
    for bus, p_mw, name, tech in ((0, import_mw, "I", "import"), (1, -export_mw, "X", "exchange")):
        band = {"min_p_mw": min(p_mw, 0.0), "max_p_mw": max(p_mw, 0.0)}
        pp.create_sgen(net, bus, p_mw, name=name, controllable=False, **band)
        net.sgen.loc[net.sgen.index[-1], "tech"] = tech
    net.sgen["origin_co2_t_per_mwh"], net.sgen["clean_share"] = [0.0, 0.5, 0.0], [np.nan, 0.25, np.nan]
    return net


def test_what_is_consumed_carries_the_mix_of_its_bus(tmp_path):
    """A: 84 MW of wind and 30 of the import, 15 t, flow to B; coal gives the 56 MW that are missing to 170."""
    summary, run = run_audited(write_grid(tmp_path, traded(), **PLAIN), tmp_path / "x.h5")
    coal = 150.0 + 20.0 - LINE_MW
    at_b = (15.0 + 0.9 * coal) / 170.0
    assert_allclose(run.array("carbon/origin_t"), 15.0, atol=1e-4)
    assert_allclose(run.array("carbon/zone_intensity"), [[0.0, at_b]] * H, rtol=1e-5)
    assert_allclose(run.array("carbon/zone_load_t"), [[0.0, 150.0 * at_b]] * H, rtol=1e-5)
    assert_allclose(run.array("carbon/export_t"), 20.0 * at_b, rtol=1e-5)
    assert_allclose(run.array("carbon/zone_emission_t"), [[0.0, 0.9 * coal]] * H, rtol=1e-5)
    assert_allclose(run.array("carbon/lost_t"), 0.0, atol=1e-9)
    assert summary["intensity_by_zone"] == pytest.approx({"A": 0.0, "B": at_b}, rel=1e-5)
    assert summary["co2_mt_by_fuel"] == pytest.approx({"coal": H * 0.9 * coal / 1e6}, rel=1e-5)
    assert summary["coal_mtce"] == pytest.approx(H * 0.9 * coal / 2.7 / 1e6, rel=1e-5)
    clean, all_in = LINE_MW - 30.0 + 0.25 * 30.0, LINE_MW + coal
    assert summary["non_fossil_share"] == pytest.approx(clean / all_in, rel=1e-5)
    assert summary["non_fossil_share_by_month"] == pytest.approx({"2024-01": clean / all_in}, rel=1e-5)


@pytest.mark.parametrize("sections", [{}, {"grid": {"losses": "quadratic"}}], ids=["lossless", "losses"])
def test_a_meshed_grid_as_one_system_of_equations(tmp_path, sections):
    """Throughput less inflows, as a dense matrix of every hour: the same consumption by zone as the sweeps'."""
    net = tiny_grid(tight=True, stores=False)
    net.sgen["origin_co2_t_per_mwh"] = [0.0, 0.0, 0.6]
    _, run = run_audited(write_grid(tmp_path, net, horizon={"hours": 25}, **sections), tmp_path / "x.h5")
    table = {name: run.table(name) for name in ("units", "sources", "loads", "branches", "links", "buses")}
    unit, source = run.array("dispatch/unit_p_mw"), run.array("dispatch/source_p_mw")
    flow = np.hstack((run.array("flow/branch_p_mw"), run.array("dispatch/link_p_mw")))
    begin, end = (np.concatenate([table[n][f"{way}_row"] for n in ("branches", "links")]) for way in ("from", "to"))
    served = run.array("dispatch/load_mw") - run.array("unserved/load_mw")
    zone = table["buses"]["zone"].to_numpy()[table["loads"]["bus_row"]]
    nb = len(table["buses"])
    for t in range(run.steps):
        matrix, emitted = np.zeros((nb, nb)), np.zeros(nb)
        np.add.at(np.einsum("ii->i", matrix), table["units"]["bus_row"].to_numpy(), unit[t])
        np.add.at(np.einsum("ii->i", matrix), table["sources"]["bus_row"].to_numpy(), source[t])
        rate = table["units"]["co2_t_per_mwh"].to_numpy()
        np.add.at(emitted, table["units"]["bus_row"].to_numpy(), unit[t] * rate)
        origin = table["sources"]["origin_co2_t_per_mwh"].to_numpy()
        np.add.at(emitted, table["sources"]["bus_row"].to_numpy(), source[t] * origin)
        for k, mw in enumerate(flow[t]):
            sender, receiver = (begin[k], end[k]) if mw >= 0.0 else (end[k], begin[k])
            matrix[receiver, receiver] += abs(mw)
            matrix[receiver, sender] -= abs(mw)
        c = np.linalg.solve(matrix, emitted)
        at_load = served[t] * c[table["loads"]["bus_row"].to_numpy()]
        want = [at_load[zone == name].sum() for name in run.names("zone")]
        assert_allclose(run.array("carbon/zone_load_t")[t], want, rtol=1e-5, atol=1e-5)
    assert (run.array("carbon/lost_t").max() > 0.1) == bool(sections)


def test_a_store_gives_back_what_it_was_charged_with(tmp_path):
    """Charged by night with power that emits nothing: by day the load has the gas plant's emissions and no more."""
    net = store(one_bus(), charge=40.0, discharge=40.0, e_mwh=200.0, start_mwh=0.0, tech="battery", eta_charge=0.9)
    net.gen["co2_t_per_mwh"] = 0.4
    _, run = lived(tmp_path, net)
    gas = run.array("dispatch/unit_p_mw")[:, 0]
    assert run.array("storage/discharge_mw").max() > 5.0
    assert_allclose(run.array("carbon/zone_load_t")[:, 0], 0.4 * gas, atol=1e-5)
    assert_allclose(run.array("carbon/store_change_t"), 0.0, atol=1e-5)


def test_a_store_passes_on_what_it_cost_to_fill(tmp_path):
    """By night 0.2 t/MWh, by day 1.0: what is charged at night is dearer in carbon by the losses when it comes out."""
    net = store(one_bus(), charge=40.0, discharge=40.0, e_mwh=200.0, start_mwh=0.0, tech="battery")
    net.gen["co2_t_per_mwh"] = 1.0
    net.sgen["co2_t_per_mwh"] = 0.2
    _, run = lived(tmp_path, net)
    gas, charge, discharge = (
        run.array(path)[:, 0] for path in ("dispatch/unit_p_mw", "storage/charge_mw", "storage/discharge_mw")
    )
    assert discharge.max() > 5.0
    night = NIGHT[: len(gas)] > 0.0
    assert_allclose(charge[~night], 0.0, atol=1e-6)
    sigma = 0.2 / (0.9 * 0.9)  # of a MWh discharged
    assert run.array("storage/e_mwh")[-1, 0] < 1e-3
    assert_allclose(run.array("carbon/zone_load_t")[~night, 0], gas[~night] + sigma * discharge[~night], rtol=1e-3)


def test_driving_is_consumption_of_its_zone(tmp_path):
    """Cars take 5 MW out of their store in every hour: that share of what is charged is the zone's."""
    net = store(one_bus(), charge=60.0, e_mwh=300.0, start_mwh=150.0, demand_profile="drive", demand_share=1.0)
    net.gen["co2_t_per_mwh"] = 0.4
    _, run = lived(tmp_path, net, series={"drive [MW]": np.full(len(NIGHT), 5.0)})
    energy = run.array("dispatch/load_mw").sum(axis=1) + 5.0
    used = run.array("carbon/zone_load_t")[:, 0]
    assert_allclose(used, run.array("carbon/zone_intensity")[:, 0] * energy, rtol=1e-9)
    gas = 0.4 * run.array("dispatch/unit_p_mw")[:, 0]
    assert used.sum() + run.array("carbon/store_change_t").sum() == pytest.approx(gas.sum(), rel=1e-6)


def test_factors_are_checked(tmp_path):
    net = traded()
    net.sgen.loc[1, ["origin_co2_t_per_mwh", "clean_share"]] = [-0.1, 1.5]
    with pytest.raises(InputError) as error:
        assemble(write_grid(tmp_path, net, **PLAIN))
    assert {problem.where for problem in error.value.problems} >= {"sgen.origin_co2_t_per_mwh", "sgen.clean_share"}


def test_the_factor_of_coal_is_that_of_the_tables():
    assert read_parameters()["coal_co2_t_per_tce"] == COAL_CO2_T_PER_TCE
