"""Multi-head attention: every token looks at every kept token, once per head.

Source: Vaswani et al. 2017, section 3.2; keras MultiHeadAttention, ``_compute_attention``.

Keras has two paths, and the *constructor's* dropout chooses, even at inference:

=========== ================================= =================================
            dropout > 0 (every preset)        dropout == 0 (the fused path)
=========== ================================= =================================
scaling     the query, before the product     the scores, after it
no key kept all probabilities are 0           uniform over all T keys
=========== ================================= =================================

Where a key is kept, the paths differ by rounding only, and not even by that when 1 / sqrt(H) is a
power of two (H = 64). A masked key is dropped, not weighted by 0: a NaN in it stays there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from npbert import simd
from npbert.ops.softmax import softmax, softmax_row
from npbert.ops.types import Array, IntArray
from npbert.simd.gemm import NO_ACTIVATION, gemm_kernel
from npbert.simd.kernel import inline, kernel


class Attention(NamedTuple):
    """What attention computes, step by step."""

    scores: Array  # (B, N, T, T), scaled, before the mask; [b, n, t, s] is query t on key s
    probs: Array  # (B, N, T, T)
    context: Array  # (B, T, N, H)


def attention(
    query: Array,  # (B, T, N, H)
    key: Array,  # (B, T, N, H)
    value: Array,  # (B, T, N, H)
    padding_mask: IntArray,  # (B, T), nonzero keeps the key
    *,
    fused: bool,
    scale: float | None = None,
) -> Attention:
    """The definition; ``fused`` is Keras's path for dropout == 0."""
    H = query.shape[-1]
    scale = query.dtype.type(1 / math.sqrt(H) if scale is None else scale)
    q, k, v = (np.swapaxes(x, 1, 2) for x in (query, key, value))  # (B, N, T, H)
    if fused:
        scores = q @ np.swapaxes(k, 2, 3) * scale
    else:
        scores = (q * scale) @ np.swapaxes(k, 2, 3)
    kept = padding_mask != 0
    uniform = np.logical_and(fused, ~kept.any(axis=1))[:, None]  # (B, 1)
    kept = (kept | uniform)[:, None, None, :]  # (B, 1, 1, T)
    replaced = np.where(uniform[:, :, None, None], scores.dtype.type(0), scores)
    probs = softmax(replaced, np.broadcast_to(kept, scores.shape))
    context = probs @ np.where(kept.swapaxes(2, 3), v, v.dtype.type(0))  # (B, N, T, H)
    return Attention(scores, probs, np.swapaxes(context, 1, 2))


@kernel(
    "void(float32[:, ::1], int64[::1], int64[::1], int64[::1], boolean[::1], int64, int64,"
    " float32, boolean, float32[:, ::1], float32[:, ::1], float32[:, ::1], float32[::1],"
    " float32[::1], float32[:, ::1], float32[:, :, ::1], float32[:, :, ::1], int64, int64)"
)
def attention_kernel(  # type: ignore[no-untyped-def]
    qkv, row_starts, keys, key_starts, uniform, N, H,
    scale, fused, query, scores, context, key_panels,
    value_panels, out, scores_seen, probs_seen, part, parts,
):  # fmt: skip
    """Attention of a ragged batch: (R, 3 D) -> (R, D).

    ``qkv``: row r holds query, key and value of token r, each N x H. Sequence b is the rows
    ``row_starts[b] : row_starts[b + 1]``; its kept keys are the rows ``keys[key_starts[b] :
    key_starts[b + 1]]``; ``uniform[b]`` replaces its scores by zeros (nothing is kept, ``fused``).
    ``query``, ``scores``, ``context``, ``key_panels`` and ``value_panels`` are scratch: the rows
    that are worked on at once, and the columns that H, the most keys, and H need; panels begin on a
    cache line.
    ``scores_seen`` and ``probs_seen`` (R, N, keys) receive what they are called, unless empty.
    Of the B x N pairs of sequence and head, every ``parts``-th is computed, from ``part`` on.
    """
    D = N * H
    no_rows = query[:0]
    for pair in range(part, uniform.shape[0] * N, parts):
        b, n = pair // N, pair % N
        first, last = key_starts[b], key_starts[b + 1]
        S = last - first
        pack_keys(qkv, keys, first, S, D + n * H, H, key_panels)
        pack_values(qkv, keys, first, S, 2 * D + n * H, H, value_panels)
        for start in range(row_starts[b], row_starts[b + 1], query.shape[0]):
            rows = min(query.shape[0], row_starts[b + 1] - start)
            # scores = (query * scale) @ key.T, or query @ key.T * scale
            for i in range(rows):
                for h in range(H):
                    q = qkv[start + i, n * H + h]
                    query[i, h] = q if fused else q * scale
            gemm_kernel(
                rows, query, H, key_panels, S, no_rows, no_rows, NO_ACTIVATION, scores, 0, 1
            )
            for i in range(rows):
                for s in range(S):
                    if fused:
                        scores[i, s] *= scale
                    if scores_seen.shape[0]:
                        scores_seen[start + i, n, s] = scores[i, s]
                    if uniform[b]:
                        scores[i, s] = np.float32(0)
                # probs = softmax(scores)
                softmax_row(scores, i, S)
                if probs_seen.shape[0]:
                    for s in range(S):
                        probs_seen[start + i, n, s] = scores[i, s]
            # context = probs @ value
            gemm_kernel(
                rows, scores, S, value_panels, H, no_rows, no_rows, NO_ACTIVATION, context, 0, 1
            )
            for i in range(rows):
                for h in range(H):
                    out[start + i, n * H + h] = context[i, h] if S else np.float32(0)


@inline
def pack_keys(qkv, keys, first, S, column, H, panels):  # type: ignore[no-untyped-def]
    """Lay out one head's ``key.T``, (H, S), as `npbert.simd.gemm.pack` does."""
    for left in range(0, S, 16 * simd.TILE_VECTORS):
        width = min(16 * simd.TILE_VECTORS, (S - left + 15) // 16 * 16)
        for s in range(width):
            for h in range(H):
                place = left * H + h * width + s
                inside = left + s < S
                panels[place] = qkv[keys[first + left + s], column + h] if inside else np.float32(0)


@inline
def pack_values(qkv, keys, first, S, column, H, panels):  # type: ignore[no-untyped-def]
    """Lay out one head's ``value``, (S, H), as `npbert.simd.gemm.pack` does."""
    for left in range(0, H, 16 * simd.TILE_VECTORS):
        width = min(16 * simd.TILE_VECTORS, (H - left + 15) // 16 * 16)
        for s in range(S):
            for h in range(width):
                place = left * S + s * width + h
                inside = left + h < H
                panels[place] = qkv[keys[first + s], column + left + h] if inside else np.float32(0)
