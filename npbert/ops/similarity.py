"""How alike two vectors are: dot product, and distances with their sign turned.

Source: sentence_transformers.util.similarity, which calls them dot, euclidean and manhattan. Its
cosine is the dot product of rows that `npbert.ops.pooling.l2_normalize` has made unit vectors.
"""

from __future__ import annotations

import numpy as np

from npbert import simd
from npbert.ops.types import Array
from npbert.simd.gemm import DEPTH
from npbert.simd.kernel import inline, kernel

MANHATTAN, EUCLIDEAN = 1, 2


def euclidean(a: Array, b: Array) -> Array:  # (A, D), (B, D) -> (A, B)
    """Minus the length of the straight line from each row of ``a`` to each of ``b``."""
    return -np.sqrt(np.square(a[:, None] - b).sum(axis=-1))


def manhattan(a: Array, b: Array) -> Array:  # (A, D), (B, D) -> (A, B)
    """Minus the length of the way from each row of ``a`` to each of ``b``, one axis at a time."""
    return -np.abs(a[:, None] - b).sum(axis=-1)


def row_dot(a: Array, b: Array) -> Array:  # (A, D), (A, D) -> (A,)
    """The dot product of each row of ``a`` with the same row of ``b``."""
    return (a * b).sum(axis=-1)


@inline
def _distance(a, i, b, j, order):  # type: ignore[no-untyped-def]
    total = simd.fill(0.0)
    for d in range(0, a.shape[1], 16):
        gap = simd.load(a, i, d) - simd.load(b, j, d)
        if order == EUCLIDEAN:
            total = simd.fma(gap, gap, total)
        else:
            total = total + simd.maximum(gap, -gap)
    total = simd.add_lanes(total)
    if order == EUCLIDEAN:
        total = simd.sqrt(total)
    return total


@kernel("void(real[:, ::1], real[:, ::1], int64, boolean, real[:, ::1])")
def distance_kernel(a, b, order, paired, out):  # type: ignore[no-untyped-def]
    """(A, D), (B, D) -> (A, B); or, ``paired``, (A, D), (A, D) -> (A, 1). D is padded with zeros.

    ``order`` is `MANHATTAN` or `EUCLIDEAN`.
    """
    for i in range(a.shape[0]):
        first = i if paired else 0
        for column in range(out.shape[1]):
            distance = _distance(a, i, b, first + column, order)
            out[i, column] = -simd.lane(distance)


@kernel("void(real[:, ::1], real[:, ::1], int64, real[::1])")
def row_dot_kernel(a, b, columns, out):  # type: ignore[no-untyped-def]
    """(A, >= D), (A, >= D) -> (A,), summed as `npbert.simd.gemm` does; ``columns`` is D."""
    for i in range(a.shape[0]):
        total = simd.fill(0.0)
        for start in range(0, columns, DEPTH):
            part = simd.fill(0.0)
            for k in range(start, min(start + DEPTH, columns)):
                part = simd.fma(simd.fill(a[i, k]), simd.fill(b[i, k]), part)
            total = total + part if start else part
        out[i] = simd.lane(total)
