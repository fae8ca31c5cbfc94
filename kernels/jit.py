"""The one place that knows numba: how every kernel of gridsim is compiled.

* ``error_model="numpy"``: x / 0 is inf or nan, and a loop that divides vectorises.
* ``fastmath`` is off. A kernel that gains from it asks for FASTMATH_KEEPS_NAN:
  with plain ``fastmath=True`` numba's isnan answers False to every nan.
* How numba goes about it is in `compiler`, where the machine code is kept in `disk`.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gridsim.kernels.compiler import Compiler, one_for_all_values
from gridsim.kernels.disk import KernelCache

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FASTMATH_KEEPS_NAN = {"nsz", "arcp", "contract", "afn", "reassoc"}  # no nnan, no ninf


def kernel(
    function: Any = None, *, fastmath: bool = False, part: bool = False, inner: bool = False, allocates: bool = False
) -> Any:
    """Compile a function on its first call and keep the machine code on disk.

    ``part=True`` is for a function that one kernel calls in one place: its body is compiled into the caller. A call
    that hands over tuples of some fifty arrays costs the compiler about a second; a part costs nothing. ``inner=True``
    is for one that only kernels call: it gets no entry from Python, whose unpacking of such tuples costs more than the
    function itself. ``allocates=True`` is for those that make arrays: the others do without counting who holds which,
    which a tuple of fifty makes long.
    """

    def compile_later(f: Any) -> Any:
        flags: Any = FASTMATH_KEEPS_NAN if fastmath else False
        inline: Any = "always" if part else "never"
        njit: Any = numba.njit  # its annotations do not know the wrappers
        compiled = njit(
            f,
            nogil=True,
            error_model="numpy",
            fastmath=flags,
            inline=inline,
            no_cpython_wrapper=inner or part,
            no_cfunc_wrapper=True,
            pipeline_class=Compiler,
            _nrt=allocates,
        )
        if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            compiled._cache = KernelCache(f)
            one_for_all_values(compiled)
        return compiled

    return compile_later if function is None else compile_later(function)
