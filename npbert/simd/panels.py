"""How weights lie in memory: packed once, for a register tile to read front to back.

``b`` of shape (K, N) is cut into panels of ``TILE_VECTORS * 16`` columns (the last may be narrower,
by whole vectors), each stored as ``[k][column]``. Columns past N are zeros, and rows of the result
have room for them (`buffers.padded`).

bfloat16 lies in pairs of rows, ``[k // 2][column][k % 2]``, for one instruction then makes float32
of every other number: a shift of the even ones, a mask of the odd ones. An odd K has a row of zeros
more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npbert.simd import buffers
from npbert.simd.buffers import LANES, padded
from npbert.simd.precision import FLOAT32, Precision


def panel_columns(precision: Precision = FLOAT32) -> int:
    """Columns of one full panel."""
    from npbert.simd import isa

    return LANES if precision.real == "float64" else isa.current().tile_vectors * LANES


def stored_depth(depth: int, precision: Precision) -> int:
    """The rows that K of them take."""
    return depth + depth % precision.rows_together


def size(depth: int, columns: int, precision: Precision = FLOAT32) -> int:
    """How many numbers (K, N) weights are once they are packed."""
    return stored_depth(depth, precision) * padded(columns)


def pack(
    b: NDArray[Any], out: NDArray[Any] | None = None, precision: Precision = FLOAT32
) -> NDArray[Any]:
    """Lay out (K, N) weights for `npbert.simd.gemm`; `unpack` is the inverse, bit for bit.

    Args:
        b: of any float dtype; rounded to the one that is stored.
        out: where to, `size` numbers that begin on a cache line; new memory if left out.
        precision: of the kernel that reads them.
    """
    depth, columns = b.shape
    rows = stored_depth(depth, precision)
    wide = np.zeros((rows, padded(columns)), precision.stored_dtype)
    wide[:depth, :columns] = precision.bits(b)
    out = buffers.empty(wide.size, dtype=wide.dtype) if out is None else out
    start, step = 0, panel_columns(precision)
    for left in range(0, wide.shape[1], step):
        panel = wide[:, left : left + step]
        if precision.rows_together == 2:
            panel = panel.reshape(rows // 2, 2, -1).swapaxes(1, 2)
        out[start : start + panel.size] = panel.reshape(-1)
        start += panel.size
    return out


def unpack(
    packed: NDArray[Any], depth: int, columns: int, precision: Precision = FLOAT32
) -> NDArray[Any]:
    """The (K, N) weights that `pack` laid out, in the dtype that is stored."""
    rows = stored_depth(depth, precision)
    wide = np.empty((rows, padded(columns)), precision.stored_dtype)
    start, step = 0, panel_columns(precision)
    for left in range(0, wide.shape[1], step):
        panel = wide[:, left : left + step]
        found = packed[start : start + panel.size]
        if precision.rows_together == 2:
            found = found.reshape(rows // 2, -1, 2).swapaxes(1, 2)
        panel[:] = found.reshape(panel.shape)
        start += panel.size
    return precision.numbers(np.ascontiguousarray(wide[:depth, :columns]))
