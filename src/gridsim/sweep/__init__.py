"""Sweeps: many runs of one study, on one machine or many. The scheduler is Dask's; a job array needs none.

`study` says what a study is, `study_file` makes its runs, `work` does one of them, `pool` has Dask do them all,
`folder` and `table` keep what came of it.
"""

from gridsim.sweep.run import Progress, sweep, sweep_task
from gridsim.sweep.study_file import load_study

__all__ = ["Progress", "load_study", "sweep", "sweep_task"]
