"""A study from the command line: progress on stderr, tables or JSON on stdout, the file."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gridsim.adequacy import record
from gridsim.adequacy.study import Result, adequacy, as_dict, check_years
from gridsim.finite import finite
from gridsim.scenario import Scenario


def run_study(scenarios: Sequence[Scenario], path: Path, *, as_json: bool, **options: Any) -> Result:
    check_years(scenarios)
    result = adequacy(scenarios, progress=_line, **options)
    record.write(path, result, scenarios)
    if as_json:
        click.echo(json.dumps(finite(as_dict(result)), indent=2, ensure_ascii=False))
        return result
    from rich.console import Console

    from gridsim.adequacy.words import as_text

    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(as_text(result))
    click.echo(f"{len(result.years)} years in {result.wall_s:.1f} s; file: {path}")
    return result


def _line(count: int, now: Result) -> None:
    """One line a block."""
    lole, eens = now.estimate("lole_h"), now.estimate("eens_mwh")
    click.echo(
        f"block {now.blocks} of at most {count}: LOLE {lole.mean:.3g} ± {lole.half_width:.2g} h, "
        f"EENS {eens.mean:.4g} ± {eens.half_width:.2g} MWh, {now.wall_s:.1f} s",
        err=True,
    )
