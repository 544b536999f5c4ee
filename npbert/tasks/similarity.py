"""How alike vectors are, by the functions that sentence-transformers has."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from npbert.config import unknown_name
from npbert.engine import forward
from npbert.errors import InputError, InputTypeError
from npbert.ops.pooling import l2_normalize_kernel
from npbert.ops.similarity import (
    EUCLIDEAN,
    MANHATTAN,
    distance_kernel,
    row_dot_kernel,
)
from npbert.ops.types import Array
from npbert.simd import buffers, gemm, panels
from npbert.simd.precision import FLOAT32, FLOAT64, Precision

SIMILARITIES: Final = ("cosine", "dot", "euclidean", "manhattan")

_ORDERS: Final = {"euclidean": EUCLIDEAN, "manhattan": MANHATTAN}
_KERNELS: Final = (l2_normalize_kernel, gemm.gemm_kernel, distance_kernel, row_dot_kernel)


def similarity(a: ArrayLike, b: ArrayLike, function: str = "cosine") -> Array:
    """Every row of ``a`` with every row of ``b``: (A, D), (B, D) -> (A, B); more is more alike.

    ``"cosine"`` is 1 for the same direction, and 0 for a row of zeros; ``"dot"`` is the sum of
    products; ``"euclidean"`` and ``"manhattan"`` are distances with their sign turned. The bits of
    a value depend on its two rows alone.

    Args:
        a, b: (A, D) and (B, D); a single vector (D,) counts as one row.
        function: one of `SIMILARITIES`.

    Returns:
        float32; float64, which is then computed with too, where both are arrays of it.

    Raises:
        ConfigError: there is no such function.
        InputTypeError: not arrays of real numbers.
        InputError: more than two axes, or different D.
    """
    left, right, precision = _both(a, b, function)
    (rows, width), count = left.shape, len(right)
    if not rows or not count or not width:
        return np.zeros((rows, count), precision.real)
    wide = [_prepared(each, function, precision) for each in (left, right)]  # (A, padded D), ...
    out = buffers.empty(rows, buffers.padded(count), dtype=precision.real)
    if function in _ORDERS:
        out = buffers.empty(rows, count, dtype=precision.real)
        distance_kernel[precision](*wide, _ORDERS[function], False, out)
    else:
        packed = panels.pack(wide[1][:, :width].T, precision=precision)  # (D, B)
        shape, none = (rows, wide[0], width, packed, count), out[:0]
        gemm.gemm_kernel[precision](*shape, none, none, gemm.NO_ACTIVATION, out, 0, 1)
    return np.ascontiguousarray(out[:, :count])


def similarity_pairwise(a: ArrayLike, b: ArrayLike, function: str = "cosine") -> Array:
    """Each row of ``a`` with the same row of ``b``: (A, D), (A, D) -> (A,).

    The bits are those of `similarity`, whose arguments, dtypes and errors these are too.
    """
    left, right, precision = _both(a, b, function)
    if len(left) != len(right):
        raise InputError(
            "pairs need as many vectors on both sides.",
            received=f"a {left.shape}, b {right.shape}",
            fix="similarity compares every vector of a with every one of b",
        )
    out = buffers.zeros(len(left), 1, dtype=precision.real)
    if not left.size:
        return out[:, 0].copy()
    wide = [_prepared(each, function, precision) for each in (left, right)]
    if function in _ORDERS:
        distance_kernel[precision](*wide, _ORDERS[function], True, out)
    else:
        row_dot_kernel[precision](*wide, left.shape[1], out[:, 0])
    return out[:, 0].copy()


def _both(a: ArrayLike, b: ArrayLike, function: str) -> tuple[Array, Array, Precision]:
    if function not in SIMILARITIES:
        raise unknown_name("similarity function", str(function), list(SIMILARITIES))
    # Nested lists become arrays of float64, and did not ask for it.
    exact = all(getattr(each, "dtype", None) == np.float64 for each in (a, b))
    precision = FLOAT64 if exact else FLOAT32
    left, right = _rows("a", a, precision), _rows("b", b, precision)
    if left.shape[1] != right.shape[1]:
        raise InputError(
            "the two sets of vectors have different widths.",
            received=f"a {left.shape}, b {right.shape}",
            expected="(A, D) and (B, D)",
            fix="compare vectors of one model",
        )
    return left, right, precision


def _prepared(rows: Array, function: str, precision: Precision) -> Array:
    """(A, D) -> (A, padded D)"""
    forward.prepare(tuple(kernel[precision] for kernel in _KERNELS))
    out = buffers.pad_columns(rows)
    if function == "cosine":
        l2_normalize_kernel[precision](out, out)
    return out


def _rows(name: str, vectors: ArrayLike, precision: Precision) -> Array:
    try:
        array = np.asarray(vectors)
    except ValueError as error:
        raise InputTypeError(
            f"{name} cannot be read as an array.", received=error, expected="(rows, D) numbers"
        ) from None
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":
        raise InputTypeError(
            f"{name} must hold real numbers.",
            received=f"dtype {array.dtype}",
            expected="vectors that encode returned",
            fix="call encode on the texts first" if array.dtype.kind in "UO" else None,
        )
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise InputError(
            f"{name} must have one axis or two.", received=f"shape {array.shape}", expected="(A, D)"
        )
    return np.ascontiguousarray(array, precision.real)
