"""Every row to mean 0 and variance 1, then scaled and shifted.

Source: Ba, Kiros & Hinton 2016, equation 4; keras LayerNormalization (axis -1, biased variance).
Keras folds the formula into ``x * inv + (beta - mean * inv)``; subtracting the mean first, as here,
is the same in exact arithmetic and keeps more digits when the mean is large.
"""

from __future__ import annotations

import numpy as np

from npbert import simd
from npbert.ops.types import Array
from npbert.simd.kernel import kernel


def layer_norm(x: Array, gamma: Array, beta: Array, *, epsilon: float) -> Array:
    """(..., D), (D,), (D,) -> (..., D)"""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + x.dtype.type(epsilon)) * gamma + beta


@kernel("void(real[:, ::1], real[:, ::1], real[:, ::1], float64, int64, real[:, ::1])")
def layer_norm_kernel(x, gamma, beta, epsilon, columns, out):  # type: ignore[no-untyped-def]
    """(R, D), (1, D), (1, D) -> (R, D); ``out`` may be ``x``.

    ``columns`` is D; the columns of ``x`` past it must be zeros, and are again in ``out``.
    """
    zero, count = simd.fill(0.0), simd.fill(columns)
    for row in range(out.shape[0]):
        # mean = x.mean()
        total = zero
        for d in range(0, columns, 16):
            total = total + simd.load(x, row, d)
        mean = simd.add_lanes(total) / count
        # variance = square(x - mean).mean()
        total = zero
        for d in range(0, columns, 16):
            centred = simd.first_lanes(simd.load(x, row, d) - mean, columns - d, zero)
            total = simd.fma(centred, centred, total)
        variance = simd.add_lanes(total) / count
        # out = (x - mean) / sqrt(variance + epsilon) * gamma + beta
        deviation = simd.sqrt(variance + simd.fill(epsilon))
        for d in range(0, columns, 16):
            normal = (simd.load(x, row, d) - mean) / deviation
            scaled = simd.fma(normal, simd.load(gamma, 0, d), simd.load(beta, 0, d))
            simd.store(simd.rounded(scaled), out, row, d)
