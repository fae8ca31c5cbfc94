"""Reserve products: requirements stacked as they must be, and what each unit and source gives, on numbers by hand."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from tiny_grid import HOURS, tiny_grid, write_grid

from gridsim.assemble import assemble, describe
from gridsim.errors import InputError

T = np.arange(HOURS)
NONE = {"up_min_mw": 0.0, "up_load_share": 0.0, "up_renewable_share": 0.0}


def product(name, direction="up", within_min=10.0, **more):
    return {"name": name, "direction": direction, "within_min": within_min, **more}


@pytest.fixture
def made(tmp_path):
    """A function: [reserve] keys to a case; `change` may edit the net, `series` adds some in MW."""

    def make(*products, change=None, series=None, scale=None, **keys):
        net = tiny_grid()
        if change:
            change(net)
        scenario = write_grid(tmp_path, net, reserve={**keys, "product": list(products)}, scale=scale or {})
        if series:
            path = tmp_path / "series.csv"
            frame = pd.read_csv(path)
            for name, values in series.items():
                frame[name] = values
            frame.to_csv(path, index=False)
        return assemble(scenario)

    return make


def column(case, name):
    return case.products["name"].tolist().index(name)


def test_reserve_alone_gives_up_and_down(made):
    c = made(up_load_share=0.1, up_renewable_share=0.2, up_min_mw=45.0, down_load_share=0.05, down_renewable_share=0.1)
    load = c.load_mw.sum(axis=1)
    green = c.source_max_mw[:, [c.sources["name"].tolist().index(n) for n in ("W", "PV")]].sum(axis=1)
    assert c.products.to_numpy().tolist() == [["up", "up", np.inf, True], ["down", "down", np.inf, True]]
    assert c.products["spinning"].dtype == bool
    assert_allclose(c.reserve_up_mw, np.maximum(45.0, 0.1 * load + 0.2 * green))
    assert_allclose(c.reserve_down_mw, 0.05 * load + 0.1 * green)
    assert (c.product_need_mw == np.stack([c.reserve_up_mw, c.reserve_down_mw], axis=1)).all()
    room = (c.units["p_max_mw"] - c.units["p_min_mw"]).to_numpy()
    assert (c.unit_response_mw == room[:, None] * c.units[["reserve_up", "reserve_down"]].to_numpy()).all()
    assert (c.unit_response_mw > 0).all()
    assert (c.unit_offline_mw == 0).all()
    assert (c.source_responds == c.sources[["reserve_up", "reserve_down"]].to_numpy()).all()


def test_flags_of_rows_hold_for_up_and_down(made):
    def change(net):
        net.gen["reserve_up"], net.gen["reserve_down"] = [True, False, True], [False, True, True]
        net.sgen["reserve_up"], net.sgen["reserve_down"] = [False, False, True], [True, False, False]

    c = made(change=change)
    assert (c.unit_response_mw > 0).tolist() == [[True, False], [False, True], [True, True]]
    assert c.source_responds.tolist() == [[False, True], [False, False], [True, False]]


def test_slower_products_ask_for_the_faster_ones_too(made):
    c = made(
        product("spin", within_min=10, min_mw=20.0),
        product("standing", within_min=30, min_mw=40.0, spinning=False),
        product("reg_up", within_min=5, min_mw=10.0),
        product("here", within_min=1, min_mw=7.0, zones=["A"]),
        product("reg_down", "down", within_min=5, min_mw=15.0),
        up_min_mw=100.0, up_load_share=0.0, up_renewable_share=0.0,
    )  # fmt: skip
    need = dict(zip(c.products["name"], c.product_need_mw.T, strict=True))
    assert list(need) == ["up", "down", "spin", "standing", "reg_up", "here", "reg_down"]
    for name, mw in {"reg_up": 10, "spin": 30, "standing": 70, "up": 170, "here": 7, "reg_down": 15}.items():
        assert_allclose(need[name], mw, err_msg=name)
    assert_allclose(c.reserve_up_mw, 100)
    assert_allclose(need["down"], c.reserve_down_mw + 15)
    assert c.products["within_min"].tolist() == [np.inf, np.inf, 10, 30, 5, 1, 5]
    assert c.products["spinning"].tolist() == [True, True, True, False, True, True, True]


def test_of_equally_fast_products_the_first_is_the_faster(made):
    c = made(product("b", min_mw=1.0), product("a", min_mw=2.0), **NONE)
    assert_allclose(c.product_need_mw[0, [column(c, "b"), column(c, "a")]], [1, 3])


def test_a_scenario_may_have_listed_products_only(made):
    c = made(product("reg_up", min_mw=10.0), down_load_share=0.0, down_renewable_share=0.0, **NONE)
    assert_allclose(c.product_need_mw, np.tile([0.0, 0.0, 10.0], (c.hours, 1)))


def test_shares_minimum_and_series_of_a_product(made):
    series = {"reserve/x [MW]": np.where(T % 3 == 0, 0.0, 5.0 + T)}
    c = made(
        product("share", load_share=0.02, renewable_share=0.3, min_mw=25.0),
        product("series", within_min=20, series="reserve/x"), series=series, **NONE,
    )  # fmt: skip
    green = c.source_max_mw[:, [c.sources["name"].tolist().index(n) for n in ("W", "PV")]].sum(axis=1)
    share = np.maximum(25.0, 0.02 * c.load_mw.sum(axis=1) + 0.3 * green)
    assert share.min() == 25.0 < share.max()
    own = series["reserve/x [MW]"][: c.hours]
    assert_allclose(c.product_need_mw[:, column(c, "share")], share)
    # an hour without a requirement of its own asks for nothing: the faster product has its own row
    assert_allclose(c.product_need_mw[:, column(c, "series")], np.where(own > 0, own + share, 0.0))


def test_a_product_that_never_asks_is_left_out(made):
    c = made(product("off"), product("on", min_mw=1.0))
    assert c.products["name"].tolist() == ["up", "down", "on"]
    assert c.unit_response_mw.shape == c.unit_offline_mw.shape == (3, 3)
    assert c.source_responds.shape == (3, 3)
    assert c.product_need_mw.shape == (c.hours, 3)


def test_response_of_a_unit_is_held_by_its_rate(made):
    def change(net):
        net.gen["reserve_mw_per_min"] = [1.5, np.nan, 20.0]  # coal of 40..100 MW, gas of 20..80, heat of 20..50

    c = made(product("five", within_min=5, min_mw=1.0), change=change)
    assert c.unit_response_mw[:, column(c, "five")].tolist() == [7.5, 60, 30]
    assert c.unit_response_mw[:, 0].tolist() == [60, 60, 30]  # "up" has no time limit
    c = made(product("five", within_min=5, min_mw=1.0), change=change, scale={"coal": 2.0})
    assert c.unit_response_mw[:, column(c, "five")].tolist() == [15, 60, 60]


def test_techs_and_zones_decide_who_may_serve(made):
    def change(net):
        net.gen["reserve_up"] = [True, False, True]

    c = made(
        product("gas", min_mw=1.0, techs=["gas", "pv"]),  # named techs serve whatever their column says
        product("north", min_mw=1.0, zones=["A"]),  # B0 and B1; gas, PV and heat stand in C
        product("both", min_mw=1.0, techs=["coal", "wind_onshore"], zones=["C"]), change=change,
    )  # fmt: skip
    assert c.units["name"].tolist() == ["G", "gas", "heat"]
    assert c.sources["name"].tolist() == ["W", "PV", "X"]
    may = (c.unit_response_mw > 0).T.tolist()
    assert may[column(c, "gas")] == [False, True, False]
    assert may[column(c, "north")] == [True, False, False]
    assert may[column(c, "both")] == [False, False, True]
    assert c.source_responds[:, column(c, "gas")].tolist() == [False, True, False]
    assert not c.source_responds[:, [column(c, "north"), column(c, "both")]].any()


def test_quick_starts_count_while_off_where_nothing_need_spin(made):
    def change(net):
        net.gen["quick_start"] = [False, True, True]
        net.gen["reserve_up"] = [True, True, False]

    c = made(product("spin", min_mw=1.0), product("standing", within_min=30, min_mw=1.0, spinning=False), change=change)
    assert c.unit_offline_mw[:, column(c, "standing")].tolist() == [0, 80, 0]
    assert (c.unit_offline_mw[:, [0, 1, column(c, "spin")]] == 0).all()
    assert c.unit_response_mw[:, column(c, "standing")].tolist() == [60, 60, 0]
    assert c.units["quick_start"].tolist() == [False, True, True]


def test_products_are_described(made):
    text = describe(made(product("standing", within_min=30, min_mw=12.0, spinning=False), up_min_mw=50.0))
    assert "standing: up within 30 min, spinning or quick to start, 12 to 12 MW" in text


def test_refuses_what_the_network_does_not_have(made):
    with pytest.raises(InputError) as found:
        made(product("a", min_mw=1.0, techs=["gass", "pv"]), product("b", zones=["Z"], series="load/B"))
    text = str(found.value)
    assert "reserve.product.1.techs.gass is not a tech of the network (did you mean gas?)" in text
    assert "reserve.product.2.zones.Z is not a zone of the network (allowed: A, C)" in text
    assert "profile load/B is missing: reserve product b needs it (did you mean 'load/A'?)" in text


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("exchange/x", np.where(T == 3, 0.5, 0.2), "must be in MW as the requirement of reserve product a"),
        ("exchange/x [MW]", np.where(T == 3, -4.0, 200.0), "negative as a requirement (first at 2024-01-01T03"),
    ],
)
def test_refuses_series_that_are_no_requirement(made, name, values, says):
    with pytest.raises(InputError) as found:
        made(product("a", series="exchange/x"), series={name: values})
    assert says in str(found.value)
