"""What only the network can judge - techs, interfaces, series that a scenario names - asked before any run begins."""

import re

from gridsim.errors import InputError, Problem
from gridsim.sweep.study_file import Run, StudyFile, in_runs

HOURS = 24  # of a run that are put together here: what names fit shows in a day
_NUMBER = re.compile(r"[-+]?\d[\d.:T_-]*(e[-+]?\d+)?")


def check_networks(given: StudyFile) -> None:
    """Put the first day of a run of each kind together: runs are of one kind if their scenarios differ in numbers only.

    Raises
    ------
    InputError
        With every problem found, and the runs that have it.
    """
    from gridsim.assemble import assemble

    kinds: dict[str, list[Run]] = {}
    for run in given.runs:
        text = run.scenario.text.replace(run.name, "")
        kinds.setdefault(_NUMBER.sub("#", text), []).append(run)
    found: dict[Problem, list[str]] = {}
    for alike in kinds.values():
        scenario = alike[0].scenario
        horizon = scenario.horizon.model_copy(update={"hours": min(scenario.hours, HOURS)})
        try:
            assemble(scenario.model_copy(update={"horizon": horizon}))
        except InputError as error:
            for problem in error.problems:
                found.setdefault(problem, []).extend(run.name for run in alike)
    if found:
        problems = [
            Problem(problem.where, f"{problem.rule}{in_runs(names, len(given.runs))}")
            for problem, names in found.items()
        ]
        raise InputError(given.label, problems)
