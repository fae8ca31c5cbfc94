"""Nets on disk as plain tables, for runs that need nothing else of pandapower.

To import pandapower and to build or read a net takes longer than all else before the first window. What comes out
depends on the tables or the file, on the code in this folder, and on the versions of the packages: under a digest of
all of these it is kept in the cache folder (`gridsim.disk_cache`), with a checksum. A damaged file is made again, with
a warning.
"""

import hashlib
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from gridsim import disk_cache
from gridsim.errors import Problem
from gridsim.networks.columns import check_columns
from gridsim.networks.converted import Converted, convert
from gridsim.networks.options import Options

PACKAGES = ("pandapower", "pandas", "numpy")
_HERE = Path(__file__).parent
_PLAIN = (pd.DataFrame, str, int, float, bool, type(None))


class StoredNet(dict[str, Any]):
    """Tables and single values of a pandapower net by name; neither standard types nor results of power flows.

    Attributes
    ----------
    json : str
        The whole net, as ``pandapower.to_json`` writes it.
    column_problems : list[Problem]
        What `gridsim.networks.columns.check_columns` says of it.
    converted : Converted
        The net as pypower arrays.
    """

    json: str
    column_problems: list[Problem]
    converted: Converted


def json_of(net: Any) -> str:
    """A `StoredNet` or a pandapower net as pandapower writes it."""
    if isinstance(net, StoredNet):
        return net.json
    import pandapower as pp

    return str(pp.to_json(net))


def column_problems(net: Any) -> list[Problem]:
    """`check_columns` of a pandapower net, or what it said of the one that was stored."""
    return list(net.column_problems) if isinstance(net, StoredNet) else check_columns(net)


def converted(net: Any) -> Converted:
    """`convert` for a pandapower net, or the arrays of the one that was stored."""
    return net.converted if isinstance(net, StoredNet) else convert(net)


def builtin_key(options: Options) -> str:
    """Of what ``networks/jiangsu`` and this folder make of `options`."""
    choice = options.model_dump_json(exclude={"tariff_file"}).encode()
    own = [] if options.tariff_file is None else [Path(options.tariff_file).read_bytes()]
    return disk_cache.digest([*_code(), *disk_cache.sources(_HERE / "jiangsu", "*.csv"), choice, *own])


def file_key(path: Path) -> str:
    """Of a pandapower file as it is now."""
    return disk_cache.digest([*_code(), path.suffix.lower().encode(), path.read_bytes()])


def through_cache(key: Callable[[], str], make: Callable[[], Any]) -> Any:
    """What `make` gives, as a `StoredNet`; or the pandapower net itself, if that cannot be kept.

    `key` is asked again after `make`: a net whose sources changed meanwhile is not kept.
    """
    name = key()
    path = disk_cache.folder("nets") / f"{name}.pickle"
    found = _read(path)
    if found is not None:
        return found
    net = make()
    try:
        content = _packed(net)
    except Exception:  # pandapower cannot convert it, which its reader will say; or a table holds more than data
        return net
    if key() == name:
        disk_cache.write(path, hashlib.sha256(content).digest(), content)
    return pickle.loads(content)  # not `net`: the first run reads the same tables as every later one


def _code() -> list[bytes]:
    """Of this folder, and of what it writes into the column `character` of the sites."""
    wording = disk_cache.sources(_HERE.parent / "profiles", "character.py", "tariffs.py", "heat.py", "load.py")
    return [*disk_cache.sources(_HERE, "*.py"), *wording, disk_cache.versions(*PACKAGES), sys.version.encode()]


def _packed(net: Any) -> bytes:
    stored = StoredNet({name: value for name, value in net.items() if isinstance(value, _PLAIN)})
    stored.json, stored.column_problems, stored.converted = json_of(net), check_columns(net), convert(net)
    return pickle.dumps(stored, protocol=pickle.HIGHEST_PROTOCOL)


def _read(path: Path) -> StoredNet | None:
    """The net in a cache file; None if there is none that can be used."""
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    checksum, content = whole[:32], memoryview(whole)[32:]
    if hashlib.sha256(content).digest() != checksum:
        warnings.warn(f"{path}: damaged; the net is made again", RuntimeWarning, stacklevel=3)
        return None
    disk_cache.mark_used(path)
    found: StoredNet = pickle.loads(content)
    return found
