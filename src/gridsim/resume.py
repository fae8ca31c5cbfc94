"""Going on with a stopped run: from its journal alone, to the file that it would have made without the stop."""

from pathlib import Path

from gridsim.errors import InputError, Problem
from gridsim.journal import journal_of, look
from gridsim.origin import scenario_of
from gridsim.scenario import Scenario


def scenario_to_resume(path: Path) -> Scenario | None:
    """The scenario of the run that stopped while it made `path`; None if that is complete and nothing is left to do.

    ``simulate(scenario_to_resume(path), path, resume=True)`` goes on with it.

    Raises
    ------
    InputError
        If there is no such run, or its inputs or the code are not as it has begun.
    IntegrityError
        If its journal is damaged from its beginning.
    """
    journal = journal_of(path)
    seen = look(journal)
    if seen is not None:
        return scenario_of(journal, seen.about)
    if not path.is_file():
        raise InputError(str(path), [Problem("the run", f"must have begun: there is neither this file nor {journal}")])
    from gridsim.results import ResultsReader

    ResultsReader(path).close()  # refuses what is not a complete run
    return None
