"""Spoiled inputs for as long as there is time: ``python tools/fuzz.py KIND [COUNT [SEED]]``.

KIND is scenario, series, net, results, journal or all. Prints what was not refused in words, and the seed to see it
again with; leaves with 1 if there was anything. Run from the root of the repository, gridsim installed or on the path.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fuzz_kinds import KINDS, Ground


def main() -> int:
    kind, count, seed = [*sys.argv[1:], "all", "200", "0"][:3] if len(sys.argv) < 2 else [*sys.argv[1:], "200", "0"][:3]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder))
        for name in KINDS if kind == "all" else [kind]:
            codes: Counter[int] = Counter()
            for k in range(int(seed), int(seed) + int(count)):
                found = KINDS[name](ground, k)
                codes[found.code] += 1
                if found.wrong:
                    bad += 1
                    print(f"{name} {k}: exit code {found.code}: {found.wrong}", flush=True)
            print(f"{name}: {count} tried, exit codes {dict(sorted(codes.items()))}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
