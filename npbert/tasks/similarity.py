"""How alike two vectors are: the cosine of the angle between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.engine import forward
from npbert.errors import InputError, InputTypeError
from npbert.ops.pooling import l2_normalize_kernel
from npbert.simd import buffers, gemm

F32 = NDArray[np.float32]


def cosine_similarity(a: ArrayLike, b: ArrayLike) -> F32:  # (A, D), (B, D) -> (A, B)
    """The cosine of every row of ``a`` with every row of ``b``: 1 is the same direction.

    Rows are divided by their lengths first, so they need not be normalised; a row of zeros has
    similarity 0 to everything. An element's bits depend on its two rows alone.

    Args:
        a, b: (A, D) and (B, D); a single vector (D,) counts as one row.

    Raises:
        InputTypeError: not arrays of real numbers.
        InputError: more than two axes, or different D.
    """
    left, right = _rows("a", a), _rows("b", b)
    if left.shape[1] != right.shape[1]:
        raise InputError(
            "the two sets of vectors have different widths.",
            received=f"a {left.shape}, b {right.shape}",
            expected="(A, D) and (B, D)",
            fix="compare vectors of one model",
        )
    width, count = left.shape[1], len(right)
    if not len(left) or not count or not width:
        return np.zeros((len(left), count), np.float32)
    forward.prepare((l2_normalize_kernel, gemm.gemm_kernel))
    unit = _unit(left)  # (A, padded D)
    panels = gemm.pack(_unit(right)[:, :width].T)  # (D, B)
    nothing = buffers.empty(0, 0)
    out = buffers.empty(len(left), buffers.padded(count))
    shape = (len(left), unit, width, panels, count)
    gemm.gemm_kernel(*shape, nothing, nothing, gemm.NO_ACTIVATION, out, 0, 1)
    return np.ascontiguousarray(out[:, :count])


def _unit(rows: F32) -> F32:  # (A, D) -> (A, padded D)
    out = buffers.pad_columns(rows)
    l2_normalize_kernel(out, out)
    return out


def _rows(name: str, vectors: ArrayLike) -> F32:
    try:
        array = np.asarray(vectors)
    except ValueError as error:
        raise InputTypeError(
            f"{name} cannot be read as an array.", received=error, expected="(rows, D) numbers"
        ) from None
    if array.dtype.kind not in "fiu":
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
    return np.ascontiguousarray(array, np.float32)
