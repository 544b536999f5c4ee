"""The first token's vector, through one more dense layer: the vector of the whole text.

Source: Devlin et al. 2018, section 3 ([CLS]); keras_hub BertBackbone, ``pooled_dense``. The first
column is taken even where the mask drops it.
"""

from __future__ import annotations

import numpy as np

from npbert import simd
from npbert.ops.dense import dense
from npbert.ops.types import Array
from npbert.simd.kernel import kernel


def pooler(sequence: Array, kernel: Array, bias: Array) -> Array:  # (B, T, D) -> (B, D)
    """``tanh(sequence[:, 0] @ kernel + bias)``"""
    return np.tanh(dense(sequence[:, 0], kernel, bias))


@kernel("void(real[:, ::1], real[:, ::1])")
def tanh_kernel(x, out):  # type: ignore[no-untyped-def]
    """(B, D) -> (B, D), elementwise; ``out`` may be ``x``."""
    for row in range(x.shape[0]):
        for column in range(0, x.shape[1], 16):
            simd.store(simd.rounded(simd.tanh(simd.load(x, row, column))), out, row, column)
