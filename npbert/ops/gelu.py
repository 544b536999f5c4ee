"""GELU: each value times the chance that a normal variable is below it.

Source: Hendrycks & Gimpel 2016, section 2. Keras Hub's BERT uses the tanh form, Hugging Face's the
erf form; they differ by up to 4.73e-4 (at \\|x\\| = 2.70), which is far above float32 noise.
"""

from __future__ import annotations

import math

import numpy as np

from npbert import simd
from npbert.ops.types import Array
from npbert.simd.kernel import kernel


def gelu_approximate(x: Array, *, cubic: float = 0.044715) -> Array:
    """``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))``, elementwise."""
    inner = math.sqrt(2 / math.pi) * (x + cubic * x**3)
    return 0.5 * x * (1 + np.tanh(inner))


def gelu(x: Array) -> Array:
    """``x / 2 * (1 + erf(x / sqrt(2)))``, elementwise."""
    from scipy.special import erf  # at first use: an import of npbert brings no scipy

    chance = erf(np.asarray(x / math.sqrt(2), np.float64)).astype(x.dtype)
    return 0.5 * x * (1 + chance)


@kernel("void(real[:, ::1], real[:, ::1])")
def gelu_approximate_kernel(x, out):  # type: ignore[no-untyped-def]
    """(R, F) -> (R, F); ``out`` may be ``x``."""
    for row in range(x.shape[0]):
        for column in range(0, x.shape[1], 16):
            simd.store(
                simd.rounded(simd.gelu_approximate(simd.load(x, row, column))), out, row, column
            )


@kernel("void(real[:, ::1], real[:, ::1])")
def gelu_kernel(x, out):  # type: ignore[no-untyped-def]
    """(R, F) -> (R, F); ``out`` may be ``x``."""
    for row in range(x.shape[0]):
        for column in range(0, x.shape[1], 16):
            simd.store(simd.rounded(simd.gelu(simd.load(x, row, column))), out, row, column)


GELU_KERNELS = {"gelu_approximate": gelu_approximate_kernel, "gelu": gelu_kernel}
