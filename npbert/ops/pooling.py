"""Many token vectors become one text vector.

Source: Reimers & Gurevych 2019, section 3 (mean, cls, max); keras_hub BertTextEmbedder;
sentence_transformers Pooling for the rest.
Shapes: R ragged rows, text b is the rows ``starts[b] : starts[b + 1]``. Of each text the first
``skip`` rows are left out: those of a prompt that the vector is not to show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from npbert import simd
from npbert.ops.types import Array, IntArray
from npbert.simd.kernel import kernel
from npbert.simd.precision import FLOAT32, Precision


def mean_pool(tokens: Array, starts: IntArray, skip: int = 0) -> Array:
    """The mean of each text's rows; 0 for a text of none.  (R, D), (B + 1,) -> (B, D)"""
    return _stack(tokens, (x.sum(axis=0) / max(len(x), 1) for x in _texts(tokens, starts, skip)))


def mean_sqrt_len_pool(tokens: Array, starts: IntArray, skip: int = 0) -> Array:
    """The sum of each text's rows, divided by the square root of their number; 0 for none."""
    texts = _texts(tokens, starts, skip)
    return _stack(tokens, (x.sum(axis=0) / np.sqrt(max(len(x), 1)) for x in texts))


def weighted_mean_pool(tokens: Array, starts: IntArray, skip: int = 0) -> Array:
    """The mean of each text's rows, of which row i counts i + 1 times; 0 for a text of none.

    Rows are numbered from the text's first, also where that is left out.
    """
    means: list[Array] = []
    for rows in _texts(tokens, starts, skip):
        weights = np.arange(skip + 1, skip + len(rows) + 1, dtype=tokens.dtype)
        means.append(weights @ rows / max(weights.sum(), 1))
    return _stack(tokens, means)


def max_pool(tokens: Array, starts: IntArray, skip: int = 0) -> Array:
    """The largest value in each column of a text's rows; -inf for a text of none."""
    texts = _texts(tokens, starts, skip)
    return _stack(tokens, (np.max(x, axis=0, initial=-np.inf) for x in texts))


def cls_pool(tokens: Array, starts: IntArray, skip: int = 0) -> Array:
    """The first of each text's rows; its very first where ``skip`` leaves none, 0 without any."""
    lengths = np.diff(starts)
    return _pick(tokens, starts[:-1] + np.where(skip < lengths, skip, 0), lengths > 0)


def last_token_pool(tokens: Array, starts: IntArray, skip: int = 0) -> Array:
    """The last of each text's rows; 0 for a text of none."""
    return _pick(tokens, starts[1:] - 1, np.diff(starts) > skip)


POOLINGS: Final[dict[str, Callable[..., Array]]] = {
    "mean": mean_pool,
    "cls": cls_pool,
    "max": max_pool,
    "mean_sqrt_len_tokens": mean_sqrt_len_pool,
    "weightedmean": weighted_mean_pool,
    "lasttoken": last_token_pool,
}
"""The names that sentence-transformers has for them."""


def _texts(tokens: Array, starts: IntArray, skip: int) -> Iterator[Array]:
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        yield tokens[min(start + skip, stop) : stop]


def _stack(tokens: Array, rows: Iterator[Array] | list[Array]) -> Array:
    listed = list(rows)
    return np.array(listed, tokens.dtype).reshape(len(listed), tokens.shape[1])


def _pick(tokens: Array, rows: IntArray, there: IntArray) -> Array:
    out = np.zeros((len(rows), tokens.shape[1]), tokens.dtype)
    out[there] = tokens[rows[there]]
    return out


def l2_normalize(x: Array) -> Array:  # (B, D) -> (B, D)
    """Each row divided by its length, or by 1e-12 where it is shorter (as PyTorch does)."""
    length = np.sqrt(np.square(x).sum(axis=-1, keepdims=True))
    return x / np.maximum(length, x.dtype.type(1e-12))


@kernel("void(real[:, ::1], real[::1], int64[::1], int64[::1], real[::1], real[:, ::1])")
def sum_pool_kernel(tokens, weights, begins, ends, divisors, out):  # type: ignore[no-untyped-def]
    """(R, D), (R,), (B,) x3 -> (B, D): weighted rows, added in order, and the sum divided."""
    for b in range(out.shape[0]):
        divisor = simd.fill(divisors[b])
        for d in range(0, out.shape[1], 16):
            total = simd.fill(0.0)
            for row in range(begins[b], ends[b]):
                total = simd.fma(simd.load(tokens, row, d), simd.fill(weights[row]), total)
            simd.store(simd.rounded(total / divisor), out, b, d)


@kernel("void(real[:, ::1], int64[::1], int64[::1], real[:, ::1])")
def max_pool_kernel(tokens, begins, ends, out):  # type: ignore[no-untyped-def]
    """(R, D), (B,) x2 -> (B, D); a NaN stays."""
    for b in range(out.shape[0]):
        for d in range(0, out.shape[1], 16):
            largest = simd.fill(-np.inf)
            for row in range(begins[b], ends[b]):
                largest = simd.maximum(largest, simd.load(tokens, row, d))
            simd.store(largest, out, b, d)


@kernel("void(real[:, ::1], real[:, ::1])")
def l2_normalize_kernel(x, out):  # type: ignore[no-untyped-def]
    """(B, D) -> (B, D); ``out`` may be ``x``, and columns past D are zeros."""
    for row in range(x.shape[0]):
        total = simd.fill(0.0)
        for d in range(0, x.shape[1], 16):
            value = simd.load(x, row, d)
            total = simd.fma(value, value, total)
        length = simd.maximum(simd.sqrt(simd.add_lanes(total)), simd.fill(1e-12))
        for d in range(0, x.shape[1], 16):
            simd.store(simd.rounded(simd.load(x, row, d) / length), out, row, d)


KERNELS: Final = (sum_pool_kernel, max_pool_kernel)
"""What `pool` calls."""


def pool(
    mode: str,
    tokens: Array,
    starts: IntArray,
    out: Array,
    skip: int = 0,
    precision: Precision = FLOAT32,
) -> None:
    """One of `POOLINGS` by kernels, from (R, padded D) to ``out``, (B, padded D)."""
    ends = starts[1:]
    begins = np.minimum(starts[:-1] + skip, ends)
    if mode in ("cls", "lasttoken"):  # rows are copied: nothing is computed
        out[:] = POOLINGS[mode](tokens, starts, skip)
    elif mode == "max":
        max_pool_kernel[precision](tokens, begins, ends, out)
    elif mode == "weightedmean":
        numbers = np.arange(1, len(tokens) + 1) - np.repeat(starts[:-1], np.diff(starts))
        weighted_mean(tokens, numbers, begins, ends, out, precision)
    else:
        divisors = np.maximum(ends - begins, 1).astype(precision.real)
        divisors = np.sqrt(divisors) if mode == "mean_sqrt_len_tokens" else divisors
        weights = np.ones(len(tokens), precision.real)
        sum_pool_kernel[precision](tokens, weights, begins, ends, divisors, out)


def weighted_mean(
    tokens: Array,
    weights: IntArray,
    begins: IntArray,
    ends: IntArray,
    out: Array,
    precision: Precision = FLOAT32,
) -> None:
    """The mean of the rows ``begins[b] : ends[b]``, of which row i counts ``weights[i]`` times.

    (R, padded D), (R,) whole numbers, (B,), (B,) -> (B, padded D); 0 where there are no rows.
    """
    before = np.concatenate([[0], np.cumsum(weights)])
    divisors = np.maximum(before[ends] - before[begins], 1).astype(precision.real)
    factors = weights.astype(precision.real)
    sum_pool_kernel[precision](tokens, factors, begins, ends, divisors, out)
