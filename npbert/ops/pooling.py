"""Many token vectors become one text vector, and vectors become comparable.

Source: Reimers & Gurevych 2019, section 3 (mean, cls, max); keras_hub BertTextEmbedder.
Shapes: R ragged rows, text b is the rows ``starts[b] : starts[b + 1]``.
"""

from __future__ import annotations

import numpy as np

from npbert import simd
from npbert.ops.types import Array, IntArray
from npbert.simd.kernel import kernel


def mean_pool(tokens: Array, starts: IntArray) -> Array:  # (R, D), (B + 1,) -> (B, D)
    """The mean of each text's rows; 0 for a text of none."""
    counts = np.diff(starts)[:, None]
    sums = np.array([tokens[a:b].sum(axis=0) for a, b in _spans(starts)], tokens.dtype)
    return sums.reshape(len(counts), tokens.shape[1]) / np.maximum(counts, 1).astype(tokens.dtype)


def max_pool(tokens: Array, starts: IntArray) -> Array:  # (R, D), (B + 1,) -> (B, D)
    """The largest value in each column of a text's rows; -inf for a text of none."""
    rows = [np.max(tokens[a:b], axis=0, initial=-np.inf) for a, b in _spans(starts)]
    return np.array(rows, tokens.dtype).reshape(len(rows), tokens.shape[1])


def l2_normalize(x: Array) -> Array:  # (B, D) -> (B, D)
    """Each row divided by its length, or by 1e-12 where it is shorter (as PyTorch does)."""
    length = np.sqrt(np.square(x).sum(axis=-1, keepdims=True))
    return x / np.maximum(length, x.dtype.type(1e-12))


def _spans(starts: IntArray) -> list[tuple[int, int]]:
    return list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))


@kernel("void(float32[:, ::1], int64[::1], float32[:, ::1])")
def mean_pool_kernel(tokens, starts, out):  # type: ignore[no-untyped-def]
    """(R, D), (B + 1,) -> (B, D); rows are added in order."""
    for b in range(out.shape[0]):
        count = simd.fill(max(starts[b + 1] - starts[b], 1))
        for d in range(0, out.shape[1], 16):
            total = simd.fill(0.0)
            for row in range(starts[b], starts[b + 1]):
                total = total + simd.load(tokens, row, d)
            simd.store(total / count, out, b, d)


@kernel("void(float32[:, ::1], int64[::1], float32[:, ::1])")
def max_pool_kernel(tokens, starts, out):  # type: ignore[no-untyped-def]
    """(R, D), (B + 1,) -> (B, D); a NaN stays."""
    for b in range(out.shape[0]):
        for d in range(0, out.shape[1], 16):
            largest = simd.fill(-np.inf)
            for row in range(starts[b], starts[b + 1]):
                largest = simd.maximum(largest, simd.load(tokens, row, d))
            simd.store(largest, out, b, d)


@kernel("void(float32[:, ::1], float32[:, ::1])")
def l2_normalize_kernel(x, out):  # type: ignore[no-untyped-def]
    """(B, D) -> (B, D); ``out`` may be ``x``, and columns past D are zeros."""
    for row in range(x.shape[0]):
        total = simd.fill(0.0)
        for d in range(0, x.shape[1], 16):
            value = simd.load(x, row, d)
            total = simd.fma(value, value, total)
        length = simd.maximum(simd.sqrt(simd.add_lanes(total)), simd.fill(1e-12))
        for d in range(0, x.shape[1], 16):
            simd.store(simd.load(x, row, d) / length, out, row, d)
