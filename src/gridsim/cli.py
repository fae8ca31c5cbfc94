"""The command line: parse, call, report. Exit codes are those of `gridsim.errors`.

Nothing heavy is imported here: numba, pandapower and matplotlib load inside the command that needs them.
"""

import errno
import json
import math
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridsim import __version__
from gridsim.errors import GridsimError, InputError, IntegrityError, ResourceError
from gridsim.finite import finite
from gridsim.process import prepare

if TYPE_CHECKING:
    from gridsim.convert import Conversion
    from gridsim.results import WindowReport
    from gridsim.scenario import Scenario

prepare()

ISSUES = "the project's issue tracker"
EXPORTS = {"csv": "", "parquet": "", "netcdf": ".nc", "xlsx": ".xlsx", "pypsa": "", "pandapower": ".json"}  # endings
_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


class _Group(click.Group):
    """A group that words every failure for people: a message on stderr and the exit code, no traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _warned
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            _fail(ctx, "stopped by Ctrl-C", 130)
        except GridsimError as error:
            _fail(ctx, str(error), error.exit_code)
        except MemoryError:
            _fail(ctx, "out of memory: simulate fewer hours, or a smaller network", ResourceError.exit_code)
        except Exception as error:
            if isinstance(error, BrokenPipeError):
                raise  # click's business: the reader of our output went away
            if isinstance(error, OSError) and error.errno in _NO_PLACE:
                _fail(ctx, f"{error.filename or 'output'}: {error.strerror}", ResourceError.exit_code)
            text = f"internal error: {type(error).__name__}: {error}\nThis is a bug: please report it on {ISSUES}"
            _fail(ctx, f"{text}, with the output of the same command with -v.", GridsimError.exit_code)


_SHOW_WARNING = warnings.showwarning


def _warned(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    """What was done to somebody's data, without the line of code that did it; other warnings as Python has them."""
    if category is UserWarning:
        click.echo(f"gridsim: {message}", err=True)
    else:
        _SHOW_WARNING(message, category, *place, **more)


def _fail(ctx: click.Context, text: str, code: int) -> None:
    """Say what went wrong, and what the exception in hand notes beside it; leave with the exit code."""
    if ctx.meta.get("gridsim.verbose"):
        click.echo(traceback.format_exc(), err=True)
    click.echo("\n".join([f"gridsim: {text}", *getattr(sys.exception(), "__notes__", ())]), err=True)
    ctx.exit(code)


def _keep_verbose(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    ctx.meta["gridsim.verbose"] = value
    return value


def _duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    from gridsim.stopping import seconds

    try:
        return None if value is None else seconds(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}: got {value}") from None


file_argument = click.argument("file", type=click.Path(path_type=Path))
scenario_argument = click.argument("scenario")
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the scenario; repeatable."
)
with_option = click.option(
    "--with", "overlays", multiple=True, metavar="OVERLAY",
    help="Lay an overlay on the scenario, by name or path; repeatable. `gridsim scenarios` lists them.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
language_option = click.option(
    "--lang", "language", type=click.Choice(["en", "zh"]), default="en", show_default=True,
    help="What the page opens in. It has both languages.",
)  # fmt: skip
report_option = click.option(
    "--report/--no-report", "with_report", default=True, show_default=True, help="Write the page at the end."
)
budget_option = click.option(
    "--time-budget", "budget_s", callback=_duration, metavar="DURATION",
    help="Stop after the window in hand when this is over, with exit code 6: 90s, 30m, 1h30m, 2d.",
)  # fmt: skip
verbose_option = click.option("-v", "--verbose", is_flag=True, callback=_keep_verbose, help="More detail; tracebacks.")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gridsim")
def main() -> None:
    """Simulate a power grid hour by hour through a year."""


@main.command()
@scenario_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Results file. [default: results/NAME.h5]")
@click.option("--start", help="First hour, local time: 2024-07-01 or 2024-07-01T00.")
@click.option("--hours", type=click.IntRange(min=1), help="Number of hours. [default: to the end of the year]")
@with_option
@set_option
@click.option("--engine", type=click.Choice(["kernel", "highs", "highs-milp"]), help="Who solves the windows.")
@click.option("--effort", type=click.Choice(["fast", "standard", "best"]), help="Time spent on a better commitment.")
@click.option("--n1", type=click.Choice(["off", "report", "enforce"]), help="Loss of any one circuit or DC link.")
@click.option("--keep", type=click.Choice(["full", "standard", "summary"]), help="What the results file keeps.")
@budget_option
@click.option("-f", "--force", is_flag=True, help="Replace an existing results file, and a stopped run of its name.")
@report_option
@verbose_option
def run(
    scenario: str,
    output: Path | None,
    start: str | None,
    hours: int | None,
    overlays: tuple[str, ...],
    overrides: tuple[str, ...],
    engine: str | None,
    effort: str | None,
    n1: str | None,
    keep: str | None,
    budget_s: float | None,
    force: bool,
    with_report: bool,
    verbose: bool,
) -> None:
    """Simulate SCENARIO and write one results file, then the page of `gridsim report` beside it.

    SCENARIO is the name of a built-in scenario, a .toml file, or a folder with scenario.toml. A run that is stopped
    keeps what it has: `gridsim resume` goes on. SIGTERM and SIGUSR1 stop it after the window in hand, with exit code 6.
    """
    from gridsim.results_writer import check_new

    shorthands = _shorthands(start=start, hours=hours, engine=engine, effort=effort, n1=n1, keep=keep)
    given = _load(scenario, (*overrides, *shorthands), overlays)
    path = output or Path("results") / f"{given.name}.h5"
    check_new(path, force=force)  # before numba and pandapower load: a typo should not cost seconds
    _simulate(given, path, budget_s, with_report, force=force)


@main.command()
@file_argument
@budget_option
@report_option
@verbose_option
def resume(file: Path, budget_s: float | None, with_report: bool, verbose: bool) -> None:
    """Go on with the run that was stopped while it made the results FILE.

    After a kill, a power cut, a full disk, Ctrl-C or a time limit: from the last window that is done. Scenario, input
    files and gridsim must be as the run has begun; the file is then the same as that of a run that nobody stopped.
    """
    from gridsim.resume import scenario_to_resume

    given = scenario_to_resume(file)
    if given is None:
        click.echo(f"{file}: complete, nothing is left to do")
        return
    _simulate(given, file, budget_s, with_report, resume=True)


@main.command()
@file_argument
@json_option
@verbose_option
def status(file: Path, as_json: bool, verbose: bool) -> None:
    """Say how far the run is that makes the results FILE: running, stopped or finished. Only reads."""
    from gridsim.status import status as status_of

    found = status_of(file)
    if as_json:
        _print_json(found._asdict())
    else:
        click.echo(found.as_text())


@main.command()
@scenario_argument
@with_option
@set_option
@verbose_option
def validate(scenario: str, overlays: tuple[str, ...], overrides: tuple[str, ...], verbose: bool) -> None:
    """Read SCENARIO with its network and series, and say what a run would use. Simulates nothing."""
    given = _load(scenario, overrides, overlays)
    from gridsim.assemble import assemble, size_of

    case = assemble(given)
    step = f" by {given.horizon.resolution_min} min" if case.steps_per_hour > 1 else ""
    click.echo(f"{given.source}: fine. {case.hours} hours{step} from {case.start}, {len(given.windows())} windows")
    for table in ("buses", "branches", "links", "interfaces", "loads", "units", "sources", "stores"):
        click.echo(f"  {size_of(case, table):5d} {table}")
    fates = [note.fate for note in case.notes]
    counts = ", ".join(f"{fates.count(fate)} {fate}" for fate in dict.fromkeys(fates))
    click.echo(f"elements of the network: {counts or 'none'}{'' if verbose else '; -v lists them'}")
    if verbose:
        for note in case.notes:
            click.echo(f"  {note.element} {note.index} {note.name!r}: {note.fate}{f', {note.why}' if note.why else ''}")


@main.command("estimate")
@scenario_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Results file to be. [default: results/NAME.h5]")
@click.option("--hours", type=click.IntRange(min=1), help="Number of hours. [default: to the end of the year]")
@with_option
@set_option
@json_option
@verbose_option
def estimate_(
    scenario: str,
    output: Path | None,
    hours: int | None,
    overlays: tuple[str, ...],
    overrides: tuple[str, ...],
    as_json: bool,
    verbose: bool,
) -> None:
    """Say what a run of SCENARIO will take: CPU time, memory, disk. Exit code 8 if it cannot fit.

    Makes a few short runs of it, spread over its hours, in a scratch folder.
    """
    given = _load(scenario, (*overrides, *_shorthands(hours=hours)), overlays)
    from gridsim.estimate import estimate, refuse

    made = estimate(given, output or Path("results") / f"{given.name}.h5")
    if as_json:
        _print_json(made.as_dict())
    else:
        click.echo(made.as_text())
    refuse(made)


@main.command()
@json_option
def scenarios(as_json: bool) -> None:
    """List the built-in scenarios, and the overlays that --with lays on them."""
    from gridsim.scenario_file import titles

    found = {"scenarios": titles("scenarios"), "overlays": titles("overlays")}
    if as_json:
        _print_json(found)
        return
    for kind, named in found.items():
        click.echo(f"{kind}:")
        for name, title in named.items():
            click.echo(f"  {name:20s} {title}")


@main.command()
@file_argument
@json_option
@verbose_option
def show(file: Path, as_json: bool, verbose: bool) -> None:
    """Print the summary of a results FILE."""
    from gridsim.results import ResultsReader

    with ResultsReader(file) as results:
        summary = results.summary
    if as_json:
        _print_json(summary)
    else:
        _print_summary(summary)


@main.command("indicators")
@file_argument
@json_option
@verbose_option
def show_indicators(file: Path, as_json: bool, verbose: bool) -> None:
    """Hold a year of the built-in grid, in a results FILE, to the plan's targets."""
    from rich.console import Console

    from gridsim.indicators import as_table, indicators
    from gridsim.results import ResultsReader

    with ResultsReader(file) as results:
        found = indicators(results)
    if as_json:
        _print_json([row._asdict() for row in found])
    else:
        width = None if sys.stdout.isatty() else 120
        Console(width=width, highlight=False).print(as_table(found))


@main.command()
@file_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The page, or the folder of pictures. [default: FILE.html, or FILE without its ending]",
)
@language_option
@click.option("--png", is_flag=True, help="Draw pictures for print into a folder instead of the page.")
@click.option("--svg", is_flag=True, help="The same as drawings; both may be given.")
@verbose_option
def report(file: Path, output: Path | None, language: str, png: bool, svg: bool, verbose: bool) -> None:
    """Write the page of a results FILE: one HTML file with everything in it, which needs no network.

    FILE may also be the folder of a sweep, or the table in it.
    """
    formats = [name for name, given in (("png", png), ("svg", svg)) if given]
    if file.is_dir() or file.suffix in (".parquet", ".csv"):
        if formats:
            raise click.UsageError("--png and --svg are for a results file: this is a sweep")
        from gridsim.page import write_sweep

        folder = file if file.is_dir() else file.parent
        click.echo(str(write_sweep(file, output or folder / f"{folder.resolve().name}.html", language=language)))
        return
    _check_results(file)
    if not formats:
        from gridsim.page import write_page

        click.echo(str(write_page(file, output or file.with_suffix(".html"), language=language)))
        return
    from gridsim.report import report as make_report

    for picture in make_report(file, output or file.with_suffix(""), formats=formats):
        click.echo(str(picture))


@main.command()
@file_argument
@click.argument("hour")
@verbose_option
def explain(file: Path, hour: str, verbose: bool) -> None:
    """Say what happened in an HOUR of a results FILE, and why: 2024-02-10T12, local time."""
    from gridsim.opened import Results

    with Results(file) as results:
        click.echo(results.explain(hour))


@main.command()
@file_argument
@click.option("-n", "--worst", type=click.IntRange(min=1), default=20, show_default=True, help="How many to list.")
@click.option("--json", "as_json", is_flag=True, help="All incidents and outages as JSON.")
@verbose_option
def incidents(file: Path, worst: int, as_json: bool, verbose: bool) -> None:
    """List the incidents of a results FILE: what failed, what was shed where, how long until supply was whole again."""
    from gridsim.incidents import log, tables_of
    from gridsim.results import ResultsReader

    with ResultsReader(file) as results:
        found = log(results)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
    elif found:
        from rich.console import Console

        width = None if sys.stdout.isatty() else 160
        Console(width=width, highlight=False).print(*tables_of(found, worst))
    else:
        click.echo(f"{file}: nothing failed in this run, and nothing was short")


@main.command()
@file_argument
@click.option("--to", "form", required=True, type=click.Choice(EXPORTS), help="The form.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File or folder. [default: beside FILE]")
@click.option("--variable", "variables", multiple=True, help="GROUP/NAME or a whole GROUP; repeatable. -v lists them.")
@click.option("--element", "elements", multiple=True, help="Name of a unit, line, store, supplier ...; repeatable.")
@click.option("--zone", "zones", multiple=True, help="City; repeatable.")
@click.option("--tech", "techs", multiple=True, help="Technology; repeatable.")
@click.option("--start", help="First step: 2024-07-15T14, 2024-07-15 or 2024-07.")
@click.option("--end", help="Last step; a day or month means all of it.")
@click.option("--hour", help="pandapower: the hour whose dispatch the net gets.")
@click.option("-f", "--force", is_flag=True, help="Replace what an earlier export made.")
@verbose_option
def export(
    file: Path,
    form: str,
    output: Path | None,
    variables: tuple[str, ...],
    elements: tuple[str, ...],
    zones: tuple[str, ...],
    techs: tuple[str, ...],
    start: str | None,
    end: str | None,
    hour: str | None,
    force: bool,
    verbose: bool,
) -> None:
    """Write parts of a results FILE as tables, netCDF, a PyPSA folder, or a pandapower net of one hour."""
    from gridsim.opened import Selection

    out = output or file.with_name(f"{file.stem}-{form}{EXPORTS[form]}")
    if form == "pandapower":
        from gridsim.export_net import write_net

        made = [write_net(file, hour, out, force=force)]
    else:
        from gridsim.export import export as write

        selection = Selection(elements, zones, techs, start, end)
        made = write(file, form, out, variables=variables, selection=selection, force=force)
    for path in made if verbose else made[-1:]:
        click.echo(str(path))
    if len(made) > 1 and not verbose:
        click.echo(f"{len(made)} files in {out}")


@main.command()
@file_argument
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True, help="0: any that is free.")
@click.option("--browser/--no-browser", default=False, show_default=True, help="Open it in the browser.")
@verbose_option
def view(file: Path, port: int, browser: bool, verbose: bool) -> None:
    """Explore a results FILE in the browser: any variable, elements and hours, and their CSV.

    Read-only, and for this machine alone: it listens on 127.0.0.1 until Ctrl-C.
    """
    _check_results(file)
    from gridsim.view import serve

    serve(file, port=port, browser=browser, ready=lambda address: click.echo(f"{address}  (Ctrl-C to stop)"))


@main.command()
@file_argument
@json_option
@verbose_option
def audit(file: Path, as_json: bool, verbose: bool) -> None:
    """Recompute balances, limits and costs of a results FILE, on its own. Exit code 7 if anything is off."""
    _check_results(file)
    from gridsim.audit import audit as make_audit

    _print_checks(make_audit(file), as_json)


@main.command()
@file_argument
@click.option("--hours", default="", help="Hours to look at, from 0: 0:168, 0:8760:24, 12,36. [default: all]")
@click.option(
    "--power-factor", type=click.FloatRange(0.5, 1.0), default=1.0, show_default=True,
    help="Of loads without reactive power in the net.",
)  # fmt: skip
@json_option
@verbose_option
def acheck(file: Path, hours: str, power_factor: float, as_json: bool, verbose: bool) -> None:
    """Solve the AC power flow of the hours of a results FILE and write voltages and loading into it."""
    _check_results(file)
    from gridsim.acheck import acheck as make_check

    summary = make_check(file, hours, power_factor)
    if as_json:
        _print_json({key: value for key, value in summary.items() if key.startswith("ac_")})
        return
    from rich.console import Console

    from gridsim.summary_ac import ac_table

    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(ac_table(summary))


@main.command()
@click.argument("target", metavar="FILE|SCENARIO")
@click.option("--windows", type=click.IntRange(min=1), default=12, show_default=True, help="Windows to solve again.")
@with_option
@set_option
@json_option
@verbose_option
def verify(
    target: str, windows: int, overlays: tuple[str, ...], overrides: tuple[str, ...], as_json: bool, verbose: bool
) -> None:
    """Solve evenly spread windows again with HiGHS and print the differences. Exit code 7 if they differ."""
    given: Path | Scenario
    if Path(target).suffix in (".h5", ".hdf5", ".nc"):
        if overlays or overrides:
            raise click.UsageError(f"--with and --set are for a scenario: {target} is a results file")
        given = Path(target)
        _check_results(given)
    else:
        given = _load(target, overrides, overlays)
    from gridsim.verify import verify as make_verify

    _print_checks(make_verify(given, windows), as_json)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the page of the changes, an .html file.")
@language_option
@click.option("--png", type=click.Path(path_type=Path), help="Draw the changes into this picture.")
@click.option("--all", "everything", is_flag=True, help="Also what is the same in all runs.")
@json_option
@verbose_option
def compare(
    files: tuple[Path, ...],
    output: Path | None,
    language: str,
    png: Path | None,
    everything: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Print what changed from the first results file of FILES to the others: energy, curtailment, regulation, cost."""
    from gridsim.compare import compare as compare_runs

    found = compare_runs(files)
    if as_json:
        _print_json(found.as_dict())
    else:
        from rich.console import Console

        width = None if sys.stdout.isatty() else 100 + 30 * len(files)
        Console(width=width, highlight=False).print(found.as_text(everything=everything))
    if png is not None:
        from gridsim.plots_compare import draw

        click.echo(f"picture: {draw(found, png)}", err=as_json)
    if output is not None:
        from gridsim.page import write_comparison

        click.echo(f"page: {write_comparison(files, output, language=language)}", err=as_json)


@main.command()
@click.argument("kind", metavar="KIND")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Scenario folder to make.")
@click.option("-f", "--force", is_flag=True, help="Replace an earlier conversion.")
@click.option("--profile", help="matpower: 'day', two days in which loads follow a made-up curve. [default: one hour]")
@click.option("--hours", type=int, help="matpower: hours to simulate.")
@click.option("--dc", help="matpower: branch model, matpower or powermodels. [default: powermodels for PGLib-OPF]")
@click.option("--series", type=click.Path(path_type=Path), help="pandapower: hourly series that the net names.")
@verbose_option
def convert(
    kind: str,
    source: Path,
    output: Path,
    force: bool,
    profile: str | None,
    hours: int | None,
    dc: str | None,
    series: Path | None,
    verbose: bool,
) -> None:
    """Make a scenario folder from a case or net of another tool.

    KIND is pandapower (SOURCE: a .json, .xlsx or .sqlite file), pypsa (a folder of CSV files or a .nc file), matpower
    (an .m file), pglib-uc (a .json file), rts-gmlc (the folder with SourceData), ucte (a .uct file) or cgmes (a .zip
    file, or a folder). The folder also gets a report: what of the source was used, approximated or ignored, and why.
    """
    from gridsim.convert import convert as make_folder

    made = make_folder(kind, source, output, force=force, profile=profile, hours=hours, dc=dc, series=series)
    _print_conversion(made, output, verbose)


@main.command()
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
@click.option(
    "--from", "source", default="jiangsu-2024", show_default=True, metavar="SCENARIO|NET",
    help="A scenario, built-in or your own, or a pandapower net: .json, .xlsx, .sqlite.",
)  # fmt: skip
@click.option("--series", type=click.Path(path_type=Path), help="Hourly series that a net names: .csv, .h5, .nc.")
@click.option("--template", help="Instead: 'sweep', a study of many runs, with scripts for SLURM, PBS, a workstation.")
@verbose_option
def init(folder: Path, source: str, series: Path | None, template: str | None, verbose: bool) -> None:
    """Start a scenario of your own: the folder NAME with a commented scenario.toml that runs at once."""
    from gridsim.init import check_new, copy_template, templates
    from gridsim.init import init as make_scenario

    if template is not None:
        if template not in templates():
            raise click.UsageError(f"--template must be {' or '.join(templates())}: got {template}")
        for path in copy_template(folder, template):
            click.echo(str(path))
        return
    from gridsim.scenario import NETWORK_SUFFIXES

    check_new(folder)
    if Path(source).suffix.lower() in NETWORK_SUFFIXES:
        from gridsim.convert import convert as make_folder

        _print_conversion(make_folder("pandapower", Path(source), folder, series=series), folder, verbose)
    else:
        if series is not None:
            raise click.UsageError(f"--series is for a net: {source} is a scenario")
        click.echo(f"scenario: {make_scenario(folder, source)}")
    click.echo(f"run it: gridsim run {folder}")


@main.group()
def profiles() -> None:
    """Hourly series of wind, sun, load and imports."""


@profiles.command()
@click.argument("scenario", default="jiangsu-2024")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the weather year. [default: the scenario's]")
@with_option
@verbose_option
def check(scenario: str, seed: int | None, overlays: tuple[str, ...], verbose: bool) -> None:
    """Make the synthetic year of SCENARIO and print its targets against what was achieved.

    Exit code 7 if a target is missed.
    """
    given = _load(scenario, () if seed is None else (f"seed={seed}",), overlays)
    from gridsim.inputs import load_net
    from gridsim.profiles import check as check_profiles
    from gridsim.profiles import format_table, load_year

    sites = load_net(given)["profile_site"]
    rows = check_profiles(load_year(sites, given.year, given.seed), sites)
    click.echo(format_table(rows))
    missed = sum(not row.ok for row in rows)
    click.echo(f"{len(rows)} targets, {missed} missed")
    if missed:
        raise click.exceptions.Exit(IntegrityError.exit_code)


@profiles.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to make: .csv or .h5.")
@click.option(
    "--as", "names", multiple=True, metavar="KIND/PLACE", help="Name of the series, or what to make of weather."
)
@click.option("--format", "form", default="auto", show_default=True, help="ninja, era5, atlite, pvgis, epw ...")
@click.option("--column", "columns", multiple=True, help="Column of a table to take; repeatable. [default: all]")
@click.option("--tz", help="UTC offset of the stamps: +08:00, 0, UTC. [default: as the format says; +08:00]")
@click.option("--stamp", type=click.Choice(["start", "end"]), default="start", help="What a stamp is, of its interval.")
@click.option("--unit", help="Unit of the values where the file says none: 1, %, kW, MW, degC, K.")
@click.option("--rated", type=click.FloatRange(min=0, min_open=True), help="Rated power in the file's unit: gives p.u.")
@click.option("--year", type=int, help="Calendar year of the result. [default: the file's]")
@click.option("--leap-day", type=click.Choice(["refuse", "adjust"]), default="refuse", help="8,760 hours for 8,784.")
@click.option(
    "--lat", type=click.FloatRange(-90, 90), help="Place, degrees north. [default: a site of the built-in grid]"
)
@click.option("--lon", type=click.FloatRange(-180, 180), help="Place, degrees east.")
@click.option("--check", "with_check", is_flag=True, help="Print mean, CF, max, centroid, gaps; exit code 7 if off.")
@click.option("-f", "--force", is_flag=True, help="Replace an existing file.")
@verbose_option
def import_(
    files: tuple[Path, ...],
    output: Path | None,
    names: tuple[str, ...],
    form: str,
    columns: tuple[str, ...],
    tz: str | None,
    stamp: str,
    unit: str | None,
    rated: float | None,
    year: int | None,
    leap_day: str,
    lat: float | None,
    lon: float | None,
    with_check: bool,
    force: bool,
    verbose: bool,
) -> None:
    """Make hourly series for a scenario of FILES of other tools.

    Formats: renewables.ninja, ERA5 and atlite netCDF, PVGIS (hourly, TMY), EPW, PyPSA CSV, RTS-GMLC, load by province
    of China, plain CSV, Excel, Parquet, HDF5, NetCDF. Without -o, only --check.
    """
    if output is None and not with_check:
        raise click.UsageError("give -o FILE to write, or --check to look")
    if (lat is None) != (lon is None):
        raise click.UsageError("--lat and --lon go together")
    from gridsim import profile_import as imports

    try:
        offset = None if tz is None else imports.parse_offset(tz)
    except ValueError:
        raise click.UsageError(f"--tz must be a UTC offset such as +08:00, 0 or UTC: got {tz}") from None
    if output is not None:
        imports.check_output(output, force)
    nan = math.nan
    place = (nan if lat is None else lat, nan if lon is None else lon)
    adjust = leap_day == "adjust"
    options = imports.Options(names, form, columns, offset, stamp, unit, rated, year, adjust, *place)
    found = imports.import_series(files, options)
    click.echo(f"{found.form}: {len(found.rows)} series, {found.profiles.hours} hours from {found.profiles.start}")
    for note in found.notes:
        click.echo(f"  {note}")
    if with_check:
        click.echo(found.as_text())
    if not found.ok:
        if with_check:
            raise click.exceptions.Exit(IntegrityError.exit_code)
        raise InputError(str(files[0]), found.problems())
    if output is not None:
        imports.write(found, output, force)
        click.echo(f"series: {output}")


@main.command("adequacy")
@scenario_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to make. [default: results/NAME-adequacy.h5]"
)
@click.option(
    "--max-years",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Years drawn at most, in whole blocks; one at least.",
)
@click.option(
    "--relative-error", type=click.FloatRange(0.0, 1.0), default=0.1, show_default=True,
    help="Half-width of the intervals of LOLE and EENS, over their means, that is enough; 0: draw all years.",
)  # fmt: skip
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Of outages on each synthetic weather year.",
)
@click.option(
    "--years", "years_text", metavar="A-B", help="Calendar years, of own series all of them. [default: the scenario's]"
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option(
    "--credit-years", type=click.IntRange(min=0), default=0, show_default=True,
    help="Years on which capacity credits of wind, PV, storage and DC are found; 0: none.",
)  # fmt: skip
@click.option(
    "--check",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Steps of each year to solve again with HiGHS.",
)
@with_option
@set_option
@json_option
@click.option("-f", "--force", is_flag=True, help="Replace an existing file.")
@verbose_option
def adequacy_(
    scenario: str,
    output: Path | None,
    max_years: int,
    relative_error: float,
    draws: int,
    years_text: str | None,
    workers: int,
    credit_years: int,
    check: int,
    overlays: tuple[str, ...],
    overrides: tuple[str, ...],
    as_json: bool,
    force: bool,
    verbose: bool,
) -> None:
    """How often SCENARIO cannot serve its load: Monte Carlo over weather years and forced outages."""
    from gridsim.part_file import check_output

    years = [] if years_text is None else _years(years_text)
    given = [_load(scenario, (*overrides, f"year={year}"), overlays) for year in years]
    given = given or [_load(scenario, overrides, overlays)]
    path = output or Path("results") / f"{given[0].name}-adequacy.h5"
    check_output(path, force=force)
    from gridsim.adequacy.report import run_study

    run_study(
        given, path, as_json=as_json, max_years=max_years, relative_error=relative_error, draws=draws,
        workers=workers, credit_years=credit_years, check=check,
    )  # fmt: skip


def _years(text: str) -> list[int]:
    """ "2018-2023", or one year."""
    first, _, last = text.partition("-")
    if not (first.isdigit() and (last or first).isdigit() and int(first) <= int(last or first)):
        raise click.UsageError(f"--years must be a year or a span such as 2018-2023: got {text}")
    return list(range(int(first), int(last or first) + 1))


@main.command()
@click.argument("study")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the sweep. [default: results/NAME]")
@set_option
@click.option("--workers", type=click.IntRange(min=1), help="Processes, or SLURM jobs. [default: one for each core]")
@click.option("--memory", default="2GB", show_default=True, help="Most memory of one worker.")
@click.option("--scheduler", metavar="ADDRESS", help="Use the workers of this Dask scheduler: tcp://HOST:PORT.")
@click.option("--slurm", is_flag=True, help="Each worker is a SLURM job.")
@click.option(
    "--slurm-option", "slurm_options", multiple=True, metavar="KEY=VALUE",
    help="Of dask_jobqueue.SLURMCluster: queue, account, walltime ...; repeatable.",
)  # fmt: skip
@click.option(
    "--dashboard", type=click.IntRange(0, 65535), help="Port of Dask's dashboard on 127.0.0.1. [default: none]"
)
@click.option("--task", metavar="i/N", help="Do share i of N in this process, without Dask: for job arrays.")
@click.option("--collect", is_flag=True, help="Simulate nothing: make the table of what is there.")
@click.option("--list", "only_list", is_flag=True, help="Check every run's scenario and list the runs.")
@click.option("--retry", is_flag=True, help="Also runs whose input was refused or whose window was not solved.")
@budget_option
@click.option("--report/--no-report", "with_report", default=True, show_default=True, help="Write the page at the end.")
@verbose_option
def sweep(
    study: str,
    output: Path | None,
    overrides: tuple[str, ...],
    workers: int | None,
    memory: str,
    scheduler: str | None,
    slurm: bool,
    slurm_options: tuple[str, ...],
    dashboard: int | None,
    task: str | None,
    collect: bool,
    only_list: bool,
    retry: bool,
    budget_s: float | None,
    with_report: bool,
    verbose: bool,
) -> None:
    """Do the runs of STUDY, each into a results file of its own, and put their numbers into one table.

    STUDY is a .toml file, or the name of a built-in study. The same command goes on with what is missing.
    """
    from gridsim.sweep.command import run_command

    run_command(
        study, output, overrides, workers=workers, memory=memory, scheduler=scheduler, slurm=slurm,
        slurm_options=slurm_options, dashboard=dashboard, task=task, collect=collect, only_list=only_list, retry=retry,
        budget_s=budget_s, with_report=with_report,
    )  # fmt: skip


@main.command("selftest")
@json_option
@verbose_option
def selftest_(as_json: bool, verbose: bool) -> None:
    """Check this installation in a minute or two, and print versions: what to send with a bug report.

    Two days of the built-in grid: against HiGHS, energy balance, audit, stop and resume, file format, kernels. Exit
    code 7 if a check fails.
    """
    from gridsim.selftest import selftest

    _print_checks(selftest(), as_json)


@main.command()
@verbose_option
def warmup(verbose: bool) -> None:
    """Compile the kernels, so that the next run starts at once."""
    from gridsim.simulate import warmup as compile_kernels

    click.echo(f"kernels ready: {compile_kernels(everything=True):.1f} s")


def _load(scenario: str, overrides: tuple[str, ...] = (), overlays: tuple[str, ...] = ()) -> "Scenario":
    from gridsim.scenario import load

    return load(scenario, overrides, overlays)


def _shorthands(**named: Any) -> list[str]:
    """Options such as --start as the keys they stand for; they win over --set."""
    keys = {
        "start": "horizon.start",
        "hours": "horizon.hours",
        "engine": "solver.engine",
        "effort": "solver.effort",
        "n1": "grid.n1",
        "keep": "output.keep",
    }
    given = {keys[name]: value for name, value in named.items() if value is not None}
    return [f"{key}={json.dumps(value) if isinstance(value, str) else value}" for key, value in given.items()]


def _print_conversion(made: "Conversion", folder: Path, verbose: bool) -> None:
    from gridsim.convert import REPORT

    for row in made.report:
        if verbose or row.fate == "approximated":
            click.echo(f"{row.fate}: {row.count} {row.what}: {row.how}")
    if made.warning:
        click.echo(f"gridsim: {made.warning}", err=True)
    click.echo(f"report: {folder / REPORT}")
    click.echo(f"scenario: {folder}")


def _check_results(file: Path) -> None:
    """Refuse what is not a complete run, in the same words for every command."""
    from gridsim.results import ResultsReader

    ResultsReader(file).close()


def _print_json(tree: Any) -> None:
    click.echo(json.dumps(finite(tree), indent=2, ensure_ascii=False))


def _print_summary(summary: dict[str, Any]) -> None:
    from rich.console import Console

    from gridsim.summary import as_text

    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(as_text(summary))


def _simulate(given: "Scenario", path: Path, budget_s: float | None, with_report: bool, **how: bool) -> None:
    """Begin a run (`force`) or go on with it (`resume`); then its summary and its page."""
    from gridsim.stopping import asked_to_stop

    with asked_to_stop(budget_s) as stop:
        from gridsim.simulate import simulate

        with _progress(given) as progress:
            summary = simulate(given, path, progress=progress, stop=stop, **how)
    _print_summary(summary)
    click.echo(f"results: {path}")
    if with_report and given.output.keep == "summary":
        click.echo('page: none, as the file keeps no hours (output.keep = "summary")')
    elif with_report:
        from gridsim.page import write_page

        click.echo(f"page: {write_page(path, path.with_suffix('.html'))}")


def _print_checks(checks: Any, as_json: bool) -> None:
    if as_json:
        _print_json(checks.as_dict())
    else:
        click.echo(checks.as_text())
    if not checks.ok:
        raise click.exceptions.Exit(IntegrityError.exit_code)


@contextmanager
def _progress(scenario: "Scenario") -> Iterator[Callable[["WindowReport"], None]]:
    """A bar on a terminal; one line per window otherwise. Both on stderr."""
    began, first = 0.0, -1

    def eta_s(window: "WindowReport") -> float:
        nonlocal began, first
        if first < 0:  # not from the start: kernels compile before the first window
            began, first = time.monotonic() - window.wall_s, window.index
        return (time.monotonic() - began) / (window.index + 1 - first) * (window.count - window.index - 1)

    if not sys.stderr.isatty():

        def line(window: "WindowReport") -> None:
            click.echo(_window_line(scenario, window, eta_s(window)), err=True)

        yield line
        return

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, TimeRemainingColumn(), TextColumn("{task.fields[last]}"), console=Console(stderr=True)
    ) as bar:
        task = bar.add_task("network, profiles, kernels", total=None, last="")

        def move(window: "WindowReport") -> None:
            last = f"gap {100 * window.gap:.3f} %, curtailed {window.curtailed_mwh:,.0f} MWh"
            shed = f", SHED {window.shed_mwh:,.1f} MWh" if window.shed_mwh > 0 else ""
            stamp = _stamp(scenario, window.first_hour)[:10]
            bar.update(task, description=stamp, total=window.count, completed=window.index + 1, last=last + shed)

        yield move


def _stamp(scenario: "Scenario", hour: int) -> str:
    import numpy as np

    return str(scenario.start + np.timedelta64(hour, "h")).replace("T", " ") + ":00"


def _window_line(scenario: "Scenario", window: "WindowReport", eta_s: float) -> str:
    span = f"{_stamp(scenario, window.first_hour)} +{window.kept} h"
    return (
        f"window {window.index + 1}/{window.count}  {span}  cost {window.cost:,.0f}  gap {100 * window.gap:.4f} %"
        f"  shed {window.shed_mwh:,.1f} MWh  curtailed {window.curtailed_mwh:,.1f} MWh"
        f"  {window.cpu_s:.2f} s  ETA {int(eta_s) // 60}:{int(eta_s) % 60:02d}"
    )
