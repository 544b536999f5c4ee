"""The matrix product: a loop that walks register tiles over packed weights (`npbert.simd.panels`).

One function serves all of BERT: the dense layers, ``query @ key^T`` and ``probs @ value``.

Numerics contract
    An element is summed in ascending k, in parts of ``DEPTH`` that start from zero each; parts are
    added in ascending order; then the bias; then the residual. That order does not know about
    tiles, rows, threads or instruction sets, and so neither do the bits. Short chains also keep the
    error from growing with K.
"""

from __future__ import annotations

from npbert import simd
from npbert.simd.kernel import inline, kernel

DEPTH = 64
"""How many products one chain sums. Part of the numerics contract: a change is a new NUMERICS.

Chosen by measurement, once. The geometric mean of npbert's error over Keras's, on the goldens:
1.03 against jax and 0.95 against TensorFlow with chains of 256, 0.99 and 0.92 with 128, 0.94 and
0.87 with 64, 0.89 and 0.83 with 32. 64 costs 2 % of the speed of a product, 32 costs 6 %.
"""

_ROW_BLOCK = 128  # rows of `a` that stay in the L2 cache while all panels pass by

NO_ACTIVATION, GELU_APPROXIMATE, GELU = 0, 1, 2


@kernel(
    "void(int64, real[:, ::1], int64, stored[::1], int64, real[:, ::1],"
    " real[:, ::1], int64, real[:, ::1], int64, int64)"
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
    vector_bytes = 16 * simd.STORED_BYTES
    panel_bytes = vector_bytes * simd.TILE_VECTORS * (depth + depth % simd.ROWS_TOGETHER)
    for block in range(0, rows, _ROW_BLOCK):
        block_end = min(rows, block + _ROW_BLOCK)
        tiles = (block_end - block + simd.TILE_ROWS - 1) // simd.TILE_ROWS
        for number in range(first, last):
            panel = panels.ctypes.data + number * panel_bytes
            width = min(simd.TILE_VECTORS, vectors - number * simd.TILE_VECTORS)
            left = 16 * simd.TILE_VECTORS * number
            # While the tiles of this panel are worked on, the next panel is fetched.
            ahead = panel + panel_bytes if number + 1 < last else panel
            a_block = a_address + simd.REAL_BYTES * block * a_stride
            c_block = out_address + simd.REAL_BYTES * (block * out_stride + left)
            if simd.WIDENS and tiles > simd.FEW_TILES:
                simd.multiply_widened(
                    width, a_block, a_stride, depth, panel, c_block, out_stride,
                    block_end - block, ahead,
                )  # fmt: skip
                right = left + 16 * width
                finish(out, block, block_end, left, right, bias, activation, residual)
                continue
            enough = ahead + panel_bytes
            pace = simd.PACES[0]
            for faster in simd.PACES:
                if 64 * pace * tiles < vector_bytes * simd.PACE_STEPS * width:
                    pace = faster
            for i in range(block, block_end, simd.TILE_ROWS):
                height = min(simd.TILE_ROWS, block_end - i)
                simd.multiply(
                    width,
                    a_address + simd.REAL_BYTES * i * a_stride,
                    a_stride,
                    depth,
                    panel,
                    out_address + simd.REAL_BYTES * (i * out_stride + left),
                    out_stride,
                    height,
                    ahead,
                    pace,
                )
                ahead += 64 * pace * (depth // simd.PACE_STEPS)
                if ahead >= enough:
                    ahead = panel
                finish(out, i, i + height, left, left + 16 * width, bias, activation, residual)


product_kernel = gemm_kernel.plain
"""For two operands that were computed: they lie in memory as ``real``, and nothing is rounded."""


@inline
def finish(out, top, bottom, left, right, bias, activation, residual):  # type: ignore[no-untyped-def]
    """``out = activation(out + bias) + residual``, while the tile is in the L1 cache."""
    if not (simd.ROUNDS or bias.shape[0] or residual.shape[0] or activation != NO_ACTIVATION):
        return
    for row in range(top, bottom):
        for column in range(left, right, 16):
            value = simd.load(out, row, column)
            if bias.shape[0]:
                value = value + simd.load(bias, 0, column)
            value = simd.rounded(value)
            if activation == GELU_APPROXIMATE:
                value = simd.rounded(simd.gelu_approximate(value))
            elif activation == GELU:
                value = simd.rounded(simd.gelu(value))
            if residual.shape[0]:
                value = simd.rounded(value + simd.load(residual, row, column))
            simd.store(value, out, row, column)
