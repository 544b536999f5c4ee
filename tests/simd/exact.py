"""The numerics contract in NumPy float32, slowly: what `npbert.simd` must equal bit for bit."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npbert.simd.gemm import DEPTH

F32 = NDArray[np.float32]


def fma(a: Any, b: Any, c: Any) -> F32:
    """``a * b + c``, rounded once to float32.

    The product of two float32 is exact in float64. The sum is not, and rounding it to float64 and
    then to float32 could round twice; so the float64 sum is rounded to odd first (Boldo & Melquiond
    2008, "Emulation of FMA and correctly rounded sums"): where it was inexact, its last bit is set,
    and it cannot be mistaken for a tie.
    """
    with np.errstate(all="ignore"):
        product = np.multiply(a, b, dtype=np.float64)
        c = np.asarray(c, np.float64)
        total = product + c
        back = total - product
        rest = (product - (total - back)) + (c - back)  # Knuth's TwoSum: exact
        even = np.ascontiguousarray(total).view(np.int64).reshape(total.shape) % 2 == 0
        toward = np.where(rest > 0, np.inf, -np.inf)
        odd = np.where((rest != 0) & even & np.isfinite(rest), np.nextafter(total, toward), total)
        return odd.astype(np.float32)


@cache
def c_fma() -> Any:
    """C's fmaf, which is to `fma` what `fma` is to the kernels."""
    function = ctypes.CDLL(ctypes.util.find_library("m") or "ucrtbase").fmaf
    function.argtypes, function.restype = [ctypes.c_float] * 3, ctypes.c_float
    return function


def add_lanes(lanes: F32) -> np.float32:
    """The fixed tree over 16 lanes: those 8 apart are added first, then 4, 2 and 1 apart."""
    x = list(lanes)
    for distance in (8, 4, 2, 1):
        x = [x[i] + x[i + distance] for i in range(distance)]
    return np.float32(x[0])


def gemm(a: F32, b: F32, *added: F32) -> F32:
    """The matrix product by the contract, then ``added`` one after the other."""
    out = None
    for start in range(0, a.shape[1], DEPTH):
        part = np.zeros((a.shape[0], b.shape[1]), np.float32)
        for k in range(start, min(start + DEPTH, a.shape[1])):
            part = fma(a[:, k, None], b[k], part)
        out = part if out is None else out + part
    assert out is not None
    for term in added:
        out = out + term
    return out


def bits(x: Any) -> NDArray[np.uint32]:
    """A float32 array as integers; all NaNs count as one."""
    x = np.array(x, np.float32)
    x[np.isnan(x)] = np.nan
    return x.view(np.uint32)


def assert_same_bits(actual: Any, expected: Any, message: str = "") -> None:
    """Equal to the last bit, the sign of zero too."""
    np.testing.assert_array_equal(bits(actual), bits(expected), message)
