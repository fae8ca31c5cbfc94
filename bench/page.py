"""The benchmarks in words and tables, from the figures of one JSON file: nothing here is measured."""

from collections.abc import Callable, Iterable
from typing import Any

Part = dict[str, Any]

INTRO = """# How fast, beside what

This page is written by the program that measures: `python bench/run.py FOLDER --write-docs`, from the figures that
`make bench` left in FOLDER. Times are CPU seconds of one thread. Everything of one row ran in one process, the two
sides in turn, unless the text says otherwise; a ratio is the median of the windows' own ratios, and above 1 gridsim
is faster.
"""

ABOUT_HIGHS = """## What HiGHS is given

HiGHS gets what an expert would give it. Each window it plays three hands, and its best one counts: from nothing with
presolve; by warm dual simplex on one live model, in which only bounds, costs, right-hand sides and line rows change
from day to day; and the same with the basis moved along by a day, so that an hour begins where the same hour of the
calendar ended. Only its solves are timed: neither making nor changing its model nor reading its answer. It works to
its default tolerances (1e-7), on one thread. The time of the kernel is all it does with the arrays of a window.
Optima must agree to 1e-6, or the table says so.
"""


def tables(found: dict[str, Any]) -> str:
    """All parts that were measured, as Markdown."""
    parts = found["parts"]
    texts = [text(parts[name]) for name, text in SECTIONS.items() if name in parts]
    return "\n".join([*texts, made(parts)])


def document(found: dict[str, Any], images: list[str]) -> str:
    """The page of the documentation."""
    pictures = "\n\n".join(f"![{name.rsplit('_', 1)[-1].removesuffix('.png')}]({name})" for name in images)
    return "\n".join([INTRO, losses(found), pictures, "", ABOUT_HIGHS, tables(found)])


def losses(found: dict[str, Any]) -> str:
    """Where gridsim is not the faster one, in a sentence each."""
    said = []
    for name, part in found["parts"].items():
        if "summary" not in part:
            continue
        rows = part["rows"]
        slower = sum(row["ratio"] < 1.0 for row in rows)
        if slower:
            median = part["summary"]["ratio"]
            said.append(f"* {TITLES[name]}: slower in {slower} of {len(rows)} windows, median ratio {median:.2f}.")
        off = sum(not row["agree"] for row in rows)
        if off:
            said.append(f"* {TITLES[name]}: {off} of {len(rows)} windows do not agree with HiGHS, or cost more.")
    for kind in ("hours", "units", "buses"):
        rows = found["parts"].get("growth", {}).get(kind, [])
        lost = [str(row["size"]) for row in rows if row.get("ratio") and row["ratio"] < 1.0]
        if lost:
            said.append(f"* Growth with {kind}: slower at {', '.join(lost)}.")
    return "\n".join(["## Where gridsim loses", "", *(said or ["Nowhere in what was measured."]), ""])


TITLES = {
    "relaxed": "Relaxed commitment",
    "fixed": "Dispatch with units given",
    "lp": "A year without commitment",
    "commitment": "Unit commitment",
    "pypsa": "PyPSA",
    "growth": "Growth",
    "startup": "Starting",
    "results": "The results file",
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def seconds(value: float | None) -> str:
    """Three digits that matter, or a dash."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio(row: Part) -> str:
    """Their time over ours, or a dash."""
    if row["ratio"] is None:
        return "-"
    return f"{row['ratio']:.2f}" if row.get("kernel_done", True) else f"< {row['ratio']:.2g}"


def stopped(row: Part, side: str) -> str:
    """The time of a side that may have been stopped at its limit."""
    return seconds(row[f"{side}_s"]) if row.get(f"{side}_done", True) else f"stopped at {seconds(row[f'{side}_s'])}"


def spread(summary: Part) -> str:
    """The median of the ratios, and from where to where they go."""
    return f"**{summary['ratio']:.2f}** ({summary['ratio_low']:.2f} to {summary['ratio_high']:.2f})"


def apart(row: Part) -> str:
    """Whether two optima are one."""
    if row["apart"] is None:
        return "-"
    return f"{row['apart']:.0e}" if row["agree"] else f"**{row['apart']:.0e}: they differ**"


def _lp(name: str, how: str) -> Callable[[Part], str]:
    def text(part: Part) -> str:
        summary, rows = part["summary"], part["rows"]
        extra = ["solves alone"] if "solves_s" in rows[0] else []
        columns = ["kernel_s", *(["solves_s"] if extra else []), "cold_s", "warm_s", "shifted_s", "highs_s"]
        head = ["window", "line rows", "gridsim", *extra, "HiGHS cold", "warm", "moved", "best", "ratio", "apart"]
        lines = [
            [
                f"day {row['day']}",
                str(row["rows"]),
                *(seconds(row[c]) for c in columns),
                f"{row['ratio']:.2f}",
                apart(row),
            ]
            for row in _shown(rows)
        ]
        worst = max(rows, key=lambda row: row["apart"])
        middle = [f"median of {len(rows)}", f"{summary['rows']:.0f}", *(seconds(summary[c]) for c in columns)]
        return f"## {TITLES[name]}\n\n{how}\n\n{table(head, [*lines, [*middle, spread(summary), apart(worst)]])}"

    return text


def _shown(rows: list[Part], most: int = 20) -> list[Part]:
    """Not every day of a whole year."""
    return rows if len(rows) <= most else rows[:: -(-len(rows) // most)]


def _commitment(part: Part) -> str:
    head = ["window", "gridsim", "HiGHS, one relaxation and one dispatch", "HiGHS, all it took", "ratio", "gap", "cost"]
    lines = [
        [f"day {row['day']}", seconds(row["kernel_s"]), seconds(row["highs_s"]), seconds(row["highs_all_s"]),
         ratio(row), f"{row['gap']:.1e}",
         "as cheap" if row["agree"] else f"**{row['dearer']:+.1e}: dearer**"]
        for row in _shown(part["rows"])
    ]  # fmt: skip
    s = part["summary"]
    dearer = sum(not row["agree"] for row in part["rows"])
    middle = [f"median of {s['windows']}", *(seconds(s[c]) for c in ("kernel_s", "highs_s", "highs_all_s")), spread(s)]
    how = (
        "A whole window as a run plans it, against the same method with HiGHS in place of the interior point: it knows "
        "the line rows of our plan from the start, and only its solves count. The ratio takes the least it could be, "
        "one relaxation and one dispatch; `all it took` is what the method asked for. The cost is that of our schedule "
        "against its schedule."
    )
    text = table(head, [*lines, [*middle, f"{s['gap']:.1e}", f"{dearer} dearer"]])
    return f"## {TITLES['commitment']}\n\n{how}\n\n{text}{_milp(part['milp'])}"


def _milp(rows: list[Part]) -> str:
    if not rows:
        return ""
    head = ["window", "gridsim", "branch and bound", "ended", "its gap", "as cheap as ours after", "our cost to its"]
    lines = [
        [f"day {row['day']}", seconds(row["kernel_s"]), seconds(row["milp_s"]), row["ended"],
         "-" if row["milp_gap"] is None else f"{row['milp_gap']:.1e}",
         "never" if row["as_cheap_s"] is None else seconds(row["as_cheap_s"]),
         "-" if row["dearer"] is None else f"{row['dearer']:+.1e}"]
        for row in rows
    ]  # fmt: skip
    return f"\nHiGHS's branch and bound, gap 0.1 %, with a limit on its time:\n\n{table(head, lines)}"


def _growth(part: Part) -> str:
    text = (
        f"## {TITLES['growth']}\n\nOne relaxed window, one solve with the line rows of its plan; HiGHS from nothing "
        "with presolve. Hours and units: the built-in year (units drawn from its own, same capacity together). Buses: "
        "public cases of pandapower under a made-up day, 24 hours; both sides find the line rows by themselves, HiGHS "
        "going on from its last basis with every round.\n"
    )
    for kind in ("hours", "units", "buses"):
        head = [
            kind,
            "line rows",
            "gridsim",
            "HiGHS",
            "ratio",
            "apart",
            *(["whole plan", "case"] if kind == "buses" else []),
        ]
        lines = []
        for row in part[kind]:
            if row["kernel_s"] is None:
                lines.append(["-", "-", row["why"], "-", "-", "-", "-", row["case"]])
                continue
            counts = (row["rows"], *((row["highs_rows"],) if kind == "buses" else ()))
            rows = " / ".join("-" if count is None else str(count) for count in counts)
            ours, theirs = stopped(row, "kernel"), row["highs_ended"] or seconds(row["highs_s"])
            line = [str(row["size"]), rows, ours, theirs, ratio(row), apart(row)]
            lines.append([*line, *([stopped(row, "plan"), row["case"]] if kind == "buses" else [])])
        text += f"\n{table(head, lines)}"
    off = [row["why"] for row in part["n1"] if row["kernel_s"] is None]
    if off:
        return f"{text}\nN-1: {off[0]}.\n"
    lines = [[row["size"], str(row["rows"]), seconds(row["kernel_s"])] for row in part["n1"]]
    return f"{text}\n{table(['N-1', 'line rows', 'whole plan'], lines)}"


def _startup(part: Part) -> str:
    stages = list(part["cold"]["stamps"])
    lines = [
        [stage, *(seconds(part[kind]["stamps"][stage][of]) for kind in ("cold", "warm") for of in ("cpu_s", "wall_s"))]
        for stage in stages
    ]
    text = table(["reached", "nothing compiled: CPU s", "wall s", "compiled before: CPU s", "wall s"], lines)
    found = part["cold"]["compiled"]
    compiled = [[row["function"], seconds(row["own_s"]), seconds(row["as_entry_s"])] for row in found[:12]]
    more = table(["function", "compile, its own part", "with all it calls first"], compiled)
    return (
        f"## {TITLES['startup']}\n\nA fresh process until the first window of the built-in year is planned, with an "
        f"empty cache of compiled code ({part['cache_mb']:.1f} MB when full) and again with a full one.\n\n{text}\n"
        f"The longest of {len(found)} compilations, CPU s:\n\n{more}"
    )


def _results(part: Part) -> str:
    note = "extrapolated from two shorter runs" if part["extrapolated"] else "measured"
    return (
        f"## {TITLES['results']}\n\n{part['hours']} hours of the built-in year: {part['size_mb']:.1f} MB, "
        f"{seconds(part['write_s'])} s of CPU to write, of {seconds(part['run_cpu_s'])} s for the run. "
        f"A year ({note}): {part['year_size_mb']:.0f} MB, {seconds(part['year_write_s'])} s of "
        f"{seconds(part['year_run_cpu_s'])} s.\n"
    )


def _pypsa(part: Part) -> str:
    same = "the optima of the first window agree" if part["agree"] else "**the optima of the first window differ**"
    versions = ", ".join(f"{name} {number}" for name, number in part["versions"].items())
    lines = [
        ["PyPSA and HiGHS", seconds(part["window_s"]), seconds(part["year_s"])],
        ["gridsim", seconds(part["kernel_window_s"]), seconds(part["kernel_year_s"])],
    ]
    return (
        f"## {TITLES['pypsa']}\n\n`optimize_with_rolling_horizon`, 48 hours by 24, {part['windows']} windows "
        f"({versions}; the model goes to HiGHS in memory; import and building of the network not counted). The case is "
        "the built-in year without commitment, reserve, interfaces, ramps and rules for what stores hold at the end, "
        "for both. The two ran one after the other, each in a process; gridsim's time includes making its arrays. "
        f"The year is extrapolated. Ratio **{part['ratio']:.0f}**; {same} ({part['apart']:.0e}).\n\n"
        f"{table(['', 'CPU s a window', 'CPU s a year, extrapolated'], lines)}"
    )


def made(parts: dict[str, Part]) -> str:
    """When and on what each part was measured."""
    lines = []
    for name, part in parts.items():
        m = part["made"]
        load = f"{m['load_before'][0]:.1f} to {m['load_after'][0]:.1f}"
        versions = ", ".join(f"{key} {value}" for key, value in m["versions"].items())
        lines.append([TITLES[name], m["date"], f"{m['machine']['cpu']}, {m['machine']['cores']} cores", load, versions])
    return f"## Measured\n\n{table(['part', 'date', 'machine', 'load average', 'versions'], lines)}"


SECTIONS: dict[str, Callable[[Part], str]] = {
    "relaxed": _lp(
        "relaxed",
        "The relaxation of each window, one solve with the line rows that its plan ended with, to a gap of 1e-8.",
    ),
    "commitment": _commitment,
    "fixed": _lp(
        "fixed",
        "The dispatch with the plan's units given. Both sides begin with the line rows of the day before and add what "
        "is overloaded. Ours is all of it, screening of every line in every hour included; HiGHS's screening is free.",
    ),
    "lp": _lp(
        "lp", "Every available unit free between 0 and its capacity: no commitment at all. Otherwise as above."
    ),
    "growth": _growth,
    "pypsa": _pypsa,
    "startup": _startup,
    "results": _results,
}  # fmt: skip
