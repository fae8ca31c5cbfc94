"""`make bench`: how long gridsim takes, beside HiGHS and PyPSA, on the same problems in the same process.

    python bench/run.py results/bench --date 2026-11-25
    python bench/run.py results/bench --date 2026-11-25 --parts relaxed,fixed --windows 3
    python bench/run.py results/bench --date 2026-11-25 --full --pypsa
    python bench/run.py results/bench --write-docs

Figures go to FOLDER/benchmarks.json part by part, so parts may be measured one after the other; the tables
(benchmarks.md) and the two pictures are made from that file alone, and so is docs/benchmarks.md. Times are CPU seconds
of one thread: on a busy machine they grow, and ratios hold better than seconds.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

# before numpy is imported: its libraries read them once
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"

PARTS = ("relaxed", "fixed", "lp", "commitment", "growth", "startup", "results", "pypsa")
PACKAGES = ("gridsim", "numba", "llvmlite", "numpy", "scipy", "highspy", "pandapower", "pandas", "h5py")
DOCS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
FILE_DAYS = 14  # simulated for the size of a results file


def main(argv: list[str] | None = None) -> int:
    """Measure what is asked for and write it down."""
    options = parse(argv)
    path = options.folder / "benchmarks.json"
    if options.write_docs is not None and not options.parts:
        if not path.is_file():
            print(f"{path} is missing: measure first", file=sys.stderr)
            return 3
    else:
        if not options.date:
            print("--date is missing: the day of the measurement stands in the file", file=sys.stderr)
            return 2
        options.folder.mkdir(parents=True, exist_ok=True)
        measure(options, path, options.parts or default_parts(options))
    found = json.loads(path.read_text(encoding="utf-8"))
    import page
    import pictures

    names = pictures.draw(found, options.folder)
    (options.folder / "benchmarks.md").write_text(page.tables(found), encoding="utf-8")
    print(page.tables(found))
    if options.write_docs is not None:
        pictures.draw(found, options.write_docs.parent / "img")
        options.write_docs.write_text(page.document(found, [f"img/{name}" for name in names]), encoding="utf-8")
        print(f"written: {options.write_docs}")
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where figures, tables and pictures go")
    parser.add_argument("--date", default="", help="day of the measurement, as it shall stand in the file")
    parser.add_argument("--parts", type=_parts, default=(), help=f"comma-separated, of {', '.join(PARTS)}")
    parser.add_argument("--windows", type=int, help="so many windows, evenly spread; default: every 20th day")
    parser.add_argument("--full", action="store_true", help="every day of the year, and branch and bound")
    parser.add_argument("--milp", action="store_true", help="branch and bound on a few of the windows, without --full")
    parser.add_argument("--smallest", action="store_true", help="growth in few small steps, a file of two days")
    parser.add_argument("--pypsa", action="store_true", help="also PyPSA: installs it with pip in --scratch")
    parser.add_argument("--scratch", type=Path, help="folder of PyPSA's environment; default: in FOLDER")
    parser.add_argument("--pypsa-days", type=int, default=14, help="days that PyPSA rolls through")
    parser.add_argument("--write-docs", type=Path, nargs="?", const=DOCS, help="write the page from the figures")
    return parser.parse_args(argv)


def _parts(text: str) -> tuple[str, ...]:
    given = tuple(text.split(","))
    unknown = [name for name in given if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no part {', '.join(unknown)}: there are {', '.join(PARTS)}")
    return given


def default_parts(options: argparse.Namespace) -> tuple[str, ...]:
    """All of them, PyPSA when asked for."""
    return PARTS if options.pypsa else PARTS[:-1]


def measure(options: argparse.Namespace, path: Path, parts: tuple[str, ...]) -> None:
    """Measure the parts, each written into the file as soon as it is there."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"parts": {}}
    run = _runner(options)
    for name in parts:
        before = os.getloadavg()
        result = run(name)
        made = {"date": options.date, "load_before": before, "load_after": os.getloadavg(), **machine()}
        found["parts"][name] = {"made": made, **result}
        path.write_text(json.dumps(found, indent=1, default=float) + "\n", encoding="utf-8")


def _runner(options: argparse.Namespace) -> Callable[[str], dict[str, Any]]:
    """What measures a part by its name; the year is made when the first part needs it."""
    import commitment
    import dispatch
    import file_size
    import growth
    import pypsa_export
    import relaxed
    import sample
    import startup

    from gridsim.simulate import warmup

    made: list[sample.Year] = []

    def year() -> sample.Year:
        if not made:
            warmup()
            made.append(sample.Year())
        return made[0]

    def days() -> list[int]:
        return sample.chosen_days(year().case.hours, windows=options.windows, full=options.full)

    def of_growth() -> dict[str, Any]:
        if options.smallest:
            return growth.measure(year(), say, hours=(24,), units=(50,), cases=("case24_ieee_rts",))
        return growth.measure(year(), say)

    def of_file() -> dict[str, Any]:
        warmup()
        return file_size.measure(say, days=None if options.full else 4 if options.smallest else FILE_DAYS)

    def of_pypsa() -> dict[str, Any]:
        scratch = options.scratch or options.folder
        return pypsa_export.measure(year(), say, scratch=scratch.resolve(), days=options.pypsa_days)

    milp = commitment.MILP_WINDOWS if options.full or options.milp else 0
    calls: dict[str, Callable[[], dict[str, Any]]] = {
        "relaxed": lambda: relaxed.measure(year(), days(), say),
        "fixed": lambda: dispatch.measure_fixed(year(), days(), say),
        "lp": lambda: dispatch.measure_lp(year(), days(), say),
        "commitment": lambda: commitment.measure(year(), days(), say, milp=milp),
        "growth": of_growth,
        "startup": lambda: startup.measure(say),
        "results": of_file,
        "pypsa": of_pypsa,
    }
    return lambda name: calls[name]()


def say(text: str) -> None:
    """Progress, one line each."""
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, system, versions."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "machine": {"cpu": model, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"},
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }


def _version(name: str) -> str:
    if name == "gridsim":
        from gridsim import __version__

        return __version__
    return version(name)


if __name__ == "__main__":
    sys.exit(main())
