"""What can go wrong, in words for people, each with the exit code of the command line.

==== =====================================================================
code meaning
==== =====================================================================
0    done
1    internal error (a bug: please report)
2    usage (click), or a package of an extra is missing
3    the input is not usable
4    a window could not be solved
5    done, with warnings that ``--strict`` counts as errors
6    stopped by a time budget or a signal; can be resumed
7    a results file fails its audit, or is damaged
8    out of memory or disk space
9    runs of a sweep failed, all others are done
130  Ctrl-C
==== =====================================================================
"""

from dataclasses import dataclass


class GridsimError(Exception):
    """Base of everything that gridsim raises on purpose."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input: where, and what would be right."""

    where: str  # "storage.max_e_mwh", "scenario.toml: [reserve] up_load_share", "profile pv/Suzhou"
    rule: str  # "must be greater than 0 MWh: 1 of 12 is not (id 9 has -0.4)"

    def __str__(self) -> str:
        return f"{self.where} {self.rule}"


class InputError(GridsimError):
    """The input is not usable. Lists every problem, not the first one."""

    exit_code = 3

    def __init__(self, source: str, problems: list[Problem]):
        self.source, self.problems = source, problems
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__("\n  ".join([f"{source}: {len(problems)} {noun}", *map(str, problems)]))

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, list[Problem]]]:
        return InputError, (self.source, self.problems)  # from one process to another


class MissingPackageError(GridsimError):
    """What was asked for needs a package of an extra that is not installed."""

    exit_code = 2


class WindowError(GridsimError):
    """A window was not solved to the tolerance asked, after every retry."""

    exit_code = 4


class StoppedError(GridsimError):
    """The run was asked to stop after a window; it can be resumed."""

    exit_code = 6


class IntegrityError(GridsimError):
    """A results file is damaged, of another format, or does not pass its audit."""

    exit_code = 7


class ResourceError(GridsimError):
    """Not enough memory or disk space, or a place that cannot be written."""

    exit_code = 8


class SweepError(GridsimError):
    """Some runs of a sweep failed; the others are done."""

    exit_code = 9
