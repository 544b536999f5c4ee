"""Scores become probabilities, over the keys that the mask keeps.

Source: Vaswani et al. 2017, section 3.2.1; keras Softmax with a mask (since 3.13 masked scores are
replaced by -1e9, whose exponential is exactly 0: summing over kept keys only is the same).
"""

from __future__ import annotations

import numpy as np

from npbert import simd
from npbert.ops.types import Array, IntArray
from npbert.simd.kernel import inline, kernel


def softmax(scores: Array, kept: IntArray) -> Array:  # (..., T), bool (..., T) -> (..., T)
    """Probabilities along the last axis; 0 where not ``kept``, and all 0 where none is."""
    largest = np.max(scores, axis=-1, keepdims=True, where=kept, initial=-np.inf)
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
        weights = np.exp(np.where(kept, scores - largest, -np.inf))
    total = weights.sum(axis=-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(scores), where=kept)


@inline
def softmax_row(scores, row, columns):  # type: ignore[no-untyped-def]
    """``scores[row, :columns] = softmax(scores[row, :columns])``; zeros up to the next 16."""
    lowest, zero = simd.fill(-np.inf), simd.fill(0.0)
    largest = lowest
    for s in range(0, columns, 16):
        here = simd.first_lanes(simd.load(scores, row, s), columns - s, lowest)
        largest = simd.where_less(largest, here, here, largest)  # NaN spreads through the total
    largest = simd.max_lanes(largest)
    # weights = exp(scores - largest)
    total = zero
    for s in range(0, columns, 16):
        weight = simd.exp_nonpositive(simd.load(scores, row, s) - largest)
        weight = simd.first_lanes(weight, columns - s, zero)
        simd.store(weight, scores, row, s)
        total = total + weight
    total = simd.add_lanes(total)
    # scores = weights / total
    for s in range(0, columns, 16):
        simd.store(simd.rounded(simd.load(scores, row, s) / total), scores, row, s)


@kernel("void(real[:, ::1], int64)")
def softmax_kernel(scores, columns):  # type: ignore[no-untyped-def]
    """Every row of ``scores``, in place; ``columns`` is their count without padding."""
    for row in range(scores.shape[0]):
        softmax_row(scores, row, columns)
