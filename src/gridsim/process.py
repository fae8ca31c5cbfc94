"""What every process of gridsim sets for itself, be it a command, a worker of a sweep or one of Monte Carlo years."""

import ctypes
import gc
import mmap
import os
import sys

# One run is one thread (parallelism is over runs), and one thread adds in one order: same result on every machine.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
GC_THRESHOLD = 100_000
HEAP = 384 << 20  # bytes of address space: what is never touched takes no memory
MOST = 32 << 20  # bytes of one array from which on it is mapped alone: the most glibc allows


def prepare() -> None:
    """Call before numpy is imported; later it is still worth it.

    Python looks for cycles after every 700 new objects: a tenth of the time to the first window, for next to nothing.
    """
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(GC_THRESHOLD)
    _huge_heap()


def _huge_heap() -> None:
    """Keep the heap, once grown, and in huge pages where Linux has them.

    A window's arrays are ten to twenty megabytes: more pages of 4 KiB than a processor keeps the addresses of, and on a
    virtual machine every miss is a walk through two page tables. Without glibc, or where no memory is given, all stays
    as it is.
    """
    if sys.platform != "linux" or not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # M_TRIM_THRESHOLD and so on of malloc.h
    libc.sbrk.restype = libc.malloc.restype = ctypes.c_void_p
    libc.sbrk.argtypes, libc.malloc.argtypes = [ctypes.c_ssize_t], [ctypes.c_size_t]
    libc.free.argtypes, libc.madvise.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for option, value in ((trim_threshold, 2 * HEAP), (mmap_threshold, MOST), (top_pad, HEAP)):
        libc.mallopt(option, value)
    first = libc.sbrk(0)
    libc.free(libc.malloc(MOST // 2))
    libc.mallopt(top_pad, 1 << 20)
    start = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE
    libc.madvise(start, libc.sbrk(0) - start, mmap.MADV_HUGEPAGE)
