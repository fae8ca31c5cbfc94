"""A checksum behind the last byte of a results file: no bit of it can change without notice.

HDF5 reads a file to where its own header says that it ends, so 16 bytes more do not bother any reader::

    mark (8 bytes), CRC-32 of all bytes before the mark (4), CRC-32 of these 12 (4)

Whoever changes a file through HDF5 cuts them off; such a file has no seal, and its audit goes by what it says alone.
"""

import os
import struct
import zlib
from pathlib import Path

from gridsim.errors import IntegrityError

MARK = b"\x89gsseal\n"
_SEAL, _CHECK = struct.Struct("<8sI"), struct.Struct("<I")
SIZE = _SEAL.size + _CHECK.size
_PIECE = 1 << 22


def put_seal(handle: int, size: int) -> None:
    """Seal an open file of `size` bytes. Raises OSError if it cannot be written."""
    start = _SEAL.pack(MARK, _crc(handle, size))
    data, done = start + _CHECK.pack(zlib.crc32(start)), 0
    while done < len(data):
        done += os.pwrite(handle, data[done:], size + done)


def is_sealed(path: Path) -> bool:
    """Whether a file has a seal, which then holds.

    Raises
    ------
    IntegrityError
        If the file is not what was sealed.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(handle).st_size - SIZE
        end = os.pread(handle, SIZE, size) if size > 0 else b""
        if len(end) != SIZE or _CHECK.unpack_from(end, _SEAL.size) != (zlib.crc32(end[: _SEAL.size]),):
            return False
        mark, crc = _SEAL.unpack_from(end)
        if mark != MARK:
            return False
        if _crc(handle, size) != crc:
            raise IntegrityError(f"{path}: damaged: its bytes are not those that were written")
    finally:
        os.close(handle)
    return True


def _crc(handle: int, size: int) -> int:
    crc = at = 0
    while at < size:
        piece = os.pread(handle, min(_PIECE, size - at), at)
        if not piece:
            raise OSError("the file ends early")
        crc, at = zlib.crc32(piece, crc), at + len(piece)
    return crc
