"""The numerics contract in NumPy, slowly: what `npbert.simd` must equal bit for bit."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from precisions import rounded

from npbert.simd.gemm import DEPTH
from npbert.simd.precision import FLOAT32, Precision

Array = NDArray[Any]
F32, F64 = NDArray[np.float32], NDArray[np.float64]


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


def fma_64(a: Any, b: Any, c: Any) -> F64:
    """The same, rounded once to float64.

    The product is exact as the sum of two float64 (Dekker 1971), and so is each sum that follows;
    all but the last are of numbers so small that rounding them to odd loses nothing (Boldo &
    Melquiond 2008, "Emulation of FMA and correctly rounded sums"). Where a part would be too small
    or too large for that, C computes it. Arrays of at least one dimension.
    """
    a, b, c = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (a, b, c)))
    with np.errstate(all="ignore"):
        high, low = _product(a, b)
        total, rest = _sum(c, low)
        out, last = _sum(high, total)
        out = out + _odd_sum(rest, last)
        nothing = (a == 0) | (b == 0)
        out = np.where(nothing, high + c, out)
        sizes = np.abs(np.stack([a, b, c]))
        safe = (sizes < 2.0**500).all(axis=0) & (nothing | (np.abs(high) > 2.0**-900))
    for at in zip(*np.nonzero(~safe), strict=True):
        out[at] = c_fma(64)(a[at], b[at], c[at])
    return out


def _sum(a: F64, b: F64) -> tuple[F64, F64]:
    """Their sum, and exactly what it lacks (Knuth's TwoSum)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def _product(a: F64, b: F64) -> tuple[F64, F64]:
    """Their product, and exactly what it lacks: of halves, products are exact."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, rest


def _halves(x: F64) -> tuple[F64, F64]:
    large = x * (2.0**27 + 1)
    high = large - (large - x)
    return high, x - high


def _odd_sum(a: F64, b: F64) -> F64:
    """Their sum rounded to odd: where it is inexact, its last bit is set."""
    total, rest = _sum(a, b)
    even = np.ascontiguousarray(total).view(np.int64).reshape(total.shape) % 2 == 0
    return np.where((rest != 0) & even, np.nextafter(total, np.copysign(np.inf, rest)), total)


@cache
def c_fma(width: int = 32) -> Any:
    """C's fmaf, which is to `fma` what `fma` is to the kernels; or its fma, of doubles."""
    library = ctypes.CDLL(ctypes.util.find_library("m") or "ucrtbase")
    function = library.fmaf if width == 32 else library.fma
    kind = ctypes.c_float if width == 32 else ctypes.c_double
    function.argtypes, function.restype = [kind] * 3, kind
    return function


def add_lanes(lanes: NDArray[Any]) -> Any:
    """The fixed tree over 16 lanes: those 8 apart are added first, then 4, 2 and 1 apart."""
    x = list(lanes)
    for distance in (8, 4, 2, 1):
        x = [x[i] + x[i + distance] for i in range(distance)]
    return x[0]


def gemm(
    a: Array,
    b: Array,
    bias: Array | None = None,
    residual: Array | None = None,
    precision: Precision = FLOAT32,
) -> Array:
    """The matrix product by the contract; a sum with a residual is another op, and rounded again.

    Operands are of the type that the precision computes in.
    """
    chain, out = (fma_64 if a.dtype == np.float64 else fma), None
    for start in range(0, a.shape[1], DEPTH):
        part = np.zeros((a.shape[0], b.shape[1]), a.dtype)
        for k in range(start, min(start + DEPTH, a.shape[1])):
            part = chain(a[:, k, None], b[k], part)
        out = part if out is None else out + part
    assert out is not None
    out = rounded(out if bias is None else out + bias, precision)
    return out if residual is None else rounded(out + residual, precision)


def bits(x: Any, dtype: Any = np.float32) -> NDArray[Any]:
    """An array of float32, or of ``dtype``, as integers; all NaNs count as one."""
    x = np.array(x, dtype)
    x[np.isnan(x)] = np.nan
    return x.view(f"u{x.itemsize}")


def assert_same_bits(actual: Any, expected: Any, message: str = "") -> None:
    """Equal to the last bit, the sign of zero too; as float64 where ``actual`` is such an array."""
    dtype = np.float64 if getattr(actual, "dtype", None) == np.float64 else np.float32
    np.testing.assert_array_equal(bits(actual, dtype), bits(expected, dtype), message)
