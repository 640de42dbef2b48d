"""Compiling the inner loops of the simulations.

numba compiles plain functions over arrays and caches the result beside the source, so that nothing is built on
installation and the same code runs uncompiled in a debugger (NUMBA_DISABLE_JIT=1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """This function compiled on its first call; it must use arrays and numbers only."""
    return cast(Function, numba.njit(cache=True, nogil=True)(function))
