"""Any number to a probability: what a head with one class, or classes that do not exclude each
other, makes of its logits.

Source: keras.activations.sigmoid.
"""

from __future__ import annotations

import numpy as np

from npbert import simd
from npbert.ops.types import Array
from npbert.simd.kernel import kernel


def sigmoid(x: Array) -> Array:
    """``1 / (1 + e^-x)``, elementwise."""
    e = np.exp(-np.abs(x))  # at most 1: nothing overflows
    return np.where(x < 0, e, 1) / (1 + e)


@kernel("void(real[:, ::1], real[:, ::1])")
def sigmoid_kernel(x, out):  # type: ignore[no-untyped-def]
    """(B, C) -> (B, C), elementwise; ``out`` may be ``x``."""
    for row in range(x.shape[0]):
        for column in range(0, x.shape[1], 16):
            simd.store(simd.rounded(simd.sigmoid(simd.load(x, row, column))), out, row, column)
