"""ReLU: negative values become 0.

Source: Nair & Hinton 2010; torch.nn.ReLU, which a sentence-transformers Dense module may name.
"""

from __future__ import annotations

import numpy as np

from npbert import simd
from npbert.ops.types import Array
from npbert.simd.kernel import kernel


def relu(x: Array) -> Array:
    """``max(x, 0)``, elementwise."""
    return np.maximum(x, 0)


@kernel("void(real[:, ::1], real[:, ::1])")
def relu_kernel(x, out):  # type: ignore[no-untyped-def]
    """(B, D) -> (B, D), elementwise; ``out`` may be ``x``; a NaN stays."""
    for row in range(x.shape[0]):
        for column in range(0, x.shape[1], 16):
            simd.store(simd.maximum(simd.load(x, row, column), simd.fill(0.0)), out, row, column)
