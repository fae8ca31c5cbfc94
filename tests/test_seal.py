"""No bit of a results file can change without notice."""

import os

import h5py
import pytest
from tiny_grid import tiny_grid, write_grid

from gridsim import seal
from gridsim.audit import audit
from gridsim.errors import IntegrityError
from gridsim.results import ResultsReader
from gridsim.simulate import simulate


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    path = folder / "made.h5"
    simulate(write_grid(folder, tiny_grid(), horizon={"hours": 12}, solver={"effort": "fast"}), path)
    return path


def test_a_run_seals_its_file_and_others_read_it(made):
    assert seal.is_sealed(made)
    assert audit(made).ok
    with h5py.File(made) as file:
        assert file["meta"].attrs["complete"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.35, 0.6, 0.85, 0.999])
def test_one_bit_is_enough_for_every_reader(made, tmp_path, share):
    data = bytearray(made.read_bytes())
    data[int(share * (len(data) - seal.SIZE))] ^= 4
    path = tmp_path / "bent.h5"
    path.write_bytes(data)
    for read in (audit, ResultsReader):
        with pytest.raises(IntegrityError, match="its bytes are not those that were written"):
            read(path)


def test_a_file_that_was_changed_on_purpose_has_no_seal_and_is_audited_for_what_it_says(made, tmp_path):
    path = tmp_path / "changed.h5"
    path.write_bytes(made.read_bytes())
    with h5py.File(path, "r+") as file:
        file["storage/e_mwh"][5, 0] += 30.0
    assert not seal.is_sealed(path)
    assert not audit(path).ok


def test_a_seal_by_hand(tmp_path):
    """CRC-32 of "123456789" is cbf43926: the check value of its definition."""
    path = tmp_path / "x"
    path.write_bytes(b"123456789")
    handle = os.open(path, os.O_RDWR)
    seal.put_seal(handle, 9)
    os.close(handle)
    assert path.read_bytes()[9:21] == b"\x89gsseal\n" + bytes.fromhex("2639f4cb")
    assert seal.is_sealed(path)


@pytest.mark.parametrize("data", [b"", b"x" * 15, b"x" * 16, b"x" * 17, b"x" * 40])
def test_what_was_never_sealed(tmp_path, data):
    path = tmp_path / "x"
    path.write_bytes(data)
    assert not seal.is_sealed(path)


def test_what_h5py_meets_in_a_damaged_file_without_a_seal_is_in_words(made, tmp_path):
    data = bytearray(made.read_bytes()[: -seal.SIZE])
    refused = 0
    for at in range(0, len(data), len(data) // 25):
        path = tmp_path / f"{at}.h5"
        path.write_bytes(data[:at] + bytes(300) + data[at + 300 :])
        try:
            refused += not audit(path).ok
        except IntegrityError:
            refused += 1
    assert refused > 5
