"""A text's vector through a dense layer: into another space, often a smaller one.

Source: sentence_transformers Dense, which keeps its activation as the name of a torch.nn module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from npbert.ops.dense import PackedDense, dense, dense_kernel
from npbert.ops.gelu import gelu, gelu_kernel
from npbert.ops.pooler import tanh_kernel
from npbert.ops.relu import relu, relu_kernel
from npbert.ops.sigmoid import sigmoid, sigmoid_kernel
from npbert.ops.types import Array
from npbert.simd.kernel import Kernel
from npbert.simd.precision import FLOAT32, Precision

ACTIVATIONS: Final[dict[str, tuple[Callable[[Array], Array], Kernel | None]]] = {
    "identity": (np.asarray, None),
    "tanh": (np.tanh, tanh_kernel),
    "gelu": (gelu, gelu_kernel),
    "relu": (relu, relu_kernel),
    "sigmoid": (sigmoid, sigmoid_kernel),
}
"""Name -> definition and kernel."""


def projection(x: Array, kernel: Array, bias: Array, *, activation: str) -> Array:
    """``activation(x @ kernel + bias)``: (B, K), (K, M), (M,) -> (B, M)"""
    return ACTIVATIONS[activation][0](dense(x, kernel, bias))


class Projection:
    """`projection` with its weights.

    Args:
        kernel: (K, M); rounded to what the precision stores.
        bias: (M,); the same.
        activation: one of `ACTIVATIONS`.
        precision: what it computes in.
    """

    kernels: tuple[Kernel, ...] = (
        dense_kernel,
        *(kernel for _, kernel in ACTIVATIONS.values() if kernel is not None),
    )

    def __init__(
        self, kernel: Array, bias: Array, activation: str, precision: Precision = FLOAT32
    ) -> None:
        self._dense = PackedDense(kernel, bias, precision=precision)
        self._activation, self._precision = activation, precision

    @property
    def columns(self) -> int:
        """M."""
        return self._dense.columns

    def __call__(self, x: Array) -> Array:
        """(B, >= K) -> (B, padded M); columns past M are zeros."""
        out = self._dense(x)
        activate = ACTIVATIONS[self._activation][1]
        if activate is not None:
            activate[self._precision](out, out)
            out[:, self.columns :] = 0  # not every activation leaves a 0 as it is
        return out
