"""Memory that notices who touches it: canaries beside a buffer, or pages that may not be touched.

`NUMBA_BOUNDSCHECK` cannot see inside an intrinsic, and a tile is one. Both kinds here are functions
that copy an array into such memory: ``guarded = Canaries()``, then ``x = guarded(x)``.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npbert.simd import buffers

PAGE = mmap.PAGESIZE
_PATTERN = 0xA5


class Canaries:
    """A page of pattern on both sides of each array; `check` tells whether it is still whole."""

    def __init__(self) -> None:
        self._held: list[tuple[NDArray[np.uint8], int]] = []

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        whole = buffers.empty(x.nbytes + 2 * PAGE, dtype=np.uint8)
        whole[:] = _PATTERN
        self._held.append((whole, x.nbytes))
        out = whole[PAGE : PAGE + x.nbytes].view(x.dtype).reshape(x.shape)
        out[...] = x
        return out

    def check(self) -> None:
        """Raise an AssertionError that says where a byte was overwritten."""
        for number, (whole, size) in enumerate(self._held):
            for side, bytes_ in (("before", whole[:PAGE][::-1]), ("after", whole[PAGE + size :])):
                touched = np.flatnonzero(bytes_ != _PATTERN)
                assert not touched.size, f"byte {touched[0] + 1} {side} array {number} was written"


class GuardPages:
    """Each array lies against a page that kills the process at a touch.

    Args:
        after: guard the end of the arrays rather than their start.
    """

    def __init__(self, *, after: bool) -> None:
        self._after = after
        self._held: list[mmap.mmap] = []

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        pages = -(-x.nbytes // PAGE)
        memory = mmap.mmap(-1, (pages + 2) * PAGE)
        self._held.append(memory)
        protect(memory, 0)
        protect(memory, (pages + 1) * PAGE)
        start = (pages + 1) * PAGE - x.nbytes if self._after else PAGE
        out: NDArray[Any] = np.ndarray(x.shape, x.dtype, buffer=memory, offset=start)
        out[...] = x
        return out


def protect(memory: mmap.mmap, offset: int) -> None:
    """Forbid to read and to write one page."""
    libc = ctypes.CDLL(None, use_errno=True)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + offset
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(PAGE), 0):
        raise OSError(ctypes.get_errno(), "mprotect failed")
