"""Write the sample of the present results format that tests/test_formats.py reads.

    python tools/format_sample.py

A sample is written once, when its format version is released, and never again: later readers have to read it as it is.
"""

import contextlib
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from tiny_grid import tiny_grid, write_grid  # noqa: E402

from gridsim.schema import FORMAT_VERSION  # noqa: E402
from gridsim.simulate import simulate  # noqa: E402


def main() -> Path:
    """Run a day of the tiny grid; returns the sample's path."""
    out = ROOT / "tests" / "formats" / f"format-{'.'.join(map(str, FORMAT_VERSION))}.h5"
    out.parent.mkdir(exist_ok=True)
    net = tiny_grid(tight=True)
    net.sgen.loc[0, "max_p_mw"] = 320.0
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # no path of a machine in the sample
        scenario = write_grid(Path(), net, load=0.7, horizon={"hours": 24}, grid={"n1": "report"})
        simulate(scenario, out, force=True)
    return out


if __name__ == "__main__":
    print(main())
