"""The matrix product: weights packed once, and a loop that walks register tiles over them.

One function serves all of BERT: the dense layers, ``query @ key^T`` and ``probs @ value``.

Packed layout
    ``b`` of shape (K, N) is cut into panels of ``TILE_VECTORS * 16`` columns (the last may be
    narrower, by whole vectors), each stored as ``[k][column]``: the tile reads it front to back.
    Columns past N are zeros, and rows of the result have room for them (`buffers.padded`).

Numerics contract
    An element is summed in ascending k, in parts of ``DEPTH`` that start from zero each; parts are
    added in ascending order; then the bias; then the residual. That order does not know about
    tiles, rows, threads or instruction sets, and so neither do the bits. Short chains also keep the
    error from growing with K.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npbert import simd
from npbert.simd import buffers
from npbert.simd.buffers import LANES, padded
from npbert.simd.kernel import inline, kernel

DEPTH = 64
"""How many products one chain sums. Part of the numerics contract: a change is a new NUMERICS.

Chosen by measurement, once. The geometric mean of npbert's error over Keras's, on the goldens:
1.03 against jax and 0.95 against TensorFlow with chains of 256, 0.99 and 0.92 with 128, 0.94 and
0.87 with 64, 0.89 and 0.83 with 32. 64 costs 2 % of the speed of a product, 32 costs 6 %.
"""

_ROW_BLOCK = 128  # rows of `a` that stay in the L2 cache while all panels pass by


def panel_columns() -> int:
    """Columns of one full panel."""
    from npbert.simd import isa

    return isa.current().tile_vectors * LANES


def pack(b: NDArray[np.float32], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Lay out (K, N) weights for `gemm_kernel`; `unpack` is the inverse, bit for bit.

    ``out``: where to, K x padded N values that begin on a cache line; new memory if left out.
    """
    depth, columns = b.shape
    wide = np.zeros((depth, padded(columns)), np.float32)
    wide[:, :columns] = b
    out = buffers.empty(wide.size) if out is None else out
    start = 0
    for left in range(0, wide.shape[1], panel_columns()):
        panel = wide[:, left : left + panel_columns()]
        out[start : start + panel.size] = panel.reshape(-1)
        start += panel.size
    return out


def unpack(packed: NDArray[np.float32], depth: int, columns: int) -> NDArray[np.float32]:
    """The (K, N) weights that `pack` laid out."""
    out = np.empty((depth, padded(columns)), np.float32)
    start = 0
    for left in range(0, out.shape[1], panel_columns()):
        panel = out[:, left : left + panel_columns()]
        panel[:] = packed[start : start + panel.size].reshape(panel.shape)
        start += panel.size
    return np.ascontiguousarray(out[:, :columns])


NO_ACTIVATION, GELU_APPROXIMATE, GELU = 0, 1, 2


@kernel(
    "void(int64, float32[:, ::1], int64, float32[::1], int64, float32[:, ::1],"
    " float32[:, ::1], int64, float32[:, ::1], int64, int64)"
)
def gemm_kernel(  # type: ignore[no-untyped-def]
    rows, a, depth, panels, columns, bias, residual, activation, out, part, parts
):
    """``out = activation(a @ b (+ bias)) (+ residual)``, one part of ``parts`` of its panels.

    ``a`` (rows, >= depth >= 1); ``panels`` the packed (depth, columns), which begin on a cache
    line; ``bias`` (1, padded columns) or no rows for none; ``residual`` like ``out`` or no rows for
    none; ``out`` (rows, >= padded columns), whose columns past ``columns`` become zeros when those
    of bias and residual are.
    """
    a_address, out_address = a.ctypes.data, out.ctypes.data
    a_stride, out_stride = a.shape[1], out.shape[1]
    vectors = (columns + 15) // 16
    count = (vectors + simd.TILE_VECTORS - 1) // simd.TILE_VECTORS
    first, last = count * part // parts, count * (part + 1) // parts
    panel_bytes = 64 * simd.TILE_VECTORS * depth
    for block in range(0, rows, _ROW_BLOCK):
        block_end = min(rows, block + _ROW_BLOCK)
        tiles = (block_end - block + simd.TILE_ROWS - 1) // simd.TILE_ROWS
        for number in range(first, last):
            panel = panels.ctypes.data + number * panel_bytes
            width = min(simd.TILE_VECTORS, vectors - number * simd.TILE_VECTORS)
            left = 16 * simd.TILE_VECTORS * number
            # While the tiles of this panel are worked on, the next panel is fetched.
            ahead = panel + panel_bytes if number + 1 < last else panel
            enough = ahead + panel_bytes
            pace = simd.PACES[0]
            for faster in simd.PACES:
                if pace * tiles < simd.PACE_STEPS * width:
                    pace = faster
            for i in range(block, block_end, simd.TILE_ROWS):
                height = min(simd.TILE_ROWS, block_end - i)
                c = out_address + 4 * (i * out_stride + left)
                multiply(
                    width,
                    a_address + 4 * i * a_stride,
                    a_stride,
                    depth,
                    panel,
                    c,
                    out_stride,
                    height,
                    ahead,
                    pace,
                )
                ahead += 64 * pace * (depth // simd.PACE_STEPS)
                if ahead >= enough:
                    ahead = panel
                finish(out, i, i + height, left, left + 16 * width, bias, activation, residual)


@inline
def multiply(width, a, a_stride, depth, b, c, c_stride, rows, ahead, pace):  # type: ignore[no-untyped-def]
    """One tile, ``c = a @ b``, of this width."""
    if width == 3:
        simd.tile_3(a, a_stride, depth, b, c, c_stride, rows, ahead, pace)
    elif width == 2:
        simd.tile_2(a, a_stride, depth, b, c, c_stride, rows, ahead, pace)
    else:
        simd.tile_1(a, a_stride, depth, b, c, c_stride, rows, ahead, pace)


@inline
def finish(out, top, bottom, left, right, bias, activation, residual):  # type: ignore[no-untyped-def]
    """``out = activation(out + bias) + residual``, while the tile is in the L1 cache."""
    if not (bias.shape[0] or residual.shape[0] or activation != NO_ACTIVATION):
        return
    for row in range(top, bottom):
        for column in range(left, right, 16):
            value = simd.load(out, row, column)
            if bias.shape[0]:
                value = value + simd.load(bias, 0, column)
            if activation == GELU_APPROXIMATE:
                value = simd.gelu_approximate(value)
            elif activation == GELU:
                value = simd.gelu(value)
            if residual.shape[0]:
                value = value + simd.load(residual, row, column)
            simd.store(value, out, row, column)
