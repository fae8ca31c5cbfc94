"""`gridsim sweep`: options to workers, progress on stderr, the outcome in words."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gridsim.errors import SweepError
from gridsim.sweep.check import check_networks
from gridsim.sweep.folder import FAILED
from gridsim.sweep.pool import Workers, cores
from gridsim.sweep.run import Outcome, Progress, collect, sweep, sweep_task
from gridsim.sweep.study_file import StudyFile, load_study

SHOWN_FAILURES = 10
_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?[kMGT]i?B")


def run_command(
    spec: str,
    output: Path | None,
    overrides: Sequence[str],
    *,
    workers: int | None,
    memory: str,
    scheduler: str | None,
    slurm: bool,
    slurm_options: Sequence[str],
    dashboard: int | None,
    task: str | None,
    collect: bool,
    only_list: bool,
    retry: bool,
    budget_s: float | None,
    with_report: bool,
) -> None:
    """Do what the options say. Raises SweepError if runs failed."""
    modes = {"--task": task, "--collect": collect, "--list": only_list}
    given_modes = [name for name, value in modes.items() if value]
    if len(given_modes) > 1:
        raise click.UsageError(f"{given_modes[0]} and {given_modes[1]} do not go together")
    who = [name for name, value in {"--scheduler": scheduler, "--slurm": slurm, "--task": task}.items() if value]
    if len(who) > 1:
        raise click.UsageError(f"{who[0]} and {who[1]} do not go together")
    if slurm_options and not slurm:
        raise click.UsageError("--slurm-option is for --slurm")
    share = None if task is None else _share(task)
    _check_memory(memory)
    options = dict(_option(text) for text in slurm_options)
    hands = Workers(workers or cores(), memory, scheduler or "", slurm, options, dashboard)

    given = load_study(spec, overrides)
    folder = output or Path("results") / given.study.name
    if only_list:
        _list(given)
        return
    click.echo(f"study: {given.study.name}, {len(given.runs)} runs", err=True)
    if collect:
        _conclude(given, folder, _collect(given, folder), with_report)
    elif share is not None:
        outcome = sweep_task(given, folder, *share, retry=retry, budget_s=budget_s, report=_line)
        _say(outcome)
    else:
        click.echo(str(hands), err=True)
        outcome = sweep(given, folder, hands, retry=retry, budget_s=budget_s, report=_line)
        _conclude(given, folder, outcome, with_report)


_collect = collect  # the option of run_command has this name too


def _share(text: str) -> tuple[int, int]:
    first, slash, last = text.partition("/")
    if slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last):
        return int(first), int(last)
    raise click.UsageError(f"--task must be i/N, such as 3/20, with i from 1 to N: got {text}")


def _check_memory(text: str) -> None:
    found = _MEMORY.fullmatch(text)
    if found is None or float(found[1]) <= 0.0:
        raise click.UsageError(f"--memory must be an amount such as 2GB or 800MB: got {text}")


def _option(text: str) -> tuple[str, Any]:
    from gridsim.scenario_file import parse_value

    key, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--slurm-option must be KEY=VALUE: got {text}")
    try:
        return key.strip(), parse_value(value.strip())
    except ValueError:
        return key.strip(), value  # a text with signs of TOML in it, such as 00:30:00 or --exclusive


def _list(given: StudyFile) -> None:
    check_networks(given)
    for run in given.runs:
        told = ", ".join(f"{key.removeprefix('set.')} = {value}" for key, value in run.parameters.items())
        click.echo(f"{run.stem}  {told}")
    click.echo(f"{given.label}: fine. {len(given.runs)} runs of {_hours(given)} hours")


def _hours(given: StudyFile) -> str:
    hours = sorted({run.scenario.hours for run in given.runs})
    return f"{hours[0]:,}" if len(hours) == 1 else f"{hours[0]:,} to {hours[-1]:,}"


def _line(progress: Progress) -> None:
    rest = progress.seconds / progress.done * (progress.count - progress.done)
    record = progress.record
    if record.status == FAILED:
        lines = record.message.splitlines() or [""]
        what = f"FAILED ({record.exit_code}): {lines[0]}"
    else:
        cost, money = record.summary["total_cost"], record.summary["currency"]
        what = f"cost {cost / 1e6:,.2f} million {money}"
    click.echo(
        f"run {progress.done}/{progress.count}  {progress.run.name}  {what}  {record.seconds:.1f} s"
        f"  ETA {int(rest) // 60}:{int(rest) % 60:02d}",
        err=True,
    )


def _conclude(given: StudyFile, folder: Path, outcome: Outcome, with_report: bool) -> None:
    click.echo(f"table: {outcome.table}")
    if with_report:
        from gridsim.page import write_sweep

        click.echo(f"page: {write_sweep(folder, folder / f'{given.study.name}.html')}")
    _say(outcome)


def _say(outcome: Outcome) -> None:
    done, failed, missing = outcome.counts.values()
    click.echo(f"{done} done, {failed} failed, {missing} missing")
    if not outcome.failed:
        return
    shown = [f"{name}: exit code {record.exit_code}, {record.message}" for name, record in outcome.failed]
    more = [f"and {len(shown) - SHOWN_FAILURES} more: see the table"] if len(shown) > SHOWN_FAILURES else []
    noun = "run" if failed == 1 else "runs"
    raise SweepError("\n  ".join([f"{failed} {noun} failed, and the others went on", *shown[:SHOWN_FAILURES], *more]))
