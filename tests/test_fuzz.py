"""A few spoiled inputs of every kind, always the same; ``tools/fuzz.py`` tries as many as there is time for."""

import random

import fuzz
import h5py
import numpy as np
import pytest
from fuzz_kinds import KINDS, Ground
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import INTERPRETED

from gridsim.errors import InputError
from gridsim.journal import MARK, frames, look, pack, unpack
from gridsim.scenario import load

pytestmark = pytest.mark.skipif(INTERPRETED, reason="too slow without the compiler")
MANY = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
TRIES = {"scenario": 12, "series": 8, "net": 8, "results": 16, "journal": 6}


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return Ground(tmp_path_factory.mktemp("ground"))


@pytest.mark.parametrize("kind", KINDS)
def test_spoiled_inputs_are_refused_in_words(ground, kind):
    """Neither a traceback nor a hang nor a crash; and what is not refused is right."""
    wrong = {seed: found for seed in range(TRIES[kind]) if (found := KINDS[kind](ground, seed)).wrong}
    assert not wrong


def test_the_mutators_spoil(ground):
    """Else the tests above would try nothing."""
    data = ground.results.read_bytes()
    assert all(fuzz.flipped(data, random.Random(seed)) != data for seed in range(20))
    text = (ground.folder / "net.json").read_text()
    assert sum(fuzz.net(text, random.Random(seed)) != text for seed in range(20)) > 15


def problems_of(spec, overrides=()):
    """What is wrong with a scenario; anything but an InputError is a fault of the reader."""
    try:
        load(spec, overrides)
    except InputError as error:
        return error.problems
    return None


@MANY
@given(st.text(max_size=200))
def test_any_text_as_a_scenario(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    assert problems_of(path) != []


KEYS = ("horizon.hours", "horizon.window_h", "solver.tolerance", "reserve.up_min_mw", "year")
ODD = st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.booleans(), st.lists(st.integers(), max_size=2))


@MANY
@given(st.dictionaries(st.sampled_from(KEYS), ODD, min_size=1))
def test_any_value_of_a_key(values):
    assert problems_of("jiangsu-2024", [f"{key}={value!r}" for key, value in values.items()]) != []


@MANY
@given(st.binary(max_size=300))
def test_any_bytes_as_a_journal(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.journal"
    path.write_bytes(MARK + data)
    with pytest.raises(Exception, match="cannot be resumed"):
        look(path)
    with path.open("rb") as file:
        assert list(frames(file.fileno(), bodies=True)) == []


@MANY
@given(st.data())
def test_a_record_is_read_as_it_was_or_not_at_all(tmp_path_factory, data):
    """Its checksums see every bit."""
    record, body = pack({"index": 1}, {"a/x": np.arange(7.0), "b/y": np.full((2, 3), 4)})
    at = data.draw(st.integers(0, 8 * len(record) - 1))
    bent = bytearray(record)
    bent[at // 8] ^= 1 << at % 8
    path = tmp_path_factory.getbasetemp() / "one.journal"
    path.write_bytes(bent)
    with path.open("rb") as file:
        assert list(frames(file.fileno(), bodies=True)) == []
    whole = unpack(record[28:body], record[body:])
    assert (whole["a/x"] == np.arange(7.0)).all()


def test_no_object_in_a_results_file_can_be_more_than_data(ground):
    """Types of HDF5 that are numbers, texts and references to other datasets; nothing pickled, nothing opaque."""
    kinds = set()
    with h5py.File(ground.results) as file:

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                kinds.add(item.id.get_type().get_class())
                assert not item.external
            assert not isinstance(file.get(name, getlink=True), h5py.ExternalLink)

        file.visititems(visit)
    assert kinds <= {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM}
