"""Nets from the cache: the same case as from the net itself, never one of other inputs, and no pandapower."""

import dataclasses
import os
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
import pytest

from gridsim import disk_cache
from gridsim.assemble import assemble, assemble_net
from gridsim.case import Case
from gridsim.errors import InputError
from gridsim.inputs import read_net
from gridsim.networks import Options, jiangsu
from gridsim.networks.stored import StoredNet, builtin_key, file_key, through_cache
from gridsim.scenario import load


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDSIM_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nets"


def grid() -> pp.pandapowerNet:
    """Three-winding transformer, closed switches with and without impedance, an impedance, shunt, ward, two islands."""
    net = pp.create_empty_network("mixed", sn_mva=50.0)
    hv, mv, lv, far, near, alone, second = (pp.create_bus(net, kv) for kv in (110, 20, 10, 110, 110, 10, 10))
    pp.create_ext_grid(net, hv, min_p_mw=0.0, max_p_mw=200.0)
    pp.create_ext_grid(net, alone, min_p_mw=0.0, max_p_mw=20.0)
    pp.create_transformer3w(net, hv, mv, lv, "63/25/38 MVA 110/20/10 kV")
    pp.create_line(net, hv, far, 10.0, "149-AL1/24-ST1A 110.0")
    pp.create_line(net, alone, second, 1.0, "NAYY 4x150 SE")
    pp.create_impedance(net, hv, far, rft_pu=0.01, xft_pu=0.1, sn_mva=100.0)
    pp.create_switch(net, far, near, "b", z_ohm=0.5)
    pp.create_switch(net, hv, far, "b", closed=False)
    for bus, p_mw in ((mv, 10.0), (lv, 5.0), (near, 20.0), (second, 0.1)):
        pp.create_load(net, bus, p_mw)
    pp.create_shunt(net, far, q_mvar=1.0, p_mw=0.5)
    pp.create_ward(net, far, 1.0, 0.0, 0.5, 0.0)
    return net


@pytest.fixture
def net_file(tmp_path):
    pp.to_json(grid(), str(tmp_path / "net.json"))
    return tmp_path / "net.json"


def stored(path):
    return through_cache(lambda: file_key(path), lambda: read_net(path))


def assert_same_case(one: Case, other: Case) -> None:
    for field in dataclasses.fields(Case):
        assert_same(getattr(one, field.name), getattr(other, field.name), field.name)


def assert_same(a: Any, b: Any, name: str) -> None:
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.tobytes()) == (b.dtype, b.tobytes()), name
    elif isinstance(a, tuple):
        assert len(a) == len(b), name
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{name}[{i}]")
    else:
        assert a == b, name


def test_the_built_in_case_is_the_same(cache):
    scenario = load("jiangsu-2024", overrides=["horizon.hours=48"])
    direct = assemble_net(scenario, jiangsu())
    assert_same_case(assemble(scenario), direct)
    assert len(list(cache.iterdir())) == 1
    assert_same_case(assemble(scenario), direct)


def test_the_case_of_a_file_is_the_same(net_file, cache):
    settings = [f'network.source="{net_file}"', "horizon.hours=24"]
    scenario = load("jiangsu-2024", overrides=settings)
    direct = assemble_net(scenario, read_net(net_file))
    assert_same_case(assemble(scenario), direct)
    assert_same_case(assemble(scenario), direct)
    assert len(list(cache.iterdir())) == 1
    assert {"switch", "impedance", "trafo3w", "island_balance"} <= set(direct.branches["element"])


def test_a_stored_net_is_not_made_again(net_file, cache):
    first = stored(net_file)
    again = through_cache(lambda: file_key(net_file), lambda: pytest.fail("made again"))
    assert isinstance(again, StoredNet)
    assert again.json == first.json
    pd.testing.assert_frame_equal(again["bus"], first["bus"])
    again["bus"].drop(again["bus"].index, inplace=True)  # whoever changes a net changes his own
    pd.testing.assert_frame_equal(stored(net_file)["bus"], first["bus"])
    assert len(list(cache.iterdir())) == 1


def test_a_key_sees_the_file_its_kind_the_choice_and_the_versions(net_file, monkeypatch):
    keys = [file_key(net_file), builtin_key(Options()), builtin_key(Options(co2_price_cny_per_t=1.0))]
    net_file.write_bytes(net_file.read_bytes() + b" ")
    keys.append(file_key(net_file))
    keys.append(file_key(net_file.rename(net_file.with_suffix(".sqlite"))))
    monkeypatch.setattr(disk_cache, "version", lambda package: f"0 of {package}")
    disk_cache.versions.cache_clear()  # a process looks once
    keys.append(builtin_key(Options()))
    disk_cache.versions.cache_clear()
    assert len(set(keys)) == 6


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:3000] + b"\x07" + b[3001:]])
def test_a_damaged_file_is_made_again(net_file, cache, damage):
    first = stored(net_file)
    path = next(cache.iterdir())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(RuntimeWarning, match="damaged"):
        assert stored(net_file).json == first.json
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stored(net_file)


def test_a_net_whose_file_changes_meanwhile_is_not_kept(net_file, cache):
    def read_and_change():
        net = read_net(net_file)
        net_file.write_bytes(net_file.read_bytes() + b"\n")
        return net

    assert len(through_cache(lambda: file_key(net_file), read_and_change)["bus"]) == 7
    assert not cache.exists()


def test_what_pandapower_cannot_convert_is_not_kept_and_still_said(tmp_path, cache):
    net = grid()
    net.line.loc[0, "to_bus"] = 99
    path = tmp_path / "broken.json"
    pp.to_json(net, str(path))
    for _ in range(2):
        with pytest.raises(InputError, match="must be a bus of the network"):
            assemble(load("jiangsu-2024", overrides=[f'network.source="{path}"']))
    assert not cache.exists()


def test_what_cannot_be_pickled_is_used_as_it_is(cache):
    net = grid()
    net["notes"] = pd.DataFrame({"what": [lambda: None]})
    assert through_cache(lambda: "key", lambda: net) is net
    assert not cache.exists()


def test_a_second_run_does_not_load_pandapower(tmp_path):
    code = (
        "import sys; from gridsim.assemble import assemble; from gridsim.scenario import load;"
        "assemble(load('jiangsu-2024')); print('pandapower' in sys.modules)"
    )
    env = {**os.environ, "GRIDSIM_CACHE_DIR": str(tmp_path / "cache")}
    said = [
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["True", "False"]
