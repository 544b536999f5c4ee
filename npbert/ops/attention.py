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
from npbert.simd.gemm import NO_ACTIVATION, product_kernel
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
    "void(real[:, ::1], int64[::1], int64[::1], int64[::1], boolean[::1], int64, int64,"
    " real, boolean, real[:, ::1], real[:, ::1], real[:, ::1], real[:, ::1],"
    " real[:, ::1], real[:, ::1], real[:, :, ::1], real[:, :, ::1], int64, int64)"
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
    that are worked on at once, and the columns that H, the most keys, and H need; panels are one
    row, which begins on a cache line.
    ``scores_seen`` and ``probs_seen`` (R, N, keys) receive what they are called, unless empty.
    Of the B x N pairs of sequence and head, every ``parts``-th is computed, from ``part`` on.
    """
    D, no_rows = N * H, query[:0]
    one = np.float32(1)
    for pair in range(part, uniform.shape[0] * N, parts):
        b, n = pair // N, pair % N
        first, S = key_starts[b], key_starts[b + 1] - key_starts[b]
        kept = keys[first : first + S]
        pack_keys(qkv, kept, D + n * H, H, key_panels)
        pack_values(qkv, kept, 2 * D + n * H, H, value_panels)
        for start in range(row_starts[b], row_starts[b + 1], query.shape[0]):
            rows = min(query.shape[0], row_starts[b + 1] - start)
            # scores = (query * scale) @ key.T, or query @ key.T * scale
            for i in range(rows):
                copy_row(qkv, start + i, n * H, H, one if fused else scale, query, i, 0, True)
            multiply(rows, query, H, key_panels, S, scores, no_rows)
            if fused:  # in Keras, scores and softmax are float32 here, whatever the policy
                for i in range(rows):
                    copy_row(scores, i, 0, S, scale, scores, i, 0, False)
            elif simd.ROUNDS:
                for i in range(rows):
                    copy_row(scores, i, 0, S, one, scores, i, 0, True)
            if scores_seen.shape[0]:
                for i in range(rows):
                    scores_seen[start + i, n, :S] = scores[i, :S]
            if uniform[b]:
                scores[:rows, :S] = 0
            # probs = softmax(scores)
            for i in range(rows):
                softmax_row(scores, i, S)
            if probs_seen.shape[0]:
                for i in range(rows):
                    probs_seen[start + i, n, :S] = scores[i, :S]
            # context = probs @ value
            if S:
                multiply(rows, scores, S, value_panels, H, context, no_rows)
            else:
                context[:] = 0
            for i in range(rows):
                copy_row(context, i, 0, H, one, out, start + i, n * H, True)


@inline
def multiply(rows, a, depth, panels, columns, out, none):  # type: ignore[no-untyped-def]
    """``out = a @ b``"""
    product_kernel(rows, a, depth, panels[0], columns, none, none, NO_ACTIVATION, out, 0, 1)


@inline
def copy_row(x, row, column, count, factor, out, out_row, out_column, rounds):  # type: ignore[no-untyped-def]
    """``out[out_row, out_column:][:count] = x[row, column:][:count] * factor``"""
    whole = count // 16 * 16
    for c in range(0, whole, 16):
        value = simd.load(x, row, column + c) * simd.fill(factor)
        value = simd.rounded(value) if rounds else value
        simd.store(value, out, out_row, out_column + c)
    for c in range(whole, count):
        number = x[row, column + c] * factor
        out[out_row, out_column + c] = simd.rounded(number) if rounds else number


@inline
def pack_keys(qkv, keys, column, H, panels):  # type: ignore[no-untyped-def]
    """Lay out one head's ``key.T``, (H, S), as `npbert.simd.panels.pack` does.

    Columns past S repeat the last key: nobody reads their scores.
    """
    S = keys.shape[0]
    for left in range(0, S, 16 * simd.TILE_VECTORS):
        width = min(16 * simd.TILE_VECTORS, (S - left + 15) // 16 * 16)
        for s in range(0, width, 16):
            for h in range(0, H - 15, 16):
                place = left * H + h * width + s
                simd.transpose(qkv, keys, left + s, column + h, panels, place, width)
            for h in range(H // 16 * 16, H):
                for lane in range(16):
                    key = keys[min(left + s + lane, S - 1)]
                    panels[0, left * H + h * width + s + lane] = qkv[key, column + h]


@inline
def pack_values(qkv, keys, column, H, panels):  # type: ignore[no-untyped-def]
    """Lay out one head's ``value``, (S, H), as `npbert.simd.panels.pack` does."""
    S = keys.shape[0]
    for left in range(0, H, 16 * simd.TILE_VECTORS):
        width = min(16 * simd.TILE_VECTORS, (H - left + 15) // 16 * 16)
        inside = min(width, H - left)
        for s in range(S):
            place = left * S + s * width
            copy_row(qkv, keys[s], column + left, inside, np.float32(1), panels, 0, place, False)
            for h in range(inside, width):
                panels[0, place + h] = 0
