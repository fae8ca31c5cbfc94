"""What every process of gridsim sets for itself, be it a command, a worker of a sweep or one of Monte Carlo years."""

import gc
import os

# One run is one thread (parallelism is over runs), and one thread adds in one order: same result on every machine.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
GC_THRESHOLD = 100_000


def prepare() -> None:
    """Call before numpy is imported; later it is still worth it.

    Python looks for cycles after every 700 new objects: a tenth of the time to the first window, for next to nothing.
    """
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(GC_THRESHOLD)
