"""What a results file says, but for the times and the machine of its run: two runs of one scenario say the same."""

from pathlib import Path

import h5py
import numpy as np


def everything(path: Path) -> dict[str, object]:
    """Every dataset byte by byte, and every attribute."""
    out: dict[str, object] = {}
    with h5py.File(path) as file:

        def visit(name: str, item: object) -> None:
            skip = name.startswith("timing/") or name == "meta/run"
            if not skip and isinstance(item, h5py.Dataset):
                value = np.asarray(item[()])
                out[name] = value.tolist() if value.dtype.kind == "O" else value.tobytes()
            if not skip:
                links = ("DIMENSION_LIST", "REFERENCE_LIST")
                out[f"{name}@"] = {k: str(v) for k, v in item.attrs.items() if k not in links}  # type: ignore[attr-defined]

        file.visititems(visit)
    return out
